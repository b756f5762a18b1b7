"""What a storage plugin imports: the contracts of stores, and who a store is asked for.

Conversations are kept by a `chatkit.store.Store`, whose `context` is a `StoreContext`.
"""

from __future__ import annotations

from .errors import TakenOver
from .events.shared import (
    IDLE,
    PART,
    EventLog,
    Heard,
    MemoryEventLog,
    News,
    NumberedEvent,
    Part,
    Watchers,
)
from .events.threads import AtomicThreads
from .local_times import LocalTimes, in_local_time
from .records import OutageLog
from .turn import StoreContext
from .turns.store import (
    HeartbeatReply,
    HeartbeatSignal,
    MemoryTurnStore,
    TurnRecord,
    TurnState,
    TurnStore,
)
from .turns.view import StoreView
from .uploads import FileStore

__all__ = [
    "IDLE",
    "PART",
    "AtomicThreads",
    "EventLog",
    "FileStore",
    "Heard",
    "HeartbeatReply",
    "HeartbeatSignal",
    "LocalTimes",
    "MemoryEventLog",
    "MemoryTurnStore",
    "News",
    "NumberedEvent",
    "OutageLog",
    "Part",
    "StoreContext",
    "StoreView",
    "TakenOver",
    "TurnRecord",
    "TurnState",
    "TurnStore",
    "Watchers",
    "in_local_time",
]


def __dir__() -> list[str]:
    return __all__
