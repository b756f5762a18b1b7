"""The exceptions of the database drivers."""

from __future__ import annotations

import re
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
    wrapped = error.args[0] if isinstance(error, orm.BaseORMException) and error.args else None
    return wrapped if isinstance(wrapped, Exception) else error


def described(error: BaseException) -> str:
    """Return what an error says in one line, with the class that it has, and what to do."""
    error = cause(error)
    message = said(error)
    if isinstance(error, TimeoutError) and message:
        return message
    shown = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return with_hint(error, shown)


def kind_of(error: BaseException) -> str:
    """Return what errors of one cause have in common. Waits that were too long are all one."""
    error = cause(error)
    return TimeoutError.__name__ if isinstance(error, TimeoutError) else type(error).__name__


def said(error: BaseException) -> str:
    """Return the message of an error in one line, in plain words where asyncpg tells of itself."""
    message = " ".join(str(error).split())
    return _CLOSED if re.search(_OF_ASYNCPG, message) else message


_CLOSED = "the server, or something before it, has closed the connection"
_OF_ASYNCPG = (
    "unexpected connection_lost|cannot switch to state|underlying connection is closed|"
    "^connection is closed|connection was closed in the middle|released back to the pool"
)


def with_hint(error: BaseException, shown: str) -> str:
    """Add what to do to the words of an error, if that is known."""
    return f"{shown.rstrip('.')}: {hint}" if (hint := hint_for(error)) else shown


def hint_for(error: BaseException) -> str | None:
    """Return what to do about an error, None if that is not known."""
    told = " ".join([*(kind.__name__ for kind in type(error).__mro__), str(error)])
    return next((hint for pattern, hint in _HINTS if re.search(pattern, told)), None)


_HINTS = (
    (
        "ReadOnlySQLTransactionError",
        "it is a standby now, or default_transaction_read_only is on. Connections are replaced",
    ),
    (
        "DuplicatePreparedStatementError|InvalidSQLStatementNameError",
        "a pooler is in between. Add pgbouncer=true to the URL",
    ),
    (
        "TooManyConnectionsError|max_client_conn|MaxClients",
        "lower pool_size, or let the server or the pooler have more connections",
    ),
    (
        "query_wait_timeout",
        "the pooler has no connection to PostgreSQL left. Give it more (default_pool_size of "
        "PgBouncer), let it pool transactions, or lower pool_size",
    ),
    ("server_login_retry|cannot connect to server", "PostgreSQL behind the pooler is down"),
    ("no encryption|SSL required|is insecure", "add sslmode=require to the URL"),
    ("rejected SSL upgrade", "the server has no TLS. Turn it on there, or remove sslmode"),
    (
        "unsupported startup parameter",
        "the pooler refuses this parameter of the URL. Remove it, or add it to "
        "ignore_startup_parameters of PgBouncer",
    ),
    (
        "UndefinedTableError|no such table",
        "somebody has deleted the table. Restore a backup, or run `chatkit-server migrate` if the "
        "database is empty",
    ),
)
"""What to do, by a pattern of the classes and the message of an error."""


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
