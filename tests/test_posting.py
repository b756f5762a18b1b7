"""Items of the server's own: saved at the end of a thread, and told to the pages that show it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    HiddenContextItem,
    ThreadItem,
    WidgetItem,
)
from chatkit.widgets import Card, Text

from chatkit_server import BadRequest, NotFound, StoreContext, Turn, User, hookimpl, post_message
from chatkit_server.events.places import place_of_thread
from chatkit_server.plugin.call import PluginFailed
from chatkit_server.storage import EventLog, MemoryEventLog
from chatkit_server.testing.memory_store import MemoryStore
from chatkit_server.testing.model_server import Gate, ModelServer
from tests.client import Chat
from tests.conftest import MakeChat
from tests.replicas import Start
from tests.serving import served_by
from tests.test_starting import app_of, texts

ANN = User("ann", "acme")
THEN = datetime(2026, 3, 1, tzinfo=UTC)


class Hooks:
    """A store that sorts by time, an event log, and what the hooks are called with."""

    def __init__(self) -> None:
        self.memory = MemoryStore()
        self.log = MemoryEventLog()
        self.persisted: list[tuple[Turn, ThreadItem]] = []
        self.fails = False

    @hookimpl
    def store(self) -> MemoryStore:
        return self.memory

    @hookimpl
    def event_log(self) -> EventLog:
        return self.log

    @hookimpl
    async def persist(self, turn: Turn, item: ThreadItem) -> None:
        self.persisted.append((turn, item))
        if self.fails:
            raise RuntimeError("no")

    def watched(self, user: User, thread_id: str) -> list[str]:
        news: list[str] = []
        self.log.watch(place_of_thread(user, thread_id), news.append)
        return news


@pytest.fixture
def hooks() -> Hooks:
    return Hooks()


@pytest.fixture
async def chat(make_chat: MakeChat, model_server: ModelServer, hooks: Hooks) -> Chat:
    chat = await make_chat(hooks, **served_by(model_server))
    chat.headers = {"X-User": "acme/ann"}
    return chat


def says(text: str, item_id: str = "msg_own") -> AssistantMessageItem:
    return AssistantMessageItem(
        id=item_id,
        thread_id="?",
        created_at=THEN,
        content=[AssistantMessageContent(text=text)],
    )


async def test_a_text_becomes_a_message(
    chat: Chat, hooks: Hooks, model_server: ModelServer
) -> None:
    thread_id = (await chat.say("Hello")).thread_id
    news, others = hooks.watched(ANN, thread_id), hooks.watched(User("ann"), thread_id)
    item = await post_message(app_of(chat), ANN, thread_id, "Your parcel is here.")
    assert isinstance(item, AssistantMessageItem)
    assert await texts(chat, thread_id) == ["Hello", "You said: Hello", "Your parcel is here."]
    assert list(map(orjson.loads, news)) == [{"type": "item", "id": item.id}]
    assert others == []
    turn, saved = hooks.persisted[-1]
    assert saved == item
    assert (turn.operation, turn.user, turn.thread.id) == ("post_message", ANN, thread_id)
    await chat.say("Thanks", thread_id)
    assert "Your parcel is here." in str(model_server.requests[-1].body)


async def test_an_item_comes_after_what_is_there(chat: Chat, hooks: Hooks) -> None:
    app = app_of(chat)
    thread_id = (await chat.say("Hello")).thread_id
    late = datetime.now(UTC) + timedelta(hours=1)
    [answer] = [one for _, one in hooks.persisted if one.type == "assistant_message"]
    later = answer.model_copy(update={"created_at": late})
    await hooks.memory.save_item(thread_id, later, StoreContext(ANN))
    item = await post_message(app, ANN, thread_id, says("First"))
    assert item.created_at > late
    assert (item.id, item.thread_id) == ("msg_own", thread_id)
    assert (await texts(chat, thread_id))[-1] == "First"
    again = await post_message(app, ANN, thread_id, says("Second"))
    assert again.created_at == item.created_at
    assert (await texts(chat, thread_id))[2:] == ["Second"]


async def test_other_items(chat: Chat, hooks: Hooks) -> None:
    thread_id = (await chat.say("Hello")).thread_id
    news = hooks.watched(ANN, thread_id)
    widget = WidgetItem(
        id="msg_card", thread_id="?", created_at=THEN, widget=Card(children=[Text(value="Hi")])
    )
    await post_message(app_of(chat), ANN, thread_id, widget)
    page = await chat.ask("items.list", thread_id=thread_id, order="asc")
    assert page["data"][-1]["widget"]["children"][0]["value"] == "Hi"
    assert len(news) == 1
    hidden = HiddenContextItem(id="hid_1", thread_id="?", created_at=THEN, content="secret")
    await post_message(app_of(chat), ANN, thread_id, hidden)
    assert len(news) == 1


@pytest.mark.parametrize("user", [User("bob", "acme"), User("ann"), User("ann", "umbrella")])
async def test_threads_of_others_do_not_exist(chat: Chat, hooks: Hooks, user: User) -> None:
    thread_id = (await chat.say("Hello")).thread_id
    news, count = hooks.watched(user, thread_id), len(hooks.persisted)
    for place in (thread_id, "absent"):
        with pytest.raises(NotFound, match="Conversation not found"):
            await post_message(app_of(chat), user, place, "Mine")
    assert len(await texts(chat, thread_id)) == 2
    assert (news, len(hooks.persisted)) == ([], count)


WRONG_ARGUMENTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"item": ""}, BadRequest, "item: the text is empty."),
    ({"item": " \n"}, BadRequest, "item: the text is empty."),
    ({"item": None}, TypeError, "post_message: item is of the type NoneType, expected a str, or "),
    ({"item": {"type": "widget"}}, TypeError, "post_message: item is of the type dict, expected "),
    ({"item": ["a"]}, TypeError, "post_message: item is of the type list, expected a str, or an "),
    ({"item": says("a", "")}, BadRequest, "item: its id has to have 1 to 200 printable charact"),
    ({"item": says("a", "x" * 201)}, BadRequest, "item: its id has to have 1 to 200 printable"),
    ({"thread_id": None}, TypeError, "post_message: thread_id is of the type NoneType, expected"),
    ({"thread_id": {}}, TypeError, "post_message: thread_id is of the type dict, expected the "),
    ({"thread_id": ""}, NotFound, "Conversation not found."),
    ({"thread_id": "a\0b"}, NotFound, "Conversation not found."),
    ({"user": None}, TypeError, "post_message: user is of the type NoneType, expected a chatkit"),
    ({"user": "ann"}, TypeError, "post_message: user is of the type str, expected a chatkit_ser"),
]


@pytest.mark.parametrize(("given", "error", "told"), WRONG_ARGUMENTS)
async def test_what_a_plugin_may_not_give(
    chat: Chat, hooks: Hooks, given: dict[str, Any], error: type[Exception], told: str
) -> None:
    thread_id = (await chat.say("Hello")).thread_id
    news, count = hooks.watched(ANN, thread_id), len(hooks.persisted)
    arguments = {"user": ANN, "thread_id": thread_id, "item": "Hi", **given}
    with pytest.raises(error, match=re.escape(told)):
        await post_message(app_of(chat), **arguments)
    assert len(await texts(chat, thread_id)) == 2
    assert (news, len(hooks.persisted)) == ([], count)


async def test_nobody_is_told_of_what_a_hook_refuses(chat: Chat, hooks: Hooks) -> None:
    thread_id = (await chat.say("Hello")).thread_id
    news = hooks.watched(ANN, thread_id)
    hooks.fails = True
    with pytest.raises(PluginFailed):
        await post_message(app_of(chat), ANN, thread_id, "More")
    assert news == []


async def test_while_an_answer_is_written(
    chat: Chat, hooks: Hooks, model_server: ModelServer
) -> None:
    thread_id = (await chat.say("Hello")).thread_id
    gate = Gate()
    model_server.reply("One", gate, ".")
    body = {"type": "threads.add_user_message", "params": {"thread_id": thread_id, "input": INPUT}}
    response = await chat.post(body)
    await gate.reached()
    await post_message(app_of(chat), ANN, thread_id, "Meanwhile")
    gate.open()
    assert (await chat.read(response)).text == "One."
    said = await texts(chat, thread_id)
    assert said[:3] == ["Hello", "You said: Hello", "More"]
    assert sorted(said[3:]) == ["Meanwhile", "One."]


INPUT = {
    "content": [{"type": "input_text", "text": "More"}],
    "attachments": [],
    "inference_options": {},
}


async def test_an_item_in_a_database(start: Start, model_server: ModelServer) -> None:
    one, two = await start(), await start()
    thread_id = (await one.chat.say("Hello")).thread_id
    somebody = User("somebody")
    for text in ("Grüße \ud83e", "Second"):
        await post_message(two.app, somebody, thread_id, says(text, f"msg_{len(text)}"))
    assert (await one.texts(thread_id))[2:] == ["Grüße \ufffd", "Second"]
    assert two.watch.saved == ["msg_7", "msg_6"]


def test_places_of_threads() -> None:
    assert place_of_thread(ANN, "thr_1") == "acme/ann/thr_1"
    assert place_of_thread(User("ann"), "thr_1") == "/ann/thr_1"
