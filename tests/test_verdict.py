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


def fresh_pairs(data):
    return [run["w1"] for run in RESULT["floor"] if run["data"] == data]


@pytest.mark.statement("D2")
@pytest.mark.parametrize("data", DATA)
def test_real_images_are_at_the_floor_and_pass_the_forest_and_ten_class_medians_do_neither(data):
    held_out, fresh = np.ravel(controls(data, "real")), np.array(fresh_pairs(data))
    error = np.sqrt((held_out.var(ddof=1) + fresh.var(ddof=1)) / 5)
    assert abs(held_out.mean() - fresh.mean()) < 3 * error  # of a difference of two means of five
    pairs = np.concatenate([held_out, fresh])
    assert np.min(controls(data, "class medians")) - pairs.mean() > 10 * pairs.std(ddof=1)
    for view in ("forest_accuracy", "forest_cut"):
        assert controls(data, "real", view)[0] < 0.5 + 3 * ERROR
    assert controls(data, "class medians", "forest_accuracy")[0] > 0.9


@pytest.mark.statement("L17")
def test_no_finalist_passes_the_forest_in_gray_or_in_black_and_white():
    for final in RESULT["final"]:
        assert min(final["forest_accuracy"], final["forest_cut"]) > 0.5 + 3 * ERROR
