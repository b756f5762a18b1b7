"""Which pages may call the server from a browser."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import hdrs, web
from aiohttp_cors import CorsConfig, ResourceOptions
from aiohttp_cors.abc import AbstractRouterAdapter
from multidict import CIMultiDict

from ..errors import Forbidden, SettingsError
from ..settings.schema import ServerSettings, Settings
from ..settings.source import KeyPath
from .errors import REQUEST_ID_HEADER, log_refusal
from .origins import NO_SITE, is_origin, problem_of
from .sse import TURN_ID

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OWN_RULES = web.RequestKey("own_rules", bool)
"""Whether what answers the request has rules of its own, which hold beside those of the settings: a
page is let in that either of them allows."""

_OWN = web.RequestKey("own", CIMultiDict[str])
_RULES = (
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN,
    hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS,
    hdrs.ACCESS_CONTROL_EXPOSE_HEADERS,
)

_LONGEST_ORIGIN = 100


def allow_origins(app: web.Application, settings: Settings) -> None:
    """Let pages of the origins in the settings call every path, and read every error."""
    server = settings.server
    options = ResourceOptions(  # type: ignore[no-untyped-call]
        allow_credentials=server.cors_credentials,
        expose_headers=(TURN_ID, REQUEST_ID_HEADER, "Retry-After", "WWW-Authenticate"),
        allow_headers="*",
        allow_methods="*",
        max_age=600,
    )
    every_path = _EveryPath(dict.fromkeys(server.cors_origins, options))
    # aiohttp-cors takes it for an error if a response has such headers already
    app.on_response_prepare.append(_set_own_aside)
    CorsConfig(app, router_adapter=every_path).add(app.router)
    app.on_response_prepare.append(_join_own)
    app.middlewares.append(every_path.middleware)
    app.on_response_prepare.append(every_path.log_refused)


def check_origins(settings: Settings) -> None:
    """Raise `SettingsError` for origins that no browser sends, and for `*` with credentials."""
    server, source = settings.server, settings.source
    path: KeyPath = ("server", "cors_origins")
    problems = []
    if "*" in server.cors_origins and server.cors_credentials:
        problems.append(
            f"{source.where(path)}: with `*`, any page could act as the user who visits it. Name "
            "the origins of your pages, such as http://localhost:3000"
        )
    for number, origin in enumerate(server.cors_origins):
        if origin != "*" and (problem := problem_of(origin)):
            place = (*path, number)
            where = source.where(place if place in source.lines else path)
            problems.append(f"{where}: {problem}")
    if problems:
        raise SettingsError("\n".join(dict.fromkeys(problems)))


def headers_for(origin: str | None, server: ServerSettings) -> dict[str, str]:
    """Return what lets a page of this origin read a response that is made without a request."""
    if origin is None or not {origin, "*"} & set(server.cors_origins):
        return {}
    headers: dict[str, str] = {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin}
    if server.cors_credentials:
        headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
    return headers


def is_preflight(request: web.Request) -> bool:
    """Whether a browser asks what a page may do."""
    return (
        request.method == hdrs.METH_OPTIONS
        and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        and hdrs.ORIGIN in request.headers
    )


async def _set_own_aside(request: web.Request, response: web.StreamResponse) -> None:
    if OWN_RULES in request:
        headers = response.headers
        own = ((name, value) for name in _RULES for value in headers.popall(name, ()))
        request[_OWN] = CIMultiDict(own)


async def _join_own(request: web.Request, response: web.StreamResponse) -> None:
    """Give back what was set aside: all of it, or what it adds to the rules of the settings."""
    own, headers = request.get(_OWN), response.headers
    if not own:
        return
    origin = headers.get(hdrs.ACCESS_CONTROL_ALLOW_ORIGIN)
    if origin is None:
        headers.extend(own)
        return
    exposes = hdrs.ACCESS_CONTROL_EXPOSE_HEADERS
    headers[exposes] = ",".join([*headers.getall(exposes, ()), *own.getall(exposes, ())])
    credentials = own.get(hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS)
    if own.get(hdrs.ACCESS_CONTROL_ALLOW_ORIGIN) == origin and credentials is not None:
        headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = credentials


class _OriginRefused(Forbidden):
    """A page asked whether it may call the server, and may not."""


class _EveryPath(AbstractRouterAdapter):
    """Tells aiohttp-cors that its rules hold for every path, also for one without a route.

    Its own adapter knows registered routes only, so that pages could not read a 404 or a 405. A
    route that answers OPTIONS itself is left alone, unless it sets `OWN_RULES`.
    """

    def __init__(self, config: Mapping[str, ResourceOptions]) -> None:
        self._config = config

    def add_preflight_handler(self, entity: Any, handler: Any, webview: bool = False) -> None:
        self._answer_preflight: Callable[[web.Request], Awaitable[web.Response]] = handler

    def set_config_for_routing_entity(self, entity: Any, config: Any) -> None:
        """All paths have the same."""

    def is_preflight_request(self, request: web.Request) -> bool:
        if not is_preflight(request):
            return False
        # No route answers OPTIONS at this path, or it could not allow more
        everything = OWN_RULES in request and self._allows_everything(request)
        return everything or request.match_info.http_exception is not None

    def _allows_everything(self, request: web.Request) -> bool:
        options = self._config.get(request.headers[hdrs.ORIGIN])
        return options is not None and bool(options.allow_credentials)

    def is_cors_enabled_on_request(self, request: web.Request) -> bool:
        if self._is_malformed(request):
            return False
        if OWN_RULES in request:
            return True
        resource = request.match_info.route.resource
        own = (hdrs.METH_OPTIONS, hdrs.METH_ANY)
        return resource is None or all(route.method not in own for route in resource)

    async def get_preflight_request_config(
        self, request: web.Request, origin: str, method: str
    ) -> Mapping[str, ResourceOptions]:
        return self._config

    def get_non_preflight_request_config(
        self, request: web.Request
    ) -> Mapping[str, ResourceOptions]:
        return self._config

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what no browser sends, and answer preflights."""
        if self._is_malformed(request):
            raise _OriginRefused("The header Origin is not one that a browser sends.")
        if not self.is_preflight_request(request):
            response = await handler(request)
            # The handler may have set `OWN_RULES`
            own = OWN_RULES in request and is_preflight(request)
            if not own or (_allows(response, request) and not self.is_preflight_request(request)):
                return response
        return await self._preflight(request)

    async def _preflight(self, request: web.Request) -> web.Response:
        try:
            return await self._answer_preflight(request)
        except web.HTTPForbidden:
            raise _OriginRefused(_refused(request)) from None

    def _is_malformed(self, request: web.Request) -> bool:
        origins = request.headers.getall(hdrs.ORIGIN, [])
        if len(origins) > 1:
            return True
        return not all(origin in NO_SITE or is_origin(origin) for origin in origins)

    async def log_refused(self, request: web.Request, response: web.StreamResponse) -> None:
        """Log the origin of a request that is answered, if its browser hides the answer."""
        if hdrs.ACCESS_CONTROL_ALLOW_ORIGIN not in response.headers and self._is_refused(request):
            log_refusal(request, logging.INFO, _refused(request))

    def _is_refused(self, request: web.Request) -> bool:
        """Whether a page of another site asks, whose browser will not show it the answer."""
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or origin in self._config or "*" in self._config:
            return False
        same_site = origin.partition("://")[2] == request.headers.get(hdrs.HOST)
        return not same_site and self.is_cors_enabled_on_request(request)


def _allows(response: web.StreamResponse, request: web.Request) -> bool:
    """Whether the answer to a preflight lets the page send its request."""
    allowed = response.headers.get(hdrs.ACCESS_CONTROL_ALLOW_ORIGIN)
    return response.status < 300 and allowed in ("*", request.headers[hdrs.ORIGIN])


def _refused(request: web.Request) -> str:
    origin = request.headers[hdrs.ORIGIN][:_LONGEST_ORIGIN]
    return (
        f"Pages of {origin} may not use this server. To allow them, add the origin to "
        "`server.cors_origins`."
    )
