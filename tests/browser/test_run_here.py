"""Run a chapter on its own page in Chromium, from a server on this machine and with all else of the network off.

Run by `make lite` and then `LINVAE_LITE=build/lite make browser`; skipped where the book was built without.
"""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest

HTML = Path(__file__).resolve().parents[2] / "_build" / "html"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
CHAPTER = os.environ.get("LINVAE_LITE_CHAPTER", "elbo")  # the quickest; the others take minutes
MINUTES = 4
SHOWN = """cell => [...cell.querySelectorAll(':scope > .run-output > pre')].map(pre => pre.textContent).join('')"""
STORED = """cell => [...cell.querySelectorAll(':scope > .cell_output pre')].map(pre => pre.textContent).join('')"""

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing; pip install -e '.[browser]'")
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium; install one, or name it in CHROMIUM"),
    pytest.mark.skipif(
        not (HTML / "_static" / "lite" / "lite.json").is_file(), reason="the book was built without LINVAE_LITE"
    ),
    pytest.mark.xdist_group("lite"),
]


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    Silent.extensions_map = Silent.extensions_map | {".mjs": "text/javascript", ".wasm": "application/wasm"}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=str(HTML)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def tab(browser, address):
    """A page of the chapter, whose Python has started by a key; it may have asked for nothing from elsewhere."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(MINUTES * 60_000)
    asked, complaints = [], []

    def only_here(route):
        if route.request.url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            asked.append(route.request.url)
            route.abort()

    context.route("**/*", only_here)
    tab = context.new_page()
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(f"{address}/book/{CHAPTER}.html")
    tab.get_by_role("button", name="Run this chapter here").press("Enter")
    tab.wait_for_function("linvaeRun.state.phase === 'ready'")
    yield tab
    context.close()
    assert asked == []
    assert complaints == []


def idle(tab):
    tab.wait_for_function("linvaeRun.state.running === null && linvaeRun.state.waiting.length === 0")
    return tab.locator(".run-here [role=status]").inner_text()


def test_the_whole_chapter_runs_and_says_what_its_page_says(tab):
    tab.get_by_role("button", name="Run all cells").press("Enter")
    assert idle(tab).startswith("The whole chapter has run, in ")
    cells = tab.locator("article .cell.run-ran")
    assert cells.count() == tab.evaluate("linvaeRun.cells.filter(cell => cell.place).length")
    pictures = 0
    for i in range(cells.count()):
        cell = cells.nth(i)
        assert cell.evaluate(SHOWN).strip() == cell.evaluate(STORED).strip()
        drawn = cell.locator(".run-output img")
        assert drawn.count() == cell.locator(".cell_output img").count()
        for j in range(drawn.count()):
            assert drawn.nth(j).evaluate("img => img.naturalWidth") > 100
            assert drawn.nth(j).get_attribute("alt") == cell.locator(".cell_output img").nth(j).get_attribute("alt")
        pictures += drawn.count()
        shown, stored = (cell.locator(f"{where} table").all_inner_texts() for where in (".run-output", ".cell_output"))
        assert len(shown) == len(stored)
    assert pictures > 0


@pytest.fixture
def open_cell(tab):
    """The first cell whose code is not folded, as its number, its code and its box; the code is put back in the end."""
    number = tab.evaluate("linvaeRun.cells.findIndex(cell => cell.place && !cell.place.querySelector('details'))") + 1
    code = tab.get_by_role("textbox", name=f"Code of cell {number}", exact=True)
    kept = code.inner_text()
    yield number, code, tab.locator("article .cell", has=code)
    code.fill(kept)


def test_a_cell_can_be_changed_and_run_by_the_keyboard_alone(tab, open_cell):
    _, code, cell = open_cell
    code.fill("print(6 * 7)")
    code.press("Shift+Enter")
    idle(tab)
    assert cell.locator(".run-output").inner_text().strip() == "42"
    code.fill("1 / 0")
    code.press("Control+Enter")
    assert "stopped at an error" in idle(tab)
    assert "ZeroDivisionError" in cell.locator(".run-output").inner_text()


def test_stop_ends_a_cell_that_runs_for_ever_and_the_next_run_begins_anew(tab, open_cell):
    number, code, cell = open_cell
    code.fill("while True: pass")
    tab.get_by_role("button", name=f"Run cell {number}", exact=True).press("Enter")
    tab.wait_for_function(f"linvaeRun.state.running === {number - 1}")
    tab.get_by_role("button", name="Stop").press("Enter")
    assert "Python starts anew" in tab.locator(".run-here [role=status]").inner_text()
    code.fill("print(len('anew'))")
    tab.get_by_role("button", name=f"Run cell {number}", exact=True).press("Enter")
    tab.wait_for_function(f"linvaeRun.cells[{number - 1}].ran")
    assert cell.locator(".run-output").inner_text().strip() == "4"


def test_from_a_file_the_button_says_why_it_does_nothing(browser):
    context = browser.new_context()
    tab = context.new_page()
    tab.goto((HTML / "book" / f"{CHAPTER}.html").as_uri(), wait_until="domcontentloaded")
    assert tab.get_by_role("button", name="Run this chapter here").is_disabled()
    assert "only from a server" in tab.locator(".run-here [role=status]").inner_text()
    tab.goto((HTML / "book" / "vae.html").as_uri(), wait_until="domcontentloaded")
    assert "PyTorch" in tab.locator(".run-here").inner_text()
    assert tab.locator(".run-here button").count() == 0
    context.close()
