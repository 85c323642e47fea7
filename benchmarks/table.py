"""Score every generative model of the book: make table, or python benchmarks/table.py

Some 400 jobs on two processes, under 45 minutes; needs the extras `deep` and `fast`.  A finished job is kept in
build/table/, so an interrupted run goes on where it stopped.  Writes beside itself
    table.json    all results, the machine and versions, and `fingerprint`, a hash of the code and the data behind them
    table.npz     some drawn images of the finalists
    table-mnist.md, table-fashion.md    the tables of the book's appendix
With --render it writes only the last two, from table.json.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import platform
import re
import sys
import time
import tokenize
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier

from linvae import LDA, MMLR, PCA, PPCA, ClassGaussian, ClassMixture, LinearGenerativeModel, StandardNormal
from linvae import VariationalMMLR as Variational
from linvae.datasets import load_fashion_mnist, load_mnist
from linvae.metrics import (
    controls,
    coverage,
    gaussian_w2,
    nearest_train_distance,
    sliced_wasserstein,
    two_sample_accuracy,
    variability,
    wasserstein1,
)
from linvae.moments import Moments

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
DATA = {"mnist": load_mnist, "fashion": load_fashion_mnist}
N = 2000  # images drawn, as in the talk
SEEDS = range(5)  # of the draws
WORKERS = 2

# What the results depend on.  Words for readers, docstrings and comments, are left out of the hash.
SOURCES = ["moments", "encoders", "decoders", "variational", "latent", "generative", "datasets", "transport",
           "_cityblock", "metrics", "deep"]  # fmt: skip
FILES = ["linvae/data/mnist.npz", "linvae/data/fashion_mnist.npz"]


# ---------------------------------------------------------------- the models


LAWS = {"standard normal": StandardNormal(), "class Gaussian": ClassGaussian()}


def law_of(words: str, seed: int = 0) -> Any:
    """Return the law of a name: one of LAWS, or "mixture 10"."""
    return clone(LAWS[words]) if words in LAWS else ClassMixture(int(words.split()[-1]), random_state=seed)


def linear(encoder: str, decoder: str, law: str, k: int, scale: str = "raw", own: bool = False, seed: int = 0) -> Any:
    """Return a linear model from the words of its row; own=True gives each class an encoder of its own."""
    encoders = {"PCA": PCA(k), "PPCA": PPCA(k), "LDA": LDA(k)}
    decoders = {
        "least squares": MMLR(),
        "learned noise": Variational(),
        "the talk's": Variational(family="mean-field", noise="fixed", prior="fixed", noise_variance=1.0),
    }
    return LinearGenerativeModel(
        encoders[encoder],
        decoders[decoder],
        law_of(law, seed),
        conditional="both" if own else "decoder",
        standardize=scale == "standardised",
        clip=(0.0, 1.0),
        coefficients=5000 if decoder == "the talk's" else "mean",  # the average that the talk takes
    )


def pooled(k: int, encoder: Any = PPCA, standardize: bool = False) -> Any:
    """Return a generator without labels: one encoder, one decoder, z ~ N(0, I)."""
    return LinearGenerativeModel(encoder(k), MMLR(), StandardNormal(), "none", standardize, clip=(0.0, 1.0))


def network(kind: str, k: int, epochs: int, seed: int = 0, hidden: int = 400) -> Any:
    """Return a network whose codes get a law afterwards, by `with_law`; batches of 32 images."""
    from linvae.deep import CVAE, VAE, Autoencoder

    words = {"n_components": k, "n_epochs": epochs, "hidden": hidden, "batch_size": 32, "random_state": seed}
    if kind == "CVAE":
        return CVAE(**words)
    return {"VAE": VAE, "autoencoder": Autoencoder}[kind](**words, latent=ClassGaussian())


def with_law(model: Any, law: str, X: Any, y: Any, seed: int = 0) -> Any:
    """Give a trained network the law of that name, fitted to the codes of the training images."""
    if type(model).__name__ != "CVAE":  # whose N(0, I) needs no fitting
        model.latent_ = law_of(law, seed).fit(model.transform(X, y), y)
    return model


# Six tries for each family, all scored on the same validation images.  LDA has no more than nine codes.  A network is
# trained once for each setting; families that differ in the law alone share it.
KS = [{"k": k} for k in (2, 4, 8, 16, 32, 64)]
SIZES = [{"k": k, "epochs": epochs} for k in (4, 8, 16) for epochs in (10, 30)]
MIXES = [{"k": k, "law": f"mixture {parts}"} for k in (4, 8, 16) for parts in (10, 30)]
DEEP_MIXES = [{"epochs": 30} | mix for mix in MIXES]
FAMILIES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "the talk's recipe": ("linear", KS),
    "pooled PPCA, N(0, I)": ("linear", KS),
    "LDA + class Gaussian": ("linear", [{"k": k} for k in range(4, 10)]),
    "PCA + class Gaussian": ("linear", KS),
    "class PCA + class Gaussian": ("linear", KS),
    "class PCA + class mixture": ("mixtures", MIXES),
    "VAE": ("deep", SIZES),
    "CVAE": ("deep", SIZES),
    "VAE + class Gaussian": ("deep", SIZES),
    "VAE + class mixture": ("deep", DEEP_MIXES),
    "autoencoder + class Gaussian": ("deep", SIZES),
    "autoencoder + class mixture": ("deep", DEEP_MIXES),
}


def linear_member(family: str, k: int, law: str = "class Gaussian", seed: int = 0) -> Any:
    """Return one linear model of a family."""
    if family == "the talk's recipe":
        return LinearGenerativeModel.from_talk(k).set_params(clip=(0.0, 1.0))
    if family == "pooled PPCA, N(0, I)":
        return pooled(k)
    if family.startswith("class PCA"):
        return linear("PCA", "least squares", law, k, own=True, seed=seed)
    return linear(family.split()[0], "learned noise", law, k)


def kind_and_law(family: str, setting: dict[str, Any]) -> tuple[str, str]:
    """Return the network of a deep family, and the name of its law."""
    kind = family.split(" + ")[0]
    return kind, setting.get("law", "standard normal" if family == kind else "class Gaussian")


def fitted(family: str, setting: dict[str, Any], X: Any, y: Any, seed: int = 0) -> tuple[Any, float]:
    """Return a fitted model of a family and the processor's seconds."""
    start = time.process_time()
    if FAMILIES[family][0] == "deep":
        kind, law = kind_and_law(family, setting)
        model = network(kind, setting["k"], setting["epochs"], seed).fit(X, y)
        return with_law(model, law, X, y, seed), time.process_time() - start
    return linear_member(family, **setting, seed=seed).fit(X, y), time.process_time() - start


def grid() -> Iterator[dict[str, Any]]:
    """Yield the rows of the talk's Table 1, those that are provably one merged (C36; C20: exact or mean-field)."""
    for k in (16, 64):
        for scale in ("raw", "standardised"):
            for law in LAWS:
                for decoder, own in (("least squares", False), ("the talk's", False), ("least squares", True)):
                    for encoder in ("PCA", "PPCA"):
                        row = {"encoder": encoder, "decoder": decoder, "law": law, "k": k, "scale": scale, "own": own}
                        if (decoder, law) != ("least squares", "class Gaussian"):
                            yield row
                        elif encoder == "PCA":
                            yield row | {"stands_for": "PCA or PPCA"}
    for law in LAWS:
        yield {"encoder": "LDA", "decoder": "least squares", "law": law, "k": 9, "stands_for": "raw or standardised"}
        for scale in ("raw", "standardised"):
            yield {"encoder": "LDA", "decoder": "the talk's", "law": law, "k": 9, "scale": scale}


def n_parameters(model: Any) -> tuple[int, int]:
    """Count the numbers that a fitted model needs to draw, and to encode and draw; of a covariance its upper half.

    A decoder that is its encoder's transpose counts once.  A law of coefficients that is drawn from adds its standard
    deviations, which all pixels share.
    """
    law = model.latent_
    k, groups = law.n_features_in_, len(law.classes_)
    extra = 0
    if isinstance(law, ClassGaussian):
        extra = groups * (k + k * (k + 1) // 2)
    elif isinstance(law, ClassMixture):
        extra = groups * law.n_components * (1 + k + k * (k + 1) // 2)
    if hasattr(model, "n_parameters_"):
        drawing = sum(part.numel() for part in model.decoder_.parameters())
        return drawing + extra, model.n_parameters_ + extra
    extra += 2 * model.n_features_in_ if model.standardize else 0
    extra += 0 if model.coefficients == "mean" else (k + 1) * groups
    drawing = sum(d.coef_.size + d.intercept_.size for d in model.decoders_.values()) + extra
    tied = all(np.allclose(d.coef_.T, model.encoders_[label].components_) for label, d in model.decoders_.items())
    encoders = {id(e): e.components_.size + e.mean_.size for e in model.encoders_.values()}
    return drawing, drawing + (0 if tied else sum(encoders.values()))


# ---------------------------------------------------------------- the jobs


def rows(data: str, split: str = "test") -> tuple[Any, ...]:
    """Return training and held-out images and labels; "validation" holds 2,000 training images out."""
    X, y = DATA[data]("train")
    if split == "test":
        return X, y, *DATA[data]("test")
    held = np.random.default_rng(0).permutation(len(X))
    return X[held[N:]], y[held[N:]], X[held[:N]], y[held[:N]]


def scores(draws: list[Any], T: Any) -> dict[str, Any]:
    """Return the scores of several draws of N images each against real images T."""
    return {
        "w1": [wasserstein1(X, T) for X in draws],
        "sliced": sliced_wasserstein(draws[0], T, 200, random_state=0),
        "gaussian_w2": gaussian_w2(Moments.of(draws[0]), Moments.of(T)),
        "variability": variability(draws[0]),
    }


def scored(model: Any, seconds: float, T: Any, T_labels: Any) -> dict[str, Any]:
    """Score a fitted model, by N images for each seed."""
    drawing, both = n_parameters(model)
    return {
        **scores([model.sample(N, random_state=seed)[0] for seed in SEEDS], T),
        "to_draw": int(drawing),
        "parameters": int(both),
        "fit_seconds": seconds,
        "reconstruction": reconstruction(model, T, T_labels),
    }


def reconstruction(model: Any, T: Any, T_labels: Any) -> float:
    labels = T_labels if model.classes_ != [None] else None
    return float(np.mean(np.sum((model.reconstruct(T, labels) - T) ** 2, axis=1)))


def dear_scores(X: Any, train: Any, T: Any) -> dict[str, Any]:
    """Return what only the finalists and the controls are given; one draw of N images each.

    Classifiers see whole gray levels of 255, as real images have them: else 0.0001 in the place of black would give
    any model away.  "forest_cut" sees black and white only.
    """
    levels = np.rint(255 * X) / 255
    forest = RandomForestClassifier(50, random_state=0)
    return {
        "nn_accuracy": two_sample_accuracy(levels, T, "1-nn", random_state=0),
        "forest_accuracy": two_sample_accuracy(levels, T, forest, random_state=0),
        "forest_cut": two_sample_accuracy(1.0 * (X > 0.5), 1.0 * (T > 0.5), forest, random_state=0),
        "coverage": coverage(X, T),
        "nearest_train": float(nearest_train_distance(X, train).mean()),
        "nearest_test": float(nearest_train_distance(X, T).mean()),
    }


def job_grid(data: str, row: dict[str, Any]) -> dict[str, Any]:
    X, y, T, T_labels = rows(data)
    start = time.process_time()
    model = linear(**{key: value for key, value in row.items() if key != "stands_for"}).fit(X, y)
    return scored(model, time.process_time() - start, T, T_labels)


def job_try(data: str, family: str, setting: dict[str, Any]) -> dict[str, Any]:
    X, y, T, _ = rows(data, "validation")
    model, seconds = fitted(family, setting, X, y)
    return {"w1": wasserstein1(model.sample(N, random_state=0)[0], T), "fit_seconds": seconds}


def job_tries(data: str, kind: str, k: int, epochs: int) -> dict[str, Any]:
    """Train one network, and try all families that share it."""
    X, y, T, _ = rows(data, "validation")
    start = time.process_time()
    model = network(kind, k, epochs).fit(X, y)
    seconds, tries = time.process_time() - start, []
    for family, (_, settings) in FAMILIES.items():
        for setting in settings:
            shared = {"k": k, "epochs": epochs}.items() <= setting.items()
            if shared and family.split(" + ")[0] == kind:
                with_law(model, kind_and_law(family, setting)[1], X, y)
                w1 = wasserstein1(model.sample(N, random_state=0)[0], T)
                tries.append({"data": data, "family": family, "setting": setting, "w1": w1, "fit_seconds": seconds})
    return {"tries": tries}


def job_final(data: str, family: str, setting: dict[str, Any]) -> dict[str, Any]:
    X, y, T, T_labels = rows(data)
    model, seconds = fitted(family, setting, X, y)
    result = scored(model, seconds, T, T_labels) | dear_scores(model.sample(N, random_state=0)[0], X, T)
    labels = None if model.classes_ == [None] else np.arange(10)
    result["images"] = np.rint(255 * model.sample(10, labels, random_state=1)[0]).astype(int).tolist()
    if FAMILIES[family][0] != "linear":
        again, _ = fitted(family, setting, X, y, seed=1)
        result["w1_trained_again"] = wasserstein1(again.sample(N, random_state=0)[0], T)
    return result


def job_floor(data: str, seed: int) -> dict[str, Any]:
    """Set N real images against N others, both drawn anew from all that there are."""
    X, _, T, _ = rows(data)
    real = np.vstack([X, T])[np.random.default_rng(seed).permutation(len(X) + len(T))]
    return {"w1": wasserstein1(real[:N], real[N : 2 * N])}


def job_controls(data: str, seed: int) -> dict[str, Any]:
    """Score the controls of one seed, and training images through 16 codes; the first also gets the dear scores."""
    X, y, T, _ = rows(data)
    images = controls(X, y, N, seed)
    images["16 codes"] = pooled(16, PCA).fit(X).reconstruct(images["real"])
    result = {name: scores([part], T) for name, part in images.items()}
    if seed == 0:
        for name, part in images.items():
            result[name] |= dear_scores(part, X, T)
        result["real"]["nearest_test_train"] = float(nearest_train_distance(T, X).mean())
    return result


CURVES = ("the talk's recipe", "PCA + class Gaussian", "class PCA + class Gaussian", "PCA, one decoder, N(0, I)")
CURVE_KS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


def job_curve(data: str, family: str, k: int) -> dict[str, Any]:
    X, y, T, T_labels = rows(data)
    one = family == "PCA, one decoder, N(0, I)"  # the pooled formula of C28, standardised as the talk's
    try:
        model = (pooled(k, PCA, standardize=True) if one else linear_member(family, k)).fit(X, y)
    except ValueError as error:  # a class has too few rows, or too few directions, for so many codes
        return {"refused": str(error)}
    result = {
        "w1": [wasserstein1(model.sample(N, random_state=seed)[0], T) for seed in (0, 1)],
        "reconstruction": reconstruction(model, T, T_labels),
    }
    return result | {"reconstruction_unclipped": reconstruction(model.set_params(clip=None), T, T_labels)}


# Rivals at k = 16: quality against the processor's seconds, from one epoch on, and at the size of ten PCAs.
EPOCHS = (1, 2, 5, 10, 20, 40)
LAWS_OF = {"VAE": list(LAWS), "CVAE": ["standard normal"], "autoencoder": ["class Gaussian"]}
SMALL = 160  # hidden units with which a network of k = 16 needs about as many numbers to draw as a PCA for each class


def job_budget(data: str, kind: str, epochs: int, hidden: int) -> dict[str, Any]:
    X, y, T, _ = rows(data)
    start = time.process_time()
    model = network(kind, 16, epochs, hidden=hidden).fit(X, y)
    seconds = time.process_time() - start
    w1 = {law: wasserstein1(with_law(model, law, X, y).sample(N, random_state=0)[0], T) for law in LAWS_OF[kind]}
    drawing, both = n_parameters(model)
    return {"w1": w1, "to_draw": int(drawing), "parameters": int(both), "fit_seconds": seconds}


JOBS = {"try": job_try, "tries": job_tries, "floor": job_floor, "controls": job_controls, "grid": job_grid,
        "curve": job_curve, "budget": job_budget, "final": job_final}  # fmt: skip


def first_jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what depends on nothing, the long ones first."""
    networks = [{"kind": kind, **size} for kind in ("VAE", "CVAE", "autoencoder") for size in reversed(SIZES)]
    for data in DATA:
        yield from (("tries", {"data": data} | arguments) for arguments in networks)
    for data in DATA:
        for family, (kind, settings) in FAMILIES.items():
            if kind != "deep":
                yield from (("try", {"data": data, "family": family, "setting": setting}) for setting in settings)
        for seed in SEEDS:
            yield "controls", {"data": data, "seed": seed}
            yield "floor", {"data": data, "seed": seed}
        yield from (("grid", {"data": data, "row": row}) for row in grid())
        yield from (("curve", {"data": data, "family": f, "k": k}) for f in CURVES for k in CURVE_KS)
        for kind in ("VAE", "CVAE", "autoencoder"):
            sizes = [(epochs, 400) for epochs in EPOCHS] + [(30, SMALL)]
            yield from (("budget", {"data": data, "kind": kind, "epochs": e, "hidden": h}) for e, h in sizes)


def final_jobs(tries: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the best try of each family, by the validation images alone, the long ones first."""
    for family in sorted(FAMILIES, key=lambda family: FAMILIES[family][0] != "deep"):
        for data in DATA:
            mine = [t for t in tries if (t["data"], t["family"]) == (data, family)]
            best = min(mine, key=lambda t: t["w1"])
            yield "final", {"data": data, "family": family, "setting": best["setting"]}


# ---------------------------------------------------------------- running and keeping


def code_only(text: str) -> str:
    """Return Python source without comments, docstrings and empty lines: what a result can depend on."""
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for row in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[row] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def fingerprint() -> str:
    """Return a hash of the code and the data that the results come from."""
    digest = hashlib.sha256()
    for path in [*(ROOT / "linvae" / f"{name}.py" for name in SOURCES), Path(__file__)]:
        digest.update(code_only(path.read_text(encoding="utf-8")).encode())
    for name in FILES:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()[:16]


def kept(folder: Path, kind: str, arguments: dict[str, Any]) -> Path:
    name = hashlib.sha256(json.dumps([kind, arguments], sort_keys=True).encode()).hexdigest()[:16]
    return folder / f"{kind}-{name}.json"


def work(folder: Path, kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Do one job, or take what an earlier run has kept."""
    path = kept(folder, kind, arguments)
    if not path.is_file():
        start = time.process_time()
        result = arguments | JOBS[kind](**arguments) | {"cpu_seconds": time.process_time() - start}
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(result), encoding="utf-8")
        part.replace(path)
    return json.loads(path.read_text(encoding="utf-8"))


def warm_up() -> None:
    """Train on two rows, so that no timed fit pays for what torch does once in a process."""
    network("CVAE", 2, 1).fit(np.eye(2, 9, dtype=np.float32), [0, 1])


def run_all(pool: ProcessPoolExecutor, folder: Path, jobs: list[tuple[str, dict[str, Any]]], words: str) -> list[Any]:
    """Do the jobs side by side, and return their results in the order of the jobs."""
    from tqdm import tqdm

    futures = {pool.submit(work, folder, *job): i for i, job in enumerate(jobs)}
    results: list[Any] = [None] * len(jobs)
    for future in tqdm(as_completed(futures), total=len(jobs), desc=words, unit="job", smoothing=0):
        results[futures[future]] = (jobs[futures[future]][0], future.result())
    return results


def measure() -> dict[str, Any]:
    mark = fingerprint()
    versions = {name: version(name) for name in ("numpy", "scipy", "scikit-learn", "pot", "torch", "numba")}
    # What was kept under other versions is not mixed in.
    folder = ROOT / "build" / "table" / f"{mark}-{hashlib.sha256(str(versions).encode()).hexdigest()[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(WORKERS, initializer=warm_up) as pool:
        done = run_all(pool, folder, list(first_jobs()), "models")
        tries = [entry for kind, entry in done if kind == "try"]
        tries += [entry for kind, part in done if kind == "tries" for entry in part["tries"]]
        done += run_all(pool, folder, list(final_jobs(tries)), "finalists")
    result: dict[str, Any] = {kind: [] for kind in JOBS if kind != "tries"}
    images, seconds = {}, 0.0
    for kind, entry in done:
        seconds += entry.pop("cpu_seconds")
        if "images" in entry:
            images[f"{entry['data']}: {entry['family']}"] = np.array(entry.pop("images"), np.uint8)
        if kind == "tries":
            result["try"] += rounded(entry["tries"])
        else:
            result[kind].append(rounded(entry))
    result["about"] = {
        "fingerprint": mark,
        "n": N,
        "cpu_minutes": round(seconds / 60, 1),  # of all jobs, those of earlier runs too
        "workers": WORKERS,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": versions,
    }
    np.savez_compressed(HERE / "table.npz", allow_pickle=False, **images)
    return result


def rounded(entry: Any) -> Any:
    """Return the same with six significant digits, so that the file stays small."""
    if isinstance(entry, dict):
        return {key: rounded(value) for key, value in entry.items()}
    if isinstance(entry, list):
        return [rounded(value) for value in entry]
    return float(f"{entry:.6g}") if isinstance(entry, float) else entry


# ---------------------------------------------------------------- the tables of the appendix


def spread(values: list[float], digits: int = 1) -> str:
    """Return mean ± standard deviation (divisor n - 1), or the one value."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


def setting_words(setting: dict[str, Any]) -> str:
    words = [f"k = {setting['k']}"]
    if "epochs" in setting:
        words.append(f"{setting['epochs']} epochs")
    if "law" in setting:
        words.append(f"{setting['law'].split()[-1]} Gaussians")
    return ", ".join(words)


COLUMNS = ["W1", "sliced W2", "Gaussian W2", "PCs for 95 %", "to draw", "parameters", "fit, CPU s", "reconstruction"]
DEAR = ["1-NN", "forest", "forest, cut", "coverage", "nearest train", "nearest test"]


def cheap(entry: dict[str, Any]) -> list[str]:
    numbers = [spread(entry["w1"]), f"{entry['sliced']:.3f}", f"{entry['gaussian_w2']:.2f}", str(entry["variability"])]
    if "parameters" not in entry:
        return [*numbers, "", "", "", ""]
    sizes = [f"{entry['to_draw']:,}", f"{entry['parameters']:,}"]
    return [*numbers, *sizes, f"{entry['fit_seconds']:.2f}", f"{entry['reconstruction']:.1f}"]


def dear(entry: dict[str, Any]) -> list[str]:
    names = ("nn_accuracy", "forest_accuracy", "forest_cut", "coverage", "nearest_train", "nearest_test")
    return [f"{entry[name]:.2f}" for name in names]


def merged_controls(result: dict[str, Any], data: str) -> dict[str, dict[str, Any]]:
    """Return each control with its scores over the seeds."""
    runs = sorted((c for c in result["controls"] if c["data"] == data), key=lambda c: c["seed"])
    joined = {}
    for name in [key for key in runs[0] if key not in ("data", "seed")]:
        joined[name] = runs[0][name] | {"w1": [run[name]["w1"][0] for run in runs]}
    return joined


def markdown(header: list[str], body: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def tables(result: dict[str, Any], data: str) -> str:
    """Return the appendix of one data set."""
    finals = [
        [f["family"], setting_words(f["setting"]), *cheap(f), *dear(f)] for f in result["final"] if f["data"] == data
    ]
    fakes = [[name, "", *cheap(c), *dear(c)] for name, c in merged_controls(result, data).items()]
    grid_rows = []
    for g in sorted((g for g in result["grid"] if g["data"] == data), key=lambda g: np.mean(g["w1"])):
        row = g["row"]
        words = row.get("stands_for", "")
        encoder = (words if "PCA" in words else row["encoder"]) + (" per class" if row.get("own") else "")
        scale = words if "raw" in words else row.get("scale", "raw")
        grid_rows.append([encoder, row["decoder"], row["law"], str(row["k"]), scale, *cheap(g)])
    return (
        "### Finalists and controls\n\n"
        + markdown(["model", "chosen on validation", *COLUMNS, *DEAR], finals + fakes)
        + "\n### The talk's Table 1\n\n"
        + markdown(["encoder", "decoder", "law of the code", "k", "pixels", *COLUMNS], grid_rows)
    )


def main(arguments: list[str]) -> int:
    path = HERE / "table.json"
    if "--render" not in arguments:
        text = json.dumps(measure(), indent=None, separators=(",", ":"))
        path.write_text(re.sub(r'(\[|,)(\{"data")', r"\1\n\2", text) + "\n", encoding="utf-8")
    result = json.loads(path.read_text(encoding="utf-8"))
    for data in DATA:
        (HERE / f"table-{data}.md").write_text(tables(result, data), encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {result['about']['cpu_minutes']} processor minutes, on {WORKERS} processes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
