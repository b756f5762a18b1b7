"""The store."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

from chatkit.store import NotFoundError, StoreItemType
from chatkit.types import Page, ThreadItem, ThreadMetadata

from ..memory_store import MemoryStore, Row, paginate

MOST_ROWS = 3
"""More are never returned, whatever is asked for."""


class LedgerStore(MemoryStore):
    """Sorts rows by their naive times, as tables in SQL do."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count(1)

    def generate_thread_id(self, context: Any) -> str:
        return f"ledger-{next(self._numbers):04}"

    def generate_item_id(
        self, item_type: StoreItemType, thread: ThreadMetadata, context: Any
    ) -> str:
        return f"{thread.id}/{item_type}/{next(self._numbers):04}"

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        await super().save_thread(_naive(thread), context)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        if thread_id not in self.threads:
            raise NotFoundError(thread_id)
        kept = self.items.get(thread_id, {}).get(item.id)
        if kept is not None:
            # A row keeps the time at which it was inserted
            item = item.model_copy(update={"created_at": kept.created_at})
        await super().add_thread_item(thread_id, _naive(item), context)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Any
    ) -> Page[ThreadMetadata]:
        return paginate(_sorted(self.threads), after, min(limit, MOST_ROWS), order)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        if thread_id not in self.threads:
            raise NotFoundError(thread_id)
        rows = _sorted(self.items.get(thread_id, {}))
        return paginate(rows, after, min(limit, MOST_ROWS), order)


def _naive(row: Row) -> Row:
    """Return the row with a local time that names no zone."""
    created: datetime = row.created_at
    if created.tzinfo is not None:
        created = created.astimezone().replace(tzinfo=None)
    return row.model_copy(update={"created_at": created}, deep=True)


def _sorted(rows: dict[str, Row]) -> list[Row]:
    return sorted((row.model_copy(deep=True) for row in rows.values()), key=lambda r: r.created_at)
