"""Writes the events of this process's turns: all together, every few milliseconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from chatkit_server.storage import NumberedEvent

from .config import Config
from .connection import ask
from .entries import STEP, Batch

MOST_WAITING = 8_000_000
"""Bytes of events that wait for Redis. Beyond that the oldest are left out: followers then read the
database."""

LONGEST_PAUSE = 1.0
"""Seconds between two attempts to write."""

RENEWALS = 4
"""How often the key of a turn gets a new time to live, in its `ttl`."""

MOST_MESSAGES = 10_000
"""Messages to channels that wait for Redis."""

MOST_AT_ONCE = 200
"""Turns that are written with one command: others wait for Redis meanwhile."""

_SCRIPT = """
local errors = {}
for i, key in ipairs(KEYS) do
    local at = 2 + 6 * (i - 1)
    local id, oldest, first, data, status, renews = unpack(ARGV, at + 1, at + 6)
    local words = {'XADD', key}
    if oldest ~= '' then
        words[3], words[4], words[5] = 'MINID', '~', oldest
    end
    for _, word in ipairs({id, 'n', first, 'p', ARGV[1], 'd', data}) do
        words[#words + 1] = word
    end
    if status ~= '' then
        words[#words + 1] = 's'
        words[#words + 1] = string.sub(status, 2)
    end
    local added = redis.pcall(unpack(words))
    if type(added) == 'table' and added.err then
        -- It had arrived, or a newer attempt is at work
        if not string.find(added.err, 'equal or smaller', 1, true) then
            errors[#errors + 1] = added.err
        end
    elseif renews == '1' then
        redis.call('PEXPIRE', key, ARGV[2])
    end
end
return errors
"""
"""Adds the entries of many turns. One command costs this process a fifth of as many in a pipeline:
the library waits for each answer with a timer of its own."""

log = logging.getLogger(__name__)

Failed = Callable[[Exception], None]


class Writer:
    """Takes events at once, and sends those of all turns together.

    What was not acknowledged is sent again: its id says whether it had arrived. `failed` is told of
    errors, `answered` of answers, and `wrote` of writes, with why Redis has refused one.
    """

    def __init__(
        self,
        config: Config,
        key: Callable[[str], bytes],
        process: bytes,
        failed: Failed,
        answered: Callable[[], None],
        wrote: Callable[[str | None], None],
    ) -> None:
        self._config = config
        self._key = key
        self._process = process
        self._failed = failed
        self._answered = answered
        self._wrote = wrote
        self._waiting: dict[str, Batch] = {}
        self._late: list[tuple[str, Batch]] = []
        """Batches that were not acknowledged, the oldest first."""
        self._script: bytes | None = None
        self._messages: list[tuple[bytes, bytes]] = []
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
        """Take a message that is of use only now: it is not sent again."""
        if len(self._messages) < MOST_MESSAGES:
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
                pause = 0.0
                self._answered()
            except NoScriptError:
                continue
            except (RedisError, OSError, TimeoutError) as error:
                self._failed(error)
                if self._closing:
                    return
                pause = min(LONGEST_PAUSE, 2 * pause or 0.05)

    def close(self) -> None:
        """Have `run` write what is left, and end."""
        self._closing = True
        self._dirty.set()

    async def _flush(self, client: Redis) -> None:
        """Write all that waits. Raises why it could not; what was not written waits again."""
        batches = [*self._late, *self._waiting.items()]
        self._late, self._waiting = [], {}
        messages, self._messages = self._messages, []
        try:
            while batches:
                some = batches[:MOST_AT_ONCE]
                await self._write(client, some)
                del batches[:MOST_AT_ONCE]
                self._size = max(0, self._size - sum(batch.size for _, batch in some))
            if messages:
                await self._publish(client, messages)
        finally:
            self._late = batches + self._late

    async def _write(self, client: Redis, batches: Sequence[tuple[str, Batch]]) -> None:
        """Write some batches with one command. Raises what Redis says, such as that it is full."""
        now = asyncio.get_running_loop().time()
        keys = [self._key(turn) for turn, _ in batches]
        values: list[bytes | str | int] = [self._process, int(self._config.ttl * 1000)]
        for turn, batch in batches:
            values += self._values(turn, batch, now)
        if self._script is None:
            self._script = await ask(client, "SCRIPT", "LOAD", _SCRIPT)
        try:
            errors = await ask(client, "EVALSHA", self._script, len(keys), *keys, *values)
        except NoScriptError:
            # It is another server, or one that was restarted
            self._script = None
            raise
        # These events are left out: Redis is full, or takes no writes
        self._wrote(_refusal(errors[0]) if errors else None)

    def _values(self, turn: str, batch: Batch, now: float) -> list[bytes | str | int]:
        generation, place = batch.position
        oldest = batch.last - self._config.max_events
        renewed = self._renewed.get(turn)
        is_over = batch.status is not None
        renews = is_over or renewed is None or now - renewed > self._config.ttl / RENEWALS
        if is_over:
            self._renewed.pop(turn, None)
        elif renews:
            self._renewed[turn] = now
        return [
            f"{generation}-{place}",
            f"{generation}-{oldest * STEP}" if oldest > 0 else b"",
            batch.first,
            batch.frames[0] if len(batch.frames) == 1 else b"".join(batch.frames),
            b"" if batch.status is None else f"={batch.status}",
            int(renews),
        ]

    async def _publish(self, client: Redis, messages: Sequence[tuple[bytes, bytes]]) -> None:
        pipeline = client.pipeline(transaction=False)
        for channel, message in messages:
            pipeline.publish(channel, message)
        await pipeline.execute()


def _refusal(error: bytes) -> str:
    """Return what Redis says of a command of the script, without the name and line of that."""
    text = error.decode(errors="replace").strip()
    return text.partition(": -")[2] or text
