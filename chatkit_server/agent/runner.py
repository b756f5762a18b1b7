"""The agent of a turn, and how its tools are called."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from agents import (
    FunctionTool,
    FunctionToolResult,
    RunConfig,
    RunContextWrapper,
    ToolErrorFormatterArgs,
    ToolsToFinalOutputResult,
)
from agents.items import ToolApprovalItem
from agents.run import CallModelData, ModelInputData
from agents.tool_context import ToolContext
from chatkit.agents import ClientToolCall
from chatkit.types import StructuredInputItem

from ..asking import Asked, collected, collecting
from ..errors import EndTurn, ServerError
from ..known_errors import StreamFailed
from ..lines import user_name
from ..mcp.elicitation import asking
from ..mcp.manager import McpManager
from ..mcp.progress import Listener
from ..plugin.call import NEARLY
from ..plugin.calls import Hooks
from ..records import MAY_QUOTE, Quote, repeats
from ..settings.schema import AgentSettings, TurnLimits
from ..tasks import watch_blocking
from ..text import valid_text, valid_values
from ..turn import ToolCall, ToolResult, Turn
from .asked import ids_in, stops_at, waits_for
from .asker import LiveQuestions, TurnAsker
from .fast.direct import EventSink
from .handovers import Handovers
from .invocation import (
    ToolFailure,
    failure_of,
    invalid_arguments,
    invoke,
    tool_failure,
    unusable,
)
from .media import Media, as_parts, noted
from .models import ModelRouter
from .ready import ReadyAgents
from .sdk import (
    agent_of,
    forget_paused,
    is_paused,
    mcp_server_name,
    raising,
    running,
)
from .shown_tools import ShownTools
from .team.guardrails import Guardrails
from .tools import arguments_of, cut, is_object, runner_of

log = logging.getLogger(__name__)

ONE_AT_A_TIME = (
    "This was not done: the user's page does one thing at a time, and another tool has asked it to "
    "do something. Call this tool again when that is done."
)
"""The output of a tool that wants the client to act beside another one, for the model."""


class AgentRunner(ReadyAgents):
    """Calls the tools of the agents of one turn, which it has made ready.

    All tool calls go through `call`; `busy` counts those that run.
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
        super().__init__(turn, servers, models, sink, settings.approval, guardrails)
        self.hooks = hooks
        self.observe = observe
        self.limits = limits
        self._media = Media(settings.images)
        self.shown = ShownTools(turn, settings)
        self.handovers = Handovers(self.shown)
        self.busy = 0
        self.client_call_id: str | None = None
        self._client_call: ClientToolCall | None = None
        self.asked: list[StructuredInputItem] = []
        self.asked_within: dict[str, list[StructuredInputItem]] = {}
        """What was asked within calls whose agents also wait for an approval, by call."""
        self.live = LiveQuestions()
        self._handled: dict[int, ToolFailure] = {}
        turn._events.runner = self

    def dismiss(self) -> None:
        """Drop the references to the turn and the agents, which are a cycle."""
        self.turn._events.runner = None
        self.turn._events.close()
        self.shown.stop()
        forget_paused(self.turn.run_context)
        self.let_go()

    async def stop_if_asked(
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
        if failure is None and ids_in(output):
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
            # The run within ends where it would have ended before
            wanted.questions += self.asked_within.pop(context.tool_call_id, ())
            try:
                found = await self._invoke(tool, context, arguments, show)
            except (Asked, BaseExceptionGroup):
                if not wanted.questions:
                    raise
            finally:
                await asker.close()
            self.turn.meet_context()
        if wanted.questions:
            if not is_nested and is_paused(context):
                self.asked_within[context.tool_call_id] = wanted.questions
            elif not is_nested:
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

        Raises their `EndTurn`, and `StreamFailed` for an error that is for the user, not for the
        model.
        """
        result.output = valid_values(result.output)
        fatal: ServerError | None = None
        try:
            await self.hooks.each("tool_result", turn=self.turn, call=call, result=result)
        except Exception as error:
            fatal = error if isinstance(error, StreamFailed | EndTurn) else None
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

    @property
    def wanted_of_client(self) -> dict[str, Any] | None:
        """What a tool wants the client to do, for `want_again`."""
        call = self._client_call
        return None if call is None else {**call.model_dump(), "call_id": self.client_call_id}

    def want_again(
        self,
        of_client: dict[str, Any] | None,
        asked: list[StructuredInputItem],
        within: dict[str, list[StructuredInputItem]],
    ) -> None:
        """Want what tools have wanted of the client or the user in a turn before."""
        self.asked += asked
        self.asked_within |= within
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
