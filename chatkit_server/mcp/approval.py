"""Which tools of an MCP server need the user's approval."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from typing import Any, cast

from agents import AgentBase, FunctionTool
from agents.mcp import MCPServer
from mcp.types import Tool

from ..settings.schema import ApprovalSettings, is_named

Needs = bool | Callable[[Any, dict[str, Any], str], Awaitable[bool]]
"""What the Agents SDK takes as `needs_approval`."""

_ANY: AgentBase[Any] = AgentBase(name="any")


class AskedPerAgent:
    """The `require_approval` function of a server, which has to know the agent.

    Tools are made once for all agents. Without an agent, an approval is needed.
    """

    def __init__(self, server: MCPServer, tool: Tool) -> None:
        self._server = server
        self._tool = tool

    async def __call__(self, context: Any, arguments: dict[str, Any], call_id: str) -> bool:
        return True

    def of(self, agent: AgentBase[Any]) -> Needs:
        """Return what holds for the tool in this agent."""
        return cast(Needs, self._server._get_needs_approval_for_tool(self._tool, agent))


def needs_approval(server: MCPServer, tool: Tool, name: str, settings: ApprovalSettings) -> Needs:
    """Return whether a tool needs an approval; `name` is the model's name for it.

    A name in the settings counts most, then what the server's plugin says, then annotations.
    """
    names = (name, tool.name)
    if settings.asks_for(*names):
        return True
    wanted = getattr(server, "require_approval", None)
    if wanted == "never":
        return False
    if wanted == "always" or (not isinstance(wanted, str) and is_named(names, wanted or ())):
        return True
    own = server._get_needs_approval_for_tool(tool, _ANY)
    if callable(own):
        return AskedPerAgent(server, tool)
    return bool(own) or (settings.destructive and is_destructive(tool))


def is_destructive(tool: Tool) -> bool:
    """Whether a tool may destroy something: by MCP, one that does not say otherwise may."""
    hints = tool.annotations
    if hints is None:
        return True
    return not hints.read_only_hint and hints.destructive_hint is not False


def for_agent(tool: FunctionTool, agent: AgentBase[Any]) -> FunctionTool:
    """Return a tool as this agent has it."""
    if not isinstance(tool.needs_approval, AskedPerAgent):
        return tool
    copied = copy.copy(tool)
    copied.needs_approval = tool.needs_approval.of(agent)
    return copied
