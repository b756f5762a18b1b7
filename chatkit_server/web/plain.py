"""The plain chat protocol: the same endpoint, for clients without ChatKit."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    InferenceOptions,
    StreamOptionsEvent,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    UserMessageTextContent,
)
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from ..agent.tools import output_text
from ..errors import BadRequest
from ..ids import new_id
from ..turn import Outcome, ToolCall, ToolResult
from ..turns.job import TurnPlan
from .body import validation_error
from .operations.caller import Caller, writable_thread

OPERATION = "plain"

_TEXT_PARTS = ("text", "input_text", "output_text")


def _joined(content: Any) -> Any:
    """Join the parts that clients of other APIs send in place of a string."""
    return "".join(map(_part_text, content)) if isinstance(content, list) else content


def _part_text(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    if not isinstance(text, str) or part.get("type") not in _TEXT_PARTS:
        raise ValueError('only text is read here: a string, or parts {"type": "text", "text": …}')
    return text


class Message(BaseModel):
    """One message of the conversation that a plain client sends."""

    role: Literal["user", "assistant"]
    content: Annotated[str, BeforeValidator(_joined)]


class PlainRequest(BaseModel):
    """A plain client's request. `user_id` is for the `auth` plugin to believe or not."""

    messages: list[Message] = Field(min_length=1)
    thread_id: str | None = None
    user_id: str | None = None


def is_plain(body: dict[str, Any]) -> bool:
    """Whether a body speaks the plain protocol."""
    return "messages" in body and "type" not in body


async def plan(caller: Caller, body: dict[str, Any]) -> TurnPlan:
    """Return the plan of the turn that a plain request asks for.

    With a thread, only the last message is new; without one, all of them begin a thread.
    Raises `BadRequest` that names the field.
    """
    try:
        request = PlainRequest.model_validate(body)
    except ValidationError as error:
        raise validation_error(error, body) from None
    *earlier, last = request.messages
    if last.role != "user" or not last.content.strip():
        raise BadRequest("messages: the last one must be the user's, and say something.")
    if request.thread_id is not None:
        thread = await writable_thread(caller, request.thread_id)
        earlier = []
    else:
        thread = ThreadMetadata(id=new_id("thr"), created_at=datetime.now(UTC))
    message = _user_message(thread.id, last.content)
    items = [_item(thread.id, message) for message in earlier if message.content]
    return TurnPlan(
        OPERATION,
        caller.user,
        thread,
        PlainWire(thread.id),
        locale=caller.locale,
        new_thread=request.thread_id is None,
        earlier=items,
        message=message,
    )


class PlainWire:
    """`thread_id` first, then `content`, `tool_call` and `error` as they come, `done` last."""

    def __init__(self, thread_id: str) -> None:
        self.thread_id = thread_id
        self._begun = False
        self._answering = False
        self._streamed: set[str] = set()

    def event(self, event: ThreadStreamEvent) -> bytes | None:
        if not self._begun:
            self._begun = True
            return orjson.dumps({"thread_id": self.thread_id})
        if isinstance(event, StreamOptionsEvent):
            self._answering = True
        elif isinstance(event, ThreadItemAddedEvent):
            self._streamed.add(event.item.id)
        elif isinstance(event, ThreadItemDoneEvent) and self._answering:
            return None if event.item.id in self._streamed else _whole_message(event.item)
        return None

    def delta(self, item_id: str, content_index: int, text: str) -> bytes:
        return b'{"content":' + orjson.dumps(text) + b"}"

    def tool(self, call: ToolCall, result: ToolResult) -> bytes | None:
        told = {
            "name": call.name,
            "arguments": call.arguments,
            "result": output_text(result.output),
        }
        try:
            return orjson.dumps({"tool_call": told})
        except TypeError:
            # A model may write integers of any length, and halves of surrogate pairs
            return json.dumps({"tool_call": told}).encode()

    def end(self, outcome: Outcome) -> list[bytes]:
        usage = outcome.usage
        done = {
            "done": True,
            "thread_id": self.thread_id,
            "status": outcome.status,
            "model": outcome.model,
            "usage": {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens},
        }
        lines = [orjson.dumps(done)]
        if outcome.error is not None:
            error = {"error": outcome.error, "allow_retry": outcome.allow_retry}
            lines.insert(0, orjson.dumps(error))
        return lines


def _whole_message(item: ThreadItem) -> bytes | None:
    """Return the text of an assistant's message that came in one piece."""
    if not isinstance(item, AssistantMessageItem):
        return None
    return orjson.dumps({"content": "".join(content.text for content in item.content)})


def _item(thread_id: str, message: Message) -> ThreadItem:
    if message.role == "user":
        return _user_message(thread_id, message.content)
    return AssistantMessageItem(
        id=new_id("msg"),
        thread_id=thread_id,
        created_at=datetime.now(UTC),
        content=[AssistantMessageContent(text=message.content)],
    )


def _user_message(thread_id: str, text: str) -> UserMessageItem:
    return UserMessageItem(
        id=new_id("msg"),
        thread_id=thread_id,
        created_at=datetime.now(UTC),
        content=[UserMessageTextContent(text=text)],
        inference_options=InferenceOptions(),
    )
