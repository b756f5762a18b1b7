"""Start a turn without a page: for the routes of machines, and for plugins."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
from aiohttp import web
from chatkit.types import (
    InferenceOptions,
    ThreadAddUserMessageParams,
    ThreadCreateParams,
    ThreadMetadata,
    ThreadsAddUserMessageReq,
    ThreadsCreateReq,
    UserMessageInput,
    UserMessageTextContent,
)

from ..errors import BadRequest, NotFound
from ..turn import StoreContext, User
from ..turns.claim import StartedElsewhere
from ..turns.identity import RequestIdentity
from ..turns.job import TurnPlan
from ..turns.store import TurnRecord
from .arguments import require_message, require_text, require_thread_id, require_user
from .chat import new_caller
from .keys import ACCEPTED, ENGINE, HOOKS
from .operations.caller import Caller, checked_id
from .operations.dispatch import plan
from .operations.turns import message_plan
from .started import AnyTurn, whole_answer

Request = ThreadsCreateReq | ThreadsAddUserMessageReq


@dataclass(frozen=True)
class TurnResult:
    """How a turn ended, and what it answered.

    `status` is `completed`, `failed`, `cancelled` or `interrupted`; `error` is what the user reads
    if it is not `completed`. `content` is the text of the answer, and `data` all of it, as the
    route answers with `"wait": "result"`.
    """

    turn_id: str
    thread_id: str
    status: str
    content: str
    error: str | None = None
    data: dict[str, Any] = field(default_factory=dict, repr=False)


class StartedTurn:
    """A turn that is written down: it runs whatever becomes of whoever has started it."""

    def __init__(self, app: web.Application, user: User, turn: AnyTurn) -> None:
        self.id = turn.id
        self.thread_id = turn.thread_id
        self._app = app
        self._user = user
        self._turn = turn

    async def result(self) -> TurnResult:
        """Wait for the end of the turn, and return what it answered.

        Whoever stops waiting does not stop the turn. Raises `Unavailable` if the server
        shuts down meanwhile, and another process has the turn.
        """
        say = self._app[HOOKS].languages.say
        answer = await whole_answer(
            self._app, self._turn, StoreContext(self._user), lambda text: say(text, ())
        )
        data = orjson.loads(answer)
        return TurnResult(
            self.id, self.thread_id, data["status"], data["content"], data.get("message"), data
        )


async def start_turn(
    app: web.Application,
    user: User,
    thread_id: str | None,
    message: str | UserMessageInput,
    *,
    idempotency_key: str | None = None,
    model: str | None = None,
) -> StartedTurn:
    """Have a message of this user answered, and return the turn as soon as it is written down.

    Without a `thread_id`, the message begins a conversation. The same `idempotency_key` of the same
    user returns the same turn. What `pre_turn` refuses is in the turn's result.

    Nothing is written down if this raises. `BadRequest`: the message is empty, one of its
    attachments is not there, or the model is not offered and no hook may take it. `NotFound`: the
    user has no such thread. `Conflict`: it is locked, closed or being deleted, or busy where
    `turns.when_busy` is `reject`. `TooLarge`: the message. `Unprocessable`: the turn store cannot
    accept turns, or the key came with another message. `TooManyRequests`: the user or the tenant
    has no place left within `turns.limits`. `Unavailable`: nobody has, or the server shuts down.
    Both may have `Retry-After`, in seconds, in their `headers`. And what `admit` hooks and the
    database raise. A wrong type is a `TypeError`.
    """
    require_user("start_turn", user)
    if thread_id is not None:
        require_thread_id("start_turn", thread_id)
    require_message("start_turn", message)
    require_text("start_turn", "idempotency_key", idempotency_key)
    require_text("start_turn", "model", model)
    request = message_request(thread_id, message, model)
    return StartedTurn(
        app, user, await accepted(new_caller(app, user), app, request, idempotency_key)
    )


async def accepted(
    caller: Caller, app: web.Application, request: Request, key: str | None
) -> AnyTurn:
    """Have a turn written down, or return the one that an equal request started."""
    engine, identity = app[ENGINE], identity_of(request, key)
    async with engine.turns.one_at_a_time(identity, caller.user):
        known = await engine.repeated(identity, caller.user)
        if known is not None:
            return here(app, known[0])
        make_plan = partial(_plan, caller, app, request)
        try:
            return await app[ACCEPTED].accept(make_plan, identity, caller.user)
        except StartedElsewhere as started:
            return started.record


async def _plan(caller: Caller, app: web.Application, request: Request) -> TurnPlan:
    """Return the plan of a turn. An accepted one before it may be going to make its thread."""
    try:
        return await plan(caller, request)
    except NotFound:
        if isinstance(request, ThreadsCreateReq):
            raise
        thread_id = checked_id(request.params.thread_id)
        if await app[ENGINE].turn_store.next_in(thread_id, caller.user) is None:
            raise
        thread = ThreadMetadata(id=thread_id, created_at=datetime.now(UTC))
        return await message_plan(caller, request, thread)


def here(app: web.Application, turn: AnyTurn) -> AnyTurn:
    """Return a turn that is to begin in this process as that, in place of its record."""
    if isinstance(turn, TurnRecord):
        return app[ENGINE].turns.accepted.get(turn.id) or turn
    return turn


def message_request(
    thread_id: str | None, message: str | UserMessageInput, model: str | None
) -> Request:
    """Return the operation that a message asks for. Raises `BadRequest` if it is empty."""
    if isinstance(message, str):
        message = UserMessageInput(
            content=[UserMessageTextContent(text=message)],
            attachments=[],
            inference_options=InferenceOptions(),
        )
    if not message.attachments and not any(part.text.strip() for part in message.content):
        raise BadRequest("message: it is empty.")
    if model is not None:
        options = message.inference_options.model_copy(update={"model": model})
        message = message.model_copy(update={"inference_options": options})
    if thread_id is None:
        return ThreadsCreateReq(params=ThreadCreateParams(input=message))
    params = ThreadAddUserMessageParams(input=message, thread_id=thread_id)
    return ThreadsAddUserMessageReq(params=params)


def identity_of(
    request: Request, key: str | None, last_event_id: str | None = None
) -> RequestIdentity:
    """Return what identifies a request: how it waits for the answer does not matter."""
    return RequestIdentity.of(
        request.model_dump_json().encode(),
        idempotency_key=key,
        frame=None,
        last_event_id=last_event_id,
    )
