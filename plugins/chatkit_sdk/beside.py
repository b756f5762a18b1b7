"""The author's ASGI application, which answers what this server does not."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from starlette.types import ASGIApp

from chatkit_server import AsgiApp, ServerError, StoreContext, authenticate

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


def _with_routes(app: Any) -> Any:
    """Return the application within its middleware, which knows its routes."""
    while not hasattr(app, "url_path_for") and hasattr(app, "app"):
        app = app.app
    return app
