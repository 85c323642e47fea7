"""The directives `chapter-map`, every chapter in one line with its minutes, and `prerequisites`, what rests on what.

Both are drawn from the chapters' own metadata, which stand in the notebook under `linvae`:

    {"line": "What least squares adds to PCA: nothing.", "needs": ["autoencoder", "naive"]}
"""

import sys
from pathlib import Path

import nbformat
import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import chapter  # noqa: E402  (one copy of the logic serves the check and the pages)


def parts(root=ROOT):
    """Yield the caption of every numbered part of the contents with its chapters' paths."""
    for part in yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))["parts"]:
        if part.get("numbered"):
            yield part["caption"], [root / f"{entry['file']}.ipynb" for entry in part["chapters"]]


class ChapterMap(SphinxDirective):
    """Render one table for every part."""

    def run(self):
        self.env.note_dependency(str(ROOT / "_toc.yml"))
        lines = []
        for caption, paths in parts():
            lines += [
                f"**{caption}**",
                "",
                "::::{list-table}",
                ":header-rows: 1",
                ":widths: 46 10 24",
                ":class: map",
                "",
            ]
            lines += ["* - Chapter", "  - Minutes", "  - Rests on"]
            for path in paths:
                self.env.note_dependency(str(path))
                notebook = nbformat.read(path, as_version=4)
                about = notebook.metadata.linvae
                rests = ", ".join(f"{{doc}}`{name} <{name}>`" for name in about.needs) or "nothing"
                lines += [f"* - {{doc}}`{path.stem}`: {about.line}", f"  - {chapter.minutes(notebook)}", f"  - {rests}"]
            lines += ["::::", ""]
        node = nodes.container(classes=["chapter-map"])
        self.state.nested_parse(StringList(lines, str(ROOT / "_toc.yml")), self.content_offset, node)
        return node.children


def direct(needs):
    """Return what each chapter needs, less what another of its needs asks for already."""
    everything = {}
    for name, own in needs.items():  # in the order of the book, so what is needed comes first
        everything[name] = set(own).union(*(everything[other] for other in own))
    return {name: [n for n in own if not any(n in everything[other] for other in own)] for name, own in needs.items()}


ROW, LEFT, WIDTH = 24, 150, 320


def arcs(needs, minutes, address):
    """Return an SVG: a row for each chapter, and an arc up to each that it rests on; `address` makes a link."""
    row = {name: ROW * (i + 0.75) for i, name in enumerate(needs)}
    lines = []
    for name, rests in direct(needs).items():
        said = "rests on " + " and ".join(rest.replace("_", " ") for rest in rests) if rests else "rests on nothing"
        title = name.replace("_", " ")
        lines.append(f'<a href="{address(name)}" aria-label="{title}, {minutes[name]} minutes, {said}">')
        for rest in rests:
            reach = LEFT - 12 - min(LEFT - 16, 10 + 0.42 * (row[name] - row[rest]))
            lines.append(
                f'<path d="M {LEFT - 8} {row[name]:.0f} C {reach:.0f} {row[name]:.0f}, '
                f'{reach:.0f} {row[rest]:.0f}, {LEFT - 8} {row[rest]:.0f}"/>'
            )
        lines.append(f'<circle cx="{LEFT - 4}" cy="{row[name]:.0f}" r="3"/>')
        lines.append(
            f'<text x="{LEFT + 6}" y="{row[name] + 5:.0f}">{title} <tspan>{minutes[name]} min</tspan></text></a>'
        )
    height = ROW * (len(needs) + 0.5)
    return (
        f'<svg class="prerequisites" viewBox="0 0 {WIDTH} {height:.0f}" role="group" '
        f'aria-label="Chapters, and what each rests on">{"".join(lines)}</svg>'
    )


class Prerequisites(SphinxDirective):
    """Render the arcs."""

    def run(self):
        needs, minutes = {}, {}
        for _, paths in parts():
            for path in paths:
                self.env.note_dependency(str(path))
                notebook = nbformat.read(path, as_version=4)
                needs[path.stem], minutes[path.stem] = list(notebook.metadata.linvae.needs), chapter.minutes(notebook)
        html = arcs(needs, minutes, lambda name: f"{name}.html")
        return [nodes.raw("", html, format="html")]


def setup(app):
    app.add_directive("chapter-map", ChapterMap)
    app.add_directive("prerequisites", Prerequisites)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
