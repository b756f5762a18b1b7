"""The agent of a turn, and how its tools are called."""

from __future__ import annotations

import copy
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from agents import (
    Agent,
    AgentBase,
    FunctionTool,
    FunctionToolResult,
    Handoff,
    Model,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    RunContextWrapper,
    Tool,
    ToolErrorFormatterArgs,
    ToolsToFinalOutputResult,
    TResponseInputItem,
)
from agents.items import ToolApprovalItem
from agents.run import CallModelData, ModelInputData
from agents.tool_context import ToolContext
from chatkit.agents import ClientToolCall
from chatkit.types import StructuredInputItem

from ..asking import Asked, collected, collecting
from ..errors import ServerError
from ..known_errors import StreamFailed
from ..lines import user_name
from ..masking import in_one_line
from ..mcp.approval import for_agent
from ..mcp.elicitation import asking
from ..mcp.manager import McpManager
from ..mcp.progress import Listener
from ..plugin.calls import NEARLY, Hooks
from ..records import MAY_QUOTE, Quote, repeats
from ..settings.schema import AgentSettings, TurnLimits
from ..tasks import watch_blocking
from ..text import valid_text, valid_values
from ..turn import ToolCall, ToolResult, Turn
from .asked import asked_ids, stops_at, waits_for
from .asker import LiveQuestions, TurnAsker
from .fast.direct import EventSink, FastPathModel
from .fast.first_answer import FirstAnswer
from .foreign import with_own_ids
from .invocation import (
    ToolFailure,
    failure_of,
    invalid_arguments,
    invoke,
    tool_failure,
    unusable,
)
from .media import Media, as_parts, noted
from .models import ModelRouter, max_tools, own_settings
from .portable import for_any_model
from .relay import Relay
from .sdk import (
    agent_of,
    forget_paused,
    handoff_target,
    is_paused,
    mcp_server_name,
    raising,
    running,
    set_agent,
    set_handoff_target,
    set_mcp_tools,
)
from .shown_tools import ShownTools
from .sound import sound
from .team.cast import Cast, refuse_same_names
from .team.checks import handoff_name
from .team.guardrails import Guardrails
from .tools import arguments_of, cut, is_object, runner_of, wrapped

log = logging.getLogger(__name__)

ONE_AT_A_TIME = (
    "This was not done: the user's page does one thing at a time, and another tool has asked it to "
    "do something. Call this tool again when that is done."
)
"""The output of a tool that wants the client to act beside another one, for the model."""

_LEFT_OUT = 1000
"""Characters of the names of tools that are left out, in the log."""


def as_changed(agent: Agent[Turn], turn: Turn) -> Agent[Turn]:
    """Return a copy of the agent with what `pre_turn` hooks changed in the turn."""
    changed = copy.copy(agent)
    if turn.instructions is not None:
        changed.instructions = valid_text(turn.instructions)
    changed.model = turn.model
    changed.model_settings = turn.model_settings
    changed.tools = turn.tools
    changed.mcp_servers = turn.mcp_servers
    return changed


@dataclass(frozen=True, slots=True)
class _PreparedAgent:
    """An agent and its copy for a turn.

    Both are kept, because they are found by their ids: an id is reused once its object is gone.
    """

    original: Agent[Any]
    copy: Agent[Turn]
    tools: Sequence[Tool]
    nested: bool
    chosen: _Chosen


class _Chosen(NamedTuple):
    """A model for an agent, as it is used and as it was given, and what is known of it.

    `speaks_chat` says that it has an API of chat completions.
    """

    model: str | Model | None
    given: str | Model | None
    speaks_chat: bool = False
    max_tools: int | None = None


class AgentRunner:
    """Prepares the agents of one turn, and calls their tools.

    The agents are the turn's own, those that it can hand over to, and those that it runs as tools.
    All their tool calls go through `call`; `busy` counts those that run. Models are bound to
    `sink`; without one, all their text goes through the SDK. `cast` has the agents of the settings,
    `relay` which agent answers. `shared_model` is for agents without one of their own. `call_ids`
    are those of calls of models that may repeat them.
    """

    def __init__(
        self,
        turn: Turn,
        hooks: Hooks,
        servers: McpManager,
        observe: Callable[[ToolCall, ToolResult], None],
        limits: TurnLimits,
        models: ModelRouter,
        sink: EventSink | None,
        settings: AgentSettings = AgentSettings(),  # noqa: B008
        guardrails: Guardrails | None = None,
    ) -> None:
        self.turn = turn
        self.hooks = hooks
        self.servers = servers
        self.observe = observe
        self.limits = limits
        self.models = models
        self.sink = sink
        self.cast = Cast(turn)
        self.guardrails = guardrails or Guardrails()
        self.relay = Relay()
        self.shared_model: str | Model | None = None
        self._media = Media(settings.images)
        self._approval = settings.approval
        self.shown = ShownTools(turn, settings)
        self.busy = 0
        self.client_call_id: str | None = None
        self.call_ids: set[str] = set()
        self._client_call: ClientToolCall | None = None
        self.asked: list[StructuredInputItem] = []
        self.live = LiveQuestions()
        self._prepared: dict[tuple[int, bool], _PreparedAgent] = {}
        self._copies: dict[int, _PreparedAgent] = {}
        self._fast_path_models: list[Model] = []
        self._handled: dict[int, ToolFailure] = {}
        turn._events.runner = self

    def uses_fast_path(self, agent: Agent[Any]) -> bool:
        """Whether the agent's model sends its events to the turn itself."""
        return any(agent.model is model for model in self._fast_path_models)

    def continue_from(self, first_answer: FirstAnswer, agent: Agent[Turn]) -> None:
        """Start the run of an agent with an answer that its model has given already."""
        assert isinstance(agent.model, Model)
        agent.model = first_answer.prepend_to(agent.model)
        self._fast_path_models.append(agent.model)

    def dismiss(self) -> None:
        """Drop the references to the turn and the agents, which are a cycle."""
        self.turn._events.runner = None
        self.turn._events.close()
        self.shown.stop()
        forget_paused(self.turn.run_context)
        self._prepared.clear()
        for prepared in self._copies.values():
            # They may lead to each other
            prepared.copy.handoffs.clear()
        self._copies.clear()
        self._fast_path_models.clear()

    async def begin(self, given: Agent[Any], changed: Agent[Turn]) -> Agent[Turn]:
        """Return the copy of the agent that begins, with what `pre_turn` hooks changed."""
        copied = await self._prepare(self.cast.original or given, changed, nested=False)
        if self.cast.original is not None:
            refuse_same_names((p.copy.name for p in self._copies.values()), self.turn)
        return copied

    async def ready(self, agent: Agent[Any], *, nested: bool = False) -> Agent[Turn]:
        """Return a copy of the agent for this turn: with its tools, MCP tools and handoffs wrapped.

        A `nested` agent is run by a tool: its text is not part of the turn's answer.
        """
        if id(agent) in self._copies:
            return agent
        agent = self.cast.stands_for(agent)
        if (known := self._prepared.get((id(agent), nested))) is not None:
            return known.copy
        return await self._prepare(agent, await self.cast.agent(agent), nested=nested)

    async def _prepare(
        self, original: Agent[Any], agent: Agent[Any], *, nested: bool
    ) -> Agent[Turn]:
        given = self.cast.tools_of(original, agent)
        names = [tool.name for tool in given] + [handoff_name(each) for each in agent.handoffs]
        mcp_tools = await self.servers.tools(
            self.cast.servers_of(original, agent),
            taken=names,
            wrap=wrapped,
            turn_id=self.turn.id,
            takes=self.cast.takes(original),
        )
        mcp_tools = [for_agent(tool, agent) for tool in mcp_tools]
        own_tools = [self._own(tool) for tool in given]
        copied = copy.copy(agent)
        chosen = self._model(agent.model, nested)
        tools = self._allowed([*own_tools, *mcp_tools], chosen.max_tools, len(agent.handoffs))
        copied.tools = tools[: len(own_tools)]
        copied.mcp_servers = []
        set_mcp_tools(copied, tools[len(own_tools) :])
        if agent.tool_use_behavior != "stop_on_first_tool":
            copied.tool_use_behavior = partial(self._stop_if_asked, agent.tool_use_behavior)
        if agent.model is None:
            copied.model_settings = own_settings(agent)
        copied.model = chosen.model
        self.guardrails.put_on(copied, nested)
        prepared = _PreparedAgent(original, copied, tools, nested, chosen)
        self._prepared[id(original), nested] = self._copies[id(copied)] = prepared
        copied.handoffs = [await self._handoff(handoff, nested) for handoff in agent.handoffs]
        return copied

    def _own(self, tool: Tool) -> Tool:
        """Return a tool that is not of an MCP server, as a turn has it."""
        used = wrapped(tool) if isinstance(tool, FunctionTool) else tool
        if hasattr(tool, "needs_approval") and self._approval.asks_for(tool.name):
            used = copy.copy(used)
            vars(used)["needs_approval"] = True
        return used

    def tools_of(self, agent: AgentBase[Any]) -> Sequence[Tool]:
        """Return all tools of an agent that was made ready, those of MCP servers last."""
        prepared = self._copies.get(id(agent))
        return prepared.tools if prepared is not None else ()

    def input_for(self, agent: AgentBase[Any], items: Sequence[Any]) -> list[TResponseInputItem]:
        """Return input items as the agent's model takes them."""
        prepared = self._copies.get(id(agent))
        if prepared is None:
            return sound(items)
        if not prepared.nested:
            items = self.relay.asks(prepared.copy.name, prepared.chosen.given, items)
        return sound(for_any_model(items) if prepared.chosen.speaks_chat else items)

    def _is_nested(self, agent: AgentBase[Any] | None) -> bool:
        prepared = self._copies.get(id(agent))
        return prepared is not None and prepared.nested

    def _allowed(self, tools: list[Tool], most: int | None, handoffs: int) -> list[Tool]:
        """Return the first tools, as many as the model takes, and log which are left out."""
        room = None if most is None else max(0, most - handoffs)
        if room is None or len(tools) <= room:
            return tools
        left_out = [tool.name for tool in tools[room:]]
        log.info(
            "turn %s: has %d tools, and the model takes %d; left out: %s",
            self.turn.id,
            len(tools),
            room,
            in_one_line(", ".join(left_out), _LEFT_OUT),
        )
        return tools[:room]

    def _model(self, model: str | Model | None, nested: bool) -> _Chosen:
        """Return the model for an agent, bound to this turn if that is possible.

        An agent without a model gets `shared_model`, or that of the turn.
        """
        given = (self.shared_model or self.turn.model) if model is None else model
        found = given
        if found is None or isinstance(found, str):
            try:
                found = self.models.get_model(found)
            except ServerError:
                # The run raises it again, and reports it
                return _Chosen(given, given)
        used: str | Model | None = found
        if nested and isinstance(model, str):
            # A nested run may have its own model provider for a name
            used = model
        elif not isinstance(found, FastPathModel | OpenAIResponsesModel):
            used = with_own_ids(found, self.call_ids)
        elif nested:
            used = found
        elif self.sink is not None and isinstance(found, FastPathModel):
            used = found.bind(self.sink)
            self._fast_path_models.append(used)
        else:
            used = given
        speaks_chat = isinstance(found, FastPathModel | OpenAIChatCompletionsModel)
        return _Chosen(used, given, speaks_chat, max_tools(found))

    async def _handoff(self, handoff: Agent[Any] | Handoff[Any, Any], nested: bool) -> Any:
        if isinstance(handoff, Agent):
            return await self.ready(handoff, nested=nested)
        original = handoff.on_invoke_handoff

        async def invoke(context: RunContextWrapper[Any], arguments: str) -> Agent[Turn]:
            return await self.ready(await original(context, arguments), nested=nested)

        found = replace(handoff, on_invoke_handoff=invoke)
        target = handoff_target(handoff)
        if target is not None:
            set_handoff_target(found, await self.ready(target, nested=nested))
        return found

    async def _stop_if_asked(
        self,
        behavior: Any,
        context: RunContextWrapper[Turn],
        results: list[FunctionToolResult],
    ) -> ToolsToFinalOutputResult:
        """End the run when a tool asks the user, or the client to act: that is answered later."""
        if self._waits:
            return ToolsToFinalOutputResult(True, results[-1].output)
        return await stops_at(behavior, context, results)

    @property
    def _waits(self) -> bool:
        """Whether the run of the caller is to wait for the user or the client.

        What is asked in a nested run is asked by the tool that runs it.
        """
        wanted = collected()
        asked = self.asked if wanted is None else wanted.questions
        return bool(asked) or self.turn.client_tool_call is not None

    async def call(self, tool: FunctionTool, context: ToolContext[Turn], arguments: str) -> Any:
        """Call a tool, and return the output for the model."""
        limit = self.limits.tool_arguments
        written = invalid_arguments(context.tool_call, arguments, limit)
        given = arguments_of(arguments) if written is None else None
        call = ToolCall(context.tool_call_id, tool.name, given or {}, mcp_server_name(tool))
        shown = await self.shown.begin(call)
        self.turn.meet_context()
        started = time.monotonic()
        if given is None:
            failure: ToolFailure | None = unusable(tool, written or arguments, limit)
            output: Any = failure.output if failure is not None else None
        else:
            text = arguments if is_object(arguments) else json.dumps(given, ensure_ascii=False)
            try:
                output, failure = await self._answer_of(tool, context, text, shown.report)
            except BaseException:
                await shown.end(failed=True)
                raise
        await shown.end(failed=failure is not None)
        if failure is None and is_paused(context):
            return output
        if failure is not None:
            self._log(call.name, failure)
        seconds = time.monotonic() - started
        self._warn_if_slow(tool, seconds)
        result = ToolResult(output, failed=failure is not None, seconds=seconds)
        await self.report(call, result)
        if failure is None and asked_ids({"type": "function_call_output", "output": output}):
            # Whatever hooks made of it: by this, the answer is found
            return output
        await shown.result(result.output)
        if failure is not None and failure.fatal is not None:
            # For the line that says why the turn failed
            failure.fatal.add_note(f"tool {call.name}")
            raise failure.fatal
        return result.output

    def _warn_if_slow(self, tool: FunctionTool, seconds: float) -> None:
        limit = min(self.limits.tool, tool.timeout_seconds or self.limits.tool)
        if NEARLY * limit <= seconds <= limit:
            log.warning(
                "turn %s: tool %s took %.1f s of its limit of %g s (turns.limits.tool)",
                self.turn.id,
                tool.name,
                seconds,
                limit,
            )

    async def _answer_of(
        self, tool: FunctionTool, context: ToolContext[Turn], arguments: str, show: Listener
    ) -> tuple[Any, ToolFailure | None]:
        """Run a tool. One that asks the user has no other output, and has not failed."""
        is_nested = collected() is not None
        call = (context.tool_call_id, tool.name, arguments)
        asker = TurnAsker(self.turn, self.live, *call, inner=is_nested)
        with collecting() as wanted, asking(asker):
            try:
                found = await self._invoke(tool, context, arguments, show)
            except (Asked, BaseExceptionGroup):
                if not wanted.questions:
                    raise
            finally:
                await asker.close()
            self.turn.meet_context()
        if wanted.questions:
            if not is_nested:
                self.asked += wanted.questions
                self.turn.client_tool_call = self._client_call
            return waits_for(wanted.questions), None
        if wanted.call is not None and not is_nested:
            return self._ask_client(wanted.call, context.tool_call_id, found)
        return found

    def _ask_client(
        self, call: ClientToolCall, call_id: str, found: tuple[Any, ToolFailure | None]
    ) -> tuple[Any, ToolFailure | None]:
        """Keep what a tool wants of the client; refuse it if another tool came first.

        The client's output does not say for which call it is.
        """
        if self._client_call is None:
            self._client_call, self.client_call_id = call, call_id
        else:
            reason = "another tool asks the client already"
            found = ONE_AT_A_TIME, ToolFailure(ONE_AT_A_TIME, reason)
        self.turn.client_tool_call = self._client_call
        return found

    async def _invoke(
        self, tool: FunctionTool, context: ToolContext[Turn], arguments: str, show: Listener
    ) -> tuple[Any, ToolFailure | None]:
        self.busy += 1
        try:
            run = partial(self._run, tool)
            guardrails = self.guardrails
            work = invoke(tool, run, context, arguments, self.limits.tool, show, guardrails)
            output = await watch_blocking(work, partial(self._blocked, tool.name))
            return output, self._handled.get(id(context))
        except Exception as error:
            failure = await failure_of(tool, context, error)
            return failure.output, failure
        finally:
            self._handled.pop(id(context), None)
            self.busy -= 1

    async def _run(self, tool: FunctionTool, context: ToolContext[Turn], arguments: str) -> Any:
        agent = agent_of(tool)
        if agent is None:
            return await raising(tool)(context, arguments)
        return await running(tool, await self.ready(agent, nested=True))(context, arguments)

    async def report(self, call: ToolCall, result: ToolResult) -> None:
        """Pass a tool's result to the `tool_result` hooks, and record it.

        Raises `StreamFailed` for an error of theirs that is for the user, not for the model.
        """
        result.output = valid_values(result.output)
        fatal: StreamFailed | None = None
        try:
            await self.hooks.each("tool_result", turn=self.turn, call=call, result=result)
        except Exception as error:
            fatal = error if isinstance(error, StreamFailed) else None
            result.failed = True
            result.output = tool_failure(call.name, error).output
        fitted = await self._media.fitted(valid_values(as_parts(result.output)))
        result.output = cut(fitted, self.limits.tool_output)
        self.observe(call, replace(result, output=noted(result.output)))
        if fatal is not None:
            raise fatal

    async def tool_error(self, problem: ToolErrorFormatterArgs[Any]) -> str | None:
        """Return the output for the model of a tool that failed where `call` cannot see it.

        There are two such cases: a tool that does not exist, and a tool whose function calls
        another tool's function, where the SDK turns the error into text first.
        """
        if problem.kind == "tool_exception" and problem.error is not None:
            failure = tool_failure(problem.tool_name, problem.error)
            self._handled[id(problem.run_context)] = failure
            return failure.output
        if problem.kind != "tool_not_found":
            return None
        # The model made the name up
        name = valid_text(problem.tool_name)
        self._log(Quote(name), ToolFailure("", "there is no such tool"))
        call = ToolCall(problem.call_id, name, {})
        result = ToolResult(problem.default_message, failed=True)
        await self.report(call, result)
        return str(result.output)

    def is_unusable(self, item: ToolApprovalItem) -> bool:
        """Whether a call that waits for an approval will only tell the model what is wrong."""
        raw, arguments = item.raw_item, item.arguments
        if getattr(raw, "type", "") != "function_call" or arguments is None:
            return False
        limit = self.limits.tool_arguments
        return invalid_arguments(raw, arguments, limit) is not None or (
            arguments_of(arguments) is None
        )

    async def resumable(self, agent: Agent[Turn]) -> Agent[Turn]:
        """Return an agent that was made ready, so that a run which has stopped can go on with it.

        The agents that its tools run are those of this turn, where the SDK looks for them.
        """
        seen: set[int] = set()
        todo: list[Any] = [agent]
        while todo:
            current = todo.pop()
            if id(current) in seen:
                continue
            seen.add(id(current))
            for each in current.handoffs:
                target = each if isinstance(each, Agent) else handoff_target(each)
                todo += [] if target is None else [target]
            for tool in current.tools:
                inner = agent_of(tool) if isinstance(tool, FunctionTool) else None
                if inner is not None:
                    ready = await self.ready(inner, nested=True)
                    set_agent(tool, ready)
                    todo.append(ready)
        return agent

    @property
    def wanted_of_client(self) -> dict[str, Any] | None:
        """What a tool wants the client to do, for `want_again`."""
        call = self._client_call
        return None if call is None else {**call.model_dump(), "call_id": self.client_call_id}

    def want_again(
        self, of_client: dict[str, Any] | None, asked: list[StructuredInputItem]
    ) -> None:
        """Want what tools have wanted of the client or the user in a turn before."""
        self.asked += asked
        if of_client is not None:
            self._client_call = ClientToolCall(
                name=of_client["name"], arguments=of_client["arguments"]
            )
            self.client_call_id = of_client["call_id"]
            self.turn.client_tool_call = self._client_call

    def _log(self, name: str, failure: ToolFailure) -> None:
        user = self.turn.user
        cause = f"tool {name}: {failure.kind}"
        log.log(
            logging.WARNING if failure.fatal is None else logging.DEBUG,
            "turn %s: tool %s failed: %s (user %s)",
            self.turn.id,
            name,
            failure.reason,
            user_name(user.tenant, user.id),
            exc_info=failure.unexpected if log.isEnabledFor(logging.DEBUG) else None,
            extra=MAY_QUOTE | (repeats(cause, "call failed", self.turn.id) if failure.kind else {}),
        )

    def _blocked(self, tool: str, seconds: float) -> None:
        log.warning("turn %s: tool %s blocked every user for %.1f s", self.turn.id, tool, seconds)


async def _tool_error(problem: ToolErrorFormatterArgs[Any]) -> str | None:
    runner = runner_of(problem.run_context.context)
    return None if runner is None else await runner.tool_error(problem)


def _sound_input(data: CallModelData[Any]) -> ModelInputData:
    """Return what a request to a model says, as its endpoint takes it."""
    given = data.model_data
    runner = runner_of(data.context)
    if runner is None or not any("role" in item for item in given.input):
        # Without messages: the rest of the conversation is at the provider
        return given
    return ModelInputData(
        runner.input_for(data.agent, given.input),
        None if given.instructions is None else valid_text(given.instructions),
    )


def run_config(models: ModelRouter, settings: AgentSettings) -> RunConfig:
    """Return how the Agents SDK runs all turns. Tracing is off unless the settings turn it on."""
    return RunConfig(
        model_provider=models,
        tracing_disabled=not settings.tracing,
        tool_not_found_behavior="return_error_to_model",
        tool_error_formatter=_tool_error,
        call_model_input_filter=_sound_input,
        workflow_name=settings.name,
    )
