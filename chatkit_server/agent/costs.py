"""What input items cost a model: text by its bytes, pictures and files as providers count them.

A picture of two megabytes costs a model about as much as a page of text. Counted by its bytes, it
would leave no room for anything else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from .pictures import data_of, picture_name, read_head

BYTES_PER_TOKEN = 4
"""OpenAI's rule of thumb for English text."""

PIXELS_PER_TOKEN = 750
"""Of a picture, at Anthropic. OpenAI counts 512-pixel tiles or 32-pixel patches, Gemini tiles of
768 pixels: of a picture of 1024 by 1024, Anthropic makes 1398 tokens, Gemini 1032, OpenAI 765."""

MOST_OF_IMAGE = 1600
"""Tokens: Anthropic scales larger pictures down to this."""

LEAST_OF_IMAGE = 85
"""Tokens: what OpenAI counts for a picture with `detail: low`, of any size."""

UNKNOWN_IMAGE = 1000
"""Tokens of a picture whose size is not known, such as one at a URL: about 1024 by 1024."""

UNKNOWN_FILE = 5000
"""Tokens of a file that is not text, such as a PDF: two pages. Anthropic counts 1500 to 3000 for
each; how many there are, only its text would tell."""

BYTES_PER_SOUND_TOKEN = 500
"""Of audio and video. Gemini counts 32 tokens a second for audio and 263 for video, and MP3 has
some 16 kB a second, video 130 kB."""

_BEGINNING = 100_000
"""Characters of a picture's data in which its size is looked for."""

_IMAGE, _FILE, _SOUND = "image", "file", "sound"
_KINDS = {
    "input_image": _IMAGE,
    "image_url": _IMAGE,
    "image": _IMAGE,
    "output_image": _IMAGE,
    "computer_screenshot": _IMAGE,
    "image_generation_call": _IMAGE,
    "input_file": _FILE,
    "file": _FILE,
    "document": _FILE,
    "input_audio": _SOUND,
    "audio": _SOUND,
    "input_video": _SOUND,
    "video_url": _SOUND,
    "video": _SOUND,
}
_PAYLOADS = (
    *("image_url", "file_data", "data", "result", "b64_json", "url", "file_url", "file_uri"),
    *("input_audio", "audio", "video_url", "video", "source", "file", "image", "file_id"),
    *("inline_data", "inlineData", "fileData", "fileUri"),
)
"""Where a part has its data or its address, or an object that has it."""
_UNNAMED = frozenset({"inline_data", "inlineData", "file_data", "fileData"})
"""Gemini's parts have no type, but one of these objects."""
_TYPES = ("mime_type", "media_type", "mimeType", "format")
_TEXTS = ("text/", "application/json", "application/xml", "application/yaml")
_PLACES = ("content", "output", "outputs")
"""Where an input item has its parts."""

Part = dict[str, Any]


def cost(entries: list[Any]) -> int:
    """Return the bytes of input items as JSON, with those of text that costs as much as media."""
    return cost_and_media(entries)[0]


def cost_and_media(entries: list[Any]) -> tuple[int, int]:
    """Return what `cost` does, and how many pictures and files there are."""
    found: list[Part] = []

    def take_out(part: Part) -> Part:
        found.append(part)
        return {}

    size = json_size([with_media(entry, take_out) for entry in entries])
    return size + sum(map(cost_of_media, found)), len(found)


def with_media(entry: Any, change: Callable[[Part], Part]) -> Any:
    """Return an input item with each picture or file in it changed."""
    if not isinstance(entry, dict):
        return entry
    if is_media(entry):
        return change(entry)
    for place in _PLACES:
        found = entry.get(place)
        if isinstance(found, list):
            if any(map(is_media, found)):
                changed = [change(part) if is_media(part) else part for part in found]
                return {**entry, place: changed}
        elif isinstance(found, dict) and is_media(found):
            return {**entry, place: change(found)}
    return entry


def is_media(part: Any) -> bool:
    """Whether this part or item is a picture, a file, audio or video, in anybody's shape."""
    if not isinstance(part, dict):
        return False
    kind = part.get("type")
    if kind is None:
        return any(isinstance(part[key], dict) for key in _UNNAMED.intersection(part))
    return isinstance(kind, str) and kind in _KINDS and bool(_payload(part))


def size_of_media(part: Part) -> int:
    """Return the bytes that a part has in it; 0 if it only says where they are."""
    payload = _payload(part)
    return len(payload) * 3 // 4 if _is_data(payload) else 0


def cost_of_media(part: Part) -> int:
    """Return the bytes of text that cost a model as much as this picture or file."""
    return _tokens(part) * BYTES_PER_TOKEN


def name_of_media(part: Part) -> str:
    """Return what to call a picture or a file in a note."""
    match _kind(part):
        case "image":
            return picture_name(_as_url(_payload(part)))
        case "sound":
            return "a recording"
    inner = part.get("file")
    name = part.get("filename") or (inner.get("filename") if isinstance(inner, dict) else None)
    return f"a file, {name[:100]}" if isinstance(name, str) and name else "a file"


def _tokens(part: Part) -> int:
    payload = _payload(part)
    match _kind(part):
        case "image":
            return _tokens_of_image(part, payload)
        case "sound":
            size = size_of_media(part)
            return max(LEAST_OF_IMAGE, size // BYTES_PER_SOUND_TOKEN) if size else UNKNOWN_FILE
    if _is_data(payload) and _mime(part).startswith(_TEXTS):
        return size_of_media(part) // BYTES_PER_TOKEN
    return UNKNOWN_FILE


def _tokens_of_image(part: Part, payload: str) -> int:
    inner = part.get("image_url")
    detail = part.get("detail") or (inner.get("detail") if isinstance(inner, dict) else None)
    if detail == "low":
        return LEAST_OF_IMAGE
    data = data_of(_as_url(payload), _BEGINNING) if _is_data(payload) else None
    head = read_head(data) if data is not None else None
    if head is None:
        return UNKNOWN_IMAGE
    return min(MOST_OF_IMAGE, max(LEAST_OF_IMAGE, head.width * head.height // PIXELS_PER_TOKEN))


def _kind(part: Part) -> str:
    kind = _KINDS.get(str(part.get("type")))
    if kind is None or kind == _FILE:
        # A file may be a picture too
        first = _mime(part).partition("/")[0]
        return {"image": _IMAGE, "audio": _SOUND, "video": _SOUND}.get(first, _FILE)
    return kind


def _mime(part: Part) -> str:
    payload = _payload(part)
    if payload.startswith("data:"):
        return payload[len("data:") : 100].partition(";")[0].partition(",")[0]
    return next((found for each in _objects(part) if (found := _first(each, _TYPES))), "")


def _objects(part: Part) -> Iterator[Mapping[str, Any]]:
    yield part
    for key in _PAYLOADS:
        if isinstance(inner := part.get(key), dict):
            yield inner


def _first(part: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((part[key] for key in keys if isinstance(part.get(key), str)), "")


def _payload(part: Mapping[str, Any]) -> str:
    return next((found for each in _objects(dict(part)) if (found := _first(each, _PAYLOADS))), "")


def _is_data(payload: str) -> bool:
    """Whether these are the bytes themselves, and not an address or an id."""
    return payload.startswith("data:") or (len(payload) > 200 and "://" not in payload[:20])


def _as_url(payload: str) -> str:
    is_bare = _is_data(payload) and not payload.startswith("data:")
    return f"data:;base64,{payload[:_BEGINNING]}" if is_bare else payload


def json_size(value: Any) -> int:
    """Return the bytes of a value as JSON."""
    try:
        return len(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))
    except TypeError:
        # Half surrogate pairs, and numbers beyond 64 bits: models write both
        return len(json.dumps(value, ensure_ascii=False, default=str).encode(errors="replace"))
