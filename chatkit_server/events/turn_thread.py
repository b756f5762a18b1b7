"""The thread of a turn, whose changes are saved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from weakref import ref

from chatkit.types import ThreadMetadata

from ..text import valid_values
from ..turn import StoreContext, Turn
from .threads import ThreadWriter, follow, take_back_wrong_values, written


class TurnThread:
    """Saves what a turn has changed in its thread."""

    def __init__(self, turn: Turn, threads: ThreadWriter) -> None:
        self._turn = ref(turn)
        self._threads = threads
        self._known = written(turn.thread)
        self._one_at_a_time = asyncio.Lock()
        """What a tool sets while another change is stored must not pass for stored, too."""
        self.is_over = False
        """Whether the turn has ended: by its record, it may write no more."""

    async def save(self) -> tuple[ThreadMetadata | None, TypeError | None]:
        """Save what is new; return the thread as it is stored then, None if nothing is new.

        The error is for values that no thread can have: they are taken back.
        """
        if written(self._its_turn.thread) == self._known:
            return None, None
        async with self._one_at_a_time:
            return await self._save()

    async def _save(self) -> tuple[ThreadMetadata | None, TypeError | None]:
        thread = self._its_turn.thread
        # Written out, as a tool may change what is deep within it; that costs less than copies
        if written(thread) == self._known:
            return None, None
        valid = valid_values(thread)
        if valid is not thread:
            vars(thread).update(vars(valid))
        error = take_back_wrong_values(thread, self._known)
        # Tools emit at the same time: the next one has nothing to save
        known, self._known = self._known, written(thread)
        try:
            return await self._threads.save(thread, known, self._context), error
        except BaseException:
            self._known = known
            raise

    async def save_all(self) -> None:
        """Save what is new, and raise the error for what no thread can have."""
        _, error = await self.save()
        if error is not None:
            raise error

    async def change(self, change: Callable[[ThreadMetadata], None]) -> ThreadMetadata | None:
        """Let `change` set fields of the thread as it is stored now; return it if it has."""
        await self.save_all()
        thread = self._its_turn.thread
        async with self._one_at_a_time:
            before, after = await self._threads.change(thread.id, change, self._context)
            if before is after:
                return None
            self._known = follow(thread, self._known, before, after)
            return after

    @property
    def _its_turn(self) -> Turn:
        turn = self._turn()
        assert turn is not None
        return turn

    @property
    def _context(self) -> StoreContext:
        context = self._its_turn.store_context
        return replace(context, turn_id=None, attempt=0) if self.is_over else context
