"""Saves what was changed in a thread, and nothing else of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from weakref import WeakValueDictionary

from chatkit.store import NotFoundError, Store
from chatkit.types import Page, Thread, ThreadItem, ThreadMetadata

from ..paging import aware
from ..text import valid_values
from ..turn import StoreContext
from .places import news, place_of_thread
from .shared import EventLog, NoEventLog

TICK = timedelta(milliseconds=1)
"""The time between two items: some stores sort by it alone, and keep it in milliseconds."""

AHEAD = timedelta(minutes=1)
"""How far in the future the time of an item may be to put off those after it."""

MANY = 1000

TITLE_BY = "title_by"
"""The key of a thread's `metadata` where a plugin may note that the title is its own."""


ThreadChange = Callable[[ThreadMetadata], ThreadMetadata]
ChangeThread = Callable[[str, ThreadChange, StoreContext], Awaitable[ThreadMetadata]]


class AtomicThreads(Protocol):
    """What a store may have beside the methods of ChatKit's `Store`."""

    async def change_thread(
        self, thread_id: str, change: ThreadChange, context: StoreContext
    ) -> ThreadMetadata:
        """Save what `change` makes of the thread as it is stored, and return it.

        Nobody else may write to the thread in between, in other processes too. `change` may be
        called again if somebody does. Raises `NotFoundError` for a thread that is not there.
        """


class ThreadWriter:
    """Saves changes of threads, one after the other for each thread.

    Several write to a thread at once: an answer, actions beside it, a user who renames it. Each has
    loaded the thread at another time. So the fields that one of them has changed, and the keys of
    `metadata`, are put onto the thread as it is stored now. With a store that is `AtomicThreads`,
    nobody writes between the two steps; with others, only another process may. Those who watch a
    thread are told by `events`.
    """

    def __init__(self, store: Store[StoreContext], events: EventLog | None = None) -> None:
        self._store = store
        self._events = events or NoEventLog()
        self._change: ChangeThread | None = getattr(store, "change_thread", None)
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

        def merged(stored: ThreadMetadata) -> ThreadMetadata:
            return stored.model_copy(update=_changes(thread, known, stored))

        return await self._write(thread.id, merged, context)

    async def change(
        self, thread_id: str, change: Callable[[ThreadMetadata], None], context: StoreContext
    ) -> tuple[ThreadMetadata, ThreadMetadata]:
        """Let `change` set fields of the thread as it is stored; return it as it was, and is now.

        Nothing is written if it sets none. Raises what the store raises, and `TypeError` for a
        value that no thread can have.
        """
        before: list[ThreadMetadata] = []

        def changed(stored: ThreadMetadata) -> ThreadMetadata:
            before[:] = [stored]
            now = stored.model_copy(deep=True)
            change(now)
            now = valid_values(now)
            if error := take_back_wrong_values(now, written(stored)):
                raise error
            return stored if written(now) == written(stored) else now

        after = await self._write(thread_id, changed, context)
        return before[0], after

    async def _write(
        self, thread_id: str, change: ThreadChange, context: StoreContext
    ) -> ThreadMetadata:
        after = await self._changed(thread_id, change, context)
        self._events.tell(place_of_thread(context.user, thread_id), news("thread"))
        return after

    async def _changed(
        self, thread_id: str, change: ThreadChange, context: StoreContext
    ) -> ThreadMetadata:
        lock = self._locks.setdefault(thread_id, asyncio.Lock())
        async with lock:
            if self._change is not None:
                return await self._change(thread_id, change, context)
            stored = await self._store.load_thread(thread_id, context)
            if stored is None:
                raise NotFoundError(thread_id)
            after = change(stored)
            if after is not stored:
                await self._store.save_thread(after, context)
            return after


def _changes(
    thread: ThreadMetadata, known: Mapping[str, Any], stored: ThreadMetadata
) -> dict[str, Any]:
    """Return the fields to change in the stored thread, by name."""
    now = written(thread)
    changes = {name: getattr(thread, name) for name, v in now.items() if known.get(name) != v}
    if "metadata" in changes:
        before, after = known.get("metadata") or {}, now["metadata"] or {}
        changes["metadata"] = _put_onto(stored.metadata or {}, before, after)
    return changes


def follow(
    thread: ThreadMetadata,
    known: Mapping[str, Any],
    before: ThreadMetadata,
    after: ThreadMetadata,
) -> dict[str, Any]:
    """Give a thread what was changed in the stored one, and no more; return what is known now.

    `known` is what it was when it was written out last. What has changed since is not saved yet,
    and stays.
    """
    was, now, mine = written(before), written(after), written(thread)
    changed = {name: value for name, value in now.items() if was[name] != value}
    for name in changed:
        if name == "metadata":
            stored, unsaved = known[name] or {}, mine[name] or {}
            changed[name] = _put_onto(stored, was[name] or {}, now[name] or {})
            thread.metadata = _put_onto(changed[name], stored, unsaved)
        elif mine[name] == known[name]:
            setattr(thread, name, deepcopy(getattr(after, name)))
    return {**known, **changed}


def _put_onto(
    base: Mapping[str, Any], was: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, Any]:
    """Return `base` with the keys that were changed between the other two."""
    gone = was.keys() - now.keys()
    changed = {key: one for key, one in now.items() if key not in was or was[key] != one}
    return {key: one for key, one in base.items() if key not in gone} | changed


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
