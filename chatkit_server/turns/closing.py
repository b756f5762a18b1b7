"""The end of a turn: save what is unfinished, tell the followers, call `post_turn`."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import cast

from agents import TResponseInputItem
from chatkit.store import NotFoundError
from chatkit.types import ThreadItemDoneEvent, ThreadItemReplacedEvent, WorkflowItem

from ..agent.invocation import GUARDRAILS
from ..agent.memory import build_memory, memory_id
from ..errors import ServerError, TakenOver, Unavailable
from ..events.settling import is_running, settled
from ..known_errors import Outage, as_server_error, told_error
from ..lines import fixed_words, user_name
from ..plugin.call import LOGGED_ALREADY
from ..plugin.calls import Hooks
from ..records import log_error, repeats
from ..tasks import contained
from ..turn import EndState, Outcome, Status, Turn
from .failures import about, explain, log_failure
from .job import TurnJob
from .registry import TurnRegistry
from .running import DELETED, RESTARTED, TAKEN_OVER, Ending
from .store import HeartbeatSignal, TurnState, TurnStore

log = logging.getLogger(__name__)


class Closing:
    """Ends turns, on every way out."""

    def __init__(self, turns: TurnRegistry, turn_store: TurnStore, hooks: Hooks) -> None:
        self._turns = turns
        self._turn_store = turn_store
        self._hooks = hooks

    async def failed(self, job: TurnJob, error: BaseException) -> Ending | None:
        """Return the ending of a turn that failed, and log why.

        An error event that was sent before says more to the user than what followed from it. A
        refusal that is shown as a message is an answer: it returns None.
        """
        if isinstance(error, NotFoundError) and await _thread_is_gone(job):
            return DELETED
        problem = explain(error)
        if job.refusal is not None and isinstance(error, GUARDRAILS):
            problem = job.refusal.problem
            if job.refusal.is_message and job.recorder.failure is None:
                _log_refusal(job, problem)
                return None
        _log_failure(job, problem, error)
        return Ending("failed", job.recorder.failure or problem)

    async def refuse(self, job: TurnJob, error: BaseException) -> None:
        """Take back a turn whose preparation failed: nothing was saved, and nothing is.

        Every plugin whose `pre_turn` was called gets one `post_turn`.
        """
        turn, problem = job.turn, explain(error)
        is_outage = isinstance(as_server_error(error), Outage)
        if is_outage:
            # Nothing was written: the client may repeat the request
            problem = Unavailable(problem.message)
        job.running.refusal = problem
        if told_error(error) is None and not isinstance(error, NotFoundError):
            _log_failure(job, problem, error)
        if job.plan.accepted is not None:
            begins_again = is_outage or job.running.ending is RESTARTED
            await (self.hand_over(job) if begins_again else self._end_refused(job, problem))
        else:
            await self._withdraw(job)
        job.recorder.log.end()
        await self._hooks.each_isolated(
            "post_turn",
            only=job.prepared_by,
            turn=turn,
            outcome=_outcome(job, "refused", problem),
        )

    async def _withdraw(self, job: TurnJob) -> None:
        turn = job.turn
        try:
            with contained():
                await self._turn_store.withdraw(turn.id, turn.store_context.attempt)
        except Exception as failure:
            # Its record still says that it runs: a sweep will withdraw it
            _log_unsaved(job, "could not be withdrawn", failure)
            self._turns.note_refused(job.running)

    async def _end_refused(self, job: TurnJob, problem: ServerError) -> None:
        """Record why an accepted turn was refused: its client asks later."""
        turn, ending = job.turn, job.running.ending
        state: TurnState = ending.status if ending is not None else "failed"
        try:
            with contained():
                attempt = turn.store_context.attempt
                await self._turn_store.end(turn.id, attempt, state, str(problem.message))
        except Exception as failure:
            # Its record still says that it runs: a sweep will begin it again
            _log_unsaved(job, "its end could not be recorded", failure)

    async def hand_over(self, job: TurnJob) -> None:
        """Leave an accepted turn, of which nothing is saved, to the next sweep of any process."""
        turn = job.turn
        try:
            with contained():
                await self._turn_store.release(turn.id, turn.store_context.attempt)
        except Exception as failure:
            _log_unsaved(job, "could not be handed over at once", failure)

    async def close(self, job: TurnJob, ending: Ending | None) -> None:
        """Save what is unfinished, tell the followers how the turn ended, and call `post_turn`.

        Then whoever made the log ends it: `post_turn` may still change the thread.
        """
        ending = await self._save_unfinished(job, ending)
        problem = ending.problem if ending else None
        status: EndState = ending.status if ending else "completed"
        _log_end(job, ending)
        outcome = _outcome(job, status, problem)
        job.recorder.write_end(outcome)
        job.running.settle(status, problem)
        if ending is None or not ending.lost:
            await self._hooks.each_isolated("post_turn", turn=job.turn, outcome=outcome)
            await _save_last_changes(job)

    async def _save_unfinished(self, job: TurnJob, ending: Ending | None) -> Ending | None:
        """Save what is unfinished and record the end; return how the turn ended after all."""
        if ending is not None and ending.lost:
            return ending
        turn = job.turn
        try:
            if ending is not DELETED:
                if job.refusal is not None:
                    await self._withdraw_answer(job)
                await job.recorder.close()
                if ending is not None or job.agent is not None:
                    await _stop_what_runs(job, is_cut_off=ending is not None)
                if job.refusal is not None:
                    for event in job.refusal.events():
                        await job.recorder.emit(event)
                else:
                    await self._save_memory(job, ending.problem if ending else None)
                await job.recorder.save_thread()
        except TakenOver:
            return TAKEN_OVER
        except Exception as error:
            if ending is None or ending.status != "failed" or isinstance(error, NotFoundError):
                ending = await self.failed(job, error)
            elif explain(error).message != ending.problem.message:
                _log_unsaved(job, "the rest of its answer could not be saved", error)
        if ending is DELETED:
            job.recorder.discard()
        try:
            state: TurnState = ending.status if ending else "completed"
            error_message = str(ending.problem.message) if ending else None
            attempt = turn.store_context.attempt
            summary = None if ending is DELETED else job.partial().summary().dump()
            with contained():
                ended = await self._turn_store.end(turn.id, attempt, state, error_message, summary)
            if not ended:
                return TAKEN_OVER
        except Exception as error:
            # Its record still says that it runs: a sweep will end it
            _log_unsaved(job, "its end could not be recorded", error)
        return ending

    async def take_over(self, job: TurnJob) -> None:
        """Have a run that goes on be a part of this turn, for its memory.

        What was decided is saved. The turn store learns of the rest before anything runs, so that
        a recovery knows of the calls that began.
        """
        assert job.paused is not None
        job.entries += cast(list[TResponseInputItem], job.paused.entries)
        job.translator.messages += job.paused.messages
        job.shows += job.paused.shows
        with contained():
            await self._turn_store.beat([self._beat(job)])

    def _beat(self, job: TurnJob) -> HeartbeatSignal:
        attempt = job.turn.store_context.attempt
        return HeartbeatSignal(job.turn.id, attempt, job.partial().dump())

    async def _withdraw_answer(self, job: TurnJob) -> None:
        """Take back what a guardrail refused.

        The turn store learns of it first, so that a recovery brings nothing back.
        """
        job.forget_answer()
        try:
            with contained():
                await self._turn_store.beat([self._beat(job)])
        except Exception as error:
            _log_unsaved(job, "a withdrawn answer could not be noted", error)
        await job.recorder.withdraw()

    async def _save_memory(self, job: TurnJob, problem: ServerError | None) -> None:
        """Save what only the model must see again, and a note if the answer has no end."""
        said_something = bool(job.entries or job.translator.messages or job.recorder.tools)
        waiting = [call.unrun for call in job.waiting]
        memory = build_memory(
            job.turn.id,
            job.memory_model,
            job.entries,
            job.translator.messages,
            [*job.recorder.tools, *waiting],
            cut_off=problem.message if problem and said_something else None,
            agent=job.agent_name,
            note_agent=job.note_agent and job.runner.cast.must_note(job.agent_name),
            shows=[*job.shows, *job.runner.shown.workflows],
        )
        if memory is not None:
            item = memory.as_item(job.turn.thread.id)
            await job.recorder.emit(ThreadItemDoneEvent.model_construct(item=item))
            await _forget_paused(job)


async def _forget_paused(job: TurnJob) -> None:
    """Remove what was kept of a run that has gone on: the memory of this turn has it all."""
    if job.paused is None:
        return
    thread_id, context = job.turn.thread.id, job.turn.store_context
    try:
        for item_id in (memory_id(job.paused.turn_id), job.paused.id):
            with suppress(NotFoundError):
                await job.recorder.store.delete_thread_item(thread_id, item_id, context)
    except Exception as error:
        # It is not read any more
        _log_unsaved(job, "a run that went on could not be removed", error)


async def _stop_what_runs(job: TurnJob, is_cut_off: bool) -> None:
    """Show nothing that was saved as in progress.

    If the turn was not cut off, these are the tasks of ended workflows: their tools have failed.
    Other items may be finished later, such as by an action. Where a hook answered, it knows best.
    """
    for item in [item for item in job.recorder.saved if is_running(item)]:
        if is_cut_off or (isinstance(item, WorkflowItem) and item.workflow.summary is not None):
            await job.recorder.emit(ThreadItemReplacedEvent.model_construct(item=settled(item)))


async def _save_last_changes(job: TurnJob) -> None:
    """Save what `post_turn` has changed in the thread."""
    try:
        await job.recorder.save_thread()
    except NotFoundError:
        log.debug("turn %s: its thread is gone", job.turn.id)
    except Exception as error:
        _log_unsaved(job, "the last changes of its thread could not be saved", error)


async def _thread_is_gone(job: TurnJob) -> bool:
    """Return whether somebody deleted the thread while the turn ran."""
    store, context = job.recorder.store, job.turn.store_context
    try:
        with contained():
            thread: object = await store.load_thread(job.turn.thread.id, context)
        return thread is None
    except NotFoundError:
        return True
    except Exception as error:
        _log_unsaved(job, "its thread could not be loaded", error)
    return False


def _log_failure(job: TurnJob, problem: ServerError, error: BaseException) -> None:
    turn = job.turn
    log_failure(turn.id, problem, error, model=job.model, user=_user(turn))


def _log_refusal(job: TurnJob, problem: ServerError) -> None:
    assert job.refusal is not None
    log.info(
        "turn %s: answered with the words of the guardrail %s: %s (%s)",
        job.turn.id,
        job.refusal.guardrail,
        problem.message,
        "; ".join(about(job.model, _user(job.turn))),
    )


def _log_unsaved(job: TurnJob, what: str, error: Exception) -> None:
    """Log that a store has failed; whatever fails for the same reason is one cause."""
    reason = error.message if isinstance(error, ServerError) else type(error).__name__
    log_error(
        log,
        logging.DEBUG if isinstance(error, LOGGED_ALREADY) else logging.WARNING,
        error,
        f"turn %s: {what}",
        job.turn.id,
        extra=repeats(fixed_words(reason), f"turn: {what}", job.turn.id),
    )


def _user(turn: Turn) -> str:
    return user_name(turn.user.tenant, turn.user.id)


def _log_end(job: TurnJob, ending: Ending | None) -> None:
    turn = job.turn
    if ending is None:
        log.debug("turn %s completed after %.1f s", turn.id, turn.seconds)
        return
    # `failed` has logged why, unless a limit of the turn ended it
    logged = ending.status == "failed" and ending is not job.running.ending
    level = logging.DEBUG if logged else logging.INFO
    message = ending.problem.message
    model = job.model
    extra = {}
    if ending.status != "cancelled":
        extra = repeats(f"{fixed_words(message)} {model}", f"turn {ending.status}", turn.id)
    log.log(
        level,
        "turn %s %s after %.1f s: %s (%s)",
        turn.id,
        ending.status,
        turn.seconds,
        message,
        "; ".join(about(model, _user(turn))),
        extra=extra,
    )


def _outcome(job: TurnJob, status: Status, problem: ServerError | None) -> Outcome:
    return Outcome(
        status=status,
        seconds=job.turn.seconds,
        items=job.recorder.saved,
        tools=job.recorder.tools,
        usage=job.usage,
        model=job.model,
        error=problem.message if problem else None,
        allow_retry=problem.allow_retry if problem else False,
        first_token=job.recorder.first_token,
        code=problem.code if problem else "custom",
        agent=job.agent_name,
        guardrail=job.refusal.guardrail if job.refusal is not None else None,
        waiting=[call.tool_call for call in job.waiting],
    )
