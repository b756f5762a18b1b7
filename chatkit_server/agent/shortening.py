"""Input items that are too large become smaller: texts are cut, pictures become notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from chatkit.types import ImageAttachment, ThreadItem, UserMessageItem, UserMessageTextContent

from .costs import (
    Part,
    cost,
    cost_of_media,
    json_size,
    name_of_media,
    size_of_media,
    with_media,
)
from .pairs import kind_of

LEAST = 100
"""Bytes of a text that are worth sending."""

MOST_BYTES_OF_OLD_MEDIA = 20_000_000
"""Bytes of the pictures and files of earlier turns that are sent again: requests have limits of
some 30 MB (Anthropic 32 MB, Gemini 20 MB, OpenAI 50 MB)."""

_NOTE = 80
"""Bytes of the note where a text is cut, at most."""

_TAIL = 4
"""One part in this many of a cut text is its end: a question may stand after what it is about."""

_ROUNDS = 4
_AGAIN = "sent before and not sent again"

_RESULTS = {"function_call_output": "output", "custom_tool_call_output": "output"}
_PLACES = {**_RESULTS, "message": "content"}
"""Where the texts are that may be cut, by the type of an input item."""


class OldMedia:
    """The pictures and files of earlier turns, newest first: those beyond the limits become notes.

    `left` is how many may be sent again.
    """

    def __init__(self, left: int) -> None:
        self._left = left
        self._bytes = MOST_BYTES_OF_OLD_MEDIA

    def without_images(self, item: ThreadItem) -> ThreadItem:
        """Return an item without the images that may not be sent again: nobody need load them."""
        if self._left > 0 or not isinstance(item, UserMessageItem):
            return item
        images = [each for each in item.attachments if isinstance(each, ImageAttachment)]
        if not images:
            return item
        kept = [each for each in item.attachments if not isinstance(each, ImageAttachment)]
        notes = [UserMessageTextContent(text=f"\n[{each.name}, {_AGAIN}]") for each in images]
        return item.model_copy(
            update={"attachments": kept, "content": [*item.content, *notes]},
        )

    def limited(self, entries: Sequence[Any]) -> list[Any]:
        """Return the input items of one item of the conversation, with what may be sent again."""
        found = [with_media(entry, self._limited) for entry in reversed(entries)]
        return found[::-1]

    def _limited(self, part: Part) -> Part:
        size = size_of_media(part)
        if self._left <= 0 or size > self._bytes:
            return _note(part)
        self._left -= 1
        self._bytes -= size
        return part


def shortened(entries: Sequence[Any], room: int, *, results_only: bool = False) -> list[Any] | None:
    """Return input items in at most `room` bytes, None if that cannot be.

    Pictures and files take half of it at most. Then the longest texts are cut, each in its middle:
    those of tools' results, and of messages but for `results_only`. Calls and thoughts stay as they
    are.
    """
    whole = _with_less_media(entries, room // 2)
    places = _RESULTS if results_only else _PLACES
    lengths = [json_size(text) for entry in whole for text in _texts(entry, places)]
    limit = room - cost(whole) + sum(lengths)
    for _ in range(_ROUNDS):
        most = _most_of_each(lengths, limit)
        if lengths and most < LEAST:
            return None
        change = partial(_cut_to, most)
        found = [_with_texts(entry, places, change) for entry in whole]
        over = cost(found) - room
        if over <= 0:
            return found
        # Escapes in JSON are not spread evenly over a text
        limit -= over
    return None


def _cut_to(most: int, text: str) -> str:
    written = json_size(text)
    return text if written <= most else cut_middle(text, most * _length(text) // written)


def cut_middle(text: str, size: int) -> str:
    """Cut a text to `size` bytes, and say so where something is missing."""
    data = text.encode(errors="replace")
    if len(data) <= size:
        return text
    kept = max(0, size - _NOTE)
    tail = kept // _TAIL
    head = data[: kept - tail].decode(errors="ignore")
    end = data[len(data) - tail :].decode(errors="ignore") if tail else ""
    missing = len(data) - kept
    return f"{head}\n[cut off here: {missing} of {len(data)} bytes are left out]\n{end}"


def _with_less_media(entries: Sequence[Any], room: int) -> list[Any]:
    def kept(part: Part) -> Part:
        nonlocal room
        costs = cost_of_media(part)
        if costs > room:
            return _note(part)
        room -= costs
        return part

    return [with_media(entry, kept) for entry in entries]


def _most_of_each(lengths: list[int], room: int) -> int:
    """Return the most bytes of each text with which all of them together take `room`."""
    for count, length in enumerate(sorted(lengths)):
        share = room // (len(lengths) - count)
        if length > share:
            return share
        room -= length
    return max(lengths, default=0) if room >= 0 else 0


def _texts(entry: Any, places: Mapping[str, str]) -> list[str]:
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    _with_texts(entry, places, note)
    return found


def _with_texts(entry: Any, places: Mapping[str, str], change: Callable[[str], str]) -> Any:
    """Return an input item with each text changed that is in one of these places."""
    place = places.get(kind_of(entry))
    value = entry.get(place) if place else None
    if place is None or not isinstance(value, str | list):
        return entry
    if isinstance(value, str):
        return {**entry, place: change(value)}
    return {**entry, place: [_with_text(part, change) for part in value]}


def _with_text(part: Any, change: Callable[[str], str]) -> Any:
    text = part.get("text") if isinstance(part, dict) else None
    return {**part, "text": change(text)} if isinstance(text, str) else part


def _length(text: str) -> int:
    return len(text.encode(errors="replace"))


def _note(part: Part) -> Part:
    """Return what stands for a picture or a file that is not sent again."""
    if part.get("type") == "computer_screenshot":
        # Its call takes no other result
        return part
    text = f"[{name_of_media(part)}, {_AGAIN}]"
    if part.get("type") == "image_generation_call":
        return {"role": "user", "content": text}
    return {"type": "input_text", "text": text}
