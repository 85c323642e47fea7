"""What a small convolutional network sees in an image: 64 features, and the class that it reads.

    h = leak(W_1 b + c_1),  b = pool(a * K_2),  a = pool(x * K_1),    read: argmax(W_2 h + c_2)

where pool takes the largest of 2 x 2 pixels and cuts off below 0, leak divides what is below 0 by ten, and * is a
correlation with kernels of 5 x 5 pixels, a constant added.  One network for each data set, trained by
`benchmarks/features.py` on the shipped training images; here it only runs, in NumPy.  Scores on its features are in
`linvae.metrics`.  Chapter: *scores*.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike
from sklearn.utils import gen_batches

from ._checks import Array, check_choice, check_floats

__all__ = ["NETWORKS", "Features", "load_features"]

NETWORKS = ("mnist", "fashion_mnist")
"""The data sets whose training images a shipped network was trained on."""

SIDE = 28

LEAK = 0.1
"""Of a feature below 0 this share is left, so that none is 0 for all images."""

BATCH = 250
"""Images that are convolved at one time: their windows take some 80 MB."""


@dataclass(frozen=True, eq=False)
class Features:
    """A trained network that judges images of 28 x 28 pixels; `load_features` gives the shipped ones.

    Parameters
    ----------
    kernels : two pairs of arrays (out, in, 5, 5) and (out,)
        Of the convolutions: kernels and constants.  The first sees the image with a frame of 2 black pixels.
    layers : two pairs of arrays (out, in) and (out,)
        Of what follows: to the features, and from them to one number for each class.
    test_accuracy : float
        The share of shipped test images that are read rightly; none of them was seen in training.
    """

    kernels: tuple[tuple[Array, Array], tuple[Array, Array]] = field(repr=False)
    layers: tuple[tuple[Array, Array], tuple[Array, Array]] = field(repr=False)
    test_accuracy: float

    def transform(self, X: ArrayLike) -> Array:
        """Return the features (n, 64) of images X (n, 784), gray levels from 0 to 1.

        Raises
        ------
        ValueError
            If X has another width, or a pixel is below 0 or above 1.
        """
        X = check_floats(X, "X")
        if X.shape[1] != SIDE**2:
            raise ValueError(f"X has {X.shape[1]} pixels; the network was trained on {SIDE**2}, {SIDE} x {SIDE}")
        if X.min() < 0 or X.max() > 1:
            raise ValueError(
                f"X runs from {X.min():.4g} to {X.max():.4g}; give gray levels from 0 to 1: "
                "divide bytes by 255, clip what a model has drawn"
            )
        images = X.astype(np.float32).reshape(-1, SIDE, SIDE, 1)
        return np.vstack([self._see(images[batch]) for batch in gen_batches(len(images), BATCH)])

    def predict(self, X: ArrayLike) -> Array:
        """Return the class (n,), 0 to 9, that the network reads in each image of X (n, 784)."""
        weights, constant = self.layers[1]
        return np.argmax(self.transform(X) @ weights.T + constant, axis=1)

    def _see(self, images: Array) -> Array:
        framed = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
        for kernels, constant in self.kernels:
            framed = _pooled(_correlated(framed, kernels) + constant)
        weights, constant = self.layers[0]
        # torch flattens channel by channel, and here they come last.
        sums = framed.transpose(0, 3, 1, 2).reshape(len(framed), -1) @ weights.T + constant
        return np.maximum(sums, np.float32(LEAK) * sums)


def load_features(name: str) -> Features:
    """Load the network trained on the shipped training images of a data set: "mnist" or "fashion_mnist"."""
    check_choice("name", name, NETWORKS)
    with files("linvae").joinpath("data", "features.npz").open("rb") as stream, np.load(stream) as kept:
        parts = [(kept[f"{name}/{i}.weight"].astype(np.float32), kept[f"{name}/{i}.bias"].astype(np.float32))
                 for i in ("convolution1", "convolution2", "features", "classes")]  # fmt: skip
        return Features((parts[0], parts[1]), (parts[2], parts[3]), float(kept[f"{name}/test_accuracy"]))


def _correlated(images: Array, kernels: Array) -> Array:
    """Return sum over a window of image times kernel, for images (n, h, w, in) and kernels (out, in, r, r)."""
    r = kernels.shape[-1]
    windows = sliding_window_view(images, (r, r), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)  # channels are neighbours
    rows = windows.reshape(-1, r * r * images.shape[3])
    return (rows @ kernels.transpose(2, 3, 1, 0).reshape(rows.shape[1], -1)).reshape(*windows.shape[:3], -1)


def _pooled(images: Array) -> Array:
    """Return the largest of every 2 x 2 pixels of images (n, h, w, channels), or 0 where it is below."""
    rows = np.maximum(images[:, ::2], images[:, 1::2])
    return np.maximum(np.maximum(rows[:, :, ::2], rows[:, :, 1::2]), 0)
