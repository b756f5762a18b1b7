"""Which tools ran in a turn, as the model and the user saw them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..plugin.hookspecs import hookimpl
from ..turn import ToolCall, ToolResult, Turn


@dataclass(frozen=True)
class CalledTool:
    """A tool that ran: its name and arguments, and the output that the model got.

    An `output` of one text, as MCP servers give it, is a string here.
    `server` is the name of its MCP server, None for other tools.
    """

    name: str
    arguments: dict[str, Any]
    output: Any
    failed: bool
    server: str | None = None


class ToolCalls:
    """A plugin that keeps the tool calls of each turn; it is called last, after all others."""

    def __init__(self) -> None:
        self.of_turn: dict[str, list[CalledTool]] = {}

    @hookimpl
    async def tool_result(self, turn: Turn, call: ToolCall, result: ToolResult) -> None:
        output = result.output
        if isinstance(output, dict) and output.keys() == {"type", "text"}:
            output = output["text"]
        called = CalledTool(call.name, call.arguments, output, result.failed, call.server)
        self.of_turn.setdefault(turn.parent_id or turn.id, []).append(called)
