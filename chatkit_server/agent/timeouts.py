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
    """A stream that can be closed, such as an async generator or `openai`'s stream."""

    def __aiter__(self) -> AsyncIterator[T_co]: ...

    async def aclose(self) -> None: ...


class ModelTimeouts(Section):
    """How long to wait for a model, in seconds: a field of a plugin's `Config`.

    `connect` is for the plugin's HTTP client. `first_byte` is the time from the request, with all
    retries, to the first chunk of the answer, or to the complete answer if it is not streamed.
    `silence` is the time from one chunk to the next. Keep-alive comments are not chunks. The
    defaults leave time for models that think first, or that a local server has to load.
    """

    connect: Duration = 10.0
    first_byte: Duration = 120.0
    silence: Duration = 120.0

    def but(self, other: ModelTimeouts) -> ModelTimeouts:
        """Return these timeouts, overridden by those that are set in `other`."""
        return self.model_copy(update=other.model_dump(exclude_unset=True))

    def timer(self) -> RequestTimer:
        """Return a timer for a request that is sent now."""
        return RequestTimer(self)


class RequestTimer:
    """Times one request to a model, from the moment this is created.

    Await the request through `answer`; if the answer is a stream, read it through `chunks`. Both
    raise a `TimeoutError` that names the timeout.
    """

    def __init__(self, timeouts: ModelTimeouts) -> None:
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + timeouts.first_byte

    async def answer(self, request: Awaitable[T]) -> T:
        """Return the answer to the request, if it comes in time."""
        try:
            async with asyncio.timeout_at(self._deadline):
                return await request
        except TimeoutError as error:
            raise TimeoutError(f"no answer in {self._timeouts.first_byte:g} s") from error

    def silence(self) -> SilenceTimer:
        """Time the silence from now on; for code that reads without `chunks`."""
        return SilenceTimer(self._timeouts, self._deadline)

    async def chunks(self, stream: ClosableStream[T]) -> AsyncGenerator[T]:
        """Yield the chunks of the stream as long as they come in time; then close the stream."""
        with closing(self.silence()) as silence:
            async with aclosing(stream):
                source = aiter(stream)
                while True:
                    try:
                        with silence:
                            chunk = await anext(source)
                    except StopAsyncIteration:
                        return
                    yield chunk
                    silence.reset()


class SilenceTimer:
    """Raises `TimeoutError` in its block when a model is silent for too long.

    with closing(timer.silence()) as silence:
        while True:
            with silence:
                chunk = await ...
            silence.reset()

    `asyncio.timeout` schedules a call for each block. This has one scheduled call, which checks the
    deadline when it runs: moving the deadline with each token costs almost nothing.
    """

    def __init__(self, timeouts: ModelTimeouts, deadline: float) -> None:
        self._limit = timeouts.first_byte
        self._next_limit = timeouts.silence
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._handle = self._loop.call_at(deadline, self._check)
        self._task: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._expired = False

    def reset(self) -> None:
        """Restart the time: the model has sent something."""
        self._limit = self._next_limit
        self._deadline = self._loop.time() + self._limit
        if self._deadline < self._handle.when():
            self._handle.cancel()
            self._handle = self._loop.call_at(self._deadline, self._check)

    def close(self) -> None:
        """Stop the timer."""
        self._handle.cancel()

    def __enter__(self) -> None:
        self._task = task = asyncio.current_task()
        self._cancelling = task.cancelling() if task is not None else 0

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        task, self._task = self._task, None
        if self._expired and task is not None:
            others = task.uncancel() > self._cancelling
            if kind is asyncio.CancelledError and not others:
                raise TimeoutError(f"the model was silent for {self._limit:g} s")

    def _check(self) -> None:
        now = self._loop.time()
        if self._deadline > now:
            self._handle = self._loop.call_at(self._deadline, self._check)
        elif self._task is None:
            # Nobody waits for the model now: the reader handles a chunk
            self._handle = self._loop.call_later(self._limit, self._check)
        else:
            self._expired = True
            self._task.cancel()
