"""Text goes from the model straight to the turn, past the Agents SDK's queue.

For each event the SDK makes an object, puts it on a queue and takes it off again. A model that
derives from `FastPathModel` sends its text to the turn itself. The SDK gets the rest: items that
begin and end, tool calls, usage, and the same text in one piece.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

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
