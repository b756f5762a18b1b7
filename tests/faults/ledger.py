"""An MCP server that records every call, to count the side effects of tools."""

from __future__ import annotations

import asyncio
from collections import Counter

from mcp.server.mcpserver import MCPServer

from tests.mcp_http_server import HttpServer


class Ledger(HttpServer):
    """Counts the calls of `note`, by the number that the model passes.

    A call is counted at once, and answered after `seconds`.
    """

    def __init__(self) -> None:
        super().__init__("ledger")
        self.notes: Counter[str] = Counter()

    def build(self) -> MCPServer:
        """Return the server with its tool."""
        server: MCPServer = MCPServer(self.name)

        @server.tool()
        async def note(number: str, seconds: float = 0.0) -> str:
            """Write a number down."""
            self.notes[number] += 1
            await asyncio.sleep(seconds)
            return f"{number} is written down"

        return server
