from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from agents import ModelProvider
from aiohttp import web
from chatkit_plugins.openai_models import Config, Plugin

from chatkit_server import Settings, SettingsError
from chatkit_server.plugin.load import load_plugins
from chatkit_server.settings.load import validate
from chatkit_server.settings.source import Source
from chatkit_server.turns import failures
from tests.model_server import Error, ModelServer, Raw
from tests.plugins import model_checks as checks


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


def provider(server: ModelServer, **settings: Any) -> ModelProvider:
    section = {"base_url": server.url, "api_key": checks.KEY, "max_retries": 0} | settings
    models: ModelProvider = Plugin(validate(Config, section, Source())).model_providers()["openai"]
    return models


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
    assert server.requests[0].path == "/v1/responses"
    await models.aclose()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("server_error", failures.PROVIDER_DOWN),
        ("rate_limit_exceeded", failures.RATE_LIMIT.format(wait="a minute")),
        ("context_length_exceeded", failures.TOO_LONG),
        ("insufficient_quota", failures.NO_QUOTA),
    ],
)
async def test_an_error_event(
    code: str, message: str, server: ModelServer, models: ModelProvider
) -> None:
    server.reply("Let ", Error("secret-text", code, bare=True))
    assert (await checks.failure(models.get_model("any"))).message == message


async def test_events_that_are_not_known_are_passed_over(
    server: ModelServer, models: ModelProvider
) -> None:
    server.reply("Hel", Raw(b'event: keepalive\ndata: {"type":"keepalive"}\n\n'), "lo")
    assert (await checks.run(models.get_model("any"))).result.final_output == "Hello"


async def test_text_comes_in_pieces(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_text(server, models.get_model("any"))


async def test_an_answer_that_is_not_streamed(server: ModelServer, models: ModelProvider) -> None:
    quick = provider(server, timeouts=checks.QUICK)
    await checks.check_whole_answer(server, models.get_model("any"), quick.get_model("any"))
    await quick.aclose()


async def test_five_turns_with_tools(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_five_turns(server, models.get_model("any"))


async def test_parallel_calls(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_parallel_calls(server, models.get_model("any"))


async def test_reasoning(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_reasoning(server, models.get_model("any"), "reasoning_content")


async def test_a_refusal(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_refusal(server, models.get_model("any"))


async def test_tries_again_before_the_first_piece_only(server: ModelServer) -> None:
    models = provider(server, max_retries=2)
    await checks.check_retries(server, models.get_model("any"))
    server.requests.clear()
    await checks.check_no_second_try(server, models.get_model("any"))
    await models.aclose()


async def test_too_many_steps(models: ModelProvider) -> None:
    await checks.check_endless_calls(models.get_model("any"))


async def test_something_else_than_a_model_listens_there(
    server: ModelServer, models: ModelProvider
) -> None:
    server.fail(200, raw="<html>Welcome!</html>", headers={"Content-Type": "text/html"})
    assert (await checks.failure(models.get_model("any"))).message == failures.NONSENSE


async def test_organization_and_project_are_sent(server: ModelServer) -> None:
    models = provider(server, organization="org-ours", project="proj-ours")
    await checks.run(models.get_model("any"))
    assert server.requests[0].headers["OpenAI-Organization"] == "org-ours"
    assert server.requests[0].headers["OpenAI-Project"] == "proj-ours"
    await models.aclose()


async def test_one_pool_closed_with_the_server(server: ModelServer) -> None:
    section = {"base_url": server.url, "api_key": checks.KEY}
    plugin = Plugin(validate(Config, section, Source()))
    app = web.Application()
    plugin.setup(app)
    runner = web.AppRunner(app)
    await runner.setup()
    models = plugin.model_providers()["openai"]
    for _ in range(3):
        await checks.run(models.get_model("a"))
        await checks.run(models.get_model("b"))
    assert len(server.connections) == 1
    await runner.cleanup()
    await checks.failure(models.get_model("a"))
    assert len(server.requests) == 6


@pytest.mark.parametrize("section", [None, {"api_key": ""}])
def test_a_missing_key_stops_the_start(section: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(SettingsError) as caught:
        load_plugins(Settings(plugins={"openai_models": section}))
    assert "plugins.openai_models" in str(caught.value)
    assert "OPENAI_API_KEY" in str(caught.value)


def test_the_key_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", checks.KEY)
    hooks = load_plugins(Settings(plugins={"openai_models": None}))
    [(_, providers)] = hooks.boot_all("model_providers")
    assert set(providers) == {"openai"}
    assert checks.KEY not in repr(Config())
