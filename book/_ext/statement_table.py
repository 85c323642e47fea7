"""The directive `statements`: every statement of the book with its chapter, its test and that test's outcome."""

import sys
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import statements  # noqa: E402  (one copy of the logic serves the check and this page)


class StatementTable(SphinxDirective):
    """Render one table of the labels that begin with one of the letters given."""

    required_arguments = 1

    def run(self):
        for path in (statements.REGISTRY, statements.OUTCOMES):
            self.env.note_dependency(str(ROOT / path))
        try:
            outcomes = statements.read_outcomes(ROOT)
        except FileNotFoundError as error:
            logging.getLogger(__name__).warning(str(error), location=self.get_location())
            outcomes = {}
        book = statements.read_book(ROOT)
        for chapter in book:
            self.env.note_dependency(str(ROOT / "book" / f"{chapter}.ipynb"))
        placed = {block.label for chapter in book.values() for block in chapter}
        ledger = (ROOT / "book" / "ledger.md").read_text(encoding="utf-8")
        lines = [
            "::::{list-table}",
            ":header-rows: 1",
            ":class: statements",
            ":widths: 7 33 12 20 28",
            "",
        ]
        lines += ["* - Label", "  - Statement", "  - Outcome", "  - Where", "  - Test"]
        for label, statement in statements.read_registry(ROOT).items():
            if label[0] not in self.arguments[0]:
                continue
            written = statement.chapter in book
            tests = outcomes.get(label, {}) if written else {}
            where = [f"{{prf:ref}}`{label}`"] if label in placed else []
            if f"(ledger-{label[1:]})=" in ledger and label[0] == "L":
                where.append(f"{{ref}}`row {label[1:]} <ledger-{label[1:]}>`")
            where += [f"{{doc}}`{statement.chapter}`"] if written else []
            title = statement.title + (" (from the code)" if statement.source == "code" else "")
            names = "<br>".join(f"`{test}`" for test in tests)
            outcome = statements.status(statement, written, tests)
            lines += [
                f"* - [{label}]{{#statement-{label}}}",
                f"  - {title}",
                f"  - {outcome}",
                f"  - {', '.join(where)}",
                f"  - {names}",
            ]
        lines += ["::::"]
        node = nodes.container()
        self.state.nested_parse(
            StringList(lines, str(ROOT / statements.REGISTRY)),
            self.content_offset,
            node,
        )
        return node.children


def setup(app):
    app.add_directive("statements", StatementTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
