"""Write the tables of the appendix from the kept results; nothing is computed here but means and spreads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from linvae.book import results

HERE = Path(__file__).resolve().parent

COLUMNS = ["W1", "sliced W2", "Gaussian W2", "PCs for 95 %", "to draw", "parameters", "fit, CPU s", "reconstruction"]
DEAR = ["1-NN", "forest", "forest, cut", "coverage", "nearest train", "nearest test"]


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
    return [*numbers, *sizes, f"{entry['fit_seconds']:.2f}", f"{entry['reconstruction']:.1f}"]


def dear(entry: dict[str, Any]) -> list[str]:
    """Return the cells of finalists and controls."""
    names = ("nn_accuracy", "forest_accuracy", "forest_cut", "coverage", "nearest_train", "nearest_test")
    return [f"{entry[name]:.2f}" for name in names]


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
    floor = results.floor(data)
    models = [[name, results.setting_of(f), *cheap(f), *dear(f)] for name, f in results.finalists(data).items()]
    models += [[name, "", *cheap(c), *dear(c)] for name, c in results.controls(data).items()]
    models += [[f"floor: real against real, {floor.n} pairs", "", f"{floor.mean:.1f} ± {floor.sd:.1f}"]]
    grid = sorted(results.jobs("grid", data), key=lambda job: np.mean(job["w1"]))
    return (
        "### Finalists and controls\n\n"
        + markdown(["model", "chosen on validation", *COLUMNS, *DEAR], models)
        + "\n### The talk's Table 1\n\n"
        + markdown(
            ["encoder", "decoder", "distribution of the code", "k", "pixels", *COLUMNS],
            [grid_line(job) for job in grid],
        )
    )
