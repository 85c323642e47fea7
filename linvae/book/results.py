"""The kept results of `make table` and `make bench`, for the chapters, the appendix and the tests.

A score means something beside two others: the *floor*, what real images score against real images, and the *controls*,
which no one would call a model.  Both are computed here and nowhere else.  `scores` and `draws` give data frames, and
only these two need pandas.  The chapter on scores shows the whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._checks import check_choice

if TYPE_CHECKING:
    import pandas

FOLDER = Path(__file__).resolve().parents[1] / "data"
RESULTS = FOLDER / "results.json"
IMAGES = FOLDER / "results.npz"
SPEED = FOLDER / "speed.json"

DATA = ("mnist", "fashion")
KINDS = ("try", "floor", "controls", "grid", "curve", "budget", "final", "again")
SETTINGS = {"data", "seed", "family", "setting", "row", "kind", "k", "epochs", "hidden", "training", "refused"}


class Floor(NamedTuple):
    """What real images score against real images: mean and standard deviation (divisor n - 1) of W1 over n pairs."""

    mean: float
    sd: float
    n: int


def kept() -> dict[str, Any]:
    """Return all that `make table` wrote: a list of jobs for each kind, and "about", how they came about."""
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def jobs(kind: str, data: str | None = None) -> list[dict[str, Any]]:
    """Return the jobs of a kind, arguments and results, of one data set or of both.

    Parameters
    ----------
    kind : "try", "floor", "controls", "grid", "curve", "budget", "final" or "again"
    data : "mnist", "fashion" or None

    Raises
    ------
    ValueError
        If the kind or the data set is unknown.
    """
    check_choice("kind", kind, KINDS)
    if data is not None:
        check_choice("data", data, DATA)
    return [job for job in kept().get(kind, []) if data in (None, job["data"])]


def floor(data: str) -> Floor:
    """Return the W1 of 2,000 real images to 2,000 others, over pairs drawn anew from all images, train and test.

    Both sides change from pair to pair.  (The control "real" is another thing: training images against the one fixed
    test set, as a model is scored.)  Computed from the jobs of kind "floor" alone.
    """
    pairs = [job["w1"] for job in jobs("floor", data)]
    return Floor(float(np.mean(pairs)), float(np.std(pairs, ddof=1)), len(pairs))


def controls(data: str) -> dict[str, dict[str, Any]]:
    """Return each control by name: its W1 for each choice of training images, the other scores of the first."""
    runs = sorted(jobs("controls", data), key=lambda run: run["seed"])
    names = [name for name, value in runs[0].items() if isinstance(value, dict)]
    return {name: runs[0][name] | {"w1": [run[name]["w1"][0] for run in runs]} for name in names}


def finalists(data: str) -> dict[str, dict[str, Any]]:
    """Return the best setting of each family with its scores on the test images, by the name of the family."""
    return {job["family"]: job for job in jobs("final", data)}


def trainings(data: str, family: str) -> dict[str, list[float]]:
    """Return each score of a finalist, one draw from each training, by name; one value where nothing is random in fit.

    These carry the spread of training again, which five draws of one training do not.
    """
    again = [job for job in jobs("again", data) if job["family"] == family]
    first = finalists(data)[family]
    names = set(first).intersection(*again) - SETTINGS if again else {"w1"}
    return {name: [float(np.atleast_1d(job[name])[0]) for job in (first, *again)] for name in sorted(names)}


def images(data: str) -> dict[str, NDArray[np.uint8]]:
    """Return ten drawn images (10, 784) of each finalist in bytes, by family."""
    check_choice("data", data, DATA)
    with np.load(IMAGES) as drawn:
        return {name.removeprefix(f"{data}: "): drawn[name] for name in drawn if name.startswith(data)}


def speed() -> dict[str, Any]:
    """Return all that `make bench` wrote: "rows" of ratios, the machine, and the measurements of the figures."""
    return json.loads(SPEED.read_text(encoding="utf-8"))


def scores(kind: str = "final") -> pandas.DataFrame:
    """Return a frame of the jobs of a kind, one row for each model, data set and score.

    The columns are data, family, setting, k, score, value (the mean over draws), spread (their standard deviation,
    divisor n - 1; NaN for one draw) and n (how many draws).  What a model refused has no row.

    Raises
    ------
    ModuleNotFoundError
        Without pandas, which the extra `linvae[book]` brings.
    """
    keys = ["data", "family", "setting", "k", "score"]
    groups = draws(kind).groupby(keys, sort=False, dropna=False)["value"]
    return groups.agg(value="mean", spread="std", n="size").reset_index()


def draws(kind: str = "final") -> pandas.DataFrame:
    """Return the same as `scores` with a row for each draw: data, family, setting, k, score, draw and value."""
    import pandas

    columns = ["data", "family", "setting", "k", "score", "draw", "value"]
    frame = pandas.DataFrame(list(long_rows(kind)), columns=columns)
    return frame.astype({"k": "Int64"})


def long_rows(kind: str) -> Iterator[tuple[str, str, str, int | None, str, int, float]]:
    """Yield a tuple for each draw of each score, in the order of the columns of `draws`."""
    for job in jobs(kind):
        if kind == "controls":
            parts = [(name, value) for name, value in job.items() if name not in SETTINGS]
        elif kind == "budget":
            parts = [(f"{job['kind']}, {latent}", job | {"w1": w1}) for latent, w1 in job["w1"].items()]
        else:
            parts = [(name_of(kind, job), job)]
        k = 16 if kind == "budget" else job.get("k", job.get("setting", job.get("row", {})).get("k"))
        for family, found in parts:
            for score, values in found.items():
                if score not in SETTINGS:
                    for draw, value in enumerate(np.atleast_1d(values), job.get("seed", 0)):
                        yield job["data"], family, setting_of(job), k, score, draw, float(value)


def name_of(kind: str, job: dict[str, Any]) -> str:
    """Return the family of a job in words."""
    if kind == "grid":
        row = job["row"]
        return f"{row['encoder']}{' per class' if row.get('own') else ''}, {row['decoder']}, {row['latent']}"
    return job.get("family", "real images")


def setting_of(job: dict[str, Any]) -> str:
    """Return what was set in words, such as "k = 16, 30 epochs, 10 Gaussians"."""
    setting = job | job.get("setting", {}) | job.get("row", {})
    words = [f"k = {setting['k']}"] if "k" in setting else []
    words += [f"{setting['epochs']} epochs"] if "epochs" in setting else []
    words += [f"β = {setting['beta']:g}"] if "beta" in setting else []
    words += [f"step {setting['learning_rate']:g}"] if "learning_rate" in setting else []
    words += [f"{setting['parts']} parts"] if "parts" in setting else []
    words += [f"noise of {setting['sigma']:g}"] if "sigma" in setting else []
    words += [f"{setting['hidden']} hidden units"] if "hidden" in setting else []
    words += [f"{setting['latent'].split()[-1]} Gaussians"] if "mixture" in setting.get("latent", "") else []
    words += [f"{setting['scale']} pixels"] if "scale" in setting else []
    return ", ".join(words)
