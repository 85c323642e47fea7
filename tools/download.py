"""The copy of a chapter that the download button serves: it reads well in JupyterLab, which knows no MyST.

Boxes become quotes, folds become `<details>`, roles become words, and numbers are filled in.  Evidence that nothing
needs goes; what is kept of it, the set-up and the drawing are folded.  What only the built book knows (the numbers of
figures and statements, titles, citations) is asked of `Book`; book/_ext/download_copy.py gives it.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Mapping
from typing import Protocol

import chapter
import nbformat
import quizzes
from chapter import Block
from nbformat import NotebookNode
from refresh import METADATA

ROLE = re.compile(r"\{([\w:+-]+)\}(?P<t>`+)(?!`)(.+?)(?<!`)(?P=t)(?!`)", re.DOTALL)
EXPLICIT = re.compile(r"^(.*?)\s*<([^<>]+)>$", re.DOTALL)
NUMBERED = re.compile(r"\$\$(.*?)\$\$[ \t]*\(([\w:-]+)\)", re.DOTALL)
LOCAL_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|mailto:|#)[^)]*\)")
DROPPED = re.compile(r"^\([\w-]+\)=[ ]*\n?|(?<=\]){[#.][^}]*}|(?<=[$`\]])\{#[\w-]+\}", re.MULTILINE)
LEFT_OVER = re.compile(r"\{[a-z][\w:+-]*\}`|^[ >]*[`:~]{3,}\s*\{|^\([\w-]+\)=", re.MULTILINE)
PLAIN_DIRECTIVES = {"note", "tip", "warning", "important", "hint", "seealso", "attention", "caution"}
NOT_SHOWN = {"bibliography", "statements", "eval-rst", "raw", "tableofcontents", "exercise-end", "solution-end"}


class Book(Protocol):
    """What only the built book knows."""

    def number(self, label: str) -> str:
        """Return the name and number of a figure, statement or exercise, such as "Fig. 3.1"."""

    def equation(self, label: str) -> str:
        """Return the number of an equation."""

    def title(self, label: str) -> str:
        """Return the title of a page or of a section."""

    def cite(self, key: str) -> str:
        """Return author and year."""

    def value(self, page: str, name: str) -> str:
        """Return what a page has glued under that name, as text."""

    def quiz(self, page: str) -> list[quizzes.Question]:
        """Return the questions of a page."""


def copy_for_download(notebook: NotebookNode, page: str, book: Book, package: str = "linvae[chapters]") -> NotebookNode:
    """Return the notebook as plain Markdown and cells that run; `package` is what pip is asked for."""
    cells: list[NotebookNode] = []
    kept = needed(notebook)
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            text = plain(cell.source, page, book, chapter.minutes(notebook))
            if text.strip():
                cells.append(nbformat.v4.new_markdown_cell(text))
        elif cell.cell_type == "code" and i in kept:
            cells.append(runnable(cell))
            if chapter.caption(cell):
                label = cell.metadata.mystnb.figure.get("name", "")
                head = f"**{book.number(label)}.** " if label else ""
                cells.append(nbformat.v4.new_markdown_cell(head + inline(chapter.caption(cell), page, book)))
    install = next((cell for cell in cells if cell.source.startswith(chapter.INSTALL)), None)
    if install is None:
        install = runnable(nbformat.v4.new_code_cell(chapter.INSTALL, metadata={"tags": ["hide-cell"]}))
        cells.insert(min(1, len(cells)), install)
    install.source = install.source.replace("linvae[chapters]", package)
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:03d}"
    return nbformat.v4.new_notebook(cells=cells, metadata=nbformat.from_dict(METADATA))


def needed(notebook: NotebookNode) -> set[int]:
    """Return the places of the code cells to keep: all but evidence whose names no kept cell after it reads."""
    kept: set[int] = set()
    wanted: set[str] = set()
    for i in reversed(range(len(notebook.cells))):
        cell = notebook.cells[i]
        if cell.cell_type != "code":
            continue
        binds, reads = names(cell.source)
        if chapter.kind(cell) != "evidence" or binds & wanted:
            kept.add(i)
            wanted |= reads
    return kept


def names(source: str) -> tuple[set[str], set[str]]:
    """Return the names that a cell binds and those that it reads."""
    tree = ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE))
    binds, reads = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (reads if isinstance(node.ctx, ast.Load) else binds).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            binds.add(node.name)
        elif isinstance(node, ast.alias):
            binds.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            binds.add(node.name)
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):  # a[0] = 1, a.b = 1
            binds |= {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return binds, reads


def runnable(cell: NotebookNode) -> NotebookNode:
    """Return a code cell with its outputs, folded unless it is there to be read, and without what was glued."""
    outputs = [copy.deepcopy(output) for output in cell.outputs if chapter.RECORD not in output.get("data", {})]
    metadata = {} if chapter.kind(cell) == "visible" else {"jupyter": {"source_hidden": True}}
    return nbformat.v4.new_code_cell(
        cell.source, metadata=metadata, outputs=outputs, execution_count=cell.execution_count
    )


def plain(text: str, page: str, book: Book, minutes: int) -> str:
    """Return MyST as Markdown that any reader shows."""
    return "\n\n".join(blocks_in_plain(chapter.parse(text), page, book, minutes))


def blocks_in_plain(parts: list[str | Block], page: str, book: Book, minutes: int) -> list[str]:
    """Return the same for text that has been parsed, a string for each part that shows."""
    shown = [_plain(part, page, book, minutes).strip("\n") for part in parts]
    return [text for text in shown if text.strip()]


def _plain(part: str | Block, page: str, book: Book, minutes: int) -> str:
    if isinstance(part, str):
        return inline(part, page, book)
    if part.name in NOT_SHOWN:
        return ""
    label = part.options.get("label", "") or part.options.get("name", "")
    argument = inline(part.argument, page, book)
    if part.name == "quiz":
        return quizzes.markdown(book.quiz(page))
    if part.name == "math":
        tag = f"\n\\tag{{{book.equation(label)}}}" if label else ""
        return f"$$\n{part.content[0]}{tag}\n$$"
    if part.name in chapter.RAW:
        language = part.argument if part.name in ("", "code", "code-block") else ""
        return f"{part.fence}{language}\n{part.content[0]}\n{part.fence}"
    body = "\n\n".join(_plain(inner, page, book, minutes).strip("\n") for inner in part.content)
    if part.name == "figure":
        head = f"**{book.number(label)}.** " if label else ""
        return head + body
    if part.name == "live":
        where = f" ({book.number(label)})" if label else ""
        caption = body.split("\n\n")[0].replace("\n", " ")
        return f"*The book on the web has a figure to play with here{where}:* {caption}"
    title = _title(part, label, argument, book, minutes)
    if part.name == "prf:proof":
        return f"*Proof.* {body}"
    if part.name in ("exercise", "exercise-start", "solution-start"):
        return f"**{title}.** {body}" if not body.startswith(("-", "1.", "|")) else f"**{title}.**\n\n{body}"
    if part.is_folded:
        return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"
    if part.name == "talk" and part.options.get("row"):
        rows = part.options["row"].split(", ")
        named = f"Rows {', '.join(rows[:-1])} and {rows[-1]}" if rows[1:] else f"Row {rows[0]}"
        body += f"\n\n({named} of the book’s ledger.)"
    return _quote(f"**{title}**\n\n{body}" if title else body)


def _title(part: Block, label: str, argument: str, book: Book, minutes: int) -> str:
    """Return the title that the page gives a block."""
    if part.name == "goals":
        return f"Goals · {minutes} minutes to read"
    if part.name == "talk":
        return f"In the talk, {argument}"
    if part.name.startswith("solution"):
        return f"Solution to {book.number(part.argument)}"
    if part.name.startswith(("prf:", "exercise")):
        kind = book.number(label) if label else part.name.removeprefix("prf:").removesuffix("-start").capitalize()
        argument = re.sub(r"^[CDLM]\d+ · ", "", argument)
        return f"{kind} ({argument})" if argument else kind
    return argument or (part.name.capitalize() if part.name in PLAIN_DIRECTIVES else "")


def _quote(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def inline(text: str, page: str, book: Book) -> str:
    """Return a run of text with its roles as words."""
    text = NUMBERED.sub(lambda found: f"$${found[1].rstrip()} \\tag{{{book.equation(found[2])}}}\n$$", text)
    text = DROPPED.sub("", text)
    text = ROLE.sub(lambda found: _role(found[1], found[3], page, book), text)
    return LOCAL_LINK.sub(r"\1", text)


def _role(role: str, content: str, page: str, book: Book) -> str:
    explicit = EXPLICIT.match(content)
    text, target = (explicit[1], explicit[2]) if explicit else ("", content)
    if role.startswith("glue:"):
        found = chapter.GLUED.match(f"{{{role}}}`{content}`")
        if not found:
            raise ValueError(
                f"{page}: cannot read the quoted number {content!r}; write `name` or `page.ipynb::name:.2f`"
            )
        source = (found["page"] or page).removesuffix(".ipynb")
        return chapter.set_number(book.value(source, found["name"]), found["format"])
    if role.startswith("cite"):
        return "[" + "; ".join(book.cite(key.strip()) for key in content.split(",")) + "]"
    if role == "eq":
        return f"({book.equation(target)})"
    if role in ("numref", "prf:ref"):
        number = book.number(target)
        return text.replace("%s", number.split()[-1]) if text else number
    if role in ("ref", "doc"):
        return text or f"*{book.title(target)}*"
    if role == "minutes":
        return book.value(content, "minutes")
    return f"`{content.lstrip('~!').rsplit('.', 1)[-1] if content.startswith('~') else text or content}`"


def left_over(notebook: NotebookNode) -> list[str]:
    """Return what is still MyST in a copy."""
    texts: Mapping[str, str] = {c.id: c.source for c in notebook.cells if c.cell_type == "markdown"}
    outside_code = {cell: re.sub(r"^(`{3,}).*?^\1", "", text, flags=re.M | re.S) for cell, text in texts.items()}
    return [f"{cell}: {found[0]!r}" for cell, text in outside_code.items() for found in LEFT_OVER.finditer(text)]
