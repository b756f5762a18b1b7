"""A turn as the stores have it: what is saved, and what it has said since."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chatkit.store import NotFoundError, Store
from chatkit.types import ThreadItem, ThreadMetadata, UserMessageItem

from ..errors import NotFound
from ..events.partial import PartialAnswer
from ..ids import time_of
from ..paging import aware
from ..records import log_error, repeats
from ..turn import StoreContext
from ..turns.accepted import AcceptedRequest
from ..turns.store import TurnRecord

MOST_ITEMS = 200
"""Items of a thread that are looked at for those of a turn."""

_PAGE = 50

_ACTIONS = ("threads.custom_action", "threads.sync_custom_action")
"""Operations that change items of earlier turns, and may have none of their own."""

_NEW_MESSAGES = ("threads.create", "threads.add_user_message")
"""Operations whose message comes after everything that was there before."""

_LATEST = 20
"""Items that such an operation may have changed."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SavedTurn:
    """What the stores know of a turn: its record, its thread, and its items, oldest first.

    `partial` is what it has said after those, up to the event `position`. Once the turn is over,
    the items are all there is. `thread` is None if it is gone.
    """

    record: TurnRecord
    thread: ThreadMetadata | None
    items: Sequence[ThreadItem] = ()
    partial: PartialAnswer = field(default_factory=PartialAnswer)

    @property
    def is_over(self) -> bool:
        """Whether the turn has ended."""
        return self.record.is_over

    @property
    def position(self) -> int:
        """The number of the last event that is in it."""
        return self.partial.events


def partial_of(record: TurnRecord) -> PartialAnswer:
    """Return what a turn has said and not saved; nothing if it cannot be read."""
    try:
        return PartialAnswer.load(record.partial)
    except Exception as error:
        # Another version of the server may have written it
        what = "its partial answer cannot be read"
        again = repeats(f"{what}: {type(error).__name__}", "turn", record.id)
        log_error(log, logging.WARNING, error, f"turn %s: {what}", record.id, extra=again)
        return PartialAnswer()


Show = Callable[[ThreadItem, StoreContext], ThreadItem]
"""Makes an item what its page gets."""


async def load_turn(
    record: TurnRecord,
    partial: PartialAnswer,
    store: Store[StoreContext],
    context: StoreContext,
    show: Show,
) -> SavedTurn:
    """Read what is saved of a turn. Raises what the store raises."""
    thread: ThreadMetadata | None = None
    with suppress(NotFoundError, NotFound):
        thread = await store.load_thread(record.thread_id, context)
    if thread is None:
        return SavedTurn(record, None, partial=partial)
    items = await _items(record, partial, store, context)
    saved = {item.id for item in items}
    still = [i for i in partial.items if i.id not in saved or not partial.begun.get(i.id)]
    opened = {item.id for item in still}
    items = [show(item, context) for item in items if item.id not in opened]
    return SavedTurn(record, thread, items, replace(partial, items=still))


def _message_of(record: TurnRecord) -> str | None:
    """Return the id of the message of a turn that was accepted: it may have begun much later."""
    if record.accepted is None:
        return None
    try:
        return AcceptedRequest.load(record.accepted).message.id
    except ValueError as error:
        # Another version of the server may have written it
        what = "what it was to answer cannot be read"
        again = repeats(f"{what}: {type(error).__name__}", "turn", record.id)
        log_error(log, logging.WARNING, error, f"turn %s: {what}", record.id, extra=again)
        return None


def _is_before(item: ThreadItem, began: datetime | None) -> bool:
    """Whether an item was made before a turn, whose time is that of its id, in milliseconds."""
    return began is not None and aware(item.created_at) < began + timedelta(milliseconds=1)


async def _items(
    record: TurnRecord, partial: PartialAnswer, store: Store[StoreContext], context: StoreContext
) -> list[ThreadItem]:
    """Return the items of a turn, oldest first: those it has noted, and once it is over, those
    since it began.

    Until then, the events of others come after the partial answer. Those of later turns, from their
    messages on, are none of it. Nor is the message of the turn before, where the turn's own one
    was never saved.
    """
    began, noted, message = time_of(record.id), set(partial.saved), _message_of(record)
    found: list[ThreadItem] = []
    has_asked = has_earlier = False
    after: str | None = None
    for _ in range(MOST_ITEMS // _PAGE):
        page = await store.load_thread_items(record.thread_id, after, _PAGE, "desc", context)
        for index, item in enumerate(page.data):
            is_old = began is not None and aware(item.created_at) < began
            said = isinstance(item, UserMessageItem)
            asked = item.id == message if message else said and _is_before(item, began)
            is_noted = item.id in noted
            if said and not asked and not is_noted and began is not None:
                found.clear()
                continue
            if asked and (has_asked or has_earlier) and not is_noted:
                # It was asked in an earlier turn
                return found[::-1]
            if is_old and not said and not is_noted and record.operation in _NEW_MESSAGES:
                has_earlier = True
            has_asked = has_asked or said
            recent = is_old and record.operation in _ACTIONS and index < _LATEST
            if (record.is_over and not is_old) or asked or recent or is_noted:
                found.append(item)
                noted.discard(item.id)
            if asked or (began is None and isinstance(item, UserMessageItem)):
                return found[::-1]
        after = page.after
        if not page.has_more or after is None:
            break
    return found[::-1]
