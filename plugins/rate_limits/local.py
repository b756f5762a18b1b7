"""Counts in the memory of this process, for the library `limits`."""

from __future__ import annotations

import time

from limits.aio.storage import Storage

_FIRST_SWEEP = 1000
"""Counts that are kept before those of ended windows are first looked for."""


class LocalCounts(Storage):
    """What `limits.aio.storage.MemoryStorage` does for fixed windows.

    That one looks at all its counts with each request, in a task of its own.
    """

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[str, tuple[int, float]] = {}
        self._sweep_at = _FIRST_SWEEP

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = time.time()
        count, ends = self._counts.get(key, (0, 0.0))
        if ends <= now:
            count, ends = 0, now + expiry
        self._counts[key] = count + amount, ends
        if len(self._counts) >= self._sweep_at:
            self._sweep(now)
        return count + amount

    async def get(self, key: str) -> int:
        count, ends = self._counts.get(key, (0, 0.0))
        return count if ends > time.time() else 0

    async def get_expiry(self, key: str) -> float:
        return self._counts.get(key, (0, time.time()))[1]

    async def check(self) -> bool:
        return True

    async def reset(self) -> int | None:
        count = len(self._counts)
        self._counts.clear()
        return count

    async def clear(self, key: str) -> None:
        self._counts.pop(key, None)

    def _sweep(self, now: float) -> None:
        self._counts = {key: kept for key, kept in self._counts.items() if kept[1] > now}
        self._sweep_at = max(_FIRST_SWEEP, 2 * len(self._counts))
