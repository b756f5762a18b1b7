"""Operations on stored conversations."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any

from chatkit.types import (
    ItemsFeedbackReq,
    ItemsListReq,
    Page,
    Thread,
    ThreadItem,
    ThreadMetadata,
    ThreadsDeleteReq,
    ThreadsGetByIdReq,
    ThreadsListReq,
    ThreadsUpdateReq,
)

from ...errors import BadRequest, NotFound, Unprocessable
from ...events.places import news, place_of_thread
from ...events.threads import TITLE_BY, as_thread
from ...events.wire import dump, is_hidden
from ...paging import goes_on_within, pages
from ...words import words
from .attachments import deleted_attachments, shown_item
from .caller import (
    AT_ONCE,
    MAX_PAGE_SIZE,
    PAGE_SIZE,
    Answer,
    Caller,
    checked_id,
    load_item,
    load_thread,
    refusing,
    require_hook,
)


class _PageWriter:
    """Writes a page of threads or items, each by itself: all at once would take long.

    It ends early if it gets large: one more would have exceeded `requests.page`.
    """

    def __init__(self, limit: int, most: int) -> None:
        self._limit = limit
        self._left = most
        self._written: list[bytes] = []
        self._last = ""
        self._cursor: str | None = None

    @property
    def wanted(self) -> int:
        """How many still fit."""
        return self._limit - len(self._written)

    def add_page(self, page: Page[Any], shown: Iterable[Thread | ThreadItem]) -> bool:
        """Write what is shown of a store's page; return whether more may follow.

        Where the store's cursors are no ids, nothing can begin amid its page: all of it is written.
        """
        whole = not goes_on_within(page)
        self._cursor = page.after if whole else None
        return all(self._add(one, always=whole) for one in shown) and (self._fits or not whole)

    def _add(self, one: Thread | ThreadItem, *, always: bool) -> bool:
        data = dump(one)
        self._left -= len(data)
        if not (always or self._fits):
            return False
        self._written.append(data)
        self._last = one.id
        return True

    @property
    def _fits(self) -> bool:
        return self.wanted > 0 and (not self._written or self._left >= 0)

    def end(self, *, has_more: bool = False, after: str | None = None) -> bytes:
        """Return the page. The next one begins after the last one written, or as the store says."""
        if has_more:
            after = self._cursor or self._last
        end = dump(Page(has_more=has_more, after=after))
        return b"".join((_BEGIN, b",".join(self._written), end.removeprefix(_BEGIN)))


_BEGIN = b'{"data":['
"""How ChatKit's pages begin; those without data go on with the end."""

_NO_ITEMS = dump(Page()) + b"}"


async def get_thread(caller: Caller, request: ThreadsGetByIdReq) -> Answer:
    thread = await load_thread(caller, request.params.thread_id)
    page = await _load_items(caller, thread.id, None, PAGE_SIZE, "asc")
    await _note_visit(caller, thread.id)
    # The items are a thread's last field
    return b"%b%b}" % (dump(as_thread(thread)).removesuffix(_NO_ITEMS), page)


async def list_threads(caller: Caller, request: ThreadsListReq) -> Answer:
    params = request.params
    after, limit = _cursor(params.after), _page_limit(params.limit)
    written = _PageWriter(limit, caller.guard.limits.page)

    def load(after: str | None) -> Awaitable[Page[ThreadMetadata]]:
        wanted = min(written.wanted, AT_ONCE)
        return caller.store.load_threads(wanted, after, params.order, caller.context)

    async for page in pages(load, after):
        if not written.add_page(page, map(as_thread, page.data)):
            return written.end(has_more=True)
        if not written.wanted or not page.has_more:
            break
    return written.end(has_more=page.has_more, after=page.after)


async def update_thread(caller: Caller, request: ThreadsUpdateReq) -> Answer:
    thread = await load_thread(caller, request.params.thread_id)
    was_empty = await _is_empty(caller, thread.id)

    def rename(stored: ThreadMetadata) -> None:
        stored.title = request.params.title
        if TITLE_BY in (stored.metadata or {}):
            stored.metadata = {**stored.metadata, TITLE_BY: "user"}

    _, thread = await caller.threads.change(thread.id, rename, caller.context)
    if not was_empty and await _is_empty(caller, thread.id):
        # It was deleted meanwhile, and saving it has made it again, without its items
        await caller.store.delete_thread(thread.id, caller.context)
        raise NotFound(words("Conversation not found."))
    return as_thread(thread)


async def _is_empty(caller: Caller, thread_id: str) -> bool:
    page = await caller.store.load_thread_items(thread_id, None, 1, "asc", caller.context)
    return not page.data


async def delete_thread(caller: Caller, request: ThreadsDeleteReq) -> Answer:
    thread = await load_thread(caller, request.params.thread_id)
    async with (
        caller.turns.emptied(thread.id, caller.user),
        deleted_attachments(caller, thread.id),
    ):
        await caller.store.delete_thread(thread.id, caller.context)
    caller.events.tell(place_of_thread(caller.user, thread.id), news("removed"))
    return None


async def list_items(caller: Caller, request: ItemsListReq) -> Answer:
    params = request.params
    thread = await load_thread(caller, params.thread_id)
    page = await _load_items(
        caller,
        thread.id,
        _cursor(params.after),
        _page_limit(params.limit),
        params.order,
    )
    await _note_visit(caller, thread.id)
    return page


async def _load_items(
    caller: Caller, thread_id: str, after: str | None, limit: int, order: str
) -> bytes:
    """Return a page of visible items, as long as if there were no hidden ones."""
    written = _PageWriter(limit, caller.guard.limits.page)

    def load(after: str | None) -> Awaitable[Page[ThreadItem]]:
        # When the page is full: whether another one is to be shown
        wanted = min(max(written.wanted, 1), AT_ONCE)
        return caller.store.load_thread_items(thread_id, after, wanted, order, caller.context)

    async for page in pages(load, after):
        shown = (shown_item(caller, item) for item in page.data if not is_hidden(item))
        if not written.add_page(page, shown):
            return written.end(has_more=True)
        await asyncio.sleep(0)
    return written.end()


def _page_limit(limit: int | None) -> int:
    if limit is None:
        return PAGE_SIZE
    if limit < 1:
        raise BadRequest("params.limit: must be at least 1.")
    return min(limit, MAX_PAGE_SIZE)


def _cursor(after: str | None) -> str | None:
    return None if after is None else checked_id(after)


async def feedback(caller: Caller, request: ItemsFeedbackReq) -> Answer:
    require_hook(caller, "feedback")
    params = request.params
    thread = await load_thread(caller, params.thread_id)
    item_ids = list(dict.fromkeys(params.item_ids))
    for item_id in item_ids:
        await load_item(caller, thread.id, item_id)
    with refusing("feedback"):
        accepted = await caller.hooks.any(
            "feedback",
            user=caller.user,
            thread_id=thread.id,
            item_ids=item_ids,
            kind=params.kind,
            context=caller.request_context,
        )
    if not accepted:
        raise Unprocessable(words("No plugin's `feedback` hook accepts this feedback."))
    return None


async def _note_visit(caller: Caller, thread_id: str) -> None:
    """Keep the running turn, as its user is looking at it: the page was reloaded, not closed."""
    running = caller.running(thread_id)
    if running is not None:
        running.note_visit()
    else:
        await caller.elsewhere.look(thread_id, caller.user)
