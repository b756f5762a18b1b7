"""An action lets the agent answer: a turn with all its rights, in the stream of the action.

The turn of the action follows it as a client does, and passes its events on. So whoever resumes the
action's stream, stops it or leaves it does so with the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from chatkit.store import NotFoundError, Store
from chatkit.types import HiddenContextItem

from ..events.log import TurnLog
from ..store_ids import new_item_id
from ..tasks import run_to_completion
from ..turn import StoreContext, User
from .identity import RequestIdentity
from .job import TurnJob, TurnPlan
from .running import STOPPED, Ending, RunningTurn
from .writable import require_writable

_ERROR = b'{"type":"error"'
"""How an `error` event begins: the action's own end tells it."""

Begin = Callable[
    [Callable[[], Awaitable[TurnPlan]], RequestIdentity, User, RunningTurn], Awaitable[RunningTurn]
]
"""Begins a turn, in the place of the given one."""


async def let_agent_answer(job: TurnJob, store: Store[StoreContext], begin: Begin) -> Ending | None:
    """Have the agent answer what an action has told it; return how that ended, None for well.

    Raises why the turn is refused.
    """
    action = job.running
    await job.recorder.save_thread()

    async def make_plan() -> TurnPlan:
        return await _plan(job, store)

    answer = await begin(make_plan, RequestIdentity(), job.turn.user, action)
    passing: asyncio.Task[None] | None = None
    try:
        await answer.until_prepared()
        _join(action, answer)
        passing = asyncio.create_task(_pass_on(answer, job.recorder.log))
        await asyncio.shield(passing)
    except asyncio.CancelledError:
        answer.end(action.ending or STOPPED)
        if passing is not None:
            # What it has said so far is still to come
            await run_to_completion(_ended(passing))
        raise
    if answer.problem is None or answer.status in (None, "completed"):
        return None
    return Ending(answer.status, answer.problem)


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])


async def _plan(job: TurnJob, store: Store[StoreContext]) -> TurnPlan:
    """Return the plan of the agent's turn, from what is stored now."""
    plan, context = job.plan, job.turn.store_context
    thread = await store.load_thread(plan.thread.id, context)
    if thread is None:
        raise NotFoundError(plan.thread.id)
    require_writable(thread)
    note = HiddenContextItem(
        id=new_item_id(store, "message", thread, context),
        thread_id=thread.id,
        created_at=datetime.now(UTC),
        content=job.note,
    )
    return TurnPlan(
        plan.operation,
        plan.user,
        thread,
        plan.wire,
        locale=plan.locale,
        note=note,
        parent_id=job.turn.id,
        context=plan.context,
        request=plan.request,
    )


def _join(action: RunningTurn, answer: RunningTurn) -> None:
    """Have the action be idle, wait for the user and be stopped as its answer is."""
    action.live = answer.live
    action.is_idle = lambda: answer.is_idle()
    action.allows_cancel = lambda: answer.allows_cancel()


async def _pass_on(answer: RunningTurn, log: TurnLog) -> None:
    """Append the events of the answer to the log of the action, until the last one.

    They stop earlier for whoever follows when the user answers a question: that request gets the
    rest.
    """
    answer.add_follower()
    try:
        async for frames in answer.log.follow():
            for frame in frames.split(b"\n\n")[:-1]:
                event = frame.partition(b"\ndata: ")[2]
                if not event.startswith(_ERROR):
                    log.append(event)
    finally:
        answer.remove_follower()
