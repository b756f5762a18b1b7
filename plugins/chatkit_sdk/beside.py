"""The author's ASGI application, which answers what this server does not."""

from __future__ import annotations

import inspect
from collections.abc import MutableMapping
from typing import Any

from aiohttp import web
from starlette.requests import Request
from starlette.types import ASGIApp

from chatkit_server import AsgiApp, ServerError, SettingsError, StoreContext, User, authenticate

from .calls import CALLER
from .loading import Loader, failures_named
from .middleware import Middleware, with_routes
from .requests import FOR_THE_APP, starlette_request


class AppBeside(AsgiApp):
    """An application whose routes may use this server's store, for the user of the request.

    Its own code says who may do what: a request without a user is answered, too.
    """

    def __init__(self, app: ASGIApp, uses_store: bool) -> None:
        super().__init__(app)
        self._asgi = app
        self._uses_store = uses_store
        self._middleware = Middleware.of(app)

    async def request(self, request: web.Request | None, user: User | None) -> Request:
        """Return a request as the application's routes would get it, after its middleware.

        It knows `request.app`, `url_for` and `request.state`. Raises `HTTPException` if middleware
        refuses it.
        """
        known = {"app": with_routes(self._asgi), "state": self.state}
        shown = starlette_request(request, user, known)
        if self._middleware is None:
            return shown
        # Once for each request: middleware may count them
        scope = None if request is None else request.get(_SCOPE)
        if scope is None:
            scope = await self._middleware.pass_through(shown.scope)
        if request is not None:
            request[_SCOPE] = scope
        return Request({**scope, "user": scope.get("user") or user})

    async def handle(self, request: web.Request, /, **scope: Any) -> web.StreamResponse:
        request[FOR_THE_APP] = True
        token = CALLER.set(await self._caller(request) if self._uses_store else None)
        try:
            return await super().handle(request, **scope)
        finally:
            CALLER.reset(token)

    async def _caller(self, request: web.Request) -> StoreContext | None:
        try:
            return StoreContext(await authenticate(request))
        except ServerError:
            return None


_SCOPE = web.RequestKey("scope", MutableMapping[str, Any])


def loaded_app(loader: Loader, name: str) -> ASGIApp:
    """Return the application of this name, or the one that a function of this name makes."""
    found = loader.load("app", name)
    if inspect.isfunction(found) and not inspect.signature(found).parameters:
        with failures_named("app", f"{name}()"):
            found = found()
    if not callable(found) or inspect.isawaitable(found):
        kind = type(found).__name__
        raise SettingsError(f"app: {name} is a {kind}, expected an ASGI app, such as FastAPI's")
    app: ASGIApp = found
    return app
