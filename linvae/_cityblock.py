"""City-block distances compiled by numba, the extra `linvae[fast]`; without it `linvae.transport` asks SciPy."""

from __future__ import annotations

import numpy as np
from numba import njit

from ._checks import Array

ROWS, COLUMNS = 64, 16
"""Images of X and Y held in the processor's cache at one time."""


# Sums may be reordered, so that several pixels are added at once; NaN and infinity keep their meaning.
@njit(fastmath={"reassoc", "contract", "nsz"}, cache=True)
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
