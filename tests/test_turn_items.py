"""What a turn has for items: new ones, sources of a message, and events before it streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from agents import (
    RunContextWrapper,
    ToolGuardrailFunctionOutput,
    function_tool,
    tool_output_guardrail,
)
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ClientToolCallItem,
    CustomTask,
    EntitySource,
    FileSource,
    GeneratedImageItem,
    NoticeEvent,
    ProgressUpdateEvent,
    StructuredInputItem,
    TaskItem,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadStreamEvent,
    URLSource,
    UserMessageItem,
    Workflow,
    WorkflowItem,
)

from chatkit_server import Forbidden, Turn, hookimpl
from chatkit_server.testing.model_server import Call, Gate, ModelServer
from chatkit_server.turn_events import MOST_EARLY
from tests.conftest import MakeChat
from tests.folded import Folded
from tests.recording import make_recording
from tests.replicas import begin, request
from tests.serving import served_by

PAGE = URLSource(title="A page", url="https://example.com/")
BOOK = FileSource(title="A book", filename="book.pdf")
SHOP = EntitySource(id="shop_1", title="A shop", interactive=True, data={"street": "Leaf Lane"})


class Citing:
    """Has a tool that cites, and cites before the turn begins."""

    def __init__(self, early: Callable[[Turn], Awaitable[None]] | None = None) -> None:
        self.early = early

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        if self.early is not None:
            await self.early(turn)
        turn.tools.append(look_up)


@function_tool
async def look_up(ctx: RunContextWrapper[Turn], source: str) -> str:
    """Cite a source."""
    match source:
        case "book":
            ctx.context.cite(BOOK, index=3)
        case "shop":
            ctx.context.cite(SHOP, index=999)
        case _:
            ctx.context.cite("a text")  # type: ignore[arg-type]
    return "found"


async def cite_page(turn: Turn) -> None:
    turn.cite(PAGE)


def marks(item: dict[str, Any]) -> list[tuple[str, int]]:
    [content] = item["content"]
    return [(each["source"]["title"], each["index"]) for each in content["annotations"]]


async def test_what_tools_cite_is_added_to_the_next_message(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Citing(cite_page), **served_by(model_server))
    model_server.reply("One moment.", Call("look_up", {"source": "book"}))
    model_server.reply(Call("look_up", {"source": "shop"}))
    model_server.reply("Found it.")
    streamed = await chat.say("Look it up.")
    first, second = streamed.done("assistant_message")
    assert marks(first) == [("A page", 11)]
    assert marks(second) == [("A book", 3), ("A shop", 9)]
    folded = Folded(streamed.data)
    thread = await chat.ask("threads.get_by_id", thread_id=streamed.thread_id)
    assert thread["items"]["data"] == list(folded.items.values())


@pytest.mark.parametrize("fast_path", [True, False])
async def test_what_is_cited_before_the_turn_is_added_on_each_way(
    make_chat: MakeChat, model_server: ModelServer, fast_path: bool
) -> None:
    chat = await make_chat(Citing(cite_page), **served_by(model_server, fast_path=fast_path))
    model_server.reply("Found it.")
    streamed = await chat.say("Look it up.")
    [item] = streamed.done("assistant_message")
    assert marks(item) == [("A page", 9)]
    # Nothing of it is left for the next turn
    model_server.reply("Hello.")
    [item] = (await chat.say("Hello?")).done("assistant_message")
    assert marks(item) == [("A page", 6)]


class Answers:
    """Answers itself, with what it has cited."""

    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        for source in (PAGE, BOOK):
            turn.cite(source)
            content = [AssistantMessageContent(text=source.title)]
            yield ThreadItemDoneEvent(item=turn.new_item(AssistantMessageItem, content=content))


async def test_a_hook_that_answers_cites(make_chat: MakeChat) -> None:
    chat = await make_chat(Answers())
    streamed = await chat.say("Look it up.")
    assert list(map(marks, streamed.done("assistant_message"))) == [
        [("A page", 6)],
        [("A book", 6)],
    ]


@tool_output_guardrail
def refuse(data: Any) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.raise_exception()


@function_tool(tool_output_guardrails=[refuse])
async def look_up_secrets(ctx: RunContextWrapper[Turn]) -> str:
    """Cite what may not be told."""
    ctx.context.cite(PAGE)
    return "secret"


class Guarded:
    """Has a tool whose output is refused."""

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools.append(look_up_secrets)


async def test_a_refusal_has_no_sources(make_chat: MakeChat, model_server: ModelServer) -> None:
    shown = {"show_refusal": "message", "refusal": "I can't help with that."}
    chat = await make_chat(Guarded(), **served_by(model_server, **shown))
    model_server.reply(Call("look_up_secrets", {}))
    streamed = await chat.say("Look it up.")
    refusal = list(Folded(streamed.data).items.values())[-1]
    assert refusal["content"][0]["text"] == "I can't help with that."
    assert marks(refusal) == []


async def test_an_answer_that_is_stopped_keeps_its_sources(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Citing(cite_page), **served_by(model_server))
    gate = Gate()
    model_server.reply("Found ", gate, "it.")
    begun = await begin(chat, request("Look it up."), "Found ")
    await chat.client.post(f"{chat.path}/turns/{begun.turn_id}/cancel")
    streamed = await begun.rest()
    [item] = streamed.done("assistant_message")
    assert marks(item) == [("A page", 6)]
    thread = await chat.ask("threads.get_by_id", thread_id=streamed.thread_id)
    assert item in thread["items"]["data"]


async def test_what_is_no_source_makes_the_tool_fail(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Citing(), **served_by(model_server))
    model_server.reply(Call("look_up", {"source": "text"}))
    model_server.reply("Sorry.")
    streamed = await chat.say("Look it up.")
    [item] = streamed.done("assistant_message")
    assert marks(item) == []
    assert "ValidationError" in str(model_server.requests[-1].body["messages"][-1])


async def test_a_new_item_has_an_id_of_its_kind_and_the_thread() -> None:
    turn = (await make_recording()).turn
    made = {
        "msg": turn.new_item(GeneratedImageItem),
        "tsk": turn.new_item(TaskItem, task=CustomTask(title="Work")),
        "wf": turn.new_item(WorkflowItem, workflow=Workflow(type="custom", tasks=[])),
        "tc": turn.new_item(ClientToolCallItem, call_id="call_1", name="ask", arguments={}),
    }
    for prefix, item in made.items():
        assert item.id.startswith(f"{prefix}_")
        assert item.thread_id == turn.thread.id
        assert item.created_at.tzinfo is not None
    own = turn.new_item(StructuredInputItem, id="mine", inputs=[])
    assert own.id == "mine"
    with pytest.raises(ValueError, match="task"):
        turn.new_item(TaskItem)


class Early:
    """Sends events before the turn begins."""

    def __init__(self, *steps: Callable[[Turn], Awaitable[None]]) -> None:
        self.steps = steps
        self.refuses = False

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        for step in self.steps:
            await step(turn)
        if self.refuses:
            raise Forbidden("Not today.")

    @hookimpl
    async def persist(self, turn: Turn, item: ThreadItem) -> None:
        if isinstance(item, UserMessageItem):
            await turn.stream(ProgressUpdateEvent(text="Saved"))


async def warn(turn: Turn) -> None:
    await turn.stream(NoticeEvent(level="warning", message="Two messages are left."))


async def work(turn: Turn) -> None:
    await turn.start_workflow(Workflow(type="custom", tasks=[]))
    search = CustomTask(title="Search", status_indicator="loading")
    await turn.add_workflow_task(search)
    await turn.update_workflow_task(search.model_copy(update={"status_indicator": "complete"}), 0)
    await turn.add_workflow_task(CustomTask(title="Read"))


async def test_what_pre_turn_sends_comes_after_the_message(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    chat = await make_chat(Early(warn, work), **served_by(model_server))
    model_server.reply("Hello.")
    streamed = await chat.say("Hello?")
    assert streamed.types[:9] == [
        "thread.created",
        "progress_update",
        "thread.item.done",
        "stream_options",
        "notice",
        "thread.item.added",
        "workflow.task.updated",
        "workflow.task.added",
        "thread.item.done",
    ]
    folded = Folded(streamed.data)
    message, workflow, answer = folded.items.values()
    tasks = workflow["workflow"]["tasks"]
    assert [(t["title"], t["status_indicator"]) for t in tasks] == [
        ("Search", "complete"),
        ("Read", "none"),
    ]
    thread = await chat.ask("threads.get_by_id", thread_id=streamed.thread_id)
    assert thread["items"]["data"] == [message, workflow, answer]


async def test_nothing_of_a_refused_turn_is_sent(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    early = Early(work)
    early.refuses = True
    chat = await make_chat(early, **served_by(model_server))
    content = [{"type": "input_text", "text": "Hello?"}]
    given = {"content": content, "attachments": [], "inference_options": {}}
    body = {"type": "threads.create", "params": {"input": given}}
    assert await chat.refused(body) == (403, "Not today.")
    assert (await chat.ask("threads.list"))["data"] == []


async def endless(turn: Turn) -> None:
    while True:
        await warn(turn)


async def test_too_many_events_before_a_turn_refuse_it(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    chat = await make_chat(Early(endless), **served_by(model_server))
    content = [{"type": "input_text", "text": "Hello?"}]
    given = {"content": content, "attachments": [], "inference_options": {}}
    status, _ = await chat.refused({"type": "threads.create", "params": {"input": given}})
    assert status == 500
    assert f"more than {MOST_EARLY} events" in caplog.text
