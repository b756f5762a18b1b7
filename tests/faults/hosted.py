"""A server written with ChatKit's own SDK, as the plugin `chatkit_sdk` hosts it in the fault runs.

It knows nothing of this server: its model, its tool and its store are what such projects have.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from agents import Agent, RunContextWrapper, Runner, function_tool
from aiohttp import ClientSession
from chatkit.agents import AgentContext, ThreadItemConverter, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.store import NotFoundError, Store
from chatkit.types import (
    Attachment,
    Page,
    ThreadItem,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)
from pydantic import TypeAdapter
from starlette.requests import Request

LEDGER = "X-Ledger"
"""The header that says where the tool notes its calls."""

FILE = "conversations.db"
"""The file of its own store, in the folder in which it runs."""

HISTORY = 200


@dataclass(frozen=True)
class Caller:
    """Whose conversation it is, and where the tool notes its calls."""

    user: str
    ledger: str


def make_context(request: Request, user: Any) -> Caller:
    """Return the context of a request."""
    return Caller(user.id, request.headers.get(LEDGER, ""))


@function_tool
async def note(
    run: RunContextWrapper[AgentContext[Caller]], number: str, seconds: float = 0.0
) -> str:
    """Write a number down."""
    asked = {"number": number, "seconds": seconds}
    ledger = run.context.request_context.ledger
    async with ClientSession() as session, session.post(ledger, json=asked) as response:
        return await response.text()


AGENT = Agent[AgentContext[Caller]](name="Noting", model="test/model", tools=[note])


class NotingServer(ChatKitServer[Caller]):
    """Answers with an agent that has a tool."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Caller
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(thread.id, None, HISTORY, "asc", context)
        given = await ThreadItemConverter().to_agent_input(page.data)
        agent_context: AgentContext[Caller] = AgentContext(
            thread=thread, store=self.store, request_context=context
        )
        result = Runner.run_streamed(AGENT, given, context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event


def create_server(store: Store[Caller] | None = None) -> NotingServer:
    """Return the server, with a store of its own unless one is given."""
    return NotingServer(store or FileStore(FILE))


_ITEM: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)

_TABLES = """
CREATE TABLE IF NOT EXISTS threads (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, user TEXT, data TEXT
);
CREATE TABLE IF NOT EXISTS items (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, thread TEXT, data TEXT
);
"""


class FileStore(Store[Caller]):
    """Keeps threads and items in a SQLite file, in the order in which they came."""

    def __init__(self, file: str) -> None:
        self._database = sqlite3.connect(file, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.executescript(_TABLES)

    async def load_thread(self, thread_id: str, context: Caller) -> ThreadMetadata:
        row = self._database.execute(
            "SELECT data FROM threads WHERE id = ? AND user = ?", (thread_id, context.user)
        ).fetchone()
        if row is None:
            raise NotFoundError(f"thread {thread_id} not found")
        return ThreadMetadata.model_validate_json(row[0])

    async def save_thread(self, thread: ThreadMetadata, context: Caller) -> None:
        self._database.execute(
            "INSERT INTO threads (id, user, data) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET data = excluded.data",
            (thread.id, context.user, thread.model_dump_json(exclude={"items"})),
        )

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Caller
    ) -> Page[ThreadMetadata]:
        rows = self._database.execute(
            "SELECT data FROM threads WHERE user = ? ORDER BY number", (context.user,)
        ).fetchall()
        return _page([ThreadMetadata.model_validate_json(data) for (data,) in rows], limit, order)

    async def delete_thread(self, thread_id: str, context: Caller) -> None:
        self._database.execute("DELETE FROM threads WHERE id = ?", (thread_id,))
        self._database.execute("DELETE FROM items WHERE thread = ?", (thread_id,))

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Caller
    ) -> Page[ThreadItem]:
        rows = self._database.execute(
            "SELECT data FROM items WHERE thread = ? ORDER BY number", (thread_id,)
        ).fetchall()
        return _page([_ITEM.validate_json(data) for (data,) in rows], limit, order, after)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Caller) -> None:
        self._database.execute(
            "INSERT INTO items (id, thread, data) VALUES (?, ?, ?)",
            (item.id, thread_id, item.model_dump_json()),
        )

    async def save_item(self, thread_id: str, item: ThreadItem, context: Caller) -> None:
        self._database.execute(
            "UPDATE items SET data = ? WHERE id = ?", (item.model_dump_json(), item.id)
        )

    async def load_item(self, thread_id: str, item_id: str, context: Caller) -> ThreadItem:
        row = self._database.execute("SELECT data FROM items WHERE id = ?", (item_id,)).fetchone()
        if row is None:
            raise NotFoundError(f"item {item_id} not found")
        return _ITEM.validate_json(row[0])

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Caller) -> None:
        self._database.execute("DELETE FROM items WHERE id = ?", (item_id,))

    async def save_attachment(self, attachment: Attachment, context: Caller) -> None:
        raise NotImplementedError

    async def load_attachment(self, attachment_id: str, context: Caller) -> Attachment:
        raise NotImplementedError

    async def delete_attachment(self, attachment_id: str, context: Caller) -> None:
        raise NotImplementedError


def _page(rows: list[Any], limit: int, order: str, after: str | None = None) -> Page[Any]:
    if order == "desc":
        rows = rows[::-1]
    ids = [row.id for row in rows]
    start = ids.index(after) + 1 if after is not None else 0
    found = rows[start : start + limit]
    more = len(rows) > start + limit
    return Page(data=found, has_more=more, after=found[-1].id if found and more else None)
