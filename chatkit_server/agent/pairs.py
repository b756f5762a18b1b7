"""Calls and their results, in the order that endpoints want."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

CALL_CUT_OFF = "The call was cut off; whether it took effect is not known."

Item = dict[str, Any]

RESULT = "_output"
_ANSWERED_BY_TEXT = ("function_call", "custom_tool_call")
_ANSWERED = frozenset(
    (*_ANSWERED_BY_TEXT, "apply_patch_call", "computer_call", "local_shell_call", "shell_call")
)
"""Items that need another item: their result, of the same type with `_output` after it."""


_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


def grouped(items: Sequence[Item]) -> list[Item]:
    """Return items with each result right after the calls that were made with its own.

    The id of a call is that of its result too, and no other call has it. A call without a result
    gets one, and a result without its call is left out.
    """
    return _Groups().of(items)


def kind_of(item: Item) -> str:
    """Return the type of an item; a message may not have one."""
    kind = item.get("type") or ("message" if "role" in item else "")
    return kind if isinstance(kind, str) else str(kind)


def call_item(call_id: Any, name: Any, arguments: Any) -> Item:
    """Return a call of a function."""
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def result_item(call_id: Any, output: Any, kind: str = "function_call") -> Item:
    """Return the result of a call."""
    return {"type": kind + RESULT, "call_id": call_id, "output": output}


@dataclass
class _Call:
    """A call, and its result once that is found."""

    item: Item
    group: int
    output: Item | None = None


@dataclass
class _Groups:
    """The items so far; `_waiting` are the calls of the last group, whose results are to come."""

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
            elif self._waiting and kind_of(entry) == "message" and entry.get("role") == "assistant":
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
            while self._start and kind_of(self.result[self._start - 1]) == "reasoning":
                self._start -= 1
        kind = kind_of(call.item)
        if call.output is None:
            if kind not in _ANSWERED_BY_TEXT:
                # Nobody can say in words what came of it
                return
            call.output = result_item(None, CALL_CUT_OFF, kind)
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
        call_id = given if is_sound_id(given) else _hashed(given)
        number = 0
        while call_id in self._ids:
            number += 1
            call_id = _hashed(f"{given} {number}")
        self._ids.add(call_id)
        return call_id


def is_sound_id(call_id: Any) -> bool:
    """Whether any endpoint takes this as the id of a call."""
    return isinstance(call_id, str) and _ID.fullmatch(call_id) is not None


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
        kind = kind_of(item)
        if kind in _ANSWERED:
            group += after_result
            after_result = False
            call = _Call(item, group)
            unanswered[kind, _key(item)].append(call)
            found.append(call)
        elif kind.removesuffix(RESULT) in _ANSWERED:
            calls = unanswered[kind.removesuffix(RESULT), _key(item)]
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
    # The result of a shell's call has the id of the call as its own
    own = item.get("id") if kind_of(item).startswith("local_shell") else None
    return str(item.get("call_id") or own or "")
