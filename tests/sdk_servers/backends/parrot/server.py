"""A parrot: it says what it heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    AudioInput,
    ClientToolCallItem,
    CustomTask,
    EndOfTurnItem,
    FeedbackKind,
    FileSource,
    HiddenContextItem,
    StreamOptions,
    StreamOptionsEvent,
    TaskItem,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdate,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    ThreadUpdatedEvent,
    TranscriptionResult,
    UserMessageItem,
    UserMessageTextContent,
)

from ..memory_store import MemoryStore


class ParrotServer(ChatKitServer[dict[str, Any]]):
    """Yields its events itself."""

    def __init__(self, store: Store[dict[str, Any]] | None = None) -> None:
        super().__init__(store or MemoryStore())
        self.feedback: dict[str, FeedbackKind] = {}

    def get_stream_options(self, thread: ThreadMetadata, context: dict[str, Any]) -> StreamOptions:
        return StreamOptions(allow_cancel=thread.title != "Long")

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        heard = spoken(input_user_message)
        if heard == "nothing":
            return
        if heard == "fetch":
            yield ThreadItemDoneEvent(item=self._fetch(thread, context))
            return
        if input_user_message is None:
            page = await self.store.load_thread_items(thread.id, None, 2, "desc", context)
            heard = str([item.output for item in page.data if item.type == "client_tool_call"])
        hidden = HiddenContextItem(**self._head(thread, context), content={"heard": heard})
        yield ThreadItemDoneEvent(item=hidden)
        task = TaskItem(**self._head(thread, context), task=CustomTask(title="Listening"))
        yield ThreadItemDoneEvent(item=task)
        item = AssistantMessageItem(**self._head(thread, context), content=[])
        yield ThreadItemAddedEvent(item=item)
        yield update(item, AssistantMessageContentPartAdded(content_index=0, content=part("")))
        for word in heard.split():
            delta = AssistantMessageContentPartTextDelta(content_index=0, delta=f"{word}! ")
            yield update(item, delta)
            match word:
                case "forever":
                    await asyncio.Event().wait()
                case "silence":
                    return
                case "thunder":
                    raise RuntimeError("the parrot fell off")
                case "hush":
                    yield ThreadItemRemovedEvent(item_id=item.id)
                    return
                case "polite":
                    polite = item.model_copy(update={"content": [part("Please!")]})
                    yield ThreadItemReplacedEvent(item=polite)
                    return
                case "quick":
                    yield StreamOptionsEvent(stream_options=StreamOptions(allow_cancel=False))
                case "name":
                    thread.title = "Polly"
                    yield ThreadUpdatedEvent(thread=self._to_thread_response(thread))
        source = Annotation(source=FileSource(filename="heard.txt", title="Heard"), index=0)
        whole = part("".join(f"{word}! " for word in heard.split()), source)
        yield update(item, AssistantMessageContentPartDone(content_index=0, content=whole))
        yield ThreadItemDoneEvent(item=item.model_copy(update={"content": [whole]}))
        yield ThreadItemDoneEvent(item=EndOfTurnItem(**self._head(thread, context)))

    async def add_feedback(
        self,
        thread_id: str,
        item_ids: list[str],
        feedback: FeedbackKind,
        context: dict[str, Any],
    ) -> None:
        thread = await self.store.load_thread(thread_id, context)
        thread.title = f"{feedback} for {len(item_ids)}"
        await self.store.save_thread(thread, context)

    async def transcribe(
        self, audio_input: AudioInput, context: dict[str, Any]
    ) -> TranscriptionResult:
        heard = audio_input.data.decode()
        return TranscriptionResult(text=f"{heard} ({audio_input.media_type})")

    async def handle_stream_cancelled(
        self,
        thread: ThreadMetadata,
        pending_items: list[ThreadItem],
        context: dict[str, Any],
    ) -> None:
        for item in pending_items:
            if isinstance(item, AssistantMessageItem):
                item.content = [*item.content, part("(stopped)")]
                await self.store.add_thread_item(thread.id, item, context)
        thread.title = "Stopped"
        await self.store.save_thread(thread, context)

    def _fetch(self, thread: ThreadMetadata, context: dict[str, Any]) -> ClientToolCallItem:
        return ClientToolCallItem(
            **self._head(thread, context),
            call_id=self.store.generate_item_id("tool_call", thread, context),
            name="fetch",
            arguments={"what": "a nut"},
        )

    def _head(self, thread: ThreadMetadata, context: dict[str, Any]) -> dict[str, Any]:
        """Return what every item has."""
        return {
            "id": self.store.generate_item_id("message", thread, context),
            "thread_id": thread.id,
            "created_at": datetime.now(),
        }


def spoken(message: UserMessageItem | None) -> str:
    """Return the text of a message."""
    content = message.content if message else []
    return "".join(c.text for c in content if isinstance(c, UserMessageTextContent))


def part(text: str, *annotations: Annotation) -> AssistantMessageContent:
    """Return a part of a message."""
    return AssistantMessageContent(text=text, annotations=list(annotations))


def update(item: AssistantMessageItem, change: ThreadItemUpdate) -> ThreadItemUpdatedEvent:
    """Return the event of a change in an item."""
    return ThreadItemUpdatedEvent(item_id=item.id, update=change)
