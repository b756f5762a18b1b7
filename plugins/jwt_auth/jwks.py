"""Keys to check tokens with, fetched from a `jwks_url`."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
from aiohttp import web

from chatkit_server import Unavailable

from .config import ASYMMETRIC, Config
from .keys import weakness_of

log = logging.getLogger(__name__)


class KeySet:
    """The keys at `jwks_url`: fetched when needed, cached, and still used if a fetch fails."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.algorithms = config.algorithms or list(ASYMMETRIC)
        self._keys: list[tuple[str | None, str, jwt.PyJWK]] = []
        self._session: aiohttp.ClientSession | None = None
        self._refresh: asyncio.Task[None] | None = None
        self._tried = self._fetched = -math.inf
        self._down = False

    async def run(self, _: web.Application) -> AsyncIterator[None]:
        """Keep a session while the server runs, and fetch the keys before they are needed."""
        timeout = aiohttp.ClientTimeout(total=self.config.jwks_timeout)
        async with aiohttp.ClientSession(timeout=timeout) as self._session:
            self._start()
            yield
            if self._refresh is not None:
                self._refresh.cancel()
                await asyncio.gather(self._refresh, return_exceptions=True)

    async def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key with this id for this algorithm, None if there is none.

        Raises `Unavailable` if the keys cannot be fetched, so that this is unknown.
        """
        if (key := self._known(kid, algorithm)) is not None:
            if time.monotonic() - self._fetched > self.config.jwks_max_age:
                self._start()
            return key
        if (refresh := self._start()) is not None:
            await asyncio.shield(refresh)
            key = self._known(kid, algorithm)
        if key is None and self._down:
            wait = self._tried + self.config.jwks_cooldown - time.monotonic()
            raise Unavailable(
                "Could not verify your sign-in: the sign-in service does not answer. "
                "Try again in a moment.",
                retry_after=max(1, math.ceil(wait)),
            )
        return key

    def _known(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        fitting = [key for id, name, key in self._keys if name == algorithm and kid in (None, id)]
        return fitting[0] if len(fitting) == 1 or (fitting and kid is not None) else None

    def _start(self) -> asyncio.Task[None] | None:
        """Return the running fetch, or a new one; None during the cooldown."""
        if self._refresh is not None and not self._refresh.done():
            return self._refresh
        if time.monotonic() - self._tried < self.config.jwks_cooldown:
            return None
        self._tried = time.monotonic()
        self._refresh = asyncio.create_task(self._fetch(), name="jwks")
        return self._refresh

    async def _fetch(self) -> None:
        assert self._session is not None
        assert self.config.jwks_url is not None
        try:
            async with self._session.get(self.config.jwks_url, raise_for_status=True) as response:
                document = await response.json(content_type=None)
            self._keys = usable_keys(document, self.algorithms)
        except Exception as error:  # the other side may send anything
            self._down = True
            log.error("cannot fetch the keys at %s: %r", self.config.jwks_url, error)
        else:
            self._down = False
            self._fetched = time.monotonic()


def usable_keys(document: Any, algorithms: list[str]) -> list[tuple[str | None, str, jwt.PyJWK]]:
    """Return `(id, algorithm, key)` for each key of a JWK set and each algorithm that it fits.

    Keys for encryption, symmetric keys, weak keys and keys of unknown types are left out. Raises
    `ValueError` if none is left.
    """
    found = document.get("keys") if isinstance(document, dict) else None
    usable = [
        (data.get("kid"), name, key)
        for data in (found if isinstance(found, list) else [])
        for name in algorithms
        if isinstance(data, dict) and (key := public_jwk(data, name)) is not None
    ]
    if not usable:
        raise ValueError("no usable key for the allowed algorithms")
    return usable


def public_jwk(data: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
    """Return a key of a JWK set for an algorithm, None if it does not fit or is too weak."""
    if data.get("use", "sig") != "sig" or data.get("alg", algorithm) != algorithm:
        return None
    public = {name: value for name, value in data.items() if name != "d"}
    try:
        key = jwt.PyJWK(public, algorithm)
        return None if weakness_of(key.Algorithm, key.key) else key
    except (jwt.PyJWTError, ValueError, TypeError, LookupError):
        return None
