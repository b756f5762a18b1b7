"""The unfinished answer of a turn, which is saved each second for a recovery."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any

import orjson
from agents import TResponseInputItem, Usage
from chatkit.types import ThreadItem, WidgetItem
from chatkit.widgets import DynamicWidgetRoot
from pydantic import ConfigDict, TypeAdapter

from ..text import valid_values
from ..turn import ToolCall, ToolResult

# Built when it is first used, by a recovery: it takes a megabyte
_ITEM: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem, config=ConfigDict(defer_build=True))


@dataclass
class PartialAnswer:
    """The answer of a turn so far.

    `items` are the open ones, not saved yet; `entries` the model's output as input for its next
    turn; `messages` the ids of the messages written; `superseded` the ids of the items that the
    answer replaces; `saved` the ids of the items that the turn has saved; `model` the name of the
    model that answers; `seconds` the time since the turn began; `usage` the tokens counted so far;
    `first_token` the time from the turn's start to its first text; `withdrawn` the ids of saved
    items that a guardrail has refused, which are to go; `allow_cancel` whether its user may stop
    it; `agent` the name of the agent that answers; `memory_model` that of the model which has
    written all of it, "" if several have; `events` the number of the last event until then; `begun`
    those of the events with which the open items began, 0 for an item of an earlier turn.
    """

    items: list[ThreadItem] = field(default_factory=list)
    entries: Sequence[TResponseInputItem] = ()
    messages: Sequence[str] = ()
    tools: Sequence[tuple[ToolCall, ToolResult]] = ()
    superseded: Sequence[str] = ()
    saved: Sequence[str] = ()
    model: str = ""
    seconds: float = 0.0
    usage: Usage = field(default_factory=Usage)
    first_token: float | None = None
    withdrawn: Sequence[str] = ()
    allow_cancel: bool = True
    agent: str = ""
    memory_model: str | None = None
    events: int = 0
    begun: Mapping[str, int] = field(default_factory=dict)

    def summary(self) -> PartialAnswer:
        """Return what no item has once the turn has ended, such as the tokens and the tools."""
        return replace(self, items=[], entries=(), messages=(), begun={})

    def dump(self) -> bytes:
        """Return it as JSON, always valid UTF-8."""
        tools = [
            [call.id, call.name, call.arguments, call.server, result.output, result.failed]
            for call, result in self.tools
        ]
        rest: dict[str, Any] = {
            "entries": self.entries,
            "messages": self.messages,
            "tools": tools,
            # Not in `tools`: another version of the server could not read it
            "tool_seconds": [result.seconds for _, result in self.tools],
            "superseded": self.superseded,
            "saved": self.saved,
            "model": self.model,
            "seconds": self.seconds,
            "usage": _counts(self.usage),
            "first_token": self.first_token,
            "withdrawn": self.withdrawn,
            "allow_cancel": self.allow_cancel,
            "agent": self.agent,
            "memory_model": self.memory_model,
            "events": self.events,
            "begun": self.begun,
        }
        try:
            body = orjson.dumps(rest, default=str, option=orjson.OPT_NON_STR_KEYS)
            items = ",".join(item.model_dump_json() for item in self.items).encode()
            return b'{"items":[' + items + b"]," + body[1:]
        except (TypeError, ValueError):
            # Halves of characters, and numbers beyond 64 bits: models write both
            dumped = [item.model_dump() for item in self.items]
            return _dump_leniently(valid_values({"items": dumped, **rest}))

    @classmethod
    def load(cls, data: bytes | None) -> PartialAnswer:
        """Read what `dump` wrote; None is nothing."""
        if data is None:
            return cls()
        rest = json.loads(data)
        items = [load_item(item) for item in rest["items"]]
        keys = ("entries", "messages", "superseded", "saved")
        return cls(
            items,
            tools=_load_tools(rest["tools"], rest.get("tool_seconds", ())),
            **{key: rest[key] for key in keys},
            # Not written by earlier versions
            model=rest.get("model", ""),
            seconds=rest.get("seconds", 0.0),
            usage=Usage(**rest.get("usage", {})),
            first_token=rest.get("first_token"),
            withdrawn=tuple(rest.get("withdrawn", ())),
            allow_cancel=rest.get("allow_cancel", True),
            agent=rest.get("agent", ""),
            memory_model=rest.get("memory_model"),
            events=rest.get("events", 0),
            begun=rest.get("begun", {}),
        )


def _load_tools(
    tools: list[list[Any]], times: Sequence[float]
) -> list[tuple[ToolCall, ToolResult]]:
    # Earlier versions wrote no times
    padded = [*times, *repeat(0.0, len(tools) - len(times))]
    return [
        (ToolCall(call_id, name, arguments, server), ToolResult(output, failed, seconds))
        for (call_id, name, arguments, server, output, failed), seconds in zip(
            tools, padded, strict=True
        )
    ]


def _counts(usage: Usage) -> dict[str, int]:
    return {
        "requests": usage.requests,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }


def _dump_leniently(value: dict[str, Any]) -> bytes:
    return json.dumps(value, default=str, ensure_ascii=False).encode(errors="replace")


def load_item(data: dict[str, Any]) -> ThreadItem:
    item = _ITEM.validate_python(data)
    # ChatKit's named widgets drop fields that they do not know
    if isinstance(item, WidgetItem) and item.model_dump(mode="json") != data:
        return item.model_copy(update={"widget": DynamicWidgetRoot.model_validate(data["widget"])})
    return item
