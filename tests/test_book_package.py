"""Numbers reach the prose rounded, kept results are read, and without the book's tools every cell still runs."""

import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from linvae.book import glue, results

ROOT = Path(__file__).resolve().parents[1]


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


# ---------------------------------------------------------------- kept results


def test_results_are_read_from_any_folder_and_without_pandas(tmp_path):
    # scikit-learn imports pandas where it finds it, so hide it instead of looking for it.
    code = """
import json, sys
sys.modules["pandas"] = None
import linvae, linvae.book
from linvae.book import results
floor = results.floor("mnist")
results.controls("fashion"), results.finalists("mnist"), results.images("mnist"), results.speed()
try:
    results.scores("final")
except ModuleNotFoundError as error:
    print(json.dumps([error.name, [name for name in ("myst_nb", "matplotlib") if name in sys.modules], floor]))
"""
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(done.stdout) == ["pandas", [], list(results.floor("mnist"))]


@pytest.mark.parametrize("chapter", sorted((ROOT / "book").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_downloaded_chapter_reads_no_file_of_the_repository(chapter):
    cells = json.loads(chapter.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert not [source for source in code if "../" in source]


def few(monkeypatch, **kinds):
    monkeypatch.setattr(results, "kept", lambda: kinds)


def test_the_floor_is_mean_and_standard_deviation_over_pairs_of_real_images_alone(monkeypatch):
    pairs = [{"data": "mnist", "seed": seed, "w1": w1} for seed, w1 in enumerate((50.0, 52.0, 57.0))]
    other = {"data": "fashion", "seed": 0, "w1": 90.0}
    controls = [{"data": "mnist", "seed": 0, "real": {"w1": [40.0]}}]  # against the test images: not the floor
    few(monkeypatch, floor=[*pairs, other], controls=controls)
    mean, sd, n = results.floor("mnist")
    assert (mean, n) == (53.0, 3)
    assert sd == pytest.approx(np.sqrt((9 + 1 + 16) / 2))  # divisor n - 1


def test_a_control_has_its_w1_once_for_each_seed_and_the_other_scores_of_the_first(monkeypatch):
    runs = [{"data": "mnist", "seed": seed, "noise": {"w1": [70.0 + seed], "sliced": 0.1 * seed}} for seed in (2, 0, 1)]
    few(monkeypatch, controls=runs)
    assert results.controls("mnist") == {"noise": {"w1": [70.0, 71.0, 72.0], "sliced": 0.0}}


@pytest.mark.parametrize(("kind", "data"), [("finals", "mnist"), ("final", "digits")])
def test_an_unknown_kind_or_data_set_is_named(kind, data):
    with pytest.raises(ValueError, match="choose one of"):
        results.jobs(kind, data)


@pytest.mark.parametrize("data", results.DATA)
def test_every_finalist_has_ten_images(data):
    images = results.images(data)
    assert images.keys() == results.finalists(data).keys()
    assert {(part.shape, part.dtype.name) for part in images.values()} == {((10, 784), "uint8")}
    with pytest.raises(ValueError, match="choose one of"):
        results.images("digits")


@pytest.mark.parametrize("kind", results.KINDS)
def test_every_kind_has_a_row_for_each_draw_and_no_two_rows_are_of_one_thing(kind):
    if not results.jobs(kind):
        pytest.skip("make table has not been run with these families")
    rows = list(results.long_rows(kind))
    keys = [row[:6] for row in rows]
    assert len(set(keys)) == len(keys)
    assert all(np.isfinite(row[6]) for row in rows)
    assert {row[0] for row in rows} == set(results.DATA)
    scores = {row[4] for row in rows}
    assert "w1" in scores
    assert not scores & {"cpu_seconds", "made_by", "seed", "refused"}


def test_the_trainings_of_a_finalist_give_each_score_once_a_training(monkeypatch):
    first = {
        "data": "mnist",
        "family": "VAE",
        "setting": {"beta": 2.0},
        "w1": [60.0, 61.0],
        "frechet": 5.0,
        "sliced": 1.0,
    }
    again = [{"data": "mnist", "family": "VAE", "seed": s, "w1": 60.0 + s, "frechet": 5.0 - s} for s in (1, 2)]
    few(monkeypatch, final=[first, first | {"family": "LDA", "w1": [70.0]}], again=again)
    assert results.trainings("mnist", "VAE") == {"frechet": [5.0, 4.0, 3.0], "w1": [60.0, 61.0, 62.0]}
    assert results.trainings("mnist", "LDA") == {"w1": [70.0]}
    assert results.setting_of(first) == "β = 2"


def test_the_rows_hold_what_the_jobs_hold(monkeypatch):
    job = {"data": "mnist", "family": "VAE", "setting": {"k": 8, "epochs": 30}, "w1": [60.0, 62.0], "sliced": 0.1}
    row = {"encoder": "PCA", "decoder": "least squares", "latent": "class Gaussian", "k": 16, "own": True}
    rest = {"setting": {"k": 4, "latent": "mixture 10"}, "family": "class PCA + class mixture", "w1": 50.0}
    budget = {"kind": "VAE", "epochs": 2, "hidden": 400, "w1": {"standard normal": 80.0, "class Gaussian": 70.0}}
    few(
        monkeypatch,
        final=[job],
        grid=[{"data": "mnist", "row": row | {"scale": "raw"}, "w1": [70.0]}],
        budget=[{"data": "mnist"} | budget],
        controls=[{"data": "mnist", "seed": 3, "noise": {"w1": [70.0]}}],
        curve=[{"data": "mnist", "family": "VAE", "k": 512, "refused": "too many"}],
        **{"try": [{"data": "mnist"} | rest]},
    )
    assert list(results.long_rows("final")) == [
        ("mnist", "VAE", "k = 8, 30 epochs", 8, "w1", 0, 60.0),
        ("mnist", "VAE", "k = 8, 30 epochs", 8, "w1", 1, 62.0),
        ("mnist", "VAE", "k = 8, 30 epochs", 8, "sliced", 0, 0.1),
    ]
    name = "PCA per class, least squares, class Gaussian"
    assert list(results.long_rows("grid")) == [("mnist", name, "k = 16, raw pixels", 16, "w1", 0, 70.0)]
    words = "2 epochs, 400 hidden units"
    assert list(results.long_rows("budget")) == [
        ("mnist", "VAE, standard normal", words, 16, "w1", 0, 80.0),
        ("mnist", "VAE, class Gaussian", words, 16, "w1", 0, 70.0),
    ]
    assert list(results.long_rows("controls")) == [("mnist", "noise", "", None, "w1", 3, 70.0)]
    (found,) = results.long_rows("try")
    assert found == ("mnist", "class PCA + class mixture", "k = 4, 10 Gaussians", 4, "w1", 0, 50.0)
    assert list(results.long_rows("curve")) == []


def test_a_frame_has_one_row_for_each_model_data_set_and_score():
    pytest.importorskip("pandas")
    frame = results.scores("final")
    assert list(frame.columns) == ["data", "family", "setting", "k", "score", "value", "spread", "n"]
    assert not frame.duplicated(["data", "family", "score"]).any()
    job = results.finalists("fashion")["PCA + class Gaussian"]
    (mine,) = frame.query("data == 'fashion' and family == 'PCA + class Gaussian' and score == 'w1'").to_dict("records")
    assert mine["value"] == pytest.approx(np.mean(job["w1"]), rel=1e-12)
    assert mine["spread"] == pytest.approx(np.std(job["w1"], ddof=1), rel=1e-9)
    assert (mine["n"], mine["k"]) == (5, job["setting"]["k"])
    assert np.isnan(frame.query("score == 'sliced'")["spread"]).all()
    floor = results.scores("floor").query("data == 'mnist'")
    assert floor[["value", "spread", "n"]].to_numpy()[0] == pytest.approx(results.floor("mnist"))
    assert results.scores("controls")["k"].isna().all()
    assert set(results.draws("controls").query("score == 'w1'")["draw"]) == set(range(5))
