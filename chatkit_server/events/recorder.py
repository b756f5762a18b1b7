"""Saves what a turn says, and then sends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar
from weakref import ref

from chatkit.errors import ErrorCode
from chatkit.store import NotFoundError, Store
from chatkit.types import (
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ErrorEvent,
    GeneratedImageItem,
    StreamOptionsEvent,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdate,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    ThreadUpdatedEvent,
    WorkflowItem,
)

from ..errors import TurnFailed
from ..known_errors import StreamFailed
from ..paging import aware, dated, in_place
from ..plugin.calls import Hooks
from ..tasks import run_to_completion
from ..text import valid_values
from ..turn import Outcome, StoreContext, ToolCall, ToolResult, Turn
from ..words import words
from .log import TurnLog
from .placeholders import OwnIds
from .settling import settled
from .threads import TICK, ThreadWriter, as_thread
from .turn_thread import TurnThread
from .updates import apply_update, content_at
from .wire import WireFormat, is_hidden

FIRST = datetime.fromtimestamp(0, UTC)
LONG_ANSWER = words("The answer is longer than allowed and was cut off.")

EventT = TypeVar("EventT", ThreadItemAddedEvent, ThreadItemDoneEvent)


class Recorder:
    """Keeps what a turn says: in the store, through `persist`, and then in the event log.

    `open` holds the items that have begun and are not done, by id; `reopened` those that an earlier
    turn began, as they were; `begun` the number of the event with which each item began; `asked`
    the ids of what the user said, which is no part of the answer. `answer_limit` is the most
    characters that an answer may have. `failure` is the first error that was sent as an event; it
    is told at the end.
    """

    def __init__(
        self,
        turn: Turn,
        store: Store[StoreContext],
        hooks: Hooks,
        log: TurnLog,
        wire: WireFormat,
        answer_limit: int,
        threads: ThreadWriter | None = None,
    ) -> None:
        # The turn refers to the recorder, to stream to it. A strong reference back would be a
        # cycle, which keeps both in memory until the garbage collector runs
        self._turn = ref(turn)
        self.store = store
        self.hooks = hooks
        self.log = log
        self.wire = wire
        self.open: dict[str, ThreadItem] = {}
        self.begun: dict[str, int] = {}
        self.reopened: dict[str, ThreadItem] = {}
        self.asked: Collection[str] = ()
        self.saved: list[ThreadItem] = []
        self.tools: list[tuple[ToolCall, ToolResult]] = []
        self.failure: StreamFailed | None = None
        self.first_token: float | None = None
        self.characters_left = answer_limit
        self._superseded: list[ThreadItem] = []
        self._own_ids = OwnIds(self._turn)
        self._earlier: set[str] = set()
        """The ids of items of earlier turns that this one has changed."""
        self._texts: dict[tuple[str, int], list[str]] = {}
        self._written: dict[str, set[int]] = {}
        """The parts of each item that have text in `_texts`."""
        self._last = FIRST
        self._threads = threads or ThreadWriter(store)
        self._thread = TurnThread(turn, self._threads)

    @property
    def turn(self) -> Turn:
        """The turn; it lives as long as anyone uses the recorder."""
        turn = self._turn()
        assert turn is not None
        return turn

    def supersede(self, items: list[ThreadItem]) -> None:
        """Remove these items once something new is saved."""
        self._superseded = items

    def reopen(self, item: ThreadItem) -> None:
        """Go on with an item of an earlier turn."""
        self.reopened[item.id] = dated(item).model_copy(deep=True)
        self.open[item.id] = dated(item).model_copy(deep=True)
        self._earlier.add(item.id)

    async def emit(self, event: ThreadStreamEvent) -> None:
        """Save what the event says, if it says something lasting, and append it to the log."""
        cancelled = False
        event = self._own_ids.given(valid_values(event), self.asked)
        match event:
            case ErrorEvent():
                self.failure = self.failure or _failure(event)
                await self.save_thread()
                return
            case ThreadItemAddedEvent():
                event = self._in_order(event)
                self.open[event.item.id] = event.item.model_copy(deep=True)
                self.begun[event.item.id] = len(self.log) + 1
            case ThreadItemUpdatedEvent(update=AssistantMessageContentPartTextDelta() as text):
                # A tool or plugin that streams: the same path, with the same limit
                self.delta(event.item_id, text.content_index, text.delta)
                await self.save_thread()
                return
            case ThreadItemUpdatedEvent():
                self._apply(event.item_id, event.update)
            case ThreadItemDoneEvent():
                event = self._in_order(event)
                item = self.turn.with_cited(event.item, done=True)
                if item is not event.item:
                    event = event.model_copy(update={"item": item})
                cancelled = await run_to_completion(self._save(item))
            case ThreadItemReplacedEvent():
                item = in_place(event.item, (*self.saved, *self.turn.items))
                event = event.model_copy(update={"item": item})
                cancelled = await run_to_completion(self._save(item, replace=True))
            case ThreadItemRemovedEvent():
                await self._remove(event.item_id)
            case StreamOptionsEvent():
                self.turn.stream_options = event.stream_options
        self._write(self.wire.event(event))
        if cancelled:
            raise asyncio.CancelledError
        await self.save_thread()

    def delta(self, item_id: str, content_index: int, text: str) -> None:
        """Append a piece of text to an open assistant message: the path of a token."""
        if self.first_token is None:
            self.first_token = self.turn.seconds
        self.characters_left -= len(text)
        if self.characters_left < 0:
            raise TurnFailed(LONG_ANSWER)
        pieces = self._texts.get((item_id, content_index))
        if pieces is None:
            pieces = self._texts[item_id, content_index] = []
            self._written.setdefault(item_id, set()).add(content_index)
        pieces.append(text)
        self.log.append(self.wire.delta(item_id, content_index, text))

    def spend(self, characters: int) -> None:
        """Count something as a part of the answer's text. Raises `TurnFailed` beyond the limit."""
        self.characters_left -= characters
        if self.characters_left < 0:
            raise TurnFailed(LONG_ANSWER)

    def tool(self, call: ToolCall, result: ToolResult) -> None:
        """Note a tool call that has ended."""
        self.tools.append((call, result))
        self._write(self.wire.tool(call, result))

    def partial(self, item_id: str) -> ThreadItem:
        """Return an open item as far as it has come."""
        item = self.open[item_id]
        if isinstance(item, AssistantMessageItem):
            for index in self._written.get(item_id, ()):
                if pieces := self._texts.get((item_id, index)):
                    content = content_at(item, index)
                    content.text += "".join(pieces)
                    pieces.clear()
        return item

    def unfinished(self) -> list[ThreadItem]:
        """Return the open items as far as they have come."""
        return [self.turn.with_cited(self.partial(item_id)) for item_id in self.open]

    @property
    def superseded(self) -> list[str]:
        """The ids of the items that are still to go."""
        return [item.id for item in self._superseded]

    async def close(self) -> list[ThreadItem]:
        """Finish what is open: save partial items that show something, remove the others.

        Returns the items saved.
        """
        closed: list[ThreadItem] = []
        for item_id in list(self.open):
            item = self.partial(item_id)
            if shows_nothing(item) and item_id not in self.reopened:
                self._withdraw(item_id)
            else:
                closed.append(settled(item))
                await self.emit(ThreadItemDoneEvent.model_construct(item=closed[-1]))
        return closed

    @property
    def answered(self) -> list[str]:
        """The ids of the saved items that are a part of the answer."""
        return [item.id for item in self.saved if self._answers(item)]

    async def withdraw(self) -> None:
        """Take the whole answer back, the newest item first, as if nothing of it had been shown.

        Items of earlier turns stay; one that was reopened is again what it was. Raises the first
        error of the store, after everything is off the screen.
        """
        errors: list[Exception] = []
        items = {item.id: item for item in (*self.saved, *self.open.values())}
        for item in reversed(items.values()):
            if not self._answers(item):
                continue
            try:
                with suppress(NotFoundError):
                    await self._remove(item.id)
            except Exception as error:
                errors.append(error)
            if not is_hidden(item):
                self._write(self.wire.event(ThreadItemRemovedEvent(item_id=item.id)))
        for item in self.reopened.values():
            await self.emit(ThreadItemReplacedEvent.model_construct(item=item))
        if errors:
            raise errors[0]

    def _answers(self, item: ThreadItem) -> bool:
        """Whether an item is of this turn's answer."""
        return item.id not in self.asked and item.id not in self._earlier

    def discard(self) -> None:
        """Remove what is open: its thread is gone."""
        for item_id in list(self.open):
            self._withdraw(item_id)

    def _withdraw(self, item_id: str) -> None:
        self.open.pop(item_id)
        self._write(self.wire.event(ThreadItemRemovedEvent(item_id=item_id)))

    def write_end(self, outcome: Outcome) -> None:
        """Write how the turn has ended. The log stays open for what `post_turn` changes."""
        self._thread.is_over = True
        for line in self.wire.end(outcome, self.turn.translate):
            self.log.append(line)

    async def finish(self, item: ThreadItem) -> bool:
        """Save an item that has begun as it is, without an event; return False for other items.

        ChatKit's SDK does so with a workflow that goes on in the next turn.
        """
        if item.id not in self.open:
            return False
        await run_to_completion(self._save(valid_values(dated(item))))
        return True

    async def keep(self, item: ThreadItem) -> None:
        """Save an item that the client completed and has on its screen already."""
        await run_to_completion(self._save(item, replace=True))

    async def _save(self, item: ThreadItem, replace: bool = False) -> None:
        context = self.turn.store_context
        if self._is_stored(item.id, replace):
            await self.store.save_item(self.turn.thread.id, item, context)
        else:
            await self.store.add_thread_item(self.turn.thread.id, item, context)
        await self.hooks.each("persist", turn=self.turn, item=item)
        await self._remove_superseded(item)
        self._note_saved(item)
        self.open.pop(item.id, None)

    def _is_stored(self, item_id: str, replaced: bool) -> bool:
        """Whether the store has an item: of this turn, or, if it is replaced, of an earlier one."""
        if item_id in self._earlier or any(item.id == item_id for item in self.saved):
            return True
        if not replaced or item_id in self.open:
            return False
        self._earlier.add(item_id)
        return True

    def _note_saved(self, item: ThreadItem) -> None:
        for index, known in enumerate(self.saved):
            if known.id == item.id:
                self.saved[index] = item
                return
        self.saved.append(item)

    async def _remove(self, item_id: str) -> None:
        was_open = self.open.pop(item_id, None) is not None
        if not was_open or any(item.id == item_id for item in self.saved):
            # ChatKit's SDK removes what was never an item too: the model's own of a tool call
            with suppress(NotFoundError):
                await self.store.delete_thread_item(
                    self.turn.thread.id, item_id, self.turn.store_context
                )
            self.saved = [item for item in self.saved if item.id != item_id]

    async def _remove_superseded(self, new: ThreadItem) -> None:
        if not answers(new):
            return
        while self._superseded:
            old = self._superseded[0]
            # A plugin may give every answer the same id: then the new one has replaced the old one
            if old.id != new.id:
                with suppress(NotFoundError):
                    await self.store.delete_thread_item(
                        self.turn.thread.id, old.id, self.turn.store_context
                    )
            del self._superseded[0]

    async def save_thread(self) -> None:
        """Save what the turn has changed in its thread, if anything, and tell the client."""
        saved, error = await self._thread.save()
        self._tell_thread(saved)
        if error is not None:
            raise error

    async def change_thread(self, change: Callable[[ThreadMetadata], None]) -> None:
        """Let `change` set fields of the thread as it is stored now, save it and tell the client.

        This works after the turn too, when no client is told.
        """
        await self.save_thread()
        self._tell_thread(await self._thread.change(change))

    def _tell_thread(self, thread: ThreadMetadata | None) -> None:
        if thread is not None and not self.log.ended:
            event = ThreadUpdatedEvent.model_construct(thread=as_thread(thread))
            self._write(self.wire.event(event))

    def _in_order(self, event: EventT) -> EventT:
        """Return an event whose item is of this thread, and later than the one before it.

        Some stores sort by that time alone, and keep it in milliseconds.
        """
        item = event.item
        known = self.open.get(item.id)
        if known is not None:
            time = known.created_at
        else:
            time = max(aware(item.created_at), self._last + TICK)
            time = self._last = self._threads.later(self.turn.thread.id, time)
        place = {"thread_id": self.turn.thread.id, "created_at": time}
        if item.created_at.tzinfo is not None and place.items() <= vars(item).items():
            return event
        return event.model_copy(update={"item": item.model_copy(update=place)})

    def _write(self, data: bytes | None) -> None:
        if data is not None:
            self.log.append(data)

    def _apply(self, item_id: str, update: ThreadItemUpdate) -> None:
        """Keep the open item as the client sees it."""
        item = self.open.get(item_id)
        if item is None:
            return
        if isinstance(update, AssistantMessageContentPartAdded | AssistantMessageContentPartDone):
            self._texts.pop((item_id, update.content_index), None)
        apply_update(item, update)


def answers(item: ThreadItem) -> bool:
    """Whether an item is a part of an answer, and not only of the way to it."""
    return not is_hidden(item) and not isinstance(item, WorkflowItem)


def is_visible(item: ThreadItem) -> bool:
    """Whether a user sees an answer in an item: a model's thoughts alone are none."""
    if isinstance(item, WorkflowItem) and item.workflow.type == "reasoning":
        return False
    return not is_hidden(item) and not shows_nothing(item)


def shows_nothing(item: ThreadItem) -> bool:
    """Whether an item that was cut off has nothing that a user could see."""
    match item:
        case AssistantMessageItem():
            return not any(content.text.strip() for content in item.content)
        case WorkflowItem():
            return not item.workflow.tasks
        case GeneratedImageItem():
            return item.image is None
    return False


def _failure(event: ErrorEvent) -> StreamFailed:
    code = event.code.value if isinstance(event.code, ErrorCode) else event.code
    return StreamFailed(code, event.message, allow_retry=event.allow_retry)
