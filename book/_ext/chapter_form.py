"""The boxes of a chapter: `goals` counts the minutes itself, `talk` quotes a slide; the role `minutes` counts too.

:::{goals}
1. Say what …
:::

:::{talk} slide 14
:row: 4

“The inverse of $Z^\top Z$ exists.” It does not for …
:::

{minutes}`naive` minutes
"""

import sys
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import chapter  # noqa: E402  (one copy of the logic serves the check and the pages)


def read(path):
    """Return a chapter; a page of Markdown is one of a single cell."""
    if path.suffix == ".ipynb":
        return nbformat.read(path, as_version=4)
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(path.read_text(encoding="utf-8"))])


class Box(SphinxDirective):
    """An admonition with a title that the box makes."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    classes: tuple[str, ...] = ()

    def title(self):
        raise NotImplementedError

    def links(self):
        return []

    def run(self):
        box = nodes.admonition(classes=list(self.classes))
        self.set_source_info(box)
        box += nodes.title("", self.title())
        self.state.nested_parse(self.content, self.content_offset, box)
        box += self.links()
        return [box]


class Goals(Box):
    classes = ("tip", "goals")

    def title(self):
        return f"Goals · {chapter.minutes(read(Path(self.env.doc2path(self.env.docname))))} minutes to read"


class Talk(Box):
    """What a slide said, and the rows of the ledger that mend it."""

    required_arguments = 1
    optional_arguments = 0
    option_spec = {"row": str}  # noqa: RUF012  (docutils asks for it this way)
    classes = ("talk",)

    def title(self):
        return f"In the talk, {self.arguments[0]}"

    def links(self):
        rows = self.options.get("row", "").replace(",", " ").split()
        paragraph = nodes.paragraph(classes=["ledger"])
        for row in rows:
            text = f"Row {row} of the ledger"
            link = addnodes.pending_xref(
                "", nodes.inline("", text), refdomain="std", reftype="ref", reftarget=f"ledger-{row}", refexplicit=True,
                refwarn=True, refdoc=self.env.docname,
            )  # fmt: skip
            paragraph += [nodes.Text(" · ") if len(paragraph) else nodes.Text("→ "), link]
        return [paragraph] if rows else []


class Minutes(SphinxRole):
    """The minutes that the chapter of that name takes."""

    def run(self):
        folder = Path(self.env.doc2path(self.env.docname)).parent
        path = folder / f"{self.text}.ipynb"
        if not path.is_file():
            path = path.with_suffix(".md")
        if not path.is_file():
            error = self.inliner.reporter.error(f"there is no chapter {self.text!r} to count", line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, error)], [error]
        self.env.note_dependency(str(path))
        return [nodes.Text(str(chapter.minutes(read(path))))], []


def setup(app):
    app.add_directive("goals", Goals)
    app.add_directive("talk", Talk)
    app.add_role("minutes", Minutes())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
