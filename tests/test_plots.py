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


def overlaps(ax):
    """Return the pairs of words in a figure that touch."""
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    return [(i, j) for i in range(len(boxes)) for j in range(i) if boxes[i].overlaps(boxes[j])]


@pytest.mark.parametrize("yscale", ["linear", "log"])
def test_curves_carry_their_names_at_their_ends_and_no_two_names_touch(yscale):
    x = np.arange(1, 6)
    ends = {"PCA": 5.0, "PPCA": 5.05, "LDA": 4.95, "mean": 30.0}
    ax = plots.curves(x, {name: np.full(5, end) for name, end in ends.items()}, yscale=yscale)
    assert [text.get_text() for text in ax.texts] == list(ends)
    assert [text.xy for text in ax.texts] == [(5, end) for end in ends.values()]
    assert ax.get_legend() is None
    assert overlaps(ax) == []


def test_names_far_apart_stay_where_their_curves_end():
    np.testing.assert_array_equal(plots._apart(np.array([50.0, 0.0, 20.0]), 12), [50, 0, 20])
    moved = plots._apart(np.array([10.0, 10.0, 11.0]), 12)
    np.testing.assert_allclose(moved, [31 / 3 - 12, 31 / 3, 31 / 3 + 12])  # their middle stays


def test_a_curve_is_named_where_its_last_finite_point_is():
    ax = plots.curves([1, 2, 3], {"short": [4.0, 5.0, np.nan]})
    assert ax.texts[0].xy == (2, 5.0)


def test_a_family_keeps_its_colour_and_others_share_none():
    ax = plots.curves([0, 1], {"deep": [0, 1], "a": [0, 2], "b": [0, 3]}, colors={"b": "#123456"})
    colors = [line.get_color() for line in ax.lines]
    assert colors[0] == plots.COLORS["deep"]
    assert colors[2] == "#123456"
    assert len(set(colors)) == 3


@pytest.mark.parametrize("color", plots.COLORS.values())
def test_words_in_a_familys_colour_can_be_read(color):
    ratio = 1.05 / (plots._luminance(np.array(plots._readable(color))) + 0.05)
    assert ratio >= 4.5
    assert ratio < 5.1 or plots._readable(color) == plots.to_rgb(color)  # darkened no more than needed


def test_dots_stand_in_the_order_given_with_bars_of_one_error():
    ax = plots.dots({"real": 35.0, "talk": 64.0, "mean": 50.0}, {"talk": 2.5})
    assert [label.get_text() for label in ax.get_yticklabels()] == ["real", "talk", "mean"]
    assert ax.yaxis_inverted()
    (bar,) = [c for container in ax.containers for c in container.lines[2]]
    np.testing.assert_allclose(bar.get_segments()[0], [[61.5, 1], [66.5, 1]])


def test_a_name_with_several_values_has_a_dot_for_each_and_a_line_from_the_lowest_to_the_highest():
    ax = plots.dots({"real": [35.0, 33.0, 36.0], "talk": 64.0}, {"talk": 2.5})
    several, line = ax.lines[0], ax.lines[1]
    np.testing.assert_array_equal(several.get_data(), [[35, 33, 36], [0, 0, 0]])
    np.testing.assert_array_equal(line.get_data(), [[33, 36], [0, 0]])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["real", "talk"]


def test_the_area_of_a_square_is_the_mass_that_goes_from_its_row_to_its_column():
    masses = np.array([[4.0, 1, 0], [0, 2, 0]])
    ax = plots.plan(masses, columns=["a", "b", "c"])
    areas = {
        (round(p.get_y() + p.get_height() / 2), round(p.get_x() + p.get_width() / 2)): p.get_width() * p.get_height()
        for p in ax.patches
    }
    assert set(areas) == {(0, 0), (0, 1), (1, 1)}  # none where nothing goes
    for place, area in areas.items():
        assert area / areas[0, 0] == pytest.approx(masses[place] / 4)
    assert ax.yaxis_inverted()  # the first row on top, as in the matrix
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1", "2"]


def test_a_matching_joins_each_point_with_its_partner_and_wider_for_more_mass():
    start, end = np.array([[0.0, 0], [1, 0]]), np.array([[0.0, 2], [1, 2], [3, 3]])
    ax = plots.matching(start, end, [[0.2, 0.3, 0], [0, 0, 0.5]])
    roads = ax.lines[:3]
    ends = [road.get_xydata().tolist() for road in roads]
    assert ends == [[[0, 0], [0, 2]], [[0, 0], [1, 2]], [[1, 0], [3, 3]]]
    widths = np.array([road.get_linewidth() for road in roads])
    np.testing.assert_allclose(widths / widths[2], [0.4, 0.6, 1])
    pairs = plots.matching(start, end[:2]).lines[:2]
    assert [pair.get_xydata().tolist() for pair in pairs] == [[[0, 0], [0, 2]], [[1, 0], [1, 2]]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plots.plan([[-1.0, 2.0]]), "none negative and not all zero"),
        (lambda: plots.plan(np.zeros((2, 2))), "none negative and not all zero"),
        (lambda: plots.plan([1.0, 2.0]), r"a plan of shape \(2,\)"),
        (lambda: plots.plan(np.eye(2), rows=["a"]), "1 and 2 names for a plan of 2 by 2"),
        (lambda: plots.matching(np.zeros((2, 3)), np.zeros((2, 2))), r"points of \(2, 3\) and \(2, 2\)"),
        (lambda: plots.matching(np.zeros((2, 2)), np.zeros((3, 2))), r"a plan of \(2, 2\) for 2 and 3 points"),
        (lambda: plots.dots({"a": [1.0, 2.0]}, {"a": 1.0}), r"errors of \['a'\], which have not one value each"),
        (lambda: plots.dots({"a": []}), "give each name a number or an array"),
    ],
)
def test_plans_matchings_and_dots_name_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_the_ellipse_lies_n_std_away_in_the_metric_of_the_covariance():
    mean, covariance = np.array([1.0, -2.0]), np.array([[4.0, 1.5], [1.5, 1.0]])
    ax = plots.ellipse(mean, covariance, n_std=3, name="class 6")
    away = np.array(ax.lines[0].get_data()).T - mean
    np.testing.assert_allclose(np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away), 9)
    assert ax.texts[0].xy[1] == pytest.approx(-2 + 3 * 1, abs=1e-3)  # 181 points miss the top by less


def test_a_flat_gaussian_is_a_segment():
    x, y = plots.ellipse([0, 0], [[1.0, 1.0], [1.0, 1.0]], n_std=1).lines[0].get_data()
    np.testing.assert_allclose(x, y, atol=1e-7)  # the root of an eigenvalue of 1e-16


def test_digits_lie_at_their_points_on_one_gray_scale():
    points = np.arange(14.0).reshape(7, 2)
    ax = plots.thumbnails(points, 3 * IMAGES - 1)
    boxes = [artist for artist in ax.artists if hasattr(artist, "xy")]
    np.testing.assert_array_equal([box.xy for box in boxes], points)
    pictures = [box.offsetbox.image for box in boxes]
    assert {picture.get_clim() for picture in pictures} == {(0, 1)}
    assert {picture.get_interpolation() for picture in pictures} == {"none"}
    assert ax.get_xlim()[0] < 0 < 12 < ax.get_xlim()[1]


def test_an_arrow_ends_at_its_tip_where_its_name_stands():
    ax = plots.arrow([0, 0], [2, 1], "first direction")
    assert [(text.xy, text.get_text()) for text in ax.texts] == [((2, 1), ""), ((2, 1), "first direction")]
    assert ax.texts[0].xyann == (0, 0)
    assert ax.get_xlim()[1] >= 2


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.curves([1, 2], {"a": [1, 2]}),
        lambda: plots.dots({"a": 1}),
        lambda: plots.ellipse([0, 0], np.eye(2), name="a"),
        lambda: plots.arrow([0, 0], [1, 1], "a"),
        lambda: plots.image_rows({"a": IMAGES}),
    ],
    ids=["curves", "dots", "ellipse", "arrow", "rows"],
)
def test_nothing_is_written_smaller_than_nine_points(draw):
    with plt.rc_context():
        plots.use_style()
        ax = draw()
        words = [*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels(), ax.title, ax.xaxis.label]
        assert min(text.get_fontsize() for text in words) >= 9


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
        (lambda: plots.image_rows({"a": IMAGES, "b": IMAGES[:3]}), r"rows of \[7, 3\] images"),
        (lambda: plots.curves([1, 2], {"a": [1]}), "give a point for each x"),
        (lambda: plots.curves([1, 2], {}), "give a point for each x"),
        (lambda: plots.dots({"a": 1}, {"b": 1}), r"errors of \['b'\]"),
        (lambda: plots.dots({"a": 1}, {"a": -1}), "give sizes, 0 or more"),
        (lambda: plots.ellipse([0, 0], np.diag([1, -1])), "none below zero"),
        (lambda: plots.ellipse([0, 0], [[1, 1], [0, 1]]), "symmetric"),
        (lambda: plots.ellipse([0, 0, 0], np.eye(3)), "a plane takes"),
        (lambda: plots.ellipse([0, 0], np.eye(2), n_std=0), "n_std=0"),
        (lambda: plots.thumbnails([[0, 0]], IMAGES), r"points of \(1, 2\)"),
        (lambda: plots.arrow([0], [1, 1]), r"points of \(1,\)"),
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
