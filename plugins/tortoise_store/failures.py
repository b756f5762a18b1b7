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


def cause(error: BaseException) -> BaseException:
    """Return the driver's exception, if Tortoise wrapped it."""
    if isinstance(error, _TORTOISE) and error.args and isinstance(error.args[0], Exception):
        return error.args[0]
    return error


def words(error: BaseException) -> str:
    """Return what the log says of an error: its class and its message, in one line."""
    error = cause(error)
    message = " ".join(str(error).split())
    if isinstance(error, TimeoutError) and message:
        return message
    shown = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return shown + next(
        (f" ({hint})" for name, hint in _HINTS.items() if _is_named(error, name)), ""
    )


_UNPREPARED = (
    "a pooler gave the connection another session: add `pgbouncer=true` to the URL, so that "
    "statements are not prepared"
)

# By name, because SQLite needs no asyncpg
_HINTS = {
    "ReadOnlySQLTransactionError": "connections to it are replaced: is it a standby now, or is "
    "`default_transaction_read_only` on?",
    "DuplicatePreparedStatementError": _UNPREPARED,
    "InvalidSQLStatementNameError": _UNPREPARED,
    "TooManyConnectionsError": "lower pool_size, or let the server have more connections",
    "UndefinedTableError": "run `chatkit-server migrate`",
}


def _is_named(error: BaseException, name: str) -> bool:
    return any(kind.__name__ == name for kind in type(error).__mro__)


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
            asyncpg.InternalClientError,
            asyncpg.PostgresConnectionError,
            asyncpg.OperatorInterventionError,
            asyncpg.InsufficientResourcesError,
            asyncpg.LockNotAvailableError,
            asyncpg.PostgresSystemError,
            asyncpg.InternalServerError,
            asyncpg.TransactionRollbackError,
            asyncpg.InvalidTransactionStateError,
            asyncpg.FeatureNotSupportedError,
            # The settings, the password or the tables were changed under the running server
            asyncpg.InvalidAuthorizationSpecificationError,
            asyncpg.InvalidCatalogNameError,
            asyncpg.InvalidSchemaNameError,
            asyncpg.InsufficientPrivilegeError,
            asyncpg.UndefinedTableError,
            # A pooler between here and the server, unknown when the pool was opened
            asyncpg.DuplicatePreparedStatementError,
            asyncpg.InvalidSQLStatementNameError,
        ),
        user=(asyncpg.InvalidPasswordError,),
        database=(orm.DBConnectionError, asyncpg.InvalidCatalogNameError),
    )
