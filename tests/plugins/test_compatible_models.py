from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any
from weakref import ref

import aiohttp
import pytest
from agents import ModelProvider
from aiohttp import web
from chatkit_plugins.compatible_models import PRESETS, Config, Plugin
from chatkit_plugins.compatible_models.client import Client, _Pool
from chatkit_plugins.compatible_models.endpoint import Endpoint

from chatkit_server import Settings, SettingsError
from chatkit_server.plugin.calls import Hooks
from chatkit_server.plugin.load import load_plugins
from chatkit_server.settings.load import validate
from chatkit_server.settings.source import Source
from chatkit_server.testing.model_server import Call, Gate, ModelServer
from chatkit_server.turns import failures
from tests.plugins import model_checks as checks


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


def config(**settings: Any) -> Config:
    return validate(Config, settings, Source())


def provider(server: ModelServer, **endpoint: Any) -> ModelProvider:
    settings = {"base_url": server.url, "api_key": checks.KEY, "max_retries": 0} | endpoint
    here: ModelProvider = Plugin(config(endpoints={"here": settings})).model_providers()["here"]
    return here


@pytest.fixture
async def models(server: ModelServer) -> AsyncIterator[ModelProvider]:
    models = provider(server)
    yield models
    await models.aclose()


@pytest.mark.parametrize("case", checks.CASES.values(), ids=checks.CASES)
async def test_a_failure_is_told_in_words(
    case: checks.Case, server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    models = provider(server, timeouts=case.timeouts)
    await checks.check_case(case, server, models.get_model("any"), caplog)
    await models.aclose()


async def test_text_comes_in_pieces(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_text(server, models.get_model("any"))
    assert server.requests[0].body["model"] == "any"
    assert server.requests[0].body["stream_options"] == {"include_usage": True}


async def test_an_answer_that_is_not_streamed(server: ModelServer, models: ModelProvider) -> None:
    quick = provider(server, timeouts=checks.QUICK)
    await checks.check_whole_answer(server, models.get_model("any"), quick.get_model("any"))
    await quick.aclose()


async def test_five_turns_with_tools(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_five_turns(server, models.get_model("any"))


async def test_parallel_calls(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_parallel_calls(server, models.get_model("any"))


async def test_parallel_calls_that_all_have_index_zero(
    server: ModelServer, models: ModelProvider
) -> None:
    calls = [Call("add_task", {"title": title}, index=0) for title in ("milk", "eggs", "tea")]
    server.reply(*calls)
    ran = await checks.run(models.get_model("any"), tools=[checks.add_task])
    assert ran.result.final_output == "The tools say: added milk | added eggs | added tea"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_reasoning(server: ModelServer, models: ModelProvider, field: str) -> None:
    await checks.check_reasoning(server, models.get_model("any"), field)


async def test_a_refusal(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_refusal_in_words(server, models.get_model("any"))
    await checks.check_refusal(server, models.get_model("any"))


async def test_tries_again_before_the_first_piece_only(server: ModelServer) -> None:
    models = provider(server, max_retries=2)
    await checks.check_retries(server, models.get_model("any"))
    server.requests.clear()
    await checks.check_no_second_try(server, models.get_model("any"))
    await models.aclose()


async def test_too_many_steps(models: ModelProvider) -> None:
    await checks.check_endless_calls(models.get_model("any"))


async def test_a_long_answer_is_not_silence() -> None:
    async with ModelServer(tokens=25, delay=0.05) as server:
        models = provider(server, timeouts={"first_byte": "1s", "silence": "1s"})
        assert len((await checks.run(models.get_model("any"))).pieces) == 25
        await models.aclose()


async def test_nothing_listens_there() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = {"base_url": f"http://127.0.0.1:{closed.getsockname()[1]}/v1", "max_retries": 0}
        plugin = Plugin(config(endpoints={"here": endpoint}))
        models = plugin.model_providers()["here"]
        told = await checks.failure(models.get_model("any"))
        await models.aclose()
    assert (told.message, told.allow_retry) == (failures.NO_CONNECTION, True)


async def test_something_else_than_a_model_listens_there(server: ModelServer) -> None:
    server.fail(200, raw="<html>Welcome!</html>", headers={"Content-Type": "text/html"})
    models = provider(server)
    assert (await checks.failure(models.get_model("any"))).message == failures.WEB_PAGE
    await models.aclose()


async def test_the_servers_own_variables_are_not_sent(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-ours")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-ours")
    models = provider(server, api_key=None, headers={"X-Title": "ours"})
    await checks.run(models.get_model("any"))
    sent = server.requests[0].headers
    assert sent["X-Title"] == "ours"
    assert not {"OpenAI-Organization", "OpenAI-Project"} & set(sent)
    assert "sk-openai" not in str(sent)
    await models.aclose()


async def test_usage_is_not_asked_for_where_that_is_refused(server: ModelServer) -> None:
    settings = {"base_url": server.url, "api_key": checks.KEY}
    mistral = Plugin(config(endpoints={"mistral": settings})).model_providers()["mistral"]
    await checks.run(mistral.get_model("any"))
    assert "stream_options" not in server.requests[0].body
    await mistral.aclose()


async def test_one_pool_per_endpoint_closed_with_the_server(server: ModelServer) -> None:
    endpoint = {"base_url": server.url, "api_key": checks.KEY}
    plugin = Plugin(config(endpoints={"one": endpoint, "two": endpoint}))
    app = web.Application()
    plugin.setup(app)
    runner = web.AppRunner(app)
    await runner.setup()
    providers = plugin.model_providers()
    for _ in range(3):
        await checks.run(providers["one"].get_model("a"))
        await checks.run(providers["one"].get_model("b"))
        await checks.run(providers["two"].get_model("a"))
    assert len(server.connections) == 2
    await runner.cleanup()
    for provider in providers.values():
        await checks.failure(provider.get_model("a"))
    assert len(server.requests) == 9


def test_presets_need_no_more_than_a_key() -> None:
    keys = {name: {"api_key": "k"} for name, preset in PRESETS.items() if preset.needs_key}
    keyless = {name: None for name, preset in PRESETS.items() if not preset.needs_key}
    endpoints = config(endpoints=keys | keyless).endpoints
    assert set(endpoints) == set(PRESETS)
    assert all(endpoint.base_url == PRESETS[name].base_url for name, endpoint in endpoints.items())


@pytest.mark.parametrize(
    ("endpoints", "told"),
    [
        ({"mine": {}}, "mine: add `base_url: https://...`"),
        ({"gemini": None}, "gemini: add `api_key: ${GEMINI_API_KEY}`"),
        ({"groq": {"api_key": ""}}, "groq: add `api_key: ${GROQ_API_KEY}`"),
        ({"mine": {"base_url": "llm.example.com"}}, "endpoints.mine.base_url"),
        ({"a/b": {"base_url": "http://x"}}, "`a/b` cannot be the prefix"),
        ({"mine": {"base_url": "http://x", "timeouts": {"silence": 3}}}, "with its unit"),
        ({"mine": {"base_url": "http://x", "timeout": "3s"}}, "Did you mean `timeouts`?"),
        ({}, "at least 1"),
    ],
)
def test_what_is_missing_is_said_at_the_start(endpoints: Any, told: str) -> None:
    settings = Settings(plugins={"compatible_models": {"endpoints": endpoints}})
    with pytest.raises(SettingsError) as caught:
        load_plugins(settings)
    assert told in str(caught.value)
    assert "plugins.compatible_models" in str(caught.value)


def test_an_endpoints_timeouts_stand_in_front_of_the_common_ones() -> None:
    settings = config(
        timeouts={"connect": "1s", "silence": "2s"},
        endpoints={"ollama": {"timeouts": {"silence": "9s"}}},
    )
    timeouts = settings.timeouts.but(settings.endpoints["ollama"].timeouts)
    assert (timeouts.connect, timeouts.first_byte, timeouts.silence) == (1.0, 120.0, 9.0)


def test_its_hooks_fit() -> None:
    plugin = Plugin(config(endpoints={"ollama": {}}))
    hooks = Hooks.of([("compatible_models", plugin)])
    [(_, providers)] = hooks.boot_all("model_providers")
    assert set(providers) == {"ollama"}
    with pytest.raises(ValueError, match="no default model"):
        providers["ollama"].get_model(None)


async def test_a_kept_connection_keeps_nothing_of_the_turn(
    server: ModelServer, models: ModelProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # asyncio forgets a cancelled clock at once
    monkeypatch.setattr(asyncio.base_events, "_MIN_SCHEDULED_TIMER_HANDLES", 0)
    monkeypatch.setattr(asyncio.base_events, "_MIN_CANCELLED_TIMER_HANDLES_FRACTION", 0)

    class Thing:
        pass

    mark: ContextVar[Thing] = ContextVar("mark")

    async def turn() -> ref[Thing]:
        thing = Thing()
        mark.set(thing)
        await checks.run(models.get_model("any"))
        return ref(thing)

    known = await asyncio.create_task(turn())
    while known() is not None:
        # The test's own time limit ends it
        await asyncio.sleep(0.01)
        gc.collect()
    await checks.run(models.get_model("any"))
    assert len(server.connections) == 1


async def test_an_answer_that_nobody_waits_for_is_closed(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[aiohttp.ClientResponse] = []
    original = _Pool._post

    async def too_late(pool: _Pool, options: dict[str, Any]) -> aiohttp.ClientResponse:
        answers.append(await original(pool, options))
        # between its end and the moment when whoever waits for it hears of that
        asyncio.get_running_loop().call_soon(asking.cancel)
        return answers[0]

    monkeypatch.setattr(_Pool, "_post", too_late)
    server.reply("One", Gate(), "two")
    client = Client(Endpoint(base_url=server.url), 5.0)
    question = {"model": "any", "messages": [], "stream": True}
    asking = asyncio.create_task(client.create(**question))
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0)
    assert answers[0].closed
    await client.aclose()


async def test_an_endpoint_behind_a_proxy(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    behind = provider(server, base_url="http://models.invalid/v1")
    assert (await checks.run(behind.get_model("any"))).result.final_output
    assert server.requests[0].headers["Host"] == "models.invalid"
    await behind.aclose()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        direct = provider(server, base_url=f"http://127.0.0.1:{closed.getsockname()[1]}/v1")
        told = await checks.failure(direct.get_model("any"))
        await direct.aclose()
    assert told.message == failures.NO_CONNECTION
    assert len(server.requests) == 1
