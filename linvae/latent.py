"""Distributions of the code given the label, and paths between codes.

A generative model needs p(z | label); the talk never states one.  The one equation: z | l ~ N(m_l, C_l), with m_l and
C_l the mean and covariance of the codes of class l.  Chapter: *codes*.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh, svd
from sklearn.base import BaseEstimator
from sklearn.mixture import GaussianMixture
from sklearn.utils.validation import check_array, check_is_fitted

from ._checks import (
    CODE_TYPES,
    Array,
    check_choice,
    check_codes,
    check_count,
    check_floats,
    check_random_state,
    check_unmasked,
    group_rows,
    known_rows,
    repeat_label,
)
from .moments import RANK_TOLERANCE, Moments


class _LatentDistribution(BaseEstimator):
    """Share the bookkeeping of labels: a distribution holds one density for each class."""

    n_features_in_: int
    classes_: list[Hashable]

    def _draw(self, label: Hashable, n: int, rng: np.random.RandomState) -> Array:
        raise NotImplementedError

    def _log_density(self, label: Hashable, Z: Array) -> Array:
        raise NotImplementedError

    def sample(self, n_samples: int, y: Any, random_state: Any = None) -> Array:
        """Draw codes (n_samples, k) for one label y, or for an array of n_samples labels, in its order."""
        check_is_fitted(self)
        check_count("n_samples", n_samples)
        rng, labels = check_random_state(random_state), repeat_label(y, n_samples)
        Z = np.empty((n_samples, self.n_features_in_))
        for label, rows in known_rows(labels, self.classes_).items():
            Z[rows] = self._draw(label, len(rows), rng)
        return Z

    def log_prob(self, Z: ArrayLike, y: Any) -> Array:
        """Return ln p(z | label) of each row of Z (n, k), in nats, shape (n,)."""
        check_is_fitted(self)
        codes = check_codes(Z, self.n_features_in_).astype(np.float64, copy=False)
        result = np.empty(len(codes))
        for label, rows in known_rows(repeat_label(y, len(codes)), self.classes_).items():
            result[rows] = self._log_density(label, codes[rows])
        return result


class _MomentDistribution(_LatentDistribution):
    """Share `fit` among the distributions that are functions of moments."""

    def fit_moments(self, class_moments: dict[Hashable, Moments]) -> Any:
        raise NotImplementedError

    def fit(self, Z: ArrayLike, y: ArrayLike) -> Any:
        """Fit on codes Z (n, k) and labels y (n,)."""
        return self.fit_moments(Moments.by_class(check_floats(Z, "Z"), y))


class StandardNormal(_MomentDistribution):
    """z ~ N(0, I) whatever the label: the distribution of a VAE's codes, and the talk's."""

    def fit_moments(self, class_moments: dict[Hashable, Moments]) -> StandardNormal:
        """Learn the labels and the number of codes; nothing else is fitted."""
        self.classes_ = list(class_moments)
        self.n_features_in_ = Moments.pool(class_moments).mean.size
        return self

    def _draw(self, label: Hashable, n: int, rng: np.random.RandomState) -> Array:
        return rng.standard_normal((n, self.n_features_in_))

    def _log_density(self, label: Hashable, Z: Array) -> Array:
        return -0.5 * (self.n_features_in_ * np.log(2 * np.pi) + np.einsum("ij,ij->i", Z, Z))


class ClassGaussian(_MomentDistribution):
    """z | l ~ N(m_l, C_l), the mean and covariance of the codes of each class.

    Ghosh et al. 2020 fit a distribution to the codes of a trained autoencoder in this way.  Where a class's codes lie
    in a flat subspace its draws stay in it, and `log_prob` is an error.  Flat is judged with every code scaled to
    variance 1, so units do not matter.
    """

    def fit_moments(self, class_moments: dict[Hashable, Moments]) -> ClassGaussian:
        """Fit on the moments of the codes by class."""
        self.classes_ = list(class_moments)
        self.n_features_in_ = Moments.pool(class_moments).mean.size
        self.means_ = {label: m.mean for label, m in class_moments.items()}
        self.covariances_ = {label: m.covariance for label, m in class_moments.items()}
        self._spectra = {label: _spectrum(m) for label, m in class_moments.items()}
        return self

    def _draw(self, label: Hashable, n: int, rng: np.random.RandomState) -> Array:
        scale, values, vectors = self._spectra[label]
        root = scale[:, None] * vectors * np.sqrt(values)  # each row in the unit of its code
        # Turned into the symmetric root of the covariance: the same draws whatever the signs of the eigenvectors.
        left, _, right = svd(root)
        return self.means_[label] + rng.standard_normal((n, self.n_features_in_)) @ (root @ right.T @ left.T).T

    def _log_density(self, label: Hashable, Z: Array) -> Array:
        scale, values, vectors = self._spectra[label]
        if not values.all():
            raise ValueError(
                f"the codes of class {label!r} lie in a flat subspace and have no density; use fewer codes"
            )
        white = (Z - self.means_[label]) / scale @ vectors / np.sqrt(values)
        log_det = np.log(values).sum() + 2 * np.log(scale).sum()
        return -0.5 * (len(values) * np.log(2 * np.pi) + log_det + np.einsum("ij,ij->i", white, white))


def _spectrum(moments: Moments) -> tuple[Array, Array, Array]:
    """Return the deviation (k,) of each code, and eigenvalues and eigenvectors of the correlations, 0 where flat."""
    C = moments.covariance
    scale = np.sqrt(np.diag(C))
    varies = scale > moments.n * np.finfo(float).eps * np.abs(moments.mean)  # or it is a constant but for rounding
    scale = np.where(varies, scale, 0)
    unit = np.where(varies, scale, 1)
    values, vectors = eigh(np.where(np.outer(varies, varies), C, 0) / unit / unit[:, None])
    return scale, np.where(values > RANK_TOLERANCE * values[-1], values, 0), vectors


class ClassMixture(_LatentDistribution):
    """z | l ~ a mixture of Gaussians for each class; needs rows (scikit-learn's GaussianMixture).

    Parameters
    ----------
    n_components : int
        Gaussians for each class, at most as many as the class has rows.
    reg_covar : float
        Added to the diagonal of every covariance.
    random_state : int, RandomState, Generator or None
    """

    def __init__(self, n_components: int = 3, reg_covar: float = 1e-6, random_state: Any = None):
        self.n_components = n_components
        self.reg_covar = reg_covar
        self.random_state = random_state

    def fit(self, Z: ArrayLike, y: ArrayLike) -> ClassMixture:
        """Fit on codes Z (n, k) and labels y (n,)."""
        codes = check_floats(Z, "Z")
        labels = repeat_label(y, len(codes))
        self.classes_ = [None] if y is None or labels[0] is None else group_rows(y, len(codes))[0]
        self.n_features_in_ = codes.shape[1]
        rng = check_random_state(self.random_state)
        self.mixtures_ = {}
        for label, rows in known_rows(labels, self.classes_).items():
            if len(rows) < self.n_components:
                raise ValueError(
                    f"class {label!r} has {len(rows)} rows but n_components={self.n_components}; lower n_components"
                )
            mixture = GaussianMixture(self.n_components, reg_covar=self.reg_covar, random_state=rng.randint(2**31 - 1))
            self.mixtures_[label] = mixture.fit(codes[rows])
        return self

    def _draw(self, label: Hashable, n: int, rng: np.random.RandomState) -> Array:
        mixture = self.mixtures_[label]
        counts = rng.multinomial(n, mixture.weights_)
        roots = np.linalg.cholesky(mixture.covariances_)
        parts = [
            mean + rng.standard_normal((count, len(mean))) @ root.T
            for mean, root, count in zip(mixture.means_, roots, counts, strict=True)
        ]
        return rng.permutation(np.vstack(parts))

    def _log_density(self, label: Hashable, Z: Array) -> Array:
        return self.mixtures_[label].score_samples(Z)


def straight(a: ArrayLike, b: ArrayLike, n_steps: int) -> Array:
    """Return n_steps codes from a (k,) to b (k,) on a straight line, ends included: (n_steps, k)."""
    a, b = _ends(a, b, n_steps)
    return np.linspace(a, b, n_steps)


def great_circle(a: ArrayLike, b: ArrayLike, n_steps: int) -> Array:
    """Return n_steps codes from a to b that turn at a constant rate while the length changes evenly (Shoemake 1985).

    For z ~ N(0, I) in many dimensions a straight path passes through lengths that few draws have; this one does not.

    Raises
    ------
    ValueError
        If an end is 0 (it has no direction) or the ends point in opposite directions (no circle is the shortest).
    """
    a, b = _ends(a, b, n_steps)
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if min(lengths) == 0:
        raise ValueError("an end of the path is the zero code, which has no direction; use the straight path")
    u, v = a / lengths[0], b / lengths[1]
    angle = np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v)) * 2
    t = np.linspace(0, 1, n_steps)[:, None]
    if np.pi - angle < 1e-6:
        raise ValueError(
            "the ends point in opposite directions, so no great circle is the shortest; use the straight path"
        )
    if angle < 1e-6:
        return np.linspace(a, b, n_steps)
    turned = (np.sin((1 - t) * angle) * u + np.sin(t * angle) * v) / np.sin(angle)
    return turned * ((1 - t) * lengths[0] + t * lengths[1])


PATHS = {"straight": straight, "great-circle": great_circle}


def _ends(a: ArrayLike, b: ArrayLike, n_steps: int) -> tuple[Array, Array]:
    if check_count("n_steps", n_steps) < 2:
        raise ValueError(f"n_steps={n_steps}; a path has two ends, give 2 or more")
    for name, end in (("a", a), ("b", b)):
        check_unmasked(end, name)
    ends: Array = check_array(np.stack([np.asarray(a), np.asarray(b)]), dtype=CODE_TYPES)
    return ends[0], ends[1]


def path_between(a: ArrayLike, b: ArrayLike, n_steps: int, path: str) -> Array:
    """Return n_steps codes from a (k,) to b (k,) on the path of that name, ends included: (n_steps, k)."""
    return PATHS[check_choice("path", path, PATHS)](a, b, n_steps)


def drawn_labels(y: Any, n: int, known: list[Hashable], counts: list[int], rng: np.random.RandomState) -> Array:
    """Return the n labels asked for, or for None draw them by their frequencies in training."""
    if known == [None]:
        return np.full(n, None)
    if y is not None:
        return repeat_label(y, n)
    return np.array(known)[rng.choice(len(known), size=n, p=np.array(counts) / sum(counts))]
