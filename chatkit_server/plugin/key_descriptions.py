"""What editors say of the keys of the settings: `descriptions.json`, made of docs/settings.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

Schema = dict[str, Any]

OWN_SECTIONS = {"ModelTimeouts": "timeouts", "Profile": "profile"}
"""Definitions that stand in several places, and are described once."""

_REF = "#/$defs/"


class KeyDescriptions:
    """Adds the descriptions to the definitions of a schema; what a model says itself stays."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        text = files("chatkit_server.settings").joinpath("descriptions.json").read_text("utf-8")
        self._known: dict[str, dict[str, str]] = json.loads(text)
        self._definitions = definitions
        for name, section in OWN_SECTIONS.items():
            if name in definitions:
                self._describe(definitions[name], self._known[section], "")

    def add(self, section: str, schema: Schema) -> None:
        """Describe the keys of a section, which the schema refers to."""
        for _, definition in self._within(schema):
            self._describe(definition, self._known.get(section, {}), "")

    def _describe(self, definition: Schema, known: Mapping[str, str], prefix: str) -> None:
        for name, schema in definition.get("properties", {}).items():
            key = f"{prefix}{name}"
            if key in known:
                schema.setdefault("description", known[key])
            for step, inner in self._within(schema):
                if any(each.startswith(f"{key}.{step}") for each in known):
                    self._describe(inner, known, f"{key}.{step}")

    def _within(self, schema: Any, step: str = "") -> Iterator[tuple[str, Schema]]:
        """Yield the definitions that a schema refers to, after what stands for their names."""
        ref = str(schema.get("$ref", "")).removeprefix(_REF)
        if ref and ref not in OWN_SECTIONS:
            yield step, self._definitions[ref]
        for each in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
            yield from self._within(each, step)
        for key, name in (("additionalProperties", "NAME."), ("items", "N.")):
            if isinstance(inner := schema.get(key), dict):
                yield from self._within(inner, name)
