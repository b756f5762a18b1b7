"""The plugins of a deployment, started for a command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from ..app import connected, create_app
from ..settings.load import collect_settings
from ..settings.problems import Problems


@asynccontextmanager
async def started(file: Path) -> AsyncIterator[web.Application]:
    """Start the plugins of a settings file, and stop them after the block.

    It listens nowhere, connects no MCP servers, and recovers no turns: a server may run beside it.
    """
    problems = Problems()
    app = create_app(collect_settings(file, problems), problems=problems)
    app.cleanup_ctx.remove(connected)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        yield app
    finally:
        await runner.cleanup()
