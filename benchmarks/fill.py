"""Make threads with many items: `python -m benchmarks.fill SETTINGS USER ITEMS...`.

It prints the id of each thread, in the order of the numbers of items.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web
from chatkit.store import Store
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    InferenceOptions,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
    UserMessageTextContent,
)

from chatkit_server import STORE, User
from chatkit_server.app import create_app
from chatkit_server.ids import new_id
from chatkit_server.settings.load import load
from chatkit_server.storage import StoreContext

from .command import command
from .script import Answer


async def fill(file: Path, user: User, sizes: list[int]) -> None:
    """Fill the store of a deployment through ChatKit's own interface."""
    app = create_app(load(file))
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        for size in sizes:
            print(await _thread(app[STORE], StoreContext(user), size), flush=True)
    finally:
        await runner.cleanup()


async def _thread(store: Store[StoreContext], context: StoreContext, size: int) -> str:
    thread = ThreadMetadata(id=new_id("thr"), created_at=datetime.now(UTC))
    await store.save_thread(thread, context)
    for number in range(size):
        await store.add_thread_item(thread.id, _item(thread.id, number), context)
    return thread.id


def _item(thread_id: str, number: int) -> ThreadItem:
    """Return a question or its answer, in turn."""
    id, now = new_id("msg"), datetime.now(UTC)
    if number % 2:
        content = [AssistantMessageContent(text=Answer(20).text)]
        return AssistantMessageItem(id=id, thread_id=thread_id, created_at=now, content=content)
    return UserMessageItem(
        id=id,
        thread_id=thread_id,
        created_at=now,
        content=[UserMessageTextContent(text=Answer(20).asked)],
        inference_options=InferenceOptions(),
    )


if __name__ == "__main__":
    parser = command("fill", __doc__)
    parser.add_argument("settings", type=Path)
    parser.add_argument("user", type=User, help="the id of the user")
    parser.add_argument("items", nargs="+", type=int, help="how many the next thread gets")
    given = parser.parse_args()
    asyncio.run(fill(given.settings, given.user, given.items))
