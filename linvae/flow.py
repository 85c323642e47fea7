"""The strongest deep rival: noise is carried to images along a learned velocity, with no code between.

    x_t = (1 - t) noise + t x,    loss = E |v(x_t, t, label) - (x - noise)|^2,    draw by dx/dt = v from t = 0 to 1

Flow matching (Lipman et al. 2023; Liu, Gong and Liu 2023) with straight paths.  At the least loss v is the mean of
x - noise given x_t, t and the label, and following it gives x_t its distribution at every t.  Needs the extra
`linvae[deep]`.  Chapter: *scores*.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ._checks import Array, check_count, check_labelled_images, check_random_state, group_rows, known_rows
from ._training import Module, Tensor, TrainedByAdam, check_intensities, first_weights, side_of, torch
from .latent import drawn_labels

N_FREQUENCIES = 16
N_TIMES = 64
DRAWN_AT_ONCE = 250


class FlowMatching(TrainedByAdam):
    """Flow matching of images given their class, the velocity a small U-Net (Lipman et al. 2023; Ho et al. 2020).

    Images are square, of a side that four divides.  Pixels are taken from [0, 1] to [-1, 1], where the noise is
    N(0, I), and drawn ones cut off there: an exact black comes out of the cut alone.

    Parameters
    ----------
    width : int
        Channels of the U-Net, a multiple of 8; twice as many at its bottom.
    n_steps : int
        Midpoint steps of a draw, each of two evaluations of the network.
    n_epochs, batch_size, learning_rate, patience, validation_fraction, random_state, verbose
        As in `linvae.deep.VAE`.  The running mean of the weights is judged and kept.

    Attributes
    ----------
    network_ : torch module
        v(x, t, class number), at x of shape (n, 1, side, side) in [-1, 1].
    loss_trace_, validation_trace_ : array (passes,)
        Loss of each pass, summed over the d pixels.
    n_iter_, n_parameters_, classes_, class_counts_, n_features_in_
        As in `linvae.deep.VAE`.

    Examples
    --------
    >>> from linvae.datasets import load_mnist
    >>> model = FlowMatching(verbose=True, random_state=0).fit(*load_mnist())  # doctest: +SKIP
    >>> sevens, _ = model.sample(10, 7, random_state=0)  # doctest: +SKIP
    """

    classes_: list[Hashable]

    def __init__(
        self,
        width: int = 32,
        n_steps: int = 15,
        n_epochs: int = 40,
        batch_size: int = 64,
        learning_rate: float = 2e-3,
        patience: int | None = 5,
        validation_fraction: float = 0.1,
        random_state: Any = None,
        verbose: bool = False,
    ):
        self.width = width
        self.n_steps = n_steps
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: ArrayLike) -> FlowMatching:
        """Train on images X (n, d) of intensities in [0, 1] and their labels y (n,).

        Raises
        ------
        ModuleNotFoundError
            Without torch, naming the command that installs it.
        ValueError
            If a size or label is not fit for use, a pixel is outside [0, 1], or the loss overflows.
        """
        check_count("n_steps", self.n_steps)
        if check_count("width", self.width) % 8:
            raise ValueError(f"width={self.width}; the channels are normalised in groups of 8, give a multiple of 8")
        self._check_torch()
        X, y = check_labelled_images(self, X, y)
        images = check_intensities(X)
        side = side_of(images.shape[1], 4, "FlowMatching")
        self.classes_, rows_of = group_rows(y, len(images))
        self.class_counts_ = [len(rows) for rows in rows_of]
        rng = check_random_state(self.random_state)
        x = torch.tensor(2 * images - 1).reshape(-1, 1, side, side)
        labels = self._numbers(np.asarray(y))

        def loss(network: Any, rows: Tensor, generator: Any) -> Tensor:
            target = x[rows]
            noise = torch.randn(target.shape, generator=generator)
            t = torch.rand(len(rows), generator=generator)
            between = torch.lerp(noise, target, t[:, None, None, None])
            return (network(between, t, labels[rows]) - (target - noise)).square().sum(dim=(1, 2, 3)).mean()

        network = first_weights(lambda: UNet(self.width, len(self.classes_)), rng)
        self.n_parameters_ = sum(part.numel() for part in network.parameters())
        self.network_ = self._train(network, loss, len(images), rng, averaged=True)
        return self

    def _numbers(self, labels: Array) -> Tensor:
        """Return the place of each label among the classes."""
        numbers = np.empty(len(labels), np.int64)
        for label, rows in known_rows(labels, self.classes_).items():
            numbers[rows] = self.classes_.index(label)
        return torch.from_numpy(numbers)

    def sample(self, n_samples: int = 1, y: Any = None, random_state: Any = None) -> tuple[Array, Array]:
        """Draw n_samples images: noise, carried along the velocity from t = 0 to 1 by midpoint steps.

        Parameters
        ----------
        n_samples : int
        y : label, array (n_samples,) or None
            None draws labels by their frequencies in training.
        random_state : int, RandomState, Generator or None

        Returns
        -------
        X : array (n_samples, d), float32 in [0, 1]
        y : array (n_samples,)
        """
        check_is_fitted(self)
        rng, n, side = check_random_state(random_state), check_count("n_samples", n_samples), self._side()
        labels = drawn_labels(y, n, self.classes_, self.class_counts_, rng)
        noise = torch.from_numpy(rng.standard_normal((n, 1, side, side)).astype(np.float32))
        with torch.inference_mode():
            parts = zip(noise.split(DRAWN_AT_ONCE), self._numbers(labels).split(DRAWN_AT_ONCE), strict=True)
            ends = torch.cat([self._carried(*part) for part in parts])
        return ((ends + 1) / 2).clamp(0, 1).reshape(n, -1).numpy(), labels

    def _side(self) -> int:
        return round(self.n_features_in_**0.5)

    def _carried(self, x: Tensor, numbers: Tensor) -> Tensor:
        """Return where the velocity takes x from t = 0 to 1."""
        h = 1 / self.n_steps
        for step in range(self.n_steps):
            t = torch.full((len(x),), step * h)
            middle = x + h / 2 * self.network_(x, t, numbers)
            x = x + h * self.network_(middle, t + h / 2, numbers)
        return x

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class UNet(Module):
    """v(x, t, class): down one scale and up again, with a short cut across (Ronneberger, Fischer and Brox 2015).

    Two by two pixels are first folded into four channels, which makes every layer four times as cheap.
    """

    def __init__(self, width: int, n_classes: int):
        super().__init__()
        nn = torch.nn
        self.time = nn.Sequential(nn.Linear(2 * N_FREQUENCIES, N_TIMES), nn.SiLU(), nn.Linear(N_TIMES, N_TIMES))
        self.label = nn.Embedding(n_classes, N_TIMES)
        self.first = nn.Conv2d(4, width, 3, padding=1)
        self.before = Residual(width, width)
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.bottom = nn.ModuleList([Residual(2 * width, 2 * width), Residual(2 * width, 2 * width)])
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.after = nn.ModuleList([Residual(2 * width, width), Residual(width, width)])
        self.last = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, 4, 3, padding=1))
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, t: Tensor, numbers: Tensor) -> Tensor:
        told = torch.nn.functional.silu(self.time(waves(t)) + self.label(numbers))
        short_cut = self.before(self.first(torch.nn.functional.pixel_unshuffle(x, 2)), told)
        h = self.down(short_cut)
        for block in self.bottom:
            h = block(h, told)
        h = torch.cat([self.up(h), short_cut], dim=1)
        for block in self.after:
            h = block(h, told)
        return torch.nn.functional.pixel_shuffle(self.last(h), 2)


class Residual(Module):
    """x + two convolutions of x (He et al. 2016), scaled and shifted by what is told of time and class."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        nn = torch.nn
        self.inner = nn.Sequential(nn.GroupNorm(8, n_in), nn.SiLU(), nn.Conv2d(n_in, n_out, 3, padding=1))
        self.told = nn.Linear(N_TIMES, 2 * n_out)
        self.norm = nn.GroupNorm(8, n_out)
        self.outer = nn.Sequential(nn.SiLU(), nn.Conv2d(n_out, n_out, 3, padding=1))
        self.straight = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1)
        nn.init.zeros_(self.outer[1].weight)  # at first a block hands on what it is given

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.told(told)[:, :, None, None].chunk(2, dim=1)
        return self.straight(x) + self.outer(self.norm(self.inner(x)) * (1 + scale) + shift)


def waves(t: Tensor) -> Tensor:
    """Return sines and cosines of times t (n,) at frequencies from 1 to 1000, evenly spaced in their logarithm."""
    angles = t[:, None] * torch.logspace(0, 3, N_FREQUENCIES)
    return torch.cat([angles.sin(), angles.cos()], dim=1)
