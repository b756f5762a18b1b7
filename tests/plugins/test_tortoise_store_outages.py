"""PostgreSQL that falls silent, refuses, or is behind a pooler."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from chatkit_plugins.tortoise_store import Plugin
from chatkit_plugins.tortoise_store.failures import described

from chatkit_server import SettingsError, Unavailable
from tests.databases import QUOTED_PASSWORD, USER, Front, postgres
from tests.poolers import needs_pgbouncer, pgbouncer
from tests.ports import free_port
from tests.stores import ANN, running, thread

SHORT = {"acquire_timeout": "500ms", "statement_timeout": "800ms", "pool_size": 4}
"""A statement that waits for 0.2 s is looked into, for 0.3 s."""

SLEEP = "SELECT pg_sleep($1)"


async def load(plugin: Plugin, times: int = 1) -> None:
    """Load threads, with as many statements at the same time; raise the first error of them."""
    calls = (plugin.store().load_threads(1, None, "desc", ANN) for _ in range(times))
    for answer in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(answer, BaseException):
            raise answer


async def works(plugin: Plugin, times: int = 4, within: float = 5.0) -> None:
    """Wait until so many statements at the same time are answered again."""
    async with asyncio.timeout(within):
        while True:
            try:
                await load(plugin, times)
                return
            except Unavailable:
                await asyncio.sleep(0.02)


async def refused(url: str, **settings: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        async with running(url, **{**SHORT, **settings}):
            pass
    message = str(caught.value)
    assert "\n" not in message
    return message


@asynccontextmanager
async def behind_a_front(**settings: Any) -> AsyncIterator[tuple[Front, Plugin]]:
    async with Front(postgres().port) as front:
        url = postgres().new_url().replace(f":{postgres().port}/", f":{front.port}/")
        async with running(url, **{**SHORT, **settings}) as plugin:
            await load(plugin, 4)
            yield front, plugin


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the store logged at `warning`."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno == logging.WARNING and "tortoise_store" in record.name
    ]


async def test_a_silent_network(caplog: pytest.LogCaptureFixture) -> None:
    async with behind_a_front() as (front, plugin):
        await plugin.store().save_thread(thread(), ANN)
        for forget in (False, True):
            front.hold()
            calls = await asyncio.gather(*(load(plugin) for _ in range(9)), return_exceptions=True)
            assert {type(error) for error in calls} == {Unavailable}
            # It is known now, and nobody waits for a connection, whose error would be another
            with pytest.raises(Unavailable) as known:
                await plugin.store().delete_thread("thr_1", ANN)
            assert str(known.value.__cause__).endswith("nor to a new connection within 0.25 s")
            front.go_on(forget=forget)
            await works(plugin)
        # Told once: by what was looked into, or by who waited for a connection, whichever is first
        (line,) = told(caplog)
        assert line.partition(": ")[2] in (
            "no answer to a statement within 0.2 s, nor to a new connection within 0.25 s",
            "no free connection within 0.5 s: all 4 of pool_size are in use",
        )
        # All connections are silent, and a new one is not: only one statement has to wait
        front.hold()
        front.go_on(forget=True)
        with pytest.raises(Unavailable) as lost:
            await load(plugin)
        assert "the connection to it was lost" in str(lost.value.__cause__)
        await load(plugin, 4)

        async def cut() -> None:
            async with plugin._database.transaction() as run:
                await run("SELECT 1", ())
                front.hold()

        with pytest.raises(Unavailable):
            await cut()
        with pytest.raises(Unavailable):
            await plugin.store().delete_thread("thr_1", ANN)
        front.go_on()
        await works(plugin)
        assert await plugin.store().load_thread("thr_1", ANN)


async def test_a_lost_transaction_keeps_no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatkit_plugins.tortoise_store.postgres_client.ABANDONED", 0.2)
    async with behind_a_front() as (front, plugin):
        store = plugin.store()
        await store.save_thread(thread(), ANN)

        async def cut() -> None:
            async with plugin._database.transaction() as run:
                await run("DELETE FROM chatkit_thread", ())
                front.hold()

        with pytest.raises(Unavailable):
            await cut()
        front.go_on(forget=True)
        await works(plugin)
        await store.delete_thread(thread().id, ANN)


async def test_the_pool_closes_while_the_server_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatkit_plugins.tortoise_store.postgres_client._FAREWELL", 0.2)
    async with behind_a_front(statement_timeout="60s") as (front, plugin):
        front.hold()
        waiting = asyncio.create_task(load(plugin))
        await asyncio.sleep(0.05)
        started = time.monotonic()
        await plugin._database.close()
        assert time.monotonic() - started < 30
        with pytest.raises(Unavailable):
            await waiting


async def test_a_slow_statement_is_left_alone() -> None:
    async with running(postgres().new_url(), **SHORT) as plugin:
        await asyncio.gather(*(plugin._database.rows(SLEEP, (0.4,)) for _ in range(3)))
        async with plugin._database.transaction() as run:
            await run("SELECT 1", ())
            # Nothing is asked of the server, which says that the connection is idle
            await asyncio.sleep(0.4)
            await run(SLEEP, (0.3,))


async def test_the_system_looks_after_the_sockets() -> None:
    async with behind_a_front() as (_, plugin):
        client: Any = plugin._database._client
        connections = list(client._watch._connections)
        assert connections
        for connection in connections:
            tcp = connection._transport.get_extra_info("socket")
            assert tcp.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
            assert tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 1000


async def test_a_pool_that_is_in_use_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async with running(postgres().new_url(), **{**SHORT, "pool_size": 1}) as plugin:
        slow = asyncio.create_task(plugin._database.rows(SLEEP, (0.7,)))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await load(plugin)
        await slow
    assert told(caplog)[0].endswith("within 0.5 s: all 1 of pool_size are in use")


@pytest.mark.parametrize("busy", [False, True])
async def test_connections_that_are_terminated_are_replaced(busy: bool) -> None:
    async with running(postgres().new_url(), **SHORT) as plugin:
        await load(plugin, 4)
        waiting = [asyncio.create_task(plugin._database.rows(SLEEP, (5,))) for _ in range(3 * busy)]
        await asyncio.sleep(0.05)
        database = plugin._database.address.credentials["database"]
        postgres().psql(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity "
            f"WHERE datname = '{database}'"
        )
        failed = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(error) for error in failed} <= {Unavailable}
        await works(plugin, within=1)


async def test_a_primary_that_became_read_only_is_left(caplog: pytest.LogCaptureFixture) -> None:
    url = postgres().new_url()
    database = url.rpartition("/")[2]
    async with running(url, **SHORT) as plugin:
        await plugin.store().save_thread(thread(), ANN)
        client: Any = plugin._database._client
        for connection in list(client._watch._connections):
            await connection.execute("SET default_transaction_read_only = on")
        with pytest.raises(Unavailable):
            await plugin.store().save_thread(thread(), ANN)
        # The others went with it
        await asyncio.gather(*(plugin.store().save_thread(thread(), ANN) for _ in range(4)))
        assert "ReadOnlySQLTransactionError: cannot execute" in told(caplog)[0]
    postgres().psql(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    assert "set default_transaction_read_only to off" in await refused(url)


async def test_what_is_taken_away_while_it_runs_is_a_503(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatkit_server.records.REPEAT", 0.0)
    url = postgres().new_url()
    database = url.rpartition("/")[2]
    role = f"limited_{database}"
    postgres().psql(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'abc'")
    async with running(url.replace(f"{USER}:{QUOTED_PASSWORD}", f"{role}:abc"), **SHORT) as plugin:
        await load(plugin, 2)
        postgres().psql(f"ALTER ROLE {role} NOSUPERUSER CONNECTION LIMIT 1")
        for change, expected in (
            ("SELECT 1", "permission denied for table"),
            (f"ALTER ROLE {role} SUPERUSER PASSWORD 'other'", "password authentication failed"),
            (f"ALTER ROLE {role} NOLOGIN PASSWORD 'abc'", "is not permitted to log in"),
            (f"ALTER ROLE {role} LOGIN NOSUPERUSER CONNECTION LIMIT 0", "too many connections"),
        ):
            postgres().psql(change)
            caplog.clear()
            with pytest.raises(Unavailable):
                await load(plugin, 4)
            assert expected in told(caplog)[0]
            client: Any = plugin._database._client
            client._watch.drop_idle()
        postgres().psql(f"ALTER ROLE {role} SUPERUSER CONNECTION LIMIT -1")
        await works(plugin)


@needs_pgbouncer
@pytest.mark.parametrize("parameter", ["", "?pgbouncer=true"])
async def test_a_pooler_of_transactions(
    tmp_path: Path, parameter: str, caplog: pytest.LogCaptureFixture
) -> None:
    pool: dict[str, Any] = {"pool_mode": "transaction", "default_pool_size": 2}
    async with (
        pgbouncer(tmp_path, postgres().empty_url(), **pool) as url,
        running(url + parameter, pool_size=9) as plugin,
    ):
        saved = (plugin.store().save_thread(thread(f"thr_{i}"), ANN) for i in range(18))
        await asyncio.gather(*saved)
        await plugin.store().delete_thread("thr_1", ANN)
    assert [line.partition(": ")[2] for line in told(caplog)] == [
        "connections pass a pooler, so statements are not prepared. Add pgbouncer=true to "
        "plugins.tortoise_store.url, or statement_cache_size=100 if it pools sessions"
    ] * (not parameter)


@needs_pgbouncer
async def test_poolers_that_cannot_work(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    empty = postgres().empty_url()
    async with pgbouncer(tmp_path, empty, pool_mode="statement") as url:
        message = await refused(url)
        assert "transaction blocks not allowed in statement pooling mode" in message
        assert "`pool_mode = transaction`" in message
    async with pgbouncer(tmp_path, empty, pool_mode="transaction", behind=free_port()) as url:
        message = await refused(f"{url}?pgbouncer=true", connect_timeout="300ms")
        assert "is PostgreSQL running behind the pooler?" in message
    pool: dict[str, Any] = {"pool_mode": "session", "default_pool_size": 1}
    migrated = postgres().new_url()
    async with (
        pgbouncer(tmp_path, migrated, **pool) as url,
        running(f"{url}?pgbouncer=true", **SHORT) as plugin,
    ):
        slow = asyncio.create_task(plugin._database.rows(SLEEP, (5,)))
        await asyncio.sleep(0.05)
        with pytest.raises(Unavailable):
            await load(plugin)
        with pytest.raises(Unavailable):
            await slow
        assert "default_pool_size of PgBouncer" in told(caplog)[0]
        await works(plugin, times=1)


def _refusal(name: str, message: str) -> Exception:
    kind: type[Exception] = type(name, (Exception,), {})
    return kind(message)


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (
            _refusal("InternalServerError", "connection is insecure (try using `sslmode=require`)"),
            "sslmode=require to the URL",
        ),
        (
            _refusal(
                "InvalidAuthorizationSpecificationError",
                'no pg_hba.conf entry for host "h", no encryption',
            ),
            "sslmode=require to the URL",
        ),
        (
            _refusal("ProtocolViolationError", "no more connections allowed (max_client_conn)"),
            "lower pool_size",
        ),
        (
            _refusal("ConnectionDoesNotExistError", "closed: query_wait_timeout"),
            "default_pool_size",
        ),
        (
            _refusal("ProtocolViolationError", "unsupported startup parameter: x"),
            "ignore_startup_parameters",
        ),
        (
            _refusal("InvalidSQLStatementNameError", "prepared statement does not exist"),
            "pgbouncer=true",
        ),
        (
            _refusal(
                "ConnectionDoesNotExistError",
                "closed: server login has been failing (server_login_retry)",
            ),
            "behind the pooler is down",
        ),
    ],
)
def test_the_servers_words_come_with_what_to_do(error: Exception, hint: str) -> None:
    told_of_it = described(error)
    assert str(error) in told_of_it
    assert hint in told_of_it


@pytest.mark.parametrize(
    "error",
    [
        _refusal("InternalClientError", "cannot switch to state 12; another operation (2) is in"),
        ConnectionError("unexpected connection_lost() call"),
        _refusal("InterfaceError", "cannot call rollback(): the underlying connection is closed"),
    ],
)
def test_a_connection_that_was_closed_is_called_so(error: Exception) -> None:
    assert described(error).endswith(
        ": the server, or something before it, has closed the connection"
    )
