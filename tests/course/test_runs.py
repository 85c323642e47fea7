"""One student's notebook of each part is run as a student would, to its first gap, which says what to do there.

`make course-check` runs these on the kit that `make course` has made.
"""

import nbformat
import pytest
from test_course import run_to_gap, said

from course import ROOT

KIT = ROOT / "build" / "course"


@pytest.mark.parametrize("page", ["collapse", "ppca", "wasserstein", "kernels", "wide"])
def test_a_students_notebook_runs_to_its_first_gap_and_says_what_to_do_there(page, tmp_path):
    (path,) = (KIT / "student").glob(f"*-{page}.ipynb")
    gap = run_to_gap(nbformat.read(path, as_version=4), tmp_path)
    hint = said(gap)
    assert hint.startswith("Not yet. ")
    assert "..." not in gap.source or hint == "Not yet. Put your answer in the place of the three dots."
    assert not any(output.output_type == "error" for output in gap.outputs)


def test_every_worksheet_is_one_page():
    printed = sorted((KIT / "worksheets").glob("*.pdf"))
    if not printed:
        pytest.skip("there was no Chromium to print with")
    for path in printed:
        assert path.read_bytes().count(b"/Type /Page\n") == 1, path.name
