"""Event logs do what the contract asks."""

from __future__ import annotations

import pytest

from chatkit_server.storage import EventLogFactory, MemoryEventLog
from chatkit_server.testing.conformance import EventLogContract


class TestMemoryEventLog(EventLogContract):
    """In this process."""

    @pytest.fixture
    def event_log(self) -> EventLogFactory:
        return MemoryEventLog
