"""A real MCP server over streamable HTTP, which a test may stop and start again."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Generator

import uvicorn
from mcp.server.mcpserver import MCPServer
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.mcp_tools import build
from tests.ports import free_port


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals of the test run alone."""
        yield


class HttpServer:
    """An MCP server at `url`; on the same port again after `stop` and `start`.

    `legacy` makes it one with sessions, of the protocol before 2026-07-28. `older` makes it one of
    the transport before that, HTTP with SSE, at `sse_url`. `answer` takes the place of the server,
    for the methods of HTTP in `answered`. `token` is what it
    wants as `Authorization`. `slow` sets `entered` and waits for `gate`.
    """

    def __init__(
        self, name: str = "http", *, legacy: bool = False, older: bool = False, token: str = ""
    ) -> None:
        self.name = name
        self.legacy = legacy
        self.older = older
        self.answer: Response | None = None
        self.answered: tuple[str, ...] = ("GET", "POST", "DELETE")
        self.token = token
        self.entered = asyncio.Event()
        self.gate = asyncio.Event()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self.sse_url = f"http://127.0.0.1:{self.port}/sse"
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    def build(self) -> MCPServer:
        """Return the server with its tools."""
        return build(self.name, self._wait)

    async def start(self) -> None:
        """Begin to listen, with no memory of earlier sessions."""
        server = self.build()
        app = self._guarded(server.sse_app() if self.older else server.streamable_http_app())
        config = uvicorn.Config(app, "127.0.0.1", self.port, log_config=None, ws="none")
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve())
        await self._server.listening.wait()

    async def stop(self) -> None:
        """Stop listening, and break off what is under way."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = self._server.force_exit = True
        await self._task
        for connection in self._server.server_state.connections:
            assert connection.transport is not None
            connection.transport.abort()
        await self._server.lifespan.shutdown()
        self._server = self._task = None

    async def _wait(self) -> None:
        self.entered.set()
        await self.gate.wait()

    def _guarded(self, app: ASGIApp) -> ASGIApp:
        async def guard(scope: Scope, receive: Receive, send: Send) -> None:
            headers = dict(scope.get("headers", ()))
            answer: ASGIApp = app
            if scope["type"] == "http":
                if self.token and headers.get(b"authorization", b"").decode() != self.token:
                    answer = PlainTextResponse("who are you?", 401)
                elif self.answer is not None and scope["method"] in self.answered:
                    answer = self.answer
                elif self.legacy and headers.get(b"mcp-protocol-version") == b"2026-07-28":
                    answer = PlainTextResponse("what is that?", 400)
            await answer(scope, receive, send)

        return guard


@contextlib.asynccontextmanager
async def http_server(
    name: str = "http", *, legacy: bool = False, older: bool = False, token: str = ""
) -> AsyncIterator[HttpServer]:
    """Run a server while the block runs."""
    server = HttpServer(name, legacy=legacy, older=older, token=token)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
