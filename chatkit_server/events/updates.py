"""What an update of an item does to the item; the text of a message is the recorder's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageItem,
    GeneratedImageItem,
    GeneratedImageUpdated,
    ThreadItem,
    ThreadItemUpdate,
    WidgetComponentUpdated,
    WidgetItem,
    WidgetRootUpdated,
    WidgetStreamingTextValueDelta,
    WorkflowItem,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)


def apply_update(item: ThreadItem, update: ThreadItemUpdate) -> None:
    """Change an item as the client changes what it shows."""
    match item, update:
        case AssistantMessageItem(), (
            AssistantMessageContentPartAdded() | AssistantMessageContentPartDone()
        ):
            content_at(item, update.content_index)
            # A copy: text and annotations are added to it
            content = update.content.model_copy()
            content.annotations = list(content.annotations)
            item.content[update.content_index] = content
        case AssistantMessageItem(), AssistantMessageContentPartAnnotationAdded():
            content_at(item, update.content_index).annotations.append(update.annotation)
        case WorkflowItem(), WorkflowTaskAdded():
            item.workflow.tasks.insert(update.task_index, update.task)
        case WorkflowItem(), WorkflowTaskUpdated():
            item.workflow.tasks[update.task_index] = update.task
        case GeneratedImageItem(), GeneratedImageUpdated():
            item.image = update.image
        case WidgetItem(), WidgetRootUpdated():
            item.widget = update.widget
        case WidgetItem(), WidgetComponentUpdated():
            item.widget = _changed(item.widget, update.component_id, lambda _: update.component)
        case WidgetItem(), WidgetStreamingTextValueDelta():
            item.widget = _changed(item.widget, update.component_id, lambda c: _longer(c, update))


def content_at(item: AssistantMessageItem, index: int) -> AssistantMessageContent:
    """Return a part of a message, which gets empty parts until it has one at this index."""
    while len(item.content) <= index:
        item.content.append(AssistantMessageContent(text=""))
    return item.content[index]


def _changed(component: Any, component_id: str, change: Callable[[Any], Any]) -> Any:
    """Return a widget's component with the one of this id changed.

    What changes is copied: the tool that made the widget may use it again.
    """
    if getattr(component, "id", None) == component_id:
        return change(component)
    children = getattr(component, "children", None)
    if not children:
        return component
    if not isinstance(children, list):
        changed: Any = _changed(children, component_id, change)
    else:
        changed = [_changed(child, component_id, change) for child in children]
    return component.model_copy(update={"children": changed})


def _longer(component: Any, update: WidgetStreamingTextValueDelta) -> Any:
    value = f"{getattr(component, 'value', None) or ''}{update.delta}"
    changes = {"value": value} | ({"streaming": False} if update.done else {})
    return component.model_copy(update=changes)
