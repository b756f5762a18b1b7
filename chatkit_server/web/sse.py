"""The response that carries events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp_sse import EventSourceResponse

from ..events.log import EventLog

KEEP_ALIVE = b": keep-alive\n"
"""One comment line with one newline: two would make ChatKit's parser deliver an empty message."""

END = b": end\n"
"""The last line of a stream: a client that misses it knows that it was cut off."""

TURN_ID = "X-Turn-Id"
"""The header with the id of the turn that answers."""

SMALL = 16_384
"""Bytes that go into an empty write buffer without waiting; aiohttp's own limit is 64 KiB."""


class EventStream(EventSourceResponse):
    """A response that follows an event log, with a keep-alive after each `silence` seconds.

    A client that does not read for `patience` seconds is dropped.
    """

    def __init__(self, log: EventLog, silence: float, patience: float = 120.0) -> None:
        super().__init__(
            allow_all_methods=True,
            ping_interval=silence,
            send_timeout=patience,
            headers={TURN_ID: log.turn_id},
        )
        self._log = log
        self._last_write = 0.0
        self._writer: AbstractStreamWriter | None = None
        self._transport: asyncio.WriteTransport | None = None

    async def follow(self, request: web.Request, after: int = 0) -> None:
        """Send the events after number `after` until the log ends or the client is gone."""
        self._writer = await self.prepare(request)
        # To compress may take a thread, which has to be waited for
        self._transport = None if self.compression else request.transport
        async with self:
            async for frames in self._log.follow(after, self._write_at_once):
                await self._send(frames)
        await self._patiently(self.write_eof(END))

    async def _send(self, data: bytes) -> None:
        """Write, and drop a client that does not read."""
        if not self._write_at_once(data):
            self._last_write = asyncio.get_running_loop().time()
            await self._patiently(self.write(data))

    def _write_at_once(self, data: bytes) -> bool:
        """Write a piece if nothing waits to be read before it; return whether it was written.

        This does not wait, and so it needs neither a task nor a clock for each token.
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
            # The task of the response is told
            return False
        else:
            # All of it is in the buffer; the next piece will wait for that to be read
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
