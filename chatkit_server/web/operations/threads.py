"""Operations on stored conversations."""

from __future__ import annotations

from chatkit.types import (
    ItemsFeedbackReq,
    ItemsListReq,
    Page,
    Thread,
    ThreadItem,
    ThreadsDeleteReq,
    ThreadsGetByIdReq,
    ThreadsListReq,
    ThreadsUpdateReq,
)

from ...errors import BadRequest, NotFound, Unprocessable
from ...events.recorder import as_thread
from ...events.wire import dump, is_hidden
from .caller import (
    AT_ONCE,
    MAX_PAGE_SIZE,
    PAGE_SIZE,
    Answer,
    Caller,
    call_first,
    checked_id,
    load_item,
    load_thread,
    require_hook,
)


async def get_thread(caller: Caller, request: ThreadsGetByIdReq) -> Answer:
    thread = await load_thread(caller, request.params.thread_id)
    page = await _load_items(caller, thread.id, None, PAGE_SIZE, "asc")
    _note_visit(caller, thread.id)
    return as_thread(thread, page)


async def list_threads(caller: Caller, request: ThreadsListReq) -> Answer:
    """Return a page of threads. Like a page of items, it ends early if it gets large."""
    params = request.params
    after, limit = _cursor(params.after), _page_limit(params.limit)
    threads: list[Thread] = []
    size = 0
    while True:
        wanted = min(limit - len(threads), AT_ONCE)
        page = await caller.store.load_threads(wanted, after, params.order, caller.context)
        for found in page.data:
            thread = as_thread(found)
            size += len(dump(thread))
            if threads and size > caller.guard.limits.page:
                return Page(data=threads, has_more=True, after=threads[-1].id)
            threads.append(thread)
        after = page.after
        if len(threads) >= limit or not page.has_more or after is None:
            return Page(data=threads, has_more=page.has_more, after=after)


async def update_thread(caller: Caller, request: ThreadsUpdateReq) -> Answer:
    thread = await load_thread(caller, request.params.thread_id)
    was_empty = await _is_empty(caller, thread.id)
    thread.title = request.params.title
    await caller.store.save_thread(thread, caller.context)
    if not was_empty and await _is_empty(caller, thread.id):
        # It was deleted meanwhile, and saving it has made it again, without its items
        await caller.store.delete_thread(thread.id, caller.context)
        raise NotFound("Conversation not found.")
    return as_thread(thread)


async def _is_empty(caller: Caller, thread_id: str) -> bool:
    page = await caller.store.load_thread_items(thread_id, None, 1, "asc", caller.context)
    return not page.data


async def delete_thread(caller: Caller, request: ThreadsDeleteReq) -> Answer:
    thread = await load_thread(caller, request.params.thread_id)
    async with caller.turns.emptied(thread.id, caller.user):
        await caller.store.delete_thread(thread.id, caller.context)
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
    _note_visit(caller, thread.id)
    return page


async def _load_items(
    caller: Caller, thread_id: str, after: str | None, limit: int, order: str
) -> Page[ThreadItem]:
    """Return a page of visible items, as long as if there were no hidden ones.

    It ends early if it gets large: one item more would have exceeded `requests.page`.
    """
    visible: list[ThreadItem] = []
    size = 0
    while True:
        wanted = min(limit + 1 - len(visible), AT_ONCE)
        page = await caller.store.load_thread_items(thread_id, after, wanted, order, caller.context)
        for item in page.data:
            if is_hidden(item):
                continue
            size += len(dump(item))
            if len(visible) == limit or (visible and size > caller.guard.limits.page):
                return Page(data=visible, has_more=True, after=visible[-1].id)
            visible.append(item)
        after = page.after
        if not page.has_more or after is None:
            return Page(data=visible)


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
    answer = await call_first(
        caller,
        "feedback",
        user=caller.user,
        thread_id=thread.id,
        item_ids=item_ids,
        kind=params.kind,
    )
    if answer is None:
        raise Unprocessable("No plugin's `feedback` hook accepts this feedback.")
    return None


def _note_visit(caller: Caller, thread_id: str) -> None:
    """Keep the running turn, as its user is looking at it: the page was reloaded, not closed."""
    running = caller.running(thread_id)
    if running is not None:
        running.note_visit()
