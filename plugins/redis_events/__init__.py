"""Carries the events of turns between processes, through Redis or Valkey.

```yaml
plugins:
  redis_events:
    url: ${REDIS_URL}
```

With it, an answer streams on at any process of the deployment, and Stop reaches it within a moment.
Nothing durable is kept in Redis: while it is away, other processes read what a turn has said from
the database, once a second. Install it with `pip install 'chatkit-server[redis]'`.

- `config`: the settings. `connection`: the clients.
- `event_log`: the contract of the core. `writer`: what this process says; `reader`: what it
  follows.
- `channels`: signals to turns, and news of places. `entries`: how events are written in Redis.
"""

from __future__ import annotations

from chatkit_server import Finding, hookimpl
from chatkit_server.storage import EventLog

from .checking import check_redis
from .config import Config
from .event_log import RedisEventLog

__all__ = ["Config", "Plugin", "RedisEventLog"]


class Plugin:
    """The plugin `redis_events`."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.events = RedisEventLog(config)

    @hookimpl
    def event_log(self) -> EventLog:
        return self.events

    @hookimpl
    async def ready(self) -> Finding | None:
        # Answers go on without it
        return None if self.events.problem is None else Finding(self.events.problem)

    @hookimpl
    async def check(self, online: bool) -> list[str | Finding] | None:
        return await check_redis(self.config) if online else None
