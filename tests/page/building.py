"""Instances of pydantic models, made by their fields: so a test meets what is new in a library."""

from __future__ import annotations

import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from chatkit.icons import IconName
from chatkit.types import AttachmentUploadDescriptor
from chatkit.widgets import DynamicWidgetRoot, WidgetRoot
from pydantic import AnyUrl, BaseModel
from pydantic.fields import FieldInfo

from tests.page.site import PICTURE

BEGAN = datetime.datetime(2026, 1, 1, 9, tzinfo=datetime.UTC)


def members(annotation: Any) -> list[Any]:
    """Return the members of a union, also of one with a discriminator, without None."""
    if get_origin(annotation) is Annotated:
        return members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [each for part in get_args(annotation) for each in members(part)]
    return [] if annotation is NoneType else [annotation]


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return a model's fields, with the names of other models looked up."""
    model.model_rebuild()
    return model.model_fields


def kind(model: type[BaseModel]) -> str:
    """Return what a model has as its `type`."""
    return str(model.model_fields["type"].default)


class Builder:
    """Makes instances. Each text is a word of its own: `words` says of which field.

    `minimal` has only what is required; `full` gives an instance with all fields for each choice
    that a model leaves, such as the values of a Literal. `url` is where addresses lead to.
    """

    def __init__(self, url: str = "https://example.com") -> None:
        self.url = url
        self.words: dict[str, str] = {}

    def minimal(self, model: type[BaseModel]) -> BaseModel:
        """Return an instance with the fields that are required, and as little in them."""
        needed = {name: f for name, f in fields_of(model).items() if f.is_required()}
        return model(**{name: self._least(model, name, f) for name, f in needed.items()})

    def full(self, model: type[BaseModel]) -> list[BaseModel]:
        """Return instances with all fields, so many that every choice is made once."""
        return [self._full(model, number) for number in range(choices(model))]

    def _full(self, model: type[BaseModel], number: int) -> BaseModel:
        fields = fields_of(model).items()
        given = {name: self._value(model, name, f, f.annotation, number) for name, f in fields}
        return model(**{name: value for name, value in given.items() if value is not None})

    def _least(self, model: type[BaseModel], name: str, field: FieldInfo) -> Any:
        if get_origin(field.annotation) in (list, dict):
            return get_origin(field.annotation)()  # type: ignore[misc]
        return self._value(model, name, field, field.annotation, 0, self.minimal)

    def _value(
        self,
        model: type[BaseModel],
        name: str,
        field: FieldInfo,
        annotation: Any,
        number: int,
        of_model: Any = None,
    ) -> Any:
        build = of_model or (lambda inner: self._full(inner, number))
        if annotation == IconName | None:
            return "star"
        if annotation == WidgetRoot:
            return self._widget(model)
        options = members(annotation)
        chosen = options[number % len(options)] if options else Any
        origin = get_origin(chosen)
        if origin is Literal:
            return get_args(chosen)[number % len(get_args(chosen))]
        if origin is list:
            [inner] = get_args(chosen)
            return [
                self._value(model, name, field, each, at)
                for each in members(inner)
                for at in range(max(choices(each), 1))
            ]
        if origin is dict:
            return {"key": self._word(model, name)}
        if isinstance(chosen, type) and issubclass(chosen, AttachmentUploadDescriptor):
            return None  # what is shown is uploaded
        if isinstance(chosen, type) and issubclass(chosen, BaseModel):
            return build(chosen)
        return self._scalar(model, name, field, chosen, number)

    def _scalar(
        self, model: type[BaseModel], name: str, field: FieldInfo, chosen: Any, number: int
    ) -> Any:
        if isinstance(field.default, str) and name == "type":
            return field.default
        if chosen is bool:
            return number % 2 == 0
        if chosen in (int, float):
            return number
        if chosen is datetime.datetime:
            return BEGAN + datetime.timedelta(seconds=len(self.words))
        if isinstance(chosen, type) and issubclass(chosen, Enum):
            return next(iter(chosen))
        if model.__name__ == "GeneratedImage" and name == "url":
            return PICTURE
        if fixed := {"timestamp": "2026-01-02T03:04:05Z", "mime_type": "text/plain"}.get(name):
            return fixed
        word = self._word(model, name)
        if chosen is AnyUrl or name == "url":
            return f"{self.url}/{word}"
        return word

    def _word(self, model: type[BaseModel], name: str) -> str:
        word = f"word{len(self.words)}x"
        self.words[word] = f"{model.__name__}.{name}"
        return word

    def _widget(self, model: type[BaseModel]) -> DynamicWidgetRoot:
        text = {"type": "Text", "value": self._word(model, "widget")}
        return DynamicWidgetRoot.model_validate({"type": "Card", "children": [text]})


def choices(annotation: Any) -> int:
    """Return how many instances make every choice that a model leaves."""
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return 0
    counts = [_choices(field.annotation) for field in fields_of(annotation).values()]
    return max(counts, default=1) or 1


def _choices(annotation: Any) -> int:
    if annotation in (IconName | None, WidgetRoot):
        return 1
    counts = []
    for each in members(annotation):
        if get_origin(each) is Literal:
            counts.append(len(get_args(each)))
        elif each is bool:
            counts.append(2)
        else:
            counts.append(choices(each))
    return max([len(counts), *counts], default=1)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models of a union."""
    return [each for each in members(annotation) if issubclass(each, BaseModel)]
