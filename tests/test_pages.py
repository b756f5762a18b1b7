"""Pages of threads and items: by key, both ways, without gaps, and with nothing hidden."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    HiddenContextItem,
    Page,
    SDKHiddenContextItem,
    Thread,
    ThreadItem,
    ThreadMetadata,
)
from pydantic import TypeAdapter

from chatkit_server import User, hookimpl
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStore, MemoryStorePlugin
from tests.client import Chat
from tests.conftest import MakeChat

ITEMS: TypeAdapter[Page[ThreadItem]] = TypeAdapter(Page[ThreadItem])
THREADS: TypeAdapter[Page[Thread]] = TypeAdapter(Page[Thread])
SOMEBODY = StoreContext(User("somebody"))
SECRET = "only for the model"


def visible(number: int) -> ThreadItem:
    return AssistantMessageItem(
        id=f"msg_{number}",
        thread_id="thr",
        created_at=datetime.now(UTC),
        content=[AssistantMessageContent(text=str(number))],
    )


def hidden(number: int) -> ThreadItem:
    if number % 2:
        kind: Any = HiddenContextItem
    else:
        kind = SDKHiddenContextItem
    item: ThreadItem = kind(
        id=f"hid_{number}", thread_id="thr", created_at=datetime.now(UTC), content=SECRET
    )
    return item


async def thread_of(make_chat: MakeChat, pattern: str, title: str | None = None) -> Chat:
    """Return a client of a server with a thread `thr`, `.` for visible items and `h` for hidden."""
    plugin = MemoryStorePlugin()
    chat = await make_chat(plugin)
    await fill(plugin.memory, pattern, title)
    return chat


async def fill(store: MemoryStore, pattern: str, title: str | None) -> None:
    thread = ThreadMetadata(
        id="thr", created_at=datetime.now(UTC), title=title, metadata={"note": SECRET}
    )
    await store.save_thread(thread, SOMEBODY)
    for number, kind in enumerate(pattern):
        item = hidden(number) if kind == "h" else visible(number)
        await store.add_thread_item("thr", item, SOMEBODY)


async def walk(chat: Chat, **params: Any) -> list[list[str]]:
    """Return the ids of all pages."""
    pages: list[list[str]] = []
    after = None
    while True:
        answer = await chat.ask("items.list", thread_id="thr", after=after, **params)
        assert SECRET not in str(answer)
        page = ITEMS.validate_python(answer)
        pages.append([item.id for item in page.data])
        if not page.has_more:
            assert page.after is None
            return pages
        assert page.data
        assert page.after == page.data[-1].id
        after = page.after


LONG = "." * 95 + "h" * 130 + ".h" * 40
PATTERNS = ["", ".", "h", "....", ".h.h.h", "hhhh....", "....hhhh", "h.hh.hhh.hhhh", LONG]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p if len(p) < 20 else "long")
@pytest.mark.parametrize("limit", [1, 2, 4, 100])
async def test_pages_have_neither_gaps_nor_doubles(
    make_chat: MakeChat, pattern: str, limit: int
) -> None:
    if len(pattern) > 100 and limit < 4:
        limit = 7
    chat = await thread_of(make_chat, pattern)
    expected = [f"msg_{number}" for number, kind in enumerate(pattern) if kind == "."]
    for order, ids in (("asc", expected), ("desc", expected[::-1])):
        pages = await walk(chat, order=order, limit=limit)
        assert [item_id for page in pages for item_id in page] == ids
        # Hidden items do not shorten a page, and no page is empty but that of an empty thread
        assert all(len(page) == limit for page in pages[:-1])
        assert pages[-1] or pages == [[]]


async def test_a_thread_comes_with_its_first_items(make_chat: MakeChat) -> None:
    chat = await thread_of(make_chat, "h" * 30 + "." * 50, "Long")
    answer = await chat.ask("threads.get_by_id", thread_id="thr")
    assert SECRET not in str(answer)
    thread = Thread.model_validate(answer)
    assert [item.id for item in thread.items.data] == [f"msg_{n}" for n in range(30, 50)]
    assert thread.items.has_more
    assert thread.items.after == "msg_49"
    rest = await chat.ask("items.list", thread_id="thr", order="asc", after=thread.items.after)
    assert rest["data"][0]["id"] == "msg_50"


async def test_limits(make_chat: MakeChat) -> None:
    chat = await thread_of(make_chat, "." * 150)

    async def length(**params: Any) -> int:
        return len((await chat.ask("items.list", thread_id="thr", **params))["data"])

    assert await length() == 20
    assert await length(limit=None) == 20
    assert await length(limit=1) == 1
    assert await length(limit=1000) == 100
    assert await length(limit=2**64 - 1) == 100
    for limit, words in ((0, "at least 1"), (-1, "at least 1"), ("many", "integer"), (1.5, "int")):
        for operation in ("items.list", "threads.list"):
            params = {"thread_id": "thr", "limit": limit}
            status, message = await chat.refused({"type": operation, "params": params})
            assert status == 400
            assert message.startswith("params.limit: ")
            assert words in message


async def test_a_cursor_that_is_not_there(make_chat: MakeChat) -> None:
    chat = await thread_of(make_chat, "..")
    for after in ("msg_9", "", "x" * 10_000, "\n", "'; DROP TABLE items; --"):
        for operation in ("items.list", "threads.list"):
            params = {"thread_id": "thr", "after": after}
            assert (await chat.refused({"type": operation, "params": params}))[0] == 404


async def test_threads_are_the_users_own_newest_first(make_chat: MakeChat) -> None:
    chat = await make_chat()
    ids = [(await chat.say(f"hello {number}")).thread_id for number in range(5)]
    for other in ("ann", "acme/somebody"):
        chat.headers["X-User"] = other
        assert (await chat.ask("threads.list"))["data"] == []
        await chat.say("hello")
    del chat.headers["X-User"]

    for order, expected in (("desc", ids[::-1]), ("asc", ids), (None, ids[::-1])):
        params = {"order": order} if order else {}
        seen: list[str] = []
        after = None
        while True:
            answer = await chat.ask("threads.list", limit=2, after=after, **params)
            page = THREADS.validate_python(answer)
            seen += [thread.id for thread in page.data]
            assert all(thread.items.data == [] for thread in page.data)
            if not page.has_more:
                break
            after = page.after
        assert seen == expected


async def test_a_threads_own_notes_stay_on_the_server(make_chat: MakeChat) -> None:
    chat = await thread_of(make_chat, ".", "Notes")
    for operation in ("threads.get_by_id", "threads.list", "threads.update"):
        answer = await chat.ask(operation, thread_id="thr", title="New")
        assert SECRET not in str(answer)


EVERY_OPERATION: dict[str, dict[str, Any]] = {
    "threads.get_by_id": {},
    "threads.update": {"title": "Mine"},
    "threads.delete": {},
    "items.list": {},
    "items.feedback": {"item_ids": ["msg_0"], "kind": "positive"},
    "threads.add_user_message": {
        "input": {
            "content": [{"type": "input_text", "text": "hello"}],
            "attachments": [],
            "inference_options": {},
        }
    },
    "threads.add_client_tool_output": {"result": 1},
    "threads.add_structured_input": {"item_id": "msg_0", "input": {}},
    "threads.retry_after_item": {"item_id": "msg_0"},
    "threads.custom_action": {"action": {"type": "a"}},
    "threads.sync_custom_action": {"action": {"type": "a"}},
}


class Everything:
    """Has the hooks that some operations need, and must never be asked."""

    @hookimpl
    async def action(self) -> None:
        raise AssertionError("an action reached a thread of somebody else")

    @hookimpl
    async def feedback(self) -> None:
        raise AssertionError("a thumb reached a thread of somebody else")


async def test_a_thread_of_somebody_else_is_as_one_that_is_not_there(make_chat: MakeChat) -> None:
    plugin = MemoryStorePlugin()
    chat = await make_chat(Everything(), plugin)
    await fill(plugin.memory, "..", "Mine")
    for user in ("ann", "acme/somebody"):
        for operation, params in EVERY_OPERATION.items():
            refusals = []
            for thread_id in ("thr", "thr_unknown"):
                body = {"type": operation, "params": {"thread_id": thread_id, **params}}
                response = await chat.post(body, headers={"X-User": user})
                own = ("Date", "X-Request-Id")
                headers = {k: v for k, v in response.headers.items() if k.title() not in own}
                refusals.append((response.status, await response.read(), headers))
            assert refusals[0] == refusals[1], operation
            assert refusals[0][0] == 404, operation
        plain = {"thread_id": "thr", "messages": [{"role": "user", "content": "hello"}]}
        assert (await chat.refused(plain, headers={"X-User": user}))[0] == 404
    assert len((await chat.ask("items.list", thread_id="thr"))["data"]) == 2
    assert (await chat.ask("threads.get_by_id", thread_id="thr"))["title"] == "Mine"
