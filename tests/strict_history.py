"""What model providers refuse in a history: the rules of each, as its users met them.

`check(flavour, body)` returns what is wrong with a chat-completions request; nothing, if the
provider would take it. A rule that only one provider has is a function of its own below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

Message = Mapping[str, Any]
Rule = Callable[[list[Message]], Iterator[str]]

_FIELDS = {
    "system": {"role", "content", "name"},
    "developer": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "name", "tool_calls", "refusal", "audio"},
    "tool": {"role", "content", "tool_call_id"},
}
_GOOGLE = "extra_content"


def check(flavour: str, body: Mapping[str, Any]) -> list[str]:
    """Return what this provider would refuse in a request."""
    messages: list[Message] = body["messages"]
    rules = (_known_roles, _whole, _names, _answered, *RULES[flavour])
    found = [f"{flavour}: {problem}" for rule in rules for problem in rule(messages)]
    if len(body.get("tools") or ()) > 128:
        found.append(f"{flavour}: more than 128 tools")
    return found


# Rules of all


def _known_roles(messages: list[Message]) -> Iterator[str]:
    for number, message in enumerate(messages):
        if message.get("role") not in _FIELDS:
            yield f"{number}: unknown role {message.get('role')!r}"
    if not messages or messages[-1]["role"] not in ("user", "tool"):
        yield "the last message is neither the user's nor a tool's"


def _whole(messages: list[Message]) -> Iterator[str]:
    """Every message has content; null is for calls alone."""
    for number, message in enumerate(messages):
        content, calls = message.get("content"), message.get("tool_calls")
        if "tool_calls" in message and not calls:
            yield f"{number}: an empty list of calls"
        if content is None and not calls:
            yield f"{number}: neither content nor calls"
        if isinstance(content, list) and not content:
            yield f"{number}: an empty list of parts"
        if not isinstance(content, str | list | None):
            yield f"{number}: content is a {type(content).__name__}"


def _names(messages: list[Message]) -> Iterator[str]:
    """Calls are complete, with a name, and an object as their arguments."""
    for number, message in enumerate(messages):
        for call in message.get("tool_calls") or ():
            if call.get("type") != "function":
                yield f"{number}: a call of the type {call.get('type')!r}"
            if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", call["function"].get("name") or ""):
                yield f"{number}: a tool's name is {call['function'].get('name')!r}"
            if not _is_object(call["function"].get("arguments")):
                yield f"{number}: arguments are {call['function'].get('arguments')!r}"


def _is_object(arguments: Any) -> bool:
    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        return isinstance(json.loads(arguments, parse_constant=refuse), dict)
    except (TypeError, ValueError):
        return False


def _answered(messages: list[Message]) -> Iterator[str]:
    """Each call is answered once, directly after its message; ids are not used again."""
    open_calls: set[str] = set()
    seen: set[str] = set()
    for number, message in enumerate(messages):
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_calls:
                yield f"{number}: answers {message.get('tool_call_id')!r}, which is not open"
            open_calls.discard(message.get("tool_call_id") or "")
            continue
        if open_calls:
            yield f"{number}: calls without an answer: {sorted(open_calls)}"
        ids = [call.get("id") for call in message.get("tool_calls") or ()]
        for call_id in ids:
            if not isinstance(call_id, str) or not 0 < len(call_id) <= 40:
                yield f"{number}: the id of a call is {call_id!r}"
            elif call_id in seen:
                yield f"{number}: the id {call_id!r} is used again"
            seen.add(call_id)
        open_calls = set(ids)
    if open_calls:
        yield f"at the end: calls without an answer: {sorted(open_calls)}"


# Rules of some


def _known_fields(messages: list[Message]) -> Iterator[str]:
    for number, message in enumerate(messages):
        if unknown := message.keys() - _FIELDS.get(message["role"], set()):
            yield f"{number}: unknown fields {sorted(unknown)}"
        for call in message.get("tool_calls") or ():
            unknown = call.keys() - {"id", "type", "function"}
            unknown |= call["function"].keys() - {"name", "arguments"}
            if unknown:
                yield f"{number}: unknown fields of a call {sorted(unknown)}"


def _text_only(messages: list[Message]) -> Iterator[str]:
    for number, message in enumerate(messages):
        if isinstance(message.get("content"), list):
            yield f"{number}: content is a list"


def _no_neighbours(messages: list[Message]) -> Iterator[str]:
    for number, (one, two) in enumerate(pairwise(messages), 1):
        if one["role"] == two["role"] != "tool":
            yield f"{number}: {two['role']} after {one['role']}"


def _one_system_message(messages: list[Message]) -> Iterator[str]:
    for number, message in enumerate(messages):
        if message["role"] == "developer" or (message["role"] == "system" and number):
            yield f"{number}: a {message['role']} message"


def _alternating(messages: list[Message]) -> Iterator[str]:
    """As chat templates demand it: user and assistant in turns, besides calls and answers."""
    said = [m["role"] for m in messages if m["role"] != "tool" and not m.get("tool_calls")]
    said = said[1:] if said[:1] == ["system"] else said
    for number, role in enumerate(said):
        if role != ("assistant" if number % 2 else "user"):
            yield f"roles do not alternate: {said}"
            return


def _nine_characters(messages: list[Message]) -> Iterator[str]:
    for number, message in enumerate(messages):
        ids = [call.get("id") for call in message.get("tool_calls") or ()]
        ids += [message.get("tool_call_id")] if message["role"] == "tool" else []
        for call_id in ids:
            if not re.fullmatch(r"[a-zA-Z0-9]{9}", str(call_id)):
                yield f"{number}: the id of a call is {call_id!r}"


def _no_user_after_tool(messages: list[Message]) -> Iterator[str]:
    for number, (one, two) in enumerate(pairwise(messages), 1):
        if (one["role"], two["role"]) == ("tool", "user"):
            yield f"{number}: unexpected role 'user' after role 'tool'"


def _something_said(messages: list[Message]) -> Iterator[str]:
    for number, message in enumerate(messages):
        content = message.get("content")
        if content == "" and message.get("tool_calls"):
            continue
        texts = [part.get("text") for part in content] if isinstance(content, list) else [content]
        if message["role"] != "tool" and any(isinstance(t, str) and not t.strip() for t in texts):
            yield f"{number}: blank text"


def _plain_ids(messages: list[Message]) -> Iterator[str]:
    for number, message in enumerate(messages):
        for call in message.get("tool_calls") or ():
            if not re.fullmatch(r"[a-zA-Z0-9_-]+", call["id"]):
                yield f"{number}: the id of a call is {call['id']!r}"


def _reasoning_with_calls(messages: list[Message]) -> Iterator[str]:
    for number, message in enumerate(messages):
        if message.get("tool_calls") and not isinstance(message.get("reasoning_content"), str):
            yield f"{number}: missing `reasoning_content` field in the assistant message"


def _signed_calls(messages: list[Message]) -> Iterator[str]:
    """The first call of each answer in this turn has the signature of the thought before it."""
    users = [number for number, message in enumerate(messages) if message["role"] == "user"]
    for number, message in enumerate(messages):
        calls = message.get("tool_calls") or ()
        if number < users[-1] or not calls:
            continue
        if not ((calls[0].get(_GOOGLE) or {}).get("google") or {}).get("thought_signature"):
            yield f"{number}: a call is missing a thought_signature"


RULES: dict[str, tuple[Rule, ...]] = {
    "openai": (_known_fields,),
    "mistral": (
        _known_fields,
        _nine_characters,
        _no_user_after_tool,
        _no_neighbours,
        _one_system_message,
    ),
    "deepseek": (_text_only, _no_neighbours, _one_system_message, _reasoning_with_calls),
    "gemma": (_alternating, _one_system_message),
    "anthropic": (_something_said, _plain_ids, _no_neighbours, _one_system_message),
    "groq": (_known_fields, _text_only),
    "gemini": (_no_neighbours, _signed_calls),
}
"""What each provider checks besides the rules of all.

OpenAI, Mistral and Groq refuse fields that they do not know. Mistral's ids have nine letters and
digits, and after a tool only the assistant may speak. DeepSeek takes text as a string alone, and
wants the reasoning before a call back, for good. The templates of Gemma let user and assistant
speak in turns. Claude takes no blank text, and ids only of letters, digits, `_` and `-`. Gemini
wants its signatures back in the turn that they come from.
"""
