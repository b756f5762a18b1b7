"""ChatKit's objects as JSON text, and back, without loss."""

from __future__ import annotations

import orjson
from chatkit.types import Attachment, ThreadItem, ThreadMetadata, WidgetItem
from chatkit.widgets import DynamicWidgetRoot
from pydantic import TypeAdapter

_THREAD: TypeAdapter[ThreadMetadata] = TypeAdapter(ThreadMetadata)
_ITEM: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)
_ATTACHMENT: TypeAdapter[Attachment] = TypeAdapter(Attachment)


def size_of(payload: str) -> int:
    """Return the bytes of a payload, as it is stored."""
    return len(payload) if payload.isascii() else len(payload.encode())


def dump_thread(thread: ThreadMetadata) -> str:
    """Return a thread's metadata as JSON, without its items."""
    return _THREAD.dump_json(thread).decode()


def load_thread(payload: str) -> ThreadMetadata:
    """Return the thread of a payload."""
    return _THREAD.validate_json(payload)


def dump_item(item: ThreadItem) -> str:
    """Return an item as JSON, with the fields that clients are not sent."""
    return _ITEM.dump_json(item).decode()


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
    return _ATTACHMENT.dump_json(attachment).decode()


def load_attachment(payload: str) -> Attachment:
    """Return the attachment of a payload."""
    return _ATTACHMENT.validate_json(payload)
