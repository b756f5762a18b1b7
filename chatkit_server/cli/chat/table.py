"""Small tables as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unicodedata import east_asian_width


def table(rows: Sequence[Sequence[Any]]) -> list[str]:
    """Return the lines of a table whose first row is its head; numbers stand to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(map(_padded, row, given, widths)).rstrip()
        for row, given in zip(cells, rows, strict=True)
    ]


def _cell(value: Any) -> str:
    return " ".join(str(value).split())


def _padded(cell: str, value: Any, width: int) -> str:
    spaces = " " * (width - _width(cell))
    return spaces + cell if isinstance(value, int | float) else cell + spaces


def _width(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)
