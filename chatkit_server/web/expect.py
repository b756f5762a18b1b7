"""Clients that send their body only when they are asked for it: `Expect: 100-continue`."""

from __future__ import annotations

from aiohttp import HttpVersion11, hdrs, web

_WAITS = web.RequestKey("waits", bool)


async def expect_later(request: web.Request) -> None:
    """Answer nothing yet: a route with this handler calls `ask_for_body` when it reads."""
    if request.headers[hdrs.EXPECT].lower() != "100-continue":
        raise web.HTTPExpectationFailed(text="Expect: only 100-continue is known.")
    request[_WAITS] = request.version == HttpVersion11


async def ask_for_body(request: web.Request) -> None:
    """Ask for the body if the client waits for that."""
    if request.get(_WAITS):
        request[_WAITS] = False
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # aiohttp takes a response for begun once something was written
        request.writer.output_size = 0
