"""The talk's system: an encoder and a decoder joined, composition only.

So far the pooled model, the naive autoencoder x -> B A (x - mu) + b of the first chapters.  Chapters: "PCA and least
squares make an autoencoder" and "Least squares undoes PCA".
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from .decoders import MMLR
from .encoders import PCA, PIXEL_TYPES, check_codes
from .moments import Array, CrossMoments, Moments


class LinearGenerativeModel(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Join an encoder and a decoder: x -> z = A (x - mu) -> B z + b.

    Parameters
    ----------
    encoder : transformer or None
        None means PCA(min(8, d)).  `PCA` is fitted from moments, in one pass over the rows; any other scikit-learn
        transformer is fitted on rows.
    decoder : decoder or None
        Anything with `fit_moments(cross)`, `predict(Z)`, `coef_` and `intercept_`; None means MMLR().
    conditional : "none"
        One encoder and one decoder for all rows.

    Attributes
    ----------
    encoder_, decoder_ : the fitted parts
    cross_moments_ : CrossMoments
        Of the codes and the training images.
    n_features_in_ : int
        d.

    Raises
    ------
    ValueError
        In `fit`, if conditional is unknown; what the encoder or the decoder refuses, in their own words.

    Examples
    --------
    >>> model = LinearGenerativeModel(PCA(1), MMLR(), conditional="none")
    >>> model.fit([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]).reconstruct([[1.0, 3.0]]).round(6)
    array([[2., 2.]])
    """

    def __init__(self, encoder: Any = None, decoder: Any = None, conditional: str = "none"):
        self.encoder = encoder
        self.decoder = decoder
        self.conditional = conditional

    def fit(self, X: ArrayLike, y: Any = None) -> LinearGenerativeModel:
        """Fit on images X (n, d); y (n,) is passed on to an encoder that is fitted on rows, and not used otherwise."""
        images: Array = validate_data(self, X, dtype=PIXEL_TYPES)
        if hasattr(self._encoder(images.shape[1]), "fit_moments"):
            return self.fit_moments({None: Moments.of(images)})
        self.encoder_ = clone(self.encoder).fit(images, y)
        return self._fit_decoder(CrossMoments.of(self.encoder_.transform(images), images))

    def fit_moments(self, class_moments: dict[Hashable, Moments]) -> LinearGenerativeModel:
        """Fit on moments by class, with no rows; the encoder must take moments too."""
        moments = Moments.pool(class_moments)
        encoder = self._encoder(moments.mean.size)
        if not hasattr(encoder, "fit_moments"):
            raise TypeError(f"{type(encoder).__name__} is fitted on rows, not on moments; call fit(X)")
        self.encoder_ = clone(encoder).fit_moments(class_moments)
        A = self.encoder_.components_
        return self._fit_decoder(CrossMoments.from_affine(moments, A, -A @ self.encoder_.mean_))

    def _encoder(self, d: int) -> Any:
        return PCA(min(8, d)) if self.encoder is None else self.encoder

    def _fit_decoder(self, cross: CrossMoments) -> LinearGenerativeModel:
        if self.conditional != "none":
            raise ValueError(f'conditional={self.conditional!r} is not known; give "none"')
        if not hasattr(self._new_decoder(), "fit_moments"):
            raise TypeError(
                f"{type(self.decoder).__name__} has no fit_moments; give a decoder of linvae, such as MMLR()"
            )
        self.cross_moments_ = cross
        self.decoder_ = self._new_decoder().fit_moments(cross)
        self.n_features_in_ = cross.mean_x.size
        return self

    def _new_decoder(self) -> Any:
        return MMLR() if self.decoder is None else clone(self.decoder)

    def transform(self, X: ArrayLike) -> Array:
        """Return the codes Z (n, k) of images X (n, d)."""
        check_is_fitted(self)
        return self.encoder_.transform(validate_data(self, X, dtype=PIXEL_TYPES, reset=False))

    def inverse_transform(self, Z: ArrayLike) -> Array:
        """Return the decoder's images B z + b (n, d) of codes Z (n, k)."""
        check_is_fitted(self)
        return self.decoder_.predict(check_codes(Z, self._n_features_out))

    def reconstruct(self, X: ArrayLike) -> Array:
        """Return the images (n, d) after one trip through code and back."""
        return self.inverse_transform(self.transform(X))

    def reconstruction_error(self, X: ArrayLike, n_components: Sequence[int] | None = None) -> Array:
        """Return the mean over rows of |x - x_hat|^2 for every number of codes, from this one fit.

        In squared pixels, summed over the d pixels; accurate to about 1e-15 of the error of the mean image (codes are
        computed in float64 for this, where the encoder can).  Each decoder is refitted to its first j codes from
        `cross_moments_`, without the training rows; X is read once.

        Parameters
        ----------
        X : array (n, d)
            Images, seen in training or not.
        n_components : sequence of int or None
            The numbers of codes to keep, each from 0 (answer with the training mean) to k.  None means 0, 1, ..., k.

        Returns
        -------
        errors : array (len(n_components),), or (k + 1,) for None, so that errors[j] keeps j codes
        """
        check_is_fitted(self)
        images = validate_data(self, X, dtype=np.float64, reset=False)
        cross = CrossMoments.of(self.transform(images), images)
        counts = range(self._n_features_out + 1) if n_components is None else np.atleast_1d(n_components)
        errors = []
        for j in counts:
            decoder = self._new_decoder().fit_moments(self.cross_moments_.leading(j))
            errors.append(cross.leading(j).mean_squared_distance(decoder.coef_, decoder.intercept_))
        return np.array(errors)

    def interpolate(self, a: ArrayLike, b: ArrayLike, n_steps: int = 10) -> Array:
        """Decode n_steps points of the straight line from code a (k,) to code b (k,), ends included: (n_steps, d)."""
        check_is_fitted(self)
        if not isinstance(n_steps, Integral) or n_steps < 2:
            raise ValueError(f"n_steps={n_steps!r}; a path has two ends, give a whole number of 2 or more")
        start, end = (check_codes(np.atleast_2d(code), self._n_features_out)[0] for code in (a, b))
        return self.inverse_transform(np.linspace(start, end, n_steps, dtype=np.result_type(start, end)))

    @property
    def _n_features_out(self) -> int:
        return self.cross_moments_.mean_z.size

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
