"""Calls that stores are tried with, and pages read to their end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from chatkit.store import Store
from chatkit.types import Page, ThreadItem, ThreadMetadata

from ...turn import StoreContext
from .claims import Broken, holds
from .samples import ANN, FILE, item, thread

ChatStore = Store[StoreContext]


async def fill(store: ChatStore, context: StoreContext) -> None:
    """Put a thread with an item, and an attachment, into a store."""
    await store.save_thread(thread(), context)
    await store.add_thread_item("thr_1", item(), context)
    await store.save_attachment(FILE, context)


Calls = Iterator[tuple[str, Awaitable[object]]]
"""Calls by the names of the methods."""


def reads(
    store: ChatStore, thread_id: str, item_id: str, file_id: str, context: StoreContext
) -> Calls:
    """Yield what reads: a call is made when it is asked for, and is then to be awaited."""
    yield "load_thread", store.load_thread(thread_id, context)
    yield "load_thread_items", store.load_thread_items(thread_id, None, 9, "asc", context)
    yield "load_item", store.load_item(thread_id, item_id, context)
    yield "load_attachment", store.load_attachment(file_id, context)


def writes(store: ChatStore, thread_id: str, item_id: str, context: StoreContext) -> Calls:
    """Yield what writes items."""
    new = item("msg_new", thread_id, number=5)
    yield "add_thread_item", store.add_thread_item(thread_id, new, context)
    yield "save_item", store.save_item(thread_id, item(item_id, thread_id), context)


def changes(store: ChatStore, stranger: StoreContext) -> Calls:
    """Yield all that changes something, for what is Ann's."""
    file = FILE.model_copy(update={"name": "taken"})
    yield "save_thread", store.save_thread(thread(title="taken"), stranger)
    yield "save_item", store.save_item("thr_1", item(content="taken"), stranger)
    yield "add_thread_item", store.add_thread_item("thr_1", item("new", number=5), stranger)
    yield "delete_thread_item", store.delete_thread_item("thr_1", "msg_1", stranger)
    yield "save_attachment", store.save_attachment(file, stranger)
    yield "delete_attachment", store.delete_attachment(FILE.id, stranger)
    yield "delete_thread", store.delete_thread("thr_1", stranger)


async def items(
    store: ChatStore, order: str = "asc", limit: int = 50, thread_id: str = "thr_1"
) -> list[ThreadItem]:
    """Read a thread page by page."""
    return await all_pages(
        lambda after: store.load_thread_items(thread_id, after, limit, order, ANN), limit
    )


async def threads(store: ChatStore, order: str = "asc", limit: int = 50) -> list[ThreadMetadata]:
    """Read Ann's threads page by page."""
    return await all_pages(lambda after: store.load_threads(limit, after, order, ANN), limit)


async def all_pages(load: Callable[[str | None], Awaitable[Page[Any]]], limit: int) -> list[Any]:
    """Read to the end of the pages, of which there are fewer than fifty rows."""
    rows: list[Any] = []
    after: str | None = None
    while len(rows) < 50:
        page = await load(after)
        holds(len(page.data) <= limit, f"a page of {limit} rows has {len(page.data)}")
        rows += page.data
        if not page.has_more:
            return rows
        holds(page.data, "a page has `has_more`, and no rows")
        after = page.after or page.data[-1].id
    raise Broken(f"`has_more` stays True: {len(rows)} rows came of fewer")


def ids_of(page: Page[Any]) -> list[str]:
    """Return the ids of a page's rows."""
    return [one.id for one in page.data]


def who(context: StoreContext) -> str:
    """Return a user as text."""
    return f"User({context.user.id!r}, tenant={context.user.tenant!r})"
