"""Log lines for refused requests, limited so that a stranger cannot flood the log."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from dataclasses import dataclass

WINDOW = 60.0
"""Seconds for which lines of one kind are counted."""

MOST_KINDS = 40
"""Kinds that are counted at once; all others count as one kind."""

_MOST_CHARACTERS = 200
_OTHERS = "other"

log = logging.getLogger(__name__)


@dataclass
class _Window:
    level: int
    most: int
    timer: asyncio.TimerHandle
    requests: int = 0


class RefusalLog:
    """Writes a limited number of lines of each kind a minute, then how many more there were."""

    def __init__(self, seconds: float = WINDOW) -> None:
        self._seconds = seconds
        self._windows: dict[str, _Window] = {}

    def write(self, kind: str, level: int, line: str, *, most: int = 20) -> None:
        """Write a line, unless `most` lines of its kind were written in this minute."""
        if kind not in self._windows and len(self._windows) >= MOST_KINDS:
            kind = _OTHERS
        window = self._windows.get(kind) or self._open(kind, level, most)
        window.requests += 1
        if window.requests <= window.most:
            log.log(level, "%s", line)

    def _open(self, kind: str, level: int, most: int) -> _Window:
        loop = asyncio.get_running_loop()
        # Without the context of the request, which a timer would keep
        timer = loop.call_later(self._seconds, self._end, kind, context=Context())
        window = self._windows[kind] = _Window(level, most, timer)
        return window

    def _end(self, kind: str) -> None:
        window = self._windows.pop(kind)
        window.timer.cancel()
        more = window.requests - window.most
        if more > 0:
            log.log(window.level, "refused (%s): … and %d more like it", kind, more)

    def close(self) -> None:
        """Write how many lines were left out so far."""
        for kind in list(self._windows):
            self._end(kind)


def printable(text: str, most: int = _MOST_CHARACTERS) -> str:
    """Return a text that fits into one line: truncated, with control characters escaped."""
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most]
    )
    return f"{shown}…" if len(text) > most else shown
