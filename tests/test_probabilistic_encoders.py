"""PPCA and LDA from moments: laws, scipy and scikit-learn as rivals, bad input.  Statements C8, C9, C10."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import eigh
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA as SklearnPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from linvae import LDA, PCA, PPCA, Moments
from linvae.datasets import load_mnist


def rows(n=200, d=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) * 2.0 ** -np.arange(d) @ np.linalg.qr(rng.normal(size=(d, d)))[0] + 3


def classes(n=150, d=6, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 2 * rng.normal(size=(4, d))[y], y


def span(A):
    Q = np.linalg.qr(A.T)[0]
    return Q @ Q.T


@pytest.mark.statement("C8")
@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_likelihood_is_scipys_and_the_closed_form(k):
    X = rows()
    model = PPCA(k).fit(X)
    law = multivariate_normal(model.mean_, model.get_covariance())
    assert_allclose(model.score_samples(X), law.logpdf(X), rtol=1e-10)
    variances, sigma2 = PCA().fit(X).explained_variance_, model.noise_variance_
    assert sigma2 == pytest.approx(variances[k:].mean(), rel=1e-10)
    log_det = np.log(variances[:k]).sum() + (6 - k) * np.log(sigma2)
    assert model.score(X) == pytest.approx(-0.5 * (6 * np.log(2 * np.pi) + log_det + 6), rel=1e-10)


def log_likelihood(X, mu, W, sigma2):
    return multivariate_normal(mu, W @ W.T + sigma2 * np.eye(len(mu))).logpdf(X).mean()


@pytest.mark.statement("C8")
def test_no_other_centre_loadings_or_noise_are_likelier():
    X = rows()
    model = PPCA(2).fit(X)
    mu, W, sigma2 = model.mean_, model.loadings_, model.noise_variance_
    best, rng = log_likelihood(X, mu, W, sigma2), np.random.default_rng(0)
    for size in (1e-3, 0.05, 1.0, 3.0):  # near and far
        for _ in range(50):
            step, noise = size * rng.normal(size=W.shape), sigma2 * np.exp(size * rng.normal())
            assert log_likelihood(X, mu + size * np.sqrt(sigma2) * rng.normal(size=6), W, sigma2) < best
            assert log_likelihood(X, mu, W + step, sigma2) < best
            assert log_likelihood(X, mu, W, noise) < best
            assert log_likelihood(X, mu + size * rng.normal(size=6), step, noise) < best


def climb(X, k, seed):
    """Maximise the likelihood of PPCA from a random start, by its gradient in W and ln sigma2 (mu at the mean)."""
    d, S = X.shape[1], np.cov(X.T, bias=True)

    def loss(w):
        W, sigma2 = w[:-1].reshape(d, k), np.exp(w[-1])
        inverse = np.linalg.inv(W @ W.T + sigma2 * np.eye(d))
        slope = inverse - inverse @ S @ inverse
        value = -np.linalg.slogdet(inverse)[1] + np.trace(inverse @ S)
        return value, np.append((2 * slope @ W).ravel(), sigma2 * np.trace(slope))

    start = np.random.default_rng(seed).normal(size=d * k + 1)
    w = minimize(loss, start, jac=True, options={"gtol": 1e-9, "maxiter": 5000}).x
    return w[:-1].reshape(d, k), np.exp(w[-1])


@pytest.mark.statement("C8", "C9")
def test_climbs_from_random_starts_end_in_the_closed_form_turned_by_a_rotation():
    X = rows()
    model = PPCA(3).fit(X)
    for seed in range(5):
        W, sigma2 = climb(X, 3, seed)
        assert sigma2 == pytest.approx(model.noise_variance_, rel=1e-5)  # gradients of 1e-9 over the flattest direction
        assert_allclose(W @ W.T, model.loadings_ @ model.loadings_.T, atol=1e-5)
        R = np.linalg.lstsq(model.loadings_, W, rcond=None)[0]
        assert_allclose(R @ R.T, np.eye(3), atol=1e-4)
        assert_allclose(model.loadings_ @ R, W, atol=1e-4)
        assert np.sort(np.abs(R).max(axis=0))[0] < 0.95  # a true turn: neither an order nor signs


def test_the_likelihood_is_scikit_learns_up_to_its_divisor():
    X, _ = load_mnist("train")
    X = X[:, load_mnist("train")[0].std(axis=0) > 0.2]  # pixels that vary: scikit-learn needs a full rank too
    ours, theirs = PPCA(8).fit(X), SklearnPCA(8, svd_solver="full").fit(X.astype(np.float64))
    # Their variances are n / (n - 1) times ours, which moves a log-likelihood at its maximum by O(d / n^2).
    assert ours.score(X) == pytest.approx(theirs.score(X), rel=1e-5)


@pytest.mark.statement("C9")
def test_loadings_turned_by_a_rotation_are_the_same_model():
    X = rows()
    model = PPCA(3).fit(X)
    scores, codes = model.score_samples(X), model.transform(X)
    R = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turned = model.loadings_ @ R
    by_scipy = multivariate_normal(model.mean_, turned @ turned.T + model.noise_variance_ * np.eye(6))
    assert_allclose(by_scipy.logpdf(X), scores, rtol=1e-10)
    M = turned.T @ turned + model.noise_variance_ * np.eye(3)
    assert_allclose(np.linalg.solve(M, turned.T @ (X - model.mean_).T).T, codes @ R, atol=1e-11)  # the codes turn along
    bent = model.loadings_ @ np.diag([2.0, 1.0, 1.0])  # no rotation, another model
    other = multivariate_normal(model.mean_, bent @ bent.T + model.noise_variance_ * np.eye(6))
    assert other.logpdf(X).mean() < scores.mean() - 0.1


@pytest.mark.statement("C9")
@pytest.mark.parametrize("k", [1, 3, 5])
def test_loadings_with_equal_products_are_rotations_of_each_other(k):
    # A second square root of W W', found without any rotation: its Cholesky factor, k columns with zeros above.
    W = PPCA(k).fit(rows()).loadings_
    product = W @ W.T
    top = np.linalg.cholesky(product[:k, :k])
    other = np.vstack([top, np.linalg.solve(top, product[:k, k:]).T])
    assert_allclose(other @ other.T, product, atol=1e-10)
    R = np.linalg.lstsq(W, other, rcond=None)[0]
    assert_allclose(W @ R, other, atol=1e-10)
    assert_allclose(R @ R.T, np.eye(k), atol=1e-8)  # 1e-10 over the smallest squared loading, 1e-2


@pytest.mark.statement("C10")
def test_the_aggregate_posterior_is_the_prior():
    X = rows()
    model = PPCA(3).fit(X)
    Z = model.transform(X)
    assert_allclose(Z.mean(axis=0), 0, atol=1e-13)
    assert_allclose(Z.T @ Z / len(X) + model.posterior_covariance_, np.eye(3), atol=1e-12)


def test_the_code_is_the_posterior_mean_by_gaussian_conditioning():
    X = rows()
    model = PPCA(2).fit(X)
    W, C = model.loadings_, model.get_covariance()
    assert_allclose(model.transform(X), (X - model.mean_) @ np.linalg.inv(C) @ W, atol=1e-12)
    assert_allclose(model.posterior_covariance_, np.eye(2) - W.T @ np.linalg.inv(C) @ W, atol=1e-12)


def test_ppca_and_pca_codes_differ_by_a_scale():
    X = rows()
    pca, ppca = PCA(3).fit(X), PPCA(3).fit(X)
    ratio = ppca.transform(X) / pca.transform(X)
    assert_allclose(ratio, np.broadcast_to(ratio[0], ratio.shape), rtol=1e-8)
    assert_allclose(ppca.inverse_transform(ppca.transform(X)), pca.inverse_transform(pca.transform(X)), atol=1e-12)


def test_draws_have_the_models_moments():
    model = PPCA(2).fit(rows())
    drawn = model.sample(20_000, random_state=0)
    assert drawn.shape == (20_000, 6)
    C = model.get_covariance()
    error = np.sqrt((np.outer(np.diag(C), np.diag(C)) + C**2) / 20_000)
    assert (np.abs(np.cov(drawn.T, bias=True) - C) < 5 * error).all()  # 5 standard errors
    assert (np.abs(drawn.mean(axis=0) - model.mean_) < 5 * np.sqrt(np.diag(C) / 20_000)).all()


@pytest.mark.parametrize(
    ("k", "words"),
    [(6, "lower n_components to 5"), (0.5, r"n_components=0\.5"), (0, "n_components=0"), (2.0, r"n_components=2\.0")],
)
def test_ppca_names_a_code_that_leaves_no_noise(k, words):
    with pytest.raises(ValueError, match=words):
        PPCA(k).fit(rows())


def test_ppca_names_rows_of_low_rank():
    with pytest.raises(ValueError, match=r"n_samples=4 rows of n_features=6 span 3 directions"):
        PPCA(3).fit(rows(4))


def test_ppca_keeps_by_default_all_but_one_direction():
    assert PPCA().fit(rows()).n_components_ == 5
    assert PPCA().fit(np.c_[rows(), np.ones(200)]).n_components_ == 5
    two = PPCA().fit(rows(d=2))
    assert two.n_components_ == 1
    assert two.noise_variance_ == pytest.approx(PCA().fit(rows(d=2)).explained_variance_[1], rel=1e-12)


def test_ppca_reads_itself_off_a_pca():
    X = rows()
    for k in (1, 3, 5):
        read, fitted = PPCA(k).fit_pca(PCA().fit(X)), PPCA(k).fit(X)
        for name, value in vars(fitted).items():
            assert_allclose(getattr(read, name), value, rtol=1e-9, atol=1e-12, err_msg=name)  # two LAPACK solvers
    assert PPCA().fit_pca(PCA().fit(X)).n_components_ == 5
    assert PPCA().fit_pca(PCA(3).fit(X)).n_components_ == 3
    with pytest.raises(ValueError, match=r"the PCA has 6 directions, and one must be left for the noise; .* to 5"):
        PPCA(6).fit_pca(PCA().fit(X))
    with pytest.raises(ValueError, match=r"the PCA has 3 directions, and no more are known; lower .* to 3"):
        PPCA(4).fit_pca(PCA(3).fit(X))


def test_the_likelihood_is_exact_where_the_noise_is_small():
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    X = np.random.default_rng(0).normal(size=(300, 3)) * [1.0, 0.5, 3e-6] @ turn
    model = PPCA(2).fit(X)
    V, v, s2 = (
        np.asarray(a, np.longdouble) for a in (model.directions_, model.explained_variance_, model.noise_variance_)
    )
    centred = X.astype(np.longdouble) - model.mean_
    scores = centred @ V.T
    outside = ((centred - scores @ V) ** 2).sum(axis=1)
    slow = -0.5 * (3 * np.log(2 * np.pi) + np.log(v).sum() + np.log(s2) + (scores**2 / v).sum(axis=1) + outside / s2)
    # Pixels are known to 1e-16, 1e-10 of the noise's spread; a difference of squares is off by 1e-16 / 1e-11.
    assert_allclose(model.score_samples(X), slow.astype(float), rtol=1e-8)


@pytest.mark.parametrize("solver", ["eigen", "svd"])
def test_lda_is_scikit_learns_up_to_its_scaling(solver):
    X, y = classes()
    ours = LDA().fit(X, y)
    theirs = LinearDiscriminantAnalysis(solver=solver).fit(X, y)
    assert_allclose(span(ours.components_), span(theirs.scalings_[:, :3].T), atol=1e-9)
    ratio = ours.explained_variance_ / ours.explained_variance_.sum()
    assert_allclose(ratio, theirs.explained_variance_ratio_[:3], rtol=1e-9)


@pytest.mark.parametrize("power", [-8, -4, 4, 8])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_lda_gives_the_same_codes_in_every_unit(power, offset):
    X, y = classes()
    whole = LDA().fit(X, y)
    for pixel in range(6):
        units = np.ones(6)
        units[pixel] = 10.0**power
        scaled = LDA().fit((X + offset) * units, y)
        # Codes of size 5 from pixels known to 1e-16 (with the offset 1e-10) of their spread.
        assert_allclose(scaled.transform((X + offset) * units), whole.transform(X), atol=1e-5 if offset else 1e-9)
        assert_allclose(scaled.explained_variance_, whole.explained_variance_, rtol=1e-6 if offset else 1e-10)
        assert_allclose(scaled.components_ * units, whole.components_, atol=1e-6 if offset else 1e-10)


@pytest.mark.parametrize("unit", [1e-8, 1e-6, 1.0, 1e8])
def test_lda_finds_the_one_column_that_separates_whatever_its_unit(unit):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 100)
    X = np.c_[rng.normal(size=(200, 3)), (10 * y + rng.normal(size=200)) * unit, np.full(200, 0.1)]
    model = LDA().fit(X, y)
    theirs = LinearDiscriminantAnalysis(solver="svd").fit(X, y)
    assert 20 < model.explained_variance_[0] < 35  # 5 standard deviations to either side
    assert_allclose(
        span(model.components_ * [1, 1, 1, unit, 1]), span(theirs.scalings_.T * [1, 1, 1, unit, 1]), atol=1e-9
    )
    assert model.components_[0, 4] == 0  # a border


def test_lda_keeps_a_second_direction_beside_a_very_distant_first():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 100)
    X = np.c_[1e9 * (y == 0), 10.0 * (y == 1)] + rng.normal(size=(300, 2))
    first, second = LDA().fit(X, y).explained_variance_
    assert first > 1e16
    assert 4 < second < 50  # within 1e-15 of the first, and ten standard deviations wide


def test_class_means_on_one_line_span_one_direction():
    X = np.vstack([np.eye(3), -np.eye(3)])
    X = np.vstack([X + i * np.array([3.0, 1.0, 0.1]) for i in range(4)]) + 1e6
    assert LDA().fit(X, np.repeat(range(4), 6)).n_components_ == 1


def test_a_pixel_that_varies_by_rounding_alone_gets_no_weight():
    X, y = classes()
    rounding = np.where(np.arange(150) % 2, 0.3, 0.1 + 0.2)  # two neighbours in float64
    assert np.ptp(rounding) > 0
    model, clean = LDA().fit(np.c_[X, rounding], y), LDA().fit(X, y)
    assert_allclose(model.components_[:, 6], 0)
    assert_allclose(model.components_[:, :6], clean.components_, atol=1e-12)
    assert PCA().fit(np.c_[1e-9 * X, rounding]).n_components_ == 6


@pytest.mark.parametrize("shrinkage", [0.2, 1.0])
def test_shrunk_lda_is_the_generalised_eigenproblem(shrinkage):
    X, y = classes()
    ours = LDA(shrinkage=shrinkage).fit(X, y)
    within = sum(m.scatter for m in Moments.by_class(X, y).values()) / len(X)
    between = Moments.of(X).covariance - within
    within = (1 - shrinkage) * within + shrinkage * np.trace(within) / 6 * np.eye(6)
    values, vectors = eigh(between, within)
    assert_allclose(span(ours.components_), span(vectors[:, -3:].T), atol=1e-9)
    assert_allclose(ours.explained_variance_, values[:-4:-1], rtol=1e-9)


@pytest.mark.parametrize("shrinkage", [0.0, 0.3])
def test_codes_are_white_within_classes_for_the_scatter_used(shrinkage):
    X, y = classes()
    model = LDA(shrinkage=shrinkage).fit(X, y)
    within = sum(m.scatter for m in Moments.by_class(X, y).values()) / len(X)
    within = (1 - shrinkage) * within + shrinkage * np.trace(within) / 6 * np.eye(6)
    assert_allclose(model.components_ @ within @ model.components_.T, np.eye(3), atol=1e-10)


def test_lda_on_real_digits_ignores_pixels_that_no_class_varies():
    X, y = load_mnist("train")
    model = LDA().fit(X, y)
    assert model.components_.shape == (9, 784)
    assert not np.abs(model.components_[:, X.std(axis=0) == 0]).max() > 1e-8 * np.abs(model.components_).max()
    Z = model.transform(X.astype(np.float64))
    within = (
        sum((Z[y == c] - Z[y == c].mean(axis=0)).T @ (Z[y == c] - Z[y == c].mean(axis=0)) for c in range(10)) / 8000
    )
    assert_allclose(within, np.eye(9), atol=1e-6)  # the smallest variances kept are 1e-10 of the largest


@pytest.mark.parametrize(
    ("model", "data", "words"),
    [
        (LDA(4), classes(), "4 classes span at most 3 directions"),
        (LDA(shrinkage=1.5), classes(), r"shrinkage=1\.5"),
        (LDA(), (classes()[0], np.zeros(150)), "1 class"),
        (LDA(), (np.ones((6, 2)), [0, 1] * 3), "no class has any variance"),
    ],
    ids=["too many", "shrinkage", "one class", "equal rows"],
)
def test_lda_names_bad_input(model, data, words):
    with pytest.raises(ValueError, match=words):
        model.fit(*data)


def test_directions_as_noisy_as_the_rest_carry_nothing():
    X = np.vstack([np.eye(3), -np.eye(3)])  # every eigenvalue is 1/3
    model = PPCA(1).fit(X)
    assert_allclose(model.loadings_, 0, atol=1e-7)
    assert_allclose(model.score_samples(X), multivariate_normal(np.zeros(3), np.eye(3) / 3).logpdf(X))


def test_classes_without_spread_are_named():
    with pytest.raises(ValueError, match="no class has any variance within it"):
        LDA().fit([[0.0, 1.0], [0.0, 1.0], [2.0, 3.0], [2.0, 3.0]], [0, 0, 1, 1])
