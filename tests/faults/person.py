"""A simulated user with one conversation, which records what was sent and received."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout

from tests.faults.hosted import LEDGER
from tests.faults.scripted import Script, ScriptedModel

_TIMEOUT = ClientTimeout(total=60)
BROKEN = (ClientError, ConnectionError, TimeoutError)
"""What a client sees when its server is killed."""

PAUSE = 0.05
"""Seconds before a client tries again; they grow with each failure."""

MOST_FAILURES = 30
"""Failures in a row after which a client gives up."""


@dataclass(frozen=True)
class Frame:
    """An event as it was received; `at` is a time of the monotonic clock."""

    number: int
    data: dict[str, Any]
    at: float

    @property
    def kind(self) -> str:
        """The event's type; an update's own type, and an item's type after that of the event.

        "" for a line of a plain stream.
        """
        kind = str(self.data.get("type", ""))
        if "update" in self.data:
            return str(self.data["update"]["type"])
        return f"{kind} {self.data['item']['type']}" if "item" in self.data else kind


class Stream:
    """What one follower received of a turn, over one connection after another.

    `ended` says that the server ended the stream, `broken` that it broke off, `hung` that for a
    minute neither has happened. Events without an id count once that of a later event has come, as
    in `client.js`.
    """

    def __init__(self, person: Person, response: ClientResponse, after: int = 0) -> None:
        self.turn_id = response.headers["X-Turn-Id"]
        self.after = after
        self.frames: list[Frame] = []
        self.ended = False
        self.broken = False
        self.hung = False
        self.number = after
        self._person = person
        self._response = response
        self._open(response)

    def _open(self, response: ClientResponse) -> None:
        self._response = response
        self.ended = self.broken = False
        self._has_end = self._has_id = False
        self._held: list[Frame] = []

    async def read(self, count: int | None = None) -> Stream:
        """Read until `count` events were received in all, or to the end."""
        while not (self.ended or self.broken) and (count is None or len(self.frames) < count):
            try:
                line = await self._response.content.readline()
            except BROKEN as error:
                self.broken = True
                self.hung = self.hung or isinstance(error, TimeoutError)
                break
            self._take(line)
        return self

    def _take(self, line: bytes) -> None:
        if not line:
            self.ended, self.broken = self._has_end, not self._has_end
        elif line.startswith(b": end"):
            self._has_end = True
        elif line.startswith(b"id: "):
            turn_id, _, number = line[4:].decode().strip().rpartition(":")
            assert turn_id == self.turn_id
            self.number, self._has_id = int(number), True
        elif line.startswith(b"data: "):
            self._held.append(Frame(self.number, orjson.loads(line[6:]), time.monotonic()))
            if self._has_id:
                self.frames += self._held
                self._has_id, self._held = False, []

    def cut(self) -> None:
        """Close the connection."""
        self._response.close()

    async def resume(self) -> Stream:
        """Follow the turn from the last received event, over a new connection."""
        self.cut()
        response = await self._person.events(self.turn_id, self.number)
        assert response.status == 200, await response.text()
        self._open(response)
        return self

    async def read_on(self) -> Stream:
        """Read to the end as `client.js` does, over a new connection when one breaks off."""
        heard, silent = -1, 0
        while not (await self.read()).ended:
            silent = silent + 1 if len(self.frames) == heard else 0
            heard = len(self.frames)
            assert silent < MOST_FAILURES, f"{self.turn_id}: the stream never goes on"
            self.cut()
            await asyncio.sleep(PAUSE * (1 + silent))
            self._open(await self._person.insist_on_events(self.turn_id, self.number))
        return self

    @property
    def error(self) -> str | None:
        """The message of the error event, if there is one."""
        return next((f.data["message"] for f in self.frames if f.kind == "error"), None)

    @property
    def point(self) -> str:
        """Where in the turn its client is, one of `losses.POINTS`."""
        return "ended" if self.ended else point(self.frames)


def point(frames: Sequence[Frame]) -> str:
    """Return the point of a turn after these events, one of `losses.POINTS`."""
    if not frames:
        return "nothing received"
    texts = sum(frame.kind == "thread.item.added assistant_message" for frame in frames)
    match frames[-1].kind:
        case "thread.created":
            return "thread created"
        case "thread.item.done user_message":
            return "message saved"
        case "thread.item.done assistant_message":
            return f"text {texts} saved"
        case "assistant_message.content_part.text_delta":
            return f"text {texts} half"
        case "assistant_message.content_part.done":
            return f"text {texts} whole"
        case "error":
            return "error received"
        case _:
            return f"text {texts} begun" if texts else "answer announced"


@dataclass
class Message:
    """A message; `asks` counts the requests for an answer, a repeated request once.

    `superseded` are the ids of items that a retry removes, `refused` the statuses of refusals.
    """

    tag: str
    body: bytes
    headers: dict[str, str]
    asks: int = 1
    superseded: set[str] = field(default_factory=set)
    refused: list[int] = field(default_factory=list)


class Person:
    """A user of a server, with one conversation.

    `session` has the server's address as its base; `path` is that of the chat. `ledger` is where
    the tools of a hosted server note their calls.
    """

    def __init__(
        self, name: str, session: ClientSession, path: str, model: ScriptedModel, ledger: str = ""
    ) -> None:
        self.name = name
        self._headers = {"X-User": name, LEDGER: ledger}
        self.session = session
        self.path = path
        self.model = model
        self.messages: list[Message] = []
        self.streams: list[Stream] = []
        self._thread_id: str | None = None

    async def get(self, place: str, headers: dict[str, str] | None = None) -> ClientResponse:
        """Ask for something below the chat's path."""
        return await self.session.get(
            f"{self.path}/{place}", headers={**self._headers, **(headers or {})}
        )

    async def post(
        self, place: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> ClientResponse:
        """Post to the chat's path, or below it."""
        return await self.session.post(
            f"{self.path}{place}",
            data=body,
            headers={**self._headers, **(headers or {})},
            timeout=_TIMEOUT,
        )

    async def ask(self, operation: str, **params: Any) -> dict[str, Any]:
        """Perform an operation that answers JSON."""
        response = await self.post("", orjson.dumps({"type": operation, "params": params}))
        assert response.status == 200, await response.text()
        answer: dict[str, Any] = await response.json()
        return answer

    def compose(
        self, script: Script | None = None, plain: bool = False, /, **headers: str
    ) -> Message:
        """Write a message, without sending it; the model answers it after the script."""
        tag = f"{self.name}.{len(self.messages) + 1}"
        if script is not None:
            self.model.scripts[tag] = script
        text = f"[{tag}] Note it, please."
        if plain:
            return self._composed(
                tag, {"messages": [{"role": "user", "content": text}]}, headers or {}
            )
        content = [{"type": "input_text", "text": text}]
        given: dict[str, Any] = {"content": content, "attachments": [], "inference_options": {}}
        body: dict[str, Any] = {"type": "threads.create", "params": {"input": given}}
        if self._thread_id is not None:
            params = {"input": given, "thread_id": self._thread_id}
            body = {"type": "threads.add_user_message", "params": params}
        return self._composed(tag, body, headers)

    def _composed(self, tag: str, body: dict[str, Any], headers: dict[str, str]) -> Message:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        message = Message(tag, orjson.dumps(body), named)
        self.messages.append(message)
        return message

    async def send(self, message: Message) -> Stream | None:
        """Send a message, or send it again; None if it was refused."""
        response = await self.post("", message.body, message.headers)
        if response.status != 200:
            message.refused.append(response.status)
        return await self._opened(response)

    async def say(self, script: Script | None = None, **headers: str) -> Stream | None:
        """Write a message and send it."""
        return await self.send(self.compose(script, **headers))

    async def retry(self, message: Message, item_id: str, answers: set[str]) -> Stream | None:
        """Retry the stored message; `answers` are the items that the retry removes."""
        self.renew(message, item_id, answers)
        return await self._opened(await self.post("", message.body))

    def renew(self, message: Message, item_id: str, answers: set[str]) -> None:
        """Make a retry of a message that is stored, to be sent."""
        message.asks += 1
        message.superseded |= answers
        params = {"thread_id": self._thread_id, "item_id": item_id}
        message.body = orjson.dumps({"type": "threads.retry_after_item", "params": params})
        message.headers = {"Idempotency-Key": f"{message.tag} {message.asks}"}

    async def _opened(self, response: ClientResponse) -> Stream | None:
        if response.status != 200:
            response.release()
            return None
        stream = Stream(self, response)
        self.streams.append(stream)
        return stream

    async def follow(self, turn_id: str, after: int = 0) -> Stream:
        """Follow a turn from an event on."""
        response = await self.get(f"turns/{turn_id}/events?after={after}")
        assert response.status == 200, await response.text()
        stream = Stream(self, response, after)
        self.streams.append(stream)
        return stream

    async def events(self, turn_id: str, after: int) -> ClientResponse:
        """Ask for the events of a turn, as a client that goes on."""
        headers = {"Last-Event-ID": f"{turn_id}:{after}"}
        return await self.get(f"turns/{turn_id}/events", headers)

    async def insist_on_events(self, turn_id: str, after: int) -> ClientResponse:
        """Ask for the events of a turn until a server has them."""
        for failures in range(MOST_FAILURES):
            await asyncio.sleep(PAUSE * failures)
            with suppress(*BROKEN):
                response = await self.events(turn_id, after)
                if response.status == 200:
                    return response
                text = await response.text()
                assert response.status == 503, f"{response.status}: {text}"
        raise AssertionError(f"{turn_id}: nobody answers")

    async def watch(self, stream: Stream, count: int = 0) -> Stream:
        """Follow a turn as another client, which has so many of the stream's events."""
        frames = stream.frames[:count]
        number = frames[-1].number if frames else 0
        other = Stream(self, await self.insist_on_events(stream.turn_id, number))
        other.frames, other.number = frames, number
        self.streams.append(other)
        return other

    async def insist(self, message: Message) -> Stream | None:
        """Send a message, and again while nobody answers, or a server shuts down.

        If it is refused all the same, the message keeps the statuses.
        """
        for failures in range(MOST_FAILURES):
            await asyncio.sleep(PAUSE * failures)
            with suppress(*BROKEN):
                if (stream := await self.send(message)) is not None:
                    message.refused.clear()
                    return stream
                if message.refused[-1] != 503:
                    break
        return None

    async def cancel(self, turn_id: str) -> dict[str, Any]:
        """Cancel a turn, and return its state."""
        response = await self.post(f"/turns/{turn_id}/cancel")
        assert response.status == 200, await response.text()
        state: dict[str, Any] = await response.json()
        return state

    async def thread(self) -> str | None:
        """Return the thread's id, looked up if it was never received; None without a thread."""
        if self._thread_id is None:
            heard = (frame.data.get("thread") for stream in self.streams for frame in stream.frames)
            thread = next(filter(None, heard), None)
            if thread is None:
                page = await self.ask("threads.list", limit=10, order="asc")
                thread = next(iter(page["data"]), None)
            self._thread_id = thread["id"] if thread else None
        return self._thread_id

    async def threads(self) -> list[str]:
        """Return the ids of all threads of this user."""
        page = await self.ask("threads.list", limit=100, order="asc")
        return [thread["id"] for thread in page["data"]]

    async def items(self) -> list[dict[str, Any]]:
        """Return all items of all threads, in order."""
        items: list[dict[str, Any]] = []
        for thread_id in await self.threads():
            after = None
            while True:
                params = {"thread_id": thread_id, "limit": 50, "order": "asc", "after": after}
                page = await self.ask("items.list", **params)
                items += page["data"]
                after = page.get("after")
                if not page["has_more"]:
                    break
        return items

    async def turn_runs(self) -> bool:
        """Whether a turn runs in the thread."""
        thread_id = await self.thread()
        if thread_id is None:
            return False
        response = await self.get(f"threads/{thread_id}/turn")
        response.release()
        return response.status == 200
