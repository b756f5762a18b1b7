"""What an ASGI application is told of a request."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from aiohttp import web

from ..keys import PROXIES
from .messages import VERSION, Scope

Address = tuple[str, int | None]


def http_scope(request: web.Request) -> Scope:
    """Return the scope; behind a trusted proxy, with the client and the scheme that it names."""
    raw_path = request.rel_url.raw_path.encode("utf-8", "surrogateescape")
    query = request.rel_url.raw_query_string.encode("utf-8", "surrogateescape")
    return {
        "type": "http",
        "asgi": dict(VERSION),
        "http_version": f"{request.version.major}.{request.version.minor}",
        "method": request.method,
        "scheme": _scheme(request),
        "path": unquote_to_bytes(raw_path).decode("utf-8", "replace"),
        "raw_path": raw_path,
        "root_path": "",
        "query_string": query,
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
        "client": _client(request),
        "server": _server(request),
        "state": {},
    }


def _scheme(request: web.Request) -> str:
    named = request.headers.get("X-Forwarded-Proto", "").strip().lower()
    trusted = request.config_dict[PROXIES].trusts(request.remote or "")
    return named if trusted and named in ("http", "https") else request.scheme


def _client(request: web.Request) -> Address | None:
    remote = request.remote or ""
    forwarded = request.headers.getall("X-Forwarded-For", [])
    proxies = request.config_dict[PROXIES]
    if forwarded and proxies.trusts(remote):
        client = proxies.address(remote, forwarded)
        if client is not None:
            # Nobody knows its port
            return client, 0
    return _address(request, "peername")


def _server(request: web.Request) -> Address | None:
    return _address(request, "sockname")


def _address(request: web.Request, end: str) -> Address | None:
    found: Any = request.get_extra_info(end)
    if isinstance(found, tuple):
        return str(found[0]), int(found[1])
    # The path of a Unix socket; its clients have none
    return (found, None) if isinstance(found, str) and found else None
