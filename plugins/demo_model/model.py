"""The demo model's answers, as events of the Responses API."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

from agents import Model, ModelResponse, Tool, TResponseInputItem, Usage
from agents.items import TResponseStreamEvent
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseCreatedEvent,
    ResponseFunctionToolCall,
    ResponseOutputItem,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseTextDeltaEvent,
    ResponseUsage,
)
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails
from uuid_utils import uuid7

from .sentences import answer, last_words, picked, understand


class DemoModel(Model):
    """Calls the tool that a simple sentence asks for, and answers word by word."""

    def __init__(self, name: str, pace: float) -> None:
        self.name = name
        self._pace = pace

    async def get_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: Any,
        tools: list[Tool],
        *args: Any,
        **kwargs: Any,
    ) -> ModelResponse:
        """Return the whole answer at once."""
        output = self._output(input, model_settings, tools)
        return ModelResponse(output=[output], usage=Usage(requests=1), response_id=None)

    async def stream_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: Any,
        tools: list[Tool],
        *args: Any,
        **kwargs: Any,
    ) -> AsyncIterator[TResponseStreamEvent]:
        """Yield the answer as response events."""
        output = self._output(input, model_settings, tools)
        sequence = _Sequence()
        usage = _usage(input, output)
        yield ResponseCreatedEvent(
            type="response.created", response=self._response([], None), sequence_number=sequence()
        )
        if isinstance(output, ResponseOutputMessage):
            async for event in self._words(output, sequence):
                yield event
        else:
            yield _added(output, sequence)
        yield ResponseOutputItemDoneEvent(
            type="response.output_item.done",
            item=output,
            output_index=0,
            sequence_number=sequence(),
        )
        yield ResponseCompletedEvent(
            type="response.completed",
            response=self._response([output], usage),
            sequence_number=sequence(),
        )

    def _output(
        self, input: str | list[TResponseInputItem], settings: Any, tools: list[Tool]
    ) -> ResponseOutputMessage | ResponseFunctionToolCall:
        text, results = _last_turn(input)
        call = None
        if not results:
            said, name = last_words(text), str(settings.tool_choice)
            call = picked(said, name, tools) or understand(said, tools) or understand(text, tools)
        if call is None:
            return _message(answer(text, results))
        return ResponseFunctionToolCall(
            id=f"fc_{uuid7().hex}",
            type="function_call",
            call_id=f"call_{uuid7().hex}",
            name=call.name,
            arguments=json.dumps(call.arguments, ensure_ascii=False),
            status="completed",
        )

    async def _words(
        self, message: ResponseOutputMessage, sequence: _Sequence
    ) -> AsyncIterator[TResponseStreamEvent]:
        part = message.content[0]
        assert isinstance(part, ResponseOutputText)
        empty = part.model_copy(update={"text": ""})
        yield _added(message.model_copy(update={"content": [], "status": "in_progress"}), sequence)
        place = {"item_id": message.id, "output_index": 0, "content_index": 0}
        yield ResponseContentPartAddedEvent(
            type="response.content_part.added", part=empty, sequence_number=sequence(), **place
        )
        for word in re.findall(r"\s*\S+", part.text):
            await asyncio.sleep(self._pace)
            yield ResponseTextDeltaEvent(
                type="response.output_text.delta",
                delta=word,
                logprobs=[],
                sequence_number=sequence(),
                **place,
            )
        yield ResponseContentPartDoneEvent(
            type="response.content_part.done", part=part, sequence_number=sequence(), **place
        )

    def _response(self, output: list[ResponseOutputItem], usage: ResponseUsage | None) -> Response:
        return Response(
            id=f"resp_{uuid7().hex}",
            object="response",
            created_at=time.time(),
            model=self.name,
            output=output,
            usage=usage,
            tool_choice="auto",
            tools=[],
            parallel_tool_calls=False,
        )


class _Sequence:
    """Counts the events of a response."""

    def __init__(self) -> None:
        self._number = -1

    def __call__(self) -> int:
        self._number += 1
        return self._number


def _last_turn(input: str | list[TResponseInputItem]) -> tuple[str, list[str]]:
    """Return the user's last message, and the tools' results since."""
    if isinstance(input, str):
        return input, []
    entries: list[Any] = list(input)
    results: list[str] = []
    for entry in reversed(entries):
        if entry.get("type") == "function_call_output":
            results.append(_text(entry["output"]))
        elif entry.get("role") == "user":
            return _text(entry["content"]), results[::-1]
    return "", results[::-1]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts: Iterable[Any] = content if isinstance(content, list) else [content]
    return " ".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def _message(text: str) -> ResponseOutputMessage:
    return ResponseOutputMessage(
        id=f"msg_{uuid7().hex}",
        type="message",
        role="assistant",
        status="completed",
        content=[ResponseOutputText(type="output_text", text=text, annotations=[])],
    )


def _added(item: ResponseOutputItem, sequence: _Sequence) -> ResponseOutputItemAddedEvent:
    return ResponseOutputItemAddedEvent(
        type="response.output_item.added",
        item=item,
        output_index=0,
        sequence_number=sequence(),
    )


def _usage(input: str | list[TResponseInputItem], output: ResponseOutputItem) -> ResponseUsage:
    """Return the usage, counting each word as a token."""
    given = len(str(input).split())
    made = len(output.model_dump_json().split())
    return ResponseUsage(
        input_tokens=given,
        input_tokens_details=InputTokensDetails(cached_tokens=0, cache_write_tokens=0),
        output_tokens=made,
        output_tokens_details=OutputTokensDetails(reasoning_tokens=0),
        total_tokens=given + made,
    )
