"""ChatKit's `Store` on the tables of this plugin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

from chatkit.store import NotFoundError, Store, StoreItemType, default_generate_id
from chatkit.types import Attachment, FeedbackKind, Page, ThreadItem, ThreadMetadata
from uuid_utils import uuid7

from chatkit_server import User
from chatkit_server.storage import StoreContext, TakenOver

from . import payloads, sql
from .database import Database
from .identities import require_storable, storable

T = TypeVar("T")
Ids = Sequence[str | None]

_MOST = 2**31 - 1
_FEEDBACK_AT_ONCE = 500
_MOST_CHANGES = 100
"""Writers who may be faster than a change of a thread."""


class TortoiseStore(Store[StoreContext]):
    """Stores threads, items and attachments; each is visible to its owner only.

    For what does not exist and for what belongs to another user, the error is the same:
    `NotFoundError`. Each method is atomic. A page ends early, with `has_more`, when its payloads
    have `page_size` bytes.
    """

    def __init__(self, database: Database, page_size: int) -> None:
        self._database = database
        self._page_size = page_size
        self._sqlite = database.address.is_sqlite
        self._guards_turns = False

    def guard_turns(self) -> None:
        """From now on, refuse writes by an old attempt at a turn, with `TakenOver`.

        With a turn in its context, a write then requires that the turn is running in
        `chatkit_turn`, at the context's attempt. A turn that is not in the table is not running: it
        never began, or ended long ago.
        """
        self._guards_turns = True

    def generate_thread_id(self, context: StoreContext) -> str:
        return _new_id("thread")

    def generate_item_id(
        self,
        item_type: StoreItemType,
        thread: ThreadMetadata,
        context: StoreContext,
    ) -> str:
        return _new_id(item_type)

    async def load_thread(self, thread_id: str, context: StoreContext) -> ThreadMetadata:
        row = await self._one(sql.LOAD_THREAD, context, (thread_id,))
        return payloads.load_thread(row["payload"])

    async def save_thread(self, thread: ThreadMetadata, context: StoreContext) -> None:
        payload = payloads.dump_thread(thread)
        await self._write(sql.SAVE_THREAD, context, (thread.id,), payload)

    async def change_thread(
        self,
        thread_id: str,
        change: Callable[[ThreadMetadata], ThreadMetadata],
        context: StoreContext,
    ) -> ThreadMetadata:
        """Save what `change` makes of a thread; again, if anybody was faster."""
        for _ in range(_MOST_CHANGES):
            row = await self._one(sql.LOAD_THREAD, context, (thread_id,))
            stored = payloads.load_thread(row["payload"])
            thread = change(stored)
            if thread is stored:
                return thread
            payload = payloads.dump_thread(thread)
            with suppress(NotFoundError):
                known = row["payload"]
                await self._write(sql.CHANGE_THREAD, context, (thread_id,), payload, known)
                return thread
        raise _not_found((thread_id,))

    async def delete_thread(self, thread_id: str, context: StoreContext) -> None:
        """Delete a thread with its items, attachments, feedback and turn records."""
        values = self._values(context, (thread_id,))
        async with self._database.transaction() as run:
            for statement in sql.DELETE_THREAD:
                rows = await run(statement, values)
            if not rows:
                raise _not_found((thread_id,))

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: StoreContext
    ) -> Page[ThreadMetadata]:
        statement = sql.page_of_threads(
            order, after=after is not None, most=self._page_size, sqlite=self._sqlite
        )
        limit = _limit(limit)
        ids = () if after is None else (after,)
        values = self._values(context, ids, limit + 1)
        rows = await self._database.rows(statement, values, self._page_size)
        if not rows and ids:
            await self._one(sql.LOAD_THREAD, context, ids)
        return self._page(rows, limit, payloads.load_thread)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: StoreContext
    ) -> Page[ThreadItem]:
        statement = sql.page_of_items(
            order, after=after is not None, most=self._page_size, sqlite=self._sqlite
        )
        limit = _limit(limit)
        ids = (thread_id,) if after is None else (thread_id, after)
        values = self._values(context, ids, limit + 1)
        rows = await self._database.rows(statement, values, self._page_size)
        if not rows:
            await self._one(sql.LOAD_THREAD if after is None else sql.LOAD_ITEM, context, ids)
        return self._page(rows, limit, payloads.load_item)

    async def add_thread_item(
        self, thread_id: str, item: ThreadItem, context: StoreContext
    ) -> None:
        """Add an item at the end; one that is there already is changed where it stands."""
        payload = payloads.dump_item(item)
        await self._write(sql.SAVE_ITEM, context, (thread_id, item.id), payload)

    async def save_item(self, thread_id: str, item: ThreadItem, context: StoreContext) -> None:
        await self.add_thread_item(thread_id, item, context)

    async def load_item(self, thread_id: str, item_id: str, context: StoreContext) -> ThreadItem:
        row = await self._one(sql.LOAD_ITEM, context, (thread_id, item_id))
        return payloads.load_item(row["payload"])

    async def delete_thread_item(self, thread_id: str, item_id: str, context: StoreContext) -> None:
        await self._write(sql.DELETE_ITEM, context, (thread_id, item_id))

    async def save_attachment(self, attachment: Attachment, context: StoreContext) -> None:
        payload = payloads.dump_attachment(attachment)
        ids = (attachment.id, attachment.thread_id)
        await self._write(sql.SAVE_ATTACHMENT, context, ids, payload)

    async def load_attachment(self, attachment_id: str, context: StoreContext) -> Attachment:
        row = await self._one(sql.LOAD_ATTACHMENT, context, (attachment_id,))
        return payloads.load_attachment(row["payload"])

    async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
        await self._one(sql.DELETE_ATTACHMENT, context, (attachment_id,))

    async def save_feedback(
        self, user: User, thread_id: str, item_ids: Sequence[str], kind: FeedbackKind
    ) -> None:
        """Store a thumb for each item of the thread, replacing earlier ones; skip unknown items."""
        known = [item_id for item_id in item_ids if storable(item_id)]
        for begin in range(0, len(known), _FEEDBACK_AT_ONCE):
            ids = known[begin : begin + _FEEDBACK_AT_ONCE]
            statement = sql.save_feedback(len(ids))
            await self._rows(statement, StoreContext(user), (thread_id, *ids), kind)

    def _page(self, rows: list[dict[str, Any]], limit: int, parse: Callable[[str], T]) -> Page[T]:
        """Return a page; `rows` were queried with one more than the limit."""
        data: list[T] = []
        size = 0
        for row in rows[:limit]:
            if size >= self._page_size or row["payload"] is None:
                break
            data.append(parse(row["payload"]))
            size += payloads.size_of(row["payload"])
        has_more = len(rows) > len(data)
        return Page(
            data=data,
            has_more=has_more,
            after=rows[len(data) - 1]["id"] if has_more else None,
        )

    async def _write(self, statement: str, context: StoreContext, ids: Ids, *values: Any) -> None:
        """Run a statement that writes; for a turn, only as its current attempt."""
        if context.turn_id is None or not self._guards_turns:
            await self._one(statement, context, ids, *values)
            return
        turn = (context.turn_id, context.attempt)
        if not storable(context.turn_id):
            raise _taken_over()
        if await self._rows(sql.guarded(statement), context, ids, *values, *turn):
            return
        if not await self._rows(sql.AT_ATTEMPT, context, turn[:1], *turn[1:]):
            raise _taken_over()
        raise _not_found(ids)

    async def _one(
        self, statement: str, context: StoreContext, ids: Ids, *values: Any
    ) -> dict[str, Any]:
        rows = await self._rows(statement, context, ids, *values)
        if not rows:
            raise _not_found(ids)
        return rows[0]

    async def _rows(
        self, statement: str, context: StoreContext, ids: Ids, *values: Any
    ) -> list[dict[str, Any]]:
        return await self._database.rows(statement, self._values(context, ids, *values))

    def _values(self, context: StoreContext, ids: Ids, *values: Any) -> tuple[Any, ...]:
        """Return the parameters of a statement; checks the user and the ids."""
        user = context.user
        require_storable(user)
        if not all(one is None or storable(one) for one in ids):
            raise _not_found(ids)
        return (user.tenant, user.id, *ids, *values)


def _new_id(item_type: StoreItemType) -> str:
    return f"{_prefix(item_type)}_{uuid7().hex}"


@cache
def _prefix(item_type: StoreItemType) -> str:
    return default_generate_id(item_type).partition("_")[0]


def _not_found(ids: Ids) -> NotFoundError:
    return NotFoundError(f"not there: {' / '.join(repr(one)[:80] for one in ids)}")


def _taken_over() -> TakenOver:
    return TakenOver("Another process has taken this turn over, or it has ended.")


def _limit(limit: int) -> int:
    return min(max(limit, 1), _MOST)
