"""A run that waits for the user's approval, as a hidden item keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from agents import Agent, RunContextWrapper, RunState, Usage
from agents.items import ToolApprovalItem
from chatkit.types import HiddenContextItem, ThreadItem, WidgetItem

from ..turn import ToolCall, ToolResult
from .memory import TurnMemory
from .pairs import CALL_CUT_OFF, RESULT
from .tools import arguments_of

APPROVAL = "chatkit_server.approval"
"""The type of the action of a widget that asks for an approval, and how its key begins."""

PAUSED_TYPE = "chatkit_server.paused"

Decision = Literal["approved", "denied", "expired", "left", "changed"]
"""What became of a call: `left` if a message came instead, `changed` if the run can't go on."""

WAITS = "The tool {name} was not run: it needs the user's approval."

TOLD: dict[Decision, str] = {
    "approved": CALL_CUT_OFF,
    "denied": "The user denied this call: the tool {name} was not run.",
    "expired": "The tool {name} was not run: the user did not approve it in time.",
    "left": "The tool {name} was not run: the user wrote something else instead of approving it.",
    "changed": (
        "The tool {name} was not run: the server has changed since the user was asked to approve "
        "it. Ask again if it is still needed."
    ),
}
"""What the model is told of a call that has not run, by what was decided."""


@dataclass(frozen=True)
class WaitingCall:
    """A call of a tool that waits for an approval, or has waited.

    `item_id` is that of the widget that asks for it, "" where nobody had to ask. `arguments` are as
    the model wrote them.
    """

    item_id: str
    call_id: str
    name: str
    arguments: str
    server: str | None = None
    decision: Decision | None = None

    @property
    def told(self) -> str:
        """What the model is told while there is no result."""
        words = WAITS if self.decision is None else TOLD[self.decision]
        return words.format(name=self.name)

    @property
    def tool_call(self) -> ToolCall:
        """The call as hooks get it."""
        return ToolCall(self.call_id, self.name, arguments_of(self.arguments) or {}, self.server)

    @property
    def unrun(self) -> tuple[ToolCall, ToolResult]:
        """The call with what the model is told."""
        return self.tool_call, ToolResult(self.told, failed=True)


@dataclass(frozen=True)
class PausedRun:
    """A run that waits, or has waited, until all its calls are decided.

    `turn_id` is the turn that it began in, `resumed_by` the one in which it went on: from then on
    there is no `state`, so that nothing is run twice. `entries`, `messages` and `shows` are for its
    turn's memory. `client_tool` is a call that the client gets when the run has gone on,
    `questions` are those that its user gets then, `within` those of agents that are tools, by the
    calls of these, which go on first. `agent` is the name of the agent that began,
    `model` that of the model that has written all so far, "" if several have.
    """

    id: str
    turn_id: str
    created_at: datetime
    expires_at: datetime
    calls: list[WaitingCall]
    state: str | None = None
    entries: list[dict[str, Any]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    shows: list[str] = field(default_factory=list)
    client_tool: dict[str, Any] | None = None
    questions: list[dict[str, Any]] = field(default_factory=list)
    within: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    agent: str | None = None
    model: str = ""
    resumed_by: str | None = None

    @property
    def waits(self) -> bool:
        """Whether something is still to be decided."""
        return self.resumed_by is None and any(call.decision is None for call in self.calls)

    @property
    def has_expired(self) -> bool:
        """Whether it is too late to approve."""
        return datetime.now(UTC) >= self.expires_at

    def call_of(self, item_id: str) -> WaitingCall | None:
        """Return the call that a widget asks for."""
        return next((call for call in self.calls if call.item_id == item_id), None)

    def decided(self, decision: Decision, item_id: str | None = None) -> PausedRun:
        """Return it with this decision for one call, or for all that have none."""
        calls = [
            replace(call, decision=decision)
            if call.decision is None and item_id in (None, call.item_id)
            else call
            for call in self.calls
        ]
        return replace(self, calls=calls)

    def given_up(self, decision: Decision, turn_id: str) -> PausedRun:
        """Return what is kept of it if it never goes on: what was approved has not run either."""
        calls = [
            call if call.decision == "denied" else replace(call, decision=decision)
            for call in self.calls
        ]
        return replace(self, calls=calls).ended(turn_id)

    def ended(self, turn_id: str) -> PausedRun:
        """Return what is kept of it once it goes on in this turn, or never."""
        return replace(
            self,
            state=None,
            entries=[],
            messages=[],
            shows=[],
            client_tool=None,
            questions=[],
            within={},
            resumed_by=turn_id,
        )

    def as_item(self, thread_id: str) -> HiddenContextItem:
        """Return the hidden item that keeps it in a thread."""
        return HiddenContextItem(
            id=self.id,
            thread_id=thread_id,
            created_at=self.created_at,
            content={
                "type": PAUSED_TYPE,
                **asdict(self),
                "created_at": self.created_at.isoformat(),
                "expires_at": self.expires_at.isoformat(),
            },
        )

    @classmethod
    def of(cls, item: ThreadItem) -> PausedRun | None:
        """Return the run that a hidden item keeps, None for other items.

        None, too, for what another version has written in another way: nobody waits for it then.
        """
        if not is_paused_run(item):
            return None
        content = dict(cast(HiddenContextItem, item).content)
        try:
            known = {one.name: content[one.name] for one in fields(cls) if one.name in content}
            known["expires_at"] = datetime.fromisoformat(content["expires_at"])
            # As it was saved, which may be later: stores sort by it
            known["created_at"] = item.created_at
            known["calls"] = [WaitingCall(**call) for call in content["calls"]]
            return cls(**known)
        except (KeyError, TypeError, ValueError):
            return None


def is_paused_run(item: ThreadItem) -> bool:
    """Whether a hidden item keeps a run that waits."""
    content = item.content if isinstance(item, HiddenContextItem) else None
    return isinstance(content, dict) and content.get("type") == PAUSED_TYPE


def is_approval(item: ThreadItem) -> bool:
    """Whether an item is a widget that asks for an approval, or has asked."""
    return isinstance(item, WidgetItem) and run_of(item) is not None


def run_of(item: WidgetItem) -> str | None:
    """Return the id of the run that waits for what a widget asks; None for other widgets."""
    kind, _, run_id = (item.widget.key or "").partition(":")
    return run_id if kind == APPROVAL and run_id else None


def without_paused(items: Iterable[ThreadItem]) -> list[ThreadItem]:
    """Return items without runs that wait: what became of these is in the memories of their turns.

    The memory of a turn whose run has gone on in another is left out: that of the other has it all.
    """
    given = list(items)
    runs = {run.turn_id: run for item in given if (run := PausedRun.of(item)) is not None}
    if not runs:
        return given
    memories = {memory.turn_id for item in given if (memory := TurnMemory.of(item)) is not None}
    found = []
    for item in given:
        memory = TurnMemory.of(item)
        run = runs.get(memory.turn_id) if memory is not None else None
        if memory is not None and run is not None:
            if run.resumed_by not in memories:
                found.append(_with_decisions(item, memory, run))
        elif not is_paused_run(item):
            found.append(item)
    return found


def _with_decisions(item: ThreadItem, memory: TurnMemory, run: PausedRun) -> ThreadItem:
    told = {call.call_id: call.told for call in run.calls}
    entries = [
        {**entry, "output": told[entry["call_id"]]}
        if entry.get("type", "").endswith(RESULT) and entry.get("call_id") in told
        else entry
        for entry in memory.input
    ]
    content = {**cast(HiddenContextItem, item).content, "input": entries}
    return item.model_copy(update={"content": content})


def paused_id(turn_id: str) -> str:
    """Return the id of the item that keeps the run of a turn."""
    return f"run_{turn_id.removeprefix('turn_')}"


def expiry(seconds: float) -> datetime:
    """Return when a call that is asked for now is too old."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


def waiting_call(item: ToolApprovalItem, item_id: str) -> WaitingCall:
    """Return the call that a run has stopped for."""
    origin = item.tool_origin
    server = origin.mcp_server_name if origin is not None else None
    hosted = _field(item.raw_item, "server_label")
    name, call_id = _identity(item)
    return WaitingCall(
        item_id,
        call_id,
        name,
        item.arguments or _described(item.raw_item),
        server or hosted,
    )


def _identity(item: ToolApprovalItem) -> tuple[str, str]:
    return item.name or "without a name", item.call_id or ""


def _field(raw_item: Any, name: str) -> Any:
    return raw_item.get(name) if isinstance(raw_item, dict) else getattr(raw_item, name, None)


def _described(raw_item: Any) -> str:
    """Return what a call that has no arguments is about: a shell's commands, a patch."""
    written = raw_item if isinstance(raw_item, dict) else raw_item.model_dump(exclude_none=True)
    about = {key: written[key] for key in ("action", "operation") if key in written}
    return json.dumps(about, ensure_ascii=False, default=str)


def saved_state(state: RunState[Any, Any]) -> str:
    """Return the state of a run as text, without its context: that is the turn.

    Raises what the SDK raises for agents that it could not find again.
    """
    return state.to_string(context_serializer=lambda _: {})


async def restored_state(
    text: str, agent: Agent[Any], context: Any, steps: int
) -> RunState[Any, Agent[Any]]:
    """Return the state of a run that goes on with this agent, with this context.

    It may ask the model as many times more as there are `steps`: its user has let it go on. The
    tokens that it had used are not counted again. Raises what the SDK raises if the agents have
    changed, or if another version has written it.
    """
    wrapper = RunContextWrapper(context=context)
    written = json.loads(text)
    written["max_turns"] = written["current_turn"] + steps
    state = await RunState.from_json(
        agent, written, context_override=wrapper, context_deserializer=lambda _: context
    )
    wrapper.usage = Usage()
    return state


def decide(state: RunState[Any, Any], calls: Sequence[WaitingCall]) -> None:
    """Approve or reject what a run waits for. Raises `ValueError` if it waits for other calls."""
    waiting = state.get_interruptions()
    if [_identity(item) for item in waiting] != [(call.name, call.call_id) for call in calls]:
        raise ValueError("the run waits for other calls than the user was asked about")
    for item, call in zip(waiting, calls, strict=True):
        if call.decision == "approved":
            state.approve(item)
        else:
            state.reject(item, rejection_message=call.told)
