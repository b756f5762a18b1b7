"""Claim a thread for a turn: in this process, and in the turn store for all others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from ..errors import Conflict, Unavailable
from ..events.shared import EventLog, NoEventLog
from ..settings.schema import TurnSettings
from ..tasks import run_to_completion
from ..turn import User
from ..words import words
from .identity import RequestIdentity
from .job import TurnJob, TurnPlan, model_name
from .registry import BUSY, TurnRegistry, key_is_taken
from .running import RunningTurn
from .store import TurnRecord, TurnStore

ENDED_WELL = ("completed", "failed", "cancelled")
OTHER_PROCESS_TIMEOUT = 30.0
"""Seconds to wait for another process to end its turn in the same thread."""
OTHER_PROCESS_POLL = 0.1
"""Seconds between two looks whether it has."""


class NotYet(Exception):
    """An accepted turn may not begin yet: another one runs in its thread, or comes first."""


class StartedElsewhere(Exception):
    """Another process has begun, or accepted, a turn for the same request meanwhile."""

    def __init__(self, record: TurnRecord) -> None:
        super().__init__(record.id)
        self.record = record


class Claims:
    """Which request may start a turn, and when."""

    def __init__(
        self,
        turns: TurnRegistry,
        turn_store: TurnStore,
        settings: TurnSettings,
        events: EventLog | None = None,
    ) -> None:
        self._turns = turns
        self._turn_store = turn_store
        self._settings = settings
        self._events = events or NoEventLog()

    async def repeated(
        self, identity: RequestIdentity, user: User
    ) -> tuple[RunningTurn | TurnRecord, int] | None:
        """Return the turn that an equal request started, and the last event the client has seen.

        It is a record if another process runs it, or if its events are not kept any more. Raises
        `Conflict` for one that nobody knows: it is not started again. Raises `Unprocessable` if
        another request used the same key.
        """
        known = self._turns.repeated(identity, user)
        if known is not None:
            return known
        record: TurnRecord | None = None
        number = 0
        if identity.last_event is not None:
            number = identity.last_event[1]
            record = await self._turn_store.find(identity.last_event[0], user)
        if record is None and identity.request is not None:
            number = 0
            record = await self._turn_store.find_by_request(
                identity.request, user, self._settings.repeat
            )
            if record is not None and not self.is_repeated_by(identity, record):
                record = None
        if record is not None:
            return record, number
        if identity.last_event is None:
            return None
        raise Conflict(
            words(
                "This message was sent before, and the connection to its answer was lost. Reload "
                "the conversation to see what was saved."
            )
        )

    def is_repeated_by(self, identity: RequestIdentity, record: TurnRecord) -> bool:
        """Whether a request repeats that of a turn which has the same key or body.

        The same words may be said again: without a key, only a running turn is joined, and what
        runs here was asked before. Raises `Unprocessable` if another request used the same key.
        """
        if identity.key is None:
            here = self._turns.find(record.id, record.user)
            return record.state not in ENDED_WELL and here is None
        if record.content not in (None, identity.content):
            raise key_is_taken()
        return True

    def repeat_of(self, identity: RequestIdentity) -> float:
        """Return the seconds for which a turn that has ended is repeated by its request."""
        return self._settings.repeat if identity.key else 0.0

    async def claim(
        self,
        plan: TurnPlan,
        make_job: Callable[[bool], Awaitable[TurnJob]],
        identity: RequestIdentity,
    ) -> tuple[TurnJob, bool]:
        """Wait for the plan's thread; return the job that now owns it, and whether the client left.

        A turn beside others does not wait. `make_job(changed)` makes the job; `changed` says that
        another turn ran in the thread since the plan was made. A claim that was written down is
        returned even if the client left meanwhile: otherwise nobody would work at the turn, and the
        thread would stay locked until a sweep. Raises what `TurnRegistry.claim` raises, and
        `Conflict` or `Unavailable` where another process does not end its turn. Raises `NotYet` for
        an accepted turn, and `StartedElsewhere` if another process got the same request.
        """
        waited = await self._turns.claim(
            plan.thread.id,
            plan.user,
            beside=plan.beside,
            patient=plan.patient,
            accepted=plan.accepted is not None,
        )
        try:
            if plan.accepted is not None and self._turns.overtaken(plan.thread.id):
                # Its user has said something meanwhile
                raise NotYet
            job = await make_job(waited)
            deadline = time.monotonic() + OTHER_PROCESS_TIMEOUT
            while True:
                other, client_left = await self._write_down(job, identity, plan)
                if other is None:
                    return job, client_left
                if client_left:
                    raise asyncio.CancelledError
                if plan.accepted is not None:
                    raise NotYet
                if identity.request is not None and other.request == identity.request:
                    if self.is_repeated_by(identity, other):
                        raise StartedElsewhere(other)
                    # The same words once more, for a turn of their own
                    identity = RequestIdentity()
                    continue
                with self._waiting(plan):
                    await self._wait_for_other_process(other, deadline, plan.patient)
                job = await make_job(True)
        except BaseException:
            self._turns.release(plan.thread.id, beside=plan.beside)
            raise

    async def _write_down(
        self, job: TurnJob, identity: RequestIdentity, plan: TurnPlan
    ) -> tuple[TurnRecord | None, bool]:
        """Record that the turn runs; return the turn that another process has in its thread, if
        any, and whether the client left meanwhile."""
        turn = job.turn
        record = TurnRecord(
            turn.id,
            turn.thread.id,
            turn.user,
            turn.operation,
            model_name(turn),
            identity.request,
            identity.content,
            attempt=1 if plan.accepted is None else plan.accepted.attempt,
            partial=job.partial().dump(),
            beside=plan.beside,
        )
        other: TurnRecord | None = None

        async def begin() -> None:
            nonlocal other
            if plan.accepted is not None:
                other = await self._turn_store.begin_accepted(record)
            else:
                other = await self._turn_store.begin(record, self.repeat_of(identity))

        client_left = await run_to_completion(begin())
        return other, client_left

    @contextmanager
    def _waiting(self, plan: TurnPlan) -> Iterator[None]:
        """Lend the request's context to whoever recovers the turn that it waits for."""
        place = plan.user.tenant, plan.user.id, plan.thread.id
        self._turns.waiting[place] = plan.context
        try:
            yield
        finally:
            self._turns.waiting.pop(place, None)

    async def _wait_for_other_process(
        self, other: TurnRecord, deadline: float, patient: bool
    ) -> None:
        """Wait until another process has ended its turn, or a sweep has in its place."""
        if self._settings.when_busy == "reject":
            raise Conflict(BUSY)
        interrupts = self._settings.when_busy == "interrupt" and not patient
        heard = False
        while await self._turn_store.running(other.thread_id, other.user) is not None:
            if interrupts:
                heard = heard or await self._events.signal(other.id, "cancel")
                await self._turn_store.cancel(other.id, other.user)
            self._turns.refuse_if_deleting(other.thread_id)
            if time.monotonic() > deadline:
                raise Unavailable(BUSY, retry_after=5)
            await asyncio.sleep(OTHER_PROCESS_POLL)
