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
    """Return a copy of the tool that is called through the runner of its turn.

    The copy finds the turn in its context, so one copy serves all turns.
    """

    async def invoke(context: ToolContext[Turn], arguments: str) -> Any:
        runner: AgentRunner = context.context._runner
        return await runner.call(tool, context, arguments)

    copied = copy.copy(tool)
    copied.on_invoke_tool = invoke
    # The runner handles these, so that hooks see the result
    copied.timeout_seconds = None
    copied.tool_input_guardrails = None
    copied.tool_output_guardrails = None
    return copied


def cut(output: Any, size: int) -> Any:
    """Cut an output of text to `size` bytes, and say in it how much is missing.

    Of several parts, images that do not fit are left out, each in words.
    """
    if isinstance(output, dict):
        [output] = _fitting([output], size)
    elif isinstance(output, list):
        output = _fitting(output, size)
    text = output_text(output)
    if len(text) <= size // 4 or len(data := text.encode(errors="replace")) <= size:
        return output
    kept = data[:size].decode(errors="ignore")
    return f"{kept}\n[cut off here: {len(data) - size} of {len(data)} bytes are left out]"


def _fitting(parts: list[Any], size: int) -> list[Any]:
    fitting = []
    for part in parts:
        is_image = isinstance(part, dict) and part.get("type") == "image"
        length = len(output_text(part)) if is_image else 0
        if length > size:
            text = f"[an image of {length} bytes is left out here: it is too large]"
            part = {"type": "text", "text": text}
        else:
            size -= length
        fitting.append(part)
    return fitting


def output_text(output: Any) -> str:
    """Return a tool's output as text: JSON if it is not text."""
    if isinstance(output, str):
        return output
    return json.dumps(output, ensure_ascii=False, default=str)


def plain_output(output: Any) -> Any:
    """Return the text of an output that is only text, and other outputs unchanged."""
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
