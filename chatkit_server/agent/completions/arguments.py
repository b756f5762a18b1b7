"""A tool call's arguments, which are to be a JSON object, from what models write instead."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ...mcp.limits import is_deep
from ...text import valid_values
from ..tools import DEEPEST

_DECODER = json.JSONDecoder()
_NOTHING: tuple[object, ...] = (None, "", [], {})
_MOST_WRAPPED = 3
"""How often an object may be encoded as a text in a text."""


def read_arguments(pieces: Sequence[str]) -> list[str] | None:
    """Return the objects in the pieces of one call's arguments, as JSON; None if they have none.

    There are several if a server runs several calls together. An object without keys is left out
    beside others, and one that comes twice is one: some servers begin with `{}`, and some end with
    a repetition. No arguments at all, whatever says so, are one object without keys.
    """
    text = "".join(pieces)
    found = _objects(text)
    if found is None:
        # A last piece that repeats everything, after pieces of which one was lost
        found = next((one for piece in reversed(pieces) if (one := _objects(piece))), None)
    if found is None:
        return None
    if len(found) == 1:
        [(value, written)] = found
        return [_written(value, written)]
    distinct: list[tuple[dict[str, Any], str]] = []
    for value, written in found:
        if value and all(value != other for other, _ in distinct):
            distinct.append((value, written))
    return [_written(value, written) for value, written in distinct] or ["{}"]


def _objects(text: str) -> list[tuple[dict[str, Any], str]] | None:
    """Return the objects that a text is made of, each with how it is written there."""
    found: list[tuple[dict[str, Any], str]] = []
    position = 0
    try:
        while (position := _skipped(text, position)) < len(text):
            value, end = _DECODER.raw_decode(text, position)
            written = text[position:end]
            position = end
            for _ in range(_MOST_WRAPPED):
                if isinstance(value, str) and value.strip():
                    written, value = value.strip(), json.loads(value)
            if value in _NOTHING:
                value, written = {}, "{}"
            if not isinstance(value, dict) or is_deep(value, DEEPEST) or not _is_strict(value):
                return None
            found.append((value, written))
    except (ValueError, RecursionError):
        return None
    return found or [({}, "{}")]


def _skipped(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _is_strict(value: Any) -> bool:
    """Whether strict JSON can hold a value: it has no `NaN` and no infinity."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _written(value: dict[str, Any], written: str) -> str:
    """Return an object as it was written, unless half characters have to be replaced in it."""
    sound = valid_values(value)
    return written if sound == value else json.dumps(sound, ensure_ascii=False)
