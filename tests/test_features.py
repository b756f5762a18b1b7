"""Every feature of the showcase: as it is streamed, after a reload, after Stop, and after a kill.

Turns stand still at each of their pauses. Some are stopped there, and the process of the others is
killed. What was shown then is stored, and nothing of it is in progress for ever.
"""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
import yaml
from aiohttp import ClientError, ClientResponse

from tests.client import EVENT
from tests.databases import DATABASES, DatabaseKind, new_url
from tests.faults.world import client
from tests.folded import ITEM, Folded, Json, unfinished
from tests.processes import Server, running
from tests.showing import APPROVAL, REQUESTS
from tests.test_resume import create

PATIENCE = 30.0
"""Seconds after which what is waited for is given up."""

PLACES = (1, 2, 3, 5, 8, 100)
"""The pauses at which turns stand still; at the last one, none does."""

BROKEN = (ClientError, ConnectionError)
"""How a stream ends whose server is killed."""

HELD = "held"
"""What `held_showcase` says. Only servers under test import it: it changes other plugins."""

PLUGIN = "from tests.held_showcase import action, post_turn, pre_turn, tool_result\n"


class Page:
    """A page that shows a conversation of its own: it has sent a request, and reads the answer.

    `is_held` says that the turn stands still.
    """

    def __init__(self, request: str, place: int, user: str, response: ClientResponse) -> None:
        self.request = request
        self.place = place
        self.user = user
        self.turn_id = response.headers["X-Turn-Id"]
        self.events: list[Json] = []
        self.is_held = False
        self._response = response
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    def __str__(self) -> str:
        return f"{self.request} ({self.place})"

    @property
    def folded(self) -> Folded:
        return Folded(self.events)

    @property
    def thread_id(self) -> str:
        return str(self.folded.thread["id"])

    async def _read(self) -> None:
        try:
            async for line in self._response.content:
                if line.startswith(b"data: "):
                    event = orjson.loads(line.removeprefix(b"data: "))
                    EVENT.validate_python(event)
                    self.events.append(event)
                    if event.get("text") == HELD:
                        self.is_held = True
                        self._news.set()
        except BROKEN:
            pass
        finally:
            self._response.close()
            self._news.set()

    async def until_held(self) -> None:
        """Wait until the turn stands still or has ended."""
        await self._news.wait()

    async def closed(self) -> None:
        """Read to the end of the stream."""
        await self._reading

    async def stop(self, server: Server) -> None:
        """Press Stop, if the turn may be stopped, and read to the end."""
        path = f"{server.path}/turns/{self.turn_id}/cancel"
        async with server.session.post(path, headers={"X-User": self.user}) as response:
            assert response.status == (409 if self._may_not_stop else 200)
        if not self._may_not_stop:
            await self.closed()
            self.is_held = False

    @property
    def _may_not_stop(self) -> bool:
        return any(e.get("stream_options") == {"allow_cancel": False} for e in self.events)

    async def stored(self, server: Server) -> Json:
        """Return the conversation as the page gets it after a reload."""
        chat = server.chat(X_User=self.user)
        return await chat.ask("threads.get_by_id", thread_id=self.thread_id)


async def open_pages(server: Server, request: str) -> list[Page]:
    """Send a request from one page after the other, each of which is held at a later pause.

    The last one is held nowhere.
    """
    pages: list[Page] = []
    for place in PLACES:
        user = f"{request.split()[0]}-{request.split()[-1]}-{place}".strip(".?")
        chat = server.chat(X_User=user, X_Hold=str(place))
        pages.append(Page(request, place, user, await chat.post(create(request))))
        await pages[-1].until_held()
        if not pages[-1].is_held:
            return pages
    raise AssertionError(f"{request} has more pauses")


def cut_off(item: Json) -> Json:
    """Return an item as it is stored when its turn was cut off."""
    item = deepcopy(item)
    for part in unfinished(item):
        if "status_indicator" in part:
            part["status_indicator"] = "none"
        elif "streaming" in part:
            part["streaming"] = False
        else:
            part["summary"] = {"duration": 0}
    return item


def shows_something(item: Json) -> bool:
    match item:
        case {"type": "generated_image"}:
            return "image" in item
        case {"type": "assistant_message"}:
            return any(part["text"] for part in item["content"])
        case {"type": "workflow"}:
            return bool(item["workflow"]["tasks"])
    return True


def timeless(item: Json) -> Json:
    """Return an item without the seconds that a workflow took, and without sources.

    A message gets its sources when it is done, or cut off.
    """
    item = deepcopy(item)
    for part in item.get("content", ()):
        part.pop("annotations", None)
    if "duration" in item.get("workflow", {}).get("summary", {}):
        item["workflow"]["summary"]["duration"] = 0
    return item


def check(page: Page, thread: Json, *, is_whole: bool) -> None:
    """Compare what is stored with what the page shows."""
    stored: list[Json] = thread["items"]["data"]
    folded = page.folded
    for item in stored:
        ITEM.validate_python(item)
        assert not unfinished(item), f"{page}: {item}"
    assert len({item["id"] for item in stored}) == len(stored), page
    if is_whole:
        assert folded.items == folded.done, page
        assert stored == list(folded.items.values()), page
    else:
        shown = [cut_off(item) for item in folded.items.values() if shows_something(item)]
        assert list(map(timeless, stored)) == list(map(timeless, shown)), page
    for key in ("title", "status"):
        assert thread.get(key) == folded.thread.get(key), page


async def look(page: Page, server: Server, *, is_whole: bool) -> None:
    """Wait until nothing works on the turn, and compare what is stored with what was shown."""
    path = f"{server.path}/turns/{page.turn_id}"
    async with asyncio.timeout(PATIENCE):
        while True:
            async with server.session.get(path, headers={"X-User": page.user}) as response:
                if (await response.json())["state"] != "running":
                    break
            await asyncio.sleep(0.02)
    try:
        check(page, await page.stored(server), is_whole=is_whole)
    except AssertionError as error:
        error.add_note(f"{page}")
        raise


async def go_on(page: Page, server: Server) -> None:
    """Say something else in the conversation, unless it is locked or closed."""
    chat = server.chat(X_User=page.user)
    if page.folded.thread["status"]["type"] == "active":
        streamed = await chat.say("effect", page.thread_id)
        assert streamed.error is None, page
        assert streamed.text == "Hooray!", page


def asks(page: Page) -> list[Json]:
    """Return what waits for an answer in the conversation."""
    items = page.folded.items.values()
    return [item for item in items if item.get("status") == "pending" or APPROVAL in str(item)]


async def reply(page: Page, server: Server) -> None:
    """Answer what the turn of a dead process has asked."""
    chat, thread_id = server.chat(X_User=page.user), page.thread_id
    match asks(page):
        case [{"type": "client_tool_call"}]:
            streamed = await chat.stream(
                "threads.add_client_tool_output", thread_id=thread_id, result={"city": "Kyoto"}
            )
            assert "Kyoto" in streamed.text
        case [{"type": "structured_input", "id": item_id}]:
            given = {"answers": {"tea": {"values": ["Sencha"]}, "cup": {"skipped": True}}}
            streamed = await chat.stream(
                "threads.add_structured_input", thread_id=thread_id, item_id=item_id, input=given
            )
            assert "Sencha" in streamed.text
        case [{"type": "widget", "id": item_id}]:
            action = {"type": APPROVAL, "payload": {"decision": "approve"}}
            streamed = await chat.stream(
                "threads.custom_action", thread_id=thread_id, item_id=item_id, action=action
            )
            assert streamed.text == "Everything is deleted."
        case other:
            raise AssertionError(other)


async def until_reported(url: str) -> None:
    """Wait until heartbeats have saved twice how far all running turns have come."""
    for _ in range(2):
        _, newest = await beaten(url)
        async with asyncio.timeout(PATIENCE):
            while (await beaten(url))[0] <= newest:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def beaten(url: str) -> tuple[Any, Any]:
    """Return when the heartbeats of running turns came: the oldest, and the newest."""
    statement = "SELECT min(beaten), max(beaten) FROM chatkit_turn WHERE ended IS NULL"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite://"))) as database:
            oldest, newest = database.execute(statement).fetchone()
    else:
        connection = await asyncpg.connect(url)
        row = await connection.fetchrow(statement)
        await connection.close()
        assert row is not None
        oldest, newest = row
    return oldest, newest


def write_settings(folder: Path, url: str) -> None:
    plugins = {
        "anonymous_auth": {"user_header": "X-User"},
        "tortoise_store": {"url": url},
        "demo_model": None,
        "showcase": None,
    }
    sections = {
        "agent": {"model": "demo/any"},
        "hooks": {"timeout": "60s"},
        "log": {"level": "warning"},
        "plugins": plugins,
        "turns": {"disconnect": {"policy": "continue"}, "stale": "2s"},
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(sections))
    (folder / "my_plugins").mkdir()
    (folder / "my_plugins" / "showcase.py").write_text(PLUGIN)


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Server]:
    """Run the server, for any number of connections at once."""
    async with running(folder) as server, client(server.url) as session:
        yield replace(server, session=session)


@pytest.mark.parametrize("kind", DATABASES)
async def test_each_feature_survives_a_reload_a_stop_and_a_kill(
    kind: DatabaseKind, tmp_path: Path
) -> None:
    """What is stopped on one database is killed on the other."""
    url = new_url(kind, tmp_path)
    write_settings(tmp_path, url)
    async with started(tmp_path) as server:
        opened = await asyncio.gather(*(open_pages(server, request) for request in REQUESTS))
        pages = [page for found in opened for page in found]
        held = [page for page in pages if page.is_held]
        assert len(held) > 2 * len(REQUESTS)
        to_stop = held[DATABASES.index(kind) :: 2]
        await asyncio.gather(*(page.stop(server) for page in to_stop))
        killed = [page for page in held if page.is_held]
        ended = [page for page in pages if not page.is_held]
        await asyncio.gather(*(look(page, server, is_whole=True) for page in ended))
        await until_reported(url)
        await server.stop(signal.SIGKILL)
        await asyncio.gather(*(page.closed() for page in killed))
    async with started(tmp_path) as server:
        some = [page for page in ended[::5] if not asks(page)]
        await asyncio.gather(*(look(page, server, is_whole=True) for page in some))
        await asyncio.gather(*(look(page, server, is_whole=False) for page in killed))
        await asyncio.gather(*(go_on(page, server) for page in (*some, *killed)))
        asking = [page for page in ended if asks(page)]
        assert len(asking) == 3
        await asyncio.gather(*(reply(page, server) for page in asking))
