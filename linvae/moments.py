"""Rows in once, moments out: the count, the mean and the scatter of a set of images.

Every Gaussian linear model of the book is a function of these three, so the rows are read once and what follows is
algebra on small matrices.  The one equation: two batches a and b merge as

    S_ab = S_a + S_b + n_a n_b / (n_a + n_b) (m_a - m_b)(m_a - m_b)'        (Chan, Golub and LeVeque 1983)

so moments add, over chunks of a file, over classes, over machines.
Chapters: *why* and *scale*.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, fields
from functools import cached_property, reduce
from numbers import Integral
from operator import add
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError, cho_factor
from scipy.linalg.blas import dtrmm
from scipy.linalg.lapack import dpocon, dtrtri

from ._checks import Array, check_rows, check_same_width, check_whole, group_rows

CHUNK = 1024
"""Rows held as floats at one time.  At most 1,024: see `_ByteSums`."""

BYTE_BLOCK = 2**19
"""Rows of bytes summed as whole numbers before they are centred: (2^19)^2 times 2^14 stays below 2^53."""

RANK_TOLERANCE = 1e-12
"""A direction whose variance is below this share of the largest one counts as having none (a scatter summed in
float64 carries rounding of about 1e-14 of its largest eigenvalue)."""


_Groups = tuple[Array, Iterable[tuple[Any, Array]]]  # rows, and for each label the numbers of those that carry it


@dataclass(frozen=True, eq=False)
class Moments:
    """Hold the count, mean and scatter of n rows of d pixels.

    S = sum_i (x_i - m)(x_i - m)', covariance C = S / n.  The divisor is n everywhere in this package.

    Parameters
    ----------
    n : int
        Number of rows.
    mean : array (d,)
        In the unit of the pixels.
    scatter : array (d, d)
        In squared pixels, summed over rows.

    Raises
    ------
    ValueError
        If n is negative, the shapes do not fit, or the scatter is not finite (pixels too large for float64).

    Examples
    --------
    >>> left, right = Moments.of([[0.0, 1.0]]), Moments.of([[2.0, 1.0], [4.0, 7.0]])
    >>> (left + right).mean
    array([2., 3.])
    """

    n: int
    mean: Array
    scatter: Array

    def __post_init__(self) -> None:
        _check_count(self.n)
        d = np.shape(self.mean)[0]
        _freeze(self, mean=(d,), scatter=(d, d))

    @classmethod
    def zero(cls, d: int) -> Moments:
        """Return the moments of no rows: the identity of `+`."""
        return cls(0, np.zeros(d), np.zeros((d, d)))

    @classmethod
    def of(cls, X: ArrayLike) -> Moments:
        """Read the rows of X (n, d) once.

        Floats and integers are cast to float64 chunk by chunk and centred before they are multiplied, so a large
        common offset costs no digits.  uint8 rows take an integer path that is exact whatever the BLAS.

        Raises
        ------
        ValueError
            If X is not two-dimensional, not real numbers, or holds NaN or infinity.
        """
        return _add_up([_as_one(X)])[None]

    @classmethod
    def by_class(cls, X: ArrayLike, y: ArrayLike) -> dict[Hashable, Moments]:
        """Read the rows of X (n, d) once, grouped by their labels y (n,); keys in sorted order.

        Raises
        ------
        ValueError
            As `of`; or if y is not one label a row, or holds NaN.
        """
        return cls.by_class_from_chunks([(X, y)])

    @classmethod
    def from_chunks(cls, chunks: Iterable[ArrayLike]) -> Moments:
        """Add up the moments of an iterable of row blocks, each (n_i, d); memory does not grow with their number."""
        total = _add_up(map(_as_one, chunks))
        if not total:
            raise ValueError("from_chunks got no chunk; there is nothing to add up")
        return total[None]

    @classmethod
    def by_class_from_chunks(cls, chunks: Iterable[tuple[ArrayLike, ArrayLike]]) -> dict[Hashable, Moments]:
        """Add up class moments over an iterable of (X, y) blocks; a class may be missing from any of them.

        Keys in sorted order.  Memory is two (d, d) arrays a class, whatever the number of rows.
        """
        total = _add_up(_by_label(X, y) for X, y in chunks)
        if len({isinstance(label, str) for label in total}) > 1:
            raise ValueError("y mixes text with other labels; give labels of one type")
        return {label: total[label] for label in sorted(total)}

    @classmethod
    def pool(cls, class_moments: dict[Hashable, Moments]) -> Moments:
        """Forget the labels: add up the moments of all classes."""
        if not isinstance(class_moments, dict):
            raise TypeError(f"class_moments is a {type(class_moments).__name__}; give a dict, {{label: moments}}")
        return _sum(class_moments.values(), "class_moments is empty; give at least one class")

    def __add__(self, other: Moments) -> Moments:
        """Merge two disjoint sets of rows."""
        if not isinstance(other, Moments):
            return NotImplemented
        check_same_width(self.mean.size, other.mean.size, "pixels")
        n = self.n + other.n
        step, weight = _merge_weights(self.n, other.n)
        delta = other.mean - self.mean
        return Moments(n, self.mean + step * delta, self.scatter + other.scatter + np.outer(weight * delta, delta))

    @property
    def covariance(self) -> Array:
        """C = S / n, shape (d, d); a ValueError if there are no rows."""
        if self.n == 0:
            raise ValueError("the covariance of n=0 rows is not defined; add rows first")
        return self.scatter / self.n

    def standardized(self, mean: ArrayLike, scale: ArrayLike) -> Moments:
        """Return the moments of (x - mean) / scale, pixel by pixel, for mean and scale (d,)."""
        scale = np.asarray(scale, np.float64)
        return Moments(self.n, (self.mean - mean) / scale, self.scatter / np.outer(scale, scale))

    def push(self, A: ArrayLike, b: ArrayLike) -> Moments:
        """Return the moments of A x + b, for A (k, d) and b (k,), without the rows."""
        cross = CrossMoments.from_affine(self, A, b)
        return Moments(self.n, cross.mean_z, cross.Szz)


@dataclass(frozen=True, eq=False)
class CrossMoments:
    """Hold what a regression of images x on codes z needs, and no more: never the (k + d) squared matrix.

    Parameters
    ----------
    n : int
        Number of rows.
    mean_z : array (k,)
    mean_x : array (d,)
    Szz : array (k, k)
        Scatter of the codes.
    Szx : array (k, d)
        Cross scatter, sum_i (z_i - m_z)(x_i - m_x)'.
    sxx_diag : array (d,)
        Scatter of each pixel with itself.

    Raises
    ------
    ValueError
        If n is negative, the shapes do not fit, or an entry is not finite.
    """

    n: int
    mean_z: Array
    mean_x: Array
    Szz: Array
    Szx: Array
    sxx_diag: Array

    def __post_init__(self) -> None:
        _check_count(self.n)
        k, d = np.shape(self.mean_z)[0], np.shape(self.mean_x)[0]
        _freeze(self, mean_z=(k,), mean_x=(d,), Szz=(k, k), Szx=(k, d), sxx_diag=(d,))

    @classmethod
    def of(cls, Z: ArrayLike, X: ArrayLike) -> CrossMoments:
        """Read codes Z (n, k) and images X (n, d) once, whatever encoder made the codes.

        Raises
        ------
        ValueError
            If either is not two-dimensional, not finite, or their numbers of rows differ.
        """
        Z, X = check_rows(Z, "Z"), check_rows(X, "X")
        if len(Z) != len(X):
            raise ValueError(f"Z has {len(Z)} rows and X has {len(X)}; give one code for each image")
        k, d = Z.shape[1], X.shape[1]
        total = cls(0, np.zeros(k), np.zeros(d), np.zeros((k, k)), np.zeros((k, d)), np.zeros(d))
        for start in range(0, len(X), CHUNK):
            mean_z, z = _centre(Z[start : start + CHUNK], "Z")
            mean_x, x = _centre(X[start : start + CHUNK], "X")
            with np.errstate(over="ignore", invalid="ignore"):  # _freeze reports an overflow in words
                total = total + cls(len(x), mean_z, mean_x, z.T @ z, z.T @ x, np.einsum("ij,ij->j", x, x))
        return total

    @classmethod
    def from_affine(cls, moments: Moments, A: ArrayLike, b: ArrayLike) -> CrossMoments:
        """Return the cross moments of z = A x + b with x, from the moments of x alone: no pass over the rows.

        A code whose correlation with every pixel is rounding, 1e-13 of what its weights could give, is stored constant.

        Raises
        ------
        ValueError
            If A is not (k, d) or b is not (k,), or an entry is not finite.
        """
        A, b = np.asarray(A, np.float64), np.asarray(b, np.float64)
        d = moments.mean.size
        if A.ndim != 2 or A.shape[1] != d or b.shape != A.shape[:1]:
            raise ValueError(f"A {A.shape} and b {b.shape} do not fit moments of {d} pixels; give A (k, {d}), b (k,)")
        if not (np.isfinite(A).all() and np.isfinite(b).all()):
            raise ValueError("A or b contains NaN or infinity; give finite numbers")
        Szx = A @ moments.scatter
        Szz = Szx @ A.T
        Szz = Szz + Szz.T
        Szz /= 2
        # Along a direction without variance S a is rounding, some 1e-15 of |a| S, pixels in units of their own spread.
        size = np.sqrt(np.maximum(np.diag(moments.scatter), 0))
        weights = np.divide(1, size, out=np.zeros(d), where=size > 0)
        constant = np.linalg.norm(Szx * weights, axis=1) <= 1e-13 * np.linalg.norm(A * size, axis=1)
        Szx[constant], Szz[constant], Szz[:, constant] = 0, 0, 0
        return cls(moments.n, A @ moments.mean + b, moments.mean, Szz, Szx, np.diag(moments.scatter))

    def __add__(self, other: CrossMoments) -> CrossMoments:
        """Merge two disjoint sets of rows."""
        if not isinstance(other, CrossMoments):
            return NotImplemented
        check_same_width(self.mean_z.size, other.mean_z.size, "latent dimensions")
        check_same_width(self.mean_x.size, other.mean_x.size, "pixels")
        step, weight = _merge_weights(self.n, other.n)
        dz, dx = other.mean_z - self.mean_z, other.mean_x - self.mean_x
        return CrossMoments(
            self.n + other.n,
            self.mean_z + step * dz,
            self.mean_x + step * dx,
            self.Szz + other.Szz + np.outer(weight * dz, dz),
            self.Szx + other.Szx + np.outer(weight * dz, dx),
            self.sxx_diag + other.sxx_diag + weight * dx**2,
        )

    def leading(self, k: int) -> CrossMoments:
        """Return the cross moments of the first k codes alone."""
        if not isinstance(k, Integral) or isinstance(k, bool) or not 0 <= k <= self.mean_z.size:
            raise ValueError(f"k={k} but there are {self.mean_z.size} codes; ask for a whole number up to that")
        if k == self.mean_z.size:
            return self
        part = CrossMoments(self.n, self.mean_z[:k], self.mean_x, self.Szz[:k, :k], self.Szx[:k], self.sxx_diag)
        if (known := self.__dict__.get("factored")) is not None:
            size, inverse, half = known
            part.__dict__["factored"] = size[:k], inverse[:k, :k], half[:k]
        return part

    @cached_property
    def factored(self) -> tuple[Array, Array, Array] | None:
        """Return s (k,), M (k, k) and G (k, d) with Szz = diag(s) L L' diag(s), M = L^-1, lower, and G = M Szx / s.

        s are the codes' spreads, summed over rows.  None where codes are constant or dependent.  Leading codes have the
        leading rows and columns of all three, so `leading` hands them on, once they are known.
        """
        size = np.sqrt(self.n) * spread(np.diag(self.Szz) / max(self.n, 1), self.mean_z)
        if not size.all():
            return None
        R = self.Szz / size
        R /= size[:, None]
        factor = cholesky_factor(R)
        if factor is None:
            return None
        # BLAS itself, in place: solve_triangular takes twice the time at k = 512, nearly three times at 256.
        inverse, _ = dtrtri(factor, lower=1, overwrite_c=1)
        half = dtrmm(1.0, inverse, (self.Szx / size[:, None]).T, side=1, lower=1, trans_a=1, overwrite_b=1)
        return size, inverse, half.T

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # what can be had again is not stored

    def mean_squared_distance(self, coef: ArrayLike, intercept: ArrayLike, scale: ArrayLike = 1.0) -> float:
        """Return the mean over rows of |scale (x - B z - b)|^2, for B (d, k) and b, scale (d,), without the rows.

        It is a difference of sums, so its error is about 1e-15 of the total variance, not of the result.
        """
        B = np.asarray(coef)
        squares = self.sxx_diag + np.einsum("dk,dk->d", B @ self.Szz - 2 * self.Szx.T, B)
        bias = self.mean_x - B @ self.mean_z - intercept
        return float(np.sum(np.square(scale) * (squares / self.n + bias**2)))


def cholesky_factor(S: Array, least: float = RANK_TOLERANCE) -> Array | None:
    """Return L with S = L L', lower, for S of unit diagonal; None where 1 over its condition number is below `least`.

    S is overwritten.
    """
    if not len(S):
        return S
    try:
        factor, _ = cho_factor(S.T, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError:
        return None
    # In the 1-norm, which the size of S bounds on the safe side; 0.4 ms beside 2 of the factor at size 512.
    rcond, _ = dpocon(factor, len(S), uplo="L")
    return factor if rcond > least else None


def spread(variance: Array, mean: Array) -> Array:
    """Return standard deviations, 0 where they are the rounding of a constant, 10 units in its last place."""
    deviation = np.sqrt(np.maximum(variance, 0))  # a push may round below 0
    return np.where(deviation > 10 * np.finfo(float).eps * np.abs(mean), deviation, 0.0)


def _check_count(n: Any) -> None:
    if not isinstance(n, Integral) or n < 0:
        raise ValueError(f"n={n!r} rows; a count is a whole number, 0 or more")


def _freeze(record: object, **shapes: tuple[int, ...]) -> None:
    """Store each named field as a read-only float64 view (no copy) of its stated shape."""
    for name, shape in shapes.items():
        value = np.asarray(getattr(record, name), np.float64).view()
        if value.shape != shape:
            raise ValueError(f"{name} has shape {value.shape}; its means ask for {shape}")
        if not np.isfinite(value).all():
            raise ValueError(f"{name} is not finite: the pixels are too large to square in float64; rescale them")
        value.flags.writeable = False
        object.__setattr__(record, name, value)


class _FloatSums:
    """Count, mean and scatter of rows of floats, merged in place so that a long run allocates nothing."""

    def __init__(self, d: int):
        self.n, self.mean, self.scatter = 0, np.zeros(d), np.zeros((d, d))

    def add(self, X: Array, rows: Array) -> None:
        """Add the rows of X with these numbers."""
        for start in range(0, len(rows), CHUNK):
            mean, centred = _centre(X[rows[start : start + CHUNK]], "X")
            with np.errstate(over="ignore", invalid="ignore"):  # _freeze reports an overflow in words
                self._merge(len(centred), mean, centred.T @ centred)

    def _merge(self, n: int, mean: Array, scatter: Array) -> None:
        if self.n == 0:
            self.n, self.mean, self.scatter = n, mean, scatter
            return
        step, weight = _merge_weights(self.n, n)
        delta = mean - self.mean
        self.n, self.mean = self.n + n, self.mean + step * delta
        self.scatter += scatter
        self.scatter += np.outer(weight * delta, delta)

    def moments(self) -> Moments:
        return Moments(self.n, self.mean, self.scatter)


class _ByteSums:
    """Count, sum and Gram matrix of x - 128 over rows of bytes, in whole numbers.

    |x - 128| <= 128, so 1,024 products stay whole numbers up to 2^24, which float32 holds.  The result depends on
    neither the BLAS nor the order of its sums, and single precision halves the cost.
    """

    def __init__(self, d: int):
        self.full = Moments.zero(d)  # of earlier blocks
        self._begin(d)

    def _begin(self, d: int) -> None:
        self.n, self.total, self.gram = 0, np.zeros(d), np.zeros((d, d))

    def add(self, X: Array, rows: Array) -> None:
        """Add the rows of X with these numbers."""
        d = self.total.size
        shifted, product = np.empty((min(CHUNK, len(rows)), d), np.float32), np.empty((d, d), np.float32)
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            if self.n + len(chunk) > BYTE_BLOCK:
                self.full = self.moments()
                self._begin(d)
            part = np.subtract(X[chunk], 128, out=shifted[: len(chunk)], dtype=np.float32)
            self.n += len(chunk)
            self.total += part.sum(axis=0)
            self.gram += np.matmul(part.T, part, out=product)

    def moments(self) -> Moments:
        """Centre the sums in place, and return all rows: the last thing asked of a block."""
        if self.n == 0:
            return self.full
        self.gram *= self.n
        self.gram -= np.outer(self.total, self.total)  # whole numbers until the division
        self.gram /= self.n
        block = Moments(self.n, self.total / self.n + 128, self.gram)
        return self.full + block if self.full.n else block


def _as_one(X: ArrayLike) -> _Groups:
    X = check_rows(X, "X")
    return X, [(None, np.arange(len(X)))]


def _by_label(X: ArrayLike, y: ArrayLike) -> _Groups:
    X = check_rows(X, "X")
    return X, zip(*group_rows(y, len(X)), strict=True)


def _add_up(chunks: Iterable[_Groups]) -> dict[Any, Moments]:
    """Return the moments of every group of rows, over all chunks."""
    sums: dict[tuple[Any, bool], _FloatSums | _ByteSums] = {}
    width = None
    for X, groups in chunks:
        width = X.shape[1] if width is None else width
        check_same_width(width, X.shape[1], "pixels")
        for label, rows in groups:
            key = label, X.dtype == np.uint8
            if key not in sums:
                sums[key] = _ByteSums(width) if key[1] else _FloatSums(width)
            sums[key].add(X, rows)
    total: dict[Any, Moments] = {}
    for (label, _), part in sums.items():
        total[label] = total[label] + part.moments() if label in total else part.moments()
    return total


def _centre(chunk: Array, name: str) -> tuple[Array, Array]:
    """Return the mean of a chunk and its centred copy, float64; a constant pixel is centred to exactly 0."""
    check_whole(chunk, name)
    centred = chunk.astype(np.float64)
    if not np.isfinite(centred).all():
        raise ValueError(f"{name} contains NaN or infinity; drop or impute those rows first")
    first = centred[0].copy()
    centred -= first
    shift = centred.mean(axis=0)
    centred -= shift
    return first + shift, centred


def _merge_weights(n_a: int, n_b: int) -> tuple[float, float]:
    """Return n_b / n and n_a n_b / n; 0 or 1 where a side is empty, so that the empty side adds nothing."""
    n = n_a + n_b
    return (n_b / n, n_a * n_b / n) if n else (0.0, 0.0)


def _sum(parts: Iterable[Moments], empty: str) -> Moments:
    parts = iter(parts)
    first = next(parts, None)
    if first is None:
        raise ValueError(empty)
    return reduce(add, parts, first)
