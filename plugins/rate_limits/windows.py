"""Requests and tokens in windows of time, counted by the library `limits`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from limits import RateLimitItem
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter

from chatkit_server import User

from .config import Config
from .refusals import SCOPES, Scope, used_up

Kind = Literal["requests", "tokens"]

Who = Mapping[Scope, str]
"""What a user counts as: the name of a count for each scope."""


def who(user: User) -> Who:
    """Return the counts of a user. Redis learns no names, and each name has the same length."""
    return {
        "user": _digest(user.tenant, user.id),
        "tenant": _digest(user.tenant),
        "server": "all",
    }


def _digest(*parts: str) -> str:
    return blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Window:
    """One limit of the settings."""

    kind: Kind
    scope: Scope
    item: RateLimitItem

    def key(self, user: Who) -> str:
        """Return the name of a user's count."""
        return self.item.key_for(self.kind, self.scope, user[self.scope])


class Windows:
    """The windows of the settings, counted in one storage. All methods raise what that raises."""

    def __init__(self, storage: Storage, config: Config) -> None:
        self.storage = storage
        self._limiter = FixedWindowRateLimiter(storage)
        self._requests = _windows("requests", config)
        self._tokens = _windows("tokens", config)

    @property
    def tokens(self) -> list[Window]:
        """The windows that count tokens."""
        return self._tokens

    async def enter(self, user: Who) -> None:
        """Count a request. Raises `ServerError`, and counts nothing, if a window is used up."""
        for window in self._tokens:
            if not await self._limiter.test(*self._place(window, user)):
                raise await self._refusal(user, window)
        entered: list[Window] = []
        for window in self._requests:
            entered.append(window)
            if not await self._limiter.hit(*self._place(window, user)):
                await self._take_back(user, entered)
                raise await self._refusal(user, window)

    async def note(self, user: Who) -> None:
        """Count a request that somebody else has let in."""
        for window in self._requests:
            await self._limiter.hit(*self._place(window, user))

    async def take_back(self, user: Who) -> None:
        """Forget a request whose turn was refused after all."""
        await self._take_back(user, self._requests)

    async def _take_back(self, user: Who, windows: list[Window]) -> None:
        for window in windows:
            await self.storage.incr(window.key(user), window.item.get_expiry(), amount=-1)

    async def spend(self, user: Who, tokens: int) -> None:
        """Count tokens in all their windows."""
        for window in self._tokens:
            await self.add(window, window.key(user), tokens)

    async def add(self, window: Window, key: str, tokens: int) -> None:
        """Count tokens in one window, also beyond its limit."""
        await self.storage.incr(key, window.item.get_expiry(), amount=tokens)

    async def _refusal(self, user: Who, refused: Window) -> Exception:
        """Return the error that says when nothing refuses the user any more.

        It is about the window that ends last.
        """
        last, ends = refused, time.time()
        for window in (*self._tokens, *self._requests):
            stats = await self._limiter.get_window_stats(*self._place(window, user))
            if stats.remaining < 1 and stats.reset_time > ends:
                last, ends = window, stats.reset_time
        # Redis rounds to seconds
        return used_up(last.kind, last.scope, int(ends - time.time()) + 1)

    def _place(self, window: Window, user: Who) -> tuple[RateLimitItem, Kind, Scope, str]:
        return window.item, window.kind, window.scope, user[window.scope]


def _windows(kind: Kind, config: Config) -> list[Window]:
    scopes = getattr(config, kind)
    return [Window(kind, scope, item) for scope in SCOPES for item in getattr(scopes, scope) or ()]
