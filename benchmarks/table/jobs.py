"""What one job of the big table computes: a function for each kind, arguments and result as plain as JSON.

A job depends on its kind and its arguments alone, so it can be kept, resumed and run again as a witness.  A model is
chosen on validation images, which are training images; only the chosen one meets a test image.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

from linvae import PCA
from linvae.datasets import load_fashion_mnist, load_mnist
from linvae.features import load_features
from linvae.metrics import (
    controls,
    coverage,
    density,
    frechet_distance,
    gaussian_w2,
    kernel_distance,
    nearest_train_distance,
    precision,
    read_as_asked,
    recall,
    sliced_wasserstein,
    tstr,
    two_sample_accuracy,
    variability,
    wasserstein1,
)
from linvae.moments import Moments

from . import families

DATA = {"mnist": load_mnist, "fashion": load_fashion_mnist}
FEATURES = {"mnist": "mnist", "fashion": "fashion_mnist"}
N = 2000  # images drawn, as in the talk
SEEDS = range(5)  # of the draws
TRAININGS = range(3)  # seeds of the trainings of a network that is a finalist
PAIRS = range(20)  # of the floor: two of them cost less than one model

Job = tuple[str, dict[str, Any]]


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


def scored(model: Any, seconds: float, T: Any, T_labels: Any, seeds: Iterable[int] = SEEDS) -> dict[str, Any]:
    """Score a fitted model, by N images for each seed."""
    drawing, both = families.n_parameters(model)
    result = {
        **scores([model.sample(N, random_state=seed)[0] for seed in seeds], T),
        "to_draw": int(drawing),
        "parameters": int(both),
        "fit_seconds": seconds,
    }
    if hasattr(model, "reconstruct"):  # the flow has no code
        result["reconstruction"] = reconstruction(model, T, T_labels)
    return result


def reconstruction(model: Any, T: Any, T_labels: Any) -> float:
    """Return the mean squared error of a test image, summed over its pixels."""
    labels = T_labels if model.classes_ != [None] else None
    return float(np.mean(np.sum((model.reconstruct(T, labels) - T) ** 2, axis=1)))


def whole_grays(X: Any) -> Any:
    """Return the images in whole gray levels of 255, as real images have them.

    Else 0.0001 in the place of black would give any model away to a classifier.
    """
    return np.rint(255 * X) / 255


def seen_scores(data: str, X: Any, labels: Any, T: Any, T_labels: Any) -> dict[str, Any]:
    """Return the scores of judges that know shapes: by features, and by labels where a model is asked for them."""
    judge = load_features(FEATURES[data])
    seen, real = judge.transform(X), judge.transform(T)
    result = {
        "frechet": frechet_distance(seen, real),
        "kernel": kernel_distance(seen, real),
        "precision": precision(seen, real),
        "recall": recall(seen, real),
        "density": density(seen, real),
        "coverage_seen": coverage(seen, real),
    }
    if labels is not None:
        result["tstr"] = tstr(X, labels, T, T_labels, random_state=0)
        result["tstr_forest"] = tstr(X, labels, T, T_labels, "random-forest", random_state=0)
        result["read_as_asked"] = read_as_asked(X, labels, judge)
    return result


def dear_scores(X: Any, train: Any, T: Any) -> dict[str, Any]:
    """Return what only the finalists and the controls are given; "forest_cut" sees black and white only."""
    grays, forest = whole_grays(X), RandomForestClassifier(50, random_state=0)
    return {
        "nn_accuracy": two_sample_accuracy(grays, T, "1-nn", random_state=0),
        "forest_accuracy": two_sample_accuracy(grays, T, forest, random_state=0),
        "forest_cut": two_sample_accuracy(1.0 * (X > 0.5), 1.0 * (T > 0.5), forest, random_state=0),
        "coverage": coverage(X, T),
        "nearest_train": float(nearest_train_distance(X, train).mean()),
        "nearest_test": float(nearest_train_distance(X, T).mean()),
    }


# ---------------------------------------------------------------- the kinds


def job_grid(data: str, row: dict[str, Any], seeds: Iterable[int] = SEEDS) -> dict[str, Any]:
    """Score one row of the talk's Table 1."""
    X, y, T, T_labels = rows(data)
    start = time.process_time()
    model = families.linear(**{key: value for key, value in row.items() if key != "stands_for"}).fit(X, y)
    return scored(model, time.process_time() - start, T, T_labels, seeds)


def job_try(data: str, family: str, setting: dict[str, Any]) -> dict[str, Any]:
    """Try one setting of a family on the validation images; with a link all are below the floor, so by features too."""
    X, y, T, _ = rows(data, "validation")
    model, seconds = families.fitted(family, setting, X, y, passes=families.TRIED_PASSES)
    drawn = model.sample(N, random_state=0)[0]
    result = {"w1": wasserstein1(drawn, T), "fit_seconds": seconds}
    if family.endswith(" + link"):
        judge = load_features(FEATURES[data])
        result["frechet"] = frechet_distance(judge.transform(drawn), judge.transform(T))
    return result


def job_tries(data: str, kind: str, training: dict[str, Any]) -> dict[str, Any]:
    """Train a network once, and try the settings that share it and differ in the distribution of the code."""
    X, y, T, _ = rows(data, "validation")
    start = time.process_time()
    model = families.network(kind, n_epochs=families.TRIED_PASSES[kind], **training).fit(X, y)
    seconds, tries = time.process_time() - start, []
    for family, (how, settings) in families.FAMILIES.items():
        for setting in settings if how == "deep" and family.split(" + ")[0] == kind else ():
            if families.without_latent(setting) == training:
                families.with_latent(model, families.kind_and_latent(family, setting)[1], X, y)
                w1 = wasserstein1(model.sample(N, random_state=0)[0], T)
                tries.append({"data": data, "family": family, "setting": setting, "w1": w1, "fit_seconds": seconds})
                tries[-1]["passes"] = model.n_iter_
    return {"tries": tries}


def ten_images(model: Any) -> Any:
    """Return ten drawn images in bytes, one of each class where the model knows classes."""
    labels = None if model.classes_ == [None] else np.arange(10)
    return np.rint(255 * model.sample(10, labels, random_state=1)[0]).astype(int)


def labelled_draw(family: str, model: Any) -> tuple[Any, Any]:
    """Return N images, and the labels that were asked for; None where the model draws of all classes alike."""
    X, labels = model.sample(N, random_state=0)
    return X, labels if families.reads_labels(family) else None


def job_final(data: str, family: str, setting: dict[str, Any]) -> dict[str, Any]:
    """Score the best setting of a family on the test images."""
    X, y, T, T_labels = rows(data)
    model, seconds = families.fitted(family, setting, X, y)
    drawn, labels = labelled_draw(family, model)
    seeds = SEEDS if not family.startswith(("flow", "polished")) else SEEDS[:2]  # half a minute a draw
    result = scored(model, seconds, T, T_labels, seeds) | dear_scores(drawn, X, T)
    result |= seen_scores(data, drawn, labels, T, T_labels)
    trained = getattr(getattr(model, "model_", model), "estimator", model)  # under a link
    if hasattr(trained, "n_iter_"):
        result["passes"] = trained.n_iter_
    return result | {"images": ten_images(model).tolist()}


def job_again(data: str, family: str, setting: dict[str, Any], seed: int) -> dict[str, Any]:
    """Train the best setting of a family from another seed, and score one draw on the test images."""
    X, y, T, T_labels = rows(data)
    model, _ = families.fitted(family, setting, X, y, seed)
    drawn, labels = labelled_draw(family, model)
    return {"w1": wasserstein1(drawn, T)} | seen_scores(data, drawn, labels, T, T_labels)


def two_samples(data: str, seed: int) -> tuple[Any, Any]:
    """Return N real images and N others, both drawn anew from all that there are."""
    X, _, T, _ = rows(data)
    real = np.vstack([X, T])[np.random.default_rng(seed).permutation(len(X) + len(T))]
    return real[:N], real[N : 2 * N]


def job_floor(data: str, seed: int) -> dict[str, Any]:
    """Set real images against others."""
    return {"w1": wasserstein1(*two_samples(data, seed))}


def job_controls(data: str, seed: int, names: Iterable[str] | None = None) -> dict[str, Any]:
    """Score the controls of one seed, and training images through 16 codes; the first also gets the dear scores."""
    X, y, T, T_labels = rows(data)
    images = controls(X, y, N, seed)
    labels = KNeighborsClassifier(1).fit(X, y).predict(images["real"])
    images["16 codes"] = families.pooled(16, PCA).fit(X).reconstruct(images["real"])
    images = {name: images[name] for name in names or images}
    result = {name: scores([part], T) for name, part in images.items()}
    if seed == 0:
        for name, part in images.items():
            result[name] |= dear_scores(part, X, T) | seen_scores(data, part, labels, T, T_labels)
        result["real"]["nearest_test_train"] = float(nearest_train_distance(T, X).mean())
    return result


def job_curve(data: str, family: str, k: int) -> dict[str, Any]:
    """Score a linear family at one number of codes, by two draws."""
    X, y, T, T_labels = rows(data)
    try:
        model = families.linear_member(family, k).fit(X, y)
    except ValueError as error:  # a class has too few rows, or too few directions, for so many codes
        return {"refused": str(error)}
    result = {
        "w1": [wasserstein1(model.sample(N, random_state=seed)[0], T) for seed in (0, 1)],
        "reconstruction": reconstruction(model, T, T_labels),
    }
    return result | {"reconstruction_unclipped": reconstruction(model.set_params(clip=None), T, T_labels)}


def job_budget(data: str, kind: str, epochs: int, hidden: int) -> dict[str, Any]:
    """Score a network of 16 codes after so many passes, under each distribution of its codes."""
    X, y, T, _ = rows(data)
    start = time.process_time()
    model = families.network(kind, n_epochs=epochs, patience=None, hidden=hidden).fit(X, y)
    seconds = time.process_time() - start
    w1 = {}
    for latent in families.NETWORKS[kind]:
        families.with_latent(model, latent, X, y)
        w1[latent] = wasserstein1(model.sample(N, random_state=0)[0], T)
    drawing, both = families.n_parameters(model)
    return {"w1": w1, "to_draw": int(drawing), "parameters": int(both), "fit_seconds": seconds}


JOBS = {"try": job_try, "tries": job_tries, "floor": job_floor, "controls": job_controls, "grid": job_grid,
        "curve": job_curve, "budget": job_budget, "final": job_final, "again": job_again}  # fmt: skip


# ---------------------------------------------------------------- which jobs there are


def first_jobs() -> Iterator[Job]:
    """Yield what depends on nothing, the long ones first."""
    for kind, training in families.trained_settings():
        yield from (("tries", {"data": data, "kind": kind, "training": training}) for data in DATA)
    for data in DATA:
        for family, (kind, settings) in families.FAMILIES.items():
            if kind != "deep":
                yield from (("try", {"data": data, "family": family, "setting": setting}) for setting in settings)
        yield from (("controls", {"data": data, "seed": seed}) for seed in SEEDS)
        yield from (("floor", {"data": data, "seed": seed}) for seed in PAIRS)
        yield from (("grid", {"data": data, "row": row}) for row in families.grid())
        yield from (("curve", {"data": data, "family": f, "k": k}) for f in families.CURVES for k in families.CURVE_KS)
        for kind in families.NETWORKS:
            sizes = [(epochs, 400) for epochs in families.EPOCHS] + [(30, families.SMALL)]
            yield from (("budget", {"data": data, "kind": kind, "epochs": e, "hidden": h}) for e, h in sizes)


def final_jobs(tries: list[dict[str, Any]]) -> Iterator[Job]:
    """Yield the best try of each family, by the validation images alone, the long ones first."""
    for family, (how, _) in reversed(families.FAMILIES.items()):
        for data in DATA:
            best = {"data": data, "family": family, "setting": best_of(tries, data, family)["setting"]}
            yield "final", best
            if how != "linear" and family not in families.TRAINED_ONCE:
                yield from (("again", best | {"seed": seed}) for seed in TRAININGS[1:])


def best_of(tries: list[dict[str, Any]], data: str, family: str) -> dict[str, Any]:
    """Return the best try of a family on validation images, by W1; with a link, where that is mute, by Fréchet."""
    family = families.TAKES_SETTING_OF.get(family, family)
    tried = [t for t in tries if (t["data"], t["family"]) == (data, family)]
    return min(tried, key=lambda t: t.get("frechet", t["w1"]))
