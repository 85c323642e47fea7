"""Check that chapters are as a reader should find them: python tools/hygiene.py [book/naive.ipynb …]

Every rule is a small function that yields sentences. CONTRIBUTING.md tells what the rules are for.
"""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from refresh import CELL_METADATA, METADATA, ROOT

MAX_LINES = 25
EXERCISES = 3
MACHINE_PATH = re.compile(r"(?<![\w.])(?:/(?:home|root|tmp|Users|work|opt|usr|var)/\S+|[A-Za-z]:\\\w\S*|~/\S+)")

# What is not prose: code fences and math fences, comments, displayed and inline math, roles, code, links, options.
NOT_PROSE = re.compile(
    r"^(?P<f>`{3,}|:{3,})(?:\{(?:math|code\S*|glue\S*|bibliography)\})?[\w-]*\n.*?^(?P=f)\s*$"
    r"|<!--.*?-->|\$\$.*?\$\$|\\begin\{(?P<e>\w+\*?)\}.*?\\end\{(?P=e)\}|\$[^$]+\$"
    r"|(?<!`)(?P<t>`{1,2})(?!`).+?(?P=t)|\]\([^)]*\)|<?https?://\S+|^:[\w-]+:.*?$",
    re.MULTILINE | re.DOTALL,
)
DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.]*\.\d)")
NAMED = re.compile(
    r"\b(?:sections?|chapters?|figures?|equations?|theorems?|tables?|python|version|CC BY(?:-SA)?)\s+[\d., and–-]+",
    re.I,
)


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook: NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def name(cell: NotebookNode) -> str:
    """Tell the reader of a message which cell is meant."""
    first = cell.source.strip().split("\n")[0]
    return f"cell {cell.get('id')} ({first[:50]!r})"


def was_run(notebook: NotebookNode) -> Iterator[str]:
    counts = [cell.execution_count for cell in code(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}, not 1 to {len(counts)}; run `make refresh`"


def has_no_errors(notebook: NotebookNode) -> Iterator[str]:
    for cell in code(notebook):
        expected = "raises-exception" in cell.metadata.get("tags", [])
        for output in cell.outputs:
            if output.output_type == "error" and not expected:
                yield f"{name(cell)} stores an error, {output.ename}; mend it, or tag the cell raises-exception"
            if output.output_type == "stream" and output.name == "stderr":
                yield f"{name(cell)} writes to stderr: {output.text.strip()[:80]!r}"


def has_short_cells(notebook: NotebookNode) -> Iterator[str]:
    for cell in code(notebook):
        lines = len(cell.source.splitlines())
        if lines > MAX_LINES:
            yield f"{name(cell)} has {lines} lines, the limit is {MAX_LINES}; split it or move a function to linvae/"


def types_no_numbers(notebook: NotebookNode) -> Iterator[str]:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = NAMED.sub(" ", NOT_PROSE.sub(" ", cell.source))
            for number in DECIMAL.findall(text):
                yield f"{name(cell)} types the number {number}; glue it from the cell that computes it"


def starts_with_title(notebook: NotebookNode) -> Iterator[str]:
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "markdown" or not first.source.startswith("# "):
        yield "the first cell does not open with a title, `# …`"


def shows_pictures(notebook: NotebookNode) -> Iterator[str]:
    pictures = 0
    for cell in code(notebook):
        if any(key.startswith("image/") for output in cell.outputs for key in output.get("data", {})):
            pictures += 1
            options = cell.metadata.get("mystnb", {})
            if not options.get("figure", {}).get("caption"):
                yield f"{name(cell)} shows a picture without a caption; set metadata.mystnb.figure.caption"
            if not options.get("image", {}).get("alt"):
                yield f"{name(cell)} shows a picture without alt text; set metadata.mystnb.image.alt"
    if not pictures:
        yield "no cell shows a picture; a chapter has at least one"


def has_exercises(notebook: NotebookNode) -> Iterator[str]:
    text = prose(notebook)
    solved = re.findall(r"\{solution(?:-start)?\}[ \t]+(\S+)", text)
    labels = re.findall(r"\{exercise(?:-start)?\}[^\n]*\n(?:[ \t]*:(?!label)[^\n]*\n)*[ \t]*:label:[ \t]*(\S+)", text)
    found = len(re.findall(r"\{exercise(?:-start)?\}", text))
    if found < EXERCISES:
        yield f"{found} exercises, a chapter has at least {EXERCISES}"
    if len(labels) != found:
        yield f"{found} exercises but {len(labels)} with a label; give each a `:label:`"
    for label in labels:
        if label not in solved:
            yield f"exercise {label} has no solution; add a {{solution}} {label} block"


def has_clean_metadata(notebook: NotebookNode) -> Iterator[str]:
    if notebook.metadata != METADATA:
        yield "notebook metadata are not the fixed ones; run `make refresh`"
    for cell in notebook.cells:
        extra = sorted(set(cell.metadata) - CELL_METADATA)
        if extra:
            yield f"{name(cell)} carries metadata {extra}; run `make refresh`"
    ids = [cell.get("id") for cell in notebook.cells]
    if None in ids or len(set(ids)) < len(ids):
        yield "cell ids are missing or repeated; run `make refresh`"


def names_no_machine(notebook: NotebookNode) -> Iterator[str]:
    for cell in notebook.cells:
        shown = [cell.source]
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            shown += [str(text) for kind, text in data.items() if not kind.startswith("image/")]
            shown += [output.get("text", ""), *output.get("traceback", [])]
        for path in MACHINE_PATH.findall("\n".join(shown)):
            yield f"{name(cell)} shows the path {path} of one machine; leave it out"


RULES: list[Callable[[NotebookNode], Iterator[str]]] = [
    starts_with_title,
    was_run,
    has_no_errors,
    has_short_cells,
    types_no_numbers,
    shows_pictures,
    has_exercises,
    has_clean_metadata,
    names_no_machine,
]


def problems(path: Path) -> list[str]:
    """Return what is wrong with one chapter, one sentence each."""
    notebook = nbformat.read(path, as_version=4)
    return [f"{path.name}: {problem}" for rule in RULES for problem in rule(notebook)]


def main(arguments: list[str]) -> int:
    paths = [Path(argument) for argument in arguments] or sorted((ROOT / "book").glob("*.ipynb"))
    found = [problem for path in paths for problem in problems(path)]
    if found:
        print(*found, sep="\n", file=sys.stderr)
        return 1
    print(f"hygiene: {len(paths)} chapters are clean")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
