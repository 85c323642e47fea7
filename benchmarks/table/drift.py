"""Say what has moved between two files of results by more than its spread.

Another version of a library may move every digit a little.  A score that moves by more than choice or retraining
explains is drift, and a reason to look.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from . import families

# By what share a network's scores move when it is trained again from another seed.  W1: at most 3.9 % for the
# finalists, 5 % over four seeds after two passes.  Of the other scores we know one training only.
RETRAINED = 0.05
RETRAINED_OTHERWISE = 0.25
SHARES = {"nn_accuracy", "forest_accuracy", "forest_cut", "coverage", "precision", "recall", "coverage_seen"}
SHARES |= {"tstr", "tstr_forest", "read_as_asked"}
SHARE_ERROR = 3 * 0.5 / np.sqrt(4000)  # three standard errors of a share of 4,000 images, at one half
DIGITS = 1e-4  # relative: six digits are kept, and linear algebra differs in the last ones
ARGUMENTS = ("data", "seed", "family", "row", "kind", "k", "epochs", "hidden", "setting", "training")


def name_of(kind: str, entry: dict[str, Any]) -> str:
    """Return what a job was asked, in one line."""
    return f"{kind} " + json.dumps({key: entry[key] for key in ARGUMENTS if key in entry}, sort_keys=True)


def is_network(entry: dict[str, Any]) -> bool:
    """Tell whether what was fitted starts from random weights."""
    family = families.FAMILIES.get(entry.get("family", ""), ("linear", []))[0]
    return family in ("deep", "linked") or "epochs" in entry


def leaves(entry: dict[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], list[float]]:
    """Return every score under its path, each as a list; no arguments, no words, never seconds."""
    found: dict[tuple[str, ...], list[float]] = {}
    for key, value in entry.items():
        if (not path and key in ARGUMENTS) or key.endswith("seconds") or isinstance(value, str):
            continue
        if isinstance(value, dict):
            found |= leaves(value, (*path, key))
        else:
            found[*path, key] = list(np.atleast_1d(value).astype(float))
    return found


def allowed(path: tuple[str, ...], values: list[float], network: bool) -> float:
    """Return how far the mean of a score may move: the spread of its draws, and of training for a network."""
    if path[-1] in ("to_draw", "parameters"):
        return 0.0
    least = DIGITS * abs(float(np.mean(values)))
    if len(values) > 1:
        least = max(least, float(np.std(values, ddof=1)))
    if path[-1] in SHARES:
        least = max(least, float(SHARE_ERROR))
    if path[-1] == "variability":
        least = max(least, 1.0)  # a count
    if network:
        share = RETRAINED if path[0].startswith("w1") else RETRAINED_OTHERWISE
        least = max(least, share * abs(float(np.mean(values))))
    return least


def other_versions(kept: dict[str, Any], fresh: dict[str, Any]) -> list[str]:
    """Return a line for each library whose version differs."""
    old, new = kept["about"]["versions"], fresh["about"]["versions"]
    return [f"{name} {old.get(name)} -> {new[name]}" for name in new if new[name] != old.get(name)]


def moved(kept: dict[str, Any], fresh: dict[str, Any]) -> list[str]:
    """Return a line for each score that moved by more than its spread, and for each job that only one file has."""
    lines = []
    kinds = [kind for kind in kept if kind != "about"]
    old = {name_of(kind, job): job for kind in kinds for job in kept[kind]}
    new = {name_of(kind, job): job for kind in kinds for job in fresh[kind]}
    lines += [f"only kept: {name}" for name in old if name not in new]
    lines += [f"only fresh: {name}" for name in new if name not in old]
    for name in old:
        if name not in new:
            continue
        before, after = leaves(old[name]), leaves(new[name])
        lines += [f"{name}: {' '.join(path)} is gone" for path in before.keys() - after.keys()]
        for path in before.keys() & after.keys():
            a, b = float(np.mean(before[path])), float(np.mean(after[path]))
            limit = allowed(path, before[path], is_network(old[name]))
            if not abs(b - a) <= limit:
                lines.append(f"{name}: {' '.join(path)} from {a:.6g} to {b:.6g}, allowed {limit:.2g}")
    return lines
