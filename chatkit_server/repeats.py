"""One fault, many records: the log shows the first, and then how many there were."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from .records import Repeat

WINDOW = 10.0
"""Seconds for which the records of one cause are counted. A cause without any in them is over."""

MOST_CAUSES = 200
"""Causes that are counted at once. The records of more causes are all written."""

MOST_SUBJECTS = 20
"""Subjects that are named in a window of a cause."""


@dataclass
class _Cause:
    """A cause, and what was left out of it since its window `began`."""

    name: str
    logger: str
    level: int
    first: float
    last: float
    began: float
    total: int = 1
    summed_up: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    subjects: dict[str, None] = field(default_factory=dict)
    known: set[tuple[str, str]] = field(default_factory=set)
    """What was counted of the named subjects."""

    def is_known(self, repeat: Repeat) -> bool:
        """Whether this was counted before; a subject counts once in a window."""
        one = (repeat.what, repeat.subject)
        if not repeat.subject or one in self.known:
            return bool(repeat.subject)
        if len(self.known) < MOST_SUBJECTS:
            self.known.add(one)
        return False

    def count(self, repeat: Repeat, level: int, now: float) -> None:
        self.level = max(self.level, level)
        self.last = now
        self.total += 1
        self.counts[repeat.what] += 1
        if repeat.subject and len(self.subjects) < MOST_SUBJECTS:
            self.subjects[repeat.subject] = None

    def summary(self, now: float) -> str:
        """Return what was left out, and begin a new window."""
        counted = ", ".join(f"{what} ({count} more)" for what, count in self.counts.items())
        named = f"; {', '.join(self.subjects)}" if self.subjects else ""
        text = f"in the last {now - self.began:.0f} s: {counted}: {self.name}{named}"
        self.began, self.summed_up = now, True
        self.counts.clear()
        self.subjects.clear()
        self.known.clear()
        return text


class Repeats:
    """Decides which records are written, and writes the counts of the others.

    Call `admits` and `close` with `lock`, which the thread that writes the counts takes too.
    """

    def __init__(
        self,
        write: Callable[[logging.LogRecord], None],
        lock: threading.RLock,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._lock = lock
        self._clock = clock
        self._causes: dict[str, _Cause] = {}
        self._timer: threading.Timer | None = None

    def admits(self, record: logging.LogRecord, repeat: Repeat) -> bool:
        """Whether to write a record. If not, it is counted."""
        now = self._clock()
        cause = self._causes.get(repeat.cause)
        if cause is not None:
            if not cause.is_known(repeat):
                cause.count(repeat, record.levelno, now)
            return False
        if len(self._causes) < MOST_CAUSES:
            name = repeat.shown or repeat.cause
            cause = _Cause(name, record.name, record.levelno, now, now, now)
            cause.is_known(repeat)
            self._causes[repeat.cause] = cause
            self._wait()
        return True

    def sum_up(self) -> None:
        """Write the counts of the windows that are over, and which causes are."""
        now = self._clock()
        for key, cause in list(self._causes.items()):
            if now - cause.began < WINDOW:
                continue
            if cause.counts:
                self._tell(cause, cause.level, cause.summary(now))
                continue
            del self._causes[key]
            if cause.summed_up:
                seconds = cause.last - cause.first
                text = f"over after {seconds:.0f} s, {cause.total} in all: {cause.name}"
                self._tell(cause, logging.INFO, text)

    def close(self) -> None:
        """Write all counts, and forget everything."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._clock()
        for cause in self._causes.values():
            if cause.counts:
                self._tell(cause, cause.level, cause.summary(now))
        self._causes.clear()

    def _wait(self) -> None:
        """Sum up when the next window is over."""
        if self._timer is not None or not self._causes:
            return
        end = min(cause.began for cause in self._causes.values()) + WINDOW
        self._timer = threading.Timer(max(0.05, end - self._clock()), self._wake)
        self._timer.daemon = True
        self._timer.start()

    def _wake(self) -> None:
        with self._lock:
            if self._timer is threading.current_thread():
                self._timer = None
                self.sum_up()
                self._wait()

    def _tell(self, cause: _Cause, level: int, text: str) -> None:
        self._write(logging.LogRecord(cause.logger, level, __file__, 0, text, None, None))
