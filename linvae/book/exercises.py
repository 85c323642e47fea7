"""Checks of exercises: `check("naive-warmup", answer)` says that an answer is right, or gives a hint.

The answers lie in `checks.json`, sealed so that they cannot be read at a glance: a number as its bits, a word or a
count as a salted hash.  `seal` makes an entry of that file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from textwrap import fill
from typing import Any

import numpy as np


@dataclass(frozen=True, repr=False)
class Checked:
    """What a check found; a cell that ends in it shows the sentence."""

    right: bool
    sentence: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.sentence


def check(name: str, answer: Any) -> Checked:
    """Compare an answer with the one kept under that name: right, or a hint.

    Parameters
    ----------
    name : str
        Of the exercise, as the exercise gives it.
    answer : number, array, str or bool

    Raises
    ------
    ValueError
        If no check has that name.
    """
    kept = _kept()
    if name not in kept:
        raise ValueError(f"no check is named {name!r}; there are {', '.join(sorted(kept)) or 'none yet'}")
    return compare(name, answer, kept[name])


def seal(
    name: str, answer: Any, *, hint: str, within: float | None = None, wrong: Mapping[Any, str] | None = None
) -> dict[str, Any]:
    """Return the entry of `checks.json` for an answer.

    Parameters
    ----------
    name : str
    answer : number or array with `within`; word, count or bool without
    hint : str
        What to think of next, for whoever is not there yet.
    within : float or None
        Absolute tolerance of a number; None asks for the very word or count.
    wrong : {answer: hint} or None
        Answers that a known mistake gives, each with the hint that mends it.

    Raises
    ------
    ValueError
        If the hint is empty, the tolerance is not above 0, or a wrong answer passes as right.

    Examples
    --------
    >>> entry = seal("collapse-warmup", 784, hint="Count the columns of B.")
    >>> compare("collapse-warmup", 16, entry)
    Not yet. Count the columns of B.
    """
    if not hint.strip():
        raise ValueError(f"{name} has no hint; say what to think of next")
    if within is None:
        entry: dict[str, Any] = {"hash": _hash(name, answer)}
        hints = [[_hash(name, other), text] for other, text in (wrong or {}).items()]
    else:
        if not within > 0:
            raise ValueError(f"within={within}; give a tolerance above 0, or leave it out for a word or a count")
        entry = {"number": _bits(answer), "within": within}
        hints = [[_bits(other), text] for other, text in (wrong or {}).items()]
    entry |= {"hint": hint} | ({"wrong": hints} if hints else {})
    for other in wrong or {}:
        if compare(name, other, entry):
            raise ValueError(f"{name}: {other!r} is listed as wrong and passes as right; narrow `within`")
    return entry


def compare(name: str, answer: Any, entry: Mapping[str, Any]) -> Checked:
    """Compare an answer with a sealed one."""
    if answer is ... or (isinstance(answer, list) and any(part is ... for part in answer)):
        return _not_yet("Put your answer in the place of the three dots.")
    if "hash" in entry:
        if _hash(name, answer) == entry["hash"]:
            return Checked(True, "Right.")
        hints = [text for other, text in entry.get("wrong", []) if _hash(name, answer) == other]
        return _not_yet(hints[0] if hints else entry["hint"])
    within, truth = entry["within"], _numbers(entry["number"])
    try:
        given = np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        return _not_yet(f"A {type(answer).__name__} is no number; give {_shape(truth)}.")
    if given.shape != truth.shape:
        return _not_yet(f"Give {_shape(truth)}; this is {_shape(given)}.")
    if not np.isfinite(given).all():
        return _not_yet("There is a NaN or an infinity in it; look for a division by zero, or a logarithm of it.")
    if np.all(np.abs(given - truth) <= within):
        return Checked(True, f"Right, within {within:g}.")
    for other, text in entry.get("wrong", []):
        if np.all(np.abs(given - _numbers(other)) <= within):
            return _not_yet(text)
    return _not_yet(entry["hint"])


def hints(name: str) -> tuple[list[str], str]:
    """Return what a check says to the wrong answers it knows, and what to any other."""
    entry = _kept()[name]
    return list(dict.fromkeys(text for _, text in entry.get("wrong", []))), entry["hint"]


COLUMNS = 64
"""What an exercise shows of a line without scrolling, at 1,280 px."""


@cache
def _kept() -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(files("linvae.book").joinpath("checks.json").read_text(encoding="utf-8"))
    return kept


def _not_yet(hint: str) -> Checked:
    return Checked(False, fill(f"Not yet. {hint}", COLUMNS))


def _hash(name: str, answer: Any) -> str:
    """Return the hash of a word or a count, salted with the name; case and spaces around a word do not count."""
    if isinstance(answer, np.generic):
        answer = answer.item()
    if isinstance(answer, str):
        answer = answer.strip().casefold()
    if isinstance(answer, float) and answer.is_integer():
        answer = int(answer)
    return sha256(f"{name}: {answer!r}".encode()).hexdigest()[:16]


def _bits(answer: Any) -> Any:
    numbers = np.asarray(answer, dtype=float)
    return numbers.item().hex() if numbers.ndim == 0 else [_bits(row) for row in numbers]


def _numbers(bits: Any) -> np.ndarray[Any, Any]:
    return np.array(float.fromhex(bits) if isinstance(bits, str) else [_numbers(row) for row in bits])


def _shape(numbers: np.ndarray[Any, Any]) -> str:
    return f"an array of shape {numbers.shape}" if numbers.ndim else "one number"
