"""Updates of items that are being written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from .items import ItemState, draw_item, tell_task, text_of

if TYPE_CHECKING:
    from .view import View

Update: TypeAlias = Mapping[str, Any]


def _part(view: View, state: ItemState, update: Update) -> None:
    """A part of a message begins, or is complete."""
    if state.is_done:
        return
    parts = state.item.setdefault("content", [])
    _put(parts, update["content_index"], dict(update["content"]))
    view.speak(state, text_of(state.item))


def _delta(view: View, state: ItemState, update: Update) -> None:
    if state.is_done:
        return
    parts = state.item.setdefault("content", [])
    index = update["content_index"]
    if index >= len(parts):
        _put(parts, index, {"type": "output_text", "text": "", "annotations": []})
    parts[index]["text"] += update["delta"]
    view.speak(state, text_of(state.item))


def _annotation(view: View, state: ItemState, update: Update) -> None:
    """A source is cited: it is shown below the message when that is complete."""
    parts = state.item.setdefault("content", [])
    if not state.is_done and update["content_index"] < len(parts):
        annotations = parts[update["content_index"]].setdefault("annotations", [])
        _put(annotations, update["annotation_index"], update["annotation"])


def _widget_text(view: View, state: ItemState, update: Update) -> None:
    component = _find(state.item.get("widget"), update["component_id"])
    if component is not None:
        component["value"] = f"{component.get('value') or ''}{update['delta']}"
    state.is_dirty = True


def _widget_root(view: View, state: ItemState, update: Update) -> None:
    state.item["widget"] = update["widget"]
    state.is_dirty = True


def _component(view: View, state: ItemState, update: Update) -> None:
    component = _find(state.item.get("widget"), update["component_id"])
    if component is not None:
        component.clear()
        component.update(update["component"])
    state.is_dirty = True


def _task(view: View, state: ItemState, update: Update) -> None:
    tasks = state.item["workflow"].setdefault("tasks", [])
    _put(tasks, update["task_index"], update["task"])
    if not state.is_done:
        tell_task(view, state, update["task_index"], update["task"])


def _image(view: View, state: ItemState, update: Update) -> None:
    state.item["image"] = update["image"]
    progress = update.get("progress")
    if progress is not None:
        view.sinks.aside(f"· drawing: {progress:.0%}")
    draw_item(view, state)


def _put(values: list[Any], index: int, value: Any) -> None:
    """Set a value of a list, which may be new at its end."""
    if index < len(values):
        values[index] = value
    else:
        values.append(value)


def _find(component: Any, id: str) -> dict[str, Any] | None:
    """Return the component with this id inside of another one."""
    if isinstance(component, list):
        found = (_find(each, id) for each in component)
        return next((each for each in found if each is not None), None)
    if not isinstance(component, dict):
        return None
    return component if component.get("id") == id else _find(component.get("children"), id)


UPDATES: dict[str, Callable[[View, ItemState, Update], None]] = {
    "assistant_message.content_part.added": _part,
    "assistant_message.content_part.annotation_added": _annotation,
    "assistant_message.content_part.done": _part,
    "assistant_message.content_part.text_delta": _delta,
    "generated_image.updated": _image,
    "widget.component.updated": _component,
    "widget.root.updated": _widget_root,
    "widget.streaming_text.value_delta": _widget_text,
    "workflow.task.added": _task,
    "workflow.task.updated": _task,
}
"""How each update changes its item; a test compares them with those of `chatkit.types`."""
