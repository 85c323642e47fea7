"""The chapter on interpolation: what a straight path between two codes shows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.decomposition import KernelPCA

from linvae import LDA, MMLR, PCA, PPCA, ClassGaussian, LinearGenerativeModel, StandardNormal, VariationalMMLR
from linvae.latent import great_circle

STEPS = np.linspace(0, 1, 7)[:, None]
# Images are of size 10 and every step is a few sums of at most 12 terms: rounding stays below 1e-12.
ROUNDING = 1e-10


def labelled(n=300, d=12, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.choice([1, 4, 7], n, p=[0.5, 0.3, 0.2])
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 4 * rng.normal(size=(8, d))[y], y


def fade(path):
    return (1 - STEPS) * path[0] + STEPS * path[-1]


@pytest.mark.statement("C37")
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(
    "decoder",
    [
        MMLR(),
        MMLR(alpha=3.0),
        VariationalMMLR(),
        VariationalMMLR(family="mean-field", noise="fixed", noise_variance=1.0, prior="fixed", prior_variance=1.0),
    ],
)
@pytest.mark.parametrize(
    ("encoder", "conditional"),
    [
        (encoder, conditional)
        for encoder in (PCA(3), PPCA(3), LDA(2), KernelPCA(3, kernel="rbf", gamma=0.01))
        for conditional in ("decoder", "both", "none")
        if not (conditional == "both" and isinstance(encoder, LDA))  # within one class LDA has nothing to tell apart
    ],
)
def test_a_straight_path_is_the_cross_fade_of_its_ends(encoder, conditional, decoder, standardize):
    X, y = labelled()
    model = LinearGenerativeModel(encoder, decoder, StandardNormal(), conditional, standardize).fit(X, y)
    a, c = model.latent_.sample(2, model.classes_[0], 0)
    path = model.interpolate(a, c, len(STEPS), y=None if conditional == "none" else 4)
    assert_allclose(path, fade(path), atol=ROUNDING)


@pytest.mark.statement("C37")
@pytest.mark.parametrize("n_draws", [1, 5000])
def test_a_kept_draw_and_an_average_of_draws_cross_fade_too(n_draws):
    X, _ = labelled()
    Z = PCA(3).fit_transform(X)
    decoder = VariationalMMLR(noise="fixed", noise_variance=1.0, prior="fixed", prior_variance=1.0)
    B, b = decoder.fit(Z, X).sample_average_coef(n_draws, 0)
    path = ((1 - STEPS) * Z[0] + STEPS * Z[1]) @ B.T + b
    assert_allclose(path, fade(path), atol=ROUNDING)


@pytest.mark.statement("C37")
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("encoder", [PCA(3), PPCA(3), LDA(2)])
def test_a_walk_between_codes_reconstructs_the_cross_fade_of_the_originals(encoder, standardize):
    X, y = labelled()
    model = LinearGenerativeModel(encoder, MMLR(), standardize=standardize).fit(X, y)
    u, v = X[y == 7][:2]
    path = model.interpolate(*model.transform([u, v]), len(STEPS), y=7)
    originals = (1 - STEPS) * u + STEPS * v
    assert_allclose(path, model.reconstruct(originals, 7), atol=ROUNDING)
    lost = np.array([u, v]) - model.reconstruct([u, v], 7)
    assert_allclose(originals - path, (1 - STEPS) * lost[0] + STEPS * lost[1], atol=ROUNDING)


@pytest.mark.statement("C37")
def test_a_decoder_whose_straight_paths_are_all_cross_fades_is_affine():
    # The proof's construction: the map rebuilt from its values at 0 and at the unit codes is the decoder, far from
    # them too; a decoder with a bend is not rebuilt, and a path across the bend is no cross-fade.
    rng = np.random.default_rng(0)
    B, b, far = rng.normal(size=(5, 3)), rng.normal(size=5), 50 * rng.normal(size=(20, 3))
    for bend in (0.0, 1.0):

        def decode(Z, bend=bend):
            straight = Z @ B.T + b
            return straight + bend * np.abs(straight)

        centre = decode(np.zeros((1, 3)))
        rebuilt = far @ (decode(np.eye(3)) - centre) + centre
        gap = np.abs(rebuilt - decode(far)).max()
        path = decode((1 - STEPS) * far[0] + STEPS * far[1])
        off = np.abs(path - fade(path)).max()
        assert (gap < ROUNDING and off < ROUNDING) if bend == 0 else (gap > 1 and off > 1)


@pytest.mark.statement("C37")
def test_clipping_and_fresh_coefficients_are_no_cross_fades():
    X, y = labelled()
    model = LinearGenerativeModel(PCA(3), clip=(-1, 1)).fit(X, y)
    ends = model.transform(X[y == 4][:2])
    path = model.interpolate(*ends, len(STEPS), y=4)
    assert np.abs(path - fade(path)).max() > 0.1
    decoder = VariationalMMLR(noise="fixed", prior="fixed").fit(model.transform(X[y == 4]), X[y == 4])
    Z = (1 - STEPS) * ends[0] + STEPS * ends[1]
    fresh = decoder.sample_y(Z, 1, 0, noise=False)[0]
    spread = np.sqrt(np.c_[Z, np.ones(len(Z))] @ decoder.coef_cov_ @ np.c_[Z, np.ones(len(Z))].T).diagonal().min()
    assert np.abs(fresh - fade(fresh)).max() > spread  # of 12 x 5 independent draws the largest passes one sd


@pytest.mark.statement("C37")
def test_an_encoder_that_is_not_affine_walks_off_the_cross_fade_of_the_originals():
    X, y = labelled()
    model = LinearGenerativeModel(KernelPCA(3, kernel="rbf", gamma=0.01), MMLR()).fit(X, y)
    u, v = X[y == 4][:2]
    path = model.interpolate(*model.transform([u, v]), len(STEPS), y=4)
    assert_allclose(path, fade(path), atol=ROUNDING)  # part 1 needs only the decoder
    assert np.abs(path - model.reconstruct((1 - STEPS) * u + STEPS * v, 4)).max() > 0.1


def test_a_great_circle_shows_its_two_ends_with_other_weights():
    X, y = labelled()
    model = LinearGenerativeModel(PCA(3), MMLR(), ClassGaussian()).fit(X, y)
    a, c = np.random.default_rng(0).normal(size=(2, 3))
    a, c = 2 * a / np.linalg.norm(a), 2 * c / np.linalg.norm(c)
    centre = model.inverse_transform(np.zeros((1, 3)), 4)
    straight, circle = (model.interpolate(a, c, 3, y=4, path=path)[1] for path in ("straight", "great-circle"))
    angle = np.arccos(a @ c / 4)
    assert_allclose(circle - centre[0], (straight - centre[0]) / np.cos(angle / 2), atol=ROUNDING)
    assert_allclose(np.linalg.norm(great_circle(a, c, 9), axis=1), 2, atol=ROUNDING)
