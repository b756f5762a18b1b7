"""The hooks of the plugin, and its parts put together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from chatkit_server import SETTINGS, Finding, Outcome, Turn, User, hookimpl
from chatkit_server.redis import AWAY, reason, redis_address

from .config import Config
from .leases import Lease
from .link import PATIENCE, Away
from .local import LocalCounts
from .shared import Shared, try_out
from .usage import tokens_of
from .windows import Who, Windows, who

ALONE = "turns, requests and tokens are counted in each process alone"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A turn that was let in; `is_shared` if Redis has counted its request."""

    user: Who
    lease: Lease | None = None
    is_shared: bool = False


class Plugin:
    """Refuses turns beyond the limits, before anything is written.

    Each process counts its requests and tokens too, so that it knows them when Redis goes away. Its
    turns are counted by the server itself.
    """

    policy: ClassVar = {"admit": "skip"}

    def __init__(self, config: Config) -> None:
        self.config = config
        self.windows = Windows(LocalCounts(), config)
        self.shared: Shared | None = None

    @hookimpl
    async def setup(self, app: web.Application) -> AsyncIterator[None]:
        if self.config.url is None:
            log.info("%s: set `url` to count them for all processes of a deployment", ALONE)
            yield
            return
        self.shared = Shared(self.config, app[SETTINGS])
        async with self.shared.run():
            if self.shared.link.is_up:
                log.info(
                    "turns, requests and tokens are counted for all processes, in Redis at %s: "
                    "turns.limits holds for all of them together",
                    self.shared.address.name,
                )
            yield

    @hookimpl
    async def admit(self, user: User, thread_id: str, beside: bool) -> AsyncIterator[None]:
        entry = await self._enter(who(user), thread_id, beside=beside)
        try:
            yield
        except (Exception, asyncio.CancelledError):
            await self.windows.take_back(entry.user)
            await self._leave(entry, refused=True)
            raise
        await self._leave(entry, refused=False)

    @hookimpl
    async def post_turn(self, turn: Turn, outcome: Outcome) -> None:
        if self.windows.tokens and (tokens := tokens_of(turn, outcome)):
            user = who(turn.user)
            await self.windows.spend(user, tokens)
            if self.shared is not None:
                await self.shared.spend(user, tokens)

    @hookimpl
    async def ready(self) -> Finding | None:
        """Without Redis, turns work, and are counted in each process."""
        if self.shared is None or self.shared.link.is_up:
            return None
        return Finding(f"Redis does not answer: {ALONE}")

    @hookimpl
    async def check(self, online: bool) -> list[Finding]:
        """Connect to Redis, as the server does when it starts."""
        if self.config.url is None:
            todo = "If there are several, set `url`, the address of a Redis"
            return [Finding(ALONE, todo, level="notice")]
        if not online:
            return []
        address = redis_address(self.config.url)
        try:
            async with asyncio.timeout(PATIENCE):
                await try_out(address, self.config.prefix)
        except AWAY as error:
            told = f"Redis at {address.name} does not answer: {reason(error, address)}"
            return [Finding(told, "Start it, or check `url`", level="error")]
        return [Finding(f"Redis at {address.name} counts for all processes", level="ok")]

    async def _enter(self, user: Who, thread_id: str, *, beside: bool) -> Entry:
        """Count a request and its turn. Raises `ServerError` if a limit refuses it."""
        if self.shared is None:
            await self.windows.enter(user)
            return Entry(user)
        lease = self.shared.leases.new(user, thread_id, beside=beside)
        try:
            await self.shared.enter(user, lease)
        except Away:
            await self.windows.enter(user)
            self.shared.leases.keep(lease)
            return Entry(user, lease)
        await self.windows.note(user)
        return Entry(user, lease, is_shared=True)

    async def _leave(self, entry: Entry, *, refused: bool) -> None:
        if self.shared is not None and entry.lease is not None:
            forgotten = entry.user if refused and entry.is_shared else None
            await self.shared.leave(entry.lease, forgotten)
