"""The posterior over the coefficients of a regression, from its sums alone: what variational inference aims at.

Let row i have the regressors phi_i, pixel p the coefficients beta_p ~ N(0, diag(1 / a)) and the noise s_p^2.  Then
beta_p has the posterior precision P_p = Phi'Phi / s_p^2 + diag(a).  Variational inference maximises over Gaussians q

    ELBO(q) = E_q ln p(X | beta) + E_q ln p(beta) + H(q)  =  ln p(X) - KL(q | posterior)

One idea serves every q.  In coordinates u = T^-1 beta take independent u_i.  With T = I that is the mean-field family.
With the T that makes Phi'Phi and diag(a) diagonal at once, P_p is diagonal for every pixel, so independent coordinates
are exact: that is the full family.  Hence one `elbo`, one factorisation of size c for all pixels, and never a (d, c, c)
array.  Chapter: *elbo*.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.linalg import cho_solve, eigh, qr, solve_triangular, svd
from scipy.optimize import minimize

from ._checks import Array
from .moments import RANK_TOLERANCE, CrossMoments, cholesky_factor

LOG_2PI = float(np.log(2 * np.pi))

WELL_CONDITIONED = 1e-10
"""Cholesky's factor is used while 1 over the condition number is above this: then its inverse keeps six digits.
Else the root is decomposed, which costs some ten times as much and keeps ten."""


@dataclass(frozen=True, eq=False)
class Design:
    """Hold the sums that a regression needs: Phi'Phi, Phi'X and what else the squares of the pixels hold.

    Parameters
    ----------
    n : int
        Rows that tell of the noise: all, or one less where a free intercept has been integrated out.
    gram : array (c, c)
        Phi'Phi.
    cross : array (c, d)
        Phi'X.
    moments : CrossMoments
        What they were made of.
    constant : float
        In nats, what the density of the images holds besides: of intercepts integrated out, of a change of unit.
    """

    n: int
    gram: Array
    cross: Array
    moments: CrossMoments
    constant: float = 0.0

    @classmethod
    def of(cls, cross: CrossMoments, fit_intercept: bool = True) -> Design:
        """Take Phi = [Z, 1], or Z without an intercept: every coefficient has a prior, the intercept's too."""
        n, mz, mx = cross.n, cross.mean_z, cross.mean_x
        gram = cross.Szz + n * np.outer(mz, mz)
        sums = cross.Szx + n * np.outer(mz, mx)
        if fit_intercept:
            gram = np.block([[gram, n * mz[:, None]], [n * mz[None], np.array([[float(n)]])]])
            sums = np.vstack([sums, n * mx])
        return cls(n, gram, sums, cross)

    @classmethod
    def centred(cls, cross: CrossMoments) -> Design:
        """Take Phi = Z - m_z, and integrate out an intercept with a flat prior (density 1 per unit of the pixels)."""
        lost = -0.5 * cross.mean_x.size * float(np.log(cross.n))
        return cls(cross.n - 1, cross.Szz, cross.Szx, cross, lost)

    @property
    def pixels(self) -> int:
        """d, however many columns stand for them."""
        return self.moments.mean_x.size

    @cached_property
    def compressed(self) -> tuple[Array, Array, Array]:
        """Return R, t and rest with |x_p - Phi beta_p|^2 = |t_p - R beta_p|^2 + rest_p: n rows stand in as few.

        Sums of squares do not cancel, and R has the root of the condition number of Phi'Phi.
        """
        m = self.moments
        root, target = _root(m.Szz, m.Szx)
        rest = np.maximum(m.sxx_diag - np.einsum("ij,ij->j", target, target), 0.0)  # negative by rounding alone
        if self.n < m.n:  # an intercept has been integrated out
            return root, target, rest
        weight = np.sqrt(m.n)  # the rows' mean is one more row, of weight n
        root = np.vstack([root, weight * m.mean_z])
        if len(self.gram) > m.mean_z.size:
            root = np.hstack([root, np.r_[np.zeros(len(root) - 1), weight][:, None]])
        return root, np.vstack([target, weight * m.mean_x]), rest

    def turned(self) -> Design:
        """Turn the d pixels onto no more axes than there are regressors: enough where all pixels share one noise."""
        root, target, rest = self.compressed
        turned = target if target.shape[1] <= len(target) else qr(target.T, mode="r")[0][: len(target)].T
        return self._with(root, turned, np.array([rest.sum()]), self.constant)

    def in_units_of(self, noise: Array) -> Design:
        """Divide every pixel by the standard deviation of its noise, (1,) or (d,): the same regression at noise 1."""
        root, target, rest = self.compressed
        change = -0.5 * self.n * self.pixels / len(noise) * float(np.log(noise).sum())
        return self._with(root, target / np.sqrt(noise), rest / noise, self.constant + change)

    def _with(self, root: Array, target: Array, rest: Array, constant: float) -> Design:
        other = replace(self, cross=root.T @ target, constant=constant)
        other.__dict__["compressed"] = root, target, rest
        return other

    def expected_residuals(self, q: CoefficientPosterior, shared: bool = False) -> Array:
        """Return E_q |x_p - Phi beta_p|^2 for every pixel, shape (d,); or its mean over all pixels, shape (1,)."""
        root, target, rest = self.compressed
        off = target - root @ q.mean
        spread = q.variances @ np.sum((root @ q.basis) ** 2, axis=0)
        if shared:
            total = np.vdot(off, off) + rest.sum()
            return np.array([total / self.pixels + spread.mean()])
        residuals: Array = rest + np.einsum("ij,ij->j", off, off) + spread
        return residuals


def _root(S: Array, T: Array) -> tuple[Array, Array]:
    """Return R and R^-T T with R'R = S, for S positive semi-definite; a direction that is rounding counts as none."""
    scale = np.sqrt(np.diag(S))
    varied = scale > 0
    scale = np.where(varied, scale, 1.0)
    unit, T = S / np.outer(scale, scale), T / scale[:, None]
    factor = cholesky_factor(unit.copy(), WELL_CONDITIONED)
    if factor is not None:
        return np.tril(factor).T * scale, solve_triangular(factor, T, lower=True)
    values, Q = eigh(unit)
    kept = values > RANK_TOLERANCE * max(values[-1], 0.0)
    lengths, Q = np.sqrt(values[kept]), Q[:, kept]
    return (Q * lengths).T * scale, Q.T @ T / lengths[:, None]


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
    noise : array (d,) or (1,)
        s_p^2, the noise variance of each pixel, or the one of all.
    precision : array (c,)
        a, the prior precisions of the coefficients.

    Notes
    -----
    Blei, Kucukelbir and McAuliffe 2017, with every Gaussian integral done.
    """
    c, d = len(q.mean), design.pixels
    alike, copies = d / len(noise), d / len(q.variances)
    residuals = design.expected_residuals(q, shared=len(noise) == 1)
    likelihood = -0.5 * alike * np.sum(design.n * (LOG_2PI + np.log(noise)) + residuals / noise)
    prior = 0.5 * (d * (np.log(precision).sum() - c * LOG_2PI) - precision @ expected_squares(q, d))
    log_det = copies * np.log(q.variances).sum() + 2 * d * np.linalg.slogdet(q.basis)[1]
    return float(likelihood + prior + 0.5 * (log_det + d * c * (1 + LOG_2PI))) + design.constant


def expected_squares(q: CoefficientPosterior, d: int) -> Array:
    """Return E_q of the sum over d pixels of each squared coefficient, shape (c,)."""
    squares: Array = (q.mean**2).sum(axis=1) + d / len(q.variances) * q.marginal_variances().sum(axis=0)
    return squares


def diagonalising_basis(gram: Array, precision: Array) -> tuple[Array, Array]:
    """Return T and l with T' gram T = diag(l) and T' diag(precision) T = I: one factorisation for all pixels."""
    values, vectors = eigh(gram / np.sqrt(np.outer(precision, precision)))
    return vectors / np.sqrt(precision)[:, None], np.maximum(values, 0.0)  # below 0 by rounding alone


def _axes(root: Array, precision: Array) -> tuple[Array, Array, Array]:
    """Return T, l and U, T and l as above for the gram R'R of R = root, and R T = U diag(l)^(1/2).

    The singular values of R keep twice the digits that the eigenvalues of R'R keep.
    """
    scale = 1 / np.sqrt(precision)
    _, lengths, Vt = svd(root * scale, full_matrices=len(root) < root.shape[1])
    if Vt.size:  # fixed signs: the same draws on every machine
        Vt = Vt * np.sign(Vt[np.arange(len(Vt)), np.abs(Vt).argmax(axis=1)])[:, None]
    T = scale[:, None] * Vt.T
    values = np.zeros(len(Vt))
    values[: len(lengths)] = lengths**2
    return T, values, root @ T / np.where(values > 0, np.sqrt(values), 1.0)


def exact_posterior(design: Design, noise: Array, precision: Array) -> CoefficientPosterior:
    """Return the posterior of the coefficients at these hyper-parameters, in closed form (Lindley and Smith 1972).

    With one noise for all pixels T is the inverse of a Cholesky factor; with noise per pixel, or where the precision is
    near singular, the basis that makes every pixel's precision diagonal.
    """
    shared = np.ptp(noise) == 0
    if shared and len(precision):
        P = design.gram / noise[0]
        P[np.diag_indices_from(P)] += precision
        scale = 1 / np.sqrt(np.diag(P))
        factor = cholesky_factor(P * np.outer(scale, scale), WELL_CONDITIONED)
        if factor is not None:
            mean = cho_solve((factor, True), design.cross * (scale / noise[0])[:, None])
            inverse = solve_triangular(factor, np.eye(len(P)), lower=True)
            return CoefficientPosterior(scale[:, None] * mean, scale[:, None] * inverse.T, np.ones((1, len(P))))
    root, target, _ = design.compressed
    T, values, U = _axes(root, precision)
    variances = 1 / (values / (noise[:1] if shared else noise)[:, None] + 1)
    mean = T @ (np.sqrt(values)[:, None] * (U.T @ target) / noise * variances.T)
    return CoefficientPosterior(mean, T, variances)


def mean_field(design: Design, noise: Array, precision: Array) -> CoefficientPosterior:
    """Return the best q of independent coefficients: exact means, variances 1 / P_ii (Bishop 2006)."""
    basis = np.eye(len(precision))
    mean = exact_posterior(design, noise, precision).mean
    return CoefficientPosterior(mean, basis, best_variances(design, basis, noise, precision))


def log_evidence(design: Design, noise: Array, precision: Array) -> float:
    """Return ln p(X) at these hyper-parameters, the coefficients integrated out, in nats over rows and pixels.

    In the diagonalising basis: -1/2 sum_p [n ln 2 pi s_p^2 + sum_i ln(1 + l_i / s_p^2) + rest_p / s_p^2
    + sum_i t_ip^2 / (s_p^2 + l_i)].
    """
    root, target, rest = design.compressed
    _, values, U = _axes(root, precision)
    noise = np.broadcast_to(noise, rest.shape)
    seen = U.T @ target
    outside = np.maximum(rest + np.sum(target**2, axis=0) - np.sum(seen**2, axis=0), 0.0)  # of a root without full rank
    terms = design.n * (LOG_2PI + np.log(noise)) + outside / noise
    terms = terms + np.sum(np.log1p(values[:, None] / noise) + seen**2 / (noise + values[:, None]), axis=0)
    return float(-0.5 * terms.sum()) + design.constant


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
