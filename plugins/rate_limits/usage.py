"""How many tokens a turn has used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatkit.types import AssistantMessageItem

from chatkit_server import Outcome, Turn

_BYTES_PER_TOKEN = 4
"""As the server counts for `agent.history`."""


def tokens_of(turn: Turn, outcome: Outcome) -> int:
    """Return the tokens that models read and wrote, as their providers counted them.

    Most count at the end of an answer. For one that was cut off, it is at least what the text that
    the model read and wrote comes to: otherwise answers would be free that are stopped before their
    last word.
    """
    counted = outcome.usage.input_tokens + outcome.usage.output_tokens
    began = outcome.first_token is not None or outcome.status == "cancelled"
    if outcome.status == "completed" or not began:
        return counted
    said = [
        part.text
        for item in outcome.items
        if isinstance(item, AssistantMessageItem)
        for part in item.content
    ]
    return max(counted, -(-(_size(turn.input) + _size(said)) // _BYTES_PER_TOKEN))


def _size(value: Any) -> int:
    """Return the bytes of all text in JSON; images and files are not text."""
    if isinstance(value, str):
        return 0 if value.startswith("data:") else len(value.encode(errors="replace"))
    if isinstance(value, Mapping):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list) else 0
