"""A thread is deleted while something else happens in it, at each step of what happens.

Everybody gets an answer in words, the thread stays deleted, and nothing of it is left.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from chatkit.actions import Action
from chatkit.types import (
    SyncCustomActionResponse,
    ThreadItemDoneEvent,
    ThreadStreamEvent,
    WidgetItem,
)
from chatkit.widgets import Card, Text

from chatkit_server import Turn, hookimpl
from chatkit_server.web.keys import ENGINE, STORE
from tests.client import Chat
from tests.mcp_calls import until
from tests.replicas import Replica, Start, request
from tests.stores import NOON, query

READS = ("load_thread", "load_thread_items", "load_item", "load_threads")
WRITES = (
    "save_thread",
    "delete_thread",
    "add_thread_item",
    "save_item",
    "delete_thread_item",
    "save_attachment",
)
TURNS = ("begin", "end", "withdraw", "find", "find_by_request", "running")


class Helpful:
    """Answers feedback and actions; an action shows a card, or replaces it."""

    @hookimpl
    async def feedback(self, item_ids: Any) -> bool:
        return True

    @hookimpl
    async def action(self, turn: Turn, action: Action[str, Any]) -> Any:
        card = WidgetItem(
            id="msg_card",
            thread_id=turn.thread.id,
            created_at=NOON,
            widget=Card(children=[Text(value=str(action.payload))]),
        )
        if turn.operation == "threads.sync_custom_action":
            return SyncCustomActionResponse(updated_item=card)
        return _shown(card)


async def _shown(card: WidgetItem) -> AsyncIterator[ThreadStreamEvent]:
    yield ThreadItemDoneEvent(item=card)


class Steps:
    """The steps of a server's store and turn store, at one of which somebody else acts."""

    def __init__(self, server: Replica) -> None:
        self.taken = 0
        self.stop_at: int | None = None
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        store, turn_store = server.app[STORE], server.app[ENGINE].turn_store
        for owner, names in ((store, (*READS, *WRITES)), (turn_store, TURNS)):
            for name in names:
                setattr(owner, name, self._watched(getattr(owner, name)))

    def begin(self, stop_at: int) -> None:
        """Count from here, and stop at a step: before a call, or after it."""
        self.taken, self.stop_at = 0, stop_at
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    def _watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        async def watched(*arguments: Any, **named: Any) -> Any:
            await self._step()
            answer = await call(*arguments, **named)
            await self._step()
            return answer

        return watched

    async def _step(self) -> None:
        number, self.taken = self.taken, self.taken + 1
        if number == self.stop_at:
            self.reached.set()
            await self.go_on.wait()


CARD = {"type": "do", "payload": "x"}

Body = Callable[[str, str], dict[str, Any]]


def operation(name: str, **params: Any) -> Body:
    def body(thread_id: str, message_id: str) -> dict[str, Any]:
        ids = {"thread_id": thread_id, "item_id": message_id}
        given = {k: ids.get(v, v) if isinstance(v, str) else v for k, v in params.items()}
        if name == "items.feedback":
            given["item_ids"] = [message_id]
        return {"type": name, "params": {"thread_id": thread_id, **given}}

    return body


OPERATIONS: dict[str, Body] = {
    "add": lambda thread_id, _: request("And now?", thread_id),
    "plain": lambda thread_id, _: {
        "messages": [{"role": "user", "content": "And now?"}],
        "thread_id": thread_id,
    },
    "retry": operation("threads.retry_after_item", item_id="item_id"),
    "action": operation("threads.custom_action", action=CARD),
    "sync": operation("threads.sync_custom_action", action=CARD),
    "get": operation("threads.get_by_id"),
    "update": operation("threads.update", title="Renamed"),
    "items": operation("items.list"),
    "feedback": operation("items.feedback", kind="positive"),
    "delete": operation("threads.delete"),
}


async def rows_of(thread_id: str) -> int:
    """Return how many rows a database has of a thread."""
    found = 0
    for table in ("chatkit_thread WHERE id", "chatkit_item WHERE thread_id"):
        answer = await query(f"SELECT count(*) AS n FROM {table} = $1", thread_id)
        found += answer[0]["n"]
    return found


def delete(thread_id: str) -> dict[str, Any]:
    return {"type": "threads.delete", "params": {"thread_id": thread_id}}


async def post(chat: Chat, body: dict[str, Any]) -> tuple[int, str]:
    response = await chat.post(body)
    return response.status, await response.text()


class Case:
    """A server in which an operation stops at a step, and one that deletes the thread then."""

    def __init__(self, server: Replica, other: Replica, name: str) -> None:
        self.server, self.other = server, other
        self.name = name
        self.steps = Steps(server)

    async def try_step(self, stop_at: int) -> bool:
        """Delete a thread at this step; return whether there was such a step."""
        begun = await self.server.chat.say("What is it?")
        thread_id = begun.thread_id
        body = OPERATIONS[self.name](thread_id, begun.done("user_message")[0]["id"])
        self.steps.begin(stop_at)
        acting = asyncio.create_task(post(self.server.chat, body))
        reached = asyncio.create_task(self.steps.reached.wait())
        await asyncio.wait([acting, reached], return_when=asyncio.FIRST_COMPLETED)
        if not reached.done():
            reached.cancel()
            return False
        deleting = asyncio.create_task(post(self.other.chat, delete(thread_id)))
        await until(lambda: deleting.done() or self.waits_to_delete(thread_id))
        self.steps.go_on.set()
        status, _ = await deleting
        assert status in (200, 404)
        status, told = await acting
        assert status < 500, told
        assert status == 200 or '"message"' in told
        assert "Something went wrong" not in told
        await until(lambda: not self.server.app[ENGINE].turns._slots)
        assert await rows_of(thread_id) == 0, told
        assert (await post(self.server.chat, delete(thread_id)))[0] == 404
        return True

    def waits_to_delete(self, thread_id: str) -> bool:
        slot = self.other.app[ENGINE].turns._slots.get(thread_id)
        return slot is not None and slot.deleting > 0


@pytest.mark.parametrize("where", ["here", "elsewhere"])
@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_thread_that_is_deleted_meanwhile_stays_deleted(
    start: Start, caplog: pytest.LogCaptureFixture, name: str, where: str
) -> None:
    caplog.set_level(logging.WARNING)
    server = await start(Helpful())
    case = Case(server, server if where == "here" else await start(Helpful()), name)
    step = 0
    async with asyncio.timeout(120):
        while await case.try_step(step):
            step += 1
    assert step > 3, "it has steps"
    assert not [record for record in caplog.records if record.exc_info]
    assert server.app[ENGINE].turns.places.total == 0
