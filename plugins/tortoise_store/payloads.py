"""ChatKit's objects as JSON text, and back, without loss."""

from __future__ import annotations

import re
from functools import cache
from types import NoneType
from typing import Any, get_args

import chatkit.types
import chatkit.widgets
import orjson
from chatkit.types import Attachment, ThreadItem, ThreadMetadata, WidgetItem
from chatkit.widgets import DynamicWidgetRoot
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

_THREAD: TypeAdapter[ThreadMetadata] = TypeAdapter(ThreadMetadata)
_ITEM: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)
_ATTACHMENT: TypeAdapter[Attachment] = TypeAdapter(Attachment)


def _dump(adapter: TypeAdapter[Any], value: Any) -> str:
    """Return JSON that can be read again.

    Raises `TypeError` for a value that somebody has changed to what its type does not allow: one
    such item would keep its whole thread from being loaded.
    """
    try:
        payload = adapter.dump_json(value, warnings="error")
        # pydantic never warns of None
        is_sound = _optional(value.__class__).issuperset(_NULL.findall(payload))
    except PydanticSerializationError:
        # Some of that can be read again, such as a widget that is a dict
        payload = adapter.dump_json(value, warnings="none")
        is_sound = False
    if not is_sound:
        _check(adapter, payload, value)
    return payload.decode()


_NULL = re.compile(rb'"(\w+)":null')


@cache
def _optional(kind: Any) -> frozenset[bytes]:
    """Return the names that may be None in a thread, or in all of ChatKit that has such a field."""
    models: list[type[BaseModel]] = [kind]
    if not issubclass(kind, ThreadMetadata):
        models += [
            found
            for module in (chatkit.types, chatkit.widgets)
            for found in vars(module).values()
            if isinstance(found, type) and issubclass(found, BaseModel)
        ]
    fields = [field for model in models for field in model.model_fields.items()]
    needed = {name for name, field in fields if NoneType not in get_args(field.annotation)}
    return frozenset(name.encode() for name, _ in fields if name not in needed)


def _check(adapter: TypeAdapter[Any], payload: bytes, value: Any) -> None:
    try:
        adapter.validate_json(payload)
    except ValidationError as error:
        names = {".".join(map(str, each["loc"])) for each in error.errors(include_input=False)}
        wrong = ", ".join(sorted(names))
        raise TypeError(f"{type(value).__name__} with wrong values: {wrong}") from None


def size_of(payload: str) -> int:
    """Return the bytes of a payload, as it is stored."""
    return len(payload) if payload.isascii() else len(payload.encode())


def dump_thread(thread: ThreadMetadata) -> str:
    """Return a thread's metadata as JSON, without its items."""
    return _dump(_THREAD, thread)


def load_thread(payload: str) -> ThreadMetadata:
    """Return the thread of a payload."""
    return _THREAD.validate_json(payload)


def dump_item(item: ThreadItem) -> str:
    """Return an item as JSON, with the fields that clients are not sent."""
    return _dump(_ITEM, item)


def load_item(payload: str) -> ThreadItem:
    """Return the item of a payload."""
    item = _ITEM.validate_json(payload)
    # ChatKit tries its named widget classes first. They drop unknown fields and add defaults.
    if isinstance(item, WidgetItem) and dump_item(item) != payload:
        widget = DynamicWidgetRoot.model_validate(orjson.loads(payload)["widget"])
        return item.model_copy(update={"widget": widget})
    return item


def dump_attachment(attachment: Attachment) -> str:
    """Return an attachment as JSON, its metadata included."""
    return _dump(_ATTACHMENT, attachment)


def load_attachment(payload: str) -> Attachment:
    """Return the attachment of a payload."""
    return _ATTACHMENT.validate_json(payload)
