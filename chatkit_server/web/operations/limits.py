"""How large a request may be, and how many a user may make at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_json

from ...errors import BadRequest, TooLarge, Unavailable
from ...settings.schema import RequestLimits
from ...turn import User
from ...turns.places import RETRY_AFTER, Places
from ...turns.running import Owner
from ...turnstile import Turnstile
from ...words import words, words_n

SIZES = {
    "metadata": "metadata",
    "params.title": "title",
    "params.name": "name",
    "params.mime_type": "name",
    "params.audio_base64": "audio",
    "params.action": "data",
    "params.result": "data",
    "params.input.answers": "data",
    "params.input.inference_options.model": "name",
    "params.input.inference_options.tool_choice": "name",
    "model": "name",
    "user_id": "name",
}
"""The fields with a limit of their own, and its setting. The size is that of the field's JSON."""

COUNTS = {
    "params.item_ids": "items",
    "params.input.attachments": "attachments",
    "params.input.content": "parts",
    "messages": "messages",
}
"""The lists whose entries are counted, and the setting of their limit."""


SMALL_BODY = 100_000
"""Bytes of each body that do not count: messages arrive while others send large bodies."""

READ_PER_SECOND = 20_000_000
"""Bytes a second that one user may read of what is stored. Each costs the server some 20 ns."""

USERS_SHARE = 4
"""The part of `requests.bodies` that one user may take is one by this."""


class RequestGuard:
    """Holds the requests of users to the section `requests` of the settings."""

    def __init__(self, limits: RequestLimits) -> None:
        self.limits = limits
        self._sizes = [(path, getattr(limits, setting)) for path, setting in SIZES.items()]
        self._counts = [(path, getattr(limits, setting)) for path, setting in COUNTS.items()]
        self._smallest = min(limits.size, *(limit for _, limit in self._sizes))
        self._all_arriving = 0
        self._arriving: Counter[Owner] = Counter()
        refusal = words_n(
            "You sent {n} request at once. Wait until it is answered.",
            "You sent {n} requests at once. Wait until they are answered.",
            limits.user,
            n=limits.user,
        )
        self.places = Places(limits.user, refusal)
        self._bodies = Places(limits.user, refusal)
        self._readings = Turnstile()

    def place(self, user: User) -> AbstractContextManager[None]:
        """Count a request of a user while the block runs.

        Raises `Unavailable` if the user has too many.
        """
        return self.places.taken((user.tenant, user.id))

    @asynccontextmanager
    async def reading(self, user: User) -> AsyncIterator[Callable[[int], None]]:
        """Wait for what else the user reads; call the value with the bytes that are read.

        The next one of the user waits until `READ_PER_SECOND` is kept.
        """
        owner = (user.tenant, user.id)
        read = 0

        def count(size: int) -> None:
            nonlocal read
            read += size

        await self._readings.hold(owner)
        try:
            yield count
        finally:
            self._readings.leave(owner, read / READ_PER_SECOND)

    @contextmanager
    def arriving(self, user: User) -> Iterator[Callable[[int], None]]:
        """Count a body of a user while it arrives; call the value with its size so far.

        Raises `Unavailable` if the user sends too many at once, or if large bodies that arrive have
        too many bytes together.
        """
        owner = (user.tenant, user.id)
        counted = 0

        def count(size: int) -> None:
            nonlocal counted
            more = max(0, size - SMALL_BODY) - counted
            counted += more
            self._arriving[owner] += more
            self._all_arriving += more
            if more and (
                self._all_arriving > self.limits.bodies
                or self._arriving[owner] > self.limits.bodies // USERS_SHARE
            ):
                raise Unavailable(
                    words("Too many large requests arrive at once. Try again in a moment."),
                    retry_after=RETRY_AFTER,
                )

        # Places of their own: who waits for slow answers can begin turns all the same
        with self._bodies.taken(owner):
            try:
                yield count
            finally:
                self._all_arriving -= counted
                self._arriving[owner] -= counted
                if not self._arriving[owner]:
                    del self._arriving[owner]

    def check(self, request: BaseModel) -> None:
        """Raise `TooLarge` if a field of a ChatKit or plain request, or all of it, is too large."""
        for path, limit in self._counts:
            value = _field(request, path)
            if value is not None and len(value) > limit:
                raise TooLarge(
                    words(
                        "{field} has {n} entries. The limit is {limit}.",
                        field=path,
                        n=len(value),
                        limit=limit,
                    )
                )
        _check_stated_size(request, self.limits.attachment)
        whole = len(to_json(request))
        if whole <= self._smallest:
            # As most requests are
            return
        for path, limit in self._sizes:
            if whole > limit:
                _check_size(path, _field(request, path), limit)
        audio = _field(request, "params.audio_base64")
        size = whole if audio is None else whole - len(audio)
        if size > self.limits.size:
            raise TooLarge(_too_large(words("The request"), size, self.limits.size))


def _too_large(what: str, size: int, limit: int) -> str:
    return words(
        "{what} has {size} bytes. The limit is {limit}.", what=what, size=size, limit=limit
    )


def _check_size(path: str, value: Any, limit: int) -> None:
    size = 0 if value is None else len(to_json(value))
    if size > limit:
        raise TooLarge(_too_large(path, size, limit))


def _check_stated_size(request: BaseModel, limit: int) -> None:
    size = _field(request, "params.size")
    if size is None:
        return
    if size < 0:
        raise BadRequest("params.size: must not be negative.")
    if size > limit:
        raise TooLarge(
            words("params.size is larger than the limit, which is {limit} bytes.", limit=limit)
        )


def _field(value: Any, path: str) -> Any:
    """Return a field of a request, or None where it has no such field."""
    for name in path.split("."):
        # Pydantic's own look-up of a field that is not there takes longer than all else here
        value = vars(value).get(name) if isinstance(value, BaseModel) else None
        if value is None:
            break
    return value
