"""The short way of a token: from a model to the turn, past the Agents SDK's queue.

For each event the SDK makes an object, puts it on a queue and takes it off again. A model that
derives from `DirectModel` says its text to the turn itself, and gives the SDK the boundaries alone:
items that begin and end, tool calls, usage.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import Protocol

from agents import Model
from agents.items import TResponseStreamEvent


class EventSink(Protocol):
    """Where a model says what it has to say, in order.

    What only announces text, or says again what was told, may be left out: a message begins with
    its first delta.
    """

    def text(self, text: str) -> None:
        """Add a piece to the message part that the last `event` began or added to."""

    async def event(self, event: TResponseStreamEvent) -> None:
        """Take any other event of the response, as the model also gives it to the SDK."""


class FastPathModel(Model):
    """A model that can say its text to the turn itself."""

    @abstractmethod
    def bind(self, sink: EventSink) -> Model:
        """Return this model for one turn, whose stream also goes to `out`: each event it yields is
        given to `out.event` before, except text that was given to `out.text`."""


class TextFastPath:
    """Takes the text out of one stream of chat-completions chunks, and says it to `out` at once.

    The chunks that are left, with all the held text in one of them where the next other chunk
    comes, make the same items as the whole stream would.
    """

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._open = False
        self._ahead = False
        self._held: list[str] = []
        self._said: str | None = None

    def begun(self, text: str) -> None:
        """Note that a message was begun with this text, of which no chunk has told yet.

        What is said from now on is held with it. If chunks become events after all, `out` has heard
        of those up to the held text.
        """
        self._open = self._ahead = True
        self._held.append(text)

    def take(self, text: str) -> bool:
        """Say a piece of text; return False where no message is open, so that it must be shown."""
        if self._open:
            self._sink.text(text)
            self._held.append(text)
        return self._open

    def held(self) -> str:
        """Return what was said since, to be put into one chunk before the next one."""
        if not self._held:
            return ""
        self._said = "".join(self._held)
        self._held.clear()
        return self._said

    async def events(
        self, events: AsyncIterator[TResponseStreamEvent]
    ) -> AsyncIterator[TResponseStreamEvent]:
        """Yield the events that the chunks were made into, each after `out` has taken it."""
        async for event in events:
            if event.type == "response.output_text.delta" and event.delta == self._said:
                self._said = None
                self._ahead = False
            elif not self._ahead:
                if event.type != "response.output_text.delta":
                    self._open = False
                elif event.delta:
                    self._open = True
                await self._sink.event(event)
            yield event
