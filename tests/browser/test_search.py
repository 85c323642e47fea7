"""The search page, in Chromium from file:// with the network off: what a word leads to.  Run by `make browser`."""

import os
import shutil
from pathlib import Path

import pytest
import quizzes

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
CHAPTERS = quizzes.chapters()  # those with a number

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing; pip install -e '.[browser]'")
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium; install one, or name it in CHROMIUM"),
    pytest.mark.skipif(not HTML.is_dir(), reason="the book is not built; run make book"),
    pytest.mark.xdist_group("search"),
]


@pytest.fixture(scope="module")
def search(browser):
    """Return a function that asks for words and gives the results: the page of each, and what it says."""
    context = browser.new_context()
    context.set_offline(True)
    tab = context.new_page()

    def ask(words):
        tab.goto((HTML / "search.html").as_uri())
        tab.locator("main input[name=q]").fill(words)
        tab.locator("main input[name=q]").press("Enter")
        tab.locator(".search-summary", has_text="matching the search query").wait_for()
        found = tab.locator("#search-results ul.search > li > a")
        return found.evaluate_all("links => links.map(link => [link.getAttribute('href'), link.innerText])")

    yield ask
    context.close()


@pytest.mark.parametrize(
    ("words", "chapter"),
    [
        ("posterior collapse", "posterior_collapse"),
        ("ELBO", "elbo"),
        ("Wasserstein", "wasserstein"),
        ("linear VAE", "posterior_collapse"),
        ("PCA autoencoder", "autoencoder"),
        ("denoisers", "denoisers"),
    ],
)
def test_words_lead_to_their_chapter_first(search, words, chapter):
    assert search(words)[0][0].partition("?")[0].partition("#")[0] == f"book/{chapter}.html"


@pytest.mark.parametrize("words", ["PCA", "Wasserstein", "sample", "linear VAE"])
def test_chapters_come_before_the_package_and_listings_do_not_come(search, words):
    found = search(words)
    pages = [Path(address.partition("?")[0].partition("#")[0]).stem for address, _ in found]
    kinds = [0 if page in CHAPTERS else 2 if page == "api" else 1 for page in pages]
    assert kinds == sorted(kinds)
    assert {0, 2} <= set(kinds)
    assert not any("_modules" in address or "test_" in said for address, said in found)
