"""Lets what a client sends at the same moment begin one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from contextvars import Context


class Turnstile:
    """Lets a client in once in `gap` seconds, or once with each pass of the event loop.

    A hundred requests that arrive together would all begin in one pass, and everybody else would
    wait for them. Here those of one client wait for each other, and for nobody else.
    """

    def __init__(self, gap: float = 0.0) -> None:
        self._gap = gap
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}
        """The clients that were let in a moment ago, and who waits behind them."""

    async def enter(self, client: Hashable) -> None:
        """Wait until this client may be let in."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting.get(client)
        if waiting is None:
            self._let_in(client, deque(), loop)
            return
        let_in: asyncio.Future[None] = loop.create_future()
        waiting.append(let_in)
        await let_in

    def _let_in(
        self,
        client: Hashable,
        others: deque[asyncio.Future[None]],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._waiting[client] = others
        # It outlives the request, and would keep its context in memory
        if self._gap:
            loop.call_later(self._gap, self._next, client, context=Context())
        else:
            loop.call_soon(self._next, client, context=Context())

    def _next(self, client: Hashable) -> None:
        others = self._waiting.pop(client)
        while others:
            let_in = others.popleft()
            if not let_in.done():
                let_in.set_result(None)
                self._let_in(client, others, let_in.get_loop())
                return
