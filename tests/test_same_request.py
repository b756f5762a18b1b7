"""One request that two processes get at the same moment: it has one turn, which both answer with.

Both have looked for a turn of the request before either writes one down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from chatkit.actions import Action
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ThreadItemDoneEvent,
    ThreadStreamEvent,
    WidgetItem,
)

from chatkit_server import Forbidden, Turn, hookimpl
from chatkit_server.events import shared as shared_events
from chatkit_server.storage import TurnRecord
from chatkit_server.testing.model_server import Gate, ModelServer
from chatkit_server.web.keys import ENGINE
from tests.client import Chat
from tests.conversing import Page
from tests.databases import DATABASES, new_url
from tests.replicas import Replica, Start, request


class Meeting:
    """Where processes wait before they write a turn down, until so many have come."""

    def __init__(self, *replicas: Replica, many: int | None = None) -> None:
        self.arrived, self.written = asyncio.Event(), asyncio.Event()
        self._many = many or len(replicas)
        self._came = self._wrote = 0
        self._over = asyncio.Event()
        for replica in replicas:
            turn_store = replica.app[ENGINE].turn_store
            turn_store.begin = self._meeting(type(turn_store).begin.__get__(turn_store))
            turn_store.accept = self._meeting(type(turn_store).accept.__get__(turn_store))

    def go_on(self) -> None:
        """Let those go on that have arrived, and all others."""
        self._over.set()

    def _meeting(self, write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def meet(record: TurnRecord, repeat: float = 0.0) -> Any:
            self._came += 1
            self.arrived.set()
            if self._came >= self._many:
                self._over.set()
            await self._over.wait()
            written = await write(record, repeat)
            self._wrote += 1
            if self._wrote >= self._many:
                self.written.set()
            return written

        return meet


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_url(request.param, tmp_path)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_events, "IDLE", 0.05)


async def answer(chat: Chat, body: dict[str, Any], **headers: str) -> tuple[str, str]:
    """Send a request; return the turn that answers it, and the answer."""
    response = await chat.post(body, headers=headers)
    assert response.status == 200, await response.text()
    streamed = await chat.read(response)
    return response.headers["X-Turn-Id"], Page().show(*streamed.data).texts[-1]


@pytest.mark.parametrize("header", ["Idempotency-Key", "chatkit-frame-instance-id"])
@pytest.mark.parametrize("busy", ["interrupt", "reject"])
async def test_a_request_at_two_processes_has_one_turn(
    start: Start, model_server: ModelServer, header: str, busy: str
) -> None:
    one, other = await start(), await start()
    model_server.reply("First.")
    first = await one.chat.say("Hello")
    for thread_id in (None, first.thread_id):
        meeting, gate = Meeting(one, other), Gate()
        model_server.reply(gate, "You said: Again")
        asked = len(model_server.requests)
        body = request("Again", thread_id)
        sent = (answer(each.chat, body, **{header: f"{thread_id}"}) for each in (one, other))
        both = asyncio.gather(*sent)
        await meeting.written.wait()
        gate.open()
        here, there = await both
        assert here == there
        assert here[1] == "You said: Again"
        assert len(model_server.requests) == asked + 1
    assert len((await one.chat.ask("threads.list"))["data"]) == 2
    assert await one.texts(first.thread_id) == ["Hello", "First.", "Again", "You said: Again"]


async def test_a_request_with_another_body_is_refused_at_one(
    start: Start, model_server: ModelServer
) -> None:
    one, other = await start(), await start()
    Meeting(one, other)
    bodies = (request("Hello"), request("Goodbye"))
    sent = (
        each.chat.post(body, headers={"Idempotency-Key": "k"})
        for each, body in zip((one, other), bodies, strict=True)
    )
    responses = await asyncio.gather(*sent)
    assert sorted(response.status for response in responses) == [200, 422]
    for response in responses:
        text = await response.text()
        assert response.status == 200 or "another request used this key" in text
    assert len(model_server.requests) == 1


@pytest.mark.parametrize("waits", [("accepted", "accepted"), ("accepted", "result"), ("result",)])
async def test_a_turn_without_a_page_at_two_processes(
    start: Start, model_server: ModelServer, waits: tuple[str, ...]
) -> None:
    one, other = await start(), await start()
    Meeting(one, other)
    body = {"message": "Hello"}
    sent = (
        each.client.post(
            "/api/chat/turns", json={**body, "wait": wait}, headers={"Idempotency-Key": "k"}
        )
        for each, wait in zip((one, other), (waits * 2)[:2], strict=True)
    )
    responses = await asyncio.gather(*sent)
    told = [await response.json() for response in responses]
    assert [response.status for response in responses] == [
        202 if wait == "accepted" else 200 for wait in (waits * 2)[:2]
    ]
    assert len({response.headers["X-Turn-Id"] for response in responses}) == 1
    assert len({one["thread_id"] for one in told}) == 1
    again = await other.client.post(
        "/api/chat/turns", json={**body, "wait": "result"}, headers={"Idempotency-Key": "k"}
    )
    assert (await again.json())["content"] == "You said: Hello"
    assert len(model_server.requests) == 1


class Counts:
    """Counts the clicks that reach it, and answers them."""

    def __init__(self) -> None:
        self.clicks = 0
        self.gate = asyncio.Event()

    @hookimpl
    async def action(
        self, turn: Turn, action: Action[str, Any], item: WidgetItem | None
    ) -> list[ThreadStreamEvent]:
        self.clicks += 1
        await self.gate.wait()
        text = AssistantMessageContent(text="You clicked.")
        return [ThreadItemDoneEvent(item=turn.new_item(AssistantMessageItem, content=[text]))]


async def test_a_click_at_two_processes_is_one(start: Start, model_server: ModelServer) -> None:
    counts = Counts()
    one, other = await start(counts), await start(counts)
    thread_id = (await one.chat.say("Hello")).thread_id
    meeting = Meeting(one, other)
    params = {"thread_id": thread_id, "action": {"type": "x", "payload": {}}}
    body = {"type": "threads.custom_action", "params": params}
    sent = (answer(each.chat, body, **{"chatkit-frame-instance-id": "f"}) for each in (one, other))
    both = asyncio.gather(*sent)
    await meeting.written.wait()
    counts.gate.set()
    here, there = await both
    assert here == there
    assert counts.clicks == 1


@pytest.mark.parametrize("header", ["Idempotency-Key", "chatkit-frame-instance-id"])
async def test_a_turn_that_ends_before_another_process_would_begin(
    start: Start, model_server: ModelServer, header: str
) -> None:
    one, other = await start(), await start()
    meeting = Meeting(other, many=9)
    late = asyncio.create_task(answer(other.chat, request("Hello"), **{header: "k"}))
    await meeting.arrived.wait()
    first = await answer(one.chat, request("Hello"), **{header: "k"})
    meeting.go_on()
    assert (await late == first) == (header == "Idempotency-Key"), "words may be said again"
    assert len(model_server.requests) == (1 if header == "Idempotency-Key" else 2)


class Refuses:
    """Refuses each turn, once somebody may have joined it."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        await self.gate.wait()
        raise Forbidden("Not today.")


@pytest.mark.parametrize("wait", ["stream", "result"])
async def test_a_refused_turn_is_no_torn_answer_elsewhere(
    start: Start, model_server: ModelServer, wait: str
) -> None:
    refuses = Refuses()
    one, other = await start(refuses), await start(refuses)
    meeting = Meeting(one, other)
    sending = [
        asyncio.create_task(
            each.client.post(
                "/api/chat/turns",
                json={"message": "Hello", "wait": wait},
                headers={"Idempotency-Key": "k"},
            )
        )
        for each in (one, other)
    ]
    await meeting.written.wait()
    refuses.gate.set()
    responses = await asyncio.gather(*sending)
    assert sorted(response.status for response in responses) == [403, 503]
    [joined] = [response for response in responses if response.status == 503]
    assert joined.headers["Retry-After"] == "1"
    assert "Send this once more" in (await joined.json())["message"]
    assert (await one.chat.ask("threads.list"))["data"] == []
