"""Settings and plugins become an aiohttp application."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web
from chatkit.store import Store

from .agent.models import ModelRouter
from .errors import SettingsError
from .mcp.manager import McpManager
from .plugin.calls import Hooks
from .plugin.load import load_plugins
from .settings.schema import Settings
from .turn import StoreContext
from .turns.engine import Engine
from .turns.heartbeat import Heartbeat, HeartbeatTiming
from .turns.recovery import Recovery
from .turns.store import MemoryTurnStore, TurnStore
from .web.chat import chat
from .web.cors import allow_origins
from .web.errors import handle_errors
from .web.health import healthz, readyz
from .web.keys import ATTACHMENT_STORE, ENGINE, HEARTBEAT, HOOKS, MCP, SETTINGS, STORE
from .web.turn_routes import add_turn_routes


def create_app(settings: Settings, hooks: Hooks | None = None) -> web.Application:
    """Return the application of a deployment, with the plugins that its settings name.

    Raises `SettingsError` for what cannot work. Databases and MCP servers are connected later, when
    the application starts.
    """
    app = web.Application(client_max_size=settings.server.max_body)
    handle_errors(app)
    app[SETTINGS] = settings
    app[HOOKS] = load_plugins(settings) if hooks is None else hooks
    _add_parts(app)
    _add_routes(app)
    app.cleanup_ctx.append(_connected)
    app.on_shutdown.append(_drain)
    allow_origins(app, settings)
    return app


def _add_parts(app: web.Application) -> None:
    settings, hooks = app[SETTINGS], app[HOOKS]
    store = app[STORE] = _store(hooks)
    _, app[ATTACHMENT_STORE] = next(hooks.boot("attachment_store"), ("", None))
    servers = [server for _, given in hooks.boot("mcp_servers") for server in given]
    app[MCP] = McpManager(servers)
    models = ModelRouter(hooks)
    _check_models(settings, models)
    turn_store: TurnStore
    _, turn_store = next(hooks.boot("turn_store"), ("", MemoryTurnStore()))
    engine = app[ENGINE] = Engine(settings, hooks, store, turn_store, models, app[MCP])
    app[HEARTBEAT] = Heartbeat(
        engine.turns,
        turn_store,
        Recovery(turn_store, store, hooks),
        settings.turns.keep,
        HeartbeatTiming.of(settings.turns.stale),
    )


def _store(hooks: Hooks) -> Store[StoreContext]:
    for _, store in hooks.boot("store"):
        return store  # type: ignore[no-any-return]
    raise SettingsError(
        "plugins: none of them stores conversations. Add `tortoise_store:`, or a plugin of your "
        "own with a `store` hook"
    )


def _check_models(settings: Settings, models: ModelRouter) -> None:
    for key, names in (("model", [settings.agent.model]), ("models", settings.agent.models)):
        for name in names:
            try:
                models.check(name)
            except SettingsError as error:
                where = settings.source.where(("agent", key))
                raise SettingsError(f"{where}: {error}") from None


def _add_routes(app: web.Application) -> None:
    app.router.add_post(app[SETTINGS].server.path, chat)
    add_turn_routes(app)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    for _ in app[HOOKS].boot("setup", app=app):
        pass


async def _connected(app: web.Application) -> AsyncIterator[None]:
    async with app[MCP].run(), app[HEARTBEAT].run():
        yield


async def _drain(app: web.Application) -> None:
    await app[ENGINE].turns.close(app[SETTINGS].server.drain)
