"""Write what is held of a user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel

from ..turn import User
from ..user_file import UserFile
from ..web.keys import HOOKS, STORE_PLUGIN
from .conversations import Conversations, attachments_of
from .output import Output, opened
from .plugins import Failures, Held, exporting
from .started import started


async def export(file: Path, user: User, target: Path | None) -> tuple[Failures, int]:
    """Write all data of a user; return what has failed, and how many files were left out."""
    async with started(file) as app:
        with opened(target) as output:
            failures = await Exporter(app, user, output).write()
    return failures, 0 if output.takes_files else output.files


class Exporter:
    """Writes one JSON object, piece by piece: a user may have more than the memory takes."""

    def __init__(self, app: web.Application, user: User, output: Output) -> None:
        self._app = app
        self._user = user
        self._output = output
        self._failures = Failures()
        self._named: dict[str, None] = {}

    async def write(self) -> Failures:
        """Write everything; return what has failed."""
        told = {"id": self._user.id, "tenant": self._user.tenant}
        time = datetime.now(UTC).isoformat(timespec="seconds")
        self._put(b'{"user": %b,\n"exported": %b,\n"conversations": [' % (_json(told), _json(time)))
        conversations = Conversations(self._app, self._user)
        with self._failures.of(self._app[STORE_PLUGIN]):
            await self._write_conversations(conversations)
        self._put(b'],\n"attachments": [')
        with self._failures.of(self._app[STORE_PLUGIN]):
            await self._write_rows(self._attachments(conversations))
        self._put(b'],\n"plugins": {')
        comma = b"\n"
        for plugin, held in exporting(self._app[HOOKS], self._user):
            self._put(b"%b%b: [" % (comma, _json(plugin)))
            with self._failures.of(plugin):
                await self._write_rows(self._rows(plugin, held))
            self._put(b"]")
            comma = b",\n"
        self._put(b'},\n"failed": %b}\n' % _json(self._failures))
        return self._failures

    async def _write_conversations(self, conversations: Conversations) -> None:
        comma = b"\n"
        async for thread in conversations.threads():
            about = _json(thread)[:-1]
            self._put(b'%b%b, "items": [' % (comma, about))
            try:
                await self._write_rows(self._items(conversations, thread.id))
            finally:
                self._put(b"]}")
            comma = b",\n"

    async def _items(self, conversations: Conversations, thread_id: str) -> AsyncIterator[Any]:
        async for item in conversations.items(thread_id):
            self._named |= dict.fromkeys(attachments_of(item))
            yield item

    async def _attachments(self, conversations: Conversations) -> AsyncIterator[Any]:
        for attachment_id in self._named:
            if (found := await conversations.attachment(attachment_id)) is not None:
                yield found

    async def _rows(self, plugin: str, held: AsyncIterator[Held]) -> AsyncIterator[Any]:
        async for part in held:
            if isinstance(part, UserFile):
                path = await self._output.add(plugin, part)
                yield {"file": part.name, "path": path}
            else:
                yield part

    async def _write_rows(self, rows: AsyncIterator[Any]) -> None:
        comma = b"\n"
        async for row in rows:
            self._put(comma + _json(row))
            comma = b",\n"

    def _put(self, data: bytes) -> None:
        self._output.data.write(data)


def _json(value: Any) -> bytes:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, dict):
        return {**value}
    if hasattr(value, "keys"):
        return {key: value[key] for key in value.keys()}  # noqa: SIM118
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)
