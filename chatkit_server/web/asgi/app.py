"""An ASGI application as a part of this server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import hdrs, web

from ...errors import TooLarge
from ...tasks import Escaped, escapes, is_cancelled
from ...words import words
from ..cors import OWN_RULES
from ..errors import Refusal
from ..keys import ANSWERS, SETTINGS
from .exchange import Answered, Exchange
from .lifespan import Lifespan
from .messages import Application, Scope
from .rest import serve_rest
from .scope import http_scope

LAST_CALLS = 3.0
"""Seconds that calls have to end when the server stops."""

log = logging.getLogger(__name__)


class AsgiApp:
    """Answers requests of this server with an ASGI application, such as one of FastAPI.

    Add `run` to the `cleanup_ctx` of the server's application. Then `serve_rest(app)`, or add
    `handle` to its routes. Bodies may have `max_body` bytes, without it `server.max_body`.
    """

    def __init__(self, app: Application, *, max_body: int | None = None) -> None:
        self._app = app
        self._max_body = max_body
        self._state: dict[str, Any] = {}
        self._calls: set[asyncio.Task[None]] = set()

    @property
    def state(self) -> dict[str, Any]:
        """What the application's lifespan gives every request."""
        return self._state.copy()

    async def run(self, _: web.Application) -> AsyncIterator[None]:
        """Start the application before the server listens, and stop it at the end.

        The server won't start if the application does not.
        """
        lifespan = Lifespan(self._app)
        self._state = await lifespan.start()
        yield
        await self._end_calls()
        await lifespan.stop()

    def serve_rest(self, app: web.Application) -> None:
        """Answer every path that no route of the server has, whether of the core or of a plugin.

        Raises `SettingsError` if another plugin does so.
        """
        serve_rest(app, self.handle)

    async def handle(self, request: web.Request, /, **scope: Any) -> web.StreamResponse:
        """Return the application's response, which may be sent already.

        `scope` is added to the ASGI scope. The application may go on after its response, as
        background tasks do, and after the client has left, which it is told.
        """
        request[OWN_RULES] = True
        limit = self._max_body or request.config_dict[SETTINGS].server.max_body
        _refuse(request, limit)
        answered: Answered = asyncio.get_running_loop().create_future()
        answers = request.config_dict[ANSWERS]
        answers.add(answered)
        answered.add_done_callback(answers.discard)
        exchange = Exchange(request, limit, answered)
        given = {**http_scope(request), "state": self.state, **scope}
        call = asyncio.create_task(self._call(given, exchange))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        try:
            return await answered
        except asyncio.CancelledError:
            exchange.abort()
            if is_cancelled():
                raise
            # The client has left, or the server stops: nobody reads this
            return exchange.broken_off()
        finally:
            exchange.leave()
            # An error's traceback has this frame: in a cycle, both would stay in memory
            del answered

    async def _call(self, scope: Scope, exchange: Exchange) -> None:
        try:
            await self._app(scope, exchange.receive, exchange.send)
            exchange.ended()
        except Exception as error:
            exchange.failed(error)
        except asyncio.CancelledError:
            if not exchange.is_over:
                exchange.failed(RuntimeError("the application was cancelled"))
        except BaseException as error:
            if not escapes(error, asyncio.current_task()):
                raise
            # `sys.exit()` in a route would end the server, with everyone's answers
            exchange.failed(Escaped(error))

    async def _end_calls(self) -> None:
        """Give background tasks a moment, then cancel them."""
        if self._calls:
            await asyncio.wait(self._calls, timeout=LAST_CALLS)
        if self._calls:
            log.warning("calls of the ASGI application are cancelled: %d", len(self._calls))
            for call in self._calls:
                call.cancel()
            await asyncio.wait(self._calls)


def _refuse(request: web.Request, limit: int) -> None:
    """Raise for what no application here is asked."""
    if request.headers.get(hdrs.UPGRADE, "").strip().lower() == "websocket":
        raise Refusal(501, "This server does not support WebSockets.")
    if (request.content_length or 0) > limit:
        raise TooLarge(words("The request is larger than {limit} bytes.", limit=limit))
