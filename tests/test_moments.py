"""Laws of the moment algebra, then rivals (numpy on all rows at once), then bad input."""

from itertools import pairwise

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from linvae import CrossMoments, Moments
from linvae.moments import CHUNK

# Pixels between -1e3 and 1e3: sums of at most 40 squares stay below 4e7, so float64 keeps them to 1e-8 absolutely.
PIXELS = st.floats(-1e3, 1e3, allow_subnormal=False)
CLOSE = {"rtol": 1e-9, "atol": 1e-7}


@st.composite
def batches(draw, number=2):
    d = draw(st.integers(1, 4))
    return [draw(hnp.arrays(np.float64, (draw(st.integers(0, 12)), d), elements=PIXELS)) for _ in range(number)]


def assert_same(a, b, **tolerance):
    assert a.n == b.n
    for name in ("mean", "scatter") if isinstance(a, Moments) else ("mean_z", "mean_x", "Szz", "Szx", "sxx_diag"):
        assert_allclose(getattr(a, name), getattr(b, name), **(tolerance or CLOSE))


@pytest.mark.statement("M1")
@given(batches())
def test_merging_batches_equals_one_pass(parts):
    assert_same(Moments.of(parts[0]) + Moments.of(parts[1]), Moments.of(np.vstack(parts)))


@st.composite
def byte_batches(draw):
    shapes = st.tuples(st.integers(0, 12), st.just(draw(st.integers(1, 4))))
    return [draw(hnp.arrays(np.uint8, shapes)) for _ in range(2)]


@pytest.mark.statement("M1")
@given(byte_batches())
def test_merging_batches_of_bytes_equals_one_pass_over_their_numbers(parts):
    merged = Moments.of(parts[0]) + Moments.of(parts[1])
    assert_same(merged, Moments.of(np.vstack(parts)))
    assert_same(merged, Moments.of(np.vstack(parts).astype(np.float64)))


@given(batches(3))
def test_merge_is_associative_and_commutative(parts):
    a, b, c = map(Moments.of, parts)
    assert_same((a + b) + c, a + (b + c))
    assert_same(a + b, b + a)


@given(batches(1))
def test_zero_is_the_identity_of_the_merge_exactly(parts):
    a = Moments.of(parts[0])
    zero = Moments.zero(a.mean.size)
    for merged in (a + zero, zero + a):
        assert merged.n == a.n
        if a.n:  # the mean of no rows is not a mean: only its scatter is compared
            assert_array_equal(merged.mean, a.mean)
        assert_array_equal(merged.scatter, a.scatter)


@given(batches(1))
def test_scatter_is_symmetric_and_positive_semidefinite(parts):
    S = Moments.of(parts[0]).scatter
    assert_array_equal(S, S.T)
    assert np.linalg.eigvalsh(S)[0] >= -1e-9 * max(1.0, np.trace(S))  # rounding of eigvalsh is 1e-15 of the trace


@pytest.mark.parametrize("unit", [2.0**-522, 2.0**-300, 1.0, 2.0**300])
def test_a_code_of_pixels_in_any_unit_keeps_its_spread(unit):
    """Down to a scatter of 5e-314, whose inverse is beyond float64."""
    X = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 2.0]]) * unit
    with np.errstate(under="ignore"):
        code = Moments.of(X).push([[1.0, 1.0]], [0.0])
        assert code.scatter[0, 0] == pytest.approx(np.sum((X.sum(axis=1) - X.sum() / 3) ** 2), rel=1e-6)


@given(batches(1), st.data())
def test_push_equals_the_moments_of_the_mapped_rows(parts, data):
    X = parts[0]
    k = data.draw(st.integers(1, 3))
    A = data.draw(hnp.arrays(np.float64, (k, X.shape[1]), elements=st.floats(-3, 3, allow_subnormal=False)))
    b = data.draw(hnp.arrays(np.float64, k, elements=PIXELS))
    if len(X):
        assert_same(Moments.of(X).push(A, b), Moments.of(X @ A.T + b), rtol=1e-9, atol=1e-5)  # |A|^2 of 100 on CLOSE


@given(batches(), st.integers(1, 3))
def test_cross_moments_merge_and_come_from_affine_maps_or_rows_alike(parts, k):
    d = parts[0].shape[1]
    A, b = np.random.default_rng(k).normal(size=(k, d)), np.arange(k)
    from_rows = [CrossMoments.of(X @ A.T + b, X) for X in parts]
    whole = Moments.of(np.vstack(parts))
    merged = from_rows[0] + from_rows[1]
    if whole.n:
        assert_same(merged, CrossMoments.from_affine(whole, A, b), rtol=1e-9, atol=1e-5)  # as for push


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64"])
@pytest.mark.parametrize("n", [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 7])
def test_moments_equal_numpys_mean_and_covariance(dtype, n):
    X = np.random.default_rng(n).integers(0, 256, (n, 5)).astype(dtype)
    moments = Moments.of(X)
    assert moments.n == n
    assert_allclose(moments.mean, X.mean(axis=0, dtype=float), rtol=1e-13)  # a sum of n bytes, 1e-16 each
    assert_allclose(moments.covariance, np.atleast_2d(np.cov(X.T.astype(float), bias=True)), rtol=1e-11, atol=1e-10)


def test_float32_rows_are_summed_in_float64():
    X = (np.random.default_rng(0).random((20_000, 3)) + 100).astype(np.float32)
    exact = np.cov(X.T.astype(np.float64), bias=True)
    assert_allclose(Moments.of(X).covariance, exact, rtol=1e-11)  # float32 sums would keep 1e-3 of it


@given(st.data())
def test_byte_moments_are_exact_and_ignore_the_order_of_rows(data):
    X = data.draw(hnp.arrays(np.uint8, (data.draw(st.integers(1, 60)), 3)))
    m, shuffled = Moments.of(X), Moments.of(X[::-1])
    assert_array_equal(m.scatter, shuffled.scatter)
    assert_array_equal(m.mean, shuffled.mean)
    whole = X.astype(object)  # Python's integers: no rounding at all
    total = whole.sum(axis=0)
    exact = len(X) * (whole.T @ whole) - np.outer(total, total)  # n S, an integer
    assert_array_equal(m.scatter, exact.astype(float) / len(X))


def test_bytes_of_the_extreme_chunk_lose_nothing():
    X = np.zeros((CHUNK, 2), np.uint8)  # (0 - 128)^2 * 1024 = 2^24, the last whole number float32 holds without a gap
    X[0, 0] = 255
    exact = X.astype(np.int64)
    exact = exact.T @ exact - np.outer(exact.sum(0), exact.sum(0)) / CHUNK
    assert_array_equal(Moments.of(X).scatter, exact)


def test_a_large_offset_costs_the_centred_sums_nothing_and_the_naive_ones_everything():
    X = np.random.default_rng(0).random((3_000, 20))
    true = Moments.of(X).covariance
    shifted = X + 1e6
    naive = shifted.T @ shifted / len(X) - np.outer(shifted.mean(axis=0), shifted.mean(axis=0))

    def error(covariance):
        return np.linalg.norm(covariance - true) / np.linalg.norm(true)

    assert error(Moments.of(shifted).covariance) < 1e-6
    assert error(Moments.from_chunks(np.array_split(shifted, 7)).covariance) < 1e-6
    assert error(naive) > 1e-3  # 1e12 * 1e-16 per entry beside a variance of 1/12


def test_bytes_keep_their_exactness_beyond_a_block(monkeypatch):
    X = np.zeros((3_000, 2), np.uint8)
    X[0, 0] = 1
    monkeypatch.setattr("linvae.moments.BYTE_BLOCK", 1_000)
    assert_allclose(Moments.of(X).scatter[0, 0], 1 - 1 / 3_000, rtol=1e-14)
    assert_same(Moments.of(X), Moments.of(X.astype(float)))


@pytest.mark.parametrize(
    "labels", [["boot", "bag"], [1, 2], [1.5, 2.5], [True, False]], ids=lambda labels: str(labels[0])
)
def test_labels_may_be_text_numbers_or_truth_values_in_lists_or_arrays(labels):
    X = np.arange(8.0).reshape(4, 2)
    for y in (labels * 2, np.array(labels * 2), np.array(labels * 2, object)):
        assert list(Moments.by_class(X, y)) == sorted(labels)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_constant_pixels_have_exactly_no_scatter(dtype):
    X = np.random.default_rng(0).integers(0, 9, (2_500, 4)).astype(dtype)
    X[:, 2] = 7 if dtype == "uint8" else 0.1
    S = Moments.of(X).scatter
    assert not S[2].any()
    assert not S[:, 2].any()


def test_class_moments_are_the_moments_of_each_class_and_pool_to_all():
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (3_000, 6)).astype(np.uint8), rng.choice(["boot", "bag", "coat"], 3_000)
    by_class = Moments.by_class(X, y)
    assert list(by_class) == ["bag", "boot", "coat"]
    for label, moments in by_class.items():
        assert_same(moments, Moments.of(X[y == label]))
    assert_same(Moments.pool(by_class), Moments.of(X))


def test_chunks_of_any_size_add_up_to_one_pass():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(500, 4)), rng.integers(0, 3, 500)
    cuts = [0, 1, 7, 7, 300, 500]  # an empty chunk among them
    chunks = [(X[a:b], y[a:b]) for a, b in pairwise(cuts)]
    assert_same(Moments.from_chunks(x for x, _ in chunks), Moments.of(X))
    streamed = Moments.by_class_from_chunks(chunks)
    for label, moments in Moments.by_class(X, y).items():
        assert_same(streamed[label], moments)


def test_one_row_one_class_and_no_row_are_right_answers():
    one = Moments.of([[1.0, 2.0]])
    assert_array_equal(one.mean, [1, 2])
    assert_array_equal(one.covariance, np.zeros((2, 2)))
    assert list(Moments.by_class([[1.0], [2.0]], [3, 3])) == [3]
    assert Moments.by_class(np.zeros((0, 2)), []) == {}
    assert Moments.of(np.zeros((0, 2))).n == Moments.of(np.zeros((0, 2), np.uint8)).n == 0
    assert_array_equal(Moments.of(np.zeros((0, 2))).scatter, np.zeros((2, 2)))


def test_leading_codes_are_the_regression_on_them_alone():
    rng = np.random.default_rng(0)
    Z, X = rng.normal(size=(50, 4)), rng.normal(size=(50, 3))
    assert_same(CrossMoments.of(Z, X).leading(2), CrossMoments.of(Z[:, :2], X))


def test_mean_squared_distance_equals_the_loop_over_rows():
    rng = np.random.default_rng(0)
    Z, X = rng.normal(size=(50, 4)), rng.normal(size=(50, 3))
    B, b = rng.normal(size=(3, 4)), rng.normal(size=3)
    slow = np.mean([np.sum((x - B @ z - b) ** 2) for z, x in zip(Z, X, strict=True)])
    assert CrossMoments.of(Z, X).mean_squared_distance(B, b) == pytest.approx(slow, rel=1e-12)


def test_moments_cannot_be_changed_and_leave_the_callers_arrays_writeable():
    mean, scatter = np.zeros(2), np.eye(2)
    moments = Moments(3, mean, scatter)
    with pytest.raises(ValueError, match="read-only"):
        moments.mean[0] = 1
    mean[0] = 0
    with pytest.raises(AttributeError):
        moments.n = 4


X, Y = np.zeros((4, 2)), np.zeros(4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Moments.of([1.0, 2.0]), r"shape \(2,\); give one flat image a row"),
        (lambda: Moments.of(np.zeros((2, 28, 28))), r"shape \(2, 28, 28\)"),
        (lambda: Moments.of([["a", "b"]]), "dtype <U1; give real numbers"),
        (lambda: Moments.of([[1j]]), "give real numbers"),
        (lambda: Moments.of([[1.0, np.nan]]), "NaN or infinity"),
        (lambda: Moments.of([[1.0, -np.inf]]), "X contains NaN or infinity"),
        (lambda: Moments.of([[-1e200], [1e200]]), "rescale"),
        (lambda: Moments.by_class(X, Y[:3]), r"y has shape \(3,\) beside 4 rows"),
        (lambda: Moments.by_class(X, np.full(4, np.nan)), "None or NaN"),
        (lambda: Moments.by_class(X, ["a", None, "b", "a"]), "None or NaN; give"),
        (lambda: Moments.by_class(X, ["a", float("nan"), "b", "a"]), "None or NaN; give every"),
        (lambda: Moments.by_class(X, np.array(["2026-01-01", "NaT"] * 2, "M8[D]")), "None or NaN; give every row"),
        (lambda: Moments.by_class(X, [1, "a", 1, "a"]), "y mixes text with other labels"),
        (lambda: Moments.of(np.array([[2**60, 1], [2**60 + 5, 2]])), "whole numbers beyond 2"),
        (lambda: Moments.of(np.ma.masked_equal(X, 0)), "X is a MaskedArray"),
        (lambda: Moments.of(csr_array(X)), "X is a csr_array"),
        (lambda: Moments(2.5, np.zeros(2), np.eye(2)), r"n=2\.5"),
        (lambda: Moments.of(X).push(np.full((3, 2), np.nan), np.zeros(3)), "A or b contains NaN"),
        (lambda: CrossMoments.of(X, X).leading(1.0), r"k=1\.0"),
        (lambda: Moments.from_chunks([]), "no chunk"),
        (lambda: Moments.pool({}), "at least one class"),
        (lambda: Moments.zero(2) + Moments.zero(3), "2 and of 3 pixels"),
        (lambda: Moments.zero(2).covariance, "n=0"),
        (lambda: Moments(-1, np.zeros(2), np.eye(2)), "n=-1"),
        (lambda: Moments(1, np.zeros(2), np.eye(3)), r"scatter has shape \(3, 3\)"),
        (lambda: Moments.of(X).push(np.eye(3), np.zeros(3)), r"give A \(k, 2\)"),
        (lambda: CrossMoments.of(X, X[:3]), "Z has 4 rows and X has 3"),
        (lambda: CrossMoments.of(X, X + np.nan), "X contains NaN"),
        (lambda: CrossMoments.of(X, X).leading(3), "k=3 but there are 2 codes"),
        (lambda: CrossMoments.of(X, X) + CrossMoments.of(X[:, :1], X), "latent dimensions"),
        (lambda: CrossMoments(-1, Y, Y, np.eye(4), np.eye(4), Y), "n=-1 rows"),
    ],
)
def test_bad_input_gets_an_error_that_names_it(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_one_set_of_moments_is_told_apart_from_a_dict_of_them():
    with pytest.raises(TypeError, match=r"is a Moments; give a dict, {label: moments}"):
        Moments.pool(Moments.zero(2))


def test_moments_do_not_add_to_other_things():
    with pytest.raises(TypeError):
        Moments.zero(2) + 1
    with pytest.raises(TypeError):
        CrossMoments.of(X, X) + Moments.zero(2)


def test_class_moments_of_chunks_come_in_sorted_order_and_of_one_type():
    X = np.arange(8.0).reshape(4, 2)
    assert list(Moments.by_class_from_chunks([(X[:2], ["b", "c"]), (X[2:], ["a", "b"])])) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="y mixes text with other labels"):
        Moments.by_class_from_chunks([(X[:2], ["b", "c"]), (X[2:], [1, 2])])
    assert Moments.by_class_from_chunks([]) == {}


def test_chunks_of_bytes_and_of_floats_add_up():
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (300, 5), np.uint8), rng.integers(0, 3, 300)
    mixed = Moments.by_class_from_chunks(
        [(X[:100], y[:100]), (X[100:150].astype(float), y[100:150]), (X[150:], y[150:])]
    )
    for label, whole in Moments.by_class(X, y).items():
        assert mixed[label].n == whole.n
        assert np.allclose(mixed[label].mean, whole.mean, rtol=1e-14)  # a handful of roundings
        assert np.allclose(mixed[label].scatter, whole.scatter, rtol=0, atol=1e-13 * whole.scatter.max())


def test_chunks_of_another_width_are_refused():
    with pytest.raises(ValueError, match="moments of 2 and of 3 pixels do not add"):
        Moments.from_chunks([np.zeros((4, 2)), np.zeros((4, 3))])
