"""The middleware of the author's application, for requests that this server answers itself."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SEEN = "chatkit_sdk_seen"
"""Marks a request of this server; its value takes the scope in which the routes would get it."""

_FOR_RESPONSES: set[Any] = {CORSMiddleware, GZipMiddleware}
"""Middleware that adds nothing to requests."""


_OF_REFUSALS = ("WWW-Authenticate", "Retry-After")
"""Headers that a client needs to know what to do."""


class Middleware:
    """Sends requests through an application up to its routes, for what middleware adds to them.

    That may be a session, the user, or `request.state`. It may also refuse a request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    @classmethod
    def of(cls, app: Any) -> Middleware | None:
        """Return the middleware of an application of Starlette's or FastAPI's, if it has any."""
        inner = with_routes(app)
        routes = getattr(getattr(inner, "router", None), "routes", None)
        if not isinstance(routes, list):
            return None
        used = {middleware.cls for middleware in getattr(inner, "user_middleware", ())}
        if inner is app and used <= _FOR_RESPONSES:
            return None
        routes.insert(0, _LastStop())
        return cls(app)

    async def pass_through(self, scope: Scope) -> Scope:
        """Return the scope in which the routes would get the request.

        Raises `HTTPException` if middleware has answered it.
        """
        seen: list[Scope] = []
        sent = await ask(self._app, {**scope, _SEEN: seen})
        if not seen:
            raise refusal(sent)
        return seen[0]


class _LastStop(BaseRoute):
    """Ends the way of a request of this server through the application."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.FULL if _SEEN in scope else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_SEEN].append(scope)
        await Response(status_code=204)(scope, receive, send)


async def ask(app: ASGIApp, scope: Scope) -> list[Message]:
    """Send a request without a body through an application; return what it sends."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, _empty_body(), send)
    return sent


def _empty_body() -> Receive:
    """Return what receives a request's body: this server has read it."""
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if not messages:
            # The client stays, as far as the application knows
            await asyncio.Event().wait()
        return messages.pop()

    return receive


def refusal(sent: list[Message]) -> HTTPException:
    """Return an answer of an application as an error."""
    begun = (one for one in sent if one["type"] == "http.response.start")
    start: Message = next(begun, {"status": 500, "headers": []})
    status = start["status"]
    body = b"".join(one.get("body", b"") for one in sent if one["type"] == "http.response.body")
    text: Any = body.decode(errors="replace")
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    if isinstance(told, dict):
        text = told.get("detail") or told.get("message") or told.get("error")
    headers = Headers(raw=start["headers"])
    kept = {name: headers[name] for name in _OF_REFUSALS if name in headers}
    return HTTPException(status, text if isinstance(text, str) and text else None, kept)


def with_routes(app: Any) -> Any:
    """Return the application within its middleware, which knows its routes."""
    while not hasattr(app, "url_path_for") and hasattr(app, "app"):
        app = app.app
    return app
