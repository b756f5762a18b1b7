"""Bundled plugins do what the contract asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chatkit_server import hookimpl
from chatkit_server.testing.conformance import PluginContract
from chatkit_server.testing.conformance.hook_names import uncalled_hooks

NOWHERE = "http://127.0.0.1:9/v1"
"""An address where nobody listens."""

CONFIGS: dict[str, dict[str, Any]] = {
    "anonymous_auth": {},
    "attachments": {"url": "{folder}/files"},
    "chatkit_sdk": {"server": "tests.conformance.sdk_server:Echo", "store": "ours"},
    "compatible_models": {"endpoints": {"local": {"base_url": NOWHERE}}},
    "conversation_log": {"path": "{folder}/log"},
    "demo_model": {},
    "dictation": {"base_url": NOWHERE, "max_retries": 0},
    "jwt_auth": {"secret": "s" * 32},
    "litellm_models": {},
    "mcp_servers": {},
    "openai_models": {"api_key": "key"},
    "rate_limits": {"requests": {"user": "1000/second"}, "tokens": {"user": "1000000/day"}},
    "showcase": {},
    "titles": {"by": "model"},
    "todo_mcp": {},
    "tortoise_store": {"url": "sqlite://{folder}/chatkit.db"},
}


class TestBundledPlugins(PluginContract):
    """Each of them, with the settings that it needs."""

    @pytest.fixture(params=CONFIGS)
    def plugin(self, request: pytest.FixtureRequest, tmp_path: Path) -> str:
        name: str = request.param
        folder = str(tmp_path)
        self.config = {
            key: value.format(folder=folder) if isinstance(value, str) else value
            for key, value in CONFIGS[name].items()
        }
        if name == "todo_mcp":
            self.sections = {"plugins": {"tortoise_store": {"url": f"sqlite://{folder}/todo.db"}}}
        return name


class Reads:
    """Has a helper whose name is nearly that of a hook, and calls it."""

    @hookimpl
    async def setup(self) -> AsyncIterator[None]:
        self.rules = await self.read()
        yield

    async def read(self) -> str:
        return "Be polite."


def test_what_a_plugin_calls_itself_is_no_misspelt_hook() -> None:
    assert uncalled_hooks(Reads()) == []
