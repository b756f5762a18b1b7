"""A backend as this server runs it: its settings name the backend, and nothing else changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestServer

from tests.serving import served_app

from .models import Models
from .page import ENDPOINT

KEY = "sk-of-this-server"
"""With which the plugin asks the models, and no backend does."""


def settings(
    hosted: dict[str, Any], models: Models | None, database: Path | None
) -> dict[str, Any]:
    """Return the settings of a server that hosts a backend, with plugins for these."""
    plugins = {"chatkit_sdk": hosted}
    if database is not None:
        plugins["tortoise_store"] = {"url": f"sqlite://{database}"}
    if models is not None:
        plugins["openai_models"] = {"api_key": KEY, "base_url": models.url}
    return {
        "server": {"path": ENDPOINT},
        # Stop is a closed connection: the page comes back for nothing
        "turns": {"disconnect": {"policy": "cancel", "grace": "10ms"}},
        "plugins": plugins,
    }


@asynccontextmanager
async def ours(
    hosted: dict[str, Any], models: Models | None, database: Path | None = None
) -> AsyncIterator[str]:
    """Serve the backend on a free port."""
    app, _ = served_app(**settings(hosted, models, database))
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")
