"""The tools that the MCP servers of the tests offer, over stdio and over HTTP alike."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import ToolAnnotations


def build(name: str, gate: Callable[[], Awaitable[None]]) -> MCPServer:
    """Return a server with the tools; calls of `slow` wait for `gate`."""
    server: MCPServer = MCPServer(name)

    @server.tool()
    def echo(text: str) -> str:
        """Say the text again."""
        return text

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @server.tool()
    def fail() -> str:
        """Always fail."""
        raise ValueError("the printer is on fire")

    @server.tool()
    def much(bytes: int) -> str:
        """Return that much text."""
        return "x" * bytes

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def process() -> int:
        """Return the id of the server's process."""
        return os.getpid()

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def environment(name: str) -> str:
        """Return a variable of the server's environment."""
        return os.environ.get(name, "")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def meta(context: Context) -> dict[str, Any]:
        """Return the `_meta` that came with the call."""
        return dict(context.request_context.meta or {})

    @server.tool()
    async def slow() -> str:
        """Wait for the gate."""
        await gate()
        return "done"

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    async def slow_read() -> str:
        """Wait for the gate, changing nothing."""
        await gate()
        return "done"

    @server.tool()
    async def grow(name: str, context: Context) -> str:
        """Offer one more tool from now on."""
        server.add_tool(lambda: name, name=name, description="A tool that came later.")
        await context.session.send_tool_list_changed()
        return f"{name} is there"

    return server
