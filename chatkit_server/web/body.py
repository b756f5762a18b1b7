"""Read the body of a request, and say what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import orjson
from pydantic import ValidationError

from ..errors import BadRequest, TooLarge
from ..settings.problems import nearest

MAX_DEPTH = 100
"""Levels of lists and objects; pydantic and databases can read back about 200."""

MAX_VALUES = 100_000
"""Pydantic makes an error of about a kilobyte for each wrong value."""

_MAX_MESSAGE = 300
_OBJECT = "Input should be a JSON object"
_WORDS = {"model_type": _OBJECT, "model_attributes_type": _OBJECT, "dict_type": _OBJECT}


def read_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object in a body.

    Raises `BadRequest` if it is not one, or if a database could not store it, and `TooLarge` for
    more than `MAX_VALUES` values.
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
        raise BadRequest("The body contains a NUL character (\\u0000).")
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def validation_error(
    error: ValidationError,
    body: dict[str, Any],
    known: Callable[[tuple[int | str, ...]], Collection[str]] | None = None,
) -> BadRequest:
    """Return the error that names the first wrong field, by its path in the body.

    Where unknown fields are errors, `known` returns the fields of the object at a path.
    """
    first = error.errors(include_url=False)[0]
    location = first["loc"]
    path = _path(location, body, missing=first["type"] == "missing")[:_MAX_MESSAGE]
    if known is not None and first["type"] == "extra_forbidden":
        fields = known(location[:-1])
        hint = nearest(str(location[-1])[:50], fields)
        return BadRequest(f"{path}: unknown field.{hint} Known: {', '.join(fields)}")
    message = _WORDS.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    return BadRequest(f"{path or 'body'}: {message[:_MAX_MESSAGE]}")


def _path(location: tuple[int | str, ...], body: Any, *, missing: bool) -> str:
    """Return the path without the type names that pydantic adds for unions."""
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
