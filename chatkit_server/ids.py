"""Ids that are unique across servers and time, and sort by the time they were made."""

from __future__ import annotations

from contextvars import ContextVar

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


def is_id(value: str) -> bool:
    """Whether something can be looked up by this id."""
    return len(value) <= MAX_ID_LENGTH and value.isprintable()
