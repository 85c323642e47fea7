"""Write the tables of the appendix from the kept results; nothing is computed here but means and spreads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from linvae.book import results

from . import families

HERE = Path(__file__).resolve().parent

COLUMNS = ["W1", "sliced W2", "Gaussian W2", "PCs for 95 %", "to draw", "parameters", "fit, CPU s", "reconstruction"]
DEAR = {"1-NN": "nn_accuracy", "forest": "forest_accuracy", "forest, cut": "forest_cut", "coverage": "coverage",
        "nearest train": "nearest_train", "nearest test": "nearest_test"}  # fmt: skip
SEEN = {"Fréchet": "frechet", "kernel": "kernel", "precision": "precision", "recall": "recall", "density": "density",
        "coverage": "coverage_seen", "TSTR": "tstr", "TSTR, forest": "tstr_forest", "read as asked": "read_as_asked",
        }  # fmt: skip


def page(data: str) -> Path:
    """Return the file that the appendix includes."""
    return HERE.parent / f"table-{data}.md"


def spread(values: list[float], digits: int = 1) -> str:
    """Return mean ± standard deviation (divisor n - 1), or the one value."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


def cheap(entry: dict[str, Any]) -> list[str]:
    """Return the cells that every model has."""
    numbers = [spread(entry["w1"]), f"{entry['sliced']:.3f}", f"{entry['gaussian_w2']:.2f}", str(entry["variability"])]
    if "parameters" not in entry:
        return [*numbers, "", "", "", ""]
    sizes = [f"{entry['to_draw']:,}", f"{entry['parameters']:,}"]
    return [*numbers, *sizes, f"{entry['fit_seconds']:.2f}", shown(entry, "reconstruction", 1)]


def shown(entry: dict[str, Any], score: str, digits: int = 2) -> str:
    """Return a score, or nothing where the model has none."""
    return f"{entry[score]:.{digits}f}" if score in entry else ""


def dear(entry: dict[str, Any]) -> list[str]:
    """Return the cells of finalists and controls."""
    return [shown(entry, name) for name in DEAR.values()]


def seen(values: dict[str, list[float]]) -> list[str]:
    """Return the cells of the judges that know shapes, with the spread of training again where there is some."""
    digits = {"frechet": 1, "kernel": 3, "w1": 1}
    return [spread(values[name], digits.get(name, 2)) if name in values else "" for name in ("w1", *SEEN.values())]


def chosen(family: str, entry: dict[str, Any]) -> str:
    """Return the setting of a finalist in words, and what of it stands at an edge of what was tried."""
    words = results.setting_of(entry) + (f", {entry['passes']} passes" if "passes" in entry else "")
    edges = families.at_an_edge(family, entry["setting"])
    return words + (f" (edge: {', '.join(edges)})" if edges else "")


def fairness() -> str:
    """Return in words how many settings every family tried, and for how long the dear ones were trained."""
    dear = [f"{kind} {families.TRIED_PASSES[kind]} and {most}" for kind, most in families.MOST_PASSES.items()
            if families.TRIED_PASSES[kind] < most]  # fmt: skip
    fewer = [f"{word}: {n}" for word, n in families.FEWER_TRIES.items()]
    return (
        f"Each family tried {families.N_TRIES} settings on validation images; the dearest fewer ({', '.join(fewer)}), "
        "and in shorter trainings. A network stops when the loss of images held out rests, or at a cap of passes, "
        f"in a try and as a finalist: {'; '.join(dear)}; all others {max(families.MOST_PASSES.values())}. "
        f"A link is fitted to {families.LINK['n_draws']} draws of each class, with {families.LINK['n_levels']} steps a "
        "pixel. Models with a link are chosen by Fréchet distance on the validation images, all others by W1. The "
        "polished model tries levels of noise alone, for one draft of four codes in each of ten parts; the linked flow "
        "has the setting of the flow, and one training.\n\n"
    )


def markdown(header: list[str], body: list[list[str]]) -> str:
    """Return a table; short rows are filled up."""
    full = [line + [""] * (len(header) - len(line)) for line in body]
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, ["---"] * len(header), *full]) + "\n"


def grid_line(job: dict[str, Any]) -> list[str]:
    """Return one row of the talk's Table 1."""
    row = job["row"]
    words = row.get("stands_for", "")
    encoder = (words if "PCA" in words else row["encoder"]) + (" per class" if row.get("own") else "")
    scale = words if "raw" in words else row.get("scale", "raw")
    return [encoder, row["decoder"], row["latent"], str(row["k"]), scale, *cheap(job)]


def tables(data: str) -> str:
    """Return the appendix of one data set."""
    floor, finalists, controls = results.floor(data), results.finalists(data), results.controls(data)
    models = [[name, chosen(name, f), *cheap(f), *dear(f)] for name, f in finalists.items()]
    models += [[name, "", *cheap(c), *dear(c)] for name, c in controls.items()]
    models += [[f"floor: real against real, {floor.n} pairs", "", f"{floor.mean:.1f} ± {floor.sd:.1f}"]]
    judged = []
    for name, f in finalists.items():
        again = results.trainings(data, name)
        first = {score: [f[score]] for score in SEEN.values() if score in f} | {"w1": f["w1"][:1]}
        judged.append([name, str(len(again["w1"])), *seen(first | again)])
    judged += [[name, "", *seen({s: list(np.atleast_1d(v)) for s, v in c.items()})] for name, c in controls.items()]
    grid = sorted(results.jobs("grid", data), key=lambda job: np.mean(job["w1"]))
    return (
        "### Finalists and controls\n\n"
        + fairness()
        + markdown(["model", "chosen on validation", *COLUMNS, *DEAR], models)
        + "\n### Judges that know shapes\n\n"
        + "The spread of a network is that of three trainings, one draw each; that of a control, of five choices.\n\n"
        + markdown(["model", "trainings", "W1", *SEEN], judged)
        + "\n### The talk's Table 1\n\n"
        + markdown(
            ["encoder", "decoder", "distribution of the code", "k", "pixels", *COLUMNS],
            [grid_line(job) for job in grid],
        )
    )
