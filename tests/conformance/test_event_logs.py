"""Event logs do what the contract asks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chatkit_server.events import shared
from chatkit_server.storage import EventLog, MemoryEventLog
from chatkit_server.testing.conformance import EventLogContract


class TestMemoryEventLog(EventLogContract):
    """In this process."""

    idle = 0.1

    @pytest.fixture
    def event_log(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], EventLog]:
        monkeypatch.setattr(shared, "IDLE", self.idle)
        log = MemoryEventLog()
        return lambda: MemoryEventLog(log)
