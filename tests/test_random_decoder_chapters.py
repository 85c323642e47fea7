"""The chapters on the random decoder, beyond what their modules' tests hold.

Statements C17, C18, C20, C21, C23; ledger L7, L8, L15, L16, L20, L21.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from linvae import (
    MMLR,
    PCA,
    ClassGaussian,
    CrossMoments,
    LinearGenerativeModel,
    Moments,
    StandardNormal,
    VariationalMMLR,
)
from linvae.book.advi import advi
from linvae.datasets import load_fashion_mnist, load_mnist
from linvae.metrics import outside_span
from linvae.transport import wasserstein1
from linvae.variational import (
    CoefficientPosterior,
    Design,
    ascend,
    best_variances,
    diagonalising_basis,
    elbo,
    exact_posterior,
    log_evidence,
)


def labelled(n=300, d=12, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.choice([1, 4, 7], n, p=[0.5, 0.3, 0.2])
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 4 * rng.normal(size=(8, d))[y], y


@pytest.mark.statement("C17")
def test_the_noise_of_a_fresh_decoder_averages_to_the_two_traces():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 3)) + 0.5
    X = Z @ rng.normal(size=(3, 5)) + 0.5 * rng.normal(size=(40, 5))
    Phi = np.c_[Z, np.ones(40)]
    values = np.linalg.eigvalsh(Phi.T @ Phi)
    for family in ("full", "mean-field"):
        model = VariationalMMLR(family, "fixed", 0.3, prior="fixed", prior_variance=2.0).fit(Z, X)
        average = np.mean(np.sum(Phi @ model.coef_cov_ * Phi, axis=1))
        assert 0.9 * 0.3 * 4 / 40 < average < 0.3 * 4 / 40  # the prior takes off a few percent here
        if family == "full":
            assert average == pytest.approx(0.3 / 40 * np.sum(values / (values + 0.3 / 2.0)), rel=1e-10)
        normal = np.random.default_rng(1).standard_normal((200_000, 3))
        drawn = model.sample_y(normal, random_state=0, noise=False)[0]
        off = drawn - model.predict(normal)
        squares = np.mean(off**2, axis=1)
        error = squares.std() / np.sqrt(200_000)
        assert abs(squares.mean() - np.trace(model.coef_cov_)) < 5 * error
        expected = model.coef_ @ model.coef_.T + np.trace(model.coef_cov_) * np.eye(5)
        # 5 standard errors of a covariance of 200,000 near-Gaussian rows
        sizes = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / 200_000)
        assert (np.abs(np.cov(drawn.T) - expected) < 5 * sizes).all()


@pytest.mark.statement("C23")
def test_a_class_decoder_keeps_the_code_and_adds_a_guess_of_what_is_left_over():
    X, y = labelled()
    model = LinearGenerativeModel(PCA(4), MMLR()).fit(X, y)
    V, mu = model.encoder_.components_.T, model.encoder_.mean_
    new = np.random.default_rng(1).normal(size=(20, 4))
    Z = model.transform(X)
    R = X - mu - Z @ V.T
    for label in (1, 4, 7):
        drawn = model.inverse_transform(new, label)
        assert_allclose((drawn - mu) @ V, new, atol=1e-9)
        rows = y == label
        guess = MMLR().fit(Z[rows], R[rows]).predict(new)
        assert_allclose(drawn, mu + new @ V.T + guess, atol=1e-9)
        assert_allclose((model.decoders_[label].intercept_ - mu) @ V, 0, atol=1e-9)  # the intercept is all outside


@pytest.mark.statement("L8", "C18")
def test_averaging_collapses_while_the_class_stays_outside_with_nothing_random():
    X, y = labelled()
    pca = PCA(4).fit(X)
    V, zero = pca.components_, np.zeros(12)
    decoder = VariationalMMLR(noise="fixed", noise_variance=1.0, prior="fixed", prior_variance=1.0)
    pooled = clone(decoder).fit(pca.transform(X), X - pca.mean_)
    room = (12 - 4) * np.trace(pooled.coef_cov_[:4, :4])  # expected energy of one draw's B outside the span
    for n_draws in (1, 100, 10_000):
        drawn = [pooled.sample_average_coef(n_draws, seed)[0] for seed in range(200)]
        outside = [outside_span(B.T, V, zero) * np.sum(B**2) for B in drawn]
        assert abs(np.mean(outside) - room / n_draws) < 5 * np.std(outside) / np.sqrt(200)
    model = LinearGenerativeModel(PCA(4), decoder).fit(X, y)
    for coefficients in ("mean", 1, 5000):  # no fresh draw: one affine map, whatever its law was
        drawn, _ = model.set_params(coefficients=coefficients).sample(50, 7, random_state=0)
        assert np.linalg.matrix_rank(drawn - drawn.mean(axis=0), tol=1e-9 * np.linalg.norm(drawn)) == 4
    for label in (1, 4, 7):
        steady = outside_span(model.decoders_[label].coef_.T, V, zero)
        averaged = outside_span(model.decoders_[label].sample_average_coef(10_000, 0)[0].T, V, zero)
        assert steady > 1e-3
        assert averaged == pytest.approx(steady, rel=0.05)  # 1e-4 of one draw's spread is left


@pytest.mark.statement("C18")
@pytest.mark.parametrize("family", ["full", "mean-field"])
def test_the_squared_distance_and_not_the_distance_falls_like_one_over_the_draws(family):
    X, _ = labelled()
    Z = PCA(4).fit(X).transform(X)
    model = VariationalMMLR(family, "fixed", 1.0, prior="fixed", prior_variance=1.0).fit(Z, X)
    room = 12 * np.trace(model.coef_cov_)  # d tr S_B
    for n_draws in (1, 9, 100):
        squares = []
        for seed in range(200):
            B, b = model.sample_coef(n_draws, seed)  # real draws, averaged here
            squares.append(np.sum((B.mean(0) - model.coef_) ** 2) + np.sum((b.mean(0) - model.intercept_) ** 2))
        assert abs(np.mean(squares) - room / n_draws) < 5 * np.std(squares) / np.sqrt(200)  # 5 standard errors
        # The distance itself falls like 1 / sqrt(T): nowhere near sqrt(room) / T.
        assert np.mean(np.sqrt(squares)) == pytest.approx(np.sqrt(room / n_draws), rel=0.1)


def talk_and_one_map(X, y):
    """Return the talk's model, one decoder for all beside it, and what of images lies outside PCA's span, by pixel."""
    talk = LinearGenerativeModel.from_talk(16).fit(X, y)
    decoder = VariationalMMLR("mean-field", "fixed", 1.0, prior="fixed", prior_variance=1.0)
    pooled = LinearGenerativeModel(PCA(16), decoder, StandardNormal(), conditional="none", standardize=True).fit(X)
    V, mu = talk.encoder_.components_.T, talk.encoder_.mean_

    def outside(images):
        centred = (images - talk.pixel_mean_) / talk.pixel_scale_ - mu
        return (centred - centred @ V @ V.T) ** 2

    return talk, pooled, outside


@pytest.mark.statement("L8", "L16")
@pytest.mark.parametrize(("load", "gray", "cut"), [(load_mnist, 87, 97), (load_fashion_mnist, 194, 359)])
def test_in_gray_images_the_class_leaves_the_span_and_a_cut_takes_even_one_linear_map_out(load, gray, cut):
    """The talk's set-up at 16 codes: squared units outside the span of PCA, in standardised pixels, for an image."""
    X, y = load("train")
    talk, pooled, by_pixel = talk_and_one_map(X, y)

    def outside(images):
        return by_pixel(images).sum(axis=1).mean()

    by_class = talk.set_params(coefficients="mean").sample(1000, np.repeat(np.arange(10), 100), random_state=0)[0]
    by_one_map = pooled.sample(1000, random_state=0)[0]
    # In gray: the class, and nothing else. (C7: the pooled map is PCA's, the prior shrinks it within the span.)
    assert outside(by_class) == pytest.approx(gray, rel=0.05)  # 1,000 draws; seen over seeds: within 3 %
    assert outside(by_one_map) < 1e-9
    # Cut at one half: one linear map, the same for all digits and with nothing random in it, is further out.
    assert outside(by_one_map > 0.5) == pytest.approx(cut, rel=0.05)
    assert outside(by_one_map > 0.5) > outside(by_class)
    assert outside(by_class > 0.5) > 1.5 * outside(by_class)
    # And the cut decides: at seven tenths the one map stays nearer than the class does in gray, and the threshold of
    # the author's public code (darker than black becomes black, each picture stretched to its white) does little.
    assert 5 < outside(by_one_map > 0.7) < outside(by_class) / 3
    mild = [np.where(images < 0.004 / 255, 0, images) for images in (by_one_map, by_class)]
    one_map, classes = (outside(images / images.max(axis=1, keepdims=True)) for images in mild)
    assert 1 < one_map < classes / 5


@pytest.fixture(scope="module")
def digits_of_16_codes():
    """Images, labels and codes of the training digits, and of the test digits."""
    X, y = load_mnist("train")
    X_test, y_test = load_mnist("test")
    pca = PCA(16).fit(X)
    return (X, y, pca.transform(X).astype(float)), (X_test, y_test, pca.transform(X_test).astype(float))


def share_inside(model, digits, n):
    """Return how many new pixels lie in the intervals of 95 % of a decoder fitted to n images of one class."""
    (X, y, Z), (X_test, y_test, Z_test) = digits
    shares = []
    for digit in (0, 3, 6, 9):
        rows, new = np.flatnonzero(y == digit)[:n], y_test == digit
        mean, std = model.fit(Z[rows], X[rows]).predict(Z_test[new], return_std=True)
        inked = np.ptp(X[rows], axis=0) > 0
        shares.append((np.abs(X_test[new] - mean) < 1.96 * std)[:, inked].mean())
    return np.mean(shares)


@pytest.mark.statement("C20")
def test_with_few_images_a_class_mean_field_intervals_miss_new_pixels_that_exact_ones_hold(digits_of_16_codes):
    found = {}
    for n in (20, None):  # images a class: hardly more than codes, or hundreds
        for family in ("full", "mean-field"):
            model = VariationalMMLR(family, prior="fixed", prior_variance=1.0)
            found[n, family] = share_inside(model, digits_of_16_codes, n)
    assert found[20, "full"] > found[20, "mean-field"] + 0.15  # seen: 0.81 and 0.59 where 0.95 was promised
    assert abs(found[None, "full"] - found[None, "mean-field"]) < 0.005


@pytest.mark.parametrize("max_iter", [1, 1000])
@pytest.mark.parametrize("noise", ["isotropic", "per-pixel"])
@pytest.mark.parametrize("prior", ["fixed", "ard"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # one iteration is one
def test_the_posterior_belongs_to_the_final_noise_and_prior(noise, prior, max_iter):
    X, _ = labelled(n=25)
    Z = PCA(3).fit(X).transform(X)
    model = VariationalMMLR(noise=noise, prior=prior, max_iter=max_iter).fit(Z, X)
    Phi = np.c_[Z, np.ones(25)]
    precision = np.append(model.prior_precision_, 0.0)[:4]  # a flat intercept has precision 0
    for pixel in range(12):
        # With noise per pixel a learned prior is in units of that noise.
        own = precision / (model.noise_variance_[pixel] if (noise, prior) == ("per-pixel", "ard") else 1)
        S = np.linalg.inv(Phi.T @ Phi / model.noise_variance_[pixel] + np.diag(own))
        mean = S @ Phi.T @ X[:, pixel] / model.noise_variance_[pixel]
        assert_allclose(np.append(model.coef_[pixel], model.intercept_[pixel]), mean, rtol=1e-7, atol=1e-9)
        if noise == "isotropic":
            assert_allclose(model.coef_cov_, S, rtol=1e-7, atol=1e-12)
        else:
            T, v = model.coef_cov_
            assert_allclose(T * v[pixel] @ T.T, S, rtol=1e-7, atol=1e-12)


def slow_evidence(Phi, X, noise, precision):
    """Return ln p(X), pixel by pixel, from the covariance of its rows: no posterior and no bound.

    Precisions are (c,), or (d, c) if each pixel has its own.
    """
    own = np.broadcast_to(precision, (X.shape[1], Phi.shape[1]))
    return sum(
        multivariate_normal(np.zeros(len(X)), Phi / a @ Phi.T + s2 * np.eye(len(X))).logpdf(x)
        for x, s2, a in zip(X.T, noise, own, strict=True)
    )


@pytest.mark.statement("C21")
@pytest.mark.parametrize("basis", ["own", "diagonalising"])
def test_after_every_block_the_elbo_has_not_fallen_and_is_below_the_evidence_of_that_moment(basis):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(15, 3)) @ rng.normal(size=(3, 3)) + 1
    X = Z @ rng.normal(size=(3, 4)) + 0.5 * rng.normal(size=(15, 4))
    Phi = np.c_[Z, np.ones(15)]
    design = Design.of(CrossMoments.of(Z, X))
    noise, precision = np.full(4, 3.0), np.full(4, 0.1)
    q = CoefficientPosterior(rng.normal(size=(4, 4)), np.eye(4), np.ones((4, 4)))
    last, evidences = -np.inf, []

    def look(q, noise, precision):
        nonlocal last
        bound, evidence = elbo(q, design, noise, precision), slow_evidence(Phi, X, noise, precision)
        assert bound >= last - 1e-9 * abs(last)  # rounding
        assert bound <= evidence + 1e-9 * abs(evidence)
        last = bound
        evidences.append(evidence)

    for _ in range(30):
        if basis == "diagonalising":  # the coordinates follow the prior's precisions
            T = diagonalising_basis(design.gram, precision)[0]
            q = CoefficientPosterior(q.mean, T, best_variances(design, T, noise, precision))
        q = ascend(q, design, noise, precision)
        look(q, noise, precision)
        if basis == "diagonalising":  # one sweep is exact
            assert last == pytest.approx(evidences[-1], rel=1e-10)
        covariances = [q.covariance(pixel) for pixel in range(4)]
        spread = np.array([np.trace(Phi.T @ Phi @ S) for S in covariances])
        noise = (np.sum((X - Phi @ q.mean) ** 2, axis=0) + spread) / 15
        look(q, noise, precision)
        precision = 4 / (np.sum(q.mean**2, axis=1) + sum(np.diag(S) for S in covariances))
        look(q, noise, precision)
    # At the final hyper-parameters' evidence alone the sentence says less: the evidence of earlier moments was lower.
    assert evidences[0] < last < evidences[-1] + 1e-9 * abs(last)


@pytest.mark.statement("C21")
@pytest.mark.parametrize("prior", ["fixed", "ard"])
@pytest.mark.parametrize("noise", ["fixed", "isotropic", "per-pixel"])
@pytest.mark.parametrize("family", ["full", "mean-field"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # cut short on purpose
def test_after_each_iteration_of_the_estimator_the_elbo_is_at_most_the_evidence(family, noise, prior):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(15, 3)) @ rng.normal(size=(3, 3)) + 1
    X = Z @ rng.normal(size=(3, 4)) + 0.5 * rng.normal(size=(15, 4))
    last = -np.inf
    for max_iter in (1, 2, 3, 5, 10, 50):
        options = {"prior": prior, "prior_variance": 2.0, "max_iter": max_iter, "fit_intercept": False}
        model = VariationalMMLR(family, noise, **options).fit(Z, X)
        precision = model.prior_precision_
        if (noise, prior) == ("per-pixel", "ard"):  # in units of each pixel's noise
            precision = precision / model.noise_variance_[:, None]
        evidence = slow_evidence(Z, X, model.noise_variance_, precision)
        assert model.log_evidence_ == pytest.approx(evidence, rel=1e-9)
        assert model.elbo_ <= evidence + 1e-9 * abs(evidence)
        assert model.elbo_ >= last - 1e-9 * abs(last)
        if family == "full":
            assert model.elbo_ == pytest.approx(evidence, rel=1e-9)
        last = model.elbo_


@pytest.mark.statement("C21")
@pytest.mark.parametrize("noise", ["isotropic", "per-pixel"])
def test_the_learned_noise_is_where_the_evidence_is_highest(noise):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(15, 3)) @ rng.normal(size=(3, 3)) + 1
    X = Z @ rng.normal(size=(3, 4)) + 0.5 * rng.normal(size=(15, 4))
    options = {"prior": "fixed", "prior_variance": 2.0, "fit_intercept": False, "tol": 1e-14, "max_iter": 10_000}
    model = VariationalMMLR("full", noise, **options).fit(Z, X)
    best = slow_evidence(Z, X, model.noise_variance_, model.prior_precision_)
    blocks = np.eye(4) if noise == "per-pixel" else np.ones((1, 4))
    for block in blocks:
        for step in (0.5, 0.99, 1.01, 2.0):  # a divisor of n - 1 is 7 % off
            assert slow_evidence(Z, X, model.noise_variance_ * step**block, model.prior_precision_) < best


@pytest.mark.statement("L20")
def test_a_decoder_is_a_function_of_the_code_and_not_of_the_image():
    X, _ = labelled()
    encoder = PCA(4).fit(X)
    Z = encoder.transform(X)
    decoder = MMLR().fit(Z, X)
    # The slide's right-hand side, Z theta, fits the code alone; an image in its place has the wrong length.
    assert decoder.coef_.shape == (12, 4)
    with pytest.raises(ValueError, match="12 features"):
        decoder.predict(X)
    # Two images with one code are decoded to one image, so Z theta is no function that could tell them apart.
    twin = X + np.random.default_rng(0).normal(size=X.shape) @ (
        np.eye(12) - encoder.components_.T @ encoder.components_
    )
    assert np.abs(twin - X).max() > 1
    assert_allclose(decoder.predict(encoder.transform(twin)), decoder.predict(Z), atol=1e-10)
    # Read as a function of X it would be the whole autoencoder, and composing with the encoder once more is idle.
    autoencoder = LinearGenerativeModel(PCA(4), MMLR(), conditional="none").fit(X)
    assert_allclose(autoencoder.reconstruct(X), decoder.predict(Z), atol=1e-10)
    assert_allclose(autoencoder.reconstruct(autoencoder.reconstruct(X)), decoder.predict(Z), atol=1e-9)


@pytest.mark.statement("L21")
def test_the_bounds_divergence_is_between_coefficients_and_the_wasserstein_distance_between_images():
    X, y = labelled()
    options = {"noise": "fixed", "noise_variance": 1.0, "prior": "fixed", "prior_variance": 1.0}
    models = {}
    for family in ("full", "mean-field"):
        for latent in (ClassGaussian(), StandardNormal()):
            model = LinearGenerativeModel(PCA(4), VariationalMMLR(family, **options), latent)
            models[family, type(latent).__name__] = model.fit(X, y)
    kl = {key: m.decoders_[7].log_evidence_ - m.decoders_[7].elbo_ for key, m in models.items()}
    drawn = {key: m.sample(500, 7, random_state=0)[0] for key, m in models.items()}
    real = X[y == 7]
    w1 = {key: wasserstein1(images, real) for key, images in drawn.items()}
    # Two spaces: 12 x 5 coefficients against 12 pixels.
    B, b = models["full", "ClassGaussian"].decoders_[7].sample_coef(500, 0)
    coefficients = np.concatenate([B, b[:, :, None]], axis=2).reshape(500, -1)
    assert coefficients.shape[1] == 60
    with pytest.raises(ValueError, match="60"):
        wasserstein1(coefficients, real)
    # The divergence is zero for the exact q, whatever the images are drawn from; their distance is not the same.
    for latent in ("ClassGaussian", "StandardNormal"):
        assert abs(kl["full", latent]) < 1e-6
        assert kl["mean-field", latent] > 1
        # And where the divergence differs, the images drawn by the mean decoder do not.
        assert w1["mean-field", latent] == pytest.approx(w1["full", latent], rel=1e-6)
    assert w1["full", "StandardNormal"] > 1.5 * w1["full", "ClassGaussian"]


@pytest.mark.statement("L15")
def test_a_noise_of_one_is_above_what_the_digits_leave_over_and_rare_pixels_are_blown_up():
    X, y = load_mnist("train")
    digits = Moments.by_class(X, y)
    pooled = Moments.pool(digits)
    spread = np.sqrt(np.diag(pooled.covariance))
    scale = np.where(spread > 0, spread, 1.0)
    scaled = {label: m.standardized(pooled.mean, scale) for label, m in digits.items()}
    for moments, most in ((digits, 0.05), (scaled, 1.0)):  # seen: at most 0.028 raw, 0.69 standardised
        pca = PCA(16).fit_moments(moments)
        for m in moments.values():
            cross = CrossMoments.from_affine(m, pca.components_, -pca.components_ @ pca.mean_)
            plain = MMLR().fit_moments(cross)
            left = cross.mean_squared_distance(plain.coef_, plain.intercept_) / 784
            assert left < most
            prior = {"prior": "fixed", "prior_variance": 1.0}
            fixed, learned = VariationalMMLR(noise="fixed", noise_variance=1.0, **prior), VariationalMMLR(**prior)
            assert learned.fit_moments(cross).noise_variance_[0] == pytest.approx(left, rel=0.1)
            assert np.trace(fixed.fit_moments(cross).coef_cov_) > np.trace(learned.coef_cov_)
    inked = (X > 0).mean(axis=0)
    rare = (inked > 0) & (inked < 0.01)
    assert np.sum(spread[rare] ** 2) / np.sum(spread**2) < 0.01
    assert rare.sum() / (inked > 0).sum() > 0.2  # of the variance once each pixel has variance 1
    assert np.abs((X - pooled.mean) / scale).max() > 50


@pytest.mark.statement("L7")
def test_bayes_rule_returns_one_evidence_at_whatever_coefficients_one_tries_and_mean_field_stays_below_it():
    """The talk's own problem for the digit 6: ln p(X) = ln p(X | beta) + ln p(beta) - ln p(beta | X) for every beta."""
    model = LinearGenerativeModel.from_talk(16).fit(*load_mnist("train"))
    cross = model.cross_moments_[6]
    design = Design.of(cross)
    (c, d), n = design.cross.shape, design.n
    noise, precision = np.ones(d), np.ones(c)
    q = exact_posterior(design, noise, precision)
    S = q.covariance()
    squares = cross.sxx_diag + n * cross.mean_x**2
    evidences = []
    for beta in np.random.default_rng(0).normal(size=(5, c, d)):
        residuals = squares + np.sum(beta * (design.gram @ beta - 2 * design.cross), axis=0)
        likelihood = -0.5 * (n * d * np.log(2 * np.pi) + residuals.sum())
        prior = -0.5 * (c * d * np.log(2 * np.pi) + np.sum(beta**2))
        posterior = multivariate_normal(np.zeros(c), S).logpdf((beta - q.mean).T).sum()
        evidences.append(likelihood + prior - posterior)
    # Terms of about 1e9 nats cancel: their rounding, a few 1e-16 of them summed over 784 pixels, is below 1e-4 nats.
    assert np.ptp(evidences) < 1e-4
    closed = log_evidence(design, noise, precision)
    assert evidences[0] == pytest.approx(closed, abs=1e-4)
    full = VariationalMMLR(noise="fixed", noise_variance=1.0, prior="fixed", prior_variance=1.0).fit_moments(cross)
    assert full.elbo_ == pytest.approx(closed, rel=1e-9)
    mean_field = model.decoders_[6]
    assert elbo(mean_field.posterior_, design, noise, precision) < closed - 1000  # nats; seen: 7,000
    too_sure = np.sqrt(np.diag(mean_field.coef_cov_) / np.diag(S))
    assert np.median(too_sure) < 0.7  # seen: about a half


def test_the_kept_runs_of_advi_climb_the_chapters_own_elbo_and_end_below_its_top():
    model = LinearGenerativeModel.from_talk(16).fit(*load_mnist("train"))
    six, kept = model.decoders_[6], advi()
    assert kept["closed_form"]["mean-field"]["elbo"] == pytest.approx(six.elbo_, rel=1e-9)
    assert kept["log_evidence"] == pytest.approx(six.log_evidence_, rel=1e-9)
    assert kept["coefficients"] == six.coef_.size + six.intercept_.size
    for run in kept["advi"]["adadelta"], kept["advi"]["adam"]:
        assert six.elbo_ - run["elbo"] == pytest.approx(run["gap_to_mean_field"], abs=1e-3)  # nats, of some 1e6
        assert run["gap_to_mean_field"] > 0


def test_a_prior_of_variance_one_depends_on_the_unit_and_the_learned_one_does_not():
    z = np.array([1.17, 2.97, 3.26, 4.69, 5.83, 6.0, 6.41])[:, None]
    x = np.array([78.93, 58.2, 67.47, 37.47, 45.65, 32.92, 29.97])
    slopes = {
        prior: [unit * VariationalMMLR(prior=prior).fit(z, x / unit).coef_.item() for unit in (0.1, 1, 100)]
        for prior in ("fixed", "learned")
    }
    assert np.ptp(slopes["learned"]) < 1e-6
    assert slopes["fixed"][1] > 0 > slopes["fixed"][2]  # the sign turns; least squares has -9.0
    centred = VariationalMMLR("mean-field").fit(z, x)  # about the mean code one code has nothing to be correlated with
    assert centred.elbo_ == pytest.approx(centred.log_evidence_, rel=1e-12)


@pytest.mark.parametrize("prior", [{"prior": "learned"}, {"prior": "fixed", "prior_variance": 0.03}])
def test_a_narrower_prior_takes_the_harm_from_mean_field_where_images_are_few(prior, digits_of_16_codes):
    found = {
        family: share_inside(VariationalMMLR(family, **prior), digits_of_16_codes, 20)
        for family in ("full", "mean-field")
    }
    # seen: 0.82 and 0.84, 0.83 and 0.86; 0.81 and 0.59 at variance 1
    assert abs(found["full"] - found["mean-field"]) < 0.05


@pytest.mark.parametrize("n", [20, 700])
def test_intervals_hold_what_they_promise_once_each_pixel_has_its_own_noise(n, digits_of_16_codes):
    # seen: 0.95 to 0.96 where 0.95 was promised; with one noise for all pixels 0.82 to 0.88
    assert share_inside(VariationalMMLR(noise="per-pixel"), digits_of_16_codes, n) == pytest.approx(0.95, abs=0.02)
    assert share_inside(VariationalMMLR(), digits_of_16_codes, n) < 0.9


def test_with_few_codes_the_label_saves_clearly_more_than_groups_of_like_codes():
    X, y = load_digits(return_X_y=True)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(X))
        rows, new = order[:1200], order[1200:]
        one = LinearGenerativeModel(PCA(4), MMLR(), conditional="none").fit(X[rows])
        alike = KMeans(10, n_init=1, random_state=seed).fit(one.transform(X[rows]))
        groups = {"class": (y[rows], y[new]), "alike": (alike.labels_, alike.predict(one.transform(X[new])))}
        left = np.sum((one.reconstruct(X[new]) - X[new]) ** 2)
        saved = {}
        for name, (known, asked) in groups.items():
            model = LinearGenerativeModel(PCA(4), MMLR()).fit(X[rows], known)
            saved[name] = 1 - np.sum((model.reconstruct(X[new], asked) - X[new]) ** 2) / left
        assert saved["class"] > 1.3 * saved["alike"] > 0.2  # seen: 0.39 and 0.26, within 0.01


def test_exact_snow_is_too_little_where_sixes_vary_and_too_much_in_the_border(digits_of_16_codes):
    (X, y, Z), (X_test, y_test, Z_test) = digits_of_16_codes
    rows, new = np.flatnonzero(y == 6)[:20], y_test == 6
    left = VariationalMMLR().fit(Z[y == 6], X[y == 6]).noise_variance_[0]
    varies = np.ptp(X[rows], axis=0) > 0

    def errors_and_promises(family, noise):
        model = VariationalMMLR(family, "fixed", noise, prior="fixed").fit(Z[rows], X[rows])
        mean, std = model.predict(Z_test[new], return_std=True)
        squares, promised = (X_test[new] - mean) ** 2, std**2
        return [np.mean(squares[:, some]) / np.mean(promised[:, some]) for some in (varies, ~varies)]

    exact, border = errors_and_promises("full", left)
    mean_field, _ = errors_and_promises("mean-field", left)
    assert border < 0.1  # seen: 0.01
    assert 1.3 < exact < mean_field / 4  # seen: 1.6 and 9.4
    assert errors_and_promises("full", 2 * left)[0] < 1  # seen: 0.8


def test_centred_codes_alone_do_not_help_mean_field_under_the_wide_prior(digits_of_16_codes):
    """So what helps in the learned prior is its width, and not that codes are centred with it."""
    (X, y, Z), (X_test, y_test, Z_test) = digits_of_16_codes
    model, shares = VariationalMMLR("mean-field", prior="fixed"), {"as they are": [], "centred": []}
    for digit in (0, 3, 6, 9):
        rows, new = np.flatnonzero(y == digit)[:20], y_test == digit
        inked = np.ptp(X[rows], axis=0) > 0
        for name, shift in (("as they are", 0.0), ("centred", Z[rows].mean(axis=0))):
            mean, std = model.fit(Z[rows] - shift, X[rows]).predict(Z_test[new] - shift, return_std=True)
            shares[name].append((np.abs(X_test[new] - mean) < 1.96 * std)[:, inked].mean())
    assert np.mean(shares["centred"]) < np.mean(shares["as they are"]) + 0.02  # seen: 0.58 and 0.59


def test_two_cuts_take_the_class_down_and_one_at_seven_tenths_leaves_one_map_black():
    X, y = load_mnist("train")
    talk, pooled, outside = talk_and_one_map(X, y)
    by_class = talk.set_params(coefficients="mean").sample(1000, np.repeat(np.arange(10), 100), random_state=0)[0]
    gray = outside(by_class)
    below = by_class < 0
    assert 0.3 < gray[below].sum() / gray.sum() < 0.45  # seen: 0.37, on 9 % of the pixels
    mild = np.where(by_class < 0.004 / 255, 0, by_class)
    for cut in (mild / mild.max(axis=1, keepdims=True), by_class > 0.7):
        assert outside(cut).sum() < 0.9 * gray.sum()  # seen: 0.78 and 0.73
    assert np.mean(by_class > 0.7) < 0.2 * np.mean(X > 0.7)  # seen: 1.4 % and 11 %
    assert np.mean(pooled.sample(1000, random_state=0)[0].max(axis=1) < 0.7) > 0.7  # seen: 0.85
