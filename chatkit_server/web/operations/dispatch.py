"""The table of operations: read a request, and call the function of its type."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from chatkit.actions import Action
from chatkit.types import (
    ChatKitReq,
    NonStreamingReq,
    StreamingReq,
    ThreadsCustomActionReq,
    ThreadsSyncCustomActionReq,
)
from pydantic import TypeAdapter, ValidationError

from ...errors import BadRequest
from ...events.wire import dump
from ...settings.problems import nearest
from ...turns.job import TurnPlan
from ..body import validation_error
from .actions import custom_action, sync_custom_action
from .attachments import create_attachment, delete_attachment
from .caller import Answer, Caller
from .media import transcribe
from .threads import delete_thread, feedback, get_thread, list_items, list_threads, update_thread
from .turns import (
    add_client_tool_output,
    add_structured_input,
    add_user_message,
    create_thread,
    retry_after_item,
)

_REQUEST: TypeAdapter[ChatKitReq] = TypeAdapter(ChatKitReq)


def parse(body: dict[str, Any]) -> ChatKitReq:
    """Return the ChatKit request in a body.

    Raises `BadRequest` that names the wrong field.
    """
    kind = body.get("type")
    if not isinstance(kind, str):
        raise BadRequest(
            "type: must be a string such as `threads.create`. Plain clients send `messages`."
        )
    if kind not in OPERATIONS:
        kind = kind[:50]
        raise BadRequest(f"type: unknown operation `{kind}`.{nearest(kind, OPERATIONS)}")
    try:
        request = _REQUEST.validate_python(body)
    except ValidationError as error:
        raise validation_error(error, body) from None
    if isinstance(request, ThreadsCustomActionReq | ThreadsSyncCustomActionReq):
        _require_type(request.params.action)
    return request


def _require_type(action: Action[str, Any]) -> None:
    # The default of ChatKit's own type is not a string
    if not isinstance(action.type, str):
        raise BadRequest("params.action.type: Field required")


async def plan(caller: Caller, request: StreamingReq) -> TurnPlan:
    """Return the plan of the turn that an operation asks for."""
    caller.guard.check(request)
    return await TURNS[request.type](caller, request)


async def answer(caller: Caller, request: NonStreamingReq) -> bytes:
    """Return the answer of an operation that starts no turn, as JSON."""
    caller.guard.check(request)
    with caller.guard.place(caller.user):
        if request.type not in PAGES:
            return _dump(await ANSWERS[request.type](caller, request))
        async with caller.guard.reading(caller.user) as count:
            data = _dump(await ANSWERS[request.type](caller, request))
            count(len(data))
            return data


def _dump(answer: Answer) -> bytes:
    if answer is None:
        return b"{}"
    return answer if isinstance(answer, bytes) else dump(answer)


TURNS: dict[str, Callable[[Caller, Any], Awaitable[TurnPlan]]] = {
    "threads.create": create_thread,
    "threads.add_user_message": add_user_message,
    "threads.add_client_tool_output": add_client_tool_output,
    "threads.add_structured_input": add_structured_input,
    "threads.retry_after_item": retry_after_item,
    "threads.custom_action": custom_action,
}
ANSWERS: dict[str, Callable[[Caller, Any], Awaitable[Answer]]] = {
    "threads.sync_custom_action": sync_custom_action,
    "threads.get_by_id": get_thread,
    "threads.list": list_threads,
    "threads.update": update_thread,
    "threads.delete": delete_thread,
    "items.list": list_items,
    "items.feedback": feedback,
    "attachments.create": create_attachment,
    "attachments.delete": delete_attachment,
    "input.transcribe": transcribe,
}
PAGES = {"threads.get_by_id", "threads.list", "items.list"}
"""Those whose answers may be large: a user gets one after the other."""

OPERATIONS = {*TURNS, *ANSWERS}
