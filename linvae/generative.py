"""The talk's system: an encoder, a decoder and a distribution of the code, joined by composition only.

    label l  ->  z ~ p(z | l)  ->  x = B_l z + b_l        with B_l fixed at its mean, drawn, or averaged over draws

Chapters: *naive* and *codes*.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from ._checks import (
    Array,
    check_choice,
    check_codes,
    check_count,
    check_images,
    check_labelled_images,
    check_random_state,
    known_rows,
    repeat_label,
)
from .decoders import MMLR
from .encoders import PCA
from .latent import ClassGaussian, StandardNormal, drawn_labels, path_between
from .moments import CrossMoments, Moments, spread
from .variational import VariationalMMLR

ClassMoments = dict[Hashable, Moments]


@runtime_checkable
class FromMoments(Protocol):
    """A part that is a function of moments, and so can be fitted without rows."""

    def fit_moments(self, moments: Any) -> Any: ...


class Encoder(Protocol):
    """Images (n, d) in, codes (n, k) out; one fitted from moments is affine, z = A (x - mu)."""

    components_: Array
    mean_: Array

    def fit(self, X: ArrayLike, y: Any = None) -> Any: ...
    def transform(self, X: ArrayLike) -> Any: ...


class Decoder(FromMoments, Protocol):
    """Codes in, images out, x = B z + b, from cross moments."""

    coef_: Array
    intercept_: Array

    def predict(self, X: ArrayLike) -> Any: ...


@runtime_checkable
class RandomDecoder(Protocol):
    """A fitted decoder with a posterior of its coefficients, and the noise of the pixels."""

    noise_variance_: Array

    def predict(self, X: ArrayLike) -> Any: ...
    def sample_y(self, X: ArrayLike, n_samples: int, random_state: Any, noise: bool) -> Array: ...
    def sample_average_coef(self, n_draws: int, random_state: Any) -> tuple[Array, Array]: ...


class LatentDistribution(Protocol):
    """A distribution of codes (n, k) for each label."""

    def fit(self, Z: ArrayLike, y: ArrayLike) -> Any: ...
    def sample(self, n_samples: int, y: Any, random_state: Any = None) -> Array: ...


class LinearGenerativeModel(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Join an encoder, a decoder and a distribution of the code: encode and redraw images, or draw new ones.

    Parameters
    ----------
    encoder : transformer or None
        None means PCA(min(8, d)).  `PCA`, `PPCA` and `LDA` are fitted from moments, in one pass over the rows; any
        other scikit-learn transformer is fitted on rows.
    decoder : decoder or None
        `MMLR` or `VariationalMMLR`; None means VariationalMMLR().
    latent : distribution or None
        `StandardNormal`, `ClassGaussian` or `ClassMixture`; None means ClassGaussian().
    conditional : "decoder", "both" or "none"
        "decoder", the talk's: one encoder, a decoder and a distribution for each class.  "both": an encoder for each
        class too.  "none": one of each for all rows; labels are not needed then.
    standardize : bool
        Scale every pixel to mean 0 and variance 1 first (a constant pixel keeps its unit), and back after.
    clip : None or (low, high)
        Cut off decoded pixels outside this range.
    coefficients : "mean", "fresh" or int
        What `sample` decodes by: the mean of B, a fresh draw for each image, or, for each class, the average of so many
        draws (the talk's is 5,000).  No fit depends on it, so `set_params` may change it between two draws.

    Attributes
    ----------
    classes_ : list
        The labels; [None] for conditional="none".
    class_counts_ : list of int
    encoders_, decoders_ : dict
        By label; with a shared encoder every label has the same one.
    encoder_, decoder_ : the first of them, which is the only one for conditional="none"
    latent_ : distribution of the codes
    cross_moments_ : dict of CrossMoments
        Of the codes and the (standardised) training images, by label.
    pixel_mean_, pixel_scale_ : array (d,)
        0 and 1 unless standardize.
    n_features_in_ : int
        d.

    Raises
    ------
    ValueError
        In `fit`, if conditional, clip or coefficients is unknown, labels are missing, a class has too few rows for its
        code; what a part refuses, in its own words.

    Examples
    --------
    >>> model = LinearGenerativeModel(PCA(1), MMLR(), conditional="none")
    >>> model.fit([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]).reconstruct([[1.0, 3.0]]).round(6)
    array([[2., 2.]])
    """

    def __init__(
        self,
        encoder: Any = None,
        decoder: Any = None,
        latent: Any = None,
        conditional: str = "decoder",
        standardize: bool = False,
        clip: tuple[float, float] | None = None,
        coefficients: str | int = "mean",
    ):
        self.encoder = encoder
        self.decoder = decoder
        self.latent = latent
        self.conditional = conditional
        self.standardize = standardize
        self.clip = clip
        self.coefficients = coefficients

    @classmethod
    def from_talk(cls, n_components: int = 16) -> LinearGenerativeModel:
        """Return the talk's model: standardised pixels, one PCA, a mean-field decoder per class, z ~ N(0, I).

        Noise and prior variance are 1 and 5,000 draws are averaged, as in the author's script.  What differs from it:
        the mean-field optimum is reached in closed form and not approached by ADVI's 10,000 steps of Adadelta, the
        average of the draws is drawn from its own distribution, and the images go through no threshold.
        """
        decoder = VariationalMMLR(
            family="mean-field", noise="fixed", noise_variance=1.0, prior="fixed", prior_variance=1.0
        )
        return cls(PCA(n_components), decoder, StandardNormal(), standardize=True, coefficients=5000)

    def set_params(self, **params: Any) -> LinearGenerativeModel:
        """Set parameters of the model, or with `part__name` of a part that was given."""
        for name in params:
            part, nested, _ = name.partition("__")
            if nested and part not in params and getattr(self, part, part) is None:
                raise ValueError(
                    f"{name} cannot be set: {part} is None, which stands for its default; give one first, such as "
                    "set_params(encoder=PCA(4))"
                )
        super().set_params(**params)
        return self

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> LinearGenerativeModel:
        """Fit on images X (n, d) and labels y (n,); for conditional="none" labels serve only an encoder that asks."""
        if y is None and self.conditional != "none":
            raise ValueError(
                f"requires y to be passed, but the target y is None; conditional={self.conditional!r} fits a decoder "
                'for each class: give labels, or conditional="none"'
            )
        if y is None:
            images: Array = check_images(self, X)
            class_moments: ClassMoments = {None: Moments.of(images)}
        else:
            images, y = check_labelled_images(self, X, y)
            class_moments = Moments.by_class(images, y)
        return self._fit(class_moments, images, y)

    def fit_moments(self, class_moments: ClassMoments) -> LinearGenerativeModel:
        """Fit on moments by class, with no rows; the encoder and the distribution of the code must take moments too."""
        return self._fit(class_moments)

    def _fit(self, class_moments: ClassMoments, images: Any = None, y: Any = None) -> LinearGenerativeModel:
        """Standardise, group, encode, decode, and give the codes a distribution; rows only for parts that need them."""
        self._check()
        class_moments = self._standardised(class_moments)
        encoder, decoder, latent = self._parts(rows=images is not None)
        pooled = self.conditional == "none"
        groups = {None: Moments.pool(class_moments)} if pooled else class_moments
        self.classes_, self.class_counts_ = list(groups), [m.n for m in groups.values()]
        labels = np.full(0 if images is None else len(images), None) if pooled else y
        scaled, rows = None, dict.fromkeys(groups)
        if not isinstance(encoder, FromMoments):
            scaled = self._scaled(images)
            rows = {label: scaled[part] for label, part in known_rows(labels, self.classes_).items()}
        if self.conditional == "both":
            self.encoders_ = {label: self._encoder_of(encoder, {label: m}, rows[label]) for label, m in groups.items()}
        else:
            self.encoders_ = dict.fromkeys(groups, self._encoder_of(encoder, class_moments, scaled, y))
        self.cross_moments_ = {
            label: self._crossed(self.encoders_[label], m, rows[label]) for label, m in groups.items()
        }
        self._check_codes(decoder)
        self.decoders_ = {label: clone(decoder).fit_moments(part) for label, part in self.cross_moments_.items()}
        self.encoder_, self.decoder_ = self.encoders_[self.classes_[0]], self.decoders_[self.classes_[0]]
        if isinstance(latent, FromMoments):
            moments = {label: Moments(c.n, c.mean_z, c.Szz) for label, c in self.cross_moments_.items()}
            self.latent_ = clone(latent).fit_moments(moments)
        else:
            self.latent_ = clone(latent).fit(self._encode(images, labels), labels)
        self._sample_dtype = np.float32 if images is not None and images.dtype == np.float32 else np.float64
        return self

    def _parts(self, rows: bool) -> tuple[Encoder, Decoder, LatentDistribution]:
        """Put the defaults in place, and refuse a part that cannot be fitted on what there is."""
        encoder: Encoder = PCA(min(8, self.n_features_in_)) if self.encoder is None else self.encoder
        decoder: Decoder = VariationalMMLR() if self.decoder is None else self.decoder
        latent: LatentDistribution = ClassGaussian() if self.latent is None else self.latent
        if not isinstance(decoder, FromMoments):
            raise TypeError(f"{type(decoder).__name__} has no fit_moments; give a decoder of linvae, such as MMLR()")
        for part in (encoder, latent):
            if not rows and not isinstance(part, FromMoments):
                raise TypeError(f"{type(part).__name__} is fitted on rows, not on moments; call fit(X, y)")
        return encoder, decoder, latent

    def _standardised(self, class_moments: ClassMoments) -> ClassMoments:
        """Learn the scale of the pixels, and return the moments in it."""
        pooled = Moments.pool(class_moments)
        d = self.n_features_in_ = pooled.mean.size
        self.pixel_mean_, self.pixel_scale_ = np.zeros(d), np.ones(d)
        if not self.standardize:
            return class_moments
        deviations = spread(np.diag(pooled.covariance), pooled.mean)
        self.pixel_mean_, self.pixel_scale_ = pooled.mean, np.where(deviations > 0, deviations, 1.0)
        return {label: m.standardized(self.pixel_mean_, self.pixel_scale_) for label, m in class_moments.items()}

    def _encoder_of(self, encoder: Encoder, class_moments: ClassMoments, rows: Any, y: Any = None) -> Any:
        try:
            if isinstance(encoder, FromMoments):
                return clone(encoder).fit_moments(class_moments)
            return clone(encoder).fit(rows, y)
        except ValueError as error:
            if self.conditional == "both":
                raise ValueError(f"class {next(iter(class_moments))!r}: {error}") from error
            raise

    def _crossed(self, encoder: Encoder, moments: Moments, rows: Any) -> CrossMoments:
        """Return the cross moments of codes and images: from moments where the encoder is affine, else from rows."""
        if isinstance(encoder, FromMoments):
            A = encoder.components_
            return CrossMoments.from_affine(moments, A, -A @ encoder.mean_)
        return CrossMoments.of(np.asarray(encoder.transform(rows)), rows)

    def _check_codes(self, decoder: Any) -> None:
        widths = {label: part.mean_z.size for label, part in self.cross_moments_.items()}
        if len(set(widths.values())) > 1:
            raise ValueError(f"the classes have codes of different lengths, {widths}; give the encoder n_components")
        for label, part in self.cross_moments_.items():
            least = isinstance(decoder, MMLR) and decoder.alpha == 0
            if least and label is not None and part.n < part.mean_z.size + decoder.fit_intercept:
                raise ValueError(
                    f"class {label!r} has {part.n} rows and a code of {part.mean_z.size} numbers, so least squares has "
                    "no unique decoder; lower n_components, or give MMLR an alpha, or use VariationalMMLR"
                )

    def _check(self) -> None:
        check_choice("conditional", self.conditional, ("decoder", "both", "none"))
        if self.clip is not None and not (np.shape(self.clip) == (2,) and self.clip[0] < self.clip[1]):
            raise ValueError(f"clip={self.clip!r}; give None or a pair (low, high) with low below high")
        if isinstance(self.coefficients, str):
            check_choice("coefficients", self.coefficients, ("mean", "fresh"))
        else:
            check_count("coefficients", self.coefficients)

    def _scaled(self, images: Array) -> Array:
        if not self.standardize:
            return images
        dtype = np.float32 if images.dtype == np.float32 else np.float64
        return (images - self.pixel_mean_.astype(dtype)) / self.pixel_scale_.astype(dtype)

    def _groups(self, y: Any, n: int, what: str) -> dict[Hashable, Array]:
        """Return the row numbers of each label."""
        if y is None and self.conditional != "none":
            raise ValueError(f"{what} depends on the class here; give y, one of {self.classes_} or one for each row")
        return known_rows(repeat_label(y, n), self.classes_)

    def _encode(self, images: Array, y: Any = None) -> Array:
        """Return codes as an array, whatever container scikit-learn is set to give."""
        scaled = self._scaled(images)
        if self.conditional != "both":
            return np.asarray(self.encoder_.transform(scaled))
        dtype = np.float32 if images.dtype == np.float32 else np.float64
        Z = np.empty((len(images), self._n_features_out), dtype)
        for label, rows in self._groups(y, len(images), "the code").items():
            Z[rows] = self.encoders_[label].transform(scaled[rows])
        return Z

    def fit_transform(self, X: ArrayLike, y: Any = None) -> Array:
        """Fit, and return the codes (n, k) of the same images."""
        return self.fit(X, y).transform(X, y)

    def transform(self, X: ArrayLike, y: Any = None) -> Array:
        """Return the codes Z (n, k) of images X (n, d); for conditional="both" y says the class of each."""
        check_is_fitted(self)
        return self._encode(check_images(self, X, reset=False), y)

    def inverse_transform(self, Z: ArrayLike, y: Any = None) -> Array:
        """Return the images B z + b (n, d) of codes Z (n, k), B at its mean, by the decoder of each row's class."""
        check_is_fitted(self)
        codes = check_codes(Z, self._n_features_out)
        images = np.empty((len(codes), self.n_features_in_), codes.dtype)
        for label, rows in self._groups(y, len(codes), "the decoder").items():
            images[rows] = self.decoders_[label].predict(codes[rows])
        return self._finished(images)

    def _finished(self, images: Array) -> Array:
        """Return to the unit of the pixels, and clip if asked to."""
        if self.standardize:
            images = images * self.pixel_scale_.astype(images.dtype) + self.pixel_mean_.astype(images.dtype)
        return images if self.clip is None else images.clip(float(self.clip[0]), float(self.clip[1]))

    def reconstruct(self, X: ArrayLike, y: Any = None) -> Array:
        """Return the images (n, d) after one trip through code and back."""
        return self.inverse_transform(self.transform(X, y), y)

    def reconstruction_error(self, X: ArrayLike, y: Any = None, n_components: Sequence[int] | None = None) -> Array:
        """Return the mean over rows of |x - x_hat|^2 for every number of codes, from this one fit.

        In squared pixels, summed over the d pixels, before any clipping; accurate to about 1e-15 of the error of the
        mean image (codes are computed in float64 for this, where the encoder can).  Each decoder is refitted to its
        first j codes from `cross_moments_`, without the training rows; X is read once.

        Parameters
        ----------
        X : array (n, d)
            Images, seen in training or not.
        y : label, array (n,) or None
            Their classes; not needed for conditional="none".
        n_components : sequence of int or None
            The numbers of codes to keep, each from 0 (the decoder's intercept alone) to k.  None means all of
            0, 1, ..., k.

        Returns
        -------
        errors : array (len(n_components),), or (k + 1,) for None, so that errors[j] keeps j codes
        """
        check_is_fitted(self)
        images: Array = check_images(self, X, reset=False, dtype=np.float64)
        counts = range(self._n_features_out + 1) if n_components is None else np.atleast_1d(n_components)
        codes, scaled = self._encode(images, y), self._scaled(images)
        errors = np.zeros(len(counts))
        for label, rows in self._groups(y, len(images), "the decoder").items():
            cross = CrossMoments.of(codes[rows], scaled[rows])
            for i, j in enumerate(counts):
                decoder = clone(self.decoders_[label]).fit_moments(self.cross_moments_[label].leading(j))
                error = cross.leading(j).mean_squared_distance(decoder.coef_, decoder.intercept_, self.pixel_scale_)
                errors[i] += error * len(rows) / len(images)
        return errors

    def sample(
        self, n_samples: int = 1, y: Any = None, noise: bool = False, random_state: Any = None
    ) -> tuple[Array, Any]:
        """Draw n_samples images: a label, a code from its distribution, an image from its decoder.

        Parameters
        ----------
        n_samples : int
        y : label, array (n_samples,) or None
            None draws labels by their frequencies in training.
        noise : bool
            Add the decoder's pixel noise, the talk's Sigma.
        random_state : int, RandomState, Generator or None

        Returns
        -------
        X : array (n_samples, d)
        y : array (n_samples,), or None for conditional="none"

        Raises
        ------
        ValueError
            If n_samples is no count, a label is unknown, or the decoder has no posterior for `coefficients` and noise.
        """
        check_is_fitted(self)
        self._check()
        rng, n = check_random_state(random_state), check_count("n_samples", n_samples)
        labels = drawn_labels(y, n, self.classes_, self.class_counts_, rng)
        groups = self._groups(labels, n, "the decoder")
        codes = {label: self.latent_.sample(len(rows), label, rng) for label, rows in groups.items()}
        images = np.empty((n, self.n_features_in_), self._sample_dtype)
        for label, rows in groups.items():
            images[rows] = _drawn(self.decoders_[label], codes[label], self.coefficients, noise, rng)
        return self._finished(images), None if self.conditional == "none" else labels

    def interpolate(
        self, a: ArrayLike, b: ArrayLike, n_steps: int = 10, y: Any = None, path: str = "straight"
    ) -> Array:
        """Decode n_steps points of a path from code a (k,) to code b (k,), ends included: (n_steps, d).

        `path` is "straight" or "great-circle"; y is the class whose decoder draws, where there are several.
        """
        check_is_fitted(self)
        start, end = (check_codes(np.atleast_2d(code), self._n_features_out)[0] for code in (a, b))
        return self.inverse_transform(path_between(start, end, n_steps, path), y)

    @property
    def _n_features_out(self) -> int:
        return self.cross_moments_[self.classes_[0]].mean_z.size

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.target_tags.required = self.conditional != "none"
        return tags


def _drawn(decoder: Any, Z: Array, coefficients: Any, noise: bool, rng: np.random.RandomState) -> Array:
    """Decode codes Z (n, k) by a decoder's mean, by fresh draws, or by the average of so many draws."""
    if coefficients == "mean" and not noise:
        return decoder.predict(Z)
    if not isinstance(decoder, RandomDecoder):
        raise ValueError(
            f"{type(decoder).__name__} has no posterior of its coefficients, and no noise; "
            'take coefficients="mean" and noise=False, or a VariationalMMLR'
        )
    if coefficients == "fresh":
        return decoder.sample_y(Z, 1, rng, noise=noise)[0]
    if coefficients == "mean":
        images = decoder.predict(Z)
    else:
        B, b = decoder.sample_average_coef(coefficients, rng)
        images = Z @ B.T + b
    return images + rng.standard_normal(images.shape) * np.sqrt(decoder.noise_variance_) if noise else images
