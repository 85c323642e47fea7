"""Rivals made of parts: a mixture of PCAs in each class, kernels on codes, a model cut off, and drafts polished."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin
from sklearn.neighbors import KernelDensity
from sklearn.utils import check_random_state

from linvae import MMLR, PCA, ClassGaussian, LinearGenerativeModel
from linvae.denoisers import LocalDenoiser, denoising_error, sample


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


class Clipped(BaseEstimator):
    """Another model, its draws cut off at black and white."""

    def __init__(self, model: Any):
        self.model = model

    def fit(self, X: Any, y: Any) -> Clipped:
        """Fit the model on images X (n, d) and labels y (n,)."""
        self.model_ = clone(self.model).fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def sample(self, n_samples: int, y: Any = None, random_state: Any = None) -> tuple[Any, Any]:
        """Draw n_samples images (n_samples, d) and their labels."""
        images, labels = self.model_.sample(n_samples, y, random_state=random_state)
        return np.clip(images, 0, 1), labels


LEVELS = (0.05, 0.1, 0.2, 0.4, 0.8)  # of noise, for which a half-width of the patch is chosen
HALF_WIDTHS = (1, 2, 3, 4, 6, 8)


class Polished(BaseEstimator):
    """Drafts of a model, noised a little, and taken back to an image by a local denoiser.

    Parameters
    ----------
    draft : estimator
        What draws the drafts.
    sigma : float
        Standard deviation of the noise that they are given.
    n_steps : int
    random_state : int or None
        Of the images held out.

    Notes
    -----
    At each level of noise the half-width of the patch with the least denoising error on `n_held` training images that
    were held out for that, and one pixel more, as the chapter on denoisers found it.
    """

    def __init__(self, draft: Any, sigma: float = 0.5, n_steps: int = 6, n_held: int = 100, random_state: Any = None):
        self.draft = draft
        self.sigma = sigma
        self.n_steps = n_steps
        self.n_held = n_held
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Polished:
        """Fit the draft and the denoiser on images X (n, d) and labels y (n,)."""
        order = check_random_state(self.random_state).permutation(len(X))
        held, rest = order[: self.n_held], order[self.n_held :]
        self.half_widths_ = {}
        for level in LEVELS:
            errors = {}
            for half in HALF_WIDTHS:
                local = LocalDenoiser(half).fit(X[rest], y[rest])
                errors[half] = denoising_error(local, X[held], level, y[held], random_state=0)
            self.half_widths_[level] = 1 + min(errors, key=errors.__getitem__)
        self.draft_ = clone(self.draft).fit(X, y)
        self.local_ = LocalDenoiser(self.half_widths_).fit(np.asarray(X, np.float32), y)
        self.classes_ = self.draft_.classes_
        return self

    def sample(self, n_samples: int, y: Any = None, random_state: Any = None) -> tuple[Any, Any]:
        """Draw n_samples images (n_samples, d) and their labels."""
        rng = check_random_state(random_state)
        drafts, labels = self.draft_.sample(n_samples, y, random_state=rng)
        sigmas = np.geomspace(self.sigma, 0.03, self.n_steps)
        start = {"drafts": drafts.astype(np.float32), "random_state": rng}
        images, _ = sample(self.local_, sigmas, n_samples, labels, **start)
        return np.rint(255 * np.clip(images, 0, 1)) / 255, labels  # else black is a mean of blacks, and nearly 0
