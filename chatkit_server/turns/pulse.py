"""Keeps the turns of this process alive while its event loop is late."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..records import quoted
from .registry import TurnRegistry
from .store import HeartbeatSignal, TurnStore

log = logging.getLogger(__name__)

HUNG = 10
"""An event loop that has not moved for this many times `turns.stale` hangs: its turns may be taken
over."""


class Pulse:
    """A thread that reports the running turns when the event loop is too late to do so.

    The event loop may be blocked, or its heartbeats may wait behind other statements. Neither is
    the death of this process.
    """

    def __init__(
        self, turns: TurnRegistry, turn_store: TurnStore, beat: float, stale: float
    ) -> None:
        self._turns = turns
        self._turn_store = turn_store
        self._beat = beat
        self._hung = stale * HUNG
        self._stopped = threading.Event()
        self._beaten = self._moved = 0.0
        self._asked = self._told = False

    @contextmanager
    def run(self) -> Iterator[None]:
        """Watch the event loop while the block runs."""
        self._beaten = self._moved = time.monotonic()
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=self._watch, args=(loop,), name="pulse", daemon=True)
        thread.start()
        try:
            yield
        finally:
            # It may wait for the database, so it ends by itself
            self._stopped.set()

    def beaten(self) -> None:
        """Note that the event loop has sent its heartbeats."""
        self._beaten = time.monotonic()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._stopped.wait(self._beat / 2):
            if not self._asked:
                self._asked = True
                try:
                    loop.call_soon_threadsafe(self._loop_moves)
                except RuntimeError:
                    return  # the loop is closed
            now = time.monotonic()
            if now - self._beaten > 1.5 * self._beat:
                self._keep_alive(now - self._moved)

    def _loop_moves(self) -> None:
        self._moved = time.monotonic()
        self._asked = self._told = False

    def _keep_alive(self, late: float) -> None:
        """Report the running turns, unless the loop hangs; it has not moved for `late` seconds."""
        if late > self._hung:
            if not self._told:
                self._told = True
                log.error(
                    "the event loop hangs: it has not moved for %.0f s. Other processes may now "
                    "take over the turns of this one. Look for code that blocks",
                    late,
                )
            return
        turns = [HeartbeatSignal(turn.id, turn.attempt) for turn in self._turns.alive]
        try:
            self._turn_store.keep_alive(turns)
        except Exception as error:
            # The heartbeats of the loop log an outage
            log.debug("heartbeats beside a late event loop failed: %s", quoted(error))
