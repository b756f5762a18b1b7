"""What every turn store has to do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ...turn import User
from ...turns.store import HeartbeatReply, HeartbeatSignal, TurnStore
from .accepted_turns import AcceptedTurns
from .claims import claim, holds, same
from .samples import TEXT
from .turn_records import (
    ANN,
    ENDINGS,
    ODD_IDS,
    PARTIAL,
    STRANGERS,
    record,
    same_replies,
    same_turn,
    user_name,
)


class TurnStoreContract(AcceptedTurns):
    """Tests of a `TurnStore`. Give them a fixture `turn_store`: a new one, without turns.

    Some wait until a turn is old. Override `age`, such as by an UPDATE, and they wait for nothing.
    """

    # What comes back

    @claim(
        "A turn is found by its id, its thread and its request, as it was recorded",
        "another process saves by it what a dead one has said",
    )
    async def test_a_turn_is_found_as_it_was_recorded(self, turn_store: TurnStore) -> None:
        one = record(request="body:1", content="digest", partial=PARTIAL)
        same(await turn_store.begin(one), None, "begin of the first turn")
        same_turn(await turn_store.find("turn_1", ANN), one, "find")
        same_turn(await turn_store.running("thr_1", ANN), one, "running")
        same_turn(await turn_store.find_by_request("body:1", ANN, 60), one, "find_by_request")
        plain = record("turn_2", "thr_2")
        same(await turn_store.begin(plain), None, "begin in another thread")
        same_turn(await turn_store.find("turn_2", ANN), plain, "find of a turn without a request")

    @claim(
        "A turn that was never recorded is not found, whatever its id",
        "clients send any id that they like",
    )
    async def test_what_was_never_recorded_is_not_found(self, turn_store: TurnStore) -> None:
        await turn_store.begin(record())
        for odd in ODD_IDS:
            for user in (ANN, User(odd), User("ann", odd)):
                what = f"of {odd[:9]!r} by {user_name(user)[:40]}"
                same(await turn_store.find(odd, user), None, f"find {what}")
                same(await turn_store.running(odd, user), None, f"running {what}")
                found = await turn_store.find_by_request(odd, user, 60)
                same(found, None, f"find_by_request {what}")
                same(await turn_store.cancel(odd, user), False, f"cancel {what}")

    @claim(
        "Turns of other users and tenants do not exist",
        "nobody may follow, stop or block somebody else's answer",
    )
    async def test_turns_of_others_do_not_exist(self, turn_store: TurnStore) -> None:
        await turn_store.begin(record(request="body:1"))
        for number, stranger in enumerate(STRANGERS):
            what = f"by {user_name(stranger)} of Ann's"
            same(await turn_store.find("turn_1", stranger), None, f"find {what}")
            same(await turn_store.running("thr_1", stranger), None, f"running {what}")
            found = await turn_store.find_by_request("body:1", stranger, 60)
            same(found, None, f"find_by_request {what}")
            same(await turn_store.cancel("turn_1", stranger), False, f"cancel {what}")
            theirs = record(f"turn_of_{number}", user=stranger)
            began = await turn_store.begin(theirs)
            same(began, None, f"begin by {user_name(stranger)} in a thread of the same id")
        replies = await turn_store.beat([HeartbeatSignal("turn_1", 1)])
        same_replies(replies, {"turn_1": "go on"})
        same_turn(await turn_store.running("thr_1", ANN), record(request="body:1"), "running")

    # One turn in a thread

    @claim(
        "One turn runs in a thread: `begin` records no second one, and returns the first",
        "two answers at once would mix in the conversation",
    )
    async def test_one_turn_runs_in_a_thread(self, turn_store: TurnStore) -> None:
        same(await turn_store.begin(record("turn_1")), None, "begin of the first turn")
        same_turn(
            await turn_store.begin(record("turn_2")), record("turn_1"), "begin of a second one"
        )
        refused = await turn_store.find("turn_2", ANN)
        same(refused, None, "find of the second one, which was not to be recorded,")
        same(await turn_store.begin(record("turn_3", "thr_2")), None, "begin in another thread")
        same(await turn_store.end("turn_1", 1, "completed", None), True, "end")
        same(await turn_store.begin(record("turn_2")), None, "begin once the first has ended")
        same_turn(await turn_store.running("thr_1", ANN), record("turn_2"), "running")

    @claim(
        "Of many that begin in a thread at once, one does, and the others get that one",
        "a double click, or two processes, must not start two answers",
    )
    async def test_of_many_that_begin_at_once_one_does(self, turn_store: TurnStore) -> None:
        beginning = (turn_store.begin(record(f"turn_{n}")) for n in range(20))
        answers = await asyncio.gather(*beginning)
        winners = [f"turn_{n}" for n, answer in enumerate(answers) if answer is None]
        holds(len(winners) == 1, f"{len(winners)} of 20 turns began")
        others = {answer.id for answer in answers if answer is not None}
        same(others, set(winners), "the ids of the turn that `begin`")

    @claim(
        "A request has one turn while it runs, whichever thread it would be in",
        "a request that two processes get at once must not be answered twice",
    )
    async def test_a_request_has_one_turn(self, turn_store: TurnStore) -> None:
        one = record("turn_1", request="body:1")
        same(await turn_store.begin(one), None, "begin of the first turn")
        for again in (
            record("turn_2", request="body:1"),
            record("turn_3", "thr_2", request="body:1"),
            record("turn_4", "thr_2", request="body:1", beside=True),
        ):
            same_turn(await turn_store.begin(again), one, "begin for the same request")
            refused = await turn_store.find(again.id, ANN)
            same(refused, None, "find of a second one, which was not to be recorded,")
        for number, stranger in enumerate(STRANGERS):
            theirs = record(f"turn_of_{number}", request="body:1", user=stranger)
            what = f"begin by {user_name(stranger)} for an equal request"
            same(await turn_store.begin(theirs), None, what)
        same(await turn_store.begin(record("turn_5", "thr_5")), None, "begin without a request")
        same(await turn_store.begin(record("turn_6", "thr_6")), None, "begin without one again")
        await turn_store.end("turn_1", 1, "completed", None)
        later = record("turn_7", "thr_7", request="body:1")
        ended = await turn_store.begin(later, 60)
        same(ended and ended.id, "turn_1", "the id of the turn that ended lately, as `begin` told,")
        same(await turn_store.begin(later), None, "begin where the first one has ended")

    @claim(
        "Of many that begin for a request at once, one does, and the others get that one",
        "a request that two processes get at once must not be answered twice",
    )
    async def test_of_many_for_a_request_one_begins(self, turn_store: TurnStore) -> None:
        beginning = (
            turn_store.begin(record(f"turn_{n}", f"thr_{n}", request="key:1"), 60)
            for n in range(20)
        )
        answers = await asyncio.gather(*beginning)
        winners = [f"turn_{n}" for n, answer in enumerate(answers) if answer is None]
        holds(len(winners) == 1, f"{len(winners)} of 20 turns began")
        others = {answer.id for answer in answers if answer is not None}
        same(others, set(winners), "the ids of the turn that `begin`")

    @claim(
        "Turns `beside` others are always recorded, and never the running turn of a thread",
        "actions of widgets run while an answer does",
    )
    async def test_turns_run_beside_others(self, turn_store: TurnStore) -> None:
        for turn_id in ("turn_1", "turn_2"):
            one = record(turn_id, request=f"body:{turn_id}", partial=b"{}", beside=True)
            same(await turn_store.begin(one), None, "begin of a turn beside others")
            same_turn(await turn_store.find(turn_id, ANN), one, "find of a turn beside others")
            found = await turn_store.find_by_request(f"body:{turn_id}", ANN, 60)
            same_turn(found, one, "find_by_request of a turn beside others")
        same(await turn_store.running("thr_1", ANN), None, "running with turns beside others only")
        same(await turn_store.begin(record("turn_3")), None, "begin beside them")
        same(await turn_store.begin(record("turn_4", beside=True)), None, "begin beside it")
        same_turn(
            await turn_store.begin(record("turn_5")), record("turn_3"), "begin of a second one"
        )
        same(await turn_store.cancel("turn_1", ANN), True, "cancel")
        beats = [HeartbeatSignal(f"turn_{n}", 1) for n in (1, 2, 3)]
        expected: dict[str, HeartbeatReply]
        expected = {"turn_1": "cancel", "turn_2": "go on", "turn_3": "go on"}
        same_replies(await turn_store.beat(beats), expected)
        same(await turn_store.end("turn_1", 1, "cancelled", "It was stopped."), True, "end")
        await turn_store.withdraw("turn_2", 1)
        ended = await turn_store.find("turn_1", ANN)
        state = ended and (ended.state, ended.partial)
        same(state, ("cancelled", None), "the state and partial answer that `find`")
        same(await turn_store.find("turn_2", ANN), None, "find of one that was withdrawn")
        running = await turn_store.running("thr_1", ANN)
        same_turn(running, record("turn_3"), "running, after those beside it have ended,")
        same(await turn_store.end("turn_3", 1, "completed", None), True, "end")
        same(await turn_store.begin(record("turn_6")), None, "begin while turn 4 runs beside")

    # Heartbeats

    @claim(
        "`beat` records the partial answers and says what to do with each turn",
        "a turn that was stopped elsewhere, or taken over, ends by that",
    )
    async def test_what_a_beat_says_and_hears(self, turn_store: TurnStore) -> None:
        for number in range(4):
            await turn_store.begin(record(f"turn_{number}", f"thr_{number}", partial=b'"begun"'))
        same(await turn_store.cancel("turn_1", ANN), True, "cancel of a running turn")
        await turn_store.end("turn_2", 1, "completed", None)
        said = {0: b'"zero"', 1: b'"one"', 2: b'"two"', 3: b'"three"'}
        beats = [HeartbeatSignal(f"turn_{n}", 1, partial) for n, partial in said.items()]
        beats[3] = replace(beats[3], attempt=2)
        replies = await turn_store.beat([*beats, HeartbeatSignal("absent", 1, b'"?"')])
        expected: dict[str, HeartbeatReply] = {
            "turn_0": "go on",
            "turn_1": "cancel",
            "turn_2": "lost",
            "turn_3": "lost",
            "absent": "lost",
        }
        same_replies(replies, expected)
        found = [await turn_store.find(f"turn_{number}", ANN) for number in range(4)]
        partials = [one and one.partial for one in found]
        wanted = [b'"zero"', b'"one"', None, b'"begun"']
        same(partials, wanted, "the partial answers that `find`")

    @claim(
        "While a `visit` of the turn's user lasts, heartbeats are answered with `visited`",
        "a page that comes back to another process keeps its answer from being stopped",
    )
    async def test_a_visit_is_told(self, turn_store: TurnStore) -> None:
        if type(turn_store).visit is TurnStore.visit:
            pytest.skip("the store has no `visit`")
        for number in range(3):
            await turn_store.begin(record(f"turn_{number}", f"thr_{number}"))
        for user in STRANGERS:
            await turn_store.visit("turn_0", user, 60)
        for odd in ODD_IDS:
            await turn_store.visit(odd, ANN, 60)
        await turn_store.visit("turn_0", ANN, -1)
        await turn_store.visit("turn_1", ANN, 60)
        await turn_store.visit("turn_1", ANN, 0)
        await turn_store.visit("turn_2", ANN, 60)
        await turn_store.cancel("turn_2", ANN)
        beats = [HeartbeatSignal(f"turn_{number}", 1) for number in range(3)]
        expected: dict[str, HeartbeatReply]
        expected = {"turn_0": "go on", "turn_1": "visited", "turn_2": "cancel"}
        same_replies(await turn_store.beat(beats), expected)

    @claim(
        "A heartbeat without a partial answer keeps the one before",
        "only what has changed is sent",
    )
    async def test_a_beat_without_news_keeps_what_was_said(self, turn_store: TurnStore) -> None:
        await turn_store.begin(record())
        await turn_store.beat([HeartbeatSignal("turn_1", 1, PARTIAL)])
        same_replies(await turn_store.beat([HeartbeatSignal("turn_1", 1)]), {"turn_1": "go on"})
        same_turn(await turn_store.find("turn_1", ANN), record(partial=PARTIAL), "find")
        same_replies(await turn_store.beat([]), {})

    @claim(
        "Many turns beat in one call, each with its own partial answer",
        "a process sends the heartbeats of all its turns together",
    )
    async def test_many_turns_beat_at_once(self, turn_store: TurnStore) -> None:
        said = ("Grüße \\u0000 \\\\ \\\" ' " * 100).encode()
        wanted: dict[str, bytes | None] = {}
        for n in range(150):
            await turn_store.begin(record(f"turn_{n}", f"thr_{n}"))
            wanted[f"turn_{n}"] = b'"%d %b"' % (n, said) if n % 2 else None
        beats = [HeartbeatSignal(turn_id, 1, partial) for turn_id, partial in wanted.items()]
        replies = await turn_store.beat(beats)
        same_replies(replies, dict.fromkeys(wanted, "go on"))
        found = {one.id: one.partial for one in await turn_store.stale(-60)}
        holds(len(found) == 150, f"{len(found)} of 150 turns run after that")
        wrong = [turn_id for turn_id, partial in wanted.items() if found.get(turn_id) != partial]
        holds(not wrong, f"the partial answers of {wrong[:3]} are others")

    # How a turn ends

    @claim(
        "`end` is written once, by the current attempt, and replaces the partial answer",
        "what was said is saved as an item then, and would be saved twice",
    )
    async def test_an_end_is_written_once(self, turn_store: TurnStore) -> None:
        same(await turn_store.end("absent", 1, "completed", None), False, "end of no turn")
        for state in ENDINGS:
            turn_id, thread_id = f"turn_{state}", f"thr_{state}"
            one = record(turn_id, thread_id, partial=PARTIAL)
            await turn_store.begin(one)
            same(await turn_store.end(turn_id, 2, state, None), False, "end of another attempt")
            rest = None if state == "failed" else b'{"tools":1}'
            same(await turn_store.end(turn_id, 1, state, TEXT, rest), True, f"end as {state}")
            ended = replace(one, state=state, error=TEXT, partial=rest)
            same_turn(await turn_store.find(turn_id, ANN), ended, "find of a turn that has ended")
            same(await turn_store.running(thread_id, ANN), None, "running after the end")
            again = await turn_store.end(turn_id, 1, "completed", None, PARTIAL)
            same(again, False, "a second `end`")
            same(await turn_store.cancel(turn_id, ANN), False, "cancel after the end")
            same(await turn_store.stale(-60), [], "stale after the end")
            same_turn(await turn_store.find(turn_id, ANN), ended, "find after a second `end`")

    @claim(
        "A turn that was withdrawn was never there",
        "it was refused before anything was saved, and may be sent again",
    )
    async def test_a_withdrawn_turn_was_never_there(self, turn_store: TurnStore) -> None:
        await turn_store.begin(record("turn_1", request="body:1"))
        await turn_store.begin(record("turn_2", "thr_2"))
        await turn_store.withdraw("turn_1", 2)
        running = await turn_store.running("thr_1", ANN)
        same_turn(
            running, record(request="body:1"), "running, after `withdraw` of another attempt,"
        )
        await turn_store.withdraw("turn_1", 1)
        same(await turn_store.find("turn_1", ANN), None, "find")
        same(await turn_store.running("thr_1", ANN), None, "running")
        same(await turn_store.find_by_request("body:1", ANN, 60), None, "find_by_request")
        same_replies(await turn_store.beat([HeartbeatSignal("turn_1", 1)]), {"turn_1": "lost"})
        same(await turn_store.begin(record("turn_3")), None, "begin in its thread")
        same_turn(await turn_store.running("thr_2", ANN), record("turn_2", "thr_2"), "running")

    @claim(
        "A turn that has ended is not withdrawn",
        "a client that comes back asks how it ended",
    )
    async def test_a_turn_that_has_ended_is_not_withdrawn(self, turn_store: TurnStore) -> None:
        await turn_store.begin(record())
        await turn_store.end("turn_1", 1, "failed", "It broke.")
        await turn_store.withdraw("turn_1", 1)
        await turn_store.withdraw("absent", 1)
        ended = record(state="failed", error="It broke.")
        same_turn(await turn_store.find("turn_1", ANN), ended, "find")
