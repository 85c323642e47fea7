"""The naive autoencoder: composition, errors for every k, paths, bad input."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.decomposition import KernelPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge

from linvae import MMLR, PCA, LinearGenerativeModel, Moments


def rows(n=80, d=12, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 1


def test_the_model_is_its_decoder_after_its_encoder():
    X = rows()
    model = LinearGenerativeModel(PCA(3), MMLR()).fit(X)
    encoder = PCA(3).fit(X)
    decoder = MMLR().fit(encoder.transform(X), X)
    assert_allclose(model.transform(X), encoder.transform(X))
    assert_allclose(model.reconstruct(X), decoder.predict(encoder.transform(X)), atol=1e-10)
    assert model.get_feature_names_out().shape == (3,)


def test_class_moments_are_enough_to_fit():
    X = rows()
    a, b = (LinearGenerativeModel(PCA(3)) for _ in range(2))
    a.fit(X)
    b.fit_moments(Moments.by_class(X, np.arange(80) % 4))
    assert_allclose(a.reconstruct(X), b.reconstruct(X), atol=1e-10)


def test_the_default_encoder_keeps_eight_codes_or_as_many_as_there_are_pixels():
    assert LinearGenerativeModel().fit(rows()).transform(rows()).shape == (80, 8)
    assert LinearGenerativeModel().fit(rows(d=3)).transform(rows(d=3)).shape == (80, 3)


@pytest.mark.parametrize("decoder", [None, MMLR(alpha=5.0)])
@pytest.mark.parametrize("encoder", [PCA(6), TruncatedSVD(6, random_state=0)])
def test_errors_for_every_k_are_those_of_k_fits(encoder, decoder):
    X, new = rows(), rows(seed=1)
    model = LinearGenerativeModel(encoder, decoder).fit(X)
    errors = model.reconstruction_error(new)
    assert errors.shape == (7,)
    assert errors[0] == pytest.approx(np.mean(np.sum((new - X.mean(axis=0)) ** 2, axis=1)), rel=1e-12)
    for k in range(1, 7):
        refit = (decoder or MMLR()).fit(model.transform(X)[:, :k], X)
        slow = np.mean(np.sum((new - refit.predict(model.transform(new)[:, :k])) ** 2, axis=1))
        assert errors[k] == pytest.approx(slow, rel=1e-9)
    assert_allclose(model.reconstruction_error(new, [2, 5]), errors[[2, 5]])


def test_the_training_error_of_pca_is_the_sum_of_the_discarded_eigenvalues():
    X = rows()
    variances = PCA().fit(X).explained_variance_
    errors = LinearGenerativeModel(PCA()).fit(X).reconstruction_error(X)
    assert_allclose(errors, np.append(variances[::-1].cumsum()[::-1], 0), atol=1e-11 * errors[0])


def test_any_transformer_may_stand_as_the_encoder():
    X = rows()
    model = LinearGenerativeModel(KernelPCA(4, kernel="rbf", gamma=0.01)).fit(X)
    assert model.reconstruct(X).shape == X.shape
    assert model.reconstruction_error(X)[-1] < model.reconstruction_error(X)[0]


def test_a_path_starts_and_ends_where_told_and_is_straight():
    model = LinearGenerativeModel(PCA(2)).fit(rows())
    a, b = np.array([1.0, 2.0]), np.array([-3.0, 0.0])
    path = model.interpolate(a, b, n_steps=5)
    assert path.shape == (5, 12)
    assert_allclose(path[[0, -1]], model.inverse_transform([a, b]))
    assert_allclose(np.diff(path, n=2, axis=0), 0, atol=1e-12)  # a cross-fade: equal steps in every pixel


def test_float32_images_come_back_as_float32():
    X = rows().astype(np.float32)
    model = LinearGenerativeModel(PCA(2)).fit(X)
    assert model.reconstruct(X).dtype == model.interpolate(*model.transform(X[:2])).dtype == np.float32


def test_an_encoder_fitted_on_rows_gets_the_labels():
    X, y = rows(), np.arange(80) % 3
    model = LinearGenerativeModel(LinearDiscriminantAnalysis()).fit(X, y)
    assert model.transform(X).shape == (80, 2)


def test_errors_of_float32_images_are_computed_in_float64():
    X = (rows() + 1e4).astype(np.float32)
    assert LinearGenerativeModel(PCA(12)).fit(X).reconstruction_error(X)[-1] < 1e-9


def test_parts_that_take_no_moments_are_named():
    with pytest.raises(TypeError, match="TruncatedSVD is fitted on rows"):
        LinearGenerativeModel(TruncatedSVD(2)).fit_moments({0: Moments.of(rows())})
    with pytest.raises(TypeError, match="Ridge has no fit_moments"):
        LinearGenerativeModel(PCA(2), Ridge()).fit(rows())


def test_an_unfitted_model_says_so():
    with pytest.raises(NotFittedError):
        LinearGenerativeModel(PCA(2)).interpolate([0, 0], [1, 1])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.set_params(conditional="both").fit(rows()), "conditional='both' is not known"),
        (lambda m: m.set_params(encoder=PCA(13)).fit(rows()), "span only 12 directions"),
        (lambda m: m.inverse_transform(np.zeros((1, 3))), "Z has 3 codes a row"),
        (lambda m: m.transform(rows(d=5)), "5 features"),
        (lambda m: m.interpolate([0, 0], [1, 1], n_steps=1), "n_steps=1"),
        (lambda m: m.interpolate([0, 0], [1, 1], n_steps=2.5), "n_steps=2.5"),
        (lambda m: m.interpolate([0, 0], [1], n_steps=2), "Z has 1 codes a row"),
        (lambda m: m.reconstruction_error(rows(), [1.0]), r"k=1\.0 but there"),
        (lambda m: m.interpolate([0, 0, 0], [1, 1, 1]), "Z has 3 codes a row but"),
        (lambda m: m.reconstruction_error(rows(), [3]), "k=3 but there are 2 codes"),
        (lambda m: m.reconstruct([[np.nan] * 12]), "NaN"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call(LinearGenerativeModel(PCA(2)).fit(rows()))
