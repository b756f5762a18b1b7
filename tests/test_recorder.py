"""The recorder: what is saved of the events that it is given, and what of an unfinished item."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from agents import Usage
from chatkit.server import stream_widget
from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    CustomTask,
    GeneratedImage,
    GeneratedImageItem,
    GeneratedImageUpdated,
    HiddenContextItem,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdate,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    URLSource,
    WidgetComponentUpdated,
    WidgetItem,
    WidgetRootUpdated,
    WidgetStreamingTextValueDelta,
    Workflow,
    WorkflowItem,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)
from chatkit.widgets import Box, Card, DynamicWidgetRoot, Text, Transition

from chatkit_server import Outcome, ToolCall, ToolResult, Turn, TurnFailed, User, hookimpl
from chatkit_server.events.log import TurnLog
from chatkit_server.events.recorder import Recorder
from chatkit_server.events.wire import ChatKitWire
from chatkit_server.plugin.calls import Hooks
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStore

NOW = datetime.now(UTC)
ANN = User("ann")
CONTEXT = StoreContext(ANN)
THREAD = "thr_1"


class Persisted:
    """Remembers what `persist` was called with."""

    def __init__(self) -> None:
        self.items: list[ThreadItem] = []

    @hookimpl
    async def persist(self, item: ThreadItem) -> None:
        self.items.append(item)


@dataclass
class Recorded:
    """A recorder with its store and log."""

    limit: int = 1000
    store: MemoryStore = field(default_factory=MemoryStore)
    persisted: Persisted = field(default_factory=Persisted)

    async def start(self) -> Recorded:
        thread = ThreadMetadata(id=THREAD, created_at=NOW)
        await self.store.save_thread(thread, CONTEXT)
        self.turn = Turn(
            thread=thread, store=self.store, request_context=CONTEXT, user=ANN, operation="test"
        )
        self.log = TurnLog(self.turn.id)
        hooks = Hooks.of([("persisted", self.persisted)])
        self.recorder = Recorder(self.turn, self.store, hooks, self.log, ChatKitWire(), self.limit)
        return self

    async def update(self, *updates: ThreadItemUpdate) -> None:
        for update in updates:
            event = ThreadItemUpdatedEvent.model_construct(item_id="item_1", update=update)
            await self.recorder.emit(event)

    async def stored(self) -> list[ThreadItem]:
        page = await self.store.load_thread_items(THREAD, None, 100, "asc", CONTEXT)
        return page.data

    async def events(self) -> list[dict[str, Any]]:
        self.log.end()
        data = b"".join([piece async for piece in self.log.follow()])
        lines = data.decode().split("\n")
        return [orjson.loads(line[6:]) for line in lines if line.startswith("data: ")]


@pytest.fixture
async def recorded() -> Recorded:
    return await Recorded().start()


def message(*texts: str, item_id: str = "item_1") -> AssistantMessageItem:
    content = [AssistantMessageContent(text=text) for text in texts]
    return AssistantMessageItem(id=item_id, thread_id=THREAD, created_at=NOW, content=content)


def workflow(*tasks: str) -> WorkflowItem:
    return WorkflowItem(
        id="item_1",
        thread_id=THREAD,
        created_at=NOW,
        workflow=Workflow(type="custom", tasks=[CustomTask(title=task) for task in tasks]),
    )


def widget(*texts: str) -> Card:
    return Card(children=[Box(children=[_text(n, text) for n, text in enumerate(texts)])])


def _text(number: int, text: str) -> Text:
    return Text(id=f"text_{number}", value=text, streaming=True)


def shown(root: Any) -> list[str]:
    return [child.value for child in root.children[0].children]


def widget_item(root: Any) -> WidgetItem:
    return WidgetItem(id="item_1", thread_id=THREAD, created_at=NOW, widget=root)


def image(url: str | None = None) -> GeneratedImageItem:
    made = None if url is None else GeneratedImage(id="item_1", url=url)
    return GeneratedImageItem(id="item_1", thread_id=THREAD, created_at=NOW, image=made)


ANNOTATION = Annotation(source=URLSource(title="A page", url="https://example.com"))


def added(index: int = 0, text: str = "") -> AssistantMessageContentPartAdded:
    return AssistantMessageContentPartAdded(
        content_index=index, content=AssistantMessageContent(text=text)
    )


def delta(text: str, index: int = 0) -> AssistantMessageContentPartTextDelta:
    return AssistantMessageContentPartTextDelta(content_index=index, delta=text)


def done(text: str, index: int = 0) -> AssistantMessageContentPartDone:
    return AssistantMessageContentPartDone(
        content_index=index, content=AssistantMessageContent(text=text)
    )


def annotated(index: int = 0) -> AssistantMessageContentPartAnnotationAdded:
    return AssistantMessageContentPartAnnotationAdded(
        content_index=index, annotation_index=0, annotation=ANNOTATION
    )


def texts(item: Any) -> list[str]:
    return [part.text for part in item.content]


def titles(item: Any) -> list[str]:
    return [task.title for task in item.workflow.tasks]


@dataclass
class Case:
    """An item, the updates that it gets before it is cut off, and what is saved of it."""

    begun: ThreadItem
    updates: list[ThreadItemUpdate]
    read: Callable[[Any], Any]
    saved: Any


CASES = {
    "a part": Case(message(), [added(text="Hello")], texts, ["Hello"]),
    "a later part": Case(message(), [added(1, "Hello")], texts, ["", "Hello"]),
    "text": Case(message(), [added(), delta("Hel"), delta("lo")], texts, ["Hello"]),
    "text without a part": Case(message(), [delta("Hello")], texts, ["Hello"]),
    "text of two parts": Case(
        message(), [added(), delta("One"), added(1), delta("Two", 1)], texts, ["One", "Two"]
    ),
    "text after what the item began with": Case(
        message("Hello"), [delta(", Ann")], texts, ["Hello, Ann"]
    ),
    "a finished part": Case(message(), [added(), delta("Hel"), done("Hello.")], texts, ["Hello."]),
    "text after a finished part": Case(
        message(), [added(), delta("Hel"), done("Hello."), delta("!")], texts, ["Hello.!"]
    ),
    "an annotation": Case(
        message(),
        [added(text="Hello"), annotated()],
        lambda item: item.content[0].annotations,
        [ANNOTATION],
    ),
    "a task": Case(
        workflow("one"),
        [WorkflowTaskAdded(task_index=1, task=CustomTask(title="two"))],
        titles,
        ["one", "two"],
    ),
    "a task before another": Case(
        workflow("two"),
        [WorkflowTaskAdded(task_index=0, task=CustomTask(title="one"))],
        titles,
        ["one", "two"],
    ),
    "a changed task": Case(
        workflow("one", "two"),
        [WorkflowTaskUpdated(task_index=1, task=CustomTask(title="three"))],
        titles,
        ["one", "three"],
    ),
    "an image": Case(
        image(),
        [GeneratedImageUpdated(image=GeneratedImage(id="item_1", url="data:,half"))],
        lambda item: item.image.url,
        "data:,half",
    ),
    "a widget": Case(
        widget_item(widget("one")),
        [WidgetRootUpdated(widget=widget("two", "three"))],
        lambda item: shown(item.widget),
        ["two", "three"],
    ),
    "a component of a widget": Case(
        widget_item(widget("one", "two")),
        [WidgetComponentUpdated(component_id="text_1", component=Text(id="text_1", value="3"))],
        lambda item: shown(item.widget),
        ["one", "3"],
    ),
    "text of a widget": Case(
        widget_item(widget("one", "")),
        [
            WidgetStreamingTextValueDelta(component_id="text_1", delta="two ", done=False),
            WidgetStreamingTextValueDelta(component_id="text_1", delta="three", done=False),
        ],
        lambda item: shown(item.widget),
        ["one", "two three"],
    ),
    "text of a widget that is finished": Case(
        widget_item(widget("one")),
        [WidgetStreamingTextValueDelta(component_id="text_0", delta="!", done=True)],
        lambda item: [child.streaming for child in item.widget.children[0].children],
        [False],
    ),
    "text in a component that has one child": Case(
        widget_item(Card(children=[Transition(children=_text(0, "one"))])),
        [WidgetStreamingTextValueDelta(component_id="text_0", delta="!", done=False)],
        lambda item: item.widget.children[0].children.value,
        "one!",
    ),
    "text of a widget of an unknown kind": Case(
        widget_item(
            DynamicWidgetRoot.model_validate(
                {"type": "Card", "children": [{"type": "Text", "id": "t", "value": "one"}]}
            )
        ),
        [WidgetStreamingTextValueDelta(component_id="t", delta="!", done=False)],
        lambda item: item.widget.children[0].value,
        "one!",
    ),
    "text of a component that is not there": Case(
        widget_item(widget("one")),
        [WidgetStreamingTextValueDelta(component_id="gone", delta="!", done=False)],
        lambda item: shown(item.widget),
        ["one"],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_an_item_that_is_cut_off_is_saved_as_the_client_sees_it(
    recorded: Recorded, case: Case
) -> None:
    await recorded.recorder.emit(ThreadItemAddedEvent(item=case.begun))
    before = case.begun.model_dump()
    await recorded.update(*case.updates)
    assert case.read(recorded.recorder.partial("item_1")) == case.saved
    assert await recorded.recorder.close() == await recorded.stored()
    [item] = await recorded.stored()
    assert case.read(item) == case.saved
    assert recorded.persisted.items == recorded.recorder.saved == [item]
    types = [event["type"] for event in await recorded.events()]
    updates = ["thread.item.updated"] * len(case.updates)
    assert types == ["thread.item.added", *updates, "thread.item.done"]
    # What a tool or plugin gave is its own
    assert case.begun.model_dump() == before


async def test_text_of_both_ways_is_kept_in_its_order(recorded: Recorded) -> None:
    await recorded.recorder.emit(ThreadItemAddedEvent(item=message()))
    await recorded.update(added())
    recorded.recorder.delta("item_1", 0, "One, ")
    await recorded.update(delta("two, "))
    recorded.recorder.delta("item_1", 0, "three.")
    await recorded.recorder.close()
    assert texts((await recorded.stored())[0]) == ["One, two, three."]


async def test_a_widget_that_a_tool_yields_is_not_changed(recorded: Recorded) -> None:
    yielded = [widget("one"), widget("one two"), widget("one two three")]
    before = [root.model_dump() for root in yielded]

    async def states() -> Any:
        for root in yielded:
            yield root

    events = stream_widget(recorded.turn.thread, states())
    async for event in events:
        if not isinstance(event, ThreadItemDoneEvent):
            await recorded.recorder.emit(event)
    [item] = recorded.recorder.unfinished()
    assert shown(item.widget) == ["one two three"]  # type: ignore[union-attr]
    assert [root.model_dump() for root in yielded] == before


async def test_an_annotation_does_not_change_the_part_that_was_given(recorded: Recorded) -> None:
    part = added(text="Hello")
    await recorded.recorder.emit(ThreadItemAddedEvent(item=message()))
    await recorded.update(part, annotated(), delta("!"))
    recorded.recorder.partial("item_1")
    assert (part.content.text, part.content.annotations) == ("Hello", [])


async def test_an_update_of_an_item_that_is_not_open_is_only_sent(recorded: Recorded) -> None:
    await recorded.update(delta("Hello"), WidgetRootUpdated(widget=widget("one")))
    assert recorded.recorder.unfinished() == []
    assert await recorded.stored() == []
    assert len(await recorded.events()) == 2


@pytest.mark.parametrize(
    "begun",
    [message(), message("  "), workflow(), image()],
    ids=["message", "blank message", "workflow", "image"],
)
async def test_an_item_that_shows_nothing_is_removed_at_the_end(
    recorded: Recorded, begun: ThreadItem
) -> None:
    await recorded.recorder.emit(ThreadItemAddedEvent(item=begun))
    assert await recorded.recorder.close() == []
    assert recorded.recorder.open == {}
    assert await recorded.stored() == recorded.persisted.items == []
    assert (await recorded.events())[-1] == {"type": "thread.item.removed", "item_id": "item_1"}


# Items that are withdrawn


async def test_a_saved_item_that_is_withdrawn_leaves_the_store(recorded: Recorded) -> None:
    for item_id in ("item_1", "item_2"):
        await recorded.recorder.emit(ThreadItemDoneEvent(item=message("Hello", item_id=item_id)))
    await recorded.recorder.emit(ThreadItemRemovedEvent(item_id="item_1"))
    assert [item.id for item in await recorded.stored()] == ["item_2"]
    assert [item.id for item in recorded.recorder.saved] == ["item_2"]
    assert (await recorded.events())[-1] == {"type": "thread.item.removed", "item_id": "item_1"}


async def test_an_open_item_that_is_withdrawn_is_not_saved(recorded: Recorded) -> None:
    await recorded.recorder.emit(ThreadItemAddedEvent(item=message()))
    recorded.recorder.delta("item_1", 0, "Hello")
    await recorded.recorder.emit(ThreadItemRemovedEvent(item_id="item_1"))
    assert await recorded.recorder.close() == []
    assert await recorded.stored() == recorded.recorder.saved == []
    assert (await recorded.events())[-1] == {"type": "thread.item.removed", "item_id": "item_1"}


# Items that are done


async def test_a_done_item_is_saved_before_it_is_sent(recorded: Recorded) -> None:
    await recorded.recorder.emit(ThreadItemAddedEvent(item=message()))
    assert list(recorded.recorder.open) == ["item_1"]
    await recorded.recorder.emit(ThreadItemDoneEvent(item=message("Hello")))
    assert recorded.recorder.open == {}
    assert await recorded.stored() == recorded.persisted.items == [message("Hello")]


async def test_a_replaced_item_is_saved_in_its_place(recorded: Recorded) -> None:
    for item_id in ("item_1", "item_2"):
        await recorded.recorder.emit(ThreadItemDoneEvent(item=message("Hello", item_id=item_id)))
    await recorded.recorder.emit(ThreadItemReplacedEvent(item=message("Goodbye")))
    assert [texts(item) for item in await recorded.stored()] == [["Goodbye"], ["Hello"]]
    assert [texts(item) for item in recorded.recorder.saved] == [["Goodbye"], ["Hello"]]
    assert (await recorded.events())[-1]["type"] == "thread.item.replaced"


async def test_a_hidden_item_is_saved_and_not_sent(recorded: Recorded) -> None:
    item = HiddenContextItem(id="item_1", thread_id=THREAD, created_at=NOW, content="secret")
    await recorded.recorder.emit(ThreadItemDoneEvent(item=item))
    assert await recorded.stored() == [item]
    assert await recorded.events() == []


@pytest.mark.parametrize(
    ("new", "goes"),
    [
        (message("New", item_id="new"), True),
        (workflow("one"), False),
        (HiddenContextItem(id="h", thread_id=THREAD, created_at=NOW, content="x"), False),
    ],
    ids=["message", "workflow", "hidden"],
)
async def test_superseded_items_go_with_the_first_part_of_the_new_answer(
    recorded: Recorded, new: ThreadItem, goes: bool
) -> None:
    old = [message("Old", item_id="old_1"), message("Older", item_id="old_2")]
    await recorded.store.add_thread_item(THREAD, old[0], CONTEXT)
    recorded.recorder.supersede(list(old))
    await recorded.recorder.emit(ThreadItemDoneEvent(item=new))
    kept = [item.id for item in await recorded.stored()]
    assert kept == [new.id] if goes else ["old_1", new.id]
    assert recorded.recorder.superseded == ([] if goes else ["old_1", "old_2"])


async def test_a_time_without_a_zone_is_this_machine_s(recorded: Recorded) -> None:
    naive = datetime(2026, 5, 1, 12)
    item = message("Hello").model_copy(update={"created_at": naive})
    await recorded.recorder.emit(ThreadItemDoneEvent(item=item))
    [saved] = await recorded.stored()
    assert saved.created_at == naive.astimezone(UTC)
    assert saved.created_at.tzinfo is not None
    [event] = await recorded.events()
    assert datetime.fromisoformat(event["item"]["created_at"]) == saved.created_at


async def test_a_changed_thread_is_saved_and_sent(recorded: Recorded) -> None:
    recorded.turn.thread.title = "Milk"
    await recorded.recorder.emit(ThreadItemDoneEvent(item=message("Hello")))
    assert (await recorded.store.load_thread(THREAD, CONTEXT)).title == "Milk"
    await recorded.recorder.emit(ThreadItemRemovedEvent(item_id="item_1"))
    events = await recorded.events()
    types = [event["type"] for event in events]
    assert types == ["thread.item.done", "thread.updated", "thread.item.removed"]
    assert events[1]["thread"]["title"] == "Milk"


# Text, tools and the end


async def test_text_beyond_the_limit_ends_the_answer() -> None:
    recorded = await Recorded(limit=5).start()
    await recorded.recorder.emit(ThreadItemAddedEvent(item=message()))
    recorded.recorder.delta("item_1", 0, "Hello")
    with pytest.raises(TurnFailed, match="longer than allowed"):
        recorded.recorder.delta("item_1", 0, "!")
    await recorded.recorder.close()
    assert texts((await recorded.stored())[0]) == ["Hello"]


@pytest.mark.parametrize("way", ["delta", "emit"])
async def test_the_first_text_is_timed(recorded: Recorded, way: str) -> None:
    recorder = recorded.recorder
    await recorder.emit(ThreadItemAddedEvent(item=message()))
    await recorded.update(added())
    assert recorder.first_token is None
    for text in ("Hel", "lo"):
        if way == "delta":
            recorder.delta("item_1", 0, text)
        else:
            await recorded.update(delta(text))
        first = recorder.first_token
    assert first is not None
    assert first == recorder.first_token


async def test_an_error_is_the_last_line(recorded: Recorded) -> None:
    recorded.recorder.tool(ToolCall("c", "t", {}), ToolResult("x"))
    assert [call.name for call, _ in recorded.recorder.tools] == ["t"]
    recorded.recorder.write_end(
        Outcome("failed", 1.0, [], [], Usage(), "m", error="It broke.", allow_retry=True)
    )
    assert not recorded.log.ended, "`post_turn` may still change the thread"
    [event] = await recorded.events()
    assert (event["type"], event["message"], event["allow_retry"]) == ("error", "It broke.", True)
