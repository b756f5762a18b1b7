"""The response that streams a turn's events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Protocol

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp_sse import EventSourceResponse

from ..events.log import FrameWriter

KEEP_ALIVE = b": keep-alive\n"
"""A comment line with one newline: with two, ChatKit's parser would deliver an empty message."""

END = b": end\n"
"""The last line of a stream: without it, a client knows that the stream was cut off."""

TURN_ID = "X-Turn-Id"
"""The header with the id of the turn that answers."""

SMALL = 16_384
"""Bytes that fit into an empty write buffer without waiting; aiohttp's own limit is 64 KiB."""


class Followed(Protocol):
    """The events of a turn, wherever it runs."""

    turn_id: str

    def follow(self, after: int = 0, write: FrameWriter | None = None) -> AsyncIterator[bytes]:
        """Yield the frames after number `after`, until the turn has ended."""


class EventStream(EventSourceResponse):
    """A response that follows an event log, with a keep-alive after `silence` seconds without one.

    A client that does not read for `patience` seconds is disconnected.
    """

    def __init__(self, log: Followed, silence: float, patience: float = 120.0) -> None:
        super().__init__(
            allow_all_methods=True,
            ping_interval=silence,
            send_timeout=patience,
            headers={TURN_ID: log.turn_id} if log.turn_id else {},
        )
        self._log = log
        self._last_write = 0.0
        self._writer: AbstractStreamWriter | None = None
        self._transport: asyncio.WriteTransport | None = None

    async def follow(self, request: web.Request, after: int = 0) -> None:
        """Send the events after number `after`, until the log ends or the client disconnects."""
        self._writer = await self.prepare(request)
        # Compression may run in a thread, which has to be awaited
        self._transport = None if self.compression else request.transport
        async with self:
            async for frames in self._log.follow(after, self._write_at_once):
                await self._send(frames)
        await self._patiently(self.write_eof(END))

    async def _send(self, data: bytes) -> None:
        """Write, and disconnect a client that does not read."""
        if not self._write_at_once(data):
            self._last_write = asyncio.get_running_loop().time()
            await self._patiently(self.write(data))

    def _write_at_once(self, data: bytes) -> bool:
        """Write if the write buffer is empty; return whether the data was written.

        This never waits, so a token needs neither a task nor a timeout.
        """
        transport, writer = self._transport, self._writer
        if transport is None or writer is None:
            return False
        if len(data) >= SMALL or transport.get_write_buffer_size():
            return False
        writing = writer.write(data)
        try:
            writing.send(None)
        except StopIteration:
            pass
        except ConnectionResetError:
            # The task of the response gets the same error
            return False
        else:
            # It is all in the buffer, and only waits for the client to read
            writing.close()
        self._last_write = asyncio.get_running_loop().time()
        return True

    async def _patiently(self, writing: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(self._send_timeout):
                await writing
        except TimeoutError:
            self._abort_transport()
            raise

    async def _ping(self) -> None:
        loop = asyncio.get_running_loop()
        self._last_write = loop.time()
        with suppress(ConnectionResetError, TimeoutError):
            while True:
                silent = loop.time() - self._last_write
                if silent < self._ping_interval:
                    await asyncio.sleep(self._ping_interval - silent)
                else:
                    await self._send(KEEP_ALIVE)
