"""Scores: arrays in, numbers out.

No score is a judge alone, so `scorecard` sets each beside what real images and controls get at the same size.  The
distances between distributions live in `linvae.transport` and are offered here too.  The one equation here is that of
`outside_span`:

    |(I - P)(x - mu)|^2 / |x - mu|^2,    P the projector on the span

Chapters: *collapse*, *floor* and *scores*.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import orth
from sklearn.base import is_classifier
from sklearn.cluster import MiniBatchKMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.utils.validation import check_array

from ._checks import (
    CODE_TYPES,
    Array,
    check_choice,
    check_count,
    check_pair,
    check_random_state,
    check_rows,
    check_unmasked,
    group_rows,
)
from .moments import Moments
from .transport import (
    GROUNDS,
    gaussian_w2,
    power_of_two,
    scaled,
    sinkhorn_divergence,
    sliced_wasserstein,
    wasserstein1,
)

__all__ = [
    "controls",
    "coverage",
    "gaussian_w2",
    "nearest_train_distance",
    "outside_span",
    "scorecard",
    "sinkhorn_divergence",
    "sliced_wasserstein",
    "two_sample_accuracy",
    "variability",
    "wasserstein1",
]

CLASSIFIERS = {"1-nn": partial(KNeighborsClassifier, n_neighbors=1), "random-forest": RandomForestClassifier}


def outside_span(X: ArrayLike, components: ArrayLike, mean: ArrayLike) -> float:
    """Return the share of energy of X (n, d) outside the affine span mean + rowspan(components).

    Energy is squared distance to the mean, summed over rows; the share runs from 0 (all inside) to 1 (all outside).

    Parameters
    ----------
    X : array (n, d)
    components : array (k, d)
        Any rows that span the subspace; they need not be orthonormal or independent.  Directions that differ by less
        than rounding in the precision given (float32 or float64) count as one.
    mean : array (d,)

    Raises
    ------
    ValueError
        If the widths differ, an entry is not finite, or every row equals the mean (there is no energy to share).
    """
    X, V = np.asarray(check_rows(X, "X"), np.float64), check_rows(components, "components")
    precision = np.finfo(V.dtype if V.dtype.kind == "f" else np.float64).eps
    check_unmasked(mean, "mean")
    V, mean = np.asarray(V, np.float64), np.asarray(mean, np.float64)
    if V.shape[1] != X.shape[1] or mean.shape != X.shape[1:]:
        raise ValueError(f"X {X.shape}, components {V.shape} and mean {mean.shape} differ in their number of pixels")
    if not all(np.isfinite(part).all() for part in (X, V, mean)):
        raise ValueError("X, components or mean contains NaN or infinity; drop or impute those rows first")
    centred = X - mean
    if not centred.any():
        raise ValueError(f"no energy to share out: there are {len(X)} rows, and each equals the mean; give other rows")
    centred /= np.abs(centred).max()
    V = V / power_of_two(np.abs(V).max(initial=0))
    lengths = np.linalg.norm(V, axis=1, keepdims=True)
    directions = V / np.where(lengths > 0, lengths, 1)  # of unit length, so that rank is a question of angles alone
    Q = orth(directions.T, rcond=max(V.shape) * precision)
    energy = np.vdot(centred, centred)
    residual = centred - (centred @ Q) @ Q.T
    return float(np.vdot(residual, residual) / energy)


def variability(X: ArrayLike, threshold: float = 0.95) -> int:
    """Return how many principal components of the images X (n, d) reach this share of their variance.

    The talk's measure of variety.  It counts noise as variety: pixel noise raises it.

    Raises
    ------
    ValueError
        If threshold is not above 0 and up to 1, or the images do not vary.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold={threshold}; give a share of the variance, above 0 and up to 1")
    variances = np.linalg.eigvalsh(Moments.of(X).covariance)[::-1]
    if not variances[0] > 0:
        raise ValueError("the images are all the same, so there is no variance to share out; give other images")
    kept = np.cumsum(variances.clip(0)) / variances.clip(0).sum()
    return int(np.searchsorted(kept, threshold - 1e-12)) + 1  # a sum of shares may miss 1 by rounding


def two_sample_accuracy(
    X: ArrayLike, Y: ArrayLike, classifier: Any = "1-nn", *, n_folds: int = 5, random_state: Any = None
) -> float:
    """Return how often a classifier tells held-out images of X from images of Y: 1/2 if the two distributions are one.

    A classifier two-sample test (Friedman 2003; Lopez-Paz and Oquab 2017) on shuffled folds.  Its standard error under
    equal distributions is a little above 1 / (2 sqrt(2 n)), for folds share rows.  A 1-nearest-neighbour score well
    below 1/2 means copies: a sample and itself score about 1 / (2 n_folds).

    Parameters
    ----------
    X, Y : array (n, d)
        Equally many of each, or 1/2 would not be the score of chance.
    classifier : "1-nn", "random-forest" or a scikit-learn classifier
    n_folds : int
    random_state : int, RandomState, Generator or None

    Raises
    ------
    ValueError
        If X and Y differ in shape, there are fewer rows than folds, or the classifier is none or its name unknown.
    """
    X, Y = check_pair(X, Y)
    if len(X) != len(Y):
        raise ValueError(f"there are {len(X)} images of X and {len(Y)} of Y; give as many of each")
    rng = check_random_state(random_state)
    if isinstance(classifier, str):
        classifier = CLASSIFIERS[check_choice("classifier", classifier, CLASSIFIERS)]()
        if "random_state" in classifier.get_params():
            classifier.set_params(random_state=rng.randint(2**31 - 1))
    if not is_classifier(classifier):
        raise ValueError(f"classifier={classifier!r} is no scikit-learn classifier; give one, or 1-nn or random-forest")
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=rng.randint(2**31 - 1))
    truth = np.repeat([0, 1], len(X))
    return float(cross_val_score(classifier, np.vstack([X, Y]), truth, cv=folds, error_score="raise").mean())


def coverage(X: ArrayLike, real: ArrayLike, n_neighbors: int = 5) -> float:
    """Return the share of real images that have an image of X nearby (Naeem et al. 2020).

    Nearby means within the Euclidean distance to the real image's n_neighbors-th nearest other real image.  Two samples
    of one distribution, equally large, score about 1 - 2^-n_neighbors.  It asks for a neighbour and not for likeness,
    so medians and dimmed images pass.

    Parameters
    ----------
    X : array (m, d)
        Drawn.
    real : array (n, d)
    n_neighbors : int
        Below n.
    """
    X, real, _ = scaled(*check_pair(X, real))
    if not check_count("n_neighbors", n_neighbors) < len(real):
        raise ValueError(f"n_neighbors={n_neighbors} but there are {len(real)} real images; give a smaller number")
    centred = real - real.mean(axis=0)
    last = NearestNeighbors(n_neighbors=n_neighbors).fit(centred).kneighbors(return_distance=False)[:, -1]
    radii = np.linalg.norm(real - real[last], axis=1)
    return float(np.mean(nearest_train_distance(real, X) <= radii))


def nearest_train_distance(X: ArrayLike, train: ArrayLike, ground: str = "euclidean") -> Array:
    """Return the distance (n,) of each image of X (n, d) to the nearest training image (m, d).

    0 means a copy.  Read it beside the distances of new real images: a model that memorises falls below them.
    `ground` is a name known to `linvae.transport.GROUNDS`.
    """
    X, train, unit = scaled(*check_pair(X, train))
    check_choice("ground", ground, GROUNDS)
    # scikit-learn finds Euclidean neighbours by |x|^2 - 2 x't + |t|^2, which wants a near origin and leaves some 1e-7
    # between copies: so centre first, and measure again.
    centre = train.mean(axis=0)
    search = NearestNeighbors(n_neighbors=1, metric=ground).fit(train - centre)
    nearest = search.kneighbors(X - centre, return_distance=False)[:, 0]
    power = {"cityblock": 1, "euclidean": 2, "chebyshev": np.inf}[ground]
    return np.linalg.norm(X - train[nearest], ord=power, axis=1) * unit


def controls(train: ArrayLike, y: ArrayLike, n_samples: int, random_state: Any = None) -> dict[str, Array]:
    """Return sets of n_samples images that no one would call a generative model, to score beside one.

    All start from the same n_samples training images, drawn without replacement.  "real" is those; "class means" and
    "class medians" put the mean or the median of its class in the place of each; "cluster medians" the median of its
    cluster, one for every four images, found by k-means over all training images; "dimmed" multiplies by 0.8; "noise"
    adds a normal deviate of standard deviation 0.1, of white's 1, to every pixel, cut off at black and white.

    Parameters
    ----------
    train : array (n, d)
        Gray levels from 0 to 1.
    y : array (n,)
    n_samples : int
        From 4 to n.
    random_state : int, RandomState, Generator or None

    Returns
    -------
    images : dict of array (n_samples, d)
    """
    rng = check_random_state(random_state)
    train = np.asarray(check_array(check_rows(train, "train"), dtype=CODE_TYPES, input_name="train"))
    if not 4 <= check_count("n_samples", n_samples) <= len(train):
        raise ValueError(f"n_samples={n_samples}; give from 4 to {len(train)}, the number of training images")
    if train.min() < 0 or train.max() > 1:
        raise ValueError(f"train runs from {train.min():.4g} to {train.max():.4g}; give gray levels from 0 to 1")
    label = np.empty(len(train), int)
    for i, rows in enumerate(group_rows(y, len(train))[1]):
        label[rows] = i
    kmeans = MiniBatchKMeans(n_samples // 4, n_init=1, batch_size=1024, random_state=rng.randint(2**31 - 1))
    cluster = kmeans.fit_predict(train)
    drawn = rng.permutation(len(train))[:n_samples]
    real = train[drawn]
    noisy = real + rng.standard_normal(real.shape).astype(real.dtype) * real.dtype.type(0.1)
    return {
        "real": real,
        "class means": _centres(train, label, np.mean)[label[drawn]],
        "class medians": _centres(train, label, np.median)[label[drawn]],
        "cluster medians": _centres(train, cluster, np.median)[np.unique(cluster, return_inverse=True)[1][drawn]],
        "dimmed": real.dtype.type(0.8) * real,
        "noise": noisy.clip(0, 1),
    }


def scorecard(
    X: ArrayLike,
    real: ArrayLike,
    train: ArrayLike,
    y_train: ArrayLike,
    score: Callable[[Array, Array], float] = wasserstein1,
    *,
    random_state: Any = None,
) -> dict[str, float]:
    """Return the score of generated images X (n, d) against real ones, with its controls at the same n.

    A score means nothing alone: two real samples are far apart, and some controls beat real images.  The keys are
    "model" and those of `controls`, whose "real" is real training images against real ones.

    Parameters
    ----------
    X : array (n, d)
        Generated; n is at most the number of training images.
    real : array (m, d)
        Not seen in training; gray levels from 0 to 1, as those of train.
    train, y_train : array (n_train, d), (n_train,)
        What the controls are made of.
    score : function of drawn and of real images
        Such as `wasserstein1`, `coverage`, or `functools.partial(sinkhorn_divergence, reg=5)`; `two_sample_accuracy`
        for as many real images as drawn ones.
    random_state : int, RandomState, Generator or None
        Of the controls.
    """
    X, real = check_pair(X, real)
    if real.min() < 0 or real.max() > 1:
        raise ValueError(f"real runs from {real.min():.4g} to {real.max():.4g}; give gray levels from 0 to 1")
    sets = controls(train, y_train, len(X), random_state)
    return {name: float(score(images, real)) for name, images in ({"model": X} | sets).items()}


def _centres(X: Array, groups: Array, centre: Callable[..., Array]) -> Array:
    return np.stack([centre(X[groups == g], axis=0) for g in np.unique(groups)])
