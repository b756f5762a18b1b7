"""The names of places in the event log, where processes tell each other what happens."""

from __future__ import annotations

from ..turn import User


def place_of_thread(user: User, thread_id: str) -> str:
    """Return the place of a thread of this user."""
    return f"{user.tenant}/{user.id}/{thread_id}"
