"""City-block distances compiled by numba, the extra `linvae[fast]`; without it `linvae.transport` asks SciPy.

Compiled on import, so that whatever numba cannot do here shows there, and kept for the next process where some folder
can be written to.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit, types

from ._checks import Array

ROWS, COLUMNS = 64, 16
"""Images of X and Y held in the processor's cache at one time."""

ROWS_OF_PIXELS = types.Array(types.float64, 2, "C", readonly=True)


def _compile(function: Callable[..., Array]) -> Callable[[Array, Array], Array]:
    # Sums may be reordered, so that several pixels are added at once; NaN and infinity keep their meaning.
    options = {"fastmath": {"reassoc", "contract", "nsz"}}
    signature = types.float64[:, ::1](ROWS_OF_PIXELS, ROWS_OF_PIXELS)
    try:
        return njit(signature, cache=True, **options)(function)
    except (RuntimeError, OSError):  # no folder to keep it in: a read-only installation without a home, or a full disk
        return njit(signature, **options)(function)


@_compile
def cityblock(X: Array, Y: Array) -> Array:  # pragma: no cover (compiled)
    """Return sum_p |x_ip - y_jp| (n, m) for float64 X (n, d) and Y (m, d)."""
    n, d = X.shape
    m = Y.shape[0]
    distances = np.empty((n, m))
    for top in range(0, n, ROWS):
        for left in range(0, m, COLUMNS):
            for i in range(top, min(n, top + ROWS)):
                for j in range(left, min(m, left + COLUMNS)):
                    total = 0.0
                    for p in range(d):
                        total += abs(X[i, p] - Y[j, p])
                    distances[i, j] = total
    return distances
