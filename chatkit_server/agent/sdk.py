"""What the Agents SDK has no documented way for; `tests/library_names.py` lists every name used."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Sequence
from types import CellType, FunctionType
from typing import Any

from agents import (
    Agent,
    FunctionTool,
    RunContextWrapper,
    Tool,
    UserError,
    default_tool_error_function,
)
from agents.agent_tool_state import get_agent_tool_state_scope, peek_agent_tool_run_result
from agents.tool import (
    ToolErrorFunction,
    get_function_tool_origin,
    resolve_function_tool_failure_error_function,
    set_function_tool_failure_error_function,
)
from agents.tool_context import ToolContext

Invoke = Callable[[ToolContext[Any], str], Awaitable[Any]]
"""Runs a tool: its context and its arguments as JSON."""


def mcp_server_name(tool: FunctionTool) -> str | None:
    """Return the name of the MCP server that a tool belongs to, None for other tools."""
    origin = get_function_tool_origin(tool)
    return origin.mcp_server_name if origin else None


def failure_function(tool: FunctionTool) -> ToolErrorFunction | None:
    """Return the `failure_error_function` that a tool's author wrote, if there is one."""
    function = resolve_function_tool_failure_error_function(tool)
    return None if function is default_tool_error_function else function


def propagates_errors(tool: FunctionTool) -> bool:
    """Whether a tool's author asked for its errors to end the run."""
    return resolve_function_tool_failure_error_function(tool) is None


def raising(tool: FunctionTool) -> Invoke:
    """Return what runs a tool, without the part that turns its errors into text."""
    copied = copy.copy(tool)
    set_function_tool_failure_error_function(copied, None)
    return copied.on_invoke_tool


def agent_of(tool: FunctionTool) -> Agent[Any] | None:
    """Return the agent that a tool runs, None if it was not made by `Agent.as_tool`."""
    agent: Agent[Any] | None = tool._agent_instance
    return agent


def running(tool: FunctionTool, agent: Agent[Any]) -> Invoke:
    """Return what runs a tool made by `Agent.as_tool`, with another agent in place of its own.

    The SDK keeps the agent, like all other arguments of `as_tool`, in the closure of the function
    that it made for the tool. This is that function with another value for one variable.
    """
    run = getattr(tool.on_invoke_tool, "_invoke_tool_impl", None)
    if not isinstance(run, FunctionType) or "self" not in run.__code__.co_freevars:
        raise UserError(f"this version of the Agents SDK runs the agent of {tool.name} otherwise")
    cells = zip(run.__code__.co_freevars, run.__closure__ or (), strict=True)
    closure = tuple(CellType(agent) if name == "self" else cell for name, cell in cells)
    invoke: Invoke = FunctionType(
        run.__code__, run.__globals__, run.__name__, run.__defaults__, closure
    )
    return invoke


def is_paused(context: ToolContext[Any]) -> bool:
    """Whether the tool call ran an agent that stopped to wait for an approval."""
    if context.tool_call is None:
        return False
    result = peek_agent_tool_run_result(
        context.tool_call, scope_id=get_agent_tool_state_scope(context)
    )
    return bool(getattr(result, "interruptions", None))


def answer_with(agent: Agent[Any], mcp_tools: Sequence[Tool]) -> None:
    """Make these the agent's answer when the SDK asks it for the tools of its MCP servers.

    The SDK goes through an agent's own tools several times in each run, and takes these as they
    are.
    """

    async def get_mcp_tools(_: RunContextWrapper[Any]) -> list[Tool]:
        return list(mcp_tools)

    vars(agent)["get_mcp_tools"] = get_mcp_tools
