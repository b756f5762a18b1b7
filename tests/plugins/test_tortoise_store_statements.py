"""Statements on a SQLite file: short ones in the event loop, and nothing there that takes long."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from chatkit_plugins.tortoise_store.sqlite import SqliteThread, connect
from chatkit_plugins.tortoise_store.sqlite_statements import SqliteStatements

_PRAGMAS: dict[str, Any] = {"busy_timeout": 10_000, "journal_mode": "WAL", "synchronous": "NORMAL"}

INSERT = "INSERT INTO t (payload) VALUES (?1) RETURNING n"
COUNT = "SELECT count(*) AS n FROM t"
ENDLESS = (
    "SELECT max(n) AS n FROM "
    "(WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c)"
)


class Connected:
    """A file with a table `t`, and what runs statements on it."""

    def __init__(self, file: Path, pragmas: dict[str, Any], statement_timeout: float) -> None:
        self.file = file
        self.short, self.queries, self.changes = self.files = [
            connect(file, pragmas) for _ in range(3)
        ]
        self.short.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, payload TEXT)")
        self.lock = asyncio.Lock()
        queries = SqliteThread(self.queries, asyncio.Lock(), 60, statement_timeout)
        changes = SqliteThread(self.changes, self.lock, 60, statement_timeout)
        self.statements = SqliteStatements(self.short, queries, changes, self.lock)
        self.rows = self.statements.rows

    async def number(self, statement: str, *values: str) -> int:
        """Return what is in the column `n` of the only row."""
        (row,) = await self.rows(statement, values)
        found: int = row["n"]
        return found


@asynccontextmanager
async def connected(
    folder: Path, *, statement_timeout: float = 60, **pragmas: Any
) -> AsyncIterator[Connected]:
    """Open a file, and close it."""
    sqlite = Connected(folder / "test.db", {**_PRAGMAS, **pragmas}, statement_timeout)
    try:
        yield sqlite
    finally:
        await sqlite.statements.close()
        for file in sqlite.files:
            file.close()


@contextmanager
def ways_to_the_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Yield a list that grows whenever the thread has finished something."""
    ways: list[Any] = []
    loop = asyncio.get_running_loop()
    threadsafe = loop.call_soon_threadsafe

    def counted(*arguments: Any) -> asyncio.Handle:
        ways.append(arguments)
        return threadsafe(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "call_soon_threadsafe", counted)
        yield ways


async def until_the_loop_has_turned(times: int) -> None:
    """Let the event loop do what is ready, so many times."""
    for _ in range(times):
        await asyncio.sleep(0)


async def test_short_statements_do_not_go_to_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(tmp_path) as sqlite:
        with ways_to_the_thread(monkeypatch) as ways:
            for number in range(1, 100):
                assert await sqlite.number(INSERT, "short") == number
            assert await sqlite.number(COUNT) == 99
            page = await sqlite.rows("SELECT * FROM t", (), 100_000)
        assert len(page) == 99
        assert not ways


@pytest.mark.parametrize(
    ("statement", "values", "most"),
    [
        pytest.param(INSERT, ("x" * 200_000,), None, id="long parameter"),
        pytest.param("SELECT n, payload FROM many", (), 1_000_000, id="many rows"),
        pytest.param("SELECT count(*) AS n FROM many a, many b", (), None, id="long search"),
    ],
)
async def test_long_statements_go_to_the_thread(
    statement: str, values: Any, most: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(tmp_path) as sqlite:
        sqlite.changes.execute("CREATE TABLE many (n INTEGER PRIMARY KEY, payload TEXT)")
        rows = [("x" * 1000,)] * 900
        sqlite.changes.executemany("INSERT INTO many (payload) VALUES (?1)", rows)
        with ways_to_the_thread(monkeypatch) as ways:
            found = await sqlite.rows(statement, values, most)
        assert len(ways) == 1
        assert len(found) == (900 if most else 1)


async def test_a_statement_without_an_end_is_interrupted(tmp_path: Path) -> None:
    async with connected(tmp_path, statement_timeout=0.3) as sqlite:
        asked = asyncio.create_task(sqlite.rows(ENDLESS, ()))
        await until_the_loop_has_turned(100)
        assert not asked.done()
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            await asked
        assert await sqlite.number(COUNT) == 0


async def test_who_waits_for_a_lock_holds_nobody_up(tmp_path: Path) -> None:
    async with connected(tmp_path) as sqlite:
        other = sqlite3.connect(sqlite.file, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        turned = threading.Event()

        def release() -> bool:
            in_time = turned.wait(_PRAGMAS["busy_timeout"] / 1000 / 2)
            other.close()
            return in_time

        releasing = asyncio.create_task(asyncio.to_thread(release))
        waiting = [asyncio.create_task(sqlite.number(INSERT, "late")) for _ in range(3)]
        await until_the_loop_has_turned(100)
        assert await sqlite.number(COUNT) == 0
        assert await asyncio.gather(*(sqlite.number(COUNT) for _ in range(100))) == [0] * 100
        assert not any(task.done() for task in waiting)
        turned.set()
        assert await releasing
        assert await asyncio.gather(*waiting) == [1, 2, 3]


async def test_a_long_query_holds_no_change_up(tmp_path: Path) -> None:
    async with connected(tmp_path, statement_timeout=60) as sqlite:
        searching = asyncio.create_task(sqlite.rows(ENDLESS, ()))
        long = asyncio.gather(*(sqlite.number(INSERT, "x" * 200_000) for _ in range(3)))
        assert await long == [1, 2, 3]
        assert not searching.done()
        while not searching.done():
            sqlite.queries.interrupt()
            await asyncio.sleep(0)
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            await searching


async def test_a_lock_that_stays_is_told_of(tmp_path: Path) -> None:
    async with connected(tmp_path, busy_timeout=50) as sqlite:
        other = sqlite3.connect(sqlite.file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await sqlite.rows(INSERT, ("late",))
        other.close()
        assert await sqlite.number(INSERT, "again") == 1


async def test_statements_wait_for_a_transaction_of_the_process(tmp_path: Path) -> None:
    async with connected(tmp_path) as sqlite:
        async with sqlite.lock:
            asked = asyncio.create_task(sqlite.number(INSERT, "after it"))
            await until_the_loop_has_turned(100)
            assert not asked.done()
        assert await asked == 1


async def test_a_wrong_statement_fails_as_in_the_thread(tmp_path: Path) -> None:
    async with connected(tmp_path) as sqlite:
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            await sqlite.rows("SELECT * FROM missing", ())
        with pytest.raises(sqlite3.IntegrityError):
            await sqlite.rows("INSERT INTO t (n) VALUES (1), (1)", ())
        assert await sqlite.number(COUNT) == 0


async def test_many_at_once_let_the_loop_turn(tmp_path: Path) -> None:
    async with connected(tmp_path) as sqlite:
        asked = [asyncio.create_task(sqlite.number(INSERT, "one of many")) for _ in range(1000)]
        turns = 0
        while not all(task.done() for task in asked):
            await asyncio.sleep(0)
            turns += 1
        # All that is ready runs in one turn, if it may
        assert turns > 5
        assert sorted(task.result() for task in asked) == list(range(1, 1001))


@pytest.mark.parametrize("number", [1, 50])
async def test_what_was_asked_before_the_end_is_done(number: int, tmp_path: Path) -> None:
    async with connected(tmp_path) as sqlite:
        asked = [asyncio.create_task(sqlite.number(INSERT, "before")) for _ in range(number)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*asked) == list(range(1, number + 1))


async def test_a_slow_disk_is_left_to_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(tmp_path) as sqlite:
        sqlite.short.create_function("disk", 0, lambda: time.sleep(0.05))
        for number, way in enumerate((0, 1), 1):
            await sqlite.rows("SELECT disk()", ())
            with ways_to_the_thread(monkeypatch) as ways:
                assert await sqlite.number(INSERT, "after it") == number
            assert len(ways) == way


@pytest.mark.parametrize("pragmas", [{"synchronous": "FULL"}, {"journal_mode": "DELETE"}], ids=str)
async def test_commits_that_wait_for_the_disk_are_left_to_the_thread(
    pragmas: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(tmp_path, **pragmas) as sqlite:
        with ways_to_the_thread(monkeypatch) as ways:
            assert await sqlite.number(INSERT, "kept at once") == 1
        assert len(ways) == 1


async def test_the_write_ahead_log_does_not_grow_without_end(tmp_path: Path) -> None:
    async with connected(tmp_path) as sqlite:
        for _ in range(10):
            asked = (sqlite.number(INSERT, "x" * 3000) for _ in range(1000))
            await asyncio.gather(*asked)
        assert sqlite.file.stat().st_size > 20_000_000
        log = sqlite.file.with_name("test.db-wal")
        assert log.stat().st_size < 50_000_000
        assert await sqlite.number(COUNT) == 10_000
