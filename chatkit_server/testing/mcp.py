"""An MCP server of plain functions, on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from typing import Any

import uvicorn
from agents.mcp import MCPServerStreamableHttp
from aiohttp import web
from mcp.server.mcpserver import MCPServer

from ..plugin.hookspecs import hookimpl

_FIRST_CALL = 10.0
"""Seconds in which the server has to listen: it only starts a loop."""


def mcp_server(*functions: Callable[..., Any], name: str = "tested") -> McpServer:
    """Return a plugin with a real MCP server that has these functions as its tools.

    Their annotations and docstrings are what the model is told. It listens on a port of its own
    while the server under test runs; `url` is its address, for settings.
    """
    return McpServer(functions, name)


class McpServer:
    """The plugin of `mcp_server`. `calls` counts the calls of each tool."""

    def __init__(self, functions: tuple[Callable[..., Any], ...], name: str) -> None:
        self.name = name
        self._server = MCPServer(name)
        for function in functions:
            self._server.add_tool(function)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/mcp"

    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.cleanup_ctx.append(self._running)

    @hookimpl
    def mcp_servers(self) -> list[MCPServerStreamableHttp]:
        return [MCPServerStreamableHttp({"url": self.url}, name=self.name)]

    async def _running(self, _app: web.Application) -> AsyncIterator[None]:
        config = uvicorn.Config(self._server.streamable_http_app(), log_config=None, ws="none")
        server = _Quiet(config)
        serving = asyncio.create_task(server.serve(sockets=[self._socket]))
        async with asyncio.timeout(_FIRST_CALL):
            await server.listening.wait()
        yield
        server.should_exit = server.force_exit = True
        await serving
        self._socket.close()


class _Quiet(uvicorn.Server):
    """Leaves the signals of the test run alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
