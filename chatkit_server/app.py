"""Settings and plugins become an aiohttp application."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

import aiohttp_cors
from aiohttp import web
from chatkit.store import NotFoundError, Store
from chatkit.types import (
    ItemsListReq,
    NonStreamingReq,
    StreamingReq,
    ThreadsDeleteReq,
    ThreadsGetByIdReq,
    is_streaming_req,
)

from .agent.runner import Models
from .errors import ServerError, SettingsError
from .events.wire import dump
from .mcp.manager import McpServers
from .plugin.discovery import Hooks, load_plugins
from .settings.schema import Settings
from .turn import StoreContext, User
from .turns.engine import Engine
from .turns.heartbeat import Keeper, KeeperPace
from .turns.recovery import Recovery
from .turns.running import STOPPED, RunningTurn
from .turns.store import MemoryTurnStore, TurnStore
from .turns.work import Plan
from .web import plain
from .web.body import read_object
from .web.keys import ATTACHMENT_STORE, HOOKS, SETTINGS, STORE, authenticate
from .web.operations import Caller, parse, perform
from .web.turn_routes import ENGINE, add_turn_routes, follow, identity_of

KEEPER = web.AppKey("keeper", Keeper)
SERVERS = web.AppKey("servers", McpServers)

log = logging.getLogger(__name__)

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s]+")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(settings: Settings, hooks: Hooks | None = None) -> web.Application:
    """Return the application of a deployment, with the plugins that its settings name.

    Raises `SettingsError` for what cannot work; a database or the like is reached for later, when
    the application starts.
    """
    app = web.Application(middlewares=[_errors], client_max_size=settings.server.max_body)
    app[SETTINGS] = settings
    hooks = app[HOOKS] = load_plugins(settings) if hooks is None else hooks
    app[STORE] = _store(hooks)
    _, app[ATTACHMENT_STORE] = next(hooks.boot("attachment_store"), ("", None))
    servers = [server for _, given in hooks.boot("mcp_servers") for server in given]
    app[SERVERS] = McpServers(servers)
    models = Models(hooks)
    _check_models(settings, models)
    turn_store: TurnStore
    _, turn_store = next(hooks.boot("turn_store"), ("", MemoryTurnStore()))
    engine = app[ENGINE] = Engine(settings, hooks, app[STORE], turn_store, models, app[SERVERS])
    app[KEEPER] = Keeper(
        engine.turns,
        turn_store,
        Recovery(turn_store, app[STORE], hooks),
        settings.turns.keep,
        KeeperPace.of(settings.turns.stale),
    )
    app.router.add_post(settings.server.path, _chat)
    add_turn_routes(app)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", _readyz)
    for _ in hooks.boot("setup", app=app):
        pass
    app.cleanup_ctx.append(_connected)
    app.on_shutdown.append(_drain)
    _allow_origins(app, settings)
    return app


def _store(hooks: Hooks) -> Store[StoreContext]:
    for _, store in hooks.boot("store"):
        return store  # type: ignore[no-any-return]
    raise SettingsError(
        "plugins: none of them keeps conversations. Add `tortoise_store:`, or a plugin of your own "
        "with a `store` hook"
    )


def _check_models(settings: Settings, models: Models) -> None:
    for key, names in (("model", [settings.agent.model]), ("models", settings.agent.models)):
        for name in names:
            try:
                models.check(name)
            except SettingsError as error:
                where = settings.source.where(("agent", key))
                raise SettingsError(f"{where}: {error}") from None


async def _chat(request: web.Request) -> web.StreamResponse:
    """Answer one ChatKit operation, or a plain request."""
    answer = await _answered(request)
    if isinstance(answer, web.Response):
        return answer
    # What was asked is with the turn: here it would stay in memory for as long as the answer takes
    return await follow(request, *answer)


async def _answered(request: web.Request) -> web.Response | tuple[RunningTurn, int]:
    """Return the answer, or the turn that gives it and the last event that its client has seen."""
    raw = await request.read()
    body = read_object(raw)
    user = await authenticate(request)
    caller = _caller(request, user)
    operation = None if plain.is_plain(body) else parse(body)
    if operation is None or is_streaming_req(operation):
        return await _turn(request, caller, raw, operation or body)
    answer = await _answer(request.app[ENGINE], caller, operation)
    data = b"{}" if answer is None else dump(answer)
    return web.Response(body=data, content_type="application/json")


async def _turn(
    request: web.Request, caller: Caller, raw: bytes, asked: StreamingReq | dict[str, Any]
) -> tuple[RunningTurn, int]:
    """Return the turn that a request asks for, and the last event that its client has seen.

    A request that repeats another gets the turn that the other began.
    """
    engine = request.app[ENGINE]
    identity = identity_of(request, raw)
    async with engine.turns.once(identity, caller.user):
        known = await engine.repeated(identity, caller.user)
        if known is not None:
            return known
        return await engine.start(lambda: _plan(caller, asked), identity), 0


async def _plan(caller: Caller, asked: StreamingReq | dict[str, Any]) -> Plan:
    if isinstance(asked, dict):
        return await plain.plan(caller, asked)
    return cast(Plan, await perform(caller, asked))


async def _answer(engine: Engine, caller: Caller, operation: NonStreamingReq) -> Any:
    """Answer an operation at once, and do what it means for a turn under way."""
    if isinstance(operation, ThreadsDeleteReq):
        running = engine.turns.of_thread(operation.params.thread_id, caller.user)
        if running is not None:
            running.end(STOPPED)
            await running.ended()
    answer = await perform(caller, operation)
    if isinstance(operation, ThreadsGetByIdReq | ItemsListReq):
        running = engine.turns.of_thread(operation.params.thread_id, caller.user)
        if running is not None:
            running.visited()
    return answer


def _caller(request: web.Request, user: User) -> Caller:
    app = request.app
    match = _LANGUAGE.match(request.headers.get("Accept-Language", ""))
    return Caller(
        user, app[STORE], app[ATTACHMENT_STORE], app[HOOKS], locale=match[0] if match else None
    )


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error before the stream as `{"message": …}`, which ChatKit shows."""
    try:
        return await handler(request)
    except ServerError as error:
        return _refusal(error.status, error.message, error.headers)
    except NotFoundError:
        return _refusal(404, "It is not there.")
    except web.HTTPRequestEntityTooLarge:
        limit = request.app[SETTINGS].server.max_body
        return _refusal(413, f"The request is larger than {limit} bytes.")
    except web.RequestPayloadError:
        refusal = _refusal(400, "The body is not what its headers say, or broke off.")
        refusal.force_close()
        return refusal
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _refusal(error.status, _words(error, request), _allowed_methods(error))
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return _refusal(500, "Something went wrong on the server. Try again later.")


def _refusal(
    status: int, message: str, headers: dict[str, str] | None = None
) -> web.StreamResponse:
    return web.json_response({"message": message}, status=status, headers=headers)


def _words(error: web.HTTPException, request: web.Request) -> str:
    """Return what the error says, or where it happened if it says nothing of its own."""
    if error.text and error.text != f"{error.status}: {error.reason}":
        return error.text
    return f"{error.reason}: {request.method} {request.path}"


def _allowed_methods(error: web.HTTPException) -> dict[str, str]:
    return {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}


async def _healthz(request: web.Request) -> web.StreamResponse:
    return web.json_response({"status": "ok"})


async def _readyz(request: web.Request) -> web.StreamResponse:
    app = request.app
    checks: dict[str, Any] = {"store": await _store_problem(app[STORE]) or "ok"}
    servers = app[SERVERS].status()
    ready = (
        checks["store"] == "ok"
        and not app[ENGINE].turns.closing
        and all(server["connected"] or not server["required"] for server in servers.values())
    )
    body = {"ready": ready, **checks, "mcp_servers": servers}
    return web.json_response(body, status=200 if ready else 503)


async def _store_problem(store: Store[StoreContext]) -> str | None:
    """Return what keeps the store from answering, None if nothing does."""
    nobody = StoreContext(User(id="readyz", tenant="chatkit_server"))
    try:
        async with asyncio.timeout(5):
            await store.load_threads(1, None, "desc", nobody)
    except Exception as error:
        log.warning("the store does not answer: %r", error)
        return "does not answer"
    return None


async def _connected(app: web.Application) -> AsyncIterator[None]:
    async with app[SERVERS].run(), app[KEEPER].run():
        yield


async def _drain(app: web.Application) -> None:
    await app[ENGINE].turns.close(app[SETTINGS].server.drain)


def _allow_origins(app: web.Application, settings: Settings) -> None:
    """Let pages of the origins in the settings call every route."""
    server = settings.server
    where = settings.source.where(("server", "cors_origins"))
    if "*" in server.cors_origins and server.cors_credentials:
        raise SettingsError(
            f"{where}: `*` would let every page act as its visitor. Name the origins, or set "
            "server.cors_credentials: false"
        )
    for origin in server.cors_origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise SettingsError(
                f"{where}: `{origin}` is not an origin as browsers write it: scheme, host and "
                "port, such as https://app.example.com or http://localhost:3000, without a path"
            )
    options = aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call]
        allow_credentials=server.cors_credentials,
        expose_headers=("X-Turn-Id", "Retry-After", "WWW-Authenticate"),
        allow_headers="*",
        allow_methods="*",
        max_age=600,
    )
    cors = aiohttp_cors.setup(app, defaults=dict.fromkeys(server.cors_origins, options))
    for route in list(app.router.routes()):
        # A route that answers OPTIONS itself is left alone
        with suppress(ValueError):
            cors.add(route)
