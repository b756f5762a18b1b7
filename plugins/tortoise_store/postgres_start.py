"""What is at the other end of a PostgreSQL URL, and whether conversations can be stored there."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import asyncpg

from .postgres_connection import connected
from .url import Address

log = logging.getLogger(__name__)

_STATE = """
SELECT pg_backend_pid() AS pid,
  pg_is_in_recovery() AS is_standby,
  current_setting('transaction_read_only') = 'on' AS is_read_only
"""


class Unusable(Exception):
    """The server answers, and cannot be used as it is; `args` say why, and what to do."""


async def examined(address: Address) -> Address:
    """Connect once, and return the address with what is needed for a pooler, if one is there.

    Raises `Unusable`, `TimeoutError`, and what asyncpg raises.
    """
    prepares = address.credentials.get("statement_cache_size")
    credentials = {**address.credentials, "statement_cache_size": 0}
    async with asyncio.timeout(credentials["timeout"]), connected(credentials) as connection:
        state = await connection.fetchrow(_STATE)
        if state["is_standby"]:
            raise Unusable(
                "it is a hot standby, which is read-only; use the address of the primary"
            )
        if state["is_read_only"]:
            raise Unusable(
                "its transactions are read-only; set default_transaction_read_only to off, in the "
                "server or with ALTER DATABASE or ALTER ROLE"
            )
        if state["pid"] == connection.get_server_pid():
            return address
        await _require_transactions(connection)
    if prepares is not None:
        return address
    log.warning(
        "%s: connections pass a pooler, so statements are not prepared. Add pgbouncer=true to "
        "plugins.tortoise_store.url, or statement_cache_size=100 if it pools sessions",
        address.name,
    )
    return replace(address, credentials=credentials)


async def _require_transactions(connection: asyncpg.Connection) -> None:
    try:
        await connection.execute("BEGIN")
        await connection.execute("ROLLBACK")
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unusable(
            f"the pooler allows no transactions ({' '.join(str(error).split())}); let it pool "
            "transactions or sessions (`pool_mode = transaction` of PgBouncer)"
        ) from error
