"""The operations of ChatKit, each answered as its own type."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from agents import RunContextWrapper, function_tool
from chatkit.actions import Action
from chatkit.agents import ClientToolCall
from chatkit.store import AttachmentStore
from chatkit.types import (
    Attachment,
    AttachmentCreateParams,
    AudioInput,
    ClientToolCallItem,
    ErrorEvent,
    FileAttachment,
    HiddenContextItem,
    ImageAttachment,
    Page,
    StructuredInputFreeform,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
    SyncCustomActionResponse,
    Thread,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    TranscriptionResult,
    WidgetItem,
)
from chatkit.widgets import Card, Text
from pydantic import AnyUrl, TypeAdapter

from chatkit_server import Forbidden, Outcome, TurnFailed, Unavailable, User, hookimpl
from chatkit_server import Turn as ServerTurn
from chatkit_server.ids import new_id
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStore, MemoryStorePlugin, StorePlugin
from chatkit_server.testing.model_server import Call, Gate, ModelServer
from chatkit_server.web.operations import caller
from tests.client import Chat, Streamed
from tests.conftest import MakeChat
from tests.serving import served_by

ITEMS: TypeAdapter[Page[ThreadItem]] = TypeAdapter(Page[ThreadItem])
ATTACHMENT: TypeAdapter[Attachment] = TypeAdapter(Attachment)


class Turns:
    """Calls a function with each turn, before it begins."""

    def __init__(self, change: Callable[[ServerTurn], None]) -> None:
        self.change = change

    @hookimpl
    async def pre_turn(self, turn: ServerTurn) -> None:
        self.change(turn)


class Answers:
    """Answers actions with what a function returns or raises."""

    def __init__(self, answer: Callable[[ServerTurn, Action[str, Any]], Any]) -> None:
        self.answer = answer
        self.senders: list[str | None] = []

    @hookimpl
    async def action(
        self, turn: ServerTurn, action: Action[str, Any], item: WidgetItem | None
    ) -> Any:
        self.senders.append(item.id if item else None)
        return self.answer(turn, action)


class Kept:
    """Remembers the items that were persisted."""

    def __init__(self) -> None:
        self.items: list[ThreadItem] = []

    @hookimpl
    async def persist(self, item: ThreadItem) -> None:
        self.items.append(item)


def card(thread_id: str, text: str = "hello") -> WidgetItem:
    return WidgetItem(
        id=new_id("wid"),
        thread_id=thread_id,
        created_at=datetime.now(UTC),
        widget=Card(children=[Text(value=text)]),
    )


def done(item: Any) -> ThreadItemDoneEvent:
    return ThreadItemDoneEvent(item=item)


async def items(chat: Chat, thread_id: str) -> list[dict[str, Any]]:
    """The visible items of a thread, oldest first."""
    page = await chat.ask("items.list", thread_id=thread_id, order="asc", limit=100)
    ITEMS.validate_python(page)
    data: list[dict[str, Any]] = page["data"]
    return data


def said(answer: dict[str, Any]) -> str:
    return "".join(part["text"] for part in answer["content"])


# Threads


async def test_a_thread_is_read_renamed_and_deleted(make_chat: MakeChat) -> None:
    chat = await make_chat()
    thread_id = (await chat.say("hello")).thread_id
    thread = await chat.ask("threads.get_by_id", thread_id=thread_id)
    Thread.model_validate(thread)
    assert [item["type"] for item in thread["items"]["data"]] == [
        "user_message",
        "assistant_message",
    ]
    assert "metadata" not in json.dumps(thread).replace('"metadata": {}', "")
    renamed = await chat.ask("threads.update", thread_id=thread_id, title="Greetings")
    assert Thread.model_validate(renamed).title == "Greetings"
    assert (await chat.ask("threads.get_by_id", thread_id=thread_id))["title"] == "Greetings"
    assert await chat.ask("threads.delete", thread_id=thread_id) == {}
    for operation in ("threads.get_by_id", "threads.delete", "items.list"):
        body = {"type": operation, "params": {"thread_id": thread_id}}
        assert (await chat.refused(body))[0] == 404
    assert (await chat.ask("threads.list"))["data"] == []


class OffsetStore(MemoryStore):
    """Counts where a page of threads begins, as stores of SQL may."""

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: StoreContext
    ) -> Page[ThreadMetadata]:
        page = await super().load_threads(1000, None, order, context)
        begin = int(after or 0)
        end = begin + limit
        has_more = end < len(page.data)
        return Page(data=page.data[begin:end], has_more=has_more, after=str(end))


async def test_the_next_page_of_threads_begins_where_the_store_says(make_chat: MakeChat) -> None:
    chat = await make_chat(StorePlugin(OffsetStore()))
    ids = [(await chat.say("hello")).thread_id for _ in range(5)]
    found, after = [], None
    for _ in range(3):
        page = await chat.ask("threads.list", limit=2, order="asc", after=after)
        found += [thread["id"] for thread in page["data"]]
        after = page["after"]
    assert (found, page["has_more"]) == (ids, False)


# Client tools


@function_tool
async def open_map(ctx: RunContextWrapper[ServerTurn], city: str) -> str:
    """Open a map on the user's screen."""
    ctx.context.client_tool_call = ClientToolCall(name="open_map", arguments={"city": city})
    return "asked"


async def asked_to_open_a_map(chat: Chat, model_server: ModelServer) -> Streamed:
    model_server.reply(Call("open_map", {"city": "Rome"}))
    return await chat.say("Show me Rome")


async def test_a_client_tool_call_waits_for_its_output(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    tools = Turns(lambda turn: turn.tools.append(open_map))
    chat = await make_chat(tools, **served_by(model_server))
    asked = await asked_to_open_a_map(chat, model_server)
    [call] = asked.done("client_tool_call")
    assert call["status"] == "pending"
    assert (call["name"], call["arguments"]) == ("open_map", {"city": "Rome"})
    assert asked.error is None
    assert len(model_server.requests) == 1

    model_server.reply("There it is.")
    answered = await chat.stream(
        "threads.add_client_tool_output", thread_id=asked.thread_id, result={"zoom": 7}
    )
    assert answered.text == "There it is."
    # The call stands on the client's screen already
    assert answered.types[0] == "stream_options"
    told = model_server.requests[-1].body["messages"]
    assert [message["role"] for message in told] == ["system", "user", "assistant", "tool"]
    [tool_call] = told[2]["tool_calls"]
    assert tool_call["function"]["name"] == "open_map"
    assert told[3]["tool_call_id"] == tool_call["id"]
    assert json.loads(told[3]["content"]) == {"zoom": 7}
    stored = await items(chat, asked.thread_id)
    assert [item["type"] for item in stored] == [
        "user_message",
        "client_tool_call",
        "assistant_message",
    ]
    assert stored[1]["id"] == call["id"]
    assert (stored[1]["status"], stored[1]["output"]) == ("completed", {"zoom": 7})


async def test_without_a_pending_call_there_is_no_output_to_add(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    tools = Turns(lambda turn: turn.tools.append(open_map))
    chat = await make_chat(tools, **served_by(model_server))
    thread_id = (await chat.say("hello")).thread_id
    add = {"type": "threads.add_client_tool_output", "params": {"thread_id": thread_id}}
    status, message = await chat.refused(add)
    assert (status, message) == (400, "params.result: Field required")
    add["params"]["result"] = None  # type: ignore[index]
    told = "No client tool call is waiting for an output in this conversation."
    assert await chat.refused(add) == (409, told)

    asked = await asked_to_open_a_map(chat, model_server)
    output = {"thread_id": asked.thread_id, "result": "done"}
    await chat.stream("threads.add_client_tool_output", **output)
    status, message = await chat.refused(
        {"type": "threads.add_client_tool_output", "params": output}
    )
    assert status == 409
    assert "client tool call" in message


async def test_a_message_in_place_of_an_output_leaves_the_call_behind(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    tools = Turns(lambda turn: turn.tools.append(open_map))
    chat = await make_chat(tools, **served_by(model_server))
    asked = await asked_to_open_a_map(chat, model_server)
    model_server.reply("Fine.")
    went_on = await chat.say("Never mind", asked.thread_id)
    assert went_on.text == "Fine."
    roles = [message["role"] for message in model_server.requests[-1].body["messages"]]
    assert roles[-1] == "user"
    assert roles.count("tool") == roles.count("assistant") <= 1


# Structured input


def form(thread_id: str) -> StructuredInputItem:
    options = [StructuredInputMultipleChoiceOption(value=value) for value in ("red", "blue")]
    return StructuredInputItem(
        id=new_id("form"),
        thread_id=thread_id,
        created_at=datetime.now(UTC),
        inputs=[
            StructuredInputMultipleChoice(id="one", question="Colour?", options=options),
            StructuredInputMultipleChoice(
                id="many", question="Colours?", options=options, multiple=True
            ),
            StructuredInputFreeform(id="free", question="Why?"),
        ],
    )


@function_tool
async def ask_colours(ctx: RunContextWrapper[ServerTurn]) -> str:
    """Ask the user for colours."""
    await ctx.context.stream(done(form(ctx.context.thread.id)))
    return "asked"


@pytest.fixture
async def asking(make_chat: MakeChat, model_server: ModelServer) -> Chat:
    """A client of a server whose agent can ask for colours."""
    tools = Turns(lambda turn: turn.tools.append(ask_colours))
    return await make_chat(tools, **served_by(model_server))


async def pending(chat: Chat, model_server: ModelServer) -> dict[str, Any]:
    """Return a form that waits for its answers."""
    model_server.reply(Call("ask_colours"))
    model_server.reply("Please choose.")
    streamed = await chat.say("Paint it")
    [item] = streamed.done("structured_input")
    assert item["status"] == "pending"
    assert isinstance(item, dict)
    return item


def submission(item: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {"thread_id": item["thread_id"], "item_id": item["id"], "input": given}


async def test_structured_input_is_answered(asking: Chat, model_server: ModelServer) -> None:
    item = await pending(asking, model_server)
    answers = {
        "one": {"values": ["red", "blue"]},
        "many": {"values": ["red", "blue"]},
        "free": {"values": [], "skipped": False},
        "unknown": {"values": ["x"]},
    }
    model_server.reply("Painted.")
    answered = await asking.stream(
        "threads.add_structured_input", **submission(item, answers=answers)
    )
    [replaced] = [e["item"] for e in answered.data if e["type"] == "thread.item.replaced"]
    assert replaced["id"] == item["id"]
    assert replaced["status"] == "answered"
    assert [question["answer"] for question in replaced["inputs"]] == [
        {"values": ["red"], "skipped": False},
        {"values": ["red", "blue"], "skipped": False},
        {"values": [], "skipped": True},
    ]
    assert answered.text == "Painted."
    told = json.dumps(model_server.requests[-1].body["messages"])
    assert "Colours?: red, blue" in told
    assert "Why?: skipped" in told
    assert "pending" not in told
    stored = await items(asking, item["thread_id"])
    assert stored[1] == replaced
    assert [other["type"] for other in stored].count("structured_input") == 1


async def test_structured_input_is_skipped(asking: Chat, model_server: ModelServer) -> None:
    item = await pending(asking, model_server)
    given = submission(item, status="skipped", answers={"free": {"values": ["because"]}})
    await asking.stream("threads.add_structured_input", **given)
    stored = (await items(asking, item["thread_id"]))[1]
    assert stored["status"] == "skipped"
    assert all(
        question["answer"] == {"values": [], "skipped": True} for question in stored["inputs"]
    )


async def test_structured_input_is_answered_once(asking: Chat, model_server: ModelServer) -> None:
    item = await pending(asking, model_server)
    body = {"type": "threads.add_structured_input", "params": submission(item)}
    await asking.read(await asking.post(body))
    assert await asking.refused(body) == (409, "This input was submitted already.")
    others = [i for i in await items(asking, item["thread_id"]) if i["type"] == "user_message"]
    body["params"] = submission(others[0])
    assert await asking.refused(body) == (
        400,
        "params.item_id: this item does not ask for input.",
    )
    body["params"] = submission({**item, "id": "form_unknown"})
    assert (await asking.refused(body))[0] == 404


# Retry


async def conversation(chat: Chat, model_server: ModelServer) -> Streamed:
    model_server.reply("Old answer.")
    return await chat.say("What is it?")


async def retry(chat: Chat, asked: Streamed) -> Streamed:
    item_id = asked.done("user_message")[0]["id"]
    return await chat.stream("threads.retry_after_item", thread_id=asked.thread_id, item_id=item_id)


async def test_retry_puts_the_new_answer_in_place_of_the_old(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    store = MemoryStorePlugin()
    tools = Turns(lambda turn: turn.tools.append(echo))
    chat = await make_chat(store, tools, **served_by(model_server))
    model_server.reply(Call("echo", {"text": "old"}))
    asked = await conversation(chat, model_server)
    await chat.say("Really?", asked.thread_id)
    before = list(store.memory.items[asked.thread_id].values())
    assert HiddenContextItem in map(type, before)

    model_server.reply("New answer.")
    again = await retry(chat, asked)
    assert again.text == "New answer."
    assert again.done("user_message") == []
    after = list(store.memory.items[asked.thread_id].values())
    assert [item.id for item in after if item in before] == [asked.done("user_message")[0]["id"]]
    assert [item["type"] for item in await items(chat, asked.thread_id)] == [
        "user_message",
        "assistant_message",
    ]
    # The model knows the question once, and nothing of the old answer
    told = model_server.requests[-1].body["messages"]
    assert [message["role"] for message in told] == ["system", "user"]


@function_tool
async def echo(text: str) -> str:
    """Say the same."""
    return text


async def test_retry_in_the_middle_keeps_what_came_before(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    first = await conversation(chat, model_server)
    second = await chat.say("And that?", first.thread_id)
    await chat.say("And those?", first.thread_id)
    model_server.reply("New.")
    await retry(chat, second)
    texts = [said(item) for item in await items(chat, first.thread_id)]
    assert texts == ["What is it?", "Old answer.", "And that?", "New."]
    told = model_server.requests[-1].body["messages"]
    assert [message["role"] for message in told] == ["system", "user", "assistant", "user"]


async def test_a_retry_that_fails_before_its_answer_loses_nothing(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    asked = await conversation(chat, model_server)
    before = await items(chat, asked.thread_id)
    model_server.fail(401)
    failed = await retry(chat, asked)
    assert failed.error is not None
    assert await items(chat, asked.thread_id) == before
    model_server.reply("New answer.")
    await retry(chat, asked)
    texts = [said(item) for item in await items(chat, asked.thread_id)]
    assert texts == ["What is it?", "New answer."]


async def test_a_retry_that_fails_after_a_tool_loses_nothing(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Turns(lambda turn: turn.tools.append(echo)), **served_by(model_server))
    asked = await conversation(chat, model_server)
    before = await items(chat, asked.thread_id)
    model_server.reply(Call("echo", {"text": "hello"}))
    model_server.fail(401)
    failed = await retry(chat, asked)
    assert failed.error is not None
    assert await items(chat, asked.thread_id) == before


async def test_the_old_answer_stays_until_the_new_one_arrives(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    asked = await conversation(chat, model_server)
    silent, writing = Gate(), Gate()
    model_server.reply(silent, "New ", writing, "answer.")
    again = asyncio.create_task(retry(chat, asked))
    await silent.reached()
    texts = [said(item) for item in await items(chat, asked.thread_id)]
    assert texts == ["What is it?", "Old answer."]
    silent.open()
    await writing.reached()
    writing.open()
    assert (await again).text == "New answer."
    texts = [said(item) for item in await items(chat, asked.thread_id)]
    assert texts == ["What is it?", "New answer."]


async def test_an_answer_that_is_still_being_written_is_answered_again(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    gate = Gate()
    model_server.reply("Old ", gate, "answer.")
    first = asyncio.create_task(chat.say("What is it?"))
    await gate.reached()
    [thread] = (await chat.ask("threads.list"))["data"]
    [message] = await items(chat, thread["id"])
    model_server.reply("New answer.")
    again = await chat.stream(
        "threads.retry_after_item", thread_id=thread["id"], item_id=message["id"]
    )
    assert again.text == "New answer."
    assert (await first).error is not None
    texts = [said(item) for item in await items(chat, thread["id"])]
    assert texts == ["What is it?", "New answer."]


class SlowToForget(MemoryStore):
    """Waits while it deletes an item."""

    def __init__(self) -> None:
        super().__init__()
        self.deleting, self.go_on = asyncio.Event(), asyncio.Event()

    async def delete_thread_item(self, thread_id: str, item_id: str, context: StoreContext) -> None:
        self.deleting.set()
        await self.go_on.wait()
        await super().delete_thread_item(thread_id, item_id, context)


class SlowToForgetPlugin:
    """Plugs it in, and says when a turn has ended."""

    def __init__(self) -> None:
        self.memory = SlowToForget()
        self.ended = asyncio.Event()

    @hookimpl
    def store(self) -> SlowToForget:
        return self.memory

    @hookimpl
    async def post_turn(self) -> None:
        self.ended.set()


async def test_a_retry_that_is_stopped_while_the_old_answer_goes_doubles_nothing(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    plugin = SlowToForgetPlugin()
    turns = {"disconnect": {"policy": "cancel", "grace": "1ms"}}
    chat = await make_chat(plugin, **served_by(model_server), turns=turns)
    asked = await conversation(chat, model_server)
    await chat.say("Really?", asked.thread_id)
    plugin.ended.clear()
    params = {"thread_id": asked.thread_id, "item_id": asked.done("user_message")[0]["id"]}
    model_server.reply("New answer.")
    response = await chat.post({"type": "threads.retry_after_item", "params": params})
    await plugin.memory.deleting.wait()
    response.close()
    await asyncio.sleep(0.05)
    plugin.memory.go_on.set()
    await plugin.ended.wait()
    question, answer = await items(chat, asked.thread_id)
    assert question["type"] == "user_message"
    assert answer["content"][0]["text"] == "New answer."


async def test_only_a_users_message_is_answered_again(make_chat: MakeChat) -> None:
    chat = await make_chat()
    asked = await chat.say("hello")
    answer = asked.done("assistant_message")[0]
    params = {"thread_id": asked.thread_id, "item_id": answer["id"]}
    body = {"type": "threads.retry_after_item", "params": params}
    told = "params.item_id: only a user's message can be retried."
    assert await chat.refused(body) == (400, told)
    params["item_id"] = "msg_unknown"
    assert (await chat.refused(body))[0] == 404


async def test_all_that_follows_goes_however_much_it_is(
    make_chat: MakeChat, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "AT_ONCE", 2)
    chat = await make_chat(**served_by(model_server))
    asked = await conversation(chat, model_server)
    for text in ("Really?", "Sure?"):
        await chat.say(text, asked.thread_id)
    assert len(await items(chat, asked.thread_id)) == 6
    model_server.reply("New answer.")
    assert (await retry(chat, asked)).error is None
    texts = [said(item) for item in await items(chat, asked.thread_id)]
    assert texts == ["What is it?", "New answer."]


# Actions


async def thread_with_a_card(chat: Chat) -> tuple[str, str]:
    """Return the ids of a thread and of a widget in it."""
    thread_id = (await chat.say("hello")).thread_id
    shown = await chat.stream("threads.custom_action", thread_id=thread_id, action={"type": "card"})
    return thread_id, shown.done("widget")[0]["id"]


def list_of_events(turn: ServerTurn, action: Action[str, Any]) -> list[ThreadStreamEvent]:
    return [done(card(turn.thread.id, str(action.payload)))]


async def events_one_by_one(
    turn: ServerTurn, action: Action[str, Any]
) -> AsyncIterator[ThreadStreamEvent]:
    yield done(card(turn.thread.id, str(action.payload)))
    yield done(card(turn.thread.id, "second"))


@pytest.mark.parametrize(
    ("answer", "texts"),
    [(list_of_events, ["{'a': 1}"]), (events_one_by_one, ["{'a': 1}", "second"])],
)
async def test_an_action_streams_its_events(
    make_chat: MakeChat, answer: Callable[..., Any], texts: list[str]
) -> None:
    actions, kept = Answers(answer), Kept()
    chat = await make_chat(actions, kept)
    thread_id, widget_id = await thread_with_a_card(chat)
    kept.items.clear()
    streamed = await chat.stream(
        "threads.custom_action",
        thread_id=thread_id,
        item_id=widget_id,
        action={"type": "order", "payload": {"a": 1}},
    )
    assert streamed.types == ["stream_options", *["thread.item.done"] * len(texts)]
    shown = [item["widget"]["children"][0]["value"] for item in streamed.done("widget")]
    assert shown == texts
    assert actions.senders == [None, widget_id]
    assert [item.type for item in kept.items] == ["widget"] * len(texts)
    ids = [item["id"] for item in await items(chat, thread_id)]
    assert [item["id"] for item in streamed.done("widget")] == ids[-len(texts) :]


async def test_an_action_replaces_and_removes(make_chat: MakeChat) -> None:
    def answer(turn: ServerTurn, action: Action[str, Any]) -> list[ThreadStreamEvent]:
        if action.type == "card":
            return list_of_events(turn, action)
        item = card(turn.thread.id, "replaced").model_copy(update={"id": action.payload})
        return [ThreadItemReplacedEvent(item=item)]

    chat = await make_chat(Answers(answer))
    thread_id, widget_id = await thread_with_a_card(chat)
    await chat.stream(
        "threads.custom_action",
        thread_id=thread_id,
        item_id=widget_id,
        action={"type": "replace", "payload": widget_id},
    )
    stored = await items(chat, thread_id)
    assert stored[-1]["id"] == widget_id
    assert stored[-1]["widget"]["children"][0]["value"] == "replaced"


async def test_an_action_that_fails_is_an_error_event(make_chat: MakeChat) -> None:
    def answer(turn: ServerTurn, action: Action[str, Any]) -> Any:
        if action.type == "crash":
            raise ZeroDivisionError("password hunter2")
        if action.type == "refuse":
            raise TurnFailed("Sold out.", allow_retry=True)
        return None

    chat = await make_chat(Answers(answer))
    thread_id = (await chat.say("hello")).thread_id

    async def error(kind: str) -> ErrorEvent:
        streamed = await chat.stream(
            "threads.custom_action", thread_id=thread_id, action={"type": kind}
        )
        assert streamed.data[-1] == streamed.error
        return ErrorEvent.model_validate(streamed.error)

    assert "hunter2" not in str(await error("crash"))
    refused = await error("refuse")
    assert (refused.message, refused.allow_retry) == ("Sold out.", True)
    nobody = await error("unknown")
    assert "unknown" in str(nobody.message)
    assert not nobody.allow_retry


async def test_a_sync_action_answers_and_saves_the_item(make_chat: MakeChat) -> None:
    def answer(turn: ServerTurn, action: Action[str, Any]) -> Any:
        if action.type == "card":
            return list_of_events(turn, action)
        item = card(turn.thread.id, "bought").model_copy(update={"id": action.payload})
        return SyncCustomActionResponse(updated_item=item if action.payload else None)

    kept = Kept()
    chat = await make_chat(Answers(answer), kept)
    thread_id, widget_id = await thread_with_a_card(chat)
    kept.items.clear()
    given = {"thread_id": thread_id, "item_id": widget_id}
    answered = await chat.ask(
        "threads.sync_custom_action", **given, action={"type": "buy", "payload": widget_id}
    )
    response = SyncCustomActionResponse.model_validate(answered)
    assert response.updated_item is not None
    assert response.updated_item.id == widget_id
    stored = await items(chat, thread_id)
    assert stored[-1] == answered["updated_item"]
    assert [item.id for item in kept.items] == [widget_id]
    nothing = await chat.ask("threads.sync_custom_action", **given, action={"type": "buy"})
    assert nothing == {}


async def test_a_sync_action_knows_who_asks_and_where(make_chat: MakeChat) -> None:
    seen: list[Any] = []

    class Shop:
        @hookimpl
        async def action(
            self, turn: ServerTurn, action: Action[str, Any], item: WidgetItem | None
        ) -> SyncCustomActionResponse | None:
            if action.type == "card":
                return None
            seen.append((turn, item))
            updated = card(turn.thread.id, "bought").model_copy(update={"id": action.payload})
            return SyncCustomActionResponse(updated_item=updated)

        @hookimpl
        async def persist(self, turn: ServerTurn, item: ThreadItem) -> None:
            if seen:
                seen.append((turn, item))

    store = MemoryStorePlugin()
    chat = await make_chat(Shop(), Answers(list_of_events), store)
    thread_id, widget_id = await thread_with_a_card(chat)
    seen.clear()
    chat.headers["Accept-Language"] = "de-AT"
    action = {"type": "buy", "payload": widget_id}
    await chat.ask(
        "threads.sync_custom_action", thread_id=thread_id, item_id=widget_id, action=action
    )
    [(turn, sender), (kept_for, kept)] = seen
    assert (turn.user.id, turn.locale) == ("somebody", "de-AT")
    assert (sender.id, kept.id) == (widget_id, widget_id)
    assert kept_for is turn


async def test_a_persist_hook_that_fails_is_named_to_the_caller_of_a_sync_action(
    make_chat: MakeChat,
) -> None:
    class Broken:
        @hookimpl
        async def persist(self, item: ThreadItem) -> None:
            if item.type == "widget":
                raise ZeroDivisionError("hunter2")

    def answer(turn: ServerTurn, action: Action[str, Any]) -> Any:
        return SyncCustomActionResponse(updated_item=card(turn.thread.id, "bought"))

    chat = await make_chat(Answers(answer), Broken())
    thread_id = (await chat.say("hello")).thread_id
    params = {"thread_id": thread_id, "action": {"type": "buy"}}
    refused = await chat.refused({"type": "threads.sync_custom_action", "params": params})
    assert refused == (422, "A plugin's `persist` hook failed.")


async def test_a_sync_answer_is_streamed_where_a_stream_is_asked_for(make_chat: MakeChat) -> None:
    def answer(turn: ServerTurn, action: Action[str, Any]) -> Any:
        return SyncCustomActionResponse(updated_item=card(turn.thread.id, "bought"))

    chat = await make_chat(Answers(answer))
    thread_id = (await chat.say("hello")).thread_id
    streamed = await chat.stream(
        "threads.custom_action", thread_id=thread_id, action={"type": "buy"}
    )
    assert streamed.error is None
    assert streamed.types == ["stream_options", "thread.item.replaced"]


async def test_an_action_is_a_turn_without_a_model(make_chat: MakeChat) -> None:
    outcomes: asyncio.Queue[Outcome] = asyncio.Queue()

    class Ends:
        @hookimpl
        async def post_turn(self, outcome: Outcome) -> None:
            outcomes.put_nowait(outcome)

    chat = await make_chat(Answers(list_of_events), Ends())
    await thread_with_a_card(chat)
    assert (await outcomes.get()).model == "demo/todo"
    outcome = await outcomes.get()
    assert (outcome.model, outcome.status) == ("", "completed")
    assert [item.type for item in outcome.items] == ["widget"]


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (None, 422, "No plugin answers the action `buy`."),
        ([], 422, "`buy` is answered with events: it must not have `streaming: false`."),
        (ZeroDivisionError("hunter2"), 422, "`action`"),
        (Forbidden("Not for you."), 403, "Not for you."),
        (TurnFailed("Sold out."), 422, "Sold out."),
        (Unavailable("Closed."), 422, "Closed."),
    ],
)
async def test_a_sync_action_is_refused_with_a_4xx(
    make_chat: MakeChat, answer: Any, status: int, message: str
) -> None:
    def respond(turn: ServerTurn, action: Action[str, Any]) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    chat = await make_chat(Answers(respond))
    thread_id = (await chat.say("hello")).thread_id
    params = {"thread_id": thread_id, "action": {"type": "buy"}}
    refused = await chat.refused({"type": "threads.sync_custom_action", "params": params})
    assert refused[0] == status
    assert message in refused[1]
    assert "hunter2" not in refused[1]


@pytest.mark.parametrize("operation", ["threads.custom_action", "threads.sync_custom_action"])
async def test_an_action_comes_from_a_widget_and_has_a_type(
    make_chat: MakeChat, operation: str
) -> None:
    chat = await make_chat(Answers(list_of_events))
    asked = await chat.say("hello")
    params: dict[str, Any] = {"thread_id": asked.thread_id, "action": {"payload": 1}}
    body = {"type": operation, "params": params}
    assert await chat.refused(body) == (400, "params.action.type: Field required")
    params["action"] = {"type": "buy"}
    params["item_id"] = asked.done("user_message")[0]["id"]
    assert (await chat.refused(body))[0] == 400
    params["item_id"] = "wid_unknown"
    assert (await chat.refused(body))[0] == 404


# Attachments


class Files(AttachmentStore[StoreContext]):
    """Keeps no bytes, but the ids it was asked to make and to delete."""

    def __init__(self) -> None:
        self.kept: set[str] = set()
        self.users: set[str] = set()
        self.preview = "https://files.example.com/preview.png"
        self.broken = False

    async def create_attachment(
        self, input: AttachmentCreateParams, context: StoreContext
    ) -> Attachment:
        if self.broken:
            raise OSError("no space in /secret/folder")
        attachment_id = new_id("atc")
        self.kept.add(attachment_id)
        self.users.add(context.user.id)
        given = {"id": attachment_id, "name": input.name, "mime_type": input.mime_type}
        if input.mime_type.startswith("image/"):
            url = AnyUrl(self.preview)
            return ImageAttachment(**given, preview_url=url, metadata={"bucket": "s3cret"})
        return FileAttachment(**given, metadata={"bucket": "s3cret"})

    async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
        if self.broken:
            raise OSError("no space in /secret/folder")
        self.kept.discard(attachment_id)
        self.users.remove(context.user.id)


class FilesPlugin:
    def __init__(self, files: AttachmentStore[StoreContext]) -> None:
        self.files = files

    @hookimpl
    def attachment_store(self) -> AttachmentStore[StoreContext]:
        return self.files


async def upload(chat: Chat, name: str = "notes.txt", mime_type: str = "text/plain") -> str:
    created = await chat.ask("attachments.create", name=name, size=5, mime_type=mime_type)
    assert "metadata" not in created
    return ATTACHMENT.validate_python(created).id


async def test_attachments_reach_the_message_and_the_model(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    store = MemoryStorePlugin()
    chat = await make_chat(FilesPlugin(Files()), store, **served_by(model_server))
    ids = [await upload(chat), await upload(chat, "cat.png", "image/png")]
    asked = await chat.say("Look", attachments=[*ids, ids[0]])
    message = asked.done("user_message")[0]
    assert [attachment["id"] for attachment in message["attachments"]] == ids
    assert all(a["thread_id"] == asked.thread_id for a in message["attachments"])
    stored = await items(chat, asked.thread_id)
    assert stored[0] == message
    thread = await chat.ask("threads.get_by_id", thread_id=asked.thread_id)
    for told in (asked.data, stored, thread):
        assert "s3cret" not in json.dumps(told)
    [kept] = store.memory.attachments.values()
    assert [(a.thread_id, a.metadata) for a in kept.values()] == [
        (asked.thread_id, {"bucket": "s3cret"})
    ] * 2
    content = json.dumps(model_server.requests[-1].body["messages"][-1]["content"])
    assert "notes.txt" in content
    assert "https://files.example.com/preview.png" in content


async def test_a_photo_may_be_larger_than_a_message(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    files = Files()
    files.preview = f"data:image/png;base64,{'A' * 600_000}"
    limits = {"turns": {"limits": {"message": "2kB"}}, "server": {"max_body": "1MB"}}
    chat = await make_chat(FilesPlugin(files), **served_by(model_server), **limits)
    photos = [await upload(chat, "cat.png", "image/png") for _ in range(2)]
    asked = await chat.say("Look", attachments=photos[:1])
    await chat.say("What is it?", asked.thread_id)
    for request in model_server.requests:
        assert files.preview in json.dumps(request.body["messages"])
    said = {"content": [], "attachments": photos, "inference_options": {}}
    body = {"type": "threads.create", "params": {"input": said}}
    status, words = await chat.refused(body)
    assert status == 413
    assert words.startswith("The previews of the attachments have 1200044 bytes. The limit is 1000")


async def test_an_attachment_is_deleted(make_chat: MakeChat) -> None:
    files = Files()
    chat = await make_chat(FilesPlugin(files))
    attachment_id = await upload(chat)
    assert await chat.ask("attachments.delete", attachment_id=attachment_id) == {}
    assert files.kept == files.users == set(), "the store is told whose they are"
    body = {"type": "attachments.delete", "params": {"attachment_id": attachment_id}}
    assert (await chat.refused(body))[0] == 404


async def test_an_attachment_of_somebody_else_is_not_there(make_chat: MakeChat) -> None:
    files = Files()
    chat = await make_chat(FilesPlugin(files))
    chat.headers["X-User"] = "ann"
    attachment_id = await upload(chat)
    chat.headers["X-User"] = "bob"
    body = {"type": "attachments.delete", "params": {"attachment_id": attachment_id}}
    theirs = await chat.refused(body)
    body["params"]["attachment_id"] = "atc_unknown"  # type: ignore[index]
    assert theirs == await chat.refused(body)
    assert theirs == (404, "Not found.")
    assert files.kept == {attachment_id}
    for unknown in (attachment_id, "atc_unknown", "x" * 1000, "\n"):
        given = {
            "content": [{"type": "input_text", "text": "Look"}],
            "attachments": [unknown],
            "inference_options": {},
        }
        status, message = await chat.refused({"type": "threads.create", "params": {"input": given}})
        assert status == 400
        assert message.startswith("params.input.attachments: ")
        assert len(message) < 300


async def test_a_failing_attachment_store_is_a_final_answer(make_chat: MakeChat) -> None:
    class DeletesOnly(AttachmentStore[StoreContext]):
        async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
            raise AssertionError("never asked")

    files = Files()
    chat = await make_chat(FilesPlugin(files))
    attachment_id = await upload(chat)
    files.broken = True
    create = {
        "type": "attachments.create",
        "params": {"name": "a", "size": 1, "mime_type": "text/plain"},
    }
    delete = {"type": "attachments.delete", "params": {"attachment_id": attachment_id}}
    for body in (create, delete):
        assert await chat.refused(body) == (422, "The attachment store failed.")
    files.broken = False
    assert await chat.ask("attachments.delete", attachment_id=attachment_id) == {}
    other = await make_chat(FilesPlugin(DeletesOnly()))
    assert await other.refused(create) == (422, "The attachment store cannot do this.")


# Speech and thumbs


async def test_speech_becomes_text(make_chat: MakeChat) -> None:
    class Ears:
        @hookimpl
        async def transcribe(self, user: User, audio: AudioInput) -> str | None:
            if audio.media_type != "audio/webm":
                return None
            return f"{user.id} said {len(audio.data)} bytes"

    chat = await make_chat(Ears())
    sound = base64.b64encode(b"\0\xff" * 9).decode()
    answer = await chat.ask(
        "input.transcribe", audio_base64=sound, mime_type="audio/webm;codecs=opus"
    )
    assert TranscriptionResult.model_validate(answer).text == "somebody said 18 bytes"
    body = {"type": "input.transcribe", "params": {"audio_base64": sound, "mime_type": "audio/x"}}
    told = "No plugin's `transcribe` hook could transcribe this audio."
    assert await chat.refused(body) == (422, told)
    for wrong in ("%%%", "abc", "ä"):
        body["params"] = {"audio_base64": wrong, "mime_type": "audio/webm"}
        assert await chat.refused(body) == (400, "params.audio_base64: not Base64.")


async def test_thumbs_are_kept(make_chat: MakeChat) -> None:
    given: list[Any] = []

    class Thumbs:
        @hookimpl
        async def feedback(
            self, user: User, thread_id: str, item_ids: list[str], kind: str
        ) -> bool | None:
            given.append((user.id, thread_id, item_ids, kind))
            return True if kind == "positive" else None

    chat = await make_chat(Thumbs())
    asked = await chat.say("hello")
    answer_id = asked.done("assistant_message")[0]["id"]
    params = {"thread_id": asked.thread_id, "item_ids": [answer_id, answer_id], "kind": "positive"}
    assert await chat.ask("items.feedback", **params) == {}
    assert given == [("somebody", asked.thread_id, [answer_id], "positive")]
    body = {"type": "items.feedback", "params": params}
    params["kind"] = "negative"
    told = "No plugin's `feedback` hook accepts this feedback."
    assert await chat.refused(body) == (422, told)
    params["item_ids"] = ["msg_unknown"]
    assert (await chat.refused(body))[0] == 404
    assert len(given) == 2


NEEDS: dict[str, tuple[str, dict[str, Any]]] = {
    "transcribe": ("input.transcribe", {"audio_base64": "", "mime_type": "audio/webm"}),
    "attachment_store": ("attachments.create", {"name": "a", "size": 1, "mime_type": "a/b"}),
    "attachment_store ": ("attachments.delete", {"attachment_id": "atc_1"}),
    "action": ("threads.custom_action", {"thread_id": "", "action": {"type": "a"}}),
    "action ": ("threads.sync_custom_action", {"thread_id": "", "action": {"type": "a"}}),
    "feedback": ("items.feedback", {"thread_id": "", "item_ids": [], "kind": "positive"}),
}


async def test_what_needs_a_plugin_names_the_missing_hook(make_chat: MakeChat) -> None:
    chat = await make_chat()
    thread_id = (await chat.say("hello")).thread_id
    for hook, (operation, params) in NEEDS.items():
        if "thread_id" in params:
            params = {**params, "thread_id": thread_id}
        told = f"No enabled plugin implements the hook `{hook.strip()}`."
        assert await chat.refused({"type": operation, "params": params}) == (422, told)


async def test_hidden_items_of_an_action_are_kept_and_not_told(make_chat: MakeChat) -> None:
    def answer(turn: ServerTurn, action: Action[str, Any]) -> list[ThreadStreamEvent]:
        item = HiddenContextItem(
            id=new_id("hid"),
            thread_id=turn.thread.id,
            created_at=datetime.now(UTC),
            content="the user pressed the button",
        )
        return [done(item), ThreadItemReplacedEvent(item=item)]

    store = MemoryStorePlugin()
    chat = await make_chat(Answers(answer), store)
    thread_id = (await chat.say("hello")).thread_id
    streamed = await chat.stream(
        "threads.custom_action", thread_id=thread_id, action={"type": "press"}
    )
    assert streamed.types == ["stream_options"]
    kinds = [type(item) for item in store.memory.items[thread_id].values()]
    assert kinds.count(HiddenContextItem) == 1
    assert ClientToolCallItem not in kinds
