"""What the user sees of a conversation: its events and items become text, each part once."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from .items import ItemState, Sinks, draw_item
from .screen import RED, YELLOW, in_line
from .updates import UPDATES
from .widgets import Choice, WidgetDrawing

SHOWN_END = 20
"""Characters that show where a text was cut off."""

Event: TypeAlias = Mapping[str, Any]


class View:
    """Draws an open conversation as its events come, on the screens of `sinks`.

    Only what is new is written: an item that comes again, after a lost connection or a reload, is
    not repeated, and a text that has begun goes on. `choices` are what the user can press, by their
    numbers; `fresh` are those of the last answer. `save` keeps a picture and returns where.
    """

    def __init__(self, sinks: Sinks, save: Callable[[str, str], str]) -> None:
        self.sinks = sinks
        self.save = save
        self.clear()

    def clear(self) -> None:
        """Begin with another conversation."""
        self.thread_id: str | None = None
        self.title: str | None = None
        self.items: dict[str, ItemState] = {}
        self.choices: dict[int, Choice] = {}
        self.fresh: set[int] = set()
        self.error: Event | None = None
        self.sent: str | None = None
        self._speaking: str | None = None
        self._last_number = 0

    def begin(self, sent: str | None = None) -> None:
        """Expect an answer; the text that the user has `sent` is not shown again."""
        self.fresh = set()
        self.error = None
        self.sent = sent
        self._speaking = None

    def take(self, event: Event) -> None:
        """Show an event."""
        show = EVENTS.get(str(event.get("type")), View._other)
        with self._surviving(event):
            show(self, event)

    def end(self) -> None:
        """Show what has waited for the end of the answer."""
        for state in self.items.values():
            if state.is_dirty:
                with self._surviving(state.item):
                    self.draw(state)
        self.sinks.say.fresh()

    @contextmanager
    def _surviving(self, given: Event) -> Iterator[None]:
        """Go on after what is not as ChatKit's types say: the server may be any."""
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
            self.sinks.aside(f"· {in_line(given.get('type'))}: not as expected, and left out")

    def show(self, item: Mapping[str, Any]) -> None:
        """Show an item as it is now, as far as it was not shown before."""
        state = self.items.get(item["id"])
        if state is None:
            state = self.items[item["id"]] = ItemState(dict(item))
        elif state.item != item or not state.is_done:
            state.item = dict(item)
        elif not state.is_dirty:
            return
        state.is_done = True
        self.thread_id = self.thread_id or item.get("thread_id")
        self.draw(state)

    def draw(self, state: ItemState) -> None:
        """Draw an item, or what of it is new."""
        state.is_dirty = False
        if state.item["type"] != "assistant_message":
            self._speaking = None
        draw_item(self, state)

    @property
    def waiting(self) -> list[dict[str, Any]]:
        """The items that wait for the user: questions, and calls of client tools."""
        kinds = ("structured_input", "client_tool_call")
        items = [state.item for state in self.items.values()]
        return [i for i in items if i["type"] in kinds and i.get("status") == "pending"]

    def last(self, kind: str) -> dict[str, Any] | None:
        """The latest item of a type."""
        found = [state.item for state in self.items.values() if state.item["type"] == kind]
        return found[-1] if found else None

    def forget_after(self, item_id: str) -> None:
        """Forget what comes after an item: another answer takes its place."""
        ids = list(self.items)
        for id in ids[ids.index(item_id) + 1 :]:
            del self.items[id]
            self._forget_choices(id)

    def _forget_choices(self, item_id: str) -> None:
        for number in [n for n, c in self.choices.items() if c.item["id"] == item_id]:
            del self.choices[number]
            self.fresh.discard(number)

    # For the drawing of items

    def speak(self, state: ItemState, text: str) -> None:
        """Write what is new of a text that grows; say so if it is another text by now."""
        if text.startswith(state.said):
            new = text[len(state.said) :]
        elif state.said.startswith(text):
            if state.is_done:
                state.said = text
                end = in_line(text[-SHOWN_END:])
                self.sinks.aside(f"(of the text above, only the part up to “{end}” is saved)")
            return
        else:
            self.sinks.aside("(the text above has been replaced)")
            new = text
        if not new:
            return
        if self._speaking != state.item["id"]:
            self.sinks.say.fresh()
            if self._speaking is not None:
                self.sinks.say.line()
            self._speaking = state.item["id"]
        state.said = text
        self.sinks.say.stream(new)

    def draw_widget(self, state: ItemState) -> None:
        """Draw a widget; a new drawing has new numbers, and those of the old one end."""
        self._forget_choices(state.item["id"])
        drawn = WidgetDrawing(state.item, self._number).lines()
        for line in "\n".join(drawn).split("\n") if drawn else []:
            self.sinks.say.line(f"│ {line}".rstrip())

    def _number(self, choice: Choice) -> int:
        self._last_number += 1
        self.choices[self._last_number] = choice
        self.fresh.add(self._last_number)
        return self._last_number

    # Events

    def _other(self, event: Event) -> None:
        self.sinks.aside(f"· {in_line(event.get('type'))}: {in_line(json.dumps(event))}")

    def _thread(self, event: Event) -> None:
        thread = event["thread"]
        self.thread_id = thread["id"]
        title = thread.get("title")
        if title and title != self.title:
            self.sinks.aside(f"· title: {in_line(title)}")
        self.title = title
        self.tell_status(thread)

    def tell_status(self, thread: Mapping[str, Any]) -> None:
        """Say so if a conversation takes no messages."""
        status = thread.get("status") or {}
        if status.get("type", "active") != "active":
            why = f": {in_line(status['reason'])}" if status.get("reason") else ""
            self.sinks.warn.line(f"The conversation is {in_line(status['type'])}{why}", YELLOW)

    def _added(self, event: Event) -> None:
        item = event["item"]
        known = self.items.get(item["id"])
        if known is None or not known.is_done:
            # Of an item that was saved, the events may come again
            self.items[item["id"]] = ItemState(copy.deepcopy(dict(item)))
            if known is not None:
                self.items[item["id"]].said = known.said

    def _updated(self, event: Event) -> None:
        state = self.items.get(event["item_id"])
        update = event["update"]
        if state is None:
            return
        change = UPDATES.get(update.get("type", ""))
        if change is None:
            self.sinks.aside(f"· {in_line(update.get('type'))}")
            return
        change(self, state, update)

    def _done(self, event: Event) -> None:
        item = event["item"]
        if item["type"] == "user_message" and self.sent is not None:
            content = item.get("content") or []
            if "".join(part.get("text", "") for part in content) == self.sent:
                self.items[item["id"]] = ItemState(dict(item), is_done=True)
                self.sent = None
                self.thread_id = item.get("thread_id") or self.thread_id
                return
        self.show(item)

    def _removed(self, event: Event) -> None:
        state = self.items.pop(event["item_id"], None)
        self._forget_choices(event["item_id"])
        if state is not None and (state.said or state.is_done):
            kind = in_line(state.item["type"]).replace("_", " ")
            self.sinks.warn.line(f"(withdrawn: the {kind} above is no longer there)", YELLOW)

    def _options(self, event: Event) -> None:
        if not event["stream_options"].get("allow_cancel", True):
            self.sinks.aside("· this answer can't be stopped")

    def _progress(self, event: Event) -> None:
        self.sinks.aside(f"· {in_line(event['text'])}")

    def _effect(self, event: Event) -> None:
        data = json.dumps(event.get("data") or {}, ensure_ascii=False)
        self.sinks.aside(f"· effect for the page: {in_line(event['name'])} {in_line(data)}")

    def _error(self, event: Event) -> None:
        self.error = event
        told = event.get("message") or event.get("code") or "the answer failed"
        retry = " (/retry asks again)" if event.get("allow_retry") else ""
        self.sinks.warn.line(f"Error: {in_line(told)}{retry}", RED)

    def _notice(self, event: Event) -> None:
        title = f"{in_line(event['title'])}: " if event.get("title") else ""
        style = {"danger": RED, "warning": YELLOW}.get(event["level"], "")
        self.sinks.warn.line(
            f"{in_line(event['level'])}: {title}{in_line(event['message'])}", style
        )


EVENTS: dict[str, Callable[[View, Event], None]] = {
    "client_effect": View._effect,
    "error": View._error,
    "notice": View._notice,
    "progress_update": View._progress,
    "stream_options": View._options,
    "thread.created": View._thread,
    "thread.item.added": View._added,
    "thread.item.done": View._done,
    "thread.item.removed": View._removed,
    "thread.item.replaced": View._done,
    "thread.item.updated": View._updated,
    "thread.updated": View._thread,
}
"""How each event is shown; a test compares them with those of `chatkit.types`."""
