"""What every path to a model has to do, checked against the model server."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from agents import (
    Agent,
    Model,
    ModelSettings,
    RunConfig,
    Runner,
    RunResultStreaming,
    Tool,
    TResponseInputItem,
    Usage,
    function_tool,
)
from agents.exceptions import ModelRefusalError
from openai.types.responses import ResponseTextDeltaEvent

from chatkit_server import ServerError, TurnFailed
from chatkit_server.testing.model_server import (
    KEEP_ALIVE,
    Break,
    Call,
    End,
    Error,
    Failure,
    Gate,
    ModelServer,
    Raw,
    Reasoning,
    Refusal,
    Text,
)
from chatkit_server.turns import failures
from chatkit_server.turns.failures import explain

# For tests that wait for a timeout; where none is expected, a busy machine must not make one.
QUICK = {"first_byte": "300ms", "silence": "300ms"}
KEY = "sk-very-secret-0123456789abcdef"


@function_tool
def add_task(title: str) -> str:
    """Add a task."""
    return f"added {title}"


@dataclass
class Run:
    """What came of a run: the pieces of text, and the rest as the SDK gives it."""

    pieces: list[str]
    result: RunResultStreaming

    @property
    def usage(self) -> Usage:
        return self.result.context_wrapper.usage


async def run(
    model: Model,
    said: str | list[TResponseInputItem] = "hello",
    tools: list[Tool] | None = None,
    max_turns: int = 10,
    settings: ModelSettings | None = None,
) -> Run:
    """Run an agent with this model to its end."""
    agent = Agent(
        name="a",
        instructions="Be brief.",
        model=model,
        model_settings=settings or ModelSettings(),
        tools=tools or [],
    )
    config = RunConfig(tracing_disabled=True)
    result = Runner.run_streamed(agent, said, max_turns=max_turns, run_config=config)
    pieces = [
        event.data.delta
        async for event in result.stream_events()
        if event.type == "raw_response_event" and isinstance(event.data, ResponseTextDeltaEvent)
    ]
    return Run(pieces, result)


async def failure(model: Model, **options: Any) -> ServerError:
    """Run an agent that fails, and return what the user is told."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        await run(model, **options)
    told = explain(caught.value)
    for secret in (KEY, "127.0.0.1", "Traceback", "Error(", "secret-text"):
        assert secret not in told.message
    return told


@dataclass(frozen=True)
class Case:
    """What the model server does, and what the user is told of it."""

    prepare: Callable[[ModelServer], object]
    message: str
    retry: bool = False

    @property
    def timeouts(self) -> dict[str, str]:
        """The timeouts to use."""
        return QUICK if self.message == failures.TIMEOUT else {}


def _raw(status: int, text: str) -> Callable[[ModelServer], None]:
    failure = Failure(status, raw=text, headers={"Content-Type": "text/html"})
    return lambda server: server.script.append(failure)


CASES = {
    "wrong key": Case(
        lambda s: s.fail(401, f"Incorrect API key provided: {KEY}", code="invalid_api_key"),
        failures.WRONG_KEY,
    ),
    "wrong key, as Gemini says it": Case(
        _raw(400, '[{"error": {"code": 400, "message": "API key not valid. Please pass one."}}]'),
        failures.WRONG_KEY,
    ),
    "no permission": Case(lambda s: s.fail(403, "secret-text"), failures.NO_PERMISSION),
    "no quota": Case(
        lambda s: s.fail(429, "You exceeded your current quota", code="insufficient_quota"),
        failures.NO_QUOTA,
    ),
    "unknown model": Case(
        lambda s: s.fail(404, "The model `x` does not exist", code="model_not_found"),
        failures.UNKNOWN_MODEL,
    ),
    "rate limit": Case(
        lambda s: s.fail(429, "Slow down", headers={"Retry-After": "7"}),
        failures.RATE_LIMIT.replace("a minute", "7 seconds"),
        retry=True,
    ),
    "context too long": Case(
        lambda s: s.fail(400, "maximum context length is 8192", code="context_length_exceeded"),
        failures.TOO_LONG,
    ),
    "refused request": Case(
        lambda s: s.fail(400, "The response was filtered", code="content_filter"),
        failures.CONTENT_REFUSED,
    ),
    "other bad request": Case(
        lambda s: s.fail(400, "secret-text is no temperature"), failures.REFUSED_REQUEST
    ),
    "internal error": Case(lambda s: s.fail(500, "secret-text"), failures.PROVIDER_DOWN, True),
    "overloaded": Case(lambda s: s.fail(503, "overloaded"), failures.PROVIDER_DOWN, True),
    "down behind a proxy": Case(_raw(502, "<html>secret-text"), failures.PROVIDER_DOWN, True),
    "error in the stream": Case(
        lambda s: s.reply("Let ", Error("secret-text", "server_error")),
        failures.PROVIDER_DOWN,
        retry=True,
    ),
    "rate limit in the stream": Case(
        lambda s: s.reply(Error("secret-text", "rate_limit_exceeded")),
        failures.RATE_LIMIT,
        retry=True,
    ),
    "ended in the middle": Case(lambda s: s.reply("Let ", End()), failures.BROKEN_OFF, True),
    "broke off in the middle": Case(lambda s: s.reply("Let ", Break()), failures.BROKEN_OFF, True),
    "broke off in a tool call": Case(
        lambda s: s.reply(Call("add_task", {"title": "milk"}), End()), failures.BROKEN_OFF, True
    ),
    "bytes that are no text": Case(
        lambda s: s.reply("Let ", Raw(b"data: \xff\xfe\n\n")), failures.NONSENSE, True
    ),
    "text that is no JSON": Case(
        lambda s: s.reply("Let ", Raw(b"data: secret-text {\n\n")), failures.NONSENSE, True
    ),
    "JSON that is no piece": Case(
        lambda s: s.reply("Let ", Raw(b"data: 42\n\n")), failures.NONSENSE, True
    ),
    "silence before the answer": Case(
        lambda s: s.reply("Let ", hold=Gate()), failures.TIMEOUT, retry=True
    ),
    "silence in the answer": Case(
        lambda s: s.reply("Let ", KEEP_ALIVE, Gate()), failures.TIMEOUT, retry=True
    ),
    "filtered before any text": Case(
        lambda s: s.reply(finish="content_filter"), failures.CONTENT_REFUSED
    ),
    "filtered in the middle": Case(
        lambda s: s.reply("Let ", finish="content_filter"), failures.CONTENT_REFUSED
    ),
    "cut off": Case(lambda s: s.reply("Let ", finish="length"), failures.CUT_OFF),
    "a tool that is not there": Case(
        lambda s: s.reply(Call("remove_all")), failures.UNKNOWN_TOOL, retry=True
    ),
}


async def check_case(
    case: Case, server: ModelServer, model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    """The failure is raised with the right message, and left to the core to log."""
    case.prepare(server)
    told = await failure(model)
    assert isinstance(told, TurnFailed)
    assert (told.message, told.allow_retry) == (case.message, case.retry)
    assert len(server.requests) == 1
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def check_text(server: ModelServer, model: Model) -> None:
    """Text comes piece by piece, and the tokens used are known."""
    server.reply(Text("Hel", "lo ", "you"), KEEP_ALIVE)
    ran = await run(model)
    assert ran.pieces == ["Hel", "lo ", "you"]
    assert ran.result.final_output == "Hello you"
    assert ran.usage.input_tokens > 0
    assert ran.usage.output_tokens > 0
    assert ran.usage.requests == 1
    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"


async def check_whole_answer(server: ModelServer, model: Model, quick: Model) -> None:
    """A run that is not streamed is watched as well; `quick` has the QUICK timeouts."""
    config = RunConfig(tracing_disabled=True)
    result = await Runner.run(Agent(name="a", model=model), "hello", run_config=config)
    assert result.final_output == "You said: hello"
    assert result.context_wrapper.usage.output_tokens > 0
    server.reply("never", hold=Gate())
    with pytest.raises(TimeoutError) as caught:
        await Runner.run(Agent(name="a", model=quick), "hello", run_config=config)
    assert explain(caught.value).message == failures.TIMEOUT


async def check_five_turns(server: ModelServer, model: Model) -> None:
    """Each turn sees the turns before it, with their tool calls and results."""
    history: list[TResponseInputItem] = []
    for number in range(1, 6):
        said = f'call add_task {{"title": "task {number}"}}'
        history.append({"role": "user", "content": said})
        ran = await run(model, history, [add_task])
        assert ran.result.final_output == f"The tools say: added task {number}"
        history = ran.result.to_input_list()
    sent = str(server.requests[-1].body)
    for number in range(1, 6):
        assert sent.count(f"added task {number}") == (1 if number == 5 else 2)
    assert len(server.requests) == 10
    assert len(server.connections) == 1


async def check_parallel_calls(server: ModelServer, model: Model) -> None:
    """Two calls at once are made both, and answered both."""
    server.reply(Call("add_task", {"title": "milk"}), Call("add_task", {"title": "eggs"}))
    ran = await run(model, tools=[add_task])
    assert ran.result.final_output == "The tools say: added milk | added eggs"


async def check_reasoning(server: ModelServer, model: Model, field: Any) -> None:
    """What the model thinks arrives as a reasoning item, apart from its answer."""
    server.reply(Reasoning("I should greet.", field), "Hello.")
    ran = await run(model)
    assert ran.result.final_output == "Hello."
    assert ran.pieces == ["Hello."]
    items = [item.raw_item for item in ran.result.new_items if item.type == "reasoning_item"]
    assert len(items) == 1
    assert "I should greet." in str(items[0])


async def check_refusal(server: ModelServer, model: Model) -> None:
    """A refusal where an object was asked for is told as refused content."""
    server.reply(Refusal("secret-text"))
    agent = Agent(name="a", model=model, output_type=list[int])
    result = Runner.run_streamed(agent, "hello", run_config=RunConfig(tracing_disabled=True))
    with pytest.raises(ModelRefusalError) as caught:
        _ = [event async for event in result.stream_events()]
    assert explain(caught.value).message == failures.CONTENT_REFUSED


async def check_refusal_in_words(server: ModelServer, model: Model) -> None:
    """A refusal is what the model says."""
    server.reply(Refusal("I may not."))
    assert (await run(model)).result.final_output == "I may not."


async def check_retries(server: ModelServer, model: Model) -> None:
    """What fails before anything was answered is tried again."""
    server.fail(503, headers={"Retry-After-Ms": "1"})
    server.fail(429, headers={"Retry-After-Ms": "1"})
    server.reply("At last.")
    ran = await run(model)
    assert ran.result.final_output == "At last."
    assert len(server.requests) == 3


async def check_no_second_try(server: ModelServer, model: Model) -> None:
    """What fails after the answer has begun is not tried again: the text would come twice."""
    server.reply("Let ", Break())
    assert (await failure(model)).message == failures.BROKEN_OFF
    assert len(server.requests) == 1


async def check_endless_calls(model: Model) -> None:
    """A model that only calls tools is stopped."""
    told = await failure(
        model, said='call add_task {"title": "milk"}', tools=[add_task], max_turns=1
    )
    assert (told.message, told.allow_retry) == (failures.TOO_MANY_STEPS, False)
