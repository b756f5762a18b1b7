"""A turn's memory: what the model must see again, and no visible item has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from agents import TResponseInputItem
from chatkit.types import ClientToolCallItem, HiddenContextItem, ThreadItem

from ..text import valid_text
from ..turn import ToolCall, ToolResult
from .sound import sound
from .tools import output_text

MEMORY_TYPE = "chatkit_server.turn"
QUESTION_TYPE = "chatkit_server.question"

_PLAIN_KEYS = frozenset({"id", "type", "role", "status", "content", "phase", "provider_data"})
_PLAIN_DATA = frozenset({"model", "response_id"})
"""Data that the Agents SDK adds to every message of chat completions, and never reads."""


@dataclass(frozen=True)
class TurnMemory:
    """What the model must see again of one turn.

    `input` are the items for the model, `covers` the ids of the visible items that they replace,
    `model` the model that made them, `agent` the name of the agent that answered last. `shows` are
    the ids of the workflows that only show the calls in `input`.
    """

    turn_id: str
    model: str
    covers: list[str]
    input: list[dict[str, Any]]
    agent: str = ""
    shows: list[str] = field(default_factory=list)

    @property
    def item_id(self) -> str:
        """The id of its item. A turn has one memory: saving it again replaces it."""
        return memory_id(self.turn_id)

    def as_item(self, thread_id: str) -> HiddenContextItem:
        """Return the hidden item that keeps this memory in a thread."""
        return HiddenContextItem(
            id=self.item_id,
            thread_id=thread_id,
            created_at=datetime.now(UTC),
            content={
                "type": MEMORY_TYPE,
                "turn_id": self.turn_id,
                "model": self.model,
                "covers": self.covers,
                "input": self.input,
                "agent": self.agent,
                "shows": self.shows,
            },
        )

    @classmethod
    def of(cls, item: ThreadItem) -> TurnMemory | None:
        """Return the memory that a hidden item keeps, None for other items."""
        if not is_memory(item):
            return None
        content = cast(HiddenContextItem, item).content
        entries = _without_images(content["input"])
        # Earlier versions wrote neither of the last two
        agent, shows = content.get("agent", ""), content.get("shows", [])
        return cls(content["turn_id"], content["model"], content["covers"], entries, agent, shows)


def memory_id(turn_id: str) -> str:
    """Return the id of the item that keeps the memory of a turn."""
    return f"mem_{turn_id.removeprefix('turn_')}"


def is_memory(item: ThreadItem) -> bool:
    """Whether a hidden item keeps a turn's memory."""
    content = item.content if isinstance(item, HiddenContextItem) else None
    return isinstance(content, dict) and content.get("type") == MEMORY_TYPE


def noted_agent(item: ThreadItem) -> str:
    """Return the name of the agent that a memory says answered last, "" for other items."""
    return str(cast(HiddenContextItem, item).content.get("agent", "")) if is_memory(item) else ""


def is_own(item: ThreadItem) -> bool:
    """Whether a hidden item is the server's own, which plugins do not get."""
    return is_memory(item) or is_question(item)


def is_question(item: ThreadItem) -> bool:
    """Whether a hidden item keeps what is needed when a question is answered."""
    content = item.content if isinstance(item, HiddenContextItem) else None
    return isinstance(content, dict) and content.get("type") == QUESTION_TYPE


def client_outputs(items: Sequence[ThreadItem]) -> dict[str, dict[str, ClientToolCallItem]]:
    """Return the calls of each turn that clients were asked for, by the id of its memory.

    The memory of a turn comes after its items. The ids of calls are unique in a turn only.
    """
    found: dict[str, dict[str, ClientToolCallItem]] = defaultdict(dict)
    calls: dict[str, ClientToolCallItem] = {}
    for item in items:
        if isinstance(item, ClientToolCallItem):
            calls[item.call_id] = item
        elif calls and is_memory(item):
            found[item.id], calls = calls, {}
    return found


def made_by_clients(memory: TurnMemory, calls: dict[str, ClientToolCallItem]) -> list[str]:
    """Return the ids of the items whose calls a memory has."""
    made = {entry.get("call_id") for entry in memory.input}
    return [item.id for call_id, item in calls.items() if call_id in made]


def build_memory(
    turn_id: str,
    model: str,
    entries: Sequence[TResponseInputItem],
    messages: Sequence[str],
    tools: Sequence[tuple[ToolCall, ToolResult]],
    cut_off: str | None,
    agent: str = "",
    note_agent: bool = False,
    shows: Sequence[str] = (),
) -> TurnMemory | None:
    """Return the memory of a turn, None if its visible items are enough.

    `entries` are the items that the run produced, `messages` the ids of the visible messages that
    it wrote, in order. `cut_off` is the reason if the answer is not complete. A tool call that was
    cut off gets a result that says so. With `note_agent`, there is a memory in any case, to say
    which agent answered. `shows` are the ids of the workflows that only show calls.
    """
    given = _without_images([cast(dict[str, Any], entry) for entry in entries])
    given = _without_open_requests(given)
    complete = cast(list[dict[str, Any]], sound(given + _missing_outputs(given, tools)))
    if not cut_off and all(_is_plain_message(entry) for entry in complete):
        return TurnMemory(turn_id, model, [], [], agent) if note_agent else None
    written = [entry for entry in given if message_text(entry)]
    if cut_off:
        complete.append(_note(cut_off))
    # zip: a message that was cut off has no entry, and is sent as its visible item
    covers = [item_id for item_id, _ in zip(messages, written, strict=False)]
    return TurnMemory(turn_id, model, covers, complete, agent, list(shows))


REFUSED = "(The user wrote something here that is not allowed. It is left out.)"
"""Told as the user in place of a message that a guardrail has refused."""


def refused_memory(
    turn_id: str, agent: str, message_id: str, answer: tuple[str, str] | None
) -> TurnMemory:
    """Return the memory of a turn whose message a guardrail has refused: no model sees that again.

    `answer` is the id and the text of the item that answers it, if there is one.
    """
    covers, told = [message_id], [{"role": "user", "content": REFUSED}]
    if answer is not None:
        covers.append(answer[0])
        told.append({"role": "assistant", "content": answer[1]})
    return TurnMemory(turn_id, "", covers, told, agent)


def withheld_memory(turn_id: str, agent: str, words: str) -> TurnMemory:
    """Return the memory of a turn whose answer a guardrail has refused, and nothing stands for."""
    return TurnMemory(turn_id, "", [], [_note(words)], agent)


def _without_images(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return entries without the images that the model made: every model is sent their items.

    Reasoning that led to one would be refused without it.
    """
    found: list[dict[str, Any]] = []
    for entry in entries:
        if entry.get("type") != "image_generation_call":
            found.append(entry)
        elif found and found[-1].get("type") == "reasoning":
            found.pop()
    return found


def _without_open_requests(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return entries without requests of a provider for an approval that nobody has answered.

    They would be refused.
    """
    answered = {entry.get("approval_request_id") for entry in entries}
    return [
        entry
        for entry in entries
        if entry.get("type") != "mcp_approval_request" or entry.get("id") in answered
    ]


def _missing_outputs(
    entries: list[dict[str, Any]], tools: Sequence[tuple[ToolCall, ToolResult]]
) -> list[dict[str, Any]]:
    """Return the results of calls that the run did not come to note."""
    answered = {e.get("call_id") for e in entries if e.get("type") == "function_call_output"}
    # By name too: some models give every call the same id
    results = {(call.id, call.name): result.output for call, result in tools}
    keys = [
        (entry.get("call_id"), entry.get("name", ""))
        for entry in entries
        if entry.get("type") == "function_call" and entry.get("call_id") not in answered
    ]
    return [
        {"type": "function_call_output", "call_id": key[0], "output": output_text(results[key])}
        for key in keys
        if key in results
    ]


def _is_plain_message(entry: dict[str, Any]) -> bool:
    data = entry.get("provider_data") or {}
    return (
        entry.get("type") == "message"
        and entry.keys() <= _PLAIN_KEYS
        and data.keys() <= _PLAIN_DATA
    )


def message_text(entry: dict[str, Any]) -> str:
    """Return the text of an input item that is a message, "" for others and without text."""
    if entry.get("type") != "message":
        return ""
    content = entry.get("content") or ""
    if isinstance(content, str):
        return content.strip()
    return "".join(part.get("text") or part.get("refusal") or "" for part in content).strip()


def _note(text: str) -> dict[str, Any]:
    part = {"type": "input_text", "text": f"({valid_text(text)})"}
    return {"type": "message", "role": "user", "content": [part]}
