"""The talk's system: an encoder, a decoder and a law of the code, joined by composition only.

    label l  ->  z ~ p(z | l)  ->  x = B_l z + b_l        with B_l fixed at its mean, drawn, or averaged over draws

Chapters: "PCA and least squares make an autoencoder", and the one on the linear generative model.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ._checks import Array, check_codes, check_count, check_images, check_random_state, known_rows, repeat_label
from .decoders import MMLR
from .encoders import PCA
from .latent import ClassGaussian, StandardNormal, drawn_labels, path_between
from .moments import CrossMoments, Moments
from .variational import VariationalMMLR


class LinearGenerativeModel(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Join an encoder, a decoder and a law of the code: encode and redraw images, or draw new ones.

    Parameters
    ----------
    encoder : transformer or None
        None means PCA(min(8, d)).  `PCA`, `PPCA` and `LDA` are fitted from moments, in one pass over the rows; any
        other scikit-learn transformer is fitted on rows.
    decoder : decoder or None
        `MMLR` or `VariationalMMLR`; None means VariationalMMLR().
    latent : law or None
        `StandardNormal`, `ClassGaussian` or `ClassMixture`; None means ClassGaussian().
    conditional : "decoder", "both" or "none"
        "decoder", the talk's: one encoder, a decoder and a law for each class.  "both": an encoder for each class too.
        "none": one of each for all rows; labels are not needed then.
    standardize : bool
        Scale every pixel to mean 0 and variance 1 first (a constant pixel keeps its unit), and back after.
    clip : None or (low, high)
        Cut off decoded pixels outside this range.
    coefficients : "mean", "fresh" or int
        What `sample` uses unless told otherwise: the mean of B, a fresh draw for each image, or, for each class, the
        average of so many draws (the talk's is 5,000).

    Attributes
    ----------
    classes_ : list
        The labels; [None] for conditional="none".
    class_counts_ : list of int
    encoders_, decoders_ : dict
        By label; with a shared encoder every label has the same one.
    encoder_, decoder_ : the first of them, which is the only one for conditional="none"
    latent_ : law
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
        average of the draws is drawn from its own law, and the images go through no threshold.
        """
        decoder = VariationalMMLR(family="mean-field", noise="fixed", noise_variance=1.0, solver="newton")
        return cls(PCA(n_components), decoder, StandardNormal(), standardize=True, coefficients=5000)

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> LinearGenerativeModel:
        """Fit on images X (n, d) and labels y (n,); for conditional="none" labels serve only an encoder that asks."""
        self._check()
        if y is None and self.conditional != "none":
            raise ValueError(
                f"requires y to be passed, but the target y is None; conditional={self.conditional!r} fits a decoder "
                'for each class: give labels, or conditional="none"'
            )
        if y is None:
            images: Array = check_images(self, X)
            class_moments: dict[Hashable, Moments] = {None: Moments.of(images)}
        else:
            images, y = check_images(self, X, y)
            check_classification_targets(y)
            class_moments = Moments.by_class(images, y)
        if hasattr(self._encoder(images.shape[1]), "fit_moments"):
            self._fit_from_moments(class_moments)
        else:
            self._fit_from_rows(class_moments, images, y)
        self._sample_dtype = np.float32 if images.dtype == np.float32 else np.float64
        if not hasattr(self._latent(), "fit_moments"):
            labels = self._pooled_labels(y, len(images))
            self.latent_ = clone(self._latent()).fit(self._encode(images, labels), labels)
        return self

    def fit_moments(self, class_moments: dict[Hashable, Moments]) -> LinearGenerativeModel:
        """Fit on moments by class, with no rows; the encoder and the law of the code must take moments too."""
        self._check()
        encoder = self._encoder(Moments.pool(class_moments).mean.size)
        for part in (encoder, self._latent()):
            if not hasattr(part, "fit_moments"):
                raise TypeError(f"{type(part).__name__} is fitted on rows, not on moments; call fit(X, y)")
        return self._fit_from_moments(class_moments)

    def _fit_from_moments(self, class_moments: dict[Hashable, Moments]) -> LinearGenerativeModel:
        class_moments, groups = self._begin(class_moments)
        if self.conditional == "both":
            self.encoders_ = {label: self._fitted_encoder({label: m}) for label, m in groups.items()}
        else:
            shared = self._fitted_encoder(class_moments)
            self.encoders_ = dict.fromkeys(groups, shared)
        cross = {}
        for label, m in groups.items():
            A = self.encoders_[label].components_
            cross[label] = CrossMoments.from_affine(m, A, -A @ self.encoders_[label].mean_)
        return self._fit_decoders(cross)

    def _fit_from_rows(self, class_moments: dict[Hashable, Moments], images: Array, y: Any) -> None:
        _, groups = self._begin(class_moments)
        scaled = self._scaled(images)
        labels = self._pooled_labels(y, len(images))
        rows = known_rows(labels, self.classes_)
        if self.conditional == "both":
            self.encoders_ = {label: clone(self.encoder).fit(scaled[part]) for label, part in rows.items()}
        else:
            shared = clone(self.encoder).fit(scaled, y)
            self.encoders_ = dict.fromkeys(groups, shared)
        self._fit_decoders(
            {label: CrossMoments.of(self.encoders_[label].transform(scaled[part]), scaled[part])
             for label, part in rows.items()}
        )  # fmt: skip

    def _begin(self, class_moments: dict[Hashable, Moments]) -> tuple[dict[Hashable, Moments], dict[Hashable, Moments]]:
        """Learn labels and pixel scale; return the scaled moments by class, and by group that gets a decoder."""
        pooled = Moments.pool(class_moments)
        d = pooled.mean.size
        self.pixel_mean_, self.pixel_scale_ = np.zeros(d), np.ones(d)
        if self.standardize:
            spread = np.sqrt(np.diag(pooled.covariance))
            self.pixel_mean_, self.pixel_scale_ = pooled.mean, np.where(spread > 0, spread, 1.0)
            class_moments = {
                label: m.standardized(self.pixel_mean_, self.pixel_scale_) for label, m in class_moments.items()
            }
        groups = class_moments
        if self.conditional == "none":
            groups = {None: Moments.pool(class_moments)}
        self.classes_ = list(groups)
        self.class_counts_ = [m.n for m in groups.values()]
        self.n_features_in_ = d
        self._sample_dtype = np.float64
        return class_moments, groups

    def _fitted_encoder(self, class_moments: dict[Hashable, Moments]) -> Any:
        try:
            return clone(self._encoder(self.n_features_in_)).fit_moments(class_moments)
        except ValueError as error:
            if self.conditional == "both":
                raise ValueError(f"class {next(iter(class_moments))!r}: {error}") from error
            raise

    def _fit_decoders(self, cross: dict[Hashable, CrossMoments]) -> LinearGenerativeModel:
        decoder = self._decoder()
        if not hasattr(decoder, "fit_moments"):
            raise TypeError(f"{type(decoder).__name__} has no fit_moments; give a decoder of linvae, such as MMLR()")
        for label, part in cross.items():
            least = isinstance(decoder, MMLR) and decoder.alpha == 0
            if least and label is not None and part.n < part.mean_z.size + decoder.fit_intercept:
                raise ValueError(
                    f"class {label!r} has {part.n} rows and a code of {part.mean_z.size} numbers, so least squares has "
                    "no unique decoder; lower n_components, or give MMLR an alpha, or use VariationalMMLR"
                )
        widths = {label: part.mean_z.size for label, part in cross.items()}
        if len(set(widths.values())) > 1:
            raise ValueError(f"the classes have codes of different lengths, {widths}; give the encoder n_components")
        self.cross_moments_ = cross
        self.decoders_ = {label: clone(decoder).fit_moments(part) for label, part in cross.items()}
        self.encoder_, self.decoder_ = self.encoders_[self.classes_[0]], self.decoders_[self.classes_[0]]
        law = clone(self._latent())
        if hasattr(law, "fit_moments"):
            codes = {label: Moments(part.n, part.mean_z, part.Szz) for label, part in cross.items()}
            self.latent_ = law.fit_moments(codes)
        return self

    def _encoder(self, d: int) -> Any:
        return PCA(min(8, d)) if self.encoder is None else self.encoder

    def _decoder(self) -> Any:
        return VariationalMMLR() if self.decoder is None else self.decoder

    def _latent(self) -> Any:
        return ClassGaussian() if self.latent is None else self.latent

    def _check(self) -> None:
        if self.conditional not in ("decoder", "both", "none"):
            raise ValueError(f'conditional={self.conditional!r} is not known; choose "decoder", "both" or "none"')
        if self.clip is not None and not (np.shape(self.clip) == (2,) and self.clip[0] < self.clip[1]):
            raise ValueError(f"clip={self.clip!r}; give None or a pair (low, high) with low below high")
        self._checked_coefficients(self.coefficients)

    def _checked_coefficients(self, coefficients: Any) -> str | int:
        if coefficients in ("mean", "fresh"):
            return coefficients
        if isinstance(coefficients, str):
            raise ValueError(f'coefficients={coefficients!r}; choose "mean", "fresh" or a number of draws to average')
        return check_count("coefficients", coefficients)

    def _pooled_labels(self, y: Any, n: int) -> Array:
        """Return the label of every row, None for each where one decoder serves all."""
        return np.full(n, None) if self.conditional == "none" else np.asarray(y)

    def _scaled(self, images: Array) -> Array:
        if not self.standardize:
            return images
        dtype = np.float32 if images.dtype == np.float32 else np.float64
        return (images - self.pixel_mean_.astype(dtype)) / self.pixel_scale_.astype(dtype)

    def _by_label(self, y: Any, n: int, what: str) -> Iterator[tuple[Hashable, Array]]:
        """Yield every label with its row numbers."""
        if y is None and self.conditional != "none":
            raise ValueError(f"{what} depends on the class here; give y, one of {self.classes_} or one for each row")
        yield from known_rows(repeat_label(y, n), self.classes_).items()

    def _encode(self, images: Array, y: Any = None) -> Array:
        scaled = self._scaled(images)
        if self.conditional != "both":
            return self.encoder_.transform(scaled)
        dtype = np.float32 if images.dtype == np.float32 else np.float64
        Z = np.empty((len(images), self._n_features_out), dtype)
        for label, rows in self._by_label(y, len(images), "the code"):
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
        for label, rows in self._by_label(y, len(codes), "the decoder"):
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
        for label, rows in self._by_label(y, len(images), "the decoder"):
            cross = CrossMoments.of(codes[rows], scaled[rows])
            for i, j in enumerate(counts):
                decoder = clone(self._decoder()).fit_moments(self.cross_moments_[label].leading(j))
                error = cross.leading(j).mean_squared_distance(decoder.coef_, decoder.intercept_, self.pixel_scale_)
                errors[i] += error * len(rows) / len(images)
        return errors

    def sample(
        self, n_samples: int = 1, y: Any = None, coefficients: Any = None, noise: bool = False, random_state: Any = None
    ) -> tuple[Array, Any]:
        """Draw n_samples images: a label, a code from its law, an image from its decoder.

        Parameters
        ----------
        n_samples : int
        y : label, array (n_samples,) or None
            None draws labels by their frequencies in training.
        coefficients : "mean", "fresh", int or None
            As in the constructor, whose choice None stands for.
        noise : bool
            Add the decoder's pixel noise, the talk's Sigma.
        random_state : int, RandomState or None

        Returns
        -------
        X : array (n_samples, d)
        y : array (n_samples,), or None for conditional="none"
        """
        check_is_fitted(self)
        rng, n = check_random_state(random_state), check_count("n_samples", n_samples)
        coefficients = self._checked_coefficients(self.coefficients if coefficients is None else coefficients)
        labels = drawn_labels(y, n, self.classes_, self.class_counts_, rng)
        groups = list(self._by_label(labels, n, "the decoder"))
        Z = self.latent_.sample(n, labels, rng)
        images = np.empty((n, self.n_features_in_), self._sample_dtype)
        for label, rows in groups:
            images[rows] = _drawn(self.decoders_[label], Z[rows], coefficients, noise, rng)
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


def _drawn(decoder: Any, Z: Array, coefficients: str | int, noise: bool, rng: np.random.RandomState) -> Array:
    """Decode codes Z (n, k) by a decoder's mean, by fresh draws, or by the average of so many draws."""
    if coefficients == "mean" and not noise:
        return decoder.predict(Z)
    if not hasattr(decoder, "sample_y"):
        raise ValueError(
            f"{type(decoder).__name__} has no law of its coefficients and noise; "
            'give coefficients="mean" and noise=False, or a VariationalMMLR'
        )
    if coefficients == "fresh":
        return decoder.sample_y(Z, 1, rng, noise=noise)[0]
    if coefficients == "mean":
        images = decoder.predict(Z)
    else:
        B, b = decoder.sample_average_coef(coefficients, rng)
        images = Z @ B.T + b
    return images + rng.standard_normal(images.shape) * np.sqrt(decoder.noise_variance_) if noise else images
