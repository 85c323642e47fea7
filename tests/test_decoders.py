"""MMLR: laws of least squares, scikit-learn as the rival, the collapse.  Statements C7, C36; ledger L3, L4, L5."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.linear_model import LinearRegression, Ridge

from linvae import MMLR, PCA, CrossMoments, LinearGenerativeModel, Moments
from linvae.datasets import load_mnist
from linvae.metrics import outside_span


def problem(n=60, k=4, d=6, seed=0):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, k)) @ rng.normal(size=(k, k)) + rng.normal(size=k)
    return Z, Z @ rng.normal(size=(k, d)) + rng.normal(size=d) + rng.normal(size=(n, d))


@pytest.fixture(scope="module")
def digits():
    return load_mnist("train")[0].astype(np.float64), load_mnist("test")[0].astype(np.float64)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1e3])
def test_mmlr_is_scikit_learns_regression(alpha, fit_intercept):
    Z, X = problem()
    theirs = Ridge(alpha, fit_intercept=fit_intercept) if alpha else LinearRegression(fit_intercept=fit_intercept)
    theirs.fit(Z, X)
    ours = MMLR(alpha, fit_intercept).fit(Z, X)
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8)  # the normal equations square a condition number of about 1e2
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-9)
    assert_allclose(ours.predict(Z), theirs.predict(Z), atol=1e-9)


def test_the_fit_from_moments_of_an_affine_code_equals_the_fit_from_rows():
    _, X = problem()
    A, b = np.random.default_rng(1).normal(size=(3, 6)), np.arange(3.0)
    from_moments = MMLR().fit_moments(CrossMoments.from_affine(Moments.of(X), A, b))
    from_rows = MMLR().fit(X @ A.T + b, X)
    assert_allclose(from_moments.coef_, from_rows.coef_, atol=1e-10)
    assert_allclose(from_moments.intercept_, from_rows.intercept_, atol=1e-10)


def test_residuals_are_orthogonal_to_the_codes_and_sum_to_zero():
    Z, X = problem()
    residual = X - MMLR().fit(Z, X).predict(Z)
    assert_allclose(residual.sum(axis=0), 0, atol=1e-10)
    assert_allclose(Z.T @ residual, 0, atol=1e-9)


@pytest.mark.parametrize("dependent", ["a copy", "a sum", "a constant", "more codes than rows", "all constant"])
def test_dependent_codes_get_the_least_norm_solution(dependent):
    Z, X = problem()
    Z = {
        "a copy": np.c_[Z, Z[:, 0]],
        "a sum": np.c_[Z, 100 * Z[:, :2].sum(axis=1)],
        "a constant": np.c_[Z, np.full(len(Z), 0.1)],
        "more codes than rows": np.random.default_rng(1).normal(size=(60, 90)),
        "all constant": np.full((60, 2), 0.5),
    }[dependent]
    ours, theirs = MMLR().fit(Z, X), LinearRegression().fit(Z, X)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-8)  # both are the pseudo-inverse's; conditions below 1e3
    assert_allclose(ours.predict(Z), theirs.predict(Z), atol=1e-8)


@given(st.integers(0, 2**32 - 1), st.floats(-6, 6))
def test_codes_of_very_different_units_are_not_taken_for_dependent(seed, exponent):
    Z, X = problem(seed=seed % 1000)
    unit = 10.0**exponent
    scaled = MMLR().fit(Z * [1, unit, 1, 1], X)
    assert_allclose(scaled.coef_ * [1, unit, 1, 1], MMLR().fit(Z, X).coef_, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("extra", ["nothing", "a constant", "a copy", "a sum"])
def test_an_uninformative_code_changes_no_prediction_whatever_the_units(extra):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(500, 2))
    x = z.sum(axis=1, keepdims=True)
    Z = z * [1e7, 1]
    Z = np.c_[Z, {"nothing": z[:, :0], "a constant": np.ones(500), "a copy": Z[:, 0], "a sum": Z.sum(axis=1)}[extra]]
    assert_allclose(MMLR().fit(Z, x).predict(Z), x, atol=1e-6)  # 1e7 times the rounding of the normal equations


def test_a_code_along_a_direction_without_variance_is_a_constant():
    rng = np.random.default_rng(0)
    for _ in range(20):
        X = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 6))
        flat = np.linalg.svd(X)[2][2:]
        A = np.stack([np.eye(6)[0], flat[0]])
        cross = CrossMoments.from_affine(Moments.of(X), A, np.zeros(2))
        assert cross.Szz[1, 1] == 0
        assert np.abs(MMLR().fit_moments(cross).coef_).max() < 1e3


@pytest.mark.parametrize("order", ["C", "F"])
def test_decoders_of_leading_codes_share_one_factor(order):
    Z, X = problem(k=6)
    Z = Z * 10.0 ** np.arange(-6, 6, 2)
    cross = CrossMoments.of(np.asarray(Z, order=order), X)
    fresh = [MMLR().fit_moments(CrossMoments.of(Z[:, :k], X)) for k in range(1, 7)]
    assert "factored" not in vars(cross.leading(3))  # nothing is known yet
    MMLR().fit_moments(cross)
    for k, alone in enumerate(fresh, start=1):
        part = cross.leading(k)
        assert all(np.shares_memory(a, b) for a, b in zip(part.factored, cross.factored, strict=True))
        shared = MMLR().fit_moments(part)
        # The same normal equations, of a condition of about 1e2, in another order of sums.
        assert_allclose(
            shared.coef_ * 10.0 ** np.arange(-6, 6, 2)[:k],
            alone.coef_ * 10.0 ** np.arange(-6, 6, 2)[:k],
            rtol=1e-9,
            atol=1e-12,
        )
        assert_allclose(shared.intercept_, alone.intercept_, rtol=1e-9, atol=1e-9)


def test_leading_codes_of_dependent_ones_are_decoded_all_the_same():
    Z, X = problem()
    cross = CrossMoments.of(np.c_[Z, Z[:, 0]], X)
    assert cross.factored is None
    assert_allclose(MMLR().fit_moments(cross.leading(4)).coef_, LinearRegression().fit(Z, X).coef_, rtol=1e-8)


def test_a_stored_record_leaves_out_what_can_be_had_again():
    cross = CrossMoments.of(*problem())
    size = len(pickle.dumps(cross))
    assert cross.factored is not None
    assert len(pickle.dumps(cross)) == size
    assert_allclose(pickle.loads(pickle.dumps(cross)).factored[2], cross.factored[2])


def test_a_code_that_varies_by_rounding_alone_gets_no_weight():
    Z, X = problem()
    rounding = np.where(np.arange(60) % 2, 0.3, 0.1 + 0.2)  # two neighbours in float64
    for alpha in (0.0, 1.0):
        model = MMLR(alpha).fit(np.c_[Z, rounding], X)
        assert_allclose(model.coef_[:, 4], 0, atol=1e-12)
        assert_allclose(model.coef_[:, :4], MMLR(alpha).fit(Z, X).coef_, rtol=1e-9)


@pytest.mark.parametrize("unit", [1e-12, 1e-8, 1e8])
def test_a_code_of_one_pixel_in_small_units_is_no_constant(unit):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)) * [unit, 1, 1]
    cross = CrossMoments.from_affine(Moments.of(X), [[1.0, 0, 0], [0, 1.0, 0]], np.zeros(2))
    assert_allclose(np.diag(cross.Szz), 200 * X[:, :2].var(axis=0), rtol=1e-10)


def test_a_code_of_little_variance_is_no_constant():
    rng = np.random.default_rng(0)
    x, e = rng.normal(size=(2, 200))
    X = np.c_[x, x + 1e-5 * e]
    cross = CrossMoments.from_affine(Moments.of(X), [[-1.0, 1.0]], [0.0])
    assert_allclose(cross.Szz, 200e-10 * e.var(), rtol=1e-4)  # rounding of 1e-16 beside 1e-10


def test_one_pixel_gives_one_dimensional_predictions():
    Z, X = problem()
    one, many = MMLR().fit(Z, X[:, 0]), MMLR().fit(Z, X[:, :1])
    assert one.predict(Z).shape == (60,)
    assert many.predict(Z).shape == (60, 1)
    assert one.coef_.shape == many.coef_.shape == (1, 4)


def test_float32_codes_give_float32_images():
    Z, X = problem()
    assert MMLR().fit(Z, X).predict(Z.astype(np.float32)).dtype == np.float32


def test_one_row_is_answered_by_itself():
    assert_allclose(MMLR().fit([[1.0, 2.0]], [[3.0, 4.0]]).predict([[9.0, 9.0]]), [[3, 4]])


@pytest.mark.parametrize("alpha", [-1.0, np.nan, np.inf, "big", True])
def test_a_wrong_penalty_is_named(alpha):
    with pytest.raises(ValueError, match=f"alpha={alpha!r}; a ridge penalty"):
        MMLR(alpha).fit(*problem())


def test_no_rows_are_named():
    with pytest.raises(ValueError, match="n=0"):
        MMLR().fit_moments(CrossMoments.of(np.zeros((0, 2)), np.zeros((0, 3))))


@pytest.mark.statement("C7")
def test_the_decoder_of_the_scores_is_the_encoder_transposed(digits):
    X, _ = digits
    pca = PCA(16).fit(X)
    mmlr = MMLR().fit(pca.transform(X), X)
    assert_allclose(mmlr.coef_, pca.components_.T, atol=1e-10)
    assert_allclose(mmlr.intercept_, pca.mean_, atol=1e-10)


@pytest.mark.statement("C7")
def test_regressing_on_the_low_rank_matrix_gives_the_projector(digits):
    X, _ = digits
    pca = PCA(16).fit(X)
    V = pca.components_.T
    X_c = X - pca.mean_
    X_tilde = X_c @ V @ V.T
    assert_allclose(MMLR().fit(X_tilde, X_c).coef_, V @ V.T, atol=1e-9)
    assert_allclose(np.linalg.pinv(X_tilde, rcond=1e-10) @ X_c, V @ V.T, atol=1e-9)
    U = X_c @ V / np.linalg.norm(X_c @ V, axis=0)
    assert_allclose(U @ (U.T @ X_c), X_tilde, atol=1e-10)


@pytest.mark.statement("C7")
def test_the_reconstruction_is_pcas_own_and_lies_in_its_span(digits):
    X, new = digits
    model = LinearGenerativeModel(PCA(16), MMLR(), conditional="none").fit(X)
    pca = model.encoder_
    for images in (X, new):
        assert_allclose(model.reconstruct(images), pca.inverse_transform(pca.transform(images)), atol=1e-10)
        assert outside_span(model.reconstruct(images), pca.components_, pca.mean_) < 1e-20  # squared rounding of 1e-13


@pytest.mark.statement("C36")
def test_codes_equal_up_to_an_invertible_map_decode_to_the_same_images(digits):
    X, new = digits
    pca = PCA(8).fit(X)
    codes, new_codes = pca.transform(X), pca.transform(new)
    plain = MMLR().fit(codes, X).predict(new_codes)
    whiten = np.diag(pca.explained_variance_**-0.5)
    mix = np.random.default_rng(0).normal(size=(8, 8))
    for G in (whiten, mix):
        assert_allclose(MMLR().fit(codes @ G + 5, X).predict(new_codes @ G + 5), plain, atol=1e-9)


@pytest.mark.statement("C36")
def test_a_penalty_breaks_the_tie_between_equal_encoders(digits):
    X, _ = digits
    codes = PCA(8).fit(X).transform(X[:500])
    plain, scaled = (MMLR(alpha=100.0).fit(codes * unit, X[:500]).predict(codes * unit) for unit in (1, 0.1))
    assert np.abs(plain - scaled).max() > 0.01


@pytest.mark.statement("L3")
def test_without_centring_the_same_rank_reconstructs_worse_and_without_a_transpose_not_at_all(digits):
    X, _ = digits
    centred = LinearGenerativeModel(PCA(16), MMLR(), conditional="none").fit(X).reconstruction_error(X)
    V = np.linalg.eigh(X.T @ X)[1][:, ::-1]
    uncentred = [np.mean(np.sum((X - X @ V[:, :k] @ V[:, :k].T) ** 2, axis=1)) for k in range(17)]
    assert (uncentred > centred).all()
    assert (uncentred[1:] < centred[:-1]).all()  # the mean costs at most one direction
    u, v = np.ones((5, 1)), np.ones((3, 1))
    with pytest.raises(ValueError, match="matmul"):
        u @ v
    assert (u @ v.T).shape == (5, 3)


@pytest.mark.statement("L4")
def test_the_talks_inverse_does_not_exist_where_the_pseudo_inverse_does():
    X_tilde = np.array([[-1.0, -2.0], [0.0, 0.0], [1.0, 2.0]])  # rank 1 in two pixels; X'X = [[2, 4], [4, 8]]
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.inv(X_tilde.T @ X_tilde)
    assert_allclose(X_tilde @ np.linalg.pinv(X_tilde) @ X_tilde, X_tilde, atol=1e-14)
    assert_allclose(MMLR().fit(X_tilde, X_tilde).coef_, np.array([[1, 2], [2, 4]]) / 5, atol=1e-14)


@pytest.mark.statement("L5")
def test_new_images_lie_in_an_affine_pixel_subspace_and_not_in_the_span_of_the_scores(digits):
    X, new = digits
    model = LinearGenerativeModel(PCA(16), MMLR(), conditional="none").fit(X)
    A, mu = model.encoder_.components_, model.encoder_.mean_
    images = model.reconstruct(new)
    assert outside_span(images, A, mu) < 1e-20
    assert outside_span(images, A, np.zeros(784)) > 1e-3  # the span without its mean misses them
    assert model.transform(X).shape == (8000, 16)  # the scores' columns live in R^n: they cannot span images
