"""A server of any kind that means harm before its answer begins, and after it ended.

async with HostileBeginning(b"HTTP/1.1 100 Continue\r\n\r\n") as server:
    ...  # ask it at `server.url`; `server.ended` is how many connections the client closed
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

BEGINNINGS = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "102": b"HTTP/1.1 102 Processing\r\n\r\n",
    "103": b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n",
    "103 with large headers": b"HTTP/1.1 103 Early Hints\r\nLink: %b\r\n\r\n" % (b"x" * 4000),
}
"""What is sent again and again."""


class HostileBeginning:
    """The server; after the head of a request, it sends `first`, and then `again` for ever."""

    def __init__(self, again: bytes, first: bytes = b"", at_once: int = 1000) -> None:
        self.first = first
        self.again = again * at_once
        self.asked = self.ended = self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The base URL that clients take."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> HostileBeginning:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
                self.asked += 1
                await self._answer(writer)
            self.ended += 1
        finally:
            writer.transport.abort()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        writer.write(self.first)
        while True:
            writer.write(self.again)
            await writer.drain()
            await asyncio.sleep(0)
