"""Run the jobs of the big table side by side, keep each as soon as it is done, and write the results.

A finished job is kept in build/table/ under its kind, its arguments and the versions of the libraries, so an
interrupted run goes on where it stopped, and a renamed function costs nothing.  What the code was is remembered beside
each result, as provenance: `about["made_by"]` counts the jobs of each state of code and data.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import time
from collections import Counter
from collections.abc import Collection, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from linvae.book import results

from . import families
from .jobs import JOBS, Job, N, final_jobs, first_jobs

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "table"
WORKERS = 2
LIBRARIES = ("numpy", "scipy", "scikit-learn", "pot", "torch", "numba")


def versions() -> dict[str, str]:
    """Return the versions that a result may depend on, of the libraries that are here."""
    found = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def fingerprint() -> str:
    """Return a hash of the code and the data as they are."""
    digest = hashlib.sha256()
    code = [*(ROOT / "linvae").glob("*.py"), *Path(__file__).parent.glob("*.py")]
    for path in [*sorted(code), *sorted((ROOT / "linvae" / "data").glob("*mnist.npz"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def place(cache: Path, job: Job, libraries: dict[str, str]) -> Path:
    """Return where the result of a job is kept."""
    name = hashlib.sha256(json.dumps([*job, libraries], sort_keys=True).encode()).hexdigest()[:16]
    return cache / f"{job[0]}-{name}.json"


def work(path: Path, job: Job, made_by: str) -> dict[str, Any]:
    """Do one job, or take what an earlier run has kept."""
    if not path.is_file():
        kind, arguments = job
        start = time.process_time()
        result = arguments | JOBS[kind](**arguments)
        result |= {"cpu_seconds": time.process_time() - start, "made_by": made_by}
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(result), encoding="utf-8")
        part.replace(path)
    return json.loads(path.read_text(encoding="utf-8"))


def warm_up() -> None:
    """Train on two rows, so that no timed fit pays for what torch does once in a process."""
    families.network("CVAE", n_epochs=1, patience=None).fit(np.eye(2, 9, dtype=np.float32), [0, 1])


def run_all(pool: ProcessPoolExecutor, cache: Path, jobs: list[Job], words: str) -> list[tuple[str, dict[str, Any]]]:
    """Do the jobs side by side, and return kinds and results in the order of the jobs."""
    from tqdm import tqdm

    libraries, made_by = versions(), fingerprint()
    futures = [pool.submit(work, place(cache, job, libraries), job, made_by) for job in jobs]
    for _ in tqdm(as_completed(futures), total=len(jobs), desc=words, unit="job", smoothing=0):
        pass
    return [(kind, future.result()) for (kind, _), future in zip(jobs, futures, strict=True)]


def measure(cache: Path = CACHE, only: Collection[str] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the results of all jobs, kind by kind, and the images of the finalists.

    With `only` some families are tried and scored, and all else is taken as it is kept.
    """

    def asked(jobs: Iterable[Job]) -> list[Job]:
        return [job for job in jobs if not only or job[1].get("family") in only]

    cache.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(WORKERS, initializer=warm_up) as pool:
        done = run_all(pool, cache, asked(first_jobs()), "models")
        tries = [entry for kind, entry in done if kind == "try"]
        tries += [entry for kind, part in done if kind == "tries" for entry in part["tries"]]
        others = [entry for entry in results.jobs("try") if only and entry["family"] not in only]
        done += run_all(pool, cache, asked(final_jobs(tries + others)), "finalists")
    return added(*gathered(done), only) if only else gathered(done)


def added(
    result: dict[str, Any], images: dict[str, Any], only: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the kept results and images with those of some families in the place of what was kept of them."""
    before = results.kept()
    result["about"]["replaced"] = before["about"].get("replaced", 0)
    for kind in result.keys() - {"about"}:
        others = [job for job in before[kind] if job.get("family") not in only]
        result["about"]["replaced"] += len(before[kind]) - len(others)
        result[kind] = others + result[kind]
    result["about"]["made_by"] = dict(Counter(before["about"]["made_by"]) + Counter(result["about"]["made_by"]))
    result["about"]["cpu_minutes"] = round(before["about"]["cpu_minutes"] + result["about"]["cpu_minutes"], 1)
    with np.load(results.IMAGES) as drawn:
        return result, {name: drawn[name] for name in drawn if name.split(": ")[1] not in only} | images


def gathered(done: list[tuple[str, dict[str, Any]]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sort the results by kind, take the images out, and say how they came about."""
    result: dict[str, Any] = {kind: [] for kind in JOBS if kind != "tries"}
    images, seconds, makers = {}, 0.0, Counter()
    for kind, entry in done:
        seconds += entry.pop("cpu_seconds")
        makers[entry.pop("made_by")] += 1
        if "images" in entry:
            images[f"{entry['data']}: {entry['family']}"] = np.array(entry.pop("images"), np.uint8)
        if kind == "tries":
            result["try"] += rounded(entry["tries"])
        else:
            result[kind].append(rounded(entry))
    result["about"] = {
        "made_by": dict(makers),  # the fingerprints, and how many jobs each
        "replaced": 0,  # of these, that others have taken the place of
        "n": N,
        "cpu_minutes": round(seconds / 60, 1),  # of all jobs, those of earlier runs too
        "workers": WORKERS,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": versions(),
    }
    return result, images


def rounded(entry: Any) -> Any:
    """Return the same with six significant digits, so that the file stays small."""
    if isinstance(entry, dict):
        return {key: rounded(value) for key, value in entry.items()}
    if isinstance(entry, list):
        return [rounded(value) for value in entry]
    return float(f"{entry:.6g}") if isinstance(entry, float) else entry


def keep(result: dict[str, Any], images: dict[str, Any]) -> None:
    """Write the results where the chapters read them, a line for each job."""
    text = json.dumps(result, separators=(",", ":"))
    results.RESULTS.write_text(re.sub(r'(\[|,)(\{"data")', r"\1\n\2", text) + "\n", encoding="utf-8")
    np.savez_compressed(results.IMAGES, allow_pickle=False, **images)
