"""The linear VAE from moments: its optimum, what collapses, and the curve of rate against distortion.

Statements C11, C12, C13, C15.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime, brentq, minimize
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning

from linvae import PCA, PPCA, LinearVAE, Moments
from linvae.datasets import load_mnist
from linvae.linear_vae import LIVE, best_bound, best_encoder

VARIANCES = np.array([4.0, 2.0, 1.0, 0.5, 0.25])
LEVELS = [0.2, 0.4, 0.8, 1.5, 3.0, 5.0]  # between them, and beyond both ends


def rows(n=200, d=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) * 2.0 ** -np.arange(d) @ np.linalg.qr(rng.normal(size=(d, d)))[0] + 3


def with_variances(variances=VARIANCES, n=100, seed=0):
    """Return moments whose covariance has exactly these eigenvalues, and its axes (d, d), one a column."""
    d = len(variances)
    Q = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]
    return {None: Moments(n, np.arange(d, dtype=float), n * Q * variances @ Q.T)}, Q


def joint_bound(C, W, A, s2, noise, beta=1.0):
    """Return fit less beta times price and its slopes in W, A, ln s2 and ln noise, for images of covariance C."""
    d, k = W.shape
    second = A @ C @ A.T + np.diag(s2)
    missed = np.trace(C) - 2 * np.trace(W @ A @ C) + np.trace(W.T @ W @ second)
    price = 0.5 * (np.trace(second) - k - np.log(s2).sum())
    value = -0.5 * (d * np.log(2 * np.pi * noise) + missed / noise) - beta * price
    in_W = (C @ A.T - W @ second) / noise
    in_A = (W.T @ C - W.T @ W @ A @ C) / noise - beta * A @ C
    in_s = -0.5 * (s2 * np.sum(W**2, axis=0) / noise + beta * s2 - beta)
    return value, in_W, in_A, in_s, 0.5 * (missed / noise - d)


def climb_all(C, k, seed, noise=None, beta=1.0, size=1.0):
    """Maximise the bound over encoder, decoder and noise at once, from a random start; a fixed noise is given."""
    d, cut = len(C), len(C) * k

    def fall(theta):
        W, A = theta[:cut].reshape(d, k), theta[cut : 2 * cut].reshape(k, d)
        s2, now = np.exp(theta[2 * cut : 2 * cut + k]), np.exp(theta[-1]) if noise is None else noise
        value, *slopes = joint_bound(C, W, A, s2, now, beta)
        if noise is not None:
            slopes[-1] = 0.0
        return -value, -np.concatenate([np.ravel(slope) for slope in slopes])

    start = size * np.random.default_rng(seed).normal(size=2 * cut + k + 1)
    options = {"maxiter": 20_000, "maxfun": 100_000, "ftol": 0.0, "gtol": 1e-8}
    found = minimize(fall, start, jac=True, method="L-BFGS-B", options=options)
    return -found.fun, found.x[:cut].reshape(d, k)


def highest(variances, k, noise, beta=1.0):
    """Return the largest mean bound by the closed form at this noise: codes on the k largest variances, or off."""
    d, level = len(variances), beta * noise
    missed = np.minimum(variances[:k], level).sum() + variances[k:].sum()
    price = 0.5 * np.log(np.maximum(variances[:k] / level, 1)).sum()
    return -0.5 * (d * np.log(2 * np.pi * noise) + missed / noise) - beta * price


# The optimum: C11


@pytest.mark.statement("C11")
@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_largest_bound_is_ppcas_largest_likelihood(k):
    X = rows()
    ppca, vae = PPCA(k).fit(X), LinearVAE(k, random_state=0).fit(X)
    # Slopes of 1e-6 leave a squared slope over a curvature: 1e-9 nats or less.
    assert vae.elbo_ / len(X) == pytest.approx(ppca.score(X), abs=1e-8)
    assert vae.score(X) == pytest.approx(ppca.score(X), abs=1e-8)
    assert vae.noise_variance_ == pytest.approx(ppca.noise_variance_, rel=1e-5)
    assert_allclose(vae.coef_, ppca.loadings_, atol=1e-4)
    assert_allclose(vae.components_, ppca.components_, atol=2e-3)  # entries up to 30
    assert_allclose(vae.posterior_variance_, np.diag(ppca.posterior_covariance_), rtol=1e-4)


@pytest.mark.statement("C11")
def test_on_real_digits_the_largest_bound_is_ppcas_likelihood_and_new_digits_are_as_likely():
    X, _ = load_mnist("train")
    new, _ = load_mnist("test")
    ppca, vae = PPCA(4).fit(X), LinearVAE(4, random_state=0).fit(X)
    assert vae.elbo_ / len(X) == pytest.approx(ppca.score(X), rel=1e-6)
    assert_allclose(vae.score_samples(new), ppca.score_samples(new), rtol=1e-4, atol=1e-2)
    assert vae.score(new) == pytest.approx(ppca.score(new), rel=1e-6)


@pytest.mark.statement("C11")
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("noise", [None, 0.8])
@pytest.mark.parametrize("beta", [1.0, 0.6])
def test_climbs_of_all_weights_together_end_at_the_top_wherever_they_start(seed, noise, beta):
    moments, Q = with_variances()
    C, k = Q * VARIANCES @ Q.T, 3
    reached, W = climb_all(C, k, seed, noise, beta, size=[0.1, 1.0, 2.0][seed % 3])
    vae = LinearVAE(
        k, noise="isotropic" if noise is None else "fixed", noise_variance=noise or 1.0, beta=beta, random_state=seed
    ).fit_moments(moments)
    top = highest(VARIANCES, k, vae.noise_variance_, beta)
    assert reached == pytest.approx(top, abs=1e-6)
    assert vae.elbo_ / 100 == pytest.approx(top, abs=1e-8)
    assert_allclose(W @ W.T, vae.coef_ @ vae.coef_.T, atol=1e-3)


@pytest.mark.statement("C11")
def test_no_fixed_noise_beside_the_learned_one_has_a_larger_bound():
    moments, _ = with_variances()
    for k in (1, 3):
        for beta in (0.5, 1.0, 2.0):
            vae = LinearVAE(k, beta=beta, random_state=0).fit_moments(moments)
            best = vae.elbo_ / 100
            assert best == pytest.approx(highest(VARIANCES, k, vae.noise_variance_, beta), abs=1e-8)
            for step in np.r_[np.geomspace(0.01, 0.99, 30), np.geomspace(1.01, 100, 30)]:
                assert highest(VARIANCES, k, step * vae.noise_variance_, beta) < best


@pytest.mark.statement("C11")
def test_resting_places_below_the_top_are_saddles():
    C, level = np.diag(VARIANCES), 0.8  # two codes, and three directions that are worth one
    best = highest(VARIANCES, 2, level)
    for served in ([0, 1], [0, 2], [1, 2], [0], [1], [2], []):
        W = np.zeros((5, 2))
        for code, axis in enumerate(served):
            W[axis, code] = np.sqrt(VARIANCES[axis] - level)
        A, s2 = best_encoder(W, level)
        value, *slopes = joint_bound(C, W, A.T, s2, level)
        assert max(np.abs(slope).max() for slope in slopes[:3]) < 1e-14  # at rest
        near = []
        for axis in {0, 1, 2} - set(served):
            for code in range(2):  # turn a code that is on towards a direction without one, and wake one that is off
                moved = W.copy()
                moved[:, code] *= np.cos(0.01)
                moved[axis, code] = np.sin(0.01) * (np.linalg.norm(W[:, code]) or 1.0)
                near.append(best_bound(moved, level, VARIANCES, 5)[0])
        assert (max(near) > value + 1e-6) == (served != [0, 1])
        assert (value < best - 0.01) == (served != [0, 1])


@pytest.mark.statement("C11")
@pytest.mark.parametrize("seed", range(4))
def test_rotations_vanish_at_the_optimum(seed):
    moments, Q = with_variances()
    for noise in ("fixed", "isotropic"):
        vae = LinearVAE(3, noise=noise, noise_variance=0.4, random_state=seed).fit_moments(moments)
        directions = vae.coef_ / np.linalg.norm(vae.coef_, axis=0)
        # Slopes of 1e-6 over the curvature of a turn, which is 0.1 and more here.
        assert_allclose(np.abs(Q[:, :3].T @ directions), np.eye(3), atol=1e-4)
        best, turn = vae.elbo_ / 100, np.eye(3)
        for angle in (-1.0, -0.1, 0.1, 0.5, 1.0):
            turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
            turned = Q.T @ vae.coef_ @ turn
            assert best_bound(turned, vae.noise_variance_, VARIANCES, 5)[0] < best - 1e-4


@pytest.mark.statement("C11")
def test_from_turned_codes_a_small_turn_raises_the_bound_unless_it_is_the_worst():
    W = np.vstack([np.diag([3.0, 1.0]), np.zeros((1, 2))])
    C = np.diag([10.0, 2.0, 1.0])

    def value(angle):
        R = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return best_bound(W @ R, 1.0, np.diag(C), 3)[0]

    at = np.linspace(0, np.pi / 2, 91)
    curve = np.array([value(angle) for angle in at])
    assert (np.diff(curve[:46]) < 0).all()  # down from the axes to 45 degrees, the one other place of rest
    assert (np.diff(curve[45:]) > 0).all()
    P = np.diag([10.0, 2.0])  # W'W / level + I
    lost = 0.5 * (2 * np.log(P.trace() / 2) - np.log(np.linalg.det(P)))
    assert curve[0] - curve[45] == pytest.approx(lost, rel=1e-10)


# Collapse: C12


@pytest.mark.statement("C12")
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("k", [2, 5, 7])
def test_collapsed_codes_are_exactly_those_whose_variance_is_no_more_than_beta_times_the_noise(level, beta, k):
    moments, _ = with_variances()
    vae = LinearVAE(k, noise="fixed", noise_variance=level / beta, beta=beta, random_state=0).fit_moments(moments)
    tops = np.r_[VARIANCES, 0, 0][:k]
    assert vae.n_live_codes_ == np.sum(tops > level)
    assert_allclose(np.sum(vae.coef_**2, axis=0), np.maximum(tops - level, 0), atol=1e-4)
    assert_allclose(vae.kl_, 0.5 * np.log(np.maximum(tops / level, 1)), atol=1e-5)
    off = tops <= level
    assert np.abs(vae.coef_[:, off]).max(initial=0) < 1e-4
    assert np.abs(vae.components_[off]).max(initial=0) < 1e-4
    assert_allclose(vae.posterior_variance_, np.minimum(level / np.maximum(tops, 1e-300), 1), atol=1e-5)


@pytest.mark.statement("C12")
def test_a_code_whose_variance_is_the_level_itself_is_off():
    moments, _ = with_variances()
    vae = LinearVAE(5, noise="fixed", noise_variance=0.5, beta=2.0, random_state=0).fit_moments(moments)
    assert vae.n_live_codes_ == 2  # 4 and 2; not 1
    assert vae.kl_[2] < LIVE


@pytest.mark.statement("C12")
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_with_learned_noise_all_codes_stay_on(k):
    moments, _ = with_variances()
    vae = LinearVAE(k, random_state=0).fit_moments(moments)
    assert vae.n_live_codes_ == k
    assert vae.noise_variance_ == pytest.approx(VARIANCES[k:].mean(), rel=1e-5)  # a slope of 1e-6


@pytest.mark.statement("C12")
def test_with_learned_noise_a_code_no_wider_than_the_rest_is_off():
    moments, _ = with_variances(np.array([4.0, 1.0, 1.0, 1.0]))
    vae = LinearVAE(2, random_state=0).fit_moments(moments)
    assert vae.n_live_codes_ == 1
    assert vae.noise_variance_ == pytest.approx(1.0, rel=1e-4)


@pytest.mark.statement("C12")
@pytest.mark.parametrize("beta", [0.3, 2.0, 4.0])
def test_with_learned_noise_beta_moves_the_noise_and_the_level_with_it(beta):
    moments, _ = with_variances()
    for k in (2, 4):
        vae = LinearVAE(k, beta=beta, random_state=0).fit_moments(moments)

        def excess(noise, k=k):  # E |x - W z|^2 / sigma^2 - d
            return np.minimum(VARIANCES[:k] / noise, beta).sum() + VARIANCES[k:].sum() / noise - 5

        noise = brentq(excess, 1e-3, 1e3)
        assert vae.noise_variance_ == pytest.approx(noise, rel=1e-5)
        assert vae.n_live_codes_ == np.sum(VARIANCES[:k] > beta * noise)


def test_with_a_price_above_one_a_learned_noise_drowns_a_code_that_it_would_keep():
    moments, _ = with_variances(np.array([4.0, 2.0, 1.0]))
    dear, fair = (LinearVAE(2, beta=beta, random_state=0).fit_moments(moments) for beta in (1.5, 1.0))
    assert (dear.n_live_codes_, fair.n_live_codes_) == (1, 2)
    assert dear.noise_variance_ == pytest.approx(2.0, rel=1e-5)
    assert fair.noise_variance_ == pytest.approx(1.0, rel=1e-5)


@pytest.mark.statement("C12")
def test_on_real_digits_the_live_codes_are_counted_from_the_eigenvalues():
    X, _ = load_mnist("train")
    moments = {None: Moments.of(X)}
    variances = PCA().fit_moments(moments).explained_variance_
    for level in (1.0, 2.4):
        vae = LinearVAE(16, noise="fixed", noise_variance=level, random_state=0).fit_moments(moments)
        assert vae.n_live_codes_ == np.sum(variances > level)
        assert_allclose(vae.kl_, 0.5 * np.log(np.maximum(variances[:16] / level, 1)), atol=1e-4)


def test_a_class_that_is_told_leaves_fewer_codes_on():
    X, y = load_mnist("train")
    classes = Moments.by_class(X, y)
    within = Moments(len(X), np.zeros(784), sum(m.scatter for m in classes.values()))
    told, all_of_it = (PCA().fit_moments({None: m}).explained_variance_ for m in (within, Moments.pool(classes)))
    shared = min(len(told), len(all_of_it))
    assert (told[:shared] <= all_of_it[:shared] + 1e-9).all()  # Weyl: C within is C less the classes' own variance
    vae = LinearVAE(16, noise="fixed", noise_variance=1.0, random_state=0).fit_moments({None: within})
    assert vae.n_live_codes_ == np.sum(told > 1) < np.sum(all_of_it > 1)


# Told a condition: C15


def climb_told(X, C, k, seed, noise, beta):
    """Maximise the bound of a linear VAE told rows C of a condition, over all four maps and the widths at once."""
    n, d = X.shape
    e = C.shape[1]
    sizes = [(k, d), (k, e), (d, k), (d, e), (k,)]  # A, B, W, K, ln s
    ends = np.cumsum([np.prod(size) for size in sizes])

    def fall(theta):
        A, B, W, K, ln_s = (part.reshape(size) for part, size in zip(np.split(theta, ends[:-1]), sizes, strict=True))
        s2 = np.exp(2 * ln_s)
        codes = X @ A.T + C @ B.T
        missed = X - codes @ W.T - C @ K.T
        error = np.sum(missed**2) / n + np.sum(W**2 @ s2)
        price = 0.5 * (np.sum(codes**2) / n + np.sum(s2 - 1 - 2 * ln_s))
        value = -0.5 * (d * np.log(2 * np.pi * noise) + error / noise) - beta * price
        to_codes = missed @ W / noise - beta * codes
        slopes = [to_codes.T @ X / n, to_codes.T @ C / n, (missed.T @ codes / n - W * s2) / noise]
        slopes += [missed.T @ C / n / noise, -s2 * (np.sum(W**2, axis=0) / noise + beta) + beta]
        return -value, -np.concatenate([slope.ravel() for slope in slopes])

    start = np.random.default_rng(seed).normal(size=ends[-1])
    assert approx_fprime(start, lambda theta: fall(theta)[0]) == pytest.approx(fall(start)[1], abs=1e-4)
    found = minimize(fall, start, jac=True, method="L-BFGS-B", options={"maxiter": 20_000, "ftol": 0.0, "gtol": 1e-9})
    return -found.fun


@pytest.mark.statement("C15")
@pytest.mark.parametrize("beta", [1.0, 1.6])
@pytest.mark.parametrize("seed", [0, 1])
def test_told_a_condition_the_largest_bound_is_that_of_the_residuals(seed, beta):
    rng = np.random.default_rng(seed)
    C = rng.normal(size=(80, 2)) @ rng.normal(size=(2, 2))  # any linear condition, its columns correlated
    X = C @ rng.normal(size=(2, 5)) + rng.normal(size=(80, 5)) * [2.0, 1.4, 1.0, 0.6, 0.3]
    X, C = X - X.mean(axis=0), C - C.mean(axis=0)
    left = X - C @ np.linalg.lstsq(C, X)[0]
    of_residuals, of_images = (np.linalg.eigvalsh(np.cov(rows.T, bias=True))[::-1] for rows in (left, X))
    found = climb_told(X, C, 3, seed, 0.7, beta)
    assert found == pytest.approx(highest(of_residuals, 3, 0.7, beta), abs=1e-7)  # both climbs rest within 1e-9
    assert found > highest(of_images, 3, 0.7, beta) + 0.1  # the nearest wrong formula


# What the chapter says of cures and of networks


def test_a_climb_that_starts_where_a_nat_was_cheap_ends_with_the_same_codes_off():
    level = 0.8
    start = np.zeros((5, 5))
    start[:, :] = np.diag(np.sqrt(np.maximum(VARIANCES - 0.01 * level, 0)))  # where beta was 1/100: all on

    def fall(theta):
        value, slope, _ = best_bound(theta.reshape(5, 5), level, VARIANCES, 5)
        return -value, -slope.ravel()

    found = minimize(fall, start.ravel(), jac=True, method="L-BFGS-B", options={"ftol": 0.0, "gtol": 1e-8})
    assert -found.fun == pytest.approx(highest(VARIANCES, 5, level), abs=1e-9)
    assert_allclose(np.sum(found.x.reshape(5, 5) ** 2, axis=0), np.maximum(VARIANCES - level, 0), atol=1e-6)


@pytest.mark.parametrize("variance", [0.3, 1.2, 9.0])
def test_with_free_bits_a_code_takes_at_least_its_allowance(variance):
    free, level = 0.2, 1.0

    def fall(theta):
        w, a, s2 = theta[0], theta[1], np.exp(theta[2])
        error = variance * (1 - w * a) ** 2 + w**2 * s2
        rate = 0.5 * (s2 + a**2 * variance - 1 - np.log(s2))
        return error / (2 * level) + max(rate, free)

    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 20_000, "maxfev": 20_000}
    starts = np.random.default_rng(0).normal(
        size=(8, 3)
    )  # the corner where the price begins stops a simplex now and then
    lowest = min(minimize(fall, start, method="Nelder-Mead", options=options).fun for start in starts)
    rate = max(0.5 * np.log(variance / level), free)
    assert lowest == pytest.approx(variance * np.exp(-2 * rate) / (2 * level) + rate, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("times", [0.8, 1.25])
def test_a_first_small_code_pays_with_black_and_white_pixels_where_the_divided_variance_exceeds_beta(seed, times):
    rng = np.random.default_rng(seed)
    X = 1 / (1 + np.exp(-rng.normal(size=(60, 1)) * [1.0, -2.0, 0.5] - rng.normal(size=(60, 3))))
    m = X.mean(axis=0)
    unit = np.sqrt(m * (1 - m))
    variances, axes = np.linalg.eigh(np.cov((X / unit).T, bias=True))
    beta = variances[-1] / times
    w = 0.03 * axes[:, -1:]  # y = S^1/2 W z, so that W = w / unit
    A, s2 = best_encoder(w, beta)
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    z = ((X - m) / unit @ A) + np.sqrt(s2) * nodes  # codes (n, nodes) of each image
    logits = np.log(m / (1 - m)) + z[:, :, None] * (w[:, 0] / unit)
    each = np.sum(X[:, None] * logits - np.logaddexp(0, logits), axis=2) @ weights / weights.sum()
    asleep = np.sum(X * np.log(m / (1 - m)) + np.log(1 - m), axis=1)
    rate = 0.5 * (s2 + ((X - m) / unit @ A) ** 2 - 1 - np.log(s2)).sum(axis=1)
    gained = np.mean(each - asleep - beta * rate)
    assert (gained > 0) == (times > 1)
    assert abs(gained) > 1e-7  # the fourth order in w is 1e-7 at most


# Rate and distortion: C13


@pytest.mark.statement("C13")
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_rate_and_distortion_are_those_of_water_filling(level, beta):
    moments, _ = with_variances()
    vae = LinearVAE(5, noise="fixed", noise_variance=level / beta, beta=beta, random_state=0).fit_moments(moments)
    assert vae.kl_.sum() == pytest.approx(0.5 * np.log(np.maximum(VARIANCES / level, 1)).sum(), abs=1e-5)
    assert vae.distortion_ == pytest.approx(np.minimum(VARIANCES, level).sum(), abs=1e-5)


def least_rate(variances, distortion):
    """Return Shannon's rate of a Gaussian at a distortion, by bisection for the water's level."""
    if distortion >= variances.sum():
        return 0.0
    level = brentq(lambda level: np.minimum(variances, level).sum() - distortion, 0, variances.max())
    return 0.5 * np.log(np.maximum(variances / level, 1)).sum()


@pytest.mark.statement("C13")
def test_no_affine_encoder_and_decoder_lie_below_the_curve():
    rng, on_it = np.random.default_rng(0), 0
    for trial in range(3000):
        k = rng.integers(1, 6)
        W = rng.normal(size=(5, k)) * rng.uniform(0, 2)
        A, s2 = best_encoder(W, np.exp(rng.normal()))
        if trial % 3:
            A, s2 = A + 0.1 * rng.normal(size=A.shape), s2 * np.exp(0.3 * rng.normal(size=k))
        if trial % 5 == 0:
            level = rng.uniform(0.1, 4)
            W = np.diag(np.sqrt(np.maximum(VARIANCES - level, 0)))
            A, s2 = best_encoder(W, level)
        C = np.diag(VARIANCES)
        second = A.T @ C @ A + np.diag(s2)
        missed = np.trace(C) - 2 * np.trace(W @ A.T @ C) + np.trace(W.T @ W @ second)
        rate = 0.5 * (np.trace(second) - len(s2) - np.log(s2).sum())
        above = rate - least_rate(VARIANCES, missed)
        assert above > -1e-9  # rounding, of a rate of a few nats
        on_it += above < 1e-9
    assert on_it == 600  # the optima, and nothing else


@pytest.mark.statement("C13")
@pytest.mark.parametrize("bend", [0.0, 0.3, 1.0, 3.0])
def test_no_bent_encoder_and_decoder_of_a_gaussian_pixel_lie_below_the_curve(bend):
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    for variance in (2.0, 5.0):
        for scale in (0.5, 1.0, 2.0):
            for spread in (0.2, 0.5, 0.9):
                x = np.sqrt(variance) * nodes
                mean = scale * np.where(bend, np.tanh(bend * nodes) / max(bend, 1e-9), nodes)
                s2 = spread * (1 + 0.3 * bend * np.cos(nodes)) ** 2 / (1 + bend)
                rate = weights @ (0.5 * (s2 + mean**2 - 1 - np.log(s2)))
                z = mean[:, None] + np.sqrt(s2)[:, None] * nodes  # each image's codes
                features = np.stack([z, np.sin(z), z**3 / 10])
                design = np.einsum("aij,bij,i,j->ab", features, features, weights, weights)
                told = np.einsum("aij,i,i,j->a", features, x, weights, weights)
                missed = variance - told @ np.linalg.solve(design, told)  # the best decoder of these three features
                assert rate > least_rate(np.array([variance]), missed) + (1e-6 if bend else -1e-9)


@pytest.mark.statement("C13")
def test_with_noise_learned_from_few_codes_the_vae_lies_above_the_curve():
    moments, _ = with_variances()
    for k in (1, 2, 3):
        vae = LinearVAE(k, random_state=0).fit_moments(moments)
        rate = 0.5 * np.log(VARIANCES[:k] / vae.noise_variance_).sum()
        assert vae.kl_.sum() == pytest.approx(rate, abs=1e-5)
        assert vae.distortion_ == pytest.approx(5 * vae.noise_variance_, rel=1e-6)
        assert rate > least_rate(VARIANCES, vae.distortion_) + 0.01


# The bound and its slopes


@pytest.mark.parametrize("beta", [1.0, 0.3, 4.0])
def test_the_slopes_of_the_bound_are_difference_quotients(beta):
    rng = np.random.default_rng(0)
    W, noise = rng.normal(size=(5, 3)), 0.7
    _, slope, slope_of_log = best_bound(W, noise, VARIANCES, 6, beta)

    def value(theta):
        return best_bound(theta[:-1].reshape(5, 3), np.exp(theta[-1]), VARIANCES, 6, beta)[0]

    theta = np.r_[W.ravel(), np.log(noise)]
    quotients = (approx_fprime(theta, value, 1e-6) + approx_fprime(theta, value, -1e-6)) / 2  # from both sides
    assert_allclose(np.r_[slope.ravel(), slope_of_log], quotients, atol=1e-7)


@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_the_bound_is_that_of_encoder_and_decoder_together_and_its_encoder_is_the_best(beta):
    rng = np.random.default_rng(1)
    W, noise, C = rng.normal(size=(5, 3)), 0.7, np.diag(VARIANCES)
    A, s2 = best_encoder(W, beta * noise)
    value, in_W, in_A, in_s, in_noise = joint_bound(C, W, A.T, s2, noise, beta)
    found, slope, slope_of_log = best_bound(W, noise, VARIANCES, 5, beta)
    assert found == pytest.approx(value, rel=1e-12)
    assert_allclose(slope, in_W, atol=1e-12)
    assert slope_of_log == pytest.approx(in_noise, rel=1e-12)
    assert_allclose(in_A, 0, atol=1e-12)
    assert_allclose(in_s, 0, atol=1e-12)
    for size in (0.01, 0.3):
        for _ in range(20):
            other, widths = A.T + size * rng.normal(size=(3, 5)), s2 * np.exp(size * rng.normal(size=3))
            assert joint_bound(C, W, other, s2, noise, beta)[0] < value
            assert joint_bound(C, W, A.T, widths, noise, beta)[0] < value


def test_the_bound_never_falls_on_the_way():
    vae = LinearVAE(3, random_state=0).fit(rows())
    assert (np.diff(vae.elbo_trace_) > -1e-9).all()
    assert vae.elbo_trace_[-1] == vae.elbo_
    assert len(vae.elbo_trace_) == vae.n_iter_ + 1


# The estimator


def test_moments_give_the_fit_of_the_rows():
    X, y = rows(), np.arange(200) % 3
    whole = LinearVAE(3, random_state=0).fit(X)
    for moments in (Moments.by_class(X, y), {None: Moments.of(X[:50]) + Moments.of(X[50:])}):
        other = LinearVAE(3, random_state=0).fit_moments(moments)
        assert other.elbo_ == pytest.approx(whole.elbo_, rel=1e-9)
        assert_allclose(other.coef_, whole.coef_, atol=1e-5)  # both at rest to 1e-6


@pytest.mark.parametrize(("beta", "noise"), [(1.0, "isotropic"), (3.0, "isotropic"), (0.5, "fixed")])
def test_what_the_fit_tells_of_its_moments_is_the_mean_over_its_rows(beta, noise):
    X = rows()
    vae = LinearVAE(4, noise=noise, noise_variance=0.05, beta=beta, random_state=0).fit(X)
    kl = vae.kl(X)
    assert kl.shape == (200, 4)
    assert_allclose(kl.mean(axis=0), vae.kl_, atol=1e-9)
    codes = vae.transform(X)
    by_hand = 0.5 * (codes**2 + vae.posterior_variance_ - np.log(vae.posterior_variance_) - 1)
    assert_allclose(kl, by_hand, atol=1e-12)
    missed = np.sum((X - vae.inverse_transform(codes)) ** 2, axis=1).mean()
    missed += np.sum(vae.coef_**2 * vae.posterior_variance_)
    assert vae.distortion_ == pytest.approx(missed, rel=1e-9)
    fit = -0.5 * (6 * np.log(2 * np.pi * vae.noise_variance_) + missed / vae.noise_variance_)
    assert vae.elbo_ == pytest.approx(200 * (fit - beta * vae.kl_.sum()), rel=1e-9)
    assert vae.score(X) == pytest.approx(fit - vae.kl_.sum(), rel=1e-9)


@pytest.mark.parametrize("beta", [0.3, 1.0, 4.0])
def test_the_score_is_a_bound_on_the_log_density_whatever_beta(beta):
    X, new = rows(), rows(seed=1)
    vae = LinearVAE(3, beta=beta, random_state=0).fit(X)
    W, noise = vae.coef_, vae.noise_variance_
    truth = multivariate_normal(vae.mean_, W @ W.T + noise * np.eye(6)).logpdf(new)
    below = truth - vae.score_samples(new)
    posterior = noise * np.linalg.inv(W.T @ W + noise * np.eye(3))
    apart = vae.transform(new) - (new - vae.mean_) @ W @ posterior / noise
    s2, P = vae.posterior_variance_, np.linalg.inv(posterior)
    kl = 0.5 * (np.trace(P @ np.diag(s2)) - 3 + np.einsum("ij,jk,ik->i", apart, P, apart))
    kl += 0.5 * (np.linalg.slogdet(posterior)[1] - np.log(s2).sum())
    assert_allclose(below, kl, atol=1e-7)
    assert below.min() > -1e-7
    assert (below.max() < 1e-7) == (beta == 1)


def test_codes_and_images_go_through_the_fitted_maps():
    X = rows()
    vae = LinearVAE(3, random_state=0).fit(X)
    Z = vae.transform(X)
    assert_allclose(Z, (X - vae.mean_) @ vae.components_.T, atol=1e-12)
    assert_allclose(vae.inverse_transform(Z), Z @ vae.coef_.T + vae.mean_, atol=1e-12)
    assert list(vae.get_feature_names_out()) == ["linearvae0", "linearvae1", "linearvae2"]


def test_draws_have_the_models_moments():
    vae = LinearVAE(2, random_state=0).fit(rows())
    drawn = vae.sample(20_000, random_state=0)
    C = vae.coef_ @ vae.coef_.T + vae.noise_variance_ * np.eye(6)
    error = np.sqrt((np.outer(np.diag(C), np.diag(C)) + C**2) / 20_000)
    assert (np.abs(np.cov(drawn.T, bias=True) - C) < 5 * error).all()  # 5 standard errors
    assert (np.abs(drawn.mean(axis=0) - vae.mean_) < 5 * np.sqrt(np.diag(C) / 20_000)).all()


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_the_unit_of_the_pixels_moves_the_noise_and_no_code(unit):
    X = rows()
    here, there = LinearVAE(3, random_state=0).fit(X), LinearVAE(3, random_state=0).fit(unit * X)
    assert there.noise_variance_ == pytest.approx(unit**2 * here.noise_variance_, rel=1e-5)
    assert_allclose(there.kl_, here.kl_, atol=1e-6)
    assert there.elbo_ == pytest.approx(here.elbo_ - 200 * 6 * np.log(unit), rel=1e-7)


def test_the_same_seed_gives_the_same_fit_and_another_start_the_same_optimum():
    X = rows()
    first, same, other = (LinearVAE(3, random_state=seed).fit(X) for seed in (0, 0, 1))
    assert np.array_equal(first.coef_, same.coef_)
    assert not np.array_equal(first.coef_, other.coef_)
    assert_allclose(first.coef_, other.coef_, atol=1e-4)


def test_by_default_as_many_codes_as_the_noise_leaves():
    X = rows()
    assert LinearVAE(random_state=0).fit(X).n_components_ == 5
    assert LinearVAE(noise="fixed", random_state=0).fit(X).n_components_ == 6
    assert LinearVAE(9, noise="fixed", random_state=0).fit(X).coef_.shape == (6, 9)  # beyond the rank: off


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (LinearVAE(6), r"n_components=6 but n_samples=200 rows of n_features=6 span 6 directions.* noise=\"fixed\""),
        (LinearVAE(0), "n_components=0; give a whole number of 1 or more"),
        (LinearVAE(2.0), r"n_components=2\.0"),
        (LinearVAE(2, noise="learned"), "noise='learned'; choose one of 'isotropic', 'fixed'"),
        (LinearVAE(2, noise="fixed", noise_variance=0), "noise_variance=0; a variance is a finite number above 0"),
        (LinearVAE(2, beta=0), "beta=0; the weight of the KL divergence, 1 for the VAE, is a finite number above 0"),
        (LinearVAE(2, beta=np.inf), "beta=inf"),
        (LinearVAE(2, tol=0), "tol=0; a slope is a finite number above 0"),
        (LinearVAE(2, max_iter=0), "max_iter=0; give a whole number of 1 or more"),
    ],
)
def test_bad_settings_are_named_with_the_way_out(model, words):
    with pytest.raises(ValueError, match=words):
        model.fit(rows())


def test_equal_rows_are_named():
    with pytest.raises(ValueError, match="all rows are equal"):
        LinearVAE(1).fit(np.ones((5, 3)))


def test_a_climb_that_is_stopped_says_what_is_left():
    with pytest.warns(ConvergenceWarning, match=r"after 3 steps \(max_iter=3\) .* raise max_iter or tol"):
        LinearVAE(3, max_iter=3, random_state=0).fit(rows())


def test_a_noise_too_small_for_float64_is_said():
    with pytest.warns(ConvergenceWarning, match="where variances are 1e7 times their product"):
        LinearVAE(3, noise="fixed", noise_variance=1e-9, random_state=0).fit(rows())
