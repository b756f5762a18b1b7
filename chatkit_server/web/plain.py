"""The plain protocol: the same endpoint for clients without ChatKit."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal

from aiohttp import web
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    InferenceOptions,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
    UserMessageTextContent,
    WidgetItem,
)
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ..agent.paused import run_of
from ..elsewhere.telling import Telling
from ..errors import BadRequest, ServerError
from ..events.wire import ChatKitWire, WireFormat
from ..store_ids import new_item_id, new_thread_id
from ..turn import User
from ..turns.approval_widget import Choice, Click
from ..turns.failures import GENERAL
from ..turns.job import TurnPlan
from ..turns.running import RunningTurn
from ..turns.store import TurnRecord
from .body import validation_error
from .keys import ELSEWHERE, USER, store_context, translate
from .operations.actions import click_plan
from .operations.caller import Caller, load_item, load_thread, new_plan, writable_thread
from .plain_wire import PlainWire
from .sse import TURN_ID
from .turn_routes import following

OPERATION = "plain"


def wire_of(record: TurnRecord) -> WireFormat:
    """Return a new wire format, in which a turn answers."""
    return PlainWire(record.thread_id) if record.operation == OPERATION else ChatKitWire()


_OTHER_PROTOCOL = "Last-Event-ID: this event belongs to an answer in ChatKit's protocol."

_TEXT_PARTS = ("text", "input_text", "output_text")

_PART_FIELDS = ("type", "text")

_UNUSED_PART_FIELDS = frozenset(
    {
        *("annotations", "id", "logprobs"),  # OpenAI's Responses API and ChatKit
        *("cache_control", "citations"),  # Anthropic
        *("providerMetadata", "providerOptions", "state"),  # Vercel's AI SDK
    }
)
"""What clients of other APIs send in a part of text. It does not change the text."""


def _joined(content: Any) -> Any:
    """Join the parts that clients of other APIs send instead of a string."""
    return "".join(map(_part_text, content)) if isinstance(content, list) else content


def _part_text(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    if not isinstance(text, str) or part.get("type") not in _TEXT_PARTS:
        raise ValueError('only text is read: a string, or parts {"type": "text", "text": …}')
    unknown = next((k for k in part if k not in {*_PART_FIELDS, *_UNUSED_PART_FIELDS}), None)
    if unknown is not None:
        raise ValueError(f"unknown field `{unknown[:50]}` in a part. Known: type, text")
    return text


class Message(BaseModel):
    """One message of the conversation that a plain client sends."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    content: Annotated[str, BeforeValidator(_joined)]


class PlainRequest(BaseModel):
    """A plain client's request. Only the `auth` plugin may take the user from `user_id`."""

    model_config = ConfigDict(extra="forbid")

    messages: list[Message] = Field(min_length=1)
    thread_id: str | None = None
    user_id: str | None = None
    model: str | None = None
    stream: Annotated[bool, Field(strict=True)] | None = None

    @property
    def streams(self) -> bool:
        """Whether the answer comes as a stream, which is the default."""
        return self.stream is not False


class Decided(BaseModel):
    """What the user of a plain client has decided about a call that waits for an approval."""

    model_config = ConfigDict(extra="forbid")

    id: str
    decision: Choice


class PlainApproval(BaseModel):
    """A plain client's answer to a call that waits for an approval; the rest as in a request."""

    model_config = ConfigDict(extra="forbid")

    thread_id: str
    approval: Decided
    user_id: str | None = None
    stream: Annotated[bool, Field(strict=True)] | None = None

    @property
    def streams(self) -> bool:
        """Whether the answer comes as a stream, which is the default."""
        return self.stream is not False


def is_plain(body: dict[str, Any]) -> bool:
    """Whether a body speaks the plain protocol."""
    return "type" not in body and ("messages" in body or "approval" in body)


def parse(body: dict[str, Any]) -> PlainRequest | PlainApproval:
    """Return the plain request in a body.

    Raises `BadRequest` that names the first wrong or unknown field.
    """
    kind = PlainRequest if "messages" in body else PlainApproval
    try:
        request = kind.model_validate(body)
    except ValidationError as error:
        raise validation_error(error, body, known=partial(_known_fields, kind)) from None
    if isinstance(request, PlainApproval):
        return request
    last = request.messages[-1]
    if last.role != "user" or not last.content.strip():
        raise BadRequest("messages: the last message must be the user's and must not be empty.")
    return request


def user_of(
    request: PlainRequest | PlainApproval,
    authenticated: User,
    name_user: Callable[[str], User] | None,
) -> User:
    """Return the user of the request: the one it names, if the `auth` plugin believes that.

    Raises `BadRequest` if it names another than the authenticated one, and the plugin does not.
    """
    if request.user_id is None or request.user_id == authenticated.id:
        return authenticated
    if name_user is None:
        raise BadRequest(
            "user_id: the server authenticated you as another user. Leave `user_id` out."
        )
    return name_user(request.user_id)


def _known_fields(
    kind: type[PlainRequest | PlainApproval], path: tuple[int | str, ...]
) -> Collection[str]:
    """Return the fields that an object at this place of the body may have."""
    within = Message if kind is PlainRequest else Decided
    return (within if path else kind).model_fields


async def plan(caller: Caller, request: PlainRequest | PlainApproval) -> TurnPlan:
    """Return the plan of the turn that a plain request asks for.

    With a thread, only the last message is new; without one, all of them begin a thread.
    """
    caller.guard.check(request)
    if isinstance(request, PlainApproval):
        return await _approval_plan(caller, request)
    *earlier, last = request.messages
    if request.thread_id is not None:
        thread = await writable_thread(caller, request.thread_id)
        earlier = []
    else:
        thread_id = new_thread_id(caller.store, caller.context)
        thread = ThreadMetadata(id=thread_id, created_at=datetime.now(UTC))
    return new_plan(
        caller,
        OPERATION,
        thread,
        PlainWire(thread.id),
        new_thread=request.thread_id is None,
        earlier=[_item(caller, thread, message) for message in earlier if message.content],
        message=_user_message(caller, thread, last.content, request.model),
    )


async def _approval_plan(caller: Caller, request: PlainApproval) -> TurnPlan:
    thread = await load_thread(caller, request.thread_id)
    item = await load_item(caller, thread.id, request.approval.id)
    run_id = run_of(item) if isinstance(item, WidgetItem) else None
    if not isinstance(item, WidgetItem) or run_id is None:
        raise BadRequest("approval.id: this item does not ask for an approval.")
    click = Click(item, run_id, request.approval.decision)
    return click_plan(caller, OPERATION, thread, click, PlainWire(thread.id))


def _item(caller: Caller, thread: ThreadMetadata, message: Message) -> ThreadItem:
    if message.role == "user":
        return _user_message(caller, thread, message.content)
    return AssistantMessageItem(
        id=new_item_id(caller.store, "message", thread, caller.context),
        thread_id=thread.id,
        created_at=datetime.now(UTC),
        content=[AssistantMessageContent(text=message.content)],
    )


def _user_message(
    caller: Caller, thread: ThreadMetadata, text: str, model: str | None = None
) -> UserMessageItem:
    return UserMessageItem(
        id=new_item_id(caller.store, "message", thread, caller.context),
        thread_id=thread.id,
        created_at=datetime.now(UTC),
        content=[UserMessageTextContent(text=text)],
        inference_options=InferenceOptions(model=model),
    )


async def whole_answer(
    request: web.Request, running: RunningTurn | TurnRecord
) -> web.StreamResponse:
    """Wait for the end of the turn, and answer with all of it as one JSON object.

    The status of an answer that is not complete is 422: clients repeat a request after a 5xx, and
    the message would be asked twice.
    """
    if isinstance(running, TurnRecord):
        status, answer = await _answer_elsewhere(request, running)
    else:
        if not isinstance(running.wire, PlainWire):
            raise BadRequest(_OTHER_PROTOCOL)
        with following(running):
            await running.until_settled()
        status, answer = running.status, running.wire.answer
    if status is None or answer is None:
        # Its end failed
        raise ServerError(GENERAL)
    return web.Response(
        body=answer,
        status=200 if status == "completed" else 422,
        content_type="application/json",
        headers={TURN_ID: running.id},
    )


async def _answer_elsewhere(
    request: web.Request, record: TurnRecord
) -> tuple[str | None, bytes | None]:
    """Wait for the end of a turn of another process; return how it ended, and the answer."""
    wire = wire_of(record)
    if not isinstance(wire, PlainWire):
        raise BadRequest(_OTHER_PROTOCOL)
    saved = await request.app[ELSEWHERE].whole(record, await store_context(request, request[USER]))
    if not saved.is_over:
        return None, None
    Telling(lambda _: wire, partial(translate, request), 0).of(saved)
    return saved.record.state, wire.answer
