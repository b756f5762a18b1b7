"""Everything that ChatKit's types have is covered by a test, which `docs/chatkit.md` names."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NotRequired, get_origin, get_type_hints

import chatkit
import pytest
from chatkit.actions import ActionConfig
from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ClientToolCallItem,
    CustomTask,
    EndOfTurnItem,
    GeneratedImage,
    GeneratedImageItem,
    GeneratedImageUpdated,
    HiddenContextItem,
    InferenceOptions,
    SDKHiddenContextItem,
    StructuredInputFreeform,
    StructuredInputItem,
    TaskItem,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdate,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    URLSource,
    UserMessageItem,
    UserMessageTextContent,
    WidgetComponentUpdated,
    WidgetItem,
    WidgetRootUpdated,
    WidgetStreamingTextValueDelta,
    Workflow,
    WorkflowItem,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)
from chatkit.widgets import (
    DynamicWidgetComponent,
    DynamicWidgetRoot,
    WidgetComponentBase,
    WidgetTemplate,
)
from pydantic import BaseModel
from typing_extensions import is_typeddict

from chatkit_server import Turn, hookimpl
from tests import surface
from tests.conftest import MakeChat
from tests.documents import rows, section
from tests.folded import Folded
from tests.showing import everything_shown, models_in, showcase_chat
from tests.test_resume import create

KINDS = surface.kinds()
NAMES = [name for names in KINDS.values() for name in names]
TESTS = Path(__file__).parent


def test_every_type_has_one_row() -> None:
    assert [name for name, count in Counter(NAMES).items() if count > 1] == []
    assert surface.TESTS.keys() <= set(NAMES), "a type that is gone"


@pytest.mark.parametrize("test", sorted({surface.test_of(name) for name in NAMES}))
def test_every_test_that_is_named_exists(test: str) -> None:
    file, _, function = test.partition("::")
    assert re.search(rf"^(async )?def {function}\(", (TESTS / file).read_text(), re.MULTILINE)


@pytest.mark.parametrize("kind", KINDS)
def test_the_document_has_the_same_table(kind: str) -> None:
    described = list(rows(section("chatkit.md", f"### {kind}")))
    assert described == [[f"`{name}`", f"`{surface.test_of(name)}`"] for name in KINDS[kind]]


# What the showcase shows


async def test_the_showcase_shows_it() -> None:
    async with showcase_chat() as chat:
        shown = await everything_shown(chat)
    found = {name for given in shown for model in models_in(given) for name in names_of(model)}
    assert surface.SHOWN - found == set()


def names_of(model: BaseModel) -> Iterator[str]:
    """Yield what a model is, and what of the surface it has that is no model of its own."""
    yield type(model).__name__
    if isinstance(model, WidgetComponentBase):
        yield model.type
        yield from dicts_in(model.model_dump(mode="json"))
    if isinstance(model, ActionConfig):
        yield f"handler: {model.handler}"
        yield f"loadingBehavior: {model.loadingBehavior}"


DICTS = {
    cls.__name__: get_type_hints(cls, include_extras=True)
    for cls in surface.classes(chatkit.widgets)
    if is_typeddict(cls) and cls.__name__ != "MinMax"
}


def dicts_in(value: Any) -> Iterator[str]:
    """Yield the names of the kinds of `dict` that a widget has."""
    if isinstance(value, list):
        for each in value:
            yield from dicts_in(each)
    if not isinstance(value, dict):
        return
    for name, hints in DICTS.items():
        needed = {key for key, hint in hints.items() if get_origin(hint) is not NotRequired}
        if value and needed <= value.keys() <= hints.keys():
            yield name
    for each in value.values():
        yield from dicts_in(each)


def test_no_component_has_it() -> None:
    """ChatKit defines `MinMax`, and uses it nowhere."""
    components = surface.classes(chatkit.widgets)
    assert [cls for cls in components if "MinMax" in str(cls.__annotations__)] == []


# Items and updates of every kind


def widget(*children: dict[str, Any]) -> DynamicWidgetRoot:
    return DynamicWidgetRoot.model_validate({"type": "Card", "children": children})


WORD = {"type": "Text", "id": "word", "value": "Hel", "streaming": True}
BADGE = {"type": "Badge", "id": "badge", "label": "New"}
CONTENT = AssistantMessageContent(text="Hello.")
TASK = CustomTask(title="Work")
IMAGE = GeneratedImage(id="image_1", url="https://example.com/image.png")
SOURCE = Annotation(source=URLSource(title="A page", url="https://example.com"), index=3)

EVERY_ITEM: dict[type, dict[str, Any]] = {
    UserMessageItem: {
        "content": [UserMessageTextContent(text="Hello?")],
        "inference_options": InferenceOptions(),
    },
    AssistantMessageItem: {"content": [CONTENT]},
    ClientToolCallItem: {"call_id": "call_1", "name": "ask", "arguments": {}},
    WidgetItem: {"widget": widget(BADGE), "copy_text": "New"},
    GeneratedImageItem: {"image": IMAGE},
    StructuredInputItem: {"inputs": [StructuredInputFreeform(id="q1", question="Why?")]},
    WorkflowItem: {"workflow": Workflow(type="custom", tasks=[TASK])},
    TaskItem: {"task": TASK},
    HiddenContextItem: {"content": {"picked": "Assam"}},
    SDKHiddenContextItem: {"content": "stopped"},
    EndOfTurnItem: {},
}
HIDDEN = (HiddenContextItem, SDKHiddenContextItem)

MESSAGE: tuple[type, dict[str, Any]] = (AssistantMessageItem, {"content": []})
WIDGET = WidgetItem, {"widget": widget(WORD, BADGE)}
WORK = WorkflowItem, {"workflow": Workflow(type="custom", tasks=[TASK])}
PART = AssistantMessageContentPartAdded(content_index=0, content=AssistantMessageContent(text=""))
TEXT = AssistantMessageContentPartTextDelta(content_index=0, delta="Hello.")
MARK = AssistantMessageContentPartAnnotationAdded(
    content_index=0, annotation_index=0, annotation=SOURCE
)
RED = DynamicWidgetComponent.model_validate({**BADGE, "color": "danger"})

EVERY_UPDATE: dict[type, tuple[tuple[type, dict[str, Any]], list[Any]]] = {
    AssistantMessageContentPartAdded: (MESSAGE, [PART, TEXT]),
    AssistantMessageContentPartTextDelta: (MESSAGE, [PART, TEXT, TEXT]),
    AssistantMessageContentPartAnnotationAdded: (MESSAGE, [PART, TEXT, MARK]),
    AssistantMessageContentPartDone: (
        MESSAGE,
        [PART, AssistantMessageContentPartDone(content_index=0, content=CONTENT)],
    ),
    WidgetStreamingTextValueDelta: (
        WIDGET,
        [WidgetStreamingTextValueDelta(component_id="word", delta="lo", done=True)],
    ),
    WidgetComponentUpdated: (WIDGET, [WidgetComponentUpdated(component_id="badge", component=RED)]),
    WidgetRootUpdated: (WIDGET, [WidgetRootUpdated(widget=widget(BADGE))]),
    WorkflowTaskAdded: (WORK, [WorkflowTaskAdded(task_index=1, task=TASK)]),
    WorkflowTaskUpdated: (
        WORK,
        [WorkflowTaskUpdated(task_index=0, task=TASK.model_copy(update={"content": "Done"}))],
    ),
    GeneratedImageUpdated: (
        (GeneratedImageItem, {}),
        [GeneratedImageUpdated(image=IMAGE, progress=0.5)],
    ),
}


class Shows:
    """Shows an item, and leaves it unfinished if it is to be updated."""

    def __init__(self) -> None:
        self.kind: type = EndOfTurnItem
        self.fields: dict[str, Any] = {}
        self.updates: list[Any] = []
        self.updated = asyncio.Event()

    @hookimpl
    async def respond(self, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        item: Any = turn.new_item(self.kind, **self.fields)
        yield ThreadItemAddedEvent(item=item)
        for update in self.updates:
            yield ThreadItemUpdatedEvent(item_id=item.id, update=update)
        if self.updates:
            self.updated.set()
            await asyncio.Event().wait()
        yield ThreadItemDoneEvent(item=item)


async def test_every_item_is_saved_and_comes_back(make_chat: MakeChat) -> None:
    assert list(EVERY_ITEM) == surface.members(ThreadItem)
    plugin = Shows()
    chat = await make_chat(plugin)
    for plugin.kind, plugin.fields in EVERY_ITEM.items():
        streamed = await chat.say("show it")
        folded = Folded(streamed.data)
        assert folded.items == folded.done, plugin.kind
        assert len(folded.items) == (1 if plugin.kind in HIDDEN else 2), plugin.kind
        thread = await chat.ask("threads.get_by_id", thread_id=streamed.thread_id)
        assert thread["items"]["data"] == list(folded.items.values()), plugin.kind


async def test_every_update_is_saved_when_its_turn_is_stopped(make_chat: MakeChat) -> None:
    assert list(EVERY_UPDATE) == surface.members(ThreadItemUpdate)
    for update, ((kind, fields), updates) in EVERY_UPDATE.items():
        plugin = Shows()
        plugin.kind, plugin.fields, plugin.updates = kind, fields, updates
        chat = await make_chat(plugin)
        response = await chat.post(create("show it"))
        await plugin.updated.wait()
        await chat.client.post(f"{chat.path}/turns/{response.headers['X-Turn-Id']}/cancel")
        streamed = await chat.read(response)
        last = max(at for at, event in enumerate(streamed.data) if "update" in event)
        assert Folded(streamed.data[: last + 1]).items.keys() == Folded(streamed.data).done.keys()
        thread = await chat.ask("threads.get_by_id", thread_id=streamed.thread_id)
        assert thread["items"]["data"] == list(Folded(streamed.data).items.values()), update
        shown = without_ends(list(Folded(streamed.data[: last + 1]).items.values()))
        assert without_ends(thread["items"]["data"]) == shown, update


def without_ends(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return items without what says that nobody works on them any more."""
    for item in items:
        item.get("workflow", {}).pop("summary", None)
        for child in item.get("widget", {}).get("children", ()):
            child.pop("streaming", None)
    return items


async def test_a_widget_of_a_template_comes_back(make_chat: MakeChat) -> None:
    text = '{"type": "Card", "children": [{"type": "Text", "value": {{ name | tojson }}}]}'
    template = WidgetTemplate({"version": "1.0", "name": "greeting", "template": text})
    plugin = Shows()
    plugin.kind, plugin.fields = WidgetItem, {"widget": template.build({"name": "Ann “A” O'Hara"})}
    chat = await make_chat(plugin)
    streamed = await chat.say("show it")
    [item] = streamed.done("widget")
    assert item["widget"]["children"][0]["value"] == "Ann “A” O'Hara"
    assert isinstance(plugin.fields["widget"], DynamicWidgetRoot)
    thread = await chat.ask("threads.get_by_id", thread_id=streamed.thread_id)
    assert item in thread["items"]["data"]
