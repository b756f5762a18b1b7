"""A database URL becomes what Tortoise connects with."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

MEMORY_TYPE = ":memory:"

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SQLITE_PRAGMAS = ("busy_timeout", "cache_size", "mmap_size", "synchronous")

# What libpq knows and asyncpg has no use for. It has no channel binding, so that
# `channel_binding=require`, which Neon writes into every URL, cannot be kept.
_DROPPED = {
    "channel_binding",
    "client_encoding",
    "gssencmode",
    "load_balance_hosts",
    "requirepeer",
    "sslcompression",
    "sslsni",
    "target_session_attrs",
}

# An idle connection is given back after this many seconds. Serverless PostgreSQL suspends after
# a minute without connections at the earliest, and closes those that it finds open.
_IDLE = 60.0

_NO_PRAGMAS = ("file_path", "acquire_timeout", "statement_timeout")

# Milliseconds for which the migrations of a server wait for those of another one
_MIGRATION_LOCK = 60_000


SQLITE = f"{__package__}.sqlite_client"
POSTGRESQL = f"{__package__}.postgres_client"


@dataclass(frozen=True)
class Limits:
    """How many connections there may be to PostgreSQL, and how long to wait for what, in seconds:
    to connect, for a free connection, and for a statement, the locks that it waits for included."""

    pool_size: int = 10
    connect: float = 10.0
    acquire: float = 5.0
    statement: float = 8.0


@dataclass(frozen=True)
class Address:
    """Where a database is. `name` says it in messages, without the password."""

    engine: str
    name: str
    credentials: dict[str, Any] = field(repr=False)

    @property
    def is_sqlite(self) -> bool:
        return self.engine == SQLITE

    @property
    def connection(self) -> str:
        """The name of the connection, in Tortoise's configuration.

        Tortoise keeps the SQL of a model by this name for as long as the process lives, so it
        must differ between kinds of databases.
        """
        return "sqlite" if self.is_sqlite else "postgresql"

    @property
    def pragmas(self) -> dict[str, Any]:
        """What a connection to SQLite is set up with, in this order."""
        return {key: value for key, value in self.credentials.items() if key not in _NO_PRAGMAS}

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database; None for one in memory, and for PostgreSQL."""
        path = self.credentials.get("file_path", MEMORY_TYPE)
        return None if path == MEMORY_TYPE else Path(path)

    @property
    def unlimited(self) -> Address:
        """The same database, with statements that take as long as they need: for migrations."""
        changes: dict[str, Any]
        if self.is_sqlite:
            changes = {"statement_timeout": float("inf"), "busy_timeout": _MIGRATION_LOCK}
        else:
            changes = {"command_timeout": None}
        return replace(self, credentials={**self.credentials, **changes})


def parse(url: str, limits: Limits) -> Address:
    """Read a database URL; a relative SQLite path is relative to the working directory.

    A `connect_timeout` or `busy_timeout` in the URL overrides the limit. Raises `ValueError` with
    what to change, and without the password.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite":
        return _sqlite(rest, limits)
    if separator and scheme in ("postgresql", "postgres"):
        return _postgresql(url, limits)
    raise ValueError(
        "expected a database URL that begins with sqlite:// or postgresql://, such as "
        "sqlite://chatkit.db or postgresql://user:password@host/database"
    )


def _sqlite(rest: str, limits: Limits) -> Address:
    path, _, query = rest.partition("?")
    if not path:
        raise ValueError("the URL names no file: write sqlite://chatkit.db or sqlite://:memory:")
    pragmas = dict(parse_qsl(query))
    if unknown := sorted(pragmas.keys() - set(_SQLITE_PRAGMAS)):
        known = ", ".join(_SQLITE_PRAGMAS)
        raise ValueError(f"unknown parameter {unknown[0]!r} in the SQLite URL; known: {known}")
    if path != MEMORY_TYPE:
        path = str(Path(path).expanduser().absolute())
    credentials = {
        "file_path": path,
        "acquire_timeout": limits.acquire,
        "statement_timeout": limits.statement,
        # First, because the pragmas after it may have to wait for another process.
        "busy_timeout": int(limits.statement * 1000),
        "journal_mode": "WAL",
        # With WAL, what is committed outlives the process, also when it is killed. A crash of
        # the machine may lose the last moments; `?synchronous=FULL` keeps those too.
        "synchronous": "NORMAL",
        "foreign_keys": "ON",
        "journal_size_limit": 64 * 1024 * 1024,
        **pragmas,
    }
    return Address(SQLITE, f"SQLite {path}", credentials)


def _postgresql(url: str, limits: Limits) -> Address:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        port, parts = None, urlsplit("")
    if not parts.scheme or parts.fragment:
        raise ValueError(
            "this is not a PostgreSQL URL: expected postgresql://user:password@host:port/database "
            "with one host. In the user and the password, write special characters as codes: "
            "/ as %2F, : as %3A, ? as %3F, # as %23, [ as %5B, % as %25"
        )
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    host = query.pop("host", None) or (unquote(parts.hostname) if parts.hostname else None)
    user = query.pop("user", None) or (unquote(parts.username) if parts.username else None)
    password = query.pop("password", None) or (unquote(parts.password) if parts.password else None)
    database = query.pop("dbname", None) or unquote(parts.path.removeprefix("/")) or None
    given_port = query.pop("port", None)
    port = _number("port", given_port) if given_port else port or 5432
    timeout = query.pop("connect_timeout", None)
    credentials: dict[str, Any] = {
        "host": host,
        "port": port,
        "user": user,
        "password": password,
        "database": database,
        # None is held open: a pool that refills itself would keep a serverless database awake.
        "minsize": 0,
        "maxsize": limits.pool_size,
        "max_inactive_connection_lifetime": _IDLE,
        "timeout": (_number("connect_timeout", timeout) if timeout else 0) or limits.connect,
        "acquire_timeout": limits.acquire,
        # By the client's clock, because a PgBouncer refuses such settings of the session. It also
        # limits how long a cancelled statement may take to end
        "command_timeout": limits.statement,
        "keepalives": _keepalives(query, limits),
        **_encryption(query),
        **_statement_cache(host, query),
    }
    fallback = query.pop("fallback_application_name", "chatkit-server")
    # The rest are settings of the session (`options`, `search_path`, `statement_timeout`, ...).
    # The server refuses those it does not know.
    credentials["server_settings"] = {
        "application_name": fallback,
        **{key: value for key, value in query.items() if key not in _DROPPED},
    }
    name = f"PostgreSQL {host or 'localhost'}:{port}/{database or user or ''}"
    return Address(POSTGRESQL, name, credentials)


def _keepalives(query: dict[str, str], limits: Limits) -> dict[str, int] | None:
    """Take libpq's parameters of the socket out of the query, and return options of it.

    Without them, the system notices within seconds, not hours, that the other side is gone.
    """
    seconds = ceil(limits.statement)
    given = {
        "TCP_KEEPIDLE": _number("keepalives_idle", query.pop("keepalives_idle", "10")),
        "TCP_KEEPINTVL": _number("keepalives_interval", query.pop("keepalives_interval", "5")),
        "TCP_KEEPCNT": _number("keepalives_count", query.pop("keepalives_count", "3")),
        "TCP_USER_TIMEOUT": _number(
            "tcp_user_timeout", query.pop("tcp_user_timeout", f"{seconds}000")
        ),
    }
    if query.pop("keepalives", "1") == "0":
        return None
    return {name: value for name, value in given.items() if value}


def _encryption(query: dict[str, str]) -> dict[str, Any]:
    """Take the `ssl...` parameters out of the query and return what asyncpg takes for them."""
    mode = query.pop("sslmode", None)
    root, cert, key = (query.pop(name, None) for name in ("sslrootcert", "sslcert", "sslkey"))
    direct = query.pop("sslnegotiation", "postgres") == "direct"
    if unknown := sorted(name for name in query.keys() - _DROPPED if name.startswith("ssl")):
        raise ValueError(f"the parameter {unknown[0]!r} is not supported in a PostgreSQL URL")
    if mode is not None and mode not in _SSL_MODES:
        raise ValueError(f"sslmode must be one of {', '.join(_SSL_MODES)}, not {mode!r}")
    if mode == "require" and root:
        mode = "verify-ca"  # as libpq has it
    result: dict[str, Any] = {"direct_tls": True} if direct else {}
    if mode in ("verify-ca", "verify-full") or (mode == "require" and cert):
        result["ssl"] = _context(mode, root, cert, key)
    elif mode is not None:
        result["ssl"] = mode
    return result


def _context(mode: str, root: str | None, cert: str | None, key: str | None) -> ssl.SSLContext:
    """Return a context that checks the server's certificate against `root`, or the system's."""
    try:
        context = ssl.create_default_context(cafile=None if root in (None, "system") else root)
        context.check_hostname = mode == "verify-full"
        if mode == "require":
            context.verify_mode = ssl.CERT_NONE
        if cert:
            context.load_cert_chain(cert, key)
    except OSError as error:
        files = ", ".join(file for file in (root, cert, key) if file)
        raise ValueError(f"a certificate of the URL cannot be used ({files}): {error}") from None
    return context


def _statement_cache(host: str | None, query: dict[str, str]) -> Mapping[str, int]:
    """Return no cache behind a PgBouncer, which gives every transaction another connection.

    Neon's pooled hosts are named `...-pooler`; others write `pgbouncer=true`, as Prisma has it.
    """
    pooled = query.pop("pgbouncer", "") == "true"
    size = query.pop("statement_cache_size", None)
    if size is not None:
        return {"statement_cache_size": _number("statement_cache_size", size)}
    if pooled or (host or "").partition(".")[0].endswith("-pooler"):
        return {"statement_cache_size": 0}
    return {}


def _number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{name} must be a whole number in the database URL, not {text!r}")
    return int(text)
