"""The connection to an MCP server: every call has a limit, every error says what to do."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from agents import AgentBase, FunctionTool, RunContextWrapper
from agents.exceptions import UserError
from agents.mcp import MCPServer, MCPUtil
from agents.tool import ToolErrorFunction
from mcp import ClientSession, MCPError
from mcp.types import (
    CallToolResult,
    GetPromptResult,
    ListPromptsResult,
    TextContent,
    Tool,
)
from pydantic import ValidationError

from ..settings.schema import ApprovalSettings
from ..text import valid_values
from .approval import needs_approval
from .content import as_text, readable
from .elicitation import WAITS, NotAsked, take_input, with_input
from .exchange import Exchange
from .failures import without_advice
from .limits import McpLimits, McpRefused, Reporter, shown, tool_problem, tools_too_large
from .outcome import CUT_OFF, NOT_MCP, Outcome, is_lost, is_timeout, outcome
from .outlines import OUTLINE, misfit
from .progress import Calls, CallTimeout

Wrap = Callable[[FunctionTool], FunctionTool]
"""Changes a tool before an agent gets it. A module's function: tools are cached by it."""

_LISTING = 30.0
"""Seconds for listing the tools of a server that sets no timeout."""

NOT_RUN = "The tool was not carried out."
_NOT_KNOWN = "The tool may have been carried out or not: check before you try again."

_ERROR_TEXT = 10_000
"""How many characters a server may use to say why a tool failed."""


class ToolFailed(UserError):
    """A tool of an MCP server failed; the message is for the model, and says what to do.

    With `unexpected`, the log has the traceback of the error that it was raised from. `quotes` says
    that the message is the tool's own, which is content.
    """

    def __init__(self, message: str, *, unexpected: bool = False, quotes: bool = False) -> None:
        super().__init__(message)
        self.unexpected = unexpected
        self.quotes = quotes

    def told(self, found: Outcome, *, is_repeatable: bool = False) -> ToolFailed:
        """Return this error with what is known of whether the tool was carried out."""
        if found.refused:
            told = NOT_RUN
        elif found.fate in ("works", "unasked") or is_repeatable:
            return self
        else:
            told = _NOT_KNOWN
        text = str(self)
        if not text.endswith((".", "]")):
            text += "."
        return ToolFailed(f"{text} {told}", unexpected=self.unexpected, quotes=self.quotes)


class McpConnection(MCPServer):
    """Wraps an MCP server that a plugin connects itself, such as for one turn."""

    def __init__(self, server: MCPServer, approval: ApprovalSettings = ApprovalSettings()) -> None:  # noqa: B008
        super().__init__(
            use_structured_content=server.use_structured_content,
            tool_meta_resolver=server.tool_meta_resolver,
            custom_data_extractor=server.custom_data_extractor,
            tool_input_guardrails=server.tool_input_guardrails,
            tool_output_guardrails=server.tool_output_guardrails,
        )
        self.server = server
        self._approval = approval
        _skip_output_schemas(server)
        self.required: bool = getattr(server, "required", False)
        self.prefix: str | None = getattr(server, "prefix", None)
        self.timeout: float | None = getattr(server, "timeout", None)
        self.limits = McpLimits.of(server)
        self.reporter = Reporter(server.name)
        self.progress = Calls(self.timeout, getattr(server, "max_timeout", None))
        self.may_ask: bool = getattr(server, "elicitation", True)
        self.waits: float = getattr(server, "elicitation_timeout", WAITS)
        self.tools: list[Tool] = []
        self.calls = 0
        self.last_answer = time.monotonic()
        self._functions: dict[tuple[str, Wrap], FunctionTool] = {}

    @property
    def name(self) -> str:
        """The name of the server."""
        return self.server.name

    def function(self, tool: Tool, name: str, wrap: Wrap) -> FunctionTool:
        """Return the tool as the Agents SDK has it, under the name the model is to call.

        It is created and wrapped once for all turns.
        """
        if (name, wrap) not in self._functions:
            made = MCPUtil.to_function_tool(
                tool, self, False, failure_error_function=None, tool_name_override=name
            )
            made.needs_approval = needs_approval(self.server, tool, name, self._approval)
            self._functions[name, wrap] = wrap(made)
        return self._functions[name, wrap]

    async def refresh(self) -> None:
        """Ask the server which tools it has. Raises `McpRefused` if they are too many."""
        async with asyncio.timeout(self.timeout or _LISTING):
            listed = await self.server.list_tools()
        self.last_answer = time.monotonic()
        tools = self._usable(listed)
        if tools != self.tools:
            self.tools = tools
            self._functions = {}

    def _usable(self, listed: list[Tool]) -> list[Tool]:
        if len(listed) > self.limits.tools:
            raise McpRefused(
                f"has {len(listed)} tools, more than {self.limits.tools} (`max_tools`); choose "
                "some with `allowed_tools`"
            )
        tools: dict[str, Tool] = {}
        size = 0
        for tool in listed:
            problem = tool_problem(tool.name, tool.input_schema)
            if tool.name in tools:
                problem = "another has the same name"
            if problem is None:
                tools[tool.name] = valid_values(tool)
                left_out: Any = {"output_schema": True, "meta": {OUTLINE}}
                size += len(tool.model_dump_json(exclude=left_out, exclude_none=True))
            else:
                self.reporter.note(f"has a tool that is left out: {shown(tool.name)} ({problem})")
        # Compared with what the server sent, this has the names of defaults
        if size > 2 * self.limits.tools_size:
            raise McpRefused(tools_too_large(self.limits.tools_size))
        return list(tools.values())

    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        """Call a tool.

        Raises `ToolFailed` when the server says that the tool failed, does not answer in time, or
        cannot be reached.
        """
        try:
            return await self._call(tool_name, arguments, meta)
        except Exception as error:
            found = outcome(error, Exchange(sent=True))
            raise self._failed(error).told(found) from error

    async def _call(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None
    ) -> CallToolResult:
        _check_arguments(arguments)
        self.calls += 1
        try:
            async with self.progress.timed(meta) as sent:
                call = partial(self.server.call_tool, tool_name, arguments, sent)
                result = await with_input(self.name, self.waits, call)
        finally:
            self.calls -= 1
        self.last_answer = time.monotonic()
        if result.is_error:
            text = as_text(result)
            raise ToolFailed(
                _cut(text) or "The tool failed and did not say why.", quotes=bool(text)
            )
        content = readable(result)
        if problem := misfit(self._tool(tool_name), result.structured_content):
            note = f"[This does not fit the tool's own output schema: {problem}.]"
            content.append(TextContent(type="text", text=note))
        return result.model_copy(update={"content": content})

    def _tool(self, name: str) -> Tool | None:
        return next((tool for tool in self.tools if tool.name == name), None)

    def _failed(self, error: Exception, exchange: Exchange | None = None) -> ToolFailed:
        if isinstance(error, ToolFailed):
            return error
        if isinstance(error, NotAsked):
            return ToolFailed(f"`{self.name}` {error}.")
        if exchange is not None and exchange.problem and not exchange.says_why:
            return ToolFailed(f"`{self.name}` {without_advice(exchange.problem)}.")
        if is_timeout(error):
            limit = str(error) if isinstance(error, CallTimeout) else "in time"
            return ToolFailed(f"`{self.name}` did not answer {limit}.")
        if is_lost(error):
            return ToolFailed(f"The connection to `{self.name}` was lost during the call.")
        if isinstance(error, MCPError) and str(error).startswith(CUT_OFF):
            return ToolFailed(f"`{self.name}` ended its answer without the result.")
        refused = self.reporter.refused
        if refused is not None and refused in str(error):
            return ToolFailed(f"`{self.name}` {without_advice(refused)}.")
        if isinstance(error, ValidationError) or str(error).startswith(NOT_MCP):
            return ToolFailed(f"`{self.name}` sent an answer that is not as MCP has it.")
        if isinstance(error, MCPError | UserError):
            return ToolFailed(_cut(str(error)), quotes=True)
        return ToolFailed(f"`{self.name}` failed with an unexpected error.", unexpected=True)

    async def connect(self) -> None:
        """Do nothing: the plugin connects its server."""

    async def cleanup(self) -> None:
        """Do nothing: the plugin closes its server."""

    async def list_tools(
        self,
        run_context: RunContextWrapper[Any] | None = None,
        agent: AgentBase | None = None,
    ) -> list[Tool]:
        """Return the server's answer."""
        return await self.server.list_tools(run_context, agent)

    async def list_prompts(self) -> ListPromptsResult:
        """Return the server's answer."""
        return await self.server.list_prompts()

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None
    ) -> GetPromptResult:
        """Return the server's answer."""
        return await self.server.get_prompt(name, arguments)

    def _get_failure_error_function(
        self, agent_failure_error_function: ToolErrorFunction | None
    ) -> ToolErrorFunction | None:
        return self.server._get_failure_error_function(agent_failure_error_function)


def _skip_output_schemas(server: MCPServer) -> None:
    """Have a session that is connected already match no results against the server's schemas."""

    async def skip(name: str, result: CallToolResult) -> None:
        pass

    session = getattr(server, "session", None)
    if isinstance(session, ClientSession):
        vars(session)["validate_tool_result"] = skip
        take_input(session)


def _check_arguments(arguments: dict[str, Any] | None) -> None:
    """Refuse what cannot be sent: the error would end the connection, with all calls of others."""
    try:
        json.dumps(arguments, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ToolFailed(
            "The arguments have a number or a character that JSON cannot have, or are nested too "
            "deeply."
        ) from error


def _cut(text: str) -> str:
    if len(text) <= _ERROR_TEXT:
        return text
    return f"{text[:_ERROR_TEXT]}\n[cut off here: {len(text) - _ERROR_TEXT} more characters]"


def unwrapped(tool: FunctionTool) -> FunctionTool:
    return tool
