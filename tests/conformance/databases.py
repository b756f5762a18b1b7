"""The storage plugin on an empty database, without a new one for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from chatkit_plugins.tortoise_store import Plugin

from tests.databases import DatabaseKind, new_url
from tests.stores import query, running

_TABLES = "chatkit_thread, chatkit_item, chatkit_attachment, chatkit_turn"


@cache
def _postgres_url() -> str:
    return new_url("postgresql", Path())


@asynccontextmanager
async def emptied(kind: DatabaseKind, folder: Path) -> AsyncIterator[tuple[str, Plugin]]:
    """Open the plugin on a database without rows; give its URL, too.

    To make a database takes PostgreSQL longer than these tests.
    """
    url = _postgres_url() if kind == "postgresql" else new_url(kind, folder)
    async with running(url) as plugin:
        if kind == "postgresql":
            await query(f"TRUNCATE {_TABLES} CASCADE")
        yield url, plugin
