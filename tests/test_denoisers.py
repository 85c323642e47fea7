"""Denoisers and the flow that follows them: exact Gaussians and mixtures, slow loops, and bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import logsumexp, softmax
from scipy.stats import ks_2samp, multivariate_normal, norm
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from linvae import MMLR, PCA, ClassGaussian, LinearGenerativeModel, Moments
from linvae.datasets import load_mnist
from linvae.denoisers import (
    EmpiricalDenoiser,
    GaussianDenoiser,
    LocalDenoiser,
    denoising_error,
    follow,
    sample,
)

SIGMAS = (0.1, 0.7, 3.0)


def gaussian(d=6, seed=0, label=None):
    """Moments of a class with every variance well above 0, and the denoiser fitted to them."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(d, d)) + np.eye(d)
    moments = Moments(100, rng.normal(size=d), 100 * root @ root.T)
    return moments, GaussianDenoiser().fit_moments({label: moments})


def eights():
    """Small digits, 8 x 8, and their labels."""
    X, y = load_digits(return_X_y=True)
    return X / 16, y


def slope(log_density, y, step=1e-4):
    """The gradient of a log density at y (d,), by central differences: error some step^2."""
    return np.array([(log_density(y + e) - log_density(y - e)) / (2 * step) for e in step * np.eye(len(y))])


def balls(X, sigma):
    """ln p of x + sigma e for x drawn from the rows of X, but for a constant."""
    return lambda y: logsumexp(-np.square(y - X).sum(axis=1) / (2 * sigma**2))


# --- the Gaussian denoiser


@pytest.mark.statement("C39")
@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_best_denoiser_of_a_gaussian_is_its_mean_given_the_noisy_image(sigma):
    moments, denoiser = gaussian()
    m, C = moments.mean, moments.covariance
    y = np.random.default_rng(1).normal(size=(20, 6))
    direct = m + (y - m) @ np.linalg.inv(C + sigma**2 * np.eye(6)) @ C  # Cov(x, y) Cov(y)^-1, both symmetric
    assert_allclose(denoiser.denoise(y, sigma), direct, rtol=1e-9, atol=1e-9)  # a condition number of some 1e4


@pytest.mark.statement("C39")
@pytest.mark.parametrize("sigma", SIGMAS)
def test_tweedie_the_best_denoiser_goes_up_the_log_density_of_noisy_images_by_sigma_squared(sigma):
    moments, denoiser = gaussian()
    X = np.random.default_rng(2).normal(size=(5, 6))
    y = moments.mean + np.random.default_rng(1).normal(size=6)
    noisy = multivariate_normal(moments.mean, moments.covariance + sigma**2 * np.eye(6))
    assert_allclose(denoiser.denoise([y], sigma)[0], y + sigma**2 * slope(noisy.logpdf, y), atol=1e-5)
    if sigma > 0.5:  # else the nearest ball hides the others from differences
        climbed = y + sigma**2 * slope(balls(X, sigma), y)
        assert_allclose(EmpiricalDenoiser().fit(X).denoise([y], sigma)[0], climbed, atol=1e-5)


@pytest.mark.statement("C39")
@given(st.integers(0, 2**32 - 1))
def test_no_affine_map_denoises_images_of_these_moments_better(seed):
    """E |A (x + s e) + b - x|^2 = tr (A - I) C (A - I)' + s^2 tr A A' + |(A - I) m + b|^2, whatever the images."""
    rng = np.random.default_rng(seed)
    X, sigma = rng.exponential(size=(30, 4)) * [1, 2, 0.1, 1], rng.uniform(0.1, 2)
    denoiser, C, m = GaussianDenoiser().fit(X), np.cov(X.T, bias=True), X.mean(axis=0)

    def risk(A, b):
        off = A - np.eye(4)
        return np.trace(off @ C @ off.T) + sigma**2 * np.trace(A @ A.T) + np.sum((off @ m + b) ** 2)

    b = denoiser.denoise(np.zeros((1, 4)), sigma)[0]
    A = (denoiser.denoise(np.eye(4), sigma) - b).T
    variances = denoiser.variances_[None]
    least = np.sum(variances * sigma**2 / (variances + sigma**2))
    assert risk(A, b) == pytest.approx(least)
    for size in (1e-3, 1):
        assert risk(A + size * rng.normal(size=(4, 4)), b + size * rng.normal(size=4)) > least


@pytest.mark.statement("C39")
def test_the_wiener_error_on_training_images_is_what_the_modes_say():
    X, _ = eights()
    denoiser, sigma = GaussianDenoiser().fit(X), 0.5
    variances = denoiser.variances_[None]
    expected = np.sum(variances * sigma**2 / (variances + sigma**2))
    # The mean over 1,797 images of a sum over 64 pixels; its deviation is about a third of it: a standard error of 1 %.
    assert denoising_error(denoiser, X, sigma, random_state=0) == pytest.approx(expected, rel=0.03)


def test_moments_are_enough_for_the_gaussian_denoiser():
    X, y = eights()
    rows = GaussianDenoiser().fit(X, y)
    moments = GaussianDenoiser().fit_moments(Moments.by_class(X, y))
    assert rows.classes_ == moments.classes_ == list(range(10))
    assert rows.class_counts_ == moments.class_counts_
    assert_allclose(rows.denoise(X[:50], 0.3, y[:50]), moments.denoise(X[:50], 0.3, y[:50]))


# --- the flow


@pytest.mark.statement("C40")
@pytest.mark.parametrize("to", [0.0, 0.5])
def test_the_flow_of_the_gaussian_denoiser_scales_mode_j_by_a_root(to):
    _, denoiser = gaussian()
    y = np.random.default_rng(1).normal(size=(1, 6)) * 3

    def velocity(sigma, x):
        return (x - denoiser.denoise(x[None], sigma)[0]) / sigma

    path = solve_ivp(velocity, (3.0, to or 1e-6), y[0], rtol=1e-9, atol=1e-11)
    assert_allclose(denoiser.carry(y, 3.0, to)[0], path.y[:, -1], atol=1e-7)


@pytest.mark.statement("C40")
@pytest.mark.parametrize("to", [0.0, 0.5])
def test_the_noisy_gaussian_is_carried_to_the_less_noisy_one(to):
    moments, denoiser = gaussian()
    m, C, eye = moments.mean, moments.covariance, np.eye(6)
    assert_allclose(denoiser.carry(m[None], 2.0, to)[0], m)
    A = (denoiser.carry(m + eye, 2.0, to) - m).T
    assert_allclose(A @ (C + 4 * eye) @ A.T, C + to**2 * eye, atol=1e-10 * C.max())


@pytest.mark.statement("C40")
def test_a_linear_diffusion_model_is_the_class_gaussian_of_codes():
    """With as many codes as there are directions, decoded codes of a class have the moments of its images."""
    X, y = eights()
    model = LinearGenerativeModel(PCA(61), MMLR(), ClassGaussian()).fit(X, y)
    denoiser = GaussianDenoiser().fit(X, y)
    for label in (0, 1, 8):
        B, b = model.decoders_[label].coef_, model.decoders_[label].intercept_
        mean = B @ model.latent_.means_[label] + b
        covariance = B @ model.latent_.covariances_[label] @ B.T
        m, eye = denoiser.means_[label], np.eye(64)
        C = Moments.of(X[y == label]).covariance
        A = (denoiser.carry(m + eye, 3.0, 0.0, label) - m).T
        assert_allclose(denoiser.carry(m[None], 3.0, 0.0, label)[0], mean, atol=1e-6)
        assert_allclose(A @ (C + 9 * eye) @ A.T, covariance, atol=1e-6 * covariance.max())


@pytest.mark.statement("C40")
def test_the_error_of_euler_steps_halves_as_their_number_doubles():
    _, denoiser = gaussian()
    y = denoiser.means_[None] + np.random.default_rng(1).normal(size=(50, 6)) * 3
    exact = denoiser.carry(y, 3.0)
    errors = []
    for n_steps in (40, 80, 160, 320):
        # The least sigma is so small that the last step, to 0, adds nothing that would not fall.
        end = follow(denoiser, y, np.geomspace(3, 1e-3, n_steps))
        errors.append(np.linalg.norm(end - exact))
    assert_allclose(np.divide(errors[:-1], errors[1:]), 2, rtol=0.1)  # terms of second order are some 5 % at 40 steps
    assert errors[-1] < 0.02 * np.linalg.norm(exact - denoiser.means_[None])


@pytest.mark.statement("C40")
def test_a_start_at_the_mean_ends_with_a_stated_share_of_each_variance():
    X = np.random.default_rng(0).normal(size=(500, 2)) * [2, 0.5]
    denoiser, n = GaussianDenoiser().fit(X), 40_000
    drawn, labels = sample(denoiser, np.geomspace(2, 1e-3, 400), n, random_state=0)
    assert labels is None
    variances = denoiser.variances_[None]
    seen = ((drawn - denoiser.means_[None]) @ denoiser.directions_[None].T).var(axis=0)
    # 5 standard errors of a variance, and 1 % of Euler's error at 400 steps.
    assert_allclose(seen, variances * 4 / (variances + 4), rtol=5 * np.sqrt(2 / n) + 0.01)


@pytest.mark.statement("C40")
def test_drafts_of_the_class_gaussian_end_as_draws_of_it():
    X, y = eights()
    own, n = X[y == 1], 4000
    denoiser = GaussianDenoiser().fit(own)
    codes = PCA(20).fit(own)
    drafts = ClassGaussian().fit(codes.transform(own), np.zeros(len(own))).sample(n, 0.0, random_state=0)
    drawn, _ = sample(denoiser, np.geomspace(0.5, 1e-3, 100), n, drafts=codes.inverse_transform(drafts), random_state=0)
    seen, variances = codes.transform(drawn).var(axis=0)[:5], codes.explained_variance_[:5]
    assert_allclose(seen, variances, rtol=5 * np.sqrt(2 / n) + 0.01)  # as above


# --- the denoiser of the training images


@pytest.mark.statement("C41")
@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_best_denoiser_of_training_images_is_their_mean_by_posterior_weights(sigma):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(7, 5)) + 100, rng.normal(size=(4, 5)) + 100
    expected = []
    for noisy in y:
        likelihood = np.array([norm(x, sigma).logpdf(noisy).sum() for x in X])
        expected.append(np.exp(likelihood - logsumexp(likelihood)) @ X)
    assert_allclose(EmpiricalDenoiser().fit(X).denoise(y, sigma), expected, rtol=1e-10)


@pytest.mark.statement("C41")
def test_the_flow_of_the_best_denoiser_ends_on_training_images():
    X, y = eights()
    denoiser = EmpiricalDenoiser().fit(X, y)
    drawn, labels = sample(denoiser, np.geomspace(10, 0.01, 60), 100, random_state=0)
    ends = []
    for image, label in zip(drawn, labels, strict=True):
        distances = np.linalg.norm(X - image, axis=1)
        ends.append(distances.argmin())
        assert y[ends[-1]] == label
        assert distances.min() < 1e-6  # two digits of a class are 0.5 apart and more
    assert len(set(ends)) > 50


@pytest.mark.statement("C41")
def test_each_training_image_gets_its_share_of_what_the_flow_starts_with():
    """On a line the flow keeps the order, so the noisy images that end on an image are those of its share, 1 / n."""
    X, s = np.array([[0.0], [1.0], [1.5], [4.0]]), 2.0
    shares = (np.arange(400) + 0.5) / 400
    noisy = [brentq(lambda v, q=q: norm(X[:, 0], s).cdf(v).mean() - q, -20, 20) for q in shares]
    ends = follow(EmpiricalDenoiser().fit(X), np.array(noisy)[:, None], np.geomspace(s, 0.01, 300))[:, 0]
    assert_allclose(ends, np.repeat(X[:, 0], 100), atol=1e-6)


# --- the local denoiser


def patch(p, half, side):
    """The pixels at most `half` rows and columns from pixel p."""
    rows, columns = np.divmod(np.arange(side**2), side)
    return np.flatnonzero((abs(rows - p // side) <= half) & (abs(columns - p % side) <= half))


def by_loop(X, noisy, sigma, half):
    """E[x_p | patch of p] and the training image with most weight there, pixel by pixel."""
    d = X.shape[1]
    cleaned, sources = np.empty(d), np.empty(d, int)
    for p in range(d):
        seen = patch(p, half, round(d**0.5))
        likelihood = norm(X[:, seen], sigma).logpdf(noisy[seen]).sum(axis=1)
        cleaned[p] = softmax(likelihood) @ X[:, p]
        sources[p] = likelihood.argmax()
    return cleaned, sources


@pytest.mark.statement("C42")
@pytest.mark.parametrize("half", [0, 1, 3])
def test_the_local_denoiser_is_the_mean_of_a_pixel_given_its_patch(half):
    X, _ = eights()
    rng = np.random.default_rng(0)
    noisy, X = X[:2] + 0.4 * rng.normal(size=(2, 64)), X[2:60]
    denoiser = LocalDenoiser(half).fit(X)
    for image, cleaned, sources in zip(noisy, denoiser.denoise(noisy, 0.4), denoiser.sources(noisy, 0.4), strict=True):
        expected = by_loop(X, image, 0.4, half)
        assert_allclose(cleaned, expected[0], rtol=1e-10, atol=1e-12)
        assert_array_equal(sources, expected[1])


@pytest.mark.statement("C42")
def test_the_error_of_the_local_denoiser_is_orthogonal_to_all_that_the_patch_tells():
    """The mark of E[x_p | patch]: no function g of the patch can better it, E (x_p - D_p) g = 0."""
    rng = np.random.default_rng(0)
    X, sigma, n, p = rng.random((6, 9)), 0.3, 20_000, 1
    true = X[rng.integers(6, size=n)]
    noisy = true + sigma * rng.normal(size=true.shape)
    off = (true - LocalDenoiser(1).fit(X).denoise(noisy, sigma))[:, p]
    seen = patch(p, 1, 3)
    assert len(seen) == 6  # cut off at the border
    for _ in range(20):
        product = off * np.tanh(3 * (noisy[:, seen] - 0.5) @ rng.normal(size=6))
        assert abs(product.mean()) < 5 * product.std() / np.sqrt(n)  # 5 standard errors
    unseen = off * (noisy[:, 8] - 0.5)  # what the rest of the image could add
    assert abs(unseen.mean()) > 5 * unseen.std() / np.sqrt(n)


@pytest.mark.statement("C42")
def test_a_patch_of_the_whole_image_gives_the_denoiser_of_the_training_images():
    X, y = eights()
    noisy = X[:20] + 0.3 * np.random.default_rng(0).normal(size=(20, 64))
    for half in (7, 8, 100):
        local = LocalDenoiser(half).fit(X, y).denoise(noisy, 0.3, y[:20])
        assert_allclose(local, EmpiricalDenoiser().fit(X, y).denoise(noisy, 0.3, y[:20]), atol=1e-10)


@pytest.mark.statement("C42")
def test_the_flow_of_the_local_denoiser_need_not_end_on_a_training_image():
    X = np.array([np.zeros(16), np.ones(16)])
    noisy = np.r_[np.zeros(8), np.ones(8)][None] + 0.1 * np.random.default_rng(0).normal(size=(1, 16))
    sigmas = np.geomspace(0.5, 0.01, 40)
    halves = follow(LocalDenoiser(0).fit(X), noisy, sigmas)[0]
    assert_allclose(halves, np.r_[np.zeros(8), np.ones(8)], atol=1e-6)
    whole = follow(EmpiricalDenoiser().fit(X), noisy, sigmas)[0]
    assert np.ptp(whole) < 1e-6


def test_the_best_patch_grows_with_the_noise():
    """Threes: close to the image look nearby, far from it at the whole.  Sevens give the same but at sigma 2 and 3."""
    X, y = load_mnist()
    train, held = X[y == 3][:400], X[y == 3][400:430]
    halves = (1, 2, 4, 28)
    best = []
    for sigma in (0.1, 0.5, 1, 3):
        errors = [denoising_error(LocalDenoiser(half).fit(train), held, sigma, random_state=0) for half in halves]
        best.append(halves[int(np.argmin(errors))])
    assert best == [1, 2, 4, 28]  # no two errors of a row are nearer than 0.2, of 1.7 to 45


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_blocks_of_any_size_give_the_same_answer(dtype, monkeypatch):
    X, _ = eights()
    X = X.astype(dtype)
    noisy = X[:5] + dtype(0.4) * np.random.default_rng(0).normal(size=(5, 64)).astype(dtype)
    denoisers = LocalDenoiser(2).fit(X[5:200]), EmpiricalDenoiser().fit(X[5:200])
    once = [denoiser.denoise(noisy, 0.4) for denoiser in denoisers]
    sources = denoisers[0].sources(noisy, 0.4)
    assert once[0].dtype == once[1].dtype == dtype
    tolerance = 1e4 * np.finfo(dtype).eps  # sums of 25 squares over twice sigma^2, then of 195 weights
    for size in (1, 64 * 7, 64 * 195):
        monkeypatch.setattr("linvae.denoisers.BLOCK", size)
        for denoiser, whole in zip(denoisers, once, strict=True):
            assert_allclose(denoiser.denoise(noisy, 0.4), whole, atol=tolerance)
        if dtype == np.float64:  # blank patches are equal but for rounding
            assert_array_equal(denoisers[0].sources(noisy, 0.4), sources)


def test_a_half_width_for_each_sigma_is_taken_from_the_nearest_by_ratio():
    X, _ = eights()
    denoiser = LocalDenoiser({0.1: 1, 1.0: 4}).fit(X[:50])
    noisy = X[50:52] + 0.3 * np.random.default_rng(0).normal(size=(2, 64))
    for sigma, half in ((0.01, 1), (0.31, 1), (0.32, 4), (5.0, 4)):  # halfway by ratio is 0.316
        assert_array_equal(denoiser.denoise(noisy, sigma), LocalDenoiser(half).fit(X[:50]).denoise(noisy, sigma))


# --- the flow of a mixture


class MixtureDenoiser(BaseEstimator):
    """E[x | y] for x of a Gaussian mixture: the Gaussian denoisers of its parts, weighted by p(part | y)."""

    def __init__(self, weights, means, covariances):
        self.weights, self.means, self.covariances = weights, np.array(means), np.array(covariances)
        self.classes_, self.class_counts_, self.n_features_in_ = [None], [1], self.means.shape[1]
        self.means_ = {None: np.average(means, axis=0, weights=weights)}

    def fit(self):
        return self

    def log_joint(self, y, sigma):
        noise = sigma**2 * np.eye(self.n_features_in_)
        parts = [multivariate_normal(m, C + noise).logpdf(y) for m, C in zip(self.means, self.covariances, strict=True)]
        return np.log(self.weights) + np.array(parts).reshape(len(self.weights), len(y)).T

    def denoise(self, X, sigma, y=None):
        shares = softmax(self.log_joint(X, sigma), axis=1)
        noise = sigma**2 * np.eye(self.n_features_in_)
        parts = [m + (X - m) @ np.linalg.solve(C + noise, C) for m, C in zip(self.means, self.covariances, strict=True)]
        return np.einsum("na,and->nd", shares, np.array(parts))

    def draw(self, n, rng):
        part = rng.choice(len(self.weights), n, p=self.weights)
        draws = [rng.multivariate_normal(m, C, n) for m, C in zip(self.means, self.covariances, strict=True)]
        return np.array(draws)[part, np.arange(n)]

    def carried(self, x, start, end):
        """Where the flow takes one x (d,), by an integrator of high order."""

        def velocity(sigma, x):
            return (x - self.denoise(x[None], sigma)[0]) / sigma

        return solve_ivp(velocity, (start, end), x, rtol=1e-9, atol=1e-11).y[:, -1]


LINE = MixtureDenoiser([0.3, 0.7], [[-1.0], [2.0]], [[[0.04]], [[0.25]]])
PLANE = MixtureDenoiser(
    [0.5, 0.2, 0.3],
    [[-1.0, 0.0], [1.0, 1.0], [0.5, -1.5]],
    [[[0.3, 0.2], [0.2, 0.2]], [[0.05, 0.0], [0.0, 0.4]], [[0.2, -0.1], [-0.1, 0.1]]],
)


@pytest.mark.statement("C48")
@pytest.mark.parametrize("quantile", [0.02, 0.25, 0.31, 0.9])
def test_on_a_line_the_flow_of_a_mixture_stops_at_the_same_quantile_of_mixture_plus_noise(quantile):
    def place(sigma):
        deviations = np.sqrt(LINE.covariances[:, 0, 0] + sigma**2)
        return brentq(lambda v: LINE.weights @ norm(LINE.means[:, 0], deviations).cdf(v) - quantile, -30, 30)

    end = LINE.carried(np.array([place(4.0)]), 4.0, 0.7)
    assert end[0] == pytest.approx(place(0.7), abs=1e-7)


@pytest.mark.statement("C48")
def test_the_flow_of_a_mixture_carries_the_density_of_mixture_plus_noise():
    """Change of variables: ln p at the start is ln p at the stop plus ln |det| of what the flow does around it."""
    start, stop, step = 3.0, 0.6, 1e-4
    for x in np.random.default_rng(0).normal(size=(3, 2)) * 2:
        end = PLANE.carried(x, start, stop)
        ends = [PLANE.carried(x + s * e, start, stop) for e in step * np.eye(2) for s in (1, -1)]
        jacobian = np.array([ends[0] - ends[1], ends[2] - ends[3]]) / (2 * step)
        before, after = (logsumexp(PLANE.log_joint(v[None], sigma)) for v, sigma in ((x, start), (end, stop)))
        assert before == pytest.approx(after + np.log(np.linalg.det(jacobian)), abs=1e-5)  # differences, of step^2


@pytest.mark.statement("C48")
@pytest.mark.parametrize("noise", [0.3, 1.5])
def test_draws_of_a_mixture_with_noise_added_are_followed_back_to_the_mixture(noise):
    n, rng = 3000, np.random.default_rng(0)
    ends, _ = sample(PLANE, np.geomspace(noise, 0.005, 150), n, drafts=PLANE.draw(n, rng), random_state=1)
    fresh = PLANE.draw(n, rng)
    for direction in ([1, 0], [0, 1], [0.7, 0.7], [0.7, -0.7]):
        # A fixed seed; that a right sampler fails one in four such tests has a chance of 0.4 %.
        assert ks_2samp(ends @ direction, fresh @ direction).pvalue > 1e-3


# --- labels, seeds, shapes, bad input

X, Y = eights()
ALL = [GaussianDenoiser(), EmpiricalDenoiser(), LocalDenoiser(2)]


@pytest.mark.parametrize("denoiser", ALL, ids=lambda denoiser: type(denoiser).__name__)
def test_each_image_is_denoised_by_its_own_class_whatever_the_order(denoiser):
    both = clone(denoiser).fit(X, Y)
    noisy, labels = X[:40] + 0.3 * np.random.default_rng(0).normal(size=(40, 64)), Y[:40]
    cleaned = both.denoise(noisy, 0.3, labels)
    for label in (3, 7):
        own = labels == label
        alone = clone(denoiser).fit(X[label == Y])
        assert_allclose(cleaned[own], alone.denoise(noisy[own], 0.3), atol=1e-12)
        assert_allclose(cleaned[own], both.denoise(noisy[own], 0.3, label), atol=1e-12)


@pytest.mark.parametrize("denoiser", ALL, ids=lambda denoiser: type(denoiser).__name__)
def test_one_seed_gives_one_set_of_draws_and_labels_are_kept(denoiser):
    names = np.array(["even", "odd"])[Y % 2]
    denoiser = clone(denoiser).fit(X[:200], names[:200])
    drawn, labels = sample(denoiser, [2, 0.5], 6, ["odd", "even"] * 3, random_state=0)
    assert drawn.shape == (6, 64)
    assert labels.tolist() == ["odd", "even"] * 3
    again = sample(denoiser, [2, 0.5], 6, ["odd", "even"] * 3, random_state=0)[0]
    assert_array_equal(drawn, again)
    assert np.abs(sample(denoiser, [2, 0.5], 6, ["odd", "even"] * 3, random_state=1)[0] - drawn).max() > 1e-3
    assert set(sample(denoiser, [2], 50, random_state=0)[1]) == {"even", "odd"}


def test_a_bar_is_shown_only_where_asked_for(capsys):
    pytest.importorskip("tqdm")
    denoiser = GaussianDenoiser().fit(X)
    sample(denoiser, [2, 1], 1)
    assert capsys.readouterr().err == ""
    sample(denoiser, [2, 1], 1, progress=True)
    assert "2/2" in capsys.readouterr().err


FITTED = GaussianDenoiser().fit(X, Y)
LOCAL = LocalDenoiser(1).fit(X)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: FITTED.denoise(X, 0, 3), "sigma=0; the standard deviation of noise is a finite number above 0"),
        (lambda: FITTED.denoise(X, 1), "depends on the class; give y, one of"),
        (lambda: FITTED.denoise(X, 1, 12), "label 12 was not seen in fit"),
        (lambda: FITTED.denoise(X[:, :9], 1, 3), "9 features.*expecting 64"),
        (lambda: FITTED.denoise(X * np.nan, 1, 3), "NaN"),
        (lambda: FITTED.carry(X, 1, -1, 3), "to=-1; the standard deviation of noise, or 0, is"),
        (lambda: GaussianDenoiser().fit_moments({3: Moments.zero(4)}), "class 3 has no images"),
        (lambda: GaussianDenoiser().fit_moments({}), "class_moments is empty"),
        (lambda: LocalDenoiser(1).fit(X[:, :12]), "12 pixels is no square image"),
        (lambda: LocalDenoiser(-1).fit(X), "half_width=-1; give a whole number of 0 or more"),
        (lambda: LocalDenoiser({}).fit(X), r"half_width=\{\}; give a whole number"),
        (lambda: LocalDenoiser({0.1: 2.5}).fit(X), r"half_width\[0.1\]=2.5; give a whole number"),
        (lambda: LocalDenoiser({-1: 2}).fit(X), "sigma of half_width=-1"),
        (lambda: LOCAL.sources(X, -1), "sigma=-1"),
        (lambda: LocalDenoiser(1).fit(np.empty((0, 4))), "0 sample"),
        (lambda: follow(LOCAL, X, []), r"sigmas=\[\]; give standard deviations"),
        (lambda: follow(LOCAL, X, 0.5), "sigmas=0.5"),
        (lambda: follow(LOCAL, X, [1, 0.0]), "sigmas hold 0.0; .*the step to 0 is added"),
        (lambda: follow(LOCAL, X, [np.inf, 1]), "sigmas hold inf"),
        (lambda: follow(LOCAL, X, [0.1, 0.3]), "sigmas go from 0.1 to 0.3; .*that fall"),
        (lambda: sample(LOCAL, [1], 0), "n_samples=0"),
        (lambda: sample(FITTED, [1], 2, 12), "label 12 was not seen"),
        (lambda: sample(LOCAL, [1], 3, drafts=X[:2]), r"drafts have shape \(2, 64\); give one for each of n_samples=3"),
        (lambda: denoising_error(LOCAL, X, -1), "sigma=-1"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_an_unfitted_denoiser_says_so():
    with pytest.raises(NotFittedError):
        sample(LocalDenoiser(), [1])
    with pytest.raises(NotFittedError):
        GaussianDenoiser().denoise(X, 1)
