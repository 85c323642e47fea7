"""Long runs, at the size that LINVAE_SCALE_ROWS names: 16,000 rows in `make test`, a million in `make bench`.

The rows are copies of the shipped digits, so that their moments are known without reading them: c copies have c times
the count and the scatter, and the same mean.
"""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from linvae import PCA, Moments
from linvae.datasets import load_mnist
from linvae.stream import idx_blocks, load_moments, read_moments

# Sockets and pipes of a stopped cluster are closed by the garbage collector, which warns of it.
pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning"),
              pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]  # fmt: skip

COPIES = max(2, int(os.environ.get("LINVAE_SCALE_ROWS", "16000")) // 8000)
SHAPE = (28, 28)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Return a folder with idx files of images and labels."""
    folder = tmp_path_factory.mktemp("store")
    X, y = load_mnist(dtype="uint8")
    n = (COPIES * len(X)).to_bytes(4, "big")
    with open(folder / "images", "wb") as images, open(folder / "labels", "wb") as labels:
        images.write(b"\0\0\x08\x03" + n + b"".join(size.to_bytes(4, "big") for size in SHAPE))
        labels.write(b"\0\0\x08\x01" + n)
        for _ in range(COPIES):
            images.write(X.tobytes())
            labels.write(y.astype(np.uint8).tobytes())
    return folder


def assert_copies(found):
    """Sums of a million rows in another order: 1e-12 of the largest entry."""
    for label, one in Moments.by_class(*load_mnist(dtype="uint8")).items():
        assert found[label].n == COPIES * one.n
        np.testing.assert_allclose(found[label].mean, one.mean, rtol=0, atol=1e-11)
        np.testing.assert_allclose(found[label].scatter / COPIES, one.scatter, rtol=0, atol=1e-12 * one.scatter.max())


CHILD = """
import json, sys
from itertools import islice
from linvae.stream import Blocks, idx_blocks, read_moments
folder, save, share, slow = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
blocks = idx_blocks(f"{folder}/images", f"{folder}/labels", rows=1000)
def block(i):
    import time
    time.sleep(slow)
    return blocks[i]
if save == "-":
    read_moments(islice(blocks, int(share * len(blocks))))
else:
    read_moments(Blocks(len(blocks), block), save=save, every=2)
try:
    with open("/proc/self/status") as status:  # ru_maxrss would hold what the parent process had before
        print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
except OSError:
    print(0)
"""


def child(*arguments):
    return subprocess.Popen([sys.executable, "-c", CHILD, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def test_a_killed_process_is_resumed_without_loss(store, tmp_path):
    save = tmp_path / "moments.npz"
    process = child(store, save, 1, 0.05)
    while not save.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows has no SIGKILL
    process.communicate()
    with np.load(save) as kept:
        assert 0 < kept["done"] < kept["count"]
    blocks = idx_blocks(store / "images", store / "labels", rows=1000)
    assert_copies(read_moments(blocks, save=save))
    assert_copies(load_moments(save))


def test_the_largest_memory_of_a_process_does_not_grow_with_the_rows(store):
    """A quarter of the rows and all of them, each in a process of its own.

    A run that kept its rows would grow by the bytes of the other three quarters; the spread of one size is 0.5 MB.
    """
    peaks = []
    for share in (0.25, 1):
        out, _ = child(store, "-", share, 0).communicate()
        peaks.append(1024 * json.loads(out))
    if not all(peaks):
        pytest.skip("this system does not tell the largest memory of a process")
    added = 0.75 * COPIES * 8000 * 784
    assert peaks[1] - peaks[0] < added / 2
    assert peaks[1] <= 1.1 * peaks[0]


def part(copies_of, block_info=None):
    """Read one part of the rows on the worker: one copy of the digits."""
    return load_mnist(dtype="uint8")[copies_of]


def test_a_cluster_whose_worker_is_killed_loses_nothing():
    da, distributed = pytest.importorskip("dask.array"), pytest.importorskip("distributed")
    from linvae.dask import class_moments

    X, y = load_mnist(dtype="uint8")
    heights = (len(X),) * COPIES
    rows = da.map_blocks(part, 0, chunks=(heights, (X.shape[1],)), dtype=X.dtype, meta=X[:0])
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        future = client.compute(class_moments(rows, np.tile(y, COPIES), compute=False))
        time.sleep(0.5)
        os.kill(next(iter(client.run(os.getpid).values())), getattr(signal, "SIGKILL", signal.SIGTERM))
        found = future.result(timeout=600)
    assert_copies(found)
    in_memory = read_moments([(X, y)] * COPIES)
    one, many = (PCA(8).fit_moments(moments) for moments in (in_memory, found))
    np.testing.assert_allclose(one.components_, many.components_, atol=1e-9)  # rounding over the gaps of eigenvalues
