"""What the model gets of a file: its text, its image, or its name."""

from __future__ import annotations

import asyncio
import base64
from typing import Any
from weakref import WeakValueDictionary

from chatkit.types import Attachment, UserMessageItem

from chatkit_server import NotFound, Turn, Unavailable

from .bucket import AWAY
from .extracting import CUT
from .files import Files, Record, is_ours
from .kinds import SHOWN
from .routes import image_kind

Part = dict[str, Any]

_UNREADABLE = "which cannot be read right now"

_FILES = 4
"""The files of a message may have so many times the text of one; if there are more, they share."""


class Telling:
    """Makes the parts of a user's message for its attachments."""

    def __init__(self, files: Files, characters: int) -> None:
        self._files = files
        self._most = characters * _FILES
        self._failed: WeakValueDictionary[str, Turn] = WeakValueDictionary()

    async def parts(self, turn: Turn, attachment: Attachment) -> list[Part] | None:
        """Return what the model gets of an attachment, None for those of others.

        While the storage is away, a message cannot be answered that has a file; a file of an
        earlier message is only named.
        """
        if not is_ours(attachment.id):
            return None
        asked = turn.message.attachments if turn.message is not None else []
        is_new = any(one.id == attachment.id for one in asked)
        if turn.id in self._failed and not is_new:
            # A storage that says nothing is waited for once in a turn
            return [_text(f"[attached file: {attachment.name}, {_UNREADABLE}]")]
        try:
            async with asyncio.timeout(self._files.bucket.patience):
                return await self._parts(turn, attachment)
        except NotFound:
            return None
        except (Unavailable, TimeoutError):
            if is_new:
                raise Unavailable(AWAY, retry_after=10) from None
            self._failed[turn.id] = turn
            return [_text(f"[attached file: {attachment.name}, {_UNREADABLE}]")]

    async def _parts(self, turn: Turn, attachment: Attachment) -> list[Part]:
        record = await self._files.records_own(attachment.id, turn.user)
        if record is None:
            return [_text(f"[attached file: {attachment.name}, which is no longer there]")]
        return [await self._part(attachment.id, record, self._share(turn, attachment))]

    def _share(self, turn: Turn, attachment: Attachment) -> int:
        """Return how many characters of a file may be sent: less, if its message has many."""
        for item in reversed(turn.items):
            files = item.attachments if isinstance(item, UserMessageItem) else []
            if any(file.id == attachment.id for file in files):
                return self._most // max(_FILES, len(files))
        return self._most // _FILES

    async def _part(self, file_id: str, record: Record, characters: int) -> Part:
        if record.mime_type in SHOWN:
            return await self._image(file_id, record)
        text = await self._files.text(file_id, record)
        what = _described(record)
        if not text:
            reason = f", not shown: {record.note}" if record.note else ""
            return _text(f"[attached file: {what}{reason}]")
        if len(text) > characters + len(CUT):
            text = f"{text[:characters]}\n{CUT}"
        note = f"; {record.note}" if record.note else ""
        return _text(f"[attached file: {what}{note}]\n{text}\n[end of {record.name}]")

    async def _image(self, file_id: str, record: Record) -> Part:
        if not record.has_image and record.is_too_large:
            return _text(f"[attached image: {record.name}, too large to be shown]")
        data = await self._files.image(file_id, record)
        if data is None:
            return _text(f"[attached image: {record.name}, which is no longer there]")
        kind = image_kind(data) if record.has_image else record.mime_type
        url = f"data:{kind};base64,{base64.b64encode(data).decode()}"
        return {"type": "input_image", "detail": "auto", "image_url": url}


def _described(record: Record) -> str:
    count = record.pages
    pages = f", {count} page{'' if count == 1 else 's'}" if count else ""
    return f"{record.name} ({record.mime_type}{pages}, {record.size} bytes)"


def _text(text: str) -> Part:
    return {"type": "input_text", "text": text}
