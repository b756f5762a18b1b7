"""An MCP server over streamable HTTP that restarts, and answers sessions from before as it is told.

It is written by hand: servers that are made with a library all answer in the same few ways.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.ports import free_port

Answer = Callable[[web.Request, Any], Awaitable[web.StreamResponse]]

TOOLS = {
    "write": {},
    "read": {"readOnlyHint": True},
    "set": {"idempotentHint": True},
}


def says(
    status: int, body: str = "", kind: str = "text/plain", headers: dict[str, str] | None = None
) -> Answer:
    """Answer with this."""

    async def answer(request: web.Request, message: Any) -> web.Response:
        return web.Response(status=status, text=body, content_type=kind, headers=headers)

    return answer


def fails(code: int, text: str, status: int = 200) -> Answer:
    """Answer with an error of JSON-RPC."""

    async def answer(request: web.Request, message: Any) -> web.Response:
        error = {"code": code, "message": text}
        return web.json_response(
            {"jsonrpc": "2.0", "id": message.get("id"), "error": error}, status=status
        )

    return answer


async def closes(request: web.Request, message: Any) -> web.Response:
    """Close the connection."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def ends(request: web.Request, message: Any) -> web.StreamResponse:
    """End the stream without the answer, as a proxy does that does not wait any longer."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b": still working\n\n")
    return response


async def breaks_off(request: web.Request, message: Any) -> web.Response:
    """Close the connection in the middle of the answer."""
    assert request.transport is not None
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n"
    request.transport.write(head + b'{"jsonrpc":')
    request.transport.close()
    return web.Response()


def tells(value: Any) -> Answer:
    """Answer with this result."""

    async def answer(request: web.Request, message: Any) -> web.Response:
        return _result(message, value)

    return answer


async def hangs(request: web.Request, message: Any) -> web.Response:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


class RestartingServer:
    """The server at `url`.

    `gone` answers requests of sessions that it does not know, `always` all requests. `runs` counts
    how often each tool ran, `seen` the requests by method. `during` answers a call after its tool
    ran. `streams` is whether sessions have a stream for messages that nobody asked for.
    """

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/mcp"
        self._runner: web.AppRunner | None = None
        self.gone = says(404)
        self.always: Answer | None = None
        self.during: Answer | None = None
        self.streams = False
        self.restarted = asyncio.Event()
        self.runs: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.clients: list[Any] = []
        self.tools: list[str] = list(TOOLS)
        self._sessions: set[str] = set()
        self._made = 0

    async def start(self) -> None:
        """Begin to listen, on the same port as before."""
        app = web.Application()
        app.router.add_route("*", "/mcp", self.handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()

    async def stop(self) -> None:
        """Stop listening, and forget all sessions."""
        self._sessions.clear()
        if self._runner is not None:
            await self._runner.cleanup()

    def restart(self, gone: Answer) -> None:
        """Forget all sessions, and end their streams."""
        self.gone = gone
        self.restarted.set()
        self.restarted = asyncio.Event()
        self._sessions.clear()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        if request.method == "GET" and self.streams:
            return await self._stream(request)
        if request.method != "POST":
            return web.Response(status=405)
        message = await request.json()
        self.seen[message["method"]] += 1
        if self.always is not None:
            return await self.always(request, message)
        if message["method"] == "server/discover":
            return await fails(-32601, "Method not found")(request, message)
        if message["method"] == "initialize":
            return self._initialize(message)
        if request.headers.get("Mcp-Session-Id") not in self._sessions:
            return await self.gone(request, message)
        if "id" not in message:
            return web.Response(status=202)
        if message["method"] == "tools/call":
            self.runs[message["params"]["name"]] += 1
            if self.during is not None:
                return await self.during(request, message)
            return _result(message, {"content": [{"type": "text", "text": "done"}]})
        schema = {"type": "object"}
        listed = [
            {"name": name, "inputSchema": schema, "annotations": TOOLS.get(name, {})}
            for name in self.tools
        ]
        return _result(message, {"tools": listed})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self.seen["stream"] += 1
        await self.restarted.wait()
        return response

    def _initialize(self, message: Any) -> web.Response:
        self._made += 1
        session = f"session-{self._made}"
        self._sessions.add(session)
        self.clients.append(message["params"]["clientInfo"])
        value = {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "restarting", "version": "1.2.3"},
        }
        return _result(message, value, {"Mcp-Session-Id": session})


def _result(message: Any, value: Any, headers: dict[str, str] | None = None) -> web.Response:
    body = {"jsonrpc": "2.0", "id": message["id"], "result": value}
    return web.json_response(body, headers=headers)


@asynccontextmanager
async def restarting_server() -> AsyncIterator[RestartingServer]:
    """Run a server while the block runs."""
    server = RestartingServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
