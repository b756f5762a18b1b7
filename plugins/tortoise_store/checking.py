"""What `chatkit-server check` finds out about the database."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from chatkit_server import Finding, SettingsError

from .database import Database
from .failures import cause, hint_for, said

_CONNECT = 8.0
"""Seconds to connect: less than a check has, so that the reason is known."""

_CONNECTIONS = """
SELECT current_setting('max_connections')::int AS most,
  current_setting('superuser_reserved_connections')::int AS reserved
"""


_RIGHTS = """
SELECT current_user AS "user", current_schema() AS schema,
  coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create
"""


async def check_database(
    database: Database, *, online: bool, auto_migrate: bool
) -> AsyncIterator[Finding]:
    """Yield what was found; raises `SettingsError` for what keeps the server from starting.

    No table is made or changed, and no file is made.
    """
    database.check_file()
    if not online:
        return
    file = database.address.file
    if file is not None and not file.exists():
        yield _works(database, "the file is made when the server starts")
        return
    began = time.monotonic()
    opened = database.for_check(_CONNECT)
    await opened.open()
    try:
        took = time.monotonic() - began
        async for finding in _examined(opened, auto_migrate=auto_migrate, took=took):
            yield finding
    finally:
        await opened.close()


async def _examined(
    database: Database, *, auto_migrate: bool, took: float
) -> AsyncIterator[Finding]:
    pending = await database.pending()
    if pending and not auto_migrate:
        await database.refuse_if_pending()
    if pending:
        if not database.address.is_sqlite:
            await _refuse_without_rights(database, len(pending))
        yield _works(
            database,
            f"reached in {took:.1f} s; the server applies {len(pending)} pending migrations as it "
            "starts",
        )
    else:
        problem = await _write_problem(database)
        yield problem or _works(
            database, f"reached in {took:.1f} s, takes writes, its tables are up to date"
        )
    if not database.address.is_sqlite and (few := await _few_connections(database)):
        yield few


async def _refuse_without_rights(database: Database, pending: int) -> None:
    """Raise `SettingsError` if PostgreSQL's user may not make the tables that are missing."""
    [row] = await database.rows(_RIGHTS, ())
    if not row["may_create"]:
        user, schema = row["user"], row["schema"] or "public"
        raise SettingsError(
            f"cannot use {database.address.name}: {pending} migrations are pending, and the user "
            f"{user!r} may not make tables in the schema {schema}. Run GRANT CREATE, USAGE ON "
            f"SCHEMA {schema} TO {user}, or `chatkit-server migrate` as another user"
        )


async def _write_problem(database: Database) -> Finding | None:
    try:
        await database.try_write()
    except Exception as error:
        found = cause(error.__cause__ or error)
        hint = hint_for(found) or "Give the user the right to write, or the disk room"
        told = f"takes no writes: {type(found).__name__}: {said(found)}"
        return Finding(told, f"{hint[0].upper()}{hint[1:]}", "error", database.address.name)
    return None


async def _few_connections(database: Database) -> Finding | None:
    """Warn of a pool that is larger than what the server lets in."""
    credentials = database.address.credentials
    if credentials.get("statement_cache_size") == 0:
        # A pooler is in between, which has limits of its own
        return None
    [row] = await database.rows(_CONNECTIONS, ())
    size, most = credentials["maxsize"], row["most"] - row["reserved"]
    if size <= most:
        return None
    return Finding(
        f"pool_size is {size}, and the server takes {most} connections in all",
        "Lower plugins.tortoise_store.pool_size, or raise max_connections of PostgreSQL",
        "warning",
        database.address.name,
    )


def _works(database: Database, told: str) -> Finding:
    return Finding(told, "", "ok", database.address.name)
