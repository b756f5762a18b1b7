"""Models for the runs that plugins start: each answer has all the events that it can have.

Models on the fast path leave out events that only announce text or repeat it, and chat-completions
models give every output item the same id. Code that reads the events of a run, such as ChatKit's
`stream_agent_response`, needs both: the announcements, and ids that no other item has.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

from agents import (
    Model,
    ModelResponse,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
)
from agents.items import TResponseStreamEvent
from agents.models import get_default_model_settings
from agents.models.fake_id import FAKE_RESPONSES_ID
from openai.types.responses import (
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputMessage,
    ResponseOutputRefusal,
    ResponseOutputText,
    ResponseReasoningItem,
    ResponseReasoningSummaryPartAddedEvent,
    ResponseReasoningSummaryTextDoneEvent,
    ResponseTextDeltaEvent,
    ResponseTextDoneEvent,
)
from openai.types.responses.response_reasoning_summary_part_added_event import Part

from ..ids import new_id
from .fast.direct import FastPathModel
from .foreign import with_own_ids
from .portable import for_any_model
from .sound import sound

_PREFIXES = {"message": "msg", "function_call": "fc", "image_generation_call": "ig"}
"""Items whose ids are shown, or kept. Reasoning keeps what says that no provider knows it."""

_FIRST = ("system_instructions", "input", "model_settings")
"""How a model is asked: the first arguments of `Model.get_response`, by position or by name."""

_ENDS = ("response.completed", "response.incomplete", "response.failed")


def for_own_run(model: Model, *, unnamed: bool) -> Model:
    """Return a copy of a model for one run: it takes any history, and its answers are whole.

    An `unnamed` model is that of an agent without a model, whose settings are those of the Agents
    SDK's default model: nobody chose them, and other models refuse them.
    """
    found = model
    if not isinstance(model, FastPathModel | OpenAIResponsesModel):
        found = with_own_ids(model)
    speaks_chat = isinstance(model, FastPathModel | OpenAIChatCompletionsModel)

    def asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        named = {**dict(zip(_FIRST, args, strict=False)), **kwargs}
        if not isinstance(found, OpenAIResponsesModel):
            named["input"] = _any_history(named["input"], speaks_chat)
        if unnamed:
            named["model_settings"] = _chosen(named["model_settings"])
        first = [named.pop(name) for name in _FIRST]
        return [*first, *args[len(_FIRST) :]], named

    async def get_response(*args: Any, **kwargs: Any) -> ModelResponse:
        args_now, kwargs_now = asked(args, kwargs)
        response = await found.get_response(*args_now, **kwargs_now)
        response.output = WholeAnswer().output(response.output)
        return response

    async def stream_response(*args: Any, **kwargs: Any) -> AsyncIterator[TResponseStreamEvent]:
        args_now, kwargs_now = asked(args, kwargs)
        stream = found.stream_response(*args_now, **kwargs_now)
        answer = WholeAnswer()
        async with aclosing(cast(AsyncGenerator[TResponseStreamEvent], stream)) as events:
            async for event in events:
                for each in answer.events(event):
                    yield each

    copied = copy.copy(found)
    vars(copied).update(get_response=get_response, stream_response=stream_response)
    return copied


def _any_history(given: Any, speaks_chat: bool) -> Any:
    """Return input as a model's endpoint takes it, whatever converter has made it."""
    if isinstance(given, str) or not any("role" in item for item in given):
        return given
    return sound(for_any_model(given) if speaks_chat else given)


def _chosen(settings: ModelSettings) -> ModelSettings:
    """Return the settings that somebody chose."""
    implicit = {k: v for k, v in vars(get_default_model_settings()).items() if v is not None}
    if any(getattr(settings, name) != value for name, value in implicit.items()):
        return settings
    chosen = copy.copy(settings)
    vars(chosen).update(dict.fromkeys(implicit))
    return chosen


@dataclass
class _Item:
    """An output item of an answer, as far as it has been told."""

    kind: str
    id: str
    parts: dict[int, list[str]] = field(default_factory=dict)
    """The text of each part that was announced."""
    ended: set[int] = field(default_factory=set)


class WholeAnswer:
    """Completes the events of one answer, item by item."""

    def __init__(self) -> None:
        self._items: dict[int, _Item] = {}

    def events(self, event: Any) -> Iterator[Any]:
        """Yield the event with its item's own id, after those that should have come before it."""
        index: Any = getattr(event, "output_index", None)
        match event.type:
            case "response.output_item.added":
                known = self._items[index] = _Item(event.item.type, _own_id(event.item))
                yield _with_item(event, known.id)
            case "response.output_item.done":
                yield from self._done(event, index)
            case "response.output_text.delta" | "response.refusal.delta":
                refusal = event.type == "response.refusal.delta"
                yield from self._announced(index, event.item_id, event.content_index, refusal)
                known = self._items[index]
                known.parts[event.content_index].append(event.delta)
                yield _of_item(event, known.id)
            case "response.reasoning_summary_text.delta":
                yield from self._thought(index, event.item_id, event.summary_index)
                self._items[index].parts[event.summary_index].append(event.delta)
                yield event
            case "response.content_part.added" | "response.reasoning_summary_part.added":
                yield self._part(event, index)
            case "response.content_part.done":
                yield from self._part_done(event, index)
            case "response.output_text.done":
                if index in self._items:
                    self._items[index].ended.add(event.content_index)
                yield self._of_known(event, index)
            case "response.reasoning_summary_text.done":
                if index in self._items:
                    self._items[index].ended.add(event.summary_index)
                yield event
            case kind if kind in _ENDS:
                output = self.output(event.response.output)
                response = event.response.model_copy(update={"output": output})
                yield event.model_copy(update={"response": response})
            case _:
                yield self._of_known(event, index)

    def output(self, items: list[Any]) -> list[Any]:
        """Return the items of the whole answer, with the ids that they had in its events."""
        found = []
        for index, item in enumerate(items):
            known = self._items.get(index)
            same = known is not None and known.kind == item.type
            item_id = known.id if known is not None and same else _own_id(item)
            found.append(_renamed(item, item_id))
        return found

    def _part(self, event: Any, index: int) -> Any:
        number = getattr(event, "content_index", None)
        number = event.summary_index if number is None else number
        if index in self._items:
            self._items[index].parts.setdefault(number, [])
        return self._of_known(event, index)

    def _part_done(self, event: Any, index: int) -> Iterator[Any]:
        known, number = self._items.get(index), event.content_index
        if known is not None and number not in known.ended and event.part.type == "output_text":
            known.ended.add(number)
            yield ResponseTextDoneEvent(
                type="response.output_text.done",
                item_id=known.id,
                output_index=index,
                content_index=number,
                text=event.part.text,
                logprobs=[],
                sequence_number=0,
            )
        yield self._of_known(event, index)

    def _of_known(self, event: Any, index: int | None) -> Any:
        known = self._items.get(index) if index is not None else None
        return event if known is None else _of_item(event, known.id)

    def _begun(self, index: int, item: Any) -> Iterator[Any]:
        """Announce an item that was not."""
        if index not in self._items:
            known = self._items[index] = _Item(item.type, _own_id(item))
            yield ResponseOutputItemAddedEvent(
                type="response.output_item.added",
                item=_renamed(item, known.id),
                output_index=index,
                sequence_number=0,
            )

    def _announced(
        self, index: int, item_id: str, number: int, refusal: bool = False
    ) -> Iterator[Any]:
        """Announce a part of a message, and the message, if they were not."""
        message = ResponseOutputMessage(
            id=item_id, type="message", role="assistant", status="in_progress", content=[]
        )
        yield from self._begun(index, message)
        known = self._items[index]
        if number not in known.parts:
            known.parts[number] = []
            if refusal:
                known.ended.add(number)
            yield ResponseContentPartAddedEvent(
                type="response.content_part.added",
                item_id=known.id,
                output_index=index,
                content_index=number,
                part=ResponseOutputRefusal(type="refusal", refusal="") if refusal else _text(""),
                sequence_number=0,
            )

    def _thought(self, index: int, item_id: str, number: int) -> Iterator[Any]:
        """Announce a part of a model's thoughts, and the thoughts, if they were not."""
        thoughts = ResponseReasoningItem(id=item_id, type="reasoning", summary=[])
        yield from self._begun(index, thoughts)
        if number not in self._items[index].parts:
            self._items[index].parts[number] = []
            yield ResponseReasoningSummaryPartAddedEvent(
                type="response.reasoning_summary_part.added",
                item_id=item_id,
                output_index=index,
                summary_index=number,
                part=Part(type="summary_text", text=""),
                sequence_number=0,
            )

    def _done(self, event: Any, index: int) -> Iterator[Any]:
        item = event.item
        if item.type == "message":
            for number, part in enumerate(item.content):
                yield from self._whole_part(index, item.id, number, part)
        elif item.type == "reasoning":
            yield from self._whole_thoughts(index, item.id)
        else:
            yield from self._begun(index, item)
        known = self._items.get(index)
        yield _with_item(event, known.id if known is not None else _own_id(item))

    def _whole_part(self, index: int, item_id: str, number: int, part: Any) -> Iterator[Any]:
        """Tell what was not told yet of a part of a message."""
        refusal = part.type == "refusal"
        was_told = index in self._items and number in self._items[index].parts
        yield from self._announced(index, item_id, number, refusal)
        known = self._items[index]
        if number in known.ended:
            return
        known.ended.add(number)
        at: dict[str, Any] = {
            "item_id": known.id,
            "output_index": index,
            "content_index": number,
            "sequence_number": 0,
        }
        if not was_told:
            yield ResponseTextDeltaEvent(
                type="response.output_text.delta", delta=part.text, logprobs=[], **at
            )
        yield ResponseTextDoneEvent(
            type="response.output_text.done", text=part.text, logprobs=[], **at
        )
        yield ResponseContentPartDoneEvent(type="response.content_part.done", part=part, **at)

    def _whole_thoughts(self, index: int, item_id: str) -> Iterator[Any]:
        """Tell the ends of the thoughts that were told piece by piece."""
        known = self._items.get(index)
        if known is None:
            return
        for number, pieces in known.parts.items():
            if pieces and number not in known.ended:
                known.ended.add(number)
                yield ResponseReasoningSummaryTextDoneEvent(
                    type="response.reasoning_summary_text.done",
                    item_id=item_id,
                    output_index=index,
                    summary_index=number,
                    text="".join(pieces),
                    sequence_number=0,
                )


def _text(text: str) -> ResponseOutputText:
    return ResponseOutputText(type="output_text", text=text, annotations=[])


def _own_id(item: Any) -> str:
    """Return an item's id, a new one if others may have the same."""
    given = getattr(item, "id", None)
    prefix = _PREFIXES.get(item.type)
    if prefix is None or (isinstance(given, str) and given and FAKE_RESPONSES_ID not in given):
        return cast(str, given)
    return new_id(prefix)


def _renamed(item: Any, item_id: str) -> Any:
    if getattr(item, "id", None) == item_id:
        return item
    return item.model_copy(update={"id": item_id})


def _with_item(event: Any, item_id: str) -> Any:
    item = _renamed(event.item, item_id)
    return event if item is event.item else event.model_copy(update={"item": item})


def _of_item(event: Any, item_id: str) -> Any:
    if getattr(event, "item_id", item_id) == item_id:
        return event
    return event.model_copy(update={"item_id": item_id})
