"""What a turn has for making items, beside what ChatKit's `AgentContext` has."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from chatkit.agents import AgentContext
from chatkit.store import StoreItemType
from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ClientToolCallItem,
    EntitySource,
    FileSource,
    TaskItem,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemBase,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    URLSource,
    WorkflowItem,
)
from pydantic import PrivateAttr

ItemT = TypeVar("ItemT", bound=ThreadItemBase)

_ID_TYPES: Mapping[type[ThreadItemBase], StoreItemType] = {
    ClientToolCallItem: "tool_call",
    TaskItem: "task",
    WorkflowItem: "workflow",
}
"""For which type a store makes the ids of items: `message` for all others."""


class ItemMaker(AgentContext[Any]):
    """Makes items of the thread, and keeps what the next message is to cite."""

    _cited: list[Annotation] = PrivateAttr(default_factory=list)

    def new_item(self, kind: type[ItemT], /, **fields: Any) -> ItemT:
        """Return an item for this thread, with a new id: `turn.new_item(TaskItem, task=task)`.

        It is saved and shown when you send it: `turn.stream(ThreadItemDoneEvent(item=item))`.
        """
        made = {
            "id": self.generate_id(_ID_TYPES.get(kind, "message")),
            "thread_id": self.thread.id,
            "created_at": datetime.now(UTC),
        }
        return kind(**(made | fields))

    async def say(self, text: str | AsyncIterable[str]) -> AsyncIterator[ThreadStreamEvent]:
        """Yield the events of a message of the assistant, for `respond` and `action`.

        The user sees pieces of text as they come, and nothing of a message without any.
        """
        empty = [AssistantMessageContent(text="")]
        item = self.new_item(AssistantMessageItem, content=empty)
        said: list[str] = []
        async for piece in _pieces(text):
            if not said:
                yield ThreadItemAddedEvent(item=item)
            said.append(piece)
            update = AssistantMessageContentPartTextDelta(content_index=0, delta=piece)
            yield ThreadItemUpdatedEvent(item_id=item.id, update=update)
        if said:
            whole = [AssistantMessageContent(text="".join(said))]
            yield ThreadItemDoneEvent(item=item.model_copy(update={"content": whole}))

    def cite(self, source: URLSource | FileSource | EntitySource, index: int | None = None) -> None:
        """Add a source to the next message of the assistant in this turn.

        `index` is the place of its mark in the text. Without one, it is the end of the text.
        """
        self._cited.append(Annotation(source=source, index=index))

    def with_cited(self, item: ThreadItem, *, done: bool = False) -> ThreadItem:
        """Return a message with what was cited since the last one; other items as they are.

        With `done`, the next message begins without these sources.
        """
        if not self._cited or not isinstance(item, AssistantMessageItem) or not item.content:
            return item
        *others, last = item.content
        marks = [_placed(annotation, last.text) for annotation in self._cited]
        if done:
            self._cited = []
        last = last.model_copy(update={"annotations": [*last.annotations, *marks]})
        return item.model_copy(update={"content": [*others, last]})

    def forget_cited(self) -> None:
        """Cite nothing: the answer is taken back."""
        self._cited = []


async def _pieces(text: str | AsyncIterable[str]) -> AsyncIterator[str]:
    if isinstance(text, str):
        yield text
        return
    async for piece in text:
        if piece:
            yield piece


def _placed(annotation: Annotation, text: str) -> Annotation:
    """Return an annotation with its place in a text: without one, it is the end."""
    index = len(text) if annotation.index is None else annotation.index
    return annotation.model_copy(update={"index": max(0, min(index, len(text)))})
