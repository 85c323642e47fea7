"""Every chapter asks five questions, explains every choice, and gives nothing away; the export holds the same."""

import re
from collections import Counter
from xml.etree import ElementTree

import pytest
import quizzes

CHAPTERS = quizzes.chapters()
# Of the shares that Moodle knows, those that three or four choices can need.
SHARES = {"100", "50", "33.33333", "0", "-33.33333", "-50", "-100"}


def questions(name):
    return quizzes.read(quizzes.QUIZ / f"{name}.yml")


def texts(question):
    return [question.ask, *(text for choice in question.choices for text in (choice.text, choice.because))]


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_asks_five_different_questions(name):
    assert len({question.ask for question in questions(name)}) == len({q.about for q in questions(name)}) == 5


def test_a_quiz_belongs_to_a_chapter():
    assert sorted(path.stem for path in quizzes.QUIZ.iterdir()) == sorted(CHAPTERS)


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_choice_is_another_one_and_has_a_sentence_of_its_own(name):
    for question in questions(name):
        assert len({choice.text for choice in question.choices}) == len(question.choices)
        assert len({choice.because for choice in question.choices}) == len(question.choices)
        for choice in question.choices:
            assert choice.because.endswith((".", "$")) or choice.because[-1] in "?!"
            assert 3 <= len(choice.because.split()) <= 45


def test_neither_place_nor_length_gives_the_right_choice_away():
    singles = [question for name in CHAPTERS for question in questions(name) if not question.several]
    right = [next(i for i, choice in enumerate(question.choices) if choice.right) for question in singles]
    places = Counter(right)
    lengths = [[len(choice.text) for choice in question.choices] for question in singles]
    longest = sum(sorted(length)[-2] < length[i] for length, i in zip(lengths, right, strict=True))
    shortest = sum(sorted(length)[1] > length[i] for length, i in zip(lengths, right, strict=True))
    chance = len(singles) / 4
    assert all(0.7 * chance < places[place] < 1.4 * chance for place in range(4))
    assert longest < 1.5 * chance
    assert shortest < 1.5 * chance


GOOD = """
- about: a sum
  ask: What is $1 + 1$?
  choices:
    - {wrong: "1", because: One is left out.}
    - {right: "2", because: Count.}
    - {wrong: "3", because: One too much.}
"""


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("{right", "{wrong", "has 0 right choices of 3"),
        ("{wrong", "{right", "has 3 right choices of 3"),
        ('{wrong: "1"', '{right: "1"', "has 2 right choices of 3; make one right, or say `several: true`"),
        ("  choices", "  several: true\n  choices", "has 1 right choices of 3"),
        ('    - {wrong: "3", because: One too much.}\n', "", "has 2 choices; give 3 or 4"),
        (", because: Count.", "", "a choice of right; give right or wrong, and because"),
        ("because: Count.", 'because: ""', "holds ''"),
        ("$1 + 1$", "{glue:text}`x`", "holds '{glue:text}`'"),
        ("about", "title", "has title; it may have about, ask, choices and several"),
    ],
)
def test_what_is_wrong_with_a_quiz_is_told(tmp_path, old, new, problem):
    path = tmp_path / "sum.yml"
    path.write_text(GOOD, encoding="utf-8")
    assert len(quizzes.read(path)) == 1
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(problem)):
        quizzes.read(path)


def test_a_missing_quiz_is_told(tmp_path):
    with pytest.raises(ValueError, match="there is no quiz naive"):
        quizzes.read(tmp_path / "naive.yml")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        (
            "*No*, **not** `x[0]`: $a_1 < b$ & c",
            "<em>No</em>, <strong>not</strong> <code>x[0]</code>: \\(a_1 &lt; b\\) &amp; c",
        ),
        ("$a*b$ and $c*d$, `*`", "\\(a*b\\) and \\(c*d\\), <code>*</code>"),
        ("$\\tfrac12$ of 95 %", "\\(\\tfrac12\\) of 95 %"),
    ],
)
def test_markdown_becomes_the_html_and_the_formulas_that_moodle_asks_for(text, html):
    assert quizzes.html(text) == html


def test_the_export_parses_and_holds_the_same_questions():
    exported = ElementTree.fromstring(quizzes.moodle(CHAPTERS))
    assert exported.tag == "quiz"
    nodes = list(exported)
    for name in CHAPTERS:
        category, *asked = nodes[:6]
        nodes = nodes[6:]
        assert category.get("type") == "category"
        assert category.findtext("category/text").startswith("$course$/top/Linear generative models/")
        for number, (question, node) in enumerate(zip(questions(name), asked, strict=True), 1):
            assert node.get("type") == "multichoice"
            assert node.findtext("name/text") == f"{name} {number}: {question.about}"
            assert node.findtext("questiontext/text") == f"<p>{quizzes.html(question.ask)}</p>"
            assert node.findtext("single") == ("false" if question.several else "true")
            answers = node.findall("answer")
            assert [a.findtext("text") for a in answers] == [quizzes.html(c.text) for c in question.choices]
            assert [a.findtext("feedback/text") for a in answers] == [
                f"<p>{quizzes.html(c.because)}</p>" for c in question.choices
            ]
            assert [float(a.get("fraction")) > 0 for a in answers] == [c.right for c in question.choices]
            assert {a.get("fraction") for a in answers} <= SHARES
            assert sum(max(float(a.get("fraction")), 0) for a in answers) == pytest.approx(100, abs=1e-4)
            assert {part.get("format") for part in (node.find("questiontext"), *answers)} == {"html"}
    assert not nodes


def test_no_markdown_is_left_in_the_export():
    for name in CHAPTERS:
        for question in questions(name):
            for text in map(quizzes.html, texts(question)):
                formula = re.compile(r"\\\(.*?\\\)|<code>.*?</code>")
                assert not re.search(r"[$*`{}\\]", formula.sub("", text)), text
                assert text.count("\\(") == text.count("\\)")


def test_each_chapter_is_a_file_and_so_are_all_together(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(quizzes, "ROOT", tmp_path)
    monkeypatch.setattr(quizzes, "OUT", tmp_path / "quiz")
    monkeypatch.setattr(quizzes, "chapters", lambda: CHAPTERS)
    monkeypatch.setattr(quizzes, "title", lambda name: name)
    assert quizzes.main([]) == 0
    assert {path.stem for path in (tmp_path / "quiz").iterdir()} == {*CHAPTERS, "all"}
    assert f"{len(CHAPTERS)} chapters" in capsys.readouterr().out
    assert quizzes.main(["nowhere"]) == 1
    assert "nowhere is no chapter; there are why, " in capsys.readouterr().err
