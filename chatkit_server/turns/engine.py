"""One turn, top to bottom: claim the thread, prepare, save the request, answer, close."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from chatkit.store import Store
from chatkit.types import (
    Attachment,
    ClientToolCallItem,
    ImageAttachment,
    StreamOptionsEvent,
    ThreadCreatedEvent,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    UserMessageItem,
)

from ..agent.models import ModelRouter
from ..agent.team.guardrails import Guardrails
from ..agent.team.team import Team
from ..errors import Conflict, TakenOver, TooLarge, Unavailable
from ..events.places import news, place_of_thread
from ..events.shared import EventLog, NoEventLog
from ..events.threads import ThreadWriter, as_thread
from ..events.wire import dump
from ..ids import current_turn
from ..mcp.manager import McpManager
from ..plugin.calls import Hooks
from ..settings.schema import Settings
from ..tasks import contained, run_to_completion
from ..turn import StoreContext, User
from ..turnstile import Turnstile
from ..words import words
from .admission import Admission
from .answering import Answering
from .claim import Claims, StartedElsewhere
from .closing import Closing
from .going_on import let_agent_answer
from .identity import RequestIdentity
from .job import TurnJob, TurnPlan, model_name
from .prepare import Preparation
from .registry import TurnRegistry
from .running import HANDED_OVER, RESTARTED, STOPPED, TAKEN_OVER, Ending, RunningTurn
from .store import TurnRecord, TurnStore

log = logging.getLogger(__name__)

START_GAP = 0.025
"""Seconds between the starts of two turns of one user. Each takes some five milliseconds."""


class Engine:
    """Runs the turns of one application.

    `events` carries the events of its turns to other processes. Without a `team` and `guardrails`,
    they are made of the settings.
    """

    def __init__(
        self,
        settings: Settings,
        hooks: Hooks,
        store: Store[StoreContext],
        turn_store: TurnStore,
        models: ModelRouter,
        mcp: McpManager,
        events: EventLog | None = None,
        team: Team | None = None,
        guardrails: Guardrails | None = None,
    ) -> None:
        guardrails = guardrails or Guardrails(settings)
        self.settings = settings
        self.hooks = hooks
        self.store = store
        self.turn_store = turn_store
        self.events = events or NoEventLog()
        self.turns = TurnRegistry(settings.turns)
        self.threads = ThreadWriter(store, self.events)
        self.claims = Claims(self.turns, turn_store, settings.turns, self.events)
        self._preparation = Preparation(
            settings,
            hooks,
            store,
            models,
            mcp,
            self.events,
            self.threads,
            team or Team(settings),
            guardrails,
        )
        self._answering = Answering(
            settings, hooks, models, self._preparation.approvals, guardrails
        )
        self.conversations = self._preparation.conversations
        self._closing = Closing(self.turns, turn_store, hooks)
        self._turnstile = Turnstile(START_GAP)

    async def start(
        self, make_plan: Callable[[], Awaitable[TurnPlan]], identity: RequestIdentity, user: User
    ) -> RunningTurn | TurnRecord:
        """Start a turn of this user, and return it when its preparation has succeeded.

        If another process has got the same request meanwhile, return the record of its turn. Every
        error here is a status: nothing was saved. The plan is made again if another turn changed
        the thread meanwhile. A client that leaves does not end the turn: that is up to
        `turns.disconnect`.
        """
        try:
            running = await self._begin(make_plan, identity, user)
        except StartedElsewhere as started:
            return started.record
        await running.until_prepared()
        return running

    async def _begin(
        self,
        make_plan: Callable[[], Awaitable[TurnPlan]],
        identity: RequestIdentity,
        user: User,
        parent: RunningTurn | None = None,
    ) -> RunningTurn:
        """Return the turn once it has its thread. If it has a parent, it takes that one's place."""
        return await self.begin(await self.plan(make_plan, user), make_plan, identity, parent)

    async def plan(self, make_plan: Callable[[], Awaitable[TurnPlan]], user: User) -> TurnPlan:
        """Make the plan of a turn. Raises `TooLarge` for a message that is too long."""
        with self.turns.arriving.taken((user.tenant, user.id)):
            plan = await make_plan()
        for item in (*plan.earlier, plan.message, plan.note):
            _refuse_if_long(item, self.settings.turns.limits.message, self.settings.server.max_body)
        return plan

    async def plan_accepted(
        self, make_plan: Callable[[], Awaitable[TurnPlan]], user: User
    ) -> TurnPlan:
        """Do as `plan` for a turn that is written down first: what is wrong for sure is refused."""
        plan = await self.plan(make_plan, user)
        self._preparation.refuse_model(plan)
        return plan

    async def begin(
        self,
        plan: TurnPlan,
        make_plan: Callable[[], Awaitable[TurnPlan]],
        identity: RequestIdentity,
        parent: RunningTurn | None = None,
        admission: Admission | None = None,
    ) -> RunningTurn:
        """Return the turn of a plan once it has its thread.

        Raises `StartedElsewhere` if another process has begun one for the same request, and
        `NotYet` if it was accepted and may not begin. Such a turn needs no client, and the
        plugins have let it in by `admission`, which is its caller's until it has begun.
        """

        async def make_job(changed: bool) -> TurnJob:
            job = self._preparation.new_job(await make_plan() if changed else plan)
            job.plan_again = make_plan
            return job

        own = Admission()
        if parent is not None:
            self.turns.give_place(parent)
        elif admission is None:
            await own.ask(self.hooks, plan)
        try:
            job, client_left = await self.claims.claim(plan, make_job, identity)
        except BaseException as error:
            await own.end(error)
            raise
        job.admission = admission or own
        running = RunningTurn(
            job.turn, job.recorder.log, self.settings.turns, identity, beside=plan.beside
        )
        running.wire = job.plan.wire
        running.partial = job.partial
        running.is_idle = lambda: not job.runner.busy
        running.allows_cancel = lambda: job.turn.stream_options.allow_cancel
        running.live = job.runner.live
        live, part = job.runner.live, job.recorder.log.part
        live.shown, live.answered = part, partial(part, everywhere=False)
        # Without the job: they know each other
        live.load = partial(self._load, job.turn.thread.id, job.turn.store_context)
        job.running = running
        running.needs_no_client = plan.accepted is not None
        self.turns.start(running, self._work(job))
        if client_left and plan.accepted is None:
            running.start_grace()
            raise asyncio.CancelledError
        return running

    async def _load(self, thread_id: str, context: StoreContext, item_id: str) -> ThreadItem | None:
        return await self.store.load_item(thread_id, item_id, context)

    async def repeated(
        self, identity: RequestIdentity, user: User
    ) -> tuple[RunningTurn | TurnRecord, int] | None:
        """Return the turn that an equal request started, and the last event the client has seen.

        It is a record if it is not here. Raises why that turn was refused, or what
        `Claims.repeated` raises.
        """
        with self.turns.arriving.taken((user.tenant, user.id)):
            known = await self.claims.repeated(identity, user)
        if known is not None and isinstance(known[0], RunningTurn):
            await known[0].until_prepared()
        return known

    async def _work(self, job: TurnJob) -> None:
        """Do all of a turn's work: the turn's task."""
        # For log records: all that the task starts inherits it
        current_turn.set(job.turn.id)
        job.runs.here()
        refusal = await self._prepare(job)
        try:
            if refusal is None:
                _log_start(job)
                self.turns.admit(job.running)
                place = place_of_thread(job.turn.user, job.turn.thread.id)
                self.events.tell(place, news("turn", job.turn.id))
                await self._run(job)
                self.events.tell(place, news("ended", job.turn.id))
            else:
                await run_to_completion(self._closing.refuse(job, refusal))
        finally:
            await job.admission.end(refusal)
        job.runner.dismiss()

    async def _prepare(self, job: TurnJob) -> BaseException | None:
        """Prepare the turn; return why it is refused, None if it can run."""
        try:
            with contained():
                await self._turnstile.enter(job.running.owner)
                await self._preparation.prepare(job)
        except asyncio.CancelledError as error:
            # Without an ending, the turn's own code cancelled it
            return _as_refusal(job.running.ending) if job.running.ending else error
        except Exception as error:
            return error
        return None

    async def _run(self, job: TurnJob) -> None:
        ending: Ending | None = None
        try:
            with contained():
                await self._save_request(job)
                ending = self._ending(job)
                if ending is None and not job.plan.waits:
                    await self._answering.answer(job)
                if job.note is not None:
                    ending = await let_agent_answer(job, self.store, self._begin)
        except asyncio.CancelledError as error:
            # Without an ending, the turn's own code cancelled it
            ending = self._ending(job) or await self._closing.failed(job, error)
        except TakenOver:
            ending = TAKEN_OVER
        except Exception as error:
            failed = await self._closing.failed(job, error)
            # What ended the turn says more than what its code made of that
            ending = job.running.ending or failed
        if ending is RESTARTED and job.may_begin_again:
            ending = HANDED_OVER
            await run_to_completion(self._closing.hand_over(job))
        if ending is not None or job.refusal is not None:
            await run_to_completion(job.runs.stop())
        job.runs.release()
        try:
            await run_to_completion(self._closing.close(job, ending))
        finally:
            await self._let_go(job)

    async def _let_go(self, job: TurnJob) -> None:
        """Give back what plugins hold for the turn, and then end its stream."""
        try:
            await job.admission.end()
        finally:
            job.recorder.log.end(job.running.status or "")

    def _ending(self, job: TurnJob) -> Ending | None:
        """Return why the turn is to end now, None if it may go on."""
        overtaken = self.turns.overtaken(job.turn.thread.id, beside=job.plan.beside)
        return job.running.ending or (STOPPED if overtaken else None)

    async def _save_request(self, job: TurnJob) -> None:
        """Open the stream: save what the user said, and say that an answer is coming."""
        plan, emit = job.plan, job.recorder.emit
        if plan.new_thread:
            await self.store.save_thread(plan.thread, job.turn.store_context)
            await emit(ThreadCreatedEvent.model_construct(thread=as_thread(plan.thread)))
        job.turn.connect(emit)
        job.turn._change_thread = job.recorder.change_thread
        for item in plan.earlier:
            await emit(ThreadItemDoneEvent.model_construct(item=item))
        if plan.message is not None and plan.superseded is None:
            for attachment in plan.message.attachments:
                await self.store.save_attachment(attachment, job.turn.store_context)
            await emit(ThreadItemDoneEvent.model_construct(item=plan.message))
        if plan.note is not None:
            await emit(ThreadItemDoneEvent.model_construct(item=plan.note))
        await emit(StreamOptionsEvent(stream_options=job.turn.stream_options))
        for item in plan.answered:
            if isinstance(item, ClientToolCallItem):
                await job.recorder.keep(item)
            else:
                await emit(ThreadItemReplacedEvent.model_construct(item=item))
        if job.resumed is not None:
            await self._closing.take_over(job)


def _log_start(job: TurnJob) -> None:
    if not log.isEnabledFor(logging.DEBUG):
        return
    tools = len(job.runner.tools_of(job.agent)) if job.agent is not None else 0
    log.debug(
        "turn %s starts: %s, model %s, %d input items, %d tools, pre_turn of %s",
        job.turn.id,
        job.plan.operation,
        model_name(job.turn) or "none",
        len(job.turn.input),
        tools,
        ", ".join(job.prepared_by) or "no plugin",
    )


def _refuse_if_long(message: ThreadItem | None, limit: int, limit_of_previews: int) -> None:
    """Refuse a message in which the user wrote too much, or whose previews are too large.

    A preview may be a whole picture, as a data URL of the attachment store.
    """
    if message is None:
        return
    attachments = message.attachments if isinstance(message, UserMessageItem) else []
    previews = sum(map(_bytes_in_preview, attachments))
    size = len(dump(message)) - previews
    if size > limit:
        raise TooLarge(
            words(
                "The message has {size} bytes. The limit is {limit}: send a shorter one.",
                size=size,
                limit=limit,
            )
        )
    if previews > limit_of_previews:
        raise TooLarge(
            words(
                "The previews of the attachments have {size} bytes. The limit is {limit}: attach "
                "fewer or smaller images.",
                size=previews,
                limit=limit_of_previews,
            )
        )


def _bytes_in_preview(attachment: Attachment) -> int:
    url = str(attachment.preview_url) if isinstance(attachment, ImageAttachment) else ""
    return len(url) if url.startswith("data:") else 0


def _as_refusal(ending: Ending) -> Exception:
    """Return the status of a turn that was ended before anything was saved."""
    if ending.status == "interrupted":
        return Unavailable(ending.problem.message, retry_after=5)
    return Conflict(ending.problem.message)
