"""The kept results of the big table belong to the code and the data as they are, and were not edited by hand."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from linvae import PCA, LinearGenerativeModel, VariationalMMLR
from linvae.datasets import load_mnist

ROOT = Path(__file__).resolve().parents[1]
spec = importlib.util.spec_from_file_location("table", ROOT / "benchmarks" / "table.py")
table = importlib.util.module_from_spec(spec)
spec.loader.exec_module(table)


@pytest.fixture(scope="module")
def result():
    return json.loads((ROOT / "benchmarks" / "table.json").read_text(encoding="utf-8"))


def test_the_results_come_from_this_code_and_these_data(result):
    assert result["about"]["fingerprint"] == table.fingerprint(), (
        "the code or the data behind benchmarks/table.json has changed; run `make table` (it takes most of an hour)"
    )


def test_the_fingerprint_sees_code_and_not_words():
    code = 'def f(x):\n    """Say."""\n    return x + 1  # because\n'
    assert table.code_only(code) == table.code_only('"""New."""\n\n\ndef f(x):\n    return x + 1\n')
    assert table.code_only(code) != table.code_only(code.replace("+ 1", "+ 2"))
    assert "#" in table.code_only('name = "a # b"\n')  # no comment


@pytest.mark.parametrize("data", table.DATA)
def test_the_appendix_shows_the_results(result, data):
    assert (ROOT / "benchmarks" / f"table-{data}.md").read_text(encoding="utf-8") == table.tables(result, data)


@pytest.mark.parametrize("data", table.DATA)
def test_every_job_has_its_result(result, data):
    asked = [*table.first_jobs(), *table.final_jobs(result["try"])]
    for kind in table.JOBS:
        if kind not in ("try", "tries"):  # every family is looked at below
            wanted = [arguments for name, arguments in asked if name == kind and arguments["data"] == data]
            mine = [entry for entry in result[kind] if entry["data"] == data]
            found = [{key: entry[key] for key in wanted[0]} for entry in mine]
            assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, wanted))


@pytest.mark.parametrize("data", table.DATA)
def test_every_family_has_six_tries_and_its_finalist_is_the_best_of_them(result, data):
    for family in table.FAMILIES:
        tries = [t for t in result["try"] if (t["data"], t["family"]) == (data, family)]
        settings = [json.dumps(setting, sort_keys=True) for setting in table.FAMILIES[family][1]]
        assert sorted(json.dumps(t["setting"], sort_keys=True) for t in tries) == sorted(settings)
        assert len(set(settings)) == 6
        best = min(tries, key=lambda t: t["w1"])
        finals = [f for f in result["final"] if (f["data"], f["family"]) == (data, family)]
        assert [f["setting"] for f in finals] == [best["setting"]]


def test_every_score_has_a_spread_over_five_draws(result):
    for kind in ("grid", "final"):
        assert {len(entry["w1"]) for entry in result[kind]} == {5}
    assert {len(c["w1"]) for data in table.DATA for c in table.merged_controls(result, data).values()} == {5}


def image_law(model):
    """Return the mean and covariance of each class's images, before they are cut off at black and white."""
    laws = []
    for label, decoder in model.decoders_.items():
        law, scale = model.latent_, model.pixel_scale_
        k = law.n_features_in_
        m = law.means_[label] if hasattr(law, "means_") else np.zeros(k)
        C = law.covariances_[label] if hasattr(law, "covariances_") else np.eye(k)
        B = decoder.coef_ * scale[:, None]
        laws.append((scale * (decoder.coef_ @ m + decoder.intercept_) + model.pixel_mean_, B @ C @ B.T))
    return laws


@pytest.mark.statement("C36")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("PCA", "least squares", "class Gaussian", 16), ("PPCA", "least squares", "class Gaussian", 16)),
        (("PCA", "least squares", "class Gaussian", 16, "standardised"),
         ("PPCA", "least squares", "class Gaussian", 16, "standardised")),
        (("LDA", "least squares", "class Gaussian", 9),
         ("LDA", "least squares", "class Gaussian", 9, "standardised")),
        (("LDA", "least squares", "standard normal", 9),
         ("LDA", "least squares", "standard normal", 9, "standardised")),
    ],
)  # fmt: skip
def test_rows_of_the_table_that_are_merged_draw_images_of_one_law(one, other):
    X, y = load_mnist()
    X = X.astype(np.float64)
    pairs = zip(image_law(table.linear(*one).fit(X, y)), image_law(table.linear(*other).fit(X, y)), strict=True)
    for (m, C), (m_other, C_other) in pairs:
        # LDA inverts a scatter within classes whose condition number is some 1e8, so 1e-16 may grow to 1e-8.
        assert np.abs(m - m_other).max() < 1e-6
        assert np.abs(C - C_other).max() < 1e-6


def test_rows_that_differ_in_law_or_prior_are_not_merged():
    X, y = load_mnist()
    X = X.astype(np.float64)
    for law, decoder in (("standard normal", "least squares"), ("class Gaussian", "the talk's")):
        pairs = zip(*(image_law(table.linear(e, decoder, law, 16).fit(X, y)) for e in ("PCA", "PPCA")), strict=True)
        # One gray level, 1/255, has a square of 2e-5: this is several of them.
        assert max(np.abs(C - other).max() for (_, C), (_, other) in pairs) > 1e-4


@pytest.mark.statement("C20", "C36")
def test_the_talks_mean_field_and_the_exact_posterior_draw_the_same_mean_images():
    """So the table has one row for both, at the same noise and prior."""
    X, y = load_mnist()
    X = X.astype(np.float64)
    exact = LinearGenerativeModel(PCA(16), VariationalMMLR(noise="fixed", prior="fixed", noise_variance=1.0)).fit(X, y)
    talk = table.linear("PCA", "the talk's", "class Gaussian", 16).fit(X, y)
    for label, decoder in talk.decoders_.items():
        assert np.abs(decoder.coef_ - exact.decoders_[label].coef_).max() < 1e-8  # two ways to solve one system


def test_parameters_are_counted():
    X, y = load_mnist()
    k, d = 16, 784
    talk = table.linear_member("the talk's recipe", k).fit(X, y)
    drawing = 10 * (d * k + d) + 2 * d + 10 * (k + 1)
    assert table.n_parameters(talk) == (drawing, drawing + k * d + d)
    own = table.linear_member("class PCA + class Gaussian", k).fit(X, y)
    tied = 10 * (d * k + d + k + k * (k + 1) // 2)
    assert table.n_parameters(own) == (tied, tied)


def test_a_network_shares_its_weights_among_the_families_that_differ_in_the_law_alone():
    pytest.importorskip("torch")
    X, y = (part[:200] for part in load_mnist())
    model = table.network("VAE", 4, 1).fit(X, y)
    codes = model.transform(X)
    for law in ("standard normal", "class Gaussian", "mixture 2"):
        table.with_law(model, law, X, y)
        drawn = model.latent_.sample(500, 0, 0).mean(axis=0)
        target = np.zeros(4) if law == "standard normal" else codes[y == 0].mean(axis=0)
        spread = np.sqrt(max(1.0, codes[y == 0].var(axis=0).max()) / 500)
        assert np.abs(drawn - target).max() < 6 * spread  # 6 standard errors
    assert np.array_equal(codes, model.transform(X))
