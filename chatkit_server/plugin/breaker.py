"""A hook that keeps failing is not called for a while."""

from __future__ import annotations

import logging
from collections import deque
from time import monotonic

from ..settings.hooks import BreakerSettings

log = logging.getLogger(__name__)


class Breaker:
    """Of one hook of one plugin. After each pause, one call tries whether it works."""

    __slots__ = ("_failures", "_name", "_opened", "_settings", "_trying", "_until")

    def __init__(self, name: str, settings: BreakerSettings) -> None:
        self._name = name
        self._settings = settings
        self._failures: deque[float] = deque(maxlen=settings.failures)
        self._opened = self._until = 0.0
        self._trying = False

    @property
    def state(self) -> str:
        """`closed`: the hook is called. `open`: it is not. `half-open`: it may be tried."""
        if not self._opened:
            return "closed"
        return "open" if monotonic() < self._until else "half-open"

    def refuses(self) -> bool:
        """Whether a call may not be made now. Whoever makes one says how it `ended`."""
        if not self._opened:
            return False
        now = monotonic()
        if now < self._until:
            return True
        # If nobody says how this one ended, there is another after the next pause
        self._trying, self._until = True, now + self._settings.pause
        return False

    def ended(self, *, failed: bool | None) -> None:
        """Note how a call ended; None if that says nothing, as it was cancelled."""
        trying, self._trying = self._trying, False
        if failed:
            self._failed(trying)
        elif trying and failed is None:
            self._until = 0.0
        elif trying:
            seconds = monotonic() - self._opened
            self._opened = 0.0
            self._failures.clear()
            log.warning("%s works again, after %.0f s: it is called again", self._name, seconds)

    def _failed(self, trying: bool) -> None:
        now = monotonic()
        self._failures.append(now)
        settings = self._settings
        if self._opened:
            if trying:
                self._until = now + settings.pause
            return
        many = len(self._failures) == settings.failures
        if many and now - self._failures[0] <= settings.window:
            self._opened, self._until = now, now + settings.pause
            log.error(
                "%s failed %d times within %g s: it is not called for %g s (hooks.breaker)",
                self._name,
                settings.failures,
                settings.window,
                settings.pause,
            )
