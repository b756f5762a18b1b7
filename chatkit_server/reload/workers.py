"""Runs several servers at the same sockets, and replaces those that die: `run --workers`.

All accept from the same listening sockets, which this process keeps open: no connection that waits
there is lost when a worker ends. Of each generation, one worker starts alone. It reads the
settings, migrates the database and binds the address; if it cannot start, no other one tries. After
SIGHUP, another generation starts beside the one that serves, and replaces it once all of it serves.
"""

from __future__ import annotations

import logging
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket

from ..errors import SettingsError
from ..logs import LineHandler, log_plainly
from ..settings.load import text_of
from ..settings.schema import Settings
from ..shutdown.signals import AT_ONCE, GRACE
from ..workers import Board, count_of
from .generation import Child, Generation, News
from .supervisor import EXPLAINED, Supervisor, freeze, how_ended, import_libraries

STEADY = 10.0
"""Seconds after which the death of a worker is not taken for a start that failed."""

FIRST_PAUSE = 0.5
"""Seconds before a worker is replaced a second time in a row; twice as long before the third."""

LONGEST_PAUSE = 30.0
"""Seconds between two attempts to replace workers that die again and again."""

LOOK = 1.0
"""Seconds between two looks at whether a worker hangs."""

LONG = 10.0
"""Seconds after which a start that has not ended is told of."""

MOST_RETIRED = 4
"""Generations that may wait for the end of their turns."""

_LOST = 0.2
"""Seconds for a line of the log, which is lost if nobody reads the log any more."""

log = logging.getLogger(__name__)


def employ(settings: Settings, file: Path) -> Generation | int:
    """Run workers until a signal; return the exit status.

    Returns a `Generation` in each forked process, which goes on as a worker.
    """
    log_plainly(settings, _Unhindered(sys.stderr))
    # What it would reload has not been read yet
    signal.signal(signal.SIGHUP, lambda *_: None)
    import_libraries()
    freeze()
    return _Workers(file, count_of(settings.server.workers)).run()


@dataclass(eq=False)
class _Generation:
    """Workers with the same settings, whose `text` is None if the file could not be read."""

    text: str | None
    began: float
    wanted: int = 1
    hangs: float = 0.0
    is_known: bool = False
    """Whether the first worker serves: `wanted` and `hangs` follow from the settings."""
    workers: list[Child] = field(default_factory=list)
    serving: set[Child] = field(default_factory=set)
    pause: float = 0.0
    """Seconds before the last replacement of a worker that died soon after its start."""
    again: float = 0.0
    """When that is, or was."""
    is_said: bool = False
    """Whether the log says that it serves."""

    @property
    def room(self) -> int:
        """How many workers can be started now: one alone while nobody knows whether it can."""
        return (self.wanted if self.is_known else 1) - len(self.workers)

    def replaced_in(self, lived: float = 0.0) -> float:
        """Return how many seconds to wait before a worker is replaced that lived for so long."""
        now = time.monotonic()
        if lived > STEADY:
            self.again = min(self.again, now)
        elif now >= self.again:
            longer = min(max(FIRST_PAUSE, 2 * self.pause), LONGEST_PAUSE)
            self.pause = longer if now < self.again + STEADY else 0.0
            self.again = now + self.pause
        return max(0.0, self.again - now)


class _Workers(Supervisor):
    hangup_ends = False

    def __init__(self, file: Path, wanted: int) -> None:
        """Run as many as are `wanted` with the settings as they are now."""
        super().__init__()
        self._settings = file
        self._board = Board()
        self._board.want(wanted)
        self._serving: _Generation | None = None
        self._starting: _Generation | None = None
        self._retired: list[Child] = []
        self._leaving: set[Child] = set()
        """Workers that were replaced, and may still accept."""
        self._is_first = True
        self._looked = 0.0
        self._drain = 0.0
        """The longest time that turns of a worker may take to end."""
        self._statuses = [0]
        self.due[self._begin] = time.monotonic()

    @property
    def children(self) -> list[Child]:
        return [*(child for each in self._generations for child in each.workers), *self._retired]

    @property
    def _generations(self) -> list[_Generation]:
        return [each for each in (self._serving, self._starting) if each is not None]

    def _of(self, child: Child) -> _Generation | None:
        """Return the generation of a worker, None if it was replaced."""
        return next((each for each in self._generations if child in each.workers), None)

    def is_starting(self, child: Child) -> bool:
        generation = self._of(child)
        return generation is not None and child not in generation.serving

    def successors(self) -> Sequence[Child]:
        """Return the workers that serve, and let another one be the first next time."""
        if self._serving is None or not self._serving.serving:
            return []
        workers = self._serving.workers
        workers.append(workers.pop(0))
        return [child for child in workers if child in self._serving.serving]

    # Signals

    def hung_up(self) -> None:
        if not self.signals:
            log.info("SIGHUP: reloading")
            self.due[self._begin] = time.monotonic()

    def ending(self) -> None:
        self._board.end()
        limit = self._drain + GRACE if len(self.signals) == 1 else AT_ONCE
        at = time.monotonic() + limit
        self.due[self._kill] = min(self.due.get(self._kill, at), at)

    def _kill(self) -> None:
        """Kill the workers that have not ended in time, though they have limits of their own."""
        for child in self.children:
            child.signal(signal.SIGKILL)

    def _look_for_hanging(self) -> None:
        """Kill workers that hang: others have taken over their turns, or are about to."""
        now = time.monotonic()
        if self.signals or self._serving is None:
            return
        # After a pause of all processes, workers need time to go on
        if now < self._looked + 2 * LOOK:
            for child in self._serving.serving:
                still = now - (child.seat.beaten if child.seat is not None else now)
                if still > max(self._serving.hangs, 2 * LOOK):
                    log.error("worker %d has hung for %.0f s: killed", child.pid, still)
                    child.signal(signal.SIGKILL)
        self._looked = now
        self.due[self._look_for_hanging] = now + LOOK

    # Generations

    def _begin(self) -> None:
        """Start a generation; one that is still starting is out of date."""
        if self.signals:
            return
        if self._starting is not None:
            for child in self._starting.workers:
                child.cut_off()
            self._retired += self._starting.workers
        text = None
        # The worker that starts says what is wrong with it
        with suppress(SettingsError):
            text = text_of(self._settings)
        self._starting = _Generation(text, time.monotonic())
        self.due[self._say_it_takes_long] = time.monotonic() + LONG
        self._fill()

    def _say_it_takes_long(self) -> None:
        if self._starting is not None and not self.signals:
            how = "not started" if self._serving is None else "not reloaded; the workers go on"
            log.warning("%s after %g s", how, LONG)

    def _fill(self) -> None:
        """Fork a worker that is missing, and then the next one."""
        lacking = [each for each in self._generations if each.room > 0]
        if self.signals or not lacking:
            return
        generation = min(lacking, key=lambda each: each.again)
        self._fill_at(generation.again)
        if generation.again > time.monotonic():
            return
        seat = self._board.take_seat()
        try:
            child = self.fork(text=generation.text, seat=seat)
        except OSError as error:
            seat.free()
            generation.replaced_in()
            log.error("cannot start a worker: %s", error.strerror or error)
            self._fill_at(generation.again)
            return
        if child is not None:
            generation.workers.append(child)

    def _fill_at(self, when: float) -> None:
        self.due[self._fill] = when

    def serves(self, child: Child, news: News, sockets: Sequence[socket]) -> None:
        generation = self._of(child)
        assert generation is not None
        generation.serving.add(child)
        if not generation.is_known:
            generation.is_known = True
            generation.wanted, generation.hangs = news.workers, news.hangs
            if self._serving is None:
                self._board.want(generation.wanted)
            self._drain = max(self._drain, news.drain)
            self.bind(news, sockets)
            self._fill_at(time.monotonic())
        elif generation is self._serving:
            log.info("worker %d serves: %s", child.pid, _running(generation))
        if generation is self._starting and len(generation.serving) == generation.wanted:
            self._leave_to(generation)

    def _leave_to(self, generation: _Generation) -> None:
        """Leave all requests to a generation that has started."""
        before, self._serving, self._starting = self._serving, generation, None
        self._board.want(generation.wanted)
        self.due[self._look_for_hanging] = time.monotonic() + LOOK
        if before is not None:
            self._retire(before)
        self._say_who_serves()

    def told(self, child: Child, news: News) -> None:
        if news.retired:
            self._leaving.discard(child)
            self._say_who_serves()

    def _say_who_serves(self) -> None:
        """Say so once no request can reach the generation before."""
        if self._serving is None or self._serving.is_said or self._leaving:
            return
        self._serving.is_said = True
        how = "started" if self._is_first else "reloaded"
        self._is_first = False
        took = time.monotonic() - self._serving.began
        log.info("%s in %.2f s: %s", how, took, _running(self._serving))

    def _retire(self, generation: _Generation) -> None:
        for child in generation.workers:
            if child in generation.serving:
                child.retire()
                self._leaving.add(child)
            else:
                child.cut_off()
        self._retired += generation.workers
        most = MOST_RETIRED * max(generation.wanted, 1)
        for child in self._retired[:-most]:
            if not child.heard:
                child.heard = 1
                child.signal(signal.SIGTERM)

    # The end of a worker

    def ended(self, child: Child, status: int) -> None:
        if child.seat is not None:
            child.seat.free()
        generation = self._of(child)
        if self.signals:
            self._statuses.append(status if status >= 0 else 128 - status)
        elif generation is None and status:
            log.warning("worker %d, which was replaced, %s", child.pid, _died(status))
        if generation is None:
            self._retired.remove(child)
            self._leaving.discard(child)
            self._say_who_serves()
        else:
            generation.workers.remove(child)
            if not self.signals:
                self._lost(generation, child, status)
            generation.serving.discard(child)
        # 3, or that of a signal, tells more than 0
        self.end_when_alone(max(self._statuses))

    def _lost(self, generation: _Generation, child: Child, status: int) -> None:
        if not generation.is_known:
            self._failed(status)
            return
        served = child in generation.serving
        generation.serving.discard(child)
        now = time.monotonic()
        lived = now - child.began
        pause = generation.replaced_in(lived)
        log.warning(
            "worker %d %s after %.1f s%s: replaced %s; %s",
            child.pid,
            _died(status),
            lived,
            "" if served else ", before it served",
            f"in {pause:.1f} s" if pause else "now",
            _running(generation),
        )
        self._fill_at(now)
        if generation is self._starting and len(generation.serving) == len(generation.workers):
            # They are enough to go on with
            self._leave_to(generation)

    def _failed(self, status: int) -> None:
        """Go on when the first worker of a generation could not start."""
        self._starting = None
        if self._serving is not None:
            log.error("not reloaded (%s): the workers go on as before", how_ended(status))
            self._fill_at(time.monotonic())
            return
        if status not in EXPLAINED:
            log.error("the first worker %s before it served", _died(status))
        self.status = 2


def _running(generation: _Generation) -> str:
    pids = ", ".join(sorted(str(child.pid) for child in generation.serving))
    running = len(generation.serving)
    of = "" if running == generation.wanted else f" of {generation.wanted}"
    serve = "serves" if running == 1 and not of else "serve"
    workers = "worker" if running == 1 and not of else "workers"
    return f"{running}{of} {workers} {serve}{f' ({pids})' if pids else ''}"


def _died(status: int) -> str:
    """Return how a worker ended: signal 9 is usually `kill -9`, or too little memory."""
    return f"died ({how_ended(status)})" if status else "ended by itself (exit status 0)"


class _Unhindered(LineHandler):
    """Writes lines that somebody reads: who forks workers and passes on signals may not wait."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError, ValueError):
            ready = select.poll()
            ready.register(self.stream, select.POLLOUT)
            if ready.poll(1000 * _LOST):
                super().emit(record)
