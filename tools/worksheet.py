"""A worksheet: the pencil exercises of a chapter on one page, for a class without computers (tools/course.py).

What an exercise refers to (an equation, a statement, a figure) is printed with it.  The page is HTML whose formulas
MathJax sets from a folder beside it; where Chromium is at hand it is printed as PDF too.
"""

from __future__ import annotations

import os
import re
import shutil
from functools import cache
from html import escape
from pathlib import Path

import chapter
import download
from chapter import Block
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode

import course

ROOT = Path(__file__).resolve().parents[1]
MATHJAX = ROOT / "book" / "_static" / "mathjax"
ASKED = ("warmup", "pencil")
REFERRED = re.compile(r"\{(eq|prf:ref|numref)\}`(?:[^`<>]*<)?([\w:.-]+)>?`")
EQUATION = re.compile(r"\$\$(.*?)\$\$(?:[ \t]*\(([\w:-]+)\))?", re.DOTALL)
SETS_UP = re.compile(r"^(from|import)\s|\.\.\.|^check\(|^\s*$|^print\(check")

STYLE = """
@page { size: A4; margin: 0; }
* { box-sizing: border-box; }
body { margin: 0; color: #111; background: #fff; font: 10pt/1.36 Georgia, "DejaVu Serif", serif; }
main { width: 210mm; height: 296mm; margin: 0 auto; padding: 13mm 16mm 10mm; display: flex; flex-direction: column; }
header { border-bottom: 1.5pt solid #111; padding-bottom: 2mm; }
h1 { font-size: 14pt; line-height: 1.2; margin: 0 0 2.5mm; }
.who { display: flex; gap: 6mm; margin: 0; }
.who span { flex: 1; border-bottom: .5pt solid #777; height: 6mm; color: #444; }
.who span:first-child { flex: 3; }
section { display: flex; flex-direction: column; flex: 1 0 auto; margin-top: 3mm; }
section[id$="pencil"] { flex-grow: 2; }
h2 { font-size: 11pt; margin: 0 0 1mm; }
p, ol, ul { margin: 0 0 1.6mm; }
aside { border-left: 2pt solid #888; padding-left: 3mm; margin: 1mm 0; font-size: 9.2pt; }
aside img { display: block; max-width: 100%; max-height: 46mm; }
mjx-container[display="true"] { margin: 1mm 0 !important; }
pre { font: 8.6pt/1.3 "DejaVu Sans Mono", monospace; margin: 0 0 1.6mm; }
.room { flex: 1 1 24mm; min-height: 16mm;
  background: repeating-linear-gradient(#fff 0 7.65mm, #bbb 7.65mm 8mm); -webkit-print-color-adjust: exact;
  print-color-adjust: exact; }
footer { margin-top: 3mm; font-size: 8pt; color: #444; }
@media screen { main { box-shadow: 0 0 4mm #bbb; } }
"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Worksheet: {title}</title>
<style>{style}</style>
<script>MathJax = {{tex: {{inlineMath: [["\\\\(", "\\\\)"]], displayMath: [["\\\\[", "\\\\]"]]}},
  chtml: {{scale: 0.95}}}};</script>
<script defer src="mathjax/tex-chtml-full.js"></script>
</head>
<body>
<main>
<header>
<h1>{title}</h1>
<p class="who"><span>Name</span><span>Date</span></p>
</header>
{sections}
<footer>{footer}</footer>
</main>
</body>
</html>
"""


def exercises(notebook: NotebookNode) -> dict[str, list[str | Block | NotebookNode]]:
    """Return {label: its blocks, and the code that sets it up} of the exercises that need no computer."""
    found: dict[str, list[str | Block | NotebookNode]] = {}
    for piece in course.pieces(notebook):
        if piece.exercise.endswith(ASKED) and not piece.solves:
            found.setdefault(piece.exercise, []).append(piece.content)
    return found


def html(page: str, book: download.Book) -> str:
    """Return the worksheet of a chapter."""
    notebook = course.read(page)
    sections, printed = [], set()
    for label, contents in exercises(notebook).items():
        texts, title = [], ""
        for part in contents:
            if isinstance(part, Block) and part.name.startswith("exercise"):
                title = title or re.sub(r"^(Warm-up|Pencil): (.)", lambda m: m[2].upper(), part.argument)
                texts += [_markdown(inner) for inner in part.content]
            elif isinstance(part, NotebookNode):
                lines = [line for line in part.source.split("\n") if not SETS_UP.search(line)]
                texts += ["```\n" + "\n".join(lines) + "\n```"] if lines else []
            else:
                texts.append(_markdown(part))
        raw = "\n\n".join(texts)
        given = _given(raw, page, book, printed)
        body = download.inline(raw, page, book)
        sections.append(
            f'<section id="{label}">\n<h2>{escape(book.number(label))} · {_set(title, inline=True)}</h2>\n'
            f'{_set(body)}{given}<div class="room"></div>\n</section>'
        )
    title = next(line[2:] for line in notebook.cells[0].source.split("\n") if line.startswith("# "))
    footer = "From the book Linear generative models. Text and figures: CC BY 4.0."
    return PAGE.format(title=escape(title), style=STYLE, sections="\n".join(sections), footer=footer)


def _markdown(part: str | Block) -> str:
    """Return the Markdown of a part, with its roles."""
    if isinstance(part, str):
        return part
    if part.name == "math":
        return f"$$\n{part.content[0]}\n$$"
    return "\n\n".join(map(_markdown, part.content))


def _given(text: str, page: str, book: download.Book, printed: set[str]) -> str:
    """Return what a text refers to, so that the page can be used alone; each thing once a page."""
    boxes = []
    for role, label in dict.fromkeys(REFERRED.findall(text)):
        if label in printed:
            continue
        printed.add(label)
        if role == "numref":
            picture, caption = _figure(label)
            said = _set(download.inline(f"**{book.number(label)}.** {caption}", page, book))
            boxes.append(f'<img src="data:image/png;base64,{picture}" alt="{escape(book.number(label))}">{said}')
        elif role == "eq" and label in _equations():
            boxes.append(_equation(label, book))
        elif role == "prf:ref":
            source, block = _statements()[label]
            head = f"**{book.number(label)} ({block.argument}).**"
            boxes.append(_set(download.inline(f"{head} {_stated(block, book)}", source, book)))
            asked = [found for found in REFERRED.findall(_stated(block, book)) if found[0] == "eq"]
            boxes += [_equation(label, book) for _, label in asked if label not in printed and label in _equations()]
            printed |= {label for _, label in asked}
    return f"<aside>{''.join(boxes)}</aside>" if boxes else ""


def _stated(block: Block, book: download.Book) -> str:
    text = "\n\n".join(map(_markdown, block.content)).strip()
    return EQUATION.sub(lambda found: f"$${found[1].rstrip()}{_tag(found[2], book)}\n$$", text)


def _equation(label: str, book: download.Book) -> str:
    return _set(f"$$\n{_equations()[label].strip()}{_tag(label, book)}\n$$")


def _tag(label: str | None, book: download.Book) -> str:
    return f" \\tag{{{book.equation(label)}}}" if label else ""


@cache
def _equations() -> dict[str, str]:
    found = {}
    for page in course.chapters():
        for cell in course.read(page).cells:
            if cell.cell_type == "markdown":
                found |= {label: tex for tex, label in EQUATION.findall(cell.source) if label}
                for block in chapter.blocks(chapter.parse(cell.source)):
                    if block.name == "math" and "label" in block.options:
                        found[block.options["label"]] = str(block.content[0])
    return found


@cache
def _statements() -> dict[str, tuple[str, Block]]:
    return {
        block.options["label"]: (page, block)
        for page in course.chapters()
        for cell in course.read(page).cells
        if cell.cell_type == "markdown"
        for block in chapter.blocks(chapter.parse(cell.source))
        if block.name.startswith("prf:") and "label" in block.options
    }


@cache
def _figure(label: str) -> tuple[str, str]:
    for page in course.chapters():
        for cell in course.read(page).cells:
            if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == label:
                picture = next(
                    output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})
                )
                return picture.replace("\n", ""), chapter.caption(cell)
    raise ValueError(f"no chapter has a figure {label!r}")


def _set(text: str, *, inline: bool = False) -> str:
    """Return Markdown as HTML, formulas in the brackets that MathJax looks for."""
    marks = MarkdownIt("commonmark").enable("table")
    brackets = lambda tex, how: f"\\[{escape(tex)}\\]" if how.get("display_mode") else f"\\({escape(tex)}\\)"  # noqa: E731
    marks.use(dollarmath_plugin, renderer=brackets, allow_digits=True)
    return marks.renderInline(text) if inline else marks.render(text)


def write(page: str, book: download.Book, path: Path) -> None:
    """Write the worksheet of a chapter, and MathJax beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html(page, book), encoding="utf-8", newline="\n")
    shutil.copytree(MATHJAX, path.parent / "mathjax", dirs_exist_ok=True)


def print_all(folder: Path) -> str:
    """Print every worksheet of a folder as PDF; return a sentence on what was done."""
    pages = sorted(folder.glob("*.html"))
    try:
        from playwright.sync_api import Error, sync_playwright
    except ModuleNotFoundError:
        return "No PDF: this needs playwright, which pip install 'linvae[browser]' brings."
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        except Error:
            return "No PDF: there is no Chromium here; print the worksheets from any browser."
        tab = browser.new_page(viewport={"width": 1000, "height": 1200})
        long = []
        for path in pages:
            tab.goto(path.resolve().as_uri())
            tab.evaluate("MathJax.startup.promise")
            long += [path.name] if tab.evaluate(OVERFLOWS) else []
            tab.pdf(path=path.with_suffix(".pdf"), prefer_css_page_size=True, print_background=True)
        browser.close()
    if long:
        raise ValueError(f"longer than a page: {', '.join(long)}; shorten an exercise, or what it refers to")
    return f"{len(pages)} PDFs."


OVERFLOWS = """() => {
    const page = document.querySelector("main");
    return page.scrollHeight > page.clientHeight + 1 || page.scrollWidth > page.clientWidth + 1
        || [...document.querySelectorAll("mjx-merror")].length > 0;
}"""
