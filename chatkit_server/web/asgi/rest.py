"""The route for every path that no other route has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import hdrs, web

from ...errors import SettingsError
from ..cors import OWN_RULES
from ..expect import expect_later

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def serve_rest(app: web.Application, handler: Handler) -> None:
    """Let a handler answer the paths that no route has, whether those come before or later.

    Raises `SettingsError` if they have a handler already.
    """
    if any(isinstance(resource, _Rest) for resource in app.router.resources()):
        raise SettingsError(
            "another plugin serves the paths that this server does not answer: give this one a "
            "path of its own"
        )
    app.router.register_resource(_Rest(app.router, handler))


class _Rest(web.PlainResource):
    """Serves a path if no other resource has it, with any method."""

    def __init__(self, router: web.UrlDispatcher, handler: Handler) -> None:
        super().__init__("/")
        self._router = router
        self._route = self.add_route(hdrs.METH_ANY, handler, expect_handler=expect_later)

    @property
    def canonical(self) -> str:
        """What log lines show. The router looks here last, because of the place of the brace."""
        return "/{path of the app}"

    def get_info(self) -> Any:
        """Return nothing: it hides no other route."""
        return {}

    def raw_match(self, path: str) -> bool:
        """Return False: no other route is added to it."""
        return False

    async def resolve(
        self, request: web.Request
    ) -> tuple[web.UrlMappingMatchInfo | None, set[str]]:
        """Return the route, unless another resource has the path, perhaps with other methods."""
        for resource in self._router.resources():
            if resource is not self and await _has(resource, request):
                return None, set()
        path = request.rel_url.raw_path
        # Starlette's routes end in a `$`, which matches before a newline, too: the app would answer
        # at a path that this server has
        if not path.startswith("/") or path.upper().endswith("%0A"):
            return None, set()
        # Before the middlewares run: pages may read their errors
        request[OWN_RULES] = True
        return web.UrlMappingMatchInfo({}, self._route), {request.method}


async def _has(resource: web.AbstractResource, request: web.Request) -> bool:
    found, methods = await resource.resolve(request)
    return found is not None or bool(methods)
