"""A turn by its own address: follow it, look at it, cancel it; and the script that does so."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

from aiohttp import web

from ..errors import BadRequest, NotFound, ServerError
from ..turn import User
from ..turns.running import STOPPED, RunningTurn
from ..turns.store import TurnRecord
from .keys import ENGINE, SETTINGS, authenticate
from .sse import EventStream

log = logging.getLogger(__name__)


def add_turn_routes(app: web.Application) -> None:
    """Add the routes below the chat's own path."""
    path = app[SETTINGS].server.path
    app.router.add_get(f"{path}/client.js", _Script(Path(__file__).with_name("client.js")).answer)
    app.router.add_get(f"{path}/turns/{{turn_id}}", _state)
    app.router.add_get(f"{path}/turns/{{turn_id}}/events", _events)
    app.router.add_post(f"{path}/turns/{{turn_id}}/cancel", _cancel)
    app.router.add_get(f"{path}/threads/{{thread_id}}/turn", _turn_of_thread)


async def follow(request: web.Request, running: RunningTurn, after: int = 0) -> web.StreamResponse:
    """Answer with the turn's events after number `after`, until it ends or the client goes."""
    response = EventStream(running.log, request.app[SETTINGS].server.keep_alive)
    running.add_follower()
    try:
        await response.follow(request, after)
    except (ConnectionResetError, TimeoutError):
        log.debug("turn %s: a follower is gone", running.id)
    finally:
        running.remove_follower()
    return response


async def _events(request: web.Request) -> web.StreamResponse:
    user = await authenticate(request)
    running = await _find(request, user)
    if isinstance(running, TurnRecord):
        raise _Gone("The events of this turn are not kept any more. Reload the conversation.")
    return await follow(request, running, _after(request, running))


def _after(request: web.Request, running: RunningTurn) -> int:
    """Return the number of the last event that the client has seen."""
    given = request.headers.get("Last-Event-ID")
    if given is not None:
        turn_id, _, number = given.rpartition(":")
        if turn_id != running.id:
            raise BadRequest("Last-Event-ID: this is no event of the turn.")
    else:
        number = request.query.get("after", "0")
    known = len(running.log)
    if not (number.isascii() and number.isdigit() and len(number) < 10 and int(number) <= known):
        raise BadRequest(f"after: a number from 0 to {known} is needed.")
    return int(number)


async def _state(request: web.Request) -> web.StreamResponse:
    user = await authenticate(request)
    return web.json_response(_described(await _find(request, user)))


async def _turn_of_thread(request: web.Request) -> web.StreamResponse:
    """Describe the turn that runs in a thread, so that a page that was reloaded can follow it."""
    user = await authenticate(request)
    engine = request.app[ENGINE]
    thread_id = request.match_info["thread_id"]
    running = engine.turns.in_thread(thread_id, user)
    found = running or await engine.turn_store.running(thread_id, user)
    if found is None:
        raise NotFound("No answer is being written in this conversation.")
    if running is not None:
        running.note_visit()
    return web.json_response(_described(found))


async def _cancel(request: web.Request) -> web.StreamResponse:
    """End a turn; to do so again changes nothing."""
    user = await authenticate(request)
    running = await _find(request, user)
    if isinstance(running, TurnRecord):
        await request.app[ENGINE].turn_store.cancel(running.id, user)
    else:
        running.end(STOPPED)
        await running.ended()
    return web.json_response(_described(running))


async def _find(request: web.Request, user: User) -> RunningTurn | TurnRecord:
    engine = request.app[ENGINE]
    turn_id = request.match_info["turn_id"]
    found = engine.turns.find(turn_id, user) or await engine.turn_store.find(turn_id, user)
    if found is None:
        raise NotFound("This turn is not there.")
    return found


def _described(turn: RunningTurn | TurnRecord) -> dict[str, Any]:
    if isinstance(turn, TurnRecord):
        told: dict[str, Any] = {"id": turn.id, "thread_id": turn.thread_id, "state": turn.state}
        return told | ({"error": turn.error} if turn.error else {})
    told = {
        "id": turn.id,
        "thread_id": turn.thread_id,
        "state": turn.status or "running",
        "events": len(turn.log),
    }
    if turn.problem is not None:
        told |= {"error": turn.problem.message, "allow_retry": turn.problem.allow_retry}
    return told


class _Gone(ServerError):
    status = 410


class _Script:
    """The client's half, for everybody whose origin is allowed."""

    def __init__(self, file: Path) -> None:
        self._body = file.read_bytes()
        self._etag = hashlib.sha256(self._body).hexdigest()[:32]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer with the script, or with 304 where the client has it already."""
        known = request.if_none_match or ()
        response = web.Response(status=304)
        if not any(etag.value in (self._etag, "*") for etag in known):
            response = web.Response(
                body=self._body, content_type="text/javascript", charset="utf-8"
            )
        response.etag = self._etag
        response.headers["Cache-Control"] = "public, max-age=600"
        # The origin that may read it is named in the answer
        response.headers["Vary"] = "Origin"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
