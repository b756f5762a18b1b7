"""A recorder in a thread of a store in memory, with what it writes to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from chatkit.types import ThreadItem, ThreadMetadata

from chatkit_server import Turn, User, hookimpl
from chatkit_server.events.log import TurnLog
from chatkit_server.events.recorder import Recorder
from chatkit_server.events.wire import ChatKitWire
from chatkit_server.plugin.calls import Hooks
from chatkit_server.storage import StoreContext
from chatkit_server.testing.memory_store import MemoryStore

ANN = User("ann", "acme")
CONTEXT = StoreContext(ANN, "turn_1", 1)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Persisted:
    """Notes what `persist` is told, and what the store has at that moment."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.items: list[str] = []

    @hookimpl
    async def persist(self, turn: Turn, item: ThreadItem) -> None:
        assert turn.id == "turn_1"
        assert item.id in self.store.items["thr_1"]
        self.items.append(item.id)


@dataclass
class Recording:
    """A recorder, its turn, and what they write to."""

    recorder: Recorder
    turn: Turn
    store: MemoryStore
    log: TurnLog
    persisted: Persisted
    read: int = 0

    @property
    def stored(self) -> list[str]:
        """The ids of the items in the store."""
        return list(self.store.items["thr_1"])

    def told(self) -> list[dict[str, Any]]:
        """Return the events since the last time."""
        frames = [frame.split(b"data: ", 1)[1] for frame in self.log._frames[self.read :]]
        self.read = len(self.log)
        return [orjson.loads(frame) for frame in frames]


async def make_recording(room: int = 1000) -> Recording:
    """Return a recorder for an answer of up to `room` characters."""
    store = MemoryStore()
    thread = ThreadMetadata(id="thr_1", created_at=NOW)
    await store.save_thread(thread, CONTEXT)
    turn = Turn(
        id="turn_1",
        thread=thread,
        store=store,
        request_context=CONTEXT,
        user=ANN,
        operation="plain",
        model="test/model",
    )
    persisted = Persisted(store)
    log = TurnLog("turn_1")
    hooks = Hooks.of([("persisted", persisted)])
    recorder = Recorder(turn, store, hooks, log, ChatKitWire(), room)
    return Recording(recorder, turn, store, log, persisted)
