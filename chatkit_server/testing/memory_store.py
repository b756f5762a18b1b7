"""A store in memory, after ChatKit's interface alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from chatkit.store import NotFoundError, Store
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata

from ..plugin.hookspecs import hookimpl
from ..turn import StoreContext

T = TypeVar("T", ThreadMetadata, ThreadItem)
K = TypeVar("K")


def _owner(context: StoreContext) -> tuple[str, str]:
    return context.user.tenant, context.user.id


class MemoryStore(Store[Any]):
    """Keeps a user's threads, items and attachments in dictionaries.

    `owner` returns whose they are, of a context.
    """

    def __init__(self, owner: Callable[[Any], Any] = _owner) -> None:
        self.owner = owner
        self.threads: dict[Any, dict[str, ThreadMetadata]] = defaultdict(dict)
        self.items: dict[str, dict[str, ThreadItem]] = defaultdict(dict)
        self.attachments: dict[Any, dict[str, Attachment]] = defaultdict(dict)

    async def load_thread(self, thread_id: str, context: StoreContext) -> ThreadMetadata:
        try:
            return self.threads[self.owner(context)][thread_id].model_copy(deep=True)
        except KeyError:
            raise NotFoundError(thread_id) from None

    async def save_thread(self, thread: ThreadMetadata, context: StoreContext) -> None:
        copied = ThreadMetadata.model_validate(thread.model_dump())
        self._own(self.threads, thread.id, context)[thread.id] = copied

    def _own(self, kept: dict[Any, dict[str, K]], row_id: str, context: Any) -> dict[str, K]:
        """Return the owner's rows. Raises `NotFoundError` for an id that somebody else has."""
        owner = self.owner(context)
        if any(row_id in rows for other, rows in kept.items() if other != owner):
            raise NotFoundError(row_id)
        return kept[owner]

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: StoreContext
    ) -> Page[ThreadItem]:
        await self.load_thread(thread_id, context)
        return _page(list(self.items[thread_id].values()), after, limit, order)

    async def save_attachment(self, attachment: Attachment, context: StoreContext) -> None:
        own = self._own(self.attachments, attachment.id, context)
        own[attachment.id] = attachment.model_copy(deep=True)

    async def load_attachment(self, attachment_id: str, context: StoreContext) -> Attachment:
        try:
            return self.attachments[self.owner(context)][attachment_id].model_copy(deep=True)
        except KeyError:
            raise NotFoundError(attachment_id) from None

    async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
        self.attachments[self.owner(context)].pop(attachment_id, None)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: StoreContext
    ) -> Page[ThreadMetadata]:
        return _page(list(self.threads[self.owner(context)].values()), after, limit, order)

    async def add_thread_item(
        self, thread_id: str, item: ThreadItem, context: StoreContext
    ) -> None:
        await self.load_thread(thread_id, context)
        self.items[thread_id][item.id] = item.model_copy(deep=True)

    async def save_item(self, thread_id: str, item: ThreadItem, context: StoreContext) -> None:
        await self.add_thread_item(thread_id, item, context)

    async def load_item(self, thread_id: str, item_id: str, context: StoreContext) -> ThreadItem:
        await self.load_thread(thread_id, context)
        try:
            return self.items[thread_id][item_id].model_copy(deep=True)
        except KeyError:
            raise NotFoundError(item_id) from None

    async def delete_thread(self, thread_id: str, context: StoreContext) -> None:
        if self.threads[self.owner(context)].pop(thread_id, None) is not None:
            self.items.pop(thread_id, None)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: StoreContext) -> None:
        await self.load_thread(thread_id, context)
        self.items[thread_id].pop(item_id, None)


S = TypeVar("S", bound=Store[StoreContext])


class StorePlugin(Generic[S]):
    """Plugs a store in."""

    def __init__(self, memory: S) -> None:
        self.memory = memory

    @hookimpl
    def store(self) -> S:
        return self.memory


class MemoryStorePlugin(StorePlugin[MemoryStore]):
    """Plugs the memory store in."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())


Plugin = MemoryStorePlugin
"""For settings: `plugins: {chatkit_server.testing.memory_store: }`."""


def _page(rows: list[T], after: str | None, limit: int, order: str) -> Page[T]:
    if order == "desc":
        rows = rows[::-1]
    if after is not None:
        ids = [row.id for row in rows]
        if after not in ids:
            raise NotFoundError(after)
        rows = rows[ids.index(after) + 1 :]
    page = rows[:limit]
    return Page(data=page, has_more=len(rows) > limit, after=page[-1].id if page else None)
