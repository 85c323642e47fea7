"""Denoisers: what an image was before noise fell on it, and how they are followed from noise to an image.

    u = x + sigma e, e ~ N(0, I),     D(u, sigma) = E[x | u],     dx / dsigma = (x - D(x, sigma)) / sigma

What E[x | u] is depends on what the images are taken to be.  `GaussianDenoiser` takes a Gaussian, and is a matrix;
`EmpiricalDenoiser` takes the training images themselves; `LocalDenoiser` takes them too, and looks only nearby.  The
differential equation takes u at a large sigma to an image at sigma = 0: `follow` and `sample`.  Chapter: *denoisers*.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from math import isqrt, log
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh
from scipy.special import softmax
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ._checks import (
    CODE_TYPES,
    Array,
    check_count,
    check_images,
    check_positive,
    check_random_state,
    group_images,
    known_rows,
    repeat_label,
)
from .latent import drawn_labels
from .moments import Moments

BLOCK = 2**20
"""Numbers in a working array of a denoiser that compares with training images."""

A_DEVIATION = "the standard deviation of noise"


class Denoiser(Protocol):
    """Noisy images (n, d) in, clean ones out; a label each where there are classes, which are [None] where not."""

    classes_: list[Hashable]

    def denoise(self, X: ArrayLike, sigma: float, y: Any = None) -> Array: ...


class _ByClass(BaseEstimator):
    """Share the bookkeeping of labels: a denoiser holds one function of noisy images for each class."""

    classes_: list[Hashable]
    class_counts_: list[int]
    means_: dict[Hashable, Array]
    n_features_in_: int

    def _clean(self, label: Hashable, X: Array, sigma: float) -> Array:
        raise NotImplementedError

    def denoise(self, X: ArrayLike, sigma: float, y: Any = None) -> Array:
        """Return D(x, sigma) for each row of X (n, d), as float32 where X is: (n, d).

        Parameters
        ----------
        X : array (n, d)
            Noisy images.
        sigma : float
            Standard deviation of the noise in a pixel, above 0.
        y : label, array (n,) or None
            Of which class the images are; None for a denoiser without classes.

        Raises
        ------
        ValueError
            If sigma is not above 0, the width is another one than in `fit`, or y is missing or unknown.
        """
        images, rows_of = self._checked(X, y)
        check_positive("sigma", sigma, A_DEVIATION)
        cleaned = np.empty_like(images)
        for label, rows in rows_of.items():
            cleaned[rows] = self._clean(label, images[rows], float(sigma))
        return cleaned

    def _checked(self, X: ArrayLike, y: Any) -> tuple[Array, dict[Hashable, Array]]:
        """Return the images, and the row numbers of each label."""
        check_is_fitted(self)
        images: Array = check_images(self, X, reset=False, dtype=CODE_TYPES)
        if y is None and self.classes_ != [None]:
            raise ValueError(f"what lies under the noise depends on the class; give y, one of {self.classes_} or one "
                             "for each row, or fit without labels")  # fmt: skip
        return images, known_rows(repeat_label(y, len(images)), self.classes_)


class GaussianDenoiser(_ByClass):
    """Denoise as if the images of a class were Gaussian: the Wiener filter, a matrix for each sigma.

    D(u, sigma) = m + C (C + sigma^2 I)^-1 (u - m),   mode by mode a factor lambda_j / (lambda_j + sigma^2)

    m and C are the mean and covariance of the class, whose modes are the principal directions.  For Gaussian images
    this is E[x | u]; for any others with these moments no affine map has a smaller mean squared error.  It depends on
    the images through their moments alone.

    Attributes
    ----------
    classes_ : list
        The labels; [None] for one fitted without.
    class_counts_ : list of int
    means_ : dict of array (d,)
        m, by label.
    variances_, directions_ : dict of array (d,), (d, d)
        lambda_j, largest first, and the modes, one a row.
    n_features_in_ : int
        d.

    Raises
    ------
    ValueError
        In `fit_moments`, if there is no class, or one without images.

    Notes
    -----
    Wiener 1949.  That E[x | u] = u + sigma^2 grad ln p(u), whatever the images are: Tweedie in Robbins 1956; Efron
    2011.  Memory is d^2 numbers a class.

    Examples
    --------
    >>> GaussianDenoiser().fit([[0.0, 0.0], [2.0, 0.0]]).denoise([[3.0, 5.0]], sigma=1.0).round(6)
    array([[2., 0.]])
    """

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> GaussianDenoiser:
        """Fit on images X (n, d), and on their labels y (n,) for a denoiser a class."""
        images, classes, rows = group_images(self, X, y)
        return self.fit_moments({label: Moments.of(images[own]) for label, own in zip(classes, rows, strict=True)})

    def fit_moments(self, class_moments: dict[Hashable, Moments]) -> GaussianDenoiser:
        """Fit on moments by class, {None: moments} for no classes: the same denoiser without the rows."""
        self.n_features_in_ = Moments.pool(class_moments).mean.size
        self.classes_ = list(class_moments)
        self.class_counts_ = [moments.n for moments in class_moments.values()]
        self.means_, self.variances_, self.directions_ = {}, {}, {}
        for label, moments in class_moments.items():
            if moments.n == 0:
                raise ValueError(f"class {label!r} has no images (n=0); add some, or leave the class out")
            values, vectors = eigh(moments.covariance, driver="evd")
            self.means_[label] = moments.mean
            self.variances_[label] = np.maximum(values[::-1], 0)  # below 0 by rounding alone
            self.directions_[label] = vectors.T[::-1]
        return self

    def _clean(self, label: Hashable, X: Array, sigma: float) -> Array:
        variances = self.variances_[label]
        return self._scaled(label, X, variances / (variances + sigma**2))

    def carry(self, X: ArrayLike, sigma: float, to: float = 0.0, y: Any = None) -> Array:
        """Return where the flow takes each row of X (n, d) from noise `sigma` to noise `to`, in closed form: (n, d).

        dx / dsigma = (x - D(x, sigma)) / sigma scales mode j by the root of (lambda_j + to^2) / (lambda_j + sigma^2).
        So it takes N(m, C + sigma^2 I) to N(m, C + to^2 I) exactly, and at `to` = 0 to the class's Gaussian (Wang and
        Vastola 2024).
        """
        images, rows_of = self._checked(X, y)
        check_positive("sigma", sigma, A_DEVIATION)
        if to != 0:
            check_positive("to", to, A_DEVIATION + ", or 0,")
        carried = np.empty_like(images)
        for label, rows in rows_of.items():
            variances = self.variances_[label]
            factors = np.sqrt((variances + to**2) / (variances + sigma**2))
            carried[rows] = self._scaled(label, images[rows], factors)
        return carried

    def _scaled(self, label: Hashable, X: Array, factors: Array) -> Array:
        """Return X (n, d) with mode j scaled by its factor, about the mean."""
        directions = self.directions_[label]
        return self.means_[label] + (X - self.means_[label]) @ directions.T * factors @ directions


class _FromImages(_ByClass):
    """Share `fit` among the denoisers that keep the training images."""

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Any:
        """Keep the images X (n, d), by their labels y (n,) where they are given; nothing is learned."""
        images, self.classes_, rows = group_images(self, X, y, dtype=CODE_TYPES)
        self._check(images.shape[1])
        self.rows_ = dict(zip(self.classes_, rows, strict=True))
        self.class_counts_ = [len(own) for own in rows]
        self.means_ = {label: images[own].mean(axis=0, dtype=np.float64) for label, own in self.rows_.items()}
        # A pixel of all images lies together, so that sums over images run along the memory.
        self.images_ = {label: np.ascontiguousarray(images[own].T) for label, own in self.rows_.items()}
        return self

    def _check(self, d: int) -> None: ...


class EmpiricalDenoiser(_FromImages):
    """Denoise as if there were no images but those of training: a mean of them, weighted by a softmax.

    D(u, sigma) = sum_i w_i x_i,    w_i proportional to exp(-|u - x_i|^2 / (2 sigma^2))

    This is E[x | u] for x drawn from the training images of the class: on them no denoiser has a smaller mean squared
    error.  As sigma falls the nearest image takes all the weight, so the flow ends on training images.

    Attributes
    ----------
    classes_ : list
        The labels; [None] for one fitted without.
    class_counts_ : list of int
    means_ : dict of array (d,)
        By label.
    images_ : dict of array (d, n_l)
        The training images of each class, one a column.
    rows_ : dict of array (n_l,)
        Their row numbers in `fit`.
    n_features_in_ : int
        d.

    Notes
    -----
    The Gaussian kernel regression of x on itself (Vincent 2011 states it for denoising).  A noisy image costs some
    4 n_l d operations, all in products of matrices.  Working memory is a copy of the class's images in float64, and
    some three arrays of `BLOCK` numbers, or of n_l if that is more.

    Examples
    --------
    >>> EmpiricalDenoiser().fit([[0.0, 0.0], [2.0, 0.0]]).denoise([[1.0, 5.0], [1.5, 0.0]], sigma=0.1).round(6)
    array([[1., 0.],
           [2., 0.]])
    """

    def _clean(self, label: Hashable, X: Array, sigma: float) -> Array:
        mean = self.means_[label]
        images = self.images_[label] - mean[:, None]  # as float64; and what is squared is small then
        squares = np.einsum("dn,dn->n", images, images) / 2
        size = max(1, BLOCK // images.shape[1])
        cleaned = np.empty_like(X)
        for start in range(0, len(X), size):
            scores = (X[start : start + size] - mean) @ images - squares
            cleaned[start : start + size] = softmax(scores / sigma**2, axis=1) @ images.T + mean
        return cleaned


class LocalDenoiser(_FromImages):
    """Denoise each pixel by the patch around it: a mean of the training images there, weighted patch by patch.

    D(u, sigma)_p = sum_i w_ip x_ip,    w_ip proportional to exp(-|u - x_i|^2_patch(p) / (2 sigma^2))

    The patch of p is the square of pixels at most `half_width` rows and columns away, cut off at the border.  Of all
    denoisers that see no more than this patch of y, and know where it lies, none has a smaller mean squared error on
    the training images of the class.  Two pixels may follow two training images, so the flow need not end on one.

    Parameters
    ----------
    half_width : int or {sigma: int}
        0 looks at the pixel alone; from the side of the images on it is `EmpiricalDenoiser`.  A dict gives half-widths
        for some sigmas, as measured on images held out: any other sigma takes that of the nearest, by ratio.

    Attributes
    ----------
    classes_, class_counts_, means_, images_, rows_, n_features_in_
        As in `EmpiricalDenoiser`.

    Raises
    ------
    ValueError
        In `fit`, if the images are not square, or a half-width or its sigma is none.

    Notes
    -----
    Kamb and Ganguli 2025; compare Niedoba et al. 2025.  Sums over patches are two products with a band of ones, so
    every half-width costs the same: some 4 n_l d (side + 3) operations and n_l d exponentials for a noisy image.
    Working memory is two arrays of `BLOCK` numbers, or of d if that is more.

    Examples
    --------
    Two images; the upper half of the noisy one is like the first, the lower half like the second.

    >>> images = [[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]]
    >>> LocalDenoiser(half_width=0).fit(images).denoise([[0.1, 0.1, 0.9, 0.9]], sigma=0.2).round(3)
    array([[0., 0., 1., 1.]])
    """

    def __init__(self, half_width: int | Mapping[float, int] = 3):
        self.half_width = half_width

    def _check(self, d: int) -> None:
        if isqrt(d) ** 2 != d:
            raise ValueError(f"a row of {d} pixels is no square image, and patches are squares; pad the images")
        self._half_width(1.0)

    def _half_width(self, sigma: float) -> int:
        if not isinstance(self.half_width, Mapping):
            return check_count("half_width", self.half_width, 0)
        if not self.half_width:
            raise ValueError("half_width={}; give a whole number, or one for each of some sigmas")
        for known, half in self.half_width.items():
            check_positive("sigma of half_width", known, A_DEVIATION)
            check_count(f"half_width[{known!r}]", half, 0)
        return self.half_width[min(self.half_width, key=lambda known: abs(log(known / sigma)))]

    def _clean(self, label: Hashable, X: Array, sigma: float) -> Array:
        images = self.images_[label]
        cleaned = np.empty_like(X)
        for row, x in enumerate(X):
            # A softmax over blocks: what was summed before is scaled anew when a nearer image is met.
            nearest, weights, sums = np.full(len(x), np.inf, images.dtype), np.zeros(len(x)), np.zeros(len(x))
            for _, block, scores in self._distances(images, x, self._half_width(sigma)):
                nearer = np.minimum(nearest, scores.min(axis=1))
                past = np.exp((nearer - nearest) / (2 * sigma**2))
                nearest = nearer
                scores -= nearest[:, None]
                scores *= -1 / (2 * sigma**2)
                np.exp(scores, out=scores)
                weights = past * weights + scores.sum(axis=1)
                sums = past * sums + np.einsum("dn,dn->d", scores, block)
            cleaned[row] = sums / weights
        return cleaned

    def sources(self, X: ArrayLike, sigma: float, y: Any = None) -> Array:
        """Return, for each pixel of X (n, d), the row in `fit` of the training image with most weight there: (n, d)."""
        images, rows_of = self._checked(X, y)
        check_positive("sigma", sigma, A_DEVIATION)
        found = np.empty(images.shape, np.int64)
        for label, rows in rows_of.items():
            for row in rows:
                nearest = np.full(images.shape[1], np.inf)
                for start, _, scores in self._distances(self.images_[label], images[row], self._half_width(sigma)):
                    best = scores.argmin(axis=1)
                    distance = np.take_along_axis(scores, best[:, None], axis=1)[:, 0]
                    found[row, distance < nearest] = self.rows_[label][start + best[distance < nearest]]
                    nearest = np.minimum(nearest, distance)
        return found

    def _distances(self, images: Array, x: Array, half: int) -> Iterable[tuple[int, Array, Array]]:
        """Yield the number of a block's first image, the block (d, b), and |x - x_i|^2 in each pixel's patch (d, b)."""
        d, n = images.shape
        side, size = isqrt(d), min(n, max(1, BLOCK // d))
        places = np.arange(side)
        band = (np.abs(places[:, None] - places) <= half).astype(images.dtype)
        x = x.astype(images.dtype)[:, None]
        spare, work = np.empty(d * size, images.dtype), np.empty(d * size, images.dtype)
        for start in range(0, n, size):
            block = images[:, start : start + size]
            b = block.shape[1]
            squares, sums = (part[: d * b].reshape(d, b) for part in (spare, work))
            np.subtract(x, block, out=squares)
            np.square(squares, out=squares)
            np.matmul(band, squares.reshape(side, side * b), out=sums.reshape(side, side * b))  # over rows
            np.matmul(band, sums.reshape(side, side, b), out=squares.reshape(side, side, b))  # over columns
            yield start, block, squares


def follow(denoiser: Denoiser, X: ArrayLike, sigmas: ArrayLike, y: Any = None, progress: bool = False) -> Array:
    """Follow dx / dsigma = (x - D(x, sigma)) / sigma from noisy images X (n, d) at sigmas[0] down to 0: (n, d).

    x + s e is carried to x + t e in distribution for all t < s, if D is E[x | x + sigma e] (Song et al. 2021).  Euler
    steps, as many as there are sigmas and each of one denoising,

        x  <-  D(x, sigma) + (next sigma / sigma) (x - D(x, sigma)),

    the last of them to 0, which is D itself.  With twice as many their error halves.

    Parameters
    ----------
    denoiser : denoiser
    X : array (n, d)
    sigmas : array (n_steps,)
        Standard deviations of noise, above 0 and falling, such as np.geomspace(3, 0.03, 20).
    y : label, array (n,) or None
    progress : bool
        Show a bar on stderr (tqdm, of the extra `linvae[deep]`).

    Raises
    ------
    ValueError
        If the sigmas do not fall, or one is not above 0; what the denoiser refuses, in its own words.
    """
    levels = _check_sigmas(sigmas)
    x = np.asarray(X)
    for sigma, following in _with_bar(zip(levels, [*levels[1:], 0.0], strict=True), len(levels), progress):
        cleaned = denoiser.denoise(x, sigma, y)
        x = cleaned + following / sigma * (x - cleaned)
    return x


def sample(
    denoiser: Any,
    sigmas: ArrayLike,
    n_samples: int = 1,
    y: Any = None,
    *,
    drafts: ArrayLike | None = None,
    random_state: Any = None,
    progress: bool = False,
) -> tuple[Array, Any]:
    """Draw n_samples images: noise of deviation sigmas[0] is added to a draft, and `follow` takes it down to 0.

    Parameters
    ----------
    denoiser : GaussianDenoiser, EmpiricalDenoiser or LocalDenoiser
        Fitted.
    sigmas : array (n_steps,)
        As in `follow`, which makes a step for each.
    n_samples : int
    y : label, array (n_samples,) or None
        None draws labels by their frequencies in training.
    drafts : array (n_samples, d) or None
        Images to begin with, such as draws of a Gaussian mixture: with noise of sigmas[0] they are where the mixture's
        own flow would be by then.  None is the mean image of the class: right for a sigmas[0] well above the spread of
        the images, which starts without it; a Gaussian's mode j ends with the share
        sigmas[0]^2 / (lambda_j + sigmas[0]^2) of its variance.
    random_state : int, RandomState, Generator or None
    progress : bool
        Show a bar on stderr (tqdm, of the extra `linvae[deep]`).

    Returns
    -------
    X : array (n_samples, d)
        Not cut off at black and white.
    y : array (n_samples,), or None for a denoiser without classes

    Raises
    ------
    ValueError
        As `follow`; or if n_samples is no count, a label is unknown, or the drafts are of another number or width.
    """
    check_is_fitted(denoiser)
    rng, n = check_random_state(random_state), check_count("n_samples", n_samples)
    levels, d = _check_sigmas(sigmas), denoiser.n_features_in_
    labels = drawn_labels(y, n, denoiser.classes_, denoiser.class_counts_, rng)
    rows_of = known_rows(labels, denoiser.classes_)
    if drafts is None:
        start = np.empty((n, d))
        for label, rows in rows_of.items():
            start[rows] = denoiser.means_[label]
    else:
        start = np.asarray(drafts)
        if start.shape != (n, d):
            raise ValueError(f"drafts have shape {start.shape}; give one for each of n_samples={n}, shape ({n}, {d})")
    noisy = start + levels[0] * rng.standard_normal((n, d))
    without = denoiser.classes_ == [None]
    images = follow(denoiser, noisy, levels, None if without else labels, progress)
    return images, None if without else labels


def denoising_error(denoiser: Denoiser, X: ArrayLike, sigma: float, y: Any = None, random_state: Any = None) -> float:
    """Return the mean over images X (n, d) of |D(x + sigma e, sigma) - x|^2, summed over pixels, one noise e each."""
    images = np.asarray(X)
    noise = check_random_state(random_state).standard_normal(images.shape)
    cleaned = denoiser.denoise(images + check_positive("sigma", sigma, A_DEVIATION) * noise, sigma, y)
    return float(np.square(cleaned - images).sum(axis=1).mean())


def _check_sigmas(sigmas: ArrayLike) -> list[float]:
    levels = np.asarray(sigmas)
    way_out = "give standard deviations above 0 that fall, such as np.geomspace(3, 0.03, 20); the step to 0 is added"
    if levels.ndim != 1 or not levels.size or levels.dtype.kind not in "iuf":
        raise ValueError(f"sigmas={sigmas!r}; {way_out}")
    if not (np.isfinite(levels).all() and (levels > 0).all()):
        wrong = levels[~(np.isfinite(levels) & (levels > 0))][0]
        raise ValueError(f"sigmas hold {wrong}; {way_out}")
    if (np.diff(levels) >= 0).any():
        place = int(np.flatnonzero(np.diff(levels) >= 0)[0])
        raise ValueError(f"sigmas go from {levels[place]} to {levels[place + 1]}; {way_out}")
    return levels.astype(float).tolist()


def _with_bar(steps: Iterable[tuple[float, float]], count: int, progress: bool) -> Iterable[tuple[float, float]]:
    if not progress:
        return steps
    from tqdm import tqdm

    return tqdm(steps, "denoised", total=count, unit="step")
