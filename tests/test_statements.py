"""The check of the statements, tried on a book of one chapter in a temporary folder."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest
import statements

REGISTRY = """
chapters: [collapse, beyond]
statements:
  C7: {chapter: collapse, title: The collapse}
  C4: {chapter: collapse, cited: true, title: Quoted}
  C27: {chapter: beyond, title: Not written yet}
  L4: {chapter: collapse, title: A slip}
"""
C7 = """
```{prf:postulate} The collapse
:label: C7

Least squares adds nothing.
```
"""
OUTCOMES = {
    "C7": {"tests/test_decoders.py::test_collapse[1]": "passed", "tests/test_decoders.py::test_collapse[2]": "passed"},
    "L4": {"tests/test_decoders.py::test_singular": "passed"},
}


def write_book(root, text=C7, outcomes=OUTCOMES, registry=REGISTRY):
    (root / "book").mkdir()
    (root / "build").mkdir()
    (root / "book" / "statements.yml").write_text(registry, encoding="utf-8")
    (root / "build" / "statements.json").write_text(json.dumps(outcomes), encoding="utf-8")
    cells = [nbformat.v4.new_markdown_cell("# The collapse"), nbformat.v4.new_markdown_cell(text)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), root / "book" / "collapse.ipynb")
    return root


def test_a_book_in_order_has_no_problems(tmp_path):
    assert statements.problems(write_book(tmp_path)) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (C7.replace(":label: C7\n", ""), "has no label"),
        (C7.replace("C7", "C99"), "C99 is not in book/statements.yml"),
        (C7.replace("C7", "C27"), "C27 belongs to chapter 'beyond'"),
        (C7.replace("nothing.", "nothing, see `test_elsewhere`."), "names test_elsewhere, but no such test is marked"),
        (C7 + C7, "C7 labels 2 blocks"),
        ("", "C7 has no block in book/collapse.ipynb"),
    ],
)
def test_a_block_out_of_order_is_found(tmp_path, text, problem):
    found = statements.problems(write_book(tmp_path, text))
    assert any(problem in sentence for sentence in found), found


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_one_run_that_did_not_pass_is_enough(tmp_path, outcome):
    outcomes = OUTCOMES | {"C7": OUTCOMES["C7"] | {"tests/test_decoders.py::test_collapse[2]": outcome}}
    found = statements.problems(write_book(tmp_path, outcomes=outcomes))
    assert found == [f"C7 rests on test_collapse, which {outcome}"]


def test_a_slip_without_a_test_is_found(tmp_path):
    found = statements.problems(write_book(tmp_path, outcomes={"C7": OUTCOMES["C7"]}))
    assert found == ['L4 has no test; mark one statement("L4")']


def test_a_marker_that_no_statement_answers_is_found(tmp_path):
    outcomes = OUTCOMES | {"C70": {"tests/test_decoders.py::test_typo": "passed"}}
    found = statements.problems(write_book(tmp_path, outcomes=outcomes))
    assert len(found) == 1
    assert "'C70'" in found[0]


def test_proofs_and_remarks_are_not_statements(tmp_path):
    text = C7 + "\n```{prf:remark}\nBy the way.\n```\n\n````{dropdown} Proof\n```{prf:proof}\nClear.\n```\n````\n"
    assert statements.problems(write_book(tmp_path, text)) == []


@pytest.mark.parametrize("fence", ["````", ":::", "::::"])
def test_any_fence_will_do(tmp_path, fence):
    assert statements.problems(write_book(tmp_path, C7.replace("```", fence))) == []


def test_missing_outcomes_say_which_command_writes_them(tmp_path):
    (write_book(tmp_path) / "build" / "statements.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"`make build/statements\.json`"):
        statements.problems(tmp_path)


def test_an_unknown_chapter_is_an_error(tmp_path):
    write_book(tmp_path, registry=REGISTRY.replace("chapter: beyond", "chapter: beyonnd"))
    with pytest.raises(ValueError, match="C27 names chapter 'beyonnd'"):
        statements.problems(tmp_path)


@pytest.mark.parametrize(
    ("label", "written", "tests", "word"),
    [
        ("C27", False, {}, "pending: beyond"),
        ("C4", True, {}, "cited"),
        ("C7", True, {"test_a": "passed"}, "passed"),
        ("C7", True, {"test_a": "passed", "test_b": "skipped"}, "failed"),
        ("C7", True, {}, "no test"),
    ],
)
def test_the_page_says_what_is_known(tmp_path, label, written, tests, word):
    statement = statements.read_registry(write_book(tmp_path))[label]
    assert statements.status(statement, written, tests) == word


@pytest.fixture
def run_marked_tests(tmp_path):
    """Run pytest in a folder of its own, with this folder's conftest, and return the report."""

    def run(source):
        (tmp_path / "conftest.py").write_bytes((Path(__file__).parent / "conftest.py").read_bytes())
        (tmp_path / "test_it.py").write_text(textwrap.dedent(source), encoding="utf-8")
        (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = statement\n", encoding="utf-8")
        arguments = ["-m", "statement", "--statements-report", "out/report.json", "-p", "no:cacheprovider"]
        subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=tmp_path, capture_output=True, check=False)
        return json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))

    return run


def test_the_report_holds_every_run_of_a_marked_test(run_marked_tests):
    report = run_marked_tests(
        """
        import pytest

        @pytest.mark.statement("C7", "L4")
        @pytest.mark.parametrize("k", [1, 2])
        def test_collapse(k):
            assert k == 1

        @pytest.fixture
        def broken():
            raise ValueError

        @pytest.mark.statement("C2")
        def test_setup(broken):
            pass

        def test_unmarked():
            pass
        """
    )
    runs = {"test_it.py::test_collapse[1]": "passed", "test_it.py::test_collapse[2]": "failed"}
    assert report == {"C7": runs, "L4": runs, "C2": {"test_it.py::test_setup": "failed"}}
