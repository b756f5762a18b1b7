"""Workflows as a turn shows them: one at a time, and each with an end."""

from __future__ import annotations

from datetime import datetime

from chatkit.types import (
    DurationSummary,
    Task,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    Workflow,
    WorkflowItem,
    WorkflowSummary,
)
from pydantic import PrivateAttr

from .turn_items import ItemMaker


class WorkflowShower(ItemMaker):
    """Shows one workflow at a time. One that another item has ended can still be changed."""

    _ended_workflow: WorkflowItem | None = PrivateAttr(default=None)

    async def start_workflow(self, workflow: Workflow) -> None:
        """Show a workflow, which ends the one that is open."""
        await self.end_workflow()
        await super().start_workflow(workflow)

    async def update_workflow_task(self, task: Task, task_index: int) -> None:
        """Change a task of the open workflow, or of the one that another item has ended."""
        ended = self._ended_workflow
        if self.workflow_item is not None or ended is None:
            await super().update_workflow_task(task, task_index)
            return
        ended.workflow.tasks[task_index] = task
        await self.stream(ThreadItemReplacedEvent(item=ended))

    async def end_workflow(
        self, summary: WorkflowSummary | None = None, expanded: bool = False
    ) -> None:
        """End the open workflow with this summary, with its own, or with the time that it took.

        One that another item has ended gets the summary.
        """
        if self.workflow_item is not None:
            item, self.workflow_item = self.workflow_item, None
            self._ended_workflow = item
            await self.stream(ended_workflow(item, summary, expanded))
            if self._ended_workflow is item:
                self._ended_workflow = None
        elif self._ended_workflow is not None and summary is not None:
            ended, self._ended_workflow = self._ended_workflow, None
            ended.workflow.summary, ended.workflow.expanded = summary, expanded
            await self.stream(ThreadItemReplacedEvent(item=ended))


def ended_workflow(
    item: WorkflowItem, summary: WorkflowSummary | None = None, expanded: bool = False
) -> ThreadItemDoneEvent:
    """End a workflow with this summary, its own, or the time that it took; return the event."""
    workflow = item.workflow
    if summary is not None or workflow.summary is None:
        workflow.summary = summary or time_since(item.created_at)
    workflow.expanded = expanded
    return ThreadItemDoneEvent.model_construct(item=item)


def time_since(start: datetime) -> DurationSummary:
    """Return the seconds since a time as the summary of a workflow. Without a zone, it is local."""
    passed = datetime.now(start.tzinfo) - start
    return DurationSummary(duration=max(0, int(passed.total_seconds())))
