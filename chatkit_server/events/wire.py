"""How a turn's events are encoded: for ChatKit, or for plain clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, get_args

import orjson
from chatkit.types import (
    AssistantMessageContentPartTextDelta,
    HiddenContextItem,
    SDKHiddenContextItem,
    Thread,
    ThreadCreatedEvent,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdate,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    ThreadUpdatedEvent,
)
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from ..known_errors import UNTOLD
from ..text import valid_values
from ..turn import Outcome, ToolCall, ToolResult

HIDDEN = (HiddenContextItem, SDKHiddenContextItem)
_WITH_ITEM = (ThreadItemAddedEvent, ThreadItemDoneEvent, ThreadItemReplacedEvent)
_ITEMS = frozenset(get_args(get_args(ThreadItem)[0]))
_UPDATES = frozenset(get_args(ThreadItemUpdate))


Translate = Callable[[str], str]


class WireFormat(Protocol):
    """Encodes what happens in a turn as lines of JSON; None for nothing to send."""

    def event(self, event: ThreadStreamEvent) -> bytes | None:
        """Write a ChatKit event."""

    def delta(self, item_id: str, content_index: int, text: str) -> bytes:
        """Write a piece of an assistant message: the path of a token."""

    def tool(self, call: ToolCall, result: ToolResult) -> bytes | None:
        """Write a tool call that has ended."""

    def again(self) -> bytes | None:
        """Write that all is told anew, where items have no ids by which they replace each other."""

    def end(self, outcome: Outcome, translate: Translate = str) -> list[bytes]:
        """Write the last lines. `translate` makes an error what the user reads."""


class ChatKitWire:
    """The events as `chatkit.types.ThreadStreamEvent`; hidden items stay on the server."""

    def __init__(self) -> None:
        self._envelope: tuple[str, int, bytes, bytes] = ("", -1, b"", b"")

    def event(self, event: ThreadStreamEvent) -> bytes | None:
        if isinstance(event, _WITH_ITEM) and is_hidden(event.item):
            return None
        return dump_event(event)

    def delta(self, item_id: str, content_index: int, text: str) -> bytes:
        known_id, known_index, before, after = self._envelope
        if known_id != item_id or known_index != content_index:
            before, after = _delta_envelope(item_id, content_index)
            self._envelope = (item_id, content_index, before, after)
        return before + orjson.dumps(text) + after

    def tool(self, call: ToolCall, result: ToolResult) -> bytes | None:
        return None

    def again(self) -> bytes | None:
        return None

    def end(self, outcome: Outcome, translate: Translate = str) -> list[bytes]:
        if outcome.error is None:
            return []
        event: dict[str, Any] = {"type": "error", "code": outcome.code}
        if outcome.code == "custom" or outcome.error not in UNTOLD.values():
            # For a code without words of a plugin, the page has its own
            event["message"] = translate(outcome.error)
        # ChatKit takes a clean end of the stream as success. The code may be one that ChatKit's own
        # type does not know yet
        return [orjson.dumps(event | {"allow_retry": outcome.allow_retry})]


def dump(model: BaseModel) -> bytes:
    """Write a ChatKit type as its client expects: by alias, no nulls, no attachment metadata."""
    try:
        text = model.model_dump_json(
            by_alias=True, exclude_none=True, context={"exclude_metadata": True}
        )
    except PydanticSerializationError:
        valid = valid_values(model)
        if valid is model:
            raise
        return dump(valid)
    return text.encode()


def dump_event(event: ThreadStreamEvent) -> bytes:
    """Write an event as `dump` does.

    Pydantic builds a serializer of all items for each kind of event, a megabyte each. So an item,
    update or thread of ChatKit's own classes is written with the serializer of its class.
    """
    match event:
        case ThreadItemAddedEvent() | ThreadItemDoneEvent() | ThreadItemReplacedEvent():
            if type(event.item) in _ITEMS:
                return b'{"type":"%b","item":%b}' % (event.type.encode(), dump(event.item))
        case ThreadItemUpdatedEvent():
            if type(event.update) in _UPDATES:
                item_id, update = orjson.dumps(event.item_id), dump(event.update)
                return b'{"type":"%b","item_id":%b,"update":%b}' % (
                    event.type.encode(),
                    item_id,
                    update,
                )
        case ThreadCreatedEvent() | ThreadUpdatedEvent():
            if type(event.thread) is Thread:
                return b'{"type":"%b","thread":%b}' % (event.type.encode(), dump(event.thread))
    return dump(event)


def is_hidden(item: ThreadItem) -> bool:
    """Whether the item must never leave the server."""
    return isinstance(item, HIDDEN)


def _delta_envelope(item_id: str, content_index: int) -> tuple[bytes, bytes]:
    update = AssistantMessageContentPartTextDelta(content_index=content_index, delta="\0")
    event = dump_event(ThreadItemUpdatedEvent.model_construct(item_id=item_id, update=update))
    before, _, after = event.rpartition(orjson.dumps("\0"))
    return before, after
