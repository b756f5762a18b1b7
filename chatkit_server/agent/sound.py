"""Input for a model becomes input that any endpoint accepts, whatever a model wrote before.

Endpoints refuse all of a conversation for one call without a result, an id used twice, arguments
that are no JSON, an empty message, half a character. `sound` repairs that, wherever it comes from:
a model, a plugin, or a conversation stored long ago.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, cast

import orjson
from agents import TResponseInputItem
from pydantic import BaseModel

from ..ids import new_id
from ..text import valid_text, valid_values
from .pairs import RESULT, Item, grouped, kind_of
from .tools import arguments_of, is_object, output_text

INVALID_ARGUMENTS = "invalid_arguments"
"""Where a call's `provider_data` has the arguments that are no JSON object."""

NO_OUTPUT = "(no output)"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_-]")
_EASY_KEYS = frozenset({"role", "content", "type", "phase"})
_JOINED_KEYS = _EASY_KEYS | {"id", "status", "provider_data"}
_JOINED_DATA = frozenset({"model", "response_id"})
_TEXTS = frozenset({"input_text", "output_text", "text"})
_BETWEEN = "\n\n"


def sound(items: Iterable[Any]) -> list[TResponseInputItem]:
    """Return these input items as any endpoint accepts them; those that are right stay as they are.

    Every call has one id and one result, right after the calls of its group. Arguments are a JSON
    object: others are kept in `provider_data`. No message is empty, and no two messages of the
    user, or plain ones of the assistant, follow each other. Reasoning is followed by what it led
    to.
    """
    given = [as_dict(item) for item in items]
    if not _has_valid_text(given):
        given = valid_values(given)
    checked = [item for one in given if (item := _checked(one)) is not None]
    paired = _without_loose_thoughts(grouped(checked))
    return cast(list[TResponseInputItem], _joined(paired))


def as_dict(item: Any) -> Item:
    """Return an input item or a part of one, which a plugin may give as an object."""
    if type(item) is not dict and isinstance(item, BaseModel):
        return item.model_dump(exclude_unset=True)
    return cast(Item, item)


def _has_valid_text(items: list[Item]) -> bool:
    """Whether no text has halves of characters or NULs, as far as that is found out fast."""
    try:
        written = orjson.dumps(items, default=str, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):
        return False
    return b"\\u0000" not in written


def _checked(item: Item) -> Item | None:
    """Return an item with everything that it needs, None if it says nothing."""
    match kind_of(item):
        case "message":
            return _message(item)
        case "function_call":
            return _function_call(item)
        case "function_call_output":
            return _output_of_function(item)
    return item


def _function_call(item: Item) -> Item:
    changes: Item = {}
    name = item.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        changes["name"] = _NOT_IN_NAME.sub("_", str(name or "unknown").strip())[:64] or "unknown"
    arguments = item.get("arguments")
    if not is_object(arguments):
        read = arguments_of(arguments)
        changes["arguments"] = json.dumps(read or {}, ensure_ascii=False)
        if read is None:
            text = valid_text(output_text(arguments))
            changes["provider_data"] = {**_data(item), INVALID_ARGUMENTS: text}
    return {**item, **changes} if changes else item


def _data(item: Item) -> dict[str, Any]:
    data = item.get("provider_data")
    return data if isinstance(data, dict) else {}


def _output_of_function(item: Item) -> Item:
    output = item.get("output")
    if isinstance(output, str) and output.strip():
        return item
    if isinstance(output, list) and output and all(isinstance(part, dict) for part in output):
        return item
    text = "" if output is None or output == [] else output_text(output)
    return {**item, "output": text if text.strip() else NO_OUTPUT}


def _message(item: Item) -> Item | None:
    """Return a message in which something is said, None if nothing is."""
    content = item.get("content")
    is_answer = item.get("role") == "assistant"
    if isinstance(content, str) and is_answer and "id" in item:
        content = _parts(item, "output_text")
    if isinstance(content, str):
        if not content.strip():
            return None
    else:
        given = content if isinstance(content, list) else []
        parts = [part for one in given if (part := _part(one, is_answer)) is not None]
        if not parts:
            return None
        if parts != item["content"]:
            item = {**item, "content": parts}
        if is_answer and "id" not in item:
            # The Agents SDK takes no other message of parts
            item = {**item, "type": "message", "id": new_id("msg")}
    if "type" not in item and not item.keys() <= _EASY_KEYS:
        item = {**item, "type": "message"}
    return item


def _part(part: Any, is_answer: bool) -> Item | None:
    """Return a part of a message's content, None if it is blank."""
    part = as_dict(part)
    if not isinstance(part, dict):
        return None
    kind = part.get("type")
    if kind == "refusal":
        return part if str(part.get("refusal") or "").strip() else None
    if kind not in _TEXTS and not is_answer:
        return part
    text = part.get("text") or part.get("transcript")
    if not isinstance(text, str) or not text.strip():
        return None
    if is_answer and kind != "output_text":
        return {"type": "output_text", "text": text, "annotations": []}
    return part


def _joined(items: Iterable[Item]) -> list[Item]:
    """Join messages of one role that follow each other."""
    found: list[Item] = []
    for item in items:
        if found and _may_join(found[-1], item):
            found[-1] = _both(found[-1], item)
        else:
            found.append(item)
    return found


def _may_join(first: Item, second: Item) -> bool:
    role = first.get("role")
    if role != second.get("role"):
        return False
    if role == "user":
        return True
    return (
        role == "assistant"
        and first.get("phase") == second.get("phase")
        and all(
            one.keys() <= _JOINED_KEYS and _data(one).keys() <= _JOINED_DATA
            for one in (first, second)
        )
    )


def _both(first: Item, second: Item) -> Item:
    kind = "input_text" if first["role"] == "user" else "output_text"
    before, after = _parts(first, kind), _parts(second, kind)
    if kind == "output_text":
        return {"id": new_id("msg"), **first, "type": "message", "content": [*before, *after]}
    *before, last = before
    if _is_text(last) and _is_text(after[0]):
        # One text: with several parts, some endpoints take the first only
        last = {**last, "text": f"{last['text']}{_BETWEEN}{after[0]['text']}"}
        after = after[1:]
    return {"type": "message", "role": "user", "content": [*before, last, *after]}


def _is_text(part: Item) -> bool:
    return part.get("type") in _TEXTS


def _parts(message: Item, kind: str) -> list[Item]:
    content = message["content"]
    if not isinstance(content, str):
        return cast(list[Item], content)
    part: Item = {"type": kind, "text": content}
    return [part if kind == "input_text" else {**part, "annotations": []}]


def _without_loose_thoughts(items: list[Item]) -> list[Item]:
    """Leave out reasoning that nothing followed: endpoints refuse it."""
    if not any(item.get("type") == "reasoning" for item in items):
        return items
    kept: list[Item] = []
    followed = False
    for item in reversed(items):
        kind = kind_of(item)
        if kind == "reasoning":
            if not followed:
                continue
        else:
            followed = not kind.endswith(RESULT) and item.get("role") in (None, "assistant")
        kept.append(item)
    return kept[::-1]
