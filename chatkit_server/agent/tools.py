"""A tool of the model: wrapped for a turn, its arguments and output as text."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from agents import FunctionTool, ToolOutputText
from agents.tool_context import ToolContext

from ..turn import Turn

if TYPE_CHECKING:
    from .runner import AgentRunner


def wrapped(tool: FunctionTool) -> FunctionTool:
    """Return the tool as it goes through the runner of the turn that calls it.

    It knows no turn itself, so that one such tool serves all of them.
    """

    async def invoke(context: ToolContext[Turn], arguments: str) -> Any:
        runner: AgentRunner = context.context._runner
        return await runner.call(tool, context, arguments)

    watched = copy.copy(tool)
    watched.on_invoke_tool = invoke
    # The runner heeds these, so that hooks see what comes of them
    watched.timeout_seconds = None
    watched.tool_input_guardrails = None
    watched.tool_output_guardrails = None
    return watched


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


def arguments_of(arguments: str | None) -> dict[str, Any] | None:
    """Return a tool call's arguments, None if they are not a JSON object."""
    try:
        value = json.loads(arguments or "{}")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
