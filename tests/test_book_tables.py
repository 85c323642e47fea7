"""Tables, checks of exercises and missing extras: what a chapter shows is readable, and says what to do next."""

import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from linvae.book import check, exercises, extras, needs, seal, table

pd = pytest.importorskip("pandas", reason="pandas is missing; pip install 'linvae[chapters]'")

FRAME = pd.DataFrame(
    {"error": [21.066, 8.3449, np.nan], "rows": [8000, 8000, 1200], "kind": ["digits", "digits", "a < b"]},
    index=pd.Index(["k = 16", "k = 64", "none"], name="model"),
)


class Tags(HTMLParser):
    """Collect (tag, attributes, text) of a piece of HTML."""

    def __init__(self, html):
        super().__init__()
        self.seen, self.open = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.open.append([tag, dict(attributes), ""])

    def handle_data(self, data):
        for tag in self.open:
            tag[2] += data

    def handle_endtag(self, tag):
        assert self.open[-1][0] == tag
        self.seen.append(self.open.pop())

    def texts(self, tag, **attributes):
        return [text for t, given, text in self.seen if t == tag and attributes.items() <= given.items()]


def test_a_table_tells_a_screen_reader_what_each_entry_belongs_to():
    html = Tags(
        table(FRAME, caption="Error & rows", digits={"error": 1}, units={"error": "squared units"})._repr_html_()
    )
    assert html.texts("caption") == ["Error & rows"]
    assert html.texts("th", scope="col") == ["model", "error (squared units)", "rows", "kind"]
    assert html.texts("th", scope="row") == ["k = 16", "k = 64", "none"]
    assert html.texts("td") == ["21.1", "8000", "digits", "8.3", "8000", "digits", "–", "1200", "a < b"]
    assert not html.open


def test_the_text_that_tests_compare_holds_the_same_entries():
    shown = table(FRAME, caption="Errors", digits=1, units={"model": "codes"})
    assert repr(shown).splitlines() == [
        "Errors",
        "model (codes)  error  rows  kind",
        "k = 16          21.1  8000  digits",
        "k = 64           8.3  8000  digits",
        "none               –  1200  a < b",
    ]


@pytest.mark.parametrize(
    ("value", "digits", "entry"),
    [
        (21.07387, None, "21.07"),
        (1.2e-13, None, "1.2e-13"),
        (0.345, 1, "0.3"),
        (-0.004, 1, "0.0"),
        (-0.06, 1, "−0.1"),
        (-3, 1, "−3"),
        (8000, 2, "8000"),
        (3039.2, 0, "3,039"),
        (-1234.56, 1, "−1,234.6"),
        (np.float32(0.5), 2, "0.50"),
        (None, 1, "–"),
        (pd.NA, 1, "–"),
        (pd.NaT, None, "–"),
        (True, 1, "True"),
    ],
)
def test_a_number_is_rounded_once_and_a_count_is_not(value, digits, entry):
    frame = pd.DataFrame({"x": pd.Series([value], dtype=object)})
    assert table(frame, caption="One", digits=digits).rows == (("0", entry),)


def test_the_best_are_bold_and_a_line_parts_groups():
    html = Tags(table(FRAME, caption="Errors", digits=1, bold=[("k = 64", "error")], rules=["none"])._repr_html_())
    assert html.texts("strong") == ["8.3"]
    assert html.texts("tr", **{"class": "rule"}) == ["none–1200a < b"]
    assert not html.open


def test_a_series_is_a_table_of_one_column():
    assert table(pd.Series([1.5], ["a"], name="x"), caption="One").header == ("", "x")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: table([1, 2], caption="C"), "a list is no frame"),
        (lambda: table(FRAME, caption=" "), "caption is empty"),
        (
            lambda: table(FRAME, caption="C", digits={"errror": 1}),
            "no column 'errror'; the frame has error, rows, kind",
        ),
        (lambda: table(FRAME, caption="C", units={"s": "s"}), "no column 's'"),
        (lambda: table(FRAME, caption="C", rules=["k = 8"]), "no row 'k = 8'; the frame has k = 16, k = 64, none"),
        (lambda: table(FRAME, caption="C", bold=[("none", "s")]), "no column 's'"),
        (lambda: table(FRAME.set_index("kind", append=True), caption="C"), "2 levels of headers; reset_index"),
    ],
)
def test_a_bad_table_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


ERROR = seal("a", 31.1, within=0.1, hint="Sum over pixels, mean over images.", wrong={31.1 / 784: "Times 784?"})
PLACE = seal("b", [1.0, -2.0], within=1e-6, hint="Centre first.", wrong={(-1.0, 2.0): "The sign."})
COUNT = seal("c", 784, hint="Count the columns.", wrong={16: "Those are the codes."})
WORD = seal("d", "Rotation", hint="It keeps lengths.")


@pytest.mark.parametrize(
    ("name", "entry", "answer"),
    [
        ("a", ERROR, 31.15),
        ("a", ERROR, np.float32(31.05)),
        ("b", PLACE, np.array([1, -2])),
        ("c", COUNT, 784),
        ("c", COUNT, np.int64(784)),
        ("c", COUNT, 784.0),
        ("d", WORD, " rotation"),
    ],
)
def test_a_right_answer_is_right(name, entry, answer):
    assert exercises.compare(name, answer, entry)


@pytest.mark.parametrize(
    ("name", "entry", "answer", "hint"),
    [
        ("a", ERROR, 31.25, "Sum over pixels"),
        ("a", ERROR, 31.1 / 784, "Times 784"),
        ("a", ERROR, "31.1 or so", "A str is no number; give one number"),
        ("a", ERROR, [31.1], "Give one number; this is an array of shape (1,)"),
        ("a", ERROR, np.nan, "NaN"),
        ("b", PLACE, [1.0, 2.0], "Centre first"),
        ("b", PLACE, [-1.0, 2.0], "The sign."),
        ("c", COUNT, 16, "Those are the codes"),
        ("c", COUNT, 785, "Count the columns"),
        ("d", WORD, "reflection", "keeps lengths"),
    ],
)
def test_another_answer_gets_a_hint_and_never_only_a_no(name, entry, answer, hint):
    found = exercises.compare(name, answer, entry)
    assert not found
    assert repr(found).startswith("Not yet. ")
    assert hint in repr(found)


def test_a_sealed_answer_cannot_be_read_at_a_glance():
    assert not {"31.1", "784", "otation"} & {word for e in (ERROR, COUNT, WORD) for word in str(e).split("'")}
    assert seal("e", 784, hint="h")["hash"] != COUNT["hash"]  # the name salts it


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: seal("a", 1, hint=""), "a has no hint"),
        (lambda: seal("a", 1.0, within=0, hint="h"), "within=0; give a tolerance above 0"),
        (lambda: seal("a", 1.0, within=1, hint="h", wrong={1.5: "w"}), "1.5 is listed as wrong and passes"),
        (lambda: check("no-such-check", 1), "no check is named 'no-such-check'"),
    ],
)
def test_a_bad_check_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_chapters_checks_are_read_from_the_file(monkeypatch):
    monkeypatch.setattr(exercises, "_kept", lambda: {"c": COUNT})
    assert check("c", 784)


def test_every_kept_check_has_what_it_needs():
    for name, entry in exercises._kept().items():
        assert entry["hint"], name
        assert ("hash" in entry) != ("number" in entry), name


def test_a_missing_extra_is_a_sentence_and_no_error(monkeypatch, capsys):
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "torch" else sys)
    assert needs("plot")
    assert not needs("deep")
    assert capsys.readouterr().out == "Left out: this needs torch, which pip install 'linvae[deep]' brings.\n"
    with pytest.raises(ValueError, match="extra='depth'; choose one of 'dask', 'deep'"):
        needs("depth")
