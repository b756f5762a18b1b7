"""Input items that one model wrote, for another one or for another API."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, cast

from agents import TResponseInputItem

from ..ids import new_id
from .pairs import Item, call_item, kind_of, result_item
from .sound import as_dict

_OF_ANY_MODEL = frozenset({"message", "function_call", "function_call_output", "reasoning"})

_NEEDED = {"input_image": ("image_url",), "input_file": ("file_data", "file_id")}
"""What such a part has one of for the API of chat completions."""


def for_other_model(items: Iterable[Any]) -> list[TResponseInputItem]:
    """Return these input items without what only the model that wrote them can read."""
    found = cast(list[Item], for_any_model(items))
    bare = [_bare(item) for item in found if item.get("type") != "reasoning"]
    return cast(list[TResponseInputItem], bare)


def _bare(entry: Item) -> Item:
    entry = {key: value for key, value in entry.items() if key not in ("id", "provider_data")}
    if entry.get("type") == "message":
        entry["id"] = new_id("msg")
    return entry


def for_any_model(items: Iterable[Any]) -> list[TResponseInputItem]:
    """Return these input items without those that only OpenAI's Responses API takes.

    Calls of tools that ran at the provider become calls of functions, if they say what came of
    them.
    """
    found: list[Item] = []
    for item in map(as_dict, items):
        if kind_of(item) in _OF_ANY_MODEL:
            found.append(_with_parts_of_any(item))
        else:
            found += _in_functions(item)
    return cast(list[TResponseInputItem], found)


def _with_parts_of_any(item: Item) -> Item:
    """Return an item in which files that only OpenAI's Responses API can find are notes."""
    content = item.get("content")
    if not isinstance(content, list) or item.get("role") != "user":
        return item
    parts = [_part_of_any(part) for part in content]
    changed = any(a is not b for a, b in zip(parts, content, strict=True))
    return {**item, "content": parts} if changed else item


def _part_of_any(part: Any) -> Any:
    needed = _NEEDED.get(str(part.get("type"))) if isinstance(part, dict) else None
    if needed is None or any(part.get(key) for key in needed):
        return part
    name = part.get("filename") or part.get("file_url") or part.get("file_id") or "unknown"
    return {"type": "input_text", "text": f"[a file: {name}]"}


def _in_functions(item: Item) -> list[Item]:
    call_id = item.get("call_id") or item.get("id")
    match item.get("type"):
        case "custom_tool_call":
            arguments = json.dumps({"input": item.get("input")}, ensure_ascii=False)
            return [call_item(call_id, item.get("name"), arguments)]
        case "custom_tool_call_output":
            return [result_item(call_id, item.get("output"))]
        case "mcp_call":
            output = item.get("output") or item.get("error")
            call = call_item(call_id, item.get("name"), item.get("arguments"))
            return [call, result_item(call_id, output)]
    return []
