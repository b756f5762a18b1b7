"""A file that a plugin holds of a user, for `chatkit-server export`."""

from __future__ import annotations

from collections.abc import AsyncIterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UserFile:
    """A file of a user: yield it in the hook `export`.

    `name` is what the user called it; two files may have the same. `content` is its bytes, or an
    async iterator of pieces.
    """

    name: str
    content: bytes | AsyncIterable[bytes]
