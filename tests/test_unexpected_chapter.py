"""The chapter on the talk's Figure 5: statements C28, C46 and C51; ledger L9, L15, L16."""

import numpy as np
import pytest
from comparing import pooled_costs
from numpy.testing import assert_allclose
from scipy.stats import norm
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from linvae import MMLR, PCA, ClassGaussian, LinearGenerativeModel, Moments, StandardNormal, VariationalMMLR
from linvae.datasets import load_fashion_mnist, load_mnist
from linvae.metrics import gaussian_w2, variability, wasserstein1


@pytest.fixture(scope="module")
def digits():
    X, y = load_mnist("train")
    return X.astype(np.float64), y


@pytest.fixture(scope="module")
def reader(digits):
    """Return a classifier of digits, the five nearest in 40 components: 95 % of the test digits."""
    return make_pipeline(PCA(40), KNeighborsClassifier(5)).fit(*digits)


def labelled(n=400, d=7, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    mixed = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) * rng.uniform(0.2, 2, size=(3, 1))[y]
    return mixed + rng.normal(size=(3, d))[y], y


def gaussian(mean, B):
    """Return the moments of N(mean, B B')."""
    return Moments(1, mean, B @ B.T)


@pytest.mark.statement("C51")
def test_the_cost_of_a_standard_normal_is_a_sum_over_modes(digits):
    X_digits, y_digits = digits
    for X, y, ks in ((*labelled(), (1, 3, 6)), (X_digits, y_digits, (16, 64))):
        real = Moments.of(X)
        costs = pooled_costs(np.linalg.eigvalsh(real.covariance)[::-1].clip(0))
        for k in ks:
            model = LinearGenerativeModel(PCA(k), MMLR(), StandardNormal(), conditional="none").fit(X, y)
            made = gaussian(model.decoder_.intercept_, model.decoder_.coef_)
            assert gaussian_w2(made, real) ** 2 == pytest.approx(costs[k], rel=1e-8)  # an eigh of d pixels, squared


@pytest.mark.statement("C51")
def test_a_mode_helps_if_and_only_if_its_variance_is_above_a_quarter():
    V = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    variances = np.array([3.0, 0.9, 0.26, 0.24, 0.1, 0.0])
    real = Moments(1, np.ones(6), V * variances @ V.T)
    costs = [gaussian_w2(gaussian(np.ones(6), V[:, :k]), real) ** 2 for k in range(1, 7)]
    assert_allclose(costs, pooled_costs(variances)[1:], atol=1e-6)  # a root of a covariance that is singular
    assert (np.array(costs[1:]) < costs[:-1]).tolist() == [True, True, False, False, False]
    assert np.argmin(costs) + 1 == np.sum(variances > 0.25)


@pytest.mark.statement("C51")
def test_a_coin_is_no_gaussian_and_asks_for_more_than_a_quarter():
    def cost(variance):  # of N(0, 1) against +-sqrt(variance), by quantiles
        u = (np.arange(200_000) + 0.5) / 200_000
        return np.mean((norm.ppf(u) - np.sqrt(variance) * np.sign(u - 0.5)) ** 2)

    for variance, helps in ((0.26, False), (0.99 * np.pi / 8, False), (1.01 * np.pi / 8, True)):
        closed = 1 - 2 * np.sqrt(2 * variance / np.pi) + variance
        assert cost(variance) == pytest.approx(closed, rel=1e-4)  # the tails of a grid of 200,000 quantiles
        assert (cost(variance) < variance) == helps  # without the code the cost is the variance
        assert cost(variance) >= (np.sqrt(variance) - 1) ** 2  # the Gaussian part is a lower bound


@pytest.mark.statement("C28")
def test_a_direction_is_loud_by_the_share_of_the_left_over_that_its_codes_predict():
    X, y = labelled()
    model = LinearGenerativeModel(PCA(4), MMLR(), StandardNormal()).fit(X, y)
    V = model.encoder_.components_.T
    for label, real in Moments.by_class(X, y).items():
        cross, decoder = model.cross_moments_[label], model.decoders_[label]
        B, b = decoder.coef_, decoder.intercept_
        widths, U = np.linalg.eigh(cross.Szz / cross.n)
        # The share, without the decoder: how much of the left-over each code predicts when it is the only one.
        images = X[y == label] - real.mean
        codes, left_over = images @ V @ U, images - images @ V @ V.T
        t = np.sum(left_over**2) / len(images)
        slopes = [np.linalg.lstsq(codes[:, [j]], left_over)[0] for j in range(4)]
        shares = np.array([np.sum((codes[:, [j]] @ slopes[j]) ** 2) for j in range(4)]) / np.sum(left_over**2)
        assert_allclose(np.sum((B @ U) ** 2, axis=0), 1 + shares * t / widths, rtol=1e-9)
        # Part 2: with the class Gaussian the mean is right, and there is never too much variance.
        made = gaussian(b + B @ cross.mean_z, B @ U * np.sqrt(widths))
        assert np.trace(made.covariance) == pytest.approx(np.sum(widths + shares * t), rel=1e-9)
        assert np.trace(real.covariance) == pytest.approx(np.sum(widths) + t, rel=1e-9)
        assert_allclose(made.mean, real.mean, atol=1e-10)
        assert np.linalg.eigvalsh(real.covariance - made.covariance).min() > -1e-10
        # Part 3, and the exact cost of which it is a lower bound.
        shift = np.sum((b - real.mean) ** 2)
        values, vectors = np.linalg.eigh(real.covariance)
        root = vectors * np.sqrt(values)
        shared = np.linalg.svd(root.T @ B, compute_uv=False).sum()
        cost = shift + np.sum(B**2) + values.sum() - 2 * shared
        assert gaussian_w2(gaussian(b, B), real) ** 2 == pytest.approx(cost, rel=1e-9)
        assert cost >= shift + (np.sqrt(np.sum(B**2)) - np.sqrt(values.sum())) ** 2
        assert gaussian_w2(made, real) < gaussian_w2(gaussian(b, B), real)


@pytest.mark.statement("C28")
@pytest.mark.parametrize("latent", [StandardNormal(), ClassGaussian()])
def test_drawn_images_are_as_far_as_the_moments_predict(latent):
    X, y = labelled()
    model = LinearGenerativeModel(PCA(4), MMLR(), latent).fit(X, y)
    n = 40_000
    for label, real in Moments.by_class(X, y).items():
        B, b, cross = model.decoders_[label].coef_, model.decoders_[label].intercept_, model.cross_moments_[label]
        made = gaussian(b, B)
        if isinstance(latent, ClassGaussian):
            made = gaussian(b + B @ cross.mean_z, B @ np.linalg.cholesky(cross.Szz / cross.n))
        drawn = Moments.of(model.sample(n, label, random_state=0)[0])
        # The triangle inequality: off by no more than the draws are from their own distribution.  The mean has the
        # squared error tr / n, the root of the covariance about k tr / (4 n): 6 standard errors of both.
        error = 6 * np.sqrt((1 + 4 / 4) * np.trace(made.covariance) / n)
        assert abs(gaussian_w2(drawn, real) - gaussian_w2(made, real)) < error


@pytest.fixture(scope="module")
def talk_moments(digits):
    """Return the talk's set-up: one PCA on standardised digits, cross moments of each class, real moments."""
    X, y = digits
    model = LinearGenerativeModel(PCA(64), MMLR(), StandardNormal(), standardize=True).fit(X, y)
    real = {c: m.standardized(model.pixel_mean_, model.pixel_scale_) for c, m in Moments.by_class(X, y).items()}
    return model.cross_moments_, real


def talk_decoder(cross, k):
    return VariationalMMLR(noise="fixed", prior="fixed", noise_variance=1.0).fit_moments(cross.leading(k))


@pytest.mark.statement("C28", "C51", "L9")
def test_a_pooled_decoder_gets_better_from_16_to_64_codes_and_class_decoders_get_too_loud(digits, talk_moments):
    cross, real = talk_moments
    pooled = pooled_costs(np.linalg.eigvalsh(Moments.pool(real).covariance)[::-1].clip(0))
    assert pooled[64] < 0.9 * pooled[16]  # the wrong way for Figure 5, and on raw pixels too
    raw = pooled_costs(np.linalg.eigvalsh(Moments.of(digits[0]).covariance)[::-1].clip(0))
    assert raw[64] < 0.95 * raw[16]
    cost, gain = {}, {}
    for k in (16, 64):
        decoders = {c: talk_decoder(part, k) for c, part in cross.items()}
        cost[k] = np.mean([gaussian_w2(gaussian(d.intercept_, d.coef_), real[c]) ** 2 for c, d in decoders.items()])
        gain[k] = np.mean([np.sum(d.coef_**2) for d in decoders.values()])
    trace = np.mean([np.trace(m.covariance) for m in real.values()])
    assert cost[64] > 1.3 * cost[16]
    assert gain[16] < trace / 5  # nearly one picture a class
    assert gain[64] > trace
    # The gain sits where the class hardly moves, and the Gaussian of the class mends it with the same decoder.
    for c, part in cross.items():
        d, part = talk_decoder(part, 64), part.leading(64)
        s, U = np.linalg.eigh(part.Szz / part.n)
        along = np.sum((d.coef_ @ U) ** 2, axis=0)
        assert along[:16].sum() > along.sum() / 2
        fitted = gaussian(d.predict(part.mean_z[None])[0], d.coef_ @ U * np.sqrt(s))
        assert gaussian_w2(fitted, real[c]) ** 2 < cost[16] / 1.3


@pytest.mark.statement("C28", "L9")
def test_narrow_directions_predict_as_much_of_the_left_over_as_wide_ones(digits, talk_moments):
    cross, real = talk_moments
    V = LinearGenerativeModel(PCA(64), MMLR(), StandardNormal(), standardize=True).fit(*digits).encoder_.components_.T
    narrow, wide = [], []
    for c, part in cross.items():
        widths, U = np.linalg.eigh(part.Szz / part.n)
        guess = np.sum(((MMLR().fit_moments(part).coef_ - V) @ U) ** 2, axis=0)
        shares = widths * guess / (np.trace(real[c].covariance) - widths.sum())
        assert widths[-1] > 1000 * widths[0]
        narrow.append(shares[:16].mean() * part.n)
        wide.append(shares[-16:].mean() * part.n)
    # In multiples of 1 / n, which a code that has nothing to do with the left-over predicts by chance.
    assert np.mean(narrow) > 3
    assert 1 / 3 < np.mean(narrow) / np.mean(wide) < 1


@pytest.mark.statement("C46")
def test_at_zero_a_class_decoder_draws_the_mean_of_all_and_what_the_codes_leave_of_its_class():
    X, y = labelled()
    for k in (1, 3, 5):
        model = LinearGenerativeModel(PCA(k), MMLR(), StandardNormal()).fit(X, y)
        V, mu = model.encoder_.components_.T, model.encoder_.mean_
        for label, real in Moments.by_class(X, y).items():
            G, mean_z = model.decoders_[label].coef_ - V, model.cross_moments_[label].mean_z
            thrown_away = (real.mean - mu) - V @ (V.T @ (real.mean - mu))
            drawn = model.inverse_transform(np.zeros((1, k)), label)[0]
            assert_allclose(drawn, mu + thrown_away - G @ mean_z, atol=1e-10)
            assert min(np.linalg.norm(thrown_away), np.linalg.norm(G @ mean_z)) > 1e-3  # neither term is idle


@pytest.mark.statement("C46")
def test_with_as_many_codes_as_the_rank_every_class_has_the_same_decoder():
    X, y = labelled()
    X = np.c_[X, X[:, :2] @ [1.0, -1.0]]  # eight pixels of rank seven
    apart = {}
    for k in (6, 7):
        model = LinearGenerativeModel(PCA(k), MMLR(), StandardNormal()).fit(X, y)
        V, mu = model.encoder_.components_.T, model.encoder_.mean_
        apart[k] = [np.abs(np.c_[d.coef_ - V, d.intercept_ - mu]).max() for d in model.decoders_.values()]
    assert max(apart[7]) < 1e-9  # a least-squares fit without error, at a condition of some 1e3
    assert min(apart[6]) > 1e-2  # one code short of it they differ


def codes_of(model, own_mean, own_covariance):
    """Return codes that have their class's own mean, its own covariance, both, or those of N(0, I)."""
    parts = {}
    for label, cross in model.cross_moments_.items():
        k = cross.mean_z.size
        mean = cross.mean_z if own_mean else np.zeros(k)
        parts[label] = Moments(1, mean, cross.Szz / cross.n if own_covariance else np.eye(k))
    return ClassGaussian().fit_moments(parts)


@pytest.mark.statement("C46", "L9")
def test_the_image_at_zero_drifts_from_its_digit_to_the_mean_of_all_as_codes_are_added(talk_moments, digits, reader):
    X = digits[0]
    cross, _ = talk_moments
    scale = np.where(X.std(axis=0) > 0, X.std(axis=0), 1)
    rightly, to_all = [], []
    for k in (4, 16, 64):
        drawn = np.array([talk_decoder(cross[c], k).intercept_ for c in range(10)]) * scale + X.mean(axis=0)
        rightly.append(np.sum(reader.predict(drawn.clip(0, 1)) == np.arange(10)))
        to_all.append(np.linalg.norm(drawn - X.mean(axis=0), axis=1).mean())
    assert rightly[0] >= 7
    assert rightly[2] <= 3
    assert to_all[0] > 1.2 * to_all[1] > 1.4 * to_all[2]


@pytest.mark.statement("L9")
@pytest.mark.parametrize("load", [load_mnist, load_fashion_mnist])
def test_the_wrong_mean_loses_the_digit_and_the_wrong_covariance_makes_the_step(load):
    X, y = load("train")
    reader = make_pipeline(PCA(40), KNeighborsClassifier(5)).fit(X, y)
    T = load("test")[0][:400].astype(np.float64)
    labels = np.random.default_rng(0).choice(y, 400)
    w1, read = {}, {}
    for k in (16, 64):
        model = LinearGenerativeModel.from_talk(k).fit(X.astype(np.float64), y)
        for own in ((False, False), (True, False), (False, True), (True, True)):
            model.latent_ = codes_of(model, *own)
            drawn = model.sample(400, labels, random_state=0)[0].clip(0, 1)
            w1[own, k], read[own, k] = wasserstein1(drawn, T), np.mean(reader.predict(drawn) == labels)
    neither, mean, covariance, both = ((False, False), (True, False), (False, True), (True, True))
    step = {own: w1[own, 64] - w1[own, 16] for own in (neither, mean, covariance, both)}
    assert min(step[neither], step[mean]) > max(2 * step[covariance], 2 * step[both], 7)
    # 400 pictures: a share of one half has a standard error of 0.025
    assert read[mean, 64] > read[covariance, 64] + 0.25
    assert read[covariance, 64] > read[neither, 64] + 0.05
    assert read[both, 64] > read[covariance, 64] + 0.2


@pytest.mark.statement("C28")
def test_more_images_help_least_squares_a_good_deal_and_the_talks_decoder_little(digits):
    X, y = digits
    X = X[:, (X > 0).mean(axis=0) >= 0.01]  # pixels that show; on the others the talk's gain even rises
    order = np.random.default_rng(0).permutation(len(X))
    held, free = [], []
    for n in (2000, 4000, 8000):
        rows = order[:n]
        model = LinearGenerativeModel(PCA(64), MMLR(), StandardNormal(), standardize=True).fit(X[rows], y[rows])
        free.append(np.mean([np.sum(d.coef_**2) for d in model.decoders_.values()]))
        held.append(np.mean([np.sum(talk_decoder(c, 64).coef_ ** 2) for c in model.cross_moments_.values()]))
    assert held[2] < held[1] < held[0]
    assert free[2] < free[1] < free[0]
    assert free[0] / free[2] > 2 > held[0] / held[2]


@pytest.mark.statement("L15")
def test_rare_pixels_make_most_of_the_gain_of_class_decoders_on_digits_and_little_of_the_pictures(digits):
    X, y = digits
    often = (X > 0).mean(axis=0) >= 0.01
    noise_one = VariationalMMLR(noise="fixed", prior="fixed", noise_variance=1.0)
    gain = []
    for images in (X, X[:, often]):
        talk = LinearGenerativeModel(PCA(64), noise_one, StandardNormal(), standardize=True).fit(images, y)
        gain.append(np.mean([np.sum(part.coef_**2) for part in talk.decoders_.values()]))
    assert gain[1] < gain[0] / 3
    # In the unit of the pixels they hardly count: black them out in what was drawn.
    T = load_mnist("test")[0][:400].astype(np.float64)
    drawn = LinearGenerativeModel.from_talk(64).fit(X, y).sample(400, random_state=0)[0].clip(0, 1)
    assert abs(wasserstein1(np.where(often, drawn, 0), T) - wasserstein1(drawn, T)) < 2  # the step of Figure 5 is 12
    X, y = load_fashion_mnist("train")
    X, gain = X.astype(np.float64), []
    for images in (X, X[:, (X > 0).mean(axis=0) >= 0.01]):
        talk = LinearGenerativeModel(PCA(64), noise_one, StandardNormal(), standardize=True).fit(images, y)
        gain.append(np.mean([np.sum(part.coef_**2) for part in talk.decoders_.values()]))
    assert gain[1] > 0.7 * gain[0]  # not so on clothes


@pytest.mark.statement("L16")
def test_a_threshold_near_one_half_changes_both_columns_and_figure_5_is_there_without_it(digits):
    X, y = digits
    T = load_mnist("test")[0][:400].astype(np.float64)
    labels = np.random.default_rng(0).choice(y, 400)
    w1 = {}
    for k in (16, 64):
        drawn = LinearGenerativeModel.from_talk(k).fit(X, y).sample(400, labels, random_state=0)[0]
        gray, cut = drawn.clip(0, 1), (drawn > 0.5).astype(float)
        w1[k, "gray"], w1[k, "cut"] = wasserstein1(gray, T), wasserstein1(cut, T)
        assert variability(cut) > 1.3 * variability(gray)
        assert w1[k, "cut"] < w1[k, "gray"] - 5
    for how in ("gray", "cut"):
        assert w1[64, how] > w1[16, how] + 5
    real = X[:400]
    assert wasserstein1((real > 0.5).astype(float), T) > wasserstein1(real, T)
