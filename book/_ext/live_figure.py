"""The directive `live`: a figure to play with, drawn by a script of its own; where no script runs, a still picture.

```{live} dials
:name: live-dials
:alt: A digit, and what a few numbers draw of it.

The first paragraph is the caption.

- The rest is what to try.
```

A figure `dials` is made of `dials.js`, `dials.data.js` and `dials.png` in `book/_static/live`; tools/live.py makes the
last two.  A page loads the scripts of its own figures only.
"""

from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

FOLDER = "_static/live"
LIVE = Path(__file__).resolve().parents[1] / FOLDER
PARTS = ("{}.js", "{}.data.js", "{}.png")


class Live(SphinxDirective):
    has_content = True
    required_arguments = 1
    option_spec = {"alt": directives.unchanged_required, "name": directives.unchanged}  # noqa: RUF012

    def run(self):
        name = self.arguments[0]
        missing = [part.format(name) for part in PARTS if not (LIVE / part.format(name)).is_file()]
        if missing:
            raise self.error(f"the live figure {name!r} lacks {', '.join(missing)} in book/{FOLDER}")
        body = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, body)
        if "alt" not in self.options or not body.children or not isinstance(body[0], nodes.paragraph):
            raise self.error(f"the live figure {name!r} needs an :alt: and begins with a paragraph, its caption")
        figure = nodes.figure(classes=["live", f"live-{name}"])
        self.set_source_info(figure)
        figure += nodes.image(uri=f"{FOLDER}/{name}.png", alt=self.options["alt"])
        caption = body.children.pop(0)
        figure += nodes.caption(caption.rawsource, "", *caption.children)
        if body.children:
            figure += nodes.legend("", nodes.paragraph("", "", nodes.strong("", "Try this")), *body.children)
        self.add_name(figure)
        return [figure]


def figures_on(doctree):
    """Return the names of the live figures of a page."""
    found = [node["classes"][1] for node in doctree.findall(nodes.figure) if "live" in node["classes"]]
    return [name.removeprefix("live-") for name in found]


def add_scripts(app, pagename, templatename, context, doctree):
    names = figures_on(doctree) if doctree is not None else []
    if not names:
        return
    app.add_css_file("live/live.css")
    for script in ("live", *(f"{name}{kind}" for name in names for kind in (".data", ""))):
        app.add_js_file(f"live/{script}.js", loading_method="defer")


def setup(app):
    app.add_directive("live", Live)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
