from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import httpx2
import openai
import pytest
from agents import (
    Agent,
    GuardrailFunctionOutput,
    RunConfig,
    Runner,
    input_guardrail,
    output_guardrail,
)
from agents.exceptions import MaxTurnsExceeded, ModelBehaviorError, ModelTimeoutError, UserError
from agents.testing import ScriptedModel, assistant_message

from chatkit_server import NotFound, TurnFailed
from chatkit_server.turns import failures
from chatkit_server.turns.failures import explain, log_failure

REQUEST = httpx2.Request("POST", "https://user:secret@llm.example.com/v1?key=secret")


def status(code: int, body: Any = None, **headers: str) -> openai.APIStatusError:
    response = httpx2.Response(code, headers=headers, request=REQUEST)
    kind = openai.RateLimitError if code == 429 else openai.APIStatusError
    return kind("secret", response=response, body=body)


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def timeout() -> Exception:
    return openai.APITimeoutError(REQUEST)


def lost() -> Exception:
    return openai.APIConnectionError(request=REQUEST)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (caused(lost(), httpx2.ConnectError("secret")), failures.NO_CONNECTION),
        (caused(timeout(), httpx2.ConnectTimeout("secret")), failures.NO_CONNECTION),
        (lost(), failures.NO_CONNECTION),
        (timeout(), failures.TIMEOUT),
        (caused(lost(), httpx2.ReadError("secret")), failures.BROKEN_OFF),
        (
            caused(lost(), httpx2.RemoteProtocolError("Server disconnected: secret")),
            failures.BROKEN_OFF,
        ),
        (
            caused(lost(), httpx2.RemoteProtocolError("illegal header line: secret")),
            failures.NOT_HTTP,
        ),
        (httpx.ConnectError("secret"), failures.UNREACHABLE),
        (httpx.ReadTimeout("secret"), failures.TIMEOUT),
        (httpx.ReadError("secret"), failures.BROKEN_OFF),
        (httpx2.PoolTimeout("secret"), failures.TIMEOUT),
        (aiohttp.ServerTimeoutError("secret"), failures.TIMEOUT),
        (aiohttp.ClientPayloadError("secret"), failures.BROKEN_OFF),
        (aiohttp.ServerDisconnectedError("secret"), failures.BROKEN_OFF),
        (TimeoutError("secret"), failures.TIMEOUT),
        (ConnectionRefusedError("secret"), failures.UNREACHABLE),
        (ConnectionResetError("secret"), failures.BROKEN_OFF),
        (asyncio.IncompleteReadError(b"secret", 9), failures.BROKEN_OFF),
        (json.JSONDecodeError("secret", "secret", 0), failures.NONSENSE),
        (ModelTimeoutError(3), failures.TIMEOUT),
    ],
    ids=repr,
)
def test_failures_of_the_network(error: Exception, message: str) -> None:
    told = explain(error)
    assert (told.message, told.allow_retry) == (message, True)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (status(401), failures.WRONG_KEY),
        (status(402), failures.NO_QUOTA),
        (status(403), failures.NO_PERMISSION),
        (status(404), failures.UNKNOWN_MODEL),
        (status(400), failures.REFUSED_REQUEST),
        (status(422), failures.REFUSED_REQUEST),
        (status(413, {"code": "rate_limit_exceeded"}), failures.TOO_LONG),
        (status(500, {"message": "the context size is exceeded"}), failures.TOO_LONG),
        (status(400, {"message": "Your credit balance is too low"}), failures.NO_QUOTA),
        (status(400, {"message": "prompt is too long: 9 > 8"}), failures.TOO_LONG),
        (
            status(404, {"message": 'model "qwen3" not found'}),
            failures.UNKNOWN_MODEL,
        ),
        (MaxTurnsExceeded("secret"), failures.TOO_MANY_STEPS),
        (openai.ContentFilterFinishReasonError(), failures.CONTENT_REFUSED),
    ],
    ids=repr,
)
def test_failures_that_trying_again_does_not_help(error: Exception, message: str) -> None:
    told = explain(error)
    assert (told.message, told.allow_retry) == (message, False)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (status(503), failures.PROVIDER_DOWN),
        (status(529, {"message": "Overloaded"}), failures.PROVIDER_DOWN),
        (openai.APIError("secret", REQUEST, body={"code": 429}), "Try again in a minute."),
        (openai.APIError("secret", REQUEST, body={"code": 502}), failures.PROVIDER_DOWN),
        (openai.APIError("secret", REQUEST, body=None), failures.PROVIDER_DOWN),
        (ModelBehaviorError("Tool x not found in agent secret"), failures.UNKNOWN_TOOL),
        (ModelBehaviorError("Model did not produce a final response!"), failures.BROKEN_OFF),
        (ModelBehaviorError("Invalid JSON: secret"), failures.NONSENSE),
        (UserError("secret"), failures.GENERAL),
        (RuntimeError("secret"), failures.GENERAL),
        (ExceptionGroup("secret", [status(503)]), failures.PROVIDER_DOWN),
    ],
    ids=repr,
)
def test_failures_that_trying_again_may_help(error: Exception, message: str) -> None:
    told = explain(error)
    assert message in told.message
    assert "secret" not in told.message
    assert told.allow_retry


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("0", "a minute"),
        ("1", "1 second"),
        ("2.4", "3 seconds"),
        ("120", "120 seconds"),
        ("121", "3 minutes"),
        ("3600", "60 minutes"),
        ("86400", "1440 minutes"),
        ("86401", "a minute"),
        ("Wed, 21 Oct 2015 07:28:00 GMT", "a minute"),
        ("-5", "a minute"),
        ("nan", "a minute"),
        ("1e999", "a minute"),
    ],
)
def test_a_rate_limit_says_how_long_to_wait(header: str, wait: str) -> None:
    told = explain(status(429, **{"Retry-After": header}))
    assert told.message == failures.RATE_LIMIT.replace("a minute", wait)


def test_a_servers_own_error_is_told_as_it_is() -> None:
    error = NotFound("There is no such thread.")
    assert explain(error) is error
    assert explain(ExceptionGroup("several", [error])) is error


def test_causes_that_go_in_a_circle() -> None:
    one, two = RuntimeError("one"), RuntimeError("two")
    one.__cause__, two.__cause__ = two, one
    assert explain(one).message == failures.GENERAL


def test_every_message_is_told_apart_and_ends_as_a_sentence() -> None:
    constants = {name: text for name, text in vars(failures).items() if name.isupper()}
    messages = [
        text for name, text in constants.items() if name[0] != "_" and isinstance(text, str)
    ]
    assert len(messages) >= 20
    assert len(set(messages)) == len(messages)
    assert all(message.endswith(".") for message in messages)


@input_guardrail
async def no_questions(*_: object) -> GuardrailFunctionOutput:
    """Stop every message."""
    return GuardrailFunctionOutput(output_info="secret", tripwire_triggered=True)


@output_guardrail
async def no_answers(*_: object) -> GuardrailFunctionOutput:
    """Stop every answer."""
    return GuardrailFunctionOutput(output_info="secret", tripwire_triggered=True)


@pytest.mark.parametrize(
    ("guarded", "message"),
    [
        (lambda model: Agent("a", model=model, input_guardrails=[no_questions]), "GUARDRAIL_INPUT"),
        (lambda model: Agent("a", model=model, output_guardrails=[no_answers]), "GUARDRAIL_OUTPUT"),
    ],
    ids=["input", "output"],
)
async def test_guardrails(guarded: Callable[[Any], Agent[Any]], message: str) -> None:
    agent = guarded(ScriptedModel([[assistant_message("Hello.")]]))
    result = Runner.run_streamed(agent, "hello", run_config=RunConfig(tracing_disabled=True))
    with pytest.raises(Exception, match="tripwire") as caught:
        async for _ in result.stream_events():
            pass
    told = explain(caught.value)
    assert isinstance(told, TurnFailed)
    assert (told.message, told.allow_retry) == (getattr(failures, message), False)


class Halfway(openai.APIError):
    """An error whose constructor did not call that of the class it derives from, as LiteLLM has."""

    def __init__(self, **told: Any) -> None:
        Exception.__init__(self)
        vars(self).update(told)


class Broken(openai.APIError):
    def __init__(self) -> None:
        Exception.__init__(self)

    @property
    def code(self) -> str:  # type: ignore[override]
        raise RuntimeError("no code")


def test_an_error_with_less_than_its_class_says_is_told_as_well_as_it_can_be() -> None:
    assert explain(Halfway()).message == failures.PROVIDER_DOWN
    assert explain(Halfway(code="429")).message == explain(status(429)).message
    assert explain(Halfway(message="context_length_exceeded")).message == failures.TOO_LONG
    assert explain(Broken()).message == failures.GENERAL
    assert explain(Halfway(code="insufficient_quota")).message == failures.NO_QUOTA
    assert explain(Halfway(type="insufficient_quota")).message == failures.NO_QUOTA


LONGEST = "x" * 500

WORDS: dict[str, tuple[Exception, str]] = {
    "a message": (
        status(400, {"message": "no such field"}),
        "APIStatusError: HTTP 400: no such field",
    ),
    "a message deeper": (
        status(400, {"error": {"message": "no such field"}}),
        "APIStatusError: HTTP 400: no such field",
    ),
    "an error without fields": (status(400, {"error": "no"}), "APIStatusError: HTTP 400: no"),
    "text": (status(400, "no such field"), "APIStatusError: secret"),
    "an empty message": (status(400, {"message": ""}), "APIStatusError: HTTP 400: {'message': ''}"),
    "no status": (openai.APIError("secret", REQUEST, body={"message": "no"}), "APIError: secret"),
    "as long as may be": (TimeoutError(LONGEST[14:]), f"TimeoutError: {LONGEST[14:]}"),
    "too long": (TimeoutError(LONGEST[13:]), f"TimeoutError: {LONGEST[14:]}…"),
    "several errors": (ExceptionGroup("all", [TimeoutError("late")]), "TimeoutError: late"),
    "several lines": (TimeoutError("two\n\tlines \x1b[31m"), "TimeoutError: two lines [31m"),
}


@pytest.mark.parametrize(("error", "told"), WORDS.values(), ids=WORDS)
def test_the_log_has_the_providers_words_in_one_line(
    caplog: pytest.LogCaptureFixture, error: Exception, told: str
) -> None:
    problem = explain(error)
    log_failure("turn_1", problem, error)
    [record] = caplog.records
    assert record.getMessage() == f"turn turn_1 failed: {problem.message} ({told})"
    assert record.exc_info is None


def test_the_log_says_where_a_tool_failed(caplog: pytest.LogCaptureFixture) -> None:
    def broken_tool() -> None:
        raise KeyError("secret")

    try:
        try:
            broken_tool()
        except KeyError as cause:
            # As the Agents SDK does for a tool without `failure_error_function`
            raise UserError("Error running tool broken_tool: secret") from cause
    except UserError as error:
        log_failure("turn_1", explain(error), error)
    [record] = caplog.records
    assert "(KeyError in " in record.getMessage()
    assert "broken_tool, test_failures.py" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError
