"""Turn stores do what the contract asks: the one in memory, and the plugin's on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chatkit_server.storage import MemoryTurnStore, TurnStore
from chatkit_server.testing.conformance import TurnStoreContract
from tests.conformance.databases import emptied
from tests.databases import DATABASES
from tests.stores import query


class TestMemoryTurnStore(TurnStoreContract):
    """In this process."""

    @pytest.fixture
    def turn_store(self) -> MemoryTurnStore:
        return MemoryTurnStore()

    async def age(self, turn_store: TurnStore, turn_id: str, seconds: float) -> None:
        assert isinstance(turn_store, MemoryTurnStore)
        row = turn_store._rows[turn_id]
        row.beaten -= seconds
        if row.ended is not None:
            row.ended -= seconds


class TestTortoiseTurnStore(TurnStoreContract):
    """On SQLite and PostgreSQL."""

    @pytest.fixture(params=DATABASES)
    async def turn_store(
        self, request: pytest.FixtureRequest, tmp_path: Path
    ) -> AsyncIterator[TurnStore]:
        async with emptied(request.param, tmp_path) as (_, plugin):
            yield plugin.turn_store()

    async def age(self, turn_store: TurnStore, turn_id: str, seconds: float) -> None:
        await query(
            f"UPDATE chatkit_turn SET beaten = beaten - {seconds}, ended = ended - {seconds} "
            f"WHERE id = '{turn_id}'"
        )
