"""The events of a turn of another process, read once for all clients of this one."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

from chatkit.store import Store
from chatkit.types import StructuredInputItem, ThreadItem

from ..errors import ServerError, Unavailable
from ..events.log import AFTER_END, FrameWriter
from ..events.shared import IDLE, PART, EventLog
from ..events.wire import Translate
from ..lines import fixed_words
from ..records import log_error, repeats
from ..turn import StoreContext
from ..turns.store import TurnRecord, TurnStore
from ..words import words
from .saved import SavedTurn, Show, load_turn, partial_of
from .telling import Telling, WireOf

log = logging.getLogger(__name__)

COME_AGAIN = words("The server can't follow this answer at the moment. Send this once more.")

_NUMBER = re.compile(rb"id: [^\n]*:(\d+)\n")


@dataclass(frozen=True, slots=True)
class _Events:
    """Whole frames, whose last event has this number."""

    last: int
    frames: bytes


class _Part:
    """Those who follow stop here."""


_Piece = _Events | _Part | SavedTurn | None
"""None is what a later piece has too."""


class Moved(ConnectionResetError):
    """This process can tell no more of it: its clients come again, perhaps to another one."""


@contextmanager
def moved_is_a_status() -> Iterator[None]:
    """Raise `Unavailable` in place of `Moved`, where no status has been sent yet."""
    try:
        yield
    except Moved as error:
        raise Unavailable(COME_AGAIN, retry_after=1) from error


class Mirror:
    """What a turn of another process says, from its first event on.

    One task reads the event log for all who follow. What the log has lost, or never had, it reads
    from the stores: the partial answer that the turn's process saves each second, and the items.
    That is also how it learns of a turn whose process has died. `visits` is called while somebody
    follows, so that the turn goes on.
    """

    def __init__(
        self,
        record: TurnRecord,
        events: EventLog,
        turn_store: TurnStore,
        store: Store[StoreContext],
        make_wire: WireOf,
        show: Show,
        after: int = 0,
    ) -> None:
        self.record = record
        self.followers = 0
        self.context = StoreContext(record.user)
        self._events = events
        self._turn_store = turn_store
        self._store = store
        self._make_wire = make_wire
        self._show = show
        self._pieces: list[_Piece] = []
        self._parted = max(partial_of(record).events, after)
        """Questions up to this event were asked before anybody followed here."""
        self._asked: set[str] | None = None
        """Questions that the stores know of, once they were read."""
        self._saved: SavedTurn | None = None
        self.ended = False
        self._error: BaseException | None = None
        self._news = asyncio.Event()

    async def follow(self, after: int, translate: Translate) -> AsyncGenerator[bytes]:
        """Yield the frames after number `after`, until the turn ends or asks its user.

        Raises `Moved` when this process shuts down, or cannot read the stores.
        """
        telling = Telling(self._make_wire, translate, after)
        index, begun = 0, len(self._pieces)
        while True:
            while index < len(self._pieces):
                piece, index = self._pieces[index], index + 1
                if isinstance(piece, _Part):
                    if index > begun:
                        return
                elif piece is not None and (frames := self._frames(piece, telling)) is not None:
                    yield frames
            if self._error is not None:
                raise self._error
            if self.ended:
                return
            await self._news.wait()

    def part(self, event: int) -> None:
        """Have those who follow now stop: questions up to this event are answered."""
        self._parted = max(self._parted, event)
        self._pieces.append(_Part())
        self._tell()

    async def begun(self) -> None:
        """Wait until something can be told. Raises `Moved` as `follow` does, before that."""
        while not self._pieces and not self.ended:
            if self._error is not None:
                raise self._error
            await self._news.wait()

    def _frames(self, piece: _Events | SavedTurn, telling: Telling) -> bytes | None:
        """Return what a client lacks of a piece."""
        if isinstance(piece, SavedTurn):
            has_all = AFTER_END if piece.is_over else piece.position
            if telling.position >= has_all:
                return None
            lines = telling.of(piece)
            return _as_one(lines, b"%b:%d" % (self.record.id.encode(), telling.position))
        if piece.last <= telling.position:
            return None
        frames = _after(piece.frames, telling.position)
        telling.passed(piece.last)
        return frames

    async def read(self) -> None:
        """Read the turn until it ends; the task of the mirror."""
        try:
            await self._read()
            self.ended = True
        except asyncio.CancelledError:
            self._error = Moved("this process shuts down")
            raise
        except Moved as error:
            self._error = error
        except Exception as error:
            # Clients come again, and hear from the request what is wrong
            self._error = Moved("what is saved of the turn cannot be read")
            what = "it cannot be followed: what is saved of it cannot be read"
            reason = error.message if isinstance(error, ServerError) else type(error).__name__
            again = repeats(f"{what}: {fixed_words(reason)}", "turn followed", self.record.id)
            log_error(log, logging.WARNING, error, f"turn %s: {what}", self.record.id, extra=again)
        finally:
            self._tell()

    async def _read(self) -> None:
        position, generation = 0, 0
        async with aclosing(self._events.follow(self.record.id, 0)) as parts:
            async for part in parts:
                if part is None:
                    saved = await self._look(position)
                    if saved is not None:
                        position = saved.position
                elif part.status is not None:
                    if part.generation == generation and part.last <= position:
                        return
                    await self._until(lambda saved: saved.is_over)
                else:
                    first, generation = part.first - 1, part.generation
                    if first > position:
                        # The log begins later than that
                        saved = await self._until(lambda s: s.position >= first)  # noqa: B023
                        position = saved.position
                    if not self._is_over:
                        self._add(part.frames, part.last)
                        position = max(position, part.last)
                if self._is_over:
                    return

    @property
    def _is_over(self) -> bool:
        return self._saved is not None and self._saved.is_over

    def _add(self, frames: bytes, last: int) -> None:
        """Add whole frames, parted where their turn asks its user."""
        *before, rest = frames.split(PART)
        for each in before:
            number = last
            if each:
                number = int(_NUMBER.findall(each)[-1])
                self._pieces.append(_Events(number, each))
            if number > self._parted:
                self._pieces.append(_Part())
        if rest:
            self._pieces.append(_Events(last, rest))
        self._tell()

    async def _until(self, enough: Callable[[SavedTurn], bool]) -> SavedTurn:
        """Look at the stores until that is enough, or the turn is over."""
        while True:
            saved = await self._look(0) or self._saved
            if saved is not None and (saved.is_over or enough(saved)):
                return saved
            await asyncio.sleep(IDLE / 4)

    async def _look(self, position: int) -> SavedTurn | None:
        """Read the stores; add what they know beyond this event, or of the turn's end."""
        record = await self._turn_store.find(self.record.id, self.record.user)
        if record is None:
            # It was refused, or has ended long ago: nothing more can be known
            raise Moved("the turn is not known any more")
        partial = partial_of(record)
        known = max(position, self._saved.position if self._saved else 0)
        if not record.is_over and partial.events <= known:
            return None
        self._saved = saved = await load_turn(
            record, partial, self._store, self.context, self._show
        )
        if self._pieces and isinstance(self._pieces[-1], SavedTurn):
            self._pieces[-1] = None
        self._pieces.append(saved)
        asked = {item.id for item in saved.items if _asks(item)}
        if self._asked is not None and not asked <= self._asked:
            # As `PART` in the log says
            self._pieces.append(_Part())
        self._asked = asked | (self._asked or set())
        self._tell()
        return saved

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def _asks(item: ThreadItem) -> bool:
    """Whether an item asks the user something while its turn runs."""
    return isinstance(item, StructuredInputItem) and item.status == "pending"


def _as_one(lines: Sequence[bytes], event_id: bytes) -> bytes | None:
    """Return frames of which the last one alone has an id: a client has all of them, or none."""
    if not lines:
        return None
    return b"".join(
        [
            *(b"data: %b\n\n" % line for line in lines[:-1]),
            b"id: %b\ndata: %b\n\n" % (event_id, lines[-1]),
        ]
    )


def _after(frames: bytes, position: int) -> bytes:
    """Return the frames after this event."""
    matches = list(_NUMBER.finditer(frames))
    for match in matches:
        if int(match[1]) > position:
            return frames[match.start() :]
    return b""


class FollowedElsewhere:
    """A turn of another process as one client follows it."""

    def __init__(self, mirror: Mirror, translate: Translate) -> None:
        self.turn_id = mirror.record.id
        self._mirror = mirror
        self._translate = translate

    @property
    def ended(self) -> bool:
        """Whether the turn has ended, and no more of it comes."""
        return self._mirror.ended

    async def begun(self) -> None:
        """Wait until something can be told. Raises `Unavailable` if that will not be here."""
        with moved_is_a_status():
            await self._mirror.begun()

    async def follow(
        self, after: int = 0, write: FrameWriter | None = None
    ) -> AsyncGenerator[bytes]:
        """Yield the frames after number `after`, until the turn ends or asks its user."""
        async with aclosing(self._mirror.follow(after, self._translate)) as frames:
            async for each in frames:
                yield each
