"""A server that listens as `chatkit-server run` does, in the process of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from chatkit_server import Settings, Unauthorized, User, hookimpl
from chatkit_server.app import create_app
from chatkit_server.plugin.calls import Hooks
from chatkit_server.plugin.load import load_plugins
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.web.listener import Listener


class TokenAuth:
    """Knows who sends `Authorization: Bearer <user>`, and nobody else."""

    @hookimpl
    async def auth(self, request: web.Request) -> User:
        scheme, _, user = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or user == "wrong" or not user.isalnum():
            raise Unauthorized("Sign in first.")
        return User(user)


@dataclass
class Listening:
    """A server at a port of this machine."""

    app: web.Application
    port: int
    listener: Listener

    @property
    def open(self) -> int:
        """How many connections are open."""
        return self.listener.connections.open


@asynccontextmanager
async def listening(*plugins: object, **sections: Any) -> AsyncIterator[Listening]:
    """Serve with these plugins and settings, a token for `auth`, and a store in memory."""
    server = {"port": 0, **sections.pop("server", {})}
    settings = Settings.model_validate(
        {"plugins": {"demo_model": {"pace": "1ms"}}, "server": server, **sections}
    )
    named = load_plugins(settings).plugins
    given = [(f"{type(plugin).__name__}_{i}", plugin) for i, plugin in enumerate(plugins)]
    given += [*named, ("token_auth", TokenAuth()), ("memory_store", MemoryStorePlugin())]
    app = create_app(settings, Hooks.of(given, settings.hooks))
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
    listener = Listener(runner, settings)
    await runner.setup()
    try:
        _, port = await listener.start()
        yield Listening(app, port, listener)
    finally:
        listener.close()
        await runner.cleanup()
