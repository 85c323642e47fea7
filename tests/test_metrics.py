"""Scores: known answers, bounds, what the controls get on real digits, bad input.

Statements C30, C47; slips L11, L12.
"""

from itertools import permutations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from prdc import compute_prdc
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from scipy.stats import norm
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA as SklearnPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from linvae import MMLR, PCA, ClassGaussian, LinearGenerativeModel, StandardNormal
from linvae.datasets import load_mnist
from linvae.features import load_features
from linvae.metrics import (
    controls,
    coverage,
    density,
    frechet_distance,
    kernel_distance,
    nearest_train_distance,
    outside_span,
    precision,
    read_as_asked,
    recall,
    scorecard,
    sliced_wasserstein,
    tstr,
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


# --- scores of features: the Fréchet and the kernel distance ---------------------------------------------------------


def of_moments(n, mean, deviations, seed=0, kind="normal"):
    """Return n rows with this mean and these deviations exactly, and no correlations."""
    d = len(mean)
    rows = getattr(np.random.default_rng(seed), kind)(size=(n, d))
    rows -= rows.mean(axis=0)
    rows = rows @ np.linalg.inv(np.linalg.cholesky(rows.T @ rows / n)).T
    return rows * deviations + mean


def test_a_frechet_distance_adds_the_squares_of_shifts_and_of_differences_of_deviations():
    m, s, t = np.array([1.0, -2.0, 0.5]), np.array([1.0, 2.0, 0.1]), np.array([0.5, 2.5, 0.4])
    X, Y = of_moments(40, np.zeros(3), s), of_moments(70, m, t, seed=1)
    assert frechet_distance(X, Y) == pytest.approx(m @ m + np.sum((s - t) ** 2), rel=1e-10)
    assert frechet_distance(X, X + m) == pytest.approx(m @ m, rel=1e-10)


@pytest.mark.statement("C47")
@pytest.mark.parametrize("rank", [1, 3])
def test_two_pictures_a_direction_have_frechet_distance_zero_to_any_features_of_these_moments(rank):
    rng = np.random.default_rng(rank)
    features = rng.exponential(size=(500, rank)) @ rng.normal(size=(rank, 5)) + 3  # far from Gaussian
    values, vectors = np.linalg.eigh(np.cov(features.T, ddof=0))
    steps = (np.sqrt(rank * values.clip(0)) * vectors)[:, -rank:].T
    few = features.mean(axis=0) + np.vstack([steps, -steps])
    assert len(few) == 2 * rank
    size = np.trace(np.cov(features.T, ddof=0))
    assert abs(frechet_distance(few, features)) < 1e-12 * size  # rounding
    # the nearest wrong points: a step of one standard deviation along each direction
    wrong = features.mean(axis=0) + np.vstack([steps, -steps]) / np.sqrt(rank)
    assert rank == 1 or frechet_distance(wrong, features) > 0.1 * size


@pytest.mark.statement("C47")
def test_a_frechet_distance_takes_a_filled_gap_for_perfect_and_precision_does_not():
    rng = np.random.default_rng(0)
    heaps = rng.choice([-2.0, 2.0], size=(2, 1000, 1)) * [1, 0] + rng.normal(0, 0.3, (2, 1000, 2))
    filled = rng.multivariate_normal(heaps[0].mean(axis=0), np.cov(heaps[0].T), 1000)
    assert frechet_distance(filled, heaps[1]) < 0.03  # 0.01 is what 1,000 points leave; the heaps are 4 apart
    assert precision(filled, heaps[1]) < 0.7 < 0.9 < precision(heaps[0], heaps[1])


def test_the_frechet_distance_is_the_formula_with_matrix_roots():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4)), rng.exponential(size=(60, 4))
    A, B = np.cov(X.T, bias=True), np.cov(Y.T, bias=True)
    shift = X.mean(axis=0) - Y.mean(axis=0)
    slow = shift @ shift + np.trace(A + B - 2 * sqrtm(A @ B).real)
    assert frechet_distance(X, Y) == pytest.approx(slow, rel=1e-9)
    assert frechet_distance(Y, X) == pytest.approx(slow, rel=1e-9)


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10))
def test_a_frechet_distance_turns_and_moves_with_both_samples_and_has_the_square_of_their_unit(seed, scale):
    rng = np.random.default_rng(seed)
    X, Y, t = rng.normal(size=(12, 3)), rng.normal(size=(9, 3)), rng.normal(size=3)
    Q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    distance = frechet_distance(X, Y)
    assert frechet_distance(scale * X @ Q + t, scale * Y @ Q + t) == pytest.approx(scale**2 * distance, rel=1e-9)
    assert frechet_distance(X[::-1], X) < 1e-13 * 6  # 1e-14 of the two traces, 3 each or so
    assert frechet_distance(np.repeat(X, 2, axis=0), X) < 1e-13 * 6  # divisor n: copies change nothing


def test_the_frechet_distance_falls_to_its_truth_as_one_over_n():
    def mean(n):  # of two samples of one distribution
        pairs = [np.random.default_rng([n, seed]).normal(size=(2, n, 5)) for seed in range(60)]
        return np.mean([frechet_distance(*pair) for pair in pairs])

    # In one dimension the mean costs 2 / n and the deviation 2 / (2 n); no sample is at 0.
    assert mean(100) / mean(400) == pytest.approx(4, rel=0.2)  # seen over 10 sets of seeds: 3.8 to 4.4


def test_the_frechet_distance_sees_two_moments_and_the_kernel_distance_three():
    n = 4_000
    normal, skewed = (of_moments(n, [0.0], [1.0], kind=kind) for kind in ("normal", "exponential"))
    coins = np.repeat([[-1.0], [1.0]], n // 2, axis=0)
    assert frechet_distance(normal, skewed) < 1e-12
    assert frechet_distance(normal, coins) < 1e-12
    # k = 1 + 3 xy + 3 (xy)^2 + (xy)^3, so what is left is the square of the difference of third moments, some 2^2, but
    # for E k(x, x) / n, where E k(x, x) = 1 + 3 + 3 E x^4 + E x^6: 28 for the normal, 296 for the skewed.
    left_out = (28 + 296) / n
    third = np.mean(skewed**3) - np.mean(normal**3)
    assert kernel_distance(normal, skewed) == pytest.approx(third**2, abs=2 * left_out)
    assert third**2 > 20 * left_out
    assert kernel_distance(normal, coins) == pytest.approx(0, abs=4 * 28 / n)


def test_a_kernel_distance_is_the_mean_over_pairs_of_different_rows():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(7, 4)), rng.normal(size=(5, 4)) + 1
    within = [
        np.mean(
            [polynomial_kernel(A[i : i + 1], A[j : j + 1], degree=3)[0, 0] for i, j in permutations(range(len(A)), 2)]
        )
        for A in (X, Y)
    ]  # scikit-learn's kernel is (x'y / width + 1)^3 as it stands
    slow = sum(within) - 2 * polynomial_kernel(X, Y, degree=3).mean()
    assert kernel_distance(X, Y) == pytest.approx(slow, rel=1e-12)
    assert kernel_distance(Y, X) == pytest.approx(slow, rel=1e-12)


def test_the_kernel_distance_is_right_on_average_at_every_size():
    rng = np.random.default_rng(0)
    for shift in (0.0, 0.5):
        seen = [kernel_distance(rng.normal(size=(4, 1)), rng.normal(size=(7, 1)) + shift) for _ in range(1_000)]
        moments = np.array([shift, shift**2, shift**3 + 3 * shift])  # by which E x, E x^2, E x^3 differ
        truth = [3, 3, 1] @ moments**2
        error = np.std(seen) / np.sqrt(len(seen))
        assert np.mean(seen) == pytest.approx(truth, abs=4 * error)
        # With pairs of a row and itself it would be higher by (E k(x, x) - E k(x, x')) (1 / n + 1 / m), at least this.
        assert 4 * error < (28 - 4) * (1 / 4 + 1 / 7)
    assert min(seen) < 0


def test_a_kernel_distance_of_two_heaps_is_known():
    a, b = np.array([[1.0, 2.0]]), np.array([[3.0, 0.0]])
    truth = (5 / 2 + 1) ** 3 + (9 / 2 + 1) ** 3 - 2 * (3 / 2 + 1) ** 3
    assert kernel_distance(np.repeat(a, 4, axis=0), np.repeat(b, 6, axis=0)) == pytest.approx(truth, rel=1e-12)


# --- scores of features: precision, recall, density, coverage --------------------------------------------------------

BALLS = (precision, recall, density, coverage)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("shape", [(50, 50, 2), (40, 70, 8), (90, 60, 64)])
def test_precision_recall_density_and_coverage_are_those_of_prdc(k, shape, capsys):
    n, m, d = shape
    rng = np.random.default_rng(0)
    X, real = rng.normal(size=(m, d)) * 1.1 + 0.2, rng.normal(size=(n, d))
    theirs = compute_prdc(real, X, k)
    for score in BALLS:
        assert score(X, real, k) == pytest.approx(theirs[score.__name__], rel=1e-12)
    capsys.readouterr()  # prdc prints


def test_the_balls_on_a_line_are_counted_by_hand():
    real, X = np.array([[0.0], [1.0], [3.0], [10.0]]), np.array([[0.5], [2.0], [11.0], [30.0]])
    # Balls of real images: 0 +- 1, 1 +- 1, 3 +- 2, 10 +- 7.  Of X: 0.5 +- 1.5, 2 +- 1.5, 11 +- 9, 30 +- 19.
    assert precision(X, real, 1) == 3 / 4
    assert recall(X, real, 1) == 4 / 4
    assert density(X, real, 1) == (2 + 2 + 1) / 4  # rims count: 2 is in 1 +- 1
    assert coverage(X, real, 1) == 4 / 4
    assert precision(X, real, 3) == 3 / 4
    assert density(X, real, 3) == (4 + 4 + 1) / 4 / 3
    assert recall(X[2:], real, 1) == 4 / 4  # two images far apart have balls that hold everything
    assert coverage(X[2:], real, 1) == 1 / 4


def test_recall_is_precision_with_the_samples_exchanged():
    X, real = gray(40), 0.8 * gray(30, seed=1)
    assert 0 < recall(X, real, 3) < 1
    assert recall(X, real, 3) == precision(real, X, 3)
    assert recall(X, real, 3) != precision(X, real, 3)


@pytest.mark.parametrize(("n", "m", "k"), [(20, 20, 1), (20, 7, 3), (9, 30, 5)])
def test_the_density_of_two_samples_of_one_distribution_is_one_on_average(n, m, k):
    rng = np.random.default_rng(0)
    seen = [density(rng.normal(size=(m, 3)), rng.normal(size=(n, 3)), k) for _ in range(1_000)]
    assert np.mean(seen) == pytest.approx(1, abs=4 * np.std(seen) / np.sqrt(1_000))


def test_copies_get_full_marks_and_images_far_away_get_none(digits):
    X = digits[0][:300]
    assert [score(X[::-1], X, 1) for score in (precision, recall, coverage)] == [1, 1, 1]
    assert [score(X + 9, X) for score in BALLS] == [0, 0, 0, 0]
    assert density(X, np.vstack([X] * 4), 3) == 4 / 3  # radius 0, distance 0


def test_an_outlier_among_the_real_images_fools_precision_and_hardly_density():
    real = np.vstack([gray(99, 2), [[50.0, 50.0]]])
    X = gray(100, 2, seed=1) + 40  # nowhere near the others
    assert precision(X, real) == 1
    assert density(X, real) == 1 / 5


def test_one_cluster_of_two_has_precision_and_no_recall():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(400, 3)) + 20 * (np.arange(400) % 2)[:, None]
    X = rng.normal(size=(400, 3))
    assert precision(X, real) > 0.9
    assert density(X, real) > 0.8
    assert recall(X, real) < 0.5  # the half that is there
    assert coverage(X, real) < 0.51


@pytest.mark.parametrize("batch", [1, 7, 20])
def test_scores_do_not_depend_on_how_many_rows_are_held_at_a_time(batch, monkeypatch):
    X, real = gray(20), 0.9 * gray(25, seed=1)
    whole = [score(X, real, 3) for score in BALLS], kernel_distance(X, real)
    monkeypatch.setattr("linvae.metrics.BATCH", batch)
    assert [score(X, real, 3) for score in BALLS] == whole[0]
    assert kernel_distance(X, real) == pytest.approx(whole[1], rel=1e-11)  # sums in another order


@pytest.mark.parametrize("score", [*BALLS, frechet_distance, kernel_distance])
def test_a_score_of_features_is_the_score_of_what_the_function_gives(score):
    X, real = 0.7 * gray(30), gray(40, seed=1)

    def features(images):
        return np.c_[images[:, :2] ** 2, images.sum(axis=1)]

    assert score(X, real, features=features) == score(features(X), features(real)) != score(X, real)
    assert score(X, real, features=lambda images: features(images).tolist()) == score(X, real, features=features)
    assert type(score(X, real)) is float


# --- scores by labels: train on synthetic, test on real; read as asked -----------------------------------------------


def blobs(n=200, seed=0, names=(0, 1, 2)):
    rng = np.random.default_rng(seed)
    which = rng.integers(0, 3, n)
    return rng.normal(size=(n, 2)) + 2.5 * np.array([[0, 0], [1, 0], [0, 1]])[which], np.array(names)[which]


@pytest.mark.parametrize("classifier", [LinearDiscriminantAnalysis(), make_pipeline(StandardScaler(), SVC())])
@pytest.mark.parametrize("names", [(0, 1, 2), ("bag", "boot", "coat")])
def test_tstr_is_the_score_on_real_images_of_a_copy_fitted_to_drawn_ones(classifier, names):
    X, y = blobs(names=names)
    real, y_real = blobs(seed=1, names=names)
    expected = clone(classifier).fit(X, y).score(real, y_real)
    assert 0.7 < expected < 0.99
    assert tstr(X, y, real, y_real, classifier) == expected
    assert tstr(X.tolist(), y.tolist(), real, y_real.tolist(), classifier) == expected
    assert not hasattr(classifier, "n_features_in_")


def test_tstr_sees_missing_classes_and_labels_without_meaning():
    X, y = blobs(600)
    real, y_real = blobs(600, seed=1)
    full = tstr(X, y, real, y_real)
    kept = y != 2
    assert tstr(X[kept], y[kept], real, y_real) < full - 0.2
    assert tstr(X, np.random.default_rng(0).permutation(y), real, y_real) < 1 / 3 + 4 * np.sqrt(2 / 9 / 600)


def test_the_seed_fixes_a_forest_called_by_its_name():
    sets = (*blobs(60), *blobs(400, seed=1))
    scores = [tstr(*sets, "random-forest", random_state=seed) for seed in (0, 0, 1, 2)]
    assert scores[0] == scores[1]
    assert len(set(scores)) > 1


def test_training_on_real_digits_is_the_level_that_drawn_ones_are_held_to(digits):
    X, y, _ = digits
    T, labels = load_mnist("test")
    assert tstr(X[:1_000], y[:1_000], T, labels) == pytest.approx(0.87, abs=0.03)  # seen for 8 thousands: 0.86 to 0.88


def test_real_digits_are_read_as_asked_and_one_copied_image_a_class_is_too():
    network, (T, labels) = load_features("mnist"), load_mnist("test")
    assert read_as_asked(T, labels, network) == pytest.approx(network.test_accuracy, abs=1 / 2_000)
    assert read_as_asked(T, (labels + 1) % 10, network) < 0.02
    legible = np.flatnonzero(network.predict(T) == labels)[:5]
    copies = np.repeat(legible, 20)
    assert read_as_asked(T[copies], labels[copies], network) == 1


def test_any_trained_classifier_reads():
    X, y = blobs(names=("bag", "boot", "coat"))
    model = LinearDiscriminantAnalysis().fit(X, y)
    assert read_as_asked(X.tolist(), y.tolist(), model) == model.score(X, y)
    assert read_as_asked(X, ["boot"] * 200, model) == np.mean(model.predict(X) == "boot")


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
    assert_array_equal(KNeighborsClassifier(1).fit(train, y).predict(sets["real"]), y[drawn])  # as the docstring says
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


def test_the_frechet_distance_prefers_cluster_medians_to_a_model_and_to_dimmed_digits_and_recall_does_not(
    digits, control_sets
):
    X, y, test = digits
    network = load_features("mnist")
    sets = {name: network.transform(images) for name, images in control_sets.items()}
    model = LinearGenerativeModel(PCA(16), MMLR(), ClassGaussian(), "both", clip=(0, 1)).fit(X, y)
    sets["model"], real = network.transform(model.sample(500, random_state=0)[0]), network.transform(test)
    # Seen at 500 images: real 13, cluster medians 34, dimmed 42, model 70.  At 2,000: 3, 13, 42 and 67.
    distance = {name: frechet_distance(drawn, real) for name, drawn in sets.items()}
    assert distance["real"] < 0.6 * distance["cluster medians"]
    assert distance["cluster medians"] < 0.9 * distance["dimmed"]
    assert distance["cluster medians"] < 0.7 * distance["model"]
    found = {name: recall(drawn, real) for name, drawn in sets.items()}
    assert found["real"] > 0.9  # seen: 0.94
    assert found["cluster medians"] < 0.55  # seen: 0.47
    assert found["class medians"] == 0
    assert precision(sets["class medians"], real) == 1  # ten images, all of them likely ones
    assert kernel_distance(sets["class medians"], real) > 30 * abs(kernel_distance(sets["real"], real))  # 106 and -1.8


def test_training_on_class_medians_teaches_less_than_training_on_as_many_real_digits(digits, control_sets):
    X, y, _ = digits
    labels = KNeighborsClassifier(1).fit(X, y).predict(control_sets["real"])
    learned = {name: tstr(control_sets[name], labels, *load_mnist("test")) for name in ("real", "class medians")}
    assert learned["class medians"] < learned["real"] - 0.05  # seen: 0.757 and 0.846; a standard error is below 0.01


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
Y12, Y9 = np.arange(12) % 2, np.arange(9) % 2


class Oracle:
    """A classifier that gives the same answer whatever it is asked."""

    def __init__(self, answer):
        self.answer = answer

    def predict(self, X):
        return self.answer


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
        (lambda: two_sample_accuracy(X, X, "svm"), "classifier='svm'; choose one of '1-nn', 'random-forest', 'logi"),
        (lambda: two_sample_accuracy(X, X, KMeans(2)), r"KMeans\(.*\) is no scikit-learn classifier; give one, or one"),
        (lambda: two_sample_accuracy(X, X, RandomForestClassifier), "class .* is no scikit-learn classifier"),
        (
            lambda: tstr(X, Y12, Y, Y9, SklearnPCA()),
            r"classifier=PCA\(\) is no scikit-learn classifier; .* 1-nn, random",
        ),
        (lambda: tstr(X, Y12, Y, Y9, object()), "classifier=<object .* is no scikit-learn classifier"),
        (lambda: tstr(X, None, Y, Y9), r"y has shape \(\) beside 12 rows; give one label a row"),
        (lambda: tstr(X, Y12, Y, Y12), r"y has shape \(12,\) beside 9 rows"),
        (lambda: tstr(X, Y12, Y[:, :1], Y9), "X has 2 pixels and Y has 1"),
        (
            lambda: tstr(X, Y12.astype(str), Y, Y9),
            r"y has labels such as .*'[01]'.* and y_real such as .*0.*; give numb",
        ),
        (lambda: read_as_asked(X, Y12, object()), "cannot predict; give a trained one, such as load_features.*mnist"),
        (lambda: read_as_asked(X, Y12, LogisticRegression), "cannot predict; give a trained one"),
        (lambda: read_as_asked(X, Y12, LogisticRegression()), "not fitted yet"),
        (lambda: read_as_asked(X, Y9, LinearDiscriminantAnalysis()), r"y has shape \(9,\) beside 12 rows"),
        (lambda: read_as_asked(X, Y12, Oracle(np.zeros((12, 3)))), r"predict gives shape \(12, 3\) for 12 images"),
        (lambda: read_as_asked(X, Y12, Oracle(["bag"] * 12)), "the classifier has labels such as .*'bag'.* and y such"),
        (lambda: frechet_distance(X, Y[:, :1]), "X has 2 pixels and Y has 1"),
        (
            lambda: frechet_distance(X, Y, lambda images: images[:3]),
            r"features\(X\) has 3 rows for 12 images; give a f",
        ),
        (lambda: frechet_distance(X, Y, lambda images: images[:, 0]), r"features\(X\) has shape \(12,\); give one"),
        (lambda: frechet_distance(X, Y, lambda images: images * np.nan), r"features\(X\) contains"),
        (
            lambda: frechet_distance(X, Y, lambda images: images[:, : len(images) // 6]),
            r"features\(X\) has 2 columns and features\(Y\) 1; give one map for both",
        ),
        (lambda: kernel_distance(X, Y[:1]), "12 rows of X and 1 of Y; give 2 or more of each, which make a pair"),
        (
            lambda: kernel_distance(X, 1e60 * Y),
            r"features go up to .*e\+59, whose kernel overflows above 1e\+45; rescale",
        ),
        (lambda: precision(X, Y, 9), "n_neighbors=9 but there are 9 real images; give a smaller number"),
        (lambda: recall(Y, X, 9), "n_neighbors=9 but there are 9 drawn images; give a smaller number"),
        (lambda: density(X, Y, 2.0), r"n_neighbors=2\.0; give a whole number of 1 or more"),
        (lambda: recall(X, Y * np.nan), "Input Y contains NaN"),
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
