"""The chat's own route: from the body of a request to its answer, or to its turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiohttp import hdrs, web
from chatkit.types import (
    ThreadsAddStructuredInputReq,
    ThreadsSyncCustomActionReq,
    is_streaming_req,
)

from ..languages import preferred
from ..turn import TurnRequest, User
from ..turns.identity import RequestIdentity
from ..turns.job import TurnPlan
from ..turns.running import RunningTurn
from ..turns.store import TurnRecord
from . import plain
from .body import check_marks, marks_of, read_object
from .expect import ask_for_body
from .keys import (
    ATTACHMENT_STORE,
    ELSEWHERE,
    ENGINE,
    GUARD,
    HEARTBEAT,
    HOOKS,
    NAME_USER,
    SETTINGS,
    STORE,
    USER,
    authenticate,
    store_context,
)
from .operations.actions import custom_action, is_click, widget_of
from .operations.caller import Caller
from .operations.dispatch import answer, parse, plan
from .operations.turns import answer_running
from .turn_routes import follow, following

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def chat(request: web.Request) -> web.StreamResponse:
    """Answer one ChatKit operation, or a plain request."""
    respond = await _understand(request)
    # The body went out of scope with `_understand`: here it would stay in memory until the end of
    # the stream
    return await respond(request)


async def _understand(request: web.Request) -> Respond:
    """Read the request, answer it or start its turn, and return how to respond."""
    user = await authenticate(request)
    raw = await read_body(request, user)
    body = read_object(raw, request.app[SETTINGS].server.limits.values)
    if plain.is_plain(body):
        asked = plain.parse(body)
        user = request[USER] = plain.user_of(asked, user, request.get(NAME_USER))
        caller = await caller_of(request, user)
        make_plan = partial(plain.plan, caller, asked)
        turn = _turn(request, raw, user, make_plan)
        # It may have to wait, and need not hold what was read
        del raw, body
        running, after = await turn
        if not asked.streams:
            return partial(plain.whole_answer, running=running)
        return partial(follow, running=running, after=after)
    operation = parse(body)
    caller = await caller_of(request, user)
    if is_streaming_req(operation):
        make_plan = partial(plan, caller, operation)
        answer_it = None
        if isinstance(operation, ThreadsAddStructuredInputReq):
            answer_it = partial(answer_running, caller, operation)
        turn = _turn(request, raw, user, make_plan, answer_it)
        # It may have to wait, and need not hold what was read
        del raw, body
        running, after = await turn
        return partial(follow, running=running, after=after)
    if isinstance(operation, ThreadsSyncCustomActionReq) and await is_click(caller, operation):
        turn = _turn(request, raw, user, partial(custom_action, caller, operation))
        del raw, body
        running, _ = await turn
        return partial(_send_widget, caller=caller, operation=operation, running=running)
    del raw, body
    return partial(_send, data=await answer(caller, operation))


async def read_body(request: web.Request, user: User) -> bytes:
    """Return the body, after asking for it if the client waits for that.

    What would take long to parse is refused before the rest of it has arrived.
    """
    limit = request.app[SETTINGS].server.max_body
    if (request.content_length or 0) > limit:
        raise web.HTTPRequestEntityTooLarge(max_size=limit)
    await ask_for_body(request)
    if request._read_bytes is not None:
        # An `auth` plugin has read it
        return request._read_bytes
    if request.content.is_eof():
        # It came with the head, as that of most messages does
        raw = request.content.read_nowait()
        if len(raw) > limit:
            raise web.HTTPRequestEntityTooLarge(max_size=limit)
        check_marks(len(marks_of(raw)))
        return raw
    pieces: list[bytes] = []
    size = marks = 0
    with request.app[GUARD].arriving(user) as count:
        async for piece in request.content.iter_any():
            size += len(piece)
            if size > limit:
                raise web.HTTPRequestEntityTooLarge(max_size=limit)
            count(size)
            marks += len(marks_of(piece))
            check_marks(marks)
            pieces.append(piece)
        return b"".join(pieces)


async def _send_widget(
    request: web.Request,
    caller: Caller,
    operation: ThreadsSyncCustomActionReq,
    running: RunningTurn | TurnRecord,
) -> web.StreamResponse:
    """Wait for the end of the turn of a click, and answer with the widget."""
    if isinstance(running, TurnRecord):
        await request.app[ELSEWHERE].whole(running, caller.context)
    else:
        with following(running):
            await running.until_settled()
    return await _send(request, await widget_of(caller, operation))


async def _send(request: web.Request, data: bytes) -> web.StreamResponse:
    return web.Response(body=data, content_type="application/json")


async def _turn(
    request: web.Request,
    raw: bytes,
    user: User,
    make_plan: Callable[[], Awaitable[TurnPlan]],
    answer_it: Callable[[], Awaitable[tuple[RunningTurn | TurnRecord, int] | None]] | None = None,
) -> tuple[RunningTurn | TurnRecord, int]:
    """Start a turn, or join the one that an equal request started, or that waits for this one.

    Return it with the number of the last event that the client has seen.
    """
    engine = request.app[ENGINE]
    identity = RequestIdentity.of(
        raw,
        idempotency_key=request.headers.get("Idempotency-Key"),
        frame=request.headers.get("chatkit-frame-instance-id"),
        last_event_id=request.headers.get("Last-Event-ID"),
    )
    del raw
    request._read_bytes = b""
    async with engine.turns.one_at_a_time(identity, user):
        known = await engine.repeated(identity, user)
        if known is not None:
            return known
        if answer_it is not None and (answered := await answer_it()) is not None:
            turn, number = answered
            if isinstance(turn, RunningTurn):
                engine.turns.note_answer(turn, number, identity)
            return answered
        return await engine.start(make_plan, identity, user), 0


async def caller_of(request: web.Request, user: User) -> Caller:
    """Return who asks, with what a `context` hook returns for the request."""
    context = await store_context(request, user)
    cookies = request.cookies if hdrs.COOKIE in request.headers else {}
    return new_caller(
        request.app,
        user,
        locale=preferred(request.headers),
        given=context.context,
        request=TurnRequest(request.headers, cookies, request.url),
    )


def new_caller(app: web.Application, user: User, **rest: Any) -> Caller:
    """Return a user with the parts of an application; `rest` is what a request says of them."""
    return Caller(
        user,
        app[STORE],
        app[ATTACHMENT_STORE],
        app[HOOKS],
        app[ENGINE].turns,
        app[GUARD],
        app[ENGINE].threads,
        app[ENGINE].conversations,
        app[HEARTBEAT],
        app[ELSEWHERE],
        **rest,
    )
