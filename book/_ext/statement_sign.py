"""A sign beside the title of every statement: it opens the label, the tests and their outcome, and links to their row.

The block in the chapter carries a `:label:` and nothing of the evidence.  The sign reads `book/statements.yml` and what
came out of the tests; it is a link, and its card shows while the pointer or the keyboard is on it (custom.css).
"""

import re
import sys
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.util import logging

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import statements  # noqa: E402  (one copy of the logic serves the check and the pages)

SIGNS = {"passed": "✓", "cited": "❝", "failed": "✗", "no test": "?"}
# What blocks of the old form still say; it goes out of sight.
LABEL_IN_TITLE = re.compile(r"^(\s*\(?)[CDLM]\d+ · ")
TESTED_BY = re.compile(r"^(?:Checked|Tested|Proved) by\b.*test_", re.DOTALL)


class Sign(nodes.General, nodes.Element):
    """The sign as HTML; it holds no text, so that neither a search nor a list of titles finds the names of tests."""


def visit_sign(self, node):
    self.body.append(node["html"])
    raise nodes.SkipNode


def root_of(app):
    return Path(app.config.statements_root or ROOT)


def statement_nodes(doctree):
    return [node for node in doctree.findall(nodes.Admonition) if "proof" in node.get("classes", [])]


def hide_evidence(app, doctree):
    """Take label and tests out of the block, and note what the page depends on."""
    found = [node for node in statement_nodes(doctree) if node.get("label")]
    for node in found:
        for text in list(node.next_node(nodes.title).findall(nodes.Text))[:1]:
            text.parent.replace(text, nodes.Text(LABEL_IN_TITLE.sub(r"\1", str(text))))
        for paragraph in list(node.findall(nodes.paragraph)):
            if TESTED_BY.match(paragraph.astext()):
                paragraph.parent.remove(paragraph)
    if found:
        for path in (statements.REGISTRY, statements.OUTCOMES):
            app.env.note_dependency(str(root_of(app) / path))


def add_signs(app, doctree, docname):
    """Put the sign behind each title; its link is made here, where the page's own place is known."""
    found = [node for node in statement_nodes(doctree) if node.get("label")]
    if not found or app.builder.format != "html":
        return
    root = root_of(app)
    registry = statements.read_registry(root)
    try:
        outcomes = statements.read_outcomes(root)
    except FileNotFoundError as error:
        logging.getLogger(__name__).warning(str(error), location=docname)
        outcomes = {}
    for node in found:
        statement = registry.get(node["label"])
        if statement:
            tests = outcomes.get(statement.label, {})
            word = statements.status(statement, True, tests)
            page = app.builder.get_relative_uri(docname, app.config.statements_page)
            node.next_node(nodes.title).append(Sign(html=sign(statement, word, sorted(tests), page)))


def sign(statement, word, tests, page):
    """Return the sign as HTML."""
    label = escape(statement.label)
    count = "" if statement.cited else f", {len(tests)} test{'s' * (len(tests) != 1)}"
    names = "".join(f"<code>{escape(test)}</code>" for test in tests)
    told = "quoted from its authors" if statement.cited else word
    return (
        f'<span class="statement-sign"><a href="{page}#statement-{label.lower()}" aria-describedby="sign-{label}" '
        f'aria-label="Evidence for {label}: {told}{count}">{SIGNS.get(word, "?")}</a>'
        f'<span class="card" role="tooltip" id="sign-{label}"><b>{label}</b> {told}{count}{names}</span></span>'
    )


def setup(app):
    app.add_node(Sign, html=(visit_sign, None))
    app.add_config_value("statements_root", "", "env")
    app.add_config_value("statements_page", "book/statements", "env")
    app.connect("doctree-read", hide_evidence)
    app.connect("doctree-resolved", add_signs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
