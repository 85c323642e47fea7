"""The real images of the book: handwritten digits and pieces of clothing, one image a row; and those of a reader.

This module knows where the images are and checks that they are what they claim to be. `load_*` reads the 8,000 + 2,000
images shipped with the package, offline; `fetch_*` reads the full 60,000 + 10,000, from idx files or from OpenML;
`read_folder` reads images of your own, a folder for each class.
How the shipped parts were drawn, their limits and their licences: `linvae/data/README.md`, the book's page "The data".
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from http.client import HTTPException
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .idx import read_idx

__all__ = [
    "FASHION_MNIST_LABELS", "fetch_fashion_mnist", "fetch_mnist", "load_fashion_mnist", "load_mnist", "read_folder",
    "read_idx",
]  # fmt: skip

Split = Literal["train", "test"]
Dtype = Literal["float32", "uint8"]
Rows = tuple[NDArray[Any], NDArray[np.int64]]

FASHION_MNIST_LABELS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

_PREFIX = {"train": "train", "test": "t10k"}
_KINDS = ("images-idx3-ubyte", "labels-idx1-ubyte")
_FILES = ", ".join(f"{prefix}-{kind}" for prefix in _PREFIX.values() for kind in _KINDS)
_ROWS = {"train": slice(0, 60_000), "test": slice(60_000, 70_000)}  # OpenML puts the test images last


@dataclass(frozen=True)
class _DataSet:
    """Describe one data set. Both use the same file names, so their first ten labels tell them apart."""

    name: str
    stem: str
    openml: str
    first: dict[str, list[int]]


_MNIST = _DataSet("MNIST", "mnist", "mnist_784", {
    "train": [5, 0, 4, 1, 9, 2, 1, 3, 1, 4], "test": [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]})  # fmt: skip
_FASHION = _DataSet("Fashion-MNIST", "fashion_mnist", "Fashion-MNIST", {
    "train": [9, 0, 0, 3, 0, 2, 7, 2, 5, 5], "test": [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]})  # fmt: skip


def load_mnist(split: Split = "train", dtype: Dtype = "float32") -> Rows:
    """Load the shipped handwritten digits, offline: 8,000 to train on, 2,000 to test on.

    Both parts come from MNIST's training set: this "test" is not the official one, which `fetch_mnist` has.
    Source: LeCun, Cortes and Burges (1998).

    Parameters
    ----------
    split : {"train", "test"}
    dtype : {"float32", "uint8"}
        Gray levels in [0, 1] (stored byte / 255), or the stored bytes.

    Returns
    -------
    X : array (n, 784)
        One image of 28 x 28 pixels a row; 0 is the background.
    y : int64 array (n,)
        The digits.

    Raises
    ------
    ValueError
        If `split` or `dtype` is not one of its choices.
    """
    return _load(_MNIST, split, dtype)


def load_fashion_mnist(split: Split = "train", dtype: Dtype = "float32") -> Rows:
    """Load the shipped pieces of clothing, offline: 8,000 to train on, 2,000 to test on.

    Arguments, arrays and errors are those of `load_mnist`; label l is called `FASHION_MNIST_LABELS[l]`.
    Source: Xiao, Rasul and Vollgraf (2017).
    """
    return _load(_FASHION, split, dtype)


def fetch_mnist(split: Split = "train", dtype: Dtype = "float32", verbose: bool = True) -> Rows:
    """Fetch all of MNIST in the official order: 60,000 digits to train on, 10,000 to test on.

    If the environment variable LINVAE_DATA names a folder, the idx files (plain or .gz) are read from its subfolder
    `mnist` if there is one, else from the folder itself; the network is then never used. Otherwise scikit-learn
    downloads the images from OpenML once and keeps them in its cache; `verbose` says so on stderr.
    Arguments and arrays are those of `load_mnist`; the float32 training images take 188 MB.
    Source: LeCun, Cortes and Burges (1998).

    Raises
    ------
    ValueError
        If `split` or `dtype` is not one of its choices, or a file is damaged, misshapen or of another data set.
    FileNotFoundError
        If LINVAE_DATA is set and a file is missing.
    ConnectionError
        If OpenML cannot be reached.
    """
    return _fetch(_MNIST, split, dtype, verbose)


def fetch_fashion_mnist(split: Split = "train", dtype: Dtype = "float32", verbose: bool = True) -> Rows:
    """Fetch all of Fashion-MNIST in the official order: 60,000 pieces of clothing to train on, 10,000 to test on.

    All is as in `fetch_mnist`; the subfolder of LINVAE_DATA is `fashion_mnist`.
    Source: Xiao, Rasul and Vollgraf (2017).
    """
    return _fetch(_FASHION, split, dtype, verbose)


def read_folder(
    folder: str | os.PathLike[str], size: tuple[int, int] | None = None, *, background: float = 0.0
) -> tuple[NDArray[np.float32], NDArray[np.str_], tuple[int, int]]:
    """Read images of your own: one folder for each class, named as the class, with one file for each image.

    Every file in a class's folder must be an image of 8 bits that Pillow reads (PNG, JPEG, GIF, BMP, …); names that
    begin with a dot are left alone. Colour becomes gray as 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601). A photograph
    that says how the camera was held (EXIF) is turned upright.

    Parameters
    ----------
    folder : path
    size : (rows, columns) or None
        Resize every image to so many pixels, each the mean of the area under it, without keeping the ratio of its
        sides. None wants all images to have one size already.
    background : float
        The gray level behind transparent pixels, in [0, 1] as those of X: 0 is black, 1 white.

    Returns
    -------
    X : float32 array (n, rows * columns)
        Gray levels in [0, 1], class by class in the order of their names, and within a class by file name.
    y : str array (n,)
        The name of each image's class.
    shape : (rows, columns)

    Raises
    ------
    ValueError
        If there are fewer than two classes, a class without images, a file that is no single image of 8 bits, images
        of several sizes without `size`, or if `size` or `background` is out of range.
    NotADirectoryError
        If there is no such folder.
    ModuleNotFoundError
        Without Pillow, which the extra `linvae[plot]` brings.

    Examples
    --------
    >>> X, y, shape = read_folder("leaves", size=(28, 28))  # doctest: +SKIP
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder; give the one that holds a folder for each class")
    if size is not None and (len(size) != 2 or not all(isinstance(n, int | np.integer) and n >= 1 for n in size)):
        raise ValueError(f"size={size!r}; give (rows, columns), whole numbers of at least one pixel, such as (28, 28)")
    if not 0 <= background <= 1:
        raise ValueError(f"background={background!r}; give a gray level from 0, black, to 1, white")
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(classes) < 2:
        found = ", ".join(path.name for path in classes) or "none"
        raise ValueError(f"{folder} holds {len(classes)} folders of classes ({found}); make two or more, one a class")
    images: list[NDArray[np.uint8]] = []
    labels: list[str] = []
    read: list[Path] = []
    for own in classes:
        paths = sorted(path for path in own.iterdir() if not path.name.startswith("."))
        if not paths:
            raise ValueError(f"{own} is empty; put the images of its class there, or delete it")
        for path in paths:
            images.append(_gray_image(path, size, background))
            read.append(path)
            if images[-1].shape != images[0].shape:
                raise ValueError(
                    f"{path} has {images[-1].shape} pixels and {read[0]} has {images[0].shape}; give size=(rows, "
                    "columns) to bring all images to one size"
                )
        labels += [own.name] * len(paths)
    rows, columns = images[0].shape
    X = np.divide(np.stack(images).reshape(len(images), -1), 255, dtype=np.float32)
    return X, np.array(labels), (rows, columns)


def _gray_image(path: Path, size: tuple[int, int] | None, background: float) -> NDArray[np.uint8]:
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('read_folder needs Pillow; install "linvae[plot]"') from error
    try:
        with Image.open(path) as file:
            if file.mode.startswith(("I", "F")):
                raise ValueError(f"{path} has more than 8 bits a pixel (Pillow's mode {file.mode}); save it with 8")
            if (frames := getattr(file, "n_frames", 1)) > 1:
                raise ValueError(f"{path} holds {frames} pictures; save each in a file of its own")
            upright = ImageOps.exif_transpose(file)
            if upright.has_transparency_data:
                behind = Image.new("RGBA", upright.size, (round(255 * background),) * 3 + (255,))
                upright = Image.alpha_composite(behind, upright.convert("RGBA"))
            image = upright.convert("L")
    except (UnidentifiedImageError, IsADirectoryError, PermissionError) as error:
        raise ValueError(f"{path} is no image that Pillow reads; move it out of the folder of its class") from error
    except OSError as error:
        raise ValueError(f"{path} is a damaged image ({error}); copy it again, or move it away") from error
    if size is not None:
        image = image.resize((size[1], size[0]), Image.Resampling.BOX)
    return np.asarray(image)


def _load(data: _DataSet, split: Split, dtype: Dtype) -> Rows:
    _check(split, dtype)
    file = files("linvae").joinpath("data", f"{data.stem}.npz")
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return _rows(arrays[f"{split}_images"], arrays[f"{split}_labels"], dtype)


def _fetch(data: _DataSet, split: Split, dtype: Dtype, verbose: bool) -> Rows:
    _check(split, dtype)
    folder = os.environ.get("LINVAE_DATA")
    images, labels = _from_folder(data, split, Path(folder)) if folder else _from_openml(data, split, verbose)
    if labels[:10].tolist() != data.first[split]:
        raise ValueError(
            f"these labels begin {labels[:10].tolist()}, {data.name}'s begin {data.first[split]}: another data set? "
            f"Put {data.name}'s files in a subfolder named {data.stem} of the folder that LINVAE_DATA names"
        )
    return _rows(images, labels, dtype)


def _from_folder(data: _DataSet, split: Split, folder: Path) -> list[NDArray[np.uint8]]:
    folder = folder / data.stem if (folder / data.stem).is_dir() else folder
    n = len(range(70_000)[_ROWS[split]])
    arrays = []
    for kind, shape in zip(_KINDS, [(n, 28, 28), (n,)], strict=True):
        name = f"{_PREFIX[split]}-{kind}"
        path = next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)
        if path is None:
            raise FileNotFoundError(
                f"{name} (or {name}.gz) is not in {folder}, the folder LINVAE_DATA names; put {data.name}'s four files "
                f"there ({_FILES}), or unset LINVAE_DATA to fetch them from OpenML, or use load_{data.stem}()"
            )
        arrays.append(read_idx(path))
        if arrays[-1].shape != shape:
            raise ValueError(f"{path} has shape {arrays[-1].shape}, expected {shape}; copy {data.name}'s {name} again")
    return arrays


def _from_openml(data: _DataSet, split: Split, verbose: bool) -> list[NDArray[Any]]:
    from sklearn.datasets import fetch_openml  # here, so that importing linvae stays quick

    if verbose:
        print(f"{data.name}: downloaded from OpenML once, then read from scikit-learn's cache ...", file=sys.stderr)
    parser = "pandas" if find_spec("pandas") else "liac-arff"  # pandas is quicker, but linvae does not require it
    try:
        X, y = fetch_openml(data.openml, version=1, as_frame=False, return_X_y=True, parser=parser)
    except (OSError, HTTPException) as error:
        raise ConnectionError(
            f"OpenML did not give {data.name} ({error}); set LINVAE_DATA to a folder that holds {_FILES} "
            f"(plain or .gz), or use load_{data.stem}(), which is offline"
        ) from error
    if X.shape != (70_000, 784):
        raise ValueError(f"OpenML's {data.openml} has shape {X.shape}, expected (70000, 784); set LINVAE_DATA instead")
    return [X[_ROWS[split]].astype(np.uint8), y[_ROWS[split]].astype(np.int64)]


def _rows(images: NDArray[Any], labels: NDArray[Any], dtype: Dtype) -> Rows:
    X = images.reshape(len(images), -1)
    return np.divide(X, 255, dtype=np.float32) if dtype == "float32" else X, labels.astype(np.int64)


def _check(split: str, dtype: str) -> None:
    for name, value, choices in (("split", split, get_args(Split)), ("dtype", dtype, get_args(Dtype))):
        if value not in choices:
            raise ValueError(f"{name}={value!r}; choose {' or '.join(map(repr, choices))}")
