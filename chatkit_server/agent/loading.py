"""The newest items of a thread, as many as a turn needs of them."""

from __future__ import annotations

from collections.abc import Awaitable

from chatkit.store import Store
from chatkit.types import Page, ThreadItem, UserMessageItem

from ..paging import pages
from ..settings.schema import HistorySettings
from ..turn import StoreContext

_FURTHEST = 500
"""How many items more than the budget are looked through for the user's newest message."""

_PAGE = 50


async def load_history(
    store: Store[StoreContext],
    context: StoreContext,
    thread_id: str,
    budget: HistorySettings,
    until: str | None = None,
) -> list[ThreadItem]:
    """Return the newest items of a thread, oldest first, as many as the budget may need.

    They are more than that if the user's newest message is not among them: what waits for the user
    is after it. With `until`, the items from that one on are left out. It is found on the way: not
    every store can begin at an item.
    """
    newest: list[ThreadItem] = []
    found = until is None
    needed = 0

    def load(after: str | None) -> Awaitable[Page[ThreadItem]]:
        missing = budget.items - len(newest)
        limit = min(_PAGE, missing) if missing > 0 else _PAGE
        return store.load_thread_items(thread_id, after, limit, "desc", context)

    async for page in pages(load):
        for item in page.data:
            if found:
                newest.append(item)
                if not needed and isinstance(item, UserMessageItem):
                    needed = max(len(newest), budget.items)
            found = found or item.id == until
        if len(newest) >= (needed or budget.items + _FURTHEST):
            break
    return newest[: needed or None][::-1]
