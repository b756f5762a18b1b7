"""The store of the official SDK's server: dictionaries, without copying."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, TypeVar

from chatkit.store import NotFoundError, Store
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata

Context = dict[str, Any]
T = TypeVar("T", ThreadMetadata, ThreadItem)
V = TypeVar("V")


class MemoryStore(Store[Context]):
    """Keeps threads with their items, oldest first, without users."""

    def __init__(self) -> None:
        self._threads: dict[str, ThreadMetadata] = {}
        self._items: dict[str, dict[str, ThreadItem]] = defaultdict(dict)
        self._attachments: dict[str, Attachment] = {}

    async def load_thread(self, thread_id: str, context: Context) -> ThreadMetadata:
        return _found(self._threads, thread_id)

    async def save_thread(self, thread: ThreadMetadata, context: Context) -> None:
        self._threads[thread.id] = thread

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Context
    ) -> Page[ThreadItem]:
        return _page(list(self._items[thread_id].values()), after, limit, order)

    async def save_attachment(self, attachment: Attachment, context: Context) -> None:
        self._attachments[attachment.id] = attachment

    async def load_attachment(self, attachment_id: str, context: Context) -> Attachment:
        return _found(self._attachments, attachment_id)

    async def delete_attachment(self, attachment_id: str, context: Context) -> None:
        self._attachments.pop(attachment_id, None)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Context
    ) -> Page[ThreadMetadata]:
        return _page(list(self._threads.values()), after, limit, order)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Context) -> None:
        self._items[thread_id][item.id] = item

    async def save_item(self, thread_id: str, item: ThreadItem, context: Context) -> None:
        self._items[thread_id][item.id] = item

    async def load_item(self, thread_id: str, item_id: str, context: Context) -> ThreadItem:
        return _found(self._items[thread_id], item_id)

    async def delete_thread(self, thread_id: str, context: Context) -> None:
        self._threads.pop(thread_id, None)
        self._items.pop(thread_id, None)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Context) -> None:
        self._items[thread_id].pop(item_id, None)


def _found(kept: Mapping[str, V], key: str) -> V:
    try:
        return kept[key]
    except KeyError:
        raise NotFoundError(key) from None


def _page(rows: list[T], after: str | None, limit: int, order: str) -> Page[T]:
    if order == "desc":
        rows.reverse()
    start = next((n for n, row in enumerate(rows, 1) if row.id == after), 0) if after else 0
    page = rows[start : start + limit]
    more = len(rows) > start + limit
    return Page(data=page, has_more=more, after=page[-1].id if more else None)
