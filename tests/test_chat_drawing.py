"""What `chatkit-server chat` makes of each type of ChatKit; a terminal acts on none of it."""

from __future__ import annotations

import copy
import io
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import chatkit.widgets
import pytest
from chatkit.types import Source, Task, ThreadItem, ThreadItemUpdate, ThreadStreamEvent
from chatkit.widgets import WidgetComponentBase, WidgetRoot
from pydantic import TypeAdapter
from yarl import URL

from chatkit_server.cli.chat.asking import ask_fields, ask_output, ask_questions
from chatkit_server.cli.chat.fields import payload_with
from chatkit_server.cli.chat.items import ITEMS, Sinks
from chatkit_server.cli.chat.pictures import Pictures
from chatkit_server.cli.chat.screen import Screen, in_line, safe
from chatkit_server.cli.chat.tasks import SOURCES, TASKS
from chatkit_server.cli.chat.updates import UPDATES
from chatkit_server.cli.chat.view import EVENTS, View
from chatkit_server.cli.chat.widgets import COMPONENTS, Choice, WidgetDrawing
from tests.client import EVENT

WIDGET: TypeAdapter[WidgetRoot] = TypeAdapter(WidgetRoot)
ITEM: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)

BASE = {"thread_id": "thr_1", "created_at": "2026-11-27T10:00:00Z"}
ACTION = {"type": "do", "payload": {"a": 1}}
URL_SOURCE = {"type": "url", "title": "Page", "url": "https://example.com/page"}
FILE_SOURCE = {"type": "file", "title": "Book", "filename": "book.pdf"}
ENTITY_SOURCE = {"type": "entity", "title": "Shop", "id": "e1", "label": "Place"}
SOURCES_SHOWN = {"url": "Page — https", "file": "Book — book.pdf", "entity": "Shop — Place"}


def types_of(union: Any) -> set[str]:
    """Return the values of `type` of all members of a union."""
    members = get_args(union)
    if members and not isinstance(members[0], type):
        return types_of(members[0])
    return {
        member.model_fields["type"].default for member in members if hasattr(member, "model_fields")
    }


def types_of_widgets() -> set[str]:
    found = set()
    for kind in vars(chatkit.widgets).values():
        if isinstance(kind, type) and issubclass(kind, WidgetComponentBase):
            default = kind.model_fields["type"].default
            if isinstance(default, str):
                found.add(default)
    return found


def new_view(out: io.StringIO, *, colour: bool = False) -> View:
    screen = Screen(out, colour=colour)
    return View(Sinks(screen, screen, screen), Pictures(URL("http://test/api/chat")).save)


def shown(*events: Any, colour: bool = False) -> str:
    out = io.StringIO()
    view = new_view(out, colour=colour)
    view.begin()
    for event in events:
        view.take(event)
    view.end()
    return out.getvalue()


def widget(*children: Any, root: str = "Card", **more: Any) -> dict[str, Any]:
    return {"type": root, "children": list(children), **more}


def widget_item(given: dict[str, Any]) -> dict[str, Any]:
    WIDGET.validate_python(given)
    return {**BASE, "id": "w1", "type": "widget", "widget": given}


def done(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "thread.item.done", "item": item}


# Each type is drawn

DRAWN: dict[str, tuple[dict[str, Any], str]] = {
    "Badge": ({"label": "New"}, "(New)"),
    "Box": ({"children": [{"type": "Text", "value": "in"}]}, "in"),
    "Button": ({"label": "Go", "onClickAction": ACTION}, "[1] Go"),
    "Caption": ({"value": "small"}, "small"),
    "Chart": (
        {
            "data": [{"m": "1", "v": 12}, {"m": "10", "v": 3}],
            "series": [{"type": "bar", "dataKey": "v", "label": "Sold"}],
            "xAxis": {"dataKey": "m", "labels": {"1": "Jan"}},
        },
        "│ m    Sold\n│ Jan    12\n│ 10      3",
    ),
    "Checkbox": ({"name": "c", "label": "Yes", "defaultChecked": True}, "[x] Yes"),
    "Col": ({"children": [{"type": "Text", "value": "in"}]}, "in"),
    "DatePicker": ({"name": "d", "placeholder": "Day"}, "Day: <…>"),
    "Divider": ({}, "───"),
    "Form": ({"children": [], "onSubmitAction": ACTION}, "[1] Submit"),
    "Icon": ({"name": "phone"}, "[phone]"),
    "Image": ({"src": "https://x/y.png", "alt": "Tea"}, "[image: Tea https://x/y.png]"),
    "Input": ({"name": "i", "placeholder": "Name"}, "Name: <…>"),
    "Label": ({"value": "Alone", "fieldName": "x"}, "Alone"),
    "ListViewItem": ({"children": [{"type": "Text", "value": "row"}]}, "- row"),
    "Markdown": ({"value": "# Head\ntext"}, "│ # Head\n│ text"),
    "RadioGroup": (
        {"name": "r", "options": [{"label": "One", "value": "1"}]},
        "r: <One>",
    ),
    "Row": (
        {"children": [{"type": "Text", "value": "a"}, {"type": "Text", "value": "b"}]},
        "a  b",
    ),
    "Select": (
        {
            "name": "s",
            "options": [{"label": "One", "value": "1"}],
            "defaultValue": "1",
            "onChangeAction": ACTION,
        },
        "[1] s: <One> (One)",
    ),
    "Spacer": ({}, "│ before\n│ after"),
    "Text": ({"value": "words"}, "words"),
    "Textarea": ({"name": "t", "defaultValue": "old"}, "t: <old>"),
    "Title": ({"value": "Big"}, "Big"),
    "Transition": ({"children": {"type": "Text", "value": "in"}}, "in"),
}
ROOTS = {
    "Basic": (widget({"type": "Text", "value": "in"}, root="Basic"), "│ in"),
    "Card": (
        widget(
            {"type": "Text", "value": "in"},
            status={"text": "Status"},
            confirm={"label": "Yes", "action": ACTION},
            cancel={"label": "No", "action": ACTION},
        ),
        "│ (Status)\n│ in\n│ [1] Yes  [2] No",
    ),
    "ListView": (
        widget(
            {
                "type": "ListViewItem",
                "children": [{"type": "Text", "value": "row"}],
                "onClickAction": ACTION,
            },
            root="ListView",
        ),
        "│ [1] row",
    ),
}


def test_every_type_of_chatkit_is_known() -> None:
    assert set(EVENTS) == types_of(ThreadStreamEvent)
    assert set(ITEMS) == types_of(ThreadItem)
    assert set(UPDATES) == types_of(ThreadItemUpdate)
    assert set(TASKS) == types_of(Task)
    assert set(SOURCES) == types_of(Source)
    assert set(COMPONENTS) == types_of_widgets()
    assert set(DRAWN) | set(ROOTS) == types_of_widgets()


@pytest.mark.parametrize("kind", DRAWN)
def test_every_component_is_drawn_as_text(kind: str) -> None:
    given, expected = DRAWN[kind]
    before, after = ({"type": "Text", "value": text} for text in ("before", "after"))
    text = shown(done(widget_item(widget(before, {"type": kind, **given}, after))))
    assert expected in text
    assert text.startswith("│ before\n")
    assert text.endswith("│ after\n")


@pytest.mark.parametrize("kind", ROOTS)
def test_every_root_is_drawn_as_text(kind: str) -> None:
    given, expected = ROOTS[kind]
    assert shown(done(widget_item(given))) == f"{expected}\n"


def test_what_a_later_chatkit_brings_is_shown_too() -> None:
    later: Any = {"type": "Tabs", "label": "New", "children": [{"type": "Text", "value": "in"}]}
    item = {**BASE, "id": "w1", "type": "widget", "widget": widget(later)}
    assert shown(done(item)) == "│ New\n│ in\n"
    assert "thread.paused" in shown({"type": "thread.paused"})
    assert "poll" in shown(done({**BASE, "id": "p1", "type": "poll"}))


# Items and events

MESSAGE = {
    **BASE,
    "id": "m1",
    "type": "assistant_message",
    "content": [
        {
            "type": "output_text",
            "text": "Hello",
            "annotations": [
                {"type": "annotation", "source": source, "index": 1}
                for source in (URL_SOURCE, URL_SOURCE, FILE_SOURCE, ENTITY_SOURCE)
            ],
        }
    ],
}
TASK_SAMPLES: list[dict[str, Any]] = [
    {"type": "custom", "title": "Title", "content": "Content"},
    {"type": "web_search", "title": "Searched", "queries": ["tea"], "sources": [URL_SOURCE]},
    {"type": "thought", "title": "Idea", "content": "I think"},
    {"type": "file", "title": "Read", "sources": [FILE_SOURCE]},
    {"type": "image", "title": "Saw"},
]
ITEM_SAMPLES: list[tuple[dict[str, Any], str]] = [
    (
        {
            "type": "user_message",
            "content": [
                {"type": "input_text", "text": "Hi "},
                {"type": "input_tag", "id": "t", "text": "ann", "data": {}},
            ],
            "attachments": [
                {"type": "file", "id": "a", "name": "a.txt", "mime_type": "text/plain"}
            ],
            "quoted_text": "before",
            "inference_options": {},
        },
        "> before\nyou> Hi @ann\n  [file: a.txt]\n",
    ),
    (MESSAGE, "Hello\n  (1) Page — https://example.com/page\n  (2) Book — book.pdf\n"),
    (
        {
            "type": "client_tool_call",
            "status": "completed",
            "call_id": "c",
            "name": "locate",
            "arguments": {"a": 1},
            "output": "here",
        },
        '· the page ran locate {"a": 1}: "here"\n',
    ),
    (widget_item(ROOTS["Card"][0]), "│ (Status)\n"),
    ({"type": "generated_image", "image": {"id": "i", "url": "/a.png"}}, "http://test/a.png]"),
    (
        {
            "type": "structured_input",
            "status": "answered",
            "inputs": [
                {
                    "type": "freeform",
                    "id": "q",
                    "question": "Why?",
                    "answer": {"values": ["So"]},
                }
            ],
        },
        "· Why? So\n",
    ),
    (
        {
            "type": "workflow",
            "workflow": {"type": "custom", "tasks": TASK_SAMPLES, "summary": {"duration": 3}},
        },
        "· Title\n  Content\n· Searched: tea\n    Page — https://example.com/page\n· Idea\n"
        "  I think\n· Read\n    Book — book.pdf\n· [image] Saw\n· (took 3 s)\n",
    ),
    ({"type": "task", "task": TASK_SAMPLES[0]}, "· Title\n  Content\n"),
    ({"type": "hidden_context_item", "content": "secret"}, ""),
    ({"type": "sdk_hidden_context", "content": "secret"}, ""),
    ({"type": "end_of_turn"}, ""),
]
ITEMS_GIVEN = [
    ({**BASE, "id": f"i{n}", **item}, text) for n, (item, text) in enumerate(ITEM_SAMPLES)
]


@pytest.mark.parametrize(("item", "expected"), ITEMS_GIVEN, ids=[i["type"] for i, _ in ITEMS_GIVEN])
def test_every_item_is_drawn_once(item: dict[str, Any], expected: str) -> None:
    ITEM.validate_python(item)
    text = shown(done(item), done(item), {"type": "thread.item.replaced", "item": item})
    assert expected in text
    assert text == shown(done(item))
    assert bool(text) == bool(expected)


def test_every_item_has_a_sample() -> None:
    assert {item["type"] for item, _ in ITEMS_GIVEN} == types_of(ThreadItem)
    assert {task["type"] for task in TASK_SAMPLES} == types_of(Task)


def update(item_id: str, type: str, **given: Any) -> dict[str, Any]:
    return {
        "type": "thread.item.updated",
        "item_id": item_id,
        "update": {"type": type, **given},
    }


TEXT_DELTA = "widget.streaming_text.value_delta"


def streamed() -> list[dict[str, Any]]:
    """Return events of every type, with updates of every type."""
    thread = {"id": "thr_1", "created_at": BASE["created_at"], "items": {"data": []}}
    part = {"type": "output_text", "text": "", "annotations": []}
    empty = {**MESSAGE, "content": []}
    card = widget({"type": "Markdown", "id": "md", "value": "", "streaming": True})
    flow = {**BASE, "id": "f1", "type": "workflow", "workflow": {"type": "reasoning", "tasks": []}}
    image = {**BASE, "id": "g1", "type": "generated_image"}
    picture = {"id": "p", "url": "data:image/png;base64,AAAA"}
    thought = {"type": "thought", "content": "Let me see"}
    message = "assistant_message.content_part"
    title = {"type": "Title", "value": "new"}
    return [
        {"type": "thread.created", "thread": thread},
        {"type": "stream_options", "stream_options": {"allow_cancel": False}},
        {"type": "progress_update", "text": "Working"},
        {"type": "thread.item.added", "item": flow},
        update("f1", "workflow.task.added", task_index=0, task={**thought, "content": "Let"}),
        update("f1", "workflow.task.updated", task_index=0, task=thought),
        done(
            {
                **flow,
                "workflow": {"type": "reasoning", "tasks": [thought]},
            }
        ),
        {"type": "thread.item.added", "item": empty},
        update("m1", f"{message}.added", content_index=0, content=part),
        update("m1", f"{message}.text_delta", content_index=0, delta="Hel"),
        update("m1", f"{message}.text_delta", content_index=0, delta="lo"),
        update(
            "m1",
            f"{message}.annotation_added",
            content_index=0,
            annotation_index=0,
            annotation={"type": "annotation", "source": URL_SOURCE, "index": 1},
        ),
        update("m1", f"{message}.done", content_index=0, content={**part, "text": "Hello"}),
        done(MESSAGE),
        {"type": "thread.item.added", "item": widget_item(card)},
        update(
            "w1", "widget.streaming_text.value_delta", component_id="md", delta="dra", done=False
        ),
        update("w1", "widget.streaming_text.value_delta", component_id="md", delta="ft", done=True),
        update(
            "w1",
            "widget.component.updated",
            component_id="md",
            component={"type": "Text", "id": "md", "value": "final"},
        ),
        done(widget_item(widget({"type": "Text", "id": "md", "value": "final"}))),
        update("w1", "widget.root.updated", widget=widget({"type": "Text", "value": "later"})),
        {"type": "thread.item.added", "item": image},
        update("g1", "generated_image.updated", image=picture, progress=0.5),
        done({**image, "image": picture}),
        {"type": "notice", "level": "danger", "message": "Careful", "title": "Note"},
        {"type": "client_effect", "name": "confetti", "data": {"a": 1}},
        {**done(widget_item(widget(title))), "type": "thread.item.replaced"},
        {"type": "thread.item.removed", "item_id": "w1"},
        {"type": "error", "code": "custom", "message": "Broken", "allow_retry": True},
        {
            "type": "thread.updated",
            "thread": {**thread, "title": "Tea", "status": {"type": "locked", "reason": "Late"}},
        },
    ]


STREAMED = """\
· this answer can't be stopped
· Working
· Let me see
Hello
  (1) Page — https://example.com/page
  (2) Book — book.pdf
  (3) Shop — Place
│ final
· drawing: 50%
[image: FILE]
danger: Note: Careful
· effect for the page: confetti {"a": 1}
│ new
(withdrawn: the widget above is no longer there)
Error: Broken (/retry asks again)
· title: Tea
The conversation is locked: Late
"""


def test_every_event_is_shown() -> None:
    events = streamed()
    for event in events:
        EVENT.validate_python(event)
    assert {event["type"] for event in events} == types_of(ThreadStreamEvent)
    updates = {event["update"]["type"] for event in events if "update" in event}
    assert updates == types_of(ThreadItemUpdate)
    text = shown(*events)
    [file] = re.findall(r"\[image: (\S+\.png)\]", text)
    assert Path(file).read_bytes() == b"\0\0\0"
    assert text.replace(file, "FILE") == STREAMED
    assert re.sub(r"\x1b\[\d+m", "", shown(*events, colour=True)).count("\n") == text.count("\n")


def test_words_are_bold_in_colour_only_across_pieces() -> None:
    out = io.StringIO()
    screen = Screen(out, colour=True)
    for piece in ("a *", "*b", "*", "* 2 *", " 3\n2**", "3\nplain **", "x"):
        screen.stream(piece)
    screen.fresh()
    assert out.getvalue() == (
        "a \033[1m**b**\033[0m 2 * 3\n2\033[1m**3\033[0m\nplain \033[1m**x\033[0m\n"
    )


# Forms


def test_a_form_asks_for_its_fields_and_nests_names_with_dots() -> None:
    form = {
        "type": "Form",
        "onSubmitAction": ACTION,
        "children": [
            {"type": "Label", "value": "Your name", "fieldName": "user.name"},
            {"type": "Input", "name": "user.name", "required": True},
            {"type": "Text", "value": "old", "editable": {"name": "user.motto"}},
            {"type": "Button", "label": "Skip", "onClickAction": {"type": "skip"}},
            {"type": "Button", "label": "Send", "submit": True},
            {"type": "Checkbox", "name": "late", "label": "After the button"},
        ],
    }
    choices: list[Choice] = []

    def number(choice: Choice) -> int:
        choices.append(choice)
        return len(choices)

    lines = WidgetDrawing(widget_item(widget(form)), number).lines()
    assert lines == [
        "Your name: <…>",
        "user.motto: <old>",
        "[1] Skip",
        "[2] Send",
        "[ ] After the button",
    ]
    skip, send = choices
    assert (skip.action["type"], skip.fields) == ("skip", [])
    assert [each.name for each in send.fields] == ["user.name", "user.motto", "late"]
    assert send.action == ACTION
    values = {"user.name": "Ann", "user.motto": "old", "late": False}
    expected = {"a": 1, "user": {"name": "Ann", "motto": "old"}, "late": False}
    assert payload_with(ACTION["payload"], values) == expected
    assert payload_with("text", values) == "text"


# Nothing that is said reaches the terminal as a command

INJECTIONS = (
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x1b]52;c;ZXZpbA==\x1b\\",
    "\x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\",
    "\x1bP+q544e\x1b\\",
    "\x1b[?1049h",
    "\x1b[6n",
    "\x1bc",
    "\x9b31m",
    "\x9d0;t\x9c",
    "\x90q\x9c",
    "\rover",
    "\b\b\bgone",
    "\x07",
    "\x0e",
    "\x7f",
    "\x00",
    "\x0b\x0c",
    "\x85",
    "\u2028you> /delete\u2029",
    "\u202edelrever\u202c",
    "\u2066\u2067\u2068\u2069",
    "\u200e\u200f\u061c",
    "\u200b\ufeff\u2060",
    "\U000e0041\U000e007f",
)
ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ufeff\U000e0000-\U000e0fff]"
)
KEPT = {"type", "id", "item_id", "component_id", "level", "created_at", "status"}


def poisoned(value: Any, text: str, key: str = "") -> Any:
    """Return a value with this text in each of its strings but those that say what it is."""
    if isinstance(value, dict):
        return {k: poisoned(v, text, k) for k, v in value.items()}
    if isinstance(value, list):
        return [poisoned(each, text, key) for each in value]
    return f"{value}{text}" if isinstance(value, str) and key not in KEPT else value


@cache
def everything() -> list[dict[str, Any]]:
    return list(_everything())


def _everything() -> Iterator[dict[str, Any]]:
    yield from streamed()
    for item, _ in ITEMS_GIVEN:
        yield done(item)
    for number, (kind, (given, _)) in enumerate(DRAWN.items()):
        item = widget_item(widget({"type": kind, **given}))
        yield done({**item, "id": f"w{number + 10}"})
    yield {"type": "unknown", "text": "x"}


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("injection", INJECTIONS, ids=ascii)
def test_a_terminal_acts_on_nothing_that_is_said(injection: str, colour: bool) -> None:
    events = [poisoned(event, injection) for event in everything()]
    text = shown(*events, colour=colour)
    if colour:
        text = re.sub(r"\033\[(?:0|1|2|31|33)m", "", text)
    assert ACTS.search(text) is None
    assert text.count(ascii(injection)[1:-1][:3]) > 0 or injection.isspace()


class Answers:
    """A user who types one answer to everything, and sees the prompts."""

    def __init__(self, out: io.StringIO, answer: str) -> None:
        self.out = out
        self.answer = answer

    async def read(self, prompt: str, *, secret: bool = False, remembered: bool = False) -> str:
        self.out.write(prompt)
        return self.answer


@pytest.mark.parametrize("injection", INJECTIONS, ids=ascii)
async def test_questions_are_escaped_too(injection: str) -> None:
    out = io.StringIO()
    screen, keyboard = Screen(out), Answers(out, "1")
    choices: list[Choice] = []
    form = {
        "type": "Form",
        "onSubmitAction": ACTION,
        "children": [{"type": kind, **DRAWN[kind][0]} for kind in ("Input", "Select", "Textarea")],
    }
    item = poisoned(widget_item(widget(form)), injection)

    def number(choice: Choice) -> int:
        choices.append(choice)
        return len(choices)

    WidgetDrawing(item, number).lines()
    assert await ask_fields(keyboard, screen, choices[-1].fields)
    questions = {
        "inputs": [
            {
                "id": "q",
                "type": "multiple_choice",
                "question": "Which?",
                "options": [{"value": "One"}],
            }
        ]
    }
    assert await ask_questions(keyboard, screen, poisoned(questions, injection))
    assert await ask_output(keyboard, screen, {"name": injection, "arguments": {"a": injection}})
    assert ACTS.search(out.getvalue()) is None


def holes(value: Any) -> Iterator[Any]:
    """Yield a value with each of its parts once missing, null or of another type."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        rest = dict(value) if isinstance(value, dict) else list(value)
        others: list[Any] = [None, 7, [], {}]
        for other in others:
            rest[key] = other
            yield copy.copy(rest)
        if isinstance(value[key], dict | list):
            for inner in holes(value[key]):
                rest[key] = inner
                yield copy.copy(rest)
        del rest[key]
        yield rest


def test_nothing_that_a_server_sends_ends_the_conversation() -> None:
    events = everything()
    for at, event in enumerate(events):
        for broken in holes(event):
            view = new_view(io.StringIO())
            for before in events[max(0, at - 6) : at]:
                view.take(copy.deepcopy(before))
            view.take(broken)
            view.end()


def test_text_of_all_languages_stays_as_it_is() -> None:
    for text in ("Grüße\n\t日本", "👩\u200d👩\u200d👧 ❤\ufe0f", "क्\u200dष"):
        assert safe(text) == text
    assert in_line("a\r\nb\tc") == "a b c"
    assert json.loads(json.dumps({"a": "\x9b"})) == {"a": "\x9b"}
