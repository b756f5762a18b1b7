"""The tools as MCP servers: in this process for the agent, and over HTTP for other clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agents import AgentBase, RunContextWrapper
from agents.mcp import MCPServer, MCPToolMetaContext
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    GetPromptResult,
    ListPromptsResult,
    ListToolsResult,
    PaginatedRequestParams,
    Tool,
)

from chatkit_server import Turn, User, __version__

from .tasks import TaskList
from .tools import call, tool_types

IDENTITY = "chatkit-server/user"
"""The key of `_meta` with the user of a call by the agent."""

USER = "chatkit_server.user"
"""The key of the ASGI scope with the user of an HTTP request."""

TasksOf = Callable[[str, str], TaskList]
"""Returns the tasks of a tenant and user id."""


class InProcessServer(MCPServer):
    """The tools for the agent, called directly, without HTTP or JSON-RPC.

    The user comes from the turn, in `_meta`. That is safe: only this process can call this server,
    and the model cannot set `_meta`.
    """

    def __init__(self, tasks_of: TasksOf) -> None:
        super().__init__(tool_meta_resolver=_identity)
        self._tasks_of = tasks_of

    @property
    def name(self) -> str:
        """`todo`."""
        return "todo"

    async def connect(self) -> None:
        """Do nothing: there is no connection."""

    async def cleanup(self) -> None:
        """Do nothing: there is no connection."""

    async def list_tools(
        self,
        run_context: RunContextWrapper[Any] | None = None,
        agent: AgentBase | None = None,
    ) -> list[Tool]:
        """Return the tools."""
        return tool_types()

    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        """Call a tool for the user in `meta`."""
        user = (meta or {})[IDENTITY]
        return await call(self._tasks_of(user["tenant"], user["id"]), tool_name, arguments)

    async def list_prompts(self) -> ListPromptsResult:
        """Return no prompts."""
        return ListPromptsResult(prompts=[])

    async def get_prompt(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
    ) -> GetPromptResult:
        """Raise: there are no prompts."""
        raise ValueError(f"there is no prompt {name}")


def _identity(context: MCPToolMetaContext) -> dict[str, Any]:
    turn = context.run_context.context
    assert isinstance(turn, Turn)
    return {IDENTITY: {"tenant": turn.user.tenant, "id": turn.user.id}}


def http_server(tasks_of: TasksOf) -> Server[Any]:
    """Return the tools as an MCP server; the user is in the scope of the HTTP request.

    The `_meta` of a request is ignored: clients can write anything there.
    """

    async def list_tools(
        _: ServerRequestContext[Any], __: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=tool_types())

    async def call_tool(
        context: ServerRequestContext[Any], params: CallToolRequestParams
    ) -> CallToolResult:
        assert context.request is not None
        user = context.request.scope[USER]
        assert isinstance(user, User)
        return await call(tasks_of(user.tenant, user.id), params.name, params.arguments)

    return Server("todo", version=__version__, on_list_tools=list_tools, on_call_tool=call_tool)
