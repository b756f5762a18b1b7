"""The two ways to the tools: in this process for the agent, over HTTP for everyone else."""

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

from chatkit_server import Turn, User

from .tasks import TaskList
from .tools import call, described

IDENTITY = "chatkit-server/user"
"""The key of `_meta` under which the agent's calls say whose tasks are meant."""

USER = "chatkit_server.user"
"""The key of the ASGI scope under which the HTTP route says who is asking."""

TasksOf = Callable[[str, str], TaskList]
"""The tasks of a tenant and user id."""


class InProcessServer(MCPServer):
    """The tools for the agent, without HTTP or JSON-RPC in between.

    Whose tasks they are comes from the turn, as `_meta`: only callers in this process reach this
    server, and the model fills in no `_meta`.
    """

    def __init__(self, tasks_of: TasksOf) -> None:
        super().__init__(tool_meta_resolver=_identity)
        self._tasks_of = tasks_of

    @property
    def name(self) -> str:
        """`todo`."""
        return "todo"

    async def connect(self) -> None:
        """Nothing is to be connected."""

    async def cleanup(self) -> None:
        """Nothing is to be closed."""

    async def list_tools(
        self,
        run_context: RunContextWrapper[Any] | None = None,
        agent: AgentBase | None = None,
    ) -> list[Tool]:
        """Return the tools."""
        return described()

    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        """Call a tool for the user in `meta`."""
        user = (meta or {})[IDENTITY]
        return await call(self._tasks_of(user["tenant"], user["id"]), tool_name, arguments)

    async def list_prompts(self) -> ListPromptsResult:
        """There are no prompts."""
        return ListPromptsResult(prompts=[])

    async def get_prompt(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
    ) -> GetPromptResult:
        """There are no prompts."""
        raise ValueError(f"there is no prompt {name}")


def _identity(context: MCPToolMetaContext) -> dict[str, Any]:
    turn = context.run_context.context
    assert isinstance(turn, Turn)
    return {IDENTITY: {"tenant": turn.user.tenant, "id": turn.user.id}}


def http_server(tasks_of: TasksOf) -> Server[Any]:
    """Return the tools as an MCP server; who is asking is in the scope of the HTTP request.

    The `_meta` of a request is not looked at: anyone can write anything there.
    """

    async def list_tools(
        _: ServerRequestContext[Any], __: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=described())

    async def call_tool(
        context: ServerRequestContext[Any], params: CallToolRequestParams
    ) -> CallToolResult:
        assert context.request is not None
        user = context.request.scope[USER]
        assert isinstance(user, User)
        return await call(tasks_of(user.tenant, user.id), params.name, params.arguments)

    return Server("todo", on_list_tools=list_tools, on_call_tool=call_tool)
