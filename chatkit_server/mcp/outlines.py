"""Whether a result fits its tool's output schema, as far as a short look tells.

A schema comes from the server: its patterns may take for ever to match, and its references lead
anywhere. So only types and the names of needed properties are looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp.types import Tool

OUTLINE = "chatkit-server/output"
"""The key of a tool's `_meta` for the outline of its output schema."""

_DEPTH = 5
_MOST = 200
_VALUES = 1000
_NAME = 60

_TYPES: dict[str, Callable[[Any], bool]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value == value // 1,
    "null": lambda value: value is None,
    "number": lambda value: _is_number(value),
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def outline(schema: Any) -> dict[str, Any]:
    """Return the part of a schema that `misfit` looks at: at most 200 properties, 5 levels."""
    return _outline(schema, _DEPTH, [_MOST])


def _outline(schema: Any, levels: int, left: list[int]) -> dict[str, Any]:
    left[0] -= 1
    if not isinstance(schema, dict) or levels == 0 or left[0] < 0:
        return {}
    found: dict[str, Any] = {}
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(kinds, list) and kinds and all(isinstance(k, str) and k in _TYPES for k in kinds):
        found["type"] = kinds[: len(_TYPES)]
    required = schema.get("required")
    if isinstance(required, list):
        names = [name for name in required[:_MOST] if isinstance(name, str) and len(name) <= _NAME]
        left[0] -= len(names)
        found["required"] = names
    properties = schema.get("properties")
    if isinstance(properties, dict):
        found["properties"] = {
            name: inner
            for name, value in list(properties.items())[:_MOST]
            if isinstance(name, str)
            and len(name) <= _NAME
            and (inner := _outline(value, levels - 1, left))
        }
    if inner := _outline(schema.get("items"), levels - 1, left):
        found["items"] = inner
    return found


def misfit(tool: Tool | None, value: Any) -> str | None:
    """Return how structured content does not fit the schema of its tool, None if it seems to."""
    if tool is None or value is None:
        return None
    found = (tool.meta or {}).get(OUTLINE)
    schema = found if isinstance(found, dict) else outline(tool.output_schema)
    return _misfit(schema, value, "the result", [_VALUES])


def _misfit(schema: dict[str, Any], value: Any, name: str, left: list[int]) -> str | None:
    left[0] -= 1
    if left[0] < 0:
        return None
    kinds = schema.get("type")
    if kinds and not any(_TYPES[kind](value) for kind in kinds):
        return f"{name} is not of the type {' or '.join(kinds)}"
    if isinstance(value, dict):
        for key in schema.get("required", ()):
            if key not in value:
                return f"`{key}` is missing"
        for key, inner in schema.get("properties", {}).items():
            if key in value and (problem := _misfit(inner, value[key], f"`{key}`", left)):
                return problem
    if isinstance(value, list) and (inner := schema.get("items")):
        for each in value[:_VALUES]:
            if problem := _misfit(inner, each, f"an entry of {name}", left):
                return problem
    return None
