"""Turns that are written down before they run, and begin whatever happens.

A process that accepts a turn begins it as soon as its thread is free. If the process dies or stops
before the user's message is saved, another one takes the turn on, and it begins there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from chatkit.store import NotFoundError, Store
from chatkit.types import ThreadMetadata

from ..errors import NotFound, ServerError, TakenOver, TooManyRequests, Unavailable
from ..events.wire import WireFormat
from ..ids import new_id
from ..known_errors import Outage, as_server_error
from ..lines import fixed_words
from ..records import log_error, repeats
from ..tasks import contained, run_to_completion
from ..turn import StoreContext, User
from ..words import words
from .accepted import AcceptedRequest, AcceptedTurn, Sender
from .admission import Admission
from .claim import NotYet, StartedElsewhere
from .engine import Engine
from .failures import explain
from .identity import RequestIdentity
from .job import TurnPlan
from .running import HANDED_OVER, RESTARTED, Ending, RunningTurn
from .store import TurnRecord
from .writable import require_writable

log = logging.getLogger(__name__)

POLL = 0.2
"""Seconds between two looks whether a thread is free."""

RETRY = 1.0
"""Seconds until what is away is asked again."""

MOST_BEGINNINGS = 10
"""Processes that may die with a turn before its message is saved: it may be what kills them."""

MakeWire = Callable[[str], WireFormat]
"""Makes the wire format of a turn in the thread of this id."""


class AcceptedTurns:
    """The accepted turns of one application. `make_wire` makes the format of their events."""

    def __init__(self, engine: Engine, store: Store[StoreContext], make_wire: MakeWire) -> None:
        self._engine = engine
        self._turns = engine.turns
        self._turn_store = engine.turn_store
        self._store = store
        self._make_wire = make_wire
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Leave what has not begun to others when the block ends."""
        try:
            yield
        finally:
            self._turns.hand_over()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def accept(
        self, make_plan: Callable[[], Awaitable[TurnPlan]], identity: RequestIdentity, user: User
    ) -> AcceptedTurn:
        """Write a turn down, and have it begin as soon as its thread is free.

        Raises what refuses a message before anything is saved, what the turn store raises, and
        `StartedElsewhere` if another process has got the same request meanwhile.
        """
        plan = await self._engine.plan_accepted(make_plan, user)
        assert plan.message is not None
        owner = user.tenant, user.id
        self._turns.refuse_to_accept(plan.thread.id, user)
        admission = Admission()
        await admission.ask(self._engine.hooks, plan)
        try:
            self._turns.places.take(owner)
        except BaseException as error:
            await admission.end(error)
            raise
        new = plan.thread if plan.new_thread else None
        request = AcceptedRequest(
            message=plan.message, thread=new, locale=plan.locale, name=user.name
        )
        record = TurnRecord(
            new_id("turn"),
            plan.thread.id,
            user,
            plan.operation,
            plan.message.inference_options.model or self._engine.settings.agent.model,
            identity.request,
            identity.content,
            state="accepted",
            accepted=request.dump(),
        )
        claims = self._engine.claims
        other: TurnRecord | None = None

        async def write() -> None:
            nonlocal other
            other = await self._turn_store.accept(record, claims.repeat_of(identity))

        try:
            client_left = await run_to_completion(write())
            if other is not None and claims.is_repeated_by(identity, other):
                raise StartedElsewhere(other)
        except BaseException as error:
            self._turns.places.leave(owner)
            await admission.end(error)
            raise
        sender = Sender(user, plan.context, plan.request)
        accepted = self._start(record, request, sender, admission)
        if client_left:
            raise asyncio.CancelledError
        return accepted

    def has_room(self, record: TurnRecord) -> bool:
        """Whether a turn of another process could begin in this one."""
        if record.accepted is None or self._turns.find(record.id, record.user) is not None:
            return True
        try:
            self._turns.places.check((record.user.tenant, record.user.id))
        except (Unavailable, TooManyRequests):
            return False
        return not self._turns.closing

    async def take_on(self, record: TurnRecord, given: object = None) -> bool:
        """Take on a turn that was taken over; return False if its message was saved already.

        `given` is the context of a later request of its user, if there is one. Raises what the
        store raises.
        """
        if record.accepted is None or self._turns.find(record.id, record.user) is not None:
            return False
        request = AcceptedRequest.load(record.accepted)
        if await self._is_saved(record, request, given):
            return False
        if record.state == "running" and record.attempt > MOST_BEGINNINGS:
            return False
        self._turns.places.add((record.user.tenant, record.user.id))
        self._start(record, request, Sender(context=given))
        what = "took it on: its message was not saved"
        log.info(f"turn %s: {what}", record.id, extra=repeats(what, "turn", record.id))
        return True

    async def _is_saved(self, record: TurnRecord, request: AcceptedRequest, given: object) -> bool:
        context = StoreContext(record.user, record.id, record.attempt, context=given)
        try:
            with contained():
                item: object = await self._store.load_item(
                    record.thread_id, request.message.id, context
                )
        except (NotFoundError, NotFound):
            return False
        return item is not None

    def _start(
        self,
        record: TurnRecord,
        request: AcceptedRequest,
        sender: Sender,
        admission: Admission | None = None,
    ) -> AcceptedTurn:
        began: asyncio.Future[RunningTurn | None] = asyncio.get_running_loop().create_future()
        accepted = AcceptedTurn(record, request, sender, began, admission or Admission())
        self._turns.accepted[record.id] = accepted
        task = accepted.task = asyncio.create_task(self._work(accepted), name=record.id)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._turns.closing:
            accepted.end(RESTARTED)
        return accepted

    async def _work(self, accepted: AcceptedTurn) -> None:
        """Begin a turn, and give its place back when it has ended."""
        running: RunningTurn | None = None
        try:
            running = await self._begin(accepted)
        except asyncio.CancelledError:
            await self._leave(accepted, accepted.ending or HANDED_OVER)
        except TakenOver:
            log.debug("turn %s: another process has it, or it is gone", accepted.id)
        except Exception as error:
            await self._fail(accepted, error)
        finally:
            if running is None:
                await accepted.admission.end()
            self._turns.accepted.pop(accepted.id, None)
            accepted.began.set_result(running)
        if running is not None:
            if accepted.ending is not None:
                running.end(accepted.ending)
            await running.ended()
        self._turns.places.leave(accepted.owner)

    async def _begin(self, accepted: AcceptedTurn) -> RunningTurn:
        """Return the turn once it runs. What is away is waited for."""

        async def make_plan() -> TurnPlan:
            return await self._plan(accepted)

        while True:
            try:
                with contained():
                    plan = await make_plan()
                    return await self._engine.begin(
                        plan, make_plan, accepted.identity, admission=accepted.admission
                    )
            except NotYet:
                await asyncio.sleep(POLL)
            except Exception as error:
                if not isinstance(as_server_error(error), Outage | Unavailable):
                    raise
                what = "cannot begin yet"
                again = repeats(f"{what}: {type(error).__name__}", f"turn: {what}", accepted.id)
                log_error(log, logging.WARNING, error, f"turn %s: {what}", accepted.id, extra=again)
                await asyncio.sleep(RETRY)

    async def _plan(self, accepted: AcceptedTurn) -> TurnPlan:
        """Return the plan of a turn, from what is stored now."""
        request, sender, user = accepted.request, accepted.sender, accepted.user
        context = StoreContext(user, context=sender.context)
        thread = request.thread or await self._thread(accepted, context)
        return TurnPlan(
            accepted.record.operation,
            user,
            thread,
            self._make_wire(thread.id),
            locale=request.locale,
            new_thread=request.thread is not None,
            message=request.message.model_copy(update={"created_at": datetime.now(UTC)}),
            context=sender.context,
            request=sender.request,
            accepted=accepted.record,
        )

    async def _thread(self, accepted: AcceptedTurn, context: StoreContext) -> ThreadMetadata:
        thread: ThreadMetadata | None = None
        with suppress(NotFoundError, NotFound):
            thread = await self._store.load_thread(accepted.thread_id, context)
        if thread is None:
            first = await self._turn_store.next_in(accepted.thread_id, accepted.user)
            if first is not None and first.id != accepted.id:
                # That one makes the thread
                raise NotYet
            raise NotFound(words("Conversation not found."))
        require_writable(thread)
        return thread

    async def _leave(self, accepted: AcceptedTurn, ending: Ending) -> None:
        """Record the end of a turn that does not begin, or leave it to others."""
        if ending.lost and ending is not HANDED_OVER:
            return
        record = accepted.record
        try:
            if ending in (HANDED_OVER, RESTARTED):
                await self._turn_store.release(record.id, record.attempt)
                return
            message = str(ending.problem.message)
            await self._turn_store.end(record.id, record.attempt, ending.status, message)
            log.info("turn %s %s before it began: %s", record.id, ending.status, message)
        except Exception as error:
            # It is stale after a while, and taken on
            _log_unrecorded(accepted, error)

    async def _fail(self, accepted: AcceptedTurn, error: Exception) -> None:
        """Record why a turn cannot begin."""
        problem, record = explain(error), accepted.record
        what = "could not begin"
        again = repeats(f"{what}: {fixed_words(problem.message)}", f"turn: {what}", record.id)
        level = logging.INFO if isinstance(error, ServerError) else logging.ERROR
        log_error(log, level, error, f"turn %s: {what}", record.id, extra=again)
        try:
            await self._turn_store.end(record.id, record.attempt, "failed", str(problem.message))
        except Exception as failure:
            _log_unrecorded(accepted, failure)


def _log_unrecorded(accepted: AcceptedTurn, error: Exception) -> None:
    what = "what became of it could not be recorded"
    again = repeats(f"{what}: {type(error).__name__}", f"turn: {what}", accepted.id)
    log_error(log, logging.WARNING, error, f"turn %s: {what}", accepted.id, extra=again)
