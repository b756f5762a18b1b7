"""The showcase, whose turns stand still where a request says: a plugin for servers under test.

With the header `X-Hold: 3`, a turn stands still for ever at its third pause, and says so. Its
pauses are those of the tool, one after the tool, and one in the middle of the text.
"""

from __future__ import annotations

from asyncio import Event
from types import SimpleNamespace
from typing import Any

from chatkit.types import ProgressUpdateEvent
from chatkit_plugins import showcase
from chatkit_plugins.demo_model import model
from chatkit_plugins.showcase import action, pace

from chatkit_server import Outcome, Turn, hookimpl
from chatkit_server.ids import current_turn

__all__ = ["action", "post_turn", "pre_turn", "tool_result"]

HELD = "held"

_turns: dict[str, _Holding] = {}


class _Holding:
    """Counts the pauses of a turn."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.left = int(turn.request.headers.get("X-Hold", "0"))
        self.words = 0

    async def pause(self) -> None:
        self.left -= 1
        if self.left == 0:
            await self.turn.stream(ProgressUpdateEvent(text=HELD))
            await Event().wait()


async def _work(seconds: float) -> None:
    await _turns[current_turn.get()].pause()


async def _word(seconds: float) -> None:
    holding = _turns[current_turn.get()]
    holding.words += 1
    if holding.words == 3:
        await holding.pause()


pace.sleep = _work
model.asyncio = SimpleNamespace(sleep=_word)


@hookimpl
async def pre_turn(turn: Turn) -> None:
    _turns[turn.id] = _Holding(turn)
    await showcase.pre_turn(turn)


@hookimpl
async def tool_result(turn: Turn, result: Any) -> None:
    await _turns[turn.id].pause()


@hookimpl
async def post_turn(turn: Turn, outcome: Outcome) -> None:
    _turns.pop(turn.id, None)
