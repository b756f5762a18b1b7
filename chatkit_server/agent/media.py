"""Pictures and files in what tools return.

The model gets pictures as they fit the settings, in the answer that follows. Everybody else gets
notes: the turn's memory and later turns, clients, stores of turns. So nothing of them is in the
store, where each later request would read and send it again, and no model gets Base64 as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel

from ..settings.schema import ImageSettings
from .pictures import (
    Head,
    data_of,
    data_url,
    head_name,
    is_whole,
    picture_name,
    read_head,
    scaled,
)

Part = dict[str, Any]

_MOST = 20
"""Pictures and files of one result."""

_RESULTS = 5
"""How often a turn may have results with the most bytes of pictures."""

_PREVIEW_SIDE = 8000
_PREVIEW_SIZE = 3_750_000
"""Pixels and bytes of an attachment's picture: what Anthropic takes, the strictest provider."""

_OTHER_FORMATS = re.compile(rb"....ftyp|II\*\x00|MM\x00\*|%PDF|\s*<", re.DOTALL)
"""How HEIC, AVIF, TIFF, PDF and SVG begin, whatever their type is said to be."""

_READABLE = tuple(f"data:image/{kind};" for kind in ("png", "jpeg", "gif", "webp"))

_PICTURE_KEYS = ("image_url", "file_id")
_FILE_KEYS = ("file_data", "file_url", "file_id")


def as_parts(output: Any) -> Any:
    """Return an output with pictures or files in it as parts, other outputs unchanged.

    The Agents SDK writes the whole output as text, with all that is in it, if one part is of
    another kind.
    """
    if isinstance(output, dict):
        return output
    is_list = isinstance(output, list | tuple)
    parts = [_dumped(part) for part in (output if is_list else [output])]
    if not any(is_media(part) for part in parts):
        return output
    return [_as_part(part) for part in parts] if is_list else parts[0]


def _dumped(part: Any) -> Any:
    is_output = isinstance(part, BaseModel) and getattr(part, "type", None) in (
        "file",
        "image",
        "text",
    )
    return part.model_dump(exclude_none=True) if is_output else part


def _as_part(part: Any) -> Part:
    if is_media(part) or (is_text(part)):
        return cast(Part, part)
    text = part if isinstance(part, str) else json.dumps(part, ensure_ascii=False, default=str)
    return {"type": "text", "text": text}


def is_text(part: Any) -> bool:
    """Whether a part of an output is text."""
    return (
        isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
    )


def is_media(part: Any) -> bool:
    """Whether a part of an output is a picture or a file, as the Agents SDK takes them."""
    if not isinstance(part, dict):
        return False
    kind = part.get("type")
    keys = _PICTURE_KEYS if kind == "image" else _FILE_KEYS if kind == "file" else ()
    return any(isinstance(part.get(key), str) for key in keys)


def has_media(output: Any) -> bool:
    """Whether an output has a picture or a file in it."""
    return any(is_media(part) for part in (output if isinstance(output, list) else [output]))


class Media:
    """The pictures and files of a turn: what is too much becomes a note."""

    def __init__(self, settings: ImageSettings) -> None:
        self._settings = settings
        self._left = _RESULTS * settings.max_size

    async def fitted(self, output: Any) -> Any:
        """Return an output with its pictures and files as they may go to a model."""
        if not has_media(output):
            return output
        left = min(self._settings.max_size, self._left)
        fitted: list[Part] = []
        count = 0
        for part in output if isinstance(output, list) else [output]:
            if is_media(part):
                count += 1
                part = await self._fitted(part, left) if count <= _MOST else _note(_name_of(part))
                size = _size_of(part)
                left -= size
                self._left -= size
            fitted.append(part)
        return fitted if isinstance(output, list) else fitted[0]

    async def _fitted(self, part: Part, left: int) -> Part:
        if part["type"] == "file":
            fits = _size_of(part) <= left
            return part if fits else _note(_name_of(part), "it is too large")
        url = part.get("image_url")
        if not isinstance(url, str) or not url.startswith("data:"):
            return part
        data = data_of(url)
        if data is None:
            return _note("an image", "it is not valid Base64")
        head = read_head(data)
        if head is not None and head.is_too_large:
            return _note(head_name(head), "it is too large")
        fits = head is not None and self._fits(head, len(data), left)
        if head is not None and head.is_read_by_models and fits and await is_whole(data):
            return {**part, "image_url": data_url(head.kind, data)}
        small = await scaled(data, self._settings.max_side, left)
        made = read_head(small) if small is not None else None
        if small is None or made is None:
            return _note(head_name(head), _reason(url, head, fits, len(data)))
        return {**part, "image_url": data_url(made.kind, small)}

    def _fits(self, head: Head, size: int, left: int) -> bool:
        return max(head.width, head.height) <= self._settings.max_side and size <= left


def _reason(url: str, head: Head | None, fits: bool, size: int) -> str:
    if head is not None and not fits:
        return "it is too large"
    if head is not None and head.has_known_format:
        return "it is broken, or not whole"
    kind = head.kind if head is not None else url[len("data:") : 100].partition(";")[0]
    return f"{kind or 'its format'} of {size} bytes is not supported"


def _size_of(part: Part) -> int:
    """Return the bytes that a part has in it."""
    written = part.get("image_url") or part.get("file_data") or ""
    is_here = "file_data" in part or (isinstance(written, str) and written.startswith("data:"))
    return len(written) * 3 // 4 if is_here else 0


def _name_of(part: Mapping[str, Any]) -> str:
    """Return what to call a picture or a file."""
    if part.get("type") in ("image", "input_image"):
        return picture_name(str(part.get("image_url") or ""))
    name = part.get("filename")
    return f"a file, {name[:100]}" if isinstance(name, str) and name else "a file"


async def preview_part(url: str, name: str) -> Part:
    """Return the picture of an attachment as a part of the user's message.

    It is a note if models cannot read it: for one such picture, providers refuse a whole request.
    """
    if url.startswith(("https://", "http://")):
        return _image_part(url)
    data = data_of(url)
    readable = await _readable(url, data) if data is not None else None
    if readable is None:
        text = f"[attached image: {name}, which models cannot read]"
        return {"type": "input_text", "text": text}
    return _image_part(readable)


async def _readable(url: str, data: bytes) -> str | None:
    """Return the data URL of a picture as models read it, None if they cannot."""
    head = read_head(data)
    if head is None:
        # What is not seen to be something else is believed
        is_other = _OTHER_FORMATS.match(data) or not url.startswith(_READABLE)
        return None if is_other else url
    fits = max(head.width, head.height) <= _PREVIEW_SIDE and len(data) <= _PREVIEW_SIZE
    if not (head.is_read_by_models and fits):
        small = await scaled(data, _PREVIEW_SIDE, _PREVIEW_SIZE)
        if small is not None and (made := read_head(small)) is not None:
            return data_url(made.kind, small)
    if not head.is_read_by_models:
        return None
    return url if url.startswith(f"data:{head.kind};base64,") else data_url(head.kind, data)


def _image_part(url: str) -> Part:
    return {"type": "input_image", "detail": "auto", "image_url": url}


def _note(name: str, reason: str = "") -> Part:
    return {"type": "text", "text": f"[{name}, not shown{': ' if reason else ''}{reason}]"}


def noted(output: Any) -> Any:
    """Return the text of an output, with notes in place of pictures and files.

    For everybody but the model that the tool was called by. Other outputs are unchanged.
    """
    parts = output if isinstance(output, list) else [output]
    if not parts or not all(is_media(part) or is_text(part) for part in parts):
        return output
    texts = [
        f"[{_name_of(part)}, shown only to the model]" if is_media(part) else part.get("text")
        for part in parts
    ]
    return "\n".join(text for text in texts if text)


def remembered(item: Any) -> Any:
    """Return an input item as a turn's memory keeps it: without pictures."""
    if item.get("type") == "image_generation_call":
        return {**item, "result": None}
    output = item.get("output") if item.get("type") == "function_call_output" else None
    if not isinstance(output, list):
        return item
    texts = [
        f"[{_name_of(part)}, shown before and not kept: call the tool again to see it]"
        if part.get("type") in ("input_image", "input_file")
        else part.get("text")
        for part in output
    ]
    return {**item, "output": "\n".join(text for text in texts if text)}
