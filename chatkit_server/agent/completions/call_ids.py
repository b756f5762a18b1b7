"""The ids of tool calls, in the form that an endpoint accepts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Literal

from .messages import Call

Form = Literal["own", "given", "nine", "functions"]

_ACCEPTED = re.compile(r"[a-zA-Z0-9_-]{1,40}")
"""Anthropic refuses other characters, OpenAI more of them."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def ids_of(calls: Iterable[Call], form: Form) -> Iterator[str]:
    """Yield an id for each call, unique in this request.

    The same calls get the same ids in every request, so that what a provider keeps of the
    beginning of a conversation can be used again.
    """
    used: set[str] = set()
    for number, call in enumerate(calls):
        own = call.id if _ACCEPTED.fullmatch(call.id) else f"call_{_hash(call.id)[:24]}"
        if form == "functions":
            candidate = f"functions.{call.name}:{number}"
        elif form == "nine":
            candidate = _nine(call.id)
        elif form == "given" and call.given_id not in used:
            candidate = call.given_id or own
        else:
            candidate = own
        attempt = 0
        while candidate in used:
            attempt += 1
            seed = f"{call.id} {attempt}"
            candidate = _nine(seed) if form == "nine" else f"call_{_hash(seed)[:24]}"
        used.add(candidate)
        yield candidate


def _hash(text: str) -> str:
    return sha256(text.encode(errors="replace")).hexdigest()


def _nine(text: str) -> str:
    number = int.from_bytes(sha256(text.encode(errors="replace")).digest()[:16])
    digits = []
    for _ in range(9):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(digits)
