"""A TCP proxy on loopback that cuts connections at chosen moments.

async with Proxy(port) as proxy:
    proxy.cuts.append(after_frames(3))   # for the next event stream
    ...                                  # clients use proxy.port
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from contextlib import suppress

Where = Callable[[bytes], int | None]
"""Given the body of a stream as it is on the wire so far, the length to let through, or None."""

_STREAM = re.compile(rb"^HTTP/1\.1 200 .*?content-type: text/event-stream.*?\r\n\r\n", re.I | re.S)
_LAST_CHUNK = b"0\r\n\r\n"
READING = 0.03
"""Seconds that a client has for what came before a cut."""


def after_frames(count: int, more: int = 0) -> Where:
    """Cut after so many frames, and `more` bytes of what follows them."""

    def where(body: bytes) -> int | None:
        ends = [match.end() for match in re.finditer(rb"\n\n", body)]
        cut = ends[count - 1] + more if len(ends) >= count > 0 else more if not count else None
        return cut if cut is not None and len(body) >= cut else None

    return where


def inside_character(number: int = 1) -> Where:
    """Cut after the first byte of a character that has several."""

    def where(body: bytes) -> int | None:
        starts = [index for index, byte in enumerate(body) if byte >= 0xC0]
        return starts[number - 1] + 1 if len(starts) >= number else None

    return where


def after_chunk(body: bytes) -> int | None:
    """Cut after the first chunk that ends with a frame; only there can the end look clean."""
    end = body.find(b"\n\n\r\n")
    return end + 4 if end >= 0 else None


def at_once(body: bytes) -> int | None:
    """Cut before the first byte of the body."""
    return 0


class Proxy:
    """Passes bytes on, both ways.

    `cuts` are for the event streams of turns to come, one each; with `always`, that one is for all.
    With `clean`, a cut looks like the end of the response. `lose` answers to requests that begin
    with these bytes are thrown away with their connections, as often as the number says. While
    `down`, connections are refused. `made` counts the cuts, `requests` are the first lines of
    what was asked, and `bodies` those of the streams so far.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.cuts: deque[Where] = deque()
        self.always: Where | None = None
        self.clean = False
        self.lose: dict[bytes, int] = {}
        self.down = False
        self.made = 0
        self.requests: list[bytes] = []
        self.bodies: list[bytearray] = []
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where clients connect to."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def passed(self, text: bytes) -> None:
        """Wait until a stream has brought this, and its client had time to read it."""
        while not any(text in body for body in self.bodies):
            self._news.clear()
            await self._news.wait()
        await asyncio.sleep(READING)

    def hang_up(self) -> None:
        """Close all connections as they are."""
        for task in self._tasks:
            task.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client's connection until either side has closed it, or it is cut."""
        if self.down:
            writer.transport.abort()
            return
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
        connection = _Connection(self)
        ways = [
            asyncio.create_task(_pass(reader, server_writer, connection.asked, self._news.set)),
            asyncio.create_task(_pass(server_reader, writer, connection.answered, self._news.set)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            # Both at once: who waits for the first may be cancelled
            for side in (writer, server_writer):
                side.close()
            for side in (writer, server_writer):
                with suppress(OSError):
                    await side.wait_closed()


async def _pass(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    through: Callable[[bytes], tuple[bytes, bool]],
    noticed: Callable[[], None],
) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            passed, more = through(data)
            writer.write(passed)
            await writer.drain()
            noticed()
            if not more:
                # A browser forgets what it has not read of a connection that breaks
                await asyncio.sleep(READING)
                return


class _Connection:
    """What is known of one connection: what was asked, and how far its event stream is."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._lost = False
        self._where: Where | None = None
        self._body: bytearray | None = None

    def asked(self, data: bytes) -> tuple[bytes, bool]:
        line, found, _ = data.partition(b" HTTP/1.1\r\n")
        if found:
            self._proxy.requests.append(line)
            for start, times in self._proxy.lose.items():
                if times and line.startswith(start):
                    self._proxy.lose[start] -= 1
                    self._lost = True
        return data, True

    def _next(self) -> Where | None:
        return self._proxy.cuts.popleft() if self._proxy.cuts else self._proxy.always

    def answered(self, data: bytes) -> tuple[bytes, bool]:
        if self._lost:
            return b"", False
        head = b""
        if self._body is None:
            match = _STREAM.match(data)
            if match is None:
                return data, True
            self._body = bytearray()
            self._proxy.bodies.append(self._body)
            self._where = self._next() if b"x-turn-id:" in match[0].lower() else None
            head, data = match[0], data[match.end() :]
        before = len(self._body)
        self._body += data
        cut = self._where(bytes(self._body)) if self._where else None
        if cut is None:
            if self._body.endswith(_LAST_CHUNK):
                self._body = None
            return head + data, True
        self._proxy.made += 1
        end = _LAST_CHUNK if self._proxy.clean else b""
        return head + data[: max(0, cut - before)] + end, False
