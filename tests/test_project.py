"""The notebook of the final project runs on a folder of images of any size, as a student would use it."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

NOTEBOOK = Path(__file__).resolve().parents[1] / "book" / "project.ipynb"
UNCHANGED = "folder = None"
ALONE = re.compile(r"^sources = np\.arange.*$", re.MULTILINE)
LINES = re.compile(r"```python\n(.*?)```", re.DOTALL)


def cells():
    return nbformat.read(NOTEBOOK, as_version=4).cells


def code():
    return [cell for cell in cells() if cell.cell_type == "code"]


def lines(word):
    """Return the lines to put into the cell that loads images, from the one dropdown that has the word in its code."""
    told = LINES.findall("\n".join(cell.source for cell in cells() if cell.cell_type == "markdown"))
    (found,) = (code for code in told if word in code)
    return found


def tiles(folder, n, rows, columns):
    """Write n tiles of each of the two photographs that come with scikit-learn, as PNG files in colour.

    Their names begin with one of nine sources.
    """
    image = pytest.importorskip("PIL.Image", reason="Pillow comes with the extra plot")
    rng = np.random.default_rng(0)
    for name, photograph in zip(("temple", "flower"), load_sample_images().images, strict=True):
        (folder / name).mkdir(parents=True)
        for i in range(n):
            top = rng.integers(photograph.shape[0] - rows)
            left = rng.integers(photograph.shape[1] - columns)
            tile = photograph[top : top + rows, left : left + columns]
            image.fromarray(tile).save(folder / name / f"camera{i % 9}-{i:03d}.png")


def test_the_project_runs_on_a_folder_of_png_files(tmp_path, monkeypatch, capsys):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    tiles(tmp_path, n=90, rows=20, columns=14)
    monkeypatch.setattr(pyplot, "show", lambda: pyplot.close("all"))
    given, found = [cell.source for cell in code()], {}
    given[0] = given[0].split("\n\n", 2)[2]  # what is before installs the package
    given = given[: next(i for i, source in enumerate(given) if "few =" in source)]  # which asks about the digits
    assert sum(UNCHANGED in source for source in given) == 1
    by_name = lines("split(")
    for source in given:
        mine = ALONE.sub(lambda _: by_name, source.replace(UNCHANGED, f"folder = {str(tmp_path)!r}"))
        exec(mine, found)
    assert found["shape"] == (16, 16)
    assert sorted(found["classes"]) == ["flower", "temple"]
    assert [file.parent.name for file in found["files"]] == list(found["labels"])  # the order of read_folder
    every = [set(found["sources"][rows]) for split in found["splits"] for rows in split]
    for fit, choose, test in zip(every[::3], every[1::3], every[2::3], strict=True):
        assert len(fit | choose | test) == len(fit) + len(choose) + len(test) == 9  # no source on two sides
    tests = np.concatenate([test for _, _, test in found["splits"]])
    assert sorted(tests) == list(range(180))  # each image is judged by once
    card = found["card"]
    assert len(card) == 6
    assert np.isfinite(card).all(axis=None)
    assert card.loc["(real)", "near"] == 0
    assert len(found["gaps"]) == 3
    printed = capsys.readouterr().out
    assert "behind by less than" in printed
    for name in ("cluster medians", "dimmed"):
        keeps = all(c.loc["(real)", "rule"] - c.loc[f"({name})", "rule"] < found["LIMIT"] for c in found["cards"])
        assert (name in printed.split("controls that keep it too:")[1].splitlines()[0]) is keeps
    assert found["mark"] >= max(0.5, card.loc["(real)", "forest"])
    assert found["levels"] == 255


def test_a_public_data_set_takes_the_place_of_the_folder():
    loading = next(cell.source for cell in code() if UNCHANGED in cell.source)
    begin, end = loading.index("if folder"), loading.index("if invert")
    found = {"np": np}
    exec(loading[:begin] + lines("load_fashion_mnist") + loading[end:], found)
    assert found["images"].shape == (2000, np.prod(found["shape"]))
    assert len(found["labels"]) == len(found["sources"]) == 2000
    steps = found["levels"] * found["images"]
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)  # single precision of 255 is 1e-5


def test_copies_are_dropped_with_their_labels_and_sources():
    images = np.array([[0.5, 0.1], [0.2, 0.3], [0.5, 0.1], [0.0, 0.9]])
    found = {"np": np, "images": images, "labels": np.array(list("abac")), "sources": np.arange(4)}
    exec(lines("return_index"), found)
    np.testing.assert_array_equal(found["images"], images[[0, 1, 3]])
    assert "".join(found["labels"]) == "abc"
    assert found["sources"].tolist() == [0, 1, 3]


def test_dark_things_on_light_ground_are_told(capsys):
    given = [cell.source for cell in code()]
    counts = next(source for source in given if "np.median(images)" in source)
    light = np.random.default_rng(0).uniform(0.4, 1, (20, 4))
    found = {"np": np, "labels": np.arange(20) % 2, "shape": (2, 2)}
    for images, told in ((light, True), (1 - light, False)):
        exec(counts, found | {"images": images})
        assert ("Set invert" in capsys.readouterr().out) is told
