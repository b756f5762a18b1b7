"""What a ChatKit page shows: it folds the events of streams into the items of a conversation."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from chatkit.types import ThreadItem
from pydantic import TypeAdapter

Json = dict[str, Any]

ITEM: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)


class Folded:
    """The items that a page shows, by id, in their order; `done` are those that are complete."""

    def __init__(self, events: Iterable[Json] = ()) -> None:
        self.items: dict[str, Json] = {}
        self.done: dict[str, Json] = {}
        self.thread: Json = {}
        self.take(events)

    def take(self, events: Iterable[Json]) -> None:
        """Show what these events say."""
        for event in events:
            match event:
                case {"type": "thread.created" | "thread.updated", "thread": thread}:
                    self.thread = thread
                case {"type": "thread.item.added", "item": item}:
                    assert item["id"] not in self.items, f"added twice: {item}"
                    self._show(item)
                case {"type": "thread.item.done", "item": item}:
                    self._show(item)
                    self.done[item["id"]] = item
                case {"type": "thread.item.replaced", "item": item}:
                    assert item["id"] in self.items, f"replaces nothing: {item}"
                    self._show(item)
                    self.done[item["id"]] = item
                case {"type": "thread.item.removed", "item_id": item_id}:
                    self.items.pop(item_id, None)
                    self.done.pop(item_id, None)
                case {"type": "thread.item.updated", "item_id": item_id, "update": update}:
                    update_item(self.items[item_id], deepcopy(update))

    def _show(self, item: Json) -> None:
        ITEM.validate_python(item)
        self.items[item["id"]] = deepcopy(item)


def update_item(item: Json, update: Json) -> None:
    """Change an item as the page does. What does not fit raises an error."""
    kind = update["type"]
    match kind.split("."):
        case ["assistant_message", "content_part", "added"]:
            assert update["content_index"] == len(item["content"])
            item["content"].append(update["content"])
        case ["assistant_message", "content_part", "text_delta"]:
            item["content"][update["content_index"]]["text"] += update["delta"]
        case ["assistant_message", "content_part", "annotation_added"]:
            annotations = item["content"][update["content_index"]]["annotations"]
            annotations.insert(update["annotation_index"], update["annotation"])
        case ["assistant_message", "content_part", "done"]:
            item["content"][update["content_index"]] = update["content"]
        case ["workflow", "task", "added"]:
            item["workflow"]["tasks"].insert(update["task_index"], update["task"])
        case ["workflow", "task", "updated"]:
            item["workflow"]["tasks"][update["task_index"]] = update["task"]
        case ["generated_image", "updated"]:
            item["image"] = update["image"]
        case ["widget", "root", "updated"]:
            item["widget"] = update["widget"]
        case ["widget", "component", "updated"]:
            found = component(item["widget"], update["component_id"])
            found.clear()
            found.update(update["component"])
        case ["widget", "streaming_text", "value_delta"]:
            found = component(item["widget"], update["component_id"])
            found["value"] += update["delta"]
            if update["done"]:
                found["streaming"] = False
        case _:
            raise AssertionError(f"an unknown update: {kind}")


def components(widget: Any) -> Iterable[Json]:
    """Yield a widget's components, itself first."""
    if isinstance(widget, list):
        for each in widget:
            yield from components(each)
    elif isinstance(widget, dict):
        if "type" in widget:
            yield widget
        yield from components(widget.get("children", []))


def component(widget: Json, component_id: str) -> Json:
    """Return the component with this id."""
    [found] = [each for each in components(widget) if each.get("id") == component_id]
    return found


def unfinished(value: Any) -> list[Any]:
    """Return what a page shows as something in progress, of an item or of a part of it."""
    if isinstance(value, list):
        return [found for each in value for found in unfinished(each)]
    if not isinstance(value, dict):
        return []
    here = value.get("status_indicator") == "loading" or value.get("streaming") is True
    is_open = "tasks" in value and not value.get("summary")
    return [value] * (here or is_open) + [x for each in value.values() for x in unfinished(each)]
