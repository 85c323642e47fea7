"""How every network of the package is trained: by Adam on batches, until the loss of images held out rests.

    after each pass:  keep the weights if loss(held out) is the least so far;  stop after `patience` passes without

Held-out images make no step and meet the same noise after every pass.  This module alone looks for torch.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from ._checks import Array, check_count, check_positive

try:
    import torch
    from tqdm import tqdm
except ModuleNotFoundError as error:
    torch, _missing = None, error

__all__ = ["Module", "Tensor", "TrainedByAdam", "check_intensities", "first_weights", "side_of", "torch"]

Tensor = Any
Module: Any = object if torch is None else torch.nn.Module


class TrainedByAdam(BaseEstimator):
    """Share the one training loop; the parameters that it reads are those of `linvae.deep.VAE`."""

    n_epochs: int
    batch_size: int
    learning_rate: float
    patience: int | None
    validation_fraction: float
    verbose: bool

    def _check_torch(self) -> None:
        if torch is None:
            raise ModuleNotFoundError(
                f'{type(self).__name__} needs torch and tqdm: python -m pip install "linvae[deep]"; on Linux the CPU '
                "build of torch is enough, the README says how"
            ) from _missing

    def _check_training(self, n: int) -> int:
        """Return how many of n images are held out."""
        check_count("n_epochs", self.n_epochs)
        check_count("batch_size", self.batch_size)
        check_positive("learning_rate", self.learning_rate, "a step")
        if self.patience is None:
            return 0
        check_count("patience", self.patience)
        share = check_positive("validation_fraction", self.validation_fraction, "the share of images held out")
        n_held = round(share * n)
        if not 0 < n_held < n:
            raise ValueError(
                f"validation_fraction={share} holds out {n_held} of {n} images; leave some on both sides, or set "
                "patience=None, which holds none out"
            )
        return n_held

    def _train(
        self, network: Any, loss: Callable[..., Tensor], n: int, rng: np.random.RandomState, averaged: bool = False
    ) -> Any:
        """Return the torch module with trained weights; loss(network, rows, generator) is the mean over rows of n.

        averaged=True judges and keeps a running mean of the weights, which does the work of a step that falls (Polyak
        and Juditsky 1992).
        """
        n_held = self._check_training(n)
        generator = torch.Generator().manual_seed(rng.randint(2**31 - 1))
        order = torch.randperm(n, generator=generator)
        held, rows = order[:n_held], order[n_held:]
        noise = int(torch.randint(2**31 - 1, (), generator=generator))
        averages: Any = torch.optim.swa_utils.AveragedModel(network, avg_fn=_running_mean) if averaged else None
        judged = averages.module if averaged else network
        optimizer = torch.optim.Adam(network.parameters(), lr=self.learning_rate, fused=True)
        traces, best = [], None
        epochs = tqdm(range(self.n_epochs), desc=type(self).__name__, unit="epoch", disable=not self.verbose)
        for epoch in epochs:
            total = 0.0
            for batch in rows[torch.randperm(len(rows), generator=generator)].split(self.batch_size):
                value = loss(network, batch, generator)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                if averaged:
                    averages.update_parameters(network)
                total += value.item() * len(batch) / len(rows)
            rest = self._held_out_loss(judged, loss, held, torch.Generator().manual_seed(noise))
            traces.append((total, rest))
            if not np.isfinite(traces[-1][: 1 + (n_held > 0)]).all():
                raise ValueError(f"the loss overflowed in epoch {epoch + 1}; lower learning_rate={self.learning_rate}")
            epochs.set_postfix(loss=f"{total:.1f}", held_out=f"{rest:.1f}")
            if not n_held:
                continue
            best_epoch = int(np.argmin([value for _, value in traces]))
            if best_epoch == epoch:
                best = deepcopy(judged.state_dict())
            elif epoch - best_epoch >= self.patience:
                break
        if best is not None:
            judged.load_state_dict(best)
        self.loss_trace_, self.validation_trace_ = np.array(traces).T
        self.n_iter_ = len(traces)
        if not all(part.isfinite().all() for part in judged.parameters()):
            raise ValueError(f"the weights overflowed in the last steps; lower learning_rate={self.learning_rate}")
        return judged

    def _held_out_loss(self, network: Any, loss: Callable[..., Tensor], held: Tensor, generator: Any) -> float:
        """Return the mean loss over the held-out rows, NaN if there are none."""
        with torch.no_grad():
            parts = [loss(network, rows, generator).item() * len(rows) for rows in held.split(1000) if len(rows)]
        return sum(parts) / len(held) if parts else np.nan


def first_weights(build: Callable[[], Any], rng: np.random.RandomState) -> Any:
    """Return build(), a torch module with torch's usual first weights, from this seed; torch's own state is left."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.randint(2**31 - 1))
        return build()


def check_intensities(X: Array) -> Array:
    """Return images as float32, or name a pixel outside [0, 1]."""
    if X.dtype == np.uint8:
        raise ValueError("X holds bytes (uint8), and networks need intensities in [0, 1]; divide by 255")
    low, high = X.min(), X.max()
    if low < 0 or high > 1:
        raise ValueError(
            f"X holds {low if low < 0 else high!s}, but networks need intensities in [0, 1]; divide bytes by 255, do "
            "not standardise, or clip"
        )
    return X.astype(np.float32, copy=False)


def side_of(d: int, divisor: int, who: str) -> int:
    """Return the side of square images of d pixels, which `divisor` divides."""
    side = round(d**0.5)
    if side * side != d or side % divisor:
        raise ValueError(
            f"{who} needs square images whose side {divisor} divides, such as 28 x 28, but a row has {d} pixels; pad "
            "the images with black"
        )
    return side


def _running_mean(mean: Tensor, new: Tensor, n_averaged: Tensor) -> Tensor:
    """Return the mean over about the last tenth of the steps, and never more than the last thousand."""
    return mean + (new - mean) * max(1e-3, 1 / (n_averaged / 10 + 1))
