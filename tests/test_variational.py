"""The random decoder: brute-force conditioning, laws of the ELBO, rivals, known truth.

Statements C16, C17, C18, C20, C21, C22.
"""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.stats import laplace, multivariate_normal, norm, uniform
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ARDRegression, BayesianRidge, LinearRegression, Ridge

from linvae import PCA, CrossMoments, LinearGenerativeModel, VariationalMMLR
from linvae.datasets import load_mnist
from linvae.variational import (
    PRIORS,
    CoefficientPosterior,
    Design,
    ascend,
    best_variances,
    elbo,
    exact_posterior,
    gradient,
    log_evidence,
    mean_field,
    newton,
)


def problem(n=30, k=3, d=4, seed=0, noise=0.5):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, k)) @ rng.normal(size=(k, k)) + 0.5
    return Z, Z @ rng.normal(size=(k, d)) + 1 + noise * rng.normal(size=(n, d))


def fit(Z, X, **options):
    return VariationalMMLR(**options).fit(Z, X)


FIXED = {"noise": "fixed", "prior": "fixed", "noise_variance": 0.3, "prior_variance": 2.0}


def precision_of(Z, noise=0.3, prior=2.0):
    Phi = np.c_[Z, np.ones(len(Z))]
    return Phi.T @ Phi / noise + np.eye(Phi.shape[1]) / prior


@pytest.mark.statement("C16")
def test_the_posterior_is_the_one_of_gaussian_conditioning():
    Z, X = problem()
    model = fit(Z, X, **FIXED)
    Phi = np.c_[Z, np.ones(len(Z))]
    marginal = Phi @ Phi.T * 2.0 + 0.3 * np.eye(len(Z))  # of one pixel over the rows, coefficients integrated out
    gain = 2.0 * Phi.T @ np.linalg.inv(marginal)
    assert_allclose(np.c_[model.coef_, model.intercept_].T, gain @ X, atol=1e-10)
    assert_allclose(model.coef_cov_, 2.0 * np.eye(4) - gain @ Phi * 2.0, atol=1e-10)
    evidence = multivariate_normal(np.zeros(len(Z)), marginal).logpdf(X.T).sum()
    assert model.log_evidence_ == pytest.approx(evidence, rel=1e-10)
    assert model.elbo_ == pytest.approx(evidence, rel=1e-10)


@pytest.mark.statement("C16")
def test_the_posterior_mean_is_ridge():
    Z, X = problem()
    ridge = Ridge(alpha=0.3 / 2.0, fit_intercept=False).fit(np.c_[Z, np.ones(len(Z))], X)
    model = fit(Z, X, **FIXED)
    assert_allclose(np.c_[model.coef_, model.intercept_], ridge.coef_, atol=1e-10)
    alone = fit(Z, X, fit_intercept=False, **FIXED)
    assert_allclose(alone.coef_, Ridge(alpha=0.15, fit_intercept=False).fit(Z, X).coef_, atol=1e-10)
    assert not alone.intercept_.any()


@pytest.mark.statement("C22")
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_log_evidence_is_the_elbo_plus_the_divergence_for_any_q(seed, shared):
    rng = np.random.default_rng(seed)
    design = Design.of(CrossMoments.of(*problem(n=8, seed=seed % 50)))
    c, d = design.cross.shape
    noise = np.full(d, 0.4) if shared else rng.uniform(0.1, 2, d)
    precision = rng.uniform(0.1, 3, c)
    q = CoefficientPosterior(
        rng.normal(size=(c, d)), rng.normal(size=(c, c)), rng.uniform(0.1, 2, (1 if shared else d, c))
    )
    divergence = 0.0
    for p in range(d):
        P = design.gram / noise[p] + np.diag(precision)
        S, off = q.covariance(p), q.mean[:, p] - np.linalg.solve(P, design.cross[:, p] / noise[p])
        log_dets = np.linalg.slogdet(P)[1] + np.linalg.slogdet(S)[1]
        divergence += 0.5 * (np.trace(P @ S) + off @ P @ off - c - log_dets)
    total = log_evidence(design, noise, precision)
    assert elbo(q, design, noise, precision) + divergence == pytest.approx(total, rel=1e-7, abs=1e-6)
    assert divergence >= -1e-9
    best = exact_posterior(design, noise, precision)
    assert elbo(best, design, noise, precision) == pytest.approx(total, rel=1e-9)


@pytest.mark.statement("C22")
def test_where_no_gaussian_is_exact_the_sum_is_the_evidence_and_bounds_order_the_divergences():
    # One pixel, black or white; every density on a grid, so that nothing but the statement is used.
    z, white = np.array([-1.5, -1, -0.5, 0.5, 1, 1.5]), np.array([0, 0, 0, 1, 1, 1])
    beta = np.linspace(-20, 40, 60_001)  # the joint density is above 1e-60 on all of it
    step = beta[1] - beta[0]
    chance = 1 / (1 + np.exp(-z[:, None] * beta))
    joint = np.where(white[:, None], chance, 1 - chance).prod(axis=0) * norm.pdf(beta, 0, 5)
    evidence = quad(lambda b: np.prod(1 / (1 + np.exp(-np.abs(z) * b))) * norm.pdf(b, 0, 5), -40, 60)[0]
    posterior = joint / evidence

    def parts(q):
        where = q > 0  # 0 ln 0 = 0
        q, log_q = q[where], np.log(q[where])
        return step * np.sum(q * (np.log(joint[where]) - log_q)), step * np.sum(q * (log_q - np.log(posterior[where])))

    gaussians = [norm.pdf(beta, m, s) for m in np.arange(2, 9, 0.5) for s in np.arange(1, 4, 0.25)]
    others = [laplace.pdf(beta, 4, 2), uniform.pdf(beta, 1, 9), 0.5 * norm.pdf(beta, 2) + 0.5 * norm.pdf(beta, 9, 2)]
    bounds, divergences = np.transpose([parts(q) for q in [*gaussians, *others]])
    # A uniform density has two edges, each half a step off: 1e-3 / 9 of its mass.
    assert_allclose(bounds + divergences, np.log(evidence), atol=1e-3)
    assert divergences.min() > 0.09  # of a Gaussian at best 0.0914
    assert bounds.argmax() == divergences.argmin()
    bound, divergence = parts(posterior)
    assert bound == pytest.approx(np.log(evidence), abs=1e-6)  # quadrature
    assert divergence == pytest.approx(0, abs=1e-6)


@pytest.mark.statement("C20", "C50")
def test_mean_field_has_exact_means_and_too_small_variances_and_the_gap_of_the_formula():
    Z, X = problem()
    exact, mean_field = fit(Z, X, **FIXED), fit(Z, X, family="mean-field", **FIXED)
    P = precision_of(Z)
    assert_allclose(mean_field.coef_, exact.coef_, atol=1e-10)
    q, design = flat_start(Z, X)
    for _ in range(3000):  # each sweep shrinks the error by a share that hangs on the codes' correlation
        q = ascend(q, design, np.full(4, 0.3), np.full(4, 0.5))
    assert_allclose(q.mean[:3].T, exact.coef_, atol=1e-6)
    assert_allclose(np.diag(mean_field.coef_cov_), 1 / np.diag(P), rtol=1e-10)
    assert (np.diag(mean_field.coef_cov_) < np.diag(exact.coef_cov_)).all()
    gap = 0.5 * (np.log(np.diag(P)).sum() - np.linalg.slogdet(P)[1]) * X.shape[1]
    assert mean_field.log_evidence_ - mean_field.elbo_ == pytest.approx(gap, rel=1e-6)


@pytest.mark.statement("C50")
@pytest.mark.parametrize("noise_variance", [0.01, 1.0])
def test_mean_field_is_exact_for_pooled_pca_scores_and_not_within_a_class(noise_variance):
    X, y = load_mnist("train")
    Z = PCA(6).fit(X).transform(X)
    options = {"noise": "fixed", "noise_variance": noise_variance, "prior": "fixed"}
    pooled = fit(Z, X, family="mean-field", **options)
    assert pooled.elbo_ == pytest.approx(pooled.log_evidence_, rel=1e-9)
    six = fit(Z[y == 6], X[y == 6], family="mean-field", **options)
    assert six.elbo_ < six.log_evidence_ - 100  # nats; seen: hundreds


def flat_start(Z, X):
    """Return a q to start from, means 0 and variances 1, and the design of [Z, 1]."""
    design = Design.of(CrossMoments.of(Z, X))
    c, d = design.cross.shape
    return CoefficientPosterior(np.zeros((c, d)), np.eye(c), np.ones((1, c))), design


@pytest.mark.statement("C21")
@pytest.mark.parametrize("step", [ascend, newton, gradient])
@pytest.mark.parametrize("noise", [np.full(4, 0.3), np.array([0.1, 0.3, 1.0, 3.0])])
def test_no_step_of_any_solver_lowers_the_elbo_or_passes_the_evidence_and_all_end_at_one_place(step, noise):
    q, design = flat_start(*problem())
    precision = np.array([0.5, 1.0, 2.0, 0.1])
    top = log_evidence(design, noise, precision)
    trace = [elbo(q, design, noise, precision)]
    for _ in range(2000):
        q = step(q, design, noise, precision)
        trace.append(elbo(q, design, noise, precision))
        if trace[-1] - trace[-2] <= 1e-12 * abs(top):
            break
    assert (np.diff(trace) >= -1e-12 * abs(top)).all()  # rounding of a sum of some 200 terms
    assert max(trace) <= top + 1e-12 * abs(top)
    best = mean_field(design, noise, precision)
    assert trace[-1] == pytest.approx(elbo(best, design, noise, precision), rel=1e-9)
    # At 1e-12 of the ELBO, some 1e-9 nats, a mean is at most sqrt(2e-9) = 5e-5 standard deviations off.
    assert (np.abs(q.mean - best.mean) < 1e-4 * np.sqrt(best.marginal_variances().T)).all()


@pytest.mark.statement("C21")
def test_sweeps_in_the_diagonalising_coordinates_end_at_once_at_the_exact_posterior():
    q, design = flat_start(*problem())
    noise, precision = np.array([0.1, 0.3, 1.0, 3.0]), np.array([0.5, 1.0, 2.0, 0.1])
    exact = exact_posterior(design, noise, precision)
    start = CoefficientPosterior(q.mean, exact.basis, best_variances(design, exact.basis, noise, precision))
    assert_allclose(ascend(start, design, noise, precision).mean, exact.mean, atol=1e-12)


CHOICES = list(itertools.product(["full", "mean-field"], ["fixed", "isotropic", "per-pixel"], PRIORS))


@pytest.mark.statement("C21")
@pytest.mark.parametrize(("family", "noise", "prior"), CHOICES)
def test_the_elbo_never_falls_and_never_passes_the_evidence(family, noise, prior):
    Z, X = problem()
    model = fit(Z, X, family=family, noise=noise, prior=prior)
    slack = 1e-12 * abs(model.elbo_)  # rounding of a sum of some 200 terms
    assert len(model.elbo_trace_) == model.n_iter_ + (noise != "fixed" or prior != "fixed")
    assert (np.diff(model.elbo_trace_) >= -slack).all()
    assert model.elbo_ == model.elbo_trace_[-1]
    assert model.elbo_ <= model.log_evidence_ + slack
    if family == "full":
        assert model.elbo_ == pytest.approx(model.log_evidence_, rel=1e-12)


BEST = {"full": exact_posterior, "mean-field": mean_field}
ONE = np.ones(1)


@pytest.mark.statement("C21")
@pytest.mark.parametrize(("family", "noise", "prior"), [c for c in CHOICES if c[1:] != ("fixed", "fixed")])
def test_learned_noise_and_prior_are_where_no_small_change_raises_the_elbo(family, noise, prior):
    """Of either family: the bound at the best q, as a function of the logarithms of noise and precisions, is flat."""
    Z, X = problem()
    model = fit(Z, X, family=family, noise=noise, prior=prior, tol=1e-8)
    cross = CrossMoments.of(Z, X)
    design = Design.of(cross) if prior == "fixed" else Design.centred(cross)

    def bound(s2, a):
        if prior == "fixed":
            return elbo(BEST[family](design, s2, a), design, s2, a)
        unit = design.in_units_of(s2)  # coefficients have the prior N(0, s2 / a)
        return elbo(BEST[family](unit, ONE, a), unit, ONE, a)

    s2, a = model.noise_variance_, model.prior_precision_[: len(design.gram)]
    if prior != "fixed" and noise != "per-pixel":
        # With one noise for all pixels the prior may as well be told in the units of the data.
        plain = elbo(BEST[family](design, s2, a), design, s2, a)
        assert plain == pytest.approx(model.elbo_, rel=1e-12)
        a = a * s2[0]
    top = bound(s2, a)
    assert top == pytest.approx(model.elbo_, rel=1e-12)
    # Along the logarithm of one noise, or of one precision, the bound bends by at most half the rows of all four
    # pixels, 60; so a shift of 1e-4 costs at most 1e-6 nats where it is flat; a slope of 0.1 would give ten times
    # as much.
    for shift in {"fixed": [], "isotropic": [np.ones(4)], "per-pixel": list(np.eye(4))}[noise]:
        for e in (-1e-4, 1e-4):
            assert -1e-6 < bound(s2 * np.exp(e * shift), a) - top < 1e-9
    for shift in {"fixed": [], "learned": [np.ones(3)], "ard": list(np.eye(3))}[prior]:
        for e in (-1e-4, 1e-4):
            assert -1e-6 < bound(s2, a * np.exp(e * shift)) - top < 1e-9


UNITS = list(itertools.product([1e-8, 1.0, 1e8], [1e-8, 1.0, 1e8], [0.0, 1e6], [0.0, 1e6]))


@pytest.mark.parametrize(("family", "noise", "prior"), [c for c in CHOICES if c[2] != "fixed"])
def test_predictions_change_with_the_units_of_pixels_and_codes_exactly_as_the_units_do(family, noise, prior):
    Z, X = problem()
    new = np.random.default_rng(9).normal(size=(5, 3))
    options = {"family": family, "noise": noise, "prior": prior}
    mean, std = fit(Z, X, noise_variance=0.3, **options).predict(new, return_std=True)
    for code, pixel, z0, x0 in UNITS:
        model = fit((Z + z0) * code, (X + x0) * pixel, noise_variance=0.3 * pixel**2, **options)
        m, s = model.predict((new + z0) * code, return_std=True)
        # An offset of 1e6 leaves values of size 1 ten digits.
        assert_allclose(m / pixel - x0, mean, atol=1e-8)
        assert_allclose(s / pixel, std, atol=1e-8)
        assert model.elbo_ <= model.log_evidence_ + 1e-9 * abs(model.elbo_)


@pytest.mark.parametrize("noise", ["fixed", "isotropic", "per-pixel"])
@pytest.mark.parametrize("family", ["full", "mean-field"])
def test_a_fixed_prior_is_in_the_units_of_the_data_and_follows_them_when_told(family, noise):
    Z, X = problem()
    options = {"family": family, "noise": noise, "prior": "fixed"}
    plain = fit(Z, X, noise_variance=0.3, prior_variance=2.0, **options)
    for pixel in (1e-8, 255.0, 1e8):
        told = fit(Z, X * pixel, noise_variance=0.3 * pixel**2, prior_variance=2.0 * pixel**2, **options)
        assert_allclose(told.predict(Z) / pixel, plain.predict(Z), atol=1e-8)
    bytes_ = fit(Z, X * 255, noise_variance=0.3 * 255**2, prior_variance=2.0, **options)
    assert np.abs(bytes_.predict(Z) / 255 - plain.predict(Z)).max() > 0.1  # not told, it shrinks 255 times as much


@pytest.mark.parametrize("prior", ["learned", "ard"])
def test_one_code_and_one_pixel_far_from_the_origin_are_near_least_squares(prior):
    """The intercept, near 90, is not shrunk: a prior of variance 1 on it made the slope +0.47."""
    x = np.array([1.17, 2.97, 3.26, 4.69, 5.83, 6.0, 6.41])[:, None]
    y = np.array([78.93, 58.2, 67.47, 37.47, 45.65, 32.92, 29.97])
    least_squares = LinearRegression().fit(x, y)
    model = fit(x, y, prior=prior)
    assert model.coef_[0, 0] == pytest.approx(least_squares.coef_[0], rel=0.05)  # seven rows tell the slope to 10 %
    assert model.predict([[x.mean()]])[0] == pytest.approx(y.mean(), rel=1e-12)


def test_bytes_are_decoded_as_floats_are():
    X, y = load_mnist("train")
    new, new_y = load_mnist("test")
    floats = LinearGenerativeModel(PCA(16)).fit(X, y).reconstruction_error(new, new_y, n_components=[0, 16])
    X, new = load_mnist("train", dtype="uint8")[0], load_mnist("test", dtype="uint8")[0]
    levels = LinearGenerativeModel(PCA(16)).fit(X, y).reconstruction_error(new, new_y, n_components=[0, 16])
    assert_allclose(levels / 255**2, floats, rtol=1e-6)  # the floats are rounded to float32
    assert floats[1] < floats[0] / 2


def exactly(Z, X, noise, prior):
    """Return posterior mean and covariance of [Z, 1] by elimination in rational numbers."""
    Phi = [[*map(Fraction, row), Fraction(1)] for row in Z.tolist()]
    c, d = len(Phi[0]), X.shape[1]
    P = [[sum(r[i] * r[j] for r in Phi) / Fraction(noise) + (i == j) / Fraction(prior) for j in range(c)]
         for i in range(c)]  # fmt: skip
    for i in range(c):
        sums = [sum(r[i] * Fraction(x) for r, x in zip(Phi, X[:, p].tolist(), strict=True)) for p in range(d)]
        P[i] += [total / Fraction(noise) for total in sums] + [Fraction(int(i == j)) for j in range(c)]
    for i in range(c):
        P[i] = [value / P[i][i] for value in P[i]]
        for j in set(range(c)) - {i}:
            P[j] = [a - P[j][i] * b for a, b in zip(P[j], P[i], strict=True)]
    solved = np.array([[float(value) for value in row[c:]] for row in P])
    return solved[:, :d], solved[:, d:]


@pytest.mark.parametrize(("unit", "offset"), [(1.0, 0.0), (1e8, 0.0), (1e-8, 0.0), (1.0, 1e6), (1e8, 1e6)])
def test_the_talks_posterior_is_right_for_codes_of_any_unit_and_offset(unit, offset):
    Z, X = problem()
    Z = (Z + offset) * unit
    mean, covariance = exactly(Z, X, 0.3, 2.0)
    std = np.sqrt(np.diag(covariance))
    full, independent = (fit(Z, X, family=family, **FIXED) for family in ("full", "mean-field"))
    for model in (full, independent):
        # The rows know an offset of 1e6 to ten digits.
        assert_allclose(np.c_[model.coef_, model.intercept_].T / std[:, None], mean / std[:, None], atol=1e-7)
        assert model.elbo_ <= model.log_evidence_ + 1e-9 * abs(model.elbo_)
    assert_allclose(full.coef_cov_ / np.outer(std, std), covariance / np.outer(std, std), atol=1e-8)
    assert full.elbo_ == pytest.approx(full.log_evidence_, rel=1e-8)


@pytest.mark.parametrize("prior", ["learned", "ard"])
@pytest.mark.parametrize("offset", [0.0, 1000.0, 1e6])
def test_no_prior_stops_on_a_plateau(prior, offset):
    r = np.random.RandomState(0)
    X = r.randn(300, 2)
    y = X @ [1, 2] + 0.1 * r.randn(300)
    model = fit(X + offset, y, prior=prior)
    assert_allclose(model.coef_, [[1, 2]], atol=4 * 0.1 / np.sqrt(300))  # 4 standard errors
    assert model.elbo_ > 250


@pytest.mark.parametrize(("noise", "prior"), itertools.product(["isotropic", "per-pixel"], ["learned", "ard"]))
def test_means_have_come_to_rest_within_a_small_share_of_their_standard_deviation(noise, prior):
    X, y = load_mnist("train")
    Z = PCA(16).fit(X).transform(X)
    few = np.flatnonzero(y == 6)[:60]  # little more than three rows a code: the steps are slow
    quick, slow = (fit(Z[few], X[few], noise=noise, prior=prior, tol=tol, max_iter=20_000) for tol in (1e-5, 1e-9))
    std = np.sqrt(slow.posterior_.marginal_variances()).T
    # The default stops where no change of a variance by a factor e promises 1e-5 nats: sqrt(2e-5) standard deviations.
    assert (np.abs(quick.posterior_.mean - slow.posterior_.mean) < 0.005 * std).all()
    assert_allclose(quick.noise_variance_, slow.noise_variance_, rtol=1e-3)


@pytest.mark.parametrize("n", [4, 6, 8, 9, 10])
def test_with_no_more_rows_than_codes_the_default_is_nearer_to_new_digits_than_the_mean_image(n):
    X, y = load_mnist("train")
    new, new_y = load_mnist("test")
    pca = PCA(8).fit(X)
    errors = np.zeros(3)
    for label in range(10):
        few, held = X[np.flatnonzero(y == label)[:n]], new[new_y == label]
        codes = pca.transform(held)
        model = VariationalMMLR().fit(pca.transform(few), few)
        talk = VariationalMMLR(noise="fixed", prior="fixed").fit(pca.transform(few), few)
        for i, images in enumerate((model.predict(codes), few.mean(axis=0), talk.predict(codes))):
            errors[i] += np.mean(np.sum((images - held) ** 2, axis=1)) / 10
        assert model.floored_pixels_.size == 0
    assert errors[0] < errors[1]


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_learned_noise_and_prior_on_one_pixel_are_bayesian_ridges(fit_intercept):
    Z, X = problem(n=200)
    for p in range(X.shape[1]):
        theirs = BayesianRidge(fit_intercept=fit_intercept, tol=1e-12, max_iter=10_000)
        theirs.set_params(alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0).fit(Z, X[:, p])
        ours = fit(Z, X[:, [p]], fit_intercept=fit_intercept, tol=1e-10)
        # With a free intercept theirs takes the centred rows for 200 rows that tell of the noise, and 199 do: 0.5 %.
        assert_allclose(ours.coef_[0], theirs.coef_, rtol=1e-3)
        assert_allclose(ours.intercept_[0], theirs.intercept_, rtol=1e-3)
        assert ours.prior_precision_[0] == pytest.approx(theirs.lambda_, rel=1e-2)
        assert ours.noise_variance_[0] * (1 - fit_intercept / 200) == pytest.approx(1 / theirs.alpha_, rel=1e-3)


def test_ard_is_scikit_learns_on_one_pixel_and_switches_an_idle_code_off():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(300, 3))
    x = Z[:, :2] @ [1.0, -2.0] + 0.3 * rng.normal(size=300)
    theirs = ARDRegression(fit_intercept=False, tol=1e-10, max_iter=3000).fit(Z, x)
    ours = VariationalMMLR(noise="per-pixel", prior="ard", fit_intercept=False, tol=1e-10, max_iter=5000).fit(Z, x)
    assert_allclose(ours.coef_[0, :2], theirs.coef_[:2], rtol=1e-3)
    assert abs(ours.coef_[0, 2]) < 0.02
    assert ours.prior_precision_[2] > 100 * ours.prior_precision_[:2].max()


def test_pixels_without_residual_stop_at_the_floor_and_are_listed():
    Z, X = problem(n=200)
    X[:, 1] = 0  # constant, and reached exactly
    model = fit(Z, X, noise="per-pixel", min_noise_variance=1e-4)
    assert_array_equal(model.floored_pixels_, [1])
    assert model.noise_variance_[1] == pytest.approx(1e-4 * X.var(axis=0).mean(), rel=1e-12)
    assert (model.noise_variance_[[0, 2, 3]] > 1e-2).all()
    assert fit(Z, X, noise="isotropic").floored_pixels_.size == 0
    basis, weights = model.coef_cov_
    assert_allclose(model.posterior_.covariance(2), basis * weights[2] @ basis.T)


def test_a_known_decoder_is_recovered_within_its_stated_error():
    rng = np.random.default_rng(1)
    B, b = rng.normal(size=(50, 4)), rng.normal(size=50)
    Z = rng.normal(size=(400, 4))
    X = Z @ B.T + b + 0.2 * rng.normal(size=(400, 50))
    model = fit(Z, X)
    off = np.c_[model.coef_ - B, model.intercept_ - b] / np.sqrt(np.diag(model.coef_cov_))
    assert abs(off.std() - 1) < 5 / np.sqrt(2 * off.size)  # a standard deviation of 250 normals
    assert np.sqrt(model.noise_variance_[0]) == pytest.approx(0.2, rel=5 / np.sqrt(2 * X.size))


def test_intervals_hold_what_they_promise_on_new_rows():
    rng = np.random.default_rng(2)
    B = rng.normal(size=(300, 5))
    Z, new = rng.normal(size=(20, 5)), rng.normal(size=(50, 5))
    X = Z @ B.T + 0.5 * rng.normal(size=(20, 300))
    truth = new @ B.T + 0.5 * rng.normal(size=(50, 300))
    mean, std = fit(Z, X, fit_intercept=False).predict(new, return_std=True)
    assert mean.shape == std.shape == (50, 300)
    inside = (np.abs(truth - mean) < 1.96 * std).mean(axis=1)
    # Pixels are independent draws, rows share the learned noise: 300 x 50 trials, and 2 % of the noise's own error.
    assert abs(inside.mean() - 0.95) < 0.01


@pytest.mark.statement("C17")
def test_a_fresh_decoder_adds_white_pixel_noise_of_the_stated_size():
    Z, X = problem(n=12)
    model = fit(Z, X, **FIXED)
    phi = np.append(Z[0], 1.0)
    drawn = model.sample_y(np.repeat(Z[:1], 20_000, axis=0), random_state=0, noise=False)[0]
    variance = phi @ model.coef_cov_ @ phi
    covariance = np.cov(drawn.T)
    assert_allclose(np.diag(covariance), variance, rtol=5 * np.sqrt(2 / 20_000))
    assert (np.abs(covariance - np.diag(np.diag(covariance))) < 5 * variance / np.sqrt(20_000)).all()
    B, b = model.sample_coef(20_000, random_state=1)
    assert B.shape == (20_000, 4, 3)
    by_hand = np.einsum("tdk,k->td", B, Z[0]) + b
    assert_allclose(by_hand.var(axis=0), variance, rtol=5 * np.sqrt(2 / 20_000))
    noisy = model.sample_y(np.repeat(Z[:1], 20_000, axis=0), random_state=0)[0]
    assert_allclose(noisy.var(axis=0), variance + 0.3, rtol=5 * np.sqrt(2 / 20_000))


@pytest.mark.statement("C18")
def test_averaging_draws_collapses_to_the_mean_like_one_over_their_number():
    Z, X = problem(n=12)
    model = fit(Z, X, **FIXED)
    spread = np.trace(model.coef_cov_) * X.shape[1]
    for n_draws in (1, 10, 1000):
        off = []
        for seed in range(300):
            B, b = model.sample_average_coef(n_draws, random_state=seed)
            off.append(np.sum((B - model.coef_) ** 2) + np.sum((b - model.intercept_) ** 2))
        expected = spread / n_draws
        assert abs(np.mean(off) - expected) < 5 * np.std(off) / np.sqrt(300)
    many = [np.mean(part, axis=0) for part in model.sample_coef(1000, random_state=0)]
    assert np.sum((many[0] - model.coef_) ** 2) + np.sum((many[1] - model.intercept_) ** 2) < 3 * spread / 1000


def test_one_pixel_and_float32_keep_their_shapes():
    Z, X = problem()
    one = fit(Z, X[:, 0])
    mean, std = one.predict(Z.astype(np.float32), return_std=True)
    assert mean.shape == std.shape == (30,)
    assert mean.dtype == std.dtype == np.float32
    assert one.coef_.shape == (1, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"family": "half"}, "family='half'; choose one of 'full', 'mean-field'"),
        ({"noise": "pixel"}, "noise='pixel'"),
        ({"prior": None}, "prior=None"),
        ({"noise_variance": -1.0}, r"noise_variance=-1\.0; a variance is a finite number above 0"),
        ({"prior_variance": 0}, "prior_variance=0"),
        ({"min_noise_variance": np.inf}, "min_noise_variance=inf"),
        ({"tol": -1}, "tol=-1"),
        ({"tol": np.nan}, "tol=nan"),
        ({"max_iter": 0}, "max_iter=0"),
    ],
)
def test_unknown_choices_and_impossible_variances_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        fit(*problem(), **options)


def test_a_run_cut_short_says_so():
    with pytest.warns(ConvergenceWarning, match=r"\(max_iter=1\) the ELBO may still rise by"):
        fit(*problem(), prior="ard", max_iter=1)


def test_a_top_that_rounding_blurs_is_no_warning():
    # 1e5 nats carry some 1e-8 of rounding, on which a line search ends while the slope is still 0.01, as at seed 9.
    # Warnings are errors.
    for top in (np.random.default_rng(seed).normal() for seed in range(12)):

        def fall(theta, top=top):
            rounding = 1e-8 * np.sin(1e9 * theta[0])
            return 1e5 + 6e3 * np.cosh(theta[0] - top) + rounding, 6e3 * np.sinh(theta - top)

        found, _ = VariationalMMLR()._climb(fall, np.array([1.7]), -np.inf, np.inf)
        assert found[0] == pytest.approx(top, abs=1e-5)  # sqrt(2 * 1e-8 / 6e3) = 2e-6, and some room


def test_no_rows_are_named():
    with pytest.raises(ValueError, match="n=0"):
        VariationalMMLR().fit_moments(CrossMoments.of(np.zeros((0, 2)), np.zeros((0, 3))))


@pytest.mark.statement("C21")
@pytest.mark.parametrize("prior", ["fixed", "ard"])
@pytest.mark.parametrize("family", ["full", "mean-field"])
@pytest.mark.parametrize(("offset", "scale"), [(0, 1), (1e3, 1), (128, 255), (1e4, 100)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_bound_holds_on_exact_fits_of_any_unit_and_offset(offset, scale, family, prior):
    rng = np.random.default_rng(4)
    Z = rng.normal(size=(200, 5)) * scale
    X = Z @ rng.normal(size=(5, 30)) + offset  # no residual: the noise falls to its floor
    model = fit(Z, X, family=family, prior=prior, noise="per-pixel", max_iter=100, tol=0.0)
    # Sums about the origin of squares of size offset^2 + scale^2 carry 2e-16 of it, divided by a noise of 1e-6.
    slack = 10 * np.finfo(float).eps * 200 * 30 * (offset**2 + scale**2) / 1e-6
    assert (np.diff(model.elbo_trace_) >= -slack).all()
    assert model.elbo_ <= model.log_evidence_ + slack


def test_the_evidence_is_right_on_bytes():
    rng = np.random.default_rng(4)
    Z = rng.normal(size=(40, 2)) * 255
    X = Z @ rng.normal(size=(2, 3)) + 128 + rng.normal(size=(40, 3))
    model = fit(Z, X, noise="fixed", prior="fixed", noise_variance=1.0, prior_variance=4.0)
    Phi = np.c_[Z, np.ones(40)]
    marginal = multivariate_normal(np.zeros(40), np.eye(40) + 4.0 * Phi @ Phi.T)
    assert model.log_evidence_ == pytest.approx(marginal.logpdf(X.T).sum(), rel=1e-6)


def test_the_kind_of_covariance_depends_on_the_choice_and_not_on_the_data():
    Z, X = problem()
    for y in (X, X[:, 0], np.zeros((30, 3))):
        basis, variances = fit(Z, y, noise="per-pixel").coef_cov_
        assert basis.shape == (4, 4)
        assert variances.shape == (y.reshape(30, -1).shape[1], 4)
        assert fit(Z, y).coef_cov_.shape == (4, 4)


def test_codes_that_are_all_zero_leave_the_prior():
    model = fit(np.zeros((10, 2)), np.ones((10, 3)), fit_intercept=False, noise="fixed", prior="fixed")
    assert_allclose(model.coef_, 0, atol=1e-6)
    assert_allclose(np.diag(model.coef_cov_), 1, rtol=1e-4)


@pytest.mark.parametrize("noise_variance", [1e-6, 1.0, 1e4])
def test_the_two_ways_to_the_exact_posterior_agree(noise_variance):
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((60, 5)) @ np.diag([10, 3, 1, 0.3, 0.1])
    X = Z @ rng.standard_normal((5, 7)) + rng.standard_normal((60, 7))
    design, precision = Design.of(CrossMoments.of(Z, X)), rng.uniform(0.5, 2, 6)
    shared = np.full(7, noise_variance)
    nearly = shared.copy()
    nearly[-1] *= 1 + 1e-9  # no longer one noise, so the basis that diagonalises takes the place of Cholesky's factor
    a, b = exact_posterior(design, shared, precision), exact_posterior(design, nearly, precision)
    assert len(a.variances) == 1
    assert len(b.variances) == 7
    assert np.allclose(a.mean, b.mean, rtol=1e-6, atol=1e-9)  # 1e-9 of noise over a range of precisions of 1e4
    assert np.allclose(a.covariance(), b.covariance(), rtol=1e-6, atol=1e-12)


def test_codes_that_are_one_take_the_way_around_cholesky():
    z = np.random.default_rng(0).standard_normal((50, 1))
    Z, X = np.hstack([z, z]) * 1e6, np.hstack([z, 2 * z])  # the precision's condition number is above 1e13
    law = exact_posterior(Design.of(CrossMoments.of(Z, X)), np.full(2, 1e-6), np.ones(3))
    assert np.allclose(law.mean[:2].sum(axis=0), [1e-6, 2e-6], rtol=1e-6)  # how the codes share it is rounding here
    assert np.isfinite(law.covariance()).all()


@pytest.mark.parametrize("family", ["full", "mean-field"])
def test_with_nothing_to_learn_there_is_one_step(family):
    model = fit(*problem(), family=family, **FIXED)
    assert model.n_iter_ == 1
    assert model.elbo_trace_ == [model.elbo_]


@pytest.mark.parametrize("noise", ["isotropic", "per-pixel"])
def test_one_row_tells_no_noise_and_no_code_leaves_the_mean_image(noise):
    Z, X = problem()
    one = fit(Z[:1], X[:1], noise=noise)
    assert_allclose(one.predict(Z[:1]), X[:1])
    assert_array_equal(one.floored_pixels_, range(4))
    none = VariationalMMLR(noise=noise).fit_moments(CrossMoments.of(Z, X).leading(0))
    assert_allclose(none.intercept_, X.mean(axis=0))
    variances = X.var(axis=0, ddof=1)  # one row less tells of it
    assert_allclose(none.noise_variance_, variances if noise == "per-pixel" else variances.mean())
