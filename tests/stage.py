"""Servers that ask one model server on each way to a model, with tools that note their calls."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from agents import function_tool
from aiohttp.test_utils import TestClient, TestServer

from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.testing.model_server import ModelServer
from tests.client import Chat, Streamed
from tests.serving import served_app
from tests.test_turns import Tools

WAYS = {"fast": "test/any", "slow": "test/any", "litellm": "litellm/openai/any"}
"""Ways to a model: past the SDK, through it, and through LiteLLM."""

PROVIDERS = {
    "openai": "openai/gpt-4.1",
    "mistral": "mistral/mistral-large-latest",
    "deepseek": "deepseek/deepseek-reasoner",
    "gemma": "vllm/google/gemma-3-27b-it",
    "anthropic": "anthropic/claude-sonnet-4-5",
    "groq": "groq/llama-3.3-70b-versatile",
}
"""The models with which each thread goes on."""

FLAVOURS = {**PROVIDERS, "gemini": "gemini/gemini-3-pro-preview"}
"""Models that a case can be of, by the rules of their provider."""

_OUR_IDS = re.compile("[a-z]+_[0-9a-f]{32}")


@dataclass
class Stage:
    """A model server, and servers that ask it on each way."""

    models: ModelServer
    chats: dict[str, Chat]
    store: MemoryStorePlugin
    calls: list[list[Any]] = field(default_factory=list)
    histories: set[str] = field(default_factory=set)

    def is_new_history(self, thread_id: str) -> bool:
        """Whether no earlier thread that was asked about has the same items, besides their ids."""
        kept = self.store.memory.items[thread_id].values()
        items = [i.model_dump(mode="json", exclude={"id", "thread_id", "created_at"}) for i in kept]
        history = _OUR_IDS.sub("", json.dumps(items))
        known = history in self.histories
        self.histories.add(history)
        return not known

    async def say(self, way: str, text: str, thread_id: str | None, model: str) -> Streamed:
        """Send a message that this model answers."""
        options = {"model": model}
        return await self.chats[way].say(text, thread_id, inference_options=options)

    async def items(self, thread_id: str) -> list[dict[str, Any]]:
        """Return what a page gets of a thread."""
        thread = await self.chats["fast"].ask("threads.get_by_id", thread_id=thread_id)
        items: list[dict[str, Any]] = thread["items"]["data"]
        return items


@asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    """Start the servers, and close them at the end."""
    async with AsyncExitStack() as stack:
        models = await stack.enter_async_context(ModelServer())
        stage = Stage(models, {}, MemoryStorePlugin())
        endpoint = {"base_url": models.url, "api_key": "sk-test", "max_retries": 0}
        names = ["test", *(model.partition("/")[0] for model in FLAVOURS.values())]
        plugins = {
            "compatible_models": {"endpoints": dict.fromkeys(names, endpoint)},
            "litellm_models": {
                "providers": {"openai": {"base_url": models.url, "api_key": "sk-test"}},
                "max_retries": 0,
            },
        }
        offered = [*WAYS.values(), *FLAVOURS.values()]
        for way in WAYS:
            agent = {"model": "test/any", "models": offered, "fast_path": way != "slow"}
            tools = Tools(*_tools(stage.calls))
            app, path = served_app(tools, stage.store, agent=agent, plugins=plugins)
            client = await stack.enter_async_context(TestClient(TestServer(app)))
            stage.chats[way] = Chat(client, path)
        yield stage


def _tools(calls: list[list[Any]]) -> list[Any]:
    """Return the tools that models are offered; they note how they are called."""

    @function_tool
    async def weather(city: str, days: int = 1) -> str:
        """Tell the weather."""
        calls.append(["weather", {"city": city, "days": days}])
        return f"sunny in {city}"

    @function_tool
    async def ping() -> str:
        """Answer."""
        calls.append(["ping", {}])
        return "pong"

    @function_tool
    async def nothing() -> str:
        """Answer nothing."""
        calls.append(["nothing", {}])
        return ""

    @function_tool
    async def nulls() -> str:
        """Answer with characters that are no text."""
        calls.append(["nulls", {}])
        return "a\0b"

    return [weather, ping, nothing, nulls]
