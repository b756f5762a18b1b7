"""Log records that may quote what users, models and tools say, and those about an outage."""

from __future__ import annotations

import errno
import logging
import re
import sysconfig
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from socket import gaierror
from typing import Any

from .errors import ServerError, causes
from .lines import short

MAY_QUOTE: dict[str, Any] = {"may_quote": True}
"""The `extra` of a record whose exception may quote content.

The log shows the exception's type and traceback, and its message only with `log.content`.
"""

REPEAT = 60.0
"""Seconds between two warnings of one outage."""

SETTLE = 5.0
"""Seconds without a failure after which an answer ends an outage."""

_MOST_KINDS = 5
"""Kinds of failures of which the first is logged at once."""

_OUTAGES = (ConnectionError, TimeoutError, EOFError, gaierror)

_OUTAGE_NAMES = {
    "APIError",  # openai, litellm
    "ClientError",  # aiohttp
    "TransportError",  # httpx, httpx2
    "DBConnectionError",  # tortoise
    "InterfaceError",  # asyncpg, and the next five
    "PostgresConnectionError",
    "OperatorInterventionError",
    "InsufficientResourcesError",
    "LockNotAvailableError",
    "ReadOnlySQLTransactionError",
    "BrokenResourceError",  # anyio
    "ClosedResourceError",
    "MCPError",
    "RedisError",
    "TimeoutError",  # SQLAlchemy's pool
    "ConnectionFailure",  # pymongo
    "HTTPClientError",  # botocore
    "ServiceUnavailable",  # Google's clients, neo4j
}
"""Exceptions of libraries that the core does not import here."""

_OUTAGE_NUMBERS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOBUFS,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
}

_OPERATIONAL = re.compile(
    "locked|full|readonly|disk I/O|unable to open"  # SQLite
    "|connect|timed? ?out|gone away|starting up|shutting down"  # servers
)
"""Words of an `OperationalError` that are not about a wrong statement."""

_NOT_OF_AUTHORS = (
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
    str(Path(__file__).parent),
    "<",
)
"""What the files begin with that no plugin's author has written."""

OMITTED = "<omitted>"


class Quote(str):
    """An argument of a record that may be content: without `log.content`, `instead` is shown."""

    instead = OMITTED


def quoted(error: BaseException, place: str = "") -> str:
    """Return an error as an argument of a record; messages meant for users are always shown."""
    where = f" in {place}" if place else ""
    if isinstance(error, ServerError):
        return f"{type(error).__name__}: {error.message}"
    omitted = f"{type(error).__name__}({OMITTED}){where}"
    try:
        shown = f"{error!r}{where}"
    except Exception:
        # Some exceptions of libraries are half made
        return omitted
    if not error.args or isinstance(error, ConnectionError | gaierror):
        return shown
    quote = Quote(shown)
    quote.instead = omitted
    return quote


@dataclass(frozen=True, slots=True)
class Repeat:
    """What a record has in common with others that one fault causes; see `repeats`.

    `shown` is what counts say in place of the cause.
    """

    cause: str
    what: str
    subject: str = ""
    shown: str = ""


def repeats(cause: str, what: str, subject: str = "") -> dict[str, Any]:
    """Return the `extra` of a record of which one fault can cause many.

    Of records with the same cause, the log shows the first, and then their count every ten seconds,
    by `what` happened, such as "turn failed". A few subjects, such as ids of turns, are named; a
    subject counts once. The cause must neither quote content nor have anything that varies.
    """
    return {"repeats": Repeat(short(cause, 500), what, subject)}


def is_outage(error: BaseException) -> bool:
    """Whether an error is of something that is away, full or slow, and not of the code it is in.

    Errors of `chatkit_server` count too: whoever raises one says what is wrong.
    """
    return any(
        isinstance(link, ServerError) or type(link).__name__ == "NotFoundError" or is_away(link)
        for link in causes(error)
    )


def is_away(error: BaseException) -> bool:
    """Whether an error itself, not its cause, is of something that is away, full or slow."""
    if isinstance(error, _OUTAGES) or getattr(error, "errno", None) in _OUTAGE_NUMBERS:
        return True
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(
        names & _OUTAGE_NAMES or ("OperationalError" in names and _OPERATIONAL.search(str(error)))
    )


def log_error(
    log: logging.Logger,
    level: int,
    error: BaseException,
    text: str,
    *args: object,
    expected: bool | None = None,
    extra: dict[str, Any] | None = None,
) -> None:
    """Log what failed because of an error.

    An expected one, as outages are, is named in the line, with its traceback at level `debug` only.
    """
    if expected is None:
        expected = is_outage(error)
    if expected:
        text, args = f"{text}: %s", (*args, quoted(error, place_of(error)))
    trace = error if not expected or log.isEnabledFor(logging.DEBUG) else None
    log.log(level, text, *args, exc_info=trace, extra={**MAY_QUOTE, **(extra or {})}, stacklevel=2)


def place_of(error: BaseException) -> str:
    """Return the function that raised an error, and its file.

    If that is a library's, the line in a plugin's own file comes with it: there its author looks.
    """
    place = error.__traceback__
    if place is None:
        return "unknown"
    called = ""
    while True:
        code = place.tb_frame.f_code
        where = f"{code.co_qualname}, {PurePath(code.co_filename).name}"
        is_own = not code.co_filename.startswith(_NOT_OF_AUTHORS)
        if is_own:
            called = f"{where}:{place.tb_lineno}"
        if place.tb_next is None:
            return where if is_own or not called else f"{where}, called by {called}"
        place = place.tb_next


class OutageLog:
    """Logs an outage when it begins, once a minute while it lasts, and when it is over.

    The first failures of another kind are logged at once too.
    """

    def __init__(
        self, log: logging.Logger, what: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._what = what
        self._clock = clock
        self._since: float | None = None
        self._warned = self._failed = 0.0
        self._failures = 0
        self._kinds: set[str] = set()

    def failed(self, reason: str, kind: str = "") -> None:
        """Note a failure. The reason must not quote content, or be a `Quote`.

        Failures of one kind have one cause, as far as the caller knows.
        """
        self._failed = now = self._clock()
        self._failures += 1
        if self._since is None:
            self._since = now
            self._failures = 0
            self._kinds = {kind}
            self._log.warning("%s does not answer: %s", self._what, reason)
        elif self._is_new(kind) or now - self._warned >= REPEAT:
            seconds, failures, self._failures = now - self._since, self._failures, 0
            self._log.warning(
                "%s has not answered for %.0f s, %d more failures: %s",
                self._what,
                seconds,
                failures,
                reason,
            )
        else:
            return
        self._warned = now

    def _is_new(self, kind: str) -> bool:
        """Whether a failure is the first of its kind in this outage, of few kinds."""
        if kind in self._kinds or len(self._kinds) >= _MOST_KINDS:
            return False
        self._kinds.add(kind)
        return True

    def answered(self) -> None:
        """Note an answer. Between failures, as when only some connections fail, it ends nothing."""
        if self._since is None:
            return
        now = self._clock()
        if now - self._failed >= SETTLE:
            seconds = now - self._since
            self._since = None
            self._log.info("%s answers again, after %.0f s", self._what, seconds)
