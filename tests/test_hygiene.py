"""Every rule of the new form: a good chapter passes, and each fault is told in a sentence that says how to mend it."""

import copy
import json
import tomllib
from pathlib import Path

import chapter
import example
import hygiene
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]


def glued(name, value="7.333"):
    return nbformat.v4.new_output(
        "display_data", data={chapter.RECORD: value}, metadata={"scrapbook": {"name": name, "mime_prefix": ""}}
    )


def with_code(source, *tags):
    return nbformat.v4.new_notebook(cells=[example.code(source, *tags)])


def with_text(*sources):
    return nbformat.v4.new_notebook(cells=[example.markdown(source) for source in sources])


def numbers(n):
    return " and ".join(f"{{glue:text}}`x{i}:.1f`" for i in range(n))


def setup_cell(source=chapter.INSTALL, tag="hide-cell"):
    return with_code(source + "\n\nimport numpy as np\n", tag)


def two_setups():
    notebook = setup_cell()
    notebook.cells.append(example.code("import numpy", "hide-cell"))
    return notebook


EXERCISE = ":::{{exercise}} Warm-up\n:label: ex-a-warmup\n\nAdd them. {}\n:::"
TALK = ":::{{talk}} slide 3\n:row: 4\n\n{}\n:::"


OF_A_RUN = {
    hygiene.was_run,
    hygiene.numbers_its_cells,
    hygiene.shows_pictures,
    hygiene.has_clean_metadata,
}  # the example has not been run


@pytest.mark.parametrize(
    "rule", [rule for rule in hygiene.RULES if rule not in OF_A_RUN], ids=lambda rule: rule.__name__
)
def test_the_example_keeps_every_rule(rule):
    assert list(rule(example.chapter())) == []


@pytest.mark.parametrize(
    ("rule", "notebook", "problem"),
    [
        (hygiene.has_short_visible_cells, with_code("x = 1\n" * 13), "has 13 lines, the limit is 12; split it"),
        (hygiene.has_short_visible_cells, with_code("x = " + "1" * 73), "77 columns wide, the page shows 76"),
        (hygiene.has_short_visible_cells, with_code("assert 1\n" * 3), "asserts 3 things, the limit is 2"),
        (hygiene.numbers_its_cells, with_text("# Two", "cells"), "is not named cell-000; run `make refresh`"),
        (hygiene.ends_with_a_quiz, with_text("# No quiz"), "0 quizzes; the last cell has one"),
        (hygiene.ends_with_a_quiz, with_text(":::{quiz}\n:::", "# After it"), "the last cell has one"),
        (hygiene.glues_out_of_sight, with_code('glue("x", 1)'), "glues in a visible cell; glue in an evidence cell"),
        (hygiene.glues_out_of_sight, with_code('for i in x:\n    glue("x", i)', "hide-input"), "in a figure cell"),
        (hygiene.folds_its_setup, with_code("import numpy", "hide-cell"), "does not open with the lines that install"),
        (hygiene.folds_its_setup, with_text("no cell"), "does not open with the lines that install"),
        (hygiene.folds_its_setup, setup_cell(tag="hide-input"), "is not folded; tag it hide-cell"),
        (hygiene.folds_its_setup, two_setups(), "a second set-up cell"),
        (hygiene.has_one_kind_a_cell, with_code("1", "hide-input", "remove-cell"), "hide-input and remove-cell"),
        (hygiene.has_goals, with_text("# T"), "0 boxes of goals"),
        (hygiene.has_goals, with_text(":::{goals}\n1. Read, 25 minutes.\n:::"), "type their minutes"),
        (hygiene.quotes_the_talk, with_text(TALK.format("It is wrong.")), "slide 3 of the talk quotes nothing"),
        (hygiene.is_short, with_text("word " * 3001), "3001 words, the limit is 3000"),
        (hygiene.quotes_few_numbers, with_text(numbers(4)), "a paragraph quotes 4 numbers, the limit is 3"),
        (hygiene.quotes_few_numbers, with_text("- a\n- " + numbers(6)), "a list item quotes 6 numbers, the limit is 5"),
        (hygiene.types_no_table, with_text("| a |\n|---|\n| {glue:text}`x` |"), "a typed table quotes numbers"),
        (hygiene.types_no_table, with_text(":::{list-table}\n* - {glue:text}`x`\n:::"), "a typed table quotes numbers"),
        (hygiene.states_answers, with_text(EXERCISE.format("")), "exercise ex-a-warmup says not what one should get"),
        (hygiene.states_answers, with_text(EXERCISE.format('`check("nowhere", x)`')), "not in checks.json; add what"),
        (hygiene.hides_labels, with_text("By C7 it holds."), "the prose says C7; call the statement by what it says"),
        (hygiene.hides_labels, with_text(":::{prf:theorem} C7 · T\n:label: C7\n:::"), "the prose says C7"),
        (hygiene.hides_labels, with_text(":::{prf:lemma} T\n:label: C7\n\n`test_x`\n:::"), "names its tests"),
        (hygiene.skips_politely, with_code("import torch"), 'imports torch for all readers; put it under `if needs("d'),
        (
            hygiene.skips_politely,
            with_code('if needs("deep"):\n    import torch'),
            "tag it nbval-ignore-output, for then",
        ),
        (hygiene.skips_politely, with_code("%pip x\nfrom linvae.dask import a"), "imports linvae.dask for all"),
    ],
)
def test_a_fault_is_told(rule, notebook, problem):
    assert problem in " ".join(rule(notebook))


@pytest.mark.parametrize(
    ("rule", "notebook"),
    [
        (hygiene.has_short_visible_cells, with_code("x = 1\n" * 12)),
        (hygiene.has_short_visible_cells, with_code("x = " + "1" * 72)),
        (hygiene.has_short_visible_cells, with_code("assert 1\n" * 2)),
        (hygiene.has_short_visible_cells, with_code("assert 1\n" * 20, "remove-cell")),
        (hygiene.glues_out_of_sight, with_code('glue("x", 1)', "remove-cell")),
        (hygiene.is_short, with_text("word " * 3000)),
        (hygiene.quotes_few_numbers, with_text(numbers(3), numbers(3) + "\n\n" + numbers(3))),
        (hygiene.quotes_few_numbers, with_text("- " + numbers(5) + "\n- " + numbers(5))),
        (hygiene.types_no_table, with_text("| a |\n|---|\n| b |")),
        (hygiene.states_answers, with_text(EXERCISE.format("*You should get* 3."))),
        (hygiene.states_answers, with_text(EXERCISE.format("*A good answer* names two."))),
        (hygiene.states_answers, with_text(EXERCISE.format('`check("example", x)`'))),
        (hygiene.hides_labels, with_text("By {prf:ref}`C7`, $C7$ and `C7` it holds in L2.")),
        (hygiene.hides_labels, with_text(":::{prf:theorem} T\n:label: C7\n\nIt holds.\n:::")),
        (hygiene.skips_politely, with_code('if needs("deep"):\n    import torch', "nbval-ignore-output")),
        (hygiene.quotes_the_talk, with_text(TALK.format("“It is wrong.”"))),
    ],
)
def test_what_is_allowed_passes(rule, notebook):
    assert list(rule(notebook)) == []


def test_every_glued_number_is_quoted_on_some_page():
    notebook = with_text("{glue:text}`here:.2f`")
    notebook.cells.append(example.code("pass", "remove-cell"))
    notebook.cells[-1].outputs = [glued("here"), glued("there"), glued("nowhere")]
    found = list(hygiene.quotes_what_it_glues(notebook, "naive", {("naive", "there"), ("other", "nowhere")}))
    assert found == ["'nowhere' is glued and quoted on no page; drop it, or print it where it teaches"]


def test_captions_and_other_pages_may_quote(tmp_path):
    (tmp_path / "index.md").write_text("{glue:text}`naive.ipynb::a:.1f`", encoding="utf-8")
    cell = example.code("plt.show()", mystnb={"figure": {"caption": "{glue:text}`naive.ipynb::b`"}})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "why.ipynb")
    nbformat.write(with_text("{glue:text}`own`"), tmp_path / "naive.ipynb")
    assert hygiene.quoted_by_others(tmp_path / "naive.ipynb") == {("naive", "a"), ("naive", "b")}


def test_the_linter_knows_the_same_width():
    settings = tomllib.loads((ROOT / "book" / "ruff.toml").read_text(encoding="utf-8"))
    assert settings["line-length"] == hygiene.VISIBLE_COLUMNS


def test_checks_are_registered_where_the_package_reads_them():
    assert "example" in json.loads(hygiene.CHECKS.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Three plain words", 3),
        ("Codes $z = V^T x$ decode to {prf:ref}`C7` by `PCA`.", 7),
        ("$$\na + b\n$$ (eq-a)\nend", 1),
        ("(label)=\n# A title", 2),
        ("[a link](https://example.org/a/b/c) it’s", 3),
    ],
)
def test_words_are_what_a_reader_reads(text, words):
    assert chapter.words_in(text) == words


def test_folds_and_code_cost_no_words():
    text = "one\n\n```python\ncode = 1\n```\n\n````{dropdown} Proof\ntwo\n```{prf:proof}\nthree\n```\n````\n\n"
    text += "```{solution} a\n:class: dropdown\n\nfour\n```\n\n:::{note}\nfive\n:::"
    assert chapter.words(with_text(text)) == 2
    spanning = with_text("```{solution-start} a\n```", "six seven", "```{solution-end}\n```", "eight")
    assert chapter.words(spanning) == 1


def test_minutes_add_words_figures_statements_and_visible_cells():
    cells = [example.markdown("word " * 400), example.code("print(1)"), example.code("plt.show()", "hide-input")]
    cells[-1].metadata.mystnb = {"figure": {"caption": ""}}
    notebook = nbformat.v4.new_notebook(cells=cells)
    assert chapter.minutes(notebook) == 5  # 2 for words, 2 for the visible cell
    cells[-1].metadata.mystnb.figure.caption = "see"
    assert chapter.minutes(notebook) == 10  # and 1 for the figure, with a word
    longer = copy.deepcopy(notebook)
    longer.cells += [example.markdown(":::{prf:theorem} T\n:label: C7\n:::")] * 2
    assert chapter.minutes(longer) == 15  # and 3 for each statement
    longer.cells += [example.code("glue", "remove-cell"), example.code("set-up", "hide-cell")] * 9
    longer.cells += [example.markdown(":::{quiz}\n:::")] * 9
    longer.cells += [example.markdown("```{live} dials\n:alt: D\n\n" + "word " * 999 + "\n```")]
    assert chapter.minutes(longer) == 15


def test_blocks_nest_and_keep_their_options():
    (outer,) = chapter.parse("::::{admonition} A title\n:class: tip\n\ntext\n:::{prf:lemma} T\n:label: C1\n:::\n::::")
    assert (outer.name, outer.argument, outer.options) == ("admonition", "A title", {"class": "tip"})
    inner = outer.content[1]
    assert (inner.name, inner.options, inner.is_statement) == ("prf:lemma", {"label": "C1"}, True)


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [("13.0", ".0f", "13"), ("16", None, "16"), ("0.5", None, "0.5"), ("'far'", None, "far"), ("21.07", ".1f", "21.1")],
)
def test_a_glued_value_is_set_as_the_page_sets_it(value, form, shown):
    assert chapter.set_number(value, form) == shown
