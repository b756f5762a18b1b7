"""Read the body of a request, and say what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import orjson
from pydantic import ValidationError

from ..errors import BadRequest, TooLarge
from ..settings.problems import nearest, path_of
from ..text import without_lone_escapes

MAX_DEPTH = 100
"""Levels of lists and objects; pydantic and databases can read back about 200."""

MAX_VALUES = 20_000
"""The default of `server.limits.values`. Twenty thousand wrong values cost pydantic 30 ms."""

MAX_MARKS = 1_000_000
"""Characters that take a parser time, also in texts: brackets, quotes, commas, colons, backslashes.

A million of them take about as long as the largest body that is one text.
"""

_MANY_ERRORS = 100
"""Pydantic takes about 8 µs to describe each."""

_MAX_MESSAGE = 300
_OBJECT = "Input should be a JSON object"
_WORDS = {"model_type": _OBJECT, "model_attributes_type": _OBJECT, "dict_type": _OBJECT}
_NOT_MARKS = bytes(set(range(256)) - set(b'[{",:\\'))


def read_object(data: bytes, max_values: int = MAX_VALUES) -> dict[str, Any]:
    """Return the JSON object in a body.

    What would take long to parse is refused before. Raises `BadRequest` if it is not an object, or
    if a database could not store it, and `TooLarge` for more than `max_values` values.
    """
    marks = marks_of(data)
    if len(marks) > max_values and not _are_few(data, marks, max_values):
        raise TooLarge(
            f"The body has more than {max_values} values. Send fewer at once, or have "
            "`server.limits.values` raised."
        )
    body = _parsed(data)
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    if marks.count(b"[") + marks.count(b"{") >= MAX_DEPTH or b"\\u0000" in data:
        _check(body)
    return body


def _parsed(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        repaired = without_lone_escapes(data)
        if repaired != data:
            # A page cut a text within an emoji; what was meant is not lost for that
            return _parsed(repaired)
        raise BadRequest(f"The body is not JSON: {error}") from None


def marks_of(data: bytes) -> bytes:
    """Return the characters of JSON that take a parser time."""
    return data.translate(None, _NOT_MARKS)


def check_marks(count: int) -> None:
    """Raise `TooLarge` for more than `MAX_MARKS`."""
    if count > MAX_MARKS:
        raise TooLarge(
            f"The body has more than {MAX_MARKS} brackets, quotes, commas, colons and backslashes. "
            "Send less at once."
        )


def _are_few(data: bytes, marks: bytes, max_values: int) -> bool:
    """Whether the body has so few values, counted without parsing it.

    What looks like values may be in a text, such as a message full of commas.
    """
    check_marks(len(marks))
    if b"\\" in marks:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
        marks = marks_of(data)
    if marks.count(b'"') > 2 * max_values:
        return False
    outside_texts = b'""'.join(marks.split(b'"')[::2])
    # The first value has nothing before it
    return 1 + len(outside_texts.translate(None, b'"\\')) <= max_values


def _check(body: dict[str, Any]) -> None:
    level: list[Any] = [body]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise BadRequest(f"The body has more than {MAX_DEPTH} levels.")
        level = [child for value in level for child in _children(value)]


def _children(value: Any) -> list[Any]:
    if isinstance(value, str) and "\0" in value:
        # PostgreSQL cannot store it
        raise BadRequest("The body contains a NUL character (\\u0000).")
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def _is_other_kind(error: Any) -> bool:
    return error["type"] == "string_type" and isinstance(error["input"], dict)


def validation_error(
    error: ValidationError,
    body: dict[str, Any],
    known: Callable[[tuple[int | str, ...]], Collection[str]] | None = None,
) -> BadRequest:
    """Return the error that names the first wrong field, by its path in the body.

    Where unknown fields are errors, `known` returns the fields of the object at a path.
    """
    if error.error_count() > _MANY_ERRORS:
        return BadRequest(f"The body has {error.error_count()} wrong values.")
    errors = error.errors(include_url=False)
    # Of a text or an object, the object that was given is what is wrong
    first = next((one for one in errors if not _is_other_kind(one)), errors[0])
    location = first["loc"]
    path = ".".join(map(str, path_of(first, body)))[:_MAX_MESSAGE]
    if known is not None and first["type"] == "extra_forbidden":
        fields = known(location[:-1])
        hint = nearest(str(location[-1])[:50], fields)
        return BadRequest(f"{path}: unknown field.{hint} Known: {', '.join(fields)}")
    message = _WORDS.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    return BadRequest(f"{path or 'body'}: {message[:_MAX_MESSAGE]}")
