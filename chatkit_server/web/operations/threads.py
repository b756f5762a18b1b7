"""Operations on stored conversations."""

from __future__ import annotations

from chatkit.types import (
    ItemsFeedbackReq,
    ItemsListReq,
    Page,
    ThreadsDeleteReq,
    ThreadsGetByIdReq,
    ThreadsListReq,
    ThreadsUpdateReq,
)

from ...errors import Unprocessable
from ...events.recorder import as_thread
from ...turns.running import STOPPED
from .caller import (
    PAGE_SIZE,
    Answer,
    Caller,
    call_first,
    checked_id,
    load_item,
    load_items,
    load_thread,
    page_limit,
    require_hook,
)


async def get_thread(caller: Caller, request: ThreadsGetByIdReq) -> Answer:
    thread = await load_thread(caller, request.params.thread_id)
    page = await load_items(caller, thread.id, None, PAGE_SIZE, "asc")
    _note_visit(caller, thread.id)
    return as_thread(thread, page)


async def list_threads(caller: Caller, request: ThreadsListReq) -> Answer:
    params = request.params
    page = await caller.store.load_threads(
        page_limit(params.limit), checked_id(params.after), params.order, caller.context
    )
    threads = [as_thread(thread) for thread in page.data]
    return Page(data=threads, has_more=page.has_more, after=page.after)


async def update_thread(caller: Caller, request: ThreadsUpdateReq) -> Answer:
    thread = await load_thread(caller, request.params.thread_id)
    thread.title = request.params.title
    await caller.store.save_thread(thread, caller.context)
    return as_thread(thread)


async def delete_thread(caller: Caller, request: ThreadsDeleteReq) -> Answer:
    running = caller.running(request.params.thread_id)
    if running is not None:
        running.end(STOPPED)
        await running.ended()
    thread = await load_thread(caller, request.params.thread_id)
    await caller.store.delete_thread(thread.id, caller.context)
    return None


async def list_items(caller: Caller, request: ItemsListReq) -> Answer:
    params = request.params
    thread = await load_thread(caller, params.thread_id)
    page = await load_items(
        caller, thread.id, checked_id(params.after), page_limit(params.limit), params.order
    )
    _note_visit(caller, thread.id)
    return page


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
        raise Unprocessable("No plugin's `feedback` hook keeps this.")
    return None


def _note_visit(caller: Caller, thread_id: str) -> None:
    """Keep a turn that its user looks at: this was a reload, not a stop."""
    running = caller.running(thread_id)
    if running is not None:
        running.note_visit()
