"""Text goes from the model straight to the turn, past the Agents SDK's queue.

For each event the SDK makes an object, puts it on a queue and takes it off again. A model that
derives from `FastPathModel` sends its text to the turn itself. The SDK gets the rest: items that
begin and end, tool calls, usage, and the same text in one piece.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import Any, Protocol

from agents import Model
from agents.items import TResponseStreamEvent


class EventSink(Protocol):
    """Takes the events of a model's response, in order.

    Events that only announce text, or repeat it, may be left out: a message begins with its first
    delta that has text.
    """

    def text(self, text: str) -> None:
        """Add a piece of text to the message part that the last delta with text belongs to."""

    def usage(self, input_tokens: int, output_tokens: int) -> None:
        """Set the tokens of the current request so far, if the provider counts before its end.

        They count for a turn that ends before the response is completed.
        """

    async def event(self, event: TResponseStreamEvent) -> None:
        """Take any other event of the response, as the model also gives it to the SDK."""


MAX_TOOLS = 128
"""The most tools of one request to OpenAI, and to many others."""


class FastPathModel(Model):
    """A model that can send its text to the turn itself.

    `max_tools` is how many tools one request may have, None for any number.
    """

    max_tools: int | None = MAX_TOOLS

    @abstractmethod
    def bind(self, sink: EventSink) -> Model:
        """Return a copy of this model for one turn, whose stream also goes to `sink`.

        Each event is given to `sink.event` before it is yielded, except text that was given to
        `sink.text`.
        """


class TextFastPath:
    """Takes the text out of a stream of chat-completions chunks, and sends it to `sink` at once.

    The other chunks become events as usual. Before each of them, the text since the last one is put
    back as a single chunk (`held`), so that the events make the same items as the full stream.
    """

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._open = False
        self._ahead = False
        self._held: list[str] = []
        self._flushed: str | None = None

    def began(self, text: str) -> None:
        """Note that the caller has begun a message in the sink with this text.

        Text that follows is held with it. If the chunks become events after all, those up to the
        held text are not sent to the sink again.
        """
        self._open = self._ahead = True
        self._held.append(text)

    def take(self, text: str) -> bool:
        """Send a piece of text; return False if no message is open: it must come as an event."""
        if self._open:
            self._sink.text(text)
            self._held.append(text)
        return self._open

    def usage(self, usage: Any) -> None:
        """Send the `usage` of a chunk, a dict or an object."""
        fields = usage if isinstance(usage, dict) else getattr(usage, "__dict__", {})
        counts = (fields.get("prompt_tokens"), fields.get("completion_tokens"))
        self._sink.usage(*(count if isinstance(count, int) else 0 for count in counts))

    def held(self) -> str:
        """Return the text that was taken since the last call, to be put into one chunk."""
        if not self._held:
            return ""
        self._flushed = "".join(self._held)
        self._held.clear()
        return self._flushed

    async def events(
        self, events: AsyncIterator[TResponseStreamEvent]
    ) -> AsyncIterator[TResponseStreamEvent]:
        """Yield the events that the chunks became, each after the sink has taken it."""
        async for event in events:
            if event.type == "response.output_text.delta" and event.delta == self._flushed:
                self._flushed = None
                self._ahead = False
            elif not self._ahead:
                if event.type != "response.output_text.delta":
                    self._open = False
                elif event.delta:
                    self._open = True
                await self._sink.event(event)
            yield event
