"""Make the data and the still pictures of the live figures: python tools/live.py [dials …]

Every number comes out of the package.  A figure `dials` gets `book/_static/live/dials.data.js`, a script that its
`dials.js` reads, and `dials.png`, which the page shows on paper and where no script runs.  tests/test_live.py computes
the numbers again.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.frozen import FrozenEstimator

from linvae import (
    PCA,
    EmpiricalDenoiser,
    GaussianDenoiser,
    LinearGenerativeModel,
    LocalDenoiser,
    MixturePPCA,
    PixelLink,
    VariationalMMLR,
)
from linvae.datasets import load_mnist
from linvae.metrics import nearest_train_distance
from linvae.plots import COLORS, ellipse, image_rows, use_style
from linvae.transport import wasserstein1

LIVE = Path(__file__).resolve().parents[1] / "book" / "_static" / "live"
LEVELS = 127


def text_of(array: Any) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def packed(rows: Any) -> dict[str, Any]:
    """Return rows of whole numbers from -127 to 127, each in a unit of its own: off by half a unit at the most."""
    unit = np.array([float(f"{size:.6g}") for size in np.abs(rows).max(axis=1) / LEVELS])
    whole = np.rint(rows / np.where(unit > 0, unit, 1)[:, None]).clip(-LEVELS, LEVELS)
    return {"rows": text_of(whole.astype(np.int8)), "unit": unit.tolist()}


def gray(images: Any) -> str:
    """Return images of gray levels from 0 to 1 as bytes."""
    return text_of(np.rint(255 * images).astype(np.uint8))


def floats(array: Any) -> str:
    return text_of(np.asarray(array, "<f4"))


def lower(triangle: Any) -> str:
    """Return the rows of a lower triangle, one after the other."""
    return floats(triangle[np.tril_indices(len(triangle))])


def rounded(array: Any, digits: int) -> Any:
    return (np.round(array, digits) + 0.0).tolist()


def dials() -> dict[str, Any]:
    """PCA of the digits, and ten test digits with their codes, in standard deviations."""
    (X_test, y_test), pca = load_mnist("test"), PCA(64).fit(load_mnist("train")[0])
    digits = X_test[[np.flatnonzero(y_test == digit)[1] for digit in range(10)]]
    sd = np.sqrt(pca.explained_variance_)
    _still_dials(pca, digits[4])
    return {
        "directions": packed(pca.components_),
        "mean": floats(pca.mean_),
        "sd": rounded(sd, 5),
        "digits": gray(digits),
        "codes": rounded(pca.transform(digits) / sd, 2),
    }


def _still_dials(pca: PCA, four: Any) -> None:
    z = pca.transform(four[None])[0]
    counts = [0, 1, 2, 4, 8, 16, 32, 64]
    sums = [pca.mean_ + z[:k] @ pca.components_[:k] for k in counts]
    ax = image_rows({"drawn": np.array([*sums, four])})
    ax.set_xticks(29 * np.arange(9) + 13.5, ["k = 0", *counts[1:], "real"])
    ax.tick_params(length=0)


def axis() -> dict[str, Any]:
    """The ten points of the chapter *autoencoder*."""
    points = np.column_stack([[0, 1, 2, 3, 3, 5, 5, 6, 7, 8], [1, 0, 2, 1, 3, 2, 4, 3, 5, 4]]).astype(float)
    _still_axis(points)
    return {"points": points.astype(int).tolist()}


def _still_axis(points: Any) -> None:
    mean, pca = points.mean(axis=0), PCA(1).fit(points)
    best = np.degrees(np.arctan2(*pca.components_[0, ::-1])) % 180
    axes = plt.subplots(1, 3, figsize=(7.2, 2.6))[1]
    for ax, degrees in zip(axes, (100, 60, best), strict=True):
        v = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
        landed = mean + np.outer((points - mean) @ v, v)
        lost, kept = np.mean(np.sum((points - landed) ** 2, axis=1)), np.mean(((points - mean) @ v) ** 2)
        ax.axline(mean, mean + v, color=COLORS["least squares"], linewidth=1.5)
        ax.plot(*np.stack([points, landed]).T.swapaxes(1, 2), color=COLORS["variational"], linewidth=1.5)
        ax.plot(*points.T, "o", color=COLORS["real"], markersize=5)
        ax.set(xlim=(-2.4, 10.4), ylim=(-3.9, 8.9), aspect="equal", xticks=[], yticks=[])
        ax.set_title(f"{degrees:.0f}°: kept {kept:.2f}, lost {lost:.2f}", fontsize=12)


def unexpected() -> dict[str, Any]:
    """The talk's decoder of the threes for every number of codes up to 64, and the distribution of their codes.

    With phi = (1, z) and R R' = Phi'Phi + I the decoder draws (R^-1 phi)' (R^-1 Phi'X), and the rows of R^-1 Phi'X do
    not change when later codes go: one table serves every k.
    """
    (X, y), (X_test, y_test) = load_mnist("train"), load_mnist("test")
    model = LinearGenerativeModel.from_talk(64).fit(X, y)
    three = model.cross_moments_[3]
    n, mean, covariance = three.n, three.mean_z, three.Szz / three.n
    ones, codes = np.r_[1, mean], np.zeros((65, 65))
    codes[1:, 1:] = three.Szz
    with_images = n * np.outer(ones, three.mean_x)
    with_images[1:] += three.Szx
    root = np.linalg.cholesky(codes + n * np.outer(ones, ones) + np.eye(65))
    real = X_test[y_test == 3][2]
    _still_unexpected(model, real)
    return {
        "n": n,
        "mean": rounded(mean, 5),
        "spread": lower(np.linalg.cholesky(covariance)),
        "terms": packed(np.linalg.solve(root, with_images) * model.pixel_scale_),
        "background": floats(model.pixel_mean_),
        "real": gray(real),
    }


def _still_unexpected(model: LinearGenerativeModel, real: Any) -> None:
    rows, rng = {}, np.random.default_rng(0)
    steps, cross = rng.normal(size=(8, 64)), model.cross_moments_[3]
    root = np.linalg.cholesky(cross.Szz / cross.n)
    for name, centre, spread in (
        ("N(0, I)", 0, np.eye(64)),
        ("own mean", cross.mean_z, np.eye(64)),
        ("own covariance", 0, root),
        ("both", cross.mean_z, root),
    ):
        rows[name] = model.inverse_transform(centre + steps @ spread.T, 3)
    image_rows(rows)


def bound() -> dict[str, Any]:
    """The two coefficients of the chapter *elbo*: twelve images with two codes that are alike."""
    rng = np.random.default_rng(6)
    Z = rng.normal(size=(12, 1)) + 0.5 * rng.normal(size=(12, 2))
    x = Z @ [1.0, 0.5] + 0.6 * rng.normal(size=12)
    _still_bound(Z, x)
    return {"n": 12, "ZZ": rounded(Z.T @ Z, 8), "Zx": rounded(Z.T @ x, 8), "xx": rounded(x @ x, 8)}


def _still_bound(Z: Any, x: Any) -> None:
    axes = plt.subplots(1, 3, figsize=(7.2, 2.9), sharex=True, sharey=True)[1]
    for ax, noise in zip(axes, (1, 10, 100), strict=True):
        P = Z.T @ Z / noise + np.eye(2)
        mean = np.linalg.solve(P, Z.T @ x / noise)
        ellipse([0, 0], np.eye(2), color=COLORS["controls"], ax=ax)
        ax.lines[-1].set_linestyle(":")
        ellipse(mean, np.linalg.inv(P), color=COLORS["real"], ax=ax)
        ellipse(mean, np.diag(1 / np.diag(P)), color=COLORS["variational"], ax=ax)
        ax.set(xlabel=r"$\beta_1$", aspect="equal", title=rf"$\sigma^2 = {noise}$", xlim=(-2.2, 2.6), ylim=(-2.2, 2.6))
    axes[0].set_ylabel(r"$\beta_2$")
    for text, place, color in (("posterior", (0.2, 2.0), "real"), ("best q", (1.0, -0.9), "variational")):
        axes[0].text(*place, text, color=COLORS[color])
    axes[0].text(0, -1.7, "prior", color="#555555", ha="center")


def averaging() -> dict[str, Any]:
    """The random decoders of the chapter *randomness*, of the sixes and of all digits; noise and prior fixed at one."""
    (X, y), (X_test, y_test) = load_mnist("train"), load_mnist("test")
    pca = PCA(16).fit(X)
    six, pooled = (
        VariationalMMLR(noise="fixed", prior="fixed").fit(pca.transform(X[rows]), X[rows]) for rows in (y == 6, y >= 0)
    )
    real = X_test[y_test == 6][[2, 20, 31, 44]]
    codes = np.round(pca.transform(real).astype(float), 3)
    _still_averaging(pca, six, pooled, codes)
    precision = np.diag(np.linalg.inv(pooled.coef_cov_))  # the codes of all digits are uncorrelated, with mean zero
    return {
        "mean": floats(pca.mean_),
        "directions": packed(pca.components_),
        "sixes": {
            "rows": packed(np.vstack([six.coef_.T, six.intercept_])),
            "root": lower(np.linalg.cholesky(six.coef_cov_)),
        },
        "all": {
            "shrink": rounded(1 - 1 / precision, 8),
            "root": lower(np.linalg.cholesky(pooled.coef_cov_)),
        },
        "codes": codes.tolist(),
        "real": gray(real),
    }


def _still_averaging(pca: PCA, six: VariationalMMLR, pooled: VariationalMMLR, codes: Any) -> None:
    rows, V = {}, pca.components_
    for T in (1, 16, 1024):
        both = []
        for decoder in (six, pooled):
            B, b = decoder.sample_average_coef(T, random_state=0)
            off = codes @ B.T + b - pca.mean_
            both.append(0.5 + off - off @ V.T @ V)
        rows[f"T = {T}"] = np.vstack([both[0], both[1]])
    ax = image_rows(rows)
    ax.set_xticks([29 * 2, 29 * 6], ["outside the span: sixes’ decoder", "decoder of all digits"])
    ax.tick_params(length=0)


def piles() -> dict[str, Any]:
    """Twelve test digits and twelve others, a class once but for threes and sevens; and the medians of the classes."""
    (X, y), (X_test, y_test) = load_mnist("train"), load_mnist("test")
    shown = [*range(10), 3, 7]
    left, right = (
        X_test[[np.flatnonzero(y_test == d)[at + 3 * (i > 9)] for i, d in enumerate(shown)]] for at in (10, 30)
    )
    medians = np.array([np.median(X[y == d], axis=0) for d in shown])
    _still_piles(left, {"other real digits": right, "medians of\nthe classes": medians})
    return {"left": gray(left), "right": gray(right), "medians": gray(medians), "seed": 3}


def _still_piles(left: Any, rivals: dict[str, Any]) -> None:
    ax = image_rows({"real digits": left, **rivals})
    for i, rival in enumerate(rivals.values(), 1):
        distance = wasserstein1(left.astype(float), rival.astype(float))
        ax.text(12 * 29 + 4, 29 * i + 14, f"$W_1$ = {distance:.1f}", va="center")


def draft() -> dict[str, Any]:
    """Five drafts of the chapter *denoisers*, linked, under noise, and what three denoisers guess at every step.

    The picture at the next noise t is guess + t / sigma (picture - guess), so guesses and the first noise are enough.
    """
    (X, y), X_test = load_mnist("train"), load_mnist("test")[0]
    shown, sigmas = [2, 3, 4, 5, 9], np.geomspace(4, 0.03, 9)[3:]
    mixture = MixturePPCA(n_parts=5, n_components=16, random_state=2).fit(X, y)
    link = PixelLink(FrozenEstimator(mixture), random_state=2).fit(X, y)
    drafts = mixture.sample(10, np.arange(10), random_state=2)[0]
    linked = link.link(drafts, np.arange(10))[shown]
    noise = np.random.RandomState(2).standard_normal((10, 784))[shown]
    walks, ends = {}, {"drafts": drafts[shown], "linked": linked}
    far = {0.06: 1, 0.12: 2, 0.25: 2, 0.5: 3, 1: 5, 2: 10, 4: 28}
    for name, denoiser in {
        "nearby": LocalDenoiser(far),
        "memory": EmpiricalDenoiser(),
        "linear": GaussianDenoiser(),
    }.items():
        denoiser.fit(X, y)
        x, guesses = linked + sigmas[0] * noise, []
        for sigma, following in zip(sigmas, [*sigmas[1:], 0], strict=True):
            guesses.append(denoiser.denoise(x, sigma, shown))
            x = guesses[-1] + following / sigma * (x - guesses[-1])
        nearest = np.linalg.norm(X - x[:, None], axis=2).argmin(axis=1)
        walks[name] = {"guesses": packed(np.vstack(guesses)), "nearest": gray(X[nearest])}
        ends[name] = x
    image_rows(ends)
    return {
        "digits": shown,
        "sigmas": rounded(sigmas, 6),
        "drafts": packed(drafts[shown]),
        "linked": packed(linked),
        "noise": packed(noise),
        "walks": walks,
        "new": rounded(np.median(nearest_train_distance(X_test, X)), 4),
    }


FIGURES = {
    "dials": dials,
    "draft": draft,
    "averaging": averaging,
    "axis": axis,
    "bound": bound,
    "piles": piles,
    "unexpected": unexpected,
}


def write(name: str) -> None:
    use_style()
    data = json.dumps(FIGURES[name](), separators=(",", ":"))
    (LIVE / f"{name}.data.js").write_text(
        f"// Made by tools/live.py.\nlinvaeLive.data.{name} = {data};\n", encoding="utf-8"
    )
    plt.savefig(LIVE / f"{name}.png", metadata={"Software": None})
    plt.close("all")


if __name__ == "__main__":
    for figure in sys.argv[1:] or FIGURES:
        write(figure)
