"""What a page shows of a conversation, as strictly as the events mean it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any


class Page:
    """Applies the events of ChatKit to what is shown; an event that does not fit is an error."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.thread: dict[str, Any] | None = None
        self.errors: list[str] = []

    def show(self, *events: dict[str, Any]) -> Page:
        """Apply events, and return the page."""
        for event in deepcopy(events):
            self._apply(event)
        return self

    def _apply(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "thread.created":
                assert self.thread is None, "the thread is created twice"
                self.thread = event["thread"]
            case "thread.updated":
                self.thread = event["thread"]
            case "thread.item.added":
                assert event["item"]["id"] not in self.items, "an item is added twice"
                self.items[event["item"]["id"]] = event["item"]
            case "thread.item.done":
                self.items[event["item"]["id"]] = event["item"]
            case "thread.item.replaced":
                assert event["item"]["id"] in self.items, "an unknown item is replaced"
                self.items[event["item"]["id"]] = event["item"]
            case "thread.item.removed":
                del self.items[event["item_id"]]
            case "thread.item.updated":
                self._update(self.items[event["item_id"]], event["update"])
            case "error":
                self.errors.append(event["message"])
            case "stream_options" | "progress_update":
                pass
            case other:
                raise AssertionError(f"{other} is not shown")

    def _update(self, item: dict[str, Any], update: dict[str, Any]) -> None:
        match update["type"]:
            case "assistant_message.content_part.added":
                assert update["content_index"] == len(item["content"])
                item["content"].append(dict(update["content"]))
            case "assistant_message.content_part.text_delta":
                item["content"][update["content_index"]]["text"] += update["delta"]
            case "assistant_message.content_part.done":
                item["content"][update["content_index"]] = update["content"]
            case other:
                raise AssertionError(f"{other} is not shown")

    @property
    def texts(self) -> list[str]:
        """The texts of the messages, in the order in which they are shown."""
        shown = sorted(self.items.values(), key=lambda item: str(item["created_at"]))
        messages = [item for item in shown if "content" in item]
        return ["".join(part["text"] for part in item["content"]) for item in messages]
