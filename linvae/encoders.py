"""Encoders: moments in, an affine map z = A (x - mu) out.

`PCA` keeps the k directions of largest variance.  The one equation: C = V diag(lambda) V', A = V_k'.
Chapter: "The best linear autoencoder is PCA".
"""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from .moments import RANK_TOLERANCE, Array, Moments

PIXEL_TYPES = [np.float64, np.float32, np.uint8]
"""What estimators take as it is; any other real type is cast to float64."""


class PCA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Encode by the k principal directions: z = V_k' (x - mu).

    Parameters
    ----------
    n_components : int or None
        k, from 1 to the rank of the centred rows; None keeps every direction with any variance.

    Attributes
    ----------
    components_ : array (k, d)
        A = V_k', orthonormal rows, largest variance first.  The entry of largest magnitude in each row is positive.
    mean_ : array (d,)
    explained_variance_ : array (k,)
        lambda_j, the variance of code j with divisor n.  scikit-learn's is n / (n - 1) times this.
    explained_variance_ratio_ : array (k,)
        lambda_j over the sum of all d of them.
    n_components_, n_samples_, n_features_in_ : int

    Raises
    ------
    ValueError
        In `fit`, if n_components is not a whole number of 1 or more, or is above the rank of the centred rows.

    Notes
    -----
    Pearson 1901; Hotelling 1933.  Fitted from `Moments`: one symmetric eigenproblem of size d, no SVD of the rows.

    Examples
    --------
    >>> PCA(1).fit([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]).components_.round(3)
    array([[0.707, 0.707]])
    """

    def __init__(self, n_components: int | None = None):
        self.n_components = n_components

    def fit(self, X: ArrayLike, y: Any = None) -> PCA:
        """Fit on rows X (n, d); y is ignored."""
        X = validate_data(self, X, dtype=PIXEL_TYPES)
        return self.fit_moments({None: Moments.of(X)})

    def fit_moments(self, class_moments: dict[Hashable, Moments]) -> PCA:
        """Fit on moments by class, which are pooled first."""
        moments = Moments.pool(class_moments)
        eigenvalues, vectors = eigh(moments.covariance, driver="evd")
        eigenvalues, vectors = eigenvalues[::-1], vectors[:, ::-1]
        # A negative eigenvalue of a covariance is rounding, and lies below the tolerance: it is never kept.
        rank = int((eigenvalues > RANK_TOLERANCE * eigenvalues[0]).sum())
        k = self._checked_n_components(rank, moments.n)
        self.components_ = _fixed_signs(vectors[:, :k].T)
        self.mean_ = moments.mean
        self.explained_variance_ = eigenvalues[:k].copy()
        self.explained_variance_ratio_ = self.explained_variance_ / np.trace(moments.covariance)
        self.n_components_, self.n_samples_, self.n_features_in_ = k, moments.n, moments.mean.size
        return self

    def _checked_n_components(self, rank: int, n: int) -> int:
        k = self.n_components
        if k is not None and (not isinstance(k, Integral) or isinstance(k, bool) or k < 1):
            raise ValueError(f"n_components={k!r}; give a whole number of 1 or more, or None for all directions")
        if rank == 0:
            raise ValueError(
                f"all rows are equal (n_samples={n}), or differ by less than float64 can square; give varied rows"
            )
        if k is not None and k > rank:
            raise ValueError(
                f"n_components={k} but n_samples={n} rows span only {rank} directions around their mean (with more "
                f"than {RANK_TOLERANCE:.0e} of the largest variance); lower n_components to {rank}, or pass None"
            )
        return rank if k is None else int(k)

    def transform(self, X: ArrayLike) -> Array:
        """Return the codes Z (n, k) = (X - mu) A'; float32 rows give float32 codes."""
        check_is_fitted(self)
        images: Array = validate_data(self, X, dtype=PIXEL_TYPES, reset=False)
        dtype = np.float32 if images.dtype == np.float32 else np.float64
        return (images - self.mean_.astype(dtype)) @ self.components_.T.astype(dtype)

    def inverse_transform(self, Z: ArrayLike) -> Array:
        """Return the images Z A + mu (n, d), the points of the affine span with codes Z (n, k)."""
        check_is_fitted(self)
        codes = check_codes(Z, self.n_components_)
        return codes @ self.components_.astype(codes.dtype) + self.mean_.astype(codes.dtype)

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _fixed_signs(components: Array) -> Array:
    """Turn each row so that its entry of largest magnitude, the first of them in a tie, is positive."""
    sizes = np.abs(components)
    first = (sizes >= (1 - 1e-8) * sizes.max(axis=1, keepdims=True)).argmax(axis=1)
    return components * np.sign(components[np.arange(len(components)), first])[:, None]


def check_codes(Z: ArrayLike, k: int) -> Array:
    """Return Z (n, k) as float32 or float64, or say what is wrong with its width."""
    codes: Array = check_array(Z, dtype=[np.float64, np.float32])
    if codes.shape[1] != k:
        raise ValueError(f"Z has {codes.shape[1]} codes a row but the model was fitted with {k}; give shape (n, {k})")
    return codes
