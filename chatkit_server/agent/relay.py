"""Which agent of a turn answers, and what its model can read of what others have written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents import Model, TResponseInputItem

from .models import name_of
from .portable import for_other_model


class Relay:
    """The agent that is asked now: it changes with each handoff.

    `agent` is its name, `model` that of its model, `mixed` whether other models have been asked in
    this turn.
    """

    def __init__(self) -> None:
        self.agent = ""
        self.model = ""
        self.mixed = False
        self._asked: str | Model | None = None
        self._before: str | None = None
        self._length = 0
        self._readable: list[TResponseInputItem] = []

    def goes_on_from(self, model: str) -> None:
        """Note the model that has written what the run has so far, "" if several have."""
        self._before = model

    def asks(self, agent: str, model: str | Model | None, items: Sequence[Any]) -> Sequence[Any]:
        """Note which agent is asked, and return its input as its model can read it.

        What other models have written in this turn is without what only they can read.
        """
        before, now = (self._asked, model) if self.agent else (self._before, name_of(model))
        if before is not None and before != now:
            self.mixed = True
            self._length, self._readable = len(items), for_other_model(items)
        self.agent, self.model, self._asked = agent, name_of(model), model
        if not self._length:
            return items
        # What it writes itself comes after that
        return [*self._readable, *items[self._length :]]
