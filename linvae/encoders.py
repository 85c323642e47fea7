"""Encoders: moments in, an affine map z = A (x - mu) out.

`PCA` keeps the k directions of largest variance, `PPCA` reads the same directions as a Gaussian model with a noise of
its own, `LDA` keeps the directions along which the classes lie furthest apart.  All three solve one symmetric
eigenproblem of the moments.  Chapters: *autoencoder* and *ppca*.
"""

from __future__ import annotations

from collections.abc import Hashable
from copy import copy
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh, pinv, solve_triangular, svd
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ._checks import Array, check_codes, check_count, check_images, check_random_state
from .moments import RANK_TOLERANCE, CrossMoments, Moments, cholesky_factor, spread

_TOLERANCE = f"(with more than {RANK_TOLERANCE:.0e} of the variance of the pixels that make them up)"

SOME = 1 / 10
"""Up to this share of all eigenvectors it is quicker to find some of them than all."""


class AffineEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Share what follows from `components_` A (k, d) and `mean_` mu (d,)."""

    components_: Array
    mean_: Array
    explained_variance_: Array
    n_components_: int

    def fit_moments(self, class_moments: dict[Hashable, Moments]) -> Any:
        raise NotImplementedError

    def fit(self, X: ArrayLike, y: Any = None) -> Any:
        """Fit on rows X (n, d); y is ignored."""
        X = check_images(self, X)
        return self.fit_moments({None: Moments.of(X)})

    def transform(self, X: ArrayLike) -> Array:
        """Return the codes Z (n, k) = (X - mu) A'; float32 rows give float32 codes."""
        check_is_fitted(self)
        images: Array = check_images(self, X, reset=False)
        dtype = np.float32 if images.dtype == np.float32 else np.float64
        return (images - self.mean_.astype(dtype)) @ self.components_.T.astype(dtype)

    def inverse_transform(self, Z: ArrayLike) -> Array:
        """Return the images A^+ z + mu (n, d) of codes Z (n, k): of all images with that code the nearest to mu."""
        check_is_fitted(self)
        codes = check_codes(Z, len(self.components_))
        return codes @ self._inverse().T.astype(codes.dtype) + self.mean_.astype(codes.dtype)

    def _inverse(self) -> Array:
        return pinv(self.components_)

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class _PrincipalEncoder(AffineEncoder):
    """Share what PCA and PPCA read off the largest eigenvalues of the pooled covariance."""

    _spare = 0  # directions that must be left over

    def fit_moments(self, class_moments: dict[Hashable, Moments]) -> Any:
        """Fit on moments by class, which are pooled first."""
        moments = Moments.pool(class_moments)
        C = moments.covariance
        constant = spread(np.diag(C), moments.mean) == 0
        C[constant], C[:, constant] = 0, 0
        variances, vectors, rank = _spectrum(C, self.n_components, self._spare)
        variances, unseen = variances[:rank], _unseen(np.trace(C), variances[:rank])
        k = self._checked_k(variances, unseen, moments.n, len(C))
        rest = variances[k:].sum() + unseen
        return self._learn(variances[:k].copy(), fixed_signs(vectors[:, :k].T), rest, moments.mean, moments.n)

    def leading(self, k: int) -> Any:
        """Return the encoder that `n_components=k` would have given, without a new fit; k is at most this one's."""
        check_is_fitted(self)
        part = copy(self).set_params(n_components=_checked_leading(k, self.n_components_))
        return part._read(self, part.n_components)

    def _read(self, fitted: _PrincipalEncoder, k: int) -> Any:
        """Store the first k directions of a fit."""
        variances, rest = fitted.explained_variance_, fitted._rest
        return self._learn(
            variances[:k], fitted._axes()[:k], rest + variances[k:].sum(), fitted.mean_, fitted.n_samples_
        )

    def _learn(self, variances: Array, directions: Array, rest: float, mean: Array, n: int) -> Any:
        """Store the fit: variances (k,) along orthonormal directions (k, d), and the variance of all others."""
        self.explained_variance_, self._rest, self.mean_ = variances, rest, mean
        self.n_components_, self.n_samples_, self.n_features_in_ = len(variances), n, mean.size
        return self


class PCA(_PrincipalEncoder):
    """Encode by the k principal directions: z = V_k' (x - mu).

    Parameters
    ----------
    n_components : int, float or None
        k, from 1 to the rank of the centred rows; or a share of the variance above 0 and below 1, for the least k whose
        codes carry more than that, as in scikit-learn; None keeps every direction with any variance.

    Attributes
    ----------
    components_ : array (k, d)
        A = V_k', orthonormal rows, largest variance first.  The entry of largest magnitude in each row is positive.
    mean_ : array (d,)
    explained_variance_ : array (k,)
        lambda_j, the variance of code j with divisor n.  scikit-learn's is n / (n - 1) times this.
    explained_variance_ratio_ : array (k,)
        lambda_j over the sum of all d of them.
    n_components_, n_samples_, n_features_in_ : int

    Raises
    ------
    ValueError
        In `fit`, if n_components is none of these, or is above the rank of the centred rows.

    Notes
    -----
    Pearson 1901; Hotelling 1933.  Fitted from `Moments`: one symmetric eigenproblem of size d, no SVD of the rows.
    Directions depend on the units of the pixels, and their number does not: a direction has no variance if what it has
    is rounding beside the pixels that make it up, and not beside the largest one.

    Examples
    --------
    >>> PCA(1).fit([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]).components_.round(3)
    array([[0.707, 0.707]])
    """

    def __init__(self, n_components: int | float | None = None):
        self.n_components = n_components

    def fit_sketch(self, cross: CrossMoments) -> PCA:
        """Fit on the cross moments of random codes with the images: memory and traffic are r d numbers, never d^2.

        Give the codes z = Omega' x of a random Omega (d, r), with r some ten more than n_components.  The scatter S is
        replaced by S Omega (Omega' S Omega)^+ Omega' S, which is never above S, so variances come out too small; where
        the spectrum falls slowly, a second pass with r components of a first one as codes mends most of that.
        Source: Tropp, Yurtsever, Udell and Cevher 2017.

        Parameters
        ----------
        cross : CrossMoments
            `CrossMoments.of(Z, X)` of the random codes Z (n, r), or a sum of those over chunks.

        Raises
        ------
        ValueError
            If n_components is above the number of directions, or the share of the variance, that the codes show.
        """
        if cross.n == 0:
            raise ValueError("n=0 rows have no directions; add rows first")
        whiten = _whitening(cross.Szz, spread(np.diag(cross.Szz) / cross.n, cross.mean_z))
        vectors, spreads, _ = svd(cross.Szx.T @ whiten, full_matrices=False)  # root root' = S replaced, vectors' root
        variances, pixels = spreads**2 / cross.n, cross.sxx_diag / cross.n
        rank = _n_varied(variances, vectors, pixels)
        variances, unseen = variances[:rank], _unseen(pixels.sum(), variances[:rank])
        why = f"{cross.mean_z.size} codes of n_samples={cross.n} rows show only {rank} directions {_TOLERANCE}"
        k = _checked_n_components(self._wanted(variances, unseen), rank, why)
        rest = variances[k:].sum() + unseen
        return self._learn(variances[:k], fixed_signs(vectors[:, :k].T), rest, cross.mean_x, cross.n)

    def _checked_k(self, variances: Array, unseen: float, n: int, d: int) -> int:
        rank = len(variances)
        if rank == 0:
            raise ValueError(
                f"all rows are equal (n_samples={n}), or differ by less than float64 can square; give varied rows"
            )
        why = f"n_samples={n} rows span only {rank} directions around their mean {_TOLERANCE}"
        return _checked_n_components(self._wanted(variances, unseen), rank, why)

    def _wanted(self, variances: Array, unseen: float) -> Any:
        """Return the k that is asked for; for a share of the variance, the least that passes it."""
        share = self.n_components
        if not isinstance(share, Real) or not 0 < share < 1 or not variances.size:
            return share
        shares = np.cumsum(variances) / (variances.sum() + unseen)
        if shares[-1] < share:
            raise ValueError(f"n_components={share!r} but the codes show only {shares[-1]:.3g} of the variance; give "
                             "more codes, or a smaller share")  # fmt: skip
        # A share reached but for rounding is not passed.
        return min(int(np.searchsorted(shares, share * (1 + 1e-12), side="right")) + 1, len(variances))

    def _learn(self, variances: Array, directions: Array, rest: float, mean: Array, n: int) -> PCA:
        self.components_, self.explained_variance_ratio_ = directions, variances / (variances.sum() + rest)
        return super()._learn(variances, directions, rest, mean, n)

    def _axes(self) -> Array:
        return self.components_

    def _inverse(self) -> Array:
        return self.components_.T


class PPCA(_PrincipalEncoder):
    """Model x = W z + mu + noise, z ~ N(0, I), noise ~ N(0, sigma^2 I), and encode by the posterior mean of z.

    In closed form, with lambda_j the eigenvalues of the covariance: sigma^2 is the mean of the d - k discarded ones,
    W = V_k (Lambda_k - sigma^2 I)^(1/2), and z | x ~ N(M^-1 W' (x - mu), sigma^2 M^-1) with M = W'W + sigma^2 I.

    Parameters
    ----------
    n_components : int or None
        k, from 1 to one below the rank of the centred rows: at the rank no noise is left, and no density.  None is the
        largest such k, one below the rank, as in PCA it is the rank.

    Attributes
    ----------
    components_ : array (k, d)
        A = M^-1 W'.
    mean_ : array (d,)
    directions_ : array (k, d)
        V_k', the principal directions, as PCA's `components_`.
    loadings_ : array (d, k)
        W, identified up to a rotation of z; this one is aligned with the principal directions.
    noise_variance_ : float
        sigma^2, per pixel.
    explained_variance_ : array (k,)
        lambda_j, as PCA's (divisor n).  The codes' own variances are 1 - sigma^2 / lambda_j.
    posterior_covariance_ : array (k, k)
        Cov(z | x), the same for every x.
    n_components_, n_samples_, n_features_in_ : int

    Raises
    ------
    ValueError
        In `fit`, if n_components is not a whole number of 1 or more, or is at or above the rank.

    Notes
    -----
    Tipping and Bishop 1999.

    Examples
    --------
    >>> PPCA(1).fit([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.5], [0.0, -0.5]]).noise_variance_
    0.125
    """

    def __init__(self, n_components: int | None = None):
        self.n_components = n_components

    _spare = 1

    def fit_pca(self, pca: PCA) -> PPCA:
        """Fit on a fitted PCA, exact or sketched: the same directions, so no second eigenproblem."""
        check_is_fitted(pca)
        known, rest = pca.n_components_, pca._rest > 0
        left = "and one must be left for the noise" if not rest else "and no more are known"
        k = _checked_n_components(self.n_components, known - (not rest), f"the PCA has {known} directions, {left}")
        return self._read(pca, k)

    def _checked_k(self, variances: Array, unseen: float, n: int, d: int) -> int:
        rank = len(variances)
        why = f"n_samples={n} rows of n_features={d} span {rank} directions, and one must be left for the noise"
        return _checked_n_components(self.n_components, rank - 1, why)

    def _learn(self, variances: Array, directions: Array, rest: float, mean: Array, n: int) -> PPCA:
        d, k = mean.size, len(variances)
        sigma2 = rest / (d - k)
        # Below 0 by rounding alone: sigma^2 is a mean of smaller ones.
        spread = np.sqrt(np.maximum(variances - sigma2, 0.0))
        self.directions_ = directions
        self.loadings_ = directions.T * spread
        self.components_ = directions * (spread / variances)[:, None]  # M = Lambda_k
        self.posterior_covariance_ = np.diag(sigma2 / variances)
        self.noise_variance_ = float(sigma2)
        return super()._learn(variances, directions, rest, mean, n)

    def _axes(self) -> Array:
        return self.directions_

    def get_covariance(self) -> Array:
        """Return the model's covariance of x, W W' + sigma^2 I, shape (d, d)."""
        check_is_fitted(self)
        return self.loadings_ @ self.loadings_.T + self.noise_variance_ * np.eye(self.n_features_in_)

    def score_samples(self, X: ArrayLike) -> Array:
        """Return ln p(x) of each row of X (n, d), in nats, shape (n,)."""
        check_is_fitted(self)
        images: Array = check_images(self, X, reset=False)
        centred = images.astype(np.float64) - self.mean_
        d, k, sigma2, variances = (
            self.n_features_in_,
            self.n_components_,
            self.noise_variance_,
            self.explained_variance_,
        )
        scores = centred @ self.directions_.T
        centred -= scores @ self.directions_  # a difference of squares would lose what a small noise magnifies
        outside = np.einsum("ij,ij->i", centred, centred)
        log_det = np.log(variances).sum() + (d - k) * np.log(sigma2)
        return -0.5 * (d * np.log(2 * np.pi) + log_det + (scores**2 / variances).sum(axis=1) + outside / sigma2)

    def score(self, X: ArrayLike, y: Any = None) -> float:
        """Return the mean of ln p(x) over the rows of X, in nats; y is ignored."""
        return float(self.score_samples(X).mean())

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Array:
        """Draw images W z + mu + noise, shape (n_samples, d)."""
        check_is_fitted(self)
        rng = check_random_state(random_state)
        z = rng.standard_normal((check_count("n_samples", n_samples), self.n_components_))
        noise = rng.standard_normal((n_samples, self.n_features_in_)) * np.sqrt(self.noise_variance_)
        return z @ self.loadings_.T + self.mean_ + noise


class LDA(AffineEncoder):
    """Encode by the directions along which the classes lie furthest apart for their spread.

    Maximise the between-class variance of A x with A S_w A' = I, S_w the covariance within classes (divisor n).

    Parameters
    ----------
    n_components : int or None
        k, at most the number of classes less one; None keeps all.
    shrinkage : float
        From 0 to 1: S_w becomes (1 - shrinkage) S_w + shrinkage tr(S_w) / d I.  At 0 the problem is solved on the
        range of S_w, every pixel scaled to unit variance within classes; so the codes do not depend on the pixels'
        units, and pixels that are constant within every class get no weight.

    Attributes
    ----------
    components_ : array (k, d)
        A; the codes have the covariance I within classes, for the S_w used.
    mean_ : array (d,)
        Of all rows.
    explained_variance_ : array (k,)
        Between-class variance of each code, in units of its variance within classes.
    classes_ : array (L,)
    n_components_, n_samples_, n_features_in_ : int

    Raises
    ------
    ValueError
        In `fit`, if there is 1 class only, n_components is above what the class means span, or shrinkage is outside
        [0, 1].

    Notes
    -----
    Fisher 1936; Rao 1948.  With shrinkage 0 the span is that of scikit-learn's LDA.  Its eigen solver also shrinks the
    between-class scatter, which this one leaves as it is.

    Examples
    --------
    >>> X = [[0.0, 1.0], [1.0, 0.0], [10.0, 1.0], [11.0, 0.0]]
    >>> LDA().fit(X, [0, 0, 1, 1]).transform(X).shape
    (4, 1)
    """

    def __init__(self, n_components: int | None = None, shrinkage: float = 0.0):
        self.n_components = n_components
        self.shrinkage = shrinkage

    def fit(self, X: ArrayLike, y: Any = None) -> LDA:
        """Fit on rows X (n, d) and their labels y (n,)."""
        X, y = check_images(self, X, y)
        check_classification_targets(y)
        return self.fit_moments(Moments.by_class(X, y))

    def fit_moments(self, class_moments: dict[Hashable, Moments]) -> LDA:
        """Fit on moments by class."""
        if not isinstance(self.shrinkage, Real) or not 0 <= float(self.shrinkage) <= 1:
            raise ValueError(f"shrinkage={self.shrinkage!r}; give a number from 0 to 1")
        if len(class_moments) < 2:
            raise ValueError(f"LDA got 1 class, {list(class_moments)}; classes are told apart, give two or more")
        counts = np.array([m.n for m in class_moments.values()])
        means = np.array([m.mean for m in class_moments.values()])
        n, d, s = int(counts.sum()), means.shape[1], float(self.shrinkage)
        mean = counts @ means / n
        within = sum(m.scatter for m in class_moments.values()) / n
        if s > 0:
            within = (1 - s) * within + s * np.trace(within) / d * np.eye(d)
        scale = spread(np.diag(within), np.abs(means).max(axis=0))
        whiten = _whitening(within, scale)
        if whiten.shape[1] == 0:
            raise ValueError("no class has any variance within it, so distances have no unit; give more rows a class")
        _, spreads, axes = svd(np.sqrt(counts / n)[:, None] * ((means - mean) @ whiten), full_matrices=False)
        # Beside the unit of distance, 1 within classes, and beside the rounding of the largest distance.
        least = max(np.sqrt(RANK_TOLERANCE) * min(spreads[0], 1.0), RANK_TOLERANCE * spreads[0])
        limit = min(int((spreads > least).sum()), len(class_moments) - 1)
        k = _checked_n_components(
            self.n_components, limit, f"{len(class_moments)} classes span at most {limit} directions"
        )
        self.components_ = fixed_signs(axes[:k] @ whiten.T, scale)
        self.mean_, self.explained_variance_ = mean, spreads[:k] ** 2
        self.classes_ = np.array(list(class_moments))
        self.n_components_, self.n_samples_, self.n_features_in_ = k, n, d
        return self

    def leading(self, k: int) -> LDA:
        """Return the encoder that `n_components=k` would have given, without a new fit; k is at most this one's."""
        check_is_fitted(self)
        part: LDA = copy(self).set_params(n_components=_checked_leading(k, self.n_components_))
        part.components_, part.explained_variance_ = self.components_[:k], self.explained_variance_[:k]
        part.n_components_ = k
        return part

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _spectrum(C: Array, k: Any = None, spare: int = 0) -> tuple[Array, Array, int]:
    """Return the eigenvalues of a covariance, largest first, its eigenvectors, and its rank.

    Where a small k is asked for, only the k + spare largest are found, and the rank is counted among them.
    """
    d = len(C)
    if isinstance(k, Integral) and 0 < int(k) + spare <= d * SOME:
        values, vectors = eigh(C, driver="evr", subset_by_index=(d - int(k) - spare, d - 1))
        if values[0] > RANK_TOLERANCE * values[-1]:
            return values[::-1], vectors[:, ::-1], len(values)
    values, vectors = eigh(C, driver="evd")
    values, vectors = values[::-1], vectors[:, ::-1]
    rank = int((values > RANK_TOLERANCE * values[0]).sum())
    wanted = int(k) + spare if isinstance(k, Integral) else d
    # Below that the solver's rounding begins, of the largest variance: solve again in what is left, while any is found.
    while 0 < rank < min(wanted, d):
        rest = vectors[:, rank:]
        smaller, Q = eigh(rest.T @ C @ rest, driver="evd")
        values[rank:], vectors[:, rank:] = smaller[::-1], rest @ Q[:, ::-1]
        found = _n_varied(values, vectors, np.diag(C))
        found = min(found, rank + int((smaller > RANK_TOLERANCE * smaller[-1]).sum()))
        if found <= rank:
            break
        rank = found
    return values, vectors, rank


def _unseen(total: float, variances: Array) -> float:
    """Return what these variances leave of the total, 0 if that is rounding."""
    rest = total - variances.sum()
    return float(rest) if rest > RANK_TOLERANCE * total else 0.0


def _n_varied(variances: Array, vectors: Array, pixels: Array) -> int:
    """Count the directions (d, r) whose variances are more than rounding beside those of the pixels they weigh.

    Vectors are orthogonal to some d eps only, so (d eps)^2 of the largest variance leaks into all others.
    """
    leak = (len(pixels) * np.finfo(float).eps) ** 2 * variances[:1].max(initial=0.0)
    return int(np.logical_and.accumulate(variances > RANK_TOLERANCE * (pixels @ vectors**2) + leak).sum())


def _whitening(S: Array, scale: Array) -> Array:
    """Return a W (d, r) with W'SW = I on the range of S, columns scaled to one size; where scale is 0 rows are 0."""
    varied = scale > 0
    if not varied.any():
        return np.zeros((len(S), 0))
    scale = scale[varied]
    R = S[np.ix_(varied, varied)] / np.outer(scale, scale)
    factor = cholesky_factor(R.copy())
    if factor is not None:
        roots = solve_triangular(factor, np.diag(1 / scale), lower=True).T
    else:
        values, vectors = eigh(R, driver="evd")
        kept = values > RANK_TOLERANCE * values[-1]
        roots = vectors[:, kept] / np.sqrt(values[kept]) / scale[:, None]
    W = np.zeros((len(S), roots.shape[1]))
    W[varied] = roots
    return W


def fixed_signs(components: Array, scale: ArrayLike = 1.0) -> Array:
    """Turn each row so that its entry of largest magnitude times scale, the first of them in a tie, is positive."""
    sizes = np.abs(components * scale)
    first = (sizes >= (1 - 1e-8) * sizes.max(axis=1, keepdims=True)).argmax(axis=1)
    return components * np.sign(components[np.arange(len(components)), first])[:, None]


def _checked_n_components(k: Any, limit: int, why: str) -> int:
    if limit < 1:
        raise ValueError(f"n_components={k!r} but {why}; give rows that vary more")
    if k is not None and (not isinstance(k, Integral) or isinstance(k, bool) or int(k) < 1):
        raise ValueError(f"n_components={k!r}; give a whole number of 1 or more, or None for all there are, or to PCA "
                         "a share of the variance above 0 and below 1")  # fmt: skip
    if k is not None and int(k) > limit:
        raise ValueError(f"n_components={k} but {why}; lower n_components to {limit} or less")
    return limit if k is None else int(k)


def _checked_leading(k: Any, limit: int) -> int:
    if not isinstance(k, Integral) or isinstance(k, bool) or not 1 <= int(k) <= limit:
        raise ValueError(f"k={k!r} but the encoder was fitted with {limit}; give a whole number from 1 to {limit}")
    return int(k)
