"""A client that speaks HTTP as it likes: slowly, broken, not to the end, or without listening."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import orjson

PATIENCE = 20.0
"""Seconds after which a test gives up."""


@dataclass
class Response:
    """One HTTP response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which is JSON."""
        return orjson.loads(self.body)


class HostileClient:
    """One connection, and what is sent through it byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes | str) -> None:
        """Send these bytes; a connection that is gone is no error."""
        try:
            self.writer.write(data.encode() if isinstance(data, str) else data)
            await self.writer.drain()
        except ConnectionError:
            pass

    async def response(self, *, head_only: bool = False) -> Response:
        """Read one response."""
        async with asyncio.timeout(PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (n.partition(":") for n in lines)}
            if head_only:
                body = b""
            elif "content-length" in headers:
                body = await self.reader.readexactly(int(headers["content-length"]))
            elif headers.get("transfer-encoding") == "chunked":
                body = b"".join([chunk async for chunk in self._chunks()])
            else:
                body = await self.reader.read()
        found = re.match(r"HTTP/1\.[01] (\d{3})", first)
        assert found is not None, first
        return Response(int(found[1]), headers, body)

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self.reader.readline(), 16):
            yield (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readline()

    async def everything(self) -> bytes:
        """Read until the server closes the connection."""
        parts = []
        async with asyncio.timeout(PATIENCE):
            try:
                while part := await self.reader.read(65_536):
                    parts.append(part)
            except ConnectionError:
                pass
        return b"".join(parts)

    async def trickle(self, data: bytes, pause: float = 0.01) -> None:
        """Send one byte after the other until all is sent or the connection is gone."""
        for byte in data:
            if self.reader.at_eof() or self.writer.is_closing():
                return
            await self.send(bytes([byte]))
            await asyncio.sleep(pause)

    def stop_reading(self) -> None:
        """Take nothing of what the server sends."""
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]

    async def close(self) -> None:
        """Close the connection."""
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


@asynccontextmanager
async def connected(
    port: int, host: str = "127.0.0.1", source: str | None = None
) -> AsyncIterator[HostileClient]:
    """Connect to a server, from an address of this machine such as `127.0.0.2`."""
    local = (source, 0) if source else None
    client = HostileClient(*await asyncio.open_connection(host, port, local_addr=local))
    try:
        yield client
    finally:
        await client.close()


def request(method: str, path: str, body: bytes | str = b"", **headers: str) -> bytes:
    """Return a request as it is sent; `_` in the names of headers is `-`, `version` is HTTP's."""
    body = body.encode() if isinstance(body, str) else body
    version = headers.pop("version", "1.1")
    lines = [f"{method} {path} HTTP/{version}", "Host: 127.0.0.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body and "Content_Length" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


async def ask(port: int, data: bytes, source: str | None = None) -> Response:
    """Send a request on a connection of its own, and return the response."""
    async with connected(port, source=source) as client:
        await client.send(data)
        return await client.response(head_only=data.startswith(b"HEAD "))


async def healthy(port: int) -> bool:
    """Whether the server answers `/healthz`."""
    response = await ask(port, request("GET", "/healthz"))
    return response.status == 200 and response.json == {"status": "ok"}
