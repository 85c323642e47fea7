"""The directive `chapter-map`: every chapter in one line, with its minutes and what it rests on.

It is drawn from the chapters' own metadata, which stand in the notebook under `linvae`:

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


def setup(app):
    app.add_directive("chapter-map", ChapterMap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
