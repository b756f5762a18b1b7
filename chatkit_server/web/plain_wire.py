"""How the plain protocol writes a turn: the lines of a stream, and the answer as one object."""

from __future__ import annotations

import json
from typing import Any

import orjson
from chatkit.types import (
    AssistantMessageContentPartAdded,
    AssistantMessageItem,
    StreamOptionsEvent,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    WidgetItem,
)

from ..agent.tools import output_text
from ..events.wire import dump
from ..turn import Outcome, ToolCall, ToolResult


class PlainWire:
    """`thread_id` first, then `content`, `tool_call`, `widget` and `error`, and `done` last."""

    def __init__(self, thread_id: str) -> None:
        self.thread_id = thread_id
        self._begun = False
        self._answering = False
        self._streamed: set[str] = set()

    def event(self, event: ThreadStreamEvent) -> bytes | None:
        if not self._begun:
            self._begun = True
            return orjson.dumps({"thread_id": self.thread_id})
        match event:
            case StreamOptionsEvent():
                self._answering = True
            case ThreadItemAddedEvent(item=item):
                self._streamed.add(item.id)
                return _content(_text(item)) if isinstance(item, AssistantMessageItem) else None
            case ThreadItemUpdatedEvent(update=AssistantMessageContentPartAdded() as added):
                return _content(added.content.text)
            case ThreadItemDoneEvent(item=AssistantMessageItem() as item) if self._answering:
                return None if item.id in self._streamed else _content(_text(item))
            # While a widget changes, nothing is sent: the finished one has everything
            case ThreadItemDoneEvent(item=WidgetItem() as item) if self._answering:
                return _dump(_widget(item))
            case ThreadItemReplacedEvent(item=WidgetItem() as item):
                return _dump(_widget(item))
        return None

    def delta(self, item_id: str, content_index: int, text: str) -> bytes:
        return b'{"content":' + orjson.dumps(text) + b"}"

    def tool(self, call: ToolCall, result: ToolResult) -> bytes | None:
        return _dump({"tool_call": _tool_call(call, result)})

    def end(self, outcome: Outcome) -> list[bytes]:
        lines = [_dump(_done(self.thread_id, outcome))]
        if outcome.error is not None:
            lines.insert(0, _dump({"error": outcome.error, "allow_retry": outcome.allow_retry}))
        return lines


class WholeAnswerWire(PlainWire):
    """The same lines, but the last one is the whole answer, for a client that reads no stream."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(thread_id)
        self._removed: set[str] = set()

    def event(self, event: ThreadStreamEvent) -> bytes | None:
        if isinstance(event, ThreadItemRemovedEvent):
            self._removed.add(event.item_id)
        return super().event(event)

    def end(self, outcome: Outcome) -> list[bytes]:
        # An item that was saved again counts as it was last
        items = {item.id: item for item in outcome.items if item.id not in self._removed}
        messages = [item for item in items.values() if isinstance(item, AssistantMessageItem)]
        widgets = [item for item in items.values() if isinstance(item, WidgetItem)]
        answer = {
            "thread_id": self.thread_id,
            "content": "\n\n".join(_text(message) for message in messages),
            "tool_calls": [_tool_call(call, result) for call, result in outcome.tools],
            "widgets": [_widget(widget) for widget in widgets],
            **_done(self.thread_id, outcome),
        }
        if outcome.error is not None:
            answer |= {"message": outcome.error, "allow_retry": outcome.allow_retry}
        return [*super().end(outcome)[:-1], _dump(answer)]


def _content(text: str) -> bytes | None:
    return _dump({"content": text}) if text else None


def _text(message: AssistantMessageItem) -> str:
    return "".join(content.text for content in message.content)


def _widget(item: WidgetItem) -> dict[str, Any]:
    written = orjson.loads(dump(item))
    return {key: written[key] for key in ("widget", "id", "copy_text") if key in written}


def _tool_call(call: ToolCall, result: ToolResult) -> dict[str, Any]:
    return {"name": call.name, "arguments": call.arguments, "result": output_text(result.output)}


def _done(thread_id: str, outcome: Outcome) -> dict[str, Any]:
    usage = outcome.usage
    return {
        "done": True,
        "thread_id": thread_id,
        "status": outcome.status,
        "model": outcome.model,
        "usage": {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens},
    }


def _dump(value: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        # A model may write integers of any length, and halves of surrogate pairs
        return json.dumps(value).encode()
