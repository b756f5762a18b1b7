"""Event logs do what the contract asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from chatkit_plugins.redis_events import Config, RedisEventLog

from chatkit_server.events import shared
from chatkit_server.storage import EventLog, MemoryEventLog
from chatkit_server.testing.conformance import EventLogContract
from tests.redis_server import redis_server


class TestMemoryEventLog(EventLogContract):
    """In this process."""

    idle = 0.1

    @pytest.fixture
    def event_log(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], EventLog]:
        monkeypatch.setattr(shared, "IDLE", self.idle)
        log = MemoryEventLog()
        return lambda: MemoryEventLog(log)


class TestRedisEventLog(EventLogContract):
    """Through a Redis."""

    @pytest.fixture
    async def event_log(self) -> AsyncIterator[Callable[[], EventLog]]:
        async with redis_server() as server:
            yield lambda: RedisEventLog(Config(url=server.url))
