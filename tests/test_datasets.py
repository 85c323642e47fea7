"""The images are what the data card says, and nothing else is ever handed over as them."""

from __future__ import annotations

import gzip
import hashlib
import re
import socket
import subprocess
import sys
import tempfile
import tracemalloc
from importlib.resources import files
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from sklearn.neighbors import NearestNeighbors

from linvae.datasets import (
    FASHION_MNIST_LABELS,
    fetch_fashion_mnist,
    fetch_mnist,
    load_fashion_mnist,
    load_mnist,
    read_folder,
    read_idx,
)

CARD = files("linvae").joinpath("data", "README.md").read_text(encoding="utf-8")
LOADERS = {"mnist": load_mnist, "fashion_mnist": load_fashion_mnist}
FETCHERS = {"mnist": fetch_mnist, "fashion_mnist": fetch_fashion_mnist}
N = {"train": 60_000, "test": 10_000}
PREFIX = {"train": "train", "test": "t10k"}
FIRST = {
    ("mnist", "train"): [5, 0, 4, 1, 9, 2, 1, 3, 1, 4],
    ("mnist", "test"): [7, 2, 1, 0, 4, 1, 4, 9, 5, 9],
    ("fashion_mnist", "train"): [9, 0, 0, 3, 0, 2, 7, 2, 5, 5],
    ("fashion_mnist", "test"): [9, 2, 1, 1, 6, 1, 4, 6, 5, 7],
}

each_set = pytest.mark.parametrize("stem", ["mnist", "fashion_mnist"])
each_split = pytest.mark.parametrize("split", ["train", "test"])


@pytest.fixture(autouse=True)
def _away_from_home(monkeypatch, tmp_path):
    """Forget the developer's LINVAE_DATA and scikit-learn cache, and cut the network."""

    def refuse(*args, **kwargs):
        raise OSError("the network is cut")

    monkeypatch.delenv("LINVAE_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "scikit_learn_data"))
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def idx(array: np.ndarray) -> bytes:
    """Write an array of bytes as idx: the definition, to check `read_idx` against."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return b"\0\0\x08" + bytes([array.ndim]) + sizes + array.tobytes()


def save_full_set(folder: Path, stem: str, split: str, wrap=lambda raw: raw, suffix: str = "") -> None:
    """Write black images, the first ten labels of a set and zeros: full size, empty inside."""
    labels = np.zeros(N[split], np.uint8)
    labels[:10] = FIRST[stem, split]
    images = np.zeros((N[split], 28, 28), np.uint8)
    images[-1, -1, -1] = 51
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{PREFIX[split]}-images-idx3-ubyte{suffix}").write_bytes(wrap(idx(images)))
    (folder / f"{PREFIX[split]}-labels-idx1-ubyte{suffix}").write_bytes(wrap(idx(labels)))


def quick_gzip(raw: bytes) -> bytes:
    return gzip.compress(raw, compresslevel=1)


ZIPPED = gzip.compress(idx(np.arange(90, dtype=np.uint8)))


# The shipped images


@each_set
@pytest.mark.parametrize(("split", "n"), [("train", 8000), ("test", 2000)])
def test_shipped_images_have_the_promised_shapes_types_and_range(stem, split, n):
    X, y = LOADERS[stem](split)
    assert X.shape == (n, 784)
    assert y.shape == (n,)
    assert X.dtype == np.float32
    assert y.dtype == np.int64
    assert X.min() == 0
    assert X.max() == 1
    assert set(y) == set(range(10))
    assert X.flags.writeable
    assert y.flags.writeable


@each_set
@each_split
def test_float32_is_the_byte_divided_by_255_exactly(stem, split):
    gray, y = LOADERS[stem](split)
    stored, same_y = LOADERS[stem](split, dtype="uint8")
    assert stored.dtype == np.uint8
    assert stored.flags.writeable
    np.testing.assert_array_equal(gray, stored.astype(np.float32) / np.float32(255))  # one correctly rounded division
    np.testing.assert_array_equal(np.rint(gray * 255), stored)  # so that nothing is lost
    np.testing.assert_array_equal(y, same_y)


def test_the_default_is_the_train_part_in_float32():
    for load in LOADERS.values():
        np.testing.assert_array_equal(load()[0], load("train", "float32")[0])


@each_set
@each_split
def test_class_counts_are_those_of_the_data_card(stem, split):
    section = CARD.split("\n## ")[1 if stem == "mnist" else 2]
    counts = [int(word) for word in re.search(rf"^\| {split} \| (.*) \|$", section, re.MULTILINE)[1].split(" | ")]
    np.testing.assert_array_equal(np.bincount(LOADERS[stem](split)[1]), counts)


@each_set
def test_no_image_occurs_twice_in_the_two_parts_together(stem):
    X = np.concatenate([LOADERS[stem](split, dtype="uint8")[0] for split in ("train", "test")])
    assert len(np.unique(X, axis=0)) == 10_000


@each_set
def test_the_files_have_the_hashes_of_the_data_card(stem):
    file = files("linvae").joinpath("data", f"{stem}.npz").read_bytes()
    assert f"| `{stem}.npz` | `{hashlib.sha256(file).hexdigest()}` |" in CARD


def test_mnist_has_as_many_constant_pixels_as_the_data_card_says():
    X = np.concatenate([load_mnist(split, dtype="uint8")[0] for split in ("train", "test")])
    assert f"{np.sum(X.max(axis=0) == 0)} of the 784 pixels are 0" in CARD


def test_a_nearest_neighbour_cannot_tell_mnist_train_from_test():
    rows = np.random.default_rng(0).choice(8000, 2000, replace=False)
    X = np.concatenate([load_mnist("train")[0][rows], load_mnist("test")[0]])
    part = np.repeat([0, 1], 2000)
    neighbour = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(X).kneighbors(return_distance=False)[:, 0]
    # 4 standard errors: a coin's is 0.008 in 4,000 guesses; mutual neighbours repeat a guess, at worst sqrt(2) more
    assert abs(np.mean(part[neighbour] == part) - 0.5) < 4 * 0.0112


def test_the_data_card_is_one_page_that_begins_with_its_title():
    assert CARD.startswith("# The data\n")
    assert len(re.findall(r"^# ", CARD, re.MULTILINE)) == 1


def test_the_names_of_the_clothes_are_those_of_the_data_card():
    assert f"| name | {' | '.join(FASHION_MNIST_LABELS)} |" in CARD
    assert len(FASHION_MNIST_LABELS) == 10


def test_both_licences_lie_beside_the_data():
    folder = files("linvae").joinpath("data")
    mnist = folder.joinpath("LICENSE-MNIST.txt").read_text(encoding="utf-8")
    assert "https://creativecommons.org/licenses/by-sa/3.0/" in mnist
    fashion = folder.joinpath("LICENSE-FASHION-MNIST.txt").read_text(encoding="utf-8")
    assert "Copyright © 2017 Zalando SE" in fashion


def test_importing_the_module_loads_neither_matplotlib_nor_sklearn_datasets():
    heavy = "{'matplotlib', 'sklearn.datasets', 'pandas'}"
    code = "import sys, linvae; before = set(sys.modules); import linvae.datasets; "
    code += f"assert 'linvae.datasets' not in before; print(sorted({heavy} & set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("read", [*LOADERS.values(), *FETCHERS.values()])
def test_an_unknown_split_or_dtype_is_named_with_its_choices(read):
    with pytest.raises(ValueError, match=r"split='valid'; choose 'train' or 'test'"):
        read("valid")
    with pytest.raises(ValueError, match=r"dtype='float64'; choose 'float32' or 'uint8'"):
        read(dtype="float64")


# The idx format


@settings(deadline=None)  # the disk sets the pace
@given(array_shapes(max_dims=4, max_side=5), st.integers(0, 5), st.booleans(), st.integers(0, 255))
def test_idx_files_round_trip_plain_and_gzipped(sizes, n, zipped, seed):
    array = np.random.default_rng(seed).integers(0, 256, (n, *sizes[1:]), np.uint8)  # of no images, too
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some-idx"
        path.write_bytes(quick_gzip(idx(array)) if zipped else idx(array))
        found = read_idx(path)
    assert found.dtype == np.uint8
    assert found.flags.writeable
    np.testing.assert_array_equal(found, array)


def test_a_gzip_bomb_is_unpacked_no_further_than_its_header_promises(tmp_path):
    """256 KB that unpack to 256 MB of zeros; what is promised takes 12 bytes, and 1 MB is unpacked at once."""
    bomb = tmp_path / "bomb"
    with gzip.open(bomb, "wb") as file:
        file.write(idx(np.zeros((3, 4), np.uint8)))
        for _ in range(256):
            file.write(bytes(2**20))
    assert bomb.stat().st_size < 2**19
    huge = tmp_path / "huge"  # promises 2^32 images of 2^32 pixels; no file of its size could hold them
    huge.write_bytes(gzip.compress(b"\0\0\x08\x02" + b"\xff" * 8 + bytes(2**20)))
    for path, words in [(bomb, "is too long: expected 12 values, found more"), (huge, "is truncated: .* at most")]:
        tracemalloc.start()
        with pytest.raises(ValueError, match=words):
            read_idx(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**22


def test_what_is_no_file_is_no_idx_file(tmp_path):
    with pytest.raises(ValueError, match="is not a file; give one"):
        read_idx(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "missing")


def test_an_idx_file_is_read_by_content_whatever_its_name(tmp_path):
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    (tmp_path / "plain.gz").write_bytes(idx(array))
    (tmp_path / "zipped").write_bytes(quick_gzip(idx(array)))
    np.testing.assert_array_equal(read_idx(tmp_path / "plain.gz"), array)
    np.testing.assert_array_equal(read_idx(str(tmp_path / "zipped")), array)


def test_an_idx_file_cut_anywhere_is_refused(tmp_path):
    array = np.arange(1, 13, dtype=np.uint8).reshape(3, 4)
    for raw in (idx(array), quick_gzip(idx(array))):
        for length in range(len(raw)):
            (tmp_path / "cut").write_bytes(raw[:length])
            with pytest.raises(ValueError, match=r"cut is (truncated|not idx of bytes|a damaged gzip file)"):
                read_idx(tmp_path / "cut")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (idx(np.zeros((3, 4), np.uint8))[:-5], r"is truncated: expected 24 bytes, found 19"),
        (idx(np.zeros((3, 4), np.uint8)) + b"more", r"is too long: expected 24 bytes, found 28"),
        (b"\0\0\x08\x03" + bytes(2), r"is truncated: expected 16 bytes, found 6"),
        (b"\0\0\x08\x03" + b"\xff" * 12, r"is truncated: expected [\d,]+ bytes, found 16"),
        (b"<!DOCTYPE html>", r"is not idx of bytes: expected 00 00 08 .*, found 3c 21 44 4f"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", r"is not idx of bytes: .* found 00 00 0d 01"),
        (b"\0\0\x08\0", r"is not idx of bytes: .* found 00 00 08 00"),
        (b"", r"is not idx of bytes: .* found nothing"),
        (ZIPPED[:-4], r"is a damaged gzip file"),
        (ZIPPED[:12] + b"!!!!" + ZIPPED[16:], r"is a damaged gzip file"),
        (ZIPPED[:-8] + b"!!!!" + ZIPPED[-4:], r"is a damaged gzip file \(CRC check failed"),
        (gzip.compress(idx(np.zeros((3, 4), np.uint8))[:-5]), r"is truncated: expected 12 values, found 7"),
        (gzip.compress(idx(np.zeros((3, 4), np.uint8)) + b"more"), r"is too long: expected 12 values, found more"),
        (gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12), r"is truncated: .* found at most [\d,]+; copy it again"),
        (idx(np.zeros((3, 0), np.uint8)), r"has the sizes \(3, 0\), images of no pixels; write it with"),
        (
            b"\0\0\x08\x01\x03\0\0\0abc",
            r"is truncated: .* if it is little-endian, of \(3,\), write its sizes big-endian",
        ),
        (
            gzip.compress(b"\0\0\x08\x02\x03\0\0\0\x02\0\0\0abcdef"),
            r"is truncated: .* little-endian, of \(3, 2\), write",
        ),
        (b"\0\0\x08\x01\0\1\0\0" + bytes(256), r"is truncated: .* little-endian, of \(256,\)"),
        (gzip.compress(b"<html>"), r"is not idx of bytes: .* found 3c 68 74 6d"),
    ],
    ids=[
        "short",
        "long",
        "header",
        "huge",
        "html",
        "floats",
        "flat",
        "empty",
        "cut-gzip",
        "bad-gzip",
        "bad-crc",
        "zipped-short",
        "zipped-long",
        "zipped-huge",
        "no-pixels",
        "little-endian",
        "zipped-little-endian",
        "little-endian-labels",
        "zipped-html",
    ],
)
def test_a_damaged_or_foreign_file_is_refused_and_named(tmp_path, raw, message):
    (tmp_path / "file-idx").write_bytes(raw)
    with pytest.raises(ValueError, match=rf"file-idx {message}"):
        read_idx(tmp_path / "file-idx")


# The full sets from a folder


@each_set
@each_split
def test_the_full_sets_are_read_from_their_subfolders(stem, split, tmp_path, monkeypatch, capsys):
    save_full_set(tmp_path / stem, stem, split)
    monkeypatch.setenv("LINVAE_DATA", str(tmp_path))
    X, y = FETCHERS[stem](split, dtype="uint8")
    assert X.shape == (N[split], 784)
    assert X[-1, -1] == 51
    assert X.dtype == np.uint8
    assert y.dtype == np.int64
    assert y[:10].tolist() == FIRST[stem, split]
    assert X.flags.writeable
    assert capsys.readouterr() == ("", "")


def test_a_folder_without_subfolders_and_gzipped_files_are_read_as_float32(tmp_path, monkeypatch):
    save_full_set(tmp_path, "mnist", "test", quick_gzip, ".gz")
    monkeypatch.setenv("LINVAE_DATA", str(tmp_path))
    X, y = fetch_mnist("test")
    assert X.dtype == np.float32
    assert X[-1, -1] == np.float32(51) / np.float32(255)
    assert len(y) == 10_000


@pytest.mark.parametrize(("asked", "there"), [("mnist", "fashion_mnist"), ("fashion_mnist", "mnist")])
@each_split
def test_one_set_is_never_returned_as_the_other(asked, there, split, tmp_path, monkeypatch):
    save_full_set(tmp_path, there, split)
    monkeypatch.setenv("LINVAE_DATA", str(tmp_path))
    begin, expected = (re.escape(str(FIRST[stem, split])) for stem in (there, asked))
    message = rf"these labels begin {begin}, .*'s begin {expected}.* subfolder named {asked} of the folder"
    with pytest.raises(ValueError, match=message):
        FETCHERS[asked](split)


@pytest.mark.parametrize("folder", [".", "not-there"])
def test_a_missing_file_is_named_and_the_network_is_not_tried(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda *a, **k: pytest.fail("asked OpenML"))
    monkeypatch.setenv("LINVAE_DATA", str(tmp_path / folder))
    with pytest.raises(FileNotFoundError) as error:
        fetch_mnist("test")
    for part in ("t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz", str(tmp_path / folder), "LINVAE_DATA",
                 "train-labels-idx1-ubyte", "unset", "load_mnist()"):  # fmt: skip
        assert part in str(error.value)


def test_labels_without_images_and_images_without_labels_are_both_missing_files(tmp_path, monkeypatch):
    monkeypatch.setenv("LINVAE_DATA", str(tmp_path))
    for kind in ("images-idx3", "labels-idx1"):
        save_full_set(tmp_path, "mnist", "test")
        (tmp_path / f"t10k-{kind}-ubyte").unlink()
        with pytest.raises(FileNotFoundError, match=rf"^t10k-{kind}-ubyte "):
            fetch_mnist("test")


def test_a_file_of_the_wrong_shape_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("LINVAE_DATA", str(tmp_path))
    save_full_set(tmp_path, "mnist", "test")
    (tmp_path / "t10k-images-idx3-ubyte").rename(tmp_path / "train-images-idx3-ubyte")
    with pytest.raises(ValueError, match=r"train-images.* has shape \(10000, 28, 28\), expected \(60000, 28, 28\)"):
        fetch_mnist("train")
    save_full_set(tmp_path, "mnist", "test")
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros((10_000, 1), np.uint8)))
    with pytest.raises(ValueError, match=r"t10k-labels.* has shape \(10000, 1\), expected \(10000,\)"):
        fetch_mnist("test")


# The full sets from OpenML


def stand_in(stem, calls, shape=(70_000, 784)):
    """Answer as `fetch_openml` does: pixels as numbers, labels as strings, the test images last."""
    labels = np.full(70_000, "0", dtype=object)
    labels[:10] = [str(label) for label in FIRST[stem, "train"]]
    labels[60_000:60_010] = [str(label) for label in FIRST[stem, "test"]]

    def fetch_openml(name, **options):
        calls.append((name, options))
        return np.broadcast_to(np.arange(shape[1]) % 256.0, shape), labels  # one row in memory, seen 70,000 times

    return fetch_openml


@each_set
@each_split
def test_openml_answers_when_no_folder_is_named(stem, split, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr("sklearn.datasets.fetch_openml", stand_in(stem, calls))
    monkeypatch.setenv("LINVAE_DATA", "")  # set to nothing is not set
    X, y = FETCHERS[stem](split, dtype="uint8")
    assert X.shape == (N[split], 784)
    assert X.dtype == np.uint8
    np.testing.assert_array_equal(X[-1], np.arange(784) % 256)
    assert y.dtype == np.int64
    assert y[:10].tolist() == FIRST[stem, split]
    [(name, options)] = calls
    assert name == {"mnist": "mnist_784", "fashion_mnist": "Fashion-MNIST"}[stem]
    assert options["version"] == 1
    assert options["as_frame"] is False
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "OpenML" in err


def test_quiet_fetching_says_nothing(monkeypatch, capsys):
    monkeypatch.setattr("sklearn.datasets.fetch_openml", stand_in("mnist", []))
    fetch_mnist("test", verbose=False)
    assert capsys.readouterr() == ("", "")


def test_openml_answering_with_something_else_is_refused(monkeypatch):
    monkeypatch.setattr("sklearn.datasets.fetch_openml", stand_in("fashion_mnist", []))
    with pytest.raises(ValueError, match="these labels begin"):
        fetch_mnist(verbose=False)
    monkeypatch.setattr("sklearn.datasets.fetch_openml", stand_in("mnist", [], shape=(70_000, 64)))
    with pytest.raises(ValueError, match=r"shape \(70000, 64\), expected \(70000, 784\)"):
        fetch_mnist(verbose=False)


@each_set
@pytest.mark.filterwarnings("ignore:A network error occurred:UserWarning")  # scikit-learn's, once a try
def test_offline_the_error_names_the_ways_out(stem, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # scikit-learn waits between its tries
    with pytest.raises(ConnectionError) as error:
        FETCHERS[stem](verbose=False)
    assert isinstance(error.value.__cause__, URLError)
    for part in ("OpenML", "LINVAE_DATA", "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                 "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", f"load_{stem}()"):  # fmt: skip
        assert part in str(error.value)


# ---------------------------------------------------------------- a folder of one's own


def pictures(folder, **classes):
    """Write each class's arrays (rows, columns) or (rows, columns, channels) as PNG files."""
    image = pytest.importorskip("PIL.Image", reason="Pillow comes with the extra plot")
    for name, arrays in classes.items():
        (folder / name).mkdir(parents=True)
        for i, array in enumerate(arrays):
            image.fromarray(np.asarray(array)).save(folder / name / f"{i}.png")


def gray(rows, columns, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (rows, columns), dtype=np.uint8)


def test_a_folder_gives_the_bytes_that_were_saved_class_by_class(tmp_path):
    a, b, c = gray(3, 4, 1), gray(3, 4, 2), gray(3, 4, 3)
    pictures(tmp_path, oak=[c], beech=[a, b])
    (tmp_path / "oak" / ".hidden").write_bytes(b"nothing")
    X, y, shape = read_folder(tmp_path)
    assert shape == (3, 4)
    assert X.dtype == np.float32
    assert y.tolist() == ["beech", "beech", "oak"]
    np.testing.assert_array_equal(X, np.divide([a.ravel(), b.ravel(), c.ravel()], 255, dtype=np.float32))


def test_a_resized_pixel_is_the_mean_of_the_area_under_it(tmp_path):
    a, b = gray(4, 6), gray(8, 3)
    pictures(tmp_path, a=[a], b=[b])
    X, _, shape = read_folder(tmp_path, size=(2, 3))
    assert shape == (2, 3)
    expected = a.reshape(2, 2, 3, 2).mean(axis=(1, 3)).ravel(), b.reshape(2, 4, 3).mean(axis=1).ravel()
    np.testing.assert_allclose(255 * X, expected, atol=1.01)  # rounded twice: columns, then rows


def test_transparent_pixels_take_the_background_and_colour_becomes_gray(tmp_path):
    clear = np.zeros((1, 1, 4), np.uint8)
    red = np.full((1, 1, 4), (255, 0, 0, 255), np.uint8)
    pictures(tmp_path, clear=[clear], red=[red])
    X, _, _ = read_folder(tmp_path, background=0.2)
    assert X[0, 0] == pytest.approx(0.2)
    assert X[1, 0] == pytest.approx(0.299, abs=0.5 / 255)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda p: pictures(p, one=[gray(2, 2)]), r"1 folders of classes \(one\); make two or more"),
        (lambda p: pictures(p, a=[gray(2, 2)], b=[]), "b is empty; put the images"),
        (lambda p: pictures(p, a=[gray(2, 2)], b=[gray(3, 2)]), r"has \(3, 2\) pixels and .* has \(2, 2\); give size="),
        (lambda p: pictures(p, a=[gray(2, 2)], b=[gray(2, 2).astype(np.uint16)]), "more than 8 bits a pixel"),
        (lambda p: (pictures(p, a=[gray(2, 2)], b=[gray(2, 2)]), (p / "b" / "x.txt").write_text("no")), "is no image"),
        (lambda p: (pictures(p, a=[gray(2, 2)], b=[gray(2, 2)]), (p / "b" / "deep").mkdir()), "is no image"),
        (
            lambda p: (
                pictures(p, a=[gray(20, 20)], b=[gray(20, 20)]),
                (p / "b" / "0.png").write_bytes((p / "b" / "0.png").read_bytes()[:200]),
            ),
            "is a damaged image",
        ),
    ],
)
def test_a_folder_that_is_not_as_it_should_be_is_refused_with_a_way_out(tmp_path, prepare, words):
    prepare(tmp_path)
    with pytest.raises(ValueError, match=words):
        read_folder(tmp_path)


def test_a_folder_that_is_not_there_a_size_and_a_background_are_refused(tmp_path):
    with pytest.raises(NotADirectoryError, match="is no folder"):
        read_folder(tmp_path / "nowhere")
    pictures(tmp_path, a=[gray(2, 2)], b=[gray(2, 2)])
    with pytest.raises(ValueError, match=r"size=\(0, 3\)"):
        read_folder(tmp_path, size=(0, 3))
    with pytest.raises(ValueError, match=r"size=\(16.5, 16\)"):
        read_folder(tmp_path, size=(16.5, 16))
    with pytest.raises(ValueError, match="background=255; give a gray level from 0, black, to 1"):
        read_folder(tmp_path, background=255)


def test_a_photograph_taken_with_the_camera_on_its_side_is_turned_upright(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="Pillow comes with the extra plot")
    a = gray(3, 4)
    pictures(tmp_path, lying=[a], upright=[a.T])
    exif = image.Exif()
    exif[0x0112] = 6  # orientation: turn by a quarter, clockwise
    image.fromarray(a).save(tmp_path / "lying" / "0.png", exif=exif)
    X, _, shape = read_folder(tmp_path)
    assert shape == (4, 3)
    np.testing.assert_array_equal(X[0], np.divide(np.rot90(a, -1).ravel(), 255, dtype=np.float32))


def test_a_file_of_several_pictures_is_refused(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="Pillow comes with the extra plot")
    pictures(tmp_path, a=[gray(4, 4)], b=[gray(4, 4)])
    frames = [image.fromarray(gray(4, 4, seed)) for seed in (1, 2)]
    frames[0].save(tmp_path / "a" / "1.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=r"1\.gif holds 2 pictures; save each"):
        read_folder(tmp_path)
