"""Mixtures of PPCA and the pixel link: laws, PPCA and scikit-learn as rivals, known truth, bad input.

Statements C44, C45 and C49.
"""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from scipy.stats import wasserstein_distance
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture

from linvae import MMLR, PCA, PPCA, LinearGenerativeModel, MixturePPCA, PixelLink
from linvae.datasets import load_mnist
from linvae.metrics import wasserstein1
from linvae.mixtures import Parts


def clumps(n=400, d=6, n_parts=3, seed=0, apart=6.0):
    """Rows about several centres, each clump with two loud directions of its own; and which clump a row is of."""
    rng = np.random.default_rng(seed)
    part = rng.choice(n_parts, n, p=np.arange(1, n_parts + 1) / (n_parts * (n_parts + 1) / 2))
    centres, loads = apart * rng.normal(size=(n_parts, d)), rng.normal(size=(n_parts, 2, d))
    codes = rng.normal(size=(n, 2))
    return centres[part] + np.einsum("nk,nkd->nd", codes, loads[part]) + 0.3 * rng.normal(size=(n, d)), part


def covariances(parts):
    """Return the covariance of each part, written out."""
    d = parts.means.shape[1]
    extra = parts.variances - parts.noise_variances[:, None]
    return np.array(
        [V.T * e @ V + s2 * np.eye(d) for V, e, s2 in zip(parts.directions, extra, parts.noise_variances, strict=True)]
    )


def as_gaussian_mixture(parts):
    """Return scikit-learn's mixture with the same parameters."""
    mixture = GaussianMixture(len(parts.weights))
    mixture.weights_, mixture.means_, mixture.covariances_ = parts.weights, parts.means, covariances(parts)
    mixture.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(mixture.covariances_))
    return mixture


@pytest.fixture(scope="module")
def threes():
    X, y = load_mnist("train")
    return X[y == 3].astype(np.float64)


@pytest.mark.statement("C45")
@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(0, 4), st.sampled_from([4, 30]))
def test_no_turn_of_em_lowers_the_likelihood(seed, n_parts, k, d):
    X = clumps(120, d, seed=seed)[0]
    X[:, 0] *= 1 + np.abs(X[:, 1])  # not what the model assumes
    model = MixturePPCA(n_parts, min(k, d - 1), tol=1e-12, max_iter=40, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        trace = model.fit(X).log_likelihood_trace_[None]
    # Each entry is a mean of sums of d terms, rounded to some 1e-13 of their size.
    assert np.diff(trace).min(initial=0) > -1e-11 * np.abs(trace).max()
    assert_allclose(model.score(X), trace[-1], rtol=1e-9)


@pytest.mark.statement("C45")
def test_em_climbs_on_real_digits_too(threes):
    trace = MixturePPCA(5, 8, random_state=0).fit(threes).log_likelihood_trace_[None]
    assert len(trace) > 5
    assert trace[-1] > trace[0] + 1  # nats an image
    assert np.diff(trace).min() > -1e-9  # of some 400 nats


@pytest.mark.statement("C45")
def test_where_em_rests_each_part_is_the_ppca_of_its_weighted_moments():
    X = clumps(apart=0.3)[0]
    model = MixturePPCA(3, 2, tol=1e-13, max_iter=2000, random_state=0).fit(X)
    parts = model.parts_[None]
    shares = parts.responsibilities(X)
    assert np.mean((shares > 0.01) & (shares < 0.99)) > 0.05
    for a, share in enumerate(shares.T):
        mean = np.average(X, axis=0, weights=share)
        values, vectors = np.linalg.eigh(np.cov(X.T, aweights=share, bias=True))
        assert_allclose(parts.weights[a], share.mean(), rtol=1e-5)  # EM is at rest to the root of tol
        assert_allclose(parts.means[a], mean, atol=1e-5)
        assert_allclose(parts.variances[a], values[:-3:-1], rtol=1e-4)
        assert_allclose(parts.noise_variances[a], values[:-2].mean(), rtol=1e-4)
        assert_allclose(parts.directions[a].T @ parts.directions[a], vectors[:, -2:] @ vectors[:, -2:].T, atol=1e-4)


@pytest.mark.statement("C45")
@pytest.mark.parametrize(("n", "d"), [(200, 6), (20, 40)])
@pytest.mark.parametrize("k", [1, 3])
def test_with_one_part_it_is_ppca(n, d, k):
    X = clumps(n, d)[0]
    mixture, ppca = MixturePPCA(1, k).fit(X), PPCA(k).fit(X)
    assert_allclose(covariances(mixture.parts_[None])[0], ppca.get_covariance(), atol=1e-10)
    assert_allclose(mixture.score_samples(X), ppca.score_samples(X), rtol=1e-9)
    assert_allclose(mixture.parts_[None].noise_variances, ppca.noise_variance_)


def test_with_no_codes_the_parts_are_balls():
    X = clumps()[0]
    parts = MixturePPCA(1, 0).fit(X).parts_[None]
    assert_allclose(parts.noise_variances, X.var(axis=0).mean())
    assert_allclose(covariances(parts)[0], X.var(axis=0).mean() * np.eye(6))


@pytest.mark.parametrize("d", [5, 30])
def test_density_and_responsibilities_are_scikit_learns(d):
    X = clumps(d=d)[0]
    model = MixturePPCA(3, 2, random_state=0).fit(X)
    rival = as_gaussian_mixture(model.parts_[None])
    points = X + np.random.default_rng(1).normal(size=X.shape)
    assert_allclose(model.score_samples(points), rival.score_samples(points), rtol=1e-9)
    assert_allclose(model.parts_[None].responsibilities(points), rival.predict_proba(points), atol=1e-9)


@pytest.mark.statement("C45")
def test_parts_that_made_the_images_are_found_again():
    truth = Parts(
        np.array([0.2, 0.3, 0.5]),
        np.array([[5.0, 0, 0, 0], [0, 5, 0, 0], [0, 0, -5, 0]]),
        np.array([[[0, 0, 0, 1.0]], [[0.6, 0, 0.8, 0]], [[1.0, 0, 0, 0]]]),
        np.array([[4.0], [2.0], [3.0]]),
        np.array([0.25, 0.5, 0.1]),
    )
    n = 20_000
    X = truth.draw(n, True, np.random.RandomState(0))
    found = MixturePPCA(3, 1, n_init=3, random_state=0).fit(X).parts_[None]
    order = np.argsort(found.weights)
    of_part = n * truth.weights
    # 5 standard errors; the parts hardly overlap, so they are those of samples that come sorted.
    assert (np.abs(found.weights[order] - truth.weights) < 5 * np.sqrt(truth.weights / n)).all()
    assert (np.abs(found.means[order] - truth.means) < 5 * np.sqrt(4 / of_part)[:, None]).all()
    assert (np.abs(found.variances[order] / truth.variances - 1) < 5 * np.sqrt(2 / of_part)[:, None]).all()
    noise = np.sqrt(2 / (3 * of_part))
    assert (np.abs(found.noise_variances[order] / truth.noise_variances - 1) < 5 * noise).all()
    cosines = np.einsum("akd,akd->a", found.directions[order], truth.directions)
    assert (np.abs(cosines) > 0.999).all()


@pytest.mark.statement("C45")
@pytest.mark.parametrize("k", [2, 5])
def test_the_parts_put_together_have_mean_and_total_variance_of_the_class(k):
    X = clumps()[0]
    parts = MixturePPCA(3, k, random_state=0).fit(X).parts_[None]
    mean = parts.weights @ parts.means
    off = parts.means - mean
    whole = np.einsum("a,aij->ij", parts.weights, covariances(parts) + np.einsum("ai,aj->aij", off, off))
    assert_allclose(mean, X.mean(axis=0), rtol=1e-12)
    assert_allclose(np.trace(whole), X.var(axis=0).sum(), rtol=1e-12)
    if k == 5:  # one direction for the noise, so a part holds all of its covariance
        assert_allclose(whole, np.cov(X.T, bias=True), atol=1e-12 * np.trace(whole))


def test_draws_with_noise_have_the_moments_of_the_density_and_without_lie_on_flats():
    model = MixturePPCA(3, 2, random_state=0).fit(clumps()[0])
    parts = model.parts_[None]
    X = model.sample(40_000, noise=True, random_state=1)[0]
    mean = parts.weights @ parts.means
    off = parts.means - mean
    C = np.einsum("a,aij->ij", parts.weights, covariances(parts) + np.einsum("ai,aj->aij", off, off))
    assert (np.abs(X.mean(axis=0) - mean) < 5 * np.sqrt(np.diag(C) / len(X))).all()
    products = np.einsum("ni,nj->nij", X - mean, X - mean)
    assert (np.abs(products.mean(axis=0) - C) < 5 * products.std(axis=0) / np.sqrt(len(X))).all()
    own = parts.responsibilities(X).argmax(axis=1)  # the clumps lie far apart
    shares = np.bincount(own) / len(X)
    assert (np.abs(shares - parts.weights) < 5 * np.sqrt(parts.weights / len(X))).all()
    flat = model.sample(500, random_state=1)[0]
    own = parts.responsibilities(flat).argmax(axis=1)
    for a, directions in enumerate(parts.directions):
        off = flat[own == a] - parts.means[a]
        assert_allclose(off @ directions.T @ directions, off, atol=1e-12 * np.abs(flat).max())
        # Along a direction: its variance less the noise, 5 standard errors.
        expected = parts.variances[a] - parts.noise_variances[a]
        assert (np.abs((off @ directions.T).var(axis=0) / expected - 1) < 5 * np.sqrt(2 / len(off))).all()


def test_the_variance_along_a_direction_holds_the_noise_once_and_without_noise_is_less():
    parts = Parts(np.ones(1), np.zeros((1, 2)), np.array([[[0.6, 0.8]]]), np.array([[4.0]]), np.array([1.0]))
    for noise, expected in ((False, 3), (True, 4)):
        along = parts.draw(20_000, noise, np.random.RandomState(0)) @ parts.directions[0, 0]
        assert abs(along.var() / expected - 1) < 5 * np.sqrt(2 / 20_000)  # 5 standard errors


def test_a_part_of_too_few_images_is_given_up_and_its_images_go_to_others():
    X = clumps(100, n_parts=1)[0]
    odd = np.array([[50.0, 0, 0, 0, 0, 0], [51, 0, 0, 0, 0, 0], [50, 1, 0, 0, 0, 0]])
    model = MixturePPCA(2, 2, random_state=0).fit(np.vstack([X, odd]))
    assert model.n_parts_ == {None: 1}  # three images span two directions, and two codes would leave no noise
    assert_allclose(model.score_samples(X), MixturePPCA(1, 2).fit(np.vstack([X, odd])).score_samples(X))
    both = np.vstack([X, X + 20, odd])
    model = MixturePPCA(3, 2, random_state=0).fit(both)  # the smallest is, and no other
    assert np.ptp(model.parts_[None].means, axis=0).max() > 15
    two = MixturePPCA(2, 1, random_state=0).fit(np.vstack([X, odd]))
    assert two.n_parts_ == {None: 2}
    assert_allclose(two.parts_[None].weights.min(), 3 / 103)


@pytest.mark.parametrize("seed", [6, 17, 24, 27, 31])  # of those where a part is given up on the way
def test_the_trace_starts_again_where_a_part_is_given_up(seed):
    model = MixturePPCA(6, 2, tol=1e-6, max_iter=300, random_state=0).fit(clumps(40, 8, seed=seed, apart=0.3)[0])
    assert model.n_parts_[None] < 6
    assert np.diff(model.log_likelihood_trace_[None]).min() > -1e-12


def test_a_part_that_is_flat_keeps_the_least_noise_and_a_finite_density():
    rng = np.random.default_rng(0)
    flat = np.c_[rng.normal(size=(50, 2)), np.zeros((50, 3))]
    X = np.vstack([flat, 20 + rng.normal(size=(50, 5))])
    model = MixturePPCA(2, 2, min_noise_variance=1e-4, random_state=0).fit(X)
    assert_allclose(model.parts_[None].noise_variances.min(), 1e-4 * X.var(axis=0).mean())
    assert np.isfinite(model.score_samples(X)).all()


@pytest.mark.parametrize("d", [5, 80])
def test_directions_in_which_a_part_has_no_variance_are_noise_like_any_other(d):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2)) @ rng.normal(size=(2, d))
    parts = MixturePPCA(2, 4, min_noise_variance=1e-4, random_state=0).fit(X).parts_[None]
    assert_allclose(parts.variances[:, 2:], parts.noise_variances[:, None] * [[1, 1]])
    points = X + 0.1 * rng.normal(size=X.shape)
    assert_allclose(as_gaussian_mixture(parts).score_samples(points), logsumexp(parts.log_joint(points), axis=1))


@pytest.mark.parametrize("d", [5, 80])
def test_a_part_of_copies_draws_copies(d):
    rng = np.random.default_rng(0)
    X = np.vstack([np.ones((20, d)), 20 + rng.normal(size=(20, d))])
    images = MixturePPCA(2, 3, random_state=0).fit(X).sample(100, random_state=0)[0]
    assert_allclose(images[images[:, 0] < 10], 1)


def test_of_several_starts_the_most_likely_is_kept():
    X = clumps(300, n_parts=8)[0]
    seeds = np.random.RandomState(3)
    one_by_one = [MixturePPCA(6, 1, random_state=seeds).fit(X).score(X) for _ in range(6)]
    assert np.ptp(one_by_one) > 0.01
    assert_allclose(MixturePPCA(6, 1, n_init=6, random_state=3).fit(X).score(X), max(one_by_one))


def test_each_class_has_a_mixture_of_its_own():
    X, part = clumps()
    y = np.where(part == 2, "coat", "bag")
    model = MixturePPCA(2, 1, random_state=np.random.RandomState(0)).fit(X, y)
    seeds = np.random.RandomState(0)
    alone = {label: MixturePPCA(2, 1, random_state=seeds).fit(X[y == label]) for label in ("bag", "coat")}
    assert model.classes_ == ["bag", "coat"]
    assert model.class_counts_ == [np.sum(y == "bag"), np.sum(y == "coat")]
    expected = np.where(y == "bag", alone["bag"].score_samples(X), alone["coat"].score_samples(X))
    assert_allclose(model.score_samples(X, y), expected)
    assert_allclose(model.score_samples(X[:5], "coat"), alone["coat"].score_samples(X[:5]))
    each = [np.log(count / 400) + alone[label].score_samples(X) for label, count in
            zip(model.classes_, model.class_counts_, strict=True)]  # fmt: skip
    assert_allclose(model.score_samples(X), np.logaddexp(*each))
    assert_allclose(model.score(X, y), expected.mean())


def test_labels_are_drawn_as_in_training_or_as_asked():
    X, part = clumps()
    y = np.where(part == 2, "coat", "bag")
    model = MixturePPCA(1, 1).fit(X, y)
    images, labels = model.sample(4000, random_state=0)
    share = np.mean(y == "coat")
    assert abs(np.mean(labels == "coat") - share) < 5 * np.sqrt(share / 4000)  # 5 standard errors
    asked = np.tile(["coat", "bag"], 50)
    images, labels = model.sample(100, asked, random_state=0)
    assert_array_equal(labels, asked)
    for label in ("coat", "bag"):
        off = images[asked == label] - X[y == label].mean(axis=0)
        assert_allclose(off - np.outer(off @ off[0], off[0]) / (off[0] @ off[0]), 0, atol=1e-9)  # on one line each
    assert MixturePPCA(1, 1).fit(X).sample(3)[1] is None


@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (255.0, 0.0), (1.0, 1e6)])
def test_units_and_offsets_do_not_matter(scale, shift):
    X = clumps()[0]
    plain, other = (MixturePPCA(3, 2, random_state=0).fit(rows) for rows in (X, scale * X + shift))
    # A density in other units is divided by the unit, once for each pixel; an offset of 1e6 costs six digits.
    assert_allclose(other.score(scale * X + shift), plain.score(X) - 6 * np.log(scale), atol=1e-6)


def test_float32_images_give_float32_draws_and_bytes_are_read():
    X = np.rint(10 * clumps()[0] + 128).clip(0, 255).astype(np.uint8)
    models = {kind: MixturePPCA(2, 2, random_state=0).fit(X.astype(kind)) for kind in ("uint8", "float32", "float64")}
    assert models["float32"].sample(3)[0].dtype == np.float32
    assert models["uint8"].sample(3)[0].dtype == np.float64
    scores = {kind: model.score(X.astype(kind)) for kind, model in models.items()}
    assert_allclose(scores["uint8"], scores["float64"])
    assert_allclose(scores["float32"], scores["float64"])


def test_a_climb_that_is_cut_short_says_so():
    with pytest.warns(ConvergenceWarning, match="max_iter=2 turns .* raise max_iter or tol"):
        MixturePPCA(3, 2, tol=1e-9, max_iter=2, random_state=0).fit(clumps(apart=0.3)[0])


X, PART = clumps()
Y = np.where(PART == 2, "coat", "bag")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: MixturePPCA(0).fit(X), "n_parts=0; give a whole number of 1 or more"),
        (lambda: MixturePPCA(2, -1).fit(X), "n_components=-1; give a whole number of 0 or more"),
        (lambda: MixturePPCA(2, 6).fit(X), "n_components=6 but n_features=6, .* at most 5"),
        (lambda: MixturePPCA(2, 2, n_init=0).fit(X), "n_init=0"),
        (lambda: MixturePPCA(2, 2, tol=0).fit(X), "tol=0; a rise in nats is a finite number above 0"),
        (lambda: MixturePPCA(2, 2, min_noise_variance=0.0).fit(X), "min_noise_variance=0.0; a share of the variance"),
        (lambda: MixturePPCA(9, 2).fit(X[:8]), "n_samples=8 but n_parts=9 of 2 codes need 9 images"),
        (lambda: MixturePPCA(1, 3).fit(X[:4]), "n_samples=4 but n_parts=1 of 3 codes need 5 images"),
        (lambda: MixturePPCA(300, 2).fit(X, Y), "class 'bag' has n_samples=.* lower n_parts or n_components"),
        (lambda: MixturePPCA(1, 2).fit(0 * X + 0.1), "all n_samples=400 images are equal"),
        (lambda: MixturePPCA(1, 1).fit(X, Y).sample(2, "shoe"), "label 'shoe' was not seen in fit"),
        (lambda: MixturePPCA(1, 1).fit(X, Y).score_samples(X, "shoe"), "label 'shoe' was not seen in fit"),
        (lambda: MixturePPCA(1, 1).fit(X).sample(0), "n_samples=0"),
        (lambda: MixturePPCA(1, 1).fit(X, Y[:3]), "inconsistent numbers of samples: .400, 3."),
        (lambda: MixturePPCA().sample(), "not fitted"),
        (lambda: PixelLink(MixturePPCA()).sample(), "not fitted"),
        (lambda: PixelLink(MixturePPCA(), n_draws=0).fit(X), "n_draws=0; give a whole number of 1 or more"),
        (lambda: PixelLink(MixturePPCA(), n_levels=0).fit(X), "n_levels=0; give a whole number of 1 or more"),
        (lambda: PixelLink(MixturePPCA(2, 6)).fit(X), "n_components=6 but n_features=6"),
        (lambda: PixelLink(MixturePPCA(1)).fit(X, Y).link(X), "y is None, or holds None; give one of the classes"),
        (lambda: PixelLink(MixturePPCA(1)).fit(X, Y).link(X, "shoe"), "label 'shoe' was not seen in fit"),
        (lambda: PixelLink(MixturePPCA(1)).fit(X, Y).link(X[:, :3], Y), "3 features"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises((ValueError, NotFittedError), match=words):
        call()


class Box(BaseEstimator):
    """A model that draws the rows it was given, all in order and again from the first; the simplest thing to link."""

    def __init__(self, rows, labels=None):
        self.rows = rows
        self.labels = labels

    def fit(self, X, y=None):
        self.classes_ = [None] if self.labels is None else sorted(set(self.labels))
        return self

    def sample(self, n_samples, y=None, random_state=None):
        own = self.rows if self.labels is None else self.rows[self.labels == y]
        return np.resize(own, (n_samples, own.shape[1])), None if y is None else np.full(n_samples, y)


def inked(n, d=5, seed=0):
    """Gray levels on the grid of bytes, black in more than half of the pixels."""
    rng = np.random.default_rng(seed)
    return (np.rint(255 * rng.beta(0.5, 0.8, size=(n, d))) * (rng.random((n, d)) < 0.4) / 255).astype(np.float64)


@pytest.mark.statement("C44")
@pytest.mark.parametrize("times", [1, 3])
def test_linked_draws_have_the_gray_levels_of_the_training_images_one_by_one(times):
    real = inked(60)
    drawn = np.random.default_rng(1).normal(size=(60 * times, 5)) * [1, 2, 3, 4, 5] + 7
    linked = PixelLink(Box(drawn), n_draws=60 * times).fit(real).link(drawn)
    assert_array_equal(np.sort(linked, axis=0), np.repeat(np.sort(real, axis=0), times, axis=0))
    assert_array_equal(np.mean(linked == 0, axis=0), np.mean(real == 0, axis=0))


@pytest.mark.statement("C44")
def test_on_real_digits_new_draws_have_the_blacks_of_the_training_digits(threes):
    model = PixelLink(MixturePPCA(3, 8, random_state=0), n_draws=8000, random_state=0).fit(threes)
    linked, _ = model.sample(4000, random_state=1)
    assert set(np.unique(linked)) <= set(np.unique(threes))
    black = np.mean(threes == 0, axis=0)
    # 5 standard errors: of 4,000 draws, of the 8,000 that the curves were measured on, and one step of a curve.
    error = np.sqrt(black * (1 - black) * (1 / 4000 + 1 / 8000))
    assert (np.abs(np.mean(linked == 0, axis=0) - black) < 5 * error + 2 / len(threes)).all()
    assert_array_equal(linked[:, black == 1], 0)


@pytest.mark.statement("C44")
@given(st.integers(0, 2**32 - 1))
def test_what_is_brighter_stays_brighter(seed):
    rng = np.random.default_rng(seed)
    model = PixelLink(Box(rng.normal(size=(50, 5)).round(1)), n_draws=50).fit(inked(37, seed=seed))
    dark = rng.normal(size=(20, 5)).round(1)
    bright = dark + rng.choice([0, 0.3, 2.0], size=dark.shape)
    assert (model.link(dark) <= model.link(bright)).all()


@pytest.mark.statement("C44")
@given(arrays(float, (12, 3), elements=st.sampled_from([0.0, 0.0, 0.25, 0.5, 1.0])))
def test_a_model_that_draws_the_training_images_is_left_as_it_is(real):
    assert_array_equal(PixelLink(Box(real), n_draws=len(real)).fit(real).link(real), real)


@pytest.mark.statement("C44")
def test_linked_gaussians_keep_their_copula():
    rng = np.random.default_rng(0)
    drawn = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 2000)
    linked = PixelLink(Box(drawn), n_draws=2000, n_levels=2000).fit(rng.exponential(size=(2000, 2))).link(drawn)
    # The ranks of a column are what no rising curve changes.
    assert_array_equal(linked.argsort(axis=0), drawn.argsort(axis=0))
    assert abs(np.corrcoef(linked.T)[0, 1] - np.corrcoef(drawn.T)[0, 1]) > 0.02  # a correlation is another thing


def test_each_class_has_curves_of_its_own():
    real, y = np.vstack([inked(60), 1 - inked(60, seed=1)]), np.repeat([3, 8], 60)
    drawn = np.random.default_rng(2).normal(size=(120, 5))
    model = PixelLink(Box(drawn, y), n_draws=60).fit(real, y)
    linked = model.link(drawn, y)
    for label in (3, 8):
        assert_array_equal(np.sort(linked[y == label], axis=0), np.sort(real[y == label], axis=0))
    turned = model.link(drawn[::-1], y[::-1])
    assert_array_equal(turned[::-1], linked)
    assert_array_equal(model.link(drawn[:1], 8), model.link(drawn[[0, 5]], [8, 3])[:1])  # an image alone is bent alike


@pytest.mark.parametrize("of_model", [0.2, 0.6, 0.9])
def test_a_black_of_the_models_own_stays_black(of_model):
    real = np.r_[np.zeros(60), np.linspace(0.1, 1, 40)][:, None]
    n_black = round(100 * of_model)
    drawn = np.r_[np.zeros(n_black), np.linspace(2, 3, 100 - n_black)][:, None]
    linked = PixelLink(Box(drawn), n_draws=100).fit(real).link(drawn)
    # Below the share of real blacks nothing is lost; above it no curve could split what the model draws alike.
    assert_allclose(np.mean(linked == 0), max(of_model, 0.6))
    assert_array_equal(linked[max(n_black, 60) :], real[max(n_black, 60) :])


def test_fewer_levels_or_draws_give_coarser_curves_that_are_right_to_a_step():
    real = np.linspace(0, 1, 1001)[:, None]
    drawn = np.random.default_rng(0).normal(size=(4000, 1))
    for options, m in (({"n_levels": 100}, 100), ({"n_draws": 50}, 50)):
        model = PixelLink(Box(drawn), **options).fit(real)
        assert model.levels_[None].shape == (m, 1)
        assert model.cuts_[None].shape == (m - 1, 1)
        assert_allclose(model.levels_[None][:, 0], (np.arange(m) + 0.5) / m, atol=1e-3)


@pytest.mark.parametrize(
    "model",
    [
        MixturePPCA(2, 3, random_state=0),
        LinearGenerativeModel(PCA(4), MMLR()),
        LinearGenerativeModel(PCA(4), MMLR(), conditional="none"),
    ],
)
def test_a_linear_model_is_fitted_and_linked_in_one(model, threes):
    X, y = load_mnist("test")
    linked = PixelLink(model, n_draws=400, random_state=0).fit(X, y)
    assert not hasattr(model, "classes_")
    images, labels = linked.sample(50, random_state=0)
    assert images.dtype == np.float32
    assert set(np.unique(images)) <= set(np.unique(X))
    drawn, same = linked.model_.sample(50, random_state=0)
    assert (labels is None) == (same is None) == (linked.classes_ == [None])
    assert_array_equal(linked.link(drawn, labels), images)


def test_a_model_that_is_fitted_already_is_not_fitted_again():
    X, y = load_mnist("test")
    mixture = MixturePPCA(1, 2).fit(X[:1000], y[:1000])
    linked = PixelLink(FrozenEstimator(mixture), n_draws=100, random_state=0).fit(X[1000:], y[1000:])
    assert linked.model_.estimator is mixture
    assert linked.sample(3, 7, random_state=0)[0].shape == (3, 784)


def test_a_network_wears_the_same_link():
    pytest.importorskip("torch")
    from linvae.deep import Autoencoder

    X, y = load_mnist("test")
    network = Autoencoder(4, hidden=16, n_epochs=1, patience=None, random_state=0)
    images, labels = PixelLink(network, n_draws=300, random_state=0).fit(X, y).sample(400, 1, random_state=0)
    ones = X[y == 1]
    assert abs(np.mean(images == 0) - np.mean(ones == 0)) < 0.02  # 784 pixels of 400 draws; 5 standard errors of one
    assert (labels == 1).all()


def pixel_distances(X, Y):
    """Return the 1-Wasserstein distance of each pixel's gray levels, by SciPy."""
    return np.array([wasserstein_distance(x, y) for x, y in zip(X.T, Y.T, strict=True)])


SMALL = st.integers(0, 2**32 - 1)


@pytest.mark.statement("C49")
@given(SMALL, st.integers(2, 9), st.integers(2, 9), st.integers(1, 6))
def test_w1_is_no_less_than_the_sum_of_the_pixels_distances(seed, n, m, d):
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(n, d)), rng.exponential(size=(m, d))
    assert wasserstein1(X, Y) >= pixel_distances(X, Y).sum() * (1 - 1e-12)


@pytest.mark.statement("C49")
def test_images_with_the_same_pixels_can_be_far_apart_so_the_sum_is_no_upper_bound():
    X, Y = np.array([[0.0, 0], [1, 1]]), np.array([[0.0, 1], [1, 0]])
    assert_allclose(pixel_distances(X, Y), 0)
    assert_allclose(wasserstein1(X, Y), 1)


@pytest.mark.statement("C49")
@given(SMALL)
def test_the_bound_is_met_where_every_pixel_is_bent_by_a_rising_curve(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(8, 4))
    assert_allclose(wasserstein1(X, np.exp(X)), pixel_distances(X, np.exp(X)).sum())


@pytest.mark.statement("C49")
def test_with_the_euclidean_ground_the_sum_is_no_bound():
    X, Y = np.zeros((1, 2)), np.ones((1, 2))
    assert_allclose(pixel_distances(X, Y).sum(), 2)
    assert_allclose(wasserstein1(X, Y, "euclidean"), np.sqrt(2))


@pytest.mark.statement("C49")
@given(SMALL, st.integers(3, 20))
def test_a_link_moves_images_by_the_sum_and_cannot_win_more_than_it(seed, n):
    rng = np.random.default_rng(seed)
    drawn, real = rng.normal(size=(n, 4)) @ rng.normal(size=(4, 4)), inked(n, 4, seed)
    linked = PixelLink(Box(drawn), n_draws=n).fit(real).link(drawn)
    total = pixel_distances(drawn, real).sum()
    assert_allclose(wasserstein1(drawn, linked), total)
    assert_allclose(np.abs(drawn - linked).sum(axis=1).mean(), total)
    assert wasserstein1(linked, real) >= wasserstein1(drawn, real) - total - 1e-9
    assert_allclose(pixel_distances(linked, real), 0, atol=1e-12)
