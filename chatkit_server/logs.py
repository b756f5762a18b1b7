"""What the server writes on standard error, and what it keeps out of there.

Nothing of what users, models and tools say is written unless `log.content` is true:

- Other libraries write no debug lines. Those are where requests, responses and SQL parameters are.
- Where an exception quotes the value that it is about, the value is left out.
- The Agents SDK is told to leave data out of its own messages.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from importlib.metadata import entry_points

from .ids import current_turn
from .settings.schema import Settings

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

NOISY = ("httpx", "httpx2", "mcp")
"""Libraries that write a line at level `info` for each request."""

OMITTED = "<omitted>"

_QUOTES = (
    # pydantic's ValidationError
    (r"input_value=.*(?=, input_type=\w+\])", f"input_value={OMITTED}"),
    # PostgreSQL: the row that breaks a constraint
    (r"^DETAIL:  (?s:.*?)(?=^HINT:  |^\s*$|\Z)", f"DETAIL:  {OMITTED}\n"),
    # asyncio's debug mode: the arguments and the result of a slow callback
    (r"(Executing <(?:Timer)?Handle [^(\n]*)\(.*\)", rf"\1({OMITTED})"),
    (r"(Executing <Task .*? result=).*(?=>)", rf"\1{OMITTED}"),
)
_PATTERNS = [(re.compile(pattern, re.MULTILINE), instead) for pattern, instead in _QUOTES]

_SDK_FLAGS = ("OPENAI_AGENTS_DONT_LOG_MODEL_DATA", "OPENAI_AGENTS_DONT_LOG_TOOL_DATA")


def configure_logging(settings: Settings) -> None:
    """Log to standard error, one line a record. Call it before the Agents SDK is imported."""
    content = settings.log.content
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(NamesTurn(FORMAT) if content else WithoutContent(FORMAT))
    logging.basicConfig(level=settings.log.level.upper(), handlers=[handler])
    for flag in _SDK_FLAGS:
        os.environ[flag] = "0" if content else "1"
    if content:
        return
    handler.addFilter(NoForeignDebug(settings))
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


class NamesTurn(logging.Formatter):
    """Names the turn in each line that is written while it runs, whoever writes it."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        turn_id = current_turn.get()
        if turn_id and turn_id not in record.message:
            record.message = f"turn {turn_id}: {record.message}"
        return super().formatMessage(record)


class WithoutContent(NamesTurn):
    """Leaves out the values that exceptions quote, in messages and in tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text


class NoForeignDebug(logging.Filter):
    """Drops debug lines, except those of the server and its plugins."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        installed = {entry.module for entry in entry_points(group="chatkit_server")}
        named = {name for name in settings.plugins if "." in name}
        self._packages = {name.partition(".")[0] for name in installed | named}
        self._packages.add("chatkit_server")
        self._folders = tuple(
            os.path.join(os.path.abspath(folder), "") for folder in settings.plugin_dirs
        )

    def filter(self, record: logging.LogRecord) -> bool:
        return (
            record.levelno >= logging.INFO
            or record.name.partition(".")[0] in self._packages
            or os.path.abspath(record.pathname).startswith(self._folders)
        )
