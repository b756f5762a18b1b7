"""Progress that tools report while they run: it extends the time of a call, and is shown.

The token of a call is in its `_meta`, and the notifications are read in `guard`, before the client
library would start a task for each of them.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ..masking import in_one_line
from .elicitation import Asker, current_asker, limited_by

MOST = 300.0
"""Seconds that a call may take which reports progress, for a server that sets no `max_timeout`."""

_MESSAGE = 200
_DIGITS = 6

_tokens = itertools.count(1)


@dataclass(frozen=True)
class Progress:
    """What a tool reports. `most` is how many seconds the whole call may take because of it."""

    done: float
    total: float | None
    message: str
    most: float

    def __str__(self) -> str:
        """In words, for the user."""
        if self.total is not None and self.total > 0:
            share = f"{min(max(self.done / self.total, 0.0), 1.0):.0%}"
        else:
            share = f"{self.done:.{_DIGITS}g}"
        message = in_one_line(self.message, _MESSAGE)
        return f"{message} ({share})" if message else share


Listener = Callable[[Progress], None]

_LISTENER: ContextVar[Listener | None] = ContextVar("mcp_progress", default=None)


class CallTimeout(TimeoutError):
    """A call took too long; the message says how long."""


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have the progress of MCP calls in the block passed to `listener`."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


class Calls:
    """The calls of one server that report progress.

    A call may take `timeout` seconds, and that long again after each notification, but not more
    than `most` seconds in all. The server is asked for progress if its notifications `are_read`.
    """

    def __init__(self, timeout: float | None, most: float | None) -> None:
        self.timeout = timeout
        self.are_read = False
        self.most = max(MOST if most is None else most, timeout or 0.0)
        self._running: dict[str, Callable[[Progress], None]] = {}
        self._askers: dict[str, Asker | None] = {}

    @asynccontextmanager
    async def timed(self, meta: dict[str, Any] | None) -> AsyncIterator[dict[str, Any] | None]:
        """Limit the time of the block, a call; yields the `_meta` to send. Raises `CallTimeout`."""
        loop, listener = asyncio.get_running_loop(), _LISTENER.get()
        began, extended = loop.time(), False

        def note(progress: Progress) -> None:
            nonlocal extended
            extended = True
            if self.timeout is not None and not clock.expired():
                extend(clock, began, self.timeout, self.most)
            if listener is not None:
                listener(progress)

        token = f"call-{next(_tokens)}"
        self._running[token] = note
        self._askers[token] = current_asker()
        try:
            async with asyncio.timeout(self.timeout) as clock:
                with limited_by(clock):
                    yield {**(meta or {}), "progressToken": token} if self.are_read else meta
        except TimeoutError as error:
            if not clock.expired():
                raise
            took = loop.time() - began
            if extended and took >= self.most:
                raise CallTimeout(f"within {self.most:g} s (`max_timeout`)") from error
            since = " after its last progress" if extended else ""
            raise CallTimeout(f"within {self.timeout:g} s{since}") from error
        finally:
            del self._running[token], self._askers[token]

    def asker(self) -> Asker | None:
        """Return who asks the user for the call in whose answer a request came.

        Over standard input and output, a request does not say for which call it is: with several,
        nobody asks, because it may be the wrong user.
        """
        asker = current_asker()
        if asker is None and len(self._askers) == 1:
            (asker,) = self._askers.values()
        return asker

    def notify(self, params: Mapping[str, Any] | None) -> None:
        """Take a notification of progress; one that is not valid, or of no call, is dropped."""
        given = params or {}
        token, done = given.get("progressToken"), _number(given.get("progress"))
        note = self._running.get(token) if isinstance(token, str) else None
        if note is None or done is None:
            return
        message = given.get("message")
        text = message if isinstance(message, str) else ""
        note(Progress(done, _number(given.get("total")), text, self.most))


def extend(clock: asyncio.Timeout, began: float, seconds: float, most: float) -> None:
    """Give a clock this many seconds from now, `most` seconds in all, and never less than before.

    `began` is the time of the event loop when it was started.
    """
    until, limit = clock.when(), began + most
    if until is not None and not clock.expired():
        now = asyncio.get_running_loop().time()
        clock.reschedule(max(until, min(now + seconds, limit)))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
