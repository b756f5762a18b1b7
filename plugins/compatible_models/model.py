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
    OutputMeter,
    RequestTimer,
    TextFastPath,
    TurnLimits,
)

from .answer import TextAnswer
from .chunks import CallIndexes, Chunk, as_typed, malformed_is_model_error
from .client import Client
from .reader import ChunkReader


@cache
def _untraced() -> Any:
    """The span that the SDK requires, also without tracing."""
    return generation_span(disabled=True)


class ChatModel(OpenAIChatCompletionsModel, FastPathModel):
    """A model with timeouts, whose answers are complete or an error."""

    _sink: EventSink | None = None

    def __init__(
        self,
        model: str,
        client: Client,
        timeouts: ModelTimeouts,
        limits: TurnLimits,
        *,
        usage: bool,
    ) -> None:
        super().__init__(model, cast(openai.AsyncOpenAI, client))
        self._limits = client.limits
        self._turn_limits = limits
        self._timeouts = timeouts
        self._usage = usage

    async def _fetch_response(self, *args: Any, **kwargs: Any) -> Any:
        answer, timer = await self._request(*args, **kwargs)
        if isinstance(answer, ChatCompletion):
            return answer
        response, stream = answer
        reader = ChunkReader(stream, timer, self._limits())
        return response, complete(reader.chunks(), OutputMeter(self._turn_limits))

    async def _request(
        self,
        system_instructions: Any,
        input: Any,
        model_settings: ModelSettings,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[Any, RequestTimer]:
        """Return the endpoint's answer, a stream unread, and the timer that watches it."""
        if self._usage and model_settings.include_usage is None:
            # `replace` would validate all fields
            model_settings = copy(model_settings)
            model_settings.include_usage = True
        timer = self._timeouts.timer()
        request = super()._fetch_response(
            system_instructions, input, model_settings, *args, **kwargs
        )
        return await timer.answer(request), timer

    def bind(self, sink: EventSink) -> Model:
        """Return this model for one turn; it sends its text to `sink`."""
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
        """Yield the answer's events, and send them to the turn if this model is bound to one."""
        inputs = (system_instructions, input, model_settings, tools, output_schema, handoffs)
        if self._sink is None:
            return super().stream_response(*inputs, tracing, *others, **more)
        if not tracing.is_disabled() or model_settings.preserve_raw_usage:
            # Only the SDK can fill its traces and the raw usage
            events = super().stream_response(*inputs, tracing, *others, **more)
            return TextFastPath(self._sink).events(events)
        return self._stream_to(self._sink, *with_tools_converted(*inputs))

    async def _stream_to(
        self, sink: EventSink, *inputs: Any
    ) -> AsyncIterator[TResponseStreamEvent]:
        """Send the answer to the turn, and yield the events that the SDK needs."""
        (response, stream), timer = await self._request(
            *inputs, _untraced(), ModelTracing.DISABLED, stream=True
        )
        del inputs  # they would stay in memory as long as the answer takes
        fast_path = TextFastPath(sink)
        reader = ChunkReader(stream, timer, self._limits(), fast_path)
        async with aclosing(reader.chunks()) as chunks:
            answer = TextAnswer(response, reader, fast_path, sink)
            async for sdk_event in answer.events(chunks):
                yield sdk_event
            if not answer.complete:
                meter = OutputMeter(self._turn_limits)
                left = _with_held_text(answer.left, chunks, reader, fast_path)
                rest = complete(left, meter)
                handled = ChatCmplStreamHandler.handle_stream(
                    response,
                    cast(Any, rest),
                    model=str(self.model),
                    raise_on_length_truncation=True,
                )
                async for event in fast_path.events(handled):
                    yield event


def with_tools_converted(
    system_instructions: Any,
    input: Any,
    model_settings: ModelSettings,
    tools: Sequence[Tool],
    output_schema: Any,
    handoffs: Sequence[Any],
) -> tuple[Any, ...]:
    """Return the inputs with the tools in the form that is sent: the SDK would copy all schemas.

    With handoffs, or with tools in the settings, the inputs are returned unchanged.
    """
    extra = model_settings.extra_args or {}
    sent: Sequence[Tool] = tools
    if tools and not handoffs and not extra.keys() & {"tools", "parallel_tool_calls"}:
        model_settings = copy(model_settings)
        converted: dict[str, Any] = {"tools": [Converter.tool_to_openai(tool) for tool in tools]}
        if model_settings.parallel_tool_calls is not None:
            converted["parallel_tool_calls"] = model_settings.parallel_tool_calls
        model_settings.extra_args = {**extra, **converted}
        sent = []
    return system_instructions, input, model_settings, sent, output_schema, handoffs


async def _with_held_text(
    left: list[Chunk], chunks: AsyncIterator[Chunk], reader: ChunkReader, fast_path: TextFastPath
) -> AsyncGenerator[Chunk]:
    """Yield the chunks in `left` and those after, with the text that the fast path has taken.

    That text is one chunk, before the next chunk of another kind.
    """
    for chunk in left:
        yield chunk
    async for chunk in chunks:
        for held in reader.held():
            yield held
        if usage := chunk.get("usage"):
            fast_path.usage(usage)
        yield chunk
    for held in reader.held():
        yield held


async def complete(
    chunks: AsyncGenerator[Chunk], meter: OutputMeter
) -> AsyncGenerator[ChatCompletionChunk]:
    """Yield the chunks of an answer that ends as it should, with its tool calls counted.

    Raises `ConnectionError` if the answer broke off, `ModelBehaviorError` if it is not one or was
    cut off, and `openai.ContentFilterFinishReasonError`.
    """
    finish: str | None = None
    indexes = CallIndexes(meter)
    async with aclosing(chunks):
        with malformed_is_model_error():
            async for data in chunks:
                chunk = as_typed(data)
                for choice in chunk.choices or ():
                    finish = choice.finish_reason or finish
                    indexes.correct(choice.delta.tool_calls if choice.delta else None)
                yield chunk
    if finish is None:
        raise ConnectionAbortedError("the stream ended without a finish reason")
    if finish == "content_filter":
        raise openai.ContentFilterFinishReasonError
    if finish == "length":
        raise ModelBehaviorError("Chat Completions stream terminated with finish_reason='length'")
