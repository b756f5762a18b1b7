"""Keys to check tokens with, fetched from a `jwks_url`."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import AsyncIterator, Collection
from typing import Any

import aiohttp
import jwt
from aiohttp import web

from chatkit_server import Finding, Unavailable, words
from chatkit_server.models import CHECK_SERVER, guard_session, http_problem, note_date

from .config import ASYMMETRIC, Config
from .keys import weakness_of

log = logging.getLogger(__name__)

MOST_KEYS = 100

MOST_TRIED = 20
"""Keys that are tried for one token, if their ids do not tell which one it is."""

LONGEST_VALUE = 3_000
"""Characters of one value of a key. The largest RSA keys that OpenSSL takes have 2,731."""


LONGEST_SHOWN = 200
"""Characters of an address that a log line quotes of the other side."""

LONGEST_REASON = 500

REPEAT = 60.0
"""Seconds between two lines about the same failure."""


class BadKeySet(Exception):
    """What was fetched is no set of usable keys; the message says why."""


class KeySet:
    """The keys at `jwks_url`: fetched when needed, cached, and still used if a fetch fails.

    `patience` is how long a request may wait for keys, in seconds. There is one fetch at a time, at
    most one in `jwks_cooldown`, and all requests that need it share it.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.algorithms = config.asymmetric or list(ASYMMETRIC)
        self.patience = 4.0
        self._keys: list[tuple[str | None, str, jwt.PyJWK]] = []
        self._session: aiohttp.ClientSession | None = None
        self._refresh: asyncio.Task[None] | None = None
        self._tried = -math.inf
        self._fetched = -math.inf
        """When the fetch of the keys began."""
        self._down = False
        self._told: tuple[str, float] = ("", -math.inf)
        """The last line about a failure, and when it was written."""

    async def run(self, _: web.Application) -> AsyncIterator[None]:
        """Keep a session while the server runs, and fetch the keys before they are needed."""
        async with self._new_session() as self._session:
            self._start()
            yield
            if self._refresh is not None:
                self._refresh.cancel()
                await asyncio.gather(self._refresh, return_exceptions=True)

    def _new_session(self) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self.config.jwks_timeout),
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,  # a small answer could become a large one
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return guard_session(session)

    async def check(self) -> Finding:
        """Fetch the keys once, and say how many there are, or why there are none."""
        where = f"keys at {self.config.jwks_url}"
        began = time.monotonic()
        async with self._new_session() as self._session:
            await self._fetch()
        if self._down:
            problem, _, todo = self._told[0].partition(": set ")
            advice = (
                f"Set {todo}" if todo else "Check plugins.jwt_auth.jwks_url, and what runs there"
            )
            return Finding(f"cannot be used: {problem}", advice, "error", where)
        count = len({id for id, *_ in self._keys})
        names = ", ".join(dict.fromkeys(name for _, name, _ in self._keys))
        took = time.monotonic() - began
        return Finding(f"{count} for {names}, fetched in {took:.1f} s", "", "ok", where)

    async def find(
        self, kid: str | None, algorithm: str, tried: Collection[jwt.PyJWK] = ()
    ) -> list[jwt.PyJWK]:
        """Return the keys for this algorithm that a token with this key id may be signed with.

        Without any besides those that were `tried`, the keys are fetched again: the issuer may have
        a new one. Raises `Unavailable` if they cannot be fetched in time, so that this is unknown.
        """
        asked = time.monotonic()
        if keys := self._untried(kid, algorithm, tried):
            if asked - self._fetched > self.config.jwks_max_age:
                self._start()
            return keys
        if self._cooldown_left > 0 and any(id == kid is not None for id, *_ in self._keys):
            # A wrong signature or algorithm: an issuer gives a new key a new id
            return []
        try:
            async with asyncio.timeout(self.patience):
                while not keys and self._fetched < asked and await self._renewed():
                    keys = self._untried(kid, algorithm, tried)
        except TimeoutError:
            if not tried:
                raise self._unavailable() from None
        if not keys and not tried and self._down:
            raise self._unavailable()
        return keys

    def _untried(
        self, kid: str | None, algorithm: str, tried: Collection[jwt.PyJWK]
    ) -> list[jwt.PyJWK]:
        """Return the keys with this id; without any, those that have none, or all for no id."""
        fitting = [(id, key) for id, name, key in self._keys if name == algorithm]
        named = [key for id, key in fitting if kid is not None and id == kid]
        found = named or [key for id, key in fitting if kid is None or id is None]
        return [key for key in found[:MOST_TRIED] if not any(key is other for other in tried)]

    @property
    def _cooldown_left(self) -> float:
        return self._tried + self.config.jwks_cooldown - time.monotonic()

    async def _renewed(self) -> bool:
        """Wait for the running fetch, or for a new one; return whether it brought keys.

        Raises `TimeoutError` at once if the cooldown is too long to wait for.
        """
        waits = 0.0 if self._down else self.patience
        if (self._refresh is None or self._refresh.done()) and self._cooldown_left > waits:
            raise TimeoutError
        await asyncio.shield(self._start())
        return not self._down

    def _unavailable(self) -> Unavailable:
        keys = words(
            "Could not verify who you are: the sign-in service's keys are not available. Try again "
            "in a moment."
        )
        one = words(
            "Could not verify who you are: the key of your sign-in is not known yet. Try again in "
            "a moment."
        )
        return Unavailable(
            keys if self._down or not self._keys else one,
            retry_after=max(1, math.ceil(self._cooldown_left)),
        )

    def _start(self) -> asyncio.Task[None]:
        """Return the running fetch, or a new one, which begins after the cooldown."""
        if self._refresh is None or self._refresh.done():
            self._refresh = asyncio.create_task(self._fetch(), name="jwks")
        return self._refresh

    async def _fetch(self) -> None:
        await asyncio.sleep(max(0.0, self._cooldown_left))
        began = self._tried = time.monotonic()
        try:
            async with asyncio.timeout(self.config.jwks_timeout):
                document = await self._download()
                # In a thread: a large document must not keep everyone waiting
                self._keys = await asyncio.to_thread(_keys_in, document, self.algorithms)
        except Exception as error:  # the other side may send anything
            self._down = True
            reason = f"longer than {self.config.jwks_timeout:g} s, jwks_timeout"
            self._failed(reason if isinstance(error, TimeoutError) else _described(error))
        else:
            if self._down:
                log.info("the keys at %s can be fetched again", self.config.jwks_url)
            self._down = False
            self._fetched = began

    def _failed(self, reason: str) -> None:
        """Log a failure, the same one once a minute."""
        told, at = self._told
        if reason != told or time.monotonic() - at > REPEAT:
            self._told = (reason, time.monotonic())
            log.error("cannot fetch the keys at %s: %s", self.config.jwks_url, reason)

    @property
    def known(self) -> bool:
        """Whether keys were fetched at least once; a fetch that is due begins."""
        if not self._keys:
            self._start()
        return bool(self._keys)

    async def _download(self) -> bytes:
        """Return the document at the URL itself, as long as it is not too large."""
        assert self._session is not None
        assert self.config.jwks_url is not None
        limit = self.config.jwks_max_size
        document = bytearray()
        async with self._session.get(self.config.jwks_url, allow_redirects=False) as response:
            note_date(response.host, response.headers.get("Date"))
            if response.status >= 400:
                raise BadKeySet(f"status {response.status}")
            if response.status != 200:
                to = response.headers.get("Location", "no address")
                to = to if len(to) <= LONGEST_SHOWN else f"{to[:LONGEST_SHOWN]}…"
                raise BadKeySet(
                    f"status {response.status}, to {to!r}: set `jwks_url` to the final URL"
                )
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise BadKeySet("the document is packed, although that was not asked for")
            async for piece in response.content.iter_any():
                document += piece
                if len(document) > limit:
                    raise BadKeySet(f"larger than {limit} bytes, jwks_max_size")
        return bytes(document)


def _described(error: Exception) -> str:
    """Return why keys could not be fetched, in words that fit into a line."""
    if problem := http_problem(error):
        return f"the server {problem}; {CHECK_SERVER}"
    text = str(error)
    text = text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"
    return text if isinstance(error, BadKeySet) else f"{type(error).__name__}: {text}"


def _keys_in(document: bytes, algorithms: list[str]) -> list[tuple[str | None, str, jwt.PyJWK]]:
    try:
        return usable_keys(json.loads(document), algorithms)
    except ValueError:
        page = document.lstrip()[:1] == b"<"
        what = "not JSON, but a web page" if page else "not JSON"
        raise BadKeySet(f"the document is {what}: set `jwks_url` to the key set's URL") from None
    except RecursionError:
        raise BadKeySet("the document is nested too deeply") from None


def usable_keys(document: Any, algorithms: list[str]) -> list[tuple[str | None, str, jwt.PyJWK]]:
    """Return `(id, algorithm, key)` for each key of a JWK set and each algorithm that it fits.

    Keys for encryption, symmetric keys, weak keys and keys of unknown types are left out. Raises
    `BadKeySet` if none is left, or if there are more than `MOST_KEYS`.
    """
    found = document.get("keys") if isinstance(document, dict) else None
    if isinstance(document, dict) and isinstance(document.get("jwks_uri"), str):
        raise BadKeySet("this is a configuration: set `jwks_url` to the URL in its `jwks_uri`")
    if not isinstance(found, list):
        raise BadKeySet("not a JWK set: an object with a list `keys`")
    if len(found) > MOST_KEYS:
        raise BadKeySet(f"{len(found)} keys, and at most {MOST_KEYS} are read")
    usable = [
        (data.get("kid"), name, key)
        for data in found
        for name in algorithms
        if isinstance(data, dict) and (key := public_jwk(data, name)) is not None
    ]
    if not usable:
        raise BadKeySet("no usable key for the allowed algorithms")
    return usable


def public_jwk(data: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
    """Return a key of a JWK set for an algorithm, None if it does not fit or is too weak."""
    if data.get("use", "sig") != "sig" or data.get("alg", algorithm) != algorithm:
        return None
    public = {name: value for name, value in data.items() if name != "d"}
    if any(isinstance(value, str) and len(value) > LONGEST_VALUE for value in public.values()):
        return None
    try:
        key = jwt.PyJWK(public, algorithm)
        return None if weakness_of(key.Algorithm, key.key) else key
    except Exception:  # a key of another kind must not take the others with it
        log.debug("a key cannot be used with %s", algorithm, exc_info=True)
        return None
