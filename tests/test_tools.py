"""Tools that fail, and agents used as tools."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import ref

import pytest
from agents import (
    Agent,
    FunctionTool,
    GuardrailFunctionOutput,
    InputGuardrail,
    RunConfig,
    RunContextWrapper,
    Tool,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    ToolOutputGuardrail,
    function_tool,
    handoff,
)
from agents.mcp import MCPServer
from agents.tool_context import ToolContext
from chatkit.agents import ClientToolCall
from mcp.types import CallToolResult, TextContent
from mcp.types import Tool as McpTool

from chatkit_server import NotFound, ToolCall, ToolResult, Turn, hookimpl
from chatkit_server.testing.model_server import Call, ModelServer
from chatkit_server.web.keys import ENGINE
from tests.conftest import MakeChat
from tests.serving import served_by
from tests.test_mcp import InProcess
from tests.test_turns import Tools, Watch, explode, told, weather


@pytest.fixture
def failures(caplog: pytest.LogCaptureFixture) -> Callable[[], list[logging.LogRecord]]:
    """Return a function that returns what the server logged of tools."""
    return lambda: [
        record
        for record in caplog.records
        if record.name.startswith("chatkit_server") and record.levelno >= logging.WARNING
    ]


class McpServer(InProcess):
    """An MCP server whose one tool, `search`, answers with an error."""

    def __init__(self, **told: Any) -> None:
        super().__init__("shop", "search", **told)

    async def call_tool(self, tool_name: str, arguments: Any, meta: Any = None) -> CallToolResult:
        if self.fails is not None:
            raise self.fails
        text = TextContent(type="text", text="The shop is closed.")
        return CallToolResult(content=[text], is_error=True)


class Strange(McpServer):
    """An MCP server that breaks."""

    async def call_tool(self, tool_name: str, arguments: Any, meta: Any = None) -> CallToolResult:
        raise ZeroDivisionError("password hunter2")


@function_tool
async def lookup(key: str) -> str:
    """Look up."""
    raise NotFound(f"There is no {key}.")


@function_tool
async def cancelled() -> str:
    """Cancel itself."""
    raise asyncio.CancelledError


@function_tool(timeout=0.01)
async def impatient() -> str:
    """Take for ever."""
    return str(await asyncio.Event().wait())


@function_tool(timeout=0.01, timeout_error_function=lambda context, error: "Be quicker.")
async def hasty() -> str:
    """Take for ever."""
    return str(await asyncio.Event().wait())


@function_tool
async def endless() -> str:
    """Take for ever."""
    return str(await asyncio.Event().wait())


def own_words(context: RunContextWrapper[Any], error: Exception) -> str:
    return f"Sorry: {type(error).__name__}."


async def own_words_later(context: RunContextWrapper[Any], error: Exception) -> str:
    await asyncio.sleep(0)
    return own_words(context, error)


def no_words(context: RunContextWrapper[Any], error: Exception) -> str:
    raise LookupError("nothing to say")


def failing(**options: Any) -> FunctionTool:
    async def explode(fuse: int) -> str:
        """Explode."""
        raise ZeroDivisionError(f"fuse {fuse}, password hunter2")

    tool: FunctionTool = function_tool(**options)(explode)
    return tool


def guarded(
    arguments: ToolGuardrailFunctionOutput | None = None,
    output: ToolGuardrailFunctionOutput | None = None,
) -> FunctionTool:
    @function_tool
    async def weather(city: str) -> str:
        """Tell the weather."""
        return f"sunny in {city}"

    if arguments is not None:
        weather.tool_input_guardrails = [ToolInputGuardrail(lambda data: arguments)]
    if output is not None:
        weather.tool_output_guardrails = [ToolOutputGuardrail(lambda data: output)]
    return weather


def around(tool: FunctionTool) -> FunctionTool:
    """Return a tool whose function calls that of another tool, as a plugin may make it."""
    original = tool.on_invoke_tool

    async def invoke(context: ToolContext[Any], arguments: str) -> Any:
        return f"It said: {await original(context, arguments)}"

    return FunctionTool(tool.name, tool.description, tool.params_json_schema, invoke)


REJECTED = ToolGuardrailFunctionOutput.reject_content("Not on Sundays.")
FATAL = ToolGuardrailFunctionOutput.raise_exception()
FUSE = Call("explode", {"fuse": 3})
ROME = Call("weather", {"city": "Rome"})


@function_tool
async def exits() -> str:
    """Exit."""
    raise SystemExit(3)


@dataclass
class Case:
    """A call that fails: the tool or its MCP server, the words for the model, and for the log."""

    tool: FunctionTool | MCPServer | None
    call: Call
    told: str
    logged: str
    traceback: bool = False


UNEXPECTED = "The tool explode failed: an unexpected ZeroDivisionError"
CASES = {
    "raises": Case(explode, FUSE, UNEXPECTED, "ZeroDivisionError", True),
    "no function for failures": Case(
        failing(failure_error_function=None), FUSE, UNEXPECTED, "ZeroDivisionError", True
    ),
    "a function for failures": Case(
        failing(failure_error_function=own_words),
        FUSE,
        "Sorry: ZeroDivisionError.",
        "ZeroDivisionError",
        True,
    ),
    "an async one": Case(
        failing(failure_error_function=own_words_later),
        FUSE,
        "Sorry: ZeroDivisionError.",
        "ZeroDivisionError",
        True,
    ),
    "a failing one": Case(
        failing(failure_error_function=no_words),
        FUSE,
        "The tool explode failed: an unexpected LookupError",
        "LookupError",
        True,
    ),
    "raises in a tool around it": Case(
        around(explode), FUSE, f"It said: {UNEXPECTED}", "ZeroDivisionError", True
    ),
    "the server's own error": Case(
        lookup,
        Call("lookup", {"key": "milk"}),
        "The tool lookup failed: There is no milk.",
        "There is no milk.",
    ),
    "no JSON": Case(
        explode,
        Call("explode", "{not json"),
        "The tool explode failed: its arguments are not a JSON object. They begin with: {not json",
        "its arguments are not a JSON object",
    ),
    "does not fit the schema": Case(
        explode,
        Call("explode", {"fuse": "a string"}),
        "The tool explode failed: $.fuse: 'a string' is not of type 'integer'",
        "Invalid JSON input",
    ),
    "unknown": Case(
        None, Call("invented", {"a": 1}), "Tool 'invented' not found.", "there is no such tool"
    ),
    "its own timeout": Case(
        impatient, Call("impatient"), "The tool impatient failed: it took too long", "timed out"
    ),
    "its own words for a timeout": Case(hasty, Call("hasty"), "Be quicker.", "timed out"),
    "the server's limit": Case(
        endless, Call("endless"), "The tool endless failed: it took too long", "timed out"
    ),
    "cancelled": Case(
        cancelled, Call("cancelled"), "The tool cancelled failed: it was cancelled", "cancelled"
    ),
    "exits": Case(
        exits, Call("exits"), "The tool exits failed: it tried to exit", "it called sys.exit(3)"
    ),
    "arguments that a guardrail rejects": Case(
        guarded(arguments=REJECTED), ROME, "Not on Sundays.", "guardrail"
    ),
    "output that a guardrail rejects": Case(
        guarded(output=REJECTED), ROME, "Not on Sundays.", "guardrail"
    ),
    "an error of an MCP server": Case(
        McpServer(),
        Call("search"),
        "The tool search failed: The shop is closed.",
        "The shop is closed.",
    ),
    "a broken MCP server": Case(
        Strange(),
        Call("search"),
        "The tool search failed: `shop` failed with an unexpected error.",
        "`shop` failed",
        True,
    ),
}


class Has:
    """Gives every turn this tool, or the tools of this MCP server."""

    def __init__(self, tool: Tool | MCPServer | None) -> None:
        self.tool = tool

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        if isinstance(self.tool, MCPServer):
            turn.mcp_servers.append(self.tool)
        elif self.tool is not None:
            turn.tools.append(self.tool)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_tool_that_fails_has_failed_for_hooks_and_log(
    make_chat: MakeChat,
    model_server: ModelServer,
    failures: Callable[[], list[logging.LogRecord]],
    caplog: pytest.LogCaptureFixture,
    case: Case,
) -> None:
    level = logging.DEBUG if case.traceback else logging.INFO
    caplog.set_level(level, "chatkit_server.agent.runner")
    watch = Watch()
    limits = {"limits": {"tool": "100ms"}} if case.tool is endless else {}
    chat = await make_chat(Has(case.tool), watch, **served_by(model_server), turns=limits)
    model_server.reply(case.call)
    model_server.reply("Never mind.")
    streamed = await chat.say("go")
    assert (streamed.text, streamed.error) == ("Never mind.", None)
    assert told(model_server.requests[-1])[-1] == ("tool", case.told)
    [(call, result)] = watch.results
    assert (call.name, result.output, result.failed) == (case.call.name, case.told, True)
    await watch.ended.wait()
    assert watch.outcomes[0].tools == [(call, result)]
    [record] = failures()
    begin = f"turn {streamed.response.headers['X-Turn-Id']}: tool {case.call.name} failed: "
    assert record.getMessage().startswith(begin)
    assert case.logged in record.getMessage()
    assert bool(record.exc_info) is case.traceback
    if case.traceback:
        assert "hunter2" not in str(told(model_server.requests[-1]))


@function_tool(timeout=0.01, timeout_behavior="raise_exception")
async def strict() -> str:
    """Take for ever."""
    return str(await asyncio.Event().wait())


@pytest.mark.parametrize(
    ("tool", "call"),
    [
        (guarded(arguments=FATAL), ROME),
        (guarded(output=FATAL), ROME),
        (strict, Call("strict")),
    ],
    ids=["arguments", "output", "timeout"],
)
async def test_a_failure_that_is_to_end_the_turn_is_reported_before(
    make_chat: MakeChat, model_server: ModelServer, tool: FunctionTool, call: Call
) -> None:
    watch = Watch()
    chat = await make_chat(Has(tool), watch, **served_by(model_server))
    model_server.reply(call)
    streamed = await chat.say("go")
    assert streamed.error is not None
    assert len(model_server.requests) == 1
    await watch.ended.wait()
    [(_, result)] = watch.outcomes[0].tools
    assert result.failed
    assert watch.outcomes[0].status == "failed"


async def test_a_tool_that_works_has_not_failed(
    make_chat: MakeChat,
    model_server: ModelServer,
    failures: Callable[[], list[logging.LogRecord]],
) -> None:
    allowed = ToolGuardrailFunctionOutput.allow()
    watch = Watch()
    chat = await make_chat(Has(guarded(allowed, allowed)), watch, **served_by(model_server))
    model_server.reply(ROME)
    model_server.reply("Sunny.")
    assert (await chat.say("go")).text == "Sunny."
    [(_, result)] = watch.results
    assert (result.output, result.failed) == ("sunny in Rome", False)
    assert not failures()


# Agents used as tools


class Redact:
    """Takes the name of a city out of all results."""

    @hookimpl
    async def tool_result(self, call: ToolCall, result: ToolResult) -> None:
        result.output = result.output.replace("Rome", "***")


class Search(InProcess):
    """An MCP server whose one tool finds Rome."""

    def __init__(self) -> None:
        super().__init__("web", "search")

    async def list_tools(self, run_context: Any = None, agent: Any = None) -> list[McpTool]:
        return [McpTool(name="search", input_schema={"type": "object"})]

    async def call_tool(self, tool_name: str, arguments: Any, meta: Any = None) -> CallToolResult:
        return CallToolResult(content=[TextContent(type="text", text="found Rome")])


def as_tool(agent: Agent[Any], **options: Any) -> Tool:
    return agent.as_tool(tool_name=agent.name, tool_description="Ask.", **options)


def ask(name: str) -> Call:
    return Call(name, {"input": "Rome?"})


async def nothing(event: Any) -> None:
    pass


def _direct(**options: Any) -> tuple[Tool, list[Call]]:
    expert = Agent[Turn](name="expert", tools=[weather], **options)
    return as_tool(expert), [ask("expert"), ROME]


def _streamed() -> tuple[Tool, list[Call]]:
    expert = Agent[Turn](name="expert", tools=[weather])
    return as_tool(expert, on_stream=nothing), [ask("expert"), ROME]


def _own_run_config() -> tuple[Tool, list[Call]]:
    expert = Agent[Turn](name="expert", tools=[weather])
    config = RunConfig(tracing_disabled=True)
    return as_tool(expert, run_config=config), [ask("expert"), ROME]


def _of_mcp() -> tuple[Tool, list[Call]]:
    expert = Agent[Turn](name="expert", mcp_servers=[Search()])
    return as_tool(expert), [ask("expert"), Call("search")]


def _deeper() -> tuple[Tool, list[Call]]:
    inner = Agent[Turn](name="inner", tools=[weather])
    expert = Agent[Turn](name="expert", tools=[as_tool(inner)])
    return as_tool(expert), [ask("expert"), ask("inner"), ROME]


def _handed_over() -> tuple[Tool, list[Call]]:
    other = Agent[Turn](name="other", tools=[weather])
    expert = Agent[Turn](name="expert", handoffs=[other])
    return as_tool(expert), [ask("expert"), Call("transfer_to_other"), ROME]


def _handed_over_by_function() -> tuple[Tool, list[Call]]:
    other = Agent[Turn](name="other", tools=[weather])
    expert = Agent[Turn](name="expert", handoffs=[handoff(other)])
    return as_tool(expert), [ask("expert"), Call("transfer_to_other"), ROME]


@pytest.mark.parametrize("fast_path", [True, False], ids=["fast", "slow"])
@pytest.mark.parametrize(
    "made",
    [
        _direct(),
        _direct(model="test/other"),
        _streamed(),
        _own_run_config(),
        _of_mcp(),
        _deeper(),
        _handed_over(),
        _handed_over_by_function(),
    ],
    ids=[
        "direct",
        "with a model",
        "streamed",
        "own run config",
        "of an MCP server",
        "two deep",
        "handed over",
        "handed over by a function",
    ],
)
async def test_tools_of_an_agent_used_as_a_tool_go_through_the_turn(
    make_chat: MakeChat, model_server: ModelServer, made: Any, fast_path: bool
) -> None:
    tool, calls = made
    watch = Watch()
    sections = served_by(model_server, fast_path=fast_path)
    chat = await make_chat(Redact(), watch, Tools(tool), **sections)
    for call in calls:
        model_server.reply(call)
    for _ in [call for call in calls if not call.name.startswith("transfer")][1:]:
        model_server.reply("Inner words.")
    model_server.reply("Outer ", "words.")
    streamed = await chat.say("Rome?")
    assert (streamed.text, streamed.error) == ("Outer words.", None)
    [message] = streamed.done("assistant_message")
    assert [part["text"] for part in message["content"]] == ["Outer words."]
    names = [call.name for call in reversed(calls) if not call.name.startswith("transfer")]
    assert [call.name for call, _ in watch.results] == names
    inner = watch.results[0][1]
    assert (inner.failed, "Rome" in inner.output, "***" in inner.output) == (False, False, True)
    said = [text for request in model_server.requests for _, text in told(request)]
    assert not [text for text in said if "Rome" in text and text != "Rome?"]
    await watch.ended.wait()
    assert watch.outcomes[0].tools == watch.results
    assert watch.outcomes[0].usage.requests == len(model_server.requests)
    assert not model_server.script


async def test_an_agent_may_use_itself_as_a_tool(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    expert = Agent[Turn](name="expert")
    expert.tools = [as_tool(expert), weather]
    watch = Watch()
    chat = await make_chat(watch, Tools(as_tool(expert)), **served_by(model_server))
    for part in (ask("expert"), ask("expert"), ROME, "Sunny.", "Sunny, it says.", "Sun."):
        model_server.reply(part)
    assert (await chat.say("Rome?")).text == "Sun."
    assert [call.name for call, _ in watch.results] == ["weather", "expert", "expert"]


async def test_a_tool_that_fails_within_another_agent_is_logged_with_the_turn(
    make_chat: MakeChat,
    model_server: ModelServer,
    failures: Callable[[], list[logging.LogRecord]],
) -> None:
    expert = Agent[Turn](name="expert", tools=[explode])
    watch = Watch()
    chat = await make_chat(watch, Tools(as_tool(expert)), **served_by(model_server))
    model_server.reply(ask("expert"))
    model_server.reply(FUSE)
    model_server.reply("It broke.")
    model_server.reply("Too bad.")
    streamed = await chat.say("go")
    assert streamed.text == "Too bad."
    assert [(call.name, result.failed) for call, result in watch.results] == [
        ("explode", True),
        ("expert", False),
    ]
    [record] = failures()
    assert streamed.response.headers["X-Turn-Id"] in record.getMessage()


def no_rome(*_: Any) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(None, tripwire_triggered=True)


@pytest.mark.parametrize(
    ("expert", "words"),
    [
        (Agent[Turn](name="expert", model="gone/model"), "no enabled plugin serves"),
        (
            Agent[Turn](name="expert", input_guardrails=[InputGuardrail(no_rome)]),
            "tripwire",
        ),
    ],
    ids=["unknown model", "guardrail"],
)
async def test_an_agent_that_fails_as_a_tool_has_failed(
    make_chat: MakeChat, model_server: ModelServer, expert: Agent[Turn], words: str
) -> None:
    watch = Watch()
    chat = await make_chat(watch, Tools(as_tool(expert)), **served_by(model_server))
    model_server.reply(ask("expert"))
    model_server.reply("Too bad.")
    streamed = await chat.say("go")
    assert streamed.error is None
    [(_, result)] = watch.results
    assert result.failed
    assert words in result.output


async def test_an_inner_agent_may_ask_the_client_to_act(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    @function_tool
    async def open_map(context: RunContextWrapper[Turn]) -> str:
        """Open the map."""
        context.context.client_tool_call = ClientToolCall(name="open_map", arguments={})
        return "asked"

    expert = Agent[Turn](name="expert", tools=[open_map])
    chat = await make_chat(Tools(as_tool(expert)), **served_by(model_server))
    model_server.reply(Call("expert", {"input": "Rome?"}))
    model_server.reply(Call("open_map"))
    streamed = await chat.say("Rome?")
    [item] = streamed.done("client_tool_call")
    model_server.reply("There it is.")
    again = await chat.stream(
        "threads.add_client_tool_output", thread_id=streamed.thread_id, result={"shown": True}
    )
    assert again.text == "There it is."
    [call] = model_server.requests[-1].body["messages"][-2]["tool_calls"]
    assert (call["function"]["name"], call["id"]) == ("expert", item["call_id"])
    assert told(model_server.requests[-1])[-1] == ("tool", '{"shown": true}')


# Inner agents that wait for an approval


@function_tool(needs_approval=True)
async def send_mail(to: str) -> str:
    """Send a mail."""
    raise AssertionError("not approved")


async def test_an_inner_agent_that_waits_is_not_found_by_another_turn(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    expert = Agent[Turn](name="expert", tools=[send_mail])
    chat = await make_chat(Tools(as_tool(expert)), **served_by(model_server))
    call = Call("expert", {"input": "Write."}, id="call_0")
    model_server.reply(call)
    model_server.reply(Call("send_mail", {"to": "ann"}, id="call_0"))
    assert (await chat.say("Write to Ann")).done("widget")
    chat.headers["X-User"] = "bob"
    model_server.reply(call)
    model_server.reply("I write to nobody.")
    model_server.reply("Nobody.")
    assert (await chat.say("Write to Ann")).text == "Nobody."


async def test_an_inner_agent_that_waits_is_not_kept_after_its_turn(
    make_chat: MakeChat,
    model_server: ModelServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A cancelled timer would keep the turn for a while, and a logged traceback would
    monkeypatch.setattr(asyncio.base_events, "_MIN_SCHEDULED_TIMER_HANDLES", 0)
    monkeypatch.setattr(asyncio.base_events, "_MIN_CANCELLED_TIMER_HANDLES_FRACTION", 0)
    caplog.set_level(logging.CRITICAL, "chatkit_server")
    turns: asyncio.Queue[ref[Turn]] = asyncio.Queue()

    class Last:
        @hookimpl
        async def post_turn(self, turn: Turn) -> None:
            turns.put_nowait(ref(turn))

    expert = Agent[Turn](name="expert", tools=[send_mail])
    chat = await make_chat(Last(), Tools(as_tool(expert)), **served_by(model_server))
    model_server.reply(ask("expert"))
    model_server.reply(Call("send_mail", {"to": "ann"}))
    assert (await chat.say("Write to Ann")).done("widget")
    turn = await turns.get()
    engine = chat.client.server.app[ENGINE]  # type: ignore[attr-defined]
    [*_] = [await running.ended() for running in engine.turns.active]
    gc.collect()
    assert turn() is None
