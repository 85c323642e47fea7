"""Moments in one .npz file, whole or not at all.

Written to a draft and put in place in one step; read with no trust in what is found: arrays are stored as they are, so
no file of so many bytes gives more of them.  Chapter: the one on scale.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Hashable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np

from ._checks import Array
from .idx import FilePath
from .moments import Moments

ClassMoments = dict[Hashable, Moments]

_FIELDS = ("n", "mean", "scatter")
_PROGRESS = ("done", "count", "mark")

Progress = tuple[int, int, int]
"""How far a store was read: so many blocks done, of so many, and a checksum of the last one."""


def save_moments(path: FilePath, class_moments: ClassMoments, progress: Progress = (0, 0, 0)) -> None:
    """Write moments by class to one .npz file: 8 (d^2 + d + 1) bytes a class.

    The old file is replaced in one step, so that an interruption leaves the old one or the new one, never half of each.
    Several processes may save to one path: each writes a draft of its own beside it, and the last one stays.  A draft,
    `*.part`, is left behind only where a process is killed.  A link is followed: its target is replaced.

    Raises
    ------
    ValueError
        If the path is a folder or a device, or the labels are not of one plain type.
    """
    target, keys = file_to_save(path), list(class_moments)
    labels = np.array([] if keys == [None] else keys)
    if labels.dtype.kind not in "biufUS" or (labels.tolist() or [None] * len(keys)) != keys:
        raise ValueError(f"the labels {keys} are of no one plain type; give numbers, or text")
    arrays: dict[str, Any] = {"labels": labels, **dict(zip(_PROGRESS, progress, strict=True))}
    arrays |= {f"{name}_{i}": getattr(m, name) for i, m in enumerate(class_moments.values()) for name in _FIELDS}
    draft = target.with_name(f"{target.name[:40]}.{secrets.token_hex(8)}.part")
    try:
        with draft.open("xb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)  # where it was not put in place


def load_moments(path: FilePath) -> ClassMoments:
    """Read what `save_moments` or `read_moments(save=...)` wrote, to the last digit.

    Raises
    ------
    ValueError
        If the file does not hold moments, or is damaged; it takes no more memory than the file is long.
    """
    return load_progress(path)[0]


def load_progress(path: FilePath) -> tuple[ClassMoments, Progress]:
    """Read what `save_moments` wrote: the moments, and how far the store was read."""
    with file_to_save(path).open("rb") as file:
        try:
            arrays = _arrays(file)
            done, count, mark = (arrays.pop(name).item() for name in _PROGRESS)
            labels = arrays.pop("labels").tolist() or [None] * bool(arrays)
            total = {
                label: Moments(arrays.pop(f"n_{i}").item(), arrays.pop(f"mean_{i}"), arrays.pop(f"scatter_{i}"))
                for i, label in enumerate(labels)
            }
            if arrays or len(total) < len(labels) or not 0 <= done <= count:
                raise ValueError(f"{len(labels)} labels, {done} of {count} blocks, and besides {list(arrays)[:3]}")
            return total, (done, count, mark)
        except Exception as error:  # the ways in which a damaged zip file fails have no common name
            what = f"{type(error).__name__}: {error}"
            raise ValueError(f"{path} does not hold moments ({what}); remove it, or name another file") from error


def file_to_save(path: FilePath) -> Path:
    """Return the file that a path leads to, links followed, or say that nothing can be saved there."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        what = "folder" if target.is_dir() else "device or a pipe"
        raise ValueError(f"{path} is a {what}; give the path of a file")
    if not target.parent.is_dir():
        raise ValueError(f"{path} lies in {target.parent}, which is no folder; make it first")
    return target


def _arrays(file: Any) -> dict[str, Array]:
    """Read an .npz file as NumPy writes it, with every length compared before memory is asked for."""
    with ZipFile(file) as archive:
        members = archive.infolist()
        if any(m.compress_type != ZIP_STORED or m.compress_size != m.file_size for m in members):
            raise ValueError("its arrays are compressed; moments are not")
        if sum(m.file_size for m in members) > os.fstat(file.fileno()).st_size:
            raise ValueError("its arrays are longer than the file")
        return {member.filename.removesuffix(".npy"): _array(archive.read(member)) for member in members}


def _array(raw: bytes) -> Array:
    head = BytesIO(raw)
    if np.lib.format.read_magic(head) != (1, 0):
        raise ValueError("an array of another version")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(head)
    # A view of what was read: no promise of the header takes memory, and neither objects nor another length fit.
    return np.frombuffer(raw, dtype, offset=head.tell()).reshape(shape, order="F" if by_columns else "C")
