"""Turn stores with one mistake each: the contract finds it, and says so in a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from chatkit_server import User
from chatkit_server.storage import (
    HeartbeatReply,
    HeartbeatSignal,
    MemoryTurnStore,
    TurnRecord,
    TurnState,
    TurnStore,
)
from chatkit_server.testing.conformance import TurnStoreContract
from tests.conformance import told


class ForgetsTheRequest(MemoryTurnStore):
    async def begin(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        return await super().begin(replace(record, request=None), repeat)


class BeginsTwice(MemoryTurnStore):
    async def begin(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        return await super().begin(replace(record, beside=True), repeat)


class LooksBeforeItBegins(MemoryTurnStore):
    async def begin(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        other = await self.running(record.thread_id, record.user)
        await asyncio.sleep(0)
        if other is None:
            self._running.clear()
        return other or await super().begin(record, repeat)


class BeginsForARequestTwice(MemoryTurnStore):
    def _newest_of(self, request: str | None, user: User, seconds: float) -> TurnRecord | None:
        return None


class LooksForTheRequestBefore(MemoryTurnStore):
    async def begin(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        other = await self.find_by_request(record.request or "", record.user, repeat)
        await asyncio.sleep(0)
        return other or await super().begin(replace(record, request=None), repeat)

    async def accept(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        other = await self.find_by_request(record.request or "", record.user, repeat)
        await asyncio.sleep(0)
        if other is None:
            await super().accept(replace(record, request=None), repeat)
            self._rows[record.id].record = record
        return other


class ForgetsARequestThatEnded(MemoryTurnStore):
    async def begin(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        return await super().begin(record)

    async def accept(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        return await super().accept(record)


class RecordsTheSecond(MemoryTurnStore):
    async def begin(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        other = await super().begin(record, repeat)
        if other is not None:
            await super().begin(replace(record, beside=True), repeat)
        return other


class FindsForAnybody(MemoryTurnStore):
    async def find(self, turn_id: str, user: User) -> TurnRecord | None:
        row = self._rows.get(turn_id)
        return None if row is None else row.record


class CancelsForAnybody(MemoryTurnStore):
    async def cancel(self, turn_id: str, user: User) -> bool:
        row = self._rows.get(turn_id)
        return row is not None and await super().cancel(turn_id, row.record.user)


class IgnoresBeside(MemoryTurnStore):
    async def begin(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        return await super().begin(replace(record, beside=False), repeat)


class ForgetsCancel(MemoryTurnStore):
    async def beat(self, beats: Sequence[HeartbeatSignal]) -> Mapping[str, HeartbeatReply]:
        replies = await super().beat(beats)
        return {turn: "go on" if reply == "cancel" else reply for turn, reply in replies.items()}


class BeatsForAnyAttempt(MemoryTurnStore):
    async def beat(self, beats: Sequence[HeartbeatSignal]) -> Mapping[str, HeartbeatReply]:
        rows = self._rows
        return await super().beat(
            [
                replace(beat, attempt=rows[beat.turn_id].record.attempt)
                if beat.turn_id in rows
                else beat
                for beat in beats
            ]
        )


class ErasesWithoutNews(MemoryTurnStore):
    async def beat(self, beats: Sequence[HeartbeatSignal]) -> Mapping[str, HeartbeatReply]:
        return await super().beat([replace(b, partial=b.partial or b"") for b in beats])


class BeatsWithOneAnswer(MemoryTurnStore):
    async def beat(self, beats: Sequence[HeartbeatSignal]) -> Mapping[str, HeartbeatReply]:
        last = beats[-1].partial if beats else None
        return await super().beat([replace(beat, partial=last) for beat in beats])


class EndsTwice(MemoryTurnStore):
    async def end(
        self,
        turn_id: str,
        attempt: int,
        state: TurnState,
        error: str | None,
        partial: bytes | None = None,
    ) -> bool:
        row = self._rows.get(turn_id)
        if row is None or row.ended is None:
            return await super().end(turn_id, attempt, state, error, partial)
        row.record = replace(row.record, state=state, error=error)
        return True


class KeepsThePartialAnswer(MemoryTurnStore):
    async def end(
        self,
        turn_id: str,
        attempt: int,
        state: TurnState,
        error: str | None,
        partial: bytes | None = None,
    ) -> bool:
        row = self._rows.get(turn_id)
        before = None if row is None else row.record.partial
        return await super().end(turn_id, attempt, state, error, partial or before)


class ForgetsTheRest(MemoryTurnStore):
    async def end(
        self,
        turn_id: str,
        attempt: int,
        state: TurnState,
        error: str | None,
        partial: bytes | None = None,
    ) -> bool:
        return await super().end(turn_id, attempt, state, error)


class WithdrawsWhatHasEnded(MemoryTurnStore):
    async def withdraw(self, turn_id: str, attempt: int) -> None:
        row = self._rows.pop(turn_id, None)
        if row is not None and row.ended is None:
            self._leave(row.record)


class WithdrawsNothing(MemoryTurnStore):
    async def withdraw(self, turn_id: str, attempt: int) -> None:
        await self.end(turn_id, attempt, "cancelled", None)


class FindsTheOldest(MemoryTurnStore):
    async def find_by_request(self, request: str, user: User, seconds: float) -> TurnRecord | None:
        self._rows = dict(reversed(self._rows.items()))
        found = await super().find_by_request(request, user, seconds)
        self._rows = dict(reversed(self._rows.items()))
        return found


class FindsForEver(MemoryTurnStore):
    async def find_by_request(self, request: str, user: User, seconds: float) -> TurnRecord | None:
        return await super().find_by_request(request, user, 1e9)


class NothingIsStale(MemoryTurnStore):
    async def stale(self, seconds: float) -> list[TurnRecord]:
        return []


class TakesOverTheLiving(MemoryTurnStore):
    async def take_over(self, turn_id: str, attempt: int, seconds: float) -> bool:
        return await super().take_over(turn_id, attempt, -60)


class ManyTakeOver(MemoryTurnStore):
    async def take_over(self, turn_id: str, attempt: int, seconds: float) -> bool:
        row = self._rows[turn_id]
        stale = [one.id for one in await self.stale(seconds)]
        await asyncio.sleep(0)
        row.record = replace(row.record, attempt=attempt + 1)
        return turn_id in stale


class PrunesTheRunning(MemoryTurnStore):
    async def prune(self, seconds: float) -> None:
        for one in [*(await self.stale(seconds)), *(row.record for row in self._rows.values())]:
            row = self._rows.get(one.id)
            if row and (row.ended or row.beaten) < row.beaten + 1:
                del self._rows[one.id]


class BeatsOnTheLoop(MemoryTurnStore):
    def keep_alive(self, beats: Sequence[HeartbeatSignal]) -> None:
        raise RuntimeError("no running event loop")


class LosesWhatItAccepts(MemoryTurnStore):
    async def accept(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        return await super().accept(replace(record, accepted=None), repeat)


class RunsWhatItAccepts(MemoryTurnStore):
    async def accept(self, record: TurnRecord, repeat: float = 0.0) -> TurnRecord | None:
        return await self.begin(record, repeat)


class BeginsForAnyAttempt(MemoryTurnStore):
    async def begin_accepted(self, record: TurnRecord) -> TurnRecord | None:
        row = self._rows.get(record.id)
        attempt = record.attempt if row is None else row.record.attempt
        return await super().begin_accepted(replace(record, attempt=attempt))


class BeginsInAnyOrder(MemoryTurnStore):
    async def next_in(self, thread_id: str, user: User) -> TurnRecord | None:
        return await self.running(thread_id, user)


class AcceptedAreNeverStale(MemoryTurnStore):
    async def stale(self, seconds: float) -> list[TurnRecord]:
        return [one for one in await super().stale(seconds) if one.state == "running"]


class ReleasesForAnyAttempt(MemoryTurnStore):
    async def release(self, turn_id: str, attempt: int) -> None:
        if turn_id in self._rows:
            self._rows[turn_id].beaten = float("-inf")


class Ages(TurnStoreContract):
    """Knows what a `MemoryTurnStore` is made of."""

    async def age(self, turn_store: TurnStore, turn_id: str, seconds: float) -> None:
        assert isinstance(turn_store, MemoryTurnStore)
        row = turn_store._rows[turn_id]
        row.beaten -= seconds
        row.ended = None if row.ended is None else row.ended - seconds


BROKEN: list[tuple[type[MemoryTurnStore], str, str]] = [
    (
        ForgetsTheRequest,
        "a_turn_is_found_as_it_was_recorded",
        "the `request` of the turn that find",
    ),
    (BeginsTwice, "one_turn_runs_in_a_thread", "begin of a second one returned None, not the turn"),
    (LooksBeforeItBegins, "of_many_that_begin_at_once_one_does", "20 of 20 turns began"),
    (BeginsForARequestTwice, "a_request_has_one_turn", "begin for the same request returned"),
    (BeginsForARequestTwice, "an_accepted_request_has_one_turn", "accept for the same request re"),
    (LooksForTheRequestBefore, "of_many_for_a_request_one_begins", "20 of 20 turns began"),
    (
        LooksForTheRequestBefore,
        "an_accepted_request_has_one_turn",
        "20 of 20 turns were accepted",
    ),
    (ForgetsARequestThatEnded, "a_request_has_one_turn", "as `begin` told, returned None"),
    (ForgetsARequestThatEnded, "an_accepted_request_has_one_turn", "as told, returned None"),
    (RecordsTheSecond, "one_turn_runs_in_a_thread", "which was not to be recorded, returned Turn"),
    (FindsForAnybody, "turns_of_others_do_not_exist", "find by User('bob', tenant='acme') of Ann"),
    (CancelsForAnybody, "turns_of_others_do_not_exist", "of Ann's returned True, not False"),
    (IgnoresBeside, "turns_run_beside_others", "the `beside` of the turn that find of"),
    (ForgetsCancel, "what_a_beat_says_and_hears", "'turn_1': 'go on'"),
    (BeatsForAnyAttempt, "what_a_beat_says_and_hears", "'turn_3': 'go on'"),
    (
        ErasesWithoutNews,
        "a_beat_without_news_keeps_what_was_said",
        "the `partial` of the turn that",
    ),
    (BeatsWithOneAnswer, "many_turns_beat_at_once", "the partial answers of ['turn_0', 'turn_1', "),
    (EndsTwice, "an_end_is_written_once", "a second `end` returned True, not False"),
    (ForgetsTheRest, "an_end_is_written_once", "the `partial` of the turn that find of a "),
    (KeepsThePartialAnswer, "an_end_is_written_once", "the `partial` of the turn that find of a "),
    (
        WithdrawsWhatHasEnded,
        "a_turn_that_has_ended_is_not_withdrawn",
        "find returned None, not the",
    ),
    (WithdrawsNothing, "a_withdrawn_turn_was_never_there", "find returned TurnRecord(id='turn_1'"),
    (
        FindsTheOldest,
        "the_newest_turn_of_a_request_counts",
        "`id` of the turn that find_by_request",
    ),
    (FindsForEver, "the_newest_turn_of_a_request_counts", "find_by_request of one that ended long"),
    (NothingIsStale, "turns_without_a_heartbeat_are_stale", "stale returned [], not ['turn_0', "),
    (TakesOverTheLiving, "one_of_many_takes_a_turn_over", "of a turn that is alive returned True"),
    (ManyTakeOver, "one_of_many_takes_a_turn_over", "10 of 10 took it over"),
    (
        PrunesTheRunning,
        "turns_that_ended_long_ago_are_forgotten",
        "returned [None, None, None], not",
    ),
    (LosesWhatItAccepts, "an_accepted_turn_is_found", "the `accepted` of the turn that find of an"),
    (RunsWhatItAccepts, "an_accepted_turn_is_found", "running with an accepted turn only returned"),
    (BeginsForAnyAttempt, "an_accepted_turn_begins", "of another attempt returned None, and raise"),
    (
        BeginsInAnyOrder,
        "accepted_turns_begin_in_their_order",
        "begin_accepted where another one wai",
    ),
    (
        AcceptedAreNeverStale,
        "accepted_turns_live_as_others_do",
        "stale returned [], not ['turn_0']",
    ),
    (
        ReleasesForAnyAttempt,
        "an_accepted_turn_is_released",
        "stale after `release` of another atte",
    ),
    (BeatsOnTheLoop, "heartbeats_from_a_thread_keep_turns", "stale after `keep_alive` returned ["),
]


@pytest.mark.parametrize(("broken", "test", "came"), BROKEN)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_broken_turn_store_is_told(
    broken: type[MemoryTurnStore], test: str, came: str
) -> None:
    sentence = await told(Ages(), f"test_{test}", broken())
    assert came in sentence
    assert ", because " in sentence
    assert "; but " in sentence
