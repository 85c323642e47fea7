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
TRAINING_SEEDS = range(3)  # of the networks and mixtures
WORKERS = 2

# What the results depend on.  Words for readers, docstrings and comments, are left out of the hash.
SOURCES = ["moments", "encoders", "decoders", "variational", "latent", "generative", "datasets", "transport",
           "_cityblock", "metrics", "deep"]  # fmt: skip
FILES = ["linvae/data/mnist.npz", "linvae/data/fashion_mnist.npz"]


# ---------------------------------------------------------------- the models


def linear(encoder: str, decoder: str, law: str, k: int, scale: str = "raw", own: bool = False) -> Any:
    """Return a linear model from the words of its row; own=True gives each class an encoder of its own."""
    encoders = {"PCA": PCA(k), "PPCA": PPCA(k), "LDA": LDA(k)}
    decoders = {
        "least squares": MMLR(),
        "exact": Variational(),
        "mean-field": Variational(family="mean-field", noise="fixed", noise_variance=1.0, solver="newton"),
    }
    laws = {"standard normal": StandardNormal(), "class Gaussian": ClassGaussian()}
    latent = laws[law] if law in laws else ClassMixture(int(law.split()[-1]), random_state=0)
    return LinearGenerativeModel(
        encoders[encoder],
        decoders[decoder],
        latent,
        conditional="both" if own else "decoder",
        standardize=scale == "standardised",
        clip=(0.0, 1.0),
        coefficients=5000 if decoder == "mean-field" else "mean",  # the average that the talk takes
    )


def pooled(k: int) -> Any:
    """Return PPCA itself as a generator: no labels at all, z ~ N(0, I)."""
    return LinearGenerativeModel(PPCA(k), MMLR(), StandardNormal(), conditional="none", clip=(0.0, 1.0))


def deep(kind: str, k: int, epochs: int, batch: int = 128, law: int = 0, seed: int = 0, hidden: int = 400) -> Any:
    """Return a network; law > 0 gives the autoencoder's codes a mixture of so many Gaussians for each class."""
    from linvae.deep import CVAE, VAE, Autoencoder

    words = {"n_components": k, "n_epochs": epochs, "batch_size": batch, "hidden": hidden, "random_state": seed}
    if kind == "Autoencoder":
        latent = ClassMixture(law, random_state=seed) if law else ClassGaussian()
        return Autoencoder(**words, latent=latent)
    return {"VAE": VAE, "CVAE": CVAE}[kind](**words)


# Six tries for each family, all scored on the same validation images.  LDA has no more than nine codes.
KS = (4, 8, 16, 24, 32, 64)
SIZES = [{"k": k, "epochs": 30, "batch": batch} for k in (8, 16, 32) for batch in (128, 32)]
MIXES = [{"k": k, "law": m} for k in (4, 8, 16) for m in (10, 20)]
DEEP_MIXES = [{"k": k, "epochs": 30, "law": m} for k in (8, 16, 32) for m in (5, 10)]
FAMILIES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "the talk's recipe": ("linear", [{"k": k} for k in KS]),
    "pooled PPCA, N(0, I)": ("linear", [{"k": k} for k in KS]),
    "LDA + class Gaussian": ("linear", [{"k": k} for k in range(4, 10)]),
    "PCA + class Gaussian": ("linear", [{"k": k} for k in KS]),
    "class PCA + class Gaussian": ("linear", [{"k": k} for k in KS]),
    "class PCA + class mixture": ("mixtures", MIXES),
    "VAE": ("deep", SIZES),
    "CVAE": ("deep", SIZES),
    "autoencoder + class Gaussian": ("deep", SIZES),
    "autoencoder + class mixture": ("deep", DEEP_MIXES),
}  # fmt: skip


def member(family: str, seed: int = 0, **setting: Any) -> Any:
    """Return one model of a family."""
    if family == "the talk's recipe":
        return LinearGenerativeModel.from_talk(setting["k"]).set_params(clip=(0.0, 1.0))
    if family == "pooled PPCA, N(0, I)":
        return pooled(setting["k"])
    if family == "LDA + class Gaussian":
        return linear("LDA", "exact", "class Gaussian", **setting)
    if family == "PCA + class Gaussian":
        return linear("PCA", "exact", "class Gaussian", **setting)
    if family == "class PCA + class Gaussian":
        return linear("PCA", "least squares", "class Gaussian", own=True, **setting)
    if family == "class PCA + class mixture":
        model = linear("PCA", "least squares", f"mixture {setting['law']}", setting["k"], own=True)
        return model.set_params(latent__random_state=seed)
    return deep({"VAE": "VAE", "CVAE": "CVAE"}.get(family, "Autoencoder"), seed=seed, **setting)


def grid() -> Iterator[dict[str, Any]]:
    """Yield the rows of the talk's Table 1, those that are provably one merged (C36)."""
    for k in (16, 64):
        for scale in ("raw", "standardised"):
            for law in ("standard normal", "class Gaussian"):
                yield {"encoder": "PCA", "decoder": "least squares", "law": law, "k": k, "scale": scale, "own": True}
                for decoder in ("least squares", "exact", "mean-field"):
                    for encoder in ("PCA", "PPCA"):
                        row = {"encoder": encoder, "decoder": decoder, "law": law, "k": k, "scale": scale}
                        if (decoder, law) == ("least squares", "class Gaussian"):
                            if encoder == "PCA":
                                yield row | {"stands_for": "PCA or PPCA"}
                        else:
                            yield row
    for law in ("standard normal", "class Gaussian"):
        yield {"encoder": "LDA", "decoder": "least squares", "law": law, "k": 9, "stands_for": "raw or standardised"}
        for decoder in ("exact", "mean-field"):
            for scale in ("raw", "standardised"):
                yield {"encoder": "LDA", "decoder": decoder, "law": law, "k": 9, "scale": scale}


def n_parameters(model: Any) -> int:
    """Count the numbers that a fitted model needs to encode and to draw; a covariance counts its upper half.

    The standard deviations of a law of coefficients are not among them: the mean decoder draws.
    """
    if hasattr(model, "n_parameters_"):
        maps = model.n_parameters_
    else:
        encoders = {id(e): e.components_.size + e.mean_.size for e in model.encoders_.values()}
        maps = sum(encoders.values()) + sum(d.coef_.size + d.intercept_.size for d in model.decoders_.values())
        maps += 2 * model.n_features_in_ if model.standardize else 0
    law = model.latent_
    if isinstance(law, ClassGaussian):
        return maps + sum(m.size + m.size * (m.size + 1) // 2 for m in law.means_.values())
    if isinstance(law, ClassMixture):
        k, m = law.n_features_in_, law.n_components
        return maps + len(law.classes_) * m * (1 + k + k * (k + 1) // 2)
    return maps


# ---------------------------------------------------------------- the jobs


def rows(data: str, split: str = "test") -> tuple[Any, ...]:
    """Return training and held-out images and labels; "validation" holds 2,000 training images out."""
    X, y = DATA[data]("train")
    if split == "test":
        return X, y, *DATA[data]("test")
    held = np.random.default_rng(0).permutation(len(X))
    return X[held[N:]], y[held[N:]], X[held[:N]], y[held[:N]]


def timed_fit(model: Any, X: Any, y: Any) -> tuple[Any, float]:
    """Fit, and return the processor's seconds."""
    start = time.process_time()
    return model.fit(X, y), time.process_time() - start


def score(model: Any, X: Any, y: Any, T: Any, T_labels: Any) -> dict[str, Any]:
    """Fit on X, y; draw N images for each seed; score them against T."""
    model, seconds = timed_fit(model, X, y)
    draws = [model.sample(N, random_state=seed)[0] for seed in SEEDS]
    labels = T_labels if getattr(model, "classes_", [None]) != [None] else None
    return {
        **scores(draws, T),
        "parameters": int(n_parameters(model)),
        "fit_seconds": seconds,
        "reconstruction": float(np.mean(np.sum((model.reconstruct(T, labels) - T) ** 2, axis=1))),
    }


def scores(draws: list[Any], T: Any) -> dict[str, Any]:
    """Return the scores of several draws of N images each against real images T."""
    return {
        "w1": [wasserstein1(X, T) for X in draws],
        "sliced": [sliced_wasserstein(X, T, random_state=0) for X in draws[:2]],
        "gaussian_w2": gaussian_w2(Moments.of(np.vstack(draws)), Moments.of(T)),
        "variability": variability(draws[0]),
    }


def dear_scores(X: Any, train: Any, T: Any) -> dict[str, Any]:
    """Return what only the finalists and the controls are given; one draw of N images each."""
    return {
        "nn_accuracy": two_sample_accuracy(X, T, "1-nn", random_state=0),
        "forest_accuracy": two_sample_accuracy(X, T, "random-forest", random_state=0),
        "coverage": coverage(X, T),
        "nearest_train": float(nearest_train_distance(X, train).mean()),
        "nearest_train_real": float(nearest_train_distance(T, train).mean()),
    }


def job_grid(data: str, row: dict[str, Any]) -> dict[str, Any]:
    words = {key: value for key, value in row.items() if key != "stands_for"}
    return score(linear(**words), *rows(data))


def job_try(data: str, family: str, setting: dict[str, Any]) -> dict[str, Any]:
    X, y, T, _ = rows(data, "validation")
    model, seconds = timed_fit(member(family, **setting), X, y)
    return {"w1": wasserstein1(model.sample(N, random_state=0)[0], T), "fit_seconds": seconds}


def job_final(data: str, family: str, setting: dict[str, Any]) -> dict[str, Any]:
    X, y, T, T_labels = rows(data)
    model = member(family, **setting)
    result = score(model, X, y, T, T_labels) | dear_scores(model.sample(N, random_state=0)[0], X, T)
    labels = None if model.classes_ == [None] else np.arange(10)
    result["images"] = np.rint(255 * model.sample(10, labels, random_state=1)[0]).astype(int).tolist()
    if FAMILIES[family][0] != "linear":
        again = [member(family, seed, **setting).fit(X, y) for seed in TRAINING_SEEDS[1:]]
        result["w1_trained_again"] = [wasserstein1(m.sample(N, random_state=0)[0], T) for m in again]
    return result


def job_controls(data: str, seed: int) -> dict[str, Any]:
    """Score the controls of one seed; the first also gets the dear scores."""
    X, y, T, _ = rows(data)
    result = {name: scores([images], T) for name, images in controls(X, y, N, seed).items()}
    if seed == 0:
        for name, images in controls(X, y, N, seed).items():
            result[name] |= dear_scores(images, X, T)
    return result


CURVES = {
    "the talk's recipe": {},
    "PCA + class Gaussian": {},
    "class PCA + class Gaussian": {},
    "PCA, one decoder, N(0, I)": {},
}
CURVE_KS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


def curve_model(family: str, k: int) -> Any:
    if family == "PCA, one decoder, N(0, I)":  # the pooled formula of C28, standardised as the talk's
        return LinearGenerativeModel(PCA(k), MMLR(), StandardNormal(), "none", standardize=True, clip=(0.0, 1.0))
    return member(family, k=k)


def job_curve(data: str, family: str, k: int) -> dict[str, Any]:
    X, y, T, T_labels = rows(data)
    try:
        model = curve_model(family, k).fit(X, y)
    except ValueError as error:  # a class has too few rows, or too few directions, for so many codes
        return {"k": k, "refused": str(error)}
    draws = [model.sample(N, random_state=seed)[0] for seed in (0, 1)]
    labels = None if model.classes_ == [None] else T_labels
    return {
        "k": k,
        "w1": [wasserstein1(D, T) for D in draws],
        "reconstruction": float(np.mean(np.sum((model.set_params(clip=None).reconstruct(T, labels) - T) ** 2, axis=1))),
    }


# Rivals at k = 16: quality against the processor's seconds, from one epoch on, and at the size of ten PCAs.
EPOCHS = (1, 2, 5, 10, 20, 40)
SMALL = 160  # hidden units that make a network of k = 16 about as large as a PCA and a decoder for each class


def job_budget(data: str, kind: str, epochs: int, hidden: int) -> dict[str, Any]:
    X, y, T, _ = rows(data)
    model, seconds = timed_fit(deep(kind, 16, epochs, hidden=hidden), X, y)
    return {
        "w1": [wasserstein1(model.sample(N, random_state=seed)[0], T) for seed in (0, 1)],
        "parameters": int(n_parameters(model)),
        "fit_seconds": seconds,
    }


JOBS = {"grid": job_grid, "try": job_try, "final": job_final, "controls": job_controls, "curve": job_curve,
        "budget": job_budget}  # fmt: skip


def first_jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what depends on nothing, the long ones first."""
    for data in DATA:
        for family, (kind, settings) in sorted(FAMILIES.items(), key=lambda item: item[1][0] != "deep"):
            for setting in settings:
                yield "try", {"data": data, "family": family, "setting": setting}
            del kind
    for data in DATA:
        yield from (("controls", {"data": data, "seed": seed}) for seed in SEEDS)
        yield from (("grid", {"data": data, "row": row}) for row in grid())
        yield from (("curve", {"data": data, "family": f, "k": k}) for f in CURVES for k in CURVE_KS)
        for kind in ("VAE", "CVAE", "Autoencoder"):
            sizes = [(epochs, 400) for epochs in EPOCHS] + [(30, SMALL)]
            yield from (("budget", {"data": data, "kind": kind, "epochs": e, "hidden": h}) for e, h in sizes)


def final_jobs(tries: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the best try of each family, by the validation images alone."""
    for data in DATA:
        for family in FAMILIES:
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
    deep("VAE", 2, 1).fit(np.eye(2, 9, dtype=np.float32))


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
    folder = ROOT / "build" / "table" / mark
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(WORKERS, initializer=warm_up) as pool:
        done = run_all(pool, folder, list(first_jobs()), "models")
        done += run_all(pool, folder, list(final_jobs([r for kind, r in done if kind == "try"])), "finalists")
    result: dict[str, Any] = {kind: [] for kind in JOBS}
    images, seconds = {}, 0.0
    for kind, entry in done:
        seconds += entry.pop("cpu_seconds")
        if "images" in entry:
            images[f"{entry['data']}: {entry['family']}"] = np.array(entry.pop("images"), np.uint8)
        result[kind].append(rounded(entry))
    result["about"] = {
        "fingerprint": mark,
        "n": N,
        "cpu_minutes": round(seconds / 60, 1),  # of all jobs, those of earlier runs too
        "workers": WORKERS,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: version(name) for name in ("numpy", "scipy", "scikit-learn", "pot", "torch", "numba")},
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
    names = {"k": "k = {}", "epochs": "{} epochs", "batch": "batches of {}", "law": "{} Gaussians"}
    return ", ".join(names[key].format(value) for key, value in setting.items())


COLUMNS = ["W1", "sliced W2", "Gaussian W2", "PCs for 95 %", "parameters", "fit, CPU s", "reconstruction"]
DEAR = ["1-NN", "forest", "coverage", "nearest train"]


def cheap(entry: dict[str, Any]) -> list[str]:
    numbers = [
        spread(entry["w1"]),
        spread(entry["sliced"], 3),
        f"{entry['gaussian_w2']:.2f}",
        str(entry["variability"]),
    ]
    if "parameters" not in entry:
        return [*numbers, "", "", ""]
    return [*numbers, f"{entry['parameters']:,}", f"{entry['fit_seconds']:.2f}", f"{entry['reconstruction']:.1f}"]


def dear(entry: dict[str, Any]) -> list[str]:
    names = ("nn_accuracy", "forest_accuracy", "coverage", "nearest_train")
    return [f"{entry[name]:.2f}" for name in names]


def merged_controls(result: dict[str, Any], data: str) -> dict[str, dict[str, Any]]:
    """Return each control with its scores over the seeds."""
    runs = sorted((c for c in result["controls"] if c["data"] == data), key=lambda c: c["seed"])
    joined = {}
    for name in [key for key in runs[0] if key not in ("data", "seed")]:
        lists = {key: [value for run in runs for value in run[name][key]] for key in ("w1", "sliced")}
        joined[name] = runs[0][name] | lists
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
        encoder = words if "PCA" in words else ("a PCA per class" if row.get("own") else row["encoder"])
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
