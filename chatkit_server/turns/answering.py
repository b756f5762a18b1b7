"""The answer of a turn: an agent's, or the events of a hook."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, suppress
from typing import Any, cast

from agents import Agent, Runner, RunState, TResponseInputItem
from chatkit.types import StructuredInputItem, ThreadItemDoneEvent

from ..agent.fast.first_answer import ask_model, can_skip_run
from ..agent.invocation import GUARDRAILS
from ..agent.media import remembered
from ..agent.models import ModelRouter
from ..agent.resuming import resume
from ..agent.runner import run_config
from ..agent.runs import stop_run
from ..agent.team.guardrails import Guardrails
from ..asking import Asked, collecting
from ..errors import TurnFailed
from ..events.recorder import LONG_ANSWER
from ..plugin.call import HookCall
from ..plugin.calls import Hooks
from ..settings.schema import Settings
from ..turn import Turn
from ..turn_events import BURST
from ..words import words
from .approvals import CHANGED, Approvals
from .failures import EMPTY
from .job import TurnJob, client_tool_call, hook_events
from .refusal import last_words, refusal

MOST_EVENTS = 64_000_000
"""Bytes of the events with which a hook answers."""


class Answering:
    """Answers in the turns of one application, when the request is saved."""

    def __init__(
        self,
        settings: Settings,
        hooks: Hooks,
        models: ModelRouter,
        approvals: Approvals,
        guardrails: Guardrails,
    ) -> None:
        self.settings = settings
        self.hooks = hooks
        self._approvals = approvals
        self._guardrails = guardrails
        self._run_config = run_config(models, settings.agent)
        self._traced = not self._run_config.tracing_disabled

    async def answer(self, job: TurnJob) -> None:
        """Answer in a turn. Raises whatever makes it fail."""
        job.turn.connect(job.translator.stream)
        try:
            await job.turn.send_early()
            if job.agent is not None:
                await self._ask(job, job.agent)
            elif job.changed:
                raise TurnFailed(CHANGED)
            else:
                await self._answer_by_hook(job)
        except GUARDRAILS as error:
            job.refusal = refusal(job.turn, error, self._guardrails, job.plan.message)
            raise
        except Exception as error:
            if not (said := [*last_words(job.turn, error)]):
                raise
            for event in said:
                await job.recorder.emit(event)
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

    async def _answer_by_hook(self, job: TurnJob) -> None:
        """Let a hook answer. One that asks the user waits for the answer, and the agent too."""
        with collecting() as wanted, suppress(Asked):
            answered = await self._hook_answer(job)
            if answered is not None:
                await self._send_all(job, *answered)
            job.note = job.turn._note
        if wanted.questions:
            job.note = None
        await self._show_questions(job, wanted.questions)

    async def _hook_answer(self, job: TurnJob) -> tuple[HookCall, Any] | None:
        """Return the call of the hook that answers in place of an agent, and its events.

        None if an action has no events, and lets the agent answer.
        """
        if isinstance(job.answer, Exception):
            raise job.answer
        if job.answer is not None:
            return job.answer
        plan = job.plan
        assert plan.action is not None
        answered = await self.hooks.first_call(
            "action", turn=job.turn, action=plan.action, item=plan.sender
        )
        if answered is None and job.turn._note is None:
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
