"""A model that needs no account and no network: it keeps a to-do list with the tools it is given.

It understands a few simple sentences, calls the enabled tools with real arguments, and answers
from their results. It is how the first command shows the whole way from a message to an answer.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agents import (
    FunctionTool,
    Model,
    ModelProvider,
    ModelResponse,
    Tool,
    TResponseInputItem,
    Usage,
)
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
from pydantic import BaseModel
from uuid_utils import uuid7

from chatkit_server import Duration, hookimpl

INTRODUCTION = (
    "I am the demo model of chatkit-server: I run offline and understand only a few sentences "
    "about a to-do list. Try “add buy milk to my list”, “what is on my list?”, “complete task 1” "
    "or “delete task 1”. Choose another model in settings.yaml to talk about anything else."
)

_TASK = r"(?:(?:task|item|number|no\.?)\s*)?#?(?P<id>\d+)"
_INTENTS: list[tuple[str, re.Pattern[str]]] = [
    (intent, re.compile(pattern, re.IGNORECASE | re.DOTALL))
    for intent, pattern in (
        (
            "update_task",
            rf"\b(?:rename|change|update|edit)\s+{_TASK}\s+(?:to|into|as)\s+(?P<title>.+)",
        ),
        ("complete_task", rf"\b(?:complete|finish|close|check off|tick off|mark)\s+{_TASK}\b"),
        ("complete_task", rf"^\s*{_TASK}\s+is\s+done\b"),
        ("delete_task", rf"\b(?:delete|remove|drop)\s+{_TASK}\b"),
        (
            "add_task",
            r"\b(?:add|put)\s+(?P<title>.+?)\s+(?:to|on|onto)\s+(?:my|the)\s+"
            r"(?:to-?do\s+|task\s+|shopping\s+)?list\b",
        ),
        ("add_task", r"\b(?:add|create)\s+(?:an?\s+|the\s+)?(?:new\s+)?task:?\s+(?P<title>.+)"),
        ("add_task", r"\bremind me to\s+(?P<title>.+)"),
        ("add_task", r"^\s*(?:please\s+)?add:?\s+(?P<title>.+)"),
        ("list_tasks", r"\b(?:list|show|what|which|see|read)\b.*\b(?:tasks?|list|to-?dos?)\b"),
        ("list_tasks", r"\bwhat do i have to do\b"),
    )
]


class Config(BaseModel):
    """`pace` is the time between two words."""

    pace: Duration = 0.02


class Plugin:
    """Serves the models `demo/…`; all of them are the same."""

    def __init__(self, config: Config) -> None:
        self._provider = DemoProvider(config.pace)

    @hookimpl
    def model_providers(self) -> Mapping[str, ModelProvider]:
        return {"demo": self._provider}


class DemoProvider(ModelProvider):
    """Gives the demo model, whatever it is called."""

    def __init__(self, pace: float) -> None:
        self._pace = pace

    def get_model(self, model_name: str | None) -> Model:
        return DemoModel(model_name or "todo", self._pace)


@dataclass(frozen=True)
class _Call:
    """A tool to call, and with what."""

    name: str
    arguments: dict[str, Any]


class DemoModel(Model):
    """Answers simple sentences about a to-do list, word by word."""

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
        output = self._output(input, tools)
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
        output = self._output(input, tools)
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
        self, input: str | list[TResponseInputItem], tools: list[Tool]
    ) -> ResponseOutputMessage | ResponseFunctionToolCall:
        text, results = _last_turn(input)
        call = None if results else _understand(text, tools)
        if call is None:
            return _message(_answer(text, results))
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
    """Return what the user said last, and what tools answered since."""
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


def _understand(text: str, tools: list[Tool]) -> _Call | None:
    """Return the call that the sentence asks for, if one of the tools can do it."""
    for intent, pattern in _INTENTS:
        match = pattern.search(text)
        tool = _tool_for(intent, tools)
        if match and tool:
            return _Call(tool.name, _arguments(match, tool))
    return None


def _tool_for(intent: str, tools: list[Tool]) -> FunctionTool | None:
    """Return the tool of this name, also where a prefix was put before it."""
    functions = [tool for tool in tools if isinstance(tool, FunctionTool)]
    return next((tool for tool in functions if tool.name.endswith(intent)), None)


def _arguments(match: re.Match[str], tool: FunctionTool) -> dict[str, Any]:
    """Return what was understood, as the tool's schema names and types it."""
    properties: dict[str, Any] = tool.params_json_schema.get("properties", {})
    arguments: dict[str, Any] = {}
    for name, value in match.groupdict().items():
        value = value.strip().rstrip(".!").strip("\"'“”") if value else value
        known = next((key for key in properties if key in (name, f"task_{name}")), name)
        number = properties.get(known, {}).get("type") in ("integer", "number")
        arguments[known] = int(value) if number else value
    return arguments


def _answer(text: str, results: list[str]) -> str:
    if results:
        return "\n".join(result for result in results if result) or "Done."
    if re.match(r"\s*(?:hi|hello|hey|good (?:morning|evening|day))\b", text, re.IGNORECASE):
        return f"Hello! {INTRODUCTION}"
    return INTRODUCTION


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
    """Return the usage, with a token for each word."""
    given = len(str(input).split())
    made = len(output.model_dump_json().split())
    return ResponseUsage(
        input_tokens=given,
        input_tokens_details=InputTokensDetails(cached_tokens=0, cache_write_tokens=0),
        output_tokens=made,
        output_tokens_details=OutputTokensDetails(reasoning_tokens=0),
        total_tokens=given + made,
    )
