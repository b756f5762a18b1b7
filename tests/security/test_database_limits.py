"""A lock, a slow statement or a full pool of one user: others get an answer, or a 503 in time."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from chatkit.types import ThreadMetadata
from chatkit_plugins.tortoise_store import Plugin
from tortoise.transactions import in_transaction

from chatkit_server import Unavailable
from tests.conftest import MakeChat
from tests.databases import DATABASES, new_url, postgres
from tests.stores import ANN, BOB, item, query, running, thread

SHORT = {"acquire_timeout": "500ms", "statement_timeout": "200ms"}

# On SQLite it must begin as a query does: nothing else is interrupted in the event loop
ENDLESS = {
    "sqlite": "SELECT count(*) AS n FROM "
    "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c)",
    "postgresql": "SELECT pg_sleep(3600)",
}


def kind(url: str) -> str:
    return url.partition("://")[0]


@asynccontextmanager
async def locked(url: str) -> AsyncIterator[None]:
    """Hold a lock that every write waits for, on a connection of another program."""
    if kind(url) == "sqlite":
        other = sqlite3.connect(url.removeprefix("sqlite://"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()
        return
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        for table in ("thread", "item", "attachment", "turn"):
            await connection.execute(f"LOCK TABLE chatkit_{table} IN EXCLUSIVE MODE")
        yield
    await connection.close()


def outages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in caplog.messages if "does not answer" in line]


async def works(plugin: Plugin) -> None:
    """Look that every connection reads and writes."""
    store = plugin.store()
    for number in range(12):
        await store.save_thread(thread(f"work_{number}"), BOB)
    reads = (store.load_thread(f"work_{number}", BOB) for number in range(12))
    assert len(await asyncio.gather(*reads)) == 12
    await store.delete_thread("work_11", BOB)


async def test_a_write_behind_a_lock_fails_in_time(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(url, **SHORT) as plugin:
        store = plugin.store()
        await store.save_thread(thread(), ANN)
        async with locked(url):
            writes = (
                store.add_thread_item("thr_1", item("a"), ANN),
                store.save_thread(thread(title="new"), ANN),
                store.delete_thread("thr_1", ANN),
            )
            for write in writes:
                with pytest.raises(Unavailable, match="Try again"):
                    await write
            # Readers need no lock
            assert await store.load_thread("thr_1", ANN) == thread()
            crowd = (store.save_thread(thread(f"thr_{n}"), BOB) for n in range(100))
            failed = await asyncio.gather(*crowd, return_exceptions=True)
            assert {type(error) for error in failed} == {Unavailable}
        assert len(outages(caplog)) == 1
        await works(plugin)


@pytest.mark.parametrize("database", DATABASES)
async def test_requests_behind_a_lock_are_a_503(
    database: Any, tmp_path: Path, make_chat: MakeChat
) -> None:
    url = new_url(database, tmp_path)
    chat = await make_chat(plugins={"tortoise_store": {"url": url, **SHORT}, "demo_model": None})
    said = await chat.say("Hello")
    async with locked(url):
        for body in (
            {"type": "threads.update", "params": {"thread_id": said.thread_id, "title": "new"}},
            {"type": "threads.delete", "params": {"thread_id": said.thread_id}},
        ):
            status, words = await chat.refused(body)
            assert status == 503
            assert "Try again" in words
    again = await chat.say("Hello", said.thread_id)
    assert again.error is None


async def test_a_slow_statement_is_ended_and_keeps_nobody_waiting(url: str) -> None:
    async with running(url, **SHORT) as plugin:
        await plugin.store().save_thread(thread(), ANN)
        database = plugin._database
        slow = [asyncio.create_task(database.rows(ENDLESS[kind(url)], ())) for _ in range(12)]
        await asyncio.sleep(0)
        answer: ThreadMetadata | Exception
        try:
            answer = await plugin.store().load_thread("thr_1", ANN)
        except Exception as error:
            answer = error
        assert isinstance(answer, Unavailable) or answer == thread()
        failed = await asyncio.gather(*slow, return_exceptions=True)
        assert {type(error) for error in failed} == {Unavailable}
        await works(plugin)


async def test_a_slow_statement_of_another_plugin_is_ended(url: str) -> None:
    async with running(url, **SHORT) as plugin:
        with pytest.raises(Exception, match=r"interrupted|no answer to a statement within"):
            await query(ENDLESS[kind(url)])
        with pytest.raises(Exception, match=r"interrupted|no answer to a statement within"):
            async with in_transaction():
                await query(ENDLESS[kind(url)])
        with pytest.raises(Unavailable):
            async with plugin._database.transaction() as run:
                await run(ENDLESS[kind(url)], ())
        await works(plugin)


async def test_a_transaction_that_stays_open_keeps_others_waiting_in_vain(url: str) -> None:
    async with running(url, pool_size=1, **SHORT) as plugin:
        store = plugin.store()
        await store.save_thread(thread(), ANN)
        over = asyncio.Event()
        held = asyncio.Event()

        async def hold() -> None:
            async with in_transaction():
                held.set()
                await over.wait()

        holding = asyncio.create_task(hold())
        await held.wait()
        saving = [store.save_thread(thread(), ANN) for _ in range(100)]
        loading = [store.load_thread("thr_1", ANN) for _ in range(100)]
        saved = await asyncio.gather(*saving, return_exceptions=True)
        loaded = await asyncio.gather(*loading, return_exceptions=True)
        assert {type(result) for result in saved} == {Unavailable}
        # SQLite's log can be read while somebody writes
        result = ThreadMetadata if kind(url) == "sqlite" else Unavailable
        assert {type(one) for one in loaded} == {result}
        with pytest.raises(Unavailable):
            await store.delete_thread("thr_1", ANN)
        with pytest.raises(TimeoutError):
            await query("SELECT 1")
        over.set()
        await holding
        await works(plugin)


async def test_a_client_that_leaves_at_any_moment_takes_no_connection_along(url: str) -> None:
    problems: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, problem: problems.append(problem))
    async with running(url, pool_size=1, **SHORT) as plugin:
        store = plugin.store()
        for steps in range(60):
            deleting = asyncio.create_task(store.delete_thread("thr_1", ANN))
            for _ in range(steps % 20):
                await asyncio.sleep(0)
            deleting.cancel()
            await asyncio.wait([deleting])
            await store.save_thread(thread(f"thr_{steps}"), ANN)
        await works(plugin)
    assert problems == []


async def test_a_transaction_that_cannot_begin_lets_others_go_on(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(url, pool_size=1, **SHORT) as plugin:
        with monkeypatch.context() as patch:
            client: Any = plugin._database._client
            wrapper = type(client._in_transaction())
            assert wrapper.__module__.startswith("chatkit_plugins")

            async def fails(_: Any) -> None:
                raise OSError("gone")

            inner = "client" if kind(url) == "postgresql" else "connection"
            patch.setattr(type(getattr(client._in_transaction(), inner)), "begin", fails)
            for _ in range(3):
                with pytest.raises(Unavailable):
                    await plugin.store().delete_thread("thr_1", ANN)
        await works(plugin)


async def test_a_migration_takes_as_long_as_it_needs() -> None:
    url = new_url("postgresql", Path())
    async with running(url, auto_migrate=True):
        pass
    await _forget_the_last_migrations(url)
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        await connection.execute("LOCK TABLE chatkit_turn IN EXCLUSIVE MODE")
        start = asyncio.create_task(_starts(url))
        while not start.done() and not await _waits(connection, "1 s"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert not start.done(), start.exception()
    await connection.close()
    await start


async def _waits(connection: Any, interval: str) -> bool:
    """Whether another connection to the database has waited for a lock for so long."""
    await connection.fetch("SELECT pg_stat_clear_snapshot()")
    statement = (
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        "AND datname = current_database() AND clock_timestamp() - query_start > $1::text::interval"
    )
    return bool(await connection.fetch(statement, interval))


async def _starts(url: str) -> None:
    async with running(url, **SHORT) as plugin:
        await works(plugin)


async def _forget_the_last_migrations(url: str) -> None:
    """Make the database one of an earlier version."""
    connection = await asyncpg.connect(url)
    await connection.execute("DROP TABLE chatkit_probe")
    await connection.execute("DROP INDEX chatkit_turn_asked")
    for column in ("backend", "content", "visited", "accepted"):
        await connection.execute(f"ALTER TABLE chatkit_turn DROP COLUMN {column}")
    await connection.execute("ALTER TABLE chatkit_feedback DROP COLUMN given")
    await connection.execute("DELETE FROM tortoise_migrations WHERE name > '0003'")
    await connection.close()


async def test_limits_of_the_session_in_the_url_are_an_outage_too() -> None:
    url = postgres().new_url() + "?lock_timeout=100"
    async with running(url) as plugin:
        await plugin.store().save_thread(thread(), ANN)
        async with locked(url.partition("?")[0]):
            with pytest.raises(Unavailable):
                await plugin.store().save_thread(thread(), ANN)
        await works(plugin)
