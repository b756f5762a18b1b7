"""A model of an endpoint, as the Agents SDK runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, closing
from contextvars import Context
from copy import copy
from typing import Any, cast

import aiohttp
import httpx2
import openai
from agents import Model, ModelSettings, OpenAIChatCompletionsModel
from agents.exceptions import ModelBehaviorError
from agents.items import TResponseStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from chatkit_server import DirectModel, ModelTimeouts, Out, ShortCut, Watch

from .chunks import CallNumbers, Chunk, Parser, as_typed, only_text, with_text
from .client import Client


class ChatModel(OpenAIChatCompletionsModel, DirectModel):
    """A model that is watched for timeouts, and whose answers are whole or an error."""

    _out: Out | None = None
    _short_cut: ShortCut | None = None

    def __init__(self, model: str, client: Client, timeouts: ModelTimeouts, *, usage: bool) -> None:
        super().__init__(model, cast(openai.AsyncOpenAI, client))
        self._timeouts = timeouts
        self._usage = usage

    async def _fetch_response(
        self,
        system_instructions: Any,
        input: Any,
        model_settings: ModelSettings,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if self._usage and model_settings.include_usage is None:
            # not `replace`, which validates all of them
            model_settings = copy(model_settings)
            model_settings.include_usage = True
        watch = self._timeouts.watch()
        answer = await watch.answer(
            super()._fetch_response(system_instructions, input, model_settings, *args, **kwargs)
        )
        if isinstance(answer, ChatCompletion):
            return answer
        response, stream = cast(tuple[Any, aiohttp.ClientResponse], answer)
        return response, whole(stream, watch, self._short_cut)

    def to(self, out: Out) -> Model:
        """Return this model for one turn, which says its text there."""
        bound = copy(self)
        bound._out = out
        return bound

    async def stream_response(
        self, *args: Any, **kwargs: Any
    ) -> AsyncIterator[TResponseStreamEvent]:
        """Yield the answer's events, and say them to the turn if this model is bound to one."""
        events = super().stream_response(*args, **kwargs)
        if self._out is not None:
            self._short_cut = ShortCut(self._out)
            events = self._short_cut.events(events)
        async for event in events:
            yield event


async def whole(
    response: aiohttp.ClientResponse, watch: Watch, short_cut: ShortCut | None = None
) -> AsyncGenerator[ChatCompletionChunk]:
    """Yield the chunks of an answer that ends as it should.

    With a short cut, text goes there instead, and comes in one chunk before the next other one.
    Raises `TimeoutError`, `ConnectionError` if the answer broke off, `ModelBehaviorError` if it
    is not one or was cut off, and `openai.ContentFilterFinishReasonError`.
    """
    finish: str | None = None
    numbers = CallNumbers()
    async with aclosing(_Reader(response, watch, short_cut).chunks()) as chunks:
        try:
            async for data in chunks:
                chunk = as_typed(data)
                for choice in chunk.choices or ():
                    finish = choice.finish_reason or finish
                    numbers.correct(choice.delta.tool_calls if choice.delta else None)
                yield chunk
        except (ValueError, AttributeError, TypeError) as error:
            raise ModelBehaviorError(f"the endpoint sent what is no chunk: {error!r}") from error
    if finish is None:
        raise ConnectionAbortedError("the stream ended without a finish reason")
    if finish == "content_filter":
        raise openai.ContentFilterFinishReasonError
    if finish == "length":
        raise ModelBehaviorError("Chat Completions stream terminated with finish_reason='length'")


class _Reader:
    """Reads an answer in a task of its own, which hands over all chunks but those of text.

    Whoever takes the chunks has some dozens of calls under way, through each of which every piece
    of text would come if it were read there. While he is busy, text waits with the other chunks, so
    that nothing is said out of order; nor is anything left unread when the connection breaks.
    """

    def __init__(
        self, response: aiohttp.ClientResponse, watch: Watch, short_cut: ShortCut | None
    ) -> None:
        self._response = response
        self._watch = watch
        self._short_cut = short_cut
        self._read: asyncio.Queue[Chunk | None] = asyncio.Queue()
        self._waited_for = False
        self._last: Chunk = {}

    async def chunks(self) -> AsyncGenerator[Chunk]:
        """Yield the chunks, those of text put together where the short cut took them.

        Raises `openai.APIError` for a chunk that tells of an error.
        """
        # Clocks and connections outlive the turn, and would keep all that is in its context
        reading = asyncio.create_task(self._read_on(), context=Context())
        reading.add_done_callback(lambda _: self._hand_over(None))
        try:
            while (chunk := await self._next()) is not None:
                if error := chunk.get("error"):
                    raise self._told(error)
                if not self._was_taken(chunk):
                    if held := self._held():
                        yield held
                    yield chunk
            await reading
            if held := self._held():
                yield held
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _next(self) -> Chunk | None:
        self._waited_for = self._read.empty()
        return await self._read.get()

    async def _read_on(self) -> None:
        parser, content = Parser(), self._response.content
        try:
            self._refuse_what_is_no_stream()
            with closing(self._watch.silence()) as silence:
                while not parser.done:
                    with silence:
                        block = await content.readany()
                    if not block:
                        break
                    if chunks := parser.feed(block):
                        silence.broken()
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
            if not (self._waited_for and self._was_taken(chunk)):
                self._hand_over(chunk)

    def _refuse_what_is_no_stream(self) -> None:
        told = self._response.headers.get("content-type", "event-stream")
        if "event-stream" not in told:
            raise ModelBehaviorError("the endpoint answered with something other than a stream")

    def _hand_over(self, chunk: Chunk | None) -> None:
        self._waited_for = False
        self._read.put_nowait(chunk)

    def _was_taken(self, chunk: Chunk) -> bool:
        """Whether the chunk is nothing but text, and the short cut took that."""
        text = only_text(chunk) if self._short_cut is not None else None
        if not text or self._short_cut is None or not self._short_cut.take(text):
            return False
        self._last = chunk
        return True

    def _held(self) -> Chunk | None:
        """Return the text that was taken since, in one chunk."""
        held = self._short_cut.held() if self._short_cut is not None else ""
        return with_text(self._last, held) if held else None

    def _told(self, error: Any) -> openai.APIError:
        message = error.get("message") if isinstance(error, dict) else None
        request = httpx2.Request("POST", str(self._response.url))
        return openai.APIError(
            message or "An error occurred during streaming", request=request, body=error
        )
