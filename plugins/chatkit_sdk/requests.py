"""The request as the author's code knows it: Starlette's, which is FastAPI's."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from aiohttp import web
from starlette.exceptions import HTTPException
from starlette.requests import Request

from chatkit_server import (
    SETTINGS,
    BadRequest,
    Forbidden,
    ServerError,
    Unavailable,
    User,
    hookimpl,
    http_scope,
)

from .loading import called

FOR_THE_APP = web.RequestKey("for_the_app", bool)
"""Set on requests that the author's application answers, which has rules of its own for pages."""

NO_APP: Mapping[str, Any] = {"state": {}}
"""What requests know without an application."""

_LONGEST_ORIGIN = 100


def starlette_request(
    request: web.Request | None, user: User | None, app_scope: Mapping[str, Any]
) -> Request:
    """Return a request without its body, which this server has read; `request.user` is the user.

    Without a request, as in the recovery of a turn whose process has died, it has no headers.
    `app_scope` is what requests know of the author's application.
    """
    scope = _NO_REQUEST if request is None else http_scope(request)
    return Request({**scope, "user": user, **app_scope})


MakeRequest = Callable[[web.Request, None], Awaitable[Request]]
"""Makes the request that the author's code gets."""


def auth_hook(function: Callable[..., Any], make_request: MakeRequest) -> Any:
    """Return an `auth` hook that asks a function of the author's who the user is."""

    @hookimpl
    async def auth(request: web.Request) -> User | None:
        if FOR_THE_APP not in request:
            _refuse_other_pages(request)
        with http_errors():
            shown = await make_request(request, None)
            found = called("user", function, request=shown)
            user = await found if inspect.isawaitable(found) else found
        # Databases have numbers as ids
        known = isinstance(user, str | int | UUID) and not isinstance(user, bool)
        return User(id=str(user)) if known else user

    return auth


def _refuse_other_pages(request: web.Request) -> None:
    """Raise `Forbidden` for a page of another site: its browser sends the cookies of the user.

    The server's own pages and those of `server.cors_origins` are allowed. Programs send no
    `Origin`.
    """
    origin = request.headers.get("Origin")
    # No page can forge it. A proxy may have changed `Host`
    from_own_page = request.headers.get("Sec-Fetch-Site") == "same-origin"
    if origin is None or from_own_page or origin.partition("://")[2] == request.host:
        return
    if not {origin, "*"} & set(request.app[SETTINGS].server.cors_origins):
        raise Forbidden(
            f"Pages of {origin[:_LONGEST_ORIGIN]} may not use this server. To allow them, add the "
            "origin to `server.cors_origins`."
        )


_NO_REQUEST: MutableMapping[str, Any] = {
    "type": "http",
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "root_path": "",
    "query_string": b"",
    "headers": [],
    "client": None,
    "server": None,
}


@contextmanager
def http_errors() -> Iterator[None]:
    """Raise errors of the author's web framework as this server's; it knows those with a 4xx."""
    try:
        yield
    except HTTPException as error:
        if 400 <= error.status_code < 500:
            raise
        kind: type[ServerError] = Unavailable if error.status_code >= 500 else BadRequest
        raise kind(str(error.detail)) from error
