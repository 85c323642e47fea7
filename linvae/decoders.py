"""Decoders: codes in, images out, x ~ B z + b.

`MMLR` is multivariate multiple linear regression, one least-squares fit shared by all pixels.  The one equation:
B' = (S_zz + alpha I)^+ S_zx.  Chapters: "PCA and least squares make an autoencoder" and "Least squares undoes PCA".
"""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh, qr, solve_triangular
from scipy.linalg.blas import dtrmm
from scipy.linalg.lapack import dpocon, dpotrf, dtrtri
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from ._checks import CODE_TYPES, Array, check_images
from .moments import RANK_TOLERANCE, CrossMoments


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
        Szz, Szx = cross.Szz, cross.Szx
        if not self.fit_intercept:  # moments about the origin instead of the mean
            Szz = Szz + cross.n * np.outer(cross.mean_z, cross.mean_z)
            Szx = Szx + cross.n * np.outer(cross.mean_z, cross.mean_x)
        self.coef_: Array = _least_squares(Szz + alpha * np.eye(len(Szz)), Szx).T
        self.intercept_: Array = cross.mean_x - self.coef_ @ cross.mean_z
        if not self.fit_intercept:
            self.intercept_ = np.zeros_like(self.intercept_)
        self.n_features_in_ = cross.mean_z.size
        self._one_dimensional = False
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Return the images B z + b of codes X (n, k), shape (n, d); (n,) if fitted on one-dimensional y."""
        check_is_fitted(self)
        codes: Array = check_images(self, X, reset=False, dtype=CODE_TYPES)
        images: Array = codes @ self.coef_.T.astype(codes.dtype) + self.intercept_.astype(codes.dtype)
        return images[:, 0] if self._one_dimensional else images


def _least_squares(S: Array, T: Array) -> Array:
    """Return the W (k, d) of least norm among the minimisers of tr(W'SW) - 2 tr(W'T), S positive semi-definite."""
    W = np.zeros_like(T)
    scale = np.sqrt(np.diag(S))
    varied = scale > 0  # a constant code explains nothing and gets no weight
    if not varied.any():
        return W
    scale = scale[varied, None]
    if not varied.all():
        S, T = S[np.ix_(varied, varied)], T[varied]
    R, T = S / (scale * scale.T), T / scale
    factor, failed = dpotrf(R, lower=1)
    # The reciprocal condition number; k bounds the 1-norm of R, and errs on the safe side.
    if not failed and dpocon(factor, len(R), uplo="L")[0] > RANK_TOLERANCE:
        inverse, _ = dtrtri(factor, lower=1, overwrite_c=1)  # quicker than triangular solves
        # The flags: from the right, lower, and for the first product transposed.
        W[varied] = dtrmm(1.0, inverse, dtrmm(1.0, inverse, T.T, 1, 1, 1), 1, 1).T / scale
        return W
    values, Q = eigh(R)
    kept = values > RANK_TOLERANCE * values[-1]
    # Every minimiser has Q' diag(scale) W = target; the shortest one lies in the range of diag(scale) Q.
    target = (Q[:, kept].T @ T) / values[kept, None]
    range_, triangle = qr(scale * Q[:, kept], mode="economic")
    W[varied] = range_ @ solve_triangular(triangle, target, trans="T")
    return W
