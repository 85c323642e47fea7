"""Scores: known answers, bounds, what the controls get on real digits, bad input.

Statement C30; slips L11, L12.
"""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from scipy.stats import norm
from sklearn.decomposition import PCA as SklearnPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from linvae import MMLR, PCA, LinearGenerativeModel, StandardNormal
from linvae.datasets import load_mnist
from linvae.metrics import (
    controls,
    coverage,
    nearest_train_distance,
    outside_span,
    scorecard,
    sliced_wasserstein,
    two_sample_accuracy,
    variability,
    wasserstein1,
)
from linvae.transport import GROUNDS

CONTROLS = ["real", "class means", "class medians", "cluster medians", "dimmed", "noise"]


@pytest.fixture(scope="module")
def digits():
    """All training digits with their labels, and 500 others."""
    test = load_mnist("test")[0]
    return *load_mnist("train"), test[np.random.default_rng(0).permutation(len(test))[:500]]


@pytest.fixture(scope="module")
def control_sets(digits):
    X, y, _ = digits
    return controls(X, y, 500, random_state=0)


def gray(n=120, d=6, seed=0):
    return np.random.default_rng(seed).random((n, d))


# --- outside_span ----------------------------------------------------------------------------------------------------


def test_known_angles_give_known_shares():
    x_axis, origin = [[1.0, 0.0]], [0.0, 0.0]
    assert outside_span([[5.0, 0.0]], x_axis, origin) == 0
    assert outside_span([[0.0, 2.0]], x_axis, origin) == 1
    assert outside_span([[1.0, 1.0]], x_axis, origin) == pytest.approx(0.5)
    assert outside_span([[4.0, 7.0]], x_axis, [3.0, 7.0]) == 0


@given(st.integers(0, 2**32 - 1))
def test_the_share_belongs_to_the_span_and_not_to_the_rows_that_span_it(seed):
    rng = np.random.default_rng(seed)
    X, V, mean = rng.normal(size=(5, 6)), rng.normal(size=(2, 6)), rng.normal(size=6)
    share = outside_span(X, V, mean)
    assert 0 <= share <= 1
    mixed = np.vstack([V[0] + V[1], 3 * V[1], V[0]])  # dependent, not orthonormal, same span
    assert outside_span(X, mixed, mean) == pytest.approx(share, rel=1e-9)
    assert outside_span(mean + X @ V.T @ V, V, mean) < 1e-24


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_the_share_does_not_depend_on_the_unit_of_the_pixels(scale):
    rng = np.random.default_rng(0)
    X, V = rng.normal(size=(5, 6)), rng.normal(size=(2, 6))
    assert outside_span(X * scale, V, np.zeros(6)) == pytest.approx(outside_span(X, V, np.zeros(6)), rel=1e-9)
    assert outside_span(X, V * [[1e8], [1e-8]], np.zeros(6)) == pytest.approx(outside_span(X, V, np.zeros(6)), rel=1e-9)


def test_rounding_of_float32_components_is_not_a_direction():
    rng = np.random.default_rng(0)
    basis, X = rng.normal(size=(3, 50)), rng.normal(size=(20, 50))
    many = (rng.normal(size=(400, 3)) @ basis).astype(np.float32)  # 400 rows, 3 directions and rounding
    assert outside_span(X, many, np.zeros(50)) == pytest.approx(outside_span(X, basis, np.zeros(50)), rel=1e-5)


@pytest.mark.parametrize(
    ("X", "components", "mean", "words"),
    [
        ([[1.0, 2.0]], [[1.0, 0.0]], [1.0, 2.0], "1 rows, and each equals the mean"),
        (np.zeros((0, 2)), [[1.0, 0.0]], [1.0, 2.0], "0 rows"),
        ([[1.0, 2.0]], [[1.0, 0.0, 0.0]], [1.0, 2.0], "differ in their number of pixels"),
        ([[1.0, 2.0]], [[1.0, 0.0]], 1.0, "differ in their number of pixels"),
        ([1.0, 2.0], [[1.0, 0.0]], [1.0, 2.0], "one flat image a row"),
        ([[np.nan, 2.0]], [[1.0, 0.0]], [1.0, 2.0], "NaN"),
    ],
)
def test_bad_input_is_named(X, components, mean, words):
    with pytest.raises(ValueError, match=words):
        outside_span(X, components, mean)


# --- variability -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("threshold", "count"), [(0.1, 1), (0.8, 1), (0.81, 2), (0.9, 2), (0.95, 3), (1.0, 3)])
def test_variances_of_8_1_and_1_need_one_two_or_three_components(threshold, count):
    axes = np.diag(np.sqrt([8.0, 1.0, 1.0, 0.0]))
    X = np.vstack([axes, -axes]) + 5  # variances in these ratios exactly, and a direction without any
    assert variability(X, threshold) == count
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    assert variability(X @ Q * 1e-6, min(threshold + 1e-9, 1)) == variability(X, min(threshold + 1e-9, 1))


def test_variability_is_scikit_learns_number_of_components(digits):
    X = digits[0][:300].astype(float)
    for threshold in (0.5, 0.95, 0.99):
        assert variability(X, threshold) == SklearnPCA(threshold, svd_solver="full").fit(X).n_components_
    assert variability(X) == variability((255 * X).round().astype(np.uint8))  # bytes, another unit


def test_all_of_the_variance_takes_as_many_components_as_there_are_directions():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 20)) + 7
    assert variability(X, 1.0) == 3


@pytest.mark.statement("L12")
def test_pixel_noise_raises_variability_though_it_adds_no_variety(control_sets):
    real, noise = control_sets["real"], control_sets["noise"]
    assert variability(noise) > 1.3 * variability(real)  # seen: 172 against 114
    rng = np.random.default_rng(0)
    one = np.repeat(real[:1], 500, axis=0)  # one digit 500 times over
    assert variability(one + 0.1 * rng.standard_normal(one.shape)) > variability(real)


# --- two_sample_accuracy ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("classifier", "n", "error"),
    [
        # Each held-out row is right or wrong by chance; two rows that are each other's nearest agree, which makes the
        # error of 1-nn a quarter larger (seen over 100 seeds: 1.10 to 1.25 of it).
        ("1-nn", 1_000, 1.25 / (2 * np.sqrt(2_000))),
        ("random-forest", 300, 1 / (2 * np.sqrt(600))),
    ],
)
def test_two_halves_of_one_real_split_are_told_apart_half_the_time(digits, classifier, n, error):
    X = digits[0][np.random.default_rng(0).permutation(8_000)[: 2 * n]]
    accuracy = two_sample_accuracy(X[:n], X[n:], classifier, random_state=0)
    assert accuracy == pytest.approx(1 / 2, abs=4 * error)  # seen over 8 seeds: 0.48 to 0.53, either way


def test_over_many_halves_the_two_sample_accuracy_is_one_half():
    seen = [two_sample_accuracy(*gray(200, seed=s).reshape(2, 100, 6), random_state=s) for s in range(40)]
    assert np.mean(seen) == pytest.approx(1 / 2, abs=4 * 1.25 / (2 * np.sqrt(200 * 40)))  # as above
    assert np.std(seen) == pytest.approx(1.18 / (2 * np.sqrt(200)), rel=0.45)  # 4 errors of a deviation of 40


@pytest.mark.parametrize("classifier", ["1-nn", "random-forest"])
def test_distributions_far_apart_are_always_told_apart(classifier):
    assert two_sample_accuracy(gray(40), gray(40, seed=1) + 3, classifier, random_state=0) == 1


@pytest.mark.parametrize("n_folds", [2, 5, 20])
def test_copies_fool_the_nearest_neighbour_below_one_half(digits, n_folds):
    X = digits[0][:300]
    accuracy = two_sample_accuracy(X, X, n_folds=n_folds, random_state=0)
    # The copy is in the training part, and of the other class, but for 1 row in n_folds, which is left to chance.
    share = 1 / (2 * n_folds)
    assert accuracy == pytest.approx(share, abs=4 * np.sqrt(2 * share / 600))  # copies fall in pairs


def test_two_gaussians_are_told_apart_as_often_as_bayes_rule_allows():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 1_000, 2))
    accuracy = two_sample_accuracy(X, Y + np.array([2, 0]), LinearDiscriminantAnalysis(), random_state=0)
    assert accuracy == pytest.approx(norm.cdf(1), abs=4 * np.sqrt(0.16 * 0.84 / 2_000))  # 4 standard errors


@pytest.mark.parametrize("classifier", ["1-nn", "random-forest", LogisticRegression()])
def test_the_seed_fixes_the_two_sample_accuracy(classifier):
    X, Y = gray(30), gray(30, seed=1)
    seeds = (0, 0, np.random.RandomState(0), 1, 2)
    scores = [two_sample_accuracy(X, Y, classifier, n_folds=2, random_state=s) for s in seeds]
    assert scores[0] == scores[1] == scores[2]
    assert len(set(scores)) > 1


# --- coverage and memorisation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("d", [2, 8])
def test_two_samples_of_one_distribution_cover_a_share_that_depends_on_k_alone(d, k):
    n = 1_000
    X = gray(2 * n, d)
    # A real row is missed if its k nearest of all others are real: any k of the 2 n - 1 are as likely.
    missed = np.prod([(n - i) / (2 * n - i) for i in range(1, k + 1)])
    assert missed == pytest.approx(2.0**-k, rel=0.01)
    error = np.sqrt(missed * (1 - missed) / n)  # of independent rows; neighbours share their neighbours
    assert coverage(X[n:], X[:n], k) == pytest.approx(1 - missed, abs=5 * error)


def test_coverage_is_the_loop_over_real_images():
    real, X = gray(40), 0.8 * gray(25, seed=1)
    near = [np.linalg.norm(X - r, axis=1).min() <= np.sort(np.linalg.norm(real - r, axis=1))[3] for r in real]
    assert 0 < np.mean(near) < 1
    assert coverage(X, real, 3) == np.mean(near)


def test_copies_cover_all_and_images_far_away_cover_nothing(digits):
    X = digits[0][:300]
    assert coverage(X[::-1], X, 1) == 1
    assert coverage(X + 9, X) == 0
    assert coverage(X, np.vstack([X] * 3), 1) == 1  # the radius is 0, and so is the distance


def test_a_tie_counts_as_near():
    X = load_mnist("test")[0][:400].astype(float)
    C = cdist(X, X)
    np.fill_diagonal(C, np.inf)
    kept = np.arange(0, 400, 2)  # every other real image, so that many a nearest is the one that sets the radius
    near = C[:, kept].min(axis=1) <= np.sort(C, axis=1)[:, 2]
    near[kept] = True
    assert coverage(X[kept], X, 3) == near.mean()


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("d", [2, 100])  # by tree, by brute force
def test_the_nearest_training_image_is_the_one_a_slow_search_finds(ground, d):
    X, train = gray(30, d), gray(50, d, seed=1)
    assert_allclose(nearest_train_distance(X, train, ground), cdist(X, train, ground).min(axis=1), rtol=1e-12)


@pytest.mark.parametrize("ground", GROUNDS)
def test_a_copy_is_at_distance_zero_exactly(digits, ground):
    X = digits[0][:300]
    assert_array_equal(nearest_train_distance(X[::-1], X, ground), np.zeros(300))
    assert (nearest_train_distance(digits[2][:50], X, ground) > 0).all()


def test_bytes_and_single_precision_score_as_the_same_numbers_in_float64():
    rng = np.random.default_rng(0)
    X, Y = rng.integers(0, 256, (2, 40, 20)).astype(np.uint8)
    for score in (
        coverage,
        lambda A, B: nearest_train_distance(A, B).sum(),
        lambda A, B: two_sample_accuracy(A, B, random_state=0),
        lambda A, B: variability(A),
    ):
        whole = score(X.astype(float), Y.astype(float))
        assert score(X, Y) == score(X.astype(np.float32), Y.astype(np.int64)) == score(X.tolist(), Y) == whole


# --- controls and the scorecard --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_control_has_the_shape_and_type_of_the_real_images_and_their_range(dtype):
    train = gray().astype(dtype)
    sets = controls(train, np.arange(120) % 3, 21, random_state=0)
    assert list(sets) == CONTROLS
    for images in sets.values():
        assert images.shape == (21, 6)
        assert images.dtype == dtype
        assert images.min() >= 0
        assert images.max() <= 1


def test_controls_are_made_from_rows_of_the_training_images_drawn_once():
    train, y = gray(), np.array(["bag", "boot", "coat"])[np.arange(120) % 3]
    sets = controls(train, y, 40, random_state=0)
    drawn = [np.flatnonzero((train == row).all(axis=1)).item() for row in sets["real"]]
    assert len(set(drawn)) == 40  # without replacement
    assert drawn != sorted(drawn)
    assert_array_equal(sets["dimmed"], 0.8 * sets["real"])
    for i, row in enumerate(drawn):
        assert_allclose(sets["class means"][i], train[y == y[row]].mean(axis=0), rtol=1e-14)
        assert_array_equal(sets["class medians"][i], np.median(train[y == y[row]], axis=0))
    assert len(np.unique(sets["cluster medians"], axis=0)) <= 10
    everyone = controls(train, y, 120, random_state=0)["real"]
    assert_array_equal(np.sort(everyone, axis=0), np.sort(train, axis=0))


def test_cluster_medians_are_the_medians_of_the_clusters_there_are():
    corners = np.array([[0.1, 0.1], [0.1, 0.9], [0.9, 0.1], [0.9, 0.9]])
    blob = np.arange(200) % 4
    train = corners[blob] + 0.01 * gray(200, 2)
    sets = controls(train, np.zeros(200), 16, random_state=0)  # 16 images, so 4 clusters
    medians = np.stack([np.median(train[blob == b], axis=0) for b in range(4)])
    assert_array_equal(sets["cluster medians"], medians[cdist(sets["real"], corners).argmin(axis=1)])


def test_the_noise_is_a_tenth_of_white_and_cut_off_at_black_and_white():
    sets = controls(np.full((100, 50), 0.5), np.zeros(100), 100, random_state=0)
    noise = sets["noise"] - 0.5  # 5 deviations from either end
    assert noise.std() == pytest.approx(0.1, rel=6 / np.sqrt(2 * 5_000))  # 6 standard errors
    assert noise.mean() == pytest.approx(0, abs=6 * 0.1 / np.sqrt(5_000))
    black = controls(np.zeros((100, 50)), np.zeros(100), 100, random_state=0)["noise"]
    assert black.min() == 0
    assert np.mean(black == 0) == pytest.approx(0.5, abs=6 * 0.5 / np.sqrt(5_000))


def test_the_seed_fixes_the_controls():
    a, b, c, other = (controls(gray(), np.zeros(120), 20, s) for s in (0, 0, np.random.RandomState(0), 1))
    for name in CONTROLS:
        assert_array_equal(a[name], b[name])
        assert_array_equal(a[name], c[name])
    for name in ("real", "noise", "cluster medians", "dimmed"):
        assert (a[name] != other[name]).any()


@pytest.mark.parametrize(
    "score",
    [
        wasserstein1,
        lambda X, real: sliced_wasserstein(X, real, 20, random_state=0),
        lambda X, real: two_sample_accuracy(X, real, random_state=0),
    ],
)
def test_a_scorecard_is_the_score_of_the_model_and_of_each_control_at_its_size(score):
    train, y, real, X = gray(), np.arange(120) % 3, gray(30, seed=1), gray(30, seed=2)
    card = scorecard(X, real, train, y, score, random_state=3)
    sets = controls(train, y, 30, random_state=3)
    assert card == {"model": score(X, real)} | {name: score(images, real) for name, images in sets.items()}
    assert all(type(value) is float for value in card.values())
    assert card == scorecard(X, real, train, y, score, random_state=3)


def test_a_scorecard_takes_other_numbers_of_real_images_than_of_generated_ones():
    card = scorecard(gray(20, seed=2), gray(31, seed=1), gray(), np.zeros(120))
    assert list(card) == ["model", *CONTROLS]
    assert card["class means"] > card["real"]


# --- C30 and L11: what the controls get on real digits ---------------------------------------------------------------


@pytest.mark.statement("C30", "L11")
def test_under_the_cityblock_ground_medians_of_clusters_beat_real_digits_and_dimming_to_four_fifths_does_not(
    digits, control_sets
):
    w1 = {name: wasserstein1(control_sets[name], digits[2]) for name in ("real", "cluster medians", "dimmed")}
    assert w1["cluster medians"] < w1["real"] - 2  # seen over 3 seeds: 3.1 to 4.5 below, of 62 to 65
    assert w1["dimmed"] > w1["real"] + 1  # seen: 1.7 to 2.3 above


@pytest.mark.statement("C30")
def test_under_the_euclidean_ground_dimmed_digits_beat_real_ones(digits, control_sets):
    w1 = {name: wasserstein1(control_sets[name], digits[2], "euclidean") for name in ("real", "dimmed")}
    assert w1["dimmed"] < w1["real"] - 0.2  # seen over 3 seeds: 0.35 to 0.37 below, of 6.1 to 6.3


@pytest.mark.statement("C30")
@pytest.mark.parametrize("ground", ["cityblock", "euclidean"])
def test_slightly_dimmed_digits_beat_real_ones_under_both_grounds(digits, control_sets, ground):
    real, dimmed = (wasserstein1(s * control_sets["real"], digits[2], ground) for s in (1, 0.98))
    assert dimmed < real  # seen over 3 seeds: 0.07 to 0.19 below (cityblock), 0.06 below (euclidean)


@pytest.mark.statement("C30")
@given(hnp.arrays(np.float64, (7, 3), elements=st.floats(0, 1)))
def test_of_all_single_images_the_median_is_the_nearest_in_cityblock_w1(X):
    best = wasserstein1([np.median(X, axis=0)], X)  # one image against many: the mean distance, least at the median
    for image in (X.mean(axis=0), X[0], 0.8 * X[0]):
        assert best <= wasserstein1([image], X) + 1e-12


@pytest.mark.statement("C30")
def test_a_forest_sees_through_every_fake(digits, control_sets):
    X = digits[2]
    forest = RandomForestClassifier(20, random_state=0)
    told_apart = {
        name: two_sample_accuracy(images, X, forest, n_folds=3, random_state=0) for name, images in control_sets.items()
    }
    assert told_apart.pop("real") < 0.6  # seen over 3 seeds: 0.51 to 0.54; 4 standard errors are 0.06
    assert min(told_apart.values()) > 0.85  # seen: cluster medians 0.92 to 0.93, all others 0.997 or more


def test_coverage_sees_that_ten_medians_are_few_but_not_that_cluster_medians_are_not_real(digits, control_sets):
    covered = {
        name: coverage(control_sets[name], digits[2]) for name in ("real", "class medians", "cluster medians", "dimmed")
    }
    assert covered["real"] > 0.93  # seen over 3 seeds: 0.96 to 0.98; 1 - 1 / 32 = 0.97
    assert covered["class medians"] < 0.6  # seen: 0.48 to 0.53
    assert min(covered["cluster medians"], covered["dimmed"]) >= covered["real"]  # seen: 0.98 and 0.99


@pytest.mark.statement("L11")
def test_ten_class_medians_beat_standard_normal_codes_of_one_pca_and_real_digits_are_not_at_zero(digits, control_sets):
    X, y, test = digits
    floor, medians = wasserstein1(control_sets["real"], test), wasserstein1(control_sets["class medians"], test)
    assert floor > 50  # seen: 62 to 65 over 3 seeds; the baseline that the talk lacks
    # Seen over 3 seeds and k = 4 to 64: at best 15 to 17 behind.  With a PCA per class, at its best k = 8, it is level
    # with the medians: 1.5 to 2.5 behind at 500 images, and ahead at 2,000 (76.8 against 77.3).
    for k, conditional in ((8, "decoder"), (16, "none"), (16, "decoder")):
        model = LinearGenerativeModel(PCA(k), MMLR(), StandardNormal(), conditional, clip=(0, 1)).fit(X, y)
        assert medians + 10 < wasserstein1(model.sample(500, random_state=0)[0], test)


# --- bad input -------------------------------------------------------------------------------------------------------

X, Y = gray(12, 2), gray(9, 2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: variability(X, 0), "threshold=0; give a share of the variance, above 0 and up to 1"),
        (lambda: variability(X, 95), "threshold=95"),
        (lambda: variability(X, np.nan), "threshold=nan"),
        (lambda: variability(np.full((5, 2), 0.1)), "the images are all the same"),
        (lambda: variability(X[:1]), "the images are all the same, .*give other images"),
        (lambda: two_sample_accuracy(X, Y), "12 images of X and 9 of Y; give as many of each"),
        (lambda: two_sample_accuracy(X, X[:, :1]), "X has 2 pixels and Y has 1; give images of equal width"),
        (lambda: two_sample_accuracy(X, X, "svm"), "classifier='svm'; choose one of '1-nn', 'random-forest'"),
        (lambda: two_sample_accuracy(X, X, n_folds=13), "n_splits=13 cannot be greater than the number of members"),
        (lambda: coverage(X, Y, 12), "n_neighbors=12 but there are 9 real images; give a smaller number"),
        (lambda: coverage(X, Y, 0), "n_neighbors=0; give a whole number of 1 or more"),
        (lambda: coverage(X, Y[:, :1]), "X has 2 pixels and Y has 1"),
        (lambda: nearest_train_distance(X, Y, "l2"), "ground='l2'; choose one of 'cityblock', 'euclidean', 'cheb"),
        (lambda: nearest_train_distance(X, Y[:, :1]), "X has 2 pixels and Y has 1"),
        (lambda: controls(X, np.zeros(12), 3), "n_samples=3; give from 4 to 12, the number of training images"),
        (lambda: controls(X, np.zeros(12), 13), "n_samples=13; give from 4 to 12"),
        (lambda: controls(X, np.zeros(12), 4.0), r"n_samples=4\.0; give a whole number"),
        (lambda: controls(X, np.zeros(11), 4), r"y has shape \(11,\) beside 12 rows"),
        (
            lambda: controls(255 * np.ones((9, 2), np.uint8), np.zeros(9), 4),
            "train runs from 255 to 255; give gray lev",
        ),
        (lambda: controls(-X, np.zeros(12), 4), "train runs from -0.* give gray levels from 0 to 1"),
        (lambda: controls(X * np.nan, np.zeros(12), 4), "Input train contains NaN"),
        (lambda: scorecard(X, Y[:, :1], X, np.zeros(12)), "X has 2 pixels and Y has 1"),
        (lambda: scorecard(gray(13, 2), X, X, np.zeros(12)), "n_samples=13; give from 4 to 12"),
    ],
)
def test_scores_name_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_copy_is_found_far_from_the_origin_and_at_any_scale():
    X = gray(60, 30)
    for shift, scale in ((1e6, 1.0), (1e4, 1e-3), (0.0, 1e-200), (0.0, 1e200)):
        moved = shift + scale * X
        assert_array_equal(nearest_train_distance(moved, moved[::-1]), 0)
        # An offset of 1e6 takes 1e-10 from the pixels, and the choice of the neighbour with it.
        expected = scale * cdist(X, 1 - X).min(axis=1)
        assert_allclose(nearest_train_distance(moved, shift + scale * (1 - X)), expected, rtol=1e-8)
        assert coverage(moved, moved, 3) == 1


def test_the_span_is_found_at_any_scale_of_its_directions():
    X, V = gray(30, 8), gray(3, 8, seed=1)
    expected = outside_span(X, V, X.mean(axis=0))
    for scale in (1e-200, 1e200):
        assert outside_span(X, scale * V, X.mean(axis=0)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: two_sample_accuracy(gray(20), gray(20), LinearRegression()), "is no scikit-learn classifier"),
        (lambda: scorecard(gray(8), 255 * gray(8), gray(8), np.zeros(8)), "real runs from .*; give gray levels from 0"),
        (lambda: coverage([["a"]], [["b"]]), "give real numbers"),
    ],
)
def test_what_is_no_classifier_or_no_image_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_scorecard_gives_drawn_images_first_and_real_ones_second():
    X, y = load_mnist("test")
    card = scorecard(X[:40], X[40:120], X[120:400], y[120:400], coverage, random_state=0)
    assert card["model"] == coverage(X[:40], X[40:120])


def masked(A):
    return np.ma.masked_array(A, mask=np.asarray(A) == np.max(A))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: outside_span(masked(X), np.eye(2)[:1], np.zeros(2)), "X"),
        (lambda: outside_span(X, masked(np.eye(2)[:1]), np.zeros(2)), "components"),
        (lambda: outside_span(X, np.eye(2)[:1], masked(np.array([0.0, 1.0]))), "mean"),
        (lambda: variability(masked(X)), "X"),
        (lambda: two_sample_accuracy(masked(X), X), "X"),
        (lambda: coverage(X, masked(Y)), "Y"),
        (lambda: nearest_train_distance(masked(X), Y), "X"),
        (lambda: controls(masked(X), np.zeros(12), 4), "train"),
        (lambda: controls(X, masked(np.arange(12)), 4), "y"),
        (lambda: scorecard(masked(X), Y, X, np.zeros(12)), "X"),
    ],
)
def test_scores_refuse_masked_arrays(call, name):
    with pytest.raises(ValueError, match=f"^{name} is a MaskedArray, and its mask would be lost"):
        call()


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: [two_sample_accuracy(X, X[::-1] ** 1.1, "random-forest", random_state=rng) for _ in range(4)],
        lambda rng: controls(gray(40, 2), np.arange(40) % 2, 20, rng)["real"],
        lambda rng: list(scorecard(gray(20, 2), gray(9, 2), gray(40, 2), np.arange(40) % 2, random_state=rng).values()),
    ],
)
def test_a_generator_is_a_seed_and_is_moved_on(draw):
    rng = np.random.default_rng(0)
    first, second = draw(rng), draw(rng)
    assert not np.array_equal(first, second)
    assert_array_equal(first, draw(np.random.default_rng(0)))
