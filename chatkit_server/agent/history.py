"""The conversation so far, as input for the model.

A thread's visible items are what the user saw. What only the model needs (tool calls, their
results, reasoning) is kept in one hidden item per turn, the turn's memory.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from agents import TResponseInputItem
from chatkit.agents import ThreadItemConverter
from chatkit.types import (
    AssistantMessageItem,
    ClientToolCallItem,
    HiddenContextItem,
    SDKHiddenContextItem,
    ThreadItem,
    UserMessageItem,
)

from ..settings.schema import HistorySettings
from .asked import asked_ids
from .converting import AttachmentReader, Conversion, HistoryConverter, as_told
from .costs import BYTES_PER_TOKEN, cost, cost_and_media
from .memory import (
    TurnMemory,
    client_outputs,
    is_memory,
    is_own,
    is_question,
    made_by_clients,
    message_text,
    noted_agent,
)
from .paused import is_approval, without_paused
from .portable import for_other_model
from .questions import SavedQuestion, chain, is_for_server, saved_in, told
from .shortening import LEAST, OldMedia, shortened
from .sound import sound

LEFT_OUT = "(The beginning of this conversation is left out.)"
"""Told as the user where nothing of the user's is left: endpoints want the user to begin."""

LEFT_OUT_HERE = "(Messages of this conversation are left out here.)"

RESERVE = 4
"""One part in this many of the budget is for what came before, however long one item is."""

_FIRST_ROLES = ("user", "system", "developer")

_CONVERTER = HistoryConverter()

Entries = list[dict[str, Any]]


class History:
    """A turn's conversation: its items with the memories of turns, and input made of them."""

    def __init__(self, items: Sequence[ThreadItem], budget: HistorySettings) -> None:
        self._items = without_paused(items)
        self._budget = budget
        # What a plugin changes in place is seen by this: a memory would tell what was there before
        self._texts = {item.id: _texts(item) for item in items}

    @property
    def visible(self) -> list[ThreadItem]:
        """The items without the server's own: what plugins and their converters get."""
        return [item for item in self._items if not is_own(item)]

    @property
    def last_agent(self) -> str | None:
        """The name of the agent that answered last, None if that is not known."""
        return next(filter(None, map(noted_agent, reversed(self._items))), None)

    @property
    def forgets_agent(self) -> bool:
        """Whether `last_agent` will soon be beyond the budget of items."""
        newer = self._items[-(self._budget.items // 2 or 1) :]
        return not any(map(noted_agent, newer))

    async def to_input(
        self,
        items: Sequence[ThreadItem],
        model: str,
        converter: ThreadItemConverter | None = None,
        read: AttachmentReader | None = None,
    ) -> list[TResponseInputItem]:
        """Return these visible items as input for the model, with the memories of their turns."""
        found, saved = self._with_memories(items), saved_in(self._items)
        return await to_input(found, model, self._budget, converter, read, saved)

    def _with_memories(self, items: Sequence[ThreadItem]) -> list[ThreadItem]:
        """Return items with each memory after the items of its turn.

        A memory is left out if what it stands for was changed or left out, or if nothing else of
        the answer is there.
        """
        given = {item.id: item for item in items}
        memories: dict[str | None, list[ThreadItem]] = defaultdict(list)
        before: str | None = None
        of_turn: list[ThreadItem] = []
        for item in self._items:
            memory = TurnMemory.of(item)
            if is_question(item):
                continue
            if memory is None:
                of_turn.append(item)
                before = item.id if item.id in given else before
                continue
            shown = [one for one in of_turn if not isinstance(one, UserMessageItem)] or of_turn
            is_gone = shown and not any(one.id in given for one in shown)
            if not is_gone and all(self._is_unchanged(one, given) for one in memory.covers):
                memories[before].append(item)
            of_turn = []
        found = memories.pop(None, [])
        for item in items:
            if not is_memory(item):
                # What the user was asked to approve is in the memory
                found += [] if is_approval(item) else [item]
                found += memories.pop(item.id, ())
        return found

    def _is_unchanged(self, item_id: str, given: dict[str, ThreadItem]) -> bool:
        if item_id not in self._texts:
            # Beyond the budget, or deleted
            return True
        return item_id in given and _texts(given[item_id]) == self._texts[item_id]


def _texts(item: ThreadItem) -> list[str]:
    return [part.text for part in item.content] if isinstance(item, AssistantMessageItem) else []


async def to_input(
    items: Sequence[ThreadItem],
    model: str,
    budget: HistorySettings,
    converter: ThreadItemConverter | None = None,
    read: AttachmentReader | None = None,
    saved: Mapping[str, SavedQuestion] | None = None,
) -> list[TResponseInputItem]:
    """Return these items, oldest first, as input for the model, within the budget.

    A turn's memory is sent in place of the visible items that it covers, and a tool call never
    without its result. The newest item and the user's newest message are sent whole. If not
    everything fits, newer items come first: one that is too large is shortened or left out, and
    older ones still come. A memory is shortened by what tools returned, or else its visible items
    are sent. `saved` is what is kept of questions of MCP servers, by item. What is returned begins
    with the user, and is `sound`.
    """
    conversion = Conversion(_CONVERTER if converter is None else converter, read)
    telling = _Telling(items, model, budget, conversion, saved or {})
    found = sound(_from_the_user(await telling.pieces()))
    begins_well = not found or found[0].get("role") in _FIRST_ROLES
    return found if begins_well else [cast(TResponseInputItem, _said(LEFT_OUT)), *found]


@dataclass(slots=True)
class _Piece:
    """What is sent for one item. `before_gap`: what came right after it is left out."""

    item: ThreadItem
    entries: Entries
    before_gap: bool = False


class _Room:
    """What is left of a budget, while items are taken from the newest to the oldest.

    `costs` are those of all items as they are sent in full, by the `id` of the object.
    """

    def __init__(self, budget: int, costs: Mapping[int, int]) -> None:
        self._left = budget
        self._reserve = budget // RESERVE
        self._costs = costs
        self._older = sum(costs.values())

    def take(
        self, item: ThreadItem, entries: Entries, *, whole: bool, results_only: bool
    ) -> Entries | None:
        """Return what there is room for, None if that is nothing.

        It is everything if it must be `whole`, or if all that is older fits as well.
        """
        size = self._costs.get(id(item)) or cost(entries)
        self._older -= self._costs.get(id(item), 0)
        if whole:
            self._left -= min(size, max(0, self._left - self._reserve))
            return entries
        room = max(self._left - self._reserve, self._left // 2)
        if size > room and size + self._older > self._left:
            if room < LEAST or not (shorter := shortened(entries, room, results_only=results_only)):
                return None
            entries, size = shorter, cost(shorter)
        self._left -= size
        return entries

    def note_gap(self) -> None:
        """Count the note that something is left out."""
        self._left = max(0, self._left - _GAP_COST)


class _Telling:
    """What a model is told of a conversation: pieces, chosen from the newest to the oldest."""

    def __init__(
        self,
        items: Sequence[ThreadItem],
        model: str,
        budget: HistorySettings,
        conversion: Conversion,
        saved: Mapping[str, SavedQuestion],
    ) -> None:
        self._items = items
        self._saved = saved
        self._by_id = {item.id: item for item in items}
        self._model = model
        self._budget = budget.tokens * BYTES_PER_TOKEN
        self._conversion = conversion
        self._outputs = client_outputs(items)
        self._last = next((item for item in reversed(items) if not is_memory(item)), None)
        self._asked = next((i for i in reversed(items) if isinstance(i, UserMessageItem)), None)
        self._old_media = OldMedia(budget.media)
        self._converted: dict[int, Entries] = {}
        self._costs: dict[int, int] = {}

    async def pieces(self) -> list[_Piece]:
        """Return what fits the budget, oldest first."""
        found = await self._chosen(None)
        if sum(self._costs.values()) > self._budget:
            found = await self._chosen(_Room(self._budget, dict(self._costs)))
        return found[::-1]

    async def _chosen(self, room: _Room | None) -> list[_Piece]:
        """Return what fits, newest first; everything without a `room`."""
        found: list[_Piece] = []
        covered: set[str] = set()
        answer: _Piece | None = None
        gap = is_old = False
        for item in reversed(self._items):
            if item.id in covered or not (entries := await self._entries(item, is_old)):
                continue
            memory = TurnMemory.of(item)
            if room is not None:
                fitting = room.take(
                    item,
                    entries,
                    whole=not found or item is self._asked,
                    results_only=memory is not None,
                )
                if fitting is None:
                    answer = answer if memory is None else None
                    gap = gap or memory is None
                    continue
                entries = fitting
                if gap:
                    room.note_gap()
            if answer is not None and isinstance(item, AssistantMessageItem):
                # What was cut off comes after the calls that the memory has
                answer.entries[-1:-1] = entries
                continue
            piece = _Piece(item, entries, before_gap=gap)
            gap = False
            found.append(piece)
            if memory is not None:
                covered.update(memory.covers, memory.shows)
                covered.update(made_by_clients(memory, self._outputs[item.id]))
                covered.update(chain(memory, self._saved))
                answer = piece if entries[-1].get("role") == "user" else None
            elif isinstance(item, UserMessageItem):
                answer = None
            is_old = is_old or item is self._asked
        return found

    async def _entries(self, item: ThreadItem, is_old: bool) -> Entries:
        """Return an item as input items, in full but for media that are not sent again."""
        if id(item) not in self._converted:
            memory = TurnMemory.of(item)
            if is_for_server(item, self._saved):
                entries: Entries = []
            elif memory is None:
                sent = self._old_media.without_images(item) if is_old else item
                entries = await self._conversion.of(sent, is_last=item is self._last)
            else:
                entries = await self._replay(memory, self._outputs[item.id])
            size, media = cost_and_media(entries)
            if media and is_old:
                entries = self._old_media.limited(entries)
                size = cost(entries)
            self._converted[id(item)] = entries
            self._costs[id(item)] = size
        return list(self._converted[id(item)])

    async def _replay(self, memory: TurnMemory, calls: dict[str, ClientToolCallItem]) -> Entries:
        """Return the memory's input items, with what clients and the user answered since.

        A plugin's converter says how assistant messages and calls of client tools are told.
        """
        messages = await self._messages(memory)
        entries: Entries = []
        for entry in memory.input:
            call = calls.get(entry.get("call_id", ""))
            if call is not None and call.status == "completed":
                entries += await self._client_call(entry, call)
            elif asked := asked_ids(entry):
                output = told(asked, self._by_id, self._saved)
                entries.append(entry if output is None else {**entry, "output": output})
            elif messages and message_text(entry):
                entries += as_told(entry, messages.pop(0))
            else:
                entries.append(entry)
        return entries if memory.model == self._model else cast(Entries, for_other_model(entries))

    async def _messages(self, memory: TurnMemory) -> list[Entries | None]:
        """Return how a plugin's converter tells the messages of a memory; None for unknown ones."""
        if not self._conversion.defines("assistant_message_to_input"):
            return []
        items = [self._by_id.get(item_id) for item_id in memory.covers]
        return [
            await self._conversion.of(item) if item is not None else None
            for item in items
            if item is None or isinstance(item, AssistantMessageItem)
        ]

    async def _client_call(self, entry: dict[str, Any], call: ClientToolCallItem) -> Entries:
        is_result = entry.get("type") == "function_call_output"
        if self._conversion.defines("client_tool_call_to_input"):
            return [] if is_result else await self._conversion.of(call)
        if not is_result:
            return [entry]
        return [{**entry, "output": json.dumps(call.output, ensure_ascii=False)}]


def _from_the_user(pieces: Sequence[_Piece]) -> Iterator[dict[str, Any]]:
    """Yield what is sent from the first user message on: some models refuse an answer first."""
    starts = (i for i, piece in enumerate(pieces) if _may_begin(piece))
    for piece in pieces[next(starts, 0) :]:
        yield from piece.entries
        if piece.before_gap:
            yield _said(LEFT_OUT_HERE)


def _may_begin(piece: _Piece) -> bool:
    if (memory := TurnMemory.of(piece.item)) is not None:
        # In place of a message that was refused
        return bool(memory.covers) and piece.entries[0].get("role") == "user"
    return isinstance(piece.item, UserMessageItem | HiddenContextItem | SDKHiddenContextItem)


def _said(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


_GAP_COST = cost([_said(LEFT_OUT_HERE)])
