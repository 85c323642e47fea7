"""The verdict rests on the kept results of the big table: what it calls close, and what it says of the talk's claim."""

import numpy as np
import pytest

from linvae.book import results

ERROR = 0.5 / np.sqrt(4000)  # of a share of 4,000 images, at one half


@pytest.mark.statement("D2")
@pytest.mark.parametrize("data", results.DATA)
def test_real_images_are_at_the_floor_and_pass_the_forest_and_ten_class_medians_do_neither(data):
    floor, controls = results.floor(data), results.controls(data)
    real, medians = controls["real"], controls["class medians"]
    error = np.sqrt(np.var(real["w1"], ddof=1) / len(real["w1"]) + floor.sd**2 / floor.n)
    assert abs(np.mean(real["w1"]) - floor.mean) < 3 * error  # of a difference of two means
    assert np.min(medians["w1"]) - floor.mean > 10 * floor.sd
    for view in ("forest_accuracy", "forest_cut"):
        assert real[view] < 0.5 + 3 * ERROR
    assert medians["forest_accuracy"] > 0.9


@pytest.mark.statement("L17")
def test_no_finalist_passes_the_forest_in_gray_or_in_black_and_white():
    for final in results.jobs("final"):
        assert min(final["forest_accuracy"], final["forest_cut"]) > 0.5 + 3 * ERROR
