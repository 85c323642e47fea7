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

U, V = np.full(16, 0.25), np.tile([1, 1, -1, -1], 4) / 4  # brightness, and left against right: unit vectors


def plane(n, seed=0):
    """Images of 4 x 4 pixels in a plane: two correlated Gaussian numbers each, and class 1 is brighter."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    a, b = rng.standard_normal((2, n))
    bright, left = np.where(y, 0.4, -0.4) + 0.4 * a, 0.25 * a + 0.25 * b
    return np.clip(0.5 + np.outer(bright, U) + np.outer(left, V), 0, 1).astype(np.float32), y


def small(**choices):
    return FlowMatching(**{"width": 8, "n_steps": 3, "n_epochs": 1, "random_state": 0} | choices)


@pytest.fixture(scope="module")
def fitted():
    return small().fit(*plane(40))


@pytest.fixture(scope="module")
def trained():
    return FlowMatching(width=16, n_steps=10, n_epochs=15, batch_size=50, random_state=0).fit(*plane(3000))


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
    noise = rng.standard_normal((200, 1, 4, 4)).reshape(200, -1)
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
    X, y = plane(3000)
    labels = np.resize([0, 1], 2000)
    drawn, _ = trained.sample(2000, labels, random_state=0)
    for label in (0, 1):
        mine, real = drawn[labels == label] @ np.c_[U, V], X[y == label] @ np.c_[U, V]
        # 1,000 draws tell a mean to 0.002 and a covariance to some 5 %; the rest is what so short a training leaves.
        assert_allclose(mine.mean(axis=0), real.mean(axis=0), atol=0.015)
        assert_allclose(np.cov(mine.T), np.cov(real.T), atol=0.25 * np.cov(real.T).max())
        assert np.corrcoef(mine.T)[0, 1] > 0.6  # 0.8 in truth
    assert np.abs(drawn @ (np.eye(16) - np.outer(U, U) - np.outer(V, V)) - 0.5 * (1 - U - V)).mean() < 0.01


def test_the_loss_falls_to_what_no_velocity_can_know(trained):
    """Of a gray pixel, x - noise is known from x_t at every t < 1; the two that vary leave a little."""
    assert trained.loss_trace_[-1] < 0.3 * trained.loss_trace_[0]
    assert np.nanmin(trained.validation_trace_) < 0.3 * 16  # noise alone has variance 1 a pixel


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
    assert (drawn.shape, drawn.dtype) == ((300, 16), np.float32)
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
