"""Errors before a stream begins: a status, `{"message": …}`, and a line in the log."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import hdrs, web

from ..errors import BadRequest, ServerError, TooLarge
from ..ids import new_id
from ..known_errors import Outage, as_server_error, phrase
from ..lines import fixed_words, short, user_name
from ..records import log_error, place_of, repeats
from ..tasks import Escaped, contained
from ..turns.places import RETRY_AFTER
from ..words import words
from .keys import LOGGED, REFUSALS, REQUEST_ID, SETTINGS, USER, translate
from .malformed import BodyTimeout, SmallChunks, log_malformed
from .refusals import RefusalLog

REQUEST_ID_HEADER = "X-Request-Id"

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_REQUEST_ID = re.compile(r"[!-~]{1,100}")


class Refusal(ServerError):
    """An error with any status; `details` are sent in the body beside the message."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        headers: dict[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, headers=headers)
        self.status = status
        self.details = details or {}


def handle_errors(app: web.Application) -> None:
    """Answer and log errors, and give each request an id. Call this before other middlewares."""
    app[REFUSALS] = RefusalLog()
    app.middlewares.append(_errors)
    app.on_response_prepare.append(_name_request)
    app.cleanup_ctx.append(log_malformed)
    app.on_cleanup.append(_close_log)


async def _close_log(app: web.Application) -> None:
    app[REFUSALS].close()


async def _name_request(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.setdefault(REQUEST_ID_HEADER, request_id(request))


def request_id(request: web.Request) -> str:
    """Return the id that the client or a proxy gave the request, or else a new one."""
    if REQUEST_ID not in request:
        given = request.headers.get(REQUEST_ID_HEADER, "")
        request[REQUEST_ID] = given if _REQUEST_ID.fullmatch(given) else new_id("req")
    return request[REQUEST_ID]


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer errors with a status and a message, which ChatKit shows to the user."""
    try:
        with contained():
            return await handler(request)
    except Exception as error:
        if isinstance(error, web.HTTPException) and error.status < 400:
            raise
        # No name here may keep the error: its traceback has this frame, and that of the function
        # that read the body. In a cycle, both would stay until the garbage collector runs
        return _answer(error, request)


def _answer(error: Exception, request: web.Request) -> web.Response:
    """Log an error, and return the response for it."""
    refusal = _as_refusal(error, request)
    if refusal is None:
        log_failure(request, error)
        refusal = ServerError(words("Something went wrong on the server. Try again later."))
    elif isinstance(refusal, Outage):
        # The user is not told what was away
        log_failure(request, error, logging.WARNING)
    else:
        level = logging.WARNING if refusal.status >= 500 else logging.INFO
        log_refusal(request, level, refusal.message, status=refusal.status)
    response = _response(request, refusal)
    if isinstance(error, web.RequestPayloadError):
        response.force_close()
    return response


def log_failure(request: web.Request, error: Exception, level: int = logging.ERROR) -> None:
    """Log an error that nobody expected, as the request's line."""
    request[LOGGED] = True
    cause = error.error if isinstance(error, Escaped) else error
    kind = f"{_route(request)}: {type(cause).__name__} in {place_of(cause)}"
    again = repeats(kind, "request failed", request_id(request))
    log_error(log, level, cause, "%s failed", _described(request), extra=again)


def _as_refusal(error: Exception, request: web.Request) -> ServerError | None:
    """Return the error to answer with, or None if the error is unexpected."""
    match error:
        case web.HTTPRequestEntityTooLarge():
            limit = request.app[SETTINGS].server.max_body
            return TooLarge(words("The request is larger than {limit} bytes.", limit=limit))
        case BodyTimeout():
            seconds = request.app[SETTINGS].server.limits.body
            late = words("The body did not arrive within {seconds:g} seconds.", seconds=seconds)
            return Refusal(408, late)
        case SmallChunks():
            return BadRequest("The body's chunks are too small: most of it is their framing.")
        case web.RequestPayloadError():
            return BadRequest(words("The body does not match its headers, or is incomplete."))
        case web.HTTPException():
            return Refusal(error.status, _message(error, request), headers=_allowed_methods(error))
    return as_server_error(error)


def _message(error: web.HTTPException, request: web.Request) -> str:
    """Return the error's own text, or the method and path if it has none."""
    if error.text and error.text != f"{error.status}: {error.reason}":
        return error.text
    reason = phrase(error.status, error.reason)
    return words("{reason}: {request}", reason=reason, request=f"{request.method} {request.path}")


def _allowed_methods(error: web.HTTPException) -> dict[str, str]:
    return {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}


def _response(request: web.Request, refusal: ServerError) -> web.Response:
    details = refusal.details if isinstance(refusal, Refusal) else {}
    body = {"message": translate(request, refusal.message), **details}
    response = web.json_response(body, status=refusal.status, headers=refusal.headers)
    # It is in the language of who asked
    response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    if refusal.status in (429, 503):
        # A raised error may know better
        response.headers.setdefault(hdrs.RETRY_AFTER, str(RETRY_AFTER))
    return response


def log_refusal(
    request: web.Request, level: int, message: str, *, status: int | None = None
) -> None:
    """Write a request's line, unless it has one.

    `status` is None if the request was answered all the same.
    """
    if LOGGED in request:
        return
    request[LOGGED] = True
    shown = f"{status} {short(message)}" if status else short(message)
    line = f"refused {_described(request)}: {shown}"
    if level >= logging.WARNING:
        # The server's own trouble, which may be that of all requests
        again = repeats(fixed_words(message), f"request refused with {status}", request_id(request))
        log.log(level, "%s", line, extra=again)
        return
    kind = f"{_route(request)}: {status}" if status else f"{_route(request)}:"
    request.app[REFUSALS].write(kind, level, message, line)


def _route(request: web.Request) -> str:
    """Return the method and the route, without what a client can make up."""
    method = request.method if request.method in hdrs.METH_ALL else "unknown method"
    resource = request.match_info.route.resource
    if resource is None:
        path = request.rel_url.path
        resource = next((r for r in request.app.router.resources() if _serves(r, path)), None)
    return f"{method} {resource.canonical if resource else 'unknown path'}"


def _serves(resource: web.AbstractResource, path: str) -> bool:
    """Whether the path is the resource's, perhaps with other methods."""
    info = resource.get_info()
    pattern = info.get("pattern")
    return info.get("path") == path or (pattern is not None and bool(pattern.fullmatch(path)))


def _described(request: web.Request) -> str:
    """Return the request as log lines show it, with its id and its user if known."""
    text = f"{request.method} {short(request.rel_url.raw_path)} (request {request_id(request)}"
    user = request.get(USER)
    if user is not None:
        text += f", user {user_name(user.tenant, user.id)}"
    return text + ")"
