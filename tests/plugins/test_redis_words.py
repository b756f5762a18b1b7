"""What is told of a Redis that is not what its URL says: by both plugins, in a line each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from chatkit_plugins import rate_limits, redis_events
from redis.exceptions import ConnectionError as RedisConnectionError

from chatkit_server import Finding, SettingsError
from chatkit_server.redis import reason, redis_address
from tests.plugins.test_redis_events import certificate, tls_front
from tests.ports import free_port
from tests.redis_server import redis_server

__all__ = ["certificate"]

Check = Callable[[str, float], Awaitable[str]]
"""Returns what a plugin says of a URL, which has this many seconds to answer."""

LONG = 20.0

LONGEST = 500
"""Characters of a line that somebody reads."""


async def of_limits(url: str, patience: float = LONG) -> str:
    plugin = rate_limits.Plugin(rate_limits.Config(url=url))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("chatkit_plugins.rate_limits.plugin.PATIENCE", patience)
            [found] = await plugin.check(online=True)
    except SettingsError as error:
        return str(error)
    return str(found)


async def of_events(url: str, patience: float = LONG) -> str:
    config = redis_events.Config.model_validate({"url": url, "timeout": f"{patience:.0f}s"})
    plugin = redis_events.Plugin(config)
    [found] = await plugin.check(online=True) or []
    assert isinstance(found, Finding)
    return str(found)


@dataclass
class Ports:
    """Where each kind of server listens; nothing does at `nothing`."""

    plain: int
    locked: int
    sentinel: int
    tls: int
    tls_sentinel: int
    nothing: int


@pytest.fixture
async def ports(certificate: tuple[Path, Path], tmp_path: Path) -> AsyncIterator[Ports]:
    async with AsyncExitStack() as stack:
        plain = await stack.enter_async_context(redis_server())
        locked = await stack.enter_async_context(redis_server("--requirepass", "secret"))
        file = tmp_path / "sentinel.conf"
        file.write_text(f"sentinel monitor main 127.0.0.1 {plain.port} 1\n")
        sentinel = await stack.enter_async_context(redis_server(sentinel=file))
        tls, tls_sentinel = [
            await stack.enter_async_context(tls_front(port, certificate))
            for port in (plain.port, sentinel.port)
        ]
        yield Ports(plain.port, locked.port, sentinel.port, tls, tls_sentinel, free_port())


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis+sentinel://H:{plain}/main", "is no Sentinel. If it is Redis itself, write redis:"),
        ("redis+sentinel://H:{locked}/main", "Add ?sentinel_password="),
        ("redis+sentinel://H:{nothing}/main", "no sentinel says where `main` is (127.0.0.1:"),
        ("redis+sentinel://H:{plain},H:{nothing}/main", "no sentinel says where `main` is"),
        ("redis://H:{sentinel}", "If it is a Sentinel, write redis+sentinel://HOST:PORT/NAME"),
        ("rediss://H:{plain}", "if it has no TLS there, write redis:// in place of rediss://"),
        ("redis://H:{tls}", "if it wants TLS there, write rediss:// in place of redis://"),
        ("rediss+sentinel://H:{sentinel}/main", "if it has no TLS there, write redis://"),
        ("redis+sentinel://H:{tls_sentinel}/main", "if it wants TLS there, write rediss://"),
        ("rediss+sentinel://H:{tls_sentinel}/main", "is not trusted"),
    ],
)
@pytest.mark.parametrize("check", [of_limits, of_events])
async def test_a_url_of_another_kind(ports: Ports, check: Check, url: str, told: str) -> None:
    never_answers = "has no TLS" in told
    place = url.replace("H:", "127.0.0.1:").format(**vars(ports))
    said = await check(place, 1.0 if never_answers else LONG)
    assert told in said
    assert len(said) < LONGEST
    assert "<redis" not in said


async def test_another_sentinel_is_asked_after_one_that_is_none(ports: Ports) -> None:
    url = f"redis+sentinel://127.0.0.1:{ports.plain},127.0.0.1:{ports.sentinel}/main"
    assert "counts for all processes" in await of_limits(url)
    assert "takes writes" in await of_events(url)


async def test_the_log_says_it_as_long_as_it_has_never_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = redis_events.Config(url="redis://127.0.0.1")
    never, later = [redis_events.Plugin(config).events for _ in range(2)]
    never._failed(RedisConnectionError("Connection closed by server."))
    assert "Connection closed by server; if it wants TLS there" in caplog.text
    caplog.clear()
    later._answered()
    later._failed(RedisConnectionError("Connection closed by server."))
    assert "Connection closed by server." in caplog.text
    assert "TLS" not in caplog.text


def test_a_reason_without_an_address_is_the_error_alone() -> None:
    assert reason(TimeoutError()) == "TimeoutError"
    hinted = reason(TimeoutError(), redis_address("rediss://host"))
    assert hinted.startswith("TimeoutError; if it has no TLS there")
    assert reason(TimeoutError(), redis_address("redis://host")) == "TimeoutError"
    cut = RedisConnectionError("Connection closed by server.")
    assert reason(cut, redis_address("unix:///tmp/r.sock")).endswith("by server.")
