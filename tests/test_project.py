"""The notebook of the final project runs on a folder of images of any size, as a student would use it."""

from pathlib import Path

import nbformat
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

NOTEBOOK = Path(__file__).resolve().parents[1] / "book" / "project.ipynb"
UNCHANGED = "folder = None"


def code():
    return [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]


def tiles(folder, n, rows, columns):
    """Write n tiles of each of the two photographs that come with scikit-learn, as PNG files in colour."""
    image = pytest.importorskip("PIL.Image", reason="Pillow comes with the extra plot")
    rng = np.random.default_rng(0)
    for name, photograph in zip(("temple", "flower"), load_sample_images().images, strict=True):
        (folder / name).mkdir(parents=True)
        for i in range(n):
            top = rng.integers(photograph.shape[0] - rows)
            left = rng.integers(photograph.shape[1] - columns)
            tile = photograph[top : top + rows, left : left + columns]
            image.fromarray(tile).save(folder / name / f"{i:03d}.png")


def test_the_project_runs_on_a_folder_of_png_files(tmp_path, monkeypatch, capsys):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    tiles(tmp_path, n=90, rows=20, columns=14)
    monkeypatch.setattr(pyplot, "show", lambda: pyplot.close("all"))
    given, found = [cell.source for cell in code()], {}
    given[0] = given[0].split("\n\n", 2)[2]  # what is before installs the package
    given = given[
        : next(i for i, source in enumerate(given) if source.startswith("few ="))
    ]  # which asks about the digits
    assert sum(UNCHANGED in source for source in given) == 1
    for source in given:
        exec(source.replace(UNCHANGED, f"folder = {str(tmp_path)!r}"), found)
    assert found["shape"] == (16, 16)
    assert sorted(found["classes"]) == ["flower", "temple"]
    card = found["card"]
    assert len(card) == 6
    assert np.isfinite(card["W1"]).all()
    assert card.loc["(real)", "near"] == 0
    assert "floor" in capsys.readouterr().out
