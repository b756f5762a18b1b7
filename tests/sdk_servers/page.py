"""A page that talks to a backend, and notes everything that it gets."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import ClientPayloadError, ClientResponse, ClientSession

from chatkit_server.testing.model_script import Gate, Json

from .models import Models

ENDPOINT = "/chatkit"


@dataclass
class Exchange:
    """A request and its answer: `events` of a stream, or else a `body`.

    `told` is what models were asked in the meantime. A stream is `whole` if it ended cleanly. A
    list that is the next page of the one before `continues` it.
    """

    asked: str
    status: int = 0
    content_type: str = ""
    events: list[Json] = field(default_factory=list)
    body: Any = None
    whole: bool = True
    told: list[Json] = field(default_factory=list)
    continues: bool = False

    @property
    def error(self) -> Json | None:
        """The error event, if there is one."""
        return next((e for e in self.events if e["type"] == "error"), None)

    @property
    def failed(self) -> bool:
        """Whether it has a status, an event or an end that tells of an error."""
        is_empty = self.content_type == "text/event-stream" and not self.events
        return self.status >= 400 or self.error is not None or not self.whole or is_empty

    @property
    def thread_id(self) -> str:
        """The thread that was created."""
        return str(next(e["thread"]["id"] for e in self.events if e["type"] == "thread.created"))

    def item(self, kind: str) -> Json:
        """Return the last finished item of this type."""
        done = [e["item"] for e in self.events if e["type"] == "thread.item.done"]
        item: Json = next(item for item in reversed(done) if item["type"] == kind)
        return item


class Page:
    """Says what a conversation says, and notes the exchanges."""

    def __init__(self, session: ClientSession, models: Models) -> None:
        self.models = models
        self.exchanges: list[Exchange] = []
        self.headers: dict[str, str] = {}
        self.query: dict[str, str] = {}
        self._checks = True
        self._session = session
        self._opens: tuple[Gate, str] | None = None

    async def say(
        self,
        text: str,
        thread_id: str | None = None,
        opens: tuple[Gate, str] | None = None,
        **message: Any,
    ) -> Exchange:
        """Send a user's message, in a new thread without a `thread_id`.

        `opens` is a gate, and the type of the item that opens it when it is done.
        """
        self._opens = opens
        content = message.pop("content", [{"type": "input_text", "text": text}])
        given = {"content": content, "attachments": [], "inference_options": {}, **message}
        if thread_id is None:
            return await self.send("threads.create", input=given)
        return await self.send("threads.add_user_message", thread_id=thread_id, input=given)

    async def act(
        self, thread_id: str, kind: str, payload: Any = None, item_id: str | None = None
    ) -> Exchange:
        """Send an action, as a click on a widget does."""
        action = {"type": kind, "payload": payload}
        return await self.send(
            "threads.custom_action", thread_id=thread_id, item_id=item_id, action=action
        )

    async def dictate(self, heard: str, mime_type: str) -> Exchange:
        """Send what was heard."""
        audio = base64.b64encode(heard.encode()).decode()
        return await self.send("input.transcribe", audio_base64=audio, mime_type=mime_type)

    async def send(self, operation: str, **params: Any) -> Exchange:
        """Perform an operation of any kind."""
        response = await self._post(operation, params)
        return await self._note(operation, response)

    async def expect_failure(self, exchange: Awaitable[Exchange]) -> None:
        """Have an exchange fail: with a status, an error event, or a stream that breaks off."""
        done = await self.may_fail(exchange)
        assert done.failed, f"{done} has not failed"

    async def may_fail(self, exchange: Awaitable[Exchange]) -> Exchange:
        """Have an exchange that fails on one side only."""
        self._checks = False
        try:
            return await exchange
        finally:
            self._checks = True

    async def fetch(self, method: str, url: str, **options: Any) -> Exchange:
        """Ask one of the app's own routes."""
        headers = {**self.headers, **options.pop("headers", {})}
        response = await self._session.request(method, url, headers=headers, **options)
        return await self._note(f"{method} {response.url.path}", response)

    async def stop(self, said: str, thread_id: str, at: str) -> Exchange:
        """Send a message, and press Stop when a piece of text says `at`."""
        content = [{"type": "input_text", "text": said}]
        given = {"content": content, "attachments": [], "inference_options": {}}
        params = {"thread_id": thread_id, "input": given}
        response = await self._post("threads.add_user_message", params)
        asked = "threads.add_user_message, stopped"
        exchange = Exchange(asked, response.status, response.content_type)
        async for event in _events(response):
            exchange.events.append(event)
            if at in event.get("update", {}).get("delta", ""):
                break
        response.close()
        return self._keep(exchange)

    async def wait_for(self, seen: Callable[[Json], bool], operation: str, **params: Any) -> None:
        """Ask until an answer is as it should be; note that answer only."""
        for _ in range(1000):
            exchange = await self.send(operation, **params)
            if seen(exchange.body):
                return
            self.exchanges.pop()
            await asyncio.sleep(0.01)
        raise AssertionError(f"{operation} never answered what was waited for: {exchange.body}")

    async def read(self, operation: str, **params: Any) -> list[Json]:
        """Ask for a list, and for its next pages as long as there are more; return the rows."""
        exchange = await self.send(operation, **params)
        rows: list[Json] = []
        while True:
            page = exchange.body.get("items", exchange.body)
            rows += page["data"]
            if not page["has_more"]:
                return rows
            if operation == "threads.get_by_id":
                operation, params = "items.list", {**params, "order": "asc"}
            exchange = await self.send(operation, **params, after=page["after"])
            exchange.continues = True

    async def fail_to_parse(self, body: bytes) -> Exchange:
        """Send what is no request."""
        return await self._note("no request", await self._session.post(ENDPOINT, data=body))

    async def look_at_everything(self) -> None:
        """List the threads and what is in them, as they are after a reload."""
        for thread in await self.read("threads.list", order="asc"):
            await self.read("threads.get_by_id", thread_id=thread["id"])
            await self.read("items.list", thread_id=thread["id"], order="desc", limit=5)

    def _open_gate(self, event: Json) -> None:
        if self._opens and event["type"] == "thread.item.done":
            gate, kind = self._opens
            if event["item"]["type"] == kind:
                gate.open()

    async def _post(self, operation: str, params: Json) -> ClientResponse:
        body = orjson.dumps({"type": operation, "params": params})
        headers = {"Content-Type": "application/json", **self.headers}
        return await self._session.post(ENDPOINT, data=body, headers=headers, params=self.query)

    async def _note(self, asked: str, response: ClientResponse) -> Exchange:
        exchange = Exchange(asked, response.status, response.content_type)
        if response.content_type == "text/event-stream":
            try:
                async for event in _events(response):
                    exchange.events.append(event)
                    self._open_gate(event)
            except ClientPayloadError:
                exchange.whole = False
                response.close()
        else:
            exchange.body = _body(await response.read(), response.content_type)
        assert not (self._checks and exchange.failed), exchange
        return self._keep(exchange)

    def _keep(self, exchange: Exchange) -> Exchange:
        exchange.told = [request.body for request in self.models.requests]
        self.models.requests.clear()
        self.exchanges.append(exchange)
        return exchange


async def _events(response: ClientResponse) -> AsyncIterator[Json]:
    async for line in response.content:
        if line.startswith(b"data: "):
            yield orjson.loads(line.removeprefix(b"data: "))


def _body(data: bytes, content_type: str) -> Any:
    return orjson.loads(data) if content_type == "application/json" else data.decode()
