"""Put an item of the server's own into a thread, and onto the pages that show it."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web
from chatkit.store import NotFoundError, Store
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ThreadItem,
    ThreadMetadata,
)

from ..errors import BadRequest, NotFound
from ..events.places import news, place_of_thread
from ..events.threads import TICK
from ..events.wire import is_hidden
from ..ids import MAX_ID_LENGTH, is_id
from ..paging import aware
from ..store_ids import new_item_id
from ..text import valid_values
from ..turn import StoreContext, Turn, User
from ..turns.view import StoreView
from ..words import words
from .arguments import require_item, require_thread_id, require_user
from .keys import ENGINE, HOOKS, STORE
from .operations.caller import checked_id

OPERATION = "post_message"
"""The operation of the turn that `persist` gets with such an item."""


async def post_message(
    app: web.Application, user: User, thread_id: str, item: ThreadItem | str
) -> ThreadItem:
    """Put a message of the assistant, or another item, at the end of a thread of this user.

    It is saved, the hooks `persist` are called, and pages that show the thread are told. An item
    keeps its id: the one of that id is replaced, in its place, so this can be repeated. Its thread
    and its time are set. Returns the item as it is saved.

    Raises `NotFound` if the user has no such thread, `BadRequest` for an empty text and an item
    whose id is empty or has over 200 characters, and what the store and the hooks raise. A wrong
    type is a `TypeError`. Only after a hook's error, the item is saved.
    """
    require_user(OPERATION, user)
    require_thread_id(OPERATION, thread_id)
    require_item(OPERATION, item)
    if isinstance(item, str):
        if not item.strip():
            raise BadRequest("item: the text is empty.")
    elif not item.id or not is_id(item.id):
        raise BadRequest(f"item: its id has to have 1 to {MAX_ID_LENGTH} printable characters.")
    store, context = app[STORE], StoreContext(user)
    thread = await _thread(store, thread_id, context)
    new: ThreadItem = item if not isinstance(item, str) else _message(store, thread, item, context)
    known = await _known(store, thread_id, new.id, context)
    time = await _next_time(store, thread_id, context) if known is None else known.created_at
    new = valid_values(new).model_copy(update={"thread_id": thread_id, "created_at": time})
    save = store.add_thread_item if known is None else store.save_item
    try:
        await save(thread_id, new, context)
    except NotFoundError:
        raise NotFound(words("Conversation not found.")) from None
    turn = _turn(app, store, thread, context)
    await app[HOOKS].each("persist", turn=turn, item=new)
    if not is_hidden(new):
        app[ENGINE].events.tell(place_of_thread(user, thread_id), news("item", new.id))
    return new


def _message(
    store: Store[StoreContext], thread: ThreadMetadata, text: str, context: StoreContext
) -> ThreadItem:
    return AssistantMessageItem(
        id=new_item_id(store, "message", thread, context),
        thread_id=thread.id,
        created_at=datetime.now(UTC),
        content=[AssistantMessageContent(text=text)],
    )


async def _thread(
    store: Store[StoreContext], thread_id: str, context: StoreContext
) -> ThreadMetadata:
    thread: ThreadMetadata | None = None
    try:
        thread = await store.load_thread(checked_id(thread_id), context)
    except (NotFoundError, NotFound):
        thread = None
    if thread is None:
        raise NotFound(words("Conversation not found."))
    return thread


async def _known(
    store: Store[StoreContext], thread_id: str, item_id: str, context: StoreContext
) -> ThreadItem | None:
    try:
        return await store.load_item(thread_id, item_id, context)
    except (NotFoundError, NotFound):
        return None


async def _next_time(store: Store[StoreContext], thread_id: str, context: StoreContext) -> datetime:
    """Return a time after that of the last item: some stores sort by it alone."""
    now = datetime.now(UTC)
    page = await store.load_thread_items(thread_id, None, 1, "desc", context)
    return max([now, *(aware(item.created_at) + TICK for item in page.data)])


def _turn(
    app: web.Application,
    store: Store[StoreContext],
    thread: ThreadMetadata,
    context: StoreContext,
) -> Turn:
    """Return what `persist` gets as the turn of an item that no turn has made."""
    turn = Turn(
        thread=thread,
        store=StoreView(store, context),
        request_context=context,
        user=context.user,
        operation=OPERATION,
    )
    turn._catalogs = app[HOOKS].languages
    return turn
