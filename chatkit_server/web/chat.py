"""The chat's own route: from the body of a request to an answer at once, or to a turn."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web
from chatkit.types import is_streaming_req

from ..events.wire import dump
from ..turn import User
from ..turns.identity import RequestIdentity
from ..turns.job import TurnPlan
from ..turns.running import RunningTurn
from . import plain
from .body import read_object
from .keys import ATTACHMENT_STORE, ENGINE, HOOKS, STORE, authenticate
from .operations.caller import Caller
from .operations.dispatch import answer, parse, plan
from .turn_routes import follow

_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")


async def chat(request: web.Request) -> web.StreamResponse:
    """Answer one ChatKit operation, or a plain request."""
    answered = await _answer(request)
    if isinstance(answered, web.Response):
        return answered
    # The body and what was parsed of it went out of scope with `_answer`: here they would stay in
    # memory for as long as the answer takes
    return await follow(request, *answered)


async def _answer(request: web.Request) -> web.Response | tuple[RunningTurn, int]:
    """Return the response, or the turn to follow and the last event that its client has seen."""
    raw = await request.read()
    body = read_object(raw)
    caller = _caller(request, await authenticate(request))
    if plain.is_plain(body):
        return await _turn(request, raw, caller.user, partial(plain.plan, caller, body))
    operation = parse(body)
    if is_streaming_req(operation):
        return await _turn(request, raw, caller.user, partial(plan, caller, operation))
    found = await answer(caller, operation)
    data = b"{}" if found is None else dump(found)
    return web.Response(body=data, content_type="application/json")


async def _turn(
    request: web.Request, raw: bytes, user: User, make_plan: Callable[[], Awaitable[TurnPlan]]
) -> tuple[RunningTurn, int]:
    """Start a turn, or join the one that an equal request started."""
    engine = request.app[ENGINE]
    identity = _identity(request, raw)
    async with engine.turns.once(identity, user):
        known = await engine.repeated(identity, user)
        return known or (await engine.start(make_plan, identity), 0)


def _identity(request: web.Request, body: bytes) -> RequestIdentity:
    return RequestIdentity.of(
        body,
        idempotency_key=request.headers.get("Idempotency-Key"),
        frame=request.headers.get("chatkit-frame-instance-id"),
        last_event_id=request.headers.get("Last-Event-ID"),
    )


def _caller(request: web.Request, user: User) -> Caller:
    app = request.app
    language = _LANGUAGE.match(request.headers.get("Accept-Language", ""))
    return Caller(
        user,
        app[STORE],
        app[ATTACHMENT_STORE],
        app[HOOKS],
        app[ENGINE].turns,
        locale=language[0] if language else None,
    )
