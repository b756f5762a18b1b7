"""An answer that is only text, without the Agents SDK's handling of each chunk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from agents.models.fake_id import FAKE_RESPONSES_ID
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseCreatedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseTextDeltaEvent,
    ResponseUsage,
)
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails

from chatkit_server.models import EventSink, TextFastPath

from .chunks import (
    Chunk,
    Content,
    content_of,
    malformed_is_model_error,
    only_text,
    with_text,
    without_ends,
)
from .reader import ChunkReader


class TextAnswer:
    """Sends an answer to a turn, as long as it is only text and ends with its usage.

    The Agents SDK makes an object of each chunk, and several of its content. If the answer has
    anything else, `complete` stays False, and `left` has the chunks that the SDK must handle.
    """

    def __init__(
        self, response: Response, reader: ChunkReader, fast_path: TextFastPath, sink: EventSink
    ) -> None:
        self.complete = False
        self.left: list[Chunk] = []
        self._response = response
        self._reader = reader
        self._fast_path = fast_path
        self._sink = sink
        self._finish: Chunk | None = None
        self._usage: Chunk | None = None

    async def events(
        self, chunks: AsyncIterator[Chunk]
    ) -> AsyncIterator[ResponseCreatedEvent | ResponseCompletedEvent]:
        """Yield the two events that the SDK needs: the answer's start, and all of it at its end.

        Returns early, with chunks in `left`, if the answer has anything but text.
        """
        started = False
        async for chunk in chunks:
            with malformed_is_model_error():
                found = content_of(chunk)
            if found is None:
                self.left = [*self._reader.held(), *self._ends, chunk]
                return
            if found.text and not started:
                started = True
                created = ResponseCreatedEvent(
                    type="response.created", response=self._response, sequence_number=0
                )
                await self._sink.event(created)
                yield created
            await self._take(chunk, found)
        held = self._reader.held()
        if not held or self._finish is None or self._usage is None:
            self.left = [*held, *self._ends]
            return
        message = self._message(only_text(held[0]) or "")
        await self._sink.event(
            ResponseOutputItemDoneEvent(
                type="response.output_item.done", item=message, output_index=0, sequence_number=2
            )
        )
        self.complete = True
        completed = self._completed(message, self._usage["usage"])
        await self._sink.event(completed)
        yield completed

    async def _take(self, chunk: Chunk, found: Content) -> None:
        if found.text:
            if not self._fast_path.take(found.text):
                await self._start_message(found.text)
            self._reader.last = chunk
            if found.finish or found.usage:
                self._reader.last = without_ends(chunk)
                chunk = with_text(chunk, None)
        if found.finish:
            self._finish = chunk
        if found.usage:
            self._usage = chunk
            self._fast_path.usage(chunk["usage"])

    async def _start_message(self, text: str) -> None:
        await self._sink.event(
            ResponseTextDeltaEvent(
                type="response.output_text.delta",
                delta=text,
                content_index=0,
                item_id=FAKE_RESPONSES_ID,
                output_index=0,
                logprobs=[],
                sequence_number=1,
            )
        )
        self._fast_path.began(text)

    @property
    def _ends(self) -> list[Chunk]:
        """The chunks with the finish reason and the usage, without text; they may be one chunk."""
        ends = [chunk for chunk in (self._finish, self._usage) if chunk is not None]
        return ends[:1] if len(ends) == 2 and ends[0] is ends[1] else ends

    def _message(self, text: str) -> ResponseOutputMessage:
        with_id = (c for c in (self._finish, self._reader.last) if c and c.get("id"))
        last = next(with_id, None)
        data = {"model": self._response.model} | ({"response_id": last["id"]} if last else {})
        return ResponseOutputMessage(
            id=FAKE_RESPONSES_ID,
            content=[
                ResponseOutputText(type="output_text", text=text, annotations=[], logprobs=[])
            ],
            role="assistant",
            type="message",
            status="completed",
            provider_data=data,
        )

    def _completed(
        self, message: ResponseOutputMessage, usage: Mapping[str, Any]
    ) -> ResponseCompletedEvent:
        with malformed_is_model_error():
            update = {"output": [message], "usage": _usage(usage)}
        response = self._response.model_copy(update=update)
        return ResponseCompletedEvent(
            type="response.completed", response=response, sequence_number=3
        )


def _usage(usage: Mapping[str, Any]) -> ResponseUsage:
    """Return the usage of a chunk in the form of the Responses API."""
    read = usage.get("prompt_tokens_details") or {}
    written = usage.get("completion_tokens_details") or {}
    return ResponseUsage(
        input_tokens=usage.get("prompt_tokens") or 0,
        output_tokens=usage.get("completion_tokens") or 0,
        total_tokens=usage.get("total_tokens") or 0,
        input_tokens_details=InputTokensDetails(
            cached_tokens=read.get("cached_tokens") or 0,
            cache_write_tokens=read.get("cache_write_tokens") or 0,
        ),
        output_tokens_details=OutputTokensDetails(
            reasoning_tokens=written.get("reasoning_tokens") or 0
        ),
    )
