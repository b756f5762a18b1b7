"""What every event log has to do, between processes."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from functools import partial
from itertools import accumulate, pairwise

import pytest

from ...events.shared import IDLE, PART, Part
from .claims import claim, holds, same
from .event_frames import (
    LISTEN,
    TURN,
    MakeEventLog,
    Process,
    Watcher,
    frame,
    new_log,
    plain,
    processes,
    repeat_until,
    running,
    until,
)
from .samples import TEXT

MANY = 700
"""More events than a log may pass on in one piece."""

ODD_TURNS = ("turn_1", "turn_10", "turn_*", "turn", "turn_1:2", "Turn_1")
ODD_PLACES = ("thr_1", "thr_10", "thr_*", "thr", "thr:1", "Thr_1", "thr 1", "thr_ü🦜")


class EventLogContract:
    """Tests of an `EventLog`. Give them a fixture `event_log`.

    It returns a function that makes the event log of one more process. All that it makes are one
    log, without turns. The tests enter `run` themselves.
    """

    pytestmark = pytest.mark.asyncio

    soon = 5.0
    """Seconds in which what one process says reaches another one."""

    idle = IDLE
    """Seconds of silence after which a follower gets None."""

    # Following

    @claim(
        "Followers in other processes get the events as they were appended, in whole frames",
        "an answer is to read the same at whatever process a page asks",
    )
    async def test_events_come_as_they_were_appended(self, event_log: MakeEventLog) -> None:
        texts = ("Hello", TEXT, "\u0000\u2028\x7f", "x" * 100_000, "🦜" * 99)
        frames = [frame(number, text) for number, text in enumerate(texts, 1)]
        async with processes(event_log, 2) as (one, other):
            early = other.follow()
            one.log.append(TURN, 1, [(1, frames[0])])
            await early.got([1], "a follower from before the first event", self.soon)
            amid = other.follow()
            one.log.append(TURN, 1, [(2, frames[1]), (3, frames[2])])
            one.log.append(TURN, 1, [*enumerate(frames[3:], 4)])
            one.end()
            for when, follower in (("early", early), ("amid", amid), ("late", other.follow())):
                what = f"a follower that came {when}"
                await follower.ended(range(1, 6), what, self.soon)
                same(follower.frames, b"".join(frames), f"the frames of {what}")
                same(set(follower.generations), {1}, f"the attempts of {what}")

    @claim(
        "A follower gets what came after the event that it names, each once",
        "a page that comes back has read the beginning",
    )
    async def test_following_begins_after_any_event(self, event_log: MakeEventLog) -> None:
        async with processes(event_log, 2) as (one, other):
            one.append([1, 2])
            one.log.append(TURN, 1, [(number, frame(number)) for number in (3, 4, 5)])
            await other.follow().got(range(1, 6), "a follower of the beginning", self.soon)
            early = {after: other.follow(after=after) for after in range(10)}
            one.append([6, 7])
            one.end()
            late = {after: other.follow(after=after) for after in range(10)}
            for when, followers in (("while it ran", early), ("after its end", late)):
                for after, follower in followers.items():
                    what = f"a follower after event {after}, that came {when},"
                    await follower.ended(range(after + 1, 8), what, self.soon)

    @claim(
        "Followers that come while events are appended at full speed miss none, and get none twice",
        "what is kept and what comes live meet at any moment",
    )
    async def test_followers_that_come_amid_miss_nothing(self, event_log: MakeEventLog) -> None:
        chance = random.Random(7)
        async with processes(event_log, 3) as (one, *others):
            steps = [chance.randrange(1, 20) for _ in range(MANY // 10)]
            followers = []
            for end, step in zip(accumulate(steps), steps, strict=True):
                one.append(range(end - step + 1, end + 1))
                for process in (one, *others):
                    after = chance.choice((0, end // 2, end))
                    followers.append((after, process.follow(after=after)))
                await asyncio.sleep(chance.choice((0, 0, 0.001)))
            one.end()
            for after, follower in followers:
                what = f"a follower after event {after}, which came amid,"
                await follower.ended(range(after + 1, sum(steps) + 1), what, self.soon)

    @claim(
        "Any number of followers in one process get each event, also many at once",
        "one answer is open on many pages",
    )
    async def test_many_follow_in_one_process(self, event_log: MakeEventLog) -> None:
        wanted = range(1, MANY + 1)
        async with processes(event_log, 2) as (one, other):
            for turn in (f"turn_{number}" for number in range(5)):
                one.append([1], turn)
                # Some come before the event is passed on, and some after
                followers = [other.follow(turn) for _ in range(50)]
                for number, follower in enumerate(followers):
                    await follower.got([1], f"follower {number} of 50", self.soon)
                one.append(wanted[1:], turn)
                one.end(turn)
                for number, follower in enumerate(followers):
                    await follower.ended(wanted, f"follower {number} of 50", self.soon)

    @claim(
        "Turns have nothing in common, whatever their ids",
        "one user would read the answer of another",
    )
    async def test_turns_are_apart(self, event_log: MakeEventLog) -> None:
        async with processes(event_log, 3) as (one, two, other):
            followers = {turn: other.follow(turn) for turn in ODD_TURNS}
            wanted = {turn: [at, at + 10] for at, turn in enumerate(ODD_TURNS, 1)}
            runs = dict(zip(ODD_TURNS, (one, two) * 3, strict=True))
            for turn, (first, _) in wanted.items():
                runs[turn].append([first], turn)
            for turn, (_, second) in wanted.items():
                runs[turn].append([second], turn)
                runs[turn].end(turn, status=f"of {turn}")
            for turn, follower in followers.items():
                what = f"a follower of {turn}, beside {len(ODD_TURNS) - 1} others,"
                end = await follower.ended(wanted[turn], what, self.soon)
                same(end.status, f"of {turn}", f"the last part of {turn}, as its status,")

    @claim(
        "Numbers may have gaps, and be large",
        "events of a turn are numbered by who runs it",
    )
    async def test_numbers_may_have_gaps(self, event_log: MakeEventLog) -> None:
        numbers = [1, 2, 7, 1_000, 1_001, 2_000_000_000]
        async with processes(event_log, 2) as (one, other):
            early = other.follow()
            for number in numbers:
                one.append([number])
            one.end()
            for follower in (early, other.follow()):
                await follower.ended(numbers, "a follower of events with gaps", self.soon)
            await other.follow(after=5).ended(numbers[2:], "a follower after a gap", self.soon)

    @claim(
        "`PART` comes where it was appended, between the same events",
        "a turn that asks its user ends its stream there, and goes on in another one",
    )
    async def test_a_part_keeps_its_place(self, event_log: MakeEventLog) -> None:
        wanted = frame(1) + frame(2) + PART + frame(3) + PART + frame(4) + PART
        async with processes(event_log, 2) as (one, other):
            early = other.follow()
            one.append([1, 2])
            one.log.append(TURN, 1, [(2, PART)])
            came = await until(lambda: early.frames.endswith(PART), self.soon)
            holds(came, f"a follower got no `PART` within {self.soon:g} s")
            one.log.append(TURN, 1, [(3, frame(3)), (3, PART), (4, frame(4)), (4, PART)])
            one.end()
            for when, follower in (("early", early), ("late", other.follow())):
                await follower.ended(range(1, 5), f"a follower that came {when}", self.soon)
                same(follower.frames, wanted, f"the frames of a follower that came {when}")

    # The end of a turn

    @claim(
        "The end comes last, as a part with the attempt and the status, and ends the iteration",
        "a page shows that an answer goes on until its stream ends",
    )
    async def test_the_end_comes_last(self, event_log: MakeEventLog) -> None:
        statuses = ("completed", "failed", "cancelled", "interrupted", "")
        async with processes(event_log, 2) as (one, other):
            for generation, status in enumerate(statuses, 1):
                turn = f"turn_{generation}"
                early = other.follow(turn)
                one.append([1, 2], turn, generation)
                one.end(turn, generation, status)
                for when, follower in (("before", early), ("after", other.follow(turn))):
                    what = f"a follower that came {when} the end"
                    end = await follower.ended([1, 2], what, self.soon)
                    same(end, Part(generation, 2, 2, b"", status), f"the last part of {what}")

    @claim(
        "Once a newer attempt has written, an older one is refused, its end too",
        "a process that was taken for dead must not write into the answer of another one",
    )
    async def test_an_older_attempt_is_refused(self, event_log: MakeEventLog) -> None:
        async with processes(event_log, 3) as (old, new, other):
            early = other.follow()
            old.append([1, 2])
            await early.got([1, 2], "a follower of the first attempt", self.soon)
            new.append([3, 4], generation=2)
            await early.got(range(1, 5), "a follower of both attempts", self.soon)
            old.append([5])
            old.end(status="failed")
            new.append([6], generation=2)
            await early.got([1, 2, 3, 4, 6], "a follower of both attempts", self.soon)
            old.append([7])
            new.end(generation=2)
            wanted = [1, 2, 3, 4, 6]
            for after in (0, 2, 3, 4, 6):
                follower = other.follow(after=after) if after else early
                what = f"a follower of both attempts, after event {after},"
                rest = [number for number in wanted if number > after]
                end = await follower.ended(rest, what, self.soon)
                same((end.generation, end.status), (2, "completed"), f"the last part of {what}")
            same(early.generations, [1, 1, 2, 2, 2], "the attempts of the events")

    @claim(
        "A process that has written nothing of a turn may end it, as a newer attempt",
        "the process that saves what a dead one has said reads that from here, until its own end",
    )
    async def test_another_process_ends_a_turn(self, event_log: MakeEventLog) -> None:
        async with processes(event_log, 2) as (dead, other):
            dead.append([1, 2, 3])
            early = other.follow()
            await early.got([1, 2, 3], "a follower of a process that dies", self.soon)
            other.end(generation=2, status="interrupted")
            for after in (0, 1, 3):
                follower = other.follow(after=after) if after else early
                what = f"a follower of a turn that another process ended, after event {after},"
                rest = [number for number in (1, 2, 3) if number > after]
                end = await follower.ended(rest, what, self.soon)
                same((end.generation, end.status), (2, "interrupted"), f"the last part of {what}")
                dead.append([4])

    # Silence

    @claim(
        "A follower gets None for each `IDLE` seconds of silence, and then the events as they come",
        "that is when it asks the turn store whether the turn still runs",
    )
    async def test_silence_is_told(self, event_log: MakeEventLog) -> None:
        async with processes(event_log, 2) as (one, other):
            one.append([1])
            known, unknown = other.follow(), other.follow("turn_2")
            await known.got([1], "a follower of a turn that pauses", self.soon)
            # The first may come at once
            patience = 3 * self.idle + self.soon
            for name, follower in (("that pauses", known), ("that nobody knows", unknown)):
                await follower.fell_silent(3, f"a follower of a turn {name}", patience)
                pause = min(later - each for each, later in pairwise(follower.silences))
                told = f"a follower of a turn {name} got None again after {pause:.3f} s"
                holds(pause > self.idle / 2, told)
            one.append([2])
            one.end()
            one.append([1], "turn_2")
            one.end("turn_2")
            await known.ended([1, 2], "a follower, after a pause,", self.soon)
            await unknown.ended([1], "a follower from before the turn was known", self.soon)

    # Appending

    @claim(
        "`append` and `end` are plain functions that neither wait nor raise, also outside `run`",
        "the turn calls them for every token, and goes on whatever happens to the log",
    )
    async def test_appending_waits_for_nobody(self, event_log: MakeEventLog) -> None:
        process = Process(new_log(event_log))
        log = process.log
        append: Callable[..., object] = log.append
        end: Callable[..., object] = log.end

        def append_all(turn: str) -> None:
            began = time.monotonic()
            for number in range(1, MANY + 1):
                plain(append(turn, 1, [(number, frame(number, turn=turn))]), "append")
            plain(append(turn, 1, [(MANY, PART)]), "append")
            plain(end(turn, 1, "completed"), "end")
            plain(end("turn_without_events", 1, "failed"), "end")
            took = time.monotonic() - began
            holds(took < self.soon, f"{MANY} calls of `append` took {took:.1f} s")

        append_all("turn_1")
        async with running(process):
            stuck = log.follow("turn_2", 0)
            first = asyncio.ensure_future(anext(stuck))
            await asyncio.sleep(0)
            append_all("turn_2")
            what = "a follower beside one that does not read"
            await process.follow("turn_2").ended(range(1, MANY + 1), what, self.soon)
            await first
            await stuck.aclose()
        append_all("turn_3")

    # Signals

    @claim(
        "A signal reaches the process that runs the turn, and `signal` returns whether it did",
        "Stop is pressed at any process, and what the log does not carry, the turn store has to",
    )
    async def test_signals_reach_the_process_of_a_turn(self, event_log: MakeEventLog) -> None:
        async with processes(event_log, 3) as (one, two, other):
            other.follow("turn_3")
            for at, process in enumerate((one, two), 1):
                process.append([1], f"turn_{at}")
                await other.follow(f"turn_{at}").got([1], "a follower", self.soon)
            for turn, process in (("turn_1", one), ("turn_2", two)):
                await self._signalled(turn, process, other)
                for word in ("visit", "cancel"):
                    same(await other.log.signal(turn, word), True, f"signal of {word!r}")
                await process.hears(["visit", "cancel"], turn, self.soon)
            same(await other.log.signal("absent", "cancel"), False, "signal to a turn of nobody")
            came = await other.log.signal("turn_3", "cancel")
            same(came, False, "signal to a turn of nobody, which somebody follows,")

    async def _signalled(self, turn: str, process: Process, other: Process) -> None:
        """Signal until the process of a turn hears: it may take a moment until it listens."""
        await repeat_until(lambda: other.log.signal(turn, LISTEN), bool, self.soon)
        came = await until(lambda: (turn, LISTEN) in process.heard, self.soon)
        holds(came, f"the process of {turn} heard nothing within {self.soon:g} s")

    @claim(
        "`signal` returns False once the process that ran the turn is gone",
        "the turn store carries it then, to whoever takes the turn over",
    )
    async def test_a_signal_to_a_gone_process_is_not_passed_on(
        self, event_log: MakeEventLog
    ) -> None:
        async with processes(event_log, 1) as [other]:
            gone = Process(new_log(event_log))
            async with running(gone):
                gone.append([1])
                await other.follow().got([1], "a follower", self.soon)
                await self._signalled(TURN, gone, other)
            heard = len(gone.heard)
            signal = partial(other.log.signal, TURN, "cancel")
            refused = await repeat_until(signal, lambda passed: passed is False, self.soon)
            holds(refused, f"it did not do so {self.soon:g} s after its process had left `run`")
            holds(len(gone.heard) == heard, "a process heard signals after it had left `run`")

    # Who leaves

    @claim(
        "A follower that leaves disturbs nobody, and leaves nothing behind",
        "pages are closed at any time",
    )
    async def test_a_follower_that_leaves_disturbs_nobody(self, event_log: MakeEventLog) -> None:
        async with processes(event_log, 2) as (one, other):
            one.append([1])
            staying = [other.follow(), one.follow()]
            for follower in staying:
                await follower.got([1], "a follower that stays", self.soon)
            tasks = len(asyncio.all_tasks())
            leaving = [other.follow(turn) for turn in (TURN, "turn_2") * 10]
            await leaving[0].got([1], "a follower that leaves", self.soon)
            one.append([2])
            for follower in leaving:
                follower.task.cancel()
            ended = await until(lambda: all(each.task.cancelled() for each in leaving), self.soon)
            holds(ended, "a cancelled follower did not end by that")
            one.append([3])
            staying.append(other.follow())
            one.append([4])
            one.end()
            for follower in staying:
                what = "a follower beside 20 that left"
                await follower.ended(range(1, 5), what, self.soon)
            await until(lambda: len(asyncio.all_tasks()) <= tasks, self.soon)
            left = len(asyncio.all_tasks()) - tasks
            holds(left <= 0, f"{left} tasks more than before still ran")

    @claim(
        "When a process leaves `run`, its tasks end, and the others go on",
        "servers are restarted one by one",
    )
    async def test_nothing_is_left_of_a_process_that_stops(self, event_log: MakeEventLog) -> None:
        async with processes(event_log, 2) as (one, other):
            staying = other.follow()
            one.append([1])
            await staying.got([1], "a follower", self.soon)
            tasks = asyncio.all_tasks()
            gone = Process(new_log(event_log))
            async with running(gone):
                await gone.follow().got([1], "a follower in a third process", self.soon)
                gone.append([1], "turn_2")
                Watcher(gone.log, "thr_1")
            left = asyncio.all_tasks() - tasks
            await until(lambda: all(task.done() for task in left), self.soon)
            names = [task.get_name() for task in left if not task.done()]
            holds(not names, f"these tasks still ran: {names}")
            one.append([2])
            one.end()
            await staying.ended([1, 2], "a follower in a process that stays", self.soon)

    # News

    @claim(
        "`tell` is a plain function that calls who watches in its process at once, in `run` or not",
        "a save tells it, which waits for no other process and goes on without a connection",
    )
    async def test_watchers_of_the_same_process_are_told_at_once(
        self, event_log: MakeEventLog
    ) -> None:
        process = Process(new_log(event_log))
        watcher, other = Watcher(process.log, "thr_1"), Watcher(process.log, "thr_2")
        tell: Callable[..., object] = process.log.tell

        def tell_one(news: str) -> None:
            plain(tell("thr_1", news), "tell")
            same(watcher.news[-1:], [news], f"watching, when `tell` of {news!r} had returned,")

        tell_one("before run")
        async with running(process):
            tell_one("in run")
            tell_one("again")
        tell_one("after run")
        same(watcher.news, ["before run", "in run", "again", "after run"], "watching")
        same(other.news, [], "watching another place")
        watcher.stop()

    @claim(
        "News of a place reach all who watch it, in every process, once and in order",
        "every open page shows what another one has changed",
    )
    async def test_news_reach_all_who_watch(self, event_log: MakeEventLog) -> None:
        async with processes(event_log, 3) as (one, two, other):
            logs = [one.log, two.log, two.log, other.log]
            watchers = [Watcher(log, "thr_1") for log in logs]
            await self._heard("thr_1", watchers, other)
            news = [f"{number} {TEXT}" for number in range(50)]
            for each in news:
                other.log.tell("thr_1", each)
            for at, watcher in enumerate(watchers):
                what = f"watching, for watcher {at} of {len(watchers)},"
                await watcher.hears(news, what, self.soon)

    async def _heard(self, place: str, watchers: list[Watcher], teller: Process) -> None:
        """Tell until all watchers hear: it may take a moment until they listen."""
        await repeat_until(
            lambda: teller.tell(place, LISTEN),
            lambda _: all(each.news for each in watchers),
            self.soon,
        )
        missing = sum(not each.news for each in watchers)
        told = f"{missing} of {len(watchers)} watchers of {place!r} heard nothing"
        holds(not missing, f"{told} within {self.soon:g} s")

    @claim(
        "What another process tells after `watched` has returned is heard",
        "a page that is told that it watches asks for the conversation then, and for nothing later",
    )
    async def test_watching_has_begun(self, event_log: MakeEventLog) -> None:
        async with processes(event_log, 2) as (one, other):
            for number in range(20):
                # Again, soon after the last one who watched it has gone
                place = f"thr_{number // 2}"
                watcher = Watcher(one.log, place)
                await one.log.watched(place)
                other.log.tell(place, f"news {number}")
                await watcher.hears([f"news {number}"], f"watching {place!r}", self.soon)
                watcher.stop()

    @claim(
        "Who watches a place hears of no other one, whatever their names",
        "news of one user's thread are nothing for another user",
    )
    async def test_places_are_apart(self, event_log: MakeEventLog) -> None:
        async with processes(event_log, 2) as (one, other):
            watching = {place: Watcher(one.log, place) for place in ODD_PLACES}
            for place, watcher in watching.items():
                await self._heard(place, [watcher], other)
            for place in ODD_PLACES:
                other.log.tell(place, f"of {place}")
            for place, watcher in watching.items():
                await watcher.hears([f"of {place}"], f"watching {place!r}", self.soon)

    @claim(
        "Once it was said that watching ends, nothing more is told, and other watchers go on",
        "the page is gone, and what tells it with it",
    )
    async def test_nobody_is_told_who_stopped_watching(self, event_log: MakeEventLog) -> None:
        async with processes(event_log, 2) as (one, other):

            def stop(news: str) -> None:
                if news == "stop":
                    for each in (first, second):
                        each.stop()

            first, second = (Watcher(one.log, "thr_1", stop) for _ in range(2))
            staying = Watcher(one.log, "thr_1")
            await self._heard("thr_1", [first, second, staying], other)
            for news in ("before", "stop", "after"):
                other.log.tell("thr_1", news)
            what = "watching beside two that ended"
            await staying.hears(["before", "stop", "after"], what, self.soon)
            told = [each for each in first.told + second.told if each != "before"]
            same(told, ["stop"], "watching, for two of which the first that is told ends both,")
            first.stop()
            await self._heard("thr_1", [Watcher(one.log, "thr_1")], other)
