"""A server for the tests of the page, whose answers and conversations a test can give."""

from __future__ import annotations

from base64 import b64decode
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    InferenceOptions,
    ThreadItem,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    UserMessageTextContent,
)

from chatkit_server import PAGES, Turn, hookimpl
from chatkit_server.testing import MemoryStore
from chatkit_server.testing.memory_store import MemoryStorePlugin
from tests.serving import served_app

Events = AsyncIterator[ThreadStreamEvent] | Iterable[ThreadStreamEvent]
Script = Callable[[Turn], Events]
"""Makes the events of an answer; write it as an `async def` with `yield`, or return a list."""

BEGAN = datetime(2026, 1, 1, 9, tzinfo=UTC)
CSP = "Content-Security-Policy"
PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)
PIXEL = b64decode(PICTURE.partition(",")[2])
BARE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><title>Test</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<script type="module" src="/open-chatkit.js"></script>
</head>
<body><main><open-chatkit></open-chatkit></main></body>
</html>
"""


_ids = count(1)


class Scripts:
    """Answers a user's next messages as a test says; without a script, the agent answers."""

    def __init__(self) -> None:
        self.of: defaultdict[str, deque[Script]] = defaultdict(deque)

    @hookimpl
    async def respond(self, turn: Turn) -> Events | None:
        scripts = self.of[turn.user.id]
        return scripts.popleft()(turn) if scripts else None


class Pages:
    """Serves pages of tests, with the policy of the real page unless they have none."""

    def __init__(self) -> None:
        self.csp = ""
        self.bodies = {"chat": BARE}

    @hookimpl
    def setup(self, app: web.Application) -> None:
        app.router.add_get("/test/{name}", self._page)
        app.router.add_get("/test/picture/{name}", self._picture)

    async def _page(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        headers = {CSP: self.csp} if name == "chat" else {}
        return web.Response(text=self.bodies[name], content_type="text/html", headers=headers)

    async def _picture(self, request: web.Request) -> web.Response:
        return web.Response(body=PIXEL, content_type="image/png")


class Site:
    """A running server."""

    def __init__(self, port: int, scripts: Scripts, pages: Pages, store: MemoryStore) -> None:
        self.port = port
        self.scripts = scripts
        self.pages = pages
        self.store = store

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def behind(self, port: int) -> Site:
        """Return the same server as it is seen through a proxy."""
        return Site(port, self.scripts, self.pages, self.store)

    def seed(self, user: str, *items: ThreadItem, title: str | None = None, **thread: Any) -> str:
        """Store a conversation of a user as it is, and return its id."""
        number = next(_ids)
        thread_id: str = thread.pop("id", f"thr_seeded_{number}")
        began = BEGAN + timedelta(minutes=number)
        metadata = ThreadMetadata(id=thread_id, title=title, created_at=began, **thread)
        self.store.threads[("", user)][thread_id] = metadata
        for item in items:
            stored = item.model_copy(update={"thread_id": thread_id})
            self.store.items[thread_id][item.id] = stored
        return thread_id


@asynccontextmanager
async def open_site(folder: Path, *plugins: object, **sections: Any) -> AsyncIterator[Site]:
    """Start a server with the chat page and the showcase, and these plugins and settings."""
    scripts, pages, memory = Scripts(), Pages(), MemoryStorePlugin()
    bundled = {
        "chat_page": None,
        "showcase": None,
        "attachments": {"url": str(folder / "attachments")},
        "demo_model": {"pace": "1ms"},
    }
    sections["plugins"] = bundled | sections.get("plugins", {})
    app, _ = served_app(*plugins, scripts, pages, memory, **sections)
    server = TestServer(app)
    await server.start_server()
    try:
        assert server.port is not None
        site = Site(server.port, scripts, pages, memory.memory)
        pages.csp = await _policy(site.url + app[PAGES][0])
        yield site
    finally:
        await server.close()


async def _policy(url: str) -> str:
    async with ClientSession() as session, session.get(url) as response:
        assert response.status == 200, await response.text()
        return str(response.headers[CSP])


def said(text: str, **fields: Any) -> UserMessageItem:
    """Return a message of a user for `seed`."""
    content = [UserMessageTextContent(text=text)]
    given = {"content": content, "inference_options": InferenceOptions(), **fields}
    return UserMessageItem(**fresh("usr"), **given)


def answered(text: str, **content: Any) -> AssistantMessageItem:
    """Return a message of the assistant for `seed`."""
    return AssistantMessageItem(
        **fresh("msg"), content=[AssistantMessageContent(text=text, **content)]
    )


def fresh(prefix: str) -> dict[str, Any]:
    """Return the fields of a new item; `seed` fills in the thread."""
    number = next(_ids)
    began = BEGAN + timedelta(seconds=number)
    return {"id": f"{prefix}_seeded_{number}", "thread_id": "", "created_at": began}
