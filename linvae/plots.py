"""Figures of the book: arrays in, `ax` out.

Images are drawn on one gray scale, black 0 to white 1, without interpolation or axes, so that two panels can be
compared.  `COLORS` gives each family of models one colour for the whole book (Okabe and Ito 2008, safe for
colour-blind readers).  Needs the extra `linvae[plot]`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.resources import files

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from ._checks import Array, check_rows, check_unmasked

COLORS = {
    "real": "#000000",
    "controls": "#7f7f7f",
    "least squares": "#0072b2",
    "variational": "#d55e00",
    "mixtures": "#009e73",
    "deep": "#cc79a7",
    "talk": "#e69f00",
}


def use_style() -> None:
    """Give every later figure the look of the book."""
    plt.style.use(str(files("linvae").joinpath("book.mplstyle")))


def image_grid(
    images: ArrayLike, n_columns: int = 10, *, shape: tuple[int, int] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw images (n, d) on a grid, row by row, gray levels from 0 (black) to 1 (white).

    A value outside [0, 1], which a linear decoder may well return, is drawn as the nearer end of the scale.

    Parameters
    ----------
    images : array (n, d)
    n_columns : int
        The last row of the grid may be shorter.
    shape : (height, width) or None
        Of one image; None means square, d = height * width.
    ax : Axes or None
        None makes a figure whose height fits the grid.

    Raises
    ------
    ValueError
        If there is no image, n_columns is below 1, or d pixels do not make an image of that shape.
    """
    images = check_rows(images, "images")
    return _draw([images[i : i + n_columns] for i in _starts(len(images), n_columns)], shape, ax)


def reconstruction_strip(
    original: ArrayLike,
    reconstructions: Mapping[str, ArrayLike],
    *,
    shape: tuple[int, int] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw originals (n, d) as the first row and each named set of reconstructions (n, d) as a row below."""
    if "original" in reconstructions:
        raise ValueError('a reconstruction is named "original", as the first row is; give it another name')
    return _named_rows({"original": original, **reconstructions}, shape, ax)


def interpolation_strip(
    paths: Mapping[str, ArrayLike], *, shape: tuple[int, int] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw each named path of images (n_steps, d) as a row, first end at the left, last at the right."""
    return _named_rows(paths, shape, ax)


def scree(
    explained_variance_ratio: ArrayLike,
    share: float = 0.95,
    *,
    name: str = "",
    color: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of variance kept by the first k directions against k, and mark the first k to reach `share`.

    This is the running sum of a scree plot's bars.  Called again on the same `ax`, it adds a curve.

    Parameters
    ----------
    explained_variance_ratio : array (k,)
        Largest first, as `PCA.explained_variance_ratio_`.
    share : float
        Above 0, up to 1.
    name : str
        Written beside the mark.
    color : color or None

    Raises
    ------
    ValueError
        If share is outside (0, 1], or the ratios never add up to it, or add up to more than 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share={share}; give a share of the variance, above 0 and up to 1")
    check_unmasked(explained_variance_ratio, "explained_variance_ratio")
    kept = np.cumsum(explained_variance_ratio)
    total = kept[-1] if kept.size else 0.0
    if total > 1 + 1e-6:
        raise ValueError(f"the ratios add up to {total:.3f}, above 1; give explained_variance_ratio_, not variances")
    reached = np.flatnonzero(kept >= share - 1e-12)  # a sum of ratios may miss 1 by rounding
    if not reached.size:
        raise ValueError(f"share={share} is not reached: {kept.size} directions keep {total:.3f} of the variance")
    ax = ax or plt.subplots()[1]
    k = int(reached[0]) + 1
    (line,) = ax.plot(np.arange(1, kept.size + 1), kept, color=color or COLORS["real"])
    ax.plot([k, k, 0], [0, share, share], color=COLORS["controls"], linewidth=1, linestyle="--")
    note = f"{100 * share:.4g}% at k = {k}"
    text, below = f"{name}: {note}" if name else note, 0.8 - 0.1 * len(ax.texts)
    ax.text(0.4, below, text, color=line.get_color(), transform=ax.transAxes)
    ax.set(xlabel="number of directions $k$", ylabel="share of variance kept", ylim=(0, 1.02))
    ax.set_xlim(0, max(kept.size, ax.get_xlim()[1] if len(ax.texts) > 1 else 0))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return ax


def _starts(n: int, n_columns: int) -> range:
    if n == 0 or n_columns < 1:
        raise ValueError(f"{n} images in {n_columns} columns; give at least one of each")
    return range(0, n, n_columns)


def _draw(rows: Sequence[Array], shape: tuple[int, int] | None, ax: Axes | None) -> Axes:
    """Draw rows of images (n_i, d) as one picture, one empty pixel between neighbours."""
    if not rows or any(row.ndim != 2 or len(row) == 0 for row in rows):
        raise ValueError(f"rows of shapes {[row.shape for row in rows]}; give one flat image a row, shape (n, d)")
    if any(row.dtype.kind in "iu" and row.max() > 1 for row in rows):
        raise ValueError("images hold whole numbers above 1; divide bytes by 255, white is 1 here")
    d = rows[0].shape[1]
    h, w = shape or (math.isqrt(d), math.isqrt(d))
    if any(row.shape[1] != h * w for row in rows):
        raise ValueError(f"images of {[row.shape[1] for row in rows]} pixels do not make {h} x {w}; give shape=")
    n_columns = max(map(len, rows))
    picture = np.full((len(rows) * (h + 1) - 1, n_columns * (w + 1) - 1), np.nan)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            picture[i * (h + 1) : i * (h + 1) + h, j * (w + 1) : j * (w + 1) + w] = image.reshape(h, w)
    if ax is None:
        width = plt.rcParams["figure.figsize"][0]
        ax = plt.subplots(figsize=(width, width * picture.shape[0] / picture.shape[1] + 0.2))[1]
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="none")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def _named_rows(named: Mapping[str, ArrayLike], shape: tuple[int, int] | None, ax: Axes | None) -> Axes:
    """Draw rows of equally many images, the name of each beside it."""
    rows = [check_rows(images, name) for name, images in named.items()]
    if len({len(row) for row in rows}) > 1:
        raise ValueError(f"rows of {[len(row) for row in rows]} images; give each row as many as the others")
    ax = _draw(rows, shape, ax)
    height = ax.images[-1].get_size()[0] + 1  # one empty pixel a row, the last row's included
    ax.set_yticks([(i + 0.5) * height / len(rows) - 1 for i in range(len(rows))], list(named))
    ax.tick_params(length=0)
    return ax
