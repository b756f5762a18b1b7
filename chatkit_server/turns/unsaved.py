"""What a turn has said since its partial answer was last saved, as the event log has it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import orjson
from chatkit.types import (
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ThreadItem,
    ThreadItemUpdate,
)
from pydantic import ConfigDict, TypeAdapter

from ..events.partial import PartialAnswer, load_item
from ..events.shared import EventLog
from ..events.updates import apply_update, content_at
from .store import TurnRecord

_UPDATE: TypeAdapter[ThreadItemUpdate] = TypeAdapter(
    ThreadItemUpdate, config=ConfigDict(defer_build=True)
)
_FRAME = re.compile(rb"id: [^\n]*:(\d+)\ndata: ([^\n]*)\n\n")


@dataclass
class Continued:
    """The partial answer of a turn, and how it went on.

    `text` is what plain clients were sent of messages since: their lines do not say of which.
    """

    record: TurnRecord
    partial: PartialAnswer
    text: str = ""
    _open: dict[str, ThreadItem] = field(init=False)
    _saved: dict[str, None] = field(init=False)

    def __post_init__(self) -> None:
        self._open = {item.id: item for item in self.partial.items}
        self._saved = dict.fromkeys(self.partial.saved)

    @property
    def whole(self) -> PartialAnswer:
        """The partial answer as it is now."""
        return replace(self.partial, items=list(self._open.values()), saved=list(self._saved))

    def apply(self, line: bytes) -> None:
        """Change the answer as an event changes what a client shows.

        Raises `ValueError` for what is not such an event.
        """
        event = orjson.loads(line)
        match event:
            case {"type": "thread.item.added", "item": written}:
                item = load_item(written)
                self._open[item.id] = item
            case {"type": "thread.item.updated", "item_id": item_id, "update": written}:
                if item_id in self._open:
                    _update(self._open[item_id], _UPDATE.validate_python(written))
            case {
                "type": "thread.item.done" | "thread.item.replaced",
                "item": {"id": str(item_id)},
            }:
                # It was saved before it was told
                self._open.pop(item_id, None)
                self._saved[item_id] = None
            case {"type": "thread.item.removed", "item_id": item_id}:
                self._open.pop(item_id, None)
            case {"withdrawn": True}:
                self.text = ""
                for item in self._messages():
                    del self._open[item.id]
            case {"content": str(text)}:
                self.text += text

    def tell(self, stored: Sequence[AssistantMessageItem]) -> None:
        """Put the text of plain clients where it belongs: what is in none of the turn's `stored`
        messages, oldest first, is that of the open one, or of a new one.

        If they are not what was sent, nothing is changed.
        """
        rest, open_message = self.text, next(iter(self._messages()), None)
        for message in stored:
            text = _text(message)
            if open_message is not None and message.id == open_message.id:
                text, open_message = text.removeprefix(_text(open_message)), None
            if not rest.startswith(text):
                return
            rest = rest.removeprefix(text)
        if not rest:
            return
        message = open_message or _new_message(self.record)
        content_at(message, max(0, len(message.content) - 1)).text += rest
        self._open[message.id] = message

    def _messages(self) -> list[AssistantMessageItem]:
        return [item for item in self._open.values() if isinstance(item, AssistantMessageItem)]


async def events_after(
    events: EventLog, record: TurnRecord, partial: PartialAnswer
) -> AsyncGenerator[bytes]:
    """Yield the events after a partial answer, as lines of JSON, until one is missing.

    The turn has been ended in the event log: what its dead process wrote comes before that.
    """
    after = partial.events
    if not events.is_live:
        return
    async with aclosing(events.follow(record.id, after)) as parts:
        async for part in parts:
            if part is None or part.status is not None:
                return
            for number, line in _FRAME.findall(part.frames):
                if int(number) <= after:
                    continue
                if int(number) > after + 1:
                    return
                after += 1
                yield line


def _new_message(record: TurnRecord) -> AssistantMessageItem:
    """Return an empty message for text whose own one is not known; its id is always the same."""
    return AssistantMessageItem(
        id=f"msg_{record.id.removeprefix('turn_')}",
        thread_id=record.thread_id,
        created_at=datetime.now(UTC),
        content=[],
    )


def _update(item: ThreadItem, update: ThreadItemUpdate) -> None:
    if not isinstance(update, AssistantMessageContentPartTextDelta):
        apply_update(item, update)
    elif isinstance(item, AssistantMessageItem):
        content_at(item, update.content_index).text += update.delta


def _text(message: AssistantMessageItem) -> str:
    return "".join(content.text for content in message.content)
