"""Find what blocks the event loop, with the hook and the line."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

_TICK = 0.01

_OUTSIDE = (str(Path(__file__).parent), asyncio.events.__file__)
"""Where a stack leaves the plugin: these tests, and the event loop."""

_ON_TIME = 3 * _TICK
"""A sample that comes later says only that the machine is busy."""


class Blocking:
    """Watches the thread that made it: `lines` says what blocks in a plugin's code.

    A call that is known to block, such as `time.sleep`, counts however short it is; everything else
    counts after `seconds`. `codes` names the hooks by their code, `own` the plugin's files.
    """

    def __init__(self, codes: Mapping[Any, str], own: tuple[str, ...], seconds: float) -> None:
        self.lines: list[str] = []
        self._codes = codes
        self._own = own
        self._seconds = seconds
        self._thread = threading.get_ident()
        self._ticks = 0
        self._over = threading.Event()

    def tick(self) -> None:
        """Say that the event loop is alive. Call it again and again from the loop."""
        self._ticks += 1

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Watch for as long as the block runs."""
        global _watching
        _install()
        sampler = threading.Thread(target=self._sample, daemon=True)
        before, _watching = _watching, self
        sleep = time.sleep

        def sleeping(seconds: float) -> None:
            # Before Python 3.13, there is no audit event
            self.note("time.sleep", (seconds,))
            sleep(seconds)

        sampler.start()
        try:
            with patch.object(time, "sleep", sleeping):
                yield
        finally:
            _watching = before
            self._over.set()
            sampler.join()

    def note(self, event: str, given: tuple[Any, ...]) -> None:
        """Take in an audit event of this process."""
        call = _blocks(event, given)
        if call is not None and threading.get_ident() == self._thread:
            place = self._place(sys._getframe(2))
            if place is not None:
                self._add(f"{place} calls `{call}`")

    def _sample(self) -> None:
        last, blocked = self._ticks, 0.0
        while True:
            began = time.perf_counter()
            if self._over.wait(_TICK):
                return
            took = time.perf_counter() - began
            if self._ticks != last:
                last, blocked = self._ticks, 0.0
                continue
            # A loop that sleeps has no plugin on its stack
            frame = sys._current_frames().get(self._thread)
            place = None if frame is None else self._place(frame)
            blocked = 0.0 if place is None else blocked + min(took, _ON_TIME)
            if place is not None and blocked >= self._seconds:
                self._add(f"{place} blocks for more than {self._seconds:g} s")

    def _place(self, frame: FrameType) -> str | None:
        """Return the hook and the line of the plugin on a stack, None without one."""
        line: str | None = None
        at: FrameType | None = frame
        while at is not None and not at.f_code.co_filename.startswith(_OUTSIDE):
            code = at.f_code
            if line is None and code.co_filename.startswith(self._own):
                line = f"{code.co_filename}:{at.f_lineno}"
                name = code.co_name
            hook = self._codes.get(code)
            if hook is not None:
                return f"`{hook}` at {line or f'{code.co_filename}:{at.f_lineno}'}"
            at = at.f_back
        return None if line is None else f"`{name}` at {line}"

    def _add(self, line: str) -> None:
        if line not in self.lines:
            self.lines.append(line)


_watching: Blocking | None = None
_installed = False


def _install() -> None:
    """Add the audit hook of this process, which cannot be removed again."""
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_audit)


def _audit(event: str, given: tuple[Any, ...]) -> None:
    if _watching is not None and event in _EVENTS:
        _watching.note(event, given)


_EVENTS = frozenset({"time.sleep", "socket.connect", "socket.getaddrinfo", "os.system"})


def _blocks(event: str, given: tuple[Any, ...]) -> str | None:
    """Return the call of an audit event, if it blocks."""
    match event:
        case "time.sleep":
            return "time.sleep" if given[0] > 0 else None
        case "socket.connect":
            return None if given[0].gettimeout() == 0 else "socket.connect"
        case _:
            return event
