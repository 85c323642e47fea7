"""Two rivals made of scikit-learn's parts: a mixture of PCAs in each class, and kernels on codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin
from sklearn.neighbors import KernelDensity
from sklearn.utils import check_random_state

from linvae import MMLR, PCA, ClassGaussian, LinearGenerativeModel


class MixtureOfPCA(BaseEstimator):
    """A mixture of PCAs in each class: k-means makes the parts, and each part is a class of its own for the rest.

    The mixture of Tipping and Bishop 1999 with hard parts, and drawn as every model of the table is: mean images.

    Parameters
    ----------
    n_components, n_parts : int
        Codes, and parts in each class; parts of no more than twice as many images as codes join their neighbours.
    random_state : int or None
    """

    def __init__(self, n_components: int = 8, n_parts: int = 10, random_state: Any = None):
        self.n_components = n_components
        self.n_parts = n_parts
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> MixtureOfPCA:
        """Fit on images X (n, d) and labels y (n,)."""
        labels, y = np.unique(y, return_inverse=True)
        self.classes_, self.centres_ = labels.tolist(), []
        parts = np.empty(len(X), int)
        for label in range(len(labels)):
            rows = np.flatnonzero(y == label)
            means = KMeans(self.n_parts, n_init=1, random_state=self.random_state).fit(X[rows])
            large = np.bincount(means.labels_, minlength=self.n_parts) > 2 * self.n_components
            self.centres_.append(means.cluster_centers_[large])
            parts[rows] = label * self.n_parts + pairwise_distances_argmin(X[rows], self.centres_[-1])
        self.model_ = LinearGenerativeModel(
            PCA(self.n_components), MMLR(), ClassGaussian(), conditional="both", clip=(0.0, 1.0)
        ).fit(X, parts)
        self.shares_ = np.bincount(parts, minlength=len(labels) * self.n_parts).reshape(len(labels), -1) / len(X)
        return self

    def sample(self, n_samples: int, y: Any = None, random_state: Any = None) -> tuple[Any, Any]:
        """Draw n_samples images (n_samples, d) and their labels, those of y or by their frequencies in training."""
        rng = np.random.default_rng(random_state)
        if y is None:
            label = rng.choice(len(self.classes_), n_samples, p=self.shares_.sum(axis=1))
        else:
            label = np.searchsorted(self.classes_, np.broadcast_to(y, n_samples))
        within = np.cumsum(self.shares_, axis=1)[label]
        part = (rng.random((n_samples, 1)) * within[:, -1:] >= within).sum(axis=1)
        images, _ = self.model_.sample(n_samples, label * self.n_parts + part, random_state=rng)
        return images, np.asarray(self.classes_)[label]

    def reconstruct(self, X: Any, y: Any) -> Any:
        """Return the images (n, d) after one trip through the codes of the nearest part of their class."""
        label = np.searchsorted(self.classes_, y)
        part = np.empty(len(X), int)
        for i, centres in enumerate(self.centres_):
            if (rows := np.flatnonzero(label == i)).size:
                part[rows] = i * self.n_parts + pairwise_distances_argmin(X[rows], centres)
        return self.model_.reconstruct(X, part)


class ClassKernels(BaseEstimator):
    """z | l ~ a Gaussian kernel on each code of the class, as wide as Scott's rule of 1992 says, each code scaled to 1.

    A control: it keeps every code that it has seen, so it shows what a score gives to a model that remembers.
    """

    def fit(self, Z: Any, y: Any) -> ClassKernels:
        """Fit on codes Z (n, k) and labels y (n,)."""
        self.classes_ = np.unique(y).tolist()
        self.n_features_in_ = Z.shape[1]
        self.scales_ = {label: Z[y == label].std(axis=0) for label in self.classes_}
        self.kernels_ = {
            label: KernelDensity(bandwidth="scott").fit(Z[y == label] / scale) for label, scale in self.scales_.items()
        }
        return self

    def sample(self, n_samples: int, y: Any, random_state: Any = None) -> Any:
        """Draw codes (n_samples, k) for one label, or for an array of labels in its order."""
        labels, rng = np.broadcast_to(y, n_samples), check_random_state(random_state)
        Z = np.empty((n_samples, self.n_features_in_))
        for label in np.unique(labels).tolist():
            rows = labels == label
            Z[rows] = self.kernels_[label].sample(rows.sum(), random_state=rng) * self.scales_[label]
        return Z
