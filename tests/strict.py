"""What the strictest endpoints demand of a conversation, together: input items and messages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import orjson

_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_items(items: Iterable[Any]) -> None:
    """Fail if an endpoint would refuse these input items."""
    entries = [dict(item) for item in items]
    assert b"\\u0000" not in orjson.dumps(entries), "half characters and NULs"
    seen: set[str] = set()
    waiting: list[str] = []
    last_role = ""
    for entry in entries:
        kind = entry.get("type", "message")
        if kind == "function_call":
            assert _ID.fullmatch(entry["call_id"]), entry
            assert entry["call_id"] not in seen, f"id used twice: {entry}"
            assert _NAME.fullmatch(entry["name"]), entry
            assert isinstance(orjson.loads(entry["arguments"]), dict), entry
            seen.add(entry["call_id"])
            waiting.append(entry["call_id"])
        elif kind == "function_call_output":
            assert waiting, f"a result without its call: {entry}"
            assert waiting.pop(0) == entry["call_id"], f"results in another order: {entries}"
            assert _says_something(entry["output"]), entry
        else:
            assert kind == "reasoning" or not waiting, f"a call without its result: {entries}"
        if kind == "message":
            assert _says_something(entry["content"]), entry
            assert entry["role"] != "user" or last_role != "user", f"two in a row: {entries}"
        last_role = entry.get("role", "assistant")
    assert not waiting, f"a call without its result: {entries}"
    for thought, after in pairwise([*entries, {"role": "user"}]):
        if thought.get("type") == "reasoning":
            assert after.get("role", "assistant") == "assistant", "reasoning that nothing followed"


def check_messages(body: dict[str, Any]) -> None:
    """Fail if an endpoint of chat completions would refuse a request."""
    json.dumps(body, ensure_ascii=False).encode()
    waiting: list[str] = []
    seen: set[str] = set()
    roles = [message["role"] for message in body["messages"]]
    said = [role for role in roles if role != "system"]
    assert said[0] == "user", roles
    assert said[-1] in ("user", "tool"), roles
    assert ("user", "user") not in pairwise(said), roles
    assert ("assistant", "assistant") not in pairwise(said), roles
    for message in body["messages"]:
        if message["role"] == "tool":
            assert message["tool_call_id"] == waiting.pop(0), body["messages"]
        else:
            assert not waiting, body["messages"]
        calls = message.get("tool_calls") or []
        assert calls or _says_something(message["content"]), message
        for call in calls:
            assert call["id"] not in seen, body["messages"]
            seen.add(call["id"])
            assert _ID.fullmatch(call["id"]), call
            assert _NAME.fullmatch(call["function"]["name"]), call
            assert isinstance(orjson.loads(call["function"]["arguments"]), dict), call
        waiting += [call["id"] for call in calls]
    assert not waiting, body["messages"]


def _says_something(content: Any) -> bool:
    if isinstance(content, str):
        return bool(content.strip())
    assert isinstance(content, list), content
    texts = [part[key] for part in content for key in ("text", "refusal") if key in part]
    return bool(content) and all(isinstance(text, str) and text.strip() for text in texts)
