"""A conversation between the two forms that it has: the history's items, and what is sent.

Each message has its role, its content as parts, and its tool calls with their results.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from ..sound import as_dict

log = logging.getLogger(__name__)

Part = dict[str, Any]
"""A part of a message's content, as it is sent: `{"type": "text", "text": "..."}`."""

NO_OUTPUT = "(no output)"
IMAGE_MADE = "[An image that you made was shown here.]"

_ROLES = ("system", "developer", "user", "assistant", "tool")
_DETAILS = ("reasoning_details", "thinking_blocks")


@dataclass(slots=True)
class Call:
    """A tool call; `result` is None as long as it is not known.

    `given_id` is the id that the provider gave it, `signature` what Gemini wants back with it.
    """

    id: str
    name: str
    arguments: str
    given_id: str = ""
    signature: str | None = None
    result: list[Part] | None = None


@dataclass(slots=True)
class Message:
    """A message. `call_id` is that of the call which a message of the role `tool` answers.

    `thought` is the reasoning before it as text, `details` the same as objects, by their field.
    """

    role: str
    parts: list[Part] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    call_id: str = ""
    thought: str = ""
    details: dict[str, list[Any]] = field(default_factory=dict)


def text_part(text: str) -> Part:
    """Return text as a part."""
    return {"type": "text", "text": text}


def read_items(items: str | Iterable[Any]) -> list[Message]:
    """Return the messages that the Agents SDK's input items are.

    What no message can hold is left out, such as the calls of tools that a provider ran itself.
    """
    if isinstance(items, str):
        return [Message("user", read_content(items))]
    read = [_read_item(item) for item in map(as_dict, items) if isinstance(item, dict)]
    return [message for message in read if message is not None]


def _read_item(item: Mapping[str, Any]) -> Message | None:
    kind = item.get("type")
    if kind in (None, "message") and isinstance(role := item.get("role"), str):
        return Message(role if role in _ROLES else "user", read_content(item.get("content")))
    if kind == "function_call":
        return Message("assistant", calls=[_call_of(item)])
    if kind == "function_call_output":
        parts = read_content(item.get("output"))
        return Message("tool", parts, call_id=str(item.get("call_id") or ""))
    if kind == "reasoning":
        return _thought_of(item)
    if kind == "image_generation_call":
        return Message("assistant", [text_part(IMAGE_MADE)])
    log.debug("an item of the history is left out: %.100s", kind)
    return None


def _call_of(item: Mapping[str, Any]) -> Call:
    data = _mapping(item.get("provider_data"))
    return Call(
        str(item.get("call_id") or ""),
        str(item.get("name") or ""),
        object_or_empty(item.get("arguments")),
        str(data.get("call_id") or ""),
        _text_or_none(data.get("thought_signature")),
    )


def _thought_of(item: Mapping[str, Any]) -> Message:
    texts = [
        str(part["text"])
        for key in ("summary", "content")
        for part in _list(item.get(key))
        if isinstance(part, dict) and part.get("text")
    ]
    data = _mapping(item.get("provider_data"))
    details = {name: found for name in _DETAILS if (found := _list(data.get(name)))}
    return Message("assistant", thought="\n".join(dict.fromkeys(texts)), details=details)


def read_messages(messages: Iterable[Any]) -> list[Message]:
    """Return messages in the form that is sent, as the Agents SDK makes them."""
    return [_read_message(message) for message in messages if isinstance(message, dict)]


def _read_message(sent: Mapping[str, Any]) -> Message:
    message = Message(str(sent.get("role") or "user"), read_content(sent.get("content")))
    message.call_id = str(sent.get("tool_call_id") or "")
    if isinstance(refusal := sent.get("refusal"), str) and refusal:
        message.parts.append(text_part(refusal))
    for call in _list(sent.get("tool_calls")):
        if isinstance(call, dict):
            message.calls.append(_sent_call(call))
    for name in ("reasoning_content", "reasoning"):
        message.thought = message.thought or _text_or_none(sent.get(name)) or ""
    message.details = {name: found for name in _DETAILS if (found := _list(sent.get(name)))}
    return message


def _sent_call(call: Mapping[str, Any]) -> Call:
    function = _mapping(call.get("function"))
    google = _mapping(_mapping(call.get("extra_content")).get("google"))
    own = _mapping(call.get("provider_specific_fields"))
    signature = google.get("thought_signature") or own.get("thought_signature")
    return Call(
        str(call.get("id") or ""),
        str(function.get("name") or ""),
        object_or_empty(function.get("arguments")),
        signature=_text_or_none(signature),
    )


def read_content(content: Any) -> list[Part]:
    """Return the parts of a content of either form, without blank ones."""
    if isinstance(content, str):
        return [text_part(content)] if content.strip() else []
    if isinstance(content, dict):
        content = [content]
    parts = [_read_part(part) for part in content] if isinstance(content, list | tuple) else []
    return [part for part in parts if part.get("type") != "text" or part["text"].strip()]


def _read_part(part: Any) -> Part:
    if not isinstance(part, dict):
        return text_part("" if part is None else str(part))
    match part.get("type"):
        case "text" | "input_text" | "output_text" | "summary_text" | "reasoning_text":
            kept = text_part(str(part.get("text") or ""))
            if (mark := part.get("prompt_cache_breakpoint")) is not None:
                kept["prompt_cache_breakpoint"] = mark
            return kept
        case "refusal":
            return text_part(str(part.get("refusal") or ""))
        case "image_url" | "input_image":
            return _image(part)
        case "input_file":
            return _file(part)
        case "file" | "input_audio" | "video_url":
            return dict(part)
    log.debug("a part of the history is left out: %.100s", part.get("type"))
    return text_part("")


def _image(part: Mapping[str, Any]) -> Part:
    image = part.get("image_url")
    inner = _mapping(image)
    url = inner.get("url") if inner else image
    if not isinstance(url, str) or not url:
        return text_part("[an image that is not here]")
    detail = inner.get("detail") or part.get("detail") or "auto"
    # Only the Responses API knows `original`
    shown = {"url": url, "detail": "high" if detail == "original" else detail}
    return {"type": "image_url", "image_url": shown}


def _file(part: Mapping[str, Any]) -> Part:
    file = {key: part[key] for key in ("file_data", "file_id", "filename") if part.get(key)}
    if "file_data" not in file and "file_id" not in file:
        return text_part(f"[a file: {part.get('filename') or part.get('file_url') or 'unknown'}]")
    return {"type": "file", "file": file}


def object_or_empty(arguments: Any) -> str:
    """Return arguments that are a JSON object, as text; `{}` for all others."""
    if isinstance(arguments, str):
        try:
            value = orjson.loads(arguments)
        except orjson.JSONDecodeError:
            value = _lenient(arguments)
        return arguments if isinstance(value, dict) else "{}"
    return json.dumps(arguments) if isinstance(arguments, dict) else "{}"


def _lenient(arguments: str) -> Any:
    """Return what Python reads: numbers of more than 64 bits, which are valid too."""
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return None


def _mapping(value: Any) -> Mapping[str, Any]:
    # Not of the abstract type: that check costs more than all the rest
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
