"""YAML becomes values, with the line and the variables of each key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..errors import SettingsError
from .source import KeyPath, dotted

_VARIABLE = re.compile(r"(\$?)\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")

_MERGE = "tag:yaml.org,2002:merge"


class Reader:
    """Turns YAML into values, and remembers the line and the variables of each key."""

    def __init__(self, file: Path, environ: Mapping[str, str]) -> None:
        self.file = file
        self.environ = environ
        self.lines: dict[KeyPath, int] = {}
        self.variables: dict[KeyPath, str] = {}
        self.constructor = yaml.SafeLoader("")

    def read(self, text: str) -> dict[str, Any]:
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            data = None if root is None else self.value(root, ())
        except yaml.MarkedYAMLError as error:
            # str(error) quotes the text around the mistake, which may be a secret
            mark = error.problem_mark or error.context_mark
            line = "" if mark is None else f":{mark.line + 1}"
            told = ", ".join(part for part in (error.context, error.problem) if part)
            raise SettingsError(f"{self.file}{line}: not valid YAML: {told}") from None
        except yaml.YAMLError as error:
            told = " ".join(str(error).split())
            raise SettingsError(f"{self.file}: not valid YAML: {told}") from None
        except RecursionError:
            raise SettingsError(
                f"{self.file}: nested too deeply, or an alias stands inside its own anchor"
            ) from None
        if data is not None and not isinstance(data, dict):
            raise SettingsError(f"{self.file}:1: expected sections such as `server:`, `plugins:`")
        return data or {}

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines.setdefault(path, _line(node))
        if isinstance(node, yaml.MappingNode):
            pairs = self.pairs(node)
            for key, (key_node, _) in pairs.items():
                self.lines[(*path, key)] = _line(key_node)
            return {key: self.value(child, (*path, key)) for key, (_, child) in pairs.items()}
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, i)) for i, child in enumerate(node.value)]
        return self.scalar(node, path)

    def pairs(self, node: yaml.MappingNode) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return the key and value nodes by key; those of `<<:` first, and overridden."""
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key_node, value_node in node.value:
            where = f"{self.file}:{_line(key_node)}"
            if key_node.tag == _MERGE:
                for other in self.merged(value_node, where):
                    merged = {**self.pairs(other), **merged}
            elif not isinstance(key_node, yaml.ScalarNode):
                raise SettingsError(f"{where}: a key must be a plain word")
            elif key_node.value in own:
                raise SettingsError(f"{where}: `{key_node.value}` is written twice here; keep one")
            else:
                own[key_node.value] = key_node, value_node
        return {**merged, **own}

    def merged(self, node: yaml.Node, where: str) -> list[yaml.MappingNode]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        sections = [other for other in nodes if isinstance(other, yaml.MappingNode)]
        if len(sections) < len(nodes):
            raise SettingsError(f"{where}: `<<` takes a section, or a list of sections")
        return sections

    def scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        if "${" in node.value:
            return _VARIABLE.sub(lambda match: self.variable(match, node, path), node.value)
        try:
            return self.constructor.construct_object(node)
        except (yaml.YAMLError, ValueError):
            kind = node.tag.rpartition(":")[2]
            raise SettingsError(
                f"{self.file}:{_line(node)}: {dotted(path)}: cannot be read as {kind}; "
                "put it in quotes if it is text"
            ) from None

    def variable(self, match: re.Match[str], node: yaml.Node, path: KeyPath) -> str:
        escape, name, default = match.groups()
        if escape:
            return match[0][1:]
        where = f"{self.file}:{_line(node)}: {dotted(path)}"
        if name is None:
            raise SettingsError(
                f"{where}: write ${{NAME}} or ${{NAME:-default}}, and $${{ for the characters ${{"
            )
        names = [self.variables[path]] if path in self.variables else []
        self.variables[path] = ", ".join([*names, name])
        value = self.environ.get(name) or default
        if value is None:
            raise SettingsError(
                f"{where}: the environment variable {name} is not set, or empty. "
                f"Set it, or write a default: ${{{name}:-value}}"
            )
        return value


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
