"""One function for each ChatKit operation."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from chatkit.actions import Action
from chatkit.store import AttachmentStore, NotFoundError, Store
from chatkit.types import (
    Attachment,
    AttachmentsCreateReq,
    AttachmentsDeleteReq,
    AudioInput,
    ChatKitReq,
    ClientToolCallItem,
    ClosedStatus,
    InputTranscribeReq,
    ItemsFeedbackReq,
    ItemsListReq,
    LockedStatus,
    Page,
    StructuredInputAnswer,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    StructuredInputSubmission,
    SyncCustomActionResponse,
    ThreadItem,
    ThreadMetadata,
    ThreadsAddClientToolOutputReq,
    ThreadsAddStructuredInputReq,
    ThreadsAddUserMessageReq,
    ThreadsCreateReq,
    ThreadsCustomActionReq,
    ThreadsDeleteReq,
    ThreadsGetByIdReq,
    ThreadsListReq,
    ThreadsRetryAfterItemReq,
    ThreadsSyncCustomActionReq,
    ThreadsUpdateReq,
    TranscriptionResult,
    UserMessageInput,
    UserMessageItem,
    WidgetItem,
)
from pydantic import BaseModel, TypeAdapter, ValidationError

from ..errors import BadRequest, Conflict, NotFound, ServerError, Unprocessable
from ..events.recorder import as_thread
from ..events.wire import ChatKitWire, is_hidden
from ..ids import new_id
from ..plugin.discovery import Hooks
from ..settings.schema import nearest
from ..turn import StoreContext, Turn, User
from ..turns.work import Plan
from .body import misfit

log = logging.getLogger(__name__)

PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
MAX_ID_LENGTH = 200

_REQUEST: TypeAdapter[ChatKitReq] = TypeAdapter(ChatKitReq)
RequestT = TypeVar("RequestT")


@dataclass(frozen=True)
class Caller:
    """Who asks, and what an operation needs to answer."""

    user: User
    store: Store[StoreContext]
    attachment_store: AttachmentStore[StoreContext] | None
    hooks: Hooks
    locale: str | None = None

    @property
    def context(self) -> StoreContext:
        """The caller, as a store is asked."""
        return StoreContext(self.user)


Answer = BaseModel | None
Operation = Callable[[Caller, Any], Awaitable[Answer | Plan]]


def parse(body: dict[str, Any]) -> ChatKitReq:
    """Return the request that a body makes.

    Raises `BadRequest` that names what is wrong with which field.
    """
    kind = body.get("type")
    if not isinstance(kind, str):
        raise BadRequest(
            "type: a string is needed, such as `threads.create`; plain clients send `messages`."
        )
    if kind not in OPERATIONS:
        kind = kind[:50]
        raise BadRequest(f"type: unknown operation `{kind}`.{nearest(kind, OPERATIONS)}")
    try:
        request = _REQUEST.validate_python(body)
    except ValidationError as error:
        raise misfit(error, body) from None
    if isinstance(request, ThreadsCustomActionReq | ThreadsSyncCustomActionReq):
        # ChatKit's own type has a strange default for it
        _needs_type(request.params.action)
    return request


def _needs_type(action: Action[str, Any]) -> None:
    if not isinstance(action.type, str):
        raise BadRequest("params.action.type: Field required")


async def perform(caller: Caller, request: ChatKitReq) -> Answer | Plan:
    """Return what the operation answers at once, or the plan of the turn it asks for."""
    try:
        return await OPERATIONS[request.type](caller, request)
    except NotFoundError:
        raise NotFound("It is not there.") from None


async def create_thread(caller: Caller, request: ThreadsCreateReq) -> Plan:
    thread = ThreadMetadata(id=new_id("thr"), created_at=datetime.now(UTC))
    message = await _message(caller, thread, request.params.input)
    return _plan(caller, request.type, thread, message=message, new_thread=True)


async def add_user_message(caller: Caller, request: ThreadsAddUserMessageReq) -> Plan:
    thread = await writable_thread(caller, request.params.thread_id)
    message = await _message(caller, thread, request.params.input)
    return _plan(caller, request.type, thread, message=message)


async def add_client_tool_output(caller: Caller, request: ThreadsAddClientToolOutputReq) -> Plan:
    thread = await writable_thread(caller, request.params.thread_id)
    page = await caller.store.load_thread_items(thread.id, None, PAGE_SIZE, "desc", caller.context)
    for item in page.data:
        if isinstance(item, ClientToolCallItem) and item.status == "pending":
            update = {"status": "completed", "output": request.params.result}
            return _plan(caller, request.type, thread, replaced=item.model_copy(update=update))
    raise Conflict("No client tool call waits for an output in this thread.")


async def add_structured_input(caller: Caller, request: ThreadsAddStructuredInputReq) -> Plan:
    thread = await writable_thread(caller, request.params.thread_id)
    item = await _item(caller, thread.id, request.params.item_id)
    if not isinstance(item, StructuredInputItem):
        raise BadRequest("params.item_id: this item does not ask for input.")
    if item.status != "pending":
        raise Conflict("This has been answered already.")
    return _plan(caller, request.type, thread, replaced=_answered(item, request.params.input))


async def retry_after_item(caller: Caller, request: ThreadsRetryAfterItemReq) -> Plan:
    thread = await writable_thread(caller, request.params.thread_id)
    message = await _item(caller, thread.id, request.params.item_id)
    if not isinstance(message, UserMessageItem):
        raise BadRequest("params.item_id: only a user's message can be answered again.")
    later: list[ThreadItem] = []
    after: str | None = message.id
    while after is not None:
        page = await caller.store.load_thread_items(
            thread.id, after, MAX_PAGE_SIZE, "asc", caller.context
        )
        later += page.data
        after = page.after if page.has_more else None
    return _plan(caller, request.type, thread, message=message, superseded=later)


async def custom_action(caller: Caller, request: ThreadsCustomActionReq) -> Plan:
    _needs(caller, "action")
    thread = await writable_thread(caller, request.params.thread_id)
    sender = await _sender(caller, thread.id, request.params.item_id)
    return _plan(caller, request.type, thread, action=request.params.action, sender=sender)


async def sync_custom_action(caller: Caller, request: ThreadsSyncCustomActionReq) -> Answer:
    _needs(caller, "action")
    thread = await writable_thread(caller, request.params.thread_id)
    sender = await _sender(caller, thread.id, request.params.item_id)
    turn = Turn(
        thread=thread,
        store=caller.store,
        request_context=caller.context,
        user=caller.user,
        operation=request.type,
        locale=caller.locale,
    )
    action = request.params.action
    answer = await _first(caller, "action", turn=turn, action=action, item=sender)
    if not isinstance(answer, SyncCustomActionResponse):
        raise Unprocessable(f"No plugin's `action` hook answers `{action.type}` at once.")
    if answer.updated_item is not None:
        await caller.store.save_item(thread.id, answer.updated_item, caller.context)
        with _refusing("A plugin's `persist` hook"):
            await caller.hooks.each("persist", turn=turn, item=answer.updated_item)
    return answer


async def get_thread(caller: Caller, request: ThreadsGetByIdReq) -> Answer:
    thread = await _thread(caller, request.params.thread_id)
    return as_thread(thread, await _items(caller, thread.id, None, PAGE_SIZE, "asc"))


async def list_threads(caller: Caller, request: ThreadsListReq) -> Answer:
    params = request.params
    page = await caller.store.load_threads(
        _limit(params.limit), _id(params.after), params.order, caller.context
    )
    threads = [as_thread(thread) for thread in page.data]
    return Page(data=threads, has_more=page.has_more, after=page.after)


async def update_thread(caller: Caller, request: ThreadsUpdateReq) -> Answer:
    thread = await _thread(caller, request.params.thread_id)
    thread.title = request.params.title
    await caller.store.save_thread(thread, caller.context)
    return as_thread(thread)


async def delete_thread(caller: Caller, request: ThreadsDeleteReq) -> Answer:
    thread = await _thread(caller, request.params.thread_id)
    await caller.store.delete_thread(thread.id, caller.context)
    return None


async def list_items(caller: Caller, request: ItemsListReq) -> Answer:
    params = request.params
    thread = await _thread(caller, params.thread_id)
    return await _items(caller, thread.id, _id(params.after), _limit(params.limit), params.order)


async def feedback(caller: Caller, request: ItemsFeedbackReq) -> Answer:
    _needs(caller, "feedback")
    params = request.params
    thread = await _thread(caller, params.thread_id)
    item_ids = list(dict.fromkeys(params.item_ids))
    for item_id in item_ids:
        await _item(caller, thread.id, item_id)
    answer = await _first(
        caller,
        "feedback",
        user=caller.user,
        thread_id=thread.id,
        item_ids=item_ids,
        kind=params.kind,
    )
    if answer is None:
        raise Unprocessable("No plugin's `feedback` hook keeps this.")
    return None


async def create_attachment(caller: Caller, request: AttachmentsCreateReq) -> Answer:
    attachment_store = _attachment_store(caller)
    with _refusing("The attachment store"):
        attachment = await attachment_store.create_attachment(request.params, caller.context)
    await caller.store.save_attachment(attachment, caller.context)
    return cast(BaseModel, attachment)


async def delete_attachment(caller: Caller, request: AttachmentsDeleteReq) -> Answer:
    attachment_store = _attachment_store(caller)
    attachment_id = _id(request.params.attachment_id) or ""
    await caller.store.load_attachment(attachment_id, caller.context)
    with _refusing("The attachment store"):
        await attachment_store.delete_attachment(attachment_id, caller.context)
    await caller.store.delete_attachment(attachment_id, caller.context)
    return None


async def transcribe(caller: Caller, request: InputTranscribeReq) -> Answer:
    _needs(caller, "transcribe")
    try:
        data = base64.b64decode(request.params.audio_base64, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("params.audio_base64: not Base64.") from None
    audio = AudioInput(data=data, mime_type=request.params.mime_type)
    text = await _first(caller, "transcribe", user=caller.user, audio=audio)
    if text is None:
        raise Unprocessable("No plugin's `transcribe` hook understands this audio.")
    return TranscriptionResult(text=text)


OPERATIONS: dict[str, Operation] = {
    "threads.create": create_thread,
    "threads.add_user_message": add_user_message,
    "threads.add_client_tool_output": add_client_tool_output,
    "threads.add_structured_input": add_structured_input,
    "threads.retry_after_item": retry_after_item,
    "threads.custom_action": custom_action,
    "threads.sync_custom_action": sync_custom_action,
    "threads.get_by_id": get_thread,
    "threads.list": list_threads,
    "threads.update": update_thread,
    "threads.delete": delete_thread,
    "items.list": list_items,
    "items.feedback": feedback,
    "attachments.create": create_attachment,
    "attachments.delete": delete_attachment,
    "input.transcribe": transcribe,
}


async def writable_thread(caller: Caller, thread_id: str) -> ThreadMetadata:
    """Return the caller's thread, if it takes messages.

    Raises `NotFound`, or `Conflict` with the reason for which it is locked or closed.
    """
    thread = await _thread(caller, thread_id)
    if isinstance(thread.status, LockedStatus | ClosedStatus):
        reason = f": {thread.status.reason}" if thread.status.reason else "."
        raise Conflict(f"This conversation is {thread.status.type}{reason}")
    return thread


async def _thread(caller: Caller, thread_id: str) -> ThreadMetadata:
    try:
        return await caller.store.load_thread(_id(thread_id) or "", caller.context)
    except NotFoundError:
        raise NotFound("This conversation is not there.") from None


async def _item(caller: Caller, thread_id: str, item_id: str) -> ThreadItem:
    try:
        item = await caller.store.load_item(thread_id, _id(item_id) or "", caller.context)
    except NotFoundError:
        item = None
    if item is None or is_hidden(item):
        raise NotFound(f"The item {item_id[:MAX_ID_LENGTH]} is not in this conversation.")
    return item


async def _sender(caller: Caller, thread_id: str, item_id: str | None) -> WidgetItem | None:
    if item_id is None:
        return None
    item = await _item(caller, thread_id, item_id)
    if not isinstance(item, WidgetItem):
        raise BadRequest("params.item_id: an action comes from a widget, and this is none.")
    return item


async def _items(
    caller: Caller, thread_id: str, after: str | None, limit: int, order: str
) -> Page[ThreadItem]:
    """Return a page of visible items: hidden ones do not shorten it."""
    visible: list[ThreadItem] = []
    while True:
        page = await caller.store.load_thread_items(
            thread_id, after, limit + 1, order, caller.context
        )
        visible += [item for item in page.data if not is_hidden(item)]
        if len(visible) > limit or not page.has_more:
            break
        after = page.after
    has_more = len(visible) > limit
    visible = visible[:limit]
    return Page(data=visible, has_more=has_more, after=visible[-1].id if has_more else None)


async def _message(
    caller: Caller, thread: ThreadMetadata, message: UserMessageInput
) -> UserMessageItem:
    if not message.attachments and not any(part.text.strip() for part in message.content):
        raise BadRequest("params.input.content: the message says nothing.")
    attachments = [
        await _attachment(caller, attachment_id)
        for attachment_id in dict.fromkeys(message.attachments)
    ]
    return UserMessageItem(
        id=new_id("msg"),
        thread_id=thread.id,
        created_at=datetime.now(UTC),
        content=message.content,
        attachments=[found.model_copy(update={"thread_id": thread.id}) for found in attachments],
        quoted_text=message.quoted_text,
        inference_options=message.inference_options,
    )


async def _attachment(caller: Caller, attachment_id: str) -> Attachment:
    try:
        return await caller.store.load_attachment(_id(attachment_id) or "", caller.context)
    except (NotFoundError, NotFound):
        raise BadRequest(
            f"params.input.attachments: there is no attachment {attachment_id[:MAX_ID_LENGTH]}."
        ) from None


def _answered(
    item: StructuredInputItem, submission: StructuredInputSubmission
) -> StructuredInputItem:
    answered = item.model_copy(deep=True)
    for question in answered.inputs:
        answer = submission.answers.get(question.id)
        if submission.status == "skipped" or not answer or answer.skipped or not answer.values:
            question.answer = StructuredInputAnswer(skipped=True)
            continue
        single = isinstance(question, StructuredInputMultipleChoice) and not question.multiple
        question.answer = StructuredInputAnswer(
            values=answer.values[:1] if single else answer.values
        )
    answered.status = submission.status
    return answered


def _plan(caller: Caller, operation: str, thread: ThreadMetadata, **rest: Any) -> Plan:
    return Plan(operation, caller.user, thread, ChatKitWire(), locale=caller.locale, **rest)


def _needs(caller: Caller, hook: str) -> None:
    if not caller.hooks.implemented(hook):
        raise Unprocessable(f"No enabled plugin implements the hook `{hook}`.")


async def _first(caller: Caller, hook: str, **arguments: Any) -> Any:
    with _refusing(f"A plugin's `{hook}` hook"):
        return await caller.hooks.first(hook, **arguments)


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Make a failure of a plugin a 4xx, which is final: after a 5xx the client asks again."""
    try:
        yield
    except NotFoundError:
        raise
    except ServerError as error:
        if error.status < 500:
            raise
        raise Unprocessable(error.message) from error
    except NotImplementedError as error:
        raise Unprocessable(f"{what} cannot do this.") from error
    except Exception as error:
        log.exception("%s failed", what)
        raise Unprocessable(f"{what} failed.") from error


def _attachment_store(caller: Caller) -> AttachmentStore[StoreContext]:
    if caller.attachment_store is None:
        raise Unprocessable("No enabled plugin implements the hook `attachment_store`.")
    return caller.attachment_store


def _limit(limit: int | None) -> int:
    if limit is None:
        return PAGE_SIZE
    if limit < 1:
        raise BadRequest("params.limit: at least 1 is needed.")
    return min(limit, MAX_PAGE_SIZE)


def _id(value: str | None) -> str | None:
    if value is not None and (len(value) > MAX_ID_LENGTH or not value.isprintable()):
        raise NotFound("It is not there.")
    return value
