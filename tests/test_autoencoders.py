"""The linear autoencoder x -> W2 W1 (x - mu): definition D1, statements C3, C5, C6; ledger L1, L2.

The loss is written on the covariance C, L = tr (I - W2 W1) C (I - W2 W1)' + penalty (|W1|^2 + |W2|^2).
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from linvae import MMLR, PCA, LinearGenerativeModel
from linvae.datasets import load_mnist

D, K = 6, 2
LAMBDA = np.array([5.0, 3.0, 2.0, 1.0, 0.5, 0.2])
V = np.linalg.qr(np.random.default_rng(0).normal(size=(D, D)))[0]
C = V * LAMBDA @ V.T


def loss(w, C=C, penalty=0.0):
    W1, W2 = w[: K * D].reshape(K, D), w[K * D :].reshape(D, K)
    R = W2 @ W1 - np.eye(D)
    G = 2 * R @ C
    gradient = np.concatenate([(W2.T @ G + 2 * penalty * W1).ravel(), (G @ W1.T + 2 * penalty * W2).ravel()])
    return np.einsum("ij,jk,ik->", R, C, R) + penalty * w @ w, gradient


def train(seed, **options):
    start = np.random.default_rng(seed).normal(size=2 * K * D)
    result = minimize(loss, start, args=tuple(options.values()), jac=True, options={"gtol": 1e-9, "maxiter": 5_000})
    return result.x[: K * D].reshape(K, D), result.x[K * D :].reshape(D, K)


def pack(W1, W2):
    return np.concatenate([W1.ravel(), W2.ravel()])


@pytest.mark.statement("D1")
def test_an_autoencoder_is_two_functions_and_the_code_is_shorter_than_the_image():
    X = np.random.default_rng(0).normal(size=(50, D)) @ C
    model = LinearGenerativeModel(PCA(K), MMLR(), conditional="none").fit(X)
    Z = model.transform(X)
    assert Z.shape == (50, K)
    assert K < D
    assert_allclose(model.reconstruct(X), model.inverse_transform(Z), atol=0)


@pytest.mark.statement("C3")
@pytest.mark.parametrize("seed", range(5))
def test_a_trained_linear_autoencoder_is_pcas_projector(seed):
    W1, W2 = train(seed)
    assert_allclose(W2 @ W1, V[:, :K] @ V[:, :K].T, atol=1e-6)  # gradients of 1e-9 over a curvature of at least 1e-1


@pytest.mark.statement("C3")
def test_the_two_factors_are_free_up_to_an_invertible_map():
    G = np.array([[2.0, 1.0], [0.0, -3.0]])
    best = pack(V[:, :K].T, V[:, :K])
    turned = pack(np.linalg.inv(G) @ V[:, :K].T, V[:, :K] @ G)
    for w in (best, turned):
        value, gradient = loss(w)
        assert value == pytest.approx(LAMBDA[K:].sum(), rel=1e-12)
        assert_allclose(gradient, 0, atol=1e-12)


@pytest.mark.statement("C3")
@pytest.mark.parametrize("kept", [(0, 2), (1, 2), (3, 5), (4, 5)])
def test_every_other_choice_of_directions_is_a_saddle(kept):
    kept = list(kept)
    value, gradient = loss(pack(V[:, kept].T, V[:, kept]))
    assert_allclose(gradient, 0, atol=1e-12)  # a critical point
    missing = next(j for j in range(K) if j not in kept)
    turned = V[:, kept].copy()
    turned[:, -1] = np.cos(0.01) * turned[:, -1] + np.sin(0.01) * V[:, missing]  # lean the last one to a better one
    assert loss(pack(turned.T, turned))[0] < value - 1e-6
    longer = pack(1.01 * V[:, kept].T, V[:, kept])
    assert loss(longer)[0] > value + 1e-6  # and up another way: neither a minimum nor a maximum


@pytest.mark.statement("C3")
def test_where_the_covariance_is_singular_the_encoder_is_free_on_its_null_space():
    flat = np.append(LAMBDA[:-1], 0.0)
    singular = V * flat @ V.T
    W1 = V[:, :K].T + np.outer([1.0, -2.0], V[:, -1])  # adds a response to a direction no training image has
    assert loss(pack(W1, V[:, :K]), singular)[0] == pytest.approx(flat[K:].sum(), rel=1e-12)
    assert not np.allclose(V[:, :K] @ W1, V[:, :K] @ V[:, :K].T, atol=0.1)  # the map on other images differs


@pytest.mark.statement("C5")
def test_without_a_penalty_the_directions_are_not_identified():
    worst = 0.0
    for seed in range(5):
        _, W2 = train(seed)
        left = np.linalg.svd(W2, full_matrices=False)[0]
        assert_allclose(left @ left.T, V[:, :K] @ V[:, :K].T, atol=1e-6)  # the right plane ...
        worst = max(worst, np.abs(np.abs(V[:, :K].T @ left) - np.eye(K)).max())
    assert worst > 0.3  # ... but axes turned within it, against Plaut 2018's recipe


@pytest.mark.statement("C5", "C6")
@pytest.mark.parametrize("penalty", [0.1, 1.0, 4.0])
def test_under_an_l2_penalty_the_decoder_is_the_shrunk_principal_directions(penalty):
    shrink = np.clip(1 - penalty / LAMBDA[:K], 0, None)
    for seed in range(3):
        W1, W2 = train(seed, C=C, penalty=penalty)
        assert_allclose(W1, W2.T, atol=1e-5)
        assert_allclose(W2 @ W2.T, V[:, :K] * shrink @ V[:, :K].T, atol=1e-5)
        left, s, _ = np.linalg.svd(W2, full_matrices=False)
        alive = shrink > 0  # a direction with lambda_j below the penalty is switched off
        assert_allclose(np.abs(V[:, :K].T @ left)[:, alive], np.eye(K)[:, alive], atol=1e-4)
        assert_allclose(s, np.sqrt(shrink), atol=1e-4)


@pytest.mark.statement("L1")
def test_a_code_as_long_as_the_image_copies_and_a_code_of_rank_length_is_lossless_on_training_rows_only():
    identity = pack(np.eye(D)[:K], np.eye(D)[:, :K])
    assert loss(identity)[0] > 0.1  # p < n cannot copy
    X = np.random.default_rng(0).normal(size=(5, D))  # rank 4 once centred
    copy_longer = np.vstack([np.eye(D), np.zeros((1, D))])  # p = n + 1, "p differs from n", yet nothing is compressed
    assert_allclose(copy_longer.T @ copy_longer @ X.T, X.T)
    model = LinearGenerativeModel(PCA(), MMLR(), conditional="none").fit(X)
    assert model.transform(X).shape == (5, 4)
    assert_allclose(model.reconstruct(X), X, atol=1e-12)
    new = np.random.default_rng(1).normal(size=(5, D))
    assert np.abs(model.reconstruct(new) - new).max() > 0.1


@pytest.mark.statement("L2")
def test_the_rank_k_matrix_is_as_wide_as_the_images_and_the_code_is_not():
    X, _ = load_mnist("test")
    pca = PCA(16).fit(X)
    rank_k_matrix = pca.inverse_transform(pca.transform(X))
    assert rank_k_matrix.shape == X.shape == (2000, 784)
    assert pca.transform(X).shape == (2000, 16)
