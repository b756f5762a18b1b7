"""What came before a turn in its thread: the turn's items, and the input made of them."""

from __future__ import annotations

from functools import partial
from typing import Any

from agents import TResponseInputItem
from chatkit.agents import ThreadItemConverter
from chatkit.store import Store
from chatkit.types import Attachment, ThreadItem

from ..agent.history import History
from ..agent.loading import load_history
from ..agent.questions import still_waiting, to_resume
from ..plugin.calls import Hooks
from ..settings.schema import HistorySettings
from ..turn import StoreContext, Turn
from .approvals import Approvals
from .job import TurnPlan, model_name
from .waiting import left_waiting


class Conversations:
    """Gives turns the items of their threads."""

    def __init__(
        self,
        store: Store[StoreContext],
        budget: HistorySettings,
        hooks: Hooks,
        approvals: Approvals,
    ) -> None:
        self._store = store
        self._budget = budget
        self._hooks = hooks
        self._approvals = approvals

    async def give(self, turn: Turn, plan: TurnPlan | None = None) -> History:
        """Load the items of a turn, with what its request adds to them; return its history."""
        items = list(plan.earlier) if plan is not None else []
        is_stored = plan is None or not plan.new_thread
        goes_on = False
        if is_stored:
            again = plan.message if plan is not None and plan.superseded is not None else None
            items += await load_history(
                self._store,
                turn.store_context,
                turn.thread.id,
                self._budget,
                until=again.id if again is not None else None,
            )
        if plan is not None:
            is_new = plan.message is not None and plan.superseded is None
            if is_new or plan.note is not None:
                plan.left = left_waiting(items)
                plan.answered += plan.left
            if plan.superseded is None and plan.click is None and not plan.beside:
                plan.answered += await self._approvals.leave(turn, items)
            items = _with_answers(items, plan.answered)
            goes_on = plan.goes_on
            if goes_on:
                answered = {item.id for item in plan.answered}
                plan.waits = still_waiting(items, answered)
                plan.resumes = [] if plan.waits else to_resume(items, answered)
        if is_stored and not goes_on:
            # More were loaded only to find what waits; an answer that goes on needs it all
            items = items[-self._budget.items :]
        if plan is not None and (said := plan.message or plan.note) is not None:
            items.append(said)
        history = History(items, self._budget)
        turn.items = history.visible
        turn.last_agent = history.last_agent
        turn._make_input = partial(self._make_input, history)
        return history

    async def _make_input(
        self, history: History, turn: Turn, converter: ThreadItemConverter | None
    ) -> list[TResponseInputItem]:
        read = None
        if self._hooks.implemented("attachment_input"):
            read = partial(self._read_attachment, turn)
        return await history.to_input(turn.items, model_name(turn), converter, read)

    async def _read_attachment(
        self, turn: Turn, attachment: Attachment
    ) -> list[dict[str, Any]] | None:
        parts: list[dict[str, Any]] | None
        parts = await self._hooks.first("attachment_input", turn=turn, attachment=attachment)
        return parts


def _with_answers(items: list[ThreadItem], answered: list[ThreadItem]) -> list[ThreadItem]:
    """Return the items of a thread with those that the request completes, the new ones last."""
    new = {item.id: item for item in answered}
    known = [new.pop(item.id, item) for item in items]
    return [*known, *new.values()]
