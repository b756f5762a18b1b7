"""Removes files that are in no message."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import suppress

from chatkit.store import NotFoundError, Store

from chatkit_server import RequestNeeded, StoreContext

from .files import About, Files

_LONGEST_GAP = 3600.0
_FIRST_GAP = 60.0
_MARGIN = 60.0
"""Seconds more than messages may still name a file: one may be on its way."""

log = logging.getLogger(__name__)


class Sweep:
    """Looks for orphans now and then. Of several processes, one does it at a time."""

    def __init__(self, files: Files, store: Store[StoreContext], orphans: float) -> None:
        self._files = files
        self._store = store
        self._orphans = orphans
        self._gap = min(_LONGEST_GAP, max(1.0, orphans / 4))

    async def run(self) -> None:
        """Sweep until cancelled, the first time soon: a process may not live for an hour."""
        gap = min(_FIRST_GAP, self._gap)
        while True:
            await asyncio.sleep(gap * random.uniform(0.5, 1.0))
            gap = self._gap
            try:
                if await self._is_mine():
                    await self.sweep()
            except Exception as error:
                log.warning("no unused attachments were removed: %s", error)

    async def _is_mine(self) -> bool:
        """Whether no other process has swept in this span of time."""
        bucket, now = self._files.bucket, f"sweeps/{int(time.time() // self._gap)}"
        if not await bucket.create(now, b"{}"):
            return False
        for path in [path async for path in bucket.paths("sweeps/")]:
            if path != now:
                await bucket.delete(path)
        return True

    async def sweep(self, now: float | None = None) -> int:
        """Remove the files that are in no message and old enough; return how many."""
        oldest = (time.time() if now is None else now) - self._orphans - _MARGIN
        removed = 0
        async for file_id, about in self._files.all_unused():
            if about.created < oldest:
                removed += await self._remove_orphan(file_id, about)
        if removed:
            log.info("removed %d attachments that were in no message", removed)
        return removed

    async def _remove_orphan(self, file_id: str, about: About) -> bool:
        context = StoreContext(about.owner)
        try:
            attachment = await self._store.load_attachment(file_id, context)
        except NotFoundError:
            attachment = None
        except RequestNeeded:
            # Nobody can tell whether it is in a message
            return False
        if attachment is not None and attachment.thread_id is not None:
            await self._files.use(about.owner, file_id)
            return False
        if attachment is not None:
            # First, so that no message can name it any longer
            with suppress(NotFoundError):
                await self._store.delete_attachment(file_id, context)
        await self._files.delete(about.owner, file_id)
        return True
