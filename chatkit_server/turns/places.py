"""How much a user may have at once: of turns, of requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import Unavailable
from ..words import words
from .running import Owner

RETRY_AFTER = 5
"""Seconds after which a refused client may ask again."""

SERVER_BUSY = words("The server is busy. Try again in a moment.")


class Places:
    """Counts what each user has at once, and all users together.

    Beyond `user` places, `refusal` is what the user is told. Without `server`, all users together
    have no limit.
    """

    def __init__(self, user: int, refusal: str, server: int | None = None) -> None:
        self.total = 0
        self._user = user
        self._refusal = refusal
        self._server = server
        self._of: Counter[Owner] = Counter()

    def of(self, owner: Owner) -> int:
        """Return how many places a user has."""
        return self._of[owner]

    def check(self, owner: Owner) -> None:
        """Raise `Unavailable` if no place is left for a user."""
        if self._server is not None and self.total >= self._server:
            raise Unavailable(SERVER_BUSY, retry_after=RETRY_AFTER)
        if self._of[owner] >= self._user:
            raise Unavailable(self._refusal, retry_after=RETRY_AFTER)

    def take(self, owner: Owner) -> None:
        """Give a user one more place. Raises `Unavailable` if none is left."""
        self.check(owner)
        self.add(owner)

    def add(self, owner: Owner) -> None:
        """Give a user one more place, beyond what is left too."""
        self._of[owner] += 1
        self.total += 1

    def leave(self, owner: Owner) -> None:
        """Take a place of a user back."""
        self.total -= 1
        self._of[owner] -= 1
        if not self._of[owner]:
            del self._of[owner]

    @contextmanager
    def taken(self, owner: Owner) -> Iterator[None]:
        """Have a place while the block runs."""
        self.take(owner)
        try:
            yield
        finally:
            self.leave(owner)
