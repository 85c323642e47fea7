"""What a chapter does without an extra: it says so in a sentence, and goes on."""

from __future__ import annotations

from importlib.util import find_spec

MODULES = {
    "dask": ("dask", "distributed"),
    "deep": ("torch", "tqdm"),
    "fast": ("numba",),
    "plot": ("matplotlib",),
    "stores": ("pyarrow", "tqdm", "zarr"),
}


def needs(extra: str) -> bool:
    """Tell whether an extra is installed; where it is not, print a sentence that says how to get it.

        if needs("deep"):
            ...

    Raises
    ------
    ValueError
        If there is no such extra.
    """
    if extra not in MODULES:
        raise ValueError(f"extra={extra!r}; choose one of {', '.join(map(repr, MODULES))}")
    missing = [module for module in MODULES[extra] if find_spec(module) is None]
    if missing:
        print(f"Left out: this needs {' and '.join(missing)}, which pip install 'linvae[{extra}]' brings.")
    return not missing
