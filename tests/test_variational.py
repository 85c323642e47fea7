"""The random decoder: brute-force conditioning, laws of the ELBO, rivals, known truth.

Statements C16, C17, C18, C20, C21, C22.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ARDRegression, BayesianRidge, Ridge

from linvae import PCA, CrossMoments, VariationalMMLR
from linvae.datasets import load_mnist
from linvae.variational import CoefficientPosterior, Design, elbo, exact_posterior, log_evidence


def problem(n=30, k=3, d=4, seed=0, noise=0.5):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, k)) @ rng.normal(size=(k, k)) + 0.5
    return Z, Z @ rng.normal(size=(k, d)) + 1 + noise * rng.normal(size=(n, d))


def fit(Z, X, **options):
    return VariationalMMLR(**options).fit(Z, X)


FIXED = {"noise": "fixed", "noise_variance": 0.3, "prior_variance": 2.0}


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


@pytest.mark.statement("C20")
def test_mean_field_has_exact_means_and_too_small_variances_and_the_gap_of_the_formula():
    Z, X = problem()
    exact, mean_field = fit(Z, X, **FIXED), fit(Z, X, family="mean-field", **FIXED)
    P = precision_of(Z)
    assert_allclose(mean_field.coef_, exact.coef_, atol=1e-10)
    slow = fit(Z, X, family="mean-field", solver="cavi", tol=0.0, max_iter=20_000, **FIXED)
    assert_allclose(slow.coef_, exact.coef_, atol=1e-6)  # coordinate ascent stops where the ELBO's digits end
    assert_allclose(np.diag(mean_field.coef_cov_), 1 / np.diag(P), rtol=1e-10)
    assert (np.diag(mean_field.coef_cov_) < np.diag(exact.coef_cov_)).all()
    gap = 0.5 * (np.log(np.diag(P)).sum() - np.linalg.slogdet(P)[1]) * X.shape[1]
    assert mean_field.log_evidence_ - mean_field.elbo_ == pytest.approx(gap, rel=1e-6)


@pytest.mark.statement("C20")
def test_mean_field_is_exact_for_pooled_pca_scores_and_not_within_a_class():
    X, y = load_mnist("train")
    Z = PCA(6).fit(X).transform(X)
    pooled = fit(Z, X, family="mean-field", noise="fixed", solver="newton")
    assert pooled.elbo_ == pytest.approx(pooled.log_evidence_, rel=1e-9)
    six = fit(Z[y == 6], X[y == 6], family="mean-field", noise="fixed", solver="newton")
    assert six.elbo_ < six.log_evidence_ - 100  # nats; seen: hundreds


CHOICES = list(itertools.product(["full", "mean-field"], ["fixed", "isotropic", "per-pixel"], ["fixed", "ard"]))


@pytest.mark.statement("C21")
@pytest.mark.parametrize("solver", ["cavi", "newton", "gradient"])
@pytest.mark.parametrize(("family", "noise", "prior"), CHOICES)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # 60 iterations need not reach the top
def test_the_elbo_never_falls_and_never_passes_the_evidence(family, noise, prior, solver):
    Z, X = problem()
    model = fit(Z, X, family=family, noise=noise, prior=prior, solver=solver, max_iter=60)
    rises = np.diff(model.elbo_trace_)
    assert (rises >= -1e-9 * abs(model.elbo_)).all()  # rounding of a sum of 120 terms
    assert model.elbo_ <= model.log_evidence_ + 1e-9 * abs(model.elbo_)
    if family == "full" and prior == "fixed" and noise == "fixed" and solver != "gradient":
        assert model.elbo_ == pytest.approx(model.log_evidence_, rel=1e-10)


@pytest.mark.statement("C21")
@pytest.mark.parametrize("family", ["full", "mean-field"])
@pytest.mark.parametrize("noise", ["fixed", "isotropic", "per-pixel"])
def test_the_solvers_agree(family, noise):
    Z, X = problem()
    options = {"family": family, "noise": noise, "tol": 1e-13, "max_iter": 20_000}
    cavi, newton, gradient = (fit(Z, X, solver=solver, **options) for solver in ("cavi", "newton", "gradient"))
    for other in (newton, gradient):
        assert other.elbo_ == pytest.approx(cavi.elbo_, rel=1e-6)
        assert_allclose(other.coef_, cavi.coef_, atol=1e-3)  # L-BFGS stops on a flat top: 1e-6 of the ELBO
        assert_allclose(other.noise_variance_, cavi.noise_variance_, rtol=1e-3)


def test_learned_noise_and_one_prior_are_near_bayesian_ridge():
    Z, X = problem(n=200)
    Z, X = Z - Z.mean(axis=0), X - X.mean(axis=0)
    for p in range(X.shape[1]):
        theirs = BayesianRidge(fit_intercept=False, tol=1e-10).fit(Z, X[:, p])
        options = {"noise": "per-pixel", "prior_variance": 1 / theirs.lambda_, "fit_intercept": False, "tol": 1e-12}
        ours = fit(Z, X[:, [p]], **options)
        assert_allclose(ours.coef_[0], theirs.coef_, rtol=1e-4)
        assert ours.noise_variance_[0] == pytest.approx(1 / theirs.alpha_, rel=1e-3)
        assert_allclose(ours.posterior_.covariance(), theirs.sigma_, rtol=1e-2)


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
    assert model.noise_variance_[1] == 1e-4
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
        ({"solver": "adam"}, "solver='adam'"),
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
    with pytest.warns(ConvergenceWarning, match="max_iter=2 iterations did not bring the ELBO to rest"):
        fit(*problem(), family="mean-field", solver="cavi", max_iter=2, tol=0.0)


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
    model = fit(Z, X, noise="fixed", noise_variance=1.0, prior_variance=4.0)
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
    model = fit(np.zeros((10, 2)), np.ones((10, 3)), solver="gradient", fit_intercept=False, noise="fixed")
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
def test_newton_with_nothing_to_learn_needs_one_step(family):
    rng = np.random.default_rng(0)
    model = VariationalMMLR(family, noise="fixed").fit(rng.standard_normal((30, 4)), rng.standard_normal((30, 3)))
    assert model.n_iter_ == 1
    assert model.elbo_trace_ == [model.elbo_]
    climbed = VariationalMMLR(family, noise="fixed", solver="cavi", tol=0).fit_moments(
        CrossMoments.of(rng.standard_normal((30, 4)), rng.standard_normal((30, 3)))
    )
    assert climbed.n_iter_ > 1  # coordinates are correlated, and one sweep is not the end
