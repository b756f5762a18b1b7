"""What a server's HTTP responses were, for whoever waits for them.

The client libraries turn most of them into an error without status or reason. `watching` begins a
record for one call, or for one attempt to connect; requests note their responses in the record of
the task that they are sent for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus

SESSION_ID = "mcp-session-id"

_KIND = 60
_MESSAGES = ("application/json", "text/event-stream")
_PAGES = ("text/html", "application/xhtml+xml")
_OLDER = (
    "if this server speaks the older HTTP+SSE transport, set `transport: sse`, and `url` to the "
    "address of its event stream, often `/sse`"
)
_NEWER = "if this server speaks streamable HTTP, remove `transport: sse`"

_CAUSES = {
    400: "the server does not understand the request; {other}",
    401: "the server does not accept who is asking; check the token in `headers`",
    403: "the server does not allow this; check the token in `headers`, and which hosts the server "
    "allows",
    404: "there is nothing at this path; check `url` (many servers are at `/mcp`), or {other}",
    405: "this address does not take such requests; {other}, or else check `url`",
    406: "the server does not have what is asked for; {other}",
    407: "a proxy wants to know who is asking; check the proxy's settings",
    429: "the server is asked too often; try again later",
}
_CAUSES[501] = _CAUSES[405]
_ANONYMOUS = "the server wants to know who is asking; set `Authorization` in `headers`"
_FAILED = "the server failed, or a proxy did not reach it; check whether it runs"


@dataclass
class Exchange:
    """What became of a request: whether it was `sent`, and what is wrong with the HTTP response.

    `problem` names the status and the likely cause. `says_why` is set if the body has an error as
    MCP has it. `refused` says that the server did nothing, and `session_is_gone` that this is
    because it does not know the session any more.
    """

    sent: bool = False
    problem: str | None = None
    status: int | None = None
    says_why: bool = False
    refused: bool = False
    session_is_gone: bool = False

    @property
    def failed(self) -> bool:
        """Whether the response is not one of a server that does its work."""
        if self.problem is None or self.status == HTTPStatus.TOO_MANY_REQUESTS:
            return False
        return not self.says_why or (self.status or 0) >= 500


_CURRENT: ContextVar[Exchange | None] = ContextVar("mcp_exchange", default=None)


@contextmanager
def watching() -> Iterator[Exchange]:
    """Record the responses to what the block sends."""
    exchange = Exchange()
    token = _CURRENT.set(exchange)
    try:
        yield exchange
    finally:
        _CURRENT.reset(token)


def current() -> Exchange | None:
    """Return the record of this task, if there is one."""
    return _CURRENT.get()


def response_problem(
    status: int, kind: str, *, older: bool = False, page: str = "", anonymous: bool = False
) -> str | None:
    """Return what is wrong with a response, None if nothing is.

    `kind` is its content type. `older` is whether it is that of the older transport, `page` the
    title of the web page that it is, in words. `anonymous` is whether no token was sent.
    """
    named = _named(status)
    if status >= 400:
        cause = _CAUSES.get(status, _FAILED if status >= 500 else None)
        if status == 401 and anonymous:
            cause = _ANONYMOUS
        named += f", a web page{page}" if page else ""
        if cause is None:
            return f"answered with {named}"
        return f"answered with {named}: {cause.format(other=_NEWER if older else _OLDER)}"
    if status == HTTPStatus.ACCEPTED and not older:
        return None
    if status != HTTPStatus.OK:
        return f"answered with {named} in place of a message; check `url`"
    if kind in _PAGES:
        return (
            f"answered with a web page{page} ({named}, {kind}); check the path of `url`, and "
            "whether a login page is in front of the server"
        )
    if kind not in _MESSAGES or (older and kind != "text/event-stream"):
        wanted = "an event stream" if older else "JSON or an event stream"
        other = f", or {_NEWER}" if older else ""
        kind = kind[:_KIND] or "no content type"
        return f"answered with {kind} ({named}) in place of {wanted}; check `url`{other}"
    return None


def _named(status: int) -> str:
    try:
        return f"HTTP {status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return f"HTTP {status}"
