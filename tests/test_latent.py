"""Distributions of the code and paths between codes: SciPy and scikit-learn as rivals, Monte Carlo, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.linalg import sqrtm
from scipy.stats import multivariate_normal, multivariate_t
from sklearn.base import clone
from sklearn.mixture import GaussianMixture

from linvae import ClassGaussian, ClassMixture, Moments, StandardNormal
from linvae.latent import great_circle, straight


def codes(n=300, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.choice(["bag", "boot"], n)
    return rng.normal(size=(n, 3)) @ rng.normal(size=(3, 3)) + 4 * (y == "boot")[:, None], y


DISTRIBUTIONS = [StandardNormal(), ClassGaussian(), ClassMixture(2, random_state=0)]


def clumps(n=600, seed=0):
    """Codes of one class in two clumps of unequal size, and a second class beside them."""
    Z, y = codes(n, seed)
    Z[:, 0] += 8 * (np.random.default_rng(seed + 1).random(n) < 0.15)
    return Z, y


@pytest.mark.parametrize("latent", DISTRIBUTIONS, ids=lambda latent: type(latent).__name__)
def test_draws_follow_the_log_density(latent):
    latent = latent.fit(*clumps())
    drawn = latent.sample(20_000, "boot", random_state=0)
    # A rival that never calls `sample`: points of a wide Student t, weighted by the density over their own.
    wide = multivariate_t(drawn.mean(axis=0), 2 * np.cov(drawn.T), df=5, seed=0)
    points = wide.rvs(50_000)
    density = latent.log_prob(points, "boot")
    weights = np.exp(density - wide.logpdf(points))
    assert abs(weights.mean() - 1) < 5 * weights.std() / np.sqrt(len(points))  # the density integrates to 1
    for of_draws, of_points in (
        (latent.log_prob(drawn, "boot"), density),
        *zip(drawn.T, points.T, strict=True),
        *zip((drawn**2).T, (points**2).T, strict=True),
    ):
        error = np.hypot(of_draws.std() / np.sqrt(len(drawn)), (weights * of_points).std() / np.sqrt(len(points)))
        assert abs(of_draws.mean() - np.mean(weights * of_points)) < 5 * error  # 5 standard errors
    # The same the other way round: E over draws of exp(ln q - ln p) for a narrower q is 1.
    q = multivariate_normal(drawn.mean(axis=0), np.cov(drawn.T) / 2)
    weights = np.exp(q.logpdf(drawn) - latent.log_prob(drawn, "boot"))
    assert abs(weights.mean() - 1) < 5 * weights.std() / np.sqrt(len(drawn))


@pytest.mark.parametrize("weights", [[0.9, 0.1], [0.2, 0.8]])
def test_a_mixture_draws_its_parts_by_their_weights(weights):
    latent = ClassMixture(2, random_state=0).fit(*clumps())
    mixture = latent.mixtures_["boot"]
    mixture.weights_ = np.array(weights)
    mixture.means_ = np.array([[0.0, 0, 0], [100.0, 0, 0]])  # far apart, so every draw tells its part
    share = np.mean(latent.sample(20_000, "boot", random_state=0)[:, 0] > 50)
    assert abs(share - weights[1]) < 5 * np.sqrt(weights[0] * weights[1] / 20_000)  # 5 standard errors


def test_the_densities_are_scipys_and_scikit_learns():
    Z, y = codes()
    boots = Z[y == "boot"]
    assert_allclose(StandardNormal().fit(Z, y).log_prob(Z, y), multivariate_normal(np.zeros(3)).logpdf(Z))
    gaussian = multivariate_normal(boots.mean(axis=0), np.cov(boots.T, bias=True))
    assert_allclose(ClassGaussian().fit(Z, y).log_prob(boots, "boot"), gaussian.logpdf(boots))
    latent = ClassMixture(2, random_state=0).fit(Z, y)
    seed = np.random.RandomState(0)
    mixtures = {
        label: GaussianMixture(2, random_state=seed.randint(2**31 - 1)).fit(Z[y == label]) for label in latent.classes_
    }
    assert_allclose(latent.log_prob(boots, "boot"), mixtures["boot"].score_samples(boots))


def test_moments_are_enough_for_the_class_gaussian():
    Z, y = codes()
    a, b = ClassGaussian().fit(Z, y), ClassGaussian().fit_moments(Moments.by_class(Z, y))
    assert_allclose(a.log_prob(Z, y), b.log_prob(Z, y))
    assert not hasattr(ClassMixture(), "fit_moments")


@pytest.mark.parametrize("latent", DISTRIBUTIONS, ids=lambda latent: type(latent).__name__)
def test_an_array_of_labels_is_answered_in_its_order(latent):
    Z, y = codes()
    latent = latent.fit(Z, y)
    drawn = latent.sample(300, y, random_state=0)
    assert drawn.shape == (300, 3)
    if not isinstance(latent, StandardNormal):
        assert drawn[y == "boot"].mean() > drawn[y == "bag"].mean() + 2  # the classes lie 4 apart
    assert_allclose(drawn, latent.sample(300, y, random_state=0))


def test_flat_codes_are_drawn_flat_and_have_no_density():
    Z, y = codes()
    Z = np.c_[Z, Z[:, 0] + Z[:, 1]]
    latent = ClassGaussian().fit(Z, y)
    drawn = latent.sample(100, "bag", random_state=0)
    assert_allclose(drawn[:, 3], drawn[:, 0] + drawn[:, 1], atol=1e-5)
    with pytest.raises(ValueError, match="flat subspace"):
        latent.log_prob(Z, y)


@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
def test_paths_start_and_end_where_told(seed, n_steps):
    a, b = np.random.default_rng(seed).normal(size=(2, 5))
    for path in (straight, great_circle):
        steps = path(a, b, n_steps)
        assert steps.shape == (n_steps, 5)
        assert_allclose(steps[[0, -1]], [a, b], atol=1e-12)


def test_a_great_circle_keeps_its_length_and_turns_evenly():
    a, b = np.array([2.0, 0, 0]), np.array([0, 2.0, 0])
    path = great_circle(a, b, 7)
    assert_allclose(np.linalg.norm(path, axis=1), 2)
    assert_allclose(np.arctan2(path[:, 1], path[:, 0]), np.linspace(0, np.pi / 2, 7), atol=1e-12)
    assert np.linalg.norm(straight(a, b, 7)[3]) == pytest.approx(np.sqrt(2))  # the chord cuts through
    assert_allclose(great_circle(a, 3 * a, 3), [a, 2 * a, 3 * a])


def test_a_great_circle_changes_its_length_evenly():
    path = great_circle([1.0, 0], [0, 4.0], 4)
    assert_allclose(np.linalg.norm(path, axis=1), [1, 2, 3, 4])  # and not 4^(i/3): 1, 1.59, 2.52, 4


@pytest.mark.parametrize("unit", [1e-100, 1e-8, 1e8])
def test_a_code_in_other_units_is_not_flat(unit):
    Z, y = codes()
    units = np.array([1, unit, 1])
    plain, other = ClassGaussian().fit(Z, y), ClassGaussian().fit(Z * units, y)
    # The density of c z is that of z over c.
    assert_allclose(other.log_prob(Z * units, y), plain.log_prob(Z, y) - np.log(unit), rtol=1e-9)
    drawn = other.sample(20_000, "bag", random_state=0) / units
    C = plain.covariances_["bag"]
    error = np.sqrt((np.outer(np.diag(C), np.diag(C)) + C**2) / 20_000)  # of each entry of a normal sample's covariance
    assert (np.abs(np.cov(drawn.T, bias=True) - C) < 5 * error).all()


def test_draws_pass_through_the_symmetric_root_of_the_covariance():
    Z, y = codes()
    latent = ClassGaussian().fit(Z, y)
    noise = np.random.RandomState(3).standard_normal((50, 3))
    expected = latent.means_["bag"] + noise @ sqrtm(latent.covariances_["bag"])
    assert_allclose(latent.sample(50, "bag", random_state=3), expected, rtol=1e-10, atol=1e-12)


def test_a_code_that_is_constant_but_for_rounding_is_flat_and_is_drawn_at_its_value():
    Z, y = codes()
    Z[:, 1] = 0.1 + 0.2 * (np.arange(300) % 3 / 3 + 1 - np.arange(300) % 3 / 3)  # 0.3, give or take a rounding
    latent = ClassGaussian().fit(Z, y)
    assert_allclose(latent.sample(50, "bag", random_state=0)[:, 1], 0.3, rtol=1e-14)
    with pytest.raises(ValueError, match="flat subspace"):
        latent.log_prob(Z, y)


@pytest.mark.parametrize("latent", DISTRIBUTIONS, ids=lambda latent: type(latent).__name__)
def test_a_generator_is_a_seed_and_is_moved_on(latent):
    Z, y = codes()
    rng = np.random.default_rng(0)
    fitted = clone(latent).set_params(**{"random_state": rng} if isinstance(latent, ClassMixture) else {}).fit(Z, y)
    rng = np.random.default_rng(1)
    first, second = (fitted.sample(5, "bag", rng) for _ in range(2))
    assert not np.array_equal(first, second)
    assert_allclose(first, fitted.sample(5, "bag", np.random.default_rng(1)))


Z, Y = codes()
HIDDEN = np.ma.masked_array(Z, mask=Z > 1)


@pytest.mark.parametrize("latent", DISTRIBUTIONS, ids=lambda latent: type(latent).__name__)
def test_masked_codes_and_labels_are_refused(latent):
    labels = np.ma.masked_array(Y, mask=Y == "bag")
    fitted = clone(latent).fit(Z, Y)
    for call in (lambda: clone(latent).fit(HIDDEN, Y), lambda: fitted.log_prob(HIDDEN, Y)):
        with pytest.raises(ValueError, match="Z is a MaskedArray, and its mask would be lost"):
            call()
    for call in (
        lambda: clone(latent).fit(Z, labels),
        lambda: fitted.log_prob(Z, labels),
        lambda: fitted.sample(300, labels),
    ):
        with pytest.raises(ValueError, match="y is a MaskedArray, and its mask would be lost"):
            call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ClassGaussian().fit(Z, Y).sample(3, "coat"), "label 'coat' was not seen in fit; the classes are"),
        (lambda: ClassGaussian().fit(Z, Y).sample(3, None), "y is None, or holds None; give one of the classes"),
        (lambda: ClassGaussian().fit(Z, Y).sample(0, "bag"), "n_samples=0"),
        (lambda: ClassMixture().fit(Z, [np.nan] * 300), "None or NaN"),
        (lambda: ClassGaussian().fit(Z, Y).sample(3, ["bag"]), r"y has shape \(1,\); give one label, or 3"),
        (lambda: ClassGaussian().fit(Z, Y).log_prob(Z[:, :2], Y), "2 codes a row but the model was fitted with 3"),
        (lambda: ClassMixture(400).fit(Z, Y), "rows but n_components=400"),
        (lambda: ClassGaussian().fit(Z, Y[:4]), "one label a row"),
        (lambda: straight([0, 1], [1, 1], 1), "n_steps=1"),
        (lambda: straight(HIDDEN[0], Z[1], 3), "a is a MaskedArray"),
        (lambda: great_circle(Z[0], HIDDEN[1], 3), "b is a MaskedArray"),
        (lambda: great_circle([0, 0], [1, 1], 3), "zero code"),
        (lambda: great_circle([1, 1], [-2, -2], 3), "opposite directions"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
