"""Saves what is left of a turn whose process died."""

from __future__ import annotations

import logging
from contextlib import aclosing, suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from chatkit.store import NotFoundError, Store
from chatkit.types import (
    AssistantMessageItem,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
    WorkflowItem,
)

from ..agent.memory import build_memory
from ..errors import RequestNeeded
from ..events.partial import PartialAnswer
from ..events.places import news, place_of_thread
from ..events.recorder import answers, shows_nothing
from ..events.settling import is_running, settled
from ..events.shared import EventLog, NoEventLog
from ..events.threads import ThreadWriter
from ..events.turn_thread import TurnThread
from ..plugin.calls import Hooks
from ..records import log_error, repeats
from ..turn import EndState, Outcome, StoreContext, Turn
from ..words import words
from .store import TurnRecord, TurnStore
from .unsaved import Continued, events_after
from .view import StoreView

log = logging.getLogger(__name__)

INTERRUPTED = words("The server stopped before the answer was complete.")
MOST_ATTEMPTS = 100
"""Attempts to save what a turn left. After these it is given up, to free its thread."""

_LATEST = 50


@dataclass(frozen=True)
class Leftover:
    """How a turn ended whose record still says that it runs. The default: its process died.

    `post_turn_called` says that its `post_turn` hooks have run already.
    """

    status: EndState = "interrupted"
    message: str | None = INTERRUPTED
    post_turn_called: bool = False


class Recovery:
    """Ends turns of dead processes. No model and no tool is called again.

    It may be interrupted at any point and repeated by another process: every item it saves has the
    id that the turn would have given it.
    """

    def __init__(
        self,
        turn_store: TurnStore,
        store: Store[StoreContext],
        hooks: Hooks,
        threads: ThreadWriter,
        events: EventLog | None = None,
    ) -> None:
        self._turn_store = turn_store
        self._store = store
        self._hooks = hooks
        self._threads = threads
        self._events = events or NoEventLog()

    async def end(
        self, record: TurnRecord, attempt: int, leftover: Leftover, given: Any = None
    ) -> None:
        """Save what a turn said and did not save, as this attempt, and record its end.

        `given` is the context of a later request of its user, if there is one. Raises what the
        stores raise; its record then still says that the turn runs.
        """
        context = StoreContext(record.user, record.id, attempt, context=given)
        partial = _load(record)
        # Older attempts can say nothing more, and followers wait for the turn store to say it too
        self._events.end(record.id, attempt, leftover.status)
        turn, changes, saved = None, None, []
        try:
            thread = await self._store.load_thread(record.thread_id, context)
            if thread is None:
                raise NotFoundError(record.thread_id)
            if leftover.status != "completed" and not partial.withdrawn:
                partial = await self._continued(record, partial, context)
            turn = self._turn(record, partial, thread, context)
            changes = TurnThread(turn, self._threads)
            turn._change_thread = changes.change
            saved = await self._save(turn, partial, leftover)
        except NotFoundError:
            what = "nothing of its conversation is stored"
            log.info(f"turn %s: {what}", record.id, extra=repeats(what, "turn", record.id))
        except RequestNeeded:
            raise
        except Exception as error:
            if attempt < MOST_ATTEMPTS:
                raise
            log_error(log, logging.ERROR, error, "turn %s: gave up saving what it said", record.id)
        ended = await self._turn_store.end(
            record.id, attempt, leftover.status, leftover.message, partial.summary().dump()
        )
        if not ended:
            return
        place = place_of_thread(record.user, record.thread_id)
        self._events.tell(place, news("ended", record.id))
        _log_end(record, leftover)
        if turn is not None and changes is not None and not leftover.post_turn_called:
            outcome = _outcome(record, partial, saved, leftover)
            changes.is_over = True
            await self._hooks.each_isolated("post_turn", turn=turn, outcome=outcome)
            await _save_last(turn, changes)

    async def _continued(
        self, record: TurnRecord, partial: PartialAnswer, context: StoreContext
    ) -> PartialAnswer:
        """Return a partial answer with what was said after it. Raises what the store raises."""
        continued = Continued(record, partial)
        try:
            async with aclosing(events_after(self._events, record, partial)) as lines:
                async for line in lines:
                    continued.apply(line)
        except Exception as error:
            what = "what it said since its last heartbeat cannot be read"
            again = repeats(f"{what}: {type(error).__name__}", "turn", record.id)
            log_error(log, logging.WARNING, error, f"turn %s: {what}", record.id, extra=again)
        if continued.text:
            thread_id, old = record.thread_id, {*partial.saved, *partial.superseded}
            page = await self._store.load_thread_items(thread_id, None, _LATEST, "desc", context)
            since = takewhile(lambda item: not isinstance(item, UserMessageItem), page.data)
            new = [item for item in since if item.id not in old]
            continued.tell([i for i in reversed(new) if isinstance(i, AssistantMessageItem)])
        return continued.whole

    def _turn(
        self,
        record: TurnRecord,
        partial: PartialAnswer,
        thread: ThreadMetadata,
        context: StoreContext,
    ) -> Turn:
        turn = Turn(
            id=record.id,
            thread=thread,
            store=StoreView(self._store, context),
            request_context=context if context.context is None else context.context,
            user=record.user,
            operation=record.operation,
            model=partial.model or record.model,
        )
        turn.store_context = context
        turn._catalogs = self._hooks.languages
        return turn

    async def _save(
        self, turn: Turn, partial: PartialAnswer, leftover: Leftover
    ) -> list[ThreadItem]:
        """Save what is missing, and return all items of the turn in their order."""
        items: dict[str, ThreadItem] = {}
        for item_id in partial.saved:
            found = await self._found(turn, item_id)
            if found is not None:
                items[item_id] = found
        asked = [item for item in items.values() if isinstance(item, UserMessageItem)]
        turn.message = asked[-1] if asked else None
        if leftover.status == "completed":
            # It saved everything; the partial answer is from a little earlier
            return list(items.values())
        for item_id in partial.withdrawn:
            with suppress(NotFoundError):
                await self._store.delete_thread_item(turn.thread.id, item_id, turn.store_context)
        for item in [item for item in items.values() if is_running(item)]:
            items[item.id] = await self._put(turn, settled(item, partial.seconds), is_new=False)
        for item in self._remains(turn, partial, leftover):
            found = await self._found(turn, item.id)
            if found is None or _goes_on(found, partial):
                found = await self._put(turn, item, is_new=found is None)
            items[item.id] = found
        await self._finish_retry(turn, partial)
        return list(items.values())

    def _remains(self, turn: Turn, partial: PartialAnswer, leftover: Leftover) -> list[ThreadItem]:
        items = [settled(i, partial.seconds) for i in partial.items if not shows_nothing(i)]
        said_something = bool(partial.entries or partial.messages or partial.tools)
        memory = build_memory(
            turn.id,
            str(turn.model) if partial.memory_model is None else partial.memory_model,
            partial.entries,
            partial.messages,
            partial.tools,
            cut_off=leftover.message if said_something else None,
            agent=partial.agent,
        )
        return [*items, memory.as_item(turn.thread.id)] if memory is not None else items

    async def _found(self, turn: Turn, item_id: str) -> ThreadItem | None:
        try:
            return await self._store.load_item(turn.thread.id, item_id, turn.store_context)
        except NotFoundError:
            return None

    async def _put(self, turn: Turn, item: ThreadItem, is_new: bool) -> ThreadItem:
        save = self._store.add_thread_item if is_new else self._store.save_item
        await save(turn.thread.id, item, turn.store_context)
        await self._hooks.each_isolated("persist", turn=turn, item=item)
        return item

    async def _finish_retry(self, turn: Turn, partial: PartialAnswer) -> None:
        """Remove the old answer if any part of the new one was saved."""
        if not partial.superseded:
            return
        thread_id, context = turn.thread.id, turn.store_context
        page = await self._store.load_thread_items(thread_id, None, _LATEST, "desc", context)
        messages = (item.id for item in page.data if isinstance(item, UserMessageItem))
        old = {*partial.superseded, *messages}
        if not any(answers(item) for item in takewhile(lambda i: i.id not in old, page.data)):
            return
        for item_id in partial.superseded:
            with suppress(NotFoundError):
                await self._store.delete_thread_item(thread_id, item_id, context)


async def _save_last(turn: Turn, changes: TurnThread) -> None:
    """Save what the hooks have changed in the thread."""
    try:
        await changes.save_all()
    except Exception as error:
        what = "the last changes of its thread could not be saved"
        again = repeats(f"{what}: {type(error).__name__}", "turn", turn.id)
        log_error(log, logging.WARNING, error, f"turn %s: {what}", turn.id, extra=again)


def _goes_on(found: ThreadItem, partial: PartialAnswer) -> bool:
    """Whether an open item is of the turn before, which has saved something else of it."""
    if not isinstance(found, WorkflowItem):
        return False
    return found.workflow.summary is None or bool(partial.withdrawn)


def _log_end(record: TurnRecord, leftover: Leftover) -> None:
    if leftover.post_turn_called:
        text = "turn %s: its end is recorded now: %s"
        again = repeats(f"ends of turns are recorded now: {leftover.status}", "turn", record.id)
    else:
        text = "recovered turn %s of a dead process: %s"
        again = repeats(f"recovered from a dead process: {leftover.status}", "turn", record.id)
    log.warning(text, record.id, leftover.status, extra=again)


def _load(record: TurnRecord) -> PartialAnswer:
    try:
        return PartialAnswer.load(record.partial)
    except Exception as error:
        # Another version of the server may have written it
        what = "its partial answer cannot be read"
        again = repeats(f"{what}: {type(error).__name__}", "turn", record.id)
        log_error(log, logging.ERROR, error, f"turn %s: {what}", record.id, extra=again)
        return PartialAnswer()


def _outcome(
    record: TurnRecord, partial: PartialAnswer, items: list[ThreadItem], leftover: Leftover
) -> Outcome:
    return Outcome(
        status=leftover.status,
        seconds=partial.seconds,
        items=items,
        tools=list(partial.tools),
        usage=partial.usage,
        model=partial.model or record.model,
        error=leftover.message,
        allow_retry=True,
        first_token=partial.first_token,
        agent=partial.agent,
    )
