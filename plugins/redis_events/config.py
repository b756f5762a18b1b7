"""The settings of the plugin."""

from __future__ import annotations

from pydantic import BaseModel, Field, field_validator

from chatkit_server import Duration
from chatkit_server.redis import redis_address


class Config(BaseModel):
    """The settings.

    `url` is `redis://[user:password@]host[:port][/db]`, `rediss://…` with TLS, `unix://PATH`,
    `valkey://…`, or with Sentinel
    `redis+sentinel://[user:password@]host:port,host:port/name[/db]`. Keys begin with `prefix`, and
    are kept for `ttl` after their last event. The log of a turn keeps about its last `max_events`
    events. Events are sent every `flush`.
    """

    url: str = Field("redis://localhost:6379/0", repr=False)
    prefix: str = Field("chatkit", min_length=1, max_length=100)
    ttl: Duration = Field(1800.0, ge=1)
    max_events: int = Field(20_000, ge=100)
    flush: Duration = Field(0.02, ge=0.001, le=1)
    timeout: Duration = Field(2.0, ge=0.1, le=60)

    @field_validator("url")
    @classmethod
    def _readable(cls, url: str) -> str:
        redis_address(url)
        return url
