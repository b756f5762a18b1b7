"""What every turn store has to do as time goes by."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from threading import Thread

import pytest

from ...turns.store import HeartbeatSignal, TurnRecord, TurnStore
from .claims import claim, holds, same
from .turn_records import ANN, PARTIAL, record, same_replies, same_turn

WAITING = 0.5
"""Seconds that count as long where the tests have to wait for them."""


class TurnTimes:
    """The tests of a `TurnStore` that need old turns."""

    pytestmark = pytest.mark.asyncio

    async def age(self, turn_store: TurnStore, turn_id: str, seconds: float) -> None:
        """Have the last heartbeat and the end of a turn be that much longer ago.

        Others may grow older with it. By default this waits.
        """
        await asyncio.sleep(seconds)

    @property
    def long(self) -> float:
        """Seconds that count as long in these tests."""
        waits = type(self).age is TurnTimes.age
        return WAITING if waits else 60.0

    async def _age(self, turn_store: TurnStore, turn_id: str) -> None:
        await self.age(turn_store, turn_id, 1.2 * self.long)

    @claim(
        "`keep_alive` records heartbeats from a thread, without the event loop",
        "a process whose event loop is blocked would lose its turns to others",
    )
    async def test_heartbeats_from_a_thread_keep_turns(self, turn_store: TurnStore) -> None:
        if type(turn_store).keep_alive is TurnStore.keep_alive:
            pytest.skip("the store has no `keep_alive`, which it need not have")
        await turn_store.begin(record())
        await self._age(turn_store, "turn_1")
        beats = [HeartbeatSignal("turn_1", 1)]
        thread = Thread(target=turn_store.keep_alive, args=[beats], daemon=True)
        thread.start()
        # The event loop is blocked meanwhile
        thread.join(5)
        holds(not thread.is_alive(), "it did not return within 5 s while the event loop waited")
        same(await turn_store.stale(self.long), [], "stale after `keep_alive`")

    @claim(
        "The newest turn of a request counts, while it runs and for some seconds more",
        "the same request is not answered twice, and the same words later are a new one",
    )
    async def test_the_newest_turn_of_a_request_counts(self, turn_store: TurnStore) -> None:
        async def found(request: str, seconds: float) -> TurnRecord | None:
            return await turn_store.find_by_request(request, ANN, seconds)

        first, second = (record(f"turn_{n}", request="key:1") for n in (1, 2))
        await turn_store.begin(first)
        await turn_store.begin(record("turn_other", "thr_2", request="key:2"))
        await self._age(turn_store, "turn_1")
        same_turn(
            await found("key:1", self.long), first, "find_by_request of a turn that still runs"
        )
        await turn_store.end("turn_1", 1, "completed", None)
        ended = replace(first, state="completed")
        same_turn(await found("key:1", self.long), ended, "find_by_request of one that just ended")
        await turn_store.begin(second)
        same_turn(await found("key:1", self.long), second, "find_by_request with two turns")
        await turn_store.end("turn_2", 1, "failed", None)
        await self._age(turn_store, "turn_2")
        same(await found("key:1", self.long), None, "find_by_request of one that ended long ago")
        later = await found("key:1", 10 * self.long)
        same_turn(later, replace(second, state="failed"), "find_by_request with more time")
        same(await found("key:3", 10 * self.long), None, "find_by_request of another request")

    @claim(
        "Running turns without a heartbeat for that long are stale, and no others",
        "their process has died, and what they said would be lost",
    )
    async def test_turns_without_a_heartbeat_are_stale(self, turn_store: TurnStore) -> None:
        ids = [f"turn_{number}" for number in range(3)]
        for number, turn_id in enumerate(ids):
            await turn_store.begin(record(turn_id, f"thr_{number}", partial=PARTIAL))
        for turn_id in ids:
            await self._age(turn_store, turn_id)
        found = await turn_store.stale(self.long)
        same(sorted(one.id for one in found), ids, "stale")
        first = next(one for one in found if one.id == "turn_0")
        same_turn(first, record("turn_0", "thr_0", partial=PARTIAL), "stale")
        await turn_store.beat([HeartbeatSignal("turn_0", 1), HeartbeatSignal("turn_1", 7)])
        await turn_store.end("turn_2", 1, "completed", None)
        left = [one.id for one in await turn_store.stale(self.long)]
        same(left, ["turn_1"], "stale, after a beat, a beat of another attempt, and an end,")
        same(await turn_store.stale(50 * self.long), [], "stale with more time")

    @claim(
        "One of many takes a stale turn over, and the attempt before may write no more",
        "two processes would save the same answer twice",
    )
    async def test_one_of_many_takes_a_turn_over(self, turn_store: TurnStore) -> None:
        await turn_store.begin(record(partial=PARTIAL))
        alive = await turn_store.take_over("turn_1", 1, self.long)
        same(alive, False, "take_over of a turn that is alive")
        await self._age(turn_store, "turn_1")
        taking = (turn_store.take_over("turn_1", 1, self.long) for _ in range(10))
        took = (await asyncio.gather(*taking)).count(True)
        holds(took == 1, f"{took} of 10 took it over")
        taken = record(partial=PARTIAL, attempt=2)
        same_turn(await turn_store.running("thr_1", ANN), taken, "running")
        same(await turn_store.stale(self.long), [], "stale after `take_over`, a heartbeat,")
        replies = await turn_store.beat([HeartbeatSignal("turn_1", 1, b'"late"')])
        same_replies(replies, {"turn_1": "lost"})
        late = await turn_store.end("turn_1", 1, "completed", None)
        same(late, False, "end of the attempt before")
        await self._age(turn_store, "turn_1")
        stale = [(one.attempt, one.partial) for one in await turn_store.stale(self.long)]
        same(stale, [(2, PARTIAL)], "the attempts and partial answers that `stale`")
        old = await turn_store.take_over("turn_1", 1, self.long)
        same(old, False, "take_over of an old attempt")
        again = await turn_store.take_over("turn_1", 2, self.long)
        same(again, True, "take_over of the current attempt")
        same(await turn_store.end("turn_1", 3, "interrupted", None), True, "end of the third")
        ended = await turn_store.take_over("turn_1", 3, -60)
        same(ended, False, "take_over of a turn that has ended")

    @claim(
        "A turn beside others is taken over and forgotten as any other",
        "an action may die with its process, too",
    )
    async def test_a_turn_beside_others_is_taken_over(self, turn_store: TurnStore) -> None:
        one = record("turn_1", beside=True)
        await turn_store.begin(one)
        await self._age(turn_store, "turn_1")
        await turn_store.begin(record("turn_2"))
        stale = await turn_store.stale(self.long)
        same([each.id for each in stale], ["turn_1"], "stale")
        same_turn(stale[0], one, "stale")
        same(await turn_store.take_over("turn_1", 1, self.long), True, "take_over")
        same(await turn_store.end("turn_1", 1, "completed", None), False, "end of an old attempt")
        same(await turn_store.end("turn_1", 2, "interrupted", None), True, "end")
        await self._age(turn_store, "turn_1")
        await turn_store.prune(self.long)
        same(await turn_store.find("turn_1", ANN), None, "find after `prune`")

    @claim(
        "`prune` deletes turns that ended longer ago than that, and no others",
        "the table would grow for ever, and clients ask for what just ended",
    )
    async def test_turns_that_ended_long_ago_are_forgotten(self, turn_store: TurnStore) -> None:
        for number in range(3):
            await turn_store.begin(record(f"turn_{number}", f"thr_{number}"))
        await turn_store.end("turn_0", 1, "completed", None)
        for number in (0, 2):
            await self._age(turn_store, f"turn_{number}")
        await turn_store.end("turn_1", 1, "completed", None)
        await turn_store.prune(self.long)
        found = [await turn_store.find(f"turn_{number}", ANN) for number in range(3)]
        left = [one and one.id for one in found]
        same(left, [None, "turn_1", "turn_2"], "find of one that ended long ago, just now, never,")
