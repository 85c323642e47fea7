"""The shipped networks: a slow loop and torch as rivals, what the file claims, bad input."""

import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import correlate

from linvae.datasets import load_fashion_mnist, load_mnist
from linvae.features import BATCH, NETWORKS, load_features

ROOT = Path(__file__).resolve().parents[1]
LOAD = {"mnist": load_mnist, "fashion_mnist": load_fashion_mnist}
CARD = (ROOT / "linvae" / "data" / "README.md").read_text(encoding="utf-8")
names = pytest.mark.parametrize("name", NETWORKS)


def slow_transform(network, x):
    """Return the features of one image, pixel by pixel as the module's formula says."""
    maps = np.pad(x.reshape(1, 28, 28), ((0, 0), (2, 2), (2, 2)))
    for kernels, constant in network.kernels:
        seen = np.stack([correlate(maps, kernel, "valid")[0] for kernel in kernels.astype(float)])
        seen += constant[:, None, None]
        c, h, w = seen.shape
        maps = np.array(
            [
                [[max(0, seen[i, r : r + 2, s : s + 2].max()) for s in range(0, w, 2)] for r in range(0, h, 2)]
                for i in range(c)
            ]
        )
    weights, constant = network.layers[0]
    sums = weights.astype(float) @ maps.ravel() + constant
    return np.where(sums > 0, sums, 0.1 * sums)


@names
def test_the_features_are_the_formula_image_by_image(name):
    network, X = load_features(name), LOAD[name]("test")[0][:5]
    slow = np.stack([slow_transform(network, x.astype(float)) for x in X])
    assert (slow > 0).any()
    assert (slow < 0).any()
    # Sums of 25, 400 and 800 float32 products: a few hundred roundings of 6e-8 of the largest feature.
    assert_allclose(network.transform(X), slow, atol=1e-5 * slow.max())


@names
def test_the_forward_pass_is_torchs(name):
    torch = pytest.importorskip("torch")
    made = benchmark()
    network, (X, _) = load_features(name), LOAD[name]("test")
    theirs = made.Network().eval()
    parts = dict(
        zip(("convolution1", "convolution2", "features", "classes"), network.kernels + network.layers, strict=True)
    )
    theirs.load_state_dict(
        {
            f"{key}.{kind}": torch.tensor(part)
            for key, both in parts.items()
            for kind, part in zip(("weight", "bias"), both, strict=True)
        }
    )
    with torch.inference_mode():
        features = theirs.transform(made.tensor(X)).numpy()
        scores = theirs(made.tensor(X)).numpy()
    assert_allclose(network.transform(X), features, atol=1e-5 * features.max())  # float32 in another order, as above
    best = np.sort(scores, axis=1)
    clear = best[:, -1] - best[:, -2] > 1e-3  # not a tie but for rounding
    assert clear.mean() > 0.99
    assert_array_equal(network.predict(X)[clear], scores.argmax(axis=1)[clear])


def benchmark():
    spec = importlib.util.spec_from_file_location("features_benchmark", ROOT / "benchmarks" / "features.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_training_asks_for_training_images_alone_and_the_finished_network_for_test_images(
    monkeypatch, tmp_path, capsys
):
    pytest.importorskip("torch")
    made, asked = benchmark(), []
    X, y = load_mnist("test")

    def load(split):
        asked.append(split)
        return X[:100], y[:100]

    def trained(X, y):
        asked.append("training")
        return made.Network().half().float().eval()

    monkeypatch.setattr(made, "DATA", {"mnist": load})
    monkeypatch.setattr(made, "trained", trained)
    monkeypatch.setattr(made, "files", lambda name: tmp_path)
    monkeypatch.setattr("sys.argv", ["features.py"])
    (tmp_path / "data").mkdir()
    made.main()
    assert asked == ["train", "training", "test"]
    assert "of 100 read rightly" in capsys.readouterr().out
    assert (tmp_path / "data" / "features.npz").is_file()


def test_a_little_training_teaches_and_the_seed_fixes_it():
    torch = pytest.importorskip("torch")
    made = benchmark()
    X, y = load_mnist("train")
    first, second = (made.trained(X[:600], y[:600], epochs=4) for _ in range(2))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert made.accuracy(first, X[600:1200], y[600:1200]) > 0.5  # chance is 0.1


@names
def test_the_stated_accuracy_is_the_share_of_test_images_read_rightly(name):
    network, (X, y) = load_features(name), LOAD[name]("test")
    share = np.mean(network.predict(X) == y)
    assert share == pytest.approx(network.test_accuracy, abs=1 / len(y))  # one image may tie but for rounding
    assert share > {"mnist": 0.98, "fashion_mnist": 0.88}[name]
    again, labels = LOAD[name]("train")
    # What was learned by heart is read better: a network that had seen the test images would show no such gap.
    error = np.sqrt(share * (1 - share) / len(y))
    assert np.mean(network.predict(again) == labels) > share + 3 * error  # 3 standard errors


@names
def test_the_features_do_not_depend_on_the_batch_or_the_type(name):
    network, X = load_features(name), LOAD[name]("test", "uint8")[0][: BATCH + 3] / 255
    whole = network.transform(X)
    assert whole.shape == (BATCH + 3, 64)
    assert whole.dtype == np.float32
    assert whole.std(axis=0).min() > 0.1 * whole.std(axis=0).max()  # no feature is dead
    rounding = {"atol": 1e-5 * whole.max()}  # BLAS may sum another number of rows in another order
    for same in (
        network.transform(X.astype(np.float32)),
        np.vstack([network.transform(X[:1]), network.transform(X[1:])]),
    ):
        assert_allclose(same, whole, **rounding)


def test_the_file_is_small_and_the_card_says_which_it_is():
    file = (ROOT / "linvae" / "data" / "features.npz").read_bytes()
    assert len(file) < 300_000
    assert f"| `features.npz` | `{hashlib.sha256(file).hexdigest()}` |" in CARD


def test_each_network_knows_its_own_data():
    X, y = load_mnist("test")
    assert np.mean(load_features("fashion_mnist").predict(X) == y) < 0.3  # chance is 0.1
    assert repr(load_features("mnist")).startswith("Features(test_accuracy=0.9")


X = np.zeros((3, 784))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: load_features("digits"), "name='digits'; choose one of 'mnist', 'fashion_mnist'"),
        (
            lambda: load_features("mnist").transform(X[:, :700]),
            "X has 700 pixels; the network was trained on 784, 28 x 28",
        ),
        (lambda: load_features("mnist").transform(X[0]), "give one flat image a row"),
        (lambda: load_features("mnist").transform(X + 255), "X runs from 255 to 255; give gray levels .* divide bytes"),
        (lambda: load_features("mnist").predict(X - 0.1), "X runs from -0.1 to -0.1; .*clip what a model has drawn"),
        (lambda: load_features("mnist").predict(X + np.nan), "Input X contains NaN"),
        (lambda: load_features("mnist").predict(X[:0]), r"0 sample\(s\)"),
        (lambda: load_features("mnist").predict(np.ma.masked_array(X, mask=X == 0)), "X is a MaskedArray"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
