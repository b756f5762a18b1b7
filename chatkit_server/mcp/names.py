"""The names of MCP servers' tools for the model, which stay as they are.

A conversation has the names of earlier turns in it, and so may an agent's instructions.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Collection, Iterator, Sequence

from mcp.types import Tool

from .connection import McpConnection

_LENGTH = 64
_NOT_LEGAL = re.compile(r"[^A-Za-z0-9_-]")
_MOST = 1000
"""How many tools of a server are remembered that it does not have any more."""


class ToolNames:
    """Gives each tool of some servers a name, and no two the same.

    A tool keeps its name for as long as this object lives, whatever becomes of the other tools. Of
    several servers with a tool of one name, that which comes first in the list keeps it, and the
    others put their own names in front, as all do that have a `prefix`.
    """

    def __init__(self) -> None:
        self._names: dict[McpConnection, dict[str, str]] = {}
        self._used: set[str] = set()

    def update(self, connections: Sequence[McpConnection]) -> None:
        """Give names to the tools that have none yet."""
        for connection in connections:
            known = self._names.setdefault(connection, {})
            # In an order that does not depend on that in which the server lists them
            for tool in sorted({tool.name for tool in connection.tools} - known.keys(), key=_rank):
                known[tool] = _free(_choices(connection, tool), self._used)
                self._used.add(known[tool])
            if len(known) > len(connection.tools) + _MOST:
                self._forget(connection)

    def _forget(self, connection: McpConnection) -> None:
        listed = {tool.name for tool in connection.tools}
        known = self._names[connection]
        self._used.difference_update(name for tool, name in known.items() if tool not in listed)
        self._names[connection] = {tool: name for tool, name in known.items() if tool in listed}

    def of_server(self, connection: McpConnection) -> dict[str, str]:
        """Return the names of the tools that a server has now, by those that it gives them."""
        known = self._names[connection]
        return {tool.name: known[tool.name] for tool in connection.tools}

    def of_turn(
        self, connections: Sequence[McpConnection], taken: Collection[str]
    ) -> Iterator[tuple[McpConnection, Tool, str]]:
        """Yield each tool with its name; it has another where its own is `taken` by an agent's.

        Servers of the turn itself give way to those that are known here.
        """
        used = {*taken}
        for connection in connections:
            used.update(self._names.get(connection, {}).values())
        for connection in connections:
            known = self._names.get(connection)
            for tool in connection.tools:
                name = known[tool.name] if known is not None else None
                if name is None or name in taken:
                    name = _free(_choices(connection, tool.name), used)
                    used.add(name)
                yield connection, tool, name


def _rank(tool: str) -> tuple[bool, str]:
    """Have names that need no change come first, so that no other takes them."""
    return _legal(tool) != tool, tool


def _choices(connection: McpConnection, tool: str) -> Iterator[str]:
    if connection.prefix is None:
        yield _legal(tool)
    named = _legal(f"{connection.prefix or connection.name}_{tool}")
    yield named
    for number in itertools.count():
        yield _shorten(named, f"{connection.name}\0{tool}" + "\0" * number)


def _free(choices: Iterator[str], used: Collection[str]) -> str:
    return next(name for name in choices if name not in used)


def _legal(name: str) -> str:
    legal = _NOT_LEGAL.sub("_", name)
    return legal if len(legal) <= _LENGTH else _shorten(legal, name)


def _shorten(name: str, seed: str) -> str:
    mark = hashlib.sha256(seed.encode()).hexdigest()[:8]
    return f"{name[: _LENGTH - len(mark) - 1]}_{mark}"
