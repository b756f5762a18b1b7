"""The names in the published types of `@openai/chatkit`: options, methods and events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.programs import missing

PACKAGE = Path(__file__).parents[2] / "plugins/chat_page/node_modules/@openai/chatkit"
_MEMBER = re.compile(r"\s*(?:readonly )?['\"]?([\w.]+)['\"]?\??\s*([:(])")
_BRACES = re.compile(r"\{[^{}]*\}")
_LEAVES = {"Entity", "Attachment", "UserMessageContent", "FontObject"}
"""Types of what is passed around: they have a section of their own, or none."""


class Published:
    """The declarations, without comments."""

    def __init__(self) -> None:
        file = PACKAGE / "types/index.d.ts"
        if not file.exists():
            missing(f"{file} is missing: cd plugins/chat_page && npm ci")
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", file.read_text(), flags=re.DOTALL)
        found = re.finditer(r"export (?:type|interface) (\w+)(?: extends \w+)?\s*=?\s*", text)
        self.types = {match[1]: _declaration(text, match.end()) for match in found}

    def options(self) -> list[str]:
        """Return the paths of all options, such as `composer.tools.pinned`."""
        return [*self._paths("ChatKitOptions", "")]

    def methods(self) -> set[str]:
        own = {name for name, _ in _members(self.types["OpenAIChatKit"])}
        return own - {"addEventListener", "removeEventListener"}

    def events(self) -> set[str]:
        return {name for name, _ in _members(self.types["ChatKitEvents"])}

    def _paths(self, type: str, prefix: str) -> Iterator[str]:
        for name, value in self._fields(type):
            path = f"{prefix}{name}"
            inner = [*self._paths(value, f"{path}.")]
            yield from inner or [path]

    def _fields(self, type: str) -> list[tuple[str, str]]:
        """Return the members of the objects in a type: a name, a literal, or a union."""
        return [member for each in self._objects(type) for member in _members(each)]

    def _objects(self, type: str) -> list[str]:
        """Return the object types in a type: itself, or those that its names and members are."""
        if type.startswith("{"):
            return [type]
        if "=>" in type:
            return []
        names = set(re.findall(r"\b[A-Z]\w+\b", type)) - _LEAVES
        named = [self.types[name] for name in sorted(names) if name in self.types]
        return [part for each in named for part in self._objects(each)] + _BRACES.findall(type)


def _declaration(text: str, start: int) -> str:
    """Return what a type is declared to be: up to the semicolon, or the end of its braces."""
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] in "{(" and 1) or (text[at] in "})" and -1) or 0
        if depth == 0 and text[at] in ";}" and not text[at + 1 :].lstrip().startswith("|"):
            return text[start : at + 1].strip().rstrip(";").strip()
    raise AssertionError(text[start : start + 80])


def _members(block: str) -> Iterator[tuple[str, str]]:
    """Yield the members of an object type, with the text of their types."""
    inside = block.strip()[1:-1]
    at = 0
    while found := _MEMBER.match(inside, at):
        start = found.end() - (found[2] == "(")
        end, depth = start, 0
        while end < len(inside) and (depth or inside[end] != ";"):
            depth += (inside[end] in "{(<" and 1) or ((inside[end] in "})" and -1) or 0)
            depth -= inside[end] == ">" and inside[end - 1] != "="
            end += 1
        yield found[1], inside[start:end].strip()
        at = end + 1
