"""Open every slide at 1,280 by 720 from file://, with the network off: nothing is cut off, small, missing or in error.

Run by `make browser`, after `make slides`.
"""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "_build" / "html" / "slides"
AXE = ROOT / "build" / "axe.min.js"
DECKS = sorted(path for path in BUILT.glob("*.html") if path.stem != "index")
LIVE = sorted((BUILT / "live").glob("*.html"))
SCREEN = {"width": 1280, "height": 720}
# What a frame of a live figure measures under a title of one line; theme/slides.css scales it up by so much.
FRAME, SCALE = {"width": 828, "height": 400}, 1.43

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium; install one, or name it in CHROMIUM"),
    pytest.mark.skipif(not DECKS, reason="the slides are not built; run make slides"),
    pytest.mark.xdist_group("slides"),
]

# Everything that is wrong on the slides of a deck, one after the other.  Words in figures have `data-points` points,
# 1/72 of an inch, at 110 dots an inch.
WRONG = """async frameHeight => {
  const found = [], pictures = [...document.querySelectorAll(".picture:not(.playable) img")];
  await Promise.all(pictures.map(image => image.decode().catch(() => {})));
  for (let i = 0; i < Reveal.getTotalSlides(); i++) {
    Reveal.slide(i);
    const section = Reveal.getCurrentSlide(), slide = section.querySelector(".slide");
    const name = node => (node.textContent || node.src || "").trim().slice(-40);
    const tell = (what, node) => found.push(`${section.id}: ${what} ${name(node)}`);
    const frame = slide.getBoundingClientRect();
    if (Math.abs(frame.width - 1280) > 1 || Math.abs(frame.height - 720) > 1) tell("size", slide);
    const title = slide.querySelector("h2");
    if (title && title.clientHeight > 2.6 * parseFloat(getComputedStyle(title).fontSize)) tell("long title", title);
    const live = slide.querySelector("iframe");
    if (live && live.clientHeight < frameHeight) tell(`a frame of ${live.clientHeight} px`, title);
    const body = slide.querySelector(".body"), box = body.getBoundingClientRect();
    for (const node of body.querySelectorAll("*")) {
      if (node.closest("mjx-assistive-mml, iframe") || !node.getClientRects().length) continue;
      const part = node.getBoundingClientRect();
      if (part.left < box.left - 1 || part.right > box.right + 1
          || part.top < box.top - 1 || part.bottom > box.bottom + 1) tell(`${node.tagName} overflows`, node);
    }
    for (const node of slide.querySelectorAll("*")) {
      if (node.closest("mjx-assistive-mml") || !node.getClientRects().length) continue;
      const words = [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim());
      const formula = ["MJX-MI", "MJX-MN", "MJX-MO"].includes(node.tagName);
      if ((words || formula) && parseFloat(getComputedStyle(node).fontSize) < 19.99) tell("small words", node);
    }
    for (const image of slide.querySelectorAll("img")) {
      if (!image.alt) tell("no alt", image);
      if (image.closest(".playable")) continue;
      if (!image.naturalWidth) tell("missing", image);
      const scale = Math.min(image.clientWidth / image.naturalWidth, image.clientHeight / image.naturalHeight);
      const size = scale * image.dataset.points * 110 / 72;
      if (size < 19.9) tell(`words of ${size.toFixed(1)} px in`, image);
    }
  }
  return found;
}"""
SMALL_IN_LIVE = """scale => [...document.querySelectorAll(".live-stage *")].filter(node => node.getClientRects().length
    && !node.closest(".live-status") && [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())
    && scale * parseFloat(getComputedStyle(node).fontSize) < 19.99).map(node => node.textContent)"""


GRAVE = """async () => {
  const { violations } = await axe.run({ preload: false, iframes: false });
  const grave = violations.filter(one => ["serious", "critical"].includes(one.impact));
  return grave.map(one => one.id + ": " + one.nodes[0].target);
}"""


@pytest.fixture(scope="module")
def context(browser):
    context = browser.new_context(viewport=SCREEN, offline=True)
    yield context
    context.close()


@pytest.fixture
def opened(context):
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))

    def go(path, query=""):
        page.goto(path.as_uri() + query)
        if path in DECKS:
            page.wait_for_selector("html.ready")
        return page

    yield go
    page.close()
    assert said == []


@pytest.mark.parametrize("deck", DECKS, ids=lambda path: path.stem)
def test_on_every_slide_all_is_there_and_large_enough(opened, deck):
    assert opened(deck).evaluate(WRONG, FRAME["height"]) == []


@pytest.mark.parametrize("live", LIVE, ids=lambda path: path.stem)
def test_a_live_figure_fits_its_frame(opened, live):
    page = opened(live)
    page.set_viewport_size(FRAME)
    page.wait_for_selector(".live-on")
    assert page.evaluate("document.documentElement.scrollHeight") <= FRAME["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= FRAME["width"]
    assert page.evaluate(SMALL_IN_LIVE, SCALE) == []


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is missing; run make build/axe.min.js")
@pytest.mark.parametrize("path", [BUILT / "index.html", BUILT / "part1.html"], ids=lambda path: path.stem)
def test_who_listens_or_uses_the_keyboard_misses_nothing(opened, path):
    page = opened(path)
    page.add_script_tag(path=AXE)
    for place in range(page.locator("section").count() or 1):
        page.evaluate(f"window.Reveal && Reveal.slide({place})")
        assert page.evaluate(GRAVE) == [], place


def test_without_scripts_a_deck_is_a_page_to_scroll(browser):
    page = browser.new_page(viewport=SCREEN, java_script_enabled=False)
    page.goto((BUILT / "part1.html").as_uri())
    sections = page.locator("section")
    assert all(sections.nth(i).is_visible() for i in range(sections.count()))
    assert sections.last.bounding_box()["y"] >= SCREEN["height"] * (sections.count() - 1)
    page.close()


def test_the_keys_turn_the_slides_also_from_within_a_live_figure(opened):
    page = opened(BUILT / "part1.html")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert page.evaluate("Reveal.getIndices().h") == 2
    place = page.evaluate("[...document.querySelectorAll('section')].findIndex(one => one.querySelector('iframe'))")
    page.evaluate(f"Reveal.slide({place})")
    page.frame_locator("section.present iframe").locator("input[type=range]").first.focus()
    page.keyboard.press("PageDown")
    page.wait_for_function(f"Reveal.getIndices().h === {place + 1}")


def test_on_paper_every_slide_is_a_page_with_stills_for_live_figures(opened):
    page = opened(BUILT / "part1.html", "?print-pdf")
    page.wait_for_selector(".pdf-page")
    assert page.locator(".pdf-page").count() == page.locator("section").count()
    assert page.locator(".playable iframe:visible").count() == 0
    assert page.locator(".playable .still:visible").count() == page.locator(".playable").count() > 0


def test_the_speaker_has_a_window(opened):
    page = opened(BUILT / "part1.html")
    with page.expect_popup() as popup:
        page.keyboard.press("s")
    popup.value.get_by_text("Ask the room").first.wait_for()
