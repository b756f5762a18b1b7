"""A page that watches a thread: it is told when a turn begins there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import ClientResponse
from chatkit.actions import Action
from chatkit.types import NoticeEvent

from chatkit_server import Turn, hookimpl
from chatkit_server.elsewhere.threads import ThreadWatch
from chatkit_server.testing.model_server import Gate, ModelServer
from chatkit_server.web.keys import ENGINE, THREADS
from tests.client import Chat
from tests.conftest import MakeChat
from tests.mcp_calls import until
from tests.serving import served_by

LONG = 50
"""Seconds that no test waits for."""


def watchers(chat: Chat) -> ThreadWatch:
    app = chat.client.app
    assert app is not None
    waiting: ThreadWatch = app[THREADS]
    return waiting


def ask(chat: Chat, thread_id: str, wait: Any, **headers: str) -> asyncio.Task[ClientResponse]:
    url = f"{chat.path}/threads/{thread_id}/turn?wait={wait}"

    async def get() -> ClientResponse:
        return await chat.client.get(url, headers=chat.headers | headers)

    return asyncio.create_task(get())


async def watch(chat: Chat, thread_id: str, **headers: str) -> asyncio.Task[ClientResponse]:
    """Ask for the next turn of a thread, and return when the server waits for it."""
    before = watchers(chat).count
    task = ask(chat, thread_id, LONG, **headers)
    await until(lambda: watchers(chat).count > before or task.done())
    assert not task.done(), await (await task).text()
    return task


async def test_who_watches_a_thread_is_told_of_its_next_turn(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    model_server.reply("Hello")
    thread_id = (await chat.say("Hi")).thread_id
    watching = [await watch(chat, thread_id) for _ in range(3)]
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    saying = asyncio.create_task(chat.say("Count", thread_id))
    for task in watching:
        response = await task
        found = await response.json()
        assert (response.status, found["state"], found["thread_id"]) == (200, "running", thread_id)
    gate.open()
    streamed = await saying
    assert streamed.ids[0].startswith(f"{found['id']}:")
    assert watchers(chat).count == 0


async def test_a_turn_that_runs_is_told_at_once(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(**served_by(model_server))
    model_server.reply("Hello")
    thread_id = (await chat.say("Hi")).thread_id
    gate = Gate()
    model_server.reply(gate, "two.")
    saying = asyncio.create_task(chat.say("Count", thread_id))
    await gate.reached()
    assert (await ask(chat, thread_id, LONG)).status == 200
    gate.open()
    await saying


class Notes:
    """Answers each action with a notice."""

    @hookimpl
    async def action(self, turn: Turn, action: Action[str, Any]) -> list[NoticeEvent]:
        return [NoticeEvent(level="info", message=action.type)]


async def test_an_action_is_told_and_says_that_it_is_one(make_chat: MakeChat) -> None:
    chat = await make_chat(Notes())
    thread_id = (await chat.say("Hi")).thread_id
    task = await watch(chat, thread_id)
    action = {"type": "wave"}
    streamed = await chat.stream("threads.custom_action", thread_id=thread_id, action=action)
    found = await (await task).json()
    assert found["beside"] is True
    assert streamed.ids[0].startswith(f"{found['id']}:")
    assert (await ask(chat, thread_id, 0)).status == 204


async def test_what_others_do_is_not_told(make_chat: MakeChat, model_server: ModelServer) -> None:
    chat = await make_chat(**served_by(model_server))
    model_server.reply("Hello")
    thread_id = (await chat.say("Hi")).thread_id
    bob = await watch(chat, thread_id, **{"X-User": "bob"})
    elsewhere = await watch(chat, "thr_other")
    own = await watch(chat, thread_id)
    model_server.reply("Hello again")
    await chat.say("Hi", thread_id)
    found = await (await own).json()
    assert found["thread_id"] == thread_id
    assert not bob.done()
    assert not elsewhere.done()
    for task in (bob, elsewhere):
        task.cancel()
    await asyncio.gather(bob, elsewhere, return_exceptions=True)
    await until(lambda: watchers(chat).count == 0)


async def test_the_wait_has_an_end(make_chat: MakeChat) -> None:
    chat = await make_chat()
    for wait in (0, 0.01):
        response = await ask(chat, "thr_none", wait)
        assert (response.status, await response.read()) == (204, b"")
    assert watchers(chat).count == 0


@pytest.mark.parametrize("wait", ["soon", "-1", "61", "nan", "inf", ""])
async def test_a_wait_is_a_number_of_seconds(make_chat: MakeChat, wait: str) -> None:
    chat = await make_chat()
    response = await ask(chat, "thr_none", wait)
    assert response.status == 400
    assert (await response.json())["message"] == "wait: a number of seconds, at most 60."


async def test_a_server_that_shuts_down_lets_go(make_chat: MakeChat) -> None:
    chat = await make_chat()
    watching = await watch(chat, "thr_none")
    app = chat.client.app
    assert app is not None
    await app[ENGINE].turns.close(0)
    assert (await watching).status == 204
    assert (await ask(chat, "thr_none", LONG)).status == 204
