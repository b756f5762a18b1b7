"""Ask the model before the run: most turns are complete with the first answer.

A run of the Agents SDK is made for agents that call tools, hand over and ask again. If the first
answer is only text, none of that happens, and the run costs more than the rest of the turn. So the
model is asked first, the way the run would ask it. A run begins only if the answer is not complete,
and starts with this answer instead of asking again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from typing import Any, cast

from agents import (
    Agent,
    FunctionTool,
    Handoff,
    MessageOutputItem,
    Model,
    ModelResponse,
    ModelTracing,
    ReasoningItem,
    Tool,
    TResponseInputItem,
    Usage,
    handoff,
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
_RUN_ONLY = ("hooks", "input_guardrails", "output_guardrails", "output_type", "prompt")
"""Parts of an agent that only a run of the SDK respects."""


def can_skip_run(agent: Agent[Turn], turn: Turn, tools: Sequence[Tool]) -> bool:
    """Whether an agent's model may be asked as a run of the SDK would, without the run."""
    handoffs = _handoffs(agent)
    names = {*(tool.name for tool in tools), *(each.tool_name for each in handoffs)}
    return (
        type(agent) is Agent
        and isinstance(agent.instructions, str | None)
        and not any(getattr(agent, part) for part in _RUN_ONLY)
        and agent.model_settings.retry is None
        and agent.model_settings.timeout is None
        and len(names) == len(tools) + len(handoffs)
        and all(_is_plain(tool) for tool in tools)
        and all(each.is_enabled is True for each in handoffs)
        and _is_sent_unchanged(turn.input)
    )


def _handoffs(agent: Agent[Turn]) -> list[Handoff[Any, Any]]:
    return [handoff(each) if isinstance(each, Agent) else each for each in agent.handoffs]


def _is_plain(tool: Tool) -> bool:
    return isinstance(tool, FunctionTool) and tool.is_enabled is True and not tool.defer_loading


def _is_sent_unchanged(input: Any) -> bool:
    """Whether the run would send these input items unchanged: it drops duplicates."""
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
    """The first answer, which the turn has received as it came.

    If it is `complete`, nothing else follows in this turn; `entries` are then its items for the
    model's next input, and `usage` its tokens.
    """

    def __init__(self, agent: Agent[Turn], events: Sequence[TResponseStreamEvent]) -> None:
        self._agent = agent
        self._events = events
        last = events[-1] if events else None
        self._response = last.response if isinstance(last, ResponseCompletedEvent) else None

    @property
    def complete(self) -> bool:
        """Whether the answer needs no run: it is only text."""
        return self._response is not None and _is_text(self._response)

    @property
    def entries(self) -> list[TResponseInputItem]:
        """The answer's items as input for the model."""
        assert self._response is not None
        return [self._item(item).to_input_item() for item in self._response.output]

    @property
    def usage(self) -> Usage:
        """The tokens of this one request, as far as the provider counted them."""
        usage = self._response.usage if self._response is not None else None
        if usage is None:
            return Usage()
        counted: dict[str, Any] = {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens,
            "input_tokens_details": usage.input_tokens_details,
            "output_tokens_details": usage.output_tokens_details,
        }
        entries = [RequestUsage(**counted)] if usage.input_tokens or usage.output_tokens else []
        return Usage(requests=1, request_usage_entries=entries, **counted)

    def prepend_to(self, model: Model) -> Model:
        """Return a model that gives this answer first, and asks `model` after that."""
        return _ReplayFirstAnswer(model, self._events)

    def _item(self, item: Any) -> MessageOutputItem | ReasoningItem:
        if isinstance(item, ResponseReasoningItem):
            return ReasoningItem(agent=self._agent, raw_item=item)
        return MessageOutputItem(agent=self._agent, raw_item=item)


async def ask_model(agent: Agent[Turn], turn: Turn, tools: Sequence[Tool]) -> FirstAnswer:
    """Ask the model of an agent that `can_skip_run`, and return its answer.

    The model must be bound to the turn. Raises what the model raises.
    """
    model = cast(Model, agent.model)
    stream = model.stream_response(
        cast(str | None, agent.instructions),
        turn.input,
        agent.model_settings,
        list(tools),
        None,
        _handoffs(agent),
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
    """A model whose first answer is known already."""

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
