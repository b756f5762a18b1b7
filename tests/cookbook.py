"""The recipes of the cookbook, as their pages have them, and servers for them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from chatkit_server import hookimpl
from chatkit_server.settings.load import load
from chatkit_server.testing import ChatClient, McpServer, open_client
from chatkit_server.testing.app import GivenModel
from tests.documents import ROOT, Fence, fences

FOLDER = ROOT / "docs" / "plugins" / "cookbook"


@dataclass(frozen=True)
class Recipe:
    """A page of the cookbook: its plugin, and the settings that the plugin needs."""

    name: str
    code: Fence
    settings: Fence


def recipes() -> dict[str, Recipe]:
    """Return all recipes by their names; raises `ValueError` for a page with other parts."""
    shown: dict[Path, list[Fence]] = {}
    for fence in fences("python", "yaml"):
        if fence.document.parent == FOLDER:
            shown.setdefault(fence.document, []).append(fence)
    found = {}
    for page, (code, settings) in shown.items():
        if (code.language, settings.language) != ("python", "yaml"):
            raise ValueError(f"{page.name}: expected the plugin, then its settings")
        found[page.stem] = Recipe(page.stem, code, settings)
    return found


RECIPES = recipes()


@dataclass(frozen=True)
class Kitchen:
    """Starts servers with recipes, whose code and settings are those of the pages."""

    folder: Path

    @asynccontextmanager
    async def serve(
        self, name: str, *others: object, model: GivenModel = None, **variables: str
    ) -> AsyncIterator[ChatClient]:
        """Start a server with a recipe; `variables` are the environment of its settings."""
        recipe = RECIPES[name]
        plugins = self.folder / "my_plugins"
        plugins.mkdir(exist_ok=True)
        (plugins / f"{name}.py").write_text(recipe.code.text, "utf-8")
        file = self.folder / "settings.yaml"
        file.write_text(recipe.settings.text, "utf-8")
        settings = load(file, variables)
        with working_in(self.folder):
            async with open_client(settings, others, model=model) as client:
                yield client


@dataclass
class OnlyRuns:
    """Runs an MCP server of `mcp_server`, which a recipe is to connect to."""

    server: McpServer

    @hookimpl
    def setup(self, app: web.Application) -> None:
        self.server.setup(app)


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Work in a folder, and forget the plugins that were imported meanwhile."""
    before, known = Path.cwd(), set(sys.modules)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        for name in set(sys.modules) - known:
            if name.startswith("chatkit_plugin_file"):
                del sys.modules[name]


@dataclass
class Service:
    """Another team's HTTP server on loopback: what it was sent, and what it answers."""

    url: str = ""
    methods: list[str] = field(default_factory=list)
    received: list[Any] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, method: str) -> None:
        """Wait for a request with this method."""
        while method not in self.methods:
            self.arrived.clear()
            await self.arrived.wait()


@asynccontextmanager
async def service(answer: Any = None, status: int = 200) -> AsyncIterator[Service]:
    """Start a server that takes JSON at any path; `answer` is JSON, or a function of the body."""
    seen = Service()

    async def handle(request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        seen.methods.append(request.method)
        seen.arrived.set()
        seen.received.append(body)
        seen.headers.append(request.headers)
        given = answer(body) if callable(answer) else answer
        return web.json_response(given, status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(app) as server:
        seen.url = str(server.make_url("/hook"))
        yield seen
