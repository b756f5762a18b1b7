"""A tool of the model: wrapped for a turn, its arguments and output as text."""

from __future__ import annotations

import copy
import json
import logging
from typing import TYPE_CHECKING, Any

from agents import (
    Agent,
    AgentsException,
    FunctionTool,
    ModelBehaviorError,
    RunContextWrapper,
    ToolErrorFormatterArgs,
    ToolOutputText,
)
from agents.tool_context import ToolContext
from mcp import MCPError

from ..errors import ServerError
from ..turn import ToolCall, Turn

if TYPE_CHECKING:
    from .runner import AgentRunner


log = logging.getLogger(__name__)


def wrapped(tool: FunctionTool) -> FunctionTool:
    """Return the tool as it goes through the runner of the turn that calls it.

    It knows no turn itself, so that one such tool serves all of them.
    """
    original = tool.on_invoke_tool
    origin = tool._tool_origin
    server = origin.mcp_server_name if origin else None

    async def invoke(context: ToolContext[Turn], arguments: str) -> Any:
        call = ToolCall(context.tool_call_id, tool.name, _arguments(arguments) or {}, server)
        runner: AgentRunner = context.context._runner
        return await runner.call(call, lambda: original(context, arguments))

    watched = copy.copy(tool)
    watched.on_invoke_tool = invoke
    return watched


def tool_error(problem: ToolErrorFormatterArgs[Any]) -> str | None:
    """Say of a tool that handles its own errors the SDK's way what those of others say."""
    if problem.kind != "tool_exception" or problem.error is None:
        return None
    log.warning("tool %s failed: %r", problem.tool_name, problem.error)
    reason = failure_reason(problem.error)
    if isinstance(problem.error, ModelBehaviorError):
        reason = _schema_problem(problem.run_context, problem.tool_name) or reason
    return f"The tool {problem.tool_name} failed: {reason}"


def _schema_problem(context: RunContextWrapper[Any], name: str) -> str | None:
    """Say how a tool call's arguments do not fit its schema, which the SDK keeps to itself."""
    if not isinstance(context, ToolContext) or not isinstance(context.agent, Agent):
        return None
    if _arguments(context.tool_arguments) is None:
        return "its arguments are not a JSON object"
    # It brings megabytes of its own, and this is seldom called for
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    runner: AgentRunner = context.context._runner
    for tool in runner.tools_of(context.agent):
        if tool.name == name and isinstance(tool, FunctionTool):
            problems = Draft202012Validator(tool.params_json_schema).iter_errors(
                _arguments(context.tool_arguments)
            )
            problem = best_match(problems)
            return f"{problem.json_path}: {problem.message}" if problem else None
    return None


def cut(output: Any, size: int) -> Any:
    """Return an output of text within `size` bytes; the model is told what is missing."""
    text = output_text(output)
    if len(text) <= size // 4 or len(data := text.encode(errors="replace")) <= size:
        return output
    kept = data[:size].decode(errors="ignore")
    return f"{kept}\n[cut off here: {len(data) - size} of {len(data)} bytes are left out]"


def output_text(output: Any) -> str:
    """Return what a tool answered as text, JSON where it is neither text nor a list of texts."""
    if isinstance(output, str):
        return output
    return json.dumps(output, ensure_ascii=False, default=str)


def plain_output(output: Any) -> Any:
    """Return the text of an output that is nothing but text, other outputs as they are."""
    parts = output if isinstance(output, list) else [output]
    texts = [_part_text(part) for part in parts]
    return "\n".join(text for text in texts if text is not None) if None not in texts else output


def _part_text(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    if isinstance(part, ToolOutputText):
        return part.text
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    return None


def _arguments(arguments: str) -> dict[str, Any] | None:
    """Return a tool call's arguments, None if they are not a JSON object."""
    try:
        value = json.loads(arguments or "{}")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def failure_reason(error: Exception) -> str:
    """Return what the model may know: a tool's own words, but not those of a stray exception."""
    if isinstance(error, ServerError):
        return error.message
    if isinstance(error, AgentsException | MCPError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "it took too long"
    return f"an unexpected {type(error).__name__}"
