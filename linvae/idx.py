"""Idx files of bytes, the format of the MNIST family, plain or gzipped (told by the content, not by the name).

Layout: 00 00, the type (08, a byte), the number of dimensions, each size as 4 bytes big-endian, then the values, last
dimension fastest.  The header is read first, and nothing is unpacked beyond what it promises.
Source: LeCun, Cortes and Burges (1998), the page of the MNIST database.  Chapters: the data, and the one on scale.
"""

from __future__ import annotations

import gzip
import math
import os
import weakref
import zlib

import numpy as np
from numpy.typing import NDArray

FilePath = str | os.PathLike[str]

_STEP = 2**20  # bytes unpacked at once, so that a promise not kept takes no memory


class IdxFile:
    """Read the values of an idx file from any place on.

    A gzip stream can only be unpacked from its beginning, so it stays open where it was left: reading on from there
    unpacks nothing twice.

    Attributes
    ----------
    shape : tuple of int

    Raises
    ------
    ValueError
        If the file is not idx of bytes, or cannot be as long as its header promises.
    """

    def __init__(self, path: FilePath):
        self.path = path
        if os.path.exists(path) and not os.path.isfile(path):
            raise ValueError(f"{path} is not a file; give one, and save what comes through a pipe first")
        with open(path, "rb") as file:
            self._zipped = file.read(2) == b"\x1f\x8b"
        self._left: dict[tuple[int, int], gzip.GzipFile] = {}
        head = self._bytes(0, 4).tobytes()
        if head[:3] != b"\0\0\x08" or head[3:] in (b"", b"\0"):
            begin = head.hex(" ") or "nothing"
            raise ValueError(
                f"{path} is not idx of bytes: expected 00 00 08 and the number of dimensions, found {begin}"
            )
        self._start = 4 + 4 * head[3]
        sizes = self._bytes(4, 4 * head[3]).tobytes()
        if len(sizes) < 4 * head[3]:
            raise ValueError(
                f"{path} is truncated: expected {self._start} bytes, found {4 + len(sizes)}; copy it again"
            )
        self.shape: tuple[int, ...] = tuple(np.frombuffer(sizes, ">u4").tolist())
        if 0 in self.shape[1:]:
            raise ValueError(f"{path} has the sizes {self.shape}, images of no pixels; write it with their true sizes")
        packed, promised = os.path.getsize(path), self._start + math.prod(self.shape)
        most = 1032 * packed if self._zipped else packed  # deflate writes 258 bytes in 2 bits at best
        if promised > most or (promised < most and not self._zipped):
            fault = "truncated" if promised > most else "too long"
            little = tuple(np.frombuffer(sizes, "<u4").tolist())
            turned = self._start + math.prod(little) <= most
            way_out = f"if it is little-endian, of {little}, write its sizes big-endian" if turned else "copy it again"
            found = f"{'at most ' * self._zipped}{most:,}"
            raise ValueError(f"{path} is {fault}: expected {promised:,} bytes, found {found}; {way_out}")

    def read(self, first: int, size: int) -> NDArray[np.uint8]:
        """Return so many values from number `first` on, or as many as there are."""
        return self._bytes(self._start + first, size)

    def _bytes(self, at: int, size: int) -> NDArray[np.uint8]:
        if not self._zipped:
            return np.fromfile(self.path, np.uint8, size, offset=at)
        # Taken away while it is read: neither a thread nor a forked process moves the stream of another.
        stream, data = self._left.pop((os.getpid(), at), None) or self._unzip(), bytearray()
        try:
            stream.seek(at)
            while part := stream.read(min(size - len(data), _STEP)):
                data += part
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{self.path} is a damaged gzip file ({error}); copy it again") from error
        self._left = {(os.getpid(), at + len(data)): stream}
        return np.frombuffer(data, np.uint8)

    def _unzip(self) -> gzip.GzipFile:
        file = open(self.path, "rb")  # noqa: SIM115  (closed with the stream, whenever nobody holds it)
        stream = gzip.GzipFile(fileobj=file)
        weakref.finalize(stream, file.close)
        return stream


def read_idx(path: FilePath) -> NDArray[np.uint8]:
    """Read an idx file of bytes, plain or gzipped, into an array of the shape that its header tells.

    Raises
    ------
    ValueError
        If the gzip stream is damaged, the file is not idx of bytes, or its length is not what its header promises.
    """
    file = IdxFile(path)
    promised = math.prod(file.shape)
    values = file.read(0, promised + 1)
    if len(values) != promised:
        fault, found = ("truncated", f"{len(values):,}") if len(values) < promised else ("too long", "more")
        raise ValueError(f"{path} is {fault}: expected {promised:,} values, found {found}; copy it again")
    return values.reshape(file.shape)
