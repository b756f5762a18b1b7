from __future__ import annotations

import asyncio
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from agents import ModelProvider, ModelSettings
from agents.exceptions import ModelBehaviorError
from aiohttp import web
from chatkit_plugins.litellm_models import Config, Plugin
from chatkit_plugins.litellm_models.library import load_model_class

from chatkit_server import SETTINGS, Settings, SettingsError, TurnFailed
from chatkit_server.app import create_app
from chatkit_server.plugin.load import load_plugins
from chatkit_server.settings.load import validate
from chatkit_server.settings.source import Source
from chatkit_server.testing.model_server import Error, ModelServer
from chatkit_server.turns import failures
from tests.plugins import model_checks as checks
from tests.security.hostile_model import HostileModel, endless, redirect

# LiteLLM uses pydantic in ways that it deprecates, once for each chunk that tells usage
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:litellm")
NAME = "openai/any"


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


def plugin(server: ModelServer, **settings: Any) -> Plugin:
    openai = {"base_url": server.url, "api_key": checks.KEY}
    section = {"providers": {"openai": openai}, "max_retries": 0} | settings
    return Plugin(validate(Config, section, Source()))


def provider(server: ModelServer, **settings: Any) -> ModelProvider:
    models: ModelProvider = plugin(server, **settings).model_providers()["litellm"]
    return models


@pytest.fixture
async def models(server: ModelServer) -> AsyncIterator[ModelProvider]:
    models = provider(server)
    yield models
    await models.aclose()


@pytest.mark.parametrize("case", checks.CASES.values(), ids=checks.CASES)
async def test_a_failure_is_told_in_words(
    case: checks.Case,
    server: ModelServer,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    models = provider(server, timeouts=case.timeouts)
    await checks.check_case(case, server, models.get_model(NAME), caplog)
    await models.aclose()
    assert capsys.readouterr().out == ""


async def test_an_error_comes_without_litellms_own_errors(
    server: ModelServer, models: ModelProvider
) -> None:
    server.reply("Let ", Error("overloaded"))
    with pytest.raises(openai.APIError, match="overloaded") as caught:
        await checks.run(models.get_model(NAME))
    assert "During handling" not in "".join(traceback.format_exception(caught.value))


async def test_text_comes_in_pieces(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_text(server, models.get_model(NAME))
    assert server.requests[0].body["model"] == "any"


async def test_an_answer_that_is_not_streamed(server: ModelServer, models: ModelProvider) -> None:
    quick = provider(server, timeouts=checks.QUICK)
    await checks.check_whole_answer(server, models.get_model(NAME), quick.get_model(NAME))
    await quick.aclose()


async def test_five_turns_with_tools(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_five_turns(server, models.get_model(NAME))


async def test_parallel_calls(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_parallel_calls(server, models.get_model(NAME))


async def test_reasoning(server: ModelServer, models: ModelProvider) -> None:
    await checks.check_reasoning(server, models.get_model(NAME), "reasoning_content")


async def test_tries_again_before_the_first_piece_only(server: ModelServer) -> None:
    models = provider(server, max_retries=2)
    await checks.check_retries(server, models.get_model(NAME))
    server.requests.clear()
    await checks.check_no_second_try(server, models.get_model(NAME))
    await models.aclose()


async def test_too_many_steps(models: ModelProvider) -> None:
    await checks.check_endless_calls(models.get_model(NAME))


async def test_a_provider_that_litellm_does_not_know(models: ModelProvider) -> None:
    told = await checks.failure(models.get_model("nobody/any"))
    assert (told.message, told.allow_retry) == (failures.UNKNOWN_MODEL, False)


async def test_a_key_that_is_not_there(
    models: ModelProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    for name in ("anthropic/any", "text-completion-openai/any"):
        told = await checks.failure(models.get_model(name))
        assert told.message == failures.WRONG_KEY


async def test_nothing_listens_there(server: ModelServer) -> None:
    await server.__aexit__()
    models = provider(server)
    told = await checks.failure(models.get_model(NAME))
    await models.aclose()
    assert (told.message, told.allow_retry) == (failures.NO_CONNECTION, True)


async def test_googles_variable_is_enough_for_gemini(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.setenv("GOOGLE_API_KEY", checks.KEY)
    gemini = {"base_url": server.url}
    models = provider(server, providers={"gemini": gemini})
    await checks.failure(models.get_model("gemini/gemini-2.5-flash"))
    [request] = server.requests
    assert checks.KEY in f"{request.path} {request.headers}"
    assert "streamGenerateContent" in request.path
    await models.aclose()


async def test_one_pool_closed_with_the_server(server: ModelServer) -> None:
    ours = plugin(server)
    app = web.Application()
    app[SETTINGS] = Settings()
    ours.setup(app)
    runner = web.AppRunner(app)
    await runner.setup()
    models = ours.model_providers()["litellm"]
    for _ in range(3):
        await checks.run(models.get_model("openai/a"))
        await checks.run(models.get_model("openai/b"))
    assert len(server.connections) == 1
    await runner.cleanup()
    await checks.run(models.get_model("openai/a"))
    assert len(server.connections) == 2
    await models.aclose()


def test_serves_its_own_prefix_and_what_nobody_else_serves() -> None:
    hooks = load_plugins(Settings(plugins={"litellm_models": None}))
    [(_, providers)] = hooks.boot_all("model_providers")
    assert set(providers) == {"litellm", ""}


def test_litellm_is_imported_when_it_is_used_and_prints_nothing_then() -> None:
    code = (
        "import logging, sys\n"
        "from chatkit_server import Settings\n"
        "from chatkit_server.plugin.load import load_plugins\n"
        "hooks = load_plugins(Settings(plugins={'litellm_models': None}))\n"
        "[(_, providers)] = hooks.boot_all('model_providers')\n"
        "providers[''].get_model('gemini/gemini-2.5-flash')\n"
        "assert 'litellm' not in sys.modules\n"
        "logging.basicConfig(level=logging.DEBUG, handlers=[logging.NullHandler()])\n"
        "from chatkit_plugins.litellm_models.library import load_model_class\n"
        "load_model_class(log_content=False)\n"
        "assert 'litellm' in sys.modules\n"
        "assert not logging.getLogger('LiteLLM').handlers\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert (done.stdout, done.stderr) == (b"", b"")


NOT_OFFERED = "The models of `aiohttp_openai/` are not offered here"


async def test_a_provider_with_a_client_that_is_not_guarded_is_refused(
    models: ModelProvider, server: ModelServer
) -> None:
    with pytest.raises(TurnFailed, match=NOT_OFFERED):
        models.get_model("aiohttp_openai/any")
    assert not server.requests


@pytest.mark.parametrize("name", ["any", "openai/any"])
async def test_it_is_refused_however_it_is_chosen(
    name: str, models: ModelProvider, server: ModelServer
) -> None:
    settings = ModelSettings(extra_args={"custom_llm_provider": "aiohttp_openai"})
    with pytest.raises(TurnFailed, match=NOT_OFFERED):
        await checks.run(models.get_model(name), settings=settings)
    assert not server.requests


@pytest.mark.parametrize("key", ["model", "models", "model_settings"])
@pytest.mark.parametrize("prefix", ["litellm/", ""])
def test_it_is_refused_at_the_start(key: str, prefix: str) -> None:
    name = f"{prefix}aiohttp_openai/any"
    wrong: dict[str, dict[str, Any]] = {
        "model": {"model": name},
        "models": {"models": [f"{prefix}openai/other", name]},
        "model_settings": {
            "model_settings": {"extra_args": {"custom_llm_provider": "aiohttp_openai"}}
        },
    }
    agent = {"model": f"{prefix}openai/any"} | wrong[key]
    plugins = {"litellm_models": None, "anonymous_auth": None, "tortoise_store": None}
    with pytest.raises(SettingsError) as raised:
        create_app(Settings.model_validate({"agent": agent, "plugins": plugins}))
    assert f"agent.{key}" in str(raised.value)
    assert NOT_OFFERED in str(raised.value)


async def test_what_litellm_looks_up_is_limited_and_follows_no_redirect() -> None:
    load_model_class(log_content=False, max_event=100_000)
    from litellm.llms.custom_httpx.http_handler import HTTPHandler

    async with HostileModel(endless(b"x" * 1000)) as endless_one:
        with pytest.raises(ModelBehaviorError, match="more than 100000 bytes"):
            await asyncio.to_thread(HTTPHandler().get, endless_one.url)
        async with HostileModel(redirect(endless_one.url)) as other:
            asked = endless_one.asked
            response = await asyncio.to_thread(HTTPHandler().get, other.url)
            assert response.status_code == 307
            assert endless_one.asked == asked
