"""What other libraries' errors mean: ChatKit's, a store's, a web framework's.

Whoever answers a request or ends a turn asks `as_server_error`, so that an error means the same
before and within a stream, whoever raised it.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.client import responses
from typing import Any

from chatkit.errors import BaseStreamError, ErrorCode, StreamError
from chatkit.store import NotFoundError

from .errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    ServerError,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unprocessable,
    causes,
)
from .records import is_away
from .text import valid_values
from .words import words

AWAY = words("A service that this request needs does not respond. Try again in a minute.")

PHRASES = {
    400: words("Bad Request"),
    401: words("Unauthorized"),
    403: words("Forbidden"),
    404: words("Not Found"),
    405: words("Method Not Allowed"),
    408: words("Request Timeout"),
    409: words("Conflict"),
    410: words("Gone"),
    413: words("Request Entity Too Large"),
    415: words("Unsupported Media Type"),
    422: words("Unprocessable Entity"),
    429: words("Too Many Requests"),
}
"""What HTTP calls the refusals that users may meet."""

_CLASSES: tuple[type[ServerError], ...] = (
    BadRequest,
    Forbidden,
    NotFound,
    Conflict,
    TooLarge,
    Unprocessable,
    TooManyRequests,
)
_BY_STATUS: Mapping[int, type[ServerError]] = {kind.status: kind for kind in _CLASSES}

_STATUS_FIELDS = ("status_code", "status")
_TEXT_FIELDS = ("detail", "description", "text", "message")
_OF_A_CLIENT = ("response", "request", "request_info", "body", "meta")
"""What the errors of HTTP clients have: their status and words are another server's, about a
request that the user has not made."""


class StreamFailed(ServerError):
    """An error of ChatKit's SDK: a code that pages may translate, or words of its own.

    Without words, general ones are told, but not in the `error` event: the page has its own for the
    code. The status is a 4xx even if a retry may help: after a 5xx, ChatKit itself would repeat the
    request, and the SDK leaves that to the user.
    """

    status = 422

    def __init__(
        self, code: str, told: str | None, *, allow_retry: bool, status: int | None = None
    ) -> None:
        super().__init__(told or UNTOLD[allow_retry], allow_retry=allow_retry)
        self.code = valid_values(code)
        if status is not None:
            self.status = status


UNTOLD = {
    True: words("The answer could not be completed. Try again."),
    False: words("The answer could not be completed."),
}
"""What is told of an error without words, by whether a retry may help."""


class Outage(Unavailable):
    """Something that another library needs is away, full or slow."""


def as_server_error(error: BaseException) -> ServerError | None:
    """Return an error as this server's, None if nobody foresaw it.

    The words of an outage are this module's: a driver's may name addresses, and quote content.
    """
    told = told_error(error)
    if told is not None:
        return told
    if isinstance(error, NotFoundError):
        return NotFound(words("Not found."))
    if is_away(error):
        return Outage(AWAY)
    if isinstance(error, PermissionError) and error.errno is None:
        # With a number, it is about a file of the server
        return Forbidden(words("You may not do this."))
    if isinstance(error, NotImplementedError):
        return Unprocessable(words("This server does not support that."))
    return Outage(AWAY) if any(map(is_away, causes(error))) else None


def told_error(error: BaseException) -> ServerError | None:
    """Return an error whose author says what the user is told, None for others.

    Such are this server's own, ChatKit's, and those with a status of HTTP and a text.
    """
    if isinstance(error, ServerError):
        return error
    if isinstance(error, BaseStreamError):
        return _stream_error(error)
    return _http_error(error)


def _stream_error(error: BaseStreamError) -> StreamFailed:
    told = getattr(error, "message", None)
    told = told if isinstance(told, str) and told.strip() else None
    code: Any = "custom" if told else getattr(error, "code", None)
    if isinstance(error, StreamError):
        # New codes can be added, and need not be in ChatKit's list
        told, code = None, error.code
    if isinstance(code, ErrorCode):
        code = code.value
    if not isinstance(code, str) or (code == "custom" and told is None):
        code = ErrorCode.STREAM_ERROR.value
    allow_retry = bool(getattr(error, "allow_retry", False))
    return StreamFailed(code, told, allow_retry=allow_retry, status=_status(error))


def _http_error(error: BaseException) -> ServerError | None:
    """Return an error that has a status of HTTP, from 400 to 499, and a text.

    The classes of FastAPI, Starlette, aiohttp, Werkzeug and the like are known by what they have:
    importing each framework would make it a dependency.
    """
    named = any(kind.__name__ == "HTTPException" for kind in type(error).__mro__)
    status = _status(error, *(("code",) if named else ()))
    if status is None or (not named and _is_of_a_client(error)):
        return None
    text = _text(error, status)
    if text is None and not named:
        return None
    text = phrase(status, text)
    headers = _headers(error)
    if status == 401:
        return Unauthorized(text, challenge=headers.get("WWW-Authenticate", "Bearer"))
    known = _BY_STATUS.get(status, ServerError)(text, headers=headers)
    known.status = status
    return known


def phrase(status: int, text: str | None) -> str:
    """Return the text of an error; if it says no more than its status, what HTTP calls that."""
    general = responses.get(status)
    if text is not None and text != general:
        return text
    return PHRASES.get(status) or general or words("The request was refused.")


def _is_of_a_client(error: BaseException) -> bool:
    """Whether an error is about an answer of another server."""
    has_answer = any(_field(error, name) is not None for name in _OF_A_CLIENT)
    return has_answer or isinstance(error, OSError) or is_away(error)


def _status(error: BaseException, *more: str) -> int | None:
    """Return the status of HTTP that an error has, if that says that the request is refused."""
    for name in (*_STATUS_FIELDS, *more):
        found = _field(error, name)
        if isinstance(found, int) and not isinstance(found, bool):
            return int(found) if 400 <= found <= 499 else None
    return None


def _field(error: BaseException, name: str) -> Any:
    try:
        return getattr(error, name, None)
    except Exception:
        # A property of an exception that was half made
        return None


def _text(error: BaseException, status: int) -> str | None:
    for name in _TEXT_FIELDS:
        found = _field(error, name)
        if isinstance(found, Mapping):
            found = found.get("message")
        if isinstance(found, str) and found.strip():
            return None if found.startswith(f"{status}: ") else str(found)
    first = error.args[0] if error.args else None
    return first if isinstance(first, str) and first.strip() else None


def _headers(error: BaseException) -> dict[str, str]:
    given = _field(error, "headers")
    if not isinstance(given, Mapping):
        return {}
    names = ("Retry-After", "WWW-Authenticate")
    return {name: str(given[name]) for name in names if name in given}
