"""A model that answers in chat-completions chunks, as the Agents SDK runs it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from copy import copy
from functools import cache
from typing import Any, Protocol, Self

from agents import Model, ModelResponse, ModelSettings, ModelTracing, Tool, Usage, generation_span
from agents.items import TResponseStreamEvent
from openai.types.responses import Response, ResponseCompletedEvent

from ...settings.schema import TurnLimits
from ..fast.direct import EventSink, FastPathModel
from ..output import OutputMeter
from ..sdk import raw_usage_of
from .answer import Answer, Chunk


class ChunkSource(Protocol):
    """The chunks of one answer, which is on its way."""

    @property
    def done(self) -> bool:
        """Whether the server said that the answer is complete, besides its finish reason."""

    def chunks(self, take: Callable[[str], bool]) -> AsyncGenerator[Chunk]:
        """Yield the chunks in order, except those with only text that `take` took.

        `take` may be called when all chunks before have been taken by the consumer, which then
        waits for the next one.
        """


class CompletionsModel(FastPathModel):
    """A model with one request for each answer; a subclass sends it.

    `tags` is whether the model's thoughts may stand in tags at the start of its text, `limits` is
    how much it may write.
    """

    model: Any
    tags: bool = False
    limits: TurnLimits = TurnLimits()
    _sink: EventSink | None = None

    @abstractmethod
    async def request(self, *inputs: Any) -> tuple[Response, ChunkSource]:
        """Send a request for a stream; return an empty response, and the chunks.

        `inputs` are the first six of `Model.stream_response`, the span of the request, and the
        tracing.
        """

    def bind(self, sink: EventSink) -> Model:
        """Return this model for one turn; it sends its text to `sink`."""
        bound = copy(self)
        bound._sink = sink
        return bound

    def _unbound(self) -> Self:
        unbound = copy(self)
        unbound._sink = None
        return unbound

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """Return an answer as a whole; it is streamed too, so that silence is noticed."""
        async with aclosing(self._unbound().stream_response(*args, **kwargs)) as events:
            last = [event async for event in events][-1]
        assert isinstance(last, ResponseCompletedEvent)
        response = last.response
        return ModelResponse(
            output=response.output,
            usage=usage_of(response),
            response_id=None,
            raw_usage=raw_usage_of(response),
        )

    async def stream_response(
        self,
        system_instructions: str | None,
        input: Any,
        model_settings: ModelSettings,
        tools: Sequence[Tool],
        output_schema: Any,
        handoffs: Sequence[Any],
        tracing: ModelTracing,
        *_: Any,
        **__: Any,
    ) -> AsyncGenerator[TResponseStreamEvent]:
        """Yield the answer's events, and send them to the turn if this model is bound to one."""
        names = {tool.name for tool in tools} | {handoff.tool_name for handoff in handoffs}
        options = {
            "raw_usage": bool(model_settings.preserve_raw_usage),
            "refusals": output_schema is not None and not output_schema.is_plain_text(),
        }
        inputs = (system_instructions, input, model_settings, tools, output_schema, handoffs)
        # They would stay in memory as long as the answer takes
        del system_instructions, input, model_settings, tools, handoffs
        if tracing.is_disabled():
            response, source = await self.request(*inputs, _untraced(), tracing)
            del inputs
            answer = self._answer(response, names, options)
            async with aclosing(self._events(answer, source)) as events:
                async for event in events:
                    yield event
            return
        with generation_span(model=str(self.model)) as span:
            response, source = await self.request(*inputs, span, tracing)
            answer = self._answer(response, names, options)
            async with aclosing(self._events(answer, source)) as events:
                async for event in events:
                    if isinstance(event, ResponseCompletedEvent):
                        _trace(span, event.response, tracing)
                    yield event

    def _answer(self, response: Response, names: set[str], options: dict[str, bool]) -> Answer:
        meter = OutputMeter(self.limits)
        return Answer(response, self._sink, meter, tools=names, tags=self.tags, **options)

    async def _events(
        self, answer: Answer, source: ChunkSource
    ) -> AsyncGenerator[TResponseStreamEvent]:
        async with aclosing(source.chunks(answer.take)) as chunks:
            events: AsyncIterator[TResponseStreamEvent] = answer.events(chunks, lambda: source.done)
            async for event in events:
                yield event


@cache
def _untraced() -> Any:
    """The span that the SDK requires, also without tracing."""
    return generation_span(disabled=True)


def _trace(span: Any, response: Response, tracing: ModelTracing) -> None:
    if tracing.include_data():
        span.span_data.output = [response.model_dump()]
    usage = usage_of(response)
    span.span_data.usage = {
        "requests": usage.requests,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }


def usage_of(response: Response) -> Usage:
    """Return the tokens of one request; zeros if the provider did not count them."""
    usage = response.usage
    if usage is None:
        return Usage(requests=1)
    return Usage(
        requests=1,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        input_tokens_details=usage.input_tokens_details,
        output_tokens_details=usage.output_tokens_details,
    )
