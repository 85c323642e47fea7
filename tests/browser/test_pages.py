"""Open every built page in Chromium from file://, with the network off, as a reader on a train would.

Run by `make browser`, after `make book`. Not part of `make test`: it needs a browser and the built book.
"""

import os
import shutil
from pathlib import Path

import pytest

HTML = Path(__file__).resolve().parents[2] / "_build" / "html"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
PAGES = sorted(page for page in HTML.rglob("*.html") if "_static" not in page.parts)
PHONE = {"width": 390, "height": 844}

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing; pip install -e '.[browser]'")
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium; install one, or name it in CHROMIUM"),
    pytest.mark.skipif(not PAGES, reason="the book is not built; run make book"),
]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=PAGES, ids=lambda page: str(page.relative_to(HTML)))
def tab(browser, request):
    """Each page in turn, opened once; `tab.complaints` collects what went wrong in it."""
    context = browser.new_context()
    context.set_offline(True)
    tab = context.new_page()
    tab.complaints = []
    tab.on("console", lambda message: message.type in ("error", "warning") and tab.complaints.append(message.text))
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.on("requestfailed", lambda request: tab.complaints.append(f"failed: {request.url} {request.failure}"))
    tab.on("request", lambda request: is_local(request.url) or tab.complaints.append(f"outside: {request.url}"))
    tab.goto(request.param.as_uri(), wait_until="load")
    if tab.locator(".math").count():
        tab.wait_for_function("window.MathJax && MathJax.startup && MathJax.startup.promise")
        tab.evaluate("MathJax.startup.promise")
    yield tab
    context.close()


def is_local(url):
    return url.startswith(("file:", "data:", "blob:"))


def test_page_loads_without_a_complaint(tab):
    tab.wait_for_timeout(200)
    assert tab.complaints == []


def test_formulas_are_drawn(tab):
    formulas = tab.locator(".math").count()
    if not formulas:
        pytest.skip("no formula on this page")
    assert tab.locator(".math mjx-container").count() >= formulas
    assert tab.locator("mjx-merror, [data-mjx-error]").count() == 0


def test_every_picture_is_there_and_described(tab):
    for picture in tab.locator("article img").all():
        assert picture.evaluate("img => img.naturalWidth || img.getAttribute('src').endsWith('.svg')")
        assert picture.get_attribute("alt")


def test_folded_parts_open(tab):
    solutions = tab.locator("article .dropdown.admonition")
    proofs = tab.locator("article details.sd-dropdown")
    if not solutions.count() + proofs.count():
        pytest.skip("nothing is folded on this page")
    for solution in solutions.all():
        assert "toggle-hidden" in solution.get_attribute("class")
        solution.locator("button.toggle-button").first.click()
        assert "toggle-hidden" not in solution.get_attribute("class")
    for proof in proofs.all():
        proof.locator("summary").click()
        assert proof.evaluate("details => details.open")


def test_dark_mode_switches(tab):
    seen = {}
    for _ in range(3):  # auto, light, dark
        tab.locator("button.theme-switch-button:visible").first.click()
        theme = tab.locator("html").get_attribute("data-theme")
        seen[theme] = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert set(seen) == {"light", "dark"}
    assert seen["light"] != seen["dark"]


def test_page_fits_a_phone(tab):
    """With everything unfolded, the page itself does not scroll sideways."""
    tab.set_viewport_size(PHONE)
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert tab.complaints == []
