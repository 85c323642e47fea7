"""The chapters on the random decoder, beyond what their modules' tests hold: C17, C18, C23; ledger L7, L8, L15."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal

from linvae import MMLR, PCA, CrossMoments, LinearGenerativeModel, Moments, VariationalMMLR
from linvae.datasets import load_mnist
from linvae.metrics import outside_span
from linvae.variational import Design, elbo, exact_posterior, log_evidence


def labelled(n=300, d=12, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.choice([1, 4, 7], n, p=[0.5, 0.3, 0.2])
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 4 * rng.normal(size=(8, d))[y], y


@pytest.mark.statement("C17")
def test_the_noise_of_a_fresh_decoder_averages_to_the_two_traces():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 3)) + 0.5
    X = Z @ rng.normal(size=(3, 5)) + 0.5 * rng.normal(size=(40, 5))
    Phi = np.c_[Z, np.ones(40)]
    values = np.linalg.eigvalsh(Phi.T @ Phi)
    for family in ("full", "mean-field"):
        model = VariationalMMLR(family, "fixed", 0.3, prior="fixed", prior_variance=2.0).fit(Z, X)
        average = np.mean(np.sum(Phi @ model.coef_cov_ * Phi, axis=1))
        assert 0.9 * 0.3 * 4 / 40 < average < 0.3 * 4 / 40  # the prior takes off a few percent here
        if family == "full":
            assert average == pytest.approx(0.3 / 40 * np.sum(values / (values + 0.3 / 2.0)), rel=1e-10)
        normal = np.random.default_rng(1).standard_normal((200_000, 3))
        drawn = model.sample_y(normal, random_state=0, noise=False)[0]
        off = drawn - model.predict(normal)
        squares = np.mean(off**2, axis=1)
        error = squares.std() / np.sqrt(200_000)
        assert abs(squares.mean() - np.trace(model.coef_cov_)) < 5 * error
        expected = model.coef_ @ model.coef_.T + np.trace(model.coef_cov_) * np.eye(5)
        # 5 standard errors of a covariance of 200,000 near-Gaussian rows
        sizes = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / 200_000)
        assert (np.abs(np.cov(drawn.T) - expected) < 5 * sizes).all()


@pytest.mark.statement("C23")
def test_a_class_decoder_keeps_the_code_and_adds_a_guess_of_what_is_left_over():
    X, y = labelled()
    model = LinearGenerativeModel(PCA(4), MMLR()).fit(X, y)
    V, mu = model.encoder_.components_.T, model.encoder_.mean_
    new = np.random.default_rng(1).normal(size=(20, 4))
    Z = model.transform(X)
    R = X - mu - Z @ V.T
    for label in (1, 4, 7):
        drawn = model.inverse_transform(new, label)
        assert_allclose((drawn - mu) @ V, new, atol=1e-9)
        rows = y == label
        guess = MMLR().fit(Z[rows], R[rows]).predict(new)
        assert_allclose(drawn, mu + new @ V.T + guess, atol=1e-9)
        assert_allclose((model.decoders_[label].intercept_ - mu) @ V, 0, atol=1e-9)  # the intercept is all outside


@pytest.mark.statement("L8", "C18")
def test_averaging_collapses_while_the_class_stays_outside_with_nothing_random():
    X, y = labelled()
    pca = PCA(4).fit(X)
    V, zero = pca.components_, np.zeros(12)
    pooled = VariationalMMLR(noise="fixed", prior="fixed").fit(pca.transform(X), X - pca.mean_)
    room = (12 - 4) * np.trace(pooled.coef_cov_[:4, :4])  # expected energy of one draw's B outside the span
    for n_draws in (1, 100, 10_000):
        drawn = [pooled.sample_average_coef(n_draws, seed)[0] for seed in range(200)]
        outside = [outside_span(B.T, V, zero) * np.sum(B**2) for B in drawn]
        assert abs(np.mean(outside) - room / n_draws) < 5 * np.std(outside) / np.sqrt(200)
    model = LinearGenerativeModel(PCA(4), VariationalMMLR(noise="fixed", prior="fixed")).fit(X, y)
    for coefficients in ("mean", 1, 5000):  # no fresh draw: one affine map, whatever its law was
        drawn, _ = model.set_params(coefficients=coefficients).sample(50, 7, random_state=0)
        assert np.linalg.matrix_rank(drawn - drawn.mean(axis=0), tol=1e-9 * np.linalg.norm(drawn)) == 4
    for label in (1, 4, 7):
        steady = outside_span(model.decoders_[label].coef_.T, V, zero)
        averaged = outside_span(model.decoders_[label].sample_average_coef(10_000, 0)[0].T, V, zero)
        assert steady > 1e-3
        assert averaged == pytest.approx(steady, rel=0.05)  # 1e-4 of one draw's spread is left


@pytest.mark.statement("L15")
def test_a_noise_of_one_is_above_what_the_digits_leave_over_and_rare_pixels_are_blown_up():
    X, y = load_mnist("train")
    digits = Moments.by_class(X, y)
    pooled = Moments.pool(digits)
    spread = np.sqrt(np.diag(pooled.covariance))
    scale = np.where(spread > 0, spread, 1.0)
    scaled = {label: m.standardized(pooled.mean, scale) for label, m in digits.items()}
    for moments, most in ((digits, 0.05), (scaled, 1.0)):  # seen: at most 0.028 raw, 0.69 standardised
        pca = PCA(16).fit_moments(moments)
        for m in moments.values():
            cross = CrossMoments.from_affine(m, pca.components_, -pca.components_ @ pca.mean_)
            plain = MMLR().fit_moments(cross)
            left = cross.mean_squared_distance(plain.coef_, plain.intercept_) / 784
            assert left < most
            fixed, learned = VariationalMMLR(noise="fixed", prior="fixed"), VariationalMMLR()
            assert learned.fit_moments(cross).noise_variance_[0] == pytest.approx(left, rel=0.1)
            assert np.trace(fixed.fit_moments(cross).coef_cov_) > np.trace(learned.coef_cov_)
    inked = (X > 0).mean(axis=0)
    rare = (inked > 0) & (inked < 0.01)
    assert np.sum(spread[rare] ** 2) / np.sum(spread**2) < 0.01
    assert rare.sum() / (inked > 0).sum() > 0.2  # of the variance once each pixel has variance 1
    assert np.abs((X - pooled.mean) / scale).max() > 50


@pytest.mark.statement("L7")
def test_bayes_rule_returns_one_evidence_at_whatever_coefficients_one_tries_and_mean_field_stays_below_it():
    """The talk's own problem for the digit 6: ln p(X) = ln p(X | beta) + ln p(beta) - ln p(beta | X) for every beta."""
    model = LinearGenerativeModel.from_talk(16).fit(*load_mnist("train"))
    cross = model.cross_moments_[6]
    design = Design.of(cross)
    (c, d), n = design.cross.shape, design.n
    noise, precision = np.ones(d), np.ones(c)
    q = exact_posterior(design, noise, precision)
    S = q.covariance()
    squares = cross.sxx_diag + n * cross.mean_x**2
    evidences = []
    for beta in np.random.default_rng(0).normal(size=(5, c, d)):
        residuals = squares + np.sum(beta * (design.gram @ beta - 2 * design.cross), axis=0)
        likelihood = -0.5 * (n * d * np.log(2 * np.pi) + residuals.sum())
        prior = -0.5 * (c * d * np.log(2 * np.pi) + np.sum(beta**2))
        posterior = multivariate_normal(np.zeros(c), S).logpdf((beta - q.mean).T).sum()
        evidences.append(likelihood + prior - posterior)
    # Terms of about 1e9 nats cancel: their rounding, a few 1e-16 of them summed over 784 pixels, is below 1e-4 nats.
    assert np.ptp(evidences) < 1e-4
    closed = log_evidence(design, noise, precision)
    assert evidences[0] == pytest.approx(closed, abs=1e-4)
    full = VariationalMMLR(noise="fixed", prior="fixed", noise_variance=1.0).fit_moments(cross)
    assert full.elbo_ == pytest.approx(closed, rel=1e-9)
    mean_field = model.decoders_[6]
    assert elbo(mean_field.posterior_, design, noise, precision) < closed - 1000  # nats; seen: 7,000
    too_sure = np.sqrt(np.diag(mean_field.coef_cov_) / np.diag(S))
    assert np.median(too_sure) < 0.7  # seen: about a half
