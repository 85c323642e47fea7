"""The spine of truth: every statement of the book is proved by a test that carries its label.

`book/statements.yml` lists the statements. A `prf:` block in a chapter carries a label from that list; a test carries
it as `@pytest.mark.statement("C7")`; `make build/statements.json` runs those tests and stores what came out. This
module compares the three. `python tools/statements.py check` prints what is wrong.
"""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[1]
REGISTRY = "book/statements.yml"
OUTCOMES = "build/statements.json"
KINDS = "assumption axiom conjecture corollary criterion definition lemma postulate property proposition theorem"

BLOCK = re.compile(
    rf"^(?P<fence>`{{3,}}|:{{3,}})\{{prf:(?P<kind>{'|'.join(KINDS.split())})\}}(?P<body>.*?)^(?P=fence)\s*$",
    re.MULTILINE | re.DOTALL,
)
LABEL = re.compile(r"^:label:[ \t]*(\S+)", re.MULTILINE)
TEST = re.compile(r"`(test_\w+)`")


@dataclass(frozen=True)
class Statement:
    label: str
    title: str
    chapter: str
    cited: bool = False
    source: str = "slides"


@dataclass(frozen=True)
class Block:
    """A statement as it stands in a chapter."""

    chapter: str
    kind: str
    label: str | None
    tests: tuple[str, ...]


def read_registry(root: Path = ROOT) -> dict[str, Statement]:
    """Read the list of statements; an unknown chapter is an error."""
    registry = yaml.safe_load((root / REGISTRY).read_text(encoding="utf-8"))
    statements = {}
    for label, entry in registry["statements"].items():
        if entry["chapter"] not in registry["chapters"]:
            raise ValueError(f"{REGISTRY}: {label} names chapter {entry['chapter']!r}; add it to `chapters` or mend it")
        statements[label] = Statement(
            label, entry["title"], entry["chapter"], entry.get("cited", False), entry.get("from", "slides")
        )
    return statements


def read_chapter(path: Path) -> list[Block]:
    """Return the statement blocks of one chapter, in order."""
    notebook = nbformat.read(path, as_version=4)
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    blocks = []
    for match in BLOCK.finditer(text):
        label = LABEL.search(match["body"])
        blocks.append(Block(path.stem, match["kind"], label and label[1], tuple(TEST.findall(match["body"]))))
    return blocks


def read_book(root: Path = ROOT) -> dict[str, list[Block]]:
    """Return the statement blocks of every chapter that is written."""
    return {path.stem: read_chapter(path) for path in sorted((root / "book").glob("*.ipynb"))}


def read_outcomes(root: Path = ROOT) -> dict[str, dict[str, str]]:
    """Return {label: {test name: outcome}}; a test with parameters passes if all its runs pass."""
    path = root / OUTCOMES
    if not path.exists():
        raise FileNotFoundError(f"{OUTCOMES} is missing; `make {OUTCOMES}` runs the marked tests and writes it")
    tests: dict[str, dict[str, str]] = {}
    for label, nodes in json.loads(path.read_text(encoding="utf-8")).items():
        by_name = tests.setdefault(label, {})
        for node, outcome in sorted(nodes.items()):
            name = node.split("[")[0].split("::")[-1]
            if by_name.get(name, "passed") == "passed":
                by_name[name] = outcome
    return tests


def problems(root: Path = ROOT) -> list[str]:
    """Return what is wrong between registry, chapters and tests, one sentence each."""
    registry, book, outcomes = read_registry(root), read_book(root), read_outcomes(root)
    blocks = [block for chapter in book.values() for block in chapter]
    found = []

    for block in blocks:
        where = f"book/{block.chapter}.ipynb: prf:{block.kind}"
        if block.label is None:
            found.append(f"{where} has no label; add a line `:label: C…` from {REGISTRY}")
            continue
        where += f" {block.label}"
        statement = registry.get(block.label)
        if statement is None:
            found.append(f"{where} is not in {REGISTRY}; list it there or mend the label")
            continue
        if statement.chapter != block.chapter:
            found.append(f"{where} belongs to chapter {statement.chapter!r} in {REGISTRY}; move one of the two")
        for test in block.tests:
            if test not in outcomes.get(block.label, {}):
                found.append(f'{where} names {test}, but no such test is marked statement("{block.label}")')

    seen = [block.label for block in blocks if block.label]
    for label in sorted({label for label in seen if seen.count(label) > 1}):
        found.append(f"{label} labels {seen.count(label)} blocks; give each statement its own label")

    for label, statement in registry.items():
        if statement.chapter not in book or statement.cited:
            continue
        if not label.startswith("L") and label not in seen:
            found.append(f"{label} has no block in book/{statement.chapter}.ipynb, where {REGISTRY} puts it")
        tests = outcomes.get(label, {})
        if not tests:
            found.append(f'{label} has no test; mark one statement("{label}")')
        found += [f"{label} rests on {test}, which {word}" for test, word in tests.items() if word != "passed"]

    for label in sorted(set(outcomes) - set(registry)):
        found.append(f"tests are marked statement({label!r}), which is not in {REGISTRY}; list it or mend the marker")
    return found


def status(statement: Statement, written: bool, tests: dict[str, str]) -> str:
    """Return the word the book prints for a statement."""
    if not written:
        return f"pending: {statement.chapter}"
    if statement.cited:
        return "cited"
    if not tests:
        return "no test"
    return "passed" if set(tests.values()) == {"passed"} else "failed"


def main(arguments: list[str]) -> int:
    if arguments != ["check"]:
        print("usage: python tools/statements.py check", file=sys.stderr)
        return 2
    try:
        found = problems()
    except (FileNotFoundError, ValueError) as error:
        found = [str(error)]
    if found:
        print(*found, sep="\n", file=sys.stderr)
        return 1
    written = read_book()
    pending = sum(statement.chapter not in written for statement in read_registry().values())
    print(f"statements: all hold; {pending} pending in chapters not written yet")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
