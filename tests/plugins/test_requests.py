"""Requests of both plugins, as they arrive at a server."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from agents import ModelProvider, ModelSettings, function_tool
from aiohttp import web
from aiohttp.test_utils import TestServer
from chatkit_plugins import compatible_models, litellm_models
from openai.types import Reasoning

from chatkit_server import TurnFailed
from chatkit_server.settings.load import validate
from chatkit_server.settings.source import Source
from chatkit_server.testing.model_server import ModelServer
from tests.plugins import model_checks as checks

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:litellm")

BLOCK = {"type": "thinking", "thinking": "hm", "signature": "s"}
HISTORY: Any = [
    {"role": "user", "content": "hi"},
    {
        "type": "reasoning",
        "id": "r",
        "summary": [{"type": "summary_text", "text": "hm"}],
        "provider_data": {"model": "m", "thinking_blocks": [BLOCK]},
    },
    *(
        {
            "type": "function_call",
            "call_id": f"call_{city}",
            "name": "weather",
            "arguments": f'{{"city": "{city}"}}',
        }
        for city in ("Rome", "Oslo")
    ),
    {"type": "function_call_output", "call_id": "call_Oslo", "output": "rain"},
    {"type": "function_call_output", "call_id": "call_Rome", "output": "sun"},
    {"role": "user", "content": "(the answer was stopped)"},
    {"role": "user", "content": "go on"},
]


def sky(city: str) -> str:
    """The weather."""
    return "sun"


weather = function_tool(sky, name_override="weather")


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


def compatible(name: str, url: str, **endpoint: Any) -> ModelProvider:
    settings = {"base_url": url, "api_key": checks.KEY, "max_retries": 0} | endpoint
    config = validate(compatible_models.Config, {"endpoints": {name: settings}}, Source())
    provider: ModelProvider = compatible_models.Plugin(config).model_providers()[name]
    return provider


def through_litellm(name: str, url: str, **provider: Any) -> ModelProvider:
    settings = {"base_url": url, "api_key": checks.KEY} | provider
    section = {"providers": {name: settings}, "max_retries": 0}
    config = validate(litellm_models.Config, section, Source())
    models: ModelProvider = litellm_models.Plugin(config).model_providers()["litellm"]
    return models


WAYS = {
    "compatible_models": (compatible, ""),
    "litellm_models": (through_litellm, "{}/"),
}


@asynccontextmanager
async def model_of(way: str, name: str, url: str, model: str, **settings: Any) -> Any:
    make, prefix = WAYS[way]
    provider = make(name, url, **settings)
    yield provider.get_model(prefix.format(name) + model)
    await provider.aclose()


@pytest.mark.parametrize("way", WAYS)
async def test_requests_fit_an_endpoint_by_its_name(way: str, server: ModelServer) -> None:
    async with model_of(way, "mistral", server.url, "mistral-small") as model:
        await checks.run(model, HISTORY, [weather])
    body = server.requests[0].body
    roles = ["system", "user", "assistant", "tool", "tool", "assistant", "user"]
    assert [message["role"] for message in body["messages"]] == roles
    [_, _, answer, *results, _, last] = body["messages"]
    ids = [call["id"] for call in answer["tool_calls"]]
    assert [len(call_id) for call_id in ids] == [9, 9]
    assert [(result["tool_call_id"], result["content"]) for result in results] == [
        (ids[0], "sun"),
        (ids[1], "rain"),
    ]
    assert last["content"] == "(the answer was stopped)\n\ngo on"
    assert "stream_options" not in body
    assert "chatkit_server_fitting" not in body


@pytest.mark.parametrize("way", WAYS)
async def test_requests_fit_as_the_settings_say(way: str, server: ModelServer) -> None:
    profile = {"call_ids": "functions", "reasoning": "reasoning_content", "reasoning_turns": "all"}
    async with model_of(way, "openai", server.url, "any", profile=profile) as model:
        await checks.run(model, HISTORY, [weather], settings=ModelSettings(max_tokens=9))
    body = server.requests[0].body
    answer = body["messages"][2]
    ids = [call["id"] for call in answer["tool_calls"]]
    assert ids == ["functions.weather:0", "functions.weather:1"]
    assert answer["reasoning_content"] == "hm"
    assert body["stream_options"] == {"include_usage": True}
    limit = "max_completion_tokens" if way == "compatible_models" else "max_tokens"
    assert body[limit] == 9


@pytest.mark.parametrize("way", WAYS)
async def test_the_cure_of_a_refusal_is_logged(
    way: str, server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with model_of(way, "openai", server.url, "any") as model:
        for _ in range(2):
            server.fail(400, "Unrecognized request argument supplied: stream_options")
            assert isinstance(await checks.failure(model), TurnFailed)
    [told] = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert f" plugins.{way}." in told
    assert told.endswith(".openai: profile: {stream_options: false}")


async def test_only_as_many_tools_are_sent_as_are_allowed(
    server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    names = [f"t{number}" for number in range(5)]
    tools = [function_tool(sky, name_override=name) for name in names]
    for way in WAYS:
        async with model_of(way, "openai", server.url, "any", profile={"max_tools": 3}) as model:
            await checks.run(model, tools=list(tools))
    for request in server.requests:
        assert [tool["function"]["name"] for tool in request.body["tools"]] == names[:3]
    told = [record.getMessage() for record in caplog.records]
    assert sum("openai: only the first 3 of 5 tools are sent" in text for text in told) == 2


async def test_a_model_tells_how_many_tools_it_takes(server: ModelServer) -> None:
    for way in WAYS:
        async with model_of(way, "anthropic", server.url, "claude-opus-4-6") as model:
            assert model.max_tools is None
        async with model_of(way, "openai", server.url, "x", profile={"max_tools": 9}) as model:
            assert model.max_tools == 9


@asynccontextmanager
async def refusing() -> AsyncIterator[tuple[str, list[Any]]]:
    """Yield the URL of a server that refuses everything, and the bodies it got."""
    bodies: list[Any] = []

    async def refuse(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.json_response({"error": {"message": "no"}}, status=400)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", refuse)
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/"), bodies


async def test_claude_thinks_before_all_calls() -> None:
    settings = ModelSettings(reasoning=Reasoning(effort="low"))
    async with refusing() as (url, bodies):
        provider = through_litellm("anthropic", url)
        model = provider.get_model("anthropic/claude-sonnet-4-5")
        await checks.failure(model, said=HISTORY, tools=[weather], settings=settings)
        # Without tools, LiteLLM would refuse earlier calls
        await checks.failure(model, said=HISTORY)
        await provider.aclose()
    with_tools, without = bodies
    [_, answer, results] = with_tools["messages"]
    assert [part["type"] for part in answer["content"]] == ["thinking", "tool_use", "tool_use"]
    assert answer["content"][0] == BLOCK
    assert [part["type"] for part in results["content"]] == ["tool_result", "tool_result", "text"]
    assert "[I called weather with" in str(without["messages"][1])


async def test_ollama_gets_the_calls() -> None:
    async with refusing() as (url, bodies):
        provider = through_litellm("ollama_chat", url)
        model = provider.get_model("ollama_chat/qwen3")
        await checks.failure(model, said=HISTORY, tools=[weather])
        await provider.aclose()
    body = next(body for body in bodies if "messages" in body)
    [_, _, answer, *results, _] = body["messages"]
    assert [call["function"] for call in answer["tool_calls"]] == [
        {"name": "weather", "arguments": {"city": "Rome"}},
        {"name": "weather", "arguments": {"city": "Oslo"}},
    ]
    assert [(one["tool_name"], one["content"]) for one in results] == [
        ("weather", "sun"),
        ("weather", "rain"),
    ]
