"""Actions of widgets, and clicks on those that ask to approve a tool call.

A locked or closed thread takes actions too, but no clicks: an action may open it again.
"""

from __future__ import annotations

from chatkit.types import (
    SyncCustomActionResponse,
    ThreadMetadata,
    ThreadsCustomActionReq,
    ThreadsSyncCustomActionReq,
    WidgetItem,
)

from ...agent.paused import APPROVAL
from ...errors import BadRequest, Unprocessable
from ...events.places import news, place_of_thread
from ...events.turn_thread import TurnThread
from ...events.wire import WireFormat, dump
from ...paging import in_place
from ...turn import Turn
from ...turns.approval_widget import Click, clicked, is_asking
from ...turns.job import TurnPlan
from ...turns.view import StoreView
from ...turns.writable import require_writable
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
)


async def custom_action(
    caller: Caller, request: ThreadsCustomActionReq | ThreadsSyncCustomActionReq
) -> TurnPlan:
    thread = await load_thread(caller, request.params.thread_id)
    sender = await _load_sender(caller, thread.id, request.params.item_id)
    click = clicked(request.params.action, sender)
    if click is not None:
        return click_plan(caller, request.type, thread, click)
    require_hook(caller, "action")
    return new_plan(caller, request.type, thread, action=request.params.action, sender=sender)


def click_plan(
    caller: Caller,
    operation: str,
    thread: ThreadMetadata,
    click: Click,
    wire: WireFormat | None = None,
) -> TurnPlan:
    """Return the plan of a click on what asks for an approval."""
    if is_asking(click.item):
        require_writable(thread)
    return new_plan(caller, operation, thread, wire, click=click)


async def is_click(caller: Caller, request: ThreadsSyncCustomActionReq) -> bool:
    """Whether an action that is answered at once is a click, which needs a turn."""
    action, item_id = request.params.action, request.params.item_id
    if action.type != APPROVAL or item_id is None:
        return False
    caller.guard.check(request)
    thread = await load_thread(caller, request.params.thread_id)
    return clicked(action, await _load_sender(caller, thread.id, item_id)) is not None


async def widget_of(caller: Caller, request: ThreadsSyncCustomActionReq) -> bytes:
    """Return the answer to a click once its turn has ended: the widget as it is then."""
    item = await _load_sender(caller, request.params.thread_id, request.params.item_id)
    return dump(SyncCustomActionResponse(updated_item=item))


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
    turn._takes_note = True
    turn._catalogs = caller.hooks.languages
    await caller.conversations.give(turn)
    changes = TurnThread(turn, caller.threads)
    turn._change_thread = changes.change
    action = request.params.action
    answer = await call_first(caller, "action", turn=turn, action=action, item=sender)
    if turn._note is not None:
        text = words(
            "The agent answers the action `{action}`: it must not have `streaming: false`.",
            action=action.type,
        )
        raise Unprocessable(text)
    if answer is None:
        raise Unprocessable(words("No plugin answers the action `{action}`.", action=action.type))
    if not isinstance(answer, SyncCustomActionResponse):
        text = words(
            "The action `{action}` is answered with events: it must not have `streaming: false`.",
            action=action.type,
        )
        raise Unprocessable(text)
    if answer.updated_item is not None:
        item = in_place(answer.updated_item, [] if sender is None else [sender])
        answer = answer.model_copy(update={"updated_item": item})
        await caller.store.save_item(thread.id, item, caller.context)
        with refusing("persist"):
            await caller.hooks.each("persist", turn=turn, item=item)
        caller.events.tell(place_of_thread(caller.user, thread.id), news("item", item.id))
    await changes.save_all()
    return answer


async def _load_sender(caller: Caller, thread_id: str, item_id: str | None) -> WidgetItem | None:
    if item_id is None:
        return None
    item = await load_item(caller, thread_id, item_id)
    if not isinstance(item, WidgetItem):
        raise BadRequest("params.item_id: this item is not a widget and has no actions.")
    return item
