"""A server that records every call of a tool, to count the side effects: MCP, and plain HTTP."""

from __future__ import annotations

import asyncio
from collections import Counter

from mcp.server.mcpserver import MCPServer
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tests.mcp_http_server import HttpServer


class Ledger(HttpServer):
    """Counts the calls of `note`, by the number that the model passes.

    A call is counted at once, and answered after `seconds`. Tools that are not of MCP post to
    `plain_url`.
    """

    def __init__(self) -> None:
        super().__init__("ledger")
        self.notes: Counter[str] = Counter()
        self.plain_url = f"http://127.0.0.1:{self.port}/note"

    def build(self) -> MCPServer:
        """Return the server with its tool."""
        server: MCPServer = MCPServer(self.name)

        @server.tool()
        async def note(number: str, seconds: float = 0.0) -> str:
            """Write a number down."""
            return await self._noted(number, seconds)

        server.custom_route("/note", methods=["POST"])(self._post)
        return server

    async def _post(self, request: Request) -> Response:
        return PlainTextResponse(await self._noted(**await request.json()))

    async def _noted(self, number: str, seconds: float) -> str:
        self.notes[number] += 1
        await asyncio.sleep(seconds)
        return f"{number} is written down"
