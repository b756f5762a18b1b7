"""Workflows of tools and of the model's reasoning: the same events as from ChatKit's SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from agents import (
    Agent,
    FunctionTool,
    ModelProvider,
    RunConfig,
    RunContextWrapper,
    Runner,
    StopAtTools,
    function_tool,
)
from agents.testing import ScriptedModel, assistant_message, function_call
from chatkit.agents import AgentContext, ClientToolCall, ThreadItemConverter, stream_agent_response
from chatkit.server import ChatKitServer, StreamingResult
from chatkit.types import (
    CustomSummary,
    CustomTask,
    HiddenContextItem,
    ProgressUpdateEvent,
    TaskItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    Workflow,
    WorkflowItem,
    WorkflowTaskAdded,
)
from chatkit.widgets import Card, Text
from openai.types.responses import ResponseReasoningItem
from openai.types.responses.response_reasoning_item import Summary

from chatkit_server import StoreContext, Turn, User, hookimpl
from chatkit_server.testing.memory_store import MemoryStore, MemoryStorePlugin, StorePlugin
from tests.client import Streamed
from tests.conftest import MakeChat
from tests.recording import Recording, make_recording

Context = AgentContext[Any]
Act = Callable[[Context], Awaitable[None]]

CONTEXT = StoreContext(User("ann"))
LOCATE = ClientToolCall(name="locate", arguments={})


def thought(*parts: str) -> ResponseReasoningItem:
    summary = [Summary(type="summary_text", text=part) for part in parts]
    return ResponseReasoningItem(type="reasoning", id="rs_1", summary=summary)


def said(text: str) -> Any:
    return assistant_message(text, item_id=f"msg_{text}")


def task(title: str) -> CustomTask:
    return CustomTask(title=title)


async def sent() -> None:
    """Let the SDK read its queue of events."""
    for _ in range(20):
        await asyncio.sleep(0)


def tool(name: str, act: Act) -> FunctionTool:
    """Return a tool that does this with its context."""

    async def run(ctx: RunContextWrapper[Any]) -> str:
        await sent()
        await act(ctx.context)
        await sent()
        return "done"

    return function_tool(run, name_override=name, description_override=name)


async def search(ctx: Context) -> None:
    await ctx.start_workflow(Workflow(type="custom", tasks=[]))
    await ctx.add_workflow_task(task("Search"))
    await sent()
    await ctx.update_workflow_task(CustomTask(title="Search", content="3 pages"), 0)


async def search_with_summary(ctx: Context) -> None:
    summary = CustomSummary(title="Searched")
    await ctx.start_workflow(Workflow(type="custom", tasks=[task("One")], summary=summary))


async def search_and_end(ctx: Context) -> None:
    await search(ctx)
    await sent()
    await ctx.end_workflow(CustomSummary(title="Found"), expanded=True)


async def add_task(ctx: Context) -> None:
    await ctx.add_workflow_task(task("Read"))


async def search_more(ctx: Context) -> None:
    await ctx.add_workflow_task(task("More"))


async def show(ctx: Context) -> None:
    await ctx.stream_widget(Card(children=[Text(value="Hi")]))


async def show_states(ctx: Context) -> None:
    async def states() -> Any:
        for value in ("One", "Two"):
            yield Card(children=[Text(id="t", value=value)])

    await ctx.stream_widget(states())


async def show_task(ctx: Context) -> None:
    item = TaskItem(
        id=ctx.generate_id("task"),
        thread_id=ctx.thread.id,
        created_at=ctx.thread.created_at,
        task=task("Alone"),
    )
    await ctx.stream(ThreadItemDoneEvent(item=item))


async def hide(ctx: Context) -> None:
    item = HiddenContextItem(
        id=ctx.generate_id("message"),
        thread_id=ctx.thread.id,
        created_at=ctx.thread.created_at,
        content="secret",
    )
    await ctx.stream(ThreadItemDoneEvent(item=item))
    await ctx.stream(ProgressUpdateEvent(text="Hm"))


async def own_events(ctx: Context) -> None:
    item = WorkflowItem(
        id=ctx.generate_id("workflow"),
        thread_id=ctx.thread.id,
        created_at=ctx.thread.created_at.replace(tzinfo=None),
        workflow=Workflow(type="custom", tasks=[task("One")]),
    )
    await ctx.stream(ThreadItemAddedEvent(item=item))
    await sent()
    item.workflow.tasks.append(task("Two"))
    update = WorkflowTaskAdded(task_index=1, task=item.workflow.tasks[1])
    await ctx.stream(ThreadItemUpdatedEvent(item_id=item.id, update=update))


async def locate(ctx: Context) -> None:
    ctx.client_tool_call = LOCATE


TOOLS = {
    act.__name__: tool(act.__name__, act)
    for act in (
        search,
        search_with_summary,
        search_and_end,
        add_task,
        search_more,
        show,
        show_states,
        show_task,
        hide,
        own_events,
        locate,
    )
}


class Official(ChatKitServer[StoreContext]):
    """A server written with ChatKit's SDK."""

    def __init__(self, model: ScriptedModel) -> None:
        super().__init__(MemoryStore())
        behavior = StopAtTools(stop_at_tool_names=["locate"])
        tools: Any = list(TOOLS.values())
        self.agent = Agent[Any]("a", model=model, tools=tools, tool_use_behavior=behavior)

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: StoreContext,
    ) -> AsyncIterator[ThreadStreamEvent]:
        agent_context = AgentContext[Any](thread=thread, store=self.store, request_context=context)
        page = await self.store.load_thread_items(thread.id, None, 50, "asc", context)
        shown = [item for item in page.data if item.type in ("user_message", "client_tool_call")]
        asked = await ThreadItemConverter().to_agent_input(shown)
        config = RunConfig(tracing_disabled=True)
        run = Runner.run_streamed(self.agent, asked, context=agent_context, run_config=config)
        async for event in stream_agent_response(agent_context, run):
            yield event

    async def stream(self, operation: str, **params: Any) -> list[dict[str, Any]]:
        """Perform an operation, and return its events."""
        body = json.dumps({"type": operation, "params": params})
        result = await self.process(body, CONTEXT)
        assert isinstance(result, StreamingResult)
        lines = [line async for line in result]
        return [json.loads(line.removeprefix(b"data: ")) for line in lines]


class Ours(ModelProvider):
    """Gives every turn the scripted model, and the tools."""

    def __init__(self, model: ScriptedModel) -> None:
        self.model = model
        self.tools = list(TOOLS.values())

    def get_model(self, model_name: str | None) -> ScriptedModel:
        return self.model

    @hookimpl
    def model_providers(self) -> dict[str, ModelProvider]:
        return {"sdk": self}

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools += self.tools


class OwnContext:
    """Gives every run a context of the plugin's own."""

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.context = AgentContext[Any](
            thread=turn.thread, store=turn.store, request_context=turn.request_context
        )


@dataclass
class Shown:
    """What a page is told, in a form that two servers can have in common."""

    names: dict[str, str] = field(default_factory=dict)
    told: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            match event:
                case {"type": "thread.item.added" | "thread.item.done" as kind, "item": item}:
                    self.told.append((kind, *self.item(item)))
                case {"type": "thread.item.updated", "update": {"task": shown} as update}:
                    if shown["type"] == "thought" and update["type"].endswith("updated"):
                        # The SDK sends more of them, or none
                        continue
                    told = (update["type"], self.name(event["item_id"], ""), update["task_index"])
                    self.told.append((*told, _task(shown, update["type"].endswith("added"))))
                case {"type": "thread.item.removed" | "thread.item.replaced" | "error"}:
                    self.told.append((event["type"],))

    def item(self, item: dict[str, Any]) -> tuple[Any, ...]:
        shown: list[Any] = [self.name(item["id"], item["type"])]
        if item["type"] == "assistant_message":
            # The SDK's message begins with its parts
            shown += [part["text"] for part in item["content"] if part["text"]]
        if item["type"] == "workflow":
            flow = item["workflow"]
            tasks = tuple(_task(one) for one in flow["tasks"])
            shown += [flow["type"], tasks, tuple(flow.get("summary", ())), flow["expanded"]]
        return tuple(shown)

    def name(self, item_id: str, kind: str) -> str:
        """Return a name for an item: its type, and which one of it."""
        return self.names.setdefault(item_id, f"{kind} {len(self.names)}")


def _task(shown: dict[str, Any], is_new: bool = False) -> tuple[Any, ...]:
    text = "" if is_new and shown["type"] == "thought" else shown.get("content")
    return shown["type"], shown.get("title"), text


CASES: dict[str, list[Any]] = {
    "a tool opens a workflow": [["search"], [said("Done")]],
    "it has a summary": [["search_with_summary"], [said("Done")]],
    "it ends itself": [["search_and_end"], [said("Done")]],
    "tasks without a start": [["add_task"], ["search_more"], [said("Done")]],
    "reasoning, and a task of a tool": [
        [thought("Hm", "Well"), "add_task"],
        [thought("Aha"), said("Done")],
    ],
    "reasoning in one answer with the text": [[thought("Hm"), said("Done")]],
    "reasoning goes into a tool's workflow": [["search"], [thought("Hm"), said("Done")]],
    "a widget after it": [["search"], ["show"], [said("Done")]],
    "a widget that changes": [["search"], ["show_states"], ["add_task"], [said("Done")]],
    "a task item after it": [["search"], ["show_task"], [said("Done")]],
    "a hidden item after it": [["search"], ["hide"], ["add_task"], [said("Done")]],
    "a widget after reasoning": [[thought("Hm"), "show"], [thought("Ah"), said("Done")]],
    "a tool's own events": [["own_events"], ["add_task"], [said("Done")]],
    "two messages": [["search"], [said("One"), "add_task"], [said("Two")]],
    "it goes on after a client tool": [
        ["search"],
        ["locate"],
        [thought("Ah"), "add_task"],
        [said("Done")],
    ],
    "reasoning goes on after a client tool": [
        [thought("Hm"), "add_task"],
        [thought("So"), "locate"],
        [thought("Ah"), said("Done")],
    ],
    "it goes on after two client tools": [["search"], ["locate"], ["locate"], [said("Done")]],
    "one that has ended": [["search_and_end"], ["locate"], [said("Done")]],
    "a new message does not go on": [["search_and_end"], [said("Done")], None, [said("Well")]],
}


def scripted(steps: list[Any]) -> ScriptedModel:
    return ScriptedModel(
        [
            [
                function_call(part, {}, call_id=f"call_{number}") if isinstance(part, str) else part
                for part in step
            ]
            if isinstance(step, list)
            else step
            for number, step in enumerate(steps)
            if step is not None
        ]
    )


def rounds(steps: list[Any]) -> list[bool]:
    """Return for each request after the first whether it brings a client tool's output."""
    return [step is not None for step in steps if step is None or "locate" in step]


@pytest.mark.parametrize("plugins", [(), (OwnContext(),)], ids=["turn", "own context"])
@pytest.mark.parametrize("steps", CASES.values(), ids=CASES)
async def test_a_page_is_shown_what_the_sdk_shows(
    make_chat: MakeChat, steps: list[Any], plugins: tuple[object, ...]
) -> None:
    message = {"content": [{"type": "input_text", "text": "Go"}], "attachments": []}
    given = {"input": {**message, "inference_options": {}}}
    official, theirs = Official(scripted(steps)), Shown()
    events = await official.stream("threads.create", **given)
    thread_id = events[0]["thread"]["id"]
    theirs.add(events)
    store = MemoryStorePlugin()
    chat = await make_chat(Ours(scripted(steps)), *plugins, store, agent={"model": "sdk/any"})
    streamed = await chat.stream("threads.create", **given)
    ours = Shown()
    ours.add(streamed.data)
    for is_output in rounds(steps):
        name = "threads.add_client_tool_output" if is_output else "threads.add_user_message"
        params = {"result": {"at": "home"}} if is_output else given
        theirs.add(await official.stream(name, thread_id=thread_id, **params))
        again = await chat.stream(name, thread_id=streamed.thread_id, **params)
        ours.add(again.data)
        streamed.data.extend(again.data)
    assert ours.told == theirs.told
    times: dict[str, set[str]] = {}
    for item in [event["item"] for event in streamed.data if "item" in event]:
        times.setdefault(item["id"], set()).add(item["created_at"])
    assert all(len(each) == 1 for each in times.values()), "an item keeps its time"
    pages = [
        [shown.item(item.model_dump(mode="json", exclude_none=True)) for item in items.values()]
        for shown, items in (
            (theirs, official.store.items[thread_id]),  # type: ignore[attr-defined]
            (ours, store.memory.items[streamed.thread_id]),
        )
    ]
    visible = [[item for item in page if not item[0].startswith("hidden")] for page in pages]
    assert visible[1] == visible[0]


async def ours(
    make_chat: MakeChat, *acts: Act, plugins: tuple[object, ...] = ()
) -> tuple[Shown, Streamed, MemoryStore]:
    """Run a turn with these tools, one after the other, and a text at the end."""
    names = [f"tool_{number}" for number, _ in enumerate(acts)]
    plugin, store = Ours(scripted([*([name] for name in names), [said("Done")]])), MemoryStore()
    plugin.tools = [tool(name, act) for name, act in zip(names, acts, strict=True)]
    chat = await make_chat(plugin, *plugins, StorePlugin(store), agent={"model": "sdk/any"})
    streamed, shown = await chat.say("Go"), Shown()
    shown.add(streamed.data)
    assert streamed.error is None
    return shown, streamed, store


async def test_a_tool_can_end_what_its_widget_has_ended(make_chat: MakeChat) -> None:
    """With ChatKit's SDK it depends on whether its queue was read meanwhile."""

    async def act(ctx: Context) -> None:
        await search(ctx)
        await show(ctx)
        await ctx.update_workflow_task(task("Found"), 0)
        await ctx.end_workflow(CustomSummary(title="Ended"), expanded=True)
        await ctx.end_workflow()

    shown, streamed, store = await ours(make_chat, act)
    flow, widget = ("workflow", "widget")
    order = [told[1].split()[0] for told in shown.told if told[0] == "thread.item.done"]
    assert order == ["user_message", flow, widget, "assistant_message"]
    [saved] = [i for i in store.items[streamed.thread_id].values() if isinstance(i, WorkflowItem)]
    assert [task.title for task in saved.workflow.tasks if task.type == "custom"] == ["Found"]
    assert saved.workflow.summary == CustomSummary(title="Ended")
    assert saved.workflow.expanded
    types = [item.type for item in store.items[streamed.thread_id].values()]
    assert types[:3] == ["user_message", flow, widget]


@pytest.mark.parametrize("plugins", [(), (OwnContext(),)], ids=["turn", "own context"])
async def test_a_second_workflow_ends_the_first(make_chat: MakeChat, plugins: Any) -> None:
    async def act(ctx: Context) -> None:
        assert isinstance(ctx, Turn) is not bool(plugins)
        for title in ("One", "Two"):
            await ctx.start_workflow(Workflow(type="custom", tasks=[task(title)]))

    shown, *_ = await ours(make_chat, act, act, plugins=plugins)
    flows = [told[:2] for told in shown.told if told[1].startswith("workflow")]
    kinds = ["thread.item.added", "thread.item.done"]
    assert flows == [(kind, f"workflow {n}") for n in (1, 2, 3, 4) for kind in kinds]


async def test_a_workflow_that_several_tools_end_at_once_ends_once(make_chat: MakeChat) -> None:
    async def act(ctx: Context) -> None:
        await search(ctx)
        await asyncio.gather(show(ctx), ctx.add_workflow_task(task("Next")))
        await asyncio.gather(ctx.end_workflow(), ctx.add_workflow_task(task("Last")))

    _, streamed, _ = await ours(make_chat, act)
    ended = [item["id"] for item in streamed.done("workflow")]
    assert len(ended) == len(set(ended)) == 3


async def test_equal_tasks_keep_their_places(make_chat: MakeChat) -> None:
    """ChatKit's SDK sends the place of the first one."""

    async def act(ctx: Context) -> None:
        for title in ("Read", "Think", "Read"):
            await ctx.add_workflow_task(task(title))
        item = ctx.workflow_item
        assert item is not None
        update = WorkflowTaskAdded(task_index=3, task=task("Unseen by the helpers"))
        await ctx.stream(ThreadItemUpdatedEvent(item_id=item.id, update=update))

    shown, *_ = await ours(make_chat, act)
    added = [told[2:] for told in shown.told if told[0] == "workflow.task.added"]
    assert [(place, made[1]) for place, made in added][:2] == [(1, "Think"), (2, "Read")]
    [done] = [told for told in shown.told if told[:2] == ("thread.item.done", "workflow 1")]
    titles = [made[1] for made in done[3]]
    assert titles == ["Read", "Think", "Read", "Unseen by the helpers"]


@pytest.mark.usefixtures("in_vienna")
@pytest.mark.parametrize("zone", [None, UTC], ids=["local", "utc"])
async def test_a_workflow_takes_the_time_since_it_began(
    make_chat: MakeChat, zone: timezone | None
) -> None:
    began = datetime.now(zone) - timedelta(seconds=5)

    async def act(ctx: Context) -> None:
        item = WorkflowItem(
            id="wf_1",
            thread_id=ctx.thread.id,
            created_at=began,
            workflow=Workflow(type="custom", tasks=[task("One")]),
        )
        await ctx.stream(ThreadItemAddedEvent(item=item))

    _, streamed, store = await ours(make_chat, act)
    [shown] = streamed.done("workflow")
    assert 5 <= shown["workflow"]["summary"]["duration"] < 60
    saved = store.items[streamed.thread_id]["wf_1"]
    assert saved.created_at.utcoffset() == timedelta(0)


@pytest.mark.usefixtures("in_vienna")
async def test_the_sdk_can_end_a_workflow_of_a_store(recording: Recording) -> None:
    """Its functions count the time with `datetime.now()`."""
    item = WorkflowItem(
        id="wf_1",
        thread_id="thr_1",
        created_at=datetime.now(UTC) - timedelta(seconds=5),
        workflow=Workflow(type="custom", tasks=[]),
    )
    recording.turn.workflow_item = item
    recording.turn.connect(recording.recorder.emit)
    await AgentContext.end_workflow(recording.turn)
    [told] = recording.told()
    assert 5 <= told["item"]["workflow"]["summary"]["duration"] < 60
    assert datetime.fromisoformat(told["item"]["created_at"]) == item.created_at


@pytest.fixture
async def recording() -> Recording:
    return await make_recording()


async def test_a_workflow_that_is_open_when_a_turn_stops_is_saved_once(
    make_chat: MakeChat,
) -> None:
    began = asyncio.Event()

    async def act(ctx: Context) -> None:
        if ctx.workflow_item is None:
            await search(ctx)
        else:
            await ctx.add_workflow_task(task("More"))
            began.set()
            await asyncio.Event().wait()

    plugin = Ours(scripted([["act"], ["locate"], ["act"], [said("Done")]]))
    plugin.tools = [tool("act", act), TOOLS["locate"]]
    store = MemoryStore()
    chat = await make_chat(plugin, StorePlugin(store), agent={"model": "sdk/any"})
    thread_id = (await chat.say("Go")).thread_id
    running = asyncio.create_task(
        chat.stream("threads.add_client_tool_output", thread_id=thread_id, result=1)
    )
    await began.wait()
    again = await chat.say("Stop", thread_id)
    stopped = await running
    assert (again.text, again.error) == ("Done", None)
    assert stopped.error is not None
    [done] = stopped.done("workflow")
    assert [task["title"] for task in done["workflow"]["tasks"]] == ["Search", "More"]
    assert again.done("workflow") == [], "a new message does not go on with it"
    kept = [i for i in store.items[thread_id].values() if isinstance(i, WorkflowItem)]
    assert [item.id for item in kept] == [done["id"]]
    assert len(kept[0].workflow.tasks) == 2
