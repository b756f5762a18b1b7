"""The turns of other processes, as this one finds, follows and ends them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import aclosing, contextmanager

from chatkit.store import Store

from ..errors import Unavailable
from ..events.shared import EventLog
from ..events.wire import Translate
from ..records import log_error, repeats
from ..settings.schema import TurnSettings
from ..turn import StoreContext, User
from ..turns.registry import RESTARTING
from ..turns.running import too_many_followers
from ..turns.store import TurnRecord, TurnStore
from .mirror import FollowedElsewhere, Mirror, moved_is_a_status
from .saved import SavedTurn, Show, load_turn, partial_of
from .telling import WireOf

CANCEL_WAIT = 10.0
"""Seconds to wait for another process to end its turn."""

POLL = 0.05
"""Seconds between two looks whether it has."""

VISITS_IN_GRACE = 3
"""How often the process of a turn hears within `turns.disconnect.grace` that it is followed."""

VISIT = 3.0
"""Seconds for which a turn store keeps a visit: some heartbeats."""

log = logging.getLogger(__name__)


class TurnsElsewhere:
    """Follows and ends turns that other processes run, or ran.

    The event log carries what is live; without one, the turn store does so once a second.
    """

    def __init__(
        self,
        events: EventLog,
        turn_store: TurnStore,
        store: Store[StoreContext],
        settings: TurnSettings,
        make_wire: WireOf,
        show: Show,
    ) -> None:
        self.events = events
        self._turn_store = turn_store
        self._store = store
        self._settings = settings
        self._make_wire = make_wire
        self._show = show
        self._mirrors: dict[str, Mirror] = {}
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}
        self._closed = False

    @contextmanager
    def following(
        self, record: TurnRecord, context: StoreContext, translate: Translate, after: int = 0
    ) -> Iterator[FollowedElsewhere]:
        """Follow a turn while the block runs. `context` is that of the client's request.

        Questions up to event `after` were asked before. Raises `Unavailable` if too many follow it.
        """
        mirror = self._mirrors.get(record.id)
        if mirror is None:
            mirror = Mirror(
                record,
                self.events,
                self._turn_store,
                self._store,
                self._make_wire,
                self._show,
                after,
            )
        limit = self._settings.limits.followers
        if mirror.followers >= limit:
            raise too_many_followers(limit)
        if self._closed:
            raise Unavailable(RESTARTING, retry_after=1)
        mirror.context = context
        mirror.followers += 1
        if record.id not in self._mirrors:
            self._mirrors[record.id] = mirror
            self._tasks[record.id] = [
                asyncio.create_task(mirror.read(), name=f"mirror of {record.id}"),
                asyncio.create_task(self._visit_on(record), name=f"visits of {record.id}"),
            ]
        try:
            yield FollowedElsewhere(mirror, translate)
        finally:
            mirror.followers -= 1
            if not mirror.followers:
                del self._mirrors[record.id]
                for task in self._tasks.pop(record.id):
                    task.cancel()

    async def running(self, turn_id: str, user: User) -> TurnRecord | None:
        """Return a turn of this user that runs."""
        record = await self._turn_store.find(turn_id, user)
        return None if record is None or record.is_over else record

    async def answered(self, record: TurnRecord, event: int) -> None:
        """Tell the process of a turn that the answer to its question is in the store.

        Who follows the turn here has its events up to the question, number `event`, and stops:
        whoever has answered gets the rest.
        """
        mirror = self._mirrors.get(record.id)
        if mirror is not None:
            mirror.part(event)
        await self.events.signal(record.id, "answered")

    async def look(self, thread_id: str, user: User) -> None:
        """Note that a user looks at a thread, whose turn another process may run: it goes on."""
        if self._settings.disconnect.policy != "cancel":
            return
        record = await self._turn_store.running(thread_id, user)
        if record is not None:
            await self.visit(record, "look", self._settings.limits.turn)

    async def visit(self, record: TurnRecord, word: str, seconds: float) -> None:
        """Tell the process of a turn that its user is there: it is not to be stopped."""
        if self._settings.disconnect.policy != "cancel" or record.is_over:
            return
        try:
            if not await self.events.signal(record.id, word):
                await self._turn_store.visit(record.id, record.user, seconds)
        except Exception as error:
            what = "could not tell its process that its user is there"
            again = repeats(f"{what}: {type(error).__name__}", "turn", record.id)
            log_error(log, logging.WARNING, error, f"turn %s: {what}", record.id, extra=again)

    async def _visit_on(self, record: TurnRecord) -> None:
        if self._settings.disconnect.policy != "cancel":
            return
        while True:
            await self.visit(record, "visit", VISIT)
            await asyncio.sleep(min(1.0, self._settings.disconnect.grace / VISITS_IN_GRACE))

    async def cancel(self, record: TurnRecord, user: User) -> TurnRecord:
        """Have the process of a turn end it; return the turn as it is then, or after
        `CANCEL_WAIT`."""
        await self._turn_store.cancel(record.id, user)
        loop = asyncio.get_running_loop()
        deadline, heard = loop.time() + CANCEL_WAIT, False
        while not record.is_over and loop.time() < deadline:
            # A turn that has just begun may not be known there; the turn store carries it, too
            heard = heard or await self.events.signal(record.id, "cancel")
            await asyncio.sleep(POLL)
            record = await self._turn_store.find(record.id, user) or record
        return record

    async def whole(self, record: TurnRecord, context: StoreContext) -> SavedTurn:
        """Wait until a turn of another process has ended, and return all of it.

        It ends by its own limits, or by a recovery. Its user waits here, so it goes on. Raises
        `Unavailable` if it can't be followed, or if this process shuts down.
        """
        with self.following(record, context, str) as followed, moved_is_a_status():
            async with aclosing(followed.follow()) as frames:
                async for _ in frames:
                    pass
        found = await self._turn_store.find(record.id, record.user) or record
        return await load_turn(found, partial_of(found), self._store, context, self._show)

    def close(self) -> None:
        """Send all followers away: this process shuts down, and others go on."""
        self._closed = True
        for tasks in self._tasks.values():
            for task in tasks:
                task.cancel()
