"""For plugins that use Redis or Valkey: clients for the URLs in settings, and mistakes in words.

It needs the package redis: `pip install 'chatkit-server[redis]'`.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

try:
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
    from redis.exceptions import TimeoutError as RedisTimeoutError
except ModuleNotFoundError:  # pragma: no cover
    raise ModuleNotFoundError(
        "the plugin needs the package redis: pip install 'chatkit-server[redis]'", name="redis"
    ) from None

__all__ = [
    "AWAY",
    "RedisAddress",
    "close",
    "mistake",
    "new_client",
    "reason",
    "redis_address",
    "tls_hint",
]

AWAY = (RedisError, OSError, TimeoutError)
"""What a client raises if Redis does not answer, or cannot do what it is asked."""

SENTINEL_PORT = 26379

_UNKNOWN_COMMAND = re.compile(r"(?:ERR )?unknown command ('[^']*'|`[^`]*`)", re.IGNORECASE)

_SENTINEL = "+sentinel"

_VALKEY = {"valkey": "redis", "valkeys": "rediss"}

_SCHEMES = ("redis", "rediss", "unix", "valkey", "valkeys")

_EXAMPLES = (
    "redis://host:6379/0, rediss:// for TLS, unix:///path/of/the.sock, or "
    "redis+sentinel://host:26379,host:26379/name"
)

_Sentinel: Any = Sentinel  # it has no types


class SentinelsFailed(MasterNotFoundError):
    """No sentinel has said where the master is; `errors` has what each one said, by its address."""

    def __init__(self, service: str, errors: dict[str, Exception]) -> None:
        told = "; ".join(f"{place}: {reason(error)}" for place, error in errors.items())
        super().__init__(f"no sentinel says where `{service}` is ({told})")
        self.errors = errors


class _Sentinels(_Sentinel):  # type: ignore[misc]
    """Asks each sentinel, also after one that is none, and keeps why one does not answer.

    The library's own has its objects in words, which fill a screen.
    """

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        errors: dict[str, Exception] = {}
        for number, sentinel in enumerate(self.sentinels):
            try:
                masters = await sentinel.sentinel_masters()
            except AWAY as error:
                at = sentinel.connection_pool.connection_kwargs
                errors[f"{at['host']}:{at['port']}"] = error
                continue
            state = masters.get(service_name)
            if state and self.check_master_state(state, service_name):
                # The next time, this one is asked first
                self.sentinels[0], self.sentinels[number] = sentinel, self.sentinels[0]
                return state["ip"], state["port"]
        if errors:
            raise SentinelsFailed(service_name, errors) from next(iter(errors.values()))
        raise MasterNotFoundError(f"No master found for {service_name!r}")


@dataclass(frozen=True)
class RedisAddress:
    """Where a Redis is: `name` is for the log, without the user and the password.

    `url` is as redis-py takes it. With Sentinel, it has the options alone, and `sentinels` and
    `service` say who is asked for what.
    """

    url: str
    name: str
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""

    @property
    def has_tls(self) -> bool:
        """Whether its connections have TLS."""
        return self.url.startswith("rediss")


def redis_address(url: str) -> RedisAddress:
    """Read the URL of a Redis or Valkey.

    It is `redis://[USER:PASSWORD@]HOST[:PORT][/DB][?OPTION=VALUE&…]`, `rediss://…` with TLS,
    `unix://PATH`, or with Sentinel `redis+sentinel://[USER:PASSWORD@]HOST[:PORT],…/NAME[/DB]`;
    `valkey` and `valkeys` are the same. Options are those of redis-py's connections, such as
    `ssl_ca_certs`; `sentinel_password` is for the sentinels. Raises `ValueError`, which does not
    quote the password.
    """
    scheme, found, rest = url.partition("://")
    kind = scheme.lower().removesuffix(_SENTINEL)
    if not found or kind not in _SCHEMES or (kind == "unix" and kind != scheme.lower()):
        raise ValueError(f"expected the URL of a Redis: {_EXAMPLES}")
    kind = _VALKEY.get(kind, kind)
    place, _, query = rest.partition("?")
    login, at, where = place.rpartition("@")
    name = f"{scheme.lower()}://{where}"
    if scheme.lower().endswith(_SENTINEL):
        hosts, _, path = where.partition("/")
        service, _, database = path.strip("/").partition("/")
        if not service:
            raise ValueError(f"the name of the service is missing: write {scheme}://{hosts}/NAME")
        _check_database(database)
        plain = f"{kind}://{login}{at}/{database}?{query}"
        sentinels = tuple(map(_host_and_port, hosts.split(",")))
        address = RedisAddress(plain, name, sentinels, unquote(service))
    else:
        address = RedisAddress(f"{kind}://{rest}", name)
        if kind == "unix":
            if not where.strip("/"):
                raise ValueError("after unix:// comes the path of a socket")
        else:
            _check_host(where)
    _check_options(address)
    return address


def _host_and_port(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        if parts.hostname:
            return parts.hostname, SENTINEL_PORT if parts.port is None else parts.port
    except ValueError:
        pass
    raise ValueError("the host or the port of a sentinel is not valid: write HOST:26379")


def _check_host(where: str) -> None:
    try:
        parts = urlsplit(f"//{where}")
        known = (parts.hostname or "").encode("idna") and parts.port is not False
    except ValueError:
        known = None
    if not known:
        raise ValueError("the host or the port is not valid: write redis://HOST:6379")
    _check_database(parts.path.strip("/"))


def _check_database(text: str) -> None:
    if text and not (text.isascii() and text.isdigit()):
        raise ValueError("after the host comes the number of a database, such as /0")


def _check_options(address: RedisAddress) -> None:
    """Make a connection without connecting, which refuses unknown options."""
    try:
        pool: Any = new_client(address).connection_pool
        pool.make_connection()
    except (TypeError, ValueError) as error:
        raise ValueError(f"one of the options after the `?` is not valid: {error}") from None


def new_client(address: RedisAddress, *, retries: int = 0, **options: Any) -> Redis:
    """Return a client that has not connected yet; `options` are those of its connections.

    A command whose connection fails is sent again so often, at once: its caller knows whether that
    may be.
    """
    options |= {"retry": Retry(NoBackoff(), retries), "client_name": "chatkit-server"}
    if not address.sentinels:
        return Redis.from_url(address.url, **options)
    given: dict[str, Any] = dict(parse_url(address.url))
    given.pop("connection_class", None)
    own = {name: value for name, value in options.items() if name.startswith("socket_")}
    of_sentinels: dict[str, Any] = {"retry": Retry(NoBackoff(), 0), **own}
    if password := given.pop("sentinel_password", None):
        of_sentinels["password"] = password
    if address.has_tls:
        tls = {name: value for name, value in given.items() if name.startswith("ssl_")}
        options["ssl"] = of_sentinels["ssl"] = True
        of_sentinels |= tls
    sentinel = _Sentinels(list(address.sentinels), sentinel_kwargs=of_sentinels, **options, **given)
    client: Redis = sentinel.master_for(address.service)
    return client


async def close(client: Redis) -> None:
    """Close a client, and those by which it asks the sentinels."""
    pool = client.connection_pool
    await client.aclose()
    await pool.disconnect()
    if isinstance(pool, SentinelConnectionPool):
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def mistake(error: BaseException, address: RedisAddress) -> str | None:
    """Return what is wrong with the settings, and what to do; None for what may pass by itself."""
    for link in _causes(error):
        if isinstance(link, SentinelsFailed):
            told_of = [_mistake_of_sentinel(*one, address) for one in link.errors.items()]
            return None if None in told_of else told_of[0]
        told = str(link) if isinstance(link, ResponseError) else ""
        if unknown := _UNKNOWN_COMMAND.match(told):
            return (
                f"{address.name} does not know the command {unknown[1]}. If it is a Sentinel, "
                "write redis+sentinel://HOST:PORT/NAME"
            )
        if isinstance(link, NoPermissionError) or "NOPERM" in told:
            return f"{address.name}: {link}. Give this user the permission, by `ACL SETUSER`"
        if isinstance(link, AuthenticationError):
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
        if isinstance(link, MasterNotFoundError):
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


def _mistake_of_sentinel(place: str, error: Exception, address: RedisAddress) -> str | None:
    """Return what is wrong with the settings of one sentinel, None for what may pass by itself."""
    if _UNKNOWN_COMMAND.match(str(error)):
        return (
            f"{place} is no Sentinel. If it is Redis itself, write redis://{place}; the port of a "
            f"Sentinel is usually {SENTINEL_PORT}"
        )
    if isinstance(error, AuthenticationError):
        return (
            f"the sentinel at {place} refuses the password: {error}. Add ?sentinel_password=… to "
            f"the URL; if it is Redis itself, and no Sentinel, write redis://{place}"
        )
    return mistake(error, address)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def reason(error: BaseException, address: RedisAddress | None = None) -> str:
    """Return why Redis does not answer, for the log.

    Give the address as long as it has never answered: then the words say whether TLS may be why.
    """
    told = str(error)
    name = f"{type(error).__name__}: {told}" if told else type(error).__name__
    hint = "" if address is None else tls_hint(error, address)
    return f"{name.rstrip('.')}{hint}" if hint else name


def tls_hint(error: BaseException, address: RedisAddress) -> str:
    """Return what to try if TLS is why an address has never answered; empty if it is not.

    Redis without TLS waits for the end of what to it is a command, and some servers with TLS close
    a connection without it, both without a word.
    """
    for link in _causes(error):
        if address.has_tls and isinstance(link, TimeoutError | RedisTimeoutError):
            return "; if it has no TLS there, write redis:// in place of rediss://"
        if not address.has_tls and _is_cut_off(link) and not address.url.startswith("unix"):
            return "; if it wants TLS there, write rediss:// in place of redis://"
    return ""


def _is_cut_off(error: BaseException) -> bool:
    return isinstance(error, ConnectionResetError) or "closed by server" in str(error)
