"""The directive `quiz`: the questions of a chapter, folded, each choice explained when it is chosen.

:::{quiz}
:::

The questions stand in `quiz/NAME.yml` beside the chapter; tools/quizzes.py tells their form.  The page is plain HTML:
without the script (quiz.js) each explanation opens by hand.
"""

import sys
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import quizzes  # noqa: E402  (one copy of the logic serves the check, the pages and the copies)


class Tag(nodes.General, nodes.Element):
    """One element of HTML, with the attributes that it is given."""


def tag(name, /, *children, **attributes):
    return Tag("", *children, tag=name, html={key.rstrip("_"): value for key, value in attributes.items()})


def enter(self, node):
    attributes = "".join(f' {key}="{escape(value)}"' for key, value in node["html"].items())
    self.body.append(f"<{node['tag']}{attributes}>")


def leave(self, node):
    if node["tag"] != "input":
        self.body.append(f"</{node['tag']}>" + "\n" * (node["tag"] in ("fieldset", "legend", "div")))


class Quiz(SphinxDirective):
    def run(self):
        path = quizzes.path_of(Path(self.env.doc2path(self.env.docname)))
        self.env.note_dependency(str(path))
        try:
            questions = quizzes.read(path)
        except ValueError as problem:
            raise self.error(str(problem)) from None
        fold = tag("summary", nodes.Text(f"{len(questions)} questions, every choice explained"))
        asked = [self.question(number, question) for number, question in enumerate(questions, 1)]
        return [tag("details", fold, *asked, class_="quiz")]

    def words(self, text):
        found, messages = self.parse_inline(text, lineno=self.lineno)
        return [*found, *messages]

    def question(self, number, question):
        several = [nodes.Text(" "), tag("em", nodes.Text("Several are right."))] if question.several else []
        legend = tag("legend", tag("b", nodes.Text(f"{number}.")), nodes.Text(" "), *self.words(question.ask), *several)
        kind = "checkbox" if question.several else "radio"
        choices = [self.choice(i, choice, kind, f"quiz-{number}") for i, choice in enumerate(question.choices)]
        return tag("fieldset", legend, *choices)

    def choice(self, i, choice, kind, name):
        letter = quizzes.letter(i)
        box = tag("input", type=kind, name=name, value=letter)
        label = tag("label", box, tag("b", nodes.Text(letter)), tag("span", *self.words(choice.text)))
        reason = tag("p", tag("b", nodes.Text(quizzes.verdict(choice))), nodes.Text(" "), *self.words(choice.because))
        fold = tag("summary", nodes.Text(f"About {letter}"))
        why = tag("details", fold, reason, class_="right" if choice.right else "wrong")
        return tag("div", label, tag("div", why, class_="why"), class_="choice")


def add_files(app, pagename, templatename, context, doctree):
    if doctree is not None and next(doctree.findall(Tag), None) is not None:
        app.add_css_file("quiz.css")
        app.add_js_file("quiz.js", loading_method="defer")


def setup(app):
    app.add_node(Tag, html=(enter, leave))
    app.add_directive("quiz", Quiz)
    app.connect("html-page-context", add_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
