"""Scores: known answers, laws, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linvae.metrics import outside_span


def test_known_angles_give_known_shares():
    x_axis, origin = [[1.0, 0.0]], [0.0, 0.0]
    assert outside_span([[5.0, 0.0]], x_axis, origin) == 0
    assert outside_span([[0.0, 2.0]], x_axis, origin) == 1
    assert outside_span([[1.0, 1.0]], x_axis, origin) == pytest.approx(0.5)
    assert outside_span([[4.0, 7.0]], x_axis, [3.0, 7.0]) == 0


@given(st.integers(0, 2**32 - 1))
def test_the_share_belongs_to_the_span_and_not_to_the_rows_that_span_it(seed):
    rng = np.random.default_rng(seed)
    X, V, mean = rng.normal(size=(5, 6)), rng.normal(size=(2, 6)), rng.normal(size=6)
    share = outside_span(X, V, mean)
    assert 0 <= share <= 1
    mixed = np.vstack([V[0] + V[1], 3 * V[1], V[0]])  # dependent, not orthonormal, same span
    assert outside_span(X, mixed, mean) == pytest.approx(share, rel=1e-9)
    assert outside_span(mean + X @ V.T @ V, V, mean) < 1e-24


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_the_share_does_not_depend_on_the_unit_of_the_pixels(scale):
    rng = np.random.default_rng(0)
    X, V = rng.normal(size=(5, 6)), rng.normal(size=(2, 6))
    assert outside_span(X * scale, V, np.zeros(6)) == pytest.approx(outside_span(X, V, np.zeros(6)), rel=1e-9)
    assert outside_span(X, V * [[1e8], [1e-8]], np.zeros(6)) == pytest.approx(outside_span(X, V, np.zeros(6)), rel=1e-9)


def test_rounding_of_float32_components_is_not_a_direction():
    rng = np.random.default_rng(0)
    basis, X = rng.normal(size=(3, 50)), rng.normal(size=(20, 50))
    many = (rng.normal(size=(400, 3)) @ basis).astype(np.float32)  # 400 rows, 3 directions and rounding
    assert outside_span(X, many, np.zeros(50)) == pytest.approx(outside_span(X, basis, np.zeros(50)), rel=1e-5)


@pytest.mark.parametrize(
    ("X", "components", "mean", "words"),
    [
        ([[1.0, 2.0]], [[1.0, 0.0]], [1.0, 2.0], "1 rows, and each equals the mean"),
        (np.zeros((0, 2)), [[1.0, 0.0]], [1.0, 2.0], "0 rows"),
        ([[1.0, 2.0]], [[1.0, 0.0, 0.0]], [1.0, 2.0], "differ in their number of pixels"),
        ([[1.0, 2.0]], [[1.0, 0.0]], 1.0, "differ in their number of pixels"),
        ([1.0, 2.0], [[1.0, 0.0]], [1.0, 2.0], "one flat image a row"),
        ([[np.nan, 2.0]], [[1.0, 0.0]], [1.0, 2.0], "NaN"),
    ],
)
def test_bad_input_is_named(X, components, mean, words):
    with pytest.raises(ValueError, match=words):
        outside_span(X, components, mean)
