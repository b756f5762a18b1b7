"""Writes the events of this process's turns: all together, every few milliseconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from chatkit_server.storage import NumberedEvent

from .config import Config
from .entries import STEP, Batch

MOST_WAITING = 8_000_000
"""Bytes of events that wait for Redis. Beyond that the oldest are left out: followers then read the
database."""

LONGEST_PAUSE = 1.0
"""Seconds between two attempts to write."""

RENEWALS = 4
"""How often the key of a turn gets a new time to live, in its `ttl`."""

log = logging.getLogger(__name__)

Failed = Callable[[Exception], None]


class Writer:
    """Takes events at once, and sends them in one pipeline for all turns.

    What was not acknowledged is sent again: its id says whether it had arrived. `failed` is told of
    errors, `answered` of answers.
    """

    def __init__(
        self,
        config: Config,
        key: Callable[[str], bytes],
        process: bytes,
        failed: Failed,
        answered: Callable[[], None],
    ) -> None:
        self._config = config
        self._key = key
        self._process = process
        self._failed = failed
        self._answered = answered
        self._waiting: dict[str, Batch] = {}
        self._late: list[tuple[str, Batch]] = []
        """Batches that were not acknowledged, the oldest first."""
        self._messages: list[tuple[bytes, bytes]] = []
        self._failing = False
        self._size = 0
        self._renewed: dict[str, float] = {}
        """When the key of each running turn got its time to live."""
        self._dirty = asyncio.Event()
        self._closing = False

    def append(self, turn: str, generation: int, events: Sequence[NumberedEvent]) -> None:
        """Take events of a turn."""
        if not events:
            return
        batch = self._waiting.get(turn)
        if batch is None:
            number = events[0][0]
            batch = self._waiting[turn] = Batch(generation, number, number, [])
            self._dirty.set()
        elif batch.generation != generation or batch.status is not None:
            batch = self._another(turn, batch, generation, events[0][0])
            if batch is None:
                return
        before = batch.size
        batch.add(list(events))
        self._size += batch.size - before
        if self._size > MOST_WAITING:
            self._leave_out()

    def end(self, turn: str, generation: int, status: str, last: int) -> None:
        """Take the end of a turn, after this event."""
        batch = self._waiting.get(turn)
        if batch is None:
            batch = self._waiting[turn] = Batch(generation, last, last, [])
            self._dirty.set()
        elif batch.generation != generation:
            batch = self._another(turn, batch, generation, last)
        if batch is not None and batch.status is None:
            batch.status = status

    def publish(self, channel: bytes, message: bytes) -> None:
        """Take a message that is of use only now."""
        if self._failing:
            return
        self._messages.append((channel, message))
        self._dirty.set()

    def _another(self, turn: str, batch: Batch, generation: int, number: int) -> Batch | None:
        """Return a batch for another attempt; None if it is an older one, or the turn has ended."""
        if generation <= batch.generation:
            return None
        self._late.append((turn, batch))
        self._waiting[turn] = new = Batch(generation, number, number, [])
        return new

    def _leave_out(self) -> None:
        """Forget the oldest events, down to half of what may wait."""
        while self._size > MOST_WAITING // 2:
            if self._late:
                _, batch = self._late.pop(0)
            elif self._waiting:
                turn = max(self._waiting, key=lambda turn: self._waiting[turn].size)
                batch = self._waiting.pop(turn)
                if batch.status is not None:
                    # That it has ended is worth more than what it said
                    empty = Batch(batch.generation, batch.last, batch.last, [])
                    empty.status = batch.status
                    self._waiting[turn] = empty
            else:
                self._size = 0
                return
            self._size -= batch.size

    async def run(self, client: Redis) -> None:
        """Write until `close` was called, and everything is written that can be."""
        pause = 0.0
        while True:
            if not self._late and not self._waiting and not self._messages:
                if self._closing:
                    return
                self._dirty.clear()
                await self._dirty.wait()
            await asyncio.sleep(pause or (0.0 if self._closing else self._config.flush))
            try:
                await self._flush(client)
                pause, self._failing = 0.0, False
                self._answered()
            except (RedisError, OSError, TimeoutError) as error:
                self._failed(error)
                self._failing = True
                if self._closing:
                    return
                pause = min(LONGEST_PAUSE, 2 * pause or 0.05)

    def close(self) -> None:
        """Have `run` write what is left, and end."""
        self._closing = True
        self._dirty.set()

    async def _flush(self, client: Redis) -> None:
        """Write all that waits. Raises why it could not; what was not written waits again."""
        late, self._late = self._late, []
        batches = [*late, *self._waiting.items()]
        self._waiting = {}
        messages, self._messages = self._messages, []
        now = asyncio.get_running_loop().time()
        pipeline = client.pipeline(transaction=False)
        writes: list[int] = []
        for turn, batch in batches:
            writes.append(len(pipeline.command_stack))
            self._add(pipeline, turn, batch, now)
        for channel, message in messages:
            pipeline.publish(channel, message)
        try:
            replies = await pipeline.execute(raise_on_error=False)
        except BaseException:
            self._late = batches
            raise
        self._size = max(0, self._size - sum(batch.size for _, batch in batches))
        for error in (replies[index] for index in writes):
            if isinstance(error, ResponseError) and "equal or smaller" in str(error):
                # It had arrived, or a newer attempt is at work
                continue
            if isinstance(error, Exception):
                # Redis is full, or takes no writes: these events are left out
                raise error

    def _add(self, pipeline: object, turn: str, batch: Batch, now: float) -> None:
        key, (generation, place) = self._key(turn), batch.position
        oldest = batch.last - self._config.max_events
        trim = ("MINID", "~", f"{generation}-{oldest * STEP}") if oldest > 0 else ()
        add = pipeline.execute_command  # type: ignore[attr-defined]
        add("XADD", key, *trim, f"{generation}-{place}", *batch.fields(self._process))
        renewed = self._renewed.get(turn)
        is_over = batch.status is not None
        if is_over or renewed is None or now - renewed > self._config.ttl / RENEWALS:
            add("PEXPIRE", key, int(self._config.ttl * 1000))
            self._renewed[turn] = now
        if is_over:
            self._renewed.pop(turn, None)
