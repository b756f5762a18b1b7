"""Accepts connections, a few at a time."""

from __future__ import annotations

import asyncio
import errno
import resource
from collections.abc import Callable, Sequence
from socket import NI_NUMERICHOST, NI_NUMERICSERV, getnameinfo, socket

from aiohttp import web

from ..settings.schema import Settings
from ..workers import Seat
from .connections import Connections
from .keys import HOOKS, REFUSALS
from .overflow import MAX_OVERFLOW
from .unix_socket import SocketFile, UnixSocket

MOST_FILES = 65_536
"""Open files that the process asks the system for."""

MOST_CONNECTIONS = 10_000
"""Connections without `server.limits.connections`, if the limit of open files allows them."""

BACKLOG = 1024
"""Connections that wait to be accepted."""

BURST = 64
"""Connections that are accepted at once, after a second without any. Each takes a tenth of a
millisecond."""

ACCEPTED_AT_ONCE = 2
"""Connections that are accepted before other tasks run, when there were more."""

CLOSED_AT_ONCE = 32
"""Connections that are closed at once before other tasks run."""

PAUSE = 0.001
"""Seconds in which nothing is accepted after `ACCEPTED_AT_ONCE`: time for what runs in threads."""

TURN = 0.005
"""Seconds that other workers with fewer connections have to accept one first. The system would wake
the same worker again and again."""

FULL_PAUSE = 1.0
"""The same when the process may not have more open files."""

_FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Listener:
    """Accepts connections for an application, within the limits of the settings.

    Start it when the runner is set up, and close it before the runner is cleaned up. asyncio's own
    server would accept whatever waits before anything else runs, and make a task and a transport
    for each connection, also for those that are closed at once.
    """

    connections: Connections

    def __init__(
        self,
        runner: web.AppRunner,
        settings: Settings,
        bound: Sequence[socket] = (),
        seat: Seat | None = None,
    ) -> None:
        """Make one that listens on the sockets that are `bound`, or else binds its own.

        With a `seat`, other workers accept from the same sockets.
        """
        self._runner = runner
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._given = bound
        self._seat = seat
        self._left_to_others = False
        self._file: SocketFile | None = None
        self._sockets: dict[socket, asyncio.TimerHandle | None] = {}
        """Each with the end of its pause, if it has one."""
        self._serving: set[asyncio.Task[object]] = set()
        self._started = False
        self._burst = float(BURST)
        self._accepted_at = self._loop.time()

    async def start(self) -> tuple[str, int]:
        """Listen; return the host and the port, or the path and 0. Raises `OSError`."""
        settings = self._settings.server
        assert self._runner.server is not None
        files = raise_file_limit()
        most = settings.limits.connections or min(MOST_CONNECTIONS, files // 2)
        overflow = min(MAX_OVERFLOW, max(files // 8, 1))
        refusals = self._runner.app[REFUSALS]
        languages = self._runner.app[HOOKS].languages
        self.connections = Connections(
            self._runner.server, settings, most, refusals, overflow, languages
        )
        self.connections.seat = self._seat
        self._started = True
        for listening in await self._bound():
            listening.setblocking(False)
            listening.listen(BACKLOG)
            self._resume(listening)
        if settings.socket is not None:
            return str(settings.socket), 0
        address = next(iter(self._sockets)).getsockname()
        # With the zone of a link-local address
        host, _ = getnameinfo(address, NI_NUMERICHOST | NI_NUMERICSERV)
        return host, address[1]

    async def _bound(self) -> Sequence[socket]:
        settings = self._settings.server
        if self._given:
            return self._given
        if settings.socket is not None:
            unix = UnixSocket(settings.socket, settings.socket_mode, BACKLOG)
            self._file = unix.file
            return [unix.socket]
        server = await self._loop.create_server(
            asyncio.Protocol, settings.host, settings.port, start_serving=False
        )
        bound = [each.dup() for each in server.sockets]
        server.close()
        return bound

    def hand_over(self) -> list[socket]:
        """Return the sockets, which another process goes on with; their file is its own now."""
        self._file = None
        return list(self._sockets)

    def retire(self, move: Callable[[socket], None]) -> None:
        """Leave new connections to another process, and `move` each one there after its request."""
        self._stop_accepting()
        self.connections.retire(move)

    def take(self, connection: socket) -> None:
        """Serve a connection that another process has accepted."""
        connection.setblocking(False)
        serving = self._loop.create_task(self._serve(connection))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    def leave_address(self) -> None:
        """Accept no more connections, and let others listen here."""
        self._stop_accepting()

    def close(self) -> None:
        """Accept no more connections, and limit those that are there no more."""
        if self._started:
            self.connections.close()
        self._stop_accepting()
        if self._file is not None:
            self._file.remove()

    def _stop_accepting(self) -> None:
        for listening, pause in self._sockets.items():
            self._loop.remove_reader(listening)
            if pause is not None:
                pause.cancel()
            listening.close()
        self._sockets.clear()

    def _resume(self, listening: socket) -> None:
        self._sockets[listening] = None
        self._loop.add_reader(listening, self._accept, listening)

    def _pause(self, listening: socket, seconds: float) -> None:
        self._loop.remove_reader(listening)
        self._sockets[listening] = self._loop.call_later(seconds, self._resume, listening)

    def _accept(self, listening: socket) -> None:
        now = self._loop.time()
        self._burst = min(BURST, self._burst + (now - self._accepted_at) * BURST)
        self._accepted_at = now
        most = max(ACCEPTED_AT_ONCE, int(self._burst))
        closed = 0
        while most and closed < CLOSED_AT_ONCE:
            if self._leaves_to_others():
                self._pause(listening, TURN)
                return
            try:
                connection, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self.connections.log_full(error.strerror or "no room")
                self._pause(listening, FULL_PAUSE)
                return
            if self.connections.flooded(str(peer[0]) if isinstance(peer, tuple) else ""):
                connection.close()
                closed += 1
                continue
            self.take(connection)
            most -= 1
            self._burst = max(0.0, self._burst - 1)
        self._pause(listening, PAUSE)

    def _leaves_to_others(self) -> bool:
        """Whether a worker with fewer connections should take the next one, if it can at once."""
        if self._seat is None:
            return False
        self._seat.connections = self.connections.open + len(self._serving)
        self._left_to_others = not self._left_to_others and self._seat.has_more()
        return self._left_to_others

    async def _serve(self, connection: socket) -> None:
        await self._loop.connect_accepted_socket(self.connections, connection)


def raise_file_limit() -> int:
    """Allow as many open files as the system lets the process have; return the limit.

    Half of them are for connections of clients. A turn opens others, to models and databases.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MOST_FILES if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
