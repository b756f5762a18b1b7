"""An MCP server that writes down every call: what tools did in the world, outside of the server."""

from __future__ import annotations

import asyncio
from collections import Counter

from mcp.server.mcpserver import MCPServer

from tests.mcp_http_server import HttpServer


class Ledger(HttpServer):
    """Counts the calls of `note`, by the number that the model gave to the call.

    A call has its effect at once, and is answered after the seconds that it was told.
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
