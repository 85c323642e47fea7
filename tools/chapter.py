"""What a chapter is made of: kinds of cells, blocks of MyST, words, minutes, numbers glued and numbers quoted.

The checks (`hygiene.py`), the pages (`book/_ext`) and the copies for download (`download.py`) all read chapters by
this one module.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from nbformat import NotebookNode

# The lines that every chapter opens with: where the package is there, they do nothing.
INSTALL = """from importlib.util import find_spec

if not all(map(find_spec, ("linvae", "matplotlib", "pandas"))):
    %pip install --quiet "linvae[chapters]\""""

# Minutes: words a minute, and what a figure, a statement and a visible cell cost a reader.
WORDS_A_MINUTE = 200
FIGURE, STATEMENT, VISIBLE = 1, 3, 2

KINDS = {"hide-cell": "set-up", "hide-input": "figure", "remove-cell": "evidence"}
STATEMENTS = "axiom assumption conjecture corollary criterion definition lemma postulate property proposition theorem"

OPEN = re.compile(r"^(?P<indent>[ ]*)(?P<fence>`{3,}|:{3,}|~{3,})[ ]*(?:\{(?P<name>[\w:-]+)\})?[ ]*(?P<argument>.*)$")
OPTION = re.compile(r"^[ ]*:([\w-]+):[ ]*(.*)$")
RAW = {"", "math", "code", "code-block", "code-cell", "eval-rst", "raw"}  # whose content is no Markdown
FOLDED = {"dropdown", "solution"}
PLAYED = "live"  # a figure to play with, as long as one likes; what it shows stands in the text as well

GLUED = re.compile(r"\{glue:\w*\}`(?:(?P<page>[\w.-]+)::)?(?P<name>[^`:]+)(?::(?P<format>[^`]*))?`")
RECORD = "application/papermill.record/text/plain"

# What no one reads as words; a formula in a line, a role and a piece of code are a word each.
DISPLAYED = re.compile(r"\$\$.*?\$\$(?:[ ]*\([\w:-]+\))?|\\begin\{(\w+\*?)\}.*?\\end\{\1\}|<!--.*?-->", re.DOTALL)
ONE_WORD = re.compile(r"\$[^$]+\$|(?:\{[\w:-]+\})?(?<!`)(?P<t>`{1,2})(?!`).+?(?P=t)", re.DOTALL)
NO_WORD = re.compile(r"\]\([^)]*\)|<?https?://\S+|^\([\w-]+\)=[ ]*$|\{#[\w-]+\}", re.MULTILINE)
WORD = re.compile(r"\w[\w’'.,-]*")


@dataclass
class Block:
    """A fenced block: a directive, or code when it has no name."""

    name: str
    argument: str
    fence: str
    options: dict[str, str] = field(default_factory=dict)
    content: list[str | Block] = field(default_factory=list)

    @property
    def is_statement(self) -> bool:
        return self.name.startswith("prf:") and self.name[4:] in STATEMENTS.split()

    @property
    def is_folded(self) -> bool:
        return self.name in FOLDED or "dropdown" in self.options.get("class", "").split()


def parse(text: str) -> list[str | Block]:
    """Split Markdown into runs of text and fenced blocks, nested as they are; a fence left open ends with the text."""
    parts: list[str | Block] = []
    lines = text.split("\n")
    run: list[str] = []
    i = 0
    while i < len(lines):
        opened = OPEN.match(lines[i])
        if not opened or (opened["fence"][0] == ":" and not opened["name"]):
            run.append(lines[i])
            i += 1
            continue
        end = _closing(lines, i + 1, opened["fence"])
        if run:
            parts.append("\n".join(run))
            run = []
        indent = len(opened["indent"])
        parts.append(
            _block(opened, [line[indent:] if line[:indent].isspace() else line for line in lines[i + 1 : end]])
        )
        i = end + 1
    if run:
        parts.append("\n".join(run))
    return parts


def _closing(lines: list[str], start: int, fence: str) -> int:
    for i in range(start, len(lines)):
        line = lines[i].strip()
        if len(line) >= len(fence) and set(line) == {fence[0]}:
            return i
    return len(lines)


def _block(opened: re.Match[str], body: list[str]) -> Block:
    block = Block(opened["name"] or "", opened["argument"].strip(), opened["fence"])
    if block.name:
        while body and (option := OPTION.match(body[0])):
            block.options[option[1]] = option[2].strip()
            body = body[1:]
    text = "\n".join(body)
    block.content = [text] if block.name in RAW else parse(text)
    return block


def kind(cell: NotebookNode) -> str:
    """Return what a code cell is for, as its tags say: visible, figure, evidence or set-up."""
    for tag, name in KINDS.items():
        if tag in cell.metadata.get("tags", []):
            return name
    return "visible"


def caption(cell: NotebookNode) -> str:
    """Return the caption of a figure cell, or nothing."""
    return str(cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", ""))


def blocks(parts: list[str | Block]) -> Iterator[Block]:
    """Yield every block, the outer ones before those in them."""
    for part in parts:
        if isinstance(part, Block):
            yield part
            yield from blocks(part.content)


def unfolded(notebook: NotebookNode) -> Iterator[str | Block | NotebookNode]:
    """Yield what a reader sees without opening a fold: runs of text, blocks (each before its content), code cells."""
    in_solution = False
    for cell in notebook.cells:
        if cell.cell_type == "code":
            if not in_solution:
                yield cell
        elif cell.cell_type == "markdown":
            for part in parse(cell.source):
                if isinstance(part, Block) and part.name in ("solution-start", "solution-end"):
                    in_solution = part.name == "solution-start"
                elif not in_solution:
                    yield from _unfolded(part)


def _unfolded(part: str | Block) -> Iterator[str | Block]:
    if isinstance(part, Block):
        if not part.is_folded and part.name != PLAYED:
            yield part
            for inner in part.content if part.name not in RAW else []:
                yield from _unfolded(inner)
    else:
        yield part


def words_in(text: str) -> int:
    """Count the words of a run of Markdown without blocks."""
    return len(WORD.findall(NO_WORD.sub(" ", ONE_WORD.sub(" word ", DISPLAYED.sub(" ", text)))))


def words(notebook: NotebookNode) -> int:
    """Count the words that a reader sees without opening a fold, captions too: no code, no solution, no proof."""
    seen = 0
    for part in unfolded(notebook):
        if isinstance(part, str):
            seen += words_in(part)
        elif isinstance(part, Block):
            seen += words_in(part.argument) if part.name not in RAW else 0
        else:
            seen += words_in(caption(part))
    return seen


def minutes(notebook: NotebookNode) -> int:
    """Return the minutes to read a chapter, a multiple of five, rounded up; no solutions, and no live figures.

    words / 200 + figures + 3 statements + 2 visible cells
    """
    spent = words(notebook) / WORDS_A_MINUTE
    for part in unfolded(notebook):
        if isinstance(part, Block):
            spent += STATEMENT * part.is_statement + FIGURE * (part.name == "figure")
        elif not isinstance(part, str):
            spent += FIGURE * bool(caption(part)) + VISIBLE * (kind(part) == "visible")
    return 5 * max(1, math.ceil(spent / 5))


def texts(notebook: NotebookNode) -> Iterator[str]:
    """Yield every text that may quote a number: the Markdown cells and the captions."""
    for cell in notebook.cells:
        yield cell.source if cell.cell_type == "markdown" else caption(cell)


def quoted(text: str, page: str) -> set[tuple[str, str]]:
    """Return the (page, name) of every number that a text of that page quotes."""
    return {((match["page"] or page).removesuffix(".ipynb"), match["name"]) for match in GLUED.finditer(text)}


def glued(notebook: NotebookNode) -> dict[str, str]:
    """Return {name: value as text} of what the cells have glued."""
    return {
        output.metadata.scrapbook.name: output.data[RECORD]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if RECORD in output.get("data", {})
    }


def set_number(value: str, form: str | None) -> str:
    """Return a glued value as the page sets it; a word keeps its letters and loses its quotes."""
    try:
        return format(float(value) if form else int(value) if value.lstrip("-").isdigit() else float(value), form or "")
    except ValueError:
        return value.strip("'\"")
