"""The course kit, made from the chapters: python tools/course.py [build/course]

student/     notebooks without solutions and without outputs: each exercise is a gap, with the check that will judge it
instructor/  the same chapters whole, every cell in the chapter's own order, with solutions and notes for the teacher
worksheets/  one page a chapter for a class without computers, as HTML, and as PDF where Chromium is at hand

Numbers of figures, titles and citations are what the last `make book` found.  Drills and notes are in course/.
"""

from __future__ import annotations

import ast
import copy
import json
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import chapter
import download
import nbformat
import quizzes
import yaml
from chapter import Block
from nbformat import NotebookNode
from refresh import METADATA

ROOT = Path(__file__).resolve().parents[1]
KNOWN = ROOT / "_build" / ".doctrees" / "known.json"
CHECK = re.compile(r"\bcheck\(\s*[\"']([\w-]+)[\"']")
HERE = "%pip install --quiet --find-links ."  # the wheel lies beside the notebooks


class KnownBook:
    """What the last build of the book knew (`download.Book`), as book/_ext/download_copy.py wrote it down."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known

    def _ask(self, *words: str) -> str:
        try:
            return self.known[" ".join(words)]
        except KeyError:
            raise ValueError(f"the built book does not know {' '.join(words)!r}; run make book again") from None

    def number(self, label: str) -> str:
        return self._ask("number", label)

    def equation(self, label: str) -> str:
        return self._ask("equation", label)

    def title(self, label: str) -> str:
        return self._ask("title", label)

    def cite(self, key: str) -> str:
        return self._ask("cite", key)

    def value(self, page: str, name: str) -> str:
        return self._ask("value", page, name)

    def quiz(self, page: str) -> list[quizzes.Question]:
        return quizzes.read(quizzes.QUIZ / f"{page}.yml")


@dataclass(frozen=True)
class Piece:
    """A part of a chapter: a code cell or a part of a text, the exercise it belongs to, and if it gives it away."""

    content: str | Block | NotebookNode
    place: int
    exercise: str = ""
    solves: bool = False
    ends: bool = False  # the exercise is complete with this piece

    @property
    def is_code(self) -> bool:
        return isinstance(self.content, NotebookNode)


def pieces(notebook: NotebookNode) -> Iterator[Piece]:
    """Yield a chapter in its order, piece by piece; raise if a solution stands where none is looked for."""
    asked = solved = ""
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            yield Piece(cell, place, solved or asked, bool(solved))
        for part in chapter.parse(cell.source) if cell.cell_type == "markdown" else []:
            name = part.name if isinstance(part, Block) else ""
            if isinstance(part, Block) and any(b.name.startswith("solution") for b in chapter.blocks(part.content)):
                raise ValueError(
                    f"cell {place} has a solution inside of another block; move it out, after the exercise"
                )
            if name == "exercise-start":
                asked = part.options["label"]
            elif name == "solution-start":
                solved = part.argument
            label = part.options["label"] if name == "exercise" else part.argument if name == "solution" else ""
            ends = name in ("exercise", "exercise-end")
            yield Piece(part, place, label or solved or asked, bool(solved) or name == "solution", ends)
            asked = "" if name == "exercise-end" else asked
            solved = "" if name == "solution-end" else solved


def checks(notebook: NotebookNode) -> dict[str, str]:
    """Return {label: check} of the exercises that a check judges."""
    found: dict[str, str] = {}
    for piece in pieces(notebook):
        if piece.is_code and piece.exercise and not piece.solves and (name := CHECK.search(piece.content.source)):
            found[piece.exercise] = name[1]
    return found


# ---------------------------------------------------------------- notebooks


def student(notebook: NotebookNode, page: str, book: download.Book) -> NotebookNode:
    """Return the notebook that is handed out: no solution and no output; every exercise is a gap."""
    notebook = _without_plumbing(notebook)
    kept = _needed(notebook)
    judged = checks(notebook)
    made = _Cells(page, book, chapter.minutes(notebook))
    for piece in pieces(notebook):
        if piece.solves or _is_quiz(
            piece.content
        ):  # the page asks, and explains afterwards; a notebook has no afterwards
            continue
        if piece.is_code:
            if piece.place in kept and piece.content.source:
                made.code(_gap(piece, judged, book) if piece.exercise else _blank(piece.content))
                made.caption(piece.content)
            continue
        if _opens(piece.content, "## Takeaways"):
            made.drills(page, solved=False)
        made.text(piece.content)
        if piece.ends and piece.exercise not in judged:
            made.note(
                f"**Your answer to {book.number(piece.exercise)}.** *Double-click here, and write in this cell.*",
                {"exercise": piece.exercise},
            )
    return made.notebook("student")


def instructor(notebook: NotebookNode, page: str, book: download.Book) -> NotebookNode:
    """Return the chapter with its solutions, all of its code cells in their order, and notes for the teacher."""
    made = _Cells(page, book, chapter.minutes(notebook))
    judged = checks(notebook)
    told = False
    for piece in pieces(notebook):
        if piece.place and not told:
            made.note(notes(notebook, page), {})
            told = True
        if piece.is_code:
            made.code(_here(download.runnable(piece.content)))
            made.caption(piece.content)
            continue
        if _opens(piece.content, "## Takeaways"):
            made.drills(page, solved=True)
        made.text(piece.content)
        if piece.ends and piece.exercise in judged:
            made.note(_mistakes(judged[piece.exercise]), {"exercise": piece.exercise})
    return made.notebook("instructor")


class _Cells:
    """The cells of a copy as they are collected; runs of text become one cell."""

    def __init__(self, page: str, book: download.Book, minutes: int) -> None:
        self.page, self.book, self.minutes = page, book, minutes
        self.cells: list[NotebookNode] = []
        self.run: list[str] = []

    def text(self, part: str | Block) -> None:
        self.run += download.blocks_in_plain([part], self.page, self.book, self.minutes)

    def _flush(self) -> None:
        if self.run:
            self.cells.append(nbformat.v4.new_markdown_cell("\n\n".join(self.run)))
        self.run = []

    def code(self, cell: NotebookNode) -> None:
        self._flush()
        self.cells.append(cell)

    def caption(self, cell: NotebookNode) -> None:
        if text := chapter.caption(cell):
            label = cell.metadata.mystnb.figure.get("name", "")
            head = f"**{self.book.number(label)}.** " if label else ""
            self.run.append(head + download.inline(text, self.page, self.book))

    def note(self, text: str, about: dict[str, str]) -> None:
        self._flush()
        self.cells.append(nbformat.v4.new_markdown_cell(text, metadata={"linvae": about} if about else {}))

    def drills(self, page: str, *, solved: bool) -> None:
        for drill in drills().get(page, []):
            title = f"Drill: {drill['title']}"
            self.run.append(f"**{title}.** {download.inline(drill['asks'], page, self.book).strip()}")
            if solved:
                self.note(f"**Solution to the drill.**\n\n```python\n{filled(drill, drill['answer'])}\n```", {})
            else:
                self.code(
                    nbformat.v4.new_code_cell(
                        f"# Drill, {drill['title']}: put your answer where the three dots are, and run the cell.\n"
                        + drill["gap"].strip(),
                        metadata={"linvae": {"exercise": f"drill {drill['check']}", "check": drill["check"]}},
                    )
                )

    def notebook(self, kit: str) -> NotebookNode:
        self._flush()
        for number, cell in enumerate(self.cells):
            cell.id = f"cell-{number:03d}"
        about = METADATA | {"linvae": {"chapter": self.page, "kit": kit}}
        return nbformat.v4.new_notebook(cells=self.cells, metadata=nbformat.from_dict(about))


def _without_plumbing(notebook: NotebookNode) -> NotebookNode:
    """Return the chapter without what only the book needs: numbers glued, and what evidence asserts."""
    bare = copy.deepcopy(notebook)
    for cell in bare.cells:
        if cell.cell_type == "code" and chapter.kind(cell) == "evidence":
            lines = cell.source.split("\n")
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.Assert) or ast.unparse(node).startswith("glue("):
                    lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
            cell.source = "\n".join(line for line in lines if line.strip())
    if not any("glue(" in cell.source for cell in bare.cells if cell.cell_type == "code"):
        for cell in bare.cells:
            cell.source = re.sub(
                r"^(from linvae\.book import .*?)(?:, glue\b|\bglue, )", r"\1", cell.source, flags=re.M
            )
            cell.source = re.sub(r"^from linvae\.book import glue\n", "", cell.source, flags=re.M)
    return bare


def _needed(notebook: NotebookNode) -> set[int]:
    """Return the places of the cells that a student needs (see `download.needed`), solutions left out."""
    without = copy.deepcopy(notebook)
    for piece in pieces(notebook):
        if piece.is_code and piece.solves:
            without.cells[piece.place].source = ""
    return download.needed(without)


def _blank(cell: NotebookNode) -> NotebookNode:
    bare = _here(download.runnable(cell))
    return nbformat.v4.new_code_cell(bare.source, metadata=bare.metadata)


def _here(cell: NotebookNode) -> NotebookNode:
    cell.source = cell.source.replace("%pip install --quiet", HERE)
    return cell


def _gap(piece: Piece, judged: dict[str, str], book: download.Book) -> NotebookNode:
    """Return the cell of an exercise: it says what to do, and holds the dots and the check."""
    cell = _blank(piece.content)
    source = re.sub(r"= None(\s+# yours)", r"= ...\1", cell.source)
    cell.metadata["linvae"] = {"exercise": piece.exercise}
    to_do = "start from this cell"
    if name := CHECK.search(source):
        cell.metadata["linvae"]["check"] = name[1]
        to_do = "put your answer where the three dots are, and run the cell" if "..." in source else "change this cell"
    cell.source = f"# {book.number(piece.exercise)}: {to_do}.\n{source}"
    return cell


def _is_quiz(part: str | Block | NotebookNode) -> bool:
    return _opens(part, "## Check yourself") or (isinstance(part, Block) and part.name == "quiz")


def _opens(part: str | Block | NotebookNode, heading: str) -> bool:
    return isinstance(part, str) and heading in part


# ---------------------------------------------------------------- what a teacher adds


@cache
def drills() -> dict[str, list[dict[str, str]]]:
    """Return {chapter: its proof drills}: title, asks, gap, check, answer, mistakes."""
    return _kept("drills.yml")


def filled(drill: dict[str, str], answer: str) -> str:
    """Return the cell of a drill with something in the place of its dots."""
    return re.sub(r"return (\[\.\.\., \.\.\.\]|\.\.\.)", lambda _: f"return {answer}", drill["gap"].strip())


@cache
def misconceptions() -> dict[str, list[str]]:
    """Return {chapter: what students often believe, and what shows them otherwise}."""
    return _kept("notes.yml")


def _kept(name: str) -> dict[str, Any]:
    path = ROOT / "course" / name
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path.exists() else {}


def notes(notebook: NotebookNode, page: str) -> str:
    """Return the notes that open an instructor's notebook: minutes, the talk's slips, common misconceptions."""
    lines = [
        "> **For the teacher**",
        f"*Minutes to read:* {chapter.minutes(notebook)}, of which "
        + "; ".join(f"{title}: {spent}" for title, spent in section_minutes(notebook))
        + ". The exercises take as long again.",
    ]
    slips = [
        f"{block.argument} ({', '.join(slip_titles()[row.strip()] for row in block.options['row'].split(','))})"
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for block in chapter.blocks(chapter.parse(cell.source))
        if block.name == "talk" and "row" in block.options
    ]
    if slips:
        lines.append("*Where the talk slips, and the row of the ledger:* " + "; ".join(slips) + ".")
    lines += [f"*A common misconception:* {text.strip()}" for text in misconceptions().get(page, [])]
    return "\n>\n".join(line if line.startswith(">") else f"> {line}" for line in lines)


@cache
def slip_titles() -> dict[str, str]:
    """Return {row of the ledger: its title}."""
    text = (ROOT / "book" / "ledger.md").read_text(encoding="utf-8")
    return {row: f"{row}. {title}" for row, title in re.findall(r"^## (\d+)\. (.+)$", text, re.MULTILINE)}


def section_minutes(notebook: NotebookNode) -> list[tuple[str, int]]:
    """Return the sections of a chapter with the minutes to read each, counted as `chapter.minutes` does."""
    spent: dict[str, float] = {"opening": 0.0}
    section = "opening"
    for part in chapter.unfolded(notebook):
        if isinstance(part, str):
            for line in part.split("\n"):
                if line.startswith("## "):
                    section = line.removeprefix("## ").strip()
                    spent[section] = 0.0
            spent[section] += chapter.words_in(part) / chapter.WORDS_A_MINUTE
        elif isinstance(part, Block):
            spent[section] += chapter.STATEMENT * part.is_statement + chapter.FIGURE * (part.name == "figure")
        else:
            spent[section] += chapter.FIGURE * bool(chapter.caption(part))
            spent[section] += chapter.VISIBLE * (chapter.kind(part) == "visible")
    return [(title, max(1, round(minutes))) for title, minutes in spent.items() if title not in ("Takeaways",)]


def _mistakes(check: str) -> str:
    """Return what the check says to a wrong answer, for the teacher who walks about."""
    from linvae.book.exercises import hints

    known, other = hints(check)
    said = "\n".join(f"> - {hint}" for hint in known)
    return f"> **For the teacher.** Known mistakes get an answer of their own:\n>\n{said}\n>\n> To any other: {other}"


# ---------------------------------------------------------------- the whole kit


def chapters() -> list[str]:
    """Return the chapters in the order of the book."""
    return [page for _, pages in parts() for page in pages]


def parts() -> list[tuple[str, list[str]]]:
    """Return the parts of the book, each with its chapters."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    found = []
    for part in toc["parts"]:
        pages = [Path(entry["file"]).name for entry in part["chapters"]]
        pages = [page for page in pages if (ROOT / "book" / f"{page}.ipynb").exists()]
        if pages:
            found.append((part["caption"], pages))
    return found


def read(page: str) -> NotebookNode:
    return nbformat.read(ROOT / "book" / f"{page}.ipynb", as_version=4)


def known_book() -> KnownBook:
    """Return what the last build knew.

    Raises
    ------
    FileNotFoundError
        If the book has not been built.
    """
    if not KNOWN.exists():
        raise FileNotFoundError(f"{KNOWN} is missing; run make book first")
    return KnownBook(json.loads(KNOWN.read_text(encoding="utf-8")))


def write(notebook: NotebookNode, path: Path) -> None:
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(notebook).rstrip("\n") + "\n", encoding="utf-8", newline="\n")


def pack(folder: Path) -> None:
    """Pack a folder into one file to hand out, the same bytes for the same content."""
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}")
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, path.read_bytes())


def main(arguments: list[str]) -> int:
    import worksheet

    target = Path(arguments[0]) if arguments else ROOT / "build" / "course"
    try:
        book = known_book()
    except FileNotFoundError as problem:
        print(problem, file=sys.stderr)
        return 1
    for name in ("student", "instructor", "worksheets"):
        shutil.rmtree(target / name, ignore_errors=True)
    for number, page in enumerate(chapters(), 1):
        for kit in (student, instructor):
            made = kit(read(page), page, book)
            for left in download.left_over(made):
                print(f"{page} still holds {left}; tools/download.py does not know it", file=sys.stderr)
                return 1
            write(made, target / kit.__name__ / f"{number:02}-{page}.ipynb")
        worksheet.write(page, book, target / "worksheets" / f"{number:02}-{page}.html")
    for name in ("student", "instructor"):
        for path in (*target.glob("*.whl"), ROOT / "LICENSE", ROOT / "LICENSE-TEXT", ROOT / "course" / "README.md"):
            shutil.copy(path, target / name)
    printed = worksheet.print_all(target / "worksheets")
    for name in ("student", "instructor", "worksheets"):
        pack(target / name)
    print(f"{target}: {len(chapters())} chapters, each for students and for the teacher, and a worksheet. {printed}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
