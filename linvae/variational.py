"""The random decoder: a posterior over the coefficients of x = B z + b + noise, from cross moments alone.

Write Phi = [Z, 1] (n, k + 1) and let every pixel p have coefficients beta_p ~ N(0, diag(1 / a)) and noise s_p^2.  Its
posterior precision is P_p = Phi'Phi / s_p^2 + diag(a).  Variational inference maximises the ELBO over Gaussians q.

One idea serves both families.  In coordinates u = T^-1 beta take independent u_i.  With T = I that is the mean-field
family.  With the T that makes Phi'Phi and diag(a) diagonal at once, P_p is diagonal for every pixel, so independent
coordinates are exact: that is the full family.  Hence one `elbo`, one factorisation of size k + 1 for all pixels, and
never a (d, k, k) array.  Chapters: "The ELBO" and "The variational decoder".
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh
from scipy.linalg.blas import dtrmm
from scipy.linalg.lapack import dpocon, dpotrf, dtrtri
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from ._checks import CODE_TYPES, Array, check_count, check_images, check_random_state
from .moments import RANK_TOLERANCE, CrossMoments

LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, eq=False)
class Design:
    """Hold the sums a regression with an intercept needs, about the origin: Phi'Phi, Phi'X and the pixels' squares."""

    n: int
    gram: Array  # (c, c), c = k + 1, or k without an intercept
    cross: Array  # (c, d)
    moments: CrossMoments  # the same about the means, for differences of large sums

    @classmethod
    def of(cls, cross: CrossMoments, fit_intercept: bool = True) -> Design:
        """Read the sums off cross moments."""
        n, mz, mx = cross.n, cross.mean_z, cross.mean_x
        gram = cross.Szz + n * np.outer(mz, mz)
        sums = cross.Szx + n * np.outer(mz, mx)
        if fit_intercept:
            gram = np.block([[gram, n * mz[:, None]], [n * mz[None], np.array([[float(n)]])]])
            sums = np.vstack([sums, n * mx])
        return cls(n, gram, sums, cross)

    def expected_residuals(self, q: CoefficientPosterior) -> Array:
        """Return E_q |x_p - Phi beta_p|^2 for every pixel, shape (d,)."""
        m = self.moments
        B = q.mean[: m.mean_z.size]
        bias = m.mean_x - m.mean_z @ B - (q.mean[-1] if len(q.mean) > len(B) else 0.0)
        residuals = m.sxx_diag + np.einsum("kd,kd->d", B, m.Szz @ B - 2 * m.Szx) + self.n * bias**2
        # A sum of squares is not negative but by rounding.
        return np.maximum(residuals, 0.0) + q.variances @ _diagonal(q.basis, self.gram)


@dataclass(frozen=True, eq=False)
class CoefficientPosterior:
    """Hold q: beta_p ~ N(mean_p, T diag(v_p) T'), one T for all pixels.

    Parameters
    ----------
    mean : array (c, d)
    basis : array (c, c)
        T.
    variances : array (1 or d, c)
        v_p; one row if all pixels share it.
    """

    mean: Array
    basis: Array
    variances: Array

    def covariance(self, pixel: int = 0) -> Array:
        """Return the covariance (c, c) of one pixel's coefficients."""
        return self.basis * self.variances[pixel % len(self.variances)] @ self.basis.T

    def marginal_variances(self) -> Array:
        """Return the variance of every coefficient, shape (1 or d, c)."""
        return self.variances @ (self.basis**2).T

    def quadratic(self, Phi: Array) -> Array:
        """Return phi' Cov_p phi for every row phi of Phi (n, c): shape (n, 1 or d)."""
        return (Phi @ self.basis) ** 2 @ self.variances.T

    def draw(self, n_draws: int, rng: np.random.RandomState) -> Array:
        """Draw coefficients, shape (n_draws, c, d)."""
        noise = rng.standard_normal((n_draws, self.mean.shape[1], self.mean.shape[0])) * np.sqrt(self.variances)
        return self.mean + np.swapaxes(noise @ self.basis.T, 1, 2)


def elbo(q: CoefficientPosterior, design: Design, noise: Array, precision: Array) -> float:
    """Return E_q ln p(X | beta) + E_q ln p(beta) + H(q), in nats, summed over rows and pixels.

    Parameters
    ----------
    q : CoefficientPosterior
    design : Design
    noise : array (d,)
        s_p^2, the noise variance of each pixel.
    precision : array (c,)
        a, the prior precisions of the coefficients.

    Notes
    -----
    Blei, Kucukelbir and McAuliffe 2017, with every Gaussian integral done.
    """
    c, d = q.mean.shape
    copies = d / len(q.variances)
    likelihood = -0.5 * np.sum(design.n * (LOG_2PI + np.log(noise)) + design.expected_residuals(q) / noise)
    squares = (q.mean**2).sum(axis=1) + copies * q.marginal_variances().sum(axis=0)
    prior = 0.5 * (d * (np.log(precision).sum() - c * LOG_2PI) - precision @ squares)
    log_det = copies * np.log(q.variances).sum() + 2 * d * np.linalg.slogdet(q.basis)[1]
    return float(likelihood + prior + 0.5 * (log_det + d * c * (1 + LOG_2PI)))


def diagonalising_basis(gram: Array, precision: Array) -> tuple[Array, Array]:
    """Return T and l with T' gram T = diag(l) and T' diag(precision) T = I: one factorisation for all pixels."""
    root = 1 / np.sqrt(precision)
    values, Q = eigh(gram * np.outer(root, root))
    Q = Q * np.sign(Q[np.abs(Q).argmax(axis=0), np.arange(len(Q))])  # the same draws on every machine
    return root[:, None] * Q, np.clip(values, 0, None)  # a Gram matrix has no negative eigenvalue but by rounding


def exact_posterior(design: Design, noise: Array, precision: Array) -> CoefficientPosterior:
    """Return the posterior of the coefficients at these hyper-parameters, in closed form (Lindley and Smith 1972).

    With one noise for all pixels T is the inverse of a Cholesky factor; with noise per pixel, or where the precision is
    near singular, the basis that makes every pixel's precision diagonal.
    """
    if np.ptp(noise) == 0:
        root = 1 / np.sqrt(precision)
        P = design.gram * np.outer(root, root / noise[0])  # without the prior's I
        P[np.diag_indices_from(P)] += 1
        factor, failed = dpotrf(P, lower=1)
        # The reciprocal condition number, in the 1-norm.
        if not failed and dpocon(factor, np.abs(P).sum(axis=0).max(), uplo="L")[0] > RANK_TOLERANCE:
            inverse, _ = dtrtri(factor, lower=1)  # of L, P = L L'; the flags below: from the right, lower, transposed
            scaled = (design.cross * (root / noise[0])[:, None]).T
            mean = dtrmm(1.0, inverse, dtrmm(1.0, inverse, scaled, 1, 1, 1), 1, 1).T  # L^-T L^-1 times the sums
            return CoefficientPosterior(root[:, None] * mean, root[:, None] * inverse.T, np.ones((1, len(root))))
    T, values = diagonalising_basis(design.gram, precision)
    shared = np.ptp(noise) == 0
    variances = 1 / (values / (noise[:1] if shared else noise)[:, None] + 1)
    return CoefficientPosterior(T @ ((T.T @ design.cross) / noise * variances.T), T, variances)


def log_evidence(design: Design, noise: Array, precision: Array) -> float:
    """Return ln p(X) at these hyper-parameters, the coefficients integrated out, in nats over rows and pixels."""
    return elbo(exact_posterior(design, noise, precision), design, noise, precision)  # the bound is tight there


def best_variances(design: Design, basis: Array, noise: Array, precision: Array) -> Array:
    """Return the v that maximise the ELBO in a basis: one over the diagonal of each pixel's precision (Bishop 2006)."""
    data, prior = _diagonal(basis, design.gram), precision @ basis**2
    return 1 / (data / (noise[:1] if np.ptp(noise) == 0 else noise)[:, None] + prior)


def ascend(q: CoefficientPosterior, design: Design, noise: Array, precision: Array) -> CoefficientPosterior:
    """Sweep once over the coordinates, each set to its best value given the others, for all pixels at a time."""
    T = q.basis
    u = np.linalg.solve(T, q.mean)
    gram, prior, cross = T.T @ design.gram @ T, T.T * precision @ T, (T.T @ design.cross) / noise
    for i in range(len(u)):
        own = gram[i, i] / noise + prior[i, i]
        rest = (gram[i] @ u) / noise + prior[i] @ u - own * u[i]
        u[i] = (cross[i] - rest) / own
    return CoefficientPosterior(T @ u, T, best_variances(design, T, noise, precision))


def newton(q: CoefficientPosterior, design: Design, noise: Array, precision: Array) -> CoefficientPosterior:
    """Take one Newton–Raphson step on the means; the ELBO is quadratic in them, so one step is exact."""
    slope = (design.cross - design.gram @ q.mean) / noise - precision[:, None] * q.mean
    T, values = diagonalising_basis(design.gram, precision)
    step = T @ ((T.T @ slope) / (values[:, None] / noise + 1))
    return CoefficientPosterior(q.mean + step, q.basis, best_variances(design, q.basis, noise, precision))


def gradient(
    q: CoefficientPosterior, design: Design, noise: Array, precision: Array, max_iter: int = 500, tol: float = 1e-12
) -> CoefficientPosterior:
    """Climb the ELBO by L-BFGS on its analytic gradient over all means; the variances take their best value at once."""
    (c, d), T = q.mean.shape, q.basis
    variances = best_variances(design, T, noise, precision)
    scale = np.sqrt(noise / (np.trace(design.gram) + precision.mean() * noise))  # brings the slopes to one size

    def climb(w: Array) -> tuple[float, Array]:
        mean = w.reshape(c, d) * scale
        slope = ((design.cross - design.gram @ mean) / noise - precision[:, None] * mean) * scale
        return -elbo(CoefficientPosterior(mean, T, variances), design, noise, precision), -slope.ravel()

    limits = {"maxiter": max_iter, "maxfun": 2 * max_iter, "ftol": tol, "gtol": 0.0}
    found = minimize(climb, (q.mean / scale).ravel(), jac=True, method="L-BFGS-B", options=limits)
    return CoefficientPosterior(found.x.reshape(c, d) * scale, T, variances)


def _diagonal(T: Array, S: Array) -> Array:
    """Return the diagonal of T'ST."""
    return np.einsum("ic,ic->c", T, S @ T)


SOLVERS = {"cavi": ascend, "newton": newton, "gradient": gradient}
_CHOICES = {
    "family": ("full", "mean-field"),
    "noise": ("fixed", "isotropic", "per-pixel"),
    "prior": ("fixed", "ard"),
    "solver": tuple(SOLVERS),
}


class VariationalMMLR(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Decode by a Bayesian multivariate regression, its coefficients random: x = B z + b + noise, B ~ q.

    As in `MMLR`, X holds codes and y holds images in `fit(X, y)` and `predict(X)`.  Learned noise and ARD precisions
    are point estimates that raise the same ELBO (variational EM).

    Parameters
    ----------
    family : "full" or "mean-field"
        "full" is the exact posterior at the hyper-parameters; "mean-field", the talk's, makes coefficients independent.
    noise : "fixed", "isotropic" or "per-pixel"
        Keep `noise_variance`, learn one for all pixels, or learn one for each.  Learning needs clearly more rows than
        codes: with n <= k + 1 the evidence has no maximum of its own, and the noise stays near where it started.
    noise_variance : float
        s^2, fixed or to start from, above 0, in squared pixels.
    min_noise_variance : float
        Learned noise stops here; `floored_pixels_` lists where it did (pixels with no residual).
    prior : "fixed" or "ard"
        "ard" learns one precision for each latent dimension, shared by all pixels, and one for the intercept.
    prior_variance : float
        Of every coefficient, the intercept's included, fixed or to start from; above 0.
    fit_intercept : bool
        If True, a column of ones joins the codes, under the same prior (its own precision under "ard").
    solver : "newton", "cavi" or "gradient"
        Newton–Raphson, coordinate ascent, or L-BFGS on the same ELBO.  Newton's step is exact; coordinate ascent can
        be slow where codes are correlated, and stops early then at the default tol.
    tol : float
        Stop when an iteration raises the ELBO by no more than tol nats for each of the n d pixels seen.
    max_iter : int
        At least 1; running out of it is a ConvergenceWarning.

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
    posterior_ : CoefficientPosterior
    elbo_ : float
        In nats, summed over rows and pixels.
    elbo_trace_ : list of float
        After each iteration and, where noise or precisions are learned, after a last step at their final values; it
        never falls, but by rounding.
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
    Full family: Lindley and Smith 1972.  Mean-field: Bishop 2006.  ARD: MacKay 1994, Tipping 2001; Drugowitsch 2013
    gives the fully Bayesian form.

    Examples
    --------
    >>> model = VariationalMMLR(noise="fixed", noise_variance=0.5)
    >>> model.fit([[0.0], [1.0], [2.0]], [[1.0], [3.0], [5.0]]).coef_.round(2)
    array([[1.8]])
    """

    def __init__(
        self,
        family: str = "full",
        noise: str = "isotropic",
        noise_variance: float = 1.0,
        min_noise_variance: float = 1e-6,
        prior: str = "fixed",
        prior_variance: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "newton",
        tol: float = 1e-6,
        max_iter: int = 1000,
    ):
        self.family = family
        self.noise = noise
        self.noise_variance = noise_variance
        self.min_noise_variance = min_noise_variance
        self.prior = prior
        self.prior_variance = prior_variance
        self.fit_intercept = fit_intercept
        self.solver = solver
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
        design = Design.of(cross, self.fit_intercept)
        c, d = design.cross.shape
        noise = np.full(d, max(self.noise_variance, self.min_noise_variance if self.noise != "fixed" else 0.0))
        precision = np.full(c, 1 / self.prior_variance)
        q = CoefficientPosterior(np.zeros((c, d)), np.eye(c), np.full((d if self.noise == "per-pixel" else 1, c), 1.0))
        learns = self.noise != "fixed" or self.prior == "ard"
        trace = [-np.inf]
        for _ in range(self.max_iter):
            q = self._improve(q, design, noise, precision)
            if learns:
                noise, precision = self._hyper_parameters(q, design, noise, precision)
            trace.append(elbo(q, design, noise, precision))
            if trace[-1] - trace[-2] <= self.tol * design.n * d or (self.solver == "newton" and not learns):
                break
        else:
            self._warn(trace)
        if learns:
            q = self._improve(q, design, noise, precision)  # q belongs to the final noise and prior
            trace.append(elbo(q, design, noise, precision))
        self.elbo_trace_, self.elbo_, self.n_iter_ = trace[1:], trace[-1], len(trace) - 1 - learns
        return self._learned(q, design, noise, precision, cross.mean_z.size)

    def _improve(self, q: CoefficientPosterior, design: Design, noise: Array, precision: Array) -> CoefficientPosterior:
        if self.family == "full" and self.solver == "newton":
            return exact_posterior(design, noise, precision)  # where Newton's step leads from anywhere
        if self.family == "full":  # the coordinates in which it is mean-field follow the prior's precisions
            basis = diagonalising_basis(design.gram, precision)[0]
            q = replace(q, basis=basis, variances=best_variances(design, basis, noise, precision))
        return SOLVERS[self.solver](q, design, noise, precision)

    def _hyper_parameters(
        self, q: CoefficientPosterior, design: Design, noise: Array, precision: Array
    ) -> tuple[Array, Array]:
        """Return the noise variances and prior precisions that maximise the ELBO at this q."""
        if self.noise != "fixed":
            noise = design.expected_residuals(q) / design.n
            if self.noise == "isotropic":
                noise = np.full_like(noise, noise.mean())
            noise = np.maximum(noise, self.min_noise_variance)
        if self.prior == "ard":
            copies = q.mean.shape[1] / len(q.variances)
            squares = (q.mean**2).sum(axis=1) + copies * q.marginal_variances().sum(axis=0)
            precision = q.mean.shape[1] / squares
        return noise, precision

    def _learned(
        self, q: CoefficientPosterior, design: Design, noise: Array, precision: Array, k: int
    ) -> VariationalMMLR:
        self.posterior_, self.noise_variance_, self.prior_precision_ = q, noise, precision
        self.coef_: Array = q.mean[:k].T.copy()
        self.intercept_: Array = q.mean[k].copy() if self.fit_intercept else np.zeros(len(noise))
        per_pixel = np.broadcast_to(q.variances, (len(noise), len(q.basis)))
        self.coef_cov_ = (q.basis, per_pixel) if self.noise == "per-pixel" else q.covariance()
        tight = self.family == "full" and self.solver == "newton"  # q is the exact posterior
        self.log_evidence_ = self.elbo_ if tight else log_evidence(design, noise, precision)
        learned = self.noise != "fixed"
        self.floored_pixels_ = np.flatnonzero(noise <= self.min_noise_variance) if learned else np.array([], int)
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
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}={getattr(self, name)!r}; choose one of {', '.join(map(repr, choices))}")
        for name in ("noise_variance", "min_noise_variance", "prior_variance"):
            value = getattr(self, name)
            if not isinstance(value, Real) or isinstance(value, bool) or not 0 < float(value) < np.inf:
                raise ValueError(f"{name}={value!r}; a variance is a finite number above 0")
        if not isinstance(self.tol, Real) or not float(self.tol) >= 0:
            raise ValueError(f"tol={self.tol!r}; give a number of 0 or more")
        check_count("max_iter", self.max_iter)
        if cross.n == 0:
            raise ValueError("no rows to regress on (n=0); add rows first")

    def _warn(self, trace: list[float]) -> None:
        warnings.warn(
            f"max_iter={self.max_iter} iterations did not bring the ELBO to rest (the last one raised it by "
            f"{trace[-1] - trace[-2]:.3g}); raise max_iter or tol",
            ConvergenceWarning,
            stacklevel=4,
        )
