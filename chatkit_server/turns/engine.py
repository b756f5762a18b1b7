"""One turn, top to bottom."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from copy import copy

from agents import Agent, Runner, TResponseInputItem
from chatkit.store import Store
from chatkit.types import (
    ClientToolCallItem,
    StreamOptions,
    StreamOptionsEvent,
    ThreadCreatedEvent,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    UserMessageItem,
)

from ..agent.fast.first_answer import ask_model, can_skip_run
from ..agent.history import build_memory, load_history, to_input
from ..agent.models import ModelRouter, choose_model, model_settings, own_settings
from ..agent.runner import TRIPWIRES, AgentRunner, as_changed, instructions, run_config
from ..agent.stream import EventTranslator
from ..errors import Conflict, ServerError, TakenOver, TooLarge, TurnFailed, Unavailable
from ..events.log import MemoryEventLog
from ..events.recorder import Recorder, as_thread
from ..events.wire import dump
from ..ids import current_turn
from ..mcp.manager import McpManager
from ..plugin.calls import Hooks
from ..settings.schema import Settings
from ..tasks import run_to_completion
from ..turn import Outcome, StoreContext, Turn, User
from .failures import explain
from .identity import RequestIdentity
from .job import TurnJob, TurnPlan, choose_tool, client_tool_call, each, model_name, stop
from .registry import TurnRegistry
from .running import STOPPED, TAKEN_OVER, Ending, RunningTurn
from .store import TurnRecord, TurnState, TurnStore

log = logging.getLogger(__name__)


BUSY = "An answer is still being written in this conversation."
ENDED_WELL = ("completed", "failed", "cancelled")
ELSEWHERE = 30.0
"""Seconds to wait for another process to end its turn in the same thread."""


class Engine:
    """Runs the turns of one application."""

    def __init__(
        self,
        settings: Settings,
        hooks: Hooks,
        store: Store[StoreContext],
        turn_store: TurnStore,
        models: ModelRouter,
        servers: McpManager,
    ) -> None:
        self.settings = settings
        self.hooks = hooks
        self.store = store
        self.turn_store = turn_store
        self.servers = servers
        self.models = models
        self.turns = TurnRegistry(settings.turns)
        # To make one looks through all its annotations: it is done once, and copied for each turn
        self._agent: Agent[Turn] = Agent(
            name=settings.agent.name, model_settings=model_settings(settings.agent)
        )
        self._run_config = run_config(models, settings.agent)
        self._traced = not self._run_config.tracing_disabled

    async def start(
        self, make_plan: Callable[[], Awaitable[TurnPlan]], identity: RequestIdentity
    ) -> RunningTurn:
        """Begin a turn. Every error here is a status: nothing has been said yet.

        The plan is made again if another turn changed the thread meanwhile.
        """
        plan = await make_plan()
        _refuse_if_long(plan.message, self.settings.turns.limits.message)
        waited = await self.turns.claim(plan.thread.id, plan.user)
        try:
            job = await self._ready(await make_plan() if waited else plan)
            deadline = time.monotonic() + ELSEWHERE
            while (other := await self._register(job, identity.request)) is not None:
                await self._wait_for_other_process(other, deadline)
                job = await self._ready(await make_plan())
        except BaseException:
            self.turns.release(plan.thread.id)
            raise
        running = RunningTurn(job.turn, job.recorder.log, self.settings.turns, identity)
        running.partial = job.partial
        running.is_idle = lambda: not job.runner.busy
        job.running = running
        self.turns.start(running, self._run(job))
        if job.client_gone:
            running.start_grace()
            raise asyncio.CancelledError
        return running

    async def repeated(
        self, identity: RequestIdentity, user: User
    ) -> tuple[RunningTurn, int] | None:
        """Return the turn that an equal request began, and the last event the client has seen.

        Raises `Conflict` for a turn that began in another process or is not known any more: it is
        not begun again, and its events are not here.
        """
        known = self.turns.repeated(identity, user)
        if known is not None:
            return known
        record: TurnRecord | None = None
        if identity.last_event is not None:
            record = await self.turn_store.find(identity.last_event[0], user)
        if record is None and identity.request is not None:
            seconds = self.settings.turns.repeat
            record = await self.turn_store.asked(identity.request, user, seconds)
            if record is not None and identity.key is None and self._is_over(record):
                # The same words once more: without a key, only a running turn is joined
                record = None
        if record is None and identity.last_event is None:
            return None
        raise Conflict(
            "This was asked before, and the answer was cut off from here. Reload the conversation "
            "to see what was saved."
        )

    def _is_over(self, record: TurnRecord) -> bool:
        """Whether an equal body is no repetition any more; here, that was looked at before."""
        here = self.turns.find(record.id, record.user)
        return record.state in ENDED_WELL or here is not None

    async def _register(self, job: TurnJob, request: str | None) -> TurnRecord | None:
        """Note that the turn runs; return the one that another process has in its thread, if so.

        What is noted begins, even if the client goes meanwhile: else nobody would work at it, and
        the thread would be locked until a sweep.
        """
        turn = job.turn
        record = TurnRecord(
            turn.id,
            turn.thread.id,
            turn.user,
            turn.operation,
            model_name(turn),
            request,
            partial=job.partial().dump(),
        )
        other: TurnRecord | None = None

        async def begin() -> None:
            nonlocal other
            other = await self.turn_store.begin(record)

        job.client_gone = await run_to_completion(begin())
        if job.client_gone and other is not None:
            raise asyncio.CancelledError
        return other

    async def _wait_for_other_process(self, other: TurnRecord, deadline: float) -> None:
        """Wait until another process has ended its turn, or a sweep has in its place."""
        if self.settings.turns.when_busy == "reject":
            raise Conflict(BUSY)
        while await self.turn_store.running(other.thread_id, other.user) is not None:
            if self.settings.turns.when_busy == "interrupt":
                await self.turn_store.cancel(other.id, other.user)
            if time.monotonic() > deadline:
                raise Unavailable(BUSY, retry_after=5)
            await asyncio.sleep(0.2)

    async def _ready(self, plan: TurnPlan) -> TurnJob:
        job = self._new_job(plan)
        if plan.action is None:
            await self._prepare(job)
        return job

    def _new_job(self, plan: TurnPlan) -> TurnJob:
        turn = Turn(
            thread=plan.thread,
            store=self.store,
            request_context=StoreContext(plan.user),
            user=plan.user,
            operation=plan.operation,
            message=plan.message,
            locale=plan.locale,
            # A copy costs less than new ones, which are validated
            model_settings=copy(self._agent.model_settings),
        )
        turn.request_context = StoreContext(plan.user, turn.id, attempt=1)
        # The turn's task, and all that it starts, inherit it
        current_turn.set(turn.id)
        limits = self.settings.turns.limits
        event_log = MemoryEventLog(turn.id)
        recorder = Recorder(turn, self.store, self.hooks, event_log, plan.wire, limits.answer)
        recorder.supersede(plan.superseded or [])
        turn.connect(recorder.emit)
        translator = EventTranslator(turn, recorder)
        runner = AgentRunner(
            turn, self.hooks, self.servers, recorder.tool, limits, self.models, translator
        )
        return TurnJob(plan, turn, recorder, translator, runner)

    async def _prepare(self, job: TurnJob) -> None:
        """Let `agent` and `pre_turn` decide what will answer, and with what in mind."""
        turn = job.turn
        picked = choose_model(turn, self.settings.agent)
        given: Agent[Turn] | None = await self.hooks.first("agent", turn=turn)
        agent = given or self._default_agent(turn)
        turn.model = picked or agent.model or self.settings.agent.model
        turn.instructions = agent.instructions if isinstance(agent.instructions, str) else None
        turn.model_settings = own_settings(given) if given else copy(agent.model_settings)
        turn.tools = list(agent.tools)
        turn.mcp_servers = [*agent.mcp_servers, *self.servers.servers]
        turn.input = await self._input(job.plan, turn)
        await self.hooks.each("pre_turn", turn=turn)
        job.agent = await job.runner.ready(as_changed(agent, turn))
        choose_tool(job.agent, turn.message, job.runner.tools_of(job.agent))

    def _default_agent(self, turn: Turn) -> Agent[Turn]:
        agent = copy(self._agent)
        agent.instructions = instructions(self.settings.agent.instructions, turn)
        return agent

    async def _input(self, plan: TurnPlan, turn: Turn) -> list[TResponseInputItem]:
        budget = self.settings.agent.history
        items = list(plan.earlier)
        if not plan.new_thread:
            again = plan.message.id if plan.message and plan.superseded is not None else None
            items += await load_history(
                self.store, turn.request_context, turn.thread.id, budget, until=again
            )
        if plan.replaced is not None:
            items = [plan.replaced if i.id == plan.replaced.id else i for i in items]
        if plan.message is not None:
            items.append(plan.message)
        return await to_input(items, model_name(turn), budget)

    async def _run(self, job: TurnJob) -> None:
        ending: Ending | None = None
        try:
            await self._open(job)
            if job.running.ending or self.turns.overtaken(job.turn.thread.id):
                raise asyncio.CancelledError
            await self._answer(job)
        except asyncio.CancelledError:
            ending = job.running.ending or STOPPED
        except TakenOver:
            ending = TAKEN_OVER
        except Exception as error:
            ending = _failed(job, error)
        try:
            await run_to_completion(self._close(job, ending))
        finally:
            job.recorder.log.end()
            job.runner.dismiss()

    async def _open(self, job: TurnJob) -> None:
        """Save what the user said, and say that an answer is coming."""
        plan, emit = job.plan, job.recorder.emit
        if plan.new_thread:
            await self.store.save_thread(plan.thread, job.turn.request_context)
            await emit(ThreadCreatedEvent.model_construct(thread=as_thread(plan.thread)))
        for item in plan.earlier:
            await emit(ThreadItemDoneEvent.model_construct(item=item))
        if plan.message is not None and plan.superseded is None:
            for attachment in plan.message.attachments:
                await self.store.save_attachment(attachment, job.turn.request_context)
            await emit(ThreadItemDoneEvent.model_construct(item=plan.message))
        await emit(StreamOptionsEvent(stream_options=StreamOptions(allow_cancel=True)))
        if isinstance(plan.replaced, ClientToolCallItem):
            await job.recorder.keep(plan.replaced)
        elif plan.replaced is not None:
            await emit(ThreadItemReplacedEvent.model_construct(item=plan.replaced))

    async def _answer(self, job: TurnJob) -> None:
        if job.agent is None:
            await self._act(job)
            return
        turn = job.turn
        if await self._answer_without_run(job, job.agent):
            return
        job.result = Runner.run_streamed(
            job.agent,
            turn.input,
            context=turn,
            max_turns=self.settings.agent.max_turns,
            run_config=self._run_config,
        )
        direct = False
        try:
            async for event in job.result.stream_events():
                if event.type == "raw_response_event":
                    if not direct:
                        await job.translator.event(event.data)
                elif event.type == "run_item_stream_event":
                    job.entries.append(event.item.to_input_item())
                else:
                    direct = job.runner.uses_fast_path(event.new_agent)
        except TRIPWIRES:
            await job.translator.withdraw()
            job.entries.clear()
            raise
        finally:
            await stop(job.result)
        if turn.client_tool_call is not None:
            await job.recorder.emit(ThreadItemDoneEvent.model_construct(item=client_tool_call(job)))

    async def _answer_without_run(self, job: TurnJob, agent: Agent[Turn]) -> bool:
        """Ask the model once, where that needs no run; return whether it has said all there is."""
        tools = job.runner.tools_of(agent)
        if (
            self._traced
            or not job.runner.uses_fast_path(agent)
            or not can_skip_run(agent, job.turn, tools)
        ):
            return False
        first_answer = await ask_model(agent, job.turn, tools)
        if first_answer.complete:
            job.first_answer = first_answer
            job.entries += first_answer.entries
        else:
            job.runner.continue_from(first_answer, agent)
        return first_answer.complete

    async def _act(self, job: TurnJob) -> None:
        plan = job.plan
        assert plan.action is not None
        events = await self.hooks.first(
            "action", turn=job.turn, action=plan.action, item=plan.sender
        )
        if events is None:
            raise TurnFailed(f"Nothing here answers the action `{plan.action.type}`.")
        async for event in each(events):
            await job.recorder.emit(event)

    async def _close(self, job: TurnJob, ending: Ending | None) -> None:
        """Save what is unfinished, tell the followers how it ended, and look back."""
        recorder, turn = job.recorder, job.turn
        ending = await self._save_unfinished(job, ending)
        problem = ending.problem if ending else None
        job.running.problem = problem
        job.running.status = ending.status if ending else "completed"
        outcome = Outcome(
            status=job.running.status,
            seconds=turn.seconds,
            items=recorder.saved,
            tools=recorder.tools,
            usage=job.usage,
            model=model_name(turn),
            error=problem.message if problem else None,
            allow_retry=problem.allow_retry if problem else False,
            first_token=recorder.first_token,
        )
        recorder.end(outcome)
        if ending is None or not ending.lost:
            await self.hooks.each_alone("post_turn", turn=turn, outcome=outcome)

    async def _save_unfinished(self, job: TurnJob, ending: Ending | None) -> Ending | None:
        """Save what is unfinished and note the end; return how the turn ended after all."""
        if ending is not None and ending.lost:
            return ending
        turn = job.turn
        try:
            await job.recorder.close()
            await self._save_memory(job, ending.problem if ending else None)
        except TakenOver:
            return TAKEN_OVER
        except Exception as error:
            ending = _failed(job, error)
        try:
            state: TurnState = ending.status if ending else "completed"
            error_message = ending.problem.message if ending else None
            attempt = turn.request_context.attempt
            if not await self.turn_store.end(turn.id, attempt, state, error_message):
                return TAKEN_OVER
        except Exception as error:
            # Its record still says that it runs: a sweep will end it
            log.warning("turn %s: its end could not be written down: %r", turn.id, error)
        return ending

    async def _save_memory(self, job: TurnJob, problem: ServerError | None) -> None:
        said_something = bool(job.entries or job.translator.messages or job.recorder.tools)
        memory = build_memory(
            job.turn.id,
            model_name(job.turn),
            job.entries,
            job.translator.messages,
            job.recorder.tools,
            cut_off=problem.message if problem and said_something else None,
        )
        if memory is not None:
            item = memory.as_item(job.turn.thread.id)
            await job.recorder.emit(ThreadItemDoneEvent.model_construct(item=item))


def _refuse_if_long(message: UserMessageItem | None, limit: int) -> None:
    size = len(dump(message)) if message else 0
    if size > limit:
        raise TooLarge(f"The message has {size} bytes, and {limit} are allowed. Send less at once.")


def _failed(job: TurnJob, error: Exception) -> Ending:
    problem = explain(error)
    log.warning("turn %s failed: %s", job.turn.id, problem.message, exc_info=error)
    return Ending("failed", problem)
