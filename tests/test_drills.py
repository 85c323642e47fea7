"""Proof drills: the answer is right, each mistake gets a hint of its own, and the gap says what to do."""

import pytest

import course
from linvae.book.exercises import Checked

DRILLS = {drill["check"]: drill for page in course.drills().values() for drill in page}
PARTS_WITH_DRILLS = 3


def said(drill, answer):
    """Return what the cell of a drill ends in, with an answer in its gap, or with its dots."""
    lines = course.filled(drill, answer) if answer else drill["gap"]
    *before, _ = lines.split("\ncheck(")
    names = {}
    exec("\ncheck(".join(before), names)
    found = eval("check(" + lines.split("\ncheck(")[-1], names)
    assert isinstance(found, Checked)
    return " ".join(repr(found).split())


@pytest.mark.parametrize("name", DRILLS)
def test_a_drill_knows_its_answer_and_its_mistakes(name):
    drill = DRILLS[name]
    assert said(drill, drill["answer"]).startswith("Right")
    assert len(drill["mistakes"]) >= 2
    for hint, answer in drill["mistakes"].items():
        assert said(drill, answer) == f"Not yet. {hint}"
    assert said(drill, "") == "Not yet. Put your answer in the place of the three dots."


def test_every_chapter_of_the_first_three_parts_has_a_drill():
    first = [page for _, pages in course.parts()[:PARTS_WITH_DRILLS] for page in pages]
    assert [page for page in first if not course.drills().get(page)] == []


def test_a_student_does_not_get_the_answer_of_a_drill():
    for page, drills in course.drills().items():
        handed = str(course.student(course.read(page), page, AnyBook()))
        for drill in drills:
            assert f"return {drill['answer']}" not in handed
            assert drill["check"] in handed
            assert not [hint for hint in drill["mistakes"] if hint in handed]


class AnyBook:
    def number(self, label):
        return "Theorem 1.1"

    def equation(self, label):
        return "1.1"

    title = cite = equation

    def value(self, page, name):
        return "7.0"
