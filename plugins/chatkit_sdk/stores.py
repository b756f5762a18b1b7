"""The author's stores, for this server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
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

from .arguments import by_sdks_names, in_sdk
from .calls import CALL, unwrapped, wrapped

T = TypeVar("T")

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
    known = in_sdk(name)

    async def method(*args: Any, **kwargs: Any) -> Any:
        call = CALL.get()
        if call is None or call.over:
            return await original(*args, **kwargs)
        given = by_sdks_names(known, original, args, kwargs)
        if given is None:
            return _shown(call.turn, await original(*args, **kwargs))
        if given["thread_id"] != call.turn.thread.id:
            return await original(*args, **kwargs)
        given["context"] = wrapped(given["context"])
        return await getattr(call.turn.store, name)(**given)

    vars(method)["_original"] = original
    return method


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
