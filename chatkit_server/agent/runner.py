"""The agent of a turn, the settings' or a plugin's, and how its tools are called."""

from __future__ import annotations

import asyncio
import copy
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from agents import (
    Agent,
    AgentBase,
    FunctionTool,
    FunctionToolResult,
    Handoff,
    InputGuardrailTripwireTriggered,
    Model,
    OutputGuardrailTripwireTriggered,
    RunConfig,
    RunContextWrapper,
    Tool,
    ToolsToFinalOutputResult,
)
from chatkit.types import ProgressUpdateEvent

from ..errors import ServerError
from ..mcp.manager import McpManager
from ..plugin.calls import Hooks
from ..settings.schema import AgentSettings, TurnLimits
from ..tasks import watch_blocking
from ..turn import ToolCall, ToolResult, Turn
from .fast.direct import EventSink, FastPathModel
from .fast.first_answer import FirstAnswer
from .models import ModelRouter, own_settings
from .tools import cut, failure_reason, plain_output, tool_error, wrapped

log = logging.getLogger(__name__)

_PLACEHOLDER = re.compile(r"\{(user_id|user_name|locale)\}")

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")

_NAME_LENGTH = 100

TRIPWIRES = (InputGuardrailTripwireTriggered, OutputGuardrailTripwireTriggered)


def instructions(template: str, turn: Turn) -> str:
    """Put the user's id, name and locale into the settings' instructions.

    `{user_id}`, `{user_name}` and `{locale}` are replaced; nothing a user wrote in a chat is.
    """
    values = {
        "user_id": turn.user.id,
        "user_name": turn.user.name or "",
        "locale": turn.locale or "",
    }

    def value(match: re.Match[str]) -> str:
        return _UNPRINTABLE.sub(" ", values[match[1]])[:_NAME_LENGTH]

    return _PLACEHOLDER.sub(value, template)


def as_changed(agent: Agent[Turn], turn: Turn) -> Agent[Turn]:
    """Return a copy of the agent with what the hooks made of the turn."""
    changed = copy.copy(agent)
    if turn.instructions is not None:
        changed.instructions = turn.instructions
    changed.model = turn.model
    changed.model_settings = turn.model_settings
    changed.tools = turn.tools
    changed.mcp_servers = turn.mcp_servers
    return changed


class AgentRunner:
    """An agent and those it may hand over to, made ready for one turn: every tool is watched.

    `busy` counts the tools that run.
    """

    def __init__(
        self,
        turn: Turn,
        hooks: Hooks,
        servers: McpManager,
        observe: Callable[[ToolCall, ToolResult], None],
        limits: TurnLimits,
        models: ModelRouter,
        sink: EventSink,
    ) -> None:
        self.turn = turn
        self.hooks = hooks
        self.servers = servers
        self.observe = observe
        self.limits = limits
        self.models = models
        self.sink = sink
        self.busy = 0
        self.client_call_id: str | None = None
        self._ready: dict[int, Agent[Turn]] = {}
        self._tools: dict[int, Sequence[Tool]] = {}
        self._fast_path_models: list[Model] = []
        turn._runner = self

    def uses_fast_path(self, agent: Agent[Any]) -> bool:
        """Whether the agent's model says its events to the turn itself."""
        return any(agent.model is model for model in self._fast_path_models)

    def continue_from(self, first_answer: FirstAnswer, agent: Agent[Turn]) -> None:
        """Let the run of an agent begin with an answer that its model has given."""
        assert isinstance(agent.model, Model)
        agent.model = first_answer.prepend_to(agent.model)
        self._fast_path_models.append(agent.model)

    def dismiss(self) -> None:
        """Let the turn and the agents go: they know this runner, which is a circle."""
        self.turn._runner = None
        self._ready.clear()
        self._tools.clear()
        self._fast_path_models.clear()

    async def ready(self, agent: Agent[Turn]) -> Agent[Turn]:
        """Return a copy of the agent whose tools, MCP tools and handoffs go through this turn."""
        known = self._ready.get(id(agent))
        if known is not None:
            return known
        names = [tool.name for tool in agent.tools]
        mcp_tools = await self.servers.tools(agent.mcp_servers, taken=names, wrap=wrapped)
        own_tools = [
            wrapped(tool) if isinstance(tool, FunctionTool) else tool for tool in agent.tools
        ]
        copied = copy.copy(agent)
        copied.tools = own_tools
        copied.mcp_servers = []
        _answer_with(copied, mcp_tools)
        self._tools[id(copied)] = [*own_tools, *mcp_tools]
        if agent.tool_use_behavior == "run_llm_again":
            copied.tool_use_behavior = self._stop_at_client_tool
        if agent.model is None:
            copied.model_settings = own_settings(agent)
        copied.model = self._bound(copied.model)
        self._ready[id(agent)] = copied
        copied.handoffs = [await self._handoff(handoff) for handoff in agent.handoffs]
        return copied

    def tools_of(self, agent: AgentBase[Any]) -> Sequence[Tool]:
        """Return all tools of an agent that was made ready, those of MCP servers last."""
        return self._tools.get(id(agent), ())

    def _bound(self, model: str | Model | None) -> str | Model | None:
        """Return the model as it says its events to this turn, if it can.

        An agent without a model, such as one that is handed over to, gets that of the turn.
        """
        if model is None:
            model = self.turn.model
        if model is None or isinstance(model, str):
            try:
                found = self.models.get_model(model)
            except ServerError:
                # The run says so, in its own time
                return model
        else:
            found = model
        if not isinstance(found, FastPathModel):
            return model
        bound = found.bind(self.sink)
        self._fast_path_models.append(bound)
        return bound

    async def _handoff(self, handoff: Agent[Any] | Handoff[Turn, Any]) -> Any:
        if isinstance(handoff, Agent):
            return await self.ready(handoff)
        original = handoff.on_invoke_handoff

        async def invoke(context: RunContextWrapper[Any], arguments: str) -> Agent[Turn]:
            return await self.ready(await original(context, arguments))

        return replace(handoff, on_invoke_handoff=invoke)

    def _stop_at_client_tool(
        self,
        context: RunContextWrapper[Turn],
        results: list[FunctionToolResult],
    ) -> ToolsToFinalOutputResult:
        """End the run when a tool asks the client to act: its answer comes with a later request."""
        waits = self.turn.client_tool_call is not None
        return ToolsToFinalOutputResult(
            is_final_output=waits, final_output=results[-1].output if waits else None
        )

    async def call(self, call: ToolCall, invoke: Callable[[], Awaitable[Any]]) -> Any:
        """Call a tool of the turn, and return what the model is told of it."""
        text = f"{call.name.replace('_', ' ').capitalize()}…"
        await self.turn.stream(ProgressUpdateEvent(text=text))
        result = await self._call(call, invoke)
        if self.turn.client_tool_call is not None and self.client_call_id is None:
            self.client_call_id = call.id
        self.observe(call, result)
        return result.output

    async def _call(self, call: ToolCall, invoke: Callable[[], Awaitable[Any]]) -> ToolResult:
        started = time.monotonic()
        result = ToolResult(output=None)
        self.busy += 1
        try:
            async with asyncio.timeout(self.limits.tool):
                answered = await watch_blocking(invoke(), partial(self._blocked, call.name))
                result.output = plain_output(answered)
        except TRIPWIRES:
            raise
        except Exception as error:
            log.warning("turn %s: tool %s failed: %r", self.turn.id, call.name, error)
            result.failed = True
            result.output = f"The tool {call.name} failed: {failure_reason(error)}"
        finally:
            self.busy -= 1
        result.seconds = time.monotonic() - started
        try:
            await self.hooks.each("tool_result", turn=self.turn, call=call, result=result)
        except Exception as error:
            result.failed = True
            result.output = f"The tool {call.name} failed: {failure_reason(error)}"
        result.output = cut(result.output, self.limits.tool_output)
        return result

    def _blocked(self, tool: str, seconds: float) -> None:
        log.warning("turn %s: tool %s blocked every user for %.1f s", self.turn.id, tool, seconds)


def _answer_with(agent: Agent[Turn], mcp_tools: Sequence[Tool]) -> None:
    """Let the agent give these when the SDK asks it for the tools of its MCP servers.

    The SDK goes through an agent's own tools again and again in each run, and takes these as they
    are.
    """

    async def get_mcp_tools(_: RunContextWrapper[Turn]) -> list[Tool]:
        return list(mcp_tools)

    vars(agent)["get_mcp_tools"] = get_mcp_tools


def run_config(models: ModelRouter, settings: AgentSettings) -> RunConfig:
    """Return how the Agents SDK is to run a turn: no tracing unless asked for."""
    return RunConfig(
        model_provider=models,
        tracing_disabled=not settings.tracing,
        tool_not_found_behavior="return_error_to_model",
        tool_error_formatter=tool_error,
        workflow_name=settings.name,
    )
