"""Routes that start a turn without a page: `POST …/turns`, `POST …/threads/{thread_id}/turns`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Literal

import orjson
from aiohttp import hdrs, web
from chatkit.types import UserMessageInput
from pydantic import BaseModel, ConfigDict, ValidationError

from ..turns.job import TurnPlan
from ..turns.running import RunningTurn
from ..turns.store import TurnRecord
from .body import read_object, validation_error
from .chat import caller_of, read_body
from .expect import expect_later
from .keys import ENGINE, SETTINGS, USER, authenticate, store_context, translate
from .operations.caller import Caller
from .operations.dispatch import plan
from .sse import TURN_ID
from .started import AnyTurn, StartedWire, whole_answer
from .starting import Request, accepted, identity_of, message_request
from .turn_routes import follow

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


class StartRequest(BaseModel):
    """A message to answer, and what the client waits for: the events, the answer, or nothing."""

    model_config = ConfigDict(extra="forbid")

    message: str | UserMessageInput
    model: str | None = None
    wait: Literal["stream", "result", "accepted"] | None = None


def add_start_routes(app: web.Application) -> None:
    """Add the routes below the chat's own path."""
    path = app[SETTINGS].server.path
    for route in (f"{path}/turns", f"{path}/threads/{{thread_id}}/turns"):
        app.router.add_post(route, _start, expect_handler=expect_later)


async def _start(request: web.Request) -> web.StreamResponse:
    respond = await _understand(request)
    # The body went out of scope with `_understand`
    return await respond(request)


async def _understand(request: web.Request) -> Respond:
    """Read the request, start its turn, and return how to respond."""
    user = await authenticate(request)
    raw = await read_body(request, user)
    body = read_object(raw, request.app[SETTINGS].server.limits.values)
    del raw
    request._read_bytes = b""
    asked = parse({name: value for name, value in body.items() if value is not None})
    del body
    operation = message_request(request.match_info.get("thread_id"), asked.message, asked.model)
    caller = await caller_of(request, user)
    key = request.headers.get("Idempotency-Key")
    if asked.wait == "accepted":
        turn = await accepted(caller, request.app, operation, key)
        return partial(_send_accepted, turn=turn)
    known, after = await _started(request, caller, operation)
    if asked.wait == "result":
        return partial(_send_result, turn=known)
    return partial(follow, running=known, after=after)


def parse(body: dict[str, object]) -> StartRequest:
    """Return the request in a body. Raises `BadRequest` that names the first wrong field."""
    try:
        return StartRequest.model_validate(body)
    except ValidationError as error:
        raise validation_error(error, body, known=_known_fields) from None


def _known_fields(path: tuple[int | str, ...]) -> Collection[str]:
    return (UserMessageInput if path else StartRequest).model_fields


async def _started(
    request: web.Request, caller: Caller, operation: Request
) -> tuple[RunningTurn | TurnRecord, int]:
    """Start a turn, or join the one that an equal request started.

    Return it with the number of the last event that the client has seen.
    """
    engine, headers = request.app[ENGINE], request.headers
    identity = identity_of(operation, headers.get("Idempotency-Key"), headers.get("Last-Event-ID"))
    async with engine.turns.one_at_a_time(identity, caller.user):
        known = await engine.repeated(identity, caller.user)
        if known is not None:
            return known

        async def make_plan() -> TurnPlan:
            made = await plan(caller, operation)
            made.wire = StartedWire(made.thread.id)
            return made

        return await engine.start(make_plan, identity, caller.user), 0


async def _send_accepted(request: web.Request, turn: AnyTurn) -> web.StreamResponse:
    """Say where to ask for a turn."""
    place = f"{request.app[SETTINGS].server.path}/turns/{turn.id}"
    state = turn.state if isinstance(turn, TurnRecord) else "accepted"
    if isinstance(turn, RunningTurn):
        state = turn.status or "running"
    return web.json_response(
        {"id": turn.id, "thread_id": turn.thread_id, "state": state},
        status=202,
        headers={hdrs.LOCATION: place, TURN_ID: turn.id},
    )


async def _send_result(request: web.Request, turn: AnyTurn) -> web.StreamResponse:
    """Wait for the end of a turn, and answer with all of it.

    The status of an answer that is not complete is 422: clients repeat a request after a 5xx.
    """
    context = await store_context(request, request[USER])
    answer = await whole_answer(request.app, turn, context, partial(translate, request))
    status = 200 if orjson.loads(answer)["status"] == "completed" else 422
    return web.Response(
        body=answer, status=status, content_type="application/json", headers={TURN_ID: turn.id}
    )
