"""The stores that the pages of the hooks show do what the contracts ask."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from chatkit.store import AttachmentStore, Store
from chatkit.types import Attachment

from chatkit_server.events import shared
from chatkit_server.storage import EventLog, FileStore, StoreContext, TurnStore
from chatkit_server.testing.conformance import (
    AttachmentStoreContract,
    EventLogContract,
    StoreContract,
    TurnStoreContract,
)
from tests.documents import ROOT, fences

CONNECT = sqlite3.connect


def quick(*args: Any, **options: Any) -> sqlite3.Connection:
    """Connect, and don't wait for the disk: the machine won't fail in a test."""
    db: sqlite3.Connection = CONNECT(*args, **options)
    db.execute("PRAGMA synchronous = OFF")
    return db


@pytest.fixture
def page(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """What the page of the class's `hook` shows: its plugin, and the test of it."""
    monkeypatch.setattr(sqlite3, "connect", quick)
    file = ROOT / "docs" / "plugins" / "hooks" / f"{request.cls.hook}.md"
    _, *blocks = [fence for fence in fences("python") if fence.document == file]
    module = ModuleType(f"page_{request.cls.hook}")
    sys.modules[module.__name__] = module
    for block in blocks:
        exec(compile("\n" * block.line + block.text, str(file), "exec"), vars(module))
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
    idle = 0.1

    @pytest.fixture
    def event_log(
        self, page: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[], EventLog]:
        monkeypatch.setattr(shared, "IDLE", self.idle)
        log: EventLog = page.Plugin(page.Config(folder=tmp_path / "events")).event_log()
        return lambda: page.FailedEvents(tmp_path, log)


class TestAttachmentStore(AttachmentStoreContract):
    hook = "attachment_store"

    @pytest.fixture
    async def attachment_store(self, page: ModuleType) -> AsyncIterator[FileStore]:
        async with TestServer(page.service({})) as server, ClientSession() as self.http:
            store: Any = page.FileService(page.Config(url=str(server.make_url("")), key="k"))
            store.http = self.http
            yield store

    async def upload(
        self,
        attachment_store: AttachmentStore[StoreContext],
        attachment: Attachment,
        data: bytes,
        context: StoreContext,
    ) -> bool:
        assert attachment.upload_descriptor is not None
        url = str(attachment.upload_descriptor.url)
        async with self.http.put(url, data=data) as response:
            return response.status == 200
