"""The turn as hooks and tools see it, and the types that they are given."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

from agents import Model, ModelSettings, Tool, TResponseInputItem, Usage
from agents.mcp import MCPServer
from chatkit.agents import AgentContext, ResponseStreamConverter, ThreadItemConverter
from chatkit.server import stream_widget
from chatkit.store import StoreItemType
from chatkit.types import (
    StreamOptions,
    StructuredInputItem,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    WorkflowItem,
)
from chatkit.widgets import WidgetRoot
from multidict import CIMultiDict, CIMultiDictProxy, MultiMapping
from pydantic import ConfigDict, Field, PrivateAttr
from pydantic_core import CoreSchema, core_schema
from yarl import URL

from .asking import Asked, Question, collected, inputs_of
from .ids import new_id
from .languages import Languages, own_languages, wanted
from .local_times import in_local_time
from .store_ids import new_item_id, new_thread_id
from .turn_events import TurnEvents
from .turn_workflows import WorkflowShower, ended_workflow


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

    `attempt` counts the processes that have worked on the turn, from 1. `context` is what a
    `context` hook returned for the request. It is None if there is no request, as in the recovery
    of a turn whose process has died.
    """

    user: User
    turn_id: str | None = None
    attempt: int = 0
    context: Any = field(default=None, compare=False, repr=False)


def _no_headers() -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict())


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """The request that asked for a turn: what the client sent beside the body.

    `headers` ignore case, and `url` is the address as the server received it. All are empty for a
    turn without a request, such as a recovered one.
    """

    headers: CIMultiDictProxy[str] = field(default_factory=_no_headers, repr=False)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    url: URL = field(default=URL(), repr=False)

    @property
    def query(self) -> MultiMapping[str]:
        """The parameters of the URL."""
        return self.url.query


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

    `waiting` are the tool calls that wait for the user's approval: a later turn goes on with them.
    `refused` means that nothing was saved or answered: a hook refused the turn, or something it
    needs is missing. `error` is the message that the user saw, `allow_retry` whether a retry can
    help, `code` the code of the `error` event: for others than `custom`, the page may have words of
    its own. `items` are the items that the turn saved, in order, the user's message first.
    `first_token` is None if there was no text. `agent` and `model` are those that answered last.
    `guardrail` is the name of the one that refused the message or the answer: where its words are
    shown as a message, such a turn is `completed`.
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
    code: str = "custom"
    agent: str = ""
    guardrail: str | None = None
    waiting: list[ToolCall] = field(default_factory=list)


class _Unchecked:
    """Marks a field that pydantic does not validate: other libraries' types."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.any_schema()


ThreadChanger = Callable[[Callable[[ThreadMetadata], None]], Awaitable[object]]
InputMaker = Callable[["Turn", ThreadItemConverter | None], Awaitable[list[TResponseInputItem]]]


class Turn(WorkflowShower):
    """A turn in progress: the context of the agent's run, `ctx.context` in a tool.

    It is ChatKit's `AgentContext`, so tools written for ChatKit's SDK work: `stream`,
    `stream_widget`, `start_workflow`, `client_tool_call` and the rest. `pre_turn` may set
    `instructions`, `model`, `model_settings`, `tools`, `mcp_servers`, `input`, `context`,
    `stream_options` and `stream_converter`. Attributes of other names can be set too, and stay for
    the turn.

    `request_context` is what a `context` hook returned, or else the turn's `StoreContext`. `store`
    is the configured store as this turn sees it: without what a retry replaces, and without the
    server's own hidden items. Its methods take any context; one that is no `StoreContext` is given
    to the store as `StoreContext.context`.
    """

    model_config = ConfigDict(extra="allow")

    id: str = Field(default_factory=lambda: new_id("turn"))
    user: Annotated[User, _Unchecked()]
    operation: str
    """The ChatKit operation that asked for this turn, or `plain`."""
    message: Annotated[UserMessageItem | None, _Unchecked()] = None
    """The user's message, if the turn answers one."""
    parent_id: str | None = None
    """The turn of the action that lets the agent answer here: see `go_on`."""
    request: Annotated[TurnRequest, _Unchecked()] = Field(default_factory=TurnRequest)
    """The request that asked for this turn: its headers, cookies and query."""
    locale: str | None = None
    """The client's preferred language, a BCP 47 tag, from `Accept-Language`. The server has its
    words in the first of `languages` that it knows."""
    first_agent: str | None = None
    """The name of the agent that the turn begins with."""
    last_agent: str | None = None
    """The name of the agent that answered last in this conversation, if one is known."""
    instructions: str | None = None
    model: Annotated[str | Model | None, _Unchecked()] = None
    model_settings: Annotated[ModelSettings, _Unchecked()] = Field(default_factory=ModelSettings)
    tools: Annotated[list[Tool], _Unchecked()] = Field(default_factory=list)
    mcp_servers: Annotated[list[MCPServer], _Unchecked()] = Field(default_factory=list)
    input: Annotated[list[TResponseInputItem], _Unchecked()] = Field(default_factory=list)
    """The input for the model: the history within its budget, and the new message last."""
    items: Annotated[list[ThreadItem], _Unchecked()] = Field(default_factory=list)
    """The items that the input is made of, oldest first: the newest ones of the thread within
    `agent.history.items`, with what the client just answered, and the new message last. What a
    retry replaces and the server's own hidden items are not among them. It stays as it was when the
    turn began; plugins may change it before `make_input`. An action has the items of its thread."""
    stream_options: Annotated[StreamOptions, _Unchecked()] = Field(
        default_factory=lambda: StreamOptions(allow_cancel=True)
    )
    """With `allow_cancel=False`, a closed connection or the cancel route does not stop the turn."""
    stream_converter: Annotated[ResponseStreamConverter | None, _Unchecked()] = None
    """Makes addresses of generated images, and ChatKit's annotations of the model's; None for
    ChatKit's own."""
    state: Annotated[dict[Any, Any], _Unchecked()] = Field(default_factory=dict)
    """For plugins: notes from one hook to the next."""
    context: Annotated[AgentContext[Any] | None, _Unchecked()] = None
    """The context of the agent's run in place of the turn itself: `ctx.context` in a tool."""

    _note: str | None = PrivateAttr(default=None)
    """What an action wants the agent to answer, once the hook's events have ended."""
    _takes_note: bool = PrivateAttr(default=False)
    _catalogs: Languages = PrivateAttr(default_factory=own_languages)
    _started: float = PrivateAttr(default_factory=time.monotonic)
    _unfinished: Callable[[], list[ThreadItem]] = PrivateAttr(default=list)
    _make_input: InputMaker | None = PrivateAttr(default=None)
    _change_thread: ThreadChanger | None = PrivateAttr(default=None)
    _events: Any = PrivateAttr(default_factory=TurnEvents)

    @property
    def seconds(self) -> float:
        """The time since the turn began."""
        return time.monotonic() - self._started

    @property
    def said(self) -> str:
        """The text of the user's message; `""` if the turn answers something else."""
        return "" if self.message is None else "".join(part.text for part in self.message.content)

    @property
    def languages(self) -> tuple[str, ...]:
        """The client's languages, BCP 47 tags: `locale`, then the others of `Accept-Language`."""
        tags = wanted(self.request.headers)
        return tags if not self.locale or self.locale in tags[:1] else (self.locale, *tags)

    def translate(self, text: str | Mapping[str, str]) -> str:
        """Return `words` in the user's language, or the best of texts by language.

        Another string stays as it is.
        """
        return self._catalogs.say(text, self.languages)

    @cached_property
    def store_context(self) -> StoreContext:
        """For whom, and in which turn, the server's stores read and write."""
        given = self.request_context
        return given if isinstance(given, StoreContext) else StoreContext(self.user, context=given)

    async def make_input(
        self, converter: ThreadItemConverter | None = None
    ) -> list[TResponseInputItem]:
        """Return `items` as input for the model: `turn.input = await turn.make_input(converter)`.

        The converter may define any method of ChatKit's; for what it does not define, attachments
        and tags too, the server's own is used, as without a converter. It gets one item at a time,
        and need not know of the rest:

        - Of earlier turns, tool calls, their results and reasoning are sent as the model wrote
          them. The messages between them are told by `assistant_message_to_input`, and the calls of
          client tools by `client_tool_call_to_input`, if the converter defines these.
        - The input keeps to `agent.history`, and is made what any endpoint accepts.
        - If `items` was changed so that an assistant's message is missing or has other words, what
          is kept of its turn is not sent, but the items alone.

        An error of the converter has a note that names it.
        """
        if self._make_input is None:
            raise RuntimeError("this turn has no conversation: a server that stopped had begun it")
        return await self._make_input(self, converter)

    async def change_thread(self, change: Callable[[ThreadMetadata], None]) -> None:
        """Let `change` set fields of the thread as it is stored now, and save it.

        What is set in `turn.thread` goes over what others have set meanwhile. `change` decides by
        what is stored: nobody writes in between, in other processes neither with a store that is
        `chatkit_server.storage.AtomicThreads`. It gets the thread, which it may change in place,
        and may be called again if somebody else was faster. If it changes nothing, nothing is
        saved. `turn.thread` is changed too, and the page gets a `thread.updated`. After the end of
        the turn, the change is saved, and the page is not told.
        """
        if self._change_thread is None:
            raise RuntimeError("the thread is not saved yet: in pre_turn, set turn.thread")
        await self._change_thread(change)

    def unfinished_items(self) -> list[ThreadItem]:
        """Return the items that have begun and are not done, as far as they have come."""
        return self._unfinished()

    @property
    def run_context(self) -> AgentContext[Any]:
        """What the agent's run has as its context: `context`, or the turn itself."""
        return self if self.context is None else self.context

    def link_context(self) -> None:
        """Have what the methods of `context` send go to this turn."""
        if self.context is not None:
            self.context._events = self._events

    def meet_context(self) -> None:
        """Take over the client tool call of `context`."""
        call = self.context.client_tool_call if self.context is not None else None
        if call is not None and call is not self.client_tool_call:
            self.client_tool_call = call

    @property
    def open_workflow(self) -> WorkflowItem | None:
        """The workflow that is open: tools may open it in `context`, or in the turn itself."""
        return self.run_context.workflow_item or self.workflow_item

    @open_workflow.setter
    def open_workflow(self, item: WorkflowItem | None) -> None:
        self.workflow_item = item
        if self.context is not None:
            self.context.workflow_item = self.workflow_item

    def connect(self, emit: Callable[[ThreadStreamEvent], Awaitable[None]]) -> None:
        """Send the events of this turn to `emit`; the engine does this when the stream opens."""
        self._events.emit = emit

    def keep_early(self) -> None:
        """Keep events until `send_early`: the turn does not stream yet."""
        self._events.early = []

    async def send_early(self) -> None:
        """Send what hooks have sent before the turn streamed."""
        await self._events.send_early()

    def generate_id(self, type: StoreItemType, thread: ThreadMetadata | None = None) -> str:
        """Return a new id for an item of this type: the store's own, if it makes ids."""
        if type == "thread":
            return new_thread_id(self.store, self.store_context)
        return new_item_id(self.store, type, thread or self.thread, self.store_context)

    async def stream(self, event: ThreadStreamEvent) -> None:
        """Send an event to the client; the item of a `thread.item.done` is saved first.

        Events of `agent` and `pre_turn` are sent when the turn begins, after the user's message.
        """
        await self._events.put(event)

    async def stream_widget(
        self,
        widget: WidgetRoot | AsyncGenerator[WidgetRoot, None],
        copy_text: str | None = None,
    ) -> None:
        """Show a widget; a generator yields its changed states."""
        async for event in stream_widget(self.thread, widget, copy_text, self.generate_id):
            await self.stream(event)

    async def ask(
        self,
        questions: Question | Sequence[Question],
        *,
        choices: Sequence[str] = (),
        multiple: bool = False,
        description: str | None = None,
    ) -> NoReturn:
        """Ask the user, and end the tool or the hook that calls this.

        A question is a text, with its `choices` if it has some, or an input of `chatkit.types`; a
        list asks several at once. What the user answers is the tool's output for the model, and the
        turn goes on with the model: no code of the tool runs again. Nothing waits in memory, so the
        answer may come after days, or a restart. Asked in `respond` or `action`, the answer comes
        as a new turn, `threads.add_structured_input`, with the item in `items`.

        Raises `RuntimeError` in other hooks, and `TypeError` or `ValueError` for what is no
        question.
        """
        wanted = collected()
        if wanted is None:
            raise RuntimeError("turn.ask: only a tool, `respond` or `action` can ask the user")
        item = StructuredInputItem(
            id=self.generate_id("message"),
            thread_id=self.thread.id,
            created_at=datetime.now(UTC),
            inputs=inputs_of(questions, choices, multiple, description),
        )
        wanted.questions.append(item)
        raise Asked

    def go_on(self, note: str) -> None:
        """Let the agent answer when the events of this `action` hook have ended.

        `note` says for the model what the user has done: `turn.go_on("The user picked Friday.")`.
        It is saved as a hidden item, which later turns see too. The answer is a turn with an id and
        all hooks of its own, and its `message` is None; the page gets it in the same stream. It
        claims the thread as a new message does. If it is refused, the note is not saved, and the
        user reads why. The last note counts. If the hook fails or asks the user something, no agent
        answers.

        Raises `RuntimeError` elsewhere, and `ValueError` for an empty note.
        """
        if not self._takes_note:
            raise RuntimeError("turn.go_on: only the hook `action` can let the agent go on")
        if not isinstance(note, str) or not note.strip():
            raise ValueError("turn.go_on: say for the model what the user has done")
        self._note = note

    if not TYPE_CHECKING:  # A type checker would take every name

        def __setattr__(self, name, value):
            # ChatKit's SDK subtracts its time from a local one without a zone, whoever made it
            if name == "workflow_item" and value is not None:
                value = in_local_time(value)
            if name == "client_tool_call" and (wanted := collected()) is not None:
                # Other tools run at the same time: this says which one set it
                wanted.call = value
            super().__setattr__(name, value)

    def close_workflow(self) -> ThreadItemDoneEvent | None:
        """End the open workflow for an item that comes after it; return its last event."""
        item, self.open_workflow = self.open_workflow, None
        if item is None:
            return None
        self._ended_workflow = item
        return ended_workflow(item)
