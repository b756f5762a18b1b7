"""Stores that answer a little otherwise than ChatKit's interface says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from agents import RunContextWrapper, function_tool
from chatkit.agents import ClientToolCall
from chatkit.types import (
    AssistantMessageItem,
    HiddenContextItem,
    Page,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadMetadata,
    UserMessageItem,
)

from chatkit_server import Turn, User
from chatkit_server.agent.loading import load_history
from chatkit_server.events.threads import MANY, TICK, ThreadWriter
from chatkit_server.paging import MOST_EMPTY, pages
from chatkit_server.settings.schema import HistorySettings
from chatkit_server.storage import LocalTimes, StoreContext
from chatkit_server.testing.memory_store import MemoryStore, StorePlugin, T
from chatkit_server.testing.model_server import Call, ModelServer
from tests.client import Chat
from tests.conftest import MakeChat
from tests.recording import make_recording
from tests.serving import served_by
from tests.test_turns import Tools, told

SOMEBODY = StoreContext(User("somebody"))


class SloppyStore(MemoryStore):
    """Keeps local times without a zone, in milliseconds, and sorts by them alone.

    Of equal times, the newer comes first. Its pages are short, and an item is found in any thread.
    """

    cursors = "ids"

    async def save_thread(self, thread: ThreadMetadata, context: StoreContext) -> None:
        await super().save_thread(_naive(thread), context)

    async def add_thread_item(
        self, thread_id: str, item: ThreadItem, context: StoreContext
    ) -> None:
        await super().add_thread_item(thread_id, _naive(item), context)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: StoreContext
    ) -> Page[ThreadItem]:
        await self.load_thread(thread_id, context)
        return self._page(list(self.items[thread_id].values()), after, limit, order)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: StoreContext
    ) -> Page[ThreadMetadata]:
        threads = list(self.threads["", context.user.id].values())
        return self._page(threads, after, limit, order)

    async def load_item(self, thread_id: str, item_id: str, context: StoreContext) -> Any:
        return next((i[item_id] for i in self.items.values() if item_id in i), None)

    def _page(self, rows: list[T], after: str | None, limit: int, order: str) -> Page[T]:
        newest_first = rows[::-1]
        rows = sorted(newest_first, key=lambda row: row.created_at)
        rows = rows if order == "asc" else rows[::-1]
        start = 0
        if after is not None:
            start = int(after) if self.cursors == "numbers" else _place(rows, after) + 1
        page = rows[start : start + min(limit, 3)]
        has_more = len(rows) > start + len(page)
        cursors = {"numbers": str(start + len(page)), "none": None}
        last = page[-1].id if page else None
        return Page(data=page, has_more=has_more, after=cursors.get(self.cursors, last))


def _naive(row: T) -> T:
    time = row.created_at.astimezone().replace(tzinfo=None)
    time = time.replace(microsecond=time.microsecond // 1000 * 1000)
    return row.model_copy(update={"created_at": time})


def _place(rows: list[T], row_id: str) -> int:
    return [row.id for row in rows].index(row_id)


@function_tool
async def locate(ctx: RunContextWrapper[Turn]) -> str:
    """Ask the page where the user is."""
    ctx.context.client_tool_call = ClientToolCall(name="locate", arguments={})
    return "asked"


async def paged(chat: Chat, operation: str, order: str, **params: Any) -> list[dict[str, Any]]:
    """Read all there is, in pages of two."""
    found: list[dict[str, Any]] = []
    after = None
    for _ in range(30):
        page = await chat.ask(operation, limit=2, order=order, after=after, **params)
        found += page["data"]
        if not page["has_more"]:
            return found
        after = page["after"]
    raise AssertionError("there is no end of it")


def shown(items: list[dict[str, Any]]) -> list[str]:
    return [
        "".join(part["text"] for part in item.get("content", [])) or item["type"] for item in items
    ]


@pytest.mark.parametrize("cursors", ["ids", "numbers", "none"])
async def test_a_conversation_in_a_sloppy_store(
    make_chat: MakeChat, model_server: ModelServer, cursors: str
) -> None:
    store = SloppyStore()
    store.cursors = cursors
    chat = await make_chat(Tools(locate), StorePlugin(store), **served_by(model_server))
    model_server.reply("Hello.")
    thread_id = (await chat.say("Hi")).thread_id
    model_server.reply(Call("locate", {}))
    await chat.say("Where am I?", thread_id)
    model_server.reply("In Rome.")
    await chat.stream(
        "threads.add_client_tool_output", thread_id=thread_id, result={"city": "Rome"}
    )
    assert told(model_server.requests[-1])[1:] == [
        ("user", "Hi"),
        ("assistant", "Hello."),
        ("user", "Where am I?"),
        ("assistant", "calls locate"),
        ("tool", '{"city": "Rome"}'),
    ]
    model_server.reply("Thanks to you.")
    last = await chat.say("Thanks", thread_id)
    model_server.reply("You are welcome.")
    message = last.done("user_message")[0]["id"]
    await chat.stream("threads.retry_after_item", thread_id=thread_id, item_id=message)
    assert told(model_server.requests[-1])[-2:] == [("assistant", "In Rome."), ("user", "Thanks")]
    texts = ["Hi", "Hello.", "Where am I?", "client_tool_call", "In Rome."]
    texts += ["Thanks", "You are welcome."]
    for order in ("asc", "desc"):
        items = await paged(chat, "items.list", order, thread_id=thread_id)
        assert shown(items) == (texts if order == "asc" else texts[::-1])
        times = [datetime.fromisoformat(item["created_at"]) for item in items]
        assert all(time.tzinfo is not None for time in times)
        assert all(abs(time - datetime.now(UTC)) < timedelta(minutes=5) for time in times)
    model_server.reply("Hello.")
    other = (await chat.say("Hi")).thread_id
    threads = await paged(chat, "threads.list", "desc")
    assert [thread["id"] for thread in threads] == [other, thread_id]
    params = {"thread_id": other, "item_id": items[0]["id"]}
    body = {"type": "threads.retry_after_item", "params": params}
    assert (await chat.refused(body))[0] == 404, "the item is in another thread"
    renamed = await chat.ask("threads.update", thread_id=other, title="New")
    assert datetime.fromisoformat(renamed["created_at"]).tzinfo is not None


class SdkStore(SloppyStore):
    """Sorts by the times as they come: Python compares none with a zone with one without."""

    async def save_thread(self, thread: ThreadMetadata, context: StoreContext) -> None:
        await MemoryStore.save_thread(self, thread, context)

    async def add_thread_item(
        self, thread_id: str, item: ThreadItem, context: StoreContext
    ) -> None:
        await MemoryStore.add_thread_item(self, thread_id, item, context)


async def test_a_store_made_for_the_sdk_with_rows_of_its_own(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    store = SdkStore()

    @function_tool
    async def note(ctx: RunContextWrapper[Turn]) -> str:
        """Add an item to the store, past the server."""
        [item] = _items(1)
        await store.add_thread_item(ctx.context.thread.id, item, SOMEBODY)
        return "noted"

    chat = await make_chat(Tools(note), StorePlugin(LocalTimes(store)), **served_by(model_server))
    await store.save_thread(ThreadMetadata(id="old", created_at=datetime.now()), SOMEBODY)
    model_server.reply(Call("note", {}))
    model_server.reply("Noted.")
    thread_id = (await chat.say("Note it")).thread_id
    model_server.reply("Again.")
    assert (await chat.say("Again", thread_id)).error is None
    items = await paged(chat, "items.list", "asc", thread_id=thread_id)
    assert shown(items) == ["Note it", "Noted.", "Again", "Again."]
    threads = await paged(chat, "threads.list", "asc")
    assert [thread["id"] for thread in threads] == ["old", thread_id]
    await chat.ask("threads.update", thread_id=thread_id, title="Notes")
    await chat.ask("threads.delete", thread_id=thread_id)
    assert list(store.threads["", "somebody"]) == ["old"]


def _items(*numbers: int) -> list[ThreadItem]:
    return [
        HiddenContextItem(id=f"i{n}", thread_id="thr_1", created_at=datetime.now(), content=n)
        for n in numbers
    ]


async def _read(given: AsyncIterator[Page[ThreadItem]]) -> list[str]:
    return [row.id async for page in given for row in page.data]


@pytest.mark.parametrize(
    ("given", "expected", "asked"),
    [
        pytest.param([(1, 2, True, "i2"), (3, None, False, None)], "i1 i2 i3", 2, id="as said"),
        pytest.param([(1, 2, True, None), (3, None, False, None)], "i1 i2 i3", 2, id="no cursor"),
        pytest.param([(1, 2, True, "i2")] * 99, "i1 i2", 2, id="always the same"),
        pytest.param([(1, 2, True, None)] * 99, "i1 i2", 2, id="always the same without"),
        pytest.param([(None, None, True, None)] * 99, "", 1, id="nothing, and more"),
        pytest.param([(None, None, True, "c"), (1, None, False, "d")], "i1", 2, id="an empty one"),
        pytest.param([(1, 2, True, "i2"), (2, 3, False, None)], "i1 i2 i3", 2, id="overlapping"),
    ],
)
async def test_pages_end(given: list[Any], expected: str, asked: int) -> None:
    cursors: list[str | None] = []

    async def load(after: str | None) -> Page[ThreadItem]:
        one, two, has_more, cursor = given[len(cursors)]
        cursors.append(after)
        rows = _items(*(n for n in (one, two) if n is not None))
        return Page(data=rows, has_more=has_more, after=cursor)

    assert await _read(pages(load)) == expected.split()
    assert len(cursors) == asked


async def test_a_store_of_empty_pages_is_left() -> None:
    asked: list[str | None] = []

    async def load(after: str | None) -> Page[ThreadItem]:
        asked.append(after)
        return Page(data=[], has_more=True, after=str(len(asked)))

    assert await _read(pages(load)) == []
    assert len(asked) == MOST_EMPTY


async def test_a_history_is_no_longer_than_asked_for() -> None:
    class Generous(MemoryStore):
        async def load_thread_items(self, *_: Any) -> Page[ThreadItem]:
            return Page(data=[message, *_items(*range(9))], has_more=True, after="i8")

    told: dict[str, Any] = {"content": [], "attachments": [], "inference_options": {}}
    message = UserMessageItem(id="u", thread_id="thr_1", created_at=datetime.now(), **told)
    budget = HistorySettings(items=4)
    items = await load_history(Generous(), SOMEBODY, "thr_1", budget)
    assert [item.id for item in items] == ["i2", "i1", "i0", "u"]
    assert all(item.created_at.tzinfo is not None for item in items)


async def test_items_of_a_turn_have_times_in_their_order() -> None:
    case = await make_recording()
    now = datetime.now(UTC)
    given = {"thread_id": "thr_1", "created_at": now, "content": []}
    one, two, three = (AssistantMessageItem(id=f"m{n}", **given) for n in range(3))
    late = now - timedelta(hours=1)
    await case.recorder.emit(ThreadItemAddedEvent(item=one))
    await case.recorder.emit(ThreadItemDoneEvent(item=two.model_copy(update={"created_at": late})))
    await case.recorder.emit(ThreadItemDoneEvent(item=one))
    await case.recorder.emit(ThreadItemDoneEvent(item=three))
    assert [(item.id, item.created_at - now) for item in case.recorder.saved] == [
        ("m1", timedelta(milliseconds=1)),
        ("m0", timedelta()),
        ("m2", timedelta(milliseconds=2)),
    ]
    added, *done = case.told()
    assert added["item"]["created_at"] == done[1]["item"]["created_at"]


def test_the_next_turn_begins_after_many_items_at_once() -> None:
    threads = ThreadWriter(MemoryStore())
    start = now = datetime.now(UTC) + timedelta(seconds=30)
    for _ in range(3):
        now = threads.later("thr_1", now + TICK)
    assert threads.later("thr_1", start) == start + 4 * TICK, "a message that comes right after"
    assert threads.later("thr_2", start) == start
    far = start + timedelta(days=9)
    assert threads.later("thr_2", far) == far
    assert threads.later("thr_2", start) == start, "a plugin's odd time puts nothing off"
    old = datetime(2020, 1, 1, tzinfo=UTC)
    for number in range(MANY + 1):
        threads._ahead[f"old_{number}"] = old
    threads.later("thr_3", start)
    assert sorted(threads._ahead) == ["thr_1", "thr_2", "thr_3"]
