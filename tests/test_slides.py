"""The decks of the course: whatever they show is stored in a chapter, and every slide says what to say.

tests/browser/test_slides.py opens them.
"""

import re
from pathlib import Path

import pytest

slides = pytest.importorskip("slides", reason="the decks are set by tools of the extra `book`", exc_type=ImportError)
yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[1]
DECKS = {deck.name: deck for deck in slides.decks()}
PARTS = [
    [Path(one["file"]).stem for one in part["chapters"]]
    for part in yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    if part["caption"].startswith("Part")
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return tmp_path_factory.mktemp("slides")


@pytest.fixture(scope="module", params=DECKS)
def deck(request):
    return DECKS[request.param]


@pytest.fixture(scope="module")
def page(deck, built):
    return slides.write(deck, built)


def test_the_talk_has_about_forty_slides_and_every_part_eight_to_twelve():
    assert set(DECKS) == {"talk", *(f"part{i}" for i in range(1, len(PARTS) + 1))}
    assert 38 <= len(DECKS["talk"].slides) <= 46
    for name in DECKS.keys() - {"talk"}:
        assert 8 <= len(DECKS[name].slides) <= 12, name


def test_every_slide_has_notes_with_minutes_and_a_question_and_no_number_typed_by_hand(deck):
    assert slides.faults(deck) == []


def test_a_deck_ends_where_to_read_on(deck):
    assert any(slides.DOC.search(part) for part in deck.slides[-1].body)


@pytest.mark.parametrize(("name", "chapters"), [(f"part{i}", part) for i, part in enumerate(PARTS, 1)])
def test_the_deck_of_a_part_draws_from_all_its_chapters_and_from_no_other(name, chapters):
    assert {page for slide in DECKS[name].slides for page, _ in slides.sources(slide)} == set(chapters)


def unfolded(page):
    """Return a chapter with the code cells that no fold hides: none of a solution."""
    cells = [part for part in slides.chapter.unfolded(slides.notebook(page)) if hasattr(part, "cell_type")]
    return slides.nbformat.from_dict({"cells": cells})


def test_nothing_on_a_slide_is_from_a_solution(deck):
    for slide in deck.slides:
        for block in slide.blocks:
            page, _, name = block.argument.partition("::")
            if block.name == "figure":
                assert f"'name': '{name}'" in str([cell.metadata for cell in unfolded(page).cells])
            elif block.name == "table":
                caption = slides.escape(slides.table(page, name).caption)
                assert any(caption in str(cell.outputs) for cell in unfolded(page).cells)
        for page, name in set().union(*(slides.chapter.quoted(text, "") for text in slide.texts)):
            assert name in slides.chapter.glued(unfolded(page)), name


def test_everything_is_looked_up(page):
    assert not re.search(r"\{\w[\w:]*\}`|:::|```", page)
    assert slides.LOOKED_UP not in page


def test_every_picture_is_there_and_has_words(page, built):
    pictures = re.findall(r'<img [^>]*?src="([^"]+)" alt="([^"]*)"', page)
    assert len(pictures) == page.count("<img")
    for file, alt in pictures:
        assert (built / file).is_file(), file
        assert len(alt) > 20, file
    for file in re.findall(r'<iframe data-src="([^"]+)"', page):
        assert (built / file).is_file(), file


def test_chapters_are_linked_where_they_lie(page):
    for link in re.findall(r'href="\.\./book/([\w-]+)\.html', page):
        assert (ROOT / "book" / f"{link}.ipynb").is_file(), link


def test_a_number_is_the_one_that_the_chapter_has_glued():
    stored = float(slides.glued("naive")["below_zero"])
    assert slides.in_line("{glue:text}`naive::below_zero:.1f` %") == f"{stored:.1f} %"


def test_an_entry_is_the_one_that_stands_in_the_table():
    table = slides.table("collapse", "New digits: share outside")
    entry = "{entry}`collapse::New digits: share outside|each class|error`"
    assert slides.in_line(entry) == table.rows[[row[0] for row in table.rows].index("each class")][-1]


@pytest.mark.parametrize(
    "text",
    [
        "The error falls by 22 %.",
        "It is $0.3$ off.",
        "It is $22$ passes.",
        "It takes 13 to 15 passes.",
        "Half, 50%, is lost.",
        "A share of {glue:text}`collapse::fall:.0f`, or 7 points.",
        "A few % more.",
    ],
)
def test_a_number_typed_by_hand_is_found(text):
    assert slides.typed(text, {"16"})


@pytest.mark.parametrize(
    "text",
    [
        "It falls by {glue:text}`collapse::fall:.0f` %.",
        "With 16 codes, all ten are read.",
        "{entry}`codes::Read as|codes A|read right (%)` % are read.",
        r"Take $\tfrac{1}{2} x_{16}^2$, of {doc}`vae`.",
    ],
)
def test_what_is_looked_up_or_chosen_may_stand(text):
    assert slides.typed(text, {"16"}) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("{glue:text}`why::no_such`", "digits_first"),
        ("{glue:text}`no_such::x`", "there is no chapter"),
        ("{entry}`collapse::New digits|no such row|error`", "each class"),
        ("{entry}`collapse::New digits|each class|no such column`", "outside"),
        ("{entry}`collapse::No such table|each class|error`", "Slopes are"),
        ("{doc}`no_such`", "chapters are"),
    ],
)
def test_an_unknown_name_stops_the_build_and_lists_the_known(wrong, said):
    with pytest.raises(slides.DeckError, match=said):
        slides.in_line(wrong)


def test_an_unknown_figure_stops_the_build_and_lists_the_known():
    with pytest.raises(slides.DeckError, match="fig-naive"):
        slides.figure("naive", "fig-no-such")
    with pytest.raises(slides.DeckError, match="live figure"):
        slides.live("naive", "no-such")


def test_a_table_may_have_a_caption_of_its_own_and_no_number_is_typed_in_it(tmp_path):
    path = tmp_path / "deck.md"
    text = "```{table} collapse::New digits: share outside\n:caption: Off by 0.7.\n```\n"
    path.write_text(f"---\ntitle: A\nsubtitle: B\n---\n\n# A claim.\n\n{text}", encoding="utf-8")
    deck = slides.read(path)
    assert "<caption>Off by 0.7.</caption>" in slides.set_table(deck.slides[1].blocks[0])
    assert sum("'0.7' is typed by hand" in fault for fault in slides.faults(deck)) == 1


def test_a_slide_without_notes_is_no_slide(tmp_path):
    path = tmp_path / "deck.md"
    path.write_text("---\ntitle: A\nsubtitle: B\n---\n\n# A claim.\n\nWords.\n", encoding="utf-8")
    assert sum("has no notes" in fault for fault in slides.faults(slides.read(path))) == 2


def test_what_is_chosen_occurs_and_is_a_whole_number(tmp_path):
    path = tmp_path / "deck.md"
    path.write_text("---\ntitle: A\nsubtitle: B\nchosen: 16 0.3\n---\n\n# With 0.3.\n", encoding="utf-8")
    found = " ".join(slides.faults(slides.read(path)))
    assert "16 is chosen and does not occur" in found
    assert "0.3 is measured, not chosen" in found
