"""Checks teach: at least two mistakes of each code exercise are computed as a student makes them, and named.

The ones that take longer are tried by `make course-check`.
"""

import mistakes
import pytest

import course
from linvae.book import check


def judge(name, right, wrong):
    assert check(name, right)
    assert len(wrong) >= 2
    for hint, answer in wrong.items():
        said = " ".join(repr(check(name, answer)).split())
        assert said.startswith("Not yet. ")
        assert hint in said, (answer, said)


@pytest.mark.parametrize("name", mistakes.CHECKS)
def test_a_known_mistake_gets_a_hint_of_its_own(name):
    judge(name, *mistakes.CHECKS[name]())


def test_every_check_of_a_chapter_has_its_mistakes():
    asked = {name for page in course.chapters() for name in course.checks(course.read(page)).values()}
    assert asked == mistakes.CHECKS.keys() | mistakes.SLOW.keys()


def test_a_mistake_is_told_apart_from_the_others():
    """A known hint is not the one that everybody gets."""
    from linvae.book.exercises import hints

    for name in mistakes.CHECKS.keys() | mistakes.SLOW.keys():
        known, other = hints(name)
        assert len(known) >= 2, name
        assert other not in known, name
