"""How long a model may keep a turn waiting; for plugins that bring model providers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing
from typing import Protocol, TypeVar

from .settings import Duration, Section

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Pieces(Protocol[T_co]):
    """A stream of pieces that can be closed, such as an async generator or `openai`'s stream."""

    def __aiter__(self) -> AsyncIterator[T_co]: ...

    async def aclose(self) -> None: ...


class ModelTimeouts(Section):
    """How long to wait for a model, in seconds: a field of a plugin's `Config`.

    `connect` is for the plugin's HTTP client. `first_byte` runs from the request to the first piece
    of the answer, with all retries, or to the whole of an answer that is not streamed. `silence`
    runs from one piece to the next. Keep-alive comments are not pieces. The defaults leave time for
    models that think first, or that a local server has yet to load.
    """

    connect: Duration = 10.0
    first_byte: Duration = 120.0
    silence: Duration = 120.0

    def but(self, other: ModelTimeouts) -> ModelTimeouts:
        """Return these timeouts, except those that were set in `other`."""
        return self.model_copy(update=other.model_dump(exclude_unset=True))

    def watch(self) -> Watch:
        """Begin to watch a request that is sent now."""
        return Watch(self)


class Watch:
    """Watches one request to a model, from the moment this was made.

    Await the request through `answer`; if the answer is a stream, read it through `pieces`. Both
    raise a `TimeoutError` that says which timeout it was.
    """

    def __init__(self, timeouts: ModelTimeouts) -> None:
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + timeouts.first_byte

    async def answer(self, request: Awaitable[T]) -> T:
        """Return what the request answers, if it does in time."""
        try:
            async with asyncio.timeout_at(self._deadline):
                return await request
        except TimeoutError as error:
            raise TimeoutError(f"no answer in {self._timeouts.first_byte:g} s") from error

    async def pieces(self, stream: Pieces[T]) -> AsyncGenerator[T]:
        """Yield what the stream yields, as long as it does in time; the stream is closed after."""
        limit = self._timeouts.first_byte
        async with aclosing(stream):
            source = aiter(stream)
            while True:
                try:
                    async with asyncio.timeout_at(self._deadline):
                        piece = await anext(source)
                except StopAsyncIteration:
                    return
                except TimeoutError as error:
                    raise TimeoutError(f"the model was silent for {limit:g} s") from error
                yield piece
                limit = self._timeouts.silence
                self._deadline = self._loop.time() + limit
