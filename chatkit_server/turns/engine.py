"""One turn, top to bottom: claim the thread, prepare, save the request, answer, close."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Any, cast

from agents import Agent, Runner, RunState, TResponseInputItem
from chatkit.store import Store
from chatkit.types import (
    Attachment,
    ClientToolCallItem,
    ImageAttachment,
    StreamOptionsEvent,
    StructuredInputItem,
    ThreadCreatedEvent,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    UserMessageItem,
)

from ..agent.fast.first_answer import ask_model, can_skip_run
from ..agent.invocation import GUARDRAILS
from ..agent.media import remembered
from ..agent.models import ModelRouter
from ..agent.resuming import resume
from ..agent.runner import run_config
from ..agent.runs import stop_run
from ..agent.team.guardrails import Guardrails
from ..agent.team.team import Team
from ..asking import Asked, collecting
from ..errors import Conflict, TakenOver, TooLarge, TurnFailed, Unavailable
from ..events.log import EventLogFactory, new_event_log
from ..events.recorder import LONG_ANSWER
from ..events.threads import ThreadWriter, as_thread
from ..events.wire import dump
from ..ids import current_turn
from ..mcp.manager import McpManager
from ..plugin.calls import HookCall, Hooks
from ..settings.schema import Settings
from ..tasks import contained, run_to_completion
from ..turn import StoreContext, Turn, User
from ..turn_events import BURST
from ..turnstile import Turnstile
from ..words import words
from .approvals import CHANGED
from .claim import Claims
from .closing import Closing
from .failures import EMPTY
from .identity import RequestIdentity
from .job import TurnJob, TurnPlan, client_tool_call, hook_events, model_name
from .prepare import Preparation
from .refusal import refusal
from .registry import TurnRegistry
from .running import STOPPED, TAKEN_OVER, Ending, RunningTurn
from .store import TurnStore

log = logging.getLogger(__name__)

START_GAP = 0.025
"""Seconds between the starts of two turns of one user. Each takes some five milliseconds."""

MOST_EVENTS = 64_000_000
"""Bytes of the events with which a hook answers."""


class Engine:
    """Runs the turns of one application.

    `make_log` makes the event log of each turn. Without a `team` and `guardrails`, they are made
    of the settings.
    """

    def __init__(
        self,
        settings: Settings,
        hooks: Hooks,
        store: Store[StoreContext],
        turn_store: TurnStore,
        models: ModelRouter,
        mcp: McpManager,
        make_log: EventLogFactory = new_event_log,
        team: Team | None = None,
        guardrails: Guardrails | None = None,
    ) -> None:
        self._guardrails = guardrails or Guardrails(settings)
        self.settings = settings
        self.hooks = hooks
        self.store = store
        self.turn_store = turn_store
        self.turns = TurnRegistry(settings.turns)
        self.threads = ThreadWriter(store)
        self._claims = Claims(self.turns, turn_store, settings.turns)
        self._preparation = Preparation(
            settings,
            hooks,
            store,
            models,
            mcp,
            make_log,
            self.threads,
            team or Team(settings),
            self._guardrails,
        )
        self.conversations = self._preparation.conversations
        self._approvals = self._preparation.approvals
        self._closing = Closing(self.turns, turn_store, hooks)
        self._run_config = run_config(models, settings.agent)
        self._turnstile = Turnstile(START_GAP)
        self._traced = not self._run_config.tracing_disabled

    async def start(
        self, make_plan: Callable[[], Awaitable[TurnPlan]], identity: RequestIdentity, user: User
    ) -> RunningTurn:
        """Start a turn of this user, and return it when its preparation has succeeded.

        Every error here is a status: nothing was saved. The plan is made again if another turn
        changed the thread meanwhile. A client that leaves does not end the turn: that is up to
        `turns.disconnect`.
        """
        with self.turns.arriving.taken((user.tenant, user.id)):
            plan = await make_plan()
        for item in (*plan.earlier, plan.message):
            _refuse_if_long(item, self.settings.turns.limits.message, self.settings.server.max_body)

        async def make_job(changed: bool) -> TurnJob:
            job = self._preparation.new_job(await make_plan() if changed else plan)
            job.plan_again = make_plan
            return job

        job, client_left = await self._claims.claim(plan, make_job, identity)
        running = RunningTurn(
            job.turn, job.recorder.log, self.settings.turns, identity, beside=plan.beside
        )
        running.wire = job.plan.wire
        running.partial = job.partial
        running.is_idle = lambda: not job.runner.busy
        running.allows_cancel = lambda: job.turn.stream_options.allow_cancel
        running.live = job.runner.live
        job.runner.live.shown = job.recorder.log.part
        job.running = running
        self.turns.start(running, self._work(job))
        if client_left:
            running.start_grace()
            raise asyncio.CancelledError
        await running.until_prepared()
        return running

    async def repeated(
        self, identity: RequestIdentity, user: User
    ) -> tuple[RunningTurn, int] | None:
        """Return the turn that an equal request started, and the last event the client has seen.

        Raises why that turn was refused, or `Conflict` as `Claims.repeated` does.
        """
        with self.turns.arriving.taken((user.tenant, user.id)):
            known = await self._claims.repeated(identity, user)
        if known is not None:
            running, _ = known
            await running.until_prepared()
        return known

    async def _work(self, job: TurnJob) -> None:
        """Do all of a turn's work: the turn's task."""
        # For log records: all that the task starts inherits it
        current_turn.set(job.turn.id)
        job.runs.here()
        refusal = await self._prepare(job)
        if refusal is None:
            _log_start(job)
            self.turns.admit(job.running)
            await self._run(job)
        else:
            await run_to_completion(self._closing.refuse(job, refusal))
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
                    await self._answer(job)
        except asyncio.CancelledError as error:
            # Without an ending, the turn's own code cancelled it
            ending = self._ending(job) or await self._closing.failed(job, error)
        except TakenOver:
            ending = TAKEN_OVER
        except Exception as error:
            failed = await self._closing.failed(job, error)
            # What ended the turn says more than what its code made of that
            ending = job.running.ending or failed
        if ending is not None or job.refusal is not None:
            await run_to_completion(job.runs.stop())
        job.runs.release()
        try:
            await run_to_completion(self._closing.close(job, ending))
        finally:
            job.recorder.log.end()

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
        await emit(StreamOptionsEvent(stream_options=job.turn.stream_options))
        for item in plan.answered:
            if isinstance(item, ClientToolCallItem):
                await job.recorder.keep(item)
            else:
                await emit(ThreadItemReplacedEvent.model_construct(item=item))
        if job.resumed is not None:
            await self._closing.take_over(job)

    async def _answer(self, job: TurnJob) -> None:
        job.turn.connect(job.translator.stream)
        try:
            await job.turn.send_early()
            if job.agent is not None:
                await self._ask(job, job.agent)
            elif job.changed:
                raise TurnFailed(CHANGED)
            else:
                with collecting() as wanted, suppress(Asked):
                    await self._send_all(job, *await self._hook_answer(job))
                await self._show_questions(job, wanted.questions)
        except GUARDRAILS as error:
            job.refusal = refusal(job.turn, error, self._guardrails, job.plan.message)
            raise
        finally:
            # Not the translator any longer: it knows the turn, which would be a cycle
            job.turn.connect(job.recorder.emit)
        if job.recorder.failure is not None:
            raise job.recorder.failure

    async def _ask(self, job: TurnJob, agent: Agent[Turn]) -> None:
        """Let the agent answer."""
        if job.plan.resumes:
            await resume(job.runner, agent, job.plan.resumes, job.recorder.emit)
            if job.runner.asked:
                await self._show_questions(job, job.runner.asked)
                return
        if job.resumed is not None or not await self._answer_without_run(job, agent):
            await self._answer_with_run(job, agent)
        if job.says_nothing:
            raise TurnFailed(EMPTY, allow_retry=True)

    async def _answer_without_run(self, job: TurnJob, agent: Agent[Turn]) -> bool:
        """Ask the model once, where that needs no run; return whether that is the whole answer."""
        tools = job.runner.tools_of(agent)
        if (
            self._traced
            or not job.runner.uses_fast_path(agent)
            or not can_skip_run(agent, job.turn, tools)
        ):
            return False
        first_answer = job.first_answer = await ask_model(agent, job.turn, tools)
        if first_answer.complete:
            job.entries += first_answer.entries
        else:
            job.runner.continue_from(first_answer, agent)
        return first_answer.complete

    async def _answer_with_run(self, job: TurnJob, agent: Agent[Turn]) -> None:
        begin: RunState[Any, Any] | list[TResponseInputItem] | None
        begin = job.resumed or job.turn.input
        while begin is not None:
            await self._run_agent(job, agent, begin)
            begin = await self._approvals.go_on(job)
        await self._show_questions(job, job.runner.asked)
        if job.turn.client_tool_call is not None:
            await job.translator.workflow.keep()
            await job.recorder.emit(ThreadItemDoneEvent.model_construct(item=client_tool_call(job)))

    async def _run_agent(
        self,
        job: TurnJob,
        agent: Agent[Turn],
        begin: RunState[Any, Any] | list[TResponseInputItem],
    ) -> None:
        job.result = Runner.run_streamed(
            cast(Agent[Any], agent),
            begin,
            context=job.turn.run_context,
            max_turns=self.settings.agent.max_turns,
            run_config=self._run_config,
        )
        job.runs.leave(job.result)
        fast_path = False
        try:
            async for event in job.result.stream_events():
                if event.type == "raw_response_event":
                    if not fast_path:
                        await job.translator.event(event.data)
                elif event.type == "run_item_stream_event":
                    job.entries.append(remembered(event.item.to_input_item()))
                    await job.runner.handovers.note(event.item)
                else:
                    job.entries += await job.runner.handovers.handed_over(event.new_agent)
                    fast_path = job.runner.uses_fast_path(event.new_agent)
                    job.translator.answered_with(job.runner.tools_of(event.new_agent))
        finally:
            await stop_run(job.result)
            await job.runner.handovers.end()

    async def _show_questions(self, job: TurnJob, asked: Sequence[StructuredInputItem]) -> None:
        """Show what tools or a hook asked the user, which ends the turn."""
        for item in asked:
            if (saved := job.runner.live.saved.get(item.id)) is not None:
                # First: the question is worth nothing without it
                hidden = saved.as_item(item.thread_id)
                await job.recorder.emit(ThreadItemDoneEvent.model_construct(item=hidden))
            await job.translator.stream(ThreadItemDoneEvent.model_construct(item=item))

    async def _hook_answer(self, job: TurnJob) -> tuple[HookCall, Any]:
        """Return the call of the hook that answers in place of an agent, and its events."""
        if isinstance(job.answer, Exception):
            raise job.answer
        if job.answer is not None:
            return job.answer
        plan = job.plan
        assert plan.action is not None
        answered = await self.hooks.first_call(
            "action", turn=job.turn, action=plan.action, item=plan.sender
        )
        if answered is None:
            what = words("No plugin answers the action `{action}`.", action=plan.action.type)
            raise TurnFailed(what)
        return answered

    async def _send_all(self, job: TurnJob, call: HookCall, events: Any) -> None:
        """Send the events with which a hook has answered."""

        async def send() -> None:
            found = hook_events(call.hook, events)
            sent = 0
            async with aclosing(found):
                async for event in found:
                    await job.translator.workflow.answer(event)
                    if job.running.ending is not None:
                        break
                    if job.recorder.log.size > MOST_EVENTS:
                        raise TurnFailed(LONG_ANSWER)
                    sent += 1
                    if sent % BURST == 0:
                        # A hook that awaits nothing would stop the answers of all users
                        await asyncio.sleep(0)

        await call.read(send())
        if job.running.ending is not None:
            # The hook has swallowed the cancellation, but the turn is over
            raise asyncio.CancelledError
        if job.recorder.failure is None:
            await job.translator.workflow.close()


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
