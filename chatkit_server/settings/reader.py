"""YAML becomes values, with the line and the variables of each key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError

from ..errors import SettingsError
from .problems import Problems
from .source import KeyPath, dotted

_VARIABLE = re.compile(r"(\$?)\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")

_WITHOUT_BRACES = re.compile(r"\$[A-Z_][A-Z0-9_]+")
"""What a shell would replace."""

_TOP = re.compile(r"([A-Za-z_][\w-]*)\s*:(?:\s|$)")
"""A key at the beginning of a line."""

_MERGE = "tag:yaml.org,2002:merge"

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
"""With colons, YAML reads them to the base 60, such as 12:30 as 750: nobody writes that here."""


class Reader:
    """Turns YAML into values, and remembers the line and the variables of each key.

    A value that cannot be read is None, and its key is in `broken`; `problems` has a line about it.
    `is_torn` says that lines could not be read, in which there may be any other key.
    """

    def __init__(self, file: Path, environ: Mapping[str, str], problems: Problems) -> None:
        self.file = file
        self.environ = environ
        self.problems = problems
        self.lines: dict[KeyPath, int] = {}
        self.variables: dict[KeyPath, str] = {}
        self.broken: set[KeyPath] = set()
        self.is_torn = False
        self.constructor = yaml.SafeLoader("")

    def read(self, text: str) -> dict[str, Any]:
        """Return the values. Sections with mistakes in their YAML are told, and left out.

        Raises `SettingsError` if nothing can be read at all.
        """
        try:
            root = self.root(text)
            data = None if root is None else self.value(root, ())
        except yaml.YAMLError as error:
            raise SettingsError(self.told(error)) from None
        except RecursionError:
            raise SettingsError(
                f"{self.file}: nested too deeply, or an alias is inside its own anchor"
            ) from None
        if data is not None and not isinstance(data, dict):
            raise SettingsError(f"{self.file}:1: expected sections such as `server:`, `plugins:`")
        return data or {}

    def root(self, text: str) -> yaml.Node | None:
        """Return the node of the file, or of the sections that can be read."""
        try:
            return yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError:
            sections = list(_sections(text))
            if not sections:
                raise
            whole: yaml.MappingNode | None = None
            told = len(self.problems.lines)
            for name, section in sections:
                try:
                    node = yaml.compose(section, Loader=yaml.SafeLoader)
                except yaml.MarkedYAMLError as error:
                    self.broken.add((name,))
                    self.is_torn = True
                    # The anchor may be in another section
                    if not isinstance(error, ComposerError):
                        self.problems.lines.append(self.told(error))
                    continue
                if isinstance(node, yaml.MappingNode):
                    whole = whole or yaml.MappingNode(node.tag, [], node.start_mark)
                    whole.value += node.value
            if len(self.problems.lines) == told:
                raise
            return whole

    def told(self, error: yaml.YAMLError) -> str:
        if not isinstance(error, yaml.MarkedYAMLError):
            return f"{self.file}: not valid YAML: {' '.join(str(error).split())}"
        # str(error) quotes the text around the mistake, which may be a secret
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f":{mark.line + 1}"
        told = ", ".join(part for part in (error.context, error.problem) if part)
        tab = ". Indent with spaces" if "'\\t'" in told else ""
        return f"{self.file}{line}: not valid YAML: {told}{tab}"

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines.setdefault(path, _line(node))
        if isinstance(node, yaml.MappingNode):
            pairs = self.pairs(node, path)
            for key, (key_node, _) in pairs.items():
                self.lines[(*path, key)] = _line(key_node)
            return {key: self.value(child, (*path, key)) for key, (_, child) in pairs.items()}
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, i)) for i, child in enumerate(node.value)]
        return self.scalar(node, path)

    def pairs(
        self, node: yaml.MappingNode, path: KeyPath
    ) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return the key and value nodes by key; `<<:` comes first and is overridden."""
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                for other in self.merged(value_node, path):
                    merged = {**self.pairs(other, path), **merged}
            elif not isinstance(key_node, yaml.ScalarNode):
                self.problem(key_node, path, "a key must be a plain word")
            elif key_node.value in own:
                self.problem(key_node, (*path, key_node.value), "this key is here twice. Keep one")
            else:
                own[key_node.value] = key_node, value_node
        return {**merged, **own}

    def merged(self, node: yaml.Node, path: KeyPath) -> list[yaml.MappingNode]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        sections = [other for other in nodes if isinstance(other, yaml.MappingNode)]
        if len(sections) < len(nodes):
            self.problem(node, path, "`<<` takes a section, or a list of sections")
        return sections

    def problem(self, node: yaml.Node, path: KeyPath, told: str) -> None:
        parts = (f"{self.file}:{_line(node)}", dotted(path), told)
        self.problems.lines.append(": ".join(part for part in parts if part))
        if path:
            self.broken.add(path)

    def scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        if _WITHOUT_BRACES.fullmatch(node.value):
            where = f"{self.file}:{_line(node)}: {dotted(path)}"
            self.problems.warnings.append(
                f"{where}: a name after `$` is text, and no variable. Write it in braces: ${{NAME}}"
            )
        if "${" in node.value:
            value = _VARIABLE.sub(lambda match: self.variable(match, node, path), node.value)
            return None if path in self.broken else value
        if ":" in node.value and node.tag in _NUMBERS:
            return node.value
        try:
            return self.constructor.construct_object(node)
        except (yaml.YAMLError, ValueError):
            kind = node.tag.rpartition(":")[2]
            self.problem(node, path, f"cannot be read as {kind}. Put it in quotes if it is text")
            return None

    def variable(self, match: re.Match[str], node: yaml.Node, path: KeyPath) -> str:
        escape, name, default = match.groups()
        if escape:
            return match[0][1:]
        if name is None:
            self.problem(
                node, path, "write ${NAME} or ${NAME:-default}, and $${ for the characters ${"
            )
            return ""
        names = [self.variables[path]] if path in self.variables else []
        self.variables[path] = ", ".join([*names, name])
        value = self.environ.get(name) or default
        if value is None:
            self.problem(
                node,
                path,
                f"the environment variable {name} is not set, or empty. Set it, or write a "
                f"default: ${{{name}:-value}}",
            )
        return value or ""


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each key at the top, behind as many empty lines as before."""
    lines = text.splitlines(keepends=True)
    starts = [(i, match[1]) for i, line in enumerate(lines) if (match := _TOP.match(line))]
    for (start, name), (end, _) in zip(starts, [*starts[1:], (len(lines), "")], strict=True):
        yield name, "\n" * start + "".join(lines[start:end])


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
