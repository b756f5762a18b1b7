"""Which pages may call the server from a browser."""

from __future__ import annotations

import re
from contextlib import suppress

import aiohttp_cors
from aiohttp import web

from ..errors import SettingsError
from ..settings.schema import Settings

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s]+")


def allow_origins(app: web.Application, settings: Settings) -> None:
    """Let pages of the origins in the settings call every route."""
    server = settings.server
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


def check_origins(settings: Settings) -> None:
    """Raise `SettingsError` for origins that no browser sends, and for `*` with credentials."""
    server = settings.server
    where = settings.source.where(("server", "cors_origins"))
    problems = []
    if "*" in server.cors_origins and server.cors_credentials:
        problems.append(
            f"{where}: `*` would let every page act as its visitor. Name the origins, or set "
            "server.cors_credentials: false"
        )
    problems += [
        f"{where}: `{origin}` is not an origin as browsers write it: scheme, host and port, such "
        "as https://app.example.com or http://localhost:3000, without a path"
        for origin in server.cors_origins
        if origin != "*" and not _ORIGIN.fullmatch(origin)
    ]
    if problems:
        raise SettingsError("\n".join(problems))
