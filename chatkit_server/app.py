"""Settings and plugins become an aiohttp application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

from aiohttp import web
from chatkit.store import Store

from .agent.models import ModelRouter
from .agent.runs import AppRuns
from .agent.team.guardrails import Guardrails
from .agent.team.team import Team
from .elsewhere.threads import ThreadWatch
from .elsewhere.turns import TurnsElsewhere
from .errors import SettingsError
from .events.shared import EventLog
from .mcp.manager import McpManager
from .plugin.calls import Hooks
from .plugin.load import check_hook_settings, collect_plugins
from .plugin.locales import languages_of
from .plugin.startup import crashes, set_up
from .plugin.tenants import check_tenants
from .settings.problems import Problems
from .settings.schema import AgentSettings, Settings
from .settings.source import KeyPath
from .turn import StoreContext
from .turns.engine import Engine
from .turns.heartbeat import Heartbeat, HeartbeatTiming
from .turns.recovery import Recovery
from .turns.store import MemoryTurnStore, TurnStore
from .turnstile import Turnstile
from .web.admission import check_admission
from .web.chat import chat
from .web.cors import allow_origins, check_origins
from .web.endings import end_all_responses
from .web.errors import handle_errors
from .web.expect import expect_later
from .web.health import Readiness, healthz
from .web.hosts import check_hosts, refuse_other_hosts
from .web.keys import (
    ANSWERS,
    ATTACHMENT_STORE,
    ELSEWHERE,
    ENGINE,
    GUARD,
    HEARTBEAT,
    HOOKS,
    MCP,
    MODEL_NAMES,
    MODELS,
    PAGES,
    REQUEST_GAP,
    RUNS,
    SETTINGS,
    STORE,
    STORE_PLUGIN,
    THREADS,
    TURNSTILE,
)
from .web.operations.attachments import as_shown
from .web.operations.limits import RequestGuard
from .web.plain import wire_of
from .web.turn_routes import add_turn_routes
from .web.unix_socket import check_socket

LAST_ANSWERS = 2.0
"""Seconds that responses of ASGI applications have to end when the server stops."""

log = logging.getLogger(__name__)


def create_app(
    settings: Settings, hooks: Hooks | None = None, problems: Problems | None = None
) -> web.Application:
    """Return the application of a deployment, with the plugins that its settings name.

    Raises `SettingsError` with a line for each thing that cannot work, after those in `problems`.
    Databases and MCP servers are connected later, when the application starts. `hooks` are taken
    as they are given, in place of the settings' plugins.
    """
    problems = problems or Problems()
    for warning in problems.warnings:
        log.warning(warning)
    loaded = hooks is None
    with problems.collect():
        check_origins(settings)
    with problems.collect():
        check_hosts(settings)
    with problems.collect():
        check_socket(settings)
    if loaded:
        with problems.collect():
            check_hook_settings(settings)
    hooks, are_all = (hooks, True) if hooks else collect_plugins(settings, problems)
    if not are_all:
        # What else is wrong may be for want of a plugin
        _look_further(hooks, settings, problems)
        problems.raise_any()
    with problems.collect():
        hooks.languages = languages_of(hooks.plugins, settings)
    team, guardrails = _agents(settings, hooks, problems)
    if team.model is not None:
        agent = settings.agent.model_copy(update={"model": team.model})
        settings = settings.model_copy(update={"agent": agent})
    app = web.Application(client_max_size=settings.server.max_body)
    handle_errors(app)
    end_all_responses(app)
    refuse_other_hosts(app, settings)
    app[SETTINGS] = settings
    app[HOOKS] = hooks
    app[ANSWERS] = set()
    app[PAGES] = []
    check_admission(app)
    if loaded:
        with problems.collect():
            _check_auth(hooks, settings)
    _add_parts(app, problems, team, guardrails)
    _add_routes(app, problems)
    if loaded:
        with problems.collect():
            check_tenants(hooks.implementing("auth"))
    problems.raise_any()
    app.cleanup_ctx.append(connected)
    app.on_shutdown.append(_drain)
    allow_origins(app, settings)
    return app


def _look_further(hooks: Hooks, settings: Settings, problems: Problems) -> None:
    """Collect what is wrong whatever the plugins are that cannot be used: agents, and crashes."""
    with problems.collect():
        Team(settings)
    with problems.collect():
        Guardrails(settings)
    app = web.Application()
    app[SETTINGS], app[HOOKS], app[ANSWERS], app[PAGES] = settings, hooks, set(), []
    agent = AgentSettings(model=settings.agent.model)
    try:
        _add_parts(app, Problems(), Team(Settings(agent=agent)), Guardrails())
    except SettingsError:
        return
    problems.lines += crashes(hooks, app)


def _agents(settings: Settings, hooks: Hooks, problems: Problems) -> tuple[Team, Guardrails]:
    """Return the agents and guardrails of the settings; the default ones in place of wrong ones."""
    agent = AgentSettings(model=settings.agent.model)
    team, guardrails = Team(Settings(agent=agent)), Guardrails()
    with problems.collect():
        team = Team(settings)
    with problems.collect():
        guardrails = Guardrails(settings)
        if team.names is not None and not hooks.implemented("agent"):
            guardrails.check_agents(team.names, settings)
    return team, guardrails


def _add_parts(
    app: web.Application, problems: Problems, team: Team, guardrails: Guardrails
) -> None:
    settings, hooks = app[SETTINGS], app[HOOKS]
    turn_store: TurnStore | None = None
    events: EventLog | None = None
    with problems.collect():
        app[STORE_PLUGIN], app[STORE] = _store(hooks, settings)
    with problems.collect():
        app[ATTACHMENT_STORE] = hooks.boot_first("attachment_store")
    with problems.collect():
        turn_store = hooks.boot_first("turn_store")
    with problems.collect():
        events = hooks.boot_first("event_log")
    with problems.collect():
        servers = [server for _, given in hooks.boot_all("mcp_servers") for server in given]
        app[MCP] = McpManager(servers, approval=settings.agent.approval, own=team.mcp_servers)
    with problems.collect():
        models = app[MODELS] = ModelRouter(hooks, settings.agent.default_provider)
        named = _named_models(settings, hooks, team)
        app[MODEL_NAMES] = list(dict.fromkeys(name for _, name in named))
        _check_models(settings, models, named)
    with problems.collect():
        names = [server.name for server in app[MCP].servers] if MCP in app else []
        team.check_servers(names, more=hooks.implemented("pre_turn"))
    if not ({STORE, ATTACHMENT_STORE, MCP, MODELS} <= set(app)):
        # What else is wrong may be for want of one
        problems.raise_any()
    app[RUNS] = AppRuns(models, settings.agent)
    app.middlewares.append(_with_models)
    turn_store = turn_store or MemoryTurnStore()
    engine = app[ENGINE] = Engine(
        settings,
        hooks,
        app[STORE],
        turn_store,
        models,
        app[MCP],
        events,
        team=team,
        guardrails=guardrails,
    )
    show = partial(as_shown, app[ATTACHMENT_STORE])
    app[ELSEWHERE] = TurnsElsewhere(
        engine.events, turn_store, app[STORE], settings.turns, wire_of, show
    )
    app[THREADS] = ThreadWatch(engine.turns, app[ELSEWHERE], turn_store, app[STORE], show)
    engine.turns.when_closing += [app[THREADS].close, app[ELSEWHERE].close]
    app[GUARD] = RequestGuard(settings.requests)
    app[TURNSTILE] = Turnstile(REQUEST_GAP)
    app[HEARTBEAT] = Heartbeat(
        engine.turns,
        turn_store,
        Recovery(turn_store, app[STORE], hooks, engine.threads, engine.events),
        settings.turns.keep,
        HeartbeatTiming.of(settings.turns.stale),
    )


def _store(hooks: Hooks, settings: Settings) -> tuple[str, Store[StoreContext]]:
    """Return the store, after the name of its plugin."""
    for plugin, call in hooks.checked_calls("store"):
        store: Store[StoreContext] | None = call()
        if store is not None:
            return plugin, store
    where = settings.source.where(("plugins",))
    raise SettingsError(
        f"{where}: none of them stores conversations. Add `tortoise_store:`, or your own "
        "plugin with a `store` hook"
    )


def _check_auth(hooks: Hooks, settings: Settings) -> None:
    """Raise `SettingsError` if no plugin returns users: one without tenants only refuses."""
    declared = [getattr(plugin, "auth_tenants", None) for _, plugin in hooks.implementing("auth")]
    if all(tenants is not None and not tenants for tenants in declared):
        where = settings.source.where(("plugins",))
        raise SettingsError(
            f"{where}: none of them says who the user is, so every request would be refused. Add "
            "`anonymous_auth:`, `jwt_auth:`, or your own plugin with an `auth` hook"
        )


def _check_models(
    settings: Settings, models: ModelRouter, named: Sequence[tuple[KeyPath, str]]
) -> None:
    if settings.source.is_broken(("agent",)):
        return
    problems = Problems()
    try:
        models.check_default()
    except SettingsError as error:
        where = settings.source.where(("agent", "default_provider"))
        problems.lines.append(f"{where}: {error}")
    for path, name in named:
        try:
            models.check(name)
        except SettingsError as error:
            problems.lines.append(f"{settings.source.where(path)}: {error}")
    problems.raise_any()


def _named_models(settings: Settings, hooks: Hooks, team: Team) -> Sequence[tuple[KeyPath, str]]:
    """Return the models that the settings name, with the paths of their keys."""
    if hooks.implemented("respond") and "model" not in settings.agent.model_fields_set:
        # A plugin answers, perhaps without any model of this server
        return ()
    offered = ((("agent", "models"), name) for name in settings.agent.models)
    return (*team.models.items(), *offered)


def _add_routes(app: web.Application, problems: Problems) -> None:
    app.router.add_post(app[SETTINGS].server.path, chat, expect_handler=expect_later)
    add_turn_routes(app)
    app.router.add_get("/healthz", healthz)
    readiness = Readiness(app[HOOKS], app[STORE_PLUGIN], app[STORE])
    app.router.add_get("/readyz", readiness.readyz)
    with problems.collect():
        set_up(app[HOOKS], app, app[RUNS].here)
    # After the plugins' own: its questions end before the plugins do
    app.cleanup_ctx.append(readiness.run)


@web.middleware
async def _with_models(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Have the runs that plugins start for a request find this application's models."""
    with request.app[RUNS].here():
        return await handler(request)


async def connected(app: web.Application) -> AsyncIterator[None]:
    """Connect MCP servers, and send heartbeats, while the server runs; commands don't need it."""
    app[MCP].when_listed(_ToolCount(app).check)
    async with AsyncExitStack() as stack:
        with app[RUNS].here():
            await stack.enter_async_context(app[MCP].run())
            await stack.enter_async_context(app[ENGINE].events.run(app[ENGINE].turns.heard))
            await stack.enter_async_context(app[HEARTBEAT].run())
        yield


class _ToolCount:
    """Warns when the servers have too many tools: once, until they have fewer again."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._warned = False

    def check(self) -> None:
        """Count the tools that are known by now; some servers are slow, or come later."""
        warning = too_many_tools(self._app)
        if warning is not None and not self._warned:
            log.warning(warning)
        self._warned = warning is not None


def too_many_tools(app: web.Application) -> str | None:
    """Return a warning if the MCP servers have more tools than the model takes."""
    agent = app[SETTINGS].agent
    if agent.tools is not None or agent.mcp_servers is not None:
        # It has few of them; what is left out in a turn is logged there
        return None
    return app[MCP].too_many_tools(app[MODELS].max_tools(agent.model))


async def _drain(app: web.Application) -> None:
    await app[ENGINE].turns.close(app[SETTINGS].server.drain)
    answers = app[ANSWERS]
    if answers:
        # Streams may never end, and would hold up the end of the process
        await asyncio.wait(answers, timeout=LAST_ANSWERS)
        for answer in list(answers):
            answer.cancel()
