"""Reads an answer's chunks as they arrive, and sends their text to the turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import closing
from contextvars import Context
from typing import Protocol

from ..pace import EventPace
from ..responses import BodyLimits
from ..timeouts import RequestTimer
from .endings import malformed_is_model_error
from .parser import Chunk, Parser, only_text
from .pieces import FROM, joined

_AT_ONCE = 16_384
"""Bytes that are parsed before other tasks run. A line may be empty, and takes time too."""

_PER_SECOND = 300
"""Chunks that the SDK may get: what is left when pieces of the same text are joined."""

_BATCHES_PER_SECOND = 20
"""Times that many chunks are passed on at once: nobody reads faster, and the SDK takes its time."""

_MOST_QUEUED = 1000
"""Queued chunks from which on no more are read."""


class Body(Protocol):
    """The body of a response, as an HTTP client receives it."""

    @property
    def read(self) -> Callable[[], Awaitable[bytes]]:
        """Wait for bytes that have come, at least one; there are none at the end."""

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What `read` raises if the connection breaks."""

    def failed(self, failure: Exception) -> Exception:
        """Return the exception to raise for a failure."""

    def rest(self) -> bytes:
        """Return what had come before the connection broke, and was not read."""

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""


class ChunkReader:
    """Reads an answer in its own task, which passes on all chunks except those with only text.

    The consumer of the chunks is dozens of calls deep in the SDK. Text that was read there would
    pass through each of these calls. While the consumer is busy with a chunk, text is queued behind
    it, so that the order is kept. If the connection breaks, everything received is still read.
    """

    def __init__(self, body: Body, timer: RequestTimer, limits: BodyLimits) -> None:
        self._body = body
        self._timer = timer
        self._parser = Parser(limits)
        self._text: Callable[[str], bool] = _not_taken
        # A list costs less than an `asyncio.Queue`
        self._queued: list[Chunk] = []
        self._arrived = 0
        self._ended = False
        self._waiting: asyncio.Future[None] | None = None
        self._full: asyncio.Future[None] | None = None

    @property
    def done(self) -> bool:
        """Whether the answer came to an end that is not just that of the connection."""
        return self._parser.done

    async def chunks(self, take: Callable[[str], bool] | None = None) -> AsyncGenerator[Chunk]:
        """Yield the chunks, except those with only text that `take` took."""
        self._text = take or _not_taken
        # Timers and connections outlive the turn, and would keep its context in memory
        reading = asyncio.create_task(self._read(), context=Context())
        reading.add_done_callback(self._end)
        pace, batches = EventPace(_PER_SECOND), EventPace(_BATCHES_PER_SECOND)
        try:
            with malformed_is_model_error():
                while await self._wait():
                    chunks, self._queued = joined(self._queued), []
                    arrived, self._arrived = self._arrived, 0
                    self._make_room()
                    for chunk in chunks:
                        if not self._take(chunk):
                            yield chunk
                            await pace.keep()
                    if arrived >= FROM:
                        await batches.keep()
                await reading
        finally:
            self._text = _not_taken
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _wait(self) -> bool:
        """Wait for chunks; return whether there are any."""
        if not self._queued and not self._ended:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return bool(self._queued)

    async def _room(self) -> None:
        """Wait until the consumer has taken the chunks that are queued."""
        self._full = asyncio.get_running_loop().create_future()
        await self._full

    def _make_room(self) -> None:
        full, self._full = self._full, None
        if full is not None and not full.done():
            full.set_result(None)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _end(self, _: object) -> None:
        self._ended = True
        self._wake()

    async def _read(self) -> None:
        parser, body, read = self._parser, self._body, self._body.read
        try:
            # This task waits for nothing else
            with closing(self._timer.silence()) as silence, silence:
                while not parser.done:
                    block = await read()
                    if not block:
                        self._pass_on(parser.end())
                        break
                    for start in range(0, len(block), _AT_ONCE):
                        if start:
                            await asyncio.sleep(0)
                        if chunks := parser.feed(block[start : start + _AT_ONCE]):
                            silence.reset()
                        self._pass_on(chunks)
                        if parser.done:
                            break
                    if len(self._queued) > _MOST_QUEUED:
                        await self._room()
                        silence.reset()
        except body.failures as failure:
            self._pass_on(parser.feed(body.rest()))
            raise body.failed(failure) from failure
        finally:
            await body.aclose()

    def _pass_on(self, chunks: list[Chunk]) -> None:
        self._arrived += len(chunks)
        if self._waiting is None:
            # An earlier chunk is still being handled
            self._queued += chunks
            return
        for chunk in joined(chunks):
            if self._waiting is None or not self._take(chunk):
                self._queued.append(chunk)
                self._wake()

    def _take(self, chunk: Chunk) -> bool:
        """Offer the text of a chunk that is only text; return whether it was taken."""
        text = only_text(chunk)
        return self._text(text) if text else False


def _not_taken(_: str) -> bool:
    return False
