"""Ids for items whose model gave them none: the Agents SDK then gives all the same one.

Chat-completions models that a plugin has made itself do so, and `stream_agent_response` passes it
on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agents.models.fake_id import FAKE_RESPONSES_ID
from chatkit.store import StoreItemType
from chatkit.types import (
    ClientToolCallItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
)

from ..turn import Turn


class OwnIds:
    """Replaces the placeholder in the events of one turn, which `turn` returns."""

    def __init__(self, turn: Callable[[], Turn | None]) -> None:
        self._turn = turn
        self._message: str | None = None
        """The id of the message that has the placeholder at the moment."""

    def given(self, event: ThreadStreamEvent) -> ThreadStreamEvent:
        """Return the event with an id of its item's own."""
        match event:
            case ThreadItemAddedEvent() | ThreadItemDoneEvent() | ThreadItemReplacedEvent():
                if event.item.id != FAKE_RESPONSES_ID:
                    return event
                item = event.item.model_copy(update={"id": self._of(event)})
                return event.model_copy(update={"item": item})
            case ThreadItemUpdatedEvent() | ThreadItemRemovedEvent():
                if event.item_id != FAKE_RESPONSES_ID or self._message is None:
                    return event
                return event.model_copy(update={"item_id": self._message})
        return event

    def _make(self, kind: StoreItemType) -> str:
        turn = self._turn()
        assert turn is not None
        return turn.generate_id(kind)

    def _of(self, event: Any) -> str:
        if isinstance(event.item, ClientToolCallItem):
            return self._make("tool_call")
        if self._message is None or isinstance(event, ThreadItemAddedEvent):
            self._message = self._make("message")
        return self._message
