"""Where the parts of an application are found: `request.app[HOOKS]` and the like."""

from __future__ import annotations

from aiohttp import web
from chatkit.store import AttachmentStore, Store

from ..errors import ServerError, Unauthorized
from ..plugin.discovery import Hooks
from ..settings.schema import Settings
from ..turn import StoreContext, User

HOOKS = web.AppKey("hooks", Hooks)
SETTINGS = web.AppKey("settings", Settings)
STORE: web.AppKey[Store[StoreContext]] = web.AppKey("store", Store)
ATTACHMENT_STORE: web.AppKey[AttachmentStore[StoreContext] | None] = web.AppKey("attachment_store")


async def authenticate(request: web.Request) -> User:
    """Return who is asking, as the `auth` hooks say.

    Raises `Unauthorized` or `Forbidden`, or `Unavailable` where that cannot be found out now. A
    plugin with routes of its own calls this first.
    """
    try:
        user = await request.app[HOOKS].first("auth", request=request)
    except ServerError as error:
        # 503: nobody can tell right now, and a client that asks again may stay signed in
        if error.status in (401, 403, 503):
            raise
        raise Unauthorized(error.message) from error
    except Exception as error:
        raise Unauthorized("Who is asking could not be found out. Sign in again.") from error
    if user is None:
        raise Unauthorized("Sign in first: the request names no user.")
    assert isinstance(user, User)
    return user
