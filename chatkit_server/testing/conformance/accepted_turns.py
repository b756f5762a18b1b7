"""What a turn store has to do that keeps turns which begin later."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ...errors import TakenOver
from ...turns.store import HeartbeatReply, HeartbeatSignal, TurnRecord, TurnStore
from .claims import claim, holds, same
from .turn_records import ANN, PARTIAL, STRANGERS, record, same_replies, same_turn, user_name
from .turn_times import TurnTimes

WAITS = '{"message": {"id": "msg_1", "text": "Grüße \\u0000 \\ud83e"}}'.encode()


def waiting(turn_id: str = "turn_1", thread_id: str = "thr_1", **rest: object) -> TurnRecord:
    """Return the record of an accepted turn of Ann's."""
    return record(turn_id, thread_id, **{"state": "accepted", "accepted": WAITS, **rest})


def begun(accepted: TurnRecord) -> TurnRecord:
    """Return a record as it is when its turn has begun."""
    return replace(accepted, state="running", model="test/other", partial=PARTIAL)


class AcceptedTurns(TurnTimes):
    """The tests of a `TurnStore` that has `accept`."""

    @pytest.fixture(autouse=True)
    def _keeps_accepted_turns(self, request: pytest.FixtureRequest) -> None:
        if "accepted" not in request.node.name:
            return
        turn_store = request.getfixturevalue("turn_store")
        if type(turn_store).accept is TurnStore.accept:
            pytest.skip("the store has no `accept`, which it need not have")

    @claim(
        "A turn that is accepted is found as it was recorded, and runs in no thread",
        "its client asks for it, and any process begins it by what was recorded",
    )
    async def test_an_accepted_turn_is_found(self, turn_store: TurnStore) -> None:
        one = waiting(request="key:1", content="digest")
        await turn_store.accept(one)
        same_turn(await turn_store.find("turn_1", ANN), one, "find of an accepted turn")
        found = await turn_store.find_by_request("key:1", ANN, 0)
        same_turn(found, one, "find_by_request of an accepted turn")
        same(await turn_store.running("thr_1", ANN), None, "running with an accepted turn only")
        same_turn(await turn_store.next_in("thr_1", ANN), one, "next_in")
        same(await turn_store.next_in("thr_2", ANN), None, "next_in of another thread")
        for stranger in STRANGERS:
            what = f"find by {user_name(stranger)} of Ann's"
            same(await turn_store.find("turn_1", stranger), None, what)
            same(await turn_store.next_in("thr_1", stranger), None, f"next_in, as {what}")
        same(await turn_store.begin(record("turn_2")), None, "begin beside an accepted turn")

    @claim(
        "A request has one turn, accepted or running",
        "a request that two processes get at once must not be answered twice",
    )
    async def test_an_accepted_request_has_one_turn(self, turn_store: TurnStore) -> None:
        one = waiting(request="key:1")
        same(await turn_store.accept(one), None, "accept")
        again = waiting("turn_2", "thr_2", request="key:1")
        same_turn(await turn_store.accept(again), one, "accept for the same request")
        same(await turn_store.find("turn_2", ANN), None, "find of a second accepted one")
        running = record("turn_3", "thr_2", request="key:1")
        same_turn(await turn_store.begin(running), one, "begin for the same request")
        same(await turn_store.begin_accepted(begun(one)), None, "begin_accepted")
        same_turn(await turn_store.accept(again), begun(one), "accept once the first runs")
        await turn_store.end("turn_1", 1, "completed", None)
        ended = await turn_store.accept(again, 60)
        same(ended and ended.id, "turn_1", "the id of the turn that ended lately, as told,")
        accepting = (
            turn_store.accept(waiting(f"turn_{n}", f"thr_{n}", request="key:2"), 60)
            for n in range(10, 30)
        )
        answers = await asyncio.gather(*accepting)
        holds(answers.count(None) == 1, f"{answers.count(None)} of 20 turns were accepted")

    @claim(
        "An accepted turn begins once, by its current attempt",
        "its message would be saved and answered twice",
    )
    async def test_an_accepted_turn_begins(self, turn_store: TurnStore) -> None:
        one = waiting()
        await turn_store.accept(one)
        same(await turn_store.begin_accepted(begun(one)), None, "begin_accepted")
        same_turn(await turn_store.running("thr_1", ANN), begun(one), "running")
        same_turn(await turn_store.find("turn_1", ANN), begun(one), "find of one that has begun")
        again = await turn_store.begin_accepted(begun(one))
        same(again, None, "begin_accepted of one that runs, by the same attempt")
        await self._is_refused(turn_store, replace(begun(one), attempt=2), "another attempt")
        same(await turn_store.end("turn_1", 1, "completed", None), True, "end")
        await self._is_refused(turn_store, begun(one), "one that has ended")
        await self._is_refused(turn_store, begun(waiting("absent")), "one that is not there")

    async def _is_refused(self, turn_store: TurnStore, one: TurnRecord, what: str) -> None:
        try:
            came = await turn_store.begin_accepted(one)
        except TakenOver:
            return
        holds(False, f"begin_accepted of {what} returned {came!r}, and raised no TakenOver")

    @claim(
        "An accepted turn waits for the one that runs in its thread, and for those before it",
        "messages would be answered in another order than they were sent",
    )
    async def test_accepted_turns_begin_in_their_order(self, turn_store: TurnStore) -> None:
        await turn_store.begin(record("turn_0"))
        ones = [waiting(f"turn_{number}") for number in (1, 2, 3)]
        for one in ones:
            await turn_store.accept(one)
        await turn_store.accept(other := waiting("turn_4", "thr_2"))
        same(await turn_store.begin_accepted(begun(other)), None, "begin_accepted in a free thread")
        came = await turn_store.begin_accepted(begun(ones[0]))
        same_turn(came, record("turn_0"), "begin_accepted where another one runs")
        await turn_store.end("turn_0", 1, "completed", None)
        came = await turn_store.begin_accepted(begun(ones[1]))
        same_turn(came, ones[0], "begin_accepted where another one waits longer")
        same_turn(await turn_store.find("turn_2", ANN), ones[1], "find of the one that waits")
        same(await turn_store.begin_accepted(begun(ones[0])), None, "begin_accepted of the first")
        came = await turn_store.begin_accepted(begun(ones[1]))
        same_turn(came, begun(ones[0]), "begin_accepted of the second while the first runs")
        await turn_store.end("turn_1", 1, "completed", None)
        await turn_store.withdraw("turn_2", 1)
        same(await turn_store.begin_accepted(begun(ones[2])), None, "begin_accepted of the third")

    @claim(
        "Of an accepted turn and others that begin in a thread at once, one does",
        "two answers at once would mix in the conversation",
    )
    async def test_of_accepted_turns_and_others_one_begins(self, turn_store: TurnStore) -> None:
        for number in range(10):
            thread_id = f"thr_{number}"
            await turn_store.accept(one := waiting(f"turn_{number}", thread_id))
            answers = await asyncio.gather(
                turn_store.begin_accepted(begun(one)),
                turn_store.begin(record(f"turn_{number}b", thread_id)),
            )
            holds(answers.count(None) == 1, f"{answers.count(None)} of 2 turns began")
            running = await turn_store.running(thread_id, ANN)
            other = next(answer for answer in answers if answer is not None)
            same(other.id, running and running.id, "the id of the turn that runs, as told,")

    @claim(
        "Accepted turns are alive while they beat, and end, as running ones do",
        "one that waits would be begun twice, or never",
    )
    async def test_accepted_turns_live_as_others_do(self, turn_store: TurnStore) -> None:
        for number in range(3):
            await turn_store.accept(waiting(f"turn_{number}"))
        same(await turn_store.cancel("turn_1", ANN), True, "cancel of an accepted turn")
        beats = [HeartbeatSignal(f"turn_{number}", 1) for number in range(3)]
        expected: dict[str, HeartbeatReply]
        expected = {"turn_0": "go on", "turn_1": "cancel", "turn_2": "go on"}
        same_replies(await turn_store.beat(beats), expected)
        same(await turn_store.end("turn_1", 1, "cancelled", "Stopped."), True, "end")
        ended = replace(waiting("turn_1"), state="cancelled", error="Stopped.")
        same_turn(await turn_store.find("turn_1", ANN), ended, "find of one that has ended")
        await self._age(turn_store, "turn_0")
        await self._age(turn_store, "turn_2")
        await turn_store.beat([HeartbeatSignal("turn_2", 1)])
        stale = await turn_store.stale(self.long)
        same([one.id for one in stale], ["turn_0"], "stale")
        same_turn(stale[0], waiting("turn_0"), "stale")
        same(await turn_store.take_over("turn_0", 1, self.long), True, "take_over")
        taken = waiting("turn_0", attempt=2)
        same_turn(await turn_store.find("turn_0", ANN), taken, "find after take_over")
        await self._is_refused(turn_store, begun(waiting("turn_0")), "the attempt before")
        same(await turn_store.begin_accepted(begun(taken)), None, "begin_accepted after take_over")

    @claim(
        "A turn that was released is stale at once, and only by its current attempt",
        "a process that shuts down leaves its turns to others",
    )
    async def test_an_accepted_turn_is_released(self, turn_store: TurnStore) -> None:
        if type(turn_store).release is TurnStore.release:
            pytest.skip("the store has no `release`, which it need not have")
        await turn_store.accept(waiting())
        await turn_store.release("turn_1", 2)
        same(await turn_store.stale(self.long), [], "stale after `release` of another attempt")
        await turn_store.release("turn_1", 1)
        stale = await turn_store.stale(self.long)
        same([one.id for one in stale], ["turn_1"], "stale after `release`")
        same(await turn_store.take_over("turn_1", 1, self.long), True, "take_over")
        await turn_store.release("absent", 1)
