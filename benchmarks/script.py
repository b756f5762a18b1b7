"""The requests of a chat, and the answers of the model server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

_ASKED = re.compile(r"Say (\d+) tokens, one every (\d+) ms\.")


@dataclass(frozen=True)
class Answer:
    """An answer of `tokens` pieces of text: at once, or one every `interval` milliseconds.

    The first comes at once in any case.
    """

    tokens: int
    interval: int = 0

    @property
    def asked(self) -> str:
        """The user's message that requests it."""
        return f"Say {self.tokens} tokens, one every {self.interval} ms."

    @property
    def text(self) -> str:
        """The complete text."""
        return _text(self.tokens)

    @classmethod
    def to(cls, message: str) -> Answer:
        """Return what a message requests; raises `ValueError` if it requests nothing."""
        found = _ASKED.search(message)
        if found is None:
            raise ValueError(f"not a message of the benchmark: {message[:80]!r}")
        return cls(int(found[1]), int(found[2]))


def token(number: int) -> str:
    """Return a piece of text as long as a model's token."""
    return f"word{number} "


@cache
def _text(tokens: int) -> str:
    return "".join(token(number) for number in range(tokens))
