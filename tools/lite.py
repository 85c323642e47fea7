"""Gather what runs a chapter in the browser: python tools/lite.py build/lite

Pyodide, which is Python for the browser, comes from npm; the packages compiled for it from the address that its own
script names; the wheel of linvae is built here.  Each package must have the hash in Pyodide's lock.  What lies in the
folder already is not fetched again, so without a network they may be laid there by hand.  `lite.json` is written last,
when nothing lacks; book/_ext/run_here.py asks for it.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterable, Mapping
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PYODIDE = "314.0.3"
CORE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "pyodide-lock.json", "python_stdlib.zip")
ADDRESS = "https://cdn.jsdelivr.net/pyodide/v{}/full/"
PACKAGES = ("matplotlib", "numpy", "pandas", "scikit-learn", "scipy")
SECONDS = 60


def gather(folder: Path) -> str:
    """Fill the folder, and return a sentence that says what it holds, or what it lacks."""
    pyodide = folder / "pyodide"
    pyodide.mkdir(parents=True, exist_ok=True)
    complete = folder / "lite.json"
    complete.unlink(missing_ok=True)
    if any(not (pyodide / name).is_file() for name in CORE) and not fetch_core(pyodide):
        return f"npm brought no pyodide {PYODIDE}, so no chapter runs in the browser; try again with a network"
    lock = json.loads((pyodide / "pyodide-lock.json").read_text(encoding="utf-8"))
    if f'"{PYODIDE}"' not in (pyodide / "pyodide.mjs").read_text(encoding="utf-8"):
        return f"{pyodide} holds another pyodide than {PYODIDE}; remove it, and try again"
    needed = closure(lock["packages"], PACKAGES)
    for name in needed:
        if not fetch_package(pyodide, lock["packages"][name]):
            break
    lacking = [name for name in needed if not is_whole(pyodide, lock["packages"][name])]
    wheel = build_wheel(folder)
    if lacking:
        return (
            f"Pyodide {PYODIDE} and {wheel} are in {folder}, but {len(lacking)} of {len(needed)} packages are not "
            f"({', '.join(lacking)}): {ADDRESS.format(PYODIDE)} does not answer. Without them no chapter runs in the "
            f"browser. Try again with a network, or lay their files of that address into {pyodide}"
        )
    files = [wheel, *(f"pyodide/{name}" for name in (*CORE, *(lock["packages"][name]["file_name"] for name in needed)))]
    size = sum((folder / name).stat().st_size for name in files)
    found = {"wheel": wheel, "packages": list(PACKAGES), "megabytes": round(size / 1e6), "files": files}
    complete.write_text(json.dumps(found) + "\n", encoding="utf-8")
    return f"{folder} holds {found['megabytes']} MB; LINVAE_LITE={folder} make book puts them beside the pages"


def closure(packages: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Return the packages of the lock that these need, themselves among them."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += packages[name]["depends"]
    return sorted(found)


def is_whole(folder: Path, package: Mapping[str, Any]) -> bool:
    """Tell whether the folder holds the very file that the lock names."""
    path = folder / package["file_name"]
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == package["sha256"]


def fetch_core(folder: Path) -> bool:
    """Unpack Pyodide from npm."""
    with TemporaryDirectory() as scratch:
        try:
            subprocess.run(
                ["npm", "pack", "--silent", f"pyodide@{PYODIDE}"], cwd=scratch, check=True, stdout=subprocess.DEVNULL
            )
        except (OSError, subprocess.CalledProcessError):
            return False
        with tarfile.open(next(Path(scratch).glob("*.tgz"))) as packed:
            for name in CORE:
                (folder / name).write_bytes(packed.extractfile(f"package/{name}").read())
    return True


def fetch_package(folder: Path, package: Mapping[str, Any]) -> bool:
    """Fetch a package, unless it is there; tell whether it is now."""
    if not is_whole(folder, package):
        address = ADDRESS.format(PYODIDE) + package["file_name"]
        try:
            with urllib.request.urlopen(address, timeout=SECONDS) as answer:
                (folder / package["file_name"]).write_bytes(answer.read())
        except (OSError, HTTPException):
            return False
    return is_whole(folder, package)


def build_wheel(folder: Path) -> str:
    """Build the wheel of this package anew, and return its name."""
    for old in folder.glob("*.whl"):
        old.unlink()
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return next(folder.glob("*.whl")).name


if __name__ == "__main__":
    print(gather(Path(sys.argv[1])))
