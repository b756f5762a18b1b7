"""Ids that are unique across servers and time, and sort by the time they were made."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils import uuid7

MAX_ID_LENGTH = 200
"""The longest id that can be looked up, in characters."""

current_turn: ContextVar[str] = ContextVar("current_turn", default="")
"""The id of the turn that this task works on: each line of the log names it."""


def new_id(prefix: str) -> str:
    """Return `prefix_` and a UUID version 7 (RFC 9562) of 32 hex digits.

    Ids made by one process sort in the order they were made, also within a millisecond.
    """
    return f"{prefix}_{uuid7().hex}"


def time_of(value: str) -> datetime | None:
    """Return when an id of `new_id` was made, in milliseconds; None for an id of another kind."""
    try:
        number = UUID(value.rpartition("_")[2])
    except ValueError:
        return None
    if number.version != 7:
        return None
    return datetime.fromtimestamp((number.int >> 80) / 1000, UTC)


def is_id(value: str) -> bool:
    """Whether something can be looked up by this id."""
    return len(value) <= MAX_ID_LENGTH and value.isprintable()
