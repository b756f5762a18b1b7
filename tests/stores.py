"""The storage plugin in an application of its own, as the server runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from chatkit.store import Store
from chatkit.types import HiddenContextItem, ThreadMetadata
from chatkit_plugins.tortoise_store import Config, Plugin
from pydantic import AwareDatetime, TypeAdapter
from tortoise.context import get_current_context

from chatkit_server import HOOKS, SETTINGS, Settings, User
from chatkit_server.plugin.calls import Hooks
from chatkit_server.storage import StoreContext

ANN = StoreContext(User("ann", tenant="acme"))
BOB = StoreContext(User("bob", tenant="acme"))
OTHER_ANN = StoreContext(User("ann", tenant="umbrella"))
NOON = TypeAdapter(AwareDatetime).validate_python("2026-03-01T12:00:00.123456+05:30")


def make_app(
    url: str, *plugins: tuple[str, object], **settings: Any
) -> tuple[web.Application, Plugin]:
    """Return an application with the storage plugin and others, given by name."""
    plugin = Plugin(Config(url=url, **settings))
    app = web.Application()
    app[SETTINGS] = Settings()
    app[HOOKS] = Hooks.of([("tortoise_store", plugin), *plugins])
    app[HOOKS].boot_all("setup", app=app)
    return app, plugin


@asynccontextmanager
async def running(url: str, *plugins: tuple[str, object], **settings: Any) -> AsyncIterator[Plugin]:
    """Start an application with the storage plugin, and stop it."""
    app, plugin = make_app(url, *plugins, **settings)
    runner = web.AppRunner(app)
    try:
        await runner.setup()
        yield plugin
    finally:
        await runner.cleanup()


@asynccontextmanager
async def opened(url: str, **settings: Any) -> AsyncIterator[Store[StoreContext]]:
    """Open the store of a database."""
    async with running(url, **settings) as plugin:
        yield plugin.store()


async def query(statement: str, *values: Any) -> list[dict[str, Any]]:
    """Run a statement in the database that was opened last."""
    context = get_current_context()
    assert context is not None
    return await context.db().execute_query_dict(statement, list(values))


def thread(thread_id: str = "thr_1", **fields: Any) -> ThreadMetadata:
    """Return a thread."""
    return ThreadMetadata(id=thread_id, created_at=NOON, **fields)


def item(item_id: str, thread_id: str = "thr_1", content: Any = None) -> HiddenContextItem:
    """Return an item of the plainest kind."""
    return HiddenContextItem(id=item_id, thread_id=thread_id, created_at=NOON, content=content)
