"""What the server writes on standard error, and what it keeps out of there.

A record is one line, whatever was in it: control characters are escaped, and the lines of its
traceback are indented. It is cut at `log.record`. Known secrets are `***`.

Nothing of what users, models and tools say is written unless `log.content` is true:

- Other libraries write no debug lines. Those are where requests, responses and SQL parameters are.
- Where an exception quotes the value that it is about, the value is left out.
- An exception of a turn is written as its type and traceback, without its message. So are those of
  all records with `records.MAY_QUOTE`.
- The Agents SDK is told to leave data out of its own messages.

Of records that one fault causes, the first is written, and then their count every ten seconds;
at level `debug`, all are.
"""

from __future__ import annotations

import copy
import logging
import os
import re
import select
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import entry_points
from typing import Any

from .errors import ServerError
from .ids import current_turn
from .lines import cut, escape, first_bytes, fits, fixed_words, last_bytes, mark, short
from .masking import SECRETS
from .records import MAY_QUOTE, OMITTED, Quote, Repeat, is_outage, place_of, quoted
from .repeats import Repeats
from .settings.schema import LogSettings, Settings

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

NOISY = ("httpx", "httpx2", "mcp")
"""Libraries that write a line at level `info` for each request."""

_LOOKED_AT = 1_000
"""Characters of a library's message that tell it apart from others."""

HINT = "(log.content: true shows the messages)"

CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"

INDENT = "  "
"""Begins all lines of a record but the first: no text can look like another record."""

_QUOTES = (
    # pydantic's ValidationError
    ("input_value=", r"input_value=(?:.*(?=, input_type=\w+\])|.*)", f"input_value={OMITTED}"),
    # PostgreSQL: the row that breaks a constraint
    ("DETAIL:  ", r"^DETAIL:  (?s:.*?)(?=^HINT:  |^\s*$|\Z)", f"DETAIL:  {OMITTED}\n"),
    # asyncio's debug mode: the arguments and the result of a slow callback
    ("Executing <", r"(Executing <(?:Timer)?Handle [^(\n]*)\((?:.*\)|.*)", rf"\1({OMITTED})"),
    ("Executing <Task", r"(Executing <Task .*? result=)(?:.*(?=>)|.*)", rf"\1{OMITTED}"),
    # asyncio: a task or future whose exception nobody asked for
    (
        "exception=",
        r"(<(?:Task|Future) finished .*exception=[\w.]+)\((?:.*\)|.*)",
        rf"\1({OMITTED})",
    ),
)
_PATTERNS = [
    (hint, re.compile(pattern, re.MULTILINE), instead) for hint, pattern, instead in _QUOTES
]

_WRITTEN_AT_ONCE = select.PIPE_BUF - 1
"""Bytes of a record that no other process's can come between, with its newline."""

_SDK_FLAGS = ("OPENAI_AGENTS_DONT_LOG_MODEL_DATA", "OPENAI_AGENTS_DONT_LOG_TOOL_DATA")

HOOKS_TRACED = "chatkit_server.hooks"
"""The logger of `log.trace_hooks`."""

log = logging.getLogger(__name__)


def configure_logging(settings: Settings, *, alone: bool = True) -> None:
    """Log to standard error, one line a record. Call it before the Agents SDK is imported.

    If a process is not `alone`, its records are short enough to be written at once.
    """
    content = settings.log.content
    origins = Origins(settings)
    is_debug = settings.log.level == "debug"
    handler = LineHandler(sys.stderr) if is_debug else CountingHandler(sys.stderr, origins)
    kind = NamesTurn if content else WithoutContent
    size = settings.log.record if alone else min(settings.log.record, _WRITTEN_AT_ONCE)
    handler.setFormatter(kind(FORMAT, size, traces=is_debug))
    # Other handlers would write records as they are
    logging.basicConfig(level=settings.log.level.upper(), handlers=[handler], force=True)
    _log_what_python_prints()
    traced = logging.INFO if settings.log.trace_hooks else logging.WARNING
    logging.getLogger(HOOKS_TRACED).setLevel(traced)
    for flag in _SDK_FLAGS:
        os.environ[flag] = "0" if content else "1"
    if content:
        return
    handler.addFilter(NoForeignDebug(origins))
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def log_plainly(settings: Settings, handler: LineHandler) -> None:
    """Log through a handler as `configure_logging` does, in a process that forks others.

    It has no threads. Call it before the Agents SDK is imported.
    """
    handler.setFormatter(WithoutContent(FORMAT, settings.log.record, traces=False))
    logging.basicConfig(level=settings.log.level.upper(), handlers=[handler], force=True)
    for flag in _SDK_FLAGS:
        os.environ[flag] = "0" if settings.log.content else "1"


def without_configuration() -> None:
    """Write warnings and the last error as one line, without time, until the log is configured."""
    handler = LineHandler(sys.stderr)
    handler.setFormatter(WithoutContent())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    sys.excepthook = _uncaught


def _log_what_python_prints() -> None:
    """Log warnings, and the exceptions that nobody catches."""
    logging.captureWarnings(True)

    def in_thread(given: threading.ExceptHookArgs) -> None:
        if given.exc_value is not None and given.exc_type is not SystemExit:
            name = "" if given.thread is None else given.thread.name
            log.error("the thread %s failed", name, exc_info=given.exc_value, extra=MAY_QUOTE)

    def unraisable(given: Any) -> None:
        where = f"{given.err_msg or 'ignored an exception in'}: {type(given.object).__name__}"
        log.error("%s", where, exc_info=given.exc_value, extra=MAY_QUOTE)

    threading.excepthook = in_thread
    sys.unraisablehook = unraisable


def _uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    log.critical("chatkit-server failed", exc_info=(kind, error, trace))


class LineHandler(logging.StreamHandler[Any]):
    """Writes to a stream, which cannot fail for a character or for a record."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        with suppress(AttributeError, ValueError):  # replaced, or closed
            stream.reconfigure(errors="backslashreplace")

    def handleError(self, record: logging.LogRecord) -> None:
        """Say which record is missing; logging would print the whole of it."""
        error = type(sys.exc_info()[1]).__name__
        with suppress(Exception):
            where = escape(f"{record.pathname}:{record.lineno}")
            self.stream.write(f"{where}: a record cannot be written: {error}{self.terminator}")


class NamesTurn(logging.Formatter):
    """Writes a record as a line of at most `size` bytes, without secrets; a traceback follows.

    Names the turn in each line that is written while it runs, whoever writes it. Without `traces`,
    outages have no traceback.
    """

    def __init__(
        self, format: str | None = None, size: int = LogSettings().record, *, traces: bool = True
    ) -> None:
        super().__init__(format)
        self._size = size
        self._traces = traces
        # What is longer is not even looked at
        self._most = 4 * size

    def format(self, record: logging.LogRecord) -> str:
        record = self._without_trace(record)
        details = self._details(record)
        message, removed = self._message(record)
        if len(message) > self._most:
            removed += len(message) - self._most
            message = message[: self._most]
        record.message = self.omit(message).rstrip("\n")
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        line = escape(SECRETS.mask(self.formatMessage(record)))
        line = cut(line, self._size // 2 if details else self._size, removed)
        if not details:
            return line
        return f"{line}\n{self._indented(details, self._size - len(line.encode()) - 1)}"

    def formatMessage(self, record: logging.LogRecord) -> str:
        turn_id = current_turn.get()
        if turn_id and turn_id not in record.message:
            record.message = f"turn {turn_id}: {record.message}"
        return super().formatMessage(record)

    def omit(self, text: str) -> str:
        """Return text of a record without what must not be written."""
        return text

    def _without_trace(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return a record that names an outage in its line, in place of the traceback."""
        error = record.exc_info[1] if record.exc_info and not self._traces else None
        if error is None or not is_outage(error) or isinstance(record.args, Mapping):
            return record
        told = copy.copy(record)
        told.exc_info = told.exc_text = None
        args = record.args if isinstance(record.args, tuple) else ()
        text = str(record.msg)
        told.msg = f"{text if record.args else text.replace('%', '%%')}: %s"
        told.args = (*args, quoted(error, place_of(error)))
        return told

    def _message(self, record: logging.LogRecord) -> tuple[str, int]:
        """Return the message, and how many characters of its arguments were left out."""
        args = record.args
        removed = 0
        most = self._size // 2

        def short(value: object) -> object:
            nonlocal removed
            if not isinstance(value, str | bytes | bytearray) or len(value) <= most:
                return value
            removed += len(value) - most
            # Marked as cut, so that the beginning of a secret at the end is found
            return value[:most] + "…" if isinstance(value, str) else value[:most] + b"..."

        if isinstance(args, tuple):
            args = tuple([short(value) for value in args])
        elif isinstance(args, Mapping):
            args = {key: short(value) for key, value in args.items()}
        try:
            return str(record.msg) % args if args else str(record.msg), removed
        except Exception as error:
            text = short(repr(record.msg))
            return f"{text} (its arguments do not fit: {type(error).__name__})", 0

    def _details(self, record: logging.LogRecord) -> str:
        """Return the traceback and the stack of a record, as they are."""
        trace = record.exc_text or ""
        if record.exc_info and not trace:
            trace = self.formatException(record.exc_info)
        stack = self.formatStack(record.stack_info) if record.stack_info else ""
        return "\n".join(part for part in (trace, stack) if part)

    def _indented(self, details: str, size: int) -> str:
        """Return lines of at most `size` bytes: if they are more, the first and the last ones."""
        removed = max(0, len(details) - 2 * self._most)
        first, last = details, ""
        if removed:
            first, last = details[: self._most], details[-self._most :]
        first = _lines(SECRETS.mask(self.omit(first)))
        if last:
            # A secret may have been cut in two
            last = SECRETS.mask(self.omit(last))[SECRETS.longest :]
            last = _lines(last.partition("\n")[2] or last)
        elif fits(first, size):
            return first
        between = f"\n{INDENT}{mark(len(first) + len(last) + removed)}\n{INDENT}"
        room = size - len(between.encode())
        # Not a part of an indentation
        start = first_bytes(first, room // 4).rstrip()
        end = last_bytes(last or first, room - len(start.encode()))
        left_out = len(first) + len(last) + removed - len(start) - len(end)
        return f"{start}\n{INDENT}{mark(left_out)}\n{INDENT}{end.lstrip()}"


def _lines(text: str) -> str:
    return "\n".join(f"{INDENT}{escape(line)}" for line in text.rstrip("\n").split("\n"))


class WithoutContent(NamesTurn):
    """Leaves out what exceptions say of a turn, and the values that other exceptions quote."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(_without_quotes(self._without_trace(record)))

    def omit(self, text: str) -> str:
        for hint, pattern, instead in _PATTERNS:
            if hint in text:
                text = pattern.sub(instead, text)
        return text


def _without_quotes(record: logging.LogRecord, hint: str = HINT) -> logging.LogRecord:
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
        quiet.msg = f"{record.msg} {hint}" if hint else record.msg
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


class Origins:
    """Tells whose code has made a record: the server's and its plugins', or a library's."""

    def __init__(self, settings: Settings) -> None:
        installed = {entry.module for entry in entry_points(group="chatkit_server")}
        named = {name for name in settings.plugins if "." in name}
        self._packages = {name.partition(".")[0] for name in installed | named}
        self._packages.add("chatkit_server")
        self._folders = tuple(
            os.path.join(os.path.abspath(folder), "") for folder in settings.plugin_dirs
        )

    def is_own(self, record: logging.LogRecord) -> bool:
        """Whether the server or a plugin has made the record."""
        return record.name.partition(".")[0] in self._packages or os.path.abspath(
            record.pathname
        ).startswith(self._folders)


class NoForeignDebug(logging.Filter):
    """Drops debug lines, except those of the server and its plugins."""

    def __init__(self, origins: Origins) -> None:
        super().__init__()
        self._origins = origins

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.INFO or self._origins.is_own(record)


class CountingHandler(LineHandler):
    """Writes one record of many with the same cause, and their count every ten seconds.

    Lines of libraries and of the bundled plugins have the same cause if their fixed words are the
    same.
    """

    def __init__(self, stream: Any, origins: Origins) -> None:
        super().__init__(stream)
        self._origins = origins
        assert self.lock is not None
        self._repeats = Repeats(super().emit, self.lock)

    def emit(self, record: logging.LogRecord) -> None:
        repeat = getattr(record, "repeats", None)
        if not isinstance(repeat, Repeat):
            repeat = self._by_words(record)
        if repeat is None or self._repeats.admits(record, repeat):
            super().emit(record)

    def close(self) -> None:
        self.acquire()
        try:
            self._repeats.close()
        finally:
            self.release()
        super().close()

    def _by_words(self, record: logging.LogRecord) -> Repeat | None:
        bundled = record.name.startswith("chatkit_plugins.")
        if not bundled and self._origins.is_own(record):
            return None
        try:
            text = _without_quotes(record, hint="").getMessage()[:_LOOKED_AT]
        except Exception:
            text = str(record.msg)[:_LOOKED_AT]
        cause = f"{record.name}: {short(fixed_words(text))}"
        return Repeat(cause, "record", shown=f'like "{short(text)}"')
