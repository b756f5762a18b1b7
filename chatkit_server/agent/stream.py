"""Agents SDK events become ChatKit events."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

from agents import Tool
from agents.exceptions import ModelBehaviorError
from agents.models.fake_id import FAKE_RESPONSES_ID
from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageItem,
    GeneratedImage,
    GeneratedImageItem,
    GeneratedImageUpdated,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemUpdate,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
)

from ..events.recorder import Recorder, shows_nothing
from ..settings.schema import TurnLimits
from ..text import HalfJoiner, valid_text
from ..turn import Turn
from .conversion import Conversion
from .output import OutputMeter
from .tools import arguments_are_deep
from .workflow import OpenWorkflow

PART_COST = 100
"""Characters that a part or an annotation counts as: it is an event of its own."""

MESSAGE_COST = 1000
"""Characters that a message counts as: it is saved on its own."""

MOST_PARTS = 100
"""Parts of a message."""

_IMAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")

_DEFAULT_LIMITS = TurnLimits()


@dataclass
class _Image:
    """An image as it is made: its item, its own id, and how much of it there is."""

    item: GeneratedImageItem
    id: str
    progress: float = 0.0


class EventTranslator:
    """Turns a run's raw events into ChatKit events for the recorder.

    The model's item ids are not used: chat-completions models give every item the same one. An
    output item is identified by its index in the response, and gets a new id.
    """

    def __init__(
        self, turn: Turn, recorder: Recorder, limits: TurnLimits = _DEFAULT_LIMITS
    ) -> None:
        self.turn = turn
        self.recorder = recorder
        self.messages: list[str] = []
        self.uncounted = (0, 0)
        """Input and output tokens of a request that is not completed, as far as they are known."""
        self._messages: dict[int, _MessageWriter] = {}
        self._current_part = ("", 0)
        self._half = HalfJoiner()
        self._images: dict[int, _Image] = {}
        self._image_ids: set[str] = set()
        self._meter = OutputMeter(limits)
        self._conversion = Conversion(turn)
        self.workflow = OpenWorkflow(turn, recorder, self._meter.reasoning)

    def text(self, text: str) -> None:
        """Add a piece of text to the current message: the path of a token."""
        message, index = self._current_part
        self.recorder.delta(message, index, text if text.isascii() else self._half.add(text))

    def usage(self, input_tokens: int, output_tokens: int) -> None:
        """Note the tokens of the current request so far."""
        self.uncounted = (input_tokens, output_tokens)

    async def event(self, data: Any) -> None:
        """Take one event of a model's response, an `openai` response stream event."""
        handler = self._HANDLERS.get(data.type)
        if handler is not None:
            await handler(self, data)
        elif isinstance(delta := getattr(data, "delta", None), str):
            # The arguments, input or code of a tool, of whatever kind
            self._meter.arguments(getattr(data, "output_index", 0), len(delta))

    async def stream(self, event: ThreadStreamEvent) -> None:
        """Take an event of a tool or hook."""
        await self.workflow.stream(event)

    def answered_with(self, tools: Iterable[Tool]) -> None:
        """Note the tools of the agent that answers from now on."""
        self._conversion.tools = tools

    async def _created(self, data: Any) -> None:
        self._messages.clear()
        self._images.clear()
        self._meter.next_answer()

    async def _completed(self, data: Any) -> None:
        self.uncounted = (0, 0)

    async def _item_added(self, data: Any) -> None:
        name = getattr(data.item, "name", None)
        if isinstance(name, str):
            self._meter.call(name, str(getattr(data.item, "call_id", "")))
        if data.item.type == "reasoning":
            self.workflow.reasoning()
        elif data.item.type == "image_generation_call":
            self._meter.call("")
            await self._image_added(data)

    async def _item_done(self, data: Any) -> None:
        match data.item.type:
            case "message":
                message = await self._message(data.output_index, data.item.content)
                if message is not None:
                    if self.workflow.has_reasoning:
                        await self.workflow.end()
                    if not await message.finish(await self._contents(data.item.content)):
                        self.messages.remove(message.id)
                self._messages.pop(data.output_index, None)
            case "reasoning":
                await self.workflow.end_reasoning(data.item)
            case "image_generation_call":
                await self._image_done(data)
            case _:
                if isinstance(arguments := getattr(data.item, "arguments", None), str):
                    self._meter.all_arguments(data.output_index, len(arguments))
                    if arguments_are_deep(arguments):
                        raise ModelBehaviorError("the arguments of a tool call are nested too deep")

    async def _text(self, data: Any) -> None:
        if not data.delta:
            return
        if self.workflow.has_reasoning:
            await self.workflow.end()
        message = self._messages.get(data.output_index)
        if message is None:
            message = await self._begin_message(data.output_index)
        await message.text(data.content_index, self._half.add(data.delta))
        self._current_part = (message.id, data.content_index)

    async def _message(self, output_index: int, content: list[Any]) -> _MessageWriter | None:
        """Return the message at this index; begin it if it has text and was not streamed."""
        message = self._messages.get(output_index)
        if message is None and any(_part_text(part) for part in content):
            message = await self._begin_message(output_index)
        return message

    async def _begin_message(self, output_index: int) -> _MessageWriter:
        await self.workflow.end()
        self._half = HalfJoiner()
        message = _MessageWriter(self.turn, self.recorder, self._meter)
        self._messages[output_index] = message
        self.messages.append(message.id)
        await message.begin()
        return message

    async def _annotation(self, data: Any) -> None:
        message = self._messages.get(data.output_index)
        annotation = await self._conversion.annotation(data.annotation)
        if message is not None and annotation is not None:
            await message.annotate(data.content_index, annotation)

    async def _contents(self, parts: list[Any]) -> list[AssistantMessageContent]:
        contents = []
        for part in parts:
            found = [
                await self._conversion.annotation(annotation)
                for annotation in getattr(part, "annotations", None) or []
            ]
            contents.append(
                AssistantMessageContent(
                    text=_part_text(part), annotations=[a for a in found if a is not None]
                )
            )
        return contents

    async def _thought_started(self, data: Any) -> None:
        await self.workflow.reasoning().next(data.summary_index)

    async def _thought(self, data: Any) -> None:
        index = getattr(data, "summary_index", None)
        index = data.content_index if index is None else index
        await self.workflow.reasoning().add(index, valid_text(data.delta))

    async def _image_added(self, data: Any) -> None:
        await self.workflow.end()
        item = GeneratedImageItem(
            id=self.turn.generate_id("message"),
            thread_id=self.turn.thread.id,
            created_at=datetime.now(UTC),
        )
        self._images[data.output_index] = _Image(item, self._image_id(data.item, item.id))
        await self.recorder.emit(ThreadItemAddedEvent.model_construct(item=item))

    def _image_id(self, call: Any, own: str) -> str:
        """Return the id of an image: that of its call, unless it is no id of this image alone."""
        given = str(getattr(call, "id", None) or "")
        is_fake = given.startswith(FAKE_RESPONSES_ID) or not _IMAGE_ID.fullmatch(given)
        if is_fake or given in self._image_ids:
            return own
        self._image_ids.add(given)
        return given

    async def _partial_image(self, data: Any) -> None:
        image = self._images.get(data.output_index)
        if image is None:
            return
        self._meter.image(len(data.partial_image_b64))
        index = data.partial_image_index
        url = await self._conversion.image_url(image.id, data.partial_image_b64, index)
        image.progress = max(image.progress, await self._conversion.progress(index))
        shown = GeneratedImage(id=image.id, url=url)
        update = GeneratedImageUpdated(image=shown, progress=image.progress)
        await self._update(image.item.id, update)

    async def _image_done(self, data: Any) -> None:
        image = self._images.pop(data.output_index, None)
        if image is not None and data.item.result:
            self._meter.image(len(data.item.result))
            url = await self._conversion.image_url(image.id, data.item.result)
            image.item.image = GeneratedImage(id=image.id, url=url)
            await self.recorder.emit(ThreadItemDoneEvent.model_construct(item=image.item))

    async def _update(self, item_id: str, update: ThreadItemUpdate) -> None:
        await self.recorder.emit(
            ThreadItemUpdatedEvent.model_construct(item_id=item_id, update=update)
        )

    _HANDLERS: ClassVar[dict[str, Callable[[EventTranslator, Any], Awaitable[None]]]] = {
        "response.created": _created,
        "response.completed": _completed,
        "response.output_text.delta": _text,
        "response.refusal.delta": _text,
        "response.output_text.annotation.added": _annotation,
        "response.output_item.added": _item_added,
        "response.output_item.done": _item_done,
        "response.reasoning_summary_part.added": _thought_started,
        "response.reasoning_summary_text.delta": _thought,
        "response.reasoning_text.delta": _thought,
        "response.image_generation_call.partial_image": _partial_image,
    }


class _MessageWriter:
    """An assistant message as it is written."""

    def __init__(self, turn: Turn, recorder: Recorder, meter: OutputMeter) -> None:
        self.recorder = recorder
        self.meter = meter
        self.item = AssistantMessageItem(
            id=turn.generate_id("message"),
            thread_id=turn.thread.id,
            created_at=datetime.now(UTC),
            content=[],
        )
        self.id = self.item.id
        self._parts: set[int] = set()
        self._annotations: dict[int, int] = {}
        self._left_at_start = recorder.characters_left

    async def begin(self) -> None:
        self.meter.part(MESSAGE_COST)
        await self.recorder.emit(ThreadItemAddedEvent.model_construct(item=self.item))

    async def text(self, index: int, text: str) -> None:
        if index not in self._parts:
            _check_part(index)
            self.meter.part(PART_COST)
            self._parts.add(index)
            content = AssistantMessageContent(text="")
            await self._update(
                AssistantMessageContentPartAdded(content_index=index, content=content)
            )
        if text:
            self.recorder.delta(self.id, index, text)

    async def annotate(self, index: int, annotation: Annotation) -> None:
        _check_part(index)
        self.meter.part(_cost(annotation))
        number = self._annotations.get(index, 0)
        self._annotations[index] = number + 1
        await self._update(
            AssistantMessageContentPartAnnotationAdded(
                content_index=index, annotation_index=number, annotation=annotation
            )
        )

    async def finish(self, contents: list[AssistantMessageContent]) -> bool:
        """Save the message, whose parts may have more than what was streamed.

        A blank message is removed; return whether it is there.
        """
        if not any(part.text.strip() for part in contents):
            streamed_only = self.recorder.partial(self.id)
            if shows_nothing(streamed_only):
                await self.recorder.emit(ThreadItemRemovedEvent(item_id=self.id))
                return False
            contents = cast(AssistantMessageItem, streamed_only).content
        _check_part(len(contents) - 1 if contents else 0)
        self.meter.part(sum(_cost(one) for part in contents for one in part.annotations))
        streamed = self._left_at_start - self.recorder.characters_left
        self.recorder.spend(max(0, sum(len(part.text) for part in contents) - streamed))
        for index, content in enumerate(contents):
            await self._update(
                AssistantMessageContentPartDone(content_index=index, content=content)
            )
        done = self.item.model_copy(update={"content": contents})
        await self.recorder.emit(ThreadItemDoneEvent.model_construct(item=done))
        return True

    async def _update(self, update: ThreadItemUpdate) -> None:
        await self.recorder.emit(
            ThreadItemUpdatedEvent.model_construct(item_id=self.id, update=update)
        )


def _check_part(index: int) -> None:
    """Raise `ModelBehaviorError` for an index that no part can have."""
    if not 0 <= index < MOST_PARTS:
        raise ModelBehaviorError(f"the model wrote part {index} of a message")


def _cost(annotation: Annotation) -> int:
    return PART_COST + len(annotation.model_dump_json())


def _part_text(part: Any) -> str:
    text = getattr(part, "text", None)
    return valid_text(str(text if text is not None else getattr(part, "refusal", "") or ""))
