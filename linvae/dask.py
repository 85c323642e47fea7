"""Rows on many machines: the moments of a Dask array, as a tree of sums; needs the extra `linvae[dask]`.

Each worker reads its rows where they are and sends moments, 8 (d^2 + d + 1) bytes a class, whatever the number of rows.
Nothing here knows the cluster: without a client Dask uses the threads of this machine, with `Client("tcp://...")` the
workers behind that address.  Chapter: the one on scale.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from operator import add
from typing import Any

import dask.array as da
import numpy as np
from dask.delayed import Delayed, delayed
from dask.layers import ArrayValuesDep
from dask.sizeof import sizeof

from ._checks import Array, check_count, check_labels
from .moments import CrossMoments, Moments
from .stream import ClassMoments, add_classes


@sizeof.register(Moments)
def _moments_size(moments: Moments) -> int:
    return int(moments.mean.nbytes + moments.scatter.nbytes)  # else the scheduler takes them for a few bytes


@sizeof.register(CrossMoments)
def _cross_size(cross: CrossMoments) -> int:
    return int(cross.Szz.nbytes + cross.Szx.nbytes)


def class_moments(X: da.Array, y: Any = None, *, split_every: int = 4, compute: bool = True) -> ClassMoments | Delayed:
    """Return the moments of the rows of a Dask array by class, equal to `Moments.by_class` of all rows up to rounding.

    Parts of the array may be of any height, empty, or of one class alone.  Sums go up a tree whose shape does not
    depend on the workers, so the same array gives the same digits on any cluster; what a lost worker held is made anew.

    Parameters
    ----------
    X : dask array (n, d)
        Parts that hold some of the pixels only are joined first; n may be unknown.
    y : NumPy or dask array (n,), or None
        Labels; brought to the parts of X.  None gives {None: moments}.  A NumPy array goes along with the tasks: one
        task reads a part and adds it up then, and no row travels.  A Dask array is read by tasks of its own, and Dask
        may send the rows to where those ran.
    split_every : int
        Sums that are added up at once, 2 or more.
    compute : bool
        False returns the `dask.delayed.Delayed` that stands for the result.

    Raises
    ------
    TypeError
        If X is no Dask array.
    ValueError
        If X is not two-dimensional, or y has another number of rows.
    """
    X = _rows(X)
    labels = () if y is None else (_labels(y, X), "i")
    parts = _summed(_block, X, *labels)
    total = _tree(parts, _add_classes, split_every)
    return total.compute() if compute else total


def cross_moments(
    X: da.Array, encode: Callable[[Array], Array], *, split_every: int = 4, compute: bool = True
) -> CrossMoments | Delayed:
    """Return the cross moments of the codes encode(x) with the rows x of a Dask array: r d numbers and not d^2.

    For images too wide for their moments: give `encode` the `transform` of a random projection of scikit-learn, and the
    result to `PCA.fit_sketch`.

    Parameters
    ----------
    X : dask array (n, d)
    encode : callable
        From a NumPy array (rows, d) to codes (rows, r).
    split_every, compute
        As in `class_moments`.
    """
    if not callable(encode):
        raise TypeError(f"encode is a {type(encode).__name__}; give a function of rows, such as projection.transform")
    parts = _summed(partial(_encoded, encode), _rows(X))
    total = _tree(parts, _add_all, split_every)
    return total.compute() if compute else total


def _rows(X: Any) -> da.Array:
    if not isinstance(X, da.Array):
        raise TypeError(f"X is a {type(X).__name__}; give a Dask array, or use Moments.by_class or linvae.stream")
    if X.ndim != 2:
        raise ValueError(f"X has shape {X.shape}; give one flat image a row, shape (n, d)")
    return X.rechunk({1: -1}) if X.numblocks[1] > 1 else X


def _summed(work: Callable[..., Any], X: da.Array, *labels: Any) -> list[Delayed]:
    """Return the sums of every part: one task with what makes its rows, so that rows do not travel to their sum."""
    sums = da.blockwise(
        work, "i", X, "ij", *labels, dtype=object, meta=np.empty(0, object), concatenate=True, align_arrays=False
    )
    return list(sums.to_delayed())


def _labels(y: Any, X: da.Array) -> da.Array | ArrayValuesDep:
    """Return labels in the parts of X: values that go along with the tasks, or a Dask array that is read."""
    heights, n = X.chunks[0], X.shape[0]
    if not isinstance(y, da.Array):
        if np.isnan(n):
            raise ValueError("the number of rows of X is not known yet; give y as a Dask array of the same parts")
        values = np.empty(len(heights), object)
        for i, part in enumerate(np.split(check_labels(y, n), np.cumsum(heights)[:-1])):
            values[i] = part
        return ArrayValuesDep((heights,), values)
    if not np.isnan([*y.shape, n]).any():
        if y.shape != (n,):
            raise ValueError(f"y has shape {y.shape} beside {n} rows; give one label a row")
        y = y.rechunk((heights,))
    if y.numblocks[0] != X.numblocks[0]:
        raise ValueError(f"y has {y.numblocks[0]} parts and X has {X.numblocks[0]}; give both the same")
    return y


def _tree(parts: list[Delayed], merge: Callable[[list[Any]], Any], split_every: int) -> Delayed:
    if check_count("split_every", split_every) < 2:
        raise ValueError(f"split_every={split_every}; give 2 or more")
    while len(parts) > 1:
        parts = [delayed(merge)(parts[i : i + split_every]) for i in range(0, len(parts), split_every)]
    return parts[0]


def _block(X: Array, y: Array | None = None) -> ClassMoments:
    return {None: Moments.of(X)} if y is None else Moments.by_class(X, y)


def _encoded(encode: Callable[[Array], Array], X: Array) -> CrossMoments | None:
    return CrossMoments.of(encode(X), X) if len(X) else None  # scikit-learn transforms no empty arrays


def _add_classes(parts: list[ClassMoments]) -> ClassMoments:
    return add_classes(*parts)


def _add_all(parts: list[CrossMoments | None]) -> CrossMoments | None:
    filled = [part for part in parts if part is not None]
    return reduce(add, filled) if filled else None
