"""The plain protocol: what clients without ChatKit send and are told."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from agents import function_tool
from chatkit.types import AssistantMessageItem, HiddenContextItem, ThreadItem, UserMessageItem
from chatkit.types import ThreadItemDoneEvent as Done

from chatkit_server import Turn, hookimpl
from chatkit_server.ids import new_id
from chatkit_server.turn import ToolCall, ToolResult
from chatkit_server.web.plain import PlainWire
from tests.conftest import MakeChat, served_by
from tests.memory_store import MemoryStorePlugin
from tests.model_server import Break, Call, ModelServer, Reasoning


@function_tool
async def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


class Tools:
    """Gives every turn a tool."""

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools.append(weather)


def told(server: ModelServer) -> list[tuple[str, str]]:
    """The roles and texts of the last request to the model, without its instructions."""
    messages = []
    for message in server.requests[-1].body["messages"][1:]:
        content = message.get("content")
        if isinstance(content, list):
            content = "".join(part["text"] for part in content)
        messages.append((message["role"], content))
    return messages


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


async def test_the_lines_of_an_answer(make_chat: MakeChat, model_server: ModelServer) -> None:
    chat = await make_chat(Tools(), **served_by(model_server))
    model_server.reply(Reasoning("Hm."), Call("weather", {"city": "Köln ☂"}))
    model_server.reply("It is ", "sunny.")
    streamed = await chat.plain("Köln?")
    thread_id = streamed.data[0]["thread_id"]
    call = {"name": "weather", "arguments": {"city": "Köln ☂"}, "result": "sunny in Köln ☂"}
    assert streamed.data[:-1] == [
        {"thread_id": thread_id},
        {"tool_call": call},
        {"content": "It is "},
        {"content": "sunny."},
    ]
    usage = streamed.data[-1].pop("usage")
    assert usage["input_tokens"] > 0
    assert usage["output_tokens"] > 0
    assert streamed.data[-1] == {
        "done": True,
        "thread_id": thread_id,
        "status": "completed",
        "model": "test/model",
    }
    turn_id = streamed.response.headers["X-Turn-Id"]
    assert streamed.ids == [f"{turn_id}:{n}" for n in range(1, len(streamed.data) + 1)]


async def test_with_a_thread_only_the_last_message_is_new(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    model_server.reply("One.")
    thread_id = (await chat.plain("first")).data[0]["thread_id"]
    model_server.reply("Two.")
    again = await chat.plain("forged", assistant("forged too"), "second", thread_id=thread_id)
    assert again.data[0] == {"thread_id": thread_id}
    assert told(model_server) == [("user", "first"), ("assistant", "One."), ("user", "second")]
    items = await chat.ask("items.list", thread_id=thread_id, order="asc")
    texts = [item["content"][0]["text"] for item in items["data"]]
    assert texts == ["first", "One.", "second", "Two."]


async def test_without_a_thread_the_messages_are_the_conversation(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    model_server.reply("Four.")
    streamed = await chat.plain("one", assistant("two"), assistant(""), user("three"))
    assert [e for e in streamed.data if "content" in e] == [{"content": "Four."}]
    expected = [("user", "one"), ("assistant", "two"), ("user", "three")]
    assert told(model_server) == expected
    thread_id = streamed.data[0]["thread_id"]
    thread = await chat.ask("threads.get_by_id", thread_id=thread_id)
    items = thread["items"]["data"]
    assert [item["type"] for item in items] == [
        "user_message",
        "assistant_message",
        "user_message",
        "assistant_message",
    ]
    model_server.reply("Six.")
    await chat.plain("five", thread_id=thread_id)
    assert told(model_server) == [*expected, ("assistant", "Four."), ("user", "five")]


async def test_text_in_parts(make_chat: MakeChat, model_server: ModelServer) -> None:
    chat = await make_chat(**served_by(model_server))
    parts = [{"type": "text", "text": "Good "}, {"type": "input_text", "text": "morning"}]
    await chat.plain(
        user("Hi"), assistant([{"type": "output_text", "text": "Hello", "id": 1}]), user(parts)
    )
    assert told(model_server) == [("user", "Hi"), ("assistant", "Hello"), ("user", "Good morning")]


async def test_other_fields_do_no_harm(make_chat: MakeChat) -> None:
    chat = await make_chat()
    streamed = await chat.plain(
        {**user("hello"), "name": "Ann"}, model="gpt-4o", stream=True, temperature=7, user_id=None
    )
    assert streamed.data[-1]["status"] == "completed"
    assert streamed.data[-1]["model"] == "demo/todo"


async def test_a_user_id_in_the_body_is_for_the_auth_plugin(make_chat: MakeChat) -> None:
    chat = await make_chat()
    streamed = await chat.plain("hello", user_id="ann")
    listed = await chat.ask("threads.list")
    assert [thread["id"] for thread in listed["data"]] == [streamed.data[0]["thread_id"]]
    chat.headers["X-User"] = "ann"
    assert (await chat.ask("threads.list"))["data"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": {"role": "user", "content": "hello"}}, "messages"),
        ({"messages": [user("hello"), assistant("hi")]}, "messages"),
        ({"messages": [user("  \n")]}, "messages"),
        ({"messages": [user([])]}, "messages"),
        ({"messages": ["hello"]}, "messages.0"),
        ({"messages": [{"role": "system", "content": "x"}, user("hello")]}, "messages.0.role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [user(None)]}, "messages.0.content"),
        ({"messages": [user(7)]}, "messages.0.content"),
        ({"messages": [user("a"), user(["hello"])]}, "messages.1.content"),
        ({"messages": [user([{"type": "text", "text": 7}])]}, "messages.0.content"),
        ({"messages": [user([{"type": ["text"], "text": "a"}])]}, "messages.0.content"),
        ({"messages": [user([{"type": "image_url", "text": "a"}])]}, "messages.0.content"),
        ({"messages": [user("hello")], "thread_id": 7}, "thread_id"),
        ({"messages": [user("hello")], "user_id": {}}, "user_id"),
    ],
)
async def test_what_makes_no_sense_is_named(
    make_chat: MakeChat, body: dict[str, Any], field: str
) -> None:
    chat = await make_chat()
    status, message = await chat.refused(body)
    assert status == 400
    assert message.partition(": ")[0] == field
    assert (await chat.ask("threads.list"))["data"] == []


async def test_a_thread_that_is_not_there(make_chat: MakeChat) -> None:
    chat = await make_chat()
    for thread_id in ("thr_unknown", "", "x" * 5000, "a\nb"):
        assert (await chat.refused({"messages": [user("hello")], "thread_id": thread_id}))[0] == 404


async def test_an_error_is_told_before_done(make_chat: MakeChat, model_server: ModelServer) -> None:
    chat = await make_chat(**served_by(model_server))
    model_server.reply("The answer ", "is", Break())
    streamed = await chat.plain("What is it?")
    assert [list(line) for line in streamed.data] == [
        ["thread_id"],
        ["content"],
        ["content"],
        ["error", "allow_retry"],
        ["done", "thread_id", "status", "model", "usage"],
    ]
    assert streamed.data[-2]["allow_retry"] is True
    assert streamed.data[-1]["status"] == "failed"


async def test_the_same_thread_through_both_protocols(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Tools(), **served_by(model_server))
    model_server.reply(Call("weather", {"city": "Rome"}))
    model_server.reply("Sunny.")
    thread_id = (await chat.plain("Rome?")).data[0]["thread_id"]
    model_server.reply("You asked of Rome.")
    streamed = await chat.say("What did I ask?", thread_id)
    assert streamed.text == "You asked of Rome."
    assert [role for role, _ in told(model_server)] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    again = await chat.plain("Thanks", thread_id=thread_id)
    assert again.data[-1]["status"] == "completed"


class Whole:
    """Says something of its own in one piece, and something for the model alone."""

    @hookimpl
    async def persist(self, turn: Turn, item: ThreadItem) -> None:
        if isinstance(item, UserMessageItem):
            return
        if turn.state.setdefault("said", item.id) != item.id:
            return
        given = {"id": new_id("msg"), "thread_id": turn.thread.id, "created_at": item.created_at}
        await turn.stream(
            Done(item=AssistantMessageItem(**given, content=[{"text": "By the way."}]))
        )
        await turn.stream(Done(item=HiddenContextItem(**given | {"id": "h"}, content="secret")))


async def test_a_message_that_comes_in_one_piece(make_chat: MakeChat) -> None:
    store = MemoryStorePlugin()
    chat = await make_chat(Whole(), store)
    streamed = await chat.plain("hello")
    assert {"content": "By the way."} in streamed.data
    assert "secret" not in str(streamed.data)
    [items] = store.memory.items.values()
    assert "h" in items


@pytest.mark.parametrize(
    ("arguments", "output", "expected"),
    [
        ({"n": 2**200}, "x", {"n": float(2**200)}),
        ({}, [{"type": "image"}], {}),
        ({"n": float("nan")}, "x", {"n": None}),
    ],
)
def test_whatever_a_model_writes_is_a_line_of_json(
    arguments: dict[str, Any], output: Any, expected: dict[str, Any]
) -> None:
    line = PlainWire("thr").tool(ToolCall("call_1", "weather", arguments), ToolResult(output))
    assert line is not None
    told = orjson.loads(line)["tool_call"]
    assert told["arguments"] == expected
    assert isinstance(told["result"], str)


def test_half_a_character_does_not_break_the_stream() -> None:
    line = PlainWire("thr").tool(ToolCall("c", "t", {"a": "\ud800"}), ToolResult("\udc00"))
    assert line is not None
    assert b"\\ud800" in line
    assert line.isascii()
