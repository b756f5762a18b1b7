"""Log lines for refused requests, limited so that a stranger cannot flood the log."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from ..lines import fixed_words, short

WINDOW = 60.0
"""Seconds for which lines of one kind are counted."""

MOST_KINDS = 60
"""Kinds that are counted at once; all others count as one kind."""

MOST_OF_KIND = 20
"""Lines of one kind in a window."""

MOST_ALIKE = 10
"""Lines with the same reason, of the `MOST_OF_KIND`."""

MOST_LINES = 200
"""Lines in a window. The first line of a new kind is written even after that."""

_OTHERS = "other requests"

log = logging.getLogger(__name__)


@dataclass
class _Window:
    level: int
    timer: asyncio.TimerHandle
    requests: int = 0
    written: Counter[str] = field(default_factory=Counter)


class RefusalLog:
    """Writes a limited number of lines of each kind a minute, then how many more there were."""

    def __init__(self, seconds: float = WINDOW) -> None:
        self._seconds = seconds
        self._windows: dict[str, _Window] = {}

    def write(self, request: str, level: int, reason: str, line: str, **logged: Any) -> None:
        """Write a line, unless this minute has enough lines of its kind.

        A kind is a `request`, such as `POST /api/chat: 400`, with the reason's fixed words.
        `request` must not contain what a client can make up. `logged` is for `Logger.log`.
        """
        kind = f"{request} {short(fixed_words(reason))}"
        if kind not in self._windows and len(self._windows) >= MOST_KINDS:
            kind = _OTHERS
        window = self._windows.get(kind) or self._open(kind, level)
        window.requests += 1
        if self._has_room(window, reason):
            window.written[reason] += 1
            log.log(level, "%s", line, **logged)

    def _has_room(self, window: _Window, reason: str) -> bool:
        written = window.written.total()
        if written >= MOST_OF_KIND or window.written[reason] >= MOST_ALIKE:
            return False
        every = sum(other.written.total() for other in self._windows.values())
        return written == 0 or every < MOST_LINES

    def _open(self, kind: str, level: int) -> _Window:
        loop = asyncio.get_running_loop()
        # Without the context of the request, which a timer would keep
        timer = loop.call_later(self._seconds, self._end, kind, context=Context())
        window = self._windows[kind] = _Window(level, timer)
        return window

    def _end(self, kind: str) -> None:
        window = self._windows.pop(kind)
        window.timer.cancel()
        more = window.requests - window.written.total()
        if more > 0:
            log.log(window.level, "refused %d more like this: %s", more, kind)

    def close(self) -> None:
        """Write how many lines were left out so far."""
        for kind in list(self._windows):
            self._end(kind)
