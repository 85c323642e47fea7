"""Tables are frames: a cell computes a pandas frame, and ends in `table(frame, caption=...)`.

What comes out is a table that a screen reader can follow (a caption, headers that know their rows and columns, units
beside the names), and as text the same rows, which a test can compare.  A number is rounded here and nowhere else.
Needs pandas, of the extra `linvae[chapters]`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from html import escape
from numbers import Integral, Real
from typing import Any

MISSING = "–"
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, repr=False)
class Table:
    """A table as a page shows it: every entry is text already."""

    caption: str
    header: tuple[str, ...]
    units: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    bold: frozenset[tuple[str, str]] = frozenset()
    rules: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        names = [f"{name} ({unit})" if unit else name for name, unit in zip(self.header, self.units, strict=True)]
        lines = [tuple(names), *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [
            "  ".join(
                entry.rjust(width) if number else entry.ljust(width)
                for entry, width, number in zip(line, widths, self.numeric, strict=True)
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.caption, *text])

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th scope="col"{_side(number)}>{escape(name)}'
            + (f' <span class="unit">({escape(unit)})</span>' if unit else "")
            + "</th>"
            for name, unit, number in zip(self.header, self.units, self.numeric, strict=True)
        )
        body = "\n".join(
            ('<tr class="rule">' if first in self.rules else "<tr>")
            + f'<th scope="row">{escape(first)}</th>'
            + "".join(
                f"<td{_side(number)}>{self._strong(first, name, entry)}</td>"
                for entry, name, number in zip(rest, self.header[1:], self.numeric[1:], strict=True)
            )
            + "</tr>"
            for first, *rest in self.rows
        )
        return (
            f'<table class="frame dataframe">\n<caption>{escape(self.caption)}</caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
        )

    def _strong(self, row: str, column: str, entry: str) -> str:
        return f"<strong>{escape(entry)}</strong>" if (row, column) in self.bold else escape(entry)


def table(
    frame: Any,
    *,
    caption: str,
    digits: int | Mapping[str, int] | None = None,
    units: Mapping[str, str] | None = None,
    bold: Collection[tuple[str, str]] = (),
    rules: Collection[str] = (),
) -> Table:
    """Return a frame as a table for the page; the index becomes the first column.

    Parameters
    ----------
    frame : pandas.DataFrame or pandas.Series
        One level of rows and one of columns.  Name the index: its name heads the first column.
    caption : str
        What to see in it.
    digits : int, {column: int} or None
        Decimals, of all columns or of each, with commas between thousands; a column without gets four significant
        digits.  Whole numbers and words stay as they are, missing ones become a dash.
    units : {column: unit} or None
        Set beside the name of the column, such as {"seconds": "s"}.
    bold : collection of (row, column)
        Entries to set in bold, such as the best of a column.
    rules : collection of rows
        Rows with a line above them, where a group begins.

    Raises
    ------
    ValueError
        If the frame has several levels, the caption is empty, or a column or row that is named is not in the frame.

    Examples
    --------
    >>> import pandas as pd
    >>> table(pd.DataFrame({"error": [21.07, 8.3]}, index=pd.Index([16, 64], name="k")), caption="Test error", digits=1)
    Test error
    k   error
    16   21.1
    64    8.3
    """
    import pandas as pd

    if isinstance(frame, pd.Series):
        frame = frame.to_frame()
    if not isinstance(frame, pd.DataFrame):
        raise ValueError(f"a {type(frame).__name__} is no frame; give a pandas.DataFrame")
    if frame.index.nlevels > 1 or frame.columns.nlevels > 1:
        levels = max(frame.index.nlevels, frame.columns.nlevels)
        raise ValueError(f"the frame has {levels} levels of headers; reset_index() or join the names, a table has one")
    if not caption.strip():
        raise ValueError("caption is empty; say what to see in the table")
    columns = [str(column) for column in frame.columns]
    decimals = dict.fromkeys(columns, digits) if isinstance(digits, int) else dict(digits or {})
    units = dict(units or {})
    head = str(frame.index.name or "")
    for unknown in (set(decimals) - set(columns)) | (set(units) - {head, *columns}):
        raise ValueError(f"there is no column {unknown!r}; the frame has {', '.join(columns)}")
    index = [_entry(label, None) for label in frame.index]
    for unknown in (set(rules) | {row for row, _ in bold}) - set(index):
        raise ValueError(f"there is no row {unknown!r}; the frame has {', '.join(index)}")
    for unknown in {column for _, column in bold} - set(columns):
        raise ValueError(f"there is no column {unknown!r}; the frame has {', '.join(columns)}")
    entries = [
        (_entry(label, None), *(_entry(v, decimals.get(c)) for c, v in zip(columns, values, strict=True)))
        for label, values in zip(frame.index, frame.itertuples(index=False, name=None), strict=True)
    ]
    return Table(
        caption=caption,
        header=(head, *columns),
        units=(units.get(head, ""), *(units.get(column, "") for column in columns)),
        rows=tuple(entries),
        numeric=(False, *(_is_numeric(frame.iloc[:, j]) for j in range(len(columns)))),
        bold=frozenset(bold),
        rules=frozenset(rules),
    )


def _entry(value: Any, digits: int | None) -> str:
    if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
        return MISSING
    if not isinstance(value, Real):
        return str(value)
    if isinstance(value, Integral):
        text = str(value)
    else:
        text = f"{float(value):.4g}" if digits is None else f"{float(value):,.{digits}f}"
    if text.startswith("-"):  # a rounded zero has no sign
        return MINUS + text[1:] if float(text.replace(",", "")) else text[1:]
    return text


def _is_numeric(column: Any) -> bool:
    present = [value for value in column if _entry(value, 0) != MISSING]
    return bool(present) and all(isinstance(value, Real) and not isinstance(value, bool) for value in present)


def _side(number: bool) -> str:
    return ' class="number"' if number else ""
