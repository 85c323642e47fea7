"""The book's own Sphinx extensions, tried on a small book in a temporary folder, and the copies that it serves."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import chapter
import download
import example
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
for module in ("sphinx", "myst_nb", "sphinx_proof", "sphinx_exercise", "sphinx_design", "sphinxcontrib.bibtex"):
    pytest.importorskip(module, reason=f"{module} is missing; pip install -e '.[book]'")

CONF = f"""
import sys
sys.path.insert(0, {str(ROOT / "book" / "_ext")!r})
extensions = ["myst_nb", "proof_postulate", "sphinx_exercise", "sphinx_design", "sphinxcontrib.bibtex",
              "statement_sign", "chapter_form", "download_copy", "page_head", "quiz", "repository_address"]
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "dollarmath"]
nb_execution_mode = "off"
exclude_patterns = ["_build", "jupyter_execute"]
numfig = True
extensions.append("live_figure")
html_static_path = ["_static"]
math_numfig = True
bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"
statements_root = {{root!r}}
html_theme = "basic"
html_title = "A small book"
"""
REGISTRY = """
chapters: [example]
statements:
  C7: {chapter: example, title: The mean is nearest}
  C8: {chapter: example, title: Told in the old form}
  C4: {chapter: example, cited: true, title: Quoted}
"""
OUTCOMES = {"C7": {"tests/test_m.py::test_nearest[1]": "passed", "tests/test_m.py::test_farther": "passed"}}
OLD = """# Old

```{only} published
Told where it is published.
```

:::{prf:lemma} C8 · Told in the old form
:label: C8

It holds.

*Checked by* `test_old`.
:::

:::{prf:theorem} Quoted
:label: C4

So they say.
:::
"""
QUIZ = r"""
- about: the mean
  ask: Which guess is nearest to $x_1, \dots, x_n$?
  choices:
    - wrong: The *median*
      because: It is nearest in absolute error.
    - right: The mean
      because: The slope is zero there.
    - wrong: The `max`
      because: It is far from the others.
- about: two
  ask: What is a mean?
  several: true
  choices:
    - right: A sum over a count
      because: By definition.
    - right: A balance point
      because: Differences add up to zero.
    - wrong: The middle one
      because: That is the median.
"""
PAGES = {
    "conf.py": CONF,
    "quiz/example.yml": QUIZ,
    "index.md": "# Book\n\nIt takes {minutes}`example` minutes.\n\n"
    "```{toctree}\n:numbered:\n\nexample\nold\n```\n\n```{toctree}\nbook/statements\nledger\nworks\nlive\n```\n",
    "live.md": "# Live\n\n```{live} axis\n:name: live-axis\n:alt: A line.\n\nTurn *it*.\n\n- Once.\n```\n",
    "old.md": OLD,
    "book/statements.md": "# Statements\n\n[C7]{#statement-c7}\n",
    "ledger.md": "# Ledger\n\n(ledger-4)=\n## Row 4\n\nMended.\n",
    "works.md": "# Works\n\n```{bibliography}\n```\n",
    "references.bib": "@article{pearson1901, author={Pearson, Karl}, title={On Lines}, journal={PM}, year={1901}}\n",
    "book/statements.yml": REGISTRY,
    "build/statements.json": json.dumps(OUTCOMES),
}


def build(folder, to="_build", **addresses):
    """Build the book as `make book` does, every warning an error."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-n", "--keep-going", folder, folder / to]
    here = {name: value for name, value in os.environ.items() if not name.startswith("LINVAE_")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=here | addresses)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    for name, text in PAGES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text.replace("{root!r}", repr(str(folder))), encoding="utf-8")
    shutil.copytree(ROOT / "book" / "_static" / "live", folder / "_static" / "live")
    for name in ("quiz.css", "quiz.js"):
        shutil.copy(ROOT / "book" / "_static" / name, folder / "_static" / name)
    nbformat.write(example.run(example.chapter(), folder), folder / "example.ipynb")
    build(folder)
    return folder


@pytest.fixture(scope="module")
def copy(folder):
    return nbformat.read(folder / "_build" / "_sources" / "example.ipynb", as_version=4)


def page(folder, name):
    return (folder / "_build" / f"{name}.html").read_text(encoding="utf-8")


def words(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def sign(html, label):
    return re.search(rf'<span class="statement-sign"><a [^>]*#statement-{label.lower()}".*?</span></span>', html)[0]


def test_a_statement_is_called_by_what_it_says_and_its_evidence_stands_behind_a_sign(folder):
    html = page(folder, "example")
    found = sign(html, "C7")
    assert "Theorem 1.1 (The mean is nearest)" in words(html)
    assert 'href="book/statements.html#statement-c7"' in found
    assert 'aria-label="Evidence for C7: passed, 2 tests"' in found
    assert 'aria-describedby="sign-C7"' in found
    assert re.search(r'role="tooltip" id="sign-C7"', found)
    assert re.findall(r"<code>(\w+)</code>", found) == ["test_farther", "test_nearest"]
    assert "C7" not in words(html.replace(found, ""))


def test_labels_and_tests_of_the_old_form_go_out_of_sight(folder):
    html = page(folder, "old")
    text = words(html.replace(sign(html, "C8"), ""))
    assert "Lemma 2.1 (Told in the old form)" in text
    assert "It holds." in text
    assert "C8" not in text
    assert "test_old" not in text
    assert "no test, 0 tests" in sign(html, "C8")
    assert "quoted from its authors" in sign(html, "C4")


def test_the_sign_follows_the_tests(folder):
    outcomes = folder / "build" / "statements.json"
    before = outcomes.read_text(encoding="utf-8")
    outcomes.write_text(before.replace("passed", "failed"), encoding="utf-8")
    os.utime(outcomes, (2e9, 2e9))
    build(folder)
    assert "Evidence for C7: failed" in sign(page(folder, "example"), "C7")
    outcomes.write_text(before, encoding="utf-8")
    build(folder)
    assert "Evidence for C7: passed" in sign(page(folder, "example"), "C7")


def test_the_goals_count_the_minutes_and_other_pages_quote_them(folder):
    minutes = chapter.minutes(nbformat.read(folder / "example.ipynb", as_version=4))
    assert f"Goals · {minutes} minutes to read" in page(folder, "example")
    assert f"It takes {minutes} minutes." in page(folder, "index")


def test_the_box_of_the_talk_names_the_slide_and_links_the_ledger(folder):
    box = re.search(r'<div class="talk admonition.*?</div>', page(folder, "example"), re.DOTALL)
    assert "In the talk, slide 3" in words(box[0])
    assert 'href="ledger.html#ledger-4"' in box[0]


def test_evidence_is_not_on_the_page_and_drawing_is_folded(folder):
    html = page(folder, "example")
    assert "assert errors" not in words(html)
    assert html.count("<details") >= 3  # set-up, figure and proof


def test_a_live_figure_is_a_still_picture_until_its_scripts_come(folder):
    html = page(folder, "live")
    figure = re.search(r'<figure class="live live-axis[^>]*id="live-axis">.*?</figure>', html, re.DOTALL)[0]
    assert re.search(r'<img alt="A line." src="_images/axis.png"', figure)
    assert "Turn it ." in words(figure)
    assert "Try this Once." in words(figure)
    scripts = re.findall(r'<script[^>]*src="_static/live/([\w.]+)\?', html)
    assert scripts == ["live.js", "axis.data.js", "axis.js"]
    assert html.count("live.css") == 1
    assert "live/live" not in page(folder, "old")


def fieldsets(html):
    quiz = re.search(r'<details class="quiz">.*</details>', html, re.DOTALL)[0]
    return re.findall(r"<fieldset>.*?</fieldset>", quiz, re.DOTALL)


def test_a_quiz_is_plain_html_that_needs_no_script(folder):
    html = page(folder, "example")
    one, two = fieldsets(html)
    assert "<summary>2 questions, every choice explained</summary>" in html
    assert words(re.search(r"<legend>.*</legend>", one)[0]).split()[:4] == ["1.", "Which", "guess", "is"]
    assert 'class="math' in re.search(r"<legend>.*</legend>", one)[0]
    assert [box.groups() for box in re.finditer(r'<label><input type="(\w+)" name="([\w-]+)" value="(\w)">', one)] == [
        ("radio", "quiz-1", letter) for letter in "abc"
    ]
    assert two.count('type="checkbox" name="quiz-2"') == 3
    assert "Several are right." in two
    assert "Several" not in one
    why = re.findall(r'<details class="(\w+)"><summary>About (\w)</summary>\s*<p><b>([\w ]+).</b>', one)
    assert why == [("wrong", "a", "Not so"), ("right", "b", "Right"), ("wrong", "c", "Not so")]
    assert re.findall(r'<script[^>]*src="_static/(quiz[\w.]+)\?', html) == ["quiz.js"]
    assert "quiz.js" not in page(folder, "old")


def test_what_is_right_stands_only_in_what_is_folded(folder):
    for question in fieldsets(page(folder, "example")):
        open_part = re.sub(r"<details class.*?</details>", "", question, flags=re.DOTALL)
        assert "<label>" in open_part
        assert not re.search("right|wrong|Right|Not so", open_part.replace("Several are right.", ""))


def test_the_copy_holds_no_myst_and_all_numbers(copy):
    text = "\n\n".join(cell.source for cell in copy.cells if cell.cell_type == "markdown")
    nbformat.validate(copy)
    assert download.left_over(copy) == []
    for part in ("{glue", "{prf", ":::", "C7"):
        assert part not in text
    for part in (
        "> **Goals · 15 minutes to read**",
        "> **In the talk, slide 3**",
        "> **Theorem 1.1 (The mean is nearest)**",
        "In Fig. 1.1 the mean stands at 7.33. By Theorem 1.1",
        "\\tag{1.1}",
        "(1.1) says where",
        "*Three images of two pixels*",
        "**Exercise 1.1 (Warm-up).**",
        "<summary>Solution to Exercise 1.2</summary>",
        "**Solution to Exercise 1.3.**",
        "**Fig. 1.1.** The mean, at 7.3, errs least.",
        "[Pearson, 1901]",
        "(Row 4 of the book’s ledger.)",
        "**2.** What is a mean? *(Several are right.)*\n\n- **a** A sum over a count\n",
        "<summary>Answer to 1</summary>\n\n- **a** Not so. It is nearest in absolute error.\n- **b** Right. ",
    ):
        assert part in text, part


def test_the_copy_keeps_what_teaches_and_folds_the_rest(copy):
    code = [cell for cell in copy.cells if cell.cell_type == "code"]
    hidden = [cell.source.split("\n")[0] for cell in code if cell.metadata.get("jupyter", {}).get("source_hidden")]
    assert hidden == ["from importlib.util import find_spec", 'dots(errors).set(xlabel="error")']
    assert not any("glue(" in cell.source for cell in code)
    assert all(chapter.RECORD not in output.get("data", {}) for cell in code for output in cell.outputs)


def test_the_copy_runs_from_an_empty_folder(copy, tmp_path):
    before = [[output.get("text") for output in cell.outputs] for cell in copy.cells if cell.cell_type == "code"]
    ran = example.run(nbformat.from_dict(copy), tmp_path)
    assert [[o.get("text") for o in cell.outputs] for cell in ran.cells if cell.cell_type == "code"] == before


class FakeBook:
    def number(self, label):
        return {"fig-a": "Fig. 3.1", "C7": "Theorem 4.1", "ex-a": "Exercise 3.2"}[label]

    def equation(self, label):
        return {"eq-a": "3.4"}[label]

    def title(self, label):
        return {"naive": "PCA and least squares"}[label]

    def cite(self, key):
        return {"a": "Hotelling, 1933", "b": "Pearson, 1901"}[key]

    def value(self, page, name):
        return {("why", "share"): "0.31234", ("naive", "count"): "16", ("naive", "minutes"): "25"}[page, name]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("{glue:text}`share:.2f` of {glue:text}`naive.ipynb::count`", "0.31 of 16"),
        ("{numref}`fig-a`, {numref}`see %s <fig-a>`, {prf:ref}`C7`", "Fig. 3.1, see 3.1, Theorem 4.1"),
        ("{cite}`a,b` and {cite:t}`a`", "[Hotelling, 1933; Pearson, 1901] and [Hotelling, 1933]"),
        ("{doc}`naive`, {doc}`there <naive>`, {ref}`pencil <ex-a>`", "*PCA and least squares*, there, pencil"),
        ("$$\na\n$$ (eq-a)\nBy {eq}`eq-a`", "$$\na \\tag{3.4}\n$$\nBy (3.4)"),
        ("{class}`~linvae.encoders.PCA` in {minutes}`naive` minutes", "`PCA` in 25 minutes"),
        ("(label)=\n## Title", "## Title"),
        ("[data](data.md) and [web](https://example.org)", "data and [web](https://example.org)"),
        ("`x[0]` and $\\{a\\}_b$ and `{not: a role}`", "`x[0]` and $\\{a\\}_b$ and `{not: a role}`"),
    ],
)
def test_roles_become_words(text, plain):
    assert download.inline(text, "why", FakeBook()) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("```{math}\n:label: eq-a\na\n```", "$$\na\n\\tag{3.4}\n$$"),
        ("```python\nx = {1}\n```", "```python\nx = {1}\n```"),
        (":::{admonition} Read *this*\n:class: tip\nIt\n\nhelps\n:::", "> **Read *this***\n>\n> It\n>\n> helps"),
        (":::{note}\nHm\n:::", "> **Note**\n>\n> Hm"),
        (":::{prf:remark} C9 · By the way\nHm\n:::", "> **Remark (By the way)**\n>\n> Hm"),
        (
            "````{dropdown} Proof\n```{prf:proof}\nClear.\n```\n````",
            "<details>\n<summary>Proof</summary>\n\n*Proof.* Clear.\n\n</details>",
        ),
        ("```{bibliography}\n```", ""),
        (
            "```{live} axis\n:name: fig-a\n:alt: A line.\n\nTurn *it*,\nor not.\n\n- Once.\n```",
            "*The book on the web has a figure to play with here (Fig. 3.1):* Turn *it*, or not.",
        ),
    ],
)
def test_boxes_become_quotes_and_folds(text, plain):
    assert download.plain(text, "why", FakeBook(), 5) == plain


@pytest.mark.parametrize(
    ("evidence", "later", "kept"),
    [
        ('glue("x", errors)', "print(errors)", False),
        ("worst = max(errors)", "print(errors)", False),
        ("worst = max(errors)", "print(worst)", True),
        ("errors[0] = 1", "print(errors)", True),
        ("model.scale = 2", "print(model)", True),
        ("def worst():\n    pass", "worst()", True),
        ("from a import b as c", "print(c)", True),
        ("%timeit x", "print(x)", False),
    ],
)
def test_evidence_stays_only_where_a_later_cell_reads_it(evidence, later, kept):
    notebook = nbformat.v4.new_notebook(cells=[example.code(evidence, "remove-cell"), example.code(later)])
    assert download.needed(notebook) == ({0, 1} if kept else {1})


def test_evidence_that_kept_evidence_reads_stays_too():
    cells = [example.code("a = 1", "remove-cell"), example.code("b = a", "remove-cell"), example.code("print(b)")]
    assert download.needed(nbformat.v4.new_notebook(cells=cells)) == {0, 1, 2}


@pytest.mark.parametrize("text", ["{glue:text}`x`", "see {prf:ref}`C7`", "> :::{prf:lemma} T", "```{note}\n", "(a)="])
def test_what_is_left_over_is_found(text):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])
    assert len(download.left_over(notebook)) == 1


def test_code_that_only_looks_like_myst_is_no_left_over():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("```python\nf'{a}`'\n```\n\n$f(x)=1$")])
    assert download.left_over(notebook) == []


def test_the_address_of_the_package_is_set_by_whoever_publishes():
    notebook = example.chapter()
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"][:1]
    published = download.copy_for_download(notebook, "why", FakeBook(), "linvae[chapters] @ git+https://example.org/a")
    assert '%pip install --quiet "linvae[chapters] @ git+https://example.org/a"' in published.cells[0].source
    bare = download.copy_for_download(nbformat.v4.new_notebook(), "why", FakeBook())
    assert [cell.source for cell in bare.cells] == [chapter.INSTALL]


def test_all_copies_are_in_one_zip_with_the_same_bytes_for_the_same_chapters(folder, tmp_path):
    packed = folder / "_build" / "notebooks.zip"
    with zipfile.ZipFile(packed) as opened:
        assert opened.namelist() == ["notebooks/example.ipynb"]
        assert opened.read("notebooks/example.ipynb") == (folder / "_build" / "_sources" / "example.ipynb").read_bytes()
        assert opened.getinfo("notebooks/example.ipynb").date_time[0] == 1980  # not that of the build


def test_a_page_has_one_viewport_a_description_and_pictures_with_sizes(folder):
    html = page(folder, "example")
    assert html.count('name="viewport"') == 1
    line = nbformat.read(folder / "example.ipynb", as_version=4).metadata.linvae.line
    assert f'<meta name="description" content="{line}" />' in html
    pictures = re.findall(r"<img [^>]*_images/[^>]*\.png[^>]*>", html)
    assert pictures
    assert all(re.search(r'width="\d+" height="\d+"', picture) for picture in pictures)
    assert not any('loading="lazy"' in picture for picture in pictures[:1])
    assert all('loading="lazy"' in picture for picture in pictures[1:])


def test_where_no_address_is_given_no_page_names_one(folder):
    assert "og:url" not in page(folder, "example")
    assert "Told where it is published" not in page(folder, "old")
    assert not (folder / "_build" / "sitemap.xml").exists()
    assert not (folder / "_build" / "404.html").exists()


def test_a_published_book_has_cards_a_site_map_and_a_page_for_what_is_not_found(folder):
    pytest.importorskip("sphinxext.opengraph", reason="sphinxext-opengraph is missing; pip install -e '.[book]'")
    build(folder, "_published", LINVAE_BOOK="https://example.org/book/")
    published = folder / "_published"
    html = (published / "example.html").read_text(encoding="utf-8")
    assert 'property="og:url" content="https://example.org/book/example.html"' in html
    assert 'property="og:site_name" content="A small book"' in html
    card = re.search(r'property="og:image" content="https://example.org/book/([^"]*)"', html)[1]
    assert (published / card).is_file()
    assert "https://example.org/book/example.html" in (published / "sitemap.xml").read_text(encoding="utf-8")
    assert 'href="/book/' in (published / "404.html").read_text(encoding="utf-8")
    assert "Told where it is published" in (published / "old.html").read_text(encoding="utf-8")


def test_the_page_for_contributors_shows_the_lines_that_install():
    assert chapter.INSTALL in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


# ---------------------------------------------------------------- what rests on what


@pytest.fixture
def chapter_map(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    return importlib.import_module("chapter_map")


def test_an_arc_is_left_out_where_another_of_the_needs_leads_there_already(chapter_map):
    needs = {"why": [], "naive": ["why"], "codes": ["naive", "why"], "judges": ["why", "codes"]}
    assert chapter_map.direct(needs) == {"why": [], "naive": ["why"], "codes": ["naive"], "judges": ["codes"]}


def test_every_chapter_of_the_picture_is_a_link_that_says_what_it_rests_on(chapter_map):
    minutes = {"why": 30, "posterior_collapse": 40}
    html = chapter_map.arcs({"why": [], "posterior_collapse": ["why"]}, minutes, lambda name: f"{name}.html")
    assert '<a href="posterior_collapse.html" aria-label="posterior collapse, 40 minutes, rests on why">' in html
    assert 'aria-label="why, 30 minutes, rests on nothing"' in html
    assert html.count("<path") == 1


def test_figures_of_a_page_without_a_number_count_from_one_and_those_of_a_chapter_stay(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    counted = {
        "why": {"figure": {"fig-a": (1, 1), "fig-b": (1, 2)}},
        "index": {"figure": {"fig-c": (1,), "fig-d": (2,)}, "table": {"t": (1,)}},
        "project": {"figure": {"fig-e": (3,), "fig-f": (4,)}, "table": {"u": (2,)}},
        "data": {},
    }
    environment = SimpleNamespace(toc_fignumbers=counted)
    assert importlib.import_module("figure_numbers").count_anew(None, environment) == []
    assert counted["project"] == {"figure": {"fig-e": (1,), "fig-f": (2,)}, "table": {"u": (2,)}}
    assert counted["index"]["figure"] == {"fig-c": (1,), "fig-d": (2,)}
    assert counted["why"]["figure"] == {"fig-a": (1, 1), "fig-b": (1, 2)}
