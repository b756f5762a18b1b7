"""An answer that a client reads as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from aiohttp import ClientError, ClientResponse
from chatkit.types import ThreadStreamEvent
from pydantic import TypeAdapter

from ..client.events import TURN_ID, EventReader
from .answer import Answer

if TYPE_CHECKING:
    from .client import ChatClient

_EVENT: TypeAdapter[ThreadStreamEvent] = TypeAdapter(ThreadStreamEvent)


class Unfinished(AssertionError):
    """An answer did not come to what the test waited for, in time or at all."""


class RunningAnswer:
    """An answer that has begun; `answer` has what was read so far, `turn_id` names the turn."""

    def __init__(self, client: ChatClient, response: ClientResponse, answer: Answer) -> None:
        self.answer = answer
        self.turn_id = response.headers.get(TURN_ID, "")
        self.is_whole = False
        self._client = client
        self._response = response
        self._events = self._read(response)

    async def first(self) -> None:
        """Read until the first event."""
        await self._until(lambda: bool(self.answer.events), "an event")

    async def until(self, text: str) -> None:
        """Read until the assistant has said this. Raises `Unfinished` if it does not."""
        await self._until(lambda: text in self.answer.streamed, repr(text))

    async def until_event(self, type: str) -> ThreadStreamEvent:
        """Read until an event of this type, such as `thread.item.done`, and return it."""
        begin = len(self.answer.events)
        await self._until(
            lambda: any(each.type == type for each in self.answer.events[begin:]), f"a {type}"
        )
        return self.answer.events[-1]

    async def end(self) -> Answer:
        """Read to the end, and return the answer.

        Raises `Unfinished` if it takes more than the client's `patience`, or if the connection is
        lost, and `ScriptEnded` if the script of the model is too short.
        """
        await self._until(lambda: False, "")
        self._client.check_script()
        return self.answer

    def disconnect(self) -> None:
        """Lose the connection, as a phone in a tunnel does. The server is not told to stop."""
        self._response.close()

    async def resume(self) -> None:
        """Connect again, and go on after the last event that came, by its `Last-Event-ID`."""
        self.disconnect()
        last = {"Last-Event-ID": self.answer.ids[-1]} if self.answer.ids else {}
        path = f"{self._client.path}/turns/{self.turn_id}/events"
        self._response = await self._client.get(path, **last)
        self._events = self._read(self._response)

    async def stop(self) -> Answer:
        """Stop the answer, as the user's Stop button does, and return what came of it."""
        await self._client.cancel(self.turn_id)
        return self.answer if self._response.closed else await self.end()

    async def _until(self, is_there: Callable[[], bool], what: str) -> None:
        """Read until something is there; an empty `what` is the end."""
        if is_there():
            return
        patience = self._client.patience
        try:
            async with asyncio.timeout(patience):
                async for _ in self._events:
                    if is_there():
                        return
        except TimeoutError:
            wanted = f"{what} has not come" if what else "the answer has not ended"
            raise Unfinished(
                f"{wanted} after {patience:g} s (`client.patience`). {self.answer.summary}"
            ) from None
        except ClientError as error:
            raise Unfinished(f"the connection was lost: {error}. {self.answer.summary}") from None
        if not self.is_whole:
            raise Unfinished(
                f"the stream was cut off before its end: go on with `resume`. {self.answer.summary}"
            )
        if what:
            self._client.check_script()
            raise Unfinished(f"the answer has ended without {what}. {self.answer.summary}")

    async def _read(self, response: ClientResponse) -> AsyncIterator[ThreadStreamEvent]:
        reader = EventReader()
        answer = self.answer
        async for chunk in response.content.iter_any():
            for id, data in reader.read(chunk):
                event = _EVENT.validate_python(data)
                answer.ids.append(id)
                answer.data.append(data)
                answer.events.append(event)
                yield event
            self.is_whole = self.is_whole or reader.is_whole
