"""Ids and text that both databases can store."""

from __future__ import annotations

import re

from chatkit_server import BadRequest, User, words

from .models import ID_LENGTH

_SURROGATE = re.compile("[\ud800-\udfff]")


def storable(identity: str) -> bool:
    """Whether both databases can store the id: not too long, no NUL, no lone surrogate."""
    return (
        len(identity) <= ID_LENGTH
        and "\x00" not in identity
        and (identity.isascii() or not _SURROGATE.search(identity))
    )


def require_storable(user: User) -> None:
    """Raise `BadRequest` for a user whose id cannot be stored."""
    if not (storable(user.tenant) and storable(user.id)):
        raise BadRequest(
            words(
                "The user's id cannot be stored: it may have up to {limit} characters, and no NUL.",
                limit=ID_LENGTH,
            )
        )


def as_text(value: str) -> str:
    """Return text that both databases can store, with `?` for characters that they cannot."""
    return value.replace("\x00", "?").encode(errors="replace").decode()
