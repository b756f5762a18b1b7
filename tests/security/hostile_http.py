"""What servers send that is not valid HTTP, or too large for it.

async with BadHttp(BAD["endless headers"]) as server:
    ...  # ask it at `server.url`
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tests.security.hostile_interim import HostileBeginning

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@dataclass(frozen=True)
class Bytes:
    """What is sent: once, then when the client has read that, and then for ever."""

    first: bytes
    later: bytes = b""
    again: bytes = b""


BAD = {
    "endless headers": Bytes(_HEAD, again=b"X-A: b\r\n" * 100),
    "endless header": Bytes(_HEAD + b"X-A: ", again=b"x" * 1000),
    "a long header": Bytes(_HEAD + b"X-A: " + b"x" * 200_000 + b"\r\n\r\n"),
    "a long reason": Bytes(b"HTTP/1.1 200 " + b"x" * 200_000 + b"\r\n\r\n"),
    "a header without a colon": Bytes(_HEAD + b"no colon\r\n\r\n"),
    "a header with NUL": Bytes(_HEAD + b"X-A: \x00\r\n\r\n"),
    "a bad length": Bytes(_HEAD + b"Content-Length: many\r\n\r\n"),
    "two lengths": Bytes(_HEAD + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\n"),
    "a bad status": Bytes(b"HTTP/1.1 abc OK\r\n\r\n"),
    "a bad version": Bytes(b"HTTP/7.x 200 OK\r\n\r\n"),
    "another protocol": Bytes(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
    "TLS": Bytes(b"\x15\x03\x03\x00\x02\x02\x46"),
    "HTTP/2": Bytes(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\r\n\r\n"),
    "JSON without a head": Bytes(b'{"error": "no"}\n\n'),
    "a bad chunk": Bytes(_CHUNKED + b"zz\r\nhello\r\n"),
    "a bad chunk of JSON": Bytes(_JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"),
    "a bad chunk after a good one": Bytes(_CHUNKED + b"2\r\n\n\n\r\n", b"zz\r\nhello\r\n"),
    "an endless size of a chunk": Bytes(_CHUNKED, again=b"1" * 1000),
    "endless trailers": Bytes(_CHUNKED + b"0\r\n", again=b"X-A: b\r\n" * 100),
}
"""Sent over a connection that stays open."""

CUT = {
    "nothing": Bytes(b""),
    "half a head": Bytes(_HEAD),
    "half a body": Bytes(_HEAD + b"Content-Length: 1000\r\n\r\ndata:"),
    "half a chunk": Bytes(_CHUNKED + b"5\r\nda"),
    "half a chunk, later": Bytes(_CHUNKED + b"2\r\n\n\n\r\n", b"5\r\nda"),
}
"""Sent by a server that closes the connection too early."""


class BadHttp(HostileBeginning):
    """The server; with `closes`, it closes a connection after what it has sent."""

    def __init__(self, sent: Bytes, *, closes: bool = False) -> None:
        super().__init__(sent.again, sent.first)
        self._later = sent.later
        self._closes = closes

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        if self.again:
            await super()._answer(writer)
        async for part in self._parts():
            writer.write(part)
            await writer.drain()
        if not self._closes:
            await asyncio.Event().wait()
        writer.close()

    async def _parts(self) -> AsyncIterator[bytes]:
        yield self.first
        if self._later:
            # Another packet: the client has begun to read the body
            await asyncio.sleep(0.2)
            yield self._later
