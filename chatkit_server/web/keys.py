"""Where the parts of an application are found: `request.app[HOOKS]` and the like."""

from __future__ import annotations

from aiohttp import web
from chatkit.store import AttachmentStore, NotFoundError, Store

from ..errors import ServerError, Unauthorized
from ..mcp.manager import McpManager
from ..plugin.calls import Hooks, PluginFailed
from ..settings.schema import Settings
from ..turn import StoreContext, User
from ..turns.engine import Engine
from ..turns.heartbeat import Heartbeat

HOOKS = web.AppKey("hooks", Hooks)
SETTINGS = web.AppKey("settings", Settings)
STORE: web.AppKey[Store[StoreContext]] = web.AppKey("store", Store)
ATTACHMENT_STORE: web.AppKey[AttachmentStore[StoreContext] | None] = web.AppKey("attachment_store")
MCP = web.AppKey("mcp", McpManager)
ENGINE = web.AppKey("engine", Engine)
HEARTBEAT = web.AppKey("heartbeat", Heartbeat)


async def authenticate(request: web.Request) -> User:
    """Return who is asking, as the `auth` hooks say.

    A plugin with routes of its own calls this first. Raises `Unauthorized` or `Forbidden`, or
    `Unavailable` if the plugin cannot tell right now.
    """
    try:
        user: User | None = await request.app[HOOKS].first("auth", request=request)
    except (PluginFailed, NotFoundError) as error:
        raise Unauthorized("Could not verify who you are. Sign in again.") from error
    except ServerError as error:
        # 503: nobody can tell right now, and a client that asks again may stay signed in
        if error.status in (401, 403, 503):
            raise
        raise Unauthorized(error.message) from error
    if user is None:
        raise Unauthorized("Sign in first: the request names no user.")
    return user
