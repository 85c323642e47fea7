"""The Wasserstein objective: a linear generator, moved until a batch of its draws lies near a batch of images.

    x = W z + m,  z ~ N(0, I):    minimise  E D(draws, images)  over W and m,  D a distance between two batches

A distance is a mean cost over pairs that a plan has found.  Its slope is that of the same pairs with the plan held
fixed (Danskin 1967): a small step does not change the plan, but where two plans tie.  Chapter: *objective*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ._checks import Array, check_choice, check_count, check_positive, check_random_state, group_images, known_rows
from .encoders import PCA
from .latent import drawn_labels

DISTANCES = ("w1", "w2", "sliced")
"""W_1 with the L1 ground, W_2^2 with the Euclidean ground, and the mean of W_2^2 along random directions."""


def w1_slope(drawn: Array, real: Array) -> tuple[float, Array]:
    """Return W_1 between two batches (n, d), L1 ground, and its slope (n, d) in every drawn pixel.

    The slope is sign(x - y) / n, y the real image that the plan sends x to: a pixel that is too bright, or too dark.
    """
    missed = drawn - real[linear_sum_assignment(cdist(drawn, real, "cityblock"))[1]]
    return float(np.abs(missed).sum(axis=1).mean()), np.sign(missed) / len(drawn)


def w2_slope(drawn: Array, real: Array) -> tuple[float, Array]:
    """Return W_2^2 between two batches (n, d), Euclidean ground, and its slope (n, d) in every drawn pixel."""
    missed = drawn - real[linear_sum_assignment(cdist(drawn, real, "sqeuclidean"))[1]]
    return float(np.square(missed).sum(axis=1).mean()), 2 * missed / len(drawn)


def sliced_slope(drawn: Array, real: Array, directions: Array) -> tuple[float, Array]:
    """Return the mean of W_2^2 between two batches (n, d) along directions (L, d), and its slope (n, d).

    On a line the best plan keeps the order, so sorting finds it.
    """
    places = directions @ drawn.T
    order = places.argsort(axis=1)
    missed = np.empty_like(places)
    in_order = np.take_along_axis(places, order, axis=1) - np.sort(directions @ real.T, axis=1)
    np.put_along_axis(missed, order, in_order, axis=1)
    return float(np.square(missed).mean()), 2 * missed.T @ directions / missed.size


@dataclass(frozen=True, eq=False)
class Generator:
    """x = W z + m with z ~ N(0, I): `coef` is W (d, k), `mean` is m (d,)."""

    coef: Array
    mean: Array

    def draw(self, n: int, rng: np.random.RandomState) -> Array:
        """Draw n images, shape (n, d)."""
        return rng.standard_normal((n, self.coef.shape[1])) @ self.coef.T + self.mean


class WassersteinGenerator(BaseEstimator):
    """Fit x = W z + m, z ~ N(0, I), one for each class, by descent on a distance between mini-batches.

    Every step draws a batch of images from the model and one from the data, finds the plan between them, and moves W
    and m down the mean of the last slopes, in units of their root mean square, with a step that falls to 0.  The plan
    between small batches costs more than that between the distributions, and less so if the draws vary less: so small
    batches shrink W.

    Parameters
    ----------
    n_components : int or None
        k, from 1 to the rank of the centred rows; None means 8, or the rank where that is less.
    distance : "w1", "w2" or "sliced"
        As in `DISTANCES`.
    batch_size : int
        Images of each side; all of a class that has fewer.  An exact plan costs batch_size^2 (d + batch_size).
    n_steps : int
    learning_rate : float
        The first step of a weight, root mean square, as a share of that of the pixels around their means.
    init : "pca" or "random"
        Start from PCA with Gaussian codes, W = V_k diag(lambda)^(1/2), or from random weights of the same total.
    n_directions : int
        Of the sliced distance, drawn afresh in every step.
    random_state : int, RandomState, Generator or None

    Attributes
    ----------
    classes_ : list
        The labels; [None] for a model fitted without.
    class_counts_ : list of int
    generators_ : dict of Generator
        By label.
    loss_trace_ : dict of array (n_steps,)
        By label: the distance between the two batches before each step.
    n_features_in_ : int
        d.

    Raises
    ------
    ValueError
        In `fit`, if a choice is unknown, a count is none, or a class spans fewer directions than n_components.

    Notes
    -----
    A linear Wasserstein GAN (Arjovsky, Chintala and Bottou 2017) with the best adversary of each pair of batches in
    the place of a network.  Sliced: Bonneel, Rabin, Peyre and Pfister 2015; as an objective: Deshpande, Zhang and
    Schwing 2018; random directions in many pixels see little more than the total variance.  For "w2", large batches
    and Gaussian images the optimum is PCA: Feizi, Farnia, Ginart and Tse 2017.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(500, 2)) * [3.0, 1.0]
    >>> model = WassersteinGenerator(1, "w2", n_steps=50, random_state=0).fit(X)
    >>> np.abs(model.generators_[None].coef).round(0).ravel()
    array([3., 0.])
    """

    def __init__(
        self,
        n_components: int | None = None,
        distance: str = "w1",
        batch_size: int = 100,
        n_steps: int = 200,
        learning_rate: float = 0.02,
        init: str = "pca",
        n_directions: int = 50,
        random_state: Any = None,
    ):
        self.n_components = n_components
        self.distance = distance
        self.batch_size = batch_size
        self.n_steps = n_steps
        self.learning_rate = learning_rate
        self.init = init
        self.n_directions = n_directions
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> WassersteinGenerator:
        """Fit a generator to the images X (n, d) of each label of y (n,), or one to all of them where y is None."""
        check_choice("distance", self.distance, DISTANCES)
        check_choice("init", self.init, ("pca", "random"))
        for name in ("batch_size", "n_steps", "n_directions"):
            check_count(name, getattr(self, name))
        check_positive("learning_rate", self.learning_rate, "a step")
        images, self.classes_, rows = group_images(self, X, y)
        self.class_counts_ = [len(own) for own in rows]
        rng = check_random_state(self.random_state)
        self.generators_, self.loss_trace_ = {}, {}
        for label, own in zip(self.classes_, rows, strict=True):
            try:
                self.generators_[label], self.loss_trace_[label] = self._descend(images[own].astype(np.float64), rng)
            except ValueError as error:
                raise error if label is None else ValueError(f"class {label!r}: {error}") from error
        self._sample_dtype = np.float32 if images.dtype == np.float32 else np.float64
        return self

    def _descend(self, X: Array, rng: np.random.RandomState) -> tuple[Generator, Array]:
        weights, size = self._start(X, rng), min(self.batch_size, len(X))
        step = self.learning_rate * np.sqrt(X.var(axis=0).mean())
        mean, square, trace = np.zeros_like(weights), 0.0, np.empty(self.n_steps)
        for t in range(self.n_steps):
            real = X[rng.choice(len(X), size, replace=False)]
            codes = np.c_[rng.standard_normal((size, len(weights) - 1)), np.ones(size)]
            trace[t], slope = self._slope(codes @ weights, real, rng)
            downhill = codes.T @ slope
            mean += (downhill - mean) / min(t + 1, 10)
            square += (np.square(downhill).mean() - square) / min(t + 1, 100)
            if square > 0:
                weights -= step * (1 - t / self.n_steps) * mean / np.sqrt(square)
        return Generator(weights[:-1].T.copy(), weights[-1].copy()), trace

    def _start(self, X: Array, rng: np.random.RandomState) -> Array:
        """Return the first W' and m below it, shape (k + 1, d)."""
        axes = PCA(self.n_components).fit(X)
        if self.n_components is None:
            axes = axes.leading(min(8, axes.n_components_))
        W = axes.components_ * np.sqrt(axes.explained_variance_)[:, None]
        if self.init == "random":
            total, W = np.linalg.norm(W), rng.standard_normal(W.shape) * X.std(axis=0)
            W *= total / np.linalg.norm(W)
        return np.vstack([W, axes.mean_])

    def _slope(self, drawn: Array, real: Array, rng: np.random.RandomState) -> tuple[float, Array]:
        if self.distance == "sliced":
            directions = rng.standard_normal((self.n_directions, drawn.shape[1]))
            directions /= np.linalg.norm(directions, axis=1, keepdims=True)
            return sliced_slope(drawn, real, directions)
        return (w1_slope if self.distance == "w1" else w2_slope)(drawn, real)

    def sample(self, n_samples: int = 1, y: Any = None, random_state: Any = None) -> tuple[Array, Any]:
        """Draw n_samples images, with their labels.

        Parameters
        ----------
        n_samples : int
        y : label, array (n_samples,) or None
            None draws labels by their frequencies in training.
        random_state : int, RandomState, Generator or None

        Returns
        -------
        X : array (n_samples, d)
            Gray levels that no one has cut off: some are below black.
        y : array (n_samples,), or None for a model fitted without labels
        """
        check_is_fitted(self)
        rng, n = check_random_state(random_state), check_count("n_samples", n_samples)
        labels = drawn_labels(y, n, self.classes_, self.class_counts_, rng)
        images = np.empty((n, self.n_features_in_), self._sample_dtype)
        for label, rows in known_rows(labels, self.classes_).items():
            images[rows] = self.generators_[label].draw(len(rows), rng)
        return images, None if self.classes_ == [None] else labels
