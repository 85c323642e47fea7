"""Class moments of a Dask array: those of the rows in memory, whatever the parts, and whatever happens to a worker."""

import os
import signal
import time

import numpy as np
import pytest
from comparing import assert_same_moments
from scipy.sparse import csr_matrix
from sklearn.random_projection import GaussianRandomProjection

from linvae import PCA, Moments
from linvae.datasets import load_mnist
from linvae.moments import CrossMoments

da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")
from linvae.dask import class_moments, cross_moments  # noqa: E402

# Sockets and pipes of a stopped cluster are closed by the garbage collector, which warns of it.
pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning"),
              pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]  # fmt: skip


@pytest.fixture(scope="module")
def digits():
    X, y = load_mnist(dtype="uint8")
    return X[:2000], y[:2000]


@pytest.fixture(scope="module")
def client():
    """Two workers in processes of their own, as on two machines."""
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_cluster_gives_the_moments_of_the_rows_in_memory(client, digits):
    X, y = digits
    found = class_moments(da.from_array(X, chunks=(300, 784)), y)
    assert_same_moments(found, Moments.by_class(X, y))
    assert_same_moments(class_moments(da.from_array(X, chunks=(300, 784))), {None: Moments.of(X)})
    again = class_moments(da.from_array(X, chunks=(300, 784)), y, compute=False)
    assert all(np.array_equal(again.compute()[label].scatter, m.scatter) for label, m in found.items())


PARTS = {
    "uneven": (1, 999, 0, 700, 300),
    "empty ones": (0, 0, 2000, 0),
    "one row each at the end": (1997, 1, 1, 1),
}


@pytest.mark.parametrize("heights", PARTS.values(), ids=PARTS.keys())
@pytest.mark.parametrize("split_every", [2, 3, 10])
def test_parts_may_have_any_height(digits, heights, split_every):
    X, y = digits
    rows = da.concatenate([da.from_array(part, chunks=(max(len(part), 1), 400)) for part in
                           np.split(X, np.cumsum(heights)[:-1])], allow_unknown_chunksizes=True)  # fmt: skip
    assert_same_moments(class_moments(rows, y, split_every=split_every), Moments.by_class(X, y))


def test_parts_may_hold_one_class_alone(digits):
    X, y = digits
    order = np.argsort(y, kind="stable")
    rows = da.from_array(X[order], chunks=(tuple(np.bincount(y)), 784))
    assert_same_moments(class_moments(rows, y[order]), Moments.by_class(X, y))


def test_rows_of_unknown_number_are_taken_with_their_labels(digits):
    X, y = digits
    rows, labels = da.from_array(X, chunks=(400, 784)), da.from_array(y, chunks=400)
    odd = labels % 2 == 1
    assert np.isnan(rows[odd].shape[0])
    assert_same_moments(class_moments(rows[odd], labels[odd]), Moments.by_class(X[y % 2 == 1], y[y % 2 == 1]))
    with pytest.raises(ValueError, match="number of rows of X is not known yet"):
        class_moments(rows[odd], y)


def slow(block):
    time.sleep(0.15)
    return block


def test_a_worker_killed_in_mid_run_loses_nothing(client, digits):
    X, y = digits
    rows = da.from_array(X, chunks=(50, 784)).map_blocks(slow, dtype=X.dtype, meta=X[:0])
    future = client.compute(class_moments(rows, y, compute=False))
    pids = client.run(os.getpid)
    while not any(len(held) for held in client.has_what().values()):  # some sums are made, and lie on the workers
        time.sleep(0.02)
    time.sleep(0.5)
    assert not future.done()
    os.kill(next(iter(pids.values())), getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows has no SIGKILL
    assert_same_moments(future.result(timeout=60), Moments.by_class(X, y))
    client.wait_for_workers(2, timeout=60)
    assert set(client.run(os.getpid).values()) != set(pids.values())  # one of them is new


def made(d, block_info=None):
    """Draw the rows of one part: on the worker, as if read from its own disk."""
    at, end = block_info[None]["array-location"][0]
    return np.random.default_rng(at).integers(0, 256, (end - at, d), np.uint8)


def test_only_moments_travel(client):
    """What a worker receives is sums, 8 (d^2 + d + 1) bytes a class, though the rows weigh fifteen times as much."""
    d, heights = 40, (50_000,) * 8
    rows = da.map_blocks(made, d, chunks=(heights, (d,)), dtype=np.uint8, meta=np.empty((0, 0), np.uint8))
    labels = np.random.default_rng(0).integers(0, 10, sum(heights))
    client.run(lambda dask_worker: dask_worker.transfer_incoming_log.clear())
    found = class_moments(rows, labels, split_every=2)
    assert {label: moments.n for label, moments in found.items()} == dict(enumerate(np.bincount(labels).tolist()))
    received = client.run(lambda dask_worker: [entry["total"] for entry in dask_worker.transfer_incoming_log])
    sums = 10 * 8 * (d**2 + d + 1)
    assert sum(map(sum, received.values())) <= 8 * sums  # seven sums join eight parts, and some bytes around them
    assert 15 * 8 * sums < rows.nbytes


def test_a_sketch_on_a_cluster_is_the_sketch_in_memory(client, digits):
    X, _ = digits
    X = np.vstack([X, X])[: 2000 + 7]
    project = GaussianRandomProjection(32, random_state=0).fit(X)
    found = cross_moments(da.from_array(X, chunks=((500, 0, 1500, 7), 784)), project.transform)
    expected = CrossMoments.of(project.transform(X), X)
    for name in ("n", "mean_z", "mean_x", "Szz", "Szx", "sxx_diag"):
        a, b = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12 * np.abs(b).max())  # sums in another order
    assert PCA(8).fit_sketch(found).components_.shape == (8, 784)


def test_labels_are_asked_the_same_as_in_memory(digits):
    pd = pytest.importorskip("pandas")
    X, y = digits
    rows = da.from_array(X, chunks=(500, 784))
    assert_same_moments(class_moments(rows, pd.Series(y, dtype="category")), Moments.by_class(X, y))
    for labels, words in [
        (np.ma.masked_equal(y, 9), "y is a MaskedArray"),
        (pd.Series(y).astype("Int64").where(y != 9), "y holds missing values"),
        (csr_matrix(y), "y is a csr_matrix; give a plain array"),
        (y.astype("M8[D]"), "y has dtype datetime64"),
    ]:
        with pytest.raises(ValueError, match=words):
            class_moments(rows, labels)


def test_what_does_not_fit_is_named(digits):
    X, y = digits
    rows = da.from_array(X, chunks=(500, 784))
    with pytest.raises(TypeError, match="X is a ndarray; give a Dask array"):
        class_moments(X, y)
    with pytest.raises(ValueError, match=r"X has shape \(2000,\)"):
        class_moments(da.from_array(y), y)
    with pytest.raises(ValueError, match=r"y has shape \(1999,\) beside 2000 rows"):
        class_moments(rows, y[1:])
    with pytest.raises(ValueError, match="split_every=1; give 2 or more"):
        class_moments(rows, y, split_every=1)
    with pytest.raises(ValueError, match="NaN or infinity"):
        class_moments(da.from_array(np.full((4, 2), np.nan), chunks=(2, 2)))
    with pytest.raises(TypeError, match="give a function of rows"):
        cross_moments(rows, GaussianRandomProjection(2))
    odd = da.from_array(y, chunks=500) % 2 == 1
    with pytest.raises(ValueError, match="y has 5 parts and X has 4"):
        class_moments(rows[odd], da.from_array(y, chunks=400)[da.from_array(y, chunks=400) % 2 == 1])
