"""How much a user may have at once: of turns, of requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import TooManyRequests, Unavailable
from ..words import words, words_n
from .running import Owner

RETRY_AFTER = 5
"""Seconds after which a refused client may ask again."""

SERVER_BUSY = words("The server is busy. Try again in a moment.")


def tenant_busy(limit: int) -> str:
    """Return what users of a tenant are told that has as many turns as it may have."""
    return words_n(
        "Your organization has {n} answer running or waiting. Wait until it ends.",
        "Your organization has {n} answers running or waiting. Wait until one of them ends.",
        limit,
        n=limit,
    )


class Places:
    """Counts what each user has at once, each tenant, and all users together.

    Beyond `user` places, `refusal` is what the user is told, as `too_many`. Without `tenant` and
    `server`, tenants and all users together have no limit.
    """

    def __init__(
        self,
        user: int,
        refusal: str,
        server: int | None = None,
        tenant: int | None = None,
        too_many: type[TooManyRequests | Unavailable] = Unavailable,
    ) -> None:
        self.total = 0
        self._user = user
        self._refusal = refusal
        self._server = server
        self._too_many = too_many
        self._tenant = tenant
        self._of: Counter[Owner] = Counter()
        self._of_tenant: Counter[str] = Counter()

    def of(self, owner: Owner) -> int:
        """Return how many places a user has."""
        return self._of[owner]

    def check(self, owner: Owner) -> None:
        """Raise `too_many` if the user or the tenant has no place left, `Unavailable` if nobody
        has."""
        if self._server is not None and self.total >= self._server:
            raise Unavailable(SERVER_BUSY, retry_after=RETRY_AFTER)
        if self._of[owner] >= self._user:
            raise self._too_many(self._refusal, retry_after=RETRY_AFTER)
        tenant, _ = owner
        if self._tenant is not None and self._of_tenant[tenant] >= self._tenant:
            raise self._too_many(tenant_busy(self._tenant), retry_after=RETRY_AFTER)

    def take(self, owner: Owner) -> None:
        """Give a user one more place. Raises what `check` raises."""
        self.check(owner)
        self.add(owner)

    def add(self, owner: Owner) -> None:
        """Give a user one more place, beyond what is left too."""
        tenant, _ = owner
        self._of[owner] += 1
        self._of_tenant[tenant] += 1
        self.total += 1

    def leave(self, owner: Owner) -> None:
        """Take a place of a user back."""
        tenant, _ = owner
        self.total -= 1
        self._of[owner] -= 1
        if not self._of[owner]:
            del self._of[owner]
        self._of_tenant[tenant] -= 1
        if not self._of_tenant[tenant]:
            del self._of_tenant[tenant]

    @contextmanager
    def taken(self, owner: Owner) -> Iterator[None]:
        """Have a place while the block runs."""
        self.take(owner)
        try:
            yield
        finally:
            self.leave(owner)
