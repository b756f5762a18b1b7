"""A TCP proxy in front of several servers: each request of a user goes to another one."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress

_USER = re.compile(rb"^X-User: (\S+)\r$", re.M)
_CHAT = re.compile(rb"POST \S+/chat HTTP")


class RoundRobin:
    """Passes connections on, both ways. A client needs a new one for each request.

    `targets` are the ports of the servers, and may change. One that takes no connection is passed
    over. `asked` has the port that got the newest message of each user.
    """

    def __init__(self, targets: Iterable[int] = ()) -> None:
        self.targets = list(targets)
        self.asked: dict[str, int] = {}
        self._turns: defaultdict[str, int] = defaultdict(int)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where clients connect to."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> RoundRobin:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            server_reader, server_writer = await self._connect(head)
            writers.append(server_writer)
            server_writer.write(head)
            await _first(_copy(reader, server_writer), _copy(server_reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            # Nobody takes it, or its client has gone
            writer.transport.abort()
        finally:
            for each in writers:
                each.close()
            for each in writers:
                with suppress(OSError):
                    await each.wait_closed()

    async def _connect(self, head: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the next server of the user who asks. Raises `OSError` if none is there."""
        match = _USER.search(head)
        user = match[1].decode() if match else ""
        for _ in range(2 * len(self.targets)):
            port = self.targets[self._turns[user] % len(self.targets)]
            self._turns[user] += 1
            with suppress(OSError):
                connection = await asyncio.open_connection("127.0.0.1", port)
                if _CHAT.match(head):
                    self.asked[user] = port
                return connection
        raise ConnectionRefusedError


async def _first(*ways: asyncio._CoroutineLike[None]) -> None:
    """Wait until one of the ways has ended, and end the others."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
