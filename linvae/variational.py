"""The random decoder: x = B z + b + noise with a posterior over B and b, noise and prior learned from the same ELBO.

The best q at given noise s_p^2 and prior precisions a is that of `linvae.posterior`, exact or mean-field.  What is left
is a smooth function of ln a, the ELBO at its best q, whose slope is the ELBO's own at that q:

    d ELBO / d ln a_j = 1/2 sum_p (1 - a_j E_q beta_jp^2 / s_p^2),    beta_jp ~ N(0, s_p^2 / a_j)

L-BFGS climbs it.  Chapter: *variational*.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import Bounds, minimize
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from ._checks import (
    CODE_TYPES,
    Array,
    check_choice,
    check_count,
    check_images,
    check_positive,
    check_random_state,
)
from .moments import CrossMoments
from .posterior import (
    CoefficientPosterior,
    Design,
    ascend,
    best_variances,
    diagonalising_basis,
    elbo,
    exact_posterior,
    expected_squares,
    gradient,
    log_evidence,
    mean_field,
    newton,
)

__all__ = [
    "CoefficientPosterior",
    "Design",
    "VariationalMMLR",
    "ascend",
    "best_variances",
    "diagonalising_basis",
    "elbo",
    "exact_posterior",
    "gradient",
    "log_evidence",
    "mean_field",
    "newton",
]

ONE = np.ones(1)

WIDEST = np.log(1e12)
"""The logarithms of learned prior precisions stay this near to where they start."""


FAMILIES = {"full": exact_posterior, "mean-field": mean_field}
NOISES = ("fixed", "isotropic", "per-pixel")
PRIORS = ("learned", "ard", "fixed")


class VariationalMMLR(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Decode by a Bayesian multivariate regression, its coefficients random: x = B z + b + noise, B ~ q.

    As in `MMLR`, X holds codes and y holds images in `fit(X, y)` and `predict(X)`.  Learned noise and prior precisions
    are point estimates that raise the same ELBO (empirical Bayes).

    Parameters
    ----------
    family : "full" or "mean-field"
        "full" is the exact posterior at the hyper-parameters; "mean-field", the talk's, makes coefficients independent.
    noise : "isotropic", "per-pixel" or "fixed"
        Learn one noise variance for all pixels, learn one for each, or keep `noise_variance`.
    noise_variance : float
        s^2 where noise="fixed", above 0, in squared pixels.
    min_noise_variance : float
        Learned noise stops at this share of the pixels' mean variance; `floored_pixels_` lists where it did (pixels
        with no residual, or a fit to one row).
    prior : "learned", "ard" or "fixed"
        "learned": one variance for all coefficients of the codes, learned from the data, and a flat prior for the
        intercept, so that a prediction means the same in every unit of the pixels, and of the codes if all have one.
        "ard": the same with one variance for each latent dimension, shared by all pixels; then each code may have a
        unit of its own.  Both are in units of the noise, so that with noise per pixel each pixel may have a unit of
        its own, too.  "fixed", the talk's: N(0, prior_variance) for every coefficient and for the intercept, in the
        units of the data.
    prior_variance : float
        Where prior="fixed", above 0.
    fit_intercept : bool
        If False, b = 0.
    tol : float
        In nats: stop when no change of a learned variance by a factor e promises to raise the ELBO by more, or when
        float64 can't tell the rise.  Means that are off by s posterior standard deviations cost s^2 / 2 nats, so the
        default leaves less than 0.005.
    max_iter : int
        At least 1; to end without rest is a ConvergenceWarning.

    Attributes
    ----------
    coef_ : array (d, k)
        Mean of B.
    intercept_ : array (d,)
        Mean of b.
    coef_cov_ : array (c, c), or a pair of arrays (c, c) and (d, c)
        c = k + 1 with an intercept.  The covariance of a pixel's coefficients, shared by all pixels; or, with noise per
        pixel, T and v, so that pixel p has T diag(v_p) T'.
    noise_variance_ : array (d,)
    prior_precision_ : array (c,)
        Of the coefficients, 0 for an intercept with a flat prior; where noise is per pixel and the prior is learned, in
        units of that noise: pixel p has `prior_precision_ / noise_variance_[p]`.
    posterior_ : CoefficientPosterior
        q, over the coefficients of [z, 1] or of z.
    elbo_ : float
        In nats, summed over rows and pixels.  A flat prior has density 1 per unit of the pixels.
    elbo_trace_ : list of float
        At the start, where noise or prior are learned, and after each iteration; it never falls, but by rounding.
    log_evidence_ : float
        Exact, at the final hyper-parameters; equals `elbo_` for the full family and is above it for mean-field.
    floored_pixels_ : int array
    n_iter_, n_features_in_ : int

    Raises
    ------
    ValueError
        In `fit`, if a choice is unknown, or a variance or a limit is not a positive number.

    Notes
    -----
    Posterior: Lindley and Smith 1972.  Mean-field: Bishop 2006; about the mean code where the intercept is free.
    Learned prior and ARD: MacKay 1992, 1994, Tipping 2001; climbed by L-BFGS and not by their fixed-point steps.
    With no more rows than codes the evidence still has its maximum: the learned prior then leaves to the noise what few
    rows cannot tell, and predictions stay near the mean image.

    Examples
    --------
    >>> model = VariationalMMLR(noise="fixed", noise_variance=0.5, prior="fixed")
    >>> model.fit([[0.0], [1.0], [2.0]], [[1.0], [3.0], [5.0]]).coef_.round(2)
    array([[1.8]])
    """

    def __init__(
        self,
        family: str = "full",
        noise: str = "isotropic",
        noise_variance: float = 1.0,
        min_noise_variance: float = 1e-6,
        prior: str = "learned",
        prior_variance: float = 1.0,
        fit_intercept: bool = True,
        tol: float = 1e-5,
        max_iter: int = 1000,
    ):
        self.family = family
        self.noise = noise
        self.noise_variance = noise_variance
        self.min_noise_variance = min_noise_variance
        self.prior = prior
        self.prior_variance = prior_variance
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: ArrayLike, y: ArrayLike) -> VariationalMMLR:
        """Fit on codes X (n, k) and images y (n, d), or one pixel y (n,)."""
        codes, images = check_images(self, X, y, dtype=CODE_TYPES, multi_output=True, y_numeric=True)
        self.fit_moments(CrossMoments.of(codes, images.reshape(len(images), -1)))
        self._one_dimensional = images.ndim == 1
        return self

    def fit_moments(self, cross: CrossMoments) -> VariationalMMLR:
        """Fit on cross moments: the same answer as on the rows they came from."""
        self._check(cross)
        best = FAMILIES[self.family]
        if self.prior == "fixed":
            design = Design.of(cross, self.fit_intercept)
            precision = np.full(len(design.gram), 1 / self.prior_variance)
            noise, trace = self._noise(design, precision)
            q = best(design, noise, precision)
            self.elbo_, self.log_evidence_ = elbo(q, design, noise, precision), log_evidence(design, noise, precision)
        else:
            design = Design.centred(cross) if self.fit_intercept else Design.of(cross, fit_intercept=False)
            noise, precision, trace = self._noise_and_prior(design)
            unit = design.in_units_of(noise)
            q = best(unit, ONE, precision)
            self.elbo_, self.log_evidence_ = elbo(q, unit, ONE, precision), log_evidence(unit, ONE, precision)
            q = replace(q, mean=q.mean * np.sqrt(noise), variances=q.variances * noise[:, None])
            precision = precision / noise if self.noise != "per-pixel" else precision
            if self.fit_intercept:
                q, precision = _with_intercept(q, cross, noise), np.r_[precision, 0.0]
        self.elbo_trace_ = [*trace[:-1], self.elbo_]
        self.n_iter_ = max(len(self.elbo_trace_) - 1, 1)
        return self._learn(q, noise, precision, cross)

    def _noise(self, design: Design, precision: Array) -> tuple[Array, list[float]]:
        """Return noise variances (1,) or (d,) under a fixed prior, and how the ELBO rose on the way to them."""
        if self.noise == "fixed":
            return np.full(1, self.noise_variance), []
        each, best = self.noise == "per-pixel", FAMILIES[self.family]
        design = design if each else design.turned()
        d, floor = design.pixels, self.min_noise_variance * _unit(design.moments)
        left = design.compressed[2] / (1 if each else d) / design.n

        def fall(theta: Array) -> tuple[float, Array]:
            noise = np.exp(theta)
            q = best(design, noise, precision)
            slope = design.n - design.expected_residuals(q, shared=not each) / noise
            return -elbo(q, design, noise, precision), 0.5 * d / len(noise) * slope

        start = np.log(np.maximum(left, floor) + _unit(design.moments) / 100)
        theta, trace = self._climb(fall, start, np.log(floor), np.inf)
        return np.exp(theta), trace

    def _noise_and_prior(self, design: Design) -> tuple[Array, Array, list[float]]:
        """Return noise variances (1,) or (d,), prior precisions (c,) times them, and how the ELBO rose.

        The best mean does not depend on the noise then, and the noise has a closed form.
        """
        each, best, c = self.noise == "per-pixel", FAMILIES[self.family], len(design.gram)
        design = design if each else design.turned()
        d, floor = design.pixels, self.min_noise_variance * _unit(design.moments)
        root, target, rest = design.compressed

        def noise(precision: Array) -> Array:
            if self.noise == "fixed":
                return np.full(1, self.noise_variance)
            mean = exact_posterior(design, ONE, precision).mean
            squares = np.sum((target - root @ mean) ** 2, axis=0) + precision @ mean**2
            squares = rest + squares if each else np.array([rest.sum() + squares.sum()]) / d
            return np.maximum(squares / max(design.n, 1), floor)

        def fall(theta: Array) -> tuple[float, Array]:
            precision = np.broadcast_to(np.exp(theta), c)
            unit = design.in_units_of(noise(precision))
            q = best(unit, ONE, precision)
            slope = 0.5 * (precision * expected_squares(q, d) - d)
            return -elbo(q, unit, ONE, precision), slope if self.prior == "ard" else slope.sum(keepdims=True)

        spread = np.diag(design.gram) / max(design.n, 1)
        spread = np.where(spread > 0, spread, 1.0)
        # Start where the codes could explain as much as the noise.
        start = np.log(c * spread if self.prior == "ard" else spread.sum(keepdims=True)) if c else np.zeros(0)
        theta, trace = self._climb(fall, start, start - WIDEST, start + WIDEST)
        precision = np.broadcast_to(np.exp(theta), c).copy()
        return noise(precision), precision, trace

    def _climb(self, fall: Any, start: Array, low: Any, high: Any) -> tuple[Array, list[float]]:
        """Return where L-BFGS ends, and the ELBO from the start on; `fall` is minus the ELBO, with its slope."""
        if not start.size:
            return start, []
        trace = [-fall(start)[0]]
        found = minimize(
            fall,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=Bounds(low, high),
            callback=lambda intermediate_result: trace.append(-intermediate_result.fun),
            options={"maxiter": self.max_iter, "maxfun": 20 * self.max_iter, "ftol": 0.0, "gtol": self.tol},
        )
        # A sum of 1e5 nats is flat in float64 long before its slope is 0: so ask what there is to gain.
        slope = found.x - (found.x - found.jac).clip(low, high)
        gain = slope @ found.hess_inv(slope) / 2
        if gain > self.tol + 1e-12 * abs(found.fun):
            warnings.warn(
                f"after {found.nit} iterations (max_iter={self.max_iter}) the ELBO may still rise by {gain:.2g} nats; "
                "raise max_iter or tol",
                ConvergenceWarning,
                stacklevel=5,
            )
        return found.x, trace

    def _learn(self, q: CoefficientPosterior, noise: Array, precision: Array, cross: CrossMoments) -> VariationalMMLR:
        k, d = cross.mean_z.size, cross.mean_x.size
        self.posterior_, self.noise_variance_, self.prior_precision_ = q, np.broadcast_to(noise, d).copy(), precision
        self.coef_: Array = q.mean[:k].T.copy()
        self.intercept_: Array = q.mean[k].copy() if self.fit_intercept else np.zeros(d)
        per_pixel = np.broadcast_to(q.variances, (d, len(q.basis)))
        self.coef_cov_ = (q.basis, per_pixel) if self.noise == "per-pixel" else q.covariance()
        floor = self.min_noise_variance * _unit(cross) * (1 + 1e-9) if self.noise != "fixed" else 0.0
        self.floored_pixels_ = np.flatnonzero(self.noise_variance_ <= floor)
        self.n_features_in_ = k
        self._one_dimensional = False
        return self

    def predict(self, X: ArrayLike, return_std: bool = False) -> Array | tuple[Array, Array]:
        """Return the mean images of codes X (n, k), and with return_std their standard deviations too, noise included.

        Both have shape (n, d); (n,) if fitted on one-dimensional y.
        """
        Phi = self._design_rows(X)
        mean = self._shaped(Phi @ self.posterior_.mean.astype(Phi.dtype))
        if not return_std:
            return mean
        std = np.sqrt(self.posterior_.quadratic(Phi) + self.noise_variance_).astype(Phi.dtype)
        return mean, self._shaped(std)

    def sample_coef(self, n_draws: int = 1, random_state: Any = None) -> tuple[Array, Array]:
        """Draw B (n_draws, d, k) and b (n_draws, d) from q."""
        check_is_fitted(self)
        draws = self.posterior_.draw(check_count("n_draws", n_draws), check_random_state(random_state))
        return self._split(draws)

    def sample_average_coef(self, n_draws: int, random_state: Any = None) -> tuple[Array, Array]:
        """Draw the average of n_draws draws of B (d, k) and b (d,): a Gaussian of 1 / n_draws times q's covariance."""
        check_is_fitted(self)
        shrunk = replace(self.posterior_, variances=self.posterior_.variances / check_count("n_draws", n_draws))
        B, b = self._split(shrunk.draw(1, check_random_state(random_state)))
        return B[0], b[0]

    def sample_y(self, X: ArrayLike, n_samples: int = 1, random_state: Any = None, noise: bool = True) -> Array:
        """Draw images (n_samples, n, d) of codes X (n, k), with a fresh B for each image, and the pixels' noise.

        Given its code, an image's pixels are independent Gaussians, so no B is ever drawn.
        """
        Phi = self._design_rows(X)
        rng = check_random_state(random_state)
        variance = self.posterior_.quadratic(Phi) + (self.noise_variance_ if noise else 0.0)
        mean = Phi @ self.posterior_.mean.astype(Phi.dtype)
        shape = (check_count("n_samples", n_samples), *mean.shape)
        images = rng.standard_normal(shape)  # the only large array; what follows happens in place
        images *= np.sqrt(variance)
        images += mean
        return images.astype(Phi.dtype, copy=False)

    def _design_rows(self, X: ArrayLike) -> Array:
        check_is_fitted(self)
        codes: Array = check_images(self, X, reset=False, dtype=CODE_TYPES)
        return np.c_[codes, np.ones(len(codes), codes.dtype)] if self.fit_intercept else codes

    def _shaped(self, images: Array) -> Array:
        return images[:, 0] if self._one_dimensional else images

    def _split(self, draws: Array) -> tuple[Array, Array]:
        k = self.n_features_in_
        b = draws[:, k] if self.fit_intercept else np.zeros((len(draws), draws.shape[2]))
        return np.swapaxes(draws[:, :k], 1, 2), b

    def _check(self, cross: CrossMoments) -> None:
        for name, choices in {"family": FAMILIES, "noise": NOISES, "prior": PRIORS}.items():
            check_choice(name, getattr(self, name), choices)
        for name in ("noise_variance", "min_noise_variance", "prior_variance"):
            check_positive(name, getattr(self, name))
        if not isinstance(self.tol, Real) or not float(self.tol) >= 0:
            raise ValueError(f"tol={self.tol!r}; give a number of 0 or more")
        check_count("max_iter", self.max_iter)
        if cross.n == 0:
            raise ValueError("no rows to regress on (n=0); add rows first")


def _unit(cross: CrossMoments) -> float:
    """Return the mean variance of the pixels; where they do not vary, their mean square, or 1."""
    variance, square = cross.sxx_diag.mean() / cross.n, np.mean(cross.mean_x**2)
    return float(variance if variance > 0 else square if square > 0 else 1.0)


def _with_intercept(q: CoefficientPosterior, cross: CrossMoments, noise: Array) -> CoefficientPosterior:
    """Add the free intercept to q, from centred codes to codes as they are: b = m_x - B m_z + N(0, s^2 / n)."""
    m = cross.mean_z
    mean = np.vstack([q.mean, cross.mean_x - m @ q.mean])
    c = len(q.basis)
    basis = np.eye(c + 1)
    basis[:c, :c], basis[c, :c] = q.basis, -m @ q.basis
    rows = max(len(q.variances), len(noise))
    spreads = np.empty((rows, c + 1))
    spreads[:, :c], spreads[:, c] = q.variances, noise / cross.n
    return CoefficientPosterior(mean, basis, spreads)
