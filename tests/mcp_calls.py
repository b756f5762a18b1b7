"""What tests of MCP servers do with them: wait for them, and call their tools."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from agents import FunctionTool
from agents.tool_context import ToolContext

from chatkit_server.mcp.manager import McpManager


async def invoke(tool: FunctionTool, context: Any = None, **arguments: Any) -> Any:
    """Call a tool as the Agents SDK does, and return its text; `context` is the turn."""
    text = json.dumps(arguments)
    called = ToolContext(
        context=context, tool_name=tool.name, tool_call_id="call_1", tool_arguments=text
    )
    output = await tool.on_invoke_tool(called, text)
    return output["text"] if isinstance(output, dict) else output


async def tools_of(servers: McpManager) -> dict[str, FunctionTool]:
    """Return the tools of a turn, by name."""
    return {tool.name: tool for tool in await servers.tools(servers.servers)}


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that another task or process brings about."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def connected(servers: McpManager) -> bool:
    """Return whether all servers are connected."""
    return all(state["connected"] for state in servers.status().values())
