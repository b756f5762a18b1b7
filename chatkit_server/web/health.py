"""`/healthz` and `/readyz`."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiohttp import hdrs, web
from chatkit.store import Store

from ..records import OutageLog, quoted
from ..turn import StoreContext, User
from ..turns.places import RETRY_AFTER
from .keys import ENGINE, MCP

STORE_TIMEOUT = 5.0
"""Seconds within which the store must answer `/readyz`."""

log = logging.getLogger(__name__)


async def healthz(request: web.Request) -> web.StreamResponse:
    """Answer 200 while the process runs."""
    return web.json_response({"status": "ok"})


class Readiness:
    """Answers `/readyz`. Anybody may ask, so those who ask at once make one call to the store."""

    def __init__(self, store: Store[StoreContext]) -> None:
        self._store = store
        self._outage = OutageLog(log, "the store")
        self._checking: asyncio.Task[str | None] | None = None

    async def readyz(self, request: web.Request) -> web.StreamResponse:
        """Answer 200 if the server can run turns, else 503, with the state of each part."""
        app = request.app
        checks: dict[str, Any] = {"store": await self._problem() or "ok"}
        servers = app[MCP].status()
        ready = (
            checks["store"] == "ok"
            and not app[ENGINE].turns.closing
            and all(server["connected"] or not server["required"] for server in servers.values())
        )
        body = {"ready": ready, **checks, "mcp_servers": servers}
        if ready:
            return web.json_response(body)
        headers = {hdrs.RETRY_AFTER: str(RETRY_AFTER)}
        return web.json_response(body, status=503, headers=headers)

    async def _problem(self) -> str | None:
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check())
        return await asyncio.shield(self._checking)

    async def _check(self) -> str | None:
        """Return what is wrong with the store, or None if it answers."""
        nobody = StoreContext(User(id="readyz", tenant="chatkit_server"))
        try:
            async with asyncio.timeout(STORE_TIMEOUT):
                await self._store.load_threads(1, None, "desc", nobody)
        except Exception as error:
            self._outage.failed(quoted(error))
            return "does not answer"
        self._outage.answered()
        return None
