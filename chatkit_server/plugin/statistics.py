"""How often each hook of each plugin was called, how often it failed, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from .breaker import Breaker
from .terms import Terms

MANY = 5
"""Failures in a row after which a hook is said to keep failing."""

OF_USERS = 2
"""Users in whose turns it failed then: one alone could make the server unready."""

RECENT = 60.0
"""Seconds after its last failure for which it is: without turns, nothing would show that it is
over, and a server that is not ready gets none."""


class HookFigures:
    """Figures of one hook of one plugin since the server started, in seconds."""

    __slots__ = (
        "_last",
        "breaker",
        "calls",
        "failures",
        "in_a_row",
        "longest",
        "seconds",
        "since",
        "users",
    )

    def __init__(self, breaker: Breaker | None = None) -> None:
        self.breaker = breaker
        self.calls = 0
        self.failures = 0
        self.in_a_row = 0
        self.seconds = 0.0
        self.longest = 0.0
        self.since = 0.0
        self.users: set[tuple[str, str] | None] = set()
        self._last = 0.0

    def add(self, seconds: float) -> None:
        """Count a call."""
        self.calls += 1
        self.seconds += seconds
        if seconds > self.longest:
            self.longest = seconds

    def ended(self, *, failed: bool | None, user: tuple[str, str] | None = None) -> None:
        """Note how a call for a user ended; None if that says nothing, as it was cancelled."""
        if failed:
            self.failures += 1
            if not self.in_a_row:
                self.since = time.time()
            self.in_a_row += 1
            if len(self.users) < OF_USERS:
                self.users.add(user)
            self._last = time.monotonic()
        elif failed is False and self.in_a_row:
            self.in_a_row = 0
            self.users.clear()
        if self.breaker is not None:
            self.breaker.ended(failed=failed)

    @property
    def keeps_failing(self) -> bool:
        """Whether the last calls have all failed, for several users, and that lately."""
        many = self.in_a_row >= MANY and len(self.users) >= OF_USERS
        return many and time.monotonic() - self._last < RECENT

    def as_json(self) -> dict[str, Any]:
        """Return the figures, with times in milliseconds."""
        told: dict[str, Any] = {
            "calls": self.calls,
            "failures": self.failures,
            "mean_ms": round(self.seconds / self.calls * 1000, 3) if self.calls else 0.0,
            "max_ms": round(self.longest * 1000, 3),
        }
        if self.in_a_row:
            since = datetime.fromtimestamp(self.since, UTC).isoformat(timespec="seconds")
            told |= {"failed_in_a_row": self.in_a_row, "failing_since": since}
        if self.breaker is not None:
            told["breaker"] = self.breaker.state
        return told


class Slot:
    """One hook of one plugin: its terms and its figures."""

    __slots__ = ("figures", "owner", "terms")

    def __init__(self, owner: object, terms: Terms, figures: HookFigures) -> None:
        self.owner = owner
        self.terms = terms
        self.figures = figures


class Statistics:
    """The figures of all plugins of one application."""

    def __init__(self) -> None:
        self.slots: dict[tuple[str, str], Slot] = {}

    def as_json(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the figures by plugin and hook, of those that were called."""
        told: dict[str, dict[str, dict[str, Any]]] = {}
        for (plugin, hook), slot in self.slots.items():
            if slot.figures.calls:
                told.setdefault(plugin, {})[hook] = slot.figures.as_json()
        return told

    def failing(self) -> Iterator[tuple[str, str, bool]]:
        """Yield the plugin and the hook that keep failing, and whether turns need that one."""
        for (plugin, hook), slot in self.slots.items():
            if slot.figures.keeps_failing:
                yield plugin, hook, slot.terms.needed
