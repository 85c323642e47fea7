"""Saved moments: whole or not at all, whoever saves beside us, and whatever is found in the file."""

import os
import stat
import subprocess
import sys
import tracemalloc
import zipfile
from io import BytesIO

import numpy as np
import pytest
from comparing import assert_same_moments

from linvae import Moments
from linvae.stream import array_blocks, load_moments, read_moments, save_moments

MOMENTS = {label: Moments.of(np.random.default_rng(label).standard_normal((9, 4))) for label in (0, 3)}


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "moments.npz"
    save_moments(path, MOMENTS)
    return path


def same(found):
    return list(found) == list(MOMENTS) and all(
        found[label].n == m.n
        and np.array_equal(found[label].mean, m.mean)
        and np.array_equal(found[label].scatter, m.scatter)
        for label, m in MOMENTS.items()
    )


SAVER = """
import sys
import numpy as np
from linvae.stream import array_blocks, read_moments, save_moments
rng = np.random.default_rng(0)
blocks = array_blocks(rng.integers(0, 256, (200, 30), np.uint8), rng.integers(0, 3, 200), 10)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(5):
    read_moments(blocks, save=sys.argv[1], every=3)
    save_moments(sys.argv[2], read_moments(blocks))
"""


def test_several_processes_save_to_one_file(tmp_path):
    paths = [tmp_path / "run.npz", tmp_path / "moments.npz"]
    children = [
        subprocess.Popen([sys.executable, "-c", SAVER, *map(str, paths)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]  # fmt: skip
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        _, error = child.communicate(timeout=120)
        assert child.returncode == 0, error
    rng = np.random.default_rng(0)
    expected = Moments.by_class(rng.integers(0, 256, (200, 30), np.uint8), rng.integers(0, 3, 200))
    for path in paths:
        assert_same_moments(load_moments(path), expected)
    assert sorted(tmp_path.iterdir()) == sorted(paths)  # and no draft


def test_a_save_that_fails_leaves_no_draft(saved, monkeypatch):
    before = saved.read_bytes()

    def full(file, **arrays):
        file.write(b"half a file")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="no space left"):
        save_moments(saved, MOMENTS)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights that not every user has")
def test_a_link_is_followed(tmp_path):
    (tmp_path / "far").mkdir()
    target, link, chain = tmp_path / "far" / "moments.npz", tmp_path / "link.npz", tmp_path / "chain.npz"
    link.symlink_to("far/moments.npz")
    chain.symlink_to(link)
    for _ in range(2):  # at first there is no target yet
        save_moments(chain, MOMENTS)
        assert chain.is_symlink()
        assert link.is_symlink()
        assert not target.is_symlink()
        assert same(load_moments(target))
        target.write_bytes(b"old")
    read_moments_over = array_blocks(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="does not hold moments"):
        read_moments(read_moments_over, save=link)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other modes")
def test_a_save_is_as_open_to_others_as_any_new_file(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    save_moments(tmp_path / "moments.npz", MOMENTS)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "moments.npz")]
    assert modes[0] == modes[1]


def never(i):
    raise AssertionError("a block was read, and there is no place to save it")


def test_what_is_no_place_for_a_file_is_refused_before_a_row_is_read(tmp_path):
    from linvae.stream import Blocks

    places = [
        (tmp_path, "is a folder; give the path of a file"),
        (tmp_path / "no" / "x.npz", "no folder; make it first"),
    ]
    if os.path.exists(os.devnull) and sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe")
        places += [(os.devnull, "is a device or a pipe"), (tmp_path / "pipe", "is a device or a pipe")]
    for path, words in places:
        for use in (
            lambda path: save_moments(path, MOMENTS),
            load_moments,
            lambda path: read_moments(Blocks(3, never), save=path),
        ):
            with pytest.raises(ValueError, match=words):
                use(path)
    with pytest.raises(FileNotFoundError):
        load_moments(tmp_path / "missing.npz")


def test_labels_that_a_file_would_change_are_refused(tmp_path):
    one = MOMENTS[0]
    for labels in ([1, "1"], [None, 1], [(1, 2)], [float("nan")], ["a\0"], [2**64]):
        with pytest.raises(ValueError, match="are of no one plain type; give numbers, or text"):
            save_moments(tmp_path / "moments.npz", dict.fromkeys(labels, one))
    assert not list(tmp_path.iterdir())
    for labels in ([], [None], [True, False], [0.5, 1], ["", "ä"]):
        save_moments(tmp_path / "moments.npz", dict.fromkeys(labels, one))
        assert list(load_moments(tmp_path / "moments.npz")) == labels


# Files that are not what they say


def npy(array):
    file = BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path, parts, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, raw in parts.items():
            archive.writestr(name, raw)


def promise(shape, dtype="<f8", version=b"\1\0"):
    head = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + version + len(head).to_bytes(2, "little") + head


FOREIGN = {
    "an array of its own": lambda path, parts: path.write_bytes(npy(np.zeros(3))),
    "text": lambda path, parts: path.write_text("no zip file"),
    "nothing": lambda path, parts: path.write_bytes(b""),
    "other arrays": lambda path, parts: np.savez(path, X=np.zeros(3)),
    "compressed": lambda path, parts: pack(path, parts, zipfile.ZIP_DEFLATED),
    "LZMA": lambda path, parts: pack(path, parts, zipfile.ZIP_LZMA),
    "a member too few": lambda path, parts: pack(path, {k: v for k, v in parts.items() if k != "scatter_1.npy"}),
    "a member too many": lambda path, parts: pack(path, parts | {"n_2.npy": npy(3)}),
    "an unlabelled class too many": lambda path, parts: pack(path, parts | {"labels.npy": npy(np.array([]))}),
    "one label twice": lambda path, parts: pack(path, parts | {"labels.npy": npy(np.array([3, 3]))}),
    "pickled": lambda path, parts: pack(path, parts | {"labels.npy": npy(np.array([0, None], object))}),
    "half a row": lambda path, parts: pack(path, parts | {"n_0.npy": npy(2.5)}),
    "a mean of two": lambda path, parts: pack(path, parts | {"mean_0.npy": npy(np.zeros(2))}),
    "NaN": lambda path, parts: pack(path, parts | {"mean_0.npy": npy(np.full(4, np.nan))}),
    "no array": lambda path, parts: pack(path, parts | {"mean_0.npy": b"words"}),
    "blocks done of fewer": lambda path, parts: pack(path, parts | {"done.npy": npy(3)}),
    "3.2 GB promised": lambda path, parts: pack(path, parts | {"scatter_0.npy": promise((20_000, 20_000))}),
    "more than memory": lambda path, parts: pack(path, parts | {"scatter_0.npy": promise((2**31, 2**31))}),
    "less than nothing": lambda path, parts: pack(path, parts | {"scatter_0.npy": promise((-4, -4))}),
    "version nine": lambda path, parts: pack(path, parts | {"mean_0.npy": promise((4,), version=b"\x09\0")}),
    "deep brackets": lambda path, parts: pack(path, parts | {"mean_0.npy": promise("[" * 500)}),
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN.keys())
def test_what_holds_no_moments_is_named(saved, make):
    make(saved, members(saved))
    for read in (load_moments, lambda path: read_moments(array_blocks(np.zeros((2, 4))), save=path)):
        with pytest.raises(ValueError, match=r"moments\.npz does not hold moments \(.*\); remove it, or name another"):
            read(saved)


def claimed(path):
    """Say in the zip directory that the last array is 3.2 GB long."""
    save_moments(path, MOMENTS)
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"PK\1\2")
    raw[at + 20 : at + 28] = (3_200_000_000).to_bytes(4, "little") * 2
    path.write_bytes(raw)


def inflated(path):
    """Write 320 MB of zeros that say they are 3.2 GB, in 1.4 MB, as `np.savez_compressed` would."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("scatter_0.npy", "w", force_zip64=True) as file,
    ):
        file.write(promise((20_000, 20_000)))
        for _ in range(5):
            file.write(bytes(64_000_000))


@pytest.mark.parametrize("make", [inflated, claimed])
def test_a_bomb_takes_no_more_memory_than_the_file_is_long(tmp_path, make):
    make(tmp_path / "bomb.npz")
    size = (tmp_path / "bomb.npz").stat().st_size
    assert size < 2**24
    tracemalloc.start()
    with pytest.raises(ValueError, match="does not hold moments"):
        load_moments(tmp_path / "bomb.npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size + 2**22  # the zip directory, in Python's objects


def test_compressed_arrays_are_not_unpacked(saved):
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        pack(saved, members(saved), compression)
        with pytest.raises(ValueError, match="its arrays are compressed; moments are not"):
            load_moments(saved)


def outcome(path):
    try:
        return load_moments(path)
    except ValueError as error:
        return str(error)


def test_a_file_with_any_damage_is_refused_or_gives_the_same_moments(saved, tmp_path):
    """Cut, flipped and overwritten bytes, 2,000 times: a date or an unused field may change, and nothing else."""
    rng, whole = np.random.default_rng(0), saved.read_bytes()
    path, refused = tmp_path / "damaged.npz", 0
    for trial in range(2000):
        raw = bytearray(whole)
        kind = trial % 4
        if kind == 0:
            del raw[rng.integers(len(raw)) :]
        elif kind == 1:
            raw[rng.integers(len(raw))] ^= 1 << int(rng.integers(8))
        elif kind == 2:  # among the zip directory and the headers, where the checksums do not reach
            at = rng.integers(whole.index(b"PK\1\2"), len(raw))
            raw[at : at + 4] = rng.bytes(4)
        else:
            at = rng.integers(len(raw))
            raw[at : at + 8] = rng.choice([bytes(8), b"\xff" * 8, rng.bytes(8)])[: len(raw) - at]
        path.write_bytes(raw)
        found = outcome(path)
        refused += isinstance(found, str)
        assert "damaged.npz does not hold moments" in found if isinstance(found, str) else same(found), trial
    assert refused > 1500
