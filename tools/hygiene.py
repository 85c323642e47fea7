"""Check that chapters are as a reader should find them: python tools/hygiene.py [book/naive.ipynb …]

Every rule is a small function that yields sentences. CONTRIBUTING.md tells what the rules are for, and shows every
construct that they ask for.
"""

import ast
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import chapter
import nbformat
import quizzes
from nbformat import NotebookNode
from refresh import CELL_METADATA, METADATA, ROOT

MAX_LINES = 25
VISIBLE_LINES, VISIBLE_COLUMNS, VISIBLE_ASSERTS = 12, 76, 2
IN_PARAGRAPH, IN_ITEM = 3, 5
MAX_WORDS = 3000
EXERCISES = 3
# Modules of the extras that a reader of a downloaded chapter may not have.
EXTRAS = {
    "dask": "dask",
    "distributed": "dask",
    "linvae.dask": "dask",
    "linvae.deep": "deep",
    "linvae.flow": "deep",
    "numba": "fast",
    "pyarrow": "stores",
    "torch": "deep",
    "zarr": "stores",
}
# Of a statement or a row of the ledger; L1 and L2 are also norms.
LABEL = re.compile(r"(?<![\w-])(?:[CDM]\d{1,2}|L(?:[3-9]|\d\d))\b")
CHECKS = ROOT / "linvae" / "book" / "checks.json"
UNCOMPARED = "nbval-ignore-output"
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


def numbers_its_cells(notebook: NotebookNode) -> Iterator[str]:
    for place, cell in enumerate(notebook.cells):
        if cell.get("id") != f"cell-{place:03d}":
            yield f"{name(cell)} is not named cell-{place:03d}; run `make refresh`"
            return


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
    if {key: value for key, value in notebook.metadata.items() if key != "linvae"} != METADATA:
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


def has_short_visible_cells(notebook: NotebookNode) -> Iterator[str]:
    for cell in code(notebook):
        if chapter.kind(cell) != "visible":
            continue
        lines = cell.source.splitlines()
        if len(lines) > VISIBLE_LINES:
            yield (
                f"{name(cell)} is visible and has {len(lines)} lines, the limit is {VISIBLE_LINES}; split it, move a "
                "function to linvae/, or fold it: hide-input for a figure, remove-cell for evidence"
            )
        widest = max(map(len, lines), default=0)
        if widest > VISIBLE_COLUMNS:
            yield f"{name(cell)} is {widest} columns wide, the page shows {VISIBLE_COLUMNS}; run `ruff format book`"
        asserts = len(re.findall(r"^\s*assert\b", cell.source, re.MULTILINE))
        if asserts > VISIBLE_ASSERTS:
            yield (
                f'{name(cell)} is visible and asserts {asserts} things, the limit is {VISIBLE_ASSERTS}; keep "by hand '
                'equals the package", and move the others to an evidence cell (remove-cell) or to a test'
            )


def glues_out_of_sight(notebook: NotebookNode) -> Iterator[str]:
    for cell in code(notebook):
        glues = re.search(r"^\s*glue\(", cell.source, re.MULTILINE)
        if glues and chapter.kind(cell) != "evidence":
            yield f"{name(cell)} glues in a {chapter.kind(cell)} cell; glue in an evidence cell, tagged remove-cell"


def folds_its_setup(notebook: NotebookNode) -> Iterator[str]:
    cells = code(notebook)
    if not cells or not cells[0].source.startswith(chapter.INSTALL):
        yield f"the first code cell does not open with the lines that install the package:\n{chapter.INSTALL}"
    elif chapter.kind(cells[0]) != "set-up":
        yield f"{name(cells[0])} sets up and is not folded; tag it hide-cell"
    for cell in cells[1:]:
        if chapter.kind(cell) == "set-up":
            yield f"{name(cell)} is a second set-up cell; import everything in the first one"


def has_one_kind_a_cell(notebook: NotebookNode) -> Iterator[str]:
    for cell in code(notebook):
        kinds = sorted(set(cell.metadata.get("tags", [])) & set(chapter.KINDS))
        if len(kinds) > 1:
            yield f"{name(cell)} is tagged {' and '.join(kinds)}; a cell is of one kind, keep one tag"


def has_goals(notebook: NotebookNode) -> Iterator[str]:
    goals = [block for block in all_blocks(notebook) if block.name == "goals"]
    if len(goals) != 1:
        yield f"{len(goals)} boxes of goals; give one, `:::{{goals}}`, and it counts the minutes itself"
    for block in goals:
        if re.search(r"\d+\s+minutes", block.argument + chapter_text(block)):
            yield "the goals type their minutes; leave them out, the page counts them"


def all_blocks(notebook: NotebookNode) -> Iterator[chapter.Block]:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield from chapter.blocks(chapter.parse(cell.source))


def chapter_text(block: chapter.Block) -> str:
    """Return the Markdown of a block, that of the blocks in it too."""
    return "\n\n".join(part if isinstance(part, str) else chapter_text(part) for part in block.content)


def quotes_the_talk(notebook: NotebookNode) -> Iterator[str]:
    for block in all_blocks(notebook):
        if block.name == "talk" and not re.search('[“"„]', chapter_text(block)):
            yield f"the box on {block.argument} of the talk quotes nothing; quote the slide in one line, “…”"


def tells_the_map(notebook: NotebookNode) -> Iterator[str]:
    """The map of chapters on the landing page is drawn from this."""
    about = notebook.metadata.get("linvae", {})
    line, needs = about.get("line", ""), about.get("needs", [])
    if not 20 <= len(line) <= 110:
        yield f"metadata.linvae.line has {len(line)} letters; say in 20 to 110 what the chapter is about"
    unknown = [name for name in needs if not (ROOT / "book" / f"{name}.ipynb").is_file()]
    if "needs" not in about or unknown:
        yield f"metadata.linvae.needs is {needs}; list the chapters that this one rests on, [] for none"


def is_short(notebook: NotebookNode) -> Iterator[str]:
    words = chapter.words(notebook)
    if words > MAX_WORDS:
        yield f"{words} words, the limit is {MAX_WORDS} (solutions and proofs not counted); cut, or make two chapters"


def quotes_few_numbers(notebook: NotebookNode) -> Iterator[str]:
    for text in chapter.texts(notebook):
        for paragraph in re.split(r"\n[ \t]*\n|\n(?=[ \t]*(?:[-*+]|\d+\.)[ \t])", text):
            numbers = len(chapter.GLUED.findall(paragraph))
            item = re.match(r"\s*(?:[-*+]|\d+\.)[ \t]", paragraph)
            limit = IN_ITEM if item else IN_PARAGRAPH
            if numbers > limit and not paragraph.lstrip().startswith("|"):
                where = "a list item" if item else "a paragraph"
                yield (
                    f"{where} quotes {numbers} numbers, the limit is {limit}: {paragraph.strip()[:60]!r}; make one "
                    "claim with its number, and show the rest as a table or a figure"
                )


def types_no_table(notebook: NotebookNode) -> Iterator[str]:
    for text in chapter.texts(notebook):
        rows = [line for line in text.splitlines() if line.lstrip().startswith("|") and chapter.GLUED.search(line)]
        lists = [b for b in chapter.blocks(chapter.parse(text)) if b.name == "list-table"]
        if rows or any(chapter.GLUED.search(chapter_text(block)) for block in lists):
            yield "a typed table quotes numbers; let a cell end in linvae.book.table(frame, caption=...)"


def states_answers(notebook: NotebookNode) -> Iterator[str]:
    registered = json.loads(CHECKS.read_text(encoding="utf-8"))
    for label, body in exercises(notebook):
        checks = re.findall(r"\bcheck\(\s*[\"']([\w-]+)[\"']", body)
        if not checks and not re.search(r"\*(?:You should get|A good answer)\b[^*]*\*", body):
            yield (
                f"exercise {label} says not what one should get; add a line that opens with *You should get* or "
                '*A good answer*, or a cell that ends in check("' + label.removeprefix("ex-") + '", answer)'
            )
        for check in checks:
            if check not in registered:
                yield f'exercise {label} has check("{check}"), not in {CHECKS.name}; add what linvae.book.seal returns'


def exercises(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """Yield the label of every exercise and all that stands in it, its cells too."""
    open_label, body = "", ""
    for cell in notebook.cells:
        if cell.cell_type == "code" and open_label:
            body += cell.source + "\n"
        for block in chapter.blocks(chapter.parse(cell.source)) if cell.cell_type == "markdown" else []:
            label = block.options.get("label", "")
            if block.name == "exercise":
                yield label, chapter_text(block)
            elif block.name == "exercise-start":
                open_label, body = label, chapter_text(block) + cell.source
            elif block.name == "exercise-end":
                yield open_label, body
                open_label = ""
    if open_label:
        yield open_label, body


def hides_labels(notebook: NotebookNode) -> Iterator[str]:
    for text in chapter.texts(notebook):
        bare = NOT_PROSE.sub(" ", text)
        for label in sorted(set(LABEL.findall(bare))):
            yield f"the prose says {label}; call the statement by what it says, or refer to it by {{prf:ref}}`{label}`"
        for block in chapter.blocks(chapter.parse(text)):
            if block.is_statement and re.search(r"`test_\w+`", chapter_text(block)):
                yield (
                    f"{block.name} {block.options.get('label')} names its tests; leave them out, the sign beside the "
                    "title shows them"
                )


def quotes_what_it_glues(notebook: NotebookNode, page: str, elsewhere: Iterable[tuple[str, str]] = ()) -> Iterator[str]:
    quoted = {*elsewhere}.union(*(chapter.quoted(text, page) for text in chapter.texts(notebook)))
    for glued in chapter.glued(notebook):
        if (page, glued) not in quoted:
            yield f"{glued!r} is glued and quoted on no page; drop it, or print it where it teaches"


def skips_politely(notebook: NotebookNode) -> Iterator[str]:
    """Extras are asked for by `needs`, so that a reader without them meets a sentence.

    That sentence is none of the stored outputs, so the cell is not compared with them.
    """
    for cell in code(notebook):
        if "needs(" in cell.source and UNCOMPARED not in cell.metadata.get("tags", []):
            yield f"{name(cell)} says so where an extra is missing; tag it {UNCOMPARED}, for then its output is another"
        source = re.sub(r"^(\s*)%.*$", r"\1pass", cell.source, flags=re.MULTILINE)
        try:
            tree = ast.parse(source)
        except SyntaxError:
            continue
        for node in tree.body:
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                extra = EXTRAS.get(module) or EXTRAS.get(module.split(".")[0])
                if extra:
                    yield (
                        f"{name(cell)} imports {module} for all readers; put it under "
                        f'`if needs("{extra}"):` from linvae.book, and what follows from it too'
                    )


def ends_with_a_quiz(notebook: NotebookNode) -> Iterator[str]:
    found = [block for block in all_blocks(notebook) if block.name == "quiz"]
    if len(found) != 1 or "{quiz}" not in notebook.cells[-1].source:
        yield f"{len(found)} quizzes; the last cell has one, `:::{{quiz}}`, and its questions stand in book/quiz"


RULES: list[Callable[[NotebookNode], Iterator[str]]] = [
    starts_with_title,
    was_run,
    numbers_its_cells,
    has_no_errors,
    has_short_cells,
    types_no_numbers,
    shows_pictures,
    has_exercises,
    has_clean_metadata,
    names_no_machine,
    has_short_visible_cells,
    glues_out_of_sight,
    folds_its_setup,
    has_one_kind_a_cell,
    has_goals,
    tells_the_map,
    quotes_the_talk,
    is_short,
    quotes_few_numbers,
    types_no_table,
    states_answers,
    hides_labels,
    skips_politely,
]


def quoted_by_others(path: Path) -> set[tuple[str, str]]:
    """Return what the other pages beside this chapter quote."""
    quoted: set[tuple[str, str]] = set()
    for page in sorted(path.parent.iterdir()):
        if page.suffix == ".md":
            quoted |= chapter.quoted(page.read_text(encoding="utf-8"), page.name)
        elif page.suffix == ".ipynb" and page != path:
            for text in chapter.texts(nbformat.read(page, as_version=4)):
                quoted |= chapter.quoted(text, page.stem)
    return quoted


def problems(path: Path) -> list[str]:
    """Return what is wrong with one chapter, one sentence each."""
    notebook = nbformat.read(path, as_version=4)
    found = [problem for rule in RULES for problem in rule(notebook)]
    found += quotes_what_it_glues(notebook, path.stem, quoted_by_others(path))
    if path.stem in quizzes.chapters():  # the final project is none
        found += ends_with_a_quiz(notebook)
    return [f"{path.name}: {problem}" for problem in found]


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
