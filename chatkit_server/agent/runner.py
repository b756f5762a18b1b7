"""The agent of a turn: the settings' or a plugin's, with its tools watched."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from agents import (
    Agent,
    AgentBase,
    AgentsException,
    FunctionTool,
    FunctionToolResult,
    Handoff,
    InputGuardrailTripwireTriggered,
    Model,
    ModelBehaviorError,
    ModelProvider,
    ModelSettings,
    OutputGuardrailTripwireTriggered,
    RunConfig,
    RunContextWrapper,
    Tool,
    ToolErrorFormatterArgs,
    ToolOutputText,
    ToolsToFinalOutputResult,
)
from agents.models import get_default_model_settings
from agents.tool_context import ToolContext
from chatkit.types import ProgressUpdateEvent
from mcp import MCPError

from ..errors import BadRequest, ServerError, SettingsError, TurnFailed
from ..mcp.manager import McpServers
from ..plugin.discovery import Hooks
from ..settings.schema import AgentSettings, TurnLimits, nearest
from ..turn import ToolCall, ToolResult, Turn
from .fast.direct import DirectModel, Out
from .fast.first_answer import Opening

log = logging.getLogger(__name__)

_PLACEHOLDER = re.compile(r"\{(user_id|user_name|locale)\}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")
_NAME_LENGTH = 100

TRIPWIRES = (InputGuardrailTripwireTriggered, OutputGuardrailTripwireTriggered)


class Models(ModelProvider):
    """All model providers; the part of a name before the first `/` chooses one."""

    def __init__(self, hooks: Hooks) -> None:
        self._providers: dict[str, ModelProvider] = {}
        owners: dict[str, str] = {}
        for plugin, providers in hooks.boot("model_providers"):
            for prefix, provider in providers.items():
                if prefix in owners:
                    raise SettingsError(
                        f"plugin {plugin}: the models `{prefix}/…` are already served by the "
                        f"plugin {owners[prefix]}; enable one of the two"
                    )
                owners[prefix] = plugin
                self._providers[prefix] = provider

    @property
    def prefixes(self) -> list[str]:
        """The prefixes that have a provider; `""` stands for all others."""
        return sorted(self._providers)

    def get_model(self, model_name: str | None) -> Model:
        """Return the model of this name, such as `demo/todo`.

        Raises `TurnFailed` when no provider serves it.
        """
        name = model_name or ""
        prefix, _, rest = name.partition("/")
        if rest and prefix in self._providers:
            return self._providers[prefix].get_model(rest)
        if "" in self._providers and name:
            return self._providers[""].get_model(name)
        raise TurnFailed(self._unserved(name))

    def check(self, name: str) -> None:
        """Raise `SettingsError` when no provider serves this model."""
        prefix, _, rest = name.partition("/")
        if not (rest and prefix in self._providers) and not (name and "" in self._providers):
            raise SettingsError(
                f"{self._unserved(name)}. For others, enable a plugin that serves them, such as "
                "`compatible_models`"
            )

    def _unserved(self, name: str) -> str:
        prefix = name.partition("/")[0]
        known = ", ".join(f"{p}/…" for p in self.prefixes if p) or "none"
        return (
            f"no enabled plugin serves the model `{name}`.{nearest(prefix, self._providers)} "
            f"Served: {known}"
        )


def model_settings(settings: AgentSettings) -> ModelSettings:
    """Return the model settings of the settings file as the Agents SDK's.

    Raises `SettingsError` for a setting it does not know.
    """
    try:
        return ModelSettings(**settings.model_settings)
    except (TypeError, ValueError) as error:
        known = sorted(vars(ModelSettings()))
        raise SettingsError(
            f"agent.model_settings: {error}. Known here: {', '.join(known)}"
        ) from None


def choose_model(turn: Turn, settings: AgentSettings) -> str | None:
    """Return the model picked in the composer, if one was.

    Raises `BadRequest` when the settings do not allow the one picked.
    """
    options = turn.message.inference_options if turn.message else None
    picked = options.model if options else None
    if picked is None or picked == settings.model or picked in settings.models:
        return picked
    allowed = ", ".join(dict.fromkeys([settings.model, *settings.models]))
    raise BadRequest(f"inference_options.model: `{picked}` is not offered here. Use: {allowed}")


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


def own_settings(agent: Agent[Any]) -> ModelSettings:
    """Return a copy of the model settings of a plugin's agent.

    An agent without a model gets those of the SDK's own default model, such as an effort of
    reasoning, which others refuse: nobody chose them.
    """
    if agent.model is None and agent.model_settings == get_default_model_settings():
        return ModelSettings()
    return copy.copy(agent.model_settings)


class Crew:
    """An agent and those it may hand over to, made ready for one turn: every tool is watched.

    `busy` counts the tools that run.
    """

    def __init__(
        self,
        turn: Turn,
        hooks: Hooks,
        servers: McpServers,
        observe: Callable[[ToolCall, ToolResult], None],
        limits: TurnLimits,
        models: Models,
        out: Out,
    ) -> None:
        self.turn = turn
        self.hooks = hooks
        self.servers = servers
        self.observe = observe
        self.limits = limits
        self.models = models
        self.out = out
        self.busy = 0
        self.client_call_id: str | None = None
        self._ready: dict[int, Agent[Turn]] = {}
        self._tools: dict[int, Sequence[Tool]] = {}
        self._direct: list[Model] = []
        turn._crew = self

    def is_direct(self, agent: Agent[Any]) -> bool:
        """Whether the agent's model says its events to the turn itself."""
        return any(agent.model is model for model in self._direct)

    def begin_with(self, opening: Opening, agent: Agent[Turn]) -> None:
        """Let the run of an agent begin with an answer that its model has given."""
        assert isinstance(agent.model, Model)
        agent.model = opening.before(agent.model)
        self._direct.append(agent.model)

    def dismiss(self) -> None:
        """Let the turn and the agents go: they know this crew, which is a circle."""
        self.turn._crew = None
        self._ready.clear()
        self._tools.clear()
        self._direct.clear()

    async def ready(self, agent: Agent[Turn]) -> Agent[Turn]:
        """Return a copy of the agent whose tools, MCP tools and handoffs go through this turn."""
        known = self._ready.get(id(agent))
        if known is not None:
            return known
        names = [tool.name for tool in agent.tools]
        mcp_tools = await self.servers.tools(agent.mcp_servers, taken=names, wrap=_watched)
        own_tools = [
            _watched(tool) if isinstance(tool, FunctionTool) else tool for tool in agent.tools
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
        if not isinstance(found, DirectModel):
            return model
        bound = found.to(self.out)
        self._direct.append(bound)
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
                result.output = _plain(await invoke())
        except TRIPWIRES:
            raise
        except Exception as error:
            log.warning("turn %s: tool %s failed: %r", self.turn.id, call.name, error)
            result.failed = True
            result.output = f"The tool {call.name} failed: {_reason(error)}"
        finally:
            self.busy -= 1
        result.seconds = time.monotonic() - started
        try:
            await self.hooks.each("tool_result", turn=self.turn, call=call, result=result)
        except Exception as error:
            result.failed = True
            result.output = f"The tool {call.name} failed: {_reason(error)}"
        result.output = _cut(result.output, self.limits.tool_output)
        return result


def _answer_with(agent: Agent[Turn], mcp_tools: Sequence[Tool]) -> None:
    """Let the agent give these when the SDK asks it for the tools of its MCP servers.

    The SDK goes through an agent's own tools again and again in each run, and takes these as they
    are.
    """

    async def get_mcp_tools(_: RunContextWrapper[Turn]) -> list[Tool]:
        return list(mcp_tools)

    vars(agent)["get_mcp_tools"] = get_mcp_tools


def _watched(tool: FunctionTool) -> FunctionTool:
    """Return the tool as it goes through the crew of the turn that it is called in.

    It knows no turn itself, so that one such tool serves all of them.
    """
    original = tool.on_invoke_tool
    origin = tool._tool_origin
    server = origin.mcp_server_name if origin else None

    async def invoke(context: ToolContext[Turn], arguments: str) -> Any:
        call = ToolCall(context.tool_call_id, tool.name, _arguments(arguments) or {}, server)
        crew: Crew = context.context._crew
        return await crew.call(call, lambda: original(context, arguments))

    watched = copy.copy(tool)
    watched.on_invoke_tool = invoke
    return watched


def run_config(models: Models, settings: AgentSettings) -> RunConfig:
    """Return how the Agents SDK is to run a turn: no tracing unless asked for."""
    return RunConfig(
        model_provider=models,
        tracing_disabled=not settings.tracing,
        tool_not_found_behavior="return_error_to_model",
        tool_error_formatter=_tool_error,
        workflow_name=settings.name,
    )


def _tool_error(problem: ToolErrorFormatterArgs[Any]) -> str | None:
    """Say of a tool that handles its own errors the SDK's way what those of others say."""
    if problem.kind != "tool_exception" or problem.error is None:
        return None
    log.warning("tool %s failed: %r", problem.tool_name, problem.error)
    reason = _reason(problem.error)
    if isinstance(problem.error, ModelBehaviorError):
        reason = _misfit(problem.run_context, problem.tool_name) or reason
    return f"The tool {problem.tool_name} failed: {reason}"


def _misfit(context: RunContextWrapper[Any], name: str) -> str | None:
    """Say how a tool call's arguments do not fit its schema, which the SDK keeps to itself."""
    if not isinstance(context, ToolContext) or not isinstance(context.agent, Agent):
        return None
    if _arguments(context.tool_arguments) is None:
        return "its arguments are not a JSON object"
    # It brings megabytes of its own, and this is seldom called for
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    crew: Crew = context.context._crew
    for tool in crew.tools_of(context.agent):
        if tool.name == name and isinstance(tool, FunctionTool):
            problems = Draft202012Validator(tool.params_json_schema).iter_errors(
                _arguments(context.tool_arguments)
            )
            problem = best_match(problems)
            return f"{problem.json_path}: {problem.message}" if problem else None
    return None


def _cut(output: Any, size: int) -> Any:
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


def _plain(output: Any) -> Any:
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


def _reason(error: Exception) -> str:
    """Return what the model may know: a tool's own words, but not those of a stray exception."""
    if isinstance(error, ServerError):
        return error.message
    if isinstance(error, AgentsException | MCPError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "it took too long"
    return f"an unexpected {type(error).__name__}"
