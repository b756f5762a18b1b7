"""A hook that keeps failing is not called for a while."""

from __future__ import annotations

import logging
from collections import deque
from time import monotonic

from ..settings.hooks import BreakerSettings

log = logging.getLogger(__name__)


class Breaker:
    """Of one hook of one plugin. After the pause, one call at a time tries whether it works."""

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
        """Whether a call may not be made now; one that may is to be told of with its end."""
        if not self._opened:
            return False
        if self._trying or monotonic() < self._until:
            return True
        self._trying = True
        return False

    def ended(self, *, failed: bool | None) -> None:
        """Note how a call ended; None if that says nothing, as it was cancelled."""
        self._trying = False
        if failed:
            self._failed()
        elif failed is False and self._opened and monotonic() >= self._until:
            seconds = monotonic() - self._opened
            self._opened = 0.0
            self._failures.clear()
            log.warning("%s works again, after %.0f s: it is called again", self._name, seconds)

    def _failed(self) -> None:
        now = monotonic()
        self._failures.append(now)
        settings = self._settings
        if self._opened:
            if now >= self._until:
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
