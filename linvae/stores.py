"""Stores of rows that do not fit into memory: sequences of blocks, `len(blocks)` and `blocks[i]`.

A block is a pair (X, y): some rows and their labels, or None for labels.  It is made when it is asked for, and the same
number always gives the same block.  Chapter: the one on scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._checks import Array, check_count, check_whole
from .idx import FilePath, IdxFile, read_idx

Block = tuple[Any, Any]

ROWS = 8192
"""Rows in a block, unless the store or the caller says otherwise: 6 MB of bytes for images of 28 x 28 pixels."""


@dataclass(frozen=True)
class Blocks:
    """Describe a store that is read block by block.

    Parameters
    ----------
    count : int
        Number of blocks.
    block : callable
        `block(i)` makes block number i, from 0 to count - 1: a pair (X, y), where y is None if there are no labels.

    Raises
    ------
    IndexError
        By `blocks[i]`, if there is no such block.

    Examples
    --------
    >>> squares = Blocks(3, lambda i: ([[i, i**2]], None))
    >>> squares[2]
    ([[2, 4]], None)
    """

    count: int
    block: Callable[[int], Block]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> Block:
        if not 0 <= i < self.count:
            raise IndexError(f"block {i} of a store of {self.count}; give a number from 0 to {self.count - 1}")
        return self.block(i)

    def __iter__(self) -> Iterator[Block]:
        return map(self.block, range(self.count))


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

    def block(i: int) -> Block:
        part = slice(i * height, (i + 1) * height)
        return np.asarray(X[part]), None if y is None else np.asarray(y[part])

    return Blocks(math.ceil(n / height), block)


def idx_blocks(images: FilePath, labels: FilePath | None = None, rows: int = ROWS) -> Blocks:
    """Read an idx file of bytes, plain or gzipped, as the MNIST family is published.

    A gzipped file can only be read from its beginning: blocks in order cost one unpacking, a resumed run unpacks what
    it skips.

    Parameters
    ----------
    images : path
        Of n images, whose pixels are flattened.
    labels : path or None
        Of n labels, held in memory: one byte a row.
    rows : int

    Raises
    ------
    ValueError
        If a file is not idx of bytes, ends early, or the numbers of images and labels differ.
    """
    height, pixels = check_count("rows", rows), IdxFile(images)
    n, *sizes = pixels.shape
    d = math.prod(sizes)
    y = None if labels is None else read_idx(labels)
    if y is not None and y.shape != (n,):
        raise ValueError(f"{labels} has shape {y.shape} beside {n} images; give their labels, shape ({n},)")

    def block(i: int) -> Block:
        first, end = i * height, min((i + 1) * height, n)
        X = pixels.read(first * d, (end - first) * d + (end == n))  # behind the last row there must be nothing
        if len(X) < (end - first) * d:
            raise ValueError(f"{images} ends in row {first + len(X) // d} of {n}; copy it again")
        if len(X) > (end - first) * d:
            raise ValueError(f"{images} goes on after its {n} rows; copy it again")
        return X.reshape(-1, d), None if y is None else y[first:end]

    return Blocks(math.ceil(n / height), block)


def parquet_blocks(path: FilePath, label: str | None = None, columns: Sequence[str] | None = None) -> Blocks:
    """Read a Parquet file, one row group a block; needs the extra `linvae[stores]`.

    Parameters
    ----------
    path : path
        Its columns are numbers, one for each pixel, or one column of lists of equal length holds all of them.
    label : str or None
        The name of the column of labels.
    columns : sequence of str, or None
        The columns that hold pixels; None takes all but the labels and the index that pandas has noted in the file.

    Raises
    ------
    ValueError
        If there is no such column, none of pixels, one of pixels does not hold numbers, or a value is missing.
    """
    from pyarrow import parquet

    metadata = parquet.read_metadata(path)
    schema = metadata.schema.to_arrow_schema()
    names, notes = schema.names, schema.pandas_metadata or {}
    index = [name for name in notes.get("index_columns", []) if isinstance(name, str)]  # a range is no column
    pixels = [name for name in names if name not in (label, *index)] if columns is None else list(columns)
    for name in [*pixels, *([] if label is None else [label])]:
        if name not in names:
            raise ValueError(f"{path} has no column {name!r}; its columns are {names[:8]}{' ...' if names[8:] else ''}")
    if not pixels:
        raise ValueError(
            f"no column of pixels: label={label!r}, columns={columns!r}, index {index}; give columns=[...]"
        )

    def block(i: int) -> Block:
        with parquet.ParquetFile(path, metadata=metadata) as file:  # parsed once
            table = file.read_row_group(i, columns=[*pixels, *([] if label is None else [label])])
        return _pixels(table, pixels), None if label is None else _column(table, label)

    return Blocks(metadata.num_row_groups, block)


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
        check_whole(column, f"column {name!r}")  # beside a float column it would be rounded
    return np.column_stack(values)


def _column(table: Any, name: str) -> Array:
    column = table.column(name)
    if column.null_count:
        raise ValueError(
            f"column {name!r} has {column.null_count} missing values in a row group; mend or drop those rows"
        )
    return column.to_numpy()
