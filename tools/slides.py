"""Build the slides: python tools/slides.py (the job `make slides` fetches reveal.js first)

A deck is a Markdown file in `course/slides`.  A heading begins a slide, and is its claim.  Under it stand words,
formulas, and what the chapters have stored, taken by name:

    ```{figure} naive::fig-naive           the figure of that label, with its alt text; `:crop:` takes a part
    ```{live} naive::dials                 the live figure; on paper, or where no script runs, its still picture
    ```{table} collapse::New digits        the table whose caption begins so; `:rows:` and `:columns:` choose,
                                           `:caption:` says of what is chosen only
    {glue:text}`why::digits_first:.0f`     a number that the chapter has glued
    {entry}`collapse::New digits|each class|error`     an entry of a table: caption | row | column
    {doc}`naive`                           a link to the chapter, by its title, or as in {doc}`words <naive>`
    :::{notes}                             what to say; `:minutes:`, `:ask:` the question for the room, `:source:`

Whatever is measured is looked up: a digit that is typed by hand stops the build, unless the deck's head names it as
`chosen`, as a number of codes is.  What is built works from file:// without a network.
"""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import chapter
import nbformat
import yaml
from chapter import Block
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
DECKS = ROOT / "course" / "slides"
THEME = DECKS / "theme"
REVEAL = ROOT / "build" / "reveal"
BUILT = ROOT / "_build" / "html" / "slides"

ENTRY = re.compile(r"\{entry\}`(?P<page>[\w-]+)::(?P<caption>[^`|]+)\|(?P<row>[^`|]+)\|(?P<column>[^`|]+)`")
DOC = re.compile(r"\{doc\}`(?:(?P<words>[^`<]+) <)?(?P<page>[\w-]+)>?`")
HEAD = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
MATH = re.compile(r"\$\$.*?\$\$|\$[^$]+\$", re.DOTALL)
NUMERAL = re.compile(r"\d(?:[\d,.]*\d)?")
LOOKED_UP = "\N{SYMBOL FOR SUBSTITUTE}"
WIDE = 1.85  # times as wide as tall: words stand under such a figure
POINTS = 12  # of the words in a figure, unless its cell says otherwise
SAID = re.compile(r"\b(?:font|label)?size=(\d+)\b(?!,)")


class DeckError(ValueError):
    """What is wrong in a deck, and where."""


@dataclass
class Slide:
    """A claim, what stands under it, and what is said."""

    title: str
    body: list[str | Block]
    notes: Block | None

    @property
    def minutes(self) -> float:
        return float(self.notes.options.get("minutes", 0)) if self.notes else 0.0

    @property
    def spoken(self) -> str:
        return "\n".join(part for part in self.notes.content if isinstance(part, str)) if self.notes else ""

    @property
    def texts(self) -> Iterator[str]:
        """Yield every text of the slide, what is said included."""
        yield self.title
        for part in self.body:
            yield from [part] if isinstance(part, str) else map(part.options.get, ("alt", "caption"), ("", ""))
        if self.notes:
            yield self.notes.options.get("ask", "")
            yield self.spoken

    @property
    def blocks(self) -> list[Block]:
        return [part for part in self.body if isinstance(part, Block)]


@dataclass
class Deck:
    """A file of slides."""

    name: str
    title: str
    subtitle: str
    chosen: set[str]
    slides: list[Slide] = field(default_factory=list)

    @property
    def minutes(self) -> float:
        return sum(slide.minutes for slide in self.slides)


# ---- reading


def read(path: Path) -> Deck:
    """Read a deck; its first slide is made of its head, and has the notes that stand before the first heading."""
    found = HEAD.match(path.read_text(encoding="utf-8"))
    if not found:
        raise DeckError(f"{path.name} needs a head between two lines of ---, with title, subtitle and chosen")
    head = yaml.safe_load(found[1])
    deck = Deck(path.stem, head["title"], head["subtitle"], set(str(head.get("chosen", "")).split()))
    before, *rest = TITLE.split(found[2])
    for title, text in zip([deck.title, *rest[::2]], [before, *rest[1::2]], strict=True):
        parts = chapter.parse(text)
        notes = [part for part in parts if isinstance(part, Block) and part.name == "notes"]
        body = [part for part in parts if part not in notes and (isinstance(part, Block) or part.strip())]
        deck.slides.append(Slide(title.strip(), body, notes[0] if notes else None))
    return deck


@cache
def notebook(page: str) -> NotebookNode:
    path = BOOK / f"{page}.ipynb"
    if not path.is_file():
        raise DeckError(f"there is no chapter {page!r}; chapters are {', '.join(sorted(titles()))}")
    return nbformat.read(path, as_version=4)


@cache
def titles() -> dict[str, str]:
    """Return {chapter: title} of the book's parts."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"][0].removeprefix("# ").strip()
        for path in sorted(BOOK.glob("*.ipynb"))
    }


@cache
def glued(page: str) -> dict[str, str]:
    return chapter.glued(notebook(page))


def number(page: str, name: str, form: str | None) -> str:
    """Return a glued number as the slide sets it."""
    values = glued(page.removesuffix(".ipynb"))
    if name not in values:
        raise DeckError(f"the chapter {page!r} has glued no {name!r}; it has {', '.join(sorted(values)) or 'nothing'}")
    return chapter.set_number(values[name], form).replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True)
class Figure:
    """A stored picture, its alt text, and the points of its smallest words."""

    png: bytes
    alt: str
    points: int

    @property
    def size(self) -> tuple[int, int]:
        return Image.open(io.BytesIO(self.png)).size


def figure(page: str, label: str) -> Figure:
    labels = []
    for cell in notebook(page).cells:
        found = cell.metadata.get("mystnb", {})
        labels.append(found.get("figure", {}).get("name", ""))
        if labels[-1] == label:
            png = next(o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {}))
            points = [int(size) for size in SAID.findall(cell.source) if 6 <= int(size) < POINTS]
            return Figure(base64.b64decode(png), found["image"]["alt"], min(points, default=POINTS))
    raise DeckError(f"the chapter {page!r} has no figure {label!r}; it has {', '.join(filter(None, labels))}")


def live(page: str, name: str) -> Block:
    """Return the directive of a live figure."""
    for cell in notebook(page).cells:
        if cell.cell_type == "markdown":
            for block in chapter.blocks(chapter.parse(cell.source)):
                if block.name == "live" and block.argument == name:
                    return block
    raise DeckError(f"the chapter {page!r} has no live figure {name!r}")


@dataclass(frozen=True)
class Table:
    """A stored table: every entry is text, and the first of a row its name."""

    caption: str
    header: list[str]
    rows: list[list[str]]

    def row(self, name: str) -> list[str]:
        return _named(self.rows, [row[0] for row in self.rows], name, f"row of “{self.caption}”")

    def place(self, name: str) -> int:
        return _named(list(range(len(self.header))), self.header, name, f"column of “{self.caption}”")


def _named(things: list[Any], names: list[str], name: str, kind: str) -> Any:
    if names.count(name) != 1:
        raise DeckError(f"{name!r} is not one {kind}; there are {', '.join(names)}")
    return things[names.index(name)]


@cache
def tables(page: str) -> list[Table]:
    found = []
    for cell in notebook(page).cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            if html.startswith("<table"):
                tree = ET.fromstring(html)
                rows = [["".join(entry.itertext()).strip() for entry in row] for row in tree.iter("tr")]
                found.append(Table(tree.findtext("caption", "").strip(), rows[0], rows[1:]))
    return found


def table(page: str, caption: str) -> Table:
    found = [one for one in tables(page) if one.caption.startswith(caption)]
    if len(found) != 1:
        known = "; ".join(one.caption for one in tables(page))
        raise DeckError(f"{page}: {len(found)} tables begin with {caption!r}; the captions are: {known}")
    return found[0]


def entry(page: str, caption: str, row: str, column: str) -> str:
    found = table(page, caption)
    return found.row(row)[found.place(column)]


# ---- checking


def plain(text: str, mark: str = LOOKED_UP) -> str:
    """Return a text with a mark in the place of what is looked up, and without formulas, code and links."""
    text = ENTRY.sub(mark, chapter.GLUED.sub(mark, text))
    return re.sub(r"`[^`]*`", "", MATH.sub(" ", DOC.sub(mark, text)))


def typed(text: str, chosen: set[str]) -> list[str]:
    """Return the numbers that a text states and does not look up."""
    words = NUMERAL.sub(lambda found: LOOKED_UP if found[0] in chosen else found[0], plain(text))
    wrong = NUMERAL.findall(words) + re.findall(f"(?<!{LOOKED_UP})(?<!{LOOKED_UP} )%", words)
    sizes = [size for formula in MATH.findall(text) for size in NUMERAL.findall(formula)]
    return wrong + [size for size in sizes if len(size) > 1 and size not in chosen]  # one digit is a power or an index


def faults(deck: Deck) -> list[str]:
    """Return what a deck lacks: notes, minutes, a question, a source; and the numbers typed by hand."""
    words = NUMERAL.findall(" ".join(chapter.GLUED.sub("", text) for slide in deck.slides for text in slide.texts))
    found = [f"{deck.name}: {idle} is chosen and does not occur" for idle in sorted(deck.chosen - set(words))]
    found += [f"{deck.name}: {size} is measured, not chosen" for size in sorted(deck.chosen) if "." in size]
    for i, slide in enumerate(deck.slides, 1):
        where = f"{deck.name}, slide {i} ({slide.title})"
        if slide.notes is None or not slide.spoken.strip():
            found.append(f"{where}: has no notes")
        elif slide.minutes <= 0:
            found.append(f"{where}: its notes give no minutes")
        elif not slide.notes.options.get("ask"):
            found.append(f"{where}: its notes ask the room nothing")
        if i > 1 and not slide.title.endswith((".", "?")):
            found.append(f"{where}: a title is a sentence")
        if slide.notes and "$" in slide.spoken + slide.notes.options.get("ask", ""):
            found.append(f"{where}: the speaker's window shows no formulas; say it in words")
        for text in slide.texts:
            found += [f"{where}: {wrong!r} is typed by hand" for wrong in typed(text, deck.chosen)]
        if not sources(slide) and i > 1:
            found.append(f"{where}: say the chapter, by :source: in its notes")
    return found


def sources(slide: Slide) -> list[tuple[str, str]]:
    """Return the chapters that a slide draws from, with the place in each."""
    found = []
    for block in slide.blocks:
        page, _, label = block.argument.partition("::")
        found.append((page, {"figure": label, "live": f"live-{label}"}.get(block.name, "")))
    if slide.notes:
        found += [(page, "") for page in slide.notes.options.get("source", "").split()]
    for text in slide.texts:
        found += [(page, "") for page, _ in sorted(chapter.quoted(text, ""))] if not found else []
        found += [(match["page"], "") for match in ENTRY.finditer(text)] if not found else []
        found += [(match["page"], "") for match in DOC.finditer(text)] if not found else []
    return list(dict(reversed(found)).items())[::-1]


# ---- setting


def _formula(left: str, right: str) -> Any:
    return lambda self, tokens, i, *_: left + escape(tokens[i].content) + right


markdown = MarkdownIt("commonmark").use(dollarmath_plugin, allow_space=False)
markdown.add_render_rule("math_inline", _formula(r'<span class="math">\(', r"\)</span>"))
markdown.add_render_rule("math_block", _formula(r'<div class="math">\[', "\\]</div>\n"))


def _template(name: str) -> Template:
    return Template((THEME / f"{name}.html").read_text(encoding="utf-8"))


def filled(text: str) -> str:
    """Return a text with everything looked up."""
    text = chapter.GLUED.sub(lambda m: number(m["page"] or "", m["name"], m["format"]), text)
    text = ENTRY.sub(lambda m: entry(m["page"], m["caption"], m["row"], m["column"]), text)
    return DOC.sub(lambda m: f"[{m['words'] or title(m['page'])}]({address(m['page'])})", text)


def title(page: str) -> str:
    if page not in titles():
        raise DeckError(f"there is no chapter {page!r}; chapters are {', '.join(titles())}")
    return titles()[page]


def address(page: str, label: str = "") -> str:
    """Return where a chapter lies, seen from the decks."""
    return f"../book/{page}.html" + (f"#{label}" if label else "")


def in_line(text: str) -> str:
    return str(markdown.renderInline(filled(text)))


def cropped(block: Block) -> Figure:
    """Return the figure of a block, or a part: its left, top, right and bottom edge in hundredths."""
    page, _, label = block.argument.partition("::")
    found = figure(page, label)
    if "crop" not in block.options:
        return found
    if not block.options.get("alt"):
        raise DeckError(f"{block.argument}: a part of a figure needs an :alt: of its own")
    left, top, right, bottom = (int(edge) / 100 for edge in block.options["crop"].split())
    picture, part = Image.open(io.BytesIO(found.png)), io.BytesIO()
    width, height = picture.size
    picture.crop((int(left * width), int(top * height), int(right * width), int(bottom * height))).save(part, "PNG")
    return Figure(part.getvalue(), block.options["alt"], found.points)


def set_figure(block: Block, folder: Path) -> str:
    found = cropped(block)
    width, height = found.size
    name = "-".join([*block.argument.split("::"), *block.options.get("crop", "").split()])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.png").write_bytes(found.png)
    return (
        f'<div class="picture" style="--ratio: {width / height:.3f}">'
        f'<img src="figures/{name}.png" alt="{escape(found.alt)}" '
        f'width="{width}" height="{height}" data-points="{found.points}"></div>'
    )


def set_live(block: Block, folder: Path) -> str:
    page, _, name = block.argument.partition("::")
    alt = escape(live(page, name).options["alt"])
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("live.css", "live.js", f"{name}.js", f"{name}.data.js", f"{name}.png"):
        shutil.copy(BOOK / "_static" / "live" / file, folder)
    (folder / f"{name}.html").write_text(_template("frame").substitute(name=name, alt=alt), encoding="utf-8")
    return (
        f'<div class="picture playable"><iframe data-src="live/{name}.html" title="A figure to play with: {alt}">'
        f'</iframe><img class="still" src="live/{name}.png" alt="{alt}"></div>'
    )


def set_table(block: Block) -> str:
    page, _, caption = block.argument.partition("::")
    found = table(page, caption)
    rows, names = found.rows, found.header[1:]
    if "rows" in block.options:
        rows = [found.row(name.strip()) for name in block.options["rows"].split("|")]
    if "columns" in block.options:
        names = [name.strip() for name in block.options["columns"].split("|")]
    places = [found.place(name) for name in names]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in [found.header[0], *names])
    lines = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(row[place])}</td>" for place in places)
        + "</tr>"
        for row in rows
    )
    said = f"<caption>{escape(block.options.get('caption', found.caption))}</caption>"
    return f"<table>{said}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def set_part(part: str | Block, built: Path) -> str:
    if isinstance(part, str):
        return f'<div class="words">{markdown.render(filled(part))}</div>'
    if part.name == "figure":
        return set_figure(part, built / "figures")
    if part.name == "live":
        return set_live(part, built / "live")
    if part.name == "table":
        return set_table(part)
    raise DeckError(f"a slide knows no {part.name or 'code'!r}; it knows figure, live, table and notes")


def shape(slide: Slide) -> str:
    """Return how a slide is laid out: words beside what is tall, and under what is wide."""
    if not slide.blocks:
        return "worded"
    if slide.blocks[0].name != "figure" or len(slide.body) == 1:
        return "wide"
    width, height = cropped(slide.blocks[0]).size
    return "wide" if width > WIDE * height else "beside"


def set_slide(slide: Slide, place: int, deck: Deck, built: Path) -> str:
    first = place == 1
    heading = "h1" if first else "h2"
    body = "\n".join(set_part(part, built) for part in slide.body)
    if first:
        body = f'<p class="subtitle">{in_line(deck.subtitle)}</p>\n{body}'
    link = "Linear generative models · text and figures CC BY 4.0"
    if not first:
        page, label = sources(slide)[0]
        link = f'In the book: <a href="{address(page, label)}">{in_line(title(page))}</a>'
    notes = ""
    if slide.notes:
        ask = slide.notes.options.get("ask", "")
        notes = (
            f'<aside class="notes"><p><strong>{slide.minutes:g} min</strong></p>\n'
            f"{markdown.render(filled(slide.spoken))}"
            f"<p><strong>Ask the room:</strong> {in_line(ask)}</p></aside>"
        )
    return (
        f'<section id="{_slug(slide, place)}"><div class="slide {"opening" if first else shape(slide)}">\n'
        f"<{heading}>{in_line(slide.title)}</{heading}>\n"
        f'<div class="body">\n{body}\n</div>\n'
        f"<footer><span>{link}</span><span>{place} / {len(deck.slides)}</span></footer>\n</div>\n"
        f"{notes}\n</section>"
    )


def _slug(slide: Slide, place: int) -> str:
    words = re.findall(r"[a-z]+", plain(slide.title, "").lower())
    return "-".join([f"s{place}", *words[:6]])


def write(deck: Deck, built: Path = BUILT) -> str:
    """Write a deck, and return its page; whatever it lacks stops the build."""
    wrong = faults(deck)
    if wrong:
        raise DeckError("\n".join(wrong))
    slides = "\n".join(set_slide(slide, place, deck, built) for place, slide in enumerate(deck.slides, 1))
    page = _template("deck").substitute(title=escape(plain(deck.title, "")), slides=slides)
    built.mkdir(parents=True, exist_ok=True)
    (built / f"{deck.name}.html").write_text(page, encoding="utf-8")
    return page


def write_shared(decks: list[Deck], built: Path = BUILT) -> None:
    """Write what all decks use, and the page that lists them."""
    if not (REVEAL / "dist" / "reveal.js").is_file():
        raise DeckError(f"reveal.js is not in {REVEAL.relative_to(ROOT)}; run make slides, which asks npm for it")
    (built / "reveal").mkdir(parents=True, exist_ok=True)
    for file in ("dist/reveal.css", "dist/reveal.js", "dist/plugin/notes.js", "LICENSE"):
        shutil.copy(REVEAL / file, built / "reveal")
    shutil.copytree(BOOK / "_static" / "mathjax", built / "mathjax", dirs_exist_ok=True)
    unused = shutil.ignore_patterns("frame.*", "*.html")
    shutil.copytree(THEME, built / "theme", dirs_exist_ok=True, ignore=unused)
    (built / "live").mkdir(exist_ok=True)
    for file in ("frame.css", "frame.js"):
        shutil.copy(THEME / file, built / "live")
    lines = "\n".join(
        f'<li><a href="{deck.name}.html">{in_line(deck.title)}</a>: '
        f"{len(deck.slides)} slides, {deck.minutes:.0f} minutes</li>"
        for deck in decks
    )
    (built / "index.html").write_text(_template("index").substitute(decks=lines), encoding="utf-8")


def decks() -> list[Deck]:
    """Return all decks, the talk first."""
    return [read(path) for path in sorted(DECKS.glob("*.md"), key=lambda path: (path.stem != "talk", path.stem))]


if __name__ == "__main__":
    try:
        shutil.rmtree(BUILT, ignore_errors=True)
        every = decks()
        for one in every:
            write(one)
            print(f"{one.name}: {len(one.slides)} slides, {one.minutes:.0f} minutes")
        write_shared(every)
        print(f"Open {BUILT / 'index.html'}.")
    except DeckError as problem:
        sys.exit(str(problem))
