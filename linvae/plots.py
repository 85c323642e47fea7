"""Figures of the book: arrays in, `ax` out.

A curve carries its name at its end and a row of images its name at the left, so that no figure needs a legend.
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
from matplotlib.colors import to_rgb
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, MaxNLocator
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
    return image_rows({"original": original, **reconstructions}, shape=shape, ax=ax)


def interpolation_strip(
    paths: Mapping[str, ArrayLike], *, shape: tuple[int, int] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw each named path of images (n_steps, d) as a row, first end at the left, last at the right."""
    return image_rows(paths, shape=shape, ax=ax)


def image_rows(named: Mapping[str, ArrayLike], *, shape: tuple[int, int] | None = None, ax: Axes | None = None) -> Axes:
    """Draw each named set of images (n, d) as a row, equally many a row, its name at the left.

    Parameters
    ----------
    named : {name: array (n, d)}
    shape : (height, width) or None
        Of one image; None means square.
    ax : Axes or None
        None makes a figure whose height fits the rows.

    Raises
    ------
    ValueError
        If the rows differ in length, or are no images of that shape.
    """
    rows = [check_rows(images, name) for name, images in named.items()]
    if len({len(row) for row in rows}) > 1:
        raise ValueError(f"rows of {[len(row) for row in rows]} images; give each row as many as the others")
    ax = _draw(rows, shape, ax)
    height = ax.images[-1].get_size()[0] + 1  # one empty pixel a row, the last row's included
    ax.set_yticks([(i + 0.5) * height / len(rows) - 1 for i in range(len(rows))], list(named))
    ax.tick_params(length=0)
    return ax


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
    beside = (-6, "right") if k > kept.size / 2 else (6, "left")  # of the dashed line
    ax.annotate(
        f"{name}: {note}" if name else note,
        (k, 0.1 + 0.1 * len(ax.texts)),
        (beside[0], 0),
        textcoords="offset points",
        horizontalalignment=beside[1],
        color=line.get_color(),
    )
    ax.set(xlabel="number of directions $k$", ylabel="share of variance kept", ylim=(0, 1.02))
    ax.set_xlim(0, max(kept.size, ax.get_xlim()[1] if len(ax.texts) > 1 else 0))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return ax


def curves(
    x: ArrayLike,
    named: Mapping[str, ArrayLike],
    *,
    colors: Mapping[str, str] | None = None,
    xscale: str = "linear",
    yscale: str = "linear",
    ax: Axes | None = None,
) -> Axes:
    """Draw each named curve y (n,) over x (n,), its name written at its end.

    Names that would touch are moved apart.  Limits of the axes are therefore set before: draw on an `ax` that has them,
    or leave them.

    Parameters
    ----------
    x : array (n,)
        Rising.
    named : {name: array (n,)}
    colors : {name: color} or None
        A name without gets its family's colour in `COLORS`, or one that no other curve has.
    xscale, yscale : str
        As matplotlib names them, such as "log".

    Raises
    ------
    ValueError
        If a curve has not as many points as x, or there is none.
    """
    x = np.asarray(x)
    curves = {name: np.asarray(y) for name, y in named.items()}
    if not curves or any(y.shape != x.shape for y in curves.values()) or x.ndim != 1 or not x.size:
        raise ValueError(f"curves of {[y.shape for y in curves.values()]} over x of {x.shape}; give a point for each x")
    ax = ax or plt.subplots()[1]
    ax.set(xscale=xscale, yscale=yscale)
    chosen = _colors(curves, colors)
    for name, y in curves.items():
        ax.plot(x, y, color=chosen[name])
    ends = {name: (x[np.isfinite(y)][-1], y[np.isfinite(y)][-1]) for name, y in curves.items() if np.isfinite(y).any()}
    ax.autoscale_view()
    heights = ax.transData.transform(list(ends.values()))[:, 1] * 72 / ax.figure.dpi
    moved = _apart(heights, 1.2 * plt.rcParams["font.size"])
    for (name, end), shift in zip(ends.items(), moved - heights, strict=True):
        ax.annotate(
            name,
            end,
            (6, shift),
            textcoords="offset points",
            va="center",
            color=_readable(chosen[name]),
            annotation_clip=False,
        )
    return ax


def dots(
    values: Mapping[str, ArrayLike],
    errors: Mapping[str, float] | None = None,
    *,
    colors: Mapping[str, str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a row a name, the first on top: one dot with a bar of one error to either side, or several dots on a line.

    Parameters
    ----------
    values : {name: value or array (n,)}
        Several values are a dot each, such as one for each draw, on a thin line from the lowest to the highest.
    errors : {name: error} or None
        Of names with one value; names without get no bar; say in the caption what a bar is.
    colors : {name: color} or None
        A name without gets its family's colour in `COLORS`, or black.

    Raises
    ------
    ValueError
        If there is no value, an error has not one value, or an error is negative.
    """
    errors = errors or {}
    rows = {name: np.atleast_1d(np.asarray(value, float)) for name, value in values.items()}
    if not rows or any(row.ndim != 1 or not row.size for row in rows.values()):
        raise ValueError(f"values of {[row.shape for row in rows.values()]}; give each name a number or an array (n,)")
    without = [name for name in errors if name not in rows or rows[name].size != 1]
    if without:
        raise ValueError(f"errors of {sorted(without)}, which have not one value each; give each its value")
    if any(error < 0 for error in errors.values()):
        raise ValueError(f"errors {dict(errors)}; give sizes, 0 or more")
    ax = ax or plt.subplots(figsize=(plt.rcParams["figure.figsize"][0], 0.8 + 0.36 * len(rows)))[1]
    for height, (name, row) in enumerate(rows.items()):
        color = (colors or {}).get(name) or COLORS.get(name, COLORS["real"])
        if row.size == 1:
            ax.errorbar(row[0], height, xerr=errors.get(name), fmt="o", color=color, capsize=3, linewidth=1.5)
        else:
            ax.plot(row, np.full(row.size, height), "o", color=color, markersize=5, alpha=0.7)
            ax.plot([row.min(), row.max()], [height, height], color=color, linewidth=1)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", color="#dddddd", linewidth=0.8)
    return ax


def plan(
    coupling: ArrayLike,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a transport plan (n, m): a square for each entry, its area the mass that goes from row i to column j.

    Parameters
    ----------
    coupling : array (n, m)
        Masses, none negative, not all zero.
    rows, columns : names or None
        Of the places that mass leaves and of those that it comes to; None means whole numbers from 1.

    Raises
    ------
    ValueError
        If the plan is no matrix of masses, or there is not one name a row and a column.
    """
    masses = np.asarray(coupling, float)
    if masses.ndim != 2 or not masses.size or not masses.min() >= 0 or not masses.max() > 0:
        raise ValueError(f"a plan of shape {masses.shape}; give a matrix of masses, none negative and not all zero")
    n, m = masses.shape
    names = [list(given) if given else [str(i + 1) for i in range(k)] for given, k in ((rows, n), (columns, m))]
    if len(names[0]) != n or len(names[1]) != m:
        raise ValueError(f"{len(names[0])} and {len(names[1])} names for a plan of {n} by {m}; give one each")
    ax = ax or plt.subplots()[1]
    for i, j in zip(*np.nonzero(masses), strict=True):
        side = 0.94 * math.sqrt(masses[i, j] / masses.max())
        corner = (float(j) - side / 2, float(i) - side / 2)
        ax.add_patch(Rectangle(corner, side, side, color=COLORS["least squares"], linewidth=0))
    ax.set(aspect="equal", xlim=(-0.5, m - 0.5), ylim=(n - 0.5, -0.5))
    ax.set_xticks(range(m), names[1])
    ax.set_yticks(range(n), names[0])
    for axis, k in ((ax.xaxis, m), (ax.yaxis, n)):
        axis.set_minor_locator(FixedLocator([i - 0.5 for i in range(k + 1)]))
    ax.grid(which="minor", color="#dddddd", linewidth=0.8)
    ax.tick_params(which="both", length=0)
    return ax


def matching(start: ArrayLike, end: ArrayLike, coupling: ArrayLike | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw who goes where: points of the plane (n, 2), the points (m, 2) they go to, and a line for each mass moved.

    Parameters
    ----------
    start, end : array (n, 2), (m, 2)
        Dots and squares.
    coupling : array (n, m) or None
        The widest line is its largest mass.  None pairs the points in their order, and asks for n = m.

    Raises
    ------
    ValueError
        If the points are not of the plane, or the plan has not an entry for each two of them.
    """
    start, end = np.asarray(start, float), np.asarray(end, float)
    masses = np.eye(len(start)) if coupling is None else np.asarray(coupling, float)
    if start.ndim != 2 or end.ndim != 2 or start.shape[1] != 2 or end.shape[1] != 2:
        raise ValueError(f"points of {start.shape} and {end.shape}; give (n, 2) and (m, 2)")
    if masses.shape != (len(start), len(end)) or not masses.max() > 0:
        raise ValueError(f"a plan of {masses.shape} for {len(start)} and {len(end)} points; give a mass for each two")
    ax = ax or plt.subplots()[1]
    for i, j in zip(*np.nonzero(masses), strict=True):
        width = 1.5 * masses[i, j] / masses.max()
        ax.plot(*np.array([start[i], end[j]]).T, color=COLORS["controls"], linewidth=width, zorder=1)
    ax.plot(*start.T, "o", color=COLORS["real"], markersize=8)
    ax.plot(*end.T, "s", color=COLORS["least squares"], markersize=8)
    return ax


def ellipse(
    mean: ArrayLike,
    covariance: ArrayLike,
    *,
    n_std: float = 2.0,
    name: str = "",
    color: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the points of the plane that lie n_std standard deviations from a Gaussian's mean.

    {m + n_std Q diag(lambda)^1/2 u : |u| = 1}, with the covariance S = Q diag(lambda) Q^T.  A share
    1 - exp(-n_std^2 / 2) of the Gaussian lies inside: 39 % at 1 and 86 % at 2.

    Parameters
    ----------
    mean : array (2,)
    covariance : array (2, 2)
        Symmetric, no eigenvalue below zero.
    n_std : float
        Above 0.
    name : str
        Written at the top of the ellipse.

    Raises
    ------
    ValueError
        If the shapes are others, the covariance is not symmetric or has a negative eigenvalue, or n_std is not above 0.
    """
    m, S = np.asarray(mean, float), np.asarray(covariance, float)
    if m.shape != (2,) or S.shape != (2, 2):
        raise ValueError(f"mean of {m.shape} and covariance of {S.shape}; a plane takes (2,) and (2, 2)")
    if not n_std > 0:
        raise ValueError(f"n_std={n_std}; give a number above 0")
    variances, Q = np.linalg.eigh(S)
    if not np.allclose(S, S.T) or variances[0] < -1e-12 * max(variances[1], 1):
        raise ValueError(f"eigenvalues {variances} of {S.tolist()}; a covariance is symmetric and has none below zero")
    angles = np.linspace(0, 2 * np.pi, 181)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    outline = m[:, None] + n_std * (Q * np.sqrt(np.maximum(variances, 0))) @ circle
    ax = ax or plt.subplots()[1]
    color = color or COLORS["real"]
    ax.plot(*outline, color=color)
    if name:
        top = outline[:, outline[1].argmax()]
        ax.annotate(
            name,
            (top[0], top[1]),
            (0, 4),
            textcoords="offset points",
            ha="center",
            va="bottom",
            color=_readable(color),
            annotation_clip=False,
        )
    return ax


def thumbnails(
    points: ArrayLike,
    images: ArrayLike,
    *,
    shape: tuple[int, int] | None = None,
    zoom: float = 0.8,
    ax: Axes | None = None,
) -> Axes:
    """Draw each image (n, d) at its point (n, 2) of the plane, on the gray scale of all images.

    Parameters
    ----------
    points : array (n, 2)
    images : array (n, d)
        A value outside [0, 1] is drawn as the nearer end of the scale.
    shape : (height, width) or None
        Of one image; None means square.
    zoom : float
        Points of the page a pixel.

    Raises
    ------
    ValueError
        If points and images are not equally many, or are of other shapes.
    """
    points, images = np.asarray(points, float), np.asarray(images)
    if points.shape != (len(images), 2) or images.ndim != 2:
        raise ValueError(f"points of {points.shape} and images of {images.shape}; give (n, 2) and (n, d)")
    h, w = _image_shape([images], shape)
    ax = ax or plt.subplots()[1]
    for point, image in zip(points, images, strict=True):
        picture = OffsetImage(image.reshape(h, w), zoom=zoom, cmap="gray", clim=(0, 1), interpolation="none")
        ax.add_artist(AnnotationBbox(picture, point, frameon=False, pad=0))
    ax.update_datalim(points)
    ax.margins(0.1)
    ax.autoscale_view()
    return ax


def arrow(
    start: ArrayLike, end: ArrayLike, name: str = "", *, color: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw an arrow from one point of the plane to another, its name at the tip.

    Raises
    ------
    ValueError
        If a point is not of shape (2,).
    """
    start, end = np.asarray(start, float), np.asarray(end, float)
    if start.shape != (2,) or end.shape != (2,):
        raise ValueError(f"points of {start.shape} and {end.shape}; a plane takes (2,)")
    tail, tip = (start[0], start[1]), (end[0], end[1])
    color = color or COLORS["variational"]
    ax = ax or plt.subplots()[1]
    ax.annotate(
        "", tip, tail, arrowprops={"arrowstyle": "-|>", "color": color, "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
    )
    if name:
        right = end[0] >= start[0]
        ax.annotate(
            name,
            tip,
            (5 if right else -5, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            color=_readable(color),
            annotation_clip=False,
        )
    ax.update_datalim([start, end])
    ax.autoscale_view()
    return ax


def _colors(names: Mapping[str, ArrayLike], given: Mapping[str, str] | None) -> dict[str, str]:
    """Return a colour for each name: the given one, its family's, or the next that is free."""
    chosen = {name: (given or {}).get(name) or COLORS.get(name) for name in names}
    free = [color for color in COLORS.values() if color not in chosen.values()] or list(COLORS.values())
    spare = iter(free * len(chosen))
    return {name: color or next(spare) for name, color in chosen.items()}


def _readable(color: str) -> tuple[float, float, float]:
    """Return the colour, darkened until words in it stand out 4.5 : 1 from white (WCAG 2)."""
    rgb = np.array(to_rgb(color))
    while 1.05 / (_luminance(rgb) + 0.05) < 4.5:
        rgb = 0.95 * rgb
    red, green, blue = rgb.tolist()
    return red, green, blue


def _luminance(rgb: Array) -> float:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _apart(heights: Array, gap: float) -> Array:
    """Return heights in the same order, neighbours at least a gap apart, moved as little as squares can tell."""
    order = np.argsort(heights, kind="stable")
    groups: list[list[float]] = []  # [sum of wanted lowest heights, members]
    for i, height in enumerate(heights[order]):
        groups.append([height - i * gap, 1])
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] > groups[-1][0] / groups[-1][1]:
            total, n = groups.pop()
            groups[-1][0] += total
            groups[-1][1] += n
    level = np.repeat([total / n for total, n in groups], [int(n) for _, n in groups])
    moved = np.empty(len(heights))
    moved[order] = level + gap * np.arange(len(heights))
    return moved


def _image_shape(rows: Sequence[Array], shape: tuple[int, int] | None) -> tuple[int, int]:
    """Return height and width of one image, or say that the images have no such shape or no such scale."""
    if not rows or any(row.ndim != 2 or len(row) == 0 for row in rows):
        raise ValueError(f"rows of shapes {[row.shape for row in rows]}; give one flat image a row, shape (n, d)")
    if any(row.dtype.kind in "iu" and row.max() > 1 for row in rows):
        raise ValueError("images hold whole numbers above 1; divide bytes by 255, white is 1 here")
    d = rows[0].shape[1]
    h, w = shape or (math.isqrt(d), math.isqrt(d))
    if any(row.shape[1] != h * w for row in rows):
        raise ValueError(f"images of {[row.shape[1] for row in rows]} pixels do not make {h} x {w}; give shape=")
    return h, w


def _starts(n: int, n_columns: int) -> range:
    if n == 0 or n_columns < 1:
        raise ValueError(f"{n} images in {n_columns} columns; give at least one of each")
    return range(0, n, n_columns)


def _draw(rows: Sequence[Array], shape: tuple[int, int] | None, ax: Axes | None) -> Axes:
    """Draw rows of images (n_i, d) as one picture, one empty pixel between neighbours."""
    h, w = _image_shape(rows, shape)
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
