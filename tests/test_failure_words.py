"""A failure is told by its words, wherever a provider puts them, if its status says little."""

from __future__ import annotations

from socket import gaierror
from typing import Any

import httpx2
import openai
import pytest
from agents.exceptions import ModelBehaviorError

from chatkit_server.turns import failures
from chatkit_server.turns.failures import explain

REQUEST = httpx2.Request("POST", "https://llm.example.com/v1")


def status(code: int, body: Any = None, message: str = "no") -> openai.APIStatusError:
    response = httpx2.Response(code, request=REQUEST)
    return openai.APIStatusError(message, response=response, body=body)


def in_stream(**body: Any) -> openai.APIError:
    return openai.APIError("no", REQUEST, body=body)


class ContextWindowExceededError(openai.APIError):
    """Says what it is by its name alone, as LiteLLM's do."""


RATE_LIMIT = failures.RATE_LIMIT


def told(error: BaseException) -> str:
    return explain(error).message


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (499, failures.REFUSED_REQUEST),
        (500, failures.PROVIDER_DOWN),
        (501, failures.PROVIDER_DOWN),
        (599, failures.PROVIDER_DOWN),
    ],
)
def test_from_500_on_it_is_the_provider(code: int, message: str) -> None:
    assert told(status(code)) == message


@pytest.mark.parametrize(
    "body",
    [
        {"code": "insufficient_quota"},
        {"type": "insufficient_quota"},
        {"message": "insufficient_quota"},
        {"detail": {"reason": "insufficient_quota"}},
        {"code": "INSUFFICIENT_QUOTA"},
    ],
    ids=str,
)
def test_the_words_may_be_anywhere_in_the_error(body: Any) -> None:
    assert told(status(400, body)) == failures.NO_QUOTA
    assert told(in_stream(**body)) == failures.NO_QUOTA


def test_the_words_may_be_in_the_message_or_the_name() -> None:
    assert told(status(400, message="Insufficient balance")) == failures.NO_QUOTA
    named = ContextWindowExceededError("no", REQUEST, body=None)
    assert told(named) == failures.TOO_LONG


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("context_length_exceeded", failures.TOO_LONG),
        ("Too many input tokens", failures.TOO_LONG),
        ("invalid_image_format", failures.BAD_IMAGE),
        ("image_parse_error", failures.BAD_IMAGE),
        ("unsupported_image_media_type", failures.BAD_IMAGE),
        ("image_content_policy_violation", failures.CONTENT_REFUSED),
        ("max_output_tokens", failures.CUT_OFF),
        ("blocked by our safety filter", failures.CONTENT_REFUSED),
        ("Incorrect API key provided", failures.WRONG_KEY),
        ("The model `x`\ndoes not exist", failures.UNKNOWN_MODEL),
        ("nothing that anybody knows", failures.REFUSED_REQUEST),
    ],
)
def test_words_and_their_meaning(text: str, message: str) -> None:
    assert told(status(400, {"message": text})) == message


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (in_stream(message="Rate limit reached"), RATE_LIMIT),
        (in_stream(code="server_error"), failures.PROVIDER_DOWN),
        (in_stream(message="nothing that anybody knows"), failures.PROVIDER_DOWN),
        (in_stream(code="401"), failures.WRONG_KEY),
        (in_stream(code="404"), failures.UNKNOWN_MODEL),
        (in_stream(code="401x"), failures.PROVIDER_DOWN),
    ],
    ids=repr,
)
def test_an_error_told_inside_a_stream(error: Exception, message: str) -> None:
    assert told(error) == message


@pytest.mark.parametrize("start", ["Responses stream ended", "Chat Completions stream failed"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("insufficient_quota", failures.NO_QUOTA),
        ("rate limit", RATE_LIMIT),
        ("no reason", failures.PROVIDER_DOWN),
    ],
)
def test_the_sdks_words_for_a_stream_that_failed(start: str, text: str, message: str) -> None:
    assert told(ModelBehaviorError(f"{start}: {text}")) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("The stream ended before it was complete", failures.BROKEN_OFF),
        ("Model did not produce a final response!", failures.BROKEN_OFF),
        ("About Responses stream ended", failures.NONSENSE),
        ("Tool x not found in agent y", failures.UNKNOWN_TOOL),
    ],
)
def test_the_sdks_words_for_what_a_model_did(text: str, message: str) -> None:
    assert told(ModelBehaviorError(text)) == message


def test_an_address_that_does_not_exist_cannot_be_reached() -> None:
    lost = openai.APIConnectionError(message="no", request=REQUEST)
    assert told(gaierror(-2, "Name or service not known")) == failures.UNREACHABLE
    lost.__cause__ = gaierror(-2, "Name or service not known")
    assert told(lost) == failures.NO_CONNECTION


def test_a_lost_connection_may_have_words_of_another_failure() -> None:
    lost = openai.APIConnectionError(message="Incorrect API key provided", request=REQUEST)
    assert told(lost) == failures.WRONG_KEY


def test_an_openai_error_without_a_request_is_told_by_its_words() -> None:
    missing = openai.OpenAIError("Missing credentials. Please pass an `api_key`")
    assert told(missing) == failures.WRONG_KEY
    assert told(openai.OpenAIError("nothing that anybody knows")) == failures.GENERAL


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("{much} prompt is too long", failures.TOO_LONG),
        ("prompt is too long {much}", failures.TOO_LONG),
        ("{much} prompt is too long {much}", failures.REFUSED_REQUEST),
    ],
)
def test_of_a_long_error_only_its_start_and_end_are_searched(message: str, expected: str) -> None:
    assert told(status(400, message=message.format(much="x" * 60_000))) == expected
