"""The chapter on lifting first: statements C34, C35 and C55; ledger L14."""

from itertools import product
from math import comb

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import linprog
from scipy.stats import binom
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import Ridge

from linvae import MMLR, PCA, ClassGaussian, Moments
from linvae.datasets import load_fashion_mnist


def parted(points, labels):
    """Tell whether a plane through the origin has each point on the side of its label."""
    rows = -labels[:, None] * points
    return linprog(np.zeros(points.shape[1]), rows, -np.ones(len(rows)), bounds=(None, None)).success


def cover(n, D):
    return 2 * sum(comb(n - 1, i) for i in range(D))


def n_parted(points):
    return sum(parted(points, np.array(signs)) for signs in product([-1, 1], repeat=len(points)))


@pytest.mark.statement("C34")
@pytest.mark.parametrize(("n", "D"), [(3, 2), (4, 3), (5, 5), (6, 2), (6, 3), (7, 4)])
def test_planes_part_as_many_labellings_as_cover_counts(n, D):
    points = np.random.default_rng(n).normal(size=(n, D))  # in general position, with probability one
    assert n_parted(points) == cover(n, D)
    if n > D:  # the count of planes that need not pass through the origin is another one
        assert n_parted(np.c_[np.ones(n), points]) == cover(n, D + 1) > cover(n, D)


@pytest.mark.statement("C34")
def test_up_to_as_many_points_as_dimensions_every_labelling_is_parted_and_at_twice_as_many_half():
    for D in (3, 8, 40):
        assert cover(D, D) == 2**D
        assert cover(D + 1, D) == 2 ** (D + 1) - 2
        assert cover(2 * D, D) == 2 ** (2 * D - 1)
        assert cover(3 * D, D) / 2 ** (3 * D) == pytest.approx(binom.cdf(D - 1, 3 * D - 1, 0.5), rel=1e-12)


@pytest.mark.statement("C34")
def test_the_share_of_random_labellings_is_the_chance_of_few_heads():
    rng, n, D = np.random.default_rng(0), 24, 10
    points = rng.normal(size=(n, D))
    found = np.mean([parted(points, rng.choice([-1, 1], n)) for _ in range(600)])
    share = cover(n, D) / 2**n
    error = np.sqrt(share * (1 - share) / 600)
    assert abs(found - share) < 4 * error
    # With D or n out by one the share is another one, by more than this test forgives.
    for wrong in (cover(n, D + 1) / 2**n, cover(n, D - 1) / 2**n, cover(n + 2, D) / 2 ** (n + 2)):
        assert abs(wrong - share) > 5 * error


@pytest.mark.statement("C34")
def test_points_in_special_position_are_parted_in_fewer_ways():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(6, 3))
    points[2] = points[0] + points[1]  # three of them in a plane through the origin
    assert n_parted(points) < cover(6, 3)
    points[3] = points[0]
    assert n_parted(points) < cover(6, 3)


def approximate(pair, gamma, D, n_draws):
    """Return the inner product of the two lifted images for each draw of the waves."""
    waves = RBFSampler(gamma=gamma, n_components=D * n_draws, random_state=D)  # all draws at once
    products = np.prod(waves.fit_transform(pair), axis=0)
    return n_draws * products.reshape(n_draws, D).sum(axis=1)


@pytest.mark.statement("C35")
@pytest.mark.parametrize("distance", [0.0, 0.5, 1.5, 4.0])
def test_random_waves_have_the_kernel_as_mean_and_the_variance_that_is_stated(distance):
    gamma, D, n = 0.4, 20, 1500
    pair = np.zeros((2, 3))
    pair[:, 1] = 5.0
    pair[1, 0] = distance
    kappa = np.exp(-gamma * distance**2)
    made = approximate(pair, gamma, D, n)
    variance = (1 + (1 - kappa**2) ** 2) / (2 * D)
    assert abs(made.mean() - kappa) < 4 * np.sqrt(variance / n)
    # A variance of n nearly Gaussian draws has the relative error sqrt(2 / n), 3.7 %; four of them.
    assert made.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / n))
    if distance < 2:  # pairs of a sine and a cosine have another one; far apart the two agree
        assert made.var() > 1.1 * (1 - kappa**2) ** 2 / D


@pytest.mark.statement("C35")
def test_the_error_of_random_waves_falls_like_one_over_the_root_of_their_number():
    pair = np.random.default_rng(0).normal(size=(2, 5))
    kappa = np.exp(-0.1 * np.sum((pair[0] - pair[1]) ** 2))
    sizes = np.array([16, 64, 256, 1024])
    errors = [np.sqrt(np.mean((approximate(pair, 0.1, D, 600) - kappa) ** 2)) for D in sizes]
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    # ln of each error is known to 1 / sqrt(2 * 600) = 0.029; over four sizes that far apart the slope to 0.0093.
    assert slope == pytest.approx(-0.5, abs=0.037)


def lifted_codes(X, k, seed=0):
    """Return k codes that no affine map of X gives, and that tell much of it."""
    rng = np.random.default_rng(seed)
    Z = PCA(k).fit(X).transform(X)
    return np.tanh(Z + rng.normal(size=k)) @ rng.normal(size=(k, k))


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(2)
    return np.exp(0.4 * rng.normal(size=(500, 6)) @ rng.normal(size=(6, 12)))  # skew, of 12 pixels


@pytest.mark.statement("C55")
@pytest.mark.parametrize("k", [1, 3, 6])
def test_no_lift_with_a_linear_way_down_rebuilds_better_than_pca(rows, k):
    values = np.linalg.eigvalsh(Moments.of(rows).covariance)[::-1]

    def left(Z):
        return np.mean(np.sum((MMLR().fit(Z, rows).predict(Z) - rows) ** 2, axis=1))

    pca = PCA(k).fit(rows).transform(rows)
    assert left(pca) == pytest.approx(values[k:].sum(), rel=1e-9)  # sums of some hundred rows
    for Z in (lifted_codes(rows, k), lifted_codes(rows, k, 1), np.sin(pca), pca**2):
        assert left(Z) > values[k:].sum() * (1 + 1e-9)
    # The way down matters: the same number of codes, decoded by a polynomial, is below.
    assert left(np.c_[pca, pca**2, pca**3]) < values[k:].sum()
    # As does the number of codes.
    assert left(np.c_[pca, lifted_codes(rows, 1)]) < values[k:].sum()


@pytest.mark.statement("C55")
def test_a_gaussian_brought_down_linearly_is_a_gaussian_with_the_covariance_less_what_is_left_over(rows):
    Z = lifted_codes(rows, 3)
    decoder = MMLR().fit(Z, rows)
    real, codes = Moments.of(rows), Moments.of(Z)
    B, b = decoder.coef_, decoder.intercept_
    residual = Moments.of(rows - decoder.predict(Z))
    drawn = B @ codes.covariance @ B.T
    scale = np.trace(real.covariance)
    assert_allclose(B @ codes.mean + b, real.mean, atol=1e-10 * np.sqrt(scale))
    assert_allclose(drawn, real.covariance - residual.covariance, atol=1e-10 * scale)
    assert np.linalg.matrix_rank(drawn, tol=1e-8 * scale) == 3
    values = np.linalg.eigvalsh(real.covariance)[::-1]
    assert np.trace(drawn) < values[:3].sum() < scale
    # And of draws, to Monte Carlo error: four standard errors of a mean of 20,000.
    n = 20_000
    images = decoder.predict(ClassGaussian().fit(Z, np.zeros(len(Z))).sample(n, 0, random_state=0))
    assert_allclose(images.mean(axis=0), real.mean, atol=4 * np.sqrt(np.diag(drawn).max() / n))
    spread = Moments.of(images).covariance
    assert np.trace(spread) == pytest.approx(np.trace(drawn), rel=4 * np.sqrt(2 / n))


@pytest.mark.statement("L14")
def test_a_lift_parts_coin_flips_as_well_as_garments_and_makes_images_less_flat():
    X, kinds = load_fashion_mnist("train")
    X, kinds = X[:600].astype(float), kinds[:600]
    rng = np.random.default_rng(0)
    labels = {"coin": rng.choice([-1, 1], 600), "shoes": np.where(np.isin(kinds, (5, 7, 9)), 1, -1)}
    features = RBFSampler(gamma=0.01, n_components=400, random_state=0).fit_transform(X)
    right = {}
    for name, y in labels.items():
        linear = Ridge(alpha=1e-6).fit(features[:300], y[:300])
        hits = np.sign(linear.predict(features)) == y
        assert hits[:300].all()  # 300 points in 400 dimensions: every labelling, says C34
        right[name] = hits[300:].mean()
    assert abs(right["coin"] - 0.5) < 4 * 0.5 / np.sqrt(300)  # chance
    assert right["shoes"] > 0.9
    share = []
    for points in (X, features):
        energy = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) ** 2
        share.append(energy[:16].sum() / energy.sum())
    assert share[1] < share[0]
