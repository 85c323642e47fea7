"""The data of the live figures are the package's own numbers: computed again here, by another way where there is one.

What the scripts make of them is asked in a browser (tests/browser/test_live.py).
"""

import ast
import base64
import gzip
import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from linvae import (
    MMLR,
    PCA,
    EmpiricalDenoiser,
    GaussianDenoiser,
    LinearGenerativeModel,
    LocalDenoiser,
    MixturePPCA,
    PixelLink,
    VariationalMMLR,
)
from linvae.datasets import load_mnist
from linvae.denoisers import sample
from linvae.metrics import nearest_train_distance

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
LIVE = BOOK / "_static" / "live"
NAMES = sorted(path.name.removesuffix(".data.js") for path in LIVE.glob("*.data.js"))
# Kilobytes, compressed, as a page would load them.
SIZES = {"averaging": 26, "axis": 1, "bound": 1, "dials": 46, "draft": 39, "piles": 8, "unexpected": 48}


def stored(name):
    text = (LIVE / f"{name}.data.js").read_text(encoding="utf-8")
    return json.loads(re.fullmatch(rf"// [^\n]*\nlinvaeLive\.data\.{name} = (.*);\n", text)[1])


def unpack(packed):
    unit = np.array(packed["unit"])
    whole = np.frombuffer(base64.b64decode(packed["rows"]), np.int8).reshape(len(unit), -1)
    return whole * unit[:, None], unit


def gray(text):
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, 784) / 255


def floats(text):
    return np.frombuffer(base64.b64decode(text), "<f4").astype(float)


def assert_packed(packed, rows):
    """Half a unit is lost by rounding; another processor's last bit may tip a number that lies between two."""
    found, unit = unpack(packed)
    assert np.all(np.abs(found - rows) <= 0.501 * unit[:, None])
    assert np.allclose(np.abs(found).max(axis=1), np.abs(rows).max(axis=1))


def directives():
    """Yield page and name of every live figure."""
    for path in sorted(BOOK.glob("*.md")):
        yield from ((path.stem, name) for name in re.findall(r"^```\{live\} (\w+)", path.read_text("utf-8"), re.M))
    for path in sorted(BOOK.glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                yield from ((path.stem, name) for name in re.findall(r"^```\{live\} (\w+)", cell.source, re.M))


def test_every_live_figure_has_its_parts_and_a_page():
    assert {name for _, name in directives()} == set(NAMES) == set(SIZES)
    for name in NAMES:
        assert (LIVE / f"{name}.js").is_file()
        assert (LIVE / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", NAMES)
def test_data_are_small(name):
    assert len(gzip.compress((LIVE / f"{name}.data.js").read_bytes())) < 1000 * SIZES[name]


@pytest.mark.parametrize("script", sorted(LIVE.glob("*.js")), ids=lambda path: path.name)
def test_no_script_asks_the_network(script):
    """They hold no address, and none of the calls that would fetch one."""
    text = script.read_text(encoding="utf-8")
    assert not re.search(r"https?:|\bfetch\(|XMLHttpRequest|WebSocket|EventSource|\bimport\b|sendBeacon", text)


@pytest.fixture(scope="module")
def mnist():
    (X, y), (X_test, y_test) = load_mnist("train"), load_mnist("test")
    return X.astype(float), y, X_test.astype(float), y_test


class TestDials:
    """The decoder's dials: mean, directions and codes are PCA's."""

    def test_directions_and_mean_are_those_of_pca(self, mnist):
        data, pca = stored("dials"), PCA(64).fit(mnist[0])
        assert_packed(data["directions"], pca.components_)
        assert np.allclose(floats(data["mean"]), pca.mean_, atol=1e-6)

    def test_the_digits_are_test_digits(self, mnist):
        X_test, y_test = mnist[2:]
        for digit, image in enumerate(gray(stored("dials")["digits"])):
            assert np.array_equal(X_test[y_test == digit][1].astype(np.float32), image.astype(np.float32))

    @pytest.mark.parametrize("k", [1, 16, 64])
    def test_the_drawing_is_that_of_the_naive_autoencoder(self, mnist, k):
        """PCA and least squares, fitted anew; codes are rounded to 0.01 sd, directions to 1 in 127 of their peak."""
        data = stored("dials")
        digits = gray(data["digits"])
        V, unit = unpack(data["directions"])
        z = np.array(data["codes"]) * data["sd"]
        drawn = floats(data["mean"]) + z[:, :k] @ V[:k]
        whole = LinearGenerativeModel(PCA(k), MMLR(), conditional="none").fit(mnist[0]).reconstruct(digits)
        room = np.abs(z[:, :k]) @ unit[:k] / 2 + 0.005 * np.sum(data["sd"][:k] * np.abs(V[:k]).max(axis=1))
        assert np.all(np.abs(drawn - whole).max(axis=1) <= room)
        assert np.sqrt(np.mean((drawn - whole) ** 2)) < 0.004


def test_the_axis_turns_through_the_points_of_the_chapter():
    first = nbformat.read(BOOK / "autoencoder.ipynb", as_version=4).cells[1].source
    x1, x2 = ast.literal_eval(re.search(r"^x1, x2 = (.*)$", first, re.M)[1])
    assert stored("axis")["points"] == [list(pair) for pair in zip(x1, x2, strict=True)]


def lower(text, n):
    root = np.zeros((n, n))
    root[np.tril_indices(n)] = floats(text)
    return root


def test_the_bound_is_about_the_two_codes_of_the_chapter():
    """Its cell is run, and what it made is summed up."""
    cells = nbformat.read(BOOK / "elbo.ipynb", as_version=4).cells
    (source,) = (cell.source for cell in cells if cell.cell_type == "code" and "true_noise = " in cell.source)
    seed = int(re.search(r"^SEED = (\d+)$", cells[1].source, re.M)[1])
    names = {"np": np, "SEED": seed}
    exec(source, names)
    Z, x, data = names["Z"], names["gray"], stored("bound")
    assert data["n"] == len(x)
    assert np.allclose(data["ZZ"], Z.T @ Z)
    assert np.allclose(data["Zx"], Z.T @ x)
    assert np.isclose(data["xx"], x @ x)


class TestAveraging:
    """The random decoders of the sixes and of all digits."""

    @pytest.fixture
    def decoders(self, mnist):
        X, y = mnist[:2]
        pca, fixed = PCA(16).fit(X), VariationalMMLR(noise="fixed", prior="fixed")
        codes = pca.transform(X)
        return pca, clone(fixed).fit(codes[y == 6], X[y == 6]), clone(fixed).fit(codes, X)

    def test_mean_and_covariance_are_those_of_the_posterior(self, decoders):
        data, (pca, six, pooled) = stored("averaging"), decoders
        assert_packed(data["directions"], pca.components_)
        assert np.allclose(floats(data["mean"]), pca.mean_, atol=1e-6)
        assert_packed(data["sixes"]["rows"], np.vstack([six.coef_.T, six.intercept_]))
        shrink = np.array(data["all"]["shrink"])
        assert np.allclose(shrink[:-1, None] * pca.components_, pooled.coef_.T, atol=1e-5)
        assert np.allclose(shrink[-1] * pca.mean_, pooled.intercept_, atol=1e-5)
        for name, decoder in (("sixes", six), ("all", pooled)):
            root = lower(data[name]["root"], 17)
            assert np.allclose(root @ root.T, decoder.coef_cov_, rtol=1e-4, atol=1e-7)

    def test_the_sixes_are_test_sixes_with_their_codes(self, mnist, decoders):
        data, sixes = stored("averaging"), mnist[2][mnist[3] == 6]
        real = gray(data["real"])
        assert all(np.abs(sixes - image).sum(axis=1).min() < 1e-3 for image in real)
        assert np.allclose(data["codes"], decoders[0].transform(real), atol=6e-4)


def test_the_piles_are_test_digits_and_medians_of_training_digits(mnist):
    X, y, X_test, y_test = mnist
    data = stored("piles")
    left, right = gray(data["left"]), gray(data["right"])
    classes = [*range(10), 3, 7]
    for images in (left, right):
        for digit, image in zip(classes, images, strict=True):
            assert np.abs(X_test[y_test == digit] - image).sum(axis=1).min() < 1e-3
    assert len(np.unique(np.vstack([left, right]), axis=0)) == 24
    for digit, image in zip(classes, gray(data["medians"]), strict=True):
        assert np.abs(np.median(X[y == digit], axis=0) - image).max() <= 0.502 / 255


@pytest.fixture(scope="module")
def told():
    """What the cells of the chapter *denoisers* say of seed, mixture, half-widths and levels of noise."""
    cells = nbformat.read(BOOK / "denoisers.ipynb", as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    names = {"np": np, "MixturePPCA": MixturePPCA}
    for line in ("SEED = ", "FAR = ", "mixture = ", "sigmas = np", "last = "):
        exec(re.search(f"^{line}.*$", text, re.M)[0], names)
    return names


@pytest.fixture(scope="module")
def denoisers(mnist, told):
    parts = {"nearby": LocalDenoiser(told["FAR"]), "memory": EmpiricalDenoiser(), "linear": GaussianDenoiser()}
    return {name: denoiser.fit(mnist[0].astype(np.float32), mnist[1]) for name, denoiser in parts.items()}


class TestDraft:
    """Drafts, noise and every step of the walk, as the chapter *denoisers* draws them."""

    def test_drafts_are_the_chapters_and_the_walk_ends_where_sample_ends(self, mnist, told, denoisers):
        """Of the last bits of a mixture's fit, and of weights between two training pixels, not all are another
        processor's: so nearly all pixels, and not all."""
        X, y = load_mnist("train")
        data, digits, seed = stored("draft"), np.arange(10), told["SEED"]
        mixture, sigmas = told["mixture"].fit(X, y), told["last"]
        drafts = mixture.sample(10, digits, random_state=seed)[0]
        linked = PixelLink(FrozenEstimator(mixture), random_state=seed).fit(X, y).link(drafts, digits)
        assert np.allclose(data["sigmas"], sigmas, atol=1e-6)
        for name, images in (("drafts", drafts), ("linked", linked)):
            assert np.mean(np.abs(unpack(data[name])[0] - images[data["digits"]]) > 0.01) < 0.01
        for name, denoiser in denoisers.items():
            ends = sample(denoiser, sigmas, 10, digits, drafts=linked, random_state=seed)[0][data["digits"]]
            kept = unpack(data["walks"][name]["guesses"])[0][-len(ends) :]
            assert np.mean(np.abs(kept - ends) > 0.02) < 0.01
            nearest = gray(data["walks"][name]["nearest"])
            assert np.allclose(np.linalg.norm(ends - nearest, axis=1), nearest_train_distance(ends, mnist[0]), atol=0.1)

    @pytest.mark.parametrize("name", ["nearby", "memory", "linear"])
    def test_every_guess_is_that_of_the_package(self, denoisers, name):
        """Asked of the picture as the script makes it.  Noise is rounded by 0.006 a pixel, in the mean, which moves the
        weight between two whole training images, some 8 apart, by some 0.03."""
        data = stored("draft")
        guesses = unpack(data["walks"][name]["guesses"])[0].reshape(len(data["sigmas"]), -1, 784)
        x = unpack(data["linked"])[0] + data["sigmas"][0] * unpack(data["noise"])[0]
        for sigma, after, guess in zip(data["sigmas"], [*data["sigmas"][1:], 0], guesses, strict=True):
            assert np.mean(np.abs(denoisers[name].denoise(x, sigma, data["digits"]) - guess) > 0.1) < 0.01
            x = guess + after / sigma * (x - guess)

    def test_the_unit_is_what_new_digits_keep(self, mnist):
        assert np.isclose(stored("draft")["new"], np.median(nearest_train_distance(mnist[2], mnist[0])), atol=1e-4)


class TestUnexpected:
    """The talk's decoder of the threes, for any number of codes."""

    def test_the_codes_are_distributed_as_the_talks_model_finds_them(self, mnist):
        """By the scores themselves, where tools/live.py has them from moments."""
        X, y = mnist[:2]
        data, model = stored("unexpected"), LinearGenerativeModel.from_talk(64).fit(X, y)
        codes = model.transform(X[y == 3])
        root = lower(data["spread"], 64)
        assert data["n"] == len(codes)
        assert np.allclose(data["mean"], codes.mean(axis=0), atol=1e-5)
        assert np.allclose(root @ root.T, np.cov(codes.T, bias=True), rtol=1e-4, atol=1e-4)
        assert np.allclose(floats(data["background"]), X.mean(axis=0), atol=1e-6)

    @pytest.mark.parametrize("k", [2, 16, 64])
    def test_the_first_terms_are_the_decoder_of_k_codes(self, mnist, k):
        """The model of k codes is fitted anew; each term is rounded to 1 in 127 of its peak."""
        data, model = stored("unexpected"), LinearGenerativeModel.from_talk(k).fit(*mnist[:2])
        cross = model.cross_moments_[3]
        ones, gram = np.r_[1, cross.mean_z], np.eye(k + 1)
        gram[1:, 1:] += cross.Szz
        root = np.linalg.cholesky(gram + cross.n * np.outer(ones, ones))
        z = np.random.default_rng(0).normal(size=(20, k))
        shares = np.linalg.solve(root, np.c_[np.ones(20), z].T).T
        terms, unit = unpack(data["terms"])
        drawn = floats(data["background"]) + shares @ terms[: k + 1]
        by_package = model.inverse_transform(z, 3)
        assert np.all(np.abs(drawn - by_package).max(axis=1) <= np.abs(shares) @ unit[: k + 1] * 0.51 + 1e-5)
        assert np.sqrt(np.mean((drawn - by_package) ** 2)) < 0.005
