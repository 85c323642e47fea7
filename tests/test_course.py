"""The course kit (tools/course.py): no student gets a solution, every teacher gets all, and a gap says what to do."""

import ast
import builtins
import copy
import json
import re

import chapter
import download
import example
import nbformat
import pytest
import quizzes
import worksheet
from nbclient import NotebookClient
from refresh import QUIET

import course

PAGES = course.chapters()
PLAIN = re.compile(r"[A-Za-z ,;.’']{30,}")


class AnyBook:
    """A book that knows an answer to everything, for tests that come before the book is built."""

    def number(self, label):
        return f"Exercise 1.{sum(label.encode())}"

    def equation(self, label):
        return "1.1"

    title = cite = equation

    def value(self, page, name):
        return "7.0"

    def quiz(self, page):
        return quizzes.read(quizzes.QUIZ / f"{page}.yml")


@pytest.fixture(scope="module", params=PAGES)
def page(request):
    return request.param


@pytest.fixture(scope="module")
def notebook(page):
    return course.read(page)


@pytest.fixture(scope="module")
def student(page, notebook):
    return course.student(notebook, page, AnyBook())


@pytest.fixture(scope="module")
def instructor(page, notebook):
    return course.instructor(notebook, page, AnyBook())


def fragments(notebook, solves):
    """Return the runs of plain words, and the lines of code, in the solutions of a chapter or outside of them."""
    found = set()
    for piece in course.pieces(notebook):
        if piece.solves == solves:
            if piece.is_code:
                found |= {line.strip() for line in piece.content.source.split("\n") if len(line.strip()) > 24}
                found |= {line for text in printed(piece.content) for line in text.split("\n") if len(line) > 24}
            else:
                found |= {" ".join(run.split()) for run in PLAIN.findall(" ".join(text_of(piece.content).split()))}
    return found


def text_of(part):
    return part if isinstance(part, str) else "\n".join(map(text_of, part.content))


def printed(cell):
    return [output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]


def leaks(notebook, student):
    """Return what of a chapter's solutions stands in a student's notebook, anywhere in the file."""
    everything = " ".join(json.dumps(student, ensure_ascii=False).replace("\\n", " ").split())
    secrets = secrets_of(notebook)
    assert secrets
    return [text for text in secrets if json.dumps(text, ensure_ascii=False)[1:-1] in everything]


def secrets_of(notebook):
    """Return what stands in the solutions of a chapter and nowhere else in it."""
    told = " ".join(sorted(fragments(notebook, False)))
    return {text for text in fragments(notebook, True) if len(text) > 24 and text not in told}


def test_no_student_gets_a_solution(notebook, student):
    assert leaks(notebook, student) == []
    for cell in student.cells:
        assert "attachments" not in cell
        assert set(cell.metadata) <= {"jupyter", "linvae"}
        assert set(cell.metadata.get("linvae", {})) <= {"exercise", "check"}
        assert not cell.get("outputs")
    assert set(student.metadata) == {"kernelspec", "language_info", "linvae"}


def test_a_solution_that_is_let_through_is_noticed(notebook, student):
    for place in ("source", "metadata"):
        spoilt = copy.deepcopy(student)
        solution = "\n".join(text_of_any(piece.content) for piece in course.pieces(notebook) if piece.solves)
        spoilt.cells[3][place] = solution if place == "source" else {"note": solution}
        assert leaks(notebook, spoilt)


def text_of_any(content):
    return content.source if isinstance(content, nbformat.NotebookNode) else text_of(content)


def test_a_solution_where_none_is_looked_for_is_refused():
    hidden = ":::{note}\n```{solution} ex-a\n:class: dropdown\n\nIt is 7.\n```\n:::"
    with pytest.raises(ValueError, match="solution inside of another block"):
        list(course.pieces(nbformat.v4.new_notebook(cells=[example.markdown(hidden)])))


def test_every_exercise_is_a_gap_that_says_what_is_asked(notebook, student):
    asked = {piece.exercise for piece in course.pieces(notebook) if piece.ends}
    judged = course.checks(notebook)
    gaps = {cell.metadata["linvae"]["exercise"]: cell for cell in student.cells if "linvae" in cell.metadata}
    assert asked <= set(gaps)
    for label, cell in gaps.items():
        if cell.cell_type == "code":
            first = cell.source.split("\n")[0]
            assert first.endswith((", and run the cell.", ": change this cell.", ": start from this cell."))
            assert "check" not in cell.metadata["linvae"] or "check(" in cell.source
        else:
            assert label not in judged
            assert "Double-click here" in cell.source


def test_what_a_student_runs_needs_nothing_that_was_taken_out(student):
    known = set(dir(builtins)) | {"get_ipython", "__name__"}
    for cell in student.cells:
        if cell.cell_type == "code":
            binds, reads = download.names(cell.source)
            tree = ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", cell.source, flags=re.MULTILINE))
            arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
            known |= binds
            assert reads <= known | arguments, cell.source


def test_the_book_needs_its_plumbing_and_a_student_does_not(student):
    plumbing = [cell.source for cell in student.cells if cell.cell_type == "code" and cell.source.startswith("glue(")]
    assert plumbing == []


def test_a_teacher_has_the_chapters_own_cells_in_order(notebook, instructor):
    """So the pass that nbval gives to the chapter is theirs."""
    own = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    theirs = [
        cell.source.replace(course.HERE, "%pip install --quiet")
        for cell in instructor.cells
        if cell.cell_type == "code"
    ]
    assert theirs == own
    results = [
        [o for o in cell.outputs if chapter.RECORD not in o.get("data", {})]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    assert [cell.outputs for cell in instructor.cells if cell.cell_type == "code"] == results


def test_a_teacher_has_every_solution_and_the_notes(notebook, instructor):
    text = "\n".join(cell.source for cell in instructor.cells if cell.cell_type == "markdown")
    solved = {piece.exercise for piece in course.pieces(notebook) if piece.solves}
    assert {f"Solution to {AnyBook().number(label)}" in text for label in solved} == {True}
    assert "Minutes to read:*" in instructor.cells[1].source
    assert instructor.cells[1].source.count("misconception:*") >= 1


def test_both_kits_hold_no_myst_and_are_valid(student, instructor):
    for made in (student, instructor):
        nbformat.validate(made)
        assert download.left_over(made) == []


def test_a_worksheet_asks_the_pencil_exercises_and_tells_no_solution(page, notebook):
    asked = worksheet.exercises(notebook)
    assert len(asked) >= 1
    html = worksheet.html(page, AnyBook())
    assert html.count('<div class="room">') == len(asked)
    text = " ".join(re.sub(r"<[^>]+>", " ", html).split())
    assert [secret for secret in secrets_of(notebook) if secret in text] == []
    assert not re.search(r"\{[\w:]+\}`|:::", html)


def test_a_gap_that_is_run_unfilled_says_what_to_do_in_one_sentence(tmp_path):
    handed = course.student(example.chapter(), "example", AnyBook())
    gap = next(cell for cell in handed.cells if "check" in cell.metadata.get("linvae", {}))
    gap.source = gap.source.replace("28 * 28", "...")
    ran = run_to_gap(handed, tmp_path)
    assert said(ran) == "Not yet. Put your answer in the place of the three dots."


def run_to_gap(notebook, folder):
    """Run a notebook to its first gap, from a folder of its own; return the cell of the gap."""
    ends = next(i for i, cell in enumerate(notebook.cells) if "check" in cell.metadata.get("linvae", {}))
    first = nbformat.v4.new_notebook(cells=notebook.cells[: ends + 1], metadata=notebook.metadata)
    settings = {"timeout": 300, "kernel_name": "python3", "extra_arguments": QUIET}
    NotebookClient(first, resources={"metadata": {"path": str(folder)}}, **settings).execute()
    return first.cells[-1]


def said(cell):
    (output,) = cell.outputs  # shown, or printed
    return output.get("text", "").strip() or output.data["text/plain"]


def test_the_quiz_stays_with_the_teacher(page, student, instructor):
    if page not in quizzes.chapters():
        return  # the final project has none
    questions = AnyBook().quiz(page)
    for kit, there in ((student, False), (instructor, True)):
        text = "\n".join(cell.source for cell in kit.cells)
        assert all((question.ask in text) is there for question in questions)
        assert ("Check yourself" in text) is there
