"""Halves of characters beyond U+FFFF, which JSON can write alone and UTF-8 cannot hold."""

from __future__ import annotations

import re

_HALF = re.compile("[\ud800-\udfff]")
_FIRST_HALF = re.compile("[\ud800-\udbff]$")


def is_whole(text: str) -> bool:
    """Whether a text has no half characters."""
    return text.isascii() or not _HALF.search(text)


def whole(text: str) -> str:
    """Return text in which each pair of halves is one character, and a lone half is U+FFFD."""
    if is_whole(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def whole_values(value: object) -> object:
    """Return a value that was JSON with all its texts and keys made whole."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, list):
        return [whole_values(one) for one in value]
    if isinstance(value, dict):
        return {whole(str(key)): whole_values(one) for key, one in value.items()}
    return value


class HalvesJoiner:
    """Joins halves that come in different pieces of a text."""

    def __init__(self) -> None:
        self._held = ""

    def add(self, piece: str) -> str:
        """Return what can be shown of the text with this piece; a first half at its end waits."""
        if not self._held and piece.isascii():
            return piece
        text, self._held = self._held + piece, ""
        if _FIRST_HALF.search(text):
            text, self._held = text[:-1], text[-1]
        return whole(text)

    def end(self) -> str:
        """Return what has waited for its other half in vain."""
        text, self._held = self._held, ""
        return whole(text)
