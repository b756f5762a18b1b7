"""A model's reasoning, shown as a workflow."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from chatkit.types import (
    ThoughtTask,
    ThreadItemAddedEvent,
    ThreadItemUpdate,
    ThreadItemUpdatedEvent,
    Workflow,
    WorkflowItem,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)

from ..events.recorder import Recorder
from ..turn import Turn

THOUGHT_INTERVAL = 0.1
"""Seconds between two updates of a thought: each has the task's full text so far."""

THOUGHT_SIZE = 1500
"""Characters of a task. A longer thought goes on in the next task, so that updates stay small."""

UPDATES_COST = 3
"""Characters that updates may have for each character of the reasoning."""

PART_COST = 100
"""Characters that a part counts as, besides its text: it is an event of its own."""


@dataclass
class _Task:
    """A task of the workflow: its place there, and the text in it."""

    place: int
    pieces: list[str] = field(default_factory=list)
    size: int = 0

    def has_room(self, text: str) -> bool:
        """Whether the text fits. A task that is half full ends with its paragraph."""
        if self.size > THOUGHT_SIZE // 2 and self.pieces[-1].endswith("\n"):
            return False
        return not self.size or self.size + len(text) <= THOUGHT_SIZE

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class ReasoningWriter:
    """A model's reasoning, shown in the open workflow: a task for each part, more for a long one.

    Without an open workflow, the first part opens one. `count` is called with the characters of
    each piece before it is kept.
    """

    def __init__(self, turn: Turn, recorder: Recorder, count: Callable[[int], None]) -> None:
        self.turn = turn
        self.recorder = recorder
        self.item: WorkflowItem | None = None
        self._count = count
        self._tasks: list[_Task] = []
        self._parts: dict[int, list[int]] = {}
        """The positions in `_tasks` of each part's tasks."""
        self._pending: int | None = None
        self._last_update = 0.0
        self._budget = 0

    @property
    def is_over(self) -> bool:
        """Whether something has ended the workflow that this reasoning is shown in."""
        return self.item is not None and self.item is not self.turn.open_workflow

    async def next(self, index: int) -> None:
        """Begin the part at this index, unless it has begun."""
        if index not in self._parts:
            self._count(PART_COST)
            self._parts[index] = [await self._new_task()]

    async def add(self, index: int, text: str) -> None:
        """Add text to the part at this index."""
        self._count(len(text))
        await self.next(index)
        for start in range(0, len(text), THOUGHT_SIZE):
            await self._add(self._parts[index], text[start : start + THOUGHT_SIZE])

    async def _add(self, positions: list[int], text: str) -> None:
        if not self._tasks[positions[-1]].has_room(text):
            positions.append(await self._new_task())
        position = positions[-1]
        task = self._tasks[position]
        task.pieces.append(text)
        task.size += len(text)
        self._budget += UPDATES_COST * len(text)
        if self._pending != position:
            await self._send_pending()
            self._pending = position
        waited = time.monotonic() - self._last_update
        if task.size <= self._budget and waited >= THOUGHT_INTERVAL:
            await self._send_pending()

    async def _new_task(self) -> int:
        await self._send_pending()
        item = self.item = self.item or await self._open()
        tasks, thought = item.workflow.tasks, ThoughtTask(content="")
        self._tasks.append(_Task(len(tasks)))
        tasks.append(thought)
        await self._update(item, WorkflowTaskAdded(task=thought, task_index=len(tasks) - 1))
        return len(self._tasks) - 1

    async def _open(self) -> WorkflowItem:
        """Return the open workflow, after showing it if it is new."""
        turn = self.turn
        item = turn.open_workflow
        if item is None:
            item = turn.open_workflow = WorkflowItem(
                id=turn.generate_id("workflow"),
                thread_id=turn.thread.id,
                # As ChatKit's helpers count: see `in_local_time`
                created_at=datetime.now(),
                workflow=Workflow(type="reasoning", tasks=[]),
            )
        if item.id not in self.recorder.open:
            await self.recorder.emit(ThreadItemAddedEvent.model_construct(item=item))
        return item

    async def finish(self, summaries: list[str]) -> None:
        """Show the rest of the reasoning. A summary replaces the text of the part at its index."""
        for index, text in enumerate(summaries):
            if text and self._text(index) != text:
                await self._send_pending()
                await self._replace(index, text)
        await self._send_pending()

    def _text(self, index: int) -> str:
        return "".join(self._tasks[position].text for position in self._parts.get(index, ()))

    async def _replace(self, index: int, text: str) -> None:
        self._count(len(text))
        await self.next(index)
        first, *others = self._parts[index]
        for position, shown in ((first, text), *((position, "") for position in others)):
            task = self._tasks[position]
            task.pieces, task.size = [shown], len(shown)
            self._pending = position
            await self._send_pending()

    async def _send_pending(self) -> None:
        if self._pending is None or self.item is None:
            return
        position, self._pending = self._pending, None
        task = self._tasks[position]
        self._last_update = time.monotonic()
        self._budget -= task.size
        thought = ThoughtTask(content=task.text)
        self.item.workflow.tasks[task.place] = thought
        await self._update(self.item, WorkflowTaskUpdated(task=thought, task_index=task.place))

    async def _update(self, item: WorkflowItem, update: ThreadItemUpdate) -> None:
        await self.recorder.emit(
            ThreadItemUpdatedEvent.model_construct(item_id=item.id, update=update)
        )
