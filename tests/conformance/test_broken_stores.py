"""Stores with one mistake each: the contract finds it, and says so in a sentence."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from chatkit.store import NotFoundError
from chatkit.types import Attachment, HiddenContextItem, Page, ThreadItem, ThreadMetadata

from chatkit_server.storage import StoreContext
from chatkit_server.testing import MemoryStore
from chatkit_server.testing.conformance import StoreContract
from tests.conformance import told


class ForgetsMetadata(MemoryStore):
    async def save_thread(self, thread: ThreadMetadata, context: StoreContext) -> None:
        await super().save_thread(thread.model_copy(update={"metadata": {}}), context)


class KeepsTextOnly(MemoryStore):
    async def add_thread_item(
        self, thread_id: str, item: ThreadItem, context: StoreContext
    ) -> None:
        hidden = isinstance(item, HiddenContextItem)
        kept = item.model_copy(update={"content": str(item)}) if hidden else item
        await super().add_thread_item(thread_id, kept, context)


class MovesWhatIsSavedAgain(MemoryStore):
    async def save_item(self, thread_id: str, item: ThreadItem, context: StoreContext) -> None:
        self.items[thread_id].pop(item.id, None)
        await super().save_item(thread_id, item, context)


class ReturnsItsOwnObject(MemoryStore):
    async def load_thread(self, thread_id: str, context: StoreContext) -> ThreadMetadata:
        await super().load_thread(thread_id, context)
        return self.threads[self.owner(context)][thread_id]


class NewestFirstAlways(MemoryStore):
    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: StoreContext
    ) -> Page[ThreadItem]:
        return await super().load_thread_items(thread_id, after, limit, "desc", context)


class RepeatsTheLast(MemoryStore):
    async def load_threads(
        self, limit: int, after: str | None, order: str, context: StoreContext
    ) -> Page[ThreadMetadata]:
        page = await super().load_threads(limit, after, order, context)
        before = self.threads[self.owner(context)].get(after or "")
        return page if before is None else page.model_copy(update={"data": [before, *page.data]})


class AlwaysHasMore(MemoryStore):
    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: StoreContext
    ) -> Page[ThreadItem]:
        page = await super().load_thread_items(thread_id, after, limit, order, context)
        return page.model_copy(update={"has_more": True})


class PagesByNumber(MemoryStore):
    """Takes `after` for where the last page ended, counted from the newest."""

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: StoreContext
    ) -> Page[ThreadItem]:
        whole = await super().load_thread_items(thread_id, None, 1000, order, context)
        start = int(after[4:]) if after else 0
        rows = whole.data[start : start + limit]
        return Page(data=rows, has_more=start + limit < len(whole.data), after=None)


class ReturnsNone(MemoryStore):
    async def load_item(self, thread_id: str, item_id: str, context: StoreContext) -> Any:
        try:
            return await super().load_item(thread_id, item_id, context)
        except NotFoundError:
            return None


class RaisesKeyError(MemoryStore):
    async def load_attachment(self, attachment_id: str, context: StoreContext) -> Attachment:
        return self.attachments[self.owner(context)][attachment_id].model_copy(deep=True)


class OneTenant(MemoryStore):
    def __init__(self) -> None:
        super().__init__(lambda context: context.user.id)


class JoinsNames(MemoryStore):
    def __init__(self) -> None:
        super().__init__(lambda context: f"{context.user.tenant}:{context.user.id}")


class DeletesForAnybody(MemoryStore):
    async def delete_thread_item(self, thread_id: str, item_id: str, context: StoreContext) -> None:
        self.items[thread_id].pop(item_id, None)


class LeavesTheItems(MemoryStore):
    async def delete_thread(self, thread_id: str, context: StoreContext) -> None:
        self.threads[self.owner(context)].pop(thread_id, None)


class DeletesTheRest(MemoryStore):
    async def delete_thread_item(self, thread_id: str, item_id: str, context: StoreContext) -> None:
        ids = list(self.items[thread_id])
        for later in ids[ids.index(item_id) :]:
            await super().delete_thread_item(thread_id, later, context)


class AddsToNoThread(MemoryStore):
    async def add_thread_item(
        self, thread_id: str, item: ThreadItem, context: StoreContext
    ) -> None:
        self.items[thread_id][item.id] = item.model_copy(deep=True)


class KeepsTheFirstAttachment(MemoryStore):
    async def save_attachment(self, attachment: Attachment, context: StoreContext) -> None:
        if attachment.id not in self.attachments[self.owner(context)]:
            await super().save_attachment(attachment, context)


class CountsIds(MemoryStore):
    def generate_item_id(self, item_type: Any, thread: ThreadMetadata, context: Any) -> str:
        return f"msg_{len(self.items[thread.id]) + 1}"


class WritesOverOthers(MemoryStore):
    async def add_thread_item(
        self, thread_id: str, item: ThreadItem, context: StoreContext
    ) -> None:
        kept = dict(self.items[thread_id])
        await asyncio.sleep(0)
        self.items[thread_id] = {**kept, item.id: item}


class ChangesWithoutLock(MemoryStore):
    async def change_thread(self, thread_id: str, change: Any, context: StoreContext) -> Any:
        found = await self.load_thread(thread_id, context)
        await asyncio.sleep(0)
        await self.save_thread(change(found), context)


class FoldsCase(MemoryStore):
    """As a database does whose collation ignores case."""

    def __init__(self) -> None:
        super().__init__(lambda context: (context.user.tenant.lower(), context.user.id.lower()))


class Hangs(MemoryStore):
    async def load_thread(self, thread_id: str, context: StoreContext) -> ThreadMetadata:
        await asyncio.Event().wait()
        raise AssertionError


class Reopened(StoreContract):
    """Opens another store, which knows nothing."""

    patience = 5.0

    async def reopened(self, store: Any) -> Any:
        return MemoryStore()


BROKEN: list[tuple[type[MemoryStore], str, str]] = [
    (
        ForgetsMetadata,
        "threads_come_back_as_they_were_saved",
        "a ThreadMetadata with `metadata` {}",
    ),
    (KeepsTextOnly, "items_come_back_as_they_were_saved", "load_item of a HiddenContextItem"),
    (MovesWhatIsSavedAgain, "saving_an_item_again_replaces_it", "['a', 'c', 'b', 'd']"),
    (ReturnsItsOwnObject, "what_was_saved_does_not_change_with_the_object", "a thread changed"),
    (NewestFirstAlways, "items_come_page_by_page", "reading pages of 1 in the order 'asc' ret"),
    (RepeatsTheLast, "threads_come_page_by_page", "a page of 1 rows has 2"),
    (AlwaysHasMore, "pages_have_limits_and_an_end", "a new thread has the page Page"),
    (PagesByNumber, "reading_goes_on_where_it_was", "the page after 'msg_2', once 'msg_4' was"),
    (ReturnsNone, "what_is_not_there_is_not_found", "load_item of 'absent' returned None, and d"),
    (RaisesKeyError, "what_is_not_there_is_not_found", "KeyError: 'absent', not NotFoundError"),
    (OneTenant, "strangers_find_nothing", "by User('ann', tenant='umbrella') returned"),
    (JoinsNames, "users_with_odd_names_are_kept_apart", "load_threads of User('b:c', tenant='a')"),
    (
        FoldsCase,
        "users_with_odd_names_are_kept_apart",
        "load_threads of User('Ann', tenant='ACME')",
    ),
    (DeletesForAnybody, "strangers_change_nothing", "after delete_thread_item by User('bob'"),
    (LeavesTheItems, "deleting_a_thread_deletes_its_items", "a new 'thr_1' returned ['msg_1']"),
    (DeletesTheRest, "deleting_an_item_deletes_it_alone", "returned ['a'], not ['a', 'c']"),
    (AddsToNoThread, "what_is_not_there_is_not_found", "add_thread_item to a thread that is not"),
    (KeepsTheFirstAttachment, "attachments_come_back_as_they_were_saved", "after the second save"),
    (CountsIds, "ids_are_new_each_time", "generate_item_id returned an id twice in 200 calls"),
    (WritesOverOthers, "writers_at_once_lose_nothing", "after 20 items were added twice returned"),
    (ChangesWithoutLock, "changes_of_a_thread_are_not_lost", "returned {'n': 1}, not {'n': 10}"),
    (Hangs, "saving_a_thread_again_replaces_it", "it did not end within 0.05 s"),
    (MemoryStore, "what_was_saved_outlives_the_object", "it raised NotFoundError: thr_1"),
]


@pytest.mark.parametrize(("broken", "test", "came"), BROKEN)
async def test_a_broken_store_is_told(broken: type[MemoryStore], test: str, came: str) -> None:
    contract = Reopened()
    if broken is Hangs:
        contract.patience = 0.05
    sentence = await told(contract, f"test_{test}", broken())
    assert came in sentence
    assert ", because " in sentence
    assert "; but " in sentence
