"""How a turn's events are written: as ChatKit reads them, or as plain clients do."""

from __future__ import annotations

from typing import Protocol

import orjson
from chatkit.types import (
    AssistantMessageContentPartTextDelta,
    ErrorEvent,
    HiddenContextItem,
    SDKHiddenContextItem,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
)
from pydantic import BaseModel

from .turn import Outcome, ToolCall, ToolResult

HIDDEN = (HiddenContextItem, SDKHiddenContextItem)
_WITH_ITEM = (ThreadItemAddedEvent, ThreadItemDoneEvent, ThreadItemReplacedEvent)


class Wire(Protocol):
    """Turns what happens in a turn into lines of JSON; None where there is nothing to say."""

    def event(self, event: ThreadStreamEvent) -> bytes | None:
        """Write a ChatKit event."""

    def delta(self, item_id: str, content_index: int, text: str) -> bytes:
        """Write a piece of an assistant's message; the path of a token."""

    def tool(self, call: ToolCall, result: ToolResult) -> bytes | None:
        """Write a tool call that has ended."""

    def end(self, outcome: Outcome) -> list[bytes]:
        """Write the last lines."""


class ChatKitWire:
    """The events as `chatkit.types.ThreadStreamEvent`; hidden items stay on the server."""

    def __init__(self) -> None:
        self._envelope: tuple[str, int, bytes, bytes] = ("", -1, b"", b"")

    def event(self, event: ThreadStreamEvent) -> bytes | None:
        if isinstance(event, _WITH_ITEM) and is_hidden(event.item):
            return None
        return dump(event)

    def delta(self, item_id: str, content_index: int, text: str) -> bytes:
        known_id, known_index, before, after = self._envelope
        if known_id != item_id or known_index != content_index:
            before, after = _delta_envelope(item_id, content_index)
            self._envelope = (item_id, content_index, before, after)
        return before + orjson.dumps(text) + after

    def tool(self, call: ToolCall, result: ToolResult) -> bytes | None:
        return None

    def end(self, outcome: Outcome) -> list[bytes]:
        if outcome.error is None:
            return []
        # ChatKit takes a clean end for success
        return [dump(ErrorEvent(message=outcome.error, allow_retry=outcome.allow_retry))]


def dump(model: BaseModel) -> bytes:
    """Write a ChatKit type as its client expects: by alias, no nulls, no attachment metadata."""
    return model.model_dump_json(
        by_alias=True, exclude_none=True, context={"exclude_metadata": True}
    ).encode()


def is_hidden(item: ThreadItem) -> bool:
    """Whether the item must never leave the server."""
    return isinstance(item, HIDDEN)


def _delta_envelope(item_id: str, content_index: int) -> tuple[bytes, bytes]:
    update = AssistantMessageContentPartTextDelta(content_index=content_index, delta="\0")
    whole = dump(ThreadItemUpdatedEvent(item_id=item_id, update=update))
    before, _, after = whole.rpartition(orjson.dumps("\0"))
    return before, after
