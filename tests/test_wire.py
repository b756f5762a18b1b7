"""How events are written for ChatKit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from agents import Usage
from chatkit import types
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageItem,
    FileAttachment,
    HiddenContextItem,
    InferenceOptions,
    SDKHiddenContextItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    UserMessageItem,
)
from chatkit.widgets import Card, Text
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_server import Outcome
from chatkit_server.events.wire import ChatKitWire, dump, dump_event
from chatkit_server.turn import ToolCall, ToolResult
from tests.client import EVENT

BASE: dict[str, Any] = {"id": "msg_1", "thread_id": "thr_1", "created_at": datetime.now(UTC)}


def outcome(**changes: Any) -> Outcome:
    given: dict[str, Any] = {
        "status": "completed",
        "seconds": 1.0,
        "items": [],
        "tools": [],
        "usage": Usage(),
        "model": "test/model",
    }
    return Outcome(**given | changes)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
            st.integers(0, 9),
            st.text(st.characters(exclude_categories=["Cs"])),
        ),
        min_size=1,
    )
)
def test_a_piece_of_text_is_written_as_chatkits_own_type_would_be(
    pieces: list[tuple[str, int, str]],
) -> None:
    wire = ChatKitWire()
    for item_id, index, text in pieces:
        line = wire.delta(item_id, index, text)
        assert b"\n" not in line
        event = EVENT.validate_json(line)
        assert isinstance(event, ThreadItemUpdatedEvent)
        assert event.item_id == item_id
        assert event.update.model_dump() == {
            "type": "assistant_message.content_part.text_delta",
            "content_index": index,
            "delta": text,
        }
        assert orjson.loads(line) == event.model_dump()


def test_neither_nulls_nor_what_attachments_keep_for_the_server() -> None:
    attachment = FileAttachment(
        id="atc_1", name="a", mime_type="text/plain", metadata={"bucket": "s3cret"}
    )
    item = UserMessageItem(
        **BASE, content=[], attachments=[attachment], inference_options=InferenceOptions()
    )
    line = ChatKitWire().event(ThreadItemDoneEvent(item=item))
    assert line is not None
    assert b"null" not in line
    assert b"s3cret" not in line
    assert b"metadata" not in line
    told = EVENT.validate_json(line)
    assert isinstance(told, ThreadItemDoneEvent)
    expected = attachment.model_copy(update={"metadata": None})
    assert told.item == item.model_copy(update={"attachments": [expected]})


@pytest.mark.parametrize(
    "event", [ThreadItemAddedEvent, ThreadItemDoneEvent, ThreadItemReplacedEvent]
)
@pytest.mark.parametrize("item", [HiddenContextItem, SDKHiddenContextItem])
def test_hidden_items_are_never_written(event: Any, item: Any) -> None:
    assert ChatKitWire().event(event(item=item(**BASE, content="secret"))) is None
    shown = AssistantMessageItem(**BASE, content=[AssistantMessageContent(text="hello")])
    assert EVENT.validate_json(ChatKitWire().event(event(item=shown)) or b"") == event(item=shown)


def test_updates_are_written_as_they_are() -> None:
    update = AssistantMessageContentPartAdded(
        content_index=0, content=AssistantMessageContent(text="a\nb")
    )
    event = ThreadItemUpdatedEvent(item_id="msg_1", update=update)
    line = ChatKitWire().event(event)
    assert line is not None
    assert b"\n" not in line
    assert EVENT.validate_json(line) == event


def test_a_clean_end_says_nothing_and_any_other_is_an_error() -> None:
    wire = ChatKitWire()
    assert wire.end(outcome()) == []
    [line] = wire.end(outcome(status="failed", error="It broke.", allow_retry=True))
    assert orjson.loads(line) == {
        "type": "error",
        "code": "custom",
        "message": "It broke.",
        "allow_retry": True,
    }
    assert wire.tool(ToolCall("c", "t", {}), ToolResult("x")) is None


WHOLE: dict[str, dict[str, Any]] = {
    "AssistantMessageItem": {"content": [{"text": "hé\n"}]},
    "ClientToolCallItem": {"call_id": "c", "name": "t", "arguments": {"a": None}},
    "GeneratedImageItem": {"image": {"id": "i", "url": "https://example.com/i.png"}},
    "TaskItem": {"task": {"type": "custom", "title": "T"}},
    "UserMessageItem": {
        "content": [{"type": "input_text", "text": "hi"}],
        "inference_options": {},
        "attachments": [
            {"id": "a", "type": "file", "name": "n", "mime_type": "t", "metadata": {"s": 1}}
        ],
    },
    "WidgetItem": {"widget": {"type": "Card", "children": [{"type": "Text", "value": "v"}]}},
    "WorkflowItem": {"workflow": {"type": "reasoning", "tasks": []}},
}
"""What some kinds of item need besides `BASE`."""


@pytest.mark.parametrize("kind", WHOLE)
def test_events_with_items_are_written_as_chatkits_own_types_would_be(kind: str) -> None:
    item = getattr(types, kind).model_validate(BASE | WHOLE[kind])
    for event in (ThreadItemAddedEvent, ThreadItemDoneEvent, ThreadItemReplacedEvent):
        assert dump_event(event.model_construct(item=item)) == dump(event(item=item))


def test_other_events_are_written_as_chatkits_own_types_would_be() -> None:
    widget = Card(children=[Text(value="v")])
    task = types.ThoughtTask(content="why")
    for update in (
        types.AssistantMessageContentPartDone(
            content_index=1, content=AssistantMessageContent(text="t")
        ),
        types.WidgetRootUpdated(widget=widget),
        types.WorkflowTaskAdded(task_index=0, task=task),
        types.GeneratedImageUpdated(
            image=types.GeneratedImage(id="i", url="https://x"), progress=1
        ),
    ):
        for item_id in ("msg_1", 'odd"\n'):
            parts: dict[str, Any] = {"item_id": item_id, "update": update}
            expected = dump(ThreadItemUpdatedEvent(**parts))
            assert dump_event(ThreadItemUpdatedEvent.model_construct(**parts)) == expected
    thread = types.Thread(id="thr_1", created_at=datetime.now(UTC), items=types.Page())
    for event in (types.ThreadCreatedEvent, types.ThreadUpdatedEvent):
        assert dump_event(event.model_construct(thread=thread)) == dump(event(thread=thread))
    assert dump_event(types.NoticeEvent(level="info", message="m")) == dump(
        types.NoticeEvent(level="info", message="m")
    )


def test_a_plugins_own_kind_of_item_is_written_as_the_kind_it_derives_from() -> None:
    class Own(AssistantMessageItem):
        secret: str = "s3cret"

    item = Own(**BASE, content=[])
    told = dump_event(ThreadItemDoneEvent.model_construct(item=item))
    assert told == dump(ThreadItemDoneEvent(item=item))
    assert b"s3cret" not in told
