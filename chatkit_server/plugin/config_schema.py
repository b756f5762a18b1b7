"""The JSON Schema of the settings, with a part for each plugin that can be enabled."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import models_json_schema

from ..settings.problems import Problems
from ..settings.schema import Settings
from ..settings.types import as_written
from .discovery import discover
from .key_descriptions import KeyDescriptions

log = logging.getLogger(__name__)

DRAFT = "https://json-schema.org/draft/2020-12/schema"

_BUNDLED = "chatkit_plugins."

_VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_]"}
"""Text with a variable, of which an editor cannot know the value."""

_AS_TEXT = {
    "integer": r"^-?\d+$",
    "number": r"^-?\d+(\.\d+)?$",
    "boolean": "^([Tt]rue|[Ff]alse|yes|no|on|off)$",
}
"""What text is read as another type."""

_OUTSIDE = ("title", "description", "default", "deprecated", "examples")


def settings_schema(settings: Settings) -> dict[str, Any]:
    """Return the schema of settings files that have the plugin folders of these settings.

    It takes every valid file, and refuses unknown keys and wrong values as far as they can be told
    from the file alone. Plugins that cannot be imported take any keys.
    """
    models: dict[str, type[BaseModel] | None] = {}
    said: dict[str, str] = {}
    modules = dict(_modules(settings))
    for name, module in modules.items():
        models[name] = _config_of(name, module)
        said[name] = (inspect.getdoc(module) or "").partition("\n")[0] if module else ""
    used = [model for model in models.values() if model is not None]
    refs, defined = models_json_schema(
        [(Settings, "validation"), *((model, "validation") for model in dict.fromkeys(used))]
    )
    sections = {
        name: dict(refs[model, "validation"])
        if model is not None
        else {"type": "null"}
        if modules[name]
        else {}
        for name, model in models.items()
    }
    root = refs[Settings, "validation"]["$ref"].rpartition("/")[2]
    keys = KeyDescriptions(defined["$defs"])
    for name, field in defined["$defs"][root]["properties"].items():
        keys.add(name, field)
    for name, section in sections.items():
        if getattr(modules[name], "__name__", "").startswith(_BUNDLED):
            keys.add(name, section)
    definitions = {name: _finished(each) for name, each in defined["$defs"].items()}
    whole = definitions[root]
    described = {
        name: {"anyOf": [{"type": "null"}, section], "description": said[name]}
        for name, section in sections.items()
    }
    whole["properties"]["plugins"] = {
        "type": ["object", "null"],
        "description": "The plugins, in the order in which their hooks are called.",
        "properties": described,
        # Modules by their dotted names
        "patternProperties": {r"\.": {"type": ["object", "null"]}},
        "additionalProperties": False,
    }
    return {"$schema": DRAFT, "title": "Settings of chatkit-server", **whole, "$defs": definitions}


def _modules(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Yield the name of each plugin that can be enabled, and its module, None if it is broken."""
    found = discover(settings.plugin_dirs, Problems())
    for name in sorted(found):
        try:
            yield name, found[name].load()
        except (Exception, SystemExit) as error:
            # Of those that nobody has enabled, some miss their libraries
            if name in settings.plugins:
                text = "the plugin %s cannot be imported: %s: %s"
                log.warning(text, name, type(error).__name__, error)
            yield name, None


def _config_of(name: str, module: Any) -> type[BaseModel] | None:
    model = getattr(module, "Config", None)
    if not (inspect.isclass(model) and issubclass(model, BaseModel)):
        return None
    try:
        model.model_json_schema()
    except PydanticInvalidForJsonSchema as error:
        log.warning("the Config of the plugin %s has no schema: %s", name, error)
        return None
    return model


def _finished(schema: Any) -> Any:
    """Return a schema that takes what the settings take: variables, text, empty sections."""
    if isinstance(schema, list):
        return [_finished(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    done: dict[str, Any] = {
        key: {name: _finished(inner) for name, inner in value.items()}
        if key in ("properties", "patternProperties")
        else value
        if key in ("default", "enum", "const", "required", "examples")
        else _finished(value)
        for key, value in schema.items()
    }
    default = done.get("default")
    if "format" in done and isinstance(default, int | float):
        done["default"] = as_written(str(done["format"]), default)
    kind = str(done.get("type"))
    if kind == "object":
        done["type"] = ["object", "null"]
        if "properties" in done:
            # A key that is needed may come from a variable such as CHATKIT_PLUGINS__X__KEY
            done.pop("required", None)
            done.setdefault("additionalProperties", False)
        return done
    limited = kind in _AS_TEXT or "enum" in done or "const" in done or "pattern" in done
    return _or_variable(done, kind) if limited else done


def _or_variable(schema: Mapping[str, Any], kind: str) -> dict[str, Any]:
    told = {key: schema[key] for key in _OUTSIDE if key in schema}
    inner = {key: value for key, value in schema.items() if key not in _OUTSIDE}
    text = [{"type": "string", "pattern": _AS_TEXT[kind]}] if kind in _AS_TEXT else []
    return {**told, "anyOf": [inner, *text, _VARIABLE]}
