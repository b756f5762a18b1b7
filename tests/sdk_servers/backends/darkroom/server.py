"""An agent that sees what was attached."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, Runner
from chatkit.agents import AgentContext, ThreadItemConverter, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.types import Attachment, ThreadMetadata, ThreadStreamEvent, UserMessageItem
from openai.types.responses import (
    ResponseInputContentParam,
    ResponseInputImageParam,
    ResponseInputTextParam,
)

from ..memory_store import MemoryStore
from .files import LocalFiles

DarkroomContext = AgentContext[dict[str, Any]]

darkroom_agent = Agent[DarkroomContext](
    name="Darkroom", model="gpt-4.1-mini", instructions="Describe what is attached."
)


class FilesConverter(ThreadItemConverter):
    """Sends images as data URLs, and texts as they are."""

    def __init__(self, files: LocalFiles) -> None:
        self.files = files

    async def attachment_to_message_content(
        self, attachment: Attachment
    ) -> ResponseInputContentParam:
        data = self.files.files[attachment.id]
        if attachment.type == "file":
            text = f"<FILE name={attachment.name}>{data.decode()}</FILE>"
            return ResponseInputTextParam(type="input_text", text=text)
        url = f"data:{attachment.mime_type};base64,{base64.b64encode(data).decode()}"
        return ResponseInputImageParam(type="input_image", detail="low", image_url=url)


class DarkroomServer(ChatKitServer[dict[str, Any]]):
    """Answers about files."""

    def __init__(self) -> None:
        self.store: MemoryStore = MemoryStore()
        self.files = LocalFiles(self.store)
        super().__init__(self.store, attachment_store=self.files)
        self.converter = FilesConverter(self.files)

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(thread.id, None, 20, "desc", context)
        told = await self.converter.to_agent_input(list(reversed(page.data)))
        agent_context = DarkroomContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(darkroom_agent, told, context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event
