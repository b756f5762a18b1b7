"""The answer of a turn that was started without a page: its events, and all of it at the end."""

from __future__ import annotations

import asyncio

import orjson
from aiohttp import web
from chatkit.types import ThreadStreamEvent

from ..elsewhere.telling import Telling
from ..errors import ServerError
from ..events.wire import ChatKitWire, Translate
from ..turn import Outcome, StoreContext
from ..turns.accepted import AcceptedTurn
from ..turns.failures import GENERAL
from ..turns.running import HANDED_OVER, TAKEN_OVER, RunningTurn
from ..turns.store import TurnRecord
from .keys import ELSEWHERE, ENGINE
from .plain_wire import PlainWire
from .turn_routes import following

AnyTurn = RunningTurn | AcceptedTurn | TurnRecord
"""A turn that runs or ran here, one that is to begin here, or what the turn store has of one."""


_LOST = (HANDED_OVER.problem, TAKEN_OVER.problem)
"""What followers are told here of a turn that another process has."""


class StartedWire(ChatKitWire):
    """ChatKit's events, and at the end the plain protocol's whole answer."""

    def __init__(self, thread_id: str) -> None:
        super().__init__()
        self._whole = PlainWire(thread_id)

    @property
    def answer(self) -> bytes | None:
        """All of the answer, as one JSON object; None before the end."""
        return self._whole.answer

    def event(self, event: ThreadStreamEvent) -> bytes | None:
        self._whole.event(event)
        return super().event(event)

    def end(self, outcome: Outcome, translate: Translate = str) -> list[bytes]:
        self._whole.end(outcome, translate)
        return super().end(outcome, translate)


async def whole_answer(
    app: web.Application, turn: AnyTurn, context: StoreContext, translate: Translate
) -> bytes:
    """Wait for the end of a turn, and return all of it as one JSON object.

    What has run in another process comes from the stores: without the calls of tools. Raises
    `Unavailable` if this process can't tell the end of such a turn.
    """
    engine = app[ENGINE]
    if isinstance(turn, TurnRecord):
        turn = engine.turns.accepted.get(turn.id) or turn
    if isinstance(turn, AcceptedTurn):
        running = await asyncio.shield(turn.began)
        turn = turn.record if running is None else running
    if isinstance(turn, RunningTurn):
        with following(turn):
            await turn.until_settled()
        answer = turn.wire.answer if isinstance(turn.wire, StartedWire) else None
        if turn.status is not None and answer is not None and turn.problem not in _LOST:
            return _named(turn.id, answer)
    record = turn
    if isinstance(turn, RunningTurn):
        # It was refused, or its end failed
        found = await engine.turn_store.find(turn.id, context.user)
        if found is None:
            raise turn.refusal or ServerError(GENERAL)
        record = found
    assert isinstance(record, TurnRecord)
    wire = PlainWire(record.thread_id)
    saved = await app[ELSEWHERE].whole(record, context)
    if saved.is_over:
        Telling(lambda _: wire, translate, 0).of(saved)
    if wire.answer is None:
        raise ServerError(GENERAL)
    return _named(record.id, wire.answer)


def _named(turn_id: str, answer: bytes) -> bytes:
    """Return an answer with the id of its turn before everything else."""
    return b'{"turn_id":%b,%b' % (orjson.dumps(turn_id), answer.removeprefix(b"{"))
