"""The conversation so far, as input for the model.

A thread's visible items are what the user saw. What only the model needs (tool calls, their
results, reasoning) is kept in one hidden item per turn, the turn's memory.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import orjson
from agents import TResponseInputItem
from chatkit.agents import ThreadItemConverter
from chatkit.store import Store
from chatkit.types import (
    AssistantMessageItem,
    Attachment,
    ClientToolCallItem,
    HiddenContextItem,
    ImageAttachment,
    ThreadItem,
    UserMessageItem,
    UserMessageTagContent,
)
from openai.types.responses import ResponseInputContentParam, ResponseInputTextParam

from ..ids import new_id
from ..settings.schema import HistorySettings
from ..turn import StoreContext, ToolCall, ToolResult

MEMORY_TYPE = "chatkit_server.turn"
BYTES_PER_TOKEN = 4
"""OpenAI's rule of thumb for English text."""

CALL_CUT_OFF = "The call was cut off; whether it took effect is not known."

_PAGE = 50
_PLAIN_KEYS = frozenset({"id", "type", "role", "status", "content", "phase", "provider_data"})
_PLAIN_DATA = frozenset({"model", "response_id"})
"""Data that the Agents SDK adds to every message of chat completions, and never reads."""


@dataclass(frozen=True)
class TurnMemory:
    """What the model must see again of one turn.

    `input` are the items for the model, `covers` the ids of the visible items that they replace,
    `model` the model that made them.
    """

    turn_id: str
    model: str
    covers: list[str]
    input: list[dict[str, Any]]

    @property
    def item_id(self) -> str:
        """The id of its item. A turn has one memory: saving it again replaces it."""
        return f"mem_{self.turn_id.removeprefix('turn_')}"

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
            },
        )

    @classmethod
    def of(cls, item: ThreadItem) -> TurnMemory | None:
        """Return the memory that a hidden item keeps, None for other items."""
        content = item.content if isinstance(item, HiddenContextItem) else None
        if not isinstance(content, dict) or content.get("type") != MEMORY_TYPE:
            return None
        return cls(content["turn_id"], content["model"], content["covers"], content["input"])


def build_memory(
    turn_id: str,
    model: str,
    entries: Sequence[TResponseInputItem],
    messages: Sequence[str],
    tools: Sequence[tuple[ToolCall, ToolResult]],
    cut_off: str | None,
) -> TurnMemory | None:
    """Return the memory of a turn, None if its visible items are enough.

    `entries` are the items that the run produced, `messages` the ids of the visible messages that
    it wrote, in order. `cut_off` is the reason if the answer is not complete. A tool call that was
    cut off gets a result that says so.
    """
    complete = [cast(dict[str, Any], entry) for entry in entries]
    complete += _missing_outputs(complete, tools)
    if not cut_off and all(_is_plain_message(entry) for entry in complete):
        return None
    written = [entry for entry in complete if _message_text(entry)]
    if cut_off:
        complete.append(_note(cut_off))
    # zip: a message that was cut off has no entry, and is sent as its visible item
    covers = [item_id for item_id, _ in zip(messages, written, strict=False)]
    return TurnMemory(turn_id, model, covers, complete)


def _missing_outputs(
    entries: list[dict[str, Any]], tools: Sequence[tuple[ToolCall, ToolResult]]
) -> list[dict[str, Any]]:
    answered = {e["call_id"] for e in entries if e.get("type") == "function_call_output"}
    # By name too: some models give every call the same id
    results = {(call.id, call.name): result.output for call, result in tools}
    return [
        {
            "type": "function_call_output",
            "call_id": entry["call_id"],
            "output": _as_text(
                results.get((entry["call_id"], entry.get("name", "")), CALL_CUT_OFF)
            ),
        }
        for entry in entries
        if entry.get("type") == "function_call" and entry["call_id"] not in answered
    ]


def _as_text(output: Any) -> str:
    return output if isinstance(output, str) else json.dumps(output, default=str)


def _is_plain_message(entry: dict[str, Any]) -> bool:
    data = entry.get("provider_data") or {}
    return (
        entry.get("type") == "message"
        and entry.keys() <= _PLAIN_KEYS
        and data.keys() <= _PLAIN_DATA
    )


def _message_text(entry: dict[str, Any]) -> str:
    if entry.get("type") != "message":
        return ""
    return "".join(part.get("text") or part.get("refusal") or "" for part in entry["content"])


def _note(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [_text(f"({text})")]}


class HistoryConverter(ThreadItemConverter):
    """ChatKit's converter, with the parts that it leaves open: attachments, tags, hidden items."""

    async def attachment_to_message_content(
        self, attachment: Attachment
    ) -> ResponseInputContentParam:
        if isinstance(attachment, ImageAttachment):
            return {
                "type": "input_image",
                "detail": "auto",
                "image_url": str(attachment.preview_url),
            }
        return _text(f"[attached file: {attachment.name} ({attachment.mime_type})]")

    async def tag_to_message_content(self, tag: UserMessageTagContent) -> ResponseInputContentParam:
        return _text(f"@{tag.text}: {json.dumps(tag.data, ensure_ascii=False)}")

    async def hidden_context_to_input(
        self, item: HiddenContextItem
    ) -> TResponseInputItem | list[TResponseInputItem] | None:
        if isinstance(item.content, str):
            return await super().hidden_context_to_input(item)
        text = json.dumps(item.content, ensure_ascii=False, default=str)
        return await super().hidden_context_to_input(item.model_copy(update={"content": text}))

    async def assistant_message_to_input(
        self, item: AssistantMessageItem
    ) -> TResponseInputItem | list[TResponseInputItem] | None:
        # With its id: chat-completions models refuse a message without one
        return cast(
            TResponseInputItem,
            {
                "id": item.id,
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [
                    {"type": "output_text", "text": content.text, "annotations": []}
                    for content in item.content
                ],
            },
        )


_CONVERTER = HistoryConverter()


async def load_history(
    store: Store[StoreContext],
    context: StoreContext,
    thread_id: str,
    budget: HistorySettings,
    until: str | None = None,
) -> list[ThreadItem]:
    """Return the newest items of a thread, oldest first, as many as the budget may need.

    With `until`, the items from that one on are left out.
    """
    newest: list[ThreadItem] = []
    after = until
    while len(newest) < budget.items:
        limit = min(_PAGE, budget.items - len(newest))
        page = await store.load_thread_items(thread_id, after, limit, "desc", context)
        newest.extend(page.data)
        if not page.has_more or page.after is None:
            break
        after = page.after
    return newest[::-1]


async def to_input(
    items: Sequence[ThreadItem], model: str, budget: HistorySettings
) -> list[TResponseInputItem]:
    """Return these items, oldest first, as input for the model: the newest that fit the budget.

    A tool call is never separated from its result: a turn's memory is sent in full, or else the
    visible items that it covers are sent. The newest item is always sent.
    """
    outputs = {
        item.call_id: item.output
        for item in items
        if isinstance(item, ClientToolCallItem) and item.status == "completed"
    }
    left = budget.tokens * BYTES_PER_TOKEN
    covered: set[str] = set()
    chosen: list[tuple[ThreadItem, list[TResponseInputItem]]] = []
    for item in reversed(items):
        if item.id in covered:
            continue
        memory = TurnMemory.of(item)
        if memory is None:
            entries = await _CONVERTER.to_agent_input(item)
        else:
            entries = _replay(memory, model, outputs)
        size = _size(entries)
        if size > left and chosen:
            if memory is None:
                break
            continue
        left -= size
        chosen.append((item, entries))
        if memory is not None:
            covered.update(memory.covers)
    return [entry for _, entries in _from_a_user_message(chosen[::-1]) for entry in entries]


def _size(entries: Any) -> int:
    """Return the bytes of entries as JSON."""
    try:
        return len(orjson.dumps(entries, default=str, option=orjson.OPT_NON_STR_KEYS))
    except TypeError:
        # Half surrogate pairs, and numbers beyond 64 bits: models write both
        return len(json.dumps(entries, ensure_ascii=False, default=str).encode(errors="replace"))


def _from_a_user_message(
    chosen: list[tuple[ThreadItem, list[TResponseInputItem]]],
) -> list[tuple[ThreadItem, list[TResponseInputItem]]]:
    """Drop what comes before the first user message: some models refuse an answer first."""
    starts = (i for i, (item, _) in enumerate(chosen) if isinstance(item, UserMessageItem))
    return chosen[next(starts, 0) :]


def _replay(memory: TurnMemory, model: str, outputs: dict[str, Any]) -> list[TResponseInputItem]:
    """Return the memory's input items for `model`, with the results that clients sent since."""
    entries: list[dict[str, Any]] = []
    for entry in memory.input:
        if entry.get("type") == "function_call_output" and entry["call_id"] in outputs:
            entry = {**entry, "output": json.dumps(outputs[entry["call_id"]], ensure_ascii=False)}
        entries.append(entry)
    if memory.model != model:
        entries = [_portable(entry) for entry in entries if entry.get("type") != "reasoning"]
    return cast(list[TResponseInputItem], entries)


def _portable(entry: dict[str, Any]) -> dict[str, Any]:
    """Remove what only the model that made the entry can read."""
    entry = {key: value for key, value in entry.items() if key not in ("id", "provider_data")}
    if entry.get("type") == "message":
        entry["id"] = new_id("msg")
    return entry


def _text(text: str) -> ResponseInputTextParam:
    return {"type": "input_text", "text": text}
