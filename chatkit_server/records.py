"""Log records that may quote what users, models and tools say, and those about an outage."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from .errors import ServerError

MAY_QUOTE = {"may_quote": True}
"""The `extra` of a record whose exception may quote content.

The log shows the exception's type and traceback, and its message only with `log.content`.
"""

REPEAT = 60.0
"""Seconds between two warnings of one outage."""

SETTLE = 5.0
"""Seconds without a failure after which an answer ends an outage."""


OMITTED = "<omitted>"


class Quote(str):
    """An argument of a record that may be content: without `log.content`, `instead` is shown."""

    instead = OMITTED


def quoted(error: BaseException) -> str:
    """Return an error as an argument of a record; messages meant for users are always shown."""
    if isinstance(error, ServerError):
        return f"{type(error).__name__}: {error.message}"
    if not error.args:
        return repr(error)
    quote = Quote(repr(error))
    quote.instead = f"{type(error).__name__}({OMITTED})"
    return quote


class OutageLog:
    """Logs an outage when it begins, once a minute while it lasts, and when it is over."""

    def __init__(
        self, log: logging.Logger, what: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._what = what
        self._clock = clock
        self._since: float | None = None
        self._warned = self._failed = 0.0
        self._failures = 0

    def failed(self, reason: str) -> None:
        """Note a failure. The reason must not quote content, or be a `Quote`."""
        self._failed = now = self._clock()
        self._failures += 1
        if self._since is None:
            self._since = now
            self._failures = 0
            self._log.warning("%s does not answer: %s", self._what, reason)
        elif now - self._warned >= REPEAT:
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

    def answered(self) -> None:
        """Note an answer. Between failures, as when only some connections fail, it ends nothing."""
        if self._since is None:
            return
        now = self._clock()
        if now - self._failed >= SETTLE:
            seconds = now - self._since
            self._since = None
            self._log.info("%s answers again, after %.0f s", self._what, seconds)
