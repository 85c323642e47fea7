"""What models the big table knows, from the words of a row to a fitted model, and which settings each family tries.

A model is an encoder, a decoder and a distribution of the code given the label (`latent` in every row).  The chapter
on scores explains the families.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import clone

from linvae import (
    LDA,
    MMLR,
    PCA,
    PPCA,
    ClassGaussian,
    ClassMixture,
    LinearGenerativeModel,
    StandardNormal,
    VariationalMMLR,
)

LATENTS = {"standard normal": StandardNormal(), "class Gaussian": ClassGaussian()}

DECODERS = {
    "least squares": MMLR(),
    "learned noise": VariationalMMLR(family="full", noise="isotropic", prior="fixed", prior_variance=1.0),
    "the talk's": VariationalMMLR(
        family="mean-field", noise="fixed", noise_variance=1.0, prior="fixed", prior_variance=1.0
    ),
}


def latent_of(words: str, seed: int = 0) -> Any:
    """Return the distribution of that name: one of LATENTS, or "mixture 10"."""
    return clone(LATENTS[words]) if words in LATENTS else ClassMixture(int(words.split()[-1]), random_state=seed)


def linear(
    encoder: str, decoder: str, latent: str, k: int, scale: str = "raw", own: bool = False, seed: int = 0
) -> LinearGenerativeModel:
    """Return a linear model from the words of its row; own=True gives each class an encoder of its own."""
    return LinearGenerativeModel(
        {"PCA": PCA(k), "PPCA": PPCA(k), "LDA": LDA(k)}[encoder],
        clone(DECODERS[decoder]),
        latent_of(latent, seed),
        conditional="both" if own else "decoder",
        standardize=scale == "standardised",
        clip=(0.0, 1.0),
        coefficients=5000 if decoder == "the talk's" else "mean",  # the average that the talk takes
    )


def pooled(k: int, encoder: Any = PPCA, standardize: bool = False) -> LinearGenerativeModel:
    """Return a generator without labels: one encoder, one decoder, z ~ N(0, I)."""
    return LinearGenerativeModel(encoder(k), MMLR(), StandardNormal(), "none", standardize, clip=(0.0, 1.0))


def network(kind: str, k: int, epochs: int, seed: int = 0, hidden: int = 400) -> Any:
    """Return a network whose codes get a distribution afterwards, by `with_latent`; batches of 32 images."""
    from linvae.deep import CVAE, VAE, Autoencoder

    words = {"n_components": k, "n_epochs": epochs, "hidden": hidden, "batch_size": 32, "random_state": seed}
    if kind == "CVAE":
        return CVAE(**words)
    return {"VAE": VAE, "autoencoder": Autoencoder}[kind](**words, latent=ClassGaussian())


def with_latent(model: Any, latent: str, X: Any, y: Any, seed: int = 0) -> Any:
    """Give a trained network the distribution of that name, fitted to the codes of the training images."""
    if type(model).__name__ != "CVAE":  # whose N(0, I) needs no fitting
        model.latent_ = latent_of(latent, seed).fit(model.transform(X, y), y)
    return model


# Six tries for each family, all scored on the same validation images.  LDA has no more than nine codes.  A network is
# trained once for each setting; families that differ in the distribution alone share it.
KS = [{"k": k} for k in (2, 4, 8, 16, 32, 64)]
SIZES = [{"k": k, "epochs": epochs} for k in (4, 8, 16) for epochs in (10, 30)]
MIXES = [{"k": k, "latent": f"mixture {parts}"} for k in (4, 8, 16) for parts in (10, 30)]
DEEP_MIXES = [{"epochs": 30} | mix for mix in MIXES]
FAMILIES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "the talk's recipe": ("linear", KS),
    "pooled PPCA, N(0, I)": ("linear", KS),
    "LDA + class Gaussian": ("linear", [{"k": k} for k in range(4, 10)]),
    "PCA + class Gaussian": ("linear", KS),
    "class PCA + class Gaussian": ("linear", KS),
    "class PCA + class mixture": ("mixtures", MIXES),
    "VAE": ("deep", SIZES),
    "CVAE": ("deep", SIZES),
    "VAE + class Gaussian": ("deep", SIZES),
    "VAE + class mixture": ("deep", DEEP_MIXES),
    "autoencoder + class Gaussian": ("deep", SIZES),
    "autoencoder + class mixture": ("deep", DEEP_MIXES),
}

# Rivals at k = 16: quality against the processor's seconds, from one epoch on, and at the size of ten PCAs.
NETWORKS = {"VAE": list(LATENTS), "CVAE": ["standard normal"], "autoencoder": ["class Gaussian"]}
EPOCHS = (1, 2, 5, 10, 20, 40)
SMALL = 160  # hidden units with which a network of k = 16 needs about as many numbers to draw as a PCA for each class

CURVES = ("the talk's recipe", "PCA + class Gaussian", "class PCA + class Gaussian", "PCA, one decoder, N(0, I)")
CURVE_KS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


def linear_member(family: str, k: int, latent: str = "class Gaussian", seed: int = 0) -> LinearGenerativeModel:
    """Return one linear model of a family."""
    if family == "the talk's recipe":
        return LinearGenerativeModel.from_talk(k).set_params(clip=(0.0, 1.0))
    if family == "pooled PPCA, N(0, I)":
        return pooled(k)
    if family == "PCA, one decoder, N(0, I)":  # the pooled formula of C28, standardised as the talk's
        return pooled(k, PCA, standardize=True)
    if family.startswith("class PCA"):
        return linear("PCA", "least squares", latent, k, own=True, seed=seed)
    return linear(family.split()[0], "learned noise", latent, k)


def kind_and_latent(family: str, setting: dict[str, Any]) -> tuple[str, str]:
    """Return the network of a deep family, and the name of its distribution."""
    kind = family.split(" + ")[0]
    return kind, setting.get("latent", "standard normal" if family == kind else "class Gaussian")


def fitted(family: str, setting: dict[str, Any], X: Any, y: Any, seed: int = 0) -> tuple[Any, float]:
    """Return a fitted model of a family and the processor's seconds."""
    start = time.process_time()
    if FAMILIES[family][0] == "deep":
        kind, latent = kind_and_latent(family, setting)
        model = network(kind, setting["k"], setting["epochs"], seed).fit(X, y)
        return with_latent(model, latent, X, y, seed), time.process_time() - start
    return linear_member(family, **setting, seed=seed).fit(X, y), time.process_time() - start


def grid() -> Iterator[dict[str, Any]]:
    """Yield the rows of the talk's Table 1, those that are provably one merged (C36; C20: exact or mean-field)."""
    for k in (16, 64):
        for scale in ("raw", "standardised"):
            for latent in LATENTS:
                for decoder, own in (("least squares", False), ("the talk's", False), ("least squares", True)):
                    for encoder in ("PCA", "PPCA"):
                        row = {"encoder": encoder, "decoder": decoder, "latent": latent, "k": k}
                        row |= {"scale": scale, "own": own}
                        if (decoder, latent) != ("least squares", "class Gaussian"):
                            yield row
                        elif encoder == "PCA":
                            yield row | {"stands_for": "PCA or PPCA"}
    for latent in LATENTS:
        row = {"encoder": "LDA", "decoder": "least squares", "latent": latent, "k": 9}
        yield row | {"stands_for": "raw or standardised"}
        for scale in ("raw", "standardised"):
            yield row | {"decoder": "the talk's", "scale": scale}


def n_parameters(model: Any) -> tuple[int, int]:
    """Count the numbers that a fitted model needs to draw, and to encode and draw; of a covariance its upper half.

    A decoder that is its encoder's transpose counts once.  A posterior of coefficients that is drawn from adds its
    standard deviations, which all pixels share.
    """
    latent = model.latent_
    k, groups = latent.n_features_in_, len(latent.classes_)
    extra = 0
    if isinstance(latent, ClassGaussian):
        extra = groups * (k + k * (k + 1) // 2)
    elif isinstance(latent, ClassMixture):
        extra = groups * latent.n_components * (1 + k + k * (k + 1) // 2)
    if hasattr(model, "n_parameters_"):
        drawing = sum(part.numel() for part in model.decoder_.parameters())
        return drawing + extra, model.n_parameters_ + extra
    extra += 2 * model.n_features_in_ if model.standardize else 0
    extra += 0 if model.coefficients == "mean" else (k + 1) * groups
    drawing = sum(d.coef_.size + d.intercept_.size for d in model.decoders_.values()) + extra
    tied = all(np.allclose(d.coef_.T, model.encoders_[label].components_) for label, d in model.decoders_.items())
    encoders = {id(e): e.components_.size + e.mean_.size for e in model.encoders_.values()}
    return drawing, drawing + (0 if tied else sum(encoders.values()))
