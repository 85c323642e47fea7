"""What the chapters need beside the models: numbers that travel from a cell into the prose.

A number in the prose is never typed.  A cell computes it, `glue` keeps it, and the page quotes it by name.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def glue(name: str, value: Any, digits: int = 4) -> None:
    """Keep a number, or a word, under a name that the prose can quote.

    A float is rounded to `digits` significant digits first, so that another machine's last digits change nothing.
    Without the extra `linvae[book]` there is no page to quote it, and nothing is kept.

    Parameters
    ----------
    name : str
    value : number or str
    digits : int
        Significant digits, 1 or more.
    """
    try:
        from myst_nb import glue as keep
    except ModuleNotFoundError:
        return
    if isinstance(value, np.generic):
        value = value.item()
    keep(name, float(f"{value:.{digits - 1}e}") if isinstance(value, float) else value, display=False)
