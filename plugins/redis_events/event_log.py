"""The event log of the core's contract, over Redis."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress

from redis.asyncio import Redis

from chatkit_server.redis import AWAY, close, mistake, redis_address, tls_hint
from chatkit_server.storage import IDLE, EventLog, Heard, News, NumberedEvent, OutageLog, Part

from .channels import Channels
from .config import Config
from .connection import ask, connected, end
from .entries import PROCESS, entries_of
from .reader import Reader
from .writer import Writer

LAST_WORDS = 1.0
"""Seconds for what is still to be written when the server stops."""

SUBSCRIBED = 1.0
"""Seconds for Redis to take a subscription."""

log = logging.getLogger(__name__)


class RedisEventLog(EventLog):
    """Carries the events of turns through streams, and words through channels.

    Whatever Redis does, turns go on.
    """

    def __init__(self, config: Config) -> None:
        self._away: str | None = None
        self._has_answered = False
        self._refuses: str | None = None
        """Why Redis takes no writes, while it answers."""
        self._config = config
        self._prefix = config.prefix.encode() + b":"
        self._process = secrets.token_hex(8).encode()
        self._address = redis_address(config.url)
        self._outage = OutageLog(log, f"Redis at {self._address.name}")
        self._client: Redis | None = None
        self._channels = Channels(self._prefix, self._process, self._failed)
        wake_key = self._prefix + b"wake:" + self._process
        self._reader = Reader(self._key, wake_key, self._failed, self._answered)
        self._writer = Writer(
            config, self._key, self._process, self._failed, self._answered, self._wrote
        )

    def _key(self, turn: str) -> bytes:
        return self._prefix + b"turn:" + turn.encode()

    @asynccontextmanager
    async def run(self, heard: Heard) -> AsyncGenerator[None]:
        """Be connected while the block runs; a Redis that is not there is waited for."""
        address, timeout = self._address, self._config.timeout
        client, blocking = connected(address, timeout), connected(address, timeout, blocks=True)
        self._client = client
        writing = asyncio.create_task(self._writer.run(client), name="redis_events: write")
        tasks = [
            asyncio.create_task(self._reader.run(blocking), name="redis_events: read"),
            asyncio.create_task(self._channels.run(blocking, heard), name="redis_events: listen"),
        ]
        try:
            yield
        finally:
            self._writer.close()
            await asyncio.wait([writing], timeout=LAST_WORDS)
            await end(writing, *tasks)
            self._client = None
            await close(client)
            await close(blocking)

    def append(self, turn: str, generation: int, events: Sequence[NumberedEvent]) -> None:
        """Take events of a turn, to be written with the next flush."""
        if events:
            self._writer.append(turn, generation, events)

    def end(self, turn: str, generation: int, status: str) -> None:
        """Take the end of a turn."""
        self._writer.end(turn, generation, status)

    async def follow(self, turn: str, after: int) -> AsyncGenerator[Part | None]:
        """Yield what is kept of a turn after an event, and then what comes."""
        client = self._client
        if client is None:
            while True:
                yield None
                await asyncio.sleep(IDLE)
        async with aclosing(self._reader.follow(client, turn, after)) as parts:
            async for part in parts:
                yield part

    async def signal(self, turn: str, word: str) -> bool:
        """Tell the process that runs a turn; return whether it listens."""
        if self._client is None:
            return False
        try:
            newest = await ask(self._client, "XREVRANGE", self._key(turn), "+", "-", "COUNT", 1)
            if not newest:
                return False
            [(_, fields)] = entries_of(newest)
            channel = self._channels.process_channel(fields[PROCESS])
            return bool(await self._client.publish(channel, f"{turn} {word}"))
        except AWAY as error:
            self._failed(error)
            return False

    @property
    def problem(self) -> str | None:
        """Why Redis is of no use right now."""
        return self._away or self._refuses

    @property
    def is_live(self) -> bool:
        """Whether Redis answers, and takes writes."""
        return self.problem is None

    def tell(self, place: str, news: str) -> None:
        """Tell all who watch a place: those of this process at once."""
        self._channels.watchers.tell(place, news)
        self._writer.publish(*self._channels.message(place, news))

    def watch(self, place: str, told: News) -> Callable[[], None]:
        """Call `told` with the news of a place; return what ends that."""
        return self._channels.watch(place, told)

    async def watched(self, place: str) -> bool:
        """Wait until Redis passes on what is told of a place, if it answers at all."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SUBSCRIBED):
                while self.is_live and not self._channels.hears(place):
                    await self._channels.subscribed()
        return self.is_live and self._channels.hears(place)

    def _failed(self, error: Exception) -> None:
        why = mistake(error, self._address) or str(error) or type(error).__name__
        if not self._has_answered and (hint := tls_hint(error, self._address)):
            why = f"{why.rstrip('.')}{hint}"
        self._away = (
            f"Redis does not answer ({type(error).__name__}): answers of other processes are "
            "followed once a second"
        )
        self._outage.failed(why, type(error).__name__)

    def _answered(self) -> None:
        self._away = None
        self._has_answered = True
        self._outage.answered()

    def _wrote(self, refusal: str | None) -> None:
        """Note whether Redis takes writes, and say so when that changes."""
        name = self._address.name
        if refusal is None:
            if self._refuses is not None:
                log.info("Redis at %s takes writes again", name)
            self._refuses = None
            return
        is_full = refusal.partition(" ")[0].lstrip("-") == "OOM"
        why = "it is full: give it more `maxmemory`, or a policy that evicts"
        why = why if is_full else refusal
        if self._refuses is None:
            log.warning(
                "Redis at %s refuses writes: %s. Until it takes them, answers of other processes "
                "are followed once a second",
                name,
                why,
            )
        self._refuses = f"Redis refuses writes: {why}"
