"""Measure PyMC's ADVI and NUTS against the closed forms, on the talk's own model for one class of MNIST.

Needs the extra `bench`.  Writes linvae/data/advi.json and, beside itself, advi.md; with --render only advi.md.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import warnings
from functools import partial
from importlib.metadata import version
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
warnings.filterwarnings("ignore", "\nArviZ is undergoing", FutureWarning)
warnings.filterwarnings("ignore", "PyTensor could not link to a BLAS", UserWarning)

import arviz as az  # noqa: E402
import numpy as np  # noqa: E402
import pymc as pm  # noqa: E402
import pytensor  # noqa: E402
from threadpoolctl import threadpool_info  # noqa: E402

from linvae import LinearGenerativeModel, VariationalMMLR  # noqa: E402
from linvae.book.advi import KEPT  # noqa: E402
from linvae.datasets import load_mnist  # noqa: E402
from linvae.variational import CoefficientPosterior, Design, elbo  # noqa: E402

DIGIT, K, SEED, CHUNK = 6, 16, 0, 1000
BACKEND = "NUMBA"  # the quicker of PyTensor's two here; the default is timed too
CONVERGED = 0.01  # nats below the best mean-field ELBO, per coefficient
ADAM = [(0.03, 2000), (0.01, 2000), (0.003, 2000), (0.001, 3000), (0.0003, 3000), (0.0001, 3000)]  # rate, steps
BETA2 = 0.995  # the usual 0.999 remembers the first, huge gradients for ten thousand steps
CHAINS, TUNE, DRAWS, LIMIT = 4, 1000, 2000, 4.0  # LIMIT: Monte Carlo standard errors allowed to the worst coefficient
HERE = Path(__file__).resolve().parent


class Problem:
    """Hold one class of the talk's model: codes Z, standardised images X, both closed forms, and their seconds."""

    def __init__(self):
        images, labels = load_mnist()
        images = images.astype(np.float64)
        model = LinearGenerativeModel.from_talk(K).fit(images, labels)
        rows = images[labels == DIGIT]
        self.Z, self.X = model.transform(rows), (rows - model.pixel_mean_) / model.pixel_scale_
        self.inked = (rows > 0).mean(axis=0)
        self.elsewhere = (images > 0).mean(axis=0)
        self.design, self.ones = Design.of(model.cross_moments_[DIGIT]), np.ones(self.X.shape[1])
        self.seconds = {"full": [], "mean-field": []}
        self.exact, self.mean_field = (self.fit(family) for family in self.seconds)
        self.sds = {name: np.sqrt(fit.posterior_.marginal_variances()).T  # (c, 1): all pixels share them
                    for name, fit in (("full", self.exact), ("mean-field", self.mean_field))}  # fmt: skip

    def fit(self, family):
        model = VariationalMMLR(family, "fixed", 1.0, prior="fixed", prior_variance=1.0)
        start = time.process_time()
        model.fit(self.Z, self.X)
        self.seconds[family].append(time.process_time() - start)
        return model

    def compare(self, mean, sd):
        """Compare coefficients (c, d) that have these means and sds, independent, with the closed forms."""
        best = self.mean_field.posterior_.mean
        bound = elbo(CoefficientPosterior(mean, np.eye(len(mean)), sd.T**2), self.design, self.ones, np.ones(len(mean)))
        gap = self.mean_field.elbo_ - bound
        return {
            "means_relative_difference": np.linalg.norm(mean - best) / np.linalg.norm(best),
            "means_rms_difference_in_sds": np.sqrt(np.mean(((mean - best) / self.sds["mean-field"]) ** 2)),
            "sd_ratio_to_mean_field": np.median(sd / self.sds["mean-field"]),
            "sd_ratio_to_full": np.median(sd / self.sds["full"]),
            "elbo": bound,
            "gap_to_mean_field": gap,
            "gap_per_coefficient": gap / mean.size,
            "gap_to_evidence": self.mean_field.log_evidence_ - bound,
        }


def talk_model(Z, X):
    with pm.Model(coords={"code": range(Z.shape[1]), "pixel": range(X.shape[1])}) as model:
        B = pm.Normal("B", 0, 1, dims=("code", "pixel"))
        b = pm.Normal("b", 0, 1, dims="pixel")
        pm.Normal("x", pm.math.dot(Z, B) + b, 1, observed=X)
    return model


def advi(problem, optimizer, stages, backend):
    """Run ADVI by chunks of steps, between which its q is measured and the closed forms are timed."""
    rate = pytensor.shared(float(stages[0][0]))
    with pytensor.config.change_flags(mode=backend), talk_model(problem.Z, problem.X):
        inference = pm.ADVI(random_seed=SEED)
        start = time.process_time()
        inference.fit(1, obj_optimizer=optimizer(learning_rate=rate), progressbar=False)
        compiling, seconds, steps, trace = time.process_time() - start, 0.0, 1, []
        for value, length in stages:
            rate.set_value(value)
            for _ in range(length // CHUNK):
                todo = CHUNK - steps % CHUNK
                start = time.process_time()
                inference.refine(todo, progressbar=False)
                seconds, steps = seconds + time.process_time() - start, steps + todo
                laws = inference.approx.mean_data, inference.approx.std_data
                found = problem.compare(*(np.vstack([law["B"], law["b"]]) for law in laws))
                trace.append({"steps": steps, "gap_per_coefficient": found["gap_per_coefficient"]})
                for family in problem.seconds:
                    problem.fit(family)
    last = -inference.hist[-CHUNK:]
    return {
        "steps": steps,
        "stages": stages,
        "seconds_to_compile": compiling,
        "seconds": seconds,
        **found,
        "converged": bool(found["gap_per_coefficient"] <= CONVERGED),
        "pymc_elbo_last_steps": last.mean(),
        "pymc_elbo_standard_error": last.std() / np.sqrt(len(last)),
        "trace": trace,
    }


def nuts(problem):
    """Sample three pixels' coefficients and set means and sds against the exact ones, in Monte Carlo errors."""
    pixels = {
        "well inked": int(np.argmax(problem.inked)),
        "rarely inked": int(np.argmin(abs(problem.inked - 0.02))),
        "constant in the class": int(np.argmax(np.where(problem.inked == 0, problem.elsewhere, -1))),
    }
    chosen = list(pixels.values())
    with pytensor.config.change_flags(mode=BACKEND), talk_model(problem.Z, problem.X[:, chosen]):
        start = time.process_time()
        draws = pm.sample(DRAWS, tune=TUNE, chains=CHAINS, cores=1, random_seed=SEED, progressbar=False)
        seconds = time.process_time() - start

    def table(statistic):
        found = statistic(draws.posterior)
        return np.vstack([found["B"], found["b"]])

    mean, sd = table(lambda p: p.mean(("chain", "draw"))), table(lambda p: p.std(("chain", "draw"), ddof=1))
    z_mean = abs(mean - problem.exact.posterior_.mean[:, chosen]) / table(partial(az.mcse, method="mean"))
    spread = table(lambda p: az.mcse((p - p.mean(("chain", "draw"))) ** 2, method="mean"))  # of the variance
    z_sd = abs(sd - problem.sds["full"]) / (spread / (2 * sd))
    size, ratio = table(partial(az.ess, method="bulk")), sd / problem.sds["full"]
    return {
        "seconds": seconds,
        "chains": CHAINS,
        "draws": DRAWS,
        "tune": TUNE,
        "divergences": int(draws.sample_stats["diverging"].sum()),
        "largest_rhat": table(az.rhat).max(),
        "within_monte_carlo_error": bool(max(z_mean.max(), z_sd.max()) <= LIMIT),
        "pixels": [
            {
                "which": which,
                "row": pixel // 28,
                "column": pixel % 28,
                "inked": problem.inked[pixel],
                "mean_largest_z": z_mean[:, i].max(),
                "mean_rms_z": np.sqrt(np.mean(z_mean[:, i] ** 2)),
                "sd_largest_z": z_sd[:, i].max(),
                "sd_ratio_lowest": ratio[:, i].min(),
                "sd_ratio_highest": ratio[:, i].max(),
                "mean_field_sd_ratio": np.median(problem.sds["mean-field"][:, 0] / sd[:, i]),
                "smallest_ess": size[:, i].min(),
            }
            for i, (which, pixel) in enumerate(pixels.items())
        ],
    }


def measure():
    problem = Problem()
    adadelta = advi(problem, pm.adadelta, [(1.0, 10_000)], BACKEND)
    adam = advi(problem, partial(pm.adam, beta2=BETA2), ADAM, BACKEND)
    default = advi(problem, pm.adadelta, [(1.0, CHUNK)], pytensor.config.mode)
    posterior = nuts(problem)
    packages = ("linvae", "pymc", "pytensor", "numba", "arviz", "numpy", "scipy", "scikit-learn")
    return {
        "data": f"digit {DIGIT} of load_mnist(): {len(problem.Z)} images, {problem.X.shape[1]} pixels, k = {K}",
        "seed": SEED,
        "machine": {
            "system": platform.system(),
            "architecture": platform.machine(),
            "cores": os.cpu_count(),
            "blas_threads": max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"),
        },
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "coefficients": problem.mean_field.posterior_.mean.size,
        "log_evidence": problem.exact.log_evidence_,
        "closed_form": {
            name: {
                "seconds": np.median(problem.seconds[name]),
                "fits_timed": len(problem.seconds[name]),
                "elbo": fit.elbo_,
                "gap_to_evidence": fit.log_evidence_ - fit.elbo_,
                "sd_ratio_to_full": np.median(problem.sds[name] / problem.sds["full"]),
            }
            for name, fit in (("full", problem.exact), ("mean-field", problem.mean_field))
        },
        "advi": {
            "backend": BACKEND,
            "adadelta": adadelta,
            "adam": adam,
            "default_backend_seconds_per_1000_steps": default["seconds"] * 1000 / default["steps"],
        },
        "nuts": posterior,
    }


def rows_of(result):
    """Return the lines of the first table."""
    exact, mf = result["closed_form"]["full"], result["closed_form"]["mean-field"]
    runs = [result["advi"]["adadelta"], result["advi"]["adam"]]

    def row(name, first, second, key, form):
        return f"| {name} | {first} | {second} | " + " | ".join(format(run[key], form) for run in runs) + " |"

    for run in runs:
        run["seconds_ratio"] = run["seconds"] / mf["seconds"]
    same = "0 (the same means)"
    return [
        "| | exact (`full`) | `mean-field` | ADVI, Adadelta | ADVI, Adam |",
        "|---|---|---|---|---|",
        row("steps", "closed form", "closed form", "steps", ",d"),
        row("CPU seconds, compilation left out", f"{exact['seconds']:.4f}", f"{mf['seconds']:.4f}", "seconds", ".1f"),
        row("the same, ratio to `mean-field`", f"{exact['seconds'] / mf['seconds']:.2g}", "1", "seconds_ratio", ",.0f"),
        row("CPU seconds to compile (less once cached)", "–", "–", "seconds_to_compile", ".1f"),
        row("means: relative Frobenius difference", same, same, "means_relative_difference", ".2%"),
        row("means: rms difference, in mean-field sds", same, same, "means_rms_difference_in_sds", ".2f"),
        row("sds: median ratio to `mean-field`", f"{1 / mf['sd_ratio_to_full']:.3f}", "1",
            "sd_ratio_to_mean_field", ".3f"),
        row("sds: median ratio to exact", "1", f"{mf['sd_ratio_to_full']:.3f}", "sd_ratio_to_full", ".3f"),
        row("ELBO, nats", f"{exact['elbo']:,.1f}", f"{mf['elbo']:,.1f}", "elbo", ",.1f"),
        row("gap to the evidence, nats", f"{abs(exact['gap_to_evidence']):,.1f}", f"{mf['gap_to_evidence']:,.1f}",
            "gap_to_evidence", ",.1f"),
        row("gap to the best mean-field ELBO, nats", "–", "0", "gap_to_mean_field", ",.1f"),
        row("the same for each coefficient", "–", "0", "gap_per_coefficient", ".4f"),
    ]  # fmt: skip


def verdict(name, run):
    steps, gap = f"{run['steps']:,} steps of {name}", f"{run['gap_per_coefficient']:.4f} nat per coefficient"
    if not run["converged"]:
        return f"{steps} have **not converged**: they end {gap} below the best mean-field ELBO, above {CONVERGED}."
    close = run["means_relative_difference"] < 0.01 and abs(run["sd_ratio_to_mean_field"] - 1) < 0.01
    agree = "agree" if close else "do **not** agree"
    return f"{steps} have converged ({gap}, at most {CONVERGED}); means and sds {agree} with the closed form to 1 %."


def render(result):
    runs, sampled, machine = result["advi"], result["nuts"], result["machine"]
    adam, fits = runs["adam"], result["closed_form"]["full"]["fits_timed"]
    way = ", ".join(f"{t['gap_per_coefficient']:.3g} after {t['steps']:,}" for t in runs["adadelta"]["trace"][3:])
    estimate = f"{adam['pymc_elbo_last_steps']:,.1f} ± {adam['pymc_elbo_standard_error']:,.1f}"
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    stages = ", ".join(f"{steps:,} at {rate:g}" for rate, steps in adam["stages"])
    slow = runs["default_backend_seconds_per_1000_steps"]
    quick = runs["adadelta"]["seconds"] * 1000 / runs["adadelta"]["steps"]
    lines = [
        "# The talk's ADVI and NUTS beside the closed forms",
        "",
        "Written by `python benchmarks/advi.py`; do not edit. All figures: [advi.json](../linvae/data/advi.json).",
        "",
        f"Data: {result['data']}; pixels standardised and one PCA fitted on all ten digits. Model: coefficients and",
        f"intercepts N(0, 1), noise of variance 1; {result['coefficients']:,} coefficients in all.",
        f"One run, seed {result['seed']}; {machine['system']} {machine['architecture']}, {machine['cores']} cores,",
        f"{machine['blas_threads']} BLAS thread. {versions}.",
        "",
        "## Mean-field ADVI",
        "",
        *rows_of(result),
        "",
        f"- {verdict('Adadelta', runs['adadelta'])} Gap per coefficient on the way: {way}.",
        f"- {verdict('Adam', adam)} Its learning rate falls: {stages}; beta2 is {BETA2}.",
        "  These were chosen on a simulation of this problem, so that it does converge: a favour to ADVI.",
        "- Every ELBO is `linvae.variational.elbo`, exact at the q that each method found. PyMC's own noisy estimate,",
        f"  over the last {CHUNK:,} steps of Adam, is {estimate} (one standard error).",
        f"- The closed forms are fitted from the rows; medians of {fits} fits, spread over the runs of ADVI.",
        f"- PyTensor's backend is {runs['backend']}: {quick:.1f} CPU s for 1,000 steps; its default takes {slow:.1f}.",
        "",
        "## NUTS on three pixels",
        "",
        f"{sampled['chains']} chains of {sampled['draws']:,} draws after {sampled['tune']:,} of tuning; "
        f"{sampled['seconds']:.0f} CPU s with compilation, {sampled['divergences']} divergences,",
        f"largest R-hat {sampled['largest_rhat']:.4f}. z is the distance from the exact posterior in Monte Carlo",
        f"standard errors; each pixel has {K + 1} coefficients.",
        "",
        "| pixel (row, column) | inked in | means: largest z (rms) | sds: largest z | sds: ratio NUTS / exact | "
        "sds: median ratio mean-field / NUTS | smallest ESS |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {p['which']} ({p['row']}, {p['column']}) | {p['inked']:.1%} | {p['mean_largest_z']:.2f} "
            f"({p['mean_rms_z']:.2f}) | {p['sd_largest_z']:.2f} | {p['sd_ratio_lowest']:.3f} to "
            f"{p['sd_ratio_highest']:.3f} | {p['mean_field_sd_ratio']:.3f} | {p['smallest_ess']:,.0f} |"
            for p in sampled["pixels"]
        ),
        "",
        f"NUTS and the exact posterior {'agree' if sampled['within_monte_carlo_error'] else 'do **not** agree'} within "
        f"Monte Carlo error (no z above {LIMIT:g} among {2 * 3 * (K + 1)}).",
    ]
    return "\n".join(lines) + "\n"


def main():
    if "--render" not in sys.argv:
        KEPT.write_text(json.dumps(measure(), indent=1, default=float) + "\n")
    text = render(json.loads(KEPT.read_text()))
    (HERE / "advi.md").write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
