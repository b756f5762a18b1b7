"""How often each hook of each plugin was called, how often it failed, and how long it took."""

from __future__ import annotations

from typing import Any


class HookFigures:
    """Figures of one hook of one plugin since the server started, in seconds."""

    __slots__ = ("calls", "failures", "longest", "seconds")

    def __init__(self) -> None:
        self.calls = 0
        self.failures = 0
        self.seconds = 0.0
        self.longest = 0.0

    def add(self, seconds: float, *, failed: bool) -> None:
        """Count a call."""
        self.calls += 1
        self.seconds += seconds
        if seconds > self.longest:
            self.longest = seconds
        if failed:
            self.failures += 1

    def as_json(self) -> dict[str, Any]:
        """Return the figures, with times in milliseconds."""
        return {
            "calls": self.calls,
            "failures": self.failures,
            "mean_ms": round(self.seconds / self.calls * 1000, 3) if self.calls else 0.0,
            "max_ms": round(self.longest * 1000, 3),
        }


class Statistics:
    """The figures of all plugins of one application."""

    def __init__(self) -> None:
        self._figures: dict[tuple[str, str], HookFigures] = {}

    def of(self, plugin: str, hook: str) -> HookFigures:
        """Return the figures of a hook, to add to."""
        found = self._figures.get((plugin, hook))
        if found is None:
            found = self._figures[plugin, hook] = HookFigures()
        return found

    def as_json(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the figures by plugin and hook, of those that were called."""
        told: dict[str, dict[str, dict[str, Any]]] = {}
        for (plugin, hook), figures in self._figures.items():
            if figures.calls:
                told.setdefault(plugin, {})[hook] = figures.as_json()
        return told
