"""Actions of widgets.

A locked or closed thread takes them too: one may open it again.
"""

from __future__ import annotations

from chatkit.types import (
    SyncCustomActionResponse,
    ThreadsCustomActionReq,
    ThreadsSyncCustomActionReq,
    WidgetItem,
)

from ...errors import BadRequest, Unprocessable
from ...events.turn_thread import TurnThread
from ...paging import dated
from ...turn import Turn
from ...turns.approval_widget import clicked, is_asking
from ...turns.job import TurnPlan
from ...turns.view import StoreView
from ...words import words
from .caller import (
    Answer,
    Caller,
    call_first,
    load_item,
    load_thread,
    new_plan,
    refusing,
    require_hook,
    require_writable,
)


async def custom_action(caller: Caller, request: ThreadsCustomActionReq) -> TurnPlan:
    thread = await load_thread(caller, request.params.thread_id)
    sender = await _load_sender(caller, thread.id, request.params.item_id)
    click = clicked(request.params.action, sender)
    if click is not None:
        if is_asking(click.item):
            require_writable(thread)
        return new_plan(caller, request.type, thread, click=click)
    require_hook(caller, "action")
    return new_plan(caller, request.type, thread, action=request.params.action, sender=sender)


async def sync_custom_action(caller: Caller, request: ThreadsSyncCustomActionReq) -> Answer:
    require_hook(caller, "action")
    thread = await load_thread(caller, request.params.thread_id)
    sender = await _load_sender(caller, thread.id, request.params.item_id)
    turn = Turn(
        thread=thread,
        store=StoreView(caller.store, caller.context),
        request_context=caller.request_context,
        user=caller.user,
        request=caller.request,
        operation=request.type,
        locale=caller.locale,
    )
    turn._catalogs = caller.hooks.languages
    await caller.conversations.give(turn)
    changes = TurnThread(turn, caller.threads)
    turn._change_thread = changes.change
    action = request.params.action
    answer = await call_first(caller, "action", turn=turn, action=action, item=sender)
    if not isinstance(answer, SyncCustomActionResponse):
        raise Unprocessable(
            words("No plugin's `action` hook answers `{action}` at once.", action=action.type)
        )
    if answer.updated_item is not None:
        item = dated(answer.updated_item)
        answer = answer.model_copy(update={"updated_item": item})
        await caller.store.save_item(thread.id, item, caller.context)
        with refusing("persist"):
            await caller.hooks.each("persist", turn=turn, item=item)
    await changes.save_all()
    return answer


async def _load_sender(caller: Caller, thread_id: str, item_id: str | None) -> WidgetItem | None:
    if item_id is None:
        return None
    item = await load_item(caller, thread_id, item_id)
    if not isinstance(item, WidgetItem):
        raise BadRequest("params.item_id: this item is not a widget and has no actions.")
    return item
