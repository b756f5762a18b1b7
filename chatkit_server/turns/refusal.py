"""What a guardrail has refused: what the user sees of it, and what later turns know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from agents import InputGuardrailTripwireTriggered
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdate,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    UserMessageItem,
)

from ..agent.memory import refused_memory, withheld_memory
from ..agent.team.guardrails import GuardrailFailed, Guardrails, guardrail_name
from ..errors import EndTurn, ServerError, TurnFailed, causes
from ..turn import Turn
from .failures import explain


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message or an answer that a guardrail has refused.

    `items` stay in its place: the message that tells the user, unless that is an error, and the
    memory of the turn, if later turns need one.
    """

    guardrail: str
    problem: ServerError
    items: list[ThreadItem]
    is_message: bool

    def events(self) -> Iterator[ThreadStreamEvent]:
        """Yield the events that show and save what stays."""
        for item in self.items:
            if isinstance(item, AssistantMessageItem):
                yield from _written(item)
            yield ThreadItemDoneEvent.model_construct(item=item)


def refusal(
    turn: Turn, error: BaseException, guardrails: Guardrails, message: UserMessageItem | None
) -> Refusal:
    """Return what becomes of a turn whose guardrail has raised this."""
    name = guardrail_name(error) or ""
    if isinstance(error, GuardrailFailed):
        problem = explain(error)
        unchecked = withheld_memory(turn.id, turn.first_agent or "", problem.message)
        return Refusal(name, problem, [unchecked.as_item(turn.thread.id)], is_message=False)
    given = guardrails.words(name)
    reason = turn.translate(given) if given else explain(error).message
    shown = turn.translate(reason)
    is_message = guardrails.shows_message(name)
    items: list[ThreadItem] = [_message(turn, shown)] if is_message else []
    answer = (items[0].id, shown) if items else None
    agent = turn.first_agent or ""
    memory = None
    if isinstance(error, InputGuardrailTripwireTriggered) and message is not None:
        memory = refused_memory(turn.id, agent, message.id, answer)
    elif not is_message:
        memory = withheld_memory(turn.id, agent, reason)
    items += [memory.as_item(turn.thread.id)] if memory is not None else []
    return Refusal(name, TurnFailed(reason), items, is_message)


def last_words(turn: Turn, error: BaseException) -> Iterator[ThreadStreamEvent]:
    """Yield the events of the message in which a plugin ends the turn; none for another error."""
    ended = next((each for each in causes(error) if isinstance(each, EndTurn)), None)
    if ended is not None:
        item = _message(turn, turn.translate(ended.message))
        yield from _written(item)
        yield ThreadItemDoneEvent.model_construct(item=item)


def _message(turn: Turn, text: str) -> AssistantMessageItem:
    return AssistantMessageItem(
        id=turn.generate_id("message"),
        thread_id=turn.thread.id,
        created_at=datetime.now(UTC),
        content=[AssistantMessageContent(text=text)],
    )


def _written(item: AssistantMessageItem) -> Iterator[ThreadStreamEvent]:
    """Yield the events of a message as a model writes one: clients may know no others."""
    yield ThreadItemAddedEvent.model_construct(item=item.model_copy(update={"content": []}))
    updates: list[ThreadItemUpdate] = [
        AssistantMessageContentPartAdded(content_index=0, content=AssistantMessageContent(text="")),
        AssistantMessageContentPartTextDelta(content_index=0, delta=item.content[0].text),
        AssistantMessageContentPartDone(content_index=0, content=item.content[0]),
    ]
    for update in updates:
        yield ThreadItemUpdatedEvent.model_construct(item_id=item.id, update=update)
