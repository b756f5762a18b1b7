"""The turns that have ended, whose events can still be followed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field

from ..settings.schema import TurnSettings
from .running import Owner, RunningTurn

OVERHEAD = 12_000
"""Bytes that a turn counts beside its events. It takes a third of that, and its events, which are
compressed, a twentieth of what they count: few long turns may stay, or many short ones."""


@dataclass
class _Kept:
    """The ended turns of one user, the oldest first."""

    size: int = 0
    turns: deque[RunningTurn] = field(default_factory=deque)


class KeptTurns:
    """Keeps ended turns for `turns.keep`, and calls `forget` with each that it drops.

    Beyond `keep_size`, the oldest turns of the same user go. Beyond `keep_total`, the oldest of a
    user who has much go. Each takes the same time, however many turns there are.
    """

    def __init__(self, settings: TurnSettings, forget: Callable[[RunningTurn], None]) -> None:
        self.size = 0
        self._settings = settings
        self._forget = forget
        self._turns: OrderedDict[str, RunningTurn] = OrderedDict()
        self._users: dict[Owner, _Kept] = {}
        self._by_size: defaultdict[int, dict[Owner, None]] = defaultdict(dict)
        """Users by the number of binary digits of their size."""
        self._next_cleanup: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._turns)

    def add(self, running: RunningTurn) -> None:
        """Keep a turn that has just ended."""
        self._turns[running.id] = running
        user = self._users.setdefault(running.owner, _Kept())
        user.turns.append(running)
        self._resize(running.owner, _size(running))
        while user.size > self._settings.keep_size:
            self._drop(user.turns[0])
        while self.size > self._settings.keep_total:
            self._drop(self._users[self._biggest()].turns[0])
        self._drop_old()

    def _drop_old(self) -> None:
        loop = asyncio.get_running_loop()
        oldest = next(iter(self._turns.values()), None)
        while oldest is not None and loop.time() - oldest.ended_at >= self._settings.keep:
            self._drop(oldest)
            oldest = next(iter(self._turns.values()), None)
        if oldest is not None and self._next_cleanup is None:
            # One timer for all: a timer of its own would keep the context of each turn
            due = oldest.ended_at + self._settings.keep
            self._next_cleanup = loop.call_at(due, self._clean_up, context=Context())

    def _clean_up(self) -> None:
        self._next_cleanup = None
        self._drop_old()

    def _drop(self, running: RunningTurn) -> None:
        """Drop a turn, which is the oldest of its user."""
        del self._turns[running.id]
        self._users[running.owner].turns.popleft()
        self._resize(running.owner, -_size(running))
        self._forget(running)

    def _resize(self, owner: Owner, change: int) -> None:
        user = self._users[owner]
        self._by_size[user.size.bit_length()].pop(owner, None)
        user.size += change
        self.size += change
        if user.turns:
            self._by_size[user.size.bit_length()][owner] = None
        else:
            del self._users[owner]

    def _biggest(self) -> Owner:
        """Return a user who has at least half as much as the one who has most."""
        most = max(digits for digits, owners in self._by_size.items() if owners)
        return next(iter(self._by_size[most]))


def _size(running: RunningTurn) -> int:
    return running.log.size + OVERHEAD
