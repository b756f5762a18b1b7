"""What a turn has for making items, beside what ChatKit's `AgentContext` has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from chatkit.agents import AgentContext
from chatkit.store import StoreItemType
from chatkit.types import (
    Annotation,
    ClientToolCallItem,
    EntitySource,
    FileSource,
    TaskItem,
    ThreadItemBase,
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

    def cite(self, source: URLSource | FileSource | EntitySource, index: int | None = None) -> None:
        """Add a source to the next message of the model in this turn.

        `index` is the place of its mark in the text. Without one, it is the end of the text.
        """
        self._cited.append(Annotation(source=source, index=index))

    def take_cited(self, text: str) -> list[Annotation]:
        """Return what was cited since the last message, for one with this text."""
        cited, self._cited = self._cited, []
        for annotation in cited:
            index = len(text) if annotation.index is None else annotation.index
            annotation.index = max(0, min(index, len(text)))
        return cited
