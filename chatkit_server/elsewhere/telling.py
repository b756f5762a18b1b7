"""Tells a client of a turn what the stores have, and it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chatkit.types import (
    AssistantMessageItem,
    StreamOptions,
    StreamOptionsEvent,
    ThreadCreatedEvent,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadUpdatedEvent,
)

from ..events.log import AFTER_END
from ..events.threads import as_thread
from ..events.wire import Translate, WireFormat, is_hidden
from ..turn import Outcome
from ..turns.store import TurnRecord
from ..words import Words
from .saved import SavedTurn

WireOf = Callable[[TurnRecord], WireFormat]
"""Makes the wire format in which a turn answers."""


class Telling:
    """What one client was told of a turn by way of the stores; it has the events until `position`.

    Whatever it has seen, the lines of `of` leave it with what is stored. Items are told whole, and
    those that it may know replace what it knows. Only the text of an open message grows by pieces,
    while nothing else was told in between.
    """

    def __init__(self, make_wire: WireOf, translate: Translate, position: int) -> None:
        self.position = position
        self._make_wire = make_wire
        self._translate = translate
        self._wire: WireFormat | None = None
        self._done: dict[str, ThreadItem] = {}
        self._open: dict[str, ThreadItem] = {}
        self._tools = 0

    def passed(self, position: int) -> None:
        """Note that the client got events until this one from the turn itself."""
        self.position = max(self.position, position)
        self._wire = None

    def of(self, saved: SavedTurn) -> list[bytes]:
        """Return the lines that bring the client up to date."""
        lines: list[bytes | None] = []
        if self._wire is None or not self._continues(saved, self._wire):
            self._wire = self._make_wire(saved.record)
            self._done, self._open, self._tools = {}, {}, 0
            if self.position:
                lines.append(self._wire.again())
            lines += self._begin(saved, self._wire)
        lines += self._items(saved, self._wire)
        if saved.is_over:
            lines += self._end(saved, self._wire)
        self.position = AFTER_END if saved.is_over else max(self.position, saved.position)
        return [line for line in lines if line is not None]

    def _continues(self, saved: SavedTurn, wire: WireFormat) -> bool:
        """Whether what was told of open messages has only grown, where nothing can be replaced."""
        return wire.again() is None or all(
            _grown(known, item) is not None
            for item in (*saved.items, *saved.partial.items)
            if isinstance(known := self._open.get(item.id), AssistantMessageItem)
        )

    def _begin(self, saved: SavedTurn, wire: WireFormat) -> Iterator[bytes | None]:
        if saved.thread is not None:
            thread = as_thread(saved.thread)
            is_new = saved.record.operation == "threads.create" and not self.position
            kind = ThreadCreatedEvent if is_new else ThreadUpdatedEvent
            yield wire.event(kind.model_construct(thread=thread))
        options = StreamOptions(allow_cancel=saved.partial.allow_cancel)
        yield wire.event(StreamOptionsEvent(stream_options=options))

    def _items(self, saved: SavedTurn, wire: WireFormat) -> Iterator[bytes | None]:
        for item in saved.items:
            if self._done.get(item.id) != item:
                self._done[item.id] = item
                if wire.again() is not None and item.id in self._open:
                    yield from self._growth(item, wire)
                yield wire.event(ThreadItemDoneEvent.model_construct(item=item))
        for call, result in saved.partial.tools[self._tools :]:
            yield wire.tool(call, result)
        self._tools = max(self._tools, len(saved.partial.tools))
        stays = {item.id for item in saved.partial.items}
        for item_id in [id for id in self._open if id not in stays]:
            del self._open[item_id]
            if item_id not in self._done:
                yield wire.event(ThreadItemRemovedEvent(item_id=item_id))
        for item in saved.partial.items:
            yield from self._open_item(item, saved, wire)

    def _open_item(
        self, item: ThreadItem, saved: SavedTurn, wire: WireFormat
    ) -> Iterator[bytes | None]:
        known = self._open.get(item.id)
        self._open[item.id] = item
        if known is None:
            begun = saved.partial.begun.get(item.id, 0)
            is_new = begun > self.position or wire.again() is not None
            kind = ThreadItemAddedEvent if is_new else ThreadItemReplacedEvent
            yield wire.event(kind.model_construct(item=item))
        elif (grown := _grown(known, item)) is not None:
            for index, text in grown:
                yield wire.delta(item.id, index, text)
        elif known != item:
            yield wire.event(ThreadItemReplacedEvent.model_construct(item=item))

    def _growth(self, item: ThreadItem, wire: WireFormat) -> Iterator[bytes]:
        """Tell by how much an open message has grown, before it is told that it is done."""
        for index, text in _grown(self._open[item.id], item) or ():
            yield wire.delta(item.id, index, text)

    def _end(self, saved: SavedTurn, wire: WireFormat) -> list[bytes]:
        record, partial = saved.record, saved.partial
        assert record.state != "accepted"
        assert record.state != "running"
        outcome = Outcome(
            status=record.state,
            seconds=partial.seconds,
            items=[item for item in saved.items if not is_hidden(item)],
            tools=list(partial.tools),
            usage=partial.usage,
            model=partial.model or record.model,
            error=Words.stored(record.error) if record.error else None,
            allow_retry=True,
        )
        return wire.end(outcome, self._translate)


def _grown(known: ThreadItem, item: ThreadItem) -> list[tuple[int, str]] | None:
    """Return the texts by which an open message has grown, None if more has changed in it."""
    if not isinstance(known, AssistantMessageItem) or not isinstance(item, AssistantMessageItem):
        return None
    before, now = known.content, item.content
    if len(before) != len(now) or any(
        one.annotations != other.annotations or not other.text.startswith(one.text)
        for one, other in zip(before, now, strict=True)
    ):
        return None
    return [
        (index, other.text[len(one.text) :])
        for index, (one, other) in enumerate(zip(before, now, strict=True))
        if other.text != one.text
    ]
