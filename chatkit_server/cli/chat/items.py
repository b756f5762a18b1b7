"""Items of a conversation as text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .screen import BOLD, DIM, Screen, in_line
from .tasks import source_text, summary_text, task_text
from .widgets import short_url

if TYPE_CHECKING:
    from .view import View


@dataclass
class Sinks:
    """Where to write: `say` is the answer, `note` what happens aside, `warn` what went wrong."""

    say: Screen
    note: Screen
    warn: Screen

    def aside(self, text: str) -> None:
        """Write a line of what happens aside."""
        self.note.line(text, DIM)


@dataclass
class ItemState:
    """An item, and what of it was shown: `said` of its text, `told` of its tasks by place.

    `is_dirty` if it has changed since it was drawn.
    """

    item: dict[str, Any]
    is_done: bool = False
    is_dirty: bool = False
    said: str = ""
    drawn: str | None = None
    told: dict[int, str] = field(default_factory=dict)
    footnotes: int = 0


def draw_item(view: View, state: ItemState) -> None:
    """Draw an item, or what of it is new."""
    draw = ITEMS.get(state.item["type"])
    if draw is not None:
        draw(view, state)
    elif _is_new(state, state.item):
        view.sinks.aside(f"· {in_line(state.item['type'])}: {in_line(json.dumps(state.item))}")


def text_of(item: Mapping[str, Any]) -> str:
    """Return the text of a message."""
    return "\n".join(part.get("text") or "" for part in item.get("content") or [])


def tell_task(view: View, state: ItemState, place: int, task: Mapping[str, Any]) -> None:
    """Write what is new of a task, in dim lines; a thought may grow."""
    text, before = task_text(task), state.told.get(place)
    note = view.sinks.note
    if before is not None and text.startswith(before):
        new = text[len(before) :]
        if new:
            note.stream(new.replace("\n", "\n  "), DIM)
    elif text:
        note.fresh()
        note.stream("· " + text.replace("\n", "\n  "), DIM)
    state.told[place] = text


def say_footnotes(view: View, state: ItemState) -> None:
    """Write the sources that a message cites, once each."""
    parts = state.item.get("content") or []
    sources = [each["source"] for part in parts for each in part.get("annotations") or []]
    told = list(dict.fromkeys(source_text(source) for source in sources))
    for number, text in enumerate(told[state.footnotes :], state.footnotes + 1):
        view.sinks.say.line(f"  ({number}) {in_line(text)}", DIM)
    state.footnotes = max(state.footnotes, len(told))


def _is_new(state: ItemState, shown: Any) -> bool:
    """Whether this has not been drawn yet; from now on it has."""
    drawn = json.dumps(shown, sort_keys=True, default=str)
    is_new, state.drawn = drawn != state.drawn, drawn
    return is_new


def _user_message(view: View, state: ItemState) -> None:
    item = state.item
    if not _is_new(state, item):
        return
    say = view.sinks.say
    if item.get("quoted_text"):
        say.line("\n".join(f"> {line}" for line in item["quoted_text"].split("\n")))
    parts = item.get("content") or []
    text = "".join(
        f"@{part['text']}" if part["type"] == "input_tag" else part.get("text", "")
        for part in parts
    )
    say.line(f"you> {text}", BOLD)
    for each in item.get("attachments") or []:
        where = f" {short_url(each['preview_url'])}" if each.get("preview_url") else ""
        say.line(f"  [{in_line(each['type'])}: {in_line(each['name'])}{in_line(where)}]", DIM)


def _assistant_message(view: View, state: ItemState) -> None:
    view.speak(state, text_of(state.item))
    if state.is_done:
        view.sinks.say.fresh()
        say_footnotes(view, state)


def _client_tool_call(view: View, state: ItemState) -> None:
    item = state.item
    if not _is_new(state, [item.get("status"), item.get("output")]):
        return
    call = f"{item['name']} {json.dumps(item.get('arguments') or {}, ensure_ascii=False)}"
    if item.get("status") == "pending":
        view.sinks.aside(f"· the page is asked to run {in_line(call)}")
    else:
        output = json.dumps(item.get("output"), ensure_ascii=False)
        view.sinks.aside(f"· the page ran {in_line(call)}: {in_line(output)}")


def _widget(view: View, state: ItemState) -> None:
    if not state.is_done:
        # It grows still: it is drawn when it is complete
        state.is_dirty = True
    elif _is_new(state, state.item["widget"]):
        view.draw_widget(state)


def _generated_image(view: View, state: ItemState) -> None:
    image = state.item.get("image")
    if image and state.is_done and _is_new(state, image):
        where = view.save(image["id"], image["url"])
        view.sinks.say.line(f"[image: {in_line(where)}]")


def _structured_input(view: View, state: ItemState) -> None:
    item = state.item
    if item.get("status") == "pending" or not _is_new(state, item):
        return
    for question in item["inputs"]:
        answer = question.get("answer") or {}
        told = ", ".join(answer.get("values") or []) or "(skipped)"
        view.sinks.aside(f"· {in_line(question['question'])} {in_line(told)}")


def _task(view: View, state: ItemState) -> None:
    tell_task(view, state, 0, state.item["task"])
    view.sinks.note.fresh()


def _workflow(view: View, state: ItemState) -> None:
    workflow = state.item["workflow"]
    for place, task in enumerate(workflow.get("tasks") or []):
        tell_task(view, state, place, task)
    view.sinks.note.fresh()
    summary = summary_text(workflow)
    if state.is_done and summary and _is_new(state, summary):
        view.sinks.aside(f"· ({in_line(summary)})")


def _nothing(view: View, state: ItemState) -> None:
    """Draw nothing: the user is not meant to see it."""


ITEMS: dict[str, Callable[[View, ItemState], None]] = {
    "assistant_message": _assistant_message,
    "client_tool_call": _client_tool_call,
    "end_of_turn": _nothing,
    "generated_image": _generated_image,
    "hidden_context_item": _nothing,
    "sdk_hidden_context": _nothing,
    "structured_input": _structured_input,
    "task": _task,
    "user_message": _user_message,
    "widget": _widget,
    "workflow": _workflow,
}
"""How each item is drawn; a test compares them with those of `chatkit.types`."""
