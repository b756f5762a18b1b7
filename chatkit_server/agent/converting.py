"""Items of a thread become input items, by ChatKit's `ThreadItemConverter` or one of a plugin."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, cast

from agents import TResponseInputItem
from chatkit.agents import ThreadItemConverter
from chatkit.types import (
    AssistantMessageItem,
    Attachment,
    HiddenContextItem,
    ImageAttachment,
    ThreadItem,
    UserMessageItem,
    UserMessageTagContent,
    WidgetItem,
)
from openai.types.responses import ResponseInputContentParam, ResponseInputTextParam
from pydantic import BaseModel

from .media import preview_part
from .sound import as_dict

_MESSAGE_ID = re.compile(r"msg_[A-Za-z0-9_-]{1,60}")
_DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/=]{200,}")

_Input = TResponseInputItem | list[TResponseInputItem] | None

AttachmentReader = Callable[[Attachment], Awaitable[list[dict[str, Any]] | None]]
"""Returns the parts that plugins make of an attachment, None if no plugin does."""

_READER: ContextVar[AttachmentReader | None] = ContextVar("attachment_reader", default=None)
"""Of the turn whose items are being converted: a plugin's converter may serve several at once."""

_SEVERAL = "several_parts"
"""The type of what stands for several parts: ChatKit's converter takes one for each attachment."""


class HistoryConverter(ThreadItemConverter):
    """ChatKit's converter, with the parts that it leaves open: attachments, tags, hidden items."""

    async def attachment_to_message_content(
        self, attachment: Attachment
    ) -> ResponseInputContentParam:
        read = _READER.get()
        parts = await read(attachment) if read is not None else None
        if parts is not None:
            checked = [await _checked_part(part, attachment.name) for part in parts]
            return cast(ResponseInputContentParam, {"type": _SEVERAL, "parts": checked})
        if isinstance(attachment, ImageAttachment):
            part = await preview_part(str(attachment.preview_url), attachment.name)
            return cast(ResponseInputContentParam, part)
        return _text(f"[attached file: {attachment.name} ({attachment.mime_type})]")

    async def tag_to_message_content(self, tag: UserMessageTagContent) -> ResponseInputContentParam:
        return _text(f"@{tag.text}: {json.dumps(tag.data, ensure_ascii=False)}")

    async def hidden_context_to_input(self, item: HiddenContextItem) -> _Input:
        if isinstance(item.content, str):
            return await super().hidden_context_to_input(item)
        text = json.dumps(item.content, ensure_ascii=False, default=str)
        return await super().hidden_context_to_input(item.model_copy(update={"content": text}))

    async def user_message_to_input(
        self, item: UserMessageItem, is_last_message: bool = True
    ) -> _Input:
        """Return a message after what it quotes, whether or not it is the last one."""
        quoted = (item.quoted_text or "").strip()
        bare = item.model_copy(update={"quoted_text": None}) if item.quoted_text else item
        found = _as_list(await super().user_message_to_input(bare, is_last_message))
        if not quoted:
            return found
        text = f"The user's message is about this quotation:\n<Quotation>\n{quoted}\n</Quotation>"
        return [{"type": "message", "role": "user", "content": [_text(text)]}, *found]

    async def widget_to_input(self, item: WidgetItem) -> _Input:
        found = _as_list(await super().widget_to_input(item))
        for entry in cast(list[dict[str, Any]], found):
            for part in entry["content"]:
                # As text, a picture's bytes say nothing
                part["text"] = _DATA_URL.sub("[data]", part["text"])
        return found

    async def assistant_message_to_input(self, item: AssistantMessageItem) -> _Input:
        # With its id: chat-completions models refuse a message without one
        return cast(
            TResponseInputItem,
            {
                "id": _message_id(item.id),
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [
                    {"type": "output_text", "text": content.text, "annotations": []}
                    for content in item.content
                ],
            },
        )


class Conversion:
    """Converts items, one at a time.

    What ChatKit's own converter refuses, and a plugin's does not define, is done as in
    `HistoryConverter`. What a converter raises names it.
    """

    def __init__(
        self, converter: ThreadItemConverter, read: AttachmentReader | None = None
    ) -> None:
        if not isinstance(converter, ThreadItemConverter):
            raise TypeError(
                f"make_input got a {type(converter).__name__}, expected a "
                "chatkit.agents.ThreadItemConverter"
            )
        self._given = converter
        self._converter = _completed(converter)
        self._converts_lists = self.defines("to_agent_input")
        self._read = read

    def defines(self, name: str) -> bool:
        """Whether a plugin's converter has a method of its own by this name."""
        own = getattr(type(self._given), name)
        ours = (getattr(ThreadItemConverter, name), getattr(HistoryConverter, name))
        return name in vars(self._given) or own not in ours

    async def of(self, item: ThreadItem, is_last: bool = True) -> list[dict[str, Any]]:
        """Return an item as input items. `is_last` says whether it is the last of all."""
        token = _READER.set(self._read)
        try:
            if isinstance(item, UserMessageItem) and not self._converts_lists:
                found: Any = await self._converter.user_message_to_input(item, is_last)
            else:
                found = await self._converter.to_agent_input([item])
            return self._checked(_as_list(found))
        except Exception as error:
            error.add_note(f"converter {self._name}, item {item.id} ({item.type})")
            raise
        finally:
            _READER.reset(token)

    @property
    def _name(self) -> str:
        return type(self._given).__qualname__

    def _checked(self, found: list[Any]) -> list[dict[str, Any]]:
        for entry in found:
            if not isinstance(entry, dict | BaseModel):
                name = type(entry).__name__
                raise TypeError(f"the converter {self._name} returned a {name}, expected a dict")
        return [_with_all_parts(as_dict(entry)) for entry in found]


async def _checked_part(part: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a plugin's part as models take it: they refuse a request for one odd picture."""
    url = part.get("image_url")
    is_picture = part.get("type") == "input_image" and isinstance(url, str)
    return await preview_part(cast(str, url), name) if is_picture else part


def _with_all_parts(entry: dict[str, Any]) -> dict[str, Any]:
    content = entry.get("content")
    if not isinstance(content, list) or not any(_is_several(part) for part in content):
        return entry
    parts = [p for part in content for p in (part["parts"] if _is_several(part) else [part])]
    return {**entry, "content": parts}


def _is_several(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == _SEVERAL


def _completed(converter: ThreadItemConverter) -> ThreadItemConverter:
    """Return a converter with `HistoryConverter` as the base class in place of ChatKit's.

    So what it inherits, or asks of `super()`, is ours. It shares the attributes of the one given.
    """
    if isinstance(converter, HistoryConverter):
        return converter
    completed = copy.copy(converter)
    # As `object` does it: the class may be a frozen dataclass
    object.__setattr__(completed, "__class__", _completed_class(cast(Any, type(converter))))
    object.__setattr__(completed, "__dict__", vars(converter))
    return completed


@lru_cache(100)
def _completed_class(kind: Any) -> Any:
    if kind is ThreadItemConverter:
        return HistoryConverter
    return type(kind.__name__, (kind, HistoryConverter), {"__slots__": ()})


def _as_list(found: Any) -> list[Any]:
    if found is None:
        return []
    return list(found) if isinstance(found, list | tuple) else [found]


def as_told(entry: dict[str, Any], told: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Return a message as a converter tells it, with what only its model reads of it."""
    if told is None:
        return [entry]
    if len(told) == 1 and told[0].get("role") == "assistant":
        return [{**entry, "content": told[0].get("content")}]
    return told


def _message_id(item_id: str) -> str:
    """Return an id that OpenAI takes, which a plugin's item may not have."""
    if _MESSAGE_ID.fullmatch(item_id):
        return item_id
    return f"msg_{hashlib.sha256(item_id.encode(errors='replace')).hexdigest()[:32]}"


def _text(text: str) -> ResponseInputTextParam:
    return {"type": "input_text", "text": text}
