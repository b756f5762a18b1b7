"""`/healthz` and `/readyz`."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiohttp import web
from chatkit.store import Store

from ..turn import StoreContext, User
from .keys import ENGINE, MCP, STORE

STORE_TIMEOUT = 5.0
"""Seconds within which the store must answer `/readyz`."""

log = logging.getLogger(__name__)


async def healthz(request: web.Request) -> web.StreamResponse:
    """Answer 200 while the process runs."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.StreamResponse:
    """Answer 200 if the server can run turns, else 503, with the state of each part."""
    app = request.app
    checks: dict[str, Any] = {"store": await _store_problem(app[STORE]) or "ok"}
    servers = app[MCP].status()
    ready = (
        checks["store"] == "ok"
        and not app[ENGINE].turns.closing
        and all(server["connected"] or not server["required"] for server in servers.values())
    )
    body = {"ready": ready, **checks, "mcp_servers": servers}
    return web.json_response(body, status=200 if ready else 503)


async def _store_problem(store: Store[StoreContext]) -> str | None:
    """Return what is wrong with the store, or None if it answers."""
    nobody = StoreContext(User(id="readyz", tenant="chatkit_server"))
    try:
        async with asyncio.timeout(STORE_TIMEOUT):
            await store.load_threads(1, None, "desc", nobody)
    except Exception as error:
        log.warning("the store does not answer: %r", error)
        return "does not answer"
    return None
