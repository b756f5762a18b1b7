"""Text that every store, model and JSON parser takes, made of text from anywhere.

Half an emoji (a surrogate without its other half) is no text: JSON written with it is refused, or
breaks whoever reads it. PostgreSQL refuses a NUL, and so do some models. Both become U+FFFD where
text comes in.
"""

from __future__ import annotations

import re
from datetime import datetime
from operator import is_not
from typing import Any

from pydantic import BaseModel

REPLACEMENT = "\ufffd"

DEPTH = 100
"""Levels of objects and lists that are looked at."""

_PLAIN = frozenset({type(None), bool, int, float, datetime})
"""Types without text in them. Subclasses of `str` are left alone: they are more than text."""

_ESCAPE = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
_ALONE = len(b"\\ud800")


def valid_text(text: str) -> str:
    """Return text without halves of characters and NULs; two halves in a row become one character.

    Text that has none is returned as it is.
    """
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\0", REPLACEMENT) if "\0" in text else text


def valid_values(value: Any, depth: int = DEPTH) -> Any:
    """Return a value with valid text in it: in lists, dicts, tuples and pydantic objects.

    What is valid already is returned as it is, and nothing is changed in place.
    """
    kind = type(value)
    if kind is str:
        return valid_text(value)
    if kind in _PLAIN or depth <= 0:
        return value
    if kind is list or kind is tuple:
        found = [valid_values(one, depth - 1) for one in value]
        if any(map(is_not, found, value)):
            return kind(found)
    elif kind is dict:
        changed = _changed(value, depth)
        if changed or any(type(k) is str and valid_text(k) is not k for k in value):
            return {valid_values(k): changed.get(k, one) for k, one in value.items()}
    elif isinstance(value, BaseModel):
        extra = value.__pydantic_extra__
        changed = _changed(value.__dict__, depth) | (_changed(extra, depth) if extra else {})
        return value.model_copy(update=changed) if changed else value
    return value


def _changed(fields: dict[Any, Any], depth: int) -> dict[Any, Any]:
    """Return those of the values that are not valid, in their valid form."""
    changed = {}
    for name, one in fields.items():
        if type(one) not in _PLAIN:
            found = valid_values(one, depth - 1)
            if found is not one:
                changed[name] = found
    return changed


def without_lone_escapes(data: bytes) -> bytes:
    r"""Return JSON whose escaped halves of characters (`\ud83d` alone) are U+FFFD.

    Parsers refuse all of a message for one of them.
    """
    if b"\\ud" not in data and b"\\uD" not in data:
        return data
    return _ESCAPE.sub(_whole, data)


def _whole(match: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if len(match[0]) == _ALONE else match[0]


class HalfJoiner:
    """Joins the halves of characters that come in two pieces of a text."""

    def __init__(self) -> None:
        self._half = ""

    @property
    def waits(self) -> bool:
        """Whether half a character waits for the other half."""
        return bool(self._half)

    def add(self, text: str) -> str:
        """Return valid text: half a character at its end waits for the next piece."""
        if text.isascii() and not self._half and "\0" not in text:
            return text
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return valid_text(text)

    def end(self) -> str:
        """Return what has waited for its other half in vain."""
        text, self._half = self._half, ""
        return valid_text(text)
