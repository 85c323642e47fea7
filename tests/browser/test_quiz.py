"""The quiz of a chapter, as readers with a mouse, a keyboard, a screen reader, no script and a printer meet it."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "_build" / "html" / "book" / "collapse.html"  # it has formulas as choices, and a question with several
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
AXE = ROOT / "build" / "axe.min.js"
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium; install one, or name it in CHROMIUM"),
    pytest.mark.skipif(not PAGE.is_file(), reason="the book is not built; run make book"),
]


@pytest.fixture(scope="module")
def open_page(browser):
    contexts = []

    def open_it(**settings):
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 900}, **settings))
        contexts[-1].set_offline(True)
        page = contexts[-1].new_page()
        page.goto(PAGE.as_uri(), wait_until="load")
        return page

    yield open_it
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def page(open_page):
    """The page with its script; the quiz is folded and nothing chosen at first, and the tests go on from each other."""
    page = open_page()
    page.evaluate("MathJax.startup.promise")
    return page


def said(question):
    return [text for text in question.locator(".why").all_inner_texts() if text.strip()]


def test_a_quiz_works_by_keyboard_and_says_what_is_chosen(page):
    quiz = page.locator("details.quiz")
    first = quiz.locator("fieldset").first
    assert not first.is_visible()
    quiz.locator("> summary").focus()
    page.keyboard.press("Enter")
    assert "Right." not in quiz.inner_text()
    assert "Not so." not in quiz.inner_text()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert [text[:7] for text in said(first)] == ["Not so."]
    page.keyboard.press("ArrowDown")
    assert [text[:6] for text in said(first)] == ["Right."]
    assert set(quiz.locator(".why").evaluate_all("nodes => nodes.map(node => node.role)")) == {"status"}
    page.keyboard.press("Tab")  # on to the next question, not through the choices
    assert page.evaluate("document.activeElement.name") == "quiz-2"


def test_a_formula_is_chosen_by_pointer_and_several_may_be(page):
    quiz = page.locator("details.quiz")
    quiz.evaluate("quiz => { quiz.open = true; }")
    quiz.locator("fieldset").first.locator("label mjx-container").nth(2).click()
    assert said(quiz.locator("fieldset").first) == [said(quiz.locator(".choice").nth(2))[0]]
    several = quiz.locator("fieldset", has=page.locator("[type=checkbox]")).first
    for box in several.locator("[type=checkbox]").all()[:3]:
        box.check()
    assert len(said(several)) == 3
    several.locator("[type=checkbox]").first.uncheck()
    assert len(said(several)) == 2


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_a_quiz_that_is_answered(page, theme):
    if not AXE.is_file():
        pytest.skip("axe-core is not here; make build/axe.min.js fetches it with npm")
    page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
    page.evaluate("document.querySelectorAll('details.quiz, .why details').forEach(fold => { fold.open = true; })")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    options = {"preload": False, "resultTypes": ["violations"]}
    found = page.evaluate("options => axe.run('details.quiz', options)", options)
    assert [(rule["id"], rule["nodes"][0]["failureSummary"]) for rule in found["violations"]] == []


def test_without_a_script_each_explanation_opens_by_hand(open_page):
    page = open_page(java_script_enabled=False)
    quiz = page.locator("details.quiz")
    quiz.locator("> summary").click()
    choice = quiz.locator(".choice").first
    choice.locator("input").check()
    assert not choice.locator(".why p").is_visible()
    choice.locator(".why summary").click()
    assert choice.locator(".why p").is_visible()


def test_on_paper_the_questions_are_open_and_the_answers_are_not(page):
    page.evaluate("document.querySelectorAll('details.quiz').forEach(fold => { fold.open = false; })")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    quiz = page.locator("details.quiz")
    assert quiz.locator("legend").last.is_visible()
    assert quiz.locator("label").last.is_visible()
    assert not quiz.locator(".why p").first.is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not quiz.evaluate("quiz => quiz.open")
    page.emulate_media(media="screen")
