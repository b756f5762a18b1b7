"""The exceptions of the database drivers."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from tortoise import exceptions as orm

Kinds = tuple[type[Exception], ...]

_TORTOISE = (orm.OperationalError, orm.IntegrityError)


@dataclass(frozen=True)
class Failures:
    """Exceptions by meaning: `start` are those of opening, `unavailable` those while it runs.

    `unavailable`: the server is gone or overloaded, or the file was locked for too long.
    """

    start: Kinds
    unavailable: Kinds
    user: Kinds = ()
    database: Kinds = (orm.DBConnectionError,)


def failures_of(*, sqlite: bool) -> Failures:
    """Return the exceptions of SQLite's driver, or of PostgreSQL's."""
    if sqlite:
        return Failures(
            start=(OSError, sqlite3.Error, *_TORTOISE),
            unavailable=(OSError, sqlite3.OperationalError),
        )
    # It takes megabytes, which a server with SQLite does not need
    import asyncpg

    return Failures(
        start=(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, *_TORTOISE),
        unavailable=(
            OSError,
            asyncpg.InterfaceError,
            asyncpg.PostgresConnectionError,
            asyncpg.OperatorInterventionError,
            asyncpg.InsufficientResourcesError,
            asyncpg.LockNotAvailableError,
        ),
        user=(asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError),
        database=(orm.DBConnectionError, asyncpg.InvalidCatalogNameError),
    )
