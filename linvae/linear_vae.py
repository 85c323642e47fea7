"""The linear VAE: an affine encoder with a width for each code and an affine decoder, fitted together on their bound.

    z ~ N(0, I),   x | z ~ N(W z + mu, sigma^2 I),   q(z | x) = N(A (x - mu), diag s^2)
    ELBO(x) = E_q ln p(x | z) - beta KL(q(z | x) | N(0, I))

Its mean over the images is a function of their mean and covariance, so nothing is drawn and no row is read twice.  At
its maximum a code is off where its variance is no more than the level beta sigma^2.  Chapter: *posterior_collapse*.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from ._checks import Array, check_choice, check_count, check_images, check_positive, check_random_state
from .encoders import PCA, AffineEncoder, fixed_signs
from .moments import Moments

LIVE = 1e-4
"""Nats an image: a code with a smaller mean KL divergence is off.  At its best one with a variance of 1.0002 times the
level has as much."""


def best_encoder(W: Array, level: float) -> tuple[Array, Array]:
    """Return A' (r, k) and s^2 (k,), the encoder of independent codes with the largest bound for a decoder W (r, k).

    A = (W'W + level I)^-1 W',  s_j^2 = level / (level + |w_j|^2),  level = beta sigma^2: the posterior's mean, and the
    variances 1 / P_jj of mean-field, for the posterior precision P = W'W / level + I.
    """
    gram = W.T @ W
    factor = cho_factor(gram + level * np.eye(len(gram)))
    return cho_solve(factor, W.T).T, level / (level + np.diag(gram))


def best_bound(W: Array, noise: float, variances: Array, d: int, beta: float = 1.0) -> tuple[float, Array, float]:
    """Return the mean bound of the images under `best_encoder`, and its slopes in W (r, k) and in ln sigma^2.

    In nats an image.  Where the encoder is at its best the bound is flat in it, so these are the slopes of the bound of
    encoder and decoder at that encoder.

    Parameters
    ----------
    W : array (r, k)
        The decoder, in the axes of the r principal directions.
    noise : float
        sigma^2, per pixel, of all d of them.
    variances : array (r,)
        Of the images along those directions, in squared pixels.
    """
    A, s2 = best_encoder(W, beta * noise)
    seen = variances[:, None] * A  # Cov(x, code)
    second = A.T @ seen + np.diag(s2)  # E z z'
    missed = variances.sum() - 2 * np.sum(W * seen) + np.sum(W.T @ W * second)  # E |x - W z|^2
    fit = -0.5 * (d * np.log(2 * np.pi * noise) + missed / noise)
    price = 0.5 * (np.trace(second) - len(s2) - np.log(s2).sum())
    return float(fit - beta * price), (seen - W @ second) / noise, float(0.5 * (missed / noise - d))


def _lost_to_turning(W: Array, level: float) -> float:
    """Return what independent codes lose on the posterior, which has the precision P = W'W / level + I: 0 at rest."""
    P = W.T @ W / level + np.eye(W.shape[1])
    return float(0.5 * (np.log(np.diag(P)).sum() - np.linalg.slogdet(P)[1]))


class LinearVAE(AffineEncoder):
    """The linear VAE: q(z | x) = N(A (x - mu), diag s^2) and x | z ~ N(W z + mu, sigma^2 I), on one bound.

    Fitted by L-BFGS from a random start, on the analytic slope of the bound; at every step the encoder is the best one
    for the decoder.  There is no maximum but the largest: at beta = 1 it is PPCA's likelihood.

    Parameters
    ----------
    n_components : int or None
        k.  Where the noise is learned, from 1 to one below the rank of the centred rows, as in PPCA; else any number
        of 1 or more.  None means one below the rank, or the rank.
    noise : "isotropic" or "fixed"
        Learn one noise variance for all pixels, or keep `noise_variance`.
    noise_variance : float
        sigma^2 where noise="fixed", above 0, in squared pixels.
    beta : float
        Weight of the KL divergence, above 0; 1 is the VAE, another the beta-VAE (Higgins et al. 2017).
    tol : float
        Stop where no slope is above this, in nats an image; W in units of sqrt(beta sigma^2) at the start.
    max_iter : int
        Most steps; to end without rest is a ConvergenceWarning.
    random_state : int, RandomState, Generator or None
        Of the first W.

    Attributes
    ----------
    coef_ : array (d, k)
        W, the code of largest KL divergence first; the entry of largest magnitude in each column is positive.
    components_ : array (k, d)
        A.
    mean_ : array (d,)
    posterior_variance_ : array (k,)
        s^2, the same for every x.
    noise_variance_ : float
        sigma^2, per pixel.
    kl_ : array (k,)
        Mean over the training rows of what each code costs, KL(q(z_j | x) | N(0, 1)), in nats an image.
    n_live_codes_ : int
        Codes with more than `LIVE` nats of it: those with lambda_j > beta sigma^2, of the k largest eigenvalues.
    distortion_ : float
        E_q |x - W z - mu|^2, in squared pixels an image, mean over the training rows.
    elbo_ : float
        Fit less beta times the KL divergence, in nats, summed over the training rows.
    elbo_trace_ : list of float
        At the start and after each step; it never falls.
    n_components_, n_iter_, n_samples_, n_features_in_ : int

    Raises
    ------
    ValueError
        In `fit`, if a choice is unknown, a number is not above 0, or no noise is left to learn.

    Notes
    -----
    Lucas, Tucker, Grosse and Norouzi 2019; the affine VAE: Dai, Wang, Aston, Hua and Wipf 2018; its optimum: Tipping
    and Bishop 1999.  The climb is made in the axes of the principal directions.  That turns the pixels, which L-BFGS
    can't tell, and a step costs r k^2 and not d^2 k.

    Examples
    --------
    >>> X = [[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]]  # variances 2 and 1/2
    >>> LinearVAE(2, noise="fixed", noise_variance=1.0, random_state=0).fit(X).kl_.round(3)
    array([0.347, 0.   ])
    """

    def __init__(
        self,
        n_components: int | None = None,
        noise: str = "isotropic",
        noise_variance: float = 1.0,
        beta: float = 1.0,
        tol: float = 1e-6,
        max_iter: int = 5000,
        random_state: Any = None,
    ):
        self.n_components = n_components
        self.noise = noise
        self.noise_variance = noise_variance
        self.beta = beta
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def fit_moments(self, class_moments: dict[Hashable, Moments]) -> LinearVAE:
        """Fit on moments by class, which are pooled first."""
        fixed = check_choice("noise", self.noise, ("isotropic", "fixed")) == "fixed"
        beta = check_positive("beta", self.beta, "the weight of the KL divergence, 1 for the VAE,")
        check_positive("tol", self.tol, "a slope")
        check_count("max_iter", self.max_iter)
        if fixed:
            check_positive("noise_variance", self.noise_variance)
        axes = PCA().fit_moments(class_moments)
        variances, d = axes.explained_variance_, axes.n_features_in_
        k = self._n_codes(len(variances), axes.n_samples_, d, fixed)
        W, noise, trace = self._climb(variances, k, d, beta, fixed)
        order = np.argsort(-np.sum(W**2, axis=0), kind="stable")
        self.coef_ = fixed_signs(W[:, order].T @ axes.components_).T
        A, s2 = best_encoder(self.coef_, beta * noise)
        kl = 0.5 * (s2 + variances @ (axes.components_ @ A) ** 2 - 1 - np.log(s2))
        self.components_, self.posterior_variance_, self.kl_, self.mean_ = A.T.copy(), s2, kl, axes.mean_
        self.noise_variance_, self.n_live_codes_ = noise, int(np.sum(kl > LIVE))
        fit = trace[-1] + beta * kl.sum()
        self.distortion_ = float(-noise * (2 * fit + d * np.log(2 * np.pi * noise)))
        self.elbo_trace_ = [axes.n_samples_ * value for value in trace]
        self.elbo_, self.n_iter_ = self.elbo_trace_[-1], len(trace) - 1
        self.n_components_, self.n_samples_, self.n_features_in_ = k, axes.n_samples_, d
        return self

    def _n_codes(self, rank: int, n: int, d: int, fixed: bool) -> int:
        if self.n_components is None:
            k = rank if fixed else rank - 1
        else:
            k = check_count("n_components", self.n_components)
        if not fixed and not 0 < k < rank:
            raise ValueError(
                f"n_components={self.n_components} but n_samples={n} rows of n_features={d} span {rank} directions, "
                'and one must be left to learn the noise from; give fewer codes or more rows, or set noise="fixed"'
            )
        return k

    def _climb(self, variances: Array, k: int, d: int, beta: float, fixed: bool) -> tuple[Array, float, list[float]]:
        """Return W (r, k) in the axes of the variances, sigma^2, and the mean bound at the start and after each step.

        In units of sqrt(level), the level of the start, a code of unit length is worth about a nat; the last variable
        is ln sigma^2, stretched for d pixels to speak in it and not drown the rest.
        """
        first = self.noise_variance if fixed else variances.sum() / d
        unit, stretch = np.sqrt(beta * first), np.sqrt(d / 2)
        rng = check_random_state(self.random_state)
        start = rng.standard_normal(len(variances) * k) / np.sqrt(len(variances))

        def decoder(theta: Array) -> tuple[Array, float]:
            W = unit * theta[: start.size].reshape(len(variances), k)
            return W, first if fixed else float(first * np.exp(theta[-1] / stretch))

        def fall(theta: Array) -> tuple[float, Array]:
            W, noise = decoder(theta)
            value, slope, slope_of_log = best_bound(W, noise, variances, d, beta)
            slopes = -unit * slope.ravel()
            return -value, slopes if fixed else np.r_[slopes, -slope_of_log / stretch]

        theta = start if fixed else np.r_[start, 0.0]
        trace = [-fall(theta)[0]]
        found = minimize(
            fall,
            theta,
            jac=True,
            method="L-BFGS-B",
            callback=lambda intermediate_result: trace.append(-intermediate_result.fun),
            options={"maxiter": self.max_iter, "maxfun": 20 * self.max_iter, "ftol": 0.0, "gtol": self.tol},
        )
        W, noise = decoder(found.x)
        steepest, lost = np.abs(found.jac).max(), _lost_to_turning(W, beta * noise)
        if steepest > self.tol and (found.nit >= self.max_iter or lost > LIVE):
            warnings.warn(
                f"after {found.nit} steps (max_iter={self.max_iter}) the bound still has a slope of {steepest:.2g} "
                f"nats, above tol={self.tol}, and codes turned against each other cost {lost:.2g}; raise max_iter or "
                "tol, or beta or the noise where variances are 1e7 times their product",
                ConvergenceWarning,
                stacklevel=4,
            )
        return W, noise, trace

    def inverse_transform(self, Z: ArrayLike) -> Array:
        """Return the mean images W z + mu (n, d) of codes Z (n, k)."""
        return super().inverse_transform(Z)

    def _inverse(self) -> Array:
        return self.coef_

    def kl(self, X: ArrayLike) -> Array:
        """Return what each code costs, KL(q(z_j | x) | N(0, 1)) of each row of X (n, d), in nats, shape (n, k)."""
        return self._parts(X)[1]

    def score_samples(self, X: ArrayLike) -> Array:
        """Return the ELBO of each row of X (n, d), in nats, shape (n,): a bound on ln p(x), so beta is 1 here."""
        fit, kl = self._parts(X)
        return fit - kl.sum(axis=1)

    def score(self, X: ArrayLike, y: Any = None) -> float:
        """Return the mean ELBO over the rows of X, in nats; y is ignored."""
        return float(self.score_samples(X).mean())

    def _parts(self, X: ArrayLike) -> tuple[Array, Array]:
        """Return E_q ln p(x | z) (n,) and what each code costs (n, k)."""
        check_is_fitted(self)
        images: Array = check_images(self, X, reset=False)
        centred = images.astype(np.float64) - self.mean_
        codes, s2, sigma2 = centred @ self.components_.T, self.posterior_variance_, self.noise_variance_
        kl = 0.5 * (s2 + codes**2 - 1 - np.log(s2))
        centred -= codes @ self.coef_.T
        missed = np.einsum("ij,ij->i", centred, centred) + np.sum(self.coef_**2 @ s2)
        return -0.5 * (self.n_features_in_ * np.log(2 * np.pi * sigma2) + missed / sigma2), kl

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Array:
        """Draw images W z + mu + noise with z ~ N(0, I), shape (n_samples, d)."""
        check_is_fitted(self)
        rng = check_random_state(random_state)
        z = rng.standard_normal((check_count("n_samples", n_samples), len(self.components_)))
        noise = rng.standard_normal((n_samples, self.n_features_in_)) * np.sqrt(self.noise_variance_)
        return z @ self.coef_.T + self.mean_ + noise
