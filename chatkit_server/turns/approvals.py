"""Tool calls that wait for the user's approval: the run stops, and goes on with the click.

Nothing of a run stays in memory while it waits. A hidden item has its state; each call has a widget
with buttons. What is decided is saved before anything runs, so nothing runs twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from agents import RunState
from agents.items import ToolApprovalItem
from chatkit.store import NotFoundError, Store
from chatkit.types import (
    Page,
    StructuredInputItem,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadMetadata,
    UserMessageItem,
    WidgetItem,
)

from ..agent.paused import (
    Decision,
    PausedRun,
    WaitingCall,
    decide,
    expiry,
    paused_id,
    restored_state,
    saved_state,
    waiting_call,
)
from ..errors import Conflict, TurnFailed
from ..masking import in_one_line
from ..paging import dated, pages
from ..records import log_error
from ..settings.schema import AgentSettings
from ..tasks import run_to_completion
from ..turn import StoreContext, Turn
from ..words import words
from .approval_widget import Click, asking, decided, is_asking
from .job import TurnJob

log = logging.getLogger(__name__)

ALLOWED = "chatkit_server.always_approved"
"""The key of a thread's metadata for the tools that its user has allowed: `[name, server]`."""

WAITING = words("A tool waits for your approval. Approve or deny it before you go on.")

CHANGED = words(
    "The server has changed since you were asked to approve this: it was not run. Ask for it again."
)

_PAGE = 20

_LOGGED = 500
"""Characters of the names of tools, in the log."""


class Approvals:
    """Stops runs that need an approval, and lets them go on."""

    def __init__(self, store: Store[StoreContext], settings: AgentSettings) -> None:
        self._store = store
        self._settings = settings.approval
        self._steps = settings.max_turns

    # A run stops

    async def go_on(self, job: TurnJob) -> RunState[Any, Any] | None:
        """Return the state with which a run that has stopped goes on at once, or let it wait.

        It goes on if the user has allowed all its tools for this conversation. None, too, for a run
        that has not stopped.
        """
        result = job.result
        if result is None or not result.interruptions:
            return None
        state = result.to_state()
        calls = [self._asked(job, state, item) for item in state.get_interruptions()]
        if all(call.decision == "approved" for call in calls):
            job.runs.forget(result.context_wrapper.usage)
            return state
        await self._wait(job, state, calls)
        return None

    def _asked(
        self, job: TurnJob, state: RunState[Any, Any], item: ToolApprovalItem
    ) -> WaitingCall:
        turn = job.turn
        call = waiting_call(item, "")
        # Of an unusable call, nothing comes but what the model reads about it
        if is_allowed(turn.thread, call) or job.runner.is_unusable(item):
            state.approve(item)
            return replace(call, decision="approved")
        return replace(call, item_id=turn.generate_id("message"))

    async def _wait(
        self, job: TurnJob, state: RunState[Any, Any], calls: list[WaitingCall]
    ) -> None:
        """Save the run, and then what the user sees of it."""
        waiting = [call for call in calls if call.decision is None]
        run = await self._run(job, state, calls, waiting)
        widgets = [self._widget(job.turn, run, call) for call in waiting]
        job.waiting = waiting
        _log(job.turn, waiting)
        # What else the run wants comes when it goes on
        job.turn.client_tool_call = None
        job.runner.asked.clear()
        job.runner.asked_within.clear()

        thread_id, kept = job.turn.thread.id, job.runner.live.saved.values()
        asked = [question.as_item(thread_id) for question in kept]
        items: list[ThreadItem] = [*asked, run.as_item(thread_id), *widgets]

        async def save() -> None:
            for item in items:
                await job.translator.stream(ThreadItemDoneEvent.model_construct(item=item))

        if await run_to_completion(save()):
            raise asyncio.CancelledError

    async def _run(
        self,
        job: TurnJob,
        state: RunState[Any, Any],
        calls: list[WaitingCall],
        waiting: list[WaitingCall],
    ) -> PausedRun:
        """Return what is saved of a run. Raises `TurnFailed` if the SDK cannot save it."""
        turn = job.turn
        text = None
        try:
            if job.agent is not None and job.runner.has_namesakes:
                # In the order in which they will be found again
                await job.runner.resumable(job.agent)
            text = saved_state(state)
        except Exception as error:
            log_error(log, logging.WARNING, error, "turn %s: a run cannot wait", turn.id)
        if text is None:
            for call in waiting:
                await job.runner.report(*call.unrun)
            raise TurnFailed(cannot_wait(waiting[0].name))
        return PausedRun(
            paused_id(turn.id),
            turn.id,
            datetime.now(UTC),
            expiry(self._settings.expires),
            calls,
            text,
            [dict(entry) for entry in job.entries],
            list(job.translator.messages),
            [*job.shows, *job.runner.shown.workflows],
            job.runner.wanted_of_client,
            _dumped(job.runner.asked),
            {call: _dumped(asked) for call, asked in job.runner.asked_within.items()},
            turn.first_agent,
            job.memory_model,
        )

    def _widget(self, turn: Turn, run: PausedRun, call: WaitingCall) -> WidgetItem:
        widget, text = asking(
            run.id, call, turn.translate, always=self._settings.always_in_conversation
        )
        return WidgetItem(
            id=call.item_id,
            thread_id=turn.thread.id,
            created_at=datetime.now(UTC),
            widget=widget,
            copy_text=text,
        )

    # A click

    async def take(self, job: TurnJob, click: Click) -> bool:
        """Take a click, now that the thread is claimed; return whether the run goes on.

        What the click changes is then in `plan.answered`. One on a call that was decided already
        only shows that.
        """
        run = await self._load(job.turn, click.run_id)
        call = run.call_of(click.item.id) if run is not None else None
        if run is None or call is None or call.decision is not None or not run.waits:
            job.plan.answered = await self._settled(job.turn, click, call)
            return False
        if await self._is_overtaken(job.turn, run):
            run, goes_on = run.given_up("left", job.turn.id), False
        else:
            run = await self._after_click(job.turn, run, call, click)
            goes_on = not run.waits
        _log(job.turn, run.calls)
        if goes_on:
            job.paused, run = run, run.ended(job.turn.id)
        job.plan.answered = [run.as_item(job.turn.thread.id), *await self._shown(job.turn, run)]
        return goes_on

    async def _settled(
        self, turn: Turn, click: Click, call: WaitingCall | None
    ) -> list[ThreadItem]:
        """Return the widget of a click that changes nothing, as it is to be seen."""
        item = await self._item(turn, click.item.id)
        if not isinstance(item, WidgetItem) or (call is None and not is_asking(item)):
            return [] if item is None else [item]
        decision = call.decision if call is not None else None
        return [decided(item, decision or "left", turn.translate)]

    async def _after_click(
        self, turn: Turn, run: PausedRun, call: WaitingCall, click: Click
    ) -> PausedRun:
        if run.has_expired:
            return run.decided("expired")
        if click.choice == "always" and self._settings.always_in_conversation:
            allow(turn.thread, call)
            same = [one for one in run.calls if is_allowed(turn.thread, one)]
        else:
            same = [call]
        for one in same:
            run = run.decided("denied" if click.choice == "deny" else "approved", one.item_id)
        for one in run.calls:
            if one.decision is None and await self._item(turn, one.item_id) is None:
                # The server stopped before the user was asked
                run = run.decided("left", one.item_id)
        return run

    async def _is_overtaken(self, turn: Turn, run: PausedRun) -> bool:
        """Whether the user has written something since, which was too far away to be seen."""
        store, context = self._store, turn.store_context

        def load(after: str | None) -> Awaitable[Page[ThreadItem]]:
            return store.load_thread_items(turn.thread.id, after, _PAGE, "desc", context)

        async for page in pages(load):
            for item in page.data:
                if item.id == run.id or isinstance(item, UserMessageItem):
                    return item.id != run.id
        return True

    async def restore(self, job: TurnJob) -> None:
        """Get the run ready to go on, with the agent of this turn.

        If that is impossible, nothing runs: `job.changed` then, and the user is told.
        """
        run = job.paused
        assert run is not None
        assert run.state is not None
        assert job.agent is not None
        turn = job.turn
        # What is only away for now may be asked for again: these errors are a status
        approved = [call for call in run.calls if call.decision == "approved"]
        job.runner.servers.check_up({call.server for call in approved if call.server})
        agent = await job.runner.resumable(job.agent)
        try:
            job.resumed = await restored_state(run.state, agent, turn.run_context, self._steps)
            decide(job.resumed, run.calls)
        except Exception as error:
            log_error(log, logging.WARNING, error, "turn %s: its run cannot go on", turn.id)
            job.resumed, job.agent, job.changed = None, None, True
            ended = run.given_up("changed", turn.id)
            shown = await self._shown(turn, ended)
            job.plan.answered = [ended.as_item(turn.thread.id), *shown]
            return
        job.runner.relay.goes_on_from(run.model)
        job.runner.call_ids.update(str(entry.get("call_id")) for entry in run.entries)
        within = {call: _questions(asked) for call, asked in run.within.items()}
        job.runner.want_again(run.client_tool, _questions(run.questions), within)

    # A message comes instead

    async def leave(self, turn: Turn, items: Sequence[ThreadItem]) -> list[ThreadItem]:
        """Return what waits among the items of a thread as a message leaves it.

        Raises `Conflict` if the settings refuse the message.
        """
        left: list[ThreadItem] = []
        for item in items:
            run = PausedRun.of(item)
            if run is None or not run.waits:
                continue
            if self._settings.on_message == "refuse" and not run.has_expired:
                raise Conflict(WAITING)
            run = run.given_up("expired" if run.has_expired else "left", turn.id)
            left += [run.as_item(turn.thread.id), *await self._shown(turn, run)]
        return left

    # What is stored

    async def _load(self, turn: Turn, run_id: str) -> PausedRun | None:
        item = await self._item(turn, run_id)
        return PausedRun.of(item) if item is not None else None

    async def _shown(self, turn: Turn, run: PausedRun) -> list[ThreadItem]:
        """Return the widgets of decided calls as they are shown from now on."""
        shown: list[ThreadItem] = []
        for call in run.calls:
            if call.decision is not None and call.item_id:
                shown += await self._widgets(turn, [call.item_id], call.decision)
        return shown

    async def _widgets(
        self, turn: Turn, item_ids: Sequence[str], decision: Decision
    ) -> list[ThreadItem]:
        found = [await self._item(turn, item_id) for item_id in item_ids]
        widgets = [item for item in found if isinstance(item, WidgetItem)]
        return [decided(item, decision, turn.translate) for item in widgets]

    async def _item(self, turn: Turn, item_id: str) -> ThreadItem | None:
        try:
            item = await self._store.load_item(turn.thread.id, item_id, turn.store_context)
        except NotFoundError:
            return None
        return dated(item) if item is not None else None


def _dumped(asked: Sequence[StructuredInputItem]) -> list[dict[str, Any]]:
    return [item.model_dump(mode="json") for item in asked]


def _questions(dumped: Sequence[dict[str, Any]]) -> list[StructuredInputItem]:
    return [StructuredInputItem.model_validate(item) for item in dumped]


def _log(turn: Turn, calls: Sequence[WaitingCall]) -> None:
    if log.isEnabledFor(logging.DEBUG):
        told = ", ".join(f"{call.name} {call.decision or 'waits'}" for call in calls)
        log.debug("turn %s: approvals: %s", turn.id, in_one_line(told, _LOGGED))


def cannot_wait(tool: str) -> str:
    """Return what a user is told if a run cannot be saved until they approve its call."""
    return words(
        "The assistant wanted to use `{tool}`, which needs your approval, but its work cannot be "
        "saved until then. Ask for something else.",
        tool=tool,
    )


def is_allowed(thread: ThreadMetadata, call: WaitingCall) -> bool:
    """Whether the user has allowed a tool for this conversation."""
    allowed = thread.metadata.get(ALLOWED)
    return isinstance(allowed, list) and [call.name, call.server] in allowed


def allow(thread: ThreadMetadata, call: WaitingCall) -> None:
    """Note that the user has allowed a tool for this conversation."""
    if not is_allowed(thread, call):
        known = thread.metadata.get(ALLOWED)
        thread.metadata[ALLOWED] = [
            *(known if isinstance(known, list) else ()),
            [call.name, call.server],
        ]
