"""What runs a chapter in the browser, tried without one; tests/browser/test_run_here.py tries it in Chromium."""

import base64
import hashlib
import importlib
import json
import subprocess
import sys
from types import SimpleNamespace
from urllib.error import URLError

import nbformat
import numpy as np
import pytest
from numpy.testing import assert_allclose

lite = importlib.import_module("lite")
ROOT = lite.ROOT
WHEEL = "linvae-0-py3-none-any.whl"
CHAPTERS = sorted(path.stem for path in (ROOT / "book").glob("*.ipynb"))


def loaded(folder, name, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book" / folder))
    sys.modules.pop(name, None)
    return importlib.import_module(name)


@pytest.fixture
def cells(monkeypatch):
    """Return the cells of a fresh memory, and what they have shown."""
    pytest.importorskip("matplotlib")
    shown = []
    run = loaded("_static/lite", "cells", monkeypatch).Cells(lambda kind, text: shown.append((kind, text)))
    return run, shown


def test_a_cell_shows_what_it_prints_and_its_last_value_and_the_next_one_remembers(cells):
    run, shown = cells
    assert run.run("a = 2\nprint('two')\na + 1", "cell 1")
    assert run.run("a = a + 5\na;", "cell 2")  # a semicolon hides a value, as in a notebook
    assert run.run("None", "cell 3")
    assert run.run("display(a)", "cell 4")
    assert shown == [("out", "two"), ("out", "\n"), ("text", "3"), ("text", "7")]


def test_a_frame_is_a_table_and_figures_are_pictures_that_are_closed(cells):
    pytest.importorskip("pandas")
    run, shown = cells
    assert run.run("import pandas as pd\npd.DataFrame({'k': [16]})", "cell 1")
    assert run.run("import matplotlib.pyplot as plt\nplt.subplots()\nplt.show()\nfig, ax = plt.subplots()", "cell 2")
    assert [kind for kind, _ in shown] == ["html", "png", "png"]
    assert "<table" in shown[0][1]
    assert base64.b64decode(shown[1][1]).startswith(b"\x89PNG")
    assert run.plt.get_fignums() == []


def test_a_fault_names_its_line_and_nothing_of_the_machinery_and_keeps_the_memory(cells):
    run, shown = cells
    assert run.run("x = 3", "cell 1")
    assert not run.run("y = x\ny / 0", "cell 2")
    ((kind, text),) = shown
    assert kind == "fault"
    assert 'File "<cell 2>", line 2' in text
    assert "y / 0" in text
    assert "cells.py" not in text
    assert text.endswith("ZeroDivisionError: division by zero\n")
    assert not run.run("if", "cell 3")
    assert "SyntaxError" in shown[-1][1]
    assert run.run("assert x == 3", "cell 4")


def test_what_would_install_the_package_is_passed_over(cells):
    run, shown = cells
    assert run.run("if True:\n    %pip install nothing\n!ls\nb = 7 % 4", "cell 1")
    assert run.names["b"] == 3
    assert shown == []


@pytest.mark.parametrize("kinds", ["dd", "ff", "fd", "ii", "di", "DD"])
def test_the_detour_of_a_product_changes_rounding_and_nothing_else(kinds, monkeypatch):
    cells = loaded("_static/lite", "cells", monkeypatch)
    monkeypatch.setattr(cells, "LEAST", 60)
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=shape).astype(kind) for kind, shape in zip(kinds, [(7, 5), (5, 6)], strict=True))
    pairs = [(a, b), (a.T, a), (b, b.T), (a[::2, ::-1], b), (np.asfortranarray(a), b[:, ::2]), (a, b[:, 0]), (a[0], b)]
    pairs += [(np.stack([a, a]), b), (np.zeros((0, 5)), b), (a[:1], b[:, :1])]
    for left, right in pairs:
        seen, asked = cells.product(left, right), left @ right
        assert seen.dtype == asked.dtype
        assert seen.shape == asked.shape
        assert_allclose(seen, asked, rtol=0, atol=1e-5 if "f" in kinds else 1e-13)  # sums of 7 numbers near 1
    with pytest.raises(ValueError, match="matmul"):
        cells.product(a, a)


def test_cells_and_the_package_take_the_detour():
    code = f"""
import sys
sys.path.insert(0, {str(ROOT / "book" / "_static" / "lite")!r})
import builtins, cells, numpy as np
cells.hasten()
taken = []
builtins._product_by_blas = lambda a, b: taken.append(a.shape) or cells.product(a, b)
from linvae import Moments
X = np.random.default_rng(0).random((50, 9))
assert np.allclose(Moments.of(X).scatter, 50 * np.cov(X.T, ddof=0))
assert taken == [(9, 50)]
cells.Cells(print, cells.parse).run("import numpy as np; x = np.ones((3, 4)); y = (x @ x.T @ x) + 1", "cell 1")
assert taken == [(9, 50), (3, 4), (3, 3)]
"""
    pytest.importorskip("matplotlib")
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.fixture
def gathering(tmp_path, monkeypatch):
    """Return a folder, and a lock of two packages whose files an address may or may not give."""
    files = {"numpy.whl": b"n", "scipy.whl": b"s"}

    def entry(name, needs):
        return {"file_name": name, "depends": needs, "sha256": hashlib.sha256(files[name]).hexdigest()}

    packages = {"numpy": entry("numpy.whl", []), "scipy": entry("scipy.whl", ["numpy"])}

    def core(folder):
        for name in lite.CORE:
            (folder / name).write_text(f'"{lite.PYODIDE}"')
        (folder / "pyodide-lock.json").write_text(json.dumps({"packages": packages}))
        return True

    def wheel(folder):
        (folder / WHEEL).write_bytes(b"w")
        return WHEEL

    monkeypatch.setattr(lite, "fetch_core", core)
    monkeypatch.setattr(lite, "build_wheel", wheel)
    monkeypatch.setattr(lite, "PACKAGES", ("scipy",))
    return tmp_path / "lite", files


def absent(address, timeout):
    raise URLError("no network")


def test_without_a_network_one_sentence_says_what_is_lacking_and_where_it_belongs(gathering, monkeypatch):
    folder, files = gathering
    monkeypatch.setattr("urllib.request.urlopen", absent)
    said = lite.gather(folder)
    assert "2 of 2 packages are not (numpy, scipy)" in said
    assert f"lay their files of that address into {folder / 'pyodide'}" in said
    assert not (folder / "lite.json").exists()
    for name, content in files.items():
        (folder / "pyodide" / name).write_bytes(content)
    assert lite.gather(folder).startswith(f"{folder} holds 0 MB")
    found = json.loads((folder / "lite.json").read_text())
    assert found["wheel"] == WHEEL
    assert all((folder / name).is_file() for name in found["files"])
    assert len(found["files"]) == 1 + len(lite.CORE) + 2


def test_a_package_that_is_not_the_one_in_the_lock_is_none(gathering, monkeypatch):
    folder, _ = gathering
    monkeypatch.setattr("urllib.request.urlopen", absent)
    lite.gather(folder)
    (folder / "pyodide" / "numpy.whl").write_bytes(b"another")
    (folder / "pyodide" / "scipy.whl").write_bytes(b"s")
    assert "1 of 2 packages are not (numpy)" in lite.gather(folder)


def test_without_npm_the_sentence_says_so(gathering, monkeypatch):
    folder, _ = gathering
    monkeypatch.setattr(lite, "fetch_core", lambda folder: False)
    assert lite.gather(folder).startswith(f"npm brought no pyodide {lite.PYODIDE}")


def test_a_folder_that_lacks_something_stops_the_build(tmp_path, monkeypatch):
    errors = pytest.importorskip("sphinx.errors")
    run_here = loaded("_ext", "run_here", monkeypatch)
    monkeypatch.delenv("LINVAE_LITE", raising=False)
    assert run_here.gathered() == (None, {})
    monkeypatch.setenv("LINVAE_LITE", str(tmp_path))
    with pytest.raises(errors.ExtensionError, match="is not complete; make lite fills it"):
        run_here.gathered()


def test_no_chapter_has_a_button_that_asks_for_what_no_browser_has(monkeypatch):
    pytest.importorskip("sphinx")
    run_here = loaded("_ext", "run_here", monkeypatch)
    assert {*run_here.SECONDS, *run_here.REASONS} <= set(CHAPTERS)
    for name in CHAPTERS:
        notebook = nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4)
        code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
        if "needs(" in code or "import ot" in code:
            assert name in run_here.REASONS


def test_the_program_of_a_chapter_has_all_that_its_page_shows_and_the_hidden_cells_it_needs(monkeypatch):
    pytest.importorskip("sphinx")
    run_here = loaded("_ext", "run_here", monkeypatch)
    for name in run_here.SECONDS:
        notebook = nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4)
        program = run_here.program(notebook)
        codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
        hidden = [cell.source for cell in codes if "remove-cell" in cell.metadata.get("tags", [])]
        assert program.count(None) == len(codes) - len(hidden)
        assert {source for source in program if source is not None} <= set(hidden)


def test_binder_and_colab_open_the_clean_copies(monkeypatch):
    pytest.importorskip("sphinx")
    address = loaded("_ext", "repository_address", monkeypatch)
    monkeypatch.setenv("LINVAE_NOTEBOOKS", "notebooks")
    urls = {
        "Binder": "https://mybinder.org/v2/gh/o/r/main?urlpath=lab/tree/book/main.ipynb",
        "Colab": "https://colab.research.google.com/github/o/r/blob/main/book/main.ipynb",
        "Source": "https://example.org/o/r/blob/main/book/main.ipynb",
    }
    buttons = [{"text": text, "url": url} for text, url in urls.items()]
    app = SimpleNamespace(config=SimpleNamespace(html_theme_options={"repository_branch": "main"}))
    address.launch_clean_copies(app, "book/main", "", {"header_buttons": [{"buttons": buttons}, {"text": "x"}]}, None)
    assert [button["url"] for button in buttons] == [
        "https://mybinder.org/v2/gh/o/r/notebooks?urlpath=lab/tree/book/main.ipynb",
        "https://colab.research.google.com/github/o/r/blob/notebooks/book/main.ipynb",
        urls["Source"],
    ]
