"""The conversation, as OpenAI's Responses API takes it without having stored any of it.

- Items have no ids: OpenAI looks up an item by its id, and also the reasoning it belonged to.
- Reasoning is sent with its encrypted content, and only right before the item it led to.
- What another provider's model wrote is sent as OpenAI would have written it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, cast, get_args, get_type_hints

import orjson
from agents.models.fake_id import FAKE_RESPONSES_ID
from openai.types.responses.response_input_item_param import ResponseInputItemParam

from .halves import mend

Item = dict[str, Any]

LONGEST_CALL_ID = 64
LONGEST_NAME = 64

_WITHOUT_ID = frozenset(
    {
        *("reasoning", "function_call", "function_call_output", "web_search_call", "compaction"),
        *("custom_tool_call", "custom_tool_call_output"),
    }
)
"""Items that OpenAI takes without an id. The others are its own tools' calls."""

_PLAIN = frozenset({"message", "function_call", "function_call_output"})


def stateless(items: Iterable[Any], reasons: bool) -> list[Any]:
    """Return the items of a conversation, each complete in itself.

    Models that do not reason (`reasons`) refuse reasoning too.
    """
    fitted: list[Any] = []
    thoughts: list[Item] = []
    for item in map(_as_mapping, items):
        sent = _fitted(item)
        kind = _kind(item)
        if kind == "reasoning":
            thoughts += [sent] if sent and reasons else []
            continue
        # Another item in the place of the one that the reasoning led to is not the same
        if sent and _kind(sent) == kind and _is_answer(sent):
            fitted += thoughts
        thoughts.clear()
        fitted += [sent] if sent else []
    return fitted


def plain(items: Any) -> Any:
    """Return only the messages and the calls of functions."""
    return items if isinstance(items, str) else [one for one in items if _kind(one) in _PLAIN]


def call_ids(items: Any) -> set[str]:
    """Return the ids of the calls in a conversation."""
    found = (item.get("call_id") for item in items if isinstance(item, Mapping))
    return {call_id for call_id in found if isinstance(call_id, str)}


def _as_mapping(item: Any) -> Mapping[str, Any]:
    found: Any = item if isinstance(item, Mapping) else item.model_dump(exclude_unset=True)
    return cast(Mapping[str, Any], found)


def _kind(item: Any) -> str:
    found = item.get("type") if isinstance(item, Mapping) else None
    return found if isinstance(found, str) else "message"


def _is_answer(item: Item) -> bool:
    return item.get("role", "assistant") == "assistant" and not _kind(item).endswith("_output")


def _fitted(item: Mapping[str, Any]) -> Item | None:
    """Return an item as it is sent, None if it must not be."""
    match kind := _kind(item):
        case "message":
            return _message(item)
        case "reasoning":
            return _reasoning(item)
        case "item_reference":
            return None
        case "image_generation_call":
            # OpenAI looks it up, whatever else it has
            return {"role": "assistant", "content": "(I generated an image.)"}
    fields = dict(_known(item, kind))
    if kind == "function_call":
        fields["name"] = re.sub(r"[^\w-]", "_", str(item.get("name")), flags=re.ASCII)
        fields["name"] = fields["name"][:LONGEST_NAME] or "unknown"
        fields["arguments"] = _object(item.get("arguments"))
    if isinstance(call_id := fields.get("call_id"), str) and len(call_id) > LONGEST_CALL_ID:
        fields["call_id"] = f"call_{hashlib.sha256(call_id.encode()).hexdigest()[:24]}"
    return fields


def _known(item: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Any]]:
    """Yield the fields of an item that OpenAI knows."""
    known = _fields().get(kind)
    for name, value in item.items():
        if value is None or (known is not None and name not in known):
            continue
        if name == "provider_data" or (kind in _WITHOUT_ID and name == "id"):
            continue
        yield name, value


def _message(item: Mapping[str, Any]) -> Item | None:
    if item.get("role") != "assistant":
        return {name: item[name] for name in ("type", "role", "content") if name in item}
    # As text: some servers refuse the parts of an answer that has no id
    if not (text := _text(item.get("content"))):
        return None
    phase = {"phase": item["phase"]} if item.get("phase") else {}
    return {"role": "assistant", "content": text, **phase}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = [part for part in content or () if isinstance(part, Mapping)]
    return "".join(str(part.get("text") or part.get("refusal") or "") for part in parts)


def _reasoning(item: Mapping[str, Any]) -> Item | None:
    """Return reasoning that the API can read, None for that of other providers."""
    if item.get("provider_data") or item.get("id") in (None, "", FAKE_RESPONSES_ID):
        return None
    fields = {"summary": [], **dict(_known(item, "reasoning"))}
    fields.pop("status", None)
    if item.get("encrypted_content"):
        return fields
    # Servers of open models send the text instead, and ask for the id
    return {**fields, "id": item["id"]} if item.get("content") else None


def _object(arguments: Any) -> str:
    """Return the arguments of a call as strict JSON, `{}` if they are no JSON object."""
    if isinstance(arguments, dict):
        arguments = json.dumps(arguments)
    try:
        if isinstance(orjson.loads(arguments), dict):
            return str(arguments)
    except ValueError:
        pass
    # Half characters and numbers such as NaN are written anew
    try:
        value = json.loads(arguments, parse_constant=lambda _: None)
    except (ValueError, TypeError, RecursionError):
        return "{}"
    return json.dumps(mend(value), ensure_ascii=False) if isinstance(value, dict) else "{}"


@cache
def _fields() -> dict[str, frozenset[str]]:
    """Return the fields of each type of item."""
    found: dict[str, frozenset[str]] = {}
    for kind in get_args(ResponseInputItemParam):
        hints = get_type_hints(kind)
        for name in get_args(hints.get("type")):
            if isinstance(name, str):
                found[name] = found.get(name, frozenset()) | hints.keys()
    return found
