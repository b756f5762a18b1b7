"""Attachments: made, used in a message, shown, and deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

from chatkit.store import AttachmentStore, NotFoundError
from chatkit.types import (
    Attachment,
    AttachmentsCreateReq,
    AttachmentsDeleteReq,
    ThreadItem,
    UserMessageItem,
)
from pydantic import BaseModel

from ...errors import NotFound, Unprocessable
from ...store_ids import checked_new_id
from ...turn import StoreContext
from ...uploads import FileStore
from ...words import words
from .caller import Answer, Caller, asking_attachments, checked_id, item_pages

_THREADS = "threads"
"""Where the metadata of an attachment names the threads that it was in."""

_MOST_THREADS = 20


async def create_attachment(caller: Caller, request: AttachmentsCreateReq) -> Answer:
    attachment_store = _require_attachment_store(caller)
    with asking_attachments():
        attachment = await attachment_store.create_attachment(request.params, caller.context)
        checked_new_id(attachment.id, attachment_store, "create_attachment")
    await caller.store.save_attachment(attachment, caller.context)
    return cast(BaseModel, attachment)


async def delete_attachment(caller: Caller, request: AttachmentsDeleteReq) -> Answer:
    attachment_store = _require_attachment_store(caller)
    attachment_id = checked_id(request.params.attachment_id)
    await caller.store.load_attachment(attachment_id, caller.context)
    with asking_attachments():
        await attachment_store.delete_attachment(attachment_id, caller.context)
    await caller.store.delete_attachment(attachment_id, caller.context)
    return None


async def use_attachment(caller: Caller, attachment: Attachment) -> Attachment:
    """Return an attachment that a message names, if the store of its bytes has it."""
    if not isinstance(caller.attachment_store, FileStore):
        return attachment
    with asking_attachments():
        used = await caller.attachment_store.use_attachment(attachment, caller.context)
    earlier = _threads_of(attachment)
    if not earlier:
        return used
    return used.model_copy(update={"metadata": {**(used.metadata or {}), _THREADS: earlier}})


def _threads_of(attachment: Attachment) -> list[str]:
    """Return the ids of the threads that an attachment was in before this message, the last last.

    A client that sends a message again, long after, begins another thread with the same files.
    """
    known = [*(attachment.metadata or {}).get(_THREADS, []), attachment.thread_id]
    return [each for each in dict.fromkeys(known) if each is not None][-_MOST_THREADS:]


def shown_item(caller: Caller, item: ThreadItem) -> ThreadItem:
    """Return an item as its page gets it now: addresses of previews may expire."""
    return as_shown(caller.attachment_store, item, caller.context)


def as_shown(
    files: AttachmentStore[StoreContext] | None, item: ThreadItem, context: StoreContext
) -> ThreadItem:
    """Do the same, for the user of a context."""
    if not (
        isinstance(item, UserMessageItem) and item.attachments and isinstance(files, FileStore)
    ):
        return item
    with asking_attachments():
        shown = [files.show_attachment(one, context) for one in item.attachments]
    return item.model_copy(update={"attachments": shown})


@asynccontextmanager
async def deleted_attachments(caller: Caller, thread_id: str) -> AsyncIterator[None]:
    """Delete the files of a thread, and after the block what is known of them.

    The bytes go first: if that fails, the user can delete the thread again. Those in an attachment
    store of another kind are left to it, as ChatKit's SDK does.
    """
    files = caller.attachment_store
    if not isinstance(files, FileStore):
        yield
        return
    found = [
        attachment.id
        for attachment in await _attachments_of(caller, thread_id)
        if not await _moved_back(caller, attachment, thread_id)
    ]
    for attachment_id in found:
        with asking_attachments(), suppress(NotFoundError, NotFound):
            await files.delete_attachment(attachment_id, caller.context)
    yield
    for attachment_id in found:
        with suppress(NotFoundError, NotFound):
            # Most stores have deleted it with its thread
            await caller.store.delete_attachment(attachment_id, caller.context)


async def _attachments_of(caller: Caller, thread_id: str) -> list[Attachment]:
    """Return the attachments in a thread; one may have moved on to another."""
    named: dict[str, None] = {}
    async for page in item_pages(caller, thread_id):
        for item in page.data:
            if isinstance(item, UserMessageItem):
                named |= dict.fromkeys(attachment.id for attachment in item.attachments)
    found = []
    for attachment_id in named:
        with suppress(NotFoundError, NotFound):
            attachment = await caller.store.load_attachment(attachment_id, caller.context)
            found += [attachment] if attachment.thread_id == thread_id else []
    return found


async def _moved_back(caller: Caller, attachment: Attachment, thread_id: str) -> bool:
    """Give an attachment back to a thread that still has it; return whether there is one."""
    for earlier in reversed(_threads_of(attachment)):
        if earlier != thread_id:
            with suppress(NotFoundError, NotFound):
                await caller.store.load_thread(earlier, caller.context)
                moved = attachment.model_copy(update={"thread_id": earlier})
                await caller.store.save_attachment(moved, caller.context)
                return True
    return False


def _require_attachment_store(caller: Caller) -> AttachmentStore[StoreContext]:
    if caller.attachment_store is None:
        raise Unprocessable(
            words("No enabled plugin implements the hook `{hook}`.", hook="attachment_store")
        )
    return caller.attachment_store
