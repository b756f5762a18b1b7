"""The thread of SQLite: what is asked at once is done at once, each statement on its own."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from chatkit_plugins.tortoise_store.sqlite import SqliteThread, connect
from tortoise.transactions import in_transaction

from tests.stores import ANN, opened, query, thread

_PRAGMAS = {"busy_timeout": 100, "journal_mode": "WAL", "synchronous": "NORMAL"}


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[SqliteThread]:
    """Open a file with a table `t` of one column, of unique values."""
    connection = connect(folder / "test.db", _PRAGMAS)
    sqlite = SqliteThread(connection, asyncio.Lock(), 60, 60)
    await sqlite.rows("CREATE TABLE t (n INTEGER UNIQUE)", ())
    try:
        yield sqlite
    finally:
        await sqlite.close()
        connection.close()


async def numbers(sqlite: SqliteThread) -> list[int]:
    """Return what is in the table, in the order in which it came."""
    return [row["n"] for row in await sqlite.rows("SELECT n FROM t ORDER BY rowid", ())]


async def insert(sqlite: SqliteThread, number: int) -> int:
    """Insert a number and return it."""
    (row,) = await sqlite.rows("INSERT INTO t VALUES (?1) RETURNING n", (number,))
    returned: int = row["n"]
    return returned


async def test_what_is_asked_at_once_goes_to_the_thread_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(tmp_path) as sqlite:
        loop = asyncio.get_running_loop()
        ways_back: list[Any] = []
        threadsafe = loop.call_soon_threadsafe

        def counted(*arguments: Any) -> asyncio.Handle:
            ways_back.append(arguments)
            return threadsafe(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(loop, "call_soon_threadsafe", counted)
            inserted = await asyncio.gather(*(insert(sqlite, n) for n in range(50)))
        assert inserted == list(range(50))
        assert len(ways_back) == 1
        assert await numbers(sqlite) == inserted


async def test_a_statement_that_fails_fails_alone(tmp_path: Path) -> None:
    async with connected(tmp_path) as sqlite:
        asked = (insert(sqlite, number) for number in (1, 2, 1, 3))
        one, two, again, three = await asyncio.gather(*asked, return_exceptions=True)
        assert (one, two, three) == (1, 2, 3)
        assert isinstance(again, sqlite3.IntegrityError)
        assert await numbers(sqlite) == [1, 2, 3]


async def test_a_caller_that_goes_takes_nobody_along(tmp_path: Path) -> None:
    async with connected(tmp_path) as sqlite:
        for first in range(0, 60, 3):
            calls = [asyncio.create_task(insert(sqlite, first + n)) for n in range(3)]
            for _ in range(first % 5):
                await asyncio.sleep(0)
            calls[0].cancel()
            assert (await asyncio.gather(*calls, return_exceptions=True))[1:] == [
                first + 1,
                first + 2,
            ]
        found = await numbers(sqlite)
        assert len(found) == len(set(found)) >= 40


async def test_what_was_asked_before_the_end_is_done(tmp_path: Path) -> None:
    async with connected(tmp_path) as sqlite:
        calls = [asyncio.create_task(insert(sqlite, number)) for number in range(10)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*calls) == list(range(10))


async def test_it_is_set_up_as_the_settings_say(tmp_path: Path) -> None:
    async with connected(tmp_path) as sqlite:
        found = [await sqlite.rows(f"PRAGMA {name}", ()) for name in _PRAGMAS]
        assert [tuple(row) for (row,) in found] == [(100,), ("wal",), (1,)]


def test_a_new_file_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    # Without waiting for each other, about one in fifty of these files is refused to somebody
    for number in range(60):
        problems: list[Exception] = []
        together = threading.Barrier(4)

        def opened_with_others(
            file: Path = tmp_path / f"{number}.db",
            problems: list[Exception] = problems,
            together: threading.Barrier = together,
        ) -> None:
            together.wait()
            try:
                connect(file, {**_PRAGMAS, "busy_timeout": 10_000}).close()
            except Exception as error:
                problems.append(error)

        threads = [threading.Thread(target=opened_with_others) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert problems == []


def test_a_file_that_stays_locked_is_told_of(tmp_path: Path) -> None:
    holder = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        connect(tmp_path / "test.db", {**_PRAGMAS, "busy_timeout": 50})
    holder.close()


async def test_a_transaction_that_reads_first_is_not_cut_off(tmp_path: Path) -> None:
    async with opened(f"sqlite://{tmp_path}/chatkit.db") as store:
        others = copy_context()
        async with in_transaction():
            assert await query("SELECT count(*) AS n FROM chatkit_thread") == [{"n": 0}]
            saving = asyncio.create_task(store.save_thread(thread(), ANN), context=others)
            await asyncio.sleep(0.05)
            assert not saving.done()
            await query("DELETE FROM chatkit_thread")
        await saving
        assert await store.load_thread("thr_1", ANN) == thread()
