"""What the server writes on standard error, and what it keeps out of there.

Nothing of what users, models and tools say is written unless `log.content` is true:

- Other libraries write no debug lines. Those are where requests, responses and SQL parameters are.
- Where an exception quotes the value that it is about, the value is left out.
- An exception of a turn is written as its type and traceback, without its message. So are those of
  all records with `records.MAY_QUOTE`.
- The Agents SDK is told to leave data out of its own messages.
"""

from __future__ import annotations

import copy
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator
from importlib.metadata import entry_points

from .errors import ServerError
from .ids import current_turn
from .records import OMITTED, Quote
from .settings.schema import Settings

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

NOISY = ("httpx", "httpx2", "mcp")
"""Libraries that write a line at level `info` for each request."""

HINT = "(log.content: true shows the messages)"

CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"

_QUOTES = (
    # pydantic's ValidationError
    (r"input_value=.*(?=, input_type=\w+\])", f"input_value={OMITTED}"),
    # PostgreSQL: the row that breaks a constraint
    (r"^DETAIL:  (?s:.*?)(?=^HINT:  |^\s*$|\Z)", f"DETAIL:  {OMITTED}\n"),
    # asyncio's debug mode: the arguments and the result of a slow callback
    (r"(Executing <(?:Timer)?Handle [^(\n]*)\(.*\)", rf"\1({OMITTED})"),
    (r"(Executing <Task .*? result=).*(?=>)", rf"\1{OMITTED}"),
    # asyncio: a task or future whose exception nobody asked for
    (r"(<(?:Task|Future) finished .*exception=[\w.]+)\(.*\)", rf"\1({OMITTED})"),
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
    """Leaves out what exceptions say of a turn, and the values that other exceptions quote."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(_without_quotes(record))
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text


def _without_quotes(record: logging.LogRecord) -> logging.LogRecord:
    """Return a copy of the record without `Quote`s and without the messages of exceptions."""
    error = record.exc_info[1] if record.exc_info and _may_quote(record) else None
    args = record.args if isinstance(record.args, tuple) else ()
    if error is None and not any(isinstance(arg, Quote) for arg in args):
        return record
    # Other handlers get the record too
    quiet = copy.copy(record)
    if args:
        quiet.args = tuple(arg.instead if isinstance(arg, Quote) else arg for arg in args)
    if error is None:
        quiet.msg = f"{record.msg} {HINT}"
    else:
        quiet.exc_info = None
        quiet.exc_text = f"{''.join(_tracebacks(error))}{HINT}"
    return quiet


def _may_quote(record: logging.LogRecord) -> bool:
    # asyncio reports what failed in a turn's tasks, perhaps after the turn
    return getattr(record, "may_quote", bool(current_turn.get()) or record.name == "asyncio")


def _tracebacks(error: BaseException) -> Iterator[str]:
    """Yield the traceback of an error and of those before it, as Python does, but no messages."""
    chain: list[tuple[BaseException, str]] = []
    known: set[int] = set()
    link: BaseException | None = error
    how = ""
    while link is not None and id(link) not in known:
        known.add(id(link))
        chain.append((link, how))
        how = CAUSE if link.__cause__ is not None else CONTEXT
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    for link, how in reversed(chain):
        if link.__traceback__ is not None:
            yield "Traceback (most recent call last):\n"
            yield from traceback.format_tb(link.__traceback__)
        # Messages of the server's own errors are meant for users
        message = link.message if isinstance(link, ServerError) else OMITTED
        yield f"{_type_name(link)}: {message}\n"
        if isinstance(link, BaseExceptionGroup):
            for number, part in enumerate(link.exceptions, 1):
                yield f"\nException {number} of the group:\n\n"
                yield from _tracebacks(part)
        yield how


def _type_name(error: BaseException) -> str:
    kind = type(error)
    module = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    return f"{module}{kind.__qualname__}"


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
