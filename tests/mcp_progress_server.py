"""An MCP server whose tool reports progress: `python -m tests.mcp_progress_server` for stdio."""

from __future__ import annotations

import asyncio
import time

from mcp.server.mcpserver import Context, MCPServer

from tests.mcp_http_server import HttpServer


def build(name: str) -> MCPServer:
    """Return the server."""
    server: MCPServer = MCPServer(name)

    @server.tool()
    async def long_work(seconds: float, pause: float, context: Context) -> str:
        """Report progress after each pause, until the seconds are over."""
        began = time.monotonic()
        while (spent := time.monotonic() - began) < seconds:
            await context.report_progress(spent, seconds, f"step {spent:.1f}")
            await asyncio.sleep(pause)
        return "done"

    return server


class ProgressServer(HttpServer):
    """The server over HTTP."""

    def build(self) -> MCPServer:
        return build(self.name)


if __name__ == "__main__":
    build("progress").run("stdio")
