"""An MCP server of plain functions, on loopback."""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import uvicorn
from agents.mcp import MCPServerStreamableHttp
from aiohttp import web
from mcp.server.mcpserver import MCPServer

from ..plugin.hookspecs import hookimpl
from .ports import ReservedPort

_FIRST_CALL = 10.0
"""Seconds in which the server has to listen: it only starts a loop."""


def mcp_server(*functions: Callable[..., Any], name: str = "tested") -> McpServer:
    """Return a plugin with a real MCP server that has these functions as its tools.

    Their annotations and docstrings are what the model is told. It listens on a port of its own
    while the server under test runs; `url` is its address, for settings.
    """
    return McpServer(functions, name)


class McpServer:
    """The plugin of `mcp_server`. `calls` has the names of the tools that ran, in order."""

    def __init__(self, functions: tuple[Callable[..., Any], ...], name: str) -> None:
        self.name = name
        self.calls: list[str] = []
        self._server = MCPServer(name)
        for function in functions:
            if not callable(function):
                raise TypeError(f"a tool is a function, not {function!r}")
            self._server.add_tool(self._counted(function))
        self._port = ReservedPort()

    @property
    def url(self) -> str:
        """Where MCP clients reach it."""
        return f"http://127.0.0.1:{self._port.number}/mcp"

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def ran(*args: Any, **kwargs: Any) -> Any:
                self.calls.append(function.__name__)
                return await function(*args, **kwargs)

        else:

            @wraps(function)
            def ran(*args: Any, **kwargs: Any) -> Any:
                self.calls.append(function.__name__)
                return function(*args, **kwargs)

        return ran

    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.cleanup_ctx.append(self._running)

    @hookimpl
    def mcp_servers(self) -> list[MCPServerStreamableHttp]:
        return [MCPServerStreamableHttp({"url": self.url}, name=self.name)]

    async def _running(self, _app: web.Application) -> AsyncIterator[None]:
        config = uvicorn.Config(
            self._server.streamable_http_app(),
            log_config=None,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        server = _Quiet(config)
        serving = asyncio.create_task(server.serve(sockets=[self._port.listen()]))
        async with asyncio.timeout(_FIRST_CALL):
            await server.listening.wait()
        yield
        server.should_exit = True
        await serving


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
