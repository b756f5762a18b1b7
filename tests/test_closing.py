"""What a turn leaves behind when it ends: items saved, items withdrawn, an old answer replaced."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from chatkit.store import NotFoundError
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageItem,
    GeneratedImage,
    GeneratedImageItem,
    HiddenContextItem,
    LockedStatus,
    SDKHiddenContextItem,
    ThoughtTask,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    WidgetItem,
    WidgetStreamingTextValueDelta,
    Workflow,
    WorkflowItem,
)
from chatkit.widgets import Card, Text

from chatkit_server.errors import TurnFailed
from chatkit_server.events.recorder import answers, shows_nothing
from chatkit_server.events.settling import settled
from chatkit_server.events.threads import as_thread
from chatkit_server.storage import StoreContext
from chatkit_server.turn import ToolCall, ToolResult
from chatkit_server.web.plain_wire import PlainWire
from tests.recording import CONTEXT, NOW, Recording, make_recording


@pytest.fixture
async def case() -> Recording:
    return await make_recording(room=20)


def base(item_id: str) -> dict[str, Any]:
    return {"id": item_id, "thread_id": "thr_1", "created_at": NOW}


def message(item_id: str, *texts: str) -> AssistantMessageItem:
    content = [AssistantMessageContent(text=text) for text in texts]
    return AssistantMessageItem(content=content, **base(item_id))


def workflow(item_id: str, *thoughts: str) -> WorkflowItem:
    tasks = [ThoughtTask(content=thought) for thought in thoughts]
    return WorkflowItem(workflow=Workflow(type="reasoning", tasks=list(tasks)), **base(item_id))


def image(item_id: str, url: str | None = None) -> GeneratedImageItem:
    shown = GeneratedImage(id="i", url=url) if url else None
    return GeneratedImageItem(image=shown, **base(item_id))


def widget(item_id: str) -> WidgetItem:
    return WidgetItem(widget=Card(children=[Text(value="")]), **base(item_id))


async def begin(case: Recording, *items: ThreadItem) -> None:
    for item in items:
        await case.recorder.emit(ThreadItemAddedEvent(item=item))


SHOWN = [
    pytest.param(message("m", "", "text"), id="message"),
    pytest.param(workflow("w", "thought"), id="workflow"),
    pytest.param(image("i", "https://example.org/i.png"), id="image"),
    pytest.param(widget("c"), id="widget"),
]
EMPTY = [
    pytest.param(message("m"), id="message without content"),
    pytest.param(message("m", " \n", ""), id="message of white space"),
    pytest.param(workflow("w"), id="workflow"),
    pytest.param(image("i"), id="image"),
]


@pytest.mark.parametrize("item", SHOWN)
async def test_what_shows_something_is_saved_when_a_turn_is_cut_off(
    case: Recording, item: ThreadItem
) -> None:
    assert not shows_nothing(item)
    await begin(case, item)
    case.told()
    assert await case.recorder.close() == [settled(item)]
    assert case.stored == case.persisted.items == [item.id]
    [event] = case.told()
    assert (event["type"], event["item"]["id"]) == ("thread.item.done", item.id)
    assert case.recorder.open == {}


@pytest.mark.parametrize("item", EMPTY)
async def test_what_shows_nothing_is_taken_off_the_screen(
    case: Recording, item: ThreadItem
) -> None:
    assert shows_nothing(item)
    await begin(case, item)
    case.told()
    assert await case.recorder.close() == []
    assert case.stored == []
    assert case.told() == [{"type": "thread.item.removed", "item_id": item.id}]
    assert case.recorder.open == {}


async def test_each_of_several_open_items_is_closed(case: Recording) -> None:
    await begin(case, message("m"), widget("c"), workflow("w"), message("n", "text"))
    closed = await case.recorder.close()
    assert [item.id for item in closed] == case.stored == ["c", "n"]
    assert [item.id for item in case.recorder.saved] == ["c", "n"]


async def test_pieces_of_text_belong_to_their_message_and_part(case: Recording) -> None:
    await begin(case, message("one"), message("two"))
    for item_id, index, text in (
        ("one", 0, "a"),
        ("two", 1, "b"),
        ("one", 0, "c"),
        ("one", 2, "d"),
    ):
        case.recorder.delta(item_id, index, text)
    one, two = case.recorder.unfinished()
    assert isinstance(one, AssistantMessageItem)
    assert isinstance(two, AssistantMessageItem)
    assert [content.text for content in one.content] == ["ac", "", "d"]
    assert [content.text for content in two.content] == ["", "b"]
    case.recorder.delta("one", 0, "e")
    assert [content.text for content in one.content] == ["ac", "", "d"], "it is added when asked"
    case.recorder.partial("one")
    assert [content.text for content in one.content] == ["ace", "", "d"]


async def test_a_part_that_begins_has_the_text_it_was_given(case: Recording) -> None:
    await begin(case, message("one"))
    case.recorder.delta("one", 0, "before")
    part = AssistantMessageContentPartAdded(
        content_index=0, content=AssistantMessageContent(text="anew")
    )
    await case.recorder.emit(ThreadItemUpdatedEvent(item_id="one", update=part))
    case.recorder.delta("one", 0, "!")
    [item] = case.recorder.unfinished()
    assert isinstance(item, AssistantMessageItem)
    assert item.content[0].text == "anew!"
    assert part.content.text == "anew", "what was told stays as it was"


async def test_an_answer_may_have_as_many_characters_as_there_is_room(case: Recording) -> None:
    await begin(case, message("m"))
    case.recorder.delta("m", 0, "x" * 12)
    case.recorder.delta("m", 0, "y" * 8)
    with pytest.raises(TurnFailed) as raised:
        case.recorder.delta("m", 0, "z")
    assert raised.value.message == "The answer is longer than allowed and was cut off."
    [item] = case.recorder.unfinished()
    assert isinstance(item, AssistantMessageItem)
    assert item.content[0].text == "x" * 12 + "y" * 8


async def test_the_first_token_is_timed_once(case: Recording) -> None:
    assert case.recorder.first_token is None
    case.recorder.delta("m", 0, "a")
    first = case.recorder.first_token
    assert first is not None
    assert 0 <= first <= case.turn.seconds
    case.recorder.delta("m", 0, "b")
    assert case.recorder.first_token == first


async def test_a_kept_item_replaces_the_stored_one_and_is_not_told(case: Recording) -> None:
    replaced: list[str] = []
    save = case.store.save_item

    async def save_item(thread_id: str, item: ThreadItem, context: StoreContext) -> None:
        replaced.append(item.id)
        await save(thread_id, item, context)

    case.store.save_item = save_item  # type: ignore[method-assign]
    await case.recorder.keep(widget("c"))
    assert replaced == case.stored == case.persisted.items == ["c"]
    assert case.told() == []
    await case.recorder.emit(ThreadItemReplacedEvent(item=widget("d")))
    assert replaced == ["c", "d"]
    await case.recorder.emit(ThreadItemDoneEvent(item=widget("e")))
    assert replaced == ["c", "d"], "a new item is added, which may not replace another"
    assert case.stored == ["c", "d", "e"]


async def test_the_old_answer_goes_when_something_of_the_new_one_is_saved(case: Recording) -> None:
    old = [message("old_1", "a"), message("old_2", "b")]
    for item in old:
        await case.store.add_thread_item("thr_1", item, CONTEXT)
    assert case.recorder.superseded == []
    case.recorder.supersede(list(old))
    assert case.recorder.superseded == ["old_1", "old_2"]
    hidden = HiddenContextItem(content="x", **base("h"))
    for no_answer in (workflow("w", "thought"), hidden):
        await case.recorder.emit(ThreadItemDoneEvent(item=no_answer))
    assert case.stored == ["old_1", "old_2", "w", "h"], "neither of these answers"
    await case.recorder.emit(ThreadItemDoneEvent(item=message("new", "c")))
    assert case.stored == ["w", "h", "new"]
    assert case.recorder.superseded == []


async def test_an_old_item_that_is_gone_already_keeps_no_other(case: Recording) -> None:
    delete = case.store.delete_thread_item

    async def missing(thread_id: str, item_id: str, context: StoreContext) -> None:
        if item_id not in case.store.items[thread_id]:
            raise NotFoundError(item_id)
        await delete(thread_id, item_id, context)

    case.store.delete_thread_item = missing  # type: ignore[method-assign]
    await case.store.add_thread_item("thr_1", message("old_2", "b"), CONTEXT)
    case.recorder.supersede([message("old_1", "a"), message("old_2", "b")])
    await case.recorder.emit(ThreadItemDoneEvent(item=message("new", "c")))
    assert case.stored == ["new"]


async def test_an_item_is_saved_whole_before_its_turn_is_cancelled(case: Recording) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    add = case.store.add_thread_item

    async def slow(thread_id: str, item: ThreadItem, context: StoreContext) -> None:
        begun.set()
        await go_on.wait()
        await add(thread_id, item, context)

    case.store.add_thread_item = slow  # type: ignore[method-assign]
    saving = asyncio.create_task(case.recorder.emit(ThreadItemDoneEvent(item=message("m", "text"))))
    await begun.wait()
    saving.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert case.stored == case.persisted.items == ["m"]
    [event] = case.told()
    assert event["type"] == "thread.item.done"


async def test_a_changed_thread_is_saved_and_told_with_the_next_event(case: Recording) -> None:
    await begin(case, message("m"))
    assert [event["type"] for event in case.told()] == ["thread.item.added"]
    case.turn.thread.title = "Greetings"
    case.turn.thread.metadata["secret"] = {"deep": [1]}
    await begin(case, message("n"))
    added, updated = case.told()
    assert (added["type"], updated["type"]) == ("thread.item.added", "thread.updated")
    assert updated["thread"]["title"] == "Greetings"
    assert "secret" not in str(updated)
    stored = await case.store.load_thread("thr_1", CONTEXT)
    assert (stored.title, stored.metadata) == ("Greetings", {"secret": {"deep": [1]}})
    await begin(case, message("o"))
    assert len(case.told()) == 1, "it is told once"
    case.turn.thread.metadata["secret"]["deep"].append(2)
    await begin(case, message("p"))
    assert (await case.store.load_thread("thr_1", CONTEXT)).metadata == {"secret": {"deep": [1, 2]}}


def test_a_thread_is_shown_with_all_but_its_metadata() -> None:
    naive = datetime(2026, 3, 1, 12)
    thread = ThreadMetadata(
        id="thr_1",
        title="Greetings",
        created_at=naive,
        status=LockedStatus(reason="done"),
        allowed_image_domains=["example.org"],
        metadata={"secret": 1},
    )
    shown = as_thread(thread)
    assert (shown.id, shown.title, shown.status) == ("thr_1", "Greetings", thread.status)
    assert shown.allowed_image_domains == ["example.org"]
    assert shown.metadata == {}
    assert (shown.items.data, shown.items.has_more) == ([], False)
    assert shown.created_at == naive.astimezone(UTC)
    assert shown.created_at.tzinfo is not None


@pytest.mark.usefixtures("in_vienna")
async def test_an_item_without_a_time_zone_gets_one(case: Recording) -> None:
    naive = datetime(2026, 3, 1, 12)
    item = message("m", "text").model_copy(update={"created_at": naive})
    await begin(case, item)
    noon = case.recorder.open["m"].created_at
    assert noon == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert noon.tzinfo is UTC
    for event in (ThreadItemDoneEvent(item=item), ThreadItemReplacedEvent(item=item)):
        await case.recorder.emit(event)
        assert case.store.items["thr_1"]["m"].created_at == naive.astimezone(UTC)
    for told in case.told():
        assert datetime.fromisoformat(told["item"]["created_at"]) == naive.astimezone(UTC)
    assert item.created_at is naive


async def test_an_open_item_is_not_changed_by_who_began_it(case: Recording) -> None:
    item = workflow("w")
    await begin(case, item)
    item.workflow.tasks.append(ThoughtTask(content="later"))
    [kept] = case.recorder.unfinished()
    assert isinstance(kept, WorkflowItem)
    assert kept.workflow.tasks == []


def test_hidden_items_and_workflows_are_no_answer() -> None:
    assert answers(message("m", "text"))
    assert answers(widget("c"))
    assert not answers(workflow("w", "thought"))
    assert not answers(HiddenContextItem(content="x", **base("h")))
    assert not answers(SDKHiddenContextItem(content="x", **base("s")))


async def test_a_text_that_is_still_written_is_marked_so(case: Recording) -> None:
    text = Text(id="t", value="Once", streaming=True)
    await begin(case, WidgetItem(widget=Card(children=[text]), **base("c")))

    async def write(delta: str, done: bool) -> tuple[str, bool | None]:
        update = WidgetStreamingTextValueDelta(component_id="t", delta=delta, done=done)
        await case.recorder.emit(ThreadItemUpdatedEvent(item_id="c", update=update))
        [item] = case.recorder.unfinished()
        assert isinstance(item, WidgetItem)
        children: Any = item.widget.children
        return children[0].value, children[0].streaming

    assert await write(" upon", done=False) == ("Once upon", True)
    assert await write(" a time", done=True) == ("Once upon a time", False)
    assert (text.value, text.streaming) == ("Once", True), "the tool's own widget stays"


async def test_a_tool_call_is_noted_and_told_to_those_who_want_to_know(case: Recording) -> None:
    call, result = ToolCall("c1", "add", {"a": 1}), ToolResult("3")
    case.recorder.tool(call, result)
    assert case.told() == [], "ChatKit shows no tool calls"
    case.recorder.wire = PlainWire("thr_1")
    case.recorder.tool(call, result)
    [told] = case.told()
    assert told["tool_call"] == {"name": "add", "arguments": {"a": 1}, "result": "3"}
    assert case.recorder.tools == [(call, result), (call, result)]
