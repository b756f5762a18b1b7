"""Actions that run beside the answer of their thread, and beside other actions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from chatkit.actions import Action
from chatkit.types import (
    ActiveStatus,
    AssistantMessageContent,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ClosedStatus,
    LockedStatus,
    SyncCustomActionResponse,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
)

from chatkit_server import Outcome, Turn, User, hookimpl
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.testing.model_server import Gate, ModelServer
from tests.client import Chat
from tests.conftest import MakeChat
from tests.mcp_calls import until
from tests.replicas import Begun, Start, begin, grow_old, request
from tests.serving import served_by

FRAME = {"chatkit-frame-instance-id": "page"}


class Press:
    """Writes a message in two parts, between which it waits for its gate."""

    def __init__(self) -> None:
        self.gates: dict[str, asyncio.Event] = {}
        self.begun: list[str] = []
        self.ended: dict[str, str] = {}

    @hookimpl
    async def action(self, turn: Turn, action: Action[str, Any]) -> Any:
        if action.type == "reopen":
            turn.thread.status = ActiveStatus()
            return []
        return self.events(turn, action.type)

    async def events(self, turn: Turn, kind: str) -> AsyncIterator[ThreadStreamEvent]:
        self.begun.append(kind)
        item = AssistantMessageItem(
            id=turn.generate_id("message"),
            thread_id=turn.thread.id,
            created_at=datetime.now(UTC),
            content=[AssistantMessageContent(text=f"{kind} ")],
        )
        yield ThreadItemAddedEvent(item=item)
        await self.gates.setdefault(kind, asyncio.Event()).wait()
        delta = AssistantMessageContentPartTextDelta(content_index=0, delta="done")
        yield ThreadItemUpdatedEvent(item_id=item.id, update=delta)
        content = [AssistantMessageContent(text=f"{kind} done")]
        yield ThreadItemDoneEvent(item=item.model_copy(update={"content": content}))

    @hookimpl
    async def post_turn(self, turn: Turn, outcome: Outcome) -> None:
        self.ended[turn.id] = outcome.status
        turn.thread.title = f"{turn.operation} {outcome.status}"

    def open(self, kind: str) -> None:
        self.gates.setdefault(kind, asyncio.Event()).set()


def pressed(thread_id: str, kind: str) -> dict[str, Any]:
    params = {"thread_id": thread_id, "action": {"type": kind}}
    return {"type": "threads.custom_action", "params": params}


async def press(chat: Chat, thread_id: str, kind: str, **headers: str) -> Begun:
    """Begin an action, and read its stream until its message has begun."""
    response = await chat.post(pressed(thread_id, kind), headers=headers)
    assert response.status == 200, await response.text()
    begun = Begun(response, [])
    await begun.until(lambda s: "thread.item.added" in s.types)
    return begun


async def running_in(chat: Chat, thread_id: str) -> str | None:
    """Return the id of the turn that the server says is running in a thread."""
    response = await chat.client.get(f"{chat.path}/threads/{thread_id}/turn")
    return str((await response.json())["id"]) if response.status == 200 else None


async def texts(chat: Chat, thread_id: str) -> list[str]:
    items = (await chat.ask("items.list", thread_id=thread_id, order="asc"))["data"]
    return ["".join(part["text"] for part in item["content"]) for item in items]


@pytest.mark.parametrize("when_busy", ["interrupt", "reject"])
async def test_actions_leave_the_answer_and_each_other_alone(
    make_chat: MakeChat, model_server: ModelServer, when_busy: str
) -> None:
    press_ = Press()
    turns = {"when_busy": when_busy, "disconnect": {"policy": "continue"}}
    chat = await make_chat(press_, **served_by(model_server), turns=turns)
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    answer = await begin(chat, request("Count"), "One, ")
    one = await press(chat, answer.thread_id, "one", **FRAME)
    two = await press(chat, answer.thread_id, "two")
    assert await running_in(chat, answer.thread_id) == answer.turn_id
    again = await chat.post(pressed(answer.thread_id, "one"), headers=FRAME)
    assert again.headers["X-Turn-Id"] == one.turn_id, "the same request joins it"
    stopped = await chat.client.post(f"{chat.path}/turns/{two.turn_id}/cancel")
    assert (await stopped.json())["state"] == "cancelled"
    press_.open("one")
    assert (await one.rest()).error is None
    gate.open()
    assert (await answer.rest()).text == "One, two."
    whole = await chat.read(await chat.client.get(f"{chat.path}/turns/{one.turn_id}/events"))
    assert whole.types[-2:] == ["thread.item.done", "thread.updated"]
    assert press_.begun == ["one", "two"]
    assert press_.ended == {
        answer.turn_id: "completed",
        one.turn_id: "completed",
        two.turn_id: "cancelled",
    }
    assert await texts(chat, answer.thread_id) == ["Count", "two ", "one done", "One, two."]


async def test_a_new_message_stops_the_answer_and_no_action(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    press_ = Press()
    turns = {"disconnect": {"policy": "continue"}}
    chat = await make_chat(press_, **served_by(model_server), turns=turns)
    model_server.reply("One, ", Gate())
    answer = await begin(chat, request("Count"), "One, ")
    one = await press(chat, answer.thread_id, "one")
    model_server.reply("Done.")
    assert (await chat.say("Stop", answer.thread_id)).text == "Done."
    assert press_.ended[answer.turn_id] == "cancelled"
    assert await running_in(chat, answer.thread_id) is None, "an action is no answer"
    press_.open("one")
    assert (await one.rest()).error is None
    model_server.reply("Hello.", Gate())
    last = await begin(chat, request("Hi", answer.thread_id), "Hello.")
    two = await press(chat, answer.thread_id, "two")
    await chat.ask("threads.delete", thread_id=answer.thread_id)
    for ended in (last, two):
        error = (await ended.rest()).error
        assert error is not None
        assert error["message"] == "The conversation was deleted."


@pytest.mark.parametrize("status", [LockedStatus(reason="Paid."), ClosedStatus()])
async def test_a_locked_thread_takes_actions(make_chat: MakeChat, status: Any) -> None:
    store = MemoryStorePlugin()

    class Sync:
        @hookimpl
        async def action(self, turn: Turn, action: Action[str, Any]) -> Any:
            if turn.operation != "threads.sync_custom_action":
                return None
            turn.thread.metadata.setdefault("pressed", []).append(action.type)
            return SyncCustomActionResponse()

    chat = await make_chat(Sync(), Press(), store)
    context = StoreContext(User("somebody"))
    thread = ThreadMetadata(id="thr_1", created_at=datetime.now(UTC), status=status)
    await store.memory.save_thread(thread, context)
    assert (await chat.refused(request("Hi", "thr_1")))[0] == 409
    await chat.ask("threads.sync_custom_action", thread_id="thr_1", action={"type": "look"})
    stored = await store.memory.load_thread("thr_1", context)
    assert (stored.metadata, stored.status) == ({"pressed": ["look"]}, status)
    opened = await chat.stream(
        "threads.custom_action", thread_id="thr_1", action={"type": "reopen"}
    )
    assert opened.data[1]["thread"]["status"] == {"type": "active"}
    assert (await chat.say("Hi", "thr_1")).error is None


async def test_other_processes_let_an_action_run_and_recover_it(
    start: Start, model_server: ModelServer
) -> None:
    press_ = Press()
    one, two = await start(press_), await start(press_)
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    answer = await begin(one.chat, request("Count"), "One, ")
    pressed_there = await press(two.chat, answer.thread_id, "there")
    pressed_here = await press(one.chat, answer.thread_id, "here", **FRAME)
    # What it has said so far can be told elsewhere
    await one.beat()
    again = await two.chat.post(pressed(answer.thread_id, "here"), headers=FRAME)
    assert again.headers["X-Turn-Id"] == pressed_here.turn_id, "it runs in the other process"
    again.close()
    response = await two.chat.client.get(f"/api/chat/threads/{answer.thread_id}/turn")
    assert (await response.json())["id"] == answer.turn_id
    assert await two.state(pressed_here.turn_id) == "running"
    press_.open("there")
    assert (await pressed_there.rest()).error is None
    await one.beat()
    gate.open()
    rest = await answer.rest()
    assert rest.text == "One, two."
    assert rest.data[-1]["thread"]["title"] == "threads.create completed"
    await grow_old()
    await two.sweep()
    assert await two.state(pressed_here.turn_id) == "interrupted"
    await one.beat()
    await until(lambda: press_.ended.get(pressed_here.turn_id) is not None)
    assert press_.ended[pressed_here.turn_id] == "interrupted"
    assert await one.texts(answer.thread_id) == ["Count", "there done", "One, two.", "here "]
    stored = await one.chat.ask("threads.get_by_id", thread_id=answer.thread_id)
    assert stored["title"] == "threads.custom_action interrupted", "by `post_turn` of the recovery"
