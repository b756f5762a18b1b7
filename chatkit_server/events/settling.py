"""Items of a turn that was cut off: nothing of them is in progress any more."""

from __future__ import annotations

from typing import Any

from chatkit.types import (
    DurationSummary,
    Task,
    TaskItem,
    ThreadItem,
    WidgetItem,
    WorkflowItem,
)

from ..turn_workflows import time_since


def settled(item: ThreadItem, seconds: float | None = None) -> ThreadItem:
    """Return an item without anything that a page would show as in progress for ever.

    A task that was loading is neither, a workflow has a summary, and no text of a widget streams.
    `seconds` is the most that a workflow can have taken. An item that is settled is returned as it
    is; others are copied, as their tool may still hold them.
    """
    match item:
        case WorkflowItem():
            return _settled_workflow(item, seconds)
        case TaskItem(task=task) if _is_loading(task):
            return item.model_copy(update={"task": _stopped(task)})
        case WidgetItem():
            widget = _still(item.widget)
            return item if widget is item.widget else item.model_copy(update={"widget": widget})
    return item


def is_running(item: ThreadItem) -> bool:
    """Whether something of an item is shown as in progress.

    A workflow that has no summary may still be saved so: it goes on in the next turn.
    """
    match item:
        case WorkflowItem():
            return any(map(_is_loading, item.workflow.tasks))
        case TaskItem() | WidgetItem():
            return settled(item) is not item
    return False


def _settled_workflow(item: WorkflowItem, seconds: float | None) -> WorkflowItem:
    workflow, changes = item.workflow, dict[str, Any]()
    if is_running(item):
        changes["tasks"] = [_stopped(task) for task in workflow.tasks]
    if workflow.summary is None:
        taken = time_since(item.created_at).duration
        most = taken if seconds is None else min(taken, int(seconds))
        changes["summary"] = DurationSummary(duration=most)
    if not changes:
        return item
    return item.model_copy(update={"workflow": workflow.model_copy(update=changes)})


def _is_loading(task: Task) -> bool:
    return task.status_indicator == "loading"


def _stopped(task: Task) -> Task:
    return task.model_copy(update={"status_indicator": "none"}) if _is_loading(task) else task


def _still(component: Any) -> Any:
    """Return a component none of whose texts streams; itself if that is so already."""
    children = getattr(component, "children", None)
    changes: dict[str, Any] = {}
    if isinstance(children, list):
        still = [_still(child) for child in children]
        if any(new is not old for new, old in zip(still, children, strict=True)):
            changes["children"] = still
    elif children is not None and (only := _still(children)) is not children:
        changes["children"] = only
    if getattr(component, "streaming", None) is True:
        changes["streaming"] = False
    return component.model_copy(update=changes) if changes else component
