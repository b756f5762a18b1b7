"""The request as the author's code knows it: Starlette's, which is FastAPI's."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http.client import responses
from typing import Any
from uuid import UUID

from aiohttp import web
from starlette.exceptions import HTTPException
from starlette.requests import Request

from chatkit_server import (
    Conflict,
    Forbidden,
    NotFound,
    ServerError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unprocessable,
    User,
    hookimpl,
    http_scope,
)

from .loading import called

_ERRORS: dict[int, type[ServerError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Unprocessable,
    429: TooManyRequests,
    503: Unavailable,
}


def starlette_request(
    request: web.Request | None, user: User | None, app_scope: Mapping[str, Any] | None = None
) -> Request:
    """Return a request without its body, which this server has read; `request.user` is the user.

    Without a request, as in the recovery of a turn whose process has died, it has no headers.
    `app_scope` is what requests know of the author's application.
    """
    scope = _NO_REQUEST if request is None else http_scope(request)
    return Request({**scope, "user": user, **(app_scope or {"state": {}})})


MakeRequest = Callable[[web.Request, None], Awaitable[Request]]
"""Makes the request that the author's code gets."""


def auth_hook(function: Callable[..., Any], make_request: MakeRequest) -> Any:
    """Return an `auth` hook that asks a function of the author's who the user is."""

    @hookimpl
    async def auth(request: web.Request) -> User | None:
        try:
            shown = await make_request(request, None)
            found = called("user", function, request=shown)
            user = await found if inspect.isawaitable(found) else found
        except HTTPException as error:
            raise server_error(error) from error
        return User(id=str(user)) if isinstance(user, str | int | UUID) else user

    return auth


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


def server_error(error: HTTPException) -> ServerError:
    """Return an error of the author's web framework as one of this server."""
    detail: Any = error.detail
    text = detail if isinstance(detail, str) else responses.get(error.status_code, "")
    if error.status_code >= 500:
        return Unavailable(text)
    told = _ERRORS.get(error.status_code, ServerError)(text)
    told.status = error.status_code
    told.headers = {**told.headers, **(error.headers or {})}
    return told
