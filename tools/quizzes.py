"""Read the quizzes of the chapters, and write them for a learning platform: python tools/quizzes.py [naive …]

The quiz of book/naive.ipynb is book/quiz/naive.yml, a list of questions:

    - about: the intercept
      ask: What does the decoder draw at the code $z = 0$?
      choices:
        - right: The mean image.
          because: Codes are centred, so the intercept is the mean.
        - wrong: A black image.
          because: That would need an intercept of zero.

One choice is right, unless the question says `several: true`.  Every choice is explained.  A text is one run of
Markdown with `$…$`, `*…*` and code; it may hold numbers of its own, and none that comes from a run.  The page shows the
quiz by the directive `quiz` (book/_ext/quiz.py), the copy for download as a list (tools/download.py).  For Moodle each
chapter is one file in build/quiz, and `all.xml` is all of them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[1]
QUIZ = ROOT / "book" / "quiz"
OUT = ROOT / "build" / "quiz"
CHOICES = (3, 4)
MARKED = re.compile(r"`(?P<code>[^`]+)`|\$(?P<math>[^$]+)\$|\*\*(?P<strong>[^*]+)\*\*|\*(?P<em>[^*]+)\*")
FORBIDDEN = re.compile(r"\{[a-z:]+\}`|\n|\$\$|<[a-z/]")  # roles, second paragraphs, displayed formulas, HTML


@dataclass(frozen=True)
class Choice:
    text: str
    right: bool
    because: str


@dataclass(frozen=True)
class Question:
    about: str
    ask: str
    choices: tuple[Choice, ...]
    several: bool


def path_of(page: Path) -> Path:
    """Return where the quiz of a page lies."""
    return page.parent / "quiz" / f"{page.stem}.yml"


def read(path: Path) -> list[Question]:
    """Return the questions of a file.

    Raises
    ------
    ValueError
        If a question has too few choices, no right one, several without saying so, or a choice without a reason.
    """
    if not path.is_file():
        raise ValueError(f"there is no quiz {path.name}; write one, tools/quizzes.py says how")
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [_question(entry, f"{path.name}, question {number}") for number, entry in enumerate(entries, 1)]


def _question(entry: Mapping[str, Any], where: str) -> Question:
    unknown = set(entry) - {"about", "ask", "choices", "several"}
    if unknown:
        raise ValueError(f"{where} has {', '.join(sorted(unknown))}; it may have about, ask, choices and several")
    choices = tuple(_choice(choice, where) for choice in entry["choices"])
    question = Question(_text(entry["about"], where), _text(entry["ask"], where), choices, "several" in entry)
    right = sum(choice.right for choice in choices)
    if not CHOICES[0] <= len(choices) <= CHOICES[1]:
        raise ValueError(f"{where} has {len(choices)} choices; give {CHOICES[0]} or {CHOICES[1]}")
    if right == len(choices) or right == 0 or (right > 1) != question.several:
        raise ValueError(
            f"{where} has {right} right choices of {len(choices)}; make one right, or say `several: true` and make two "
            "or more right and one wrong"
        )
    return question


def _choice(entry: Mapping[str, Any], where: str) -> Choice:
    if set(entry) not in ({"right", "because"}, {"wrong", "because"}):
        raise ValueError(f"{where} has a choice of {', '.join(map(str, entry))}; give right or wrong, and because")
    right = "right" in entry
    return Choice(_text(entry["right" if right else "wrong"], where), right, _text(entry["because"], where))


def _text(value: object, where: str) -> str:
    text = str(value).strip()
    found = FORBIDDEN.search(text)
    if found or not text:
        raise ValueError(f"{where} holds {found[0] if found else ''!r}; write one run of words, with $…$, *…* and code")
    return text


def letter(number: int) -> str:
    """Return the letter of a choice, counted from 0."""
    return "abcd"[number]


def verdict(choice: Choice) -> str:
    """Return the word that opens an explanation."""
    return "Right." if choice.right else "Not so."


def markdown(questions: Sequence[Question]) -> str:
    """Return a quiz as Markdown that any reader shows: choices as lists, what is right folded."""
    parts = []
    for number, question in enumerate(questions, 1):
        several = " *(Several are right.)*" if question.several else ""
        choices = [f"- **{letter(i)}** {choice.text}" for i, choice in enumerate(question.choices)]
        answers = [f"- **{letter(i)}** {verdict(choice)} {choice.because}" for i, choice in enumerate(question.choices)]
        parts.append(
            f"**{number}.** {question.ask}{several}\n\n" + "\n".join(choices) + "\n\n"
            f"<details>\n<summary>Answer to {number}</summary>\n\n" + "\n".join(answers) + "\n\n</details>"
        )
    return "\n\n".join(parts)


def html(text: str) -> str:
    r"""Return a run of Markdown as HTML, with formulas as \( … \), which Moodle's filter asks for.

    >>> html("*No* $a < b$ in `x[0]`.")
    '<em>No</em> \\(a &lt; b\\) in <code>x[0]</code>.'
    """

    def marked(found: re.Match[str]) -> str:
        kind = str(found.lastgroup)
        inner = escape(found[kind], quote=False)
        return f"\\({inner}\\)" if kind == "math" else f"<{kind}>{inner}</{kind}>"

    parts, end = [], 0
    for found in MARKED.finditer(text):
        parts += [escape(text[end : found.start()], quote=False), marked(found)]
        end = found.end()
    return "".join([*parts, escape(text[end:], quote=False)])


def chapters(root: Path = ROOT) -> list[str]:
    """Return the names of the chapters, in the order of the contents."""
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    numbered = [part for part in contents["parts"] if part.get("numbered")]
    return [Path(entry["file"]).name for part in numbered for entry in part["chapters"]]


def title(name: str) -> str:
    """Return number and title of a chapter, so that a list of them is in the order of the book."""
    first = nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4).cells[0].source.split("\n")[0]
    return f"{chapters().index(name) + 1:02} {first.removeprefix('# ')}"


def moodle(names: Sequence[str]) -> bytes:
    """Return the quizzes of these chapters as Moodle XML, a category of the question bank for each."""
    quiz = ElementTree.Element("quiz")
    for name in names:
        category = ElementTree.SubElement(quiz, "question", type="category")
        path = f"$course$/top/Linear generative models/{title(name).replace('/', '//')}"
        _put(category, "category", path)
        for number, question in enumerate(read(QUIZ / f"{name}.yml"), 1):
            _multichoice(quiz, f"{name} {number}: {question.about}", question)
    ElementTree.indent(quiz)
    return ElementTree.tostring(quiz, encoding="UTF-8", xml_declaration=True) + b"\n"


def _multichoice(quiz: ElementTree.Element, name: str, question: Question) -> None:
    node = ElementTree.SubElement(quiz, "question", type="multichoice")
    _put(node, "name", name)
    _put(node, "questiontext", f"<p>{html(question.ask)}</p>", format="html")
    for tag, value in {
        "defaultgrade": "1",
        "penalty": "0.3333333",
        "single": str(not question.several).lower(),
        "shuffleanswers": "true",
        "answernumbering": "abc",
    }.items():
        ElementTree.SubElement(node, tag).text = value
    right = sum(choice.right for choice in question.choices)
    wrong = len(question.choices) - right
    for choice in question.choices:
        share = 100 / right if choice.right else -100 / wrong if question.several else 0
        answer = ElementTree.SubElement(node, "answer", fraction=f"{share:.7g}", format="html")
        ElementTree.SubElement(answer, "text").text = html(choice.text)
        _put(answer, "feedback", f"<p>{html(choice.because)}</p>", format="html")


def _put(parent: ElementTree.Element, tag: str, text: str, **attributes: str) -> None:
    ElementTree.SubElement(ElementTree.SubElement(parent, tag, attributes), "text").text = text


def main(arguments: list[str]) -> int:
    known = chapters()
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        print(f"{', '.join(unknown)} is no chapter; there are {', '.join(known)}", file=sys.stderr)
        return 1
    OUT.mkdir(parents=True, exist_ok=True)
    names = arguments or known
    for name in names:
        (OUT / f"{name}.xml").write_bytes(moodle([name]))
    if not arguments:
        (OUT / "all.xml").write_bytes(moodle(names))
    print(f"the quizzes of {len(names)} chapters are in {OUT.relative_to(ROOT)}, for Moodle")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
