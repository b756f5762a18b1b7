"""A tool of the model: wrapped for a turn, its arguments and output as text."""

from __future__ import annotations

import copy
import json
import math
from typing import TYPE_CHECKING, Any, cast

import orjson
from agents import FunctionTool, ToolOutputText
from agents.tool_context import ToolContext

from ..mcp.limits import is_deep
from ..text import valid_values
from .media import as_parts, has_media, is_media, is_text

if TYPE_CHECKING:
    from .runner import AgentRunner


DEEPEST = 100
"""Levels of objects and lists in a tool's arguments."""

_PIECE = 100_000
"""Characters that are encoded at once."""


def wrapped(tool: FunctionTool) -> FunctionTool:
    """Return a copy of the tool that is called through the runner of its turn.

    The copy finds the turn in its context, so one copy serves all turns.
    """

    async def invoke(context: ToolContext[Any], arguments: str) -> Any:
        runner = runner_of(context.context)
        if runner is None:
            raise RuntimeError(f"the tool {tool.name} was called after its turn, or outside of it")
        return await runner.call(tool, context, arguments)

    copied = copy.copy(tool)
    copied.on_invoke_tool = invoke
    # The runner handles these, so that hooks see the result
    copied.timeout_seconds = None
    copied.tool_input_guardrails = None
    copied.tool_output_guardrails = None
    return copied


def runner_of(context: Any) -> AgentRunner | None:
    """Return the runner of the turn that the context of a run belongs to, None if there is none."""
    runner: AgentRunner | None = getattr(getattr(context, "_events", None), "runner", None)
    return runner


def cut(output: Any, size: int) -> Any:
    """Cut an output to `size` bytes of text, and say so in it.

    No more of it is written as text or encoded than the cut needs. Beside pictures and files, which
    do not count, only texts are cut.
    """
    if has_media(output):
        return _cut_texts(output, size) if isinstance(output, list) else output
    text = output if isinstance(output, str) else _beginning(output, size)
    if len(text) <= size // 4:
        return output
    data = text[: size + 1].encode(errors="replace")
    if len(data) <= size:
        return output
    kept = data[:size].decode(errors="ignore")
    if not isinstance(output, str):
        return f"{kept}\n[cut off here: the rest is left out]"
    total = sum(len(text[i : i + _PIECE].encode(errors="replace")) for i in _starts(text))
    return f"{kept}\n[cut off here: {total - size} of {total} bytes are left out]"


def _starts(text: str) -> range:
    return range(0, len(text), _PIECE)


def _beginning(output: Any, size: int) -> str:
    """Return the beginning of an output as JSON, with at least `size` + 1 characters."""
    written: list[str] = []
    length = 0
    try:
        for piece in json.JSONEncoder(ensure_ascii=False, default=str).iterencode(output):
            written.append(piece)
            length += len(piece)
            if length > size:
                break
    except (RecursionError, ValueError):
        # It goes in a circle, or is nested too deeply: it cannot be sent
        return "".join(written) + " " * size
    return "".join(written)


def _cut_texts(parts: list[Any], size: int) -> list[Any]:
    kept = []
    for part in parts:
        if is_text(part) and size > 0:
            text = part["text"]
            part = {**part, "text": cut(text, size)}
            size -= len(text.encode(errors="replace"))
        elif not is_media(part):
            continue
        kept.append(part)
    return kept


def output_text(output: Any) -> str:
    """Return a tool's output as text: JSON if it is not text."""
    if isinstance(output, str):
        return output
    return json.dumps(output, ensure_ascii=False, default=str)


def plain_output(output: Any) -> Any:
    """Return the text of an output that is only text, and parts if it has pictures or files.

    Other outputs are unchanged.
    """
    parts = output if isinstance(output, list) else [output]
    texts = [_part_text(part) for part in parts]
    return (
        "\n".join(text for text in texts if text is not None)
        if None not in texts
        else as_parts(output)
    )


def _part_text(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    if isinstance(part, ToolOutputText):
        return part.text
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    return None


def arguments_of(arguments: Any) -> dict[str, Any] | None:
    """Return a tool call's arguments, None if they are not a JSON object.

    Nothing, blank text, `null` and `[]` are no arguments. An object that was written as a JSON
    string is taken, and a number that JSON does not have is null.
    """
    value = arguments
    try:
        for _ in range(2):
            if isinstance(value, str):
                value = _loads(value) if value.strip() else {}
    except (ValueError, RecursionError):
        return None
    value = {} if value is None or value == [] else value
    if not isinstance(value, dict) or is_deep(value, DEEPEST):
        return None
    return cast(dict[str, Any], valid_values(value, DEEPEST + 1))


def is_object(arguments: Any) -> bool:
    """Whether a call's arguments are the text of a JSON object that every parser takes."""
    try:
        found = orjson.loads(arguments)
    except (TypeError, ValueError):
        return False
    return isinstance(arguments, str) and isinstance(found, dict) and "\\u0000" not in arguments


def _loads(text: str) -> Any:
    # Not strict: models write line ends into texts as they are
    return json.loads(text, strict=False, parse_constant=_no_number, parse_float=_finite)


def _no_number(name: str) -> None:
    return None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def arguments_are_deep(arguments: str) -> bool:
    """Whether a tool call's arguments are JSON that is nested too deeply to be written again."""
    if arguments.count("[") + arguments.count("{") <= DEEPEST:
        return False
    try:
        return is_deep(json.loads(arguments), DEEPEST)
    except RecursionError:
        return True
    except ValueError:
        return False
