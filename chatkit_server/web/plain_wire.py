"""How the plain protocol writes a turn: the lines of a stream, and the answer as one object."""

from __future__ import annotations

import json
import zlib
from typing import Any

import orjson
from chatkit.types import (
    AssistantMessageContentPartAdded,
    AssistantMessageItem,
    ClientEffectEvent,
    ClientToolCallItem,
    GeneratedImageItem,
    HiddenContextItem,
    NoticeEvent,
    StreamOptionsEvent,
    StructuredInputItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    WidgetItem,
)

from ..agent.paused import PausedRun, WaitingCall
from ..agent.tools import output_text
from ..events.wire import Translate, dump
from ..text import valid_values
from ..turn import Outcome, ToolCall, ToolResult


class PlainWire:
    """`thread_id` first, then `content`, `tool_call` and so on, and `done` last.

    After the end, `answer` is the whole answer as one object, for a client that reads no stream.
    """

    def __init__(self, thread_id: str) -> None:
        self.thread_id = thread_id
        self._begun = False
        self._answering = False
        self._streamed: set[str] = set()
        """The ids of messages of which text was sent."""
        self._shown: set[str] = set()
        """The ids of widgets and pictures that were sent."""
        self._left_out: set[str] = set()
        self._approvals: dict[str, dict[str, Any]] = {}
        """Calls that wait for an approval, or have waited, by the id of the item that asks."""
        self._compressed: bytes | None = None

    @property
    def answer(self) -> bytes | None:
        """The whole answer, or None before the end."""
        return None if self._compressed is None else zlib.decompress(self._compressed)

    def event(self, event: ThreadStreamEvent) -> bytes | None:
        self._answering = self._answering or isinstance(event, StreamOptionsEvent)
        if not self._begun:
            self._begun = True
            return orjson.dumps({"thread_id": self.thread_id})
        match event:
            case ThreadItemDoneEvent(item=HiddenContextItem() as item):
                self._note_approvals(item)
            case ThreadItemReplacedEvent(item=HiddenContextItem() as item):
                self._note_approvals(item)
            case ThreadItemDoneEvent(item=item) if not self._answering:
                # A part of the conversation before the answer
                self._left_out.add(item.id)
            case ThreadItemAddedEvent(item=AssistantMessageItem() as item):
                return self._begun_text(item.id, _text(item))
            case ThreadItemUpdatedEvent(update=AssistantMessageContentPartAdded() as added):
                return self._begun_text(event.item_id, added.content.text)
            case ThreadItemDoneEvent(item=AssistantMessageItem() as item):
                return self._done_text(item)
            # While a widget changes, nothing is sent: the finished one has everything
            case ThreadItemDoneEvent(item=WidgetItem() as item):
                return self._widget(item)
            case ThreadItemReplacedEvent(item=WidgetItem() as item):
                return self._widget(item)
            case ThreadItemDoneEvent(item=ClientToolCallItem() as item):
                return _dump({"client_tool_call": _client_tool_call(item)})
            case ThreadItemDoneEvent(item=StructuredInputItem() as item):
                return _dump({"questions": _questions(item)})
            case ThreadItemDoneEvent(item=GeneratedImageItem() as item):
                return self._image(item)
            case ThreadItemReplacedEvent(item=GeneratedImageItem() as item):
                return self._image(item)
            case NoticeEvent():
                return _dump({"notice": _without_type(event)})
            case ClientEffectEvent():
                return _dump({"client_effect": _without_type(event)})
            case ThreadItemRemovedEvent(item_id=item_id):
                self._left_out.add(item_id)
                return self._removed(item_id)
        return None

    def _removed(self, item_id: str) -> bytes | None:
        """Say when nothing of what was sent stands: a line of text has no id to take it back by."""
        sent = self._streamed | self._shown
        return self.again() if item_id in sent and sent <= self._left_out else None

    def _note_approvals(self, item: HiddenContextItem) -> None:
        run = PausedRun.of(item)
        if run is not None:
            # One that its user has allowed before has no item
            asked = [call for call in run.calls if call.item_id]
            self._approvals |= {call.item_id: _approval(call, run) for call in asked}

    def _widget(self, item: WidgetItem) -> bytes:
        approval = self._approvals.get(item.id)
        self._shown.add(item.id)
        return _dump(_widget(item) if approval is None else {"approval": approval})

    def _image(self, item: GeneratedImageItem) -> bytes:
        self._shown.add(item.id)
        return _dump({"image": _image(item)})

    def _begun_text(self, item_id: str, text: str) -> bytes | None:
        if text:
            self._streamed.add(item_id)
        return _content(text)

    def _done_text(self, item: AssistantMessageItem) -> bytes | None:
        text = "" if item.id in self._streamed else _text(item)
        line: dict[str, Any] = {"content": text} if text else {}
        if text:
            self._streamed.add(item.id)
        if sources := _sources(item):
            line["sources"] = sources
        return _dump(line) if line else None

    def delta(self, item_id: str, content_index: int, text: str) -> bytes:
        self._streamed.add(item_id)
        return b'{"content":' + orjson.dumps(text) + b"}"

    def tool(self, call: ToolCall, result: ToolResult) -> bytes | None:
        return _dump({"tool_call": _tool_call(call, result)})

    def again(self) -> bytes:
        return b'{"withdrawn":true}'

    def end(self, outcome: Outcome, translate: Translate = str) -> list[bytes]:
        error = None if outcome.error is None else translate(outcome.error)
        # The log of an ended turn is compressed too
        self._compressed = zlib.compress(_dump(self._whole(outcome, error)), 1)
        lines = [_dump(_done(self.thread_id, outcome))]
        if error is not None:
            lines.insert(0, _dump({"error": error, "allow_retry": outcome.allow_retry}))
        return lines

    def _whole(self, outcome: Outcome, error: str | None) -> dict[str, Any]:
        items = {item.id: item for item in outcome.items if item.id not in self._left_out}.values()
        messages = [item for item in items if isinstance(item, AssistantMessageItem)]
        answer: dict[str, Any] = {
            "thread_id": self.thread_id,
            "content": "\n\n".join(_text(message) for message in messages),
            "tool_calls": [_tool_call(call, result) for call, result in outcome.tools],
            "widgets": [
                _widget(item)
                for item in items
                if isinstance(item, WidgetItem) and item.id not in self._approvals
            ],
        }
        if self._approvals:
            answer["approvals"] = list(self._approvals.values())
        if sources := [source for message in messages for source in _sources(message)]:
            answer["sources"] = sources
        if images := [_image(item) for item in items if isinstance(item, GeneratedImageItem)]:
            answer["images"] = images
        for item in items:
            if isinstance(item, ClientToolCallItem):
                answer["client_tool_call"] = _client_tool_call(item)
            if isinstance(item, StructuredInputItem) and item.status == "pending":
                answer.setdefault("questions", []).append(_questions(item))
        answer |= _done(self.thread_id, outcome)
        if error is not None:
            answer |= {"message": error, "allow_retry": outcome.allow_retry}
        return answer


def _content(text: str) -> bytes | None:
    return _dump({"content": text}) if text else None


def _text(message: AssistantMessageItem) -> str:
    return "".join(content.text for content in message.content)


def _widget(item: WidgetItem) -> dict[str, Any]:
    written = orjson.loads(dump(item))
    return {key: written[key] for key in ("widget", "id", "copy_text") if key in written}


def _image(item: GeneratedImageItem) -> dict[str, Any]:
    return {"url": None if item.image is None else item.image.url, "id": item.id}


def _sources(message: AssistantMessageItem) -> list[dict[str, Any]]:
    """Return what a message cites; the place of each mark is that in its part of the text."""
    if not any(content.annotations for content in message.content):
        return []
    written = orjson.loads(dump(message))["content"]
    annotations = [annotation for content in written for annotation in content["annotations"]]
    return [{**each["source"], "index": each.get("index")} for each in annotations]


def _without_type(event: NoticeEvent | ClientEffectEvent) -> dict[str, Any]:
    return {key: value for key, value in orjson.loads(dump(event)).items() if key != "type"}


def _approval(call: WaitingCall, run: PausedRun) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "id": call.item_id,
        "name": call.name,
        "arguments": call.tool_call.arguments,
        "expires_at": run.expires_at.isoformat(),
    }
    if call.server is not None:
        asked["server"] = call.server
    return asked if call.decision is None else {**asked, "decision": call.decision}


def _client_tool_call(item: ClientToolCallItem) -> dict[str, Any]:
    return {"name": item.name, "arguments": item.arguments, "id": item.id}


def _questions(item: StructuredInputItem) -> dict[str, Any]:
    return {"id": item.id, "inputs": orjson.loads(dump(item))["inputs"]}


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
        # A model may write integers of any length, and halves of characters
        return json.dumps(valid_values(value)).encode()
