"""A real server in this process, with the model and the tools of the fault runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

from chatkit_server import Settings
from chatkit_server.app import create_app
from chatkit_server.plugin.calls import Hooks
from chatkit_server.plugin.load import load_plugins
from tests.faults.ledger import Ledger
from tests.faults.person import Person
from tests.faults.scripted import ScriptedModel
from tests.serving import HeaderAuth

NEVER_STALE = "2m"
"""Longer than any run takes: no sweep may repair what should not break."""

_HOSTED = "tests.faults.hosted"


Answering = Literal["agent", "ours", "theirs"]
"""What answers: the server's own agent, or a server written with ChatKit's SDK, with which store"""


@dataclass
class Backstage:
    """What exists beside the servers: their model, their tools, and their users."""

    model: ScriptedModel
    ledger: Ledger
    answering: Answering = "agent"
    people: list[Person] = field(default_factory=list)

    def sections(self, database: str) -> dict[str, Any]:
        """Return the settings of a server that uses them."""
        return {
            "agent": {"model": "test/model", "history": {"items": 200, "tokens": 100_000}},
            "log": {"level": "error"},
            "plugins": {
                **self._answering(),
                "tortoise_store": {"url": database},
                "compatible_models": {"endpoints": {"test": {"base_url": self.model.url}}},
            },
        }

    def _answering(self) -> dict[str, Any]:
        if self.answering == "agent":
            server = {"name": "ledger", "url": self.ledger.url, "timeout": "10s"}
            return {"mcp_servers": {"servers": [server]}}
        names = {"server": f"{_HOSTED}:create_server", "context": f"{_HOSTED}:make_context"}
        # Before the store that keeps the turns: the first one that is given keeps the conversations
        return {"chatkit_sdk": {**names, "store": self.answering}}

    def person(self, session: ClientSession, path: str) -> Person:
        """Return a new user."""
        name = f"p{len(self.people)}"
        person = Person(name, session, path, self.model, self.ledger.plain_url)
        self.people.append(person)
        return person


@asynccontextmanager
async def backstage(answering: Answering = "agent") -> AsyncIterator[Backstage]:
    """Run a model and a ledger while the block runs."""
    model = ScriptedModel()
    async with model:
        ledger = Ledger()
        await ledger.start()
        try:
            yield Backstage(model, ledger, answering)
        finally:
            await ledger.stop()


@dataclass
class World:
    """A running server. `plugins` of the test's own are called before the others."""

    stage: Backstage
    session: ClientSession
    path: str
    port: int

    def person(self) -> Person:
        """Return a new user."""
        return self.stage.person(self.session, self.path)


@asynccontextmanager
async def world(
    stage: Backstage, database: str, *plugins: object, **sections: Any
) -> AsyncIterator[World]:
    """Run a server while the block runs."""
    turns = {"stale": NEVER_STALE, **sections.pop("turns", {})}
    settings = Settings.model_validate({**stage.sections(database), **sections, "turns": turns})
    given = [(f"given_{i}", plugin) for i, plugin in enumerate(plugins)]
    named = load_plugins(settings).plugins
    hooks = Hooks.of([*given, *named, ("header_auth", HeaderAuth())], settings.hooks)
    app = create_app(settings, hooks)
    # As `serve` does
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield World(
            stage,
            await stack.enter_async_context(client(f"http://{host}:{port}")),
            settings.server.path,
            port,
        )


def client(url: str, *, force_close: bool = False) -> ClientSession:
    """Return a session for any number of connections to a server.

    With `force_close`, each request has a connection of its own.
    """
    connector = TCPConnector(limit=0, force_close=force_close)
    return ClientSession(url, connector=connector, timeout=ClientTimeout(total=60))
