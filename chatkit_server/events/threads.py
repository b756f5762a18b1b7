"""Saves what was changed in a thread, and nothing else of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from chatkit.store import NotFoundError, Store
from chatkit.types import Page, Thread, ThreadItem, ThreadMetadata

from ..paging import aware
from ..text import valid_values
from ..turn import StoreContext

TICK = timedelta(milliseconds=1)
"""The time between two items: some stores sort by it alone, and keep it in milliseconds."""

AHEAD = timedelta(minutes=1)
"""How far in the future the time of an item may be to put off those after it."""

MANY = 1000


class ThreadWriter:
    """Saves changes of threads, one after the other for each thread.

    Several write to a thread at once: an answer, actions beside it, a user who renames it. Each has
    loaded the thread at another time. So the fields that one of them has changed, and the keys of
    `metadata`, are put onto the thread as it is stored now. This holds within a process; another
    process may still write between the two steps.
    """

    def __init__(self, store: Store[StoreContext]) -> None:
        self._store = store
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._ahead: dict[str, datetime] = {}
        """The time of the newest item of each thread where that is still to come."""

    def later(self, thread_id: str, time: datetime) -> datetime:
        """Return the time for a new item: this one, unless an item of the thread has a later one.

        Items that come at once get times in the future. The next turn may begin before that.
        """
        now = datetime.now(UTC)
        last = self._ahead.pop(thread_id, None)
        if last is not None:
            time = max(time, last + TICK)
        if now < time < now + AHEAD:
            self._ahead[thread_id] = time
            if len(self._ahead) > MANY:
                self._ahead = {key: one for key, one in self._ahead.items() if one > now}
        return time

    async def save(
        self, thread: ThreadMetadata, known: Mapping[str, Any], context: StoreContext
    ) -> ThreadMetadata:
        """Save what differs between a thread and `known`, which it was when it was written out.

        Return the thread as it is stored then. Raises what the store raises, `NotFoundError` for a
        thread that was deleted.
        """
        lock = self._locks.setdefault(thread.id, asyncio.Lock())
        async with lock:
            stored = await self._store.load_thread(thread.id, context)
            if stored is None:
                raise NotFoundError(thread.id)
            merged = stored.model_copy(update=_changes(thread, known, stored))
            await self._store.save_thread(merged, context)
        return merged

    async def save_changes(
        self, thread: ThreadMetadata, known: Mapping[str, Any], context: StoreContext
    ) -> None:
        """Do the same if anything differs."""
        if written(thread) != known:
            valid = valid_values(thread)
            error = take_back_wrong_values(valid, known)
            await self.save(valid, known, context)
            if error is not None:
                raise error


def _changes(
    thread: ThreadMetadata, known: Mapping[str, Any], stored: ThreadMetadata
) -> dict[str, Any]:
    """Return the fields to change in the stored thread, by name."""
    now = written(thread)
    changes = {name: getattr(thread, name) for name, v in now.items() if known.get(name) != v}
    if "metadata" in changes:
        before, after = known.get("metadata") or {}, now["metadata"] or {}
        gone = before.keys() - after.keys()
        kept = {k: v for k, v in (stored.metadata or {}).items() if k not in gone}
        new = {k: thread.metadata[k] for k, v in after.items() if k not in before or before[k] != v}
        changes["metadata"] = kept | new
    return changes


def written(thread: ThreadMetadata) -> dict[str, Any]:
    """Return what may change of a thread, to compare it with what it is later."""
    return thread.model_dump(exclude={"id", "created_at"}, warnings=False)


def take_back_wrong_values(thread: ThreadMetadata, known: Mapping[str, Any]) -> TypeError | None:
    """Give the fields that were set to what no thread can have their values in `known` again.

    Returns the error to raise when the rest is saved. Stored, such a value would keep the thread
    from ever being loaded.
    """
    wrong = []
    for name, now in written(thread).items():
        if now == known.get(name):
            continue
        value = getattr(thread, name)
        try:
            _alone(name, value)
        except (ValueError, TypeError, RecursionError):
            setattr(thread, name, getattr(_alone(name, known[name]), name))
            wrong.append(f"`turn.thread.{name}` ({type(value).__name__})")
    return TypeError(f"wrong value of {' and '.join(wrong)}") if wrong else None


def _alone(name: str, value: Any) -> ThreadMetadata:
    """Return a thread with this field, as a store would load it."""
    thread = ThreadMetadata(id="thread", created_at=datetime.now(UTC))
    changed = thread.model_copy(update={name: value})
    return ThreadMetadata.model_validate_json(changed.model_dump_json(warnings=False))


def as_thread(thread: ThreadMetadata, items: Page[ThreadItem] | None = None) -> Thread:
    """Return a thread as a client may see it: the server's own `metadata` stays here."""
    return Thread(
        id=thread.id,
        title=thread.title,
        created_at=aware(thread.created_at),
        status=thread.status,
        allowed_image_domains=thread.allowed_image_domains,
        items=items or Page(),
    )
