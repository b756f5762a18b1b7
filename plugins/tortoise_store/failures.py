"""What the databases' drivers raise."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from tortoise import exceptions as orm

Kinds = tuple[type[Exception], ...]

_TORTOISES = (orm.OperationalError, orm.IntegrityError)


@dataclass(frozen=True)
class Failures:
    """Exceptions by what they mean: `start` are those of opening, `reach` those while it runs.

    The latter say that the server is gone or full, or that the file was locked for too long.
    """

    start: Kinds
    reach: Kinds
    user: Kinds = ()
    database: Kinds = (orm.DBConnectionError,)


def failures_of(*, sqlite: bool) -> Failures:
    """Return what the driver of SQLite raises, or that of PostgreSQL."""
    if sqlite:
        return Failures(
            start=(OSError, sqlite3.Error, *_TORTOISES),
            reach=(OSError, sqlite3.OperationalError),
        )
    # It takes megabytes, which a server with SQLite does without
    import asyncpg

    return Failures(
        start=(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, *_TORTOISES),
        reach=(
            OSError,
            asyncpg.InterfaceError,
            asyncpg.PostgresConnectionError,
            asyncpg.OperatorInterventionError,
            asyncpg.InsufficientResourcesError,
        ),
        user=(asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError),
        database=(orm.DBConnectionError, asyncpg.InvalidCatalogNameError),
    )
