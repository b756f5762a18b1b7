"""Who asks, and what several operations do: load, check, refuse."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from chatkit.store import AttachmentStore, NotFoundError, Store
from chatkit.types import Page, ThreadItem, ThreadMetadata
from pydantic import BaseModel

from ...elsewhere.turns import TurnsElsewhere
from ...errors import NotFound, ServerError, Unprocessable
from ...events.shared import EventLog
from ...events.threads import ThreadWriter
from ...events.wire import ChatKitWire, WireFormat, is_hidden
from ...ids import MAX_ID_LENGTH, is_id
from ...known_errors import as_server_error
from ...paging import dated, pages
from ...plugin.call import PluginFailed
from ...plugin.calls import Hooks
from ...records import log_error, place_of, repeats
from ...tasks import Escaped, contained
from ...turn import StoreContext, TurnRequest, User
from ...turns.conversation import Conversations
from ...turns.heartbeat import Heartbeat
from ...turns.job import TurnPlan
from ...turns.registry import TurnRegistry
from ...turns.running import RunningTurn
from ...turns.writable import require_writable
from ...words import words
from .limits import RequestGuard

log = logging.getLogger(__name__)

PAGE_SIZE = 20

MAX_PAGE_SIZE = 100

AT_ONCE = 25
"""Rows that are asked of a store at once: together they may be large."""

Answer = BaseModel | bytes | None
"""The answer of an operation that starts no turn, or its JSON; None is an empty object."""


@dataclass(frozen=True)
class Caller:
    """The user who asks, and the parts of the server that an operation needs."""

    user: User
    store: Store[StoreContext]
    attachment_store: AttachmentStore[StoreContext] | None
    hooks: Hooks
    turns: TurnRegistry
    guard: RequestGuard
    threads: ThreadWriter
    conversations: Conversations
    heartbeat: Heartbeat
    elsewhere: TurnsElsewhere
    locale: str | None = None
    given: Any = None
    """What a `context` hook returned for the request."""
    request: TurnRequest = field(default_factory=TurnRequest)

    @property
    def context(self) -> StoreContext:
        """The caller, as stores take it."""
        return StoreContext(self.user, context=self.given)

    @property
    def request_context(self) -> Any:
        """What hooks get as the context of the request."""
        return self.context if self.given is None else self.given

    @property
    def events(self) -> EventLog:
        """What tells other processes, and pages that watch."""
        return self.elsewhere.events

    def running(self, thread_id: str) -> RunningTurn | None:
        """Return the turn that runs in a thread of the caller's."""
        return self.turns.in_thread(thread_id, self.user)


async def writable_thread(caller: Caller, thread_id: str) -> ThreadMetadata:
    """Return the caller's thread, if it accepts messages.

    Raises `NotFound`, or `Conflict` with the reason why it is locked or closed.
    """
    thread = await load_thread(caller, thread_id)
    require_writable(thread)
    return thread


async def load_thread(caller: Caller, thread_id: str) -> ThreadMetadata:
    await caller.heartbeat.open(thread_id, caller.context)
    try:
        thread = await caller.store.load_thread(checked_id(thread_id), caller.context)
    except NotFoundError:
        thread = None
    if thread is None:
        raise NotFound(words("Conversation not found."))
    return thread


async def load_item(caller: Caller, thread_id: str, item_id: str) -> ThreadItem:
    try:
        item = await caller.store.load_item(thread_id, checked_id(item_id), caller.context)
    except NotFoundError:
        item = None
    if item is None or item.thread_id != thread_id or is_hidden(item):
        raise NotFound(
            words("Item {id} not found in this conversation.", id=item_id[:MAX_ID_LENGTH])
        )
    return dated(item)


def item_pages(caller: Caller, thread_id: str) -> AsyncIterator[Page[ThreadItem]]:
    """Yield the items of a thread, the newest first and hidden ones too, page by page."""

    def load(after: str | None) -> Awaitable[Page[ThreadItem]]:
        store = caller.store
        return store.load_thread_items(thread_id, after, AT_ONCE, "desc", caller.context)

    return pages(load)


def new_plan(
    caller: Caller,
    operation: str,
    thread: ThreadMetadata,
    wire: WireFormat | None = None,
    **rest: Any,
) -> TurnPlan:
    return TurnPlan(
        operation,
        caller.user,
        thread,
        wire or ChatKitWire(),
        locale=caller.locale,
        context=caller.given,
        request=caller.request,
        **rest,
    )


def require_hook(caller: Caller, hook: str) -> None:
    if not caller.hooks.implemented(hook):
        raise Unprocessable(words("No enabled plugin implements the hook `{hook}`.", hook=hook))


async def call_first(caller: Caller, hook: str, **arguments: Any) -> Any:
    with refusing(hook):
        return await caller.hooks.first(hook, **arguments)


@contextmanager
def refusing(hook: str) -> Iterator[None]:
    """Turn a plugin's failure into a 422: ChatKit retries after a 5xx."""
    try:
        yield
    except PluginFailed as error:
        raise Unprocessable(words("A plugin's `{hook}` hook failed.", hook=hook)) from error
    except ServerError as error:
        if error.status < 500:
            raise
        raise Unprocessable(error.message) from error


@contextmanager
def asking_attachments() -> Iterator[None]:
    """Tell what an attachment store refuses; turn its other failures into a 422.

    While it is away, its error passes as that of any other store: the request may be repeated.
    """
    what = "The attachment store"
    try:
        with contained():
            yield
    except NotImplementedError as error:
        raise Unprocessable(words("The attachment store cannot do this.")) from error
    except Exception as error:
        if as_server_error(error) is not None:
            raise
        cause = error.error if isinstance(error, Escaped) else error
        again = repeats(f"{what}: {type(cause).__name__} in {place_of(cause)}", "call failed")
        log_error(log, logging.ERROR, cause, "%s failed", what, extra=again)
        raise Unprocessable(words("The attachment store failed.")) from error


def checked_id(value: str) -> str:
    """Return an id that can be looked up; raise `NotFound` for one that no store has made."""
    if not is_id(value):
        raise NotFound(words("Not found."))
    return value
