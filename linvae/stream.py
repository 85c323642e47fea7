"""Rows that do not fit into memory: read a store block by block, and lose nothing when the run is interrupted.

A store is a sequence of blocks (X, y).  Moments add, so what was read before an interruption is one small file, and the
run goes on after it.  Memory is that of one block and of the moments, whatever the number of rows.
Chapter: the one on scale.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._checks import Array, check_count
from .datasets import idx_header
from .moments import Moments

Block = tuple[Any, Any]
FilePath = str | os.PathLike[str]
ClassMoments = dict[Hashable, Moments]

ROWS = 8192
"""Rows in a block, unless the store or the caller says otherwise: 6 MB of bytes for images of 28 x 28 pixels."""


@dataclass(frozen=True)
class Blocks:
    """Describe a store that is read block by block.

    Parameters
    ----------
    count : int
        Number of blocks.
    read : callable
        `read(start)` yields the blocks (X, y) from number `start` on, in a fixed order, without reading those before;
        y is None if there are no labels.
    """

    count: int
    read: Callable[[int], Iterator[Block]]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Block]:
        return self.read(0)


def array_blocks(X: Any, y: Any = None, rows: int | None = None) -> Blocks:
    """Read anything that has a shape (n, d) and can be sliced: a memory map, a Zarr or an HDF5 array.

    Parameters
    ----------
    X : array-like (n, d)
        Sliced `rows` rows at a time, and never as a whole.
    y : array-like (n,) or None
    rows : int or None
        None takes the height of the store's own chunks (its attribute `chunks`), else `ROWS`.

    Raises
    ------
    ValueError
        If X is not two-dimensional, or y has another length.
    """
    X = X if hasattr(X, "shape") else np.asarray(X)
    chunks = getattr(X, "chunks", None)
    if chunks and isinstance(chunks[0], tuple):
        raise ValueError("X is a Dask array, which reads itself in parts; use linvae.dask.class_moments")
    if len(X.shape) != 2:
        raise ValueError(f"X has shape {X.shape}; give one flat image a row, shape (n, d)")
    n = X.shape[0]
    if y is not None and np.shape(y) != (n,):
        raise ValueError(f"y has shape {np.shape(y)} beside {n} rows; give one label a row, shape ({n},)")
    if rows is None:
        rows = int(chunks[0]) if chunks else ROWS
    height = check_count("rows", rows)

    def read(start: int) -> Iterator[Block]:
        for begin in range(start * height, n, height):
            part = slice(begin, begin + height)
            yield np.asarray(X[part]), None if y is None else np.asarray(y[part])

    return Blocks(math.ceil(n / height), read)


def idx_blocks(images: FilePath, labels: FilePath | None = None, rows: int = ROWS) -> Blocks:
    """Read an idx file of bytes, plain or gzipped, as the MNIST family is published.

    A gzipped file can only be read from its beginning, so a resumed run unpacks what it skips.

    Parameters
    ----------
    images : path
        Of n images, whose pixels are flattened.
    labels : path or None
        Of n labels.
    rows : int

    Raises
    ------
    ValueError
        If a file is not idx of bytes, ends early, or the numbers of images and labels differ.
    """
    height = check_count("rows", rows)
    begin, (n, *sizes) = _idx_shape(images)
    d = math.prod(sizes)
    if labels is not None:
        label_begin, shape = _idx_shape(labels)
        if shape != [n]:
            raise ValueError(f"{labels} has shape {shape} beside {n} images; give their labels, shape [{n}]")

    def read(start: int) -> Iterator[Block]:
        pixels = _idx_rows(images, begin, n, d, height, start)
        if labels is None:
            yield from ((part, None) for part in pixels)
        else:
            marks = _idx_rows(labels, label_begin, n, 1, height, start)
            yield from ((part, mark[:, 0]) for part, mark in zip(pixels, marks, strict=True))

    return Blocks(math.ceil(n / height), read)


def parquet_blocks(path: FilePath, label: str | None = None, columns: Sequence[str] | None = None) -> Blocks:
    """Read a Parquet file, one row group a block; needs the extra `linvae[stores]`.

    Parameters
    ----------
    path : path
        Its columns are numbers, one for each pixel, or one column of lists of equal length holds all of them.
    label : str or None
        The name of the column of labels.
    columns : sequence of str, or None
        The columns that hold pixels; None takes all but the labels.

    Raises
    ------
    ValueError
        If there is no such column, one of pixels does not hold numbers, or a value is missing.
    """
    from pyarrow import parquet

    names = parquet.read_schema(path).names
    pixels = [name for name in names if name != label] if columns is None else list(columns)
    for name in [*pixels, *([] if label is None else [label])]:
        if name not in names:
            raise ValueError(f"{path} has no column {name!r}; its columns are {names[:8]}{' ...' if names[8:] else ''}")

    def read(start: int) -> Iterator[Block]:
        with parquet.ParquetFile(path) as file:
            for i in range(start, file.num_row_groups):
                table = file.read_row_group(i)
                y = None if label is None else _column(table, label)
                yield _pixels(table, pixels), y

    with parquet.ParquetFile(path) as file:
        return Blocks(file.num_row_groups, read)


def read_moments(
    blocks: Blocks | Iterable[Block],
    *,
    save: FilePath | None = None,
    every: int = 16,
    progress: bool = False,
) -> ClassMoments:
    """Read a store once, and return the moments of its rows by class; {None: moments} where there are no labels.

    Parameters
    ----------
    blocks : Blocks, or an iterable of (X, y)
        To be resumed it must be `Blocks`.
    save : path of an .npz file, or None
        What was read is kept there.  A later call with the same store and path goes on behind it: no row is left out
        and none counted twice.  The last block read is read again, to see that the store is the same; a change in
        blocks before it is not noticed.  Remove the file to begin anew.
    every : int
        Blocks between two saves: an interruption costs the time of reading at most so many again.
    progress : bool
        Show a bar on stderr (tqdm, of the extra `linvae[stores]`).

    Raises
    ------
    ValueError
        If there is no block, blocks differ in width, only some have labels, or `save` is of another store.
    """
    every = check_count("every", every)
    if not isinstance(blocks, Blocks):
        if save is not None:
            raise ValueError(
                "only Blocks can be resumed, so `save` needs them: see array_blocks, or Blocks(count, read)"
            )
        return _checked(_summed(_with_bar(blocks, 0, None, progress)))
    total: ClassMoments = {}
    done, count, last = 0, len(blocks), _Last()
    if save is not None and Path(save).exists():
        total, done, of, mark = _load(save)
        if of != count:
            raise ValueError(f"{save} is of a store of {of} blocks, this one has {count}; {_ANEW}")
        # One block is read again, so that no other store is taken for this one.
        again = blocks.read(max(done - 1, 0))
        if done:
            last.passed(next(again, ((), None)))
        if done and last.mark() != mark:
            raise ValueError(f"{save} is of another store: its last block read, number {done - 1}, differs; {_ANEW}")
    else:
        again = blocks.read(0)
    rest = map(last.passed, _with_bar(_as_promised(again, done, count), done, count, progress))
    step = count if save is None else every
    try:
        while done < count:
            done = min(done + step, count)
            total = add_classes(total, _summed(islice(rest, step)))
            if done == count:
                next(rest, None)  # one block too many is an error as well
            if save is not None:
                _save(save, total, done, count, last.mark())
    except _TooMany as error:
        if save is not None:
            Path(save).unlink(missing_ok=True)  # it may count blocks twice
        raise ValueError(f"{error}; mend the store" + (f" ({save} was removed)" if save is not None else "")) from error
    return _checked(total)


_ANEW = "remove it to begin anew (other `rows` make other blocks)"


class _TooMany(Exception):
    """A store yields more blocks than it told of."""


def add_classes(*parts: ClassMoments) -> ClassMoments:
    """Add up moments by class; a class may be missing from any of the parts.  Keys in sorted order."""
    total: dict[Any, Moments] = {}
    for part in parts:
        for label, moments in part.items():
            total[label] = total[label] + moments if label in total else moments
    if None in total and len(total) > 1:
        raise ValueError("some blocks have labels and some have none; give all of them labels, or none")
    if len({isinstance(label, str) for label in total}) > 1:
        raise ValueError("labels mix text with other things; give labels of one type")
    return {label: total[label] for label in sorted(total)}


_FIELDS = ("n", "mean", "scatter")


def save_moments(path: FilePath, class_moments: ClassMoments) -> None:
    """Write moments by class to one .npz file: 8 (d^2 + d + 1) bytes a class.

    The old file is replaced in one step, so that an interruption leaves the old one or the new one, never half of each.
    """
    _save(path, class_moments)


def load_moments(path: FilePath) -> ClassMoments:
    """Read what `save_moments` or `read_moments(save=...)` wrote, to the last digit."""
    return _load(path)[0]


def _save(path: FilePath, class_moments: ClassMoments, done: int = 0, count: int = 0, mark: int = 0) -> None:
    """Save moments with the progress of `read_moments`: so many blocks of so many, and a checksum of the last one."""
    labels = np.array([label for label in class_moments if label is not None])
    if labels.dtype == object:
        raise ValueError(f"the labels {list(class_moments)} are of no one plain type; give numbers, or text")
    draft = Path(f"{os.fspath(path)}.part")
    arrays = {f"{name}_{i}": getattr(m, name) for i, m in enumerate(class_moments.values()) for name in _FIELDS}
    with draft.open("wb") as file:
        np.savez(file, labels=labels, done=done, count=count, mark=mark, **arrays)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _load(path: FilePath) -> tuple[ClassMoments, int, int, int]:
    try:
        with np.load(path, allow_pickle=False) as file:
            labels: list[Any] = file["labels"].tolist() or [None] * ("n_0" in file)
            parts = ([file[f"{name}_{i}"] for name in _FIELDS] for i in range(len(labels)))
            total = {label: Moments(int(n), *rest) for label, (n, *rest) in zip(labels, parts, strict=True)}
            return total, int(file["done"]), int(file["count"]), int(file["mark"])
    except (KeyError, ValueError, EOFError, BadZipFile) as error:
        raise ValueError(f"{path} does not hold moments ({error}); remove it, or name another file") from error


class _Last:
    """Keep the last block that passed, for its checksum."""

    block: Block = ((), None)

    def passed(self, block: Any) -> Block:
        self.block = _pair(block)
        return self.block

    def mark(self) -> int:
        X, y = self.block
        X, labels = np.asarray(X), None if y is None else np.asarray(y).tolist()
        return zlib.crc32(repr((X.dtype.str, X.shape, labels)).encode(), zlib.crc32(X.tobytes()))


def _pair(block: Any) -> Block:
    if not isinstance(block, tuple) or len(block) != 2:
        raise ValueError(f"a block is a {type(block).__name__}; give pairs (X, y), or (X, None) without labels")
    return block


def _summed(blocks: Iterable[Block]) -> ClassMoments:
    """Return the moments by class of all these blocks, read one at a time."""
    blocks = (block for block in map(_pair, blocks) if len(block[0]))  # an empty block may well have no labels
    first = next(blocks, None)
    if first is None:
        return {}
    labelled, every = first[1] is not None, chain([first], blocks)
    if labelled:
        return Moments.by_class_from_chunks((X, _known(y)) for X, y in every)
    return {None: Moments.from_chunks(X if y is None else _known(None) for X, y in every)}


def _known(y: ArrayLike | None) -> ArrayLike:
    if y is None:
        raise ValueError("some blocks have labels and some have none; give all of them labels, or none")
    return y


def _checked(total: ClassMoments) -> ClassMoments:
    if not total:
        raise ValueError("the store has no block, or no row; there is nothing to add up")
    return total


def _as_promised(blocks: Iterable[Block], done: int, count: int) -> Iterator[Block]:
    for i, block in enumerate(blocks, done + 1):
        if i > count:
            raise _TooMany(f"the store gave a block after the last of its {count}: its count, or its `start`, is wrong")
        done = i
        yield block
    if done < count:
        raise ValueError(f"the store gave {done} of the {count} blocks that it told of; mend the store, or its count")


def _with_bar(blocks: Iterable[Block], done: int, count: int | None, progress: bool) -> Iterable[Block]:
    if not progress:
        return blocks
    from tqdm import tqdm

    return tqdm(blocks, "blocks read", total=count, initial=done, unit="block")


def _open(path: FilePath) -> Any:
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else open(path, "rb")


def _idx_shape(path: FilePath) -> tuple[int, list[int]]:
    with _open(path) as file:
        head = file.read(4)
        return idx_header(head + file.read(4 * head[3] if len(head) == 4 else 0), path)


def _idx_rows(path: FilePath, begin: int, n: int, d: int, height: int, start: int) -> Iterator[NDArray[np.uint8]]:
    """Yield blocks of `height` rows of d bytes, from block `start` on."""
    try:
        with _open(path) as file:
            file.seek(begin + start * height * d)
            for first in range(start * height, n, height):
                size = min(height, n - first) * d
                raw = file.read(size)
                if len(raw) != size:
                    raise ValueError(f"{path} ends in row {first + len(raw) // d} of {n}; copy it again")
                yield np.frombuffer(raw, np.uint8).reshape(-1, d)
            if file.read(1):
                raise ValueError(f"{path} goes on after its {n} rows; copy it again")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is a damaged gzip file ({error}); copy it again") from error


def _pixels(table: Any, names: list[str]) -> Array:
    if len(names) == 1 and hasattr(table.schema.field(names[0]).type, "value_type"):
        column = table.column(names[0]).combine_chunks()
        flat, n = column.flatten(), len(column)
        if column.null_count or flat.null_count or (n and len(flat) % n):
            raise ValueError(
                f"column {names[0]!r} holds missing values or lists of unequal length; mend or drop those rows"
            )
        return flat.to_numpy(zero_copy_only=False).reshape(n, -1)
    values = [_column(table, name) for name in names]
    for name, column in zip(names, values, strict=True):
        if column.dtype.kind not in "buif":
            raise ValueError(f"column {name!r} holds no numbers; name the labels by label=, or the pixels by columns=")
    return np.column_stack(values)


def _column(table: Any, name: str) -> Array:
    column = table.column(name)
    if column.null_count:
        raise ValueError(
            f"column {name!r} has {column.null_count} missing values in a row group; mend or drop those rows"
        )
    return column.to_numpy()
