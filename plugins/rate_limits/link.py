"""Whether Redis answers. While it does not, nothing waits for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import TypeVar

from chatkit_server.redis import AWAY, RedisAddress, reason, tls_hint

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds for Redis to answer where no user waits: at the start, and to each renewal."""

log = logging.getLogger(__name__)


class Away(Exception):
    """Redis does not answer: this process counts alone."""


class Link:
    """The way to Redis: `is_up` until a call fails, and again after a call of `probe` succeeds."""

    def __init__(self, address: RedisAddress, timeout: float) -> None:
        self.is_up = True
        self._name = address.name
        self._never: RedisAddress | None = address
        """The address as long as it has never answered."""
        self._timeout = timeout
        self._since = 0.0

    async def call(self, work: Awaitable[T]) -> T:
        """Await a call to Redis. Raises `Away` if Redis fails, or does not answer in time."""
        try:
            async with asyncio.timeout(self._timeout):
                return await work
        except AWAY as error:
            self._lost(error, self._timeout)
            raise Away from error

    async def probe(self, work: Awaitable[None]) -> None:
        """Await a call that no user waits for: it has more time, and it may end an outage."""
        try:
            async with asyncio.timeout(PATIENCE):
                await work
        except AWAY as error:
            self._lost(error, PATIENCE)
        else:
            self._found()

    def _lost(self, error: Exception, seconds: float) -> None:
        if self.is_up:
            self.is_up = False
            self._since = time.monotonic()
            why = reason(error, self._never)
            if not error.args:
                hint = tls_hint(error, self._never) if self._never is not None else ""
                why = f"no answer within {seconds:g} s{hint}"
            log.warning(
                "Redis at %s does not answer: this process counts its turns, requests and tokens "
                "alone until it does (%s)",
                self._name,
                why,
            )

    def _found(self) -> None:
        self._never = None
        if not self.is_up:
            self.is_up = True
            log.info(
                "Redis at %s answers again, after %.0f s: turns, requests and tokens are counted "
                "for all processes",
                self._name,
                time.monotonic() - self._since,
            )
