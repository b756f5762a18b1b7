"""What every turn store must do: the one in memory, and the plugin's on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chatkit_server import User
from chatkit_server.storage import HeartbeatSignal, MemoryTurnStore, TurnRecord, TurnStore
from tests.databases import DATABASES, new_url
from tests.stores import query, running

ANN = User("ann", "acme")
STRANGERS = (User("bob", "acme"), User("ann", "umbrella"), User("ann"))

Age = Callable[[str, float], Awaitable[None]]


@dataclass
class Case:
    """A turn store, and a way to make a turn look as if its last moments were long ago."""

    store: TurnStore
    age: Age


async def _age_in_database(turn_id: str, seconds: float) -> None:
    await query(
        f"UPDATE chatkit_turn SET beaten = beaten - {seconds}, ended = ended - {seconds} "
        f"WHERE id = '{turn_id}'"
    )


def _in_memory() -> Case:
    store = MemoryTurnStore()

    async def age(turn_id: str, seconds: float) -> None:
        row = store._rows[turn_id]
        row.beaten -= seconds
        if row.ended is not None:
            row.ended -= seconds

    return Case(store, age)


@pytest.fixture(params=["memory", *DATABASES])
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    if request.param == "memory":
        yield _in_memory()
        return
    async with running(new_url(request.param, tmp_path)) as plugin:
        yield Case(plugin.turn_store(), _age_in_database)


@pytest.fixture
def store(case: Case) -> TurnStore:
    return case.store


def record(turn_id: str = "turn_1", thread_id: str = "thr_1", **rest: Any) -> TurnRecord:
    given: dict[str, Any] = {"user": ANN, "operation": "threads.create", "model": "test/model"}
    return TurnRecord(turn_id, thread_id, **{**given, **rest})


async def test_a_turn_is_found_as_it_was_written_down(store: TurnStore) -> None:
    partial = '{"text": "Grüße \\u0000 \\ud83e"}'.encode()
    one = record(request="body:1", partial=partial)
    assert await store.begin(one) is None
    assert await store.find("turn_1", ANN) == one
    assert await store.running("thr_1", ANN) == one
    assert await store.find_by_request("body:1", ANN, 60) == one
    plain = record("turn_2", "thr_2")
    assert await store.begin(plain) is None
    assert await store.find("turn_2", ANN) == plain


async def test_one_turn_runs_in_a_thread(store: TurnStore) -> None:
    assert await store.begin(record("turn_1")) is None
    assert await store.begin(record("turn_2")) == record("turn_1")
    assert await store.find("turn_2", ANN) is None
    assert await store.begin(record("turn_3", "thr_2")) is None
    assert await store.end("turn_1", 1, "completed", None)
    assert await store.begin(record("turn_2")) is None
    assert await store.running("thr_1", ANN) == record("turn_2")


async def test_turns_run_beside_others_in_their_thread(store: TurnStore) -> None:
    for turn_id in ("turn_1", "turn_2"):
        one = record(turn_id, request=f"body:{turn_id}", partial=b"{}", beside=True)
        assert await store.begin(one) is None
        assert await store.find(turn_id, ANN) == one
        assert await store.find_by_request(f"body:{turn_id}", ANN, 60) == one
    assert await store.running("thr_1", ANN) is None
    assert await store.begin(record("turn_3")) is None
    assert await store.begin(record("turn_4", beside=True)) is None
    assert await store.begin(record("turn_5")) == record("turn_3")
    assert await store.cancel("turn_1", ANN)
    beats = [HeartbeatSignal(f"turn_{n}", 1) for n in (1, 2, 3)]
    assert await store.beat(beats) == {"turn_1": "cancel", "turn_2": "go on", "turn_3": "go on"}
    assert await store.end("turn_1", 1, "cancelled", "It was stopped.")
    await store.withdraw("turn_2", 1)
    ended = await store.find("turn_1", ANN)
    assert ended is not None
    assert (ended.state, ended.partial) == ("cancelled", None)
    assert await store.find("turn_2", ANN) is None
    assert await store.running("thr_1", ANN) == record("turn_3"), "it ran beside them"
    assert await store.end("turn_3", 1, "completed", None)
    assert await store.begin(record("turn_6")) is None, "turn 4 still runs"


async def test_a_turn_beside_others_is_taken_over_too(case: Case) -> None:
    store = case.store
    await store.begin(record("turn_1", beside=True))
    await store.begin(record("turn_2"))
    await case.age("turn_1", 100)
    [stale] = await store.stale(60)
    assert stale == record("turn_1", beside=True)
    assert await store.take_over("turn_1", 1, 60)
    assert not await store.end("turn_1", 1, "completed", None)
    assert await store.end("turn_1", 2, "interrupted", None)
    await case.age("turn_1", 1000)
    await store.prune(600)
    assert await store.find("turn_1", ANN) is None


async def test_a_withdrawn_turn_was_never_there(store: TurnStore) -> None:
    await store.begin(record("turn_1", request="body:1"))
    await store.begin(record("turn_2", "thr_2"))
    await store.withdraw("turn_1", 2)
    assert await store.running("thr_1", ANN) is not None, "it is at another attempt"
    await store.withdraw("turn_1", 1)
    assert await store.find("turn_1", ANN) is None
    assert await store.running("thr_1", ANN) is None
    assert await store.find_by_request("body:1", ANN, 60) is None
    assert await store.beat([HeartbeatSignal("turn_1", 1)]) == {"turn_1": "lost"}
    assert await store.begin(record("turn_3")) is None
    assert await store.running("thr_2", ANN) == record("turn_2", "thr_2")


async def test_a_turn_that_has_ended_is_not_withdrawn(store: TurnStore) -> None:
    await store.begin(record())
    await store.end("turn_1", 1, "failed", "It broke.")
    await store.withdraw("turn_1", 1)
    await store.withdraw("absent", 1)
    ended = await store.find("turn_1", ANN)
    assert ended is not None
    assert (ended.state, ended.error) == ("failed", "It broke.")


async def test_of_many_that_begin_at_once_one_does(store: TurnStore) -> None:
    answers = await asyncio.gather(*(store.begin(record(f"turn_{n}")) for n in range(20)))
    [winner] = [n for n, answer in enumerate(answers) if answer is None]
    others = {answer.id for answer in answers if answer is not None}
    assert others == {f"turn_{winner}"}


async def test_others_turns_do_not_exist(store: TurnStore) -> None:
    await store.begin(record(request="body:1"))
    for stranger in STRANGERS:
        assert await store.find("turn_1", stranger) is None
        assert await store.running("thr_1", stranger) is None
        assert await store.find_by_request("body:1", stranger, 60) is None
        assert await store.cancel("turn_1", stranger) is False
        # threads of other people may have the same id
        assert await store.begin(record(f"turn_{stranger}", user=stranger)) is None
    assert await store.beat([HeartbeatSignal("turn_1", 1)]) == {"turn_1": "go on"}
    assert await store.running("thr_1", ANN) == record(request="body:1")


@pytest.mark.parametrize("odd", ["", "absent", "nul\0", "half \ud83e", "x" * 5000, "'\"; -- $1 ?1"])
async def test_what_was_never_written_down_is_not_found(store: TurnStore, odd: str) -> None:
    await store.begin(record())
    for user in (ANN, User(odd), User("ann", odd)):
        assert await store.find(odd, user) is None
        assert await store.running(odd, user) is None
        assert await store.find_by_request(odd, user, 60) is None
        assert await store.cancel(odd, user) is False


async def test_what_a_beat_says_and_hears(store: TurnStore) -> None:
    for number in range(4):
        await store.begin(record(f"turn_{number}", f"thr_{number}", partial=b'"begun"'))
    assert await store.cancel("turn_1", ANN) is True
    await store.end("turn_2", 1, "completed", None)
    said = {0: b'"zero"', 1: b'"one"', 2: b'"two"', 3: b'"three"'}
    beats = [HeartbeatSignal(f"turn_{number}", 1, partial) for number, partial in said.items()]
    beats[3] = replace(beats[3], attempt=2)
    assert await store.beat([*beats, HeartbeatSignal("absent", 1, b'"?"')]) == {
        "turn_0": "go on",
        "turn_1": "cancel",
        "turn_2": "lost",
        "turn_3": "lost",
        "absent": "lost",
    }
    found = [await store.find(f"turn_{number}", ANN) for number in range(4)]
    partials = [one.partial for one in found if one is not None]
    assert partials == [b'"zero"', b'"one"', None, b'"begun"']


async def test_a_beat_without_news_keeps_what_was_said(store: TurnStore) -> None:
    await store.begin(record())
    await store.beat([HeartbeatSignal("turn_1", 1, b'"said"')])
    assert await store.beat([HeartbeatSignal("turn_1", 1)]) == {"turn_1": "go on"}
    assert await store.find("turn_1", ANN) == record(partial=b'"said"')
    assert await store.beat([]) == {}


async def test_many_turns_beat_at_once(store: TurnStore) -> None:
    said = ("Grüße \\u0000 \\\\ \\\" ' " * 100).encode()
    for number in range(150):
        await store.begin(record(f"turn_{number}", f"thr_{number}"))
    beats = [
        HeartbeatSignal(f"turn_{n}", 1, b'"%d %b"' % (n, said) if n % 2 else None)
        for n in range(150)
    ]
    assert set((await store.beat(beats)).values()) == {"go on"}
    assert len(await store.stale(-60)) == 150
    for one in await store.stale(-60):
        number = int(one.id.removeprefix("turn_"))
        assert one.partial == (b'"%d %b"' % (number, said) if number % 2 else None)


@pytest.mark.parametrize("state", ["completed", "failed", "cancelled", "interrupted"])
async def test_an_end_is_written_once_and_forgets_what_was_said(
    store: TurnStore, state: Any
) -> None:
    await store.begin(record(partial=b'"said"'))
    assert await store.end("turn_1", 2, state, None) is False
    assert await store.end("absent", 1, state, None) is False
    assert await store.end("turn_1", 1, state, "It broke.") is True
    ended = record(state=state, error="It broke.")
    assert await store.find("turn_1", ANN) == ended
    assert await store.running("thr_1", ANN) is None
    assert await store.end("turn_1", 1, "completed", None) is False
    assert await store.cancel("turn_1", ANN) is False
    assert await store.stale(-60) == []
    assert await store.find("turn_1", ANN) == ended


async def test_the_newest_turn_of_a_request_counts_for_a_time(case: Case) -> None:
    store = case.store
    first, second = (record(f"turn_{n}", request="key:1") for n in (1, 2))
    await store.begin(first)
    await store.begin(record("turn_other", "thr_2", request="key:2"))
    await case.age("turn_1", 1000)
    assert await store.find_by_request("key:1", ANN, 60) == first, "it runs"
    await store.end("turn_1", 1, "completed", None)
    assert await store.find_by_request("key:1", ANN, 60) == replace(first, state="completed")
    await store.begin(second)
    assert await store.find_by_request("key:1", ANN, 60) == second
    await store.end("turn_2", 1, "failed", None)
    await case.age("turn_2", 1000)
    assert await store.find_by_request("key:1", ANN, 60) is None
    assert await store.find_by_request("key:1", ANN, 2000) == replace(second, state="failed")
    assert await store.find_by_request("key:3", ANN, 2000) is None


async def test_turns_without_a_sign_of_life_are_stale(case: Case) -> None:
    store = case.store
    for number in range(3):
        await store.begin(record(f"turn_{number}", f"thr_{number}", partial=b'"said"'))
        await case.age(f"turn_{number}", 100)
    assert [one.id for one in await store.stale(60)] == ["turn_0", "turn_1", "turn_2"]
    assert (await store.stale(60))[0] == record("turn_0", "thr_0", partial=b'"said"')
    await store.beat([HeartbeatSignal("turn_0", 1), HeartbeatSignal("turn_1", 7)])
    await store.end("turn_2", 1, "completed", None)
    assert [one.id for one in await store.stale(60)] == ["turn_1"]
    assert await store.stale(200) == []


async def test_one_of_many_takes_a_turn_over(case: Case) -> None:
    store = case.store
    await store.begin(record(partial=b'"said"'))
    assert await store.take_over("turn_1", 1, 60) is False, "it is alive"
    await case.age("turn_1", 100)
    answers = await asyncio.gather(*(store.take_over("turn_1", 1, 60) for _ in range(10)))
    assert sorted(answers) == [False] * 9 + [True]
    assert await store.running("thr_1", ANN) == record(partial=b'"said"', attempt=2)
    assert await store.stale(60) == [], "that was a heartbeat"
    assert await store.beat([HeartbeatSignal("turn_1", 1, b'"late"')]) == {"turn_1": "lost"}
    assert await store.end("turn_1", 1, "completed", None) is False
    await case.age("turn_1", 100)
    assert [one.attempt for one in await store.stale(60)] == [2]
    assert await store.take_over("turn_1", 1, 60) is False
    assert await store.take_over("turn_1", 2, 60) is True
    assert await store.end("turn_1", 3, "interrupted", None) is True
    assert await store.take_over("turn_1", 3, -60) is False


async def test_turns_that_ended_long_ago_are_forgotten(case: Case) -> None:
    store = case.store
    for number in range(3):
        await store.begin(record(f"turn_{number}", f"thr_{number}"))
    for number in range(2):
        await store.end(f"turn_{number}", 1, "completed", None)
    for number in (0, 2):
        await case.age(f"turn_{number}", 1000)
    await store.prune(600)
    found = [await store.find(f"turn_{number}", ANN) for number in range(3)]
    assert [one and one.id for one in found] == [None, "turn_1", "turn_2"]
