"""Rows and labels of every kind that people have: taken for what they say, or refused with what was found."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import coo_array, csr_matrix

from linvae import CrossMoments, Moments

X = np.array([[0.0, 3.0], [1.0, 5.0], [2.0, 4.0], [7.0, 6.0]])
Y = np.array([0, 1, 0, 1])


def same(found, expected):
    assert found.keys() == expected.keys()
    for label, m in expected.items():
        assert found[label].n == m.n
        assert_array_equal(found[label].mean, m.mean)
        assert_array_equal(found[label].scatter, m.scatter)


def everywhere(rows):
    """Yield the moments of these rows by every way in, as {label: moments}."""
    yield Moments.by_class(rows, Y)
    yield Moments.by_class_from_chunks([(rows[:2], Y[:2]), (rows[2:], Y[2:])])
    yield {None: Moments.of(rows)}
    yield {None: Moments.from_chunks([rows])}
    cross = CrossMoments.of(rows, rows)
    yield {None: Moments(cross.n, cross.mean_x, cross.Szx)}


def refused_everywhere(rows, words):
    for use in (
        Moments.of,
        lambda rows: Moments.by_class(rows, Y),
        lambda rows: Moments.from_chunks([rows]),
        lambda rows: Moments.by_class_from_chunks([(rows, Y)]),
        lambda rows: CrossMoments.of(X, rows),
        lambda rows: CrossMoments.of(rows, X),
    ):
        with pytest.raises(ValueError, match=words):
            use(rows)


def frames():
    pd = pytest.importorskip("pandas")
    plain = pd.DataFrame(X, columns=["a", "b"])
    yield "floats", plain
    yield "with another index", plain.set_index(pd.Index(list("dcba")))
    yield "whole numbers", plain.astype(int)
    yield "bytes", plain.astype("uint8")
    yield "mixed", plain.astype({"a": "float32", "b": "int16"})
    yield "nullable whole numbers", plain.astype("Int64")
    yield "nullable floats", plain.astype("Float32")
    yield "nullable and plain", plain.astype({"a": "UInt8"})
    yield "numbers as objects", plain.astype(object)
    pa = pytest.importorskip("pyarrow")
    yield "Arrow floats", plain.astype(pd.ArrowDtype(pa.float64()))
    yield "Arrow whole numbers", plain.astype("int64").astype(pd.ArrowDtype(pa.int64()))
    yield "Arrow bytes", plain.astype("uint8").astype(pd.ArrowDtype(pa.uint8()))
    yield "Arrow and plain", plain.astype({"b": pd.ArrowDtype(pa.float32())})


def test_frames_of_every_kind_give_the_moments_of_their_numbers():
    for name, frame in frames():
        try:
            found = list(everywhere(frame))
        except Exception as error:
            error.add_note(name)
            raise
        # Bytes go another way, so all is compared to rounding; these few numbers have none.
        for moments, expected in zip(found, everywhere(X), strict=True):
            assert moments.keys() == expected.keys(), name
            for label, m in expected.items():
                np.testing.assert_allclose(moments[label].mean, m.mean, rtol=1e-15, err_msg=name)
                np.testing.assert_allclose(moments[label].scatter, m.scatter, rtol=1e-15, err_msg=name)


def test_missing_values_in_frames_are_named():
    pd = pytest.importorskip("pandas")
    gap = pd.DataFrame({"a": [0.0, None, 2.0, 7.0], "b": [3.0, 5.0, 4.0, 6.0]})
    refused_everywhere(gap, "contains NaN")
    refused_everywhere(gap.astype("Int64"), "contains NaN")
    refused_everywhere(gap.astype("Float64"), "contains NaN")
    pa = pytest.importorskip("pyarrow")
    refused_everywhere(gap.astype(pd.ArrowDtype(pa.float64())), "contains NaN")
    refused_everywhere(gap.astype("Int64").astype(pd.ArrowDtype(pa.int64())), "contains NaN")


def test_frames_of_other_things_are_named():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["a", "b"])
    for other in (["x"] * 4, pd.Timestamp("2026-01-01"), [1j] * 4, [[1], [2], [3], [4]]):
        refused_everywhere(frame.assign(other=other), r"has columns of other things \(.*\); give real numbers")


def test_whole_numbers_that_floats_would_round_are_refused():
    beyond = [np.array([[2**53 + 1, 1], [3, 4], [5, 6], [7, 8]]), np.array([[-(2**53) - 1, 1]] * 4)]
    beyond += [beyond[0].astype(np.uint64), np.array([[2**64 - 1, 0]] * 4, np.uint64), beyond[0].tolist()]
    for rows in beyond:
        refused_everywhere(rows, "whole numbers beyond 2")
    for rows in (beyond[0].astype(object), [[2**64, 1], [1, 2], [3, 4], [5, 6]]):
        refused_everywhere(rows, "has dtype object; give real numbers")
    assert Moments.of(np.array([[2**53], [2**53]])).mean == 2**53
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(beyond[0], columns=["a", "b"])
    for kind in ("int64", "uint64", "Int64", object):
        refused_everywhere(frame.astype(kind), "whole numbers beyond 2")
        refused_everywhere(frame.astype({"a": kind, "b": "float64"}), "whole numbers beyond 2")
    pa = pytest.importorskip("pyarrow")
    refused_everywhere(frame.astype(pd.ArrowDtype(pa.int64())), "whole numbers beyond 2")
    refused_everywhere(frame.astype({"a": pd.ArrowDtype(pa.uint64()), "b": "float64"}), "whole numbers beyond 2")
    large = pd.DataFrame({"a": [2.0**60] * 4, "b": [1, 2, 3, 4]})
    assert Moments.of(large).mean[0] == 2.0**60  # a float is what it is


def test_masked_and_sparse_rows_are_refused():
    masked = np.ma.masked_equal(X, 7.0)
    refused_everywhere(masked, "is a MaskedArray")
    refused_everywhere(np.ma.array(X), "is a MaskedArray")  # nothing masked today
    refused_everywhere(list(masked), "is a MaskedArray")
    for sparse in (csr_matrix(X), coo_array(X)):
        refused_everywhere(sparse, "give a plain array, zeros written out")
    pd = pytest.importorskip("pandas")
    refused_everywhere(pd.DataFrame(X).astype(pd.SparseDtype("float", 0.0)), "Sparse data was passed for .*; give real")


# Labels

TAKEN = {
    "a list": [0, 1, 0, 1],
    "a tuple": (0, 1, 0, 1),
    "bytes": np.array([0, 1, 0, 1], np.uint8),
    "floats": [0.0, 1.0, 0.0, 1.0],
    "truth values": [False, True, False, True],
    "objects": np.array([0, 1, 0, 1], object),
}


@pytest.mark.parametrize("y", TAKEN.values(), ids=TAKEN.keys())
def test_labels_of_numbers_are_taken(y):
    same(Moments.by_class(X, y), Moments.by_class(X, Y))


def test_labels_of_pandas_are_taken():
    pd = pytest.importorskip("pandas")
    text = pd.Series(["bag", "coat", "bag", "coat"], index=[5, 3, 1, 0])
    expected = {"bag": Moments.of(X[[0, 2]]), "coat": Moments.of(X[[1, 3]])}
    kinds = ["category", "string", object, "string[python]"]
    for kind in kinds:
        same(Moments.by_class(X, text.astype(kind)), expected)
        same(Moments.by_class(X, text.astype(kind).array), expected)
        same(Moments.by_class(pd.DataFrame(X), text.astype(kind)), expected)
    same(Moments.by_class(X, pd.Index(text)), expected)
    numbers = pd.Series(Y)
    kinds = ["int8", "Int64", "UInt8", "category", "boolean", "Float64", object]
    for kind in kinds:
        same(Moments.by_class(X, numbers.astype(kind)), Moments.by_class(X, Y))
    pa = pytest.importorskip("pyarrow")
    same(Moments.by_class(X, numbers.astype(pd.ArrowDtype(pa.int64()))), Moments.by_class(X, Y))
    same(Moments.by_class(X, text.astype(pd.ArrowDtype(pa.string()))), expected)
    same(Moments.by_class(X, pa.array(["bag", "coat", "bag", "coat"])), expected)


def test_missing_labels_are_named():
    gaps = [[0, None, 0, 1], [0, float("nan"), 0, 1], ["a", None, "b", "a"], ["a", float("nan"), "b", "a"]]
    gaps += [np.array([0, np.nan, 0, 1]), np.array([0, np.nan, 0, 1], np.float32)]
    gaps += [np.array(["2026-01-01", "NaT"] * 2, "M8[D]"), np.array([1, "NaT"] * 2, "m8[D]")]
    gaps += [[np.float64("nan"), 1, 2, 3], [np.datetime64("NaT")] * 4]
    pd = pytest.importorskip("pandas")
    for kind in ("Int64", "Float64", "category", object, "boolean"):
        gaps.append(pd.Series([0, 1, None, 1], dtype=kind))
    for kind in ("string", "category", object, "str"):
        gaps.append(pd.Series(["a", "b", None, "a"], dtype=kind))
    gaps += [pd.Series(["a", pd.NA, "b", "a"]), [pd.NaT, 1, 1, 1], [pd.NA, 1, 0, 1], pd.array([1, pd.NA, 1, 1])]
    gaps += [pd.Series(pd.to_datetime(["2026-01-01", None, "2026-01-02", None]))]
    pa = pytest.importorskip("pyarrow")
    gaps += [pd.Series([0, 1, None, 1], dtype=pd.ArrowDtype(pa.int64())), pa.array([0, None, 1, 1])]
    for y in gaps:
        for use in (Moments.by_class, lambda X, y: Moments.by_class_from_chunks([(X, y)])):
            with pytest.raises(ValueError, match="y holds missing values: NA, None or NaN; give every"):
                use(X, y)


def test_dates_are_no_labels():
    days = np.array(["2026-01-01", "2026-01-02"] * 2, "M8[D]")
    pd = pytest.importorskip("pandas")
    kinds = [days, days - days[0], list(days), pd.Series(days), pd.Series(days).dt.tz_localize("UTC"), days.tolist()]
    kinds += [pd.Series(days).dt.to_period("D"), pd.Series(days).dt.date]
    for y in kinds:
        with pytest.raises(ValueError, match=r"y has dtype .*; labels are numbers or text, give y\.astype\(str\)"):
            Moments.by_class(X, y)


def test_other_labels_are_named():
    with pytest.raises(ValueError, match=r"y is a csr_matrix; give a plain array, such as y\.toarray"):
        Moments.by_class(X, csr_matrix(Y))
    with pytest.raises(ValueError, match="y is a coo_array; give a plain array"):
        Moments.by_class(X, coo_array(Y))
    with pytest.raises(ValueError, match="y is a MaskedArray"):
        Moments.by_class(X, np.ma.masked_equal(Y, 0))
    for y in ([1, "a", 1, "a"], np.array([1, "a", 1, "a"], object)):
        with pytest.raises(ValueError, match="y mixes text with other labels; give labels of one type"):
            Moments.by_class(X, y)
    for y in (np.array([[0, 1, 0, 1]]), Y[:, None], Y[:3], 3, [[0], [1], [0], [1]], [(0, 1), (1, 2), (0, 1), (1, 2)]):
        with pytest.raises(ValueError, match=r"y has shape \(.*\) beside 4 rows; give one label a row, shape \(4,\)"):
            Moments.by_class(X, y)
    pd = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"y has shape \(4, 1\) beside 4 rows"):
        Moments.by_class(X, pd.DataFrame({"y": Y}))
    with pytest.raises(ValueError, match="y has dtype complex128"):
        Moments.by_class(X, Y * 1j)


def test_large_whole_labels_stay_apart():
    y = [2**60, 2**60 + 1] * 2
    assert list(Moments.by_class(X, y)) == [2**60, 2**60 + 1]
    assert list(Moments.by_class(X, [2**60, 0.5] * 2)) == [0.5, 2**60]
    for y in ([2**60 + 1, 0.5] * 2, [2**63 + 1, -1] * 2, ["a", "a\0"] * 2):
        with pytest.raises(ValueError, match=r"y holds .*, which NumPy makes another label; give labels of one"):
            Moments.by_class(X, y)
    with pytest.raises(ValueError, match="y has dtype object; labels are numbers or text"):
        Moments.by_class(X, [2**70, 1] * 2)
