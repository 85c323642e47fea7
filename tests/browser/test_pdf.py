"""The book as one PDF: a small one of three pages, printed as `make pdf` prints all.  Run by `make browser`."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")

for module in ("playwright.sync_api", "pypdf", "yaml"):
    pytest.importorskip(module, reason=f"{module} is missing; pip install -e '.[browser]'")
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium; install one, or name it in CHROMIUM"),
    pytest.mark.skipif(not HTML.is_dir(), reason="the book is not built; run make book"),
    pytest.mark.xdist_group("pdf"),
]
sys.path.insert(0, str(ROOT / "tools"))

TOC = {
    "root": "book/index",
    "parts": [
        {"caption": "Part I", "chapters": [{"file": "book/naive"}]},
        {"caption": "Reference", "chapters": [{"file": "book/glossary"}, {"file": "book/bibliography"}]},
    ],
}


@pytest.fixture(scope="module")
def printed(browser, tmp_path_factory):
    import pdf
    from pypdf import PdfReader

    path = tmp_path_factory.mktemp("pdf") / "book.pdf"
    pdf.print_book(browser, path, TOC)
    return PdfReader(path)


def words(sheet):
    return " ".join(sheet.extract_text().split())


def test_the_contents_name_the_sheet_where_a_page_begins(printed):
    listed = re.findall(r"(PCA and least squares make an autoencoder|Glossary)\s*(\d+)", words(printed.pages[0]))
    assert len(listed) == 2
    for title, number in listed:
        sheet = words(printed.pages[int(number) - 1])
        assert title in sheet
        assert sheet.endswith(number)


def test_bookmarks_are_parts_pages_and_sections(printed):
    top = [item.title for item in printed.outline if not isinstance(item, list)]
    assert top == ["Contents", "Linear generative models", "Part I", "Reference"]
    below = [item for item in printed.outline if isinstance(item, list)]
    pages = [item.title for part in below[-2:] for item in part if not isinstance(item, list)]
    assert pages == ["3. PCA and least squares make an autoencoder", "Glossary", "Bibliography"]
    assert "3.1. One line a pixel, on three images" in [item.title for item in below[-2][1]]


def test_links_lead_inside_or_to_the_net(printed):
    """No place of this machine is in the file, and links between pages are links between sheets."""
    inside, outside = 0, set()
    for sheet in printed.pages:
        for reference in sheet.get("/Annots") or []:
            action = reference.get_object().get("/A", {})
            outside.add(str(action.get("/URI", "")).partition(":")[0])
            inside += action.get("/S") == "/GoTo"
    assert inside > 20
    assert outside == {"", "https"}  # none for those that lead inside
    assert str(ROOT).encode() not in b"".join(sheet.get_contents().get_data() for sheet in printed.pages)


def test_solutions_and_code_stay_folded_and_live_figures_show_their_still_picture(printed):
    text = " ".join(map(words, printed.pages))
    assert text.count("Solution") >= 4
    for folded in ("Show the code", "use_style()", "and one intercept for each", "Scores are centred"):
        assert folded not in text
    assert "A decoder with dials" in text
    assert "Start again" not in text
