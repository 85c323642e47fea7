"""Scores: arrays in, numbers out.

`outside_span` asks how much of an image no point of an affine subspace can reach.  The one equation:
|(I - P)(x - mu)|^2 / |x - mu|^2, P the projector on the span.  Chapter: "Least squares undoes PCA".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import orth

from .moments import _as_rows


def outside_span(X: ArrayLike, components: ArrayLike, mean: ArrayLike) -> float:
    """Return the share of energy of X (n, d) outside the affine span mean + rowspan(components).

    Energy is squared distance to the mean, summed over rows; the share runs from 0 (all inside) to 1 (all outside).

    Parameters
    ----------
    X : array (n, d)
    components : array (k, d)
        Any rows that span the subspace; they need not be orthonormal or independent.  Directions that differ by less
        than rounding in the precision given (float32 or float64) count as one.
    mean : array (d,)

    Raises
    ------
    ValueError
        If the widths differ, an entry is not finite, or every row equals the mean (there is no energy to share).
    """
    X, V = np.asarray(_as_rows(X, "X"), np.float64), _as_rows(components, "components")
    precision = np.finfo(V.dtype if V.dtype.kind == "f" else np.float64).eps
    V, mean = np.asarray(V, np.float64), np.asarray(mean, np.float64)
    if V.shape[1] != X.shape[1] or mean.shape != X.shape[1:]:
        raise ValueError(f"X {X.shape}, components {V.shape} and mean {mean.shape} differ in their number of pixels")
    if not all(np.isfinite(part).all() for part in (X, V, mean)):
        raise ValueError("X, components or mean contains NaN or infinity; drop or impute those rows first")
    centred = X - mean
    if not centred.any():
        raise ValueError(f"no energy to share out: there are {len(X)} rows, and each equals the mean; give other rows")
    centred /= np.abs(centred).max()
    lengths = np.linalg.norm(V, axis=1, keepdims=True)
    directions = V / np.where(lengths > 0, lengths, 1)  # of unit length, so that rank is a question of angles alone
    Q = orth(directions.T, rcond=max(V.shape) * precision)
    energy = np.vdot(centred, centred)
    residual = centred - (centred @ Q) @ Q.T
    return float(np.vdot(residual, residual) / energy)
