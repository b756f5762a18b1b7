"""Writes the events of this process's turns: all together, every few milliseconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from chatkit_server.storage import NumberedEvent

from .config import Config
from .entries import STEP, Batch
from .link import Link, command, word

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

ENOUGH = 0.9
"""The part of `flush` after which the next event has all be written: no timer wakes the process."""

MOST_UNANSWERED = 16
"""Commands whose answers are read together, unless nothing more is to be written meanwhile. To be
woken for each of them cost as much as a tenth of all else that is done for a token."""

_SCRIPT = b"""
local errors = {}
for i, key in ipairs(KEYS) do
    local data, rest = ARGV[2 * i + 1], ARGV[2 * i + 2]
    local pattern = '^(%S+) (%d+) ?(%d?) ?(%S*) ?(.*)$'
    local id, first, renews, oldest, status = string.match(rest, pattern)
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
"""Adds the entries of many turns, with one command and one answer."""

log = logging.getLogger(__name__)

Failed = Callable[[Exception], None]


class _Collecting:
    """A time in which events come together. `over` is done at its end: an event shortly before ends
    it, and saves waking the process for that alone."""

    __slots__ = ("_enough", "_loop", "over", "timer")

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._enough = now + ENOUGH * seconds
        self.over: asyncio.Future[None] = self._loop.create_future()
        self.timer = self._loop.call_at(now + seconds, self._end)

    def came(self) -> None:
        """An event has come."""
        if self._loop.time() >= self._enough:
            self._end()

    def _end(self) -> None:
        if not self.over.done():
            self.over.set_result(None)


class _Sent(NamedTuple):
    """What was sent together: the entries of turns, and a number of messages."""

    batches: list[tuple[str, Batch]]
    messages: int


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
        self._taken: list[tuple[str, int, Sequence[NumberedEvent] | str]] = []
        """What came since the last flush: a turn, its attempt, and events or how it has ended."""
        self._waiting: dict[str, Batch] = {}
        self._late: list[tuple[str, Batch]] = []
        """Batches that were not acknowledged, the oldest first."""
        self._sent: list[_Sent] = []
        """What was sent, and is not acknowledged yet."""
        self._script: bytes | None = None
        self._messages: list[tuple[bytes, bytes]] = []
        self._collecting: _Collecting | None = None
        self._size = 0
        self._last: dict[str, int] = {}
        """The number of the last event of each running turn."""
        self._renewed: dict[str, float] = {}
        """When the key of each running turn got its time to live."""
        self._dirty = asyncio.Event()
        self._closing = False

    def append(self, turn: str, generation: int, events: Sequence[NumberedEvent]) -> None:
        """Take events of a turn, to be written with the next flush.

        All else is done there, for many turns at a time: what is done for each token, between much
        other code, takes several times as long.
        """
        self._taken.append((turn, generation, events))
        for _, frame in events:
            self._size += len(frame)
        if len(self._taken) == 1:
            self._dirty.set()
        if self._collecting is not None:
            self._collecting.came()
        if self._size > MOST_WAITING:
            self._leave_out()

    def end(self, turn: str, generation: int, status: str) -> None:
        """Take the end of a turn."""
        self._taken.append((turn, generation, status))
        self._dirty.set()

    def publish(self, channel: bytes, message: bytes) -> None:
        """Take a message that is of use only now: it is not sent again."""
        if len(self._messages) < MOST_MESSAGES:
            self._messages.append((channel, message))
            self._dirty.set()

    def _sort(self) -> None:
        """Put what was taken into batches, one for each turn."""
        taken, self._taken = self._taken, []
        for turn, generation, what in taken:
            number = self._last.get(turn, 0) if isinstance(what, str) else what[0][0]
            batch = self._waiting.get(turn)
            if batch is None:
                batch = self._waiting[turn] = Batch(generation, number, number, [])
            elif generation > batch.generation:
                self._late.append((turn, batch))
                batch = self._waiting[turn] = Batch(generation, number, number, [])
            if isinstance(what, str):
                self._last.pop(turn, None)
                if generation == batch.generation and batch.status is None:
                    batch.status = what
            elif generation == batch.generation and batch.status is None:
                self._last[turn] = batch.add(what)
            else:
                # An older attempt, or a turn that has ended
                self._size -= sum(len(frame) for _, frame in what)

    def _leave_out(self) -> None:
        """Forget the oldest events, down to half of what may wait."""
        self._sort()
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
        link = Link(client, self._config.timeout)
        try:
            await self._write_on(link)
        finally:
            await link.close()

    async def _write_on(self, link: Link) -> None:
        pause = 0.0
        while True:
            has_more = self._late or self._waiting or self._taken or self._messages
            if not has_more and not self._sent:
                if self._closing:
                    return
                self._dirty.clear()
                await self._dirty.wait()
                await self._collect()
                continue
            try:
                if has_more:
                    await self._send(link)
                    # The answer comes meanwhile
                    await self._collect()
                if not has_more or pause or len(self._sent) >= MOST_UNANSWERED:
                    await self._acknowledged(link)
                    pause = 0.0
                    self._answered()
            except NoScriptError:
                # It is another server, or one that was restarted
                self._send_again()
                self._script = None
            except (RedisError, OSError, TimeoutError) as error:
                self._send_again()
                self._failed(error)
                if self._closing:
                    return
                pause = min(LONGEST_PAUSE, 2 * pause or 0.05)
                await asyncio.sleep(pause)

    def _send_again(self) -> None:
        """Have what is not acknowledged sent again."""
        sent, self._sent = self._sent, []
        self._late = [batch for each in sent for batch in each.batches] + self._late

    async def _collect(self) -> None:
        """Wait until enough events may have come together."""
        if self._closing or self._late:
            await asyncio.sleep(0.0)
            return
        self._collecting = _Collecting(self._config.flush)
        try:
            await self._collecting.over
        finally:
            self._collecting.timer.cancel()
            self._collecting = None

    def close(self) -> None:
        """Have `run` write what is left, and end."""
        self._closing = True
        self._dirty.set()

    async def _send(self, link: Link) -> None:
        """Send what waits; with very much of it, the first part. Raises why it could not."""
        if self._script is None:
            loads = command(b"SCRIPT", b"LOAD", _SCRIPT)
            [self._script] = await link.ask(loads, 1)
        self._sort()
        batches = [*self._late, *self._waiting.items()]
        batches, self._late = batches[:MOST_AT_ONCE], batches[MOST_AT_ONCE:]
        self._waiting = {}
        messages, self._messages = self._messages, []
        self._sent.append(_Sent(batches, len(messages)))
        commands = [command(b"PUBLISH", *message) for message in messages]
        if batches:
            commands.insert(0, self._entries(self._script, batches))
        await link.send(b"".join(commands), len(commands))

    async def _acknowledged(self, link: Link) -> None:
        """Read the answers. Raises what Redis says, such as that it takes no writes."""
        answers = iter(await link.answers())
        refusals: list[str | None] = []
        while self._sent:
            batches, messages = self._sent[0].batches, self._sent[0].messages
            if batches:
                errors = next(answers)
                if isinstance(errors, ResponseError):
                    raise errors
                self._size = max(0, self._size - sum(batch.size for _, batch in batches))
                # These events are left out: Redis is full, or takes no writes
                refusals.append(_refusal(errors[0]) if errors else None)
            del self._sent[0]
            for answer in islice(answers, messages):
                if isinstance(answer, ResponseError):
                    raise answer
        if refusals:
            # A full Redis may have room for some of them
            self._wrote(next(filter(None, refusals), None))

    def _entries(self, script: bytes, batches: Sequence[tuple[str, Batch]]) -> bytes:
        """Return the command that writes some batches."""
        now = asyncio.get_running_loop().time()
        pieces = [
            b"*%d\r\n" % (5 + 3 * len(batches)),
            word(b"EVALSHA"),
            word(script),
            word(b"%d" % len(batches)),
        ]
        pieces += [word(self._key(turn)) for turn, _ in batches]
        pieces += [word(self._process), word(b"%d" % (self._config.ttl * 1000))]
        for turn, batch in batches:
            data = b"".join(batch.frames)
            rest = b"%d-%d %b" % (*batch.position, self._rest(turn, batch, now))
            pieces.append(b"$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(data), data, len(rest), rest))
        return b"".join(pieces)

    def _rest(self, turn: str, batch: Batch, now: float) -> bytes:
        """Return the number of the first event, and what most entries have not: whether the key is
        renewed, what the turn keeps, and its status."""
        oldest = batch.last - self._config.max_events
        renewed = self._renewed.get(turn)
        is_over = batch.status is not None
        renews = is_over or renewed is None or now - renewed > self._config.ttl / RENEWALS
        if is_over:
            self._renewed.pop(turn, None)
        elif renews:
            self._renewed[turn] = now
        elif oldest <= 0:
            return b"%d" % batch.first
        minimum = b"%d-%d" % (batch.generation, oldest * STEP) if oldest > 0 else b""
        status = b"" if batch.status is None else b"=" + batch.status.encode()
        return b"%d %d %b %b" % (batch.first, renews, minimum, status)


def _refusal(error: bytes) -> str:
    """Return what Redis says of a command of the script, without the name and line of that."""
    text = error.decode(errors="replace").strip()
    return text.partition(": -")[2] or text
