"""An item that is replaced keeps its time, by which stores may sort, and so its place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from chatkit.types import (
    CustomTask,
    TaskItem,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadStreamEvent,
)

from chatkit_server import Turn, hookimpl
from tests.conftest import MakeChat
from tests.folded import Folded


class Changing:
    """Shows two tasks, and then changes the first one, with a new time."""

    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        task = turn.new_item(TaskItem, task=CustomTask(title="Drawing"))
        yield ThreadItemDoneEvent(item=task)
        yield ThreadItemDoneEvent(item=turn.new_item(TaskItem, task=CustomTask(title="Waiting")))
        changed = {"task": CustomTask(title="Drawn"), "created_at": datetime.now()}
        yield ThreadItemReplacedEvent(item=task.model_copy(update=changed))


async def test_a_replaced_item_keeps_its_place(make_chat: MakeChat) -> None:
    chat = await make_chat(Changing())
    streamed = await chat.say("Draw.")
    shown = list(Folded(streamed.data).items.values())
    thread = await chat.ask("threads.get_by_id", thread_id=streamed.thread_id)
    assert thread["items"]["data"] == shown
    assert [one["task"]["title"] for one in shown if one["type"] == "task"] == ["Drawn", "Waiting"]
    times = [one["created_at"] for one in shown]
    assert times == sorted(times)
