"""The workflow that is open in a turn, by the rules of ChatKit's SDK.

A tool, a hook or the model's reasoning opens it. While it is open, reasoning and the tasks of tools
go into it. It ends before the next message or other visible item, so it stands above the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatkit.types import (
    ClientToolCallItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    WorkflowItem,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)

from ..events.recorder import Recorder
from ..events.wire import is_hidden
from ..paging import dated
from ..text import valid_text
from ..turn import Turn
from ..turn_workflows import ended_workflow, time_since
from .reasoning import ReasoningWriter

_LAST = 10
"""Items at the end of a thread among which those of an open workflow are, with hidden ones."""


class OpenWorkflow:
    """Opens and ends a turn's workflow, `turn.open_workflow`.

    `count` is called with the characters of each piece of reasoning before it is kept.
    """

    def __init__(self, turn: Turn, recorder: Recorder, count: Callable[[int], None]) -> None:
        self.turn = turn
        self.recorder = recorder
        self._count = count
        self._reasoning: ReasoningWriter | None = None

    async def stream(self, event: ThreadStreamEvent) -> None:
        """Send an event of a tool or hook. An item that comes after the workflow ends it."""
        match event:
            case ThreadItemAddedEvent() | ThreadItemDoneEvent():
                await self._make_way(event)
            case ThreadItemUpdatedEvent(update=WorkflowTaskAdded() | WorkflowTaskUpdated()):
                event = self._followed(event)
        await self.recorder.emit(event)

    async def answer(self, event: ThreadStreamEvent) -> None:
        """Send an event with which a hook answers. An item that comes after the workflow ends it.

        ChatKit's `stream_agent_response` has changed the workflow already, and may be further.
        """
        match event:
            case ThreadItemAddedEvent() | ThreadItemDoneEvent():
                await self._make_way(event)
            case ThreadItemUpdatedEvent(
                update=WorkflowTaskAdded() | WorkflowTaskUpdated() as update
            ):
                current = self.turn.open_workflow
                if current is not None and current.id == event.item_id:
                    tasks, place = current.workflow.tasks, update.task_index
                    if isinstance(update, WorkflowTaskAdded):
                        if place == len(tasks):
                            tasks.append(update.task)
                    elif place < len(tasks):
                        tasks[place] = update.task
        await self.recorder.emit(event)

    @property
    def has_reasoning(self) -> bool:
        """Whether the model is in the middle of its reasoning."""
        return self._reasoning is not None

    def reasoning(self) -> ReasoningWriter:
        """Return the writer of the current reasoning, a new one if there is none."""
        if self._reasoning is None or self._reasoning.is_over:
            self._reasoning = ReasoningWriter(self.turn, self.recorder, self._count)
        return self._reasoning

    async def end_reasoning(self, reasoning: Any = None) -> None:
        """Show the rest of the current reasoning, as its item has it. The workflow stays open."""
        writer, self._reasoning = self._reasoning, None
        if writer is not None:
            summary = getattr(reasoning, "summary", [])
            await writer.finish([valid_text(part.text) for part in summary])

    async def end(self) -> None:
        """End the workflow, if one is open: something that stands below it comes."""
        await self.end_reasoning()
        ended = self.turn.close_workflow()
        if ended is not None:
            await self.recorder.emit(ended)

    async def keep(self) -> None:
        """Save the workflow as it is: it goes on in the turn after a client tool's output."""
        await self.end_reasoning()
        if self.turn.open_workflow is not None:
            await self.recorder.finish(self.turn.open_workflow)

    async def close(self) -> None:
        """End the workflow of an answer that is complete, or keep it for a client tool's output."""
        newest = [item for item in self.recorder.saved if not is_hidden(item)][-1:]
        if newest and isinstance(newest[0], ClientToolCallItem) and newest[0].status == "pending":
            await self.keep()
        else:
            await self.end()

    async def resume(self) -> None:
        """Go on with the workflow of the turn before, if its thread ends with one.

        It is the last item, or the last before a client tool call.
        """
        turn = self.turn
        page = await turn.store.load_thread_items(
            turn.thread.id, None, _LAST, "desc", turn.store_context
        )
        newest = [dated(item) for item in page.data if not is_hidden(item)]
        if newest and isinstance(newest[0], ClientToolCallItem):
            del newest[0]
        if newest and isinstance(newest[0], WorkflowItem):
            self.recorder.reopen(newest[0])
            turn.open_workflow = newest[0].model_copy(deep=True)

    def give_back(self) -> None:
        """End a workflow of the turn before as it was then: a guardrail has refused this turn."""
        for item in self.recorder.reopened.values():
            if isinstance(item, WorkflowItem) and item.workflow.summary is None:
                item.workflow.summary = time_since(item.created_at)

    async def _make_way(self, event: ThreadItemAddedEvent | ThreadItemDoneEvent) -> None:
        item, current = event.item, self.turn.open_workflow
        if current is not None and current.id != item.id:
            if not isinstance(item, ClientToolCallItem) and not is_hidden(item):
                await self.end()
        elif isinstance(item, WorkflowItem) and isinstance(event, ThreadItemDoneEvent):
            await self.end_reasoning()
            self.turn.open_workflow = None
        if isinstance(item, WorkflowItem) and isinstance(event, ThreadItemAddedEvent):
            await self._end_others(item)
            self.turn.open_workflow = item

    async def _end_others(self, new: WorkflowItem) -> None:
        """End the workflow before a new one: ChatKit's `start_workflow` does not.

        Another tool may be ending it at the moment.
        """
        ending = self.turn._ended_workflow
        known = {new.id} if ending is None else {new.id, ending.id}
        for item in list(self.recorder.open.values()):
            if isinstance(item, WorkflowItem) and item.id not in known:
                await self.end_reasoning()
                await self.recorder.emit(ended_workflow(item))

    def _follow(self, event: ThreadItemUpdatedEvent) -> None:
        """Change the open workflow as the client does, unless it is further already."""
        current, update = self.turn.open_workflow, event.update
        if current is None or current.id != event.item_id:
            return
        tasks = current.workflow.tasks
        if isinstance(update, WorkflowTaskAdded) and update.task_index == len(tasks):
            tasks.append(update.task)
        elif isinstance(update, WorkflowTaskUpdated) and update.task_index < len(tasks):
            tasks[update.task_index] = update.task

    def _followed(self, event: ThreadItemUpdatedEvent) -> ThreadItemUpdatedEvent:
        """Keep `turn.open_workflow` as the client sees it, and return the event with its place.

        ChatKit's helpers have changed it already. They send the place of the first task that is
        equal; a tool that sends its own events changes nothing itself.
        """
        current, update = self.turn.open_workflow, event.update
        if current is None or current.id != event.item_id:
            return event
        tasks = current.workflow.tasks
        places = [place for place, task in enumerate(tasks) if task is getattr(update, "task", 0)]
        if isinstance(update, WorkflowTaskAdded) and not places:
            tasks.insert(update.task_index, update.task)
        elif isinstance(update, WorkflowTaskAdded):
            update = update.model_copy(update={"task_index": places[-1]})
            return event.model_copy(update={"update": update})
        elif isinstance(update, WorkflowTaskUpdated) and not places:
            tasks[update.task_index] = update.task
        return event
