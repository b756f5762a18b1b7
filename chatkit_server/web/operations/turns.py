"""Operations that start a turn."""

from __future__ import annotations

from datetime import UTC, datetime

from chatkit.store import NotFoundError
from chatkit.types import (
    Attachment,
    ClientToolCallItem,
    HiddenContextItem,
    StructuredInputAnswer,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    StructuredInputSubmission,
    ThreadItem,
    ThreadMetadata,
    ThreadsAddClientToolOutputReq,
    ThreadsAddStructuredInputReq,
    ThreadsAddUserMessageReq,
    ThreadsCreateReq,
    ThreadsRetryAfterItemReq,
    UserMessageInput,
    UserMessageItem,
)

from ...agent.questions import SavedQuestion, kept_id
from ...elsewhere.mirror import COME_AGAIN
from ...errors import BadRequest, Conflict, NotFound, Unavailable
from ...ids import MAX_ID_LENGTH
from ...store_ids import new_item_id, new_thread_id
from ...turns.job import TurnPlan
from ...turns.running import RunningTurn
from ...turns.store import TurnRecord
from ...words import words
from .attachments import use_attachment
from .caller import (
    MAX_PAGE_SIZE,
    Caller,
    checked_id,
    item_pages,
    load_item,
    new_plan,
    writable_thread,
)

SUBMITTED = words("This input was submitted already.")

NO_CALL = words("No client tool call is waiting for an output in this conversation.")


async def create_thread(caller: Caller, request: ThreadsCreateReq) -> TurnPlan:
    thread_id = new_thread_id(caller.store, caller.context)
    thread = ThreadMetadata(id=thread_id, created_at=datetime.now(UTC))
    message = await _message(caller, thread, request.params.input)
    return new_plan(caller, request.type, thread, message=message, new_thread=True)


async def add_user_message(caller: Caller, request: ThreadsAddUserMessageReq) -> TurnPlan:
    thread = await writable_thread(caller, request.params.thread_id)
    return await message_plan(caller, request, thread)


async def message_plan(
    caller: Caller, request: ThreadsAddUserMessageReq, thread: ThreadMetadata
) -> TurnPlan:
    """Return the plan of a turn that answers a new message in a thread."""
    message = await _message(caller, thread, request.params.input)
    return new_plan(caller, request.type, thread, message=message)


async def add_client_tool_output(
    caller: Caller, request: ThreadsAddClientToolOutputReq
) -> TurnPlan:
    thread = await writable_thread(caller, request.params.thread_id)
    item = await _pending_call(caller, thread.id)
    update = {"status": "completed", "output": request.params.result}
    return new_plan(caller, request.type, thread, answered=[item.model_copy(update=update)])


async def _pending_call(caller: Caller, thread_id: str) -> ClientToolCallItem:
    """Return the newest client tool call that waits for an output. Raises `Conflict`."""
    looked_at = 0
    async for page in item_pages(caller, thread_id):
        for item in page.data:
            if isinstance(item, ClientToolCallItem) and item.status == "pending":
                return item
        looked_at += len(page.data)
        if looked_at >= MAX_PAGE_SIZE:
            break
    raise Conflict(NO_CALL)


async def add_structured_input(caller: Caller, request: ThreadsAddStructuredInputReq) -> TurnPlan:
    thread = await writable_thread(caller, request.params.thread_id)
    item = await load_item(caller, thread.id, request.params.item_id)
    if not isinstance(item, StructuredInputItem):
        raise BadRequest("params.item_id: this item does not ask for input.")
    if item.status != "pending":
        raise Conflict(SUBMITTED)
    answered = _answered(item, request.params.input)
    return new_plan(caller, request.type, thread, answered=[answered])


async def answer_running(
    caller: Caller, request: ThreadsAddStructuredInputReq
) -> tuple[RunningTurn | TurnRecord, int] | None:
    """Give an answer to the turn that waits for it while it runs, if one does.

    Return it with the number of its last event so far.
    """
    running = caller.running(request.params.thread_id)
    if running is None:
        return await _answer_elsewhere(caller, request)
    if request.params.item_id not in running.live:
        return None
    caller.guard.check(request)
    await writable_thread(caller, request.params.thread_id)
    item = await load_item(caller, request.params.thread_id, request.params.item_id)
    if not isinstance(item, StructuredInputItem):
        return None
    if item.id not in running.live:
        raise Conflict(SUBMITTED)
    # Who has joined meanwhile would get what follows too, and so the client would get it twice
    running.log.part()
    number = len(running.log)
    running.live.answer(_answered(item, request.params.input))
    return running, number


async def _answer_elsewhere(
    caller: Caller, request: ThreadsAddStructuredInputReq
) -> tuple[TurnRecord, int] | None:
    """Do the same where another process runs the turn: it finds the answer in the store."""
    caller.guard.check(request)
    thread = await writable_thread(caller, request.params.thread_id)
    item = await load_item(caller, thread.id, request.params.item_id)
    kept = await _kept(caller, item) if isinstance(item, StructuredInputItem) else None
    if not isinstance(item, StructuredInputItem) or kept is None or kept.live is None:
        return None
    record = await caller.elsewhere.running(kept.live, caller.user)
    if record is None:
        return None
    answered = _answered(item, request.params.input)
    if item.status != "pending" and answered != item:
        return None
    if kept.event is None:
        # It is just being asked
        raise Unavailable(COME_AGAIN, retry_after=1)
    if item.status == "pending":
        await caller.store.save_item(thread.id, answered, caller.context)
    await caller.elsewhere.answered(record, kept.event)
    return record, kept.event


async def _kept(caller: Caller, item: StructuredInputItem) -> SavedQuestion | None:
    """Return what is kept beside a question of an MCP server, None for other questions."""
    try:
        kept = await caller.store.load_item(item.thread_id, kept_id(item.id), caller.context)
    except (NotFoundError, NotFound):
        return None
    return None if kept is None else SavedQuestion.of(kept)


async def retry_after_item(caller: Caller, request: ThreadsRetryAfterItemReq) -> TurnPlan:
    thread = await writable_thread(caller, request.params.thread_id)
    message = await load_item(caller, thread.id, request.params.item_id)
    if not isinstance(message, UserMessageItem):
        raise BadRequest("params.item_id: only a user's message can be retried.")
    later = await _items_after(caller, message)
    return new_plan(caller, request.type, thread, message=message, superseded=later)


async def _items_after(caller: Caller, message: UserMessageItem) -> list[ThreadItem]:
    """Return the items after a message, oldest first. Raises `NotFound` if it is in no page.

    They are read from the end: not every store can begin at an item.
    """
    later: list[ThreadItem] = []
    async for page in item_pages(caller, message.thread_id):
        for item in page.data:
            if item.id == message.id:
                return later[::-1]
            later.append(_without_content(item))
    raise NotFound(words("Item {id} not found in this conversation.", id=message.id))


def _without_content(item: ThreadItem) -> ThreadItem:
    """Return what is needed of an item to remove it: all of a long conversation is large."""
    return HiddenContextItem(
        id=item.id, thread_id=item.thread_id, created_at=item.created_at, content=None
    )


async def _message(
    caller: Caller, thread: ThreadMetadata, message: UserMessageInput
) -> UserMessageItem:
    if not message.attachments and not any(part.text.strip() for part in message.content):
        raise BadRequest("params.input.content: the message is empty.")
    attachments = [
        await _attachment(caller, attachment_id)
        for attachment_id in dict.fromkeys(message.attachments)
    ]
    return UserMessageItem(
        id=new_item_id(caller.store, "message", thread, caller.context),
        thread_id=thread.id,
        created_at=datetime.now(UTC),
        content=message.content,
        attachments=[found.model_copy(update={"thread_id": thread.id}) for found in attachments],
        quoted_text=message.quoted_text,
        inference_options=message.inference_options,
    )


async def _attachment(caller: Caller, attachment_id: str) -> Attachment:
    try:
        found = await caller.store.load_attachment(checked_id(attachment_id), caller.context)
    except (NotFoundError, NotFound):
        found = None
    if found is None:
        raise BadRequest(
            f"params.input.attachments: attachment {attachment_id[:MAX_ID_LENGTH]} not found."
        )
    return await use_attachment(caller, found)


def _answered(
    item: StructuredInputItem, submission: StructuredInputSubmission
) -> StructuredInputItem:
    answered = item.model_copy(deep=True)
    for question in answered.inputs:
        answer = submission.answers.get(question.id)
        skipped = submission.status == "skipped" or answer is None or answer.skipped
        values = [] if answer is None or skipped else _said(answer.values)
        single = isinstance(question, StructuredInputMultipleChoice) and not question.multiple
        question.answer = StructuredInputAnswer(
            values=values[:1] if single else values, skipped=not values
        )
    answered.status = submission.status
    return answered


def _said(values: list[str]) -> list[str]:
    """Return answers without blank ones, and each once."""
    return list(dict.fromkeys(value for value in values if value.strip()))
