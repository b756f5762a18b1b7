"""Turns in the database: who may write into one, and what goes when its thread goes."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from chatkit.store import NotFoundError, Store
from chatkit.types import FileAttachment, ThreadMetadata
from chatkit_plugins.tortoise_store import sql, turn_sql
from chatkit_plugins.tortoise_store.presence import present
from tortoise.transactions import in_transaction

from chatkit_server import BadRequest, SettingsError, Unavailable, User
from chatkit_server.storage import (
    AtomicThreads,
    HeartbeatSignal,
    StoreContext,
    TakenOver,
    TurnRecord,
    TurnStore,
)
from tests.databases import new_url
from tests.stores import ANN, BOB, item, query, running, thread

ThreadStore = Store[StoreContext]
Write = Callable[[ThreadStore, StoreContext], Awaitable[None]]

FILE = FileAttachment(id="atc_1", name="bill.pdf", mime_type="application/pdf", thread_id="thr_1")


async def changed(store: ThreadStore, context: StoreContext) -> None:
    """Change the thread as it is stored."""
    await cast(AtomicThreads, store).change_thread("thr_1", _renamed, context)


def _renamed(stored: ThreadMetadata) -> ThreadMetadata:
    return stored.model_copy(update={"title": f"{stored.title} and more"})


LOOSE = FILE.model_copy(update={"id": "atc_2", "thread_id": None})

WRITES: dict[str, Write] = {
    "save_thread": lambda s, c: s.save_thread(thread(title="new"), c),
    "change_thread": lambda s, c: changed(s, c),
    "add_thread_item": lambda s, c: s.add_thread_item("thr_1", item("new"), c),
    "save_item": lambda s, c: s.save_item("thr_1", item("old", content="changed"), c),
    "delete_thread_item": lambda s, c: s.delete_thread_item("thr_1", "old", c),
    "save_attachment": lambda s, c: s.save_attachment(FILE, c),
    "save_attachment of no thread": lambda s, c: s.save_attachment(LOOSE, c),
}


@asynccontextmanager
async def served(url: str) -> AsyncIterator[tuple[ThreadStore, TurnStore]]:
    """Open both stores of a database, as one server has them."""
    async with running(url) as plugin:
        turn_store = plugin.turn_store()
        yield plugin.store(), turn_store


def record(turn_id: str = "turn_1", thread_id: str = "thr_1", **rest: Any) -> TurnRecord:
    given: dict[str, Any] = {"user": ANN.user, "operation": "threads.create", "model": "m"}
    return TurnRecord(turn_id, thread_id, **{**given, **rest})


def at(attempt: int, turn_id: str = "turn_1", user: User = ANN.user) -> StoreContext:
    return StoreContext(user, turn_id, attempt)


async def begin(store: ThreadStore, turns: TurnStore) -> None:
    """Make a thread with an item, and a turn that runs in it."""
    await store.save_thread(thread(), ANN)
    await store.add_thread_item("thr_1", item("old"), ANN)
    await turns.begin(record(partial=b'"said"'))


async def rows() -> list[list[dict[str, Any]]]:
    """Return all that is in the tables of conversations."""
    tables = ("thread", "item", "attachment")
    return [await query(f"SELECT * FROM chatkit_{table} ORDER BY seq") for table in tables]


# Who may write


async def all_write(store: ThreadStore, context: StoreContext) -> None:
    """Make every write, and look that it changes something."""
    for name, write in WRITES.items():
        before = await rows()
        await write(store, context)
        assert await rows() != before, name


async def none_write(store: ThreadStore, context: StoreContext) -> None:
    """Try every write, and look that it is refused and changes nothing."""
    before = await rows()
    for write in WRITES.values():
        with pytest.raises(TakenOver):
            await write(store, context)
    assert await rows() == before


async def test_the_current_attempt_writes_and_nobody_else(url: str) -> None:
    async with served(url) as (store, turns):
        await begin(store, turns)
        await turns.begin(record("turn_bob", "thr_bob", user=BOB.user))
        await turns.take_over("turn_1", 1, -60)
        for stranger in (at(1), at(3), at(0), at(2, "absent"), at(1, "turn_bob"), at(2, "nul\0")):
            await none_write(store, stranger)
        await all_write(store, at(2))


async def test_nobody_writes_into_a_turn_that_has_ended(url: str) -> None:
    async with served(url) as (store, turns):
        await begin(store, turns)
        await turns.end("turn_1", 1, "completed", None)
        await none_write(store, at(1))
        await turns.prune(-60)
        await none_write(store, at(1))
        await all_write(store, ANN)


async def test_what_is_not_there_is_not_found_within_a_turn(url: str) -> None:
    async with served(url) as (store, turns):
        await turns.begin(record())
        await turns.begin(record("turn_bob", "thr_bob", user=BOB.user))
        for name in (
            "change_thread",
            "add_thread_item",
            "save_item",
            "delete_thread_item",
            "save_attachment",
        ):
            with pytest.raises(NotFoundError):
                await WRITES[name](store, at(1))
        await begin(store, turns)
        for context in (BOB, at(1, "turn_bob", BOB.user)):
            for name in ("save_thread", "change_thread", "add_thread_item", "delete_thread_item"):
                with pytest.raises(NotFoundError):
                    await WRITES[name](store, context)


async def test_with_turns_kept_elsewhere_every_write_is_taken(url: str) -> None:
    async with running(url) as plugin:
        await plugin.store().save_thread(thread(), ANN)
        await plugin.store().add_thread_item("thr_1", item("old"), ANN)
        await all_write(plugin.store(), at(1))


# Two servers at once


async def test_changes_of_a_thread_from_two_servers_are_all_kept(url: str) -> None:
    def count(stored: ThreadMetadata) -> ThreadMetadata:
        times = stored.metadata.get("times", 0) + 1
        return stored.model_copy(update={"metadata": {"times": times}})

    async with running(url) as one, running(url) as other:
        await one.store().save_thread(thread(), ANN)
        stores = cast(list[AtomicThreads], [one.store(), other.store()] * 10)
        await asyncio.gather(*(store.change_thread("thr_1", count, ANN) for store in stores))
        assert (await one.store().load_thread("thr_1", ANN)).metadata == {"times": 20}


async def _waits(task: asyncio.Future[Any], url: str) -> None:
    """Return when the task waits for a lock of another connection."""
    if url.startswith("sqlite"):
        # it waits in a thread of its own, and cannot be asked
        await asyncio.sleep(0.05)
    else:
        while not task.done() and not await query("SELECT 1 FROM pg_locks WHERE NOT granted"):
            pass
    assert not task.done()


async def test_a_write_waits_for_whoever_takes_the_turn_over(url: str) -> None:
    async with served(url) as (slow, _), served(url) as (store, turns):
        await begin(store, turns)
        before = await rows()
        for attempt, write in enumerate(WRITES.values(), 1):
            async with in_transaction():
                assert await turns.take_over("turn_1", attempt, -60)
                late = asyncio.ensure_future(write(slow, at(attempt)))
                await _waits(late, url)
            with pytest.raises(TakenOver):
                await late
        assert await rows() == before


async def test_whoever_takes_a_turn_over_waits_for_its_writes(url: str) -> None:
    async with served(url) as (_, others), served(url) as (store, turns):
        await begin(store, turns)
        for attempt, write in enumerate(WRITES.values(), 1):
            async with in_transaction():
                await write(store, at(attempt))
                taking = asyncio.ensure_future(others.take_over("turn_1", attempt, -60))
                if url.startswith("sqlite"):
                    await _waits(taking, url)
                else:
                    assert not await taking, "somebody works at it"
            assert await taking or await others.take_over("turn_1", attempt, -60)
            with pytest.raises(TakenOver):
                await write(store, at(attempt))


async def test_servers_that_write_beat_and_delete_do_not_wait_in_a_circle(url: str) -> None:
    """Ten turns write into their threads, while their server beats and another deletes them."""
    async with served(url) as (other, _), served(url) as (store, turns):
        for number in range(10):
            await store.save_thread(thread(f"thr_{number}"), ANN)
            for old in range(3):
                await turns.begin(record(f"old_{number}_{old}", f"thr_{number}"))
                await turns.end(f"old_{number}_{old}", 1, "completed", None)
            await turns.begin(record(f"turn_{number}", f"thr_{number}"))
        over = asyncio.Event()

        async def work(number: int) -> str:
            context, thread_id = at(1, f"turn_{number}"), f"thr_{number}"
            try:
                for count in range(10_000):
                    await store.add_thread_item(thread_id, item(f"{count}", thread_id), context)
            except NotFoundError:
                return "gone"
            return "still there"

        async def beat() -> None:
            beats = [HeartbeatSignal(f"turn_{number}", 1, b'"said"') for number in range(10)]
            while not over.is_set():
                assert "lost" not in (await turns.beat(beats)).values()
                await turns.prune(-60)

        beating = asyncio.create_task(beat())
        workers = [asyncio.create_task(work(number)) for number in range(10)]
        for number in range(10):
            await asyncio.sleep(0.02)
            await other.delete_thread(f"thr_{number}", ANN)
        assert await asyncio.gather(*workers) == ["gone"] * 10
        over.set()
        await beating
        assert await rows() == [[], [], []]


# Deleting


async def test_a_thread_takes_the_records_of_its_turns_along(url: str) -> None:
    async with served(url) as (store, turns):
        await turns.begin(record("turn_ended", partial=b'"said"'))
        await turns.end("turn_ended", 1, "completed", None)
        await turns.begin(record("turn_2", "thr_2", partial=b'"said"'))
        await turns.begin(record("turn_bob", user=BOB.user, partial=b'"said"'))
        await begin(store, turns)
        await store.delete_thread("thr_1", ANN)
        assert await turns.find("turn_ended", ANN.user) is None
        assert await turns.find("turn_1", ANN.user) == record()
        for other in (record("turn_2", "thr_2"), record("turn_bob", user=BOB.user)):
            found = await turns.find(other.id, other.user)
            assert found is not None
            assert found.partial == b'"said"'


async def test_a_turn_whose_thread_was_deleted_is_told_to_end_and_brings_nothing_back(
    url: str,
) -> None:
    async with served(url) as (store, turns):
        await begin(store, turns)
        await store.delete_thread("thr_1", ANN)
        assert await turns.beat([HeartbeatSignal("turn_1", 1, b'"said"')]) == {"turn_1": "deleted"}
        assert await turns.find("turn_1", ANN.user) == record()
        for write in WRITES.values():
            with pytest.raises(NotFoundError):
                await write(store, at(1))
        assert await rows() == [[], [], []]
        assert await turns.end("turn_1", 1, "failed", None, b'"said"')
        ended = await turns.find("turn_1", ANN.user)
        assert ended is None or ended.partial is None, "nothing of it is kept"


async def test_a_thread_that_cannot_be_deleted_keeps_its_turns(url: str) -> None:
    async with served(url) as (store, turns):
        await turns.begin(record(partial=b'"said"'))
        for context, name in ((ANN, "thr_1"), (BOB, "thr_1"), (ANN, "nul\0")):
            with pytest.raises(NotFoundError):
                await store.delete_thread(name, context)
        assert await turns.running("thr_1", ANN.user) == record(partial=b'"said"')
        assert await turns.beat([HeartbeatSignal("turn_1", 1)]) == {"turn_1": "go on"}


async def test_a_deletion_takes_part_in_the_transaction_it_is_called_in(url: str) -> None:
    async with served(url) as (store, turns):
        await begin(store, turns)
        async with in_transaction() as transaction:
            await store.delete_thread("thr_1", ANN)
            assert await store.load_threads(9, None, "asc", ANN) is not None
            await transaction.rollback()
        assert await store.load_thread("thr_1", ANN) == thread()
        assert await turns.running("thr_1", ANN.user) == record(partial=b'"said"')


async def test_a_deletion_in_a_database_that_is_locked_is_unavailable(tmp_path: Path) -> None:
    url = f"{new_url('sqlite', tmp_path)}?busy_timeout=50"
    async with served(url) as (store, _), served(url) as (other, turns):
        await begin(other, turns)
        async with in_transaction():
            await query("DELETE FROM chatkit_item")
            with pytest.raises(Unavailable):
                await store.delete_thread("thr_1", ANN)
        await store.delete_thread("thr_1", ANN)


# What is kept


async def test_words_that_a_database_cannot_hold_do_not_stop_a_turn(url: str) -> None:
    async with served(url) as (_, turns):
        odd = record(model="nul\0 half \ud83e")
        assert await turns.begin(odd) is None
        assert await turns.end("turn_1", 1, "failed", "nul\0 half \ud83e")
        found = await turns.find("turn_1", ANN.user)
        assert found is not None
        assert (found.model, found.error) == ("nul? half ?", "nul? half ?")
        with pytest.raises(BadRequest):
            await turns.begin(record("turn_2", user=User("nul\0")))


async def test_turns_outlive_the_server(url: str) -> None:
    async with served(url) as (_, turns):
        await turns.begin(record(request="key:1"))
        await turns.beat([HeartbeatSignal("turn_1", 1, b'"said"')])
    async with served(url) as (_, turns):
        assert await turns.stale(-60) == [record(request="key:1", partial=b'"said"')]


async def grow_old(seconds: float) -> None:
    """Make every turn look as if it sent no heartbeat for so long."""
    await query(f"UPDATE chatkit_turn SET beaten = beaten - {seconds}")


def expect_no_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a connection to PostgreSQL that is lost count at once."""
    for name in ("STALE", "TAKE_OVER"):
        statement = getattr(turn_sql, name)
        changed = statement.replace(f"- {sql.MISSED_BEATS}", "- 0")
        assert changed != statement
        monkeypatch.setattr(turn_sql, name, changed)


async def test_a_turn_is_stale_as_soon_as_its_server_is_gone(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if url.startswith("postgresql"):
        expect_no_beats(monkeypatch)
    async with served(url) as (_, turns):
        await turns.begin(record())
        await turns.begin(record("turn_2", "thr_2"))
        async with served(url) as (_, others):
            assert await others.stale(60) == []
            assert not await others.take_over("turn_1", 1, 60)
            assert await others.take_over("turn_2", 1, -60)
            assert await turns.stale(60) == []
    async with served(url) as (_, turns):
        assert {one.id for one in await turns.stale(60)} == {"turn_1", "turn_2"}
        assert await turns.take_over("turn_1", 1, 60)
        assert not await turns.take_over("turn_1", 2, 60), "that was a heartbeat"
        assert await turns.take_over("turn_2", 2, 60)
        assert await turns.beat([HeartbeatSignal("turn_1", 1)]) == {"turn_1": "lost"}
        async with served(url) as (_, others):
            assert await others.stale(60) == []


async def test_a_replica_sees_that_another_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    expect_no_beats(monkeypatch)
    url = new_url("postgresql", Path())
    async with served(url) as (_, alive):
        async with served(url) as (_, dead):
            await dead.begin(record())
            await alive.begin(record("turn_2", "thr_2"))
            assert await alive.stale(60) == []
        assert [one.id for one in await alive.stale(60)] == ["turn_1"]
        await alive.beat([HeartbeatSignal("turn_1", 1)])
        assert await alive.stale(60) == []


async def test_a_connection_may_be_lost_between_signs_of_life() -> None:
    url = new_url("postgresql", Path())
    async with served(url) as (_, alive):
        async with served(url) as (_, dead):
            await dead.begin(record())
        assert await alive.stale(60) == []
        assert not await alive.take_over("turn_1", 1, 60)


async def test_after_a_restart_of_postgresql_all_connections_are_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expect_no_beats(monkeypatch)
    url = new_url("postgresql", Path())
    async with served(url) as (_, alive):
        async with served(url) as (_, dead):
            await dead.begin(record())
        uptime = "clock_timestamp() - pg_postmaster_start_time()"
        [row] = await query(f"SELECT CAST(date_part('epoch', {uptime}) AS float) AS seconds")
        await grow_old(row["seconds"] + 1)
        assert await alive.stale(row["seconds"] + 1000) == []


async def test_one_server_at_a_time_is_alone_with_a_file(tmp_path: Path) -> None:
    file = tmp_path / "chatkit.db"
    for _ in range(2):
        begun = time.time()
        with present(file) as first, present(file) as second:
            assert first is not None
            assert begun <= first <= time.time()
            assert second is None
            with present(file) as third:
                assert third is None
    with present(file) as first:
        with present(file):
            pass
        with present(file) as second:
            assert second is None


async def test_a_server_that_cannot_be_seen_does_not_start(tmp_path: Path) -> None:
    file = tmp_path / "chatkit.db"
    # root may read all files; nobody can open a folder as one
    (tmp_path / "chatkit.db-lock").mkdir()
    told = r"cannot open .*chatkit\.db-lock: .* must be able"
    with pytest.raises(SettingsError, match=told), present(file):
        pass


async def test_the_time_is_in_seconds_and_the_same_for_all(url: str) -> None:
    async with served(url) as (_, one), served(url) as (_, two):
        await one.begin(record("turn_1"))
        await two.begin(record("turn_2", "thr_2"))
        now = sql.NOW if not url.startswith("sqlite") else sql.for_sqlite(sql.NOW)
        found = await query(f"SELECT {now} - beaten AS age, beaten FROM chatkit_turn")
        assert all(-0.01 < row["age"] < 60 for row in found)
        assert all(1.7e9 < row["beaten"] < 1e10 for row in found)


_FILL = f"""
INSERT INTO chatkit_turn (tenant, user_id, id, thread_id, operation, model, request, attempt, state,
    cancel, thread_deleted, beaten, ended)
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000)
SELECT 'acme', 'user ' || n % 100, 'turn ' || n, 'thr ' || n, 'o', 'm', 'key ' || n, 1, 'completed',
    false, false, 0, {sql.NOW} + n FROM numbers
"""
_PLANS: dict[str, tuple[list[Any], str]] = {
    turn_sql.FIND: (["acme", "user 1", "turn 1"], "autoindex_chatkit_turn_1|id"),
    turn_sql.RUNNING: (["acme", "user 1", "thr 1"], "chatkit_turn_(running|of_thread)"),
    turn_sql.ASKED: (["acme", "user 1", "key 1", 60.0], "chatkit_turn_of_request"),
    turn_sql.STALE: ([8.0], "chatkit_turn_ended"),
    turn_sql.PRUNE: ([600.0], "chatkit_turn_ended"),
}


async def test_every_look_is_by_an_index(url: str) -> None:
    async with served(url):
        is_sqlite = url.startswith("sqlite")
        explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
        await query(sql.for_sqlite(_FILL) if is_sqlite else _FILL)
        await query("ANALYZE")
        for statement, (values, index) in _PLANS.items():
            if is_sqlite:
                statement = sql.for_sqlite(statement)
            found = await query(f"{explain} {statement}", *values)
            plan = "\n".join(row.get("detail") or row["QUERY PLAN"] for row in found)
            assert re.search(index, plan), plan
            assert "Seq Scan" not in plan, plan
