"""The deep rivals: an encoder, a decoder and a distribution of the code, as the linear model has; each map a network.

    loss(x) = cross-entropy(x, x_hat(z)) + beta KL(N(m(x), diag s(x)^2) | N(0, I)),    z = m(x) + s(x) noise

`linvae.flow` holds the rival without a code.  Needs the extra `linvae[deep]`; `import linvae` leaves torch alone.
Chapter: *scores*.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from ._checks import (
    Array,
    check_choice,
    check_codes,
    check_count,
    check_images,
    check_labelled_images,
    check_random_state,
    group_rows,
    known_rows,
    repeat_label,
)
from ._training import Module, Tensor, TrainedByAdam, check_intensities, first_weights, side_of, torch
from .latent import ClassGaussian, StandardNormal, drawn_labels, path_between
from .moments import Moments


def cross_entropy(logits: Tensor, x: Tensor) -> Tensor:
    """Return -sum_p [x_p ln v_p + (1 - x_p) ln(1 - v_p)], v = sigmoid(logits), of each row: (n,), in nats.

    Pixels are intensities in [0, 1], as is common practice, and not bits.  So this is no likelihood of the gray image
    (Loaiza-Ganem and Cunningham 2019): it is the mean of -ln p over images of bits drawn with chances x.  A perfect
    v = x leaves the entropy of those bits, not 0.
    """
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=1)


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, diag exp log_variance) | N(0, I)) of each row: (n,), in nats (Kingma and Welling 2014)."""
    return 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(dim=1)


class _DeepGenerativeModel(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TrainedByAdam):
    """Share all but the loss and the distribution of the code.

    The networks are d-hidden-k and k-hidden-d, ReLU inside, a sigmoid at the end; "convolutional" puts two layers of
    convolutions before the one and after the other.
    """

    _conditional = False  # a one-hot label beside the input of both networks
    _outputs_per_code = 1
    classes_: list[Hashable]

    def _loss(self, networks: Any, x: Tensor, labels: Tensor, generator: Any) -> Tensor:
        raise NotImplementedError

    def _distribution(self) -> Any:
        raise NotImplementedError

    def _takes_labels(self) -> bool:
        return self._conditional

    def _needs_labels(self) -> bool:
        return self._conditional or isinstance(self._distribution(), ClassGaussian)

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Any:
        """Train by Adam on images X (n, d) of intensities in [0, 1] and, where they are used, labels y (n,).

        The same `random_state` gives the same weights on one machine; torch's own random state is left alone.

        Raises
        ------
        ModuleNotFoundError
            Without torch, naming the command that installs it.
        ValueError
            If a size is below 1, a pixel is outside [0, 1], labels are missing, or the loss overflows.
        """
        k, hidden = (check_count(name, getattr(self, name)) for name in ("n_components", "hidden"))
        build = {"dense": _dense, "convolutional": _convolutional}[
            check_choice("architecture", self.architecture, ("dense", "convolutional"))
        ]
        self._check_torch()
        images, y = self._read(X, y)
        n, d = images.shape
        rng = check_random_state(self.random_state)
        x, labels = torch.tensor(images), self._one_hot(y, n)
        networks = first_weights(lambda: build(d, labels.shape[1], hidden, k, self._outputs_per_code), rng)
        self.n_parameters_ = sum(part.numel() for part in networks.parameters())
        self._n_features_out = k

        def loss(networks: Any, rows: Tensor, generator: Any) -> Tensor:
            return self._loss(networks, x[rows], labels[rows], generator)

        self.encoder_, self.decoder_ = self._train(networks, loss, n, rng)
        self._fit_distribution(self._encode(images, labels), y, rng)
        return self

    def _read(self, X: ArrayLike, y: Any) -> tuple[Array, Any]:
        """Learn width and labels; return the images and the labels, None where they are not used."""
        if y is None and self._needs_labels():
            raise ValueError(
                f"requires y to be passed, but the target y is None; {type(self).__name__} needs the class of each "
                "row: give labels, or take what asks for none, VAE() or Autoencoder(latent=ClassMixture())"
            )
        if y is None or not self._takes_labels():
            images = check_intensities(check_images(self, X))
            self.classes_, self.class_counts_ = [None], [len(images)]
            return images, None
        images, y = check_labelled_images(self, X, y)
        images = check_intensities(images)
        self.classes_, rows = group_rows(y, len(images))
        self.class_counts_ = [len(part) for part in rows]
        return images, y

    def _fit_distribution(self, codes: Array, y: Any, rng: np.random.RandomState) -> None:
        latent = clone(self._distribution())
        if "random_state" in latent.get_params() and latent.random_state is None:
            latent.set_params(random_state=rng.randint(2**31 - 1))
        pooled = y is None and hasattr(latent, "fit_moments")
        self.latent_ = latent.fit_moments({None: Moments.of(codes)}) if pooled else latent.fit(codes, y)

    def _one_hot(self, y: Any, n: int) -> Tensor:
        """Return the labels as networks take them: (n, classes), or (n, 0) for networks that are not told."""
        if not self._conditional:
            return torch.zeros(n, 0)
        hot = np.zeros((n, len(self.classes_)), np.float32)
        for label, rows in known_rows(repeat_label(y, n), self.classes_).items():
            hot[rows, self.classes_.index(label)] = 1
        return torch.from_numpy(hot)

    def _encode(self, images: Array, labels: Tensor) -> Array:
        parts = _join(torch.tensor(images), labels).split(1000)  # convolutions need many times the memory of an image
        with torch.inference_mode():
            codes = torch.cat([self.encoder_(part)[:, : self._n_features_out] for part in parts])
        return codes.numpy().copy()

    def fit_transform(self, X: ArrayLike, y: Any = None) -> Array:
        """Fit, and return the codes (n, k) of the same images."""
        return self.fit(X, y).transform(X, y)

    def transform(self, X: ArrayLike, y: Any = None) -> Array:
        """Return the codes (n, k) of images X (n, d), float32; for a VAE the mean m(x), with no noise."""
        check_is_fitted(self)
        images = check_intensities(check_images(self, X, reset=False))
        return self._encode(images, self._one_hot(y, len(images)))

    def inverse_transform(self, Z: ArrayLike, y: Any = None) -> Array:
        """Return the mean images (n, d) of codes Z (n, k), float32 in [0, 1]; y is used by `CVAE` alone."""
        check_is_fitted(self)
        codes = check_codes(Z, self._n_features_out)
        if np.abs(codes).max(initial=0) > np.finfo(np.float32).max:
            raise ValueError(f"Z holds {np.abs(codes).max():.4g}, too large for float32; give smaller codes")
        codes = codes.astype(np.float32)
        parts = _join(torch.from_numpy(codes), self._one_hot(y, len(codes))).split(1000)
        with torch.inference_mode():
            return torch.cat([self.decoder_(part).sigmoid_() for part in parts]).numpy()

    def reconstruct(self, X: ArrayLike, y: Any = None) -> Array:
        """Return the images (n, d) after one trip through code and back."""
        return self.inverse_transform(self.transform(X, y), y)

    def sample(self, n_samples: int = 1, y: Any = None, random_state: Any = None) -> tuple[Array, Any]:
        """Draw n_samples images: a label, a code from its distribution, the mean image of that code (no pixel noise).

        Parameters
        ----------
        n_samples : int
        y : label, array (n_samples,) or None
            None draws labels by their frequencies in training; a model fitted without labels ignores y.
        random_state : int, RandomState, Generator or None

        Returns
        -------
        X : array (n_samples, d), float32 in [0, 1]
        y : array (n_samples,), or None for a model fitted without labels
        """
        check_is_fitted(self)
        rng, n = check_random_state(random_state), check_count("n_samples", n_samples)
        labels = drawn_labels(y, n, self.classes_, self.class_counts_, rng)
        images = self.inverse_transform(self.latent_.sample(n, labels, rng), labels)
        return images, None if self.classes_ == [None] else labels

    def interpolate(
        self, a: ArrayLike, b: ArrayLike, n_steps: int = 10, y: Any = None, path: str = "straight"
    ) -> Array:
        """Decode n_steps points of a path from code a (k,) to code b (k,), ends included: (n_steps, d).

        `path` is "straight" or "great-circle"; y is the label that `CVAE` draws by.
        """
        check_is_fitted(self)
        start, end = (check_codes(np.atleast_2d(code), self._n_features_out)[0] for code in (a, b))
        return self.inverse_transform(path_between(start, end, n_steps, path), y)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        tags.target_tags.required = self._needs_labels()
        return tags


class VAE(_DeepGenerativeModel):
    """The variational autoencoder of Kingma and Welling 2014: z | x ~ N(m(x), diag s(x)^2), z ~ N(0, I).

    The loss is cross-entropy summed over the d pixels plus beta times the KL divergence, averaged over the images of a
    batch, with one draw of z for each: nats an image.  At beta = 1 it is an upper bound on the mean of -ln p over the
    images of bits that `cross_entropy` speaks of.  Labels are ignored, unless `latent` asks for them.

    Parameters
    ----------
    n_components : int
        k, the codes.
    hidden : int
        Units of the one hidden layer of each network.
    architecture : "dense" or "convolutional"
        The second puts two convolutions (16 and 32 channels, stride 2) between image and hidden layer, in both
        networks; the images are then square, of a side that four divides.
    n_epochs, batch_size : int
        Most passes over the rows, and rows a step; the last batch of a pass may be smaller.
    learning_rate : float
        Of Adam (Kingma and Ba 2015).
    patience : int or None
        Stop after so many passes without a new least loss of the images held out, and keep the weights of that least
        loss.  None holds none out and makes all n_epochs passes.
    validation_fraction : float
        Share of the images that make no step and only tell when to stop; the distribution of the code sees them.
    beta : float
        Weight of the KL divergence, 0 or more (Higgins et al. 2017); 1 is the VAE.
    latent : distribution or None
        None means StandardNormal(), the VAE's own.  Any other of `linvae.latent` is fitted to the codes m(x) of the
        training images afterwards (Ghosh et al. 2020); the networks do not see the labels even then.
    random_state : int, RandomState, Generator or None
        Of first weights, order of the rows and noise.
    verbose : bool
        Show a progress bar.

    Attributes
    ----------
    encoder_, decoder_ : torch.nn.Sequential
        From image to m(x) and ln s(x)^2, and from code to the logits of the pixels; a label comes behind the input.
    latent_ : distribution
        Of the code, from `linvae.latent`.
    loss_trace_ : array (passes,)
        Mean loss of each pass, as the weights moved through it; nats an image.
    validation_trace_ : array (passes,)
        Mean loss of the images held out, after each pass; NaN where none were.
    n_iter_ : int
        Passes made.
    n_parameters_ : int
        Weights and biases of both networks.
    classes_, class_counts_ : list
        The labels and their numbers of rows; [None] for a model fitted without labels.
    n_features_in_ : int
        d.

    Notes
    -----
    All arithmetic is in float32, and float32 comes out whatever goes in.

    Examples
    --------
    >>> from linvae.datasets import load_mnist
    >>> X, y = load_mnist()  # doctest: +SKIP
    >>> images, _ = VAE(verbose=True, random_state=0).fit(X).sample(10, random_state=0)  # doctest: +SKIP
    """

    _outputs_per_code = 2

    def __init__(
        self,
        n_components: int = 16,
        hidden: int = 400,
        architecture: str = "dense",
        n_epochs: int = 100,
        batch_size: int = 64,
        learning_rate: float = 3e-3,
        patience: int | None = 5,
        validation_fraction: float = 0.1,
        beta: float = 1.0,
        latent: Any = None,
        random_state: Any = None,
        verbose: bool = False,
    ):
        self.n_components = n_components
        self.hidden = hidden
        self.architecture = architecture
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.beta = beta
        self.latent = latent
        self.random_state = random_state
        self.verbose = verbose

    def _loss(self, networks: Any, x: Tensor, labels: Tensor, generator: Any) -> Tensor:
        encoder, decoder = networks
        mean, log_variance = encoder(_join(x, labels)).chunk(2, dim=1)
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
        logits = decoder(_join(mean + (log_variance / 2).exp() * noise, labels))
        return (cross_entropy(logits, x) + self.beta * kl_to_standard_normal(mean, log_variance)).mean()

    def _distribution(self) -> Any:
        return StandardNormal() if self.latent is None else self.latent

    def _takes_labels(self) -> bool:
        return self._conditional or self.latent is not None

    def _read(self, X: ArrayLike, y: Any) -> tuple[Array, Any]:
        if not 0 <= self.beta < np.inf:
            raise ValueError(f"beta={self.beta!r}; the weight of the KL divergence is 0 or more, give 1 for the VAE")
        return super()._read(X, y)


class CVAE(VAE):
    """The conditional VAE of Sohn, Lee and Yan 2015: a one-hot label joins the input of encoder and of decoder.

    Parameters, attributes and loss are those of `VAE`: z ~ N(0, I) whatever the label, or the distribution `latent`
    fitted to the codes of each class.  `fit`, `transform`, `inverse_transform`, `reconstruct` and `interpolate` need y,
    one label or one for each row.
    """

    _conditional = True


class Autoencoder(_DeepGenerativeModel):
    """A deterministic autoencoder, and a distribution fitted to its training codes afterwards (Ghosh et al. 2020).

    The networks and the cross-entropy are those of `VAE`; there is no noise, no KL divergence and none of the
    regularisers of Ghosh et al.  The networks see no labels, the distribution of the code does.

    Parameters
    ----------
    n_components, hidden, architecture, n_epochs, batch_size, learning_rate, random_state, verbose
        As in `VAE`, and so are patience and validation_fraction.
    latent : distribution or None
        Any of `linvae.latent`; None means ClassGaussian(), which needs labels in `fit`.  Without them `ClassMixture`
        fits one distribution to all codes.

    Attributes
    ----------
    As in `VAE`; the encoder gives the code alone, and `n_parameters_` leaves out those of the distribution.
    """

    def __init__(
        self,
        n_components: int = 16,
        hidden: int = 400,
        architecture: str = "dense",
        n_epochs: int = 100,
        batch_size: int = 64,
        learning_rate: float = 3e-3,
        patience: int | None = 5,
        validation_fraction: float = 0.1,
        latent: Any = None,
        random_state: Any = None,
        verbose: bool = False,
    ):
        self.n_components = n_components
        self.hidden = hidden
        self.architecture = architecture
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.latent = latent
        self.random_state = random_state
        self.verbose = verbose

    def _loss(self, networks: Any, x: Tensor, labels: Tensor, generator: Any) -> Tensor:
        encoder, decoder = networks
        return cross_entropy(decoder(encoder(x)), x).mean()

    def _distribution(self) -> Any:
        return ClassGaussian() if self.latent is None else self.latent

    def _takes_labels(self) -> bool:
        return True


def _dense(d: int, c: int, hidden: int, k: int, outputs_per_code: int) -> Any:
    """Return encoder and decoder of d pixels and c classes with one hidden layer each."""
    nn = torch.nn
    encoder = nn.Sequential(nn.Linear(d + c, hidden), nn.ReLU(), nn.Linear(hidden, outputs_per_code * k))
    decoder = nn.Sequential(nn.Linear(k + c, hidden), nn.ReLU(), nn.Linear(hidden, d))
    return nn.ModuleList([encoder, decoder])


def _convolutional(d: int, c: int, hidden: int, k: int, outputs_per_code: int) -> Any:
    """Return the same with two convolutions of stride 2 between image and hidden layer, 16 and 32 channels."""
    nn, side = torch.nn, side_of(d, 4, 'architecture="convolutional"')
    small = (32, side // 4, side // 4)
    down = nn.Sequential(
        nn.Unflatten(1, (1, side, side)), nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(),
        nn.Flatten(),
    )  # fmt: skip
    up = nn.Sequential(
        nn.ReLU(), nn.Unflatten(1, small), nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 4, 2, 1), nn.Flatten(),
    )  # fmt: skip
    encoder, decoder = _dense(math.prod(small), c, hidden, k, outputs_per_code)
    networks = nn.ModuleList([nn.Sequential(_OfPixels(d, down), *encoder), nn.Sequential(*decoder, *up)])
    return networks.to(memory_format=torch.channels_last)  # a seventh faster on a CPU


class _OfPixels(Module):
    """Apply a network to the first d entries of a row; the label behind them passes by."""

    def __init__(self, d: int, network: Any):
        super().__init__()
        self.d, self.network = d, network

    def forward(self, x: Tensor) -> Tensor:
        return _join(self.network(x[:, : self.d]), x[:, self.d :])


def _join(x: Tensor, labels: Tensor) -> Tensor:
    return torch.cat([x, labels], dim=1) if labels.shape[1] else x
