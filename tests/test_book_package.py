"""Numbers reach the prose rounded, and a reader without the book's tools can still run every cell."""

import sys
import types

import numpy as np
import pytest

from linvae.book import glue


@pytest.mark.parametrize(
    ("value", "kept"),
    [(21.07387, 21.07), (0.000123456, 0.0001235), (np.float32(1234567.0), 1235000.0), (16, 16), (np.int64(3), 3)],
)
def test_floats_are_rounded_to_significant_digits_and_counts_are_not(monkeypatch, value, kept):
    seen = {}
    page = types.SimpleNamespace(glue=lambda name, value, display: seen.update({name: value}))
    monkeypatch.setitem(sys.modules, "myst_nb", page)
    glue("x", value)
    assert seen == {"x": kept}
    assert type(seen["x"]) in (float, int)


def test_without_the_books_tools_a_cell_still_runs(monkeypatch):
    monkeypatch.setitem(sys.modules, "myst_nb", None)  # what Python does for a module that is not there
    glue("x", 1.0)
