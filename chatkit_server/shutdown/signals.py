"""SIGTERM, SIGINT and SIGHUP end the process in time, whatever hangs.

Python handles a signal in the main thread, asyncio in the event loop: neither does anything while
something blocks. Here a thread hears the signals, and ends the process at its limit. Where even
that cannot run, the `guard` does it.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import math
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from .guard import ENDING, Guard
from .hanging import end_children, what_hangs

GRACE = 10.0
"""Seconds that the process has to end when `server.drain` is over."""

AT_ONCE = 2.0
"""Seconds that it has after a second signal."""

_BEFORE = 0.8
"""Seconds before a limit at which the process ends itself."""

_GUARD_BEFORE = 0.3
"""The same for its guard."""

_WRITING = 0.2
"""Seconds for the last line of the log: who reads it may be the one that hangs."""

CUT_OFF = 3
"""The exit status if something had to be cut off."""

log = logging.getLogger(__name__)


class Signals:
    """Hears the signals from now on. Make one, in the main thread, before there are others.

    Before and after `serving`, a signal ends the process at once. SIGHUP is left alone if it was
    ignored, as under nohup; it only begins the end, and never cuts it short.
    """

    def __init__(self, heard: Callable[[], None] | None = None, *, hangup: bool = True) -> None:
        """Begin. `heard` is called for each signal, in another thread.

        Without `hangup`, SIGHUP is left alone.
        """
        self._told = heard
        self._read, self._write = socket.socketpair()
        self._write.setblocking(False)
        self._guard = Guard(self._read)
        self._limits = (AT_ONCE, AT_ONCE)
        self._deadline = math.inf
        self._began: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: Callable[[], None] | None = None
        self._others = -1
        hangup = hangup and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
        self._numbers = (*ENDING, *([signal.SIGHUP] if hangup else []))
        self.install()
        os.register_at_fork(after_in_child=self._forget)
        atexit.register(self._ignore)
        self._thread = threading.Thread(target=self._hear, name="signals", daemon=True)
        self._thread.start()

    def install(self) -> None:
        """Hear the signals, also if somebody else has asked for them since."""
        for number in self._numbers:
            signal.signal(number, self._in_main_thread)
        before = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        if before not in (-1, self._write.fileno()):
            # An event loop's, for signals that a plugin handles
            self._others = before

    def _forget(self) -> None:
        """Leave signals to the system in a forked process, which is not the server."""
        signal.set_wakeup_fd(-1)
        for number in self._numbers:
            default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, default)

    def _ignore(self) -> None:
        """Ignore signals while the interpreter is taken apart: it resets them, and would be killed.

        Only the guard limits that.
        """
        for number in self._numbers:
            signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def serving(self, drain: float, handle: Callable[[], None]) -> Iterator[None]:
        """Call `handle` in the running event loop for each signal, and allow `drain` to turns."""
        self._limits = (drain + GRACE, AT_ONCE)
        self._handle = handle
        self._loop = asyncio.get_running_loop()
        self._tell_guard()
        try:
            yield
        finally:
            self._handle = None
            self._others = -1
            # From now on, a signal ends the process at once
            self._limits = (AT_ONCE, AT_ONCE)
            self._tell_guard()

    def begin(self) -> None:
        """Note that the end has begun without a signal: one that comes now is the second."""
        self._began = self._began or time.monotonic()

    def drained(self) -> None:
        """Note that no turns are left: what remains has a limit of its own."""
        if self._began is not None:
            self._end_by(time.monotonic() + GRACE)
            self._write.send(b"\0")

    def _in_main_thread(self, number: int, frame: FrameType | None) -> None:
        """Hear a signal that the system's handler did not write to our socket."""
        ours = self._write.fileno()
        found = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(found, warn_on_full_buffer=False)
        if found != ours:
            self._write.send(bytes([number]))

    def _hear(self) -> None:
        arrived = select.poll()
        arrived.register(self._read, select.POLLIN)
        while True:
            remaining = self._deadline - time.monotonic()
            if remaining <= 0:
                self._cut_off()
            # Not `recv`: it takes what has arrived before it waits for the interpreter, and the
            # guard would see nothing
            if not arrived.poll(None if remaining == math.inf else 1000 * remaining + 1):
                continue
            numbers = self._read.recv(64)
            for number in numbers:
                if number in self._numbers:
                    self._heard(number)
                elif number and self._others >= 0:
                    with suppress(OSError):
                        os.write(self._others, bytes([number]))

    def _heard(self, number: int) -> None:
        if self._told is not None:
            self._told()
        handle, loop = self._handle, self._loop
        if handle is None or loop is None:
            leave(0)
        now = time.monotonic()
        if self._began is None:
            self._began = now
            self._end_by(now + self._limits[0])
        elif number in ENDING:
            self._end_by(now + self._limits[1])
        else:
            return
        with suppress(RuntimeError):  # closed meanwhile
            loop.call_soon_threadsafe(handle)

    def _end_by(self, deadline: float) -> None:
        self._deadline = min(self._deadline, deadline - _BEFORE)
        self._tell_guard()

    def _tell_guard(self) -> None:
        first, again = (seconds - _GUARD_BEFORE for seconds in self._limits)
        self._guard.tell(first, again, self._deadline + _BEFORE - _GUARD_BEFORE)

    def _cut_off(self) -> None:
        """End the process, and say what still ran."""
        seconds = time.monotonic() - (self._began or 0.0)
        hanging = what_hangs(self._loop, but=[threading.get_ident()])
        in_time(lambda: log.error("cut off after %.1f s. Still running: %s", seconds, hanging))
        leave(CUT_OFF)


def ends_at_once() -> None:
    """Have a signal end the process, with status 0, until something else hears it."""
    for number in (*ENDING, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: leave(0))


def leave(status: int) -> NoReturn:
    """End the process at once, with its children."""
    in_time(_flush)
    end_children(os.getpid())
    os._exit(status)


def _flush() -> None:
    for handler in logging.getLogger().handlers:
        handler.flush()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()


def in_time(write: Callable[[], None]) -> None:
    """Write, unless that takes too long: a lock may be held, or a pipe full."""
    thread = threading.Thread(target=write, daemon=True)
    with suppress(RuntimeError):  # the interpreter ends
        thread.start()
        thread.join(_WRITING)
