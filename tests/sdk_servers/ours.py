"""A backend as this server runs it: its settings name the backend, and nothing else changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp.test_utils import TestServer

from tests.serving import served_app

from .models import Models
from .page import ENDPOINT

KEY = "sk-of-this-server"


def settings(hosted: dict[str, Any], models: Models) -> dict[str, Any]:
    """Return the settings of a server that hosts a backend."""
    return {
        "server": {"path": ENDPOINT},
        "agent": {"model": "openai/gpt-4.1-mini"},
        # Stop is a closed connection: the page comes back for nothing
        "turns": {"disconnect": {"policy": "cancel", "grace": "10ms"}},
        "plugins": {
            "chatkit_sdk": hosted,
            "openai_models": {"api_key": KEY, "base_url": models.url},
        },
    }


@asynccontextmanager
async def ours(hosted: dict[str, Any], models: Models) -> AsyncIterator[str]:
    """Serve the backend on a free port."""
    app, _ = served_app(**settings(hosted, models))
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")
