"""The places of which processes tell each other news."""

from __future__ import annotations

import json
from typing import Literal

from ..turn import User

Kind = Literal["turn", "ended", "item", "thread", "removed"]
"""What has happened in a thread: a turn has begun or ended, an item or the thread has changed, or
the thread was deleted."""


def place_of_thread(user: User, thread_id: str) -> str:
    """Return the place of a user's thread."""
    return f"{user.tenant}/{user.id}/{thread_id}"


def news(kind: Kind, of: str = "") -> str:
    """Return news of a thread; `of` is the id of the turn or the item."""
    return json.dumps({"type": kind, "id": of} if of else {"type": kind})


def read_news(text: str) -> tuple[str, str]:
    """Return the kind and the id of news; nothing of what cannot be read."""
    try:
        read = json.loads(text)
        return str(read["type"]), str(read.get("id", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", ""
