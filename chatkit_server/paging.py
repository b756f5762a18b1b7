"""Reads stores page by page, also those that answer a little otherwise than they are asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import TypeVar

from chatkit.types import Page, ThreadItem, ThreadMetadata

RowT = TypeVar("RowT", ThreadItem, ThreadMetadata)

MOST_EMPTY = 10
"""Pages in a row without anything new, after which a store is believed to have no more."""


async def pages(
    load: Callable[[str | None], Awaitable[Page[RowT]]], after: str | None = None
) -> AsyncIterator[Page[RowT]]:
    """Yield pages as `load(after)` returns them, until there are no more.

    A store may return shorter or longer pages than asked for, empty ones, or none of the cursors
    that it should: the last id is one then. What came before is left out, and a store that always
    returns the same ends here. Times of items get their zone.
    """
    seen = {after}
    used = {after}
    empty = 0
    while True:
        page = await load(after)
        new = [row for row in page.data if row.id not in seen]
        seen.update(row.id for row in new)
        empty = 0 if new else empty + 1
        after = page.after or (page.data[-1].id if page.data else None)
        more = page.has_more and after not in used and empty < MOST_EMPTY
        used.add(after)
        yield Page(data=[_dated(row) for row in new], has_more=more, after=after)
        if not more:
            return


def goes_on_within(page: Page[RowT]) -> bool:
    """Whether the next page may begin after any row of this one.

    Where a store's cursors are no ids, it can begin only where the store says.
    """
    return not page.has_more or any(row.id == page.after for row in page.data)


def _dated(row: RowT) -> RowT:
    return row if isinstance(row, ThreadMetadata) else dated(row)


def dated(item: ThreadItem) -> ThreadItem:
    """Return an item whose time has a zone."""
    if item.created_at.tzinfo is not None:
        return item
    return item.model_copy(update={"created_at": aware(item.created_at)})


def in_place(item: ThreadItem, known: Iterable[ThreadItem]) -> ThreadItem:
    """Return an item with the time of the one that it replaces: by that, it has its place."""
    time = next((one for one in known if one.id == item.id), item).created_at
    return item.model_copy(update={"created_at": aware(time)})


def aware(time: datetime) -> datetime:
    """Return a time with its zone. ChatKit's helpers, and stores made for them, give local ones."""
    return time if time.tzinfo is not None else time.astimezone(UTC)
