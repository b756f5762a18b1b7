"""A statement on a connection of its own, from a thread that has no event loop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any
from urllib.parse import quote

from .url import Address


def execute(address: Address, statement: str, values: Sequence[Any]) -> None:
    """Run a statement in the dialect of the database; blocks, and raises what the driver raises.

    Does nothing for a SQLite database in memory, which has one connection.
    """
    if not address.is_sqlite:
        asyncio.run(_execute(address.credentials, statement, values))
    elif address.file is not None:
        # Never make a file
        place = f"file:{quote(str(address.file))}?mode=rw"
        with closing(sqlite3.connect(place, uri=True, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {address.pragmas['busy_timeout']}")
            connection.execute(statement, values).fetchall()


async def _execute(credentials: dict[str, Any], statement: str, values: Sequence[Any]) -> None:
    # It takes megabytes, which a server with SQLite does not need
    from .postgres_connection import connected

    async with connected(credentials) as connection:
        await connection.fetch(statement, *values)
