"""Rows read in blocks: every store gives the moments of the whole, in bounded memory, whenever it is interrupted."""

import gzip
import tracemalloc

import numpy as np
import pytest
from comparing import assert_same_moments
from hypothesis import given, settings
from hypothesis import strategies as st

from linvae import Moments
from linvae.datasets import load_mnist
from linvae.stream import (
    Blocks,
    add_classes,
    array_blocks,
    idx_blocks,
    load_moments,
    parquet_blocks,
    read_moments,
    save_moments,
)


@pytest.fixture(scope="module")
def digits():
    X, y = load_mnist(dtype="uint8")
    return X[:1000], y[:1000]


def write_idx(path, values):
    """Write bytes as an idx file."""
    head = b"\0\0\x08" + bytes([values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    data = head + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def stores(folder, X, y):
    """Yield the same rows in every kind of store, in blocks of 96."""
    np.save(folder / "X.npy", X)
    yield "memory map", array_blocks(np.load(folder / "X.npy", mmap_mode="r"), y, 96)
    for end in ("", ".gz"):
        images = write_idx(folder / f"images{end}", X.reshape(-1, 28, 28))
        yield f"idx{end}", idx_blocks(images, write_idx(folder / f"labels{end}", y), 96)


def test_every_store_gives_the_moments_of_the_whole(tmp_path, digits):
    expected = Moments.by_class(*digits)
    for name, blocks in stores(tmp_path, *digits):
        assert len(blocks) == 11, name
        assert_same_moments(read_moments(blocks), expected)


def test_zarr_and_parquet_give_the_moments_of_the_whole(tmp_path, digits):
    zarr = pytest.importorskip("zarr")
    X, y = digits
    stored = zarr.create_array(tmp_path / "X.zarr", shape=X.shape, chunks=(150, 784), dtype="uint8")
    stored[:] = X
    assert len(array_blocks(stored)) == 7  # the store's own chunks
    assert_same_moments(read_moments(array_blocks(stored, y)), Moments.by_class(X, y))

    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    wide = {f"pixel {i}": X[:, i] for i in range(300, 320)} | {"digit": y}
    parquet.write_table(pa.table(wide), tmp_path / "wide.parquet", row_group_size=300)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(X[:, 300:320].ravel()), 20)
    parquet.write_table(pa.table({"image": lists, "digit": y}), tmp_path / "lists.parquet", row_group_size=300)
    for name in ("wide", "lists"):
        blocks = parquet_blocks(tmp_path / f"{name}.parquet", "digit")
        assert len(blocks) == 4
        assert_same_moments(read_moments(blocks), Moments.by_class(X[:, 300:320], y))
    with pytest.raises(ValueError, match="no column 'label'"):
        parquet_blocks(tmp_path / "wide.parquet", "label")
    wide = wide | {"name": ["digit"] * len(y)}
    parquet.write_table(pa.table(wide), tmp_path / "named.parquet", row_group_size=300)
    with pytest.raises(ValueError, match="column 'name' holds no numbers; name the labels by label="):
        read_moments(parquet_blocks(tmp_path / "named.parquet", "digit"))
    chosen = parquet_blocks(tmp_path / "named.parquet", "name", [f"pixel {i}" for i in range(300, 310)])
    assert_same_moments(read_moments(chosen), {"digit": Moments.of(X[:, 300:310])})
    parquet.write_table(pa.table({"a": [1.0, None], "b": [1.0, 2.0]}), tmp_path / "gap.parquet")
    with pytest.raises(ValueError, match="column 'a' has 1 missing values"):
        read_moments(parquet_blocks(tmp_path / "gap.parquet"))
    parquet.write_table(pa.table({"image": [[1.0, 2.0], [3.0]]}), tmp_path / "ragged.parquet")
    with pytest.raises(ValueError, match="lists of unequal length"):
        read_moments(parquet_blocks(tmp_path / "ragged.parquet"))


def test_rows_without_labels_have_the_label_none(digits):
    X, _ = digits
    assert_same_moments(read_moments(array_blocks(X, rows=300)), {None: Moments.of(X)})
    assert_same_moments(read_moments([(X[:10], None), (X[10:], None)]), {None: Moments.of(X)})


class Interrupted(Exception):
    """Stands for a power cut."""


def breaking(blocks, at):
    """Return the same store, whose block number `at` cannot be read."""

    def read(start):
        for i, block in enumerate(blocks.read(start), start):
            if i == at:
                raise Interrupted
            yield block

    return Blocks(len(blocks), read)


@settings(max_examples=25, deadline=None)
@given(breaks=st.lists(st.integers(0, 9), max_size=4), every=st.integers(1, 12))
def test_an_interrupted_run_leaves_no_row_out_and_counts_none_twice(tmp_path_factory, breaks, every):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (97, 5), np.uint8), rng.integers(0, 3, 97)
    blocks, save = array_blocks(X, y, 10), tmp_path_factory.mktemp("run") / "moments.npz"
    for at in breaks:
        try:
            read_moments(breaking(blocks, at), save=save, every=every)
        except Interrupted:
            continue
    assert_same_moments(read_moments(blocks, save=save, every=every), Moments.by_class(X, y))
    assert_same_moments(
        read_moments(blocks, save=save, every=every), Moments.by_class(X, y)
    )  # a finished run reads nothing more


def test_a_resumed_run_reads_only_what_is_left(tmp_path, digits):
    for name, blocks in stores(tmp_path, *digits):
        seen = []

        def read(start, blocks=blocks, seen=seen):
            for i, block in enumerate(blocks.read(start), start):
                seen.append(i)
                yield block

        save = tmp_path / f"{name}.npz"
        with pytest.raises(Interrupted):
            read_moments(breaking(blocks, 7), save=save, every=3)
        read_moments(Blocks(len(blocks), read), save=save, every=3)
        # Two saves of three blocks were made; the last of them tells whether the store is the same.
        assert seen == [5, 6, 7, 8, 9, 10], name


def test_a_save_is_replaced_in_one_step(tmp_path, digits, monkeypatch):
    save, moments = tmp_path / "moments.npz", Moments.by_class(*digits)
    save_moments(save, moments)
    before = save.read_bytes()

    def half(file, **arrays):
        file.write(b"half a file")
        raise Interrupted

    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(Interrupted):
        save_moments(save, moments)
    assert save.read_bytes() == before


@pytest.mark.parametrize("labels", [[0, 3], ["bag", "coat"], [1.5], [None]])
def test_moments_come_back_from_a_file_to_the_last_digit(tmp_path, labels):
    moments = {label: Moments.of(np.random.default_rng(i).standard_normal((9, 4))) for i, label in enumerate(labels)}
    save_moments(tmp_path / "moments", moments)
    back = load_moments(tmp_path / "moments")
    assert list(back) == labels
    for label in labels:
        assert back[label].n == moments[label].n
        assert np.array_equal(back[label].mean, moments[label].mean)
        assert np.array_equal(back[label].scatter, moments[label].scatter)


def test_memory_does_not_grow_with_the_number_of_rows(tmp_path):
    """tracemalloc sees NumPy's arrays; eight times the rows may not cost a tenth more at the peak."""
    X, y = load_mnist(dtype="uint8")
    X, y = X[:2000, 200:400], y[:2000]
    peaks = []
    for copies in (1, 8):
        images = write_idx(tmp_path / f"images{copies}", np.tile(X, (copies, 1)))
        labels = write_idx(tmp_path / f"labels{copies}", np.tile(y, copies))
        tracemalloc.start()
        read_moments(idx_blocks(images, labels, 500))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_a_bar_shows_where_a_resumed_run_stands(tmp_path, digits, capsys):
    pytest.importorskip("tqdm")
    blocks = array_blocks(*digits, 100)
    with pytest.raises(Interrupted):
        read_moments(breaking(blocks, 5), save=tmp_path / "moments.npz", every=2)
    read_moments(blocks, save=tmp_path / "moments.npz", progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "blocks read" in err
    assert "10/10" in err


def test_bad_stores_are_named(tmp_path, digits):
    X, y = digits
    with pytest.raises(ValueError, match=r"X has shape \(1000,\)"):
        array_blocks(y)
    with pytest.raises(ValueError, match=r"y has shape \(999,\) beside 1000 rows"):
        array_blocks(X, y[1:])
    with pytest.raises(ValueError, match="rows=0"):
        array_blocks(X, rows=0)
    with pytest.raises(ValueError, match="no block"):
        read_moments([])
    with pytest.raises(ValueError, match="no block"):
        read_moments(array_blocks(X[:0], y[:0]))
    for mixed in ([(X[:5], y[:5]), (X[5:], None)], [(X[:5], None), (X[5:], y[5:])]):
        with pytest.raises(ValueError, match="some blocks have labels and some have none"):
            read_moments(mixed)
    with pytest.raises(ValueError, match="some blocks have labels and some have none"):
        add_classes({None: Moments.of(X)}, {1: Moments.of(X)})
    with pytest.raises(ValueError, match="labels mix text with other things"):
        add_classes({"one": Moments.of(X)}, {1: Moments.of(X)})
    with pytest.raises(ValueError, match="moments of 784 and of 783 pixels do not add"):
        read_moments([(X, y), (X[:, 1:], y)])
    images, labels = write_idx(tmp_path / "images", X), write_idx(tmp_path / "labels", y[1:])
    with pytest.raises(ValueError, match=r"labels has shape \[999\] beside 1000 images"):
        idx_blocks(images, labels)
    (tmp_path / "words").write_text("no images")
    with pytest.raises(ValueError, match="is not idx of bytes"):
        idx_blocks(tmp_path / "words")


def test_a_store_that_changed_is_named(tmp_path, digits):
    X, y = digits
    save = tmp_path / "moments.npz"
    read_moments(array_blocks(X, y, 100), save=save)
    with pytest.raises(ValueError, match=r"is of a store of 10 blocks, this one has 5; remove it"):
        read_moments(array_blocks(X, y, 200), save=save)
    for other in (array_blocks(255 - X, y, 100), array_blocks(X, 9 - y, 100), array_blocks(X, None, 100)):
        with pytest.raises(ValueError, match="is of another store: its last block read, number 9, differs"):
            read_moments(other, save=save)
    with pytest.raises(ValueError, match="only Blocks can be resumed"):
        read_moments([(X, y)], save=tmp_path / "other.npz")
    save.write_bytes(b"not a zip file")
    with pytest.raises(ValueError, match="does not hold moments"):
        read_moments(array_blocks(X, y, 100), save=save)
    blocks = array_blocks(X, y, 100)
    for count, words in [(9, "gave a block after the last of its 9"), (11, "gave 10 of the 11 blocks")]:
        with pytest.raises(ValueError, match=words):
            read_moments(Blocks(count, blocks.read))


def test_bytes_are_not_taken_for_other_types_nor_empty_blocks_for_unlabelled_ones(tmp_path):
    save, zeros = tmp_path / "moments.npz", np.zeros((8, 4), np.uint8)
    read_moments(array_blocks(zeros, rows=8), save=save)
    with pytest.raises(ValueError, match="is of another store"):
        read_moments(array_blocks(zeros.reshape(-1, 2).view(np.uint16).reshape(4, 4), rows=4), save=save)
    X, y = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1])
    assert_same_moments(read_moments([(X[:0], None), (X, y)]), Moments.by_class(X, y))
    with pytest.raises(ValueError, match="no block, or no row"):
        read_moments([(X[:0], None)])


def test_a_store_that_forgets_where_to_start_spoils_no_later_run(tmp_path, digits):
    X, y = digits
    blocks, save = array_blocks(X, y, 200), tmp_path / "moments.npz"
    forgetful = Blocks(len(blocks), lambda start: blocks.read(0))
    with pytest.raises(Interrupted):
        read_moments(breaking(blocks, 3), save=save, every=1)
    with pytest.raises(ValueError, match="its last block read, number 2, differs"):
        read_moments(forgetful, save=save, every=1)
    same = Blocks(4, lambda start: iter([(X, y)] * 4))  # equal blocks hide it until the end
    with pytest.raises(Interrupted):
        read_moments(
            breaking(Blocks(4, lambda start: iter([(X, y)] * (4 - start))), 3), save=tmp_path / "same.npz", every=1
        )
    with pytest.raises(ValueError, match=r"its `start`, is wrong; mend the store \(.* was removed\)"):
        read_moments(same, save=tmp_path / "same.npz", every=1)
    assert not (tmp_path / "same.npz").exists()
    assert_same_moments(read_moments(blocks, save=save), Moments.by_class(X, y))


def test_a_store_that_ends_early_loses_nothing_that_was_saved(tmp_path, digits):
    X, y = digits
    blocks, save = array_blocks(X, y, 200), tmp_path / "moments.npz"
    short = Blocks(len(blocks), lambda start: array_blocks(X[:600], y[:600], 200).read(start))
    with pytest.raises(ValueError, match="the store gave 3 of the 5 blocks"):
        read_moments(short, save=save, every=1)
    with np.load(save) as kept:
        assert kept["done"] == 3
    assert_same_moments(read_moments(blocks, save=save), Moments.by_class(X, y))


def test_what_is_no_block_is_named(digits):
    X, y = digits
    for blocks in ([X], iter(X), X):
        with pytest.raises(ValueError, match=r"a block is a ndarray; give pairs \(X, y\)"):
            read_moments(blocks)
    with pytest.raises(TypeError, match="positional"):
        read_moments(X, y)
    assert len(array_blocks([[0.0, 1.0], [2.0, 3.0]], rows=1)) == 2
    da = pytest.importorskip("dask.array")
    with pytest.raises(ValueError, match=r"use linvae\.dask\.class_moments"):
        array_blocks(da.from_array(X, chunks=(100, 784)))


@pytest.mark.parametrize("end", ["", ".gz"])
def test_damaged_idx_files_are_named(tmp_path, digits, end):
    path = write_idx(tmp_path / f"images{end}", digits[0])
    whole, fault = path.read_bytes(), "(ends in row|goes on after|is a damaged gzip)"
    for raw in (whole[:-200], whole + b"1"):
        path.write_bytes(raw)
        with pytest.raises(ValueError, match=rf"images{end} {fault}.* copy it again"):
            read_moments(idx_blocks(path, rows=300))
