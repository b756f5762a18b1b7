"""Who asks a server under test, and which model answers."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from chatkit_server import Settings, User, hookimpl
from chatkit_server.app import create_app
from chatkit_server.plugin.calls import Hooks
from chatkit_server.plugin.load import load_plugins
from chatkit_server.testing.memory_store import MemoryStorePlugin
from chatkit_server.testing.model_server import ModelServer


class HeaderAuth:
    """Believes the header `X-User`, `tenant/id`; without it, everyone is `somebody`."""

    @hookimpl
    async def auth(self, request: web.Request) -> User:
        tenant, _, user_id = request.headers.get("X-User", "somebody").rpartition("/")
        return User(id=user_id, tenant=tenant, name=user_id.capitalize())


def served_by(server: ModelServer, **agent: Any) -> dict[str, Any]:
    """Return sections for `make_chat` whose agent asks `test/model` of the model server."""
    return {
        "agent": {"model": "test/model", **agent},
        "plugins": {"compatible_models": {"endpoints": {"test": {"base_url": server.url}}}},
    }


def served_app(*given: object, **sections: Any) -> tuple[web.Application, str]:
    """Return an application with these plugins and settings, and the path of its endpoint.

    The plugin objects are called first, in order; then those named in `plugins`, made with their
    settings; then a header-believing `auth`, and a store in memory where nobody brings another.
    """
    settings = Settings.model_validate({"plugins": {"demo_model": {"pace": "1ms"}}, **sections})
    named = load_plugins(settings)
    plugins = [(f"{type(p).__name__}_{i}", p) for i, p in enumerate(given)]
    plugins += named.plugins
    plugins += [("header_auth", HeaderAuth()), ("memory_store", MemoryStorePlugin())]
    return create_app(settings, Hooks.of(plugins, settings.hooks)), settings.server.path
