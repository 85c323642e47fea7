"""A button that runs a chapter on its own page, by Python in the browser; nothing is loaded before it is pressed.

`make lite` gathers what that takes in a folder, and whoever publishes the book names the folder when building it:
`LINVAE_LITE`. Unset, nothing appears. What stands in `SECONDS` was run whole in Chromium; what stands in `REASONS`
cannot run there, and says why; the rest has not been tried, and has no button.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import nbformat
from sphinx.errors import ExtensionError
from sphinx.util import logging

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import chapter  # noqa: E402
import download  # noqa: E402

# Seconds that a chapter took whole in Chromium, on one of two busy cores; a reader is told a round number.
SECONDS = {"autoencoder": 40, "collapse": 133, "elbo": 32, "naive": 99, "ppca": 70, "variational": 38}
TORCH = "it trains networks, and PyTorch has no build for browsers"
POT = "it solves linear programmes with Python Optimal Transport, which has no build for browsers"
REASONS = {
    "bend": TORCH,
    "objective": POT,
    "posterior_collapse": TORCH,
    "project": "it reads a folder of your own images, and trains a network beside",
    "scale": "it works with many processes and files, which browsers do not give",
    "vae": TORCH,
    "wasserstein": POT,
}
BOX = """<div class="run-here">
<button type="button">Run this chapter here</button>
<p role="status">Python, linvae and what it needs come into your browser, {megabytes} MB the first time. Nothing that
you do leaves it. The whole chapter took {time} on a busy machine; a single cell takes less.</p>
<noscript><p>This needs JavaScript.</p></noscript>
</div>
<script type="application/json" id="run-here-program">{program}</script>
"""
NO_BUTTON = '<div class="run-here"><p>This chapter does not run in the browser: {reason}.</p></div>\n'


def gathered():
    """Return the folder that was named, and what it holds; or nothing where none was named."""
    named = os.environ.get("LINVAE_LITE", "")
    if not named:
        return None, {}
    folder = (ROOT / named).resolve()
    if not (folder / "lite.json").is_file():
        raise ExtensionError(f"LINVAE_LITE={named} is not complete; make lite fills it, or says what it lacks")
    return folder, json.loads((folder / "lite.json").read_text(encoding="utf-8"))


def program(notebook):
    """Return the sources of the cells to run, in order; None stands for one that the page shows."""
    kept = download.needed(notebook)
    return [
        cell.source if chapter.kind(cell) == "evidence" else None
        for i, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and i in kept
    ]


def in_words(seconds):
    return f"about {round(seconds, -1)} seconds" if seconds < 55 else f"about {max(round(seconds / 60), 1)} minutes"


def add_box(app, pagename, templatename, context, doctree):
    folder, found = gathered()
    path = Path(app.env.doc2path(pagename)) if pagename in app.env.found_docs else None
    if folder is None or path is None or path.suffix != ".ipynb":
        return
    name = path.stem
    if name in SECONDS:
        cells = program(nbformat.read(path, as_version=4))
        on_page = context["body"].count('<div class="cell_input ')
        if cells.count(None) != on_page:
            text = f"the page shows {on_page} cells and the program {cells.count(None)}, so they cannot be matched"
            logging.getLogger(__name__).warning(text, location=pagename)
        app.add_js_file("lite/run.js", loading_method="defer")
        box = BOX.format(
            megabytes=found["megabytes"],
            time=in_words(SECONDS[name]),
            program=json.dumps(cells, ensure_ascii=False).replace("<", "\\u003c"),
        )
    elif name in REASONS:
        box = NO_BUTTON.format(reason=REASONS[name])
    else:
        return
    app.add_css_file("lite/run.css")
    context["body"] = context["body"].replace("</h1>\n", f"</h1>\n{box}", 1)


def copy_files(app, error):
    folder, found = gathered()
    if error or folder is None or app.builder.format != "html":
        return
    target = Path(app.outdir) / "_static" / "lite"
    (target / "pyodide").mkdir(parents=True, exist_ok=True)
    for name in (*found["files"], "lite.json"):
        shutil.copyfile(folder / name, target / name)


def note(app, config):
    """Have all pages written again when what this depends on has changed."""
    config.run_here = json.dumps([gathered()[1], SECONDS, REASONS])


def setup(app):
    app.add_config_value("run_here", "", "html")
    app.connect("config-inited", note)
    app.connect("html-page-context", add_box)
    app.connect("build-finished", copy_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
