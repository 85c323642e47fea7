"""Decoders: codes in, images out, x ~ B z + b.

`MMLR` is multivariate multiple linear regression, one least-squares fit shared by all pixels.  The one equation:
B' = (S_zz + alpha I)^+ S_zx.  Chapters: *naive* and *collapse*.
"""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_solve, eigh, qr, solve_triangular
from scipy.linalg.blas import dtrmm
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from ._checks import CODE_TYPES, Array, check_images
from .moments import RANK_TOLERANCE, CrossMoments, cholesky_factor, spread


class MMLR(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Decode by multivariate multiple linear regression: minimise sum_i |x_i - B z_i - b|^2 + alpha |B|_F^2.

    The argument names are scikit-learn's: in `fit(X, y)` and `predict(X)`, X holds codes and y holds images.

    Parameters
    ----------
    alpha : float
        Ridge penalty, 0 or more, in squared codes summed over rows; the intercept is not penalised.
    fit_intercept : bool
        If False, b = 0.

    Attributes
    ----------
    coef_ : array (d, k)
        B.  Where the codes are linearly dependent and alpha is 0, the B of least Frobenius norm.
    intercept_ : array (d,)
    n_features_in_ : int
        k.

    Raises
    ------
    ValueError
        In `fit`, if alpha is negative or not a finite number.

    Notes
    -----
    Solved from `CrossMoments`, every code scaled to unit variance first, so that units do not matter: by Cholesky's
    factor, or, where the scaled scatter has a reciprocal condition number of 1e-12 or less, by its pseudo-inverse.  So
    two codes that differ by less than a millionth of their spread count as one (Penrose 1955; Hoerl and Kennard 1970).

    Examples
    --------
    >>> MMLR().fit([[0.0], [1.0], [2.0]], [[1.0, 0.0], [3.0, 0.0], [5.0, 0.0]]).coef_.round(6)
    array([[2.],
           [0.]])
    """

    def __init__(self, alpha: float = 0.0, fit_intercept: bool = True):
        self.alpha = alpha
        self.fit_intercept = fit_intercept

    def fit(self, X: ArrayLike, y: ArrayLike) -> MMLR:
        """Fit on codes X (n, k) and images y (n, d), or one pixel y (n,)."""
        codes, images = check_images(self, X, y, dtype=CODE_TYPES, multi_output=True, y_numeric=True)
        self.fit_moments(CrossMoments.of(codes, images.reshape(len(images), -1)))
        self._one_dimensional = images.ndim == 1
        return self

    def fit_moments(self, cross: CrossMoments) -> MMLR:
        """Fit on cross moments: the same answer as on the rows they came from."""
        alpha = self.alpha
        if not isinstance(alpha, Real) or isinstance(alpha, bool) or not 0 <= alpha < np.inf:
            raise ValueError(f"alpha={alpha!r}; a ridge penalty is a finite number, 0 (none) or more")
        if cross.n == 0:
            raise ValueError("no rows to regress on (n=0); add rows first")
        self.coef_: Array = self._coefficients(cross).T
        self.intercept_: Array = cross.mean_x - self.coef_ @ cross.mean_z
        if not self.fit_intercept:
            self.intercept_ = np.zeros_like(self.intercept_)
        self.n_features_in_ = cross.mean_z.size
        self._one_dimensional = False
        return self

    def _coefficients(self, cross: CrossMoments) -> Array:
        """Return B' (k, d)."""
        Szz, Szx, alpha = cross.Szz, cross.Szx, self.alpha
        if not self.fit_intercept:  # moments about the origin instead of the mean
            Szz = Szz + cross.n * np.outer(cross.mean_z, cross.mean_z)
            Szx = Szx + cross.n * np.outer(cross.mean_z, cross.mean_x)
            return _least_squares(Szz, Szx, np.sqrt(np.diag(Szz) + alpha), alpha)
        if not alpha and cross.factored is not None:
            size, inverse, half = cross.factored
            B: Array = dtrmm(1.0, inverse, half.T, side=1, lower=1)  # half' M, twice as fast as solve_triangular
            B /= size
            return B.T
        size = np.sqrt(cross.n) * spread(np.diag(Szz) / cross.n, cross.mean_z)
        return _least_squares(Szz, Szx, np.sqrt(size**2 + alpha), alpha)

    def predict(self, X: ArrayLike) -> Array:
        """Return the images B z + b of codes X (n, k), shape (n, d); (n,) if fitted on one-dimensional y."""
        check_is_fitted(self)
        codes: Array = check_images(self, X, reset=False, dtype=CODE_TYPES)
        images: Array = codes @ self.coef_.T.astype(codes.dtype) + self.intercept_.astype(codes.dtype)
        return images[:, 0] if self._one_dimensional else images


def _least_squares(S: Array, T: Array, size: Array, alpha: float) -> Array:
    """Return the W (k, d) of least norm among the minimisers of tr(W'(S + alpha I)W) - 2 tr(W'T), S a scatter.

    Codes are scaled to size 1, the root of their diagonal; one of size 0 is constant and gets no weight.
    """
    varied = size > 0
    if not varied.any():
        return np.zeros_like(T)
    if not varied.all():
        W = np.zeros_like(T)
        W[varied] = _least_squares(S[np.ix_(varied, varied)], T[varied], size[varied], alpha)
        return W
    size = size[:, None]
    # In place where it can be: large new arrays cost as much as what is done to them.
    R, T = S / size.T, T / size
    R.flat[:: len(R) + 1] += alpha / size[:, 0]
    R /= size
    factor = cholesky_factor(R.copy())
    if factor is not None:
        W = cho_solve((factor, True), T, overwrite_b=True, check_finite=False)
        W /= size
        return W
    values, Q = eigh(R, driver="evd")
    kept = values > RANK_TOLERANCE * values[-1]
    # Every minimiser has Q' diag(size) W = target; the shortest one lies in the range of diag(size) Q.
    target = (Q[:, kept].T @ T) / values[kept, None]
    range_, triangle = qr(size * Q[:, kept], mode="economic")
    return range_ @ solve_triangular(triangle, target, trans="T")
