"""What the agent of a trial has: tools, and a place for files."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from agents import function_tool
from chatkit.types import Attachment, AttachmentCreateParams, FileAttachment

from ...plugin.hookspecs import hookimpl
from ...turn import StoreContext, Turn
from ...uploads import FileStore

_MEETING = 1.0
"""Seconds that a user waits for the other one, who may be refused."""


class Parts:
    """Gives the agent tools."""

    def __init__(self) -> None:
        self._meeting = asyncio.Barrier(2)

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.tools = [*turn.tools, break_down, wait_for_ever, function_tool(self.meet)]

    async def meet(self) -> str:
        """Wait until the other user is here, too."""
        with suppress(TimeoutError, asyncio.BrokenBarrierError):
            async with asyncio.timeout(_MEETING):
                await self._meeting.wait()
        return "Both are here."


class PartsWithFiles(Parts):
    """Keeps what is known of files, and no bytes."""

    @hookimpl
    def attachment_store(self) -> FileStore:
        return _Files()


class _Files(FileStore):
    async def create_attachment(
        self, input: AttachmentCreateParams, context: StoreContext
    ) -> Attachment:
        made = self.generate_attachment_id(input.mime_type, context)
        return FileAttachment(id=made, name=input.name, mime_type=input.mime_type)

    async def delete_attachment(self, attachment_id: str, context: StoreContext) -> None:
        return


@function_tool(failure_error_function=None)
async def break_down() -> str:
    """Fail."""
    raise RuntimeError("the tool of the trial fails")


@function_tool
async def wait_for_ever() -> str:
    """Wait."""
    await asyncio.Event().wait()
    return ""
