"""Widgets as text: every component of `chatkit.widgets` becomes lines, buttons get numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .fields import Field, field_of, labels_in
from .table import table

Component: TypeAlias = Mapping[str, Any]

SHORT_URL = 120


@dataclass(frozen=True)
class Choice:
    """Something that the user can press; `fields` are asked for before, `filled` go along."""

    label: str
    action: Mapping[str, Any]
    item: Mapping[str, Any]
    fields: list[Field] = field(default_factory=list)
    filled: dict[str, Any] = field(default_factory=dict)


class WidgetDrawing:
    """Draws the widget of an item. `number` gives each choice its number."""

    def __init__(self, item: Mapping[str, Any], number: Callable[[Choice], int]) -> None:
        self._item = item
        self._number = number
        self._labels = labels_in(item["widget"])
        # Of the form that is being drawn: its fields, and what submits it
        self._fields: list[Field] | None = None
        self._submit: Mapping[str, Any] | None = None
        self._submitted = False

    def lines(self) -> list[str]:
        """Return the lines of the whole widget."""
        return self._draw(self._item["widget"])

    def _draw(self, component: Any) -> list[str]:
        if not isinstance(component, Mapping):
            return []
        draw = COMPONENTS.get(component.get("type", ""))
        return draw(self, component) if draw else self._unknown(component)

    def _all(self, component: Component) -> list[list[str]]:
        children = component.get("children")
        if isinstance(children, Mapping):
            children = [children]
        return [lines for lines in map(self._draw, children or []) if lines]

    def _unknown(self, component: Component) -> list[str]:
        """Draw what a later ChatKit brings: its text, and what is inside of it."""
        told = (component.get(key) for key in ("value", "label", "title", "text"))
        return [*_text(*told), *_stacked(self._all(component))]

    # Containers

    def col(self, component: Component) -> list[str]:
        return _stacked(self._all(component))

    def row(self, component: Component) -> list[str]:
        drawn = self._all(component)
        if all(len(lines) == 1 for lines in drawn):
            return ["  ".join(lines[0] for lines in drawn)] if drawn else []
        return _stacked(drawn)

    def box(self, component: Component) -> list[str]:
        return self.row(component) if component.get("direction") == "row" else self.col(component)

    def card(self, component: Component) -> list[str]:
        if component.get("asForm"):
            confirm = component.get("confirm") or {}
            body = self._form(component, self.col, confirm.get("action"), button=False)
        else:
            body = self.col(component), []
        lines, fields = body
        buttons = []
        for name in ("confirm", "cancel"):
            given = component.get(name)
            if given:
                asked = fields if name == "confirm" else []
                buttons.append(self._press(given["label"], given["action"], asked))
        return [*_status(component), *lines, *(["  ".join(buttons)] if buttons else [])]

    def list_view(self, component: Component) -> list[str]:
        return [*_status(component), *_stacked(self._all(component))]

    def list_item(self, component: Component) -> list[str]:
        lines = _stacked(self._all(component))
        action = component.get("onClickAction")
        mark = "-"
        if action:
            mark = f"[{self._number(Choice(' '.join(lines), action, self._item))}]"
        first, *more = lines or [""]
        return [f"{mark} {first}", *(f"{' ' * len(mark)} {line}" for line in more)]

    def form(self, component: Component) -> list[str]:
        lines, _ = self._form(component, self.box, component.get("onSubmitAction"), button=True)
        return lines

    def _form(
        self,
        component: Component,
        draw: Callable[[Component], list[str]],
        submit: Mapping[str, Any] | None,
        *,
        button: bool,
    ) -> tuple[list[str], list[Field]]:
        """Draw a form, and return its fields too; it gets a button if it has none that submits."""
        outer = self._fields, self._submit, self._submitted
        # All of them, also those after a button
        self._fields = list(self._inputs(component.get("children")))
        self._submit, self._submitted = submit, False
        lines, fields = draw(component), self._fields
        if button and submit and not self._submitted:
            lines.append(self._press("Submit", submit, fields))
        self._fields, self._submit, self._submitted = outer
        return lines, fields

    def _inputs(self, component: Any) -> Iterable[Field]:
        if isinstance(component, Sequence) and not isinstance(component, str):
            for each in component:
                yield from self._inputs(each)
        elif isinstance(component, Mapping):
            own = field_of(component, self._labels)
            if own is not None:
                yield own
            yield from self._inputs(component.get("children"))

    # What can be pressed, and filled in

    def _press(self, label: str, action: Mapping[str, Any], fields: Sequence[Field] = ()) -> str:
        filled = {} if fields else {f.name: f.default for f in self._fields or []}
        choice = Choice(label, action, self._item, list(fields), filled)
        return f"[{self._number(choice)}] {label}"

    def button(self, component: Component) -> list[str]:
        label = component.get("label") or component.get("iconStart") or component.get("iconEnd")
        label = str(label or "button")
        action = component.get("onClickAction")
        fields: list[Field] = []
        if component.get("submit") and self._submit is not None:
            action, fields = self._submit, self._fields or []
            self._submitted = True
        if component.get("disabled") or not action:
            return [f"[ ] {label}"]
        return [self._press(label, action, fields)]

    def input(self, component: Component) -> list[str]:
        own = field_of(component, self._labels)
        if own is None:
            told = component.get("label") or component.get("name") or component.get("placeholder")
            return [f"{told}: {component.get('defaultValue') or ''}".rstrip(" :")]
        action = component.get("onChangeAction")
        if action and self._fields is None:
            number = self._number(Choice(own.label, action, self._item, [own]))
            return [f"[{number}] {own.shown}"]
        return [own.shown]

    # Content

    def text(self, component: Component) -> list[str]:
        own = field_of(component, self._labels)
        return [own.shown] if own is not None else _text(component.get("value"))

    def label(self, component: Component) -> list[str]:
        # It stands before its field already
        names = {f.name for f in self._inputs(self._item["widget"])}
        return [] if component.get("fieldName") in names else _text(component.get("value"))

    def badge(self, component: Component) -> list[str]:
        return [f"({component.get('label', '')})"]

    def image(self, component: Component) -> list[str]:
        return [f"[image: {component.get('alt') or ''} {short_url(component.get('src', ''))}]"]

    def icon(self, component: Component) -> list[str]:
        return [f"[{component.get('name', 'icon')}]"]

    def divider(self, component: Component) -> list[str]:
        return ["─" * 20]

    def spacer(self, component: Component) -> list[str]:
        return []

    def chart(self, component: Component) -> list[str]:
        axis = component.get("xAxis") or ""
        axis = {"dataKey": axis} if isinstance(axis, str) else axis
        key, labels = axis.get("dataKey", ""), axis.get("labels") or {}
        series = component.get("series") or []
        head = [key, *(each.get("label") or each["dataKey"] for each in series)]
        rows = [
            [
                labels.get(str(row.get(key, "")), row.get(key, "")),
                *(row.get(each["dataKey"], "") for each in series),
            ]
            for row in component.get("data") or []
        ]
        return table([head, *rows])


COMPONENTS: dict[str, Callable[[WidgetDrawing, Component], list[str]]] = {
    "Badge": WidgetDrawing.badge,
    "Basic": WidgetDrawing.col,
    "Box": WidgetDrawing.box,
    "Button": WidgetDrawing.button,
    "Caption": WidgetDrawing.text,
    "Card": WidgetDrawing.card,
    "Chart": WidgetDrawing.chart,
    "Checkbox": WidgetDrawing.input,
    "Col": WidgetDrawing.col,
    "DatePicker": WidgetDrawing.input,
    "Divider": WidgetDrawing.divider,
    "Form": WidgetDrawing.form,
    "Icon": WidgetDrawing.icon,
    "Image": WidgetDrawing.image,
    "Input": WidgetDrawing.input,
    "Label": WidgetDrawing.label,
    "ListView": WidgetDrawing.list_view,
    "ListViewItem": WidgetDrawing.list_item,
    "Markdown": WidgetDrawing.text,
    "RadioGroup": WidgetDrawing.input,
    "Row": WidgetDrawing.row,
    "Select": WidgetDrawing.input,
    "Spacer": WidgetDrawing.spacer,
    "Text": WidgetDrawing.text,
    "Textarea": WidgetDrawing.input,
    "Title": WidgetDrawing.text,
    "Transition": WidgetDrawing.col,
}
"""How each component is drawn; a test compares them with those of `chatkit.widgets`."""


def short_url(url: str) -> str:
    """Return an address as a part of a line: of data, only its type and size."""
    if url.startswith("data:"):
        return f"({url[5:].partition(';')[0][:40]}, {len(url) * 3 // 4} bytes)"
    return url if len(url) <= SHORT_URL else f"{url[:SHORT_URL]}…"


def _stacked(drawn: Iterable[list[str]]) -> list[str]:
    return [line for lines in drawn for line in lines]


def _text(*values: Any) -> list[str]:
    return [line for value in values if value not in (None, "") for line in str(value).split("\n")]


def _status(component: Component) -> list[str]:
    status = component.get("status")
    return [f"({status.get('text', '')})"] if status else []
