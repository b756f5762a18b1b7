"""What all processes of a deployment count together, in Redis."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from limits.aio.storage import RedisStorage

from chatkit_server import Settings, SettingsError
from chatkit_server.redis import AWAY, RedisAddress, close, mistake, new_client, redis_address

from .config import Config
from .leases import RENEWAL, Lease, Leases
from .link import Away, Link
from .windows import Who, Window, Windows

_TRIAL = "return redis.call('SET', KEYS[1], ARGV[1], 'PX', 1000)"


async def try_out(address: RedisAddress, prefix: str) -> None:
    """Write to Redis as the plugin does.

    Raises `SettingsError` if it answers that the settings are wrong, and what the client raises.
    """
    client = new_client(address, retries=1, protocol=2)
    try:
        await client.eval(_TRIAL, 2, f"{prefix}:limits:trial", f"{prefix}:turns:trial", 1)
    except AWAY as error:
        if told := mistake(error, address):
            raise SettingsError(f"url: {told}") from error
        raise
    finally:
        with suppress(*AWAY):
            await close(client)


class Shared:
    """Turns, requests and tokens in Redis. While it is away, `Away` is raised at once."""

    def __init__(self, config: Config, settings: Settings) -> None:
        assert config.url is not None
        self.address = redis_address(config.url)
        self._prefix = config.prefix
        self.link = Link(self.address, config.timeout)
        self._client = new_client(self.address, retries=1, protocol=2)
        self.leases = Leases(self._client, config.prefix, settings)
        # It sees the URL's scheme alone: the pool knows the rest
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix=f"{config.prefix}:limits",
            connection_pool=self._client.connection_pool,  # type: ignore[arg-type]
        )
        self.windows = Windows(storage, config)
        self._owed: Counter[tuple[Window, str]] = Counter()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Renew leases, and look for a Redis that is away, while the block runs.

        Raises `SettingsError` if Redis answers that the settings are wrong.
        """
        await self.link.probe(try_out(self.address, self._prefix))
        task = asyncio.create_task(self._tend(), name="rate_limits")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with suppress(*AWAY):
                await close(self._client)

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(RENEWAL)
            work = self.leases.renew() if self.link.is_up else self._come_back()
            await self.link.probe(work)

    async def _come_back(self) -> None:
        """Tell Redis what it has missed, once it answers."""
        await self._client.ping()
        await self.leases.renew()
        while self._owed:
            (window, key), tokens = self._owed.popitem()
            try:
                await self.windows.add(window, key, tokens)
            except BaseException:
                self._owed[window, key] += tokens
                raise

    async def enter(self, user: Who, lease: Lease) -> None:
        """Count a request and its turn. Raises `ServerError` if a limit refuses it, or `Away`."""
        if not self.link.is_up:
            raise Away
        await self.link.call(self._enter(user, lease))

    async def _enter(self, user: Who, lease: Lease) -> None:
        await self.windows.enter(user)
        try:
            await self.leases.take(lease)
        except AWAY:
            raise
        except Exception:
            await self.windows.take_back(user)
            raise

    async def leave(self, lease: Lease, refused: Who | None) -> None:
        """Count a turn no more, and if it was `refused`, neither the request of that user."""
        self.leases.held.discard(lease)
        if self.link.is_up:
            with suppress(Away):
                await self.link.call(self._leave(lease, refused))

    async def _leave(self, lease: Lease, refused: Who | None) -> None:
        await self.leases.leave(lease)
        if refused is not None:
            await self.windows.take_back(refused)

    async def spend(self, user: Who, tokens: int) -> None:
        """Count tokens, later if Redis is away."""
        for window in self.windows.tokens:
            self._owed[window, window.key(user)] += tokens
        if self.link.is_up:
            with suppress(Away):
                await self.link.call(self._pay(user, tokens))

    async def _pay(self, user: Who, tokens: int) -> None:
        for window in self.windows.tokens:
            key = window.key(user)
            await self.windows.add(window, key, tokens)
            self._owed[window, key] -= tokens
            if self._owed[window, key] <= 0:
                del self._owed[window, key]
