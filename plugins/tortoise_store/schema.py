"""Migrations: which are pending, and applying them, one server at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.recorder import MigrationRecorder
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.transactions import in_transaction

Apps = Mapping[str, Mapping[str, Any]]
"""Tortoise apps by label, as in Tortoise's own configuration."""

# Any number will do, if all servers take the same one and no other program does.
_LOCK = 0x63_68_61_74_6B_69_74

_TABLE = "tortoise_migrations"


class NewerDatabase(Exception):
    """The database has migrations that this program does not know; `args` are their names."""


async def pending(client: BaseDBAsyncClient, apps: Apps) -> list[str]:
    """Return the names of the migrations that the database lacks, in their order.

    Raises `NewerDatabase`. The Tortoise context of `client` must be the current one.
    """
    executor = _executor(client, apps)
    plan = await executor.plan()
    known = executor.loader.graph.nodes
    newer = [
        f"{key.app_label}.{key.name}"
        for key in sorted(executor.loader.applied_migrations - known.keys())
        if key.app_label in apps
    ]
    if newer:
        raise NewerDatabase(*newer)
    return [f"{step.migration.app_label}.{step.migration.name}" for step in plan]


async def migrate(client: BaseDBAsyncClient, apps: Apps) -> list[str]:
    """Apply what is pending, all or nothing, and return the names.

    A second server that does the same at the same time waits, and then finds nothing to do.
    Raises `NewerDatabase`. The Tortoise context of `client` must be the current one.
    """
    async with _alone(client) as transaction:
        names = await pending(transaction, apps)
        if names:
            await _executor(transaction, apps).migrate()
        return names


@asynccontextmanager
async def _alone(client: BaseDBAsyncClient) -> AsyncIterator[TransactionalDBClient]:
    """Open a transaction that only one server at a time can be in, with Tortoise's own table."""
    if client.capabilities.dialect == "sqlite":
        async with _alone_in_sqlite(client) as transaction:
            yield transaction
        return
    async with in_transaction(client.connection_name) as transaction:
        # Held until the end of the transaction, so that it works behind a PgBouncer too.
        await transaction.execute_query(f"SELECT pg_advisory_xact_lock({_LOCK})")
        await _make_table(transaction)
        yield transaction


@asynccontextmanager
async def _alone_in_sqlite(client: BaseDBAsyncClient) -> AsyncIterator[TransactionalDBClient]:
    # Tortoise changes a column by making the table anew. To drop the old one would, with foreign
    # keys on, delete all that refers to it. The pragma does nothing within a transaction.
    await client.execute_query("PRAGMA foreign_keys = OFF")
    try:
        await _make_table(client)
        async with in_transaction(client.connection_name) as transaction:
            # A transaction that begins by writing waits for its turn; one that turns from reading
            # to writing fails where another has written meanwhile.
            await transaction.execute_query(f"DELETE FROM {_TABLE} WHERE id IS NULL")
            yield transaction
            _, broken = await transaction.execute_query("PRAGMA foreign_key_check")
            if broken:
                tables = ", ".join(sorted({row["table"] for row in broken}))
                raise RuntimeError(f"the migrations would leave rows without parents in {tables}")
    finally:
        await client.execute_query("PRAGMA foreign_keys = ON")


async def _make_table(client: BaseDBAsyncClient) -> None:
    editor = MigrationExecutor(client, {})._schema_editor(atomic=False)
    await MigrationRecorder(client, table_name=_TABLE).ensure_schema(editor)


class _ReadyRecorder(MigrationRecorder):
    """A recorder that finds its table made: making it would commit a SQLite transaction."""

    async def ensure_schema(self, schema_editor: BaseSchemaEditor) -> None:
        pass


def _executor(client: BaseDBAsyncClient, apps: Apps) -> MigrationExecutor:
    executor = MigrationExecutor(client, {label: dict(app) for label, app in apps.items()})
    executor.recorder = executor.loader.recorder = _ReadyRecorder(client, table_name=_TABLE)
    return executor
