"""Answers of servers that are not valid HTTP, whichever HTTP client of this process reads them."""

from __future__ import annotations

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from .errors import causes

NOT_HTTP = "sent an answer that is not valid HTTP, or has too large headers"
CHECK = "check its address, and what runs there: a proxy, or a server of another protocol"

MOST = 100
"""Provisional responses (status 1xx) before an answer."""

SIZE = 64_000
"""Bytes of all of them."""

NO_ANSWER = (
    f"sent more than {MOST} provisional responses (status 1xx), or more than {SIZE} bytes of them, "
    "before an answer"
)

# h11 and httpcore have one class for what is no HTTP and for connections that end too early
_ENDED = ("Server disconnected", "peer closed connection", "peer unexpectedly closed", "<")


class NotHttp(aiohttp.ClientConnectionError):
    """A server sent what is not valid HTTP; only aiohttp's connections raise this."""


class NoAnswer(aiohttp.ClientConnectionError, ConnectionError):
    """A server sends provisional responses (status 1xx) and no answer."""

    def __init__(self) -> None:
        super().__init__("no answer")


def http_problem(error: BaseException) -> str | None:
    """Return what a server did, if `error` or what it was raised from is of this kind.

    The words contain nothing that the server sent.
    """
    for link in causes(error):
        if isinstance(link, NoAnswer):
            return NO_ANSWER
        if isinstance(link, NotHttp) or _is_of_aiohttp(link) or _is_of_h11(link):
            return NOT_HTTP
    return None


def server_of(error: BaseException) -> str | None:
    """Return the scheme, host and port of the server that a failed request was for, if known."""
    for link in causes(error):
        try:
            return origin(link.request.url)  # type: ignore[attr-defined]
        except (AttributeError, RuntimeError, ValueError):
            # httpx raises the second for an error without a request
            continue
    return None


def origin(url: object) -> str:
    """Return the scheme, host and port of a URL; the rest of it may be secret."""
    return str(URL(str(url)).origin())


def _is_of_aiohttp(error: BaseException) -> bool:
    """Whether an error of aiohttp, on a connection that `interim` does not guard, is of a head."""
    return isinstance(error, aiohttp.ClientResponseError) and isinstance(
        error.__cause__, HttpProcessingError
    )


def _is_of_h11(error: BaseException) -> bool:
    """Whether an error of httpx or httpx2 is about what was sent, and not about the connection."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return "RemoteProtocolError" in names and not str(error).startswith(_ENDED)
