"""Turns that another process runs: followed, found, joined, kept running and stopped here."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse
from chatkit_plugins.redis_events import Config, RedisEventLog

from chatkit_server import Unavailable, User, hookimpl
from chatkit_server.elsewhere import turns as elsewhere_turns
from chatkit_server.events import shared as shared_events
from chatkit_server.storage import (
    EventLog,
    HeartbeatSignal,
    MemoryEventLog,
    MemoryTurnStore,
    TurnRecord,
)
from chatkit_server.testing.memory_store import MemoryStore
from chatkit_server.testing.model_server import Gate, ModelServer
from chatkit_server.web.keys import ELSEWHERE, ENGINE, HEARTBEAT
from tests.client import Chat, Streamed
from tests.conftest import MakeChat
from tests.conversing import Page
from tests.redis_server import redis_server
from tests.serving import served_by
from tests.test_resume import cancel, create, get, state

PIECES = ("Grüße", ", ", "日本", " and ", "🎈", ".")
TEXT = "".join(PIECES)
HALF = "".join(PIECES[:3])

PLAIN = {"messages": [{"role": "user", "content": "Hello"}]}

QUICK = {"stale": "400ms", "limits": {"followers": 50}}
"""Heartbeats every 50 ms: what is saved of a turn is as old as that."""

Carrier = Callable[[], EventLog | None]


class Deployment:
    """What processes share: the conversations, the turns, and perhaps an event log."""

    def __init__(self, carrier: Carrier) -> None:
        self.memory = MemoryStore()
        self.turns = MemoryTurnStore()
        self.carrier = carrier

    @hookimpl
    def store(self) -> MemoryStore:
        return self.memory

    @hookimpl
    def turn_store(self) -> MemoryTurnStore:
        return self.turns

    @hookimpl
    def event_log(self) -> EventLog | None:
        return self.carrier()


@pytest.fixture(params=["database", "memory", "redis"])
async def carrier(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Carrier]:
    """What carries events from one process to the other."""
    monkeypatch.setattr(shared_events, "IDLE", 0.05)
    if request.param == "database":
        yield lambda: None
    elif request.param == "memory":
        first = MemoryEventLog()
        yield lambda: MemoryEventLog(first)
    else:
        async with redis_server() as server:
            yield lambda: RedisEventLog(Config(url=server.url))


Two = Callable[..., Awaitable[tuple[Chat, Chat]]]


@pytest.fixture
def two(make_chat: MakeChat, model_server: ModelServer, carrier: Carrier) -> Two:
    """Return a factory of two processes of one deployment."""

    async def start(**turns: Any) -> tuple[Chat, Chat]:
        deployment = Deployment(carrier)
        sections = {**served_by(model_server), "turns": {**QUICK, **turns}}
        return await make_chat(deployment, **sections), await make_chat(deployment, **sections)

    return start


async def begin(
    chat: Chat, body: dict[str, Any], events: int, **headers: str
) -> tuple[ClientResponse, list[bytes]]:
    """Send a request, and read so many frames of its stream."""
    response = await chat.post(body, headers=headers)
    assert response.status == 200, await response.text()
    return response, [await response.content.readuntil(b"\n\n") for _ in range(events)]


def streamed(response: ClientResponse, frames: list[bytes]) -> Streamed:
    lines = b"".join(frames).decode().split("\n")
    ids = [line[4:] for line in lines if line.startswith("id: ")]
    data = [orjson.loads(line[6:]) for line in lines if line.startswith("data: ")]
    return Streamed(response, ids, data)


def frames_until(text: str) -> int:
    """Return how many events there are until this much text has come."""
    before = len(["thread.created", "item.done", "stream_options", "item.added", "part.added"])
    return before + next(n for n in range(7) if "".join(PIECES[:n]) == text)


async def until(holds: Callable[[], Any]) -> None:
    """Wait until that holds, or answers that it does."""
    async with asyncio.timeout(20):
        while True:
            held = holds()
            if await held if inspect.isawaitable(held) else held:
                return
            await asyncio.sleep(0.01)


async def until_saved(chat: Chat, turn_id: str, events: int) -> None:
    """Wait until a heartbeat has saved what the turn has said until this event."""

    async def is_saved() -> bool:
        return ((await state(chat, turn_id))["events"] or 0) >= events

    await until(is_saved)


async def until_over(chat: Chat, turn_id: str) -> dict[str, Any]:
    """Wait until a turn has ended, and return what is told of it."""

    async def is_over() -> bool:
        return bool((await state(chat, turn_id))["state"] != "running")

    await until(is_over)
    return await state(chat, turn_id)


async def test_a_stream_goes_on_at_another_process_after_any_event(
    two: Two, model_server: ModelServer
) -> None:
    one, other = await two(disconnect={"policy": "continue"})
    gate = Gate()
    model_server.reply(*PIECES[:3], gate, *PIECES[3:])
    response, frames = await begin(one, create("Hello"), frames_until(HALF))
    turn_id = response.headers["X-Turn-Id"]
    heard = streamed(response, frames)
    assert heard.text == HALF

    async def go_on(seen: int) -> Page:
        page = Page().show(*streamed(response, frames[:seen]).data)
        after = heard.ids[seen - 1] if seen else f"{turn_id}:0"
        events = await get(other, f"turns/{turn_id}/events", **{"Last-Event-ID": after})
        rest = await other.read(events)
        numbers = [int(id.rpartition(":")[2]) for id in rest.ids]
        assert numbers == sorted(numbers)
        return page.show(*rest.data)

    pages = [asyncio.create_task(go_on(seen)) for seen in range(len(frames) + 1)]
    await until_saved(other, turn_id, len(frames))
    gate.open()
    for page in await asyncio.gather(*pages):
        assert page.texts == ["Hello", TEXT]
        assert not page.errors
        if page.thread is not None:
            assert page.thread["id"] == heard.thread_id
    # and once more when it has ended
    for seen in (0, 3, len(frames)):
        assert (await go_on(seen)).texts == ["Hello", TEXT]
    await one.read(response)


async def test_a_plain_stream_goes_on_at_another_process(
    two: Two, model_server: ModelServer
) -> None:
    one, other = await two(disconnect={"policy": "continue"})
    gate = Gate()
    model_server.reply(*PIECES[:3], gate, *PIECES[3:])
    response, frames = await begin(one, PLAIN, 4)
    turn_id = response.headers["X-Turn-Id"]
    heard = streamed(response, frames)
    assert heard.text == HALF

    def text(data: list[dict[str, Any]]) -> str:
        shown = ""
        for line in data:
            shown = "" if line.get("withdrawn") else shown + line.get("content", "")
        return shown

    async def go_on(seen: int) -> str:
        after = heard.ids[seen - 1] if seen else f"{turn_id}:0"
        events = await get(other, f"turns/{turn_id}/events", **{"Last-Event-ID": after})
        rest = await other.read(events)
        assert rest.data[-1]["done"]
        return text(heard.data[:seen] + rest.data)

    streams = [asyncio.create_task(go_on(seen)) for seen in range(len(frames) + 1)]
    await until_saved(other, turn_id, len(frames))
    gate.open()
    assert await asyncio.gather(*streams) == [TEXT] * 5
    for seen in range(len(frames) + 1):
        assert await go_on(seen) == TEXT
    await one.read(response)


@pytest.mark.parametrize("seen", [2, 5, 8])
async def test_stop_reaches_a_turn_of_another_process(
    two: Two, model_server: ModelServer, seen: int
) -> None:
    one, other = await two()
    model_server.reply(*PIECES[:3], Gate())
    response, _ = await begin(one, create("Hello"), seen)
    turn_id = response.headers["X-Turn-Id"]
    following = asyncio.create_task(get(other, f"turns/{turn_id}/events"))
    cancelled = await cancel(other, turn_id)
    described = await cancelled.json()
    assert (cancelled.status, described["state"]) == (200, "cancelled")
    page = Page().show(*(await other.read(await following)).data)
    assert page.errors == ["The answer was stopped."]
    again = await cancel(other, turn_id)
    assert (again.status, await again.json()) == (200, described)
    await response.read()


async def test_the_turn_of_a_thread_is_found_at_another_process(
    two: Two, model_server: ModelServer
) -> None:
    one, other = await two()
    gate = Gate()
    model_server.reply(*PIECES[:3], gate)
    response, frames = await begin(one, create("Hello"), frames_until(HALF))
    turn_id = response.headers["X-Turn-Id"]
    thread_id = streamed(response, frames).thread_id
    await until_saved(other, turn_id, len(frames))
    found = await (await get(other, f"threads/{thread_id}/turn")).json()
    assert found == await state(one, turn_id)
    for path in (f"threads/{thread_id}/turn", f"turns/{turn_id}/events", f"turns/{turn_id}"):
        assert (await get(other, path, **{"X-User": "ann"})).status == 404
    gate.open()
    await response.read()
    ended = await state(other, turn_id)
    assert (ended["state"], ended["events"]) == ("completed", None)


@pytest.mark.parametrize(
    "header", ["Idempotency-Key", "chatkit-frame-instance-id", "Last-Event-ID"]
)
async def test_a_repeated_request_joins_the_turn_of_another_process(
    two: Two, model_server: ModelServer, header: str
) -> None:
    one, other = await two()
    gate = Gate()
    model_server.reply(*PIECES[:3], gate, *PIECES[3:])
    marks = {"Idempotency-Key": "k", "chatkit-frame-instance-id": "f"}
    response, frames = await begin(one, create("Hello"), 4, **{header: marks.get(header, "")})
    heard = streamed(response, frames)
    mark = heard.ids[-1] if header == "Last-Event-ID" else marks[header]
    joined = await other.post(create("Hello"), headers={header: mark})
    assert joined.headers["X-Turn-Id"] == response.headers["X-Turn-Id"]
    gate.open()
    rest = await other.read(joined)
    page = Page().show(*(heard.data if header == "Last-Event-ID" else ()), *rest.data)
    assert page.texts == ["Hello", TEXT]
    await response.read()
    assert len(model_server.requests) == 1
    if header != "chatkit-frame-instance-id":
        # with a key, also after the end
        after = await other.read(await other.post(create("Hello"), headers={header: mark}))
        page = Page().show(*(heard.data if header == "Last-Event-ID" else ()), *after.data)
        assert page.texts == ["Hello", TEXT]
        assert len(model_server.requests) == 1
    if header == "Idempotency-Key":
        status, message = await other.refused(create("Goodbye"), headers={header: mark})
        assert status == 422
        assert "another request used this key" in message


async def test_a_whole_plain_answer_is_joined_at_another_process(
    two: Two, model_server: ModelServer
) -> None:
    one, other = await two()
    gate = Gate()
    model_server.reply(*PIECES[:3], gate, *PIECES[3:])
    body = {**PLAIN, "stream": False}
    key = {"Idempotency-Key": "k"}
    asking = asyncio.create_task(one.post(body, headers=key))
    await gate.reached()
    joining = asyncio.create_task(other.post(body, headers=key))
    gate.open()
    first, second = await (await asking).json(), await (await joining).json()
    for name in ("thread_id", "content", "done", "status"):
        assert second[name] == first[name]
    assert second["content"] == TEXT
    assert len(model_server.requests) == 1


async def test_a_new_message_interrupts_the_turn_of_another_process(
    two: Two, model_server: ModelServer
) -> None:
    one, other = await two()
    model_server.reply(*PIECES[:3], Gate())
    response, frames = await begin(one, create("Hello"), frames_until(HALF))
    heard = streamed(response, frames)
    model_server.reply("Goodbye.")
    assert (await other.say("Stop", heard.thread_id)).text == "Goodbye."
    assert b"The answer was stopped" in await response.read()
    page = await other.ask("items.list", thread_id=heard.thread_id, order="asc")
    assert Page().show(*({"type": "thread.item.done", "item": i} for i in page["data"])).texts == [
        "Hello",
        HALF,
        "Stop",
        "Goodbye.",
    ]


@pytest.mark.parametrize("way", ["follow", "look", "turn"])
async def test_a_user_who_comes_back_to_another_process_keeps_the_turn(
    two: Two, model_server: ModelServer, way: str
) -> None:
    one, other = await two(disconnect={"policy": "cancel", "grace": "600ms"})
    gate = Gate()
    model_server.reply(*PIECES[:3], gate, *PIECES[3:])
    response, frames = await begin(one, create("Hello"), frames_until(HALF))
    turn_id, thread_id = response.headers["X-Turn-Id"], streamed(response, frames).thread_id
    running = one.client.app[ENGINE].turns._known[turn_id]
    response.close()
    await until(lambda: "abandoned" in running._timers)
    if way == "follow":
        following = await get(other, f"turns/{turn_id}/events")
    elif way == "look":
        await other.ask("threads.get_by_id", thread_id=thread_id)
    else:
        assert (await get(other, f"threads/{thread_id}/turn")).status == 200
    # longer than the grace: it would have been stopped by then
    await asyncio.sleep(1.0)
    gate.open()
    ended = await until_over(other, turn_id)
    assert ended["state"] == "completed"
    if way == "follow":
        assert Page().show(*(await other.read(following)).data).texts == ["Hello", TEXT]


async def test_a_turn_that_nobody_follows_any_more_at_another_process_is_stopped(
    two: Two, model_server: ModelServer
) -> None:
    one, other = await two(disconnect={"policy": "cancel", "grace": "600ms"})
    model_server.reply(*PIECES[:3], Gate())
    response, _ = await begin(one, create("Hello"), frames_until(HALF))
    turn_id = response.headers["X-Turn-Id"]
    following = await get(other, f"turns/{turn_id}/events")
    response.close()
    await following.content.readuntil(b"\n\n")
    following.close()
    ended = await until_over(other, turn_id)
    assert ended["state"] == "cancelled"


async def nothing(*_: object) -> None:
    pass


async def test_followers_learn_of_a_process_that_died(
    two: Two, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await two(disconnect={"policy": "continue"})
    model_server.reply(*PIECES[:3], Gate())
    response, frames = await begin(one, create("Hello"), frames_until(HALF))
    turn_id = response.headers["X-Turn-Id"]
    following = await get(other, f"turns/{turn_id}/events")
    await until_saved(other, turn_id, len(frames))
    # No heartbeat any more, and no word
    monkeypatch.setattr(one.client.app[HEARTBEAT], "_beat", nothing)
    rest = await other.read(following)
    page = Page().show(*rest.data)
    assert page.texts == ["Hello", HALF]
    assert page.errors == ["The server stopped before the answer was complete."]
    # It hears that it counts as dead
    monkeypatch.undo()
    assert b"The answer was interrupted." in await response.read()


@pytest.mark.parametrize("body", [create("Hello"), PLAIN], ids=["chatkit", "plain"])
async def test_what_others_saw_before_a_process_died_is_saved(
    two: Two,
    model_server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    carrier: Carrier,
    body: dict[str, Any],
) -> None:
    one, other = await two(disconnect={"policy": "continue"})
    heartbeat = one.client.app[HEARTBEAT]
    # It dies before a heartbeat has saved anything of the answer
    monkeypatch.setattr(
        heartbeat, "_signal", lambda running: HeartbeatSignal(running.id, running.attempt)
    )
    model_server.reply(*PIECES[:3], Gate())
    response = await one.post(body)
    turn_id = response.headers["X-Turn-Id"]
    is_carried = carrier() is not None
    watched = await get(other, f"turns/{turn_id}/events") if is_carried else response
    while PIECES[2] not in (await watched.content.readuntil(b"\n\n")).decode():
        pass
    monkeypatch.setattr(heartbeat, "_beat", nothing)
    await until_over(other, turn_id)
    thread_id = (await state(other, turn_id))["thread_id"]
    items = (await other.ask("threads.get_by_id", thread_id=thread_id))["items"]["data"]
    said = [item for item in items if item["type"] == "assistant_message"]
    texts = ["".join(part["text"] for part in item["content"]) for item in said]
    assert texts == ([HALF] if is_carried else [])
    response.close()
    watched.close()


async def test_a_process_that_stops_sends_followers_away(
    two: Two, model_server: ModelServer
) -> None:
    one, other = await two(disconnect={"policy": "continue"})
    gate = Gate()
    model_server.reply(*PIECES[:3], gate, *PIECES[3:])
    response, _ = await begin(one, create("Hello"), frames_until(HALF))
    turn_id = response.headers["X-Turn-Id"]
    following = await get(other, f"turns/{turn_id}/events")
    await following.content.readuntil(b"\n\n")
    other.client.app[ELSEWHERE].close()
    assert b": end" not in await following.content.read()
    refused = await get(other, f"turns/{turn_id}/events")
    assert refused.status == 503
    gate.open()
    assert (await one.read(response)).text == TEXT[len(HALF) :]


async def test_cancel_does_not_wait_for_ever(
    two: Two, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await two()
    model_server.reply(*PIECES[:3], Gate())
    response, _ = await begin(one, create("Hello"), frames_until(HALF))
    turn_id = response.headers["X-Turn-Id"]
    monkeypatch.setattr(elsewhere_turns, "CANCEL_WAIT", 0)
    asked = await cancel(other, turn_id)
    assert asked.status == 202
    assert (await asked.json())["state"] == "running"
    # It was asked for all the same
    assert b"The answer was stopped" in await response.read()


async def test_followers_come_again_when_the_database_was_away(
    two: Two, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await two(disconnect={"policy": "continue"})
    gate = Gate()
    model_server.reply(*PIECES[:3], gate, *PIECES[3:])
    response, frames = await begin(one, create("Hello"), frames_until(HALF))
    turn_id = response.headers["X-Turn-Id"]
    watch = other.client.app[ELSEWHERE]
    real = watch._turn_store

    class Away(MemoryTurnStore):
        async def find(self, turn_id: str, user: User) -> TurnRecord | None:
            raise Unavailable("The database is away.")

    monkeypatch.setattr(watch, "_turn_store", Away())
    async with other.client.get(f"{other.path}/turns/{turn_id}/events?after=2") as following:
        assert b": end" not in await following.content.read()
    monkeypatch.setattr(watch, "_turn_store", real)
    gate.open()
    rest = await other.read(await get(other, f"turns/{turn_id}/events", 2))
    assert Page().show(*streamed(response, frames[:2]).data, *rest.data).texts == ["Hello", TEXT]
    await response.read()
