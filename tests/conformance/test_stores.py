"""Stores do what the contract asks: the testing kit's, and the plugin's on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from chatkit.store import Store
from chatkit.types import ThreadItem
from pydantic import TypeAdapter

from chatkit_server.storage import StoreContext
from chatkit_server.testing import MemoryStore
from chatkit_server.testing.conformance import StoreContract, samples
from chatkit_server.testing.conformance.claims import same
from tests.conformance.databases import emptied
from tests.databases import DATABASES
from tests.stores import opened


@pytest.mark.parametrize("item", samples.items(), ids=lambda item: item.type)
def test_json_of_an_item_is_the_item(item: ThreadItem) -> None:
    """No store is blamed for what ChatKit's own types make of JSON."""
    kept = TypeAdapter[ThreadItem](ThreadItem)
    same(kept.validate_json(kept.dump_json(item)), item, "JSON")


class TestMemoryStore(StoreContract):
    """In this process."""

    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class TestTortoiseStore(StoreContract):
    """On SQLite and PostgreSQL."""

    @pytest.fixture(params=DATABASES)
    async def store(
        self, request: pytest.FixtureRequest, tmp_path: Path
    ) -> AsyncIterator[Store[StoreContext]]:
        async with AsyncExitStack() as self.stack:
            opening = emptied(request.param, tmp_path)
            self.url, plugin = await self.stack.enter_async_context(opening)
            yield plugin.store()

    async def reopened(self, store: Store[StoreContext]) -> Store[StoreContext]:
        return await self.stack.enter_async_context(opened(self.url))
