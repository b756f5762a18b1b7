"""A real server, llama.cpp's: thoughts, a tool, and other models in the thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from agents import function_tool

from chatkit_server import Turn, hookimpl
from tests.client import Streamed
from tests.conftest import MakeChat
from tests.llama.server import llama_server

ANSWER = "It is sunny \N{BLACK SUN WITH RAYS}\N{VARIATION SELECTOR-16}."
MODELS = {"qwen": "qwen/qwen3", "mistral": "mistral-at-home/mistral-nemo", "gemma": "gemma/gemma-3"}


class Weather:
    """Gives the agent a tool, and notes what it is called with."""

    def __init__(self) -> None:
        self.cities: list[str] = []

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        @function_tool
        async def weather(city: str) -> str:
            """Tell the weather in a city."""
            self.cities.append(city)
            return f"It is sunny in {city}."

        turn.tools.append(weather)


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Mapping[str, str]]:
    """The base URLs of a server for each template."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(llama_server(tmp_path, name)) for name in MODELS
        }


def sections(servers: Mapping[str, str], *, fast_path: bool = True) -> dict[str, Any]:
    endpoints = {
        model.partition("/")[0]: {"base_url": servers[name]} for name, model in MODELS.items()
    }
    litellm = {"lm_studio": {"base_url": servers["qwen"], "api_key": "none"}}
    return {
        "agent": {
            "model": MODELS["qwen"],
            "models": [*MODELS.values(), "litellm/lm_studio/qwen3"],
            "model_settings": {"temperature": 0},
            "fast_path": fast_path,
        },
        "plugins": {
            "compatible_models": {"endpoints": endpoints},
            "litellm_models": {"providers": litellm},
        },
    }


def picked(model: str) -> dict[str, Any]:
    return {"inference_options": {"model": model}}


def texts(answer: Streamed) -> list[str]:
    assert answer.error is None
    return [
        part["text"].strip()
        for item in answer.done("assistant_message")
        for part in item["content"]
    ]


def thoughts(answer: Streamed) -> list[str]:
    return [
        task["content"].strip()
        for item in answer.done("workflow")
        for task in item["workflow"]["tasks"]
    ]


@pytest.mark.parametrize(
    ("model", "fast_path"),
    [(MODELS["qwen"], True), (MODELS["qwen"], False), ("litellm/lm_studio/qwen3", True)],
)
async def test_thoughts_a_tool_and_the_next_message(
    make_chat: MakeChat, servers: Mapping[str, str], model: str, fast_path: bool
) -> None:
    weather = Weather()
    chat = await make_chat(weather, **sections(servers, fast_path=fast_path))
    first = await chat.say("hi", **picked(model))
    second = await chat.say("hi", first.thread_id, **picked(model))
    for answer in (first, second):
        assert texts(answer) == ["Let me see.", ANSWER]
        assert thoughts(answer) == ["I should look.", "Now I know."]
    assert weather.cities == ["Oslo", "Oslo"]


@pytest.mark.parametrize(
    "names",
    [("mistral", "mistral", "qwen", "mistral"), ("gemma", "qwen", "gemma", "mistral")],
    ids=" ".join,
)
async def test_a_thread_goes_on_with_models_of_other_templates(
    make_chat: MakeChat, servers: Mapping[str, str], names: tuple[str, ...]
) -> None:
    chat = await make_chat(Weather(), **sections(servers))
    first = await chat.say("hi", **picked(MODELS["qwen"]))
    for name in names:
        answer = await chat.say("hi", first.thread_id, **picked(MODELS[name]))
        assert texts(answer)[-1] == ANSWER, name
        assert thoughts(answer)[-1] == "Now I know.", name
