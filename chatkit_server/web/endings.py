"""What aiohttp would say wrongly of a response: how it ends, and what its type is."""

from __future__ import annotations

from aiohttp import HttpVersion11, hdrs, web

UNTYPED = web.RequestKey("untyped", web.StreamResponse)
"""The response to a request, if it has no type: aiohttp would name `application/octet-stream`."""


def end_all_responses(app: web.Application) -> None:
    """Let every client see the end of a response, also of a stream that a plugin's route sends."""
    app.on_response_prepare.append(_end)


async def _end(request: web.Request, response: web.StreamResponse) -> None:
    if request.get(UNTYPED) is response:
        response.headers.popall(hdrs.CONTENT_TYPE, None)
    chunks = request.version >= HttpVersion11
    if not chunks and response.content_length is None:
        # aiohttp would keep the connection if the client asks for that
        response.force_close()
    said = response.headers.get(hdrs.CONNECTION, "").lower()
    if said == "keep-alive" and (chunks or not response.keep_alive):
        # aiohttp-sse always says so, aiohttp only where it is true and has to be said
        del response.headers[hdrs.CONNECTION]
        if chunks and not response.keep_alive:
            response.headers[hdrs.CONNECTION] = "close"
