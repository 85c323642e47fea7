"""What is asked of rows, labels, codes, counts, variances and choices: the only home of such questions.

Each check returns what it was given in the form that the algebra wants, or raises an error that names the value, the
limit and the way out.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from numbers import Integral, Number, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils import check_random_state as _check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, validate_data

Array = NDArray[Any]

PIXEL_TYPES = [np.float64, np.float32, np.uint8]
"""What estimators take as it is; any other real type is cast to float64."""

CODE_TYPES = [np.float64, np.float32]
"""Of codes, and of the images that a decoder is fitted to."""

LARGEST_WHOLE = 2**53
"""Up to this float64 holds every whole number."""


def check_count(name: str, value: Any, least: int = 1) -> int:
    """Return a count, or say that it is not one."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}={value!r}; give a whole number of {least} or more")
    return int(value)


def check_positive(name: str, value: Any, what: str = "a variance") -> float:
    """Return a finite number above 0, or say that it is none."""
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 < float(value) < np.inf:
        raise ValueError(f"{name}={value!r}; {what} is a finite number above 0")
    return float(value)


def check_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """Return one of the choices, or list them."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}={value!r}; choose one of {', '.join(map(repr, choices))}")
    return value


def check_random_state(seed: Any) -> np.random.RandomState:
    """Return a RandomState from None, a whole number, a RandomState or a Generator, whose stream it then moves on."""
    if isinstance(seed, np.random.Generator):
        return np.random.RandomState(seed.bit_generator)
    return _check_random_state(seed)


def check_unmasked(X: Any, name: str) -> None:
    """Refuse a masked array, or a list of them: NumPy would drop the mask and keep what lies under it."""
    if any(map(np.ma.isMaskedArray, [X, *(X if isinstance(X, list | tuple) else ())])):
        raise ValueError(f"{name} is a MaskedArray, and its mask would be lost; fill the masked entries, or drop rows")


def check_whole(X: Any, name: str) -> None:
    """Refuse whole numbers that float64 would round, in an array or in a column of a frame."""
    if hasattr(X, "columns"):
        columns = [X.iloc[:, j] if hasattr(X, "iloc") else X[:, j] for j in range(X.shape[1])]
    else:
        columns = [X]
    for column in columns:
        dtype = getattr(column, "dtype", None)
        if getattr(dtype, "kind", None) == "O":
            ends = [value for value in np.ravel(column) if isinstance(value, Integral)]
        elif "int64" in str(dtype).lower() and len(column):  # NumPy's, and those of pandas, Arrow and polars
            ends = [column.min(), column.max()]
        else:
            continue
        if any(isinstance(end, Integral) and abs(int(end)) > LARGEST_WHOLE for end in ends):
            raise ValueError(
                f"{name} holds whole numbers beyond 2^53, which float64 cannot tell apart; subtract an offset"
            )


def check_rows(X: Any, name: str) -> Array:
    """Return X as an array (n, d) of real numbers, uncopied where it is one; frames of any kind are written out.

    NaN and infinity are left to whoever casts the rows chunk by chunk.
    """
    check_unmasked(X, name)
    if issparse(X) or hasattr(X, "toarray"):
        raise ValueError(f"{name} is a {type(X).__name__}; give a plain array, zeros written out")
    if hasattr(X, "columns") and hasattr(X, "dtypes"):  # pandas and polars, their nullable and Arrow columns too
        check_whole(X, name)
        try:
            X = check_array(X, dtype=PIXEL_TYPES, ensure_all_finite=False, ensure_min_samples=0, input_name=name)
        except (TypeError, ValueError) as error:
            what = str(error).splitlines()[0]
            raise ValueError(f"{name} has columns of other things ({what}); give real numbers") from error
    X = np.asarray(X)
    if X.ndim != 2:
        raise ValueError(f"{name} has shape {X.shape}; give one flat image a row, shape (n, d)")
    if X.dtype.kind not in "buif":
        raise ValueError(f"{name} has dtype {X.dtype}; give real numbers")
    return X


def check_floats(X: Any, name: str) -> Array:
    """Return finite rows X (n, d), at least one, as float64 in C order: what distances and densities are made of."""
    check_whole(X if hasattr(X, "dtype") else np.asarray(X), name)
    return np.asarray(check_array(check_rows(X, name), dtype=np.float64, order="C", input_name=name))


def check_pair(X: Any, Y: Any) -> tuple[Array, Array]:
    """Return two samples (n, d) and (m, d) as float64, or say that their widths differ."""
    X, Y = check_floats(X, "X"), check_floats(Y, "Y")
    if X.shape[1] != Y.shape[1]:
        raise ValueError(f"X has {X.shape[1]} pixels and Y has {Y.shape[1]}; give images of equal width")
    return X, Y


def check_images(estimator: Any, X: Any, y: Any = "no_validation", *, reset: bool = True, **options: Any) -> Any:
    """Return the images X (n, d) that an estimator is given, and the targets y (n,) or (n, m) if there are any.

    As scikit-learn's `validate_data`, which remembers width and names of the features in fit and compares them later;
    before it, masks and whole numbers beyond 2^53 are refused.
    """
    check_unmasked(X, "X")
    check_whole(X if hasattr(X, "dtype") or hasattr(X, "dtypes") else np.asarray(X), "X")
    options = {"dtype": PIXEL_TYPES} | options
    check_unmasked(y, "y")
    if issparse(y):
        raise ValueError(f"y is a {type(y).__name__}; give a plain array, such as y.toarray().ravel()")
    return validate_data(estimator, X, y, reset=reset, **options)


def check_labelled_images(estimator: Any, X: Any, y: Any, **options: Any) -> tuple[Array, Array]:
    """Return the images X (n, d) that an estimator is fitted on, and their labels y (n,): classes, no measurements."""
    if y is not None and not issparse(y) and not np.ma.isMaskedArray(y):
        labels = np.asarray(y)
        y = check_labels(labels, len(labels)) if labels.ndim == 1 else labels
    images, y = check_images(estimator, X, y, **options)
    check_classification_targets(y)
    return images, y


def group_images(estimator: Any, X: Any, y: Any = None, **options: Any) -> tuple[Array, list[Hashable], list[Array]]:
    """Return the images X (n, d), their sorted labels, and the row numbers of each; one label None where y is None."""
    if y is None:
        images: Array = check_images(estimator, X, **options)
        return images, [None], [np.arange(len(images))]
    images, y = check_labelled_images(estimator, X, y, **options)
    return images, *group_rows(y, len(images))


def check_codes(Z: ArrayLike, k: int) -> Array:
    """Return Z (n, k) as float32 or float64, or say what is wrong with its width."""
    check_unmasked(Z, "Z")
    codes: Array = check_array(Z, dtype=CODE_TYPES, input_name="Z")
    if codes.shape[1] != k:
        raise ValueError(f"Z has {codes.shape[1]} codes a row but the model was fitted with {k}; give shape (n, {k})")
    return codes


def check_labels(y: Any, n: int) -> Array:
    """Return one label for each of n rows: numbers, booleans, or text."""
    check_unmasked(y, "y")
    if issparse(y):
        raise ValueError(f"y is a {type(y).__name__}; give a plain array, such as y.toarray().ravel()")
    dtype = getattr(y, "dtype", None)
    # Of lists NumPy would write [1, "a"] as ["1", "a"]; of pandas' own types it keeps the missing values that way.
    y = np.asarray(y) if isinstance(dtype, np.dtype) else np.asarray(y, object)
    if y.shape != (n,):
        raise ValueError(f"y has shape {y.shape} beside {n} rows; give one label a row, shape ({n},)")
    if any(map(_is_missing, y)) if y.dtype == object else bool((y != y).any()):
        raise ValueError("y holds missing values: NA, None or NaN; give every row a label or drop it")
    if y.dtype == object:
        if len({isinstance(label, str) for label in y}) > 1:
            raise ValueError("y mixes text with other labels; give labels of one type")
        given, y = y.tolist(), np.asarray(y.tolist())
        changed = [label for label, kept in zip(given, y.tolist(), strict=True) if label != kept]
        if changed and y.dtype.kind in "biufUS":  # large numbers beside floats, text that ends in zeros
            raise ValueError(f"y holds {changed[0]!r}, which NumPy makes another label; give labels of one plain type")
    if y.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: y has dtype {y.dtype}; labels are real numbers or text")
    if y.dtype.kind not in "biufUST":
        raise ValueError(f"y has dtype {y.dtype}; labels are numbers or text, give y.astype(str)")
    return y


def _is_missing(label: Any) -> bool:
    """Tell None, NaN, NaT, and pandas' NA, which no import of pandas is needed to know."""
    if label is None or type(label).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(label, Number | np.generic) and bool(label != label)


def group_rows(y: Any, n: int) -> tuple[list[Hashable], list[Array]]:
    """Return the sorted labels of n rows and, for each, the row numbers that carry it."""
    labels, inverse = np.unique(check_labels(y, n), return_inverse=True)
    ends = np.cumsum(np.bincount(inverse, minlength=len(labels)))[:-1]
    return labels.tolist(), np.split(np.argsort(inverse, kind="stable"), ends) if len(labels) else []


def repeat_label(y: Any, n: int) -> Array:
    """Return n labels: y itself if it is an array of n, or one label repeated."""
    check_unmasked(y, "y")
    labels = np.asarray(y)
    if labels.ndim == 0:
        labels = np.full(n, y)
    if labels.shape != (n,):
        raise ValueError(f"y has shape {labels.shape}; give one label, or {n} of them")
    return labels


def known_rows(labels: Array, known: list[Hashable]) -> dict[Hashable, Array]:
    """Return the row numbers of each label, or name the labels that the model has not seen.

    A model without classes knows the one label None, and every row has it.
    """
    if known == [None]:
        return {None: np.arange(len(labels))}
    if labels.dtype == object and any(label is None for label in labels):
        raise ValueError(f"y is None, or holds None; give one of the classes {known}, or one for each row")
    found, inverse = np.unique(labels, return_inverse=True)
    unseen = [label for label in found.tolist() if label not in known]
    if unseen:
        raise ValueError(f"label {unseen[0]!r} was not seen in fit; the classes are {known}")
    return {label: np.flatnonzero(inverse == i) for i, label in enumerate(found.tolist())}


def check_same_width(a: int, b: int, what: str) -> None:
    """Refuse moments of different widths."""
    if a != b:
        raise ValueError(f"moments of {a} and of {b} {what} do not add; both sides need the same width")
