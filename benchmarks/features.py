"""Train the two networks that give `linvae.metrics` its features, one for digits and one for clothes.

Needs the extra `deep`; some minutes on one core.  Writes linvae/data/features.npz.  No network sees a test image before
it is finished.  The recipe is the same for both and scored on training images held out (`--try`).  It was changed once,
for features that were 0 on every image, when the test accuracies of a first one were known.
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib.resources import files

import numpy as np
import torch
from torch import nn

from linvae.datasets import load_fashion_mnist, load_mnist
from linvae.features import LEAK

DATA = {"mnist": load_mnist, "fashion_mnist": load_fashion_mnist}
SEED, EPOCHS, BATCH, RATE, SHIFT, DROPPED = 0, 20, 64, 2e-3, 1, 0.2
HELD_OUT = 1600


class Network(nn.Module):
    """Two convolutions, then 64 features, then a number for each class."""

    def __init__(self):
        super().__init__()
        self.convolution1 = nn.Conv2d(1, 16, 5, padding=2)
        self.convolution2 = nn.Conv2d(16, 32, 5)
        self.features = nn.Linear(32 * 5 * 5, 64)
        self.classes = nn.Linear(64, 10)

    def transform(self, x):
        for layer in (self.convolution1, self.convolution2):
            x = nn.functional.max_pool2d(layer(x), 2).relu()
        return nn.functional.leaky_relu(self.features(x.flatten(1)), LEAK)  # without it a dozen features die

    def forward(self, x):
        return self.classes(nn.functional.dropout(self.transform(x), DROPPED, self.training))


def tensor(X):
    return torch.tensor(X).reshape(-1, 1, 28, 28)


def moved(x):
    """Move a batch by up to SHIFT pixels each way: the class stays, and the network sees more images."""
    down, right = torch.randint(0, 2 * SHIFT + 1, (2,)).tolist()
    return nn.functional.pad(x, (SHIFT,) * 4)[:, :, down : down + 28, right : right + 28]


def trained(X, y, epochs=EPOCHS):
    """Return a network trained on images X (n, 784) and labels y (n,), its weights rounded as the file keeps them."""
    torch.manual_seed(SEED)
    network, x, y = Network(), tensor(X), torch.tensor(y)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.01)
    steps = epochs * len(x[::BATCH])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(moved(x[batch])), y[batch]).backward()
            optimizer.step()
            schedule.step()
    return network.half().float().eval()


def accuracy(network, X, y):
    with torch.inference_mode():
        return float((network(tensor(X)).argmax(1).numpy() == y).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--try", action="store_true", dest="trying", help="only score the recipe on held-out images")
    trying = parser.parse_args().trying
    torch.set_num_threads(1)
    kept = {}
    for name, load in DATA.items():
        start, (X, y) = time.process_time(), load("train")
        if trying:
            order = np.random.default_rng(SEED).permutation(len(X))
            held, rest = order[:HELD_OUT], order[HELD_OUT:]
            network, T, T_labels = trained(X[rest], y[rest]), X[held], y[held]
        else:
            network, (T, T_labels) = trained(X, y), load("test")
        share = accuracy(network, T, T_labels)
        seconds = time.process_time() - start
        sys.stdout.write(f"{name}: {share:.4f} of {len(T)} read rightly, {seconds:.0f} CPU s\n")
        kept |= {f"{name}/{key}": part.numpy().astype(np.float16) for key, part in network.state_dict().items()}
        kept[f"{name}/test_accuracy"] = np.float64(share)
    if not trying:
        np.savez_compressed(files("linvae").joinpath("data", "features.npz"), **kept)


if __name__ == "__main__":
    main()
