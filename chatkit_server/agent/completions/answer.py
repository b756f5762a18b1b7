"""An answer of the chat-completions protocol, as the events and items of the Responses API."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar

import httpx2
import openai
from agents.items import TResponseStreamEvent
from agents.models.fake_id import FAKE_RESPONSES_ID
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseCreatedEvent,
    ResponseFunctionToolCall,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseOutputRefusal,
    ResponseOutputText,
    ResponseReasoningItem,
    ResponseReasoningSummaryTextDeltaEvent,
    ResponseRefusalDeltaEvent,
    ResponseTextDeltaEvent,
    ResponseUsage,
)
from openai.types.responses.response_output_item import ImageGenerationCall
from openai.types.responses.response_output_text import AnnotationURLCitation
from openai.types.responses.response_reasoning_item import Summary
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails

from ...text import HalfJoiner, valid_text
from ..fast.direct import EventSink
from ..output import OutputMeter
from ..sdk import completed_without_usage, keep_raw_usage
from .calls import CallCollector, CallMade
from .delta import Delta, read_chunk
from .details import DetailCollector
from .endings import check_ending, error_in, malformed_is_model_error
from .thoughts import ThoughtSplitter, without_unopened

Chunk = Mapping[str, Any]
"""A chunk of an answer as it was received, or a whole answer."""

AUDIO_NOTE = "[The model answered with sound, which cannot be played here.]"

_MOST_CITATIONS = 200
_LONGEST_ID = 256
_MOST_COMPARED = 20_000
"""Characters of a thought that are compared with what comes in another field."""

Item = TypeVar("Item", ResponseReasoningItem, ResponseFunctionToolCall)


class Answer:
    """Reads the chunks of one answer, and tells them to a turn and to the Agents SDK.

    With a `sink`, everything goes there, and the SDK gets the answer's start and all of it at its
    end; without one, the SDK gets every event. `tools` are the names that the model was offered,
    `tags` is whether thoughts may stand in tags at the start of the text. With `refusals`, a
    refusal is told as one, which ends a run; otherwise it is what the model says.
    """

    def __init__(
        self,
        response: Response,
        sink: EventSink | None,
        meter: OutputMeter,
        *,
        tools: Collection[str] = (),
        tags: bool = False,
        raw_usage: bool = False,
        refusals: bool = False,
    ) -> None:
        self._response = response
        self._sink = sink
        self._meter = meter
        self._raw_usage = raw_usage
        self._refusals = refusals
        self._calls = CallCollector(tools, meter)
        self._details = DetailCollector(meter)
        self._tags = tags
        self._splitter = ThoughtSplitter(on=tags)
        self._text_halves, self._thought_halves = HalfJoiner(), HalfJoiner()
        self._refusal_halves = HalfJoiner()
        self._out: deque[TResponseStreamEvent] = deque()
        self._items = 0
        """The number of items that have begun, which is the index of the next."""
        self._message: int | None = None
        self._reasoning: int | None = None
        self._open = False
        self._blank = ""
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._content = self._refused = ""
        """The text and the refusal so far, once there was a refusal."""
        self._refusal_first = False
        self._thoughts: list[list[str]] = []
        """The pieces of each thought; something else came between them."""
        self._field = ""
        self._others: dict[str, str] = {}
        """The thoughts that came in other fields than the first."""
        self._citations: dict[tuple[Any, ...], Mapping[str, Any]] = {}
        self._images = 0
        self._audio: list[str] = []
        self._finish = ""
        self._usage: Mapping[str, Any] | None = None

    def take(self, text: str) -> bool:
        """Send a piece of text at once; return False if it must come as a chunk.

        The piece must have no half characters.
        """
        if not self._open or self._sink is None:
            return False
        self._sink.text(text)
        self._text.append(text)
        return True

    async def events(
        self, chunks: AsyncIterator[Chunk], is_done: Callable[[], bool]
    ) -> AsyncIterator[TResponseStreamEvent]:
        """Yield the events that the SDK needs; `is_done` tells whether the stream said its end.

        Raises `openai.APIError` for an error in the answer, `ConnectionError` if it broke off,
        `ModelBehaviorError` if it is not one or was cut off, and
        `openai.ContentFilterFinishReasonError`.
        """
        created = ResponseCreatedEvent(
            type="response.created", response=self._response, sequence_number=0
        )
        await self._send(created, to_sdk=True)
        try:
            async for chunk in chunks:
                await self._add(chunk)
                while self._out:
                    yield self._out.popleft()
        except (openai.APIConnectionError, ConnectionError, TimeoutError):
            # What breaks after the end is no loss
            if not self._finish:
                raise
        await self._end(is_done())
        while self._out:
            yield self._out.popleft()

    async def _add(self, chunk: Chunk) -> None:
        with malformed_is_model_error():
            error = error_in(chunk)
            found = read_chunk(chunk) if error is None else Delta()
        if error is not None:
            raise openai.APIError(error["message"], httpx2.Request("POST", "/"), body=error)
        if not self._refusals and (found.refusal or self._refused):
            self._put_together(found)
        if found.whole:
            self._drop_told(found)
        if found.usage is not None:
            self._usage = found.usage
            if self._sink is not None:
                self._sink.usage(*_tokens_of(found.usage))
        if found.details:
            self._details.add(found.details)
        if found.thought:
            await self._think(found.thought, found.thought_field)
        for is_thought, text in self._parted(found.text):
            await (self._think(text, "tags") if is_thought else self._say(text))
        if found.refusal:
            await self._refuse(self._refusal_halves.add(found.refusal))
        for citation in found.citations[:_MOST_CITATIONS]:
            key = (citation["url"], citation.get("start_index"), citation.get("end_index"))
            if len(self._citations) < _MOST_CITATIONS:
                self._citations.setdefault(key, citation)
        for url in found.images:
            await self._show(url)
        self._audio += found.audio
        if found.calls:
            self._calls.add(found.calls)
        self._finish = found.finish or self._finish

    def _put_together(self, found: Delta) -> None:
        """Make a refusal text, unless the text says the same; whichever comes first is told."""
        if not self._refused:
            self._content = self._told
        text, refused = self._content + found.text, self._refused + found.refusal
        shown = "" if self._refused.startswith(text) else found.text
        if found.refusal and not text.startswith(refused):
            shown += found.refusal
        self._content, self._refused = text, refused
        found.text, found.refusal = shown, ""

    def _drop_told(self, found: Delta) -> None:
        """Drop what has come before from a message that repeats it."""
        told = self._told
        if told:
            found.text = found.text.removeprefix(told) if found.text.startswith(told) else ""
        if self._thoughts:
            found.thought = ""
        if self._refusal:
            found.refusal = ""
        if self._calls:
            found.calls = []

    @property
    def _told(self) -> str:
        return valid_text("".join(self._text))

    def _parted(self, text: str) -> Iterator[tuple[bool, str]]:
        if not text:
            return
        if self._splitter.done:
            yield False, text
        else:
            yield from self._splitter.split(text)

    async def _think(self, text: str, field: str) -> None:
        if self._repeats(field, text):
            return
        self._field = self._field or field
        text = self._thought_halves.add(text)
        if not text:
            return
        if self._reasoning is None:
            self._reasoning = self._next_item()
            self._thoughts.append([])
        self._open = False
        self._thoughts[-1].append(text)
        await self._send(
            ResponseReasoningSummaryTextDeltaEvent(
                type="response.reasoning_summary_text.delta",
                delta=text,
                item_id=FAKE_RESPONSES_ID,
                output_index=self._reasoning,
                summary_index=0,
                sequence_number=1,
            )
        )

    def _repeats(self, field: str, text: str) -> bool:
        """Whether a field says what another has said already."""
        if not self._field or field == self._field:
            return False
        told = "".join(piece for pieces in self._thoughts for piece in pieces)
        if len(told) > _MOST_COMPARED:
            return True
        self._others[field] = self._others.get(field, "") + text
        return told.startswith(self._others[field])

    async def _end_thought(self) -> None:
        if self._reasoning is not None:
            index, self._reasoning = self._reasoning, None
            thought = ResponseReasoningItem(id=FAKE_RESPONSES_ID, type="reasoning", summary=[])
            await self._send(_item_done(thought, index))

    async def _say(self, text: str) -> None:
        self._open = False
        text = self._blank + self._text_halves.add(text)
        if not self._text and not text.strip():
            # Blank text alone is no answer
            self._blank = text
            return
        self._blank = ""
        if not text:
            return
        await self._end_thought()
        index = self._message_index()
        self._text.append(text)
        await self._send(
            ResponseTextDeltaEvent(
                type="response.output_text.delta",
                delta=text,
                content_index=int(self._refusal_first),
                item_id=FAKE_RESPONSES_ID,
                output_index=index,
                logprobs=[],
                sequence_number=1,
            )
        )
        waits = self._text_halves.waits or self._refused or self._refusal
        self._open = self._splitter.done and not waits

    async def _refuse(self, text: str) -> None:
        if not text:
            return
        await self._end_thought()
        self._open = False
        self._refusal_first = self._refusal_first or not (self._text or self._refusal)
        self._refusal.append(text)
        await self._send(
            ResponseRefusalDeltaEvent(
                type="response.refusal.delta",
                delta=text,
                content_index=int(not self._refusal_first),
                item_id=FAKE_RESPONSES_ID,
                output_index=self._message_index(),
                sequence_number=1,
            )
        )

    async def _show(self, url: str) -> None:
        self._images += 1
        index = self._next_item()
        encoded = url.partition(",")[2] if url.startswith("data:image/png;base64,") else url
        begun = ImageGenerationCall(
            id=f"{FAKE_RESPONSES_ID}{index}", type="image_generation_call", status="in_progress"
        )
        added = ResponseOutputItemAddedEvent(
            type="response.output_item.added", item=begun, output_index=index, sequence_number=1
        )
        await self._send(added)
        done = begun.model_copy(update={"result": encoded, "status": "completed"})
        await self._send(_item_done(done, index))

    async def _end(self, done: bool) -> None:
        """Tell what was held back, and the answer as a whole."""
        is_thought, held = self._splitter.end()
        if held:
            await (self._think(held, "tags") if is_thought else self._say(held))
        if half := self._thought_halves.end():
            await self._think(half, self._field)
        await self._say(self._text_halves.end())
        await self._refuse(self._refusal_halves.end())
        if not self._finish and not done:
            raise ConnectionAbortedError("the stream ended without a finish reason")
        if self._audio:
            await self._hear()
        calls = list(self._calls.made())
        said = bool(self._text or self._refusal or calls or self._images)
        check_ending(self._finish, said=said)
        await self._end_thought()
        if self._tags and not self._thoughts:
            await self._part_at_the_end()
        await self._complete(calls)

    async def _part_at_the_end(self) -> None:
        """Take a thought out of the text whose tag was opened before the answer began."""
        thought, text = without_unopened(self._told)
        if thought and text:
            await self._think(thought, "tags")
            await self._end_thought()
            self._text = [text]

    async def _hear(self) -> None:
        transcript = "" if self._text else "".join(self._audio)
        if self._text or transcript:
            transcript += "\n\n"
        await self._say(transcript + AUDIO_NOTE)

    async def _complete(self, calls: list[CallMade]) -> None:
        output: list[Any] = []
        if self._thoughts or self._details:
            output.append(self._reasoning_item())
        if self._text or self._refusal:
            message = self._message_item()
            output.append(message)
            await self._send(_item_done(message, self._message_index()))
        elif self._images and not calls:
            # The SDK asks again if an answer has no items
            output.append(_message_of([_text_of("", [])]))
        for call in calls:
            item, index = self._call_item(call), self._next_item()
            added = ResponseOutputItemAddedEvent(
                type="response.output_item.added", item=item, output_index=index, sequence_number=1
            )
            await self._send(added)
            await self._send(_item_done(item, index))
            output.append(item)
        usage = _usage(self._usage) if self._usage is not None else None
        response = self._response.model_copy(update={"output": output, "usage": usage})
        if usage is None:
            completed_without_usage(response)
        if self._raw_usage:
            keep_raw_usage(response, self._usage)
        completed = ResponseCompletedEvent(
            type="response.completed", response=response, sequence_number=2
        )
        await self._send(completed, to_sdk=True)

    def _reasoning_item(self) -> ResponseReasoningItem:
        """Return all thoughts as one item; its `provider_data` tells where they were found."""
        texts = ["".join(pieces) for pieces in self._thoughts]
        data: dict[str, Any] = {"model": self._response.model, "field": self._field}
        item = ResponseReasoningItem(
            id=FAKE_RESPONSES_ID,
            type="reasoning",
            summary=[Summary(type="summary_text", text=text) for text in texts],
        )
        return _with_data(item, data | self._details.found())

    def _message_item(self) -> ResponseOutputMessage:
        parts: list[Any] = []
        if self._text:
            text = self._told
            parts.append(_text_of(text, self._annotations(text)))
        if self._refusal:
            refusal = ResponseOutputRefusal(type="refusal", refusal="".join(self._refusal))
            parts.insert(0 if self._refusal_first else len(parts), refusal)
        return _message_of(parts)

    def _annotations(self, text: str) -> list[Any]:
        """Return the citations: where they say, or at their number in the text, or at its end."""
        found = []
        for number, citation in enumerate(self._citations.values(), 1):
            start, end = citation.get("start_index"), citation.get("end_index")
            if end is None or not 0 <= end <= len(text):
                start = text.find(mark := f"[{number}]")
                end = start + len(mark) if start >= 0 else len(text)
            url = valid_text(citation["url"])
            found.append(
                AnnotationURLCitation(
                    type="url_citation",
                    url=url,
                    title=valid_text(citation.get("title") or url),
                    start_index=max(0, start if isinstance(start, int) else end),
                    end_index=end,
                )
            )
        return found

    def _call_item(self, call: CallMade) -> ResponseFunctionToolCall:
        data: dict[str, Any] = {"model": self._response.model}
        if call.given_id:
            data["call_id"] = valid_text(call.given_id)[:_LONGEST_ID]
        if call.invalid is not None:
            data["invalid_arguments"] = call.invalid
        if call.signature is not None:
            data["thought_signature"] = call.signature
        item = ResponseFunctionToolCall(
            id=FAKE_RESPONSES_ID,
            type="function_call",
            call_id=call.id,
            name=call.name,
            arguments=call.arguments,
        )
        return _with_data(item, data)

    def _message_index(self) -> int:
        if self._message is None:
            self._message = self._next_item()
        return self._message

    def _next_item(self) -> int:
        self._items += 1
        return self._items - 1

    async def _send(self, event: TResponseStreamEvent, *, to_sdk: bool = False) -> None:
        if self._sink is not None:
            await self._sink.event(event)
        if to_sdk or self._sink is None:
            self._out.append(event)


def _message_of(parts: list[Any]) -> ResponseOutputMessage:
    return ResponseOutputMessage(
        id=FAKE_RESPONSES_ID, type="message", role="assistant", status="completed", content=parts
    )


def _text_of(text: str, annotations: list[Any]) -> ResponseOutputText:
    return ResponseOutputText(type="output_text", text=text, annotations=annotations, logprobs=[])


def _with_data(item: Item, data: dict[str, Any]) -> Item:
    """Return an item with what only the provider of its model understands."""
    setattr(item, "provider_data", data)  # noqa: B010
    return item


def _item_done(item: Any, index: int) -> ResponseOutputItemDoneEvent:
    return ResponseOutputItemDoneEvent(
        type="response.output_item.done", item=item, output_index=index, sequence_number=1
    )


def _usage(usage: Mapping[str, Any]) -> ResponseUsage:
    """Return the usage of a chunk in the form of the Responses API."""
    read, written = _tokens_of(usage)
    return ResponseUsage(
        input_tokens=read,
        output_tokens=written,
        total_tokens=_number(usage.get("total_tokens")) or read + written,
        input_tokens_details=InputTokensDetails(
            cached_tokens=_detail(usage, "prompt_tokens_details", "cached_tokens"),
            cache_write_tokens=_detail(usage, "prompt_tokens_details", "cache_write_tokens"),
        ),
        output_tokens_details=OutputTokensDetails(
            reasoning_tokens=_detail(usage, "completion_tokens_details", "reasoning_tokens")
        ),
    )


def _tokens_of(usage: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many tokens the model read, and wrote."""
    return _number(usage.get("prompt_tokens")), _number(usage.get("completion_tokens"))


def _detail(usage: Mapping[str, Any], details: str, name: str) -> int:
    found = usage.get(details)
    return _number(found.get(name)) if isinstance(found, Mapping) else 0


def _number(value: Any) -> int:
    """Return a number of tokens, also one that is written as a text or a float."""
    try:
        return max(0, int(float(value)))
    except (TypeError, ValueError, OverflowError):
        return 0
