"""The chapter on scores: ledger L13, L17, L19."""

import numpy as np
import pytest
from comparing import pooled_costs

from linvae import MMLR, PCA, LinearGenerativeModel, Moments, StandardNormal, VariationalMMLR
from linvae.book import results
from linvae.datasets import load_mnist


@pytest.fixture(scope="module")
def digits():
    X, y = load_mnist("train")
    return X.astype(np.float64), y


@pytest.mark.statement("L13")
def test_reconstruction_by_pca_never_gets_worse_with_k_where_class_decoders_and_generation_do(digits):
    X, y = digits
    T, T_labels = load_mnist("test")
    T = T.astype(np.float64)
    model = LinearGenerativeModel(PCA(128), MMLR(), StandardNormal(), conditional="none").fit(X, y)
    assert (np.diff(model.reconstruction_error(T)) <= 1e-9).all()  # rounding: 1e-15 of a total of some 50, and more
    # The talk's class decoders on standardised pixels: better and better in training, and not on new digits.
    noise_one = VariationalMMLR(noise="fixed", prior="fixed", noise_variance=1.0)
    talk = LinearGenerativeModel(PCA(64), noise_one, StandardNormal(), standardize=True).fit(X, y)
    assert (np.diff(talk.reconstruction_error(X, y, (4, 8, 16, 32, 64))) < 0).all()
    new = talk.reconstruction_error(T, T_labels, (4, 16, 64))
    assert new[1] < new[0]
    assert new[2] > 5 * new[1]
    clipped = []
    for k in (16, 64):
        made = LinearGenerativeModel.from_talk(k).fit(X, y).reconstruct(T, T_labels).clip(0, 1)
        clipped.append(np.mean(np.sum((made - T) ** 2, axis=1)))
    assert clipped[1] < clipped[0]  # a few wild pixels
    # Generation: what C51 says of the pooled decoder on raw pixels.
    costs = pooled_costs(np.linalg.eigvalsh(Moments.of(X).covariance)[::-1].clip(0))
    best = int(np.argmin(costs))
    assert 16 < best < 64
    assert costs[128] > costs[16] > costs[best]


@pytest.mark.statement("L17")
@pytest.mark.parametrize("data", ["mnist", "fashion"])
def test_the_claim_to_be_comparable_carries_its_figures(data):
    mine, controls = results.finalists(data), results.controls(data)
    floor = results.floor(data).mean
    excess = {family: np.mean(f["w1"]) - floor for family, f in mine.items()}
    assert excess["the talk's recipe"] > np.mean(controls["class medians"]["w1"]) - floor
    assert excess["the talk's recipe"] > max(excess["VAE"], excess["CVAE"]) + 20  # ten spreads of training again
    # A distribution fitted in the same way: the networks' codes are worth more than PCA's.
    for latent in ("class Gaussian", "class mixture"):
        assert excess[f"VAE + {latent}"] < excess[f"class PCA + {latent}"]
        assert excess[f"autoencoder + {latent}"] < excess[f"class PCA + {latent}"]
    # The blind spot of C30: below the floor is no merit.
    assert np.mean(controls["cluster medians"]["w1"]) < floor
    assert min(f["forest_accuracy"] for f in mine.values()) > 0.6  # caught, each of them, the linked ones least
    assert controls["real"]["forest_accuracy"] < 0.55


@pytest.mark.statement("L19")
def test_parameters_are_fewer_with_16_codes_and_hardly_with_64(digits):
    X, y = digits
    d, h = 784, 400
    vae = (d + 1) * h + (h + 1) * 32 + 17 * h + (h + 1) * d  # with 16 codes
    count = {}
    for k in (16, 64):
        model = LinearGenerativeModel.from_talk(k).fit(X, y)
        parts = [part.coef_.size + part.intercept_.size for part in model.decoders_.values()]
        count[k] = model.encoder_.components_.size + model.encoder_.mean_.size + sum(parts) + 2 * d
        assert count[k] == k * d + d + 10 * d * (k + 1) + 2 * d
    assert count[16] < vae / 4
    assert 0.8 * vae < count[64] < vae < count[64] + 10 * d * 65  # the last with q's standard deviations
    assert count[16] - 17 * d < 17 * h + (h + 1) * d < count[64] - 65 * d  # to draw alone
    deep = pytest.importorskip("linvae.deep")
    if deep.torch is not None:
        assert deep.VAE(16, n_epochs=1).fit(X[:128]).n_parameters_ == vae
