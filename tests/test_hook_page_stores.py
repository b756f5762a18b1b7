"""The stores that the pages of the hooks show do what the contracts ask."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from chatkit.store import Store

from chatkit_server.storage import EventLogFactory, StoreContext, TurnStore
from chatkit_server.testing.conformance import EventLogContract, StoreContract, TurnStoreContract
from tests.documents import ROOT, fences

CONNECT = sqlite3.connect


def quick(*args: Any, **options: Any) -> sqlite3.Connection:
    """Connect, and don't wait for the disk: the machine won't fail in a test."""
    db: sqlite3.Connection = CONNECT(*args, **options)
    db.execute("PRAGMA synchronous = OFF")
    return db


@pytest.fixture
def page(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The plugin that the page of the class's `hook` shows."""
    monkeypatch.setattr(sqlite3, "connect", quick)
    file = ROOT / "docs" / "plugins" / "hooks" / f"{request.cls.hook}.md"
    [plugin] = [fence for fence in fences("python") if fence.document == file and fence.plugin]
    module = ModuleType(f"page_{request.cls.hook}")
    sys.modules[module.__name__] = module
    exec(compile("\n" * plugin.line + plugin.text, str(file), "exec"), vars(module))
    yield module
    del sys.modules[module.__name__]


class TestStore(StoreContract):
    hook = "store"

    @pytest.fixture
    def store(self, page: ModuleType, tmp_path: Path) -> Store[StoreContext]:
        store: Store[StoreContext] = page.CustomerFiles(tmp_path)
        return store

    async def reopened(self, store: Store[StoreContext]) -> Store[StoreContext]:
        assert isinstance(store, Store)
        return store


class TestTurnStore(TurnStoreContract):
    hook = "turn_store"

    @pytest.fixture
    def turn_store(self, page: ModuleType, tmp_path: Path) -> TurnStore:
        store: TurnStore = page.TurnFile(tmp_path / "turns.db")
        return store

    async def age(self, turn_store: Any, turn_id: str, seconds: float) -> None:
        older = "UPDATE turns SET beaten = beaten - ?, ended = ended - ? WHERE id = ?"
        await turn_store.rows(older, seconds, seconds, turn_id)


class TestEventLog(EventLogContract):
    hook = "event_log"

    @pytest.fixture
    def event_log(self, page: ModuleType, tmp_path: Path) -> EventLogFactory:
        log: EventLogFactory = page.Plugin(page.Config(folder=tmp_path)).log
        return log
