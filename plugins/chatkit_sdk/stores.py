"""The author's stores for this server, and this server's store for the author's code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from chatkit.store import AttachmentStore, NotFoundError, Store, StoreItemType
from chatkit.types import (
    Attachment,
    AttachmentCreateParams,
    Page,
    ThreadItem,
    ThreadMetadata,
)

from chatkit_server import StoreContext, Turn, User
from chatkit_server.storage import LocalTimes, StoreView, in_local_time


@dataclass
class Call:
    """A method of the author's that works for a turn; `over` when it has returned.

    A task that it began and did not wait for may still use the store, as the turn's user.
    """

    turn: Turn
    over: bool = False

    @property
    def caller(self) -> StoreContext:
        """For whom tasks run that outlive the turn, by whose record nothing is written any more."""
        return StoreContext(self.turn.user, context=self.turn.request_context)


CALL: ContextVar[Call | None] = ContextVar("chatkit_sdk_call", default=None)
"""The call in which the author's code runs."""

_CALLS: defaultdict[int, list[Call]] = defaultdict(list)
"""The calls that have not returned, by the `id` of the author's context that they were given."""


def begin(turn: Turn) -> Call:
    """Begin a call for a turn."""
    call = Call(turn)
    _CALLS[id(turn.request_context)].append(call)
    return call


def end(call: Call) -> None:
    """Say that a call has returned."""
    call.over = True
    key = id(call.turn.request_context)
    _CALLS[key].remove(call)
    if not _CALLS[key]:
        del _CALLS[key]


def call_with(context: Any) -> Call | None:
    """Return the call for which code works that was given this context.

    That is the one in which it runs. But a task that a call has begun may work for later ones, too,
    as one that takes jobs from a queue does: it is known by the context of the job, unless several
    calls have the same.
    """
    own = CALL.get()
    if isinstance(context, _CONSTANTS) or (own is None and CALLER.get() is not None):
        return own
    if own is not None and context is own.turn.request_context:
        return own
    calls = _CALLS.get(id(context), [])
    return calls[0] if len(calls) == 1 else own


_CONSTANTS = (str, bytes, int, float, tuple, frozenset, type(None))
"""What may be the same object in code that has nothing to do with each other."""

CALLER: ContextVar[StoreContext | None] = ContextVar("chatkit_sdk_caller", default=None)
"""For whom the author's code runs outside a turn."""

MakeContext = Callable[[User], Awaitable[Any]]
"""Makes the author's context where there is no request."""


def authors_store(store: Store[Any], make_context: MakeContext) -> Store[StoreContext]:
    """Return a store of the author's for this server.

    While a turn runs, the author's code finds in it what the turn may see: nothing that a retry
    replaces. What the turn has begun and the author's code saves is known to this server.
    """
    own_ids = type(store).generate_thread_id is not Store.generate_thread_id or (
        type(store).generate_item_id is not Store.generate_item_id
    )
    adapted: Store[StoreContext]
    adapted = (_AuthorsStoreWithIds if own_ids else _AuthorsStore)(store, make_context)
    for name in ("load_thread_items", "load_item", "add_thread_item"):
        # A store with slots is used as it is
        with suppress(AttributeError):
            setattr(store, name, _in_turn(name, _original(store, name)))
    return LocalTimes(adapted)


def _original(store: Store[Any], name: str) -> Any:
    """Return a method of the author's store, which another application may have replaced."""
    method = getattr(store, name)
    return getattr(method, "_original", method)


def _in_turn(name: str, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def method(thread_id: str, *args: Any, **kwargs: Any) -> Any:
        call = CALL.get()
        if call is None or call.over or call.turn.thread.id != thread_id:
            return await original(thread_id, *args, **kwargs)
        return await getattr(call.turn.store, name)(thread_id, *args, **kwargs)

    vars(method)["_original"] = original
    return method


class _AuthorsStore(Store[StoreContext]):
    """Gives the author's store the author's context."""

    def __init__(self, store: Store[Any], make_context: MakeContext) -> None:
        self.store = store
        self._make_context = make_context
        self._load_thread_items = _original(store, "load_thread_items")
        self._load_item = _original(store, "load_item")
        self._add_thread_item = _original(store, "add_thread_item")

    async def load_thread(self, thread_id: str, context: StoreContext) -> ThreadMetadata:
        return await self.store.load_thread(thread_id, await self._of(context))

    async def save_thread(self, thread: ThreadMetadata, context: StoreContext) -> None:
        await self.store.save_thread(thread, await self._of(context))

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: StoreContext
    ) -> Page[ThreadMetadata]:
        return await self.store.load_threads(limit, after, order, await self._of(context))

    async def delete_thread(self, thread_id: str, context: StoreContext) -> None:
        await self.store.delete_thread(thread_id, await self._of(context))

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: StoreContext
    ) -> Page[ThreadItem]:
        given = await self._of(context)
        page: Page[ThreadItem]
        page = await self._load_thread_items(thread_id, after, limit, order, given)
        return page

    async def add_thread_item(
        self, thread_id: str, item: ThreadItem, context: StoreContext
    ) -> None:
        await self._add_thread_item(thread_id, item, await self._of(context))

    async def save_item(self, thread_id: str, item: ThreadItem, context: StoreContext) -> None:
        await self.store.save_item(thread_id, item, await self._of(context))

    async def load_item(self, thread_id: str, item_id: str, context: StoreContext) -> ThreadItem:
        item: ThreadItem | None
        item = await self._load_item(thread_id, item_id, await self._of(context))
        if item is None:
            raise NotFoundError(f"item {item_id} not found")
        return item

    async def delete_thread_item(self, thread_id: str, item_id: str, context: StoreContext) -> None:
        await self.store.delete_thread_item(thread_id, item_id, await self._of(context))

    async def save_attachment(self, attachment: Attachment, context: StoreContext) -> None:
        await self.store.save_attachment(attachment, await self._of(context))

    async def load_attachment(self, attachment_id: str, context: StoreContext) -> Attachment:
        return await self.store.load_attachment(attachment_id, await self._of(context))

    async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
        await self.store.delete_attachment(attachment_id, await self._of(context))

    async def _of(self, context: StoreContext) -> Any:
        return await _authors_context(context, self._make_context)


class _AuthorsStoreWithIds(_AuthorsStore):
    """The same, for a store that makes ids of its own."""

    def generate_thread_id(self, context: StoreContext) -> str:
        return self.store.generate_thread_id(context.context)

    def generate_item_id(
        self, item_type: StoreItemType, thread: ThreadMetadata, context: StoreContext
    ) -> str:
        return self.store.generate_item_id(item_type, in_local_time(thread), context.context)


async def _authors_context(context: StoreContext, make_context: MakeContext) -> Any:
    return await make_context(context.user) if context.context is None else context.context


class AuthorsAttachments(AttachmentStore[StoreContext]):
    """Gives the author's attachment store the author's context."""

    def __init__(self, store: AttachmentStore[Any], make_context: MakeContext) -> None:
        self.store = store
        self._make_context = make_context

    async def create_attachment(
        self, input: AttachmentCreateParams, context: StoreContext
    ) -> Attachment:
        given = await _authors_context(context, self._make_context)
        return await self.store.create_attachment(input, given)

    async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
        given = await _authors_context(context, self._make_context)
        await self.store.delete_attachment(attachment_id, given)

    def generate_attachment_id(self, mime_type: str, context: StoreContext) -> str:
        return self.store.generate_attachment_id(mime_type, context.context)


def _async(name: str) -> Any:
    async def method(self: OurStore, *args: Any, **kwargs: Any) -> Any:
        return _as_in_sdk(await getattr(self.view(*args, **kwargs), name)(*args, **kwargs))

    return method


def _as_in_sdk(answer: Any) -> Any:
    if isinstance(answer, Page):
        return answer.model_copy(update={"data": [in_local_time(one) for one in answer.data]})
    return in_local_time(answer) if hasattr(answer, "created_at") else answer


def _sync(name: str) -> Any:
    def method(self: OurStore, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.view(*args, **kwargs), name)(*args, **kwargs)

    return method


class OurStore(Store[Any]):
    """This server's store for the author's code, for the user for whom that runs.

    Its methods take the author's context.
    """

    def __init__(self) -> None:
        self._store: Store[StoreContext] | None = None

    def connect(self, store: Store[StoreContext]) -> None:
        """Use this store from now on."""
        self._store = store

    def view(self, *args: Any, **kwargs: Any) -> Store[Any]:
        """Return the store as the code may see it that calls a method with these arguments."""
        context = kwargs["context"] if "context" in kwargs else args[-1] if args else None
        call, caller = call_with(context), CALLER.get()
        if call is not None and not call.over:
            return call.turn.store
        if call is not None:
            caller = call.caller
        if self._store is None or caller is None:
            raise RuntimeError(
                "chatkit_sdk: `store: ours` finds no user here. It works in the methods of your "
                "server, and in routes of `app` whose request an `auth` plugin accepts"
            )
        return StoreView(self._store, caller)

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        """Save a thread, unless it was deleted: a task may save it long after its turn."""
        call, view = call_with(context), self.view(context)
        if call is not None and call.over and call.turn.thread.id == thread.id:
            await view.load_thread(thread.id, context)
        await view.save_thread(thread, context)

    generate_thread_id = _sync("generate_thread_id")
    generate_item_id = _sync("generate_item_id")
    load_thread = _async("load_thread")
    load_threads = _async("load_threads")
    delete_thread = _async("delete_thread")
    load_thread_items = _async("load_thread_items")
    add_thread_item = _async("add_thread_item")
    save_item = _async("save_item")
    load_item = _async("load_item")
    delete_thread_item = _async("delete_thread_item")
    save_attachment = _async("save_attachment")
    load_attachment = _async("load_attachment")
    delete_attachment = _async("delete_attachment")
