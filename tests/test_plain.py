"""The plain protocol: what clients without ChatKit send and are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from agents import RunContextWrapper, Usage, function_tool
from chatkit.agents import ClientToolCall
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    HiddenContextItem,
    StreamOptions,
    StreamOptionsEvent,
    ThreadItem,
    ThreadItemUpdatedEvent,
    UserMessageItem,
    WidgetItem,
)
from chatkit.types import ThreadItemAddedEvent as Added
from chatkit.types import ThreadItemDoneEvent as Done
from chatkit.types import ThreadItemRemovedEvent as Removed
from chatkit.types import ThreadItemReplacedEvent as Replaced
from chatkit.widgets import DynamicWidgetRoot, WidgetRoot

from chatkit_server import Outcome, ToolCall, ToolResult, Turn, hookimpl
from chatkit_server.ids import new_id
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.testing.model_server import Break, Call, Gate, ModelServer, Reasoning
from chatkit_server.turns.failures import BROKEN_OFF
from chatkit_server.web.plain_wire import PlainWire
from tests.client import Chat
from tests.conftest import MakeChat
from tests.serving import served_by
from tests.test_resume import Ends


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
    copied = {"annotations": [], "logprobs": [], "cache_control": {}, "state": "done"}
    await chat.plain(user([{"type": "text", "text": "Hello", **copied}]))
    assert told(model_server) == [("user", "Hello")]


@pytest.mark.parametrize(
    "part", ["a", {"type": "image_url", "text": "a"}, {"type": "text", "text": 1}, {"text": "a"}]
)
async def test_a_part_that_is_not_text_is_refused(make_chat: MakeChat, part: Any) -> None:
    told = 'messages.0.content: only text is read: a string, or parts {"type": "text", "text": …}'
    chat = await make_chat()
    assert await chat.refused({"messages": [user([part])]}) == (400, told)


async def test_an_unknown_field_of_a_part_is_refused(make_chat: MakeChat) -> None:
    chat = await make_chat()
    parts = [{"type": "text", "text": "a", "foo": 1}]
    assert await chat.refused({"messages": [user("hello"), user(parts)]}) == (
        400,
        "messages.1.content: unknown field `foo` in a part. Known: type, text",
    )
    assert (await chat.ask("threads.list"))["data"] == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"messages": [{"role": "user", "content": "hello"}], "temperature": 7},
            "temperature: unknown field. Known: messages, thread_id, user_id, model, stream",
        ),
        (
            {"messages": [{"role": "user", "content": "hello"}], "threadid": "thr"},
            "threadid: unknown field. Did you mean `thread_id`? "
            "Known: messages, thread_id, user_id, model, stream",
        ),
        (
            {"messages": [{"role": "user", "content": "hello", "name": "Ann"}]},
            "messages.0.name: unknown field. Known: role, content",
        ),
    ],
)
async def test_an_unknown_field_is_refused(
    make_chat: MakeChat, body: dict[str, Any], message: str
) -> None:
    chat = await make_chat()
    assert await chat.refused(body) == (400, message)
    assert len((await chat.refused({**body, "x" * 10_000: 1}))[1]) < 500
    assert (await chat.ask("threads.list"))["data"] == []


async def test_a_field_that_is_null_is_as_one_that_is_not_there(make_chat: MakeChat) -> None:
    chat = await make_chat()
    nothing = dict.fromkeys(("thread_id", "user_id", "model", "stream"))
    streamed = await chat.plain("hello", **nothing)
    assert streamed.data[-1]["status"] == "completed"
    assert streamed.data[-1]["model"] == "demo/todo"


async def test_the_client_picks_one_of_the_models(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server, models=["test/other"]))
    picked = await chat.plain("hello", model="test/other", stream=True)
    assert picked.data[-1]["model"] == "test/other"
    assert model_server.requests[-1].body["model"] == "other"
    again = await chat.plain("hello", thread_id=picked.data[0]["thread_id"])
    assert again.data[-1]["model"] == "test/model"
    for streams in (True, False):
        body = {"messages": [user("hello")], "model": "test/third", "stream": streams}
        status, message = await chat.refused(body)
        assert status == 400
        assert message == (
            "The model `test/third` is not offered here. Use: test/model, test/other"
        )


async def test_a_user_id_in_the_body_is_for_the_auth_plugin(make_chat: MakeChat) -> None:
    chat = await make_chat()
    for stream in (True, False):
        body = {"messages": [user("hello")], "user_id": "ann", "stream": stream}
        assert await chat.refused(body) == (
            400,
            "user_id: the server authenticated you as another user. Leave `user_id` out.",
        )
    assert (await chat.ask("threads.list"))["data"] == []
    chat.headers["X-User"] = "acme/ann"
    streamed = await chat.plain("hello", user_id="ann")
    listed = await chat.ask("threads.list")
    assert [thread["id"] for thread in listed["data"]] == [streamed.data[0]["thread_id"]]


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
        ({"messages": [user("hello")], "model": 7}, "model"),
        ({"messages": [user("hello")], "stream": "no"}, "stream"),
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


@function_tool
async def speak(ctx: RunContextWrapper[Turn]) -> str:
    """Write a message piece by piece."""
    turn = ctx.context
    item = AssistantMessageItem(
        id=turn.generate_id("message"),
        thread_id=turn.thread.id,
        created_at=datetime.now(UTC),
        content=[AssistantMessageContent(text="One, ")],
    )
    await turn.stream(Added(item=item))
    for text in ("two, ", "three."):
        delta = AssistantMessageContentPartTextDelta(content_index=0, delta=text)
        await turn.stream(ThreadItemUpdatedEvent(item_id=item.id, update=delta))
    part = AssistantMessageContent(text="Four, ")
    added = AssistantMessageContentPartAdded(content_index=1, content=part)
    await turn.stream(ThreadItemUpdatedEvent(item_id=item.id, update=added))
    content = [AssistantMessageContent(text="One, two, three."), part]
    await turn.stream(Done(item=item.model_copy(update={"content": content})))
    return "spoken"


class Speaks:
    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools.append(speak)


async def test_text_that_a_tool_streams(make_chat: MakeChat, model_server: ModelServer) -> None:
    chat = await make_chat(Speaks(), **served_by(model_server))
    model_server.reply(Call("speak", {}))
    model_server.reply("five.")
    assert (await chat.plain("count")).text == "One, two, three.Four, five."


async def test_text_that_a_tool_streams_counts_for_the_limit(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    limits = {"limits": {"answer": "6B"}}
    chat = await make_chat(Speaks(), **served_by(model_server), turns=limits)
    model_server.reply(Call("speak", {}))
    streamed = await chat.plain("count")
    assert streamed.text == "One, two, "
    assert "longer than allowed" in streamed.data[-2]["error"]


# Widgets


def card(text: str) -> DynamicWidgetRoot:
    value = {"type": "Text", "id": "text", "value": text, "streaming": True}
    return DynamicWidgetRoot.model_validate({"type": "Card", "children": [value]})


async def growing(*texts: str) -> AsyncGenerator[WidgetRoot, None]:
    for text in texts:
        yield card(text)


@function_tool
async def show(ctx: RunContextWrapper[Turn]) -> str:
    """Show two widgets, one of which changes, and replace the other."""
    turn = ctx.context
    await turn.stream_widget(card("The weather"), copy_text="Weather")
    await turn.stream_widget(growing("Sun", "Sunny", "Sunny all day"))
    first = turn.state["widgets"][0]
    await turn.stream(Replaced(item=first.model_copy(update={"widget": card("Still sunny")})))
    return "shown"


class Widgets:
    """Gives every turn a tool with widgets, and remembers them."""

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools.append(show)

    @hookimpl
    async def persist(self, turn: Turn, item: ThreadItem) -> None:
        if isinstance(item, WidgetItem):
            turn.state.setdefault("widgets", []).append(item)


def shown(line: dict[str, Any]) -> str:
    """The text of a widget."""
    text: str = line["widget"]["children"][0]["value"]
    assert line["widget"]["type"] == "Card"
    return text


async def test_widgets_are_lines_when_they_are_complete(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Widgets(), **served_by(model_server))
    model_server.reply(Call("show", {}))
    model_server.reply("Look.")
    streamed = await chat.plain("Weather?")
    assert [next(iter(line)) for line in streamed.data] == [
        "thread_id",
        "widget",
        "widget",
        "widget",
        "tool_call",
        "content",
        "done",
    ]
    first, second, again = streamed.data[1:4]
    assert [shown(line) for line in (first, second, again)] == [
        "The weather",
        "Sunny all day",
        "Still sunny",
    ]
    assert first["copy_text"] == "Weather"
    assert list(second) == ["widget", "id"]
    assert again["id"] == first["id"] != second["id"]
    items = await chat.ask("items.list", thread_id=streamed.data[0]["thread_id"], order="asc")
    stored = [item for item in items["data"] if item["type"] == "widget"]
    assert [(item["id"], item["widget"]) for item in stored] == [
        (line["id"], line["widget"]) for line in (again, second)
    ]


# The answer as one object


async def whole(chat: Chat, text: str, status: int = 200, **rest: Any) -> dict[str, Any]:
    """Ask for an answer without a stream."""
    response = await chat.post({"messages": [user(text)], "stream": False, **rest})
    assert response.status == status, await response.text()
    assert response.content_type == "application/json"
    assert response.headers["X-Turn-Id"].startswith("turn_")
    answer: dict[str, Any] = await response.json()
    return answer


async def test_an_answer_without_a_stream(make_chat: MakeChat, model_server: ModelServer) -> None:
    chat = await make_chat(Widgets(), Tools(), **served_by(model_server))
    model_server.reply("Let me look.", Call("show", {}), Call("weather", {"city": "Rome"}))
    model_server.reply("It is ", "sunny.")
    answer = await whole(chat, "Rome?")
    thread_id = answer["thread_id"]
    usage = answer.pop("usage")
    assert min(usage["input_tokens"], usage["output_tokens"]) > 0
    assert sorted(shown(widget) for widget in answer.pop("widgets")) == [
        "Still sunny",
        "Sunny all day",
    ]
    tool_calls = answer.pop("tool_calls")
    assert sorted(tool_calls, key=lambda call: str(call["name"])) == [
        {"name": "show", "arguments": {}, "result": "shown"},
        {"name": "weather", "arguments": {"city": "Rome"}, "result": "sunny in Rome"},
    ]
    assert answer == {
        "thread_id": thread_id,
        "content": "Let me look.\n\nIt is sunny.",
        "done": True,
        "status": "completed",
        "model": "test/model",
    }
    model_server.reply("Yes.")
    answer = await whole(chat, "Sure?", thread_id=thread_id)
    assert (answer["content"], answer["tool_calls"], answer["widgets"]) == ("Yes.", [], [])


async def test_an_incomplete_answer_without_a_stream(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    model_server.reply("The answer ", "is", Break())
    answer = await whole(chat, "What is it?", status=422)
    assert answer["message"] == BROKEN_OFF
    assert answer["allow_retry"] is True
    assert (answer["status"], answer["content"]) == ("failed", "The answer is")
    items = await chat.ask("items.list", thread_id=answer["thread_id"], order="asc")
    texts = [item["content"][0]["text"] for item in items["data"]]
    assert texts == ["What is it?", "The answer is"]


async def test_a_refusal_of_an_answer_without_a_stream(make_chat: MakeChat) -> None:
    chat = await make_chat()
    body = {"messages": [user("hello")], "stream": False, "thread_id": "thr_unknown"}
    assert (await chat.refused(body))[0] == 404


async def test_a_withdrawn_message_is_not_in_the_answer() -> None:
    wire = PlainWire("thr")
    wire.event(StreamOptionsEvent(stream_options=StreamOptions(allow_cancel=True)))
    assert wire.answer is None
    messages = [
        AssistantMessageItem(
            id=item_id, thread_id="thr", created_at=datetime.now(UTC), content=[{"text": item_id}]
        )
        for item_id in ("msg_1", "msg_2", "msg_3")
    ]
    wire.event(Removed(item_id="msg_2"))
    outcome = Outcome("completed", 1.0, [*messages, messages[0]], [], Usage(), "test/model")
    [done] = wire.end(outcome)
    assert "content" not in orjson.loads(done)
    assert wire.answer is not None
    assert orjson.loads(wire.answer)["content"] == "msg_1\n\nmsg_3"


async def test_a_repeated_request_gets_the_same_answer(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    chat.headers["Idempotency-Key"] = "once"
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    asked = [asyncio.create_task(whole(chat, "Count")) for _ in range(3)]
    await gate.reached()
    gate.open()
    first, *others = await asyncio.gather(*asked)
    assert first["content"] == "One, two."
    assert others == [first, first]
    # Also when the answer has ended
    assert await whole(chat, "Count") == first
    assert len(model_server.requests) == 1
    status, message = await chat.refused({"messages": [user("Count")]})
    assert status == 422
    assert "Idempotency-Key" in message


async def test_a_turn_without_a_stream_can_be_followed(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    model_server.reply("One.")
    response = await chat.post({"messages": [user("Count")], "stream": False})
    answer = await response.json()
    turn_id = response.headers["X-Turn-Id"]
    followed = await chat.read(await chat.client.get(f"{chat.path}/turns/{turn_id}/events"))
    done = {key: value for key, value in answer.items() if key not in WHOLE_ONLY}
    assert followed.data == [{"thread_id": answer["thread_id"]}, {"content": "One."}, done]
    assert followed.text == answer["content"]


WHOLE_ONLY = ("content", "tool_calls", "widgets")


@pytest.mark.parametrize("streams", [True, False])
async def test_a_last_event_id_joins_the_turn(
    make_chat: MakeChat, model_server: ModelServer, streams: bool
) -> None:
    chat = await make_chat(**served_by(model_server))
    model_server.reply("One.")
    body = {"messages": [user("Count")], "stream": streams}
    response = await chat.post(body)
    await response.read()
    turn_id = response.headers["X-Turn-Id"]
    joined = await chat.post(
        {"messages": [user("Count")], "stream": False}, headers={"Last-Event-ID": f"{turn_id}:2"}
    )
    assert joined.headers["X-Turn-Id"] == turn_id
    assert (await joined.json())["content"] == "One."
    assert len(model_server.requests) == 1
    assert len((await chat.ask("threads.list"))["data"]) == 1


async def test_a_plain_answer_is_not_made_from_a_chatkit_turn(make_chat: MakeChat) -> None:
    chat = await make_chat()
    other = await chat.say("hello")
    status, message = await chat.refused(
        {"messages": [user("hello")], "stream": False}, headers={"Last-Event-ID": other.ids[0]}
    )
    assert status == 400
    assert message.startswith("Last-Event-ID: ")
    assert len((await chat.ask("threads.list"))["data"]) == 1


@function_tool
async def locate(ctx: RunContextWrapper[Turn]) -> str:
    """Ask the client where it is."""
    ctx.context.client_tool_call = ClientToolCall(name="locate", arguments={"exact": True})
    return ""


class Locates:
    """Gives every turn a client tool."""

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools.append(locate)


@pytest.mark.parametrize("streams", [True, False])
async def test_a_client_tool_call_is_shown(
    make_chat: MakeChat, model_server: ModelServer, streams: bool
) -> None:
    chat = await make_chat(Locates(), **served_by(model_server))
    model_server.reply(Call("locate", {}))
    if streams:
        [line] = [e for e in (await chat.plain("Where?")).data if "client_tool_call" in e]
        assert list(line) == ["client_tool_call"]
    else:
        line = await whole(chat, "Where?")
    call = line["client_tool_call"]
    assert (call["name"], call["arguments"]) == ("locate", {"exact": True})
    [thread] = (await chat.ask("threads.list"))["data"]
    items = await chat.ask("items.list", thread_id=thread["id"])
    assert call["id"] in [i["id"] for i in items["data"] if i["type"] == "client_tool_call"]


async def test_earlier_messages_are_not_in_the_answer(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    model_server.reply("Four.")
    body = {"messages": [user("one"), assistant("two"), user("three")], "stream": False}
    assert (await (await chat.post(body)).json())["content"] == "Four."


async def test_a_client_that_leaves_ends_the_turn_without_a_stream(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    ends = Ends()
    turns = {"disconnect": {"policy": "cancel", "grace": "1ms"}}
    chat = await make_chat(ends, **served_by(model_server), turns=turns)
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    asked = asyncio.create_task(whole(chat, "Count"))
    await gate.reached()
    asked.cancel()
    assert (await ends.outcomes.get()).status == "cancelled"


# Odd things that models write


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
    assert orjson.loads(line)["tool_call"]["arguments"] == {"a": "\ufffd"}
    assert line.isascii()
