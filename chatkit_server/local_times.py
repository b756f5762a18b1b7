"""Times as ChatKit's SDK makes them: local, without a zone."""

from __future__ import annotations

from typing import Any, TypeVar

from chatkit.store import Store, StoreItemType
from chatkit.types import (
    Attachment,
    Page,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
    WidgetItem,
    WorkflowItem,
)

from .store_ids import new_item_id, new_thread_id

RowT = TypeVar("RowT", ThreadItem, ThreadMetadata, UserMessageItem, WidgetItem, WorkflowItem)


def in_local_time(row: RowT) -> RowT:
    """Return a thread or an item with its time as the SDK makes it.

    The SDK, and code that was written for it, subtracts such times from `datetime.now()`.
    """
    if row.created_at.tzinfo is None:
        return row
    time = row.created_at.astimezone().replace(tzinfo=None)
    return row.model_copy(update={"created_at": time})


class LocalTimes(Store[Any]):
    """Gives a store local times without a zone, as the official SDK does.

    A store that was made for that SDK may sort by time. If code beside it adds rows of its own with
    `datetime.now()`, or old ones are there, Python cannot compare these with times that have a
    zone. What the store returns is passed on as it is.
    """

    def __init__(self, store: Store[Any]) -> None:
        self._store = store

    def generate_thread_id(self, context: Any) -> str:
        return new_thread_id(self._store, context)

    def generate_item_id(
        self, item_type: StoreItemType, thread: ThreadMetadata, context: Any
    ) -> str:
        return new_item_id(self._store, item_type, thread, context)

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        return await self._store.load_thread(thread_id, context)

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        await self._store.save_thread(in_local_time(thread), context)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        return await self._store.load_thread_items(thread_id, after, limit, order, context)

    async def save_attachment(self, attachment: Attachment, context: Any) -> None:
        await self._store.save_attachment(attachment, context)

    async def load_attachment(self, attachment_id: str, context: Any) -> Attachment:
        return await self._store.load_attachment(attachment_id, context)

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        await self._store.delete_attachment(attachment_id, context)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Any
    ) -> Page[ThreadMetadata]:
        return await self._store.load_threads(limit, after, order, context)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        await self._store.add_thread_item(thread_id, in_local_time(item), context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        await self._store.save_item(thread_id, in_local_time(item), context)

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        return await self._store.load_item(thread_id, item_id, context)

    async def delete_thread(self, thread_id: str, context: Any) -> None:
        await self._store.delete_thread(thread_id, context)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        await self._store.delete_thread_item(thread_id, item_id, context)
