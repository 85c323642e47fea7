"""Flow matching: the path from noise to image, known Gaussians, labels, seeds and bad input."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

torch = pytest.importorskip("torch")
pytest.importorskip("tqdm")

from linvae.flow import FlowMatching, UNet  # noqa: E402

SIDE = 8
U = np.full(SIDE**2, 1 / SIDE)  # brightness, and left against right: unit vectors
V = np.where(np.arange(SIDE**2) % SIDE < SIDE // 2, 1, -1) / SIDE


def plane(n, seed=0):
    """Images in a plane: two correlated Gaussian numbers each, and class 1 is brighter."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    a, b = rng.standard_normal((2, n))
    bright, left = np.where(y, 0.8, -0.8) + 0.8 * a, 0.5 * a + 0.5 * b
    return np.clip(0.5 + np.outer(bright, U) + np.outer(left, V), 0, 1).astype(np.float32), y


def small(**choices):
    return FlowMatching(**{"width": 8, "n_steps": 3, "n_epochs": 1, "random_state": 0} | choices)


@pytest.fixture(scope="module")
def fitted():
    return small().fit(*plane(40))


@pytest.fixture(scope="module")
def trained():
    sizes = {"width": 16, "n_steps": 10, "n_epochs": 30, "batch_size": 50, "learning_rate": 3e-3, "patience": 50}
    return FlowMatching(**sizes, random_state=0).fit(*plane(1000))


class Exact(torch.nn.Module):
    """The least-loss velocity for pixels N(m, s^2), each alone, m by class: found by regression of x - noise on x_t."""

    means, deviation = torch.tensor([-0.2, 0.3]), 0.2

    def forward(self, x, t, numbers):
        t, m = t[:, None, None, None], self.means[numbers][:, None, None, None]
        variance = (1 - t) ** 2 + (t * self.deviation) ** 2
        return m + (t * self.deviation**2 - (1 - t)) / variance * (x - t * m)


def test_midpoint_steps_along_the_known_velocity_carry_noise_to_the_known_gaussian(fitted):
    """On a line the flow keeps the order, so noise e ends at m + s e; midpoint errors fall by four as steps double."""
    model = clone(fitted).fit(*plane(40))
    model.network_ = Exact()
    labels = np.resize([0, 1], 200)
    rng = np.random.RandomState(3)
    noise = rng.standard_normal((200, 1, 8, 8)).reshape(200, -1)
    expected = np.clip((1 + np.array([-0.2, 0.3])[labels][:, None] + 0.2 * noise) / 2, 0, 1)
    errors = []
    for n_steps in (20, 40, 80):
        drawn, returned = model.set_params(n_steps=n_steps).sample(200, labels, np.random.RandomState(3))
        assert_array_equal(returned, labels)
        errors.append(np.abs(drawn - expected).max())
    assert errors[0] < 0.01
    assert errors[0] / errors[1] > 3
    assert errors[1] / errors[2] > 3


def test_a_trained_flow_draws_the_gaussian_of_each_class_that_it_was_trained_on(trained):
    """In the plane variances are 0.64 and 0.5, their covariance 0.4, and the means of brightness 1.6 apart.

    Draws of 1,000 tell means to 0.025 and variances to 5 %; so short a training (540 steps) leaves up to three times
    as much: 0.08 and 20 % were seen.
    """
    X, y = plane(2000, seed=1)
    labels = np.resize([0, 1], 2000)
    drawn, _ = trained.sample(2000, labels, random_state=0)
    for label in (0, 1):
        mine, real = ((part - 0.5) @ np.c_[U, V] for part in (drawn[labels == label], X[y == label]))
        assert_allclose(mine.mean(axis=0), real.mean(axis=0), atol=0.2)
        assert_allclose(np.cov(mine.T), np.cov(real.T), rtol=0.4)
    outside = (drawn - 0.5) @ (np.eye(SIDE**2) - np.outer(U, U) - np.outer(V, V))
    assert np.abs(outside).mean() < 0.03  # the deviation of a pixel in the plane is 0.13
    assert trained.validation_trace_.min() < 0.2 * SIDE**2  # v = 0 leaves the noise, of variance 1 a pixel


def test_one_seed_gives_one_model_and_leaves_torchs_state_alone(fitted):
    before = torch.get_rng_state()
    again, other = small().fit(*plane(40)), small(random_state=1).fit(*plane(40))
    assert torch.equal(torch.get_rng_state(), before)
    drawn = fitted.sample(5, 1, random_state=3)[0]
    assert_array_equal(again.sample(5, 1, random_state=3)[0], drawn)
    assert np.abs(other.sample(5, 1, random_state=3)[0] - drawn).max() > 1e-3
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).sample(5, 1, random_state=3)[0], drawn)
    assert not hasattr(clone(fitted), "network_")


def test_shapes_labels_and_types(fitted):
    drawn, labels = fitted.sample(300, random_state=0)  # more than are drawn at once
    assert (drawn.shape, drawn.dtype) == ((300, 64), np.float32)
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert set(labels.tolist()) == {0, 1}
    X, y = plane(40)
    named = small().fit(X, np.array(["bag", "boot"])[y])
    assert named.sample(2, "boot")[1].tolist() == ["boot", "boot"]
    assert named.sample(2, ["boot", "bag"])[1].tolist() == ["boot", "bag"]


def test_a_draw_does_not_depend_on_how_many_are_drawn_at_once(fitted, monkeypatch):
    drawn = fitted.sample(7, 1, random_state=0)[0]
    monkeypatch.setattr("linvae.flow.DRAWN_AT_ONCE", 3)
    assert_allclose(fitted.sample(7, 1, random_state=0)[0], drawn, atol=1e-5)  # float32, in other orders


def test_parameters_are_counted(fitted):
    assert fitted.n_parameters_ == sum(part.numel() for part in UNet(8, 2).parameters())
    assert fitted.n_iter_ == len(fitted.loss_trace_) == 1


def test_an_unfitted_flow_says_so():
    with pytest.raises(NotFittedError):
        small().sample(3)


X, Y = plane(40)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: small(width=12).fit(X, Y), "width=12.*multiple of 8"),
        (lambda: small(n_steps=0).fit(X, Y), "n_steps=0; give a whole number"),
        (lambda: small(n_epochs=0).fit(X, Y), "n_epochs=0"),
        (lambda: small(learning_rate="fast").fit(X, Y), "learning_rate='fast'; a step is"),
        (lambda: small(learning_rate=1e30).fit(X, Y), "overflowed"),
        (lambda: small().fit(X[:, :9], Y), "square images whose side 4 divides.*a row has 9 pixels"),
        (lambda: small().fit(X[:, :12], Y), "a row has 12 pixels; pad"),
        (lambda: small().fit(2 * X, Y), "needs? intensities in"),
        (lambda: small().fit(X * np.nan, Y), "NaN"),
        (lambda: small().fit(X, None), "requires y to be passed"),
        (lambda: small().fit(X, Y[:5]), "inconsistent numbers of samples"),
        (lambda: small().fit(np.ma.masked_array(X, X > 0.6), Y), "its mask would be lost"),
        (lambda: small().fit(X, Y).sample(0), "n_samples=0"),
        (lambda: small().fit(X, Y).sample(2, 5), "label 5 was not seen in fit"),
        (lambda: small().fit(X, Y).sample(3, [0, 1]), "give one label, or 3"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
