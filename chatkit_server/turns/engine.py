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

from ..agent.fast.first_answer import may_open, open_with
from ..agent.history import load_history, remember, to_input
from ..agent.runner import (
    TRIPWIRES,
    Crew,
    Models,
    as_changed,
    choose_model,
    instructions,
    model_settings,
    own_settings,
    run_config,
)
from ..agent.stream import Translator
from ..errors import Conflict, ServerError, TakenOver, TooLarge, TurnFailed, Unavailable
from ..events.log import EventLog
from ..events.recorder import Recorder, as_thread
from ..events.wire import dump
from ..mcp.manager import McpServers
from ..plugin.discovery import Hooks
from ..settings.schema import Settings
from ..tasks import to_the_end
from ..turn import Outcome, StoreContext, Turn, User
from .failures import explain
from .running import STOPPED, TAKEN_OVER, Ending, Identity, RunningTurn, Turns
from .store import State, TurnRecord, TurnStore
from .work import Plan, Work, choose_tool, client_tool_call, each, model_name, stop

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
        models: Models,
        servers: McpServers,
    ) -> None:
        self.settings = settings
        self.hooks = hooks
        self.store = store
        self.turn_store = turn_store
        self.servers = servers
        self.models = models
        self.turns = Turns(settings.turns)
        # To make one looks through all its annotations: it is done once, and copied for each turn
        self._agent: Agent[Turn] = Agent(
            name=settings.agent.name, model_settings=model_settings(settings.agent)
        )
        self._run_config = run_config(models, settings.agent)
        self._traced = not self._run_config.tracing_disabled

    async def start(
        self, make_plan: Callable[[], Awaitable[Plan]], identity: Identity
    ) -> RunningTurn:
        """Begin a turn. Every error here is a status: nothing has been said yet.

        The plan is made again if another turn changed the thread meanwhile.
        """
        plan = await make_plan()
        _refuse_if_long(plan.message, self.settings.turns.limits.message)
        waited = await self.turns.claim(plan.thread.id, plan.user)
        try:
            work = await self._ready(await make_plan() if waited else plan)
            deadline = time.monotonic() + ELSEWHERE
            while (other := await self._write_down(work, identity.request)) is not None:
                await self._wait_elsewhere(other, deadline)
                work = await self._ready(await make_plan())
        except BaseException:
            self.turns.release(plan.thread.id)
            raise
        running = RunningTurn(work.turn, work.recorder.log, self.settings.turns, identity)
        running.partial = work.partial
        running.is_idle = lambda: not work.crew.busy
        work.running = running
        self.turns.start(running, self._run(work))
        if work.client_gone:
            running.alone()
            raise asyncio.CancelledError
        return running

    async def repeated(self, identity: Identity, user: User) -> tuple[RunningTurn, int] | None:
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

    async def _write_down(self, work: Work, request: str | None) -> TurnRecord | None:
        """Note that the turn runs; return the one that another process has in its thread, if so.

        What is noted begins, even if the client goes meanwhile: else nobody would work at it, and
        the thread would be locked until a sweep.
        """
        turn = work.turn
        record = TurnRecord(
            turn.id,
            turn.thread.id,
            turn.user,
            turn.operation,
            model_name(turn),
            request,
            partial=work.partial().dump(),
        )
        other: TurnRecord | None = None

        async def begin() -> None:
            nonlocal other
            other = await self.turn_store.begin(record)

        work.client_gone = await to_the_end(begin())
        if work.client_gone and other is not None:
            raise asyncio.CancelledError
        return other

    async def _wait_elsewhere(self, other: TurnRecord, deadline: float) -> None:
        """Wait until another process has ended its turn, or a sweep has in its place."""
        if self.settings.turns.when_busy == "reject":
            raise Conflict(BUSY)
        while await self.turn_store.running(other.thread_id, other.user) is not None:
            if self.settings.turns.when_busy == "interrupt":
                await self.turn_store.cancel(other.id, other.user)
            if time.monotonic() > deadline:
                raise Unavailable(BUSY, retry_after=5)
            await asyncio.sleep(0.2)

    async def _ready(self, plan: Plan) -> Work:
        work = self._work(plan)
        if plan.action is None:
            await self._prepare(work)
        return work

    def _work(self, plan: Plan) -> Work:
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
        limits = self.settings.turns.limits
        event_log = EventLog(turn.id)
        recorder = Recorder(turn, self.store, self.hooks, event_log, plan.wire, limits.answer)
        recorder.supersede(plan.superseded or [])
        turn.connect(recorder.emit)
        translator = Translator(turn, recorder)
        crew = Crew(turn, self.hooks, self.servers, recorder.tool, limits, self.models, translator)
        return Work(plan, turn, recorder, translator, crew)

    async def _prepare(self, work: Work) -> None:
        """Let `agent` and `pre_turn` decide what will answer, and with what in mind."""
        turn = work.turn
        picked = choose_model(turn, self.settings.agent)
        given: Agent[Turn] | None = await self.hooks.first("agent", turn=turn)
        agent = given or self._default_agent(turn)
        turn.model = picked or agent.model or self.settings.agent.model
        turn.instructions = agent.instructions if isinstance(agent.instructions, str) else None
        turn.model_settings = own_settings(given) if given else copy(agent.model_settings)
        turn.tools = list(agent.tools)
        turn.mcp_servers = [*agent.mcp_servers, *self.servers.servers]
        turn.input = await self._input(work.plan, turn)
        await self.hooks.each("pre_turn", turn=turn)
        work.agent = await work.crew.ready(as_changed(agent, turn))
        choose_tool(work.agent, turn.message, work.crew.tools_of(work.agent))

    def _default_agent(self, turn: Turn) -> Agent[Turn]:
        agent = copy(self._agent)
        agent.instructions = instructions(self.settings.agent.instructions, turn)
        return agent

    async def _input(self, plan: Plan, turn: Turn) -> list[TResponseInputItem]:
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

    async def _run(self, work: Work) -> None:
        ending: Ending | None = None
        try:
            await self._open(work)
            if work.running.ending or self.turns.overtaken(work.turn.thread.id):
                raise asyncio.CancelledError
            await self._answer(work)
        except asyncio.CancelledError:
            ending = work.running.ending or STOPPED
        except TakenOver:
            ending = TAKEN_OVER
        except Exception as error:
            ending = _failed(work, error)
        try:
            await to_the_end(self._close(work, ending))
        finally:
            work.recorder.log.end()
            work.crew.dismiss()

    async def _open(self, work: Work) -> None:
        """Save what the user said, and say that an answer is coming."""
        plan, emit = work.plan, work.recorder.emit
        if plan.new_thread:
            await self.store.save_thread(plan.thread, work.turn.request_context)
            await emit(ThreadCreatedEvent.model_construct(thread=as_thread(plan.thread)))
        for item in plan.earlier:
            await emit(ThreadItemDoneEvent.model_construct(item=item))
        if plan.message is not None and plan.superseded is None:
            for attachment in plan.message.attachments:
                await self.store.save_attachment(attachment, work.turn.request_context)
            await emit(ThreadItemDoneEvent.model_construct(item=plan.message))
        await emit(StreamOptionsEvent(stream_options=StreamOptions(allow_cancel=True)))
        if isinstance(plan.replaced, ClientToolCallItem):
            await work.recorder.keep(plan.replaced)
        elif plan.replaced is not None:
            await emit(ThreadItemReplacedEvent.model_construct(item=plan.replaced))

    async def _answer(self, work: Work) -> None:
        if work.agent is None:
            await self._act(work)
            return
        turn = work.turn
        if await self._open_with(work, work.agent):
            return
        work.result = Runner.run_streamed(
            work.agent,
            turn.input,
            context=turn,
            max_turns=self.settings.agent.max_turns,
            run_config=self._run_config,
        )
        direct = False
        try:
            async for event in work.result.stream_events():
                if event.type == "raw_response_event":
                    if not direct:
                        await work.translator.event(event.data)
                elif event.type == "run_item_stream_event":
                    work.entries.append(event.item.to_input_item())
                else:
                    direct = work.crew.is_direct(event.new_agent)
        except TRIPWIRES:
            await work.translator.withdraw()
            work.entries.clear()
            raise
        finally:
            await stop(work.result)
        if turn.client_tool_call is not None:
            await work.recorder.emit(
                ThreadItemDoneEvent.model_construct(item=client_tool_call(work))
            )

    async def _open_with(self, work: Work, agent: Agent[Turn]) -> bool:
        """Ask the model once, where that needs no run; return whether it has said all there is."""
        tools = work.crew.tools_of(agent)
        if self._traced or not work.crew.is_direct(agent) or not may_open(agent, work.turn, tools):
            return False
        opening = await open_with(agent, work.turn, tools)
        if opening.whole:
            work.opened = opening
            work.entries += opening.entries
        else:
            work.crew.begin_with(opening, agent)
        return opening.whole

    async def _act(self, work: Work) -> None:
        plan = work.plan
        assert plan.action is not None
        events = await self.hooks.first(
            "action", turn=work.turn, action=plan.action, item=plan.sender
        )
        if events is None:
            raise TurnFailed(f"Nothing here answers the action `{plan.action.type}`.")
        async for event in each(events):
            await work.recorder.emit(event)

    async def _close(self, work: Work, ending: Ending | None) -> None:
        """Save what is unfinished, tell the followers how it ended, and look back."""
        recorder, turn = work.recorder, work.turn
        ending = await self._save_the_rest(work, ending)
        problem = ending.problem if ending else None
        work.running.problem = problem
        work.running.status = ending.status if ending else "completed"
        outcome = Outcome(
            status=work.running.status,
            seconds=turn.seconds,
            items=recorder.saved,
            tools=recorder.tools,
            usage=work.usage,
            model=model_name(turn),
            error=problem.message if problem else None,
            allow_retry=problem.allow_retry if problem else False,
            first_token=recorder.first_token,
        )
        recorder.end(outcome)
        if ending is None or not ending.lost:
            await self.hooks.each_alone("post_turn", turn=turn, outcome=outcome)

    async def _save_the_rest(self, work: Work, ending: Ending | None) -> Ending | None:
        """Save what is unfinished and note the end; return how the turn ended after all."""
        if ending is not None and ending.lost:
            return ending
        turn = work.turn
        try:
            await work.recorder.close()
            await self._remember(work, ending.problem if ending else None)
        except TakenOver:
            return TAKEN_OVER
        except Exception as error:
            ending = _failed(work, error)
        try:
            state: State = ending.status if ending else "completed"
            error_message = ending.problem.message if ending else None
            attempt = turn.request_context.attempt
            if not await self.turn_store.end(turn.id, attempt, state, error_message):
                return TAKEN_OVER
        except Exception as error:
            # Its record still says that it runs: a sweep will end it
            log.warning("turn %s: its end could not be written down: %r", turn.id, error)
        return ending

    async def _remember(self, work: Work, problem: ServerError | None) -> None:
        said_something = bool(work.entries or work.translator.messages or work.recorder.tools)
        memory = remember(
            work.turn.id,
            model_name(work.turn),
            work.entries,
            work.translator.messages,
            work.recorder.tools,
            cut_off=problem.message if problem and said_something else None,
        )
        if memory is not None:
            item = memory.as_item(work.turn.thread.id)
            await work.recorder.emit(ThreadItemDoneEvent.model_construct(item=item))


def _refuse_if_long(message: UserMessageItem | None, limit: int) -> None:
    size = len(dump(message)) if message else 0
    if size > limit:
        raise TooLarge(f"The message has {size} bytes, and {limit} are allowed. Send less at once.")


def _failed(work: Work, error: Exception) -> Ending:
    problem = explain(error)
    log.warning("turn %s failed: %s", work.turn.id, problem.message, exc_info=error)
    return Ending("failed", problem)
