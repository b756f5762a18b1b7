"""Answers that stand still after one kind of event, and what the page then shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ClientEffectEvent,
    CustomTask,
    ErrorEvent,
    GeneratedImage,
    GeneratedImageItem,
    GeneratedImageUpdated,
    NoticeEvent,
    ProgressUpdateEvent,
    StreamOptions,
    StreamOptionsEvent,
    Thread,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    ThreadUpdatedEvent,
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
from chatkit.widgets import DynamicWidgetComponent, DynamicWidgetRoot
from playwright.async_api import expect

from chatkit_server import Turn
from chatkit_server.testing import Gate
from tests.page.browsing import ChatPage
from tests.page.site import PICTURE

Made = Iterator[ThreadStreamEvent]
Check = Callable[[ChatPage], Awaitable[None]]

EVENTS: dict[str, Case] = {}
UPDATES: dict[str, Case] = {}


class Case:
    """An answer whose events are made by a function, and stand still after them."""

    def __init__(self, name: str, make: Callable[[Turn], Made], check: Check) -> None:
        self.name = name
        self.make = make
        self.check = check
        self.gate = Gate()

    async def answer(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        for event in self.make(turn):
            yield event
            if event.type == "error":
                return  # it is the last one, and shown when the stream ends
        await self.gate.passed()

    async def reached(self) -> None:
        if self.name != "error":
            async with asyncio.timeout(20):
                await self.gate.reached()


def case(name: str, check: Check) -> Callable[[Callable[[Turn], Made]], Callable[[Turn], Made]]:
    """Make a case of the events that a function makes, for an event or update of this type."""

    def add(make: Callable[[Turn], Made]) -> Callable[[Turn], Made]:
        cases = EVENTS if name in NAMES else UPDATES
        cases[name] = Case(name, make, check)
        return make

    return add


NAMES = {
    "thread.created",
    "thread.updated",
    "thread.item.added",
    "thread.item.updated",
    "thread.item.done",
    "thread.item.removed",
    "thread.item.replaced",
    "stream_options",
    "progress_update",
    "client_effect",
    "error",
    "notice",
}


# What a page shows


def text(*words: str) -> Check:
    """Have these words shown anywhere in the element."""

    async def check(chat: ChatPage) -> None:
        for each in words:
            await expect(chat.element).to_contain_text(each)

    return check


def only(shown: str, gone: str) -> Check:
    """Have the conversation show one, and the other no longer."""

    async def check(chat: ChatPage) -> None:
        await expect(chat.transcript).to_contain_text(shown)
        await expect(chat.transcript).not_to_contain_text(gone)

    return check


async def picture(chat: ChatPage) -> None:
    await expect(chat.transcript.locator(f'img[src="{PICTURE}"]').last).to_be_visible()


async def changed(chat: ChatPage) -> None:
    await chat.heard("chatkit.thread.change")


async def effect(chat: ChatPage) -> None:
    await chat.heard("chatkit.effect")
    [event] = await chat.events("chatkit.effect")
    assert event["detail"] == {"name": "confetti", "data": {"colour": "gold"}}


async def no_stop(chat: ChatPage) -> None:
    await expect(chat.composer.get_by_role("button", name="Stop")).to_have_count(0)


async def error(chat: ChatPage) -> None:
    await expect(chat.element.get_by_text("The kettle is empty.")).to_be_visible()
    await expect(chat.element.get_by_role("button", name="again").last).to_be_visible()


async def source(chat: ChatPage) -> None:
    await expect(chat.transcript.get_by_role("link", name="A source").last).to_be_attached()


# Things


def message(turn: Turn, text: str = "") -> AssistantMessageItem:
    content = [AssistantMessageContent(text=text)] if text else []
    return turn.new_item(AssistantMessageItem, content=content)


def card(*children: dict[str, Any]) -> DynamicWidgetRoot:
    return DynamicWidgetRoot.model_validate({"type": "Card", "children": [*children]})


def words(value: str, **rest: Any) -> dict[str, Any]:
    return {"type": "Text", "value": value, **rest}


def begun(turn: Turn) -> tuple[AssistantMessageItem, list[ThreadStreamEvent]]:
    """Return a message that has begun, with an empty part."""
    item = message(turn)
    part = AssistantMessageContentPartAdded(
        content_index=0, content=AssistantMessageContent(text="")
    )
    return item, [ThreadItemAddedEvent(item=item), updated(item, part)]


def updated(item: Any, update: Any) -> ThreadItemUpdatedEvent:
    return ThreadItemUpdatedEvent(item_id=item.id, update=update)


# Events


@case("thread.created", changed)
def created(turn: Turn) -> Made:
    """The server sends it by itself."""
    yield ThreadItemDoneEvent(item=message(turn, "Welcome."))


@case("thread.updated", text("Tea for two"))
def titled(turn: Turn) -> Made:
    turn.thread.title = "Tea for two"
    given = turn.thread.model_dump(exclude={"items"})
    yield ThreadUpdatedEvent(thread=Thread.model_validate({**given, "items": {}}))


@case("thread.item.added", text("Added text"))
def added(turn: Turn) -> Made:
    yield ThreadItemAddedEvent(item=message(turn, "Added text"))


@case("thread.item.updated", text("Updated text"))
def item_updated(turn: Turn) -> Made:
    item, events = begun(turn)
    yield from events
    yield updated(item, AssistantMessageContentPartTextDelta(content_index=0, delta="Updated text"))


@case("thread.item.done", text("Done text"))
def done(turn: Turn) -> Made:
    yield ThreadItemDoneEvent(item=message(turn, "Done text"))


@case("thread.item.removed", only("Stays here", "Taken back"))
def removed(turn: Turn) -> Made:
    item = message(turn, "Taken back")
    yield ThreadItemDoneEvent(item=item)
    yield ThreadItemDoneEvent(item=message(turn, "Stays here"))
    yield ThreadItemRemovedEvent(item_id=item.id)


@case("thread.item.replaced", only("Second thoughts", "First thoughts"))
def replaced(turn: Turn) -> Made:
    item = turn.new_item(WidgetItem, widget=card(words("First thoughts")))
    yield ThreadItemDoneEvent(item=item)
    other = item.model_copy(update={"widget": card(words("Second thoughts"))})
    yield ThreadItemReplacedEvent(item=other)


@case("stream_options", no_stop)
def not_stoppable(turn: Turn) -> Made:
    yield StreamOptionsEvent(stream_options=StreamOptions(allow_cancel=False))


@case("progress_update", text("Counting leaves"))
def progress(turn: Turn) -> Made:
    yield ProgressUpdateEvent(text="Counting leaves", icon="clock")


@case("client_effect", effect)
def confetti(turn: Turn) -> Made:
    yield ClientEffectEvent(name="confetti", data={"colour": "gold"})


@case("error", error)
def failed(turn: Turn) -> Made:
    yield ErrorEvent(message="The kettle is empty.", allow_retry=True)


@case("notice", text("All is well", "Few left", "Assam runs out", "Hot kettle"))
def notices(turn: Turn) -> Made:
    yield NoticeEvent(level="info", message="All is **well**")
    yield NoticeEvent(level="warning", title="Few left", message="Assam runs out")
    yield NoticeEvent(level="danger", message="Hot kettle")


# Updates


@case("assistant_message.content_part.added", text("A first part"))
def part_added(turn: Turn) -> Made:
    item = message(turn)
    yield ThreadItemAddedEvent(item=item)
    content = AssistantMessageContent(text="A first part")
    yield updated(item, AssistantMessageContentPartAdded(content_index=0, content=content))


@case("assistant_message.content_part.text_delta", text("One and two"))
def text_delta(turn: Turn) -> Made:
    item, events = begun(turn)
    yield from events
    for delta in ("One ", "and two"):
        yield updated(item, AssistantMessageContentPartTextDelta(content_index=0, delta=delta))


@case("assistant_message.content_part.annotation_added", source)
def annotated(turn: Turn) -> Made:
    item, events = begun(turn)
    yield from events
    yield updated(item, AssistantMessageContentPartTextDelta(content_index=0, delta="As is known"))
    annotation = Annotation(source=URLSource(title="A source", url="https://example.com/tea"))
    update = AssistantMessageContentPartAnnotationAdded(
        content_index=0, annotation_index=0, annotation=annotation
    )
    yield updated(item, update)


@case("assistant_message.content_part.done", text("The whole part"))
def part_done(turn: Turn) -> Made:
    item, events = begun(turn)
    yield from events
    content = AssistantMessageContent(text="The whole part")
    yield updated(item, AssistantMessageContentPartDone(content_index=0, content=content))


@case("widget.streaming_text.value_delta", text("Dear tea lovers"))
def widget_text(turn: Turn) -> Made:
    item = turn.new_item(WidgetItem, widget=card(words("Dear", id="letter", streaming=True)))
    yield ThreadItemAddedEvent(item=item)
    delta = WidgetStreamingTextValueDelta(component_id="letter", delta=" tea lovers", done=False)
    yield updated(item, delta)


@case("widget.component.updated", only("Brewing now", "Boiling now"))
def component_updated(turn: Turn) -> Made:
    item = turn.new_item(WidgetItem, widget=card(words("Boiling now", id="state")))
    yield ThreadItemAddedEvent(item=item)
    component = DynamicWidgetComponent.model_validate(words("Brewing now", id="state"))
    yield updated(item, WidgetComponentUpdated(component_id="state", component=component))


@case("widget.root.updated", only("Another root", "The old root"))
def root_updated(turn: Turn) -> Made:
    item = turn.new_item(WidgetItem, widget=card(words("The old root")))
    yield ThreadItemAddedEvent(item=item)
    yield updated(item, WidgetRootUpdated(widget=card(words("Another root"))))


@case("workflow.task.added", text("Boil water"))
def task_added(turn: Turn) -> Made:
    item = turn.new_item(WorkflowItem, workflow=Workflow(type="custom", tasks=[], expanded=True))
    yield ThreadItemAddedEvent(item=item)
    task = CustomTask(title="Boil water", status_indicator="loading")
    yield updated(item, WorkflowTaskAdded(task_index=0, task=task))


@case("workflow.task.updated", only("Boiled water", "Boiling water"))
def task_updated(turn: Turn) -> Made:
    task = CustomTask(title="Boiling water", status_indicator="loading")
    workflow = Workflow(type="custom", tasks=[task], expanded=True)
    item = turn.new_item(WorkflowItem, workflow=workflow)
    yield ThreadItemAddedEvent(item=item)
    done = task.model_copy(update={"title": "Boiled water", "status_indicator": "complete"})
    yield updated(item, WorkflowTaskUpdated(task_index=0, task=done))


@case("generated_image.updated", picture)
def image_updated(turn: Turn) -> Made:
    item = turn.new_item(GeneratedImageItem)
    yield ThreadItemAddedEvent(item=item)
    image = GeneratedImage(id=item.id, url=PICTURE)
    yield updated(item, GeneratedImageUpdated(image=image, progress=0.5))
