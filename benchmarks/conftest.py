"""What the benchmarks share: races that interleave rivals, and the file and the table that come out of them."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from linvae.book import results

if (threads := max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")) != 1:
    raise SystemExit(f"the BLAS has {threads} threads, and a ratio needs one: run this by `make bench`")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
OUT = results.SPEED
PACKAGES = ("linvae", "numpy", "scipy", "scikit-learn", "pot", "numba", "torch", "pymc", "numpyro", "jax", "dask",
            "pytest-benchmark")  # fmt: skip


class Book:
    """Collect what the benchmarks of one session find."""

    def __init__(self):
        self.rows, self.facts = [], {}

    def row(self, work, beside, seconds, rival, ratio, spread, *, faster=False, target=None, limit=None, note=""):
        """Add one line of the table; `ratio` is ours to the rival's, or with `faster` the rival's to ours."""
        met = None if target is None else bool(ratio >= target if faster else ratio <= target)
        self.rows.append({"work": work, "beside": beside, "seconds": seconds, "rival_seconds": rival, "ratio": ratio,
                          "ratio_low": spread[0], "ratio_high": spread[1], "faster": faster, "target": target,
                          "met": met, "note": note})  # fmt: skip
        if limit is not None:
            assert ratio >= limit if faster else ratio <= limit, f"{work}: {ratio:.3g} times {beside}, limit {limit}"


@pytest.fixture(scope="session")
def book(request):
    request.config._linvae_book = found = Book()
    return found


@pytest.fixture
def race(book, benchmark):
    """Time our work and its rivals by turns, A B C A B C, and add a line for each rival.

    The processor's seconds; a ratio is the median of the ratios round by round, its spread their quartiles.
    """

    def run(work, ours, rivals, rounds=9):
        clock, times = benchmark._timer, {name: [] for name in rivals}

        def turn():
            for name, (rival, _) in rivals.items():
                start = clock()
                rival()
                times[name].append(clock() - start)

        benchmark.pedantic(ours, setup=turn, rounds=rounds, warmup_rounds=1)
        own = np.array(benchmark.stats.stats.data)
        for name, (_, options) in rivals.items():
            theirs = np.array(times[name][1:])  # the first was a warm-up
            ratios = theirs / own if options.get("faster") else own / theirs
            book.row(work, name, float(np.median(own)), float(np.median(theirs)), float(np.median(ratios)),
                     np.quantile(ratios, [0.25, 0.75]).tolist(), **options)  # fmt: skip

    return run


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor():
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def pytest_sessionfinish(session):
    book = getattr(session.config, "_linvae_book", None)
    if book is None or not book.rows:
        return
    found = {
        "machine": {
            "system": platform.system(),
            "architecture": platform.machine(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "blas": sorted({pool["internal_api"] for pool in threadpool_info() if pool["user_api"] == "blas"}),
            "blas_threads": max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"),
        },
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "rows": book.rows,
        **book.facts,
    }
    old = json.loads(OUT.read_text()) if OUT.exists() else {}
    partial = session.config.option.keyword or session.testsfailed
    target = OUT if not partial else Path("build/speed-partial.json")
    target.parent.mkdir(exist_ok=True)
    found = rounded(found)
    target.write_text(json.dumps(old | found if partial else found, indent=1) + "\n")
    from speed import table

    text = table(found)
    if not partial:
        (HERE / "speed.md").write_text(text)
    print("\n" + text)


def rounded(value):
    """Keep five digits: a timing has no more."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(part) for part in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value
