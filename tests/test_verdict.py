"""The verdict rests on the kept results of the big table: what it calls close, and what it says of the talk's claim."""

import json
from pathlib import Path

import numpy as np
import pytest

RESULT = json.loads((Path(__file__).resolve().parents[1] / "benchmarks" / "table.json").read_text(encoding="utf-8"))
DATA = ["mnist", "fashion"]
ERROR = 0.5 / np.sqrt(4000)  # of a share of 4,000 images, at one half


def controls(data, name, score="w1"):
    return [run[name][score] for run in RESULT["controls"] if run["data"] == data and score in run[name]]


def real_pairs(data):
    """Return the distances between real samples: training images against test images, and fresh pairs."""
    return [run["w1"] for run in RESULT["floor"] if run["data"] == data] + list(np.ravel(controls(data, "real")))


def gap(data, family):
    [final] = [f for f in RESULT["final"] if (f["data"], f["family"]) == (data, family)]
    return np.mean(final["w1"]) - np.mean(real_pairs(data))


@pytest.mark.statement("D2")
@pytest.mark.parametrize("data", DATA)
def test_real_images_are_at_the_floor_and_pass_the_forest_and_ten_class_medians_do_neither(data):
    pairs, medians = np.array(real_pairs(data)), np.ravel(controls(data, "class medians"))
    s0 = pairs.std(ddof=1)
    assert abs(np.mean(controls(data, "real")) - pairs.mean()) < 2 * s0
    assert medians.min() - pairs.mean() > 10 * s0
    for view in ("forest_accuracy", "forest_cut"):
        assert controls(data, "real", view)[0] < 0.5 + 3 * ERROR
    assert controls(data, "class medians", "forest_accuracy")[0] > 0.9


@pytest.mark.statement("L17")
@pytest.mark.parametrize("data", DATA)
def test_the_talks_recipe_is_not_comparable_with_deep_learning_and_a_fitted_law_nearly_is(data):
    plain = {name: gap(data, name) for name in ("VAE", "CVAE")}
    fitted = {name: gap(data, f"{name} + class Gaussian") for name in ("VAE", "autoencoder")}
    assert gap(data, "the talk's recipe") > max(plain.values()) + 20  # a second training moves a gap by up to 4
    assert gap(data, "class PCA + class mixture") < min(plain.values())
    assert gap(data, "class PCA + class Gaussian") > max(fitted.values())


@pytest.mark.statement("L17")
def test_no_finalist_passes_the_forest_in_gray_or_in_black_and_white():
    for final in RESULT["final"]:
        assert min(final["forest_accuracy"], final["forest_cut"]) > 0.5 + 3 * ERROR
