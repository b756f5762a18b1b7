"""What `chatkit-server check --online` finds out about Redis."""

from __future__ import annotations

from redis.exceptions import AuthenticationError, RedisError, ResponseError

from chatkit_server import Finding

from .config import Config
from .connection import ask, close, new_client, place_of

OLDEST = (6, 2)
"""The first version of Redis that trims streams by id."""


async def check_redis(config: Config) -> list[str | Finding]:
    """Write to Redis as a turn does, and say what keeps it from that."""
    place = place_of(config.url)
    client = new_client(config.url, config.timeout)
    key = f"{config.prefix}:check"
    try:
        await ask(client, "XADD", key, "MINID", "~", "0-1", "*", "w", "")
        await client.delete(key)
        info = await client.info("server")
    except AuthenticationError as error:
        return [Finding(f"{place}: {error}", todo="Correct the user and password in `url`.")]
    except ResponseError as error:
        return [Finding(f"{place} refuses a write: {error}", todo=_hint(str(error)))]
    except (RedisError, OSError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        return [
            Finding(
                f"{place} cannot be reached: {reason}",
                todo="Start Redis, or correct `url`. Until then, answers are followed each second.",
            )
        ]
    finally:
        await close(client)
    version = str(info.get("valkey_version") or info.get("redis_version", "?"))
    return [Finding(f"{place}: version {version}, takes writes", level="ok")]


def _hint(error: str) -> str:
    if "NOPERM" in error or "NOAUTH" in error:
        return "Allow the user the commands of streams and channels, on keys with the prefix."
    if "OOM" in error:
        return "Redis is full: give it more `maxmemory`, or a policy that evicts."
    if "READONLY" in error:
        return "This is a replica: name the primary in `url`, or use Sentinel."
    if "syntax error" in error.lower():
        return f"Redis {OLDEST[0]}.{OLDEST[1]} or newer is needed, or Valkey."
    return "Look at the log of Redis."
