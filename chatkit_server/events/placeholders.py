"""Ids for items whose models gave them none, or one that another item has already.

The Agents SDK gives one id to all items of chat-completions models that a plugin has made itself.
Other models number their answers, and begin again with each request. `stream_agent_response` passes
these ids on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from agents.models.fake_id import FAKE_RESPONSES_ID
from chatkit.store import StoreItemType
from chatkit.types import (
    AssistantMessageItem,
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
    """Replaces such ids in the events of one turn, which `turn` returns.

    A message that begins or is done is a new one, and so is a call of a client tool: to change one
    of an earlier turn, a plugin says that it is replaced.
    """

    def __init__(self, turn: Callable[[], Turn | None]) -> None:
        self._turn = turn
        self._own: dict[str, str] = {}
        """By the id that was given: that of the newest message which came with it."""
        self._done: set[str] = set()

    def given(
        self, event: ThreadStreamEvent, asked: Collection[str] = frozenset()
    ) -> ThreadStreamEvent:
        """Return the event with an id of its item's own, unless that is what the user `asked`."""
        match event:
            case ThreadItemAddedEvent() | ThreadItemDoneEvent() | ThreadItemReplacedEvent():
                own = None if event.item.id in asked else self._of(event)
                if not isinstance(event, ThreadItemAddedEvent):
                    self._done.add(event.item.id)
                if own is None:
                    return event
                return event.model_copy(update={"item": event.item.model_copy(update={"id": own})})
            case ThreadItemUpdatedEvent() | ThreadItemRemovedEvent():
                own = self._own.get(event.item_id)
                if isinstance(event, ThreadItemRemovedEvent):
                    self._done.discard(event.item_id)
                return event if own is None else event.model_copy(update={"item_id": own})
        return event

    def _of(self, event: Any) -> str | None:
        item = event.item
        if isinstance(item, ClientToolCallItem):
            is_new = isinstance(event, ThreadItemDoneEvent) and self._is_earlier(item.id)
            return self._make("tool_call") if is_new or item.id == FAKE_RESPONSES_ID else None
        has_id_of_model = isinstance(item, AssistantMessageItem) or item.id == FAKE_RESPONSES_ID
        if has_id_of_model and self._is_new(event):
            self._own[item.id] = self._make("message")
        return self._own.get(item.id)

    def _is_new(self, event: Any) -> bool:
        """Whether an item needs an id: it has none, or that of one before it."""
        item_id = event.item.id
        if isinstance(event, ThreadItemAddedEvent):
            is_known = item_id in self._done or self._is_earlier(item_id)
        elif item_id in self._own:
            return False
        else:
            is_known = isinstance(event, ThreadItemDoneEvent) and self._is_earlier(item_id)
        return is_known or item_id == FAKE_RESPONSES_ID

    def _is_earlier(self, item_id: str) -> bool:
        """Whether this is the id of an item of which the turn's input is made."""
        turn = self._turn()
        assert turn is not None
        return any(item.id == item_id for item in turn.items)

    def _make(self, kind: StoreItemType) -> str:
        turn = self._turn()
        assert turn is not None
        return turn.generate_id(kind)
