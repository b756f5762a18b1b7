"""What a forked server and the process that forked it tell each other."""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..settings.schema import ServerSettings
from ..shutdown.signals import Signals, in_time
from ..workers import STARTING, Seat, count_of
from .sources import Imports

Address = tuple[str, int, str]
"""The host, the port, and the path of the Unix socket, as the settings say them."""

RETIRE = b"r"
"""Says that the next generation serves."""

TAKE = b"t"
"""Comes with a connection of an earlier generation."""

PATIENCE = 1.0
"""Seconds that the other end may take to read."""

_END_WITH_PARENT = 1
"""Linux's PR_SET_PDEATHSIG."""

log = logging.getLogger(__name__)


def address_of(settings: ServerSettings) -> Address:
    path = "" if settings.socket is None else str(settings.socket.absolute())
    return settings.host, settings.port, path


@dataclass
class Bound:
    """Listening sockets, and the address that they were made for."""

    address: Address
    sockets: Sequence[socket.socket]


@dataclass(frozen=True)
class News:
    """What a generation tells.

    `address` comes once it serves. It gives up if no change of a file could help. Of the `sockets`
    that come with it, those of one that serves listen, and another's is a connection to move.
    `workers` says how many like it there should be, `drain` how long their turns may take to end,
    and `hangs` after how many seconds without a step of its event loop it hangs.
    """

    heard: int = 0
    files: Sequence[str] = ()
    folders: Sequence[str] = ()
    address: Sequence[Any] = ()
    serves: bool = False
    gives_up: bool = False
    retired: bool = False
    sockets: int = 0
    workers: int = 1
    drain: float = 0.0
    hangs: float = 0.0


class Generation:
    """The server in a forked process."""

    def __init__(
        self,
        link: socket.socket,
        bound: Bound | None,
        but: Collection[str],
        parent: int,
        text: str | None = None,
        seat: Seat | None = None,
        *,
        hangup_ends: bool = True,
    ) -> None:
        """Make one that got the sockets that are `bound`; `but` are modules that never change.

        `text` is that of the settings file, None if it is to be read. A worker has a `seat`.
        """
        self.text = text
        self.seat = seat
        self.hangup_ends = hangup_ends
        self._link = link
        self._bound = bound
        self._imports = Imports(but)
        self._heard = 0
        self._parent = parent
        self._is_orphan = False
        if seat is not None:
            seat.state = STARTING
        self._ends_with_parent = _end_with(parent)

    def bound(self, settings: ServerSettings) -> list[socket.socket]:
        """Return the sockets for these settings; none if the server has to make them."""
        if self._bound is None:
            return []
        if self._bound.address == address_of(settings):
            return list(self._bound.sockets)
        for each in self._bound.sockets:
            each.close()
        return []

    def signals(self) -> Signals:
        """Return what hears signals from now on; the parent learns of them."""
        return Signals(self.heard, hangup=self.hangup_ends)

    def heard(self) -> None:
        """Tell that a signal came: it need not be passed on.

        If it came since the parent has died, the log says so: nobody else can.
        """
        if os.getppid() != self._parent and not self._is_orphan:
            self._is_orphan = True
            what = "this server ends" if self.seat is None else "this worker ends"
            told = "the first process (%d) has died: %s. Start the server again"
            in_time(lambda: log.error(told, self._parent, what))
        self._heard += 1
        self._tell(News(heard=self._heard))

    def tell_sources(self, folders: Iterable[Path]) -> None:
        """Tell which files the server is made from: `folders` of plugins, and what it imported."""
        files, packages = self._imports.sources()
        packages.update(Path(os.path.abspath(folder)) for folder in folders)
        self._tell(News(files=[*map(str, files)], folders=[*map(str, packages)]))

    def serves(
        self,
        sockets: Sequence[socket.socket],
        settings: ServerSettings,
        hangs: float,
        retire: Callable[[], None],
        take: Callable[[socket.socket], None],
        close: Callable[[], None],
    ) -> None:
        """Tell that the server accepts requests.

        It hangs after `hangs` seconds without a step of its event loop. `retire` is called when
        another one serves, and `take` with connections of those before it. `close` is called when
        this one has no parent any more: it must not be in the way of others.
        """
        address = address_of(settings)
        made = self._bound is None or self._bound.address != address
        news = News(
            serves=True,
            address=address,
            workers=count_of(settings.workers),
            drain=settings.drain,
            hangs=hangs,
        )
        self._tell(news, sockets if made else ())
        self._link.setblocking(False)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._link, self._told, retire, take, close)

    def gives_up(self) -> None:
        """Tell that it cannot start, and no other one could."""
        self._tell(News(gives_up=True))

    def move(self, connection: socket.socket) -> None:
        """Have the generation that serves now go on with a connection."""
        self._tell(News(), [connection])
        connection.close()

    def _told(
        self,
        retire: Callable[[], None],
        take: Callable[[socket.socket], None],
        close: Callable[[], None],
    ) -> None:
        try:
            word, files, _, _ = socket.recv_fds(self._link, 1, 1)
        except BlockingIOError:
            return
        except OSError:
            word, files = b"", []
        if word == RETIRE:
            retire()
            self._tell(News(retired=True))
        elif word == TAKE:
            for number in files:
                take(socket.socket(fileno=number))
        elif not word:
            # Nobody would start another one
            asyncio.get_running_loop().remove_reader(self._link)
            close()
            if not self._ends_with_parent:
                os.kill(os.getpid(), signal.SIGTERM)

    def _tell(self, news: News, sockets: Sequence[socket.socket] = ()) -> None:
        line = json.dumps(vars(news) | {"sockets": len(sockets)}).encode() + b"\n"
        _send(self._link, line, sockets)


@dataclass(eq=False)
class Child:
    """A generation, as the process that forked it knows it."""

    pid: int
    link: socket.socket
    began: float
    changed: Sequence[Path]
    seat: Seat | None = None
    heard: int = 0
    gives_up: bool = False
    _sockets: list[socket.socket] = field(default_factory=list)
    _text: bytes = b""

    def news(self) -> Iterator[tuple[News, list[socket.socket]]]:
        """Yield what the generation has told since the last call, with the sockets it sent."""
        while True:
            try:
                data, files, _, _ = socket.recv_fds(self.link, 65_536, 16)
            except OSError:
                return
            self._sockets += [socket.socket(fileno=number) for number in files]
            if not data:
                return
            *lines, self._text = (self._text + data).split(b"\n")
            for line in lines:
                news = News(**json.loads(line))
                self.heard = max(self.heard, news.heard)
                self.gives_up = self.gives_up or news.gives_up
                sent, self._sockets = self._sockets[: news.sockets], self._sockets[news.sockets :]
                yield news, sent

    def retire(self) -> None:
        """Tell it that another one serves."""
        _send(self.link, RETIRE)

    def take(self, connection: socket.socket) -> bool:
        """Have it serve a connection; return whether it can."""
        return _send(self.link, TAKE, [connection])

    def signal(self, number: int) -> None:
        """Send a signal, if it is still there."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def cut_off(self) -> None:
        """End it as if by a second signal: it has no turns."""
        # Two of a kind could arrive as one
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGINT)

    def close(self) -> None:
        """Forget it."""
        self.link.close()
        for each in self._sockets:
            each.close()


def _send(link: socket.socket, data: bytes, sockets: Sequence[socket.socket] = ()) -> bool:
    """Send bytes with sockets, whole or not at all; return whether they were sent.

    The other end reads at once. It has to, for a moment: as many may be sent as there are
    connections, and the system keeps some hundreds.
    """
    files = [each.fileno() for each in sockets]
    try:
        while data:
            with suppress(BlockingIOError):
                data = data[socket.send_fds(link, [data], files) :]
                files = []
                continue
            room = select.poll()
            room.register(link, select.POLLOUT)
            if not room.poll(1000 * PATIENCE):
                return False
    except OSError:
        return False
    return True


def _end_with(parent: int) -> bool:
    """Have the system send SIGTERM when the parent dies; return whether it does."""
    if sys.platform != "linux":
        return False
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None, use_errno=True)
        if library.prctl(_END_WITH_PARENT, signal.SIGTERM, 0, 0, 0) == 0:
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)
            return True
    return False
