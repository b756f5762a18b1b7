"""The turns of this process: one answer at a time in each thread, and actions beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadRequest, Conflict, TooManyRequests, Unavailable, Unprocessable
from ..settings.schema import TurnSettings
from ..turn import User
from ..words import words, words_n
from .accepted import AcceptedTurn
from .identity import RequestIdentity
from .kept import KeptTurns
from .places import RETRY_AFTER, Places
from .running import DELETING, RESTARTED, STOPPED, Owner, RunningTurn

BUSY = words("An answer is still being written in this conversation.")

RESTARTING = words("The server is restarting. Try again in a moment.")

BEING_DELETED = words("This conversation is being deleted.")


def key_is_taken() -> Unprocessable:
    """Return the refusal of a request whose key belongs to another one."""
    return Unprocessable(
        "Idempotency-Key: another request used this key. Use a new key for each one."
    )


@dataclass
class ThreadSlot:
    """Which turn runs in a thread of a user, and how many requests have it or wait for it.

    `claims` counts both, `places` how many of the user's places they take, `interrupting` those
    that wait for the turn to be interrupted. `beside` counts the turns that run beside it, each
    with a place of its own; `alone` is set when the last one ends. `deleting` counts who empties
    the thread.
    """

    owner: Owner
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    running: RunningTurn | None = None
    claims: int = 0
    places: int = 0
    interrupting: int = 0
    beside: int = 0
    alone: asyncio.Event = field(default_factory=asyncio.Event)
    deleting: int = 0


class TurnRegistry:
    """The turns of this process: those that run, and those that ended up to `turns.keep` ago.

    A request of a user counts in `arriving` until it has claimed its thread, or waits for it. From
    then on it counts in `places`, until its turn has ended.
    """

    def __init__(self, settings: TurnSettings) -> None:
        self.closing = False
        self.when_closing: list[Callable[[], None]] = []
        """Called when the server begins to shut down."""
        self._settings = settings
        self._ending_all = False
        self._slots: dict[str, ThreadSlot] = {}
        self._vacant = asyncio.Event()
        self._vacant.set()
        self._known: dict[str, RunningTurn] = {}
        self._requests: dict[tuple[Owner, str], RunningTurn] = {}
        self._answers: dict[tuple[Owner, str], tuple[RunningTurn, int]] = {}
        self._once: dict[tuple[Owner, str], tuple[asyncio.Lock, int]] = {}
        self._tasks: dict[asyncio.Task[None], RunningTurn] = {}
        self._refused: set[str] = set()
        self._kept = KeptTurns(settings, self._forget)
        limits = settings.limits
        user = limits.user
        answers = words_n(
            "You have {n} answer running or waiting. Wait until it ends.",
            "You have {n} answers running or waiting. Wait until one of them ends.",
            user,
            n=user,
        )
        messages = words_n(
            "You sent {n} message at once. Wait until it is answered.",
            "You sent {n} messages at once. Wait until they are answered.",
            user,
            n=user,
        )
        self.places = Places(user, answers, limits.server, limits.tenant, TooManyRequests)
        self.arriving = Places(user, messages, limits.server, limits.tenant, TooManyRequests)
        self.accepted: dict[str, AcceptedTurn] = {}
        """Accepted turns that this process is to begin. Each has a place until it has ended."""
        self.waiting: dict[tuple[str, str, str], Any] = {}
        """Contexts of requests that wait for a turn of another process, by tenant, user, thread."""

    @property
    def active(self) -> list[RunningTurn]:
        """The turns whose task runs."""
        return list(self._tasks.values())

    @property
    def alive(self) -> list[RunningTurn | AcceptedTurn]:
        """The turns that this process works at, or is to begin."""
        return [*self._tasks.values(), *self.accepted.values()]

    def find(self, turn_id: str, user: User) -> RunningTurn | None:
        """Return a turn of this user, if this process still keeps it."""
        running = self._known.get(turn_id)
        return running if running and running.owner == (user.tenant, user.id) else None

    def heard(self, turn_id: str, word: str) -> None:
        """Do what another process asks of a turn: `cancel`.

        `answered` says that the answer to a question of it is in the store. `look` and `visit` say
        that its user is there: to stay, or for `turns.disconnect.grace`.
        """
        accepted = self.accepted.get(turn_id)
        if accepted is not None and word == "cancel":
            accepted.end(STOPPED)
        running = self._known.get(turn_id)
        if running is None or running.is_over:
            return
        if word == "cancel":
            running.end(STOPPED)
        elif word == "answered":
            running.live.look()
        elif word == "look":
            running.note_visit()
        elif word == "visit":
            running.visited()

    def in_thread(self, thread_id: str, user: User) -> RunningTurn | None:
        """Return the turn that runs in a thread of this user, and not beside it."""
        slot = self._slots.get(thread_id)
        running = slot.running if slot else None
        if running is None or running.owner != (user.tenant, user.id) or running.is_over:
            return None
        return running

    def repeated(self, identity: RequestIdentity, user: User) -> tuple[RunningTurn, int] | None:
        """Return the turn that an equal request started, and the last event the client has seen.

        Raises `BadRequest` for an event that has not happened yet, and `Unprocessable` if another
        request used the same key.
        """
        owner = (user.tenant, user.id)
        if identity.last_event is not None:
            turn_id, number = identity.last_event
            running = self.find(turn_id, user)
            if running is not None:
                seen = running.log.place(number)
                if seen is None:
                    raise BadRequest(f"Last-Event-ID: this turn has {len(running.log)} events.")
                return running, seen
        running = self._requests.get((owner, identity.key or ""))
        if running is not None:
            if running.identity.content != identity.content:
                raise key_is_taken()
            return running, 0
        for place in identity.places:
            if (answered := self._answers.get((owner, place))) is not None:
                return answered
        running = self._requests.get((owner, identity.body or ""))
        return (running, 0) if running is not None and self._is_fresh(running) else None

    def note_answer(self, running: RunningTurn, number: int, identity: RequestIdentity) -> None:
        """Note the request that has answered a question of a turn after this event of it."""
        for place in identity.places:
            running.answers.append(place)
            self._answers[running.owner, place] = running, number

    def _is_fresh(self, running: RunningTurn) -> bool:
        return not running.is_over and running.seconds < self._settings.repeat

    @asynccontextmanager
    async def one_at_a_time(self, identity: RequestIdentity, user: User) -> AsyncIterator[None]:
        """Let equal requests in one at a time, so that the second finds the turn of the first."""
        owner = (user.tenant, user.id)
        held: list[tuple[Owner, str]] = []
        try:
            with self.arriving.taken(owner):
                for request in identity.places:
                    await self._take_request((owner, request))
                    held.append((owner, request))
            yield
        finally:
            for place in held:
                self._once[place][0].release()
                self._leave_request(place)

    async def _take_request(self, place: tuple[Owner, str]) -> None:
        lock, waiting = self._once.get(place) or (asyncio.Lock(), 0)
        self._once[place] = lock, waiting + 1
        try:
            await lock.acquire()
        except BaseException:
            self._leave_request(place)
            raise

    def _leave_request(self, place: tuple[Owner, str]) -> None:
        lock, waiting = self._once.pop(place)
        if waiting > 1:
            self._once[place] = lock, waiting - 1

    def refuse_to_accept(self, thread_id: str, user: User) -> None:
        """Raise what `claim` raises for a turn that would wait for its thread, and `Unavailable` if
        no place is left."""
        self._refuse_if_closing()
        slot = self._slots.get(thread_id)
        accepted = sum(one.thread_id == thread_id for one in self.accepted.values())
        slot = slot or ThreadSlot((user.tenant, user.id))
        if slot.claims or slot.deleting or accepted:
            # Those that are accepted have a claim while they wait for the lock
            self._refuse_to_wait(slot, max(accepted, slot.claims - 1))
        self.places.check((user.tenant, user.id))

    async def claim(
        self,
        thread_id: str,
        user: User,
        *,
        beside: bool = False,
        patient: bool = False,
        accepted: bool = False,
    ) -> bool:
        """Lock the thread for a new turn; return whether that had to wait for another turn.

        A turn that runs `beside` others locks nothing, and does not wait. `turns.when_busy` says
        what happens to a turn that runs there; one that is `patient` does not end it. One that is
        `accepted` has its place already, and is not refused for what else waits. Raises
        `Unavailable` while the server shuts down, if the server has too many turns, or if too many
        wait for the thread; `TooManyRequests` if the user or the tenant has too many turns;
        `Conflict` if `when_busy` is `reject`, or if the thread is being deleted.
        """
        self._refuse_if_closing()
        slot = self._slots.get(thread_id) or ThreadSlot((user.tenant, user.id))
        if beside:
            self._claim_beside(thread_id, slot)
            return False
        busy = slot.claims > 0
        if busy and not accepted:
            self._refuse_to_wait(slot, slot.claims - 1)
        if self._room(slot.claims + 1) > slot.places and not accepted:
            self.places.take(slot.owner)
            slot.places += 1
        interrupts = self._settings.when_busy == "interrupt" and not patient
        if slot.running is not None and interrupts:
            slot.running.end(STOPPED)
        elif slot.running is not None and not patient:
            # The user has said something instead of an answer
            slot.running.live.leave()
        slot.interrupting += interrupts
        try:
            await self._lock(thread_id, slot)
        finally:
            slot.interrupting -= interrupts
        try:
            self._refuse_if_closing()
            self.refuse_if_deleting(thread_id)
        except BaseException:
            self.release(thread_id)
            raise
        return busy

    def _claim_beside(self, thread_id: str, slot: ThreadSlot) -> None:
        if slot.deleting:
            raise Conflict(BEING_DELETED)
        self.places.take(slot.owner)
        self._slots[thread_id] = slot
        slot.beside += 1
        slot.alone.clear()
        self._vacant.clear()

    async def _lock(self, thread_id: str, slot: ThreadSlot) -> None:
        self._slots[thread_id] = slot
        slot.claims += 1
        self._vacant.clear()
        try:
            await slot.lock.acquire()
        except BaseException:
            self._leave(thread_id, slot)
            raise

    def _room(self, claims: int) -> int:
        """Return how many of its user's places a thread takes.

        A turn that is interrupted makes room for the first request that waits.
        """
        return claims - 1 if claims > 1 and self._settings.when_busy == "interrupt" else claims

    def give_place(self, running: RunningTurn) -> None:
        """Give back the place of a turn beside others: the turn that answers for it takes one."""
        running.has_given_place = True
        self.places.leave(running.owner)

    def release(self, thread_id: str, *, beside: bool = False, has_given: bool = False) -> None:
        """Give back what `claim` took, and `give_place` did not give."""
        slot = self._slots[thread_id]
        if beside:
            slot.beside -= 1
            if not has_given:
                self.places.leave(slot.owner)
            self._tidy(thread_id, slot)
            return
        slot.running = None
        slot.lock.release()
        self._leave(thread_id, slot)

    def _leave(self, thread_id: str, slot: ThreadSlot) -> None:
        """Give back a claim."""
        slot.claims -= 1
        while slot.places > self._room(slot.claims):
            slot.places -= 1
            self.places.leave(slot.owner)
        self._tidy(thread_id, slot)

    def _tidy(self, thread_id: str, slot: ThreadSlot) -> None:
        """Tell who waits that nothing runs beside; remove a slot that nobody needs."""
        if not slot.beside:
            slot.alone.set()
        if not slot.claims and not slot.beside:
            del self._slots[thread_id]
        if not self._slots:
            self._vacant.set()

    @asynccontextmanager
    async def emptied(self, thread_id: str, user: User) -> AsyncIterator[None]:
        """Keep turns out of a thread of this user while the block runs.

        The turns that run there are ended, and requests that wait for it are refused.
        """
        slot = self._slots.get(thread_id) or ThreadSlot((user.tenant, user.id))
        slot.deleting += 1
        try:
            for running in self.active:
                if running.thread_id == thread_id:
                    running.end(DELETING)
            await self._lock(thread_id, slot)
            try:
                if slot.beside:
                    await slot.alone.wait()
                yield
            finally:
                self.release(thread_id)
        finally:
            slot.deleting -= 1

    def refuse_if_deleting(self, thread_id: str) -> None:
        """Raise `Conflict` if somebody wants the thread to be empty."""
        if self._slots[thread_id].deleting:
            raise Conflict(BEING_DELETED)

    def start(self, running: RunningTurn, work: Coroutine[Any, Any, None]) -> None:
        """Work at a turn whose thread was claimed; the thread is released when it ends.

        Before the turn is admitted it can be found by its request alone.
        """
        for place in running.identity.places:
            self._requests[running.owner, place] = running
        task = running.run(work)
        self._tasks[task] = running
        self.accepted.pop(running.id, None)
        task.add_done_callback(self._ended)
        if self._ending_all:
            running.end(RESTARTED)

    def admit(self, running: RunningTurn) -> None:
        """Let a turn that was started be found: its preparation has succeeded."""
        self._known[running.id] = running
        running.prepared()
        if not running.beside:
            self._slots[running.thread_id].running = running

    def note_refused(self, running: RunningTurn) -> None:
        """Remember a refused turn whose record is still to be withdrawn."""
        self._refused.add(running.id)

    def was_refused(self, turn_id: str) -> bool:
        """Whether a turn was refused and its record is still to be withdrawn."""
        return turn_id in self._refused

    def forget_refused(self, turn_id: str) -> None:
        """Forget a refused turn whose record is gone."""
        self._refused.discard(turn_id)

    def _ended(self, task: asyncio.Task[None]) -> None:
        running = self._tasks.pop(task)
        running.close()
        given = running.has_given_place
        self.release(running.thread_id, beside=running.beside, has_given=given)
        if running.id not in self._known:
            # The same request may be sent again
            self._forget_request(running)
            running.prepared()
            return
        self._kept.add(running)

    def _forget(self, running: RunningTurn) -> None:
        self._known.pop(running.id, None)
        self._forget_request(running)

    def _forget_request(self, running: RunningTurn) -> None:
        for place in running.identity.places:
            if self._requests.get((running.owner, place)) is running:
                del self._requests[running.owner, place]
        for place in running.answers:
            self._answers.pop((running.owner, place), None)

    def overtaken(self, thread_id: str, *, beside: bool = False) -> bool:
        """Whether another request waits to interrupt the turn in this thread, or to delete it.

        Nothing interrupts a turn that runs beside others.
        """
        slot = self._slots[thread_id]
        return (slot.interrupting > 0 and not beside) or slot.deleting > 0

    def _refuse_if_closing(self) -> None:
        if self.closing:
            raise Unavailable(RESTARTING, retry_after=RETRY_AFTER)

    def _refuse_to_wait(self, slot: ThreadSlot, waiting: int) -> None:
        if slot.deleting:
            raise Conflict(BEING_DELETED)
        if self._settings.when_busy == "reject":
            raise Conflict(BUSY)
        if waiting >= self._settings.limits.queue:
            raise Unavailable(
                words_n(
                    "{n} message waits in this conversation already. Wait until it is answered.",
                    "{n} messages wait in this conversation already. Wait until one of them is "
                    "answered.",
                    waiting,
                    n=waiting,
                ),
                retry_after=RETRY_AFTER,
            )

    async def vacant(self) -> None:
        """Wait until no turn runs."""
        await self._vacant.wait()

    def leave_questions(self) -> None:
        """Have running turns go on without the user's answer: it could not come any more."""
        for running in self.active:
            running.live.leave()

    async def close(self, drain: float) -> None:
        """Refuse new turns, give running ones `drain` seconds to end, then end them.

        Those that wait for the user's answer go on without it.
        """
        self.closing = True
        for told in self.when_closing:
            told()
        self.hand_over()
        self.leave_questions()
        try:
            async with asyncio.timeout(drain):
                await self._vacant.wait()
        except TimeoutError:
            self.end_all()
            await self._vacant.wait()

    def hand_over(self) -> None:
        """Leave accepted turns that have not begun to other processes, or to the next start."""
        for accepted in list(self.accepted.values()):
            accepted.end(RESTARTED)

    def end_all(self) -> None:
        """End the running turns, and those that begin after all."""
        self._ending_all = True
        for running in self.active:
            running.end(RESTARTED)
