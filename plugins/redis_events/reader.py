"""Reads the turns that this process follows: one blocking read for all of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from chatkit_server.storage import IDLE, Part

from .connection import ask
from .entries import BEGIN, STEP, Entry, Position, entries_of, parts_of, written

BLOCK = 1.0
"""Seconds for which a read waits at the server."""

_PAGE = 500

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Turn:
    """A turn that is followed: until which entry it was read, None if nobody has replayed it.

    What came after `begin` was put into the queues of all who follow.
    """

    position: Position | None = None
    begin: Position = BEGIN
    followers: list[asyncio.Queue[Entry]] = field(default_factory=list)


class Reader:
    """Hands what one connection reads to all that follow."""

    def __init__(
        self,
        key: Callable[[str], bytes],
        wake_key: bytes,
        failed: Callable[[Exception], None],
        answered: Callable[[], None],
    ) -> None:
        self._key = key
        self._wake_key = wake_key
        self._failed = failed
        self._answered = answered
        self._turns: dict[str, _Turn] = {}
        self._by_key: dict[bytes, _Turn] = {}
        self._woken: Position = BEGIN
        self._reads = asyncio.Event()

    async def follow(self, client: Redis, turn: str, after: int) -> AsyncGenerator[Part | None]:
        """Yield what is kept of a turn after an event, then what comes, and None after silence."""
        queue: asyncio.Queue[Entry] = asyncio.Queue()
        followed = self._join(turn, queue)
        try:
            seen = await self._replayed(client, turn, after)
            while seen is None:
                # What was missed is replayed when it answers again
                yield None
                await asyncio.sleep(IDLE)
                seen = await self._replayed(client, turn, after)
            position, entries = seen
            if followed.position is None:
                followed.position = followed.begin = position
                await self._wake(client)
            if position < followed.begin:
                # Another follower's answer was from later, but came first
                position, entries = await self._replayed(client, turn, after) or seen
            for each in entries:
                for part in parts_of(*each, after):
                    yield part
                    if part.status is not None:
                        return
            while True:
                try:
                    async with asyncio.timeout(IDLE):
                        entry = await queue.get()
                except TimeoutError:
                    yield None
                    continue
                if entry[0] <= position:
                    continue
                position = entry[0]
                for part in parts_of(*entry, after):
                    yield part
                    if part.status is not None:
                        return
        finally:
            self._leave(turn, queue)

    def _join(self, turn: str, queue: asyncio.Queue[Entry]) -> _Turn:
        followed = self._turns.get(turn)
        if followed is None:
            followed = self._turns[turn] = self._by_key[self._key(turn)] = _Turn()
        followed.followers.append(queue)
        return followed

    def _leave(self, turn: str, queue: asyncio.Queue[Entry]) -> None:
        followed = self._turns[turn]
        followed.followers.remove(queue)
        if not followed.followers:
            del self._turns[turn], self._by_key[self._key(turn)]

    async def _replayed(
        self, client: Redis, turn: str, after: int
    ) -> tuple[Position, list[Entry]] | None:
        """Return what is kept after an event, and the last entry's position; None for a failure."""
        begin = f"(1-{after * STEP}" if after else "-"
        position = BEGIN
        found: list[Entry] = []
        try:
            while True:
                rows = await ask(client, "XRANGE", self._key(turn), begin, "+", "COUNT", _PAGE)
                page = entries_of(rows)
                found += page
                if page:
                    position = page[-1][0]
                if len(page) < _PAGE:
                    self._answered()
                    return position, found
                begin = f"({written(position)}"
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)
            return None

    async def _wake(self, client: Redis) -> None:
        """Have the blocking read begin again, with another turn."""
        self._reads.set()
        try:
            await ask(client, "XADD", self._wake_key, "MAXLEN", "1", "*", b"w", b"")
            await ask(client, "PEXPIRE", self._wake_key, 60_000)
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)

    async def run(self, client: Redis) -> None:
        """Read until cancelled."""
        pause = 0.0
        while True:
            streams = {
                self._key(turn): followed.position
                for turn, followed in self._turns.items()
                if followed.position is not None
            }
            if not streams:
                self._reads.clear()
                await self._reads.wait()
                continue
            try:
                await self._read(client, streams)
                pause = 0.0
            except (RedisError, OSError, TimeoutError) as error:
                self._failed(error)
                pause = min(1.0, 2 * pause or 0.05)
                await asyncio.sleep(pause)

    async def _read(self, client: Redis, streams: dict[bytes, Position]) -> None:
        keys = [self._wake_key, *streams]
        places = [written(self._woken), *map(written, streams.values())]
        rows = await ask(
            client, "XREAD", "COUNT", _PAGE, "BLOCK", int(BLOCK * 1000), "STREAMS", *keys, *places
        )
        self._answered()
        for key, entries in _streams(rows):
            found = entries_of(entries)
            if key == self._wake_key:
                self._woken = found[-1][0]
                continue
            followed = self._by_key.get(key)
            if followed is None:
                continue
            followed.position = found[-1][0]
            for queue in followed.followers:
                for entry in found:
                    queue.put_nowait(entry)


def _streams(rows: Any) -> list[tuple[bytes, list[Any]]]:
    """Return the streams of an answer: RESP3 has a map, RESP2 pairs."""
    if not rows:
        return []
    return list(rows.items() if isinstance(rows, dict) else rows)
