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
from sklearn.frozen import FrozenEstimator

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
from linvae.mixtures import MixturePPCA, PixelLink

from .parts import ClassKernels, Clipped, MixtureOfPCA, Polished

LATENTS = {"standard normal": StandardNormal(), "class Gaussian": ClassGaussian()}

DECODERS = {
    "least squares": MMLR(),
    "learned noise": VariationalMMLR(family="full", noise="isotropic", prior="fixed", prior_variance=1.0),
    "the talk's": VariationalMMLR(
        family="mean-field", noise="fixed", noise_variance=1.0, prior="fixed", prior_variance=1.0
    ),
}


def latent_of(words: str, seed: int = 0) -> Any:
    """Return the distribution of that name: one of LATENTS, "kernels", or "mixture 10"."""
    if words in LATENTS:
        return clone(LATENTS[words])
    return ClassKernels() if words == "kernels" else ClassMixture(int(words.split()[-1]), random_state=seed)


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


def network(kind: str, seed: int = 0, k: int = 16, **training: Any) -> Any:
    """Return a network; the codes of those that have some get a distribution afterwards, by `with_latent`.

    It is trained until the loss of held-out images rests, but for no more passes than `MOST_PASSES`.
    """
    from linvae.deep import CVAE, VAE, Autoencoder
    from linvae.flow import FlowMatching

    words = {"n_epochs": MOST_PASSES[kind], "random_state": seed} | training
    if kind == "flow matching":
        return FlowMatching(**words)
    words |= {"n_components": k, "latent": ClassGaussian()}
    if kind.startswith("convolutional"):
        words |= {"architecture": "convolutional", "hidden": 128}
    return {"VAE": VAE, "CVAE": CVAE, "autoencoder": Autoencoder}[kind.split()[-1]](**words)


def with_latent(model: Any, latent: str, X: Any, y: Any, seed: int = 0) -> Any:
    """Give a trained network the distribution of that name, fitted to the codes of the training images."""
    if hasattr(model, "transform"):  # the flow has no codes
        model.latent_ = latent_of(latent, seed).fit(model.transform(X, y), y)
    return model


# Nine tries for each family, all scored on the same validation images, and five or two for the dearest.  LDA has no
# more than nine codes.  A network is trained once for each setting; families that differ in the distribution alone
# share it.
KS = [{"k": k} for k in (1, 2, 4, 8, 16, 32, 64, 128, 256)]
CODES = [{"k": k} for k in (2, 4, 6, 8, 12, 16, 24, 32, 64)]
BETAS = [{"beta": beta} for beta in (0.0, 0.1, 0.3, 0.6, 1.0, 2.0, 3.0, 5.0, 10.0)]
FEW_CODES = [{"k": k} for k in (4, 8, 16, 32, 64)]
FEW_BETAS = [{"beta": beta} for beta in (0.1, 0.6, 1.0, 2.0, 5.0)]
CODES_AND_PARTS = [
    {"k": k, "latent": f"mixture {parts}"}
    for k, many in ((2, (30,)), (4, (10, 30)), (8, (10, 30)), (16, (10, 30)), (32, (10, 30)))
    for parts in many
]
BETA_AND_PARTS = [
    {"beta": beta, "latent": f"mixture {parts}"}
    for beta, many in ((0.3, (10, 30)), (1.0, (3, 10, 30)), (2.0, (3, 10, 30)), (3.0, (30,)))
    for parts in many
]
CODES_OF_PARTS = [
    {"k": k, "parts": parts}
    for k, many in ((1, (20,)), (2, (20,)), (4, (10, 20)), (8, (5, 10, 20)), (16, (5, 10)))
    for parts in many
]
# Those of models with a link, which Fréchet distance chooses: it asks for more codes than W1 does, of linear ones most.
LINKED_CODES = [
    {"k": k, "latent": f"mixture {parts}"}
    for k, many in ((4, (30,)), (8, (10, 30)), (16, (3, 10, 30)), (32, (10, 30)), (64, (30,)))
    for parts in many
]
LINKED_LINEAR = [
    {"k": k, "latent": f"mixture {parts}"}
    for k, many in ((16, (10, 30)), (32, (10, 30)), (64, (3, 10, 30)), (128, (10, 30)))
    for parts in many
]
LINKED_PARTS = [
    {"k": k, "parts": parts}
    for k, many in ((4, (20,)), (8, (5, 10, 20)), (16, (2, 5, 10)), (32, (2, 5)))
    for parts in many
]
POLISHES = [{"k": 4, "parts": 10, "sigma": sigma} for sigma in (0.25, 0.35, 0.5, 0.7, 1.0)]
CONVOLUTIONAL = [{"k": k, "latent": f"mixture {n}"} for k, n in ((16, 10), (8, 30), (16, 30), (32, 30), (16, 3))]
N_TRIES = 9
FEWER_TRIES = {"convolutional": 5, "flow matching": 2, "polished": 5}  # by the first word of a family
FAMILIES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "the talk's recipe": ("linear", KS),
    "pooled PPCA, N(0, I)": ("linear", KS),
    "LDA + class Gaussian": ("linear", [{"k": k} for k in range(1, 10)]),
    "PCA + class Gaussian": ("linear", KS),
    "class PCA + class Gaussian": ("linear", KS),
    "class PCA + class mixture": ("mixtures", CODES_AND_PARTS),
    "class mixture of PCAs": ("mixtures", [{"k": k, "parts": parts} for k in (1, 2, 4) for parts in (5, 10, 30)]),
    "class PCA + class kernels": ("mixtures", [setting | {"latent": "kernels"} for setting in KS]),
    "class PCA + class Gaussian + link": ("mixtures", KS),
    "class PCA + class mixture + link": ("mixtures", LINKED_LINEAR),
    "class mixture of PPCAs": ("mixtures", CODES_OF_PARTS),
    "class mixture of PPCAs + link": ("mixtures", LINKED_PARTS),
    "polished, linked class mixture of PPCAs": ("mixtures", POLISHES),
    "VAE": ("deep", BETAS),
    "CVAE": ("deep", BETAS),
    "VAE + class Gaussian": ("deep", BETAS),
    "CVAE + class Gaussian": ("deep", BETAS),
    "VAE + class mixture": ("deep", BETA_AND_PARTS),
    "autoencoder + class Gaussian": ("deep", CODES),
    "autoencoder + class mixture": ("deep", CODES_AND_PARTS),
    "convolutional VAE": ("deep", FEW_BETAS),
    "convolutional CVAE": ("deep", FEW_BETAS),
    "convolutional autoencoder + class Gaussian": ("deep", FEW_CODES),
    "convolutional autoencoder + class mixture": ("deep", CONVOLUTIONAL),
    "CVAE + class Gaussian + link": ("linked", BETAS),
    "autoencoder + class mixture + link": ("linked", LINKED_CODES),
    "convolutional autoencoder + class mixture + link": ("linked", CONVOLUTIONAL),
    "flow matching": ("deep", [{"learning_rate": 1e-3}, {"learning_rate": 2e-3}]),
    "flow matching + link": ("linked", []),  # no tries of its own: each would cost six minutes
}  # fmt: skip
TAKES_SETTING_OF = {"flow matching + link": "flow matching"}
TRAINED_ONCE = ("flow matching + link",)
LINK = {"n_draws": 500, "n_levels": 100}  # draws of each class, and steps of a curve, whatever the model
MOST_PASSES = {
    "VAE": 100, "CVAE": 100, "autoencoder": 100,
    "convolutional VAE": 40, "convolutional CVAE": 40, "convolutional autoencoder": 40, "flow matching": 25,
}  # fmt: skip
TRIED_PASSES = MOST_PASSES | {  # the dear networks are tried in shorter trainings
    "convolutional VAE": 20, "convolutional CVAE": 20, "convolutional autoencoder": 20, "flow matching": 10,
}  # fmt: skip


def tries_of(family: str) -> int:
    """Return how many settings a family tries."""
    if family in TAKES_SETTING_OF:
        return 0
    return next((n for word, n in FEWER_TRIES.items() if family.startswith(word)), N_TRIES)


def trained_settings() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the kind and setting of every network that some family tries, each once, the dear ones first."""
    seen = []
    for family, (how, settings) in reversed(FAMILIES.items()):
        for setting in settings if how == "deep" else ():
            kind, training = family.split(" + ")[0], without_latent(setting)
            if (kind, training) not in seen:
                seen.append((kind, training))
                yield kind, training


def without_latent(setting: dict[str, Any]) -> dict[str, Any]:
    """Return what a setting says of the network."""
    return {key: value for key, value in setting.items() if key != "latent"}


def at_an_edge(family: str, setting: dict[str, Any]) -> list[str]:
    """Return the names of what stands at the least or the largest value that the family tried, and could go further."""
    found, settings = [], FAMILIES[TAKES_SETTING_OF.get(family, family)][1]
    for name, value in setting.items():
        tried = sorted({amount(other[name]) for other in settings})
        if len(tried) > 1 and amount(value) in {tried[0], tried[-1]} - ENDS.get(name, set()):
            found.append(name)
    return [] if family.startswith("LDA") else found  # which tried all that there are


# There is no less than one code and no weight below 0.  More parts always gain in W1, until each is an image that is
# remembered; so they stop at 30, with some twenty images each, or at 20 where each has a covariance of its own.
ENDS = {"k": {1.0}, "beta": {0.0}, "parts": {20.0, 30.0}, "latent": {30.0}}


def amount(value: Any) -> float:
    """Return a value of a setting as a number: 30 for "mixture 30"."""
    number = str(value).split()[-1]
    return float(number) if number != "kernels" else 0.0


# Rivals at k = 16: quality against the processor's seconds, from one pass on, and at the size of ten PCAs.
NETWORKS = {"VAE": list(LATENTS), "CVAE": ["standard normal"], "autoencoder": ["class Gaussian"]}
EPOCHS = (1, 2, 5, 10, 20, 40)
SMALL = 160  # hidden units with which a network of k = 16 needs about as many numbers to draw as a PCA for each class

CURVES = ("the talk's recipe", "PCA + class Gaussian", "class PCA + class Gaussian", "PCA, one decoder, N(0, I)")
CURVE_KS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


def linear_member(
    family: str, k: int, latent: str = "class Gaussian", parts: int = 1, sigma: float = 0.5, seed: int = 0
) -> Any:
    """Return one model of a family that is linear, or linear at heart."""
    if family.endswith(" + link"):  # a link wants what lies below black, too
        model = linear_member(family.removesuffix(" + link"), k, latent, parts, sigma, seed)
        return PixelLink(uncut(model), **LINK, random_state=seed)
    if family.startswith("polished"):
        linked = linear_member("class mixture of PPCAs + link", k, parts=parts, seed=seed)
        return Polished(linked, sigma, random_state=seed)
    if family == "class mixture of PPCAs":
        return Clipped(MixturePPCA(parts, k, random_state=seed))
    if family == "class mixture of PCAs":
        return MixtureOfPCA(k, parts, random_state=seed)
    if family == "the talk's recipe":
        return LinearGenerativeModel.from_talk(k).set_params(clip=(0.0, 1.0))
    if family == "pooled PPCA, N(0, I)":
        return pooled(k)
    if family == "PCA, one decoder, N(0, I)":  # the pooled formula of C28, standardised as the talk's
        return pooled(k, PCA, standardize=True)
    if family.startswith("class PCA"):
        return linear("PCA", "least squares", latent, k, own=True, seed=seed)
    return linear(family.split()[0], "learned noise", latent, k)


def uncut(model: Any) -> Any:
    """Return the model without the cut at black and white."""
    if isinstance(model, Clipped):
        return model.model
    return model.set_params(clip=None) if isinstance(model, LinearGenerativeModel) else model


def kind_and_latent(family: str, setting: dict[str, Any]) -> tuple[str, str]:
    """Return the network of a deep family, and the name of its distribution."""
    kind = family.split(" + ")[0]
    return kind, setting.get(
        "latent", "standard normal" if family.removesuffix(" + link") == kind else "class Gaussian"
    )


def reads_labels(family: str) -> bool:
    """Tell whether a model of the family draws an image of the class that it is asked for."""
    return family not in ("VAE", "convolutional VAE", "pooled PPCA, N(0, I)")


def fitted(
    family: str, setting: dict[str, Any], X: Any, y: Any, seed: int = 0, passes: dict[str, int] | None = None
) -> tuple[Any, float]:
    """Return a fitted model of a family and the processor's seconds; `passes` are the most of each kind of network."""
    start = time.process_time()
    if FAMILIES[family][0] in ("deep", "linked"):
        kind, latent = kind_and_latent(family, setting)
        most = {"n_epochs": (passes or MOST_PASSES)[kind]}
        model = network(kind, seed, **most, **without_latent(setting)).fit(X, y)
        model = with_latent(model, latent, X, y, seed)
        if FAMILIES[family][0] == "linked":
            model = PixelLink(FrozenEstimator(model), **LINK, random_state=seed).fit(X, y)
        return model, time.process_time() - start
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
    if isinstance(model, MixtureOfPCA):
        drawing, both = n_parameters(model.model_)
        n_parts = len(model.model_.classes_)  # a share each, and a centre to encode by
        return drawing + n_parts, both + n_parts * (1 + model.model_.n_features_in_)
    if isinstance(model, PixelLink):
        curves = sum(part.size for curve in (model.cuts_, model.levels_) for part in curve.values())
        drawing, both = n_parameters(getattr(model.model_, "estimator", model.model_))
        return drawing + curves, both + curves
    if isinstance(model, Clipped):
        return n_parameters(model.model_)
    if isinstance(model, Polished):  # which keeps the training images
        drawing = n_parameters(model.draft_)[0] + sum(images.size for images in model.local_.images_.values())
        return drawing, drawing
    if isinstance(model, MixturePPCA):
        d, k = model.n_features_in_, next(iter(model.parts_.values())).variances.shape[1]
        drawing = sum(model.n_parts_.values()) * (1 + d + k * d + k + 1)
        return drawing, drawing
    if hasattr(model, "network_"):
        return model.n_parameters_, model.n_parameters_
    latent = model.latent_
    k, groups = latent.n_features_in_, len(latent.classes_)
    extra = 0
    if isinstance(latent, ClassGaussian):
        extra = groups * (k + k * (k + 1) // 2)
    elif isinstance(latent, ClassMixture):
        extra = groups * latent.n_components * (1 + k + k * (k + 1) // 2)
    elif isinstance(latent, ClassKernels):
        extra = sum(k * (1 + density.tree_.data.shape[0]) for density in latent.kernels_.values())
    if hasattr(model, "n_parameters_"):
        drawing = sum(part.numel() for part in model.decoder_.parameters())
        return drawing + extra, model.n_parameters_ + extra
    extra += 2 * model.n_features_in_ if model.standardize else 0
    extra += 0 if model.coefficients == "mean" else (k + 1) * groups
    drawing = sum(d.coef_.size + d.intercept_.size for d in model.decoders_.values()) + extra
    tied = all(np.allclose(d.coef_.T, model.encoders_[label].components_) for label, d in model.decoders_.items())
    encoders = {id(e): e.components_.size + e.mean_.size for e in model.encoders_.values()}
    return drawing, drawing + (0 if tied else sum(encoders.values()))
