"""A conversation as plain words: who said what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chatkit.types import AssistantMessageItem, UserMessageItem


def transcript(items: Iterable[Any]) -> list[tuple[str, str]]:
    """Return what was said in a conversation, in order: `("user", "Hello")`, `("assistant", ...)`.

    `items` are those of a thread, such as `turn.items`; all that are no messages are left out.
    """
    said = []
    for item in items:
        if isinstance(item, UserMessageItem | AssistantMessageItem):
            role = item.type.removesuffix("_message")
            said.append((role, "".join(part.text for part in item.content)))
    return said
