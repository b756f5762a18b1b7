"""The connections beyond the limit: each is told so, for a short while, and a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson

from ..languages import Languages, accepted
from .head import END_OF_HEAD, MAX_HEAD, languages_in

MAX_OVERFLOW = 64
"""The most connections beyond the limit that are open at once, each to be told so."""

FLOOD = 0.1
"""If an address is refused `MAX_OVERFLOW` connections within so many seconds, more are closed at
once."""

LINGER = 10.0
"""Seconds in which a client can read its answer before the connection is aborted."""

_HEALTH = (b"GET /healthz ", b"HEAD /healthz ")


class Overflow:
    """The refused connections that are still open, at most `most`; new ones replace the oldest.

    Their clients may send `max_body` bytes after the answer, which nobody reads.
    """

    def __init__(self, most: int, max_body: int, languages: Languages) -> None:
        self._most = most
        self._max_body = max_body
        self._languages = languages
        self._loop = asyncio.get_running_loop()
        self._refused: dict[_Refused, None] = {}

    @property
    def flooded(self) -> bool:
        """Whether more connections come than can be told why they are refused."""
        if len(self._refused) < self._most:
            return False
        return self._loop.time() - next(iter(self._refused)).since < FLOOD

    def refuse(self, transport: asyncio.Transport, status: int, why: str) -> None:
        """Answer the first request of a connection with this status, and close it."""
        if len(self._refused) >= self._most:
            oldest = next(iter(self._refused))
            oldest.abort()
            del self._refused[oldest]
        refused = _Refused(transport, status, self._told(why), self._max_body, self._lost)
        self._refused[refused] = None
        transport.set_protocol(refused)

    def check(self, now: float) -> None:
        """Close the connections that their clients do not close."""
        for refused in list(self._refused):
            if now - refused.since > LINGER:
                refused.abort()

    def close(self) -> None:
        """Close all of them at once."""
        for refused in list(self._refused):
            refused.abort()

    def _told(self, why: str) -> Callable[[bytes], str]:
        return lambda head: self._languages.say(why, accepted(languages_in(head)))

    def _lost(self, refused: _Refused) -> None:
        self._refused.pop(refused, None)


class _Refused(asyncio.Protocol):
    """A connection too many: it is told so. `/healthz` is answered all the same."""

    def __init__(
        self,
        transport: asyncio.Transport,
        status: int,
        why: Callable[[bytes], str],
        max_body: int,
        on_lost: Callable[[_Refused], None],
    ) -> None:
        self.since = asyncio.get_running_loop().time()
        self._transport = transport
        self._status = status
        self._why = why
        self._head = b""
        self._answered = False
        self._discards = max_body
        self._on_lost = on_lost

    def data_received(self, data: bytes) -> None:
        if self._answered:
            self._discards -= len(data)
            if self._discards < 0:
                self.abort()
            return
        self._head += data
        if END_OF_HEAD in self._head or len(self._head) > MAX_HEAD:
            self._answer()

    def _answer(self) -> None:
        healthy = self._head.startswith(_HEALTH)
        status, body = 200, {"status": "ok"}
        if not healthy:
            status, body = self._status, {"message": self._why(self._head)}
        self._answered = True
        head_only = self._head.startswith(b"HEAD ")
        self._transport.write(last_response(status, body, head_only=head_only))
        # The client closes the connection when it has read this
        self._transport.write_eof()
        self._head = b""

    def connection_lost(self, exc: BaseException | None) -> None:
        self._on_lost(self)

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport.abort()


def last_response(
    status: int,
    body: dict[str, Any],
    *,
    head_only: bool = False,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return a whole response that ends its connection."""
    content = orjson.dumps(body)
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Content-Type: application/json; charset=utf-8",
        f"Content-Length: {len(content)}",
        "Connection: close",
        *(["Retry-After: 10"] if status in (429, 503) else []),
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if head_only else content)
