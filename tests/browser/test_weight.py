"""What a reader waits for: the bytes that must come before a page is drawn, compressed as a server sends them.

Run by `make browser`, after `make book`; the list goes to build/page-weights.md.
"""

import gzip
import os
import re
import shutil
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
LIST = ROOT / "build" / "page-weights.md"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
PAGES = sorted(
    page for page in HTML.rglob("*.html") if not {"_static", "_modules", "slides"} & set(page.relative_to(HTML).parts)
)
CHAPTERS = {path.stem for path in (ROOT / "book").glob("*.ipynb")}
MOST = 300  # kilobytes of a chapter before its pictures

STYLE = re.compile(r'<link [^>]*rel="stylesheet"[^>]*>')
SCRIPT = re.compile(r'<script ([^>]*src="[^"]+"[^>]*)>')
PICTURE = re.compile(r"<img [^>]*>")
IMPORT = re.compile(r"""@import\s+(?:url\()?["']?([^"')?#]+)""")
ADDRESS = re.compile(r'(?:src|href)="([^"?#]+)')

pytestmark = pytest.mark.skipif(not PAGES, reason="the book is not built; run make book")


@cache
def text_of(path):
    return path.read_text(encoding="utf-8")


@cache
def compressed(path):
    """Pictures are compressed already."""
    content = path.read_bytes()
    return len(content) if path.suffix == ".png" else len(gzip.compress(content, 6))


def files(page, tags):
    found = {(page.parent / unquote(ADDRESS.search(tag)[1])).resolve() for tag in tags}
    return sorted(path for path in found if path.is_file())


def parts(page):
    """Return what a page waits for, with what that imports, what comes after it is drawn, and its pictures."""
    text = text_of(page)
    scripts = SCRIPT.findall(text)
    late = [tag for tag in scripts if re.search(r"\b(defer|async)\b", tag)]
    first = STYLE.findall(text) + [tag for tag in scripts if tag not in late]
    pictures = [tag for tag in PICTURE.findall(text) if "data:" not in tag]
    waits = files(page, first)
    for style in [path for path in waits if path.suffix == ".css"]:
        waits += [(style.parent / name).resolve() for name in IMPORT.findall(text_of(style))]
    return sorted(set(waits)), files(page, late), files(page, pictures)


def test_a_chapter_is_drawn_after_300_kilobytes_at_the_most():
    """Lists all pages, and measures chapters."""
    rows = {}
    for page in PAGES:
        first, late, pictures = parts(page)
        kilobytes = [sum(map(compressed, group)) / 1000 for group in ([page], first, late, pictures)]
        rows[str(page.relative_to(HTML))] = [kilobytes[0] + kilobytes[1], *kilobytes]
    lines = [
        "Kilobytes, compressed with gzip (pictures as they are). A page is drawn when it and the styles and scripts",
        "that block it are there; scripts after that, fonts and pictures come in their own time.",
        "",
        "| page | first paint | page itself | styles, blocking scripts | later scripts | pictures |",
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| {name} | " + " | ".join(f"{size:.0f}" for size in sizes) + " |"
            for name, sizes in sorted(rows.items(), key=lambda row: -row[1][0])
        ),
    ]
    LIST.parent.mkdir(exist_ok=True)
    LIST.write_text("\n".join(lines) + "\n", encoding="utf-8")
    chapters = {name: sizes[0] for name, sizes in rows.items() if Path(name).stem in CHAPTERS}
    assert len(chapters) == len(CHAPTERS)
    assert {name: size for name, size in chapters.items() if size > MOST} == {}


def test_no_picture_is_written_into_a_page():
    """Such a picture would stand in the way of the first paint, and of the list."""
    for page in PAGES:
        inside = re.findall(r'src="data:[^"]{2000,}"', text_of(page))
        assert inside == [], page


def test_a_page_has_one_viewport():
    for page in PAGES:
        text = text_of(page)
        assert text.count('name="viewport"') == 1 or "http-equiv" in text, page


def test_formulas_are_loaded_where_there_are_some():
    for page in PAGES:
        text = text_of(page)
        assert ("mathjax/" in text) == bool(re.search(r'class="[^"]*\bmath\b', text)), page


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium; install one, or name it in CHROMIUM")
def test_the_browser_waits_for_what_is_counted(browser):
    """Chromium's own word on what blocks the first paint of a chapter, which it says of pages that a server sends."""
    page, server = HTML / "book" / "naive.html", "http://book.invalid/"
    context = browser.new_context()
    context.route(f"{server}**", lambda route: route.fulfill(path=HTML / urlsplit(route.request.url).path[1:]))
    tab = context.new_page()
    tab.goto(f"{server}book/naive.html", wait_until="load")
    waits = tab.evaluate(
        """() => performance.getEntriesByType("resource").filter(entry => entry.renderBlockingStatus === "blocking")
        .map(entry => entry.name)"""
    )
    context.close()
    assert {HTML / urlsplit(name).path[1:] for name in waits} == set(parts(page)[0])
