"""The conversation so far, as input for the model.

A thread's visible items are what the user saw. What only the model needs (tool calls, their
results, reasoning) is kept in one hidden item per turn, the turn's memory.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Awaitable, Sequence
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
    Page,
    ThreadItem,
    UserMessageItem,
    UserMessageTagContent,
)
from openai.types.responses import ResponseInputContentParam, ResponseInputTextParam

from ..paging import pages
from ..settings.schema import HistorySettings
from ..turn import StoreContext
from .memory import TurnMemory
from .portable import for_other_model
from .sound import sound

BYTES_PER_TOKEN = 4
"""OpenAI's rule of thumb for English text."""

LEFT_OUT = "(The beginning of this conversation is left out.)"
"""Told as the user where nothing of the user's is left: endpoints want the user to begin."""

_PAGE = 50
_MESSAGE_ID = re.compile(r"msg_[A-Za-z0-9_-]{1,60}")


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
                "id": _message_id(item.id),
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [
                    {"type": "output_text", "text": content.text, "annotations": []}
                    for content in item.content
                ],
            },
        )


def _message_id(item_id: str) -> str:
    """Return an id that OpenAI takes, which a plugin's item may not have."""
    if _MESSAGE_ID.fullmatch(item_id):
        return item_id
    return f"msg_{hashlib.sha256(item_id.encode(errors='replace')).hexdigest()[:32]}"


_CONVERTER = HistoryConverter()


async def load_history(
    store: Store[StoreContext],
    context: StoreContext,
    thread_id: str,
    budget: HistorySettings,
    until: str | None = None,
) -> list[ThreadItem]:
    """Return the newest items of a thread, oldest first, as many as the budget may need.

    With `until`, the items from that one on are left out. It is found on the way: not every store
    can begin at an item.
    """
    newest: list[ThreadItem] = []
    found = until is None

    def load(after: str | None) -> Awaitable[Page[ThreadItem]]:
        limit = min(_PAGE, budget.items - len(newest))
        return store.load_thread_items(thread_id, after, limit, "desc", context)

    if budget.items:
        async for page in pages(load):
            for item in page.data:
                if found:
                    newest.append(item)
                found = found or item.id == until
            if len(newest) >= budget.items:
                break
    return newest[: budget.items][::-1]


async def to_input(
    items: Sequence[ThreadItem], model: str, budget: HistorySettings
) -> list[TResponseInputItem]:
    """Return these items, oldest first, as input for the model: the newest that fit the budget.

    A tool call is never separated from its result: a turn's memory is sent in full, or else the
    visible items that it covers are sent. The newest item is always sent, and the user's message
    that it belongs to. What is returned begins with the user, and is `sound`.
    """
    outputs = _client_outputs(items)
    left = budget.tokens * BYTES_PER_TOKEN
    covered: set[str] = set()
    chosen: list[tuple[ThreadItem, list[TResponseInputItem]]] = []
    # The entries of an answer that was cut off, of which the last is a note that says so
    answer: list[TResponseInputItem] = []
    for item in reversed(items):
        if item.id in covered:
            continue
        memory = TurnMemory.of(item)
        if memory is None:
            entries = await _CONVERTER.to_agent_input(item)
        else:
            entries = _replay(memory, model, outputs[item.id])
        size = _size(entries)
        if size > left and chosen:
            if memory is None:
                break
            continue
        left -= size
        if answer and isinstance(item, AssistantMessageItem):
            # What was cut off comes after the calls that the memory has
            answer[-1:-1] = entries
            continue
        chosen.append((item, entries))
        if memory is not None or isinstance(item, UserMessageItem):
            answer = entries if memory is not None and _ends_with_note(entries) else []
        if memory is not None:
            covered.update(memory.covers, _client_calls(memory, outputs[item.id]))
    if not any(isinstance(item, UserMessageItem) for item, _ in chosen):
        asked = next((item for item in reversed(items) if isinstance(item, UserMessageItem)), None)
        if asked is not None:
            chosen.append((asked, await _CONVERTER.to_agent_input(asked)))
    return sound(entry for entries in _from_the_user(chosen[::-1]) for entry in entries)


def _ends_with_note(entries: list[TResponseInputItem]) -> bool:
    return bool(entries) and entries[-1].get("role") == "user"


def _client_outputs(items: Sequence[ThreadItem]) -> dict[str, dict[str, ClientToolCallItem]]:
    """Return the calls of each turn that clients were asked for, by the id of its memory.

    The memory of a turn comes after its items. The ids of calls are unique in a turn only.
    """
    found: dict[str, dict[str, ClientToolCallItem]] = defaultdict(dict)
    calls: dict[str, ClientToolCallItem] = {}
    for item in items:
        if isinstance(item, ClientToolCallItem):
            calls[item.call_id] = item
        elif calls and TurnMemory.of(item) is not None:
            found[item.id], calls = calls, {}
    return found


def _client_calls(memory: TurnMemory, calls: dict[str, ClientToolCallItem]) -> list[str]:
    """Return the ids of the items whose calls a memory has."""
    made = {entry.get("call_id") for entry in memory.input}
    return [item.id for call_id, item in calls.items() if call_id in made]


def _size(entries: Any) -> int:
    """Return the bytes of entries as JSON."""
    try:
        return len(orjson.dumps(entries, default=str, option=orjson.OPT_NON_STR_KEYS))
    except TypeError:
        # Half surrogate pairs, and numbers beyond 64 bits: models write both
        return len(json.dumps(entries, ensure_ascii=False, default=str).encode(errors="replace"))


def _from_the_user(
    chosen: list[tuple[ThreadItem, list[TResponseInputItem]]],
) -> list[list[TResponseInputItem]]:
    """Drop what comes before the first user message: some models refuse an answer first."""
    starts = (i for i, (item, _) in enumerate(chosen) if isinstance(item, UserMessageItem))
    entries = [entries for _, entries in chosen[next(starts, 0) :]]
    first = next((entry for some in entries for entry in some), None)
    if first is None or first.get("role") == "user":
        return entries
    return [[{"role": "user", "content": LEFT_OUT}], *entries]


def _replay(
    memory: TurnMemory, model: str, calls: dict[str, ClientToolCallItem]
) -> list[TResponseInputItem]:
    """Return the memory's input items for `model`, with the results that clients sent since."""
    entries: list[dict[str, Any]] = []
    for entry in memory.input:
        call = calls.get(entry.get("call_id", ""))
        if entry.get("type") == "function_call_output" and call and call.status == "completed":
            entry = {**entry, "output": json.dumps(call.output, ensure_ascii=False)}
        entries.append(entry)
    if memory.model != model:
        return for_other_model(entries)
    return cast(list[TResponseInputItem], entries)


def _text(text: str) -> ResponseInputTextParam:
    return {"type": "input_text", "text": text}
