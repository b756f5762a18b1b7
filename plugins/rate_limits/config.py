"""The settings."""

from __future__ import annotations

from typing import Annotated, Any

from limits import RateLimitItem, parse_many
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from chatkit_server import Duration
from chatkit_server.redis import redis_address


def _url(value: Any) -> Any:
    if value in (None, ""):
        return None
    if isinstance(value, str):
        redis_address(value)
    return value


def _limit(value: Any) -> Any:
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        raise ValueError("expected a limit such as 20/minute, or several: 20/minute; 500/day")
    try:
        items = parse_many(value)
    except ValueError:
        raise ValueError(
            f"`{value}` is no limit. Write 20/minute, 100 per 2 hours, or several: "
            "20/minute; 500/day. Units: second, minute, hour, day, month, year"
        ) from None
    if any(item.amount < 1 for item in items):
        raise ValueError("a limit is at least 1; to let nobody in, stop the server")
    return items


Windows = Annotated[
    list[RateLimitItem] | None,
    BeforeValidator(_limit),
    WithJsonSchema({"type": ["string", "null"]}),
]
"""Windows, as the library `limits` writes them."""

RedisUrl = Annotated[
    str | None, BeforeValidator(_url), WithJsonSchema({"type": ["string", "null"]})
]


class Scopes(BaseModel):
    """A limit for each user, for all users of a tenant, and for all users together."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    user: Windows = None
    tenant: Windows = None
    server: Windows = None


class Config(BaseModel):
    """What is counted, and where.

    `url` is a Redis that all processes of the deployment share; without it, each process counts
    alone. `requests` are those that start a turn, `tokens` those that models read and wrote. A
    window begins with the first request that counts in it. If Redis has not answered within
    `timeout`, the process counts alone until it does. Keys in Redis begin with `prefix`.
    """

    url: RedisUrl = Field(None, repr=False)
    prefix: Annotated[str, Field(min_length=1)] = "chatkit"
    timeout: Duration = 0.25
    requests: Scopes = Scopes()
    tokens: Scopes = Scopes()
