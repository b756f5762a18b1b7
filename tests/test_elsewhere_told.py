"""What a process tells of a turn that another one ran, when only the stores know of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from chatkit.types import ThreadItemDoneEvent

from chatkit_server import User
from chatkit_server.client.events import EventReader
from chatkit_server.elsewhere.saved import load_turn
from chatkit_server.events.partial import PartialAnswer
from chatkit_server.ids import new_id
from chatkit_server.storage import StoreContext
from chatkit_server.testing.model_server import Gate, ModelServer
from chatkit_server.web.keys import ELSEWHERE
from tests.client import Chat
from tests.conftest import MakeChat
from tests.conversing import Page
from tests.serving import served_by
from tests.test_elsewhere import (
    HALF,
    PIECES,
    QUICK,
    TEXT,
    Deployment,
    begin,
    frames_until,
    streamed,
    until_over,
)
from tests.test_resume import create, get

Two = Callable[[], Awaitable[tuple[Chat, Chat]]]


@pytest.fixture
def two(make_chat: MakeChat, model_server: ModelServer) -> Two:
    """Return a factory of two processes that share stores, and no event log."""

    async def start() -> tuple[Chat, Chat]:
        deployment = Deployment(lambda: None)
        turns = {**QUICK, "disconnect": {"policy": "continue"}}
        sections = {**served_by(model_server), "turns": turns}
        return await make_chat(deployment, **sections), await make_chat(deployment, **sections)

    return start


async def test_a_later_turn_does_not_tell_what_was_asked_earlier(
    two: Two, model_server: ModelServer
) -> None:
    one, other = await two()
    model_server.reply("Hello.")
    thread_id = (await one.say("Hello")).thread_id
    model_server.reply(TEXT)
    answered = await one.say("Again", thread_id)
    turn_id = answered.response.headers["X-Turn-Id"]
    told = await other.read(await get(other, f"turns/{turn_id}/events"))
    assert Page().show(*told.data).texts == ["Again", TEXT]


async def test_what_is_told_from_the_stores_comes_whole_or_not_at_all(
    two: Two, model_server: ModelServer
) -> None:
    one, other = await two()
    gate = Gate()
    model_server.reply(*PIECES[:3], gate, *PIECES[3:])
    response, _ = await begin(one, create("Hello"), frames_until(HALF))
    turn_id = response.headers["X-Turn-Id"]
    gate.open()
    await response.read()
    await until_over(other, turn_id)
    frames = (await (await get(other, f"turns/{turn_id}/events")).read()).split(b"\n\n")[:-1]
    assert [frame.startswith(b"id: ") for frame in frames] == [False] * (len(frames) - 1) + [True]
    # Who has all of it gets no more, wherever
    seen = streamed(response, [frame + b"\n\n" for frame in frames]).ids[-1]
    for chat in (one, other):
        rest = await get(chat, f"turns/{turn_id}/events", **{"Last-Event-ID": seen})
        assert (rest.status, await rest.read()) == (200, b": end\n")
        again = await chat.post(create("Hello"), headers={"Last-Event-ID": seen})
        assert (again.status, await again.read()) == (200, b": end\n")


async def test_what_was_saved_since_a_partial_answer_is_told_by_its_own_events(
    two: Two, model_server: ModelServer
) -> None:
    one, other = await two()
    model_server.reply(TEXT)
    answered = await one.say("Hello")
    turn_id = answered.response.headers["X-Turn-Id"]
    watch = other.client.app[ELSEWHERE]
    context = StoreContext(User("somebody"))
    record = await watch._turn_store.find(turn_id, context.user)
    assert record is not None
    asked = answered.data[1]["item"]
    running = replace(record, state="running")
    partial = PartialAnswer(saved=[asked["id"]], events=2)
    for state, texts in ((running, ["Hello"]), (record, ["Hello", TEXT])):
        saved = await load_turn(state, partial, watch._store, context, lambda item, _: item)
        done = [ThreadItemDoneEvent(item=item).model_dump(mode="json") for item in saved.items]
        assert Page().show(*done).texts == texts


async def test_a_turn_whose_message_was_never_saved_does_not_tell_the_one_before(
    two: Two, model_server: ModelServer
) -> None:
    one, other = await two()
    model_server.reply(TEXT)
    answered = await one.say("Hello")
    watch = other.client.app[ELSEWHERE]
    context = StoreContext(User("somebody"))
    record = await watch._turn_store.find(answered.response.headers["X-Turn-Id"], context.user)
    assert record is not None
    later = replace(record, id=new_id("turn"), operation="threads.add_user_message", state="failed")
    for state, texts in ((record, ["Hello", TEXT]), (later, [])):
        saved = await load_turn(state, PartialAnswer(), watch._store, context, lambda item, _: item)
        done = [ThreadItemDoneEvent(item=item).model_dump(mode="json") for item in saved.items]
        assert Page().show(*done).texts == texts


async def test_a_stream_whose_stores_fail_is_cut_off_and_goes_on(
    two: Two, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await two()
    gate = Gate()
    model_server.reply(*PIECES[:3], gate, *PIECES[3:])
    response, _ = await begin(one, create("Hello"), frames_until(HALF))
    turn_id = response.headers["X-Turn-Id"]
    following = await get(other, f"turns/{turn_id}/events")
    first = await following.content.readuntil(b"\n\nid: ")
    [mirror] = other.client.app[ELSEWHERE]._mirrors.values()

    async def fail(*_: object) -> None:
        raise OSError("the database is away")

    monkeypatch.setattr(mirror, "_look", fail)
    async with asyncio.timeout(20):
        rest = await following.content.read()
    assert b"HTTP/1.1" not in first + rest
    assert b": end" not in rest
    gate.open()
    again = await other.read(await get(other, f"turns/{turn_id}/events"))
    assert Page().show(*again.data).texts == ["Hello", TEXT]
    await response.read()


def test_events_without_an_id_count_when_that_of_a_later_one_has_come() -> None:
    told = b'data: {"n": 1}\n\ndata: {"n": 2}\n\nid: t:5\ndata: {"n": 3}\n\n'
    reader = EventReader()
    assert list(reader.read(told[:40])) == []
    assert [(event.id, event.data["n"]) for event in reader.read(told[40:])] == [
        ("t:5", 1),
        ("t:5", 2),
        ("t:5", 3),
    ]
    # Another server has no ids
    assert [event.data["n"] for event in EventReader(numbered=False).read(told[:40])] == [1, 2]
