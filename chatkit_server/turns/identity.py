"""How a repeated request is recognised."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

NO_EVENT = ("", 0)
"""An event that no turn has."""

_LONGEST_ID = 100


@dataclass(frozen=True, slots=True)
class RequestIdentity:
    """What identifies a repeated request: its key, its body, or the last event its client saw.

    `key` comes from `Idempotency-Key`. `body` is a digest of the page's id and the body: equal
    bodies of different pages are different requests. `content` is a digest of the body alone.
    """

    key: str | None = None
    body: str | None = None
    content: str | None = None
    last_event: tuple[str, int] | None = None

    @classmethod
    def of(
        cls,
        body: bytes,
        *,
        idempotency_key: str | None,
        frame: str | None,
        last_event_id: str | None,
    ) -> RequestIdentity:
        """Read a request: its body, and the headers `Idempotency-Key`,
        `chatkit-frame-instance-id` and `Last-Event-ID`."""
        return cls(
            key=f"key:{_digest(_bytes(idempotency_key))}" if idempotency_key else None,
            body=f"body:{_digest(_bytes(frame), body)}" if frame else None,
            content=_digest(body),
            last_event=_event(last_event_id) if last_event_id else None,
        )

    @classmethod
    def stored(cls, request: str | None, content: str | None) -> RequestIdentity:
        """Return the identity of a request from what the turn store has of it."""
        is_key = request is not None and request.startswith("key:")
        return cls(request if is_key else None, None if is_key else request, content)

    @property
    def request(self) -> str | None:
        """What identifies the request in the turn store."""
        return self.key or self.body

    @property
    def places(self) -> list[str]:
        """All that identifies the request in this process."""
        return [place for place in (self.key, self.body) if place]


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _bytes(header: str) -> bytes:
    """Return the bytes of a header, which need not be UTF-8."""
    return header.encode("utf-8", "surrogatepass")


def _event(given: str) -> tuple[str, int]:
    """Return the turn and the number of an event; no turn has the id of one that is malformed."""
    turn_id, _, number = given.rpartition(":")
    is_id = 0 < len(turn_id) <= _LONGEST_ID and turn_id.isascii() and turn_id.isprintable()
    return (turn_id, int(number)) if is_id and _is_number(number) else NO_EVENT


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
