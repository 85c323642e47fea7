"""The deep rivals: the loss by hand, distributions of the code, labels, seeds, bad input, and words without torch.

scikit-learn's `parametrize_with_checks` does not apply: its data lie outside [0, 1], which these models refuse.
"""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from linvae import ClassGaussian, ClassMixture, StandardNormal
from linvae.datasets import load_mnist

torch = pytest.importorskip("torch")
pytest.importorskip("tqdm")

from linvae._training import TrainedByAdam  # noqa: E402
from linvae.deep import CVAE, VAE, Autoencoder, cross_entropy, kl_to_standard_normal  # noqa: E402

MODELS = [VAE, CVAE, Autoencoder]
each_model = pytest.mark.parametrize("Model", MODELS, ids=lambda Model: Model.__name__)


@pytest.fixture(scope="module")
def digits():
    X, y = load_mnist()
    return X[:2000], y[:2000]


@pytest.fixture(scope="module")
def trained(digits):
    # Two codes: with more of them a CVAE needs many more steps before it leaves the class to the label.
    sizes = {"n_components": 2, "hidden": 100, "n_epochs": 10, "batch_size": 50, "learning_rate": 3e-3}
    sizes |= {"patience": None}
    return {Model: Model(**sizes, random_state=0).fit(*digits) for Model in MODELS}


def rows(n=60, d=12, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(size=(n, d)).astype(np.float32), rng.choice([1, 4, 7], n, p=[0.5, 0.3, 0.2])


def small(Model=VAE, **choices):
    return Model(**{"n_components": 3, "hidden": 5, "n_epochs": 2, "batch_size": 25, "random_state": 0} | choices)


def weights(model):
    return [part.detach().numpy() for net in (model.encoder_, model.decoder_) for part in net.parameters()]


def global_states():
    return torch.get_rng_state(), np.random.get_state()[1], torch.get_num_threads()  # noqa: NPY002


def by_hand(net, inputs):
    """A network in NumPy: linear, ReLU, linear."""
    V, v, W, w = (part.detach().numpy().astype(float) for part in net.parameters())
    return np.maximum(inputs @ V.T + v, 0) @ W.T + w


def entropy(x, v):
    """Cross-entropy of each row from its definition, for 0 < v < 1."""
    return -np.sum(x * np.log(v) + (1 - x) * np.log(1 - v), axis=1)


def test_the_divergence_is_the_closed_form_and_torchs():
    assert kl_to_standard_normal(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2)).item() == 0.5
    assert kl_to_standard_normal(torch.zeros(1, 1), torch.ones(1, 1)).item() == pytest.approx((np.e - 2) / 2)
    mean, log_variance = torch.randn(2, 50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    q, p = torch.distributions.Normal(mean, (log_variance / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    slow = torch.distributions.kl_divergence(q, p).sum(dim=1)
    assert_allclose(kl_to_standard_normal(mean, log_variance), slow, rtol=1e-12)  # rounding of float64


def test_the_cross_entropy_is_its_definition_and_a_perfect_image_leaves_the_entropy():
    x = torch.rand(50, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits = 3 * torch.randn(50, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert_allclose(cross_entropy(logits, x), entropy(x.numpy(), logits.sigmoid().numpy()), rtol=1e-12)
    assert (cross_entropy(x.logit(), x) <= cross_entropy(logits, x)).all()
    assert (cross_entropy(x.logit(), x) > 0).all()
    assert cross_entropy(torch.tensor([[200.0, -200.0]]), torch.tensor([[0.0, 1.0]])).item() == 400  # no overflow


@pytest.mark.parametrize("beta", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("Model", [VAE, CVAE], ids=lambda Model: Model.__name__)
def test_the_loss_is_the_one_recomputed_in_numpy(Model, beta):
    X, y = rows()
    model = small(Model, beta=beta).fit(X, y)
    hot = np.eye(3)[np.searchsorted([1, 4, 7], y)][:, : 3 if Model is CVAE else 0]
    loss = model._loss(
        (model.encoder_, model.decoder_),
        torch.tensor(X),
        torch.tensor(hot, dtype=torch.float32),
        torch.Generator().manual_seed(5),
    )
    noise = torch.randn(60, 3, generator=torch.Generator().manual_seed(5)).numpy()
    mean, log_variance = np.split(by_hand(model.encoder_, np.c_[X, hot]), 2, axis=1)
    logits = by_hand(model.decoder_, np.c_[mean + np.exp(log_variance / 2) * noise, hot])
    divergence = 0.5 * np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance, axis=1)
    expected = np.mean(entropy(X, 1 / (1 + np.exp(-logits))) + beta * divergence)
    assert loss.item() == pytest.approx(expected, rel=1e-5)  # sums in float32
    assert_allclose(model.transform(X, y), mean, atol=1e-5)


def test_the_trace_is_the_mean_over_images_whatever_the_batches():
    X, y = rows()
    still = small(Autoencoder, learning_rate=1e-12, batch_size=25, patience=None).fit(
        X, y
    )  # the last batch has 10 rows
    assert_allclose(still.loss_trace_, entropy(X, still.reconstruct(X)).mean(), rtol=1e-5)  # sums in float32


@each_model
def test_the_loss_falls_below_that_of_the_mean_digit(Model, trained, digits):
    X, _ = digits
    trace = trained[Model].loss_trace_
    blind = entropy(X, np.clip(X.mean(axis=0), 1e-6, 1 - 1e-6)).mean()  # all that an empty code can say
    assert trace.shape == (10,)
    assert (np.diff(trace) < 0).all()
    assert trace[-1] < 0.85 * blind  # an untrained or blind network stays at or above 1


def test_a_told_label_is_the_one_drawn(trained, digits):
    X, y = digits
    means = np.array([X[y == label].mean(axis=0) for label in range(10)])
    labels = np.repeat(np.arange(10), 50)
    drawn, returned = trained[CVAE].sample(500, labels, random_state=0)
    nearest = np.square(drawn[:, None] - means).sum(axis=2).argmin(axis=1)
    assert_array_equal(returned, labels)
    assert (nearest == labels).mean() > 0.7  # chance is 0.1, and the real digits themselves reach 0.83
    a, b = (trained[CVAE].inverse_transform(np.zeros((1, 2)), label)[0] for label in (0, 1))
    assert np.linalg.norm(a - means[0]) < np.linalg.norm(a - means[1])
    assert np.linalg.norm(b - means[1]) < np.linalg.norm(b - means[0])


def test_an_autoencoder_draws_from_the_gaussian_of_each_classs_codes(trained, digits):
    X, y = digits
    model = trained[Autoencoder]
    Z = model.transform(X)
    assert isinstance(model.latent_, ClassGaussian)
    assert_allclose(model.latent_.means_[3], Z[y == 3].mean(axis=0), atol=1e-4)  # float32 codes
    assert_allclose(model.latent_.covariances_[3], np.cov(Z[y == 3].T, bias=True), rtol=1e-3, atol=1e-3)
    labels = np.arange(20) % 10
    drawn, _ = model.sample(20, labels, random_state=0)
    assert_array_equal(drawn, model.inverse_transform(model.latent_.sample(20, labels, random_state=0)))


@pytest.mark.parametrize("latent", [StandardNormal(), ClassMixture(2)])
def test_a_distribution_that_needs_no_labels_lets_the_autoencoder_do_without(latent):
    X, y = rows()
    drawn, labels = small(Autoencoder, latent=latent).fit(X).sample(7, random_state=0)
    assert drawn.shape == (7, 12)
    assert labels is None
    models = [small(Autoencoder, latent=latent).fit(X, y) for _ in range(2)]
    (drawn, labels), (again, _) = (model.sample(7, 4, random_state=0) for model in models)
    assert_array_equal(drawn, again)  # the distribution is seeded too
    assert labels.tolist() == [4] * 7


def test_a_vae_draws_from_the_prior_and_ignores_labels():
    X, y = rows()
    model = small().fit(X, y)
    assert all(map(np.array_equal, weights(model), weights(small().fit(X))))
    drawn, labels = model.sample(5, 4, random_state=0)
    assert labels is None
    assert_array_equal(drawn, model.inverse_transform(np.random.RandomState(0).standard_normal((5, 3))))


@pytest.mark.parametrize("Model", [CVAE, Autoencoder])
def test_labels_are_drawn_by_their_frequencies_or_as_told(Model):
    X, y = rows()
    model = small(Model).fit(X, y)
    _, labels = model.sample(10_000, random_state=0)
    for label in (1, 4, 7):
        share = (y == label).mean()
        assert abs((labels == label).mean() - share) < 5 * np.sqrt(share / 10_000)  # 5 standard errors
    assert model.sample(3, [7, 1, 4])[1].tolist() == [7, 1, 4]
    named = small(Model).fit(X, np.array(["bag", "boot"])[np.arange(60) % 2])
    assert named.sample(2, "boot")[1].tolist() == ["boot", "boot"]


@each_model
def test_one_seed_gives_one_model_and_leaves_all_global_states_alone(Model):
    X, y = rows()
    before = global_states()
    a, b, other = (small(Model, random_state=seed).fit(X, y) for seed in (0, 0, 1))
    assert_array_equal(a.sample(9, random_state=3)[0], b.sample(9, random_state=3)[0])
    for now, then in zip(global_states(), before, strict=True):
        assert_array_equal(now, then)
    assert all(map(np.array_equal, weights(a), weights(b)))
    assert_array_equal(a.loss_trace_, b.loss_trace_)
    assert not np.array_equal(weights(a)[0], weights(other)[0])


@pytest.mark.parametrize(
    ("Model", "count"),
    [
        (Autoencoder, (784 + 1) * 400 + (400 + 1) * 16 + (16 + 1) * 400 + (400 + 1) * 784),
        (VAE, (784 + 1) * 400 + (400 + 1) * 32 + (16 + 1) * 400 + (400 + 1) * 784),
        (CVAE, (784 + 10 + 1) * 400 + (400 + 1) * 32 + (16 + 10 + 1) * 400 + (400 + 1) * 784),
    ],
)
def test_the_default_networks_have_the_parameters_counted_by_hand(Model, count, digits):
    X, y = digits
    model = Model(n_epochs=1).fit(X[:200], y[:200])
    assert model.n_parameters_ == count == sum(part.size for part in weights(model))


def test_first_weights_follow_torchs_usual_distribution():
    torch_weights = torch.nn.Linear(784, 400).weight
    ours = weights(small(Autoencoder, hidden=400, learning_rate=1e-12).fit(*rows(d=784)))[0]
    assert np.abs(ours).max() <= 1 / 28 + 1e-6  # 1 / sqrt(784), rounded in float32
    assert ours.std() == pytest.approx(torch_weights.std().item(), rel=0.02)  # 20 standard errors of 313,600 draws


@each_model
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_float32_come_out(Model, dtype):
    X, y = rows()
    X = X.astype(dtype)
    X.flags.writeable = False
    model = small(Model).fit(X, y)
    Z, images, (drawn, _) = model.transform(X, y), model.reconstruct(X, y), model.sample(4, random_state=0)
    path = model.interpolate(Z[0], Z[1], 5, y=4, path="great-circle")
    assert (Z.shape, images.shape, drawn.shape, path.shape) == ((60, 3), (60, 12), (4, 12), (5, 12))
    assert {part.dtype for part in (Z, images, drawn, path)} == {np.dtype(np.float32)}
    assert all(part.min() >= 0 and part.max() <= 1 for part in (images, drawn, path))
    assert_allclose(path[[0, -1]], model.inverse_transform(Z[:2], 4), atol=1e-6)  # float32
    assert_array_equal(Z, small(Model).fit_transform(X, y))
    assert model.get_feature_names_out().tolist() == [f"{Model.__name__.lower()}{i}" for i in range(3)]


@each_model
def test_a_model_is_cloned_and_pickled_as_scikit_learn_expects(Model):
    X, y = rows()
    model = small(Model).fit(X, y)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "encoder_")
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.sample(5, random_state=0)[0], model.sample(5, random_state=0)[0])


def test_progress_is_shown_only_when_asked_for(capfd):
    small().fit(rows()[0])
    assert capfd.readouterr() == ("", "")
    small(verbose=True).fit(rows()[0])
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "VAE: 100%" in shown.err
    assert "loss=" in shown.err
    assert "held_out=" in shown.err


@each_model
def test_an_unfitted_model_says_so(Model):
    with pytest.raises(NotFittedError):
        small(Model).sample(3)


@each_model
def test_a_generator_is_a_seed_and_is_moved_on(Model):
    X, y = rows()
    rng = np.random.default_rng(0)
    first, second = (small(Model, random_state=rng).fit(X, y) for _ in range(2))
    again = small(Model, random_state=np.random.default_rng(0)).fit(X, y)
    assert not np.array_equal(weights(first)[0], weights(second)[0])
    assert_array_equal(weights(first)[0], weights(again)[0])
    rng = np.random.default_rng(1)
    drawn, more = (first.sample(4, 1, rng)[0] for _ in range(2))
    assert not np.array_equal(drawn, more)
    assert_array_equal(drawn, first.sample(4, 1, np.random.default_rng(1))[0])


@each_model
def test_masked_images_codes_and_labels_are_refused(Model):
    X, y = rows()
    model, hidden = small(Model).fit(X, y), np.ma.masked_array(X, mask=X > 0.9)
    codes = np.ma.masked_array(np.zeros((2, 3)), mask=np.eye(2, 3))
    for call in (
        lambda: small(Model).fit(hidden, y),
        lambda: model.transform(hidden, y),
        lambda: model.inverse_transform(codes, 1),
        lambda: model.interpolate(codes[0], [1, 1, 1], 3, 1),
        lambda: model.interpolate([1, 1, 1], codes[0], 3, 1),
    ):
        with pytest.raises(ValueError, match="is a MaskedArray, and its mask would be lost"):
            call()
    if Model is not VAE:  # which reads no labels
        with pytest.raises(ValueError, match="y is a MaskedArray"):
            small(Model).fit(X, np.ma.masked_array(y, mask=y > 1))


X, Y = rows()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: small(n_components=0).fit(X), "n_components=0; give a whole number"),
        (lambda: small(hidden=0).fit(X), "hidden=0"),
        (lambda: small(n_epochs=0).fit(X), "n_epochs=0"),
        (lambda: small(batch_size=2.5).fit(X), r"batch_size=2\.5"),
        (lambda: small(learning_rate=0).fit(X), "learning_rate=0; a step is a finite number above 0"),
        (lambda: small(patience=0).fit(X), "patience=0; give a whole number"),
        (lambda: small(validation_fraction=0).fit(X), "validation_fraction=0; the share of images held out"),
        (lambda: small(validation_fraction=1.0).fit(X), "holds out 60 of 60 images; leave some on both sides, or set"),
        (lambda: small().fit(X[:2]), "holds out 0 of 2 images.*patience=None"),
        (lambda: small(architecture="deep").fit(X), "architecture='deep'; choose one of 'dense', 'convolutional'"),
        (lambda: small(architecture="convolutional").fit(X), "square images whose side 4 divides.*a row has 12 pixels"),
        (lambda: small(beta=-1).fit(X), "beta=-1; the weight"),
        (lambda: small(learning_rate=1e30).fit(X), r"overflowed in epoch 1; lower learning_rate=1e\+30"),
        (lambda: small().fit(np.full((9, 12), 255, np.uint8)), r"bytes \(uint8\).*divide by 255"),
        (lambda: small().fit(255 * X), r"X holds 25\d\.\d+, but networks need intensities in \[0, 1\]"),
        (lambda: small(CVAE).fit(X - 0.5, Y), r"X holds -0\.\d+, but"),
        (lambda: small().fit(X).transform(X - 0.5), r"X holds -0\.\d+, but"),
        (lambda: small().fit(X * np.nan), "NaN"),
        (lambda: small(CVAE).fit(X), "requires y to be passed.*CVAE needs the class of each row: give labels, or"),
        (lambda: small(Autoencoder).fit(X), "requires y to be passed.*Autoencoder needs"),
        (lambda: small(CVAE).fit(X, X[:, 0]), "Unknown label type"),
        (lambda: small(CVAE).fit(X, Y[:5]), "inconsistent numbers of samples"),
        (lambda: small(CVAE).fit(X, Y).transform(X), r"y is None.*one of the classes \[1, 4, 7\]"),
        (lambda: small(CVAE).fit(X, Y).reconstruct(X, 3), "label 3 was not seen in fit; the classes are"),
        (lambda: small(CVAE).fit(X, Y).sample(5, [1, 4]), r"y has shape \(2,\); give one label, or 5"),
        (lambda: small(Autoencoder).fit(X, Y).sample(5, "four"), "label 'four' was not seen"),
        (lambda: small().fit(X).sample(0), "n_samples=0"),
        (lambda: small().fit(X).transform(X[:, :5]), "5 features"),
        (lambda: small().fit(X).inverse_transform(np.zeros((1, 4))), "Z has 4 codes a row"),
        (lambda: small().fit(X).interpolate([0] * 3, [1] * 3, path="curved"), "path='curved'"),
        (lambda: small().fit(X).interpolate([0] * 3, [1] * 3, n_steps=1), "n_steps=1"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


class Climber(TrainedByAdam):
    """One weight, which every step moves up by learning_rate; the loss held out is least at 3."""

    def __init__(self, patience=2, n_epochs=20, validation_fraction=0.25):
        self.patience, self.n_epochs, self.validation_fraction = patience, n_epochs, validation_fraction
        self.batch_size, self.learning_rate, self.verbose = 100, 1.0, False

    def fit(self, averaged=False):
        self.stepped, self.held, self.noise = set(), set(), set()

        def loss(network, rows, generator):
            training = torch.is_grad_enabled()
            (self.stepped if training else self.held).update(rows.tolist())
            if training:
                return -network.weight.sum()
            self.noise.add(torch.rand((), generator=generator).item())
            return ((network.weight - 3) ** 2).sum()

        network = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(network.weight)
        self.weight = self._train(network, loss, 40, np.random.RandomState(0), averaged).weight.item()
        return self


def test_training_stops_when_the_held_out_loss_rests_and_keeps_the_weights_of_its_least():
    model = Climber(patience=2).fit()
    assert model.n_iter_ == 5  # after passes at 4 and 5, two without a lower loss
    assert model.weight == pytest.approx(3, abs=1e-4)  # Adam divides by |gradient| + 1e-8
    assert_allclose(model.validation_trace_, [4, 1, 0, 1, 4], atol=1e-3)
    assert model.loss_trace_.shape == (5,)
    assert Climber(patience=4).fit().n_iter_ == 7
    assert Climber(patience=2, n_epochs=2).fit().weight == pytest.approx(2, abs=1e-4)  # the cap


def test_images_held_out_make_no_step_and_meet_the_same_noise_after_every_pass():
    model = Climber().fit()
    assert len(model.held) == 10
    assert model.stepped == set(range(40)) - model.held
    assert len(model.noise) == 1


def test_without_patience_all_images_make_steps_and_all_passes_are_made():
    model = Climber(patience=None, n_epochs=6).fit()
    assert model.stepped == set(range(40))
    assert model.weight == pytest.approx(6, abs=1e-4)
    assert np.isnan(model.validation_trace_).all()
    assert model.n_iter_ == len(model.loss_trace_) == 6


def test_averaged_weights_are_a_running_mean_of_the_weights():
    mean = 1.0  # after the first of five steps, which move by 1
    for n in range(1, 5):
        mean += (n + 1 - mean) / (n / 10 + 1)
    assert Climber(patience=None, n_epochs=5).fit(averaged=True).weight == pytest.approx(mean, abs=1e-4)


def test_images_that_are_learnt_by_heart_stop_the_training_early():
    X, y = rows(60)
    model = small(Autoencoder, hidden=50, n_epochs=400, learning_rate=1e-2, patience=3).fit(X, y)
    assert model.n_iter_ < 400
    assert np.argmin(model.validation_trace_) == model.n_iter_ - 4


def test_a_cvae_may_have_a_distribution_fitted_to_the_codes_of_each_class():
    X, y = rows()
    plain, fitted = small(CVAE).fit(X, y), small(CVAE, latent=ClassGaussian()).fit(X, y)
    assert isinstance(plain.latent_, StandardNormal)
    assert all(map(np.array_equal, weights(plain), weights(fitted)))
    expected = ClassGaussian().fit(fitted.transform(X, y), y)
    assert_array_equal(fitted.latent_.means_[7], expected.means_[7])
    labels = np.resize([1, 4, 7], 9)
    drawn, _ = fitted.sample(9, labels, random_state=0)
    assert_array_equal(drawn, fitted.inverse_transform(expected.sample(9, labels, random_state=0), labels))


@pytest.mark.parametrize(
    ("Model", "extra"), [(Autoencoder, 0), (VAE, 3 * 6), (CVAE, 3 * 6 + 3 * 5 + 3 * 5)], ids=["AE", "VAE", "CVAE"]
)
def test_convolutional_networks_have_the_parameters_counted_by_hand_and_the_same_interface(Model, extra):
    X, y = rows(d=64)
    model = small(Model, architecture="convolutional").fit(X, y)
    down = (16 * 16 + 16) + (16 * 16 * 32 + 32) + (32 * 4 + 1) * 5 + (5 + 1) * 3
    up = (3 + 1) * 5 + (5 + 1) * 32 * 4 + (32 * 16 * 16 + 16) + (16 * 16 + 1)
    assert model.n_parameters_ == down + up + extra == sum(part.size for part in weights(model))
    Z, (drawn, _) = model.transform(X, y), model.sample(4, random_state=0)
    assert (Z.shape, Z.dtype, drawn.shape, drawn.dtype) == ((60, 3), np.float32, (4, 64), np.float32)
    again = pickle.loads(pickle.dumps(small(Model, architecture="convolutional").fit(X, y)))
    assert_array_equal(again.sample(4, random_state=0)[0], drawn)
    if Model is CVAE:
        assert np.abs(model.inverse_transform(Z, 1) - model.inverse_transform(Z, 4)).max() > 1e-4
        assert np.abs(model.transform(X, 1) - model.transform(X, 4)).max() > 1e-4


def test_convolutions_do_to_a_moved_stroke_what_they_did_where_it_was():
    X, y = rows(d=32 * 32)
    convolutions = small(Autoencoder, architecture="convolutional").fit(X, y).encoder_[0].network[:-1]
    image = np.zeros((2, 32, 32), np.float32)
    image[0, 14, 10] = image[1, 14, 14] = 1  # two layers of stride 2: four pixels are one place
    with torch.inference_mode():
        here, there = convolutions(torch.tensor(image.reshape(2, -1))).numpy()
    assert_allclose(here[:, 1:-1, 1:-2], there[:, 1:-1, 2:-1], atol=1e-6)  # float32; the frame is seen at the rim
    assert np.abs(here - there).max() > 1e-3


def test_without_torch_linvae_works_and_a_deep_fit_names_the_command():
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'")
sys.meta_path.insert(0, Absent())
import linvae  # would fail if it imported torch
from linvae.deep import VAE
try:
    VAE().fit([[0.0, 1.0]])
except ModuleNotFoundError as error:
    print(error)
from linvae.flow import FlowMatching
try:
    FlowMatching().fit([[0.0] * 16] * 2, [0, 1])
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'VAE needs torch and tqdm: python -m pip install "linvae[deep]"' in done.stdout
    assert "FlowMatching needs torch and tqdm" in done.stdout
    assert "CPU build" in done.stdout


def test_a_vae_may_have_a_distribution_fitted_to_its_codes():
    X, y = (part[:300] for part in load_mnist())
    plain = VAE(3, hidden=30, n_epochs=2, random_state=0).fit(X)
    fitted = VAE(3, hidden=30, n_epochs=2, latent=ClassGaussian(), random_state=0).fit(X, y)
    assert_array_equal(plain.transform(X), fitted.transform(X))  # the networks see no labels
    expected = ClassGaussian().fit(fitted.transform(X), y)
    assert_array_equal(fitted.latent_.means_[7], expected.means_[7])
    images, labels = fitted.sample(5, 7, random_state=0)
    assert images.shape == (5, 784)
    assert labels.tolist() == [7] * 5
    with pytest.raises(ValueError, match="requires y to be passed"):
        VAE(3, latent=ClassGaussian()).fit(X)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda X, m: m.inverse_transform([[1e39, 0.0]]), r"Z holds 1e\+39, too large for float32"),
        (lambda X, m: VAE(2, hidden=5, n_epochs=1, batch_size=300, learning_rate=1e38).fit(X), "overflowed"),
        (lambda X, m: VAE(2, beta=np.inf).fit(X), "beta=inf"),
        (lambda X, m: m.transform(np.where(X.max() == X, 1 + 1e-9, X.astype(float))), "X holds 1.000000001"),
    ],
)
def test_what_overflows_is_named(call, words):
    X = load_mnist()[0][:300]
    with pytest.raises(ValueError, match=words):
        call(X, VAE(2, hidden=5, n_epochs=1, random_state=0).fit(X))
