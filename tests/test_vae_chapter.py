"""The chapter on the VAE: statement C14, the affine VAE is PPCA at its best."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from linvae import PPCA


def images(n=80, d=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 2 * rng.normal(size=d)


def bound(X, mean, S, W, mu, noise):
    """Return E_q ln p(x | z) - KL(q | N(0, I)) of each image, q = N(mean, S)."""
    d, k = W.shape
    misfit = np.sum((X - mu - mean @ W.T) ** 2, axis=1) + np.trace(W @ S @ W.T)
    price = 0.5 * (np.trace(S) + np.sum(mean**2, axis=1) - k - np.linalg.slogdet(S)[1])
    return -0.5 * (d * np.log(2 * np.pi * noise) + misfit / noise) - price


def divergence(mean, S, other_mean, other_S):
    """Return KL(N(mean, S) | N(other_mean, other_S)) of each image."""
    inverse, apart = np.linalg.inv(other_S), mean - other_mean
    logs = np.linalg.slogdet(other_S)[1] - np.linalg.slogdet(S)[1]
    return 0.5 * (np.trace(inverse @ S) + np.sum(apart @ inverse * apart, axis=1) - len(S) + logs)


@pytest.mark.statement("C14")
@pytest.mark.parametrize("seed", range(3))
def test_the_posterior_makes_the_vaes_bound_the_likelihood_and_any_other_encoder_is_below_by_its_divergence(seed):
    X, rng = images(), np.random.default_rng(seed)
    W, mu, noise = rng.normal(size=(5, 2)), rng.normal(size=5), 0.7  # any decoder, not the best one
    M = W.T @ W + noise * np.eye(2)
    posterior, S = (X - mu) @ W @ np.linalg.inv(M), noise * np.linalg.inv(M)
    likelihood = multivariate_normal(mu, W @ W.T + noise * np.eye(5)).logpdf(X)
    assert_allclose(bound(X, posterior, S, W, mu, noise), likelihood, rtol=1e-10)
    root = rng.normal(size=(2, 2))
    for mean, other in (
        (posterior + 0.3, S),
        (posterior, 4 * S),
        (np.zeros_like(posterior), np.eye(2)),
        (rng.normal(size=posterior.shape), root @ root.T),
    ):
        lost = likelihood - bound(X, mean, other, W, mu, noise)
        assert_allclose(lost, divergence(mean, other, posterior, S), rtol=1e-9, atol=1e-10)
        assert lost.min() > 0


@pytest.mark.statement("C14")
@pytest.mark.parametrize("seed", range(3))
def test_encoder_and_decoder_trained_together_end_in_ppca_with_independent_codes(seed):
    X = images()
    ppca = PPCA(2).fit(X)

    def parts(theta):
        W, A, mu, shift = theta[:10].reshape(5, 2), theta[10:20].reshape(2, 5), theta[20:25], theta[25:27]
        return (X @ A.T + shift), np.diag(np.exp(theta[27:29])), W, mu, np.exp(theta[29])

    start = np.random.default_rng(seed).normal(size=30)
    start[20:25] = X.mean(axis=0)  # a start that is not absurd: the noise need not swallow the mean first
    found = minimize(lambda theta: -bound(X, *parts(theta)).mean(), start, method="L-BFGS-B", options={
        "maxfun": 100_000, "maxiter": 5_000, "ftol": 1e-14, "gtol": 1e-7,
    })  # fmt: skip
    # The slope is a difference quotient, good to about 1e-8, and the summit is flat: the height is good to 1e-6.
    assert -found.fun == pytest.approx(ppca.score(X), abs=1e-6)
    _, _, W, mu, noise = parts(found.x)
    assert_allclose(W @ W.T + noise * np.eye(5), ppca.get_covariance(), atol=2e-2 * np.trace(ppca.get_covariance()) / 5)
    assert_allclose(mu, X.mean(axis=0), atol=2e-2)
    off = W.T @ W
    assert abs(off[0, 1]) < 1e-2 * np.sqrt(off[0, 0] * off[1, 1])  # independent codes ask for orthogonal columns


@pytest.mark.statement("C14")
def test_independent_codes_are_enough_for_orthogonal_loadings_and_lose_for_turned_ones():
    X = images()
    ppca = PPCA(2).fit(X)
    mu, noise = ppca.mean_, ppca.noise_variance_
    for angle in (0.0, 0.5):
        R = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        W = ppca.loadings_ @ R
        P = (W.T @ W + noise * np.eye(2)) / noise
        mean = (X - mu) @ W @ np.linalg.inv(P) / noise
        independent = np.diag(1 / np.diag(P))
        lost = ppca.score_samples(X) - bound(X, mean, independent, W, mu, noise)
        expected = 0.5 * (np.log(np.diag(P)).sum() - np.linalg.slogdet(P)[1])
        assert_allclose(lost, expected, rtol=1e-7, atol=1e-9)
        assert (expected < 1e-12) == (angle == 0)
        for step in (0.8, 1.25):  # no other variances of independent codes lose less
            assert bound(X, mean, step * independent, W, mu, noise).mean() < ppca.score(X) - expected
