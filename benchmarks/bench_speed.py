"""Race our work against what a reader would use instead: make bench.  The rows of speed.md, in its order."""

from __future__ import annotations

import time
from functools import cache

import numpy as np
import ot
import pytest
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA as SklearnPCA
from sklearn.decomposition import IncrementalPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import BayesianRidge, LinearRegression, Ridge

from linvae import LDA, MMLR, PCA, PPCA, ClassMixture, LinearGenerativeModel, VariationalMMLR
from linvae.datasets import fetch_fashion_mnist, load_fashion_mnist, load_mnist
from linvae.metrics import wasserstein1
from linvae.moments import CrossMoments, Moments
from linvae.variational import Design, exact_posterior

KS = [2**i for i in range(1, 10)]
NOISE = np.full(784, 100.0)  # of every pixel, in squared gray levels of 255


@cache
def clothes():
    """Return 60,000 images of clothing as bytes, as float32, their labels, and where they are from."""
    try:
        X, y = fetch_fashion_mnist(dtype="uint8", verbose=False)
        source = "Fashion-MNIST"
    except ConnectionError:  # times do not depend on what the bytes are
        X, y = (np.resize(part, (60_000, *part.shape[1:])) for part in load_fashion_mnist(dtype="uint8"))
        source = "the shipped part of Fashion-MNIST, repeated (neither LINVAE_DATA nor OpenML was there)"
    return X, X.astype(np.float32), y, f"{source}, {len(X):,} × {X.shape[1]} bytes"


def test_class_moments(race, book):
    X, F, y, book.facts["data"] = clothes()
    race("class moments", lambda: Moments.by_class(X, y),
         {"one float32 X'X": (lambda: F.T @ F, {"target": 1.35, "limit": 2.0})})  # fmt: skip


def test_class_moments_of_floats(race):
    _, F, y, _ = clothes()
    race("class moments of float32 rows", lambda: Moments.by_class(F, y),
         {"one float32 X'X": (lambda: F.T @ F, {"note": "summed in float64"})}, rounds=5)  # fmt: skip


RIVALS = {
    "scikit-learn PCA(64), covariance": lambda F: SklearnPCA(64, svd_solver="covariance_eigh").fit(F),
    "scikit-learn PCA(64), randomised": lambda F: SklearnPCA(64, svd_solver="randomized", random_state=0).fit(F),
    "scikit-learn IncrementalPCA(64)": lambda F: IncrementalPCA(64).fit(F),
}


@pytest.mark.parametrize("rival", RIVALS)
def test_pca_beside_scikit_learn(race, rival):
    X, F, y, _ = clothes()
    race("class moments and PCA(64)", lambda: PCA(64).fit_moments(Moments.by_class(X, y)),
         {rival: (lambda: RIVALS[rival](F), {"note": "its rows are float32, ours bytes"})}, rounds=3)  # fmt: skip


def test_lda_beside_scikit_learn(race):
    X, F, y, _ = clothes()
    race("class moments and LDA", lambda: LDA().fit_moments(Moments.by_class(X, y)),
         {"scikit-learn LDA, eigen": (lambda: LinearDiscriminantAnalysis(solver="eigen").fit(F, y),
                                      {"note": "its rows are float32, ours bytes"})}, rounds=3)  # fmt: skip


def every_model(X, y):
    """Fit PCA, PPCA and LDA for every k, and on PCA's codes both decoders of every class for every k, from one pass."""
    class_moments = Moments.by_class(X, y)
    pca, lda = PCA(KS[-1]).fit_moments(class_moments), LDA().fit_moments(class_moments)
    ppca = PPCA(KS[-1]).fit_pca(pca)
    fits = [encoder.leading(k) for encoder in (pca, ppca) for k in KS] + [lda.leading(k) for k in KS[:3]]
    A, b = pca.components_, -pca.components_ @ pca.mean_
    for moments in class_moments.values():
        cross = CrossMoments.from_affine(moments, A, b)
        for k in KS[::-1]:  # the largest first: shorter codes share its factor
            part = cross.leading(k)
            fits.append(MMLR().fit_moments(part))
            fits.append(exact_posterior(Design.of(part), NOISE, np.ones(k + 1)))
    return fits


def test_every_model_from_one_pass(race, book):
    X, F, y, _ = clothes()

    def one_of_theirs(regression):
        codes = SklearnPCA(64, svd_solver="covariance_eigh").fit(F)
        regression.fit(codes.transform(F), F)

    note = "the class moments are a third of it; the rest is float64 algebra on ten classes, most of it at k = 512"
    race("21 encoders and 180 decoders", lambda: every_model(X, y),
         {"one float32 X'X": (lambda: F.T @ F, {"target": 2.6, "limit": 4.0, "note": note}),
          "scikit-learn PCA(64) + LinearRegression, no labels": (lambda: one_of_theirs(LinearRegression()), {}),
          "scikit-learn PCA(64) + Ridge, no labels": (lambda: one_of_theirs(Ridge(1e-8, solver="cholesky")), {})},
         rounds=5)  # fmt: skip
    assert len(every_model(X[:8000], y[:8000])) == 21 + 180


@cache
def problem():
    """Return the talk's problem for one class: 811 images of the digit 6, k = 16."""
    from advi import Problem

    return Problem()


def fit_ours(rounds=200):
    """Return the seconds of so many fits of q(B) from the rows."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        VariationalMMLR("full", "fixed", 1.0, prior="fixed").fit(problem().Z, problem().X)
        times.append(time.process_time() - start)
    return times


def against(book, beside, rival_seconds, times, **options):
    """Add the line of a rival that is run once."""
    ratios = rival_seconds / np.quantile(times, [0.75, 0.5, 0.25])
    own = float(np.median(times))
    book.row("q(B) of one class, k = 16", beside, own, rival_seconds, float(ratios[1]), ratios[[0, 2]].tolist(),
             faster=True, **options)  # fmt: skip


def accuracy(found):
    """Say how far a q that was searched for is from the best mean-field one."""
    return (f"its means are {found['means_relative_difference']:.1%} off, and its bound "
            f"{found['gap_per_coefficient']:.2f} nat per coefficient below the best of its family")  # fmt: skip


def test_posterior_beside_advi(book):
    import pymc as pm
    from advi import BACKEND, advi

    before = fit_ours()
    found = advi(problem(), pm.adadelta, [(1.0, 10_000)], BACKEND)
    note = f"compilation ({found['seconds_to_compile']:.1f} s) left out; {accuracy(found)}"
    against(book, "PyMC ADVI, 10,000 steps (the talk's)", found["seconds"], before + fit_ours(),
            target=10_000, limit=1_000, note=note)  # fmt: skip


def test_posterior_beside_numpyro(book):
    import jax
    import jax.numpy as jnp
    import numpyro
    from jax import random
    from numpyro import distributions as dist
    from numpyro.infer import SVI, Trace_ELBO
    from numpyro.infer.autoguide import AutoNormal

    Phi = jnp.asarray(np.c_[problem().Z, np.ones(len(problem().Z))], jnp.float32)
    X = jnp.asarray(problem().X, jnp.float32)

    def model():
        B = numpyro.sample("B", dist.Normal(0, 1).expand([Phi.shape[1], X.shape[1]]).to_event(2))
        numpyro.sample("x", dist.Normal(Phi @ B, 1).to_event(2), obs=X)

    guide = AutoNormal(model)
    svi = SVI(model, guide, numpyro.optim.Adam(0.01), Trace_ELBO())
    state, update = svi.init(random.PRNGKey(0)), jax.jit(svi.update)
    before = fit_ours()
    state, _ = update(state)  # compiled here
    start = time.process_time()
    for _ in range(9_999):
        state, _ = update(state)
    jax.block_until_ready(state)
    seconds = time.process_time() - start
    q = svi.get_params(state)
    found = problem().compare(np.asarray(q["B_auto_loc"], float), np.asarray(q["B_auto_scale"], float))
    note = f"Adam at 0.01, compilation left out; {accuracy(found)}"
    against(book, "NumPyro SVI, 10,000 steps", seconds, before + fit_ours(), target=1_000, limit=100, note=note)


def test_posterior_beside_bayesian_ridge(race):
    Z, X = problem().Z, problem().X

    def theirs():
        for pixel in X.T:
            BayesianRidge().fit(Z, pixel)

    rival = {"scikit-learn BayesianRidge, pixel by pixel": (theirs, {"faster": True, "target": 100, "limit": 20})}
    race("q(B) of one class, k = 16", lambda: VariationalMMLR("full", "fixed", 1.0, prior="fixed").fit(Z, X), rival)


def test_posterior_beside_ridge(race):
    """The mean alone is a ridge regression, one system for all pixels: the right call, if one knows it."""
    Z, X = problem().Z, problem().X
    Phi = np.c_[Z, np.ones(len(Z))]
    ridge = Ridge(1.0, fit_intercept=False, solver="cholesky")
    ours = VariationalMMLR("full", "fixed", 1.0, prior="fixed")
    note = "the same means, to rounding; no variances and no evidence"
    race("q(B) of one class, k = 16", lambda: ours.fit(Z, X),
         {"scikit-learn Ridge(1.0), all pixels at once": (lambda: ridge.fit(Phi, X), {"note": note})},
         rounds=15)  # fmt: skip
    np.testing.assert_allclose(ours.coef_, ridge.coef_[:, :-1], atol=1e-10)


def test_sampling(race):
    X, y = load_fashion_mnist()
    model = LinearGenerativeModel(PCA(16)).fit(X, y)
    rng, n = np.random.default_rng(0), 10_000
    Z, B = rng.standard_normal((n, 16)), model.decoder_.coef_
    race("10,000 images, mean decoder", lambda: model.sample(n, random_state=0),
         {"the product Z B'": (lambda: Z @ B.T, {"target": 2.0, "limit": 4.0})}, rounds=15)  # fmt: skip


def test_sampling_with_a_fresh_decoder_each(race):
    X, y = load_fashion_mnist()
    model = LinearGenerativeModel(PCA(16)).fit(X, y)
    rng, n = np.random.default_rng(0), 10_000
    Z, B = rng.standard_normal((n, 16)), model.decoder_.coef_
    race("10,000 images, a fresh B for each", lambda: model.set_params(coefficients="fresh").sample(n, random_state=0),
         {"the product, plus as many normal draws": (lambda: Z @ B.T + rng.standard_normal((n, 784)),
                                                     {"target": 1.5, "limit": 3.0})}, rounds=15)  # fmt: skip


@cache
def two_samples():
    """Return 2,000 drawn and 2,000 test images of digits, float64."""
    model = LinearGenerativeModel(PCA(16)).fit(*load_mnist())
    return model.sample(2000, random_state=0)[0].astype(float), load_mnist("test")[0].astype(float)


def linear_programme(C):
    mass = np.full(len(C), 1 / len(C))
    return ot.emd2(mass, mass, C, numItermax=10**8)


def test_wasserstein(race):
    X, Y = two_samples()
    C = cdist(X, Y, "cityblock")
    C /= 2.0 ** np.round(np.log2(C.max()))
    race("W1, 2,000 against 2,000, numba", lambda: wasserstein1(X, Y),
         {"the linear programme alone": (lambda: linear_programme(C), {"target": 2.0, "limit": 4.0})},
         rounds=5)  # fmt: skip


def test_wasserstein_beside_pot(race):
    X, Y = two_samples()
    race("W1, 2,000 against 2,000, numba", lambda: wasserstein1(X, Y),
         {"ot.dist + ot.emd2": (lambda: linear_programme(ot.dist(X, Y, "cityblock")), {})}, rounds=2)  # fmt: skip


def test_wasserstein_without_numba(race, monkeypatch):
    X, Y = two_samples()
    monkeypatch.setattr("linvae.transport.find_spec", lambda name: None)
    race("W1, 2,000 against 2,000, no numba", lambda: wasserstein1(X, Y),
         {"SciPy's cdist + the linear programme": (lambda: linear_programme(cdist(X, Y, "cityblock")),
                                                   {"target": 1.05, "limit": 1.5})}, rounds=5)  # fmt: skip


# ---------------------------------------------------------------- seconds against W1

EPOCHS = (1, 2, 5, 10, 20)


def linear_models():
    """Yield the linear models of the frontier by name and setting."""
    for k in (4, 8, 16, 32):
        yield "PCA + class Gaussian", f"k = {k}", LinearGenerativeModel(PCA(k), MMLR(), clip=(0.0, 1.0))
        yield "class PCA + class Gaussian", f"k = {k}", LinearGenerativeModel(
            PCA(k), MMLR(), conditional="both", clip=(0.0, 1.0))  # fmt: skip
    for k in (8, 16):
        yield "class PCA + class mixture", f"k = {k}", LinearGenerativeModel(
            PCA(k), MMLR(), ClassMixture(10, random_state=0), "both", clip=(0.0, 1.0))  # fmt: skip
    yield "the talk's recipe", "k = 16", LinearGenerativeModel.from_talk(16).set_params(clip=(0.0, 1.0))


def networks():
    """Yield the deep models of the frontier by name and setting."""
    from linvae import ClassGaussian
    from linvae.deep import CVAE, VAE, Autoencoder

    VAE(n_epochs=1).fit(np.random.default_rng(0).random((64, 4)))  # imports and first calls are not on the bill
    for epochs in EPOCHS:
        passes = f"{epochs} pass{'es' * (epochs > 1)}"
        words = {"n_components": 16, "hidden": 400, "n_epochs": epochs, "batch_size": 32, "learning_rate": 1e-3}
        words |= {"patience": None, "random_state": 0}
        yield "VAE", passes, VAE(**words)
        yield "CVAE", passes, CVAE(**words)
        yield "autoencoder + class Gaussian", passes, Autoencoder(**words, latent=ClassGaussian())


@pytest.mark.parametrize("data", ["digits", "clothes"])
def test_frontier(book, data):
    load = {"digits": load_mnist, "clothes": load_fashion_mnist}[data]
    (X, y), (T, _) = load(), load("test")
    points = []

    def fit_and_score(name, setting, model, fits):
        times = []
        for _ in range(fits):
            start = time.process_time()
            model.fit(X, y)
            times.append(time.process_time() - start)
        scores = [wasserstein1(model.sample(2000, random_state=seed)[0], T) for seed in range(3)]
        points.append({
            "model": name, "setting": setting, "seconds": float(np.median(times)), "w1": float(np.mean(scores)),
            "sd": float(np.std(scores, ddof=1)), "deep": fits == 1,
        })  # fmt: skip

    for name, setting, model in linear_models():
        fit_and_score(name, setting, model, 3)
    for name, setting, model in networks():
        fit_and_score(name, setting, model, 1)
    book.facts[f"frontier_{data}"] = points

    deep = {name: [p for p in points if p["model"] == name] for name in
            ("VAE", "CVAE", "autoencoder + class Gaussian")}  # fmt: skip
    for ours in ("PCA + class Gaussian", "class PCA + class Gaussian"):
        best = min((p for p in points if p["model"] == ours), key=lambda p: p["w1"])
        for name, runs in deep.items():
            level = [p for p in runs if p["w1"] <= best["w1"] + 2 * np.hypot(p["sd"], best["sd"])]
            reached = level[0] if level else runs[-1]
            note = (f"W1 {best['w1']:.1f} ± {best['sd']:.1f} against {reached['w1']:.1f} ± {reached['sd']:.1f} after "
                    f"{reached['setting']}" + ("" if level else ", where it is not yet level"))  # fmt: skip
            ratio = reached["seconds"] / best["seconds"]
            until = "until level by W1" if level else f"after {reached['setting']}"
            book.row(f"{ours}, {best['setting']}, {data}", f"{name} {until}", best["seconds"], reached["seconds"],
                     ratio, [ratio, ratio], faster=True, target=10, note=note)  # fmt: skip
