"""The mistakes that take longer to make (tests/test_mistakes.py has the others)."""

import mistakes
import pytest
from test_mistakes import judge


@pytest.mark.parametrize("name", mistakes.SLOW)
def test_a_known_mistake_gets_a_hint_of_its_own(name):
    judge(name, *mistakes.SLOW[name]())
