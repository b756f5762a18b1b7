"""Reads an answer as it comes, text past all others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import closing
from contextvars import Context
from typing import Any

import aiohttp
import httpx2
import openai
from agents.exceptions import ModelBehaviorError

from chatkit_server.models import RequestTimer, TextFastPath

from .chunks import Chunk, Parser, only_text, readable, with_text


class Reader:
    """Reads an answer in a task of its own, which hands over all chunks but those of text.

    Whoever takes the chunks has some dozens of calls under way, through each of which every piece
    of text would come if it were read there. While he is busy, text waits with the other chunks, so
    that nothing is said out of order; nor is anything left unread when the connection breaks.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        timer: RequestTimer,
        fast_path: TextFastPath | None = None,
    ) -> None:
        self._response = response
        self._timer = timer
        self._fast_path = fast_path
        # Not a queue, which has four of its own and a lock in it
        self._read: list[Chunk] = []
        self._ended = False
        self._waiting: asyncio.Future[None] | None = None
        self.last: Chunk = {}
        """The last chunk whose text was said; empty if none was."""

    async def chunks(self) -> AsyncGenerator[Chunk]:
        """Yield the chunks, but those whose text the short cut took; see `held`.

        Raises `openai.APIError` for a chunk that tells of an error.
        """
        # Clocks and connections outlive the turn, and would keep all that is in its context
        reading = asyncio.create_task(self._read_on(), context=Context())
        reading.add_done_callback(self._end)
        try:
            with readable():
                while await self._wait():
                    chunks, self._read = self._read, []
                    for chunk in chunks:
                        if error := chunk.get("error"):
                            raise self._told(error)
                        if not self._was_taken(chunk):
                            yield chunk
                await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def held(self) -> list[Chunk]:
        """Return the text that was taken since, in one chunk; none if there was no text."""
        held = self._fast_path.held() if self._fast_path is not None else ""
        return [with_text(self.last, held)] if held else []

    async def _wait(self) -> bool:
        """Wait for chunks; return whether there are any."""
        if not self._read and not self._ended:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return bool(self._read)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _end(self, _: object) -> None:
        self._ended = True
        self._wake()

    async def _read_on(self) -> None:
        parser, content = Parser(), self._response.content
        try:
            self._refuse_what_is_no_stream()
            # Nothing else is waited for in here
            with closing(self._timer.silence()) as silence, silence:
                while not parser.done:
                    block = await content.readany()
                    if not block:
                        break
                    if chunks := parser.feed(block):
                        silence.reset()
                    self._heard(chunks)
        except aiohttp.ClientError:
            # What came before the break is there, but aiohttp gives it to nobody any more
            self._heard(parser.feed(content._read_nowait(-1)))
            raise
        finally:
            # A connection whose answer was not read to its end is closed by that
            self._response.release()

    def _heard(self, chunks: list[Chunk]) -> None:
        for chunk in chunks:
            # Nobody waits where something else is still being told
            if self._waiting is None or not self._was_taken(chunk):
                self._read.append(chunk)
                self._wake()

    def _refuse_what_is_no_stream(self) -> None:
        told = self._response.headers.get("content-type", "event-stream")
        if "event-stream" not in told:
            raise ModelBehaviorError("the endpoint answered with something other than a stream")

    def _was_taken(self, chunk: Chunk) -> bool:
        """Whether the chunk is nothing but text, and the short cut took that."""
        text = only_text(chunk) if self._fast_path is not None else None
        if not text or self._fast_path is None or not self._fast_path.take(text):
            return False
        self.last = chunk
        return True

    def _told(self, error: Any) -> openai.APIError:
        message = error.get("message") if isinstance(error, dict) else None
        request = httpx2.Request("POST", str(self._response.url))
        return openai.APIError(
            message or "An error occurred during streaming", request=request, body=error
        )
