"""Lets what arrives at the same moment begin one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable


class Turnstile:
    """Lets one client in with each pass of the event loop.

    A hundred requests that arrive together would all begin in one pass, and whoever else is served
    would wait for all of them. Here those of one client wait for each other: `gap` seconds at
    least, and other clients are let in between. The gap leaves time to the threads of the
    database: beside an event loop that is always busy, Python lets a thread run every 5 ms.
    """

    def __init__(self, gap: float = 0.0) -> None:
        self._gap = gap
        self._taken = False
        """Whether a client was let in with this pass."""
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}
        """Who waits, by client: the one that waits longest is the first."""
        self._until: dict[Hashable, float] = {}
        """When a client may be let in again, the earliest first."""
        self._next: asyncio.Handle | None = None

    async def enter(self, client: Hashable) -> None:
        """Wait until this client may be let in."""
        loop = asyncio.get_running_loop()
        self._forget(loop.time())
        if not self._taken and client not in self._waiting and client not in self._until:
            self._let_in(client, loop)
            return
        let_in: asyncio.Future[None] = loop.create_future()
        self._waiting.setdefault(client, deque()).append(let_in)
        if self._next is None:
            self._next = loop.call_at(self._until[client], self._next_pass)
        await let_in

    def _let_in(self, client: Hashable, loop: asyncio.AbstractEventLoop) -> None:
        self._taken = True
        if self._gap:
            self._until[client] = loop.time() + self._gap
        if self._next is not None:
            self._next.cancel()
        self._next = loop.call_soon(self._next_pass)

    def _next_pass(self) -> None:
        loop = asyncio.get_running_loop()
        self._taken, self._next = False, None
        self._forget(loop.time())
        for client in list(self._waiting):
            if client not in self._until and self._wake(client):
                self._let_in(client, loop)
                return
        if self._waiting:
            self._next = loop.call_at(next(iter(self._until.values())), self._next_pass)

    def _wake(self, client: Hashable) -> bool:
        """Wake who waits of a client, the rest after those of others; return if there was any."""
        queue = self._waiting.pop(client)
        while queue:
            let_in = queue.popleft()
            if not let_in.done():
                let_in.set_result(None)
                if queue:
                    self._waiting[client] = queue
                return True
        return False

    def _forget(self, now: float) -> None:
        """Forget when clients were let in last, if they may be let in again."""
        while self._until:
            client, until = next(iter(self._until.items()))
            if until > now:
                break
            del self._until[client]
