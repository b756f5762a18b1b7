"""What a test says to a server, and what it hears."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from chatkit.types import ThreadStreamEvent
from pydantic import TypeAdapter

EVENT: TypeAdapter[ThreadStreamEvent] = TypeAdapter(ThreadStreamEvent)


@dataclass
class Streamed:
    """A stream that was read to its end: ids and data of its events, in order."""

    response: ClientResponse
    ids: list[str]
    data: list[dict[str, Any]]

    @property
    def types(self) -> list[str]:
        """The events' types, an update's own type in place of `thread.item.updated`."""
        return [e["update"]["type"] if "update" in e else e.get("type", "") for e in self.data]

    @property
    def thread_id(self) -> str:
        """The id of the thread that the events are about."""
        for event in self.data:
            if "thread" in event:
                return str(event["thread"]["id"])
            if "item" in event:
                return str(event["item"]["thread_id"])
        raise AssertionError(f"no event names a thread: {self.data}")

    @property
    def text(self) -> str:
        """The text that came piece by piece, of ChatKit's deltas or plain `content`."""
        deltas = [e["update"]["delta"] for e in self.data if "delta" in e.get("update", {})]
        return "".join(deltas or [e["content"] for e in self.data if "content" in e])

    @property
    def error(self) -> dict[str, Any] | None:
        """The error event, if there is one."""
        return next((e for e in self.data if e.get("type") == "error"), None)

    def done(self, kind: str) -> list[dict[str, Any]]:
        """The finished items of this type."""
        items = [e["item"] for e in self.data if e.get("type") == "thread.item.done"]
        return [item for item in items if item["type"] == kind]


class Chat:
    """A client of one server, as ChatKit and as a plain one."""

    def __init__(self, client: TestClient[Any, Any], path: str = "/api/chat") -> None:
        self.client = client
        self.path = path
        self.headers: dict[str, str] = {}

    async def post(self, body: Any, **kwargs: Any) -> ClientResponse:
        """Send a body, JSON unless it is bytes."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = {**self.headers, **kwargs.pop("headers", {})}
        return await self.client.post(self.path, data=data, headers=headers, **kwargs)

    async def ask(self, operation: str, **params: Any) -> dict[str, Any]:
        """Perform an operation that answers JSON."""
        response = await self.post({"type": operation, "params": params})
        assert response.status == 200, await response.text()
        assert response.content_type == "application/json"
        answer: dict[str, Any] = await response.json()
        return answer

    async def refused(self, body: Any, **kwargs: Any) -> tuple[int, str]:
        """Send what is to be refused; return the status and the message."""
        response = await self.post(body, **kwargs)
        assert response.content_type == "application/json", response.content_type
        answer = await response.json()
        assert list(answer) == ["message"]
        return response.status, answer["message"]

    async def stream(self, operation: str, **params: Any) -> Streamed:
        """Perform a streaming operation and read it to the end, every event as ChatKit would."""
        streamed = await self.read(await self.post({"type": operation, "params": params}))
        for event in streamed.data:
            EVENT.validate_python(event)
        return streamed

    async def say(self, text: str, thread_id: str | None = None, **message: Any) -> Streamed:
        """Send a user's message, in a new thread without a `thread_id`."""
        content = [{"type": "input_text", "text": text}]
        given = {"content": content, "attachments": [], "inference_options": {}, **message}
        if thread_id is None:
            return await self.stream("threads.create", input=given)
        return await self.stream("threads.add_user_message", input=given, thread_id=thread_id)

    async def plain(self, *messages: str | dict[str, str], **rest: Any) -> Streamed:
        """Send a plain request; a string is a user's message."""
        given = [{"role": "user", "content": m} if isinstance(m, str) else m for m in messages]
        return await self.read(await self.post({"messages": given, **rest}))

    async def read(self, response: ClientResponse) -> Streamed:
        """Read a stream to its end."""
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        ids, data = [], []
        for line in (await response.read()).decode().split("\n"):
            if line.startswith("id: "):
                ids.append(line.removeprefix("id: "))
            elif line.startswith("data: "):
                data.append(orjson.loads(line.removeprefix("data: ")))
            else:
                assert line == "" or line.startswith(":"), line
        return Streamed(response, ids, data)
