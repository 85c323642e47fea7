"""Does the verdict hold elsewhere: on other splits of the same images, and on scikit-learn's digits of 8 x 8 pixels?

    python -m benchmarks.elsewhere            # some twenty minutes of one processor; writes elsewhere.json and .md
    python -m benchmarks.elsewhere --render   # writes elsewhere.md again

All models have a link.  Those of 28 x 28 pixels keep the settings that the big table chose: another split must not
choose again.  Those of 8 x 8 pixels are chosen as there, by Fréchet distance on validation images, six tries each, and
there is no convolutional one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from linvae.book import results
from linvae.features import load_features
from linvae.metrics import frechet_distance, recall, tstr, two_sample_accuracy, wasserstein1

from .table import families, jobs
from .table.rendering import markdown, spread

HERE = Path(__file__).resolve().parent
KEPT, PAGE = HERE / "elsewhere.json", HERE / "elsewhere.md"
SPLITS = (7, 8, 9)
LINEAR = "class PCA + class mixture + link"
TRIES: dict[str, list[dict[str, Any]]] = {
    LINEAR: [{"k": k, "latent": f"mixture {n}"} for k in (8, 16, 32) for n in (3, 10)],
    "autoencoder + class mixture + link": [{"k": k, "latent": f"mixture {n}"} for k in (4, 8, 16) for n in (3, 10)],
    "CVAE + class Gaussian + link": [{"beta": beta} for beta in (0.1, 0.3, 0.6, 1.0, 2.0, 5.0)],
}
MODELS = {
    "mnist": [*TRIES, "convolutional autoencoder + class mixture + link"],
    "fashion": [*TRIES, "convolutional autoencoder + class mixture + link"],
    "digits 8x8": list(TRIES),
}
SCORES = {"W1": "w1", "Fréchet": "frechet", "recall": "recall", "TSTR, forest": "tstr_forest", "forest": "forest"}


def parts(data: str, split: int) -> tuple[Any, ...]:
    """Return training images and labels and test images and labels, of all that there are, drawn anew."""
    if data == "digits 8x8":
        X, y = load_digits(return_X_y=True)
        X, n_test = X / 16, 500
    else:
        X, y, T, T_labels = jobs.rows(data)
        X, y, n_test = np.vstack([X, T]), np.r_[y, T_labels], jobs.N
    order = np.random.default_rng(split).permutation(len(X))
    train, test = order[n_test:], order[:n_test]
    return X[train], y[train], X[test], y[test]


def seen(data: str, X: Any) -> Any:
    """Return what Fréchet distance and recall look at: features, or pixels where no network was trained."""
    return X if data == "digits 8x8" else load_features(jobs.FEATURES[data]).transform(X)


def scored(data: str, X: Any, y: Any, T: Any, T_labels: Any) -> dict[str, float]:
    """Return the scores of labelled images; gray levels are rounded to those that real images have."""
    levels = 16 if data == "digits 8x8" else 255
    forest = RandomForestClassifier(50, random_state=0)
    return {
        "w1": wasserstein1(X, T),
        "frechet": frechet_distance(seen(data, X), seen(data, T)),
        "recall": recall(seen(data, X), seen(data, T)),
        "tstr_forest": tstr(X, y, T, T_labels, "random-forest", random_state=0),
        "forest": two_sample_accuracy(np.rint(levels * X) / levels, T, forest, random_state=0),
    }


def setting(data: str, family: str, X: Any, y: Any) -> dict[str, Any]:
    """Return the table's choice, or that of the least Fréchet distance on a quarter of the training images."""
    if data != "digits 8x8":
        return results.finalists(data)[family]["setting"]
    held = len(X) // 4
    tried = []
    for one in TRIES[family]:
        model, _ = families.fitted(family, one, X[held:], y[held:])
        drawn = model.sample(held, random_state=0)[0]
        tried.append((frechet_distance(seen(data, drawn), seen(data, X[:held])), one))
    return min(tried, key=lambda pair: pair[0])[1]


def runs() -> list[dict[str, Any]]:
    """Return the scores of every model on every split, and of as many real training images."""
    done = []
    for data, names in MODELS.items():
        for split in SPLITS:
            X, y, T, T_labels = parts(data, split)
            real = np.random.default_rng(split).permutation(len(X))[: len(T)]
            done.append({"data": data, "split": split, "model": "real", **scored(data, X[real], y[real], T, T_labels)})
            for family in names:
                chosen = setting(data, family, X, y)
                model, seconds = families.fitted(family, chosen, X, y, seed=split)
                drawn, labels = model.sample(len(T), random_state=split)
                done.append({"data": data, "split": split, "model": family, "setting": chosen, "seconds": seconds})
                done[-1] |= scored(data, drawn, labels, T, T_labels)
                print(data, split, family, chosen, {k: round(done[-1][k], 3) for k in SCORES.values()}, flush=True)
    return done


def values(kept: list[dict[str, Any]], data: str, model: str, score: str) -> list[float]:
    """Return a score of a model on each split."""
    return [run[score] for run in kept if (run["data"], run["model"]) == (data, model)]


def render() -> None:
    """Write the page from what is kept."""
    kept, text = json.loads(KEPT.read_text(encoding="utf-8")), []
    digits = {"w1": 1, "frechet": 1}
    for data, names in MODELS.items():
        small = data == "digits 8x8"
        body = [
            [name, *(spread(values(kept, data, name, s), 2 if small else digits.get(s, 2)) for s in SCORES.values())]
            for name in ("real", *names)
        ]
        title = {"mnist": "MNIST", "fashion": "Fashion-MNIST", "digits 8x8": "Digits of 8 × 8 pixels"}[data]
        text.append(f"### {title}\n\n" + markdown(["images", *SCORES], body))
    PAGE.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    if "--render" not in sys.argv:
        lines = ",\n".join(json.dumps(run) for run in runs())
        KEPT.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    render()
