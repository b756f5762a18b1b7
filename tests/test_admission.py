"""The hook `admit`: which turns are let in, and what is told when they have ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from chatkit.actions import Action
from chatkit.types import ThreadItemDoneEvent, ThreadStreamEvent, WidgetItem
from chatkit.widgets import Card, Text

from chatkit_server import Conflict, TooManyRequests, Turn, User, hookimpl
from chatkit_server.storage import MemoryTurnStore, TurnStore
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.testing.model_server import Gate, ModelServer
from tests.conftest import MakeChat
from tests.mcp_calls import until
from tests.serving import served_by

ACT = {"type": "threads.custom_action", "params": {"action": {"type": "x", "payload": {}}}}


class Door:
    """Notes who comes and who leaves, and refuses what it is told to."""

    def __init__(self, name: str = "door", notes: list[Any] | None = None) -> None:
        self.name = name
        self.notes: list[Any] = [] if notes is None else notes
        self.refuses = False

    @hookimpl
    async def admit(
        self, user: User, operation: str, thread_id: str, beside: bool
    ) -> AsyncIterator[None]:
        if self.refuses:
            raise TooManyRequests("Not now.", retry_after=7)
        self.notes.append((self.name, user.id, operation, beside))
        try:
            yield
        except BaseException as error:
            self.notes.append((self.name, type(error).__name__))
            raise
        self.notes.append((self.name, "left"))


class Refuses:
    """Refuses turns later than `admit` does."""

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        raise Conflict("Closed.")


class Acts:
    """Answers a click, and lets the agent answer."""

    @hookimpl
    async def action(
        self, turn: Turn, action: Action[str, Any], item: WidgetItem | None
    ) -> list[ThreadStreamEvent]:
        turn.go_on("The user clicked.")
        shown = turn.new_item(WidgetItem, widget=Card(children=[Text(value="Hi")]))
        return [ThreadItemDoneEvent(item=shown)]


class KeepsTurns:
    """Brings a turn store that notes what it is asked to record."""

    def __init__(self) -> None:
        self.turns = MemoryTurnStore()

    @hookimpl
    def turn_store(self) -> TurnStore:
        return self.turns


async def test_a_turn_is_let_in_and_has_left_before_its_client_knows(make_chat: MakeChat) -> None:
    notes: list[Any] = []
    chat = await make_chat(Door("one", notes), Door("two", notes))
    await chat.say("hello")
    assert notes == [
        ("one", "somebody", "threads.create", False),
        ("two", "somebody", "threads.create", False),
        ("two", "left"),
        ("one", "left"),
    ]


async def test_a_refusal_leaves_nothing_behind(make_chat: MakeChat) -> None:
    store, turns, first, door = MemoryStorePlugin(), KeepsTurns(), Door("first"), Door()
    chat = await make_chat(store, turns, first, door)
    door.refuses = True
    body = {"messages": [{"role": "user", "content": "hello"}]}
    response = await chat.post(body)
    assert (response.status, response.headers["Retry-After"]) == (429, "7")
    assert await response.json() == {"message": "Not now."}
    assert (await chat.ask("threads.list"))["data"] == []
    assert not turns.turns._rows
    assert first.notes == [
        ("first", "somebody", "plain", False),
        ("first", "TooManyRequests"),
    ]


async def test_a_refused_message_ends_no_answer(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    door, gate = Door(), Gate()
    chat = await make_chat(door, **served_by(model_server))
    model_server.reply("One, ", gate, "two.")
    running = asyncio.create_task(chat.plain("Count"))
    await gate.reached()
    [thread] = (await chat.ask("threads.list"))["data"]
    door.refuses = True
    message = {"messages": [{"role": "user", "content": "Stop"}], "thread_id": thread["id"]}
    assert await chat.refused(message) == (429, "Not now.")
    gate.open()
    assert (await running).data[-1]["status"] == "completed"


async def test_a_turn_that_is_refused_after_all(make_chat: MakeChat) -> None:
    door = Door()
    chat = await make_chat(door, Refuses())
    assert await chat.refused({"messages": [{"role": "user", "content": "a"}]}) == (409, "Closed.")
    assert door.notes == [("door", "somebody", "plain", False), ("door", "Conflict")]


async def test_a_claim_that_is_refused(make_chat: MakeChat, model_server: ModelServer) -> None:
    door, gate = Door(), Gate()
    turns = {"when_busy": "reject"}
    chat = await make_chat(door, turns=turns, **served_by(model_server))
    model_server.reply("One, ", gate, "two.")
    running = asyncio.create_task(chat.plain("Count"))
    await gate.reached()
    [thread] = (await chat.ask("threads.list"))["data"]
    message = {"messages": [{"role": "user", "content": "Stop"}], "thread_id": thread["id"]}
    assert (await chat.refused(message))[0] == 409
    assert door.notes[-1] == ("door", "Conflict")
    gate.open()
    await running
    assert door.notes[-1] == ("door", "left")


async def test_a_repeated_request_is_not_asked_about(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    door, gate = Door(), Gate()
    chat = await make_chat(door, **served_by(model_server))
    chat.headers["Idempotency-Key"] = "k"
    model_server.reply("One, ", gate, "two.")
    both = [asyncio.create_task(chat.plain("Count")) for _ in range(2)]
    await gate.reached()
    gate.open()
    for streamed in await asyncio.gather(*both):
        assert streamed.data[-1]["status"] == "completed"
    assert door.notes == [("door", "somebody", "plain", False), ("door", "left")]


async def test_an_action_is_asked_about_once_and_leaves_after_the_agent(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    door = Door()
    chat = await make_chat(door, Acts(), **served_by(model_server))
    model_server.reply("Hello.")
    thread_id = (await chat.say("hello")).thread_id
    door.notes.clear()
    model_server.reply("You clicked.")
    streamed = await chat.stream(
        "threads.custom_action",
        thread_id=thread_id,
        item_id=None,
        action={"type": "x", "payload": {}},
    )
    assert streamed.text == "You clicked."
    assert door.notes == [("door", "somebody", "threads.custom_action", True), ("door", "left")]


async def test_a_client_that_leaves_ends_the_turn_and_its_place(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    door, gate = Door(), Gate()
    turns = {"disconnect": {"policy": "cancel", "grace": "10ms"}}
    chat = await make_chat(door, turns=turns, **served_by(model_server))
    model_server.reply("One, ", gate, "two.")
    response = await chat.post({"messages": [{"role": "user", "content": "Count"}]})
    await gate.reached()
    response.close()
    await until(lambda: door.notes[-1] == ("door", "left"))
    gate.open()


class ReturnsEarly:
    """Holds nothing for this turn."""

    @hookimpl
    async def admit(self, user: User) -> AsyncIterator[None]:
        if user.id != "somebody":
            yield


class YieldsTwice:
    @hookimpl
    async def admit(self) -> AsyncIterator[None]:
        yield
        yield


class FailsAtTheEnd:
    @hookimpl
    async def admit(self) -> AsyncIterator[None]:
        yield
        raise ValueError("oh")


class Fails:
    @hookimpl
    async def admit(self) -> None:
        raise ValueError("oh")


@pytest.mark.parametrize(
    ("plugin", "told"),
    [
        (ReturnsEarly(), ""),
        (YieldsTwice(), "`admit` has more than one `yield`"),
        (FailsAtTheEnd(), "ValueError"),
    ],
)
async def test_what_a_plugin_does_wrong_at_the_end_is_logged(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture, plugin: object, told: str
) -> None:
    door = Door()
    chat = await make_chat(door, plugin)
    assert (await chat.say("hello")).error is None
    assert door.notes[-1] == ("door", "left")
    assert told in caplog.text
    assert bool(told) == ("admit failed" in caplog.text)


async def test_a_plugin_that_fails_refuses_the_turn_unless_it_may_be_skipped(
    make_chat: MakeChat,
) -> None:
    chat = await make_chat(Fails())
    assert (await chat.refused({"messages": [{"role": "user", "content": "a"}]}))[0] == 500
    chat = await make_chat(Fails(), hooks={"policies": {"Fails_0": "skip"}})
    assert (await chat.say("hello")).error is None
