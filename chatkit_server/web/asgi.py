"""An ASGI application as the answer to an aiohttp request.

This is a route handler, because aiohttp-cors accepts only aiohttp's own resources. It supports
plain HTTP only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from starlette.types import ASGIApp, Message


async def answer(app: ASGIApp, request: web.Request, extra: dict[str, Any]) -> web.StreamResponse:
    """Call the application with this request, and return its response, streamed as it arrives.

    `extra` is added to the scope. When the client disconnects, the call ends with the handler's
    cancellation or the next write.
    """
    exchange = _Exchange(request)
    await app(asgi_scope(request) | extra, exchange.receive, exchange.send)
    assert exchange.response is not None
    return exchange.response


def asgi_scope(request: web.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": f"{request.version.major}.{request.version.minor}",
        "method": request.method,
        "scheme": request.scheme,
        "path": request.path,
        "raw_path": request.rel_url.raw_path.encode(),
        "root_path": "",
        "query_string": request.rel_url.raw_query_string.encode(),
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
    }


class _Exchange:
    def __init__(self, request: web.Request) -> None:
        self.response: web.StreamResponse | None = None
        self._request = request
        self._start: Message = {}
        self._body_read = False

    async def receive(self) -> Message:
        if self._body_read:
            await asyncio.Event().wait()
        chunk = await self._request.content.readany()
        self._body_read = self._request.content.at_eof()
        return {"type": "http.request", "body": chunk, "more_body": not self._body_read}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if self.response is None:
            self.response = await self._begin(body, more)
        elif body:
            await self.response.write(body)
        if self.response.prepared and not more:
            await self.response.write_eof()

    async def _begin(self, body: bytes, more: bool) -> web.StreamResponse:
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in self._headers
        ]
        if not more:
            return web.Response(status=self._start["status"], headers=headers, body=body)
        response = web.StreamResponse(status=self._start["status"], headers=headers)
        await response.prepare(self._request)
        await response.write(body)
        return response

    @property
    def _headers(self) -> list[tuple[bytes, bytes]]:
        own = (b"content-length", b"connection", b"transfer-encoding")
        return [(name, value) for name, value in self._start["headers"] if name.lower() not in own]


class AsgiApp:
    """An ASGI application as a part of this server."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def handle(self, request: web.Request, **scope: Any) -> web.StreamResponse:
        return await answer(self.app, request, scope)

    async def run(self, app: web.Application) -> AsyncIterator[None]:
        yield

    def serve_rest(self, app: web.Application) -> None:
        app.router.add_route("*", "/{rest:.*}", self.handle)
