"""The body of a request: JSON that is safe to keep, and words for what does not fit."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import ValidationError

from ..errors import BadRequest, TooLarge

MAX_DEPTH = 100
"""Levels of lists and objects; pydantic and databases read back no more than about 200."""

MAX_VALUES = 100_000
"""Pydantic makes an error for each value that is wrong, about a kilobyte each."""

_MAX_MESSAGE = 300
_OBJECT = "Input should be a JSON object"
_WORDS = {"model_type": _OBJECT, "model_attributes_type": _OBJECT, "dict_type": _OBJECT}


def read_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object that a body is.

    Raises `BadRequest` for anything else, and for what no database can keep; `TooLarge` for more
    than `MAX_VALUES` values.
    """
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    _check(body)
    return body


def _check(body: dict[str, Any]) -> None:
    values = 0
    level: list[Any] = [body]
    depth = 0
    while level:
        values += len(level)
        depth += 1
        if values > MAX_VALUES:
            raise TooLarge(f"The body has more than {MAX_VALUES} values.")
        if depth > MAX_DEPTH:
            raise BadRequest(f"The body has more than {MAX_DEPTH} levels.")
        level = [child for value in level for child in _children(value)]


def _children(value: Any) -> list[Any]:
    if isinstance(value, str) and "\0" in value:
        # PostgreSQL cannot store it
        raise BadRequest("The body has a NUL character (\\u0000) in a text.")
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def validation_error(error: ValidationError, body: dict[str, Any]) -> BadRequest:
    """Return the error that names the first field that is wrong, by its path in the body."""
    first = error.errors(include_url=False)[0]
    path = _path(first["loc"], body, missing=first["type"] == "missing")
    message = _WORDS.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    return BadRequest(f"{path or 'body'}: {message[:_MAX_MESSAGE]}")


def _path(location: tuple[int | str, ...], body: Any, *, missing: bool) -> str:
    """Leave out the names of types, which pydantic adds for unions."""
    path = []
    value = body
    for position, part in enumerate(location, 1):
        keys = range(len(value)) if isinstance(value, list) else value
        if isinstance(keys, dict | range) and part in keys:
            value = value[part]
        elif not (missing and position == len(location)):
            continue
        path.append(str(part))
    return ".".join(path)
