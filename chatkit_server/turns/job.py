"""What a request asks of a turn, and what belongs to the turn while it runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from agents import (
    Agent,
    Handoff,
    RunResultStreaming,
    RunState,
    Tool,
    TResponseInputItem,
    Usage,
)
from chatkit.actions import Action
from chatkit.types import (
    ClientToolCallItem,
    HiddenContextItem,
    StructuredInputItem,
    SyncCustomActionResponse,
    ThreadItem,
    ThreadItemReplacedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    WidgetItem,
)

from ..agent.fast.first_answer import FirstAnswer
from ..agent.models import name_of
from ..agent.paused import PausedRun, WaitingCall
from ..agent.questions import SavedQuestion
from ..agent.runner import AgentRunner
from ..agent.runs import TurnRuns
from ..agent.sdk import handoff_target
from ..agent.stream import EventTranslator
from ..agent.team.checks import handoff_name
from ..events.partial import PartialAnswer
from ..events.recorder import Recorder, is_visible
from ..events.wire import WireFormat
from ..plugin.call import HookCall
from ..turn import Turn, TurnRequest, User
from ..turn_events import check_event
from .admission import Admission
from .approval_widget import Click, is_asking
from .refusal import Refusal
from .running import RunningTurn
from .store import TurnRecord


@dataclass
class TurnPlan:
    """What an operation asks of a turn, checked against what is stored."""

    operation: str
    user: User
    thread: ThreadMetadata
    wire: WireFormat
    locale: str | None = None
    new_thread: bool = False
    earlier: list[ThreadItem] = field(default_factory=list)
    """Earlier messages that a plain client sent, to save before the new one."""
    message: UserMessageItem | None = None
    note: HiddenContextItem | None = None
    """What an action tells the agent, in place of a message of the user."""
    parent_id: str | None = None
    """The turn of that action."""
    superseded: list[ThreadItem] | None = None
    """When a stored message is answered again: the items after it, which are removed when the first
    item of the new answer is saved."""
    answered: list[ThreadItem] = field(default_factory=list)
    """Items that waited for a person, as the request leaves them: they replace the stored ones."""
    left: list[ThreadItem] = field(default_factory=list)
    """Those of them that the user's message has left behind."""
    waits: bool = False
    """Whether the model's answer still waits for more: what the request answers is only saved."""
    resumes: list[tuple[SavedQuestion, StructuredInputItem]] = field(default_factory=list)
    """What MCP servers asked, and is answered now: their calls are made again."""
    action: Action[str, Any] | None = None
    sender: WidgetItem | None = None
    click: Click | None = None
    """A click on a widget that asks to approve a tool call."""
    context: Any = None
    """What a `context` hook returned for the request."""
    request: TurnRequest = field(default_factory=TurnRequest)
    accepted: TurnRecord | None = None
    """The record of a turn that was accepted: it is to begin whatever happens."""

    @property
    def beside(self) -> bool:
        """Whether the turn runs beside others in its thread. One button ends no answer."""
        return self.action is not None or (
            self.click is not None and not is_asking(self.click.item)
        )

    @property
    def patient(self) -> bool:
        """Whether the turn waits for the one in its thread, whatever `turns.when_busy` says.

        What was decided or answered a moment ago may be what runs: the same again stops nothing.
        """
        return self.click is not None or self.goes_on or self.accepted is not None

    @property
    def goes_on(self) -> bool:
        """Whether the user has answered what waited, and said nothing new."""
        return self.message is None and self.note is None and bool(self.answered)

    def keep_pending(self) -> None:
        """Leave what the user's message has left behind as it is stored."""
        left = {item.id for item in self.left}
        self.answered = [item for item in self.answered if item.id not in left]

    @property
    def asked(self) -> set[str]:
        """The ids of what the user said."""
        return {
            item.id for item in (*self.earlier, self.message, self.note, *self.answered) if item
        }


@dataclass
class TurnJob:
    """A turn and its parts, from the claim of its thread to its end.

    An action has no agent, and neither has a turn that a `respond` hook answers, or a click after
    which no run goes on.
    """

    plan: TurnPlan
    turn: Turn
    recorder: Recorder
    translator: EventTranslator
    runner: AgentRunner
    agent: Agent[Turn] | None = None
    answer: tuple[HookCall, Any] | Exception | None = None
    """The `respond` hook that answers in place of an agent, and its events, or its error."""
    note: str | None = None
    """What an action has told the agent, which is to answer now."""
    paused: PausedRun | None = None
    """The run that goes on with this turn, and what the user has decided."""
    resumed: RunState[Any, Any] | None = None
    """Its state."""
    changed: bool = False
    """Whether it cannot go on, because the server is another one meanwhile."""
    waiting: list[WaitingCall] = field(default_factory=list)
    """The calls that wait for an approval since this turn."""
    result: RunResultStreaming | None = None
    first_answer: FirstAnswer | None = None
    entries: list[TResponseInputItem] = field(default_factory=list)
    """What the model has produced so far, as input items for later requests."""
    shows: list[str] = field(default_factory=list)
    """The workflows of the turn that went on in this one which only show tool calls."""
    runs: TurnRuns = field(default_factory=TurnRuns)
    """All runs, those that plugins start among them."""
    refusal: Refusal | None = None
    """What a guardrail has refused: nothing of the answer stays."""
    note_agent: bool = False
    """Whether the turn has to note which agent answered: the last note is long ago."""
    prepared_by: list[str] = field(default_factory=list)
    """The plugins whose `pre_turn` was called."""
    admission: Admission = field(default_factory=Admission)
    """What plugins hold for the turn."""
    running: RunningTurn = field(init=False)
    plan_again: Callable[[], Awaitable[TurnPlan]] = field(init=False)
    """Makes the plan anew, from what is stored now."""

    @property
    def may_begin_again(self) -> bool:
        """Whether another process may begin it: it was accepted, and its message is not saved."""
        if self.plan.accepted is None or self.plan.message is None:
            return False
        return all(item.id != self.plan.message.id for item in self.recorder.saved)

    @property
    def usage(self) -> Usage:
        """The tokens counted so far, with those of a request that was cut off."""
        counted = self._counted
        own = self.result.context_wrapper.usage if self.result is not None else None
        others = [usage for usage in self.runs.usages if usage is not own and usage.requests]
        read, written = self.translator.uncounted
        if counted is not None and not read and not written and not others:
            return counted
        total = Usage()
        for usage in (counted, *others):
            if usage is not None:
                total.add(usage)
        if read or written:
            total.add(
                Usage(
                    requests=1,
                    input_tokens=read,
                    output_tokens=written,
                    total_tokens=read + written,
                )
            )
        return total

    @property
    def _counted(self) -> Usage | None:
        if self.result is not None and self.result.context_wrapper.usage.requests:
            return self.result.context_wrapper.usage
        return self.first_answer.usage if self.first_answer is not None else None

    @property
    def says_nothing(self) -> bool:
        """Whether the model has ended its answer, and nothing of it can be seen.

        A run that ended with a tool, as its agent's `tool_use_behavior` may say, is an answer.
        """
        responses = self.result.raw_responses if self.result is not None else []
        if responses and any(
            getattr(item, "type", "") == "function_call" for item in responses[-1].output
        ):
            return False
        known = self.plan.asked | self.recorder.reopened.keys()
        items = (*self.recorder.saved, *self.recorder.unfinished())
        return not any(is_visible(item) for item in items if item.id not in known)

    @property
    def memory_model(self) -> str:
        """The model that has written all of the answer, "" if several have."""
        return "" if self.runner.relay.mixed else self.model

    @property
    def model(self) -> str:
        """The name of the model that answers."""
        return self.runner.relay.model or model_name(self.turn)

    @property
    def agent_name(self) -> str:
        """The name of the agent that answers, "" if there is none."""
        return self.runner.relay.agent

    def partial(self) -> PartialAnswer:
        """Return what the turn has said so far and not saved as items."""
        refused = self.refusal
        stays = {item.id for item in refused.items} if refused is not None else set()
        saved = {item.id for item in self.recorder.saved}
        withdrawn = [one for one in self.recorder.answered if one not in stays] if refused else []
        items = self.recorder.unfinished() if refused is None else self.recorder.reopened.values()
        waiting = [one for one in refused.items if one.id not in saved] if refused else []
        return PartialAnswer(
            [*items, *waiting],
            () if refused else self.entries,
            () if refused else self.translator.messages,
            self.recorder.tools,
            self.recorder.superseded,
            self._saved(withdrawn),
            self.model,
            self.turn.seconds,
            self.usage,
            self.recorder.first_token,
            withdrawn,
            self.turn.stream_options.allow_cancel,
            self.agent_name,
            self.memory_model,
            len(self.recorder.log),
            {id: self.recorder.begun.get(id, 0) for id in self.recorder.open},
        )

    def forget_answer(self) -> None:
        """Keep nothing of a refused answer for the model's next input, or for the page."""
        self.translator.workflow.give_back()
        self.turn.forget_cited()
        self.entries.clear()
        self.translator.messages.clear()

    def _saved(self, withdrawn: Collection[str]) -> list[str]:
        """Return the ids of the saved items, with the user's message even before it is saved."""
        plan = self.plan
        asked = [plan.message] if plan.message is not None and plan.superseded is None else []
        saved = [item for item in self.recorder.saved if item.id not in withdrawn]
        return list(dict.fromkeys(item.id for item in (*asked, *saved)))


def model_name(turn: Turn) -> str:
    """Return the name of the model that answers; "" for an action, which has none."""
    return name_of(turn.model)


def choose_tool(
    agent: Agent[Turn],
    message: UserMessageItem | None,
    tools_of: Callable[[Agent[Any]], Sequence[Tool]],
) -> None:
    """Make the model use the tool picked in the composer, if an agent has it.

    If the agent that begins has not, it hands over to the one that has.
    """
    choice = message.inference_options.tool_choice if message else None
    if choice is None:
        return
    ways: list[list[tuple[Agent[Any], str]]] = [[(agent, choice.id)]]
    seen = {id(agent)}
    for way in ways:
        last = way[-1][0]
        if any(tool.name == choice.id for tool in tools_of(last)):
            for each, tool in way:
                each.model_settings = replace(each.model_settings, tool_choice=tool)
            return
        for handoff in last.handoffs:
            target = handoff_target(handoff) if isinstance(handoff, Handoff) else handoff
            if target is not None and id(target) not in seen:
                seen.add(id(target))
                ways.append([*way[:-1], (last, handoff_name(handoff)), (target, choice.id)])


def client_tool_call(job: TurnJob) -> ClientToolCallItem:
    call = job.turn.client_tool_call
    assert call is not None
    return ClientToolCallItem(
        id=job.turn.generate_id("tool_call"),
        thread_id=job.turn.thread.id,
        created_at=datetime.now(UTC),
        call_id=job.runner.client_call_id or job.turn.generate_id("tool_call"),
        name=call.name,
        arguments=call.arguments,
    )


async def hook_events(hook: str, events: Any) -> AsyncGenerator[ThreadStreamEvent]:
    """Yield what an `action` or `respond` hook answered. Raises `TypeError` for what is no event.

    What it answered is closed at the end, whatever the end is.
    """
    each = _each(events)
    async with aclosing(each):
        async for event in each:
            check_event(event, f"the hook `{hook}` yielded")
            yield event


async def _each(events: Any) -> AsyncGenerator[ThreadStreamEvent]:
    if isinstance(events, SyncCustomActionResponse):
        if events.updated_item is not None:
            yield ThreadItemReplacedEvent(item=events.updated_item)
    elif hasattr(events, "__aiter__"):
        try:
            async for event in events:
                yield event
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()
    else:
        for event in events:
            yield event
