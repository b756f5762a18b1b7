"""The model's first answer of a turn, which most turns are over with.

A run of the Agents SDK is made for agents that go on: it calls tools, hands over, asks again. Where
the first answer is nothing but text, none of that happens, and the run costs more than the rest of
the turn. So the model is asked first, as the run would do it, and the run begins only if there is
something left to do: with this answer in place of a first one of its own.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from typing import Any, cast

from agents import (
    Agent,
    FunctionTool,
    MessageOutputItem,
    Model,
    ModelResponse,
    ModelTracing,
    ReasoningItem,
    Tool,
    TResponseInputItem,
    Usage,
)
from agents.items import TResponseStreamEvent
from agents.usage import RequestUsage
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseReasoningItem,
)

from ...turn import Turn

_KEPT = (
    "response.output_item.done",
    "response.completed",
    "response.failed",
    "response.incomplete",
)
_ERRORS = ("error", "response.error")
_CALLS = ("function_call", "function_call_output")
_OF_A_RUN = ("handoffs", "hooks", "input_guardrails", "output_guardrails", "output_type", "prompt")
"""What only a run of the SDK can heed."""


def can_skip_run(agent: Agent[Turn], turn: Turn, tools: Sequence[Tool]) -> bool:
    """Whether an agent's model may be asked as a run of the SDK would, without the run."""
    names = {tool.name for tool in tools}
    return (
        type(agent) is Agent
        and isinstance(agent.instructions, str | None)
        and not any(getattr(agent, part) for part in _OF_A_RUN)
        and agent.model_settings.retry is None
        and agent.model_settings.timeout is None
        and len(names) == len(tools)
        and all(_is_plain(tool) for tool in tools)
        and _is_told_as_it_is(turn.input)
    )


def _is_plain(tool: Tool) -> bool:
    return isinstance(tool, FunctionTool) and tool.is_enabled is True and not tool.defer_loading


def _is_told_as_it_is(input: Any) -> bool:
    """Whether the run would leave these input items alone: it drops what comes twice."""
    if not isinstance(input, list):
        return False
    calls: set[tuple[str, str]] = set()
    for entry in input:
        if "role" in entry:
            continue
        kind, call_id = entry.get("type"), entry.get("call_id")
        if kind not in _CALLS or not isinstance(call_id, str) or (kind, call_id) in calls:
            return False
        calls.add((kind, call_id))
    return True


class FirstAnswer:
    """The first answer, which was said to the turn as it came.

    `entries` is what the model must see of it again, and `usage` what it cost, where it is `whole`:
    all that the turn's agent has to say.
    """

    def __init__(self, agent: Agent[Turn], events: Sequence[TResponseStreamEvent]) -> None:
        self._agent = agent
        self._events = events
        last = events[-1] if events else None
        self._response = last.response if isinstance(last, ResponseCompletedEvent) else None

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to do."""
        return self._response is not None and _is_text(self._response)

    @property
    def entries(self) -> list[TResponseInputItem]:
        """The answer's items as the model sees them again."""
        assert self._response is not None
        return [self._item(item).to_input_item() for item in self._response.output]

    @property
    def usage(self) -> Usage:
        """The tokens of this one request."""
        assert self._response is not None
        told = self._response.usage
        assert told is not None
        counted: dict[str, Any] = {
            "input_tokens": told.input_tokens,
            "output_tokens": told.output_tokens,
            "total_tokens": told.total_tokens,
            "input_tokens_details": told.input_tokens_details,
            "output_tokens_details": told.output_tokens_details,
        }
        entries = [RequestUsage(**counted)] if told.input_tokens or told.output_tokens else []
        return Usage(requests=1, request_usage_entries=entries, **counted)

    def prepend_to(self, model: Model) -> Model:
        """Return a model that gives this answer first, and then the model's own."""
        return _ReplayFirstAnswer(model, self._events)

    def _item(self, item: Any) -> MessageOutputItem | ReasoningItem:
        if isinstance(item, ResponseReasoningItem):
            return ReasoningItem(agent=self._agent, raw_item=item)
        return MessageOutputItem(agent=self._agent, raw_item=item)


async def ask_model(agent: Agent[Turn], turn: Turn, tools: Sequence[Tool]) -> FirstAnswer:
    """Ask the model of an agent that `may_open`, and return its answer.

    The model must say its events to the turn itself. Raises what it raises.
    """
    model = cast(Model, agent.model)
    stream = model.stream_response(
        cast(str | None, agent.instructions),
        turn.input,
        agent.model_settings,
        list(tools),
        None,
        [],
        ModelTracing.DISABLED,
        previous_response_id=None,
        conversation_id=None,
        prompt=None,
    )
    async with aclosing(cast(AsyncGenerator[TResponseStreamEvent], stream)) as events:
        return FirstAnswer(agent, [event async for event in events if _is_kept(event)])


def _is_kept(event: TResponseStreamEvent) -> bool:
    return event.type in _KEPT or event.type in _ERRORS


def _is_text(response: Response) -> bool:
    if not response.output or response.usage is None:
        return False
    *thoughts, message = response.output
    return (
        isinstance(message, ResponseOutputMessage)
        and bool(message.content)
        and all(isinstance(part, ResponseOutputText) for part in message.content)
        and all(isinstance(item, ResponseReasoningItem) for item in thoughts)
    )


class _ReplayFirstAnswer(Model):
    """A model whose first answer was given before."""

    def __init__(self, model: Model, events: Iterable[TResponseStreamEvent]) -> None:
        self._model = model
        self._events: Iterable[TResponseStreamEvent] | None = events

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return await self._model.get_response(*args, **kwargs)

    async def stream_response(
        self, *args: Any, **kwargs: Any
    ) -> AsyncIterator[TResponseStreamEvent]:
        given, self._events = self._events, None
        if given is not None:
            for event in given:
                yield event
            return
        stream = self._model.stream_response(*args, **kwargs)
        async with aclosing(cast(AsyncGenerator[TResponseStreamEvent], stream)) as events:
            async for event in events:
                yield event
