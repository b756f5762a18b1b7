"""What a user does with a widget."""

from __future__ import annotations

from chatkit.types import (
    SyncCustomActionResponse,
    ThreadsCustomActionReq,
    ThreadsSyncCustomActionReq,
)

from ...errors import Unprocessable
from ...turn import Turn
from ...turns.job import TurnPlan
from .caller import (
    Answer,
    Caller,
    call_first,
    load_sender,
    new_plan,
    refusing,
    require_hook,
    writable_thread,
)


async def custom_action(caller: Caller, request: ThreadsCustomActionReq) -> TurnPlan:
    require_hook(caller, "action")
    thread = await writable_thread(caller, request.params.thread_id)
    sender = await load_sender(caller, thread.id, request.params.item_id)
    return new_plan(caller, request.type, thread, action=request.params.action, sender=sender)


async def sync_custom_action(caller: Caller, request: ThreadsSyncCustomActionReq) -> Answer:
    require_hook(caller, "action")
    thread = await writable_thread(caller, request.params.thread_id)
    sender = await load_sender(caller, thread.id, request.params.item_id)
    turn = Turn(
        thread=thread,
        store=caller.store,
        request_context=caller.context,
        user=caller.user,
        operation=request.type,
        locale=caller.locale,
    )
    action = request.params.action
    answer = await call_first(caller, "action", turn=turn, action=action, item=sender)
    if not isinstance(answer, SyncCustomActionResponse):
        raise Unprocessable(f"No plugin's `action` hook answers `{action.type}` at once.")
    if answer.updated_item is not None:
        await caller.store.save_item(thread.id, answer.updated_item, caller.context)
        with refusing("A plugin's `persist` hook"):
            await caller.hooks.each("persist", turn=turn, item=answer.updated_item)
    return answer
