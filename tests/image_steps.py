"""Answers of a scripted model with images in them, as OpenAI's Responses API streams them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.testing import ModelStep
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseCreatedEvent,
    ResponseImageGenCallPartialImageEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseReasoningItem,
)
from openai.types.responses.response_output_item import ImageGenerationCall


def image_step(
    result: str | None = "QUJD",
    partials: Sequence[str] = (),
    *,
    image_id: str = "ig_1",
    before: Sequence[ResponseReasoningItem] = (),
    after: Sequence[Any] = (),
) -> ModelStep:
    """Return an answer with one image, which comes after some reasoning and before other items."""
    image = _image(image_id, "completed", result)
    output: list[Any] = [*before, image, *after]
    events: list[Any] = [
        ResponseCreatedEvent(type="response.created", response=_response([]), sequence_number=0)
    ]
    for index, item in enumerate(output):
        given: dict[str, Any] = {"output_index": index, "sequence_number": 0}
        begun = _image(image_id, "in_progress", None) if item is image else item
        events.append(
            ResponseOutputItemAddedEvent(type="response.output_item.added", item=begun, **given)
        )
        for number, partial in enumerate(partials if item is image else ()):
            events.append(
                ResponseImageGenCallPartialImageEvent(
                    type="response.image_generation_call.partial_image",
                    item_id=image_id,
                    partial_image_b64=partial,
                    partial_image_index=number,
                    **given,
                )
            )
        events.append(
            ResponseOutputItemDoneEvent(type="response.output_item.done", item=item, **given)
        )
    completed = _response(output)
    events.append(
        ResponseCompletedEvent(type="response.completed", response=completed, sequence_number=0)
    )
    return ModelStep.stream(events, output=output)


def _image(image_id: str, status: Any, result: str | None) -> ImageGenerationCall:
    return ImageGenerationCall(
        id=image_id, type="image_generation_call", status=status, result=result
    )


def _response(output: list[Any]) -> Response:
    return Response(
        id="resp_1",
        created_at=0,
        model="any",
        object="response",
        output=output,
        parallel_tool_calls=False,
        tool_choice="auto",
        tools=[],
    )
