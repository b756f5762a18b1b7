"""Turns without a page: started by programs and plugins, and begun whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from agents import function_tool
from aiohttp import ClientResponse, web

from chatkit_server import (
    BadRequest,
    Conflict,
    NotFound,
    Outcome,
    StartedTurn,
    Turn,
    User,
    hookimpl,
    start_turn,
)
from chatkit_server.storage import MemoryEventLog, MemoryTurnStore
from chatkit_server.testing.memory_store import MemoryStore
from chatkit_server.testing.model_server import Call, Gate, ModelServer
from chatkit_server.turns import accepting
from chatkit_server.web.keys import ACCEPTED, ENGINE, HEARTBEAT
from tests.client import Chat
from tests.conftest import MakeChat
from tests.databases import DATABASES, new_url
from tests.documents import write_plugins
from tests.processes import Server, running
from tests.replicas import Replica, Start, grow_old
from tests.serving import served_by
from tests.stores import query
from tests.test_elsewhere import until

SOMEBODY = User("somebody")

STOPPED = "(The answer was stopped.)\n\n"
RESTARTED = "(The server was restarted before the answer was complete.)\n\n"
"""What the model is told of an answer that was cut off."""


async def post(
    chat: Chat, message: Any, thread_id: str | None = None, key: str | None = None, **rest: Any
) -> ClientResponse:
    """Start a turn by its route."""
    path = f"{chat.path}/turns" if thread_id is None else f"{chat.path}/threads/{thread_id}/turns"
    headers = {**chat.headers, **({} if key is None else {"Idempotency-Key": key})}
    body = orjson.dumps({"message": message, **rest})
    return await chat.client.post(path, data=body, headers=headers)


async def accept(chat: Chat, message: Any, thread_id: str | None = None, **rest: Any) -> Any:
    """Start a turn without waiting for it; return what is told of it."""
    response = await post(chat, message, thread_id, wait="accepted", **rest)
    assert response.status == 202, await response.text()
    return await response.json()


async def state(chat: Chat, turn_id: str) -> Any:
    response = await chat.client.get(f"{chat.path}/turns/{turn_id}", headers=chat.headers)
    assert response.status == 200, await response.text()
    return await response.json()


async def ended(chat: Chat, turn_id: str) -> Any:
    """Wait for the end of a turn, and return what is told of it."""

    async def is_over() -> bool:
        return (await state(chat, turn_id))["state"] not in ("accepted", "running")

    await until(is_over)
    return await state(chat, turn_id)


async def texts(chat: Chat, thread_id: str) -> list[str]:
    """The texts of the messages of a thread, oldest first."""
    page = await chat.ask("items.list", thread_id=thread_id, order="asc")
    return ["".join(part["text"] for part in item["content"]) for item in page["data"]]


class Watch:
    """Counts what the hooks are called with; `gate` holds each `pre_turn` up."""

    def __init__(self) -> None:
        self.prepared: list[Turn] = []
        self.saved: list[str] = []
        self.outcomes: list[tuple[str, str]] = []
        self.refusal: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.app: web.Application | None = None

    @hookimpl
    def setup(self, app: web.Application) -> None:
        self.app = app

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        self.prepared.append(turn)
        if self.gate is not None:
            await self.gate.wait()
        if self.refusal is not None:
            raise self.refusal

    @hookimpl
    async def persist(self, item: Any) -> None:
        self.saved.append(item.type)

    @hookimpl
    async def post_turn(self, turn: Turn, outcome: Outcome) -> None:
        self.outcomes.append((turn.id, outcome.status))


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepting, "POLL", 0.01)
    monkeypatch.setattr(accepting, "RETRY", 0.01)


@pytest.fixture
async def chat(make_chat: MakeChat, model_server: ModelServer, watch: Watch) -> Chat:
    return await make_chat(watch, **served_by(model_server, models=["test/other"]))


def app_of(chat: Chat) -> web.Application:
    app: web.Application | None = chat.client.app
    assert app is not None
    return app


# What a client waits for


@pytest.mark.parametrize("wait", [None, "stream"])
async def test_the_events_are_those_of_chatkit(chat: Chat, wait: str | None) -> None:
    response = await post(chat, "Hello", wait=wait)
    streamed = await chat.read(response)
    assert streamed.types[:3] == ["thread.created", "thread.item.done", "stream_options"]
    assert streamed.text == "You said: Hello"
    turn_id = response.headers["X-Turn-Id"]
    assert (await state(chat, turn_id))["state"] == "completed"
    events = await chat.client.get(f"{chat.path}/turns/{turn_id}/events")
    assert (await chat.read(events)).data == streamed.data
    again = await chat.read(await post(chat, "Once more", streamed.thread_id))
    assert again.types[0] == "thread.item.done"
    assert again.thread_id == streamed.thread_id


async def test_the_whole_answer_comes_at_once(chat: Chat, watch: Watch) -> None:
    response = await post(chat, "Hello", wait="result")
    assert response.status == 200
    answer = await response.json()
    turn = watch.prepared[0]
    assert turn.operation == "threads.create"
    assert response.headers["X-Turn-Id"] == answer["turn_id"] == turn.id
    assert answer["thread_id"] == turn.thread.id
    assert (answer["content"], answer["status"], answer["done"]) == (
        "You said: Hello",
        "completed",
        True,
    )
    answer = await (await post(chat, "Again", turn.thread.id, wait="result")).json()
    assert watch.prepared[1].operation == "threads.add_user_message"
    assert await texts(chat, turn.thread.id) == [
        "Hello",
        "You said: Hello",
        "Again",
        answer["content"],
    ]


async def test_a_whole_answer_that_is_not_complete(chat: Chat, model_server: ModelServer) -> None:
    model_server.fail(400, "no")
    response = await post(chat, "Hello", wait="result")
    answer = await response.json()
    assert (response.status, answer["status"]) == (422, "failed")
    assert answer["message"].startswith("The model provider rejected the request.")


async def test_accepted_means_written_down(chat: Chat, watch: Watch) -> None:
    watch.gate = asyncio.Event()
    response = await post(chat, "Hello", wait="accepted")
    told = await response.json()
    assert response.status == 202
    assert told["state"] == "accepted"
    assert response.headers["Location"] == f"/api/chat/turns/{told['id']}"
    assert response.headers["X-Turn-Id"] == told["id"]
    assert watch.saved == []
    known = await state(chat, told["id"])
    assert known["state"] in ("accepted", "running")
    assert known["events"] == 0
    watch.gate.set()
    assert (await ended(chat, told["id"]))["state"] == "completed"
    assert await texts(chat, told["thread_id"]) == ["Hello", "You said: Hello"]
    assert watch.prepared[0].id == told["id"]
    await until(lambda: watch.outcomes)
    assert watch.outcomes == [(told["id"], "completed")]
    assert app_of(chat)[ENGINE].turns.places.total == 0


async def test_a_message_as_chatkit_sends_it(chat: Chat, model_server: ModelServer) -> None:
    message = {
        "content": [{"type": "input_text", "text": "Hello"}],
        "attachments": [],
        "inference_options": {},
        "quoted_text": "Good morning",
    }
    answer = await (await post(chat, message, wait="result", model="test/other")).json()
    assert answer["status"] == "completed"
    assert model_server.requests[0].body["model"] == "other"
    page = await chat.ask("items.list", thread_id=answer["thread_id"], order="asc")
    assert page["data"][0]["quoted_text"] == "Good morning"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{", 400, "The body is not JSON"),
        (b"[]", 400, "The body must be a JSON object."),
        (b"{}", 400, "message: Field required"),
        (b'{"message": " "}', 400, "message: it is empty."),
        (b'{"message": 1}', 400, "message"),
        (b'{"message": {"content": []}}', 400, "message.attachments: Field required"),
        (
            b'{"message": {"content": [], "attachments": [], "inference_options": {"model": 5}}}',
            400,
            "message.inference_options.model: Input should be a valid string",
        ),
        (b'{"message": "a", "wait": "long"}', 400, "wait: Input should be 'stream', 'result' or"),
        (b'{"message": "a", "modle": "m"}', 400, "modle: unknown field. Did you mean `model`?"),
        (b'{"message": "%b"}' % (b"a" * 200_000), 413, "The message has"),
    ],
)
@pytest.mark.parametrize("wait", ["stream", "accepted"])
async def test_what_is_wrong_with_a_body(
    chat: Chat, watch: Watch, body: bytes, status: int, message: str, wait: str
) -> None:
    if b"wait" not in body and body.endswith(b'"}'):
        body = body[:-1] + b', "wait": "%b"}' % wait.encode()
    response = await chat.client.post(f"{chat.path}/turns", data=body)
    told = (await response.json())["message"]
    assert response.status == status, told
    assert message in told
    assert watch.saved == []


async def test_a_model_that_is_not_offered(chat: Chat, watch: Watch) -> None:
    for wait in ("stream", "result"):
        response = await post(chat, "Hello", wait=wait, model="none/such")
        assert response.status == 400
    told = await accept(chat, "Hello", model="none/such")
    known = await ended(chat, told["id"])
    assert known["state"] == "failed"
    assert "none/such" in known["error"]
    assert watch.saved == []


@pytest.mark.parametrize("wait", ["stream", "result", "accepted"])
async def test_a_model_that_nobody_may_take_is_refused_at_once(
    make_chat: MakeChat, model_server: ModelServer, wait: str
) -> None:
    chat = await make_chat(**served_by(model_server))
    thread_id = (await chat.say("Hello")).thread_id
    for place in (None, thread_id):
        response = await post(chat, "Hello", place, wait=wait, model="none/such")
        assert response.status == 400
        told = (await response.json())["message"]
        assert told == "The model `none/such` is not offered here. Use: test/model"
    assert (await texts(chat, thread_id))[1:] == ["You said: Hello"]
    turns = app_of(chat)[ENGINE].turn_store
    assert await turns.next_in(thread_id, SOMEBODY) is None


async def test_a_thread_that_is_not_made_yet(chat: Chat, watch: Watch) -> None:
    watch.gate = asyncio.Event()
    first = await accept(chat, "First")
    second = await accept(chat, "Second", first["thread_id"])
    third = await accept(chat, "Third", first["thread_id"])
    watch.gate.set()
    for told in (first, second, third):
        assert (await ended(chat, told["id"]))["state"] == "completed"
    assert (await texts(chat, first["thread_id"]))[::2] == ["First", "Second", "Third"]


async def test_a_thread_that_is_never_made(chat: Chat, watch: Watch) -> None:
    watch.gate, watch.refusal = asyncio.Event(), Conflict("Not today.")
    first = await accept(chat, "First")
    second = await accept(chat, "Second", first["thread_id"])
    watch.gate.set()
    assert (await ended(chat, first["id"]))["error"] == "Not today."
    assert (await ended(chat, second["id"]))["error"] == "Conversation not found."


async def test_threads_of_others_do_not_exist(chat: Chat) -> None:
    thread_id = (await chat.say("Hello")).thread_id
    chat.headers = {"X-User": "bob"}
    for wait in ("stream", "result", "accepted"):
        for place in (thread_id, "absent"):
            response = await post(chat, "Hello", place, wait=wait)
            assert response.status == 404
            assert (await response.json())["message"] == "Conversation not found."
    told = await accept(chat, "Hello")
    chat.headers = {}
    assert (await chat.client.get(f"{chat.path}/turns/{told['id']}")).status == 404


async def test_strangers_are_refused(make_chat: MakeChat, model_server: ModelServer) -> None:
    class Nobody:
        @hookimpl
        async def auth(self, request: web.Request) -> None:
            from chatkit_server import Unauthorized

            raise Unauthorized("Sign in.")

    chat = await make_chat(Nobody(), **served_by(model_server))
    for place in (None, "thr_1"):
        assert (await post(chat, "Hello", place)).status == 401


# The same request again


@pytest.mark.parametrize("wait", ["stream", "result", "accepted"])
async def test_the_same_key_is_the_same_turn(
    chat: Chat, model_server: ModelServer, watch: Watch, wait: str
) -> None:
    first = await post(chat, "Hello", key="k", wait=wait)
    await first.read()
    turn_id = first.headers["X-Turn-Id"]
    for other in ("stream", "result", "accepted"):
        again = await post(chat, "Hello", key="k", wait=other)
        assert again.headers["X-Turn-Id"] == turn_id
        await again.read()
    assert (await ended(chat, turn_id))["state"] == "completed"
    whole = await (await post(chat, "Hello", key="k", wait="result")).json()
    assert (whole["turn_id"], whole["content"]) == (turn_id, "You said: Hello")
    assert len(model_server.requests) == len(watch.prepared) == 1
    assert await texts(chat, whole["thread_id"]) == ["Hello", "You said: Hello"]
    refused = await post(chat, "Goodbye", key="k", wait=wait)
    assert refused.status == 422
    assert "another request used this key" in (await refused.json())["message"]
    assert (await post(chat, "Hello", whole["thread_id"], key="k", wait=wait)).status == 422
    chat.headers = {"X-User": "bob"}
    assert (await post(chat, "Hello", key="k")).headers["X-Turn-Id"] != turn_id


async def test_the_same_key_at_once(chat: Chat, watch: Watch) -> None:
    told = await asyncio.gather(*(accept(chat, "Hello", key="k") for _ in range(5)))
    assert len({one["id"] for one in told}) == 1
    await ended(chat, told[0]["id"])
    assert len(watch.prepared) == 1


# A thread that is busy


@pytest.mark.parametrize("when_busy", ["interrupt", "queue"])
async def test_accepted_turns_wait_their_turn(
    make_chat: MakeChat, model_server: ModelServer, watch: Watch, when_busy: str
) -> None:
    chat = await make_chat(watch, **served_by(model_server), turns={"when_busy": when_busy})
    gate = Gate()
    model_server.reply("One", gate, ".")
    first = await chat.client.post(f"{chat.path}/turns", data=b'{"message": "First"}')
    await gate.reached()
    thread_id = watch.prepared[0].thread.id
    accepted = [await accept(chat, f"Number {number}", thread_id) for number in range(4)]
    for told in accepted:
        assert (await state(chat, told["id"]))["state"] == "accepted"
    gate.open()
    assert (await chat.read(first)).text == "One."
    for told in accepted:
        assert (await ended(chat, told["id"]))["state"] == "completed"
    expected = ["First", "One."]
    for number in range(4):
        expected += [f"Number {number}", f"You said: Number {number}"]
    assert await texts(chat, thread_id) == expected
    page = await chat.ask("items.list", thread_id=thread_id, order="asc")
    times = [item["created_at"] for item in page["data"]]
    assert times == sorted(times)


async def test_what_is_refused_where_it_would_wait(
    make_chat: MakeChat, model_server: ModelServer, watch: Watch
) -> None:
    turns = {"when_busy": "reject", "limits": {"user": 2}}
    chat = await make_chat(watch, **served_by(model_server), turns=turns)
    gate = Gate()
    model_server.reply("One", gate, ".")
    first = await accept(chat, "First")
    await gate.reached()
    response = await post(chat, "Second", first["thread_id"], wait="accepted")
    assert response.status == 409
    other = Gate()
    model_server.reply("Two", other)
    second = await accept(chat, "Second")
    await other.reached()
    response = await post(chat, "Third", wait="accepted")
    assert response.status == 429
    assert "You have 2 answers running or waiting." in (await response.json())["message"]
    gate.open()
    other.open()
    for told in (first, second):
        assert (await ended(chat, told["id"]))["state"] == "completed"
    await until(lambda: app_of(chat)[ENGINE].turns.places.total == 0)


async def test_few_may_wait_for_a_thread(
    make_chat: MakeChat, model_server: ModelServer, watch: Watch
) -> None:
    chat = await make_chat(watch, **served_by(model_server), turns={"limits": {"queue": 2}})
    gate = Gate()
    model_server.reply("One", gate, ".")
    first = await accept(chat, "First")
    await gate.reached()
    waiting = [await accept(chat, "Next", first["thread_id"]) for _ in range(2)]
    response = await post(chat, "Last", first["thread_id"], wait="accepted")
    assert response.status == 503
    gate.open()
    for told in waiting:
        assert (await ended(chat, told["id"]))["state"] == "completed"


async def test_a_message_of_the_user_comes_first(
    chat: Chat, model_server: ModelServer, watch: Watch
) -> None:
    gate = Gate()
    model_server.reply("One", gate, ".")
    first = await accept(chat, "First")
    await gate.reached()
    waits = await accept(chat, "Later", first["thread_id"])
    said = await chat.say("Stop", first["thread_id"])
    assert said.text == f"You said: {STOPPED}Stop"
    assert (await ended(chat, first["id"]))["state"] == "cancelled"
    assert (await ended(chat, waits["id"]))["state"] == "completed"
    assert await texts(chat, first["thread_id"]) == [
        "First",
        "One",
        "Stop",
        said.text,
        "Later",
        "You said: Later",
    ]


# How it ends


async def test_nobody_has_to_follow_an_accepted_turn(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    disconnect = {"policy": "cancel", "grace": "1ms"}
    chat = await make_chat(**served_by(model_server), turns={"disconnect": disconnect})
    gate = Gate()
    model_server.reply("One", gate, ".")
    told = await accept(chat, "First")
    await gate.reached()
    running = app_of(chat)[ENGINE].turns._known[told["id"]]
    events = await chat.client.get(f"{chat.path}/turns/{told['id']}/events")
    await events.content.readuntil(b"\n\n")
    events.close()
    await until(lambda: running._followers == 0)
    assert "abandoned" not in running._timers
    gate.open()
    assert (await ended(chat, told["id"]))["state"] == "completed"


async def test_a_hook_refuses_an_accepted_turn(chat: Chat, watch: Watch) -> None:
    watch.refusal = Conflict("Not today.")
    told = await accept(chat, "Hello", key="k")
    known = await ended(chat, told["id"])
    assert (known["state"], known["error"]) == ("failed", "Not today.")
    assert watch.saved == []
    assert watch.outcomes == [(told["id"], "refused")]
    whole = await post(chat, "Hello", key="k", wait="result")
    assert whole.status == 422
    answer = await whole.json()
    assert (answer["status"], answer["message"]) == ("failed", "Not today.")
    streamed = await chat.read(await post(chat, "Hello", key="k"))
    assert streamed.error == {
        "type": "error",
        "code": "custom",
        "message": "Not today.",
        "allow_retry": True,
    }
    for wait in ("stream", "result"):
        assert (await post(chat, "Hello", wait=wait)).status == 409
    await until(lambda: app_of(chat)[ENGINE].turns.places.total == 0)


async def test_what_cannot_begin_any_more_has_failed(
    chat: Chat, model_server: ModelServer, watch: Watch
) -> None:
    gate = Gate()
    model_server.reply("One", gate, ".")
    first = await accept(chat, "First")
    await gate.reached()
    waits = await accept(chat, "Later", first["thread_id"])
    await chat.ask("threads.delete", thread_id=first["thread_id"])
    known = await ended(chat, waits["id"])
    assert known["state"] in ("failed", "cancelled")
    assert known["error"] in (
        "Conversation not found.",
        "The conversation was deleted.",
        "This conversation is being deleted.",
    )
    assert len(watch.prepared) == 1


async def test_a_turn_that_waits_is_cancelled(
    make_chat: MakeChat, model_server: ModelServer, watch: Watch
) -> None:
    chat = await make_chat(watch, **served_by(model_server), turns={"stale": "400ms"})
    gate = Gate()
    model_server.reply("One", gate, ".")
    first = await accept(chat, "First")
    await gate.reached()
    waits = await accept(chat, "Later", first["thread_id"])
    response = await chat.client.post(f"{chat.path}/turns/{waits['id']}/cancel")
    told = await response.json()
    assert (response.status, told["state"]) == (200, "cancelled")
    assert told["error"] == "The answer was stopped."
    gate.open()
    await ended(chat, first["id"])
    assert await texts(chat, first["thread_id"]) == ["First", "One."]
    await until(lambda: app_of(chat)[ENGINE].turns.places.total == 0)


# Processes


class Deployment:
    """What processes share."""

    def __init__(self) -> None:
        self.memory = MemoryStore()
        self.turns = MemoryTurnStore()
        self.log = MemoryEventLog()

    @hookimpl
    def store(self) -> MemoryStore:
        return self.memory

    @hookimpl
    def turn_store(self) -> MemoryTurnStore:
        return self.turns

    @hookimpl
    def event_log(self) -> MemoryEventLog:
        return MemoryEventLog(self.log)


Two = Callable[..., Awaitable[tuple[Chat, Chat]]]


@pytest.fixture
def two(make_chat: MakeChat, model_server: ModelServer, watch: Watch) -> Two:
    """Return a factory of two processes of one deployment."""

    async def start(**turns: Any) -> tuple[Chat, Chat]:
        deployment = Deployment()
        sections = {**served_by(model_server), "turns": {"stale": "400ms", **turns}}
        sections["server"] = {"drain": "1ms"}
        return (
            await make_chat(deployment, watch, **sections),
            await make_chat(deployment, watch, **sections),
        )

    return start


async def test_an_accepted_turn_is_known_to_all_processes(
    two: Two, model_server: ModelServer
) -> None:
    one, other = await two()
    gate = Gate()
    model_server.reply("One", gate, ".")
    told = await accept(one, "Hello", key="k")
    again = await accept(other, "Hello", key="k")
    assert again["id"] == told["id"]
    whole = asyncio.create_task(post(other, "Hello", key="k", wait="result"))
    streamed = asyncio.create_task(post(other, "Hello", key="k"))
    await gate.reached()
    gate.open()
    answer = await (await whole).json()
    assert (answer["turn_id"], answer["content"]) == (told["id"], "One.")
    assert (await other.read(await streamed)).text == "One."
    assert (await post(other, "Goodbye", key="k", wait="accepted")).status == 422
    assert len(model_server.requests) == 1


@function_tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"Rain in {city}."


class Weather:
    """Gives every turn a tool."""

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools.append(weather)


async def test_the_whole_answer_is_the_same_at_another_process(
    make_chat: MakeChat, model_server: ModelServer, watch: Watch
) -> None:
    deployment = Deployment()
    sections = served_by(model_server)
    one, other = [await make_chat(deployment, Weather(), **sections) for _ in range(2)]
    model_server.reply(Call("weather", {"city": "Rome"}))
    model_server.reply("Take a coat.")
    here = await (await post(one, "Rome?", key="k", wait="result")).json()
    there = await (await post(other, "Rome?", key="k", wait="result")).json()
    assert there == here
    called = {"name": "weather", "arguments": {"city": "Rome"}, "result": "Rain in Rome."}
    assert there["tool_calls"] == [called]
    assert there["usage"]["input_tokens"] > 0


async def test_accepted_turns_of_two_processes_keep_their_order(
    two: Two, model_server: ModelServer
) -> None:
    one, other = await two()
    gate = Gate()
    model_server.reply("One", gate, ".")
    first = await accept(one, "First")
    await gate.reached()
    accepted = []
    for number in range(6):
        chat = other if number % 2 else one
        accepted.append(await accept(chat, f"Number {number}", first["thread_id"]))
    gate.open()
    for number, told in enumerate(accepted):
        assert (await ended(one, told["id"]))["state"] == "completed"
        started = StartedTurn(app_of(one), SOMEBODY, await _record(one, told["id"]))
        assert (await started.result()).content == f"You said: Number {number}"
    said = [text for text in await texts(one, first["thread_id"]) if text.startswith("Number")]
    assert said == [f"Number {number}" for number in range(6)]


async def _record(chat: Chat, turn_id: str) -> Any:
    return await app_of(chat)[ENGINE].turn_store.find(turn_id, SOMEBODY)


async def test_a_process_that_stops_leaves_what_it_accepted(
    two: Two, model_server: ModelServer, watch: Watch
) -> None:
    one, other = await two()
    gate = Gate()
    model_server.reply("One", gate)
    first = await accept(one, "First")
    await gate.reached()
    waits = [await accept(one, f"Number {n}", first["thread_id"]) for n in range(2)]
    await one.client.close()
    assert (await state(other, first["id"]))["state"] == "interrupted"
    for told in waits:
        assert (await ended(other, told["id"]))["state"] == "completed"
    assert await texts(other, first["thread_id"]) == [
        "First",
        "One",
        "Number 0",
        f"You said: {RESTARTED}Number 0",
        "Number 1",
        "You said: Number 1",
    ]
    await until(lambda: len(watch.outcomes) == 3)
    assert [status for _, status in watch.outcomes] == ["interrupted", "completed", "completed"]


async def test_a_turn_that_is_stopped_in_pre_turn_begins_elsewhere(two: Two, watch: Watch) -> None:
    one, other = await two()
    watch.gate = asyncio.Event()
    told = await accept(one, "Hello")
    await until(lambda: watch.prepared)
    closing = asyncio.create_task(one.client.close())
    await until(lambda: len(watch.prepared) == 2)
    watch.gate.set()
    await closing
    assert (await ended(other, told["id"]))["state"] == "completed"
    assert await texts(other, told["thread_id"]) == ["Hello", "You said: Hello"]
    await until(lambda: len(watch.outcomes) == 2)
    assert watch.outcomes == [(told["id"], "refused"), (told["id"], "completed")]


# Both databases


async def _nothing() -> None:
    pass


async def _die(replica: Replica) -> None:
    """Have a server do nothing more, as one that was killed: its turns are old."""
    turns = replica.app[ENGINE].turns
    for accepted in list(turns.accepted.values()):
        accepted.task.cancel()
        replica.app[ACCEPTED]._leave = lambda *_: _nothing()
    await grow_old()


async def test_a_turn_of_a_dead_process_begins_in_another(
    start: Start, model_server: ModelServer
) -> None:
    one, two = await start(), await start()
    gate = Gate()
    model_server.reply("One", gate, ".")
    first = await accept(one.chat, "First")
    await gate.reached()
    waits = await accept(one.chat, "Later", first["thread_id"], key="k")
    await _die(one)
    await one.beat()
    # It is another one that has the turn from now on
    await two.sweep()
    assert (await state(two.chat, waits["id"]))["state"] == "accepted"
    gate.open()
    assert (await ended(two.chat, waits["id"]))["state"] == "completed"
    assert await two.texts(first["thread_id"]) == ["First", "One.", "Later", "You said: Later"]
    [turn, outcome] = two.watch.ended[-1]
    assert (turn.id, outcome.status) == (waits["id"], "completed")
    assert turn.store_context.attempt == 2
    assert (turn.user.id, turn.user.name) == ("somebody", "Somebody")
    assert len(two.watch.ended) == 1
    assert await accept(one.chat, "Later", first["thread_id"], key="k") == {
        **waits,
        "state": "completed",
    }


async def test_a_turn_that_waits_beats(start: Start, model_server: ModelServer) -> None:
    one, two = await start(), await start()
    gate = Gate()
    model_server.reply("One", gate, ".")
    first = await accept(one.chat, "First")
    await gate.reached()
    waits = await accept(one.chat, "Later", first["thread_id"])
    await grow_old()
    await one.beat()
    await two.sweep()
    assert not two.app[ENGINE].turns.accepted
    one.app[ENGINE].turns._moved = 0
    await grow_old()
    await asyncio.to_thread(one.app[HEARTBEAT]._pulse._keep_alive, 0.0)
    await two.sweep()
    assert not two.app[ENGINE].turns.accepted
    gate.open()
    assert (await ended(two.chat, waits["id"]))["state"] == "completed"


async def test_a_user_who_was_erased_gets_no_answer(
    start: Start, model_server: ModelServer
) -> None:
    one = await start()
    gate = Gate()
    model_server.reply("One", gate, ".")
    first = await accept(one.chat, "First")
    await gate.reached()
    await accept(one.chat, "Later", first["thread_id"])
    await query("DELETE FROM chatkit_turn WHERE state = 'accepted'")
    gate.open()
    await until(lambda: not one.app[ENGINE].turns.accepted)
    await ended(one.chat, first["id"])
    await until(lambda: not one.app[ENGINE].turns.active)
    assert await one.texts(first["thread_id"]) == ["First", "One."]


PLUGIN = """
import asyncio
from pathlib import Path

from chatkit_server import hookimpl

CALLS = Path(__file__).parent.with_name("calls.txt")
HOLD = Path(__file__).parent.with_name("hold")


def note(text):
    with CALLS.open("a") as file:
        file.write(text + "\\n")


@hookimpl
async def pre_turn(turn):
    print("prepares", turn.id, flush=True)
    while HOLD.exists() and HOLD.read_text() == "pre_turn":
        await asyncio.sleep(0.02)


@hookimpl
async def persist(turn, item):
    note(f"persist {item.type}")
    print("saved", item.type, flush=True)
    while HOLD.exists() and HOLD.read_text() == item.type:
        await asyncio.sleep(0.02)


@hookimpl
async def post_turn(turn, outcome):
    note(f"post_turn {outcome.status}")
"""


def _deployment(folder: Path, kind: Any, model_server: ModelServer) -> None:
    sections = served_by(model_server)
    sections["plugins"] |= {
        "tortoise_store": {"url": new_url(kind, folder)},
        "anonymous_auth": None,
        "held": None,
    }
    sections |= {"turns": {"stale": "500ms"}, "plugin_dirs": ["plugins"]}
    (folder / "plugins").mkdir()
    (folder / "plugins" / "held.py").write_text(PLUGIN)
    (folder / "settings.yaml").write_text(yaml.safe_dump(sections))


async def _answered(server: Server, told: Any) -> list[str]:
    chat = server.chat()
    assert (await ended(chat, told["id"]))["state"] == "completed"
    return await texts(chat, told["thread_id"])


@pytest.mark.parametrize("kind", DATABASES)
async def test_kill_9_after_202_and_another_process_answers(
    kind: Any, tmp_path: Path, model_server: ModelServer
) -> None:
    _deployment(tmp_path, kind, model_server)
    (tmp_path / "hold").write_text("pre_turn")
    async with running(tmp_path) as one, running(tmp_path) as two:
        told = await accept(one.chat(), "Hello", key="k")
        waits = await accept(one.chat(), "Later", told["thread_id"])
        await one.stop(signal.SIGKILL)
        (tmp_path / "hold").unlink()
        await two.process.line(f"{told['id']}: took it on")
        await _answered(two, told)
        assert await _answered(two, waits) == [
            "Hello",
            "You said: Hello",
            "Later",
            "You said: Later",
        ]
        assert (await accept(two.chat(), "Hello", key="k"))["id"] == told["id"]
    calls = (tmp_path / "calls.txt").read_text().splitlines()
    once = ["persist user_message", "persist assistant_message", "post_turn completed"]
    assert calls == once * 2
    assert len(model_server.requests) == 2


@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize("after", ["202", "pre_turn"])
async def test_kill_9_and_the_next_start_answers(
    kind: Any, after: str, tmp_path: Path, model_server: ModelServer
) -> None:
    _deployment(tmp_path, kind, model_server)
    (tmp_path / "hold").write_text("pre_turn")
    async with running(tmp_path) as server:
        told = await accept(server.chat(), "Hello")
        if after == "pre_turn":
            await server.process.line(f"prepares {told['id']}")
        await server.stop(signal.SIGKILL)
    (tmp_path / "hold").unlink()
    async with running(tmp_path) as server:
        assert await _answered(server, told) == ["Hello", "You said: Hello"]
    calls = (tmp_path / "calls.txt").read_text().splitlines()
    assert calls == ["persist user_message", "persist assistant_message", "post_turn completed"]
    assert len(model_server.requests) == 1


async def test_kill_9_once_the_message_is_saved(tmp_path: Path, model_server: ModelServer) -> None:
    _deployment(tmp_path, "sqlite", model_server)
    (tmp_path / "hold").write_text("user_message")
    async with running(tmp_path) as server:
        told = await accept(server.chat(), "Hello")
        await server.process.line("saved user_message")
        await server.stop(signal.SIGKILL)
    (tmp_path / "hold").unlink()
    async with running(tmp_path) as server:
        known = await ended(server.chat(), told["id"])
        assert known["state"] == "interrupted"
        assert await texts(server.chat(), told["thread_id"]) == ["Hello"]
        await server.process.line("recovered turn")
    calls = (tmp_path / "calls.txt").read_text().splitlines()
    assert calls == ["persist user_message", "post_turn interrupted"]
    assert not model_server.requests


async def test_sigterm_while_accepted_turns_wait(tmp_path: Path, model_server: ModelServer) -> None:
    _deployment(tmp_path, "sqlite", model_server)
    settings = tmp_path / "settings.yaml"
    sections = yaml.safe_load(settings.read_text()) | {"server": {"drain": "100ms"}}
    settings.write_text(yaml.safe_dump(sections))
    (tmp_path / "hold").write_text("pre_turn")
    async with running(tmp_path) as server:
        told = await accept(server.chat(), "Hello")
        waits = await accept(server.chat(), "Later", told["thread_id"])
        await server.process.line(f"prepares {told['id']}")
        assert await server.stop() == 0
    (tmp_path / "hold").unlink()
    async with running(tmp_path) as server:
        await _answered(server, told)
        assert (await _answered(server, waits))[::2] == ["Hello", "Later"]
    assert len(model_server.requests) == 2


# From plugins


async def test_a_plugin_starts_a_turn(chat: Chat, watch: Watch) -> None:
    assert watch.app is not None
    started = await start_turn(watch.app, SOMEBODY, None, "Hello", idempotency_key="k")
    same = await start_turn(watch.app, SOMEBODY, None, "Hello", idempotency_key="k")
    assert same.id == started.id
    result = await started.result()
    assert (result.turn_id, result.thread_id) == (started.id, started.thread_id)
    assert (result.status, result.content, result.error) == ("completed", "You said: Hello", None)
    assert (await same.result()).content == result.content
    again = await start_turn(watch.app, SOMEBODY, started.thread_id, "More", model="test/other")
    assert (await again.result()).data["model"] == "test/other"
    assert (await texts(chat, started.thread_id))[2:] == ["More", "You said: More"]
    with pytest.raises(NotFound):
        await start_turn(watch.app, User("bob"), started.thread_id, "Mine")


async def test_a_plugin_learns_why_a_turn_was_refused(chat: Chat, watch: Watch) -> None:
    assert watch.app is not None
    watch.refusal = Conflict("Not today.")
    result = await (await start_turn(watch.app, SOMEBODY, None, "Hello")).result()
    assert (result.status, result.content, result.error) == ("failed", "", "Not today.")


WRONG_ARGUMENTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"message": ""}, BadRequest, "message: it is empty."),
    ({"message": " \n"}, BadRequest, "message: it is empty."),
    ({"message": None}, TypeError, "start_turn: message is of the type NoneType, expected a str, "),
    ({"message": {"content": []}}, TypeError, "start_turn: message is of the type dict, expected"),
    ({"message": b"x"}, TypeError, "start_turn: message is of the type bytes, expected a str, or"),
    ({"thread_id": 5}, TypeError, "start_turn: thread_id is of the type int, expected the id of "),
    ({"thread_id": ""}, NotFound, "Conversation not found."),
    ({"thread_id": "a\0b"}, NotFound, "Not found."),
    ({"user": None}, TypeError, "start_turn: user is of the type NoneType, expected a chatkit_"),
    ({"user": "somebody"}, TypeError, "start_turn: user is of the type str, expected a chatkit_se"),
    ({"idempotency_key": 5}, TypeError, "start_turn: idempotency_key is of the type int, expected"),
    ({"model": {}}, TypeError, "start_turn: model is of the type dict, expected a str"),
]


@pytest.mark.parametrize(("given", "error", "told"), WRONG_ARGUMENTS)
async def test_what_a_plugin_may_not_give(
    chat: Chat, watch: Watch, given: dict[str, Any], error: type[Exception], told: str
) -> None:
    thread_id = (await chat.say("Hello")).thread_id
    arguments = {"user": SOMEBODY, "thread_id": thread_id, "message": "More", **given}
    with pytest.raises(error, match=re.escape(told)):
        await start_turn(app_of(chat), **arguments)
    assert len(await texts(chat, thread_id)) == 2


async def test_a_tool_starts_a_turn_in_another_thread(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    class Asks(Watch):
        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            self.prepared.append(turn)

            @function_tool
            async def ask() -> str:
                """Ask."""
                assert self.app is not None
                started = await start_turn(self.app, turn.user, None, "How are you?")
                return (await started.result()).content

            if not turn.said.startswith("How"):
                turn.tools.append(ask)

    asks = Asks()
    chat = await make_chat(asks, **served_by(model_server))
    streamed = await chat.say("call ask {}")
    assert streamed.text == "The tools say: You said: How are you?"
    assert len(asks.prepared) == 2


async def test_the_plugin_of_the_document(
    make_chat: MakeChat, model_server: ModelServer, tmp_path: Path
) -> None:
    write_plugins(tmp_path / "my_plugins")
    sections = served_by(model_server)
    sections["plugins"]["parcels"] = None
    chat = await make_chat(**sections, plugin_dirs=[str(tmp_path / "my_plugins")])
    thread_id = (await chat.say("Hello")).thread_id
    body = {"number": 7, "thread_id": thread_id}
    responses = [await chat.client.post("/api/parcels", json=body) for _ in range(2)]
    [first, second] = [(await response.json())["turn_id"] for response in responses]
    assert first == second
    assert (await ended(chat, first))["state"] == "completed"
    said = await texts(chat, thread_id)
    assert said.count("Parcel 7 is on its way.") == 2
    assert said.count("When will parcel 7 arrive?") == 1
    body["thread_id"] = "absent"
    assert (await chat.client.post("/api/parcels", json=body)).status == 404
