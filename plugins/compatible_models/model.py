"""A model of an endpoint, as the Agents SDK runs it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from copy import copy
from functools import cache
from typing import Any, cast

import openai
from agents import (
    Model,
    ModelSettings,
    ModelTracing,
    OpenAIChatCompletionsModel,
    Tool,
    generation_span,
)
from agents.exceptions import ModelBehaviorError
from agents.items import TResponseStreamEvent
from agents.models.chatcmpl_converter import Converter
from agents.models.chatcmpl_stream_handler import ChatCmplStreamHandler
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from chatkit_server.models import (
    EventSink,
    FastPathModel,
    ModelTimeouts,
    RequestTimer,
    TextFastPath,
)

from .answer import TextAnswer
from .chunks import CallNumbers, Chunk, as_typed, readable
from .client import Client
from .reader import Reader


@cache
def _untraced() -> Any:
    """What the SDK wants to have for its traces, where there are none."""
    return generation_span(disabled=True)


class ChatModel(OpenAIChatCompletionsModel, FastPathModel):
    """A model that is watched for timeouts, and whose answers are whole or an error."""

    _sink: EventSink | None = None

    def __init__(self, model: str, client: Client, timeouts: ModelTimeouts, *, usage: bool) -> None:
        super().__init__(model, cast(openai.AsyncOpenAI, client))
        self._timeouts = timeouts
        self._usage = usage

    async def _fetch_response(self, *args: Any, **kwargs: Any) -> Any:
        answer, timer = await self._ask(*args, **kwargs)
        if isinstance(answer, ChatCompletion):
            return answer
        response, stream = answer
        return response, whole(Reader(stream, timer).chunks())

    async def _ask(
        self,
        system_instructions: Any,
        input: Any,
        model_settings: ModelSettings,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[Any, RequestTimer]:
        """Return what the endpoint answers, a stream unread, and the watch over it."""
        if self._usage and model_settings.include_usage is None:
            # not `replace`, which validates all of them
            model_settings = copy(model_settings)
            model_settings.include_usage = True
        timer = self._timeouts.timer()
        asking = super()._fetch_response(
            system_instructions, input, model_settings, *args, **kwargs
        )
        return await timer.answer(asking), timer

    def bind(self, sink: EventSink) -> Model:
        """Return this model for one turn, which says its text there."""
        bound = copy(self)
        bound._sink = sink
        return bound

    def stream_response(
        self,
        system_instructions: Any,
        input: Any,
        model_settings: ModelSettings,
        tools: Any,
        output_schema: Any,
        handoffs: Any,
        tracing: ModelTracing,
        *others: Any,
        **more: Any,
    ) -> AsyncIterator[TResponseStreamEvent]:
        """Yield the answer's events, and say them to the turn if this model is bound to one."""
        asked = (system_instructions, input, model_settings, tools, output_schema, handoffs)
        if self._sink is None:
            return super().stream_response(*asked, tracing, *others, **more)
        if not tracing.is_disabled() or model_settings.preserve_raw_usage:
            # Only the SDK itself can tell its traces all that they have to know
            told = super().stream_response(*asked, tracing, *others, **more)
            return TextFastPath(self._sink).events(told)
        return self._say(self._sink, *with_tools_apart(*asked))

    async def _say(self, sink: EventSink, *asked: Any) -> AsyncIterator[TResponseStreamEvent]:
        """Say the answer to the turn, and yield what the SDK has to know of it."""
        (response, stream), timer = await self._ask(
            *asked, _untraced(), ModelTracing.DISABLED, stream=True
        )
        del asked  # what the answer does not need, in the long time that it may take
        fast_path = TextFastPath(sink)
        reader = Reader(stream, timer, fast_path)
        async with aclosing(reader.chunks()) as chunks:
            answer = TextAnswer(response, reader, fast_path, sink)
            async for told in answer.events(chunks):
                yield told
            if not answer.complete:
                rest = whole(_and_text(answer.left, chunks, reader))
                handled = ChatCmplStreamHandler.handle_stream(
                    response,
                    cast(Any, rest),
                    model=str(self.model),
                    raise_on_length_truncation=True,
                )
                async for event in fast_path.events(handled):
                    yield event


def with_tools_apart(
    system_instructions: Any,
    input: Any,
    model_settings: ModelSettings,
    tools: Sequence[Tool],
    output_schema: Any,
    handoffs: Sequence[Any],
) -> tuple[Any, ...]:
    """Return what is asked, with the tools as they are sent: the SDK would copy all their schemas.

    Where there is more than tools, or the settings have some, it is returned as it was given.
    """
    extra = model_settings.extra_args or {}
    sent: Sequence[Tool] = tools
    if tools and not handoffs and not extra.keys() & {"tools", "parallel_tool_calls"}:
        model_settings = copy(model_settings)
        told: dict[str, Any] = {"tools": [Converter.tool_to_openai(tool) for tool in tools]}
        if model_settings.parallel_tool_calls is not None:
            told["parallel_tool_calls"] = model_settings.parallel_tool_calls
        model_settings.extra_args = {**extra, **told}
        sent = []
    return system_instructions, input, model_settings, sent, output_schema, handoffs


async def _and_text(
    left: list[Chunk], chunks: AsyncIterator[Chunk], reader: Reader
) -> AsyncGenerator[Chunk]:
    """Yield chunks that were left and those to come, with the text that was taken meanwhile.

    It comes in one chunk before the next other one.
    """
    for chunk in left:
        yield chunk
    async for chunk in chunks:
        for held in reader.held():
            yield held
        yield chunk
    for held in reader.held():
        yield held


async def whole(chunks: AsyncGenerator[Chunk]) -> AsyncGenerator[ChatCompletionChunk]:
    """Yield the chunks of an answer that ends as it should.

    Raises `ConnectionError` if the answer broke off, `ModelBehaviorError` if it is not one or was
    cut off, and `openai.ContentFilterFinishReasonError`.
    """
    finish: str | None = None
    numbers = CallNumbers()
    async with aclosing(chunks):
        with readable():
            async for data in chunks:
                chunk = as_typed(data)
                for choice in chunk.choices or ():
                    finish = choice.finish_reason or finish
                    numbers.correct(choice.delta.tool_calls if choice.delta else None)
                yield chunk
    if finish is None:
        raise ConnectionAbortedError("the stream ended without a finish reason")
    if finish == "content_filter":
        raise openai.ContentFilterFinishReasonError
    if finish == "length":
        raise ModelBehaviorError("Chat Completions stream terminated with finish_reason='length'")
