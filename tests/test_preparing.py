"""Before a turn begins: who is asked once, who is told of a refusal, and what a refusal leaves."""

from __future__ import annotations

import asyncio
from copy import copy
from typing import Any

import pytest
from aiohttp import ClientError
from chatkit.types import ProgressUpdateEvent

from chatkit_server import Forbidden, Outcome, Turn, Unavailable, hookimpl
from chatkit_server.storage import StoreContext
from chatkit_server.testing.model_server import Gate, ModelServer
from chatkit_server.turns.failures import GENERAL
from chatkit_server.web.keys import ENGINE, HEARTBEAT
from tests.conftest import MakeChat
from tests.replicas import Start, begin, grow_old, request
from tests.serving import served_by
from tests.stores import query

HELLO = {"messages": [{"role": "user", "content": "hello"}]}


class Witness:
    """Notes which of its hooks were called, and with which turn and outcome."""

    def __init__(self, refuse_with: Exception | None = None) -> None:
        self.refuse_with = refuse_with
        self.prepared: list[str] = []
        self.ended: list[tuple[str, str]] = []
        self.outcome: Outcome | None = None

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        self.prepared.append(turn.id)
        if self.refuse_with is not None:
            raise self.refuse_with

    @hookimpl
    async def post_turn(self, turn: Turn, outcome: Outcome) -> None:
        self.ended.append((turn.id, outcome.status))
        self.outcome = outcome


class OnlyEnds:
    """Has a `post_turn` and no `pre_turn`."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    @hookimpl
    async def post_turn(self, outcome: Outcome) -> None:
        self.ended.append(outcome.status)


class Held:
    """Keeps turns in `pre_turn` until it is opened."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    @hookimpl
    async def pre_turn(self) -> None:
        self.entered.set()
        await self.open.wait()


async def test_all_whose_pre_turn_ran_are_told_of_a_refusal_once(make_chat: MakeChat) -> None:
    first, refuses, never_asked = Witness(), Witness(Forbidden("Not today.")), Witness()
    only_ends = OnlyEnds()
    chat = await make_chat(first, refuses, never_asked, only_ends)
    assert await chat.refused(HELLO) == (403, "Not today.")
    [turn_id] = first.prepared
    assert first.ended == refuses.ended == [(turn_id, "refused")]
    assert (never_asked.prepared, never_asked.ended, only_ends.ended) == ([], [], [])
    outcome = first.outcome
    assert outcome is not None
    assert (outcome.error, outcome.items, outcome.tools) == ("Not today.", [], [])
    assert outcome.model == "demo/todo"


async def test_an_unforeseen_error_before_a_turn_is_told_and_logged_as_one_within_it(
    make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    witness = Witness()
    chat = await make_chat(witness)
    thread_id = (await chat.say("hello")).thread_id
    begun, store = len(witness.prepared), chat.client.server.app[ENGINE].store  # type: ignore[attr-defined]

    async def odd(*_: object, **__: object) -> None:
        raise ZeroDivisionError("odd")

    store.load_thread_items = odd
    assert await chat.refused(request("Go on", thread_id)) == (500, GENERAL)
    assert len(witness.prepared) == begun
    [record] = [r for r in caplog.records if r.exc_info]
    assert record.getMessage().startswith("turn turn_")
    assert f" failed: {GENERAL} (ZeroDivisionError in " in record.getMessage()
    assert record.getMessage().endswith("; user somebody)")
    assert isinstance(record.exc_info, tuple)
    assert isinstance(record.exc_info[1], ZeroDivisionError)


async def test_hooks_know_who_asks_for_what(make_chat: MakeChat, model_server: ModelServer) -> None:
    seen: list[Turn] = []

    class Looks:
        @hookimpl
        async def agent(self, turn: Turn) -> None:
            seen.append(copy(turn))

        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            seen.append(turn)

    sections = served_by(model_server, model_settings={"temperature": 0.5})
    chat = await make_chat(Looks(), **sections)
    streamed = await chat.say("hello")
    for turn in seen:
        assert (turn.user.id, turn.operation) == ("somebody", "threads.create")
        assert turn.id == streamed.response.headers["X-Turn-Id"]
        assert turn.store_context is turn.request_context
        assert turn.request_context == StoreContext(turn.user, turn.id, 1)
        assert (turn.model, turn.model_settings.temperature) == ("test/model", 0.5)


async def test_an_error_of_the_agent_hook_is_nobodys_turn(make_chat: MakeChat) -> None:
    class NoAgent:
        @hookimpl
        async def agent(self) -> None:
            raise Forbidden("No agent for you.")

    witness = Witness()
    chat = await make_chat(witness, NoAgent())
    assert await chat.refused(HELLO) == (403, "No agent for you.")
    assert (witness.prepared, witness.ended) == ([], [])


async def test_a_completed_turn_is_told_to_all(make_chat: MakeChat) -> None:
    witness, only_ends = Witness(), OnlyEnds()
    chat = await make_chat(witness, only_ends)
    await chat.plain("hello")
    assert witness.ended == [(witness.prepared[0], "completed")]
    assert only_ends.ended == ["completed"]


async def test_a_refused_turn_leaves_nothing_and_may_be_asked_again(start: Start) -> None:
    witness = Witness(Unavailable("We open at nine."))
    server = await start(witness)
    key = {"Idempotency-Key": "k1"}
    assert await server.chat.refused(request("hello"), headers=key) == (503, "We open at nine.")
    for table in ("turn", "thread", "item"):
        assert await query(f"SELECT * FROM chatkit_{table}") == []
    witness.refuse_with = None
    streamed = await server.chat.read(await server.chat.post(request("hello"), headers=key))
    assert streamed.error is None
    assert [status for _, status in witness.ended] == ["refused", "completed"]


async def test_a_refusal_that_could_not_be_withdrawn_is_withdrawn_later(start: Start) -> None:
    witness = Witness(Forbidden("Not today."))
    server = await start(witness)
    turn_store = server.app[ENGINE].turn_store

    async def withdraw(*_: Any) -> None:
        raise Unavailable("The database has stopped.")

    turn_store.withdraw = withdraw
    assert await server.chat.refused(request("hello")) == (403, "Not today.")
    [row] = await query("SELECT state FROM chatkit_turn")
    assert row["state"] == "running"
    del turn_store.withdraw
    await grow_old()
    await server.sweep()
    assert await query("SELECT * FROM chatkit_turn") == []
    assert [status for _, status in witness.ended] == ["refused"]


async def test_hooks_run_once_where_another_process_has_the_thread(
    start: Start, model_server: ModelServer
) -> None:
    one, witness = await start(), Witness()
    two = await start(witness)
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    model_server.reply("Three.")
    begun = await begin(one.chat, request("Count"), "One, ")
    asked = asyncio.create_task(two.chat.post(request("Go on", begun.thread_id)))
    # The first process is told to end its turn: the second one waits for it
    while not (await query("SELECT cancel FROM chatkit_turn"))[0]["cancel"]:
        pass
    assert witness.prepared == []
    await one.beat()
    gate.open()
    assert (await two.chat.read(await asked)).text == "Three."
    assert len(witness.prepared) == 1
    assert witness.ended == [(witness.prepared[0], "completed")]


async def test_a_slow_hook_is_no_dead_process(start: Start, model_server: ModelServer) -> None:
    held = Held()
    one, two = await start(held), await start()
    model_server.reply("Hello.")
    asked = asyncio.create_task(one.chat.post(request("Hi")))
    await held.entered.wait()
    await grow_old()
    await one.beat()
    await two.sweep()
    held.open.set()
    assert (await one.chat.read(await asked)).text == "Hello."


async def test_a_client_that_leaves_during_a_hook_loses_nothing(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    held = Held()
    chat = await make_chat(
        held, **served_by(model_server), turns={"disconnect": {"policy": "continue"}}
    )
    model_server.reply("Hello.")
    asked = asyncio.create_task(chat.post(HELLO))
    await held.entered.wait()
    asked.cancel()
    engine = chat.client.app[ENGINE]
    [running] = engine.turns.active
    held.open.set()
    await running.ended()
    [thread] = (await chat.ask("threads.list"))["data"]
    items = (await chat.ask("items.list", thread_id=thread["id"], order="asc"))["data"]
    assert [item["content"][0]["text"] for item in items] == ["hello", "Hello."]


async def test_a_repeated_request_joins_a_turn_that_is_still_prepared(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    held = Held()
    chat = await make_chat(held, **served_by(model_server))
    model_server.reply("Hello.")
    key = {"Idempotency-Key": "k1"}
    lost = asyncio.create_task(chat.post(HELLO, headers=key))
    await held.entered.wait()
    lost.cancel()
    with pytest.raises((asyncio.CancelledError, ClientError)):
        await lost
    again = asyncio.create_task(chat.post(HELLO, headers=key))
    held.open.set()
    assert (await chat.read(await again)).text == "Hello."
    assert len(model_server.requests) == 1


async def test_a_turn_that_waits_for_its_start_as_the_server_stops_is_refused(
    make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = asyncio.Event()

    async def never(*_: object) -> None:
        waits.set()
        await asyncio.Event().wait()

    witness = Witness()
    chat = await make_chat(witness)
    monkeypatch.setattr(chat.client.app[ENGINE]._turnstile, "enter", never)
    asked = asyncio.create_task(chat.refused(HELLO))
    await waits.wait()
    await chat.client.app[ENGINE].turns.close(0.001)
    status, message = await asked
    assert status == 503
    assert "restarted" in message
    assert (witness.prepared, witness.ended) == ([], [])


async def test_a_turn_that_is_prepared_as_the_server_stops_is_refused(make_chat: MakeChat) -> None:
    held, witness = Held(), Witness()
    chat = await make_chat(witness, held)
    asked = asyncio.create_task(chat.refused(HELLO))
    await held.entered.wait()
    await chat.client.app[ENGINE].turns.close(0.001)
    status, message = await asked
    assert status == 503
    assert "restarted" in message
    assert [status for _, status in witness.ended] == ["refused"]
    assert chat.client.app[HEARTBEAT] is not None


async def test_a_persist_hook_may_stream_once_the_thread_is_there(make_chat: MakeChat) -> None:
    class Eager:
        @hookimpl
        async def persist(self, turn: Turn) -> None:
            await turn.stream(ProgressUpdateEvent(text="saved"))

    chat = await make_chat(Eager())
    types = (await chat.say("hello")).types
    assert types[:3] == ["thread.created", "progress_update", "thread.item.done"]
