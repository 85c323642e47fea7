"""The linear autoencoder x -> W2 W1 (x - mu): definition D1, statements C3, C5, C6; ledger L1, L2.

The loss is written on the covariance C, L = tr (I - W2 W1) C (I - W2 W1)' + penalty (|W1|^2 + |W2|^2).
"""

from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import null_space
from scipy.optimize import minimize

from linvae import LDA, MMLR, PCA, PPCA, LinearGenerativeModel
from linvae.datasets import load_mnist

D, K = 6, 2
LAMBDA = np.array([5.0, 3.0, 2.0, 1.0, 0.5, 0.2])
V = np.linalg.qr(np.random.default_rng(0).normal(size=(D, D)))[0]
C = V * LAMBDA @ V.T


def unpack(w):
    k = len(w) // (2 * D)
    return w[: k * D].reshape(k, D), w[k * D :].reshape(D, k)


def loss(w, C=C, penalty=0.0):
    W1, W2 = unpack(w)
    R = W2 @ W1 - np.eye(D)
    G = 2 * R @ C
    gradient = np.concatenate([(W2.T @ G + 2 * penalty * W1).ravel(), (G @ W1.T + 2 * penalty * W2).ravel()])
    return np.einsum("ij,jk,ik->", R, C, R) + penalty * w @ w, gradient


def train(seed, k=K, C=C, penalty=0.0):
    start = np.random.default_rng(seed).normal(size=2 * k * D)
    return unpack(minimize(loss, start, (C, penalty), jac=True, options={"gtol": 1e-9, "maxiter": 5_000}).x)


def pack(W1, W2):
    return np.concatenate([W1.ravel(), W2.ravel()])


@pytest.mark.statement("D1")
@pytest.mark.parametrize("encoder", [PCA(K), PPCA(K), LDA(K)], ids=lambda encoder: type(encoder).__name__)
def test_an_autoencoder_is_two_functions_and_the_code_is_shorter_than_the_image(encoder):
    X = np.random.default_rng(0).normal(size=(60, D)) @ C
    model = LinearGenerativeModel(encoder, MMLR(), conditional="none").fit(X, np.arange(60) % 3)
    Z = model.transform(X)
    assert Z.shape == (60, K)
    assert Z.shape[1] < X.shape[1]
    assert_allclose(model.reconstruct(X), model.inverse_transform(Z), atol=0)
    # Functions of one image: its neighbours in the batch do not matter.
    assert_allclose(model.reconstruct(X[7:8]), model.reconstruct(X)[7:8], rtol=1e-12)
    # And the decoder sees the code alone: what the encoder does not tell it, it cannot redraw.
    unseen = null_space(model.encoder_.components_)[:, 0]
    assert_allclose(model.reconstruct(X + 5 * unseen), model.reconstruct(X), atol=1e-10)


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
    worst = np.zeros(2)
    for seed in range(5):
        W1, W2 = train(seed)
        for i, left in enumerate((np.linalg.svd(W2, full_matrices=False)[0], np.linalg.svd(W1.T, False)[0])):
            assert_allclose(left @ left.T, V[:, :K] @ V[:, :K].T, atol=1e-6)  # the right plane ...
            worst[i] = max(worst[i], np.abs(np.abs(V[:, :K].T @ left) - np.eye(K)).max())
    assert (worst > 0.3).all()  # ... but axes turned within it, against Plaut 2018's recipe


@pytest.mark.statement("C5")
def test_a_single_direction_is_identified_and_its_length_is_not():
    lengths = []
    for seed in range(5):
        W1, W2 = train(seed, k=1)
        lengths.append(np.linalg.norm(W2))
        assert_allclose(np.abs(V[:, :1].T @ W2), [[lengths[-1]]], rtol=1e-9)  # v_1, up to its sign
        assert_allclose(W1, W2.T / lengths[-1] ** 2, atol=1e-5)
    assert np.ptp(lengths) > 0.3


SPECTRA = {
    "distinct": LAMBDA,
    "tie among those kept": [3.0, 3.0, 2.0, 1.0, 0.5, 0.2],
    "tie at the edge": [5.0, 2.0, 2.0, 2.0, 0.5, 0.2],
    "singular": [5.0, 3.0, 2.0, 0.0, 0.0, 0.0],
    "rank below k": [5.0, 0.0, 0.0, 0.0, 0.0, 0.0],
}


@pytest.mark.statement("C5", "C6")
@pytest.mark.parametrize("penalty", [0.1, 1.0, 4.0])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_under_an_l2_penalty_the_decoder_is_the_shrunk_principal_directions(spectrum, penalty):
    values = np.array(SPECTRA[spectrum])
    C, top = V * values @ V.T, values[:K]
    shrink = np.where(top > penalty, 1 - penalty / np.maximum(top, penalty), 0.0)  # off below the penalty
    least = values.sum() - np.sum(top * shrink**2)
    for seed in range(3):
        W1, W2 = train(seed, C=C, penalty=penalty)
        assert loss(pack(W1, W2), C, penalty)[0] == pytest.approx(least, rel=1e-9)
        assert_allclose(W1, W2.T, atol=1e-5)  # whatever the ranks and ties
        left, s, _ = np.linalg.svd(W2, full_matrices=False)
        assert_allclose(s, np.sqrt(shrink), atol=1e-4)
        assert_allclose(C @ left * s, left * s * top, atol=1e-3)  # eigenvectors of C, from the largest down
        if spectrum != "tie at the edge" or penalty > 2:  # else any directions of the tie will do
            assert_allclose(W2 @ W2.T, V[:, :K] * shrink @ V[:, :K].T, atol=1e-5)
        if spectrum != "tie among those kept":  # there only their plane is told
            alive = shrink > 0
            alive[1:] &= spectrum != "tie at the edge"
            assert_allclose(np.abs(V[:, :K].T @ left)[:, alive], np.eye(K)[:, alive], atol=1e-4)


@pytest.mark.statement("C6")
def test_no_weights_far_or_near_have_a_smaller_penalised_loss():
    rng = np.random.default_rng(0)
    shrink = 1 - 1.0 / LAMBDA[:K]
    W2 = V[:, :K] * np.sqrt(shrink)
    best = pack(W2.T, W2)
    least = loss(best, penalty=1.0)[0]
    for size in (1e-3, 0.1, 1.0, 10.0):
        for other in size * rng.normal(size=(500, best.size)):
            assert loss(best + other, penalty=1.0)[0] > least
            assert loss(other, penalty=1.0)[0] > least
    for kept in combinations(range(D), K):  # the other eigenvectors, each with its own best length
        kept = list(kept)
        W2 = V[:, kept] * np.sqrt(np.clip(1 - 1.0 / LAMBDA[kept], 0, None))
        assert loss(pack(W2.T, W2), penalty=1.0)[0] > least or kept == [0, 1]


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
