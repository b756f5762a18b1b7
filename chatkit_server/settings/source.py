"""Where each setting was written, for error messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Source:
    """Where each key was written: a line of the file (from 1), or an overriding variable.

    `variables` are the names inside `${...}` for the keys whose text had some. `broken` are the
    keys without a usable value: what is wrong with them is reported already.
    """

    file: Path | None = None
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    variables: Mapping[KeyPath, str] = field(default_factory=dict)
    overrides: Mapping[KeyPath, str] = field(default_factory=dict)
    broken: set[KeyPath] = field(default_factory=set)

    def where(self, path: KeyPath) -> str:
        """Return `file:line: path`, with the line of the nearest key that was written down.

        A key that came from a variable such as `CHATKIT_SERVER__PORT` is `variable: path`.
        """
        name = dotted(path)
        for end in range(len(path), 0, -1):
            if variable := self.overrides.get(path[:end]):
                return f"{variable}: {name}"
            if line := self.lines.get(path[:end]):
                return f"{self.file}:{line}: {name}"
        return ": ".join(str(part) for part in (self.file, name) if part)

    def is_broken(self, path: KeyPath) -> bool:
        """Whether a key, one inside it or one around it has no usable value."""
        return any(path[: len(b)] == b[: len(path)] for b in self.broken)


def dotted(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)
