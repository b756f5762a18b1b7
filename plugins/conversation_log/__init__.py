"""Writes one line of JSON for each finished turn: who asked what, what it cost, how it ended."""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import re
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from chatkit.types import AssistantMessageItem
from pydantic import BaseModel, Field

from chatkit_server import (
    Outcome,
    SettingsError,
    Size,
    ToolCall,
    ToolResult,
    Turn,
    User,
    hookimpl,
    is_plain,
    mask_secrets,
)

from .files import RotatedFile, StandardOutput, Target, read_lines

MOST_WAITING = 10_000  # lines; more are dropped while the disk does not respond
MOST_WAITING_BYTES = 64_000_000
LONGEST_NAME = 256  # characters of names, ids and models
LONGEST_STOP = 5.0  # seconds to write the queued lines when the server stops

NOT_A_NAME = "(not a name)"

_NAME = re.compile(r"[\w.:/-]*")
_NOT_ASCII = re.compile("[^ -~]+")

log = logging.getLogger(__name__)


class Config(BaseModel):
    """Where the lines go. Without `path`, or with `-`, that is standard output.

    A file that would grow beyond `max_size` is renamed to `path.1`, that one to `path.2`, and so on
    up to `keep`. With `redact`, lines have no messages, arguments or errors. Each text is cut at
    `max_text` characters, and so are the arguments of all calls together; names are cut at 256.
    With `redact`, a tool's name that the model made up with spaces or the like is left out, too.
    """

    path: str | None = None
    max_size: Size = 10_000_000
    max_text: Size = 100_000
    keep: int = Field(5, ge=1)
    redact: bool = False


class Plugin:
    """Passes a line for each turn to a writer thread, so that no turn waits for the disk."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.writer = Writer(StandardOutput())
        if config.path not in (None, "", "-"):
            file = Path(str(config.path))
            self.writer = Writer(RotatedFile(file, config.max_size, config.keep))

    @hookimpl
    def setup(self, app: web.Application) -> None:
        try:
            self.writer.target.check()
        except OSError as error:
            raise SettingsError(
                f"path: cannot write {self.config.path}: {error.strerror}. Use another file, "
                "or `-` for standard output."
            ) from None
        app.cleanup_ctx.append(self.writer.run)

    @hookimpl
    async def post_turn(self, turn: Turn, outcome: Outcome) -> None:
        record = describe(turn, outcome)
        if not self.config.redact:
            record |= quote(turn, outcome, self.config.max_text)
        self.writer.put(as_line(record))

    @hookimpl
    async def export(self, user: User) -> AsyncIterator[dict[str, Any]]:
        """Yield the lines of the user's turns. Those on standard output are kept elsewhere."""
        if isinstance(self.writer.target, RotatedFile):
            is_users = _lines_of(user)
            for file in self.writer.target.files():
                for line in await asyncio.to_thread(read_lines, file):
                    if is_users(line):
                        yield orjson.loads(line)

    @hookimpl
    async def erase(self, user: User) -> dict[str, int]:
        """Delete the lines of the user's turns, beside servers that write."""
        if not isinstance(self.writer.target, RotatedFile):
            return {}
        is_users = _lines_of(user)
        return {"lines": await asyncio.to_thread(self.writer.target.remove, is_users)}


def _lines_of(user: User) -> Callable[[bytes], bool]:
    """Return what tells whether a line is of this user."""
    owner = short(user.tenant), short(user.id)
    if owner != (user.tenant, user.id):
        raise SettingsError(
            "lines have this user's id shortened or masked, so they cannot be told from those of "
            "others: delete the files, or wait until they are rotated away"
        )
    # Most lines are of others: they need not be read as JSON
    name = as_json(user.id)[1:-1]

    def is_users(line: bytes) -> bool:
        if name not in line and name.isascii() and b"\\u" not in line:
            return False
        try:
            record = orjson.loads(line)
            return (record["tenant"], record["user"]) == owner
        except (ValueError, KeyError, TypeError):
            return False

    return is_users


def describe(turn: Turn, outcome: Outcome) -> dict[str, Any]:
    """Return a turn's metadata, without anything that was said. Times are in seconds."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "turn": short(turn.id),
        "thread": short(turn.thread.id),
        "user": short(turn.user.id),
        "tenant": short(turn.user.tenant),
        "operation": short(turn.operation),
        "model": short(outcome.model),
        "status": outcome.status,
        "seconds": round(outcome.seconds, 4),
        "first_token": None if outcome.first_token is None else round(outcome.first_token, 4),
        "input_tokens": outcome.usage.input_tokens,
        "output_tokens": outcome.usage.output_tokens,
        "tools": [
            describe_tool(call, result) | {"name": safe_name(call.name)}
            for call, result in outcome.tools
        ],
    }


def describe_tool(call: ToolCall, result: ToolResult) -> dict[str, Any]:
    return {
        "name": short(call.name),
        "server": short(call.server),
        "seconds": round(result.seconds, 4),
        "failed": result.failed,
    }


def quote(turn: Turn, outcome: Outcome, longest: int) -> dict[str, Any]:
    """Return what was said in a turn: message, answer, tools' arguments, error."""
    asked = turn.message.content if turn.message is not None else []
    answers = [
        "".join(part.text for part in item.content)
        for item in outcome.items
        if isinstance(item, AssistantMessageItem)
    ]
    tools = []
    most = longest
    for call, result in outcome.tools:
        arguments, length = shortened(call.arguments, most)
        most = max(0, most - length)
        tools.append(describe_tool(call, result) | {"arguments": arguments})
    return {
        "tools": tools,
        "error": None if outcome.error is None else cut(outcome.error, longest),
        "message": cut("".join(part.text for part in asked), longest),
        "answer": cut("\n\n".join(answers), longest),
    }


def shortened(arguments: dict[str, Any], most: int) -> tuple[Any, int]:
    """Return arguments and their length as JSON; as text if they have a secret or are too long."""
    try:
        encoded = as_json(arguments)
    except RecursionError:
        return "(nested too deeply)", 0
    text = encoded.decode()
    safe = cut(text, most)
    return (orjson.Fragment(encoded) if safe == text else safe), len(text)


def short(name: str | None) -> str | None:
    """Return a name or an id as a line shows it."""
    return None if name is None else cut(name, LONGEST_NAME)


def safe_name(name: str) -> str | None:
    """Return a tool's name that is no text: a model may make one up."""
    return short(name) if _NAME.fullmatch(name) else NOT_A_NAME


def as_json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # orjson refuses numbers over 64 bits, which a model may write
        return json.dumps(value, default=str).encode()


def cut(text: str, most: int) -> str:
    """Return text without secrets, of at most `most` characters and how many were left out."""
    left_out = len(text) - most
    # Half a character cannot be written
    masked = mask_secrets(text[:most]).encode(errors="backslashreplace").decode()
    return f"{masked}… [{left_out} characters left out]" if left_out > 0 else masked


def as_line(record: dict[str, Any]) -> bytes:
    """Return a record as one line of JSON with its newline."""
    line = as_json(record).decode()
    if not (line.isprintable() and is_plain(line)):
        # Other readers than JSON's act on these characters: a terminal, `splitlines`
        line = _NOT_ASCII.sub(_escaped, line)
    return f"{line}\n".encode()


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1].replace("\x7f", "\\u007f")


class Writer:
    """A thread that writes lines; the log has one error for each time that it starts to fail."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._lines: queue.Queue[bytes | None] = queue.Queue(MOST_WAITING)
        self._failing = False
        # Bytes: each is counted by one thread
        self._queued = self._written = 0

    async def run(self, _: web.Application) -> AsyncIterator[None]:
        """Write while the server runs, and then the lines that are still queued."""
        thread = threading.Thread(target=self._write_all, name="conversation_log", daemon=True)
        thread.start()
        yield
        await asyncio.to_thread(self._stop, thread)

    def put(self, line: bytes) -> None:
        """Queue a line, without waiting."""
        waiting = self._queued - self._written
        if waiting and waiting + len(line) > MOST_WAITING_BYTES:
            self._report(f"{waiting} bytes are queued already")
            return
        try:
            self._lines.put_nowait(line)
            self._queued += len(line)
        except queue.Full:
            self._report(f"{MOST_WAITING} lines are queued already")

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self.target.write(line)
            except (OSError, ValueError) as error:  # a closed standard output is a ValueError
                self._report(str(error))
            else:
                self._failing = False
            self._written += len(line)
        self.target.close()

    def _stop(self, thread: threading.Thread) -> None:
        try:
            self._lines.put(None, timeout=LONGEST_STOP)
        except queue.Full:
            return
        thread.join(LONGEST_STOP)

    def _report(self, reason: str) -> None:
        if not self._failing:
            log.error("the conversation log is losing turns: %s", reason)
        self._failing = True
