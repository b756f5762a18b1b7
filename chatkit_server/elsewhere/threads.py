"""What happens in a thread: any turn of it, in any process, and what the server itself does."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, aclosing, suppress
from typing import Any

import orjson
from chatkit.store import NotFoundError, Store
from chatkit.types import (
    Thread,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadUpdatedEvent,
)

from ..errors import NotFound
from ..events.log import FrameWriter
from ..events.places import place_of_thread, read_news
from ..events.shared import EventLog
from ..events.threads import as_thread
from ..events.wire import ChatKitWire, Translate
from ..turn import StoreContext, User
from ..turns.registry import TurnRegistry
from ..turns.running import RunningTurn
from ..turns.store import TurnRecord, TurnStore
from .mirror import Moved
from .saved import Show
from .turns import TurnsElsewhere

POLL = 5.0
"""Seconds between two looks at the stores, where other processes are not heard."""

State = tuple[Thread, list[ThreadItem]] | tuple[()]
"""A thread as clients see it, and its last item; nothing of one that was deleted."""

_FULL = 100
"""Frames that wait for a client that reads slowly."""

_LAST_ID = re.compile(rb"^id: [^\n]*:(\d+)$", re.MULTILINE)

Found = RunningTurn | TurnRecord

Describe = Callable[[Found], Mapping[str, Any]]
"""Says of a turn what clients are told of it."""


class ThreadNews:
    """The news of a thread while the block runs, each with the id of what it is about.

    They are heard at once; where those of other processes are not, the stores are asked for them.
    """

    def __init__(self, threads: ThreadWatch, user: User, thread_id: str) -> None:
        self._threads = threads
        self._user = user
        self._thread_id = thread_id
        self._waiting: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._stack = ExitStack()
        self._seen: set[str] = set()
        self._running: set[str] = set()
        """Turns that have begun, and of whose end nothing was heard."""
        self._state: State | None = None

    async def __aenter__(self) -> ThreadNews:
        place = place_of_thread(self._user, self._thread_id)
        self._stack.callback(self._threads.events.watch(place, self._told))
        self._stack.callback(self._threads.add(self._waiting))
        try:
            if not await self._threads.events.watched(place):
                self._state = await self._threads.state(self._thread_id, self._user)
        except BaseException:
            self._stack.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stack.close()

    def _told(self, text: str) -> None:
        self._add(*read_news(text))

    def _add(self, kind: str, of: str) -> None:
        if kind == "turn":
            if of in self._seen:
                return
            self.saw(of)
        elif kind == "ended":
            if of not in self._running:
                return
            self._running.discard(of)
        self._waiting.put_nowait((kind, of))

    def saw(self, turn_id: str) -> None:
        """Note a turn of which its beginning is no news."""
        self._seen.add(turn_id)
        self._running.add(turn_id)

    async def get(self) -> tuple[str, str]:
        """Wait for the next news. Raises `Moved` when this process shuts down."""
        while True:
            is_live = self._threads.events.is_live
            try:
                async with asyncio.timeout(None if is_live and self._state is None else POLL):
                    kind, of = await self._waiting.get()
            except TimeoutError:
                await self._look()
                continue
            if kind == "closed":
                raise Moved("this process shuts down")
            if kind == "":
                # Some news were missed
                await self._look_at_turns()
                return "changed", ""
            return kind, of

    async def _look(self) -> None:
        """Find out from the stores what is new."""
        await self._look_at_turns()
        before, self._state = self._state, await self._threads.state(self._thread_id, self._user)
        if not self._state:
            self._add("removed", "")
            return
        # What a turn says is told; what else is done to the thread meanwhile, is not
        is_told = bool(self._running) or not self._waiting.empty()
        if before and before[0] != self._state[0]:
            self._add("thread", "")
        if before and before[1] != self._state[1] and not is_told:
            self._add("changed", "")

    async def _look_at_turns(self) -> None:
        """Find out from the stores which turns have begun and ended."""
        running = await self._threads.turn_store.running(self._thread_id, self._user)
        if running is not None:
            self._add("turn", running.id)
        for turn_id in self._running - {running.id if running is not None else ""}:
            if not await self._threads.is_running(turn_id, self._user):
                self._add("ended", turn_id)


class ThreadWatch:
    """Tells clients what happens in threads."""

    def __init__(
        self,
        turns: TurnRegistry,
        elsewhere: TurnsElsewhere,
        turn_store: TurnStore,
        store: Store[StoreContext],
        show: Show,
    ) -> None:
        self.turns = turns
        self.elsewhere = elsewhere
        self.turn_store = turn_store
        self.store = store
        self.show = show
        self._open: set[asyncio.Queue[tuple[str, str]]] = set()
        self._closed = False

    @property
    def events(self) -> EventLog:
        """What other processes are heard by."""
        return self.elsewhere.events

    def add(self, waiting: asyncio.Queue[tuple[str, str]]) -> Callable[[], None]:
        """Have the shutdown told to one who waits; return what ends that."""
        self._open.add(waiting)
        if self._closed:
            waiting.put_nowait(("closed", ""))
        return lambda: self._open.discard(waiting)

    @property
    def count(self) -> int:
        """How many wait for news."""
        return len(self._open)

    def close(self) -> None:
        """Send all who wait away: this process shuts down, and others go on."""
        self._closed = True
        for waiting in self._open:
            waiting.put_nowait(("closed", ""))

    async def state(self, thread_id: str, user: User) -> State:
        """Return what differs when a thread has changed."""
        context = StoreContext(user)
        with suppress(NotFoundError, NotFound):
            thread = await self.store.load_thread(thread_id, context)
            page = await self.store.load_thread_items(thread_id, None, 1, "desc", context)
            return as_thread(thread), page.data
        return ()

    async def find(self, turn_id: str, user: User) -> Found | None:
        """Return a turn, wherever it runs."""
        return self.turns.find(turn_id, user) or await self.turn_store.find(turn_id, user)

    async def is_running(self, turn_id: str, user: User) -> bool:
        """Return whether a turn has not ended yet, wherever it runs."""
        found = await self.find(turn_id, user)
        if isinstance(found, RunningTurn):
            return not found.log.ended
        return found is not None and found.state == "running"

    async def running(self, thread_id: str, user: User) -> Found | None:
        """Return the turn that runs in a thread, wherever that is."""
        here = self.turns.in_thread(thread_id, user)
        return here or await self.turn_store.running(thread_id, user)

    async def next_turn(self, thread_id: str, user: User, seconds: float) -> Found | None:
        """Return the turn that begins in a thread; None after this time, or at a shutdown.

        A short answer may have ended by then; its events can still be followed.
        """
        async with ThreadNews(self, user, thread_id) as news:
            with suppress(TimeoutError, Moved):
                async with asyncio.timeout(seconds):
                    # It may have begun just before it would be heard
                    if (begun := await self.running(thread_id, user)) is not None:
                        return begun
                    while True:
                        kind, of = await news.get()
                        if kind == "turn" and (found := await self.find(of, user)) is not None:
                            return found
        return None


class ThreadStream:
    """What happens in a thread, for one client: events of turns, and notes about them."""

    turn_id = ""

    def __init__(
        self,
        watch: ThreadWatch,
        thread_id: str,
        context: StoreContext,
        describe: Describe,
        translate: Translate,
        *,
        with_turns: bool,
    ) -> None:
        self._watch = watch
        self._thread_id = thread_id
        self._context = context
        self._describe = describe
        self._translate = translate
        self._with_turns = with_turns
        self._wire = ChatKitWire()
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue(_FULL)
        self._tasks: set[asyncio.Task[None]] = set()
        self._following: set[str] = set()
        self._error: BaseException | None = None

    async def follow(
        self, after: int = 0, write: FrameWriter | None = None
    ) -> AsyncGenerator[bytes]:
        """Yield frames until the thread is deleted. Raises `Moved` when this process shuts down."""
        try:
            self._start(self._listen())
            while (frames := await self._frames.get()) is not None:
                yield frames
            if self._error is not None:
                raise self._error
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(self._run(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, work: Any) -> None:
        try:
            await work
        except Exception as error:
            self._error = self._error or error
            await self._frames.put(None)

    async def _listen(self) -> None:
        user = self._context.user
        async with ThreadNews(self._watch, user, self._thread_id) as news:
            # Until the first note, a client does not know whether it hears anything
            await self._note({"type": "thread.watched"})
            running = await self._watch.running(self._thread_id, user)
            if running is not None:
                news.saw(running.id)
                await self._began(running)
            while True:
                kind, of = await news.get()
                if kind == "removed":
                    await self._note({"type": "thread.removed"})
                    await self._frames.put(None)
                    return
                await self._tell(kind, of)

    async def _tell(self, kind: str, of: str) -> None:
        user = self._context.user
        if kind in ("turn", "ended"):
            found = await self._watch.find(of, user)
            if found is not None and kind == "turn":
                await self._began(found)
            elif found is not None and of not in self._following:
                await self._ended(found)
        elif kind == "item":
            item = await self._item(of)
            if item is not None:
                await self._event(ThreadItemDoneEvent.model_construct(item=item))
        elif kind == "thread":
            thread = await self._thread()
            if thread is not None:
                await self._event(ThreadUpdatedEvent.model_construct(thread=as_thread(thread)))
        else:
            # What it was cannot be said: the client asks for the conversation
            await self._note({"type": "thread.changed"})

    async def _began(self, found: Found) -> None:
        await self._note({"type": "turn.started", "turn": self._describe(found)})
        if self._with_turns:
            self._following.add(found.id)
            self._start(self._follow_to_its_end(found))

    async def _ended(self, found: Found) -> None:
        await self._note({"type": "turn.ended", "turn": self._describe(found)})

    async def _follow_to_its_end(self, found: Found) -> None:
        """Pass on what a turn says, and then that it has ended."""
        await self._follow(found)
        ended = await self._watch.find(found.id, self._context.user)
        if ended is not None:
            await self._ended(ended)

    async def _follow(self, found: Found) -> None:
        """Pass the events of a turn on, also those after its questions."""
        after = 0
        async with AsyncExitStack() as stack:
            if isinstance(found, RunningTurn):
                log: Any = found.log
                found.add_follower()
                stack.callback(found.remove_follower)
            else:
                following = self._watch.elsewhere.following(found, self._context, self._translate)
                log = stack.enter_context(following)
            while True:
                async with aclosing(log.follow(after)) as each:
                    async for frames in each:
                        await self._frames.put(frames)
                        if ids := _LAST_ID.findall(frames):
                            after = int(ids[-1])
                if log.ended:
                    return

    async def _item(self, item_id: str) -> ThreadItem | None:
        with suppress(NotFoundError, NotFound):
            item = await self._watch.store.load_item(self._thread_id, item_id, self._context)
            return self._watch.show(item, self._context)
        return None

    async def _thread(self) -> ThreadMetadata | None:
        with suppress(NotFoundError, NotFound):
            return await self._watch.store.load_thread(self._thread_id, self._context)
        return None

    async def _event(self, event: Any) -> None:
        line = self._wire.event(event)
        if line is not None:
            await self._frames.put(b"data: " + line + b"\n\n")

    async def _note(self, note: Mapping[str, Any]) -> None:
        await self._frames.put(b"data: " + orjson.dumps(note) + b"\n\n")
