"""Print the built book as one PDF: python tools/pdf.py [_build/book.pdf]

Headless Chromium prints every page of `_toc.yml`, as the styles for paper have it; the prints become one file with a
table of contents, page numbers, bookmarks, and links that lead inside the file.  What is wider than the sheet is made
smaller.  Needs the extra `browser` and a Chromium.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from playwright.sync_api import Browser, ViewportSize, sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, FloatObject, NameObject, NullObject

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
TOP = 842.0  # points of a sheet of A4
SCALE = 0.8  # of a pixel on paper; 16 pixels become 9.6 points
MARGINS = {"top": "16mm", "bottom": "18mm", "left": "18mm", "right": "18mm"}
UPRIGHT, ACROSS = (round((side - 36) / 25.4 * 96 / SCALE) for side in (210, 297))  # pixels of a line on A4
SMALLEST = 0.6  # of a table, or its page is printed across
NUMBER = """<div style="font: 9px sans-serif; color: #444; width: 100%; text-align: center">
  <span class="pageNumber"></span></div>"""

# Formulas and pictures are there, and nothing is wider than the sheet; returns by how much the smallest table shrank.
READY = """async () => {
  document.documentElement.dataset.theme = "light";
  for (const picture of document.images) picture.loading = "eager";
  if (document.querySelector(".math")) await MathJax.startup.promise;
  await Promise.all([...document.images].map(picture => picture.decode().catch(() => {})));
  await document.fonts.ready;
  const article = document.querySelector("article");
  const most = article.getBoundingClientRect().right;
  let smallest = 1;
  for (const box of article.querySelectorAll("table, mjx-container[display]")) {
    box.style.zoom = 1;
    if (!box.offsetParent) continue;
    const inside = box.matches("table") ? box : box.firstElementChild;
    const { left, width } = inside.getBoundingClientRect();
    if (left + width <= most + 1) continue;
    box.style.zoom = Math.max(0.4, (most - left) / width);
    if (box === inside) smallest = Math.min(smallest, box.style.zoom);
  }
  const led = document.createElement("div");  // a print knows the places that a link of its page leads to
  led.hidden = true;
  for (const { id } of article.querySelectorAll("[id]")) {
    led.append(Object.assign(document.createElement("a"), { href: `#${encodeURIComponent(id)}` }));
  }
  article.append(led);
  return smallest;
}"""
CONTENTS = """
  body { font: 11pt/1.35 sans-serif; }
  h1 { font-size: 24pt; margin: 12mm 0 2mm; }
  h2 { font-size: 11pt; margin: 5mm 0 1mm; }
  p { display: flex; gap: 2mm; margin: 0.6mm 0; }
  p b { font-weight: 400; }
  p span { max-width: 150mm; }
  i { border-bottom: 1px dotted #888; flex: 1; margin-bottom: 1.5mm; }
"""
# The theme prints the title with a list of sections, which stands before the book here.
STYLE = """
  #jb-print-docs-body, .bd-header, .bd-header-article, .header-article, .prev-next-area, .bd-sidebar-primary,
  .bd-sidebar-secondary, .bd-footer, .footer-content, .bd-footer-content, #pst-back-to-top, #pst-skip-link,
  .headerlink, .viewcode-link { display: none !important; }
  .bd-article h1 { display: block !important; }
  .bd-main .bd-content .bd-article-container { max-width: none; padding: 0; width: 100%; }
  .bd-article { padding: 0 !important; }
  .bd-article table { break-inside: auto !important; }
  .bd-article tr { break-inside: avoid; }
  .bd-article p:has(+ .pst-scrollable-table-container) { break-after: avoid; }
"""


def pages_of(toc: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the parts of the book, each a caption and its pages."""
    parts = [(part["caption"], [chapter["file"] for chapter in part["chapters"]]) for part in toc["parts"]]
    return [("", [toc["root"]]), *parts]


def viewport(width: int) -> ViewportSize:
    return {"width": width, "height": 1100}


class Printer:
    """A tab of Chromium with the network off, as wide as the sheet."""

    def __init__(self, browser: Browser) -> None:
        self.tab = browser.new_page(viewport=viewport(UPRIGHT), color_scheme="light")
        self.tab.context.set_offline(True)
        self.tab.emulate_media(media="print")

    def page(self, path: Path) -> tuple[str, bytes]:
        """Return title and print of a page of the book."""
        self.tab.goto(path.as_uri(), wait_until="load")
        self.tab.add_style_tag(content=STYLE)
        across = self.tab.evaluate(READY) < SMALLEST
        if across:
            self.tab.set_viewport_size(viewport(ACROSS))
            self.tab.evaluate(READY)
        title = self.tab.locator("article h1").first.inner_text()  # what is not drawn, as the link to it, is not in it
        content = self.tab.pdf(
            format="A4",
            landscape=across,
            margin=MARGINS,
            scale=SCALE,
            print_background=True,
            outline=True,
            tagged=True,
        )
        self.tab.set_viewport_size(viewport(UPRIGHT))
        return " ".join(title.split()), content

    def words(self, html: str) -> bytes:
        self.tab.set_content(f'<html lang="en"><meta charset="utf-8">{html}</html>')
        return self.tab.pdf(format="A4", margin=MARGINS, tagged=True)

    def numbers(self, count: int, across: bool) -> bytes:
        """Return empty sheets that bear nothing but their number."""
        sheets = '<div style="break-after: page; height: 1px"></div>' * (count - 1)
        self.tab.set_content(f"<html><body>{sheets}<div style='height: 1px'></div></body></html>")
        return self.tab.pdf(
            format="A4",
            landscape=across,
            margin=MARGINS,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=NUMBER,
        )


def contents(title: str, parts: list[tuple[str, list[tuple[str, int]]]]) -> str:
    """Return title and table of contents as HTML."""
    rows = []
    for caption, chapters in parts:
        rows += [f"<h2>{escape(caption)}</h2>"] if caption else []
        rows += [f"<p><span>{escape(name)}</span><i></i><b>{number}</b></p>" for name, number in chapters]
    head = f"<h1>{escape(title)}</h1><div>Version {version('linvae')}</div><h2>Contents</h2>"
    return f"<title>{escape(title)}</title><style>{CONTENTS}</style>{head}{''.join(rows)}"


def sections(reader: PdfReader) -> list[Any]:
    """Return the headings below that of the page."""
    below = next((item for item in reader.outline if isinstance(item, list)), [])
    return [item for item in below if not isinstance(item, list)]


class Places:
    """Where pages and their parts are in the book."""

    def __init__(self, readers: dict[str, PdfReader], first: int) -> None:
        self.starts: dict[str, int] = {}
        self.owners = [""] * first
        self.parts: dict[tuple[str, str], tuple[int, float]] = {}
        for name, reader in readers.items():
            start = self.starts[name] = len(self.owners)
            self.owners += [name] * len(reader.pages)
            for part, goal in reader.named_destinations.items():
                number = reader.get_destination_page_number(goal)
                if number is not None:
                    self.parts[name, part.lstrip("/")] = (start + number, float(goal.get("/Top") or TOP))

    def goal(self, link: Any, sheet: int) -> tuple[int, float] | None:
        """Return sheet and height of a link between pages or within one; None of any other link."""
        action = link.get("/A", {})
        address = urlsplit(str(action.get("/URI", "")))
        if address.scheme == "file":
            name = unquote(address.path).rpartition("/html/")[2].removesuffix(".html")
            part = unquote(address.fragment)
        else:
            name, part = self.owners[sheet], str(link.get("/Dest") or action.get("/D") or "").lstrip("/")
            if not part or (name, part) not in self.parts:
                return None
        return self.parts.get((name, part), (self.starts[name], TOP)) if name in self.starts else None


def lead_inside(writer: PdfWriter, places: Places) -> None:
    """Let links to pages of the book go to their sheet, and those to other files of the site go nowhere."""
    for sheet, page in enumerate(writer.pages):
        kept = ArrayObject()
        for reference in page.get("/Annots") or []:
            link = reference.get_object()
            goal = places.goal(link, sheet)
            if goal:
                number, top = goal
                to = [writer.pages[number].indirect_reference, NameObject("/XYZ"), NullObject(), FloatObject(top)]
                link.pop("/Dest", None)
                link[NameObject("/A")] = DictionaryObject(
                    {NameObject("/S"): NameObject("/GoTo"), NameObject("/D"): ArrayObject([*to, NullObject()])}
                )
            if goal or not str(link.get("/A", {}).get("/URI", "")).startswith("file:"):
                kept.append(reference)
        if "/Annots" in page:
            page[NameObject("/Annots")] = kept


def print_book(browser: Browser, target: Path, toc: dict[str, Any]) -> None:
    """Print the built pages of a table of contents to one file."""
    parts, printer = pages_of(toc), Printer(browser)
    titles, readers = {}, {}
    for name in (name for _, names in parts for name in names):
        titles[name], content = printer.page(HTML / f"{name}.html")
        readers[name] = PdfReader(io.BytesIO(content))
    book = titles[parts[0][1][0]]

    def front(sheets: int) -> tuple[Places, PdfReader]:
        """Return the table of contents, if it takes that many sheets."""
        places = Places(readers, sheets)
        table = [(part, [(titles[name], places.starts[name] + 1) for name in names]) for part, names in parts]
        return places, PdfReader(io.BytesIO(printer.words(contents(book, table))))

    places, first = front(len(front(1)[1].pages))
    writer = PdfWriter()
    for reader in (first, *readers.values()):
        writer.append(reader, import_outline=False)
    lead_inside(writer, places)

    def mark(title: str, sheet: int, above: Any = None) -> Any:
        return writer.add_outline_item(title=title, page_number=sheet, parent=above)

    mark("Contents", 0)
    for part, names in parts:
        above = mark(part, places.starts[names[0]]) if part else None
        for name in names:
            page = mark(titles[name], places.starts[name], above)
            for section in sections(readers[name]):
                number = readers[name].get_destination_page_number(section)
                mark(section.title, places.starts[name] + (number or 0), page)
    count = len(writer.pages)
    upright, across = (PdfReader(io.BytesIO(printer.numbers(count, side))).pages for side in (False, True))
    for number, sheet in enumerate(writer.pages):
        sheet.merge_page((across if sheet.mediabox.width > sheet.mediabox.height else upright)[number])
    printer.tab.close()
    writer.compress_identical_objects()
    writer.add_metadata({"/Title": book, "/Producer": f"linvae {version('linvae')}"})
    writer.page_mode = "/UseOutlines"
    target.parent.mkdir(exist_ok=True)
    writer.write(target)
    print(f"{target}: {len(writer.pages)} pages, {target.stat().st_size / 1e6:.1f} MB")


def main(arguments: list[str]) -> int:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        print("no Chromium; install one, or name it in CHROMIUM", file=sys.stderr)
        return 1
    if not HTML.is_dir():
        print("the book is not built; run make book", file=sys.stderr)
        return 1
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        print_book(browser, Path(arguments[0]) if arguments else ROOT / "_build" / "book.pdf", toc)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
