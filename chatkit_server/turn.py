"""The turn as hooks and tools see it, and the types that they are given."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from agents import Model, ModelSettings, Tool, TResponseInputItem, Usage
from agents.mcp import MCPServer
from chatkit.agents import AgentContext
from chatkit.server import stream_widget
from chatkit.store import StoreItemType
from chatkit.types import (
    StreamOptions,
    ThreadItem,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)
from chatkit.widgets import WidgetRoot
from pydantic import Field, PrivateAttr
from pydantic_core import CoreSchema, core_schema

from .ids import new_id, new_item_id


@dataclass(frozen=True, slots=True)
class User:
    """Who is asking, as an `auth` hook found it.

    `id` is unique within `tenant`; together they own threads, items and tasks. `claims` is all else
    that the hook knows, such as the payload of a token.
    """

    id: str
    tenant: str = ""
    name: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoreContext:
    """For whom a store reads or writes, and in which turn, if any.

    `attempt` counts the processes that have worked on the turn, from 1.
    """

    user: User
    turn_id: str | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call of the model. `server` is the name of the MCP server, None for other tools."""

    id: str
    name: str
    arguments: dict[str, Any]
    server: str | None = None


@dataclass(slots=True)
class ToolResult:
    """A tool's output: text, or what else the Agents SDK takes as a tool's output.

    `failed` is True if the tool failed in any way: the output is then an error message for the
    model. `seconds` is the time that the call took.
    """

    output: Any
    failed: bool = False
    seconds: float = 0.0


EndState = Literal["completed", "failed", "cancelled", "interrupted"]
"""How a turn that began to answer can end."""

Status = Literal[EndState, "refused"]
"""How a turn can end. `refused`: before it began, by a hook or because something was missing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a turn ended. Times are in seconds from the start of the turn.

    `refused` means that nothing was saved or answered: a hook refused the turn, or something it
    needs is missing. `error` is the message that the user saw, `allow_retry` whether a retry can
    help. `items` are the items that the turn saved, in order, the user's message first.
    `first_token` is None if there was no text.
    """

    status: Status
    seconds: float
    items: list[ThreadItem]
    tools: list[tuple[ToolCall, ToolResult]]
    usage: Usage
    model: str
    error: str | None = None
    allow_retry: bool = False
    first_token: float | None = None


class _Unchecked:
    """Marks a field that pydantic does not validate: other libraries' types."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.any_schema()


class Turn(AgentContext[StoreContext]):
    """A turn in progress: the context of the agent's run, `ctx.context` in a tool.

    It is ChatKit's `AgentContext`, so tools written for ChatKit's SDK work: `stream`,
    `stream_widget`, `start_workflow`, `client_tool_call` and the rest. `pre_turn` may set
    `instructions`, `model`, `model_settings`, `tools`, `mcp_servers`, `input` and `stream_options`.
    """

    id: str = Field(default_factory=lambda: new_id("turn"))
    user: Annotated[User, _Unchecked()]
    operation: str
    """The ChatKit operation that asked for this turn, or `plain`."""
    message: Annotated[UserMessageItem | None, _Unchecked()] = None
    """The user's message, if the turn answers one."""
    locale: str | None = None
    """The client's preferred language, a BCP 47 tag, from `Accept-Language`."""
    instructions: str | None = None
    model: Annotated[str | Model | None, _Unchecked()] = None
    model_settings: Annotated[ModelSettings, _Unchecked()] = Field(default_factory=ModelSettings)
    tools: Annotated[list[Tool], _Unchecked()] = Field(default_factory=list)
    mcp_servers: Annotated[list[MCPServer], _Unchecked()] = Field(default_factory=list)
    input: Annotated[list[TResponseInputItem], _Unchecked()] = Field(default_factory=list)
    """The input for the model: the history within its budget, and the new message last."""
    stream_options: Annotated[StreamOptions, _Unchecked()] = Field(
        default_factory=lambda: StreamOptions(allow_cancel=True)
    )
    """With `allow_cancel=False`, a closed connection or the cancel route does not stop the turn."""
    state: Annotated[dict[Any, Any], _Unchecked()] = Field(default_factory=dict)
    """For plugins: notes from one hook to the next."""

    _started: float = PrivateAttr(default_factory=time.monotonic)
    _emit: Callable[[ThreadStreamEvent], Awaitable[None]] | None = PrivateAttr(default=None)
    _runner: Any = PrivateAttr(default=None)
    # ChatKit's queue of events: `stream` does not use it, and it would take memory in each turn
    _events: Any = PrivateAttr(default=None)

    @property
    def seconds(self) -> float:
        """The time since the turn began."""
        return time.monotonic() - self._started

    def connect(self, emit: Callable[[ThreadStreamEvent], Awaitable[None]]) -> None:
        """Send the events of this turn to `emit`; the engine does this when the stream opens."""
        self._emit = emit

    def generate_id(self, type: StoreItemType, thread: ThreadMetadata | None = None) -> str:
        """Return a new id for an item of this type: the store's own, if it makes ids."""
        return new_item_id(self.store, type, thread or self.thread, self.request_context)

    async def stream(self, event: ThreadStreamEvent) -> None:
        """Send an event to the client; the item of a `thread.item.done` is saved first."""
        if self._emit is None:
            raise RuntimeError("the turn has not begun to stream: use turn.state in pre_turn")
        await self._emit(event)

    async def stream_widget(
        self,
        widget: WidgetRoot | AsyncGenerator[WidgetRoot, None],
        copy_text: str | None = None,
    ) -> None:
        """Show a widget; a generator yields its changed states."""
        async for event in stream_widget(self.thread, widget, copy_text, self.generate_id):
            await self.stream(event)
