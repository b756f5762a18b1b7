"""Samples of all widgets: for each property of each component, a value of each kind.

They come from the annotations of `chatkit.widgets`, so that a test meets what a newer library has.
"""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin

from chatkit import widgets
from chatkit.actions import ActionConfig
from pydantic import BaseModel
from typing_extensions import get_type_hints, is_typeddict

from tests.page.site import PICTURE

_TEXT = {"type": "Text", "value": "Tea"}
_OPTIONS = [{"value": value, "label": value.capitalize()} for value in ("assam", "sencha")]
_ROWS = [{"month": "Jan", "black": 40, "green": 24}, {"month": "Feb", "black": -3, "green": 38}]
_BARS = [{"type": "bar", "dataKey": key, "label": key} for key in ("black", "green")]

BASES: dict[str, dict[str, Any]] = {
    "Badge": {"label": "New"},
    "Button": {"label": "Go", "iconStart": "star"},
    "Caption": {"value": "A caption"},
    "Chart": {"data": _ROWS, "series": _BARS, "xAxis": {"dataKey": "month"}},
    "Checkbox": {"name": "gift"},
    "DatePicker": {"name": "day", "defaultValue": "2026-01-31"},
    "Icon": {"name": "star"},
    "Image": {"src": PICTURE},
    "Input": {"name": "name"},
    "Label": {"value": "Name", "fieldName": "name"},
    "ListView": {"children": [{"type": "ListViewItem", "children": [_TEXT]}] * 7},
    "Markdown": {"value": "**Tea**"},
    "RadioGroup": {"name": "tea", "options": _OPTIONS},
    "Select": {"name": "tea", "options": _OPTIONS, "defaultValue": "assam"},
    "Text": {"value": "Tea"},
    "Textarea": {"name": "note"},
    "Title": {"value": "A title"},
}
"""What a component needs for its properties to have a meaning; others have a text in them."""

_TEXTS: dict[str, list[Any]] = {
    "aspectRatio": ["16 / 9"],
    "background": ["surface-tertiary", "red-100", "#123456", {"light": "#fff", "dark": "#000"}],
    "color": ["danger", "strong", "alpha-70", "blue-500", "rgb(1 2 3)"],
    "curveType": ["monotone"],
    "defaultValue": ["sencha"],
    "favicon": [PICTURE],
    "flex": ["1 1 auto"],
    "icon": ["bolt"],
    "iconEnd": ["bolt"],
    "iconStart": ["bolt"],
    "src": [f"{PICTURE}#2"],
}
_NEEDS: dict[str, dict[str, Any]] = {"frame": {"favicon": PICTURE}}
_NUMBERS: dict[str, list[Any]] = {"limit": [3], "maxLines": [2]}


@dataclass(frozen=True)
class Sample:
    """A component without a property and with it: `name` is such as `Text.editable.pattern`."""

    name: str
    without: dict[str, Any]
    given: dict[str, Any]


def components() -> list[type[BaseModel]]:
    """Return the classes of all components and roots."""
    found = [cls for _, cls in inspect.getmembers(widgets, inspect.isclass)]
    return [cls for cls in found if issubclass(cls, BaseModel) and _type_of(cls)]


def _type_of(cls: type[BaseModel]) -> str | None:
    """Return the one type of a component; None of what has another kind of type, or more."""
    field = cls.model_fields.get("type")
    is_component = issubclass(cls, widgets.WidgetComponentBase)
    return field.default if is_component and field and isinstance(field.default, str) else None


def base(type: str) -> dict[str, Any]:
    """Return a component that is only what it has to be."""
    return {"type": type} | BASES.get(type, {"children": [_TEXT]})


def samples() -> Iterator[Sample]:
    """Yield a sample for each value of each property of each component."""
    for cls in components():
        component = base(str(_type_of(cls)))
        for name, annotation in get_type_hints(cls).items():
            if name not in ("key", "id", "type", "children", "model_config"):
                yield from _samples(component["type"], component, name, annotation)


def _samples(
    prefix: str, component: dict[str, Any], name: str, annotation: Any
) -> Iterator[Sample]:
    without = {key: value for key, value in component.items() if key != name}
    for value in _values(name, annotation):
        yield Sample(f"{prefix}.{name}", component, {**without, name: value})
    for each in _alternatives(annotation):
        is_list = get_origin(each) is list
        for inner in _alternatives(get_args(each)[0]) if is_list else [each]:
            if _fields(inner):
                yield from _nested(f"{prefix}.{name}", component, name, inner, is_list)


def _nested(
    prefix: str, component: dict[str, Any], name: str, inner: Any, is_list: bool
) -> Iterator[Sample]:
    present = component.get(name)
    given = present if isinstance(present, list) else [present if isinstance(present, dict) else {}]
    for key, (annotation, is_required) in _fields(inner).items():
        least = [{**_least(inner), **_NEEDS.get(key, {}), **each, **_kind(inner)} for each in given]
        for value in [] if is_required or key == "type" else _values(key, annotation):
            changed = [{**each, key: value} for each in least]
            before, after = (least, changed) if is_list else (least[0], changed[0])
            yield Sample(f"{prefix}.{key}", {**component, name: before}, {**component, name: after})


def _least(inner: Any) -> dict[str, Any]:
    """Return an object with what it has to have."""
    return {key: _first(key, hint) for key, (hint, required) in _fields(inner).items() if required}


def _kind(inner: Any) -> dict[str, Any]:
    return {"type": inner.model_fields["type"].default} if hasattr(inner, "model_fields") else {}


def _fields(annotation: Any) -> dict[str, tuple[Any, bool]]:
    """Return the fields of an object: their annotations, and whether they are required."""
    if annotation is ActionConfig or not isinstance(annotation, type):
        return {}
    if issubclass(annotation, BaseModel):
        fields = annotation.model_fields
        hints = get_type_hints(annotation)
        return {name: (hints[name], fields[name].is_required()) for name in fields}
    if not is_typeddict(annotation):
        return {}
    plain, marked = get_type_hints(annotation), get_type_hints(annotation, include_extras=True)
    return {name: (plain[name], _is_required(marked[name])) for name in plain}


def _is_required(annotation: Any) -> bool:
    origin: Any = get_origin(annotation)
    return origin is not NotRequired


def _first(name: str, annotation: Any) -> Any:
    return next(iter(_values(name, annotation)))


def _values(name: str, annotation: Any) -> Iterator[Any]:
    for each in _alternatives(annotation):
        if get_origin(each) is Literal:
            yield from get_args(each)
        elif is_typeddict(each):
            yield _least(each)
        elif each is bool:
            yield from (True, False)
        elif each in (int, float):
            yield from _NUMBERS.get(name, [2])
        elif each is datetime.datetime:
            yield "2026-01-15T00:00:00Z"
        elif each is ActionConfig:
            yield {"type": "act", "payload": {"a": 1}}
        elif each is str:
            yield from _TEXTS.get(name, ["50%"] if _is_number_too(annotation) else ["word"])
        elif get_origin(each) is dict:
            yield {"Jan": "January"}


def _alternatives(annotation: Any) -> list[Any]:
    """Return the members of a union, also of unions in it."""
    if get_origin(annotation) in (Union, UnionType):
        return [each for part in get_args(annotation) for each in _alternatives(part)]
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    return [] if annotation is NoneType else [annotation]


def _is_number_too(annotation: Any) -> bool:
    return bool({int, float} & set(_alternatives(annotation)))
