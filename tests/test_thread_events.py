"""`GET …/threads/{id}/events`: what happens in a thread, at any process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse
from chatkit.actions import Action
from chatkit.types import NoticeEvent, SyncCustomActionResponse, WidgetItem
from chatkit.widgets import Card, Text

from chatkit_server import StoreContext, Turn, User, hookimpl
from chatkit_server.elsewhere import threads as elsewhere_threads
from chatkit_server.events.places import place_of_thread
from chatkit_server.events.shared import Watchers
from chatkit_server.testing.model_server import Gate, ModelServer
from chatkit_server.web.keys import STORE, THREADS
from tests.client import Chat
from tests.conftest import MakeChat
from tests.conversing import Page
from tests.replicas import request
from tests.serving import served_by
from tests.test_elsewhere import Two, carrier, two
from tests.test_resume import add, cancel

__all__ = ["carrier", "two"]

NOTES = ("thread.watched", "turn.started", "turn.ended", "thread.changed", "thread.removed")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere_threads, "POLL", 0.05)


class Watching:
    """A stream of a thread, as far as it was read."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response
        self.data: list[dict[str, Any]] = []

    async def until(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Read until so many events of this type have come, and return the last one."""
        async with asyncio.timeout(20):
            while True:
                found = [each for each in self.data if each["type"] == kind]
                if len(found) >= count:
                    return found[count - 1]
                await self._read()

    async def of_turn(self, kind: str, turn_id: str) -> None:
        """Read until this was told of a turn."""
        async with asyncio.timeout(20):
            while (kind, turn_id) not in {
                (each["type"], each["turn"]["id"]) for each in self.data if "turn" in each
            }:
                await self._read()

    async def shows(self, *texts: str) -> None:
        """Read until these are the last messages that are shown.

        What was said just before may be told once more.
        """
        async with asyncio.timeout(20):
            while self.page.texts[-len(texts) :] != [*texts]:
                await self._read()

    async def ended(self, event_id: str) -> dict[str, Any]:
        """Read until the turn of an event has ended, and return what is told of it."""
        async with asyncio.timeout(20):
            while True:
                for each in self.data:
                    if each["type"] == "turn.ended" and event_id.startswith(each["turn"]["id"]):
                        turn: dict[str, Any] = each["turn"]
                        return turn
                await self._read()

    async def _read(self) -> None:
        line = await self.response.content.readline()
        assert line, self.data
        if line.startswith(b"data: "):
            self.data.append(orjson.loads(line[6:]))

    @property
    def page(self) -> Page:
        """What is shown after all that was read."""
        return Page().show(*(each for each in self.data if each["type"] not in NOTES))


@asynccontextmanager
async def watching(
    chat: Chat, thread_id: str, query: str = "", **headers: str
) -> AsyncIterator[Watching]:
    """Watch a thread while the block runs."""
    url = f"{chat.path}/threads/{thread_id}/events{query}"
    async with chat.client.get(url, headers=chat.headers | headers) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        watch = Watching(response)
        await watch.until("thread.watched")
        yield watch


async def test_a_second_device_sees_each_answer_as_it_is_written(
    two: Two, model_server: ModelServer
) -> None:
    one, other = await two()
    model_server.reply("Hello.")
    thread_id = (await one.say("Hi")).thread_id
    async with watching(one, thread_id) as near, watching(other, thread_id) as far:
        for text in ("Count", "Once more"):
            gate = Gate()
            model_server.reply("One, ", gate, "two.")
            saying = asyncio.create_task(one.say(text, thread_id))
            for watch in (near, far):
                await watch.shows(text, "One, ")
            gate.open()
            streamed = await saying
            for watch in (near, far):
                await watch.shows(text, "One, two.")
                ended = await watch.ended(streamed.ids[0])
                assert ended["state"] == "completed"
        for watch in (near, far):
            assert watch.page.texts[-4:] == ["Count", "One, two.", "Once more", "One, two."]


async def test_notes_leave_out_what_turns_say(two: Two, model_server: ModelServer) -> None:
    one, other = await two()
    model_server.reply("Hello.")
    thread_id = (await one.say("Hi")).thread_id
    async with watching(other, thread_id, "?turns=notes") as far:
        gate = Gate()
        model_server.reply("One.", gate)
        saying = asyncio.create_task(one.say("Count", thread_id))
        started = await far.until("turn.started")
        gate.open()
        await saying
        ended = await far.until("turn.ended")
        assert started["turn"]["id"] == ended["turn"]["id"]
        assert {each["type"] for each in far.data} <= {*NOTES, "thread.updated"}


async def test_a_turn_whose_news_was_missed_is_told_later(
    two: Two, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await two()
    model_server.reply("Hello.")
    thread_id = (await one.say("Hi")).thread_id
    gate = Gate()
    model_server.reply(gate, "One.")
    async with watching(other, thread_id, "?turns=notes") as far:
        with monkeypatch.context() as patch:
            patch.setattr(Watchers, "tell", lambda *_: None)
            saying = await one.post(request("Count", thread_id))
            await gate.reached()
        other.client.app[THREADS].events.tell(place_of_thread(User("somebody"), thread_id), "")
        await far.of_turn("turn.started", saying.headers["X-Turn-Id"])
        gate.open()
        await far.of_turn("turn.ended", saying.headers["X-Turn-Id"])
        await one.read(saying)


async def test_a_turn_that_runs_is_told_first(two: Two, model_server: ModelServer) -> None:
    one, other = await two()
    gate = Gate()
    model_server.reply(gate, "One.")
    saying = asyncio.create_task(one.say("Count"))
    await gate.reached()
    thread_id = (await one.ask("threads.list"))["data"][0]["id"]
    async with watching(other, thread_id, "?turns=notes") as far:
        started = await far.until("turn.started")
        assert started["turn"]["state"] == "running"
        await cancel(other, started["turn"]["id"])
        ended = await far.until("turn.ended")
        assert ended["turn"]["state"] == "cancelled"
    await saying


async def test_a_change_right_after_an_answer_is_told(two: Two, model_server: ModelServer) -> None:
    one, other = await two()
    model_server.reply("Hello.")
    thread_id = (await one.say("Hi")).thread_id
    async with watching(other, thread_id, "?turns=notes") as far:
        gate = Gate()
        model_server.reply("One.", gate)
        saying = asyncio.create_task(one.say("Count", thread_id))
        await far.until("turn.started")
        gate.open()
        await saying
        await one.ask("threads.update", thread_id=thread_id, title="Greetings")
        while (await far.until("thread.updated"))["thread"]["title"] != "Greetings":
            far.data = [each for each in far.data if each["type"] != "thread.updated"]


async def test_changes_of_the_thread_are_told(two: Two, model_server: ModelServer) -> None:
    one, other = await two()
    model_server.reply("Hello.")
    thread_id = (await one.say("Hi")).thread_id
    async with watching(one, thread_id) as near, watching(other, thread_id) as far:
        # One that is not live compares with what was there when it first looked
        await asyncio.sleep(0.2)
        await one.ask("threads.update", thread_id=thread_id, title="Greetings")
        updated = await near.until("thread.updated")
        assert updated["thread"]["title"] == "Greetings"
        assert (await far.until("thread.updated"))["thread"]["title"] == "Greetings"
        await one.ask("threads.delete", thread_id=thread_id)
        await near.until("thread.removed")
        assert (await near.response.content.read()).strip() == b": end"
        await far.until("thread.removed")
        assert (await far.response.content.read()).strip() == b": end"


class Notices:
    """Answers each action with a notice."""

    @hookimpl
    async def action(self, turn: Turn, action: Action[str, Any]) -> list[NoticeEvent]:
        return [NoticeEvent(level="info", message=action.type)]


async def test_an_action_is_told_as_such(make_chat: MakeChat) -> None:
    chat = await make_chat(Notices())
    thread_id = (await chat.say("Hi")).thread_id
    async with watching(chat, thread_id) as watch:
        action = {"type": "wave"}
        await chat.stream("threads.custom_action", thread_id=thread_id, action=action)
        started = await watch.until("turn.started")
        assert started["turn"]["beside"] is True
        assert (await watch.until("notice"))["message"] == "wave"


class Counter:
    """Shows a widget, and another one after each action."""

    @hookimpl
    async def action(self, turn: Turn, action: Action[str, Any]) -> SyncCustomActionResponse:
        return SyncCustomActionResponse(updated_item=_counter(turn.thread.id, action.type))


def _counter(thread_id: str, text: str) -> WidgetItem:
    now = datetime.now(UTC)
    widget = Card(children=[Text(value=text)])
    return WidgetItem(id="wid_1", thread_id=thread_id, created_at=now, widget=widget)


async def test_an_item_that_an_action_without_a_stream_has_changed_is_told(
    make_chat: MakeChat,
) -> None:
    chat = await make_chat(Counter())
    thread_id = (await chat.say("Hi")).thread_id
    context = StoreContext(User(id="somebody"))
    await chat.client.app[STORE].save_item(thread_id, _counter(thread_id, "0"), context)
    async with watching(chat, thread_id) as watch:
        given = {"thread_id": thread_id, "item_id": "wid_1", "action": {"type": "1"}}
        await chat.ask("threads.sync_custom_action", **given)
        item = (await watch.until("thread.item.done"))["item"]
        assert item["widget"]["children"][0]["value"] == "1"


async def test_threads_of_others_are_not_watched(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    model_server.reply("Hello.")
    thread_id = (await chat.say("Hi")).thread_id
    path = f"{chat.path}/threads/{thread_id}/events"
    for refused, status in (
        (await chat.client.get(path, headers={"X-User": "bob"}), 404),
        (await chat.client.get(f"{chat.path}/threads/thr_none/events"), 404),
        (await chat.client.get(f"{path}?turns=some"), 400),
    ):
        assert refused.status == status
        assert (await refused.json())["message"]
    async with watching(chat, thread_id) as watch:
        model_server.reply("Hello, Bob.")
        await chat.post(add(thread_id, "Hi"), headers={"X-User": "bob"})
        model_server.reply("Hello again.")
        await chat.say("Hi", thread_id)
        assert (await watch.until("turn.started"))["turn"]["thread_id"] == thread_id
        await watch.until("turn.ended")
        assert len(watch.page.texts) == 2


async def test_a_server_that_stops_sends_watchers_away(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    model_server.reply("Hello.")
    thread_id = (await chat.say("Hi")).thread_id
    async with watching(chat, thread_id) as watch:
        chat.client.app[THREADS].close()
        assert (await watch.response.content.read()).strip() == b""
