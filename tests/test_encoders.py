"""PCA from moments: laws of the projector, scikit-learn as the rival, bad input.  Statements C1 and C2."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA as SklearnPCA

from linvae import LDA, MMLR, PCA, PPCA, LinearGenerativeModel, Moments
from linvae.datasets import load_mnist
from linvae.moments import CrossMoments


def rows(n=40, d=7, seed=0):
    """Draw rows whose directions have clearly different variances."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) * 2.0 ** -np.arange(d) @ np.linalg.qr(rng.normal(size=(d, d)))[0] + 3


def projector(components):
    return components.T @ components


@pytest.fixture(scope="module")
def mnist():
    return load_mnist("train")[0], load_mnist("test")[0]


@pytest.fixture(scope="module")
def digits_moments():
    return Moments.by_class(*load_mnist(dtype="uint8"))


@pytest.mark.parametrize("k", [1, 3, 7])
def test_pca_is_scikit_learns_pca_up_to_signs_and_the_divisor(k):
    X = rows()
    ours, theirs = PCA(k).fit(X), SklearnPCA(k).fit(X)
    assert_allclose(projector(ours.components_), projector(theirs.components_), atol=1e-12)  # gaps are above 1e-4
    assert_allclose(ours.explained_variance_ * len(X) / (len(X) - 1), theirs.explained_variance_, rtol=1e-10)
    assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_, rtol=1e-10)
    assert_allclose(ours.mean_, theirs.mean_, rtol=1e-14)
    assert_allclose(
        ours.inverse_transform(ours.transform(X)), theirs.inverse_transform(theirs.transform(X)), atol=1e-12
    )


def test_pca_is_scikit_learns_pca_on_real_digits(mnist):
    X, _ = mnist
    ours, theirs = PCA(64).fit(X), SklearnPCA(64, svd_solver="full").fit(X.astype(np.float64))
    assert_allclose(projector(ours.components_), projector(theirs.components_), atol=1e-9)  # 1e-14 over a gap of 1e-4
    assert_allclose(ours.explained_variance_ * 8000 / 7999, theirs.explained_variance_, rtol=1e-10)


def test_scores_are_centred_and_uncorrelated_with_the_eigenvalues_as_variances():
    X = rows()
    pca = PCA(4).fit(X)
    Z = pca.transform(X)
    assert_allclose(Z.mean(axis=0), 0, atol=1e-13)
    assert_allclose(Z.T @ Z / len(X), np.diag(pca.explained_variance_), atol=1e-13)


def test_signs_are_deterministic():
    X = rows()
    A = PCA(5).fit(X).components_
    assert (A[np.arange(5), np.abs(A).argmax(axis=1)] > 0).all()
    assert_allclose(PCA(5).fit(X[::-1]).components_, A, atol=1e-12)


def test_signs_are_deterministic_where_two_entries_tie():
    X = np.array([[1.0, -1.0], [-2.0, 2.0], [3.0, -3.0], [0.5, 0.5]])
    X = np.vstack([X, -X])
    directions = [PCA(1).fit(X[np.random.default_rng(seed).permutation(8)]).components_ for seed in range(20)]
    assert_allclose(directions, np.broadcast_to([[[0.5**0.5, -(0.5**0.5)]]], (20, 1, 2)), atol=1e-12)


def test_one_fit_from_moments_equals_the_fit_from_rows_and_forgets_the_classes():
    X, y = rows(), np.arange(40) % 3
    a, b = PCA(3).fit(X), PCA(3).fit_moments(Moments.by_class(X, y))
    assert_allclose(a.components_, b.components_, atol=1e-12)
    assert a.n_samples_ == b.n_samples_ == 40
    assert a.get_feature_names_out().tolist() == ["pca0", "pca1", "pca2"]


def test_bytes_and_floats_of_the_same_pixels_give_the_same_span():
    X = np.random.default_rng(0).integers(0, 256, (200, 6)).astype(np.uint8)
    a, b = PCA(2).fit(X), PCA(2).fit(X.astype(np.float64))
    assert_allclose(projector(a.components_), projector(b.components_), atol=1e-10)
    assert_allclose(a.transform(X), a.transform(X.astype(np.float64)))


def test_float32_rows_give_float32_codes_and_images_but_float64_attributes():
    X = rows().astype(np.float32)
    pca = PCA(2).fit(X)
    Z = pca.transform(X)
    assert Z.dtype == pca.inverse_transform(Z).dtype == np.float32
    assert pca.components_.dtype == pca.mean_.dtype == np.float64


def test_none_keeps_exactly_the_rank():
    X = rows(n=5)  # 5 rows span 4 directions around their mean
    assert PCA().fit(X).n_components_ == 4
    assert PCA().fit(np.c_[rows(), np.ones(40), rows()[:, 0]]).n_components_ == 7  # a constant and a copied pixel


def test_none_keeps_the_rank_of_real_digits(mnist):
    X = mnist[0]
    assert PCA().fit(X).n_components_ == np.linalg.matrix_rank(X.astype(np.float64) - X.mean(axis=0, dtype=float))


@pytest.mark.parametrize("unit", [1e-12, 1e-9, 1e-7, 1e6, 1e12])
def test_the_number_of_directions_does_not_depend_on_units(unit):
    X = np.random.default_rng(0).normal(size=(60, 3)) @ [[2, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1.0]]  # rank 3
    X = np.c_[X, np.ones(60)] * [unit, 1, unit, 1, 1]
    pca = PCA().fit(X)
    assert pca.n_components_ == 3 == PCA(3).fit(X).n_components_
    assert_allclose(pca.components_ @ pca.components_.T, np.eye(3), atol=1e-14)
    codes = pca.transform(X)
    # What the largest pixels round away is 1e-16 of them in every code.
    assert_allclose(codes.std(axis=0) ** 2, pca.explained_variance_, rtol=1e-3, atol=1e-30 * pca.explained_variance_[0])
    cross = CrossMoments.from_affine(Moments.of(X), pca.components_, np.zeros(3))
    assert (np.diag(cross.Szz) > 0).all()  # no code is taken for a constant
    with pytest.raises(ValueError, match="span only 3 directions"):
        PCA(4).fit(X)


def test_a_sketch_takes_codes_of_any_units():
    X = rows()
    omega = np.random.default_rng(0).normal(size=(7, 7))
    for units in (10.0 ** np.arange(-8, 6, 2), np.ones(7)):
        sketch = PCA().fit_sketch(CrossMoments.of(X @ omega * units, X))
        assert_allclose(sketch.explained_variance_, PCA().fit(X).explained_variance_, rtol=1e-8)


def test_a_share_of_the_variance_is_scikit_learns(mnist, digits_moments):
    X = mnist[0].astype(np.float64)
    digits = SklearnPCA(svd_solver="full").fit(X)
    assert (
        PCA(0.95).fit_moments(digits_moments).n_components_ == SklearnPCA(0.95, svd_solver="full").fit(X).n_components_
    )
    shares = np.random.default_rng(0).uniform(size=20)
    for share in shares:
        theirs = np.searchsorted(np.cumsum(digits.explained_variance_ratio_), share, side="right") + 1
        assert PCA(share)._wanted(digits.explained_variance_, 0.0) == theirs
        for seed in range(5):
            few = rows(seed=seed)
            assert PCA(share).fit(few).n_components_ == SklearnPCA(share, svd_solver="full").fit(few).n_components_


def test_a_share_is_passed_and_not_only_reached():
    X = np.vstack([np.diag([3.0, 2.0, 1.0]), -np.diag([3.0, 2.0, 1.0])])  # variances 9, 4 and 1 of 14
    tied = 9 / 14
    assert [PCA(share).fit(X).n_components_ for share in (tied - 1e-9, tied, tied + 1e-9)] == [1, 2, 2]
    assert PCA(tied * (1 - 1e-14)).fit(X).n_components_ == 2  # below the tie by rounding alone
    assert PCA(1 - 1e-16).fit(X).n_components_ == 3
    pca = PCA().set_params(n_components=0.9).fit(X)  # 13 / 14 is 0.93
    assert pca.n_components_ == 2
    assert pca.leading(1).get_params() == {"n_components": 1}
    assert_allclose(pca.leading(1).explained_variance_ratio_, [tied])


def test_a_share_that_a_sketch_does_not_show_is_named():
    X = rows()
    cross = CrossMoments.of(X @ np.random.default_rng(0).normal(size=(7, 2)), X)
    assert PCA(0.5).fit_sketch(cross).n_components_ == 1
    with pytest.raises(ValueError, match=r"n_components=0\.999 but the codes show only 0\.8"):
        PCA(0.999).fit_sketch(cross)


@pytest.mark.statement("C1")
@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_no_matrix_of_rank_k_comes_closer_than_the_truncated_svd(seed, k):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(9, 5)) * rng.uniform(0.1, 3, 5)
    Xc = X - X.mean(axis=0)
    D = np.linalg.svd(Xc, compute_uv=False)
    pca = PCA(k).fit(X)
    best = np.linalg.norm(X - pca.inverse_transform(pca.transform(X))) ** 2
    assert best == pytest.approx((D[k:] ** 2).sum(), rel=1e-9)
    near = pca.transform(X) @ pca.components_ + 0.01 * rng.normal(size=(9, k)) @ rng.normal(size=(k, 5))
    for other in (rng.normal(size=(9, k)) @ rng.normal(size=(k, 5)), near):
        U, s, Vt = np.linalg.svd(other, full_matrices=False)
        other = (U[:, :k] * s[:k]) @ Vt[:k]  # whatever was drawn, at most rank k
        assert np.linalg.norm(Xc - other) ** 2 >= best * (1 - 1e-9)


@pytest.mark.statement("C1")
def test_the_closest_matrix_is_unique_only_across_a_gap():
    gap, tie = np.diag([3.0, 2.0, 1.0]), np.diag([3.0, 2.0, 2.0])
    turned = np.array([0, 1, 1]) / np.sqrt(2)  # another unit vector of the tied plane
    first = np.diag([3.0, 0, 0])
    assert np.linalg.norm(tie - first - 2 * np.outer(turned, turned)) == pytest.approx(2)  # rank 2, error D_3 = 2
    assert np.linalg.norm(tie - np.diag([3.0, 2, 0])) == pytest.approx(2)  # a second minimiser
    assert np.linalg.norm(gap - first - 2 * np.outer(turned, turned)) > 1 + 0.1  # with a gap the turned one loses


@pytest.mark.statement("C2")
@given(st.integers(0, 2**32 - 1))
def test_the_error_of_any_single_image_never_grows_with_k(seed):
    pca = PCA().fit(rows())
    x = np.random.default_rng(seed).normal(size=7) * 10  # nothing to do with the training rows
    Z = pca.transform(x[None])
    errors = [np.sum((x - pca.mean_ - Z[0, :k] @ pca.components_[:k]) ** 2) for k in range(8)]
    assert (np.diff(errors) <= 1e-10 * errors[0]).all()
    assert errors[-1] <= 1e-20 * errors[0]


@pytest.mark.statement("C2", "L13")
def test_reconstruction_of_new_digits_is_monotone_in_k(mnist):
    train, test = mnist
    errors = LinearGenerativeModel(PCA(64), MMLR(), conditional="none").fit(train).reconstruction_error(test)
    assert (np.diff(errors) < 0).all()


@pytest.mark.parametrize(
    ("k", "words"),
    [
        (0, "n_components=0; give a whole number of 1 or more"),
        (-1, "n_components=-1"),
        (2.0, r"n_components=2\.0"),
        (True, "n_components=True"),
        (0.0, r"n_components=0\.0; .* a share of the variance above 0 and below 1"),
        (1.0, r"n_components=1\.0; .* a share of the variance above 0 and below 1"),
        (1.5, r"n_components=1\.5; .* a share of the variance above 0 and below 1"),
        (np.nan, "n_components=nan; .* a share of the variance above 0 and below 1"),
        ("two", "n_components='two'"),
        (8, "n_components=8 but n_samples=40 rows span only 7 directions"),
    ],
)
def test_a_wrong_number_of_components_is_named(k, words):
    with pytest.raises(ValueError, match=words):
        PCA(k).fit(rows())


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.full((5, 3), 0.1), "all rows are equal"),
        (np.ones((1, 3)), "n_samples=1"),
        (np.zeros((0, 3)), "0 sample"),
        (np.zeros((5, 0)), "0 feature"),
        ([[1.0, np.nan], [2.0, 1.0]], "NaN"),
        ([[1.0, np.inf], [2.0, 1.0]], "infinity"),
    ],
)
def test_rows_that_span_nothing_are_named(X, words):
    with pytest.raises(ValueError, match=words):
        PCA().fit(X)


def test_wrong_widths_are_named():
    pca = PCA(2).fit(rows())
    with pytest.raises(ValueError, match=r"6 features.*7 features"):
        pca.transform(rows()[:, :6])
    with pytest.raises(ValueError, match="Z has 3 codes a row but the model was fitted with 2"):
        pca.inverse_transform(np.zeros((1, 3)))


def test_a_constant_pixel_comes_back_as_it_was():
    X = rows()
    X[:, 3] = 0.1
    pca = PCA(2).fit(X)
    assert_allclose(pca.inverse_transform(pca.transform(X))[:, 3], 0.1, rtol=1e-14)
    assert_array_equal(pca.components_[:, 3].round(14), 0)


def test_few_eigenvectors_are_those_of_the_full_problem(digits_moments):
    full, few = PCA(400).fit_moments(digits_moments), PCA(10).fit_moments(digits_moments)
    assert np.allclose(few.components_, full.components_[:10], atol=1e-9)  # two LAPACK solvers, gaps of 1e-3 and more
    assert np.allclose(few.explained_variance_, full.explained_variance_[:10], rtol=1e-12)
    assert np.allclose(few.explained_variance_ratio_, full.explained_variance_ratio_[:10], rtol=1e-12)


def test_few_eigenvectors_refuse_the_same_numbers_of_components():
    X = np.zeros((5, 200))
    X[:, :5] = np.eye(5)  # rank 4 around the mean, and ten components are few among 200
    for asked, known in [(PCA(10), 4), (PPCA(10), 3)]:
        with pytest.raises(ValueError, match=f"lower n_components to {known} or less"):
            asked.fit(X)


@pytest.mark.parametrize("encoder", [PCA, PPCA, LDA])
def test_leading_is_the_encoder_of_fewer_components(digits_moments, encoder):
    most = 8 if encoder is LDA else 200
    long = encoder(most).fit_moments(digits_moments)
    for k in (1, 5, most):
        short, fresh = long.leading(k), encoder(k).fit_moments(digits_moments)
        assert short.get_params() == fresh.get_params()
        for name, value in vars(fresh).items():
            # Two LAPACK solvers for PCA: 1e-9 is rounding over the smallest gap of eigenvalues.
            assert np.allclose(getattr(short, name), value, rtol=1e-9, atol=1e-9), name
    assert long.n_components_ == len(long.components_) == most  # the long one is left as it was


@pytest.mark.parametrize("k", [0, 6, 2.0, True])
def test_leading_names_a_number_it_cannot_keep(k):
    with pytest.raises(ValueError, match=r"fitted with 5; give a whole number from 1 to 5"):
        PCA(5).fit(np.random.default_rng(0).standard_normal((20, 8))).leading(k)


@pytest.mark.statement("C38")
def test_a_sketch_of_as_many_codes_as_directions_is_exact():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 6)) @ rng.standard_normal((6, 40)) + 3  # six directions
    cross = CrossMoments.of(X @ rng.standard_normal((40, 8)), X)
    sketch, exact = PCA().fit_sketch(cross), PCA().fit(X)
    assert sketch.n_components_ == 6
    assert np.allclose(sketch.components_, exact.components_, atol=1e-8)  # rounding over the gaps of eigenvalues
    assert np.allclose(sketch.explained_variance_, exact.explained_variance_, rtol=1e-9)
    assert np.allclose(sketch.explained_variance_ratio_, exact.explained_variance_ratio_, rtol=1e-9)
    assert np.allclose(sketch.mean_, exact.mean_)


@pytest.mark.statement("C38")
def test_a_sketch_never_finds_more_variance_than_there_is_and_a_second_pass_finds_more(mnist):
    X, _ = mnist
    exact = PCA(64).fit(X)
    for seed in range(3):
        omega = np.random.default_rng(seed).standard_normal((784, 64))
        once = PCA().fit_sketch(CrossMoments.of(X @ omega, X))
        twice = PCA(64).fit_sketch(CrossMoments.of(once.transform(X), X))
        slack = 1 + 1e-10
        assert (once.explained_variance_[:64] <= slack * exact.explained_variance_).all()
        assert (twice.explained_variance_ <= slack * exact.explained_variance_).all()
        assert twice.explained_variance_[:16].sum() > once.explained_variance_[:16].sum()


def test_a_sketch_says_how_many_directions_it_shows():
    X = np.random.default_rng(0).standard_normal((30, 20))
    with pytest.raises(ValueError, match=r"4 codes of n_samples=30 rows show only 4 directions .* to 4 or less"):
        PCA(5).fit_sketch(CrossMoments.of(X[:, :4], X))
    with pytest.raises(ValueError, match="n=0 rows"):
        PCA(1).fit_sketch(CrossMoments(0, np.zeros(2), np.zeros(3), np.zeros((2, 2)), np.zeros((2, 3)), np.zeros(3)))
