"""URLs of Redis and Valkey in settings: both plugins that have one take the same."""

from __future__ import annotations

from typing import Any

import pytest
from chatkit_plugins.rate_limits import Config as LimitsConfig
from chatkit_plugins.redis_events import Config as EventsConfig
from pydantic import BaseModel, ValidationError

from chatkit_server.redis import new_client, redis_address

CONFIGS = (EventsConfig, LimitsConfig)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("localhost:6379", "expected the URL of a Redis: redis://host:6379/0"),
        ("http://localhost", "expected the URL of a Redis"),
        ("unix+sentinel://localhost/main", "expected the URL of a Redis"),
        ("unix://:p4ss@", "the path of a socket"),
        ("redis://:p4ss@", "the host or the port is not valid"),
        ("redis://:p4ss@/0", "the host or the port is not valid"),
        ("redis://:p4ss@host:x", "the host or the port is not valid"),
        ("redis://:p4ss@host:6379/main", "the number of a database"),
        ("redis://:p4ss@host?ssl_ca_cert=x", "one of the options after the `?` is not valid"),
        ("redis+sentinel://:p4ss@host:26379", "the name of the service is missing"),
        ("redis+sentinel://:p4ss@host:26379/main/first", "the number of a database"),
        ("redis+sentinel://:p4ss@host/main?no=1", "one of the options after the `?` is not valid"),
        ("redis+sentinel://host:x/main", "the host or the port of a sentinel is not valid"),
    ],
)
@pytest.mark.parametrize("config", CONFIGS, ids=["redis_events", "rate_limits"])
def test_urls_that_cannot_be_meant(config: type[BaseModel], url: str, told: str) -> None:
    with pytest.raises(ValidationError) as raised:
        config.model_validate({"url": url})
    [error] = raised.value.errors()
    assert told in error["msg"]
    assert "p4ss" not in error["msg"]


@pytest.mark.parametrize("config", CONFIGS, ids=["redis_events", "rate_limits"])
def test_the_password_is_not_shown(config: type[BaseModel]) -> None:
    assert "p4ss" not in repr(config.model_validate({"url": "redis://:p4ss@host"}))
    assert redis_address("redis://ann:p4ss@host/1").name == "redis://host/1"


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://host", {"host": "host"}),
        ("REDIS://host:7/2", {"host": "host", "port": 7, "db": 2}),
        ("valkey://ann:p%40ss@host", {"host": "host", "username": "ann", "password": "p@ss"}),
        ("redis://[::1]:7", {"host": "::1", "port": 7}),
        ("redis://host?db=3&health_check_interval=10", {"db": 3, "health_check_interval": 10}),
        ("unix:///tmp/redis.sock", {"path": "/tmp/redis.sock"}),
        ("unix://:p4ss@/tmp/redis.sock?db=1", {"password": "p4ss", "db": 1}),
        ("rediss://host?ssl_ca_certs=ca.pem", {"host": "host", "ssl_ca_certs": "ca.pem"}),
        ("valkeys://host", {"host": "host"}),
        (
            "valkeys+sentinel://ann:p4ss@one,[::1]:7/main/2?ssl_ca_certs=ca.pem",
            {"username": "ann", "password": "p4ss", "db": 2, "ssl_ca_certs": "ca.pem"},
        ),
    ],
)
def test_what_a_url_says(url: str, options: dict[str, Any]) -> None:
    pool = new_client(redis_address(url)).connection_pool
    assert {name: pool.connection_kwargs.get(name) for name in options} == options


def test_who_is_asked_for_a_service() -> None:
    url = "rediss+sentinel://:p4ss@one,two:7/main?sentinel_password=s3cret&ssl_ca_certs=ca.pem"
    address = redis_address(url)
    assert (address.service, address.has_tls) == ("main", True)
    assert address.name == "rediss+sentinel://one,two:7/main"
    pool: Any = new_client(address, socket_timeout=2).connection_pool
    asked = [one.connection_pool.connection_kwargs for one in pool.sentinel_manager.sentinels]
    assert [(one["host"], one["port"]) for one in asked] == [("one", 26379), ("two", 7)]
    for one in asked:
        assert one["password"] == "s3cret"
        assert (one["ssl_ca_certs"], one["socket_timeout"]) == ("ca.pem", 2)
