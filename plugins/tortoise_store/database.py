"""The connection of one application to its database, and its Tortoise context."""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from tortoise import exceptions as orm
from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.context import TortoiseContext, set_global_context

from chatkit_server import SettingsError, Unavailable, words
from chatkit_server.storage import OutageLog

from . import apart, schema
from .failures import Kinds, cause, described, failures_of, kind_of
from .files import make_private, problem_of, wrong_place
from .guard import FileGuard, applied
from .opening import as_settings_errors, problem_with
from .schema import Apps
from .sql import TRY_WRITE, for_sqlite
from .sqlite import SqliteThread, connect
from .sqlite_statements import SqliteStatements
from .url import Address

log = logging.getLogger(__name__)

_LARGE = "-" * 65_536
"""What a disk must have room for before new turns begin on one that was full."""

Run = Callable[[str, Sequence[Any]], Awaitable[list[dict[str, Any]]]]


class _Answers:
    """Raises `Unavailable` where the database does not answer, and notes that it does elsewhere."""

    def __init__(self, outage: OutageLog, unavailable: Kinds) -> None:
        self.failed_at = -math.inf
        self._outage = outage
        self._unavailable = unavailable

    def __enter__(self) -> None:
        """Begin a block; there may be many at once."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None:
            self._outage.answered()
        elif isinstance(cause(error), self._unavailable):
            self.failed_at = time.monotonic()
            self._outage.failed(described(error), kind_of(error))
            raise Unavailable(
                words("The conversations are not available right now. Try again in a moment.")
            ) from error


class Database:
    """A database and its apps. A store can hold it before it is open.

    Once open, it is Tortoise's current database for all tasks that start later, such as request
    handlers. It is also the default for tasks without a current database, unless another
    application of the process opened one before.
    """

    def __init__(self, address: Address, min_free: int = 0) -> None:
        self.address = address
        self.guard = FileGuard(address.file, min_free) if address.file else None
        self._failures = failures_of(sqlite=address.is_sqlite)
        self._answers = _Answers(OutageLog(log, address.name), self._failures.unavailable)
        self._apps: Apps = {}
        self._context: TortoiseContext | None = None
        self._files: list[sqlite3.Connection] = []
        self._statements: SqliteStatements | None = None
        self._applied: list[tuple[str, str]] = []

    @property
    def failed_at(self) -> float:
        """The time, by the monotonic clock, when the database last did not answer."""
        return self._answers.failed_at

    def add(self, apps: Apps) -> None:
        """Add Tortoise apps, by label; call this before `open`."""
        place = {"default_connection": self.address.connection}
        self._apps = {**self._apps, **{label: {**app, **place} for label, app in apps.items()}}

    async def open(self) -> None:
        """Connect; raises `SettingsError` that says what to change."""
        if self.address.file and (problem := wrong_place(self.address.file)):
            raise SettingsError(problem_with(self.address, problem))
        self._context = context = TortoiseContext()
        context.__enter__()
        try:
            with as_settings_errors(lambda: self.address, self._failures):
                await self._examine()
                await self._open_file()
                await context.init(config=self._config())
                await self._client.execute_query("SELECT 1")
                if self._files:
                    self._statements = self._new_statements(*self._files)
            # Fails if another application of the process was first.
            with suppress(orm.ConfigurationError):
                set_global_context(context)
        except BaseException:
            await self.close()
            raise

    def check_file(self) -> None:
        """Raise `SettingsError` if SQLite cannot have its file there, before anything is opened."""
        if self.address.file and (problem := problem_of(self.address.file)):
            raise SettingsError(problem_with(self.address, problem))

    async def _examine(self) -> None:
        """Refuse a PostgreSQL that cannot be used."""
        if self.address.is_sqlite:
            return
        # It takes megabytes, which a server with SQLite does not need
        from .postgres_start import Unusable, examined

        try:
            self.address = await examined(self.address)
        except Unusable as error:
            raise SettingsError(problem_with(self.address, *error.args)) from error

    async def _open_file(self) -> None:
        """Open more connections to a SQLite file, for statements outside of transactions.

        This comes before Tortoise's connection: if a file cannot be opened, aiosqlite leaves a
        thread behind that prints a traceback when the process ends.
        """
        if self.address.file is not None:
            make_private(self.address.file)
            if self.guard is not None:
                self.guard.remember()
            for _ in range(3):
                file = await asyncio.to_thread(connect, self.address.file, self.address.pragmas)
                self._files.append(file)

    def _new_statements(
        self,
        short: sqlite3.Connection,
        queries: sqlite3.Connection,
        changes: sqlite3.Connection,
    ) -> SqliteStatements:
        client: Any = self._client
        credentials = self.address.credentials
        limits = credentials["acquire_timeout"], credentials["statement_timeout"]
        guard = client.guard = self.guard
        assert guard is not None
        # It notes the write-ahead log
        guard.problem()
        return SqliteStatements(
            short,
            SqliteThread(queries, asyncio.Lock(), *limits, guard.check),
            SqliteThread(changes, client.lock, *limits, guard.check),
            client.lock,
            guard,
        )

    async def close(self) -> None:
        """Close all connections."""
        context, self._context = self._context, None
        discard_log = await self._close_file()
        if context is None:
            return
        await context.close_connections()
        discard_log()
        # An application may clean up in another task than it started in.
        with suppress(ValueError):
            context.__exit__(None, None, None)

    async def _close_file(self) -> Callable[[], bool]:
        """Close the connections outside of Tortoise; return what to call when that one is closed.

        That returns whether the file is free. Where another file is at the path, SQLite leaves the
        log there, which would damage that one.
        """
        statements, self._statements = self._statements, None
        files, self._files = self._files, []
        if statements is not None:
            await statements.close()
        is_lost = self.guard is not None and self.guard.problem() is not None
        if is_lost and files:
            with suppress(sqlite3.Error):
                await asyncio.to_thread(files[0].execute, "PRAGMA wal_checkpoint(TRUNCATE)")
        for file in files:
            file.close()
        return self.guard.discard_log if is_lost and self.guard is not None else lambda: True

    async def migrate(self) -> list[str]:
        """Apply the pending migrations of all apps, and return their names."""
        with as_settings_errors(lambda: self.address, self._failures):
            # Most starts have nothing to do, and need no lock.
            if not await schema.pending(self._client, self._apps):
                return []
            if self.address.is_sqlite and self.address.file is None:
                return await schema.migrate(self._client, self._apps)
            async with self._unlimited() as database:
                return await schema.migrate(database._client, self._apps)

    def without_limits(self, *labels: str) -> Database:
        """Return the same database, whose statements may take as long as they need. Open it.

        `labels` are the apps to open; without any, all of them.
        """
        database = Database(self.address.unlimited)
        database._apps = {name: self._apps[name] for name in labels or self._apps}
        return database

    @asynccontextmanager
    async def _unlimited(self) -> AsyncIterator[Database]:
        """Connect once more, for statements that may take as long as they need."""
        database = self.without_limits()
        await database.open()
        try:
            yield database
        finally:
            await database.close()

    def for_check(self, seconds: float) -> Database:
        """Return the same database, to be connected with in so many seconds. Open it."""
        credentials = dict(self.address.credentials)
        if "timeout" in credentials:
            credentials["timeout"] = min(credentials["timeout"], seconds)
        database = Database(replace(self.address, credentials=credentials))
        database._apps = self._apps
        return database

    async def pending(self) -> list[str]:
        """Return the names of the migrations that it lacks. Raises `SettingsError`."""
        with as_settings_errors(lambda: self.address, self._failures):
            return await schema.pending(self._client, self._apps)

    async def refuse_if_pending(self) -> None:
        """Raise `SettingsError` if migrations are pending."""
        if names := await self.pending():
            raise SettingsError(
                f"{self.address.name} has pending migrations ({', '.join(names)}): run "
                "`chatkit-server migrate`, or set plugins.tortoise_store.auto_migrate to true"
            )

    async def rows(
        self,
        statement: str,
        values: Sequence[Any],
        most: int | None = None,
        *,
        is_long: bool = False,
    ) -> list[dict[str, Any]]:
        """Run a statement with parameters written `$1`, and return its rows.

        With `most`, SQLite may stop when their payloads have so many bytes, and one row later. What
        changes many rows, or searches for those to change, is `is_long`.
        Raises `Unavailable` if the database does not answer in time.
        """
        client = self._client
        with self._answers:
            if self._statements is None or isinstance(client, TransactionalDBClient):
                return await client.execute_query_dict(self._in_dialect(statement), list(values))
            rows = await self._statements.rows(
                self._in_dialect(statement), values, most, is_long=is_long
            )
            return list(map(dict, rows))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Run]:
        """Yield a function like `rows`, for statements in one transaction.

        The first statement must write: a SQLite transaction that starts with a read may fail.
        """

        async def run(statement: str, values: Sequence[Any]) -> list[dict[str, Any]]:
            return await client.execute_query_dict(self._in_dialect(statement), list(values))

        with self._answers:
            # Tortoise's `in_transaction` would use the current context, which may be another
            # application's
            async with self._client._in_transaction() as client:
                yield run

    def execute_apart(self, statement: str, values: Sequence[Any]) -> None:
        """Run a statement from a thread, whatever the event loop and its connections are at.

        Raises what the driver raises.
        """
        if self.guard is not None:
            self.guard.check()
        apart.execute(self.address, self._in_dialect(statement), values)

    async def try_write(self) -> None:
        """Write something small. Raises `Unavailable`, or what the driver raises."""
        # In the thread of SQLite, a disk that hangs holds nobody up, and then others do not try it
        await self.rows(TRY_WRITE, ("",), is_long=True)

    async def try_large_write(self) -> None:
        """Write as much as a message may have, and note whether SQLite's disk has room for it."""
        with suppress(Unavailable):
            await self.rows(TRY_WRITE, (_LARGE,))
            if self.guard is not None:
                self.guard.note_success()

    def require_room(self) -> None:
        """Raise `Unavailable` if the disk of a SQLite file is full."""
        if self.guard is not None:
            self.guard.check_room()

    def note_migrations(self) -> None:
        """Note which migrations are applied, for `reopen`."""
        self._applied = applied(self._files[0])

    async def reopen(self, lost: str) -> str | None:
        """Open the file that is at the path now; return why not, `lost` if there is no other one.

        It must be this server's database. Before, all connections to the file that was lost are
        closed, and its log is moved into it.
        """
        guard = self.guard
        assert guard is not None
        if self._files and guard.is_shorter() and guard.shrank(_size(self._files[0])):
            return None
        if not guard.may_reopen():
            return lost
        if unfit := await asyncio.to_thread(guard.unfit, self._applied):
            return unfit
        client: Any = self._client
        async with asyncio.timeout(client.acquire_timeout):
            await client.lock.acquire()
        try:
            guard.forget()
            await self._close_file()
            await client.close()
            if not guard.discard_log():
                return f"{lost}, and another process uses the old one"
            await self._open_again(client)
        finally:
            client.lock.release()
        log.warning("%s: %s. Opened what is there now", self.address.name, lost)
        return None

    async def _open_again(self, client: Any) -> None:
        try:
            await self._open_file()
            await client.create_connection(with_db=True)
            self._statements = self._new_statements(*self._files)
        except BaseException:
            await self._close_file()
            await client.close()
            if self.guard is not None:
                self.guard.forget()
            raise

    def _in_dialect(self, statement: str) -> str:
        return for_sqlite(statement) if self.address.is_sqlite else statement

    @property
    def _client(self) -> BaseDBAsyncClient:
        """The connection, or this task's Tortoise transaction."""
        if self._context is None:
            raise RuntimeError("the database is not open: the server is not running")
        return self._context.db()

    def _config(self) -> dict[str, Any]:
        connection = {"engine": self.address.engine, "credentials": self.address.credentials}
        return {"connections": {self.address.connection: connection}, "apps": self._apps}


def _size(connection: sqlite3.Connection) -> int:
    """Return the size of a database, in bytes."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages * page)
