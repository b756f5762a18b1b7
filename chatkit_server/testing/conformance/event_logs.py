"""What every event log of a turn has to do."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Callable

import pytest

from ...events.log import EventLog
from .claims import Broken, claim, holds, same
from .event_frames import (
    FRAME,
    MANY,
    GivenLog,
    append,
    close,
    data_of,
    event,
    following,
    joined,
    log_of,
    next_piece,
    read,
    read_slowly,
    read_some,
    read_written,
)
from .samples import TEXT


class EventLogContract:
    """Tests of an `EventLog`. Give them a fixture `event_log`.

    It returns what the hook `event_log` does, a factory, or else a new log without events.
    """

    pytestmark = pytest.mark.asyncio

    soon = 1.0
    """Seconds in which a follower gets what was appended."""

    # The frames

    @claim(
        "A follower gets each event as `id: TURN:NUMBER`, its data, and an empty line",
        "this is what clients read, and the number is what they resume by",
    )
    async def test_events_come_as_frames(self, event_log: GivenLog) -> None:
        log = log_of(event_log)
        data = [
            b'{"n":1}',
            f'{{"text":"{TEXT[:11]}\\n"}}'.encode(),
            b'{"x":"%b"}' % (b"y" * 99_999),
        ]
        for one in data:
            append(log, one)
        log.end()
        frames = b"".join([frames async for frames in log.follow()])
        found = FRAME.findall(frames)
        same(b"".join(joined(found)), frames, "follow")
        same(
            {turn.decode() for turn, _, _ in found},
            {log.turn_id},
            "the turn in the ids that follow",
        )
        same([one for _, _, one in found], data, "the data that follow")
        numbers = [int(number) for _, number, _ in found]
        holds(numbers == sorted(set(numbers)), f"the numbers of the events are {numbers}")
        holds(numbers[0] >= 1, f"the first event has the number {numbers[0]}")
        same(len(log), numbers[-1], "len(log), which is to be the number of the last event,")

    @claim(
        "`append` and `end` are plain functions that wait for nobody",
        "the turn calls them for every token",
    )
    async def test_appending_waits_for_nobody(self, event_log: GivenLog) -> None:
        log = log_of(event_log)
        async with following(log) as stuck:
            for number in range(2 * MANY):
                append(log, event(number))
            ending: Callable[[], object] = log.end
            ended = ending()
            if inspect.isawaitable(ended):
                close(ended)
                raise Broken("`end` returned something to await")
            same(await read(log), [*range(2 * MANY)], "following beside one that reads nothing")
            del stuck

    @claim(
        "`size` is at least the bytes of the events, and `ended` says whether more may come",
        "turns are limited by their size, and resumed logs by whether they have ended",
    )
    async def test_size_and_end_are_told(self, event_log: GivenLog) -> None:
        log = log_of(event_log)
        same(
            (len(log), log.size, log.ended), (0, 0, False), "`len`, `size` and `ended` of a new log"
        )
        for number in range(3):
            append(log, event(number, 1000))
            least = 1000 * (number + 1)
            holds(log.size >= least, f"`size` is {log.size} after {least} bytes of data")
            holds(len(log) > number, f"`len` is {len(log)} after {number + 1} events")
        holds(not log.ended, "`ended` is true before `end`")
        log.end()
        holds(log.ended, "`ended` is false after `end`")

    # Followers

    @claim(
        "Following yields what is there at once, and what comes later as it comes",
        "users read an answer as it is written",
    )
    async def test_events_come_as_they_are_appended(self, event_log: GivenLog) -> None:
        log = log_of(event_log)
        append(log, event(0))
        pieces = log.follow()
        same(data_of(await next_piece(pieces)), [0], "the first piece")
        for number in (1, 2):
            waiting = asyncio.ensure_future(next_piece(pieces))
            await asyncio.sleep(0)
            holds(not waiting.done(), "a follower did not wait for the next event")
            append(log, event(number))
            same(data_of(await waiting), [number], "the next piece")
        log.end()
        same([frames async for frames in pieces], [], "the rest, after `end`,")

    @claim(
        "A follower that comes back gets what came after the number that it has seen",
        "connections break in the middle of an answer",
    )
    async def test_following_resumes_after_any_number(self, event_log: GivenLog) -> None:
        log = log_of(event_log)
        for number in range(5):
            append(log, event(number))
        ids = [number for number, _ in await read_some(log, 5)]
        for seen in range(6):
            after = ids[seen - 1] if seen else 0
            resumed = [data for _, data in await read_some(log, 5 - seen, after)]
            same(resumed, [*range(seen, 5)], f"following a running log after event {seen}")
        log.end()
        for seen in range(6):
            after = ids[seen - 1] if seen else 0
            same(await read(log, after), [*range(seen, 5)], f"replaying after event {seen}")
        same(await read(log, ids[-1] + 50), [], "replaying after a number that never came")

    @claim(
        "Any number of followers, who come and read when they like, get each event once",
        "several pages show the same answer, over good and bad networks",
    )
    async def test_followers_miss_nothing_and_get_nothing_twice(self, event_log: GivenLog) -> None:
        log, chance = log_of(event_log), random.Random(7)
        followers: dict[asyncio.Task[list[int]], int] = {}
        marks = [0]
        for number in range(200):
            if number % 10 == 0:
                for seen in {0, number // 2, number}:
                    speed = random.Random(chance.random())
                    reading = read_slowly(log, marks[seen], speed)
                    followers[asyncio.ensure_future(reading)] = seen
            append(log, event(number))
            marks.append(len(log))
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
        log.end()
        for follower, seen in followers.items():
            what = f"a follower after event {seen}, which came and read at its own time,"
            same(await follower, [*range(seen, 200)], what)

    @claim(
        "A follower that leaves does not disturb the others",
        "pages are closed at any time",
    )
    async def test_a_follower_that_leaves_disturbs_nobody(self, event_log: GivenLog) -> None:
        log = log_of(event_log)
        staying = [asyncio.ensure_future(read(log)) for _ in range(2)]
        leaving = [asyncio.ensure_future(read(log)) for _ in range(2)]
        staying.append(asyncio.ensure_future(read(log)))
        await asyncio.sleep(0)
        append(log, event(0))
        await asyncio.sleep(0)
        for one in leaving:
            one.cancel()
        append(log, event(1))
        await asyncio.gather(*leaving, return_exceptions=True)
        holds(all(one.cancelled() for one in leaving), "a cancelled follower did not end by that")
        append(log, event(2))
        log.end()
        for number, one in enumerate(staying):
            same(await one, [0, 1, 2], f"follower {number}, beside two that left,")

    @claim(
        "`end` ends every follower, also of a log without events",
        "a page shows that an answer goes on until its stream ends",
    )
    async def test_the_end_ends_followers(self, event_log: GivenLog) -> None:
        log = log_of(event_log)
        waiting = asyncio.ensure_future(read(log))
        await asyncio.sleep(0)
        log.end()
        same(await waiting, [], "a follower of a log without events")
        same(await read(log), [], "a follower that comes after the end")

    @claim(
        "The logs of two turns have nothing in common",
        "one user would read the answer of another",
    )
    async def test_logs_of_two_turns_are_apart(self, event_log: GivenLog) -> None:
        if isinstance(event_log, EventLog):
            pytest.skip("return a factory from the fixture `event_log` to try it")
        one, other = log_of(event_log, "turn_1"), log_of(event_log, "turn_2")
        same((one.turn_id, other.turn_id), ("turn_1", "turn_2"), "`turn_id`")
        reading = asyncio.ensure_future(read(other))
        await asyncio.sleep(0)
        append(one, event(1))
        one.end()
        await asyncio.sleep(0)
        holds(not other.ended, "the log of a turn ended with that of another one")
        append(other, event(2))
        other.end()
        same(await read(one), [1], "following the first log")
        same(await reading, [2], "following the second log")

    # Writing at once, parts, and room

    @claim(
        "Frames are offered to `write` while its follower waits, and yielded if it refuses",
        "this is how a token costs no task, and a slow client gets it nevertheless",
    )
    async def test_frames_are_written_or_yielded(self, event_log: GivenLog) -> None:
        for seed in range(4):
            log, chance = log_of(event_log, f"turn_{seed}"), random.Random(seed)
            if log.ended:
                # The fixture gave one log, and not a factory
                return
            readers = [
                asyncio.ensure_future(read_written(log, random.Random(number)))
                for number in range(3)
            ]
            for number in range(150):
                append(log, event(number))
                for _ in range(chance.randrange(3)):
                    await asyncio.sleep(0)
            log.end()
            for reader in readers:
                what = "what `write` took and what was yielded, together,"
                same(await reader, [*range(150)], what)

    @claim(
        "All that was appended at once is offered to `write`, however much it is",
        "what is held back would come only with the next event",
    )
    async def test_many_events_at_once_are_written(self, event_log: GivenLog) -> None:
        log, taken = log_of(event_log), list[int]()

        def take(frames: bytes) -> bool:
            taken.extend(data_of(frames))
            return True

        async with following(log, take) as yielded:
            for number in range(MANY):
                append(log, event(number))
            came = list[int]()
            until = asyncio.get_running_loop().time() + self.soon
            while len(came) < MANY and asyncio.get_running_loop().time() < until:
                await asyncio.sleep(0)
                came = [*taken, *(number for piece in yielded for number in data_of(piece))]
            what = f"{len(came)} of {MANY} events that were appended at once came"
            holds(came == [*range(MANY)], f"{what} within {self.soon:g} s")

    @claim(
        "`part` ends those who follow by then, after the events so far; later ones follow on",
        "a turn that waits for the user ends its stream, and goes on in another one",
    )
    async def test_followers_end_where_the_log_parts(self, event_log: GivenLog) -> None:
        log = log_of(event_log)
        append(log, event(0))
        early = asyncio.ensure_future(read(log))
        await asyncio.sleep(0)
        append(log, event(1))
        log.part()
        parted = len(log)
        append(log, event(2))
        same(await early, [0, 1], "a follower from before `part`")
        late = asyncio.ensure_future(read(log, parted))
        await asyncio.sleep(0)
        append(log, event(3))
        log.end()
        same(await late, [2, 3], "a follower from after `part`")
        same(await read(log), [0, 1, 2, 3], "a replay of the whole log")

    @claim(
        "A log that was compressed is followed as before, from any number",
        "it is kept for pages that come back after the end",
    )
    async def test_a_compressed_log_is_followed_as_before(self, event_log: GivenLog) -> None:
        log = log_of(event_log)
        for number in range(MANY):
            append(log, event(number))
        ids = [number for number, _ in await read_some(log, MANY)]
        pieces = log.follow(ids[4])
        first = data_of(await next_piece(pieces))
        log.end()
        length, size = len(log), log.size
        log.compress()
        same((len(log), log.size, log.ended), (length, size, True), "`len`, `size` and `ended`")
        rest = [
            number for frames in [piece async for piece in pieces] for number in data_of(frames)
        ]
        same(first + rest, [*range(5, MANY)], "a follower that was on its way")
        for seen in (0, 1, 255, 256, MANY - 1, MANY):
            after = ids[seen - 1] if seen else 0
            same(await read(log, after), [*range(seen, MANY)], f"following after event {seen}")
