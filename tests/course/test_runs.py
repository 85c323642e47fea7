"""Every student's notebook is run as a student would, to its first gap, which says what to do there.

`make course-check` runs these on the kit that `make course` has made.
"""

import re

import grade
import mistakes
import nbformat
import pytest
from test_course import run_to_gap, said

import course
from course import ROOT

KIT = ROOT / "build" / "course"
CHAPTERS = [page for page in course.chapters() if page != "project"]  # which is judged by its reader


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_students_notebook_runs_to_its_first_gap_and_says_what_to_do_there(page, tmp_path):
    (path,) = (KIT / "student").glob(f"*-{page}.ipynb")
    gap = run_to_gap(nbformat.read(path, as_version=4), tmp_path)
    hint = said(gap)
    assert hint.startswith("Not yet. ")
    assert "..." not in gap.source or hint == "Not yet. Put your answer in the place of the three dots."
    assert not any(output.output_type == "error" for output in gap.outputs)


def worked(notebook):
    """Return a student's notebook with every gap filled, rightly."""
    answers = {drill["check"]: drill for drills in course.drills().values() for drill in drills}
    for cell in notebook.cells:
        if name := cell.metadata.get("linvae", {}).get("check"):
            if name in answers:
                cell.source = course.filled(answers[name] | {"gap": cell.source}, answers[name]["answer"])
            else:
                right = float(mistakes.CHECKS[name]()[0])
                cell.source = re.sub(r"= \.\.\.", f"= {right}", cell.source)
    return notebook


@pytest.mark.parametrize("page", ["naive", "wide"])
def test_a_notebook_worked_as_a_student_would_is_graded_as_all_right(page, tmp_path):
    (path,) = (KIT / "student").glob(f"*-{page}.ipynb")
    nbformat.write(worked(nbformat.read(path, as_version=4)), tmp_path / "ada.ipynb")
    graded = grade.grade(tmp_path / "ada.ipynb")
    assert graded.checks
    assert set(graded.checks.values()) == {"right"}
    assert graded.remarks == []


def test_every_worksheet_is_one_page():
    printed = sorted((KIT / "worksheets").glob("*.pdf"))
    if not printed:
        pytest.skip("there was no Chromium to print with")
    for path in printed:
        assert path.read_bytes().count(b"/Type /Page\n") == 1, path.name
