"""Who asks, and what every operation does: load, check, refuse."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chatkit.store import AttachmentStore, NotFoundError, Store
from chatkit.types import (
    ClosedStatus,
    LockedStatus,
    Page,
    ThreadItem,
    ThreadMetadata,
    WidgetItem,
)
from pydantic import BaseModel

from ...errors import BadRequest, Conflict, NotFound, ServerError, Unprocessable
from ...events.wire import ChatKitWire, is_hidden
from ...plugin.calls import Hooks, PluginFailed
from ...turn import StoreContext, User
from ...turns.job import TurnPlan
from ...turns.registry import TurnRegistry
from ...turns.running import RunningTurn

log = logging.getLogger(__name__)

PAGE_SIZE = 20

MAX_PAGE_SIZE = 100

MAX_ID_LENGTH = 200

Answer = BaseModel | None
"""What an operation answers at once; None is an empty object."""


@dataclass(frozen=True)
class Caller:
    """Who asks, and what an operation needs to answer."""

    user: User
    store: Store[StoreContext]
    attachment_store: AttachmentStore[StoreContext] | None
    hooks: Hooks
    turns: TurnRegistry
    locale: str | None = None

    @property
    def context(self) -> StoreContext:
        """The caller, as a store is asked."""
        return StoreContext(self.user)

    def running(self, thread_id: str) -> RunningTurn | None:
        """Return the turn that runs in a thread of the caller's."""
        return self.turns.in_thread(thread_id, self.user)


async def writable_thread(caller: Caller, thread_id: str) -> ThreadMetadata:
    """Return the caller's thread, if it takes messages.

    Raises `NotFound`, or `Conflict` with the reason for which it is locked or closed.
    """
    thread = await load_thread(caller, thread_id)
    if isinstance(thread.status, LockedStatus | ClosedStatus):
        reason = f": {thread.status.reason}" if thread.status.reason else "."
        raise Conflict(f"This conversation is {thread.status.type}{reason}")
    return thread


async def load_thread(caller: Caller, thread_id: str) -> ThreadMetadata:
    try:
        return await caller.store.load_thread(checked_id(thread_id) or "", caller.context)
    except NotFoundError:
        raise NotFound("This conversation is not there.") from None


async def load_item(caller: Caller, thread_id: str, item_id: str) -> ThreadItem:
    try:
        item = await caller.store.load_item(thread_id, checked_id(item_id) or "", caller.context)
    except NotFoundError:
        item = None
    if item is None or is_hidden(item):
        raise NotFound(f"The item {item_id[:MAX_ID_LENGTH]} is not in this conversation.")
    return item


async def load_sender(caller: Caller, thread_id: str, item_id: str | None) -> WidgetItem | None:
    if item_id is None:
        return None
    item = await load_item(caller, thread_id, item_id)
    if not isinstance(item, WidgetItem):
        raise BadRequest("params.item_id: an action comes from a widget, and this is none.")
    return item


async def load_items(
    caller: Caller, thread_id: str, after: str | None, limit: int, order: str
) -> Page[ThreadItem]:
    """Return a page of visible items: hidden ones do not shorten it."""
    visible: list[ThreadItem] = []
    while True:
        page = await caller.store.load_thread_items(
            thread_id, after, limit + 1, order, caller.context
        )
        visible += [item for item in page.data if not is_hidden(item)]
        if len(visible) > limit or not page.has_more:
            break
        after = page.after
    has_more = len(visible) > limit
    visible = visible[:limit]
    return Page(data=visible, has_more=has_more, after=visible[-1].id if has_more else None)


def new_plan(caller: Caller, operation: str, thread: ThreadMetadata, **rest: Any) -> TurnPlan:
    return TurnPlan(operation, caller.user, thread, ChatKitWire(), locale=caller.locale, **rest)


def require_hook(caller: Caller, hook: str) -> None:
    if not caller.hooks.implemented(hook):
        raise Unprocessable(f"No enabled plugin implements the hook `{hook}`.")


async def call_first(caller: Caller, hook: str, **arguments: Any) -> Any:
    with refusing(f"A plugin's `{hook}` hook"):
        return await caller.hooks.first(hook, **arguments)


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Make a failure of a plugin a 4xx, which is final: after a 5xx the client asks again."""
    try:
        yield
    except NotFoundError:
        raise
    except PluginFailed as error:
        raise Unprocessable(f"{what} failed.") from error
    except ServerError as error:
        if error.status < 500:
            raise
        raise Unprocessable(error.message) from error
    except NotImplementedError as error:
        raise Unprocessable(f"{what} cannot do this.") from error
    except Exception as error:
        log.exception("%s failed", what)
        raise Unprocessable(f"{what} failed.") from error


def require_attachment_store(caller: Caller) -> AttachmentStore[StoreContext]:
    if caller.attachment_store is None:
        raise Unprocessable("No enabled plugin implements the hook `attachment_store`.")
    return caller.attachment_store


def page_limit(limit: int | None) -> int:
    if limit is None:
        return PAGE_SIZE
    if limit < 1:
        raise BadRequest("params.limit: at least 1 is needed.")
    return min(limit, MAX_PAGE_SIZE)


def checked_id(value: str | None) -> str | None:
    if value is not None and (len(value) > MAX_ID_LENGTH or not value.isprintable()):
        raise NotFound("It is not there.")
    return value
