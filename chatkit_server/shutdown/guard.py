"""A second process that kills the server when its Python interpreter is held for too long.

Code in C that neither returns nor gives up the interpreter, such as `sum(range(10**12))`, keeps
every thread from running. The system's signal handler still writes to a socket then, and this
process sees that nobody reads it.
"""

from __future__ import annotations

import faulthandler
import math
import os
import re
import resource
import select
import signal
import socket
import struct
import sys
import time
from contextlib import suppress

from .hanging import end_children

ENDING = (signal.SIGTERM, signal.SIGINT)
"""The second one of these ends the process at once."""

_LIMITS = struct.Struct("ddd")
_LOOK = 0.25
"""Seconds in which the process should have read a signal."""

_TELL = signal.SIGXCPU
"""Has the process write where its threads are."""

_FRAME = re.compile(r'File "(.*)", line (\d+) in (.*)')


class Guard:
    """The limits, as the process tells its guard: without a guard, nobody is told."""

    def __init__(self, wake: socket.socket) -> None:
        """Start the process. `wake` gets the numbers of signals, and the server reads them."""
        self.pid: int | None = None
        read, self._write = os.pipe()
        self._told, told = os.pipe()
        parent = os.getpid()
        try:
            self.pid = os.fork()
        except OSError:
            return
        finally:
            if self.pid != 0:
                os.close(read)
        if self.pid == 0:
            try:
                _watch(parent, wake, read, self._told)
            finally:
                os._exit(0)
        faulthandler.register(_TELL, told)

    def tell(self, first: float, again: float, deadline: float) -> None:
        """Set what signals allow, in seconds, and when the process must have ended."""
        with suppress(OSError):
            os.write(self._write, _LIMITS.pack(first, again, deadline))


def _watch(parent: int, wake: socket.socket, limits: int, told: int) -> None:
    """Wait for the end of the process, and see to it."""
    for number in (*ENDING, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    close_all_but(2, wake.fileno(), limits, told)
    with suppress(OSError), open("/proc/self/comm", "w") as name:
        name.write("chatkit-guard")
    watched = select.poll()
    watched.register(limits, select.POLLIN)
    watched.register(wake, select.POLLIN)
    first = again = 1.0
    heard = unheard = math.inf
    """When to kill it because of signals that it has read, and of those that it has not."""
    while True:
        remaining = min(heard, unheard) - time.monotonic()
        if remaining <= 0:
            _kill(parent, told)
            return
        events = dict(watched.poll(None if remaining == math.inf else 1000 * remaining + 1))
        if limits in events:
            news = os.read(limits, 64 * _LIMITS.size)
            if not news:
                return
            first, again, heard = _LIMITS.unpack(news[-_LIMITS.size :])
            unheard = math.inf
        elif wake.fileno() in events:
            began = time.monotonic()
            time.sleep(min(_LOOK, remaining))
            numbers = _unread(wake)
            ends = sum(number in ENDING for number in numbers)
            if ends > (heard == math.inf):
                unheard = min(unheard, began + again)
            elif ends or signal.SIGHUP in numbers:
                unheard = min(unheard, began + first)


def _unread(wake: socket.socket) -> bytes:
    try:
        return wake.recv(64, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return b""


def _kill(parent: int, told: int) -> None:
    if os.getppid() != parent:
        return
    os.kill(parent, _TELL)
    where = _where(told)
    when = time.strftime("%Y-%m-%d %H:%M:%S")
    line = f"{when},000 ERROR {__name__}: killed: the end took too long, and nothing else could run"
    with suppress(OSError):
        os.set_blocking(2, False)
        os.write(2, f"{line}. Still running: {where}\n".encode(errors="replace"))
    end_children(parent, but=(os.getpid(),))
    os.kill(parent, signal.SIGKILL)
    if parent == 1 and sys.platform == "linux":
        # The first process of a container ignores that, but not the limit of its processor time
        resource.prlimit(parent, resource.RLIMIT_CPU, (1, 1))


def _where(told: int) -> str:
    """Return the innermost place of each thread, the main one first."""
    ready = select.poll()
    ready.register(told, select.POLLIN)
    text = b""
    while ready.poll(100) and (more := os.read(told, 65536)):
        text += more
    threads = text.decode(errors="replace").split("hread 0x")[1:]
    places = [f"{at[3]} ({at[1]}:{at[2]})" for at in map(_FRAME.search, threads[::-1]) if at]
    return "; ".join(places[:5]) or "unknown"


def close_all_but(*kept: int) -> None:
    """Close all files but these: those that were open at a fork."""
    before = -1
    for descriptor in sorted({*kept, os.sysconf("SC_OPEN_MAX")}):
        if descriptor > before + 1:
            # An empty range that begins at 0 would be all of them
            os.closerange(before + 1, descriptor)
        before = descriptor
