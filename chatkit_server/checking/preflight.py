"""Whether pages may call the server: the request that a browser sends first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import hdrs, web
from yarl import URL

from ..finding import Finding
from ..outgoing import certificates, proxy_of
from ..settings.schema import ServerSettings
from ..web.keys import SETTINGS
from .probes import Tell

PATIENCE = 8.0

_SENDS = ("authorization", "chatkit-frame-instance-id", "content-type", "last-event-id")
"""Headers of a page's requests that a browser asks for."""

_ANY_PAGE = "https://page.example"


async def check_preflight(app: web.Application, tell: Tell) -> None:
    """Ask as a page of each origin would, over a socket; nothing of the server is started."""
    server = app[SETTINGS].server
    if not server.cors_origins:
        tell(Finding("only pages of the server's own origin may call it", "", "ok", "pages"))
        return
    async with _listening(app) as base:
        await _ask_for_each(f"{base}{server.path}", server, tell)


async def check_url(url: str, app: web.Application, tell: Tell) -> None:
    """Ask a deployed server the same: its proxies may answer in its place."""
    server = app[SETTINGS].server
    await _ask_for_each(url, server, tell, f" at {url}")


async def _ask_for_each(url: str, server: ServerSettings, tell: Tell, place: str = "") -> None:
    timeout = aiohttp.ClientTimeout(PATIENCE)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        origins = server.cors_origins
        names = [f"pages of {origin}{place}" for origin in origins] or [f"server{place}"]
        asked = [_ANY_PAGE if origin == "*" else origin for origin in origins or [_ANY_PAGE]]
        pairs = zip(asked, names, strict=True)
        found = await asyncio.gather(*(_ask(session, url, *pair, server) for pair in pairs))
        for finding in found:
            tell(finding)


async def _ask(
    session: aiohttp.ClientSession, url: str, origin: str, where: str, server: ServerSettings
) -> Finding:
    headers = {
        hdrs.ORIGIN: origin,
        hdrs.ACCESS_CONTROL_REQUEST_METHOD: hdrs.METH_POST,
        hdrs.ACCESS_CONTROL_REQUEST_HEADERS: ",".join(_SENDS),
    }
    try:
        async with session.options(
            url,
            headers=headers,
            allow_redirects=False,
            ssl=certificates(),
            proxy=proxy_of(URL(url)),
        ) as response:
            if not server.cors_origins:
                return Finding("answers", "", "ok", where)
            missing = _missing(response.status, response.headers, origin, server)
            text = await response.text(errors="replace") if missing else ""
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        told = " ".join(str(error).split()) or f"no answer within {PATIENCE:g} s"
        return Finding(told, "Check the address, DNS, TLS and the proxy", "error", where)
    if missing is None:
        return Finding("a browser lets them call the server", "", "ok", where)
    said = " ".join(text.split())[:200]
    told = f"{missing} (HTTP {response.status}{f': {said}' if said else ''})"
    return Finding(
        f"a browser does not let them call the server: {told}",
        "Let OPTIONS requests reach the server: a plugin's middleware or route, or a proxy, "
        "answers them",
        "error",
        where,
    )


def _missing(
    status: int, headers: Mapping[str, str], origin: str, server: ServerSettings
) -> str | None:
    """Return what is missing in the answer to a preflight, None if all is there."""
    if not 200 <= status < 300:
        return "the preflight is refused"
    allowed = headers.get(hdrs.ACCESS_CONTROL_ALLOW_ORIGIN)
    if allowed not in (origin, *(() if server.cors_credentials else "*")):
        return f"Access-Control-Allow-Origin is {allowed or 'missing'}"
    if server.cors_credentials and headers.get(hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS) != "true":
        return "Access-Control-Allow-Credentials is missing"
    given = {name.strip().lower() for name in _list(headers, hdrs.ACCESS_CONTROL_ALLOW_HEADERS)}
    lacking = [name for name in _SENDS if name not in given and "*" not in given]
    if lacking:
        return f"Access-Control-Allow-Headers lacks {', '.join(lacking)}"
    return None


def _list(headers: Mapping[str, str], name: str) -> list[str]:
    return headers.get(name, "").split(",")


@asynccontextmanager
async def _listening(app: web.Application) -> AsyncIterator[str]:
    """Serve the application on a free port of this machine, without what runs beside it."""
    for handlers in (app.cleanup_ctx, app.on_startup, app.on_shutdown, app.on_cleanup):
        handlers.clear()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()
