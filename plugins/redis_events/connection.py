"""From a URL to a client of Redis or Valkey, alone or behind Sentinel."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

try:
    from redis.asyncio import Redis, Sentinel
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
except ModuleNotFoundError:  # pragma: no cover
    raise ModuleNotFoundError(
        "the plugin needs the package redis: pip install 'chatkit-server[redis]'", name="redis"
    ) from None

_SCHEMES = {
    "redis": "redis",
    "rediss": "rediss",
    "unix": "unix",
    "valkey": "redis",
    "valkeys": "rediss",
}
_SENTINELS = {
    "redis+sentinel": False,
    "rediss+sentinel": True,
    "valkey+sentinel": False,
    "valkeys+sentinel": True,
}
SENTINEL_PORT = 26379

T = TypeVar("T")


class _Sentinels(NamedTuple):
    """A service that Sentinel watches, and where Sentinel is asked for it."""

    hosts: list[tuple[str, int]]
    service: str
    db: int
    user: str | None
    password: str | None
    tls: bool


def checked_url(url: str) -> str:
    """Return the URL if it can be used; `ValueError` says what is wrong with it."""
    scheme = urlsplit(url).scheme.lower()
    if scheme in _SENTINELS:
        _sentinels(url)
        return url
    if scheme not in _SCHEMES:
        known = ", ".join(f"{name}://" for name in (*_SCHEMES, *_SENTINELS))
        raise ValueError(f"not the URL of a Redis server: it has to begin with one of {known}")
    parts = urlsplit(url)
    if scheme == "unix":
        if not parts.path:
            raise ValueError("a unix:// URL needs the path of a socket")
        return url
    try:
        port = parts.port
    except ValueError:
        raise ValueError("the port in the URL is no number from 0 to 65535") from None
    del port
    if not parts.hostname:
        raise ValueError("the URL has no host")
    _number(parts.path.lstrip("/") or "0")
    return url


def new_client(url: str, timeout: float, *, blocks: bool = False) -> Redis:
    """Return a client that connects when it is used.

    An answer has to come within `timeout` seconds; from a client that `blocks`, later by those that
    it asked the server to wait. Commands are not repeated: their caller knows which may be.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout + 1.0 if blocks else timeout,
        "socket_connect_timeout": timeout,
        "socket_keepalive": True,
        "client_name": "chatkit-server",
        "retry": Retry(NoBackoff(), 0),
    }
    scheme = urlsplit(url).scheme.lower()
    if scheme in _SENTINELS:
        service = _sentinels(url)
        options |= {"ssl": True} if service.tls else {}
        of_service = {"db": service.db, "username": service.user, "password": service.password}
        sentinel = Sentinel(service.hosts, sentinel_kwargs=options, **options, **of_service)  # type: ignore[no-untyped-call]
        client: Redis = sentinel.master_for(service.service)
        return client
    with_scheme = _SCHEMES[scheme] + url[len(scheme) :]
    return Redis.from_url(with_scheme, **options)


async def close(client: Redis) -> None:
    """Close a client, and those by which it asks Sentinel."""
    await client.aclose()
    manager = getattr(client.connection_pool, "sentinel_manager", None)
    for sentinel in manager.sentinels if manager is not None else ():
        await sentinel.aclose()


async def ask(client: Redis, *words: bytes | str | int) -> Any:
    """Send one command, and return the answer as Redis gave it. Raises what the library raises."""
    return await keeping_cancellation(client.execute_command(*words))  # type: ignore[no-untyped-call]


async def keeping_cancellation(work: Awaitable[T]) -> T:
    """Return what the library's work returns. It loses a cancellation while it connects."""
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    answer = await work
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return answer


def place_of(url: str) -> str:
    """Return the URL without what is secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _sentinels(url: str) -> _Sentinels:
    parts = urlsplit(url)
    credentials, _, places = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    service, _, db = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError(
            "the URL of Sentinel has no service: redis+sentinel://HOST:PORT,HOST:PORT/NAME"
        )
    hosts = [_host(place) for place in places.split(",") if place]
    if not hosts:
        raise ValueError("the URL of Sentinel has no host")
    return _Sentinels(
        hosts,
        unquote(service),
        _number(db or "0"),
        unquote(user) or None,
        unquote(password) or None,
        _SENTINELS[parts.scheme.lower()],
    )


def _host(place: str) -> tuple[str, int]:
    host, _, port = place.rpartition(":") if place.count(":") == 1 else (place, "", "")
    return host.strip("[]"), _number(port) if port else SENTINEL_PORT


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text[:20]!r} in the URL is no number")
    return int(text)
