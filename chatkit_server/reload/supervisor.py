"""Forks servers from a process that has imported the libraries, and hands on their sockets.

Importing the libraries takes almost two seconds, and nobody changes them. What is forked, and when,
is in `changes` for `run --reload`, and in `workers` for `run --workers`.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module, invalidate_caches
from importlib.metadata import entry_points
from pathlib import Path
from types import FrameType

from ..errors import SettingsError
from ..web.unix_socket import SocketFile
from ..workers import Seat
from .generation import Bound, Child, Generation, News

PASS_ON = 0.2
"""Seconds that a signal of the terminal has to arrive at all processes, before it is passed on."""

EXPLAINED = (1, 2)
"""Exit statuses of a server that has said why it did not start."""

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_LIBRARIES = (
    "chatkit_server.serve",
    "tortoise.backends.sqlite",
    "tortoise.backends.asyncpg",
    "tortoise.migrations",
)


class Supervisor:
    """Forks servers until they have ended after a signal; subclasses say which, and when."""

    hangup_ends = True
    """Whether SIGHUP ends the servers."""

    def __init__(self) -> None:
        self.bound: Bound | None = None
        self.signals: list[int] = []
        """Those that end the servers."""
        self.due: dict[Callable[[], None], float] = {}
        """What is to be called, and when."""
        self.status: int | None = None
        """With which exit status this process ends: as soon as it is there."""
        self.selector = selectors.DefaultSelector()
        self._file: SocketFile | None = None
        self._generation: Generation | None = None
        """What this process is once it was forked."""

    @property
    def children(self) -> list[Child]:
        """All that have not ended."""
        raise NotImplementedError

    def is_starting(self, child: Child) -> bool:
        """Whether a child has no turns yet."""
        raise NotImplementedError

    def serves(self, child: Child, news: News, sockets: Sequence[socket.socket]) -> None:
        """Go on when a child serves. The sockets are those that it listens on, if it made them."""
        raise NotImplementedError

    def successors(self) -> Sequence[Child]:
        """Return those that go on with connections of others; the first one gets the next."""
        raise NotImplementedError

    def ended(self, child: Child, status: int) -> None:
        """Go on when a child has ended. It is closed already; leave it out from now on."""
        raise NotImplementedError

    def told(self, child: Child, news: News) -> None:
        """Take note of what else a child tells."""

    def left(self) -> None:
        """Close, in a forked process, what only the parent needs."""

    def run(self) -> Generation | int:
        """Return the exit status; in a forked process, what it is."""
        self._hear_signals()
        try:
            while True:
                for call in self._calls():
                    call()
                    if self._generation is not None:
                        return self._generation
                    if self.status is not None:
                        return self.status
        finally:
            if self._generation is None:
                self.close()

    def _calls(self) -> Iterator[Callable[[], None]]:
        """Yield what is to be called now; wait for it if there is nothing."""
        now = time.monotonic()
        for call in [call for call, when in self.due.items() if when <= now]:
            del self.due[call]
            yield call
        wait = min(self.due.values(), default=None)
        for key, _ in self.selector.select(wait and max(0.0, wait - time.monotonic())):
            yield key.data

    # Signals

    def _hear_signals(self) -> None:
        self._wake, write = socket.socketpair()
        self._wake.setblocking(False)
        write.setblocking(False)
        self._write = write
        ignored = self.hangup_ends and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        numbers = [n for n in ENDING if n != signal.SIGHUP or not ignored]
        self._handlers = {n: signal.getsignal(n) for n in (*numbers, signal.SIGCHLD)}
        for number in self._handlers:
            signal.signal(number, _heard)
        signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        self.selector.register(self._wake, selectors.EVENT_READ, self._signalled)

    def _signalled(self) -> None:
        for number in self._wake.recv(64):
            if number == signal.SIGHUP and not self.hangup_ends:
                self.hung_up()
            elif number != signal.SIGCHLD:
                self.signals.append(number)
                self.ending()
                self.due[self._pass_on] = time.monotonic() + PASS_ON
        self._reap()

    def hung_up(self) -> None:
        """Handle a SIGHUP that does not end the servers."""

    def ending(self) -> None:
        """Take note of a signal that ends the servers."""

    def _pass_on(self) -> None:
        """End the servers that have not heard the signal themselves, or have no turns yet."""
        for child in self.children:
            if self.is_starting(child):
                child.cut_off()
            elif child.heard < len(self.signals):
                child.heard = len(self.signals)
                child.signal(self.signals[-1])
        self.end_when_alone()

    def end_when_alone(self, status: int = 0) -> None:
        """End after a signal, once no child is left."""
        if self.signals and not self.children:
            self.status = status

    def _reap(self) -> None:
        for child in self.children:
            with suppress(ChildProcessError):
                pid, ended = os.waitpid(child.pid, os.WNOHANG)
                if pid:
                    self._listen_to(child)
                    with suppress(KeyError, ValueError):
                        self.selector.unregister(child.link)
                    child.close()
                    self.ended(child, os.waitstatus_to_exitcode(ended))

    # Servers

    def fork(
        self, changed: Sequence[Path] = (), text: str | None = None, seat: Seat | None = None
    ) -> Child | None:
        """Fork a server; return None in the forked process, which has to return to `run`.

        Raises `OSError` if the system has no room for it.
        """
        ours, theirs = socket.socketpair()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        but = set(sys.modules)
        parent = os.getpid()
        # In a forked process that has not left it yet, a signal would be told to the parent
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self._handlers)
        try:
            pid = os.fork()
            if pid == 0:
                ours.close()
                self._become(
                    Generation(
                        theirs, self.bound, but, parent, text, seat, hangup_ends=self.hangup_ends
                    )
                )
                return None
        except OSError:
            ours.close()
            theirs.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        ours.setblocking(False)
        child = Child(pid, ours, time.monotonic(), changed, seat, heard=len(self.signals))
        self.selector.register(ours, selectors.EVENT_READ, lambda: self._told_by(ours))
        return child

    def _become(self, generation: Generation) -> None:
        """Leave to the parent what is its own, in the forked process."""
        # Bytecode is out of date only a second after it was written, or for another size
        sys.dont_write_bytecode = True
        invalidate_caches()
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            # A worker's SIGHUP is its parent's affair
            if number != signal.SIGHUP or self.hangup_ends:
                signal.signal(number, handler)
        self.selector.close()
        self._wake.close()
        self._write.close()
        self.left()
        for child in self.children:
            child.close()
        self._generation = generation

    def _told_by(self, link: socket.socket) -> None:
        for child in self.children:
            if child.link is link:
                self._listen_to(child)
                if link.fileno() >= 0 and _is_closed(link):
                    self.selector.unregister(link)

    def _listen_to(self, child: Child) -> None:
        for news, sockets in child.news():
            if news.serves and self.is_starting(child):
                self.serves(child, news, sockets)
            else:
                self._move(sockets)
            self.told(child, news)

    def _move(self, connections: Sequence[socket.socket]) -> None:
        """Give connections of earlier servers to those that serve."""
        for connection in connections:
            any(child.take(connection) for child in self.successors())
            connection.close()

    # Sockets

    def bind(self, news: News, sockets: Sequence[socket.socket]) -> None:
        """Keep the sockets that a server has made, for those that are forked from now on."""
        if sockets:
            host, port, path = news.address
            self._unbind()
            self.bound = Bound((host, port, path), sockets)
            with suppress(OSError):
                self._file = SocketFile(Path(path)) if path else None

    def _unbind(self) -> None:
        if self.bound is not None:
            for each in self.bound.sockets:
                each.close()
        if self._file is not None:
            self._file.remove()
        self.bound = self._file = None

    def close(self) -> None:
        """Close what this process has open. Children that still run end themselves."""
        self._unbind()
        self.selector.close()


def import_bundled_plugins() -> None:
    """Import those whose libraries are installed; a generation says so of others that it needs."""
    for plugin in entry_points(group="chatkit_server"):
        if plugin.module.partition(".")[0] == "chatkit_plugins":
            with suppress(ImportError, SettingsError):
                import_module(plugin.module)


def import_libraries() -> None:
    """Import what servers share: the libraries, and what the bundled plugins are made with."""
    for name in _LIBRARIES:
        with suppress(ImportError):
            import_module(name)
    import_bundled_plugins()


def freeze() -> None:
    """Let forked processes share what is in memory now: their collectors leave it alone."""
    gc.collect()
    gc.freeze()


def _heard(number: int, frame: FrameType | None) -> None:
    """Do nothing: the number is read where the system writes it."""


def _is_closed(link: socket.socket) -> bool:
    try:
        return not link.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def how_ended(status: int) -> str:
    """Return how a process ended, in words."""
    return f"exit status {status}" if status >= 0 else f"signal {-status}"
