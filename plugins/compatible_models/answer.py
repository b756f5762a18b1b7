"""An answer that is nothing but text, without the Agents SDK's handling of each chunk."""

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

from .chunks import Chunk, Said, only_text, readable, said, text_alone, with_text
from .reader import Reader


class TextAnswer:
    """Says an answer to a turn, as long as it says nothing but text and ends with its usage.

    The Agents SDK makes an object of each chunk, and several of what is in it. Where the answer has
    more, it is not `complete`, and `left` are the chunks for the SDK, from the first on.
    """

    def __init__(
        self, response: Response, reader: Reader, fast_path: TextFastPath, sink: EventSink
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
        """Yield what the SDK has to know: that the answer has begun, and all of it at its end.

        Ends before that, with chunks in `left`, if the answer has more than text.
        """
        begun = False
        async for chunk in chunks:
            with readable():
                found = said(chunk)
            if found is None:
                self.left = [*self._reader.held(), *self._ends, chunk]
                return
            if found.text and not begun:
                begun = True
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
        yield self._completed(message, self._usage["usage"])

    async def _take(self, chunk: Chunk, found: Said) -> None:
        if found.text:
            if not self._fast_path.take(found.text):
                await self._begin(found.text)
            self._reader.last = chunk
            if found.finish or found.usage:
                self._reader.last = text_alone(chunk)
                chunk = with_text(chunk, None)
        if found.finish:
            self._finish = chunk
        if found.usage:
            self._usage = chunk

    async def _begin(self, text: str) -> None:
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
        """The chunks with the finish reason and the usage, which may be one, without text."""
        ends = [chunk for chunk in (self._finish, self._usage) if chunk is not None]
        return ends[:1] if len(ends) == 2 and ends[0] is ends[1] else ends

    def _message(self, text: str) -> ResponseOutputMessage:
        told = (chunk for chunk in (self._finish, self._reader.last) if chunk and chunk.get("id"))
        last = next(told, None)
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
        with readable():
            told = {"output": [message], "usage": _usage(usage)}
        response = self._response.model_copy(update=told)
        return ResponseCompletedEvent(
            type="response.completed", response=response, sequence_number=3
        )


def _usage(told: Mapping[str, Any]) -> ResponseUsage:
    """Return the usage of a chunk as the Responses API has it."""
    read = told.get("prompt_tokens_details") or {}
    written = told.get("completion_tokens_details") or {}
    return ResponseUsage(
        input_tokens=told.get("prompt_tokens") or 0,
        output_tokens=told.get("completion_tokens") or 0,
        total_tokens=told.get("total_tokens") or 0,
        input_tokens_details=InputTokensDetails(
            cached_tokens=read.get("cached_tokens") or 0,
            cache_write_tokens=read.get("cache_write_tokens") or 0,
        ),
        output_tokens_details=OutputTokensDetails(
            reasoning_tokens=written.get("reasoning_tokens") or 0
        ),
    )
