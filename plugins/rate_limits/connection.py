"""A client for the URL of a Redis, and what is wrong with that URL in words.

It knows nothing of limits.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    ClusterCrossSlotError,
    ClusterDownError,
    ClusterError,
    InvalidResponse,
    MovedError,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

AWAY = (RedisError, OSError, TimeoutError)
"""What a client raises if Redis does not answer, or cannot do what it is asked."""

_SENTINEL = "+sentinel"

_SENTINEL_CLASS: Any = Sentinel  # it has no types

_SCHEMES = ("redis", "rediss", "unix", f"redis{_SENTINEL}", f"rediss{_SENTINEL}")

_EXAMPLES = (
    "redis://host:6379/0, rediss:// for TLS, unix:///path/of/the.sock, or "
    "redis+sentinel://host:26379,host:26379/name"
)


@dataclass(frozen=True)
class Address:
    """Where a Redis is: `name` is for the log, without the password.

    `sentinels` and `service` are those of a `redis+sentinel://` URL.
    """

    url: str
    name: str
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""


def parse(url: str) -> Address:
    """Read a URL. Raises `ValueError`, which does not quote the password."""
    scheme, found, rest = url.partition("://")
    if not found or scheme not in _SCHEMES:
        raise ValueError(f"expected the URL of a Redis: {_EXAMPLES}")
    where = rest.partition("?")[0].rpartition("@")[2]
    name = f"{scheme}://{where}"
    if scheme.endswith(_SENTINEL):
        hosts, _, service = where.partition("/")
        if not service:
            raise ValueError(f"the name of the service is missing: write {scheme}://{hosts}/NAME")
        address = Address(url, name, tuple(map(_host_and_port, hosts.split(","))), service)
    else:
        address = Address(url, name)
        if scheme != "unix":
            _check_basic(where)
    _check_options(address)
    return address


def _host_and_port(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        if parts.hostname:
            return parts.hostname, 26379 if parts.port is None else parts.port
    except ValueError:
        pass
    raise ValueError("the host or the port of a sentinel is not valid: write HOST:26379")


def _check_basic(where: str) -> None:
    try:
        parts = urlsplit(f"//{where}")
        known = (parts.hostname or "").encode("idna") and parts.port is not False
    except ValueError:
        known = None
    if not known:
        raise ValueError("the host or the port is not valid: write redis://HOST:6379")
    database = parts.path.strip("/")
    if database and not database.isdigit():
        raise ValueError("after the host comes the number of a database, such as /0")


def _check_options(address: Address) -> None:
    """Make a connection without connecting, which refuses unknown options."""
    try:
        pool: Any = client_of(address).connection_pool
        pool.make_connection()
    except (TypeError, ValueError) as error:
        raise ValueError(f"one of the options after the `?` is not valid: {error}") from None


def client_of(address: Address) -> Redis:
    """Return a client that has not connected yet. What fails is tried once more, at once."""
    options: dict[str, Any] = {"retry": Retry(NoBackoff(), 1), "protocol": 2}
    if not address.sentinels:
        return Redis.from_url(address.url, **options)
    parts = urlsplit(address.url)
    given: dict[str, Any] = dict(parse_url(f"redis://?{parts.query}"))
    sentinel_options: dict[str, Any] = {"retry": Retry(NoBackoff(), 0), "protocol": 2}
    if password := given.pop("sentinel_password", None):
        sentinel_options["password"] = password
    if parts.scheme.startswith("rediss"):
        options["ssl"] = sentinel_options["ssl"] = True
    login, at, _ = parts.netloc.rpartition("@")
    if at:
        user, _, password = login.partition(":")
        options |= {"username": unquote(user) or None, "password": unquote(password) or None}
    sentinel = _SENTINEL_CLASS(
        list(address.sentinels), sentinel_kwargs=sentinel_options, **options, **given
    )
    client: Redis = sentinel.master_for(address.service)
    return client


async def close(client: Redis) -> None:
    """Close a client, and those of its sentinels."""
    pool = client.connection_pool
    await client.aclose()
    await pool.disconnect()
    if isinstance(pool, SentinelConnectionPool):
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def mistake(error: BaseException, address: Address) -> str | None:
    """Return what is wrong with the settings, and what to do; None for what may pass by itself."""
    for link in _causes(error):
        told = str(link) if isinstance(link, ResponseError) else ""
        if isinstance(link, AuthenticationError | NoPermissionError) or "NOPERM" in told:
            return (
                f"{address.name} refuses the user or the password: {link}. Write them as "
                "redis://USER:PASSWORD@HOST, with special characters as %XX"
            )
        if isinstance(link, ssl.SSLCertVerificationError):
            return (
                f"the certificate of {address.name} is not trusted: {link.verify_message}. Add "
                "?ssl_ca_certs=FILE with its CA to the URL"
            )
        if isinstance(link, ssl.SSLError):
            return f"{address.name} does not speak TLS there. Use its TLS port, or redis://"
        if isinstance(link, InvalidResponse):
            return (
                f"what answers at {address.name} is not Redis, or it wants TLS. Check the port, or "
                "write rediss://"
            )
        if isinstance(link, MasterNotFoundError) and " : " not in str(link):
            return (
                f"the sentinels of {address.name} know no master `{address.service}`. Write the "
                "name that `sentinel monitor` has"
            )
        if isinstance(link, ClusterError | MovedError | ClusterCrossSlotError | ClusterDownError):
            return f"{address.name} is a Redis Cluster. Use a single Redis, or one with sentinels"
        if isinstance(link, ReadOnlyError) or "READONLY" in told:
            return f"{address.name} is a replica. Use the address of the primary, or sentinels"
        if "DB index" in told:
            return f"{address.name}: there is no such database. Use a smaller number"
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def reason(error: BaseException) -> str:
    """Return why Redis does not answer, for the log."""
    told = str(error)
    return f"{type(error).__name__}: {told}" if told else f"{type(error).__name__}"
