"""Figures are drawn where told, on one gray scale, with readable labels."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from linvae import plots


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


IMAGES = np.linspace(0, 1, 7 * 16).reshape(7, 16)
HIDDEN = np.ma.masked_array(IMAGES, mask=IMAGES > 0.5)


def test_a_grid_holds_every_image_once_in_reading_order():
    ax = plots.image_grid(IMAGES, n_columns=3)
    picture = ax.images[0].get_array().filled(np.nan)
    assert picture.shape == (3 * 5 - 1, 3 * 5 - 1)
    np.testing.assert_array_equal(picture[5:9, 5:9], IMAGES[4].reshape(4, 4))  # row 1, column 1
    assert np.isnan(picture[10:, 5:]).all()  # the last row holds one image


@pytest.mark.parametrize(
    "draw",
    [
        lambda **kw: plots.image_grid(IMAGES, **kw),
        lambda **kw: plots.reconstruction_strip(IMAGES, {"k = 2": 0.1 * IMAGES}, **kw),
        lambda **kw: plots.interpolation_strip({"PCA": 5 * IMAGES - 2}, **kw),
    ],
    ids=["grid", "reconstruction", "interpolation"],
)
def test_every_picture_has_the_same_gray_scale_and_no_smoothing(draw):
    ax = plt.subplots()[1]
    assert draw(ax=ax) is ax
    (picture,) = ax.images
    assert picture.get_clim() == (0, 1)
    assert picture.get_cmap().name == "gray"
    assert picture.get_interpolation() == "none"
    assert len(ax.get_xticks()) == 0


def test_rows_carry_their_names_from_the_top():
    ax = plots.reconstruction_strip(IMAGES, {"k = 2": IMAGES, "k = 9": IMAGES})
    assert [label.get_text() for label in ax.get_yticklabels()] == ["original", "k = 2", "k = 9"]
    assert all(i * 5 <= y < i * 5 + 4 for i, y in enumerate(ax.get_yticks()))


def test_images_that_are_not_square_say_their_shape():
    ax = plots.image_grid(np.zeros((2, 6)), n_columns=2, shape=(2, 3))
    assert ax.images[0].get_array().shape == (2, 7)


def test_scree_marks_the_first_k_that_keeps_the_share():
    ax = plots.scree([0.5, 0.3, 0.15, 0.05], share=0.95)
    assert ax.texts[0].get_text() == "95% at k = 3"
    assert plots.scree([0.1] * 10, share=1.0).texts[0].get_text() == "100% at k = 10"
    assert plots.scree([0.5, 0.49, 0.01], share=0.995).texts[0].get_text() == "99.5% at k = 3"


def test_a_second_scree_joins_the_first():
    ax = plots.scree([0.9, 0.1], name="digits")
    assert plots.scree([0.5, 0.3, 0.2], name="clothes", color=plots.COLORS["controls"], ax=ax) is ax
    assert [text.get_text() for text in ax.texts] == ["digits: 95% at k = 2", "clothes: 95% at k = 3"]
    assert ax.get_xlim() == (0, 3)


def test_the_style_is_loaded_and_every_colour_is_different():
    with plt.rc_context():
        plots.use_style()
        assert plt.rcParams["font.size"] == 12
        assert plt.rcParams["figure.facecolor"] == "white"
    assert len(set(plots.COLORS.values())) == len(plots.COLORS)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plots.image_grid(np.zeros((0, 4))), "0 images in 10 columns"),
        (lambda: plots.image_grid(IMAGES, n_columns=0), "7 images in 0 columns"),
        (lambda: plots.image_grid(np.zeros((2, 5))), "do not make 2 x 2"),
        (lambda: plots.interpolation_strip({"flat": np.zeros(16)}), "one flat image a row"),
        (lambda: plots.interpolation_strip({}), "one flat image a row, shape"),
        (lambda: plots.scree([0.5, 0.3]), "share=0.95 is not reached: 2 directions keep 0.800"),
        (lambda: plots.scree([]), "0 directions keep 0.000"),
        (lambda: plots.scree([1.0], share=0), "share=0; give a share"),
        (lambda: plots.scree([5.0, 3.0]), "add up to 8.000, above 1"),
        (lambda: plots.reconstruction_strip(IMAGES, {"original": IMAGES}), 'named "original"'),
        (lambda: plots.reconstruction_strip(IMAGES, {"k = 2": IMAGES[:3]}), r"rows of \[7, 3\] images"),
        (lambda: plots.image_grid(np.full((2, 4), 255, np.uint8)), "divide bytes by 255"),
        (lambda: plots.image_grid(HIDDEN), "images is a MaskedArray, and its mask would be lost"),
        (lambda: plots.reconstruction_strip(IMAGES, {"k = 2": HIDDEN}), "k = 2 is a MaskedArray"),
        (lambda: plots.interpolation_strip({"PCA": HIDDEN}), "PCA is a MaskedArray"),
        (lambda: plots.scree(HIDDEN[0]), "explained_variance_ratio is a MaskedArray"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
