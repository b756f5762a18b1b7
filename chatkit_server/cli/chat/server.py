"""The server that is talked to: its operations, and its streams whatever the connection does."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import random
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from aiohttp import (
    ClientConnectionError,
    ClientError,
    ClientResponse,
    ClientSession,
)
from yarl import URL

from ...client.events import TURN_ID, EventReader, StreamedEvent
from ...client.requests import refusal

REPEATS = 3
"""How often a request without any response is sent again."""

PATIENCE = 120.0
"""Seconds without a sign of the server after which a lost stream is given up."""

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4.0
"""Seconds between two attempts; they double, with jitter."""

STREAM = "text/event-stream"

_LOST = (ClientError, TimeoutError, OSError)


class Refused(Exception):
    """The server has refused a request: `status` and `message` are what it said."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class NoEndpoint(Refused):
    """What answers is no chat endpoint."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, f"no chat endpoint: {message}. Check the path of --url")


class Unreachable(Exception):
    """No server answers, or it does not come back."""


class Gone(Exception):
    """The rest of a turn's events is no more to be had; `state` is what is known of the turn."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        super().__init__("the events of the turn are gone")
        self.state = state


class ChatServer:
    """A server at `url`, the address of its chat endpoint.

    `told` gets a line when a connection is lost, and one when it goes on.
    """

    def __init__(
        self,
        session: ClientSession,
        url: URL,
        headers: Mapping[str, str],
        told: Callable[[str], None],
    ) -> None:
        self.url = url
        self.told = told
        self._session = session
        self._headers = dict(headers)

    async def ask(self, operation: str, **params: Any) -> dict[str, Any]:
        """Perform an operation that answers JSON. Raises `Refused` and `Unreachable`."""
        body = {"type": operation, "params": params}
        try:
            async with await self.request("POST", "", json=body) as response:
                return await _json(response)
        except _LOST as error:
            raise self.unreachable(error) from None

    async def ask_path(self, method: str, path: str) -> dict[str, Any]:
        """Ask for a route below the endpoint, such as `/turns/ID`."""
        try:
            async with await self.request(method, path) as response:
                return await _json(response)
        except _LOST as error:
            raise self.unreachable(error) from None

    async def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> ClientResponse:
        """Send a request with the user's credentials; raises `Refused` for one that says no."""
        url = self.url.with_path(f"{self.url.path}{path}") if path else self.url
        given = {**self._headers, **(headers or {})}
        return await _accepted(await self._session.request(method, url, headers=given, **more))

    def begin(self, operation: str, **params: Any) -> TurnStream:
        """Return the stream of an operation; the request is sent when it is read."""
        return TurnStream(self, {"type": operation, "params": params})

    def follow(self, turn_id: str) -> TurnStream:
        """Return the stream of a turn that runs already, from its first event."""
        return TurnStream(self, None, turn_id)

    async def upload(self, name: str, mime_type: str, content: bytes) -> dict[str, Any]:
        """Announce a file, and send it to where the server's attachment store says."""
        created = await self.ask(
            "attachments.create", name=name, size=len(content), mime_type=mime_type
        )
        to = created.get("upload_descriptor")
        if to:
            # Perhaps to another host: the user's credentials are not for it
            headers = {"Content-Type": mime_type, **to.get("headers", {})}
            url = self.url.join(URL(to["url"]))
            try:
                async with self._session.request(
                    to["method"], url, data=content, headers=headers
                ) as response:
                    await _accepted(response)
            except _LOST as error:
                raise self.unreachable(error) from None
        return created

    def unreachable(self, error: BaseException) -> Unreachable:
        """Return what to say when no answer came."""
        number = getattr(error, "errno", None) or 0
        # asyncio's message repeats the address
        why = os.strerror(number) if number > 0 else str(error) or type(error).__name__
        return Unreachable(f"no server answers at {self.url}: {why}")


class TurnStream:
    """The events of one turn, each of them once.

    If the connection breaks, it goes on after the last event that came, as `docs/protocol.md` says.
    `turn_id` is known when the stream has begun.
    """

    def __init__(
        self, server: ChatServer, body: Mapping[str, Any] | None, turn_id: str = ""
    ) -> None:
        self.turn_id = turn_id
        self._server = server
        self._body = body
        self._last = f"{turn_id}:0"
        self._begun = asyncio.Event()
        self._stopping: asyncio.Task[None] | None = None

    async def events(self) -> AsyncIterator[StreamedEvent]:
        """Yield the events to the end. Raises `Refused`, `Unreachable` and `Gone`."""
        try:
            response = await (self._begin() if self._body is not None else self._again())
            self._begun.set()
            while True:
                reader = EventReader(numbered=bool(self.turn_id))
                with suppress(*_LOST):
                    async with response:
                        async for chunk in response.content.iter_any():
                            for event in self._read(reader, chunk):
                                self._last = event.id or self._last
                                yield event
                if reader.is_whole:
                    break
                self._server.told("connection lost, going on…")
                response = await self._again()
                self._server.told("connected again")
            if self._stopping is not None:
                await self._stopping
        finally:
            if self._stopping is not None:
                self._stopping.cancel()

    def _read(self, reader: EventReader, chunk: bytes) -> Iterator[StreamedEvent]:
        try:
            yield from reader.read(chunk)
        except ValueError:
            raise Unreachable(f"what {self._server.url} sends is no event") from None

    def stop(self) -> None:
        """Stop the turn, as the user's Stop button does; its stream tells that it has ended."""
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(self._stop())

    async def _stop(self) -> None:
        await self._begun.wait()
        for pause in _pauses():
            try:
                await self._server.ask_path("POST", f"/turns/{self.turn_id}/cancel")
                return
            except Refused as refused:
                # It may have ended by itself, or be one that nobody stops
                if refused.status == 409:
                    self._server.told(refused.message)
                return
            except Unreachable:
                await asyncio.sleep(pause)

    async def _begin(self) -> ClientResponse:
        """Send the request; the server knows a repetition by its key."""
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        assert self._body is not None
        pauses = _pauses()
        for attempt in range(REPEATS + 1):
            try:
                response = await self._server.request("POST", "", headers, json=self._body)
            except _LOST as error:
                # Where nobody listens, nobody has heard the request
                nobody = getattr(error, "errno", None) in (errno.ECONNREFUSED, errno.ENOENT)
                if attempt == REPEATS or (nobody and not attempt):
                    raise self._server.unreachable(error) from None
                await asyncio.sleep(next(pauses))
                continue
            except Refused as refused:
                if refused.status in (404, 405) and not self._body["params"].get("thread_id"):
                    raise NoEndpoint(refused.status, refused.message) from None
                raise
            if response.content_type != STREAM:
                response.close()
                raise NoEndpoint(response.status, f"it answers {response.content_type}")
            self.turn_id = response.headers.get(TURN_ID, "")
            self._last = f"{self.turn_id}:0"
            return response
        raise AssertionError("the last attempt returns or raises")

    async def _again(self) -> ClientResponse:
        """Connect again, after growing pauses."""
        headers = {"Last-Event-ID": self._last}
        given_up = time.monotonic() + PATIENCE
        for pause in _pauses():
            try:
                return await self._server.request("GET", f"/turns/{self.turn_id}/events", headers)
            except Refused as refused:
                if refused.status in (404, 410):
                    raise Gone(await self._state()) from None
                if refused.status == 409:
                    # It runs in another process, or did: the server will find that out
                    given_up = time.monotonic() + PATIENCE
                elif refused.status < 500 and refused.status != 429:
                    raise
            except ClientConnectionError as error:
                if time.monotonic() > given_up:
                    raise self._server.unreachable(error) from None
            except (TimeoutError, OSError, ClientError):
                pass
            if time.monotonic() > given_up:
                raise Unreachable(f"the server at {self._server.url} does not go on")
            await asyncio.sleep(pause)
        raise AssertionError("the pauses have no end")

    async def _state(self) -> dict[str, Any]:
        try:
            return await self._server.ask_path("GET", f"/turns/{self.turn_id}")
        except (Refused, Unreachable):
            return {}


def _pauses() -> Iterator[float]:
    """Yield the seconds to wait before each next attempt, without an end."""
    pause = FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1)
        pause = min(pause * 2, LONGEST_PAUSE)


async def _accepted(response: ClientResponse) -> ClientResponse:
    if response.status < 300:
        return response
    async with response:
        text = await response.text(errors="replace")
    raise Refused(response.status, refusal(text) or response.reason or "")


async def _json(response: ClientResponse) -> dict[str, Any]:
    text = await response.text(errors="replace")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NoEndpoint(response.status, f"it answers {response.content_type}")
    return found
