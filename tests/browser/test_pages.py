"""Open every built page in Chromium from file://, with the network off, as a reader on a train would.

Run by `make browser`, after `make book`. Not part of `make test`: it needs a browser and the built book.  What a reader
who listens or uses the keyboard would miss is found by axe-core (`make build/axe.min.js` fetches it).
"""

import os
import shutil
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
AXE = ROOT / "build" / "axe.min.js"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
# Listings of the package are all one template, with lines of at most 120 columns; three of them stand for all.
EVERY = sorted(page for page in HTML.rglob("*.html") if not {"_static", "slides"} & set(page.parts))
LISTINGS = [page for page in EVERY if "_modules" in page.parts][:3]
PAGES = [page for page in EVERY if "_modules" not in page.parts] + LISTINGS
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
GRAVE = {"serious", "critical"}

# Code, formulas and tables that are cut off: wider than they show, in a box that does not scroll.
CUT_OFF = """() => {
  const scrolls = node => ["auto", "scroll"].includes(getComputedStyle(node).overflowX);
  const article = document.querySelector("article");
  if (!article) return [];  // a page that sends on to another
  const edge = article.getBoundingClientRect().right + 1;
  const found = [];
  for (const part of article.querySelectorAll("pre, div.math, mjx-container[display], table")) {
    if (!part.offsetParent || part.closest(".statement-sign")) continue;
    let box = part;
    while (box.tagName !== "ARTICLE" && !scrolls(box)) box = box.parentElement;
    const right = part.getBoundingClientRect().right;
    const cut = box.tagName === "ARTICLE" ? right > edge || part.scrollWidth > part.clientWidth + 1 && part.clientWidth
                                          : box.getBoundingClientRect().right > edge;
    if (cut) found.push(part.tagName + ": " + part.textContent.trim().slice(0, 60));
  }
  return found;
}"""
WIDE_CODE = """() => [...document.querySelectorAll("article .cell_input pre")]
  .filter(pre => pre.scrollWidth > pre.clientWidth + 1).map(pre => pre.textContent.trim().slice(0, 60))"""
WIDE_TABLES = """() => [...document.querySelectorAll("article table.frame")]
  .filter(table => table.scrollWidth > table.parentElement.clientWidth + 1).map(table => table.caption.innerText)"""
SKIP_CODE = """() => [...document.querySelectorAll("article .highlight")].slice(8)
  .forEach(code => code.classList.add("code-like-the-first"))"""
UNREACHED = """() =>
  [...document.querySelectorAll("article pre, article div.math, article .cell_output, article .output")].filter(
    box => box.offsetParent && box.scrollWidth > box.clientWidth
      && getComputedStyle(box).overflowX !== "visible" && box.tabIndex < 0
  ).map(box => box.className)"""

BLANK = """imgs => imgs.filter(img => !img.alt || !img.naturalWidth && !img.getAttribute("src").endsWith(".svg"))
  .map(img => img.outerHTML)"""
# What the keyboard stops at inside a formula, but for its link; one that is wider than the page scrolls: one stop.
STOPS = """() => [...document.querySelectorAll("article .math")].map(formula => {
    const stops = [formula, ...formula.querySelectorAll("*")].filter(node => node.tabIndex >= 0
        && !node.matches(".headerlink"));
    const scrolls = stops.some(node => node.scrollWidth > node.clientWidth);
    return stops.length > (scrolls ? 1 : 0) ? formula.textContent.slice(0, 60) : "";
  }).filter(Boolean)"""
HEADINGS = """nodes => nodes.map(node => Number(node.tagName[1]))"""
NAMELESS = """tables => tables.filter(table => table.getAttribute("role") !== "presentation" &&
    (!table.querySelector("th") || !table.caption && !table.getAttribute("aria-label")))
  .map(table => table.textContent.trim().slice(0, 60))"""
FRAMES = "new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
GLIDES = "Promise.allSettled(document.getAnimations().map(glide => glide.finished))"

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing; pip install -e '.[browser]'")
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium; install one, or name it in CHROMIUM"),
    pytest.mark.skipif(not PAGES, reason="the book is not built; run make book"),
]


def grouped(pages):
    """Under xdist the tests of one page run in one process, so that it is opened once."""
    return [
        pytest.param(page, id=str(page.relative_to(HTML)), marks=pytest.mark.xdist_group(page.stem)) for page in pages
    ]


@pytest.fixture(scope="module", params=grouped(PAGES))
def tab(browser, request):
    """Each page in turn, opened once; `tab.complaints` collects what went wrong in it."""
    context = browser.new_context(viewport=DESK, color_scheme="light")
    context.set_offline(True)
    tab = context.new_page()
    tab.complaints, tab.page = [], request.param
    tab.on("console", lambda message: message.type in ("error", "warning") and tab.complaints.append(message.text))
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.on("requestfailed", lambda request: tab.complaints.append(f"failed: {request.url} {request.failure}"))
    tab.on("request", lambda request: is_local(request.url) or tab.complaints.append(f"outside: {request.url}"))
    tab.goto(request.param.as_uri(), wait_until="load")
    if request.param == HTML / "index.html":  # which only sends on to the landing page, after it has loaded itself
        tab.wait_for_url("**/book/index.html", wait_until="load")
    if tab.locator(".math").count():
        tab.wait_for_function("window.MathJax && MathJax.startup && MathJax.startup.promise")
        tab.evaluate("MathJax.startup.promise")
    yield tab
    context.close()


def is_local(url):
    return url.startswith(("file:", "data:", "blob:"))


def test_page_loads_without_a_complaint(tab):
    """What complains later is found by the last test of the page."""
    assert tab.complaints == []


def test_icons_are_drawn(tab):
    """The book ships those that it shows; for one that is missing Font Awesome draws a question mark that moves."""
    tab.wait_for_function("!document.querySelector('i[class*=fa-]')")
    assert tab.locator("svg.svg-inline--fa:has(animate)").count() == 0


def test_formulas_are_drawn(tab):
    formulas = tab.locator(".math").count()
    if not formulas:
        pytest.skip("no formula on this page")
    assert tab.locator(".math mjx-container").count() >= formulas
    assert tab.locator("mjx-merror, [data-mjx-error]").count() == 0


def test_a_formula_is_no_stop_for_the_keyboard_unless_it_scrolls(tab):
    assert tab.evaluate(STOPS) == []


def test_headings_are_in_order_and_tables_have_heads_and_names(tab):
    levels = tab.locator("article :is(h1, h2, h3, h4, h5, h6)").evaluate_all(HEADINGS)
    assert levels.count(1) == (1 if levels else 0)
    assert [pair for pair in pairwise(levels) if pair[1] > pair[0] + 1] == []
    assert tab.locator("article table").evaluate_all(NAMELESS) == []


def load_all(tab):
    """Load also the pictures that wait until they are near."""
    tab.evaluate("document.querySelectorAll('article img').forEach(img => { img.loading = 'eager'; })")
    tab.wait_for_function("[...document.querySelectorAll('article img')].every(img => img.complete)")


def test_every_picture_is_there_and_described(tab):
    load_all(tab)
    assert tab.locator("article img").evaluate_all(BLANK) == []


def test_no_picture_is_stretched(tab):
    shapes = """imgs => imgs.filter(img => img.naturalWidth && img.clientWidth && img.clientHeight)
      .map(img => [img.src, img.clientWidth / img.clientHeight * img.naturalHeight / img.naturalWidth])"""
    load_all(tab)
    apart = tab.locator("article img").evaluate_all(shapes)
    assert [one for one in apart if not 0.97 < one[1] < 1.03] == []  # whole pixels round a small one by so much


def settle(tab):
    """The side bars glide to their new width, and every box beside them changes with each frame of it."""
    tab.evaluate("dispatchEvent(new Event('resize'))")
    tab.evaluate(FRAMES)
    tab.evaluate(GLIDES)
    tab.evaluate(FRAMES)


def test_nothing_is_cut_off_on_a_desk(tab):
    assert tab.evaluate(CUT_OFF) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= DESK["width"]


def test_on_paper_code_wraps_and_solutions_stay_folded(tab):
    """Asked before anything has been unfolded."""
    tab.emulate_media(media="print")
    wrapped = "getComputedStyle(node).whiteSpace"
    assert set(tab.locator("article pre").evaluate_all(f"nodes => nodes.map(node => {wrapped})")) <= {"pre-wrap"}
    for body in tab.locator("article .dropdown.admonition > :not(.admonition-title)").all()[:5]:
        assert not body.is_visible()
    tab.emulate_media(media="screen")


@pytest.mark.parametrize("mode", ["light", "dark", "phone"])
def test_axe_finds_nothing_grave(tab, mode):
    """In the dark only colours differ, so only they are asked for again; on a phone all but the colours of the text.

    Listings are all one template, code has few colours, and formulas are MathJax's: of each page axe reads the first
    cells of code and no formula, which are nearly all of its time.  That every cell and every formula can be reached by
    keyboard is asked elsewhere.
    """
    if not tab.locator("article").count():
        pytest.skip("a page that sends on to another")
    if tab.page in LISTINGS[1:]:
        pytest.skip("a listing like the first one")
    if not AXE.is_file():
        pytest.skip("axe-core is not here; make build/axe.min.js fetches it with npm")
    tab.add_style_tag(content="* { transition: none !important; animation: none !important; }")
    tab.evaluate("mode => document.documentElement.dataset.theme = mode", "dark" if mode == "dark" else "light")
    tab.set_viewport_size(PHONE if mode == "phone" else DESK)
    settle(tab)
    if not tab.evaluate("!!window.axe"):
        tab.evaluate(AXE.read_text(encoding="utf-8"))
    every = {"label-content-name-mismatch": {"enabled": True}}
    contrast = {"runOnly": ["color-contrast"]}
    code, text = [[".code-like-the-first"], ["mjx-container"]], [["article"]]
    asked = {  # what is left out, and the rules
        "light": [(code, {"rules": every})],
        "dark": [(code, contrast)],
        "phone": [(code, {"rules": every | {"color-contrast": {"enabled": False}}}), (text, contrast)],
    }[mode]
    tab.evaluate(SKIP_CODE)
    # Preloading asks for the style sheets again, which file:// refuses.
    violations = [
        rule
        for left_out, options in asked
        for rule in tab.evaluate(
            "([exclude, options]) => axe.run({exclude}, {preload: false, resultTypes: ['violations'], ...options})",
            [left_out, options],
        )["violations"]
    ]
    tab.evaluate("document.documentElement.dataset.theme = 'light'")
    tab.set_viewport_size(DESK)
    grave = [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in violations
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]
    assert grave == []


@cache
def text_of(page):
    return page.read_text(encoding="utf-8")


def test_the_signs_of_statements_open_by_keyboard_and_by_pointer(tab):
    signs = tab.locator("article .statement-sign").all()
    if not signs:
        pytest.skip("no statement on this page")
    for sign in signs:
        sign.evaluate("sign => { for (let box = sign; (box = box.closest('details:not([open])')); ) box.open = true; }")
        card = sign.locator(".card")
        assert not card.is_visible()
        sign.locator("a").focus()
        assert card.is_visible()
        sign.locator("a").blur()
        sign.locator("a").hover()
        assert card.is_visible()
        tab.mouse.move(0, 0)
        page, _, row = sign.locator("a").get_attribute("href").partition("#")
        assert f'id="{row}"' in text_of(tab.page.parent / page)


def test_folded_parts_open(tab):
    solutions = tab.locator("article .dropdown.admonition")
    proofs = tab.locator("article details.sd-dropdown, article details.quiz")
    if not solutions.count() + proofs.count():
        pytest.skip("nothing is folded on this page")
    for solution in solutions.all():
        assert "toggle-hidden" in solution.get_attribute("class")
        solution.locator("button.toggle-button").first.click()
        assert "toggle-hidden" not in solution.get_attribute("class")
    for proof in proofs.all():
        proof.evaluate("details => details.open") or proof.locator("> summary").click()
        assert proof.evaluate("details => details.open")


def test_code_of_a_chapter_needs_no_scrolling_on_a_desk(tab):
    """With everything unfolded, also in boxes."""
    assert tab.evaluate(WIDE_CODE) == []


def test_tables_of_a_chapter_need_no_scrolling_on_a_desk(tab):
    assert tab.evaluate(WIDE_TABLES) == []


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


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_what_scrolls_can_be_reached_by_keyboard(tab, size):
    tab.set_viewport_size(size)
    settle(tab)
    assert tab.evaluate(UNREACHED) == []
