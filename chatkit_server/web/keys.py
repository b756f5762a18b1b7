"""The keys of an application's parts, such as `request.app[HOOKS]`, and who sent a request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web
from chatkit.store import AttachmentStore, NotFoundError, Store

from ..agent.models import ModelRouter
from ..agent.runs import AppRuns
from ..elsewhere.threads import ThreadWatch
from ..elsewhere.turns import TurnsElsewhere
from ..errors import ServerError, Unauthorized
from ..languages import wanted
from ..lines import fixed_words
from ..mcp.manager import McpManager
from ..plugin.call import HookTimeout, PluginFailed
from ..plugin.calls import Hooks
from ..records import log_error, place_of, repeats
from ..settings.schema import Settings
from ..turn import StoreContext, User
from ..turns.engine import Engine
from ..turns.heartbeat import Heartbeat
from ..turnstile import Turnstile
from ..words import words
from .addresses import Proxies
from .operations.limits import RequestGuard
from .refusals import RefusalLog

log = logging.getLogger(__name__)

HOOKS = web.AppKey("hooks", Hooks)
SETTINGS = web.AppKey("settings", Settings)
STORE: web.AppKey[Store[StoreContext]] = web.AppKey("store", Store)
STORE_PLUGIN = web.AppKey("store_plugin", str)
ATTACHMENT_STORE: web.AppKey[AttachmentStore[StoreContext] | None] = web.AppKey("attachment_store")
MCP = web.AppKey("mcp", McpManager)
MODEL_NAMES = web.AppKey("model_names", list[str])
"""The models that the settings name; plugins add those that they ask."""
MODELS = web.AppKey("models", ModelRouter)
PAGES = web.AppKey("pages", list[str])
"""Paths of pages for people; the start prints their addresses. Append yours in `setup`."""
RUNS = web.AppKey("runs", AppRuns)
ELSEWHERE = web.AppKey("elsewhere", TurnsElsewhere)
THREADS = web.AppKey("threads", ThreadWatch)
ENGINE = web.AppKey("engine", Engine)
GUARD = web.AppKey("guard", RequestGuard)
HEARTBEAT = web.AppKey("heartbeat", Heartbeat)
TURNSTILE = web.AppKey("turnstile", Turnstile)
PROXIES = web.AppKey("proxies", Proxies)
ANSWERS: web.AppKey[set[asyncio.Future[web.StreamResponse]]] = web.AppKey("answers")
"""What requests wait for that ASGI applications answer; cancelled when the server stops."""
REFUSALS = web.AppKey("refusals", RefusalLog)

USER = web.RequestKey("user", User)
NAME_USER: web.RequestKey[Callable[[str], User]] = web.RequestKey("name_user")
"""Set by an `auth` plugin that believes the `user_id` of a plain request, which the server reads
after authentication: returns the user of this id, or raises `Unauthorized`."""

REQUEST_ID = web.RequestKey("request_id", str)
LOGGED = web.RequestKey("logged", bool)

REQUEST_GAP = 0.004
"""Seconds between two requests of one user. Each takes half a millisecond or more."""

_UNVERIFIED = words("Could not verify who you are. Sign in again.")


def translate(request: web.Request, text: str) -> str:
    """Return `words` in the language that the request asks for; other text stays as it is."""
    return request.app[HOOKS].languages.say(text, wanted(request.headers))


async def authenticate(request: web.Request) -> User:
    """Return the user who sent the request, as the `auth` hooks say.

    Call this first in a plugin's own routes. Raises `Unauthorized` or `Forbidden`, or
    `TooManyRequests` or `Unavailable` if the plugin cannot tell right now.
    """
    try:
        user: User | None = await request.app[HOOKS].first("auth", request=request)
    except NotFoundError as error:
        raise Unauthorized(_UNVERIFIED) from error
    except PluginFailed as error:
        _log_failed(request, error)
        raise Unauthorized(_UNVERIFIED) from error
    except ServerError as error:
        if isinstance(error, HookTimeout):
            _log_failed(request, error)
        # 429, 503: the plugin cannot tell right now, and a client that retries can stay signed in
        if error.status in (401, 403, 429, 503):
            raise
        raise Unauthorized(error.message if error.status < 500 else _UNVERIFIED) from error
    if user is None:
        raise Unauthorized(words("Sign in first: the request does not say who you are."))
    request[USER] = user
    await request.app[TURNSTILE].enter((user.tenant, user.id))
    return user


async def store_context(request: web.Request, user: User) -> StoreContext:
    """Return the user as stores take it, with what a `context` hook returns for the request.

    Call this in a plugin's own routes that read or write `request.app[STORE]`.
    """
    hooks = request.app[HOOKS]
    if not hooks.implemented("context"):
        return StoreContext(user)
    return StoreContext(user, context=await hooks.first("context", request=request, user=user))


def _log_failed(request: web.Request, error: PluginFailed | HookTimeout) -> None:
    if error.unlogged is not None:
        cause = error.__cause__
        if cause is None:
            again = repeats(fixed_words(error.unlogged), "request failed")
            log.error("%s", error.unlogged, extra=again)
            return
        kind = f"authentication: {type(cause).__name__} in {place_of(cause)}"
        # What `auth` fails on is not content, and its message says what to fix
        extra = {**repeats(kind, "request failed"), "may_quote": False}
        log_error(log, logging.ERROR, cause, "%s", error.unlogged, extra=extra)
