"""Hand-ins are graded one by one: what raises, loops or looks around is contained and reported."""

import csv
import os

import grade
import nbformat
import pytest

GAP = 'check = print  # judged outside, so nothing depends on it\nanswer = {}\ncheck("naive-warmup", answer)'


def hand_in(folder, name, *sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    about = {"linvae": {"chapter": "naive", "kit": "student"}}
    path = folder / f"{name}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=about), path)
    return path


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    if os.name == "nt":
        pytest.skip("limits and groups of processes are POSIX")
    folder = tmp_path_factory.mktemp("handed_in")
    os.environ["LINVAE_TEST_TOKEN"] = "swordfish"
    try:
        look = 'import os\nprint(os.environ)\nsecret = os.environ.get("LINVAE_TEST_TOKEN", "nothing")'
        hand_in(folder, "good", GAP.format("784 * 17"), 'check("naive-code", [1.0, 2.0])')
        hand_in(folder, "loops", "while True:\n    pass", GAP.format("784 * 17"))
        hand_in(folder, "prints", look, GAP.format("secret"))
        hand_in(folder, "raises", "1 / 0", GAP.format("missing"), 'check("naive-code", ...)')
        (folder / "torn.ipynb").write_text("{")
        assert grade.main([str(folder), "--seconds", "5", "--jobs", "2"]) == 0
    finally:
        del os.environ["LINVAE_TEST_TOKEN"]
    text = (folder / "grades.csv").read_text(encoding="utf-8")
    assert "swordfish" not in text
    return {row["hand-in"].removesuffix(".ipynb"): row for row in csv.DictReader(text.splitlines())}


def test_every_hand_in_has_a_row(rows):
    assert list(rows) == ["good", "loops", "prints", "raises", "torn"]
    assert {row["chapter"] for name, row in rows.items() if name != "torn"} == {"naive"}


def test_a_good_one_is_judged_by_the_checks_of_the_book(rows):
    good = rows["good"]
    assert (good["naive-warmup"], good["naive-code"]) == ("right", "not yet")
    assert (good["right"], good["remarks"]) == ("1", "")


def test_one_that_loops_is_stopped_and_what_comes_after_is_graded(rows):
    assert rows["loops"]["remarks"] == "cell 0 was stopped after 5 s"
    assert rows["loops"]["naive-warmup"] == "right"
    assert rows["loops"]["naive-code"] == "missing"


def test_one_that_raises_is_reported_and_a_gap_is_no_answer(rows):
    raises = rows["raises"]
    assert raises["remarks"] == "cell 0 raised ZeroDivisionError; cell 1 raised NameError"
    assert (raises["naive-warmup"], raises["naive-code"]) == ("raised", "not answered")


def test_one_that_prints_the_environment_finds_no_secret_and_is_reported(rows):
    assert rows["prints"]["remarks"] == "looks around in the environment, which is empty; read it"
    assert rows["prints"]["naive-warmup"] == "not yet"


def test_what_is_no_notebook_is_said_to_be_none(rows):
    assert rows["torn"]["remarks"].startswith("is no notebook that can be read")


def test_an_answer_that_says_it_is_right_gains_nothing():
    cell = nbformat.v4.new_code_cell('check = lambda *a: "Right."\ncheck("naive-warmup", 1)')
    assert grade.answers_in(cell) == [("naive-warmup", "1")]
    assert grade.judge("naive-warmup", 1) == "not yet"
    assert grade.judge("no-such-check", 1) == "no such check"


def test_no_hand_in_at_a_time_is_refused(tmp_path, capsys):
    hand_in(tmp_path, "one", "1")
    with pytest.raises(SystemExit):
        grade.main([str(tmp_path), "--jobs", "0"])
    assert "--jobs 0: one hand-in at a time is the least" in capsys.readouterr().err


def test_an_empty_folder_is_named(tmp_path, capsys):
    assert grade.main([str(tmp_path)]) == 1
    assert "has no notebooks" in capsys.readouterr().err
