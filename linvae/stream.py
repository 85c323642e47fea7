"""Rows that do not fit into memory: read a store block by block, and lose nothing when the run is interrupted.

Moments add, so what was read before an interruption is one small file, and the run goes on after it.  Memory is that of
one block and of the moments, whatever the number of rows.  Chapter: the one on scale.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._checks import check_count
from .idx import FilePath
from .moments import Moments
from .saving import ClassMoments, file_to_save, load_moments, load_progress, save_moments
from .stores import Block, Blocks, array_blocks, idx_blocks, parquet_blocks

__all__ = ["Blocks", "ClassMoments", "add_classes", "array_blocks", "idx_blocks", "load_moments", "parquet_blocks",
           "read_moments", "save_moments"]  # fmt: skip


def read_moments(
    blocks: Blocks | Sequence[Block] | Iterable[Block],
    *,
    save: FilePath | None = None,
    every: int = 16,
    progress: bool = False,
) -> ClassMoments:
    """Read a store once, and return the moments of its rows by class; {None: moments} where there are no labels.

    Parameters
    ----------
    blocks : Blocks, or another sequence or iterable of (X, y)
        To be resumed it must have a length and be asked for blocks by number, as `Blocks` and lists are.
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
        If there is no block, blocks differ in width, only some have labels, or `save` is of another store, damaged, or
        no place for a file.
    """
    every = check_count("every", every)
    numbered = hasattr(blocks, "__len__") and hasattr(blocks, "__getitem__")
    store: Any = blocks
    count = len(store) if numbered else None
    if save is None:
        every_block = (_block(store, i) for i in range(len(store))) if numbered else map(_pair, store)
        return _checked(_summed(_with_bar(every_block, 0, count, progress)))
    if count is None:
        raise ValueError("only Blocks can be resumed, so `save` needs them: see array_blocks, or Blocks(count, block)")
    total, done = _resumed(store, save, count) if file_to_save(save).exists() else ({}, 0)
    last: list[Block] = []

    def read(i: int) -> Block:
        last[:] = [_block(store, i)]
        return last[0]

    rest = iter(_with_bar(map(read, range(done, count)), done, count, progress))
    while done < count:
        done = min(done + every, count)
        total = add_classes(total, _summed(islice(rest, every)))
        save_moments(save, total, (done, count, _mark(*last)))
    next(rest, None)  # ends the bar
    return _checked(total)


def _resumed(store: Any, save: FilePath, count: int) -> tuple[ClassMoments, int]:
    """Return what was saved and how many blocks it holds; one is read again, so that no other store is taken for it."""
    anew = "remove it to begin anew (other `rows` make other blocks)"
    total, (done, of, mark) = load_progress(save)
    if of != count:
        raise ValueError(f"{save} is of a store of {of} blocks, this one has {count}; {anew}")
    if done and _mark(_block(store, done - 1)) != mark:
        raise ValueError(f"{save} is of another store: its last block read, number {done - 1}, differs; {anew}")
    return total, done


def _block(store: Any, i: int) -> Block:
    try:
        return _pair(store[i])
    except IndexError as error:
        raise ValueError(f"the store has no block {i}, but tells of {len(store)}; mend it, or its count") from error


def _mark(block: Block) -> int:
    X, labels = np.asarray(block[0]), None if block[1] is None else np.asarray(block[1]).tolist()
    return zlib.crc32(repr((X.dtype.str, X.shape, labels)).encode(), zlib.crc32(X.tobytes()))


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


def _with_bar(blocks: Iterable[Block], done: int, count: int | None, progress: bool) -> Iterable[Block]:
    if not progress:
        return blocks
    from tqdm import tqdm

    return tqdm(blocks, "blocks read", total=count, initial=done, unit="block")
