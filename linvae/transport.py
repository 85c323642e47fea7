"""Distances between distributions: arrays or moments in, one number out.

The one equation: W_1(mu, nu) = min over couplings of the mean ground distance between x and y (Kantorovich 1942), a
linear programme for two samples.  Python Optimal Transport (POT; Flamary et al. 2021) solves it.  Where POT is not
installed, as in a browser, SciPy still matches two samples of one size without weights.
Chapter: *wasserstein*.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh, svdvals
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from ._checks import Array, check_choice, check_count, check_pair, check_random_state, check_unmasked
from .moments import RANK_TOLERANCE, Moments

GROUNDS = ("cityblock", "euclidean", "chebyshev")
"""Ground distances by SciPy's names: the sum, the root of the sum of squares, the largest of the pixel differences."""

MAX_PAIRS = 10**8
"""Pairs of images that a cost matrix may hold, as 10,000 against 10,000: 0.8 GB, and some four times that in the
linear programme."""

GAP = 1e-9
"""What may lie between the cost of the plan found and the bound that proves it the cheapest, as a share of the cost."""

CUT = 2.0**-7
"""While the gap stays open, costs are cut off at this share of where they were; a power of 2, which rounds nothing."""


def wasserstein1(
    X: ArrayLike,
    Y: ArrayLike,
    ground: str = "cityblock",
    *,
    x_weights: ArrayLike | None = None,
    y_weights: ArrayLike | None = None,
    max_iter: int = 10**8,
) -> float:
    """Return the 1-Wasserstein distance between two samples, in the unit of the pixels: exact to 1e-9 of itself.

    Every number returned is proved by duality: potentials with u_i + v_j <= C_ij bound the cost of all plans from
    below, a'u + b'v <= <plan, C>, and both sides agree.  Outliers that dominate the distance, are copies of each other
    or have no mass do no harm; where one of mass below 1e-5 or so adds to it from 1e5 times as far, float64 cannot
    hold the proof.  A distance below (n + m) 2e-16 of the mean distance of X to Y is the rounding of the masses.

    With the extra `linvae[fast]` the city-block costs are some four times as quick.  Without POT, samples of one size
    and without weights are matched by SciPy: among their cheapest plans is a matching (Birkhoff 1946).  The answer is
    the same to rounding, but nothing proves it, and max_iter is not asked for.

    Parameters
    ----------
    X : array (n, d)
    Y : array (m, d)
        n and m may differ; n * m is at most `MAX_PAIRS`.
    ground : "cityblock", "euclidean" or "chebyshev"
        The distance between two images; "cityblock", the L1 norm, is the talk's.
    x_weights, y_weights : array (n,), (m,) or None
        Masses, not negative, with sum 1 up to rounding; None means equal ones.
    max_iter : int
        Of the network simplex.

    Raises
    ------
    ValueError
        If the widths differ, ground is unknown, a weight is no mass, or there are too many pairs.
    RuntimeError
        If the linear programme stops before its optimum, or its optimum cannot be proved: drop or rescale outliers.
    ModuleNotFoundError
        If the sizes differ or there are weights, and POT is not installed.

    Examples
    --------
    >>> wasserstein1([[0.0], [1.0]], [[2.0], [3.0]])
    2.0
    """
    X, Y = check_pair(X, Y)
    a, b = _masses("x_weights", x_weights, len(X)), _masses("y_weights", y_weights, len(Y))
    X, Y, pixel = scaled(X[a > 0], Y[b > 0])  # an image without mass may lie anywhere
    max_iter = check_count("max_iter", max_iter)
    try:
        ot = _pot("wasserstein1 of samples of two sizes, or with weights,")
    except ModuleNotFoundError:
        if len(X) != len(Y) or x_weights is not None or y_weights is not None:
            raise
        C = _costs(X, Y, ground)
        return float(C[linear_sum_assignment(C)].mean()) * pixel
    return _cheapest(ot, a[a > 0], b[b > 0], _costs(X, Y, ground), max_iter) * pixel


def _cheapest(ot: Any, a: Array, b: Array, C: Array, max_iter: int) -> float:
    """Return min <plan, C> over the plans from masses a (n,) to b (m,), once a bound from below has met it.

    The simplex takes costs within some 1e-14 of the largest for equal, so one far image blurs all the others.  Costs
    that are cut off have no such image, and the potentials that they allow C allows too: if the bound still meets the
    true cost of the plan, nothing was lost by the cut.
    """
    scale = power_of_two(C.max())
    C = C / scale
    cut, unit = C, 1.0
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the error below says the same
            plan, log = ot.emd(a, b, cut, numItermax=max_iter, log=True)
        if log["warning"]:
            raise RuntimeError(f"the linear programme stopped early: {log['warning']} (max_iter={max_iter}; raise it)")
        cost = float(np.vdot(plan, C))
        v = (cut - log["u"][:, None]).min(axis=0)  # the highest that u allows, and then the highest that v allows
        bound = float(a @ (cut - v).min(axis=1) + b @ v) * unit
        if cost == 0 or abs(cost - bound) <= GAP * cost:
            return cost * scale
        unit *= CUT
        if unit < cost:
            break
        cut = np.minimum(C / unit, 1)
    if cost <= (len(a) + len(b)) * np.finfo(float).eps * (a @ C @ b):  # what the rounding of masses may cost
        return cost * scale
    raise RuntimeError(
        f"the distance is lost in rounding: the farthest images lie {C.max() / cost:.3g} times as far apart as a plan "
        f"costs, which no bound met within {GAP:.0e} of itself; drop or rescale outliers"
    )


def sinkhorn_divergence(
    X: ArrayLike, Y: ArrayLike, reg: float, ground: str = "cityblock", *, max_iter: int = 10_000
) -> float:
    """Return the debiased entropic transport cost S(X, Y) = T(X, Y) - T(X, X) / 2 - T(Y, Y) / 2 (Feydy et al. 2019).

    T is the mean cost of the plan plus reg times its relative entropy to the product of the two samples.  Near 0 it is
    W_1; for large reg it forgets all but an energy distance.

    Parameters
    ----------
    X, Y : array (n, d), (m, d)
    reg : float
        Above 0, in the unit of the ground distance.
    ground : str
        As in `wasserstein1`.
    max_iter : int

    Raises
    ------
    ValueError
        As `wasserstein1`, or if reg is not above 0.
    RuntimeError
        If the iteration has not converged.
    ModuleNotFoundError
        If POT is not installed.
    """
    ot = _pot("sinkhorn_divergence")
    if not 0 < reg < np.inf:
        raise ValueError(f"reg={reg}; give a finite number above 0, such as a twentieth of the mean distance")
    max_iter = check_count("max_iter", max_iter)
    X, Y = check_pair(X, Y)

    def cost(A: Array, B: Array) -> float:
        masses = _masses("", None, len(A)), _masses("", None, len(B))
        C = _costs(A, B, ground)
        plan, log = ot.sinkhorn(
            *masses, C, reg, method="sinkhorn_log", numItermax=max_iter, stopThr=1e-9, log=True, warn=False
        )
        if log["err"][-1] > 1e-6:
            raise RuntimeError(f"Sinkhorn has not converged in {max_iter} iterations; raise reg={reg} or max_iter")
        inside = plan[plan > 0]
        entropy = np.sum(inside * np.log(inside)) + np.log(len(A) * len(B))
        return float(np.vdot(plan, C) + reg * entropy)

    return cost(X, Y) - (cost(X, X) + cost(Y, Y)) / 2


def sliced_wasserstein(
    X: ArrayLike, Y: ArrayLike, n_projections: int = 500, *, p: float = 2, random_state: Any = None
) -> float:
    """Return the sliced p-Wasserstein distance: the p-mean of one-dimensional ones over random directions.

    The ground is Euclidean (Rabin et al. 2011; Bonneel et al. 2015).  Cost n_projections (n + m) (d + ln(n + m)).

    Parameters
    ----------
    X, Y : array (n, d), (m, d)
    n_projections : int
        Directions drawn; the spread over seeds falls with its root.
    p : float
        1 or more.
    random_state : int, RandomState, Generator or None

    Raises
    ------
    ModuleNotFoundError
        If POT is not installed.
    """
    ot = _pot("sliced_wasserstein")
    X, Y, unit = scaled(*check_pair(X, Y))
    if not 1 <= p < np.inf:
        raise ValueError(f"p={p}; give a finite power of 1 or more")
    n_projections = check_count("n_projections", n_projections)
    directions = check_random_state(random_state).standard_normal((X.shape[1], n_projections))
    directions /= np.linalg.norm(directions, axis=0)
    return float(ot.sliced_wasserstein_distance(X, Y, p=p, projections=directions) * unit)


def gaussian_w2(a: Moments, b: Moments) -> float:
    """Return the 2-Wasserstein distance of the Gaussians with these moments, in the unit of the pixels.

    W_2^2 = |m_a - m_b|^2 + tr C_a + tr C_b - 2 tr (C_a^(1/2) C_b C_a^(1/2))^(1/2), Euclidean ground (Dowson and Landau
    1982; Olkin and Pukelsheim 1982; Givens and Shortt 1984).  For any two distributions with these moments it is a
    lower bound (Gelbrich 1990).  Its square is exact to about 1e-14 of
    tr C_a + tr C_b, or to 1e-6 where a covariance has directions that hold less than 1e-12 of its largest variance:
    they count as none.  All pixels share one unit here, so this bound does not depend on it.
    """
    if not (isinstance(a, Moments) and isinstance(b, Moments)):
        raise TypeError(f"a is a {type(a).__name__} and b a {type(b).__name__}; give Moments, such as Moments.of(X)")
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"a has {a.mean.size} pixels and b has {b.mean.size}; give moments of equal width")
    shift = a.mean - b.mean
    # Any roots R R' = C will do: the last trace is the sum of the singular values of R_a' R_b.
    shared = svdvals(_root(a.covariance).T @ _root(b.covariance)).sum()
    squared = shift @ shift + np.trace(a.covariance) + np.trace(b.covariance) - 2 * shared
    return float(np.sqrt(max(squared, 0.0)))  # rounding may leave equal moments a hair below 0


def _root(C: Array) -> Array:
    """Return R (d, r) with R R' = C, without the directions that hold no variance."""
    values, vectors = eigh(C)
    kept = values > RANK_TOLERANCE * max(values[-1], 0.0)
    return vectors[:, kept] * np.sqrt(values[kept])


def _pot(task: str) -> Any:
    """Return POT, which is imported here, so that importing linvae stays quick and works where it is not."""
    try:
        import ot
    except ModuleNotFoundError as error:
        if error.name != "ot":  # POT itself lacks something
            raise
        raise ModuleNotFoundError(
            f"{task} needs Python Optimal Transport, which is not installed: pip install pot; without it, wasserstein1 "
            "takes two samples of one size and no weights",
            name="ot",
        ) from None
    return ot


def power_of_two(largest: float) -> float:
    """Return a power of 2 near `largest`, or 1 for 0: to divide by it rounds nothing."""
    return float(np.ldexp(1.0, int(np.frexp(largest)[1]) - 1)) if largest > 0 else 1.0


def scaled(X: Array, Y: Array) -> tuple[Array, Array, float]:
    """Return X and Y in a unit in which squares neither overflow nor vanish, and that unit."""
    unit = power_of_two(max(np.abs(X).max(), np.abs(Y).max()))
    return X / unit, Y / unit, unit


def _masses(name: str, weights: ArrayLike | None, n: int) -> Array:
    if weights is None:
        return np.full(n, 1 / n)
    check_unmasked(weights, name)
    masses: Array = np.asarray(weights, np.float64)
    if masses.shape != (n,) or not (masses >= 0).all() or not np.isclose(masses.sum(), 1, rtol=0, atol=1e-6):
        raise ValueError(
            f"{name} has shape {masses.shape}, minimum {masses.min(initial=np.inf):.4g} and sum {masses.sum():.6g}; "
            f"give {n} masses, none below 0, with sum 1 (divide them by their sum)"
        )
    return masses / masses.sum()  # float32 masses miss 1 by 1e-7


def _costs(X: Array, Y: Array, ground: str) -> Array:
    """Return the distances (n, m) of every image of X to every image of Y."""
    check_choice("ground", ground, GROUNDS)
    if len(X) * len(Y) > MAX_PAIRS:
        raise ValueError(
            f"{len(X)} against {len(Y)} images are {len(X) * len(Y):.2g} pairs, above {MAX_PAIRS:.0e}, whose linear "
            "programme would take gigabytes; draw fewer rows, or use sliced_wasserstein, which has no cost matrix"
        )
    compiled = _compiled_cityblock() if ground == "cityblock" else None
    return compiled(X, Y) if compiled else cdist(X, Y, ground)


@cache
def _compiled_cityblock() -> Callable[[Array, Array], Array] | None:
    """Return numba's city-block distances, or None where numba is absent or does not work."""
    if not find_spec("numba"):
        return None
    try:
        from ._cityblock import cityblock
    except Exception as error:  # numba checks NumPy, finds LLVM and compiles, and each fails in its own way
        warnings.warn(f"numba does not work here, so SciPy's slower distances are used: {error!r}", stacklevel=4)
        return None
    return cityblock
