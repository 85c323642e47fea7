"""Distances between distributions: axioms, closed forms, rivals, duality, known truth, bad input.

Statements C24, C25, C26, C29, C30, C31; slip L10.
"""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import sqrtm
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist
from scipy.stats import ortho_group, wasserstein_distance, wasserstein_distance_nd

import linvae.transport
from linvae import Moments
from linvae.datasets import load_mnist
from linvae.metrics import nearest_train_distance
from linvae.transport import GROUNDS, gaussian_w2, sinkhorn_divergence, sliced_wasserstein, wasserstein1

# Pixels between -1e3 and 1e3: distances of at most 3 of them stay below 6e3, of which the linear programme keeps 1e-13.
PIXELS = st.floats(-1e3, 1e3, allow_subnormal=False)
CLOSE = {"rtol": 1e-10, "atol": 1e-8}
LEVELS = st.integers(0, 255)
DIAMETERS = {"cityblock": lambda d: d, "euclidean": np.sqrt, "chebyshev": lambda d: 1}  # of the cube [0, 1]^d
grounds = st.sampled_from(GROUNDS)


@st.composite
def samples(draw, number=2, elements=PIXELS, same_size=False, max_d=3):
    d, n = draw(st.integers(1, max_d)), draw(st.integers(1, 6))
    sizes = [n if same_size else draw(st.integers(1, 6)) for _ in range(number)]
    return [draw(hnp.arrays(np.float64, (size, d), elements=elements)) for size in sizes]


def assigned(X, Y, ground, p=1):
    """W_p of two samples of one size: among the cheapest plans of equal masses is a matching (Birkhoff)."""
    C = cdist(X, Y, ground) ** p
    return C[linear_sum_assignment(C)].mean() ** (1 / p)


def gaussian(mean, C):
    return Moments(1, np.asarray(mean, float), np.asarray(C, float))


def spd(rng, d):
    R = rng.normal(size=(d, d + 2))
    return R @ R.T


# --- wasserstein1: a metric ------------------------------------------------------------------------------------------


@given(samples(3), grounds)
def test_w1_is_symmetric_and_keeps_the_triangle_inequality(parts, ground):
    X, Y, Z = parts
    xy = wasserstein1(X, Y, ground)
    assert xy >= 0
    assert_allclose(wasserstein1(Y, X, ground), xy, **CLOSE)
    assert wasserstein1(X, Z, ground) <= xy + wasserstein1(Y, Z, ground) + 1e-8


@given(samples(elements=LEVELS, same_size=True), st.randoms(use_true_random=False), grounds)
def test_w1_is_zero_for_the_same_rows_in_any_order_and_for_no_others(parts, random, ground):
    X, Y = parts
    order = random.sample(range(len(X)), len(X))
    assert wasserstein1(X, X[order], ground) == 0
    same = sorted(X.tolist()) == sorted(Y.tolist())
    distance = wasserstein1(X, Y, ground)
    assert distance == 0 if same else distance > 0.99 / len(X)  # gray levels are whole, so two rows differ by 1 or more


@given(samples(), st.floats(0.01, 100), hnp.arrays(np.float64, 3, elements=PIXELS), grounds)
def test_w1_follows_the_unit_and_ignores_a_shift_of_both(parts, scale, shift, ground):
    X, Y = parts
    t = shift[: X.shape[1]]
    distance = wasserstein1(X, Y, ground)
    assert_allclose(wasserstein1(scale * X, scale * Y, ground), scale * distance, rtol=1e-10, atol=1e-6)  # 100 on CLOSE
    assert_allclose(wasserstein1(X + t, Y + t, ground), distance, **CLOSE)
    assert_allclose(wasserstein1(X, X + t, ground), cdist([t], [0 * t], ground)[0, 0], **CLOSE)


@pytest.mark.parametrize("scale", [1e-200, 1e-12, 1e-6, 1e6, 1e200])
def test_w1_is_exact_in_any_unit(scale):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(50, 3)), rng.normal(size=(40, 3))
    for ground in ("cityblock", "chebyshev"):  # SciPy's Euclidean distance squares its pixels
        seen = wasserstein1(X * scale, Y * scale, ground) / scale
        # Rounding; a solver with an absolute tolerance of 1e-14 would be wrong by 1 % at 1e-12.
        assert seen == pytest.approx(wasserstein1(X, Y, ground), rel=1e-11)


@given(samples(), st.data(), grounds)
def test_whole_weights_are_repeated_rows_and_no_weight_is_no_row(parts, data, ground):
    X, Y = parts
    counts = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(X), max_size=len(X)).filter(any)))
    repeated = np.repeat(X, counts, axis=0)
    weights = counts / counts.sum()
    assert_allclose(wasserstein1(X, Y, ground, x_weights=weights), wasserstein1(repeated, Y, ground), **CLOSE)
    assert_allclose(wasserstein1(Y, X, ground, y_weights=weights.tolist()), wasserstein1(Y, repeated, ground), **CLOSE)


def test_one_image_against_many_is_the_mean_distance():
    X = np.random.default_rng(0).normal(size=(20, 4))
    for ground in GROUNDS:  # there is only one plan
        assert wasserstein1(X[:1], X, ground) == pytest.approx(cdist(X[:1], X, ground).mean(), rel=1e-12)


# --- wasserstein1: rivals --------------------------------------------------------------------------------------------


@given(samples(same_size=True), grounds)
def test_w1_of_equal_sizes_is_the_cheapest_matching(parts, ground):
    assert_allclose(wasserstein1(*parts, ground), assigned(*parts, ground), **CLOSE)


@given(samples(max_d=1), grounds)
def test_in_one_dimension_w1_is_scipys(parts, ground):
    X, Y = parts
    assert_allclose(wasserstein1(X, Y, ground), wasserstein_distance(X[:, 0], Y[:, 0]), **CLOSE)
    w = np.arange(1.0, len(X) + 1)
    weighted = wasserstein_distance(X[:, 0], Y[:, 0], w)
    assert_allclose(wasserstein1(X, Y, ground, x_weights=w / w.sum()), weighted, **CLOSE)


def test_under_the_euclidean_ground_w1_is_scipys_linear_programme():
    rng = np.random.default_rng(0)
    X, Y, w = rng.normal(size=(12, 3)), rng.normal(size=(9, 3)), rng.dirichlet(np.ones(9))
    theirs = wasserstein_distance_nd(X, Y, v_weights=w)
    assert wasserstein1(X, Y, "euclidean", y_weights=w) == pytest.approx(theirs, rel=1e-7)  # HiGHS's tolerance


@pytest.mark.parametrize("n", [200, 300])
def test_at_the_size_of_a_score_w1_is_still_the_cheapest_matching(n):
    X, Y = np.random.default_rng(n).random((2, n, 30))
    for ground in GROUNDS:
        assert wasserstein1(X, Y, ground) == pytest.approx(assigned(X, Y, ground), rel=1e-12)


@pytest.fixture
def without_pot():
    """Return a context in which POT is not installed: to import it fails."""

    @contextmanager
    def absent():
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, "ot", None)
            yield

    return absent


@pytest.mark.parametrize("scale", [1e-12, 1, 1e6])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (7, 1), (40, 3), (200, 30)])
def test_without_pot_two_samples_of_one_size_get_the_same_w1(n, d, scale, without_pot):
    X, Y = scale * np.random.default_rng(n).random((2, n, d))
    for ground in GROUNDS:
        with_pot = wasserstein1(X, Y, ground)
        with without_pot():
            # Both sum the same n costs: what POT proves to 1e-9 it reaches to rounding here.
            assert wasserstein1(X, Y, ground) == pytest.approx(with_pot, rel=1e-12)
            assert wasserstein1(X, X[::-1], ground) == 0


def test_without_pot_what_needs_it_says_how_to_get_it(without_pot):
    X, Y = np.zeros((3, 2)), np.ones((2, 2))
    asks = {
        "wasserstein1 of samples of two sizes, or with weights,": [
            lambda: wasserstein1(X, Y),
            lambda: wasserstein1(X, X, x_weights=[1, 0, 0]),
            lambda: wasserstein1(X[:2], Y, y_weights=[0.5, 0.5]),
        ],
        "sinkhorn_divergence": [lambda: sinkhorn_divergence(X, Y, 1.0)],
        "sliced_wasserstein": [lambda: sliced_wasserstein(X, Y)],
    }
    with without_pot():
        for name, calls in asks.items():
            for call in calls:
                with pytest.raises(
                    ModuleNotFoundError, match=f"^{name} needs Python Optimal Transport.*pip install pot"
                ):
                    call()


@pytest.mark.parametrize(("n", "m"), [(1, 1), (63, 17), (64, 16), (130, 33)])  # within, at and beyond a block
@pytest.mark.parametrize("d", [1, 3, 784])
def test_compiled_distances_are_scipys_to_rounding(n, m, d):
    pytest.importorskip("numba")
    from linvae._cityblock import cityblock

    rng = np.random.default_rng(n)
    X, Y = rng.random((n, d)), rng.random((m, d))
    # A sum of d terms, none negative, in whatever order, keeps d eps of itself; there are two such sums.
    assert_allclose(cityblock(X, Y), cdist(X, Y, "cityblock"), rtol=2 * d * np.finfo(float).eps)


@pytest.fixture
def fresh_kernel():
    """Let the package look for numba again, before and after."""
    linvae.transport._compiled_cityblock.cache_clear()
    yield
    linvae.transport._compiled_cityblock.cache_clear()


def test_compiled_distances_are_used_where_numba_is_and_scipys_elsewhere(monkeypatch, fresh_kernel):
    X, Y = np.random.default_rng(0).random((2, 30, 5))
    calls = []
    monkeypatch.setattr("linvae.transport.cdist", lambda *args: calls.append(args[2]) or cdist(*args))
    monkeypatch.setattr("linvae.transport.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "linvae._cityblock", None)  # to import it would now fail
    plain = wasserstein1(X, Y)
    assert calls == ["cityblock"]
    monkeypatch.undo()
    linvae.transport._compiled_cityblock.cache_clear()
    pytest.importorskip("numba")
    monkeypatch.setattr("linvae.transport.cdist", None)
    assert wasserstein1(X, Y) == pytest.approx(plain, rel=1e-13)  # as above, with d = 5


def test_a_numba_that_does_not_work_gives_scipys_distances_and_a_warning(monkeypatch, fresh_kernel):
    monkeypatch.setattr("linvae.transport.find_spec", lambda name: True)
    monkeypatch.setitem(sys.modules, "linvae._cityblock", None)  # to import it fails, as numba does under a new NumPy
    with pytest.warns(UserWarning, match="numba does not work here, so SciPy's slower distances are used"):
        assert wasserstein1([[0.0], [1.0]], [[2.0], [3.0]]) == 2
    assert wasserstein1([[0.0], [1.0]], [[2.0], [3.0]]) == 2  # said once


def test_a_read_only_installation_without_a_home_compiles_anew(tmp_path):
    pytest.importorskip("numba")
    source = Path(linvae.transport.__file__).parent
    shutil.copytree(source, tmp_path / "linvae", ignore=shutil.ignore_patterns("__pycache__", "data"))
    (tmp_path / "linvae" / "__pycache__").touch()  # a file where the folder would be stops even the administrator
    code = """
import numpy as np, linvae
from linvae.transport import _compiled_cityblock, wasserstein1
assert _compiled_cityblock() is not None
X, Y = np.zeros((2, 3)), np.ones((2, 3))
print(linvae.__file__, wasserstein1(X, Y))
"""
    no_home = {"HOME": os.devnull, "XDG_CACHE_HOME": os.path.join(os.devnull, "cache"), "PYTHONPATH": str(tmp_path)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")} | no_home
    run = [sys.executable, "-W", "error::UserWarning", "-c", code]
    done = subprocess.run(run, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "linvae" / "__init__.py"), "3.0"]


def test_images_that_cannot_be_written_to_are_compared_too():
    X, Y = np.random.default_rng(0).random((2, 10, 3))
    expected = sinkhorn_divergence(X, Y, 1.0)
    X.setflags(write=False)
    assert sinkhorn_divergence(X, Y, 1.0) == expected


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "bool"])
def test_images_of_any_type_are_compared_as_float64_and_left_as_they_are(dtype):
    rng = np.random.default_rng(0)
    X, Y = rng.integers(0, 256, (15, 6)).astype(dtype), rng.integers(0, 256, (15, 6)).astype(dtype)
    kept = X.copy()
    for score in (
        wasserstein1,
        lambda A, B: sliced_wasserstein(A, B, 10, random_state=0),
        lambda A, B: sinkhorn_divergence(A, B, 1e3),
    ):
        assert score(X, Y) == score(X.astype(float), Y.astype(float))  # bytes would wrap around: 3 - 5 = 254
        assert score(X.tolist(), Y) == score(X, Y)
    assert_array_equal(X, kept)


# --- wasserstein1: outliers ------------------------------------------------------------------------------------------

FAR = [10.0**e for e in (6, 8, 10, 12, 13, 14, 15, 16, 17, 18)]


@pytest.mark.parametrize("far", FAR)
@pytest.mark.parametrize("d", [1, 3])
def test_an_outlier_that_both_samples_hold_leaves_the_others_exact(far, d):
    X, Y = np.random.default_rng(0).random((2, 30, d))
    X[0] = Y[5] = far
    truth = assigned(X[1:], np.delete(Y, 5, axis=0), "cityblock") * 29 / 30  # the copies cost nothing
    assert wasserstein1(X, Y) == pytest.approx(truth, rel=1e-9)  # the stated gap; before, 35 % off at 1e14


@pytest.mark.parametrize("far", [*FAR, 1e308])
def test_an_outlier_without_mass_is_no_outlier(far):
    X, Y = 1e-6 * np.random.default_rng(0).random((2, 30, 3))  # in the unit of 1e308 these have ten digits
    X[0], weights = far, np.r_[0.0, np.full(29, 1 / 29)]
    assert wasserstein1(X, Y, x_weights=weights) == pytest.approx(wasserstein1(X[1:], Y), rel=1e-12)


@pytest.mark.parametrize("far", FAR)
def test_an_outlier_of_one_sample_costs_what_it_must(far):
    X, Y = np.random.default_rng(0).random((2, 30, 3))
    X[0] = far
    assert wasserstein1(X, Y) == pytest.approx(
        assigned(X, Y, "cityblock"), rel=1e-9
    )  # nearly all of it is this image's


@pytest.mark.parametrize("far", [1e4, 1e10, 1e12, 1e14, 1e16, 1e18])
def test_a_far_image_of_tiny_mass_is_counted_right_or_refused(far):
    X, Y = np.random.default_rng(0).random((2, 30, 1))
    X[0], weights = far, np.r_[1 / far, np.full(29, (1 - 1 / far) / 29)]
    if far > 1e4:  # flows are known to 1e-17 or so, which from 1e8 on costs more than 1e-9
        with pytest.raises(RuntimeError, match=r"times as far apart as a plan costs, .*drop or rescale outliers"):
            wasserstein1(X, Y, x_weights=weights)
    else:
        theirs = wasserstein_distance(X[:, 0], Y[:, 0], weights)
        assert wasserstein1(X, Y, x_weights=weights) == pytest.approx(theirs, rel=1e-9)


def test_equal_masses_far_apart_are_never_refused():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        n, m = rng.integers(1, 12, 2)
        X, Y = (rng.normal(size=(k, 1)) * 10 ** rng.uniform(0, 18, (k, 1)) for k in (n, m))
        theirs = wasserstein_distance(X[:, 0], Y[:, 0])
        assert wasserstein1(X, Y) == pytest.approx(theirs, rel=1e-9)  # the stated gap


def test_masses_that_differ_by_rounding_are_no_distance_and_no_error():
    rng = np.random.default_rng(0)
    X, w = rng.random((500, 3)), rng.dirichlet(np.ones(500))
    assert wasserstein1(X, X, x_weights=w, y_weights=w * (1 + 1e-16 * np.arange(500))) < 1e-12  # 1000 roundings


# --- C24: the definition, the power, the order -----------------------------------------------------------------------


@pytest.mark.statement("C24")
@given(samples(same_size=True), st.sampled_from([1, 1.5, 2, 3]), st.floats(0.01, 100), grounds)
def test_w_p_with_its_power_is_in_the_unit_of_the_pixels(parts, p, scale, ground):
    X, Y = parts
    w = assigned(X, Y, ground, p)
    assert_allclose(assigned(scale * X, scale * Y, ground, p), scale * w, rtol=1e-9, atol=1e-4)  # p-th root of rounding
    if p == 1:
        assert_allclose(wasserstein1(X, Y, ground), w, **CLOSE)


@pytest.mark.statement("C24")
@given(samples(same_size=True), grounds)
def test_the_shift_of_the_means_is_at_most_w1_and_w1_at_most_w2(parts, ground):
    X, Y = parts
    shift = cdist([X.mean(axis=0)], [Y.mean(axis=0)], ground)[0, 0]
    w1 = wasserstein1(X, Y, ground)
    assert shift <= w1 + 1e-8
    assert w1 <= assigned(X, Y, ground, 2) + 1e-8


@pytest.mark.statement("C24")
@given(samples(max_d=1, same_size=True), st.sampled_from([1, 1.5, 2, 3]), st.floats(0.01, 100))
def test_on_a_line_the_packages_w_p_has_its_power_is_a_distance_and_grows_with_p(parts, p, scale):
    X, Y = parts
    Z = X[::-1] ** 2 / 1e3  # a third sample of this size

    def w(A, B, p=p):  # every direction of a line is the line, so slicing leaves W_p as it is
        return sliced_wasserstein(A, B, 1, p=p, random_state=0)

    rounding = {"rel": 1e-9, "abs": 1e-2}  # the p-th root of it, at p = 3 of 1e-16 (2e3)^3
    assert w(X, Y) == pytest.approx(assigned(X, Y, "euclidean", p), **rounding)
    assert w(scale * X, scale * Y) == pytest.approx(scale * w(X, Y), rel=1e-9, abs=1e-2 * max(scale, 1))
    assert w(Y, X) == pytest.approx(w(X, Y), **rounding)
    assert w(X, Z) <= w(X, Y) + w(Y, Z) + 3e-2
    assert abs(X.mean() - Y.mean()) - 1e-2 <= w(X, Y, 1) <= w(X, Y) + 1e-2 <= w(X, Y, p + 1) + 2e-2
    assert w(X, X + 7.5) == pytest.approx(7.5, **rounding)


@pytest.mark.statement("C24")
def test_on_a_line_one_of_two_points_moved_by_one_is_at_half_to_the_power_one_over_p():
    still, half_moved = [[0.0], [0.0]], [[0.0], [1.0]]
    for p in (1, 1.5, 2, 3):
        assert sliced_wasserstein(still, half_moved, 1, p=p) == pytest.approx(0.5 ** (1 / p), rel=1e-12)
    a, b = Moments.of(np.array(still)), Moments.of(np.array(half_moved))
    assert gaussian_w2(a, b) == pytest.approx(np.sqrt(0.5), rel=1e-12)  # moments of a line and 2 points: no gap


@pytest.mark.statement("C24")
def test_cityblock_w1_and_euclidean_w2_may_stand_in_either_order():
    origin, corner = [[0.0, 0.0]], [[1.0, 1.0]]
    assert wasserstein1(origin, corner) == 2
    assert assigned(origin, corner, "euclidean", 2) == pytest.approx(np.sqrt(2))
    still, half_moved = [[0.0], [0.0]], [[0.0], [1.0]]
    assert wasserstein1(still, half_moved) == 0.5
    assert assigned(still, half_moved, "euclidean", 2) == pytest.approx(np.sqrt(0.5))


@pytest.mark.statement("L10")
@given(samples(same_size=True, max_d=3, elements=st.integers(-9, 9)))
def test_without_the_power_moving_all_points_twice_as_far_does_not_double_the_distance(parts):
    X, Y = parts

    def slide(X, Y, p):  # (inf E |x - y|_p)^(1/p): p is the norm's index, and the distance has no power
        return wasserstein1(X, Y, {1: "cityblock", 2: "euclidean"}[p]) ** (1 / p)

    assert slide(X, Y, 1) == wasserstein1(X, Y, "cityblock")  # the talk's p: nothing is lost
    assert_allclose(slide(2 * X, 2 * Y, 1), 2 * slide(X, Y, 1), **CLOSE)
    assert_allclose(slide(2 * X, 2 * Y, 2), np.sqrt(2) * slide(X, Y, 2), **CLOSE)
    assert_allclose(assigned(2 * X, 2 * Y, "euclidean", 2), 2 * assigned(X, Y, "euclidean", 2), **CLOSE)


@pytest.mark.statement("L10")
def test_without_the_power_two_points_four_apart_are_at_distance_two():
    assert wasserstein1([[0.0]], [[4.0]], "euclidean") ** (1 / 2) == 2
    assert assigned([[0.0]], [[4.0]], "euclidean", 2) == 4


# --- C25: duality ----------------------------------------------------------------------------------------------------


@pytest.mark.statement("C25")
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("seed", range(3))
def test_the_best_1_lipschitz_function_reaches_w1(ground, seed):
    rng = np.random.default_rng(seed)
    X, Y, a, b = rng.random((7, 3)), rng.random((5, 3)), rng.dirichlet(np.ones(7)), rng.dirichlet(np.ones(5))
    points = np.vstack([X, Y])
    distances = cdist(points, points, ground)
    gain = np.concatenate([a, -b])  # E f(x) - E f(y), f given by its values at the points
    i, j = np.nonzero(~np.eye(12, dtype=bool))
    differences = np.zeros((len(i), 12))
    differences[np.arange(len(i)), i], differences[np.arange(len(i)), j] = 1, -1
    dual = linprog(-gain, A_ub=differences, b_ub=distances[i, j], bounds=[(0, 0)] + 11 * [(None, None)])
    potential = dual.x
    assert (np.abs(potential[:, None] - potential) <= distances + 1e-7).all()  # HiGHS's feasibility tolerance
    w1 = wasserstein1(X, Y, ground, x_weights=a, y_weights=b)
    assert gain @ potential == pytest.approx(w1, abs=1e-7)


@pytest.mark.statement("C25")
@given(samples(3), grounds, st.data())
def test_no_1_lipschitz_function_tells_two_samples_further_apart_than_w1(parts, ground, data):
    X, Y, anchors = parts
    heights = data.draw(hnp.arrays(np.float64, len(anchors), elements=PIXELS))

    def f(points):  # a lower envelope of cones of slope 1: every 1-Lipschitz function is one (McShane)
        return (cdist(points, anchors, ground) + heights).min(axis=1)

    assert abs(f(X).mean() - f(Y).mean()) <= wasserstein1(X, Y, ground) + 1e-8


@pytest.mark.statement("C25")
@given(samples(max_d=1))
def test_in_one_dimension_w1_is_the_area_between_the_distribution_functions(parts):
    X, Y = (part[:, 0] for part in parts)
    grid = np.sort(np.concatenate([X, Y]))
    F, G = (np.searchsorted(np.sort(part), grid[:-1], side="right") / len(part) for part in (X, Y))
    assert_allclose(wasserstein1(*parts), np.abs(F - G) @ np.diff(grid), **CLOSE)


# --- C26: Gaussians --------------------------------------------------------------------------------------------------


@pytest.mark.statement("C26")
@pytest.mark.parametrize("d", [1, 2, 10])
def test_with_commuting_covariances_each_direction_pays_for_its_two_spreads(d):
    rng = np.random.default_rng(d)
    Q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    s, t, shift = rng.random(d), rng.random(d), rng.normal(size=d)
    a, b = gaussian(np.zeros(d), Q * s**2 @ Q.T), gaussian(shift, Q * t**2 @ Q.T)
    assert gaussian_w2(a, b) == pytest.approx(np.sqrt(shift @ shift + np.sum((s - t) ** 2)), rel=1e-10)


@pytest.mark.statement("C26")
@given(st.floats(-9, 9), st.floats(-9, 9), st.floats(0, 9), st.floats(0, 9))
def test_in_one_dimension_the_mean_and_the_deviation_are_cartesian(m, n, s, t):
    distance = gaussian_w2(gaussian([m], [[s**2]]), gaussian([n], [[t**2]]))
    assert distance == pytest.approx(np.hypot(m - n, s - t), abs=1e-6)  # root of the 1e-14 left of s^2 + t^2 < 162


@pytest.mark.statement("C26")
@pytest.mark.parametrize("share", [1e-4, 1e-6, 1e-8, 1e-10])
def test_small_variances_are_paid_for_too(share):
    a, b = gaussian(np.zeros(2), np.diag([1, share])), gaussian(np.zeros(2), np.diag([1, 4 * share]))
    # The square is share, within 1e-14 of the traces, 2 each; without the small direction it would be five times that.
    assert gaussian_w2(a, b) ** 2 == pytest.approx(share, abs=5e-14)


@pytest.mark.statement("C26")
def test_a_translated_gaussian_is_as_far_as_it_was_moved():
    rng = np.random.default_rng(0)
    C, t = spd(rng, 6), rng.normal(size=6)
    assert gaussian_w2(gaussian(np.zeros(6), C), gaussian(t, C)) == pytest.approx(np.linalg.norm(t), rel=1e-10)
    same = gaussian_w2(gaussian(t, C), gaussian(t, C))
    assert same <= np.sqrt(1e-14 * 2 * np.trace(C))  # the stated error of its square


@pytest.mark.statement("C26")
def test_singular_gaussians_have_a_distance_too():
    rng = np.random.default_rng(0)
    u, v, m = rng.normal(size=(3, 5))
    lines = gaussian_w2(gaussian(0 * u, np.outer(u, u)), gaussian(0 * v, np.outer(v, v)))
    assert lines == pytest.approx(np.sqrt(u @ u + v @ v - 2 * abs(u @ v)), rel=1e-10)  # on two lines
    C = spd(rng, 5)
    point = gaussian(m, np.zeros((5, 5)))
    assert gaussian_w2(point, gaussian(0 * m, C)) == pytest.approx(np.sqrt(m @ m + np.trace(C)), rel=1e-12)
    assert gaussian_w2(point, gaussian(0 * m, np.zeros((5, 5)))) == pytest.approx(np.linalg.norm(m), rel=1e-15)
    basis = ortho_group.rvs(5, random_state=0)
    flats = (basis[:2].T @ basis[:2], basis[2:].T @ basis[2:])  # planes that share no direction
    assert gaussian_w2(*(gaussian(0 * m, P) for P in flats)) == pytest.approx(np.sqrt(5), rel=1e-10)


@pytest.mark.statement("C26")
@pytest.mark.parametrize("d", [2, 5, 20])
def test_the_gaussian_distance_is_the_formula_with_matrix_roots(d):
    rng = np.random.default_rng(d)
    A, B, shift = spd(rng, d), spd(rng, d), rng.normal(size=d)
    root = sqrtm(A)
    slow = np.sqrt(shift @ shift + np.trace(A + B - 2 * sqrtm(root @ B @ root).real))
    assert gaussian_w2(gaussian(0 * shift, A), gaussian(shift, B)) == pytest.approx(slow, rel=1e-9)


@pytest.mark.statement("C26")
@given(samples(same_size=True, elements=st.floats(-9, 9, allow_subnormal=False)))
def test_no_two_samples_are_nearer_in_w2_than_the_gaussians_with_their_moments(parts):
    a, b = map(Moments.of, parts)
    # A direction with less than 1e-12 of the largest variance is dropped, so 1e-6 of the spreads, in up to 3 of them.
    slack = 1e-5 * (np.trace(a.covariance) + np.trace(b.covariance)) + 1e-12
    assert gaussian_w2(a, b) ** 2 <= assigned(*parts, "euclidean", 2) ** 2 + slack


@pytest.mark.statement("C26")
def test_the_bound_is_reached_by_samples_that_a_positive_map_takes_into_each_other():
    rng = np.random.default_rng(0)
    X = rng.exponential(size=(60, 4))  # not Gaussian
    Y = X @ spd(rng, 4) + rng.normal(size=4)  # the gradient of a convex function, so the best plan (Brenier)
    bound = gaussian_w2(Moments.of(X), Moments.of(Y))
    assert assigned(X, Y, "euclidean", 2) == pytest.approx(bound, rel=1e-10)
    assert assigned(X, rng.permutation(Y)[:, ::-1], "euclidean", 2) > 1.001 * gaussian_w2(
        Moments.of(X), Moments.of(Y[:, ::-1])
    )  # a map that is no such gradient: the bound is below


@pytest.mark.statement("C26")
def test_the_gaussian_distance_is_a_metric():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b, c = (gaussian(rng.normal(size=4), spd(rng, 4)) for _ in range(3))
        assert gaussian_w2(a, b) == pytest.approx(gaussian_w2(b, a), rel=1e-12)
        assert gaussian_w2(a, c) <= gaussian_w2(a, b) + gaussian_w2(b, c)


# --- C29 and C31: what a sample's W1 is worth ------------------------------------------------------------------------


def mean_of_pairs(n, d, seeds=12):
    return np.mean(
        [wasserstein1(*np.random.default_rng([s, n, d]).random((2, n, d)), "euclidean") for s in range(seeds)]
    )


@pytest.mark.statement("C29")
def test_two_samples_of_one_law_approach_each_other_slowly_and_more_so_in_more_dimensions():
    sizes = [50, 100, 200, 400]
    slope = {d: np.polyfit(np.log(sizes), np.log([mean_of_pairs(n, d) for n in sizes]), 1)[0] for d in (1, 5, 10)}
    assert slope[1] == pytest.approx(
        -1 / 2, abs=0.15
    )  # the distance in 1-D spreads by 40 % over seeds: 2 errors of 0.07
    assert slope[5] == pytest.approx(-1 / 5, abs=0.05)  # n^(-1/d) is what large n comes to
    assert slope[10] == pytest.approx(-1 / 10, abs=0.05)
    assert slope[1] < slope[5] < slope[10] < 0
    assert mean_of_pairs(400, 10) > 0.4 * np.sqrt(10 / 6)  # beside some 1.29, the root mean square of |x - y|


@pytest.mark.statement("C29")
@pytest.mark.parametrize(
    ("ground", "volume"), [("cityblock", 2**3 / 6), ("euclidean", 4 * np.pi / 3), ("chebyshev", 2**3)]
)
def test_where_no_small_ball_is_heavy_two_samples_stay_apart_by_the_stated_length(ground, volume):
    for n in (50, 200):
        # Uniform on a cube of three dimensions a ball of radius r holds at most its volume, so a is that of radius 1.
        stated = (2 * volume * n) ** (-1 / 3) / 2
        pairs = [np.random.default_rng([s, n]).random((2, n, 3)) for s in range(20)]
        seen = [wasserstein1(*pair, ground) for pair in pairs]
        assert min(seen) > stated  # the statement is about the mean
        assert np.mean(seen) < 6 * stated  # so it is no idle bound; seen: 3.1 to 4.6 times
        # What the proof shows: the nearest of n points is farther than twice the bound, at least half the time.
        far = [nearest_train_distance(Y, X, ground) > 2 * stated for X, Y in pairs]
        assert np.mean(far) > 0.5


@pytest.mark.statement("C29")
def test_while_copies_are_rare_gray_levels_on_a_grid_keep_the_bound():
    # On the line with a step of 0.01 a ball of radius r >= 0.01 holds at most 2 r + 0.01 <= 3 r: a = 3, r_0 = 0.01.
    n, a, step = 16, 3, 0.01
    assert 2 * a * n * step <= 1
    pairs = [np.random.default_rng(s).integers(0, 100, (2, n, 1)) * step for s in range(400)]
    seen = [wasserstein1(*pair) for pair in pairs]
    error = np.std(seen) / np.sqrt(len(seen))
    assert np.mean(seen) - 4 * error > 1 / (2 * a * n) / 2
    # What the proof shows, and hardly more: 0.97^16, some 0.61, of the nearest of 16 are not within one step.
    far = np.mean([nearest_train_distance(Y, X, "cityblock") > 1 / (2 * a * n) for X, Y in pairs])
    assert 0.5 < far < 0.7


@pytest.mark.statement("C29", "L11")
def test_two_sets_of_real_digits_are_half_as_far_apart_as_two_digits():
    X = np.random.default_rng(0).permutation(load_mnist("train")[0])[:1_000].astype(float)
    half, other = X[:500], X[500:]
    between = cdist(half, other, "cityblock").mean()
    small, large = wasserstein1(half[:100], other[:100]), wasserstein1(half, other)
    assert large > 0.4 * between  # seen: 0.48 (62 of 130)
    assert 0.75 * small < large < small  # seen: 0.83; n^(-1/2) would leave 0.45


@pytest.mark.statement("C31")
@given(samples(elements=st.floats(0, 1)), st.data(), grounds)
def test_one_row_of_n_moves_w1_by_at_most_an_nth_of_the_diameter(parts, data, ground):
    X, Y = parts
    n, d = X.shape
    i, row = data.draw(st.integers(0, n - 1)), data.draw(hnp.arrays(np.float64, d, elements=st.floats(0, 1)))
    changed = X.copy()
    changed[i] = row
    moved = abs(wasserstein1(changed, Y, ground) - wasserstein1(X, Y, ground))
    step = cdist(X[i : i + 1], [row], ground)[0, 0]
    assert moved <= step / n + 1e-12  # rounding of distances up to 3
    assert step <= DIAMETERS[ground](d) + 1e-12


@pytest.mark.statement("C31")
def test_a_small_error_bar_says_nothing_about_the_bias():
    n, d = 50, 50
    seen = [
        wasserstein1(*np.random.default_rng(s).random((2, n, d))) for s in range(30)
    ]  # one distribution: the truth is 0
    assert np.std(seen) < DIAMETERS["cityblock"](d) / np.sqrt(2 * n)  # Efron-Stein, from the bounded differences
    assert np.mean(seen) > 50 * np.std(seen)  # seen: 13.57 and 0.12, so a bias of 111 standard deviations


# --- sliced_wasserstein ----------------------------------------------------------------------------------------------


@given(samples(max_d=1, same_size=True), st.sampled_from([1, 2, 3]), st.integers(0, 9))
def test_in_one_dimension_slicing_changes_nothing(parts, p, seed):
    X, Y = parts
    matched = np.mean(np.abs(np.sort(X[:, 0]) - np.sort(Y[:, 0])) ** p) ** (1 / p)  # sorted to sorted
    # p-th root of rounding, at p = 3 of 1e-16 (2e3)^3
    assert_allclose(sliced_wasserstein(X, Y, 3, p=p, random_state=seed), matched, rtol=1e-9, atol=1e-2)


def test_sizes_may_differ_in_a_sliced_distance():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(40, 1)), rng.normal(size=(25, 1))
    assert sliced_wasserstein(X, Y, 2, p=1) == pytest.approx(wasserstein_distance(X[:, 0], Y[:, 0]), rel=1e-12)


@pytest.mark.parametrize("p", [1, 2, 3.5])
def test_the_sliced_distance_is_a_p_mean_over_directions_that_the_seed_draws(p):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 30, 4))
    directions = np.random.RandomState(5).standard_normal((4, 20))
    directions /= np.linalg.norm(directions, axis=0)
    powers = [np.mean(np.abs(np.sort(X @ u) - np.sort(Y @ u)) ** p) for u in directions.T]
    slow = np.mean(powers) ** (1 / p)
    assert sliced_wasserstein(X, Y, 20, p=p, random_state=5) == pytest.approx(slow, rel=1e-12)
    again = sliced_wasserstein(X, Y, 20, p=p, random_state=np.random.RandomState(5))
    assert again == sliced_wasserstein(X, Y, 20, p=p, random_state=5)
    assert again != sliced_wasserstein(X, Y, 20, p=p, random_state=6)
    assert again <= assigned(X, Y, "euclidean", p)  # a projection brings no two points further apart


def test_the_sliced_distance_turns_with_the_images_and_sees_a_shift_by_its_share_of_a_direction():
    rng = np.random.default_rng(0)
    X, Y, t = rng.normal(size=(40, 6)), rng.exponential(size=(40, 6)), rng.normal(size=6)
    Q = ortho_group.rvs(6, random_state=0)
    seen = [sliced_wasserstein(X, Y, random_state=s) for s in range(20)]
    turned = sliced_wasserstein(X @ Q, Y @ Q, 10_000, random_state=0)
    assert turned == pytest.approx(np.mean(seen), abs=6 * np.std(seen) / np.sqrt(20))  # 6 errors: both of 10,000 drawn
    both_shifted = sliced_wasserstein(X + t, Y + t, random_state=0)
    assert both_shifted == pytest.approx(sliced_wasserstein(X, Y, random_state=0), rel=1e-10)
    # E (u't)^2 = |t|^2 / d with a relative deviation below sqrt(2), so 0.01 / 2 after 10,000 draws and a root: 6 errors
    shifted = sliced_wasserstein(X, X + t, 10_000, random_state=0)
    assert shifted == pytest.approx(np.linalg.norm(t) / np.sqrt(6), rel=6 * np.sqrt(2) / 200)


# --- sinkhorn_divergence ---------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["cityblock", "euclidean"]))
def test_the_entropic_divergence_is_symmetric_positive_and_zero_for_equal_samples(seed, ground):
    rng = np.random.default_rng(seed)
    X, Y = rng.random((6, 3)), rng.random((4, 3))
    divergence = sinkhorn_divergence(X, Y, 0.5, ground)
    assert divergence > 0
    assert sinkhorn_divergence(Y, X, 0.5, ground) == pytest.approx(
        divergence, abs=1e-7
    )  # stopped at 1e-9 of the masses
    assert sinkhorn_divergence(X, X[::-1], 0.5, ground) == pytest.approx(0, abs=1e-7)


def test_between_single_images_the_entropic_divergence_is_their_distance():
    for reg in (0.01, 1.0, 100.0):
        assert sinkhorn_divergence([[0.0, 0.0]], [[3.0, 4.0]], reg, "euclidean") == pytest.approx(5, rel=1e-9)


def test_the_entropic_divergence_tends_to_w1_as_reg_falls_and_to_the_energy_distance_as_it_grows():
    rng = np.random.default_rng(0)
    X, Y = rng.random((2, 5, 3))
    w1 = wasserstein1(X, Y)
    gaps = [abs(sinkhorn_divergence(X, Y, reg) - w1) for reg in (1.0, 0.5, 0.2)]
    assert gaps[0] > gaps[1] > gaps[2] > 0  # seen: 0.39, 0.28, 0.09
    apart = 10 * np.arange(5.0)[:, None] * [[1.0, 1.0]]  # each row has one partner nearby
    near = apart + rng.normal(size=apart.shape)
    # A partner of another row costs some 15 more: exp(-15 / 0.5) of the mass goes there.
    assert sinkhorn_divergence(apart, near, 0.5) == pytest.approx(wasserstein1(apart, near), rel=1e-6)
    energy = cdist(X, Y, "cityblock").mean() - sum(cdist(A, A, "cityblock").mean() for A in (X, Y)) / 2
    assert sinkhorn_divergence(X, Y, 1e4) == pytest.approx(energy, rel=1e-2)  # what is left is var(distance) / reg


def test_the_entropic_divergence_is_its_definition_on_a_converged_plan():
    rng = np.random.default_rng(0)
    X, Y = rng.random((5, 2)), rng.random((7, 2))

    def transport(A, B, reg=0.5):  # the plan by plain scaling of exp(-C / reg)
        C = cdist(A, B, "chebyshev")
        K = np.exp(-C / reg)
        v = np.ones(len(B))
        for _ in range(2_000):
            u = 1 / len(A) / (K @ v)
            v = 1 / len(B) / (K.T @ u)
        plan = u[:, None] * K * v
        return np.sum(plan * C) + reg * np.sum(plan * np.log(plan * len(A) * len(B)))

    slow = transport(X, Y) - transport(X, X) / 2 - transport(Y, Y) / 2
    assert sinkhorn_divergence(X, Y, 0.5, "chebyshev") == pytest.approx(slow, abs=1e-7)  # stopped at 1e-9 of the masses


# --- bad input -------------------------------------------------------------------------------------------------------

X, Y = np.arange(8.0).reshape(4, 2), np.arange(6.0).reshape(3, 2)
P2, P3 = gaussian(np.zeros(2), np.eye(2)), gaussian(np.zeros(3), np.eye(3))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: wasserstein1(X, Y[:, :1]), "X has 2 pixels and Y has 1; give images of equal width"),
        (lambda: wasserstein1(X, Y, "l1"), "ground='l1'; choose one of 'cityblock', 'euclidean', 'chebyshev'"),
        (lambda: wasserstein1(X, Y, "sqeuclidean"), "ground='sqeuclidean'"),  # no metric
        (
            lambda: wasserstein1(X, Y, x_weights=[1, 1, 1, 1]),
            r"x_weights has shape \(4,\), minimum 1 and sum 4; give 4",
        ),
        (lambda: wasserstein1(X, Y, y_weights=[2, -1, 0]), "y_weights has .*minimum -1 .*give 3 masses, none below 0"),
        (lambda: wasserstein1(X, Y, y_weights=[0.5, 0.5]), r"y_weights has shape \(2,\).*divide them by their sum"),
        (lambda: wasserstein1(X, Y, y_weights=[np.nan, 0, 1]), "y_weights has .*minimum nan"),
        (lambda: wasserstein1(X, Y, x_weights=[]), r"x_weights has shape \(0,\)"),
        (lambda: wasserstein1(X, Y, max_iter=0), "max_iter=0; give a whole number of 1 or more"),
        (lambda: wasserstein1(X, Y + np.inf), "Input Y contains infinity"),
        (lambda: wasserstein1(X[0], Y), "give one flat image a row"),
        (lambda: wasserstein1(X[:0], Y), r"0 sample\(s\)"),
        (lambda: sliced_wasserstein(X, Y[:, :1]), "X has 2 pixels and Y has 1"),
        (lambda: sliced_wasserstein(X, Y, 0), "n_projections=0; give a whole number of 1 or more"),
        (lambda: sliced_wasserstein(X, Y, 2.5), r"n_projections=2\.5"),
        (lambda: sliced_wasserstein(X, Y, p=0.5), r"p=0\.5; give a finite power of 1 or more"),
        (lambda: sliced_wasserstein(X, Y, p=np.inf), "p=inf; give a finite power"),
        (lambda: sinkhorn_divergence(X, Y[:, :1], 1.0), "X has 2 pixels and Y has 1"),
        (lambda: sinkhorn_divergence(X, Y, 1.0, "l1"), "ground='l1'"),
        (lambda: sinkhorn_divergence(X, Y, 0), "reg=0; give a finite number above 0"),
        (lambda: sinkhorn_divergence(X, Y, np.nan), "reg=nan"),
        (lambda: sinkhorn_divergence(X, Y, np.inf), "reg=inf"),
        (lambda: sinkhorn_divergence(X, Y, 1.0, max_iter=0), "max_iter=0"),
        (lambda: gaussian_w2(P2, P3), "a has 2 pixels and b has 3; give moments of equal width"),
        (lambda: gaussian_w2(P2, Moments.zero(2)), "n=0"),
    ],
)
def test_bad_input_gets_an_error_that_names_it(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("score", [wasserstein1, lambda X, Y: sinkhorn_divergence(X, Y, 1.0)])
def test_more_pairs_than_memory_holds_are_refused_before_they_are_made(score, monkeypatch):
    monkeypatch.setattr("linvae.transport.MAX_PAIRS", 12)
    monkeypatch.setattr("linvae.transport.cdist", None)
    monkeypatch.setattr("linvae.transport.find_spec", None)
    with pytest.raises(ValueError, match=r"7 against 2 images are 14 pairs, above 1e\+01.*use sliced_wasserstein"):
        score(np.zeros((7, 3)), np.zeros((2, 3)))


def test_a_linear_programme_cut_short_is_an_error_and_never_a_number():
    X, Y = np.random.default_rng(0).random((2, 40, 3))
    with pytest.raises(RuntimeError, match="max_iter=5; raise it"):  # and no warning of POT's: warnings fail here
        wasserstein1(X, Y, max_iter=5)


@pytest.mark.parametrize(
    ("reg", "max_iter"), [(0.01, 20), (0.1, 30), (0.1, 80)]
)  # seen: masses off by 2e-1, 2e-3, 1e-5
def test_scaling_that_has_not_converged_is_an_error_and_never_a_number(reg, max_iter):
    X, Y = np.random.default_rng(0).random((2, 8, 3))
    with pytest.raises(RuntimeError, match=rf"not converged in {max_iter} iterations; raise reg={reg} or max_iter"):
        sinkhorn_divergence(X, Y, reg, max_iter=max_iter)


@pytest.mark.statement("C29")
@pytest.mark.parametrize("ground", ["cityblock", "euclidean"])
def test_two_samples_are_no_nearer_than_the_nearest_neighbours_of_their_points(ground):
    X, Y = np.random.default_rng(0).random((2, 60, 5))
    nearest = nearest_train_distance(Y, X, ground).mean()
    assert 0 < nearest <= wasserstein1(X, Y, ground) + 1e-12  # rounding


@pytest.mark.statement("C30")
def test_with_the_right_weights_the_distance_of_k_images_is_the_mean_distance_to_the_nearest_of_them():
    rng = np.random.default_rng(0)
    centres, X = rng.random((4, 5)), rng.random((60, 5))
    costs = cdist(X, centres, "cityblock")
    weights = np.bincount(costs.argmin(axis=1), minlength=4) / 60
    best = costs.min(axis=1).mean()
    assert np.isclose(wasserstein1(centres, X, x_weights=weights), best)
    for other in rng.dirichlet(np.ones(4), 20):
        assert wasserstein1(centres, X, x_weights=other) >= best - 1e-12  # rounding


@pytest.mark.statement("C30")
def test_paired_at_random_a_shrunk_copy_costs_least_at_the_stated_shrinkage():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 20_000, 3)) * [1.0, 2.0, 0.5] + [1.0, 0.0, 2.0]
    shift, trace = 5.0, 5.25  # |m|^2 and tr C
    best = shift / (shift + trace)

    def stated(s):
        return (1 + s**2) * trace + (1 - s) ** 2 * shift

    for s in (0.0, best, 1.0):
        seen = np.sum((s * X - Y) ** 2, axis=1)
        assert abs(seen.mean() - stated(s)) < 6 * seen.std() / np.sqrt(len(X))  # 6 standard errors
    # The parabola that was seen is lowest at s = E x'y / E |x|^2.
    products, squares = np.sum(X * Y, axis=1), np.sum(X**2, axis=1)
    error = np.std(products - best * squares) / np.sqrt(len(X)) / squares.mean()
    assert products.mean() / squares.mean() == pytest.approx(best, abs=6 * error)  # 6 standard errors, 0.03
    assert 6 * error < 1 - best  # so real images as they are come second
    assert stated(best) < min(stated(best - 0.01), stated(best + 0.01))


@pytest.mark.parametrize("scale", [1e-200, 1e-20, 1e20, 1e150])
def test_distances_keep_their_value_in_any_unit(scale):
    X, Y = np.random.default_rng(0).random((2, 20, 4))
    calls = [lambda A, B, g=g: wasserstein1(A, B, g) for g in GROUNDS]
    calls += [lambda A, B, p=p: sliced_wasserstein(A, B, 20, p=p, random_state=0) for p in (1, 2, 50)]
    for call in calls:
        assert_allclose(call(scale * X, scale * Y), scale * call(X, Y), rtol=1e-9)  # the simplex's own tolerance


def test_single_precision_masses_are_masses():
    X, Y = np.random.default_rng(0).random((2, 20, 4))
    masses = np.full(20, 1 / 20, np.float32)
    assert wasserstein1(X, Y, x_weights=masses, y_weights=masses) == pytest.approx(wasserstein1(X, Y), rel=1e-12)


def test_words_are_no_pixels_and_arrays_are_no_moments():
    with pytest.raises(ValueError, match="give real numbers"):
        wasserstein1([["1", "2"]], [["1", "3"]])
    with pytest.raises(TypeError, match="give Moments"):
        gaussian_w2(np.zeros((3, 2)), np.zeros((3, 2)))


@pytest.mark.parametrize("score", [wasserstein1, sliced_wasserstein, lambda X, Y: sinkhorn_divergence(X, Y, 1.0)])
def test_distances_refuse_masked_images(score):
    masked = np.ma.masked_array(Y, mask=Y > 3)
    for pair, name in (((masked, X), "X"), ((X, masked), "Y")):
        with pytest.raises(ValueError, match=f"{name} is a MaskedArray, and its mask would be lost"):
            score(*pair)


def test_masked_masses_and_whole_numbers_past_float64_are_refused():
    weights = np.ma.masked_array([0.5, 0.25, 0.25], mask=[True, False, False])
    with pytest.raises(ValueError, match="y_weights is a MaskedArray"):
        wasserstein1(X, Y, y_weights=weights)
    with pytest.raises(ValueError, match=r"X holds whole numbers beyond 2\^53"):
        wasserstein1(np.array([[2**60 + 1]]), np.array([[2**60]]))  # 1 apart, and one float64


def test_a_generator_is_a_seed_and_is_moved_on():
    rng = np.random.default_rng(0)
    first, second = (sliced_wasserstein(X, Y, 5, random_state=rng) for _ in range(2))
    assert first != second
    assert first == sliced_wasserstein(X, Y, 5, random_state=np.random.default_rng(0))
