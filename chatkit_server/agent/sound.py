"""Input for a model becomes input that any endpoint accepts, whatever a model wrote before.

Endpoints refuse all of a conversation for one call without a result, an id used twice, arguments
that are no JSON, an empty message, half a character. `sound` repairs that, wherever it comes from:
a model, a plugin, or a conversation stored long ago.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from agents import TResponseInputItem
from pydantic import BaseModel

from ..ids import new_id
from ..text import valid_text, valid_values
from .tools import arguments_of, output_text

CALL_CUT_OFF = "The call was cut off; whether it took effect is not known."

INVALID_ARGUMENTS = "invalid_arguments"
"""Where a call's `provider_data` has the arguments that are no JSON object."""

NO_OUTPUT = "(no output)"

Item = dict[str, Any]

_OUTPUT = "_output"
_ANSWERED_BY_TEXT = ("function_call", "custom_tool_call")
_ANSWERED = frozenset(
    (*_ANSWERED_BY_TEXT, "apply_patch_call", "computer_call", "local_shell_call", "shell_call")
)
"""Items that need another item: their result, of the same type with `_output` after it."""

_OF_ANY_MODEL = frozenset({"message", "function_call", "function_call_output", "reasoning"})

_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
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
    given = [_as_dict(item) for item in items]
    if not _has_valid_text(given):
        given = valid_values(given)
    checked = [item for one in given if (item := _checked(one)) is not None]
    grouped = _Grouping().of(checked)
    return cast(list[TResponseInputItem], _joined(_without_loose_thoughts(grouped)))


def for_any_model(items: Iterable[Any]) -> list[TResponseInputItem]:
    """Return these input items without those that only OpenAI's Responses API takes.

    Calls of tools that ran at the provider become calls of functions, if they say what came of
    them.
    """
    found: list[Item] = []
    for item in map(_as_dict, items):
        if _type(item) in _OF_ANY_MODEL:
            found.append(item)
        else:
            found += _in_functions(item)
    return cast(list[TResponseInputItem], found)


def _in_functions(item: Item) -> list[Item]:
    call_id = item.get("call_id") or item.get("id")
    match item.get("type"):
        case "custom_tool_call":
            arguments = json.dumps({"input": item.get("input")}, ensure_ascii=False)
            return [_call(call_id, item.get("name"), arguments)]
        case "custom_tool_call_output":
            return [_result(call_id, item.get("output"))]
        case "mcp_call":
            output = item.get("output") or item.get("error")
            call = _call(call_id, item.get("name"), item.get("arguments"))
            return [call, _result(call_id, output)]
    return []


def _call(call_id: Any, name: Any, arguments: Any) -> Item:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def _result(call_id: Any, output: Any, kind: str = "function_call") -> Item:
    return {"type": kind + _OUTPUT, "call_id": call_id, "output": output}


def _as_dict(item: Any) -> Item:
    if isinstance(item, BaseModel):
        return item.model_dump(exclude_unset=True)
    return cast(Item, item)


def _type(item: Item) -> str:
    return str(item.get("type") or ("message" if "role" in item else ""))


def _has_valid_text(items: list[Item]) -> bool:
    """Whether no text has halves of characters or NULs, as far as that is found out fast."""
    try:
        written = orjson.dumps(items, default=str, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):
        return False
    return b"\\u0000" not in written


def _checked(item: Item) -> Item | None:
    """Return an item with everything that it needs, None if it says nothing."""
    match _type(item):
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
    if not _is_object(arguments):
        read = arguments_of(arguments)
        changes["arguments"] = json.dumps(read or {}, ensure_ascii=False)
        if read is None:
            text = valid_text(output_text(arguments))
            changes["provider_data"] = {**_data(item), INVALID_ARGUMENTS: text}
    return {**item, **changes} if changes else item


def _is_object(arguments: Any) -> bool:
    """Whether arguments are a JSON object that every parser takes."""
    try:
        found = orjson.loads(arguments)
    except (TypeError, ValueError):
        return False
    return isinstance(found, dict) and "\\u0000" not in arguments


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
    return role == "assistant" and first.get("phase") == second.get("phase") and all(
        one.keys() <= _JOINED_KEYS and _data(one).keys() <= _JOINED_DATA for one in (first, second)
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


@dataclass
class _Call:
    """A call, and its result once that is found."""

    item: Item
    group: int
    output: Item | None = None


@dataclass
class _Grouping:
    """Puts the result of each call right after the calls that were made together.

    The id of a call is that of its result too, and no other call has it.
    """

    result: list[Item] = field(default_factory=list)
    _waiting: list[_Call] = field(default_factory=list)
    _start: int = 0
    _ids: set[str] = field(default_factory=set)

    def of(self, items: Sequence[Item]) -> list[Item]:
        for entry in _paired(items):
            if isinstance(entry, _Call):
                self._call(entry)
            elif entry is None:
                self._answer()
            elif self._waiting and _type(entry) == "message" and entry.get("role") == "assistant":
                # Said with the calls: nothing may come between them and their results
                self.result.insert(self._start, entry)
                self._start += 1
            else:
                if self._waiting and "role" in entry:
                    self._answer()
                self.result.append(entry)
        self._answer()
        return self.result

    def _call(self, call: _Call) -> None:
        if not self._waiting:
            self._start = len(self.result)
            while self._start and _type(self.result[self._start - 1]) == "reasoning":
                self._start -= 1
        kind = _type(call.item)
        if call.output is None:
            if kind not in _ANSWERED_BY_TEXT:
                # Nobody can say in words what came of it
                return
            call.output = _result(None, CALL_CUT_OFF, kind)
        if kind in _ANSWERED_BY_TEXT:
            call_id = self._unique(call.item.get("call_id"))
            call.item = _with_id(call.item, call_id)
            call.output = _with_id(call.output, call_id)
        self.result.append(call.item)
        self._waiting.append(call)

    def _answer(self) -> None:
        self.result += [call.output for call in self._waiting if call.output is not None]
        self._waiting.clear()

    def _unique(self, given: Any) -> str:
        """Return an id that no other call has; the same one whenever it is asked."""
        call_id = given if isinstance(given, str) and _ID.fullmatch(given) else _hashed(given)
        number = 0
        while call_id in self._ids:
            number += 1
            call_id = _hashed(f"{given} {number}")
        self._ids.add(call_id)
        return call_id


def _with_id(item: Item, call_id: str) -> Item:
    return item if item.get("call_id") == call_id else {**item, "call_id": call_id}


def _hashed(text: Any) -> str:
    return f"call_{hashlib.sha256(str(text).encode(errors='replace')).hexdigest()[:24]}"


def _paired(items: Sequence[Item]) -> list[Item | _Call | None]:
    """Return the items, calls with their results; None stands where a result was."""
    found: list[Item | _Call | None] = []
    unanswered: defaultdict[tuple[str, str], list[_Call]] = defaultdict(list)
    group = 0
    after_result = False
    for item in items:
        kind = _type(item)
        if kind in _ANSWERED:
            group += after_result
            after_result = False
            call = _Call(item, group)
            unanswered[kind, _key(item)].append(call)
            found.append(call)
        elif kind.removesuffix(_OUTPUT) in _ANSWERED:
            calls = unanswered[kind.removesuffix(_OUTPUT), _key(item)]
            if calls:
                # Of calls with one id, that of the last answer; earlier ones may have no result
                index = next((i for i, call in enumerate(calls) if call.group == group), 0)
                calls.pop(index).output = item
                found.append(None)
                after_result = True
        else:
            group += kind == "message" and item.get("role") != "assistant"
            found.append(item)
    return found


def _key(item: Item) -> str:
    return str(item.get("call_id") or item.get("id") or "")


def _without_loose_thoughts(items: list[Item]) -> list[Item]:
    """Leave out reasoning that nothing followed: endpoints refuse it."""
    kept: list[Item] = []
    followed = False
    for item in reversed(items):
        kind = _type(item)
        if kind == "reasoning":
            if not followed:
                continue
        else:
            followed = not kind.endswith(_OUTPUT) and item.get("role") in (None, "assistant")
        kept.append(item)
    return kept[::-1]
