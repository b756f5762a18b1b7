"""The store as the plugins of one turn see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from typing import Any

from chatkit.store import NotFoundError, Store, StoreItemType
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata, WorkflowItem

from ..agent.memory import is_own
from ..agent.paused import is_paused_run
from ..local_times import in_local_time
from ..store_ids import new_item_id, new_thread_id
from ..turn import StoreContext

Save = Callable[[ThreadItem], Awaitable[bool]]


class StoreView(Store[Any]):
    """A store without what a retry replaces, and without the server's own hidden items.

    Its methods take any context: one that is no `StoreContext` is given on as the `context` of the
    turn's own. `finish` saves an item that the turn has begun and not ended, and returns False for
    others. Other attributes are those of the store.
    """

    def __init__(self, store: Store[StoreContext], context: StoreContext) -> None:
        self.store = store
        self.context = context
        self.hidden: Collection[str] = ()
        self.finish: Save | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def generate_thread_id(self, context: Any) -> str:
        return new_thread_id(self.store, self._own(context))

    def generate_item_id(
        self, item_type: StoreItemType, thread: ThreadMetadata, context: Any
    ) -> str:
        return new_item_id(self.store, item_type, thread, self._own(context))

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        return await self.store.load_thread(thread_id, self._own(context))

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        await self.store.save_thread(thread, self._own(context))

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Any
    ) -> Page[ThreadMetadata]:
        return await self.store.load_threads(limit, after, order, self._own(context))

    async def delete_thread(self, thread_id: str, context: Any) -> None:
        await self.store.delete_thread(thread_id, self._own(context))

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        own = self._own(context)
        shown: list[ThreadItem] = []
        while True:
            wanted = limit - len(shown)
            page = await self.store.load_thread_items(thread_id, after, wanted, order, own)
            shown += map(_in_local_time, filter(self.shows, page.data))
            came, after = after, page.after
            if len(shown) >= limit or not page.has_more or after in (None, came):
                return Page(data=shown, has_more=page.has_more, after=after)

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        item = await self.store.load_item(thread_id, item_id, self._own(context))
        if not self.shows(item):
            raise NotFoundError(f"item {item_id} not found")
        return item

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        if self.finish is None or not await self.finish(item):
            await self.store.add_thread_item(thread_id, item, self._own(context))

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        await self.store.save_item(thread_id, item, self._own(context))

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        await self.store.delete_thread_item(thread_id, item_id, self._own(context))

    async def save_attachment(self, attachment: Attachment, context: Any) -> None:
        await self.store.save_attachment(attachment, self._own(context))

    async def load_attachment(self, attachment_id: str, context: Any) -> Attachment:
        return await self.store.load_attachment(attachment_id, self._own(context))

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        await self.store.delete_attachment(attachment_id, self._own(context))

    def _own(self, context: Any) -> StoreContext:
        if isinstance(context, StoreContext):
            return context
        if context is self.context.context:
            return self.context
        return replace(self.context, context=context)

    def shows(self, item: ThreadItem) -> bool:
        """Whether the turn may see an item."""
        return item.id not in self.hidden and not (is_own(item) or is_paused_run(item))


def _in_local_time(item: ThreadItem) -> ThreadItem:
    """Return a workflow with its time as ChatKit's SDK has it, which goes on with it."""
    return in_local_time(item) if isinstance(item, WorkflowItem) else item
