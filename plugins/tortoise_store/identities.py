"""What can be an id in both databases."""

from __future__ import annotations

import re

from chatkit_server import BadRequest, User

from .models import ID_LENGTH

_SURROGATE = re.compile("[\ud800-\udfff]")


def storable(identity: str) -> bool:
    """Whether both databases can hold it: short, no NUL, no half of a surrogate pair."""
    return (
        len(identity) <= ID_LENGTH
        and "\x00" not in identity
        and (identity.isascii() or not _SURROGATE.search(identity))
    )


def refuse_odd(user: User) -> None:
    """Raise `BadRequest` for a user whose name cannot be kept."""
    if not (storable(user.tenant) and storable(user.id)):
        raise BadRequest(f"The user's id cannot be kept: at most {ID_LENGTH} characters.")


def as_text(value: str) -> str:
    """Return text that both databases can hold, with `?` in place of what they cannot."""
    return value.replace("\x00", "?").encode(errors="replace").decode()
