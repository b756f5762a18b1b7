"""Uses of private names of the Agents SDK; `tests/library_names.py` lists and explains them."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Sequence
from types import CellType, FunctionType
from typing import Any
from weakref import ref

from agents import (
    Agent,
    FunctionTool,
    Handoff,
    RunContextWrapper,
    RunResultStreaming,
    Tool,
    UserError,
    default_tool_error_function,
)
from agents.agent_tool_state import (
    _agent_tool_run_results_by_obj,
    _drop_agent_tool_run_result,
    get_agent_tool_state_scope,
    peek_agent_tool_run_result,
)
from agents.tool import (
    ToolErrorFunction,
    get_function_tool_origin,
    resolve_function_tool_failure_error_function,
    set_function_tool_failure_error_function,
)
from agents.tool_context import ToolContext
from agents.usage import (
    _attach_raw_usage_snapshot,
    _extract_raw_usage_snapshot,
    _mark_request_completed_without_usage,
)
from openai.types.responses import Response

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
    """Return the function of a tool that raises errors, instead of turning them into text."""
    copied = copy.copy(tool)
    set_function_tool_failure_error_function(copied, None)
    return copied.on_invoke_tool


def agent_of(tool: FunctionTool) -> Agent[Any] | None:
    """Return the agent that a tool runs, None if it was not made by `Agent.as_tool`."""
    agent: Agent[Any] | None = tool._agent_instance
    return agent


def set_agent(tool: FunctionTool, agent: Agent[Any]) -> None:
    """Have a run that goes on find this agent as the one that a tool runs."""
    tool._agent_instance = agent


def handoff_target(handoff: Handoff[Any, Any]) -> Agent[Any] | None:
    """Return the agent that a handoff leads to, None if it was not made by `agents.handoff`."""
    known = handoff._agent_ref
    found: Any = known() if known is not None else None
    return found if isinstance(found, Agent) else None


def set_handoff_target(handoff: Handoff[Any, Any], agent: Agent[Any]) -> None:
    """Have a handoff lead to this agent where the SDK looks for the agents of a paused run."""
    handoff._agent_ref = ref(agent)


def running(tool: FunctionTool, agent: Agent[Any]) -> Invoke:
    """Return the function of a tool made by `Agent.as_tool`, with another agent in it.

    The SDK keeps the agent, like all arguments of `as_tool`, in the closure of the tool's function.
    This returns the same function with another value of that variable.
    """
    run = getattr(tool.on_invoke_tool, "_invoke_tool_impl", None)
    if not isinstance(run, FunctionType) or "self" not in run.__code__.co_freevars:
        raise UserError(f"this version of the Agents SDK keeps the agent of {tool.name} elsewhere")
    cells = zip(run.__code__.co_freevars, run.__closure__ or (), strict=True)
    closure = tuple(CellType(agent) if name == "self" else cell for name, cell in cells)
    invoke: Invoke = FunctionType(
        run.__code__, run.__globals__, run.__name__, run.__defaults__, closure
    )
    return invoke


def free(result: RunResultStreaming) -> None:
    """End a reference cycle, which would keep a run in memory until the garbage collector runs."""
    result._sandbox_cleanup = None


def free_when_done(result: RunResultStreaming) -> None:
    """Do so when the run is over."""
    known = ref(result)

    def end_cycle(_: object) -> None:
        if (found := known()) is not None:
            free(found)

    if result.run_loop_task is not None:
        result.run_loop_task.add_done_callback(end_cycle)


def forget_paused(context: Any) -> None:
    """Remove the paused inner agents of a turn from the SDK's table, which keeps them for ever."""
    for place, result in list(_agent_tool_run_results_by_obj.items()):
        wrapper = getattr(result, "context_wrapper", None) or result.to_state()._context
        if wrapper is not None and wrapper.context is context:
            del _agent_tool_run_results_by_obj[place]
            _drop_agent_tool_run_result(place)


def is_paused(context: ToolContext[Any]) -> bool:
    """Whether the tool call ran an agent that stopped to wait for an approval."""
    if context.tool_call is None:
        return False
    result = peek_agent_tool_run_result(
        context.tool_call, scope_id=get_agent_tool_state_scope(context)
    )
    return bool(getattr(result, "interruptions", None))


def set_mcp_tools(agent: Agent[Any], mcp_tools: Sequence[Tool]) -> None:
    """Make the agent return these when the SDK asks for the tools of its MCP servers.

    They are not put into `tools`: the SDK processes those several times in each run.
    """

    async def get_mcp_tools(_: RunContextWrapper[Any]) -> list[Tool]:
        return list(mcp_tools)

    vars(agent)["get_mcp_tools"] = get_mcp_tools


def completed_without_usage(response: Response) -> None:
    """Note that a request was made whose tokens nobody counted."""
    _mark_request_completed_without_usage(response)


def keep_raw_usage(response: Response, usage: object) -> None:
    """Keep the usage as the provider tells it, for `ModelSettings.preserve_raw_usage`."""
    _attach_raw_usage_snapshot(response, usage)


def raw_usage_of(response: Response) -> dict[str, Any] | None:
    """Return the usage that was kept."""
    return _extract_raw_usage_snapshot(response)
