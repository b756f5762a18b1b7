"""Routes of a turn: its events, its state, cancel; and the script for pages that uses them."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web
from chatkit.store import NotFoundError

from ..elsewhere.saved import partial_of
from ..elsewhere.threads import ThreadStream
from ..errors import BadRequest, Conflict, NotFound
from ..events.log import AFTER_END
from ..turn import StoreContext, User
from ..turns.running import STOPPED, RunningTurn
from ..turns.store import TurnRecord
from ..words import Words, words
from .errors import log_failure
from .keys import (
    ELSEWHERE,
    ENGINE,
    GUARD,
    SETTINGS,
    STORE,
    THREADS,
    USER,
    authenticate,
    store_context,
    translate,
)
from .sse import TURN_ID, EventStream

LONGEST_WAIT = 60.0
"""Seconds that a request may wait for a turn to begin."""

_LARGE = 65_536
"""Bytes of events from which on the next replay of the same user waits."""

_GOES_ON = ("accepted", "running")

log = logging.getLogger(__name__)


def add_turn_routes(app: web.Application) -> None:
    """Add the routes below the chat's own path."""
    path = app[SETTINGS].server.path
    for name, kind in (("client.js", "text/javascript"), ("client.d.ts", "application/typescript")):
        script = _Script(Path(__file__).with_name(name), kind)
        app.router.add_get(f"{path}/{name}", script.answer)
    app.router.add_get(f"{path}/turns/{{turn_id}}", _state)
    app.router.add_get(f"{path}/turns/{{turn_id}}/events", _events)
    app.router.add_post(f"{path}/turns/{{turn_id}}/cancel", _cancel)
    app.router.add_get(f"{path}/threads/{{thread_id}}/turn", _turn_of_thread)
    app.router.add_get(f"{path}/threads/{{thread_id}}/events", _thread_events)


@contextmanager
def following(running: RunningTurn) -> Iterator[None]:
    """Count as a follower of the turn while the block runs."""
    running.add_follower()
    try:
        yield
    finally:
        running.remove_follower()


async def follow(
    request: web.Request, running: RunningTurn | TurnRecord, after: int = 0
) -> web.StreamResponse:
    """Stream the turn's events after number `after`, until it ends or the client disconnects.

    HEAD gets the headers alone, and does not count as a client.
    """
    if request.method == hdrs.METH_HEAD:
        return web.Response(content_type="text/event-stream", headers={TURN_ID: running.id})
    if isinstance(running, TurnRecord):
        return await _follow_elsewhere(request, running, after)
    if after < len(running.log) and running.log.size > _LARGE:
        async with request.app[GUARD].reading(request[USER]) as count:
            count(running.log.size)
    server = request.app[SETTINGS].server
    response = EventStream(running.log, server.keep_alive, server.limits.unread)
    with following(running):
        try:
            await response.follow(request, after)
        except (ConnectionResetError, TimeoutError):
            log.debug("turn %s: a client has disconnected", running.id)
    return response


async def _follow_elsewhere(
    request: web.Request, record: TurnRecord, after: int
) -> web.StreamResponse:
    """Do the same with a turn of another process, or one whose events are only saved.

    One that runs has to say something first: until then, it may be refused, and never have been.
    """
    server, user = request.app[SETTINGS].server, request[USER]
    context = await store_context(request, user)
    elsewhere = request.app[ELSEWHERE]
    with elsewhere.following(record, context, partial(translate, request), after) as followed:
        if record.state == "running":
            with suppress(TimeoutError):
                async with asyncio.timeout(server.keep_alive):
                    await followed.begun()
        response = EventStream(followed, server.keep_alive, server.limits.unread)
        await _send(request, response, after)
    return response


async def _send(request: web.Request, response: EventStream, after: int = 0) -> None:
    """Stream what a response follows; its client goes on with another request if that breaks."""
    try:
        await response.follow(request, after)
    except (ConnectionResetError, TimeoutError) as error:
        log.debug("%s: a client has disconnected: %s", request.path, error)
    except Exception as error:
        if not response.prepared:
            raise
        # Its status is sent
        log_failure(request, error, logging.WARNING)


async def _events(request: web.Request) -> web.StreamResponse:
    user = await authenticate(request)
    with request.app[GUARD].place(user):
        turn = await _find(request, user)
    return await follow(request, turn, _after(request, turn))


def _after(request: web.Request, running: RunningTurn | TurnRecord) -> int:
    """Return the number of the last event that the client has seen.

    How many a turn of another process has, only that one knows.
    """
    given = request.headers.get("Last-Event-ID")
    if given is not None:
        turn_id, _, number = given.rpartition(":")
        if turn_id != running.id:
            raise BadRequest("Last-Event-ID: this event belongs to another turn.")
    else:
        number = request.query.get("after", "0")
    place: int | None = None
    if number.isascii() and number.isdigit() and len(number) < 10:
        place = int(number)
        if isinstance(running, RunningTurn):
            place = running.log.place(place)
    if place is None:
        known = len(running.log) if isinstance(running, RunningTurn) else AFTER_END
        raise BadRequest(f"after: must be a number from 0 to {known}.")
    return place


async def _state(request: web.Request) -> web.StreamResponse:
    user = await authenticate(request)
    with request.app[GUARD].place(user):
        return web.json_response(_described(request, await _find(request, user)))


async def _turn_of_thread(request: web.Request) -> web.StreamResponse:
    """Describe the turn that runs in a thread, so that a reloaded page can follow it.

    With `?wait=`, a page that watches the thread is answered when a turn begins, or with 204.
    """
    wait = _wait(request)
    user = await authenticate(request)
    thread_id = request.match_info["thread_id"]
    threads = request.app[THREADS]
    with request.app[GUARD].place(user):
        found = await threads.running(thread_id, user)
    if found is None and wait:
        found = await threads.next_turn(thread_id, user, wait)
    if found is None and wait is not None:
        # Browsers tell their users of each 404
        return web.Response(status=204)
    if found is None:
        raise NotFound(words("No answer is running in this conversation."))
    if request.method != hdrs.METH_HEAD:
        if isinstance(found, RunningTurn):
            found.note_visit()
        else:
            await request.app[ELSEWHERE].look(thread_id, user)
    return web.json_response(_described(request, found))


async def _thread_events(request: web.Request) -> web.StreamResponse:
    """Stream what happens in a thread: what turns of any process say, and what the server does.

    With `?turns=notes`, what turns say is left out; that they begin and end is told.
    """
    turns = request.query.get("turns", "all")
    if turns not in ("all", "notes"):
        raise BadRequest("turns: `all`, or `notes`.")
    user = await authenticate(request)
    thread_id = request.match_info["thread_id"]
    context = await store_context(request, user)
    with request.app[GUARD].place(user):
        await _require_thread(request, thread_id, context)
    server = request.app[SETTINGS].server
    if request.method == hdrs.METH_HEAD:
        return web.Response(content_type="text/event-stream")
    stream = ThreadStream(
        request.app[THREADS],
        thread_id,
        context,
        partial(_described, request),
        partial(translate, request),
        with_turns=turns == "all",
    )
    response = EventStream(stream, server.keep_alive, server.limits.unread)
    await _send(request, response)
    return response


async def _require_thread(request: web.Request, thread_id: str, context: StoreContext) -> None:
    """Raise `NotFound` for a thread that the user does not have."""
    try:
        thread: object = await request.app[STORE].load_thread(thread_id, context)
    except NotFoundError:
        thread = None
    if thread is None:
        raise NotFound(words("Conversation not found."))


def _wait(request: web.Request) -> float | None:
    given = request.query.get("wait")
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_WAIT:
        raise BadRequest(f"wait: a number of seconds, at most {LONGEST_WAIT:g}.")
    return seconds


async def _cancel(request: web.Request) -> web.StreamResponse:
    """End a turn, and answer with its state. Repeating it changes nothing.

    A turn that does not allow it, and still runs, is a 409.
    """
    user = await authenticate(request)
    with request.app[GUARD].place(user):
        turn = await _find(request, user)
        if not _allows_cancel(turn):
            raise Conflict(words("This answer cannot be stopped. Wait until it is complete."))
        if isinstance(turn, RunningTurn):
            turn.end(STOPPED)
            await turn.ended()
        elif not turn.is_over:
            turn = await request.app[ELSEWHERE].cancel(turn, user)
    described = _described(request, turn)
    return web.json_response(described, status=202 if described["state"] in _GOES_ON else 200)


def _allows_cancel(turn: RunningTurn | TurnRecord) -> bool:
    if isinstance(turn, RunningTurn):
        return turn.allows_cancel() or turn.is_over
    return turn.is_over or partial_of(turn).allow_cancel


async def _find(request: web.Request, user: User) -> RunningTurn | TurnRecord:
    engine = request.app[ENGINE]
    turn_id = request.match_info["turn_id"]
    found = engine.turns.find(turn_id, user) or await engine.turn_store.find(turn_id, user)
    if found is None:
        raise NotFound(words("Turn not found."))
    return found


def _described(request: web.Request, turn: RunningTurn | TurnRecord) -> dict[str, Any]:
    """Return what a client is told of a turn.

    What only the turn's own process knows is null: whether a turn that failed can be retried, and
    the number of events once it has ended. While it runs, some more may have come since.
    """
    told: dict[str, Any] = {"id": turn.id, "thread_id": turn.thread_id}
    if isinstance(turn, TurnRecord):
        events = partial_of(turn).events if not turn.is_over else None
        told |= {"state": turn.state, "events": events}
        if turn.error:
            allow_retry = None if turn.state == "failed" else True
            error = translate(request, Words.stored(turn.error))
            told |= {"error": error, "allow_retry": allow_retry}
        return told
    told |= {"state": turn.status or "running", "events": len(turn.log)}
    if turn.beside:
        told["beside"] = True
    if turn.problem is not None:
        error = translate(request, turn.problem.message)
        told |= {"error": error, "allow_retry": turn.problem.allow_retry}
        if turn.problem.code != "custom":
            told["code"] = turn.problem.code
    return told


class _Script:
    """The script for pages, or its types; it needs no sign-in."""

    def __init__(self, file: Path, content_type: str) -> None:
        self._body = file.read_bytes()
        self._content_type = content_type
        self._etag = hashlib.sha256(self._body).hexdigest()[:32]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer with the script, or with 304 if the client has it already."""
        known = request.if_none_match or ()
        response = web.Response(status=304)
        if not any(etag.value in (self._etag, "*") for etag in known):
            response = web.Response(
                body=self._body, content_type=self._content_type, charset="utf-8"
            )
        response.etag = self._etag
        response.headers["Cache-Control"] = "public, max-age=600"
        # The response names the origin that may read it
        response.headers["Vary"] = "Origin"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
