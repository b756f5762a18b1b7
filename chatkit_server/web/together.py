"""How all workers of the server are, whichever of them is asked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ..workers import ENDING, SERVING, STARTING, Seat

BEAT = 1.0
"""Seconds between two looks at whether the event loop runs, and whether somebody asks."""

ASKED = 30.0
"""Seconds after a question in which all workers tell how they are."""

log = logging.getLogger(__name__)


class Together:
    """What a worker tells the others of itself, and what it knows of them."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._board = seat.board

    @property
    def all_end(self) -> bool:
        """Whether no worker takes new turns any more."""
        is_ending = self._seat.state == ENDING and not self._seat.others()
        return self._board.is_ending or is_ending

    async def tell(self, problem: Callable[[], Awaitable[str]]) -> None:
        """Tell again and again that this worker runs, and what is wrong with it if somebody asks.

        Nobody who asks waits for that: others know it a second later.
        """
        while True:
            self._seat.beat()
            if time.monotonic() - self._board.asked < ASKED:
                await self._tell_others(problem)
            await asyncio.sleep(BEAT)

    async def _tell_others(self, problem: Callable[[], Awaitable[str]]) -> None:
        try:
            self._seat.tell(await problem())
        except Exception:
            log.exception("could not tell the other workers how this one is")

    def ask(self) -> None:
        """Have the others tell how they are, from now on."""
        self._board.ask()

    def problems(self) -> dict[str, str]:
        """Return what is wrong with the others that serve, as they told not long ago."""
        told = {
            other.pid: self._board.told(other.seat)
            for other in self._seat.others()
            if other.is_fresh
        }
        return {f"worker {pid}": problem for pid, problem in told.items() if problem}

    def as_json(self) -> dict[str, Any]:
        """Return how many there are: `late` ones serve, but their event loop is blocked."""
        states = list(self._board.states())
        late = sum(each.is_late for each in states if each.state == SERVING)
        counted = {
            name: sum(each.state == state for each in states)
            for name, state in (("serving", SERVING), ("starting", STARTING), ("ending", ENDING))
        }
        return {"wanted": self._board.wanted, **counted, "late": late}
