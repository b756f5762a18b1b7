"""What a client hears: the events of an answer, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chatkit.types import (
    AssistantMessageItem,
    ClientToolCallItem,
    ErrorEvent,
    StructuredInputItem,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    WidgetItem,
)
from chatkit.widgets import WidgetRoot

from ..agent.paused import run_of
from .tool_calls import CalledTool, ToolCalls

_SHOWN = 200
"""Characters of a text that the messages of failed tests show."""


@dataclass
class Answer:
    """What came of a request: a stream that was read to its end.

    `events` are ChatKit's events, in order. `data` is the same as JSON, `ids` are their ids: a lost
    connection goes on after one of them.
    """

    events: list[ThreadStreamEvent]
    data: list[dict[str, Any]]
    ids: list[str]
    _calls: ToolCalls = field(repr=False)

    @property
    def items(self) -> list[ThreadItem]:
        """The items that are done, in order, the user's message too."""
        return [event.item for event in self.events if isinstance(event, ThreadItemDoneEvent)]

    @property
    def text(self) -> str:
        """What the assistant said: all its messages, or the part that came if one was cut off."""
        said = [
            "".join(part.text for part in item.content)
            for item in self.items
            if isinstance(item, AssistantMessageItem)
        ]
        return "\n\n".join(said) if said else self.streamed

    @property
    def streamed(self) -> str:
        """The text that came piece by piece."""
        updates = [e.update for e in self.events if isinstance(e, ThreadItemUpdatedEvent)]
        return "".join(getattr(update, "delta", "") for update in updates)

    @property
    def widgets(self) -> list[WidgetRoot]:
        """The widgets, as they are in the end."""
        return [item.widget for item in self.widget_items]

    @property
    def widget(self) -> WidgetRoot | None:
        """The last widget, None without one."""
        return self.widgets[-1] if self.widgets else None

    @property
    def widget_items(self) -> list[WidgetItem]:
        """The items of the widgets, for `ChatClient.act`."""
        return [item for item in self.items if isinstance(item, WidgetItem)]

    @property
    def client_tool_call(self) -> ClientToolCallItem | None:
        """The client tool that the page is to run, None without one."""
        calls = [item for item in self.items if isinstance(item, ClientToolCallItem)]
        return calls[-1] if calls else None

    @property
    def approvals(self) -> list[WidgetItem]:
        """The widgets that ask the user to approve a tool call, for `ChatClient.approve`."""
        return [item for item in self.widget_items if run_of(item) is not None]

    @property
    def questions(self) -> list[StructuredInputItem]:
        """What a tool asks the user, for `ChatClient.reply`."""
        return [item for item in self.items if isinstance(item, StructuredInputItem)]

    @property
    def turn_id(self) -> str:
        """The id of the turn."""
        return self.ids[-1].rpartition(":")[0]

    @property
    def tool_calls(self) -> list[CalledTool]:
        """The tools that ran, in the order in which they ended."""
        return self._calls.of_turn.get(self.turn_id, [])

    @property
    def error(self) -> str | None:
        """The message of the error that ended the turn, None if there was none."""
        errors = [event for event in self.events if isinstance(event, ErrorEvent)]
        return (errors[-1].message or errors[-1].code) if errors else None

    @property
    def thread_id(self) -> str:
        """The conversation that the events are about; raises `LookupError` if none is named."""
        for event in self.data:
            if "thread" in event:
                return str(event["thread"]["id"])
            if "thread_id" in event.get("item", {}):
                return str(event["item"]["thread_id"])
        raise LookupError(f"no event names a conversation: {self.data}")

    @property
    def summary(self) -> str:
        """What it is about, in one line, for the messages of failed tests."""
        kinds = ", ".join(item.type for item in self.items) or "none"
        said = f"items: {kinds}; text: {self.text[:_SHOWN]!r}"
        return said if self.error is None else f"{said}; error: {self.error!r}"

    @property
    def title(self) -> str | None:
        """The title that the conversation got, None without one."""
        titles = [event["thread"].get("title") for event in self.data if "thread" in event]
        return titles[-1] if titles else None
