"""The conversations of a user, in whatever store the deployment has."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress

from aiohttp import web
from chatkit.store import NotFoundError
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata, UserMessageItem

from ..errors import NotFound, ServerError
from ..paging import pages
from ..turn import StoreContext, User
from ..web.keys import ATTACHMENT_STORE, ENGINE, STORE

_AT_ONCE = 50
"""Rows that are asked of a store at once."""

_STOPPING = 15.0
"""Seconds that a running server has to end an answer: it looks at each heartbeat."""

_POLL = 0.2

_ROUNDS = 3
"""How often to look for conversations: one may have begun meanwhile."""

Counts = Counter[str]


class Conversations:
    """What the store and the attachment store have of one user, by ChatKit's own interfaces."""

    def __init__(self, app: web.Application, user: User) -> None:
        self._store = app[STORE]
        self._files = app[ATTACHMENT_STORE]
        self._turns = app[ENGINE].turn_store
        self._user = user
        self._context = StoreContext(user)

    async def threads(self) -> AsyncIterator[ThreadMetadata]:
        """Yield the user's threads, the oldest first."""

        def load(after: str | None) -> Awaitable[Page[ThreadMetadata]]:
            return self._store.load_threads(_AT_ONCE, after, "asc", self._context)

        async for page in pages(load):
            for thread in page.data:
                yield thread

    async def items(self, thread_id: str) -> AsyncIterator[ThreadItem]:
        """Yield the items of a thread in order, hidden ones too."""

        def load(after: str | None) -> Awaitable[Page[ThreadItem]]:
            return self._store.load_thread_items(thread_id, after, _AT_ONCE, "asc", self._context)

        async for page in pages(load):
            for item in page.data:
                yield item

    async def attachment(self, attachment_id: str) -> Attachment | None:
        """Return what the store knows of a file."""
        with suppress(NotFoundError, NotFound):
            return await self._store.load_attachment(attachment_id, self._context)
        return None

    async def count(self) -> Counts:
        """Count what there is."""
        counts = Counts()
        async for thread in self.threads():
            counts["conversations"] += 1
            async for item in self.items(thread.id):
                counts["items"] += 1
                counts["attachments"] += len(attachments_of(item))
        return counts

    async def erase(self, done: Counts) -> None:
        """Delete everything, and count it in `done`. A running answer is stopped first.

        Raises the first error of the stores, after all threads were tried.
        """
        errors: list[Exception] = []
        for _ in range(_ROUNDS):
            found = [thread.id async for thread in self.threads()]
            if not found or errors:
                break
            for thread_id in found:
                try:
                    await self._erase_thread(thread_id, done)
                except Exception as error:
                    errors.append(error)
        else:
            if [thread.id async for thread in self.threads()]:
                told = "new conversations keep coming: sign the user out, and run this again"
                raise ServerError(told)
        try:
            if errors:
                raise errors[0]
        finally:
            errors.clear()

    async def _erase_thread(self, thread_id: str, done: Counts) -> None:
        done["running answers stopped"] += await self._stop(thread_id)
        files: dict[str, None] = {}
        items = 0
        with suppress(NotFoundError, NotFound):
            async for item in self.items(thread_id):
                items += 1
                files |= dict.fromkeys(attachments_of(item))
        for file in files:
            # The bytes first: while the thread is there, this can be repeated
            if self._files is not None:
                with suppress(NotFoundError, NotFound):
                    await self._files.delete_attachment(file, self._context)
        with suppress(NotFoundError, NotFound):
            await self._store.delete_thread(thread_id, self._context)
            done["conversations"] += 1
            done["items"] += items
        for file in files:
            done["attachments"] += 1
            with suppress(NotFoundError, NotFound):
                # Most stores have deleted it with its thread
                await self._store.delete_attachment(file, self._context)

    async def _stop(self, thread_id: str) -> int:
        """Have the server that answers in a thread stop; return how many answers were stopped.

        Those that were accepted and wait there are stopped too. One that does not stop is on its
        own: it loses its thread, and can save nothing any more.
        """
        stopped: set[str] = set()
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOPPING):
                while turn := await self._turns.next_in(thread_id, self._user):
                    if turn.id not in stopped:
                        stopped.add(turn.id)
                        await self._turns.cancel(turn.id, self._user)
                    await asyncio.sleep(_POLL)
        return len(stopped)


def attachments_of(item: ThreadItem) -> list[str]:
    """Return the ids of the files in an item."""
    return [each.id for each in item.attachments] if isinstance(item, UserMessageItem) else []
