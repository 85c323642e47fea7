"""Rows read in blocks: every store gives the moments of the whole, in bounded memory, whenever it is interrupted."""

import gzip
import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from comparing import assert_same_moments
from hypothesis import given, settings
from hypothesis import strategies as st

from linvae import Moments
from linvae.datasets import load_mnist
from linvae.idx import IdxFile
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

    def block(i):
        if i == at:
            raise Interrupted
        return blocks[i]

    return Blocks(len(blocks), block)


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

        def block(i, blocks=blocks, seen=seen):
            seen.append(i)
            return blocks[i]

        save = tmp_path / f"{name}.npz"
        with pytest.raises(Interrupted):
            read_moments(breaking(blocks, 7), save=save, every=3)
        read_moments(Blocks(len(blocks), block), save=save, every=3)
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
    with pytest.raises(ValueError, match=r"labels has shape \(999,\) beside 1000 images"):
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
        read_moments(iter([(X, y)]), save=tmp_path / "other.npz")
    save.write_bytes(b"not a zip file")
    with pytest.raises(ValueError, match="does not hold moments"):
        read_moments(array_blocks(X, y, 100), save=save)
    for save in (None, tmp_path / "long.npz"):
        with pytest.raises(ValueError, match="the store has no block 10, but tells of 11"):
            read_moments(Blocks(11, array_blocks(X, y, 100).__getitem__), save=save)


def test_bytes_are_not_taken_for_other_types_nor_empty_blocks_for_unlabelled_ones(tmp_path):
    save, zeros = tmp_path / "moments.npz", np.zeros((8, 4), np.uint8)
    read_moments(array_blocks(zeros, rows=8), save=save)
    with pytest.raises(ValueError, match="is of another store"):
        read_moments(array_blocks(zeros.reshape(-1, 2).view(np.uint16).reshape(4, 4), rows=4), save=save)
    X, y = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1])
    assert_same_moments(read_moments([(X[:0], None), (X, y)]), Moments.by_class(X, y))
    with pytest.raises(ValueError, match="no block, or no row"):
        read_moments([(X[:0], None)])


def test_a_store_that_ends_early_loses_nothing_that_was_saved(tmp_path, digits):
    X, y = digits
    blocks, save = array_blocks(X, y, 200), tmp_path / "moments.npz"
    short = Blocks(len(blocks), array_blocks(X[:600], y[:600], 200).__getitem__)
    with pytest.raises(ValueError, match="the store has no block 3, but tells of 5"):
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


def test_any_sequence_of_blocks_can_be_resumed(tmp_path, digits):
    X, y = digits
    blocks = [(X[:400], y[:400]), (X[400:], y[400:])]
    with pytest.raises(Interrupted):
        read_moments(breaking(blocks, 1), save=tmp_path / "moments.npz", every=1)
    assert_same_moments(read_moments(blocks, save=tmp_path / "moments.npz"), Moments.by_class(X, y))


def test_a_store_is_a_sequence_of_blocks():
    blocks = Blocks(3, lambda i: (np.full((1, 2), i), None))
    assert [int(X[0, 0]) for X, _ in blocks] == [0, 1, 2]
    for i in (3, -1):
        with pytest.raises(IndexError, match="of a store of 3; give a number from 0 to 2"):
            blocks[i]


@pytest.mark.parametrize("end", ["", ".gz"])
def test_blocks_of_an_idx_file_are_the_same_in_any_order(tmp_path, digits, end):
    X, y = digits
    blocks = idx_blocks(write_idx(tmp_path / f"X{end}", X), write_idx(tmp_path / f"y{end}", y), 96)

    def check(i):
        assert np.array_equal(blocks[i][0], X[96 * i : 96 * (i + 1)]), i
        assert np.array_equal(blocks[i][1], y[96 * i : 96 * (i + 1)]), i

    for i in [3, 4, 2, 2, 10, 0, 1, 9]:
        check(i)
    one, other = iter(blocks), iter(blocks)
    for (a, _), (b, _) in zip(one, other, strict=True):
        assert np.array_equal(a, b)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(check, list(range(11)) * 5))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # other tests have left threads
def test_a_forked_process_leaves_the_stream_of_its_parent_where_it_was(tmp_path, digits):
    X, _ = digits
    X = np.random.default_rng(0).permuted(np.tile(X, (8, 1)), axis=1)  # longer than one buffer of the stream
    blocks = idx_blocks(write_idx(tmp_path / "X.gz", X), rows=1000)
    blocks[0]
    pid = os.fork()
    if pid == 0:
        same = all(np.array_equal(blocks[i][0], X[1000 * i : 1000 * (i + 1)]) for i in range(1, 8))
        os._exit(0 if same else 1)
    assert os.waitpid(pid, 0)[1] == 0
    for i in range(1, 8):
        assert np.array_equal(blocks[i][0], X[1000 * i : 1000 * (i + 1)])


def test_a_gzipped_store_is_unpacked_once(tmp_path, digits, monkeypatch):
    images, opened = write_idx(tmp_path / "X.gz", digits[0]), []
    unzip = IdxFile._unzip
    monkeypatch.setattr(IdxFile, "_unzip", lambda self: opened.append(0) or unzip(self))
    read_moments(idx_blocks(images, rows=10))
    assert len(opened) == 1


@pytest.mark.parametrize("end", ["", ".gz"])
def test_damaged_idx_files_are_named(tmp_path, digits, end):
    path = write_idx(tmp_path / f"images{end}", digits[0])
    whole, fault = path.read_bytes(), "(is truncated|is too long|is a damaged gzip)"
    for raw in (whole[:-200], whole + b"1"):
        path.write_bytes(raw)
        with pytest.raises(ValueError, match=rf"images{end} {fault}.* copy it again"):
            read_moments(idx_blocks(path, rows=300))


def test_a_gzipped_file_that_ends_early_or_goes_on_is_named(tmp_path, digits):
    X, path = digits[0], tmp_path / "images.gz"
    raw = gzip.decompress(write_idx(path, X).read_bytes())
    for changed, words in [(raw[:-1000], "ends in row 998 of 1000"), (raw + b"1", "goes on after its 1000 rows")]:
        path.write_bytes(gzip.compress(changed))
        with pytest.raises(ValueError, match=rf"images\.gz {words}; copy it again"):
            read_moments(idx_blocks(path, rows=300))


def test_the_index_of_a_frame_is_no_pixel(tmp_path):
    """As pandas writes it: the name of the index stands in the file's own notes."""
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (60, 4), np.uint8), rng.choice(["bag", "coat"], 60)
    frame = pd.DataFrame(X, columns=[f"pixel {i}" for i in range(4)]).assign(label=y)
    frames = {
        "in order": frame,  # a range, which is no column
        "shuffled": frame.sample(frac=1, random_state=0),
        "half": frame[frame.index % 2 == 0],
        "named": frame.rename_axis("id"),
        "named and shuffled": frame.rename_axis("id").sample(frac=1, random_state=0),
        "two levels": frame.set_index([pd.Index(range(60), name="part"), pd.Index(range(60))]),
        "by a name": frame.assign(person=np.arange(60.0)).set_index("person"),
    }
    for name, stored in frames.items():
        stored.to_parquet(tmp_path / "frame.parquet", row_group_size=25)
        found = read_moments(parquet_blocks(tmp_path / "frame.parquet", "label"))
        expected = Moments.by_class(stored.drop(columns="label").to_numpy(), stored["label"].to_numpy())
        assert found["bag"].mean.shape == (4,), name
        assert_same_moments(found, expected)
    frames["by a name"].to_parquet(tmp_path / "frame.parquet")
    asked = read_moments(parquet_blocks(tmp_path / "frame.parquet", "label", ["person", "pixel 0"]))
    assert asked["bag"].mean.shape == (2,)  # asked for by name, it is one
    frame.set_index("label").to_parquet(tmp_path / "frame.parquet")
    assert_same_moments(read_moments(parquet_blocks(tmp_path / "frame.parquet", "label")), Moments.by_class(X, y))
    frame.astype({"label": "category"}).to_parquet(tmp_path / "frame.parquet")
    assert_same_moments(read_moments(parquet_blocks(tmp_path / "frame.parquet", "label")), Moments.by_class(X, y))


def test_a_parquet_file_without_pixels_is_named(tmp_path):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "frame.parquet"
    parquet.write_table(pa.table({"label": [1, 2], "a": [2**53 + 1, 0], "b": [0.5, 0.5]}), path)
    with pytest.raises(
        ValueError, match=r"no column of pixels: label='label', columns=\[\], index \[\]; give columns="
    ):
        parquet_blocks(path, "label", [])
    with pytest.raises(ValueError, match="column 'a' holds whole numbers beyond 2"):
        read_moments(parquet_blocks(path, "label"))
    parquet.write_table(pa.table({"label": [1, 2]}), path)
    with pytest.raises(ValueError, match=r"no column of pixels: label='label', columns=None"):
        parquet_blocks(path, "label")
