"""Reasoning as objects, such as Claude's thinking blocks: they go back as they came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...text import valid_values
from ..output import OutputMeter

_TEXTS = ("text", "thinking", "summary")
"""Fields whose pieces are joined."""

_CLOSED = ("signature", "data")
"""Fields that an object has at its end."""


class DetailCollector:
    """Joins the pieces of the objects, by the field of a chunk that they came in."""

    def __init__(self, meter: OutputMeter) -> None:
        self._meter = meter
        self._found: dict[str, list[dict[str, Any]]] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, details: Mapping[str, list[Any]]) -> None:
        """Take the objects of a chunk."""
        for name, pieces in details.items():
            for piece in pieces:
                if isinstance(piece, dict):
                    self._meter.reasoning(len(str(piece)))
                    self._join(self._found.setdefault(name, []), piece)

    def _join(self, found: list[dict[str, Any]], piece: Mapping[str, Any]) -> None:
        last = found[-1] if found else None
        if last is None or not _continues(last, piece):
            found.append(dict(piece))
            return
        for key, value in piece.items():
            if key in _TEXTS and isinstance(value, str) and isinstance(last.get(key), str):
                last[key] += value
            elif value not in (None, ""):
                last[key] = value

    def found(self) -> dict[str, Any]:
        """Return all objects, by the name of their field."""
        return {name: valid_values(objects) for name, objects in self._found.items()}


def _continues(last: Mapping[str, Any], piece: Mapping[str, Any]) -> bool:
    if last.get("type") != piece.get("type") or last.get("index") != piece.get("index"):
        return False
    return not any(last.get(key) for key in _CLOSED)
