"""What `chatkit-server check --online` finds out about Redis."""

from __future__ import annotations

from redis.exceptions import ResponseError

from chatkit_server import Finding
from chatkit_server.redis import AWAY, close, mistake, reason, redis_address

from .config import Config
from .connection import ask, connected

OLDEST = (6, 2)
"""The first version of Redis that trims streams by id."""

UNTIL_THEN = "Until then, answers are followed each second."


async def check_redis(config: Config) -> list[str | Finding]:
    """Write to Redis as a turn does, and say what keeps it from that."""
    address = redis_address(config.url)
    place = address.name
    client = connected(address, config.timeout)
    key = f"{config.prefix}:check"
    try:
        await ask(client, "XADD", key, "MINID", "~", "0-1", "*", "w", "")
        await client.delete(key)
        info = await client.info("server")
    except AWAY as error:
        if told := mistake(error, address):
            return [Finding(told, todo=f"Correct `url`. {UNTIL_THEN}")]
        if isinstance(error, ResponseError):
            return [Finding(f"{place} refuses a write: {error}", todo=_hint(str(error)))]
        return [
            Finding(
                f"{place} cannot be reached: {reason(error, address)}",
                todo=f"Start Redis, or correct `url`. {UNTIL_THEN}",
            )
        ]
    finally:
        await close(client)
    version = str(info.get("valkey_version") or info.get("redis_version", "?"))
    return [Finding(f"{place}: version {version}, takes writes", level="ok")]


def _hint(error: str) -> str:
    if "OOM" in error:
        return "Redis is full: give it more `maxmemory`, or a policy that evicts."
    if "syntax error" in error.lower():
        return f"Redis {OLDEST[0]}.{OLDEST[1]} or newer is needed, or Valkey."
    return "Look at the log of Redis."
