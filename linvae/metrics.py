"""Scores: arrays in, numbers out.

No score is a judge alone, so `scorecard` sets each beside what real images and controls get at the same size.  The
distances between distributions live in `linvae.transport` and are offered here too.

Where a score takes `features`, a function from images (n, d) to features (n, k), it judges those: give
`load_features("mnist").transform` of `linvae.features`, or None for the pixels themselves.

Chapters: *collapse*, *wasserstein* and *scores*.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import orth
from scipy.spatial.distance import cdist
from sklearn.base import clone, is_classifier
from sklearn.cluster import MiniBatchKMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_array

from ._checks import (
    CODE_TYPES,
    Array,
    check_choice,
    check_count,
    check_floats,
    check_labels,
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
    "density",
    "frechet_distance",
    "gaussian_w2",
    "kernel_distance",
    "nearest_train_distance",
    "outside_span",
    "precision",
    "read_as_asked",
    "recall",
    "scorecard",
    "sinkhorn_divergence",
    "sliced_wasserstein",
    "tstr",
    "two_sample_accuracy",
    "variability",
    "wasserstein1",
]

BATCH = 1000
"""Images whose distances or kernels to all others are held at one time."""

LARGEST_FEATURE = 1e45
"""Up to this the kernel of `kernel_distance`, a sixth power, and its sums stay below the largest float64."""

Map = Callable[[Array], ArrayLike]

CLASSIFIERS = {
    "1-nn": partial(KNeighborsClassifier, n_neighbors=1),
    "random-forest": RandomForestClassifier,
    "logistic": partial(LogisticRegression, C=0.1, max_iter=1000),  # pixels from 0 to 1 want a smaller C than 1
}


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
    classifier : "1-nn", "random-forest", "logistic" or a scikit-learn classifier
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
    classifier = _classifier(classifier, rng)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=rng.randint(2**31 - 1))
    truth = np.repeat([0, 1], len(X))
    return float(cross_val_score(classifier, np.vstack([X, Y]), truth, cv=folds, error_score="raise").mean())


def tstr(
    X: ArrayLike,
    y: ArrayLike,
    real: ArrayLike,
    y_real: ArrayLike,
    classifier: Any = "logistic",
    *,
    random_state: Any = None,
) -> float:
    """Return the share of real images that a classifier reads rightly after training on drawn ones alone.

    Train on synthetic, test on real (Esteban, Hyland and Rätsch 2017).  Read it beside the score of as many real
    training images.  What the classifier does not use goes unseen.

    Parameters
    ----------
    X, y : array (n, d), (n,)
        Drawn, and the labels that were asked for.
    real, y_real : array (m, d), (m,)
        Not those that the model was trained on.
    classifier : "1-nn", "random-forest", "logistic" or a scikit-learn classifier
        A copy is fitted.
    random_state : int, RandomState, Generator or None
        For a classifier given by its name.

    Raises
    ------
    ValueError
        If the widths differ, a row has no label, one side has numbers for labels and the other text, or the classifier
        is none or its name unknown.
    """
    X, real = check_pair(X, real)
    y, y_real = check_labels(y, len(X)), check_labels(y_real, len(real))
    fitted = _classifier(classifier, check_random_state(random_state)).fit(X, y)
    return _agreement(fitted.predict(real), y_real, "y", "y_real")


def read_as_asked(X: ArrayLike, y: ArrayLike, classifier: Any) -> float:
    """Return the share of drawn images X (n, d) that a trained classifier reads as the label y (n,) they were asked as.

    It says nothing about variety: one good image a class, copied, scores 1.

    Parameters
    ----------
    X, y : array (n, d), (n,)
    classifier : trained, with a method `predict`
        Such as `linvae.features.load_features("mnist")`.

    Raises
    ------
    ValueError
        If a row has no label, the classifier has no `predict`, or its labels are text and those of y numbers.
    """
    X = check_floats(X, "X")
    y = check_labels(y, len(X))
    if isinstance(classifier, type) or not hasattr(classifier, "predict"):
        raise ValueError(
            f'classifier={classifier!r} cannot predict; give a trained one, such as load_features("mnist")'
        )
    return _agreement(np.asarray(classifier.predict(X)), y, "the classifier", "y")


def frechet_distance(X: ArrayLike, Y: ArrayLike, features: Map | None = None) -> float:
    """Return the Fréchet distance of the features of X (n, d) and Y (m, d) (Heusel et al. 2017).

    |m_X - m_Y|^2 + tr C_X + tr C_Y - 2 tr (C_X^(1/2) C_Y C_X^(1/2))^(1/2)

    It is the **square** of `gaussian_w2` of the two moments, in squared units of the features: 0 for the same means and
    covariances, whatever else differs.  Means of squares have the divisor n, where others have n - 1.  Estimated from
    n images it is too large, by about a term in 1 / n that depends on the model (Chong and Forsyth 2020): compare at
    one n, beside the score of real images.  On the features of another network it is another number.

    Parameters
    ----------
    X, Y : array (n, d), (m, d)
    features : function from images (n, d) to features (n, k), or None
        None means the pixels.
    """
    X, Y = _seen(X, Y, features)
    return gaussian_w2(Moments.of(X), Moments.of(Y)) ** 2


def kernel_distance(X: ArrayLike, Y: ArrayLike, features: Map | None = None) -> float:
    """Return the squared maximum mean discrepancy of the features of X (n, d) and Y (m, d), unbiased.

    mean k(x, x') + mean k(y, y') - 2 mean k(x, y),    k(x, y) = (x'y / width + 1)^3,

    the first two means over pairs of different rows (Gretton et al. 2012; Bińkowski et al. 2018).  Its mean over
    samples of one distribution is 0 at every n and m, so it is often below 0.  It sees the first three moments of the
    features, and nothing else; in other units of the features it is another number.

    Parameters
    ----------
    X, Y : array (n, d), (m, d)
        At least two images each.
    features : function from images (n, d) to features (n, k), or None
        None means the pixels.

    Raises
    ------
    ValueError
        If a sample has one row, or the features are so large that the kernel overflows.
    """
    X, Y = _seen(X, Y, features)
    if min(len(X), len(Y)) < 2:
        raise ValueError(f"there are {len(X)} rows of X and {len(Y)} of Y; give 2 or more of each, which make a pair")
    largest = max(np.abs(X).max(), np.abs(Y).max())
    if largest > LARGEST_FEATURE:
        raise ValueError(
            f"features go up to {largest:.3g}, whose kernel overflows above {LARGEST_FEATURE:.0e}; rescale"
        )

    def total(A: Array, B: Array) -> float:
        return float(sum(np.sum(_kernel(A[rows] @ B.T, A.shape[1])) for rows in _batches(A)))

    def within(A: Array) -> float:
        alone = np.sum(_kernel(np.einsum("ij,ij->i", A, A), A.shape[1]))
        return float(total(A, A) - alone) / (len(A) * (len(A) - 1))

    return within(X) + within(Y) - 2 * total(X, Y) / (len(X) * len(Y))


def precision(X: ArrayLike, real: ArrayLike, n_neighbors: int = 5, features: Map | None = None) -> float:
    """Return the share of X (m, d) that lies in the ball of some image of real (n, d) (Kynkäänniemi et al. 2019).

    The ball of a real image reaches to its n_neighbors-th nearest other real image, Euclidean, rim included.  An
    outlier among the real images has a large ball, and lets much pass; see `density`.  Two samples of one distribution
    score below 1, so read it beside real images.

    Parameters
    ----------
    X : array (m, d)
        Drawn.
    real : array (n, d)
    n_neighbors : int
        Below n.
    features : function from images (n, d) to features (n, k), or None
        None means the pixels.
    """
    X, real = _seen(X, real, features)
    return float(_in_balls(X, real, n_neighbors, "real").any(axis=1).mean())


def recall(X: ArrayLike, real: ArrayLike, n_neighbors: int = 5, features: Map | None = None) -> float:
    """Return the share of real images that lie in the ball of some image of X (Kynkäänniemi et al. 2019).

    `precision` with X and real exchanged: the balls are those of X, and n_neighbors is below its number of images.
    """
    X, real = _seen(X, real, features)
    return float(_in_balls(real, X, n_neighbors, "drawn").any(axis=1).mean())


def density(X: ArrayLike, real: ArrayLike, n_neighbors: int = 5, features: Map | None = None) -> float:
    """Return in how many balls of real images an image of X lies on average, over n_neighbors (Naeem et al. 2020).

    Balls and parameters are those of `precision`.  Its mean over samples of one distribution is 1, at every size; it
    has no upper bound, and X in the densest places alone scores far above 1.
    """
    X, real = _seen(X, real, features)
    return float(_in_balls(X, real, n_neighbors, "real").sum(axis=1).mean() / n_neighbors)


def coverage(X: ArrayLike, real: ArrayLike, n_neighbors: int = 5, features: Map | None = None) -> float:
    """Return the share of real images that have an image of X nearby (Naeem et al. 2020).

    Nearby means in the ball of `precision`, whose parameters these are.  Two samples of one distribution, equally
    large, score about 1 - 2^-n_neighbors.  It asks for a neighbour and not for likeness, so on pixels medians and
    dimmed images pass.
    """
    X, real = _seen(X, real, features)
    return float(_in_balls(X, real, n_neighbors, "real").any(axis=0).mean())


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

    The labels of all sets are those of "real", which `KNeighborsClassifier(1).fit(train, y).predict(images["real"])`
    finds again.

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
        Such as `wasserstein1`, or `functools.partial(frechet_distance, features=load_features("mnist").transform)`;
        `two_sample_accuracy` for as many real images as drawn ones.
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


def _classifier(classifier: Any, rng: np.random.RandomState) -> Any:
    """Return a classifier, not fitted: the one of that name, or a copy of the one given."""
    if isinstance(classifier, str):
        made = CLASSIFIERS[check_choice("classifier", classifier, CLASSIFIERS)]()
        return made.set_params(random_state=rng.randint(2**31 - 1)) if "random_state" in made.get_params() else made
    if isinstance(classifier, type) or not hasattr(classifier, "__sklearn_tags__") or not is_classifier(classifier):
        raise ValueError(
            f"classifier={classifier!r} is no scikit-learn classifier; give one, or one of {', '.join(CLASSIFIERS)}"
        )
    return clone(classifier)


def _agreement(read: Array, labels: Array, reader: str, asked: str) -> float:
    if read.shape != labels.shape:
        raise ValueError(f"predict gives shape {read.shape} for {len(labels)} images; it should give a label for each")
    if (read.dtype.kind in "US") != (labels.dtype.kind in "US"):
        raise ValueError(
            f"{reader} has labels such as {read[0]!r} and {asked} such as {labels[0]!r}; give numbers or text for both"
        )
    return float(np.mean(read == labels))


def _seen(X: ArrayLike, Y: ArrayLike, features: Map | None) -> tuple[Array, Array]:
    """Return the features of two samples, which for None are the pixels."""
    X, Y = check_pair(X, Y)
    if features is None:
        return X, Y
    if not callable(features):
        raise TypeError(f'features={features!r} is no function; give one, such as load_features("mnist").transform')
    seen = []
    for name, images in (("features(X)", X), ("features(Y)", Y)):
        seen.append(check_floats(features(images), name))
        if len(seen[-1]) != len(images):
            raise ValueError(
                f"{name} has {len(seen[-1])} rows for {len(images)} images; give a function from (n, d) to (n, k)"
            )
    if seen[0].shape[1] != seen[1].shape[1]:
        raise ValueError(
            f"features(X) has {seen[0].shape[1]} columns and features(Y) {seen[1].shape[1]}; give one map for both"
        )
    return seen[0], seen[1]


def _in_balls(X: Array, centres: Array, n_neighbors: int, whose: str) -> Array:
    """Return whether each row of X (m, d) is as near to each centre (n, d) as its n_neighbors-th other centre: (m, n).

    Distances are sums of squared differences, and no difference of products, so that ties are ties.
    """
    if not check_count("n_neighbors", n_neighbors) < len(centres):
        raise ValueError(
            f"n_neighbors={n_neighbors} but there are {len(centres)} {whose} images; give a smaller number"
        )
    X, centres, _ = scaled(X, centres)
    radii = [np.partition(cdist(centres[rows], centres), n_neighbors)[:, n_neighbors] for rows in _batches(centres)]
    return np.vstack([cdist(X[rows], centres) <= np.concatenate(radii) for rows in _batches(X)])


def _kernel(products: Array, width: int) -> Array:
    return (products / width + 1) ** 3


def _batches(X: Array) -> Any:
    return gen_batches(len(X), BATCH)
