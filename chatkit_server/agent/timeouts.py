"""How long a model may keep a turn waiting; for plugins that bring model providers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing, closing
from typing import Any, Protocol, TypeVar

from ..settings.types import Duration, Section

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class ClosableStream(Protocol[T_co]):
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

    def timer(self) -> RequestTimer:
        """Begin to watch a request that is sent now."""
        return RequestTimer(self)


class RequestTimer:
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

    def silence(self) -> SilenceTimer:
        """Watch for silence from now on; for those who read without `pieces`."""
        return SilenceTimer(self._timeouts, self._deadline)

    async def chunks(self, stream: ClosableStream[T]) -> AsyncGenerator[T]:
        """Yield what the stream yields, as long as it does in time; the stream is closed after."""
        with closing(self.silence()) as silence:
            async with aclosing(stream):
                source = aiter(stream)
                while True:
                    try:
                        with silence:
                            piece = await anext(source)
                    except StopAsyncIteration:
                        return
                    yield piece
                    silence.reset()


class SilenceTimer:
    """Ends a wait within its block, with a `TimeoutError`, once a model was silent for too long.

    with closing(watch.silence()) as silence:
        while True:
            with silence:
                piece = await ...
            silence.broken()

    `asyncio.timeout` sets a clock for each block. Here is one clock, which looks at the deadline
    only when it was to ring: putting the deadline off for each token costs next to nothing.
    """

    def __init__(self, timeouts: ModelTimeouts, deadline: float) -> None:
        self._limit = timeouts.first_byte
        self._next_limit = timeouts.silence
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._clock = self._loop.call_at(deadline, self._look)
        self._task: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._rang = False

    def reset(self) -> None:
        """Note that the model said something: the time begins anew."""
        self._limit = self._next_limit
        self._deadline = self._loop.time() + self._limit
        if self._deadline < self._clock.when():
            self._clock.cancel()
            self._clock = self._loop.call_at(self._deadline, self._look)

    def close(self) -> None:
        """Watch no more."""
        self._clock.cancel()

    def __enter__(self) -> None:
        self._task = task = asyncio.current_task()
        self._cancelling = task.cancelling() if task is not None else 0

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        task, self._task = self._task, None
        if self._rang and task is not None:
            others = task.uncancel() > self._cancelling
            if kind is asyncio.CancelledError and not others:
                raise TimeoutError(f"the model was silent for {self._limit:g} s")

    def _look(self) -> None:
        now = self._loop.time()
        if self._deadline > now:
            self._clock = self._loop.call_at(self._deadline, self._look)
        elif self._task is None:
            # Whoever was given a piece may take its time
            self._clock = self._loop.call_later(self._limit, self._look)
        else:
            self._rang = True
            self._task.cancel()
