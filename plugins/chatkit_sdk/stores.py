"""The author's stores for this server, and this server's store for the author's code."""

from __future__ import annotations

import inspect
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

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

log = logging.getLogger(__name__)


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


T = TypeVar("T")

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

NOTHING = object()
"""Stands for a context of the author's that is None: for this server, None is no context."""


def wrapped(context: Any) -> Any:
    """Return a context of the author's as this server keeps it."""
    return NOTHING if context is None else context


def unwrapped(context: Any) -> Any:
    """Return what this server keeps as the author's context."""
    return None if context is NOTHING else context


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
    in_sdk = _in_sdk(name)

    async def method(*args: Any, **kwargs: Any) -> Any:
        call = CALL.get()
        if call is None or call.over:
            return await original(*args, **kwargs)
        given = _given(in_sdk, original, args, kwargs)
        if given is None:
            return _shown(call.turn, await original(*args, **kwargs))
        if given["thread_id"] != call.turn.thread.id:
            return await original(*args, **kwargs)
        given["context"] = wrapped(given["context"])
        return await getattr(call.turn.store, name)(**given)

    vars(method)["_original"] = original
    return method


def _in_sdk(name: str) -> inspect.Signature:
    """Return how the SDK knows a store's method, without `self`."""
    return inspect.signature(getattr(Store, name).__get__(object()))


def _given(
    in_sdk: inspect.Signature, original: Callable[..., Any], args: Any, kwargs: dict[str, Any]
) -> dict[str, Any] | None:
    """Return a call's arguments by the SDK's names, with the author's defaults.

    None if it has others: only the author's method understands them.
    """
    own = inspect.signature(original)
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in own.parameters.values()):
        own = in_sdk
    try:
        bound = own.bind(*args, **kwargs)
    except TypeError:
        return None
    passed = set(bound.arguments)
    bound.apply_defaults()
    # Those that the SDK passes by position may have other names
    renamed = [name for name in in_sdk.parameters if name not in own.parameters]
    others = [name for name in own.parameters if name not in in_sdk.parameters]
    if len(renamed) > len(others) or passed.intersection(others[len(renamed) :]):
        return None
    names = dict(zip(renamed, others, strict=False))
    return {name: bound.arguments[names.get(name, name)] for name in in_sdk.parameters}


def _shown(turn: Turn, answer: Any) -> Any:
    """Return a page of items as the turn may see it."""
    view = turn.store
    if not isinstance(answer, Page) or not isinstance(view, StoreView):
        return answer
    return answer.model_copy(update={"data": list(filter(view.shows, answer.data))})


class _AuthorsStore(Store[StoreContext]):
    """Gives the author's store the author's context.

    It passes arguments by name where the SDK does, and by position where the SDK does: the author's
    methods may have other names for those, another order, or keyword-only arguments.
    """

    def __init__(self, store: Store[Any], make_context: MakeContext) -> None:
        self.store = store
        self._make_context = make_context

    async def load_thread(self, thread_id: str, context: StoreContext) -> ThreadMetadata:
        given = await self._of(context)
        return await _direct(self.store.load_thread(thread_id, context=given))

    async def save_thread(self, thread: ThreadMetadata, context: StoreContext) -> None:
        given = await self._of(context)
        await _direct(self.store.save_thread(thread, context=given))

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: StoreContext
    ) -> Page[ThreadMetadata]:
        given = await self._of(context)
        return await _direct(
            self.store.load_threads(limit=limit, after=after, order=order, context=given)
        )

    async def delete_thread(self, thread_id: str, context: StoreContext) -> None:
        given = await self._of(context)
        await _direct(self.store.delete_thread(thread_id, context=given))

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: StoreContext
    ) -> Page[ThreadItem]:
        given = await self._of(context)
        return await _direct(
            self.store.load_thread_items(
                thread_id, after=after, limit=limit, order=order, context=given
            )
        )

    async def add_thread_item(
        self, thread_id: str, item: ThreadItem, context: StoreContext
    ) -> None:
        given = await self._of(context)
        await _direct(self.store.add_thread_item(thread_id, item, context=given))

    async def save_item(self, thread_id: str, item: ThreadItem, context: StoreContext) -> None:
        given = await self._of(context)
        await _direct(self.store.save_item(thread_id, item, context=given))

    async def load_item(self, thread_id: str, item_id: str, context: StoreContext) -> ThreadItem:
        given = await self._of(context)
        item: ThreadItem | None
        item = await _direct(self.store.load_item(thread_id, item_id, context=given))
        if item is None:
            raise NotFoundError(f"item {item_id} not found")
        return item

    async def delete_thread_item(self, thread_id: str, item_id: str, context: StoreContext) -> None:
        given = await self._of(context)
        await _direct(self.store.delete_thread_item(thread_id, item_id, context=given))

    async def save_attachment(self, attachment: Attachment, context: StoreContext) -> None:
        given = await self._of(context)
        await _direct(self.store.save_attachment(attachment, context=given))

    async def load_attachment(self, attachment_id: str, context: StoreContext) -> Attachment:
        given = await self._of(context)
        return await _direct(self.store.load_attachment(attachment_id, given))

    async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
        given = await self._of(context)
        await _direct(self.store.delete_attachment(attachment_id, context=given))

    async def _of(self, context: StoreContext) -> Any:
        return await _authors_context(context, self._make_context)


async def _direct(work: Awaitable[T]) -> T:
    """Await a method of the author's store that this server calls, and not the author's code.

    What that calls of its own store is then not taken for the author's code in a turn.
    """
    token = CALL.set(None)
    try:
        return await work
    finally:
        CALL.reset(token)


class _AuthorsStoreWithIds(_AuthorsStore):
    """The same, for a store that makes ids of its own."""

    def generate_thread_id(self, context: StoreContext) -> str:
        return self.store.generate_thread_id(unwrapped(context.context))

    def generate_item_id(
        self, item_type: StoreItemType, thread: ThreadMetadata, context: StoreContext
    ) -> str:
        given = unwrapped(context.context)
        return self.store.generate_item_id(item_type, in_local_time(thread), given)


async def _authors_context(context: StoreContext, make_context: MakeContext) -> Any:
    if context.context is None:
        return await make_context(context.user)
    return unwrapped(context.context)


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
        await self.store.delete_attachment(attachment_id, context=given)

    def generate_attachment_id(self, mime_type: str, context: StoreContext) -> str:
        return self.store.generate_attachment_id(mime_type, unwrapped(context.context))


def _async(name: str) -> Any:
    in_sdk = _in_sdk(name)

    async def method(self: OurStore, *args: Any, **kwargs: Any) -> Any:
        replaced = getattr(self.replaced, name, None)
        given = None if replaced is None else _given(in_sdk, replaced, args, kwargs)
        if given is not None:
            args, kwargs = (), given
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

    Its methods take the author's context, and are called as those of the author's own store that is
    `replaced`, with its names for arguments and its defaults.
    """

    def __init__(self) -> None:
        self._store: Store[StoreContext] | None = None
        self.replaced: Store[Any] | None = None

    def replace(self, store: Store[Any]) -> None:
        """Stand in for a store of the author's, and warn of what only that one can do."""
        self.replaced = store
        own = [
            name
            for name in dir(type(store))
            if not name.startswith("_") and not hasattr(Store, name)
        ]
        if own:
            names = ", ".join(f"`{name}`" for name in own)
            what = "`store: ours` has no"
            log.warning("chatkit_sdk: %s %s of %s", what, names, type(store).__name__)

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
