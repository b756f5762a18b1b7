"""Servers on one database, for tests that stop one amid a turn and look at what others do.

The fixture `start` of conftest.py starts them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from chatkit.types import ThreadItem

from chatkit_server import Outcome, Settings, Turn, hookimpl
from chatkit_server.app import create_app
from chatkit_server.plugin.calls import Hooks
from chatkit_server.plugin.load import load_plugins
from chatkit_server.testing.model_server import ModelServer
from chatkit_server.turns.heartbeat import Heartbeat
from chatkit_server.web.keys import HEARTBEAT
from tests.client import Chat, Streamed
from tests.serving import HeaderAuth, served_by
from tests.stores import query


class Watch:
    """Remembers what hooks were called with."""

    def __init__(self) -> None:
        self.saved: list[str] = []
        self.ended: list[tuple[Turn, Outcome]] = []

    @hookimpl
    async def persist(self, item: ThreadItem) -> None:
        self.saved.append(item.id)

    @hookimpl
    async def post_turn(self, turn: Turn, outcome: Outcome) -> None:
        self.ended.append((turn, outcome))


@dataclass
class Replica:
    """A server on a database that others use too. It beats and sweeps when it is told to."""

    client: TestClient[Any, Any]
    watch: Watch

    @property
    def chat(self) -> Chat:
        return Chat(self.client)

    @property
    def app(self) -> Any:
        return self.client.server.app  # type: ignore[attr-defined]

    async def beat(self) -> None:
        await Heartbeat.beat(self.app[HEARTBEAT])

    async def sweep(self) -> None:
        await Heartbeat.sweep(self.app[HEARTBEAT])

    async def state(self, turn_id: str) -> str:
        response = await self.client.get(f"/api/chat/turns/{turn_id}")
        assert response.status == 200
        return str((await response.json())["state"])

    async def items(self, thread_id: str) -> list[dict[str, Any]]:
        page = await self.chat.ask("items.list", thread_id=thread_id, order="asc")
        found: list[dict[str, Any]] = page["data"]
        return found

    async def texts(self, thread_id: str) -> list[str]:
        """The texts of the visible items, oldest first."""
        items = await self.items(thread_id)
        return ["".join(part["text"] for part in item["content"]) for item in items]


Start = Callable[..., Awaitable[Replica]]


async def _nothing() -> None:
    pass


@asynccontextmanager
async def replica(
    url: str,
    model_server: ModelServer,
    plugins: Sequence[object] = (),
    more: Mapping[str, Any] | None = None,
) -> AsyncIterator[Replica]:
    """Start a server, with more sections of settings."""
    sections = {**served_by(model_server), **(more or {})}
    sections["plugins"]["tortoise_store"] = {"url": url}
    sections["turns"] = {"disconnect": {"policy": "continue"}}
    settings = Settings.model_validate({**sections, "server": {"drain": "1ms"}})
    watch = Watch()
    named = [(f"{type(plugin).__name__}_{i}", plugin) for i, plugin in enumerate(plugins)]
    named += [("watch", watch), *load_plugins(settings).plugins, ("auth", HeaderAuth())]
    app = create_app(settings, Hooks.of(named, settings.hooks))
    heartbeat = app[HEARTBEAT]
    heartbeat.beat = heartbeat.sweep = _nothing  # type: ignore[method-assign]
    # Its thread would beat soon in place of the event loop
    heartbeat._pulse.run = nullcontext  # type: ignore[assignment,method-assign]
    async with TestClient(TestServer(app)) as client:
        yield Replica(client, watch)


def request(text: str, thread_id: str | None = None) -> dict[str, Any]:
    message = {
        "content": [{"type": "input_text", "text": text}],
        "attachments": [],
        "inference_options": {},
    }
    if thread_id is None:
        return {"type": "threads.create", "params": {"input": message}}
    return {
        "type": "threads.add_user_message",
        "params": {"input": message, "thread_id": thread_id},
    }


@dataclass
class Begun:
    """An answer that has begun: its stream, and what came of it."""

    response: ClientResponse
    data: list[dict[str, Any]]

    @property
    def turn_id(self) -> str:
        return self.response.headers["X-Turn-Id"]

    @property
    def streamed(self) -> Streamed:
        return Streamed(self.response, [], self.data)

    @property
    def thread_id(self) -> str:
        return self.streamed.thread_id

    @property
    def message_id(self) -> str:
        """The id of the assistant's message."""
        added = [e["item"] for e in self.data if e["type"] == "thread.item.added"]
        [message] = [item for item in added if item["type"] == "assistant_message"]
        return str(message["id"])

    async def until(self, seen: Callable[[Streamed], bool]) -> None:
        """Read until the events are as they should be."""
        while not seen(self.streamed):
            line = await self.response.content.readline()
            assert line, self.data
            if line.startswith(b"data: "):
                self.data.append(json.loads(line.removeprefix(b"data: ")))

    async def rest(self) -> Streamed:
        """Read to the end."""
        async for line in self.response.content:
            if line.startswith(b"data: "):
                self.data.append(json.loads(line.removeprefix(b"data: ")))
        return self.streamed


async def begin(chat: Chat, body: dict[str, Any], text: str = "", **headers: str) -> Begun:
    """Send a request and read its stream until this text has come."""
    response = await chat.post(body, headers=headers)
    assert response.status == 200, await response.text()
    begun = Begun(response, [])
    await begun.until(lambda s: "stream_options" in s.types and s.text == text)
    return begun


async def grow_old() -> None:
    """Make every turn look as if nobody worked at it."""
    await query("UPDATE chatkit_turn SET beaten = beaten - 1000 WHERE ended IS NULL")
