"""The handoffs of a run: how they are shown, and what the next turn is told of them."""

from __future__ import annotations

import json
from typing import Any, cast

from agents import Agent, HandoffCallItem, HandoffOutputItem, RunItem, TResponseInputItem

from ..turn import ToolCall
from .shown_tools import ShownCall, ShownTools

NOT_TAKEN = "This was not done: the conversation was handed over to another agent."
"""The output of all handoffs that a model calls at once, but the first."""


class Handovers:
    """Takes what a run says of its handoffs.

    The `input_filter` of a handoff may leave out its output: then the run only says which agent
    goes on.
    """

    def __init__(self, shown: ShownTools) -> None:
        self._shown = shown
        self._open: dict[str, ShownCall] = {}
        self._taken = False

    async def note(self, item: RunItem) -> None:
        """Take an item of the run: the call of a handoff, or an output."""
        if isinstance(item, HandoffCallItem):
            call = item.raw_item
            begun = await self._shown.begin(ToolCall(call.call_id, call.name, {}))
            self._open[call.call_id] = begun
        elif self._open and isinstance(raw := item.raw_item, dict) and "output" in raw:
            shown = self._open.pop(str(raw.get("call_id")), None)
            is_taken = isinstance(item, HandoffOutputItem)
            self._taken = self._taken or is_taken
            if shown is not None:
                await shown.end(failed=not is_taken)

    async def handed_over(self, agent: Agent[Any]) -> list[TResponseInputItem]:
        """Take the agent that goes on; return the outputs that the run has left out."""
        outputs: list[TResponseInputItem] = []
        for call_id, shown in self._open.items():
            await shown.end(failed=self._taken)
            # As the Agents SDK says it
            text = NOT_TAKEN if self._taken else json.dumps({"assistant": agent.name})
            output = {"type": "function_call_output", "call_id": call_id, "output": text}
            outputs.append(cast(TResponseInputItem, output))
            self._taken = True
        self._open, self._taken = {}, False
        return outputs

    async def end(self) -> None:
        """Show that the handoffs that the run did not come to are not done."""
        for shown in self._open.values():
            await shown.end(failed=True)
        self._open.clear()
