"""Drive every live figure in Chromium, from file:// and with the network off, and compare it with the package.

Run by `make browser`, after `make book`.  Each figure is moved by its native inputs alone, as the keyboard moves them.
"""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import linvae.variational as vi
from linvae import (
    MMLR,
    PCA,
    CrossMoments,
    EmpiricalDenoiser,
    GaussianDenoiser,
    LinearGenerativeModel,
    LocalDenoiser,
    VariationalMMLR,
)
from linvae.datasets import load_mnist
from linvae.denoisers import follow
from linvae.metrics import nearest_train_distance, outside_span
from linvae.transport import wasserstein1

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html" / "book"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
# The page of each figure, a control to move, and the value that its first sentence is about.
PLACES = {
    "dials": ("naive", "k"),
    "axis": ("autoencoder", "angle"),
    "unexpected": ("unexpected", "k"),
    "bound": ("elbo", "m2"),
    "averaging": ("randomness", "T"),
    "piles": ("wasserstein", "contrast"),
    "draft": ("denoisers", "step"),
}
HEAVY = re.compile(r"/(?:mathjax|fontawesome)/[^?]*\.js")
# Radio buttons are one stop together.
CONTROL = """node => node.type === 'radio' ? node.name
                     : node.id || node.textContent || node.closest('label').textContent"""
OFF_PAGE = (
    """nodes => nodes.filter(node => node.getBoundingClientRect().right > innerWidth).map(node => node.outerHTML)"""
)
FIGURES = (
    """nodes => nodes.map(node => [...node.classList].find(word => word.startsWith('live-') && word !== 'live-on'))"""
)
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing; pip install -e '.[browser]'")
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium; install one, or name it in CHROMIUM"),
    pytest.mark.skipif(not HTML.is_dir(), reason="the book is not built; run make book"),
    pytest.mark.xdist_group("live"),
]


class Figure:
    """A live figure on its page."""

    def __init__(self, browser, name, viewport=DESK, theme="light", scripts=True):
        self.name, self.page = name, PLACES[name][0]
        self.context = browser.new_context(
            viewport=viewport, color_scheme=theme, java_script_enabled=scripts, reduced_motion="reduce"
        )
        self.context.set_offline(True)
        self.context.set_default_timeout(60_000)
        # Formulas and icons take most of a page's time, and no figure needs them; test_pages.py loads them.
        self.context.route(HEAVY, lambda route: route.fulfill(body="", content_type="text/javascript"))
        self.tab = self.context.new_page()
        self.complaints = []
        self.tab.on("console", lambda said: said.type in ("error", "warning") and self.complaints.append(said.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.goto((HTML / f"{self.page}.html").as_uri(), wait_until="domcontentloaded")
        self.box = self.tab.locator(f"figure.live-{name}")

    def input(self, key):
        return self.box.locator(f"#live-{self.name}-{key}")

    def set(self, key, value):
        """Move a slider as a hand does: its input says so itself."""
        self.input(key).evaluate(
            "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", str(value)
        )

    def ask(self, expression):
        return self.tab.evaluate(f"(() => {{ const stage = linvaeLive.stages.{self.name}; return {expression}; }})()")

    def sentence(self):
        self.tab.wait_for_function(f"!linvaeLive.stages.{self.name}.frame")
        return self.box.locator(".live-sentence").inner_text()

    def levels(self, label):
        """Return what the canvas of that label shows, rows of red, green and blue."""
        self.sentence()
        found = self.box.locator(f'canvas[aria-label="{label}"]').evaluate(
            "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
        )
        return np.array(found).reshape(-1, 4)[:, :3]

    def rest(self):
        self.tab.wait_for_function(f"!linvaeLive.stages.{self.name}.rest")


@pytest.fixture(scope="module")
def kept(browser):
    """A figure of each name, opened once and begun again for each test that needs no more."""
    figures = {}
    yield figures
    for figure in figures.values():
        figure.context.close()


@pytest.fixture(scope="module")
def walked(browser):
    """A figure of each name whose page is left and opened again."""
    figures = {}

    def open_figure(name):
        if name not in figures:
            figures[name] = Figure(browser, name)
        return figures[name]

    yield open_figure
    complaints = [said for figure in figures.values() for said in figure.complaints]
    for figure in figures.values():
        figure.context.close()
    assert complaints == []


@pytest.fixture
def opened(browser, kept):
    """Open figures; none may have complained in the end."""
    figures, fresh = [], []

    def open_figure(name, **options):
        if options:
            fresh.append(Figure(browser, name, **options))
            figures.append(fresh[-1])
        else:
            if name not in kept:
                kept[name] = Figure(browser, name)
            kept[name].tab.set_viewport_size(DESK)
            kept[name].tab.evaluate("document.documentElement.dataset.theme = 'light'")
            kept[name].ask("stage.restore()")
            figures.append(kept[name])
        return figures[-1]

    yield open_figure
    complaints = [said for figure in figures for said in figure.complaints]
    for figure in fresh:
        figure.context.close()
    assert complaints == []


def numbers(sentence):
    return [
        float(found)
        for found in re.findall(r"-?\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d)", "", sentence.replace("−", "-")))
    ]


def arrow(name):
    return "ArrowRight" if name in {"averaging", "draft"} else "ArrowLeft"  # which begin at their least


@pytest.mark.parametrize("name", PLACES)
class TestEveryFigure:
    def test_the_keyboard_reaches_every_control(self, opened, name):
        """Tab after tab, from the caption before to the last button; arrows change what has the focus."""
        figure = opened(name)
        wanted = figure.box.locator(".live-stage :is(input, button):not(:disabled)")
        names = set(wanted.evaluate_all(f"nodes => nodes.map({CONTROL})"))
        figure.box.evaluate("box => { box.tabIndex = -1; box.focus(); }")
        seen = set()
        for _ in range(3 * len(names) + 3):
            if seen == names:
                break
            figure.tab.keyboard.press("Tab")
            node = figure.tab.evaluate_handle("document.activeElement")
            if node.evaluate("node => !!node.closest('.live-stage')"):
                seen.add(node.evaluate(CONTROL))
        assert seen == names

    def test_an_arrow_moves_the_slider_and_the_figure(self, opened, name):
        figure = opened(name)
        key = PLACES[name][1]
        before, value = figure.sentence(), figure.ask(f"stage.get('{key}')")
        figure.input(key).focus()
        for _ in range(3):
            figure.tab.keyboard.press(arrow(name))
        assert figure.ask(f"stage.get('{key}')") != value
        assert figure.sentence() != before

    def test_it_says_what_happened_once_it_rests(self, walked, name):
        figure = walked(name)
        status = figure.box.locator("[role=status]")
        assert status.inner_text() == ""
        figure.input(PLACES[name][1]).focus()
        figure.tab.keyboard.press(arrow(name))
        figure.rest()
        assert status.text_content() == figure.sentence()

    def test_the_state_survives_a_reload_and_is_gone_after_start_again(self, walked, name):
        figure = walked(name)
        key = PLACES[name][1]
        figure.input(key).focus()
        for _ in range(4):
            figure.tab.keyboard.press(arrow(name))
        figure.rest()
        value, said, address = figure.ask(f"stage.get('{key}')"), figure.sentence(), figure.tab.url
        assert f"?{name}=" in address
        assert address.endswith(f"#live-{name}")
        figure.tab.reload(wait_until="domcontentloaded")
        assert figure.ask(f"stage.get('{key}')") == value
        assert figure.sentence() == said
        figure.box.get_by_role("button", name="Start again").click()
        figure.rest()
        assert "?" not in figure.tab.url
        assert figure.sentence() != said

    def test_an_address_out_of_range_does_no_harm(self, walked, name):
        figure = walked(name)
        page, wrong = figure.tab.url.partition("#")[0], f"?{name}={PLACES[name][1]}-9999_nothing-3_-_digit-x"
        figure.tab.goto(page.partition("?")[0] + wrong, wait_until="domcontentloaded")
        assert figure.sentence()

    def test_on_paper_and_without_scripts_the_still_picture_stands(self, opened, name):
        figure = opened(name)
        still = figure.box.locator("img")
        assert not still.is_visible()
        figure.tab.emulate_media(media="print")
        assert still.is_visible()
        assert not figure.box.locator(".live-stage").is_visible()
        figure.tab.emulate_media(media="screen")
        plain = opened(name, scripts=False)
        plain.box.locator("img").wait_for(state="visible")
        assert plain.box.locator("img").get_attribute("alt")

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_it_fits_a_phone(self, opened, name, theme):
        figure = opened(name)
        figure.tab.set_viewport_size(PHONE)
        figure.tab.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        assert figure.tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert figure.box.locator(".live-stage *").evaluate_all(OFF_PAGE) == []

    def test_a_page_loads_the_scripts_of_its_own_figures_only(self, opened, name):
        figure = opened(name)
        scripts = figure.tab.locator("script[src*='live/']").evaluate_all("nodes => nodes.map(node => node.src)")
        loaded = {f"live-{script.rpartition('/')[2].split('.')[0]}" for script in scripts} - {"live-live"}
        assert loaded == set(figure.tab.locator("figure.live").evaluate_all(FIGURES))


def test_other_pages_load_none_of_it():
    assert "live/live" not in (HTML / "glossary.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def mnist():
    (X, y), (X_test, y_test) = load_mnist("train"), load_mnist("test")
    return X.astype(float), y, X_test.astype(float), y_test


def as_levels(images):
    return 255 * np.clip(images, 0, 1)


class TestDials:
    def test_the_pixels_are_those_that_the_package_draws(self, opened, mnist):
        X, _, X_test, y_test = mnist
        figure = opened("dials")
        nine = X_test[y_test == 9][1]
        figure.box.get_by_role("radio", name="9").check(force=True)
        for k in (3, 64):
            figure.set("k", k)
            model = LinearGenerativeModel(PCA(k), MMLR(), conditional="none").fit(X)
            drawn = model.reconstruct(nine[None])[0]
            shown = figure.levels("the digit drawn from its codes")
            assert np.abs(shown[:, 0] - as_levels(drawn)).max() < 4  # codes and directions are rounded
            found = numbers(figure.sentence())
            assert found[:2] == [k, 784]
            assert abs(found[2] - np.sum((drawn - nine) ** 2)) < 0.06
            assert abs(found[3] - np.sum((X.mean(axis=0) - nine) ** 2)) < 0.06

    def test_a_dial_adds_its_direction(self, opened, mnist):
        pca = PCA(64).fit(mnist[0])
        figure = opened("dials")
        figure.set("k", 1)
        figure.set("z1", figure.input("z1").get_attribute("max"))
        turned = figure.ask("stage.get('z1')")
        drawn = pca.mean_ + turned * np.sqrt(pca.explained_variance_[0]) * pca.components_[0]
        assert np.abs(figure.levels("the digit drawn from its codes")[:, 0] - as_levels(drawn)).max() < 4
        figure.set("k", 0)
        assert figure.input("z1").is_disabled()
        assert np.abs(figure.levels("the digit drawn from its codes")[:, 0] - as_levels(pca.mean_)).max() < 1

    def test_start_again_brings_back_the_codes_of_the_first_digit(self, opened):
        figure = opened("dials")
        before, codes = figure.sentence(), [figure.ask(f"stage.get('z{j}')") for j in range(1, 7)]
        figure.box.get_by_role("radio", name="7").check(force=True)
        assert figure.sentence() != before
        figure.box.get_by_role("button", name="Start again").click()
        assert [figure.ask(f"stage.get('z{j}')") for j in range(1, 7)] == codes
        assert figure.sentence() == before

    def test_what_lies_beyond_black_and_white_is_counted_and_coloured(self, opened, mnist):
        X, _, X_test, y_test = mnist
        four = X_test[y_test == 4][1]
        pca = PCA(16).fit(X)
        drawn = pca.inverse_transform(pca.transform(four[None]))[0]
        figure = opened("dials")
        figure.box.get_by_role("checkbox").check()
        shown = figure.levels("the digit drawn from its codes").astype(int)
        assert np.all(shown[drawn < -0.02, 2] > shown[drawn < -0.02, 0])
        assert np.all(shown[drawn > 1.02, 0] > shown[drawn > 1.02, 2])
        share = 100 * np.mean(drawn < -0.01)
        assert abs(numbers(figure.sentence())[4] - share) < 1.5  # rounded codes move some across -0.01


class TestAxis:
    def test_kept_and_lost_are_those_of_the_chapter(self, opened):
        figure = opened("axis")
        points = np.array(figure.ask("linvaeLive.data.axis.points"), float)
        pca = PCA(2).fit(points)
        for degrees in (0, 28, 130):
            figure.set("angle", degrees)
            v = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
            codes = (points - points.mean(axis=0)) @ v
            lost = np.mean(np.sum((points - points.mean(axis=0) - np.outer(codes, v)) ** 2, axis=1))
            found = numbers(figure.sentence())
            assert np.allclose(found[:3], [degrees, np.mean(codes**2), lost], atol=0.006)
        best = np.degrees(np.arctan2(*pca.components_[0, ::-1])) % 180
        assert np.allclose(found[3:], [best, pca.explained_variance_[1]], atol=0.06)

    def test_a_pointer_turns_the_line(self, opened):
        figure = opened("axis")
        cloud = figure.box.locator("canvas.live-drag")
        size = cloud.bounding_box()
        cloud.click(position={"x": size["width"] / 2 + 60, "y": size["height"] / 2 - 60})
        assert figure.ask("stage.get('angle')") == 45


@pytest.fixture(scope="module")
def talk(mnist):
    """One fit of the talk's model for each number of codes, decoders at their mean."""
    return {k: LinearGenerativeModel.from_talk(k).fit(*mnist[:2]) for k in (8, 64)}


class TestUnexpected:
    @pytest.mark.parametrize("k", [8, 64])
    @pytest.mark.parametrize(("own_mean", "own_covariance"), [(0, 0), (0, 1), (1, 0), (1, 1)])
    def test_the_draws_are_those_of_the_talks_model(self, opened, talk, k, own_mean, own_covariance):
        figure = opened("unexpected")
        figure.set("k", k)
        for name, own in (("mean", own_mean), ("covariance", own_covariance)):
            figure.box.get_by_role("checkbox", name=f"own {name}").set_checked(bool(own))
        figure.box.get_by_role("button", name="Draw again").click()
        steps = np.array(figure.ask("Array.from(linvaeLive.normals(1, 8 * 64))")).reshape(8, 64)[:, :k]
        cross = talk[k].cross_moments_[3]
        covariance = cross.Szz / cross.n
        mean = own_mean * cross.mean_z
        root = np.linalg.cholesky(covariance) if own_covariance else np.eye(k)
        drawn = talk[k].inverse_transform(mean + steps @ root.T, 3)
        for i in (0, 7):
            assert np.abs(figure.levels(f"draw {i + 1}")[:, 0] - as_levels(drawn[i])).max() < 12
            assert np.abs(figure.levels(f"draw {i + 1}")[:, 0] - as_levels(drawn[i])).mean() < 1
        at_mean = talk[k].inverse_transform(mean[None] + np.zeros((1, k)), 3)[0]
        assert np.abs(figure.levels("drawn at the mean of the codes")[:, 0] - as_levels(at_mean)).max() < 5
        off = mean - cross.mean_z
        away = np.sqrt(off @ np.linalg.solve(covariance, off) / k)
        wide = np.sqrt(np.trace(np.linalg.solve(covariance, root @ root.T)) / k)
        found = numbers(figure.sentence())
        assert np.allclose(found[-4:], [away, wide, 0, 1], atol=0.006)

    def test_the_chance_is_standard_normal(self, opened):
        """Ten thousand numbers: standard errors are 0.01 for the mean, 0.014 for the variance."""
        drawn = np.array(opened("unexpected").ask("Array.from(linvaeLive.normals(5, 10000))"))
        assert abs(drawn.mean()) < 0.04
        assert abs(drawn.var() - 1) < 0.06
        assert abs(np.mean(drawn[1:] * drawn[:-1])) < 0.04
        assert abs(np.mean(drawn**4) - 3) < 0.4


class TestBound:
    """Two codes, twelve images, independent Gaussians q: the bound of the package, noise given, prior of variance 1."""

    @pytest.mark.parametrize("power", [0, 1.5])
    def test_the_elbo_is_that_of_the_package(self, opened, power):
        figure = opened("bound")
        data = figure.ask("linvaeLive.data.bound")
        # Any images with these sums will do: two rows carry the codes, a third what the codes do not explain.
        ZZ, Zx = np.array(data["ZZ"]), np.array(data["Zx"])
        Z = np.zeros((data["n"], 2))
        Z[:2] = np.linalg.cholesky(ZZ).T
        x = np.zeros(data["n"])
        x[:2] = np.linalg.solve(Z[:2].T, Zx)
        x[2] = np.sqrt(data["xx"] - x @ x)
        design = vi.Design.of(CrossMoments.of(Z, x[:, None]), fit_intercept=False)
        at = design, np.array([10**power]), np.ones(2)
        for key, value in {"noise": power, "m1": 0.3, "m2": -0.8, "s1": 0.2, "s2": 0.9}.items():
            figure.set(key, value)
        values = [figure.ask(f"stage.get('{key}')") for key in ("m1", "m2", "s1", "s2")]
        q = vi.CoefficientPosterior(np.array(values[:2])[:, None], np.eye(2), np.array(values[2:])[None] ** 2)
        exact = vi.exact_posterior(*at)
        axes = np.linalg.eigvalsh(exact.covariance())
        found = numbers(figure.sentence())
        assert np.allclose(found[:2], [vi.elbo(q, *at), vi.log_evidence(*at)], atol=0.006)
        wide = np.array(values[2:]) / np.sqrt(np.diag(exact.covariance()))
        assert np.allclose(found[2:4], wide, atol=0.006)
        assert np.allclose(found[4:], 100 * axes, atol=0.6)

    def test_the_best_q_is_mean_field_and_nothing_near_is_better(self, opened):
        figure = opened("bound")
        figure.box.get_by_role("button", name="Best q").click()
        best = numbers(figure.sentence())
        P = np.array(figure.ask("linvaeLive.data.bound.ZZ")) + np.eye(2)
        ratio = np.sqrt(1 / np.diag(P) / np.diag(np.linalg.inv(P)))
        assert np.allclose(best[2:4], ratio, atol=0.04)  # sliders go by 0.01
        for key in ("m1", "m2", "s1", "s2"):
            value = figure.ask(f"stage.get('{key}')")
            for step in (-0.05, 0.05):
                figure.set(key, value + step)
                assert numbers(figure.sentence())[0] < best[0]
            figure.set(key, value)


class TestAveraging:
    @pytest.mark.parametrize("of_class", [True, False])
    def test_an_average_is_drawn_as_the_package_draws_it(self, opened, mnist, of_class):
        """The same standard normal numbers by the same formula, mean + root steps over the root of T."""
        X, y = mnist[:2]
        pca = PCA(16).fit(X)
        rows = (y == 6) | (not of_class)
        decoder = VariationalMMLR(noise="fixed", prior="fixed").fit(pca.transform(X[rows]), X[rows])
        figure = opened("averaging")
        figure.box.get_by_role("checkbox").set_checked(of_class)
        figure.set("T", 4)
        steps = np.array(figure.ask("Array.from(linvaeLive.normals(0, 784 * 17))")).reshape(784, 17)
        moved = steps @ np.linalg.cholesky(decoder.coef_cov_).T / 4
        B, b = decoder.coef_ + moved[:, :16], decoder.intercept_ + moved[:, 16]
        codes = np.array(figure.ask("linvaeLive.data.averaging.codes"))
        drawn = codes @ B.T + b
        V = pca.components_
        left = drawn - pca.mean_ - (drawn - pca.mean_) @ V.T @ V
        for i, picture in enumerate(drawn):
            assert np.abs(figure.levels(f"drawn {i + 1}")[:, 0] - as_levels(picture)).max() < 6
            assert np.abs(figure.levels(f"outside {i + 1}")[:, 0] - as_levels(0.5 + left[i])).max() < 6
        found = numbers(figure.sentence())
        share = 100 * outside_span(B.T, V, np.zeros(784))
        assert found[0] == 16
        assert abs(found[1] - share) < (0.6 if share > 1 else 0.06 * share)  # the sentence has two digits
        phi = np.c_[codes, np.ones(len(codes))]
        grain = np.sqrt(np.mean(np.sum(phi @ decoder.coef_cov_ * phi, axis=1)) / 16)
        assert abs(found[2] - grain) < 0.0006

    def test_a_thousand_times_as_many_draws_leave_the_class_and_no_grain(self, opened):
        figure = opened("averaging")
        figure.set("T", 13)
        assert numbers(figure.sentence())[1] > 40
        figure.box.get_by_role("checkbox").uncheck()
        assert numbers(figure.sentence())[1] < 0.01


class TestPiles:
    @pytest.mark.parametrize(
        ("pile", "changes"),
        [
            ("others", {}),
            ("others", {"contrast": 0.8}),
            ("same", {"shift": 3}),
            ("medians", {}),
            ("same", {"noise": 0.3}),
        ],
    )
    def test_the_distance_is_that_of_the_package(self, opened, pile, changes):
        figure = opened("piles")
        names = {"others": "other real digits", "same": "the same digits", "medians": "medians of the classes"}
        figure.box.get_by_role("radio", name=names[pile]).check(force=True)
        for key, value in changes.items():
            figure.set(key, value)
        piles = {
            name: np.array(
                figure.ask(f"linvaeLive.images(linvaeLive.data.piles.{name}).map(image => Array.from(image))")
            )
            for name in ("left", "right", "medians")
        }
        sheets = {"others": piles["right"], "same": piles["left"], "medians": piles["medians"]}[pile].reshape(
            12, 28, 28
        )
        shift = changes.get("shift", 0)
        sheets = np.pad(sheets, ((0, 0), (0, 0), (shift, 0)))[:, :, :28]
        dust = np.array(figure.ask("Array.from(linvaeLive.normals(linvaeLive.data.piles.seed, 12 * 784))"))
        images = changes.get("contrast", 1) * sheets.reshape(12, 784) + changes.get("noise", 0) * dust.reshape(12, 784)
        images = images.clip(0, 1)
        distance, floor = (wasserstein1(piles["left"], other) for other in (images, piles["right"]))
        found = numbers(figure.sentence())
        assert abs(found[0] - distance) < 0.06
        if changes or pile != "others":
            assert abs(found[1] - floor) < 0.06
        for i in (0, 11):
            assert np.abs(figure.levels(f"lower pile, image {i + 1}")[:, 0] - as_levels(images[i])).max() <= 1
        below = distance < floor - 0.05
        assert ("nearer than other real digits" in figure.sentence()) == below


class TestDraft:
    NAMES = {"nearby": "one that looks nearby", "memory": "the best on training digits", "linear": "a matrix"}  # noqa: RUF012
    FAR = {0.06: 1, 0.12: 2, 0.25: 2, 0.5: 3, 1: 5, 2: 10, 4: 28}  # noqa: RUF012

    @pytest.mark.parametrize("name", NAMES)
    def test_the_walk_is_that_of_the_package(self, opened, mnist, name):
        """From the script's own noisy pictures.  Where two training pixels weigh alike, rounding chooses."""
        X, y = mnist[:2]
        figure = opened("draft")
        figure.box.get_by_role("radio", name=self.NAMES[name]).check(force=True)
        digits, sigmas = (figure.ask(f"linvaeLive.data.draft.{key}") for key in ("digits", "sigmas"))
        linked, noise = (
            np.array(figure.ask(f"linvaeLive.unpack(linvaeLive.data.draft.{key}).map(row => Array.from(row))"))
            for key in ("linked", "noise")
        )
        start = linked + sigmas[0] * noise
        kinds = {"nearby": LocalDenoiser(self.FAR), "memory": EmpiricalDenoiser(), "linear": GaussianDenoiser()}
        denoiser = kinds[name].fit(X, y)
        figure.set("step", 1)
        assert np.abs(figure.levels("picture, 2")[:, 0] - as_levels(start[0])).max() <= 1
        figure.set("step", 7)
        ends = follow(denoiser, start, sigmas, digits)
        for digit, end in zip(digits, ends, strict=True):
            assert np.mean(np.abs(figure.levels(f"picture, {digit}")[:, 0] - as_levels(end)) > 5) < 0.02
        near = np.median(nearest_train_distance(ends, X)) / figure.ask("linvaeLive.data.draft.new")
        if name == "memory":
            assert near < 0.01
            assert "are copies" in figure.sentence()
        else:
            assert abs(numbers(figure.sentence())[0] - near) < 0.02

    def test_half_way_the_picture_is_guess_and_noise(self, opened):
        """The last step halves the distance to the guess, or nearly: t / sigma of it is kept."""
        figure = opened("draft")
        sigmas = figure.ask("linvaeLive.data.draft.sigmas")
        figure.set("step", 3)
        before, guess = (figure.levels(f"{row}, 4")[:, 0] for row in ("picture", "guess"))
        figure.set("step", 4)
        after = figure.levels("picture, 4")[:, 0]
        inside = (before > 0) & (before < 255)  # what is cut off at black and white does not show
        kept = guess + sigmas[3] / sigmas[2] * (before - guess)
        assert np.abs(after - kept)[inside & (kept > 0) & (kept < 255)].max() < 3
