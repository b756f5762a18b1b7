"""The author's ASGI application, which answers what this server does not."""

from __future__ import annotations

import inspect
from typing import Any

from aiohttp import web
from starlette.types import ASGIApp

from chatkit_server import AsgiApp, ServerError, SettingsError, StoreContext, authenticate

from .loading import Loader, failures_named
from .requests import FOR_THE_APP
from .stores import CALLER


class AppBeside(AsgiApp):
    """An application whose routes may use this server's store, for the user of the request.

    Its own code says who may do what: a request without a user is answered, too.
    """

    def __init__(self, app: ASGIApp, uses_store: bool) -> None:
        super().__init__(app)
        self._asgi = app
        self._uses_store = uses_store

    @property
    def scope(self) -> dict[str, Any]:
        """What a request knows of the application: `request.app`, `url_for` and `request.state`."""
        return {"app": _with_routes(self._asgi), "state": self.state}

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


def _with_routes(app: Any) -> Any:
    """Return the application within its middleware, which knows its routes."""
    while not hasattr(app, "url_path_for") and hasattr(app, "app"):
        app = app.app
    return app
