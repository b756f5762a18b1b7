"""A tool call by itself: what its hooks are told, what is recorded and logged, and what is not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from agents import (
    Agent,
    AgentsException,
    FunctionTool,
    RunConfig,
    Runner,
    ToolErrorFormatterArgs,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    ToolInputGuardrailData,
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrail,
    ToolOutputGuardrailData,
    ToolOutputGuardrailTripwireTriggered,
    UserError,
    function_tool,
)
from agents.exceptions import ToolTimeoutError
from agents.testing import ScriptedModel, assistant_message, function_call
from agents.tool_context import ToolContext
from chatkit.agents import ClientToolCall

from chatkit_server import NotFound, ToolCall, ToolResult, hookimpl
from chatkit_server.agent import sdk
from chatkit_server.agent.invocation import FatalToolError, failure_reason, invoke
from chatkit_server.agent.models import ModelRouter
from chatkit_server.agent.runner import AgentRunner
from chatkit_server.agent.shown_tools import PAUSE
from chatkit_server.agent.tools import arguments_of
from chatkit_server.mcp.manager import McpManager
from chatkit_server.mcp.progress import Calls, Progress
from chatkit_server.plugin.calls import Hooks
from chatkit_server.settings.schema import TurnLimits
from tests.recording import make_recording
from tests.test_mcp import InProcess


@dataclass
class Hook:
    """Notes what `tool_result` is told, and raises this, if it is given."""

    raises: Exception | None = None
    told: list[tuple[ToolCall, ToolResult]] = field(default_factory=list)

    @hookimpl
    async def tool_result(self, call: ToolCall, result: ToolResult) -> None:
        self.told.append((call, result))
        if self.raises is not None:
            raise self.raises


class Case:
    """The runner of a turn, and what it reports."""

    def __init__(self, hook: Hook, turn: Any, limits: TurnLimits, progress: Any) -> None:
        self.turn, self.hook, self.progress = turn, hook, progress
        self.seen: list[tuple[ToolCall, ToolResult]] = []
        hooks = Hooks.of([("hook", hook)])
        self.runner = AgentRunner(
            turn,
            hooks,
            McpManager([]),
            lambda call, result: self.seen.append((call, result)),
            limits,
            ModelRouter(hooks),
            None,
        )

    def context(self, tool: str, arguments: str = "{}") -> ToolContext[Any]:
        return ToolContext(
            self.turn, tool_name=tool, tool_call_id="call_1", tool_arguments=arguments
        )

    async def call(self, tool: FunctionTool, arguments: str = "{}") -> Any:
        return await self.runner.call(tool, self.context(tool.name, arguments), arguments)


async def make_case(hook: Hook | None = None, **limits: Any) -> Case:
    recording = await make_recording()
    recording.turn.connect(recording.recorder.emit)
    return Case(hook or Hook(), recording.turn, TurnLimits(**limits), recording.told)


@function_tool
def look_up_weather(city: str) -> str:
    """Return the weather."""
    return f"sunny in {city}"


async def test_a_call_is_shown_reported_and_recorded() -> None:
    case = await make_case()
    before = time.monotonic()
    assert await case.call(look_up_weather, '{"city": "Rome"}') == "sunny in Rome"
    [progress] = case.progress()
    assert progress["text"] == "Look up weather…"
    [(call, result)] = case.seen
    assert call == ToolCall("call_1", "look_up_weather", {"city": "Rome"}, None)
    assert (result.output, result.failed) == ("sunny in Rome", False)
    assert 0 < result.seconds <= time.monotonic() - before
    assert case.hook.told == case.seen


async def test_a_call_of_an_mcp_tool_names_its_server() -> None:
    case = await make_case()
    agent: Agent[Any] = Agent(name="a", mcp_servers=[InProcess("shop", "search")])
    [tool] = case.runner.tools_of(await case.runner.ready(agent))
    assert isinstance(tool, FunctionTool)
    await tool.on_invoke_tool(case.context(tool.name), "{}")
    [(call, _)] = case.seen
    assert (call.name, call.server) == ("search", "shop")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [("", {}), (None, {}), ("[1]", None), ("{", None), ('{"a": 1}', {"a": 1})],
)
def test_arguments_are_a_json_object_or_nothing(
    arguments: str | None, found: dict[str, Any] | None
) -> None:
    assert arguments_of(arguments) == found


async def test_the_tools_that_run_are_counted() -> None:
    case = await make_case()
    seen: list[int] = []
    both, go_on = asyncio.Event(), asyncio.Event()

    @function_tool
    async def wait() -> str:
        """Wait."""
        seen.append(case.runner.busy)
        if len(seen) == 2:
            both.set()
        await go_on.wait()
        return "done"

    calls = [asyncio.create_task(case.call(wait)) for _ in range(2)]
    await both.wait()
    assert seen == [1, 2]
    go_on.set()
    await asyncio.gather(*calls)
    assert case.runner.busy == 0


async def test_a_hook_that_fails_makes_the_call_fail() -> None:
    case = await make_case(Hook(raises=NotFound("No such city.")))
    told = "The tool look_up_weather failed: No such city."
    assert await case.call(look_up_weather, '{"city": "Rome"}') == told
    [(_, result)] = case.seen
    assert (result.output, result.failed) == (told, True)


async def test_a_tool_that_does_not_exist_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    case = await make_case()
    problem = ToolErrorFormatterArgs(
        kind="tool_not_found",
        tool_type="function",
        tool_name="invented",
        call_id="call_7",
        default_message="Tool 'invented' not found.",
        run_context=case.context("invented"),
    )
    assert await case.runner.tool_error(problem) == "Tool 'invented' not found."
    assert [call for call, _ in case.seen] == [ToolCall("call_7", "invented", {})]
    told = "turn turn_1: tool invented failed: there is no such tool (user acme/ann)"
    assert told in caplog.messages


async def test_other_errors_of_the_sdk_keep_its_words() -> None:
    case = await make_case()
    problem = ToolErrorFormatterArgs(
        kind="approval_rejected",
        tool_type="function",
        tool_name="invented",
        call_id="call_7",
        default_message="Tool execution was not approved.",
        run_context=case.context("invented"),
    )
    assert await case.runner.tool_error(problem) is None
    assert case.seen == []


@pytest.mark.parametrize(
    ("seconds", "warned"), [(0.79, False), (0.8, True), (1.0, True), (1.01, False)]
)
async def test_a_tool_that_is_nearly_too_slow_is_named(
    caplog: pytest.LogCaptureFixture, seconds: float, warned: bool
) -> None:
    case = await make_case(tool="1s")
    case.runner._warn_if_slow(look_up_weather, seconds)
    assert bool(caplog.messages) is warned


async def test_a_run_ends_where_the_client_is_to_act() -> None:
    @function_tool
    async def locate(context: ToolContext[Any]) -> str:
        """Ask the client where the user is."""
        context.context.client_tool_call = ClientToolCall(name="locate", arguments={})
        return "asked"

    case = await make_case()
    model = ScriptedModel(
        [[function_call("locate", {}, call_id="call_3")], [assistant_message("never")]]
    )
    case.turn.model = model
    agent = await case.runner.ready(Agent(name="a", tools=[locate], model=model))
    config = RunConfig(tracing_disabled=True)
    result = await Runner.run(agent, "hello", context=case.turn, run_config=config)
    assert result.final_output == "asked"
    assert case.runner.client_call_id == "call_3"


def rejecting(seen: list[Any], tripwire: bool) -> tuple[Callable[[Any], Any], Any]:
    found = (
        ToolGuardrailFunctionOutput.raise_exception("why")
        if tripwire
        else ToolGuardrailFunctionOutput.reject_content("No.")
    )

    def check(data: Any) -> ToolGuardrailFunctionOutput:
        seen.append(data)
        return found

    return check, found


async def test_guardrails_are_told_of_the_call() -> None:
    case, seen = await make_case(), list[Any]()
    check, found = rejecting(seen, tripwire=True)
    agent: Agent[Any] = Agent(name="a")
    context = case.context("look_up_weather")
    context.agent = agent
    arguments: ToolInputGuardrail[Any] = ToolInputGuardrail(guardrail_function=check)
    output: ToolOutputGuardrail[Any] = ToolOutputGuardrail(guardrail_function=check)

    async def run(context: Any, arguments: str) -> str:
        return "sunny"

    def tool(**guardrails: Any) -> FunctionTool:
        return FunctionTool("t", "T", {}, run, **guardrails)

    with pytest.raises(FatalToolError) as raised:
        await invoke(tool(tool_input_guardrails=[arguments]), run, context, "{}", 9, _unseen)
    error = raised.value.error
    assert isinstance(error, ToolInputGuardrailTripwireTriggered)
    assert (error.guardrail, error.output) == (arguments, found)
    assert str(raised.value) == str(error)
    with pytest.raises(FatalToolError) as raised:
        await invoke(tool(tool_output_guardrails=[output]), run, context, "{}", 9, _unseen)
    error = raised.value.error
    assert isinstance(error, ToolOutputGuardrailTripwireTriggered)
    assert (error.guardrail, error.output) == (output, found)
    told_before, told_after = seen
    assert isinstance(told_before, ToolInputGuardrailData)
    assert isinstance(told_after, ToolOutputGuardrailData)
    assert told_before.context is told_after.context is context
    assert told_before.agent is told_after.agent is agent
    assert told_after.output == "sunny"


async def test_a_call_that_a_guardrail_rejects_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    case = await make_case()
    check, _ = rejecting([], tripwire=False)

    @function_tool(tool_input_guardrails=[ToolInputGuardrail(guardrail_function=check)])
    def pay() -> str:
        """Pay."""
        return "paid"

    assert await case.call(pay) == "No."
    told = "turn turn_1: tool pay failed: a guardrail rejected the call (user acme/ann)"
    assert told in caplog.messages


async def test_an_authors_own_words_are_told_the_call() -> None:
    told: list[Any] = []

    def words(context: Any, error: Exception) -> str:
        told.append((context.tool_call_id, type(error)))
        return "Sorry."

    @function_tool(failure_error_function=words)
    def explode() -> str:
        """Explode."""
        raise ZeroDivisionError

    case = await make_case()
    assert await case.call(explode) == "Sorry."
    assert told == [("call_1", ZeroDivisionError)]


async def test_a_timeout_that_is_to_end_the_run_names_its_tool() -> None:
    @function_tool(timeout=0.01, timeout_behavior="raise_exception")
    async def strict() -> str:
        """Take for ever."""
        return str(await asyncio.Event().wait())

    case = await make_case()
    with pytest.raises(ToolTimeoutError):
        await case.call(strict)
    [(_, result)] = case.seen
    assert (result.output, result.failed) == ("The tool strict failed: it took too long", True)


def wrapped_by_the_sdk(cause: BaseException | None) -> AgentsException:
    error = AgentsException("quotes hunter2")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (wrapped_by_the_sdk(ZeroDivisionError("hunter2")), "an unexpected ZeroDivisionError"),
        (wrapped_by_the_sdk(NotFound("No such city.")), "No such city."),
        (wrapped_by_the_sdk(None), "quotes hunter2"),
        (UserError("its own words"), "its own words"),
    ],
    ids=repr,
)
def test_the_reason_of_an_error_that_the_sdk_wraps(error: Exception, reason: str) -> None:
    assert failure_reason(error) == reason


async def test_only_a_tool_made_of_an_agent_runs_another() -> None:
    inner = ScriptedModel([[assistant_message("inner words")]])
    expert: Agent[Any] = Agent(name="expert", model=ScriptedModel([]))
    tool = expert.as_tool(tool_name="ask", tool_description="Ask.")
    assert isinstance(tool, FunctionTool)
    other = expert.clone(model=inner)
    context = (await make_case()).context("ask", '{"input": "Rome?"}')
    context.run_config = RunConfig(tracing_disabled=True)
    assert await sdk.running(tool, other)(context, '{"input": "Rome?"}') == "inner words"
    with pytest.raises(UserError, match="keeps the agent of look_up_weather elsewhere"):
        sdk.running(look_up_weather, other)


async def test_a_call_without_a_record_is_not_paused() -> None:
    assert not sdk.is_paused((await make_case()).context("ask"))


async def test_what_another_tool_made_of_an_error_is_forgotten_with_its_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @function_tool
    def explode() -> str:
        """Explode."""
        raise ZeroDivisionError

    case = await make_case()

    @function_tool
    async def around(context: ToolContext[Any]) -> str:
        """Call another tool."""
        context.run_config = RunConfig(tool_error_formatter=case.runner.tool_error)
        return str(await explode.on_invoke_tool(context, "{}"))

    with caplog.at_level(logging.WARNING, "chatkit_server"):
        await case.call(around)
    assert case.seen[0][1].failed
    assert case.runner._handled == {}


def _unseen(progress: Progress) -> None:
    raise AssertionError("nothing reports progress")


async def test_progress_is_shown_now_and_then_and_extends_the_time() -> None:
    """The tool takes longer than `turns.limits.tool`, and reports all the time."""
    case = await make_case(tool="300ms")
    calls = Calls(10.0, 20.0)
    calls.are_read = True

    @function_tool
    async def long_work() -> str:
        """Work for long."""
        async with calls.timed(None) as meta:
            assert meta is not None
            for step in range(50):
                calls.notify({**meta, "progress": step, "total": 50, "message": "step"})
                await asyncio.sleep(0.01)
        return "done"

    began = time.monotonic()
    assert await case.call(long_work) == "done"
    seconds = time.monotonic() - began
    first, *shown = [progress["text"] for progress in case.progress()]
    assert first == "Long work…"
    assert shown[0] == "Long work: step (0%)"
    assert len(shown) <= 1 + seconds / PAUSE
    case.runner.dismiss()
