"""The tools of a request, with schemas that an endpoint accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from .profile import Profile

_DEEPEST = 30
_TWICE = 2
_MOST = 2000
"""Levels of a loose schema, how often it may be in itself, and its parts: each reference is written
out, which has no end in a schema that refers to itself, and doubles what refers to something twice.
"""

_KEPT = (
    "title",
    "description",
    "default",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
)
"""Keywords that mean the same everywhere."""

_NAMED = ("array", "boolean", "integer", "number", "object", "string")
"""Types that have a name; servers refuse others."""

_FORMATS = ("date-time", "enum", "float", "double", "int32", "int64")
_NOTHING: dict[str, Any] = {"type": "object", "properties": {}}


@dataclass(slots=True)
class _Root:
    """A whole schema, and how many parts may still be written."""

    schema: dict[str, Any]
    left: int = _MOST


def fitted_tools(tools: Sequence[Any], profile: Profile) -> list[Any]:
    """Return the first tools, as many as a profile allows, in the form that it demands."""
    return [_fitted(tool, profile) for tool in tools[: profile.max_tools]]


def _fitted(tool: Any, profile: Profile) -> Any:
    function = tool.get("function") if isinstance(tool, Mapping) else None
    if not isinstance(function, Mapping):
        return tool
    fitted = {key: value for key, value in function.items() if value not in (None, "", False)}
    parameters = function.get("parameters") or _NOTHING
    if profile.schemas == "loose":
        parameters = orjson.loads(_loose_parameters(orjson.dumps(parameters, default=_plain)))
    elif "properties" not in parameters:
        # OpenAI refuses an object without them
        parameters = {"type": "object", **parameters, "properties": {}}
    fitted["parameters"] = parameters
    if not profile.strict:
        fitted.pop("strict", None)
    return {**tool, "function": fitted}


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else list(value)


@lru_cache(1000)
def _loose_parameters(schema: bytes) -> bytes:
    loose = loosened(orjson.loads(schema))
    return orjson.dumps({**loose, "type": "object", "properties": loose.get("properties", {})})


def loosened(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON schema in the part of the language that the simplest servers know.

    References are written out, constants become lists of one, several types become alternatives,
    and null becomes `nullable`. What cannot be said is left out: more is then allowed, and the
    tool checks its arguments itself.
    """
    return _loose(schema, _Root(schema), ())


def _loose(schema: Any, root: _Root, path: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(schema, dict):
        return {}
    path = (*path, str(schema.get("$ref") or schema.get("allOf") or ""))
    root.left -= 1
    if path[-1] and path.count(path[-1]) > _TWICE:
        return {"type": "object"}
    if len(path) > _DEEPEST or root.left < 0:
        return {}
    schema = _written_out(schema, root.schema)
    found = {key: schema[key] for key in _KEPT if key in schema}
    if schema.get("format") in _FORMATS:
        found["format"] = schema["format"]
    _add_types(schema, root, path, found)
    _add_values(schema, found)
    if "properties" in schema or found.get("type") == "object":
        _add_properties(schema, root, path, found)
    if found.get("type") == "array":
        items = schema.get("items", _any_of(schema.get("prefixItems")))
        # Gemini refuses lists of anything
        found["items"] = _loose(items, root, path) or {"type": "string"}
    return found


def _written_out(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with what it refers to, and with all that has to hold in one."""
    for _ in range(_DEEPEST):
        parts = [part for part in schema.get("allOf") or () if isinstance(part, dict)]
        target = _target(schema.get("$ref"), root)
        if target is not None:
            parts.append(target)
        if not parts and "$ref" not in schema and "allOf" not in schema:
            return schema
        own = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        schema = {}
        for part in (*parts, own):
            schema = _both(schema, part)
    return {}


def _both(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    both = {**first, **second}
    if "properties" in first and "properties" in second:
        both["properties"] = {**first["properties"], **second["properties"]}
    if "required" in first and "required" in second:
        both["required"] = list(dict.fromkeys([*first["required"], *second["required"]]))
    return both


def _target(reference: Any, root: dict[str, Any]) -> dict[str, Any] | None:
    """Return what `#/$defs/NAME` refers to."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found: Any = root
    for name in reference.removeprefix("#").strip("/").split("/"):
        key = name.replace("~1", "/").replace("~0", "~")
        if key:
            found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _any_of(schemas: Any) -> dict[str, Any]:
    return {"anyOf": schemas} if schemas else {}


def _add_types(
    schema: dict[str, Any], root: _Root, path: tuple[str, ...], found: dict[str, Any]
) -> None:
    kinds = schema.get("type")
    types = kinds if isinstance(kinds, list) else [kinds] if kinds else []
    named = [kind for kind in types if kind in _NAMED]
    options: list[Any] = [*(schema.get("anyOf") or ()), *(schema.get("oneOf") or ())]
    chosen = [one for one in options if not (isinstance(one, dict) and one.get("type") == "null")]
    if "null" in types or len(chosen) < len(options) or schema.get("nullable"):
        found["nullable"] = True
    if len(named) > 1 and not chosen:
        rest = {key: value for key, value in schema.items() if key in ("items", "properties")}
        chosen = [{**rest, "type": kind} for kind in named]
    elif named:
        found["type"] = named[0]
    elif "properties" in schema:
        found["type"] = "object"
    loose = [one for one in (_loose(option, root, path) for option in chosen) if one]
    if len(loose) == 1:
        found |= {**loose[0], **found}
    elif loose:
        found["anyOf"] = loose


def _add_values(schema: dict[str, Any], found: dict[str, Any]) -> None:
    """Add the values that are allowed; a list of others than texts is told in words."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(values, list):
        return
    if None in values:
        found["nullable"] = True
    texts = [value for value in values if isinstance(value, str)]
    if texts and len(texts) == len([value for value in values if value is not None]):
        found |= {"type": "string", "enum": texts}
        return
    told = "One of: " + ", ".join(orjson.dumps(value).decode() for value in values)
    found["description"] = " ".join(filter(None, (found.get("description"), told)))
    if "type" not in found and "anyOf" not in found and values:
        found["type"] = _TYPES.get(type(values[0]), "string")


_TYPES = {bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}


def _add_properties(
    schema: dict[str, Any], root: _Root, path: tuple[str, ...], found: dict[str, Any]
) -> None:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return
    found["properties"] = {name: _loose(inner, root, path) for name, inner in properties.items()}
    if required := [name for name in schema.get("required") or () if name in properties]:
        found["required"] = required
