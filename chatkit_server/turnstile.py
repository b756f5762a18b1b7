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
        """The clients that hold their place, or left it a moment ago, and who waits behind them."""

    async def enter(self, client: Hashable) -> None:
        """Wait until this client may be let in."""
        await self.hold(client)
        self.leave(client, self._gap)

    async def hold(self, client: Hashable) -> None:
        """Wait in the same way; nobody else of this client is let in until it calls `leave`."""
        waiting = self._waiting.get(client)
        if waiting is None:
            self._waiting[client] = deque()
            return
        let_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(let_in)
        try:
            await let_in
        except BaseException:
            if not let_in.cancel() and not let_in.cancelled():
                # It was let in, and doesn't come any more
                self.leave(client)
            raise

    def leave(self, client: Hashable, gap: float = 0.0) -> None:
        """Let the next one of this client in after `gap` seconds."""
        loop = asyncio.get_running_loop()
        # It outlives the request, and would keep its context in memory
        if gap:
            loop.call_later(gap, self._next, client, context=Context())
        else:
            loop.call_soon(self._next, client, context=Context())

    def _next(self, client: Hashable) -> None:
        others = self._waiting[client]
        while others:
            let_in = others.popleft()
            if not let_in.done():
                let_in.set_result(None)
                return
        del self._waiting[client]
