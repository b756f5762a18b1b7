"""A conversation from the first request to the last byte, as ChatKit and plain clients have it."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.conftest import MakeChat


async def test_a_new_thread_streams_in_chatkits_order(make_chat: MakeChat) -> None:
    chat = await make_chat()
    streamed = await chat.say("hello")
    assert streamed.types[:3] == ["thread.created", "thread.item.done", "stream_options"]
    assert streamed.types[3:5] == ["thread.item.added", "assistant_message.content_part.added"]
    assert streamed.types[-2:] == ["assistant_message.content_part.done", "thread.item.done"]
    assert set(streamed.types[5:-2]) == {"assistant_message.content_part.text_delta"}
    answer = streamed.done("assistant_message")[0]
    assert streamed.text == answer["content"][0]["text"]
    assert "demo model" in streamed.text


async def test_ids_are_the_same_in_added_updated_and_done(make_chat: MakeChat) -> None:
    chat = await make_chat()
    streamed = await chat.say("hello")
    added = next(e["item"]["id"] for e in streamed.data if e["type"] == "thread.item.added")
    updated = {e["item_id"] for e in streamed.data if e["type"] == "thread.item.updated"}
    assert {added} == updated == {streamed.done("assistant_message")[0]["id"]}


async def test_ids_are_ordered_by_time_and_times_have_an_offset(make_chat: MakeChat) -> None:
    chat = await make_chat()
    first = await chat.say("hello")
    second = await chat.say("hello again", first.thread_id)
    items = [
        i for s in (first, second) for i in (s.done("user_message") + s.done("assistant_message"))
    ]
    ids = [item["id"] for item in items]
    assert ids == sorted(ids)
    assert len(set(ids)) == 4
    assert all(len(item_id) >= len("msg_") + 32 for item_id in ids)
    for item in items:
        assert datetime.fromisoformat(item["created_at"]).utcoffset() == timedelta(0)


async def test_events_are_numbered_with_the_turns_id(make_chat: MakeChat) -> None:
    chat = await make_chat()
    streamed = await chat.say("hello")
    turn_id = streamed.response.headers["X-Turn-Id"]
    assert streamed.ids == [f"{turn_id}:{n}" for n in range(1, len(streamed.data) + 1)]
    assert streamed.response.headers["Cache-Control"] == "no-cache"
    assert streamed.response.headers["X-Accel-Buffering"] == "no"


async def test_plain_conversation(make_chat: MakeChat) -> None:
    chat = await make_chat()
    streamed = await chat.plain("hello")
    assert list(streamed.data[0]) == ["thread_id"]
    assert len([e for e in streamed.data if "content" in e]) > 5
    done = streamed.data[-1]
    assert done["done"] is True
    assert done["status"] == "completed"
    again = await chat.plain("and hello again", thread_id=streamed.data[0]["thread_id"])
    assert again.data[0] == streamed.data[0]
    items = await chat.ask("items.list", thread_id=again.data[0]["thread_id"], order="asc")
    assert [item["type"] for item in items["data"]] == ["user_message", "assistant_message"] * 2
