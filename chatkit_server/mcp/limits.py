"""What an MCP server may make large, and how fast it may send."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agents.mcp import MCPServer

log = logging.getLogger(__name__)

_NAME_LENGTH = 128
_DEPTH = 64

PART = 64
"""How many bytes of a limit each object and each list counts at least: they take time to copy."""

_DENSE = 16
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)

_LINE = 2_000
_RATE = 2_000_000
_BURST = 16_000_000


@dataclass(frozen=True)
class McpLimits:
    """The limits of one server. Sizes are in bytes.

    `tools` is the number of its tools, `tools_size` what their list may take with all descriptions
    and schemas, `message` the size of one message, unpacked.
    """

    tools: int = 200
    tools_size: int = 256_000
    message: int = 1_000_000

    @classmethod
    def of(cls, server: MCPServer) -> McpLimits:
        """Return the limits that a server object has as attributes: `max_tools` and so on."""
        return cls(
            getattr(server, "max_tools", cls.tools),
            getattr(server, "max_tools_size", cls.tools_size),
            getattr(server, "max_message", cls.message),
        )


class McpRefused(Exception):
    """What a server sent is beyond a limit; the message says which, and what to do."""


class Reporter:
    """Logs what is wrong with a server, each reason at most once a minute.

    `refused` is the last thing that was refused, until the server is connected again. `problem` is
    what the connection met, in words, and `stage` how far the last request had come; see
    `failures`. Nothing is logged while it `is_quiet`, which is so after the first failure to
    connect. `interrupted` is called when something ended that a working server keeps open.
    """

    REPEAT = 60.0
    MOST = 100

    def __init__(self, name: str) -> None:
        self._name = name
        self._last: dict[str, float] = {}
        self.refused: str | None = None
        self.problem: str | None = None
        self.stage: str | None = None
        self.is_quiet = False
        self.interrupted: Callable[[], None] = _ignore

    def begin(self, stage: str | None = None) -> None:
        """Forget what the last connection met."""
        self.problem, self.stage = None, stage

    def note(self, reason: str, place: str | None = None) -> None:
        """Log a reason, and the address that it is about."""
        now = time.monotonic()
        if self.is_quiet or now - self._last.get(reason, -self.REPEAT) < self.REPEAT:
            return
        if len(self._last) >= self.MOST:
            self._last = {known: at for known, at in self._last.items() if now - at < self.REPEAT}
        if len(self._last) < self.MOST:
            self._last[reason] = now
            name = f"{self._name} ({place})" if place else self._name
            log.warning("MCP server %s: %s", name, reason)

    def refuse(self, reason: str, place: str | None = None) -> None:
        """Log why something was refused."""
        self.refused = reason
        self.note(reason, place)

    def output(self, line: str, *, is_known: bool = False) -> None:
        """Log a line that a child process wrote to its standard error.

        It is for debugging if it `is_known` to say nothing, or was written at one more attempt to
        start the server.
        """
        level = logging.DEBUG if is_known or self.is_quiet else logging.INFO
        log.log(level, "MCP server %s writes: %s", self._name, line)


def _ignore() -> None:
    """Do nothing."""


class Flow:
    """How fast one connection may send what nobody asked for.

    Each request that is sent to the server allows for one answer of the largest size. What goes
    beyond is read slowly, which slows down the sender. Each line costs as much as 2,000 bytes, and
    so does each piece in which bytes arrive.
    """

    def __init__(self, message: int, reporter: Reporter) -> None:
        self._message = message
        self._reporter = reporter
        self._most = self._left = max(_BURST, 16 * message)
        self._at = time.monotonic()

    def earn(self) -> None:
        """Allow for one more answer."""
        self._left = min(self._left + self._message, self._most)

    async def spend(self, chunk: bytes) -> None:
        """Wait until this may have been read."""
        await self.spend_bytes(len(chunk) + _LINE * (1 + chunk.count(b"\n")))

    async def spend_bytes(self, cost: int) -> None:
        """Wait until this many bytes may have been read."""
        now = time.monotonic()
        self._left = min(self._left + int((now - self._at) * _RATE), self._most) - cost
        self._at = now
        if self._left < 0:
            self._reporter.note("sends too much, and is read slowly")
            await asyncio.sleep(-self._left / _RATE)


class Allowance:
    """Counts what may happen `burst` times at once, and `rate` times a second after that."""

    def __init__(self, burst: int, rate: float) -> None:
        self._burst = self._left = float(burst)
        self._rate = rate
        self._at = time.monotonic()

    def take(self) -> bool:
        """Return whether it may happen now."""
        return self.wait() <= 0

    def wait(self) -> float:
        """Return the seconds until it may happen; it counts if that is 0."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / self._rate
        self._left -= 1
        return 0.0


def shown(name: Any) -> str:
    """Return a name from a server for the log: short, and without control characters."""
    text = str(name)
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def tool_problem(name: Any, schema: Any) -> str | None:
    """Return why a tool cannot be offered to a model, None if it can.

    A model's API refuses a request for one tool that it does not understand, and so do parts of the
    Agents SDK. So such a tool is left out, and the others stay.
    """
    if not isinstance(name, str) or not name.strip():
        return "it has no name"
    if len(name) > _NAME_LENGTH:
        return f"its name is longer than {_NAME_LENGTH} characters"
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        return "its input schema is not that of an object"
    if not isinstance(schema.get("properties", {}), dict):
        return "the properties in its input schema are not an object"
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(key, str) for key in required):
        return "`required` in its input schema is not a list of names"
    if is_deep(schema, _DEPTH):
        return f"its input schema is nested deeper than {_DEPTH} levels"
    try:
        json.dumps([name, schema], allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        return "its input schema is not JSON"
    return None


def is_deep(value: Any, levels: int) -> bool:
    """Whether objects and lists are nested deeper than this: writing them as JSON may fail."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def is_dense(data: bytes | bytearray, limit: int) -> bool:
    """Whether JSON has so many objects and lists that parsing it would take long."""
    most = limit // _DENSE
    if data.count(b"{") + data.count(b"[") <= most:
        return False
    bare = _STRING.sub(b"", data)
    return bare.count(b"{") + bare.count(b"[") > most


def tools_too_large(limit: int) -> str:
    """Return what a server did whose list of tools is too large."""
    return (
        f"has a list of tools larger than {size_text(limit)} (`max_tools_size`); offer fewer "
        "tools, or shorter descriptions"
    )


def too_large(limit: int) -> str:
    """Return what a server did that sent too large a message."""
    return f"sent a message larger than {size_text(limit)} (`max_message`)"


def too_dense(limit: int) -> str:
    """Return what a server did whose message has too many parts."""
    return f"sent a message with more than {limit // PART} objects and lists in it (`max_message`)"


def size_text(size: int) -> str:
    """Return a size in bytes as the settings have it."""
    for factor, unit in ((1_000_000, "MB"), (1000, "kB")):
        if size >= factor and size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size}B"
