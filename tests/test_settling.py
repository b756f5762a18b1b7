"""What was cut off shows nothing as in progress: after Stop, after a failure, after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from agents import RunContextWrapper, function_tool
from chatkit.types import (
    CustomSummary,
    CustomTask,
    DurationSummary,
    SearchTask,
    TaskItem,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadStreamEvent,
    WidgetItem,
    Workflow,
    WorkflowItem,
)
from chatkit.widgets import DynamicWidgetRoot

from chatkit_server import Turn, hookimpl
from chatkit_server.events.settling import settled
from tests.conftest import MakeChat
from tests.folded import Folded, unfinished
from tests.replicas import Start, begin, grow_old, request
from tests.test_resume import create

BASE: dict[str, Any] = {
    "id": "item_1",
    "thread_id": "thr_1",
    "created_at": datetime(2026, 3, 1, 12, tzinfo=UTC),
}
LOADING = SearchTask(title="Search", status_indicator="loading")
DONE = CustomTask(title="Read", status_indicator="complete")
NAMED = CustomSummary(title="Worked")


def card(*children: dict[str, Any]) -> DynamicWidgetRoot:
    return DynamicWidgetRoot.model_validate({"type": "Card", "children": children})


def text(streaming: bool | None) -> dict[str, Any]:
    return {"type": "Text", "value": "…", "streaming": streaming}


def workflow(*tasks: Any, summary: Any = None) -> WorkflowItem:
    return WorkflowItem(
        **BASE, workflow=Workflow(type="custom", tasks=[*tasks], summary=summary, expanded=True)
    )


def test_a_workflow_ends_and_nothing_loads() -> None:
    given = workflow(DONE, LOADING)
    item = settled(given, seconds=7.9)
    assert isinstance(item, WorkflowItem)
    assert [task.status_indicator for task in item.workflow.tasks] == ["complete", "none"]
    assert item.workflow.summary == DurationSummary(duration=7)
    assert item.workflow.expanded
    assert given == workflow(DONE, LOADING), "its tool may still hold it"
    named = settled(workflow(LOADING, summary=NAMED))
    assert isinstance(named, WorkflowItem)
    assert named.workflow.summary == NAMED


def test_a_task_does_not_load() -> None:
    item = settled(TaskItem(**BASE, task=LOADING))
    assert item == TaskItem(**BASE, task=LOADING.model_copy(update={"status_indicator": "none"}))


def test_no_text_of_a_widget_streams() -> None:
    row = {"type": "Row", "children": [text(True), text(None)]}
    faded = {"type": "Transition", "children": text(True)}
    given = WidgetItem(**BASE, widget=card(row, faded, text(False)))
    item = settled(given)
    assert unfinished(item.model_dump(mode="json")) == []
    assert len(unfinished(given.model_dump(mode="json"))) == 2
    dumped = given.model_dump(mode="json")
    for part in unfinished(dumped):
        part["streaming"] = False
    assert item.model_dump(mode="json") == dumped


@pytest.mark.parametrize(
    "item",
    [
        workflow(DONE, summary=NAMED),
        TaskItem(**BASE, task=DONE),
        WidgetItem(**BASE, widget=card(text(False), text(None), {"type": "Divider"})),
    ],
)
def test_what_is_settled_stays_as_it_is(item: ThreadItem) -> None:
    assert settled(item) is item


class Working:
    """Works on tasks and a text that are saved already, as other items came, and on one more."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.fails = False

    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        work = Workflow(type="custom", tasks=[DONE, LOADING])
        yield ThreadItemAddedEvent(item=turn.new_item(WorkflowItem, workflow=work))
        yield ThreadItemDoneEvent(item=turn.new_item(TaskItem, task=LOADING))
        yield ThreadItemDoneEvent(item=turn.new_item(WidgetItem, widget=card(text(True))))
        yield ThreadItemAddedEvent(item=turn.new_item(TaskItem, task=LOADING))
        self.begun.set()
        if self.fails:
            raise RuntimeError
        await asyncio.Event().wait()


def indicators(items: Any) -> list[str]:
    [found] = [item for item in items if item["type"] == "workflow"]
    return [task["status_indicator"] for task in found["workflow"]["tasks"]]


@pytest.mark.parametrize("fails", [True, False])
async def test_what_was_saved_while_it_ran_stops_with_its_turn(
    make_chat: MakeChat, fails: bool
) -> None:
    plugin = Working()
    plugin.fails = fails
    chat = await make_chat(plugin)
    response = await chat.post(create("work"))
    await plugin.begun.wait()
    if not fails:
        await chat.client.post(f"{chat.path}/turns/{response.headers['X-Turn-Id']}/cancel")
    streamed = await chat.read(response)
    folded = Folded(streamed.data)
    assert indicators(folded.items.values()) == ["complete", "none"]
    assert unfinished([*folded.items.values()]) == []
    assert streamed.types[-4:] == [*["thread.item.replaced"] * 3, "error"]
    thread = await chat.ask("threads.get_by_id", thread_id=streamed.thread_id)
    assert thread["items"]["data"] == list(folded.items.values())


class Away:
    """Shows a task whose work fails."""

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools.append(search)


@function_tool
async def search(ctx: RunContextWrapper[Turn]) -> None:
    """Search."""
    await ctx.context.start_workflow(Workflow(type="custom", tasks=[]))
    await ctx.context.add_workflow_task(DONE)
    await ctx.context.add_workflow_task(LOADING)
    raise ValueError


async def test_a_task_stops_whose_tool_has_failed(make_chat: MakeChat) -> None:
    chat = await make_chat(Away())
    streamed = await chat.say("search")
    assert streamed.error is None
    folded = Folded(streamed.data)
    assert indicators(folded.items.values()) == ["complete", "none"]
    thread = await chat.ask("threads.get_by_id", thread_id=streamed.thread_id)
    assert thread["items"]["data"] == list(folded.items.values())


async def test_what_was_saved_while_it_ran_stops_with_its_process(start: Start) -> None:
    first = await start(Working())
    begun = await begin(first.chat, request("work"))
    await begun.until(lambda streamed: streamed.types.count("thread.item.added") == 2)
    await first.beat()
    second = await start()
    await grow_old()
    await second.sweep()
    items = await second.items(begun.thread_id)
    assert indicators(items) == ["complete", "none"]
    assert unfinished(items) == []
    saved = [item["id"] for item in items[1:5]]
    assert second.watch.saved == saved, "only what has changed is saved again"
